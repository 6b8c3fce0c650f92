"""A stationary point as a solution: the objective, Newton's end game, the checks, the report."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from theory import FreeEnergy, free_energy
from theory.ground import without_quenched_average

from .compile import Evaluator, compile_program
from .grids import ResolutionError
from .objective import Objective
from .solution import ENERGY, Branch, ConvergenceError, Solution, supported_digits
from .stationary import StationaryPoint, refine

__all__ = ["checked", "named", "objective_of", "same_point"]

Array = NDArray[np.float64]

# Operations of one level at full resolution, twenty times what any solution up to level 7 takes; a point
# that needs more is far from all of them.
_FINE_WORK = 30_000_000


def objective_of(fe: FreeEnergy, coarsen: float) -> Objective:
    """The objective of a free energy."""
    generic = free_energy(fe.model.generic, fe.level)  # compiled once for all parameters
    if len(generic.q) > len(fe.q):
        generic = without_quenched_average(generic)
    values = {str(x): float(v) for x, v in fe.model.parameters.items()}
    evaluator = Evaluator(compile_program(generic), values, coarsen=coarsen, work_limit=_FINE_WORK)
    return Objective.of(fe, evaluator)


def named(objective: Objective, theta: Array) -> dict[str, float]:
    """Order parameters and value of a point, by name."""
    coordinates = objective.evaluator.coordinates
    table = coordinates.order_parameters(coordinates.gaps(theta))
    table["value"] = objective.value(objective(theta)[0])
    return table


def checked(
    objective: Objective, fe: FreeEnergy, theta: Array, split: str, digits: int
) -> Solution:
    """Refine a point, check it on finer grids and wider windows, and report it.

    Raises
    ------
    ConvergenceError
        If the refined point is not stationary to the digits asked for.
    ResolutionError
        If its value moves under refinement by more than these digits allow.
    """
    level, model, ev = fe.level, fe.model, objective.evaluator
    point = refine(objective, theta)
    value = objective.value(point.objective)
    norm = float(np.linalg.norm(point.gradient))
    if not math.isfinite(value):
        raise ConvergenceError(
            f"level {level} of {model}: a stationary point found on coarse grids is too fine to be resolved "
            "in double precision; no digits were reached",
            named(objective, theta),
            math.nan,
        )
    if not point.decrement < 10.0**-digits or not norm < 1e-4:
        raise ConvergenceError(
            f"level {level} of {model} did not converge: gradient norm {norm:.1e}, estimated relative "
            f"distance {point.decrement:.1e} at value {value:.12g}",
            named(objective, point.theta),
            norm,
        )
    at = ev(point.theta, gradient=False)
    checks = [
        ev.with_grid(coarsen=0.5 * ev.coarsen)(point.theta, gradient=False).value,
        ev.with_grid(tolerance=1e-3 * ev.tolerance)(point.theta, gradient=False).value,
    ]
    moved = max(abs(value - check) for check in checks)
    error = moved + at.error + objective.unit(value) * point.decrement + 2e-16 * abs(value)
    size = value if objective.logarithmic else max(abs(value), ENERGY)
    if supported_digits(size, error) < digits:
        cure = "a smaller coarsen" if ev.coarsen > 1.0 else "fewer digits"
        raise ResolutionError(
            f"level {level} of {model}: the value {value:.15g} moves by {moved:.1e} when every grid is "
            f"refined and its error bound is {at.error:.1e}, more than {digits} digits allow; use {cure}"
        )
    return _solution(objective, fe, point, split, digits, error, "finite")


def _solution(
    objective: Objective,
    fe: FreeEnergy,
    point: StationaryPoint,
    split: str,
    digits: int,
    error: float,
    branch: Branch,
) -> Solution:
    coordinates = objective.evaluator.coordinates
    table = coordinates.order_parameters(coordinates.gaps(point.theta))
    p, q, c, fields = (
        tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)
    )
    eigenvalues = np.sort(objective.sign * point.eigenvalues)
    return Solution(
        fe.model,
        fe.level,
        objective.value(point.objective),
        p,
        q,
        c,
        fields,
        table,
        float(np.linalg.norm(point.gradient)),
        int((eigenvalues < 0).sum()),
        tuple(map(float, eigenvalues)),
        digits,
        error,
        branch,
        split,
    )


def same_point(a: Solution, b: Solution) -> bool:
    """Whether two solutions are one stationary point."""
    pairs = zip(a.order_parameters.values(), b.order_parameters.values(), strict=True)
    return all(abs(x - y) <= 1e-5 * max(abs(x), abs(y)) for x, y in pairs)
