"""One level: from starts to refined and compared stationary points.

Where starts come from: at the lowest level a profile along its exponent
(`numerics.thresholds.profile`) or first guesses; above it the level below with a lifting more, put
in where that lowers the objective to first order (`numerics.thresholds.insertions`); for a ground
state also the capacity of the same level, whose point it tends to as its exponents run to infinity.

What a search may say: a point of the right kind that improves on the level below; that the level merges with
level 1, where level 1 is stable against every lifting (`stable`) and no other point was met; or that it
failed. That nothing was found is a failure, not a result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from numerics.errors import ResolutionError
from numerics.functionals.doubles import Evaluator
from theory import FreeEnergy
from theory.thresholds.finite_exponents import without_quenched_average

from .insertions import distant, insertions
from .minimax import saddle
from .objective import Objective
from .points import located, named, objective_of, same_point
from .profile import capacity_starts, lowest_starts, profile_starts
from .runaway import first_limit, next_limit, runaway_solution, starts_near_limit
from .solution import ConvergenceError, Solution, Statistics, written
from .stability import level_one, stable
from .starts import Start, first_starts, interpolated, ordered, parted, seed, splits
from .stationary import descend, hessian, minimise

__all__ = ["Progress", "check_bounds", "search"]

Array = NDArray[np.float64]
Progress = Callable[[int, str, float], None]

# Starts are found on coarse grids, where an evaluation costs a third. The work of a level of a nest is
# limited to what would take a tenth of a second, and of a search to some multiple of what its start takes.
_COARSE: dict[str, Any] = {"tolerance": 1e-10, "work_limit": 200_000_000}
# How far below the level below a minimum lies at least, in the objective.
_ABOVE = 1e-10
# What high levels are searched with, which lie nearer to each other than the coarse grids' error, and the
# gradient, in the metric of the Hessian, at which they have arrived.
_NARROW, _STATIONARY = 1e-12, 1e-6
# A stationary point this close to the value below, relatively, is that of the level below again, with
# liftings merged: nothing that doubles could tell from it.
_MERGED = 1e-14
# A gap of a bounded chain below this has closed (finite exponents).
_EDGE = 1e-9
# Starts that end in the same saddle before a search stops: most of them do; the profile of the level below
# is one of those of high levels.
_ENOUGH, _ENOUGH_HIGHER = 3, 2
# Stationary points of one level that seed the next.
_SEEDS = 3
# Up to this level minima of other shapes are looked for at every place; above it the profile hardly changes,
# and a lifting more is tried where the objective falls fastest.
_COMPETING, _STEEPEST = 5, 2
# Beyond this exponent a minimum is called run away: the functional's remaining dependence on s,
# of order 1/s, is below what the Hessian in double precision can see.
_RUNAWAY = {3: 1e10}
_RUNAWAY_HIGHER = 1e7


def search(
    fe: FreeEnergy,
    below: Solution | None,
    tell: Progress,
    *,
    capacity: Solution | None = None,
) -> Solution:
    """Find the stationary points of one level.

    An even model at finite exponents is searched twice, with its outermost average and without (where
    p_r = q_r = 0); the lower of the two is physical.

    Parameters
    ----------
    fe : theory.FreeEnergy
        With order parameters, and numeric model parameters.
    below : Solution, optional
        Of the level below.
    tell : callable
        Progress, see `numerics.thresholds.solve.solve`.
    capacity : Solution, optional
        Of a ground state's perceptron at this level, below its density.

    Returns
    -------
    Solution
        In doubles, to be settled in balls.

    Raises
    ------
    ConvergenceError, ResolutionError
    """
    if below is not None and below.branch == "merged":
        # what level 1 is stable against are liftings of any number
        return _merged(fe, below, below.reason)
    try:
        variants = [without_quenched_average(fe), fe]
    except ValueError:
        variants = [fe]
    share = 1.0 / len(variants)
    searches = []
    for i, variant in enumerate(variants):

        def told(level: int, stage: str, fraction: float, i: int = i) -> None:
            tell(level, stage, share * (i + fraction))

        searches.append(_Search(variant, below, told, capacity))
    return _compared(fe, searches, below)


def _compared(fe: FreeEnergy, searches: list[_Search], below: Solution | None) -> Solution:
    """The physical point: the lowest of the right kind, if nothing lower was left unresolved."""
    first = searches[0]
    points = [(point, search) for search in searches for point in search.points]
    points.sort(key=lambda pair: first.objective(pair[0]))
    right = [pair for pair in points if pair[1].is_right(pair[0])]
    branches = [point for point, _ in points]
    if right:
        point, search = right[0]
        search.refuse_if_unresolved(point)
        chosen = replace(point, reason=search.reason(point, len(right), len(points)))
        check_bounds(first.fine, chosen, below)
    elif below is not None and below.branch == "closed form" and fe.is_finite:
        proof = stable(first.fine, fe) if below.level == 1 else ""
        if not proof:
            first.fail()
        chosen = _merged(fe, below, proof)
    else:
        first.fail()
    if chosen.branch in ("merged", "s -> infinity") and chosen.value not in [
        b.value for b in branches
    ]:
        branches.append(chosen)
    if first.limit is not None and all(b.branch != "s -> infinity" for b in branches):
        branches.append(first.limit)
    branches.sort(key=first.objective)
    evaluators = [ev for search in searches for ev in search.evaluators]
    spent = Statistics(
        sum(ev.evaluations for ev in evaluators),
        sum(ev.exponentials for ev in evaluators),
        sum(ev.products for ev in evaluators),
        sum(search.seconds for search in searches),
    )
    return replace(chosen, branches=tuple(branches), statistics=spent)


def check_bounds(objective: Objective, chosen: Solution, below: Solution | None) -> None:
    """Refuse what theory excludes: a level that does not improve on the one below.

    Parameters
    ----------
    objective : Objective
    chosen, below : Solution

    Raises
    ------
    ConvergenceError
    """
    if below is None:
        return
    here, before = objective.of_solution(chosen), objective.of_solution(below)
    if here > before + 1e-9 * objective.size(before):
        symbol = "alpha" if chosen.symbol == "alpha" else "xi"
        raise ConvergenceError(
            f"level {chosen.level} of {chosen.model}: the best stationary point found has {symbol} = "
            f"{written(chosen.value, 9)}, which does not improve on {written(below.value, 9)} of level "
            f"{below.level}; the level's own was not found",
            chosen.order_parameters,
            chosen.gradient_norm,
        )


def _merged(fe: FreeEnergy, below: Solution, reason: str) -> Solution:
    """Level 1 again, where it is stable."""
    return replace(
        below,
        level=fe.level,
        branch="merged",
        reason=reason,
        note=f"the liftings of level {fe.level} merge into those of level 1",
        branches=(),
    )


@dataclass(frozen=True)
class _End:
    """Where a search on coarse grids ended.

    Attributes
    ----------
    value : float
        Of the objective.
    coords : ndarray
    size : float
        Largest component of the gradient, relative.
    split : str
    right : bool
        Whether it has the directions of ascent it should have.
    count : int
        Number of starts that ended here.
    """

    value: float
    coords: Array
    size: float
    split: str = ""
    right: bool = True
    count: int = 1


class _Search:
    """The search of one level: what is shared between its stages."""

    def __init__(
        self, fe: FreeEnergy, below: Solution | None, tell: Progress, capacity: Solution | None
    ) -> None:
        began = time.perf_counter()
        self.fe, self.below, self.tell, self.capacity = fe, below, tell, capacity
        self.fine = objective_of(fe)
        coarse = {**_COARSE, "tolerance": _NARROW} if fe.level > _COMPETING else _COARSE
        self.coarse = self.fine.on(self.fine.evaluator.with_grid(**coarse))
        self.inside = ordered(fe)
        self.saddles = bool(fe.model.constraint) and (fe.is_finite or len(fe.q) > len(fe.c))
        annealed = not fe.is_finite and len(fe.q) == len(fe.c)
        self.profiled = annealed and fe.level == 3
        self.limit: Solution | None = None
        if annealed:
            if fe.level == 3:
                self.limit = first_limit(fe, below)
            else:
                self.limit = next_limit(fe, below, _COARSE)
        ends: list[_End] = []
        runaway = None
        for starts in (self._starts, self._capacity_starts, self._wide_starts):
            if not any(end.right for end in ends) and runaway is None:
                reached, runaway = self._ends(starts())
                ends = reached or ends
        self._lowest = ends[:1]
        self.points, self._failure = self._refined(ends)
        if runaway is not None and not any(
            self.objective(p) < runaway[0] - 1e-9 for p in self.points
        ):
            table = named(self.fine, runaway[1])
            self.points.append(runaway_solution(self.fine, runaway[1], self.limit, table))
        elif not ends and self.limit is not None:  # exponents near it are too large to be walked
            self.points.append(runaway_solution(self.fine, np.empty(0), self.limit, {}))
        self.seconds = time.perf_counter() - began

    # -- starts ------------------------------------------------------------------------------------

    def _starts(self) -> list[Start]:
        fe, below = self.fe, self.below
        if self.profiled:
            return profile_starts(
                self.coarse, self.limit, lambda x: self.tell(3, "scan", 0.05 + 0.45 * x)
            )
        self.tell(fe.level, "scan", 0.02)
        if below is None or below.branch == "closed form":
            if not fe.is_finite:
                starts = first_starts(fe)
            else:
                starts = lowest_starts(self.coarse, fe)
                point = level_one(self.coarse, fe) if len(fe.q) == len(fe.c) else None
                if point is not None:
                    starts += insertions(self.coarse, fe, point)
        else:
            seeds = self._seeds()
            lowest = seeds[:1] if fe.level > _COMPETING else []
            starts = [start for point in lowest for start in parted(fe, point)]
            starts += [s for point in seeds if (s := interpolated(fe, point)) is not None]
            few = bool(starts) and fe.level > _COMPETING
            for point in seeds[:1] if few else seeds:
                inserted = insertions(self.coarse, fe, point)
                starts += inserted[:_STEEPEST] if few else inserted
            if not self.saddles and fe.level <= _COMPETING:
                starts += self._wide_starts()
        if self.limit is not None:
            starts += starts_near_limit(self.coarse, self.limit)
        return starts

    def _capacity_starts(self) -> list[Start]:
        """Starts of a ground state from the capacity of its level."""
        if self.capacity is None:
            return []
        return capacity_starts(self.coarse, self.fe, self.capacity)

    def _wide_starts(self) -> list[Start]:
        """Starts far from the level below, for a level that does not begin next to it."""
        seeds = self._seeds()
        starts = [start for point in seeds for start in splits(self.fe, point)]
        if not self.fe.is_finite and self.saddles:
            starts += [s for point in seeds for s in distant(self.coarse, self.fe, point)]
        return starts

    def _seeds(self) -> list[Start]:
        """Points of the level below, of the same kind: with a quenched average or without."""
        if self.below is None:
            return []
        liftings = len(self.fe.q) - len(self.fe.c)
        points = [b for b in self.below.branches if b.branch == "finite"]
        return [seed(b) for b in points if len(b.q) - len(b.c) == liftings][:_SEEDS]

    def _ends(self, starts: list[Start]) -> tuple[list[_End], tuple[float, Array] | None]:
        """Distinct ends of the searches on coarse grids, and the lowest that ran away.

        Ends of the right kind come first.
        """
        level = self.fe.level
        threshold = _RUNAWAY.get(level, _RUNAWAY_HIGHER)
        runs = not self.fe.is_finite and bool(self.fe.c)
        outermost = len(self.fe.p) + len(self.fe.q) + len(self.fe.c) - 1
        offset, width = (0.5, 0.3) if self.profiled else (0.05, 0.75)
        distinct: list[_End] = []
        lowest: _End | None = None
        runaway: tuple[float, Array] | None = None
        for index, start in enumerate(starts):
            stage = f"minimise {index + 1}/{len(starts)}"
            self.tell(level, stage, offset + width * index / len(starts))
            end = self._followed(start)
            if not math.isfinite(end.value):
                continue
            if runs and math.exp(end.coords[outermost]) > threshold:
                if runaway is None or end.value < runaway[0]:
                    runaway = (end.value, end.coords)
                continue
            if lowest is None or end.value < lowest.value:
                lowest = end
            if end.size >= 1e-2:
                continue
            for i, other in enumerate(distinct):
                if self._same(end, other):
                    best = min(end, other, key=lambda e: e.value)
                    distinct[i] = replace(best, count=other.count + 1)
                    break
            else:
                distinct.append(end)
            enough = _ENOUGH if level <= _COMPETING else _ENOUGH_HIGHER
            if self.saddles and any(e.right and e.count >= enough for e in distinct):
                break
        distinct.sort(key=lambda end: (not end.right, end.value))
        return distinct or ([] if lowest is None else [lowest]), runaway

    def _followed(self, start: Start) -> _End:
        """End of the search from one start."""
        coords = start.coords(self.coarse.evaluator.coordinates)
        with self.coarse.limited(coords):
            end = self._saddle(coords) if self.saddles else self._minimised(coords)
        return replace(end, split=start.split)

    def _minimised(self, coords: Array) -> _End:
        if self.fe.level > _COMPETING:
            # valleys of high levels are long, and what is gained along them is what a level gains
            coords, value, size = descend(
                self.coarse, coords, domain=self.inside, gradient_tolerance=_STATIONARY
            )
        else:
            coords, value, size = minimise(
                self.coarse, coords, domain=self.inside, gradient_tolerance=1e-5
            )
        # a minimum lies below the level below, whose points are saddles here
        if self.below is not None and not value < self.objective(self.below) - _ABOVE:
            value = math.inf
        return _End(value, coords, size)

    def _saddle(self, coords: Array) -> _End:
        coords, value, size = saddle(
            self.coarse,
            coords,
            domain=self._apart,
            gradient_tolerance=1e-7 * self.coarse.size(self.coarse(coords)[0]),
        )
        unit = self.coarse.size(value)
        merged = self.below is not None and abs(value - self.objective(self.below)) < _MERGED * unit
        if merged or not size < 1e-5 * unit or self.coarse.is_excluded(value):
            return _End(math.inf, coords, size)
        curvature = hessian(self.coarse, coords)
        if not np.isfinite(curvature).all():
            return _End(math.inf, coords, size)
        eigenvalues = np.linalg.eigvalsh(curvature)
        right = int((eigenvalues < 0.0).sum()) == self.coarse.ascents(coords)
        return _End(value, coords, size / unit, right=right)

    def _apart(self, coords: Array) -> bool:
        """Whether no order parameter has run away to the bound of its chain: levels have merged."""
        fe, gaps = self.fe, self.coarse.evaluator.coordinates.gaps(coords)
        bounded = len(fe.p) + len(fe.q) + bool(fe.p) + bool(fe.q)
        return self.inside(coords) and not (
            fe.is_finite and gaps[:bounded].min(initial=1.0) < _EDGE
        )

    def _same(self, a: _End, b: _End) -> bool:
        """Whether two ends of a search lie in one basin.

        Where the outermost exponent is in the thousands, it and its Q (s Q fixed) are a flat direction,
        along which a search may stop early.
        """
        steps = np.sort(np.abs(a.coords - b.coords))
        close = abs(a.value - b.value) < 3e-5 * self.coarse.size(a.value)
        near = close and steps[:-2].max(initial=0.0) < 5e-2
        return bool(steps[-1] < 2e-2 or near)

    # -- ends --------------------------------------------------------------------------------------

    def _refined(self, ends: list[_End]) -> tuple[list[Solution], Exception | None]:
        points: list[Solution] = []
        failure: Exception | None = None
        for index, end in enumerate(ends[: _SEEDS + 1]):
            coords, split = end.coords, end.split
            self.tell(self.fe.level, "refine", 0.8 + 0.2 * index / min(len(ends), _SEEDS + 1))
            try:
                with self.fine.limited(coords):
                    if not self.saddles and self.fe.level <= _COMPETING:
                        coords, _, _ = minimise(
                            self.fine,
                            coords,
                            domain=self.inside,
                            gradient_tolerance=1e-8,
                            iterations=60,
                        )
                    point = located(self.fine, self.fe, coords, split)
            except (ConvergenceError, ResolutionError) as error:
                failure = failure or error
                continue
            if not any(same_point(point, other) for other in points):  # two starts can end in one
                points.append(point)
        return points, failure

    # -- what was found ----------------------------------------------------------------------------

    @property
    def evaluators(self) -> tuple[Evaluator, Evaluator]:
        """What the search spent its time in."""
        return self.fine.evaluator, self.coarse.evaluator

    def objective(self, point: Solution) -> float:
        """The objective's value at a point."""
        return self.fine.of_solution(point)

    def is_right(self, point: Solution) -> bool:
        """Whether a point has as many directions of ascent as the objective's roles say."""
        negative = point.inertia
        if self.fine.sign < 0:  # the inertia is that of the functional
            negative = len(point.hessian_eigenvalues) - point.inertia
        return negative == self._kind(point)

    def _kind(self, point: Solution) -> int:
        """Number of directions of ascent at a point."""
        if point.branch != "finite":
            return 0
        coordinates = self.fine.evaluator.coordinates
        return self.fine.ascents(coordinates.coords(np.array(point.gaps)))

    def reason(self, chosen: Solution, right: int, total: int) -> str:
        """Why the point was chosen, in a line."""
        kind = self._kind(chosen)
        what = f"stationary points with {kind} directions of ascent" if kind else "minima"
        if self.fine.sign < 0:
            what += " of -xi"
        only = "the only one" if right == 1 else f"the lowest of {right}"
        other = f", {total - right} of another kind" if total > right else ""
        return f"{only} of the {what} found{other}"

    def refuse_if_unresolved(self, chosen: Solution) -> None:
        """Raise if a minimum that could not be resolved lies lower."""
        if isinstance(self._failure, ConvergenceError) and not self._kind(chosen):
            lower = self._failure.best.get("value", math.inf)
            if lower < chosen.value * (1.0 - 1e-9):
                raise self._failure

    def fail(self) -> NoReturn:
        """Raise, with the best point there was."""
        if self._failure is not None:
            raise self._failure
        coords, size = (
            (self._lowest[0].coords, self._lowest[0].size) if self._lowest else (None, math.nan)
        )
        said = (
            f"smallest gradient reached {size:.1e}"
            if math.isfinite(size)
            else "no start has a value"
        )
        raise ConvergenceError(
            f"no stationary point found at level {self.fe.level} of {self.fe.model}; {said}",
            {} if coords is None else named(self.fine, coords),
            size,
        )
