"""Grids for the lifted Gaussian expectation: spacing and reach from error bounds.

One lifting ``Z(x) = E exp(s f(x + sqrt(v) U))`` is a trapezoid sum on a uniform grid ``y_j = j h``.
For a function analytic in a strip the trapezoid rule converges geometrically (Trefethen and
Weideman 2014, Theorem 5.1): if ``|exp(s f(y + i a))| <= exp(s f(y) + s g a^2/2)`` for ``|a| <=
A``, then

    |Z_h(x) - Z(x)| / Z(x)  <=  2 / (exp(2 pi a/h - (1/v + s g) a^2/2) - 1),      0 < a <= A,

because the Gaussian contributes ``exp(a^2/(2 v))``. What is needed of ``f`` is therefore a
half-width ``A`` and a curvature ``g``, and both are known for every level of a nest *before* it is
evaluated:

``"cone"``
    The leaf is ``log 2cosh``: ``|Re| `` only decreases and ``|arg 2cosh(y + i a)| <= a`` for
    ``a < pi/2``. An average of numbers in the cone ``|arg| <= s a <= pi/2`` stays in it, so by
    induction ``A_k = pi / (2 max(1, s_1, .., s_k))`` and ``g = 0``. (This is the narrowing strip
    of a lifted partition function: for s = 2 its zeros are exactly at ``Im x -> pi/4`` as v
    grows.)
``"log-concave"``
    ``exp(f)`` is log-concave, e.g. the Gaussian measure of a convex set. Convolution preserves this
    (Prekopa 1973), the tilted law of ``y - x`` has variance at most ``v`` (Brascamp and Lieb
    1976), and ``|Z(x + i a)| = exp(a^2/(2 v)) Z(x) |E_tilted exp(i a (y - x)/v)| >= (1 - a^2/(2
    v)) ..``: no zeros for ``a < sqrt(2 v)``. Hence ``A_k = sqrt(2 v_k)`` and ``g_k = 1/(s_k
    v_k)``.
    (A curvature below this survives from the level inside, on the inner strip only.)

The bounds hold for every order of the exponents. Cost of planning: O(levels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["GridPlan", "ResolutionError", "Strip", "plan_grids", "spacing", "trapezoid_error"]

# : Largest number of nodes of one grid; beyond it an increment is too small to be resolved
# uniformly.
MAX_NODES = 1 << 15
#: Operations of one level of one nest, twenty times what any solution up to level 7 takes; a point that
#: needs more is far from all of them.
MAX_WORK = 30_000_000


class ResolutionError(ArithmeticError):
    """A grid that would meet the error bound is too large, or a given grid does not meet it."""


@dataclass(frozen=True)
class Strip:
    """Where a level's function is analytic, and how it grows there.

    Attributes
    ----------
    half_width : float
        ``A``: the function is analytic for ``|Im y| < A``.
    curvature : float
        ``g``: ``Re f(y + i a) <= f(y) + g a^2 / 2`` for ``|a| < A``.
    kind : {"cone", "log-concave"}
        Which of the two inductions of this module carries the strip through a lifting.
    """

    half_width: float
    curvature: float
    kind: Literal["cone", "log-concave"]

    def lift(self, increment: float, exponent: float) -> Strip:
        """Strip of the lifted function ``(1/s) log E exp(s f(. + sqrt(v) U))``.

        Parameters
        ----------
        increment, exponent : float
            Variance ``v >= 0`` and exponent ``s >= 0`` of the lifting.

        Returns
        -------
        Strip
        """
        if increment == 0.0:
            return self
        if self.kind == "cone":
            cone = 0.5 * math.pi / exponent if exponent > 0.0 else math.inf
            return Strip(min(self.half_width, cone), self.curvature, self.kind)
        own = 1.0 / (exponent * increment) if exponent > 0.0 else math.inf
        width = math.sqrt(2.0 * increment)
        if own <= self.curvature:
            return Strip(width, own, self.kind)
        # the inner curvature survives the average, but only where the inner function is analytic
        return Strip(min(width, self.half_width), self.curvature, self.kind)


def spacing(strip: Strip, increment: float, exponent: float, tolerance: float) -> float:
    """Largest spacing whose trapezoid error bound meets a relative tolerance.

    Parameters
    ----------
    strip : Strip
        Analyticity of the function under the exponential.
    increment, exponent : float
        ``v > 0`` and ``s >= 0`` of the lifting.
    tolerance : float
        Bound wanted on ``|Z_h - Z| / Z``; in (0, 1).

    Returns
    -------
    float
        ``h``. With ``B = 1/v + s g`` and ``L = log(1 + 2/tolerance)`` the optimal shift is
        ``a = min(A, sqrt(2 L / B))`` and ``h = 2 pi a / (L + B a^2 / 2)``.
    """
    log_inverse = math.log1p(2.0 / tolerance)
    bend = 1.0 / increment + exponent * strip.curvature
    shift = min(strip.half_width, math.sqrt(2.0 * log_inverse / bend))
    return 2.0 * math.pi * shift / (log_inverse + 0.5 * bend * shift * shift)


def trapezoid_error(strip: Strip, increment: float, exponent: float, h: float) -> float:
    """Proved bound on the relative trapezoid error of one lifting at spacing ``h``.

    Parameters
    ----------
    strip : Strip
        Analyticity of the function under the exponential.
    increment, exponent : float
        ``v > 0`` and ``s >= 0`` of the lifting.
    h : float
        Spacing of the grid.

    Returns
    -------
    float
        The minimum over ``a`` of the bound in the module's docstring; ``inf`` where it says
        nothing.
    """
    bend = 1.0 / increment + exponent * strip.curvature
    shift = min(strip.half_width, 2.0 * math.pi / (h * bend))
    power = 2.0 * math.pi * shift / h - 0.5 * bend * shift * shift
    if power <= 0.0:
        return math.inf
    return 2.0 / math.expm1(power) if power < 700.0 else 0.0


@dataclass(frozen=True)
class GridPlan:
    """Chained grids of one nest.

    Attributes
    ----------
    spacings : tuple of float
        ``h_0, .., h_{K-1}``: spacing of the grid that carries ``f_k``.
    steps : tuple of (int, int)
        ``h_{k-1} : h_k = a : b`` for k = 1..K-1, with a = 1 or b = 1: neighbours are commensurate,
        so a table of Gaussian weights (one row for each of the a phases) serves a whole level.
    reach : float
        Half-width of the window of one integration in units of ``sqrt(v)``.
    bounds : tuple of float
        Proved relative trapezoid error of each lifting.
    """

    spacings: tuple[float, ...]
    steps: tuple[tuple[int, int], ...]
    reach: float
    bounds: tuple[float, ...]


def plan_grids(
    strip: Strip,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    tolerance: float,
    coarsen: float = 1.0,
) -> GridPlan:
    """Choose the spacings of a nest from the error bound.

    Parameters
    ----------
    strip : Strip
        Analyticity of the leaf.
    increments, exponents : tuple of float
        ``v_k > 0`` and ``s_k >= 0``, innermost first.
    tolerance : float
        Relative error allowed per lifting, in (0, 1).
    coarsen : float, default 1
        Factor on every spacing; values above 1 deliberately break the bound (tests and refinement
        checks use it), values below 1 refine.

    Returns
    -------
    GridPlan

    Notes
    -----
    Errors do not grow along the nest: a relative error of ``Z_k`` is an error ``eps/s_k`` of
    ``f_k``, and a lifting is a contraction in the supremum norm.
    """
    wanted: list[float] = []
    strips = [strip]
    for v, s in zip(increments, exponents, strict=True):
        wanted.append(coarsen * spacing(strips[-1], v, s, tolerance))
        strips.append(strips[-1].lift(v, s))
    spacings = wanted[:]
    steps: list[tuple[int, int]] = [(1, 1)] * max(len(wanted) - 1, 0)
    for k in range(len(wanted) - 2, -1, -1):
        ratio = wanted[k] / spacings[k + 1]
        if ratio >= 1.0:
            steps[k] = (int(ratio), 1)
            spacings[k] = spacings[k + 1] * int(ratio)
        else:
            steps[k] = (1, math.ceil(1.0 / ratio - 1e-9))
            spacings[k] = spacings[k + 1] / steps[k][1]
    bounds = tuple(
        trapezoid_error(st, v, s, h)
        for st, v, s, h in zip(strips[:-1], increments, exponents, spacings, strict=True)
    )
    # P(|U| > w) = tolerance / 10: the tilted law beyond its extreme centres is lighter than this.
    reach = math.sqrt(2.0 * math.log(10.0 / tolerance))
    return GridPlan(tuple(spacings), tuple(steps), reach, bounds)
