"""Focusing belief propagation: message passing for a configuration amid many solutions.

Algorithm
---------
y copies of the system are attracted, with strength gamma, to a common centre. For copies that are alike
this adds to each spin's field the message from the centre,

    mu_j = artanh( tanh((y - 1) artanh(t m_j)) t ),    t = tanh gamma,   m_j = tanh(field_j),

where field_j is what message passing sends without it. gamma grows linearly over the budget, from 0 to
the given value; the copies then polarise together where solutions are dense. Rounding, counting and
repair are those of `belief`.

Time: one pass over the matrix per iteration.

Reference: Baldassi, Borgs, Chayes, Ingrosso, Lucibello, Saglietti, Zecchina, PNAS 113, E7655 (2016).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt
from .kernels import look
from .passing import LARGEST_FIELD, amp_pass, keep_awake, random_start
from .repair import searched_and_repaired

__all__ = ["run"]

_LOOK = 10
_POLARISED = 0.9985
_ALMOST_ONE = 1.0 - 1e-12


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    copies: float = 3.0,
    strength: float = 1.5,
    damping: float = 0.5,
    start: float = 0.1,
    repairs: int | None = None,
) -> Attempt:
    """Run focusing belief propagation.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts iterations.
    copies : float
        y, above 1; need not be an integer.
    strength : float
        gamma at the end of the budget, positive.
    damping, start, repairs
        As for `verify.thresholds.algorithms.belief.run`.

    Returns
    -------
    Attempt
        The trace's progress is the mean square of the magnetisations.
    """
    if not 0.0 <= damping < 1.0:
        raise ValueError(f"damping must be at least 0 and below 1, got {damping}")
    if not (copies > 1.0 and strength > 0.0):
        raise ValueError(f"copies must exceed 1 and strength 0, got {copies}, {strength}")

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        return _focus(rows, x, lower, upper, passes, copies, strength, damping, start, rng)

    return searched_and_repaired("focusing", instance, budget, seed, repairs, search)


@njit
def _focus(
    rows: Any,
    x: Any,
    lower: Any,
    upper: Any,
    budget: int,
    copies: float,
    strength: float,
    damping: float,
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
        pull = math.tanh(strength * (t + 1) / budget)
        for j in range(n):
            h = sums[j] + onsager * magnetisations[j]
            fields[j] = damping * fields[j] + (1.0 - damping) * h
            to_centre = min(max(pull * math.tanh(fields[j]), -_ALMOST_ONE), _ALMOST_ONE)
            back = pull * math.tanh((copies - 1.0) * math.atanh(to_centre))
            h = fields[j] + math.atanh(min(max(back, -_ALMOST_ONE), _ALMOST_ONE))
            magnetisations[j] = math.tanh(min(max(h, -LARGEST_FIELD), LARGEST_FIELD))
            y[j] = 1.0 if h > 0.0 else -1.0
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
