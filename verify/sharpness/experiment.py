"""Few-shot classification of nodes by two-layer graph networks: every learning rule on the same tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.results import Result
from numerics.sharpness import Eigenvalue, largest_eigenvalue
from verify.cases import Outcome, run_cases
from verify.networks.training import jax_modules, train
from verify.statistics.tests import interval

from .graphs import block_model, few_shots, gcn_matrix, module_graph
from .rules import DEFAULTS, METHODS, Settings, gradients_per_step, rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "GRAPHS",
    "MARGIN",
    "SUBJECT",
    "Comparison",
    "Paired",
    "compare",
    "comparison",
    "few_shot",
    "loss_sharpness",
    "paired",
]

SUBJECT = "sharpness few-shot"
"""What the experiment's file says it is."""

GRAPHS: dict[str, tuple[float, float] | None] = {
    "homophilous": (0.05, 0.01),
    "heterophilous": (0.01, 0.05),
    "imports": None,
}
"""Graphs by name: p and q of a block model of 4 classes, or the imports between sympy's modules."""

MARGIN = 0.02
"""Difference of mean accuracies within which two methods count as equivalent."""

_NODES, _CLASSES, _DIMENSION, _SEPARATION = 400, 4, 16, 4.0
_HIDDEN, _RATE, _DECAY, _DROPOUT, _SHOTS = 16, 5e-3, 5e-4, 0.2, 3
_LEVEL, _MEASURED, _ENOUGH = 0.99, 4, 8  # of 8 tasks Student's intervals may say something


def _task(graph: str, number: int, seed: int) -> dict[str, NDArray[Any]]:
    """Arrays of one task: filtered features, the graph, and what is known of which nodes."""
    rng = np.random.default_rng([seed, number, list(GRAPHS).index(graph)])
    chances = GRAPHS[graph]
    if chances is None:
        one = module_graph()
    else:
        one = block_model(
            rng, _NODES, *chances, _SEPARATION, classes=_CLASSES, dimension=_DIMENSION
        )
    known = few_shots(rng, one.labels, _SHOTS)
    matrix = gcn_matrix(one.adjacency)
    return {
        "known": known,
        "labels": one.labels,
        "matrix": matrix,
        "features": one.features,
        "filtered": matrix @ one.features,
    }


def _logits(w: Any, first: Any, second: Callable[[Any], Any], drop: Callable[[Any], Any]) -> Any:
    """Two layers: ``first`` are the inputs as the graph passes them on, ``second`` passes on the hidden."""
    _, jnp, _ = jax_modules()
    hidden = drop(jnp.maximum(first @ w["first"]["w"] + w["first"]["b"], 0.0))
    return second(hidden @ w["second"]["w"]) + w["second"]["b"]


def _losses(task: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Losses of the graph network, ``graph(w, key)`` with dropout if there is a key, and of its peer."""
    jax, jnp, optax = jax_modules()
    known, y = task["known"], task["labels"][task["known"]]
    rows, own = task["matrix"][known], task["features"][known]

    def graph(w: Any, key: Any = None) -> Any:
        def drop(h: Any) -> Any:
            kept = jax.random.bernoulli(key, 1.0 - _DROPOUT, h.shape)
            return jnp.where(kept, h / (1.0 - _DROPOUT), 0.0)

        out = _logits(
            w, task["filtered"], lambda h: rows @ h, (lambda h: h) if key is None else drop
        )
        return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()

    def peer(w: Any) -> Any:
        out = _logits(w, own, lambda h: h, lambda h: h)
        return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()

    return graph, peer


def _fitted(method: str, task: Any, key: Any, steps: int, settings: Settings) -> Any:
    """The weights that a rule with Adam ends at, from a random key."""
    jax, jnp, optax = jax_modules()
    graph, peer = _losses(task)
    draw, dropout = jax.random.split(key)
    glorot = jax.nn.initializers.glorot_uniform()
    sizes = (task["features"].shape[1], _HIDDEN, int(task["classes"]))
    w = {
        name: {"w": glorot(k, (sizes[i], sizes[i + 1])), "b": jnp.zeros(sizes[i + 1])}
        for i, (name, k) in enumerate(zip(("first", "second"), jax.random.split(draw), strict=True))
    }

    def init(w: Any) -> Any:
        zero = jax.tree.map(jnp.zeros_like, w)
        return 0, (zero, zero)

    def update(_: Any, state: Any, w: Any) -> Any:
        step, memory = state
        follow = rule(
            method,
            lambda w, k: jax.grad(graph)(w, jax.random.fold_in(dropout, 2 * step + k)),
            lambda w, k: jax.grad(peer)(w),
            settings,
        )
        along, memory = follow(w, memory, step)
        return along, (step + 1, memory)

    optimiser = optax.chain(
        optax.GradientTransformation(init, update),  # takes its own gradients, at other places
        optax.add_decayed_weights(_DECAY),
        optax.adam(_RATE),
    )
    return train(lambda w: w, w, optimiser, steps)[0]


def _graph_loss(w: Any, task: Any) -> Any:
    return _losses(task)[0](w)


@lru_cache(maxsize=8)
def _hessian_product(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Products of a loss's Hessian with vectors; compiled once for a loss, whatever its data."""
    jax, _, _ = jax_modules()
    from jax.flatten_util import ravel_pytree

    def product(weights: Any, v: Any, *data: Any) -> Any:
        flat, restored = ravel_pytree(weights)
        return jax.jvp(jax.grad(lambda x: loss(restored(x), *data)), (flat,), (v,))[1]

    return jax.jit(product)


def loss_sharpness(loss: Callable[..., Any], weights: Any, *data: Any, seed: int = 0) -> Eigenvalue:
    """Largest eigenvalue of the Hessian of any JAX loss, by `numerics.sharpness.largest_eigenvalue`.

    Parameters
    ----------
    loss : callable
        ``loss(weights, *data)``, a number, twice differentiable.
    weights : pytree
    *data : pytree
        What else the loss takes.
    seed : int
        Of Lanczos' start.

    Returns
    -------
    numerics.sharpness.Eigenvalue
    """
    jax, jnp, _ = jax_modules()
    product = _hessian_product(loss)
    size = sum(leaf.size for leaf in jax.tree.leaves(weights))
    return largest_eigenvalue(
        lambda v: np.asarray(product(weights, jnp.asarray(v), *data)), size, seed=seed
    )


def few_shot(
    graph: str,
    method: str,
    *,
    tasks: int = 12,
    steps: int = 1000,
    seed: int = 0,
    settings: Settings = DEFAULTS,
    sharpness: int = 0,
) -> Outcome:
    """Train a network for each of some tasks by one rule, and classify the other nodes on the graph.

    Networks have two layers of A X W + b with 16 hidden units, weights from Glorot's law, dropout 0.2 on the
    graph, Adam with rate 0.005 and decay 0.0005; 3 nodes of each class are known. Whatever the rule, the
    graph is used for classification.

    Parameters
    ----------
    graph : str
        A key of `GRAPHS`.
    method : str
        A key of `verify.sharpness.rules.METHODS`.
    tasks, steps, seed : int
        The tasks and the first weights follow from the seed, the same for all methods.
    settings : Settings
    sharpness : int
        Tasks for which the largest eigenvalue of the graph loss's Hessian is computed, without dropout.

    Returns
    -------
    dict
        "accuracies", one for each task, and "sharpness", as many as were asked for.
    """
    if graph not in GRAPHS:
        raise ValueError(f"no graph {graph!r}; choose from {', '.join(GRAPHS)}")
    if tasks < 1 or steps < 1:
        raise ValueError(f"tasks and steps are at least 1, got {tasks} and {steps}")
    jax, jnp, _ = jax_modules()
    drawn = [_task(graph, number, seed) for number in range(tasks)]
    labels = np.array([one["labels"] for one in drawn])
    arrays = {name: jnp.asarray(np.stack([one[name] for one in drawn])) for name in drawn[0]}
    keys = jax.vmap(lambda k: jax.random.fold_in(jax.random.key(seed), k))(jnp.arange(tasks))
    classes = int(labels.max()) + 1

    def one(task: Any, key: Any) -> tuple[Any, Any]:
        w = _fitted(method, {**task, "classes": classes}, key, steps, settings)
        out = _logits(w, task["filtered"], lambda h: task["matrix"] @ h, lambda h: h)
        return w, out.argmax(axis=1)

    weights, found = jax.jit(jax.vmap(one))(arrays, keys)
    right = np.asarray(found) == labels
    for row, task in zip(right, drawn, strict=True):
        row[task["known"]] = False
    unknown = labels.shape[1] - len(drawn[0]["known"])
    curvatures = [
        loss_sharpness(_graph_loss, *jax.tree.map(lambda x, k=k: x[k], (weights, arrays))).value
        for k in range(min(sharpness, tasks))
    ]
    return {"accuracies": (right.sum(axis=1) / unknown).tolist(), "sharpness": curvatures}


@dataclass(frozen=True)
class Paired:
    """The mean of paired differences.

    Attributes
    ----------
    mean, low, high : float
        With its interval.
    p_value : float
        Of a two-sided t-test that it is 0.
    """

    mean: float
    low: float
    high: float
    p_value: float

    def within(self, margin: float) -> bool:
        """Whether the interval shows that the means are equivalent."""
        return -margin < self.low and self.high < margin


def paired(one: Sequence[float], other: Sequence[float], level: float = _LEVEL) -> Paired:
    """Compare two methods on the same tasks by Student's t.

    Raises
    ------
    ValueError
        For fewer than two tasks, or different numbers of them.
    """
    from scipy.stats import t

    if len(one) != len(other) or len(one) < 2:
        raise ValueError(f"pairs are at least two, got {len(one)} and {len(other)} values")
    differences = np.subtract(one, other)
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    chance = (
        2.0 * float(t.sf(abs(mean) / error, len(differences) - 1)) if error else float(not mean)
    )
    return Paired(mean, *interval(differences, 1.0 - level), chance)


@dataclass(frozen=True)
class Comparison(Result):
    """Methods on the same tasks.

    Attributes
    ----------
    graphs, methods : tuple of str
        A row each.
    accuracies : tuple of tuple of float
        Of each task.
    sharpness : tuple of float
        Largest eigenvalue of the graph loss's Hessian at the end, without dropout, mean of some tasks.
    costs : tuple of tuple of float
        Gradients of the graph network and of the peer that a step takes.
    """

    graphs: tuple[str, ...]
    methods: tuple[str, ...]
    accuracies: tuple[tuple[float, ...], ...]
    sharpness: tuple[float, ...]
    costs: tuple[tuple[float, float], ...]

    def of(self, graph: str, method: str) -> tuple[float, ...]:
        """Accuracies of a method."""
        pairs = list(zip(self.graphs, self.methods, strict=True))
        return self.accuracies[pairs.index((graph, method))]

    def rows(self) -> list[dict[str, Any]]:
        """One for each graph and method, with the difference to SAM on the same tasks."""
        found = []
        for graph, method, own, curvature, cost in zip(
            self.graphs, self.methods, self.accuracies, self.sharpness, self.costs, strict=True
        ):
            other = paired(own, self.of(graph, "sam"))
            found.append(
                {
                    "graph": graph,
                    "method": method,
                    "accuracy": f"{np.mean(own):.3f}",
                    "std. error": f"{np.std(own, ddof=1) / math.sqrt(len(own)):.3f}",
                    "less SAM's": "" if method == "sam" else f"{other.mean:+.3f}",
                    "99% interval": ""
                    if method == "sam"
                    else f"[{other.low:+.3f}, {other.high:+.3f}]",
                    "sharpness": f"{curvature:.3g}",
                    "graph gradients": cost[0],
                    "peer gradients": cost[1],
                }
            )
        return found

    def verdicts(self) -> list[str]:
        """Sentences about FGSAM against SAM, and against itself without the perturbation."""
        lines = []
        for graph in dict.fromkeys(self.graphs):
            for one, other in (("fgsam", "sam"), ("fgsam", "joint")):
                found = paired(self.of(graph, one), self.of(graph, other))
                enough = len(self.of(graph, one)) >= _ENOUGH
                verdict = "equivalent" if enough and found.within(MARGIN) else "undecided"
                lines.append(
                    f"{graph}: {one} and {other} within {MARGIN}: {verdict} "
                    f"({found.mean:+.4f}, 99% in [{found.low:+.4f}, {found.high:+.4f}])"
                )
        return lines

    def draw(self, axes: Axes) -> None:
        """Mean accuracies with standard errors, a colour for each graph."""
        methods = list(dict.fromkeys(self.methods))
        for number, graph in enumerate(dict.fromkeys(self.graphs)):
            values = [np.array(self.of(graph, method)) for method in methods]
            axes.errorbar(
                np.arange(len(methods)) + 0.12 * (number - 1),
                [v.mean() for v in values],
                [v.std(ddof=1) / math.sqrt(len(v)) for v in values],
                fmt="o",
                capsize=3,
                label=graph,
            )
        axes.set_xticks(range(len(methods)), methods, rotation=30)
        axes.set(xlabel="learning rule", ylabel="share of nodes classified correctly")
        axes.legend(title="graph")


def compare(case: Mapping[str, Any], _: int) -> Outcome:
    """One case of the experiment: a graph and a method. The tasks follow from its own seed."""
    return few_shot(
        case["graph"],
        case["method"],
        tasks=case["tasks"],
        steps=case["steps"],
        seed=case["tasks seed"],
        sharpness=_MEASURED,
    )


def comparison(
    graphs: Sequence[str] = tuple(GRAPHS),
    methods: Sequence[str] = tuple(METHODS),
    *,
    tasks: int = 12,
    steps: int = 1000,
    seed: int = 0,
    **running: Any,
) -> Comparison:
    """Run every method on every graph.

    Parameters
    ----------
    graphs, methods : sequence of str
        Keys of `GRAPHS` and `METHODS`; SAM, which all are compared with, FGSAM and its control "joint" are
        always among the methods.
    tasks : int
        At least 2, with weights of their own.
    steps, seed : int
        As for `few_shot`.
    **running
        Where and how, as for `verify.cases.run_cases`: out, resume, executor, workers, progress.

    Returns
    -------
    Comparison
    """
    if tasks < 2:
        raise ValueError(f"paired tests need at least 2 tasks, got {tasks}")
    chosen = [m for m in METHODS if m in methods or m in ("sam", "fgsam", "joint")]
    cases = [
        {"graph": g, "method": m, "tasks": tasks, "steps": steps, "tasks seed": seed}
        for g in graphs
        for m in chosen
    ]
    done = run_cases(SUBJECT, compare, cases, seed=seed, **running)
    return Comparison(
        tuple(case["graph"] for case, _ in done),
        tuple(case["method"] for case, _ in done),
        tuple(tuple(outcome["accuracies"]) for _, outcome in done),
        tuple(float(np.mean(outcome["sharpness"])) for _, outcome in done),
        tuple(gradients_per_step(case["method"]) for case, _ in done),
    )
