"""Networks of finite width, drawn at random: what the kernels are the limit of.

Conventions as in `theory.kernels.recursion`. Covariances are those of the outputs given the hidden weights,
``sigma_v^2 <z, z'>/n``: the readout is integrated out exactly, which leaves the fluctuations that matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Iterated", "equilibrium_covariances", "equilibrium_steps", "perceptron_variances"]

Array = NDArray[np.float64]


def equilibrium_covariances(
    rng: np.random.Generator,
    x: Array,
    phi: Callable[[Array], Array],
    *,
    width: int,
    networks: int,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float,
    depth: int | None = None,
    progress: Callable[[float], Any] = lambda fraction: None,
) -> Array:
    """Output covariances of equilibrium models with shared weights, one matrix for each network.

    Parameters
    ----------
    rng : numpy.random.Generator
    x : ndarray, shape (inputs, d)
    phi : callable
        The activation, vectorised.
    width, networks : int
    sigma_w, sigma_u, sigma_b : float
    depth : int, optional
        Stop after so many applications of the layer; by default when nothing moves by more than 1e-9.
    progress : callable
        Told the fraction done.

    Returns
    -------
    ndarray, shape (networks, inputs, inputs)

    Raises
    ------
    ArithmeticError
        If an equilibrium is not reached in 1000 steps.
    """
    covariances = np.empty((networks, len(x), len(x)))
    d = x.shape[1]
    for k in range(networks):
        progress(k / networks)
        w = rng.standard_normal((width, width)) * (sigma_w / width**0.5)
        drive = rng.standard_normal((width, d)) @ x.T * (sigma_u / d**0.5)
        drive += sigma_b * rng.standard_normal((width, 1))
        z = np.zeros_like(drive)
        for step in range(1000 if depth is None else depth):
            new = phi(w @ z + drive)
            moved = float(np.abs(new - z).max())
            z = new
            if depth is None and moved < 1e-9:
                break
            if depth is None and step == 999:
                raise ArithmeticError(f"no equilibrium after 1000 steps: moved by {moved:.1e}")
        covariances[k] = z.T @ z / width
    return covariances


@dataclass(frozen=True)
class Iterated:
    """Steps of equilibrium models at one input, each a mean over the units.

    Attributes
    ----------
    squares : ndarray, shape (networks, steps)
        Of z_k, k = 1, 2, ..
    residuals : ndarray, shape (networks, steps - 1)
        Of z_{k+1} - z_k.
    ends : ndarray, shape (networks,)
        Squares at the equilibrium.
    """

    squares: Array
    residuals: Array
    ends: Array


def equilibrium_steps(
    rng: np.random.Generator,
    phi: Callable[[Array], Array],
    *,
    width: int,
    networks: int,
    steps: int,
    sigma_w: float,
    variance: float,
) -> Iterated:
    """Iterate equilibrium models of one input from 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    phi : callable
    width, networks, steps : int
    sigma_w : float
    variance : float
        S, of the input's part of a pre-activation.

    Returns
    -------
    Iterated
        The equilibrium is that after 100 more steps.
    """
    squares, residuals = np.empty((networks, steps)), np.empty((networks, steps - 1))
    ends = np.empty(networks)
    for k in range(networks):
        w = rng.standard_normal((width, width)) * (sigma_w / width**0.5)
        drive = variance**0.5 * rng.standard_normal(width)
        z = phi(drive)
        squares[k, 0] = z @ z / width
        for step in range(1, steps + 100):
            new = phi(w @ z + drive)
            if step < steps:
                squares[k, step] = new @ new / width
                residuals[k, step - 1] = (new - z) @ (new - z) / width
            z = new
        ends[k] = z @ z / width
    return Iterated(squares, residuals, ends)


def perceptron_variances(
    rng: np.random.Generator, *, width: int, depth: int, networks: int
) -> Array:
    """``<z, z>/n`` of ReLU networks at sigma_w^2 = 2 with fresh weights in every layer.

    Parameters
    ----------
    rng : numpy.random.Generator
    width, depth, networks : int

    Returns
    -------
    ndarray, shape (networks, depth)
        After each layer, in units of the limit of infinite width.

    Notes
    -----
    Given the layer below, pre-activations are independent normals with variance 2 <z, z>/n. The layer's
    ``<z, z>/n`` is therefore that number times a mean of n independent squares of rectified normals, and no
    matrix is needed: exact, and cheap.
    """
    scales = np.empty((networks, depth))
    scale = np.ones(networks)
    for layer in range(depth):
        h = rng.standard_normal((networks, width))
        scale = scale * 2.0 * np.mean(np.maximum(h, 0.0) ** 2, axis=1)
        scales[:, layer] = scale
    return scales
