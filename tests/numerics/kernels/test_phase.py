"""Fixed points of deep perceptrons: the stable ones, also without a bias."""

import mpmath
import pytest

from numerics import phase_diagram

QUANTITIES = ("variance", "chi", "length")


@pytest.mark.long
@pytest.mark.parametrize("activation", ["erf", "sin", "tanh", "x*exp(-x^2)"])
def test_without_a_bias_it_is_the_limit_of_small_ones(activation: str) -> None:
    found = phase_diagram(activation, [0.6, 1.3, 2.0, 2.7], [0.0, 1e-9])
    for name in QUANTITIES:
        none, small = getattr(found, name)
        assert none == pytest.approx(small, rel=1e-8, abs=1e-16)
    assert found.variance[0, 0] == 0.0
    assert (found.variance[0, 1:] > 0.0).all()
    ordered = found.correlation[0] == 1.0
    assert (ordered == (found.chi[0] <= 1.0)).all()


@pytest.mark.parametrize("width", [0.9, 1.2, 3.0])
def test_erf_without_a_bias_in_thirty_digits(width: float) -> None:
    found = phase_diagram("erf", [width], [0.0])
    (variance, chi), error = (found.variance[0, 0], found.chi[0, 0]), found.error[:, 0, 0]
    with mpmath.workdps(30):
        w2 = mpmath.mpf(width) ** 2
        second = lambda k: 2 / mpmath.pi * mpmath.asin(2 * k / (1 + 2 * k))  # noqa: E731
        k = mpmath.findroot(lambda k: k - w2 * second(k), variance)
        assert k > 0
        assert abs(variance - k) <= error[0] * k
        exact = w2 * 4 / mpmath.pi / mpmath.sqrt(1 + 4 * k)
        assert abs(chi - exact) <= error[1] * exact
