"""What holds where liftings are infinitely many, looked at where they are finitely many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy

from numerics.functionals.doubles import evaluator_of
from numerics.nests.laws import Law
from numerics.thresholds.solution import Solution
from theory import free_energy
from theory.thresholds.continuum import exponent, marginality
from theory.thresholds.finite_exponents import without_quenched_average

__all__ = ["Interface", "interfaces"]


@dataclass(frozen=True)
class Interface:
    """A place between two liftings of a solution.

    Attributes
    ----------
    inner, outer : float
        The exponents on its two sides.
    exponent : float
        What theory's formula for infinitely many liftings gives there; between the two, where liftings are
        many.
    marginality : float
        1 - alpha E f_xx^2 E g_xx^2, or 1 - E f_xx^2 of one nest alone; 0 for infinitely many.
    """

    inner: float
    outer: float
    exponent: float
    marginality: float


@cache
def _formulas(alone: bool) -> tuple[Callable[..., float], Callable[..., float]]:
    """Theory's exponent of (M_f, A_f, B_f, M_g, A_g, B_g), and what is 1 there, of those and the density."""
    names = sympy.symbols("M_f A_f B_f M_g A_g B_g", positive=True)
    density = sympy.Symbol("alpha", positive=True)
    s, one = exponent()[alone], marginality()[alone].rhs
    return sympy.lambdify(names, s), sympy.lambdify((*names, density), one)


def _bends(law: Law) -> tuple[float, float, float]:
    """E f_xx^2, and beside it E f_xxx^2 and E f_xx^3."""
    _, second, third = law.derivatives(3)
    mean = law.average(second**2)
    return mean, law.average(third**2) / mean, law.average(second**3) / mean


def interfaces(solution: Solution) -> list[Interface]:
    """The interfaces of a solution's nests, innermost first.

    Parameters
    ----------
    solution : Solution
        Of a capacity with a nest for x and one for the rows of equal depth, or of SK.

    Returns
    -------
    list of Interface

    Raises
    ------
    ValueError
        If its functional has other nests: those integrated in closed form bend nowhere.
    ResolutionError
        If the point is not resolved in doubles.
    """
    model = solution.model
    fe, generic = free_energy(model, solution.level), free_energy(model.generic, solution.level)
    if len(solution.q) < len(fe.q):
        fe, generic = without_quenched_average(fe), without_quenched_average(generic)
    doubles = evaluator_of(fe, generic)
    gaps = np.array(solution.gaps, dtype=float)
    laws = [doubles.laws(i, gaps) for i in range(len(fe.nests))]
    alone = len(laws) == 1 and model.constraint is None and not fe.is_capacity
    partners = len(laws) == 2 and fe.is_capacity and len(laws[0]) == len(laws[1])
    if not (alone or partners):
        raise ValueError(
            f"{model} has no pair of nests that are partners at level {solution.level}, nor one alone"
        )
    exponents = (1.0, *solution.c) if fe.is_capacity else solution.c
    exponents = (*exponents, 0.0)  # a quenched average
    exponent_at, one_at = _formulas(alone)
    out = []
    for j, pair in enumerate(zip(laws[0], laws[-1], strict=True)):
        bends = [x for law in pair for x in _bends(law)]
        missing = 1.0 - one_at(*bends, float(solution.value))
        out.append(Interface(exponents[j], exponents[j + 1], exponent_at(*bends), missing))
    return out
