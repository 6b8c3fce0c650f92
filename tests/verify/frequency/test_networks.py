"""The networks as specified, against NumPy's transform and plain loops."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from numerics.frequency import apply_layer
from verify.frequency.networks import MLP, FreTS, fit, parameter_count
from verify.frequency.series import make_series, windows
from verify.networks.training import jax_modules

SIZES: dict[str, Any] = {"embedding": 3, "hidden": 4}


def started(network: Any, seed: int = 0) -> Any:
    jax_modules()  # double precision
    made = network.start(jax.random.key(seed))
    return jax.tree.map(lambda leaf: 10.0 * leaf, made)  # away from where everything is shrunk


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def learner(weights: Any, x: np.ndarray, axis: int) -> np.ndarray:
    """One component after the other: the sum over inputs of a dense layer before bias and rectifiers."""
    w = np.asarray(weights["re"]) + 1j * np.asarray(weights["im"])
    w = np.diag(w) if w.ndim == 1 else w
    bins = np.einsum("...d,de->...e", np.fft.rfft(x, axis=axis, norm="ortho"), w)
    real = np.maximum(bins.real + np.asarray(weights["bias_re"]), 0.0)
    imaginary = np.maximum(bins.imag + np.asarray(weights["bias_im"]), 0.0)
    real, imaginary = (np.sign(p) * np.maximum(abs(p) - 0.01, 0.0) for p in (real, imaginary))
    return np.fft.irfft(real + 1j * imaginary, x.shape[axis], axis=axis, norm="ortho")


@pytest.mark.long
@pytest.mark.parametrize("length", [6, 7])
@pytest.mark.parametrize(
    ("kind", "channel"), [("none", False), ("diagonal", True), ("dense", True)]
)
def test_the_network_is_the_specified_one(length: int, kind: Any, channel: bool) -> None:
    network = FreTS(length, 2, kind, channel=channel, **SIZES)
    parameters = started(network)
    x = np.random.default_rng(0).standard_normal((5, length, 3))
    z = x.transpose(0, 2, 1)[..., None] * np.asarray(parameters["embedding"])
    y = z
    if kind != "none":
        y = learner(parameters["channel"], y, 1)
        y = learner(parameters["time"], y, 2) + z
    first, second = parameters["projection"]
    hidden = leaky(y.reshape(5, 3, -1) @ np.asarray(first["w"]) + np.asarray(first["b"]))
    out = (hidden @ np.asarray(second["w"]) + np.asarray(second["b"])).transpose(0, 2, 1)
    assert np.asarray(network.forecast(parameters, jnp.asarray(x))) == pytest.approx(out, abs=1e-11)
    one = network.forecast(parameters, jnp.asarray(x[:, :, :1]))
    if not channel:
        assert np.asarray(one)[..., 0] == pytest.approx(out[..., 0], abs=1e-11)
        flat = network.forecast(parameters, jnp.asarray(x[..., 0]))
        assert np.asarray(flat) == pytest.approx(out[..., 0], abs=1e-11)


def test_the_released_line_is_a_diagonal() -> None:
    """einsum('bijd,dd->bijd', x, r) uses the diagonal of r alone."""
    x, r = np.random.default_rng(0).standard_normal((2, 4, 4))
    code = np.asarray(jnp.einsum("bd,dd->bd", x, r))
    assert code == pytest.approx(x * np.diag(r))


@pytest.mark.long
def test_on_an_embedded_series_a_dense_learner_is_a_diagonal_one() -> None:
    dense = FreTS(9, 2, "dense", **SIZES)
    parameters = started(dense)
    phi = parameters["embedding"]
    time = {name: phi @ parameters["time"][name] / phi for name in ("re", "im")}
    other = {**parameters, "time": {**parameters["time"], **time}}
    x = jnp.asarray(np.random.default_rng(1).standard_normal((4, 9)))
    one = dense.forecast(parameters, x)
    two = FreTS(9, 2, "diagonal", **SIZES).forecast(other, x)
    assert np.asarray(one) == pytest.approx(np.asarray(two), abs=1e-11)


def test_the_learner_is_the_layer_of_numerics() -> None:
    network = FreTS(8, 1, "diagonal", **SIZES)
    weights = started(network)["time"]
    x = np.random.default_rng(2).standard_normal((8, 3))
    found = np.asarray(network.learn(weights, jnp.asarray(x), 0))
    for d in range(3):
        w, b = (complex(weights[f"{p}re"][d], weights[f"{p}im"][d]) for p in ("", "bias_"))
        assert found[:, d] == pytest.approx(apply_layer(x[:, d], w, b, 0.01), abs=1e-12)


def test_sizes() -> None:
    network = FreTS(96, 8, "dense")
    wanted = 128 + 2 * (128**2 + 128) + 96 * 128 * 256 + 256 + 256 * 8 + 8
    assert parameter_count(network) == wanted
    for kind in ("none", "diagonal", "dense"):
        large = FreTS(48, 4, kind, embedding=8, hidden=32)
        count = parameter_count(MLP.as_large_as(large))
        assert abs(count / parameter_count(large) - 1.0) < 0.005


def test_defaults_are_the_source_s() -> None:
    """Embedding 128, 256 hidden units, threshold .01, weights .02 N(0, 1); 10 epochs, batches of 8."""
    network = FreTS(96, 8)
    assert (network.learner, network.embedding, network.hidden) == ("diagonal", 128, 256)
    assert (network.shrinkage, network.channel) == (0.01, False)
    options = inspect.signature(fit).parameters
    given = {name: options[name].default for name in ("epochs", "rate", "batch", "patience")}
    assert given == {"epochs": 10, "rate": 1e-4, "batch": 8, "patience": 3}
    jax_modules()
    made = FreTS(4, 1, "dense").start(jax.random.key(0))
    for part in ("re", "im"):  # 16384 draws: 1.5% is almost three standard errors
        assert np.std(made["time"][part]) == pytest.approx(0.02, rel=0.015)
    embeddings = [FreTS(2, 1).start(jax.random.key(s))["embedding"] for s in range(100)]
    assert np.std(embeddings) == pytest.approx(1.0, rel=0.015)
    weights, bound = made["projection"][0], (4 * 128) ** -0.5
    for name in ("w", "b"):
        assert np.abs(weights[name]).max() == pytest.approx(bound, rel=0.01)


@pytest.mark.long
def test_training_is_reproducible_and_learns() -> None:
    data = windows(make_series("tones", np.random.default_rng(0), 160), 24, 2)
    network = FreTS(24, 2, "diagonal", **SIZES)
    one, two = (fit(network, data, 3, epochs=6, rate=3e-3) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, fit(network, data, 4, epochs=6, rate=3e-3))
    assert np.mean((one - data.test[1]) ** 2) < 0.7 * np.mean(data.test[1] ** 2)
