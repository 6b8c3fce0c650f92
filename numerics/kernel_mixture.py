"""D and D' of a mixture: the double sum of one closed form over the mixture's nodes."""

from __future__ import annotations

import numba
import numpy as np

# pasted code above defines these
from .kernel_stub import SCALES, WEIGHTS, member, member_curvature, member_slope

_NODES = np.array(SCALES)
_MASSES = np.array(WEIGHTS)
_SUMS = {"contract", "nsz", "reassoc"}


@numba.njit(error_model="numpy", fastmath=_SUMS)
def pair(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """Return D and D' of one pair."""
    value = 0.0
    slope = 0.0
    for m in range(_NODES.shape[0]):
        a = _NODES[m]
        inner = 0.0
        inner_slope = 0.0
        for n in range(_NODES.shape[0]):
            d, dd = member(a, _NODES[n], k11, k22, k12, det, delta, sigma)
            inner += _MASSES[n] * d
            inner_slope += _MASSES[n] * dd
        value += _MASSES[m] * inner
        slope += _MASSES[m] * inner_slope
    return value, slope


@numba.njit(error_model="numpy", fastmath=_SUMS)
def diagonal_slope(k: float) -> float:
    """Return E phi(u) phi''(u) for u ~ N(0, k)."""
    total = 0.0
    for m in range(_NODES.shape[0]):
        for n in range(_NODES.shape[0]):
            d = member_slope(_NODES[m], _NODES[n], k)
            total += _MASSES[m] * _MASSES[n] * d
    return total


@numba.njit(error_model="numpy", fastmath=_SUMS)
def curvature(k11: float, k22: float, k12: float, det: float, delta: float, sigma: float) -> float:
    """Return D'' of one pair."""
    total = 0.0
    for m in range(_NODES.shape[0]):
        for n in range(_NODES.shape[0]):
            d = member_curvature(_NODES[m], _NODES[n], k11, k22, k12, det, delta, sigma)
            total += _MASSES[m] * _MASSES[n] * d
    return total
