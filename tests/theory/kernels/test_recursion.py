"""Recursions and fixed-point equations as expressions: what is derived agrees with what is known."""

import pytest
import sympy

from theory.calculus.price import K1, K2, C
from theory.kernels.recursion import (
    S1,
    SIGMA_B,
    SIGMA_U,
    SIGMA_W,
    THETA,
    equilibrium_equations,
    perceptron_equations,
)


def test_the_diagonal_of_relu_is_closed() -> None:
    assert (
        sympy.simplify(equilibrium_equations("relu").diagonal_solution - S1 / (1 - SIGMA_W**2 / 2))
        == 0
    )
    assert equilibrium_equations("erf").diagonal_solution is None


def test_layers_and_tangents() -> None:
    found = perceptron_equations("erf")
    assert found.layer.rhs.coeff(SIGMA_B, 2) == 1
    slope = sympy.diff(found.layer.rhs, C)
    assert sympy.simplify((found.tangent.rhs - found.layer.rhs) / THETA - slope) == 0
    assert found.ntk.rhs.has(THETA)
    assert not found.nngp.rhs.has(THETA)
    assert perceptron_equations("relu").susceptibility == SIGMA_W**2 / 2


def test_three_conditions_are_three() -> None:
    kernel, equilibrium, stability = equilibrium_equations("sin").conditions
    assert [c.name for c in (kernel, equilibrium, stability)] == [
        "kernel",
        "equilibrium",
        "stability",
    ]
    assert sympy.simplify(kernel.value - SIGMA_W**2 * sympy.exp(-2 * K1)) == 0
    assert equilibrium.value == SIGMA_W
    assert sympy.simplify(stability.value - SIGMA_W**2 * (1 + sympy.exp(-2 * K1)) / 2) == 0
    assert equilibrium_equations("exp:0.5").conditions[1].value == sympy.oo


@pytest.mark.parametrize("name", ["erf", "relu"])
@pytest.mark.parametrize("parameter", [SIGMA_W, SIGMA_U, SIGMA_B], ids=str)
def test_implicit_derivatives_are_differences(name: str, parameter: sympy.Symbol) -> None:
    found = equilibrium_equations(name)
    gram = {"g11": 0.7, "g22": 1.1, "g12": 0.4}
    d = sympy.lambdify((K1, C, K2), found.dual.expr, "mpmath")
    own = sympy.lambdify(K1, found.dual.diagonal, "mpmath")

    def solve(w: float, u: float, b: float) -> tuple[float, float, float]:
        s = {key: u * u * g + b * b for key, g in gram.items()}
        k1, k2, c = s["g11"], s["g22"], s["g12"]
        for _ in range(200):
            k1, k2 = w * w * own(k1) + s["g11"], w * w * own(k2) + s["g22"]
        for _ in range(200):
            c = w * w * d(k1, c, k2) + s["g12"]
        return k1, c, k2

    at = {SIGMA_W: 0.5, SIGMA_U: 1.2, SIGMA_B: 0.3}
    k1, c, k2 = solve(*at.values())
    up, down = (
        solve(*(v + (e if p is parameter else 0.0) for p, v in at.items())) for e in (1e-6, -1e-6)
    )
    numeric = [(float(p) - float(q)) / 2e-6 for p, q in zip(up, down, strict=True)]
    alone, both = found.implicit(parameter)
    where = {**at, C: c, K2: k2, **{sympy.Symbol(k, real=True): g for k, g in gram.items()}}
    dk1 = alone.subs({**where, K1: k1}).evalf()
    dk2 = alone.subs({**where, K1: k2, sympy.Symbol("g11", real=True): gram["g22"]}).evalf()
    changes = dict(zip(sympy.symbols("dk11 dk22", real=True), (dk1, dk2), strict=True))
    total = both.subs({**where, K1: k1, **changes}).evalf()
    assert [float(dk1), float(total), float(dk2)] == pytest.approx(numeric, rel=1e-6)


def test_the_fixed_points_tangent() -> None:
    found = equilibrium_equations("relu")
    assert sympy.simplify(found.tangent.rhs - C / (1 - SIGMA_W**2 * found.dual.derivative)) == 0
