"""Branches of the levels' stationary points, each followed from level to level by its profile.

A level has several stationary points of the right kind, which differ in where the last lifting was put. As
levels grow, the lowest one changes: a shape that begins higher may fall further. So all that were found are
followed, and what counts is what each of them tends to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from numerics.functionals.coordinates import Coordinates
from numerics.thresholds.insertions import insertions
from numerics.thresholds.minimax import saddle
from numerics.thresholds.objective import Objective, ascents
from numerics.thresholds.points import objective_of
from numerics.thresholds.profile import start_at
from numerics.thresholds.solution import Solution
from numerics.thresholds.starts import Start, gap, interpolated, logits, ordered, seed
from numerics.thresholds.stationary import Function, descend, follow, hessian, refine
from theory import FreeEnergy, Model, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

__all__ = [
    "DEAR",
    "TOLERANCE",
    "Branch",
    "branches_of",
    "climb",
    "functional",
    "gained",
    "ladder",
    "to_gain",
]

Array = NDArray[np.float64]

#: Tolerance of the grids that are searched on.
TOLERANCE = 1e-13
# Gradient (in the metric of the Hessian) to stop at: half of its square is missed.
_GRADIENT = 1e-7
# Branches that are followed; levels up to which new minima, and saddles, are looked for, in how many places.
_FOLLOWED, _EXPLORED, _STEEPEST = 3, (12, 8), 2
# Above these levels they are looked for where the lowest branch began no more levels ago than this.
_RECENT = 4
# Of profiles with a gap the lowest so many are followed on both sides; levels up to which other minima, and
# saddles, are looked for beside these.
_PARTED, _SETTLED = 2, (8, 6)
# Two ends of one level that differ by less, relative, are one.
_SAME = 1e-10
# A saddle's gradient; steps of Newton's method, and their length, that a profile's saddle is mostly within.
_FLAT, _NEAR, _RADIUS = 1e-8, 40, 0.25
# What may be left to be gained at a point that counts as reached, relative.
_REACHED = 1e-11
#: Operations of one value and gradient from which on a level is too dear.
DEAR = 100_000_000


@dataclass
class Branch:
    """One sequence of stationary points.

    Attributes
    ----------
    start : Start
        The point at its last level.
    quenched : bool
        Whether it has a quenched average.
    levels, values, points : list
        Consecutive levels, its values there in doubles, and their coordinates.
    left : float
        The largest part of a value that was left to be gained, by Newton's model, or by which values on two
        grids differ, of which roundings are the most part.
    merged : bool
        Whether it ended in another branch's point.
    before : Start or None
        The point at the level before its last one.
    """

    start: Start
    quenched: bool
    levels: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    points: list[Array] = field(default_factory=list)
    left: float = 0.0
    merged: bool = False
    before: Start | None = None


def branches_of(solution: Solution) -> list[Branch]:
    """The lowest branches of a solution, for levels to come."""
    whole = len(free_energy(solution.model, solution.level).q)
    branches = []
    for point in [b for b in solution.branches if b.branch == "finite"][:_FOLLOWED]:
        quenched = len(point.q) == whole
        fe = functional(solution.model, solution.level, quenched)
        coords = Coordinates(fe.chains).coords(np.array(point.gaps, dtype=float))
        branches.append(
            Branch(seed(point), quenched, [solution.level], [float(point.value)], [coords])
        )
    return branches


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
    Each branch is read as a profile at the next level's places, with what the last level changed done again,
    and minimised there (a saddle is followed).
    Where a profile has a gap (`starts.gap`), new liftings go to either side of it in turn: the
    two lowest are read with one more inside, which goes on the branch, and with one more outside. Of the
    lowest one a lifting more is also put where the objective falls fastest, up to level 12 (8 for saddles
    and for profiles with a gap, 6 for saddles with one), and further on where a profile without a gap began
    no more than four levels ago. What did not come to rest there has not reached the level.
    """
    work = 0
    while branches and branches[0].levels[-1] < highest and work <= DEAR:
        level = branches[0].levels[-1] + 1
        ends: list[tuple[float, Branch]] = []
        below = [branch.values[-1] for branch in branches]
        for start, branch in _starts(model, branches, level):
            fe = functional(model, level, branch.quenched)
            objective = objective_of(fe)
            coords = start.coords(objective.evaluator.coordinates)
            coarse = _coarse(objective)
            coords, left = _end(coarse, coords)
            before = objective.evaluator.exponentials + objective.evaluator.products
            height, _ = objective(coords)
            work = objective.evaluator.exponentials + objective.evaluator.products - before
            unit = objective.size(height)
            if not left < _REACHED * unit:  # nor where the height is not finite
                continue
            if any(abs(height - x) < _SAME * unit for x, _ in ends):
                branch.merged = True
                continue
            value = objective.value(height)
            if any(abs(value - x) < _SAME * abs(x) for x in below):  # two liftings have merged
                continue
            left *= value if objective.logarithmic else 1.0
            apart = abs(value - objective.value(coarse(coords)[0]))
            branch.left = max(branch.left, left, apart)
            branch.before = branch.start if branch.levels else None
            branch.start = start_at(objective, fe, coords, "profile")
            branch.levels.append(level)
            branch.values.append(value)
            branch.points.append(
                Coordinates(fe.chains).coords(objective.evaluator.coordinates.gaps(coords))
            )
            ends.append((height, branch))
        ends.sort(key=lambda pair: pair[0])
        branches = [branch for _, branch in ends[:_FOLLOWED]]
        if branches:
            yield branches


def ladder(branches: Sequence[Branch], sign: float) -> Branch:
    """The lowest point of every level, whatever branch it is of.

    Parameters
    ----------
    branches : sequence of Branch
        All that were met, of one kind: with a quenched average or without.
    sign : float
        -1 where the highest value is the lowest of the objective.

    Returns
    -------
    Branch
    """
    lowest: dict[int, tuple[float, Array, Branch]] = {}
    for branch in branches:
        for level, value, point in zip(branch.levels, branch.values, branch.points, strict=True):
            if level not in lowest or sign * value < sign * lowest[level][0]:
                lowest[level] = (value, point, branch)
    levels = sorted(lowest)
    values, points, owners = (list(x) for x in zip(*(lowest[r] for r in levels), strict=True))
    left = max(owner.left for owner in owners)
    last = owners[-1]
    return Branch(last.start, last.quenched, levels, values, points, left)


def _starts(model: Model, branches: list[Branch], level: int) -> list[tuple[Start, Branch]]:
    """The profiles of all branches at the next level, then the lowest one with a lifting more."""
    starts: list[tuple[Start | None, Branch]] = []
    parted: list[tuple[int, Array, Branch]] = []
    for branch in branches:
        x = logits(model, branch.start)
        inner = gap(x)
        if inner is None:
            fe = functional(model, level, branch.quenched)
            near = interpolated(fe, branch.start, before=branch.before)
            starts.append((near or interpolated(fe, branch.start), branch))
        elif len(parted) < _PARTED:
            parted.append((inner, x[inner - 1 : inner + 1], branch))
    met: list[tuple[int, Array, bool]] = []
    for more in (1, 0):
        for inner, (above, below), branch in parted:
            same = (
                n == inner + more and below < edges[0] and edges[1] < above
                for n, edges, quenched in met
                if quenched == branch.quenched
            )
            if not any(same):  # else another branch gets there, too
                met.append((inner + more, np.array([above, below]), branch.quenched))
                fe = functional(model, level, branch.quenched)
                start = interpolated(fe, branch.start, pieces=(inner, inner + more))
                starts.append((start, branch if more else Branch(branch.start, branch.quenched)))
    lowest = branches[0]
    fe = functional(model, level, lowest.quenched)
    rising = int(ascents(fe, lowest.start.s) > 0)
    explored = level <= (_SETTLED if parted else _EXPLORED)[rising]
    if explored or (not parted and level - lowest.levels[0] <= _RECENT):
        new = insertions(_coarse(objective_of(fe)), fe, lowest.start)[:_STEEPEST]
        starts += [(start, Branch(start, lowest.quenched)) for start in new]
    return [(start, branch) for start, branch in starts if start is not None]


def _coarse(objective: Objective) -> Objective:
    return objective.on(objective.evaluator.with_grid(tolerance=TOLERANCE))


def functional(model: Model, level: int, quenched: bool) -> FreeEnergy:
    """A level's functional, with its quenched average or, of an even model, without."""
    fe = free_energy(model, level)
    return fe if quenched else without_quenched_average(fe)


def _end(coarse: Objective, coords: Array) -> tuple[Array, float]:
    """Stationary point of the right kind next to a point, and what is left to gain; inf if there is none."""
    inside = ordered(coarse.fe)
    if coarse.ascents(coords):
        unit = coarse.size(coarse(coords)[0])
        with coarse.limited(coords):
            near, _, steepness = follow(
                coarse, coords, coarse.ascents, domain=inside,
                gradient_tolerance=_FLAT * unit, iterations=_NEAR, radius=_RADIUS,
            )  # fmt: skip
            if steepness < _FLAT * unit:
                coords = near
            else:
                coords, *_ = saddle(coarse, coords, domain=inside, gradient_tolerance=_FLAT * unit)
    else:
        coords, _, _ = descend(coarse, coords, domain=inside, gradient_tolerance=_GRADIENT)
    coords = refine(coarse, coords).coords  # what is flat moves far for so small a gradient
    rising, left = gained(coarse, coords)
    return coords, left if rising == coarse.ascents(coords) else math.inf


def gained(function: Function, coords: Array) -> tuple[int, float]:
    """Directions of ascent at a point, and what is left to gain there by Newton's model: of its Hessian.

    See Also
    --------
    to_gain
    """
    height, slope = function(coords)
    return to_gain(hessian(function, coords), slope) if math.isfinite(height) else (0, math.inf)


def to_gain(curvature: Array, slope: Array) -> tuple[int, float]:
    """Directions of ascent, and what is left to gain by Newton's model.

    Parameters
    ----------
    curvature : ndarray, shape (size, size)
        The Hessian.
    slope : ndarray, shape (size,)
        The gradient.

    Returns
    -------
    rising : int
    left : float
        inf where the Hessian is not known, or the objective is flat in a direction.
    """
    if not np.isfinite(curvature).all():
        return 0, math.inf
    eigenvalues, vectors = np.linalg.eigh(curvature)
    if not eigenvalues.all():
        return 0, math.inf
    along = vectors.T @ slope
    return int((eigenvalues < 0.0).sum()), 0.5 * float((along * along / np.abs(eigenvalues)).sum())
