"""How wide is wide enough: the error of a finite network, predicted from its kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from numerics.kernels.deq import equilibrium_kernel
from theory import DEQ

from .functions import unit_functions
from .network import Network

__all__ = ["one_step_error"]


def one_step_error(x: ArrayLike, network: Network) -> float:
    """Predict the error of one network's covariance at its width, from the kernel alone.

    Parameters
    ----------
    x : array_like, shape (m, d)
    network : Network
        An equilibrium model.

    Returns
    -------
    float
        As `error_of`.

    Raises
    ------
    ValueError
        As `numerics.kernel`.

    Notes
    -----
    Delta method. Let h be normal with covariance K*. A sum over n units fluctuates with Cov(phi_i phi_j,
    phi_k phi_l)/n, from Gauss-Hermite quadrature over pairs; what W feeds back multiplies a fluctuation of
    an entry by 1/(1 - sigma_w^2 D'(K*)) off the diagonal, where D' acts on that entry alone. On the diagonal
    the derivative of the map k -> sigma_w^2 D(k) takes the place of sigma_w^2 D'. Neglected: the diagonal's
    influence on other entries, and fluctuations of the tied W that are not those of a fresh one. Good to some
    10% for chi up to a half.
    """
    phi = unit_functions(network.phi)
    model = network.model
    if not isinstance(model, DEQ):
        raise ValueError(f"the prediction is for equilibrium models, got {model}")
    kernel = equilibrium_kernel(replace(model, sigma_v=1.0), x)
    k, w2 = kernel.fixed_point, network.sigma_w**2
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    total, m = 0.0, len(k)
    sizes = np.sqrt(np.diag(kernel.nngp))
    for i in range(m):
        for j in range(m):
            if sizes[i] == 0.0 or sizes[j] == 0.0:
                continue  # phi is zero there in every network
            a, b = np.sqrt(k[i, i]), np.sqrt(k[j, j])
            rho = float(np.clip(k[i, j] / (a * b), -1.0, 1.0))
            u = a * nodes[:, None] + 0.0 * nodes
            v = b * (rho * nodes[:, None] + np.sqrt(1.0 - rho**2) * nodes)
            both = weights[:, None] * weights
            product = (phi.value(u) / sizes[i]) * (phi.value(v) / sizes[j])
            mean = float(np.sum(both * product))
            variance = float(np.sum(both * product**2)) - mean**2
            if i == j:
                # dD/dk = E phi(u) phi'(u) u / k
                slope = w2 * float(np.sum(both * phi.value(u) / a * phi.slope(u) * u / a))
            else:
                slope = w2 * float(np.sum(both * phi.slope(u) * phi.slope(v)))
            total += variance / (1.0 - slope) ** 2
    return float(np.sqrt(total / (m * m * network.width)))
