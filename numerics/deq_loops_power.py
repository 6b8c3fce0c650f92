"""Fixed points of equilibrium models with a homogeneous activation of degree 1.

With k_i = s_i/(1 - r), r = sigma_w^2 kappa(1), the pair's equation is one for t = 1 - rho alone,

    t = r m(t) + (1 - r) t_S ,   m(t) = 1 - kappa(1 - t)/kappa(1), |m'| <= 1 ,

a contraction with constant r. Newton's iteration, with the plain one behind it.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .kernel_primitives import angle, distance

# pasted code above defines these
from .kernel_loops_power import geometry  # isort: skip
from .kernel_stub import NORM, profile  # isort: skip

_FAST_DEQ = {"contract", "nsz", "nnan"}


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST_DEQ, cache=True)
def equilibrium(
    tiles: np.ndarray,
    mirrored: bool,
    z: np.ndarray,
    zt: np.ndarray,
    w2: float,
    v2: float,
    q1: np.ndarray,
    q2: np.ndarray,
    cov: np.ndarray,
    ntk: np.ndarray,
    fixed: np.ndarray,
) -> float:
    """Solve all pairs of all tiles; return the largest residual relative to sqrt(k11 k22)."""
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
            geometry(z[i], zt, j0, j1, ts)
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
                    near = v <= 1.0
                    a = v if near else 2.0 - v
                    x = math.sqrt(a)
                    y = math.sqrt(2.0 - a)
                    small = 2.0 * angle(x, y)
                    theta = small if near else math.pi - small
                    mm, slope = profile(1.0 - v, v, x * y, theta)
                    new = v - (v - rate * mm - ts[j]) / (1.0 - newton * slope)
                    new = min(max(new, 0.0), 2.0)
                    dd[j] = (new - v) / (
                        x + 1e-200
                    )  # the angle's step: kappa has a root at both ends
                    m[j] = new
                last = distance(dd, zeros)
                t, m = m, t
                if last < 1e-8:
                    break
            for j in range(width):
                v = t[j]
                near = v <= 1.0
                a = v if near else 2.0 - v
                x = math.sqrt(a)
                y = math.sqrt(2.0 - a)
                small = 2.0 * angle(x, y)
                theta = small if near else math.pi - small
                m[j], dd[j] = profile(1.0 - v, v, x * y, theta)
            for j in range(width):
                ts[j] += rate * m[j]
            worst = max(worst, distance(ts, t))
            qi = q1[i]
            qj = q2[j0:j1]
            row = fixed[i, j0:j1]
            for j in range(width):
                row[j] = qi * qj[j] * (1.0 - t[j])
            row = cov[i, j0:j1]
            for j in range(width):
                row[j] = v2 * (qi * qj[j] * NORM * (1.0 - m[j]))
            row = ntk[i, j0:j1]
            for j in range(width):
                q = qi * qj[j]
                k = q * (1.0 - t[j])
                row[j] = v2 * (q * NORM * (1.0 - m[j]) + dd[j] * k / (1.0 - w2 * dd[j]))
        if mirrored:
            for j in range(max(j0, i0), j1):
                for i in range(i0, min(i1, j)):
                    cov[j, i] = cov[i, j]
                    ntk[j, i] = ntk[i, j]
                    fixed[j, i] = fixed[i, j]
    return worst
