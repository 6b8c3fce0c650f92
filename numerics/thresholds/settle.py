"""Settling a solution in balls: any number of digits, and an error that holds on every machine.

Doubles find a stationary point; what is reported of it is evaluated again in FLINT's balls, after as many
sweeps of Newton's method as the digits take (`numerics.thresholds.newton`).

Error law. The value is stationary: what the point is off by, delta, enters as the decrement ``g'
H^-1 g / 2``, of order delta^2; it is counted twice, for H is known to some digits only. To that
come the trapezoid and truncation errors and the rounding of the last evaluation, which its ball
contains (`numerics.balls.nest`), and the rounding of the result to a double. Where the strip of
analyticity of a leaf is not proved but found by looking, and beyond 15 digits, a second evaluation
on other grids checks it, in mpmath where that takes seconds (`numerics.balls.mp`), else in balls
with more digits. What moves is refused.

Cost of one sweep: that of a gradient, of order D^3 at large D for levels above 3; D^2.5 at level 3. For up to
15 digits it is one sweep, as a rule: milliseconds at level 3, a second or two at level 7.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
from flint import arb, ctx

from numerics.balls.functional import BallFunctional, Point
from numerics.balls.mp import evaluate_mp
from numerics.balls.numbers import mpf_of
from numerics.balls.plan import BallGrid
from numerics.balls.program import to_digits
from numerics.errors import ResolutionError
from numerics.functionals.doubles import evaluator_of
from numerics.functionals.identities import identity_residual
from theory import FreeEnergy, free_energy
from theory.parameters import shown
from theory.thresholds.finite_exponents import without_outermost_pair

from .faint.pair import completed, is_faint, reduced
from .functional import functional_of
from .newton import Tell, newton
from .solution import ENERGY, ConvergenceError, Solution, Statistics

__all__ = [
    "DOUBLE_DIGITS",
    "MAX_DIGITS",
    "check_digits",
    "closed_form",
    "refine",
    "route_in_mpmath",
]

MAX_DIGITS = 1000
#: Digits up to which numbers are floats.
DOUBLE_DIGITS = 15
# Digits that the point of a limit functional is settled to at least.
_LEAST = 9
# Nodes times digits up to which the mpmath route, of seconds, is the check inside a solve.
_MP_WORK = 2_000_000
# Spacing of the second evaluation's grids, relative to the first's.
_OTHER = 0.83


def refine(
    solution: Solution, digits: int, tell: Tell | None = None, *, check: bool | None = None
) -> Solution:
    """Settle a stationary point in balls: value, order parameters, and an error that holds.

    Parameters
    ----------
    solution : Solution
        Near a stationary point, as doubles find it.
    digits : int
        Significant digits of the value, 1 to 1000. Order parameters have as many, two fewer of up to 15.
    tell : callable, optional
        Called as ``tell(stage, fraction)`` before every evaluation.
    check : bool, optional
        Whether the value is evaluated a second time, by another route. By default for more than 15 digits,
        and where the strip of analyticity of a leaf is found by looking, not proved.

    Returns
    -------
    Solution
        With value, order parameters and error as `mpmath.mpf` for more than 15 digits; other branches as
        they were. A minimum that ran away keeps the digits it has.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges.
    ConvergenceError
        If the sweeps do not converge, or for more than 15 digits of a minimum that ran away (the limit
        functional has as many digits as one likes, but it is not the level's).
    ResolutionError
        If two routes disagree, if the digits need too large a grid, or if the value is beyond the doubles.
    """
    if not isinstance(solution, Solution):
        raise TypeError(f"expected a Solution, got {shown(solution)}")
    check_digits(digits)
    say = tell or (lambda stage, fraction: None)
    if solution.branch == "satisfiable":
        zero = mpmath.mpf(0) if digits > DOUBLE_DIGITS else 0.0
        return replace(solution, value=zero, digits=digits, error=zero)
    if not solution.order_parameters:
        return _closed(solution, digits)
    if solution.branch == "s -> infinity":
        return _ran_away(solution, digits, say)
    if is_faint(solution, digits):
        return _faint(solution, digits, say, check)
    return _stationary(solution, digits, say, check)


def check_digits(digits: int) -> None:
    """Refuse a number of digits that there cannot be.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(digits, bool) or not isinstance(digits, int | np.integer):
        raise TypeError(f"digits must be an integer, got {shown(digits)}")
    if not 1 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits must be between 1 and {MAX_DIGITS}, got {shown(int(digits))}")


def _stationary(solution: Solution, digits: int, say: Tell, check: bool | None) -> Solution:
    """A stationary point of the functional of its branch."""
    began = time.perf_counter()
    functional, start = functional_of(solution)
    end = newton(functional, start, digits, say)
    point, coords = end.point, end.coords
    value = mpf_of(point.value)
    with mpmath.workdps(digits + 10):
        error = _radius(point.value) + 2 * abs(end.decrement)
        if check or (check is None and (digits > DOUBLE_DIGITS or not point.proved)):
            say("check", 0.9)
            error = max(error, abs(value - _second_value(functional, coords, digits, point)))
        size = value if solution.symbol == "alpha" else max(abs(value), mpmath.mpf(ENERGY))
        if not error < size * mpmath.mpf(10) ** -digits:
            raise ResolutionError(
                f"level {solution.level} of {solution.model}: {digits} digits were asked for, but the "
                f"error is {mpmath.nstr(error, 3)} at {mpmath.nstr(value, 20)}"
            )
        norm = end.norm / value if solution.symbol == "alpha" else end.norm
    with ctx.workdps(digits + 10):
        gaps = functional.gaps(coords)
        table = {k: _number(x, digits) for k, x in functional.order_parameters(gaps).items()}
        widths = tuple(_number(g, digits) for g in gaps)
    fe = functional.fe
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    value, error = _rounded(value, error, digits, f"level {solution.level} of {solution.model}")
    before, again = solution.statistics, end.evaluations
    spent = Statistics(
        before.evaluations + again,
        before.exponentials + again * point.nodes,
        before.products,
        before.seconds + time.perf_counter() - began,
    )
    refined = replace(
        solution,
        value=value,
        residual=_residual(functional, widths, value, solution.branch),
        p=p,
        q=q,
        c=c,
        fields=fields,
        order_parameters=table,
        gaps=widths,
        gradient_norm=norm if digits > DOUBLE_DIGITS else float(norm),
        digits=digits,
        error=error,
        statistics=spent,
        note="" if solution.branch == "finite" else solution.note,
    )
    others = tuple(b for b in solution.branches if b.value != solution.value)
    return replace(refined, branches=tuple(sorted((refined, *others), key=lambda b: b.value)))


def _residual(
    functional: BallFunctional, gaps: Sequence[Any], value: Any, branch: str
) -> float | None:
    """`identity_residual` at a point, None where that is beyond the doubles."""
    if branch != "finite" or not math.isfinite(float(value)):
        return None
    try:
        doubles = evaluator_of(functional.fe, functional.generic)
        point = np.array([float(g) for g in gaps])
        return identity_residual(functional.generic, doubles, point, float(value))
    except ArithmeticError:
        return None


def closed_form(fe: FreeEnergy, digits: int = DOUBLE_DIGITS) -> Solution:
    """The value of a functional without order parameters; 15 digits at least.

    Where that bounds the minimum of a norm by a negative number, 0 bounds it better and is the value.

    Parameters
    ----------
    fe : theory.FreeEnergy
    digits : int

    Returns
    -------
    Solution

    Raises
    ------
    ResolutionError
        If the value is beyond the doubles, or cancels in too many digits.
    """
    began = time.perf_counter()
    digits = max(digits, DOUBLE_DIGITS)
    ball = to_digits(fe.expr, digits + 3, 0.0 if fe.is_capacity else ENERGY)
    where = f"level {fe.level} of {fe.model}"
    value, error = _rounded(mpf_of(ball), _radius(ball), digits, where)
    note = ""
    if value < 0 and not fe.is_capacity and fe.model.sign < 0:
        shown_value = mpmath.nstr(mpmath.mpf(value), 12)
        note = f"the functional is {shown_value}, but the minimum of a norm is not negative"
        value, error = abs(0 * value), 0 * error
    closed = Solution(
        fe.model,
        fe.level,
        value,
        digits=digits,
        error=error,
        branch="closed form",
        reason="a closed form",
        note=note,
        statistics=Statistics(1, 0, 0, time.perf_counter() - began),
    )
    return replace(closed, branches=(closed,))


def _faint(solution: Solution, digits: int, say: Tell, check: bool | None) -> Solution:
    """A point whose outermost pair nothing else feels: settled without it, and the pair put back."""
    point = reduced(solution)
    if point.order_parameters:
        point = _stationary(point, digits, say, check)
    else:
        fe = without_outermost_pair(free_energy(solution.model, solution.level))
        point = replace(closed_form(fe, digits), branch="finite", split=solution.split)
    settled, pair = completed(point, digits)
    unseen = mpmath.mpf(10) ** -digits
    if not pair.share < unseen / 100:
        return _stationary(solution, digits, say, check)
    note = f"the outermost overlaps change less than 1e{_places(pair.share)} of the value"
    if not pair.next_order < unseen:
        with suppress(ArithmeticError):
            return _stationary(solution, digits, say, check)
        note += f", and are known to a relative 1e{_places(pair.next_order)}"
    kept = replace(
        settled,
        digits=digits,
        inertia=solution.inertia,
        hessian_eigenvalues=solution.hessian_eigenvalues,
        reason=solution.reason,
        note=note,
    )
    others = tuple(b for b in solution.branches if b.value != solution.value)
    return replace(kept, branches=tuple(sorted((kept, *others), key=lambda b: b.value)))


def _places(share: Any) -> int:
    """The power of ten above a number."""
    return math.ceil(float(mpmath.log10(share)))


def _closed(solution: Solution, digits: int) -> Solution:
    """A closed form, or a level that merged with one."""
    level = solution.level
    while (fe := free_energy(solution.model, level)).order_parameters:
        level -= 1
    known = closed_form(fe, digits)
    closed = replace(solution, value=known.value, digits=known.digits, error=known.error)
    return replace(closed, branches=(closed,))


def _ran_away(solution: Solution, digits: int, say: Tell) -> Solution:
    """The limit functional's point, whose error is its distance to the functional of the level."""
    if digits > DOUBLE_DIGITS:
        raise ConvergenceError(
            f"level {solution.level} of {solution.model}: the minimum ran away to s -> infinity, and "
            f"{solution.digits} digits of it are known; ask for {DOUBLE_DIGITS} at most to have these",
            solution.order_parameters,
            solution.gradient_norm,
        )
    reached = min(digits, solution.digits)
    # fewer digits would not let Newton's method see the point
    settled = _stationary(solution, max(reached, _LEAST), say, None)
    note = solution.note
    if reached < digits:
        note += f": {reached} of the {digits} digits asked for were reached"
    error = max(settled.error, solution.error)
    return replace(settled, digits=reached, error=error, note=note)


# -- the second route ------------------------------------------------------------------------------


def _second_value(
    functional: BallFunctional, coords: Sequence[arb], digits: int, point: Point
) -> Any:
    """The value by another route: in mpmath, or in balls on finer grids with more digits."""
    small = point.nodes * digits <= _MP_WORK and not any(functional.rare)
    if digits > DOUBLE_DIGITS and small:
        return route_in_mpmath(functional, coords, digits + 2)
    again = functional(coords, BallGrid(digits + 10, coarsen=_OTHER))
    return mpf_of(again.value)


def route_in_mpmath(
    functional: BallFunctional, coords: Sequence[arb], digits: int, coarsen: float = _OTHER
) -> Any:
    """Value at a point in mpmath, on other grids than the balls'.

    Parameters
    ----------
    functional : BallFunctional
    coords : sequence of flint.arb
        Coordinates.
    digits : int
    coarsen : float
        Factor on the spacings.

    Returns
    -------
    mpf
    """
    extra = max(functional.lost, default=0)
    with mpmath.workdps(digits + extra + 15), ctx.workdps(digits + extra + 15):
        gaps = [mpf_of(g) for g in functional.gaps(coords)]
        values = {
            str(x): mpf_of(ball)
            for x, ball in zip(functional.program.parameters, functional.parameters(), strict=True)
        }
        return evaluate_mp(
            functional.generic,
            gaps,
            values,
            BallGrid(digits, coarsen),
            functional.lost[: len(functional.program.nests)],
        )


# -- numbers ---------------------------------------------------------------------------------------


def _number(ball: arb, digits: int) -> Any:
    """The midpoint as an mpf, or as a float where that has the digits."""
    return mpf_of(ball) if digits > DOUBLE_DIGITS else float(ball.mid())


def _rounded(value: Any, error: Any, digits: int, where: str) -> tuple[Any, Any]:
    """Value and error, rounded to floats where these have the digits; the error covers that.

    Raises
    ------
    ResolutionError
        If the value is beyond the doubles.
    """
    if digits > DOUBLE_DIGITS:
        return value, error
    rounded = float(value)
    if not math.isfinite(rounded) or (rounded == 0.0 and value != 0):
        raise ResolutionError(
            f"{where}: the value {mpmath.nstr(value, 6)} is beyond the range of doubles, in which values "
            f"of up to {DOUBLE_DIGITS} digits are given; ask for {DOUBLE_DIGITS + 1} or more"
        )
    with mpmath.workprec(120):
        return rounded, float(error + abs(value - mpmath.mpf(rounded))) * (1.0 + 1e-15)


def _radius(ball: arb) -> Any:
    """The radius of a ball as an mpf."""
    return mpf_of(arb(ball.rad()))
