"""Repair of a configuration that violates few rows: greedy flips with a little thermal noise.

Algorithm
---------
Metropolis flips at temperatures between 0.01 and 0.002 in units of the fields, in turns. Every ten
sweeps it goes back to the best configuration so far and takes the next temperature. The energy is the
total depth of violation, so that flips that only shift it to other rows are free to happen. At these
temperatures a configuration moves by a handful of spins: what it repairs was nearly right.

Cost: a sweep proposes n flips of m additions each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt, finished
from .kernels import bounds, columns_of, fields_of, metropolis_sweep, outside, rows_of

__all__ = ["repair", "searched_and_repaired", "share"]

HOTTEST, COLDEST = 0.01, 0.002
_TEMPERATURES = 4
_STAGE = 10  # sweeps


@njit
def repair(columns: Any, x: Any, lower: Any, upper: Any, sweeps: int, rng: Any) -> Any:
    """Repair x in place.

    Parameters
    ----------
    columns : numpy.ndarray
        float32, shape (n, m), as `kernels.columns_of`.
    x : numpy.ndarray
        float32, shape (n,), entries -1 or +1; becomes the best configuration met.
    lower, upper : numpy.float32
        Bounds of the rows.
    sweeps : int
        In all.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of int
        Rows violated in the end, and sweeps made.
    """
    fields = np.zeros(columns.shape[1], dtype=np.float32)
    y = x.copy()
    fields_of(columns, x, fields)
    best = outside(fields, lower, upper)
    made = 0
    for sweep in range(sweeps):
        if best == 0:
            break
        stage, within = divmod(sweep, _STAGE)
        if within == 0:
            y[:] = x
        part = (stage % _TEMPERATURES) / (_TEMPERATURES - 1)
        fields_of(columns, y, fields)  # rounding does not add up
        metropolis_sweep(
            columns, y, fields, lower, upper, HOTTEST * math.pow(COLDEST / HOTTEST, part), rng
        )
        made += 1
        violated = outside(fields, lower, upper)
        if violated < best:
            best = violated
            x[:] = y
    return best, made


def share(budget: int, repairs: int | None) -> int:
    """Sweeps of a budget that are set aside for repair: a fifth, at most 800, if not said otherwise.

    Raises
    ------
    ValueError
        If that leaves nothing of the budget, or is negative.
    """
    sweeps = min(800, budget // 5) if repairs is None else repairs
    if not 0 <= sweeps < budget:
        raise ValueError(f"repairs must be at least 0 and below the budget, got {repairs}")
    return sweeps


def searched_and_repaired(
    algorithm: str,
    instance: Instance,
    budget: int,
    seed: int,
    repairs: int | None,
    search: Callable[..., tuple[int, int, Any]],
) -> Attempt:
    """Search with one part of the budget, and repair what it ends in with the rest.

    Parameters
    ----------
    algorithm : str
    instance : Instance
    budget : int
        Passes over the matrix.
    seed : int
    repairs : int, optional
        Sweeps set aside for `repair`; see `share`.
    search : callable
        Of rows, x (to be filled), lower, upper, passes and generator; returns the number of rows that
        do not hold, the passes made and the trace.

    Returns
    -------
    Attempt
    """
    sweeps = share(budget, repairs)
    rng = np.random.default_rng(seed)
    lower, upper = bounds(instance)
    x = np.ones(instance.n, dtype=np.float32)
    violated, made, trace = search(rows_of(instance), x, lower, upper, budget - sweeps, rng)
    if violated and sweeps:
        made += repair(columns_of(instance), x, lower, upper, sweeps, rng)[1]
    return finished(algorithm, instance, x, made, trace, budget, seed)
