"""The source's convolutional classifier and its autoencoder, small, on the 8 by 8 digits.

Layers halve or double both sides of an image: 3 by 3 convolutions of stride 2, or of doubled pixels, and the
other way round in the feedback network; 16 and 32 channels, where the source has up to 512 and 2048. Left out
are what its schedules have beyond momentum and clipping (warm-up, cosine, centred gradients, decay of 1e-6).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.countercurrent import Weights
from verify.countercurrent.networks import Descent, fitted, table
from verify.networks.training import jax_modules

__all__ = ["TARGET", "autoencoder", "classifier", "normalised_loss"]

TARGET, DECORRELATION, _FILTER = 1.0, 0.5, 0.1
"""Scales of the classifier's loss; samples whose class has this or less to go are masked in it."""
_CLASSIFIER = (("down", 1, 16), ("down", 16, 32), ("flat", 32, 10))
_AUTOENCODER = (("down", 1, 16), ("down", 16, 32), ("up", 32, 16), ("up", 16, 1))
_OTHER = {"down": "up", "up": "down", "flat": "spread"}


def _layer(z: Any, w: Any, kind: str, normed: bool) -> Any:
    """A linear layer of images (n, channels, side, side), or of vectors behind the last one."""
    _, jnp, _ = jax_modules()
    if kind in ("flat", "spread"):
        return jnp.einsum("nchw,kchw->nk" if kind == "flat" else "nk,kchw->nchw", z, w["w"])
    if kind == "up":
        z = z.repeat(2, axis=2).repeat(2, axis=3)
    stride, side = (2, z.shape[2] // 2) if kind == "down" else (1, z.shape[2])
    z = jnp.pad(z, ((0, 0), (0, 0), (1, 1), (1, 1)))
    ends = stride * side
    # convolutions of several networks at once are slow on processors, products of matrices are not
    windows = jnp.stack(
        [z[:, :, i : i + ends : stride, j : j + ends : stride] for i in range(3) for j in range(3)],
        2,
    )
    out = jnp.einsum("ncphw,ocp->nohw", windows, w["w"]) + w["b"][:, None, None]
    if normed:
        spread = jnp.sqrt(out.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
        out = (out - out.mean(axis=(0, 2, 3), keepdims=True)) / spread
    return out


def _passes(p: Any, x: Any, signal: Any, shape: Any, cut: bool, normed: bool) -> Any:
    """Activations from the inputs on, and signals from what comes back on, both in the order of layers."""
    jax, _, _ = jax_modules()
    act = jax.nn.elu if shape is _CLASSIFIER else jax.nn.relu
    stop = jax.lax.stop_gradient if cut else lambda z: z
    outputs, signals, last = [x], [signal], len(shape) - 1
    for number, (kind, _, _) in enumerate(shape):
        z = _layer(stop(outputs[-1]), p.forward[number], kind, normed and number < last)
        outputs.append(act(z) if number < last else z)
    for number in range(last, -1, -1):
        z = _layer(
            stop(signals[-1]), p.back[number], _OTHER[shape[number][0]], normed and number > 0
        )
        signals.append(act(z) if number > 0 else z)
    return outputs, signals[::-1]


def _drawn(rng: np.random.Generator, shape: Any) -> Weights:
    """First weights of both networks; biases are 0."""

    def one(kind: str, before: int, units: int) -> dict[str, Any]:
        if kind in ("flat", "spread"):
            size, fan = (10, 32, 2, 2), 128 if kind == "flat" else 10
        else:
            size, fan = (units, before, 9), 9 * before
        return {"w": rng.uniform(-1.0, 1.0, size) / fan**0.5, "b": np.zeros(units)}

    forward: Any = tuple(one(*layer) for layer in shape)
    back: Any = tuple(one(_OTHER[kind], b, a) for kind, a, b in shape)
    return Weights(forward, back)


def normalised_loss(a: Any, b: Any, y: Any) -> Any:
    """Local loss of the classifier: rows to norm 1, inner products to labels, and Gram matrices to I."""
    _, jnp, _ = jax_modules()

    def unit(rows: Any) -> Any:
        rows = rows.reshape(len(rows), -1)
        return rows / (jnp.sqrt((rows**2).sum(axis=1, keepdims=True) + 1e-30) + 1e-8)

    a, b = unit(a), unit(b)
    apart = [((rows @ rows.T - jnp.eye(len(rows))) ** 2).mean() for rows in (a, b)]
    return TARGET * ((a @ b.T - y) ** 2).mean() + DECORRELATION * sum(apart)


def _run(
    direction: Any,
    measure: Any,
    shape: Any,
    data: Any,
    how: Descent,
    epochs: int,
    seed: int,
    networks: int,
) -> Any:
    """Train networks on four fifths of the digits, and measure them on the rest."""
    rngs, n = [np.random.default_rng([seed, number]) for number in range(networks)], len(data[0])
    drawn = [(_drawn(rng, shape), rng.permutation(n)) for rng in rngs]
    steps = epochs * (n * 4 // 5 // how.batch)
    history = fitted(direction, drawn, data, how, steps, seed, measure)[1]
    return {name: values[:, -1] for name, values in history.items()}


def classifier(rule: str, seed: int, networks: int, *, epochs: int = 15) -> dict[str, Any]:
    """Train convolutional classifiers: ``rule`` is "ccl", "bp" or "frozen", the last layer alone.

    Returns
    -------
    dict of ndarray, shape (networks, ..)
        ``accuracy`` on the test part; ``losses``, local ones on 10 samples of each class, by layer.
    """
    jax, jnp, optax = jax_modules()
    images, labels = table("digits")

    def final(outputs: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy(outputs[-1], y).mean()

    def loss(p: Any, x: Any, y: Any) -> Any:
        outputs, signals = _passes(p, x, jnp.eye(10), _CLASSIFIER, rule != "bp", False)
        total = final(outputs, y)
        if rule == "ccl":
            open_ = ((1.0 - jax.nn.softmax(outputs[-1])) * y).sum(axis=1) > _FILTER
            kept = jax.lax.stop_gradient(open_)[:, None, None, None]
            pairs = zip(outputs[:-1], signals[:-1], strict=True)
            total += sum(normalised_loss(a * kept, b, y) for a, b in pairs)
        return total

    def measure(p: Any, x: Any, y: Any) -> Any:
        outputs, signals = _passes(p, x, jnp.eye(10), _CLASSIFIER, False, False)
        rows = jnp.argsort(-y, axis=0, stable=True)[:10].T.ravel()
        return {
            "accuracy": (outputs[-1].argmax(axis=1) == y.argmax(axis=1)).mean(dtype=float),
            "losses": jnp.stack(
                [
                    normalised_loss(a[rows], b, y[rows])
                    for a, b in zip(outputs[:-1], signals[:-1], strict=True)
                ]
            ),
        }

    data, how = (images.reshape(-1, 1, 8, 8), np.eye(10)[labels]), Descent(1.0, 128, 0.8, 0.3)
    return _run(jax.grad(loss), measure, _CLASSIFIER, data, how, epochs, seed, networks)


def autoencoder(rule: str, seed: int, networks: int, *, epochs: int = 20) -> dict[str, Any]:
    """Train autoencoders: "ccl" with batch normalisation, as the source has it, "plain" without, or "bp".

    Their local losses are |a - b|^2, with the image itself at both ends.

    Returns
    -------
    dict of ndarray, shape (networks, ..)
        ``explained`` variance of the test part's pixels; ``rms`` of the hidden layers.
    """
    jax, jnp, _ = jax_modules()
    images, _ = table("digits")
    normed = rule != "plain"

    def loss(p: Any, x: Any, y: Any) -> Any:
        outputs, signals = _passes(p, x, x, _AUTOENCODER, rule != "bp", normed)
        if rule == "bp":
            return ((outputs[-1] - x) ** 2).mean() * 8
        pairs = zip(outputs, signals, strict=True)
        return sum(((a - b) ** 2).mean() * a.shape[2] for a, b in pairs)

    def measure(p: Any, x: Any, y: Any) -> Any:
        outputs, _ = _passes(p, x, x, _AUTOENCODER, False, normed)
        return {
            "explained": 1.0 - ((outputs[-1] - x) ** 2).mean() / (x**2).mean(),
            "rms": jnp.stack([jnp.sqrt((a**2).mean()) for a in outputs[1:-1]]),
        }

    x = images.reshape(-1, 1, 8, 8)
    data, how = (x, np.zeros(len(x))), Descent(0.01, 32, 0.9, 0.2)
    return _run(jax.grad(loss), measure, _AUTOENCODER, data, how, epochs, seed, networks)
