"""Independent numbers for the symbolic layer: plain nested quadrature, nothing of the package."""

from collections.abc import Callable
from types import SimpleNamespace

import mpmath
import pytest
from sympy import Expr, lambdify

from theory import GaussianExpectation


def gauss(function: Callable, reach: int = 12, per_unit: int = 5):
    """Return E function(U) by the trapezoid rule, spectrally accurate for analytic functions."""
    nodes = (mpmath.mpf(i) / per_unit for i in range(-reach * per_unit, reach * per_unit + 1))
    return mpmath.fsum(function(u) * mpmath.npdf(u) for u in nodes) / per_unit


def nest(leaf: Callable, x, increments, exponents):
    """Return f_K(x) straight from the definition."""
    if not increments:
        return leaf(x)
    v, s = increments[-1], exponents[-1]

    def below(u):
        return nest(leaf, x + mpmath.sqrt(v) * u, increments[:-1], exponents[:-1])

    if s == 0:
        return gauss(below)
    return mpmath.log(gauss(lambda u: mpmath.exp(s * below(u)))) / s


def evaluate(expr: Expr, values: dict | None = None):
    """Return the number of an expression with Gaussian expectations (not nested) in it."""
    expr = expr.subs(values or {})
    numbers = {
        node: gauss(lambdify(node.variable, node.integrand, "mpmath"))
        for node in expr.atoms(GaussianExpectation)
    }
    return lambdify([], expr.xreplace(numbers), "mpmath")()


@pytest.fixture(scope="session")
def quadrature():
    """Plain quadrature: gauss(f), nest(leaf, x, increments, exponents), evaluate(expr, values)."""
    return SimpleNamespace(gauss=gauss, nest=nest, evaluate=evaluate)
