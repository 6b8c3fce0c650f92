"""Exponents that run to infinity: a capacity's outermost one, and those of ground states below capacity.

A capacity's is the functional whose outermost exponent is infinite; only models whose constraint is an
interval around 0 have one (`theory.thresholds.asymptotics`).

Below the capacity of a level the exponents of the energy run to infinity, and xi rises to 0 there: that is
the limit whose stationary value is the capacity. No stationary point is to be found at finite
exponents, and any that turns up is not the physical one. So the capacity is found first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import mpmath
import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.errors import ResolutionError
from numerics.functionals.doubles import Evaluator, compile_program
from theory import ALPHA, FreeEnergy, Model, free_energy
from theory.thresholds.asymptotics import infinite_exponent_limit

from .insertions import insertions
from .objective import Objective
from .points import located
from .solution import ConvergenceError, Solution, supported_digits
from .starts import Start, ordered, seed
from .stationary import minimise

__all__ = [
    "Capacities",
    "at_exponent",
    "first_limit",
    "next_limit",
    "runaway_solution",
    "starts_near_limit",
]

Array = NDArray[np.float64]

# The limit functional is followed from level to level where the outermost exponent exceeds this.
_LARGE_EXPONENT = 500.0
# The functional at the largest exponent may cost this much, once: it decides the digits reported.
_LIMIT_WORK = 2_000_000_000
# Of that functional in doubles.
_ROUNDING = 1e-14
# Exponents that an extrapolation in 1/s takes, and the relative distance from which on it is tried.
_LAST, _EXTRAPOLATED = 3, 1e-9
_SPLIT = "Laplace's method in the outermost lifting"
# Digits of a capacity that only has to be compared.
_DIGITS = 6

Levels = Callable[[Model, int, int], Iterator[Solution]]


def first_limit(fe: FreeEnergy, below: Solution | None) -> Solution | None:
    """Interior minimum of the level-3 limit functional, or None where it has none below level 2.

    Parameters
    ----------
    fe : theory.FreeEnergy
        Of level 3.
    below : Solution, optional
        Of level 2.
    """
    try:
        limit = infinite_exponent_limit(fe)
    except ValueError:
        return None
    (p,) = limit.order_parameters
    u = sympy.Symbol("u", positive=True)
    expr = limit.expr.subs(p, 1 - u)
    with mpmath.workdps(40):
        evaluate = sympy.lambdify(u, expr, "mpmath")
        slope = sympy.lambdify(u, sympy.diff(expr, u), "mpmath")

        def functional(x: mpmath.mpf) -> mpmath.mpf:
            try:
                return evaluate(x)
            except ZeroDivisionError:  # the constraint holds to every digit carried
                return mpmath.inf

        grid = [mpmath.mpf(10) ** (-mpmath.mpf(k) / 8) for k in range(1, 160)]
        values = [functional(x) for x in grid]
        k = min(range(len(grid)), key=lambda i: values[i])
        if k in (0, len(grid) - 1) or (below is not None and values[k] >= below.value):
            return None
        root = mpmath.findroot(slope, (grid[k + 1], grid[k - 1]), solver="anderson", tol=1e-50)
        value = float(functional(root))
        curvature = float(root**2 * mpmath.diff(slope, root) / functional(root))
        return Solution(
            fe.model,
            fe.level,
            value,
            p=(float(1 - root),),
            order_parameters={"p_2": float(1 - root)},
            gaps=(float(root), float(1 - root)),
            gradient_norm=float(abs(slope(root) * root / functional(root))),
            inertia=int(curvature < 0),
            hessian_eigenvalues=(curvature,),
            error=math.ulp(value),
            branch="s -> infinity",
            split=_SPLIT,
        )


def next_limit(fe: FreeEnergy, below: Solution | None, coarse: dict[str, float]) -> Solution | None:
    """Stationary point of the limit functional, from that of the level below.

    Looked for only where the outermost exponent of the level below is already large.

    Parameters
    ----------
    fe : theory.FreeEnergy
    below : Solution, optional
    coarse : dict
        Options of the grids that are searched on.
    """
    seeds = [] if below is None else [b for b in below.branches if b.branch == "s -> infinity"]
    if below is None or not seeds or (below.branch == "finite" and below.c[-1] < _LARGE_EXPONENT):
        return None
    known = seeds[0]
    field = known.order_parameters.get("H", math.atanh(math.sqrt(known.p[-1])))
    whole = seed(known)
    limit = infinite_exponent_limit(free_energy(fe.model.generic, fe.level))
    values = {str(name): float(value) for name, value in fe.model.parameters.items()}
    objective = Objective.of(limit, Evaluator(compile_program(limit), values))
    searched = objective.on(objective.evaluator.with_grid(**coarse))  # type: ignore[arg-type]
    inside = ordered(limit)
    ends: list[tuple[float, Array]] = []
    start = Start(whole.p, whole.q[: whole.s.size], whole.s, "", np.array([field]))
    for split in insertions(searched, limit, start):
        coords = split.coords(objective.evaluator.coordinates)
        coords, value, size = minimise(searched, coords, domain=inside, gradient_tolerance=1e-5)
        if math.isfinite(value) and size < 1e-2:
            ends.append((value, coords))
    for _, coords in sorted(ends, key=lambda end: end[0]):
        coords, _, _ = minimise(
            objective, coords, domain=inside, gradient_tolerance=1e-8, iterations=60
        )
        try:
            point = located(objective, replace(limit, model=fe.model), coords, _SPLIT)
        except ArithmeticError:
            continue
        return replace(point, branch="s -> infinity")
    return None


def starts_near_limit(objective: Objective, limit: Solution) -> list[Start]:
    """The limit's stationary point at the large finite exponent where the functional is lowest."""
    best: tuple[float, Start] | None = None
    for s in 10.0 ** np.arange(1.5, 12.0, 0.25):
        start = at_exponent(limit, s)
        value, _ = objective(start.coords(objective.evaluator.coordinates))
        if math.isfinite(value) and (best is None or value < best[0]):
            best = (value, start)
    return [] if best is None else [best[1]]


def at_exponent(limit: Solution, s: float) -> Start:
    """The limit's point at a finite outermost exponent: Q = R/s with R = H/sqrt(p).

    At level 3, where H is eliminated, H = artanh sqrt(p).
    """
    known = seed(limit)
    root = math.sqrt(limit.p[-1])
    field = limit.order_parameters.get("H", math.atanh(root))
    q = np.append(known.q[: known.s.size], field / root / s)
    return Start(known.p, q, np.append(known.s, s), "from s -> infinity")


def runaway_solution(
    objective: Objective, coords: Array, limit: Solution | None, named: dict[str, float]
) -> Solution:
    """The limit functional's stationary point, for a minimum that ran away towards it.

    Raises
    ------
    ConvergenceError
        If there is no such stationary point.
    """
    if limit is None:
        raise ConvergenceError(
            f"a minimum ran away to an outermost exponent of {math.exp(coords[-1]):.1e}, and the limit "
            "functional has no stationary point next to it",
            named,
            float(np.linalg.norm(objective(coords)[1])),
        )
    start, distance = _nearest_to_limit(objective, limit)
    error = distance + _ROUNDING * abs(limit.value)
    note = (
        "exponents near the minimum are too large to be told from infinite ones; the value is that of the "
        f"s -> infinity functional, within {distance:.1e} of the lowest up to s = {start:.0e}"
    )
    digits = supported_digits(limit.value, error)
    return replace(limit, error=error, digits=digits, note=note)


def _nearest_to_limit(objective: Objective, limit: Solution) -> tuple[float, float]:
    """Largest exponent at which the functional resolves at the limit's point, and the distance from there.

    Where the functional comes up to its limit from below, it passed through a minimum on its way, at an
    exponent that no rounding decides: it is walked to smaller ones until it lies above, and the distance is
    at least twice the greatest depth (the minimum is lower than the limit's point there, by a part of it).
    Where it is above, and falls towards it as 1/s, the distance is what it extrapolates to, and by how much
    the extrapolation moves between the last exponents.
    """
    patient = objective.on(objective.evaluator.with_grid(work_limit=_LIMIT_WORK))
    rounding = _ROUNDING * abs(limit.value)
    largest, distance = math.nan, math.inf
    above: list[float] = []
    for s in 10.0 ** np.arange(17.0, 2.0, -0.5):
        value, _ = patient(at_exponent(limit, s).coords(objective.evaluator.coordinates))
        if not math.isfinite(value):
            continue
        away = math.exp(value) - limit.value
        if math.isnan(largest):
            largest, distance = float(s), abs(away)
        above.append(away)
        if above[0] > _EXTRAPOLATED * limit.value and min(above) > 0.0:
            if len(above) == _LAST:
                return largest, _extrapolated(above)
        elif away > 10.0 * rounding:
            break
        distance = max(distance, -2.0 * away)
    return largest, distance


def _extrapolated(above: list[float]) -> float:
    """What a distance that falls as 1/s tends to and how surely; its values at s, s/sqrt(10), s/10."""
    root = math.sqrt(10.0)
    last, before = ((root * a - b) / (root - 1.0) for a, b in itertools.pairwise(above))
    return min(abs(last) + abs(last - before), above[0])


class Capacities:
    """Capacities of a perceptron whose ground state is asked for, level by level, each found once.

    Parameters
    ----------
    model : theory.Model
        A ground state.
    levels : callable
        ``levels(model, highest, digits)`` solves the levels up to the highest, lazily.
    highest : int
    """

    def __init__(self, model: Model, levels: Levels, highest: int) -> None:
        self.model = model
        self.solved: dict[int, Solution] = {}
        self._levels: Iterator[Solution] | None = None
        if model.problem != "ground state" or model.sign != -1:
            return
        if model.constraint is None or model.alpha in (None, ALPHA):
            return
        capacity = Model(model.name, model.prior, model.constraint)
        try:
            free_energy(capacity, 2)
        except ValueError:  # no hard constraint, as in the Hopfield model
            return
        self._levels = levels(capacity, max(highest, 2), _DIGITS)

    def at(self, level: int) -> Solution | None:
        """Capacity at a level; None below level 2, for other models, and where it was not found."""
        if self._levels is None:
            return None
        try:
            while level >= 2 and level not in self.solved:
                solution = next(self._levels)
                self.solved[solution.level] = solution
        except (ConvergenceError, ResolutionError, StopIteration):
            self._levels = None
        return self.solved.get(level)

    def satisfied(self, level: int) -> Solution | None:
        """The ground state at a level, where the density lies below the level's capacity."""
        capacity = self.at(level)
        if capacity is None or not float(self.model.alpha or 0) < capacity.value:
            return None
        solution = Solution(
            self.model,
            level,
            0.0,
            branch="satisfiable",
            reason=f"alpha is below this level's capacity {capacity.value:.6g}: xi rises to 0 as the "
            "exponents run to infinity",
            note="all constraints can be fulfilled",
        )
        return replace(solution, branches=(solution,))
