"""Fixed points of equilibrium models, pair by pair given the diagonal; any activation.

The unknown is p12 = sigma_w^2 D(k11, s12 + p12, k22), so that nothing is lost where S is much larger.
The map takes [-r, r], r = sqrt(p11 p22), into itself (Cauchy-Schwarz) and contracts with
q = sigma_w^2 sqrt(E phi'(u)^2 E phi'(v)^2). Newton's iteration is kept inside; where it has not
converged in some steps the plain iteration, which cannot fail, takes over.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .primitives import distance

# pasted code above defines these
from .smooth import at, geometry, once  # isort: skip
from .stub import (  # isort: skip
    USES_SERIES, diagonal_slope, drift, inverse_roots, moduli, pair, remainders, row_bends, rows,
)  # fmt: skip

_FAST_DEQ = {"contract", "nsz", "nnan"}


@numba.njit(error_model="numpy", cache=True)
def solve_diagonal(
    s: np.ndarray, w2: float, k: np.ndarray, own: np.ndarray, rate: np.ndarray, slope: np.ndarray
) -> None:
    """Solve k = w2 D(k) + s for each input by Newton's method inside a bracket; k = inf if there is none.

    ``own`` takes D(k), ``rate`` the derivative of the map, and ``slope`` E phi'(u)^2.
    """
    start, steep = once(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(s.shape[0]):
        low = s[i]
        if low == 0.0 and start == 0.0:
            k[i], own[i], rate[i], slope[i] = 0.0, 0.0, w2 * steep, steep
            continue
        high = max(2.0 * low, 1e-300)
        found = False
        while high < 1e140:
            d, _ = once(high, high, high, 0.0, 0.0, 4.0 * high)
            if not high - w2 * d - s[i] < 0.0:
                found = math.isfinite(d)
                break
            low = high
            high *= 2.0
        if not found:
            k[i] = math.inf
            own[i] = math.inf
            rate[i] = math.inf
            slope[i] = math.inf
            continue
        v = 0.5 * (low + high)
        for _ in range(200):
            d, dd = once(v, v, v, 0.0, 0.0, 4.0 * v)
            residual = v - w2 * d - s[i]
            if residual > 0.0:
                high = v
            else:
                low = v
            new = v - residual / (1.0 - w2 * (dd + diagonal_slope(v)))
            if not low <= new <= high:
                new = 0.5 * (low + high)
            if abs(new - v) <= 2e-16 * v:
                v = new
                break
            v = new
        d, dd = once(v, v, v, 0.0, 0.0, 4.0 * v)
        k[i] = v
        own[i] = d
        rate[i] = w2 * (dd + diagonal_slope(v))
        slope[i] = dd


@numba.njit(error_model="numpy", fastmath=_FAST_DEQ)
def whole(
    pa: float,
    po: np.ndarray,
    sa: float,
    so: np.ndarray,
    s12: np.ndarray,
    c: np.ndarray,
    parts: np.ndarray,
    out: np.ndarray,
) -> None:
    """k12, determinant and variances of u - v and u + v of K = S + P, from those of S and p12 = c."""
    for j in range(c.shape[0]):
        m, v = s12[j], c[j]
        out[0, j] = m + v
        out[1, j] = parts[0, j] + (pa * so[j] + po[j] * sa - 2.0 * v * m) + (pa * po[j] - v * v)
        out[1, j] = max(out[1, j], 0.0)
        out[2, j] = parts[1, j] + max(pa + po[j] - 2.0 * v, 0.0)
        out[3, j] = parts[2, j] + max(pa + po[j] + 2.0 * v, 0.0)


@numba.njit(error_model="numpy", fastmath=_FAST_DEQ)
def row_values(
    a: float,
    others: np.ndarray,
    at_k: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    most: np.ndarray,
    inverse: np.ndarray,
    own: Any,
    d: np.ndarray,
    dd: np.ndarray,
) -> None:
    """D and D' of one input with others."""
    if USES_SERIES:
        rows(a, others, at_k[0], at_k[1], at_k[2], at_k[3], one, two, most, inverse, own, d, dd)
    else:
        for j in range(others.shape[0]):
            d[j], dd[j] = pair(a, others[j], at_k[0, j], at_k[1, j], at_k[2, j], at_k[3, j])


@numba.njit(error_model="numpy")
def bounds(
    a: float,
    others: np.ndarray,
    da: float,
    do: np.ndarray,
    sa: float,
    so: np.ndarray,
    at_k: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    phi: Any,
    d: np.ndarray,
    dd: np.ndarray,
    residual: np.ndarray,
    w2: float,
    v2: float,
    noise: np.ndarray,
    marks: np.ndarray,
) -> None:
    """Bounds of the errors of NNGP, NTK and fixed point of one input with others; ``noise`` as in `carry`."""
    unit = 2.4e-16
    bends = np.empty(others.shape[0])
    if USES_SERIES:
        row_bends(phi[0], a, others, at_k[0], one, two, bends)
    for j in range(others.shape[0]):
        c = at_k[0, j]
        edge, size = math.sqrt(a) * math.sqrt(others[j]), math.sqrt(da) * math.sqrt(do[j])
        inner = w2 * size
        given = noise[5] * math.sqrt(sa) * math.sqrt(so[j])
        own = noise[1] * inner + residual[j] + 2.0 * unit * inner
        most = min(w2 * noise[3], 1.0)
        outside = given + noise[0] * edge
        guess = (own + most * outside) / max(1.0 - most, 1e-300)
        shift = guess + outside
        turn = noise[4] * (math.sqrt(at_k[1, j]) + noise[4] * edge) + guess + noise[0] * inner
        if USES_SERIES:
            moved, turned = moduli(
                phi, edge, c, dd[j], one, two[:, j], shift, turn, noise[3], size, bends[j]
            )
        else:
            first, second = drift(a, others[j], c, at_k[1, j], at_k[2, j], at_k[3, j])
            turned = 1.5 * abs(second) * turn
            moved = min(abs(first) + turned, 1.01 * noise[3]) * shift
            if not turn <= 0.25 * max(edge - abs(c), 0.0):
                low = at(a, others[j], max(c - shift, -edge))
                high = at(a, others[j], min(c + shift, edge))
                turned = max(abs(low[1] - dd[j]), abs(high[1] - dd[j])) + min(
                    turned, noise[2] * noise[3]
                )
                moved = min(abs(first) + turned, 1.01 * noise[3]) * shift
        rate = min(w2 * (moved / shift if shift > 0.0 else 0.0), most)
        off = (own + rate * outside) / max(1.0 - rate, 1e-300)
        slope = turned + noise[2] * noise[3]
        value = (rate * (off + outside) / w2 if w2 > 0.0 else moved) + (noise[1] + unit) * size
        rest = max(1.0 - w2 * dd[j], 1e-300)
        theta = abs(c) / rest
        off_theta = (off + given + unit * edge + theta * w2 * slope) / rest + unit * theta
        marks[:, j] = 0.0
        if size > 0.0:  # relative to the first kernel, as v2 goes along
            marks[0, j] = value / size + unit
            moved = abs(dd[j]) * (off_theta + unit * theta) + theta * slope
            marks[1, j] = marks[0, j] + moved / size
            marks[2, j] = (off + given + unit * edge) / size / v2 if v2 > 0.0 else 0.0


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST_DEQ, cache=True)
def equilibrium(
    tiles: np.ndarray,
    mirrored: bool,
    x: np.ndarray,
    z: np.ndarray,
    xt: np.ndarray,
    zt: np.ndarray,
    scale: float,
    b2: float,
    w2: float,
    v2: float,
    s1: np.ndarray,
    s2: np.ndarray,
    k1: np.ndarray,
    k2: np.ndarray,
    d1: np.ndarray,
    d2: np.ndarray,
    cov: np.ndarray,
    ntk: np.ndarray,
    fixed: np.ndarray,
    noise: np.ndarray,
    marks: np.ndarray,
    series1: np.ndarray,
    series2: np.ndarray,
    phi: Any,
) -> float:
    """Solve all pairs of all tiles; return the largest residual relative to r.

    ``marks``, of shape (3, n1, n2) or without rows, takes bounds of the errors.
    """
    worst = 0.0
    careful = marks.shape[1] > 0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        s12 = np.empty(width)
        parts = np.empty((3, width))
        at_k = np.empty((4, width))
        c = np.empty(width)
        d = np.empty(width)
        dd = np.empty(width)
        off = np.empty(width)
        zeros = np.zeros(width)
        own = np.empty((3, width))
        one, two, most = np.empty(0), np.empty((0, 0)), np.empty(64)
        inverse = np.empty(width if USES_SERIES else 0)
        if USES_SERIES:
            remainders(series2[:, j0:j1], most)
            inverse_roots(k2[j0:j1], inverse)
        for i in range(i0, i1):
            geometry(
                x[i], z[i], xt, zt, j0, j1, s1[i], s2, scale, b2, s12, parts[0], parts[1], parts[2]
            )  # fmt: skip
            a, sa = k1[i], s1[i]
            kj = k2[j0:j1]
            sj = s2[j0:j1]
            pa = w2 * d1[i]
            pj = w2 * d2[j0:j1]
            if USES_SERIES:
                one, two = series1[i], series2[:, j0:j1]
            for j in range(width):
                ss = math.sqrt(sa) * math.sqrt(sj[j])
                c[j] = math.sqrt(pa) * math.sqrt(pj[j]) * (s12[j] / (ss if ss > 0.0 else 1.0))
            last = 1.0
            for trial in range(400):
                newton = w2 if trial < 20 else 0.0
                done = last < 1e-6  # the next step is the last: its error is quadratic
                whole(pa, pj, sa, sj, s12, c, parts, at_k)
                row_values(a, kj, at_k, one, two, most, inverse, phi, d, dd)
                for j in range(width):
                    v = c[j]
                    r = math.sqrt(pa) * math.sqrt(pj[j])
                    new = v + (w2 * d[j] - v) / (1.0 - newton * (dd[j] if r > 0.0 else 0.0))
                    new = min(max(new, -r), r)
                    d[j] = new
                    dd[j] = (new - v) / (r if r > 0.0 else 1.0)
                last = distance(dd, zeros)
                c, d = d, c
                if done:
                    break
            whole(pa, pj, sa, sj, s12, c, parts, at_k)
            row_values(a, kj, at_k, one, two, most, inverse, phi, d, dd)
            for j in range(width):
                off[j] = abs(w2 * d[j] - c[j])
            if careful:
                bounds(
                    a, kj, d1[i], d2[j0:j1], sa, sj, at_k, one, two, phi, d, dd, off, w2, v2, noise, own
                )  # fmt: skip
                marks[:, i, j0:j1] = own
            for j in range(width):
                r = math.sqrt(a) * math.sqrt(kj[j])
                off[j] /= r if r > 0.0 else 1.0
            worst = max(worst, distance(off, zeros))
            for j in range(width):
                theta = at_k[0, j] / (1.0 - w2 * dd[j])
                fixed[i, j0 + j] = at_k[0, j]
                cov[i, j0 + j] = v2 * d[j]
                ntk[i, j0 + j] = v2 * (d[j] + dd[j] * theta)
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
                    fixed[j, i] = fixed[i, j]
    return worst
