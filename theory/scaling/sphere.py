"""Kernels h(<x, x'>) on the sphere: eigenvalues by degree, and the error of the quadrature for them."""

from __future__ import annotations

from functools import cache

import sympy
from sympy import Eq, Expr, Integral, Rational, Symbol, oo, symbols

from theory.calculus.law import Law
from theory.calculus.price import K1, K2, C
from theory.calculus.steps import Step
from theory.kernels.architectures import MLP
from theory.kernels.recursion import layer, readout, tangent

__all__ = [
    "degree_eigenvalue",
    "multiplicity",
    "quadrature_error",
    "recurrence",
    "zonal_kernel",
]

_T, _UREAL = symbols("t u", real=True)
_DIM = Symbol("d", integer=True, positive=True)
_ELL = Symbol("l", integer=True, nonnegative=True)
_H = sympy.Function("h")


def _normalisation() -> Expr:
    """Integral of (1 - t^2)^((d-3)/2) over [-1, 1], by w = t^2."""
    w, real = Symbol("w", positive=True), Symbol("d", positive=True)
    inside = w ** Rational(-1, 2) * (1 - w) ** ((real - 3) / 2)
    whole = sympy.integrate(inside, (w, 0, 1), conds="none")
    return sympy.simplify(sympy.gammasimp(whole)).subs(real, _DIM)


@cache
def degree_eigenvalue() -> Law:
    """Eigenvalue of degree l of a kernel h(<x, x'>) on the uniform sphere: Funk and Hecke."""
    p = sympy.Function("P_l")
    weight = (1 - _T**2) ** ((_DIM - 3) / 2)
    total = _normalisation()
    value = Integral(_H(_T) * p(_T) * weight, (_T, -1, 1)) / total
    tanh = sympy.tanh(_UREAL)
    changed = sympy.simplify(weight.subs(_T, tanh) * sympy.diff(tanh, _UREAL))
    changed = changed.subs(1 - tanh**2, sympy.sech(_UREAL) ** 2)
    power = sympy.powdenest(changed, force=True)
    return Law(
        "Eigenvalue of degree l on the sphere",
        Eq(Symbol("lambda_l"), value),
        {
            Symbol("lambda_l"): "eigenvalue of all spherical harmonics of degree l",
            _DIM: "dimension of the space around the sphere",
        },
        "h continuous on [-1, 1]; P_l is Gegenbauer's polynomial with P_l(1) = 1",
        (
            Step("The measure of t = <x, x'>", "Its total, by w = t^2.", total),
            Step(
                "Zonal harmonics",
                "Kernel and rotation commute, so harmonics of a degree share an eigenvalue; that of the "
                "zonal one at its pole is its integral against h.",
                value,
            ),
            Step("t = tanh u", "The weight becomes a power of sech, the interval a line.", power),
        ),
        "Funk 1916, Hecke 1918",
    )


@cache
def multiplicity() -> Law:
    """Number of spherical harmonics of degree l in R^d."""
    number = sympy.binomial(_ELL + _DIM - 1, _DIM - 1) - sympy.binomial(_ELL + _DIM - 3, _DIM - 1)
    value = sympy.combsimp(number)
    return Law(
        "Multiplicity of degree l on the sphere",
        Eq(Symbol("N_l"), value),
        {
            Symbol("N_l"): "independent harmonics of degree l",
            _DIM: "dimension of the space around the sphere, at least 2",
            _ELL: "degree, at least 1",
        },
        "l >= 1; one at l = 0",
        (
            Step(
                "Polynomials",
                "Homogeneous ones of degree l, less |x|^2 times those of degree l - 2.",
                number,
            ),
            Step("Simplified", "", value),
        ),
        "Mueller, Spherical Harmonics, 1966",
    )


@cache
def recurrence() -> Law:
    """P_(l+1) from P_l and P_(l-1)."""
    nu = (_DIM - 2) / 2
    before, here = symbols("P_before P_here", real=True)
    after = Symbol("P_after", real=True)
    size = {k: sympy.rf(2 * nu, _ELL + k) / sympy.factorial(_ELL + k) for k in (-1, 0, 1)}
    own = 2 * (_ELL + nu) * _T * size[0] * here - (_ELL + 2 * nu - 1) * size[-1] * before
    parts = [sympy.combsimp(own.coeff(p) / ((_ELL + 1) * size[1])) for p in (here, before)]
    value = sympy.factor(parts[0]) * here + sympy.factor(parts[1]) * before
    return Law(
        "Recurrence of the sphere's polynomials",
        Eq(after, value),
        {
            after: "P_l of degree l + 1", here: "P_l", before: "P_l of degree l - 1", _T: "<x, x'>",
            _ELL: "degree, at least 1", _DIM: "dimension, at least 2",
        },
        "P_0 = 1 and P_1 = t",
        (
            Step("Gegenbauer's at t = 1", "(d - 2)_l / l!", size[0]),
            Step("Gegenbauer's recurrence", "With C_l = C_l(1) P_l.", Eq((_ELL + 1) * size[1] * after, own)),
            Step("Divided", "", value),
        ),
        "Gegenbauer 1874",
    )  # fmt: skip


@cache
def quadrature_error() -> Law:
    """Bound of the error of the trapezoidal rule in u = artanh t for an eigenvalue, relative to h(1)."""
    step, end, top = symbols("s U p", positive=True)
    u, real = Symbol("u", real=True), Symbol("d", positive=True)
    strip = sympy.pi / 4
    squared = sympy.expand_trig(sympy.cosh(2 * u) + sympy.cos(2 * strip)) / 2
    total = _normalisation()
    sides = 2 ** (_DIM / 2 - Rational(1, 2)) * total.subs(_DIM, (_DIM + 1) / 2) / 2
    tails = 2 * sympy.integrate((2 * sympy.exp(-u)) ** (real - 1), (u, end, oo), conds="none")
    tails = sympy.simplify(tails).subs(real, _DIM)
    value = (2 * top * sides / (sympy.exp(2 * sympy.pi * strip / step) - 1) + tails) / total
    return Law(
        "Error of the quadrature in u = artanh t",
        Eq(Symbol("error"), value),
        {
            Symbol("error"): "bound of the error of an eigenvalue, over h(1)",
            step: "step of the trapezoidal rule", end: "|u| of its last nodes",
            top: "largest |P_l| in the unit disk, which is |P_l(i)|", _DIM: "dimension",
        },
        "h is a power series with coefficients >= 0, as kernels of wide networks on a sphere are: so "
        "|h| <= h(1) in the unit disk",
        (
            Step("The disk", "tanh maps the strip |Im u| < pi/4 onto it.", Eq(Symbol("a"), strip)),
            Step("On its boundary", "|cosh(u + i a)|^2, which is cosh(2u)/2.", squared),
            Step("Both sides of the strip", "The integral of |cosh|^(1-d) on one of them.", sides),
            Step("Beyond the last node", "cosh u >= exp(u)/2.", tails),
        ),
        "Trefethen and Weideman, SIAM Review 2014, theorem 5.1",
    )  # fmt: skip


def zonal_kernel(model: MLP, radius: Expr | float = 1) -> tuple[Expr, Expr]:
    """NNGP and NTK of a perceptron as functions of t on the sphere |x|^2/d = radius^2.

    Returns
    -------
    tuple of Expr
        In the symbol t.
    """
    w2, b2, v2 = (model.scales[name] ** 2 for name in ("sigma_w", "sigma_b", "sigma_v"))
    variance = layer(sympy.sympify(radius) ** 2, w2, b2)
    k = layer(sympy.sympify(radius) ** 2 * _T, w2, b2)
    theta = k

    def duals() -> tuple[Expr, Expr]:
        at = {K1: variance, C: k, K2: variance}
        own = model.dual.expr, model.dual.derivative
        return own[0].subs(at, simultaneous=True), own[1].subs(at, simultaneous=True)

    for _ in range(model.depth - 1):
        value, slope = duals()
        k = layer(value, w2, b2)
        theta = tangent(k, slope, theta, w2)
        variance = layer(model.dual.diagonal.subs(K1, variance), w2, b2)
    return readout(*duals(), theta, v2)
