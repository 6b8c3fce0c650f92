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
    ],
)
def test_conditions(text: str, affine: bool, vanishes: bool, parity: int) -> None:
    found = Definiteness(activation(text))
    assert (found.affine is not None) == affine
    assert found.vanishes == vanishes
    assert found.parity == parity


def test_homogeneity_is_asked_for_one_factor() -> None:
    t = Rational(7, 3)
    assert Definiteness(activation("leaky_relu:0.2")).homogeneous(t)
    assert not Definiteness(activation("leaky_relu:0.2")).homogeneous(-t)
    assert Definiteness(activation("erf")).homogeneous(sympy.Integer(-1))
    assert not Definiteness(activation("erf")).homogeneous(t)
    assert Definiteness(activation("monomial:2")).proportional(t)
    assert not Definiteness(activation("monomial:2")).homogeneous(t)
