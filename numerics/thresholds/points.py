"""A stationary point as a solution: the objective, and Newton's end game in doubles."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from numerics.functionals.coordinates import Coordinates, SearchCoordinates
from numerics.functionals.doubles import Evaluator, compile_program
from theory import FreeEnergy, free_energy
from theory.thresholds.finite_exponents import outermost_multipliers, without_outermost_pair

from .objective import Objective
from .solution import ConvergenceError, Solution, written
from .stationary import refine

__all__ = ["located", "named", "objective_of", "same_point"]

Array = NDArray[np.float64]

# Of the logarithm of a capacity, or of an energy, in doubles; and the distance in the coordinates.
_DECREMENT, _GRADIENT, _STEP = 1e-9, 1e-4, 1e-3
# Operations of one level at full resolution, a second or two; a point
# that needs more is far from all of them.
_FINE_WORK = 2_000_000_000


def objective_of(fe: FreeEnergy) -> Objective:
    """The objective of a free energy."""
    generic = free_energy(fe.model.generic, fe.level)  # compiled once for all parameters
    if len(generic.q) > len(fe.q):
        generic = without_outermost_pair(generic)
    values = {str(x): float(v) for x, v in fe.model.parameters.items()}
    evaluator = Evaluator(
        compile_program(generic), values, work_limit=_FINE_WORK, coordinates=_coordinates(generic)
    )
    return Objective.of(fe, evaluator)


@lru_cache(maxsize=64)
def _coordinates(generic: FreeEnergy) -> Coordinates | None:
    """Coordinates to search in, where they are not the functional's own."""
    left = tuple(outermost_multipliers(generic).items())
    return SearchCoordinates(tuple(generic.chains), left) if left else None


def named(objective: Objective, coords: Array) -> dict[str, float]:
    """Order parameters and value of a point, by name."""
    coordinates = objective.evaluator.coordinates
    table = coordinates.order_parameters(coordinates.gaps(coords))
    table["value"] = objective.value(objective(coords)[0])
    return table


def located(objective: Objective, fe: FreeEnergy, coords: Array, split: str) -> Solution:
    """A point refined by Newton's method in doubles; what is claimed of it is settled in balls.

    Its error is an estimate of the distance to the stationary value and of the discretisation alone.

    Raises
    ------
    ConvergenceError
        If the refined point is not stationary.
    """
    level, model = fe.level, fe.model
    point = refine(objective, coords)
    value = objective.value(point.objective)
    norm = float(np.linalg.norm(point.gradient))
    if not (math.isfinite(point.objective) and np.isfinite(point.hessian).all()):
        raise ConvergenceError(
            f"level {level} of {model}: a stationary point found on coarse grids is too fine to be resolved "
            "in double precision; no digits were reached",
            named(objective, coords),
            math.nan,
        )
    size = objective.size(point.objective)
    small = point.decrement < _DECREMENT * size and norm < _GRADIENT * size
    if not (small and point.step < _STEP):
        raise ConvergenceError(
            f"level {level} of {model} did not converge: gradient norm {norm:.1e}, estimated "
            f"distance {point.step:.1e} at value {written(value, 12)}",
            named(objective, point.coords),
            norm,
        )
    coordinates = objective.evaluator.coordinates
    gaps = coordinates.gaps(point.coords)
    table = coordinates.order_parameters(gaps)
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    eigenvalues = np.sort(objective.sign * point.eigenvalues)
    at = objective.evaluator(point.coords, gradient=False)
    error = at.discretisation
    if at.log_scale:  # beyond the doubles
        error = value * (at.discretisation / at.value)
    error += objective.unit(value) * point.decrement
    return Solution(
        model,
        level,
        value,
        p=p,
        q=q,
        c=c,
        fields=fields,
        order_parameters=table,
        gaps=tuple(map(float, gaps)),
        gradient_norm=norm,
        inertia=int((eigenvalues < 0).sum()),
        hessian_eigenvalues=tuple(map(float, eigenvalues)),
        error=error,
        split=split,
    )


def same_point(a: Solution, b: Solution) -> bool:
    """Whether two solutions are one stationary point."""
    if a.order_parameters.keys() != b.order_parameters.keys():  # one of them at s -> infinity
        return False
    pairs = zip(a.order_parameters.values(), b.order_parameters.values(), strict=True)
    return all(abs(x - y) <= 1e-5 * max(abs(x), abs(y)) for x, y in pairs)
