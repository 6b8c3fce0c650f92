"""Attribution on graphs that can be enumerated; edges counted; edits against a solver."""

from itertools import combinations, permutations
from math import factorial

import pytest
from sympy import Function, Matrix, Rational, cos, exp, integrate, simplify, symbols, tanh

from theory.circuits import (
    ALPHA,
    LAWS,
    Residual,
    X,
    ablation,
    acdc,
    attribution,
    edge_count,
    gate,
    integrated,
    shapley,
    shapley_weight,
)


def test_edges_are_as_many_as_published():
    """The claim circuits-edges compares with edges that are listed one by one."""
    counts = [edge_count(*size) for size in ((12, 12), (24, 16), (32, 32))]
    assert counts == [32491, 231877, 1592881]


# one loss for the whole, then single ablation, EAP, EAP-IG, Shapley; how many edges ACDC keeps
TABLE = {"or": (0, 0, 1, 1), "and": (1, 1, 1, 1), "add": (None, None, 1, 1)}


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("copies", [2, 3, 4])
def test_gates_of_any_number_of_copies(kind, copies):
    """The table for two copies, and that a share is 1/copies for more."""
    one = gate(kind, copies)
    out = [e for e in one.edges if e[1] == "output"]
    into = frozenset(one.edges) - set(out)
    share = Rational(1, copies)

    def loss(kept):
        return one.of(kept | into)

    assert loss(frozenset()) - loss(frozenset(out)) == 1
    single, first, path, fair = (
        share if x is None else x * (share if k > 1 else 1) for k, x in enumerate(TABLE[kind])
    )
    assert set(ablation(loss, out).values()) == {single}
    assert {attribution(one)[e] for e in out} == {first}
    assert {integrated(one)[e] for e in out} == {path}
    assert set(shapley(loss, out).values()) == {fair}
    for visits in permutations(out):
        kept = acdc(loss, visits, share / 2)
        assert kept == (frozenset(visits[-1:]) if kind == "or" else frozenset(out))


def test_the_law_of_gates_is_the_published_table():
    half = Rational(1, 2)
    want = [[1, 0, 0, half, half, 1], [1, 1, 1, half, half, 2], [1, half, half, half, half, 2]]
    assert Matrix(LAWS["gates"]().value) == Matrix(want)


BLOCKS = Residual(
    {"a": X**2, "b": X / 3 + X**3 / 4, "output": (X - 2) ** 2},
    list(combinations(("input", "a", "b", "output"), 2)),
    Rational(3, 2),
    Rational(1, 4),
)


def test_slopes_are_derivatives_of_patched_losses():
    """Edge by edge, of the loss where an edge is replaced by a small part."""
    t = symbols("t", real=True)
    kept = dict.fromkeys(BLOCKS.edges, 1)
    for edge, score in attribution(BLOCKS).items():
        assert simplify(BLOCKS.loss({**kept, edge: 1 - t}).diff(t).subs(t, 0) - score) == 0


def test_integrated_gradients_are_complete_at_the_input_and_only_there():
    total = BLOCKS.of(()) - BLOCKS.of(BLOCKS.edges)
    scores = integrated(BLOCKS)
    assert sum(x for (u, _), x in scores.items() if u == "input") == total
    assert sum(x for (_, v), x in scores.items() if v == "output") != total
    linear = Residual({**BLOCKS.functions, "output": 3 * X}, BLOCKS.edges, BLOCKS.clean)
    total = linear.of(()) - linear.of(linear.edges)
    assert sum(x for (_, v), x in integrated(linear).items() if v == "output") == total
    assert sum(x for (u, _), x in integrated(linear).items() if u == "input") == total


@pytest.mark.parametrize(("p", "q"), [(2, 2), (3, 1), (1, 4), (2, 3)])
def test_the_output_s_share(p, q):
    one = Residual({"a": X**q, "output": X**p}, [("input", "a"), ("a", "output")])
    law = LAWS["output"]().at(p=p, q=q)
    assert integrated(one)["a", "output"] == -law.rhs
    assert (law.rhs == 1) == (1 in (p, q))


def test_the_error_of_attribution_is_bounded():
    """A node before a cosine: |L''| <= 1."""
    for step in (Rational(1), Rational(1, 3), Rational(1, 10)):
        one = Residual({"a": X, "output": cos(X)}, [("input", "a"), ("a", "output")], step)
        off = ablation(one.of, one.edges)["a", "output"] - attribution(one)["a", "output"]
        assert 0 < abs(off.evalf()) <= LAWS["patching"]().at(M=1, d=step).rhs


def test_shapley_values_are_means_over_orders():
    edges = BLOCKS.edges[:4]
    rest = frozenset(BLOCKS.edges[4:])

    def loss(kept):
        return BLOCKS.of(kept | rest)

    found = shapley(loss, edges)
    for edge in edges:
        grown = [
            loss(frozenset(order[: order.index(edge)]))
            - loss(frozenset(order[: order.index(edge) + 1]))
            for order in permutations(edges)
        ]
        assert found[edge] == sum(grown) / factorial(len(edges))
    assert sum(found.values()) == loss(frozenset()) - loss(frozenset(edges))
    law = LAWS["shapley"]()
    for size in range(5):
        counted = Rational(factorial(size) * factorial(4 - size), factorial(5))
        assert law.at(n=5, s=size).rhs == shapley_weight(5, size) == counted


def test_acdc_s_loss_keeps_to_its_bound():
    for tau in (Rational(1, 50), Rational(1, 2), 2):
        for absolute in (False, True):
            kept = acdc(BLOCKS.of, BLOCKS.edges[::-1], tau, absolute=absolute)
            off = BLOCKS.of(kept) - BLOCKS.of(BLOCKS.edges)
            bound = LAWS["acdc"]().at(r=len(BLOCKS.edges) - len(kept), tau=tau).rhs
            assert (abs(off) if absolute else off) <= bound


def test_a_signed_threshold_beats_the_network():
    better, worse = (eq.rhs for eq in LAWS["acdc"]().steps[-1].expression[::-1])
    assert (better, worse) == (0, Rational(1, 2))


def test_riemann_sums_err_as_derived():
    f, law = exp(-2 * ALPHA) + ALPHA**2, LAWS["quadrature"]()
    exact = integrate(f, (ALPHA, 0, 1))
    ends = law.value.subs(Function("f")(1), f.subs(ALPHA, 1)).subs(
        Function("f")(0), f.subs(ALPHA, 0)
    )
    for points in (200, 400):
        grown = sum(f.subs(ALPHA, j / points).evalf() for j in range(1, points + 1)) / points
        predicted = ends.subs(symbols("K", positive=True), points)
        # the next term is (f'(1) - f'(0))/12 = 0.311 over the square of the points
        assert abs((grown - exact - predicted).evalf() * points**2 - 0.3107) < 0.001


@pytest.mark.parametrize(
    ("functions", "edges", "words"),
    [
        ({"a": X, "b": X, "output": X}, [("a", "b"), ("b", "a")], "no cycles; this one has "),
        ({"a": X, "output": X}, [("a", "a")], "no cycles"),
        (
            {"a b": X, "output": X},
            [("a b", "output")],
            "are letters, digits, _ and dots, got 'a b'",
        ),
        ({"output": X}, [], "at least one edge"),
        ({"a": X}, [], "functions of its nodes and of 'output'"),
        ({"input": X, "output": X}, [], "none of 'input'"),
        ({"output": X}, [("b", "output")], "b -> output does not go from"),
        ({"output": X}, [("output", "output")], "does not go from"),
        ({"output": X}, [("input", "output")] * 2, "appears once, got 1"),
        ({"output": tanh(ALPHA)}, [("input", "output")], "is one of x, got alpha"),
    ],
)
def test_what_is_no_residual_graph_is_refused(functions, edges, words):
    with pytest.raises(ValueError, match=words):
        Residual(functions, edges)


def test_unknown_gates_are_refused():
    with pytest.raises(
        ValueError, match="one of or, and, add with at least 1 copy, got 'xor' with 2"
    ):
        gate("xor")
    with pytest.raises(ValueError, match="got 'or' with 0"):
        gate("or", 0)
