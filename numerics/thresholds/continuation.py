"""A level's point at parameters where no search finds it: followed from where one does.

The margin of a capacity is moved towards 1 in size, the density of a ground state up and down, until a search
succeeds; from there the level's coordinates are followed back along the parameter's logarithm, each time
extrapolated through the last three points and corrected by Newton's method in balls, whose range has no end:
values beyond the doubles are reached this way, too. A step that does not converge is halved.

What is followed is one stationary point; whether a lower one has appeared on the way is not seen.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Rational

from theory import FreeEnergy, Model

from .points import located, objective_of
from .solution import ConvergenceError, Solution, Statistics
from .stationary import minimise

__all__ = ["continued", "extrapolated", "followed", "moved"]

Array = NDArray[np.float64]

# Factors on margins and densities of the points that searches are tried at, and their number.
_RATIO, _DENSITIES, _ANCHORS = Rational(4, 5), Rational(21, 20), 14
# First step in the logarithm, and the shortest, below which the point counts as lost.
_FIRST, _SHORTEST = 0.05, 1e-4

Solve = Callable[[Model], Solution]
Refine = Callable[[Solution], Solution]


def moved(model: Model, value: Expr) -> Model:
    """The model at another density, if it is a ground state, or else with another margin."""
    if model.alpha is not None:
        return dataclasses.replace(model, alpha=value)
    if any(field.name == "kappa" for field in dataclasses.fields(model)):
        return dataclasses.replace(model, kappa=value)
    constraint: Any = model.constraint
    return dataclasses.replace(model, constraint=dataclasses.replace(constraint, kappa=value))


def followed(model: Model, solve: Solve, refine: Refine) -> Solution:
    """Follow a stationary point along the density of a ground state, or the margin of a capacity.

    Parameters
    ----------
    model : theory.Model
    solve : callable
        Finds the level at another density or margin.
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
    name = "kappa" if model.alpha is None else "alpha"
    target = getattr(model.constraint, "kappa", None) if model.alpha is None else model.alpha
    if target is None or target.is_zero:
        raise ConvergenceError(f"{model} has no margin to follow a point along", {}, math.nan)
    for value in _nearby(target, name):
        try:
            anchor = solve(moved(model, value))
        except ArithmeticError:
            continue
        if anchor.branch == "finite":
            return _walked(model, name, target, float(value), anchor, refine)
    raise ConvergenceError(
        f"no search succeeded at other values of {name} than that of {model}", {}, math.nan
    )


def _nearby(target: Expr, name: str) -> list[Expr]:
    """Densities on both sides, or margins towards 1 in size, the nearest to the target first."""
    if name == "alpha":
        return [target * _DENSITIES ** (s * k) for k in range(1, _ANCHORS // 2) for s in (1, -1)]
    ratio = _RATIO if abs(target) > 1 else 1 / _RATIO
    return [target * ratio**k for k in range(1, _ANCHORS + 1)]


def _walked(
    model: Model, name: str, target: Expr, begin: float, anchor: Solution, refine: Refine
) -> Solution:
    """From a solution at margin ``begin`` to the target, Newton's method all the way."""
    end = math.log(abs(float(target)))
    path = [(math.log(abs(begin)), _logarithms(anchor))]
    last, step = anchor, math.copysign(_FIRST, end - path[0][0])
    while True:
        t = path[-1][0] + step
        arrived = (end - t) * step <= 0.0
        value = target
        if arrived:
            t = end
        else:
            value = Rational(math.exp(t)).limit_denominator(10**9)
            value = value if target.is_positive else -value
        gaps = tuple(map(float, np.exp(extrapolated(path, t))))
        try:
            start = dataclasses.replace(last, model=moved(model, value), gaps=gaps, branches=())
            last = refine(start)
        except ArithmeticError as error:
            step *= 0.5
            if abs(step) < _SHORTEST:
                raise ConvergenceError(
                    f"level {anchor.level} of {model}: its point, followed from {name} = {begin:.4g}, was "
                    f"lost at {float(value):.4g}",
                    anchor.order_parameters,
                    math.nan,
                ) from error
            continue
        if arrived:
            return dataclasses.replace(
                last,
                model=model,
                reason=f"followed from {name} = {begin:.6g}",
                split=f"continued in {name}",
            )
        path.append((t, _logarithms(last)))
        step *= 1.5


def extrapolated(path: Sequence[tuple[float, Array]], t: float) -> Array:
    """The parabola through the last three points of a path, at t; through fewer the line or the constant.

    Parameters
    ----------
    path : sequence of (float, ndarray)
    t : float

    Returns
    -------
    ndarray
    """
    last = path[-3:]
    places = [place for place, _ in last]
    total = np.zeros_like(last[0][1])
    for i, (place, point) in enumerate(last):
        others = places[:i] + places[i + 1 :]
        total += math.prod((t - other) / (place - other) for other in others) * point
    return total


def _logarithms(solution: Solution) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.array([float(g) for g in solution.gaps]))


def continued(fe: FreeEnergy, start: Solution) -> Solution:
    """The stationary point near another one's, found at nearby model parameters, in doubles."""
    began = time.perf_counter()
    objective = objective_of(fe)
    ev = objective.evaluator
    coords = ev.coordinates.coords(np.array(start.gaps))
    if not objective.ascents(coords):
        coords, _, _ = minimise(objective, coords)
    point = located(objective, fe, coords, "continued in the parameters")
    spent = Statistics(ev.evaluations, ev.exponentials, ev.products, time.perf_counter() - began)
    point = dataclasses.replace(point, statistics=spent)
    return dataclasses.replace(point, branches=(point,))
