"""Gibbs averages of a nest by plain sums, for checking identities: nothing of the solver but the idea.

Each level is one trapezoid rule in its own variable, wide enough for any tilt, with the weights written
out as in the definition. Cost is the product of the levels' nodes; two or three levels are for here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Averages", "gibbs"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

NOTHING = 1e-18
"""Weights below this count for nothing."""


@dataclass(frozen=True)
class Averages:
    """A nest's value and what the identities are about.

    Attributes
    ----------
    value : float
    slope, bend : float
        First and second derivative in the field.
    observable : float
        The observable's average over all levels.
    heats : tuple of float
        ``<f_{k-1}'' + s_k (f_{k-1}')^2>/2`` for each level.
    entropies : tuple of float
        ``<<f_{k-1}>_k - f_k>/s_k`` for each level with ``s_k > 0``; 0 for a quenched one.
    """

    value: float
    slope: float
    bend: float
    observable: float
    heats: tuple[float, ...]
    entropies: tuple[float, ...]


def gibbs(
    leaf: Function,
    field: float,
    increments: Sequence[float],
    exponents: Sequence[float],
    observable: Function | None = None,
    *,
    nodes: int = 1001,
    reach: float = 24.0,
) -> Averages:
    """Evaluate a nest of at most three levels and its averages from the definitions.

    Parameters
    ----------
    leaf : callable
        Vectorised.
    field : float
    increments, exponents : sequence of float
        ``v_k > 0``, ``s_k >= 0``, innermost first.
    observable : callable, optional
        Function of the innermost field; the leaf's slope by default.
    nodes : int
        Nodes of each level's rule.
    reach : float
        Its half length in standard deviations.

    Returns
    -------
    Averages
    """
    grid = np.linspace(-reach, reach, nodes)
    log_density = -0.5 * grid**2 + np.log(grid[1] - grid[0]) - 0.5 * np.log(2.0 * np.pi)
    depth = len(increments)
    step = 1e-4

    def leaf_columns(x: Array) -> list[Array]:
        up, down, middle = leaf(x + step), leaf(x - step), leaf(x)
        first = (8.0 * (up - down) - (leaf(x + 2 * step) - leaf(x - 2 * step))) / (12.0 * step)
        second = (up + down - 2.0 * middle) / step**2
        return [middle, first, second, first if observable is None else observable(x)]

    # Functions of the field at a level are carried as columns f, f', f'', observable, then the averages
    # of the heats and entropies of the levels inside. Where an inner level is wanted at the outer one's
    # nodes, it is evaluated there, row by row.
    def columns(x: Array, level: int) -> list[Array]:
        if level == 0:
            return leaf_columns(x)
        v, s = increments[level - 1], exponents[level - 1]
        points = x[:, None] + np.sqrt(v) * grid
        if level == 1:
            inner = [c.reshape(points.shape) for c in columns(points.ravel(), 0)]
        else:
            # a smooth function of one variable: a cubic spline on a fine table serves all rows
            from scipy.interpolate import CubicSpline

            table = np.linspace(points.min(), points.max(), 1201)
            inner = [CubicSpline(table, c)(points) for c in columns(table, level - 1)]
        f = inner[0]
        exponent = s * f + log_density
        top = exponent.max(axis=1, keepdims=True)
        weight = np.exp(exponent - top)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total

        def average(column: Array) -> Array:
            # far out an observable may be 0/0; nothing of it counts there
            return np.where(weight > NOTHING, weight * column, 0.0).sum(axis=1)

        value = average(f) if s == 0.0 else (top[:, 0] + np.log(total[:, 0])) / s
        first = average(inner[1])
        heat = inner[2] + s * inner[1] ** 2
        entropy = (average(f) - value) / s if s > 0.0 else np.zeros_like(value)
        second = average(heat) - s * first**2
        rest = [average(c) for c in inner[3:]]
        return [value, first, second, *rest, 0.5 * average(heat), entropy]

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out = [float(c[0]) for c in columns(np.array([field]), depth)]
    heats, entropies = tuple(out[4::2]), tuple(out[5::2])
    return Averages(out[0], out[1], out[2], out[3], heats, entropies)
