"""Gram matrices of positively homogeneous activations: a tile of pairs at a time, angles as state.

D = (k11 k22)^(n/2) kappa(rho). The state is 1 - rho, never rho: after a layer

    1 - rho' = |e_i - e_j|^2/2 + cos(a_i) cos(a_j) (1 - kappa(rho)/kappa(1)),

where e_i = (cos a_i, sin a_i) is the direction of (sigma_w sqrt(kappa(1)) k_i^(n/2), sigma_b). All terms
are positive, so angles keep an absolute error of a few units in the last place however small they
are. State t > 1 is kept as -(2 - t).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .kernel_primitives import angle, squared_distances

# pasted code above defines these
from .kernel_stub import DEGREE, NORM, far, profile  # isort: skip

_FAST = {"contract", "nsz"}


@numba.njit(error_model="numpy", cache=True)
def diagonal(
    k: np.ndarray,
    sw2: np.ndarray,
    sb2: np.ndarray,
    cosine: np.ndarray,
    sine: np.ndarray,
    root: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Fill everything a layer needs of single inputs; k has one row more than the others."""
    for layer in range(sw2.shape[0]):
        sw = math.sqrt(sw2[layer])
        sb = math.sqrt(sb2[layer])
        for i in range(k.shape[1]):
            v = k[layer, i]
            zero = v == 0.0
            p = 0.0 if zero and DEGREE == 0.0 else sw * math.sqrt(NORM) * v ** (0.5 * DEGREE)
            r = math.sqrt(p * p + sb * sb)
            k[layer + 1, i] = p * p + sb * sb
            cosine[layer, i] = p / r if r > 0.0 else 1.0
            sine[layer, i] = sb / r if r > 0.0 else 0.0
            root[layer, i] = r
            slope[layer, i] = 0.0 if zero else sw * v ** (0.5 * (DEGREE - 1.0))


@numba.njit(error_model="numpy")
def geometry(zi: np.ndarray, zt: np.ndarray, j0: int, j1: int, t: np.ndarray) -> None:
    """1 - rho of one input with inputs j0..j1 from differences of unit vectors."""
    n = j1 - j0
    squared_distances(zi, zt, j0, j1, t)
    for j in range(n):
        v = 0.5 * t[j]
        t[j] = v if v <= 1.0 else min(v - 2.0, -1e-300)
    for j in range(n):
        if -0.5 < t[j] < 0.0:  # rare, so worth a branch
            u = 0.0
            for k in range(zi.shape[0]):
                s = zi[k] + zt[k, j0 + j]
                u += s * s
            t[j] = -max(0.5 * u, 1e-300)  # the sign says which end


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST, cache=True)
def run(
    tiles: np.ndarray,
    mirrored: bool,
    first: bool,
    last: bool,
    z: np.ndarray,
    zt: np.ndarray,
    q1: np.ndarray,
    q2: np.ndarray,
    cosine1: np.ndarray,
    sine1: np.ndarray,
    root1: np.ndarray,
    slope1: np.ndarray,
    cosine2: np.ndarray,
    sine2: np.ndarray,
    root2: np.ndarray,
    slope2: np.ndarray,
    cov: np.ndarray,
    ntk: np.ndarray,
) -> None:
    """Advance the pairs of all tiles by the given layers, in place; ``last`` leaves covariances."""
    layers = cosine1.shape[0]
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        t = np.empty(width)
        th = np.empty(width)
        opposite = np.empty(width)
        for i in range(i0, i1):
            if first:
                geometry(z[i], zt, j0, j1, t)
                qi = q1[i]
                qj = q2[j0:j1]
                for j in range(width):
                    v = t[j]
                    th[j] = qi * qj[j] * (1.0 - v if v >= 0.0 else -1.0 - v)
                    opposite[j] = v
            else:
                t[:] = cov[i, j0:j1]
                th[:] = ntk[i, j0:j1]
            for layer in range(layers):
                ci = cosine1[layer, i]
                si = sine1[layer, i]
                ri = root1[layer, i]
                gi = slope1[layer, i]
                cj = cosine2[layer, j0:j1]
                sj = sine2[layer, j0:j1]
                rj = root2[layer, j0:j1]
                gj = slope2[layer, j0:j1]
                for j in range(width):
                    v = t[j]
                    a = abs(v)
                    x = math.sqrt(a)
                    y = math.sqrt(2.0 - a)
                    small = 2.0 * angle(x, y)
                    near = v >= 0.0
                    theta = small if near else math.pi - small
                    full = a if near else 2.0 - a
                    rho = 1.0 - a if near else a - 1.0
                    m, dd = profile(rho, full, x * y, theta)
                    dc = ci - cj[j]
                    ds = si - sj[j]
                    new = 0.5 * (dc * dc + ds * ds) + (ci * cj[j]) * max(m, 0.0)
                    g = gi * gj[j]
                    k = (ri * rj[j]) * (1.0 - new)
                    if DEGREE == 0.0:  # phi jumps: D' may be infinite
                        th[j] = k + (g * dd * th[j] if g != 0.0 else 0.0)
                    else:
                        th[j] = k + g * dd * th[j]
                    t[j] = new if new <= 1.0 else min(new - 2.0, -1e-300)
            if last:
                ri = root1[layers - 1, i]
                rj = root2[layers - 1, j0:j1]
                for j in range(width):
                    v = t[j]
                    t[j] = ri * rj[j] * (1.0 - v if v >= 0.0 else -1.0 - v)
            if first and last and layers == 1:  # nearly opposite inputs, where D itself vanishes
                for j in range(width):
                    if abs(opposite[j] + 0.05) < 0.05:  # one branch, rarely taken
                        h = -opposite[j] if opposite[j] < -1e-300 else 0.0
                        d, dd = far(2.0 * angle(math.sqrt(h), math.sqrt(2.0 - h)))
                        si = sine1[0, i] * root1[0, i] * sine2[0, j0 + j] * root2[0, j0 + j]
                        p = cosine1[0, i] * root1[0, i] * cosine2[0, j0 + j] * root2[0, j0 + j]
                        k = p * d / NORM + si
                        theta1 = q1[i] * q2[j0 + j] * (h - 1.0)
                        t[j] = k
                        th[j] = k + slope1[0, i] * slope2[0, j0 + j] * dd * theta1
            cov[i, j0:j1] = t
            ntk[i, j0:j1] = th
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
