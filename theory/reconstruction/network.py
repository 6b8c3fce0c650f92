"""Networks of layers, what is passed back through them, and how a pair of pictures is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sympy import (
    Eq,
    Expr,
    Matrix,
    Rational,
    Symbol,
    diff,
    exp,
    limit,
    log,
    oo,
    simplify,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "DERIVED",
    "outputs",
    "relaxed_gate",
    "sensitivities",
    "structural_similarity",
    "weight_gradients",
]

DERIVED = "derived here"


def outputs(weights: Sequence[Any], x: Any, activation: Callable[[Any], Any]) -> list[Any]:
    """Pass rows, one a sample, through layers of shape (units, inputs): h_0 = x, h_1, .., h_(L-1), f.

    The activation is that of the rows of a hidden layer.
    """
    rows = [x]
    for weight in weights[:-1]:
        rows.append(activation(rows[-1] @ weight.T))
    return [*rows, rows[-1] @ weights[-1].T]


def sensitivities(
    weights: Sequence[Any], gated: Sequence[Callable[[Any], Any]], multipliers: Any
) -> list[Any]:
    """Pass multipliers of the outputs back: delta_L = lambda, delta_l = s_l (delta_(l+1) W_(l+1)), l < L.

    Each of ``gated`` multiplies the rows of a hidden layer by its gates s_l.
    """
    deltas = [multipliers]
    for weight, gate in zip(reversed(weights[1:]), reversed(gated), strict=True):
        deltas.insert(0, gate(deltas[0] @ weight))
    return deltas


def weight_gradients(deltas: Sequence[Any], rows: Sequence[Any]) -> list[Any]:
    """Gradient of sum_ic lambda_ic f_c(x_i) in each layer's weights: delta_l' h_(l-1)."""
    return [delta.T @ row for delta, row in zip(deltas, rows, strict=True)]


def relaxed_gate() -> Law:
    """Gate of a rounded ReLU, the derivative of softplus(alpha z) / alpha, and its limits."""
    z, sharpness = Symbol("z", real=True), Symbol("alpha", positive=True)
    softplus = log(1 + exp(sharpness * z)) / sharpness
    gate = simplify(diff(softplus, z))
    ends = [limit(gate.subs(z, at), sharpness, oo) for at in (-1, 0, 1)]
    s = Symbol("s", real=True)
    return Law(
        "A relaxed gate",
        Eq(s, gate),
        {s: "the gate", z: "the pre-activation", sharpness: "the sharpness"},
        "of softplus(alpha z) / alpha in place of max(z, 0); exact gates are its limits",
        (
            Step("Round the kink", "A smooth function near max(z, 0).", softplus),
            Step("Derive", "The slope of it gates what is passed back.", Eq(s, gate)),
            Step("Sharpen", "The limits below, at and above the kink.", Matrix([ends])),
        ),
        DERIVED,
    )


def structural_similarity() -> Expr:
    """Structural similarity of two windows, in their moments m, v, w and the range R (Wang et al., 2004)."""
    m1, m2, v1, v2, w, span_ = symbols("m1 m2 v1 v2 w R", real=True)
    c1, c2 = (Rational(1, 100) * span_) ** 2, (Rational(3, 100) * span_) ** 2
    return (2 * m1 * m2 + c1) * (2 * w + c2) / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2))
