"""Predictions of wide networks: within their errors of fifty digits, and laws that hold between them."""

import math
import re
import sys
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest

from numerics import DivergenceError, SingularKernelError, kernel, predict
from theory import DEQ, MLP, Dense, Residual, Sequential

sys.path.insert(0, str(Path(__file__).parent))
from reference import DIGITS, mlp_reference

RNG = np.random.default_rng(0)
X, NEW = RNG.standard_normal((6, 3)), RNG.standard_normal((3, 3))
NEAR = np.vstack([X, X[0] + [0.0, 1e-4, 0.0]])
Y = np.sin(2.0 * X[:, 0])
MODEL = MLP("erf", 2, 1.3, 0.1, 1.0)


@cache
def exact_kernels(many: bool):
    inputs = np.vstack([NEAR if many else X, NEW])
    return mlp_reference(inputs, inputs, "erf", 2, 1.3, 0.1, 1.0)[:2]


def exact(x, y, new, kind, time, rate, ridge):
    """Mean and covariance in many digits, from kernels in many digits."""
    nngp, ntk = exact_kernels(x is NEAR)
    n, size = len(x), len(x) + len(new)
    with mpmath.workdps(DIGITS):
        k, theta = (mpmath.matrix(v.tolist()) for v in (nngp, ntk if kind == "ntk" else nngp))
        s = theta[:n, :n] + mpmath.mpf(ridge) * mpmath.eye(n)
        values, vectors = mpmath.eigsy(s)
        gains = [
            1 / v if time == math.inf else -mpmath.expm1(-v * mpmath.mpf(time) * rate / n) / v
            for v in values
        ]
        b = theta[n:size, :n] * (vectors * mpmath.diag(gains) * vectors.T)
        seen = k[:n, :n] + (
            mpmath.mpf(ridge) * mpmath.eye(n) if kind == "nngp" else mpmath.zeros(n)
        )
        cross = k[n:size, :n]
        covariance = k[n:size, n:size] - b * cross.T - cross * b.T + b * seen * b.T
        return b * mpmath.matrix(y.tolist()), covariance


def off(found: np.ndarray, right: mpmath.matrix) -> float:
    """Largest difference."""
    flat = np.asarray(found).reshape(right.rows, right.cols)
    with mpmath.workdps(DIGITS):
        cells = np.ndindex(right.rows, right.cols)
        return max(float(abs(mpmath.mpf(float(flat[i, j])) - right[i, j])) for i, j in cells)


CASES = [
    (X, "ntk", (0.0, 0.5, 20.0, 1e4, math.inf), 0.0),
    (X, "ntk", math.inf, 0.0),
    (X, "ntk", (3.0, math.inf), 0.4),
    (X, "nngp", math.inf, 0.0),
    (X, "nngp", math.inf, 0.4),
    (NEAR, "ntk", (1.0, 1e6, math.inf), 0.0),
    (NEAR, "ntk", math.inf, 1e-6),
    (NEAR, "nngp", math.inf, 0.0),
]


@pytest.mark.parametrize(("x", "kind", "times", "ridge"), CASES)
def test_errors_hold_in_fifty_digits(x, kind, times, ridge) -> None:
    """With two inputs 1e-4 apart as well, which make the kernels' condition 1e9."""
    y = np.sin(2.0 * x[:, 0])
    found = predict(MODEL, x, y, NEW, kind=kind, times=times, learning_rate=0.5, ridge=ridge)
    ends = (np.atleast_1d(getattr(found, name)) for name in ("mean_error", "covariance_error"))
    means = found.mean.reshape(-1, len(NEW))
    covariances = found.covariance.reshape(-1, len(NEW), len(NEW))
    whole = zip(np.atleast_1d(times).tolist(), means, covariances, *ends, strict=True)
    for time, mean, covariance, mean_error, covariance_error in whole:
        right = exact(x, y, NEW, kind, time, 0.5, ridge)
        assert off(mean, right[0]) <= mean_error < 2e-3
        assert off(covariance, right[1]) <= covariance_error < 2e-3
        if x is X:
            assert max(mean_error, covariance_error) < 2e-11


def test_the_start_is_the_prior_and_the_end_interpolates() -> None:
    inputs = np.vstack([NEW, X])
    found = predict(MODEL, X, Y, inputs, times=[0.0, math.inf])
    prior = kernel(MODEL, inputs).nngp
    assert (found.mean[0] == 0.0).all()
    assert found.covariance[0] == pytest.approx(prior, rel=1e-13)
    assert found.mean[1, len(NEW) :] == pytest.approx(Y, abs=found.mean_error[1])
    trained = found.covariance[1, len(NEW) :, len(NEW) :]
    assert np.abs(trained).max() <= found.covariance_error[1]
    assert (found.deviation[1, : len(NEW)] > 0.01).all()


def test_one_decomposition_and_a_factor_agree() -> None:
    one = predict(MODEL, X, Y, NEW, ridge=0.1)
    many = predict(MODEL, X, Y, NEW, ridge=0.1, times=[1.0, math.inf])
    assert one.mean == pytest.approx(many.mean[1], abs=many.mean_error[1])
    assert one.covariance == pytest.approx(many.covariance[1], abs=many.covariance_error[1])
    assert one.times == math.inf
    assert isinstance(one.mean_error, float)


def test_labels_with_several_outputs_are_several_predictions() -> None:
    """N counts all numbers of the labels: twice as many, half as fast."""
    both = predict(MODEL, X, np.column_stack([Y, X[:, 1]]), NEW, times=[2.0])
    for column, y in enumerate((Y, X[:, 1])):
        alone = predict(MODEL, X, y, NEW, times=[1.0])
        assert both.mean[..., column] == pytest.approx(alone.mean, rel=1e-12)
        assert both.covariance == pytest.approx(alone.covariance, rel=1e-12)


def test_only_rate_times_time_matters() -> None:
    one = predict(MODEL, X, Y, NEW, times=6.0, learning_rate=0.5)
    other = predict(MODEL, X, Y, NEW, times=3.0, learning_rate=1.0)
    assert one.mean == pytest.approx(other.mean, rel=1e-13)


def test_the_largest_rate_is_that_of_the_discrete_steps() -> None:
    """Descent of the outputs themselves converges below it."""
    found = predict(MODEL, X, Y, X)
    theta = kernel(MODEL, X).ntk
    f = np.zeros(len(X))
    for _ in range(200_000):
        f -= 0.99 * found.largest_rate / len(X) * theta @ (f - Y)
    assert f == pytest.approx(Y, abs=1e-3)


def test_gaussian_process_is_that_of_scikit_learn() -> None:
    process = pytest.importorskip("sklearn.gaussian_process")
    from numerics.kernels.sklearn import DEQ as Kernel

    model = DEQ("erf", 0.5, 1.0, 0.3, 1.0)
    fitted = process.GaussianProcessRegressor(Kernel.from_model(model), alpha=0.05, optimizer=None)
    mean, covariance = fitted.fit(X, Y).predict(NEW, return_cov=True)
    found = predict(model, X, Y, NEW, kind="nngp", ridge=0.05)
    assert found.mean == pytest.approx(mean, rel=1e-10)
    assert found.covariance == pytest.approx(covariance, abs=1e-11)


def test_networks_of_which_only_the_readout_learns_end_as_the_posterior() -> None:
    """Their tangent kernel is the NNGP kernel, and all that follows is the same."""
    block = Residual(("erf", Dense(0.8, None, trained=False)))
    layers = (Dense(1.3, 0.1, trained=False), block, "erf", Dense(1.1, None))
    trained, posterior = (
        predict(Sequential(layers), X, Y, NEW, kind=kind, ridge=ridge)
        for kind, ridge in (("ntk", 0.0), ("nngp", 0.0))
    )
    assert trained.mean == pytest.approx(posterior.mean, abs=2.0 * trained.mean_error)
    assert trained.covariance == pytest.approx(
        posterior.covariance, abs=trained.covariance_error + posterior.covariance_error
    )
    free = Sequential((Dense(1.3, 0.1), block, "erf", Dense(1.1, None)))
    other = predict(free, X, Y, NEW)
    assert np.abs(other.mean - trained.mean).max() > 1e-3
    assert (other.deviation > trained.deviation).all()  # a posterior is the narrowest


def test_equal_inputs_need_a_ridge_or_a_time() -> None:
    x, y = np.vstack([X, X[:1]]), np.append(Y, Y[0])
    for kind in ("ntk", "nngp"):
        with pytest.raises(SingularKernelError, match="take a ridge above") as caught:
            predict(MODEL, x, y, NEW, kind=kind)
        assert "\n" not in str(caught.value)
        least = float(re.findall(r"ridge above (\S+),", str(caught.value))[0])
        predict(MODEL, x, y, NEW, kind=kind, ridge=2.0 * least)
    with pytest.raises(SingularKernelError, match=r"at t = 1e\+15"):
        predict(MODEL, x, y, NEW, times=1e15)
    # equal inputs with equal labels: as one that counts twice, so for a long time as without the other
    found, alone = (predict(MODEL, *data, NEW, times=1e6) for data in ((x, y), (X, Y)))
    assert found.mean == pytest.approx(alone.mean, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y": Y[:3]}, "one row for each of the 6 training inputs, got shape (3,)"),
        ({"y": [math.nan] * 6}, "y has NaN"),
        ({"y": ["a"] * 6}, "y must hold real numbers"),
        ({"x": X[:, :2]}, "x and x_new must have as many columns, got 2 and 3"),
        ({"x_new": [[math.inf, 0, 0]]}, "x_new has NaN or infinite entries"),
        ({"times": -1.0}, "times must not be negative, got -1"),
        ({"times": []}, "times must be a number or a sequence"),
        ({"times": math.nan}, "times must not be negative, got nan"),
        ({"kind": "nngp", "times": 1.0}, "the posterior (kind='nngp') has no time"),
        ({"kind": "gp"}, "kind must be 'ntk' or 'nngp', got 'gp'"),
        ({"learning_rate": 0.0}, "learning_rate must be a finite number > 0, got 0.0"),
        ({"ridge": -1.0}, "ridge must be a finite number >= 0, got -1.0"),
        ({"ridge": math.nan}, "ridge must be a finite number >= 0, got nan"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, words) -> None:
    given = {"x": X, "y": Y, "x_new": NEW} | changes
    with pytest.raises(ValueError, match=re.escape(words)):
        predict(MODEL, **given)


def test_infinite_tangent_kernels_are_refused() -> None:
    with pytest.raises(DivergenceError, match="tangent='almost_everywhere'"):
        predict(MLP("sign", 1), X, Y, NEW)
    assert predict(MLP("sign", 1), X, Y, NEW, kind="nngp").mean.shape == (3,)
