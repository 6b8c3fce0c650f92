"""Simulated annealing, the baseline that is expected to get stuck early.

Algorithm
---------
Single-flip Metropolis at temperatures falling geometrically over the budget; the energy is the sum over
rows of what they miss their bound by (Kirkpatrick, Gelatt, Vecchi 1983; for binary perceptrons Horner
1992, Patel 1993, who found that it freezes at densities far below capacity).

Cost: a sweep is n proposals of m additions each, one pass over the matrix.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt, finished
from .kernels import bounds, columns_of, fields_of, metropolis_sweep, note, outside

__all__ = ["run"]


def run(
    instance: Instance, budget: int, seed: int, *, hottest: float = 0.3, coldest: float = 0.005
) -> Attempt:
    """Anneal.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts sweeps.
    hottest, coldest : float
        First and last temperature, in units of the fields.

    Returns
    -------
    Attempt
        The trace's progress is the energy divided by n.
    """
    if not 0.0 < coldest <= hottest:
        raise ValueError(
            f"temperatures must satisfy 0 < coldest <= hottest, got {coldest}, {hottest}"
        )
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), instance.n)
    lower, upper = bounds(instance)
    made, trace = _anneal(columns_of(instance), x, lower, upper, budget, hottest, coldest, rng)
    return finished("annealing", instance, x, made, trace, budget, seed)


@njit
def _anneal(
    columns: Any,
    x: Any,
    lower: Any,
    upper: Any,
    sweeps: int,
    hottest: float,
    coldest: float,
    rng: Any,
) -> Any:
    n, m = columns.shape
    fields = np.zeros(m, dtype=np.float32)
    every = max(1, sweeps // 100)
    trace = np.zeros((sweeps // every + 2, 3))
    kept = 0
    y = x.copy()
    best = m + 1
    for sweep in range(sweeps):
        temperature = hottest * math.pow(coldest / hottest, sweep / max(1, sweeps - 1))
        fields_of(columns, y, fields)
        energy = metropolis_sweep(columns, y, fields, lower, upper, temperature, rng)
        violated = outside(fields, lower, upper)
        if violated < best:
            best = violated
            x[:] = y
        if violated == 0 or sweep % every == 0:
            note(trace, kept, sweep + 1, energy / n, violated)
            kept += 1
        if violated == 0:
            return sweep + 1, trace[:kept]
    return sweeps, trace[:kept]
