"""A derived dual against the double integral that it stands for, at a few covariances.

The integral is taken in polar coordinates, in the sectors between the angles at which u or v changes its
sign, straight from the activation: nothing of the derivation is in it. It guards against wrong
derivations, not against rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import mpmath
import sympy

from theory.calculus.price import K1, K2, C

if TYPE_CHECKING:
    from theory.kernels.duals import Dual

__all__ = ["agrees"]

_COVARIANCES = ((0.61, -0.23, 1.07), (0.93, 0.71, 0.84), (1.13, -0.98, 0.94))
_TOLERANCE = 1e-7
_RADII = (0.0, 1.5, 3.5, 6.0, 9.5, 14.0)


def agrees(dual: Dual) -> bool:
    """Whether D and D' are what they should be, at three covariances.

    Parameters
    ----------
    dual : Dual
        With closed forms, of an activation without kinks other than at 0.

    Returns
    -------
    bool
        True, too, where the integral is too fine to be computed, or phi is beyond the range of doubles: there
        is no evidence against it.

    Notes
    -----
    D is compared with the integral, and D' with a difference quotient of D. Covariances are scaled down
    until two rules agree on the integral, so that waves and narrow bumps are seen. A few milliseconds
    each.
    """
    value, slope = (sympy.lambdify((K1, C, K2), e, "mpmath") for e in (dual.expr, dual.derivative))
    phi = _sides(dual)
    limit = dual.existence.largest
    largest = float(limit) / 4 if limit.is_finite else 4.0
    for k11, k12, k22 in _COVARIANCES:
        scale = largest / 2
        for _ in range(12):
            at = (k11 * scale, k12 * scale, k22 * scale)
            coarse, fine = (_integral(phi, *at, nodes) for nodes in (10, 16))
            size = math.sqrt(
                abs(
                    _integral(phi, at[0], at[0], at[0], 16)
                    * _integral(phi, at[2], at[2], at[2], 16)
                )
            )
            if math.isfinite(size) and abs(coarse - fine) <= 0.01 * _TOLERANCE * size:
                break
            scale /= 4
        else:
            return True
        with mpmath.workdps(30):
            a, c, b = (mpmath.mpf(v) for v in at)
            h = mpmath.mpf(10) ** -10 * b
            closed = mpmath.re(value(a, c, b))
            quotient = mpmath.re(value(a, c + h, b) - value(a, c - h, b)) / (2 * h)
            true = mpmath.re(slope(a, c, b))
            if abs(closed - fine) > _TOLERANCE * size:
                return False
            if abs(quotient - true) > _TOLERANCE * max(abs(true), size / math.sqrt(at[0] * at[2])):
                return False
    return True


def _sides(dual: Dual) -> Callable[[float], float]:
    x = dual.activation.symbol
    left, right = (
        sympy.lambdify(x, dual.existence.pieces[i][2], "math", cse=True) for i in (0, -1)
    )

    def phi(u: float) -> float:
        try:
            return left(u) if u < 0.0 else right(u)
        except OverflowError:
            return math.nan

    return phi


def _integral(
    phi: Callable[[float], float], k11: float, k12: float, k22: float, nodes: int
) -> float:
    """E phi(u) phi(v) by Gauss and Legendre in angle and radius."""
    p, q = math.sqrt(k11), math.sqrt(k22)
    turn = math.acos(max(-1.0, min(1.0, k12 / (p * q))))
    cuts = [c - math.pi / 2 for c in (0.0, turn, math.pi, math.pi + turn, 2 * math.pi)]
    total = 0.0
    for angle, weight in _rule(cuts, nodes):
        a, b = p * math.cos(angle), q * math.cos(angle - turn)
        for r, w in _rule(_RADII, nodes):
            total += weight * w * r * math.exp(-r * r / 2) * phi(r * a) * phi(r * b)
    return total / (2 * math.pi)


def _rule(cuts: Sequence[float], nodes: int) -> list[tuple[float, float]]:
    made = []
    for low, high in itertools.pairwise(cuts):
        half = (high - low) / 2
        made += [(low + half * (1 + x), half * w) for x, w in _gauss(nodes)]
    return made


def _gauss(nodes: int) -> list[tuple[float, float]]:
    if nodes not in _GAUSS:
        x = sympy.Symbol("x")
        poly = sympy.legendre_poly(nodes, x)
        slope = sympy.lambdify(x, sympy.diff(poly, x), "math")
        roots = [float(r) for r in sympy.Poly(poly, x).nroots(n=20)]
        _GAUSS[nodes] = [(r, 2 / ((1 - r * r) * slope(r) ** 2)) for r in roots]
    return _GAUSS[nodes]


_GAUSS: dict[int, list[tuple[float, float]]] = {}
