"""Derivatives of kernels in their inputs, against differences in a hundred digits."""

import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest

from numerics import AccuracyWarning, ConvergenceError, DivergenceError, kernel, kernel_derivatives
from theory import DEQ, MLP, Dense, LayerNorm, Sequential

sys.path.insert(0, str(Path(__file__).parent))
from layer_networks import NETWORKS, Digits, X

NAMES = ("relu", "gelu", "erf", "sin", "rectified_monomial:2", "gaussian:-1")
MODELS = NETWORKS | {name: MLP(name, 2, 1.3, 0.2, 0.9) for name in NAMES}
V = np.random.default_rng(0).standard_normal(X.shape)


def rates(model, a, b, va, vb):
    """Derivatives of NNGP and NTK of one pair while its inputs move, by central differences."""
    network = Sequential(model.layers) if isinstance(model, MLP) else model
    with mpmath.workdps(100):
        h = mpmath.mpf("1e-18")  # a cusp has t |t| behind it

        def at(t):
            rows = [
                [mpmath.mpf(float(p)) + t * mpmath.mpf(float(q)) for p, q in zip(x, v, strict=True)]
                for x, v in ((a, va), (b, vb))
            ]
            dots = [mpmath.fdot(rows[i], rows[j]) / len(a) for i, j in ((0, 0), (0, 1), (1, 1))]
            last = network.forward(dots, Digits(), mpmath.mpf(len(a)))
            return last.both, last.tangent

        values = [at(k * h) for k in (-2, -1, 1, 2)]
        return [
            float((8 * (values[2][m] - values[1][m]) - (values[3][m] - values[0][m])) / (12 * h))
            for m in (0, 1)
        ]


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_products_with_directions_have_fourteen_digits(name) -> None:
    model = MODELS[name]
    made = kernel_derivatives(model, X)
    plain = kernel(model, X)
    for one, two in ((made.nngp, plain.nngp), (made.ntk, plain.ntk)):
        assert np.abs(one - two).max() <= 1e-13 * np.abs(two).max()
    found = made.along(V, -0.5 * V)
    for i in range(len(X)):
        for j in range(len(X)):
            if i == j:  # below
                continue
            for kind, rate in enumerate(rates(model, X[i], X[j], V[i], -0.5 * V[j])):
                size = np.abs(found[kind]).max()
                assert abs(found[kind][i, j] - rate) <= 3e-14 * size, (i, j, kind)


@pytest.mark.parametrize("name", ["relu", "gelu", "erf", "rectified_monomial:2", "blocks"])
def test_equal_inputs_are_exact(name) -> None:
    model = MODELS[name]
    x, v = X[:1], V[:1]
    made = kernel_derivatives(model, x, x)
    for kind, found in enumerate(made.along(v)):
        # one of two equal inputs moves; of a cusp the mean over both sides
        rate = rates(model, x[0], x[0], v[0], 0.0 * v[0])[kind]
        assert found[0, 0] == pytest.approx(rate, rel=1e-13)
    # symmetry: half of what it is if both move, which is the derivative of the diagonal
    both, one = made.along(v, v), made.along(v)
    for whole, part in zip(both, one, strict=True):
        assert whole[0, 0] == pytest.approx(2.0 * part[0, 0], rel=1e-14)


def test_jacobians_are_products_with_unit_vectors() -> None:
    model = NETWORKS["blocks"]
    made = kernel_derivatives(model, X, X[1:])
    jacobians = made.jacobian()
    for k in range(3):
        unit = np.zeros_like(X)
        unit[:, k] = 1.0
        for whole, part in zip(jacobians, made.along(unit), strict=True):
            assert np.allclose(whole[:, :, k], part, rtol=1e-13, atol=1e-15)
    assert repr(made) == "KernelDerivatives(of 4 x 3 inputs of 3 coordinates)"
    # rotations leave kernels alone, and the scale of inputs leaves normalised ones alone
    turn = X @ np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 2.0], [0.0, -2.0, 0.0]])
    for rate in made.along(turn, turn[1:]):
        assert np.abs(rate).max() < 1e-14
    scaled = Sequential((Dense(2, None), LayerNorm(), "erf", Dense(1, None)))
    for rate in kernel_derivatives(scaled, X).along(X, X):
        assert np.abs(rate).max() < 1e-14


def test_near_equal_inputs_lose_digits_where_slopes_have_kinks_alone() -> None:
    for distance, bound in ((1e-2, 1e-10), (1e-8, 1e-13)):
        x, y = X[:1], X[:1] + distance * V[1:2]
        for name in ("gelu", "erf", "relu"):
            model = MODELS[name]
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found = kernel_derivatives(model, x, y).along(V[:1])
            true = rates(model, x[0], y[0], V[0], 0.0 * V[0])
            assert found[0][0, 0] == pytest.approx(true[0], rel=1e-13)
            lost = name == "relu" and distance < 1e-3
            assert [w.category for w in told] == [AccuracyWarning] * lost
            if not lost:
                rel = 1e-13 if name != "relu" else bound
                assert found[1][0, 0] == pytest.approx(true[1], rel=rel)
    kernel_derivatives(MLP("relu", 2, 1, 0), X[:1], 2.0 * X[:1])  # parallel, no warning


@pytest.mark.long
def test_series_have_derivatives_too() -> None:
    model = MLP("tanh", 2, 0.9, 0.2, 0.9)
    found = kernel_derivatives(model, X).along(V)
    step = 1e-3
    for kind, name in enumerate(("nngp", "ntk")):
        near = [getattr(kernel(model, X + t * step * V, X), name) for t in (-2, -1, 1, 2)]
        rate = (8 * (near[2] - near[1]) - (near[3] - near[0])) / (12 * step)
        off = ~np.eye(len(X), dtype=bool)
        assert np.allclose(found[kind][off], rate[off], rtol=1e-8, atol=1e-10)


@pytest.mark.long
def test_what_has_no_derivative_is_refused() -> None:
    close = np.vstack([X, X[0] + 1e-9])
    for wrong, error, says in (
        (lambda: kernel_derivatives(DEQ(), X), TypeError, "expected theory.MLP or theory.Sequen"),  # type: ignore[arg-type]
        (
            lambda: kernel_derivatives(MLP("relu", 2, 1, 0), [[0.0, 0.0], [1.0, 2.0]]),
            DivergenceError,
            "input 0 has variance 0 before relu",
        ),
        (
            lambda: kernel_derivatives(MLP("max(x - 1, 0)", 1), close),
            ConvergenceError,
            "too nearly parallel",
        ),
        (lambda: kernel_derivatives(MLP(), X).along(V[:2]), ValueError, "v1 must be finite"),
        (lambda: kernel_derivatives(MLP(), X).along(V, np.nan * V), ValueError, "v2 must be"),
    ):
        with pytest.raises(error, match=says):
            wrong()
