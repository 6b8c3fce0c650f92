"""Growth at infinity and at singular places, against limits."""

import pytest
import sympy
from sympy import Rational, S, Symbol, exp, log, sin, sqrt, tanh

from theory.calculus.growth import far, near

T = Symbol("t", positive=True)


@pytest.mark.parametrize(
    ("expr", "power"),
    [
        (sin(T), 1),
        (1 - sympy.cos(T), 2),
        (sqrt(T) + T, Rational(1, 2)),
        ((exp(T) - 1) / T**2, -1),
        (log(1 + T) / T, 0),
        (exp(-1 / T), S.Infinity),
        (exp(1 / T), S.NegativeInfinity),
        (tanh(1 / T) * sqrt(T), Rational(1, 2)),
    ],
)
def test_near_a_place(expr: sympy.Expr, power: sympy.Expr) -> None:
    found = near(expr, T)
    assert found is not None
    assert found.power == power
    if found.sharp and found.power.is_finite:
        lead = (expr / T**power).subs(T, Rational(1, 10**12))
        assert float(sympy.N(lead, 40)) == pytest.approx(float(found.coefficient), rel=1e-5)


@pytest.mark.parametrize(
    ("expr", "rate", "order", "power"),
    [
        (T**2 * exp(-(T**2) / 3), -Rational(1, 3), 2, 2),
        (T + exp(T), 1, 1, 0),
        (sqrt(1 + T**2), 0, 0, 1),
        (T * tanh(T), 0, 0, 1),
        (1 / (1 + T), 0, 0, -1),
        (sin(T) * T, 0, 0, 1),
        (log(1 + exp(T)), 0, 0, 1),
    ],
)
def test_far_out(expr: sympy.Expr, rate: sympy.Expr, order: sympy.Expr, power: sympy.Expr) -> None:
    found = far(expr, T)
    assert found is not None
    assert (found.rate, found.order, found.power) == (rate, order, power)


def test_exact_cancellation_is_seen() -> None:
    found = far(sqrt(1 + T**2) - T, T)
    assert found is None or not found.sharp
    assert near((1 - sympy.cos(T)) / T**2 - Rational(1, 2), T).power > 0  # type: ignore[union-attr]
