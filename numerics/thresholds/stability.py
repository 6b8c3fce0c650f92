"""Whether level 1 is stable: whether any lifting at all lowers the objective to first order.

At level 1 every exponent is 0. A lifting of a small exponent c at overlaps (p*, q*) changes the objective by
``c D(p*, q*)``; with D stationary in p* (`numerics.thresholds.insertions`) what is left is a
function R of one overlap. Many liftings change it by ``sum (c_k - c_{k+1}) R(p_k)``: where R is
positive and falls towards p* = 1, by partial summation none of them, in whatever order of the
exponents, lowers it. Near p* = 1, where R vanishes, its sign is that of theory's replicon. Then the
levels merge with level 1, unless there is a point far away.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from theory import FreeEnergy
from theory.thresholds.replicon import replicon

from .insertions import segments, slopes
from .objective import Objective
from .starts import Start

__all__ = ["level_one", "stable"]

Array = NDArray[np.float64]

# The exponent at which the multipliers of level 1 are found.
_SMALL = 1e-4
# Logits of the overlaps that are looked at; beyond them the replicon decides.
_OVERLAPS = np.linspace(-5.0, 5.0, 21)


def level_one(objective: Objective, fe: FreeEnergy) -> Start | None:
    """The point of level 1, with its multipliers; None where these were not found.

    Parameters
    ----------
    objective : Objective
        Of level 2 with its quenched average.
    fe : theory.FreeEnergy
        Its functional.

    Returns
    -------
    Start or None
    """
    coordinates = objective.evaluator.coordinates
    gaps = np.array([0.5, 0.5])
    multipliers = []
    for exponent in (_SMALL, 0.5 * _SMALL):
        start = Start(gaps, gaps, np.array([exponent]), "", np.full(len(fe.fields), 0.5))
        coords = start.coords(coordinates)
        first = coords.size - len(fe.fields)

        def gradient(fields: Array, coords: Array = coords, first: int = first) -> Array:
            return objective(np.append(coords[:first], fields))[1][first:]

        if fe.fields:
            coords[first:] = optimize.root(gradient, coords[first:], tol=1e-13).x
            value, slope = objective(coords)
            if not (math.isfinite(value) and np.abs(slope[first:]).max() < 1e-8):
                return None
        multipliers.append(coords[first:])
    # what is linear in the exponent drops out
    fields = np.exp(2.0 * multipliers[1] - multipliers[0])
    return Start(np.ones(1) if fe.p else np.zeros(1), np.ones(1), np.empty(0), "level 1", fields)


def stable(objective: Objective, fe: FreeEnergy) -> str:
    """Say that level 1 is stable, or return nothing.

    Parameters
    ----------
    objective : Objective
        Of level 2 with its quenched average.
    fe : theory.FreeEnergy
        Its functional.

    Returns
    -------
    str
        What was looked at, in a sentence; empty where a lifting lowers the objective, or where that could
        not be decided.

    Notes
    -----
    R is looked at, not bounded, between the overlaps.
    """
    if not replicon(fe.model).evalf(15, maxn=10_000) >= 0:
        return ""
    point = level_one(objective, fe)
    if point is None:
        return ""
    (segment,) = segments(fe, point)
    tried = slopes(objective, fe, segment, _OVERLAPS)
    values = tried.values
    if not (values.size == _OVERLAPS.size and values.min() > 0.0 and (np.diff(values) < 0.0).all()):
        return ""
    return (
        f"level 1 is stable: a lifting at each of {values.size} overlaps raises the bound to first order, "
        "less the further inside it is, the replicon is not negative, and no point far away was met"
    )
