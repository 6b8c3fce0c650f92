"""Thresholds and ground states: stationary points of a free energy, level by level.

The lowest level is a closed form, or searched along its exponent (`numerics.thresholds.profile`).
Level r + 1 starts from the stationary points of level r with one lifting more, put in where that
improves to first order (`numerics.thresholds.insertions`). All starts are followed in doubles on
coarse grids, minimising in some variables the maximum over others
(`numerics.thresholds.objective`); the distinct ends are refined by Newton's method on grids that
meet the error bound (`numerics.thresholds.search`). What is reported is then settled in balls
(`numerics.thresholds.settle`): value, error and order parameters do not depend on the machine.

A minimum whose outermost exponent runs away is replaced by the stationary point of the limit
functional (theory.infinite_exponent_limit); its error is the distance to the functional at the
largest exponent that was resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from numerics.errors import ResolutionError
from theory import FreeEnergy, Model, free_energy
from theory.parameters import shown
from theory.thresholds.finite_exponents import without_outermost_pair

from .continuation import continued, followed
from .faint.pair import completed, has_quenched_pair
from .functional import functional_of
from .newton import curvatures
from .points import objective_of, same_point
from .runaway import Capacities, runaway_solution
from .search import Progress, check_bounds, search
from .settle import DOUBLE_DIGITS, check_digits, closed_form, refine
from .solution import ConvergenceError, Solution, written

__all__ = ["Progress", "lowest_level", "solve", "solve_levels"]

# Far beyond what can be told from the limit of all levels: each takes up to twice as long as the one below.
MAX_LEVEL = 50
# Digits with which a point is followed.
_FOLLOWED = 16


def solve(
    model: Model,
    level: int,
    *,
    digits: int = 12,
    progress: Progress | None = None,
    start: Solution | None = None,
) -> Solution:
    """Threshold or ground-state energy of a model at one lifting level.

    Parameters
    ----------
    model : theory.Model
        With numeric parameters, e.g. ``SBP(kappa=1)``.
    level : int
        Lifting level r, at least `lowest_level`.
    digits : int, default 12
        Significant decimal digits wanted, 1 to 1000. Whatever their number, the solution is settled in
        balls (`numerics.thresholds.settle`); beyond 15, value, order parameters and error are `mpmath.mpf`.
    progress : callable, optional
        Called as ``progress(level, stage, fraction)`` with a fraction that rises from 0 to 1 per
        level.
    start : Solution, optional
        A solution of the same level at nearby model parameters: continuation in kappa instead of
        the search from level 2.

    Returns
    -------
    Solution
        The physical stationary point (`Solution.reason`); `Solution.branches` lists all that were found.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges.
    ConvergenceError
        If no start ends in a stationary point with the digits asked for; carries the best point.
    ResolutionError
        If the digits asked for need too large a grid, or the value is beyond the range of doubles.

    Notes
    -----
    Cost: about a millisecond per value and gradient in doubles at any level up to 7, some hundreds of
    evaluations per start, and r starts at level r; then one or two evaluations in balls, see
    `numerics.thresholds.settle`.

    References
    ----------
    Stojnic, arXiv:2601.10628 (the functional and its levels).
    """
    _check(model, level, digits)
    if start is not None:
        if not isinstance(start, Solution):
            raise TypeError(f"start must be a Solution of a nearby model, got {start!r}")
        return _continued(model, level, digits, start)
    (solution,) = solve_levels(model, [level], digits=digits, progress=progress)
    return solution


def lowest_level(model: Model) -> int:
    """Lowest level there is: 2 in the hard-constraint limit, 1 at finite exponents."""
    return 1 if model.is_finite else 2


def solve_levels(
    model: Model,
    levels: Iterable[int],
    *,
    digits: int = 12,
    progress: Progress | None = None,
) -> Iterator[Solution]:
    """Thresholds level by level; every level up to the highest is solved, the wanted ones are yielded.

    Parameters
    ----------
    model : theory.Model
    levels : iterable of int
        Wanted levels, each at least `lowest_level`.
    digits, progress
        As in `solve`.

    Yields
    ------
    Solution
        Lowest level first.

    Raises
    ------
    TypeError, ValueError, ConvergenceError, ResolutionError
        As in `solve`; bad input before the first level is computed.
    """
    wanted = sorted(set(levels))
    if not wanted:
        raise ValueError("no levels given; pass at least one")
    for level in wanted:
        _check(model, level, digits)
    return _levels(model, wanted, digits, progress)


def _check(model: Model, level: int, digits: int) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a theory.Model such as SBP(kappa=1), got {model!r}")
    if isinstance(level, bool) or not isinstance(level, int | np.integer):
        raise TypeError(f"level must be an integer, got {level!r}")
    check_digits(digits)
    if level > MAX_LEVEL:
        raise ValueError(f"level must be at most {MAX_LEVEL}, got {shown(int(level))}")
    fe = free_energy(model, int(level))
    if fe.is_finite and not model.prior.norm.is_number:
        raise ValueError(
            f"{model}: ground states with a free norm p_1 can be derived but not solved; leave alpha out "
            "for the capacity"
        )
    unset = fe.expr.free_symbols - set(fe.order_parameters)
    if unset:
        names = ", ".join(sorted(map(str, unset)))
        raise ValueError(f"{model.name} needs a number for {names}; pass it to the model")


def _levels(
    model: Model, wanted: list[int], digits: int, progress: Progress | None
) -> Iterator[Solution]:
    tell: Progress = progress or _silent
    for solution in searched(model, wanted[-1], tell, digits):
        if solution.level in wanted:
            settled = _settled(solution, digits, tell)
            tell(solution.level, "done", 1.0)
            yield settled
        else:
            tell(solution.level, "done", 1.0)


def searched(
    model: Model, highest: int, tell: Progress, digits: int = DOUBLE_DIGITS
) -> Iterator[Solution]:
    """All levels up to one as their searches find them, in doubles; their values are not settled.

    Parameters
    ----------
    model : theory.Model
    highest : int
    tell : callable
        As ``progress`` of `solve`.
    digits : int
        Of closed forms, and of the capacities that a ground state is compared with.

    Yields
    ------
    Solution

    Raises
    ------
    ConvergenceError, ResolutionError
        As in `solve`.
    """
    below: Solution | None = None

    def upto(other: Model, highest: int, precision: int) -> Iterator[Solution]:
        levels = list(range(lowest_level(other), highest + 1))
        return _levels(other, levels, precision, None)

    capacities = Capacities(model, upto, highest)
    faint = _Faint(model)
    for level in range(lowest_level(model), highest + 1):
        tell(level, "derive", 0.0)
        fe = free_energy(model, level)
        if not fe.order_parameters:
            solution = closed_form(fe, digits)
        elif (satisfied := capacities.satisfied(level)) is not None:
            solution = satisfied
        else:
            solution = faint.at(level, below) if faint.expected else None
            if solution is None:
                try:
                    solution = search(fe, below, tell, capacity=capacities.at(level))
                except ConvergenceError as error:
                    solution = faint.at(level, below)
                    if solution is None:
                        solution = _followed(model, level, below, error, tell)
        below = solution
        yield solution


def _followed(
    model: Model, level: int, below: Solution | None, error: ConvergenceError, tell: Progress
) -> Solution:
    """The level followed from other margins or densities, where its search failed.

    Raises
    ------
    ConvergenceError
        That of the search, where there is nothing to follow.
    """
    tell(level, "follow", 0.5)

    def elsewhere(other: Model) -> Solution:
        under: Solution | None = None
        for lower in range(lowest_level(other), level):
            part = free_energy(other, lower)
            under = search(part, under, _silent) if part.order_parameters else closed_form(part)
        return search(free_energy(other, level), under, _silent)

    try:
        solution = _confirmed(
            followed(model, elsewhere, lambda start: refine(start, _FOLLOWED, check=False)), below
        )
    except ConvergenceError as lost:
        raise ConvergenceError(f"{error}; {lost}", error.best, error.gradient_norm) from error
    return replace(solution, branches=(replace(solution, branches=()),))


class _Faint:
    """Levels of a model whose outermost pair is faint, from those without it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        #: Whether the level before was one.
        self.expected = False
        self._levels: dict[int, Solution] = {}

    def at(self, level: int, below: Solution | None) -> Solution | None:
        """A level by its point without the outermost pair; None where that is no way to it."""
        self.expected = False
        fe = free_energy(self.model, level)
        if not has_quenched_pair(fe):
            return None
        try:
            point = self._without(fe)
            whole, _ = completed(point, _FOLLOWED)
            check_bounds(objective_of(fe), whole, below)
        except ArithmeticError:
            return None
        self.expected = True
        reason = f"without the outermost overlaps, which are put back: {point.reason}"
        whole = replace(whole, reason=reason, split=point.split, branches=())
        return replace(whole, branches=(whole,))

    def _without(self, fe: FreeEnergy) -> Solution:
        """The level at p_r = q_r = 0.

        Raises
        ------
        ConvergenceError
        """
        for level in range(lowest_level(self.model), fe.level + 1):
            if level not in self._levels:
                self._levels[level] = self._found(self.model, level, self._levels.get(level - 1))
        return self._levels[fe.level]

    @staticmethod
    def _found(model: Model, level: int, below: Solution | None) -> Solution:
        def bare(other: Model, lower: int) -> FreeEnergy:
            fe = free_energy(other, lower)
            return without_outermost_pair(fe) if has_quenched_pair(fe) else fe

        def elsewhere(other: Model) -> Solution:
            under: Solution | None = None
            for lower in range(lowest_level(other), level + 1):
                fe = bare(other, lower)
                under = search(fe, under, _silent) if fe.order_parameters else closed_form(fe, 16)
            assert under is not None
            return under

        fe = bare(model, level)
        if not fe.order_parameters:
            return closed_form(fe, 16)
        try:
            return search(fe, below, _silent)
        except ConvergenceError:
            found = followed(model, elsewhere, lambda start: refine(start, _FOLLOWED, check=False))
            return _confirmed(found, below)


def _confirmed(solution: Solution, below: Solution | None) -> Solution:
    """A followed point with the curvatures it has where it arrived, if it is still of the right kind.

    Raises
    ------
    ConvergenceError
    """
    functional, coords = functional_of(solution)
    objective = objective_of(functional.fe)
    values = curvatures(functional, coords)
    inertia = sum(x < 0.0 for x in values)
    index = inertia if objective.sign > 0.0 else len(values) - inertia
    if index != objective.ascents(np.array(coords)):
        raise ConvergenceError(
            f"the point followed to {solution.model} has {index} directions of ascent there, not the "
            f"{objective.ascents(np.array(coords))} of level {solution.level}",
            {name: float(x) for name, x in solution.order_parameters.items()},
            float(solution.gradient_norm),
        )
    check_bounds(objective, solution, below)
    unit = solution.value if objective.logarithmic else 1  # of the logarithm's Hessian
    eigenvalues = tuple(float(x / unit) for x in values)
    return replace(solution, inertia=inertia, hessian_eigenvalues=eigenvalues)


def _silent(level: int, stage: str, fraction: float) -> None:
    """Tell nothing."""


def _settled(solution: Solution, digits: int, tell: Progress) -> Solution:
    """A solution with the digits asked for, and its other branches with those of a double."""

    def told(stage: str, fraction: float) -> None:
        tell(solution.level, stage, fraction)

    settled = _refined(solution, digits, told)
    branches = [replace(settled, branches=())]
    lost = []
    for branch in solution.branches:
        if branch.value == solution.value:
            continue
        try:
            few = min(digits, DOUBLE_DIGITS) if isinstance(branch.value, float) else digits
            other = refine(replace(branch, branches=()), few, told)
        except ArithmeticError as error:
            lost.append(
                f"a point found near {written(branch.value, 6)} could not be settled: {error}"
            )
            continue
        if not any(same_point(other, known) for known in branches):
            branches.append(other)
    branches.sort(key=lambda b: b.value)
    settled = _not_runaway(settled, branches, digits, told)
    note = "; ".join([*([settled.note] if settled.note else []), *lost])
    return replace(settled, branches=tuple(branches), note=note)


def _not_runaway(
    settled: Solution, branches: list[Solution], digits: int, tell: Callable[[str, float], None]
) -> Solution:
    """A minimum below the functional at s -> infinity, where balls see one that doubles do not."""
    if settled.branch != "s -> infinity":
        return settled
    for branch in branches:
        if branch.branch == "finite" and branch.value < settled.value:
            try:
                found = _confirmed(branch, None)
                if found.digits < digits:
                    found = refine(found, digits, tell)
            except ArithmeticError:
                continue
            return replace(found, reason=settled.reason, statistics=settled.statistics)
    return settled


def _refined(solution: Solution, digits: int, tell: Callable[[str, float], None]) -> Solution:
    """A solution from balls; where its exponent is too large for these, the functional at s -> infinity.

    Both are right then, and which one a search ends in is a matter of rounding.
    """
    try:
        return refine(solution, digits, tell)
    except ResolutionError:
        limits = [b for b in solution.branches if b.branch == "s -> infinity"]
        if solution.branch != "finite" or not limits:
            raise
        objective = objective_of(free_energy(solution.model, solution.level))
        known = runaway_solution(objective, np.empty(0), limits[0], {})
        if abs(known.value - solution.value) > known.error:
            raise
        reached = replace(
            known,
            branches=solution.branches,
            statistics=solution.statistics,
            reason=solution.reason,
        )
        return refine(reached, digits, tell)


def _continued(model: Model, level: int, digits: int, start: Solution) -> Solution:
    if start.level != level or start.branch != "finite":
        raise ValueError(
            f"start must be a solution of level {level} on the branch 'finite', got level "
            f"{start.level} on '{start.branch}'; solve without start"
        )
    return _settled(continued(free_energy(model, level), start), digits, _silent)
