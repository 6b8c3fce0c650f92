"""Empirical neural tangent kernels: equilibria by the implicit function theorem, perceptrons backwards.

In the NTK parameterisation every weight is its standard deviation times a parameter of unit variance.
With a = df/dh, the gradient in the pre-activations, sums over parameters factorise:

    NTK = sigma_v^2 <z, z'>/n + <a, a'> (sigma_w^2 <z, z'>/n + sigma_u^2 <x, x'>/d + sigma_b^2)

for an equilibrium, where a = (I - D W')^-1 D v sigma_v/sqrt(n) with D = diag(phi'(h)); for perceptrons there
is one such term for each layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.kernels.sequential import Sequential, denses

from .draws import generator
from .functions import UnitFunctions, unit_functions
from .layered import draw_parameters, outputs_and_tangent
from .network import MEMORY, Network, check_budget, check_draws
from .solvers import equilibrium

__all__ = [
    "TangentSamples",
    "Weights",
    "draw_weights",
    "outputs_of",
    "tangent_kernels",
    "tangent_of",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """All parameters of one network, with unit variance.

    Attributes
    ----------
    first : ndarray, shape (n, d)
    hidden : tuple of ndarray, shape (n, n)
        W of an equilibrium, or of each layer after the first.
    biases : tuple of ndarray, shape (n,)
    readout : ndarray, shape (n,)
    """

    first: Array
    hidden: tuple[Array, ...]
    biases: tuple[Array, ...]
    readout: Array


@dataclass(frozen=True)
class TangentSamples:
    """Empirical kernels.

    Attributes
    ----------
    ntk, covariance : ndarray, shape (draws, m, m)
    outputs : ndarray, shape (draws, m)
    residual : ndarray, shape (draws,)
        Largest relative residual of the equilibrium and of its adjoint.
    converged : ndarray of bool, shape (draws,)
    """

    ntk: Array
    covariance: Array
    outputs: Array
    residual: Array
    converged: NDArray[np.bool_]


def draw_weights(network: Network, dimension: int, rng: np.random.Generator) -> Weights:
    """Draw all parameters of an equilibrium model or a perceptron."""
    if network.layers is not None:
        raise ValueError("the parameters of a network of any order of layers are drawn as it runs")
    n = network.width
    layers = 1 if network.kind == "deq" else network.depth - 1
    biases = 1 if network.kind == "deq" else network.depth
    return Weights(
        rng.standard_normal((n, dimension)),
        tuple(rng.standard_normal((n, n)) for _ in range(layers)),
        tuple(rng.standard_normal(n) for _ in range(biases)),
        rng.standard_normal(n),
    )


def tangent_kernels(
    network: Network,
    x: ArrayLike,
    draws: int,
    *,
    seed: int = 0,
    tolerance: float = 1e-10,
    memory: float = MEMORY,
    progress: Callable[[float], Any] | None = None,
) -> TangentSamples:
    """Draw networks and compute their empirical neural tangent kernels.

    Parameters
    ----------
    network : Network
        An equilibrium model, a perceptron, or a network of any order of layers.
    x : array_like, shape (m, d)
    draws : int
    seed : int
        Draw k depends on it and on k alone.
    tolerance : float
    memory : float
        Bytes that a draw may take.
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    TangentSamples

    Raises
    ------
    ValueError
        As `sample`; and for activations that jump.

    Notes
    -----
    Exact derivatives; the error is that of the two fixed points, ``residual``/(1 - rate). The weights are
    needed transposed, so they are dense: n^2 numbers for each matrix, and two to five times the products
    of a draw. The kernel converges to NTK* with fluctuations of order n^(-1/2).
    """
    made = check_draws(x, draws)
    if network.kind == "untied":
        raise ValueError("tangent kernels are of equilibrium models and perceptrons")
    n, m = network.width, len(made)
    if network.layers is not None:
        return _sequential(network, network.layers, made, draws, seed, memory, progress)
    layers = 1 if network.kind == "deq" else network.depth
    needed = 8 * (2 * layers * n * n + n * made.shape[1] + (24 + 2 * layers) * n * m)
    check_budget(needed, memory, f"a tangent kernel of width {n} with {m} inputs")
    phi = unit_functions(network.phi)
    phi.slope(np.zeros(1))  # refuses jumps
    ntk, covariance = np.empty((draws, m, m)), np.empty((draws, m, m))
    outputs, residual = np.empty((draws, m)), np.zeros(draws)
    for k in range(draws):
        weights = draw_weights(network, made.shape[1], generator(seed, k))
        ntk[k], covariance[k], outputs[k], residual[k] = tangent_of(
            network, weights, made, phi, tolerance
        )
        if progress is not None:
            progress((k + 1) / draws)
    return TangentSamples(ntk, covariance, outputs, residual, residual <= 10.0 * tolerance)


def _sequential(
    network: Network,
    model: Sequential,
    x: Array,
    draws: int,
    seed: int,
    memory: float,
    progress: Callable[[float], Any] | None,
) -> TangentSamples:
    n, m = network.width, len(x)
    matrices = len(list(denses(model.layers)))
    needed = 8 * (matrices * n * n + n * x.shape[1] + (24 + 3 * matrices) * n * m)
    check_budget(needed, memory, f"a tangent kernel of width {n} with {m} inputs")
    for phi in model.activations:
        unit_functions(phi).slope(np.zeros(1))  # refuses jumps
    ntk, covariance = np.empty((draws, m, m)), np.empty((draws, m, m))
    outputs = np.empty((draws, m))
    for k in range(draws):
        rng = generator(seed, k)
        readout = rng.standard_normal(n), float(rng.standard_normal())
        ntk[k], covariance[k], outputs[k] = outputs_and_tangent(
            model, x, draw_parameters(rng, n, x.shape[1]), readout
        )
        if progress is not None:
            progress((k + 1) / draws)
    fine = np.asarray(np.isfinite(ntk).all(axis=(1, 2)))
    return TangentSamples(ntk, covariance, outputs, np.zeros(draws), fine)


def outputs_of(
    network: Network, weights: Weights, x: Array, phi: UnitFunctions, tolerance: float = 1e-13
) -> Array:
    """Outputs of a network with given parameters, shape (m,)."""
    z = _forward(network, weights, x, phi, tolerance)[1][-1]
    return network.sigma_v / network.width**0.5 * (weights.readout @ z)


def tangent_of(
    network: Network, weights: Weights, x: Array, phi: UnitFunctions, tolerance: float = 1e-12
) -> tuple[Array, Array, Array, float]:
    """Tangent kernel, covariance and outputs of a network with given parameters, and the residual."""
    n = network.width
    h, z, residual = _forward(network, weights, x, phi, tolerance)
    scale = network.sigma_v / n**0.5
    outputs = scale * (weights.readout @ z[-1])
    own = z[-1].T @ z[-1] / n
    ntk = network.sigma_v**2 * own
    pulled = np.repeat((scale * weights.readout)[:, None], len(x), axis=1)
    w2, b2 = network.sigma_w**2, network.sigma_b**2
    gram = x @ x.T / x.shape[1]
    step = network.sigma_w / n**0.5
    if network.kind == "deq":
        a, rest = _adjoint(step * weights.hidden[0], phi.slope(h[0]), pulled, tolerance)
        ntk = ntk + (a.T @ a) * (w2 * own + network.sigma_u**2 * gram + b2)
        return ntk, network.sigma_v**2 * own, outputs, max(residual, rest)
    for layer in range(network.depth - 1, -1, -1):
        a = phi.slope(h[layer]) * pulled
        below = z[layer - 1].T @ z[layer - 1] / n if layer else gram
        ntk = ntk + (a.T @ a) * (w2 * below + b2)
        if layer:
            pulled = step * (weights.hidden[layer - 1].T @ a)
    return ntk, network.sigma_v**2 * own, outputs, residual


def _forward(
    network: Network, weights: Weights, x: Array, phi: UnitFunctions, tolerance: float
) -> tuple[list[Array], list[Array], float]:
    """Pre-activations and activations of all layers, and the residual."""
    step = network.sigma_w / network.width**0.5
    first = network.sigma_w if network.kind == "mlp" else network.sigma_u
    drive = first / x.shape[1] ** 0.5 * (weights.first @ x.T)
    drive = drive + network.sigma_b * weights.biases[0][:, None]
    if network.kind == "deq":
        w = step * weights.hidden[0]
        solved = equilibrium(lambda z: w @ z, drive, phi, tolerance=tolerance)
        return [w @ solved.z + drive], [solved.z], solved.residual
    h, z = [drive], [phi.value(drive)]
    for w, b in zip(weights.hidden, weights.biases[1:], strict=True):
        h.append(step * (w @ z[-1]) + network.sigma_b * b[:, None])
        z.append(phi.value(h[-1]))
    return h, z, 0.0


def _adjoint(w: Array, slope: Array, pulled: Array, tolerance: float) -> tuple[Array, float]:
    """Solve a = D (W' a + v) for every column."""
    from scipy.sparse.linalg import LinearOperator, gmres

    n, worst = len(w), 0.0
    whole = slope * pulled
    a, size = whole, np.maximum(np.linalg.norm(whole, axis=0), 1e-300)
    undone = np.ones(pulled.shape[1], dtype=bool)
    for _ in range(80):  # the plain iteration contracts wherever the forward one does
        before, a = a, slope * (w.T @ a + pulled)
        moved = np.linalg.norm(a - before, axis=0) / size
        undone = ~(moved <= tolerance)
        if not undone.any():
            return a, float(moved.max())
    for j in np.flatnonzero(undone):
        d = slope[:, j]
        right = d * pulled[:, j]

        def residual_map(v: Array, d: Array = d) -> Array:
            return v.ravel() - d * (w.T @ v.ravel())

        operator = LinearOperator((n, n), matvec=residual_map, dtype=np.float64)
        a[:, j], _ = gmres(
            operator, right, x0=right.copy(), rtol=0.1 * tolerance, restart=min(n, 80), maxiter=20
        )
        size = float(np.linalg.norm(right))
        rest = float(np.linalg.norm(right - residual_map(a[:, j])))
        worst = max(worst, rest / size if size else rest)
    return a, worst
