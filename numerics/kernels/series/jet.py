"""D, the tangent's slope and their first derivatives for all pairs of some inputs.

The variables are log k11, log k22 and the correlation: with these nothing is singular along equal inputs,
whose correlation does not move. By the heat identity dD/dk11 = E phi''(u) phi(v)/2, so that derivatives
are duals of derivatives, which the same ladder derives; for homogeneous activations they are those of a
function of one angle, and for series sums over the same orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
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
_NONE = np.empty((0, 0))


@dataclass(frozen=True)
class Jet:
    """All arrays have shape (n, n) but for k.

    Attributes
    ----------
    k : ndarray, shape (n,)
        Variances.
    rho : ndarray
        Correlations.
    value, slope : ndarray
        D and the slope.
    value_rho, slope_rho : ndarray
        Their derivatives in rho; 0 where inputs are equal or opposite, so that rho does not move, unless
        they were asked for. Those of the slope are empty unless they were asked for.
    value_one, slope_one : ndarray
        Those in log k11, likewise; the transposed ones are those in log k22.
    ends : ndarray of bool
        Where inputs are equal or opposite, or as good as that.
    left : float
        What series leave out of the slope at most, relative to it on the diagonal.
    """

    k: Array
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

    @cached_property
    def _rates(self) -> list[tuple[Array, Array]]:
        """Of D and of the slope the derivatives in k12, and in log k11 where k12 rests."""
        roots = np.sqrt(np.divide(1.0, self.k, out=np.zeros_like(self.k), where=self.k > 0.0))
        inverse = np.outer(roots, roots)
        pairs = (self.value_rho, self.value_one), (self.slope_rho, self.slope_one)
        return [(along * inverse, one - 0.5 * self.rho * along) for along, one in pairs if one.size]

    def change(self, dk: Array, dc: Array) -> tuple[Array, Array]:
        """Changes of D and of the slope; the latter are empty where its derivatives are.

        Parameters
        ----------
        dk : ndarray, shape (n,)
        dc : ndarray, shape (n, n)
        """
        logs = np.divide(dk, self.k, out=np.zeros_like(self.k), where=self.k > 0.0)
        made = []
        for along, one in self._rates:
            own = one * logs[:, None]
            own += own.T.copy()
            own += along * dc
            made.append(own)
        return made[0], made[1] if len(made) > 1 else _NONE


def jet(
    dual: Dual,
    tangent: Tangent,
    k: Array,
    c: Array,
    ends: bool = False,
    fill: bool = False,
    slopes: bool = True,
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
    slopes : bool
        Whether derivatives of the slope are wanted; the NNGP kernel's gradient needs none.

    Returns
    -------
    Jet
    """
    edge = np.sqrt(np.outer(k, k))
    rho = np.divide(c, edge, out=np.zeros_like(c), where=edge > 0.0)
    at_end = 1.0 - np.abs(rho) <= 1e-14
    rho[at_end] = np.sign(rho[at_end])
    if uses_series(dual):
        return _by_series(dual, k, rho, edge, at_end, ends=ends, fill=fill, slopes=slopes)
    with np.errstate(all="ignore"):
        if uses_power_loops(dual):
            made = _homogeneous(dual, tangent, k, rho, edge, slopes)
        else:
            made = _closed(dual, tangent, k, c, edge, at_end, slopes)
    value, slope, value_rho, value_one, *rest = made
    zero = edge == 0.0
    value_rho, value_one = (
        np.where(zero, 0.0, _moving(value_rho, at_end, ends)),
        np.where(zero, 0.0, value_one),
    )
    slope_rho, slope_one = _NONE, _NONE
    if slopes:
        slope_rho = np.where(zero, 0.0, _moving(rest[0], at_end, ends))
        slope_one = np.where(zero, 0.0, rest[1])
    return Jet(k, rho, value, slope, value_rho, slope_rho, value_one, slope_one, at_end)


def _moving(rate: Array, at_end: NDArray[np.bool_], ends: bool) -> Array:
    """Derivatives in rho, in place: without those at its ends, or those that are infinite there."""
    rate[at_end & ~np.isfinite(rate) if ends else at_end] = 0.0
    return rate


def _homogeneous(
    dual: Dual, tangent: Tangent, k: Array, rho: Array, edge: Array, slopes: bool
) -> list[Array]:
    """D = edge^n kappa(rho), the slope edge^(n-1) times kappa'."""
    n = float(dual.degree or 0)
    root, theta = np.sqrt((1.0 - rho) * (1.0 + rho)), np.arccos(rho)
    kappa, true, *bend = (f + 0.0 * rho for f in _profile(dual, slopes)(rho, root, theta))
    slope = true
    if tangent == "almost_everywhere" and n == 0.0:
        slope = np.zeros_like(rho)
        bend = [np.zeros_like(rho) for _ in bend]
    power, less = edge**n, edge ** (n - 1.0)
    value, steep = power * kappa, less * slope
    made = [value, steep, power * true, n / 2 * value]
    return [*made, less * bend[0], (n - 1.0) / 2 * steep] if slopes else made


@lru_cache(maxsize=32)
def _profile(dual: Dual, slopes: bool) -> Callable[..., list[Any]]:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    value, slope = (sympy.Add(*parts) for parts in zip(*dual.profile, strict=True))
    along = sympy.diff(slope, theta) + sympy.diff(slope, s) * rho - sympy.diff(slope, rho) * s
    exprs = [value, slope, -along / s][: 3 if slopes else 2]
    return sympy.lambdify((rho, s, theta), exprs, "numpy", cse=True)


_GONE, _FALLEN = 1e-19, 1e-10
"""Terms of series that are not summed, relative to those at correlation 1: ever, and for an optimiser."""
_ENOUGH = 1e-6
"""What series may leave out of a slope for its derivatives to be of use to an optimiser."""
_ORDERS = ((0, 0), (1, 1), (2, 0))
"""Of the ladder of D and of the slope: themselves, their derivatives in k12, twice those in k11."""


def _closed(
    dual: Dual,
    tangent: Tangent,
    k: Array,
    c: Array,
    edge: Array,
    at_end: NDArray[np.bool_],
    slopes: bool,
) -> list[Array]:
    one, two = np.meshgrid(k, k, indexing="ij")
    det = np.where(at_end, 0.0, np.maximum(one * two - c * c, 0.0))
    delta, sigma = (np.maximum(one + two - s * c, 0.0) for s in (2.0, -2.0))
    made = [v + 0.0 * c for v in _ladder(dual, tangent, slopes)(one, two, c, det, delta, sigma)]
    value, cross, heat, slope, *rest = made
    value_rho, value_one = edge * cross, (one * heat + c * cross) / 2
    _at_kinks(dual, tangent, edge, at_end, (value, value_one), 0)
    if not slopes:
        return [value, slope, value_rho, value_one]
    cross, heat = rest
    slope_one = (one * heat + c * cross) / 2
    _at_kinks(dual, tangent, edge, at_end, (slope, slope_one), 1)
    return [value, slope, value_rho, value_one, edge * cross, slope_one]


def _at_kinks(
    dual: Dual,
    tangent: Tangent,
    edge: Array,
    at_end: NDArray[np.bool_],
    known: tuple[Array, Array],
    n: int,
) -> None:
    """Put derivatives in at equal inputs, in place: half of the diagonal's, which is finite."""
    whole, own = known
    wrong = ~np.isfinite(own) & at_end
    if wrong.any():
        step = 2.0**-12
        up, down = (_diagonals(dual, tangent, edge[wrong] * np.exp(s * step))[n] for s in (1, -1))
        own[wrong] = (up - down) / (4.0 * step) * np.sign(whole[wrong])


def _diagonals(dual: Dual, tangent: Tangent, k: Array) -> list[Array]:
    made = _ladder(dual, tangent, True)(k, k, k, 0.0 * k, 0.0 * k, 4.0 * k)
    return [made[0] + 0.0 * k, made[3] + 0.0 * k]


@lru_cache(maxsize=32)
def _ladder(dual: Dual, tangent: Tangent, slopes: bool) -> Callable[..., list[Any]]:
    exprs = [dual.moment(i, j).stable for i, j in _ORDERS]
    exprs += [dual.tangent(tangent, i, j).stable for i, j in _ORDERS[: None if slopes else 1]]
    names = {
        ExpDifference.__name__: lambda a, b, apart: np.where(
            apart >= 0.0, -np.exp(a) * np.expm1(-apart), np.exp(b) * np.expm1(apart)
        )
    }
    return sympy.lambdify(
        (K1, K2, C, DET, DELTA, SIGMA), exprs, [names, "scipy", "numpy"], cse=True
    )


def _by_series(
    dual: Dual,
    k: Array,
    rho: Array,
    edge: Array,
    at_end: NDArray[np.bool_],
    *,
    ends: bool,
    fill: bool,
    slopes: bool,
) -> Jet:
    own = series(dual.activation)
    known = own.derivatives(k)
    # where terms go on for ever, what is left out falls as rho^n
    order = own.first + own.step * (min(len(known.rows), int(known.there.min())) - 1)
    # of which it is a power: that is taken of few numbers only
    roots = known.left ** (0.5 / order)
    open_ = np.abs(rho) * np.outer(roots, roots)
    np.fill_diagonal(open_, 0.0)
    rest = np.zeros_like(at_end)
    if fill and own.smooth:
        rest = (open_ > ACCURACY ** (1.0 / order)) & (edge > 0.0)
    made = np.empty((5 if slopes else 3, len(k), len(k)))
    sums(
        known.rows, known.steep, rho, rest, (own.first, own.step), _FALLEN if fill else _GONE, made
    )
    value, value_rho, value_one = made[:3]
    slope = np.divide(value_rho, edge, out=np.zeros_like(edge), where=edge > 0.0)
    value_rho = _moving(value_rho, at_end, ends)
    # equal inputs have their own sums
    for matrix, one in (
        (value, known.second), (slope, known.slopes), (value_one, known.second_steep / 2)
    ):  # fmt: skip
        np.fill_diagonal(matrix, one)
    slope_one, slope_rho = made[3:] if slopes else (_NONE, _NONE)
    if slopes:
        roots = np.sqrt(np.divide(1.0, k, out=np.zeros_like(k), where=k > 0.0))
        for v in (slope_one, slope_rho):
            v *= roots[:, None]
            v *= roots
        slope_one -= 0.5 * slope
        slope_rho = _moving(slope_rho, at_end, ends)
        np.fill_diagonal(slope_one, known.slope_steep / 2)
    left = float(open_.max(initial=0.0, where=~rest)) ** order
    if rest.any():
        rows, columns = np.nonzero(np.triu(rest, 1))
        fine = between(dual.activation, k, rows, columns, rho[rows, columns], slopes)
        moves = ~at_end[rows, columns]
        for i, j in ((rows, columns), (columns, rows)):
            value[i, j], slope[i, j] = fine.value, fine.slope
            value_rho[i, j] = fine.slope * edge[rows, columns] * moves
            if slopes:
                slope_rho[i, j] = fine.slope_rho * moves
        value_one[rows, columns], value_one[columns, rows] = fine.value_one, fine.value_two
        if slopes:
            slope_one[rows, columns], slope_one[columns, rows] = fine.slope_one, fine.slope_two
        left = max(left, ACCURACY, fine.error)
    return Jet(k, rho, value, slope, value_rho, slope_rho, value_one, slope_one, at_end, left)
