"""D, the tangent's slope and their first derivatives for all pairs of some inputs.

The variables are log k11, log k22 and the correlation: with these nothing is singular along equal inputs,
whose correlation does not move. By the heat identity dD/dk11 = E phi''(u) phi(v)/2, so that derivatives
are duals of derivatives, which the same ladder derives; for homogeneous activations they are those of a
function of one angle, and for series sums over the same orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.kernels.loops.code import uses_power_loops, uses_series
from numerics.kernels.loops.hermite_sums import sums
from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference

from .between import ACCURACY, between
from .series import series

__all__ = ["Jet", "jet"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Jet:
    """All arrays have shape (n, n).

    Attributes
    ----------
    rho : ndarray
        Correlations.
    value, slope : ndarray
        D and the slope.
    value_rho, slope_rho : ndarray
        Their derivatives in rho; 0 where inputs are equal or opposite, so that rho does not move, unless
        they were asked for.
    value_one, slope_one : ndarray
        Those in log k11; the transposed ones are those in log k22.
    ends : ndarray of bool
        Where inputs are equal or opposite, or as good as that.
    left : float
        What series leave out of the slope at most, relative to it on the diagonal.
    """

    rho: Array
    value: Array
    slope: Array
    value_rho: Array
    slope_rho: Array
    value_one: Array
    slope_one: Array
    ends: NDArray[np.bool_]
    left: float = 0.0

    @property
    def converged(self) -> bool:
        """Whether all of this is of use to an optimiser."""
        return self.left < _ENOUGH

    def change(self, dk: Array, dc: Array, k: Array) -> tuple[Array, Array]:
        """Changes of D and of the slope.

        Parameters
        ----------
        dk : ndarray, shape (n,)
        dc : ndarray, shape (n, n)
        k : ndarray, shape (n,)
        """
        logs = np.divide(dk, k, out=np.zeros_like(k), where=k > 0.0)
        edge = np.sqrt(np.outer(k, k))
        moved = np.divide(dc, edge, out=np.zeros_like(dc), where=edge > 0.0)
        moved -= self.rho * (logs[:, None] + logs) / 2
        return (
            self.value_rho * moved + self.value_one * logs[:, None] + self.value_one.T * logs,
            self.slope_rho * moved + self.slope_one * logs[:, None] + self.slope_one.T * logs,
        )


def jet(
    dual: Dual, tangent: Tangent, k: Array, c: Array, ends: bool = False, fill: bool = False
) -> Jet:
    """Evaluate everything at all pairs.

    Parameters
    ----------
    dual : Dual
    tangent : {"limit", "almost_everywhere"}
    k : ndarray, shape (n,)
    c : ndarray, shape (n, n)
        Symmetric.
    ends : bool
        Whether derivatives in the correlation that are finite where inputs are equal or opposite stay
        what they are there.
    fill : bool
        Whether polynomials between quadratures take the place of series that leave out too much, with the
        accuracy that an optimiser needs.

    Returns
    -------
    Jet
    """
    edge = np.sqrt(np.outer(k, k))
    rho = np.divide(c, edge, out=np.zeros_like(c), where=edge > 0.0)
    at_end = 1.0 - np.abs(rho) <= 1e-14
    rho = np.where(at_end, np.sign(rho), rho)
    if uses_series(dual):
        return _by_series(dual, k, rho, at_end, ends, fill)
    with np.errstate(all="ignore"):
        if uses_power_loops(dual):
            made = _homogeneous(dual, tangent, k, rho, edge)
        else:
            made = _closed(dual, tangent, k, c, edge, at_end)
    value, slope, value_rho, slope_rho, value_one, slope_one = made
    zero = edge == 0.0
    value_rho, slope_rho = (
        np.where(zero, 0.0, _moving(v, at_end, ends)) for v in (value_rho, slope_rho)
    )
    value_one, slope_one = (np.where(zero, 0.0, v) for v in (value_one, slope_one))
    return Jet(rho, value, slope, value_rho, slope_rho, value_one, slope_one, at_end)


def _moving(rate: Array, at_end: NDArray[np.bool_], ends: bool) -> Array:
    """Derivatives in rho, without those at its ends, or without those that are infinite there."""
    return np.where(at_end & ~np.isfinite(rate) if ends else at_end, 0.0, rate)


def _homogeneous(dual: Dual, tangent: Tangent, k: Array, rho: Array, edge: Array) -> list[Array]:
    """D = edge^n kappa(rho), the slope edge^(n-1) times kappa'."""
    n = float(dual.degree or 0)
    root, theta = np.sqrt((1.0 - rho) * (1.0 + rho)), np.arccos(rho)
    kappa, slope, bend = (f + 0.0 * rho for f in _profile(dual)(rho, root, theta))
    if tangent == "almost_everywhere" and n == 0.0:
        slope, bend = np.zeros_like(rho), np.zeros_like(rho)
        true = _profile(dual)(rho, root, theta)[1]
    else:
        true = slope
    value, steep = edge**n * kappa, edge ** (n - 1.0) * slope
    return [
        value, steep, edge**n * true, edge ** (n - 1.0) * bend, n / 2 * value, (n - 1.0) / 2 * steep,
    ]  # fmt: skip


@lru_cache(maxsize=32)
def _profile(dual: Dual) -> Callable[..., list[Any]]:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    value, slope = (sympy.Add(*parts) for parts in zip(*dual.profile, strict=True))
    along = sympy.diff(slope, theta) + sympy.diff(slope, s) * rho - sympy.diff(slope, rho) * s
    return sympy.lambdify((rho, s, theta), [value, slope, -along / s], "numpy", cse=True)


_GONE, _FALLEN = 1e-19, 1e-12
"""Terms of series that are not summed, relative to those at correlation 1: ever, and for an optimiser."""
_ENOUGH = 1e-6
"""What series may leave out of a slope for its derivatives to be of use to an optimiser."""
_ORDERS = ((0, 0), (1, 1), (2, 0))
"""Of the ladder of D and of the slope: themselves, their derivatives in k12, twice those in k11."""


def _closed(
    dual: Dual, tangent: Tangent, k: Array, c: Array, edge: Array, at_end: NDArray[np.bool_]
) -> list[Array]:
    one, two = np.meshgrid(k, k, indexing="ij")
    det = np.where(at_end, 0.0, np.maximum(one * two - c * c, 0.0))
    delta, sigma = (np.maximum(one + two - s * c, 0.0) for s in (2.0, -2.0))
    made = [v + 0.0 * c for v in _ladder(dual, tangent)(one, two, c, det, delta, sigma)]
    found_parts = []
    for value, cross, heat in (made[:3], made[3:]):
        along = (one * heat + c * cross) / 2
        found_parts.append((value, edge * cross, along))
    (value, value_rho, value_one), (slope, slope_rho, slope_one) = found_parts
    if not np.isfinite(value_one).all() or not np.isfinite(slope_one).all():
        # kinks at equal inputs: half of the diagonal's derivative, which is finite
        step = 2.0**-12
        for n, (whole, own) in enumerate(((value, value_one), (slope, slope_one))):
            wrong = ~np.isfinite(own) & at_end
            up, down = (
                _diagonals(dual, tangent, edge[wrong] * np.exp(s * step))[n] for s in (1, -1)
            )
            own[wrong] = (up - down) / (4.0 * step) * np.sign(whole[wrong])
    return [value, slope, value_rho, slope_rho, value_one, slope_one]


def _diagonals(dual: Dual, tangent: Tangent, k: Array) -> list[Array]:
    made = _ladder(dual, tangent)(k, k, k, 0.0 * k, 0.0 * k, 4.0 * k)
    return [made[0] + 0.0 * k, made[3] + 0.0 * k]


@lru_cache(maxsize=32)
def _ladder(dual: Dual, tangent: Tangent) -> Callable[..., list[Any]]:
    exprs = [dual.moment(i, j).stable for i, j in _ORDERS]
    exprs += [dual.tangent(tangent, i, j).stable for i, j in _ORDERS]
    names = {
        ExpDifference.__name__: lambda a, b, apart: np.where(
            apart >= 0.0, -np.exp(a) * np.expm1(-apart), np.exp(b) * np.expm1(apart)
        )
    }
    return sympy.lambdify(
        (K1, K2, C, DET, DELTA, SIGMA), exprs, [names, "scipy", "numpy"], cse=True
    )


def _by_series(
    dual: Dual, k: Array, rho: Array, at_end: NDArray[np.bool_], ends: bool, fill: bool
) -> Jet:
    own = series(dual.activation)
    a, steep, left = own.derivatives(k)
    made = np.empty((5, len(k), len(k)))
    sums(a, steep, rho, own.first, own.step, _FALLEN if fill else _GONE, made)
    value, slope, bend, value_one, slope_one = made
    edge = np.sqrt(np.outer(k, k))
    inverse = np.divide(1.0, edge, out=np.zeros_like(edge), where=edge > 0.0)
    slope, bend, slope_one = (
        slope * inverse,
        bend * inverse,
        slope_one * inverse - 0.5 * slope * inverse,
    )
    value_rho, slope_rho = (_moving(v, at_end, ends) for v in (slope * edge, bend))
    # equal inputs have their own sums
    known = own.tables(k)
    for matrix, one in (
        (value, known.second),
        (slope, known.slopes),
        (value_one, known.second * known.steep / 2),
        (slope_one, known.slopes * known.slope_steep / 2),
    ):
        np.fill_diagonal(matrix, one)
    # where terms go on for ever, what is left out falls as rho^n
    order = own.first + own.step * (min(len(a), int(known.there.min())) - 1)
    open_ = np.abs(rho) ** order * np.sqrt(np.outer(left, left))
    np.fill_diagonal(open_, 0.0)
    at = Jet(
        rho, value, slope, value_rho, slope_rho, value_one, slope_one, at_end,
        float(open_.max(initial=0.0)),
    )  # fmt: skip
    if not (fill and own.smooth and at.left > ACCURACY):
        return at
    rows, columns = np.nonzero(np.triu((open_ > ACCURACY) & (edge > 0.0), 1))
    fine = between(dual.activation, k[rows], k[columns], rho[rows, columns])
    moves = ~at_end[rows, columns]
    for i, j, one in (
        (rows, columns, (fine.value_one, fine.slope_one)),
        (columns, rows, (fine.value_two, fine.slope_two)),
    ):
        value[i, j], slope[i, j] = fine.value, fine.slope
        value_rho[i, j], slope_rho[i, j] = fine.value_rho * moves, fine.slope_rho * moves
        value_one[i, j], slope_one[i, j] = one
    return replace(at, left=max(ACCURACY, fine.error))
