"""Two linear networks, their data and the gradients of their local losses, evaluated from theory's."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import lambdify

from theory import countercurrent as theory

Array = NDArray[np.float64]

__all__ = [
    "MOST",
    "Weights",
    "check_sizes",
    "first_weights",
    "gradient",
    "mixture",
    "reduced",
    "states",
]

MOST = {"inputs": 512, "classes": 100, "width": 512, "depth": 20}
"""Largest networks; the flow of 512 units and 20 layers has ten million weights."""


class Weights(NamedTuple):
    """Weights of both networks, or gradients in them.

    Attributes
    ----------
    forward : tuple of ndarray
        W_1 to W_L, of shape (units before, units).
    back : tuple of ndarray
        V_1 to V_L, of shape (units, units before): V_l leads from layer l to layer l - 1.
    """

    forward: tuple[Array, ...]
    back: tuple[Array, ...]


def check_sizes(**sizes: int) -> None:
    """Make sure that sizes of networks are integers within `MOST`, and widths no smaller than classes.

    Raises
    ------
    ValueError
        If they are not.
    """
    for name, value in sizes.items():
        least = 2 if name == "classes" else 1
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} is an integer, got {value!r}")
        if not least <= value <= MOST[name]:
            raise ValueError(f"{name} is an integer from {least} to {MOST[name]}, got {value}")
    width, classes = sizes.get("width"), sizes.get("classes")
    if width is not None and classes is not None and width < classes:
        raise ValueError(
            f"width {width} is below the number of classes, {classes}: signals lose their rank, and layers "
            f"cannot come to rest at least squares; take a width of at least {classes}"
        )


def mixture(
    inputs: int, classes: int, samples: int, *, seed: int = 0
) -> tuple[Array, NDArray[Any]]:
    """Draw white inputs (mean 0, covariance the identity) of classes with means two deviations from 0.

    Returns
    -------
    x : ndarray, shape (samples, inputs)
    labels : ndarray of int, shape (samples,)
        In equal parts.
    """
    check_sizes(inputs=inputs, classes=classes)
    if not inputs < samples <= 10**5:
        raise ValueError(f"white inputs take from {inputs + 1} to 100000 samples, got {samples}")
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    x = (
        rng.standard_normal((samples, inputs))
        + 2.0 * rng.standard_normal((classes, inputs))[labels]
    )
    x -= x.mean(axis=0)
    left, _, right = np.linalg.svd(x, full_matrices=False)
    return left @ right * math.sqrt(samples), labels


def reduced(x: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    """Reduce data to what the flow depends on: a square root of X'X/n, and labels in its coordinates.

    Parameters
    ----------
    x : array_like, shape (n, d)
    labels : array_like of int, shape (n,)
        0 to K - 1.

    Returns
    -------
    root : ndarray, shape (rank, d)
    targets : ndarray, shape (rank, K)
        Least squares: the fit of rest, `theory.countercurrent.LAWS["least-squares"]`.

    Raises
    ------
    ValueError
        For data that make no sense.
    """
    x, labels = np.asarray(x, dtype=float), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1] or not np.isfinite(x).all():
        raise ValueError(
            f"x is a finite matrix with a label for each row; got shapes {x.shape} and {labels.shape}"
        )
    if (
        labels.dtype.kind not in "iu"
        or labels.min() < 0
        or len(np.unique(labels)) != labels.max() + 1
    ):
        raise ValueError("labels are integers from 0 to K - 1, each of them there")
    y = np.eye(int(labels.max()) + 1)[labels]
    left, sizes, right = np.linalg.svd(x / math.sqrt(len(x)), full_matrices=False)
    kept = sizes > 1e-10 * sizes.max()
    return sizes[kept, None] * right[kept], left.T[kept] @ y / math.sqrt(len(x))


def first_weights(
    inputs: int, classes: int, width: int, depth: int, *, gain: float = 1.0, seed: int = 0
) -> Weights:
    """Draw weights, uniform up to gain/sqrt(units that are summed), as the source has them for a gain of 1.

    Parameters
    ----------
    inputs, classes, width, depth : int
        Depth is the number of hidden layers.
    gain : float
    seed : int
    """
    check_sizes(inputs=inputs, classes=classes, width=width, depth=depth)
    if not 0.0 < gain <= 100.0:
        raise ValueError(f"a gain is a number above 0 and at most 100, got {gain}")
    rng = np.random.default_rng(seed)
    sizes = [inputs, *[width] * depth, classes]
    pairs = list(pairwise(sizes))

    def draw(before: int, units: int) -> Array:
        return gain * rng.uniform(-1.0, 1.0, (before, units)) / math.sqrt(before)

    return Weights(tuple(draw(a, b) for a, b in pairs), tuple(draw(b, a) for a, b in pairs))


def states(weights: Weights, x: Array) -> tuple[list[Array], list[Array]]:
    """Outputs A_0 .. A_L and signals B_0 .. B_L of linear networks."""
    outputs, signals = [x], [np.eye(weights.forward[-1].shape[1])]
    for matrix in weights.forward:
        outputs.append(outputs[-1] @ matrix)
    for matrix in reversed(weights.back):
        signals.append(signals[-1] @ matrix)
    return outputs, signals[::-1]


@cache
def _compiled() -> tuple[Any, Any]:
    """Theory's gradients in W and V, as functions of arrays."""
    given = (theory.A, theory.W, theory.B, theory.V, theory.Y)
    forward, back = (lambdify(given, gradient, "numpy") for gradient in theory.gradients())
    return forward, back


def gradient(weights: Weights, x: Array, y: Array) -> Weights:
    """Gradients of all weights, each of the half squared error of its own layer, |A_l B_l' - y|^2/2."""
    in_forward, in_back = _compiled()
    outputs, signals = states(weights, x)
    inputs, classes = np.eye(x.shape[1]), np.eye(y.shape[1])
    layers = zip(
        (x, *outputs[:-1]), (inputs, *weights.forward),
        (*signals[1:], classes), (*weights.back, classes), strict=True,
    )  # fmt: skip
    found = [(in_forward(*layer, y), in_back(*layer, y)) for layer in layers]
    return Weights(tuple(w for w, _ in found[1:]), tuple(v for _, v in found[:-1]))
