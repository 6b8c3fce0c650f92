"""Derivatives of kernels in the logarithms of their hyper-parameters.

Forward mode through the recursion of a perceptron; the implicit function theorem at the fixed point of
an equilibrium model. Both use D, the slope and their derivatives from `numerics.kernels.series.jet`; where a
series leaves out too much for these, callers take differences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.kernels.series.jet import jet
from theory.kernels import recursion
from theory.kernels.duals import Dual, Tangent

__all__ = ["deq_gradient", "mlp_gradient"]

Array = NDArray[np.float64]


def mlp_gradient(
    dual: Dual,
    tangent: Tangent,
    gram: Array,
    depth: int,
    w2: float,
    b2: float,
    v2: float,
    ntk: bool = True,
) -> Array | None:
    """Derivatives of the NTK, or of the NNGP, in log sigma_w, log sigma_b and log sigma_v.

    Parameters
    ----------
    dual : Dual
    tangent : {"limit", "almost_everywhere"}
    gram : ndarray, shape (n, n)
        <x, x'>/d, symmetric.
    depth : int
    w2, b2, v2 : float
        sigma_w^2, sigma_b^2, sigma_v^2.
    ntk : bool
        Of which kernel.

    Returns
    -------
    ndarray, shape (n, n, 3), or None
        None where they are not to be trusted.
    """
    c = recursion.layer(gram, w2, b2)
    k = np.diag(c).copy()
    theta = c.copy()
    dc = [2 * w2 * gram, np.full_like(c, 2 * b2)]
    dk = [np.diag(m).copy() for m in dc]
    dtheta = [m.copy() for m in dc]
    for layer in range(depth):
        last = layer == depth - 1
        scale = v2 if last else w2
        at = jet(dual, tangent, k, c, fill=True, slopes=ntk)
        if not at.converged:
            return None
        # how sigma_w^2 itself moves, for each of the two parameters
        for p, grown in enumerate((0.0 if last else 2 * w2, 0.0)):
            new, d_slope = at.change(dk[p], dc[p])
            new *= scale
            if grown:
                new += grown * at.value
            elif not last:
                new += 2 * b2
            if ntk:
                with np.errstate(all="ignore"):  # a tangent kernel that is infinite has no gradient
                    dtheta[p] = new + scale * (d_slope * theta + at.slope * dtheta[p])
                    dtheta[p] += grown * at.slope * theta
            dc[p], dk[p] = new, np.diag(new).copy()
        c = recursion.layer(at.value, scale, 0.0 if last else b2)
        if ntk:
            with np.errstate(all="ignore"):
                theta = recursion.tangent(c, at.slope, theta, scale)
        k = np.diag(c).copy()
    return np.stack([*dtheta, 2 * theta] if ntk else [*dc, 2 * c], axis=2)


def deq_gradient(
    dual: Dual,
    gram: Array,
    fixed: Array,
    w2: float,
    u2: float,
    b2: float,
    v2: float,
    ntk: bool = True,
) -> Array | None:
    """Derivatives of the NTK, or of the NNGP, in log sigma_w, log sigma_u, log sigma_b and log sigma_v.

    Parameters
    ----------
    dual : Dual
    gram : ndarray, shape (n, n)
        <x, x'>/d, symmetric.
    fixed : ndarray, shape (n, n)
        The fixed point K*.
    w2, u2, b2, v2 : float
    ntk : bool
        Of which kernel.

    Returns
    -------
    ndarray, shape (n, n, 4), or None
        None where they are not to be trusted.
    """
    k = np.diag(fixed).copy()
    at = jet(dual, "limit", k, fixed, fill=True, slopes=ntk)
    if not at.converged:
        return None
    left = 1.0 - w2 * at.slope
    theta = recursion.equilibrium_tangent(fixed, at.slope, w2)
    along = np.divide(2.0 * np.diag(at.value_one), k, out=np.zeros_like(k), where=k > 0.0)
    made = []
    for p, part in enumerate((2 * w2 * at.value, 2 * u2 * gram, np.full_like(gram, 2 * b2))):
        dk = np.diag(part) / (1.0 - w2 * along)
        moved, _ = at.change(dk, np.zeros_like(fixed))
        dc = (part + w2 * moved) / np.where(at.ends, 1.0, left)
        d_value, d_slope = at.change(dk, dc)
        if not ntk:
            made.append(v2 * d_value)
            continue
        grown = 2 * w2 if p == 0 else 0.0
        d_theta = (dc + theta * (w2 * d_slope + grown * at.slope)) / left
        made.append(v2 * (d_value + d_slope * theta + at.slope * d_theta))
    readout = at.value + at.slope * theta if ntk else at.value
    return np.stack([*made, 2 * v2 * readout], axis=2)
