"""Fixed points of equilibrium models, pair by pair given the diagonal; any activation.

The unknown is p12 = sigma_w^2 D(k11, s12 + p12, k22), so that nothing is lost where S is much larger.
The map takes [-r, r], r = sqrt(p11 p22), into itself (Cauchy-Schwarz) and contracts with
q = sigma_w^2 sqrt(E phi'(u)^2 E phi'(v)^2). Newton's iteration is kept inside; where it has not
converged in some steps the plain iteration, which cannot fail, takes over.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .kernel_primitives import distance

# pasted code above defines these
from .kernel_loops_smooth import geometry  # isort: skip
from .kernel_stub import USES_SERIES, curvature, diagonal_slope, pair, rows  # isort: skip

_FAST_DEQ = {"contract", "nsz", "nnan"}


@numba.njit(error_model="numpy", cache=True)
def solve_diagonal(
    s: np.ndarray, w2: float, k: np.ndarray, p: np.ndarray, rate: np.ndarray, chi: np.ndarray
) -> None:
    """Solve k = w2 D(k) + s for each input by Newton's method inside a bracket; k = inf if there is none."""
    for i in range(s.shape[0]):
        low = s[i]
        high = max(2.0 * low, 1e-300)
        found = False
        while high < 1e140:
            d, _ = pair(high, high, high, 0.0, 0.0, 4.0 * high)
            if not high - w2 * d - s[i] < 0.0:
                found = math.isfinite(d)
                break
            low = high
            high *= 2.0
        if not found:
            k[i] = math.inf
            p[i] = math.inf
            rate[i] = math.inf
            chi[i] = math.inf
            continue
        v = 0.5 * (low + high)
        for _ in range(200):
            d, dd = pair(v, v, v, 0.0, 0.0, 4.0 * v)
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
        d, dd = pair(v, v, v, 0.0, 0.0, 4.0 * v)
        k[i] = v
        p[i] = w2 * d
        rate[i] = w2 * (dd + diagonal_slope(v))
        chi[i] = w2 * dd


@numba.njit(forceinline=True, error_model="numpy", fastmath=_FAST_DEQ)
def spread(
    pa: float, po: float, sa: float, so: float, m: float, pv: float, det: float, gap: float
) -> tuple[float, float, float]:
    """Determinant of K = S + P and variances of u - v and u + v, from S's and P = sigma_w^2 D."""
    full = det + (pa * so + po * sa - 2.0 * pv * m) + (pa * po - pv * pv)
    near = gap >= 0.0
    delta = gap + (pa + po - 2.0 * pv) if near else (sa + so - 2.0 * m) + (pa + po - 2.0 * pv)
    sigma = (sa + so + 2.0 * m) + (pa + po + 2.0 * pv) if near else (pa + po + 2.0 * pv) - gap
    return max(full, 0.0), max(delta, 0.0), max(sigma, 0.0)


@numba.njit(error_model="numpy", fastmath=_FAST_DEQ)
def row_values(
    a: float,
    others: np.ndarray,
    pa: float,
    po: np.ndarray,
    sa: float,
    so: np.ndarray,
    s12: np.ndarray,
    c: np.ndarray,
    det: np.ndarray,
    gap: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    work: np.ndarray,
    d: np.ndarray,
    dd: np.ndarray,
) -> None:
    """D and D' of one input with others at p12 = c."""
    width = c.shape[0]
    if USES_SERIES:
        for j in range(width):
            work[0, j] = s12[j] + c[j]
            work[1, j], work[2, j], work[3, j] = spread(
                pa, po[j], sa, so[j], s12[j], c[j], det[j], gap[j]
            )
        rows(a, others, work[0], work[1], work[2], work[3], one, two, d, dd)
    else:
        for j in range(width):
            full, delta, sigma = spread(pa, po[j], sa, so[j], s12[j], c[j], det[j], gap[j])
            d[j], dd[j] = pair(a, others[j], s12[j] + c[j], full, delta, sigma)


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
    p1: np.ndarray,
    p2: np.ndarray,
    cov: np.ndarray,
    ntk: np.ndarray,
    fixed: np.ndarray,
    doubtful: np.ndarray,
    series1: np.ndarray,
    series2: np.ndarray,
) -> float:
    """Solve all pairs of all tiles; return the largest residual relative to r.

    ``doubtful``, if it has rows, is where pairs are noted whose NTK moves by a fraction above 3e-14 with
    the last digit of p12.
    """
    worst = 0.0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        s12 = np.empty(width)
        det = np.empty(width)
        gap = np.empty(width)
        c = np.empty(width)
        d = np.empty(width)
        dd = np.empty(width)
        zeros = np.zeros(width)
        work = np.empty((4, width))
        one, two = np.empty(0), np.empty((0, 0))
        for i in range(i0, i1):
            geometry(x[i], z[i], xt, zt, j0, j1, s1[i], s2, scale, b2, s12, det, gap)
            a, sa = k1[i], s1[i]
            kj = k2[j0:j1]
            sj = s2[j0:j1]
            pa = p1[i]
            pj = p2[j0:j1]
            if USES_SERIES:
                one, two = series1[:, i].copy(), series2[:, j0:j1]
            for j in range(width):
                ss = math.sqrt(sa * sj[j])
                c[j] = math.sqrt(pa * pj[j]) * (s12[j] / (ss if ss > 0.0 else 1.0))
            last = 1.0
            for trial in range(400):
                newton = w2 if trial < 20 else 0.0
                done = last < 1e-6  # the next step is the last: its error is quadratic
                row_values(a, kj, pa, pj, sa, sj, s12, c, det, gap, one, two, work, d, dd)
                for j in range(width):
                    v = c[j]
                    r = math.sqrt(pa * pj[j])
                    new = v + (w2 * d[j] - v) / (1.0 - newton * (dd[j] if r > 0.0 else 0.0))
                    new = min(max(new, -r), r)
                    d[j] = new
                    dd[j] = (new - v) / (r if r > 0.0 else 1.0)
                last = distance(dd, zeros)
                c, d = d, c
                if done:
                    break
            row_values(a, kj, pa, pj, sa, sj, s12, c, det, gap, one, two, work, d, dd)
            if doubtful.shape[0] > 0:
                for j in range(width):
                    full, delta, sigma = spread(pa, pj[j], sa, sj[j], s12[j], c[j], det[j], gap[j])
                    bend = curvature(a, kj[j], s12[j] + c[j], full, delta, sigma)
                    rest = 1.0 - w2 * dd[j]
                    moved = (
                        3.4e-16 * math.sqrt(pa * pj[j]) * abs(bend) / rest
                    )  # of D', times that of p12
                    least = 0.01 * math.sqrt(a * kj[j])
                    size = max(abs(rest * d[j] + dd[j] * (s12[j] + c[j])), least * dd[j])
                    share = moved * max(abs(s12[j] + c[j]), least) / (rest * max(size, 1e-300))
                    if not share <= 3e-14:
                        known = doubtful[i, j0 + j]
                        doubtful[i, j0 + j] = max(known, share) if share < 1.0 else 1.0
            for j in range(width):
                r = math.sqrt(a * kj[j])
                det[j] = (w2 * d[j] - c[j]) / (r if r > 0.0 else 1.0)
            worst = max(worst, distance(det, zeros))
            for j in range(width):
                c[j] += s12[j]
            fixed[i, j0:j1] = c
            row = cov[i, j0:j1]
            for j in range(width):
                row[j] = v2 * d[j]
            row = ntk[i, j0:j1]
            for j in range(width):
                theta = c[j] / (1.0 - w2 * dd[j])
                row[j] = v2 * (d[j] + dd[j] * theta)
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
                    fixed[j, i] = fixed[i, j]
    return worst
