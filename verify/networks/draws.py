"""Draws of networks of any width, one after the other, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .functions import UnitFunctions, unit_functions
from .layered import draw_parameters, hidden_units
from .matrices import DenseMatrix, LazyMatrix
from .network import MEMORY, Network, check_budget, check_draws
from .solvers import equilibrium

__all__ = ["Samples", "bytes_of_a_draw", "draw_one", "generator", "sample"]

Array = NDArray[np.float64]
Weights = Literal["auto", "dense", "lazy"]


@dataclass(frozen=True)
class Samples:
    """What was drawn. Draws that did not converge are in it, and say so.

    Attributes
    ----------
    covariance : ndarray, shape (draws, m, m)
        sigma_v^2 <z_i, z_j>/n + sigma_c^2: the covariance of the outputs given the hidden weights.
    outputs : ndarray, shape (draws, heads, m)
        Outputs of independent readouts.
    residual : ndarray, shape (draws,)
        Of the equilibrium, as `Equilibrium.residual`; 0 for perceptrons.
    converged : ndarray of bool, shape (draws,)
    steps : ndarray of int, shape (draws,)
        Products with W.
    """

    covariance: Array
    outputs: Array
    residual: Array
    converged: NDArray[np.bool_]
    steps: NDArray[np.int64]

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each draw whose equilibrium was not found."""
        return tuple(
            f"draw {k}: residual {self.residual[k]:.1e} after {self.steps[k]} products"
            for k in np.flatnonzero(~self.converged)
        )


def generator(seed: int, draw: int) -> np.random.Generator:
    """Return the random stream of one draw; the same whatever else is drawn, and in what order."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))


def bytes_of_a_draw(network: Network, inputs: int, dimension: int, weights: Weights) -> int:
    """Bytes that one draw takes at its peak, roughly and from above."""
    n, m = network.width, inputs
    blocks = 24 * n * m + n * dimension + 4 * m * m
    if network.kind in ("mlp", "sequential"):
        matrix = n * max(n, dimension)
    elif lazily(network, inputs, weights):
        matrix = 4 * n * min(n, 64 * m)
    else:
        matrix = n * n
    return 8 * (matrix + blocks)


def lazily(network: Network, inputs: int, weights: Weights) -> bool:
    """Whether W is made up as it is applied: if few directions of many are likely to be needed."""
    if weights == "auto":
        return network.kind == "deq" and network.width > 80 * inputs
    return weights == "lazy"


def sample(
    network: Network,
    x: ArrayLike,
    draws: int,
    *,
    seed: int = 0,
    heads: int = 1,
    weights: Weights = "auto",
    tolerance: float = 1e-10,
    memory: float = MEMORY,
    progress: Callable[[float], Any] | None = None,
) -> Samples:
    """Draw networks and look at their outputs on given inputs.

    Parameters
    ----------
    network : Network
    x : array_like, shape (m, d)
    draws : int
    seed : int
        Draw k depends on it and on k alone.
    heads : int
        Independent readouts of each network; 0 for covariances alone.
    weights : {"auto", "dense", "lazy"}
        How W is drawn; the law is the same. See `verify.networks.matrices`.
    tolerance : float
        Residual at which an equilibrium is one, relative.
    memory : float
        Bytes that a draw may take.
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    Samples

    Raises
    ------
    ValueError
        For inputs with NaN, numbers out of range, or a draw that does not fit into ``memory``
        (`MemoryBudgetError`), before any work. A network that diverges is no error here: `Network`
        refuses what must, and a draw without an equilibrium is reported in the result.

    Notes
    -----
    Fluctuations of the covariance fall like n^(-1/2), its bias like n^(-1). Cost of a draw with dense
    weights: n^2 random numbers, and 2 n^2 m operations for each of 10 to 30 steps; lazily, for k steps,
    n m k random numbers and about 4 n (m k)^2 operations.
    """
    made = check_draws(x, draws, heads)
    if weights not in ("auto", "dense", "lazy"):
        raise ValueError(f"weights are auto, dense or lazy, got {weights!r}")
    if not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance must be between 0 and 1, got {tolerance!r}")
    m = len(made)
    needed = bytes_of_a_draw(network, m, made.shape[1], weights)
    needed += 8 * draws * m * (m + heads)
    check_budget(needed, memory, f"a draw of width {network.width} with {m} inputs")
    phi = unit_functions(network.phi)
    covariance = np.empty((draws, m, m))
    outputs = np.empty((draws, heads, m))
    residual, converged = np.zeros(draws), np.ones(draws, dtype=bool)
    steps = np.zeros(draws, dtype=np.int64)
    for k in range(draws):
        rng = generator(seed, k)
        z, residual[k], converged[k], steps[k] = draw_one(
            network, made, rng, phi, weights=weights, tolerance=tolerance
        )
        with np.errstate(all="ignore"):
            covariance[k] = network.sigma_v**2 / network.width * (z.T @ z)
            scale = network.sigma_v / network.width**0.5
            outputs[k] = scale * (rng.standard_normal((heads, network.width)) @ z)
            if network.sigma_c > 0.0:
                covariance[k] += network.sigma_c**2
                outputs[k] += network.sigma_c * rng.standard_normal((heads, 1))
        if not (np.isfinite(covariance[k]).all() and np.isfinite(outputs[k]).all()):
            converged[k], residual[k] = False, np.inf
        if progress is not None:
            progress((k + 1) / draws)
    return Samples(covariance, outputs, residual, converged, steps)


def draw_one(
    network: Network,
    x: Array,
    rng: np.random.Generator,
    phi: UnitFunctions,
    *,
    weights: Weights = "auto",
    tolerance: float = 1e-10,
) -> tuple[Array, float, bool, int]:
    """Draw one network and return its last hidden layer on checked inputs.

    Returns
    -------
    z : ndarray, shape (n, m)
    residual : float
    converged : bool
    steps : int
    """
    n, sigma = network.width, network.sigma_w
    if network.layers is not None:
        z = hidden_units(
            network.layers, x, draw_parameters(rng, n, x.shape[1], lazy=weights != "dense")
        )
        return z, 0.0, bool(np.isfinite(z).all()), network.layers.depth
    first = network.sigma_w if network.kind == "mlp" else network.sigma_u
    drive = first_layer(rng, x, n, first, network.sigma_b)
    if network.kind == "deq":
        lazy = lazily(network, len(x), weights)
        w = (LazyMatrix if lazy else DenseMatrix)(rng, n, sigma)
        solved = equilibrium(w.apply, drive, phi, tolerance=tolerance)
        return solved.z, solved.residual, solved.converged, solved.steps
    z = phi.value(drive)
    for _ in range(network.depth - 1):
        w = (LazyMatrix if weights == "lazy" or weights == "auto" else DenseMatrix)(rng, n, sigma)
        z = phi.value(w.apply(z) + network.sigma_b * rng.standard_normal((n, 1)))
    return z, 0.0, bool(np.isfinite(z).all()), network.depth - 1


def first_layer(
    rng: np.random.Generator, x: Array, width: int, sigma: float, sigma_b: float
) -> Array:
    """U x + b of shape (n, m), by the weights themselves."""
    drive = rng.standard_normal((width, x.shape[1])) @ x.T
    drive *= sigma / x.shape[1] ** 0.5
    drive += sigma_b * rng.standard_normal((width, 1))
    return drive
