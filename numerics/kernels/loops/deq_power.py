"""Fixed points of equilibrium models with a homogeneous activation of degree 1.

With k_i = s_i/(1 - r), r = sigma_w^2 kappa(1), the pair's equation is one for t = 1 - rho alone,

    t = r m(t) + (1 - r) t_S ,   m(t) = 1 - kappa(1 - t)/kappa(1), |m'| <= 1 ,

a contraction with constant r. Newton's iteration, with the plain one behind it.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .primitives import distance, mirror

# pasted code above defines these
from .state import Inputs, Matrices  # isort: skip
from .power import _END, geometry, layer_of  # isort: skip
from .stub import NORM  # isort: skip

_FAST_DEQ = {"contract", "nsz", "nnan"}


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST_DEQ, cache=True)
def equilibrium(
    tiles: np.ndarray,
    inputs: Inputs,
    w2: float,
    v2: float,
    q1: np.ndarray,
    q2: np.ndarray,
    out: Matrices,
) -> float:
    """Solve all pairs of all tiles; return the largest residual relative to sqrt(k11 k22).

    A row of a tile is iterated together, until none of its angles moves. Every iterate of t stays within
    [0, 2]. ``q1`` and ``q2`` are roots of variances.
    """
    nngp, ntk, fixed = out.nngp, out.ntk, out.fixed
    worst = 0.0
    rate = w2 * NORM
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        ts = np.empty(width)
        t = np.empty(width)
        m = np.empty(width)
        dd = np.empty(width)
        zeros = np.zeros(width)
        for i in range(i0, i1):
            geometry(inputs, i, j0, j1, ts)
            for j in range(width):
                v = ts[j]
                v = v if v >= 0.0 else 2.0 + v
                ts[j] = (1.0 - rate) * v
                t[j] = v
            last = 1.0
            for trial in range(400):
                newton = w2 if trial < 20 else 0.0
                for j in range(width):
                    v = t[j]
                    a = v if v <= 1.0 else 2.0 - v
                    mm, _, slope = layer_of(v if v <= 1.0 else -max(a, _END))
                    new = v - (v - rate * mm - ts[j]) / (1.0 - newton * slope)
                    new = min(max(new, 0.0), 2.0)
                    # the angle's step: kappa has a root at both ends
                    dd[j] = (new - v) / (math.sqrt(a) + 1e-200)
                    m[j] = new
                last = distance(dd, zeros)
                t, m = m, t
                if last < 1e-8:
                    break
            for j in range(width):
                v = t[j]
                m[j], _, dd[j] = layer_of(v if v <= 1.0 else min(v - 2.0, -_END))
                ts[j] += rate * m[j]
            worst = max(worst, distance(ts, t))
            qi = q1[i]
            for j in range(width):
                q = qi * q2[j0 + j]
                k = q * (1.0 - t[j])
                value = q * NORM * (1.0 - m[j])
                fixed[i, j0 + j] = k
                nngp[i, j0 + j] = v2 * value
                ntk[i, j0 + j] = v2 * (value + dd[j] * k / (1.0 - w2 * dd[j]))
        if out.mirrored:
            mirror(out, i0, i1, j0, j1)
    return worst
