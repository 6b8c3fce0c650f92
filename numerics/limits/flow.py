"""A solution's liftings read as a continuous profile, in as many steps as asked for, with its functions.

Overlaps and exponents between two liftings are interpolated. In the limit of many levels that is what the
functional is stationary at, and a finite level's profile misses it by what its residuals say:
`Flow.squares` beside `Flow.overlaps`. What algorithms follow (`verify.thresholds.algorithms.incremental`)
are the functions f and g after every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator, make_interp_spline

from numerics.errors import ConvergenceError
from numerics.functionals.doubles import evaluator_of
from numerics.nests.laws import Law, tilted_laws
from numerics.thresholds.continuation import moved
from numerics.thresholds.points import located, objective_of
from numerics.thresholds.solution import Solution
from theory import FreeEnergy, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

__all__ = ["Flow", "Slope", "flow", "with_density"]

Array = NDArray[np.float64]

# Pieces of a lifting that overlaps are looked up in, and of the outermost one; tolerance of the grids.
_PIECES, _OUTERMOST, _TOLERANCE = 16, 40, 1e-9
# Relative change of the density in one step of `with_density`; how near it comes, and steps at most.
_STRIDE, _NEAR, _STEPS = 0.05, 1e-4, 30
# Of kappa, in the difference that says how the density moves.
_DELTA = 1e-5
# The first steps are this much shorter, and grow over this share of all.
_SHORTER, _GROWING = 0.1, 0.25


class Slope:
    """f' and f'' of a nest's function, from its values on a grid.

    Cubic Hermite interpolation of the derivatives of a spline of degree 5. Beyond the grid the slope goes on
    along its tangent; below that of an even function, which is flat there, it is 0.
    """

    def __init__(self, law: Law) -> None:
        fields, values = law.spacing * (law.first + np.arange(law.f.size)), law.f
        x, y = fields, values
        if law.even and law.first == 0:
            x, y = np.concatenate((-x[:0:-1], x)), np.concatenate((y[:0:-1], y))
        spline = make_interp_spline(x, y, k=5)
        self.low, self.spacing, self.even = float(fields[0]), law.spacing, law.even
        self.flat = law.even and law.first > 0
        self.slopes, self.bends = spline.derivative(1)(fields), spline.derivative(2)(fields)

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """F' and f'' at fields."""
        at = ((np.abs(x) if self.even else x) - self.low) / self.spacing
        node = np.clip(at, 0.0, self.slopes.size - 2.0).astype(np.intp)
        u = np.clip(at - node, 0.0, 1.0)
        left, h = self.slopes[node], self.spacing
        a, b = h * self.bends[node], h * self.bends[node + 1]
        rise = self.slopes[node + 1] - left
        square, cube = 3.0 * rise - 2.0 * a - b, a + b - 2.0 * rise
        bend = (a + u * (2.0 * square + 3.0 * u * cube)) / h
        slope = left + u * (a + u * (square + u * cube)) + h * bend * (at - node - u)
        if self.flat:
            slope, bend = np.where(at < 0.0, 0.0, slope), np.where(at < 0.0, 0.0, bend)
        return (np.sign(x) * slope if self.even else slope), bend


@dataclass(frozen=True, eq=False)
class Flow:
    """A profile in steps, the outermost first, of one nest or of two.

    Attributes
    ----------
    solution : Solution
        Whose profile it is.
    overlaps : ndarray, shape (steps,)
        p, or q of a nest alone, after each step.
    exponents : ndarray, shape (steps,)
    variances : tuple of ndarray, each of shape (steps + 1,)
        Of the untilted fields of x, and of the rows if there are any, before the first step and after each.
        They begin at 0, or with what a quenched average has.
    functions : tuple of tuple of Slope, each of length steps
        f and g after each step.
    outset : tuple of Slope
        f and g before the first step, where there is a quenched average; else empty.
    squares, bends, works, norms : tuple of ndarray, each of shape (steps,)
        E f_x^2, E f_xx, E X f_x and E X^2 under the tilted laws after each step, and those of g.
    """

    solution: Solution
    overlaps: Array
    exponents: Array
    variances: tuple[Array, ...]
    functions: tuple[tuple[Slope, ...], ...]
    outset: tuple[Slope, ...]
    squares: tuple[Array, ...]
    bends: tuple[Array, ...]
    works: tuple[Array, ...]
    norms: tuple[Array, ...]

    def sent(self) -> Array:
        """Mean square of G m after each step; of J m, where a nest is its own partner.

        G m = Y + E f_xx y there (`theory.thresholds.continuum`).
        """
        back = self.bends[0]
        return self.norms[-1] + 2.0 * back * self.works[-1] + back**2 * self.squares[-1]

    def energy(self) -> Array:
        """Half the mean of m (J m) after each step, J m = X + E f_xx m, of a nest alone; xi at overlap 1."""
        return 0.5 * (self.works[0] + self.bends[0] * self.squares[0])


def flow(solution: Solution, steps: int, top: float) -> Flow:
    """Read a solution's profile in steps.

    Parameters
    ----------
    solution : Solution
        Of a capacity with a nest for x and one for the rows of equal depth, or of SK, with three liftings.
    steps : int
        At least 4. Equal ones in log(1 - p), but for shorter ones in the beginning: what is not known there
        is of the size of the first.
    top : float
        Overlap to end at, below that of the innermost lifting.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        For another model, or an overlap or number of steps out of range.
    ResolutionError
        If the profile is not resolved in doubles.

    Notes
    -----
    The logit of p (or q), log Q and log s are monotone cubics of the lifting's number, s between the ends of
    its lifting. From these p is taken anew, as the E f_x^2 that Q and s give. The outermost lifting keeps
    its exponent; a quenched average of a capacity is no step. A second for a hundred steps.
    """
    profile = _Profile(solution)
    highest = float(profile.ends[-1][0])
    if not (steps >= 4 and 0.0 < top < highest):
        raise ValueError(
            f"steps must be at least 4 and the overlap between 0 and {highest:.4g}, got {steps} and {top:.4g}"
        )
    fine, s = profile.refined()
    overlaps = fine[-1]
    if len(fine) == 2:
        overlaps = np.array([x.average(x.slopes() ** 2) for x in profile.laws(0, fine[0], s)])
    begin = float(overlaps[-1]) if profile.quenched else 0.0
    places = _places(begin, top, steps)
    inner = np.flatnonzero(overlaps > top + 0.01 * (1.0 - top))
    known, before = overlaps[::-1], np.append(begin, places[:-1])
    tilt = np.interp(0.5 * (before + places), known[: s.size], s[::-1])
    variances, functions, outset, moments = [], [], [], []
    for i, v in enumerate(fine):
        own = i == len(fine) - 1  # its variance is the overlap
        there = places if own else _along(places, known, v[::-1])
        ends = np.concatenate(((overlaps if own else v)[inner], there[::-1]))
        start = [begin if own else float(v[-1])] if profile.quenched else []
        laws = profile.laws(i, np.append(ends, start), np.append(s[inner], tilt[::-1]))
        walked = laws[inner.size :][::-1]
        outset += map(Slope, walked[: len(start)])
        walked = walked[len(start) :]
        variances.append(np.append(start or [0.0], there))
        functions.append(tuple(map(Slope, walked)))
        moments.append(_moments(walked))
    squares, bends, works, norms = zip(*moments, strict=True)
    return Flow(
        solution,
        places,
        tilt,
        tuple(variances),
        tuple(functions),
        tuple(outset),
        squares,
        bends,
        works,
        norms,
    )


class _Profile:
    """A solution's liftings, innermost first; the last one apart where it is a capacity's quenched average.

    Attributes
    ----------
    ends : list of ndarray
        Variances at the inner ends of liftings, of the nests of x and of the rows.
    exponents : ndarray
    quenched : bool
    """

    def __init__(self, solution: Solution) -> None:
        fe, generic = free_energy(solution.model, solution.level), _generic(solution)
        if len(solution.q) < len(fe.q):
            fe = without_quenched_average(fe)
        self._doubles = evaluator_of(fe, generic, tolerance=_TOLERANCE)
        self._gaps = np.array(solution.gaps, dtype=float)
        parts = [self._doubles.liftings(i, self._gaps) for i in range(len(fe.nests))]
        self.ends = [np.cumsum(increments[::-1])[::-1] for increments, _ in parts]
        self.exponents = parts[0][1] if parts else np.empty(0)
        alone = len(parts) == 1 and solution.model.constraint is None and not fe.is_capacity
        partners = len(parts) == 2 and fe.is_capacity and self.ends[0].size == self.ends[1].size
        if not (alone or partners) or self.exponents.size < 3:
            raise ValueError(
                f"level {solution.level} of {solution.model} has no pair of nests that are partners, nor one "
                "alone, of three liftings"
            )
        self.quenched = partners and self.exponents[-1] == 0.0

    def refined(self) -> tuple[list[Array], Array]:
        """Ends of the pieces of all liftings, and the exponents within, all innermost first.

        Where there is a quenched average, its inner end is the last one; of the others there are as many as
        exponents.
        """
        count = self.exponents.size - 1
        u = np.linspace(0.0, count, _PIECES * count + 1)
        whole = np.arange(count + 1.0)
        ends = []
        for i, v in enumerate(self.ends):
            bounded = i == len(self.ends) - 1
            fine = _read(whole, np.log(v / (1.0 - v)) if bounded else np.log(v), u)
            ends.append(1.0 / (1.0 + np.exp(-fine)) if bounded else np.exp(fine))
        middles = 0.5 * (u[1:] + u[:-1])
        s = np.exp(_read(whole[:-1] + 0.5, np.log(self.exponents[:-1]), middles))
        if not self.quenched:
            rest = np.linspace(1.0, 0.0, _OUTERMOST + 1)[1:-1] ** 2
            ends = [np.append(v, v[-1] * rest) for v in ends]
            s = np.append(s, np.full(_OUTERMOST, self.exponents[-1]))
        return ends, s

    def laws(self, index: int, ends: Array, exponents: Array) -> tuple[Law, ...]:
        """Tilted laws of a nest whose liftings have these ends and exponents."""
        if self.quenched:
            exponents = np.append(exponents, 0.0)
        increments = -np.diff(np.append(ends, 0.0))
        leaf, numbers, field = self._doubles.leaf(index, self._gaps)
        asked = (tuple(increments.tolist()), tuple(exponents.tolist()))
        return tilted_laws(leaf, numbers, field, *asked, tolerance=_TOLERANCE)


def _read(places: Array, values: Array, at: Array) -> Array:
    """Monotone cubics through values, the first and last straight piece going on beyond them."""
    inside = PchipInterpolator(places, values)(np.clip(at, places[0], places[-1]))
    first, last = np.diff(values)[[0, -1]] / np.diff(places)[[0, -1]]
    return (
        inside + first * np.minimum(at - places[0], 0.0) + last * np.maximum(at - places[-1], 0.0)
    )


def _places(begin: float, top: float, steps: int) -> Array:
    sizes = np.ones(steps)
    short = math.ceil(_GROWING * steps)
    sizes[:short] = np.geomspace(_SHORTER, 1.0, short + 1)[:-1]
    low, high = -math.log1p(-begin), -math.log1p(-top)
    return -np.expm1(-low - (high - low) * np.cumsum(sizes) / sizes.sum())


def _along(places: Array, known: Array, values: Array) -> Array:
    """Values at overlaps, by straight lines of logarithms; in proportion below the first one."""
    found = np.exp(np.interp(np.log(places), np.log(known), np.log(values)))
    return found * np.minimum(places / known[0], 1.0)


def _moments(laws: tuple[Law, ...]) -> tuple[Array, ...]:
    rows = []
    for law in laws:
        slope, bend = law.derivatives(2)
        fields: Array = law.spacing * np.arange(law.first, law.first + law.f.size, dtype=float)
        rows.append([law.average(x) for x in (slope**2, bend, fields * slope, fields**2)])
    return tuple(np.array(rows).T)


def _generic(solution: Solution) -> FreeEnergy:
    """The functional with symbolic parameters, of as many overlaps as the solution has."""
    generic = free_energy(solution.model.generic, solution.level)
    return without_quenched_average(generic) if len(solution.q) < len(generic.q) else generic


def with_density(solution: Solution, density: float) -> Solution:
    """Follow a capacity's point to the margin at which a density is the capacity.

    Parameters
    ----------
    solution : Solution
        Of a model with a margin kappa.
    density : float
        Positive.

    Returns
    -------
    Solution
        Of the same level and another margin, at which it is within 1e-4 of the density.

    Raises
    ------
    ValueError
        For a model without a margin, or a density that is not positive and finite.
    ConvergenceError
        If the point is lost on the way.

    Notes
    -----
    Newton's method, the derivative in kappa at fixed order parameters, in steps of at most 5% of the density,
    halved where a point is lost.
    """
    if not (solution.model.problem == "capacity" and hasattr(solution.model.constraint, "kappa")):
        raise ValueError(f"a capacity of a model with a margin is needed, got {solution.model}")
    if not 0.0 < density < math.inf:
        raise ValueError(f"density must be positive and finite, got {density!r}")
    stride, kappa = _STRIDE, math.nan
    for _ in range(_STEPS):
        value = float(solution.value)
        miss = density / value - 1.0
        if abs(miss) < _NEAR:
            return solution
        aim = value * (1.0 + max(-stride, min(miss, stride)))
        constraint: Any = solution.model.constraint
        kappa = float(constraint.kappa)
        gaps = np.array(solution.gaps, dtype=float)
        up, down = (
            evaluator_of(_at_margin(solution, kappa + move), _generic(solution)).at_gaps(gaps).value
            for move in (_DELTA, -_DELTA)
        )
        fe = _at_margin(solution, kappa + (aim - value) * 2.0 * _DELTA / (up - down))
        objective = objective_of(fe)
        try:
            found = located(objective, fe, objective.evaluator.coordinates.coords(gaps), "")
        except ConvergenceError:
            stride *= 0.5
            continue
        solution = replace(found, split="continued in kappa", branches=())
    raise ConvergenceError(
        f"the margin at which {density:.6g} is the capacity of {solution.model.name} at level "
        f"{solution.level} was not reached",
        {"kappa": kappa},
        math.nan,
    )


def _at_margin(solution: Solution, kappa: float) -> FreeEnergy:
    """The solution's functional at another margin."""
    margin = sympy.Rational(kappa).limit_denominator(10**9)
    fe = free_energy(moved(solution.model, margin), solution.level)
    return without_quenched_average(fe) if len(solution.q) < len(fe.q) else fe
