"""The replicon of level 1 against what is known of the spherical perceptron, and against moments."""

import mpmath
import pytest
from sympy import oo

from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron
from theory.thresholds.replicon import replicon


def test_the_spherical_perceptron_is_stable_from_margin_zero():
    # Gardner, J. Phys. A 21, 257 (1988)
    assert replicon(SphericalPerceptron(0)) == 0
    for kappa in (0.1, 1, 3):
        assert replicon(SphericalPerceptron(kappa)) > 0
        assert replicon(SphericalPerceptron(-kappa)) < 0


@pytest.mark.parametrize("kappa", [-2, -0.5, 0.25, 1.5])
def test_moments_of_the_hinge_by_quadrature(kappa):
    # g is (kappa - h)_+^2 over a constant, g' its slope; the sphere's f is h^2, of E f''^2 = E f'^2
    def moment(power):
        weight = lambda u: mpmath.npdf(u) * (kappa - u) ** power  # noqa: E731
        return mpmath.quad(weight, [-mpmath.inf, kappa - 5, kappa])

    expected = 1 - moment(0) / moment(2)
    assert float(replicon(SphericalPerceptron(kappa))) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("model", [SK(), Hopfield(), SBP(), ABP(1)], ids=str)
def test_binary_weights_are_never_stable(model):
    assert replicon(model) == -oo


def test_margins_may_stay_symbols():
    expr = replicon(SphericalPerceptron())
    (kappa,) = expr.free_symbols
    assert expr.subs(kappa, 2) == replicon(SphericalPerceptron(2))
