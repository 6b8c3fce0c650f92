"""Circuits in numbers: scores of edges by each method, circuits as graphs, the size of it all.

Anything that says its loss with some edges kept, and its slopes on the way from a corrupt input to the clean
one, can be attributed (`Patchable`): a graph of theory (`Compiled`), or a transformer (`verify.circuits`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import networkx as nx
import numpy as np

from numerics.errors import ResolutionError
from numerics.results import Table
from theory.circuits import Edge, Residual, X, edit_spill, rank_one_edit
from theory.circuits import ablation as ablation_of
from theory.circuits import acdc as acdc_of
from theory.circuits import shapley as shapley_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = [
    "MAX_NODES",
    "MAX_PLAYERS",
    "Comparison",
    "Compiled",
    "Patchable",
    "ablation",
    "acdc",
    "circuit",
    "compare",
    "eap",
    "eap_ig",
    "edit",
    "read_graph",
    "riemann",
    "shapley",
    "spill",
    "top",
]

MAX_PLAYERS = 12
"""Most edges with exact Shapley values, of 2^n losses."""
MAX_NODES = 60
"""Most nodes of a graph from a file."""


class Patchable(Protocol):
    """What can be attributed: a loss that knows its edges.

    Attributes
    ----------
    edges : sequence of Edge
        From ``input`` to ``output``, sorted by receivers and then senders.
    """

    @property
    def edges(self) -> Sequence[Edge]:
        """The edges, of which arrays below have an entry each."""
        ...

    def loss(self, keep: Array) -> float:
        """Loss where edges bring ``keep`` z + (1 - ``keep``) z', z' being of the corrupt input, or 0."""
        ...

    def slopes(self, alpha: float) -> Array:
        """z'_u - z_u times the gradient of the loss in v's input, ``alpha`` of the way to the clean input."""
        ...


class Compiled:
    """A residual graph of theory, its functions compiled for doubles.

    Parameters
    ----------
    graph : theory.circuits.Residual
    """

    def __init__(self, graph: Residual) -> None:
        from sympy import DiracDelta, lambdify

        self.edges = tuple(graph.edges)
        ends = (np.float64(graph.clean), np.float64(graph.corrupt))  # which divide by 0 to infinity
        self._graph = replace(graph, clean=ends[0], corrupt=ends[1])
        values, slopes = (
            {name: f(X) for name, f in graph.applied(order).items()} for order in (0, 1)
        )
        for name, slope in slopes.items():
            if slope.has(DiracDelta):
                raise ValueError(f"the function of {name} jumps: {values[name]} has no slope there")
        self._functions, self._derivatives = (
            {name: lambdify(X, f, ["scipy", "numpy"]) for name, f in made.items()}
            for made in (values, slopes)
        )

    def loss(self, keep: Array) -> float:
        """As `Patchable` has it; refuses what is not finite with a ValueError."""
        kept = dict(zip(self.edges, np.asarray(keep, dtype=float), strict=True))
        with np.errstate(all="ignore"):
            return float(_finite(self._graph.loss(kept, self._functions)))

    def slopes(self, alpha: float) -> Array:
        """As `Patchable` has it; refuses what is not finite with a ValueError."""
        with np.errstate(all="ignore"):
            found = self._graph.slopes(np.float64(alpha), self._functions, self._derivatives)
        return _finite([found[edge] for edge in self.edges])


def _finite(value: Any) -> Array:
    found = np.asarray(value, dtype=float)
    if not np.isfinite(found).all():
        raise ValueError(
            "a loss or slope of this graph is not finite; take other functions or inputs"
        )
    return found


def read_graph(path: str | os.PathLike[str]) -> Residual:
    """Read a residual graph from a JSON file.

    Parameters
    ----------
    path : path
        ``{"nodes": {"a": "tanh(x)", "output": "max(0, 1-x)"}, "edges": [["input", "a"], ["a", "output"]]}``,
        and the values "clean" and "corrupt" of the input, by default 1 and 0.

    Raises
    ------
    ValueError
        In one line, for what is no such file, functions that cannot be read, and cycles.
    """
    from sympy import Rational

    from theory.kernels.grammar import parse

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        nodes, edges = content["nodes"], [(str(u), str(v)) for u, v in content["edges"]]
        ends = [
            Rational(str(float(content.get(key, k)))) for key, k in (("clean", 1), ("corrupt", 0))
        ]
        texts = {str(name): str(text) for name, text in nodes.items()}
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f'{path} is no graph: {{"nodes": {{"a": "tanh(x)", "output": "1-x"}}, "edges": '
            f'[["input", "a"], ["a", "output"]]}} is one ({type(error).__name__}: {error})'
        ) from error
    if len(texts) > MAX_NODES:
        raise ValueError(f"a graph has at most {MAX_NODES} nodes, {path} has {len(texts)}")
    functions = {}
    for name, text in texts.items():
        try:
            functions[name] = parse(text, X)
        except ValueError as error:
            raise ValueError(f"the function of {name}: {error}") from error
    return Residual(functions, edges, *ends)


def _kept(model: Patchable, some: Iterable[Edge], players: Sequence[Edge] | None) -> Array:
    """Which edges are kept: some, and all that are no players."""
    inside = set(some) | (set(model.edges) - set(model.edges if players is None else players))
    return np.array([edge in inside for edge in model.edges], dtype=float)


def _game(model: Patchable, players: Sequence[Edge]) -> Callable[[frozenset[Edge]], float]:
    if unknown := set(players) - set(model.edges):
        raise ValueError(f"{' -> '.join(min(unknown))} is no edge of the graph")
    return lambda some: model.loss(_kept(model, some, players))


def ablation(model: Patchable, players: Sequence[Edge] | None = None) -> Array:
    """By how much the loss grows without each of the players, all edges by default; others stay."""
    chosen = model.edges if players is None else players
    return np.array(list(ablation_of(_game(model, chosen), chosen).values()))


def eap(model: Patchable) -> Array:
    """Edge attribution: `ablation` to first order, from one gradient."""
    return model.slopes(1.0)


def eap_ig(model: Patchable, tolerance: float = 1e-10, most: int = 1000) -> tuple[Array, float]:
    """Edge attribution with integrated gradients, along the way from the corrupt input to the clean one.

    Parameters
    ----------
    model : Patchable
    tolerance : float
        Largest error of any score, absolutely.
    most : int
        Pieces of the way.

    Returns
    -------
    scores : ndarray
    error : float
        Of the worst score, as the quadrature estimates it, and rounding.

    Raises
    ------
    ResolutionError
        If so many pieces do not do.

    Notes
    -----
    Gauss-Kronrod rules of 21 points on pieces that are halved where the error is largest
    (`scipy.integrate.quad_vec`), as kinks of ReLU need it. The source takes a right Riemann sum, of first
    order: `riemann`.
    """
    from scipy.integrate import quad_vec

    if not 0.0 < tolerance < math.inf:
        raise ValueError(f"a tolerance is a positive number, got {tolerance}")
    value, error, info = quad_vec(
        model.slopes, 0.0, 1.0, epsabs=tolerance, epsrel=0.0, norm="max", limit=most,
        full_output=True,
    )  # fmt: skip
    if info.status != 0:
        raise ResolutionError(
            f"{most} pieces leave an error of {error:.1e} in EAP-IG, more than {tolerance:.1e}: slopes "
            "have a pole, or many kinks"
        )
    return value, float(error) + 1e-14 * (1.0 + float(np.abs(value).max()))


def riemann(model: Patchable, points: int) -> tuple[Array, float]:
    """EAP-IG by a right Riemann sum, as published: of the places j/points, j = 1 .. points.

    Returns
    -------
    scores : ndarray
    error : float
        An estimate, twice the largest change on doubling the points; `theory.circuits.LAWS` has the order.
    """
    if points < 1:
        raise ValueError(f"a sum has at least 1 point, got {points}")
    coarse, fine = (
        np.mean([model.slopes(j / n) for j in range(1, n + 1)], axis=0)
        for n in (points, 2 * points)
    )
    return coarse, 2.0 * float(np.abs(coarse - fine).max())


def shapley(model: Patchable, players: Sequence[Edge] | None = None) -> Array:
    """Exact Shapley values of at most `MAX_PLAYERS` players, all edges by default; others stay."""
    chosen = model.edges if players is None else players
    if len(chosen) > MAX_PLAYERS:
        raise ValueError(
            f"exact Shapley values take 2^n losses, n at most {MAX_PLAYERS}; got {len(chosen)} edges"
        )
    return np.array([float(x) for x in shapley_of(_game(model, chosen), chosen).values()])


def acdc(
    model: Patchable,
    tau: float,
    visits: Sequence[Edge] | None = None,
    *,
    absolute: bool = False,
) -> NDArray[np.bool_]:
    """Edges that ACDC keeps: a loss for each edge.

    Parameters
    ----------
    model : Patchable
    tau : float
        Threshold: an edge goes where the loss grows by less.
    visits : sequence of Edge, optional
        Order of visits; by default all edges, receivers from the output back and their senders backwards, as
        in the source. Edges that are not visited stay.
    absolute : bool
        Whether edges stay whose removal lowers the loss by tau, too.
    """
    if not math.isfinite(tau):
        raise ValueError(f"a threshold is a finite number, got {tau}")
    order = tuple(model.edges)[::-1] if visits is None else tuple(visits)
    kept = acdc_of(_game(model, order), order, tau, absolute=absolute)
    return _kept(model, kept, order) > 0.0


def top(scores: ArrayLike, size: int) -> NDArray[np.bool_]:
    """The edges with the largest scores in size; the first of those with equal ones."""
    values = np.abs(np.asarray(scores, dtype=float))
    if not 0 <= size <= len(values):
        raise ValueError(f"a circuit has from 0 to {len(values)} edges, got {size}")
    keep = np.zeros(len(values), dtype=bool)
    keep[np.argsort(-values, kind="stable")[:size]] = True
    return keep


def circuit(edges: Sequence[Edge], scores: Sequence[float] | None = None) -> nx.MultiDiGraph:
    """Edges as a graph: receivers q, k and v of a head are keys of its edges, scores their ``score``.

    Raises
    ------
    ValueError
        For edges that make a cycle.
    """
    graph = nx.MultiDiGraph()
    for k, (sender, receiver) in enumerate(edges):
        node, _, slot = receiver.partition(":")
        graph.add_edge(sender, node, key=slot, score=1.0 if scores is None else float(scores[k]))
    if not nx.is_directed_acyclic_graph(graph):
        nodes = [u for u, *_ in nx.find_cycle(graph)]
        raise ValueError(f"a circuit has no cycles; this one has {' -> '.join([*nodes, nodes[0]])}")
    return graph


def edit(matrix: ArrayLike, moments: ArrayLike, key: ArrayLike, value: ArrayLike) -> Array:
    """The least change of a matrix that makes it answer ``value`` to ``key``: `theory.circuits.LAWS`.

    Parameters
    ----------
    matrix : array_like, shape (m, n)
    moments : array_like, shape (n, n)
        Second moments of keys whose answers should stay; symmetric, positive.
    key, value : array_like, shapes (n,) and (m,)

    Returns
    -------
    ndarray, shape (m, n)
        Of rank one.

    Raises
    ------
    ValueError
        For shapes that do not fit, and moments that are singular to double precision.
    """
    w, c, k, v = (np.asarray(a, dtype=float) for a in (matrix, moments, key, value))
    if w.ndim != 2 or (c.shape, k.shape, v.shape) != (w.shape[1:] * 2, w.shape[1:], w.shape[:1]):
        raise ValueError(
            f"an edit takes shapes (m, n), (n, n), (n,), (m,); got {w.shape}, {c.shape}, {k.shape}, {v.shape}"
        )
    _check_moments(c)
    return _edits()[0](w, c, k[:, None], v[:, None])


def spill(moments: ArrayLike, key: ArrayLike, other: ArrayLike) -> float:
    """Share of an edit's change at ``key`` that another key sees; arguments as those of `edit`."""
    c, k, q = (np.asarray(a, dtype=float) for a in (moments, key, other))
    _check_moments(c)
    return float(_edits()[1](c, k[:, None], q[:, None]).item())


def _check_moments(c: Array) -> None:
    if not np.linalg.cond(c) < 1e12:
        raise ValueError("second moments of the keys are singular; add a multiple of the identity")


@cache
def _edits() -> Any:
    """Theory's edit, of W, C, k and v, and its spill, of C, k and q, as functions of arrays."""
    from sympy import MatrixSymbol, lambdify

    def compiled(expression: Any) -> Any:
        named = {symbol.name: symbol for symbol in expression.atoms(MatrixSymbol)}
        return lambdify([named[name] for name in "WCkvq" if name in named], expression)

    return compiled(rank_one_edit()), compiled(edit_spill())


@dataclass(frozen=True)
class Comparison(Table):
    """What every method returns for the same edges.

    Attributes
    ----------
    edges : tuple of str
    ablation, eap, eap_ig, shapley : tuple of float or None
        Scores; Shapley values of too many edges are None.
    kept : tuple of str
        Whether ACDC keeps the edge, "yes" or "no".
    total : float
        Loss of the corrupt input less that of the clean one.
    error : float
        Of EAP-IG; the others are as accurate as doubles.
    tau : float
        Of ACDC.
    """

    columns: ClassVar = {
        "edge": "edges",
        "ablation": "ablation",
        "EAP": "eap",
        "EAP-IG": "eap_ig",
        "Shapley": "shapley",
        "ACDC keeps": "kept",
    }
    edges: tuple[str, ...]
    ablation: tuple[float, ...]
    eap: tuple[float, ...]
    eap_ig: tuple[float, ...]
    shapley: tuple[float | None, ...]
    kept: tuple[str, ...]
    total: float
    error: float
    tau: float

    def draw(self, axes: Axes) -> None:
        """The graph: ACDC's edges dark, widths as EAP-IG scores, heads in columns by their depth."""
        u, v = zip(*(edge.split(" -> ") for edge in self.edges), strict=True)
        graph = circuit(list(zip(u, v, strict=True)))
        generations = nx.topological_generations(graph)
        layers = {f"{depth}": nodes for depth, nodes in enumerate(generations)}
        places = nx.multipartite_layout(graph, subset_key=layers)
        largest = max(map(abs, self.eap_ig)) or 1.0
        for sender, receiver, score, kept in zip(u, v, self.eap_ig, self.kept, strict=True):
            nx.draw_networkx_edges(
                graph, places, edgelist=[(sender, receiver.partition(":")[0])], ax=axes, node_size=900,
                width=0.5 + 3.5 * abs(score) / largest,
                edge_color="black" if kept == "yes" else "silver",
                connectionstyle="arc3,rad=0.15",
            )  # fmt: skip
        nx.draw_networkx_nodes(
            graph, places, ax=axes, node_size=900, node_color="white", edgecolors="gray"
        )
        nx.draw_networkx_labels(graph, places, ax=axes, font_size=7)
        axes.set_title(
            f"width: EAP-IG; black: kept by ACDC at tau = {self.tau:g}", fontsize="medium"
        )
        axes.margins(0.15)
        axes.set_axis_off()


def compare(
    model: Patchable,
    *,
    tau: float = 0.01,
    visits: Literal["backward", "forward"] = "backward",
    absolute: bool = False,
    players: Sequence[Edge] | None = None,
) -> Comparison:
    """Score edges by every method.

    Parameters
    ----------
    model : Patchable
    tau, absolute
        Of `acdc`.
    visits : {"backward", "forward"}
        ACDC's order: from the output back, or from the input on.
    players : sequence of Edge, optional
        The edges in question, all by default; others stay.
    """
    chosen = tuple(model.edges if players is None else players)
    where = [model.edges.index(edge) for edge in chosen]
    order = chosen[::-1] if visits == "backward" else chosen
    integrated, error = eap_ig(model)
    few = len(chosen) <= MAX_PLAYERS
    kept = acdc(model, tau, order, absolute=absolute)
    ones = np.ones(len(model.edges))
    return Comparison(
        tuple(" -> ".join(edge) for edge in chosen),
        tuple(ablation(model, chosen).tolist()),
        tuple((eap(model)[where] + 0.0).tolist()),  # no -0
        tuple(integrated[where].tolist()),
        tuple(shapley(model, chosen).tolist() if few else [None] * len(chosen)),
        tuple("yes" if yes else "no" for yes in kept[where]),
        model.loss(0.0 * ones) - model.loss(ones),
        error,
        tau,
    )
