"""Fixed points of equilibrium models, pair by pair given the diagonal; any activation.

The unknown is p12 = sigma_w^2 D(k11, s12 + p12, k22), so that nothing is lost where S is much larger.
The map takes [-r, r], r = sqrt(p11 p22), into itself (Cauchy-Schwarz) and contracts with
q = sigma_w^2 sqrt(E phi'(u)^2 E phi'(v)^2). Newton's iteration is kept inside; where it has not
converged in some steps the plain iteration, which cannot fail, takes over.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np

from .primitives import distance, mirror

# pasted code above defines these
from .smooth import at, beside, geometry, once  # isort: skip
from .state import (  # isort: skip
    Alone, Inputs, Matrices, Near, Pairs, Scales, Series, Tables,
)  # fmt: skip
from .stub import (  # isort: skip
    USES_SERIES, diagonal_slope, drift, inverse_roots, moduli, pair, remainders, row_bends, rows,
)  # fmt: skip

_FAST_DEQ = {"contract", "nsz", "nnan"}


class Single(NamedTuple):
    """One of them."""

    s: float
    k: float
    d: float


class Solved(NamedTuple):
    """D, the slope and |w2 D - p12| at the last iterate of one input with others."""

    d: np.ndarray
    slope: np.ndarray
    residual: np.ndarray


@numba.njit(error_model="numpy", cache=True)
def solve_diagonal(
    s: np.ndarray, w2: float, k: np.ndarray, own: np.ndarray, rate: np.ndarray, slope: np.ndarray
) -> None:
    """Solve k = w2 D(k) + s for each input by Newton's method inside a bracket; k = inf if there is none.

    The smallest stable one: where s = 0 and D(0) = 0 that is 0, unless small variances grow.

    ``own`` takes D(k), ``rate`` the derivative of the map, and ``slope`` E phi'(u)^2.
    """
    start, steep = once(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(s.shape[0]):
        low = s[i]
        if low == 0.0 and start == 0.0 and w2 * steep <= 1.0:
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
    pa: float, po: np.ndarray, sa: float, so: np.ndarray, given: Pairs, p: np.ndarray, out: Pairs
) -> None:
    """Fill what K = S + P has, from that of S and p12 = p; every term of the determinant is positive."""
    c, det, delta, sigma = out
    s12, s_det, s_delta, s_sigma = given
    for j in range(p.shape[0]):
        m, v = s12[j], p[j]
        c[j] = m + v
        det[j] = s_det[j] + (pa * so[j] + po[j] * sa - 2.0 * v * m) + (pa * po[j] - v * v)
        det[j] = max(det[j], 0.0)
        delta[j] = s_delta[j] + max(pa + po[j] - 2.0 * v, 0.0)
        sigma[j] = s_sigma[j] + max(pa + po[j] + 2.0 * v, 0.0)


@numba.njit(error_model="numpy", fastmath=_FAST_DEQ)
def row_values(
    a: float, others: np.ndarray, pairs: Pairs, tables: Tables, d: np.ndarray, dd: np.ndarray
) -> None:
    """D and D' of one input with others."""
    if USES_SERIES:
        rows(a, others, pairs, tables, d, dd)
    else:
        c, det, delta, sigma = pairs
        for j in range(others.shape[0]):
            d[j], dd[j] = pair(a, others[j], c[j], det[j], delta[j], sigma[j])


@numba.njit(error_model="numpy")
def bounds(
    one: Single,
    two: Alone,
    pairs: Pairs,
    tables: Tables,
    solved: Solved,
    scales: Scales,
    marks: np.ndarray,
) -> None:
    """Bounds of the errors of NNGP, NTK and fixed point of one input with others.

    The fixed point is off by what an evaluation of the map is off, over 1 - the map's rate of contraction.
    """
    a, da, sa = one.k, one.d, one.s
    others, do, so = two.k, two.d, two.s
    w2, v2, noise = scales
    c12, dets, deltas, sigmas = pairs
    _, slopes, residual = solved
    unit = 2.4e-16  # two units in the last place
    bends = np.empty(others.shape[0])
    if USES_SERIES:
        row_bends(a, others, c12, tables, bends)
    for j in range(others.shape[0]):
        c, det, delta, sigma, dd = c12[j], dets[j], deltas[j], sigmas[j], slopes[j]
        edge, size = math.sqrt(a) * math.sqrt(others[j]), math.sqrt(da) * math.sqrt(do[j])
        inner = w2 * size
        given = noise[5] * math.sqrt(sa) * math.sqrt(so[j])
        own = noise[1] * inner + residual[j] + 2.0 * unit * inner
        most = min(w2 * noise[3], 1.0)
        outside = given + noise[0] * edge
        # with the largest rate first; how D' changes within that gives the rate itself
        guess = (own + most * outside) / max(1.0 - most, 1e-300)
        shift = guess + outside
        turn = noise[4] * (math.sqrt(det) + noise[4] * edge) + guess + noise[0] * inner
        if USES_SERIES:
            near = Near(edge, c, 0.0, dd, bends[j])
            moved, turned = moduli(tables, j, near, shift, turn, noise[3], size)
        else:
            first, second = drift(a, others[j], c, det, delta, sigma)
            turned = 1.5 * abs(second) * turn
            moved = min(abs(first) + turned, 1.01 * noise[3]) * shift
            if not turn <= 0.25 * max(edge - abs(c), 0.0):
                low = at(a, others[j], max(c - shift, -edge))
                high = at(a, others[j], min(c + shift, edge))
                turned = max(abs(low[1] - dd), abs(high[1] - dd)) + min(turned, noise[2] * noise[3])
                moved = min(abs(first) + turned, 1.01 * noise[3]) * shift
        rate = min(w2 * (moved / shift if shift > 0.0 else 0.0), most)
        off = (own + rate * outside) / max(1.0 - rate, 1e-300)
        slope = turned + noise[2] * noise[3]
        if noise[7] > 0.0:
            slope += noise[3] * beside(noise, max(edge - abs(c), 0.0), edge)
        value = (rate * (off + outside) / w2 if w2 > 0.0 else moved) + (noise[1] + unit) * size
        rest = max(1.0 - w2 * dd, 1e-300)
        tangent = abs(c) / rest
        tangent_off = (off + given + unit * edge + tangent * w2 * slope) / rest + unit * tangent
        marks[:, j] = 0.0
        if size > 0.0:  # relative to the first kernel, as v2 goes along
            marks[0, j] = value / size + unit
            moved = abs(dd) * (tangent_off + unit * tangent) + tangent * slope
            marks[1, j] = marks[0, j] + moved / size
            marks[2, j] = (off + given + unit * edge) / size / v2 if v2 > 0.0 else 0.0


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST_DEQ, cache=True)
def equilibrium(
    tiles: np.ndarray,
    inputs: Inputs,
    scales: Scales,
    left: Alone,
    right: Alone,
    out: Matrices,
    series: Series,
    phi: Any,
) -> float:
    """Solve all pairs of all tiles; return the largest residual relative to r.

    A row of a tile is iterated together, until none of its pairs moves. Every iterate stays within [-r, r].
    ``phi`` is the activation itself.
    """
    w2, v2, _ = scales
    nngp, ntk, fixed = out.nngp, out.ntk, out.fixed
    worst = 0.0
    careful = out.marks.shape[1] > 0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        given = Pairs(np.empty(width), np.empty(width), np.empty(width), np.empty(width))
        at_k = Pairs(np.empty(width), np.empty(width), np.empty(width), np.empty(width))
        s12, k12 = given.c, at_k.c
        c = np.empty(width)
        d = np.empty(width)
        dd = np.empty(width)
        off = np.empty(width)
        zeros = np.zeros(width)
        own = np.empty((3, width))
        most = np.empty(64)
        inverse = np.empty(width if USES_SERIES else 0)
        if USES_SERIES:
            remainders(series.two[:, j0:j1], most)
            inverse_roots(right.k[j0:j1], inverse)
        tables = Tables(series.one[i0], series.two, j0, most, inverse, phi, -1)
        for i in range(i0, i1):
            geometry(inputs, i, j0, j1, left.s[i], right.s, given)
            a, sa = left.k[i], left.s[i]
            kj = right.k[j0:j1]
            sj = right.s[j0:j1]
            pa = w2 * left.d[i]
            pj = w2 * right.d[j0:j1]
            if USES_SERIES:
                tables = Tables(series.one[i], series.two, j0, most, inverse, phi, -1)
            for j in range(width):
                ss = math.sqrt(sa) * math.sqrt(sj[j])
                c[j] = math.sqrt(pa) * math.sqrt(pj[j]) * (s12[j] / (ss if ss > 0.0 else 1.0))
            last = 1.0
            for trial in range(400):
                newton = w2 if trial < 20 else 0.0
                done = last < 1e-6  # the next step is the last: its error is quadratic
                whole(pa, pj, sa, sj, given, c, at_k)
                row_values(a, kj, at_k, tables, d, dd)
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
            whole(pa, pj, sa, sj, given, c, at_k)
            row_values(a, kj, at_k, tables, d, dd)
            for j in range(width):
                off[j] = abs(w2 * d[j] - c[j])
            if careful:
                one, two = Single(sa, a, left.d[i]), Alone(sj, kj, right.d[j0:j1])
                bounds(one, two, at_k, tables, Solved(d, dd, off), scales, own)
                out.marks[:, i, j0:j1] = own
            for j in range(width):
                r = math.sqrt(a) * math.sqrt(kj[j])
                off[j] /= r if r > 0.0 else 1.0
            worst = max(worst, distance(off, zeros))
            for j in range(width):
                tangent = k12[j] / (1.0 - w2 * dd[j])
                fixed[i, j0 + j] = k12[j]
                nngp[i, j0 + j] = v2 * d[j]
                ntk[i, j0 + j] = v2 * (d[j] + dd[j] * tangent)
        if out.mirrored:
            mirror(out, i0, i1, j0, j1)
    return worst
