"""Hermite sums with all of their first derivatives, for gradients."""

from __future__ import annotations

import numpy as np

from numerics.compiled import njit

__all__ = ["sums"]

_TINY = 1e-100
_LITTLE = 1e-19
"""Of what is left of a sum, relative to its terms at correlation 1."""


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sums(
    a: np.ndarray, steep: np.ndarray, rho: np.ndarray, first: int, step: int, out: np.ndarray
) -> None:
    """Fill out of shape (5, n, n) for coefficients a and d a/d log k of shape (terms, n).

    With b those of the second input: sums of a b rho^m, m a b rho^(m-1), m (m-1) a b rho^(m-2), a' b
    rho^m, m a' b rho^(m-1). A term goes through a row of pairs at a time.
    """
    terms, n = a.shape
    total = np.empty((7, n))
    powers = np.empty((4, n))  # rho^m, rho^(m-1) and rho^(m-2), 0 where m is too small; rho^step
    for i in range(n):
        v, w, z, p, q, s, t = (
            total[0], total[1], total[2], total[3], total[4], total[5], total[6],
        )  # fmt: skip
        here, below, lower, ratio = powers[0], powers[1], powers[2], powers[3]
        total[:, i:] = 0.0
        stop, most = n, 0.0
        for j in range(i + 1, n):
            most = max(most, abs(rho[i, j]))
        for j in range(i, n):
            ratio[j] = rho[i, j] if step == 1 else rho[i, j] * rho[i, j]
        for k in range(terms):
            m = first + step * k
            if m > 2 and most ** (m - 2) * m * m < _LITTLE:
                stop = i + 1  # the others' terms have fallen; the diagonal's do not
            if m - step < 2:
                for j in range(i, stop):
                    r = rho[i, j]
                    here[j] = r**m
                    below[j] = r ** (m - 1) if m > 0 else 0.0
                    lower[j] = r ** (m - 2) if m > 1 else 0.0
            else:
                for j in range(i, stop):
                    # what is below the range of doubles takes a hundred times as long
                    more = ratio[j] if abs(here[j]) > _TINY else 0.0
                    here[j] *= more
                    below[j] *= more
                    lower[j] *= more
            one, bend = a[k, i], steep[k, i]
            others, bends = a[k], steep[k]
            for j in range(i, stop):
                x, y, u = one * others[j], bend * others[j], one * bends[j]
                v[j] += x * here[j]
                w[j] += m * x * below[j]
                z[j] += m * (m - 1.0) * x * lower[j]
                p[j] += y * here[j]
                q[j] += m * y * below[j]
                s[j] += u * here[j]
                t[j] += m * u * below[j]
        for j in range(i, n):
            for c in range(3):
                out[c, i, j] = out[c, j, i] = total[c, j]
            out[3, i, j], out[3, j, i] = p[j], s[j]
            out[4, i, j], out[4, j, i] = q[j], t[j]
