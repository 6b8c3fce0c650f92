"""A level's point at parameters where no search finds it: followed from where one does.

The margin is moved towards 1 in size until searches succeed; from two such points the level's coordinates
are followed back along log |kappa|, each time extrapolated through the last two points and corrected by
Newton's method in balls, whose range has no end: values beyond the doubles are reached this way, too. A step
that does not converge is halved.

What is followed is one stationary point; whether a lower one has appeared on the way is not seen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Rational

from theory import Model

from .solution import ConvergenceError, Solution

__all__ = ["followed", "margin_moved"]

Array = NDArray[np.float64]

# Factors on |kappa| of the points that searches are tried at, and their number.
_RATIO, _ANCHORS = Rational(4, 5), 14
# Shortest step in log |kappa| before the point counts as lost.
_SHORTEST = 1e-3

Solve = Callable[[Model], Solution]
Refine = Callable[[Solution], Solution]


def margin_moved(model: Model, kappa: Expr) -> Model:
    """The model with another margin."""
    constraint: Any = model.constraint
    return dataclasses.replace(
        Model(model.name, model.prior, constraint, model.sign, model.alpha),
        constraint=type(constraint)(kappa),
    )


def followed(model: Model, solve: Solve, refine: Refine) -> Solution:
    """Follow a stationary point along the margin.

    Parameters
    ----------
    model : theory.Model
        With a margin kappa.
    solve : callable
        Finds the level at another margin.
    refine : callable
        Settles a solution from nearby coordinates.

    Returns
    -------
    Solution

    Raises
    ------
    ConvergenceError
        If no search succeeds nearby, or the point is lost on the way.
    """
    target = getattr(model.constraint, "kappa", None)
    if target is None or target.is_zero:
        raise ConvergenceError(f"{model} has no margin to follow a point along", {}, math.nan)
    anchors: list[tuple[float, Solution]] = []
    for kappa in _nearer(target):
        try:
            found = solve(margin_moved(model, kappa))
        except ArithmeticError:
            if anchors:
                break
            continue
        if found.branch == "finite":
            anchors.append((math.log(abs(float(kappa))), found))
        if len(anchors) == 2:
            break
    if len(anchors) < 2:
        raise ConvergenceError(
            f"no search succeeded at margins nearer to 1 than that of {model}", {}, math.nan
        )
    return _walked(model, target, anchors[::-1], refine)


def _nearer(target: Expr) -> list[Expr]:
    """Margins towards 1 in size, the nearest to the target first."""
    ratio = _RATIO if abs(target) > 1 else 1 / _RATIO
    found = [target * ratio**k for k in range(1, _ANCHORS + 1)]
    return [kappa for kappa in found if (abs(kappa) >= 1) == (abs(target) > 1)]


@dataclass
class _Path:
    """The last two points of a path: log |kappa| and coordinates."""

    at: tuple[float, float]
    points: tuple[Array, Array]

    def extrapolated(self, t: float) -> Array:
        a, b = self.at
        return self.points[1] + (t - b) / (b - a) * (self.points[1] - self.points[0])

    def extended(self, t: float, point: Array) -> _Path:
        return _Path((self.at[1], t), (self.points[1], point))


def _walked(
    model: Model, target: Expr, anchors: list[tuple[float, Solution]], refine: Refine
) -> Solution:
    (first, a), (second, b) = anchors
    path = _Path((first, second), (_logarithms(a), _logarithms(b)))
    end = math.log(abs(float(target)))
    last, step = b, second - first
    while True:
        t = path.at[1] + step
        arrived = (end - t) * step <= 0.0
        kappa = target if arrived else Rational(math.exp(t)).limit_denominator(10**9)
        kappa = kappa if arrived or target.is_positive else -kappa
        t = end if arrived else t
        start = dataclasses.replace(
            last,
            model=model if arrived else margin_moved(model, kappa),
            gaps=tuple(np.exp(path.extrapolated(t))),
            branches=(),
        )
        try:
            last = refine(start)
        except ArithmeticError as error:
            step *= 0.5
            if abs(step) < _SHORTEST:
                raise ConvergenceError(
                    f"level {a.level} of {model}: its point, followed from kappa = "
                    f"{float(a.model.parameters[_symbol(a)]):.4g}, was lost at {float(kappa):.4g}",
                    b.order_parameters,
                    math.nan,
                ) from error
            continue
        if arrived:
            reason = (
                f"followed from kappa = {float(anchors[1][1].model.parameters[_symbol(b)]):.6g}"
            )
            return dataclasses.replace(last, reason=reason, split="continued in the margin")
        path = path.extended(t, _logarithms(last))
        step *= 1.5


def _symbol(solution: Solution) -> Any:
    return next(x for x in solution.model.parameters if str(x) == "kappa")


def _logarithms(solution: Solution) -> Array:
    return np.log(np.array([float(g) for g in solution.gaps]))
