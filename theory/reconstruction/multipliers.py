"""Multipliers, from the slopes of losses and from margins; what homogeneity makes of them."""

from __future__ import annotations

from sympy import (
    Abs,
    Eq,
    Expr,
    Function,
    IndexedBase,
    KroneckerDelta,
    Piecewise,
    Sum,
    Symbol,
    diff,
    exp,
    expand,
    log,
    simplify,
    solve,
    symbols,
)
from sympy.concrete.delta import deltasummation

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.reconstruction.network import DERIVED

__all__ = [
    "LOSSES",
    "cross_entropy_multiplier",
    "decay",
    "gradient",
    "homogeneity",
    "margin_multiplier",
    "multiplier",
    "squared_norm",
    "summed",
    "unit_balance",
]

F, Y, RHO, THETA = symbols("f y rho theta", real=True)
N = Symbol("n", integer=True, positive=True)
CLIP = Symbol("c", positive=True)
LAMBDA = Symbol("lambda", real=True)
DECODED = (
    "derived here; code released with Buzaglo et al., NeurIPS 2023, has one multiplier a sample"
)


LOSSES: dict[str, Expr] = {
    "squared": (F - Y) ** 2 / 2,
    "huber": Piecewise(
        ((F - Y) ** 2 / 2, Abs(F - Y) <= CLIP),
        (CLIP * (F - Y) - CLIP**2 / 2, F > Y),
        (CLIP * (Y - F) - CLIP**2 / 2, True),
    ),
    "logistic": log(1 + exp(-Y * F)),
}
"""Losses of one output f for a target y; the cross-entropy is one of all outputs together."""


def multiplier(loss: str) -> Law:
    """Multiplier of a sample's output at rest under weight decay, for one of `LOSSES`.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"no loss {loss!r} of one output; choose from {', '.join(LOSSES)}")
    f = Function("f")(THETA)
    objective = LOSSES[loss].subs(F, f) / N + RHO * THETA**2 / 2
    gradient = Symbol("g", real=True)
    rest = diff(objective, THETA).doit().subs(diff(f, THETA), gradient).subs(f, F)
    (theta,) = solve(rest, THETA)
    value = simplify(diff(theta, gradient))
    clip = {CLIP: "where the loss becomes linear"} if loss == "huber" else {}
    return Law(
        f"Multiplier under weight decay, {loss} loss",
        Eq(LAMBDA, value),
        {
            LAMBDA: "multiplier of the sample's output",
            F: "the output",
            Y: "the target",
            N: "number of samples",
            RHO: "weight decay",
            **clip,
        },
        "at every stationary point of the mean loss plus rho/2 |theta|^2 with rho > 0; no theorem on limits "
        "is needed",
        (
            Step("Objective", "One sample, one weight; others add terms.", objective),
            Step("Stationarity", "With g for the gradient of f.", Eq(rest, 0)),
            Step("Solve", "The weight is a multiple of the gradient.", Eq(THETA, theta)),
            Step("Multiplier", "What the gradient is multiplied by.", Eq(LAMBDA, value)),
        ),
        DERIVED,
    )


def summed(expression: Expr) -> Expr:
    """Carry out sums over Kronecker deltas, for indices within their ranges."""
    return expression.replace(
        lambda e: isinstance(e, Sum) and e.has(KroneckerDelta),
        lambda e: deltasummation(e.function, e.limits[0], no_piecewise=True),
    )


def gradient(expression: Expr, variable: Expr) -> Expr:
    """Derivative in an indexed variable, with the sums over its index carried out."""
    return summed(diff(expression, variable))


J, M = symbols("j m", integer=True)
K = Symbol("k", integer=True, positive=True)
LOGITS, TARGETS = IndexedBase("f", real=True), IndexedBase("t", real=True)


def cross_entropy_multiplier() -> Law:
    """Multipliers of a sample's k outputs under the cross-entropy: their sum is zero, k-1 are free."""
    loss = log(Sum(exp(LOGITS[J]), (J, 1, K))) - Sum(TARGETS[J] * LOGITS[J], (J, 1, K))
    slope = gradient(loss, LOGITS[M])
    out, at, target, total = symbols("lambda_m f_m t_m Z", real=True)
    value = (-slope / (N * RHO)).subs({LOGITS[M]: at, TARGETS[M]: target})
    value = value.replace(lambda e: isinstance(e, Sum), lambda e: total)
    softmax = Sum(exp(LOGITS[J]), (J, 1, K)) / Sum(exp(LOGITS[J]), (J, 1, K))
    return Law(
        "Multipliers under weight decay, cross-entropy",
        Eq(out, value),
        {
            out: "multiplier of output m",
            at: "the output",
            target: "1 for the sample's class, else 0",
            total: "sum of exp(f_j) over all outputs",
            N: "number of samples",
            RHO: "weight decay",
        },
        "at every stationary point of the mean loss plus rho/2 |theta|^2 with rho > 0",
        (
            Step("Loss", "Minus the logarithm of the softmax of the class.", loss),
            Step("Slope", "In one output; the targets add up to 1.", slope),
            Step("Multipliers", "Minus the slope over n rho, as for one output.", Eq(out, value)),
            Step(
                "How many are free",
                "The targets add up to 1 and so does the softmax: the multipliers of a sample add up to 0, "
                "and k-1 of them are free.",
                Eq(Sum(out, (M, 1, K)), (1 - softmax) / (N * RHO)),
            ),
        ),
        DECODED,
    )


def margin_multiplier() -> Law:
    """Multipliers of the max-margin problem, min |theta|^2 / 2 with f_y - f_j >= 1 for all j other than y."""
    force = IndexedBase("mu", real=True)
    own = Symbol("y", integer=True)
    pull = -Sum(force[J] * (LOGITS[own] - LOGITS[J] - 1), (J, 1, K))
    slope = -gradient(pull, LOGITS[M])
    out, mine, total = symbols("lambda_m mu_m Z", real=True)
    same = Symbol("t_m", real=True)
    value = expand(slope.subs(force[M], mine)).replace(KroneckerDelta, lambda i, j: same)
    value = value.replace(lambda e: isinstance(e, Sum), lambda e: total * e.function / force[J])
    norm = Sum(force[J], (J, 1, K)) * Symbol("L", positive=True)
    return Law(
        "Multipliers of the max-margin problem",
        Eq(out, value),
        {
            out: "multiplier of output m",
            mine: "force of the constraint on output m; at least 0, and 0 for the sample's own class and "
            "wherever its margin is above 1",
            total: "sum of the sample's forces",
            same: "1 for the sample's class, else 0",
        },
        "at KKT points; trained without decay, homogeneous networks tend to one in direction where the "
        "loss has an exponential tail (logistic, cross-entropy) and all samples are fitted; for squared "
        "losses there is no such theorem",
        (
            Step("Lagrangian", "Beside |theta|^2 / 2, of one sample of class y.", pull),
            Step("Stationarity", "theta = -d/df of this, times the gradient of f.", slope),
            Step("Multipliers", "One force for each other class.", Eq(out, value)),
            Step("Norm", "By Euler's identity; margins with a force are 1.", norm),
        ),
        "Lyu and Li, ICLR 2020; Ji and Telgarsky, NeurIPS 2020; derived here",
    )


L = Symbol("L", integer=True, positive=True)
SQUARE = Symbol("T", positive=True)
PAIRING = Symbol("P", real=True)


def homogeneity() -> Law:
    """Euler's identity of homogeneous functions, for one layer and for all of them."""
    first, second, scale, f = symbols("u v c f", real=True)
    network = Function("F")
    moved = network(scale * first, scale * second)
    left = diff(moved, scale).subs(scale, 1).doit()
    right = diff(scale**L * f, scale).subs(scale, 1)
    value = network(first, second)
    return Law(
        "Euler's identity",
        Eq(left, right.subs(f, value)),
        {
            first: "weights of one layer",
            second: "weights of another layer",
            L: "number of layers; 1 if the weights of one layer are scaled alone",
        },
        "ReLU networks with biases in the first layer only, wherever they have a derivative",
        (
            Step("Scale", "All weights by c > 0.", Eq(moved, scale**L * value)),
            Step("Derive the left side", "In c, at c = 1.", left),
            Step("Derive the right side", "The degree is the number of layers scaled.", right),
        ),
        "Euler; derived here",
    )


def squared_norm() -> Law:
    """Squared norm of the weights from multipliers and outputs; each layer has its L-th part."""
    i = Symbol("i", integer=True)
    lam, f = (IndexedBase(name, real=True) for name in ("lambda", "f"))
    euler = homogeneity().value / Function("F")(*symbols("u v", real=True))
    pairing = Sum(lam[i] * euler * f[i], (i, 1, N))
    inside = pairing.subs(L, 1)
    return Law(
        "Squared norm of the weights",
        Eq(SQUARE, L * PAIRING),
        {
            SQUARE: "|theta|^2",
            L: "number of layers; 1 for the weights of one layer",
            PAIRING: "sum of lambda f over samples and outputs",
        },
        "theta = sum lambda grad f, with or without decay; kinks do no harm, as what a gate decides there "
        "is multiplied by 0",
        (
            Step(
                "Pair with theta", "<theta, grad f> = L f by Euler's identity.", Eq(SQUARE, pairing)
            ),
            Step(
                "One layer alone",
                "Its degree is 1: all layers have the same norm.",
                Eq(Symbol("T_l", positive=True), inside),
            ),
        ),
        DERIVED,
    )


def decay() -> Law:
    """Weight decay as the weights tell it, from their norm and the slopes of the loss."""
    pull = Symbol("S", real=True)
    norm = squared_norm().statement.subs(PAIRING, -pull / (N * RHO))
    (value,) = solve(norm, RHO)
    return Law(
        "Weight decay read off the weights",
        Eq(RHO, value),
        {
            RHO: "weight decay",
            L: "number of layers",
            pull: "sum of l'(f) f over samples and outputs",
            N: "number of samples",
            SQUARE: "|theta|^2",
        },
        "at stationary points of homogeneous networks under decay",
        (
            Step("Norm", "With the multipliers -l'(f) / (n rho).", norm),
            Step("Solve", "Samples and weights give the decay away.", Eq(RHO, value)),
        ),
        DERIVED,
    )


def unit_balance() -> Law:
    """Norms of a unit's weights, incoming and outgoing, are the same."""
    into, out, scale = symbols("u v c", positive=True)
    price = RHO / 2 * (scale**2 * into + out / scale**2)
    slope = diff(price, scale).subs(scale, 1)
    (value,) = solve(slope, into)
    return Law(
        "Balance of a unit",
        Eq(into, value),
        {into: "squared norm of the weights into a unit", out: "squared norm of those out of it"},
        "under decay, for each ReLU unit; for a channel of a convolution all weights that read it count",
        (
            Step(
                "Rescale a unit",
                "Weights into it times c, those out of it over c: the function stays, the price is",
                price,
            ),
            Step("Stationarity", "In c, at c = 1.", Eq(slope, 0)),
            Step("Solve", "Both have the same norm.", Eq(into, value)),
        ),
        DERIVED,
    )
