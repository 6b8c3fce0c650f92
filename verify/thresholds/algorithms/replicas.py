"""Replicated annealing: copies of a configuration that attract each other.

Algorithm
---------
y copies are annealed together. A common centre, summed over exactly, weights their distance: with
S_j the sum of spin j over the copies, the stationary distribution is

    prod_a exp(-E(x^a) / T) prod_j cosh(gamma S_j).

T falls geometrically and gamma grows linearly, so that the copies end up in one place, one where
solutions are many (a solution on its own has no room for y copies). Every sweep each copy and their
majority are looked at. In the end the majority is repaired by `repair`.

Cost: a sweep is y n proposals of m additions; it counts as y passes.

Reference: Baldassi, Borgs, Chayes, Ingrosso, Lucibello, Saglietti, Zecchina, PNAS 113, E7655 (2016).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt, finished
from .kernels import add_multiple, bounds, columns_of, depth_after, fields_of, note, outside
from .repair import repair

__all__ = ["run"]


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    copies: int = 5,
    hottest: float = 0.3,
    coldest: float = 0.02,
    attraction: float = 1.5,
) -> Attempt:
    """Anneal copies together.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts sweeps of single copies.
    copies : int
        y, at least 2.
    hottest, coldest : float
        First and last temperature.
    attraction : float
        gamma at the end, not negative.

    Returns
    -------
    Attempt
        The trace's progress is the mean square over j of S_j / y: 1 when all copies agree.
    """
    if copies < 2:
        raise ValueError(f"copies must be at least 2, got {copies}")
    if not (0.0 < coldest <= hottest and attraction >= 0.0):
        raise ValueError(
            "temperatures must satisfy 0 < coldest <= hottest, and attraction >= 0, got "
            f"{coldest}, {hottest}, {attraction}"
        )
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), (copies, instance.n))
    lower, upper = bounds(instance)
    columns = columns_of(instance)
    sweeps = max(1, (budget - budget // 10) // copies)
    best = x[0].copy()
    violated, made, trace = _anneal(
        columns, x, best, lower, upper, sweeps, hottest, coldest, attraction, rng
    )
    made *= copies
    if violated and budget // 10:
        made += repair(columns, best, lower, upper, budget // 10, rng)[1]
    return finished("replicas", instance, best, made, trace, budget, seed)


@njit
def _anneal(
    columns: Any,
    x: Any,
    best: Any,
    lower: Any,
    upper: Any,
    sweeps: int,
    hottest: float,
    coldest: float,
    attraction: float,
    rng: Any,
) -> Any:
    n, m = columns.shape
    copies = x.shape[0]
    fields = np.zeros((copies + 1, m), dtype=np.float32)
    centre = np.ones(n, dtype=np.float32)
    sums = np.zeros(n)
    every = max(1, sweeps // 100)
    trace = np.zeros((sweeps // every + 2, 3))
    kept, least = 0, m + 1
    for sweep in range(sweeps):
        part = sweep / max(1, sweeps - 1)
        temperature = hottest * math.pow(coldest / hottest, part)
        gamma = attraction * part
        for j in range(n):
            sums[j] = x[:, j].sum()
        for a in range(copies):
            fields_of(columns, x[a], fields[a])
            _sweep(columns, x[a], fields[a], sums, lower, upper, temperature, gamma, rng)
        agreement = 0.0
        for j in range(n):
            agreement += (sums[j] / copies) ** 2
            centre[j] = 1.0 if sums[j] > 0.0 or (sums[j] == 0.0 and x[0, j] > 0.0) else -1.0
        fields_of(columns, centre, fields[copies])
        now = m + 1
        for a in range(copies + 1):
            violated = outside(fields[a], lower, upper)
            now = min(now, violated)
            if violated < least:
                least = violated
                best[:] = centre if a == copies else x[a]
        if now == 0 or sweep % every == 0:
            note(trace, kept, (sweep + 1) * copies, agreement / n, now)
            kept += 1
        if now == 0:
            return 0, sweep + 1, trace[:kept]
    return least, sweeps, trace[:kept]


@njit
def _sweep(
    columns: Any,
    x: Any,
    fields: Any,
    sums: Any,
    lower: Any,
    upper: Any,
    temperature: float,
    gamma: float,
    rng: Any,
) -> None:
    energy = depth_after(fields, columns[0], np.float32(0.0), lower, upper)
    for _ in range(x.size):
        j = int(rng.random() * x.size)
        step = np.float32(-2.0) * x[j]
        after = depth_after(fields, columns[j], step, lower, upper)
        weight = (energy - after) / temperature
        weight += _log_cosh(gamma * (sums[j] + step)) - _log_cosh(gamma * sums[j])
        if weight >= 0.0 or rng.random() < math.exp(weight):
            add_multiple(step, columns[j], fields)
            x[j] = -x[j]
            sums[j] += step
            energy = after


@njit(inline="always")
def _log_cosh(h: float) -> float:
    return abs(h) + math.log1p(math.exp(-2.0 * abs(h)))
