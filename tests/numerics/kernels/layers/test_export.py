"""Kernels as functions of JAX: the same values, and derivatives that are exact where inputs are equal."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from numerics import AccuracyWarning, MissingExtraError, kernel, kernel_derivatives, to_jax
from theory import DEQ, MLP, Dense, Sequential

sys.path.insert(0, str(Path(__file__).parent))
from layer_networks import NETWORKS, X

jax = pytest.importorskip("jax")
V = np.random.default_rng(0).standard_normal(X.shape)
NAMES = ("relu", "gelu", "erf", "sin", "gaussian:-1", "tanh")
MODELS = NETWORKS | {name: MLP(name, 2, 1.0, 0.2, 0.9) for name in NAMES}
CLOSE = {"tanh": 1e-12}


@pytest.fixture(autouse=True)
def double_precision():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_values_and_products_are_those_of_numerics(name) -> None:
    model, rel = MODELS[name], CLOSE.get(name, 1e-14)
    function = jax.jit(to_jax(model))
    # parallel, equal and opposite inputs among them
    x, y = X, np.vstack([X[1:], -X[0]])
    plain, made = kernel(model, x, y), kernel_derivatives(model, x, y)
    values, moved = jax.jvp(lambda x: function(x, y), (x,), (V,))
    for found, true in zip(values, (plain.nngp, plain.ntk), strict=True):
        assert np.abs(found - true).max() <= rel * np.abs(true).max()
    for found, true in zip(moved, made.along(V), strict=True):
        assert np.abs(found - true).max() <= 100.0 * rel * np.abs(true).max()
    short = function(jax.numpy.asarray(x, "float32"))
    whole = kernel(model, x)
    for found, true in zip(short, (whole.nngp, whole.ntk), strict=True):
        assert found.dtype == "float32"
        assert np.abs(found - true).max() <= 2e-6 * np.abs(true).max()


@pytest.mark.parametrize(("dtype", "rel"), [("float64", 1e-14), ("float32", 4e-6)])
def test_diagonals_of_many_features_are_exact(dtype, rel) -> None:
    """A product of matrices and a sum of squares are rounded differently, and the NTK has a cusp there."""
    x = np.random.default_rng(3).standard_normal((40, 784)).astype(dtype)
    made = kernel(MLP("relu", 3), x.astype(float), diag=True)
    found = to_jax(MLP("relu", 3))(x)
    for own, true in zip(found, (made.nngp, made.ntk), strict=True):
        assert np.abs(np.diag(own) / true - 1.0).max() < rel


@pytest.mark.long
@pytest.mark.parametrize("name", ["relu", "softplus", "sin(x)/x", "sign", "rectified_monomial:0"])
def test_zero_inputs_without_bias(name) -> None:
    """Their variance is 0 in the first layer: no correlation, no root's derivative, a step's value."""
    model = MLP(name, 2, 1.3, 0.0)
    x, y = np.vstack([0.0 * X[:1], X[:2]]), np.vstack([X[1:3], 0.0 * X[:1]])
    plain, function = kernel(model, x, y), to_jax(model)
    values = function(x, y)
    for found, true in zip(values, (plain.nngp, plain.ntk), strict=True):
        assert np.array_equal(np.isinf(found), np.isinf(true))
        assert np.asarray(found)[np.isfinite(true)] == pytest.approx(
            true[np.isfinite(true)], rel=1e-12
        )
    one_set = kernel(model, x)
    for found, true in zip(function(x), (one_set.nngp, one_set.ntk), strict=True):
        finite = np.isfinite(true)
        assert np.array_equal(np.isfinite(found), finite)
        assert np.asarray(found)[finite] == pytest.approx(true[finite], rel=1e-12)
    if name in ("softplus", "sin(x)/x"):
        v = np.random.default_rng(1).standard_normal(x.shape)
        step = 1e-4
        ends = [kernel(model, x + sign * step * v, y) for sign in (-1.0, 1.0)]
        moved = jax.jvp(lambda x: function(x, y), (x,), (v,))[1]
        for found, kind in zip(moved, ("nngp", "ntk"), strict=True):
            low, high = (getattr(end, kind) for end in ends)
            assert np.asarray(found) == pytest.approx((high - low) / (2.0 * step), abs=1e-6)
        back = jax.grad(lambda x: function(x, y)[1].sum())(x)
        assert (np.asarray(back) * v).sum() == pytest.approx(np.asarray(moved[1]).sum(), rel=1e-10)


@pytest.mark.long
@pytest.mark.parametrize("name", ["relu", "gelu", "erf", "tanh"])
def test_second_derivatives_at_equal_inputs(name) -> None:
    function = to_jax(MODELS[name])

    def nngp(x, y):
        return function(x[None], y[None])[0][0, 0]

    x = jax.numpy.asarray(X[0])
    mixed = jax.jacfwd(jax.grad(nngp, 0), 1)(x, x)
    assert np.isfinite(mixed).all()
    # the covariance of the outputs' gradients, by differences of gradients of numerics
    step = 1e-4
    columns = []
    for k in range(3):
        near = [
            kernel_derivatives(MODELS[name], X[:1], X[:1] + t * step * np.eye(3)[k])
            for t in (1, -1)
        ]
        up, down = (n.jacobian()[0][0, 0] for n in near)
        columns.append((up - down) / (2.0 * step))
    # ReLU's third derivative jumps
    assert np.allclose(mixed, np.array(columns).T, atol=1e-4 if name == "relu" else 1e-6)
    assert np.allclose(mixed, mixed.T, rtol=1e-10)
    assert np.linalg.eigvalsh(mixed).min() > 0.0


@pytest.mark.long
def test_gradients_in_reverse_and_over_batches() -> None:
    function = to_jax(NETWORKS["blocks"])

    def loss(x):
        return (function(x)[1] ** 2).sum()

    gradient = jax.jit(jax.grad(loss))(X)
    assert np.isfinite(gradient).all()
    step = 1e-5 * V
    up, down = loss(X + step), loss(X - step)
    assert float((gradient * V).sum()) == pytest.approx(float(up - down) / 2e-5, rel=1e-5)
    batches = jax.vmap(function)(np.stack([X, 2.0 * X]))
    assert batches[0].shape == (2, 4, 4)


@pytest.mark.long
def test_a_series_that_is_too_short_says_so() -> None:
    with pytest.warns(AccuracyWarning, match=r"leave out .* of E phi\(u\)\^2 at variance 1"):
        function = to_jax(MLP("tanh(x^3)", 1))
    true = kernel(MLP("tanh(x^3)", 1), X).nngp
    assert 1e-9 < np.abs(function(X)[0] - true).max() < 1e-3


def test_what_cannot_be_exported_is_refused(monkeypatch) -> None:
    for wrong, error, says in (
        (lambda: to_jax(DEQ()), TypeError, "expected theory.MLP or theory.Sequential, got"),  # type: ignore[arg-type]
        (lambda: to_jax(Sequential((Dense("sigma_w"), Dense()))), ValueError, "is a symbol"),
        (lambda: to_jax(MLP("max(x - 1, 0)")), ValueError, "has kinks or jumps and no closed dual"),
    ):
        with pytest.raises(error, match=says):
            wrong()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install 'widegap"):
        to_jax(MLP())
