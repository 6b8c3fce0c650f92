"""Which Gaussian expectations of an activation exist, decided by rules."""

import numpy as np
import pytest
import sympy
from sympy import Rational, S, Symbol

from theory import ActivationError, activation, dual
from theory.kernels.existence import DivergenceError, sums_in_logarithms


@pytest.mark.parametrize(
    ("text", "largest", "largest_slope"),
    [
        ("tanh(x)", S.Infinity, S.Infinity),
        ("exp(x)*x^3", S.Infinity, S.Infinity),
        ("exp(x^2/3)", Rational(3, 4), Rational(3, 4)),
        ("x*exp(-x^2)", S.Infinity, S.Infinity),
        ("exp(x^4)", 0, 0),
        ("exp(exp(x))", 0, 0),
        ("exp(exp(x)-exp(2*x))", S.Infinity, S.Infinity),
        ("1/x", 0, 0),
        ("1/(x-1)", 0, 0),
        ("1/sqrt(abs(x))", 0, 0),
        ("sqrt(abs(x))", S.Infinity, 0),
        ("log(abs(x))", S.Infinity, 0),
        ("abs(x)*sqrt(abs(x))", S.Infinity, S.Infinity),
        ("sin(x)/x", S.Infinity, S.Infinity),
        ("(1-cos(x))/x^2", S.Infinity, S.Infinity),
        ("max(x,0)+min(0,exp(x)-1)", S.Infinity, S.Infinity),
        ("x/(1+abs(x))", S.Infinity, S.Infinity),
        ("log(1+exp(x))", S.Infinity, S.Infinity),
        ("x*sigmoid(x)", S.Infinity, S.Infinity),
        ("sqrt(1+x^2)", S.Infinity, S.Infinity),
        ("sign(x-1)", S.Infinity, S.Infinity),
    ],
)
def test_largest_variances(text: str, largest: sympy.Expr, largest_slope: sympy.Expr) -> None:
    found = activation(text).existence
    assert found.largest == largest
    assert found.largest_slope == largest_slope
    if largest == 0:
        with pytest.raises(DivergenceError, match="infinite at every variance"):
            dual(text)


@pytest.mark.parametrize(
    ("text", "jumps", "kinks", "smooth"),
    [
        ("sign(x-1)", [(1, 2)], [], False),
        ("sign(3-2*x)", [(Rational(3, 2), -2)], [], False),
        ("max(0,x-1/2)", [], [(Rational(1, 2), 1)], True),
        ("min(1,max(-1,x))", [], [(-1, 1), (1, -1)], True),
        ("(abs(x+1)-abs(x-1))/2", [], [(-1, 1), (1, -1)], True),
        ("max(x,0)+min(0,exp(x)-1)", [], [], True),
        ("sign(x)*x^2", [], [], True),
        ("sign(x)*erf(x)", [], [(0, 4 / sympy.sqrt(sympy.pi))], True),
        ("sign(x^2-2)", [(-sympy.sqrt(2), -2), (sympy.sqrt(2), 2)], [], False),
        ("sqrt(abs(x))", [], [], False),
        ("tanh(x)", [], [], True),
    ],
)
def test_jumps_and_kinks_are_found_where_they_are(
    text: str, jumps: list, kinks: list, smooth: bool
) -> None:
    found = activation(text).existence
    for made, true in ((found.jumps, jumps), (found.kinks, kinks)):
        assert [(j.place, sympy.simplify(j.height)) for j in made] == true
    assert found.smooth == smooth


def test_what_cannot_be_decided_is_refused() -> None:
    for text in ("max(sin(x),x/2)", "sign(exp(x)-x-2)"):
        with pytest.raises(ValueError, match="cannot find exactly where"):
            activation(text)
    for text in ("log(x)", "sqrt(x)"):
        with pytest.raises(ValueError, match="is not at x = -1"):
            activation(text)


@pytest.mark.parametrize("text", ["sqrt(sign(x))", "log(sign(x))", "log(max(x, 0))", "1/max(x,0)"])
def test_pieces_that_are_no_real_functions_are_refused(text: str) -> None:
    with pytest.raises(ActivationError, match="a real function of every real number"):
        activation(text)


def test_logarithms_of_sums_do_not_overflow() -> None:
    x = Symbol("x")
    made = sympy.lambdify(x, sums_in_logarithms(x - sympy.log(1 + sympy.exp(3 * x))), "numpy")
    assert made(1e4) == -2e4
    assert made(-1e4) == -1e4
    assert made(0.5) == pytest.approx(0.5 - np.log(1 + np.exp(1.5)), rel=1e-15)


def test_kinks_at_roots_of_a_cubic_are_found() -> None:
    """Their numbers are long: expanding or simplifying them takes minutes."""
    found = activation("1/(1+abs(min((x-pi)*3, x/(1+x^2))))").existence
    assert not found.jumps
    first, second = found.kinks
    assert first.place == sympy.pi
    assert float(first.height) == pytest.approx(-6.0)
    place = next(r.real for r in np.roots([3.0, -3.0 * np.pi, 2.0, -3.0 * np.pi]) if not r.imag)
    assert float(second.place) == pytest.approx(place)
    assert second.height > 0
