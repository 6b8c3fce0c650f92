"""Branches of the levels' stationary points, each followed from level to level by its profile.

A level has several stationary points of the right kind, which differ in where the last lifting was put. As
levels grow, the lowest one changes: a shape that begins higher may fall further. So all that were found are
followed, and what counts is what each of them tends to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numerics.thresholds.insertions import insertions
from numerics.thresholds.objective import Objective, ascents
from numerics.thresholds.points import objective_of
from numerics.thresholds.profile import start_at
from numerics.thresholds.solution import Solution
from numerics.thresholds.starts import Start, interpolated, ordered, seed
from numerics.thresholds.stationary import descend, follow, hessian
from theory import FreeEnergy, Model, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

__all__ = ["Branch", "branches_of", "climb"]

Array = NDArray[np.float64]

# Tolerance of the grids that are searched on, and gradient (in the metric of the Hessian) to stop at: half of
# its square is missed.
_TOLERANCE, _GRADIENT = 1e-13, 1e-7
# Branches that are followed; levels up to which new minima, and saddles, are looked for, in how many places.
_FOLLOWED, _EXPLORED, _STEEPEST = 3, (12, 8), 2
# Two ends of one level that differ by less, relative, are one.
_SAME = 1e-10
# A saddle's gradient, the steps to it at most, and the longest one.
_FLAT, _ITERATIONS, _RADIUS = 1e-8, 250, 0.25
# Tolerance of the grids that show the noise, which are other ones than those of the values.
_OTHER = 1e-15
# Operations of one value and gradient from which on a level is too dear.
_DEAR = 100_000_000


@dataclass
class Branch:
    """One sequence of stationary points.

    Attributes
    ----------
    start : Start
        The point at its last level.
    quenched : bool
        Whether it has a quenched average.
    levels, values : list
        Consecutive levels, and its values there.
    noise : float
        By how much a value moves on other grids: rounding, where the functional is a ratio of small numbers.
    """

    start: Start
    quenched: bool
    levels: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    noise: float = 0.0


def branches_of(solution: Solution) -> list[Branch]:
    """The lowest branches of a solution, for levels to come."""
    whole = len(free_energy(solution.model, solution.level).q)
    points = [b for b in solution.branches if b.branch == "finite"][:_FOLLOWED]
    return [Branch(seed(b), len(b.q) == whole, [solution.level], [float(b.value)]) for b in points]


def climb(model: Model, branches: list[Branch], highest: int) -> Iterator[list[Branch]]:
    """Follow branches up to a level, one level at a time.

    Parameters
    ----------
    model : theory.Model
    branches : list of Branch
        Of one level, lowest first; they grow with the levels.
    highest : int

    Yields
    ------
    list of Branch
        Those that reached the next level, lowest first. It ends where none does, or after a level that
        takes more than 1e8 operations an evaluation.

    Notes
    -----
    Each branch is read as a profile at the next level's places and minimised there (a saddle is followed).
    Of the lowest one a lifting more is also put where the objective falls fastest, up to level 12 (saddles:
    8).
    """
    work = 0
    while branches and branches[0].levels[-1] < highest and work <= _DEAR:
        level = branches[0].levels[-1] + 1
        ends: list[tuple[float, Branch]] = []
        for start, branch in _starts(model, branches, level):
            fe = _functional(model, level, branch.quenched)
            objective = objective_of(fe)
            height, coords = _end(
                _coarse(objective), fe, start.coords(objective.evaluator.coordinates)
            )
            if not math.isfinite(height):
                continue
            before = objective.evaluator.exponentials + objective.evaluator.products
            height, _ = objective(coords)
            work = objective.evaluator.exponentials + objective.evaluator.products - before
            known = any(abs(height - x) < _SAME * objective.size(height) for x, _ in ends)
            if known or not math.isfinite(height):
                continue
            value = objective.value(height)
            branch.noise = max(branch.noise, _moved(objective, coords, value))
            branch.start = start_at(objective, fe, coords, "profile")
            branch.levels.append(level)
            branch.values.append(value)
            ends.append((height, branch))
        ends.sort(key=lambda pair: pair[0])
        branches = [branch for _, branch in ends[:_FOLLOWED]]
        if branches:
            yield branches


def _starts(model: Model, branches: list[Branch], level: int) -> list[tuple[Start, Branch]]:
    """The profiles of all branches at the next level, then the lowest one with a lifting more."""
    profiles = [(interpolated(_functional(model, level, b.quenched), b.start), b) for b in branches]
    starts = [(start, b) for start, b in profiles if start is not None]
    lowest = branches[0]
    fe = _functional(model, level, lowest.quenched)
    if level <= _EXPLORED[int(ascents(fe, lowest.start.s) > 0)]:
        new = insertions(_coarse(objective_of(fe)), fe, lowest.start)[:_STEEPEST]
        starts += [(start, Branch(start, lowest.quenched)) for start in new]
    return starts


def _coarse(objective: Objective) -> Objective:
    return objective.on(objective.evaluator.with_grid(tolerance=_TOLERANCE))


def _moved(objective: Objective, coords: Array, value: float) -> float:
    """By how much a value moves on other grids, where these resolve it."""
    height, _ = objective.on(objective.evaluator.with_grid(tolerance=_OTHER))(coords)
    return abs(objective.value(height) - value) if math.isfinite(height) else 0.0


def _functional(model: Model, level: int, quenched: bool) -> FreeEnergy:
    fe = free_energy(model, level)
    return fe if quenched else without_quenched_average(fe)


def _end(coarse: Objective, fe: FreeEnergy, coords: Array) -> tuple[float, Array]:
    """Stationary point of the right kind next to a point; an infinite objective where there is none."""
    inside = ordered(fe)
    if not coarse.ascents(coords):
        coords, height, _ = descend(coarse, coords, domain=inside, gradient_tolerance=_GRADIENT)
        return height, coords
    unit = coarse.size(coarse(coords)[0])
    coords, height, size = follow(
        coarse,
        coords,
        coarse.ascents,
        domain=inside,
        gradient_tolerance=_FLAT * unit,
        iterations=_ITERATIONS,
        radius=_RADIUS,
    )
    if not size < _FLAT * unit:
        return math.inf, coords
    eigenvalues = np.linalg.eigvalsh(hessian(coarse, coords))
    right = int((eigenvalues < 0.0).sum()) == coarse.ascents(coords)
    return (height if right else math.inf), coords
