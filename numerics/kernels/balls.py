"""D and D' of an activation, and the layers of a perceptron, in balls: the expressions that doubles use."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from numerics.balls.program import BALLS, ball_sum, printed
from numerics.kernels.series.mixture_nodes import mixture_nodes
from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.mixtures import A, B, mixture
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference
from theory.kernels.recursion import layer, tangent
from theory.parameters import shown

__all__ = [
    "Maps",
    "Precision",
    "enclosed_diagonal",
    "enclosed_pair",
    "first_layer",
    "mpf_ball",
    "path",
    "through",
]

_FUNCTIONS: dict[str, Any] = BALLS | {
    # what is a variance or a determinant is not negative, however wide its ball
    "sqrt": lambda x: arb(x).nonnegative_part().sqrt(),
    "atan": lambda x: arb(x).atan(),
    "asin": lambda x: arb(x).asin(),
    "atan2": lambda y, x: arb.atan2(arb(y), arb(x)),
    "sin": lambda x: arb(x).sin(),
    "cos": lambda x: arb(x).cos(),
    ExpDifference.__name__: lambda a, b, apart: b.exp() * apart.expm1(),
}
_ARGUMENTS = (K1, K2, C, DET, DELTA, SIGMA)


class Maps:
    """D, D' and E phi phi'' of an activation in balls.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    digits : int, optional
        For duals that are mixtures, the digits of the mixture's nodes.
    tangent : {"limit", "almost_everywhere"}
        Which slope the tangent kernel has.

    Attributes
    ----------
    members : int
        How often an evaluation evaluates a closed form: once, or for all pairs of a mixture's nodes.
    jumps : bool
        Whether the slope is one almost everywhere only, and not D'.

    Raises
    ------
    ValueError
        For a dual without a closed form; with ``digits``, for one that is no mixture either.
    """

    def __init__(self, dual: Dual, digits: int | None = None, tangent: Tangent = "limit") -> None:
        source, self._nodes = dual, ()
        if not dual.is_closed:
            source = mixture(dual.activation) if digits is not None else None
            if source is None:
                raise ValueError(
                    f"only closed duals are certified; that of {dual.activation} is a mixture or a series"
                )
            nodes, masses = mixture_nodes(digits or 16)
            self._nodes = tuple(zip(map(mpf_ball, nodes), map(mpf_ball, masses), strict=True))
        self.jumps = tangent == "almost_everywhere" and bool(dual.existence.jumps)
        self.members = max(1, len(self._nodes) ** 2)
        scales = [A, B] if self._nodes else []
        slope = dual.tangent(tangent) if source is dual else source.moment(1, 1)
        both = [source.moment(0, 0).stable, slope.stable]
        self._both = printed([*scales, *_ARGUMENTS], both, _FUNCTIONS)
        self._bend = printed([*scales, *_ARGUMENTS], [source.moment(2, 0).stable], _FUNCTIONS)
        drift = dual.tangent(tangent, 1, 1) if source is dual else source.moment(2, 2)
        drifts = [source.moment(1, 1).stable, drift.stable]
        self._drift = printed([*scales, *_ARGUMENTS], drifts, _FUNCTIONS)

    def _evaluate(self, program: Callable[..., list[arb]], *at: arb) -> list[arb]:
        if not self._nodes:
            return [arb(v) for v in program(*at)]  # constants come as integers
        sums: list[list[arb]] = []
        for a, p in self._nodes:
            for b, q in self._nodes:
                sums.append([p * q * v for v in program(a, b, *at)])
        return [ball_sum(column) for column in zip(*sums, strict=True)]

    def both(self, a: arb, c: arb, b: arb) -> list[arb]:
        """D and the slope of a pair of inputs of variances a, b and covariance c."""
        return self._evaluate(self._both, *_around_pair(a, c, b))

    def drift(self, a: arb, c: arb, b: arb) -> list[arb]:
        """D' and the derivative of the slope."""
        return self._evaluate(self._drift, *_around_pair(a, c, b))

    def own(self, k: arb) -> list[arb]:
        """D, the slope and E phi phi'' on the diagonal."""
        at = (k, k, k, arb(0), arb(0), 4 * k)
        return [*self._evaluate(self._both, *at), *self._evaluate(self._bend, *at)]


def _around_pair(a: arb, c: arb, b: arb) -> tuple[arb, ...]:
    spread, delta, sigma = (
        v.nonnegative_part() for v in (a * b - c * c, a + b - 2 * c, a + b + 2 * c)
    )
    return a, b, c, spread, delta, sigma


def mpf_ball(number: Any) -> arb:
    """An mpmath number, exactly, whatever the precision at work."""
    sign, man, exponent, bits = number._mpf_
    before, flint.ctx.prec = flint.ctx.prec, max(flint.ctx.prec, int(bits) + 64)
    try:
        made = arb(int(man)) * arb(2) ** int(exponent)
        return -made if sign else made
    finally:
        flint.ctx.prec = before


def first_layer(x: NDArray[np.float64], scale: arb, b2: arb) -> list[list[arb]]:
    """Covariances of layer 1 of exact inputs."""
    rows = arb_mat([[arb(float(v)) for v in row] for row in x])
    return [[layer(v, scale, b2) for v in row] for row in (rows * rows.transpose()).tolist()]


def path(maps: Maps, k: arb, layers: Sequence[tuple[arb, arb]]) -> list[arb]:
    """Variances of one input in every layer, given sigma_w^2 and sigma_b^2 of what follows each."""
    made = [k]
    for scale, bias in layers[:-1]:
        made.append(layer(maps.own(made[-1])[0], scale, bias))
    return made


def through(
    maps: Maps, one: Sequence[arb], two: Sequence[arb], c: arb, layers: Sequence[tuple[arb, arb]]
) -> tuple[arb, arb]:
    """Take one pair through all layers.

    Parameters
    ----------
    maps : Maps
    one, two : sequence of flint.arb
        `path` of the inputs; the same object for equal inputs.
    c : flint.arb
        Their covariance in layer 1.
    layers : sequence of (scale, bias)

    Returns
    -------
    tuple of flint.arb
        NNGP and NTK.
    """
    ntk = c
    for (scale, bias), a, b in zip(layers, one, two, strict=True):
        d, slope = maps.own(a)[:2] if one is two else maps.both(a, c, b)
        c = layer(d, scale, bias)
        ntk = tangent(c, slope, ntk, scale)
    return c, ntk


def enclosed_diagonal(maps: Maps, s: arb, w2: arb, start: float) -> arb:
    """The fixed point of an equilibrium's diagonal near ``start``, proved to be in the ball.

    Around a refined midpoint m the ball B of radius r is mapped into g(m) + g'(B)(B - m). Where that is
    inside B, Brouwer's theorem gives a fixed point in B.

    Raises
    ------
    ArithmeticError
        If the digits at work do not suffice.
    """
    if s.is_zero() and maps.own(arb(0))[0].is_zero():
        return arb(0)
    middle = arb(start)
    for _ in range(8):
        d, slope, bend = maps.own(middle)
        middle = (middle - (middle - w2 * d - s) / (1 - w2 * (slope + bend))).mid()
    residual = (layer(maps.own(middle)[0], w2, s) - middle).abs_upper()
    radius = 4 * residual
    for _ in range(60):
        ball = middle + _around(radius)
        d, *_rest = maps.own(middle)
        _value, slope, bend = maps.own(ball)
        image = layer(d, w2, s) + w2 * (slope + bend) * _around(radius)
        if ball.contains_interior(image):
            return ball
        radius = 2 * radius + arb(2) ** (-flint.ctx.prec) * middle.abs_upper()
    raise ArithmeticError("a variance cannot be enclosed with these digits; ask for more")


def enclosed_pair(maps: Maps, a: arb, b: arb, s: arb, w2: arb, q: arb, start: float) -> arb:
    """The fixed point of a pair of inputs with variances a, b, given the contraction constant q of its map.

    Raises
    ------
    ArithmeticError
        If the digits at work do not suffice.
    """
    middle = arb(start)
    for _ in range(8):
        d, slope = maps.both(a.mid(), middle, b.mid())
        if not slope.is_finite():
            break
        middle = (middle - (middle - w2 * d - s.mid()) / (1 - w2 * slope)).mid()
    residual = (layer(maps.both(a, middle, b)[0], w2, s) - middle).abs_upper()
    radius = 2 * residual / (1 - q)
    for _ in range(60):
        # |g'| <= q everywhere on the interval, by Cauchy-Schwarz
        if bool(residual + q * radius < radius):
            return middle + _around(radius)
        radius = 2 * radius + arb(2) ** (-flint.ctx.prec) * (a + b).abs_upper()
    raise ArithmeticError("a covariance cannot be enclosed with these digits; ask for more")


def _around(radius: arb) -> arb:
    return (-radius).union(radius)


class Precision:
    """FLINT's working precision for some digits, and what it was before afterwards."""

    def __init__(self, digits: int) -> None:
        self.digits = _whole(digits)
        self.bits = int(3.33 * self.digits) + 32

    def __enter__(self) -> None:
        self.before = flint.ctx.prec
        flint.ctx.prec = self.bits

    def __exit__(self, *_: object) -> None:
        flint.ctx.prec = self.before


def _whole(digits: Any) -> int:
    """Read a number of digits."""
    wrong = f"digits must be an integer from 1 to 10000, got {shown(digits)}"
    if isinstance(digits, bool):
        raise TypeError(wrong)
    try:
        number = operator.index(digits)
    except TypeError:
        raise TypeError(wrong) from None
    if not 1 <= number <= 10_000:
        raise ValueError(wrong)
    return number
