"""Minima, saddles and their refinement by Newton's method, in logarithmic coordinates.

An objective is any callable that returns a value and its gradient, (inf, 0) where it cannot be
evaluated; `numerics.objective` makes one from a functional. Minimisation is scipy's BFGS; saddles are
found by following eigenvectors of the Hessian; the end game is scipy's Powell hybrid root finder on the
gradient with a finite-difference Hessian, so that it converges to the stationary point itself, of any
kind, and the value is exact to second order in what is left of the gradient.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

__all__ = ["Function", "StationaryPoint", "follow", "hessian", "minimise", "refine"]

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]

#: Coordinates are logarithms; a start that wanders further than this from where it began is lost.
_RADIUS = 12.0
# Central differences of the gradient: error of order step^2, noise of order 1e-15 / step.
_STEP = 2e-4


@dataclass(frozen=True)
class StationaryPoint:
    """A refined point with its derivatives.

    Attributes
    ----------
    theta : ndarray, shape (size,)
    objective : float
    gradient : ndarray, shape (size,)
    hessian : ndarray, shape (size, size)
    decrement : float
        ``|g' H^-1 g| / 2``: estimated change of the objective to the exact stationary point.
    """

    theta: Array
    objective: float
    gradient: Array
    hessian: Array
    decrement: float

    @property
    def eigenvalues(self) -> Array:
        """Ascending eigenvalues of the Hessian."""
        return np.asarray(np.linalg.eigvalsh(self.hessian), dtype=np.float64)


def minimise(
    function: Function,
    theta: Array,
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
    theta : ndarray, shape (size,)
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
    theta : ndarray
    objective : float
        ``inf`` if the start itself cannot be evaluated.
    gradient_norm : float
        Largest component over the free coordinates at the end, whether it converged or not.
    """
    chosen = np.arange(theta.size) if free is None else free
    start = theta.copy()

    def objective(x: Array) -> tuple[float, Array]:
        point = start.copy()
        point[chosen] = x
        if np.abs(point - start).max() > _RADIUS or not (domain is None or domain(point)):
            return math.inf, np.zeros(chosen.size)
        value, gradient = function(point)
        return value, gradient[chosen]

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = optimize.minimize(
            objective,
            start[chosen],
            jac=True,
            method="BFGS",
            options={"gtol": gradient_tolerance, "maxiter": iterations},
        )
    point = start.copy()
    point[chosen] = found.x
    size = float(np.abs(found.jac).max(initial=0.0)) if math.isfinite(found.fun) else math.inf
    return point, float(found.fun), size


def follow(
    function: Function,
    theta: Array,
    ascents: Callable[[Array], int],
    *,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-6,
    iterations: int = 30,
    radius: float = 0.5,
) -> tuple[Array, float, float]:
    """Saddle of a given index, by following eigenvectors of the Hessian from one start.

    Parameters
    ----------
    function, theta, domain, gradient_tolerance
        As in `minimise`.
    ascents : callable
        Number of directions to go up in, at a point.
    iterations : int
    radius : float
        Longest step, in the coordinates' (logarithmic) units.

    Returns
    -------
    theta : ndarray
    objective : float
        ``inf`` if the search left the domain for good.
    gradient_norm : float
        Largest component.

    Notes
    -----
    Newton's step in the Hessian's eigenbasis, up along the lowest eigenvectors and down along the
    others whatever the signs of their eigenvalues (Cerjan and Miller, J. Chem. Phys. 75, 2800, 1981);
    a step that cannot be evaluated is halved. Near a saddle of the index wanted it is Newton's
    method. Cost: 2 size + 1 evaluations an iteration.
    """
    value, gradient = function(theta)
    longest = radius
    for _ in range(iterations):
        if not math.isfinite(value) or np.abs(gradient).max(initial=0.0) < gradient_tolerance:
            break
        curvature = hessian(function, theta)
        if not np.isfinite(curvature).all():
            return theta, math.inf, math.inf
        eigenvalues, vectors = np.linalg.eigh(curvature)
        count = ascents(theta)
        sizes = np.maximum(np.abs(eigenvalues), 1e-8)
        signs = np.where(np.arange(theta.size) < count, -1.0, 1.0)
        step = -vectors @ (signs * (vectors.T @ gradient) / sizes)
        length = float(np.linalg.norm(step))
        step *= min(1.0, longest / length) if length > 0.0 else 0.0
        for _ in range(8):
            trial, slope = function(theta + step)
            if math.isfinite(trial) and (domain is None or domain(theta + step)):
                break
            step = 0.5 * step
        else:
            return theta, math.inf, math.inf
        # a gradient that grows says that the quadratic model does not reach this far
        grown = float(np.linalg.norm(slope)) > 1.5 * float(np.linalg.norm(gradient))
        longest = max(0.05, 0.5 * longest) if grown else min(radius, 1.5 * longest)
        theta, value, gradient = theta + step, trial, slope
    return theta, value, float(np.abs(gradient).max(initial=0.0))


def hessian(function: Function, theta: Array) -> Array:
    """Hessian of an objective by central differences of its gradient; 2 size evaluations."""
    rows = np.empty((theta.size, theta.size))
    for i in range(theta.size):
        step = np.zeros_like(theta)
        step[i] = _STEP
        rows[i] = function(theta + step)[1] - function(theta - step)[1]
    rows /= 2.0 * _STEP
    return 0.5 * (rows + rows.T)


def refine(function: Function, theta: Array, *, sweeps: int = 3) -> StationaryPoint:
    """Newton's method on the gradient, from a nearly stationary point.

    Parameters
    ----------
    function : callable
        Objective and gradient.
    theta : ndarray, shape (size,)
    sweeps : int, default 3
        Root-finding sweeps, each with a fresh Hessian; a sweep that does not shrink the gradient by
        half ends them.

    Returns
    -------
    StationaryPoint
        The point of smallest gradient seen; the caller judges ``decrement``.
    """
    value, gradient = function(theta)
    best = theta
    for _ in range(sweeps):
        curvature = hessian(function, best)
        found = optimize.root(
            lambda x: function(x)[1],
            best,
            jac=lambda _: curvature,  # noqa: B023 - used within this sweep only
            method="hybr",
            options={"xtol": 1e-15, "maxfev": 12, "factor": 0.5},
        )
        trial, slope = function(found.x)
        shrunk = float(np.linalg.norm(slope)) / max(float(np.linalg.norm(gradient)), 1e-300)
        if math.isfinite(trial) and shrunk < 1.0:
            best, value, gradient = np.asarray(found.x), trial, slope
        if not shrunk < 0.5 or np.linalg.norm(gradient) < 1e-12:
            break
    curvature = hessian(function, best)
    try:
        decrement = 0.5 * abs(float(gradient @ np.linalg.solve(curvature, gradient)))
    except np.linalg.LinAlgError:
        decrement = math.inf
    return StationaryPoint(best, value, gradient, curvature, decrement)
