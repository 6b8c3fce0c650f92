"""Predictions of wide networks: the laws against solutions and minimisers that are computed otherwise."""

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp

from theory.kernels import LAWS
from theory.kernels.laws import prediction as laws


@pytest.mark.parametrize("name", LAWS)
def test_every_law_has_a_derivation_that_prints(name: str) -> None:
    law = LAWS[name]()
    assert law.steps
    assert law.text().startswith(law.title)
    assert law.latex()
    assert all(sympy.latex(step.expression) for step in law.steps)


def test_the_coefficient_is_the_integral_of_what_is_left() -> None:
    """A(t) is the integral of exp(-s eta u/N) eta/N, whence the bounds of numerics."""
    u = sympy.Symbol("u", positive=True)
    left = sympy.exp(-laws.EIGENVALUE * laws.RATE * u / laws.COUNT) * laws.RATE / laws.COUNT
    integral = sympy.integrate(left, (u, 0, laws.TIME))
    assert sympy.simplify(integral - laws.coefficient().value) == 0


def test_outputs_follow_descent_of_the_loss_in_the_parameters() -> None:
    """Integrate the gradient flow of a linear model, with many more parameters than labels."""
    rng = np.random.default_rng(0)
    features, new = rng.standard_normal((4, 9)), rng.standard_normal((2, 9))
    labels, start, rate, decay, time = rng.standard_normal(4), rng.standard_normal(9), 0.7, 0.3, 5.0

    def flow(_t: float, w: np.ndarray) -> np.ndarray:
        residual = features @ w - labels
        return -rate / 4 * (features.T @ residual + decay * (w - start))

    w = solve_ivp(flow, (0.0, time), start, rtol=1e-11, atol=1e-12).y[:, -1]
    values, vectors = np.linalg.eigh(features @ features.T + decay * np.eye(4))
    gains = [float(laws.coefficient().at(s=s, t=time, eta=rate, N=4).rhs) for s in values]
    coefficients = vectors @ np.diag(gains) @ vectors.T @ (labels - features @ start)
    assert new @ w == pytest.approx(new @ start + new @ features.T @ coefficients, abs=1e-8)


def test_descent_converges_below_the_largest_rate_and_not_above() -> None:
    edge = float(laws.largest_rate().at(s=3, N=5).rhs)
    for rate, converges in ((0.99 * edge, True), (1.01 * edge, False)):
        a = 0.0
        for _ in range(2000):
            a += rate / 5 * (1.0 - 3.0 * a)
        assert (abs(a - 1 / 3) < 1e-6) == converges


def test_covariance_is_that_of_samples_and_the_posterior_is_the_least() -> None:
    """Over random B the posterior's is the smallest trace, and the law that of the linear map."""
    rng = np.random.default_rng(1)
    root = rng.standard_normal((5, 8))
    joint = root @ root.T
    train, cross, test = joint[:3, :3] + 0.2 * np.eye(3), joint[3:, :3], joint[3:, 3:]
    names = (laws.K_TEST, laws.K_CROSS, laws.K_TRAIN, laws.WEIGHTS)
    law = sympy.lambdify(names, laws.covariance().value, "numpy")
    whole = np.block([[test, cross], [cross.T, train]])
    best = cross @ np.linalg.inv(train)
    least = np.trace(test - best @ cross.T)
    assert np.trace(law(test, cross, train, best)) == pytest.approx(least)
    for _ in range(5):
        b = best + 0.1 * rng.standard_normal((2, 3))
        by_map = np.hstack([np.eye(2), -b])
        found = law(test, cross, train, b)
        assert found == pytest.approx(by_map @ whole @ by_map.T)
        assert np.trace(found) > least
