"""Hermite coefficients in twice the precision of doubles, so that none of their digits is in doubt.

A number is a pair (high, low) of doubles. Sums and products are those of Dekker and Knuth with the fused
multiply-add; relative errors are below 2^-100.
"""

from __future__ import annotations

import math

import numpy as np

from numerics.compiled import njit

from .primitives import fma

__all__ = ["interpolate", "moments"]

_LN2 = (0.6931471805599453, 2.3190468138462996e-17)
_ROOT = (0.3989422804014327, -2.492327202777048e-17)  # 1/sqrt(2 pi)


@njit(inline="always")
def _sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@njit(inline="always")
def _add(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    s, e = _sum(a[0], b[0])
    t, f = _sum(a[1], b[1])
    s, e = _sum(s, e + t)
    return _sum(s, e + f)


@njit(inline="always")
def _mul(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    p = a[0] * b[0]
    e = fma(a[0], b[0], -p)  # pyright: ignore[reportCallIssue] - numba supplies the context
    return _sum(p, e + (a[0] * b[1] + a[1] * b[0]))


@njit
def _exp(a: tuple[float, float]) -> tuple[float, float]:
    """Exp of a number in [-700, 700]: argument reduction by log 2 and 2^-9, Taylor, squaring."""
    n = math.floor(a[0] / _LN2[0] + 0.5)
    r = _add(a, _mul((-n, 0.0), _LN2))
    r = (r[0] / 512.0, r[1] / 512.0)
    term, total = r, _add((1.0, 0.0), r)
    for j in range(2, 9):
        term = _mul(term, r)
        q = term[0] / j
        rest = fma(-q, float(j), term[0]) + term[1]  # pyright: ignore[reportCallIssue]
        term = _sum(q, rest / j)
        total = _add(total, term)
    for _ in range(9):
        total = _mul(total, total)
    return math.ldexp(total[0], int(n)), math.ldexp(total[1], int(n))


_LANES = 64
"""Nodes that go through Hermite's recursion together: as vectors, and none waits for another."""


@njit
def _weigh(
    x: np.ndarray, weight: np.ndarray, f: np.ndarray, j: int, inverse: tuple[float, float], sums: np.ndarray
) -> tuple[tuple[float, float], tuple[float, float]]:  # fmt: skip
    """Return z and w phi at a node, and add to the second moments what it brings."""
    z = _mul((x[0, j], x[1, j]), inverse)
    half = _mul(z, z)
    if half[0] > 1200.0:
        return (0.0, 0.0), (0.0, 0.0)
    density = _mul(_exp((-0.5 * half[0], -0.5 * half[1])), _mul(_ROOT, inverse))
    w = _mul(density, (weight[0, j], weight[1, j]))
    for k in range(5):
        i = k if k < 3 else k - 2
        own = (f[i, 0, j], f[i, 1, j])
        if k > 2:
            own = _mul(own, (x[0, j], x[1, j]))
        s = _add((sums[0, k], sums[1, k]), _mul(w, _mul(own, own)))
        sums[0, k], sums[1, k] = s
    return z, _mul(w, (f[0, 0, j], f[0, 1, j]))


@njit(inline="always")
def _rise(
    s: np.ndarray, here: int, before: int, down: tuple[float, float], up: tuple[float, float]
) -> None:
    """Put Hermite's next function in the place of the one before: up (z here - down before)."""
    for j in range(_LANES):
        a = _mul(down, (s[before + j], s[before + _LANES + j]))
        b = _mul((s[j], s[_LANES + j]), (s[here + j], s[here + _LANES + j]))
        c = _mul(_add(b, (-a[0], -a[1])), up)
        s[before + j], s[before + _LANES + j] = c


@njit(inline="always")
def _reduce(s: np.ndarray, here: int, to: int) -> None:
    """Add all lanes, two by two, into the first of ``to``."""
    width = _LANES // 2
    for j in range(_LANES // 2):
        c = _add(
            (s[here + j], s[here + _LANES + j]), (s[here + width + j], s[here + _LANES + width + j])
        )
        s[to + j], s[to + _LANES + j] = c
    while width > 1:
        width //= 2
        for j in range(width):
            c = _add(
                (s[to + j], s[to + _LANES + j]), (s[to + width + j], s[to + _LANES + width + j])
            )
            s[to + j], s[to + _LANES + j] = c


@njit(nogil=True)
def moments(
    x: np.ndarray, weight: np.ndarray, f: np.ndarray, q: float, roots: np.ndarray, step: int, first: int,
    coefficients: np.ndarray, squares: np.ndarray,
) -> None:  # fmt: skip
    """Fill E f(u) he_n(u/q) for n = first, first + step, .. and second moments, u ~ N(0, q^2).

    ``x`` and ``weight`` (of Lebesgue's measure) have shape (2, nodes), high and low parts; ``f`` has shape
    (3, 2, nodes): phi, phi', phi''. ``roots`` of shape (2, 2, N) holds sqrt(n) and 1/sqrt(n). ``squares`` are
    E phi^2, E phi'^2, E phi''^2, E u^2 phi'^2 and E u^2 phi''^2.
    """
    count, nodes = coefficients.shape[0], x.shape[1]
    total = np.zeros((2, count))
    sums = np.zeros((2, 5))
    inverse = 1.0 / q
    inverse = _sum(inverse, inverse * fma(-q, inverse, 1.0))  # pyright: ignore[reportCallIssue]
    last = first + step * (count - 1)
    # high and low parts of z, of even and of odd orders, and of sums
    s = np.empty(8 * _LANES)
    for start in range(0, nodes, _LANES):
        s[:] = 0.0
        for j in range(min(_LANES, nodes - start)):
            # Hermite's recursion on w phi he_n, so that nothing overflows
            z, here = _weigh(x, weight, f, start + j, inverse, sums)
            s[j], s[_LANES + j] = z
            s[2 * _LANES + j], s[3 * _LANES + j] = here
        m, wanted = 0, first
        for n in range(last + 1):
            odd = n & 1 == 1
            if n == wanted:
                if odd:
                    _reduce(s, 4 * _LANES, 6 * _LANES)
                else:
                    _reduce(s, 2 * _LANES, 6 * _LANES)
                c = _add((total[0, m], total[1, m]), (s[6 * _LANES], s[7 * _LANES]))
                total[0, m], total[1, m] = c
                m += 1
                wanted += step
            down, up = (roots[0, 0, n], roots[0, 1, n]), (roots[1, 0, n + 1], roots[1, 1, n + 1])
            if odd:
                _rise(s, 4 * _LANES, 2 * _LANES, down, up)
            else:
                _rise(s, 2 * _LANES, 4 * _LANES, down, up)
    for m in range(count):
        coefficients[m] = total[0, m]
    for k in range(5):
        squares[k] = sums[0, k]


@njit(nogil=True)
def interpolate(series: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
    """Chebyshev series, shape (rows, terms), at points t; small terms are added first."""
    columns = np.ascontiguousarray(series.T)
    terms, rows = columns.shape
    total = np.empty(rows)
    values = np.empty(terms)
    for j in range(t.shape[0]):
        values[0] = 1.0
        values[1] = t[j]
        for k in range(2, terms):
            values[k] = 2.0 * t[j] * values[k - 1] - values[k - 2]
        total[:] = 0.0
        for k in range(terms - 1, -1, -1):
            v = values[k]
            row = columns[k]
            for i in range(rows):
                total[i] += v * row[i]
        out[:, j] = total
