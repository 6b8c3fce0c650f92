"""Closed duals are compared with the integral: true ones pass, wrong ones do not."""

import pytest
from sympy import Rational

from theory import activation, dual
from theory.kernels.dualcheck import agrees
from theory.kernels.duals import Dual

CLOSED = ("relu", "erf", "gelu", "sin", "gabor", "hermite:3", "x*erf(x)+abs(x)", "sign(x)+x^2")


@pytest.mark.parametrize("name", CLOSED)
def test_true_ones_pass(name: str) -> None:
    assert dual(name).is_closed
    assert agrees(dual(name))


@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "x*erf(x)+abs(x)"])
def test_another_functions_dual_does_not(name: str) -> None:
    other = dual(activation(name).expr * Rational(11, 10))
    assert not agrees(Dual(activation(name), other.terms))


@pytest.mark.parametrize("text", ["sign(x-1)", "abs(x-1)", "min(1,max(-1,x))", "x*max(0,1-x)"])
def test_kinks_elsewhere_are_not_taken_for_kinks_at_zero(text: str) -> None:
    assert not dual(text).is_closed


def test_functions_beyond_the_range_of_doubles_are_no_evidence() -> None:
    assert dual("sinh((x+1000)^2)").is_closed
