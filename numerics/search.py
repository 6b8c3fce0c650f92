"""One level: from starts to refined, checked and compared stationary points."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from theory import FreeEnergy, free_energy
from theory.ground import without_quenched_average

from .compile import Evaluator, compile_program
from .grids import ResolutionError
from .objective import Objective
from .runaway import at_exponent, first_limit, next_limit, runaway_solution, starts_near_limit
from .solution import Branch, ConvergenceError, Solution, Statistics, supported_digits
from .starts import Start, first_starts, ordered, seed, splits
from .stationary import StationaryPoint, follow, hessian, minimise, refine

__all__ = ["Progress", "certified", "continued", "search"]

Array = NDArray[np.float64]
Progress = Callable[[int, str, float], None]

# Starts are found on coarse grids, where an evaluation costs a third; a level of a nest takes a
# twentieth of this work at any solution up to level 7.
_COARSE = {"tolerance": 1e-10, "work_limit": 4_000_000}
# Operations of one level at full resolution, twenty times what any solution up to level 7 takes; a point
# that needs more is far from all of them.
_FINE_WORK = 30_000_000
# A stationary point this close to the value below is that of the level below again, with liftings merged.
_MERGED = 1e-9
# Digits of an energy are relative to itself, or to this where it is nearly zero.
_ENERGY = 0.1
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
        self.fine = _objective(fe, coarsen)
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
                self.limit = next_limit(fe, below, certified, coarsen, _COARSE)

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
            return _profile_starts(
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
                found = certified(self.fine, self.fe, theta, split, self.digits)
            except (ConvergenceError, ResolutionError) as error:
                failure = failure or error
                continue
            if not any(_same_point(found, other) for other in points):  # two starts can end in one
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


def named(objective: Objective, theta: Array) -> dict[str, float]:
    """Order parameters and value of a point, by name."""
    coordinates = objective.evaluator.coordinates
    table = coordinates.order_parameters(coordinates.gaps(theta))
    table["value"] = objective.value(objective(theta)[0])
    return table


def continued(fe: FreeEnergy, start: Solution, digits: int, coarsen: float) -> Solution:
    """Follow a stationary point from nearby model parameters."""
    began = time.perf_counter()
    objective = _objective(fe, coarsen)
    ev = objective.evaluator
    theta = ev.coordinates.from_order_parameters(start.order_parameters)
    if not objective.ascents(theta):
        theta, _, _ = minimise(objective, theta)
    found = certified(objective, fe, theta, "continued in the parameters", digits)
    spent = Statistics(ev.evaluations, ev.exponentials, ev.products, time.perf_counter() - began)
    found = replace(found, statistics=spent)
    return replace(found, branches=(found,))


def _objective(fe: FreeEnergy, coarsen: float) -> Objective:
    """The objective of a free energy."""
    generic = free_energy(fe.model.generic, fe.level)  # compiled once for all parameters
    if len(generic.q) > len(fe.q):
        generic = without_quenched_average(generic)
    values = {str(x): float(v) for x, v in fe.model.parameters.items()}
    evaluator = Evaluator(compile_program(generic), values, coarsen=coarsen, work_limit=_FINE_WORK)
    return Objective.of(fe, evaluator)


def certified(
    objective: Objective, fe: FreeEnergy, theta: Array, split: str, digits: int
) -> Solution:
    """Refine a point, check it on finer grids and wider windows, and report it.

    Raises
    ------
    ConvergenceError
        If the refined point is not stationary to the digits asked for.
    ResolutionError
        If its value moves under refinement by more than these digits allow.
    """
    level, model, ev = fe.level, fe.model, objective.evaluator
    point = refine(objective, theta)
    value = objective.value(point.objective)
    norm = float(np.linalg.norm(point.gradient))
    if not math.isfinite(value):
        raise ConvergenceError(
            f"level {level} of {model}: a stationary point found on coarse grids is too fine to be resolved "
            "in double precision; no digits were reached",
            named(objective, theta),
            math.nan,
        )
    if not point.decrement < 10.0**-digits or not norm < 1e-4:
        raise ConvergenceError(
            f"level {level} of {model} did not converge: gradient norm {norm:.1e}, estimated relative "
            f"distance {point.decrement:.1e} at value {value:.12g}",
            named(objective, point.theta),
            norm,
        )
    at = ev(point.theta, gradient=False)
    checks = [
        ev.with_grid(coarsen=0.5 * ev.coarsen)(point.theta, gradient=False).value,
        ev.with_grid(tolerance=1e-3 * ev.tolerance)(point.theta, gradient=False).value,
    ]
    moved = max(abs(value - check) for check in checks)
    error = moved + at.error + objective.unit(value) * point.decrement + 2e-16 * abs(value)
    size = value if objective.logarithmic else max(abs(value), _ENERGY)
    if supported_digits(size, error) < digits:
        cure = "a smaller coarsen" if ev.coarsen > 1.0 else "fewer digits"
        raise ResolutionError(
            f"level {level} of {model}: the value {value:.15g} moves by {moved:.1e} when every grid is "
            f"refined and its error bound is {at.error:.1e}, more than {digits} digits allow; use {cure}"
        )
    return _solution(objective, fe, point, split, digits, error, "finite")


def _solution(
    objective: Objective,
    fe: FreeEnergy,
    point: StationaryPoint,
    split: str,
    digits: int,
    error: float,
    branch: Branch,
) -> Solution:
    coordinates = objective.evaluator.coordinates
    table = coordinates.order_parameters(coordinates.gaps(point.theta))
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    eigenvalues = np.sort(objective.sign * point.eigenvalues)
    return Solution(
        fe.model,
        fe.level,
        objective.value(point.objective),
        p,
        q,
        c,
        fields,
        table,
        float(np.linalg.norm(point.gradient)),
        int((eigenvalues < 0).sum()),
        tuple(map(float, eigenvalues)),
        digits,
        error,
        branch,
        split,
    )


def _same(a: _End, b: _End) -> bool:
    """Whether two ends of a search lie in one basin.

    Where the outermost exponent is in the thousands, it and its Q (s Q fixed) are a flat direction,
    along which a search may stop early.
    """
    steps = np.sort(np.abs(a.theta - b.theta))
    near = abs(a.value - b.value) < 3e-5 and steps[:-2].max(initial=0.0) < 5e-2
    return bool(steps[-1] < 2e-2 or near)


def _same_point(a: Solution, b: Solution) -> bool:
    pairs = zip(a.order_parameters.values(), b.order_parameters.values(), strict=True)
    return all(abs(x - y) <= 1e-5 * max(abs(x), abs(y)) for x, y in pairs)


def _profile_starts(
    objective: Objective, limit: Solution | None, tell: Callable[[float], None]
) -> list[Start]:
    """Local minima along s of the level-3 functional minimised over (p, Q)."""
    exponents = 2.0 ** np.arange(0.75, 10.5, 0.75)
    free = np.array([0, 1], dtype=np.intp)
    coordinates = objective.evaluator.coordinates

    def profile_point(theta: Array) -> tuple[float, Array]:
        end, value, _ = minimise(
            objective, theta, free=free, gradient_tolerance=1e-4, iterations=60
        )
        return value, end

    upwards = Start(np.array([0.1, 0.9]), np.array([1.0]), exponents[:1], "").theta(coordinates)
    profiles: list[list[tuple[float, Array]]] = [[], []]
    for i, s in enumerate(exponents):
        tell(0.5 * i / exponents.size)
        upwards[-1] = math.log(s)
        value, upwards = profile_point(upwards)
        profiles[0].append((value, upwards.copy()))
    if limit is not None:
        s = float(exponents[-1])
        for i in range(60):
            tell(0.5 + 0.5 * i / 60)
            profiles[1].append(profile_point(at_exponent(limit, s).theta(coordinates)))
            falling = i == 0 or profiles[1][-1][0] < profiles[1][-2][0]
            if not falling or s > 1e13:
                break
            s *= 3.0
        # and down again, each minimum the start of the next
        downwards = profiles[1][0][1].copy()
        for i, s in enumerate(exponents[-2::-1]):
            tell(0.75 + 0.25 * i / exponents.size)
            downwards[-1] = math.log(s)
            value, downwards = profile_point(downwards)
            profiles[1].insert(0, (value, downwards.copy()))
    starts = []
    for profile, name in zip(profiles, ("from small s", "from s -> infinity"), strict=True):
        values = [value for value, _ in profile]
        for i, (value, theta) in enumerate(profile):
            lower = i == 0 or values[i - 1] >= value
            upper = i == len(profile) - 1 or values[i + 1] >= value
            if lower and upper and math.isfinite(value):
                gaps = coordinates.gaps(theta)
                starts.append(Start(gaps[:2], gaps[2:3], gaps[3:], name))
    return starts
