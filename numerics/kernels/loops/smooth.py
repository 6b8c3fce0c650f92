"""Gram matrices of any activation: a tile of pairs at a time, covariances as state.

Generated modules paste this file behind ``pair``, which evaluates D and the tangent's slope of one pair, and
``drift``, which gives D' and the slope's derivative. Layer 1 takes the determinant and the variances of u
-+ v from the inputs themselves; later layers from k12.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np

from .primitives import exact_dot, mirror, products, squared_distance, squared_distances

# pasted code above defines these
from .state import Inputs, Layers, Matrices, Near, Pairs, Series, Tables  # isort: skip
from .stub import (  # isort: skip
    USES_DET, USES_GAP, USES_SERIES, drift, inverse_roots, moduli, needs_determinants, pair,
    remainders, row_bends, rows,
)  # fmt: skip

_FAST = {"contract", "nsz"}
_FAR = 0.25
"""Share of k11 k22 above which k11 k22 - k12^2 has lost a few units in its last place only."""


class Row(NamedTuple):
    """State of one input with others, and what a layer needs room for.

    Between layers ``pairs.c`` is k12 and ``tangent`` the tangent kernel, ``off`` and ``tangent_off`` bound
    their errors, absolutely, and the other fields are whatever the last layer left there.
    """

    pairs: Pairs
    tangent: np.ndarray
    off: np.ndarray
    tangent_off: np.ndarray
    d: np.ndarray
    slope: np.ndarray


class Step(NamedTuple):
    """A layer of one input with others: variances before and after it, sigma^2, bounds of its errors."""

    one: float
    two: np.ndarray
    next_one: float
    next_two: np.ndarray
    sw2: float
    sb2: float
    noise: np.ndarray
    first: bool
    """Whether the layer is the first, for which `geometry` has found determinants."""


@numba.njit(error_model="numpy", cache=True)
def diagonal(k: np.ndarray, ntk: np.ndarray, sw2: np.ndarray, sb2: np.ndarray) -> None:
    """Fill k and ntk, of shape (layers + 1, n), from their first rows."""
    for layer in range(sw2.shape[0]):
        for i in range(k.shape[1]):
            v = k[layer, i]
            d, dd = once(v, v, v, 0.0, 0.0, 4.0 * v)
            k[layer + 1, i] = sw2[layer] * d + sb2[layer]
            grown = sw2[layer] * dd * ntk[layer, i] if ntk[layer, i] != 0.0 else 0.0
            ntk[layer + 1, i] = k[layer + 1, i] + grown


@numba.njit(error_model="numpy")
def geometry(
    inputs: Inputs, i: int, j0: int, j1: int, ki: float, kj: np.ndarray, pairs: Pairs
) -> None:
    """Layer-1 covariances of input i with inputs j0..j1, their determinants and E (u -+ v)^2.

    Determinants come from distances of unit vectors where k11 k22 - k12^2 would cancel.
    """
    x, zi, xt, zt, scale, sb2 = (
        inputs.x[i],
        inputs.z[i],
        inputs.xt,
        inputs.zt,
        inputs.scale,
        inputs.b2,
    )
    c, det, delta, sigma = pairs
    n = j1 - j0
    products(x, xt, j0, j1, c)
    others = kj[j0:j1]
    few, near = 0, 0
    for j in range(n):
        raw = scale * c[j]
        few += raw * raw < 1e-4 * ki * others[j]
    if few:
        for j in range(n):
            raw = scale * c[j]
            if raw * raw < 1e-4 * ki * others[j]:
                c[j] = exact_dot(x, xt[:, j0 + j])
    for j in range(n):
        edge = ki * others[j]
        c[j] = scale * c[j] + sb2
        det[j] = edge - c[j] * c[j]
        near += det[j] <= _FAR * edge
        delta[j] = ki + others[j] - 2.0 * c[j]
        sigma[j] = ki + others[j] + 2.0 * c[j]
    if USES_GAP:
        distances = np.empty(n)
        squared_distances(x, xt, j0, j1, distances)
        for j in range(n):
            if c[j] >= 0.0:
                delta[j] = scale * distances[j]
            else:
                sigma[j] = scale * squared_distance(x, xt, j0 + j, -1.0) + 4.0 * sb2
    if USES_DET and near:
        if near > n // 8:
            distances = np.empty(n)
            squared_distances(zi, zt, j0, j1, distances)
        else:
            distances = np.full(n, -1.0)
        for j in range(n):
            edge = ki * others[j]
            if det[j] > _FAR * edge:
                continue
            t = 0.5 * (
                distances[j] if distances[j] >= 0.0 else squared_distance(zi, zt, j0 + j, 1.0)
            )
            if t > 1.5:
                t = 0.5 * squared_distance(zi, zt, j0 + j, -1.0)
            det[j] = edge * t * (2.0 - t)


@numba.njit(error_model="numpy", fastmath=_FAST)
def spread(a: float, others: np.ndarray, pairs: Pairs) -> None:
    """Determinants and E (u -+ v)^2 from covariances."""
    c, det, delta, sigma = pairs
    for j in range(c.shape[0]):
        o, v = others[j], c[j]
        det[j] = max(a * o - v * v, 0.0)
        delta[j] = max(a + o - 2.0 * v, 0.0)
        sigma[j] = max(a + o + 2.0 * v, 0.0)


@numba.njit(error_model="numpy", fastmath=_FAST)
def once(
    a: float, o: float, v: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """D and the slope, compiled but once."""
    return pair(a, o, v, det, delta, sigma)


@numba.njit(error_model="numpy")
def at(a: float, o: float, v: float) -> tuple[float, float]:
    """D and the slope from k12 alone."""
    return once(
        a, o, v, max(a * o - v * v, 0.0), max(a + o - 2.0 * v, 0.0), max(a + o + 2.0 * v, 0.0)
    )


@numba.njit(error_model="numpy", cache=True)
def pairwise(
    k: np.ndarray,
    t: np.ndarray,
    series: np.ndarray,
    own: Any,
    d: np.ndarray,
    slope: np.ndarray,
) -> None:
    """D and the slope at equal variances k and correlations 1 - t."""
    for j in range(k.shape[0]):
        v = k[j]
        c, det, delta, sigma = (
            v * (1.0 - t[j]),
            v * v * t[j] * (2.0 - t[j]),
            2.0 * v * t[j],
            2.0 * v * (2.0 - t[j]),
        )
        if USES_SERIES:
            most, inverse = np.empty(64), np.empty(1)
            remainders(series[:, j : j + 1], most)
            inverse_roots(k[j : j + 1], inverse)
            pairs = Pairs(np.array([c]), np.array([det]), np.array([delta]), np.array([sigma]))
            tables = Tables(series[:, j].copy(), series, j, most, inverse, own, -1)
            rows(v, k[j : j + 1], pairs, tables, d[j : j + 1], slope[j : j + 1])
        else:
            d[j], slope[j] = once(v, v, c, det, delta, sigma)


@numba.njit(error_model="numpy")
def beside(noise: np.ndarray, gap: float, edge: float) -> float:
    """How far variances that are off move the slope of a phi' with singular places, over the largest slope.

    ``noise`` ends with their relative error and with what that does to phi' itself. At constant correlation
    the logarithmic derivative of E phi'(u) phi'(v) in either variance is at most 1.5/(1 - rho), by the heat
    identity for each order.
    """
    return min(noise[7], 4.0 * noise[6] * edge / gap if gap > 0.0 else math.inf)


@numba.njit(error_model="numpy")
def carry(row: Row, tables: Tables, step: Step) -> None:
    """Advance bounds of the errors of k12 and of the tangent kernel by one layer.

    ``noise`` holds, for this layer: the error of k12 that variances and determinants stand for, relative to
    sqrt(k11 k22); that of D relative to sqrt(D D) = sqrt(k' k'); that of the slope, absolute or relative,
    whichever is larger; and the largest slope; the last two are for `beside`. Of series, D and the slope
    stay in the row. On the inputs determinants
    are known to better than k12 is. Where D' changes within the error of k12, differences take the place of
    derivatives.
    """
    a, others, next_a, next_others, sw2, sb2, noise, inputs = step
    pairs, th, ec, et, ds, dds = row
    c, det, delta, sigma = pairs
    n = others.shape[0]
    bends = np.empty(n)
    if USES_SERIES:
        rows(a, others, pairs, tables, ds, dds)
        row_bends(a, others, c, tables, bends)
    unit = 2.4e-16  # two units in the last place, for what rounds after D
    for j in range(n):
        o, v = others[j], c[j]
        edge = math.sqrt(a) * math.sqrt(o)
        size = math.sqrt(next_a) * math.sqrt(next_others[j])
        # D is evaluated this far from where it should be, and the slope, which sees determinants, so far
        shift = ec[j] + noise[0] * edge
        turn = shift
        if inputs:
            turn = noise[4] * (math.sqrt(det[j]) + noise[4] * edge)
        if USES_SERIES:
            d, t = ds[j], dds[j]
            near = Near(edge, v, d, t, bends[j])
            moved, turned = moduli(tables, j, near, shift, turn, noise[3], size / sw2)
        else:
            d, t = once(a, o, v, det[j], delta[j], sigma[j])
            first, second = drift(a, o, v, det[j], delta[j], sigma[j])
            # the slope's own change within a quarter of the distance to correlation 1 is by 1.6 at most
            moved = (abs(first) + (0.0 if inputs else 1.6 * abs(second) * shift)) * shift
            turned = (1.0 + 0.6 * (turn > 1e-6 * edge)) * abs(second) * turn
            if not (turn <= 0.25 * max(edge - abs(v), 0.0) or inputs):
                low, high = at(a, o, max(v - shift, -edge)), at(a, o, min(v + shift, edge))
                moved = max(abs(low[0] - d), abs(high[0] - d))
                moved += min(abs(first), 1.01 * noise[3]) * shift
                turned = max(abs(low[1] - t), abs(high[1] - t)) + min(turned, noise[2] * noise[3])
        new = sw2 * abs(t) * et[j] if et[j] > 0.0 else 0.0
        grown = sw2 * abs(th[j])
        if noise[7] > 0.0:
            turned += noise[3] * beside(noise, max(edge - abs(v), 0.0), edge)
        ec[j] = sw2 * moved + (noise[1] + unit) * size
        if grown > 0.0:
            new += grown * (turned + noise[2] * max(noise[3], abs(t))) + unit * grown * abs(t)
        et[j] = ec[j] + new + unit * abs(sw2 * d + sb2)


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def start(row: Row, noise: float, a: float, others: np.ndarray) -> None:
    """Tangent kernel and bounds of errors on the inputs: both kernels are k12, exact to ``noise``."""
    row.tangent[:] = row.pairs.c
    ec, et = row.off, row.tangent_off
    for j in range(others.shape[0]):
        ec[j] = noise * math.sqrt(a) * math.sqrt(others[j])
        et[j] = ec[j]


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def resume(row: Row, out: Matrices, i: int, j0: int, j1: int, a: float, others: np.ndarray) -> None:
    """Take up what `keep` has left after an earlier run."""
    row.pairs.c[:] = out.nngp[i, j0:j1]
    row.tangent[:] = out.ntk[i, j0:j1]
    ec, et, marks = row.off, row.tangent_off, out.marks
    if marks.shape[1] > 0:
        for j in range(others.shape[0]):
            size = math.sqrt(a) * math.sqrt(others[j])
            ec[j] = marks[0, i, j0 + j] * size
            et[j] = marks[1, i, j0 + j] * size


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def keep(row: Row, out: Matrices, i: int, j0: int, j1: int, a: float, others: np.ndarray) -> None:
    """Put the state into the matrices, its bounds relative to sqrt(k11 k22)."""
    out.nngp[i, j0:j1] = row.pairs.c
    out.ntk[i, j0:j1] = row.tangent
    ec, et, marks = row.off, row.tangent_off, out.marks
    if marks.shape[1] > 0:
        for j in range(others.shape[0]):
            size = math.sqrt(a) * math.sqrt(others[j])
            marks[0, i, j0 + j] = ec[j] / size if size > 0.0 else 0.0
            marks[1, i, j0 + j] = et[j] / size if size > 0.0 else 0.0


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def through(
    row: Row, tables: Tables, a: float, kj: np.ndarray, s: float, b: float, first: bool, known: bool
) -> None:
    """Advance k12 and the tangent kernel by a layer with sigma^2 = s, b; ``first`` if that is the inputs'.

    ``known`` says that a row of a series holds D and the slope already.
    """
    c, det, delta, sigma = row.pairs
    th = row.tangent
    if USES_SERIES:
        ds, dds = row.d, row.slope
        if not known:
            rows(a, kj, row.pairs, tables, ds, dds)
        for j in range(c.shape[0]):
            c[j] = s * ds[j] + b
            th[j] = c[j] + (s * dds[j] * th[j] if th[j] != 0.0 else 0.0)
    elif first:
        for j in range(c.shape[0]):
            d, dd = once(a, kj[j], c[j], det[j], delta[j], sigma[j])
            c[j] = s * d + b
            slope = s * dd * th[j] if th[j] != 0.0 else 0.0
            th[j] = c[j] + slope
    else:
        for j in range(c.shape[0]):  # vectors: pair is inlined
            o = kj[j]
            v = c[j]
            d, dd = pair(
                a,
                o,
                v,
                max(a * o - v * v, 0.0),
                max(a + o - 2.0 * v, 0.0),
                max(a + o + 2.0 * v, 0.0),
            )
            v = s * d + b
            c[j] = v
            th[j] = v + s * dd * th[j]


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST, cache=True)
def run(
    tiles: np.ndarray,
    first: bool,
    inputs: Inputs,
    layers: Layers,
    out: Matrices,
    noise: np.ndarray,
    series: Series,
    own: Any,
) -> None:
    """Advance the pairs of all tiles by the given layers, in place.

    A row of a tile goes through all layers before the next one. ``first`` says whether the layers begin with
    the inputs, else with what `keep` has left. ``noise`` has a row for each layer, see `carry`; the arrays of
    ``series`` have an entry for each. ``own`` is the activation itself.
    """
    count = layers.sw2.shape[0]
    careful = out.marks.shape[1] > 0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        pairs = Pairs(np.empty(width), np.empty(width), np.empty(width), np.empty(width))
        row = Row(
            pairs, np.empty(width), np.empty(width), np.empty(width), np.empty(width), np.empty(width)
        )  # fmt: skip
        most = np.empty((count, 64))
        inverse = np.empty((count, width if USES_SERIES else 0))
        if USES_SERIES:
            for layer in range(count):
                remainders(series.two[layer, :, j0:j1], most[layer])
                inverse_roots(layers.two[layer, j0:j1], inverse[layer])
        tables = Tables(series.one[0, i0], series.two[0], j0, most[0], inverse[0], own, -1)
        for i in range(i0, i1):
            if first:
                geometry(inputs, i, j0, j1, layers.one[0, i], layers.two[0], pairs)
                start(row, noise[0, 5], layers.one[0, i], layers.two[0, j0:j1])
            else:
                resume(row, out, i, j0, j1, layers.one[0, i], layers.two[0, j0:j1])
            for layer in range(count):
                a, kj = layers.one[layer, i], layers.two[layer, j0:j1]
                s, b = layers.sw2[layer], layers.sb2[layer]
                on_inputs = first and layer == 0
                if USES_SERIES:
                    tables = Tables(
                        series.one[layer, i],
                        series.two[layer],
                        j0,
                        most[layer],
                        inverse[layer],
                        own,
                        i - j0 if out.mirrored else -1,
                    )
                if not on_inputs and (careful or (USES_SERIES and needs_determinants(own))):
                    spread(a, kj, pairs)
                if careful:
                    after = layers.one[layer + 1, i], layers.two[layer + 1, j0:j1]
                    carry(row, tables, Step(a, kj, *after, s, b, noise[layer], on_inputs))
                through(row, tables, a, kj, s, b, on_inputs, careful)
            keep(row, out, i, j0, j1, layers.one[count, i], layers.two[count, j0:j1])
        if out.mirrored:
            mirror(out, i0, i1, j0, j1)
