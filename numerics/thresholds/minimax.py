"""Saddles whose directions of ascent are known: a minimum over some coordinates of the extremum over others.

Which variables a physical stationary point is a maximum in follows from the dual
(`numerics.thresholds.objective.adversaries`). With these eliminated, what is left is a minimum: it can be
descended to, a step that does not improve is refused, and none leads into another valley, as following
eigenvectors of an indefinite Hessian may. Far from the saddle these have nothing to do with its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .objective import Objective
from .stationary import Function, follow, hessian, minimise, updated

__all__ = ["minimax", "saddle"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]

# Newton steps that may bring the eliminated coordinates back, the longest one, and what a gradient may keep
# of its size before their block of the Hessian is made again.
_CORRECTIONS, _LONGEST, _SLOW = 12, 0.5, 0.3
# Gradient in the eliminated coordinates that says that they are not stationary anywhere near.
_UNSETTLED = 1e-5
# What the value may be off by as they are not quite stationary, beside the decrease foretold.
_KEPT = 1e-2
# Part of the foretold decrease that a step has to bring, and the part that it may miss to be trusted.
_BROUGHT, _FORETOLD = 0.05, 0.25
# Steps: as long as the trust region of a search may grow, too short to go on, short enough to be the last.
_WIDEST, _SHORTEST, _NEAR = 1.0, 1e-7, 1e-2
# Decreases below this cannot be told from rounding, relative.
_ROUNDING = 1e-13
# Curvatures below this, beside the largest, count as this.
_FLATTEST = 1e-13
# Eigenvectors are followed in this many steps at most, of this length.
_FOLLOWED, _RADIUS = 250, 0.25


def saddle(
    objective: Objective,
    coords: Array,
    *,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float,
) -> tuple[Array, float, float]:
    """Saddle of an objective from one start: by `minimax`, and where that does not arrive by `follow`.

    The second begins where the first came to, if its gradient is smaller there.

    Parameters
    ----------
    objective : Objective
    coords, domain, gradient_tolerance
        As for `minimax`.

    Returns
    -------
    coords : ndarray
    objective : float
    gradient_norm : float
    """
    if objective.fe.fields and not objective.fe.is_finite:
        fugacity = np.array([coords.size - 1], dtype=np.intp)  # moved by decades by a lifting more
        coords, _, _ = minimise(objective, coords, free=fugacity, gradient_tolerance=1e-2)
    places = objective.adversaries(coords)
    reached = minimax(
        objective,
        coords,
        places,
        objective.ascents(coords),
        domain=domain,
        gradient_tolerance=gradient_tolerance,
    )
    if math.isfinite(reached[1]) and reached[2] < 100.0 * gradient_tolerance:
        return reached
    # it may have come near, where Newton's method ends what its steps do not, or have lost its way
    came = math.isfinite(reached[1]) and reached[2] < np.abs(objective(coords)[1]).max(initial=0.0)
    return follow(
        objective,
        reached[0] if came else coords,
        objective.ascents,
        domain=domain,
        gradient_tolerance=gradient_tolerance,
        iterations=_FOLLOWED,
        radius=_RADIUS,
    )


@np.errstate(over="ignore", invalid="ignore")
def minimax(
    function: Function,
    coords: Array,
    eliminated: Places,
    count: int,
    *,
    domain: Callable[[Array], bool] | None = None,
    gradient_tolerance: float = 1e-8,
    iterations: int = 100,
    radius: float = 0.5,
) -> tuple[Array, float, float]:
    """Minimum over the other coordinates of the stationary value over the eliminated ones, from one start.

    Parameters
    ----------
    function : callable
        Objective and gradient.
    coords : ndarray, shape (size,)
        Start.
    eliminated : ndarray of int
        Coordinates that are made stationary at every point.
    count : int
        Directions of ascent among them; all, or fewer where a multiplier is eliminated with its partner.
    domain : callable, optional
        Where the objective may be looked at.
    gradient_tolerance : float
        Largest component of the gradient to stop at.
    iterations : int
    radius : float
        Longest step at first.

    Returns
    -------
    coords : ndarray
    objective : float
        ``inf`` if there is no such stationary value at the start.
    gradient_norm : float
        Largest component at the end, whether it converged or not.

    Notes
    -----
    Newton's method on the Schur complement of the Hessian in a trust region, a curvature of the wrong sign
    turned round; by the envelope theorem the reduced gradient is the gradient in the other coordinates. As
    in `follow`, the Hessian is changed by one rank a step while it foretells. At a minimum with a
    complement that is positive the Hessian has ``count`` negative eigenvalues (Haynsworth).
    """
    kept = np.setdiff1d(np.arange(coords.size, dtype=np.intp), eliminated)
    inner = _Inner(function, eliminated, count)
    coords, value, steepness = follow(
        function,
        coords,
        lambda _: count,
        free=eliminated,
        domain=domain,
        gradient_tolerance=gradient_tolerance,
        iterations=40,
        radius=_LONGEST,
    )
    if not steepness < _UNSETTLED:
        return coords, math.inf, math.inf
    value, gradient = function(coords)
    curvature: Array | None = None
    fresh = False
    for _ in range(iterations):
        if curvature is None:
            curvature, fresh = hessian(function, coords), True
        if not (math.isfinite(value) and np.isfinite(curvature).all()):
            return coords, math.inf, math.inf
        block = _signed(curvature[np.ix_(eliminated, eliminated)], count)
        along = -np.linalg.solve(block, curvature[np.ix_(eliminated, kept)])
        reduced = curvature[np.ix_(kept, kept)] + curvature[np.ix_(kept, eliminated)] @ along
        slope = gradient[kept] + along.T @ gradient[eliminated]
        step, foretold, cut = _trusted_step(0.5 * (reduced + reduced.T), slope, radius)
        length = float(np.linalg.norm(step))
        trial = coords.copy()
        trial[kept] += step
        trial[eliminated] += along @ step
        height, steepness = math.inf, gradient
        if domain is None or domain(trial):
            trial, height, steepness = inner(
                trial, block, 0.1 * gradient_tolerance, _KEPT * foretold
            )
        gain = value - height
        if math.isfinite(height) and (domain is None or domain(trial)):
            flat = foretold < _ROUNDING * max(1.0, abs(value))
            level = flat and np.abs(steepness).max() < np.abs(gradient).max()
            if gain > _BROUGHT * foretold or level:
                good = abs(gain - foretold) < _FORETOLD * foretold
                bent = updated(curvature, trial - coords, gradient, steepness)
                curvature, fresh = (bent if good else None), False
                if good:
                    radius = min(max(radius, 2.0 * length), _WIDEST)
                else:
                    radius = max(0.5 * length, 1e-3)
                coords, value, gradient = trial, height, steepness
                small = float(np.abs(gradient).max()) < gradient_tolerance
                if small and not cut and length < _NEAR:
                    break
                continue
        radius = 0.3 * length
        if radius < _SHORTEST:
            break
        if not fresh:
            curvature = None
    return coords, function(coords)[0], float(np.abs(gradient).max(initial=0.0))


class _Inner:
    """Newton's method in the eliminated coordinates."""

    def __init__(self, function: Function, places: Places, count: int) -> None:
        self.function, self.places, self.count = function, places, count

    def __call__(
        self, coords: Array, block: Array, tolerance: float, missed: float
    ) -> tuple[Array, float, Array]:
        """The point with these stationary, near one that nearly is, and its value; inf where it is lost.

        That is to a gradient of ``tolerance``, or to what the value may be off by, which is added.
        """
        places = self.places
        value, gradient = self.function(coords)
        for _ in range(_CORRECTIONS):
            size = float(np.abs(gradient[places]).max(initial=0.0))
            if not math.isfinite(value):
                break
            step = -np.linalg.solve(block, gradient[places])
            rest = 0.5 * float(gradient[places] @ step)
            if size < tolerance or abs(rest) < missed:
                return coords, value + rest, gradient
            step *= min(1.0, _LONGEST / float(np.abs(step).max()))
            for _ in range(4):
                trial = coords.copy()
                trial[places] += step
                height, slope = self.function(trial)
                left = float(np.abs(slope[places]).max())
                if math.isfinite(height) and left < size:
                    break
                step *= 0.5
            else:
                break
            coords, value, gradient = trial, height, slope
            if left > _SLOW * size and left > tolerance:
                made = self._block(coords)
                if not np.isfinite(made).all():
                    break
                block = _signed(made, self.count)
        return coords, math.inf, gradient

    def _block(self, coords: Array) -> Array:
        def within(x: Array) -> tuple[float, Array]:
            point = coords.copy()
            point[self.places] = x
            value, gradient = self.function(point)
            return value, gradient[self.places]

        return hessian(within, coords[self.places])


def _signed(matrix: Array, count: int) -> Array:
    """A symmetric matrix with the signs of its eigenvalues as they should be, ``count`` negative ones."""
    values, vectors = np.linalg.eigh(matrix)
    signs = np.where(np.arange(values.size) < count, -1.0, 1.0)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, _FLATTEST * sizes.max(initial=1e-300))
    return np.asarray((vectors * (signs * sizes)) @ vectors.T, dtype=np.float64)


def _trusted_step(curvature: Array, gradient: Array, radius: float) -> tuple[Array, float, bool]:
    """Descent step of at most a length, the decrease foretold, and whether it was cut short."""
    values, vectors = np.linalg.eigh(curvature)
    sizes = np.maximum(np.abs(values), _FLATTEST * np.abs(values).max(initial=1e-300))
    parts = vectors.T @ gradient

    def shifted(shift: float) -> Array:
        return np.asarray(-parts / (sizes + shift), dtype=np.float64)

    step = shifted(0.0)
    cut = bool(np.linalg.norm(step) > radius)
    if cut:
        high = float(np.linalg.norm(parts)) / radius  # shorter than the radius
        low = 1e-16 * high
        while high > 1.01 * low:
            middle = math.sqrt(low * high)
            low, high = (
                (middle, high) if np.linalg.norm(shifted(middle)) > radius else (low, middle)
            )
        step = shifted(high)
    foretold = -float(parts @ step + 0.5 * (values * step) @ step)
    return np.asarray(vectors @ step, dtype=np.float64), foretold, cut
