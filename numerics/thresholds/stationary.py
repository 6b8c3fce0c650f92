"""Minima, saddles and their refinement by Newton's method, in logarithmic coordinates.

An objective is any callable that returns a value and its gradient, (inf, 0) where it cannot be
evaluated; `numerics.thresholds.objective` makes one from a functional. Minimisation is scipy's
BFGS; saddles are found by following eigenvectors of the Hessian; the end game is Newton's method on
the gradient with a finite-difference Hessian, so that it converges to the stationary point itself,
of any kind, and the value is exact to second order in what is left of the gradient.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

__all__ = [
    "Curved",
    "Function",
    "StationaryPoint",
    "differences",
    "follow",
    "hessian",
    "minimise",
    "refine",
    "relaxed",
    "updated",
]

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]

#: Coordinates are logarithms; a start that wanders further than this from where it began is lost.
_RADIUS = 12.0
# Newton's method ends at a step this short, and makes none longer than that.
_CONVERGED, _LONGEST = 1e-10, 0.5
# Iterations that may go by without a gradient lower than before.
_IDLE = 40
# Hessians of a descent, and the curvature beside the largest below which a direction counts as flat.
_ROUNDS, _FLATTEST = 4, 1e-10
# Gradient, in the metric, that steps by gradients alone begin at; how many that do not halve it may go
# by; and how many times the gradient wanted a line search stops at.
_CLOSE, _PATIENCE, _ROUGHLY = 1e-2, 8, 3.0
# Part of a gradient that a Hessian may fail to foretell and is still used, changed by what was seen.
_TRUSTED = 0.2
# Part of a Newton step that the next one may be, with the same Hessian.
_SHORTER = 0.05
# A step this short is a search's last.
_NEAR = 1e-2
# Central differences of the gradient: error of order step^2, noise of order 1e-15 / step.
_STEP = 2e-4
# Of algebra, which has no noise of grids but large parts that cancel, exponents times increments, whose
# powers differences see: two central ones, of this step and twice that, leave step^4.
_FINE = 2.5e-5


@runtime_checkable
class Curved(Protocol):
    """An objective that knows its Hessian, for less than differences cost; None where it does not."""

    def hessian(self, coords: Array) -> Array | None:
        """Return the Hessian at a point."""
        ...


@dataclass(frozen=True)
class StationaryPoint:
    """A refined point with its derivatives.

    Attributes
    ----------
    coords : ndarray, shape (size,)
    objective : float
    gradient : ndarray, shape (size,)
    hessian : ndarray, shape (size, size)
    decrement : float
        ``|g' H^-1 g| / 2``: estimated change of the objective to the exact stationary point.
    step : float
        Largest component of ``H^-1 g``: the distance to it.
    """

    coords: Array
    objective: float
    gradient: Array
    hessian: Array
    decrement: float
    step: float

    @property
    def eigenvalues(self) -> Array:
        """Ascending eigenvalues of the Hessian."""
        return np.asarray(np.linalg.eigvalsh(self.hessian), dtype=np.float64)


def minimise(
    function: Function,
    coords: Array,
    *,
    free: NDArray[np.intp] | None = None,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-6,
    iterations: int = 400,
) -> tuple[Array, float, float]:
    """Local minimisation from one start.

    Parameters
    ----------
    function : callable
        Objective and gradient.
    coords : ndarray, shape (size,)
        Start.
    free : ndarray of int, optional
        Coordinates to vary; all by default.
    domain : callable, optional
        Where the objective may be looked at; outside it counts as infinite.
    gradient_tolerance : float
        Largest component of the gradient to stop at.
    iterations : int

    Returns
    -------
    coords : ndarray
    objective : float
        ``inf`` if the start itself cannot be evaluated.
    gradient_norm : float
        Largest component over the free coordinates at the end, whether it converged or not.
    """
    chosen = np.arange(coords.size) if free is None else free
    start = coords.copy()

    def objective(x: Array) -> tuple[float, Array]:
        point = start.copy()
        point[chosen] = x
        if np.abs(point - start).max() > _RADIUS or not (domain is None or domain(point)):
            return math.inf, np.zeros(chosen.size)
        value, gradient = function(point)
        return value, gradient[chosen]

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result = optimize.minimize(
            objective,
            start[chosen],
            jac=True,
            method="BFGS",
            options={"gtol": gradient_tolerance, "maxiter": iterations},
        )
    point = start.copy()
    point[chosen] = result.x
    size = float(np.abs(result.jac).max(initial=0.0)) if math.isfinite(result.fun) else math.inf
    return point, float(result.fun), size


def descend(
    function: Function,
    coords: Array,
    *,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-6,
    rounds: int = _ROUNDS,
) -> tuple[Array, float, float]:
    """Local minimisation in a long valley: `minimise` in the metric of the Hessian where it starts.

    Parameters
    ----------
    function, coords, domain
        As for `minimise`.
    gradient_tolerance : float
        Length of the gradient in that metric, g'|H|^-1 g under a square root, to stop at.
    rounds : int
        Hessians at most; each is made where the last round ended.

    Returns
    -------
    coords : ndarray
    objective : float
    gradient_norm : float
        That length at the end, whether it converged or not, in the metric of the last round's Hessian; about
        half its square is left to be gained. ``inf`` where it is not known.

    Notes
    -----
    Where the minimum is one of hundreds along a valley, its Hessian's eigenvalues differ by 1e5, and BFGS
    needs as many iterations as there are coordinates to learn them. One Hessian by differences, which costs
    two gradients a coordinate, tells it before.
    """
    value, _ = function(coords)
    length = math.inf
    for _ in range(rounds if math.isfinite(value) else 0):
        curvature = hessian(function, coords)
        if not np.isfinite(curvature).all():
            break
        coords, value, length = relaxed(
            function, coords, curvature, domain=domain, gradient_tolerance=gradient_tolerance
        )
        if length <= gradient_tolerance:
            break
    return coords, value, length


def relaxed(
    function: Function,
    coords: Array,
    curvature: Array,
    *,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-6,
) -> tuple[Array, float, float]:
    """A round of `descend`: `minimise` in the metric of a curvature.

    Parameters
    ----------
    function, coords, domain, gradient_tolerance
        As for `descend`; the function is finite at the start.
    curvature : ndarray, shape (size, size)
        A Hessian of about this place.

    Returns
    -------
    coords : ndarray
    objective : float
    gradient_norm : float
        In that metric.
    """
    sizes, vectors = np.linalg.eigh(curvature)
    sizes = np.abs(sizes)
    metric = vectors / np.sqrt(np.maximum(sizes, _FLATTEST * sizes.max()))

    def moved(z: Array) -> tuple[float, Array]:
        point = coords + metric @ z
        if np.abs(point - coords).max() > _RADIUS or not (domain is None or domain(point)):
            return math.inf, np.zeros_like(z)
        height, slope = function(point)
        return height, metric.T @ slope

    z = np.zeros(coords.size)
    value, slope = moved(z)
    if float(np.linalg.norm(slope)) < _CLOSE:
        z, value, slope = _by_gradients(moved, z, value, slope, gradient_tolerance)
    if (length := float(np.linalg.norm(slope))) > gradient_tolerance:
        z, _, _ = minimise(moved, z, gradient_tolerance=_ROUGHLY * gradient_tolerance)
        z, value, slope = _by_gradients(moved, z, *moved(z), gradient_tolerance)
        length = float(np.linalg.norm(slope))
    return coords + metric @ z, value, length


def _by_gradients(
    function: Function, z: Array, value: float, slope: Array, gradient_tolerance: float
) -> tuple[Array, float, Array]:
    """Quasi-Newton steps from next to a minimum, in coordinates where its Hessian is about 1.

    They end where the gradient is short enough, or no shorter for a few steps. Values only say that a step
    does not climb: their noise ends a line search long before that of gradients matters.
    """
    inverse = np.eye(z.size)
    best = z, value, slope
    shortest, idle = float(np.linalg.norm(slope)), 0
    while shortest > gradient_tolerance and idle < _PATIENCE:
        step = -inverse @ slope
        height, after = function(z + step)
        change = after - slope
        along = float(step @ change)
        if not height <= value + shortest**2 or along <= 0.0:
            break
        z, value, slope = z + step, height, after
        length = float(np.linalg.norm(slope))
        idle = 0 if length < 0.5 * shortest else idle + 1
        if length < shortest:
            best, shortest = (z, value, slope), length
        # BFGS
        across = np.eye(z.size) - np.outer(step, change) / along
        inverse = np.asarray(
            across @ inverse @ across.T + np.outer(step, step) / along, dtype=np.float64
        )
    return best


@np.errstate(over="ignore", invalid="ignore")
def follow(
    function: Function,
    coords: Array,
    ascents: Callable[[Array], int],
    *,
    free: NDArray[np.intp] | None = None,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-6,
    iterations: int = 30,
    radius: float = 0.5,
) -> tuple[Array, float, float]:
    """Saddle of a given index, by following eigenvectors of the Hessian from one start.

    Parameters
    ----------
    function, coords, free, domain, gradient_tolerance
        As in `minimise`.
    ascents : callable
        Number of directions to go up in, at a point.
    iterations : int
    radius : float
        Longest step, in the coordinates' (logarithmic) units.

    Returns
    -------
    coords : ndarray
    objective : float
        ``inf`` if the search left the domain for good.
    gradient_norm : float
        Largest component.

    Notes
    -----
    Newton's step in the Hessian's eigenbasis, up along the lowest eigenvectors and down along the others
    whatever the signs of their eigenvalues (Cerjan and Miller, J. Chem. Phys. 75, 2800, 1981); a step that
    cannot be evaluated is halved. Near a saddle of the index wanted it is Newton's method. Directions of the
    wrong sign that curve less than the gradient is long are not gone along: a bent valley curves as much
    across as its floor is off. A Hessian by differences costs 2 size gradients; while it foretells the
    gradient, it is changed by one rank a step instead (SR1; Conn, Gould and Toint, Math. Prog. 50, 177,
    1991).
    """
    if free is not None:
        return _followed_within(
            function, coords, ascents, free, domain, gradient_tolerance, iterations, radius
        )
    value, gradient = function(coords)
    longest = radius
    length = lowest = math.inf
    idle = 0
    curvature: Array | None = None
    for _ in range(iterations):
        size = float(np.abs(gradient).max(initial=0.0))
        idle, lowest = (0, size) if size < 0.7 * lowest else (idle + 1, lowest)
        if idle > _IDLE:
            break
        small = np.abs(gradient).max(initial=0.0) < gradient_tolerance
        if not math.isfinite(value) or (small and length < _NEAR):
            break
        if curvature is None:
            curvature = hessian(function, coords)
        if not np.isfinite(curvature).all():
            return coords, math.inf, math.inf
        eigenvalues, vectors = np.linalg.eigh(curvature)
        count = ascents(coords)
        sizes = np.maximum(np.abs(eigenvalues), 1e-14 * np.abs(eigenvalues).max(initial=1e-300))
        signs = np.where(np.arange(coords.size) < count, -1.0, 1.0)
        along = vectors.T @ gradient
        held = signs * eigenvalues < 0.0
        held &= sizes < float(np.linalg.norm(along[~held]))
        step = -vectors @ (np.where(held, 0.0, signs * along) / sizes)
        length = float(np.linalg.norm(step))
        step *= min(1.0, longest / length) if length > 0.0 else 0.0
        for _ in range(8):
            trial, slope = function(coords + step)
            if math.isfinite(trial) and (domain is None or domain(coords + step)):
                break
            step = 0.5 * step
        else:
            return coords, math.inf, math.inf
        # a gradient that grows says that the quadratic model does not reach this far
        grown = float(np.linalg.norm(slope)) > 1.5 * float(np.linalg.norm(gradient))
        longest = max(0.05, 0.5 * longest) if grown else min(radius, 1.5 * longest)
        curvature = None if grown else updated(curvature, step, gradient, slope)
        coords, value, gradient = coords + step, trial, slope
    return coords, value, float(np.abs(gradient).max(initial=0.0))


def updated(curvature: Array, step: Array, before: Array, after: Array) -> Array | None:
    """The Hessian after a step, by a symmetric change of rank one; None where its model was no good."""
    missed = after - before - curvature @ step
    if not float(np.linalg.norm(missed)) < _TRUSTED * float(np.linalg.norm(before)):
        return None
    along = float(missed @ step)
    if abs(along) <= 1e-8 * float(np.linalg.norm(missed) * np.linalg.norm(step)):
        return curvature
    return curvature + np.outer(missed, missed) / along


def _followed_within(
    function: Function,
    coords: Array,
    ascents: Callable[[Array], int],
    free: NDArray[np.intp],
    domain: Callable[[Array], bool] | None,
    gradient_tolerance: float,
    iterations: int,
    radius: float,
) -> tuple[Array, float, float]:
    """`follow` with the other coordinates held."""

    def whole(x: Array) -> Array:
        point = coords.copy()
        point[free] = x
        return point

    def restricted(x: Array) -> tuple[float, Array]:
        value, gradient = function(whole(x))
        return value, gradient[free]

    x, value, size = follow(
        restricted,
        coords[free],
        lambda x: ascents(whole(x)),
        domain=None if domain is None else lambda x: domain(whole(x)),
        gradient_tolerance=gradient_tolerance,
        iterations=iterations,
        radius=radius,
    )
    return whole(x), value, size


@np.errstate(over="ignore", invalid="ignore")
def hessian(function: Function, coords: Array, step: float = _STEP) -> Array:
    """Hessian of an objective by central differences of its gradient.

    Parameters
    ----------
    function : callable
        Objective and gradient. What is `Curved` is asked; elsewhere differences cost 2 size evaluations.
    coords : ndarray, shape (size,)
    step : float, optional
        Of differences.

    Returns
    -------
    ndarray, shape (size, size)
    """
    known: object = function
    own = known.hessian(coords) if isinstance(known, Curved) else None
    if own is not None:
        return own
    rows = _differences(lambda x: function(x)[1], coords, step)
    return 0.5 * (rows + rows.T)


def differences(gradient: Callable[[Array], Array], coords: Array) -> Array:
    """Symmetric derivative of a gradient that is algebra, by differences of fourth order.

    Parameters
    ----------
    gradient : callable
    coords : ndarray, shape (size,)

    Returns
    -------
    ndarray, shape (size, size)
    """
    one, two = (_differences(gradient, coords, step) for step in (_FINE, 2.0 * _FINE))
    rows = (4.0 * one - two) / 3.0
    return 0.5 * (rows + rows.T)


def _differences(gradient: Callable[[Array], Array], coords: Array, step: float) -> Array:
    rows = np.empty((coords.size, coords.size))
    for i in range(coords.size):
        move = np.zeros_like(coords)
        move[i] = step
        rows[i] = gradient(coords + move) - gradient(coords - move)
    return rows / (2.0 * step)


@np.errstate(over="ignore", invalid="ignore")
def refine(function: Function, coords: Array, *, sweeps: int = 6) -> StationaryPoint:
    """Newton's method on the gradient, from a nearly stationary point.

    Parameters
    ----------
    function : callable
        Objective and gradient.
    coords : ndarray, shape (size,)
    sweeps : int, default 6
        Steps at most. A step that is not much shorter than the one before is made again with a fresh
        Hessian; one that does not bring the point nearer, by the Hessian's own measure, ends them.

    Returns
    -------
    StationaryPoint
        The last point that was nearer; the caller judges ``decrement`` and ``step``.
    """
    value, gradient = function(coords)
    curvature = hessian(function, coords)
    step = _newton_step(curvature, gradient)
    for _ in range(sweeps):
        size = float(np.abs(step).max(initial=0.0))
        if not _CONVERGED < size < math.inf:
            break
        trial = coords - min(1.0, _LONGEST / size) * step
        height, slope = function(trial)
        if not math.isfinite(height):
            break
        bent, rest = curvature, _newton_step(curvature, slope)
        if not np.abs(rest).max(initial=0.0) < _SHORTER * size:
            bent = hessian(function, trial)
            rest = _newton_step(bent, slope)
        if not np.abs(rest).max(initial=0.0) < size:
            break
        coords, value, gradient, curvature, step = trial, height, slope, bent, rest
    decrement = 0.5 * abs(float(gradient @ step)) if np.isfinite(step).all() else math.inf
    size = float(np.abs(step).max(initial=0.0))
    return StationaryPoint(coords, value, gradient, curvature, decrement, size)


def _newton_step(curvature: Array, gradient: Array) -> Array:
    """``H^-1 g``; infinite where that is not defined."""
    lost = np.full(gradient.size, math.inf)
    if not (np.isfinite(curvature).all() and np.isfinite(gradient).all()):
        return lost
    try:
        return np.asarray(np.linalg.solve(curvature, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        return lost
