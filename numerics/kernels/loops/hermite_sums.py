"""Hermite sums with all of their first derivatives, for gradients."""

from __future__ import annotations

import numpy as np

from numerics.compiled import njit

__all__ = ["sums"]

_TINY = 1e-100
"""Powers below this are 0: what is below the range of doubles takes a hundred times as long."""
_SHARE = 8
"""Of the pairs of a row, those whose terms have not fallen: below a part this small they go one by one."""
_ROWS = 32
"""Whose transposed parts are written at a time: one by one they would cost a cache line each."""
_AT_ONCE = 4
"""Terms that are added while a pair's sums are in registers."""


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _terms(
    m: float, step: float, one: np.ndarray, bend: np.ndarray, others: np.ndarray, bends: np.ndarray,
    at: int, start: int, n: int, power: np.ndarray, ratio: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    """Add four terms to the sums of n pairs whose power of the correlation is m - 2 in the first of these."""
    a0, a1, a2, a3 = one[0], one[1], one[2], one[3]
    s0, s1, s2, s3 = bend[0], bend[1], bend[2], bend[3]
    b0, b1 = others[at, start:], others[at + 1, start:]
    b2, b3 = others[at + 2, start:], others[at + 3, start:]
    t0, t1 = bends[at, start:], bends[at + 1, start:]
    t2, t3 = bends[at + 2, start:], bends[at + 3, start:]
    n0, n1, n2, n3 = m, m + step, m + 2.0 * step, m + 3.0 * step
    c0, c1, c2, c3 = n0 * (n0 - 1.0), n1 * (n1 - 1.0), n2 * (n2 - 1.0), n3 * (n3 - 1.0)
    v, w, z, p, q, s, t = (
        total[0], total[1], total[2], total[3], total[4], total[5], total[6],
    )  # fmt: skip
    for j in range(n):
        h, r = power[j], ratio[j]
        f, g = b0[j] * h, t0[j] * h
        x, y, u = a0 * f, s0 * f, a0 * g
        d, e, c, b, o = x, n0 * x, c0 * x, n0 * y, n0 * u
        i, a = y, u
        h *= r
        f, g = b1[j] * h, t1[j] * h
        x, y, u = a1 * f, s1 * f, a1 * g
        d, e, c, b, o = d + x, e + n1 * x, c + c1 * x, b + n1 * y, o + n1 * u
        i, a = i + y, a + u
        h *= r
        f, g = b2[j] * h, t2[j] * h
        x, y, u = a2 * f, s2 * f, a2 * g
        d, e, c, b, o = d + x, e + n2 * x, c + c2 * x, b + n2 * y, o + n2 * u
        i, a = i + y, a + u
        h *= r
        f, g = b3[j] * h, t3[j] * h
        x, y, u = a3 * f, s3 * f, a3 * g
        v[j] += d + x
        w[j] += e + n3 * x
        z[j] += c + c3 * x
        p[j] += i + y
        q[j] += b + n3 * y
        s[j] += a + u
        t[j] += o + n3 * u
        h *= r
        power[j] = h if abs(h) > _TINY else 0.0


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _value_terms(
    m: float, step: float, one: np.ndarray, bend: np.ndarray, others: np.ndarray, bends: np.ndarray,
    at: int, start: int, n: int, power: np.ndarray, ratio: np.ndarray, total: np.ndarray,
) -> None:  # fmt: skip
    """Do the same for the sums of D and its derivatives alone."""
    a0, a1, a2, a3 = one[0], one[1], one[2], one[3]
    s0, s1, s2, s3 = bend[0], bend[1], bend[2], bend[3]
    b0, b1 = others[at, start:], others[at + 1, start:]
    b2, b3 = others[at + 2, start:], others[at + 3, start:]
    t0, t1 = bends[at, start:], bends[at + 1, start:]
    t2, t3 = bends[at + 2, start:], bends[at + 3, start:]
    n1, n2, n3 = m + step, m + 2.0 * step, m + 3.0 * step
    v, w, p, s = total[0], total[1], total[3], total[5]
    for j in range(n):
        h, r = power[j], ratio[j]
        f = b0[j] * h
        x = a0 * f
        d, e, i, a = x, m * x, s0 * f, a0 * t0[j] * h
        h *= r
        f = b1[j] * h
        x = a1 * f
        d, e, i, a = d + x, e + n1 * x, i + s1 * f, a + a1 * t1[j] * h
        h *= r
        f = b2[j] * h
        x = a2 * f
        d, e, i, a = d + x, e + n2 * x, i + s2 * f, a + a2 * t2[j] * h
        h *= r
        f = b3[j] * h
        x = a3 * f
        v[j] += d + x
        w[j] += e + n3 * x
        p[j] += i + s3 * f
        s[j] += a + a3 * t3[j] * h
        h *= r
        power[j] = h if abs(h) > _TINY else 0.0


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _rest(
    m: float, step: float, one: np.ndarray, bend: np.ndarray, other: np.ndarray, bends: np.ndarray,
    power: float, ratio: float, little: float, total: np.ndarray,
) -> None:  # fmt: skip
    """Add the terms of one pair to its sums until they have fallen, two at a time."""
    v, w, z, p, q, s, t = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    f, g, twice = power, power * ratio, ratio * ratio
    for k in range(0, one.shape[0] - 1, 2):
        if not abs(f) * m * m >= little:
            break
        x, y, u = one[k] * other[k] * f, bend[k] * other[k] * f, one[k] * bends[k] * f
        v, w, z, p, q, s, t = (
            v + x, w + m * x, z + m * (m - 1.0) * x, p + y, q + m * y, s + u, t + m * u
        )  # fmt: skip
        m += step
        x, y = one[k + 1] * other[k + 1] * g, bend[k + 1] * other[k + 1] * g
        u = one[k + 1] * bends[k + 1] * g
        v, w, z, p, q, s, t = (
            v + x, w + m * x, z + m * (m - 1.0) * x, p + y, q + m * y, s + u, t + m * u
        )  # fmt: skip
        m += step
        f *= twice
        g *= twice
    for c, more in enumerate((v, w, z, p, q, s, t)):
        total[c] += more


@njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sums(
    a: np.ndarray,
    steep: np.ndarray,
    rho: np.ndarray,
    skip: np.ndarray,
    shape: tuple[int, int],
    little: float,
    out: np.ndarray,
) -> None:
    """Fill out for coefficients a and d a/d log k of shape (terms, n), of the orders first, first + step, ..

    With b those of the second input: sums of a b rho^m, m a b rho^(m-1), a' b rho^m, and where out has five
    parts and not three, m a' b rho^(m-1), m (m-1) a b rho^(m-2); each of shape (n, n), without terms whose
    rho^(m-2) m^2 is below ``little``. Pairs i < j to ``skip`` have their first terms alone. Terms go through
    a row of pairs, four at a time, until few are left whose terms have not fallen.
    """
    first, step = shape
    count, n = a.shape
    low = 0  # orders 0 and 1 go apart
    while low < count and first + step * low < 2:
        low += 1
    groups = (count - low + _AT_ONCE - 1) // _AT_ONCE
    terms = low + _AT_ONCE * groups
    padded, bent = np.zeros((terms, n)), np.zeros((terms, n))
    padded[:count], bent[:count] = a, steep
    slopes = out.shape[0] == 5
    across, bent_across = np.ascontiguousarray(padded.T), np.ascontiguousarray(bent.T)
    total = np.empty((7, n))
    power, ratio = np.empty(n), np.empty(n)
    one, bend = np.empty(_AT_ONCE), np.empty(_AT_ONCE)
    below = np.empty((5, _ROWS, n))
    for i in range(n):
        live = n - i
        total[:, :live] = 0.0
        for j in range(live):
            r = rho[i, i + j]
            ratio[j] = r if step == 1 else r * r
            power[j] = 0.0 if skip[i, i + j] else 1.0
            for _ in range(first + step * low - 2):
                power[j] *= r
        for k in range(low, terms, _AT_ONCE):
            m = float(first + step * k)
            left = 0
            for j in range(live):
                left += abs(power[j]) * m * m >= little
            if _SHARE * left <= live:
                for j in range(live):
                    if left > 0 and abs(power[j]) * m * m >= little:
                        _rest(
                            m, step, across[i, k:], bent_across[i, k:], across[i + j, k:],
                            bent_across[i + j, k:], power[j], ratio[j], little, total[:, j],
                        )  # fmt: skip
                break
            for c in range(_AT_ONCE):
                one[c], bend[c] = padded[k + c, i], bent[k + c, i]
            if slopes:
                _terms(m, step, one, bend, padded, bent, k, i, live, power, ratio, total)
            else:
                _value_terms(m, step, one, bend, padded, bent, k, i, live, power, ratio, total)
        for j in range(i, n):
            r = rho[i, j]
            v, w, z, p, q, s, t = (
                total[0, j - i], total[1, j - i], total[2, j - i], total[3, j - i], total[4, j - i],
                total[5, j - i], total[6, j - i],
            )  # fmt: skip
            v, p, s = v * r * r, p * r * r, s * r * r
            w, q, t = w * r, q * r, t * r
            for k in range(low):
                m = first + step * k
                x, y, u = a[k, i] * a[k, j], steep[k, i] * a[k, j], a[k, i] * steep[k, j]
                h = r if m == 1 else 1.0
                v, p, s = v + x * h, p + y * h, s + u * h
                w, q, t = w + m * x, q + m * y, t + m * u
            out[0, i, j], out[1, i, j], out[2, i, j] = v, w, p
            below[0, i % _ROWS, j], below[1, i % _ROWS, j], below[2, i % _ROWS, j] = v, w, s
            if slopes:
                out[3, i, j], out[4, i, j] = q, z
                below[3, i % _ROWS, j], below[4, i % _ROWS, j] = t, z
        if i % _ROWS == _ROWS - 1 or i == n - 1:
            begin = i - i % _ROWS
            for c in range(out.shape[0]):
                for j in range(begin, n):
                    for row in range(begin, min(i + 1, j)):
                        out[c, j, row] = below[c, row - begin, j]
