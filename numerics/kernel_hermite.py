"""Rows of pairs by Hermite series where Parseval's bound allows it, and by the closed form elsewhere."""

from __future__ import annotations

import math

import numba
import numpy as np

# pasted code above defines these
from .kernel_stub import pair

_ENOUGH = 1e-16
_OPPOSITE = -0.5
_SUMS_HERMITE = {"contract", "nsz", "reassoc"}


@numba.njit(error_model="numpy", fastmath=_SUMS_HERMITE)
def hermite_sums(
    one: np.ndarray, two: np.ndarray, rho: np.ndarray, value: np.ndarray, slope: np.ndarray
) -> None:
    """Sums over n of a_n b_n rho^n and of n a_n b_n rho^(n-1), by Horner's rule, four n at a time."""
    order = one.shape[0]
    n = rho.shape[0]
    for j in range(n):
        value[j] = 0.0
        slope[j] = 0.0
    for top in range(order - 1, 2, -4):
        a, b, c, d = one[top], one[top - 1], one[top - 2], one[top - 3]
        p, q, r, s = two[top], two[top - 1], two[top - 2], two[top - 3]
        for j in range(n):
            x, v, w = rho[j], value[j], slope[j]
            w = w * x + v
            v = v * x + a * p[j]
            w = w * x + v
            v = v * x + b * q[j]
            w = w * x + v
            v = v * x + c * r[j]
            slope[j] = w * x + v
            value[j] = v * x + d * s[j]


@numba.njit(error_model="numpy")
def rows(
    a: float,
    others: np.ndarray,
    c: np.ndarray,
    det: np.ndarray,
    delta: np.ndarray,
    sigma: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """D and D' of one input with others.

    ``one`` and ``two`` are as `numerics.kernel_series.Series.table` makes them. As few of the orders are
    taken as leave a sixteenth of the pairs to the closed form.
    """
    n = others.shape[0]
    order = one.shape[0] - 6
    rho = np.empty(n)
    left = np.empty((3, n))
    open1, open2, open4 = 0, 0, 0
    # near -1 the terms of phi that is not odd cancel; the double sum loses nothing there
    odd = abs(one[0]) + abs(one[2]) <= 1e-14 * abs(one[1])
    lowest = -2.0 if odd else _OPPOSITE
    for j in range(n):
        edge = math.sqrt(a * others[j])
        rho[j] = min(max(c[j] / (edge if edge > 0.0 else 1.0), -1.0), 1.0)
        power = rho[j] * rho[j] if rho[j] > lowest else math.inf
        power *= power
        power *= power
        power *= power
        power *= power
        power *= power  # rho^64, at least as large as what a term of order 96 has
        left[0, j] = max(one[order] * two[order, j], one[order + 1] * two[order + 1, j]) * power
        power *= power
        left[1, j] = (
            max(one[order + 2] * two[order + 2, j], one[order + 3] * two[order + 3, j]) * power
        )
        power *= power
        left[2, j] = (
            max(one[order + 4] * two[order + 4, j], one[order + 5] * two[order + 5, j]) * power
        )
        open1 += not left[0, j] <= _ENOUGH
        open2 += not left[1, j] <= _ENOUGH
        open4 += not left[2, j] <= _ENOUGH
    tier = 0 if 16 * open1 <= n else (1 if 16 * open2 <= n else 2)
    if tier < 2 or open4 < n:
        used = order // 4 * (1, 2, 4)[tier]
        hermite_sums(one[:used], two[:used], rho, value, slope)
    for j in range(n):
        if left[tier, j] <= _ENOUGH:
            slope[j] /= math.sqrt(a * others[j])
        else:
            value[j], slope[j] = pair(a, others[j], c[j], det[j], delta[j], sigma[j])
