"""Grids for the lifted Gaussian expectation: spacing and reach from error bounds.

One lifting ``Z(x) = E exp(s f(x + sqrt(v) U))`` is a trapezoid sum on a uniform grid ``y_j = j h``.
For a function analytic in a strip the trapezoid rule converges geometrically (Trefethen and
Weideman 2014, Theorem 5.1): if ``|exp(s f(y + i a))| <= exp(s f(y) + s g a^2/2)`` for ``|a| <=
A``, then

    |Z_h(x) - Z(x)| / Z(x)  <=  2 / (exp(2 pi a/h - (1/v + s g) a^2/2) - 1),      0 < a <= A,

because the Gaussian contributes ``exp(a^2/(2 v))``. In a quenched average f itself is summed; its real part
moves by up to ``g a^2/2`` and its imaginary part by no more than a few, so that the right-hand side, times
``1 + g a^2/2``, is the error relative to f or to 1. What is needed of ``f`` is therefore a
half-width ``A`` and a curvature ``g``, and both are known for every level of a nest *before* it is
evaluated:

``"cone"``
    ``exp(f) = S^A`` with S a sum of exponentials ``exp(x_j h + d_j)``, such as ``2cosh``. With the
    middle of the rates x_j taken out, an entire factor of the same argument for all real parts,
    ``|arg S(y + i a)| <= X a`` for ``X = (max x_j - min x_j)/2`` and ``|S(y + i a)| <= S(y)``. An
    average of numbers in the cone ``|arg| <= s A X a <= pi/2`` stays in it, so by induction ``A_k = pi
    / (2 X max(1, A s_1, .., A s_k))`` and ``g = 0``. (This is the narrowing strip of a lifted partition
    function: for 2cosh and s = 2 its zeros are exactly at ``Im x -> pi/4`` as v grows.)
``"log-concave"``
    ``exp(f)`` is log-concave, e.g. the Gaussian measure of a convex set. Convolution preserves this
    (Prekopa 1973), the tilted law of ``y - x`` has variance at most ``v`` (Brascamp and Lieb
    1976), and ``|Z(x + i a)| = exp(a^2/(2 v)) Z(x) |E_tilted exp(i a (y - x)/v)| >= (1 - a^2/(2
    v)) ..``: no zeros for ``a < sqrt(2 v)``. Hence ``A_k = sqrt(2 v_k)`` and ``g_k = 1/(s_k
    v_k)``.
    (A curvature below this survives from the level inside, on the inner strip only.)
``"bounded"``
    f is any function with ``f'' <= M`` and slopes in an interval of length 2 l. The tilted law of T = y
    has ``f_k'' = (Var T - v)/(s v^2)``, and ``E |T - E T|^2 >= ..`` as before gives ``|Z(x + i a)| >=
    exp(a^2/(2 v)) Z(x) (1 - a^2 Var T/(2 v^2))``: no zeros for ``a < A_k = sqrt(2/(1/v + s M_k))``. Two
    bounds M_k travel outwards, and the smaller one counts: ``f_k'' = <f_{k-1}''> + s Var f_{k-1}' <=
    M_{k-1} + s l^2``; and by parts ``f_k'' = Cov(f_{k-1}'(T), T)/v <= l sqrt(Var T)/v``, a quadratic
    inequality whose solution is ``f_k'' <= (s l^2 + sqrt(s^2 l^4 + 4 l^2/v))/2``, whatever M_{k-1} was.
    The slopes of f_k are averages of those of f_{k-1}, so l is kept. Growth as for log-concave.

The bounds hold for every order of the exponents. Cost of planning: O(levels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numerics.errors import ResolutionError

__all__ = [
    "GridPlan",
    "ResolutionError",
    "Strip",
    "commensurate",
    "lifted_strips",
    "log_spacing",
    "plan_grids",
    "spacing",
    "trapezoid_error",
    "window",
]

# : Largest number of nodes of one grid; beyond it an increment is too small to be resolved
# uniformly.
MAX_NODES = 1 << 17
#: Operations of one level of one nest; beyond it something is wrong with the point.
MAX_WORK = 2_000_000_000


@dataclass(frozen=True)
class Strip:
    """Where a level's function is analytic, and how it grows there.

    Attributes
    ----------
    half_width : float
        ``A``: the function is analytic for ``|Im y| < A``.
    curvature : float
        ``g``: ``Re f(y + i a) <= f(y) + g a^2 / 2`` for ``|a| < A``.
    kind : {"cone", "log-concave", "bounded"}
        Which of the three inductions of this module carries the strip through a lifting.
    turn : float, default 1
        Of a cone: ``A X``, the rate at which ``arg exp f`` turns.
    bend : float, default 0
        Of a bounded curvature: ``M``, the largest ``f''``.
    spread : float, default infinite
        Of a bounded curvature: ``l``, half the range of ``f'``.
    """

    half_width: float
    curvature: float
    kind: Literal["cone", "log-concave", "bounded"]
    turn: float = 1.0
    bend: float = 0.0
    spread: float = math.inf

    def lift(self, increment: float, exponent: float, bend: float = math.inf) -> Strip:
        """Strip of the lifted function ``(1/s) log E exp(s f(. + sqrt(v) U))``.

        Parameters
        ----------
        increment, exponent : float
            Variance ``v >= 0`` and exponent ``s >= 0`` of the lifting.
        bend : float, optional
            A bound on the second derivative of the lifted function, where one is known.

        Returns
        -------
        Strip
        """
        if increment == 0.0:
            return self
        if self.kind == "cone":
            turn = exponent * self.turn
            cone = 0.5 * math.pi / turn if turn > 0.0 else math.inf
            return Strip(min(self.half_width, cone), self.curvature, self.kind, self.turn)
        own = 1.0 / (exponent * increment) if exponent > 0.0 else math.inf
        bend = min(bend, self._lifted_bend(increment, exponent))
        sharpened = exponent * bend if exponent > 0.0 else 0.0
        width = math.sqrt(2.0 * increment / (1.0 + increment * sharpened))
        if own > self.curvature:
            # the inner curvature survives the average, but only where the inner function is analytic
            own, width = self.curvature, min(width, self.half_width)
        return Strip(width, own, self.kind, self.turn, bend, self.spread)

    def _lifted_bend(self, v: float, s: float) -> float:
        """Bound on the second derivative of the lifted function."""
        if self.kind == "log-concave":
            return 0.0
        square = self.spread * self.spread
        if not math.isfinite(square):
            return math.inf if s > 0.0 else self.bend
        smoothed = 0.5 * (s * square + math.sqrt(s * s * square * square + 4.0 * square / v))
        return min(self.bend + s * square, smoothed)


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
    return log_spacing(strip, increment, exponent, math.log1p(2.0 / tolerance))


def log_spacing(strip: Strip, increment: float, exponent: float, log_inverse: float) -> float:
    """`spacing` for ``log(1 + 2/tolerance)``, where the tolerance is below every double."""
    bend = 1.0 / increment + exponent * strip.curvature
    wanted = log_inverse
    shift = min(strip.half_width, math.sqrt(2.0 * log_inverse / bend))
    if exponent == 0.0:
        for _ in range(12):  # a logarithm inside a root: contracts fast
            factor = _quenched_factor(strip, shift)
            # log(1 + factor 2/tolerance)
            log_inverse = (
                math.log1p(factor * math.expm1(wanted))
                if wanted < 600.0
                else wanted + math.log(factor)
            )
            shift = min(strip.half_width, math.sqrt(2.0 * log_inverse / bend))
    return 2.0 * math.pi * shift / (log_inverse + 0.5 * bend * shift * shift)


def _quenched_factor(strip: Strip, shift: float) -> float:
    """How much larger than on the real axis the function itself is on a shifted contour."""
    return 1.0 + 0.5 * strip.curvature * shift * shift


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
    factor = _quenched_factor(strip, shift) if exponent == 0.0 else 1.0
    return 2.0 * factor / math.expm1(power) if power < 700.0 else 0.0


def commensurate(wanted: float, other: float) -> tuple[tuple[int, int], float]:
    """Largest spacing up to ``wanted`` that is a multiple or a fraction of another one.

    Returns
    -------
    (int, int)
        ``a : b``, the ratio of the spacing found to ``other``, with a = 1 or b = 1.
    float
        The spacing.
    """
    ratio = wanted / other
    if ratio >= 1.0:
        return (int(ratio), 1), other * int(ratio)
    divided = math.ceil(1.0 / ratio - 1e-9)
    return (1, divided), other / divided


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


def lifted_strips(
    strip: Strip, increments: tuple[float, ...], exponents: tuple[float, ...]
) -> tuple[Strip, ...]:
    """Strips of f_0, .., f_{K-1} from that of the leaf, by the inductions of this module."""
    strips = [strip]
    for v, s in zip(increments[:-1], exponents[:-1], strict=True):
        strips.append(strips[-1].lift(v, s))
    return tuple(strips)


def window(tolerance: float) -> float:
    """Half-width of the window of one integration, in standard deviations.

    ``P(|U| > w)`` is below a tenth of the tolerance, and the tilted law beyond its extreme centres is
    lighter than this.
    """
    return math.sqrt(2.0 * math.log(10.0 / tolerance))


def plan_grids(
    strips: tuple[Strip, ...],
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    tolerance: float,
    coarsen: float = 1.0,
) -> GridPlan:
    """Choose the spacings of a nest from the error bound.

    Parameters
    ----------
    strips : tuple of Strip
        Analyticity of f_0, .., f_{K-1}, see `lifted_strips`.
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

    Raises
    ------
    ResolutionError
        If no strip is known: two or more liftings of a leaf that is neither log-concave nor of bounded
        slope.

    Notes
    -----
    Errors do not grow along the nest: a relative error of ``Z_k`` is an error ``eps/s_k`` of
    ``f_k``, and a lifting is a contraction in the supremum norm.
    """
    wanted = [
        coarsen * spacing(own, v, s, tolerance)
        for own, v, s in zip(strips, increments, exponents, strict=True)
    ]
    if not min(wanted, default=1.0) > 0.0:
        raise ResolutionError(
            f"no strip of analyticity is known for liftings with increments {increments} and exponents "
            f"{exponents} of a leaf whose slope is not bounded"
        )
    spacings = wanted[:]
    steps: list[tuple[int, int]] = [(1, 1)] * max(len(wanted) - 1, 0)
    for k in range(len(wanted) - 2, -1, -1):
        steps[k], spacings[k] = commensurate(wanted[k], spacings[k + 1])
    bounds = tuple(
        trapezoid_error(st, v, s, h)
        for st, v, s, h in zip(strips, increments, exponents, spacings, strict=True)
    )
    return GridPlan(tuple(spacings), tuple(steps), window(tolerance), bounds)
