"""Stationarity checked by a second route: every overlap is the mean square of its partner's slope."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory import FreeEnergy
from theory.thresholds.identities import identities

from .doubles import Evaluator

__all__ = ["identity_residual"]


def identity_residual(
    generic: FreeEnergy, evaluator: Evaluator, gaps: NDArray[np.float64], value: float
) -> float | None:
    """Largest relative deviation of an overlap from what the identities say it is.

    Parameters
    ----------
    generic : theory.FreeEnergy
        With symbols for its model's parameters.
    evaluator : Evaluator
        Of the functional at its parameters' values.
    gaps : ndarray
        A point; see `numerics.functionals.coordinates`.
    value : float
        The functional there: the density of a capacity.

    Returns
    -------
    float or None
        None where there are no identities.

    Raises
    ------
    ArithmeticError
        If the point is not resolved in doubles.

    Notes
    -----
    p_k = <f'^2>, Q_k = alpha <g'^2> (`theory.thresholds.identities`), with slopes by differences and
    averages over the tilted laws (`numerics.nests.laws`): no derivative of the functional is in it. Of a
    settled point it is of the order of 1e-13; 1e-10 where a quenched average has a coarse grid.
    """
    known = identities(generic)
    if not known:
        return None
    numbers = dict(zip(evaluator.program.parameters, evaluator.parameters, strict=True))
    overlaps = evaluator.coordinates.order_parameters(gaps)
    nests = generic.nests
    laws = {i: evaluator.laws(i, gaps) for i in {nests.index(one.nest) for one in known}}
    worst = 0.0
    for one in known:
        law = laws[nests.index(one.nest)][one.interface]
        factor = float(
            one.factor.subs({x: numbers.get(str(x), value) for x in one.factor.free_symbols})
        )
        overlap = overlaps[str(one.overlap)]
        worst = max(worst, abs(factor * law.average(law.slopes() ** 2) / overlap - 1.0))
    return worst
