"""A level's point at parameters where no search finds it: followed from where one does.

The margin is moved towards 1 in size until a search succeeds; from there the level's coordinates are followed
back along log |kappa|, each time extrapolated through the last two points and corrected by Newton's method in
balls, whose range has no end: values beyond the doubles are reached this way, too. A step that does not
converge is halved.

What is followed is one stationary point; whether a lower one has appeared on the way is not seen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
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
# First step in log |kappa|, and the shortest, below which the point counts as lost.
_FIRST, _SHORTEST = 0.05, 1e-4

Solve = Callable[[Model], Solution]
Refine = Callable[[Solution], Solution]


def margin_moved(model: Model, kappa: Expr) -> Model:
    """The model with another margin."""
    if any(field.name == "kappa" for field in dataclasses.fields(model)):
        return dataclasses.replace(model, kappa=kappa)
    constraint: Any = model.constraint
    return dataclasses.replace(model, constraint=dataclasses.replace(constraint, kappa=kappa))


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
    for kappa in _nearer(target):
        try:
            found = solve(margin_moved(model, kappa))
        except ArithmeticError:
            continue
        if found.branch == "finite":
            return _walked(model, target, float(kappa), found, refine)
    raise ConvergenceError(
        f"no search succeeded at margins nearer to 1 than that of {model}", {}, math.nan
    )


def _nearer(target: Expr) -> list[Expr]:
    """Margins towards 1 in size, the nearest to the target first."""
    ratio = _RATIO if abs(target) > 1 else 1 / _RATIO
    return [target * ratio**k for k in range(1, _ANCHORS + 1)]


def _walked(model: Model, target: Expr, begin: float, found: Solution, refine: Refine) -> Solution:
    """From a solution at margin ``begin`` to the target, Newton's method all the way."""
    end = math.log(abs(float(target)))
    path = [(math.log(abs(begin)), _logarithms(found))]
    last, step = found, math.copysign(_FIRST, end - path[0][0])
    while True:
        t = path[-1][0] + step
        arrived = (end - t) * step <= 0.0
        kappa = target
        if arrived:
            t = end
        else:
            kappa = Rational(math.exp(t)).limit_denominator(10**9)
            kappa = kappa if target.is_positive else -kappa
        gaps = tuple(map(float, np.exp(_extrapolated(path[-2:], t))))
        try:
            start = dataclasses.replace(
                last, model=margin_moved(model, kappa), gaps=gaps, branches=()
            )
            last = refine(start)
        except ArithmeticError as error:
            step *= 0.5
            if abs(step) < _SHORTEST:
                raise ConvergenceError(
                    f"level {found.level} of {model}: its point, followed from kappa = {begin:.4g}, was lost "
                    f"at {float(kappa):.4g}",
                    found.order_parameters,
                    math.nan,
                ) from error
            continue
        if arrived:
            return dataclasses.replace(
                last,
                model=model,
                reason=f"followed from kappa = {begin:.6g}",
                split="continued in the margin",
            )
        path.append((t, _logarithms(last)))
        step *= 1.5


def _extrapolated(path: list[tuple[float, Array]], t: float) -> Array:
    """The line through the last two points, at t; the last one where it is alone."""
    (a, before), (b, last) = path[0], path[-1]
    return last if a == b else last + (t - b) / (b - a) * (last - before)


def _logarithms(solution: Solution) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.array([float(g) for g in solution.gaps]))
