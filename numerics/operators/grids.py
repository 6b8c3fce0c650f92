"""What the grid does to a layer: conditioning of its features, products of the axes, other resolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from numerics.results import Result
from theory.operators import layers
from theory.operators.symbols import Equation

from .designs import FLOOR
from .polynomials import Polynomials
from .symbols import (
    MAX_GRID,
    evaluator,
    half_symbol,
    learned_at,
    power,
    symbol,
    symbol_error,
    two_dimensional,
    unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_EPS = 2.0**-52

__all__ = [
    "EMBEDDINGS",
    "Conditioning",
    "Ranks",
    "Resolutions",
    "conditioning",
    "embedding",
    "rank_errors",
    "resolutions",
]

EMBEDDINGS: dict[str, Callable[[int], NDArray[Any]]] = {
    "half k/N": lambda n: np.fft.rfftfreq(n),
    "half 2k/N": lambda n: 2.0 * np.fft.rfftfreq(n),
    "half 4k/N - 1": lambda n: 4.0 * np.fft.rfftfreq(n) - 1.0,
    "both k/N": lambda n: np.fft.fftfreq(n),
    "both 2k/N": lambda n: 2.0 * np.fft.fftfreq(n),
    "nodes": lambda n: np.cos(np.pi * (np.arange(n) + 0.5) / n),
}
"""Where features are taken on N points: the half spectrum or both signs, as in the system or rescaled."""


def embedding(t: Floats, n: int) -> NDArray[Any]:
    """Features T_1 .. T_n, shape (len(t), n)."""
    return chebyshev.chebvander(t, n)[:, 1:]


@dataclass(frozen=True)
class Conditioning(Result):
    """Condition of Chebyshev features on grids.

    Attributes
    ----------
    grid, n : int
    places : tuple of str
        Of `EMBEDDINGS`, and ``"half, orthonormal"``.
    condition, error : tuple of float or None
        Of the features with unit columns: singular values, the largest over the smallest; and a bound on its
        error. None where doubles do not tell the smallest one to a thousandth: beyond some 1e11.
    overlap : tuple of float
        Largest cosine between two features.
    """

    grid: int
    n: int
    places: tuple[str, ...]
    condition: tuple[float | None, ...]
    error: tuple[float | None, ...]
    overlap: tuple[float, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a place."""
        return [
            {
                "frequencies": p,
                "condition": c,
                "error": e,
                "digits lost": None if c is None else math.log10(c),
                "largest cosine": o,
            }
            for p, c, e, o in zip(
                self.places, self.condition, self.error, self.overlap, strict=True
            )
        ]

    def draw(self, axes: Axes) -> None:
        """Condition of each place."""
        known = [(p, c) for p, c in zip(self.places, self.condition, strict=True) if c is not None]
        axes.barh(*zip(*known, strict=True))
        axes.set(
            xscale="log", xlabel="condition number", title=f"T_1 .. T_{self.n}, {self.grid} points"
        )


def conditioning(n: int = 10, grid: int = 64) -> Conditioning:
    """Compute the condition of T_1 .. T_n on a grid, and of what mends it.

    ``half, orthonormal`` are the `Polynomials` that are orthonormal on the half spectrum (Gram's), which span
    the same as the features with a constant.

    Raises
    ------
    ValueError
        For features that are more than the half spectrum has points, and grids that are odd or too large.
    """
    if grid % 2 or not 4 <= grid <= MAX_GRID:
        raise ValueError(f"a grid has an even number of points from 4 to {MAX_GRID}, got {grid}")
    if not 1 <= n <= grid // 2:
        raise ValueError(
            f"{grid} points have a half spectrum for 1 to {grid // 2} features, got {n}"
        )
    matrices = {name: embedding(place(grid), n) for name, place in EMBEDDINGS.items()}
    mapped = EMBEDDINGS["half 4k/N - 1"](grid)
    matrices["half, orthonormal"] = Polynomials(mapped, np.ones(len(mapped)), n).basis[1:].T
    condition, error, overlap = [], [], []
    for matrix in matrices.values():
        scaled = matrix / np.linalg.norm(matrix, axis=0)
        s = np.linalg.svd(scaled, compute_uv=False)
        off = n * _EPS * s[0]  # entries and singular values are off by some ulps of the largest
        told = bool(s[-1] > 1e3 * off)
        condition.append(float(s[0] / s[-1]) if told else None)
        error.append(float(s[0] / s[-1] * (_EPS + off / (s[-1] - off))) if told else None)
        overlap.append(float(np.abs(scaled.T @ scaled - np.eye(n)).max()))
    return Conditioning(grid, n, tuple(matrices), tuple(condition), tuple(error), tuple(overlap))


@dataclass(frozen=True)
class Ranks(Result):
    """Errors of sums of products of the axes.

    Attributes
    ----------
    equation : str
    grid : int
    errors : tuple of float
        Relative error of the best r products, for r = 1, 2, ...
    uncertainty : float
        Bound on the error of each; smaller ones may be 0.
    """

    equation: str
    grid: int
    errors: tuple[float, ...]
    uncertainty: float

    def rows(self) -> list[dict[str, Any]]:
        """One row a rank."""
        return [
            {"products": r, "error": e, "+-": self.uncertainty}
            for r, e in enumerate(self.errors, 1)
        ]

    def draw(self, axes: Axes) -> None:
        """Errors against the number of products."""
        shown = [max(e, self.uncertainty) for e in self.errors]
        axes.semilogy(range(1, len(shown) + 1), shown, "o-")
        axes.set(xlabel="products X(k_x) Y(k_y)", ylabel="relative error", title=self.equation)


def rank_errors(
    equation: str | Equation, values: Mapping[str, float], *, grid: int = 64, most: int = 8
) -> Ranks:
    """Compute the errors of the best sums of products on the half plane of an N x N grid.

    Raises
    ------
    ValueError
        As `symbol`, for a grid or a number of products outside 4 to 1024 and 1 to N/2, and for equations in
        one dimension.
    """
    if grid % 2 or not 4 <= grid <= 1024 or not 1 <= most <= grid // 2:
        raise ValueError(
            f"a grid is even, from 4 to 1024, with products from 1 to half of it; got {grid} and {most}"
        )
    name = equation if isinstance(equation, str) else equation.title
    if not two_dimensional(equation):
        raise ValueError(
            f"{name} has one axis, and its symbol no products to be made of: ask for an equation in two "
            "dimensions, such as heat or poisson"
        )
    k = np.round(np.fft.fftfreq(grid, 1.0 / grid))
    at = k[:, None], np.arange(grid // 2 + 1)[None, :]
    g = symbol(equation, values, *at)
    size = np.linalg.norm(g / np.abs(g).max())
    off = np.linalg.norm(symbol_error(equation, values, *at) / np.abs(g).max()) / size
    s = np.linalg.svd(g / np.abs(g).max(), compute_uv=False)
    evaluate = evaluator(layers.rank_error, "s", "r", "R")
    errors = tuple(float(evaluate(s, r, len(s))) for r in range(1, most + 1))
    return Ranks(name, grid, errors, FLOOR + float(off))


@dataclass(frozen=True)
class Resolutions(Result):
    """Errors of an amortised kernel on grids that it was not trained on.

    Attributes
    ----------
    equation : str
    trained, features : int
    grids : tuple of int
    law : tuple of float or None
        Of the exact kernel of k/N: theory's g(kN/M).
    ratio, absolute, cut : tuple of float or None
        Of the fitted one as a function of k/M, of k/N(trained), and the latter with zero beyond the modes it
        was trained on.

    Notes
    -----
    Errors of these are below `FLOOR` or a thousandth. None where doubles do not tell as much: a polynomial of
    many features, far from where it was fitted.
    """

    equation: str
    trained: int
    features: int
    grids: tuple[int, ...]
    law: tuple[float | None, ...]
    ratio: tuple[float | None, ...]
    absolute: tuple[float | None, ...]
    cut: tuple[float | None, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a grid."""
        return [
            {
                "points": m,
                "law of k/M": a,
                "k/M": b,
                f"k/{self.trained}": c,
                f"k/{self.trained}, cut": d,
            }
            for m, a, b, c, d in zip(
                self.grids, self.law, self.ratio, self.absolute, self.cut, strict=True
            )
        ]

    def draw(self, axes: Axes) -> None:
        """Errors against the points of the grid."""
        for name, values in (("k/M", self.ratio), (f"k/{self.trained}", self.absolute),
                             (f"k/{self.trained}, cut", self.cut)):  # fmt: skip
            axes.loglog(self.grids, _shown(values), "o-", label=name)
        axes.loglog(self.grids, _shown(self.law), "k:", label="law")
        axes.set(xlabel="points of the grid", ylabel="relative error", title=self.equation)
        axes.legend()


def resolutions(
    equation: str | Equation,
    values: Mapping[str, float],
    grids: Sequence[int],
    *,
    trained: int = 64,
    n: int = 10,
    decay: float = 1.0,
) -> Resolutions:
    """Compute what a kernel of n features, fitted on one grid, does on others.

    Parameters
    ----------
    equation, values, decay
        As for `designs`.
    grids : sequence of int
    trained : int
        Points of the grid that it is fitted on.
    n : int
        Features of its linear readout.

    Raises
    ------
    ValueError
        As `designs`.
    """
    own, weights = half_symbol(equation, values, trained), power(trained, decay)
    top = len(own) - 1
    if not 1 <= n <= top:
        raise ValueError(f"features are 1 to {top} on {trained} points, got {n}")
    points, root = unit(np.arange(top + 1.0)), np.sqrt(weights)
    polynomials = Polynomials(points, weights, n)
    coefficients = polynomials.basis @ (root * own)
    # what the recurrence loses is seen where its values are known, what a coefficient's last digit is worth
    # in each polynomial
    lost = np.abs(polynomials.at(points) - polynomials.basis / root).max(axis=1)
    recurrence = 2.0 * float(np.abs(coefficients) @ lost)
    digit = 4.0 * _EPS * float(np.linalg.norm(root * own))
    evaluate = evaluator(layers.resolution_error, "g", "h", "P", "K")

    def fitted(at: Floats) -> tuple[NDArray[Any], Floats]:
        values = polynomials.at(2.0 * at / top - 1.0)
        return coefficients @ values, digit * np.abs(values).sum(axis=0) + recurrence

    found = []
    for grid in grids:
        p, g = power(grid, decay), half_symbol(equation, values, grid)
        k = np.arange(len(g), dtype=float)
        at, seen = learned_at()(k, trained, grid), k <= top
        inside = [part * seen for part in fitted(np.minimum(k, top))]
        exact = symbol(equation, values, at), symbol_error(equation, values, at)
        off = symbol_error(equation, values, k)
        size = float(np.linalg.norm(np.sqrt(p) * g))
        row = []
        for h, error in (exact, fitted(at), fitted(k), inside):
            value = float(evaluate(g, h, p, len(g) - 1))
            uncertain = float(np.linalg.norm(np.sqrt(p) * (error + off))) / size
            row.append(value if uncertain < max(FLOOR, 1e-3 * value) else None)
        found.append(row)
    law, ratio, absolute, cut = (tuple(column) for column in zip(*found, strict=True))
    name = equation if isinstance(equation, str) else equation.title
    return Resolutions(name, trained, n, tuple(grids), law, ratio, absolute, cut)


def _shown(values: Sequence[float | None]) -> list[float]:
    return [math.nan if v is None else max(v, FLOOR) for v in values]
