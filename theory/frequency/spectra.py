"""Where the energy of an autoregression is, and what it costs to estimate a sparse spectrum.

An autoregression of order p with distinct poles r_1 .. r_p, the inverses of the roots of
1 - a_1 z - .. - a_p z^p, has the autocorrelation sum_j c_j r_j^h: a mixture of first-order ones, with complex
weights. Shares of energy and expected periodograms are linear in it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sympy import (
    Eq,
    Expr,
    Function,
    I,
    Integer,
    Piecewise,
    Sum,
    Symbol,
    cos,
    diff,
    exp,
    expand,
    factor,
    integrate,
    log,
    oo,
    pi,
    prod,
    residue,
    simplify,
    sqrt,
    symbols,
    tan,
    together,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

from .transform import T, character, k, verified

__all__ = [
    "autoregression",
    "first_order",
    "periodogram",
    "pole_periodogram",
    "pole_share",
    "pole_weights",
    "r",
    "risk_of_spectrum",
    "soft_threshold",
    "sparse_spectrum",
    "w",
]

r = Symbol("r")
"""A pole, inside the unit circle."""
w = Symbol("w", positive=True)
"""Edge of the band of frequencies from -w to w, at most pi."""
mu, lam, sigma = (
    Symbol("mu", real=True),
    Symbol("lambda", positive=True),
    Symbol("sigma", positive=True),
)
_z = Symbol("z")
_h = Symbol("h", integer=True, positive=True)
_F = Symbol("F")
_band = {w: "edge of the band -w to w, at most pi", _F: "share of the energy in the band"}


def pole_share(pole: Any = r, edge: Any = w) -> Expr:
    """Share of the energy in the band that a pole has, real if the pole is."""
    series = Sum(_z**_h / _h, (_h, 1, oo)).doit().args[0][0]  # within the unit circle
    sides = [series.subs(_z, pole * exp(side * I * edge)) for side in (1, -1)]
    return edge / pi + (sides[0] - sides[1]) / (I * pi)


def pole_weights(poles: Any) -> tuple[Expr, ...]:
    """Weights c_j of an autoregression's poles in its autocorrelation, for distinct poles."""
    residues = []
    for j, pole in enumerate(poles):
        # of z^(p - 1) / prod (z - r_i)(1 - r_i z)
        others = prod([pole - other for i, other in enumerate(poles) if i != j])
        residues.append(pole ** (len(poles) - 1) / (others * prod([1 - a * pole for a in poles])))
    return tuple(value / sum(residues) for value in residues)


def _lag_sum(z: Any) -> Expr:
    """The sum of (1 - h/T) z^h over lags h from 1 to T - 1."""
    terms = Sum(_z**_h * (1 - _h / T), (_h, 1, T - 1)).doit()
    summed = terms.replace(Piecewise, lambda *cases: cases[-1][0])  # where z is not 1
    tidy = _z / (1 - _z) - _z * (1 - _z**T) / (T * (1 - _z) ** 2)
    return verified(summed, tidy).subs(_z, z)


def pole_periodogram(pole: Any = r, bin: Any = k) -> Expr:
    """Expected energy of a bin that a pole has, relative to the variance."""
    sides = [_lag_sum(pole * character(side * bin, 1)) for side in (1, -1)]
    # T-th powers of characters are 1
    return 1 + sum(side.replace(_is_power, lambda _: pole**T) for side in sides)


def _is_power(e: Any) -> bool:
    return e.is_Pow and e.exp == T


@cache
def first_order() -> Law:
    """The share of an autoregression of order 1 is an arctangent."""
    phi, t = Symbol("phi", real=True), Symbol("t", positive=True)
    a, edge = symbols("a u", positive=True)
    density = (1 - phi**2) / (2 * pi * (1 - 2 * phi * cos(w) + phi**2))
    halved = simplify(density.subs(cos(w), (1 - t**2) / (1 + t**2)) * 2 / (1 + t**2))
    plain = factor(simplify(halved.subs(phi, (a - 1) / (a + 1))))
    integral = 2 * integrate(plain, (t, 0, edge))
    ratio = (1 + phi) / (1 - phi)
    value = integral.subs({a: ratio, edge: tan(w / 2)})
    return Law(
        "Energy compaction of a first-order autoregression",
        Eq(_F, value),
        {**_band, phi: "coefficient"},
        "|phi| < 1 and w < pi. White noise, phi = 0, has the share w/pi of the band: it compacts nothing",
        (
            Step("Spectral density", "For unit variance.", Eq(Symbol("f"), density)),
            Step("Half angle", "t = tan(w/2); the density in t.", Eq(Symbol("g"), halved)),
            Step("Ratio", "a = (1 + phi)/(1 - phi).", Eq(Symbol("g"), plain)),
            Step("Integral", "From -u to u, u = tan(w/2).", Eq(_F, integral)),
            Step(
                "Slope",
                "At the edge it is twice the density.",
                Eq(diff(value, w), verified(diff(value, w), 2 * density)),
            ),
        ),
        "derived here",
    )


@cache
def autoregression() -> Law:
    """The share of an autoregression, pole by pole."""
    r1, r2, z = symbols("r1 r2 z")
    order = symbols("h", integer=True, nonnegative=True)
    at = z ** (order + 1) / ((z - r1) * (z - r2) * (1 - r1 * z) * (1 - r2 * z))
    rho = Function("rho")(_h)
    weights = pole_weights((r1, r2))
    share = sum(
        (c * pole_share(pole) for c, pole in zip(weights, (r1, r2), strict=True)), Integer(0)
    )
    C, j, p = Function("c")(Symbol("j")), Symbol("j"), Symbol("p", integer=True, positive=True)
    general = Sum(C * pole_share(Function("r")(j)), (j, 1, p))
    return Law(
        "Energy compaction of an autoregression of any order",
        Eq(_F, general),
        {**_band, p: "order", j: "pole"},
        "distinct poles r(j) inside the unit circle; principal logarithms, as 1 - r exp(i w) has a positive "
        "real part; c(j) are the weights of the autocorrelation sum_j c(j) r(j)^h, which sum to 1",
        (
            Step(
                "Residues",
                "Autocovariances are sums over the poles inside the circle; order 2, first pole.",
                Eq(Function("gamma")(order), residue(at, z, r1)),
            ),
            Step(
                "Weights", "Relative to the variance.", Eq(Function("c")(1), together(weights[0]))
            ),
            Step(
                "Band",
                "The share is the integral of the density 1/(2 pi) sum_h rho(|h|) cos(h w).",
                Eq(_F, w / pi + 2 / pi * Sum(rho * integrate(cos(_h * w), (w, 0, w)), (_h, 1, oo))),
            ),
            Step(
                "One pole",
                "The sum over h is a logarithm.",
                Eq(Function("F")(r), pole_share()),
            ),
            Step("Order 2", "Both poles.", Eq(_F, share)),
        ),
        "derived here",
    )


@cache
def periodogram() -> Law:
    """The expected periodogram of finite length, pole by pole: energy leaks at the order 1/T."""
    rho, P = Function("rho"), Function("P")(k)
    u, v = r * character(k, 1), r * character(-k, 1)
    spectrum = (1 - r**2) / ((1 - u) * (1 - v))
    leakage = -(1 - r**T) / T * (u / (1 - u) ** 2 + v / (1 - v) ** 2)
    return Law(
        "Expected energy of a bin at finite length",
        Eq(P, pole_periodogram()),
        {T: "length", k: "bin", r: "pole"},
        "|r| < 1, relative to the variance and with the mean left in; an autoregression is the mixture "
        "of its poles",
        (
            Step(
                "Covariances",
                "A lag h occurs T - |h| times among T.",
                Eq(
                    P,
                    1 + 2 * Sum((1 - _h / T) * rho(_h) * cos(2 * pi * k * _h / T), (_h, 1, T - 1)),
                ),
            ),
            Step(
                "One pole",
                "Geometric sums; T-th powers of characters are 1.",
                Eq(P, pole_periodogram()),
            ),
            Step(
                "Spectrum and leakage",
                "What is not of the order 1/T is the spectrum.",
                Eq(P, verified(pole_periodogram(), spectrum + leakage)),
            ),
        ),
        "derived here",
    )


@cache
def soft_threshold() -> Law:
    """The risk of soft thresholding, coefficient by coefficient."""
    z, a = symbols("z a", real=True)
    density = exp(-(z**2) / 2) / sqrt(2 * pi)
    tail = simplify(integrate(expand((z - lam) ** 2 * density), (z, a, oo)))
    above, below = (tail.subs(a, lam - side * mu) for side in (1, -1))
    inside = integrate(mu**2 * density, z)
    within = inside.subs(z, lam - mu) - inside.subs(z, -lam - mu)
    value = above + below + within
    slope = simplify(diff(value, mu))
    bound = sum(simplify(part.limit(mu, oo)) for part in (above, below, within))
    R = Symbol("R")
    return Law(
        "Risk of soft thresholding",
        Eq(R, value),
        {
            R: "expected squared error",
            mu: "coefficient, in units of the noise",
            lam: "threshold, likewise",
        },
        "normal noise of variance 1",
        (
            Step(
                "Above the threshold",
                "The estimate is z + mu - lambda; below its negative the same with -mu.",
                Eq(Symbol("R_1"), above),
            ),
            Step("Within", "The estimate is 0.", Eq(Symbol("R_2"), within)),
            Step(
                "Slope",
                "It has the sign of mu: the risk is least at 0, and bounded by its limit.",
                Eq(diff(Function("R")(mu), mu), slope),
            ),
            Step("Limit", "For large coefficients.", Eq(Symbol("R_3"), bound)),
        ),
        "Donoho and Johnstone, Biometrika 81 (1994); derived here",
    )


def risk_of_spectrum(nonzero: Any, threshold: Any = lam) -> Expr:
    """Largest risk of a spectrum with so many of T real coefficients that are not 0; noise of variance 1."""
    one = soft_threshold().value
    return (T - nonzero) * one.subs(mu, 0).subs(lam, threshold) + nonzero * (1 + threshold**2)


@cache
def sparse_spectrum() -> Law:
    """A sparse spectrum is estimated at a cost of its sparsity times a logarithm."""
    count = Symbol("k", integer=True, nonnegative=True)
    R, one = Symbol("R"), soft_threshold()
    universal = sqrt(2 * log(T))
    value = sigma**2 * risk_of_spectrum(count, universal)
    bound = one.steps[-1].expression.rhs
    silent = simplify(one.value.subs(mu, 0))
    x = Symbol("x", positive=True)
    tail = exp(x**2 / 2) * silent.subs(lam, x)
    return Law(
        "Risk of thresholding a sparse spectrum",
        Eq(R, value),
        {
            R: "largest expected squared error, summed over the coefficients",
            T: "length, the number of real coefficients",
            count: "coefficients that are not 0",
            sigma: "standard deviation of the noise",
        },
        "the threshold is sigma sqrt(2 log T). Silent coefficients cost at most sigma^2 in all, the others "
        "1 + 2 log T each; keeping all of them costs T sigma^2, in every orthonormal basis",
        (
            Step("A large coefficient", "No coefficient costs more.", Eq(Symbol("R_3"), bound)),
            Step("A silent one", "The noise that comes through.", Eq(Symbol("R_0"), silent)),
            Step(
                "For large thresholds",
                "Times exp(lambda^2/2), which is T here: the silent coefficients' share vanishes.",
                Eq(Symbol("R_0") * exp(lam**2 / 2), tail.limit(x, oo), evaluate=False),
            ),
            Step("Sum", "T - k silent ones and k others.", Eq(R, value)),
        ),
        "Donoho and Johnstone, Biometrika 81 (1994); derived here",
    )
