"""What the grids of a nest need to know of its leaf: growth, falls, curvature, strip of analyticity.

A leaf is ``f = A log S + B`` with S a sum of positive terms ``exp(q(h))``, ``exp(q(h)) Phi(b(h))`` or
``exp(q(h))`` times the probability of an interval (`numerics.nests.recognise`). Numbers for the coefficients
decide everything here: how each term behaves far out, where the terms meet, and, for leaves that are
neither a sum of exponentials nor a single term, the extremes of f' and f'' by looking.

Every such S is ``E F(h + sqrt(v) U)`` of a non-negative F with ``1/v = max (b'^2 - q'')`` over the terms
(completing the square in one of them shows it), so log S is itself a lifting with increment v, and the
strips of `numerics.nests.grids` hold for it: half-width ``sqrt(2/(1/v + sup (log S)''))``, growth ``1/v``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .grids import Strip

__all__ = ["EVEN_FALLING", "Shape", "TermNumbers", "analyse", "even_growing"]

Array = NDArray[np.float64]
#: ``Phi(9)`` is 1 to every digit of a double
_SATURATED = 9.0
# a leaf whose largest curvature is this small, on the scale of its strip, counts as log-concave
_FLAT = 1e-9
# curvatures and slopes found by looking may be exceeded between the points looked at
_SAFETY = 1.1
_SLOPE_SAFETY = 1.02
_PROBES = 257


Tail = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """How a leaf grows and falls. Pairs are (left, right); slopes are outward, away from the middle.

    Attributes
    ----------
    slopes : (float, float)
        Slope far out; 0 where the leaf saturates or falls.
    steepest : (float, float)
        Largest slope anywhere, possibly infinite; at least ``slopes``.
    settled : (float, float)
        Fields beyond which the slope is at most ``slopes``.
    falls : (bool, bool)
        Whether the leaf tends to minus infinity.
    unimodal : bool
        Whether it rises to a maximum and falls, with no other dip on the way: level sets are intervals.
    """

    slopes: tuple[float, float]
    steepest: tuple[float, float]
    settled: tuple[float, float]
    falls: tuple[bool, bool]
    unimodal: bool
    #: For each side ``(c, V)`` if the outward slope a distance u > 0 beyond c is at most ``-u/V``, or None.
    tails: tuple[Tail | None, Tail | None] = (None, None)
    #: ``(c, V)`` of an even leaf that is of the order of ``-(c - |u|)^2/(2 V)`` where ``|u| < c``, or None.
    dip: Tail | None = None


#: An even log-concave leaf: falls on both sides from the origin.
EVEN_FALLING = Shape((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (True, True), True)


def even_growing(slope: float) -> Shape:
    """Shape of an even convex leaf with the given slope far out."""
    pair = (slope, slope)
    return Shape(pair, pair, (math.inf, -math.inf), (False, False), False)


@dataclass(frozen=True)
class TermNumbers:
    """One term's coefficients as numbers.

    Attributes
    ----------
    exponent : (float, float, float)
        ``q_2, q_1, q_0`` of the exponent ``q_2 h^2 + q_1 h + q_0``.
    bounds : tuple of (float, float)
        ``(b_1, b_0)`` of every ``b = b_1 h + b_0``, in standard deviations: none, the argument of Phi, or
        the two of an interval, whose probability is ``Phi(b) - Phi(-b')``.
    """

    exponent: tuple[float, float, float]
    bounds: tuple[tuple[float, float], ...]

    @property
    def precision(self) -> float:
        """``1/v`` of the Gaussian average that this term is."""
        return max([b * b for b, _ in self.bounds], default=0.0) - 2.0 * self.exponent[0]

    def far(self, side: int) -> tuple[float, float, float]:
        """Exponent of the term's leading behaviour on one side (-1, +1)."""
        a, b, c = self.exponent
        for slope, intercept in self.bounds:
            if slope * side < 0.0:  # a Gaussian tail; of an interval, its one falling end
                a, b, c = a - 0.5 * slope * slope, b - slope * intercept, c - 0.5 * intercept**2
        return a, b, c

    def transitions(self) -> list[float]:
        """Fields between which its error functions change."""
        return [
            (sign * _SATURATED - intercept) / slope
            for slope, intercept in self.bounds
            for sign in (-1.0, 1.0)
        ]


Slopes = Callable[[Array], tuple[Array, Array]]


def analyse(scale: float, terms: Sequence[TermNumbers], slopes: Slopes) -> tuple[Strip, Shape]:
    """Strip and shape of ``f = scale log(sum of terms) + constant``.

    Parameters
    ----------
    scale : float
        Positive.
    terms : sequence of TermNumbers
    slopes : callable
        ``f'`` and ``f''`` at an array of fields; called only where nothing simpler decides.

    Returns
    -------
    Strip
    Shape

    Raises
    ------
    ValueError
        If the leaf grows faster than linearly.
    """
    if all(not term.bounds and term.exponent[0] == 0.0 for term in terms):
        return _exponentials(scale, [term.exponent[1] for term in terms])
    ends = [_end(scale, terms, side) for side in (-1, 1)]
    precision = max(term.precision for term in terms)
    if len(terms) == 1:
        strip = Strip(_term_half_width(terms[0]), scale * precision, "log-concave")
        simple = _single_tail(scale, terms[0])
        if simple is not None:
            return strip, simple
        return strip, _looked_at(terms, ends, slopes)[0]
    shape, bend, spread = _looked_at(terms, ends, slopes)
    shape = replace(shape, dip=_dip(scale, terms))
    if bend <= _FLAT * scale * precision:
        return Strip(math.sqrt(2.0 / precision), scale * precision, "log-concave"), shape
    bend *= _SAFETY
    width = math.sqrt(2.0 / (precision + bend / scale))
    return Strip(width, scale * precision, "bounded", bend=bend, spread=spread), shape


def _exponentials(scale: float, rates: Sequence[float]) -> tuple[Strip, Shape]:
    """A sum of exponentials of linear functions: convex, no zeros before its cone is a half-plane."""
    low, high = scale * min(rates), scale * max(rates)
    turn = 0.5 * (high - low)
    width = 0.5 * math.pi * scale / turn if turn > 0.0 else math.inf
    outward = (-low, high)
    shape = Shape(
        (max(-low, 0.0), max(high, 0.0)),
        (max(-low, 0.0), max(high, 0.0)),
        (math.inf, -math.inf),
        (outward[0] < 0.0, outward[1] < 0.0),
        turn == 0.0,
    )
    return Strip(width, 0.0, "cone", turn=turn), shape


def _term_half_width(term: TermNumbers) -> float:
    """A Gaussian probability of a convex set has no zeros for Im h < sqrt(2) standard deviations."""
    slope = max([abs(b) for b, _ in term.bounds], default=0.0)
    return math.sqrt(2.0) / slope if slope > 0.0 else math.inf


def _single_tail(scale: float, term: TermNumbers) -> Shape | None:
    """Shape of a lone Gaussian, ``Phi(b)`` or interval, for which nothing needs to be looked at.

    The inverse Mills ratio exceeds its argument: log Phi(b) falls at least as fast as ``-b^2/2`` for b < 0.
    """
    if not term.bounds:
        middle = -term.exponent[1] / (2.0 * term.exponent[0])
        return _concave(middle)
    if term.exponent[0] != 0.0 or term.exponent[1] != 0.0:
        return None
    if len(term.bounds) == 2:
        (a, a0), (_, b0) = term.bounds
        return _concave(0.5 * (b0 - a0) / a)
    ((slope, intercept),) = term.bounds
    saturates = (_SATURATED - intercept) / slope
    tail = -intercept / slope, 1.0 / (scale * slope * slope)
    if slope > 0.0:
        ends = (0.0, math.inf), (math.inf, saturates), (True, False)
        return Shape((0.0, 0.0), *ends, True, (tail, None))
    ends = (math.inf, 0.0), (saturates, -math.inf), (False, True)
    return Shape((0.0, 0.0), *ends, True, (None, tail))


def _dip(scale: float, terms: Sequence[TermNumbers]) -> Tail | None:
    """Edge and curvature of the dip between two half-lines that are mirror images."""
    if len(terms) != 2 or any(len(t.bounds) != 1 or any(t.exponent[:2]) for t in terms):
        return None
    ((a, a0),), ((b, b0),) = (t.bounds for t in terms)
    if a != -b or a0 != b0 or terms[0].exponent != terms[1].exponent or a0 >= 0.0:
        return None
    return -a0 / abs(a), 1.0 / (scale * a * a)


def _concave(middle: float) -> Shape:
    """Shape that falls on both sides of its maximum."""
    return Shape((0.0, 0.0), (math.inf, math.inf), (middle, middle), (True, True), True)


def _end(scale: float, terms: Sequence[TermNumbers], side: int) -> float:
    """Outward slope of f far out on one side; minus infinity where it falls like a Gaussian."""
    bend, rate, _ = max(((a, side * b, c) for a, b, c in (t.far(side) for t in terms)))
    if bend > 0.0:
        raise ValueError("the leaf grows faster than linearly; no nest of it is known to be finite")
    return -math.inf if bend < 0.0 else scale * rate


def _looked_at(
    terms: Sequence[TermNumbers], ends: list[float], slopes: Slopes
) -> tuple[Shape, float, float]:
    """Shape, largest f'' and half the range of f', by looking where anything happens."""
    fields = _places(terms)
    first, second = slopes(fields)
    steepest, settled = [], []
    for side, end in zip((-1, 1), ends, strict=True):
        outward = side * first
        far = max(end, 0.0)
        largest = _SLOPE_SAFETY * float(outward.max()) if outward.max() > far else far
        if ends[(1 - side) // 2] == -math.inf:  # it rises without bound from the other side
            largest = math.inf
        steepest.append(max(largest, far))
        # rounding of f' is not a slope
        above = np.flatnonzero(outward > far + 1e-9 * max(1.0, far))
        if side == 1:
            place = above[-1] + 1 if above.size else 0
        else:
            place = above[0] - 1 if above.size else fields.size - 1
        settled.append(float(fields[min(max(place, 0), fields.size - 1)]))
    inside = [end for end in (-ends[0], ends[1]) if math.isfinite(end)]
    spread = math.inf
    if len(inside) == 2:
        width = max(*inside, float(first.max())) - min(*inside, float(first.min()))
        within = max(inside) - min(inside) >= width * (1.0 - 1e-9)
        spread = 0.5 * width * (1.0 if within else _SLOPE_SAFETY)
    falls = (ends[0] < 0.0, ends[1] < 0.0)
    bend = max(float(second.max()), 0.0)
    slope = (max(ends[0], 0.0), max(ends[1], 0.0))
    rising = np.flatnonzero(np.diff((first > 1e-12 * np.abs(first).max()).astype(int)) > 0)
    shape = Shape(
        slope,
        (steepest[0], steepest[1]),
        (settled[0], settled[1]),
        falls,
        rising.size == 0 and slope == (0.0, 0.0),
    )
    return shape, bend, spread


def _places(terms: Sequence[TermNumbers]) -> Array:
    """Fields that show every feature of the leaf: where terms change, and where two of them meet."""
    features = [x for term in terms for x in term.transitions()]
    meeting: list[float] = []
    for i, term in enumerate(terms):
        for other in terms[:i]:
            for side in (-1, 1):
                meeting += _crossings(term.exponent, other.exponent)
                meeting += _crossings(term.far(side), other.far(side))
                meeting += _crossings(term.far(side), other.far(-side))
    # a Gaussian alone has its centre
    centres = [-b / (2.0 * a) for a, b, _ in (t.exponent for t in terms) if a < 0.0]
    low, high = min([*features, *meeting, *centres]), max([*features, *meeting, *centres])
    margin = 0.5 * (high - low)
    fields = np.linspace(low - margin, high + margin, _PROBES)
    around = np.array([*features, *meeting, *centres])
    # clusters around every meeting, down to a thousandth of the spacing
    scale = (fields[1] - fields[0]) * 2.0 ** np.arange(1.0, -11.0, -1.0)
    steps = np.concatenate((-scale, [0.0], scale[::-1]))
    return np.unique(np.concatenate((fields, (around[:, None] + steps).ravel())))


def _crossings(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> list[float]:
    """Real fields at which two quadratics are equal."""
    # what two behaviours have in common, up to rounding, they do not meet by
    a, b, c = (
        0.0 if abs(x - y) <= 1e-10 * (abs(x) + abs(y)) else x - y
        for x, y in zip(first, second, strict=True)
    )
    if a == 0.0:
        return [-c / b] if b != 0.0 else []
    root = b * b - 4.0 * a * c
    if root < 0.0:
        return [-b / (2.0 * a)]
    q = -0.5 * (b + math.copysign(math.sqrt(root), b))
    return [q / a, c / q] if q != 0.0 else [0.0]
