"""Pairs between a few values, against closed forms."""

import numpy as np
import pytest

from numerics.kernels.series.between import between
from theory.kernels.activations import activation


def by_arcsine(a, b, c):
    """E erf(u) erf(v) and its derivatives in c and in a."""
    det = (1.0 + 2.0 * a) * (1.0 + 2.0 * b) - 4.0 * c * c
    value = 2.0 / np.pi * np.arctan2(2.0 * c, np.sqrt(det))
    slope = 4.0 / np.pi / np.sqrt(det)
    bend = 16.0 / np.pi * c / det**1.5
    by_a = -4.0 / np.pi * c / (1.0 + 2.0 * a) / np.sqrt(det)
    slope_by_a = -4.0 / np.pi * (1.0 + 2.0 * b) / det**1.5
    return value, slope, bend, by_a, slope_by_a


def by_waves(a, b, c):
    """E sin(u) sin(v)."""
    down = np.exp(-0.5 * (a + b))
    value, slope = down * np.sinh(c), down * np.cosh(c)
    return value, slope, value, -0.5 * value, -0.5 * slope


@pytest.mark.parametrize("count", [2, 400], ids=["one by one", "polynomials"])
@pytest.mark.parametrize("sense", [1.0, -1.0])
@pytest.mark.parametrize(
    ("phi", "exact", "variance"),
    [
        pytest.param("erf", by_arcsine, 300.0, marks=pytest.mark.long),
        ("sin", by_waves, 1.5),
    ],
    ids=["a mixture", "quadrature"],
)
def test_values_and_derivatives_are_those_of_closed_forms(
    phi, exact, variance, sense, count
) -> None:
    rng = np.random.default_rng(1)
    one, two = variance * np.exp(rng.uniform(-0.05, 0.05, (2, count)))
    rho = sense * (1.0 - np.exp(rng.uniform(np.log(2e-4), np.log(1e-2), count)))
    edge = np.sqrt(one * two)
    k, places = np.concatenate([one, two]), np.arange(count)
    found = between(activation(phi), k, places, count + places, rho)
    value, slope, bend, by_one, slope_by_one = exact(one, two, rho * edge)
    # in the logarithm of the first variance at a fixed correlation
    value_one = one * by_one + 0.5 * edge * rho * slope
    slope_one = one * slope_by_one + 0.5 * edge * rho * bend
    # values as the estimate says; derivatives are differences of steps of 1/512 where pairs go alone
    assert found.error < 1e-7
    steep = np.abs(slope).max()
    assert found.value == pytest.approx(value, abs=1e-7)
    assert found.slope == pytest.approx(slope, abs=1e-7 * steep)
    gap = 1.0 - np.abs(rho)
    assert gap * found.slope_rho == pytest.approx(gap * edge * bend, abs=1e-4 * steep)
    assert found.value_one == pytest.approx(value_one, abs=1e-4)
    assert found.slope_one == pytest.approx(slope_one, abs=1e-4 * steep)
