"""Duals derived from activations: quadrature, Price's theorem, heat identities, degenerate covariances."""

import itertools

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theory import Dual, dual
from theory.calculus.price import K1, K2, C
from theory.kernels.moments import DELTA, DET, SIGMA

CLOSED = (
    *("identity", "relu", "leaky_relu:0.2", "abrelu:-0.5:2", "abs", "sign", "erf", "gelu", "sin"),
    *("cos", "gabor", "gaussian:-1", "gaussian:0.1", "exp:0.5", "hermite:3", "monomial:3"),
    "rectified_monomial:2",
)
EXPRESSIONS = (
    "x*erf(x) + abs(x)",
    "sin(2*x + 1)",
    "exp(-x**2)*(1 + x) + erf(2*x)",
    "max(x, 0)^2 + x",
    "x**2*sign(x) + x*sign(x) + 1",
    "cos(x)*exp(-x^2/3)",
    "max(x, x/5) - x^3/2",
)
BACK = {DET: K1 * K2 - C**2, DELTA: K1 + K2 - 2 * C, SIGMA: K1 + K2 + 2 * C}


def quadrature(phi, k11, k12, k22, nodes=80):
    """E phi(u) phi(v) in polar coordinates, sectors split where u or v changes sign."""
    rho = k12 / np.sqrt(k11 * k22)
    alpha = np.arccos(rho)
    cuts = np.array([0.0, alpha, np.pi, np.pi + alpha, 2 * np.pi]) - np.pi / 2
    x, w = np.polynomial.legendre.leggauss(nodes)
    total = 0.0
    for a, b in itertools.pairwise(cuts):
        theta = (a + b) / 2 + (b - a) / 2 * x
        for lo, hi in ((0.0, 4.0), (4.0, 12.0)):
            r = (lo + hi) / 2 + (hi - lo) / 2 * x[:, None]
            u, v = np.sqrt(k11) * r * np.cos(theta), np.sqrt(k22) * r * np.cos(theta - alpha)
            f = phi(u) * phi(v) * r * np.exp(-r * r / 2) / (2 * np.pi)
            total += (b - a) / 2 * (hi - lo) / 2 * np.einsum("ij,i,j->", f, w, w)
    return total


def numeric(found: Dual, order: int = 0):
    x = found.activation.symbol
    return sympy.lambdify(x, sympy.diff(found.activation.expr, x, order), ["scipy", "numpy"])


@pytest.mark.parametrize("name", [*CLOSED, *EXPRESSIONS])
def test_d_is_the_two_dimensional_integral(name: str) -> None:
    found = dual(name)
    assert found.is_closed
    phi = numeric(found)
    for k11, k12, k22 in ((0.7, -0.3, 1.3), (1.1, 0.9, 0.8), (0.25, 0.0, 2.0)):
        at = {K1: k11, K2: k22, C: k12}
        value = float(sympy.re(found.expr.subs(at).evalf(17)))
        size = np.sqrt(
            quadrature(phi, k11, k11 * 0.999999, k11) * quadrature(phi, k22, k22 * 0.999999, k22)
        )
        assert abs(value - quadrature(phi, k11, k12, k22)) < 2e-12 * size


@pytest.mark.slow
@pytest.mark.parametrize("name", CLOSED)
def test_d_is_the_integral_at_thirty_digits(name: str) -> None:
    found = dual(name)
    phi = sympy.lambdify(found.activation.symbol, found.activation.expr, "mpmath")
    with mpmath.workdps(40):
        k11, k12, k22 = (mpmath.mpf(x) for x in ("0.71", "-0.33", "1.27"))
        alpha = mpmath.acos(k12 / mpmath.sqrt(k11 * k22))
        rule = mpmath.calculus.quadrature.GaussLegendre(mpmath.mp).get_nodes(-1, 1, 6, 150)
        cuts = [c - mpmath.pi / 2 for c in (0, alpha, mpmath.pi, mpmath.pi + alpha, 2 * mpmath.pi)]
        total = mpmath.mpf(0)
        for a, b in itertools.pairwise(cuts):
            angles = [((a + b) / 2 + (b - a) / 2 * x, w * (b - a) / 2) for x, w in rule]
            rays = [
                (mpmath.sqrt(k11) * mpmath.cos(t), mpmath.sqrt(k22) * mpmath.cos(t - alpha), w)
                for t, w in angles
            ]
            for x, w in rule:
                r = 8 + 8 * x
                weight = 8 * w * r * mpmath.exp(-r * r / 2) / (2 * mpmath.pi)
                total += weight * sum(phi(r * p) * phi(r * q) * v for p, q, v in rays)
        assert abs(total - found.expr.subs({K1: k11, K2: k22, C: k12}).evalf(40)) < 1e-29


@pytest.mark.parametrize("name", [*CLOSED, *EXPRESSIONS])
def test_prices_theorem_and_the_heat_identity(name: str) -> None:
    found = dual(name)
    at = {K1: sympy.Rational(7, 10), K2: sympy.Rational(13, 10), C: sympy.Rational(-3, 10)}
    for left, right in (
        (sympy.diff(found.expr, C), found.derivative),
        (sympy.diff(found.expr, K1), found.moment(2, 0).expr / 2),
        (sympy.diff(found.derivative, K1), found.moment(3, 1).expr / 2),
        (sympy.diff(found.derivative, C), found.moment(2, 2).expr),
    ):
        assert abs(sympy.N((left - right).subs(at), 30)) < 1e-25


@pytest.mark.parametrize("name", [*CLOSED, *EXPRESSIONS])
def test_stable_forms_are_the_derived_ones(name: str) -> None:
    found = dual(name)
    at = {K1: sympy.Rational(7, 10), K2: sympy.Rational(13, 10), C: sympy.Rational(-3, 10)}
    for i in (0, 1, 2):
        moment = found.moment(i, i)
        difference = moment.stable.doit().subs(BACK) - moment.expr
        assert abs(sympy.N(difference.subs(at), 30)) < 1e-25


def test_what_must_come_out() -> None:
    rho = C / sympy.sqrt(K1 * K2)
    arccos = (sympy.sqrt(1 - rho**2) + (sympy.pi - sympy.acos(rho)) * rho) / (2 * sympy.pi)
    at = {K1: sympy.Rational(7, 10), K2: sympy.Rational(13, 10), C: sympy.Rational(-3, 10)}
    wanted = {
        "relu": sympy.sqrt(K1 * K2) * arccos,
        "sign": 2 / sympy.pi * sympy.asin(rho),
        "erf": 2 / sympy.pi * sympy.asin(2 * C / sympy.sqrt((1 + 2 * K1) * (1 + 2 * K2))),
        "sin": sympy.exp(-(K1 + K2) / 2) * sympy.sinh(C),
        "cos": sympy.exp(-(K1 + K2) / 2) * sympy.cosh(C),
        "exp:0.5": sympy.exp((K1 + K2 + 2 * C) / 8),
        "gaussian:-1": 1 / sympy.sqrt((1 + 2 * K1) * (1 + 2 * K2) - 4 * C**2),
    }
    for name, expected in wanted.items():
        assert abs(sympy.N((dual(name).expr - expected).subs(at), 40)) < 1e-35, name
    assert sympy.expand(dual("monomial:2").expr - (K1 * K2 + 2 * C**2)) == 0
    unit = {K1: 1, K2: 1}
    for n in range(6):
        assert sympy.expand(dual(f"hermite:{n}").expr.subs(unit) - C**n) == 0


def test_the_diagonal_is_exact() -> None:
    assert dual("relu").diagonal == K1 / 2
    assert dual("relu").derivative_diagonal == sympy.Rational(1, 2)
    assert dual("rectified_monomial:2").derivative_diagonal == 2 * K1
    assert dual("sign").diagonal == 1
    assert dual("sign").derivative_diagonal == sympy.oo
    assert sympy.simplify(
        dual("erf").diagonal - 2 / sympy.pi * sympy.asin(2 * K1 / (1 + 2 * K1))
    ).subs(K1, sympy.Rational(3, 7)).evalf(30) == pytest.approx(0, abs=1e-25)


def test_existence_condition_of_growing_gaussians() -> None:
    assert dual("gaussian:0.1").exists.subs(K1, 2) == sympy.true
    assert dual("gaussian:0.1").exists.subs(K1, 3) == sympy.false
    assert dual("gaussian:-1").exists == sympy.true


@given(
    st.sampled_from(CLOSED),
    st.floats(0.05, 2.0),
    st.floats(0.05, 2.0),
    st.floats(-0.999, 0.999),
)
def test_symmetric_and_bounded_by_the_diagonal(
    name: str, k11: float, k22: float, rho: float
) -> None:
    found = dual(name)
    k12 = rho * np.sqrt(k11 * k22)
    value = float(sympy.re(found.expr.subs({K1: k11, K2: k22, C: k12}).evalf(17)))
    swapped = float(sympy.re(found.expr.subs({K1: k22, K2: k11, C: k12}).evalf(17)))
    assert value == pytest.approx(swapped, rel=1e-12, abs=1e-15)
    sizes = [float(found.diagonal.subs(K1, k).evalf(17)) for k in (k11, k22)]
    assert abs(value) <= np.sqrt(sizes[0] * sizes[1]) * (1 + 1e-12)


@pytest.mark.parametrize(
    "name", ["tanh", "sigmoid", "silu", "softplus", "x/(1 + abs(x))", "max(x-1, 0)"]
)
def test_what_has_no_closed_form_says_so(name: str) -> None:
    found = dual(name)
    assert not found.is_closed
    assert "E[" in found.text()
    assert [step.title for step in found.steps][-1] == "No elementary rung"


def test_steps_climb_down_and_up() -> None:
    titles = [step.title for step in dual("gelu").steps]
    assert titles == [
        "The activation",
        "As a sum of terms",
        "Derivative 1",
        "Derivative 2",
        "The elementary rung",
        "Up to rung 1",
        "Up to rung 0",
    ]
    last = dual("gelu").steps[-1].expression
    assert last.rhs == dual("gelu").expr


def test_sympy_expressions_in_any_symbol() -> None:
    z = sympy.Symbol("z")
    assert dual(sympy.Max(z, 0)).expr == dual("relu").expr
    assert dual(sympy.Piecewise((z, z > 0), (0, True))).expr == dual("relu").expr
    assert dual(z * sympy.Heaviside(z)).expr == dual("relu").expr


def test_constants_of_any_function_are_constants() -> None:
    """Only what depends on x is written in exponentials; cos(2) must stay the real number it is."""
    for text, size in (
        ("cos(2)*x", sympy.cos(2)),
        ("cos(erf(pi))*x", sympy.cos(sympy.erf(sympy.pi))),
    ):
        assert sympy.simplify(dual(text).expr - size**2 * C) == 0
    assert sympy.simplify(dual("sin(2) + 0*x").expr - sympy.sin(2) ** 2) == 0
    both = (
        dual("sinh(1/2)*cos(x)").expr - sympy.sinh(sympy.Rational(1, 2)) ** 2 * dual("cos(x)").expr
    )
    assert abs(both.subs(BACK).evalf(30, subs={K1: 0.7, K2: 1.3, C: -0.3})) < 1e-25


@pytest.mark.parametrize("place", [30, 1000])
def test_a_bump_far_out_stays_within_doubles(place: int) -> None:
    """exp(-(m x - m)^2) has the constant exp(-m^2) and the rest exp(m^2), which cancel in symbols."""
    x = sympy.Symbol("x", real=True)
    found = dual(x + sympy.exp(-((place * x - place) ** 2)))
    both = [found.moment(i, i).stable for i in (0, 1)]
    evaluate = sympy.lambdify((K1, K2, C, DET, DELTA), both, "math")
    for k11, k12, k22 in ((0.7, -0.3, 1.3), (1.1, 0.9, 0.8), (2.0, 1.999, 1.9982)):
        det, delta = (mpmath.mpf(v) for v in (k11 * k22, k11 + k22))
        det, delta = float(det - mpmath.mpf(k12) ** 2), float(delta - 2 * mpmath.mpf(k12))
        made = evaluate(k11, k22, k12, det, delta)
        # the bump is a multiple of a normal density of variance s: by hand, densities of sums
        with mpmath.workdps(60):
            a, c, b, h = map(mpmath.mpf, (k11, k12, k22, "1e-20"))
            s = mpmath.mpf(1) / (2 * place**2)
            size = mpmath.sqrt(2 * mpmath.pi * s)

            def mean(k, s=s, size=size):
                return size * mpmath.npdf(1, 0, mpmath.sqrt(k + s))

            def value(c, a=a, b=b, s=s, size=size, mean=mean):
                spread = (a + s) * (b + s) - c * c
                form = (a + b + 2 * s - 2 * c) / (2 * spread)
                both = size**2 * mpmath.exp(-form) / (2 * mpmath.pi * mpmath.sqrt(spread))
                return c + c * mean(a) / (a + s) + c * mean(b) / (b + s) + both

            slope = (value(c + h) - value(c - h)) / (2 * h)
            assert abs(made[0] - value(c)) < 1e-12 * abs(value(c))
            assert abs(made[1] - slope) < 1e-9 * abs(slope)
