"""Networks trained with numbers alone, to rest if they are smooth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from numerics.reconstruction.network import Network
from numerics.reconstruction.stationarity import slopes, targets_of
from theory.reconstruction.network import weight_gradients


def random_network(
    sizes: tuple[int, ...], seed: int, sharpness: float | None = None, conv: bool = False
) -> Network:
    """Normal weights with biases in the first layer; ``conv`` has 3 channels of 2 by 2 on 4 by 4 pixels."""
    rng = np.random.default_rng(seed)
    arrays = {"b1": 0.3 * rng.standard_normal(3 if conv else sizes[1])}
    if conv:
        arrays["W1"] = rng.standard_normal((3, 1, 2, 2)) / 2
        sizes = (0, 27, *sizes)
    for k in range(2 if conv else 1, len(sizes)):
        arrays[f"W{k}"] = rng.standard_normal((sizes[k], sizes[k - 1])) / sizes[k - 1] ** 0.5
    return Network.of(arrays, sharpness)


def gradient(network: Network, x, targets, loss: str, decay: float) -> list[np.ndarray]:
    passed = network.passed(x)
    pull = slopes(passed.outputs, targets, loss, 0.4) / len(x)
    parts = weight_gradients(network.back(passed.gates, pull), passed.rows)
    return [p + decay * w for p, w in zip(parts, network.weights, strict=True)]


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Network]:
    return random_network


@pytest.fixture(scope="session")
def smooth() -> Callable[..., tuple[Network, np.ndarray, np.ndarray]]:
    """Return ``smooth(loss, decay)``: a softplus network at rest, its samples and targets."""

    def trained(loss: str, decay: float, seed: int = 0):
        outputs = 3 if loss == "cross-entropy" else 1
        network = random_network((12, 24, outputs), seed, 1.0)
        rng = np.random.default_rng(seed + 1)
        x = rng.standard_normal((5, 12))
        y = rng.permutation(5) % 3 if outputs > 1 else np.array([1.0, -1, 1, -1, 1])
        targets = targets_of(outputs, y, loss)
        ends = np.cumsum([w.size for w in network.weights])[:-1]

        def at(v: np.ndarray) -> Network:
            parts = zip(np.split(v, ends), network.weights, strict=True)
            return replace(network, weights=tuple(p.reshape(w.shape) for p, w in parts))

        losses = {
            "squared": lambda f: (f - targets) ** 2 / 2,
            "huber": lambda f: np.where(
                abs(f - targets) <= 0.4, (f - targets) ** 2 / 2, 0.4 * abs(f - targets) - 0.08
            ),
            "logistic": lambda f: np.logaddexp(0.0, -targets * f),
            "cross-entropy": lambda f: np.log(np.exp(f).sum(axis=1)) - (f * targets).sum(axis=1),
        }

        def value(v: np.ndarray) -> tuple[float, np.ndarray]:
            here = at(v)
            grads = gradient(here, x, targets, loss, decay)
            risk = losses[loss](here.passed(x).outputs).sum() / len(x) + decay / 2 * v @ v
            return risk, np.concatenate([g.ravel() for g in grads])

        v = np.concatenate([w.ravel() for w in network.weights])
        options = {"maxiter": 20000, "maxfun": 40000, "ftol": 0.0, "gtol": 1e-11, "maxcor": 40}
        return at(minimize(value, v, jac=True, method="L-BFGS-B", options=options).x), x, y

    return trained


def descended(network: Network, x, y, loss: str, decay: float, steps: int, rate: float) -> Network:
    """Gradient descent with momentum 0.9, its rate falling along a cosine."""
    targets, speed = targets_of(network.outputs, y, loss), [0.0] * len(network.weights)
    for step in range(steps):
        now = rate * (1 + np.cos(np.pi * step / steps)) / 2
        slope = gradient(network, x, targets, loss, decay)
        speed = [0.9 * s - now * g for s, g in zip(speed, slope, strict=True)]
        weights = tuple(w + s for w, s in zip(network.weights, speed, strict=True))
        network = replace(network, weights=weights)
    return network


@pytest.fixture(scope="session")
def relu() -> tuple[Network, np.ndarray, np.ndarray]:
    """A ReLU network near rest, trained with the cross-entropy and decay 0.01; 4 samples."""
    x, y = np.random.default_rng(4).standard_normal((4, 10)) / 3, np.arange(4)
    network = random_network((10, 150, 4), 3)
    return descended(network, x, y, "cross-entropy", 0.01, 1500, 0.1), x, y


@pytest.fixture(scope="session")
def fitted() -> Callable[..., tuple[Network, np.ndarray, np.ndarray, float]]:
    """Return ``fitted(decay, steps, start)``: 8 normal samples, 200 units, squared loss; the start's norm."""

    def trained(decay: float, steps: int, start: float):
        x = np.random.default_rng(0).standard_normal((8, 20))
        y = np.where(np.arange(8) % 2, 1.0, -1.0)
        network = random_network((20, 200, 1), 1)
        weights = tuple(start * w * w.shape[1] ** 0.5 for w in network.weights)
        network = replace(network, weights=weights)
        norm = network.norm
        return descended(network, x, y, "squared", decay, steps, 0.03), x, y, norm

    return trained
