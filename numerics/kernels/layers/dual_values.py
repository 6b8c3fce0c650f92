"""D and the tangent's slope on arrays, with bounds of their errors, for theory's recursion in doubles.

What evaluating them adds is `numerics.kernels.noise.pair_noise`; what errors of k12 do is bounded pair by
pair. With H(rho) = sum h_n a_n(k11) a_n(k22) rho^n, h_n >= 0, for D or the slope, Cauchy and Schwarz give

    |H'(rho)| <= sqrt(H_1' H_2')(|rho|),  |H(rho) - H(r)| <= sqrt((H_1(1) - H_1(r)) (H_2(1) - H_2(r))),

where H_i belongs to two inputs of the variance of input i, and 0 <= r <= rho <= 1. The first is enough away
from correlation 1, the second at it, where slopes of activations with kinks have no derivative.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.kernels.diagonal import Single, packed, stacked
from numerics.kernels.loops import state
from numerics.kernels.loops.code import kernel_module, uses_series
from numerics.kernels.loops.hermite import curvature, slope_change
from numerics.kernels.noise import PairNoise, pair_noise
from numerics.kernels.series.rounding import UNIT
from numerics.kernels.series.series import Tables, series
from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference

from .bounded import Bounded

__all__ = ["DualValues", "dual_values"]

Array = NDArray[np.float64]
_ARGUMENTS = K1, K2, C, DET, DELTA, SIGMA
_FUNCTIONS = {
    ExpDifference.__name__: lambda a, b, apart: np.where(
        apart >= 0.0, -np.exp(a) * np.expm1(-apart), np.exp(b) * np.expm1(apart)
    )
}
_GAPS = np.concatenate([np.geomspace(1e-8, 0.1, 12), np.linspace(0.2, 1.8, 17)])
_GAPS = np.concatenate([_GAPS, 2.0 - _GAPS[:12]])
"""1 minus correlations, away from the ends."""
_TINY = 1e-60
"""Stands for the variance 0: D and the slope tend to their values there."""


class DualValues:
    """D and the slope of one activation.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    tangent : {"limit", "almost_everywhere"}
    """

    def __init__(self, dual: Dual, tangent: Tangent) -> None:
        self.dual = dual
        self.tangent: Tangent = tangent
        existence = dual.existence
        self.series = uses_series(dual)
        at_zero = existence.at(sympy.S.Zero)
        self.at_zero = None if at_zero is None else float(at_zero) ** 2
        self.infinite = (
            tangent == "limit" and not existence.smooth
        ) or existence.largest_slope == 0

    def single(self, k: Bounded) -> tuple[Bounded, Bounded]:
        """D and the slope on the diagonal, for variances of shape (n,)."""
        at = k.value if self.series else np.maximum(k.value, _TINY)
        path = self._path(at)
        noise = self._noise(path)
        if path.tables:
            value, slope = path.tables[0].second, path.tables[0].slopes
        else:
            value, _, slope, _ = _closed(self.dual, self.tangent)(at, at, at, *_around(at, 0.0))
        if self.infinite:
            slope = np.full_like(at, np.inf)
        rel = k.relative
        if self.at_zero is not None:
            value = np.where(k.value == 0.0, self.at_zero, value)
        off = np.abs(value) * (noise.value_own + 1.01 * noise.rate * rel)
        turned = np.abs(slope) * (noise.slope_own + 1.01 * noise.chi_rate * rel)
        return Bounded.rounded(value, off), Bounded.rounded(slope, turned)

    def pair(self, one: Bounded, both: Bounded, two: Bounded) -> tuple[Bounded, Bounded]:
        """D and the slope of pairs.

        Parameters
        ----------
        one, both, two : Bounded, shape (n1, 1), (n1, n2), (1, n2)
        """
        k1, k2 = (v.value if self.series else np.maximum(v.value, _TINY) for v in (one, two))
        edge = np.maximum(np.sqrt(k1) * np.sqrt(k2), 1e-300)
        c = np.clip(both.value, -edge, edge)
        det = np.maximum(k1 * k2 - c * c, 0.0)
        delta, sigma = (np.maximum(k1 + k2 + s * c, 0.0) for s in (-2.0, 2.0))
        n = len(k1)
        path = self._path(np.concatenate([k1[:, 0], k2[0]]))
        noise = self._noise(path)
        rel = np.maximum(one.relative, two.relative)
        gap = det / (edge * (edge + np.abs(c)))  # 1 - |rho|
        # determinants and variances that are off are a k12 that is off
        step = both.error / edge + rel + 3.0 * UNIT
        if path.tables:
            value, slope = self._series(path, n, k1, k2, state.Pairs(c, det, delta, sigma))
            true, tables = slope, path.tables[0]
            moved, turn = self._series_moduli(tables, noise, n, gap, step, edge, value, slope)
        else:
            found = _closed(self.dual, self.tangent)(k1, k2, c, det, delta, sigma)
            value, true, slope, _ = (v + 0.0 * c for v in found)
            moved, turn = self._moduli(noise, n, k1, k2, gap, step, true)
        sizes = self._sizes(path, n)
        scales = _outer(noise.chi, n) if np.isfinite(noise.chi).all() else np.abs(slope)
        error = moved + (noise.value + noise.value_scale * rel) * sizes
        steady, rough = noise.slopes(rel)
        if np.any(rough):  # as `beside` of numerics.kernels.loops.smooth
            rough = np.fmin(rough, 4.0 * rel / np.maximum(gap, 1e-300))
        turn = turn + (steady + rough) * scales
        none = (one.value == 0.0) | (two.value == 0.0)
        if self.at_zero == 0.0:
            value, error = np.where(none, 0.0, value), np.where(none, 0.0, error)
        if self.series:  # orders above 0 are lost at variance 0
            turn = np.where(none, np.inf, turn)
        return Bounded.rounded(value, error), Bounded.rounded(slope, turn)

    def _path(self, k: Array) -> Single:
        tables = (series(self.dual.activation).tables(k),) if self.series else ()
        return Single(k[None, :], k[None, :], tables=tables)

    def _noise(self, path: Single) -> PairNoise:
        k = path.k[0]
        if not self.series and k.min() == _TINY:  # what is exact there widens no range
            k = np.where(k == _TINY, k[k > _TINY].min(initial=1.0), k)
            path = Single(k[None, :], k[None, :])
        noise = pair_noise(self.dual, self.tangent, path, 0)
        if self.series or np.isfinite(noise.value_scale + noise.slope_scale):
            return noise
        low, high = (
            2.0 ** float(f(np.log2(v))) for f, v in ((np.floor, k.min()), (np.ceil, k.max()))
        )
        scales = _inner_scales(self.dual, self.tangent, low, high)
        return dataclasses.replace(noise, value_scale=scales[0], slope_scale=scales[1])

    def _sizes(self, path: Single, n: int) -> Array:
        """sqrt(D(k11) D(k22))."""
        k = path.k[0]
        if path.tables:
            return _outer(path.tables[0].second, n)
        own = _closed(self.dual, self.tangent)(k, k, k, *_around(k, 0.0))[0]
        return _outer(np.abs(own + 0.0 * k), n)

    def _moduli(
        self, noise: PairNoise, n: int, k1: Array, k2: Array, gap: Array, step: Array, true: Array
    ) -> tuple[Array, Array]:
        """How far D and the slope move while the correlation moves by ``step``."""
        edge = np.sqrt(k1) * np.sqrt(k2)
        most, bend = _outer(noise.true, n), _outer(noise.bend, n)
        if np.isfinite(bend).all():
            turn = step * edge * bend
            return step * edge * np.minimum(most, np.abs(true) + turn), turn
        evaluate = _closed(self.dual, self.tangent)
        near, far = np.maximum(gap - step, 0.0), np.minimum(gap + step, 2.0)
        inner = [evaluate(k, k, k * (1.0 - near), *_around(k, near)) for k in (k1, k2)]
        outer = [evaluate(k, k, k * (1.0 - far), *_around(k, far)) for k in (k1, k2)]
        ends = [evaluate(k, k, k, *_around(k, 0.0)) for k in (k1, k2)]
        falls = []
        for level in (0, 1, 2):
            products = np.ones_like(step)
            for end, there in zip(ends, outer, strict=True):
                own = np.abs(end[level]) + 0.0 * step
                products = products * (own - there[level] + 16.0 * UNIT * own)
            falls.append(np.where((far <= 1.0) & np.isfinite(products), np.sqrt(products), np.inf))
        bends = np.where(near > 0.0, np.sqrt(np.abs(inner[0][3] * inner[1][3])), np.inf)
        slopes = np.where(near > 0.0, np.sqrt(np.abs(inner[0][1] * inner[1][1])), np.inf)
        moved = np.minimum(step * edge * np.fmin(most, slopes), falls[0])
        turn = np.fmin(step * edge * bends, falls[2])
        return np.fmin(moved, step * edge * (np.abs(true) + falls[1])), turn

    def _series(
        self, path: Single, n: int, k1: Array, k2: Array, pairs: state.Pairs
    ) -> tuple[Array, Array]:
        """D and the slope by Hermite series and quadrature, a row of pairs at a time."""
        module = kernel_module(self.dual, self.tangent)
        (whole,), _ = stacked(path, path)
        own = packed(self.dual, self.tangent, path)
        left, right = np.ascontiguousarray(whole[:, :n].T), np.ascontiguousarray(whole[:, n:])
        most, inverse = np.empty(64), np.empty(k2.shape[1])
        module.remainders(right, most)
        module.inverse_roots(k2[0], inverse)
        value, slope = np.empty_like(pairs.c), np.empty_like(pairs.c)
        for i, k in enumerate(k1[:, 0]):
            row = state.Pairs(*(np.ascontiguousarray(v[i]) for v in pairs))
            tables = state.Tables(left[i], right, 0, most, inverse, own, -1)
            module.rows(k, k2[0], row, tables, value[i], slope[i])
        return value, slope

    def _series_moduli(
        self,
        tables: Tables,
        noise: PairNoise,
        n: int,
        gap: Array,
        step: Array,
        edge: Array,
        value: Array,
        slope: Array,
    ) -> tuple[Array, Array]:
        """The same for series, by the bounds that `numerics.kernels.series.series.Tables` has for D''."""
        shift = step * edge
        if not self.dual.existence.smooth:
            # as `numerics.kernels.loops.hermite.moduli`
            size, away = _outer(tables.second, n), gap - step
            g, h, p = tables.rows[-5:-2]
            root, power = np.sqrt(step), step ** p.max()
            moved = g[:n, None] * root + h[:n, None] * power
            moved = np.minimum(moved * (g[n:] * root + h[n:] * power), size)
            if self.tangent == "almost_everywhere" and self.dual.existence.jumps:
                rate = np.where(away > step, 1.0 / (edge * np.maximum(away, step)), np.inf)
                fall = size * (1.0 + 1e-13) - np.abs(value)  # D' lies below the secant to 1
                turn = self._turn(tables, noise, n, gap, step, edge)
                return np.fmin(fall * rate * shift, moved), turn
            second = np.where(
                away > step, size * curvature.py_func(away) / (edge * away) ** 2, np.inf
            )
            return np.fmin((np.abs(slope) + second * shift) * shift, moved), second * shift
        most, bend = _outer(noise.true, n), _outer(noise.bend, n)
        turn = bend * shift
        if not np.isfinite(bend).all():
            turn = self._turn(tables, noise, n, gap, step, edge)
        return shift * np.minimum(most * 1.01, np.abs(slope) + 2.0 * turn), turn

    def _turn(
        self, tables: Tables, noise: PairNoise, n: int, gap: Array, step: Array, edge: Array
    ) -> Array:
        """How far the slope almost everywhere moves while the correlation moves by ``step``."""
        if np.isfinite(tables.bends[0]):
            (s, q), (t, k) = ((row[:n, None], row[None, n:]) for row in tables.rows[-2:])
            root = np.sqrt(np.sqrt(gap + step))  # on average over what is nearer to 1
            return 3.0 * (s * q + (s * k + q * t) / root + t * k / (root * root)) * step * edge
        _, h, p = tables.rows[-5:-2]
        rough = h[:n, None] * h[None, n:] if self.dual.existence.smooth else 0.0
        return np.asarray(
            _slope_change(gap, step, _outer(noise.chi, n), rough, 2.0 * p.max(), edge)
        )


_slope_change = np.vectorize(slope_change, otypes=[float])


def _outer(values: Array, n: int) -> Array:
    """Geometric means of the first n values with the others."""
    roots = np.sqrt(values)
    return roots[:n, None] * roots[None, n:]


def _around(k: Array, t: Any) -> tuple[Array, Array, Array]:
    """The determinant and the variances of u -+ v of two inputs of variance k and correlation 1 - t."""
    return k * k * t * (2.0 - t), 2.0 * k * t, 2.0 * k * (2.0 - t)


@lru_cache(maxsize=64)
def _closed(dual: Dual, tangent: Tangent) -> Callable[..., list[Any]]:
    """D, D', the slope and its derivative in k12."""
    moments = (
        dual.moment(0, 0),
        dual.moment(1, 1),
        dual.tangent(tangent),
        dual.tangent(tangent, 1, 1),
    )
    exprs = [m.stable.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero) for m in moments]
    return sympy.lambdify(_ARGUMENTS, exprs, [_FUNCTIONS, "scipy", "numpy"], cse=True)


@lru_cache(maxsize=512)
def _inner_scales(dual: Dual, tangent: Tangent, low: float, high: float) -> list[float]:
    """`PairRounding`'s value_scale and slope_scale where they have no limit at correlation 1 or -1."""
    k = np.geomspace(low, high, 4)
    one, two, t = (v.ravel() for v in np.meshgrid(k, k, _GAPS, indexing="ij"))
    edge = np.sqrt(one * two)
    c, det = edge * (1.0 - t), edge * edge * t * (2.0 - t)
    around = det, one + two - 2.0 * c, one + two + 2.0 * c
    made = []
    for ladder in (dual.moment, lambda i, j: dual.tangent(tangent, i, j)):
        moments = [ladder(i, j).stable for i, j in ((0, 0), (1, 1), (2, 0))]
        evaluate = sympy.lambdify(_ARGUMENTS, moments, [_FUNCTIONS, "scipy", "numpy"], cse=True)
        _, cross, heat = evaluate(one, two, c, *around)
        ends = [np.abs(evaluate(v, v, v, *_around(v, 0.0))[0] + 0.0 * v) for v in (one, two)]
        size = np.sqrt(ends[0] * ends[1])
        size = np.where(np.isfinite(size), size, np.abs(evaluate(one, two, c, *around)[0]))
        moved = np.abs(one * heat + c * cross)
        made.append(1.25 * float(np.max(moved / np.where(size > 0.0, size, 1.0))))
    return made


@lru_cache(maxsize=64)
def dual_values(dual: Dual, tangent: Tangent) -> DualValues:
    """Return the values of a dual."""
    return DualValues(dual, tangent)
