"""Spectra against other quadratures, learning curves against regression that is done."""

import math
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy

from numerics import kernel as kernel_of
from numerics import learning_curve, predicted_curve, sphere_spectrum
from numerics.scaling.curves import LearningCurve, distinct
from numerics.scaling.sphere import SphereSpectrum
from theory import DEQ, MLP
from theory.scaling.sphere import zonal_kernel

sys.path.insert(0, str(Path(__file__).parents[1] / "kernels"))
from reference import mlp_reference


def reference(model, kernel, dimension, degree):
    """Gauss and Legendre in the angle, 30 digits, polynomials of mpmath."""
    t = sympy.Symbol("t", real=True)
    h = sympy.lambdify(t, zonal_kernel(model)[kernel == "ntk"], "mpmath")
    with mpmath.workdps(30):
        order = mpmath.mpf(dimension - 2) / 2

        def zonal(x):
            if dimension == 2:
                return mpmath.chebyt(degree, x)
            return mpmath.gegenbauer(degree, order, x) / mpmath.gegenbauer(degree, order, 1)

        def inside(angle):
            x = mpmath.cos(angle)
            return h(x) * zonal(x) * mpmath.sin(angle) ** (dimension - 2)

        whole = mpmath.beta(0.5, mpmath.mpf(dimension - 1) / 2)
        return float(mpmath.quad(inside, [0, mpmath.pi / 2, mpmath.pi]) / whole)


@pytest.mark.parametrize(
    ("model", "kernel", "dimension"),
    [
        (MLP("relu", depth=1, sigma_b=0), "nngp", 3),
        (MLP("relu", depth=2), "ntk", 9),
        (MLP("erf", depth=1), "ntk", 2),
    ],
)
def test_eigenvalues_are_within_their_errors(model, kernel, dimension):
    found = sphere_spectrum(model, dimension, 5, kernel=kernel)
    for degree in (0, 1, 4):
        wanted = reference(model, kernel, dimension, degree)
        assert abs(found.eigenvalues[degree] - wanted) <= found.errors[degree] + 1e-16 * found.total
        assert found.errors[degree] < 1e-12


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_spectra_sum_to_the_kernel(kernel):
    """Also of an equilibrium model, which has no closed form; what is left falls with the degree."""
    model = DEQ("erf", sigma_w=0.5)
    low, high = (sphere_spectrum(model, 5, degrees, kernel=kernel) for degrees in (2, 12))
    assert 0 <= high.rest < 1e-3 * low.total
    assert high.rest < low.rest
    assert high.eigenvalues[:3] == pytest.approx(low.eigenvalues, abs=1e-13)
    assert sum(high.shares) == pytest.approx(1.0, abs=1e-3)


def test_relu_without_bias_has_no_odd_degrees_above_one():
    found = sphere_spectrum(MLP("relu", depth=1, sigma_b=0), 6, 7, kernel="nngp")
    assert all(abs(found.eigenvalues[k]) <= found.errors[k] for k in (3, 5, 7))


def haar(rng, count):
    return np.linalg.qr(rng.standard_normal((count, count)))[0]


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_curves_of_whitened_populations_hold_at_every_size(ridge):
    """Ridge included, up to all points but a few: 3 sigma and 3%."""
    rng = np.random.default_rng(1)
    count, i = 250, np.arange(1.0, 251.0)
    values, weights, vectors = i**-1.5, i**-1.8, haar(rng, 250)
    gram = count * (vectors * values) @ vectors.T
    sizes = (40, 125, 235)
    theory = predicted_curve(values, weights, sizes, ridge=ridge, population=count)
    assert (np.diff(theory.mse) < 0).all()
    for n, predicted in zip(sizes, theory.mse, strict=True):
        errors = []
        for _ in range(60):
            y = math.sqrt(count) * vectors @ (np.sqrt(weights) * rng.choice((-1.0, 1.0), count))
            s = rng.choice(count, n, replace=False)
            found = gram[:, s] @ np.linalg.solve(gram[np.ix_(s, s)] + ridge * np.eye(n), y[s])
            errors.append(((found - y) ** 2).mean())
        spread = np.std(errors) / math.sqrt(len(errors))
        assert abs(np.mean(errors) - predicted) < 3 * spread + 0.03 * predicted


def test_noise_and_independent_features():
    """Normal features, noise in the labels: 3 sigma and 3%."""
    rng = np.random.default_rng(2)
    values = np.repeat([0.5, 0.05, 0.002], [1, 10, 200])
    weights = np.repeat([0.2, 0.05, 0.0005], [1, 10, 200])
    n, ridge, noise = 60, 0.2, 0.1
    predicted = predicted_curve(values, weights, [n], ridge=ridge, noise=noise).mse[0]
    grouped = predicted_curve(
        [0.5, 0.05, 0.002],
        [0.2, 0.5, 0.1],
        [n],
        multiplicities=[1, 10, 200],
        ridge=ridge,
        noise=noise,
    )
    assert grouped.mse[0] == pytest.approx(predicted, rel=1e-9)
    errors = []
    for _ in range(200):
        features = rng.standard_normal((n, 211))
        target = np.sqrt(weights) * rng.choice((-1.0, 1.0), 211)
        y = features @ target + math.sqrt(noise) * rng.standard_normal(n)
        gram = (features * values) @ features.T + ridge * np.eye(n)
        errors.append(((values * (features.T @ np.linalg.solve(gram, y)) - target) ** 2).sum())
    assert abs(np.mean(errors) - predicted) < 3 * np.std(errors) / math.sqrt(200) + 0.03 * predicted


def test_all_points_without_ridge_would_be_learned():
    values, weights = 1.0 / np.arange(1, 51) ** 2, np.ones(50) / 50
    near = predicted_curve(values, weights, [49.999], population=50)
    assert near.mse[0] < 1e-4
    everything = predicted_curve(values, weights, [50], population=50, ridge=0.5)
    assert everything.kappa[0] == pytest.approx(0.01, rel=1e-9)  # the ridge of the whole, over N


def test_draws_with_replacement_count_once():
    assert distinct(1, 10) == pytest.approx(1.0)
    assert distinct(2, 10) == pytest.approx(1.9)
    rng = np.random.default_rng(0)
    drawn = [len(np.unique(rng.integers(40, size=60))) for _ in range(4000)]
    assert distinct(60, 40) == pytest.approx(np.mean(drawn), abs=0.15)


@pytest.fixture(scope="module")
def curve():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((240, 6))
    y = np.column_stack([np.tanh(x[:, 0]), x[:, 1] * x[:, 2]])
    return x, y, learning_curve(MLP("relu", depth=1), x, y, [10, 60], kernel="nngp", ridge=1e-3)


def test_a_curve_of_data_is_that_of_its_spectrum(curve):
    x, y, found = curve
    assert found.variance == pytest.approx((y**2).sum(axis=1).mean())
    assert found.mse[0] > found.mse[1] > 0
    assert max(e / m for e, m in zip(found.errors, found.mse, strict=True)) < 1e-6
    assert found.holds == (True, abs(found.coupling[1]) <= 0.02)
    assert found.exponent is not None
    assert found.exponent.low <= found.exponent.value <= found.exponent.high
    again = learning_curve(
        MLP("relu", depth=1), x, y, [10], kernel="nngp", ridge=1e-3, replace=True
    )
    assert again.sizes[0] < 10
    assert again.mse[0] > found.mse[0]
    assert again.errors[0] > found.errors[0]


@pytest.mark.parametrize(("kernel", "ridge"), [("nngp", 0.0), ("ntk", 0.02)])
def test_every_column_of_a_curve_is_right_in_forty_digits(kernel, ridge):
    """Gram matrix, eigenvectors and effective ridge without a double; the bound of rounding holds."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((14, 3))
    y = np.column_stack([np.tanh(x[:, 0]), x[:, 1] * x[:, 2]])
    found = learning_curve(MLP("erf", 2, 1.3, 0.1, 1.0), x, y, [3, 9], kernel=kernel, ridge=ridge)
    gram = mlp_reference(x, x, "erf", 2, 1.3, 0.1, 1.0)[int(kernel == "ntk")]
    with mpmath.workdps(40):
        values, vectors = mpmath.eigsy(mpmath.matrix(gram.tolist()) / 14)
        c = vectors.T * mpmath.matrix(y.tolist()) / mpmath.sqrt(14)
        for k, n in enumerate((3, 9)):

            def excess(kappa, n=n):
                s1 = sum(v / (v + kappa) for v in values)
                return n - s1 - ridge / kappa * (1 - s1 / 14)

            kappa = mpmath.findroot(
                excess, (found.kappa[k] * 0.9, found.kappa[k] * 1.1), solver="anderson"
            )
            learned = [v / (v + kappa) for v in values]
            s1, s2 = sum(learned), sum(v * v for v in learned)
            bias = sum((1 - f) ** 2 * (c[i, 0] ** 2 + c[i, 1] ** 2) for i, f in enumerate(learned))
            u = mpmath.mpf(1) / 14
            noise = (n - s1) * (1 - s1 * u)
            factor = (noise + s1 * (1 - n * u)) / (noise + (s1 - s2) * (1 - n * u))
            assert abs(bias * factor - found.mse[k]) <= found.errors[k] < 1e-9
            assert found.kappa[k] == pytest.approx(float(kappa), rel=1e-9)
            assert found.gamma[k] == pytest.approx(float(1 - 1 / factor), rel=1e-9)
            leverage = [
                sum(vectors[p, i] ** 2 * f for i, f in enumerate(learned)) for p in range(14)
            ]
            residual = [
                sum(
                    sum(vectors[p, i] * (1 - f) * c[i, o] for i, f in enumerate(learned)) ** 2
                    for o in (0, 1)
                )
                for p in range(14)
            ]
            both = sum(a * b for a, b in zip(leverage, residual, strict=True)) / 14
            coupling = both / (sum(leverage) * sum(residual) / 196) - 1
            assert found.coupling[k] == pytest.approx(float(coupling), rel=1e-7)


def test_exponents_of_data_are_slopes_over_the_window(curve):
    x, y, found = curve
    values, vectors = np.linalg.eigh(kernel_of(MLP("relu", depth=1), x).nngp / len(x))
    values, c2 = values[::-1], ((vectors.T @ y)[::-1] ** 2).sum(axis=1) / len(x)
    modes = np.arange(10, len(x) // 4)
    tails = np.array([c2[k + 1 :].sum() for k in modes])
    for own, logs in ((found.alpha, values[modes]), (found.tail, tails)):
        slope = np.polyfit(np.log(modes + 1.0), np.log(logs), 1)[0]
        assert own[0] == pytest.approx(-slope, rel=1e-9)
    assert found.exponent.value == pytest.approx(min(found.tail[0], 2.0 * found.alpha[0]))


def test_results_print_draw_and_come_back(curve):
    spectrum = sphere_spectrum(MLP("relu", depth=1), 4, 3)
    for kind, result in ((LearningCurve, curve[2]), (SphereSpectrum, spectrum)):
        assert kind.from_dict(result.to_dict()) == result
        assert len(str(result).splitlines()) == 1 + len(result.rows())
        assert result.plot().axes


X = np.eye(5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sphere_spectrum(MLP(), 1), "dimension is an integer from 2"),
        (lambda: sphere_spectrum(MLP(), 3, 2.5), "degrees is an integer, got 2.5"),
        (lambda: sphere_spectrum(MLP(), 3, kernel="gp"), "nngp or ntk, got 'gp'"),
        (lambda: sphere_spectrum(MLP(), 3, radius=math.nan), "radius is a number"),
        (lambda: sphere_spectrum(MLP(), 9000, 190), "1e300 harmonics"),
        (lambda: sphere_spectrum(MLP("sign"), 3), "it jumps; take kernel nngp"),
        (lambda: learning_curve(MLP(), X, [1, 2]), "y holds 5 rows"),
        (lambda: learning_curve(MLP(), X, [1, 2, 3, 4, math.nan]), "y has NaN"),
        (
            lambda: learning_curve(MLP(), X, range(5), [0]),
            "a size is an integer from 1 to 5, got 0",
        ),
        (lambda: learning_curve(MLP(), X, range(5), []), "at least one"),
        (lambda: learning_curve(MLP(), X, range(5), [5]), "need a ridge"),
        (
            lambda: learning_curve(MLP(), X, range(5), [2], ridge=-1),
            "ridge is a number >= 0, got -1",
        ),
        (lambda: predicted_curve([1, -1], [1, 1], [1]), "eigenvalues are numbers >= 0"),
        (lambda: predicted_curve([1, 1], [1, 1], [9], population=4), "at most the population's 4"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
