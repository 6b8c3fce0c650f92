"""Laws of circuits, and the formulas that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    ImmutableMatrix,
    Integral,
    Le,
    MatrixSymbol,
    Rational,
    S,
    Symbol,
    binomial,
    cancel,
    diff,
    exp,
    factor,
    integrate,
    linsolve,
    series,
    simplify,
    summation,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

from .attribution import ablation, acdc, attribution, integrated, shapley, shapley_weight
from .graphs import ALPHA, SINK, SOURCE, Edge, Residual, X, gate

__all__ = ["LAWS", "edge_count", "edit_spill", "rank_one_edit"]

_L, _H = symbols("L H", integer=True, positive=True)
_TAU, _T = symbols("tau t", positive=True)
_ROWS, _COLUMNS = symbols("m n", integer=True, positive=True)
_W, _C = MatrixSymbol("W", _ROWS, _COLUMNS), MatrixSymbol("C", _COLUMNS, _COLUMNS)
_KEY, _OTHER = MatrixSymbol("k", _COLUMNS, 1), MatrixSymbol("q", _COLUMNS, 1)
_VALUE = MatrixSymbol("v", _ROWS, 1)


def edge_count(layers: Any, heads: Any) -> Expr:
    """Edges of a transformer: `edges_law`."""
    return _count().subs({_L: layers, _H: heads}, simultaneous=True)


@cache
def _count() -> Expr:
    layer = Symbol("l", integer=True, nonnegative=True)
    return cancel(summation(_layer_edges(layer), (layer, 0, _L - 1)) + _senders(_L))


def _senders(layer: Any) -> Expr:
    """Nodes before a layer: the embedding, and heads and MLPs of those below."""
    return 1 + layer * (_H + 1)


def _layer_edges(layer: Any) -> Expr:
    return 3 * _H * _senders(layer) + _senders(layer) + _H


def rank_one_edit() -> Expr:
    """The change of a weight matrix in `edit_law`, of matrix symbols W, C, k and v."""
    return (_VALUE - _W * _KEY) * (_KEY.T * _C.I * _KEY).I * _KEY.T * _C.I


def edit_spill() -> Expr:
    """Share of an edit's change that another key q sees, of matrix symbols C, k and q."""
    return (_KEY.T * _C.I * _KEY).I * (_KEY.T * _C.I * _OTHER)


def _law(title: str, statement: Any, meaning: dict[Any, str], holds: str, *steps: Step) -> Law:
    return Law(title, statement, meaning, holds, steps, "derived here")


@cache
def edges_law() -> Law:
    """How many edges there are."""
    e, layer = Symbol("E"), Symbol("l", integer=True, nonnegative=True)
    return _law(
        "Edges of a transformer",
        Eq(e, _count()),
        {e: "edges", _L: "layers", _H: "heads of a layer"},
        "heads have three inputs q, k and v each; an MLP follows the heads of its layer",
        Step("Senders", "Before layer l: the embedding, heads and MLPs.", _senders(layer)),
        Step(
            "Edges into a layer",
            "Each of 3 H inputs of heads hears them all; the MLP hears the layer's heads as well.",
            _layer_edges(layer),
        ),
        Step("All layers, and the output", "It hears all nodes.", Eq(e, _count())),
        Step("GPT-2 small", "12 layers of 12 heads.", Eq(e, edge_count(12, 12))),
    )


@cache
def patching_law() -> Law:
    """The first order of an ablation, and what is left."""
    f, r, m, d = Function("f"), *symbols("r M d", positive=True)
    t = Symbol("t", real=True)
    inner = (1 - t) * diff(f(t), t) + f(t)
    bound = integrate((1 - t) * m * d**2, (t, 0, 1))
    return _law(
        "Error of edge attribution (EAP)",
        Le(r, bound),
        {
            r: "distance between an edge's ablation and its attribution",
            d: "length of z'_u - z_u",
            m: "largest second derivative of the loss in v's input between the two, in size",
        },
        "the loss is twice differentiable between the two inputs of v; a kink is not",
        Step("On the way", "f(t) is the loss where the edge brings z_u + t (z'_u - z_u).", f(t)),
        Step(
            "Remainder",
            "The integral of this over t from 0 to 1 is f(1) - f(0) - f'(0): ablation less attribution.",
            Eq(Derivative(inner, t), simplify(diff(inner, t))),
        ),
        Step("Bound", "|f''| is at most M d^2.", Le(r, bound)),
        Step("Exact", "Where f is linear: edges to the output, if the loss is.", bound.subs(m, 0)),
    )


@cache
def completeness_law() -> Law:
    """What integrated gradients add up to at the input."""
    total, slope, loss = Symbol("Delta", real=True), Function("s"), Function("f")
    children = symbols("x_1 x_2", real=True)
    z, other = symbols("z z'", real=True)
    f = Function("L")(*children)
    place = other + ALPHA * (z - other)
    moved = {child: place for child in children}
    parts = [(other - z) * diff(f, child) for child in children]
    whole = diff(f.subs(moved, simultaneous=True), ALPHA).doit()
    summed = sum((p.subs(moved, simultaneous=True) for p in parts), S.Zero)
    assert simplify((whole + summed).doit()) == 0
    return _law(
        "Completeness of EAP-IG at the input",
        Eq(total, Integral(slope(ALPHA), (ALPHA, 0, 1))),
        {
            total: "loss of the corrupt input less that of the clean one",
            ALPHA: "place on the way",
        },
        "s is the sum over the edges out of the input, the loss absolutely continuous along the way",
        Step("Edges out of the input", "Here two children; each hears the same.", tuple(parts)),
        Step("Along the way", "All of them move together.", place),
        Step(
            "Chain rule",
            "The derivative along it is minus the sum of those.",
            Eq(diff(loss(ALPHA), ALPHA), -slope(ALPHA)),
        ),
        Step(
            "Integrate",
            "From 0 to 1.",
            Eq(loss(0) - loss(1), Integral(slope(ALPHA), (ALPHA, 0, 1))),
        ),
    )


@cache
def output_law() -> Law:
    """What they add up to elsewhere."""
    p, q, share, a = symbols("p q c alpha", positive=True)
    above = Symbol("above", nonnegative=True)  # p - 1, of which sympy knows the sign
    slope = p * (a**q) ** (p - 1)
    value = simplify(integrate(slope.subs(p, 1 + above), (a, 0, 1)).subs(above, p - 1))
    return _law(
        "EAP-IG at the output is not complete",
        Eq(share, value),
        {
            share: "score of the edge into the output, relative to the whole loss",
            p: "the loss is x^p, p >= 1",
            q: "the node before makes x^q of the input",
        },
        "one node between input and output, clean input 1, corrupt input 0",
        Step("The edge's slope", "All of the loss passes through it: z - z' = 1.", slope),
        Step("Integrate", "Over the way of the input, not of the edge.", Eq(share, value)),
        Step("Linear loss", "Complete, whatever is before it.", Eq(share, value.subs(p, 1))),
        Step(
            "Linear node",
            "Complete too: the edge's way is straight.",
            Eq(share, simplify(value.subs(q, 1))),
        ),
        Step("Neither", "Squares of squares keep this.", Eq(share, value.subs({p: 2, q: 2}))),
    )


def _gate_row(kind: str) -> tuple[Any, ...]:
    one = gate(kind)
    out = [edge for edge in one.edges if edge[1] == SINK]
    into = frozenset(one.edges) - set(out)

    def loss(kept: frozenset[Edge]) -> Expr:
        return one.of(kept | into)

    scores = (ablation(loss, out), attribution(one), integrated(one), shapley(loss, out))
    kept = acdc(loss, out[::-1], Rational(1, 4))
    return (loss(frozenset()) - loss(frozenset(out)), *(s[out[0]] for s in scores), len(kept))


@cache
def gates_law() -> Law:
    """What the methods make of redundancy."""
    kinds = ("or", "and", "add")
    table = MatrixSymbol("T", len(kinds), 6)
    rows = [_gate_row(kind) for kind in kinds]
    heads = "the whole loss, single ablation, EAP, EAP-IG, Shapley value, edges that ACDC keeps"
    return _law(
        "Two copies of a head: OR, AND and ADD gates",
        Eq(table, ImmutableMatrix(rows)),
        {table: f"a row for each gate; {heads}"},
        "scores are those of either copy; ACDC with tau < 1/2 keeps the copy of an OR that it visits last",
        *(
            Step(
                f"{kind.upper()}",
                f"With this loss of the copies' sum: {heads}.",
                (gate(kind).functions[SINK], *row),
            )
            for kind, row in zip(kinds, rows, strict=True)
        ),
    )


@cache
def shapley_law() -> Law:
    """Shapley values as an integral."""
    n, s = symbols("n s", integer=True, nonnegative=True)
    w = Symbol("w", positive=True)
    count = 1 / (n * binomial(n - 1, s))
    body = _T**s * (1 - _T) ** (n - s - 1)
    checked = [(size, shapley_weight(4, size)) for size in range(4)]
    return _law(
        "Weights of Shapley values",
        Eq(w, Integral(body, (_T, 0, 1))),
        {w: "weight of a set of s edges without a certain one", n: "edges", s: "edges of the set"},
        "every order of the n edges is as likely",
        Step("Counting", "The set is what comes before, in one of n places.", Eq(w, count)),
        Step(
            "Owen's integral", "Keep each edge with probability t: the set, and its chance.", body
        ),
        Step("Four edges", "Set by size, and the integral: 1/4, 1/12, 1/12, 1/4.", tuple(checked)),
    )


@cache
def acdc_law() -> Law:
    """What a threshold guarantees, and what it does not."""
    removed = Symbol("r", integer=True, positive=True)
    after, before = symbols("L_C L_G", real=True)
    rivals = Residual(
        {"fact": X, "rival": -X / 2, SINK: 1 - X},
        [(SOURCE, "fact"), ("fact", SINK), (SOURCE, "rival"), ("rival", SINK)],
    )
    kept = acdc(rivals.of, rivals.edges[::-1], Rational(1, 100))
    bound = summation(_TAU, (Symbol("i", integer=True), 1, removed))
    return _law(
        "Loss of ACDC's circuit",
        Le(after - before, bound),
        {
            after: "loss of the circuit",
            before: "loss of the network",
            removed: "edges removed",
            _TAU: "threshold",
        },
        "signed threshold; with the absolute one the size of the difference has the same bound",
        Step("Each removal", "Adds less than tau.", _TAU),
        Step("All of them", "Changes add up along the visits.", bound),
        Step(
            "No bound from below",
            "A head that works against the fact goes, as its removal lowers the loss: a node of x beside one "
            "of -x/2 with the loss 1 - x, which in the network and in the circuit is",
            (Eq(before, rivals.of(rivals.edges)), Eq(after, rivals.of(kept))),
        ),
    )


@cache
def quadrature_law() -> Law:
    """Errors of Riemann sums."""
    f, rate, points = Function("f"), Symbol("c", real=True), Symbol("K", positive=True)
    step, error = Symbol("h", positive=True), Symbol("e")
    grown = step * (exp(rate) - 1) / (exp(rate * step) - 1)
    exact = (exp(rate) - 1) / rate
    right = series(exp(rate * step) * grown - exact, step, 0, 2).removeO()
    share = simplify(right / (exp(rate) - 1))  # of the integrand's rise, the same for all rates
    assert share.free_symbols == {step}
    return _law(
        "Error of a right Riemann sum",
        Eq(error, share.subs(step, 1 / points) * (f(1) - f(0))),
        {
            error: "sum less integral from 0 to 1, to leading order",
            f: "integrand",
            points: "points",
        },
        "the integrand is smooth; the points are j/K, j = 1 .. K, as in the released code of EAP-IG",
        Step(
            "Exponentials",
            "Sums of exp(c a), of which other integrands are made, are geometric; h = 1/K.",
            exp(rate * step) * grown,
        ),
        Step("Right sum", "Less the integral: half of f(1) - f(0), times h.", factor(right)),
    )


@cache
def edit_law() -> Law:
    """A fact put into a weight matrix."""
    change, multiplier = MatrixSymbol("Delta", _ROWS, _COLUMNS), Symbol("lambda", real=True)
    rest = Symbol("r", real=True)
    a, b, c = symbols("C_11 C_12 C_22", real=True)
    key, row = ImmutableMatrix(symbols("k_1 k_2")), ImmutableMatrix([symbols("d_1 d_2")])
    matrix = ImmutableMatrix([[a, b], [b, c]])
    cost = (row * matrix * row.T)[0] - multiplier * ((row * key)[0] - rest)
    unknown = (*row, multiplier)
    (solved,) = linsolve([diff(cost, x) for x in unknown], *unknown)
    found = ImmutableMatrix([solved[:2]]).applyfunc(factor)
    least = rest / (key.T * matrix.inv() * key)[0]
    assert (found - least * key.T * matrix.inv()).applyfunc(simplify).is_zero_matrix
    return _law(
        "Rank-one edit of a linear memory (ROME)",
        Eq(change, rank_one_edit()),
        {
            change: "the change of W that makes it answer v to k, and is the least: the trace of "
            "Delta C Delta^T is the smallest",
            _W: "the weight matrix, of m rows and n columns",
            _C: "second moments of the keys that are to keep their answers; symmetric and positive",
            _KEY: "key of the new fact",
            _VALUE: "its value",
            _ROWS: "outputs",
            _COLUMNS: "inputs",
        },
        "W acts on keys and nothing follows that the constraint does not see",
        Step("Rows", "Each has a cost and a constraint of its own; with two inputs:", cost),
        Step("Stationary points", "Linear equations, of one solution.", found),
        Step("Closed form", "It is this, for any number of inputs.", rank_one_edit()),
        Step("Another key", "Its answer changes by this share of v - W k.", edit_spill()),
    )


LAWS: dict[str, Callable[[], Law]] = {
    "edges": edges_law,
    "patching": patching_law,
    "completeness": completeness_law,
    "output": output_law,
    "gates": gates_law,
    "shapley": shapley_law,
    "acdc": acdc_law,
    "quadrature": quadrature_law,
    "edit": edit_law,
}
"""The laws by name."""
