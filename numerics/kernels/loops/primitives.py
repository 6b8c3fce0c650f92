"""Elementary functions of the kernel loops: branch-free where a compiler should make vectors of them.

This file is pasted into every generated module, so that numba's cache sees all code it depends on.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from .state import Matrices

_FLAGS = {"contract", "nsz"}

# atan(sqrt(w))/sqrt(w) on [0, 1], Chebyshev interpolation of degree 21, error 9e-19
_ATAN = (
    1.0,
    -0.3333333333333325,
    0.19999999999986157,
    -0.14285714284820428,
    0.11111111080383854,
    -0.09090908440338843,
    0.07692298432985685,
    -0.06666572806289763,
    0.05881647236717415,
    -0.05259103789485882,
    0.0474370596643217,
    -0.042828645702794474,
    0.038129809754225044,
    -0.03264116292977077,
    0.0259471057039563,
    -0.018386836817918875,
    0.011122014669752633,
    -0.005484778971809356,
    0.002090633535263676,
    -0.0005727925781292097,
    9.978410811953032e-05,
    -8.26799581733715e-06,
)


@numba.njit(forceinline=True, error_model="numpy", fastmath=_FLAGS)
def angle(y: float, x: float) -> float:
    """Return atan2(y, x) for x >= 0; 0 at the origin. Relative error below 4 units in the last place."""
    size = abs(y)
    least = min(size, x)
    most = max(size, x)
    z = least / (most if most > 0.0 else 1.0)
    w = z * z
    p = _ATAN[21]
    p = p * w + _ATAN[20]
    p = p * w + _ATAN[19]
    p = p * w + _ATAN[18]
    p = p * w + _ATAN[17]
    p = p * w + _ATAN[16]
    p = p * w + _ATAN[15]
    p = p * w + _ATAN[14]
    p = p * w + _ATAN[13]
    p = p * w + _ATAN[12]
    p = p * w + _ATAN[11]
    p = p * w + _ATAN[10]
    p = p * w + _ATAN[9]
    p = p * w + _ATAN[8]
    p = p * w + _ATAN[7]
    p = p * w + _ATAN[6]
    p = p * w + _ATAN[5]
    p = p * w + _ATAN[4]
    p = p * w + _ATAN[3]
    p = p * w + _ATAN[2]
    p = p * w + _ATAN[1]
    p = (p * w) * z + z
    turned = p if size <= x else (0.5 * math.pi - p)
    return turned if y >= 0.0 else -turned


@numba.njit(error_model="numpy")
def exp_difference(a: float, b: float, apart: float) -> float:
    """Return exp(a) - exp(b), where apart = a - b is known without cancellation."""
    if apart >= 0.0:
        return -math.exp(a) * math.expm1(-apart)
    return math.exp(b) * math.expm1(apart)


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a*b + c, rounded once."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    f8 = numba.types.float64
    return f8(f8, f8, f8), build


@numba.njit
def exact_dot(x: np.ndarray, y: np.ndarray) -> float:
    """Return the sum of x*y as if accumulated in twice the precision (Ogita, Rump and Oishi's Dot2)."""
    high = 0.0
    low = 0.0
    for k in range(x.shape[0]):
        p = x[k] * y[k]
        e = fma(x[k], y[k], -p)  # pyright: ignore[reportCallIssue] - numba supplies the context
        s = high + p
        z = s - high
        low += ((high - (s - z)) + (p - z)) + e
        high = s
    return high + low


@numba.njit
def parallel(x: np.ndarray, columns: np.ndarray, j: int) -> bool:
    """Whether a vector and column j of a matrix are collinear, exactly."""
    p = 0
    for k in range(x.shape[0]):
        if abs(x[k]) > abs(x[p]):
            p = k
    for k in range(x.shape[0]):
        a, b = x[k] * columns[p, j], x[p] * columns[k, j]
        # equal products have equal roundings, and then equal remainders
        if a != b or fma(x[k], columns[p, j], -a) != fma(x[p], columns[k, j], -b):  # pyright: ignore[reportCallIssue]
            return False
    return True


@numba.njit(cache=True)
def squares(x: np.ndarray) -> np.ndarray:
    """Squared lengths of rows, to the last digit."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = exact_dot(x[i], x[i])
    return out


@numba.njit(fastmath=True)
def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Euclidean distance of two vectors without NaN, which bounds every component's."""
    total = 0.0
    for j in range(a.shape[0]):
        d = a[j] - b[j]
        total += d * d
    return math.sqrt(total)


_BLOCK = 64
"""Coordinates that are summed on their own, so that long sums have few roundings in a row."""


@numba.njit(error_model="numpy")
def squared_distances(
    x: np.ndarray, columns: np.ndarray, j0: int, j1: int, out: np.ndarray
) -> None:
    """Squared distances of one vector to the columns j0..j1 of a matrix, four coordinates at a time."""
    n = j1 - j0
    part = np.empty(n)
    for j in range(n):
        out[j] = 0.0
    for begin in range(0, x.shape[0], _BLOCK):
        end = min(begin + _BLOCK, x.shape[0])
        whole = end - (end - begin) % 4
        for j in range(n):
            part[j] = 0.0
        for k in range(begin, whole, 4):
            a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
            p, q = columns[k, j0:j1], columns[k + 1, j0:j1]
            r, s = columns[k + 2, j0:j1], columns[k + 3, j0:j1]
            for j in range(n):
                e, f, g, h = a - p[j], b - q[j], c - r[j], d - s[j]
                part[j] += (e * e + f * f) + (g * g + h * h)
        for k in range(whole, end):
            a = x[k]
            p = columns[k, j0:j1]
            for j in range(n):
                e = a - p[j]
                part[j] += e * e
        for j in range(n):
            out[j] += part[j]


@numba.njit(error_model="numpy")
def products(x: np.ndarray, columns: np.ndarray, j0: int, j1: int, out: np.ndarray) -> None:
    """Scalar products of one vector with the columns j0..j1 of a matrix, four coordinates at a time."""
    n = j1 - j0
    part = np.empty(n)
    for j in range(n):
        out[j] = 0.0
    for begin in range(0, x.shape[0], _BLOCK):
        end = min(begin + _BLOCK, x.shape[0])
        whole = end - (end - begin) % 4
        for j in range(n):
            part[j] = 0.0
        for k in range(begin, whole, 4):
            a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
            p, q = columns[k, j0:j1], columns[k + 1, j0:j1]
            r, s = columns[k + 2, j0:j1], columns[k + 3, j0:j1]
            for j in range(n):
                part[j] += (a * p[j] + b * q[j]) + (c * r[j] + d * s[j])
        for k in range(whole, end):
            a = x[k]
            p = columns[k, j0:j1]
            for j in range(n):
                part[j] += a * p[j]
        for j in range(n):
            out[j] += part[j]


def sum_roundings(count: int) -> int:
    """Most roundings that a term of these sums goes through."""
    return -(-min(count, _BLOCK) // 4) + 1 + -(-count // _BLOCK) + (count % 4)


@numba.njit(error_model="numpy")
def squared_distance(x: np.ndarray, columns: np.ndarray, j: int, sense: float) -> float:
    """Squared length of x - sense * column j."""
    total = 0.0
    for k in range(x.shape[0]):
        e = x[k] - sense * columns[k, j]
        total += e * e
    return total


@numba.njit(inline="always")
def mirror(out: Matrices, i0: int, i1: int, j0: int, j1: int) -> None:
    """Copy what a tile has above the diagonal to below it."""
    nngp, ntk, fixed = out.nngp, out.ntk, out.fixed
    three = fixed.shape[0] > 0
    for j in range(max(j0, i0), j1):
        for i in range(i0, min(i1, j)):
            nngp[j, i] = nngp[i, j]
            ntk[j, i] = ntk[i, j]
            if three:
                fixed[j, i] = fixed[i, j]
