"""Incremental message passing: the profile of infinitely many liftings, read as a prescription.

Algorithm
---------
Between the outermost and the innermost lifting overlaps p and Q grow, and the fields of a spin and of a
row move as the tilted process says (`theory.thresholds.continuum`, with f of the prior and g of the
constraint):

    X += s f_x(X) dQ + dZ ,   m = f_x(X) ,        Y += s g_x(Y) dp + dW ,   y = g_x(Y) .

The slopes m and y are martingales. Their increments, through the matrix G with entries of variance 1/n,
are the increments of the partner's field, once what an increment sends back to itself is taken away,

    dW = G dm - E f_xx dy_before ,      dZ = G' dy - (m/n) E g_xx dm ,

with the averages that `theory.thresholds.continuum.memory` derives. Each increment is scaled to its
variance in the profile, dp or dQ, by a factor that its memory takes along; it is near 1 where liftings are
many. Nothing is tuned: functions, exponents and variances are those of a solution, whose liftings are cut
into steps of equal dp.

It is followed to the overlap `_HANDED_OVER`. There the magnetisations are as near to a corner as the
finite matrix lets them come; reinforced message passing (`belief`) takes over from them, and `repair` from
that.

Time: two passes over the matrix a step, and the tables of f and g once for a model and a number of steps; the
solution itself, solved once in a process, takes a minute.

References: Montanari, FOCS 2019 (SK); El Alaoui, Montanari, Sellke, Ann. Probab. 49, 2922 (2021); El
Alaoui, Sellke, arXiv:2010.15811 (perceptrons).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from verify.thresholds.instances import Instance

from .belief import reinforce
from .interface import Attempt
from .repair import searched_and_repaired

if TYPE_CHECKING:
    from numerics.nests.laws import Law
    from theory import FreeEnergy, Model

__all__ = ["Curve", "Side", "Walk", "run", "sides", "walk"]

Array = NDArray[np.float64]

# Overlap at which reinforced message passing takes over, and the share of passes until then.
_HANDED_OVER, _WALKED = 0.9, 0.5
# Of the messages of the symmetric and the asymmetric perceptron, and how fast spins polarise: as in `belief`.
_DAMPING, _POWER = {"sbp": 0.3, "abp": 0.5}, 3.0
# Largest magnetisation that is handed over.
_LARGEST = 1.0 - 1e-12


class Curve:
    """A function's slope and bend, from its values on a grid.

    Splines of degree 5 through the values; beyond the grid the slope goes on along its tangent, and below
    that of an even function, which is flat there, it is 0.
    """

    def __init__(self, law: Law) -> None:
        fields, values = law.spacing * (law.first + np.arange(law.f.size)), law.f
        if law.even and law.first == 0:
            fields, values = (
                np.concatenate((sign * a[:0:-1], a)) for sign, a in ((-1.0, fields), (1.0, values))
            )
        spline = make_interp_spline(fields, values, k=5)
        self.slope, self.bend = spline.derivative(1), spline.derivative(2)
        self.low, self.high = float(fields[0]), float(fields[-1])
        self.flat = law.even and law.first > 0

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """f_x and f_xx at fields."""
        if self.flat:
            slope, bend = self._near(np.maximum(np.abs(x), self.low))
            below = np.abs(x) < self.low
            return np.where(below, 0.0, np.sign(x) * slope), np.where(below, 0.0, bend)
        return self._near(x)

    def _near(self, x: Array) -> tuple[Array, Array]:
        inside = np.clip(x, self.low, self.high)
        bend = self.bend(inside)
        return self.slope(inside) + bend * (x - inside), bend


class Side(NamedTuple):
    """One side's way: its steps from the outermost on.

    Attributes
    ----------
    increments, exponents : ndarray, shape (steps,)
        Of the variance of the field, and what it is tilted with.
    functions : tuple of Curve
        f after each step.
    """

    increments: Array
    exponents: Array
    functions: tuple[Curve, ...]


class Walk(NamedTuple):
    """Where a walk has ended, and how well it has kept to its profile.

    Attributes
    ----------
    magnetisations : ndarray, shape (n,)
    responses : ndarray, shape (m,)
        y of the rows.
    course : ndarray, shape (steps, 4)
        p and |m|^2 / n, Q and |y|^2 / n.
    """

    magnetisations: Array
    responses: Array
    course: Array


def run(
    instance: Instance, budget: int, seed: int, *, liftings: int = 14, repairs: int | None = None
) -> Attempt:
    """Run incremental message passing.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts passes over the matrix: two a step, one an iteration.
    liftings : int
        Level of the solution whose profile is followed, from 10 to 50.
    repairs : int, optional
        Sweeps of repair in the end, taken from the budget; by default a fifth of it, at most 800.

    Returns
    -------
    Attempt
        The trace's progress is the mean square of the magnetisations.

    Raises
    ------
    ConvergenceError, ResolutionError
        Where the model has no such solution (`numerics.limit`).
    ValueError
        For a budget of less than 40 passes besides repair.
    """
    from theory import ABP, SBP

    model = (SBP if instance.kind == "sbp" else ABP)(kappa=repr(float(instance.kappa)))

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        steps = int(_WALKED * passes) // 2
        if steps < 10:
            raise ValueError(f"a walk needs 40 passes besides repair, got a budget of {passes}")
        there = walk(rows, *sides(model, liftings, steps), rng)
        fields = np.arctanh(np.clip(there.magnetisations, -_LARGEST, _LARGEST))
        norm, made = float(there.course[-1, 1]), 2 * len(there.course)
        limits = (lower, upper, _DAMPING[instance.kind], _POWER, 0.0)
        g, left = np.zeros(rows.shape[0]), max(passes - made, 1)
        best, more, trace = reinforce(rows, x, fields, g, norm, left, limits, rng)
        trace[:, 0] += made
        return best, made + more, trace

    return searched_and_repaired("incremental", instance, budget, seed, repairs, search)


def walk(rows: Any, spins: Side, constraints: Side, rng: np.random.Generator) -> Walk:
    """Follow a profile from the outermost lifting inwards.

    Parameters
    ----------
    rows : ndarray, shape (m, n)
        float32, entries of variance 1/n.
    spins, constraints : Side
        With as many steps.
    rng : numpy.random.Generator
        For the first direction; which one it is does not matter.

    Returns
    -------
    Walk
    """
    m, n = rows.shape
    dm = rng.standard_normal(n)
    x, y, m_x, g_y = np.zeros(n), np.zeros(m), np.zeros(n), np.zeros(m)
    dy, back, course = np.zeros(m), 0.0, []
    for step, (dp, dq) in enumerate(zip(constraints.increments, spins.increments, strict=True)):
        dw, factor = _scaled(_product(rows, dm) - back * dy, dp)
        y += constraints.exponents[step] * g_y * dp + dw
        slope, bend = constraints.functions[step](y)
        dy, g_y = slope - g_y, slope
        dz, other = _scaled(_product(rows.T, dy) - factor * float(bend.sum()) / n * dm, dq)
        x += spins.exponents[step] * m_x * dq + dz
        slope, bend = spins.functions[step](x)
        dm, m_x = slope - m_x, slope
        back = other * float(bend.mean())
        course.append((float(m_x @ m_x) / n, float(g_y @ g_y) / n))
    overlaps = np.cumsum([constraints.increments, spins.increments], axis=1)
    norms = np.array(course).T
    return Walk(m_x, g_y, np.array([overlaps[0], norms[0], overlaps[1], norms[1]]).T)


def _scaled(increment: Array, variance: float) -> tuple[Array, float]:
    """An increment of this variance, and the factor that made it so."""
    factor = math.sqrt(len(increment) * variance) / float(np.linalg.norm(increment))
    return factor * increment, factor


def _product(matrix: Any, vector: Array) -> Array:
    return np.asarray(matrix @ vector.astype(np.float32), dtype=np.float64)


@lru_cache(maxsize=4)
def sides(model: Model, liftings: int, steps: int) -> tuple[Side, Side]:
    """The two sides of a model's profile, in about as many steps to where it is handed over.

    Parameters
    ----------
    model : theory.Model
        A capacity, with numbers.
    liftings, steps : int

    Raises
    ------
    ConvergenceError, ResolutionError
        As `numerics.limit`.

    Notes
    -----
    A lifting between overlaps that are dp apart is cut into dp / (`_HANDED_OVER` / steps) equal ones, at
    least two.
    """
    from numerics.functionals.doubles import evaluator

    fe, point = _profile(model, liftings)
    compiled = evaluator(fe, tolerance=1e-9)
    coordinates = compiled.coordinates
    gaps = coordinates.gaps(coordinates.from_order_parameters(point))
    rows, _ = compiled.liftings(1, gaps)
    inside = np.cumsum(rows[::-1])[::-1]  # p at the inner end of each lifting
    walked = inside - rows < _HANDED_OVER
    cuts = np.where(walked, np.maximum(2, np.ceil(rows * steps / _HANDED_OVER)), 1).astype(int)
    first = int(cuts[~walked].sum())

    def side(index: int) -> Side:
        increments, exponents = (np.repeat(a, cuts) for a in compiled.liftings(index, gaps))
        laws = compiled.laws(index, gaps, cuts.tolist())
        functions = tuple(map(Curve, laws[first:][::-1]))
        own = (increments / np.repeat(cuts, cuts), exponents)
        increments, exponents = (a[first:][::-1] for a in own)
        return Side(increments, exponents, functions)

    return side(0), side(1)


def _profile(model: Model, liftings: int) -> tuple[FreeEnergy, dict[str, float]]:
    """The functional of a level, and its order parameters there."""
    from numerics import limit
    from theory import free_energy
    from theory.thresholds.finite_exponents import without_quenched_average

    profile = limit(model, highest=liftings)
    fe = free_energy(model, profile.levels[-1])
    if len(profile.q) < len(fe.q):
        fe = without_quenched_average(fe)
    values = (*profile.p, *profile.q, *profile.c)
    return fe, {str(name): x for name, x in zip(fe.order_parameters, values, strict=True)}
