"""Perceptrons trained by counter-current learning and by other rules, in JAX.

The source's system: no biases, ELU, weights uniform up to 1/sqrt(units that are summed), stop-gradients
before every layer of both networks, local losses 256 c/d_l times the mean square of A_l B_l' - Y, c = 1/2,
and the cross-entropy of the outputs; stochastic descent at one rate, gradient norms of each network clipped
at 1. Its data and widths (784-256x5-10 for MNIST) are larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.countercurrent import Weights, check_sizes, first_weights
from theory.countercurrent import ACTIVATIONS
from verify.extras import need
from verify.networks.training import jax_modules, train

__all__ = [
    "DATA",
    "NEEDS",
    "RULES",
    "Descent",
    "Setting",
    "descended",
    "fitted",
    "flow_time",
    "local_losses",
    "table",
    "trained",
]

NEEDS = ("jax", "optax", "sklearn")
"""What training takes."""

DATA = ("digits", "breast-cancer", "white-digits")
"""Tables; the last has the 12 main components of the digits, whitened."""

RULES = {
    "ccl": "counter-current learning",
    "squared": "the same with |a - b|^2 as local losses",
    "bp": "backpropagation",
    "fa": "feedback alignment: errors go back through fixed weights",
    "tp": "difference target propagation, without noise",
    "frozen": "the last layer alone",
}
_SCALE, _TARGET_STEP, _BATCH = 128.0, 0.1, 64


@dataclass(frozen=True)
class Setting:
    """A network, its data, and how it is trained.

    Attributes
    ----------
    data : str
        One of `DATA`.
    rule : str
        A key of `RULES`.
    activation : str
        A key of `theory.countercurrent.ACTIVATIONS`.
    depth, width : int
        Hidden layers and their units.
    epochs : int
        Of batches of 64.
    rate : float
        Learning rate of both networks.

    Raises
    ------
    ValueError
        For what makes no sense.
    """

    data: str = "digits"
    rule: str = "ccl"
    activation: str = "elu"
    depth: int = 3
    width: int = 64
    epochs: int = 60
    rate: float = 1.0

    def __post_init__(self) -> None:
        """Check names and numbers."""
        for name, there in (("data", DATA), ("rule", RULES), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in there:
                raise ValueError(
                    f"{name} is one of {', '.join(there)}, got {getattr(self, name)!r}"
                )
        check_sizes(width=self.width, depth=self.depth, classes=2 if "breast" in self.data else 10)
        if not (self.epochs >= 1 and 0.0 < self.rate < np.inf):
            raise ValueError(
                f"epochs are at least 1 and a rate is positive, got {self.epochs} and {self.rate}"
            )


def table(data: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs of mean 0 and labels of a table; digits are from 0 to 1 before, breast cancer has variance 1."""
    need("sklearn")
    from sklearn.datasets import load_breast_cancer, load_digits

    x, labels = (
        load_breast_cancer(return_X_y=True) if "breast" in data else load_digits(return_X_y=True)
    )
    x = x / (x.std(axis=0) if "breast" in data else 16.0)
    x = x - x.mean(axis=0)
    if data == "white-digits":
        x = np.linalg.svd(x, full_matrices=False)[0][:, :12] * len(x) ** 0.5
    return x, labels


def _activation(name: str) -> Any:
    jax, _, _ = jax_modules()
    return {"linear": lambda z: z, "relu": jax.nn.relu, "elu": jax.nn.elu}[name]


def _passes(p: Weights, x: Any, act: Any, cut: Any) -> tuple[list[Any], list[Any]]:
    """Outputs A_0 .. A_L and signals B_0 .. B_L; ``cut`` is applied to what comes into a layer."""
    _, jnp, _ = jax_modules()
    outputs, signals = [x], [jnp.eye(p.forward[-1].shape[1])]
    for number, w in enumerate(p.forward, 1):
        z = cut(outputs[-1]) @ w
        outputs.append(act(z) if number < len(p.forward) else z)
    for number, v in enumerate(reversed(p.back), 1):
        z = cut(signals[-1]) @ v
        signals.append(act(z) if number < len(p.back) else z)
    return outputs, signals[::-1]


def local_losses(
    p: Weights, x: Any, y: Any, activation: str, *, squared: bool = False
) -> list[Any]:
    """Losses of layers 0 to L - 1, and the cross-entropy; each has gradients in its own weights only.

    Parameters
    ----------
    p : Weights
    x, y : array
        Inputs and one-hot labels.
    activation : str
    squared : bool
        |a - b|^2 instead of the inner products with all classes.
    """
    jax, jnp, optax = jax_modules()
    outputs, signals = _passes(p, x, _activation(activation), jax.lax.stop_gradient)
    losses = []
    for a, b in zip(outputs[:-1], signals[:-1], strict=True):
        gap = (a - y @ b) ** 2 if squared else (a @ b.T - y) ** 2 / a.shape[1]
        losses.append(_SCALE * jnp.mean(gap))
    return [*losses, optax.softmax_cross_entropy(outputs[-1], y).mean()]


def _direction(rule: str, activation: str) -> Any:
    """The learning rule, as a function of weights, inputs and labels."""
    jax, jnp, optax = jax_modules()
    act = _activation(activation)

    def counter(p: Weights, x: Any, y: Any) -> Any:
        return jax.grad(
            lambda q: sum(local_losses(q, x, y, activation, squared=rule == "squared"))
        )(p)

    def cross_entropy(w: Any, p: Weights, x: Any, y: Any) -> Any:
        outputs, _ = _passes(p._replace(forward=w), x, act, lambda a: a)
        return optax.softmax_cross_entropy(outputs[-1], y).mean()

    def gradient(p: Weights, x: Any, y: Any) -> Weights:
        slopes = jax.grad(cross_entropy)(p.forward, p, x, y)
        if rule == "frozen":
            slopes = (*jax.tree.map(jnp.zeros_like, slopes[:-1]), slopes[-1])
        return Weights(slopes, jax.tree.map(jnp.zeros_like, p.back))

    def feedback(p: Weights, x: Any, y: Any) -> Weights:
        outputs, _ = _passes(p, x, act, lambda a: a)
        error, slopes = (jax.nn.softmax(outputs[-1]) - y) / len(x), []
        for number in range(len(p.forward) - 1, -1, -1):
            before = outputs[number]
            slopes.append(before.T @ error)
            if number > 0:
                z = outputs[number - 1] @ p.forward[number - 1]
                error = jax.jvp(act, (z,), (error @ p.back[number],))[1]
        return Weights(tuple(slopes[::-1]), jax.tree.map(jnp.zeros_like, p.back))

    def target(p: Weights, x: Any, y: Any) -> Any:
        outputs, _ = _passes(p, x, act, lambda a: a)

        def top(a: Any) -> Any:
            return optax.softmax_cross_entropy(a @ p.forward[-1], y).sum()

        goals = [outputs[-2] - _TARGET_STEP * jax.grad(top)(outputs[-2])]
        for number in range(len(p.forward) - 2, 0, -1):
            inverse = p.back[number]
            goals.append(
                outputs[number] + act(goals[-1] @ inverse) - act(outputs[number + 1] @ inverse)
            )
        goals = goals[::-1]

        def loss(q: Weights) -> Any:
            total = optax.softmax_cross_entropy(outputs[-2] @ q.forward[-1], y).mean()
            for number, goal in enumerate(goals):
                total += ((act(outputs[number] @ q.forward[number]) - goal) ** 2).sum(axis=1).mean()
                again = act(outputs[number + 1] @ q.back[number])
                total += ((again - outputs[number]) ** 2).sum(axis=1).mean() if number else 0.0
            return total

        return jax.grad(loss)(p)

    return {"ccl": counter, "squared": counter, "fa": feedback, "tp": target}.get(rule, gradient)


def descended(start: Weights, x: Any, y: Any, activation: str, rate: float, steps: int) -> Weights:
    """Weights after steps of counter-current learning on full batches, without clipping."""
    jax, _, optax = jax_modules()
    rule, one = _direction("ccl", activation), optax.sgd(rate)
    follow = jax.jit(lambda w: train(rule, w, one, steps, data=(x, y))[0])
    return jax.tree.map(np.asarray, follow(jax.tree.map(jax.numpy.asarray, start)))


def flow_time(rate: float, units: int, classes: int) -> float:
    """Time of a step in the units of `numerics.countercurrent`, for layers of so many units."""
    return rate * 2.0 * _SCALE / (units * classes)


def _measured(p: Weights, x: Any, y: Any, act: Any) -> dict[str, Any]:
    _, jnp, _ = jax_modules()
    outputs, signals = _passes(p, x, act, lambda a: a)

    def cosine(a: Any, b: Any) -> Any:
        sizes = jnp.linalg.norm(a) * jnp.linalg.norm(b)
        return (a * b).sum() / jnp.where(sizes > 0.0, sizes, 1.0)

    def cka(a: Any, b: Any) -> Any:
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        return cosine(a @ a.T, b @ b.T)

    hidden = list(zip(outputs[1:-1], signals[1:-1], strict=True))
    return {
        "accuracy": (outputs[-1].argmax(axis=1) == y.argmax(axis=1)).mean(dtype=float),
        "cosines": jnp.stack([cosine(w, v.T) for w, v in zip(p.forward, p.back, strict=True)]),
        "cka": jnp.stack([cka(a, y @ b) for a, b in hidden]),
        "rms": jnp.stack([jnp.sqrt((a**2).mean()) for a, _ in hidden]),
    }


class Descent(NamedTuple):
    """Stochastic descent; the gradient norms of the two networks are clipped apart."""

    rate: float
    batch: int
    momentum: float | None = None
    clip: float = 1.0


def fitted(
    direction: Any, networks: list[tuple[Weights, Any]], data: Any, how: Descent, steps: int, seed: int,
    watch: Any, points: int = 1,
) -> tuple[Weights, dict[str, NDArray[Any]]]:  # fmt: skip
    """Train networks, given with an order of the data's rows each.

    On the last fifth of the rows ``watch`` looks at weights and data, at first and at so many points of equal
    distance. Returned are the last weights and this history, networks along a first axis.
    """
    jax, jnp, optax = jax_modules()
    one = optax.chain(
        optax.clip_by_global_norm(how.clip), optax.sgd(how.rate, momentum=how.momentum)
    )
    optimiser = optax.partition({"w": one, "v": one}, Weights("w", "v"))  # pyright: ignore[reportArgumentType]
    starts, rows = zip(*networks, strict=True)
    data, count = tuple(map(jnp.asarray, data)), len(rows[0]) * 4 // 5

    def network(start: Weights, rows: Any, key: Any) -> Any:
        here, there = (tuple(part[some] for part in data) for some in (rows[:count], rows[count:]))
        return train(
            direction, start, optimiser, steps, data=here, batch=how.batch, key=key, every=steps // points,
            watch=lambda p: watch(p, *there),
        )  # fmt: skip

    start = jax.tree.map(lambda *parts: np.stack(parts), *starts)
    keys = jax.random.split(jax.random.key(seed), len(networks))
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(network))(start, np.stack(rows), keys))


def trained(
    setting: Setting, seed: int, networks: int, points: int = 1
) -> tuple[Weights, dict[str, NDArray[Any]]]:
    """Train networks by `fitted`.

    Parameters
    ----------
    setting : Setting
    seed : int
        First weights and parts of the data follow from it, the same for every rule.
    networks, points : int

    Returns
    -------
    end : Weights
    history : dict of ndarray
        ``accuracy`` on the test part, ``cosines`` of W_l and V_l', ``cka`` of A_l and the signals of its
        samples' classes in hidden layers, ``rms`` of these layers.
    """
    s = setting
    x, labels = table(s.data)
    y, act = np.eye(labels.max() + 1)[labels], _activation(s.activation)
    sizes = (x.shape[1], y.shape[1], s.width, s.depth)
    seeds = [int(one) for one in np.random.SeedSequence(seed).generate_state(networks, np.uint64)]
    drawn = [
        (first_weights(*sizes, seed=one), np.random.default_rng([one, 1]).permutation(len(x)))
        for one in seeds
    ]
    steps = max(1, s.epochs * (len(x) * 4 // 5 // _BATCH) // points) * points
    return fitted(
        _direction(s.rule, s.activation), drawn, (x, y), Descent(s.rate, _BATCH), steps, seed,
        lambda p, x, y: _measured(p, x, y, act), points,
    )  # fmt: skip
