"""Stand-ins for what generated modules define: the identity activation.

The loops are ordinary files, read by people and checkers; in a generated module these names are the
printed expressions of an activation.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .state import Near, Pairs, Tables

USES_DET = False
USES_GAP = False
USES_SERIES = False
JUMPS = False
DEGREE = 1.0
NORM = 1.0
EVEN = 0.0
ODD = 1.0
STEEP = 1.0
M_NOISE = 1.0
T_NOISE = 1.0
T_BEND = 0.0
TIERS = (8,)
ENOUGH = 2e-17


@numba.njit(forceinline=True)
def pair(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """Return D and the tangent's slope of one pair."""
    return k12, 1.0


@numba.njit
def drift(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float]:
    """Return D' and the derivative of the tangent's slope."""
    return 1.0, 0.0


@numba.njit(forceinline=True)
def profile(
    rho: float, t: float, s: float, theta: float
) -> tuple[float, float, float, float, float, float]:
    """Return 1 - kappa in two parts and kappa' of the even and of the odd part.

    rho = 1 - t = cos(theta), s = sin(theta); the order is even, even, odd, odd, slopes.
    """
    return 0.0, 0.0, t, 0.0, 0.0, 1.0


@numba.njit
def far(psi: float) -> tuple[float, float]:
    """Return D and the slope at unit variances and theta = pi - psi, for small psi."""
    return psi * psi * 0.5 - 1.0, 1.0


@numba.njit
def diagonal_slope(k: float) -> float:
    """Return E phi(u) phi''(u) for u ~ N(0, k), what dD/dk has beyond D'."""
    return 0.0


@numba.njit
def rows(
    a: float,
    others: np.ndarray,
    pairs: Pairs,
    tables: Tables,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """D and the slope of one input with others; see `numerics.kernels.loops.hermite`."""


@numba.njit
def moduli(
    tables: Tables, j: int, near: Near, shift: float, turn: float, most: float, size: float
) -> tuple[float, float]:
    """How far D and the slope move with k12; see `numerics.kernels.loops.hermite`."""
    return shift, 0.0


@numba.njit
def row_bends(a: float, others: np.ndarray, c: np.ndarray, tables: Tables, out: np.ndarray) -> None:
    """|dD'/dk12| where a series has it; see `numerics.kernels.loops.hermite`."""


@numba.njit
def remainders(two: np.ndarray, most: np.ndarray) -> None:
    """What `rows` needs of a tile; see `numerics.kernels.loops.hermite`."""


@numba.njit
def inverse_roots(k: np.ndarray, out: np.ndarray) -> None:
    """1/sqrt(k); see `numerics.kernels.loops.hermite`."""


@numba.njit
def needs_determinants(own: Any) -> bool:
    """Whether quadrature may be needed; see `numerics.kernels.loops.hermite`."""
    return False
