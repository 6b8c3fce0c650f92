"""Very many networks of moderate width at once, with what makes their means precise.

Biases of order 1/n hide below fluctuations of order n^(-1/2). Every draw therefore also returns *controls*:
functions of what was drawn on the way whose expectation is exactly zero, by the exact normality of a layer
given the layer below, and without any kernel. What they explain of the fluctuations is subtracted
(`verify.networks.laws.controlled`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .functions import UnitFunctions, unit_functions
from .network import MEMORY, Network, check_budget, check_draws
from .solvers import equilibrium

__all__ = ["Ensemble", "ensemble"]

Array = NDArray[np.float64]
_CACHE = 2**18
"""Numbers of the matrices that are worked on at a time: they stay in the second-level cache."""
_STEPS = 200
_DIRECTIONS = 8
_FEW = 4
"""Inputs up to which every entry has controls of its own."""


@dataclass(frozen=True)
class Ensemble:
    """Networks drawn at once.

    Attributes
    ----------
    covariance : ndarray, shape (draws, m, m)
        sigma_v^2 <z_i, z_j>/n.
    outputs : ndarray, shape (draws, m)
        Of one readout.
    controls : ndarray, shape (draws, p)
        Of mean zero, exactly: moments of each layer's pre-activations for each pair of inputs, or for
        more than four inputs their means over equal and over different pairs.
    residual : ndarray, shape (draws,)
        As `Equilibrium.residual`.
    converged : ndarray of bool, shape (draws,)
    """

    covariance: Array
    outputs: Array
    controls: Array
    residual: Array
    converged: NDArray[np.bool_]


def ensemble(
    network: Network,
    x: ArrayLike,
    draws: int,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-8,
    memory: float = MEMORY,
    progress: Callable[[float], Any] | None = None,
) -> Ensemble:
    """Draw many networks at once.

    Parameters
    ----------
    network : Network
    x : array_like, shape (m, d)
    draws : int
    rng : numpy.random.Generator
    tolerance : float
        Residual of the equilibria.
    memory : float
        Bytes for everything.
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    Ensemble

    Raises
    ------
    ValueError
        As `sample`, before any work.

    Notes
    -----
    Given the layer below, pre-activations of a perceptron are independent normal rows with the covariance
    sigma_w^2 <z, z'>/n + sigma_b^2: drawn as such, exactly, for n m numbers a layer instead of n^2.
    Equilibrium models have their matrices, and the plain iteration, in blocks that stay in cache; draws it
    leaves undone go to `equilibrium`. Cost of a draw: n^2 numbers and 2 n^2 m operations a step.
    """
    made = check_draws(x, draws)
    if network.layers is not None:
        raise ValueError("networks of any order of layers are drawn one by one: use sample")
    n, m = network.width, len(made)
    count = _controls_of(network, m)
    block = max(1, min(draws, _CACHE // (n * (n if network.kind == "deq" else m))))
    needed = 8 * (draws * (m * m + m + count + 2) + block * (n * n + 12 * n * m))
    check_budget(needed, memory, f"{draws} networks of width {n} with {m} inputs")
    phi = unit_functions(network.phi)
    covariance, outputs = np.empty((draws, m, m)), np.empty((draws, m))
    controls = np.empty((draws, count))
    residual, converged = np.zeros(draws), np.ones(draws, dtype=bool)
    first = network.sigma_w if network.kind == "mlp" else network.sigma_u
    start = first**2 * (made @ made.T) / made.shape[1] + network.sigma_b**2
    scale = network.sigma_v / n**0.5
    for at in range(0, draws, block):
        some = slice(at, min(at + block, draws))
        size = some.stop - some.start
        begin = np.broadcast_to(start, (size, m, m))
        if network.kind == "deq":
            z, controls[some], residual[some] = _equilibria(network, begin, rng, phi, tolerance)
            converged[some] = residual[some] <= tolerance
        else:
            z, controls[some] = _layers(network, begin, rng, phi)
        covariance[some] = scale**2 * (z.transpose(0, 2, 1) @ z)
        outputs[some] = scale * (rng.standard_normal((size, 1, n)) @ z)[:, 0]
        if progress is not None:
            progress(some.stop / draws)
    return Ensemble(covariance, outputs, controls, residual, converged)


def _controls_of(network: Network, m: int) -> int:
    one = 6 if m > _FEW else m * (m + 1) + m * m
    k = _DIRECTIONS
    return one + 2 * k + k * k + k if network.kind == "deq" else network.depth * one


def _normal_rows(rng: np.random.Generator, covariance: Array, n: int) -> Array:
    """Rows of n normal vectors for each covariance, which may be singular; shape (size, n, m)."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    noise = rng.standard_normal((len(covariance), n, covariance.shape[1]))
    return noise @ root.transpose(0, 2, 1)


def _moments(h: Array, covariance: Array) -> list[Array]:
    """Means over the rows of functions of mean zero, for normal rows of these covariances."""
    n = h.shape[1]
    squares, own = h * h, np.diagonal(covariance, axis1=1, axis2=2)
    second = h.transpose(0, 2, 1) @ h / n - covariance
    fourth = squares.transpose(0, 2, 1) @ squares / n
    fourth -= own[:, :, None] * own[:, None, :] + 2.0 * covariance**2
    odd = h.transpose(0, 2, 1) @ np.abs(h) / n
    return [_entries(second, symmetric=True), _entries(fourth, symmetric=True), _entries(odd)]


def _entries(matrices: Array, symmetric: bool = False) -> Array:
    """Entries of small matrices; of larger ones the means on and off the diagonal."""
    m = matrices.shape[1]
    if m > _FEW:
        trace = np.trace(matrices, axis1=1, axis2=2)
        rest = matrices.sum(axis=(1, 2)) - trace
        return np.stack([trace / m, rest / (m * (m - 1))], axis=1)
    if symmetric:
        i, j = np.triu_indices(m)
        return matrices[:, i, j]
    return matrices.reshape(len(matrices), m * m)


def _layers(
    network: Network, start: Array, rng: np.random.Generator, phi: UnitFunctions
) -> tuple[Array, Array]:
    controls: list[Array] = []
    covariance, n = start, network.width
    z = np.empty(0)
    for layer in range(network.depth):
        if layer:
            covariance = network.sigma_w**2 / n * (z.transpose(0, 2, 1) @ z) + network.sigma_b**2
        h = _normal_rows(rng, covariance, n)
        controls += _moments(h, covariance)
        z = phi.value(h)
    return z, np.concatenate(controls, axis=1)


def _equilibria(
    network: Network, start: Array, rng: np.random.Generator, phi: UnitFunctions, tolerance: float
) -> tuple[Array, Array, Array]:
    n, size = network.width, len(start)
    drive = _normal_rows(rng, start, n)
    w = rng.standard_normal((size, n, n))
    w *= network.sigma_w / n**0.5
    z, rows = _from_below(w, drive, phi, network.sigma_w)
    controls = [*_moments(drive, start), rows]
    image, worst = phi.value(w @ z + drive), np.full(size, np.inf)
    for _ in range(_STEPS):
        z, image = image, phi.value(w @ image + drive)
        worst = np.max(
            np.linalg.norm(image - z, axis=1) / np.maximum(np.linalg.norm(z, axis=1), 1e-300),
            axis=1,
        )
        if not np.max(worst) > tolerance:
            break
    for k in np.flatnonzero(~(worst <= tolerance)):
        own = w[k]
        solved = equilibrium(lambda v, own=own: own @ v, drive[k], phi, tolerance=tolerance)
        z[k], worst[k] = solved.z, solved.residual
    return z, np.concatenate(controls, axis=1), worst


def _from_below(w: Array, drive: Array, phi: UnitFunctions, sigma: float) -> tuple[Array, Array]:
    """First iterates, and controls: W maps each new orthogonal direction to an independent normal vector.

    Given what was seen before, the image a of a new direction q of the first input's iterates has entries
    N(0, sigma^2/n): its products with drive, earlier images and directions have mean zero, its square has
    mean sigma^2.
    """
    n = w.shape[1]
    z, start = phi.value(drive), drive[:, :, 0] / n**0.5
    cube = n * start**3
    seen: list[Array] = []
    images: list[Array] = []
    rows: list[Array] = []
    for _ in range(_DIRECTIONS):
        q = z[:, :, 0].copy()
        for _twice in range(2):
            for other in seen:
                q -= other * _products(other, q)[:, None]
        length = np.linalg.norm(q, axis=1)[:, None]
        # nothing new, or no room for it: a direction of length 0 has controls that are 0
        q = np.where(length > 1e-10, q / np.maximum(length, 1e-300), 0.0) * (len(seen) < n)
        image = (w @ q[:, :, None])[:, :, 0]
        rows += [_products(start, image), _products(cube, image)]
        rows += [_products(other, image) for other in images]
        rows.append(_products(image, image) - sigma**2 * _products(q, q))
        seen.append(q)
        images.append(image)
        rows += [_products(other, image) for other in seen]
        z = phi.value(w @ z + drive)
    return z, np.stack(rows, axis=1)


def _products(one: Array, other: Array) -> Array:
    return np.einsum("ki,ki->k", one, other)
