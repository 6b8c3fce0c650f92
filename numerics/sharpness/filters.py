r"""How well features classify after some layers of a linear graph network, from theory's expressions.

Graphs are two-class contextual stochastic block models: N nodes in two equal classes, edges of probability p
within and q between, features :math:`N(\pm\delta/2, \sigma^2)` along the line between the classes' means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "MAX_LAYERS",
    "AccuracyMap",
    "FilteredAccuracy",
    "accuracy_by_layers",
    "accuracy_map",
    "accuracy_of_one_layer",
    "filter_sign",
    "filtered_accuracy",
]

MAX_LAYERS = 8
"""Most layers: their moments are expressions that grow with the square of it."""


def _check_blocks(p: float, q: float, nodes: int, separation: float, noise: float) -> None:
    for name, value in (("p", p), ("q", q)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is a probability between 0 and 1, got {value}")
    if nodes < 2 or nodes % 2:
        raise ValueError(f"two classes of equal size need an even number of nodes, got {nodes}")
    for name, value in (("separation", separation), ("noise", noise)):
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} is a positive, finite number, got {value}")


def _check_layers(p: float, q: float, nodes: int, layers: int) -> None:
    if not 0 <= layers <= MAX_LAYERS:
        raise ValueError(f"layers are an integer from 0 to {MAX_LAYERS}, got {layers}")
    degree = nodes * (p + q) / 2
    if layers and degree < 2.0:
        raise ValueError(
            f"the mean degree N (p + q)/2 is {degree:.3g}: below 2 the graph falls apart into small pieces, "
            "and neighbours' means say nothing about layers; take more nodes or larger p and q"
        )


def filter_sign(p: float, q: float, layers: int = 1) -> int:
    """Whether the raw features' rule (1) or its reverse (-1) classifies filtered features.

    Parameters
    ----------
    p, q : float
        Probabilities of edges within and between classes.
    layers : int

    Returns
    -------
    int

    Raises
    ------
    ValueError
        For p = q, where filtered features have no classifier, and for what is no probability.
    """
    from theory.sharpness import hyperplane

    _check_blocks(p, q, 2, 1.0, 1.0)
    if p == q:
        raise ValueError(
            f"p = q = {p}: neighbours' means are the same in both classes, and no rule tells them apart"
        )
    # the sign of (p - q)/(p + q) is that of p - q, without rounding
    return int(hyperplane().at(ell=1 if p > q else -1, K=layers).rhs)


@cache
def _accuracy(layers: int, composition: bool, modules: str) -> Callable[..., Any]:
    import sympy

    from theory.sharpness import filtered_accuracy as derived

    expression = derived(layers, composition=composition)
    names = sympy.symbols("p q", nonnegative=True), sympy.symbols("N delta sigma", positive=True)
    arguments = [*names[0], *names[1]]
    assert expression.free_symbols <= set(arguments)
    return sympy.lambdify(arguments, expression, modules)


def filtered_accuracy(
    p: float,
    q: float,
    nodes: int,
    separation: float,
    *,
    layers: int = 1,
    noise: float = 1.0,
    composition: bool = True,
) -> float:
    """Accuracy of the raw features' rule on filtered features, by the normal law.

    Parameters
    ----------
    p, q : float
        Probabilities of edges within and between classes, not both 0.
    nodes : int
        Even.
    separation, noise : float
        Distance of the classes' means; standard deviation of a feature.
    layers : int
        From 0, raw features, to `MAX_LAYERS`.
    composition : bool, default True
        Whether the variance counts which classes are around a node.

    Returns
    -------
    float
        The law's value, correctly rounded. The law itself is asymptotic: see `accuracy_of_one_layer` for
        how far it is from a finite graph.

    Raises
    ------
    ValueError
        For probabilities outside [0, 1] and mean degrees below 2.
    """
    import mpmath

    _check_blocks(p, q, nodes, separation, noise)
    _check_layers(p, q, nodes, layers)
    with mpmath.workdps(50):
        law = _accuracy(layers, composition, "mpmath")
        return float(law(*(mpmath.mpf(x) for x in (p, q, nodes, separation, noise))))


def accuracy_of_one_layer(
    p: float, q: float, nodes: int, separation: float, *, noise: float = 1.0
) -> tuple[float, float]:
    """Accuracy of the raw rule on neighbours' means of a finite graph, exactly.

    That is the expectation, over graphs and features, at a node that has neighbours: those of its own class
    are binomial of N/2 - 1, those of the other binomial of N/2, and given both the mean is normal.

    Parameters
    ----------
    p, q, nodes, separation, noise
        As for `filtered_accuracy`.

    Returns
    -------
    value, error : float
        The error bounds the binomial weights left out or inaccurate (their sum is known to be 1), and
        rounding. The cost is some 300 times the mean degree.
    """
    from scipy.stats import binom

    _check_blocks(p, q, nodes, separation, noise)
    _check_layers(p, q, nodes, 1)
    given = _neighbours()
    weights, counts = [], []
    for size, chance in ((nodes // 2 - 1, p), (nodes // 2, q)):
        # isf rounds 1 less the tail to 1
        low, high = binom.ppf(1e-17, size, chance), size - binom.ppf(1e-17, size, 1.0 - chance)
        counts.append(np.arange(max(low, 0.0), high + 1.0))
        weights.append(binom.pmf(counts[-1], size, chance))
    total = mass = 0.0
    for k, weight in zip(counts[0], weights[0], strict=True):
        some = k + counts[1] > 0.0
        own = weight * weights[1][some]
        with np.errstate(over="ignore"):  # erf of infinity is 1
            total += float(own @ given(k, counts[1][some], separation, noise))
        mass += float(own.sum())
    alone = float(binom.pmf(0, nodes // 2 - 1, p) * binom.pmf(0, nodes // 2, q))
    return total / mass, 2.0 * abs(1.0 - alone - mass) / mass + 1e-13


@cache
def _neighbours() -> Callable[..., Any]:
    import sympy

    from theory.sharpness import neighbours_accuracy

    law = neighbours_accuracy()
    names = {str(s): s for s in law.symbols}
    return sympy.lambdify([names[n] for n in ("k", "l", "delta", "sigma")], law.value, "scipy")


@dataclass(frozen=True)
class FilteredAccuracy(Result):
    """How well filtered features classify, layer by layer.

    Attributes
    ----------
    p, q, separation, noise : float
    nodes : int
    degree : float
        Mean number of neighbours.
    layers : tuple of int
        From 0, raw features.
    sign : tuple of int
        1 where the raw rule holds, -1 where its reverse does.
    raw_rule : tuple of float
        Accuracy of the raw features' rule, by the normal law.
    without : tuple of float
        The same without composition variance.
    gap : tuple of float
        Accuracy of the rule with the right sign, less that of raw features.
    exact, error : float
        The raw rule's accuracy after one layer on the finite graph, and the error of this number.
    """

    p: float
    q: float
    separation: float
    noise: float
    nodes: int
    degree: float
    layers: tuple[int, ...]
    sign: tuple[int, ...]
    raw_rule: tuple[float, ...]
    without: tuple[float, ...]
    gap: tuple[float, ...]
    exact: float
    error: float

    def rows(self) -> list[dict[str, Any]]:
        """One for each number of layers."""
        return [
            {
                "layers": k,
                "sign": self.sign[i],
                "raw rule": self.raw_rule[i],
                "without composition": self.without[i],
                "gap": self.gap[i],
                "finite graph": self.exact if k == 1 else None,
                "its error": self.error if k == 1 else None,
            }
            for i, k in enumerate(self.layers)
        ]

    def draw(self, axes: Axes) -> None:
        """Accuracy with the right sign against the number of layers."""
        for values, label, style in (
            (self.raw_rule, "with composition variance", "o-"),
            (self.without, "without", "s--"),
        ):
            right = [v if s > 0 else 1.0 - v for v, s in zip(values, self.sign, strict=True)]
            axes.plot(self.layers, right, style, label=label)
        axes.set(
            xlabel="layers",
            ylabel="share of nodes classified correctly",
            title=f"p = {self.p:g}, q = {self.q:g}, degree {self.degree:g}",
        )
        axes.legend()


def accuracy_by_layers(
    p: float, q: float, nodes: int, separation: float, *, layers: int = 4, noise: float = 1.0
) -> FilteredAccuracy:
    """Accuracies of raw features and of those filtered by 1, 2, .. layers.

    Parameters
    ----------
    p, q, nodes, separation, noise
        As for `filtered_accuracy`, p and q different.
    layers : int
        The most, from 1 to `MAX_LAYERS`.

    Returns
    -------
    FilteredAccuracy
    """
    _check_blocks(p, q, nodes, separation, noise)
    _check_layers(p, q, nodes, layers)
    counts = tuple(range(layers + 1))
    signs = tuple(filter_sign(p, q, k) if k else 1 for k in counts)

    def law(composition: bool) -> tuple[float, ...]:
        return tuple(
            filtered_accuracy(
                p, q, nodes, separation, layers=k, noise=noise, composition=composition
            )
            for k in counts
        )

    values = law(True)
    gap = tuple((v if s > 0 else 1.0 - v) - values[0] for v, s in zip(values, signs, strict=True))
    exact, error = accuracy_of_one_layer(p, q, nodes, separation, noise=noise)
    degree = nodes * (p + q) / 2
    return FilteredAccuracy(
        p, q, separation, noise, nodes, degree, counts, signs, values, law(False), gap, exact, error
    )


@dataclass(frozen=True)
class AccuracyMap(Result):
    """What filtering gains over raw features, over p and q.

    Attributes
    ----------
    nodes, layers : int
    separation, noise : float
    probabilities : tuple of float
        Of p and of q.
    gap : tuple of tuple of float
        Accuracy with the right sign less that of raw features, a row for each q; nan where the mean degree
        is below 2.
    """

    nodes: int
    layers: int
    separation: float
    noise: float
    probabilities: tuple[float, ...]
    gap: tuple[tuple[float, ...], ...]

    def rows(self) -> list[dict[str, Any]]:
        """One for each q."""
        names = [f"p = {p:.4g}" for p in self.probabilities]
        return [
            {"q": q, **dict(zip(names, row, strict=True))}
            for q, row in zip(self.probabilities, self.gap, strict=True)
        ]

    def draw(self, axes: Axes) -> None:
        """Colours over p and q; the line along which filtering gains nothing."""
        largest = float(np.nanmax(np.abs(self.gap)))
        p = np.asarray(self.probabilities)
        mesh = axes.pcolormesh(
            p, p, np.asarray(self.gap), cmap="RdBu", vmin=-largest, vmax=largest, rasterized=True
        )
        axes.contour(p, p, np.asarray(self.gap), levels=[0.0], colors="black", linewidths=1.0)
        axes.set(
            xlabel="p, within a class",
            ylabel="q, between classes",
            title=f"N = {self.nodes}, {self.layers} layer{'s' * (self.layers > 1)}",
        )
        figure = axes.get_figure()
        assert figure is not None
        figure.colorbar(mesh, ax=axes, label="accuracy gained by filtering")


def accuracy_map(
    nodes: int,
    separation: float,
    *,
    layers: int = 1,
    largest: float = 0.05,
    points: int = 41,
    noise: float = 1.0,
) -> AccuracyMap:
    """The gap between filtered and raw features over p and q, by the normal law in doubles.

    Parameters
    ----------
    nodes, separation, layers, noise
        As for `filtered_accuracy`.
    largest : float
        Largest p and q.
    points : int
        Of p, and of q.

    Returns
    -------
    AccuracyMap
    """
    _check_blocks(largest, largest, nodes, separation, noise)
    _check_layers(largest, largest, nodes, layers)
    if layers < 1 or not 2 <= points <= 1000:
        raise ValueError(f"a map has 2 to 1000 points and a layer, got {points} and {layers}")
    grid = np.linspace(0.0, largest, points)
    p, q = np.meshgrid(grid, grid)
    dense = nodes * (p + q) / 2 >= 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _accuracy(layers, True, "scipy")(p, q, float(nodes), separation, noise)
    right = value if layers % 2 == 0 else np.where(p < q, 1.0 - value, value)
    gap = right - filtered_accuracy(largest, largest, nodes, separation, layers=0, noise=noise)
    rows = tuple(map(tuple, np.where(dense, gap, np.nan).tolist()))
    return AccuracyMap(nodes, layers, separation, noise, tuple(grid.tolist()), rows)
