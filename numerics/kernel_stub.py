"""Stand-ins for what generated modules define: the identity activation.

The loops are ordinary files, read by people and checkers; in a generated module these names are the
printed expressions of an activation.
"""

from __future__ import annotations

import numba
import numpy as np

USES_DET = False
USES_GAP = False
USES_SERIES = False
DEGREE = 1.0
NORM = 1.0


@numba.njit(forceinline=True)
def pair(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """Return D and D' of one pair."""
    return k12, 1.0


@numba.njit
def curvature(k11: float, k22: float, k12: float, det: float, delta: float, sigma: float) -> float:
    """Return D'' = E phi''(u) phi''(v)."""
    return 0.0


@numba.njit(forceinline=True)
def profile(rho: float, t: float, s: float, theta: float) -> tuple[float, float]:
    """Return 1 - D/D(1) and D' at unit variances; rho = 1 - t = cos(theta), s = sin(theta)."""
    return t, 1.0


@numba.njit
def far(psi: float) -> tuple[float, float]:
    """Return D and D' at unit variances and theta = pi - psi, for small psi."""
    return psi * psi * 0.5 - 1.0, 1.0


@numba.njit
def diagonal_slope(k: float) -> float:
    """Return E phi(u) phi''(u) for u ~ N(0, k), what dD/dk has beyond D'."""
    return 0.0


SCALES = (1.0,)
WEIGHTS = (1.0,)


@numba.njit(forceinline=True)
def member(
    a: float, b: float, k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """Return D and D' of two members of a mixture."""
    return k12, 1.0


@numba.njit
def member_curvature(
    a: float, b: float, k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> float:
    """Return E phi_a''(u) phi_b''(v)."""
    return 0.0


@numba.njit(forceinline=True)
def member_slope(a: float, b: float, k: float) -> float:
    """Return E phi_a(u) phi_b''(u)."""
    return 0.0


@numba.njit(forceinline=True)
def jet(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return E phi^(i)(u) phi^(j)(v) for the orders of `numerics.kernel_jet.ORDERS`."""
    return k12, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0


@numba.njit(forceinline=True)
def member_jet(
    a: float, b: float, k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return the jet of two members of a mixture."""
    return k12, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0


@numba.njit
def rows(
    a: float,
    others: np.ndarray,
    c: np.ndarray,
    det: np.ndarray,
    delta: np.ndarray,
    sigma: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """D and D' of one input with others; see `numerics.kernel_hermite`."""
