"""Repair of a configuration that violates few rows: greedy flips with a little thermal noise.

Algorithm
---------
Metropolis flips at falling temperatures, 0.01 to 0.002 in units of the fields, starting from the given
configuration and, for each temperature anew, from the best one so far. The energy is the total depth of
violation, so that flips that only shift it to other rows are free to happen. At these temperatures a
configuration moves by a handful of spins: what it repairs was nearly right.

Cost: a sweep proposes n flips of m additions each.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .kernels import fields_of, metropolis_sweep, outside

__all__ = ["HOTTEST", "repair"]

HOTTEST, COLDEST = 0.01, 0.002
_STAGES = 4


@numba.njit(cache=True)
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
        In all, at least one for each of the temperatures.
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
    for stage in range(_STAGES):
        temperature = HOTTEST * math.pow(COLDEST / HOTTEST, stage / (_STAGES - 1))
        y[:] = x
        for _ in range(max(1, sweeps // _STAGES)):
            if best == 0:
                return best, made
            fields_of(columns, y, fields)  # rounding does not add up
            metropolis_sweep(columns, y, fields, lower, upper, temperature, rng)
            made += 1
            found = outside(fields, lower, upper)
            if found < best:
                best = found
                x[:] = y
    return best, made
