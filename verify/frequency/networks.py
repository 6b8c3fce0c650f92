"""FreTS in JAX: embedding, learners on the spectrum along channels and along time, projection.

As in the source (github.com/aikunyi/FreTS, models/FreTS.py; Yi et al., NeurIPS 2023), with two learners told
apart by name. ``dense`` is the matrix of the text; ``diagonal`` is what the released code computes, whose
``einsum('bijd,dd->bijd', ..)`` takes the diagonal of that matrix. The code's channel learner runs if an
option that is read as an integer equals the text '1', which is never; ``channel`` says whether it does here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from verify.networks.training import jax_modules, train

from .series import Array, Windows

__all__ = ["MLP", "FreTS", "fit"]

Learner = Literal["none", "diagonal", "dense"]


def _linear(key: Any, fan_in: int, fan_out: int) -> dict[str, Any]:
    """Weights and biases uniform within 1/sqrt(fan_in), as the source's library draws them."""
    jax, _, _ = jax_modules()
    bound = fan_in**-0.5
    shapes = {"w": (fan_in, fan_out), "b": (fan_out,)}
    keys = jax.random.split(key, 2)
    return {
        name: jax.random.uniform(one, shape, minval=-bound, maxval=bound)
        for one, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def _projected(layers: list[dict[str, Any]], x: Any) -> Any:
    jax, _, _ = jax_modules()
    hidden = jax.nn.leaky_relu(x @ layers[0]["w"] + layers[0]["b"], 0.01)
    return hidden @ layers[1]["w"] + layers[1]["b"]


@dataclass(frozen=True)
class FreTS:
    """The network: its sizes, and which learners it has. Defaults are the source's.

    Attributes
    ----------
    length, horizon : int
        Samples of a window, and to forecast.
    learner : {"none", "diagonal", "dense"}
        On the spectrum along time.
    channel : bool
        Whether a learner of that kind on the spectrum along channels comes before it.
    embedding, hidden : int
    shrinkage, scale : float
        Threshold of the soft shrinkage; standard deviation of the initial weights.
    """

    length: int
    horizon: int
    learner: Learner = "diagonal"
    channel: bool = False
    embedding: int = 128
    hidden: int = 256
    shrinkage: float = 0.01
    scale: float = 0.02

    def start(self, key: Any) -> dict[str, Any]:
        """Draw initial parameters."""
        jax, jnp, _ = jax_modules()
        d = self.embedding
        keys = iter(jax.random.split(key, 11))

        def normal(*shape: int) -> Any:
            return self.scale * jax.random.normal(next(keys), shape)

        def learner() -> dict[str, Any]:
            shape = (d, d) if self.learner == "dense" else (d,)
            names = {"re": shape, "im": shape, "bias_re": (d,), "bias_im": (d,)}
            return {name: normal(*one) for name, one in names.items()}

        made: dict[str, Any] = {"embedding": jax.random.normal(next(keys), (d,))}
        if self.learner != "none":
            made["time"] = learner()
            if self.channel:
                made["channel"] = learner()
        sizes = ((self.length * d, self.hidden), (self.hidden, self.horizon))
        made["projection"] = [_linear(next(keys), *size) for size in sizes]
        return jax.tree.map(jnp.asarray, made)

    def learn(self, weights: dict[str, Any], x: Any, axis: int) -> Any:
        """Apply a learner to embedded signals of shape (.., D), on the spectrum along an axis."""
        jax, jnp, _ = jax_modules()
        bins = jnp.fft.rfft(x, axis=axis, norm="ortho")
        w = weights["re"] + 1j * weights["im"]
        z = bins @ w if self.learner == "dense" else bins * w
        parts = (z.real + weights["bias_re"], z.imag + weights["bias_im"])
        # shrinkage behind ReLU is this, by the law of theory.frequency
        real, imaginary = (jax.nn.relu(part - self.shrinkage) for part in parts)
        return jnp.fft.irfft(real + 1j * imaginary, x.shape[axis], axis=axis, norm="ortho")

    def forecast(self, parameters: dict[str, Any], x: Any) -> Any:
        """Forecast from windows of shape (B, T) or (B, T, N); returns (B, H) or (B, H, N)."""
        _, jnp, _ = jax_modules()
        channels = x[..., None] if x.ndim == 2 else x
        embedded = jnp.swapaxes(channels, 1, 2)[..., None] * parameters["embedding"]  # B, N, T, D
        learned = embedded
        if "channel" in parameters:
            learned = self.learn(parameters["channel"], learned, 1)
        if "time" in parameters:
            learned = self.learn(parameters["time"], learned, 2) + embedded
        flat = learned.reshape(*learned.shape[:2], -1)
        out = jnp.swapaxes(_projected(parameters["projection"], flat), 1, 2)
        return out[..., 0] if x.ndim == 2 else out


@dataclass(frozen=True)
class MLP:
    """A perceptron with one hidden layer on the window itself, the projection's kind.

    Attributes
    ----------
    length, horizon, hidden : int
    """

    length: int
    horizon: int
    hidden: int

    @classmethod
    def as_large_as(cls, other: FreTS) -> MLP:
        """The one whose number of parameters comes nearest to a network's."""
        wanted = parameter_count(other) - other.horizon
        return cls(
            other.length, other.horizon, max(1, round(wanted / (other.length + other.horizon + 1)))
        )

    def start(self, key: Any) -> list[dict[str, Any]]:
        """Draw initial parameters."""
        jax, _, _ = jax_modules()
        sizes = ((self.length, self.hidden), (self.hidden, self.horizon))
        return [
            _linear(one, *size) for one, size in zip(jax.random.split(key, 2), sizes, strict=True)
        ]

    def forecast(self, parameters: list[dict[str, Any]], x: Any) -> Any:
        """Forecast from windows of shape (B, T)."""
        return _projected(parameters, x)


def parameter_count(network: FreTS | MLP) -> int:
    """Number of parameters of a network."""
    jax, _, _ = jax_modules()
    made = jax.eval_shape(network.start, jax.random.key(0))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(made))


_fits: dict[Any, Any] = {}


def fit(
    network: FreTS | MLP,
    data: Windows,
    seed: int,
    *,
    epochs: int = 10,
    rate: float = 1e-4,
    batch: int = 8,
    patience: int = 3,
) -> Array:
    """Train a network as the source does, and return its forecasts of the test windows.

    Adam on the mean squared error; the epoch with the least error on the validation windows counts, and after
    ``patience`` epochs without a better one no later epoch is looked at.

    Parameters
    ----------
    network : FreTS or MLP
    data : Windows
    seed : int
        Of the initial parameters and the batches.
    epochs, batch, patience : int
    rate : float

    Returns
    -------
    ndarray, shape (test windows, horizon)
    """
    jax, jnp, optax = jax_modules()
    inputs, targets = map(jnp.asarray, data.train)
    steps = len(inputs) // batch

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return jnp.mean((network.forecast(parameters, x) - y) ** 2)

    def run(key: Any, inputs: Any, targets: Any) -> Any:
        first, second = jax.random.split(key)
        return train(
            jax.grad(loss),
            network.start(first),
            optax.adam(rate),
            epochs * steps,
            data=(inputs, targets),
            batch=batch,
            key=second,
            watch=lambda parameters: parameters,
            every=steps,
        )[1]

    settings = (network, inputs.shape, epochs, rate, batch)
    compiled = _fits.setdefault(settings, jax.jit(run))  # one compilation for all series and seeds
    history = compiled(jax.random.key(seed % 2**31), inputs, targets)
    errors = np.asarray(jax.vmap(lambda p: loss(p, *data.validation))(history))
    best = 0
    for epoch in range(1, epochs + 1):
        if errors[epoch] < errors[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    chosen = jax.tree.map(lambda leaf: leaf[best], history)
    return np.asarray(network.forecast(chosen, jnp.asarray(data.test[0])))
