"""Digits, whitened populations and a local task; kernels of patches; errors as they are measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import kernel
from theory import DEQ, MLP
from verify.extras import need

__all__ = [
    "SYSTEMS",
    "accuracy",
    "digits",
    "local_task",
    "measured",
    "one_hot",
    "orthogonal",
    "patch_kernel",
    "pooled_kernel",
    "power_laws",
    "whitened",
]

Array = NDArray[np.float64]
PERCEPTRON = MLP("relu", depth=2, sigma_w=math.sqrt(2.0), sigma_b=0, sigma_v=1)
EQUILIBRIUM = DEQ("relu", sigma_w=0.6)
SYSTEMS: dict[str, tuple[MLP | DEQ, Any]] = {
    "nngp": (PERCEPTRON, "nngp"),
    "ntk": (PERCEPTRON, "ntk"),
    "deq-nngp": (EQUILIBRIUM, "nngp"),
    "deq-ntk": (EQUILIBRIUM, "ntk"),
}
"""Kernels that are measured: two hidden layers, and an equilibrium."""
PATCH = MLP("relu", depth=1, sigma_w=math.sqrt(2.0), sigma_b=0, sigma_v=1)
_SIDE = 3
SIDE = 6
"""Of the local task's images; a patch is 3 x 3."""
STRENGTH = 2.0
_PATTERNS = np.array([[[1, -1, 1], [-1, 1, -1], [1, -1, 1]], [[1, 1, 1], [-1, -1, -1], [1, 1, 1]]])


def digits() -> tuple[Array, NDArray[np.int64]]:
    """Return scikit-learn's 1797 digits, centred, each of length sqrt(64), and their labels.

    Raises
    ------
    MissingExtraError
        Without scikit-learn.
    """
    need("sklearn")
    from sklearn.datasets import load_digits

    x, labels = load_digits(return_X_y=True)
    x = x - x.mean(axis=0)
    return x * (8.0 / np.linalg.norm(x, axis=1, keepdims=True)), labels


def one_hot(labels: NDArray[np.int64]) -> Array:
    """Return targets less their mean over classes."""
    classes = int(labels.max()) + 1
    return np.eye(classes)[labels] - 1.0 / classes


def orthogonal(rng: np.random.Generator, size: int) -> Array:
    """Draw a uniform orthogonal matrix."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(r.diagonal())


def power_laws(population: int, alpha: float, tail: float) -> tuple[Array, Array]:
    """Return eigenvalues i^-alpha, and weights whose sum beyond mode i is (i + 1)^-tail."""
    i = np.arange(1.0, population + 1.0)
    ends = np.append(i**-tail, 0.0)
    return i**-alpha, ends[:-1] - ends[1:]


def whitened(
    rng: np.random.Generator, population: int, alpha: float, tail: float
) -> tuple[Array, Array, Array]:
    """Draw a population with these spectra and eigenvectors in general position, orthonormal columns."""
    return *power_laws(population, alpha, tail), orthogonal(rng, population)


def local_task(rng: np.random.Generator, count: int) -> tuple[Array, NDArray[np.int64]]:
    """Draw noise of 36 pixels with one of two 3 x 3 patterns, the label, at a place of its own."""
    x = rng.standard_normal((count, SIDE, SIDE))
    labels = rng.integers(2, size=count)
    for image, label, (i, j) in zip(
        x, labels, rng.integers(SIDE - _SIDE + 1, size=(count, 2)), strict=True
    ):
        image[i : i + _SIDE, j : j + _SIDE] += STRENGTH * _PATTERNS[label]
    return x.reshape(count, -1), labels


def _patches(x: Array) -> Array:
    """Patches of square images, shape (n, places, 9)."""
    side = math.isqrt(x.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(
        x.reshape(-1, side, side), (_SIDE, _SIDE), (1, 2)
    )
    return windows.reshape(len(x), -1, _SIDE**2)


def patch_kernel(x: Array) -> Array:
    """NNGP of 3 x 3 patches at the same places, averaged: a locally connected layer of infinite width."""
    parts = _patches(x).transpose(1, 0, 2)
    return sum((kernel(PATCH, np.ascontiguousarray(p)).nngp for p in parts), np.zeros(1)) / len(
        parts
    )


def pooled_kernel(x: Array) -> Array:
    """NNGP of 3 x 3 patches, averaged over all pairs of places: a convolution whose outputs are pooled."""
    parts = _patches(x)
    count, places = parts.shape[:2]
    whole = kernel(PATCH, parts.reshape(count * places, -1)).nngp
    return whole.reshape(count, places, count, places).mean(axis=(1, 3))


def measured(
    gram: Array, targets: Array, chosen: NDArray[np.int64], ridge: float = 0.0
) -> tuple[float, Array]:
    """Mean squared error of kernel ridge regression over the population, and its predictions.

    Parameters
    ----------
    gram : ndarray, shape (n, n)
        Of the population.
    targets : ndarray, shape (n, outputs)
    chosen : ndarray of int
        Training points; of those drawn twice one is kept without a ridge.
    ridge : float
    """
    chosen = chosen if ridge else np.unique(chosen)
    inner = gram[np.ix_(chosen, chosen)] + ridge * np.eye(len(chosen))
    found = gram[:, chosen] @ np.linalg.solve(inner, targets[chosen])
    return float(((found - targets) ** 2).sum(axis=1).mean()), found


def accuracy(found: Array, labels: NDArray[np.int64], trained: NDArray[np.int64]) -> float:
    """Share of correct labels among points that were not trained on."""
    rest = np.setdiff1d(np.arange(len(labels)), trained)
    return float((found[rest].argmax(axis=1) == labels[rest]).mean())
