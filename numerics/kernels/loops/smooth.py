"""Gram matrices of any activation: a tile of pairs at a time, covariances as state.

Generated modules paste this file behind ``pair``, which evaluates D and the tangent's slope of one pair, and
``drift``, which gives D' and the slope's derivative. Layer 1 takes the determinant and the variances of u
-+ v from the inputs themselves; later layers from k12.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .primitives import exact_dot, products, squared_distance, squared_distances

# pasted code above defines these
from .stub import (  # isort: skip
    USES_DET, USES_GAP, USES_SERIES, drift, inverse_roots, moduli, needs_determinants, pair,
    remainders, row_bends, rows,
)  # fmt: skip

_FAST = {"contract", "nsz"}
_FAR = 0.25
"""Share of k11 k22 above which k11 k22 - k12^2 has lost a few units in its last place only."""


@numba.njit(error_model="numpy", cache=True)
def diagonal(k: np.ndarray, theta: np.ndarray, sw2: np.ndarray, sb2: np.ndarray) -> None:
    """Fill k and theta, of shape (layers + 1, n), from their first rows."""
    for layer in range(sw2.shape[0]):
        for i in range(k.shape[1]):
            v = k[layer, i]
            d, dd = once(v, v, v, 0.0, 0.0, 4.0 * v)
            k[layer + 1, i] = sw2[layer] * d + sb2[layer]
            grown = sw2[layer] * dd * theta[layer, i] if theta[layer, i] != 0.0 else 0.0
            theta[layer + 1, i] = k[layer + 1, i] + grown


@numba.njit(error_model="numpy")
def geometry(
    x: np.ndarray,
    zi: np.ndarray,
    xt: np.ndarray,
    zt: np.ndarray,
    j0: int,
    j1: int,
    ki: float,
    kj: np.ndarray,
    scale: float,
    sb2: float,
    c: np.ndarray,
    det: np.ndarray,
    delta: np.ndarray,
    sigma: np.ndarray,
) -> None:
    """Layer-1 covariances of one input with inputs j0..j1, their determinants and E (u -+ v)^2."""
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
def spread(
    a: float,
    others: np.ndarray,
    c: np.ndarray,
    det: np.ndarray,
    delta: np.ndarray,
    sigma: np.ndarray,
) -> None:
    """Determinants and E (u -+ v)^2 from covariances."""
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
            rows(
                v, k[j : j + 1], np.array([c]), np.array([det]), np.array([delta]),
                np.array([sigma]), series[:, j].copy(), series[:, j : j + 1], most, inverse,
                own, d[j : j + 1], slope[j : j + 1],
            )  # fmt: skip
        else:
            d[j], slope[j] = once(v, v, c, det, delta, sigma)


@numba.njit(error_model="numpy")
def carry(
    a: float,
    others: np.ndarray,
    c: np.ndarray,
    th: np.ndarray,
    det: np.ndarray,
    delta: np.ndarray,
    sigma: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    most: np.ndarray,
    inverse: np.ndarray,
    own: Any,
    next_a: float,
    next_others: np.ndarray,
    sw2: float,
    sb2: float,
    noise: np.ndarray,
    inputs: bool,
    ec: np.ndarray,
    et: np.ndarray,
) -> None:
    """Advance bounds of the errors of k12 and of the tangent kernel by one layer.

    ``noise`` holds, for this layer: the error of k12 that variances and determinants stand for, relative to
    sqrt(k11 k22); that of D relative to sqrt(D D) = sqrt(k' k'); that of the slope, absolute or relative,
    whichever is larger; and the largest slope. On the inputs determinants are known to better than k12 is.
    Where D' changes within the error of k12, differences take the place of derivatives.
    """
    n = others.shape[0]
    ds, dds, bends = np.empty(n), np.empty(n), np.empty(n)
    if USES_SERIES:
        rows(a, others, c, det, delta, sigma, one, two, most, inverse, own, ds, dds)
        row_bends(own[0], a, others, c, one, two, bends)
    unit = 2.4e-16
    for j in range(n):
        o, v = others[j], c[j]
        edge = math.sqrt(a) * math.sqrt(o)
        size = math.sqrt(next_a) * math.sqrt(next_others[j])
        shift = ec[j] + noise[0] * edge
        turn = shift
        if inputs:
            turn = noise[4] * (math.sqrt(det[j]) + noise[4] * edge)
        if USES_SERIES:
            d, t = ds[j], dds[j]
            moved, turned = moduli(
                own, edge, v, t, one, two[:, j], shift, turn, noise[3], size / sw2, bends[j]
            )
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
        ec[j] = sw2 * moved + (noise[1] + unit) * size
        if grown > 0.0:
            new += grown * (turned + noise[2] * max(noise[3], abs(t))) + unit * grown * abs(t)
        et[j] = ec[j] + new + unit * abs(sw2 * d + sb2)


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST, cache=True)
def run(
    tiles: np.ndarray,
    mirrored: bool,
    first: bool,
    x: np.ndarray,
    z: np.ndarray,
    xt: np.ndarray,
    zt: np.ndarray,
    scale: float,
    input_b2: float,
    k1: np.ndarray,
    k2: np.ndarray,
    sw2: np.ndarray,
    sb2: np.ndarray,
    cov: np.ndarray,
    ntk: np.ndarray,
    noise: np.ndarray,
    marks: np.ndarray,
    series1: np.ndarray,
    series2: np.ndarray,
    own: Any,
) -> None:
    """Advance the pairs of all tiles by the given layers, in place.

    ``marks``, of shape (2, n1, n2) or without rows, takes the bounds that `carry` advances with a row of
    ``noise`` for each layer, relative to sqrt(k_ii k_jj); ``series1`` (transposed) and ``series2`` are
    tables for each layer that `rows` takes, ``own`` is the activation itself.
    """
    layers = sw2.shape[0]
    careful = marks.shape[1] > 0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        c = np.empty(width)
        th = np.empty(width)
        det = np.empty(width)
        delta = np.empty(width)
        sigma = np.empty(width)
        ds = np.empty(width)
        dds = np.empty(width)
        ec = np.empty(width)
        et = np.empty(width)
        one, two = np.empty(0), np.empty((0, 0))
        most = np.empty((layers, 64))
        inverse = np.empty((layers, width if USES_SERIES else 0))
        if USES_SERIES:
            for layer in range(layers):
                remainders(series2[layer, :, j0:j1], most[layer])
                inverse_roots(k2[layer, j0:j1], inverse[layer])
        for i in range(i0, i1):
            if first:
                geometry(
                    x[i], z[i], xt, zt, j0, j1, k1[0, i], k2[0], scale, input_b2, c, det, delta, sigma
                )  # fmt: skip
                th[:] = c
                for j in range(width):
                    ec[j] = noise[0, 5] * math.sqrt(k1[0, i]) * math.sqrt(k2[0, j0 + j])
                    et[j] = ec[j]
            else:
                c[:] = cov[i, j0:j1]
                th[:] = ntk[i, j0:j1]
                if careful:
                    for j in range(width):
                        size = math.sqrt(k1[0, i]) * math.sqrt(k2[0, j0 + j])
                        ec[j] = marks[0, i, j0 + j] * size
                        et[j] = marks[1, i, j0 + j] * size
            for layer in range(layers):
                a = k1[layer, i]
                kj = k2[layer, j0:j1]
                s = sw2[layer]
                b = sb2[layer]
                inputs = first and layer == 0
                if USES_SERIES:
                    one, two = series1[layer, i], series2[layer, :, j0:j1]
                if not inputs and (careful or (USES_SERIES and needs_determinants(own))):
                    spread(a, kj, c, det, delta, sigma)
                if careful:
                    carry(
                        a, kj, c, th, det, delta, sigma, one, two, most[layer], inverse[layer], own,
                        k1[layer + 1, i],
                        k2[layer + 1, j0:j1], s, b, noise[layer], inputs, ec, et,
                    )  # fmt: skip
                if USES_SERIES:
                    rows(
                        a, kj, c, det, delta, sigma, one, two, most[layer], inverse[layer], own, ds, dds
                    )  # fmt: skip
                    for j in range(width):
                        c[j] = s * ds[j] + b
                        th[j] = c[j] + (s * dds[j] * th[j] if th[j] != 0.0 else 0.0)
                elif inputs:
                    for j in range(width):
                        d, dd = once(a, kj[j], c[j], det[j], delta[j], sigma[j])
                        c[j] = s * d + b
                        slope = s * dd * th[j] if th[j] != 0.0 else 0.0
                        th[j] = c[j] + slope
                else:
                    for j in range(width):
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
            cov[i, j0:j1] = c
            ntk[i, j0:j1] = th
            if careful:
                for j in range(width):
                    size = math.sqrt(k1[layers, i]) * math.sqrt(k2[layers, j0 + j])
                    marks[0, i, j0 + j] = ec[j] / size if size > 0.0 else 0.0
                    marks[1, i, j0 + j] = et[j] / size if size > 0.0 else 0.0
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
