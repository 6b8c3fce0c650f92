"""Hermite sums with all of their first derivatives, for gradients."""

from __future__ import annotations

import numpy as np

from numerics.compiled import njit

__all__ = ["sums"]

_TINY = 1e-100
_SHARE = 4
"""Of the pairs of a row, those whose terms have not fallen: below a part this small they go on alone."""


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _term(
    m: float, one: float, bend: float, others: np.ndarray, bends: np.ndarray, n: int, power: np.ndarray,
    ratio: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    """Add a term to the sums of n pairs whose power of the correlation is m - 2."""
    v, w, z, p, q, s, t = (
        total[0], total[1], total[2], total[3], total[4], total[5], total[6],
    )  # fmt: skip
    for j in range(n):
        h = power[j]
        x, u = one * h, bend * h
        y = u * others[j]
        u = x * bends[j]
        x *= others[j]
        v[j] += x
        w[j] += m * x
        z[j] += m * (m - 1.0) * x
        p[j] += y
        q[j] += m * y
        s[j] += u
        t[j] += m * u
        # what is below the range of doubles takes a hundred times as long
        power[j] = h * ratio[j] if abs(h) > _TINY else 0.0


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sums(
    a: np.ndarray,
    steep: np.ndarray,
    rho: np.ndarray,
    first: int,
    step: int,
    little: float,
    out: np.ndarray,
) -> None:
    """Fill out of shape (5, n, n) for coefficients a and d a/d log k of shape (terms, n).

    With b those of the second input: sums of a b rho^m, m a b rho^(m-1), m (m-1) a b rho^(m-2), a' b
    rho^m, m a' b rho^(m-1), without terms whose rho^(m-2) m^2 is below ``little``. A term goes through a row
    of pairs at a time; through those alone whose terms have not fallen, once these are few.
    """
    terms, n = a.shape
    total, kept = np.empty((7, n)), np.empty((7, n))
    power, ratio = np.empty(n), np.empty(n)
    others, bends = np.empty(n), np.empty(n)
    places = np.empty(n, dtype=np.int64)
    for i in range(n):
        live = n - i
        total[:, :live] = 0.0
        for j in range(live):
            r = rho[i, i + j]
            places[j] = j
            ratio[j] = r if step == 1 else r * r
        begun, alone = False, False
        for k in range(terms):
            m = first + step * k
            if m < 2:
                continue
            if not begun:
                begun = True
                for j in range(live):
                    power[j] = rho[i, i + j] ** (m - 2)
            if k % 4 == 0:
                left = 0
                for j in range(live):
                    left += abs(power[j]) * m * m >= little
                if left == 0:
                    break
                if _SHARE * left <= live:
                    alone = True
                    if live == n - i:
                        kept[:, :live] = total[:, :live]
                    else:
                        for j in range(live):
                            kept[:, places[j]] = total[:, j]
                    left = 0
                    for j in range(live):
                        if abs(power[j]) * m * m >= little:
                            places[left], power[left], ratio[left] = places[j], power[j], ratio[j]
                            for c in range(7):
                                total[c, left] = total[c, j]
                            left += 1
                    live = left
            if alone:
                for j in range(live):
                    others[j], bends[j] = a[k, i + places[j]], steep[k, i + places[j]]
                _term(m, a[k, i], steep[k, i], others, bends, live, power, ratio, total)
            else:
                _term(m, a[k, i], steep[k, i], a[k, i:], steep[k, i:], live, power, ratio, total)
        if alone:
            for j in range(live):
                for c in range(7):
                    kept[c, places[j]] = total[c, j]
        elif live == n - i:
            kept[:, :live] = total[:, :live]
        for j in range(i, n):
            r = rho[i, j]
            v, w, z, p, q, s, t = (
                kept[0, j - i], kept[1, j - i], kept[2, j - i], kept[3, j - i], kept[4, j - i],
                kept[5, j - i], kept[6, j - i],
            )  # fmt: skip
            v, p, s = v * r * r, p * r * r, s * r * r
            w, q, t = w * r, q * r, t * r
            for k in range(min(terms, 2)):
                m = first + step * k
                if m < 2:
                    x, y, u = a[k, i] * a[k, j], steep[k, i] * a[k, j], a[k, i] * steep[k, j]
                    h = r if m == 1 else 1.0
                    v, p, s = v + x * h, p + y * h, s + u * h
                    w, q, t = w + m * x, q + m * y, t + m * u
            out[0, i, j] = out[0, j, i] = v
            out[1, i, j] = out[1, j, i] = w
            out[2, i, j] = out[2, j, i] = z
            out[3, i, j], out[3, j, i] = p, s
            out[4, i, j], out[4, j, i] = q, t
