"""Perceptrons as they are scaled: parameters, compute, the compute-optimal size, and what they cannot see."""

from __future__ import annotations

from functools import cache

import sympy
from sympy import Eq, Expr, MatrixSymbol, Symbol, oo, symbols

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.kernels.architectures import MLP

__all__ = [
    "bottleneck_compute",
    "bottleneck_parameters",
    "gradient_equivariance",
    "optimal_loss",
    "optimal_parameters",
    "optimal_samples",
    "rotation_invariance",
    "spare_parameters",
    "standard_parameters",
]

SOURCE = "Bachmann, Anagnostidis and Hofmann, NeurIPS 2023, and its released code"

# networks: inputs, width, blocks or layers, outputs
_D, _M, _L, _O = symbols("d m L C", integer=True, positive=True)
_EXPANSION = 4
_SHAPE = {
    _D: "inputs",
    _M: "width",
    _L: "blocks (standard: linear maps between hidden layers)",
    _O: "outputs",
}


def _linear(inputs: Expr, outputs: Expr) -> Expr:
    return inputs * outputs + outputs


def _norm(width: Expr) -> Expr:
    return 2 * width


def bottleneck_parameters() -> Law:
    """Parameters of x -> Linear(d, m), L times z + W2 gelu(W1 LN(z)) with 4m units inside, Linear(m, C)."""
    inner = _EXPANSION * _M
    block = _norm(_M) + _linear(_M, inner) + _linear(inner, _M)
    total = _linear(_D, _M) + _L * sympy.expand(block) + _linear(_M, _O)
    return Law(
        "Parameters of a bottleneck MLP",
        Eq(Symbol("P"), total),
        {Symbol("P"): "parameters", **_SHAPE},
        "always; LayerNorm has a gain and a shift for each unit",
        (
            Step("A linear map", "Its matrix and its biases.", _linear(_D, _M)),
            Step("A block", "LayerNorm, out to 4m units and back.", sympy.expand(block)),
            Step("All", "Into the blocks, through them, and out.", total),
        ),
        SOURCE,
    )


def standard_parameters() -> Law:
    """Parameters of Linear(d, m), L times Linear(m, m) gelu(LN(z)), Linear(m, C): L = hidden layers - 1."""
    block = _norm(_M) + _linear(_M, _M)
    total = _linear(_D, _M) + _L * block + _linear(_M, _O)
    return Law(
        "Parameters of a standard MLP",
        Eq(Symbol("P"), total),
        {Symbol("P"): "parameters", **_SHAPE},
        "always",
        (
            Step("Between hidden layers", "LayerNorm and a linear map.", block),
            Step("All", "", total),
        ),
        SOURCE,
    )


def spare_parameters() -> Law:
    """Parameters without which a standard MLP computes the same functions: its last two maps are one."""
    one, two = MatrixSymbol("U", _M, _M), MatrixSymbol("V", _O, _M)
    z, b, c = MatrixSymbol("z", _M, 1), MatrixSymbol("b", _M, 1), MatrixSymbol("c", _O, 1)
    through = (two * (one * z + b) + c).expand()
    merged = (two * one) * z + (two * b + c)
    assert sympy.simplify(through - merged.expand()) == sympy.ZeroMatrix(_O, 1)
    spare = _linear(_M, _M) + _linear(_M, _O) - _linear(_M, _O)
    return Law(
        "Parameters that a standard MLP could do without",
        Eq(Symbol("S"), spare),
        {Symbol("S"): "parameters to spare", _M: "width"},
        "for the standard MLP as released, which has nothing between its last two linear maps (L >= 1)",
        (
            Step("The last two maps", "No activation stands between them.", through),
            Step("They compose", "The same map, with one matrix and one vector.", merged),
            Step(
                "What is to spare",
                "Every pair (V U, V b + c) is one matrix and one vector, all of them reached (U = 1).",
                spare,
            ),
        ),
        "derived here",
    )


def bottleneck_compute() -> Law:
    """Multiply-adds of training a bottleneck MLP on S samples: forward, and twice that backward."""
    samples, compute = Symbol("S", positive=True), Symbol("F")
    inner = _EXPANSION * _M
    forward = _D * _M + _L * (_M * inner + inner * _M) + _M * _O
    ratio = sympy.limit(forward / bottleneck_parameters().value, _M, oo)
    return Law(
        "Compute of training a bottleneck MLP",
        Eq(compute, 3 * samples * forward),
        {compute: "multiply-adds of the linear maps", samples: "samples seen", **_SHAPE},
        "norms, activations and biases are not counted; a multiply-add counts once, as in the released code",
        (
            Step("Forward", "Entries of all matrices.", forward),
            Step("For each parameter", "As the width grows.", Eq(Symbol("forward/P"), ratio)),
            Step("Backward", "Products with both factors of each map: twice forward.", 2 * forward),
        ),
        SOURCE,
    )


# L = A P^-a + B D^-b + E at C = c P D
_P, _S, _F, _CA, _CB, _A, _B, _U = symbols("P D C A B a b c", positive=True)
_E = Symbol("E", nonnegative=True)
_LOSS = {
    _F: "compute",
    _U: "compute for each parameter and sample (3 multiply-adds)",
    _CA: "amplitude of the size's term",
    _CB: "amplitude of the data's term",
    _A: "exponent of the size",
    _B: "exponent of the data",
}


def _rate(value: Expr) -> Expr:
    """Return d log value / d log C."""
    return sympy.simplify(_F * sympy.diff(sympy.expand_log(sympy.log(value), force=True), _F))


def _optimal(what: str, name: str, pick: int) -> Law:
    """The optimum's size, samples or loss: number ``pick`` of them."""
    terms = [_CA * _P**-_A, (_CB * _S**-_B).subs(_S, _F / (_U * _P))]
    spent = sum(terms) + _E
    down, up = (sympy.diff(term, _P) for term in terms)
    slope = down + up
    (size,) = sympy.solve(slope, _P)
    balance = sympy.expand_log((sympy.log(-down) - sympy.log(up)).subs(_P, size), force=True)
    assert sympy.simplify(balance) == 0
    log = Symbol("log_P", real=True)
    curvature = sympy.simplify(sympy.diff(spent.subs(_P, sympy.exp(log)), log, 2))
    samples = sympy.simplify(_F / (_U * size))
    excess = _CA * size**-_A * (1 + _A / _B)  # a A P^-a = b B D^-b, as the slope vanishes
    value = (size, samples, _E + excess)[pick]
    symbols_of = {Symbol(name): f"{what} at the optimum", **_LOSS}
    return Law(
        f"Compute-optimal {what}",
        Eq(Symbol(name), value),
        symbols_of | ({_E: "loss that stays"} if pick == 2 else {}),
        "where the loss is A P^-a + B D^-b + E and compute is c P D",
        (
            Step("The loss at fixed compute", "D = C/(c P).", spent),
            Step("Its slope", "In the size P.", slope),
            Step("Its curvature", "In log P; positive, so there is one minimum.", curvature),
            Step("The size", "Where the slope vanishes.", Eq(_P, size)),
            Step("The samples", "C/(c P).", Eq(_S, samples)),
            Step("The loss", "a A P^-a = b B D^-b as the slope vanishes.", _E + excess),
            Step(
                "Exponents in C",
                "Of the size, the samples and the loss above E.",
                sympy.Tuple(_rate(size), _rate(samples), _rate(excess)),
            ),
        ),
        "Hoffmann et al., NeurIPS 2022",
    )


@cache
def optimal_parameters() -> Law:
    """P*(C), proportional to C^(b/(a + b))."""
    return _optimal("number of parameters", "P_opt", 0)


@cache
def optimal_samples() -> Law:
    """D*(C), proportional to C^(a/(a + b))."""
    return _optimal("number of samples", "D_opt", 1)


@cache
def optimal_loss() -> Law:
    """L*(C), whose excess over E is proportional to C^(-a b/(a + b))."""
    return _optimal("loss", "L_opt", 2)


def rotation_invariance() -> Law:
    """Kernels of wide perceptrons do not change when all inputs are rotated or their pixels permuted."""
    turn, x, y = MatrixSymbol("Q", _D, _D), MatrixSymbol("x", _D, 1), MatrixSymbol("y", _D, 1)
    turned = (turn * x).T * (turn * y)
    value = turned.subs(turn.T * turn, sympy.Identity(_D)).doit()
    assert value == x.T * y
    recursion = MLP("relu").generic.layer
    return Law(
        "Invariance under rotations",
        Eq(turned, value, evaluate=False),
        {turn: "orthogonal matrix, such as a permutation", x: "input", y: "input", _D: "inputs"},
        "layers with independent normal weights: they know inputs through g = <x, x'>/d alone; LayerNorm on "
        "hidden layers changes nothing in that. Not for kernels of patches",
        (
            Step("Turned inputs", "Q^T Q = 1.", value),
            Step(
                "All that follows", "As for ReLU: K_l is a function of g, |x| and |x'|.", recursion
            ),
        ),
        "derived here",
    )


def gradient_equivariance() -> Law:
    """Gradient descent from W Q^T on turned inputs is gradient descent from W on the inputs."""
    rate = Symbol("eta", positive=True)
    turn, x = MatrixSymbol("Q", _D, _D), MatrixSymbol("x", _D, 1)
    weights, signal = MatrixSymbol("W", _M, _D), MatrixSymbol("delta", _M, 1)
    seen = (weights * turn.T * turn * x).subs(turn.T * turn, sympy.Identity(_D)).doit()
    assert seen == weights * x
    plain = weights - rate * signal * x.T
    turned = weights * turn.T - rate * signal * (turn * x).T
    assert sympy.simplify((turned - (plain * turn.T).expand()).doit()) == sympy.ZeroMatrix(_M, _D)
    return Law(
        "Equivariance of gradient descent",
        Eq(turned, plain * turn.T, evaluate=False),
        {
            turn: "orthogonal matrix", x: "input", weights: "first layer", rate: "learning rate",
            signal: "what comes back from the layers behind, a function of W x", _D: "inputs", _M: "width",
        },
        "gradient descent with or without momentum. Normal weights have the law of W Q^T; independent equal "
        "ones at least that of W times a permutation. Signs of gradients (Lion) agree for permutations only",
        (
            Step("The layers behind see the same", "", Eq(weights * turn.T * turn * x, seen, evaluate=False)),
            Step("A step on the inputs", "", plain),
            Step("A step on turned ones", "It is the other, turned.", turned),
        ),
        "derived here",
    )  # fmt: skip
