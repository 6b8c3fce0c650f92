"""The two perceptrons of the source, in JAX: bottleneck and standard, initialised as PyTorch does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verify.networks.training import jax_modules, train

__all__ = ["NetworkKind", "initial", "outputs", "parameters", "smoothed_loss", "trained", "turned"]

Array = NDArray[np.float64]
NetworkKind = Literal["bottleneck", "standard"]
SMOOTHING = 0.3
"""Label smoothing of the released pre-training and fine-tuning."""
EXPANSION = 4


def initial(
    kind: NetworkKind, key: Any, inputs: int, width: int, blocks: int, classes: int
) -> dict[str, Any]:
    """Draw a network: weights and biases uniform within 1/sqrt(fan-in), gains 1, shifts 0.

    Parameters
    ----------
    kind : {"bottleneck", "standard"}
        Blocks z + W2 gelu(W1 LN(z)) with four times the width inside, or W gelu(LN(z)).
    key : jax.Array
    inputs, width, blocks, classes : int

    Returns
    -------
    dict
        "into", "blocks" (gain, shift, one or two maps each), "out"; a map is its matrix and its biases.
    """
    jax, jnp, _ = jax_modules()
    shape = [(width, EXPANSION * width), (EXPANSION * width, width)]
    inner = shape if kind == "bottleneck" else [(width, width)]
    keys = iter(jax.random.split(key, 2 * (2 + blocks * len(inner))))

    def linear(fan_in: int, fan_out: int) -> tuple[Any, Any]:
        bound = fan_in**-0.5
        return tuple(
            jax.random.uniform(next(keys), size, minval=-bound, maxval=bound)
            for size in ((fan_out, fan_in), (fan_out,))
        )

    return {
        "into": linear(inputs, width),
        "blocks": [
            (jnp.ones(width), jnp.zeros(width), [linear(*size) for size in inner])
            for _ in range(blocks)
        ],
        "out": linear(width, classes),
    }


def parameters(network: Any) -> int:
    """Number of a network's parameters."""
    jax, _, _ = jax_modules()
    return sum(leaf.size for leaf in jax.tree.leaves(network))


def outputs(network: Any, x: Any) -> Any:
    """Logits of inputs, one a row; the two kinds differ in the maps of a block and in its residual."""
    jax, jnp, _ = jax_modules()

    def apply(linear: Any, z: Any) -> Any:
        return z @ linear[0].T + linear[1]

    z = apply(network["into"], x)
    for gain, shift, maps in network["blocks"]:
        centred = z - z.mean(axis=-1, keepdims=True)
        normed = gain * centred / jnp.sqrt(z.var(axis=-1, keepdims=True) + 1e-5) + shift
        if len(maps) == 1:
            z = apply(maps[0], jax.nn.gelu(normed, approximate=False))
        else:
            z = z + apply(maps[1], jax.nn.gelu(apply(maps[0], normed), approximate=False))
    return apply(network["out"], z)


def smoothed_loss(network: Any, x: Any, targets: Any) -> Any:
    """Cross-entropy with label smoothing; targets one-hot."""
    jax, _, _ = jax_modules()
    smooth = (1.0 - SMOOTHING) * targets + SMOOTHING / targets.shape[-1]
    return -(smooth * jax.nn.log_softmax(outputs(network, x))).sum(axis=-1).mean()


def turned(network: Any, turn: Array) -> Any:
    """The network whose outputs on Q x are those of this one on x: W becomes W Q^T."""
    weights, biases = network["into"]
    return {**network, "into": (weights @ turn.T, biases)}


def trained(
    networks: Sequence[Any],
    x: Sequence[Array],
    targets: Sequence[Array],
    keys: Sequence[Any],
    *,
    optimiser: str,
    rate: float,
    steps: int,
) -> list[Any]:
    """Train networks of one shape beside each other, each on its own data, with batches of at most 64.

    Parameters
    ----------
    networks : sequence of dict
        As of `initial`.
    x, targets : sequence of ndarray
        Inputs and one-hot labels, as many for each network.
    keys : sequence of jax.Array
        Of the batches.
    optimiser : {"lion", "sgd"}
        Of the released pre-training (Lion) and fine-tuning (gradient descent with momentum 0.9).
    rate : float
    steps : int

    Returns
    -------
    list of dict
    """
    jax, jnp, optax = jax_modules()
    chosen = optax.lion(rate) if optimiser == "lion" else optax.sgd(rate, momentum=0.9)
    batch = min(64, len(x[0]))

    def one(network: Any, x: Any, targets: Any, key: Any) -> Any:
        direction, data = jax.grad(smoothed_loss), (x, targets)
        return train(direction, network, chosen, steps, data=data, batch=batch, key=key)[0]

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    ended = jax.jit(jax.vmap(one))(stacked, np.stack(x), np.stack(targets), jnp.stack(keys))
    return [jax.tree.map(lambda leaf, k=k: leaf[k], ended) for k in range(len(networks))]
