"""Where the functional is evaluated: the levels' own solutions, and level 7 embedded further up."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from numerics import Solution, solve_levels
from numerics.functionals.doubles import Evaluation, Evaluator, evaluator
from theory import SBP, free_energy

__all__ = ["HIGHEST", "Point", "embedded", "own", "solution"]

HIGHEST = 7
"""Highest level that is solved."""


@dataclass(frozen=True)
class Point:
    """A functional and a point to evaluate it at.

    Attributes
    ----------
    level : int
    evaluator : numerics.functionals.doubles.Evaluator
    coords : ndarray
        Coordinates of the point.
    alpha : float
        What the value there must be.
    """

    level: int
    evaluator: Evaluator
    coords: NDArray[np.float64]
    alpha: float

    def value(self) -> Evaluation:
        """Evaluate without the gradient."""
        return self.evaluator(self.coords, gradient=False)

    def value_and_gradient(self) -> Evaluation:
        """Evaluate as the solver does."""
        return self.evaluator(self.coords)


@cache
def _ladder(kappa: str) -> tuple[Iterator[Solution], dict[int, Solution]]:
    """Solutions still to come and those found, shared by all benchmarks of a run."""
    return solve_levels(SBP(kappa), range(2, HIGHEST + 1)), {}


def solution(kappa: str, level: int) -> Solution:
    """Solution of a level of the symmetric binary perceptron, computed once in a run.

    Parameters
    ----------
    kappa : str
        The margin, as written.
    level : int
        From 2 to `HIGHEST`.

    Returns
    -------
    numerics.Solution
        The lowest one at finite exponents, where there are several.
    """
    coming, found = _ladder(kappa)
    while level not in found:
        following = next(coming)
        found[following.level] = next(
            (b for b in following.branches if b.branch != "s -> infinity"), following
        )
    return found[level]


def own(level: int, kappa: str = "1") -> Point:
    """The functional of a level at its own solution.

    Parameters
    ----------
    level : int
        From 3 to `HIGHEST`.
    kappa : str, default "1"

    Returns
    -------
    Point
    """
    solved = solution(kappa, level)
    ev = evaluator(free_energy(SBP(kappa), level))
    coords = ev.coordinates.from_order_parameters(solved.order_parameters)
    return Point(level, ev, coords, solved.value)


def embedded(level: int) -> Point:
    """The functional of a level above `HIGHEST` at the solution of that one, kappa = 1.

    Parameters
    ----------
    level : int
        From ``HIGHEST + 1`` to ``2 HIGHEST - 2``.

    Returns
    -------
    Point

    Notes
    -----
    Some liftings, evenly spread over the chain, are split into two that share the increments
    equally and keep the exponent. Two liftings with one exponent are one lifting with the sum of
    their increments, so the value must not change: the point is a legitimate one, and whether the
    evaluator got it right can be seen.
    """
    below = own(HIGHEST)
    gaps = below.evaluator.coordinates.gaps(below.coords)
    liftings = HIGHEST - 2
    # gaps of p: the one at 1 belongs to the leaf, the others to a lifting each
    leaf, p, q, s = np.split(gaps, np.cumsum([1, liftings, liftings]))
    split = np.linspace(0, liftings - 1, level - HIGHEST).round().astype(int)
    copies = np.ones(liftings, dtype=int)
    copies[split] = 2
    chains = [np.repeat(p / copies, copies), np.repeat(q / copies, copies), np.repeat(s, copies)]
    ev = evaluator(free_energy(SBP("1"), level))
    coords = ev.coordinates.coords([np.concatenate((leaf, chains[0])), chains[1], chains[2]])
    return Point(level, ev, coords, below.alpha)
