"""The hard-constraint limits of the binary prior and of the symmetric constraint."""

import mpmath
import pytest
from sympy import (
    Heaviside,
    Symbol,
    cosh,
    erf,
    erfc,
    exp,
    expand,
    expand_log,
    lambdify,
    limit,
    log,
    oo,
    simplify,
    sqrt,
)

from theory import SBP, BinaryPrior
from theory.thresholds.hard_constraints import C2, GAMMA, P2, Q2, H, constraint_limit, prior_limit

KAPPA = Symbol("kappa", positive=True)
X = prior_limit(BinaryPrior())
Y = constraint_limit(SBP().constraint)


def test_innermost_x_lifting_is_a_pair_of_error_functions():
    x, v = X.lifted.variables
    root = sqrt(2 * v)
    exact = exp(C2**2 * v / 2) * (
        exp(C2 * x) * erfc(-(x + C2 * v) / root) / 2 + exp(-C2 * x) * erfc((x - C2 * v) / root) / 2
    )
    assert simplify((X.lifted.expr - exact).rewrite(erf)) == 0


def test_innermost_x_lifting_against_quadrature():
    x, v = X.lifted.variables
    value = lambdify((x, v, C2), X.lifted.expr, "mpmath")
    point = (mpmath.mpf("0.3"), mpmath.mpf("0.6"), mpmath.mpf("1.7"))
    field, variance, c = point

    def integrand(u):
        return mpmath.exp(c * abs(field + mpmath.sqrt(variance) * u)) * mpmath.npdf(u)

    kink = -field / mpmath.sqrt(variance)
    assert abs(value(*point) - mpmath.quad(integrand, [-15, -5, kink, 5, 15])) < 1e-12


def test_scaled_lifting_is_the_lifting_at_the_scaled_point():
    x, v = X.lifted.variables
    at = X.lifted.expr.subs({x: H / C2, v: 1 - Q2 / C2**2}) * exp(-(C2**2) / 2)
    point = {H: 0.7, Q2: 1.3, C2: 3.1}
    assert float(at.subs(point)) == pytest.approx(float(X.scaled.subs(point)), rel=1e-13)


def test_limit_of_the_scaled_x_lifting():
    value = limit(X.scaled, C2, oo)
    assert simplify((value - exp(-Q2 / 2) * 2 * cosh(H)).rewrite(exp)) == 0
    assert X.offset == -Q2 / 2
    assert X.leaf.expr.xreplace({X.leaf.variables[0]: H}) == log(2 * cosh(H))


def test_scaled_lifting_approaches_its_limit_exponentially():
    function = lambdify(C2, (X.scaled - exp(-Q2 / 2) * 2 * cosh(H)).subs({H: 0.5, Q2: 1}), "mpmath")
    errors = [abs(function(mpmath.mpf(c))) for c in (4, 6, 8)]
    for c, error in zip((4, 6, 8), errors, strict=True):
        assert error < mpmath.exp(-(c**2) / 2 + 2)


def test_penalty_becomes_the_indicator():
    assert Y.feasible == ((-KAPPA, KAPPA),)
    soft = exp(-C2 * SBP().constraint.leaf(H, GAMMA))
    t = Symbol("t", positive=True)
    for field, expected in ((KAPPA + t, 0), (-KAPPA - t, 0), (KAPPA / (1 + t), 1), (0, 1)):
        assert limit(soft.subs(H, field), GAMMA, 0, "+") == expected
        assert simplify(Y.indicator.expr.subs(H, field).rewrite(Heaviside) - expected) == 0


def test_probability_of_the_constraint():
    width = sqrt(2 * (1 - P2))
    exact = (erf((KAPPA - H) / width) + erf((KAPPA + H) / width)) / 2
    assert expand(Y.probability.expr - exact) == 0
    assert expand_log(Y.leaf.expr.xreplace({Y.leaf.variables[0]: H}) - log(exact)).simplify() == 0


def test_probability_solves_the_backward_heat_equation():
    """dP/dp_2 = -P''/2: it is a Gaussian average of the indicator."""
    probability = Y.probability.expr
    assert simplify(probability.diff(P2) + probability.diff(H, 2) / 2) == 0


def test_both_are_even_and_found_so():
    assert Y.is_even
