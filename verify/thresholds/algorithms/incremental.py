"""Incremental message passing: the profile of infinitely many liftings, read as a prescription.

Algorithm
---------
Between the outermost and the innermost lifting overlaps p and Q grow, and the fields of a spin and of a
row move as the tilted process says (`theory.thresholds.continuum`, with f of the prior and g of the
constraint):

    X += s f_x dQ + dZ ,   m = f_x(X) ,        Y += s g_x dp + dW ,   y = g_x(Y) .

The slopes m and y are martingales. Their increments, through the matrix G with entries of variance 1/n, are
the increments of the partner's field, once what an increment sends back to itself is taken away,

    dW = G dm - E f_xx dy_before ,      dZ = G' dy - alpha E g_xx dm ,

with the coefficients that `theory.thresholds.continuum.memory` derives. Each increment is scaled to its
variance in the profile, dp or dQ, by a factor that its memory takes along and that tends to 1 as n and then
the steps grow. Drifts are taken in the middle of a step (Heun). Where a side is its own partner (SK),
dZ = J dm - E f_xx dm_before with the symmetric J.

The way begins in a random direction, with short steps: what the rows are told of it no function follows. A
model with a quenched average has a direction of its own; there plain message passing with f and g of the
outermost lifting comes first.

The profile is that of the instance's density: of the margin kappa' at which the density is the capacity
(`numerics.limits.flow.with_density`). Below the threshold it is narrower than kappa, and rows end with room
to spare. From the overlap `_TOP` on, where the magnetisations are as near to a corner
as a finite matrix lets them come, reinforced message passing (`belief`) takes over, and `repair` from that.

Time: two passes over the matrix a step. The solution of a model is found once in a process (some four
seconds), the functions of a density and a number of steps once (a second).

References: Montanari, FOCS 2019 (SK); El Alaoui, Montanari, Sellke, Ann. Probab. 49, 2922 (2021); El
Alaoui, Sellke, arXiv:2010.15811 (perceptrons).
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import njit
from numerics.errors import ConvergenceError
from verify.thresholds.instances import Instance

from .belief import reinforce
from .interface import Attempt
from .kernels import add_multiple, dot, violations
from .repair import searched_and_repaired

if TYPE_CHECKING:
    from numerics import Solution
    from numerics.limits.flow import Flow
    from theory import Model

__all__ = ["LEVELS", "Walk", "climb", "profile", "run", "walk"]

Array = NDArray[np.float64]

# Overlap that is walked to; steps at most, the share of passes for them, and passes of the shortest walk.
_TOP, _MOST, _SHARE, _LEAST = 0.95, 200, 0.4, 9
LEVELS = {"sbp": 7, "abp": 6, "sk": 6}
"""Levels of the solutions that are followed: enough for overlaps up to 0.95."""
# Densities that a profile is moved to, against its capacity: far below, any margin with room will do.
_LOWEST, _HIGHEST = 0.9, 1.1
# Iterations of plain message passing before the first step, where there is a direction to find, and the
# fields that it is kept within: it need not converge at a few dozen spins.
_PLAIN, _FAR = 30, 100.0
# Of the messages of the symmetric and the asymmetric perceptron, and how fast spins polarise: as in `belief`.
_DAMPING, _POWER = {"sbp": 0.3, "abp": 0.5}, 3.0
# Largest magnetisation that is handed over.
_LARGEST = 1.0 - 1e-12


class Walk(NamedTuple):
    """Where a walk has ended, and how well it has kept to its profile.

    Attributes
    ----------
    magnetisations : ndarray, shape (n,)
        f_x(X).
    told : ndarray, shape (n,)
        The sum of the scaled increments, which rows have been told; it differs by what scaling does.
    responses : ndarray, shape (m,)
        g_x(Y); empty where there are no rows.
    squares : ndarray, shape (steps, sides)
        |m|^2/n, and |y|^2/m, after each step.
    factors, memories : ndarray, shape (steps, sides)
        What increments were scaled by, and what was taken off G dm and G' dy for each unit of the partner's
        increment; those of Y first.
    """

    magnetisations: Array
    told: Array
    responses: Array
    squares: Array
    factors: Array
    memories: Array


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    level: int | None = None,
    repairs: int | None = None,
) -> Attempt:
    """Run incremental message passing.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts passes over the matrix: two a step, one an iteration. There is
        no walk with less than 9 of them besides repair, four steps and an iteration.
    level : int, optional
        Of the solution whose profile is followed; by default 7 (symmetric) or 6.
    repairs : int, optional
        Sweeps of repair in the end, taken from the budget; by default a fifth of it, at most 800.

    Returns
    -------
    Attempt
        The trace's progress is the mean square of the magnetisations.

    Raises
    ------
    ConvergenceError, ResolutionError
        Where the model has no such solution (`numerics.solve`).
    """
    from theory import ABP, SBP

    model = (SBP if instance.kind == "sbp" else ABP)(kappa=repr(instance.kappa))

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        if passes < _LEAST:
            return violations(rows, x, lower, upper), 0, np.empty((0, 3))
        steps = max(4, min(int(_SHARE * passes) // 2, _MOST))
        way = profile(model, level or LEVELS[instance.kind], steps, density=instance.alpha)
        plain = min(_PLAIN, (passes - 2 * steps) // 4)
        there = walk(rows, way, rng, plain=plain)
        made = 2 * len(there.squares) + (2 * plain if way.outset else 0)
        fields = np.arctanh(np.clip(there.magnetisations, -_LARGEST, _LARGEST))
        norm = float(np.mean(there.magnetisations**2))
        limits = (lower, upper, _DAMPING[instance.kind], _POWER, 0.0)
        g, left = np.zeros(rows.shape[0]), max(passes - made, 1)
        best, more, trace = reinforce(rows, x, fields, g, norm, left, limits, rng)
        trace[:, 0] += made
        rounded = np.where(there.told > 0.0, 1.0, -1.0).astype(np.float32)
        count = violations(rows, rounded, lower, upper)
        if count < best:  # what took over has lost it
            x[:], best = rounded, count
        return best, made + more, trace

    return searched_and_repaired("incremental", instance, budget, seed, repairs, search)


@lru_cache(maxsize=16)
def _solution(model: Model, level: int) -> Solution:
    from numerics import solve

    return solve(model, level)


@lru_cache(maxsize=8)
def profile(
    model: Model, level: int, steps: int, *, density: float | None = None, top: float = _TOP
) -> Flow:
    """The profile that a walk follows.

    Parameters
    ----------
    model : theory.Model
        With numbers: SBP, ABP or SK.
    level, steps : int
    density : float, optional
        Of a capacity's instance: the profile is that of another margin, whose capacity it is, or comes as
        near to it as 10%. Where the solution cannot be followed there, its own margin's.
    top : float
        Overlap to end at.

    Raises
    ------
    ConvergenceError, ResolutionError
        As `numerics.solve`.
    """
    from numerics.limits.flow import flow, with_density

    solution = _solution(model, level)
    if density is not None:
        value = float(solution.value)
        # a branch may end on the way: the margin itself is good enough
        with suppress(ConvergenceError):
            solution = with_density(solution, min(max(density, _LOWEST * value), _HIGHEST * value))
    return flow(solution, steps, top)


class _Side:
    """One side's field and slope on the way."""

    def __init__(self, way: Flow, index: int, size: int) -> None:
        self._functions, self._exponents = way.functions[index], way.exponents
        self._variances = np.diff(way.variances[index])
        self.field, self.slope = np.zeros(size), np.zeros(size)

    def move(self, step: int, sent: Array) -> tuple[Array, float, float]:
        """Move by what the partner has sent: increment of the slope, average bend, factor on what was sent.

        The factor is 0 where nothing was sent, which no factor would give its variance.
        """
        variance = float(self._variances[step])
        norm, f = float(np.linalg.norm(sent)), self._functions[step]
        factor = math.sqrt(sent.size * variance) / norm if norm > 0.0 else 0.0
        drift = self._exponents[step] * variance
        ahead, _ = f(self.field + drift * self.slope + factor * sent)
        self.field += 0.5 * drift * (self.slope + ahead) + factor * sent
        slope, bend = f(self.field)
        increment, self.slope = slope - self.slope, slope
        return increment, float(bend.mean()), factor


def walk(
    rows: Any, way: Flow, rng: np.random.Generator, *, plain: int = _PLAIN, recall: float = 1.0
) -> Walk:
    """Follow the profile of a capacity from the outermost lifting inwards.

    Parameters
    ----------
    rows : ndarray, shape (m, n)
        float32, entries of variance 1/n.
    way : Flow
        Of two nests.
    rng : numpy.random.Generator
        For the first direction; which one it is does not matter.
    plain : int
        Iterations of plain message passing before the first step of a model with a quenched average.
    recall : float
        Share of the memory that is taken off: 1, but for those who want to see what it is good for.

    Returns
    -------
    Walk
    """
    m, n = rows.shape
    spins, checks = _Side(way, 0, n), _Side(way, 1, m)
    if way.outset:
        _settle(rows, way, spins, checks, plain)
    told, dm, dy, back = spins.slope.copy(), rng.standard_normal(n), np.zeros(m), 0.0
    course = []
    for step in range(way.exponents.size):
        sent = _forward(rows, dm) - back * dy
        dy, bend, a = checks.move(step, sent)
        told += a * dm
        forth = recall * a * m / n * bend
        dm, bend, b = spins.move(step, _backward(rows, dy) - forth * dm)
        squares = np.mean(spins.slope**2), np.mean(checks.slope**2)
        course.append((squares, (a, b), (back, forth)))
        back = recall * b * bend
    return Walk(spins.slope, told + dm, checks.slope, *np.array(course).swapaxes(0, 1))


def _settle(rows: Any, way: Flow, spins: _Side, checks: _Side, iterations: int) -> None:
    """Plain message passing with the outermost functions, to where the quenched average is."""
    f, g = way.outset
    bend = 0.0
    for _ in range(iterations):
        checks.field = _forward(rows, spins.slope) - bend * checks.slope
        checks.slope, bends = g(np.clip(checks.field, -_FAR, _FAR))
        spins.field = (
            _backward(rows, checks.slope) - float(bends.sum()) / spins.field.size * spins.slope
        )
        spins.slope, bends = f(np.clip(spins.field, -_FAR, _FAR))
        bend = float(bends.mean())


def climb(couplings: Any, way: Flow, rng: np.random.Generator, *, recall: float = 1.0) -> Walk:
    """Follow the profile of SK from the outermost lifting inwards (Montanari's algorithm).

    Parameters
    ----------
    couplings : ndarray, shape (n, n)
        float32, symmetric, entries of variance 1/n.
    way : Flow
        Of one nest.
    rng, recall
        As for `walk`.

    Returns
    -------
    Walk
    """
    n = couplings.shape[0]
    spins = _Side(way, 0, n)
    told, dm, before, back = np.zeros(n), rng.standard_normal(n), np.zeros(n), 0.0
    course = []
    for step in range(way.exponents.size):
        sent = _forward(couplings, dm) - back * before
        before = dm
        dm, bend, a = spins.move(step, sent)
        told += a * before
        course.append(((np.mean(spins.slope**2),), (a,), (back,)))
        back = recall * a * bend
    return Walk(spins.slope, told + dm, np.empty(0), *np.array(course).swapaxes(0, 1))


@njit
def _forward(rows: Any, x: Any) -> Any:
    """G x."""
    out, single = np.empty(rows.shape[0]), x.astype(np.float32)
    for i in range(rows.shape[0]):
        out[i] = dot(rows[i], single)
    return out


@njit
def _backward(rows: Any, y: Any) -> Any:
    """G' y."""
    sums = np.zeros(rows.shape[1], dtype=np.float32)
    for i in range(rows.shape[0]):
        add_multiple(np.float32(y[i]), rows[i], sums)
    return sums.astype(np.float64)
