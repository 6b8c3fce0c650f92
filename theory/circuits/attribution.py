"""Which edges a loss needs: single ablation, edge attribution, Shapley values, ACDC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from typing import Any

from sympy import Expr, Piecewise, S, Symbol, expand, integrate

from .graphs import ALPHA, Edge, Residual

__all__ = [
    "ablation",
    "acdc",
    "attribution",
    "integrated",
    "shapley",
    "shapley_weight",
]

_SHARE = Symbol("t", positive=True)

Loss = Callable[[frozenset[Edge]], Any]
"""The loss, a number, where some edges are kept."""


def ablation(loss: Loss, edges: Sequence[Edge]) -> dict[Edge, Any]:
    """By how much the loss grows without one edge."""
    full = loss(frozenset(edges))
    return {edge: loss(frozenset(edges) - {edge}) - full for edge in edges}


def attribution(graph: Residual) -> dict[Edge, Expr]:
    """Edge attribution (EAP): `ablation` to first order in what an edge brings."""
    return graph.slopes(S.One)


def integrated(graph: Residual) -> dict[Edge, Expr]:
    """Edge attribution with integrated gradients (EAP-IG), where sympy can integrate."""
    return {
        edge: integrate(slope.rewrite(Piecewise), (ALPHA, 0, 1))
        for edge, slope in graph.slopes(ALPHA).items()
    }


def shapley(loss: Loss, edges: Sequence[Edge]) -> dict[Edge, Any]:
    """Mean growth of the loss as an edge leaves, over all orders of leaving: 2^n losses of n edges.

    Parameters
    ----------
    loss : callable
    edges : sequence of Edge
        The players; what else there is, the loss knows.
    """
    value = {
        frozenset(some): loss(frozenset(some))
        for size in range(len(edges) + 1)
        for some in combinations(edges, size)
    }
    weights = [shapley_weight(len(edges), size) for size in range(len(edges))]
    return {
        edge: sum(
            weights[len(some)] * (lost - value[some | {edge}])
            for some, lost in value.items()
            if edge not in some
        )
        for edge in edges
    }


@cache
def shapley_weight(n: Any, size: Any) -> Any:
    """Share of orders in which ``size`` of n players are there when another joins: `shapley_law`."""
    return integrate(expand(_SHARE**size * (1 - _SHARE) ** (n - size - 1)), (_SHARE, 0, 1))


def acdc(
    loss: Loss, visits: Sequence[Edge], tau: Any, *, absolute: bool = False
) -> frozenset[Edge]:
    """Edges that remain after visiting each once, and removing it where the loss hardly grows.

    Parameters
    ----------
    loss : callable
    visits : sequence of Edge
        In the order of the visits. The source's is from the output back.
    tau : number
        An edge goes where the loss without it is less than tau above the loss so far.
    absolute : bool
        Whether it has to be less than tau away from it, above or below.
    """
    kept = frozenset(visits)
    now = loss(kept)
    for edge in visits:
        then = loss(kept - {edge})
        if (abs(then - now) if absolute else then - now) < tau:
            kept, now = kept - {edge}, then
    return kept
