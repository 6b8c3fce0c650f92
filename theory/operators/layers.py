"""Fourier layers: parameters, what truncation, rank one and another grid cost, what a real output uses.

A layer multiplies mode k of w channels by a complex w x w matrix R(k). The Fourier layer holds R(k) for m
modes along each axis (one-sided in the last axis, both signs in the others), the amortised layer computes
each part of it from n features of the frequency f = k/N on a grid of N points, by a network n -> 2n -> w^2;
in two dimensions R is a product of the axes.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Eq, Function, I, IndexedBase, Sum, Symbol, conjugate, sqrt, symbols

from theory.calculus.law import Law
from theory.calculus.steps import Step

from .symbols import EQUATIONS, KAPPA, KX, KY, NU, TIME, X, multiplier

__all__ = [
    "amortised_parameters",
    "break_even",
    "cole_hopf",
    "fourier_parameters",
    "hermitian",
    "network_parameters",
    "rank_error",
    "readout",
    "resolution",
    "resolution_error",
    "separability",
    "truncation",
]

N_FEATURES, WIDTH, MODES, DIM = symbols("n w m d", positive=True, integer=True)
IN, OUT, DEPTH = symbols("c_in c_out L", positive=True, integer=True)
GRID, OTHER, K = symbols("N M K", positive=True, integer=True)
_k = Symbol("k", integer=True)
_SIZES = {
    N_FEATURES: "features of an axis",
    WIDTH: "channels",
    MODES: "modes along an axis",
    DIM: "dimension",
}
_CODE = "AM-FNO (Xiao et al., NeurIPS 2024), counted from its layers"


def _dense(into: Any, out: Any) -> Any:
    """Weights and biases of a linear map, counted one by one."""
    i, o = symbols("i o", integer=True)
    return Sum(1, (i, 1, into), (o, 1, out)).doit() + Sum(1, (o, 1, out)).doit()


def _perceptron(into: Any, hidden: Any, out: Any) -> Any:
    return _dense(into, hidden) + _dense(hidden, out)


def amortised_parameters() -> Law:
    """Real parameters of an amortised layer's kernel, whatever the grid."""
    one = sympy.expand(_perceptron(N_FEATURES, 2 * N_FEATURES, WIDTH**2))
    return Law(
        "Parameters of an amortised kernel",
        Eq(Symbol("P_A"), sympy.expand(2 * DIM * one)),
        {k: v for k, v in _SIZES.items() if k != MODES} | {Symbol("P_A"): "real parameters"},
        "a network n -> 2n -> w^2 for the real and one for the imaginary part of each axis's factor",
        (
            Step("One network", "Weights and biases of both of its linear maps.", one),
            Step("All of them", "Two parts for each of d axes.", 2 * DIM * one),
        ),
        _CODE,
    )


def fourier_parameters() -> Law:
    """Real parameters of a Fourier layer's kernel with m modes along each axis."""
    r, j = symbols("r j", integer=True)
    block = Sum(2, (r, 1, WIDTH), (j, 1, WIDTH)).doit() * MODES**DIM
    return Law(
        "Parameters of a Fourier layer's kernel",
        Eq(Symbol("P_F"), 2 ** (DIM - 1) * block),
        {k: v for k, v in _SIZES.items() if k != N_FEATURES} | {Symbol("P_F"): "real parameters"},
        "m modes of each sign along all axes but the last, which has m of one sign",
        (
            Step("One block of modes", "A complex w x w matrix for each of m^d modes.", block),
            Step("Corners", "Each axis but the last has both signs.", 2 ** (DIM - 1) * block),
        ),
        "Li et al., ICLR 2021, counted from its layers",
    )


def readout() -> Law:
    """A network of the system's size holds every linear readout of its features."""
    z = Symbol("z", real=True)
    normal = (1 + sympy.erf(z / sqrt(2))) / 2
    pair = sympy.expand(z * normal - (-z) * normal.subs(z, -z))
    if pair != z:
        raise AssertionError(f"gelu(z) - gelu(-z) is {pair}")
    gelu = Function("gelu")
    return Law(
        "A network of 2n units holds every linear readout of n features",
        Eq(gelu(z) - gelu(-z), pair),
        {z: "a feature"},
        "2n hidden units are n such pairs, biases are the constant: errors of linear readouts are upper "
        "bounds of what a network n -> 2n -> w^2 can reach, exactly and not in a limit",
        (
            Step("Definition", "With the normal distribution function.", Eq(gelu(z), z * normal)),
            Step("A pair", "The error function is odd.", Eq(gelu(z) - gelu(-z), pair)),
        ),
        "derived here",
    )


def break_even() -> Law:
    """The number of modes at which both kernels have equally many parameters."""
    ours, theirs = amortised_parameters().value, fourier_parameters().value
    power = sympy.simplify(ours * MODES**DIM / theirs)
    cases = [
        Eq(Symbol(f"m_{d}"), sympy.solve(sympy.expand((ours - theirs).subs(DIM, d)), MODES)[-1])
        for d in (1, 2)
    ]
    return Law(
        "Modes from which an amortised kernel is the smaller one",
        Eq(MODES, power ** (1 / DIM)),
        _SIZES,
        "an amortised kernel has fewer parameters if and only if m is larger",
        (
            Step(
                "Equal counts",
                "Both kernels' parameters, of which one grows with m.",
                Eq(theirs, ours),
            ),
            Step("One and two dimensions", "Solved for m.", sympy.And(*cases)),
        ),
        "derived here",
    )


def network_parameters(dimension: int) -> Law:
    """Parameters of the whole amortised network as its re-implementation builds it.

    Parameters
    ----------
    dimension : {1, 2}
        In two dimensions the projection is a perceptron w -> 4w -> c_out, in one a linear map.
    """
    lift = _dense(IN + dimension, WIDTH)
    kernel = amortised_parameters().value.subs(DIM, dimension)
    point = _perceptron(WIDTH, 4 * WIDTH, WIDTH)
    out = _perceptron(WIDTH, 4 * WIDTH, OUT) if dimension == 2 else _dense(WIDTH, OUT)
    total = sympy.expand(lift + DEPTH * (kernel + point) + out)
    name = Symbol(f"P_{dimension}")
    return Law(
        f"Parameters of the amortised network in dimension {dimension}",
        Eq(name, total),
        {
            N_FEATURES: "features of an axis",
            WIDTH: "channels",
            IN: "input channels without coordinates",
            OUT: "output channels",
            DEPTH: "layers",
            name: "real parameters",
        },
        "coordinates appended to the input; pointwise perceptrons w -> 4w -> w",
        (
            Step("Lift", "From channels and coordinates to w.", sympy.expand(lift)),
            Step("Kernel", "Of one layer.", kernel),
            Step("Pointwise perceptron", "Of one layer.", sympy.expand(point)),
            Step("Projection", "From w to the output channels.", sympy.expand(out)),
        ),
        "re-implementation in SirenFNO (baseline/AMFNO.py)",
    )


_G, _P, _R = IndexedBase("g"), IndexedBase("P"), IndexedBase("R")
_SPECTRUM = {
    _G: "symbol at wavenumber k",
    _P: "mean power of the inputs in modes k and -k",
    K: "largest wavenumber of the grid",
}


def _indexed(statement: Any, meaning: dict[Any, str]) -> dict[Any, str]:
    """Meaning of a statement's symbols: sympy counts an indexed one, its label and each of its terms."""
    named = {str(s): what for s, what in meaning.items()}
    return {s: named[str(s).split("[")[0]] for s in sorted(statement.free_symbols, key=str)}


def truncation() -> Law:
    """Relative error of the best Fourier layer with m modes on a linear equation."""
    a, b, p, q, power = symbols("a b p q P_k", real=True)
    loss = power * sympy.expand((a - p) ** 2 + (b - q) ** 2)
    best = sympy.solve([loss.diff(p), loss.diff(q)], [p, q], dict=True)[0]
    error = Symbol("E")
    energy = _P[_k] * sympy.Abs(_G[_k]) ** 2
    statement = Eq(error, sqrt(Sum(energy, (_k, MODES, K)) / Sum(energy, (_k, 0, K))))
    meaning = _SPECTRUM | {
        error: "root mean square error over root mean square output",
        MODES: "modes kept, 0 to m-1",
    }
    return Law(
        "Error of a Fourier layer with m modes",
        statement,
        _indexed(statement, meaning),
        "inputs with independent phases; one channel; the best layer",
        (
            Step(
                "Loss of a mode",
                "By Parseval's identity the modes do not mix; g = a + ib, R = p + iq.",
                loss,
            ),
            Step(
                "Modes kept",
                "Where its derivatives vanish R is g, and nothing is lost.",
                Eq(Symbol("l"), sympy.expand(loss.subs(best))),
            ),
            Step(
                "Modes dropped",
                "R is zero there.",
                Eq(Symbol("l"), sympy.factor(loss.subs({p: 0, q: 0}))),
            ),
        ),
        "derived here",
    )


def resolution() -> Law:
    """What an amortised kernel trained on N points does on M points."""
    g, f = Function("g"), Symbol("f", real=True)
    learned = g(GRID * f)
    steps = [
        Step(
            "Trained",
            "On N points the kernel at f = k/N is the symbol at k.",
            Eq(Function("R")(_k / GRID), learned.subs(f, _k / GRID)),
        ),
        Step(
            "On M points",
            "The same k has the frequency f = k/M.",
            Eq(Function("R")(_k / OTHER), learned.subs(f, _k / OTHER)),
        ),
    ]
    ratio = Symbol("lambda", positive=True)
    for name in ("heat", "advection", "dispersion"):
        rate = multiplier(EQUATIONS[name]).value.exp
        scaled = sympy.factor(rate.subs({KX: KX / ratio, KY: KY / ratio}, simultaneous=True) / rate)
        steps.append(
            Step(
                f"Time: {name}",
                "What k -> k/lambda with lambda = M/N does to the exponent, as to the time.",
                sympy.simplify(scaled),
            )
        )
    statement = Eq(Function("g_M")(_k), g(_k * GRID / OTHER))
    return Law(
        "A kernel of k/N on another grid",
        statement,
        {
            _k: "wavenumber",
            GRID: "points of the grid it was trained on",
            OTHER: "points of another grid",
        },
        "kernels that are functions of f = k/N alone, fitted exactly; with f = k/N(trained) it is g on every "
        "grid for |k| < N/2: beyond lie frequencies that were never seen",
        tuple(steps),
        "derived here",
    )


def resolution_error() -> Law:
    """Relative error on another grid of a kernel that is exact on its own."""
    h = IndexedBase("h")
    error = Symbol("E")
    statement = Eq(
        error,
        sqrt(
            Sum(_P[_k] * sympy.Abs(h[_k] - _G[_k]) ** 2, (_k, 0, K))
            / Sum(_P[_k] * sympy.Abs(_G[_k]) ** 2, (_k, 0, K))
        ),
    )
    law = resolution()
    return Law(
        "Error of any kernel h on a linear equation with symbol g",
        statement,
        _indexed(
            statement,
            _SPECTRUM | {error: "relative error", h: "the kernel: g(kN/M) on another grid"},
        ),
        "inputs with independent phases; one channel",
        (
            Step("The kernel", "As it is on the other grid.", law.statement),
            *truncation().steps[:1],
        ),
        "derived here",
    )


def separability() -> Law:
    """Which symbols are products of the axes: a criterion, and what it says of each equation."""
    g = Function("g")
    steps = []
    for name in ("heat", "advection", "dispersion", "screened-poisson", "half-wave"):
        log = sympy.expand_log(sympy.log(multiplier(EQUATIONS[name]).value), force=True)
        steps.append(
            Step(
                f"Mixed derivative: {name}",
                "Of log g; it vanishes everywhere if and only if g is a product.",
                sympy.factor(log.diff(KX, KY)),
            )
        )
    scale = Symbol("tau", positive=True)
    kernel = sympy.exp(-scale * (KAPPA**2 + KX**2 + KY**2))
    total = sympy.integrate(kernel, (scale, 0, sympy.oo))
    steps.append(
        Step(
            "Screened Poisson as a sum of products",
            "An integral of separable heat kernels, of which few terms suffice.",
            Eq(sympy.Integral(kernel, (scale, 0, sympy.oo)), sympy.simplify(total)),
        )
    )
    return Law(
        "Symbols of rank one",
        Eq(g(KX, KY) * g(0, 0), g(KX, 0) * g(0, KY)),
        {KX: "wavenumber along x", KY: "wavenumber along y"},
        "g(0, 0) is not 0; an amortised kernel X(k_x) Y(k_y) of one pair of channels holds such symbols "
        "alone; w channels between a lift and a projection add up to w^2 products",
        tuple(steps),
        "derived here",
    )


def rank_error() -> Law:
    """Relative error of the best sum of r products, from singular values."""
    a, b, c, d, angle = symbols("a b c d theta", real=True)
    matrix = sympy.Matrix([[a, b], [c, d]])
    x = sympy.Matrix([sympy.cos(angle), sympy.sin(angle)])
    left = matrix - x * (x.T * matrix)
    residual = sympy.trigsimp(sympy.expand((left.T * left).trace()))
    form = sympy.expand((x.T * matrix * matrix.T * x)[0])
    total = sympy.expand((matrix.T * matrix).trace())
    values = (matrix * matrix.T).eigenvals(multiple=True)
    assert sympy.simplify(residual - total + form) == 0
    assert sympy.simplify(sum(values) - total) == 0
    s, i, r, rank = (
        IndexedBase("s"),
        Symbol("i", integer=True),
        Symbol("r", integer=True),
        Symbol("R", integer=True),
    )
    error = Symbol("E")
    statement = Eq(error, sqrt(Sum(s[i] ** 2, (i, r, rank - 1)) / Sum(s[i] ** 2, (i, 0, rank - 1))))
    return Law(
        "Error of the best r products of the axes",
        statement,
        _indexed(
            statement,
            {
                s: "singular values of g(k_x, k_y), falling, from s_0 on",
                r: "products",
                rank: "all singular values",
                error: "relative error",
            },
        ),
        "a flat spectrum: all pairs (k_x, k_y) count alike",
        (
            Step(
                "What a direction leaves",
                "A 2 x 2 symbol less its part along the unit vector x, squared.",
                Eq(Symbol("E") ** 2, total - sympy.simplify(form)),
            ),
            Step(
                "Its extremes",
                "A quadratic form in x: at most the largest squared singular value is taken away.",
                sympy.Matrix([[sympy.simplify(v)] for v in values]),
            ),
        ),
        "Eckart and Young 1936",
    )


def hermitian() -> Law:
    """The part of a kernel that a real output uses on the columns k_y = 0 and N/2."""
    place = Symbol("x", real=True)
    rp, rm, v = symbols("R_+ R_- v")
    k = Symbol("k", real=True)
    wave = sympy.exp(I * k * place)
    pair = rp * v * wave + rm * conjugate(v) / wave
    used = sympy.expand((pair + conjugate(pair)) / 2)
    half = (rp + conjugate(rm)) / 2
    same = sympy.expand(half * v * wave + conjugate(half) * conjugate(v) / wave)
    assert sympy.simplify(used - same) == 0
    r = Function("R")
    return Law(
        "The part of a kernel that is used",
        Eq(Function("H")(k), (r(k) + conjugate(r(-k))) / 2),
        {k: "wavenumber along the other axis"},
        "columns k_y = 0 and k_y = N/2 of a half spectrum, where k and -k are both stored; that T_j(-f) is "
        "(-1)^j T_j(f) does not enforce R = H",
        (
            Step(
                "A pair of modes",
                "Input v at k and its conjugate at -k, as a real field has them.",
                pair,
            ),
            Step("Its real part", "What the inverse transform to real fields keeps.", used),
            Step("The same with H", "Both factors replaced by H and its conjugate.", same),
        ),
        "derived here",
    )


def cole_hopf() -> Law:
    """Viscous Burgers from the heat equation, and the check that it solves it."""
    phi = Function("phi", positive=True)(X, TIME)
    u = -2 * NU * phi.diff(X) / phi
    residual = u.diff(TIME) + u * u.diff(X) - NU * u.diff(X, 2)
    heat = residual.subs(phi.diff(TIME, X), NU * phi.diff(X, 3)).subs(
        phi.diff(X, TIME), NU * phi.diff(X, 3)
    )
    heat = sympy.simplify(heat.subs(phi.diff(TIME), NU * phi.diff(X, 2)).doit())
    if heat != 0:
        raise AssertionError(f"Cole-Hopf leaves {heat}")
    value, slope = symbols("phi phi_x")
    return Law(
        "Cole-Hopf transform",
        Eq(Symbol("u"), -2 * NU * slope / value),
        {
            Symbol("u"): "solution of u_t + u u_x = nu u_xx",
            NU: "viscosity",
            value: "solution of the heat equation from exp(-(integral of u_0)/(2 nu))",
            slope: "its derivative",
        },
        "periodic data of mean zero",
        (
            Step(
                "Definition",
                "From a positive solution of phi_t = nu phi_xx.",
                Eq(Function("u")(X, TIME), u),
            ),
            Step(
                "Burgers",
                "What is left of u_t + u u_x - nu u_xx, with phi_t = nu phi_xx.",
                Eq(Symbol("r"), heat),
            ),
            Step(
                "Initial value",
                "u_0 is the derivative of -2 nu log phi_0.",
                sympy.simplify(
                    -2 * NU * sympy.log(sympy.exp(-Function("U")(X) / (2 * NU))).diff(X)
                ),
            ),
        ),
        "Hopf 1950, Cole 1951",
    )
