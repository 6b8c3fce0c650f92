"""Gram matrices of any activation: a tile of pairs at a time, covariances as state.

Generated modules paste this file behind ``pair``, which evaluates D and D' of one pair. Layer 1 takes
the determinant and the variances of u -+ v from the inputs themselves; later layers from k12.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .kernel_primitives import exact_dot, products, squared_distance, squared_distances

# pasted code above defines these
from .kernel_stub import USES_DET, USES_GAP, USES_SERIES, curvature, pair, rows  # isort: skip

_FAST = {"contract", "nsz"}
_FAR = 0.25
"""Share of k11 k22 above which k11 k22 - k12^2 has lost a few units in its last place only."""


@numba.njit(error_model="numpy", cache=True)
def diagonal(k: np.ndarray, theta: np.ndarray, sw2: np.ndarray, sb2: np.ndarray) -> None:
    """Fill k of shape (layers + 1, n) from its first row, and advance the tangent kernel of shape (n,)."""
    for layer in range(sw2.shape[0]):
        for i in range(k.shape[1]):
            v = k[layer, i]
            d, dd = pair(v, v, v, 0.0, 0.0, 4.0 * v)
            k[layer + 1, i] = sw2[layer] * d + sb2[layer]
            theta[i] = k[layer + 1, i] + (sw2[layer] * dd * theta[i] if theta[i] != 0.0 else 0.0)


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
    gap: np.ndarray,
) -> None:
    """Layer-1 covariances of one input with inputs j0..j1, their determinants and E (u - v)^2.

    Negative ``gap`` is -E (u + v)^2, where that is the smaller one.
    """
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
    if USES_GAP:
        squared_distances(x, xt, j0, j1, gap)
        for j in range(n):
            if c[j] >= 0.0:
                gap[j] = scale * gap[j]
            else:
                gap[j] = -(scale * squared_distance(x, xt, j0 + j, -1.0) + 4.0 * sb2)
    else:
        for j in range(n):
            gap[j] = 0.0
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
def doubt(
    a: float,
    others: np.ndarray,
    c: np.ndarray,
    th: np.ndarray,
    next_a: float,
    next_others: np.ndarray,
    sw2: float,
    sb2: float,
    doubtful: np.ndarray,
) -> None:
    """Note where the NTK of the next layer moves by a fraction above 3e-14 with the last digit of c.

    A double's covariance resolves 1 - rho to 1e-16. Where D' changes within that, as a smoothed kink does
    at a large variance, the recursion in doubles has lost what the next layer needs. Entries that
    nearly cancel count as a hundredth of sqrt(k_ii k_jj).
    """
    n = others.shape[0]
    share = np.empty(n)
    for j in range(n):
        o = others[j]
        v = c[j]
        det, delta, sigma = (
            max(a * o - v * v, 0.0),
            max(a + o - 2.0 * v, 0.0),
            max(a + o + 2.0 * v, 0.0),
        )
        d, dd = pair(a, o, v, det, delta, sigma)
        new = sw2 * (d + dd * th[j]) + sb2
        moved = 3.4e-16 * math.sqrt(a * o) * abs(curvature(a, o, v, det, delta, sigma))
        size = max(abs(new), 0.01 * math.sqrt(next_a * next_others[j]))
        share[j] = sw2 * moved * abs(th[j]) / max(size, 1e-300)
    for j in range(n):
        if not share[j] <= 3e-14:
            doubtful[j] = max(doubtful[j], share[j]) if share[j] < 1.0 else 1.0


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
    doubtful: np.ndarray,
    series1: np.ndarray,
    series2: np.ndarray,
) -> None:
    """Advance the pairs of all tiles by the given layers, in place.

    ``doubtful``, if it has rows, is where `doubt` notes its pairs; ``series1`` and ``series2`` are tables for
    each layer that `rows` takes.
    """
    layers = sw2.shape[0]
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        c = np.empty(width)
        th = np.empty(width)
        det = np.empty(width)
        gap = np.empty(width)
        work = np.empty((4, width)) if USES_SERIES else np.empty((4, 0))
        deltas, sigmas, ds, dds = work[0], work[1], work[2], work[3]
        for i in range(i0, i1):
            if first:
                geometry(x[i], z[i], xt, zt, j0, j1, k1[0, i], k2[0], scale, input_b2, c, det, gap)
                th[:] = c
            else:
                c[:] = cov[i, j0:j1]
                th[:] = ntk[i, j0:j1]
            start = 0
            if first and not USES_SERIES:
                start = 1
                a = k1[0, i]
                kj = k2[0, j0:j1]
                s = sw2[0]
                b = sb2[0]
                for j in range(width):
                    o = kj[j]
                    near = c[j] >= 0.0
                    delta = gap[j] if near else a + o - 2.0 * c[j]
                    sigma = a + o + 2.0 * c[j] if near else -gap[j]
                    d, dd = pair(a, o, c[j], det[j], delta, sigma)
                    c[j] = s * d + b
                    slope = s * dd * th[j] if th[j] != 0.0 else 0.0
                    th[j] = c[j] + slope
            for layer in range(start, layers):
                a = k1[layer, i]
                kj = k2[layer, j0:j1]
                s = sw2[layer]
                b = sb2[layer]
                inputs = first and layer == 0
                if doubtful.shape[0] > 0 and not inputs:
                    doubt(
                        a, kj, c, th, k1[layer + 1, i], k2[layer + 1, j0:j1], s, b, doubtful[i, j0:j1]
                    )  # fmt: skip
                if USES_SERIES:
                    for j in range(width):
                        o = kj[j]
                        v = c[j]
                        det[j] = det[j] if inputs else max(a * o - v * v, 0.0)
                        deltas[j] = gap[j] if inputs and v >= 0.0 else max(a + o - 2.0 * v, 0.0)
                        sigmas[j] = -gap[j] if inputs and v < 0.0 else max(a + o + 2.0 * v, 0.0)
                    one, two = series1[layer, :, i].copy(), series2[layer, :, j0:j1]
                    rows(a, kj, c, det, deltas, sigmas, one, two, ds, dds)
                    for j in range(width):
                        c[j] = s * ds[j] + b
                        th[j] = c[j] + (s * dds[j] * th[j] if th[j] != 0.0 else 0.0)
                    continue
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
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
