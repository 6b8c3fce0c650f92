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

_ROOT = 0.3989422804014327
_LEGENDRE = np.array([3, 6, 12])
_LENGTHS = np.array([0.005, 0.1])
"""Lengths of panels, over those on which phi is smooth, that the first rules are exact for to 1e-17."""
_X = np.zeros((3, 12))
_W = np.zeros((3, 12))
for _rule, _count in enumerate(_LEGENDRE):
    _X[_rule, :_count], _W[_rule, :_count] = np.polynomial.legendre.leggauss(_count)
_FULL = 12
_HERMITE = np.array([3, 5, 7, 9, 12, 16])
_RATIOS = np.array([1e-3, 1e-2, 0.03, 0.05, 0.08])
"""Largest s over half of a panel's length that each rule is exact for to 1e-17."""
_Z = np.zeros((6, 16))
_V = np.zeros((6, 16))
for _rule, _count in enumerate(_HERMITE):
    _z, _v = np.polynomial.hermite_e.hermegauss(_count)
    _Z[_rule, :_count], _V[_rule, :_count] = _z, _v / _v.sum()
_STRIP = 1.7
"""How far from the axis phi goes on, over half of a panel's length: 16 Legendre terms resolve it to 1e-10."""
_SMALL = 46.0
"""-log of 1e-20: entire functions may grow by a factor of some hundreds on their way there."""
_DEARER = 6
"""How much more a node costs whose values are not known."""
_MOST = 8192
"""Nodes that are evaluated at a time, or as many as one outer node may need."""


@numba.njit(error_model="numpy")
def reach_of(edges: np.ndarray, k: float) -> float:
    """How far out a normal variable of variance k has to be followed."""
    place = int(min(max(2.0 * math.log2(k) + 80.0, 0.0), edges.shape[0] - 1.0))
    return edges[place] * math.sqrt(k)


@numba.njit(error_model="numpy")
def room(features: np.ndarray) -> int:
    """How many nodes to have room for: a panel to each end, and one to each 1.5 of 18 s."""
    return max(_MOST, _FULL * (features.shape[0] + 14))


@numba.njit(error_model="numpy")
def length_at(ends: np.ndarray, x: float) -> float:
    """Half of the length of the panel around x; beyond all features, of the distance to 0."""
    here = np.searchsorted(ends, x)
    if 0 < here < ends.shape[0]:
        return 0.5 * (ends[here] - ends[here - 1])
    return 0.5 * abs(x) if ends.shape[0] > 0 else math.inf


@numba.njit(error_model="numpy")
def inner_nodes(
    own: Any, m: float, s: float, known: bool, start: int, x: np.ndarray, weight: np.ndarray
) -> int:
    """Append nodes and weights of the normal distribution around m; return how many there are now, or -1.

    None are appended where those of `grid`, whose values are ``known``, cost less.

    Where phi is smooth all over the interval, the narrowest panel says how far from the axis it goes on:
    Gauss and Hermite's rule, or the trapezoid rule, whose step h leaves out exp(a^2/2 - 2 pi a/h) on the line
    Im w = a, or exp(-2 pi^2/h^2) where nothing is in the way. Elsewhere panels end at the features.
    """
    places, ends = own[1], own[3]
    if s == 0.0:
        x[start], weight[start] = m, 1.0
        return start + 1
    low, high = m - 9.0 * s, m + 9.0 * s
    here, last = np.searchsorted(ends, low), np.searchsorted(ends, high)
    width, panels = length_at(ends, m), 0
    for n in range(here, last + 1):
        left = max(low, ends[n - 1]) if n > here else low
        right = ends[n] if n < last else high
        width = min(width, length_at(ends, 0.5 * (left + right)))
        panels += max(1, math.ceil((right - left) / (1.5 * s)))
    if np.searchsorted(places, low) == np.searchsorted(places, high, side="right"):
        rule = np.searchsorted(_RATIOS, s / width if width > 0.0 else 1.0)
        if rule < _RATIOS.shape[0]:
            for n in range(_HERMITE[rule]):
                x[start] = m + s * _Z[rule, n]
                weight[start] = _V[rule, n]
                start += 1
            return start
        a = min(_STRIP * width / s, math.sqrt(2.0 * _SMALL))
        step = 2.0 * math.pi * a / (_SMALL + 0.5 * a * a)
        most = math.ceil(9.0 / step)
        if 2 * most + 1 < _FULL * panels // (_DEARER if known else 1):
            if start + 2 * most + 1 > x.shape[0]:
                return -1
            for n in range(-most, most + 1):
                w = n * step
                x[start] = m + s * w
                weight[start] = step * _ROOT * math.exp(-0.5 * w * w)
                start += 1
            return start
    if known:
        return start
    left = low
    while left < high:
        right = ends[here] if here < last else high
        here += 1
        parts = max(1, math.ceil((right - left) / (1.5 * s)))
        half = 0.5 * (right - left) / parts
        for part in range(parts):
            middle = left + (2 * part + 1) * half
            if start + _FULL > x.shape[0]:
                return -1
            for n in range(_FULL):
                v = middle + half * _X[2, n]
                w = (v - m) / s
                x[start] = v
                weight[start] = half / s * _W[2, n] * _ROOT * math.exp(-0.5 * w * w)
                start += 1
        left = right
    return start


@numba.njit(error_model="numpy")
def grid(ends: np.ndarray, reach: float, s: float, x: np.ndarray, weight: np.ndarray) -> int:
    """Nodes and weights within the reach, for all normal distributions of variance s^2 there; or none."""
    first, last = np.searchsorted(ends, -reach), np.searchsorted(ends, reach)
    left, count = -reach, 0
    for n in range(first, last + 1):
        right = ends[n] if n < last else reach
        parts = max(1.0, math.ceil((right - left) / (1.5 * s))) if s > 0.0 else math.inf
        if not count + _FULL * parts <= x.shape[0]:
            return 0
        half = 0.5 * (right - left) / parts
        for part in range(int(parts)):
            for i in range(_FULL):
                x[count] = left + (2 * part + 1) * half + half * _X[2, i]
                weight[count] = half * _W[2, i] * (_ROOT / s)
                count += 1
        left = right
    return count


@numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})
def on_grid(x: np.ndarray, f: np.ndarray, g: np.ndarray, m: float, s: float) -> tuple[float, float]:
    """Averages of two functions, whose values have the grid's weights, over a normal distribution."""
    first, last = np.searchsorted(x, m - 9.0 * s), np.searchsorted(x, m + 9.0 * s)
    d, t, scale = 0.0, 0.0, 1.0 / s
    for j in range(first, last):
        w = (x[j] - m) * scale
        density = math.exp(-0.5 * w * w)
        d += density * f[j]
        t += density * g[j]
    return d, t


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
    u, fu, gu = np.empty(_FULL), np.empty(_FULL), np.empty(_FULL)
    known, known_weight = np.empty(_MOST), np.empty(_MOST)
    known_f, known_g = np.empty(_MOST), np.empty(_MOST)
    size = grid(own[3], abs(beta) * ends[-1] + 9.0 * s, s, known, known_weight)
    if size:
        functions(known.ctypes, known_f.ctypes, known_g.ctypes, size)
        known_f[:size] *= known_weight[:size]
        known_g[:size] *= known_weight[:size]
    known = known[:size]
    blurred = s / abs(beta) if beta != 0.0 and own[1].shape[0] > 0 else math.inf
    # thousands of panels, of which each loses a rounding: what additions lose is kept
    value, slope, value_lost, slope_lost = 0.0, 0.0, 0.0, 0.0
    for e in range(ends.shape[0] - 1):
        more_value, more_slope = 0.0, 0.0
        half = 0.5 * (ends[e + 1] - ends[e])
        middle = 0.5 * (ends[e] + ends[e + 1])
        if not half > 1e-17 * abs(middle):
            continue
        # panels between what u and v see of the same feature are short
        smooth = min(length_at(own[3], middle), 0.5 * root, blurred)
        if beta != 0.0:
            smooth = min(smooth, length_at(own[3], beta * middle) / abs(beta))
        rule = np.searchsorted(_LENGTHS, half / smooth)
        count = _LEGENDRE[rule]
        for n in range(count):
            u[n] = middle + half * _X[rule, n]
        functions(u.ctypes, fu.ctypes, gu.ctypes, count)
        n = 0
        while n < count:
            # as many outer nodes as there is room for
            first, stop = n, 0
            marks = np.empty(count + 1, dtype=np.int64)
            marks[n] = 0
            while n < count:
                after = (
                    inner_nodes(own, beta * u[n], s, size > 0, stop, x, weight)
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
                if marks[i] == marks[i + 1]:
                    d, t = on_grid(known, known_f, known_g, beta * u[i], s)
                for j in range(marks[i], marks[i + 1]):
                    d += weight[j] * f[j]
                    t += weight[j] * g[j]
                z = u[i] / root
                w = half * _W[rule, i] * math.exp(-0.5 * z * z)
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
    stop = inner_nodes(own, m, s, False, 0, x, weight)
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
            if det <= 0.0:  # both jumps at once, or never
                same = a * a * k22 == b * b * k11 and a * b * k12 >= 0.0
                total += math.inf if same and height * heights[m] != 0.0 else 0.0
                continue
            form = (k22 * a * a - 2.0 * k12 * a * b + k11 * b * b) / det
            if a == b:  # without cancellation
                form = a * a * (k11 + k22 - 2.0 * k12) / det
            total += height * heights[m] * math.exp(-0.5 * form) / (2.0 * math.pi * math.sqrt(det))
    return total
