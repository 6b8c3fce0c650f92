"""Reinforced belief propagation, in the form of approximate message passing.

Algorithm
---------
To the field that message passing sends to a spin a growing fraction r of the spin's last field is added:
h(t) = field(t) + r(t) h(t-1). Spins remember and polarise, those first that all rows agree upon; at
r = 1 all are. r grows linearly up to one half over most of the budget, because a perceptron near its
threshold decides there whether it ends well, and then to 1. Every tenth iteration the spins are rounded
and the rows counted; the best rounding is repaired by `repair` in the end.

Time: one pass over the matrix per iteration, about that of one matrix-vector product. Success grows
with the budget: close to the algorithmic threshold each doubling moves the reach by a few hundredths.

References: Braunstein, Zecchina, PRL 96, 030201 (2006); Baldassi, Braunstein, Brunel, Zecchina, PNAS 104,
11079 (2007).
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from verify.instances import Instance

from .interface import Attempt, finished
from .kernels import bounds, columns_of, note, rows_of, violations
from .passing import LARGEST_FIELD, amp_pass, keep_awake, random_start
from .repair import repair

__all__ = ["run"]

_LOOK = 10
_POLARISED = 0.9985
_SLOW = 0.85  # fraction of the budget in which r grows to its knee


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    damping: float | None = None,
    knee: float = 0.5,
    start: float = 0.1,
    repairs: int | None = None,
) -> Attempt:
    """Run reinforced belief propagation.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts iterations.
    damping : float
        Weight of the last message of a row, from 0 to below 1. By default 1/2 for the symmetric
        perceptron and 0 for the asymmetric one.
    knee : float
        Where r stops to grow slowly, between 0 and 1.
    start : float
        Standard deviation of the first fields.
    repairs : int, optional
        Sweeps of repair in the end; by default a tenth of the budget, at most 200.

    Returns
    -------
    Attempt
        The trace's progress is the mean square of the magnetisations.
    """
    if damping is None:
        damping = 0.5 if instance.kind == "sbp" else 0.0
    if not 0.0 <= damping < 1.0:
        raise ValueError(f"damping must be at least 0 and below 1, got {damping}")
    if not 0.0 <= knee <= 1.0:
        raise ValueError(f"knee must be between 0 and 1, got {knee}")
    rng = np.random.default_rng(seed)
    lower, upper = bounds(instance)
    x = np.ones(instance.n, dtype=np.float32)
    best, made, trace = _reinforce(
        rows_of(instance), x, lower, upper, budget, damping, knee, start, rng
    )
    if best:
        sweeps = min(200, budget // 10) if repairs is None else repairs
        if sweeps:
            made += repair(columns_of(instance), x, lower, upper, sweeps, rng)[1]
    return finished("belief", instance, x, made, trace, budget, seed)


@numba.njit(cache=True)
def _reinforce(
    rows: Any,
    x: Any,
    lower: Any,
    upper: Any,
    budget: int,
    damping: float,
    knee: float,
    start: float,
    rng: Any,
) -> Any:
    m, n = rows.shape
    fields = np.zeros(n)
    magnetisations = np.zeros(n, dtype=np.float32)
    random_start(fields, magnetisations, start, rng)
    g = np.zeros(m)
    sums = np.zeros(n, dtype=np.float32)
    y = np.ones(n, dtype=np.float32)
    trace = np.zeros((budget // _LOOK + 2, 3))
    kept, best, made = 0, m + 1, budget
    for t in range(budget):
        q, onsager = amp_pass(rows, magnetisations, g, sums, lower, upper, damping)
        u = t / budget
        r = knee * u / _SLOW if u < _SLOW else knee + (1.0 - knee) * (u - _SLOW) / (1.0 - _SLOW)
        for j in range(n):
            h = sums[j] + onsager * magnetisations[j] + r * fields[j]
            fields[j] = min(max(h, -LARGEST_FIELD), LARGEST_FIELD)
            magnetisations[j] = math.tanh(fields[j])
            y[j] = 1.0 if fields[j] > 0.0 else -1.0
        keep_awake(q, fields, magnetisations, start, rng)
        if t % _LOOK == _LOOK - 1 or t == budget - 1:
            found = violations(rows, y, lower, upper)
            note(trace, kept, t + 1, q, found)
            kept += 1
            if found < best:
                best = found
                x[:] = y
            if found == 0 or q > _POLARISED:
                made = t + 1
                break
    return best, made, trace[:kept]
