"""Panels hold what they say, however far out they go."""

import numpy as np
import pytest

from numerics.kernels.series.between import ACCURACY, between
from numerics.kernels.series.mesh import Mesh
from numerics.kernels.series.series import Series
from theory.kernels.activations import activation


@pytest.mark.parametrize("reach", [64.0, 2.0**13, 2.0**20])
def test_panels_of_an_odd_function_are_mirrored(reach):
    made = Mesh(activation("tanh")).panels(reach)
    ends = np.array([float(p.lower.mid()) for p in made] + [float(made[-1].upper.mid())])
    # what is next to 0 shows in derivatives of the whole panel only, which nodes do not see
    assert 0.5 in ends
    np.testing.assert_array_equal(ends, -ends[::-1])


def test_polynomials_between_values_are_as_accurate_as_they_say():
    rng = np.random.default_rng(0)
    one, two = np.exp(rng.uniform(3.0, 3.1, (2, 2000)))
    rho = 1.0 - np.exp(rng.uniform(-9.0, -4.0, 2000))
    tanh, some = activation("tanh"), slice(0, 1)
    k, rows, columns = np.concatenate([one, two]), np.arange(2000), np.arange(2000, 4000)
    made = between(tanh, k, rows, columns, rho)
    alone = between(tanh, k, rows[some], columns[some], rho[some])  # without polynomials
    least = between(tanh, k, rows, columns, rho, slopes=False)
    assert made.error <= 100.0 * ACCURACY
    assert abs(made.value[0] - alone.value[0]) <= 100.0 * ACCURACY
    for name in ("value", "slope", "value_one", "value_two"):
        np.testing.assert_allclose(getattr(least, name), getattr(made, name), rtol=1e-13)
    for name in ("slope_rho", "value_one", "slope_one", "value_two", "slope_two"):
        np.testing.assert_allclose(
            getattr(made, name)[some], getattr(alone, name), rtol=1e-4, err_msg=name
        )


@pytest.mark.parametrize(
    ("phi", "bend", "rise"),
    [
        ("x-30-log(1+exp(x))", lambda x: np.exp(-np.abs(x)) / (1.0 + np.exp(-np.abs(x))) ** 2, 1.0),
        ("x*atan(x)", lambda x: 2.0 / (1.0 + x * x) ** 2, np.pi),
        ("log(1+exp(x))", lambda x: np.exp(-np.abs(x)) / (1.0 + np.exp(-np.abs(x))) ** 2, 1.0),
    ],
)
def test_rounded_corners_at_the_ends_of_long_panels_are_resolved(phi, bend, rise):
    """They are low, no steeper than what leads up to them, and nodes lie beyond."""
    made = Mesh(activation(phi)).panels(2.0**14)
    x, w = np.polynomial.legendre.leggauss(16)
    total = 0.0
    for panel in made:
        low, high = float(panel.lower.mid()), float(panel.upper.mid())
        half = 0.5 * (high - low)
        total += half * float(w @ bend(low + half * (1.0 + x)))
    assert total == pytest.approx(rise, abs=1e-9)  # of the slope, from end to end


@pytest.mark.parametrize("k", [1e6, 1e9])
def test_softplus_takes_few_panels_however_far_out(k):
    assert len(Mesh(activation("softplus")).panels(2.0**20)) < 120
    found, _, _ = Series(activation("softplus")).second_moments(np.array([k]))
    # its square is that of max(x, 0) and what falls like exp(-|x|), which sees the density at 0 alone
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = 20.0 * (1.0 + x), 20.0 * w
    rest = np.log1p(np.exp(-x))
    more = w @ (2.0 * x * rest + 2.0 * rest**2) / np.sqrt(2.0 * np.pi * k)
    assert found[0] == pytest.approx(k / 2.0 + more, rel=1e-12)
