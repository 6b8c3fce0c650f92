"""Zeros, signs and enclosures of functions of one variable."""

import pytest
import sympy
from sympy import Rational, S, Symbol, exp, sin, tanh

from theory.calculus.zeros import bounds, inside, less, proved_zero, signs, vanishes, zeros

X = Symbol("x", real=True)
ROOT = sympy.sqrt(2)


@pytest.mark.parametrize(
    ("expr", "places"),
    [
        (2 * X - 3, [Rational(3, 2)]),
        (X**2 - 2, [-ROOT, ROOT]),
        (X**2 + 2, []),
        (exp(X) - 1, [0]),
        (tanh(X) - 2, []),
        (X * tanh(X - 1), [0, 1]),
        ((X - 1) / (X + 1), [-1, 1]),
        (exp(2 * X + 1) - 3, [(sympy.log(3) - 1) / 2]),
        (sin(X) + 2, []),
    ],
)
def test_zeros_and_poles(expr: sympy.Expr, places: list) -> None:
    found = zeros(expr, X)
    assert found is not None
    assert len(found) == len(places)
    assert all(vanishes(a - b) for a, b in zip(found, places, strict=True))


def test_what_has_no_such_structure_is_not_guessed() -> None:
    assert zeros(sin(X) - X / 2, X) is None
    assert zeros(exp(X) - X - 2, X) is None


def test_signs_between_zeros() -> None:
    found = signs(X**2 - 2, X, S.NegativeInfinity, S(1))
    assert found is not None
    assert [s for *_, s in found] == [1, -1]
    assert vanishes(found[0][1] + ROOT)


@pytest.mark.parametrize("expr", [X**2 + sin(X), 3 * tanh(X) ** 2 - 1, 1 / (2 + sin(X)), exp(-X)])
def test_bounds_hold_everywhere(expr: sympy.Expr) -> None:
    low, high = bounds(expr, X)
    for place in range(-20, 21):
        value = expr.subs(X, Rational(place, 3))
        assert not less(value, low)
        assert not less(high, value)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (S.NegativeInfinity, S.Infinity),
        (ROOT, S.Infinity),
        (S.NegativeInfinity, -ROOT),
        (ROOT, ROOT + Rational(1, 10**9)),
    ],
)
def test_a_rational_between(a: sympy.Expr, b: sympy.Expr) -> None:
    found = inside(a, b)
    assert found.is_Rational
    assert less(a, found)
    assert less(found, b)


@pytest.mark.parametrize(
    "small", [exp(-10000), 1 - tanh(10000), 1 + tanh(-(10**5)), 1 - sympy.erf(1000), exp(-exp(20))]
)
def test_small_numbers_are_not_zero(small: sympy.Expr) -> None:
    assert not vanishes(small)
    assert not proved_zero(small)
    assert less(S.Zero, small)
    assert not less(small, S.Zero)


def test_zeros_are_proved_or_not() -> None:
    root = ROOT + sympy.sqrt(3) - sympy.sqrt(5 + 2 * sympy.sqrt(6))
    for number in (root, sin(1) ** 2 + sympy.cos(1) ** 2 - 1):
        assert vanishes(number)
        assert proved_zero(number)
    # zero to a thousand digits, which is no proof
    assert not proved_zero(exp(-(10**5)) + sin(1) ** 2 + sympy.cos(1) ** 2 - 1)


def test_signs_of_small_functions_are_found() -> None:
    found = signs(1 - tanh(X + 10000), X, S.NegativeInfinity, S.Infinity)
    assert found == [(S.NegativeInfinity, S.Infinity, 1)]
