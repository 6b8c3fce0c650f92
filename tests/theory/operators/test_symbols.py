"""Symbols follow from the operator, and only operators with constant coefficients have one."""

import re
from typing import Any

import pytest
import sympy
from sympy import I

from theory.operators import LAWS
from theory.operators.symbols import (
    EQUATIONS,
    KX,
    KY,
    NU,
    TIME,
    Equation,
    X,
    equation_of,
    multiplier,
)


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_shown_with_its_derivation(name: str) -> None:
    law = LAWS[name]()
    assert law.steps
    assert law.title in law.text()
    assert law.latex()


@pytest.mark.parametrize("name", ["heat", "advection", "dispersion", "wave", "half-wave"])
def test_waves_start_with_one_and_solutions_form_a_group(name: str) -> None:
    g = multiplier(EQUATIONS[name]).value
    assert sympy.simplify(g.subs(TIME, 0)) == 1
    if name != "wave":  # of first order in time
        twice = g.subs(TIME, 2 * TIME)
        assert sympy.simplify(twice - g**2) == 0


def one_dimensional(equation: Equation) -> Any:
    return sympy.simplify(multiplier(equation).value.subs(KY, 0))


def test_text_is_an_operator() -> None:
    mixed = one_dimensional(equation_of("1/100*D^2 - 3*D + D^3 - 2"))
    rate = -(KX**2) / 100 - 3 * I * KX - I * KX**3 - 2
    assert sympy.expand(mixed.exp - TIME * rate) == 0
    named = one_dimensional(EQUATIONS["heat"])
    assert sympy.simplify(named - one_dimensional(equation_of("D*D")).subs(TIME, NU * TIME)) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x*D", "coefficients of 'x*D' are not constant"),
        ("sin(t)*D^2", "are not constant"),
        ("heart", "unknown equation 'heart'; choose from heat,"),
        ("D*(", "cannot read the operator 'D*('"),
        ("exp(D)", "'exp(D)' is not a polynomial in D"),
        ("D*import", "unknown name 'import'"),
    ],
)
def test_what_has_no_symbol_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        equation_of(text)


def test_coefficients_that_depend_on_the_place_are_refused() -> None:
    own = Equation("Transport", lambda u: u.diff(TIME) + sympy.sin(X) * u.diff(X))
    with pytest.raises(ValueError, match="coefficients of Transport depend on the place"):
        multiplier(own)


def test_the_criterion_of_a_product_is_one() -> None:
    """For u(k_x) v(k_y) both sides of the law agree, and for a sum of two such products they do not."""
    statement = LAWS["separability"]().statement
    product = sympy.Lambda((KX, KY), sympy.exp(KX) * (KY**2 + 3))
    both = sympy.Lambda((KX, KY), sympy.exp(KX) * (KY**2 + 3) + KX * KY)
    for g, same in ((product, True), (both, False)):
        left, right = (
            side.replace(lambda e: str(e.func) == "g", lambda e, g=g: g(*e.args))
            for side in statement.args
        )
        assert (sympy.simplify(left - right) == 0) is same
    integral = LAWS["separability"]().steps[-1].expression
    at = {s: v for s, v in zip(sorted(integral.rhs.free_symbols, key=str), (2, 1, 3), strict=True)}
    assert sympy.simplify(integral.rhs.subs(at) - sympy.Rational(1, 14)) == 0
    assert integral.lhs.subs(at).doit() == integral.rhs.subs(at)


def test_separable_symbols_are_products() -> None:
    for name, product in (("heat", True), ("advection", True), ("dispersion", True),
                          ("screened-poisson", False), ("half-wave", False)):  # fmt: skip
        g = multiplier(EQUATIONS[name]).value
        both = g * g.subs({KX: 0, KY: 0}) - g.subs(KY, 0) * g.subs(KX, 0)
        assert (sympy.simplify(both) == 0) is product
