"""Bounds of what rounding, quadrature and their amplification do to a kernel, before any pair is computed.

Errors of k12 count relative to sqrt(k11 k22). A layer multiplies them by at most sigma_w^2 k chi/k', chi =
E phi'(u)^2 (Cauchy and Schwarz), and adds what evaluating D adds; those of the tangent kernel likewise.
Where that bound is good enough nothing else is needed. Otherwise `numerics.kernels.loops.smooth` follows
every pair with its own slopes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

from numerics.kernels.loops.code import kernel_module, uses_power_loops, uses_series
from numerics.kernels.series.rounding import UNIT, pair_rounding
from numerics.kernels.series.series import ENOUGH, series
from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference

from .diagonal import Single, advance, representatives
from .inputs import Side

__all__ = ["COLUMNS", "Noise", "PairNoise", "equilibrium_noise", "mlp_noise", "pair_noise"]

Array = NDArray[np.float64]
COLUMNS = 8
"""Of what the loops are told of a layer's errors, see `Noise`."""
_FALLBACK = 80.0 * UNIT
"""Of a double sum over a mixture's nodes, or of a quadrature in two dimensions."""


@dataclass(frozen=True)
class Noise:
    """What errors grow from, and bounds of what they grow to.

    Attributes
    ----------
    rows : ndarray, shape (layers, 8)
        For the loops: of k12 by variances, of D, of the slope (all relative), largest chi, angles of layer
        1, and k12 of layer 1; where phi' has singular places, of variances, and of phi' with them. For
        homogeneous activations: of variances, angles of layer 1, and relative
        ones of those.
    own : tuple of float
        Relative errors of single inputs' NNGP and NTK.
    pairs : tuple of float
        The same of all pairs, relative to sqrt(k_ii k_jj); infinite where this bound says nothing.
    """

    rows: Array
    own: tuple[float, ...]
    pairs: tuple[float, ...]


def mlp_noise(
    dual: Dual, tangent: Tangent, sides: list[Side], path: Single, sw2: Array, sb2: Array
) -> Noise:
    """Bound the errors of a perceptron's kernels.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    tangent : {"limit", "almost_everywhere"}
    sides : list of Side
    path : Single
        Of representative inputs.
    sw2, sb2 : ndarray, shape (layers,)

    Returns
    -------
    Noise
    """
    if uses_power_loops(dual):
        return _power(dual, tangent, path, sw2, sb2, sides[0].noise)
    alone, product, *angles = sides[0].noise
    angle = sum(angles)
    rows = np.zeros((len(sw2), COLUMNS))
    pair, tangents, single = product, product, alone
    with np.errstate(all="ignore"):
        for layer, (scale, bias) in enumerate(zip(sw2, sb2, strict=True)):
            k, new = path.k[layer], path.k[layer + 1]
            before, grown = path.ntk[layer], path.ntk[layer + 1]
            at = pair_noise(dual, tangent, path, layer)
            given = pair if layer == 0 else pair + 2.0 * UNIT
            turn = max(given, angle) if layer == 0 else given
            value, (slope, beside) = at.value + at.value_scale * alone, at.slopes(alone)
            rows[layer] = (
                alone + (0.0 if layer == 0 else 2.0 * UNIT), value,
                slope + 2.0 * UNIT, at.chi.max(), angle, product, alone, beside,
            )  # fmt: skip
            slope += beside
            own, part = _largest(new - bias, new), _largest(new, grown)
            rate = _largest(scale * k * at.true, new)
            tangent_rate = _largest(scale * at.chi * before, grown)
            turned = _largest(scale * before * at.bend * k, grown) * (turn + alone)
            pair = rate * (given + alone) + own * value + 4.0 * UNIT
            tangents = part * pair + tangent_rate * (tangents + slope) + turned + 4.0 * UNIT
            # single inputs, with their own derivatives
            moved = _largest(scale * before * at.chi * at.chi_rate, grown) * alone
            alone = _largest((new - bias) * at.rate, new) * alone + own * at.value_own + 3.0 * UNIT
            single = part * alone + tangent_rate * (single + at.slope_own) + moved + 3.0 * UNIT
    single = single if math.isfinite(path.ntk[-1].max()) else alone
    return Noise(rows, (_bound(alone), _bound(single)), (_bound(pair), _bound(tangents)))


def equilibrium_noise(
    dual: Dual, sides: list[Side], paths: list[Single], w2: float, v2: float
) -> Noise:
    """Bound the errors of an equilibrium model's kernels.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    sides : list of Side
    paths : list of Single
        Of fixed points.
    w2, v2 : float

    Returns
    -------
    Noise
        ``own`` and ``pairs`` of NNGP, NTK and fixed point.

    Notes
    -----
    An error e of the map moves its fixed point by e/(1 - q), q the largest slope of the map.
    """
    k = np.concatenate([path.k[0] for path in paths])
    s = np.concatenate([side.k for side in sides])
    alone, product, *angles = sides[0].noise
    if uses_power_loops(dual):
        return _power_equilibrium(dual, w2, alone, product, angles)
    some = np.isin(k, representatives(k))
    k, s = k[some], s[some]
    at = pair_noise(dual, "limit", _selected(dual, k), 0)
    with np.errstate(all="ignore"):
        given, inside, chi = _largest(s, k), _largest(k - s, k), float(at.chi.max())
        d = (k - s) / w2 if w2 > 0.0 else _second(dual, k)
        rest = max(1.0 - w2 * chi, 1e-300)
        grown = w2 * chi / rest
        alone_rest = max(1.0 - float((np.where(k > 0.0, 1.0 - s / k, 0.0) * at.rate).max()), rest)
        single = (inside * at.value_own + given * alone + 3.0 * UNIT) / alone_rest
        value = at.value + at.value_scale * single
        pair = inside * value + given * product + w2 * chi * (single + 2.0 * UNIT) + 3.0 * UNIT
        pair /= rest
        slope, beside = at.slopes(single)
        row = (
            single + 2.0 * UNIT, value, slope + 2.0 * UNIT, chi, sum(angles), product, single, beside,
        )  # fmt: skip
        slope += beside
        turned = _largest(at.bend * k, at.chi) * max(pair + single + 2.0 * UNIT, sum(angles))
        nngp = value + _largest(k * at.chi, d) * (pair + single) + 2.0 * UNIT
        of_tangent = pair + grown * (slope + turned) + 3.0 * UNIT
        ntk = max(nngp, slope + turned + of_tangent) + 3.0 * UNIT
        own = at.value_own + float(at.rate.max()) * single + 2.0 * UNIT
        own_slope = at.slope_own + float(at.chi_rate.max()) * single
        own_ntk = max(own, (1.0 + grown) * own_slope + single) + 3.0 * UNIT
    ones = tuple(map(_bound, (own, own_ntk, single)))
    return Noise(np.array([row]), ones, tuple(map(_bound, (nngp, ntk, pair))))


def _power_equilibrium(
    dual: Dual, w2: float, alone: float, product: float, angles: list[float]
) -> Noise:
    """The pair's equation for t = 1 - rho, solved for the error of the angle."""
    module = kernel_module(dual)
    rate = w2 * module.NORM
    rest = max(1.0 - rate, 1e-300)
    chi = sum(module.profile(1.0, 0.0, 0.0, 0.0)[-2:])
    single = alone + (2.0 * rate / rest + 2.0) * UNIT
    noise = (module.M_NOISE + 4.0) * UNIT
    turn = rate * noise / rest + sum(angles) / math.sqrt(rest) + 4.0 * UNIT
    pair = 1.5 * turn + single + 2.0 * UNIT
    nngp = 1.5 * (turn + noise) + single + 3.0 * UNIT
    slope = (0.5 * module.T_BEND * turn + module.T_NOISE * UNIT) / chi
    of_tangent = pair + rate / rest * slope + 3.0 * UNIT
    own = single + 2.0 * UNIT, single + (2.0 + 2.0 * rate / rest) * UNIT, single
    return Noise(
        np.zeros((1, COLUMNS)), own, (nngp, max(nngp, slope + of_tangent) + 3.0 * UNIT, pair)
    )


def _second(dual: Dual, k: Array) -> Array:
    """E phi^2 at some variances."""
    return advance(dual, "limit", k, k, np.ones(1), np.zeros(1)).k[1]


def _selected(dual: Dual, k: Array) -> Single:
    tables = (series(dual.activation).tables(k),) if uses_series(dual) else ()
    return Single(k[None, :], k[None, :], tables=tables)


def _power(
    dual: Dual, tangent: Tangent, path: Single, sw2: Array, sb2: Array, inputs: tuple[float, ...]
) -> Noise:
    """Angles do not expand where phi is homogeneous of degree 1 (Schwarz and Pick)."""
    module = kernel_module(dual, tangent)
    rows = np.zeros((len(sw2), COLUMNS))
    alone, product, *angles = inputs
    turn, tangents, single = sum(angles), product, alone
    slope = sum(module.profile(1.0, 0.0, 0.0, 0.0)[-2:])
    chi = slope or 1.0  # where it is 0, nothing is carried on
    with np.errstate(all="ignore"):
        for layer, bias in enumerate(sb2):
            new, grown = path.k[layer + 1], path.ntk[layer + 1]
            rows[layer, :3] = alone, *angles
            cosine, steep = path.angles[0][layer], path.angles[3][layer]
            own = _largest(new - bias, new)
            after = own * (module.DEGREE * (alone + UNIT) + 2.0 * UNIT) + 2.0 * UNIT
            rate = _largest(steep**2 * slope * path.ntk[layer], grown)
            part = _largest(new, grown)
            twist = (0.5 * module.T_BEND * turn + module.T_NOISE * UNIT) / chi + abs(
                module.DEGREE - 1.0
            ) * alone
            bias = float((cosine * path.angles[1][layer]).max())
            turn = float(cosine.max()) * turn + (module.M_NOISE + 4.0) * UNIT + 0.5 * bias * alone
            single = (
                part * after
                + rate * (single + abs(module.DEGREE - 1.0) * alone + UNIT)
                + 4.0 * UNIT
            )
            tangents = part * (turn + after) + rate * (tangents + twist) + 6.0 * UNIT
            alone = after
    single = single if math.isfinite(path.ntk[-1].max()) else alone
    if module.DEGREE != 1.0:
        return Noise(rows, (_bound(alone), _bound(single)), (math.inf, math.inf))
    return Noise(rows, (_bound(alone), _bound(single)), (_bound(turn + alone), _bound(tangents)))


@dataclass(frozen=True)
class PairNoise:
    """What evaluating D and the slope in a layer adds, and how they vary.

    Attributes
    ----------
    value, slope : float
        Errors relative to sqrt(D D) and to the same of the slope, or to itself where that is infinite.
    value_scale, slope_scale, slope_rough : float
        Relative changes of a pair's D and slope with those of both variances; and what the latter leaves out
        beside singular places of phi'.
    value_own, slope_own : float
        Relative errors on the diagonal.
    chi, true, bend : ndarray, shape (n,)
        E tau^2, E phi'^2 and E tau'^2 of the path's inputs, tau the slope.
    rate, chi_rate : ndarray, shape (n,)
        |d log D/d log k| and |d log E tau^2/d log k| of single inputs.
    """

    value: float
    slope: float
    value_scale: float
    slope_scale: float
    value_own: float
    slope_own: float
    chi: Array
    true: Array
    bend: Array
    rate: Array
    chi_rate: Array
    slope_rough: float = 0.0

    def slopes(self, off: Any) -> tuple[Any, Any]:
        """The error of a pair's slope where variances are off; apart, that beside singular places."""
        if self.slope_rough or not math.isfinite(self.slope_scale):
            return self.slope, self.slope_scale * off + self.slope_rough
        return self.slope + self.slope_scale * off, 0.0


def pair_noise(dual: Dual, tangent: Tangent, path: Single, layer: int) -> PairNoise:
    """Look at one layer of representative inputs."""
    k = path.k[layer]
    some = k[k > 0.0]
    if not some.size:
        none = np.zeros_like(k)
        return PairNoise(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, none, none, none, none, none)
    if uses_series(dual):
        tables = path.tables[layer]
        noise = tables.noise.copy()
        if tables.left > ENOUGH:
            noise = np.maximum(noise, _FALLBACK)
        chi = tables.slopes
        true = chi if dual.existence.smooth else np.full_like(chi, np.inf)
        bend = np.full_like(k, np.inf)
        if not dual.existence.kinks and dual.existence.smooth and math.isfinite(tables.bends[0]):
            bend = tables.bends[0] * np.divide(chi, k, out=np.zeros_like(k), where=k > 0.0)
        value, slope = noise
        value_own, slope_own = tables.own
        return PairNoise(
            value, slope, tables.bends[1], tables.bends[2], value_own, slope_own, chi, true, bend,
            np.abs(tables.steep), np.abs(tables.slope_steep), tables.bends[5],
        )  # fmt: skip
    low = 2.0 ** math.floor(math.log2(some.min()))
    high = 2.0 ** math.ceil(math.log2(some.max()))
    at = pair_rounding(dual, tangent, low, high)
    return PairNoise(
        at.value * UNIT, at.slope * UNIT, at.value_scale, at.slope_scale, at.value_own * UNIT,
        at.slope_own * UNIT,
        *_diagonal(dual, tangent)(np.maximum(k, low)),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _diagonal(dual: Dual, tangent: Tangent) -> Any:
    """E tau^2, E phi'^2, E tau'^2, and logarithmic derivatives of E phi^2 and E tau^2, as functions of k."""
    at = {DET: 0, DELTA: 0, SIGMA: 4 * K1, C: K1, K2: K1}
    moments = (
        *(dual.moment(0, 0), dual.tangent(tangent)),
        *(dual.moment(1, 1), dual.tangent(tangent, 1, 1)),
    )
    exprs = [_finite(m.stable.subs(at, simultaneous=True)) for m in moments]
    names = {ExpDifference.__name__: lambda a, b, apart: np.exp(b) * np.expm1(apart)}
    evaluate = sympy.lambdify(K1, exprs, [names, "scipy", "numpy"], cse=True)

    def values(k: Array) -> list[Array]:
        return [np.abs(v + 0.0 * k) for v in evaluate(k)]

    def on(k: Array) -> list[Array]:
        with np.errstate(all="ignore"):
            _, chi, true, bend = values(k)
            step = 1.0 / 64.0
            ends = [values(k * factor)[:2] for factor in (math.exp(step), math.exp(-step))]
            rates = [
                np.abs(np.log(up / down)) / (2.0 * step) for up, down in zip(*ends, strict=True)
            ]
            return [chi, true, bend, *(np.nan_to_num(r, nan=0.0, posinf=0.0) for r in rates)]

    return on


def _finite(expr: Expr) -> Expr:
    return sympy.oo if expr.has(sympy.zoo, sympy.oo, sympy.nan) else expr


def _largest(top: Array, bottom: Array) -> float:
    """Largest ratio; 0/0 counts as 0."""
    ratio = np.divide(top, bottom, out=np.zeros_like(top), where=(bottom != 0.0) & (top != 0.0))
    return float(np.max(np.where(np.isnan(ratio), 1.0, ratio), initial=0.0))


def _bound(value: float) -> float:
    return value if math.isfinite(value) else math.inf
