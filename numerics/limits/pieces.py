"""The limit of profiles with a gap: levels put liftings to either side of it in turn.

Where s does not rise, no lifting is wanted, and a profile falls into two pieces. Level r has a minimum for
every way to share its liftings among them, n on the inner side and m on the outer one; which is the lowest
changes from level to level for ever, and values jump about the law of `numerics.limits.extrapolation`. Each
piece has that law for itself. Pieces know of one another by means over a lifting, which are off by the
square of its size, so that

    value(n, m) = limit + A (n + a)^-4 + B (m + b)^-4 + C ((n + a) (m + b))^-2 + .. ,

fitted to the points of all branches by least squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .extrapolation import EXPONENT, Extrapolation

__all__ = ["LEVELS", "Shape", "by_split", "in_pieces", "sides"]

Array = NDArray[np.float64]

#: Levels that are fitted.
LEVELS = 8
# The fewest points, and what shifts are looked for between.
_POINTS, _SHIFTS = 9, (-1.0, 12.0)
# Where they are looked for from: least squares in them have more than one minimum.
_FROM = ((2.0, 2.0), (4.0, 1.0), (1.0, 4.0))
# The exponent of what pieces know of one another, and another one, which tells how much that matters.
_CROSSED, _OTHER = 2.0, 2.5
# Fewest liftings of a piece that is one, and the levels from the highest on that tell where the gap is.
_FEWEST, _HIGH = 2, 4
# What a misfit counts for in the error, and what levels left out move the limit by: levels to come move it
# the same way, by as much again.
_MISFIT, _DRIFT = 3.0, 2.0


@dataclass(frozen=True)
class Shape:
    """A point of a level.

    Attributes
    ----------
    level : int
    value : float
    logits : ndarray
        Of its overlaps, innermost first.
    """

    level: int
    value: float
    logits: Array


def sides(shapes: Sequence[Shape]) -> list[tuple[int, int]]:
    """How many liftings of every point lie inside the widest gap between the overlaps of all, and outside.

    Parameters
    ----------
    shapes : sequence of Shape

    Returns
    -------
    list of (int, int)
    """
    # of the highest levels, for lower ones may have but one overlap outside; these have two on either side
    top = max(shape.level for shape in shapes)
    high = [shape.logits for shape in shapes if shape.level > top - _HIGH]
    pooled = np.sort(np.concatenate(high))
    inner = min(float(np.sort(x)[-_FEWEST]) for x in high)
    outer = max(float(np.sort(x)[_FEWEST - 1]) for x in high)
    within = pooled[(pooled >= outer) & (pooled <= inner)]
    if within.size < 2:
        return []
    widest = int(np.argmax(np.diff(within)))
    edge = 0.5 * float(within[widest] + within[widest + 1])
    counts = [int((shape.logits > edge).sum()) for shape in shapes]
    return [(n, shape.logits.size - n) for n, shape in zip(counts, shapes, strict=True)]


def by_split(shapes: Sequence[Shape]) -> dict[tuple[int, int], int]:
    """The lowest point of every split of liftings, by its index, of those that are fitted.

    Parameters
    ----------
    shapes : sequence of Shape
        Points of many levels, several of each.

    Returns
    -------
    dict of (int, int) to int
        Liftings inside of the gap and outside, two or more on either side.
    """
    top = max((shape.level for shape in shapes), default=0)
    used = [k for k, shape in enumerate(shapes) if shape.level > top - LEVELS]
    table: dict[tuple[int, int], int] = {}
    for pair, k in zip(sides([shapes[k] for k in used]) if used else [], used, strict=False):
        if min(pair) >= _FEWEST and (
            pair not in table or shapes[k].value < shapes[table[pair]].value
        ):
            table[pair] = k
    return table


def in_pieces(shapes: Sequence[Shape]) -> Extrapolation | None:
    """The limit of points whose profile is in two pieces.

    Parameters
    ----------
    shapes : sequence of Shape
        Points of many levels, several of each.

    Returns
    -------
    Extrapolation or None
        None where there are too few points. Whether there is a gap at all, the error tells: it is three times
        the largest misfit, and twice the sum of what the limit moves by as the lowest level or the highest
        ones are left out, and as the exponent of C is another.
    """
    table = {pair: shapes[k] for pair, k in by_split(shapes).items()}
    highest = max((shape.level for shape in table.values()), default=0)
    lowest = min((shape.level for shape in table.values()), default=0)

    def fit(first: int, last: int, crossed: float) -> tuple[float, float] | None:
        chosen = {pair: s.value for pair, s in table.items() if first <= s.level <= last}
        varied = all(len({pair[i] for pair in chosen}) > 2 for i in (0, 1))
        return _fitted(chosen, crossed) if len(chosen) >= _POINTS - 2 and varied else None

    best = fit(lowest, highest, _CROSSED)
    if best is None or len(table) < _POINTS:
        return None
    estimates = {"two pieces": best[0]}
    others = {
        "two pieces, without the lowest level": (lowest + 1, highest, _CROSSED),
        "two pieces, without the last 1": (lowest, highest - 1, _CROSSED),
        "two pieces, without the last 2": (lowest, highest - 2, _CROSSED),
        "two pieces, another cross term": (lowest, highest, _OTHER),
    }
    for name, asked in others.items():
        found = fit(*asked)
        if found is not None:
            estimates[name] = found[0]
    if len(estimates) < 3:
        return None
    spread = sum(abs(x - best[0]) for x in estimates.values())  # each by a cause of its own
    return Extrapolation(best[0], _DRIFT * spread + _MISFIT * best[1], estimates, math.nan)


def _fitted(values: dict[tuple[int, int], float], crossed: float) -> tuple[float, float]:
    """Limit and largest misfit."""
    n, m = np.array(list(values), dtype=np.float64).T
    y = np.array(list(values.values()))
    middle = float(y.mean())

    def linear(shifts: Array) -> tuple[Array, Array]:
        x, z = (n + shifts[0]) / n.max(), (m + shifts[1]) / m.max()
        matrix = np.column_stack((np.ones(n.size), x**-EXPONENT, z**-EXPONENT, (x * z) ** -crossed))
        parts = np.asarray(np.linalg.lstsq(matrix, y - middle, rcond=None)[0], dtype=np.float64)
        return parts, np.asarray(matrix @ parts - (y - middle), dtype=np.float64)

    size = float(np.ptp(y)) or 1.0
    found = [
        optimize.least_squares(
            lambda shifts: linear(shifts)[1] / size,
            np.array(start),
            bounds=_SHIFTS,
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        for start in _FROM
    ]
    parts, misfit = linear(min(found, key=lambda fit: fit.cost).x)
    return middle + float(parts[0]), float(np.abs(misfit).max())
