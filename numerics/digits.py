"""Any number of digits: Newton's method in balls, from a solution in doubles.

With a Hessian good to e digits every sweep of Newton's method adds e digits, and is evaluated with no more
digits than it can bring (a chord method with growing precision). The first Hessian is that of the doubles, of
five digits or so; a new one, a difference of gradients with as many digits as the point has, is made when
that is cheaper than the sweeps it saves: never at level 7 for fifty digits, five times at level 3 for a
thousand.

Error law. The value is stationary: what the point is off by, delta, enters as ``g' H^-1 g / 2``, of order
delta^2. To that come the trapezoid and truncation errors and the rounding of the last evaluation, which its
ball contains (`numerics.ballnest`), and a check by a second evaluation on other grids, in mpmath where
that takes seconds (`numerics.mpnest`), else in balls with more digits. What moves is refused.

Cost of one sweep: that of a gradient, of order D^3 at large D for levels above 3; D^2.5 at level 3.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
from flint import arb, arb_mat, ctx

from theory import free_energy
from theory.parameters import shown

from .ballplan import BallGrid
from .balls import to_digits
from .compile import evaluator_of
from .functional import BallFunctional, Point, functional_of
from .grids import ResolutionError
from .mpnest import evaluate_mp
from .solution import ENERGY, ConvergenceError, Solution, Statistics
from .stationary import hessian

__all__ = ["mpf_of", "refine", "route_in_mpmath"]

MAX_DIGITS = 1000
# Digits that the doubles' point and their Hessian are taken to have at first.
_POINT, _HESSIAN = 8, 5
# Digits beyond those wanted, in every evaluation.
_GUARD = 5
# Nodes times digits up to which the mpmath route, of seconds, is the check inside a solve.
_MP_WORK = 2_000_000
# Spacing of the second evaluation's grids, relative to the first's.
_OTHER = 0.83

Tell = Callable[[str, float], None]


def refine(
    solution: Solution, digits: int, tell: Tell | None = None, *, check: bool = True
) -> Solution:
    """Refine a stationary point to many digits.

    Parameters
    ----------
    solution : Solution
        In doubles; on the branches "finite", "merged", "closed form" or "satisfiable".
    digits : int
        Significant digits of the value and of the order parameters, 1 to 1000.
    tell : callable, optional
        Called as ``tell(stage, fraction)`` before every evaluation.
    check : bool
        Whether the value is evaluated a second time, by another route.

    Returns
    -------
    Solution
        With value, order parameters and error as `mpmath.mpf`; other branches as they were.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges.
    ConvergenceError
        If the sweeps do not converge, or for a minimum that ran away (the limit functional has as many
        digits as one likes, but it is not the level's).
    ResolutionError
        If two routes disagree, or the digits need too large a grid.
    """
    if not isinstance(solution, Solution):
        raise TypeError(f"expected a Solution, got {shown(solution)}")
    if isinstance(digits, bool) or not isinstance(digits, int | np.integer):
        raise TypeError(f"digits must be an integer, got {shown(digits)}")
    if not 1 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits must be between 1 and {MAX_DIGITS}, got {shown(int(digits))}")
    say = tell or (lambda stage, fraction: None)
    began = time.perf_counter()
    if solution.branch == "s -> infinity":
        raise ConvergenceError(
            f"level {solution.level} of {solution.model}: the minimum ran away to s -> infinity, and "
            f"{solution.digits} digits of it are known; ask for no more",
            solution.order_parameters,
            solution.gradient_norm,
        )
    if solution.branch == "satisfiable":
        return replace(solution, value=mpmath.mpf(0), digits=digits, error=mpmath.mpf(0))
    if not solution.order_parameters:
        return _closed(solution, digits)
    if solution.branch == "merged":
        return _merged(solution, digits, say, check)
    functional, start = functional_of(solution)
    theta, point, decrement, norm, count = _newton(functional, start, digits, say)
    error = _distance(point.value) + abs(decrement)
    if check:
        say("check", 0.9)
        other = _second_value(functional, theta, digits, point)
        error = max(error, abs(mpf_of(point.value, digits) - other))
    value = mpf_of(point.value, digits)
    with mpmath.workdps(digits + 10):
        size = value if solution.symbol == "alpha" else max(abs(value), mpmath.mpf(ENERGY))
        if not error < size * mpmath.mpf(10) ** -digits:
            raise ResolutionError(
                f"level {solution.level} of {solution.model}: {digits} digits were asked for, but two routes "
                f"differ by {mpmath.nstr(error, 3)} at {mpmath.nstr(value, 20)}"
            )
    with ctx.workdps(digits + 10):
        table = {
            name: mpf_of(ball, digits)
            for name, ball in functional.order_parameters(functional.gaps(theta)).items()
        }
    fe = functional.fe
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    spent = Statistics(count, point.nodes, 0, time.perf_counter() - began)
    refined = replace(
        solution,
        value=value,
        p=p,
        q=q,
        c=c,
        fields=fields,
        order_parameters=table,
        gradient_norm=norm,
        digits=digits,
        error=error,
        statistics=spent,
        note="",
    )
    others = tuple(b for b in solution.branches if b.value != solution.value)
    return replace(refined, branches=tuple(sorted((refined, *others), key=lambda b: b.value)))


def _closed(solution: Solution, digits: int) -> Solution:
    """A closed form."""
    level = solution.level
    while (fe := free_energy(solution.model, level)).order_parameters:
        level -= 1  # merged with a level that is closed
    ball = to_digits(fe.expr, digits + 1, 0.0 if fe.is_capacity else ENERGY)
    value, error = mpf_of(ball, digits), _distance(ball)
    found = replace(solution, value=value, digits=digits, error=error)
    return replace(found, branches=(found,))


def _merged(solution: Solution, digits: int, say: Tell, check: bool) -> Solution:
    """The level below's point, under this level's name."""
    for level in range(solution.level - 1, 0, -1):
        fe = free_energy(solution.model, level)
        if abs(len(fe.q) - len(solution.q)) <= 1 and len(fe.c) == len(solution.c):
            below = replace(solution, level=level, branch="finite")
            found = refine(below, digits, say, check=check)
            return replace(found, level=solution.level, branch="merged", note=solution.note)
    raise ConvergenceError(
        f"no level below {solution.level} has the order parameters of the point it merged with",
        solution.order_parameters,
        solution.gradient_norm,
    )


# -- Newton's method -------------------------------------------------------------------------------


def _newton(
    functional: BallFunctional, start: Sequence[float], digits: int, say: Tell
) -> tuple[list[arb], Point, Any, Any, int]:
    """Coordinates, value there, Newton decrement, gradient norm, number of evaluations."""
    theta = [arb(t) for t in start]
    n = len(theta)
    wanted = digits + _GUARD
    known, count, before = float(_POINT), 0, 0.0
    accuracy = _HESSIAN
    inverse = _doubles_inverse(functional, start)
    for _ in range(wanted // 2 + 20):
        sweeps = math.ceil((wanted - known) / accuracy)
        if sweeps > n + 2 and known >= 2 * accuracy:
            accuracy, before = int(known), 0.0
            say(f"Hessian, {accuracy} digits", _progress(known, wanted))
            inverse = _inverse_hessian(functional, theta, accuracy)
            count += n + 1
        work = min(wanted, math.ceil(known) + accuracy + _GUARD)
        say(f"sweep, {work} digits", _progress(known, wanted))
        point = functional(theta, BallGrid(work), gradient=True)
        count += 1
        with ctx.workdps(work + 15):
            gradient = [arb(g.mid()) for g in point.gradient]
            step = inverse * arb_mat(n, 1, gradient)
            moves = [arb(step[i, 0].mid()) for i in range(n)]
            decrement = sum((g * m for g, m in zip(gradient, moves, strict=True)), arb(0)) / 2
            size = -_log10(max((abs(m) for m in moves), key=lambda m: m.mid()))
            if work == wanted and size >= digits:
                norm = mpf_of(sum((g * g for g in gradient), arb(0)).sqrt(), 15)
                return theta, point, mpf_of(decrement, 15), norm, count
            theta = [arb((t - m).mid()) for t, m in zip(theta, moves, strict=True)]
        if size < 3 or size < known - 8:
            raise ConvergenceError(
                f"level {functional.fe.level} of {functional.fe.model}: a Newton sweep with {work} digits "
                f"moved by 1e{-size:.0f} where {known:.0f} digits were known; the start is not near enough",
                {},
                math.nan,
            )
        if before:  # what a sweep really adds
            accuracy = max(2, round(min(size - before, 1.5 * accuracy)))
        before = size if size < work - 2 * _GUARD else 0.0
        # a sweep multiplies the distance by the error of the Hessian, and cannot see below its digits
        known = min(size + accuracy - 1.0, work - 3.0)
    raise ConvergenceError(
        f"level {functional.fe.level} of {functional.fe.model}: {digits} digits were not reached after "
        f"{count} evaluations; {known:.0f} are known",
        {},
        math.nan,
    )


def _progress(known: float, wanted: int) -> float:
    return 0.1 + 0.8 * min(max(known / wanted, 0.0), 1.0) ** 2


def _doubles_inverse(functional: BallFunctional, start: Sequence[float]) -> arb_mat:
    """Inverse of the Hessian in doubles, by central differences."""
    doubles = evaluator_of(functional.fe, functional.generic)

    def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
        found = doubles(theta)
        return found.value, found.gradient

    inverse = np.linalg.inv(hessian(function, np.array(start)))
    return arb_mat([[arb(float(x)) for x in row] for row in inverse])


def _inverse_hessian(functional: BallFunctional, theta: Sequence[arb], accuracy: int) -> arb_mat:
    """Inverse of the Hessian by forward differences of the gradient; n + 1 gradients of 2 e digits."""
    n = len(theta)
    grid = BallGrid(2 * accuracy + _GUARD)
    with ctx.workdps(2 * accuracy + 20):
        step = arb(10) ** -accuracy
        base = functional(theta, grid, gradient=True).gradient
        rows = []
        for i in range(n):
            moved = [t + step if j == i else t for j, t in enumerate(theta)]
            slopes = functional(moved, grid, gradient=True).gradient
            rows.append([arb(((a - b) / step).mid()) for a, b in zip(slopes, base, strict=True)])
        symmetric = [[(rows[i][j] + rows[j][i]) / 2 for j in range(n)] for i in range(n)]
        inverse = arb_mat(symmetric).inv()
        return arb_mat([[arb(inverse[i, j].mid()) for j in range(n)] for i in range(n)])


# -- the second route ------------------------------------------------------------------------------


def _second_value(
    functional: BallFunctional, theta: Sequence[arb], digits: int, point: Point
) -> Any:
    """The value by another route: in mpmath, or in balls on finer grids with more digits."""
    if point.nodes * digits <= _MP_WORK:
        return route_in_mpmath(functional, theta, digits + 2)
    again = functional(theta, BallGrid(digits + 10, coarsen=_OTHER))
    return mpf_of(again.value, digits)


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
    extra = math.ceil(-math.log10(min(functional.scales, default=1.0)))
    with mpmath.workdps(digits + extra + 15), ctx.workdps(digits + extra + 15):
        gaps = [mpf_of(g, digits + extra + 15) for g in functional.gaps(theta)]
        values = {
            str(x): mpf_of(ball, digits + extra + 15)
            for x, ball in zip(functional.program.parameters, functional.parameters(), strict=True)
        }
        return evaluate_mp(
            functional.generic, gaps, values, BallGrid(digits, coarsen), functional.scales
        )


# -- numbers ---------------------------------------------------------------------------------------


def mpf_of(ball: arb, digits: int) -> Any:
    """The midpoint of a ball as an mpf, exactly, whatever the precision; ``digits`` is for its caller."""
    mantissa, exponent = ball.mid().man_exp()
    with mpmath.workprec(max(int(mantissa).bit_length(), 53)):
        return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


def _distance(ball: arb) -> Any:
    """The radius of a ball as an mpf."""
    return mpf_of(arb(ball.rad()), 15)


def _log10(ball: arb) -> float:
    """Decimal logarithm of the size of the midpoint; -inf for 0."""
    from .ballnest import log_of

    return log_of(ball) / math.log(10.0)
