"""Two-layer ReLU networks that learn a sparse parity from m samples by SGD, from sparse weights.

The source's system: hinge loss, batches in epochs over the same samples, learning rate 0.1, weight decay
0.01, batches of 32; a network succeeds where at most a tenth of its test answers are wrong. The source takes
10^5 steps, and its scales of readout and biases are not known here: readouts are uniform on
[-1, 1]/sqrt(width), biases one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from theory.parities import check_parity
from verify.networks.training import jax_modules, train

__all__ = [
    "WEIGHTS",
    "Setting",
    "Weights",
    "first_step",
    "rewind",
    "table_errors",
    "train_case",
]

Weights = Literal["sign", "one", "normal"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
"""What the s weights of a neuron are: 1 or -1, 1, or standard normal."""

ERROR = 0.1
"""Largest test error of a success."""
TEST = 1000
"""Test samples."""


@dataclass(frozen=True)
class Setting:
    """A parity, a network, and how it is trained.

    Attributes
    ----------
    n, k : int
        Coordinates, and those of the parity, which are the first.
    sparsity : int
        Random coordinates that a neuron sees; n is dense.
    width, samples, steps : int
    weights : {"sign", "one", "normal"}
    scale : float
        What the first weights are multiplied by; tickets do not depend on it, what comes after does.
    bias : float
        Of every neuron, at first.
    rate, decay : float
        Learning rate and weight decay.
    batch : int
        All samples if there are fewer.

    Raises
    ------
    ValueError
        For what makes no sense.
    """

    n: int
    k: int
    sparsity: int
    width: int
    samples: int
    steps: int = 3000
    weights: Weights = "sign"
    scale: float = 1.0
    bias: float = 0.0
    rate: float = 0.1
    decay: float = 0.01
    batch: int = 32

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_parity(self.n, self.k, self.sparsity)
        for name in ("width", "samples", "steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is an integer >= 1, got {getattr(self, name)}")
        if self.weights not in WEIGHTS:
            raise ValueError(f"weights are {', '.join(WEIGHTS)}, got {self.weights!r}")
        if not 0.0 < self.scale < 1e50:
            raise ValueError(f"scale is a number > 0, got {self.scale}")
        if not (0.0 < self.rate < np.inf and 0.0 <= self.decay < 1.0 and np.isfinite(self.bias)):
            raise ValueError(
                f"rate > 0, 0 <= decay < 1 and a finite bias are needed; got {self.rate}, {self.decay}, "
                f"{self.bias}"
            )

    def case(self) -> dict[str, Any]:
        """What it is, for `verify.cases`."""
        return asdict(self)


def _draw(setting: Setting, key: Any) -> dict[str, Any]:
    """Samples, and the parameters of a network; ``sees`` says which coordinates each neuron sees."""
    jax, jnp, _ = jax_modules()
    keys = iter(jax.random.split(key, 6))
    s = setting

    def signs(*shape: int) -> Any:
        return jax.random.rademacher(next(keys), shape, dtype=jnp.float64)

    x = signs(s.samples, s.n)
    order = jax.random.uniform(next(keys), (s.width, s.n)).argsort(axis=1)
    sees = order.argsort(axis=1) < s.sparsity
    signed = signs(s.width, s.n)
    drawn = {
        "sign": signed,
        "one": jnp.ones_like(signed),
        "normal": jax.random.normal(next(keys), signed.shape),
    }[s.weights]
    readout = jax.random.uniform(next(keys), (s.width,), minval=-1.0) / s.width**0.5
    start = {"w": s.scale * drawn * sees, "b": jnp.full(s.width, s.bias), "v": readout}
    return {"x": x, "y": x[:, : s.k].prod(axis=1), "sees": sees, "start": start, "key": next(keys)}


def _output(parameters: Any, x: Any) -> Any:
    jax, _, _ = jax_modules()
    # its slope at 0, where even supports begin, is 0; that of jnp.maximum would be 1/2
    return jax.nn.relu(x @ parameters["w"].T + parameters["b"]) @ parameters["v"]


def _hinge(parameters: Any, x: Any, y: Any) -> Any:
    _, jnp, _ = jax_modules()
    return jnp.maximum(1.0 - y * _output(parameters, x), 0.0).mean()


def _trained(setting: Setting, drawn: dict[str, Any], start: Any) -> Any:
    jax, _, optax = jax_modules()
    sgd = optax.chain(optax.add_decayed_weights(setting.decay), optax.sgd(setting.rate))
    batch = min(setting.batch, setting.samples)
    data = drawn["x"], drawn["y"]
    return train(
        jax.grad(_hinge), start, sgd, setting.steps, data=data, batch=batch, key=drawn["key"]
    )[0]


def _test_error(setting: Setting, parameters: Any, key: Any) -> Any:
    jax, jnp, _ = jax_modules()
    x = jax.random.rademacher(jax.random.fold_in(key, 1), (TEST, setting.n), dtype=jnp.float64)
    return (_output(parameters, x) * x[:, : setting.k].prod(axis=1) <= 0.0).sum() / TEST


def _partial(setting: Setting, sees: Any) -> Any:
    """Which neurons are partial tickets."""
    return sees[:, : setting.k].sum(axis=1) == setting.k - 1


def _many(one: Any, seed: int, count: int) -> Any:
    """A function of a random key, at several keys of a seed at once."""
    jax, _, _ = jax_modules()
    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), count))
    return jax.tree.map(np.asarray, found)


def train_case(case: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train several networks of one setting, for `verify.cases.run_cases`.

    Parameters
    ----------
    case : mapping
        `Setting.case`, and how many ``networks``, each with samples of its own.
    seed : int

    Returns
    -------
    dict
        ``errors`` on test samples and ``tickets``, the number of partial ones, of each network.
    """
    setting = Setting(**{name: value for name, value in case.items() if name != "networks"})

    def one(key: Any) -> Any:
        drawn = _draw(setting, key)
        error = _test_error(setting, _trained(setting, drawn, drawn["start"]), key)
        return error, _partial(setting, drawn["sees"]).sum()

    errors, tickets = _many(one, seed, case["networks"])
    return {"errors": errors.tolist(), "tickets": tickets.tolist()}


def first_step(setting: Setting, seed: int, networks: int) -> dict[str, Any]:
    """Gradients of -y f over all samples, in each weight of networks at initialisation.

    Returns
    -------
    dict of ndarray
        ``gradient``, ``sees`` and ``weights`` of shape (networks, width, n), ``readout`` (networks, width).
    """
    jax, _, _ = jax_modules()

    def one(key: Any) -> Any:
        drawn = _draw(setting, key)
        x, y, start = drawn["x"], drawn["y"], drawn["start"]
        slope = jax.grad(lambda p: -(y * _output(p, x)).mean())(start)
        return {
            "gradient": slope["w"],
            "sees": drawn["sees"],
            "weights": start["w"],
            "readout": start["v"],
        }

    return _many(one, seed, networks)


def rewind(setting: Setting, seed: int, networks: int, kept: int) -> dict[str, Any]:
    """Train networks, set their strongest neurons back to where they began, and train these alone.

    Returns
    -------
    dict of ndarray, shape (networks,)
        Test errors: ``whole`` of the networks, ``rewound`` of the ``kept`` neurons whose |v| |w| is the
        largest in the end, ``random`` of as many others; ``tickets``, how many of the kept are partial ones.
    """
    jax, jnp, _ = jax_modules()

    def one(key: Any) -> Any:
        drawn = _draw(setting, key)
        start = drawn["start"]
        end = _trained(setting, drawn, start)
        strength = jnp.abs(end["v"]) * jnp.linalg.norm(end["w"], axis=1)
        order = jnp.argsort(-strength)
        lots = jax.random.uniform(jax.random.fold_in(key, 2), (setting.width,))
        others = jnp.argsort(lots.at[order[:kept]].set(2.0))
        # readouts are those of an initialisation of this width
        scaled = {**start, "v": start["v"] * (setting.width / kept) ** 0.5}
        found = {"whole": _test_error(setting, end, key)}
        for name, places in (("rewound", order[:kept]), ("random", others[:kept])):
            part = {what: values[places] for what, values in scaled.items()}
            found[name] = _test_error(setting, _trained(setting, drawn, part), key)
        found["tickets"] = _partial(setting, drawn["sees"])[order[:kept]].sum()
        return found

    return _many(one, seed, networks)


def table_errors(
    x: Any, y: Any, rows: int, sparsity: int, width: int, seed: int, splits: int
) -> Any:
    """Test errors of networks trained on random rows of a real table.

    Parameters
    ----------
    x, y : ndarray
        Columns of mean 0 and variance 1; labels 1 and -1.
    rows : int
        To train on; the others are the test.
    sparsity, width, seed, splits : int
        Networks of one seed have the same splits, whatever their sparsity.

    Returns
    -------
    ndarray, shape (splits,)
    """
    jax, jnp, _ = jax_modules()
    x, y = jnp.asarray(x), jnp.asarray(y)
    setting = Setting(x.shape[1], 1, sparsity, width, rows, steps=1000, weights="normal")

    def one(key: Any) -> Any:
        order = jax.random.permutation(jax.random.fold_in(key, 3), len(y))
        kept, tested = order[:rows], order[rows:]
        drawn = {**_draw(setting, key), "x": x[kept], "y": y[kept]}
        start = drawn["start"]
        end = _trained(setting, drawn, {**start, "w": start["w"] / sparsity**0.5})
        return (_output(end, x[tested]) * y[tested] <= 0.0).mean(dtype=jnp.float64)

    return _many(one, seed, splits)
