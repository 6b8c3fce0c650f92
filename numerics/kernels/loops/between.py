"""Chebyshev polynomials in the logarithms of two variances and of a gap, at many pairs of some inputs."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from numerics.compiled import njit

__all__ = ["LEAST", "PANEL", "panel_of", "polynomials", "taken"]

PANEL = 64.0
"""Gaps of correlations, their distances to an end, that one polynomial is for: their largest ratio."""
LEAST = 1e-13
"""Gaps below which roundings of correlations count."""


@numba.njit(error_model="numpy")
def panel_of(gap: float) -> int:
    """Return the number of a gap's panel."""
    return int(-math.log(gap) / math.log(PANEL))


@numba.njit(error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def taken(own: Any, one: float, two: float, c: float, det: float) -> tuple[bool, float, float]:
    """Say whether a pair is between the values of a table, and return D and the slope."""
    spans, table = own[6], own[7]
    if spans.shape[0] == 0:
        return False, 0.0, 0.0
    edge = math.sqrt(one) * math.sqrt(two)
    gap = det / (edge * (edge + abs(c)))
    if not gap > 0.0:
        return False, 0.0, 0.0
    for p in range(spans.shape[0]):
        sense, centre, width, middle, half = spans[p]
        # of quotients near 1: a logarithm's own rounding would be one of the variance
        x0, y0 = math.log(one / centre) / width, math.log(two / centre) / width
        z0 = math.log(gap / middle) / half
        if sense * c < 0.0 or abs(x0) > 1.0 or abs(y0) > 1.0 or abs(z0) > 1.0:
            continue
        m, gaps = table.shape[3:]
        t = np.empty(gaps)
        t[0] = 1.0
        if gaps > 1:
            t[1] = z0
        for g in range(2, gaps):
            t[g] = 2.0 * z0 * t[g - 1] - t[g - 2]
        value, slope = 0.0, 0.0
        before, now = 0.0, 1.0
        for i in range(m):
            last, here = 0.0, 1.0
            for j in range(m):
                d, s = 0.0, 0.0
                a, b = table[p, 0, i, j], table[p, 1, i, j]
                for g in range(gaps):
                    d += a[g] * t[g]
                    s += b[g] * t[g]
                value += now * here * d
                slope += now * here * s
                last, here = here, (2.0 * y0 * here - last if j else y0)
            before, now = now, (2.0 * x0 * now - before if i else x0)
        return True, value, slope
    return False, 0.0, 0.0


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _folded(
    table: np.ndarray, basis: np.ndarray, i: int, made: np.ndarray, at: int, part: int
) -> None:
    """Fold a table over its first variance, at input i, into columns of what is left."""
    m, gaps = table.shape[1], table.shape[3]
    for j in range(m):
        row = made[j, at : at + gaps]
        row[:] = 0.0
        for k in range(m):
            weight = basis[i, k]
            line = table[part, k, j]
            for g in range(gaps):
                row[g] += weight * line[g]


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def polynomials(
    table: np.ndarray,
    basis: np.ndarray,
    steep: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    gap: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill D, the slope, and derivatives of D in both logarithms; in seven parts also those of the slope.

    Parameters
    ----------
    table : ndarray, shape (2, m, m, gaps)
        Coefficients of D and of the slope, in the two variances and the gap.
    basis, steep : ndarray, shape (n, m)
        Polynomials at the inputs' variances, and their derivatives.
    rows, columns : ndarray, shape (pairs,)
        Of the inputs; fastest where those of a row stand together.
    gap : ndarray, shape (pairs,)
        Places on [-1, 1].
    out : ndarray, shape (4, pairs) or (7, pairs)
        The last one is the derivative of the slope in the place of the gap.
    """
    m, gaps = table.shape[2:]
    slopes = out.shape[0] == 7
    parts = 4 if slopes else 3
    width, moved = parts * gaps, (2 if slopes else 1) * gaps
    # of D, the derivative of D, the slope, the derivative of the slope: those in the first variance
    folded = np.empty((m, 4 * gaps))
    seen, turned = np.empty(width), np.empty(2 * gaps)
    t, u = np.empty(gaps), np.zeros(gaps)
    before = -1
    for p in range(rows.shape[0]):
        i, b = rows[p], columns[p]
        if i != before:
            before = i
            _folded(table, basis, i, folded, 0, 0)
            _folded(table, basis, i, folded, gaps, 1)
            _folded(table, steep, i, folded, 2 * gaps, 0)
            if slopes:
                _folded(table, steep, i, folded, 3 * gaps, 1)
        seen[:] = 0.0
        turned[:] = 0.0
        for j in range(m):
            weight, bent, line = basis[b, j], steep[b, j], folded[j]
            for c in range(width):
                seen[c] += weight * line[c]
            for c in range(moved):
                turned[c] += bent * line[c]
        x = gap[p]
        t[0] = 1.0
        if gaps > 1:
            t[1], u[1] = x, 1.0
        for g in range(2, gaps):
            t[g] = 2.0 * x * t[g - 1] - t[g - 2]
            u[g] = 2.0 * t[g - 1] + 2.0 * x * u[g - 1] - u[g - 2]
        value, slope, one, two, slope_one, slope_two, along = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for g in range(gaps):
            value += t[g] * seen[g]
            slope += t[g] * seen[gaps + g]
            one += t[g] * seen[2 * gaps + g]
            two += t[g] * turned[g]
        out[0, p], out[1, p], out[2, p], out[3, p] = value, slope, one, two
        if slopes:
            for g in range(gaps):
                slope_one += t[g] * seen[3 * gaps + g]
                slope_two += t[g] * turned[gaps + g]
                along += u[g] * seen[gaps + g]
            out[4, p], out[5, p], out[6, p] = slope_one, slope_two, along
