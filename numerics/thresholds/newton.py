"""Newton's method in balls: a stationary point with any number of digits, from one in doubles.

With a Hessian good to e digits every sweep adds e digits, and is evaluated with no more digits than it can
bring (a chord method with growing precision). The first Hessian is that of the doubles, of two to
five digits; a new one, a difference of gradients with as many digits as the point has, is made when
that is cheaper than the sweeps it saves (never at level 7 for fifty digits, five times at level 3
for a thousand), or when the doubles' is no good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from flint import arb, arb_mat, ctx

from numerics.balls.functional import BallFunctional, Point
from numerics.balls.numbers import log_of, mpf_of
from numerics.balls.plan import BallGrid
from numerics.functionals.doubles import evaluator_of

from .solution import ENERGY, ConvergenceError, parameter_digits
from .stationary import hessian

__all__ = ["Settled", "Tell", "curvatures", "newton"]

# Digits that the doubles' point is taken to have at first, and at least; and their Hessian at most.
_POINT, _LEAST, _HESSIAN = 8, 3, 5
# How often a Hessian is made again with more digits.
_LOOKS = 6
# Digits by which a sweep from far away has to come nearer, and the first one nearer than 1.
_NEARER = 0.3
# What differences of gradients are off by, relative to the largest eigenvalue, and their step: two central
# ones, of this step and twice that, leave step^4.
_DIFFERENCE, _STEP = 1e-10, 2e-3
# Digits beyond those wanted, in every evaluation.
_GUARD = 5

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Settled:
    """Where Newton's method ended: coordinates, and what was evaluated one move before."""

    coords: list[arb]
    point: Point
    decrement: Any
    norm: Any
    evaluations: int


def newton(functional: BallFunctional, start: Sequence[float], digits: int, say: Tell) -> Settled:
    """Newton's method, until the point and the value have the digits wanted."""
    coords = [arb(t) for t in start]
    n = len(coords)
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
            inverse, stiff, spent = _inverse_hessian(functional, coords, accuracy, stiff)
            count += spent
            guard = max(stiff, guard)
            wanted = digits + guard
        work = math.ceil(known) + accuracy + guard
        work = wanted if work > wanted - _GUARD else work  # not one more sweep for a few digits
        say(f"sweep, {work} digits", _progress(known, wanted))
        point = functional(coords, BallGrid(work), gradient=True)
        count += 1
        with ctx.workdps(work + 15):
            gradient = [arb(g.mid()) for g in point.gradient]
            step = inverse * arb_mat(n, 1, gradient)
            moves = [arb(step[i, 0].mid()) for i in range(n)]
            decrement = sum((g * m for g, m in zip(gradient, moves, strict=True)), arb(0)) / 2
            size = -_log10(max((abs(m) for m in moves), key=lambda m: m.mid()))
            unit = abs(point.value) if functional.fe.is_capacity else arb(ENERGY)
            settled = abs(decrement) < unit * arb(10) ** -(digits + 3)
            moved = [arb((t - m).mid()) for t, m in zip(coords, moves, strict=True)]
            if work == wanted and size + accuracy - 1 >= enough and settled:
                norm = sum((g * g for g in gradient), arb(0)).sqrt()
                return Settled(moved, point, mpf_of(decrement), mpf_of(norm), count)
        if not size >= max(_LEAST, known - 8):
            if fresh and not size > nearest + _NEARER:
                raise ConvergenceError(
                    f"{where}: a Newton sweep with {work} digits moved by 1e{-size:.0f}; the start is not "
                    "near enough",
                    {},
                    math.nan,
                )
            if fresh:  # from far away, with a Hessian a sweep, as long as they shorten
                coords, nearest = moved, size
            accuracy, known = 0, float(_LEAST)  # the doubles' Hessian is no good here
            continue
        coords = moved
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


def curvatures(functional: BallFunctional, coords: Sequence[float]) -> list[Any]:
    """Eigenvalues of the functional's Hessian in the coordinates as mpf, ascending, to some five digits.

    Raises
    ------
    ConvergenceError
        If the Hessian is singular to the digits tried.
    """
    inverse, stiff, _ = _inverse_hessian(functional, [arb(t) for t in coords], _HESSIAN, _GUARD)
    n = len(coords)
    with mpmath.workdps(2 * (stiff + _HESSIAN) + 20):
        matrix = mpmath.matrix(n, n)
        for i in range(n):
            for j in range(n):
                matrix[i, j] = mpf_of(inverse[i, j])
        return sorted(1 / e for e in mpmath.eigsy(matrix, eigvals_only=True))


def _progress(known: float, wanted: int) -> float:
    return 0.1 + 0.8 * min(max(known / wanted, 0.0), 1.0) ** 2


def _doubles_inverse(
    functional: BallFunctional, start: Sequence[float]
) -> tuple[arb_mat, int, int]:
    """Inverse of the Hessian in doubles, its digits, and how many digits it takes from the gradient."""
    doubles = evaluator_of(functional.fe, functional.generic)
    point = np.array(start)
    shift = 0.0

    def function(coords: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            at = doubles(coords)
        except (ArithmeticError, ValueError):  # beyond the doubles
            return math.nan, np.full(coords.size, math.nan)
        factor = math.exp(at.log_scale - shift)
        return factor * at.value, factor * at.gradient

    with suppress(ArithmeticError, ValueError):
        shift = doubles(point, gradient=False).log_scale
    curvature = (
        4.0 * hessian(function, point, _STEP) - hessian(function, point, 2.0 * _STEP)
    ) / 3.0
    finite = bool(np.isfinite(curvature).all())
    sizes = np.abs(np.linalg.eigvalsh(curvature)) if finite else np.zeros(1)
    if not sizes.min(initial=1.0) > 0.0:  # beyond the doubles: the balls' own will be made
        return arb_mat(len(start), len(start)), 0, _GUARD
    loss = math.log10(sizes.max() / sizes.min()) + math.log10(_DIFFERENCE)
    accuracy = min(_HESSIAN, math.floor(-loss))
    scale = abs(function(point)[0]) if functional.fe.is_capacity else 1.0
    stiff = max(0, math.ceil(math.log10(scale / sizes.min())))
    inverse = np.linalg.inv(curvature)
    unit = (-arb(shift)).exp().mid()
    scaled = [[(arb(float(x)) * unit).mid() for x in row] for row in inverse]
    return arb_mat(scaled), accuracy, stiff


def _inverse_hessian(
    functional: BallFunctional, coords: Sequence[arb], accuracy: int, stiff: int
) -> tuple[arb_mat, int, int]:
    """Inverse of the Hessian, how many digits it takes from the gradient, and the gradients it took.

    By forward differences of the gradient; n + 1 gradients of twice the digits. An eigenvalue that is smaller
    than these digits can tell is looked at again with more.
    """
    count = 0
    for _ in range(_LOOKS):
        inverse, size = _differences(functional, coords, accuracy + stiff)
        count += len(coords) + 1
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
    functional: BallFunctional, coords: Sequence[arb], accuracy: int
) -> tuple[arb_mat, arb]:
    """Inverse of the Hessian, and the size of its smallest eigenvalue beside the functional."""
    n = len(coords)
    grid = BallGrid(2 * accuracy + _GUARD)
    with ctx.workdps(2 * accuracy + 20):
        step = arb(10) ** -accuracy
        point = functional(coords, grid, gradient=True)
        base = point.gradient
        rows = []
        for i in range(n):
            # exact, for values far below 1 see every digit of a point
            moved = [arb((t + step).mid()) if j == i else t for j, t in enumerate(coords)]
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


def _log10(ball: arb) -> float:
    """Decimal logarithm of the size of the midpoint; -inf for 0."""
    return log_of(ball) / math.log(10.0)
