"""Settling a solution in balls: any number of digits, and an error that holds on every machine.

Doubles find a stationary point; what is reported of it is evaluated again in FLINT's balls. With a
Hessian good to e digits every sweep of Newton's method adds e digits, and is evaluated with no more digits
than it can bring (a chord method with growing precision). The first Hessian is that of the doubles, of two to
five digits; a new one, a difference of gradients with as many digits as the point has, is made when that is
cheaper than the sweeps it saves: never at level 7 for fifty digits, five times at level 3 for a thousand.

Error law. The value is stationary: what the point is off by, delta, enters as ``g' H^-1 g / 2``, of order
delta^2. To that come the trapezoid and truncation errors and the rounding of the last evaluation, which its
ball contains (`numerics.balls.nest`), and the rounding of the result to a double. Where the strip of
analyticity of a leaf is not proved but found by looking, and beyond 15 digits, a second evaluation on other
grids checks it, in mpmath where that takes seconds (`numerics.balls.mp`), else in balls with more digits.
What moves is refused.

Cost of one sweep: that of a gradient, of order D^3 at large D for levels above 3; D^2.5 at level 3. For up to
15 digits it is one sweep, as a rule: milliseconds at level 3, a second or two at level 7.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
from flint import arb, arb_mat, ctx

from numerics.balls.functional import BallFunctional, Point
from numerics.balls.mp import evaluate_mp
from numerics.balls.plan import BallGrid
from numerics.balls.program import to_digits
from numerics.functionals.doubles import evaluator_of
from numerics.nests.grids import ResolutionError
from theory import FreeEnergy, free_energy
from theory.parameters import shown

from .functional import functional_of
from .solution import ENERGY, ConvergenceError, Solution, Statistics, parameter_digits
from .stationary import hessian

__all__ = [
    "DOUBLE_DIGITS",
    "MAX_DIGITS",
    "check_digits",
    "closed_form",
    "mpf_of",
    "refine",
    "route_in_mpmath",
]

MAX_DIGITS = 1000
#: Digits up to which numbers are floats.
DOUBLE_DIGITS = 15
# Digits that the doubles' point is taken to have at first, and at least; and their Hessian at most.
_POINT, _LEAST, _HESSIAN = 8, 3, 5
# How often a Hessian is made again with more digits.
_LOOKS = 6
# Digits by which a sweep from far away has to come nearer, and the first one nearer than 1.
_NEARER = 0.3
# What a central difference of gradients is off by, relative to the largest eigenvalue.
_DIFFERENCE = 1e-8
# Digits beyond those wanted, in every evaluation.
_GUARD = 5
# Nodes times digits up to which the mpmath route, of seconds, is the check inside a solve.
_MP_WORK = 2_000_000
# Spacing of the second evaluation's grids, relative to the first's.
_OTHER = 0.83

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class _Settled:
    """Where Newton's method ended: coordinates, and what was evaluated one move before."""

    theta: list[arb]
    point: Point
    decrement: Any
    norm: Any
    evaluations: int


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
    if solution.branch == "merged":
        return _merged(solution, digits, say, check)
    if solution.branch == "s -> infinity":
        return _ran_away(solution, digits, say)
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
    found = _newton(functional, start, digits, say)
    point, theta = found.point, found.theta
    value = mpf_of(point.value)
    with mpmath.workdps(digits + 10):
        error = _radius(point.value) + abs(found.decrement)
        if check or (check is None and (digits > DOUBLE_DIGITS or not point.proved)):
            say("check", 0.9)
            error = max(error, abs(value - _second_value(functional, theta, digits, point)))
        size = value if solution.symbol == "alpha" else max(abs(value), mpmath.mpf(ENERGY))
        if not error < size * mpmath.mpf(10) ** -digits:
            raise ResolutionError(
                f"level {solution.level} of {solution.model}: {digits} digits were asked for, but the "
                f"error is {mpmath.nstr(error, 3)} at {mpmath.nstr(value, 20)}"
            )
        norm = found.norm / value if solution.symbol == "alpha" else found.norm
    with ctx.workdps(digits + 10):
        gaps = functional.gaps(theta)
        table = {k: _number(x, digits) for k, x in functional.order_parameters(gaps).items()}
        widths = tuple(_number(g, digits) for g in gaps)
    fe = functional.fe
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    value, error = _rounded(value, error, digits, f"level {solution.level} of {solution.model}")
    before, again = solution.statistics, found.evaluations
    spent = Statistics(
        before.evaluations + again,
        before.exponentials + again * point.nodes,
        before.products,
        before.seconds + time.perf_counter() - began,
    )
    refined = replace(
        solution,
        value=value,
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
    found = Solution(
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
    return replace(found, branches=(found,))


def _closed(solution: Solution, digits: int) -> Solution:
    """A closed form, or a level that merged with one."""
    level = solution.level
    while (fe := free_energy(solution.model, level)).order_parameters:
        level -= 1
    known = closed_form(fe, digits)
    found = replace(solution, value=known.value, digits=known.digits, error=known.error)
    return replace(found, branches=(found,))


def _merged(solution: Solution, digits: int, say: Tell, check: bool | None) -> Solution:
    """The level below's point, under this level's name."""
    for level in range(solution.level - 1, 0, -1):
        fe = free_energy(solution.model, level)
        if abs(len(fe.q) - len(solution.q)) <= 1 and len(fe.c) == len(solution.c):
            below = replace(solution, level=level, branch="finite")
            found = _stationary(below, digits, say, check)
            return replace(found, level=solution.level, branch="merged", note=solution.note)
    raise ConvergenceError(
        f"no level below {solution.level} has the order parameters of the point it merged with",
        solution.order_parameters,
        solution.gradient_norm,
    )


def _ran_away(solution: Solution, digits: int, say: Tell) -> Solution:
    """The limit functional's point, whose error is its distance to the functional of the level."""
    if digits > DOUBLE_DIGITS:
        raise ConvergenceError(
            f"level {solution.level} of {solution.model}: the minimum ran away to s -> infinity, and "
            f"{solution.digits} digits of it are known; ask for no more than {DOUBLE_DIGITS}",
            solution.order_parameters,
            solution.gradient_norm,
        )
    reached = min(digits, solution.digits)
    found = _stationary(solution, reached, say, None)
    note = solution.note
    if reached < digits:
        note += f": {reached} of the {digits} digits asked for were reached"
    return replace(found, error=max(found.error, solution.error), note=note)


# -- Newton's method -------------------------------------------------------------------------------


def _newton(functional: BallFunctional, start: Sequence[float], digits: int, say: Tell) -> _Settled:
    """Newton's method, until the point and the value have the digits wanted."""
    theta = [arb(t) for t in start]
    n = len(theta)
    inverse, accuracy, stiff = _doubles_inverse(functional, start)
    # what the gradient is off by moves the point by the inverse of the smallest eigenvalue
    guard = max(stiff, _GUARD)
    wanted = digits + guard
    enough = parameter_digits(digits)
    known, count, before, fresh = float(_POINT), 0, 0.0, False
    nearest = 0.0
    where = f"level {functional.fe.level} of {functional.fe.model}"
    for _ in range(wanted // 2 + 20):
        sweeps = math.ceil((wanted - known) / max(accuracy, 1))
        if accuracy < 2 or (sweeps > n + 2 and known >= 2 * accuracy):
            accuracy, before, fresh = max(int(known), _HESSIAN), 0.0, True
            say(f"Hessian, {accuracy} digits", _progress(known, wanted))
            inverse, stiff, spent = _inverse_hessian(functional, theta, accuracy, stiff)
            count += spent
            guard = max(stiff, guard)
            wanted = digits + guard
        work = math.ceil(known) + accuracy + guard
        work = wanted if work > wanted - _GUARD else work  # not one more sweep for a few digits
        say(f"sweep, {work} digits", _progress(known, wanted))
        point = functional(theta, BallGrid(work), gradient=True)
        count += 1
        with ctx.workdps(work + 15):
            gradient = [arb(g.mid()) for g in point.gradient]
            step = inverse * arb_mat(n, 1, gradient)
            moves = [arb(step[i, 0].mid()) for i in range(n)]
            decrement = sum((g * m for g, m in zip(gradient, moves, strict=True)), arb(0)) / 2
            size = -_log10(max((abs(m) for m in moves), key=lambda m: m.mid()))
            unit = abs(point.value) if functional.fe.is_capacity else arb(ENERGY)
            settled = abs(decrement) < unit * arb(10) ** -(digits + 3)
            moved = [arb((t - m).mid()) for t, m in zip(theta, moves, strict=True)]
            if work == wanted and size + accuracy - 1 >= enough and settled:
                norm = sum((g * g for g in gradient), arb(0)).sqrt()
                return _Settled(moved, point, mpf_of(decrement), mpf_of(norm), count)
        if not size >= max(_LEAST, known - 8):
            if fresh and not size > nearest + _NEARER:
                raise ConvergenceError(
                    f"{where}: a Newton sweep with {work} digits moved by 1e{-size:.0f}; the start is not "
                    "near enough",
                    {},
                    math.nan,
                )
            if fresh:  # from far away, with a Hessian a sweep, as long as they shorten
                theta, nearest = moved, size
            accuracy, known = 0, float(_LEAST)  # the doubles' Hessian is no good here
            continue
        theta = moved
        if before:  # what a sweep really adds
            accuracy = round(min(size - before, 1.5 * accuracy))
        before = size if size < work - _GUARD - guard else 0.0
        # a sweep multiplies the distance by the error of the Hessian, and cannot see below its digits
        known = min(size + max(accuracy, 1) - 1.0, work + 2.0 - guard)
    raise ConvergenceError(
        f"{where}: {digits} digits were not reached after {count} evaluations; {known:.0f} are known",
        {},
        math.nan,
    )


def _progress(known: float, wanted: int) -> float:
    return 0.1 + 0.8 * min(max(known / wanted, 0.0), 1.0) ** 2


def _doubles_inverse(
    functional: BallFunctional, start: Sequence[float]
) -> tuple[arb_mat, int, int]:
    """Inverse of the Hessian in doubles, its digits, and how many digits it takes from the gradient."""
    doubles = evaluator_of(functional.fe, functional.generic)

    def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            found = doubles(theta)
        except (ArithmeticError, ValueError):  # beyond the doubles
            return math.nan, np.full(theta.size, math.nan)
        return found.value, found.gradient

    point = np.array(start)
    curvature = hessian(function, point)
    finite = bool(np.isfinite(curvature).all())
    sizes = np.abs(np.linalg.eigvalsh(curvature)) if finite else np.zeros(1)
    if not sizes.min(initial=1.0) > 0.0:  # beyond the doubles: the balls' own will be made
        return arb_mat(len(start), len(start)), 0, _GUARD
    loss = math.log10(sizes.max() / sizes.min()) + math.log10(_DIFFERENCE)
    accuracy = min(_HESSIAN, math.floor(-loss))
    scale = abs(function(point)[0]) if functional.fe.is_capacity else 1.0
    stiff = max(0, math.ceil(math.log10(scale / sizes.min())))
    inverse = np.linalg.inv(curvature)
    return arb_mat([[arb(float(x)) for x in row] for row in inverse]), accuracy, stiff


def _inverse_hessian(
    functional: BallFunctional, theta: Sequence[arb], accuracy: int, stiff: int
) -> tuple[arb_mat, int, int]:
    """Inverse of the Hessian, how many digits it takes from the gradient, and the gradients it took.

    By forward differences of the gradient; n + 1 gradients of twice the digits. An eigenvalue that is smaller
    than these digits can tell is looked at again with more.
    """
    count = 0
    for _ in range(_LOOKS):
        inverse, size = _differences(functional, theta, accuracy + stiff)
        count += len(theta) + 1
        needed = math.ceil(-_log10(size))
        if needed <= stiff:
            return inverse, stiff, count
        stiff = needed + _GUARD
    raise ConvergenceError(
        f"level {functional.fe.level} of {functional.fe.model}: the Hessian is singular to {stiff} digits",
        {},
        math.nan,
    )


def _differences(
    functional: BallFunctional, theta: Sequence[arb], accuracy: int
) -> tuple[arb_mat, arb]:
    """Inverse of the Hessian, and the size of its smallest eigenvalue beside the functional."""
    n = len(theta)
    grid = BallGrid(2 * accuracy + _GUARD)
    with ctx.workdps(2 * accuracy + 20):
        step = arb(10) ** -accuracy
        point = functional(theta, grid, gradient=True)
        base = point.gradient
        rows = []
        for i in range(n):
            moved = [t + step if j == i else t for j, t in enumerate(theta)]
            slopes = functional(moved, grid, gradient=True).gradient
            rows.append([arb(((a - b) / step).mid()) for a, b in zip(slopes, base, strict=True)])
        symmetric = [[(rows[i][j] + rows[j][i]) / 2 for j in range(n)] for i in range(n)]
        try:
            inverse = arb_mat(symmetric).inv()
        except ZeroDivisionError:
            raise ConvergenceError(
                f"level {functional.fe.level} of {functional.fe.model}: the Hessian is singular",
                {},
                math.nan,
            ) from None
        entries = [[arb(inverse[i, j].mid()) for j in range(n)] for i in range(n)]
        largest = max((abs(x) for row in entries for x in row), key=lambda x: x.mid())
        scale = abs(point.value) if functional.fe.is_capacity else arb(1)
        return arb_mat(entries), 1 / (scale * largest)


# -- the second route ------------------------------------------------------------------------------


def _second_value(
    functional: BallFunctional, theta: Sequence[arb], digits: int, point: Point
) -> Any:
    """The value by another route: in mpmath, or in balls on finer grids with more digits."""
    if digits > DOUBLE_DIGITS and point.nodes * digits <= _MP_WORK:
        return route_in_mpmath(functional, theta, digits + 2)
    again = functional(theta, BallGrid(digits + 10, coarsen=_OTHER))
    return mpf_of(again.value)


def route_in_mpmath(
    functional: BallFunctional, theta: Sequence[arb], digits: int, coarsen: float = _OTHER
) -> Any:
    """Value at a point in mpmath, on other grids than the balls'.

    Parameters
    ----------
    functional : BallFunctional
    theta : sequence of flint.arb
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
        gaps = [mpf_of(g) for g in functional.gaps(theta)]
        values = {
            str(x): mpf_of(ball)
            for x, ball in zip(functional.program.parameters, functional.parameters(), strict=True)
        }
        return evaluate_mp(
            functional.generic, gaps, values, BallGrid(digits, coarsen), functional.lost
        )


# -- numbers ---------------------------------------------------------------------------------------


def mpf_of(ball: arb) -> Any:
    """The midpoint of a ball as an mpf, exactly, whatever the precision."""
    mantissa, exponent = ball.mid().man_exp()
    with mpmath.workprec(max(int(mantissa).bit_length(), 53)):
        return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


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
            f"{where}: the value {mpmath.nstr(value, 6)} is beyond the range of doubles; ask for "
            f"{DOUBLE_DIGITS + 1} digits or more"
        )
    with mpmath.workprec(120):
        return rounded, float(error + abs(value - mpmath.mpf(rounded))) * (1.0 + 1e-15)


def _radius(ball: arb) -> Any:
    """The radius of a ball as an mpf."""
    return mpf_of(arb(ball.rad()))


def _log10(ball: arb) -> float:
    """Decimal logarithm of the size of the midpoint; -inf for 0."""
    from numerics.balls.nest import log_of

    return log_of(ball) / math.log(10.0)
