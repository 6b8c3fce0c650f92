"""Ensembles of small networks, their controls, and the laws measured on them."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import deq_kernel, mlp_kernel
from verify.networks import Network, ensemble, sample
from verify.networks.laws import controlled, error_of, exponent, growth_rate, normality
from verify.networks.network import MemoryBudgetError
from verify.networks.predictions import one_step_error

X = np.array([[1.0, 0.4, -0.3], [0.8, 0.9, 0.2]])
MANY = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize("x", [X, MANY])
@pytest.mark.parametrize("kind", ["deq", "mlp", "untied"])
def test_controls_have_mean_zero(kind, x):
    network = Network(kind, "tanh", 24, depth=3, sigma_w=0.8, sigma_b=0.3)
    found = ensemble(network, x, 2500, np.random.default_rng(1))
    assert found.converged.all()
    spread = found.controls.std(axis=0)
    assert (spread > 0).all()
    t = found.controls.mean(axis=0) / (spread / 2500**0.5)
    assert np.abs(t).max() < 4.5
    assert np.mean(t**2) < 2.0


@pytest.mark.long
@pytest.mark.parametrize("kind", ["deq", "mlp"])
def test_ensembles_have_the_law_of_single_draws(kind):
    network = Network(kind, "erf", 20, depth=2, sigma_w=0.7, sigma_b=0.3, sigma_v=1.2)
    one = sample(network, X, 600, heads=0, weights="dense").covariance[:, 0, 1]
    many = ensemble(network, X, 3000, np.random.default_rng(2)).covariance[:, 0, 1]
    error = (one.var() / 600 + many.var() / 3000) ** 0.5
    assert abs(one.mean() - many.mean()) < 4.5 * error
    assert one.std() == pytest.approx(many.std(), rel=0.15)


def test_controls_sharpen_the_mean_and_do_not_move_it():
    scales = {"sigma_w": 0.7, "sigma_u": 0.4}
    found = ensemble(Network("deq", "erf", 64, **scales), [[1.0]], 1500, np.random.default_rng(3))
    raw = found.covariance[:, 0, 0]
    sharp = controlled(raw, found.controls)
    assert sharp.std() < 0.4 * raw.std()
    assert abs(sharp.mean() - raw.mean()) < 4.5 * raw.std() / 1500**0.5


def test_exponents_of_powers_are_found():
    rng = np.random.default_rng(4)
    widths = (16, 32, 64)
    values = [2.0 / n + 1.5 * n**-0.5 * rng.standard_normal(200_000) for n in widths]
    spread, bias = (exponent(widths, values, s) for s in ("deviation", "mean"))
    assert spread.low < -0.5 < spread.high
    assert spread.amplitude == pytest.approx(1.5, rel=0.02)
    assert bias.low < -1.0 < bias.high
    assert bias.low < bias.value < bias.high
    with pytest.raises(ValueError, match="changes sign"):
        exponent((8, 16), [values[0], -values[1]], "mean")
    with pytest.raises(ValueError, match="at least 2 widths"):
        exponent((8,), values[:1], "mean")


def test_the_next_order_is_fitted_away():
    rng = np.random.default_rng(6)
    widths = (16, 32, 64)
    values = [n**-0.5 * (1.0 + 4.0 / n) * rng.standard_normal(400_000) for n in widths]
    plain = exponent(widths, values, "deviation")
    fitted = exponent(widths, values, "deviation", next_order=True)
    assert plain.high < -0.53
    assert fitted.low < -0.5 < fitted.high
    assert plain.error < fitted.error < 0.02
    assert fitted.amplitude == pytest.approx(1.0, rel=0.1)
    with pytest.raises(ValueError, match="at least 3 widths"):
        exponent(widths[:2], values[:2], "deviation", next_order=True)


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for k in range(60):
        values = [n**-0.5 * rng.standard_normal(1000) for n in (16, 64)]
        found = exponent((16, 64), values, "deviation", confidence=0.9, resamples=300, seed=k)
        covered += found.low <= -0.5 <= found.high
    assert 45 <= covered <= 60


def test_growth_is_fitted():
    t = np.array([0.05, 0.1, 0.2])
    c, error, misfit = growth_rate(t, np.expm1(4.2 * t), 0.01 * t)
    assert c == pytest.approx(4.2, abs=1e-6)
    assert 0.0 < error < 0.1
    assert misfit < 1e-6


def test_normality_accepts_normal_and_rejects_others():
    rng = np.random.default_rng(6)
    root = rng.standard_normal((3, 3))
    kernel, y = root @ root.T, rng.standard_normal((20_000, 3)) @ root.T
    assert normality(y, kernel).accepts(1e-6)
    assert not normality(y * 1.05, kernel).accepts(1e-6)
    heavy = y * rng.gamma(5.0, 0.2, (20_000, 1)) ** -0.5 * (0.8**0.5)
    assert normality(heavy, kernel).kurtosis > 8
    skew = (rng.gamma(4.0, 0.5, (20_000, 3)) - 2.0) @ root.T
    assert not normality(skew, kernel).accepts(1e-6)


def test_an_untied_network_is_no_equilibrium_model():
    scales = {"sigma_w": 0.7, "sigma_u": 0.8, "sigma_b": 0.3}
    limit = deq_kernel(X, activation="erf", **scales).nngp
    found = ensemble(
        Network("untied", "erf", 100, depth=20, **scales), X, 400, np.random.default_rng(7)
    )
    other = found.covariance[:, 0, 1] / limit[0, 1] - 1.0
    assert abs(other.mean()) > 10 * other.std() / 400**0.5
    plain = mlp_kernel(0.8 / 0.7 * X, None, "erf", 20, 0.7, 0.3, 1.0).nngp
    assert found.covariance.mean(axis=0) == pytest.approx(plain, rel=0.05)


def test_ensembles_are_bounded_in_memory():
    with pytest.raises(MemoryBudgetError, match="networks of width 50"):
        ensemble(Network(width=50), X, 10**7, np.random.default_rng(0), memory=2**24)


@pytest.mark.parametrize("name", ["tanh", "x/(1+abs(x))"])
def test_the_predicted_error_is_the_measured_one(name):
    network = Network("deq", name, 150, sigma_w=0.5, sigma_b=0.3)
    limit = deq_kernel(X, activation=name, sigma_w=0.5, sigma_b=0.3).nngp
    found = ensemble(network, X, 400, np.random.default_rng(8))
    assert one_step_error(X, network) == pytest.approx(error_of(found.covariance, limit), rel=0.12)


def test_the_predicted_error_of_a_linear_and_of_a_rectified_network_is_exact():
    """Wick: Cov(h_i h_j, h_i h_j) = k_ii k_jj + k_ij^2; E relu^4 = 3 k^2/2 and E relu^2 = k/2."""
    x = np.array([[1.0, 0.5], [-0.3, 2.0], [0.0, 0.0]])
    linear = Network("deq", "identity", 70, sigma_w=0.6, sigma_v=3.0)
    k = (x @ x.T / 2 / (1.0 - 0.36))[:2, :2]
    own = np.outer(np.diag(k), np.diag(k))
    expected = np.sum((1.0 + k * k / own) / (1.0 - 0.36) ** 2) / 9 / 70
    assert one_step_error(x, linear) == pytest.approx(expected**0.5, rel=1e-12)
    for size in (1.0, 1e80):
        rectified = one_step_error(size * x[:1], Network("deq", "relu", 70, sigma_w=0.6))
        assert rectified == pytest.approx((5.0 / (1.0 - 0.18) ** 2 / 70) ** 0.5, rel=1e-12)


def test_errors_are_relative_to_the_diagonal():
    kernel = np.array([[4.0, 1.0, 0.0], [1.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    drawn = kernel + np.array([[0.4, 0.6, 0.0], [0.6, -0.9, 0.0], [0.0, 0.0, 0.0]])
    assert error_of(drawn[None], kernel) == pytest.approx((4 * 0.01 / 9) ** 0.5, rel=1e-12)
