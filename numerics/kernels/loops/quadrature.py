"""D and the slope of one pair by quadrature: for nearly parallel inputs and phi without a closed dual.

The activation comes as `numerics.kernels.loops.functions.Functions.packed`. u is the outer
variable, v = beta u + s w the inner one. Panels end at the kinks of phi and where its features are,
as seen by u and by v; a kink that w blurs has panels of the blur's width around it. An inner
interval without any such end takes Gauss and Hermite, with as many nodes as the panel it lies in
asks for.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from numerics.compiled import njit

_X, _W = np.polynomial.legendre.leggauss(12)
_ROOT = 0.3989422804014327
_COUNTS = np.array([3, 5, 7, 9, 12, 16])
_RATIOS = np.array([1e-3, 1e-2, 0.03, 0.05, 0.08])
"""Largest s over half of a panel's length that each rule is exact for to 1e-17."""
_Z = np.zeros((6, 16))
_V = np.zeros((6, 16))
for _rule, _count in enumerate(_COUNTS):
    _z, _v = np.polynomial.hermite_e.hermegauss(_count)
    _Z[_rule, :_count], _V[_rule, :_count] = _z, _v / _v.sum()
_MOST = 4096
"""Nodes that are evaluated at a time, or as many as one outer node may need."""


@numba.njit(error_model="numpy")
def reach_of(edges: np.ndarray, k: float) -> float:
    """How far out a normal variable of variance k has to be followed."""
    place = int(min(max(2.0 * math.log2(k) + 80.0, 0.0), edges.shape[0] - 1.0))
    return edges[place] * math.sqrt(k)


@numba.njit(error_model="numpy")
def room(features: np.ndarray) -> int:
    """How many nodes to have room for: a panel to each end, and one to each 1.5 of 18 s."""
    return max(_MOST, _X.shape[0] * (features.shape[0] + 14))


@numba.njit(error_model="numpy")
def inner_nodes(
    ends: np.ndarray, m: float, s: float, start: int, x: np.ndarray, weight: np.ndarray
) -> int:
    """Append nodes and weights of the normal distribution around m; return how many there are now."""
    if s == 0.0:
        x[start], weight[start] = m, 1.0
        return start + 1
    low, high = m - 9.0 * s, m + 9.0 * s
    here = np.searchsorted(ends, low)
    last = np.searchsorted(ends, high)
    if here == last:
        width = math.inf
        if 0 < here < ends.shape[0]:
            width = 0.5 * (ends[here] - ends[here - 1])
        elif ends.shape[0] > 0:  # beyond all features: as far as from 0
            width = 0.5 * abs(m)
        rule = np.searchsorted(_RATIOS, s / width if width > 0.0 else 1.0)
        for n in range(_COUNTS[rule]):
            x[start] = m + s * _Z[rule, n]
            weight[start] = _V[rule, n]
            start += 1
        return start
    left = low
    while left < high:
        right = ends[here] if here < last else high
        here += 1
        parts = max(1, math.ceil((right - left) / (1.5 * s)))
        half = 0.5 * (right - left) / parts
        for part in range(parts):
            middle = left + (2 * part + 1) * half
            if start + _X.shape[0] > x.shape[0]:
                return -1
            for n in range(_X.shape[0]):
                v = middle + half * _X[n]
                w = (v - m) / s
                x[start] = v
                weight[start] = half / s * _W[n] * _ROOT * math.exp(-0.5 * w * w)
                start += 1
        left = right
    return start


@numba.njit(error_model="numpy")
def outer_ends(own: Any, reach: float, root: float, beta: float, s: float) -> np.ndarray:
    """Ends of the panels of the outer variable, increasing."""
    places, features = own[1], own[3]
    sigma = math.ceil(reach / root)
    blur = s / abs(beta) if beta != 0.0 else math.inf
    ends = np.empty(2 * sigma + 1 + 2 * features.shape[0] + 13 * places.shape[0])
    n = 0
    for j in range(-sigma, sigma + 1):
        ends[n] = j * root
        n += 1
    for e in features:
        ends[n] = e
        n += 1
    if beta != 0.0:
        for e in features:
            # what v sees of a feature, unless w blurs it beyond recognition
            ends[n] = e / beta
            n += 1
    if blur < 0.67 * root:
        for e in places:
            for j in range(-6, 7):
                ends[n] = e / beta + 1.5 * j * blur
                n += 1
    inside = np.sort(ends[:n][np.abs(ends[:n]) < reach])
    return np.concatenate((np.array([-reach]), inside, np.array([reach])))


@numba.njit(error_model="numpy")
def added(total: float, more: float, lost: float) -> tuple[float, float]:
    """Return a sum, and what it and those before have lost (Knuth)."""
    made = total + more
    rest = made - total
    return made, lost + ((total - (made - rest)) + (more - rest))


@numba.njit(error_model="numpy")
def by_quadrature(own: Any, k11: float, k22: float, k12: float, det: float) -> tuple[float, float]:
    """Return D and the slope of one pair."""
    root = math.sqrt(k11)
    beta = k12 / k11
    s = math.sqrt(det / k11)
    ends = outer_ends(own, reach_of(own[4], k11), root, beta, s)
    functions = own[5]
    most = room(own[3])
    x, weight = np.empty(most), np.empty(most)
    f, g = np.empty(most), np.empty(most)
    count = _X.shape[0]
    u, fu, gu = np.empty(count), np.empty(count), np.empty(count)
    # thousands of panels, of which each loses a rounding: what additions lose is kept
    value, slope, value_lost, slope_lost = 0.0, 0.0, 0.0, 0.0
    for e in range(ends.shape[0] - 1):
        more_value, more_slope = 0.0, 0.0
        half = 0.5 * (ends[e + 1] - ends[e])
        middle = 0.5 * (ends[e] + ends[e + 1])
        if not half > 1e-17 * abs(middle):
            continue
        for n in range(count):
            u[n] = middle + half * _X[n]
        functions(u.ctypes, fu.ctypes, gu.ctypes, count)
        n = 0
        while n < count:
            # as many outer nodes as there is room for
            first, stop = n, 0
            marks = np.empty(count + 1, dtype=np.int64)
            marks[n] = 0
            while n < count:
                after = (
                    inner_nodes(own[3], beta * u[n], s, stop, x, weight)
                    if stop + 16 <= most
                    else -1
                )
                if after < 0:
                    break
                stop = after
                n += 1
                marks[n] = stop
            if n == first:
                return math.nan, math.nan
            functions(x.ctypes, f.ctypes, g.ctypes, stop)
            for i in range(first, n):
                d, t = 0.0, 0.0
                for j in range(marks[i], marks[i + 1]):
                    d += weight[j] * f[j]
                    t += weight[j] * g[j]
                z = u[i] / root
                w = half * _W[i] * math.exp(-0.5 * z * z)
                more_value += w * fu[i] * d
                more_slope += w * gu[i] * t
        value, value_lost = added(value, more_value, value_lost)
        slope, slope_lost = added(slope, more_slope, slope_lost)
    value = (value + value_lost) * (_ROOT / root)
    slope = (slope + slope_lost) * (_ROOT / root)
    if own[0][4]:
        slope += jump_terms(own, k11, k22, k12, det)
    return value, slope


@njit(nogil=True, error_model="numpy")
def quadratures(
    own: Any, one: np.ndarray, two: np.ndarray, rho: np.ndarray, gap: np.ndarray, out: np.ndarray
) -> None:
    """Fill D and the slope, shape (2, n), at variances and correlations, ``gap`` being 1 - |rho|.

    ``own`` is the activation, see `numerics.kernels.loops.functions.Functions.packed`.
    """
    for j in range(one.shape[0]):
        edge = one[j] * two[j]
        det = edge * gap[j] * (2.0 - gap[j])
        out[0, j], out[1, j] = by_quadrature(own, one[j], two[j], rho[j] * np.sqrt(edge), det)


@numba.njit(error_model="numpy")
def mean_slope(own: Any, m: float, s: float) -> float:
    """E phi'(m + s w), almost everywhere."""
    most = room(own[3])
    x, weight = np.empty(most), np.empty(most)
    f, g = np.empty(most), np.empty(most)
    stop = inner_nodes(own[3], m, s, 0, x, weight)
    own[5](x.ctypes, f.ctypes, g.ctypes, stop)
    total = 0.0
    for j in range(stop):
        total += weight[j] * g[j]
    return total


@numba.njit(error_model="numpy")
def jump_terms(own: Any, k11: float, k22: float, k12: float, det: float) -> float:
    """What deltas of phi' add to the slope."""
    places, heights = own[1], own[2]
    total = 0.0
    for n in range(heights.shape[0]):
        a, height = places[n], heights[n]
        if height == 0.0:
            continue
        for one in (k11, k22):
            density = _ROOT / math.sqrt(one) * math.exp(-0.5 * a * a / one)
            total += height * density * mean_slope(own, k12 / one * a, math.sqrt(det / one))
        for m in range(heights.shape[0]):
            b = places[m]
            if heights[m] == 0.0:
                continue
            if det <= 0.0:
                total += (
                    math.inf if height * heights[m] != 0.0 and a * a * k22 == b * b * k11 else 0.0
                )
                continue
            form = (k22 * a * a - 2.0 * k12 * a * b + k11 * b * b) / det
            if a == b:  # without cancellation
                form = a * a * (k11 + k22 - 2.0 * k12) / det
            total += height * heights[m] * math.exp(-0.5 * form) / (2.0 * math.pi * math.sqrt(det))
    return total
