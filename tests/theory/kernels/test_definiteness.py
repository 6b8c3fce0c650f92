"""What the theorem on definite NNGP matrices asks of an activation."""

import pytest
import sympy
from sympy import Rational

from theory import activation
from theory.kernels.definiteness import Definiteness


@pytest.mark.parametrize(
    ("text", "affine", "vanishes", "parity"),
    [
        ("erf", False, True, -1),
        ("cos", False, False, 1),
        ("relu", False, True, 0),
        ("identity", True, True, -1),
        ("2*x+1", True, False, 0),
        ("max(x,0)+min(x,0)", True, True, -1),
        ("sign(x)*x^2", False, True, -1),
        ("abs(x-1)", False, False, 0),
        ("(abs(x+1)-abs(x-1))/2", False, True, -1),
        ("sigmoid", False, False, 0),
        ("x/(1+abs(x))", False, True, -1),
        ("exp(x)/(1+exp(x))^2", False, False, 1),
        ("log(1+exp(x))-x/2", False, False, 1),
        ("erf(x+1)+erf(x-1)", False, True, -1),
    ],
)
def test_conditions(text: str, affine: bool, vanishes: bool, parity: int) -> None:
    found = Definiteness(activation(text))
    assert (found.affine is not None) == affine
    assert found.vanishes == vanishes
    assert found.parity == parity


@pytest.mark.parametrize(
    "text",
    [
        "sign(x-1)-sign(x-1.001)",
        "abs(x)+max(x-1,0)-max(x-1.001,0)-0.0005*(1+sign(x-1))",
        "exp(-(100*x-100)^2)",
        "x+exp(-(1000*x-1000)^2)",
        "tanh(1000*x)+tanh(1000*x-1000)-tanh(1000*x-1001)",
    ],
)
def test_what_breaks_a_symmetry_may_be_narrow(text: str) -> None:
    assert Definiteness(activation(text)).parity == 0


def test_homogeneity_is_asked_for_one_factor() -> None:
    t = Rational(7, 3)
    assert Definiteness(activation("leaky_relu:0.2")).homogeneous(t)
    assert not Definiteness(activation("leaky_relu:0.2")).homogeneous(-t)
    assert Definiteness(activation("erf")).homogeneous(sympy.Integer(-1))
    assert not Definiteness(activation("erf")).homogeneous(t)
    assert Definiteness(activation("monomial:2")).proportional(t)
    assert not Definiteness(activation("monomial:2")).homogeneous(t)


@pytest.mark.parametrize(
    ("text", "vanishes"),
    [
        ("exp(-(100*x-100)^2)", False),  # exp(-10000) at 0
        ("1-tanh(x+10000)", False),
        ("erf(x-1000)+1", False),
        ("x+sqrt(2)+sqrt(3)-sqrt(5+2*sqrt(6))", True),
        ("tanh(x)*exp(-(100*x-100)^2)", True),
    ],
)
def test_what_is_small_is_not_zero(text: str, vanishes: bool) -> None:
    assert Definiteness(activation(text)).vanishes == vanishes
