"""Chebyshev features of the frequency: which symbols they hold, and how well conditioned they are.

The features T_1 .. T_n with a constant span the polynomials of degree n, on any interval: the error of a
linear readout depends on where the frequencies lie, not on how they are scaled; its conditioning does not.
With t = 2f, the half spectrum has t in [0, 1], an axis with both signs t in [-1, 1).
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import (
    Eq,
    I,
    Integral,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    besselj,
    binomial,
    cos,
    exp,
    factorial,
    pi,
    sqrt,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "coefficient_bound",
    "gram",
    "heat_coefficients",
    "jacobi_anger",
    "nodes",
    "poles",
    "tail",
    "threshold",
]

J, L, N_FEATURES = symbols("j l n", integer=True, nonnegative=True)
Z, A, POLE = symbols("z a b", positive=True)
SHIFT = Symbol("s", positive=True)
RHO = Symbol("rho", positive=True)
_U = Symbol("u", real=True)
_ANGLE = Symbol("theta", real=True)
_Z = {
    Z: "argument of exp(-i z u): pi s/2 times the length of the interval of t, for a shift by s cells"
}


def _exponential(rate: Any) -> tuple[Any, Any]:
    """Terms and sum of half the Chebyshev coefficients of exp(rate u), of degree j > 0."""
    power = binomial(J + 2 * L, L) / 2 ** (J + 2 * L)  # of exp(ij theta) in cos(theta)^(j+2l)
    wave = Symbol("q")
    for j, low in ((0, 2), (1, 1), (3, 2)):
        cosine = sympy.expand(((wave + 1 / wave) / 2) ** (j + 2 * low))
        assert cosine.coeff(wave, j) == power.subs({J: j, L: low})
    term = sympy.combsimp(power.rewrite(factorial) / factorial(J + 2 * L)) * rate ** (J + 2 * L)
    total = sympy.hyperexpand(Sum(sympy.expand_power_exp(term), (L, 0, sympy.oo)).doit())
    return term, sympy.simplify(total)


def _doubled(value: Any) -> Any:
    return Piecewise((1, Eq(J, 0)), (2, True)) * value


def jacobi_anger() -> Law:
    """Chebyshev coefficients of exp(-i z u), from the power series, term by term."""
    term, total = _exponential(-I * Z)
    mean = Integral(exp(-I * Z * cos(_ANGLE)) * cos(J * _ANGLE) / pi, (_ANGLE, 0, pi))
    return Law(
        "Jacobi-Anger: Chebyshev coefficients of a shift",
        Eq(Symbol("c_j"), _doubled(total)),
        {J: "degree", **_Z, Symbol("c_j"): "coefficient of T_j(u) in exp(-i z u)"},
        "u in [-1, 1]",
        (
            Step("Coefficient", "A mean over the angle, u = cos(theta).", mean),
            Step(
                "Term by term",
                "The power j + 2l of the exponential; the others have no part of degree j.",
                term,
            ),
            Step(
                "Sum", "Over l; doubled for j > 0, as T_j has half the mean square of T_0.", total
            ),
        ),
        "Jacobi, Anger; derived here",
    )


def heat_coefficients() -> Law:
    """Chebyshev coefficients of the heat equation's symbol on an axis with both signs."""
    square = sympy.expand(sympy.chebyshevt(2, _U))
    rest = sympy.expand(-A * _U**2 + A / 2 * square)
    term, total = _exponential(-A / 2)
    return Law(
        "Chebyshev coefficients of the heat equation's symbol",
        Eq(Symbol("c_2j"), _doubled(sympy.exp(rest) * total)),
        {
            J: "half the degree; odd coefficients vanish",
            A: "nu t N^2/4",
            Symbol("c_2j"): "coefficient of T_2j(u)",
        },
        "exp(-a u^2) on u = 2k/N in [-1, 1]",
        (
            Step("Square", "The second polynomial.", Eq(Symbol("T_2"), square)),
            Step("Exponent", "What is left of -a u^2 beside -(a/2) T_2(u).", rest),
            Step("Term by term", "Of exp(-(a/2) T_2), in T_j(T_2(u)) = T_2j(u).", term),
            Step("Sum", "Over l.", total),
        ),
        "derived here",
    )


def coefficient_bound() -> Law:
    """Rigorous bound of the Chebyshev coefficients of a shift beyond the threshold."""
    degree = Symbol("j", positive=True)
    log = Z * (RHO - 1 / RHO) / 2 - degree * sympy.log(RHO)
    root = sqrt(degree**2 - Z**2)
    inner, outer = (
        r.subs(sqrt(degree - Z) * sqrt(degree + Z), root) for r in sympy.solve(log.diff(RHO), RHO)
    )
    assert sympy.simplify(inner * outer) == 1  # both are the same ellipse
    least = sympy.expand(Z * (outer - inner) / 2) - degree * sympy.log(outer)
    return Law(
        "Bound of a shift's coefficients on the best Bernstein ellipse",
        Eq(Symbol("B_j"), 2 * sympy.exp(least)),
        {degree: "degree, above z", **_Z, Symbol("B_j"): "|c_j| is at most this"},
        "j > z: only there is the best ellipse real and larger than the interval",
        (
            Step(
                "On an ellipse",
                "log of max |exp(-i z u)| / rho^j on the ellipse of half axes (rho +- 1/rho)/2.",
                log,
            ),
            Step(
                "The best one",
                "Where the derivative in rho vanishes: real for j > z alone.",
                Eq(RHO, outer),
            ),
            Step("There", "It decays faster than any geometric sequence.", least),
        ),
        "Bernstein 1912; Trefethen, Approximation Theory and Approximation Practice, theorem 8.1",
    )


def threshold() -> Law:
    """Features from which a shift is held: where the best Bernstein ellipse opens."""
    low, high = symbols("t_0 t_1", real=True)
    t = (low + high) / 2 + (high - low) / 2 * _U
    phase = sympy.expand(-I * pi * SHIFT * t)
    argument = sympy.factor(I * sympy.Poly(phase, _U).coeff_monomial(_U))
    cases = [
        Eq(Symbol(name), argument.subs({low: a, high: 1}))
        for name, a in (("n_both", -1), ("n_half", 0))
    ]
    return Law(
        "Features that a shift by s cells takes",
        Eq(Symbol("n_s"), argument),
        {
            SHIFT: "shift in cells",
            low: "smallest t = 2f",
            high: "largest t = 2f",
            Symbol("n_s"): "degree beyond which coefficients fall",
        },
        "linear readout of polynomial features in exact arithmetic",
        (
            Step("The interval", "t is mapped to u in [-1, 1]; the shift's exponent there.", phase),
            Step(
                "Argument",
                "A phase times exp(-i z u), whose coefficients fall for j > z.",
                Eq(Z, argument),
            ),
            Step(
                "Both signs of k, and one",
                "The half spectrum takes half as many.",
                sympy.And(*cases),
            ),
        ),
        "derived here",
    )


def tail() -> Law:
    """Relative error of the Chebyshev series of a shift cut after T_n."""
    top = Symbol("J", integer=True, positive=True)
    squares = [(2 if j else 1) * sympy.series(besselj(j, Z), Z, 0, 8) ** 2 for j in range(4)]
    cut = 2 * Sum(besselj(J, Z) ** 2, (J, N_FEATURES + 1, top))
    return Law(
        "Error of a shift's Chebyshev series after n features",
        Eq(Symbol("E"), sqrt(cut)),
        {
            N_FEATURES: "features",
            **_Z,
            top: "infinity",
            Symbol("E"): "relative error, Chebyshev weight",
        },
        "J to infinity; the best fit on a uniform grid has another weight and comes close",
        (
            Step(
                "Parseval",
                "J_0^2 + 2 sum J_j^2 is the mean of |exp(-i z u)|^2; its series.",
                sympy.expand(sum(squares)),
            ),
            Step("What is cut", "The squares beyond n.", cut),
        ),
        "derived here",
    )


def poles() -> Law:
    """Chebyshev coefficients of a symbol with a pair of poles, the screened Poisson equation's."""
    r = Symbol("r", positive=True)
    ratio = r * exp(I * _ANGLE)
    geometric = 1 / (1 - ratio)  # sum of r^j exp(i j theta)
    generating = sympy.simplify((geometric + geometric.conjugate() - 1).rewrite(cos))
    kernel = (1 - r**2) / (1 - 2 * r * _U + r**2)
    assert sympy.simplify(generating - kernel.subs(_U, cos(_ANGLE))) == 0
    at = kernel.subs(r, I / RHO)
    even = sympy.factor(sympy.simplify((at + at.subs(_U, -_U)) / 2))
    rho = POLE + sqrt(1 + POLE**2)
    scale = POLE / sqrt(1 + POLE**2)
    left = POLE**2 / (POLE**2 + _U**2) - scale * even.subs(RHO, rho)
    assert sympy.simplify(left) == 0
    value = scale * (-1) ** J / rho ** (2 * J)
    half = -1 + 2 * I * POLE
    return Law(
        "Chebyshev coefficients of a symbol with poles",
        Eq(Symbol("c_2j"), _doubled(value)),
        {
            J: "half the degree; odd coefficients vanish",
            POLE: "2 kappa/N",
            Symbol("c_2j"): "coefficient of T_2j(u)",
        },
        "b^2/(b^2 + u^2), kappa^2 times the screened Poisson symbol, on u = 2k/N in [-1, 1]",
        (
            Step("Generating function", "1 + 2 sum r^j T_j(u), by a geometric series.", kernel),
            Step(
                "Ellipse", "Its even part at r = i/rho has the poles +-ib if rho is", Eq(RHO, rho)
            ),
            Step("Scale", "What b^2/(b^2 + u^2) is of that.", scale),
            Step(
                "Half spectrum",
                "There u = 4k/N - 1, the poles are at -1 +- 2ib, and the ellipse is that of",
                Eq(Symbol("rho_half"), sympy.Abs(half - sqrt(half**2 - 1))),
            ),
        ),
        "Bernstein 1912; derived here",
    )


def gram() -> Law:
    """Mean products of Chebyshev features under the uniform weight: why they are not orthogonal."""
    m = Symbol("m", integer=True, nonnegative=True)
    mean = sympy.integrate(cos(m * _ANGLE) * sympy.sin(_ANGLE), (_ANGLE, 0, pi)) / 2
    i, j = symbols("i j", integer=True, positive=True)
    value = (mean.subs(m, i + j) + mean.subs(m, sympy.Abs(i - j))) / 2

    def matrix(low: Any, high: Any) -> Any:
        t = [sympy.chebyshevt(k, _U) for k in (1, 2, 3)]
        return sympy.Matrix(
            3, 3, lambda p, q: sympy.integrate(t[p] * t[q], (_U, low, high)) / (high - low)
        )

    half = Rational(1, 2)
    assert matrix(-1, 1)[0, 2] == value.subs({i: 1, j: 3})
    return Law(
        "Chebyshev features on a uniform grid are not orthogonal",
        Eq(Symbol("G_ij"), value),
        {i: "degree", j: "degree", Symbol("G_ij"): "mean of T_i T_j"},
        "many points, uniform on [-1, 1], the widest interval; Chebyshev's weight alone makes G diagonal",
        (
            Step("Mean of T_m", "With u = cos(theta), du = -sin(theta) dtheta.", mean),
            Step("Product", "T_i T_j = (T_(i+j) + T_|i-j|)/2.", value),
            Step("T_1, T_2, T_3 on [-1, 1]", "Rescaled, t = 2f.", matrix(-1, 1)),
            Step("On [-1/2, 1/2]", "An axis with both signs as it is used.", matrix(-half, half)),
            Step(
                "On [0, 1/2]",
                "The half spectrum as it is used: nearly of rank one.",
                matrix(0, half),
            ),
        ),
        "derived here",
    )


def nodes() -> Law:
    """Sums of T_m over Chebyshev nodes vanish: there the features are orthogonal."""
    q, k = Symbol("q"), Symbol("k", integer=True)
    count = Symbol("N", integer=True, positive=True)
    m = Symbol("m", integer=True, positive=True)
    closed = sympy.summation(q ** (2 * k + 1), (k, 0, count - 1)).subs(sympy.Eq(q**2, 1), False)
    value = sympy.simplify(closed.subs(q, exp(I * pi * m / (2 * count))).rewrite(cos))
    return Law(
        "Chebyshev features at Chebyshev nodes are orthogonal",
        Eq(Sum(cos(m * pi * (2 * k + 1) / (2 * count)), (k, 0, count - 1)), 0),
        {m: "i + j or |i - j| of the product T_i T_j, below 2N", count: "nodes"},
        "0 < m < 2N, so for distinct degrees below N",
        (
            Step(
                "Geometric sum",
                "The cosines are the real parts of q^(2k+1), q = exp(i pi m/(2N)).",
                closed,
            ),
            Step("At that q", "It is imaginary for every m.", value),
        ),
        "derived here",
    )
