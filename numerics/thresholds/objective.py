"""What the search for stationary points sees of a functional: one number, and how many ways it goes up.

A stationary point of the theory is a minimum in some directions and a maximum in others. How many, follows
from the random dual, whose pairs (p_k, q_k) are coupled by p_k q_k (c_k - c_{k+1})/2 against nests whose
slopes depend on q_k and p_k. At a step down of the exponents, c_k > c_{k+1}, a pair is a saddle; at a step up
it is not, and both follow the exponents.

- max_x max_y (sign +1): the dual bounds the ground state from above, and is minimised but for one direction
  of ascent for every step down. Without a constraint p = q, and all is minimised.
- min_x max_y (sign -1): the dual bounds xi from below, and is maximised but for the multiplier gamma and one
  direction for every step down. Turned round, -xi is minimised with that many directions of ascent; so
  is a capacity, which falls where xi rises.
- In the hard-constraint limit gamma is gone. The exponents increase, 1 < s_2 < s_3 .., and all is minimised;
  the quenched average of a model that is not even ends the sequence with s_r = 0, a step down. Where the
  prior leaves the norm of x free, the capacity is the largest over it: one direction more.

This is what a search looks for; what it found is told by the Hessian's inertia.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray

from numerics.errors import ResolutionError
from numerics.functionals.doubles import Evaluator
from theory import FreeEnergy

from .solution import Solution
from .stationary import differences

__all__ = ["Objective", "adversaries", "ascents"]

Array = NDArray[np.float64]

# Operations of a level of a nest that a search may always spend, and how many times those of its start.
_LEAST_WORK, _FINER = 100_000, 8
# Logarithm up to which a capacity is a double.
_DOUBLES = 700.0
# Energies this close to 0 are not told from it in doubles.
_SMALLEST = 1e-13


def ascents(fe: FreeEnergy, exponents: Sequence[float] | Array) -> int:
    """Number of directions of ascent of the objective at a physical stationary point.

    Parameters
    ----------
    fe : theory.FreeEnergy
    exponents : sequence of float
        c_2, c_3, .. at the point, in any order.

    Returns
    -------
    int
    """
    free = not fe.is_finite and not fe.model.prior.norm.is_number
    return adversaries(fe, exponents).size - free


def adversaries(fe: FreeEnergy, exponents: Sequence[float] | Array) -> NDArray[np.intp]:
    """Coordinates that a physical stationary point is an extremum in, while it is a minimum in the others.

    Parameters
    ----------
    fe : theory.FreeEnergy
    exponents : sequence of float
        c_2, c_3, .. at the point, in any order.

    Returns
    -------
    ndarray of int
        Of a pair at a step down of the exponents p for sign -1 and q for sign +1, and gamma for sign -1: as
        many as `ascents`, a maximum. In the hard limit p where the last average is quenched, one exponent
        fewer than Q; and a free norm, of which the capacity is the largest: an ascent, linear at a given
        fugacity and eliminated with it, one more.
    """
    last = len(fe.p) + len(fe.q) + len(fe.c) + len(fe.fields) - 1
    if not fe.is_finite:
        places = [len(fe.p) - 1] * (len(fe.q) > len(fe.c))
        free = [] if fe.model.prior.norm.is_number else [0, last]
        return np.array([*places, *free], dtype=np.intp)
    if not fe.model.constraint:
        return np.empty(0, dtype=np.intp)
    first = 0 if fe.model.sign == -1 else len(fe.p)
    ends = (*exponents, *[0.0] * (len(fe.q) == len(fe.c)))
    places = [first + k for k, (a, b) in enumerate(itertools.pairwise(ends)) if a > b]
    return np.array(places + [last] * (fe.model.sign == -1), dtype=np.intp)


@dataclass(frozen=True)
class Objective:
    """A functional turned so that as much as possible of it is to be minimised.

    Attributes
    ----------
    evaluator : Evaluator
    logarithmic : bool
        Whether it is the logarithm of the functional: capacities, which are positive and span orders
        of magnitude.
    sign : float
        -1 where the functional is turned round.
    fe : theory.FreeEnergy
    """

    evaluator: Evaluator
    logarithmic: bool
    sign: float
    fe: FreeEnergy

    @classmethod
    def of(cls, fe: FreeEnergy, evaluator: Evaluator) -> Objective:
        """Objective of a free energy."""
        sign = -1.0 if fe.model.sign == -1 and not fe.is_capacity else 1.0
        return cls(evaluator, fe.is_capacity, sign, fe)

    def on(self, evaluator: Evaluator) -> Objective:
        """Return the same objective on another evaluator of the functional."""
        return Objective(evaluator, self.logarithmic, self.sign, self.fe)

    def ascents(self, coords: Array) -> int:
        """Number of directions of ascent wanted at a point; see `ascents`."""
        first = len(self.fe.p) + len(self.fe.q)
        return ascents(self.fe, np.exp(coords[first : first + len(self.fe.c)]))

    def adversaries(self, coords: Array) -> NDArray[np.intp]:
        """Coordinates to eliminate at a point; see `adversaries`."""
        first = len(self.fe.p) + len(self.fe.q)
        return adversaries(self.fe, np.exp(coords[first : first + len(self.fe.c)]))

    def __call__(self, coords: Array) -> tuple[float, Array]:
        """Value and gradient; (inf, 0) where the functional is not defined or not resolved."""
        lost = (math.inf, np.zeros_like(coords))
        if not np.abs(coords).max(initial=0.0) <= 60.0:  # nor nan
            return lost
        try:
            with np.errstate(all="ignore"):
                at = self.evaluator(coords)
        except (ResolutionError, OverflowError, ZeroDivisionError, ValueError):
            return lost
        value, gradient = at.value, at.gradient
        if not (math.isfinite(value) and np.isfinite(gradient).all()):
            return lost
        if not self.logarithmic:
            return self.sign * value, self.sign * gradient
        return (math.log(value) + at.log_scale, gradient / value) if value > 0.0 else lost

    def hessian(self, coords: Array) -> Array | None:
        """The Hessian, by the nests' second derivatives; None where these are not had.

        As `Evaluator.expanded` is algebra, its differences are; of a logarithm they are those of the
        functional, which is next to nothing at a capacity and bends less than its logarithm.
        """
        if not np.abs(coords).max(initial=0.0) <= 60.0:
            return None
        try:
            with np.errstate(all="ignore"):
                known = self.evaluator.expanded(coords)
        except (ResolutionError, OverflowError, ZeroDivisionError, ValueError):
            return None
        if known is None:
            return None
        near = self.on(known)
        here, slope = near(coords)
        if not math.isfinite(here):
            return None

        def of_functional(x: Array) -> Array:
            height, gradient = near(x)
            if not math.isfinite(height):  # lost, where a gradient of 0 would look like one
                return np.full(x.size, math.nan)
            return math.exp(height - here) * gradient if self.logarithmic else gradient

        rows = differences(of_functional, coords)
        return rows - np.outer(slope, slope) if self.logarithmic else rows

    def with_work(self, coords: Array) -> tuple[float, int]:
        """Value, and the operations that it and its gradient took."""
        evaluator = self.evaluator
        before = evaluator.exponentials + evaluator.products
        value, _ = self(coords)
        return value, evaluator.exponentials + evaluator.products - before

    @contextmanager
    def limited(self, coords: Array, times: float = _FINER) -> Iterator[None]:
        """Give up points that take far finer grids than this one: a search there has lost its way."""
        evaluator = self.evaluator
        limit, (_, work) = evaluator.work_limit, self.with_work(coords)
        evaluator.work_limit = min(limit, int(max(_LEAST_WORK, times * work)))
        try:
            yield
        finally:
            evaluator.work_limit = limit

    def value(self, objective: float) -> float:
        """Value of the functional, from that of the objective; beyond the doubles an `mpmath.mpf`."""
        if not math.isfinite(objective):
            return objective
        if self.logarithmic and abs(objective) > _DOUBLES:
            return mpmath.exp(objective)
        return math.exp(objective) if self.logarithmic else self.sign * objective

    def of_solution(self, point: Solution) -> float:
        """The objective's value at a solution, which may lie beyond the floats."""
        if not self.logarithmic:
            return self.sign * float(point.value)
        return float(mpmath.log(point.value))

    def size(self, objective: float) -> float:
        """What gradients and differences of the objective are small or large against."""
        return 1.0 if self.logarithmic else max(abs(objective), _SMALLEST)

    def is_excluded(self, objective: float) -> bool:
        """Whether theory excludes a value: the minimum of a norm is not negative."""
        return not self.logarithmic and self.sign < 0.0 and objective > 0.0

    def unit(self, value: float) -> float:
        """What a small unit of the objective is in units of the functional."""
        return abs(value) if self.logarithmic else 1.0
