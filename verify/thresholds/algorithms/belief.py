"""Reinforced belief propagation, in the form of approximate message passing, its norm controlled.

Algorithm
---------
To the field that message passing sends to a spin a fraction r of the spin's last field is added:
h(t) = field(t) + r(t) h(t-1). Spins remember and polarise. How fast decides how it ends: with r on a
schedule of its own, as in the literature, the magnetisations jump when the paramagnet becomes unstable,
and skip what they should have found out on the way. Here r is chosen in every iteration, by Newton's
method, such that the mean square of the magnetisations is q(t) = 1 - (1 - t/T)^3 with T the budget. It
comes out positive, and falls along the way; where no r will do, in the first iterations, the fields are
scaled. Every tenth iteration the spins are rounded and the rows
counted; the best rounding is repaired by `repair` in the end.

Time: one pass over the matrix per iteration, and four evaluations of n hyperbolic tangents. Success grows
with the budget.

References: Braunstein, Zecchina, PRL 96, 030201 (2006); Baldassi, Braunstein, Brunel, Zecchina, PNAS 104,
11079 (2007) for the reinforcement; the controlled norm is ours, after CLuP (see `clup`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt
from .kernels import look
from .passing import LARGEST_FIELD, amp_pass, keep_awake, part_for_norm, random_start
from .repair import searched_and_repaired

__all__ = ["reinforce", "run"]

_LOOK = 10
_POLARISED = 0.9999
_NEWTON = 3
_BISECTIONS = 20
_FAR, _NEAR = 0.2, 1e-3  # how far from its course q may be before fields are scaled


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    damping: float | None = None,
    power: float = 3.0,
    start: float = 0.1,
    repairs: int | None = None,
) -> Attempt:
    """Run reinforced belief propagation.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts iterations.
    damping : float
        Weight of the last message of a row, from 0 to below 1. By default 0.3 for the symmetric
        perceptron and 1/2 for the asymmetric one.
    power : float
        The 3 in q(t) = 1 - (1 - t/T)^3; at least 1.
    start : float
        Standard deviation of the first fields.
    repairs : int, optional
        Sweeps of repair in the end, taken from the budget; by default a fifth of it, at most 800.

    Returns
    -------
    Attempt
        The trace's progress is the mean square of the magnetisations.
    """
    if damping is None:
        damping = 0.3 if instance.kind == "sbp" else 0.5
    if not 0.0 <= damping < 1.0:
        raise ValueError(f"damping must be at least 0 and below 1, got {damping}")
    if not power >= 1.0:
        raise ValueError(f"power must be at least 1, got {power}")

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        m, n = rows.shape
        fields, g = np.zeros(n), np.zeros(m)
        random_start(fields, np.zeros(n, dtype=np.float32), start, rng)
        limits = (lower, upper, damping, power, start)
        return reinforce(rows, x, fields, g, 0.0, passes, limits, rng)

    return searched_and_repaired("belief", instance, budget, seed, repairs, search)


@njit
def reinforce(
    rows: Any, x: Any, fields: Any, g: Any, begin: float, budget: int, limits: Any, rng: Any
) -> Any:
    """Reinforce from fields and row responses whose mean square magnetisation is ``begin``.

    Parameters
    ----------
    rows : numpy.ndarray
        float32, shape (m, n).
    x : numpy.ndarray
        float32, shape (n,); takes the rounding with fewest rows violated.
    fields, g : numpy.ndarray
        float64, shapes (n,) and (m,); where it begins, changed in place.
    begin : float
    budget : int
        Iterations.
    limits : tuple of float
        Bounds of the rows, damping, power, and the start's width, below which spins are woken again.
    rng : numpy.random.Generator

    Returns
    -------
    tuple
        Fewest rows violated, iterations made, and the trace.
    """
    lower, upper, damping, power, start = limits
    m, n = rows.shape
    magnetisations = np.zeros(n, dtype=np.float32)
    for j in range(n):
        magnetisations[j] = math.tanh(fields[j])
    sums = np.zeros(n, dtype=np.float32)
    y = np.ones(n, dtype=np.float32)
    trace = np.zeros((budget // _LOOK + 2, 3))
    kept, best, made = 0, m + 1, budget
    r = 0.0
    for t in range(budget):
        q, onsager = amp_pass(rows, magnetisations, g, sums, lower, upper, damping)
        for j in range(n):
            sums[j] += onsager * magnetisations[j]
        rest = (1.0 - begin) * math.pow(1.0 - (t + 1.0) / budget, power)
        wanted = max(1.0 - rest, start * start)
        r = part_for_norm(sums, fields, r, wanted, -1.0, 3.0, 0.2, _NEWTON)
        for j in range(n):
            fields[j] = sums[j] + r * fields[j]
        scale = _scale(fields, wanted)
        for j in range(n):
            fields[j] = min(max(scale * fields[j], -LARGEST_FIELD), LARGEST_FIELD)
            magnetisations[j] = math.tanh(fields[j])
            y[j] = 1.0 if fields[j] > 0.0 else -1.0
        keep_awake(q, fields, magnetisations, start, rng)
        if t % _LOOK == _LOOK - 1 or t == budget - 1:
            violated = look(rows, y, lower, upper, trace, kept, t + 1, q)
            kept += 1
            if violated < best:
                best = violated
                x[:] = y
            if violated == 0 or q > _POLARISED:
                made = t + 1
                break
    return best, made, trace[:kept]


@njit
def _scale(fields: Any, wanted: float) -> float:
    """Factor that brings tanh(fields) to the wanted mean square where it is far off it; else 1."""
    low, high = 0.0, 16.0
    scale = 1.0
    for _ in range(_BISECTIONS):
        q = 0.0
        for j in range(fields.size):
            q += math.tanh(scale * fields[j]) ** 2
        q /= fields.size
        if abs(q - wanted) < _FAR * wanted * (1.0 - wanted) + _NEAR:
            break
        if q > wanted:
            high = scale
        else:
            low = scale
        scale = 0.5 * (low + high)
    return scale
