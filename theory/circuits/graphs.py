"""Residual graphs of scalar functions, and the smallest ones with redundancy."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sympy import Expr, Lambda, Max, S, Symbol, diff, sympify

__all__ = ["ALPHA", "SINK", "SOURCE", "Edge", "Residual", "X", "gate"]

Edge = tuple[str, str]
"""Sender and receiver; an input of an attention head is written ``head:q``, ``head:k`` or ``head:v``."""

SOURCE, SINK = "input", "output"
"""Names of a graph's first and last node."""

X = Symbol("x", real=True)
"""What enters a node."""
ALPHA = Symbol("alpha", real=True)
"""Place on the way from the corrupt input, 0, to the clean one, 1."""

Functions = Mapping[str, Callable[[Any], Any]]


@dataclass(frozen=True)
class Residual:
    """A residual graph of scalar functions.

    Attributes
    ----------
    functions : mapping of str to sympy.Expr
        What each node makes of its input `X`; the loss is that of the node ``output``.
    edges : tuple of Edge
        Sorted by receivers, from the input on, then by senders.
    clean, corrupt : sympy.Expr
        Values of the node ``input``.
    order : tuple of str
        The nodes, each after those that send to it.

    Raises
    ------
    ValueError
        For names other than letters, digits, _ and dots, and edges that make a cycle, appear twice, or have
        an end that is no node.

    Examples
    --------
    >>> one = Residual({"a": X, "output": X**2}, [("input", "a"), ("a", "output")])
    >>> one.of(one.edges), one.of([])
    (1, 0)
    """

    functions: Mapping[str, Expr]
    edges: Sequence[Edge]
    clean: Any = S.One
    corrupt: Any = S.Zero
    order: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Look for cycles, and sort the edges."""
        names = {SOURCE, *self.functions}
        if SINK not in names or SOURCE in self.functions:
            raise ValueError(
                f"a graph has functions of its nodes and of {SINK!r}, none of {SOURCE!r}"
            )
        for name in names:
            if not re.fullmatch(r"[\w.]+", name):
                raise ValueError(f"names of nodes are letters, digits, _ and dots, got {name!r}")
        edges = [(str(u), str(v)) for u, v in self.edges]
        if not edges:
            raise ValueError("a graph has at least one edge")
        for u, v in edges:
            if {u, v} - names or v == SOURCE or u == SINK:
                raise ValueError(f"the edge {u} -> {v} does not go from a node of the graph to one")
        if len(set(edges)) < len(edges):
            raise ValueError(
                f"an edge appears once, got {len(edges) - len(set(edges))} repetitions"
            )
        for name, function in self.functions.items():
            if unknown := sympify(function).free_symbols - {X}:
                raise ValueError(f"the function of {name} is one of x, got {unknown.pop()}")
        before: dict[str, list[str]] = {SOURCE: []}
        for name in self.functions:
            before[name] = [SOURCE, *(u for u, v in edges if v == name)]
        try:
            order = tuple(TopologicalSorter(before).static_order())
        except CycleError as error:
            shown = " -> ".join(error.args[1])
            raise ValueError(f"a residual graph has no cycles; this one has {shown}") from None
        place = {name: k for k, name in enumerate(order)}
        edges.sort(key=lambda e: (place[e[1]], place[e[0]]))
        for name, value in (("edges", tuple(edges)), ("order", order)):
            object.__setattr__(self, name, value)

    def _run(
        self, value: Any, sent: Callable[[Edge, Any], Any], functions: Functions
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs and outputs of all nodes; ``sent`` says what of a sender's output an edge brings."""
        into, x, z = self._into(), {}, {SOURCE: value}
        for name in self.order[1:]:
            x[name] = sum(sent(edge, z[edge[0]]) for edge in into[name])
            z[name] = functions[name](x[name])
        return x, z

    def _into(self) -> dict[str, list[Edge]]:
        into: dict[str, list[Edge]] = {name: [] for name in self.order}
        for edge in self.edges:
            into[edge[1]].append(edge)
        return into

    def loss(self, keep: Mapping[Edge, Any], functions: Functions | None = None) -> Any:
        """The loss where an edge brings keep z + (1 - keep) z'.

        Parameters
        ----------
        keep : mapping of Edge to number
        functions : mapping of str to callable, optional
            The nodes' functions, compiled; by default they are evaluated by sympy.
        """
        made = functions or self.applied()
        other = self._run(self.corrupt, lambda _, z: z, made)[1]
        sent = self._run(self.clean, lambda e, z: keep[e] * z + (1 - keep[e]) * other[e[0]], made)
        return sent[1][SINK]

    def of(self, kept: Collection[Edge]) -> Any:
        """The loss where some edges are kept, and no others."""
        return self.loss({edge: S.One if edge in kept else S.Zero for edge in self.edges})

    def slopes(
        self, alpha: Any, functions: Functions | None = None, derivatives: Functions | None = None
    ) -> dict[Edge, Any]:
        """(z'_u - z_u) times the gradient of the loss in v's input, on the way from corrupt to clean.

        Parameters
        ----------
        alpha : number or sympy expression
            How far on the way the gradient is taken; z_u and z'_u are those of its ends.
        functions, derivatives : mapping of str to callable, optional
            As in `loss`, and their derivatives.
        """
        made, slope = functions or self.applied(), derivatives or self.applied(1)
        there, other = (self._run(a, lambda _, z: z, made)[1] for a in (self.clean, self.corrupt))
        value = self.corrupt + alpha * (self.clean - self.corrupt)
        x, _ = self._run(value, lambda _, z: z, made)
        into, above, gradient = self._into(), dict.fromkeys(self.order, 0), {}
        above[SINK] = 1
        for name in reversed(self.order[1:]):
            gradient[name] = slope[name](x[name]) * above[name]
            for u, _ in into[name]:
                above[u] += gradient[name]
        return {(u, v): (other[u] - there[u]) * gradient[v] for u, v in self.edges}

    def applied(self, order: int = 0) -> Functions:
        """The nodes' functions, or derivatives of them, as sympy evaluates them."""
        return {name: Lambda(X, diff(f, X, order)) for name, f in self.functions.items()}


def gate(kind: str, copies: int = 2) -> Residual:
    """The smallest graphs with redundancy: copies of a head that read the input, and a loss of their sum.

    Parameters
    ----------
    kind : {"or", "and", "add"}
        The loss is 0 where any head works; where all do; or falls with each in equal parts.
    copies : int
        Heads.

    Raises
    ------
    ValueError
        For another kind, or no copies.
    """
    losses = {"or": Max(0, 1 - X), "and": 1 - Max(0, X - copies + 1), "add": 1 - X / S(copies)}
    if kind not in losses or copies < 1:
        raise ValueError(
            f"a gate is one of {', '.join(losses)} with at least 1 copy, got {kind!r} with {copies}"
        )
    heads = [f"head{k}" for k in range(1, copies + 1)]
    edges = [edge for head in heads for edge in ((SOURCE, head), (head, SINK))]
    return Residual({**dict.fromkeys(heads, X), SINK: losses[kind]}, edges)
