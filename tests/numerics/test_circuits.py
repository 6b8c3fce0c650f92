"""Scores in doubles against theory's exact ones and finite differences; circuits as graphs; edits."""

import json
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import minimize
from sympy import Rational, erf, log, sign, tanh
from sympy import exp as sexp

from numerics.circuits import (
    Comparison,
    Compiled,
    ablation,
    acdc,
    circuit,
    compare,
    eap,
    eap_ig,
    edit,
    read_graph,
    riemann,
    shapley,
    spill,
    top,
)
from numerics.errors import ResolutionError
from theory.circuits import LAWS, Residual, X, gate, integrated
from theory.circuits import ablation as exact_ablation
from theory.circuits import shapley as exact_shapley

NAMES = ("input", "b0", "b1", "b2", "b3", "output")


@pytest.fixture(scope="module")
def blocks():
    """Four tanh blocks and a logistic loss, weights drawn."""
    weights = [Rational(int(w), 8) for w in np.random.default_rng(3).integers(-16, 17, 8)]
    functions = {f"b{k}": weights[2 * k] * tanh(weights[2 * k + 1] * X + 1) for k in range(4)}
    functions["output"] = log(1 + sexp(-X))
    return Compiled(Residual(functions, list(combinations(NAMES, 2)), 2, Rational(-1, 2)))


@pytest.mark.parametrize("kind", ["or", "and", "add"])
def test_scores_of_gates_are_theory_s(kind):
    graph = gate(kind, 3)
    table = compare(Compiled(graph), tau=0.1)
    for column, exact in (
        ("ablation", exact_ablation(graph.of, graph.edges)),
        ("eap", graph.slopes(1)),
        ("shapley", exact_shapley(graph.of, graph.edges)),
    ):
        np.testing.assert_allclose(
            getattr(table, column), [float(x) for x in exact.values()], atol=1e-14
        )
    want = [float(x) for x in integrated(graph).values()]
    assert np.abs(np.array(table.eap_ig) - want).max() <= table.error <= 2e-10
    assert table.total == 1.0
    assert table.kept.count("yes") == (2 if kind == "or" else 6)


def test_eap_is_the_slope_of_the_patched_loss(blocks):
    h, ones = 1e-5, np.ones(len(blocks.edges))
    for k, score in enumerate(eap(blocks)):
        step = h * np.eye(len(ones))[k]
        slope = (blocks.loss(ones - step) - blocks.loss(ones + step)) / (2 * h)
        assert score == pytest.approx(slope, rel=1e-7, abs=1e-9)


def test_riemann_sums_and_their_errors(blocks):
    exact, _ = eap_ig(blocks)
    rise = blocks.slopes(1.0) - blocks.slopes(0.0)
    for points in (30, 100):
        right, error = riemann(blocks, points)
        np.testing.assert_allclose(right - exact, rise / (2 * points), atol=1.0 / points**2)
        assert np.abs(right - exact).max() <= error


def test_a_tolerance_that_is_not_met_is_no_result():
    kink = Compiled(
        Residual({"a": X, "output": abs(X - Rational(1, 3))}, [("input", "a"), ("a", "output")])
    )
    scores, error = eap_ig(kink, 1e-8)
    np.testing.assert_allclose(scores, 1 / 3 - 2 / 3, atol=error)
    with pytest.raises(ResolutionError, match="3 pieces leave an error"):
        eap_ig(kink, 1e-8, most=3)


def test_single_ablation_and_players(blocks):
    ones = np.ones(len(blocks.edges))
    want = [blocks.loss(ones - row) - blocks.loss(ones) for row in np.eye(len(ones))]
    np.testing.assert_allclose(ablation(blocks), want, atol=1e-15)
    players = blocks.edges[-5:]
    values = shapley(blocks, players)
    gone = ones - np.array([edge in players for edge in blocks.edges])
    assert values.sum() == pytest.approx(blocks.loss(gone) - blocks.loss(ones), abs=1e-14)
    with pytest.raises(ValueError, match="n at most 12; got 15 edges"):
        shapley(blocks)
    with pytest.raises(ValueError, match="output -> b0 is no edge"):
        ablation(blocks, [("output", "b0")])


def test_acdc_visits_in_order_and_knows_signs(blocks):
    ones = np.ones(len(blocks.edges))
    kept, now = ones.copy(), blocks.loss(ones)
    for k in reversed(range(len(ones))):
        then = blocks.loss(kept - np.eye(len(ones))[k])
        if then - now < 0.02:
            kept[k], now = 0.0, then
    assert (acdc(blocks, 0.02) == kept).all()
    absolute = acdc(blocks, 0.02, absolute=True)
    assert abs(blocks.loss(absolute) - blocks.loss(ones)) <= 0.02 * (1 - absolute).sum()
    few = acdc(blocks, 10.0, blocks.edges[:2])
    assert few.sum() == len(ones) - 2
    forward = compare(Compiled(gate("or")), visits="forward").kept
    assert forward.index("yes") != compare(Compiled(gate("or"))).kept.index("yes")


def test_the_largest_scores():
    assert top([0.1, -3.0, 2.0, 2.0], 2).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="from 0 to 4 edges, got 5"):
        top(np.ones(4), 5)


def test_circuits_are_graphs():
    slots = circuit(
        [("input", "a0.1:q"), ("input", "a0.1:v"), ("a0.1", "output")], (1.0, -2.0, 3.0)
    )
    assert slots.number_of_edges("input", "a0.1") == 2
    assert slots["input"]["a0.1"]["v"]["score"] == -2.0
    with pytest.raises(ValueError, match=r"no cycles; this one has a -> b -> a"):
        circuit([("a", "b"), ("b", "a")])


def test_a_comparison_is_a_result(blocks):
    table = compare(blocks)
    assert Comparison.from_dict(json.loads(table.to_json())) == table
    assert table.shapley == (None,) * len(blocks.edges)
    axes = table.plot().axes[0]
    assert len(axes.patches) == len(blocks.edges)
    assert {text.get_text() for text in axes.texts} == set(NAMES)


def test_edits_are_the_cheapest_that_fit():
    rng = np.random.default_rng(1)
    matrix, keys, key, value = (rng.normal(size=n) for n in ((1, 3), (9, 3), 3, 1))
    moments = keys.T @ keys
    change = edit(matrix, moments, key, value)
    np.testing.assert_allclose((matrix + change) @ key, value, atol=1e-13)
    best = minimize(
        lambda d: d @ moments @ d, np.zeros(3), tol=1e-14, method="SLSQP",
        constraints={"type": "eq", "fun": lambda d: (matrix[0] + d) @ key - value[0]},
    )  # fmt: skip
    np.testing.assert_allclose(change[0], best.x, atol=1e-5)
    for other in keys:
        share = spill(moments, key, other)
        np.testing.assert_allclose(change @ other, share * (value - matrix @ key), atol=1e-13)
    assert spill(moments, key, key) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="singular"):
        edit(matrix, np.ones((3, 3)), key, value)
    with pytest.raises(ValueError, match=r"got \(1, 3\), \(3, 3\), \(2,\), \(1,\)"):
        edit(matrix, moments, key[:2], value)
    assert LAWS["edit"]().steps


def test_graphs_are_read_from_files(tmp_path):
    path = tmp_path / "graph.json"
    content = {"nodes": {"a": "x", "b": "x", "output": "max(0, 1-x)"}, "corrupt": 0}
    content["edges"] = [["input", "a"], ["input", "b"], ["a", "output"], ["b", "output"]]
    path.write_text(json.dumps(content))
    scores, _ = eap_ig(Compiled(read_graph(path)))
    np.testing.assert_allclose(scores, 0.5)
    for change, words in (
        ({"edges": [["a", "b"], ["b", "a"]]}, "no cycles"),
        ({"nodes": {"output": "open(x)"}}, "the function of output: .* unknown name 'open'"),
        ({"nodes": {"output": "y"}}, "the function of output: .* unknown name 'y'; known are x"),
        ({"nodes": ["a"]}, "is no graph"),
        ({"edges": [["a"]]}, "is no graph"),
        ({"clean": "inf"}, "is no graph"),
        ({"nodes": {f"n{k}": "x" for k in range(61)}}, "at most 60 nodes"),
    ):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(ValueError, match=words):
            read_graph(path)
    with pytest.raises(ValueError, match="cannot read"):
        read_graph(tmp_path / "none.json")


@pytest.mark.parametrize("function", [log(X), 1 / X])
def test_what_is_not_finite_is_refused(function):
    one = Compiled(Residual({"output": function}, [("input", "output")]))
    with pytest.raises(ValueError, match="not finite"):
        one.loss(np.zeros(1))


def test_functions_that_jump_are_refused_and_erf_is_known():
    edges = [("input", "a"), ("a", "output")]
    with pytest.raises(ValueError, match=r"the function of a jumps: sign\(x\) has no slope"):
        Compiled(Residual({"a": sign(X), "output": X}, edges))
    scores, _ = eap_ig(Compiled(Residual({"a": erf(X), "output": X}, edges)))
    np.testing.assert_allclose(scores, -float(erf(1)), atol=1e-10)
