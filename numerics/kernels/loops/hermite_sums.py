"""Hermite sums with all of their first derivatives, for gradients."""

from __future__ import annotations

import numpy as np

from numerics.compiled import njit

__all__ = ["sums"]


@njit(nogil=True)
def sums(
    a: np.ndarray, steep: np.ndarray, rho: np.ndarray, first: int, step: int, out: np.ndarray
) -> None:
    """Fill out of shape (5, n, n) for coefficients a and d a/d log k of shape (terms, n).

    With b those of the second input: sums of a b rho^m, m a b rho^(m-1), m (m-1) a b rho^(m-2), a' b
    rho^m, m a' b rho^(m-1).
    """
    terms, n = a.shape
    for i in range(n):
        for j in range(i, n):
            r = rho[i, j]
            v = w = z = p = q = s = t = 0.0
            here, below, lower = 1.0, 0.0, 0.0  # r^m, r^(m-1) and r^(m-2), for m >= 0, 1 and 2
            m = 0
            for k in range(terms):
                while m < first + step * k:
                    lower, below, here = below, here, here * r
                    m += 1
                x, y, u = a[k, i] * a[k, j], steep[k, i] * a[k, j], a[k, i] * steep[k, j]
                v += x * here
                w += m * x * below
                z += m * (m - 1.0) * x * lower
                p += y * here
                q += m * y * below
                s += u * here
                t += m * u * below
            out[0, i, j] = out[0, j, i] = v
            out[1, i, j] = out[1, j, i] = w
            out[2, i, j] = out[2, j, i] = z
            out[3, i, j], out[3, j, i] = p, s
            out[4, i, j], out[4, j, i] = q, t
