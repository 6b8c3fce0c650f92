"""Thresholds and ground states: stationary points of a free energy, level by level.

The lowest level is a closed form, or searched from guesses. Level 3 of a symmetric perceptron is
searched along its exponent s: for each s on a geometric grid the two remaining order parameters are
minimised, upwards from small s and downwards from the s -> infinity functional, and every local minimum
of that profile becomes a start. Level r + 1 starts from every stationary point of level r with one lifting
more, put in at every place in turn (`numerics.starts`). All starts are followed on coarse grids, minimising
in some variables the maximum over others (`numerics.objective`); the distinct ends are refined by Newton's
method on grids that meet the error bound, and the value is then checked on grids twice as fine, at a tighter
tolerance and with wider windows.

A minimum whose outermost exponent runs away is replaced by the stationary point of the limit
functional (theory.infinite_exponent_limit); its error is the distance to the functional at the
largest exponent that was resolved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from theory import FreeEnergy, Model, free_energy
from theory.parameters import shown

from .balls import to_digits
from .satisfiable import Capacities, seeds_above
from .search import Progress, continued, search
from .solution import ENERGY, ConvergenceError, Solution, Statistics

__all__ = ["Progress", "lowest_level", "solve", "solve_levels"]

MAX_DIGITS = 1000
# Far beyond what can be told from the limit of all levels: each takes up to twice as long as the one below.
MAX_LEVEL = 50
# Digits of a solution in doubles; beyond these it is refined in balls.
DOUBLE_DIGITS = 15
# What a solution that is to be refined is asked for first.
_START_DIGITS = 11


def solve(
    model: Model,
    level: int,
    *,
    digits: int = 12,
    progress: Progress | None = None,
    start: Solution | None = None,
    coarsen: float = 1.0,
) -> Solution:
    """Threshold or ground-state energy of a model at one lifting level.

    Parameters
    ----------
    model : theory.Model
        With numeric parameters, e.g. ``SBP(kappa=1)``.
    level : int
        Lifting level r, at least `lowest_level`.
    digits : int, default 12
        Significant decimal digits wanted, 1 to 1000. Beyond 15 the solution is refined in balls
        (`numerics.digits`): value, order parameters and error are then `mpmath.mpf`.
    progress : callable, optional
        Called as ``progress(level, stage, fraction)`` with a fraction that rises from 0 to 1 per
        level.
    start : Solution, optional
        A solution of the same level at nearby model parameters: continuation in kappa instead of
        the search from level 2.
    coarsen : float, default 1
        Factor on every grid spacing, for convergence studies in doubles; a result that moves under
        refinement is refused.

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
        If the value moves by more than the digits asked for when every grid is refined.

    Notes
    -----
    Cost: about a millisecond per value and gradient at any level up to 7, some hundreds of
    evaluations per start, and r starts at level r. For the cost of many digits see `numerics.digits`.

    References
    ----------
    Stojnic, arXiv:2601.10628 (the functional and its levels).
    """
    _check(model, level, digits, coarsen)
    if start is not None:
        if not isinstance(start, Solution):
            raise TypeError(f"start must be a Solution of a nearby model, got {start!r}")
        return _continued(model, level, digits, start, coarsen)
    (found,) = solve_levels(model, [level], digits=digits, progress=progress, coarsen=coarsen)
    return found


def _refined(solution: Solution, digits: int, tell: Progress) -> Solution:
    """The solution as it is, or with more digits than doubles have."""
    if digits <= DOUBLE_DIGITS:
        return solution
    from .digits import refine

    return refine(solution, digits, lambda stage, x: tell(solution.level, stage, x))


def lowest_level(model: Model) -> int:
    """Lowest level there is: 2 in the hard-constraint limit, 1 at finite exponents."""
    return 1 if model.is_finite else 2


def solve_levels(
    model: Model,
    levels: Iterable[int],
    *,
    digits: int = 12,
    progress: Progress | None = None,
    coarsen: float = 1.0,
) -> Iterator[Solution]:
    """Thresholds level by level; every level up to the highest is solved, the wanted ones are yielded.

    Parameters
    ----------
    model : theory.Model
    levels : iterable of int
        Wanted levels, each at least `lowest_level`.
    digits, progress, coarsen
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
        _check(model, level, digits, coarsen)
    return _levels(model, wanted, digits, progress, coarsen)


def _check(model: Model, level: int, digits: int, coarsen: float) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a theory.Model such as SBP(kappa=1), got {model!r}")
    for name, number in (("level", level), ("digits", digits)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"{name} must be an integer, got {number!r}")
    if not 1 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits must be between 1 and {MAX_DIGITS}, got {shown(int(digits))}")
    if level > MAX_LEVEL:
        raise ValueError(f"level must be at most {MAX_LEVEL}, got {shown(int(level))}")
    if digits > DOUBLE_DIGITS and coarsen != 1:
        raise ValueError(
            f"coarsen is for studies in doubles; leave it out for more than {DOUBLE_DIGITS} digits"
        )
    if isinstance(coarsen, bool) or not isinstance(coarsen, int | float):
        raise TypeError(f"coarsen must be a positive number, got {coarsen!r}")
    if not (math.isfinite(coarsen) and coarsen > 0):
        raise ValueError(f"coarsen must be a positive finite number, got {coarsen!r}")
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
    model: Model, wanted: list[int], digits: int, progress: Progress | None, coarsen: float
) -> Iterator[Solution]:
    tell: Progress = progress or (lambda level, stage, fraction: None)
    below: Solution | None = None
    start_digits = digits if digits <= DOUBLE_DIGITS else _START_DIGITS

    def upto(other: Model, highest: int, precision: int) -> Iterator[Solution]:
        levels = list(range(lowest_level(other), highest + 1))
        return _levels(other, levels, precision, None, coarsen)

    capacities = Capacities(model, upto, wanted[-1])
    for level in range(lowest_level(model), wanted[-1] + 1):
        tell(level, "derive", 0.0)
        fe = free_energy(model, level)
        if not fe.order_parameters:
            found = _closed_form(fe)
        elif (satisfied := capacities.satisfied(level)) is not None:
            found = satisfied
        else:
            stand_in = below is not None and below.branch == "satisfiable"
            if stand_in:
                below = seeds_above(model, capacities, level - 1, upto)
            found = search(fe, below, start_digits, tell, coarsen)
            if stand_in and found.branch == "merged":
                raise ConvergenceError(
                    f"level {level} of {model}: alpha lies between the capacities of levels {level} and "
                    f"{level - 1}, and the energy, small there, was not found; try a larger alpha",
                    {},
                    math.nan,
                )
        below = found
        if level in wanted:
            found = _refined(found, digits, tell)
        tell(level, "done", 1.0)
        if level in wanted:
            yield found


def _closed_form(fe: FreeEnergy) -> Solution:
    began = time.perf_counter()
    value = float(to_digits(fe.expr, DOUBLE_DIGITS + 3, 0.0 if fe.is_capacity else ENERGY).mid())
    solution = Solution(
        fe.model,
        fe.level,
        value,
        digits=DOUBLE_DIGITS,
        error=math.ulp(value),
        branch="closed form",
        reason="a closed form",
        statistics=Statistics(1, 0, 0, time.perf_counter() - began),
    )
    return replace(solution, branches=(solution,))


def _continued(model: Model, level: int, digits: int, start: Solution, coarsen: float) -> Solution:
    if start.level != level or start.branch != "finite":
        raise ValueError(
            f"start must be a solution of level {level} on the branch 'finite', got level "
            f"{start.level} on '{start.branch}'; solve without start"
        )
    start_digits = digits if digits <= DOUBLE_DIGITS else _START_DIGITS
    found = continued(free_energy(model, level), start, start_digits, coarsen)
    return _refined(found, digits, lambda level, stage, fraction: None)
