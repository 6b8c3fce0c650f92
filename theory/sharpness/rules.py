"""What the source's algorithms, and the code released with them, descend along, and what a step costs."""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = ["evaluations", "plus_norm", "released_weight"]

_LAM = sp.Symbol("lambda", positive=True)


@cache
def released_weight() -> Law:
    """The released code's weight that gives the algorithm's direction."""
    own, graph, peer = sp.symbols("lambda_code g_G g_M", positive=True)
    algorithm, code = _LAM * graph + peer, sp.expand(own * peer + (1 - own) * graph)
    ratios = [sp.cancel(d.coeff(graph) / d.coeff(peer)) for d in (algorithm, code)]
    (weight,) = sp.solve(sp.Eq(*ratios), own)
    (same,) = (x for x in sp.solve(sp.Eq(weight, _LAM), _LAM) if x.is_positive)
    steps = (
        Step("The directions of algorithm and code", "", sp.Tuple(algorithm, code)),
        Step(
            "Graph over peer in each", "They are parallel where these are equal.", sp.Tuple(*ratios)
        ),
        Step(
            "One number for both",
            "The weight at which it makes no difference; 1/2 is another.",
            same,
        ),
    )
    return Law(
        "The released code's weight that gives the algorithm's direction",
        sp.Eq(own, weight),
        {
            own: "weight of the peer's loss in the code, 1 - lambda_code that of the graph's",
            _LAM: "weight of the graph's gradient in the algorithm",
        },
        "directions up to their length, which hardly matters to Adam",
        steps,
        "derived here",
    )


@cache
def plus_norm() -> Law:
    """FGSAM+ adds to the peer's gradient what is orthogonal to it, scaled to its length."""
    m, g = (sp.Matrix(sp.symbols(f"{name}_1:4", real=True)) for name in "mg")
    rest = g - g.dot(m) / m.dot(m) * m
    scaled = rest * sp.sqrt(m.dot(m) / rest.dot(rest))
    ratio = sp.sqrt(sp.simplify((m + scaled).dot(m + scaled) / m.dot(m)))
    length, norm = sp.symbols("ell nu_M", positive=True)
    steps = (
        Step("Without its part along m", "Three dimensions stand for any number.", rest.T),
        Step("Orthogonal to m", "Their product.", sp.simplify(rest.dot(m))),
        Step("The sum's length over that of m", "", ratio),
    )
    return Law(
        "The length of FGSAM+'s corrected gradient",
        sp.Eq(length, ratio * norm),
        {length: "length of g_M + g_G |g_M|/|g_G|, g_G projected", norm: "length of g_M"},
        "at steps that compute the projection; of each tensor, where tensors are projected one by one",
        steps,
        "derived here",
    )


@cache
def evaluations() -> Law:
    """What a step of FGSAM+ costs, in gradients of the graph network and of its peer."""
    every = sp.Symbol("k", integer=True, positive=True)
    cost, graph, peer = sp.symbols("C C_G C_M", positive=True)
    exact = graph + 2 * peer
    mean = sp.expand((exact + (every - 1) * peer) / every)
    steps = (
        Step(
            "With projections", "The graph's gradient, the peer's, and the peer's at w + e.", exact
        ),
        Step("One step in k", "The peer's gradient alone in the others.", mean),
        Step("Adam, SAM, FGSAM", "For comparison.", sp.Tuple(graph, 2 * graph, graph + peer)),
    )
    return Law(
        "The cost of a step of FGSAM+",
        sp.Eq(cost, mean),
        {
            cost: "cost of a step, on average",
            graph: "cost of a gradient of the graph network",
            peer: "cost of a gradient of the peer",
            every: "steps from one projection to the next",
        },
        "projections every k steps",
        steps,
        "derived here",
    )
