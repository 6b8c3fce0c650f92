"""Derivatives of kernels in the logarithms of their hyper-parameters.

Forward mode through the recursion of a perceptron; the implicit function theorem at the fixed point of
an equilibrium model. Both use D, D' and their derivatives from `numerics.kernel_jet`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.duals import Dual

from .kernel_jet import jet

__all__ = ["deq_gradient", "mlp_gradient"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Pairs:
    """A jet at all pairs, and the same on the diagonal."""

    all: Array
    own: Array

    @classmethod
    def at(cls, found: Dual, k: Array, c: Array) -> _Pairs:
        values = jet(found, k, k, c)
        return cls(values, np.einsum("mii->mi", values))

    def change(self, dk: Array, dc: Array) -> tuple[Array, Array]:
        """Changes of D and D' for changes of the variances and covariances."""
        v = self.all
        one, two = dk[:, None], dk[None, :]
        bent = np.where(dc != 0.0, v[4] * np.where(dc != 0.0, dc, 1.0), 0.0)
        return (
            (v[2] * one + v[3] * two) / 2 + v[1] * dc,
            (v[5] * one + v[6] * two) / 2 + bent,
        )

    @property
    def rate(self) -> Array:
        """Derivative of D's diagonal in the variance."""
        return self.own[1] + self.own[2]


def mlp_gradient(
    found: Dual, gram: Array, depth: int, w2: float, b2: float, v2: float
) -> tuple[Array, Array]:
    """Derivatives of NNGP and NTK in log sigma_w, log sigma_b and log sigma_v.

    Parameters
    ----------
    found : Dual
    gram : ndarray, shape (n, n)
        <x, x'>/d, symmetric.
    depth : int
    w2, b2, v2 : float
        sigma_w^2, sigma_b^2, sigma_v^2.

    Returns
    -------
    tuple of ndarray
        Two arrays of shape (n, n, 3).
    """
    c = w2 * gram + b2
    k = np.diag(c).copy()
    theta = c.copy()
    dc = [2 * w2 * gram, np.full_like(c, 2 * b2)]
    dk = [np.diag(m).copy() for m in dc]
    dtheta = [m.copy() for m in dc]
    direct = (1.0, 0.0)  # how w2 and b2 themselves change, relative, for the two parameters
    for layer in range(depth):
        last = layer == depth - 1
        scale = v2 if last else w2
        pairs = _Pairs.at(found, k, c)
        value, slope = pairs.all[0], pairs.all[1]
        for p in (0, 1):
            d_value, d_slope = pairs.change(dk[p], dc[p])
            grown = 0.0 if last else 2 * w2 * direct[p]
            bias = 0.0 if last or p == 0 else 2 * b2
            new = scale * d_value + grown * value + bias
            dtheta[p] = new + scale * (d_slope * theta + slope * dtheta[p]) + grown * slope * theta
            own = scale * pairs.rate * dk[p] + grown * pairs.own[0] + bias
            dc[p], dk[p] = new, own
        c = scale * value + (0.0 if last else b2)
        theta = c + scale * slope * theta
        k = scale * pairs.own[0] + (0.0 if last else b2)
    return np.stack([*dc, 2 * c], axis=2), np.stack([*dtheta, 2 * theta], axis=2)


def deq_gradient(
    found: Dual, gram: Array, fixed: Array, w2: float, u2: float, b2: float, v2: float
) -> tuple[Array, Array]:
    """Derivatives of NNGP and NTK in log sigma_w, log sigma_u, log sigma_b and log sigma_v.

    Parameters
    ----------
    found : Dual
    gram : ndarray, shape (n, n)
        <x, x'>/d, symmetric.
    fixed : ndarray, shape (n, n)
        The fixed point K*.
    w2, u2, b2, v2 : float

    Returns
    -------
    tuple of ndarray
        Two arrays of shape (n, n, 4).
    """
    k = np.diag(fixed).copy()
    pairs = _Pairs.at(found, k, fixed)
    value, slope = pairs.all[0], pairs.all[1]
    left = 1.0 - w2 * slope
    theta = fixed / left
    explicit = [2 * w2 * value, 2 * u2 * gram, np.full_like(gram, 2 * b2)]
    nngp, ntk = [], []
    for p, part in enumerate(explicit):
        dk = np.diag(part) / (1.0 - w2 * pairs.rate)
        moved, _ = pairs.change(dk, np.zeros_like(fixed))
        dc = (part + w2 * moved) / left
        d_value, d_slope = pairs.change(dk, dc)
        grown = 2 * w2 if p == 0 else 0.0
        d_theta = (dc + theta * (w2 * d_slope + grown * slope)) / left
        nngp.append(v2 * d_value)
        ntk.append(v2 * (d_value + d_slope * theta + slope * d_theta))
    readout = value + slope * theta
    return (
        np.stack([*nngp, 2 * v2 * value], axis=2),
        np.stack([*ntk, 2 * v2 * readout], axis=2),
    )
