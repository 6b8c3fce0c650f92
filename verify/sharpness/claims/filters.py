"""Claims about filtered features on the contextual stochastic block model."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.sharpness import accuracy_of_one_layer, filter_sign, filtered_accuracy
from verify.sharpness.graphs import block_model, neighbour_mean
from verify.statistics.tests import CountTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

SOURCE = "page on FGSAM (NeurIPS 2024) of this project's sources; derived in theory.sharpness"
P, Q, NODES, DRAWS = 0.15, 0.05, 600, 40_000
_EXACT, _PLAIN = 0.961548369651841, 0.9735962442919431
_TEST = CountTest(_EXACT, DRAWS, _PLAIN)


def _plain(*arguments: float, **keywords: Any) -> float:
    return filtered_accuracy(*arguments, **{**keywords, "composition": False})  # pyright: ignore[reportArgumentType]


NO_COMPOSITION = replaced(
    "sharpness-no-composition",
    "The only spread of a neighbours' mean is that of its noise; neighbourhoods all have the same classes.",
    {filtered_accuracy: _plain, accuracy_of_one_layer: lambda *a, **k: (_plain(*a, **k), 0.0)},
)
PEER_SUFFICES = replaced(
    "sharpness-peer-suffices",
    "What classifies raw features classifies filtered ones: it is enough to train the peer.",
    {filter_sign: lambda p, q, layers=1: 1},
)


def _drawn(run: Run, p: float, q: float, nodes: int, layers: int, graphs: int) -> Any:
    """Shares of the nodes that the raw rule gets right, after 1, 2, .. layers, a row for each graph."""
    rows = []
    for number in range(graphs):
        rng = run.stream(number)
        graph = block_model(rng, nodes, p, q, 1.0)
        some = graph.adjacency.any(axis=1)
        mean = neighbour_mean(graph.adjacency[np.ix_(some, some)])
        y = 1.0 - 2.0 * graph.labels[some, None]
        x = 0.5 * y + rng.standard_normal(
            (len(y), 20)
        )  # the same graph with 20 draws of its features
        row = []
        for _ in range(layers):
            x = mean @ x
            row.append(float((x * y > 0.0).mean()))
        rows.append(row)
    return np.array(rows)


@claim(
    "sharpness-filtered-accuracy",
    "At N = 3000, p = 0.03, q = 0.01 and distance 1 in standard deviations the raw rule classifies 0.962 of "
    "the nodes after one layer: the spread of a neighbours' mean is that of noise and of its composition.",
    source=SOURCE,
    printed="0.962",
    tags=("sharpness",),
    wrong=(NO_COMPOSITION,),
    designs=(
        _TEST.design(
            "the raw rule has the derived chance at a node of a graph with N = 600, p = 0.15, q = 0.05",
            "noise alone spreads a neighbours' mean",
        ),
    ),
)
def filtered_features(run: Run) -> Finding:
    """Draw the neighbourhood of one node in each of many graphs."""
    law = run.theory.of(filtered_accuracy)(0.03, 0.01, 3000, 1.0)
    exact, error = run.theory.of(accuracy_of_one_layer)(P, Q, NODES, 1.0)
    rng, right, asked = run.stream(), 0, 0
    y = np.where(np.arange(NODES - 1) < NODES // 2 - 1, 1.0, -1.0)
    while asked < DRAWS:  # nodes without neighbours, one in 10^30, would be drawn again
        edges = rng.random((1000, NODES - 1)) < np.where(y > 0.0, P, Q)
        x = 0.5 * y + rng.standard_normal(edges.shape)
        right += int(((edges * x).sum(axis=1) > 0.0).sum())
        asked += len(edges)
    test = CountTest(exact, DRAWS, _PLAIN)
    good = test.accepts(right) and abs(exact - _EXACT) <= error + 1e-12 and round(law, 3) == 0.962
    evidence = {"law": law, "exact": exact, "drawn": right / DRAWS, "p-value": test.p_value(right)}
    reason = (
        f"The law gives {law:.4f} at N = 3000. Of {DRAWS} nodes {right / DRAWS:.4f} are classified right; "
        f"exactly {exact:.4f} are expected."
    )
    return Finding("confirmed" if good else "refuted", reason, law, evidence)


_GRAPHS, _SIZE, _ALLOWED = 12, 1000, 0.012


@claim(
    "sharpness-two-layers",
    "The normal law over the ends of walks gives the accuracy after two layers to 0.012 at mean degree 20.",
    source="derived in theory.sharpness.filters",
    tags=("sharpness",),
    wrong=(NO_COMPOSITION,),
    cost=1.5,
)
def two_layers(run: Run) -> Finding:
    """Filter features of drawn graphs twice."""
    law = run.theory.of(filtered_accuracy)(0.03, 0.01, _SIZE, 1.0, layers=2)
    shares = _drawn(run, 0.03, 0.01, _SIZE, 2, _GRAPHS)[:, 1]
    mean, spread = float(shares.mean()), float(shares.std(ddof=1)) / _GRAPHS**0.5
    good = abs(mean - law) <= _ALLOWED
    reason = (
        f"{_GRAPHS} graphs: {mean:.4f} with a standard error of {spread:.4f}; the law: {law:.4f}."
    )
    evidence = {"law": law, "mean": mean, "standard error": spread, "allowed": _ALLOWED}
    return Finding("confirmed" if good else "refuted", reason, law, evidence)


@claim(
    "sharpness-sign",
    "For p < q the raw rule fails on neighbours' means, whose classes are reversed, and holds again after "
    "two layers: training the peer alone does not suffice.",
    source=SOURCE + "; the even layers derived here",
    tags=("sharpness",),
    wrong=(PEER_SUFFICES,),
)
def sign_of_layers(run: Run) -> Finding:
    """Look at both orders of p and q, after 1, 2 and 3 layers."""
    sign, good, shares = run.theory.of(filter_sign), True, {}
    for p, q in ((0.03, 0.01), (0.01, 0.03)):
        mean = _drawn(run, p, q, _SIZE, 3, 3).mean(axis=0)
        shares[f"p = {p}, q = {q}"] = mean.tolist()
        good &= all((s > 0.5) == (sign(p, q, k) > 0) for k, s in enumerate(mean, 1))
    reason = "; ".join(f"{k}: {', '.join(f'{x:.3f}' for x in v)}" for k, v in shares.items())
    reason = f"Shares that the raw rule gets right after 1, 2 and 3 layers: {reason}."
    return Finding("confirmed" if good else "refuted", reason, None, shares)
