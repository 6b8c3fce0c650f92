"""The Gaussian expectation: binding, linearity, Stein's lemma, closed forms."""

from itertools import pairwise

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import (
    Abs,
    Function,
    Heaviside,
    Piecewise,
    Symbol,
    cosh,
    diff,
    exp,
    integrate,
    lambdify,
    latex,
    log,
    oo,
    pi,
    simplify,
    sqrt,
    symbols,
)

from theory import GaussianExpectation as E

U, V = symbols("U V")
x, y = symbols("x y", real=True)
a, v = symbols("a v", positive=True)
F = Function("F", real=True)


def test_bound_variable_is_not_free_and_its_name_does_not_matter():
    assert E(F(x + U), U).free_symbols == {x}
    assert E(F(x + U), U) == E(F(x + V), V)
    assert hash(E(F(x + U), U)) == hash(E(F(x + V), V))
    assert E(F(x + U), U) != E(F(x + 2 * U), U)
    assert E(F(x + U), U) - E(F(x + V), V) == 0


def test_nested_expectations_are_equal_up_to_renaming_only():
    assert E(E(F(U + 2 * V), U), V) == E(E(F(V + 2 * U), V), U)
    assert E(E(F(U + 2 * V), U), V) != E(E(F(U + 2 * V), V), U)
    # the same name twice: the inner one shadows
    assert E(F(U) * E(F(U), U), U) == E(F(U), U) ** 2


def test_substitution_never_captures():
    expectation = E(F(x + U), U)
    assert expectation.subs(x, U).free_symbols == {U}
    assert expectation.subs(x, U) != E(F(2 * U), U)
    assert expectation.xreplace({x: expectation.variable}).free_symbols == {expectation.variable}
    assert expectation.subs(U, y) == expectation
    assert expectation.subs(x, E(F(y + U), U)) == E(F(E(F(y + V), V) + U), U)


def test_linear_with_constants_pulled_out():
    assert E(3 * x * F(U) + y, U) == 3 * x * E(F(U), U) + y
    assert E(x, U) == x
    assert E(F(U) + U, U) == E(F(U), U) + E(U, U)


def test_differentiates_under_the_integral_sign():
    assert E(F(x * U), U).diff(y) == 0
    assert E(exp(x * U), U).diff(x) == E(U * exp(x * U), U)


@pytest.mark.parametrize(
    "integrand", [F(U), F(x + a * U), exp(a * F(U)) * F(x * U), F(U) ** 2, log(cosh(U))]
)
def test_steins_lemma_is_proved_by_simplify(integrand):
    assert simplify(E(U * integrand, U) - E(diff(integrand, U), U)) == 0


def test_steins_lemma_for_higher_powers():
    lhs = E((U**3 - 3 * U) * F(U), U)
    assert simplify(lhs - E(diff(F(U), U, 3), U)) == 0


@given(st.integers(0, 12))
def test_moments(n):
    exact = 0 if n % 2 else integrate(U**n * exp(-(U**2) / 2) / sqrt(2 * pi), (U, -oo, oo))
    assert E(U**n, U).doit() == exact


def test_stein_leaves_gaussian_growth_alone_and_doit_does_it():
    growing = E(U**2 * exp(U**2 / 4), U)
    assert simplify(growing - E(U**2 * exp(U**2 / 4), U)) == 0
    assert simplify(growing.doit() - 2 * sqrt(2)) == 0


CLOSED = [
    (exp(a * U), exp(a**2 / 2)),
    (exp(-a * (x + U) ** 2), exp(-a * x**2 / (1 + 2 * a)) / sqrt(1 + 2 * a)),
    (Abs(U), sqrt(2 / pi)),
    (cosh(a * U), exp(a**2 / 2)),
    (cosh(U) ** 2, (1 + exp(2)) / 2),
]


@pytest.mark.parametrize(("integrand", "exact"), CLOSED)
def test_closed_forms(integrand, exact):
    assert simplify(E(integrand, U).doit() - exact) == 0


KINKED = [
    exp(2 * Abs(x + 3 * U)),
    Abs(x + U) * U**2,
    Heaviside(x + 2 * U) * exp(-(U**2)),
    Heaviside(1 - U) * Heaviside(U + 2),
    Piecewise((U**2, x > U), (exp(-U), True)),
    abs(abs(U) - 1),
]


@pytest.mark.parametrize("integrand", KINKED)
def test_kinks_agree_with_quadrature(integrand):
    point = {x: 0.4}
    value = E(integrand, U).doit()
    assert not value.has(E)
    numeric = complex(value.subs(point).evalf())
    pieces = [-30, -2, -1, -0.4, -0.2, -0.4 / 3, 0, 0.4, 1, 30]
    total = sum(_piece(integrand.subs(point), left, right) for left, right in pairwise(pieces))
    assert numeric == pytest.approx(total, rel=1e-12)


def _piece(integrand, left, right):
    function = lambdify(U, integrand, "mpmath")
    nodes = mpmath.linspace(left, right, 9)
    return complex(mpmath.quad(lambda u: function(u) * mpmath.npdf(u), nodes))


def test_without_a_closed_form_doit_changes_nothing():
    assert E(F(x + U), U).doit() == E(F(x + U), U)
    assert E(Abs(x * U - 1), U).doit() == E(Abs(x * U - 1), U)  # sign of the slope unknown
    assert E(log(cosh(U)), U).doit() == E(log(cosh(U)), U)


def test_as_integral():
    assert simplify(E(U**2, U).as_integral().doit()) == 1


def test_printing():
    assert str(E(F(x + U), U)) == "E[F(U + x)]"
    assert latex(E(F(U), U)) == r"\mathbb{E}_{U}\left[F{\left(U \right)}\right]"


def test_sign_is_inferred_and_bad_variables_are_refused():
    assert E(exp(F(U)), U).is_positive
    assert E(F(U), U).is_extended_real
    assert E(F(U), U).is_positive is None
    with pytest.raises(TypeError, match="must be a symbol"):
        E(F(U), 2)
    assert E(Symbol("z") * F(U), U).is_extended_real is None
