"""Minimisation and Newton refinement of a free energy in its logarithmic coordinates.

The objective is log(alpha): its gradient is dimensionless, and alpha spans six orders of magnitude
between kappa = 0.25 and kappa = 5. Minimisation is scipy's BFGS; the end game is scipy's Powell
hybrid root finder on the gradient with a finite-difference Hessian, so that it converges to the
stationary point itself and the value is exact to second order in what is left of the gradient.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from .compile import Evaluator
from .grids import ResolutionError

__all__ = ["StationaryPoint", "hessian", "log_value", "minimise", "refine"]

Array = NDArray[np.float64]

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
    log_value : float
    gradient : ndarray, shape (size,)
        Of log(value).
    hessian : ndarray, shape (size, size)
    decrement : float
        ``|g' H^-1 g| / 2``: estimated change of log(value) to the exact stationary point.
    """

    theta: Array
    log_value: float
    gradient: Array
    hessian: Array
    decrement: float

    @property
    def eigenvalues(self) -> Array:
        """Ascending eigenvalues of the Hessian."""
        return np.asarray(np.linalg.eigvalsh(self.hessian), dtype=np.float64)


def log_value(evaluator: Evaluator, theta: Array) -> tuple[float, Array]:
    """Log of the functional and its gradient; (inf, 0) where it is not positive or not resolved."""
    if np.abs(theta).max(initial=0.0) > 60.0:
        return math.inf, np.zeros_like(theta)
    try:
        found = evaluator(theta)
    except (ResolutionError, OverflowError, ZeroDivisionError, ValueError):
        return math.inf, np.zeros_like(theta)
    if not (math.isfinite(found.value) and found.value > 0.0 and np.isfinite(found.gradient).all()):
        return math.inf, np.zeros_like(theta)
    return math.log(found.value), found.gradient / found.value


def minimise(
    evaluator: Evaluator,
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
    evaluator : Evaluator
    theta : ndarray, shape (size,)
        Start.
    free : ndarray of int, optional
        Coordinates to vary; all by default.
    domain : callable, optional
        Where the functional may be looked at; outside it counts as infinite.
    gradient_tolerance : float
        Largest component of the gradient of log(value) to stop at.
    iterations : int

    Returns
    -------
    theta : ndarray
    log_value : float
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
        value, gradient = log_value(evaluator, point)
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


def hessian(evaluator: Evaluator, theta: Array) -> Array:
    """Hessian of log(value) by central differences of the gradient; 2 size evaluations."""
    rows = np.empty((theta.size, theta.size))
    for i in range(theta.size):
        step = np.zeros_like(theta)
        step[i] = _STEP
        rows[i] = log_value(evaluator, theta + step)[1] - log_value(evaluator, theta - step)[1]
    rows /= 2.0 * _STEP
    return 0.5 * (rows + rows.T)


def refine(evaluator: Evaluator, theta: Array, *, sweeps: int = 3) -> StationaryPoint:
    """Newton's method on the gradient, from a nearly stationary point.

    Parameters
    ----------
    evaluator : Evaluator
    theta : ndarray, shape (size,)
    sweeps : int, default 3
        Root-finding sweeps, each with a fresh Hessian; a sweep that does not shrink the gradient by
        half ends them.

    Returns
    -------
    StationaryPoint
        The point of smallest gradient seen; the caller judges ``decrement``.
    """
    value, gradient = log_value(evaluator, theta)
    best = theta
    for _ in range(sweeps):
        curvature = hessian(evaluator, best)
        found = optimize.root(
            lambda x: log_value(evaluator, x)[1],
            best,
            jac=lambda _: curvature,  # noqa: B023 - used within this sweep only
            method="hybr",
            options={"xtol": 1e-15, "maxfev": 12, "factor": 0.5},
        )
        trial, slope = log_value(evaluator, found.x)
        shrunk = float(np.linalg.norm(slope)) / max(float(np.linalg.norm(gradient)), 1e-300)
        if math.isfinite(trial) and shrunk < 1.0:
            best, value, gradient = np.asarray(found.x), trial, slope
        if not shrunk < 0.5 or np.linalg.norm(gradient) < 1e-12:
            break
    curvature = hessian(evaluator, best)
    try:
        step = linalg.solve(curvature, gradient, assume_a="sym")
        decrement = 0.5 * abs(float(gradient @ step))
    except (linalg.LinAlgError, ValueError):
        decrement = math.inf
    return StationaryPoint(best, value, gradient, curvature, decrement)
