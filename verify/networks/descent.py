"""Perceptrons of finite width, trained by gradient descent: what predictions are the limit of.

In the NTK parameterisation every parameter has unit variance at initialisation, and all are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from .network import Network
from .training import jax_modules, train

__all__ = ["Trained", "trained"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """Outputs of networks while they are trained.

    Attributes
    ----------
    outputs : ndarray, shape (networks, times, inputs)
        On training inputs, then on new ones.
    times : tuple of int
        Steps, 0 among them.
    """

    outputs: Array
    times: tuple[int, ...]


def trained(
    network: Network,
    x: Array,
    y: Array,
    times: Sequence[int],
    *,
    rate: float,
    ridge: float = 0.0,
    networks: int,
    seed: int = 0,
) -> Trained:
    """Train perceptrons from independent initialisations, all at once.

    Parameters
    ----------
    network : Network
        A perceptron.
    x : ndarray, shape (n + m, d)
        Training inputs, then new ones.
    y : ndarray, shape (n,)
    times : sequence of int
        Multiples of the first: steps of full-batch gradient descent after which outputs are recorded.
    rate : float
        Learning rate of ``mean((f - y)**2)/2``.
    ridge : float
        Of ``ridge/n |w - w_0|^2/2`` beside it.
    networks : int
    seed : int

    Returns
    -------
    Trained

    Raises
    ------
    MissingExtraError
        Without the extra widegap[train].
    """
    jax, jnp, optax = jax_modules()
    every = times[0]
    inputs = jnp.asarray(x.T)
    start, output = _perceptron(network, x.shape[1])

    def one(key: Any) -> Any:
        first = start(key)

        def loss(parameters: Any) -> Any:
            misfit = ((output(parameters, inputs[:, : len(y)]) - y) ** 2).sum()
            change = jax.tree.map(lambda a, b: ((a - b) ** 2).sum(), parameters, first)
            moved = jax.tree.reduce(jnp.add, change)
            return (misfit + ridge * moved) / (2.0 * len(y))

        return train(
            jax.grad(loss), first, optax.sgd(rate), times[-1], every=every,
            watch=lambda parameters: output(parameters, inputs),
        )[1]  # fmt: skip

    keys = jax.random.split(jax.random.key(seed % 2**63), networks)
    seen = np.asarray(jax.jit(lambda some: jax.lax.map(one, some, batch_size=64))(keys))
    wanted = (0, *times)
    return Trained(seen[:, [t // every for t in wanted]], wanted)


def _perceptron(network: Network, dimension: int) -> tuple[Any, Any]:
    """Parameters from a key, and the output of inputs that are columns."""
    jax, jnp, _ = jax_modules()
    n, depth = network.width, network.depth
    phi = sympy.lambdify(
        network.phi.symbol, network.phi.expr, [{"erf": jax.scipy.special.erf}, jnp]
    )

    def start(key: Any) -> Any:
        sizes = [(n, dimension), *[(n, n)] * (depth - 1)]
        keys = jax.random.split(key, 2 * depth + 1)
        weights = [jax.random.normal(k, size) for k, size in zip(keys, sizes, strict=False)]
        biases = [jax.random.normal(k, (n, 1)) for k in keys[depth:-1]]
        return weights, biases, jax.random.normal(keys[-1], (n,))

    def output(parameters: Any, columns: Any) -> Any:
        weights, biases, readout = parameters
        for w, b in zip(weights, biases, strict=True):
            scale = network.sigma_w / w.shape[1] ** 0.5
            columns = phi(scale * (w @ columns) + network.sigma_b * b)
        return network.sigma_v / n**0.5 * (readout @ columns)

    return start, output
