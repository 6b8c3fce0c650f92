"""Finite networks of any order of layers, forwards and, for their tangent kernels, backwards.

Activations are matrices of shape (units, inputs). In the NTK parameterisation every weight is its standard
deviation times a parameter of unit variance, over the root of the fan-in; in the standard one, with n = s N
units, it is a parameter of variance sigma^2/s over the root of N (`theory.Sequential`): the same network,
whose gradients are counted in other units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from theory.kernels.layers import Dense, Layer, LayerNorm, Pointwise, Residual
from theory.kernels.sequential import Sequential

from .functions import unit_functions
from .matrices import LazyMatrix

__all__ = ["Parameters", "draw_parameters", "hidden_units", "outputs_and_tangent"]

Array = NDArray[np.float64]
Pull = Callable[[Array], tuple[Array, Array | float]]
"""From the outputs' gradients in a layer's units to those in the units before, and its tangent kernel."""


class Matrix(Protocol):
    """Weights of unit variance."""

    def apply(self, z: Array) -> Array:
        """W z."""
        ...

    def pull(self, a: Array) -> Array:
        """W' a."""
        ...


@dataclass(frozen=True)
class Entries:
    """A matrix that is there."""

    entries: Array

    def apply(self, z: Array) -> Array:
        """W z."""
        return self.entries @ z

    def pull(self, a: Array) -> Array:
        """W' a."""
        return self.entries.T @ a


class Unseen(LazyMatrix):
    """A square matrix that is made up as it is applied, of which gradients cannot be taken."""

    def __init__(self, rng: np.random.Generator, width: int) -> None:
        super().__init__(rng, width, width**0.5)

    def pull(self, a: Array) -> Array:
        """Refuse."""
        raise NotImplementedError("a matrix that is made up as it is applied has no transpose")


Parameters = Iterator[tuple[Matrix, Array]]
"""Weights and biases of unit variance, in the order in which `theory` walks through the layers."""


def draw_parameters(
    rng: np.random.Generator, width: int, dimension: int, lazy: bool = False
) -> Parameters:
    """Draw weights and biases layer by layer, as they are asked for.

    Parameters
    ----------
    rng : numpy.random.Generator
    width, dimension : int
    lazy : bool
        Whether hidden matrices are made up as they are applied (`verify.networks.matrices`).
    """
    yield Entries(rng.standard_normal((width, dimension))), rng.standard_normal((width, 1))
    while True:
        square: Matrix = (
            Unseen(rng, width) if lazy else Entries(rng.standard_normal((width, width)))
        )
        yield square, rng.standard_normal((width, 1))


def hidden_units(model: Sequential, x: Array, parameters: Parameters) -> Array:
    """Units before the readout, shape (width, inputs)."""
    return _through(model.layers[:-1], x.T, parameters, None)[0]


def outputs_and_tangent(
    model: Sequential, x: Array, parameters: Parameters, readout: tuple[Array, float]
) -> tuple[Array, Array, Array]:
    """Tangent kernel, covariance given the hidden weights, and outputs of a network.

    Parameters
    ----------
    model : Sequential
    x : ndarray, shape (m, d)
    parameters : Parameters
        Of all layers but the readout.
    readout : tuple of ndarray, shape (width,), and float
        Its weights and its bias, of unit variance.

    Returns
    -------
    tuple of ndarray, shapes (m, m), (m, m) and (m,)
    """
    standard = model.parameterisation == "standard"
    units = (float(x.shape[1]), float(model.width)) if standard else (None, None)
    h, first = _dense(model.layers[0], x.T, parameters, units[0])
    z, rest = _through(model.layers[1:-1], h, parameters, units[1])
    v, c = readout
    sigma, bias = _scales(model.readout)
    outputs = sigma / len(z) ** 0.5 * (v @ z) + bias * c
    covariance = sigma**2 * (z.T @ z) / len(z) + bias**2
    ntk = _own(model.readout, z, units[1])
    a, later = rest(np.repeat(sigma / len(z) ** 0.5 * v[:, None], len(x), axis=1))
    return np.asarray(ntk + later + first(a)[1] + 0.0 * covariance), covariance, outputs


def _scales(layer: Dense) -> tuple[float, float]:
    return float(layer.sigma_w), float(layer.sigma_b or 0)


def _own(layer: Dense, z: Array, units: float | None) -> Array | float:
    """Products of the gradients of one unit in a layer's own parameters."""
    if not layer.trained:
        return 0.0
    mean = z.T @ z / len(z)
    sigma, bias = _scales(layer)
    if units is None:
        return sigma**2 * mean + bias**2
    return units * mean + (layer.sigma_b is not None)


def _dense(
    layer: Layer, z: Array, parameters: Parameters, units: float | None
) -> tuple[Array, Pull]:
    assert isinstance(layer, Dense)
    w, b = next(parameters)
    sigma, bias = _scales(layer)
    step = sigma / len(z) ** 0.5

    def pull(a: Array) -> tuple[Array, Array | float]:
        return step * w.pull(a), (a.T @ a) * _own(layer, z, units)

    return step * w.apply(z) + bias * b, pull


def _pointwise(layer: Pointwise, h: Array) -> tuple[Array, Pull]:
    phi = unit_functions(layer.phi)
    return phi.value(h), lambda a: (phi.slope(h) * a, 0.0)


def _norm(h: Array) -> tuple[Array, Pull]:
    centred = h - h.mean(axis=0)
    size = np.sqrt((centred**2).mean(axis=0))
    z = centred / size

    def pull(a: Array) -> tuple[Array, float]:
        return (a - a.mean(axis=0) - z * (a * z).mean(axis=0)) / size, 0.0

    return z, pull


def _residual(
    layer: Residual, z: Array, parameters: Parameters, units: float | None
) -> tuple[Array, Pull]:
    body, pull_body = _through(layer.body, z, parameters, units)
    if layer.skip is None:
        side, pull_side = z, _unchanged
    else:
        side, pull_side = _dense(layer.skip, z, parameters, units)

    def pull(a: Array) -> tuple[Array, Array | float]:
        (one, own), (two, other) = pull_body(a), pull_side(a)
        return one + two, own + other

    return side + body, pull


def _unchanged(a: Array) -> tuple[Array, float]:
    return a, 0.0


def _through(
    layers: Sequence[Layer], z: Array, parameters: Parameters, units: float | None
) -> tuple[Array, Pull]:
    pulls: list[Pull] = []
    for layer in layers:
        made: Any
        if isinstance(layer, Dense):
            made = _dense(layer, z, parameters, units)
        elif isinstance(layer, Pointwise):
            made = _pointwise(layer, z)
        elif isinstance(layer, LayerNorm):
            made = _norm(z)
        else:
            made = _residual(layer, z, parameters, units)
        z, pull = made
        pulls.append(pull)

    def back(a: Array) -> tuple[Array, Array | float]:
        total: Array | float = 0.0
        for pull in reversed(pulls):
            a, own = pull(a)
            total = total + own
        return a, total

    return z, back
