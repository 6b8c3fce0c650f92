"""How much rounding may do to an expression: first-order bounds, operation by operation.

Errors are counted in units of 2^-53. Sums and products may be evaluated in any order and contracted; exp,
sin and cos are taken to err by less than one unit in the last place and erf and our arc tangent by less than
two, which holds of every processor's library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference

__all__ = ["UNIT", "PairRounding", "Rounded", "pair_rounding", "power_constants", "rounded"]

Array = NDArray[np.float64]
UNIT = 2.0**-53
Rounded = tuple[Array, Array]
"""A value and the bound of its error."""


def rounded(expr: Expr, given: Mapping[Symbol, Any]) -> Rounded:
    """Evaluate an expression together with a bound of its rounding error.

    Parameters
    ----------
    expr : Expr
        Of sums, products, powers and the functions that kernels are printed with.
    given : dict
        Values and error bounds of the symbols, in units of 2^-53; arrays of one shape.

    Returns
    -------
    tuple of ndarray
        Value, and bound.
    """
    known: dict[Expr, Rounded] = dict(given)
    with np.errstate(all="ignore"):
        return _visit(expr, known)


def _visit(expr: Expr, known: dict[Expr, Rounded]) -> Rounded:
    if expr not in known:
        known[expr] = _evaluate(expr, known)
    return known[expr]


def _evaluate(expr: Expr, known: dict[Expr, Rounded]) -> Rounded:
    if expr.is_number:
        value = float(sympy.N(expr, 30))
        exact = (
            expr.is_Rational and sympy.Integer(expr.q).is_Integer and (expr.q & (expr.q - 1)) == 0
        )
        return np.float64(value), np.float64(0.0 if exact else abs(value))  # type: ignore[return-value]
    if expr.is_Pow:
        return _power(_visit(expr.base, known), expr.exp)
    parts = [_visit(a, known) for a in expr.args]
    if expr.is_Add:
        total, size, error = 0.0, 0.0, 0.0
        for value, own in parts:
            total, size, error = total + value, size + np.abs(value), error + own
        spread = np.abs(total) if len(parts) == 2 else (len(parts) - 1) * size
        return total, error + spread  # type: ignore[return-value]
    if expr.is_Mul:
        value, error = parts[0]
        for other, own in parts[1:]:
            product = value * other
            error = np.abs(value) * own + np.abs(other) * error + np.abs(product)
            value = product
        return value, error
    return _function(expr, parts)


def _function(expr: Expr, parts: list[Rounded]) -> Rounded:
    (x, e), *more = parts
    if expr.func is sympy.exp:
        value = np.exp(x)
        return value, value * (e + 2.0)
    if expr.func in (sympy.sin, sympy.cos):
        value = np.sin(x) if expr.func is sympy.sin else np.cos(x)
        return value, e + 2.0 * np.abs(value)
    if expr.func is sympy.erf:
        from scipy.special import erf

        value = erf(x)
        return value, 2.0 / np.sqrt(np.pi) * np.exp(-x * x) * e + 4.0 * np.abs(value)
    if expr.func is sympy.Abs:
        return np.abs(x), e
    if expr.func in (sympy.atan2, sympy.atan):
        y, own = more[0] if more else (np.float64(1.0), np.float64(0.0))
        value = np.arctan2(x, y)
        moved = (np.abs(y) * e + np.abs(x) * own) / np.maximum(x * x + y * y, 1e-300)
        return value, moved + 4.0 * np.abs(value)
    if expr.func is ExpDifference:
        (y, own), (apart, off) = more
        value = np.where(apart >= 0.0, -np.exp(x) * np.expm1(-apart), np.exp(y) * np.expm1(apart))
        return value, np.abs(value) * (np.where(apart >= 0.0, e, own) + 6.0) + np.exp(
            np.minimum(x, y)
        ) * off
    raise NotImplementedError(f"no rounding bound of {expr.func}")


def _power(base: Rounded, index: Expr) -> Rounded:
    x, e = base
    if index.is_negative:
        value, error = _power(base, -index)
        return 1.0 / value, error / (value * value) + np.abs(1.0 / value)
    whole = int(sympy.floor(index))
    if not (2 * index).is_Integer:
        p = float(index)
        return x**p, np.abs(p * x ** (p - 1.0)) * e + 2.0 * np.abs(x**p)
    value, error = np.ones_like(x), np.zeros_like(x)
    if whole:
        value = x**whole
        error = whole * np.abs(x) ** (whole - 1) * e + (whole - 1) * np.abs(value)
    if index.is_Integer:
        return value, error
    root = np.sqrt(np.maximum(x, 0.0))
    # sqrt(x + d) - sqrt(x), also where d is the larger
    off = 2.0 * e / np.maximum(root + np.sqrt(np.abs(x) + UNIT * e), 1e-300) + root
    return value * root, np.abs(value) * off + root * error + np.abs(value * root)


_SYMBOLS = (K1, K2, C, DET, DELTA, SIGMA)
_CLOSE = np.geomspace(1e-7, 0.15, 20)
_ANGLES = np.concatenate([np.linspace(0.0, np.pi, 17), _CLOSE, np.pi - _CLOSE])


@dataclass(frozen=True)
class PairRounding:
    """What evaluating D and the slope of one pair adds, and what they do with relative changes of variances.

    Attributes
    ----------
    value, slope : float
        Rounding in units of 2^-53, relative to sqrt(D(k11) D(k22)) and to the same of the slope, or to the
        slope itself where that is infinite at correlation 1.
    value_scale, slope_scale : float
        Relative change of D and of the slope with those of the two variances, at constant correlation.
    value_own, slope_own : float
        Rounding on the diagonal.
    """

    value: float
    slope: float
    value_scale: float
    slope_scale: float
    value_own: float
    slope_own: float


@lru_cache(maxsize=512)
def pair_rounding(dual: Dual, tangent: Tangent, low: float, high: float) -> PairRounding:
    """Rounding of a pair, the largest over a grid of variances and angles, times 1.25 for what lies between.

    Parameters
    ----------
    dual : Dual
        With closed forms.
    tangent : {"limit", "almost_everywhere"}
    low, high : float
        Range of the variances.

    Notes
    -----
    k12 counts as exact and determinants as exact functions of it: what their cancellation does is what a
    change of k12 does.
    """
    infinite = tangent == "limit" and not dual.existence.smooth
    k = np.geomspace(low, high, 4 if high > low else 1)
    one, two, angle = (v.ravel() for v in np.meshgrid(k, k, _ANGLES, indexing="ij"))
    edge = np.sqrt(one * two)
    # 1 - cos and 1 + cos without cancellation
    near, far = 2.0 * np.sin(angle / 2) ** 2, 2.0 * np.cos(angle / 2) ** 2
    gap = (np.sqrt(one) - np.sqrt(two)) ** 2
    given = {
        K1: one,
        K2: two,
        C: edge * np.where(near < far, 1.0 - near, far - 1.0),
        DET: edge * edge * near * far,
        DELTA: gap + 2.0 * edge * near,
        SIGMA: gap + 2.0 * edge * far,
    }
    own = {K1: 0.0 * edge, K2: 0.0 * edge, C: 0.0 * edge}
    noisy = {s: (v, own.get(s, 4.0 * v)) for s, v in given.items()}
    at = {
        s: (v, 0.0 * k) for s, v in zip(_SYMBOLS, (k, k, k, 0.0 * k, 0.0 * k, 4.0 * k), strict=True)
    }
    made: list[float] = []
    scales: list[float] = []
    own_ones: list[float] = []
    for ladder, itself in (
        (dual.moment, False),
        (lambda i, j: dual.tangent(tangent, i, j), infinite),
    ):
        value, error = (v + 0.0 * one for v in rounded(ladder(0, 0).stable, noisy))
        alone, off = (np.abs(v + 0.0 * k) for v in rounded(ladder(0, 0).stable, at))
        own_ones.append(_worst(off, alone))
        size = np.abs(value)
        if not itself:
            size = np.sqrt(np.interp(one, k, alone) * np.interp(two, k, alone))
        # the heat identity: d/dk11 is half of this; and k12 moves along at constant correlation
        heat, cross = (rounded(ladder(i, j).stable, noisy)[0] for i, j in ((2, 0), (1, 1)))
        moved = np.abs(one * heat + given[C] * cross) + 0.0 * one
        made.append(_worst(error, size))
        scales.append(_worst(moved, size))
    return PairRounding(*made, *scales, *own_ones)


def _worst(error: Array, size: Array) -> float:
    """Largest ratio, with a margin; infinite where it is not known."""
    fine = (size > 0.0) & np.isfinite(size)
    share = np.divide(error, size, out=np.zeros_like(size), where=fine)
    return 1.25 * float(share.max()) if np.isfinite(share).all() else np.inf


def power_constants(rests: list[Expr], slopes: list[Expr], jumps: bool) -> dict[str, float]:
    """What the loops of homogeneous activations need to bound errors.

    Parameters
    ----------
    rests, slopes : list of Expr
        1 - kappa in two parts, and kappa', of the even and of the odd part, in rho, t = 1 - rho, s and theta.
    jumps : bool
        Whether the slope is infinite at correlation 1; its rounding then counts relative to it.

    Returns
    -------
    dict
        M_NOISE: rounding of 1 - kappa, over the root of t; T_NOISE: that of the slope, both in units of
        2^-53; T_BEND: twice the largest derivative of the slope in theta.
    """
    rho, t, s, theta = (Symbol(name, real=True) for name in ("rho", "t", "s", "theta"))
    angle = np.concatenate([np.geomspace(1e-8, 0.5, 60), np.linspace(0.5, np.pi / 2, 60)])
    near = 2.0 * np.sin(angle / 2) ** 2
    sine = np.sin(angle)
    given = {t: (near, 0.0 * near), rho: (1.0 - near, 1.0 - near)}
    given |= {s: (sine, 3.5 * sine), theta: (angle, 4.0 * angle + 2.5 * sine)}
    made = [
        [(v + 0.0 * angle, e + 0.0 * angle) for v, e in (rounded(x, given) for x in row)]
        for row in (rests, slopes)
    ]
    rest = sum((e for _, e in made[0]), start=0.0 * angle)
    values = [made[0][0][0] + made[0][1][0], made[0][2][0] + made[0][3][0]]
    rest += 2.0 * sum((np.abs(v) for v in values), start=0.0 * angle)
    size = sum((np.abs(v) for v, _ in made[1]), start=0.0 * angle)
    slope = sum((e for _, e in made[1]), start=size)
    bend = 0.0 * angle
    for expr in slopes:
        along = sympy.diff(expr, theta) + sympy.diff(expr, s) * rho - sympy.diff(expr, rho) * s
        bend += np.abs(rounded(along, given)[0])
    return {
        "M_NOISE": float((rest / np.sqrt(near)).max()),
        "T_NOISE": float((slope / size if jumps else slope).max()),
        "T_BEND": 0.0 if jumps else 2.0 * float(bend.max()),
    }
