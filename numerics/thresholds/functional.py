"""The functional that a solution is a stationary point of, in balls, with the digits that its nests lose."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from numerics.balls.functional import BallFunctional, functional_at, functional_in_balls
from numerics.balls.numbers import log_of
from numerics.balls.plan import BallGrid
from numerics.errors import ResolutionError
from numerics.functionals.doubles import evaluator_of
from theory import free_energy
from theory.thresholds.asymptotics import infinite_exponent_limit

from .solution import ConvergenceError, Solution

__all__ = ["functional_of", "seeing"]

# Digits at which nests are looked at that are below the range of doubles.
_BEYOND, _GUARD = (400, 800, 1600, 3200), 15
_BIT = math.log10(2.0)


def functional_of(solution: Solution) -> tuple[BallFunctional, list[float]]:
    """The functional that a solution is a stationary point of, and its coordinates there in doubles.

    Parameters
    ----------
    solution : Solution
        On the branch "s -> infinity" the functional is the limit.

    Returns
    -------
    functional : BallFunctional
    coords : list of float

    Raises
    ------
    ConvergenceError
        If a gap is beyond the doubles.
    """
    if solution.branch == "s -> infinity":
        generic = infinite_exponent_limit(free_energy(solution.model.generic, solution.level))
        bare = functional_in_balls(replace(generic, model=solution.model), generic)
    else:
        bare = functional_at(solution.model, solution.level, len(solution.q))
    gaps = np.array(solution.gaps, dtype=float)
    if not (np.isfinite(gaps).all() and (gaps > 0.0).all()):
        raise ConvergenceError(
            f"level {solution.level} of {solution.model}: an order parameter is beyond the doubles",
            {name: float(x) for name, x in solution.order_parameters.items()},
            math.nan,
        )
    return seeing(bare, gaps), [float(t) for t in bare.program.coordinates.coords(gaps)]


def seeing(bare: BallFunctional, gaps: NDArray[np.float64]) -> BallFunctional:
    """A functional that carries as many digits more as its nests are small at a point.

    Parameters
    ----------
    bare : BallFunctional
    gaps : ndarray
        The point.

    Returns
    -------
    BallFunctional

    Raises
    ------
    ResolutionError
        If a nest is smaller than any number of digits tried.
    """
    fe, generic, program = bare.fe, bare.generic, bare.program
    doubles = evaluator_of(fe, generic)
    rare = tuple(doubles.is_rare(index, gaps) for index in range(len(program.nests)))
    lost = []
    for index in range(len(program.nests)):
        if rare[index]:
            lost.append(0)
            continue
        size = abs(doubles.nest(index, gaps).value)
        lost.append(
            max(0, math.ceil(-math.log10(size)))
            if size > 1e-280
            else _digits_lost(bare, index, gaps)
        )
    if not program.nests and fe.is_capacity:
        lost.append(_closed_lost(bare, gaps))
    return BallFunctional(fe, generic, program, tuple(lost), rare)


def _closed_lost(bare: BallFunctional, gaps: NDArray[np.float64]) -> int:
    """Decimal digits that a functional without nests loses."""
    for digits in (0, *_BEYOND):
        with ctx.workdps(digits + 2 * _GUARD):
            value = bare.at_gaps([arb(float(g)) for g in gaps], BallGrid(digits + _GUARD)).value
            if value.is_finite() and value.rel_accuracy_bits() > 0:
                return max(0, digits + 2 * _GUARD - math.floor(value.rel_accuracy_bits() * _BIT))
    raise ResolutionError(
        f"level {bare.fe.level} of {bare.fe.model} loses more than {_BEYOND[-1]} digits"
    )


def _digits_lost(functional: BallFunctional, index: int, gaps: NDArray[np.float64]) -> int:
    """Decimal digits of a nest that is smaller than every double."""
    for digits in _BEYOND:
        with ctx.workdps(digits + _GUARD):
            value = functional.nest(index, [arb(float(g)) for g in gaps], BallGrid(digits)).value
            if not value.contains(0):
                return math.ceil(-log_of(value) / math.log(10.0))
    raise ResolutionError(
        f"a nest of {functional.fe.model} at level {functional.fe.level} is smaller than 1e-{_BEYOND[-1]}"
    )
