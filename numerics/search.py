"""One level: from starts to refined, checked and compared stationary points."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from theory import FreeEnergy
from theory.ground import without_quenched_average

from .compile import Evaluator
from .grids import ResolutionError
from .points import checked, named, objective_of, same_point
from .profile import profile_starts
from .runaway import first_limit, next_limit, runaway_solution, starts_near_limit
from .solution import ConvergenceError, Solution, Statistics
from .starts import Start, first_starts, ordered, seed, splits
from .stationary import follow, hessian, minimise

__all__ = ["Progress", "continued", "search"]

Array = NDArray[np.float64]
Progress = Callable[[int, str, float], None]

# Starts are found on coarse grids, where an evaluation costs a third; a level of a nest takes a
# twentieth of this work at any solution up to level 7.
_COARSE = {"tolerance": 1e-10, "work_limit": 4_000_000}
# A stationary point this close to the value below is that of the level below again, with liftings merged.
_MERGED = 1e-9
# A gap of a bounded chain below this has closed (finite exponents).
_EDGE = 1e-6
# Starts that end in the same saddle before a search stops: most of them do.
_ENOUGH = 4
# Stationary points of one level that seed the next.
_SEEDS = 3
# Beyond this exponent a minimum is called run away: the functional's remaining dependence on s,
# of order 1/s, is below what the Hessian in double precision can see.
_RUNAWAY = {3: 1e10}
_RUNAWAY_HIGHER = 1e7


def search(
    fe: FreeEnergy, below: Solution | None, digits: int, tell: Progress, coarsen: float
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
    digits : int
    tell : callable
        Progress, see `numerics.levels.solve`.
    coarsen : float

    Returns
    -------
    Solution

    Raises
    ------
    ConvergenceError, ResolutionError
    """
    try:
        variants = [without_quenched_average(fe), fe]
    except ValueError:
        variants = [fe]
    share = 1.0 / len(variants)
    searches = []
    for i, variant in enumerate(variants):

        def told(level: int, stage: str, fraction: float, i: int = i) -> None:
            tell(level, stage, share * (i + fraction))

        searches.append(_Search(variant, below, digits, told, coarsen))
    return _compared(searches, below)


def _compared(searches: list[_Search], below: Solution | None) -> Solution:
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
        if below is not None and first.objective(chosen) > first.objective(below) + 1e-9:
            chosen = _merged(first.fe, below) or chosen
    else:
        merged = _merged(first.fe, below)
        if merged is None:
            first.fail()
        assert merged is not None
        chosen = merged
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


def _merged(fe: FreeEnergy, below: Solution | None) -> Solution | None:
    """The level below again, where this level has no stationary point of its own."""
    if below is None or not fe.is_finite:
        return None
    return replace(
        below,
        level=fe.level,
        branch="merged",
        reason="no stationary point of its own was found at this level",
        note=f"the liftings of level {fe.level} merge into those of level {below.level}",
        branches=(),
    )


@dataclass(frozen=True)
class _End:
    """Where a search on coarse grids ended.

    Attributes
    ----------
    value : float
        Of the objective.
    theta : ndarray
    size : float
        Largest component of the gradient.
    split : str
    right : bool
        Whether it has the directions of ascent it should have.
    count : int
        Number of starts that ended here.
    """

    value: float
    theta: Array
    size: float
    split: str
    right: bool = True
    count: int = 1


class _Search:
    """The search of one level: what is shared between its stages."""

    def __init__(
        self,
        fe: FreeEnergy,
        below: Solution | None,
        digits: int,
        tell: Progress,
        coarsen: float,
    ) -> None:
        began = time.perf_counter()
        self.fe, self.below, self.digits, self.tell = fe, below, digits, tell
        self.fine = objective_of(fe, coarsen)
        self.coarse = self.fine.on(self.fine.evaluator.with_grid(**_COARSE))
        self.inside = ordered(fe)
        self.saddles = bool(fe.model.constraint) and (fe.is_finite or len(fe.q) > len(fe.c))
        annealed = not fe.is_finite and len(fe.q) == len(fe.c)
        self.profiled = annealed and fe.level == 3
        self.limit: Solution | None = None
        if annealed:
            if fe.level == 3:
                self.limit = first_limit(fe, below, 15)
            else:
                self.limit = next_limit(fe, below, checked, coarsen, _COARSE)

        ends, runaway = self._ends(self._starts())
        self._lowest = ends[:1]
        self.points, self._failure = self._refined(ends)
        if runaway is not None and not any(
            self.objective(p) < runaway[0] - 1e-9 for p in self.points
        ):
            table = named(self.fine, runaway[1])
            self.points.append(runaway_solution(self.fine, runaway[1], self.limit, table, digits))
        self.seconds = time.perf_counter() - began

    # -- starts ------------------------------------------------------------------------------------

    def _starts(self) -> list[Start]:
        if self.profiled:
            return profile_starts(
                self.coarse, self.limit, lambda x: self.tell(3, "scan", 0.05 + 0.45 * x)
            )
        below = self.below
        if below is None or below.branch == "closed form":
            starts = first_starts(self.fe)
        else:
            seeds = [b for b in below.branches if b.branch == "finite"][:_SEEDS]
            starts = [s for point in seeds for s in splits(self.fe, seed(point))]
        if self.limit is not None:
            starts += starts_near_limit(self.coarse, self.limit)
        return starts

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
            if runs and math.exp(end.theta[outermost]) > threshold:
                if runaway is None or end.value < runaway[0]:
                    runaway = (end.value, end.theta)
                continue
            if lowest is None or end.value < lowest.value:
                lowest = end
            if end.size >= 1e-2:
                continue
            for i, other in enumerate(distinct):
                if _same(end, other):
                    best = min(end, other, key=lambda e: e.value)
                    distinct[i] = replace(best, count=other.count + 1)
                    break
            else:
                distinct.append(end)
            if self.saddles and any(e.right and e.count >= _ENOUGH for e in distinct):
                break
        distinct.sort(key=lambda end: (not end.right, end.value))
        return distinct or ([] if lowest is None else [lowest]), runaway

    def _followed(self, start: Start) -> _End:
        """End of the search from one start."""
        theta = start.theta(self.coarse.evaluator.coordinates)
        if not self.saddles:
            theta, value, size = minimise(
                self.coarse, theta, domain=self.inside, gradient_tolerance=1e-5
            )
            return _End(value, theta, size, start.split)
        if self.fe.fields and not self.fe.is_finite:
            fugacity = np.array([theta.size - 1], dtype=np.intp)  # moved by decades by a split
            theta, _, _ = minimise(self.coarse, theta, free=fugacity, gradient_tolerance=1e-2)
        theta, value, size = follow(
            self.coarse, theta, self.coarse.ascents, domain=self._apart, gradient_tolerance=1e-7
        )
        merged = self.below is not None and abs(value - self.objective(self.below)) < _MERGED
        if merged or not size < 1e-5:
            return _End(math.inf, theta, size, start.split)
        eigenvalues = np.linalg.eigvalsh(hessian(self.coarse, theta))
        right = int((eigenvalues < 0.0).sum()) == self.coarse.ascents(theta)
        return _End(value, theta, size, start.split, right)

    def _apart(self, theta: Array) -> bool:
        """Whether no order parameter has run away to the bound of its chain: levels have merged."""
        fe, gaps = self.fe, self.coarse.evaluator.coordinates.gaps(theta)
        bounded = len(fe.p) + len(fe.q) + bool(fe.p) + bool(fe.q)
        return self.inside(theta) and not (fe.is_finite and gaps[:bounded].min(initial=1.0) < _EDGE)

    # -- ends --------------------------------------------------------------------------------------

    def _refined(self, ends: list[_End]) -> tuple[list[Solution], Exception | None]:
        points: list[Solution] = []
        failure: Exception | None = None
        for index, end in enumerate(ends[: _SEEDS + 1]):
            theta, split = end.theta, end.split
            self.tell(self.fe.level, "refine", 0.8 + 0.2 * index / min(len(ends), _SEEDS + 1))
            if not self.saddles:
                theta, _, _ = minimise(
                    self.fine, theta, domain=self.inside, gradient_tolerance=1e-8, iterations=60
                )
            try:
                found = checked(self.fine, self.fe, theta, split, self.digits)
            except (ConvergenceError, ResolutionError) as error:
                failure = failure or error
                continue
            if not any(same_point(found, other) for other in points):  # two starts can end in one
                points.append(found)
        return points, failure

    # -- what was found ----------------------------------------------------------------------------

    @property
    def evaluators(self) -> tuple[Evaluator, Evaluator]:
        """What the search spent its time in."""
        return self.fine.evaluator, self.coarse.evaluator

    def objective(self, point: Solution) -> float:
        """The objective's value at a point."""
        return math.log(point.value) if self.fine.logarithmic else self.fine.sign * point.value

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
        return self.fine.ascents(coordinates.from_order_parameters(point.order_parameters))

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

    def fail(self) -> None:
        """Raise, with the best point there was."""
        if self._failure is not None:
            raise self._failure
        theta, size = (
            (self._lowest[0].theta, self._lowest[0].size) if self._lowest else (None, math.nan)
        )
        raise ConvergenceError(
            f"no stationary point found at level {self.fe.level} of {self.fe.model}; smallest gradient "
            f"reached {size:.1e}",
            {} if theta is None else named(self.fine, theta),
            size,
        )


def continued(fe: FreeEnergy, start: Solution, digits: int, coarsen: float) -> Solution:
    """Follow a stationary point from nearby model parameters."""
    began = time.perf_counter()
    objective = objective_of(fe, coarsen)
    ev = objective.evaluator
    theta = ev.coordinates.from_order_parameters(start.order_parameters)
    if not objective.ascents(theta):
        theta, _, _ = minimise(objective, theta)
    found = checked(objective, fe, theta, "continued in the parameters", digits)
    spent = Statistics(ev.evaluations, ev.exponentials, ev.products, time.perf_counter() - began)
    found = replace(found, statistics=spent)
    return replace(found, branches=(found,))


def _same(a: _End, b: _End) -> bool:
    """Whether two ends of a search lie in one basin.

    Where the outermost exponent is in the thousands, it and its Q (s Q fixed) are a flat direction,
    along which a search may stop early.
    """
    steps = np.sort(np.abs(a.theta - b.theta))
    near = abs(a.value - b.value) < 3e-5 and steps[:-2].max(initial=0.0) < 5e-2
    return bool(steps[-1] < 2e-2 or near)
