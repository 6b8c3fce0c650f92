"""How far the grids of a nest must reach, before anything is evaluated.

From the outside in, for either side: the outermost function is wanted at one field; the inner ones as far
as a few standard deviations of all the increments between, beyond the farthest tilted centre. Where the
outward slope is at most b from some field on, the tilted centre of a point beyond that field moves by at
most ``s v b``, and that of any other point at most to it.

In the dip between two half-lines a leaf is nearly ``-(c - y)^2/(2 V)``, and with that for all of it the path
from the field 0 to the leaf is a Gaussian chain: grids begin where its fields end, far within what single
windows would say. The weight at that end is looked at afterwards, and where there is some, grids go through
the dip (`numerics.nests.doubles.weighed`).

A leaf that falls off is in addition cut where its weight cannot matter to any outer level: at level k
where ``min_{j>k} s_j (top - f_k(y))`` exceeds one ``log(1/tolerance)`` for every level outside, plus what
the value wanted itself lies below the top; then the nodes left out change every partition function that is
kept by less than the tolerance. A quenched average weighs by the Gaussian alone, and nothing inside it is
cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .shape import Shape, Tail

__all__ = ["Extent", "crossing", "extent", "heavy_interval", "peak_window"]

Array = NDArray[np.float64]

# Margin in the squares of standard deviations at the ends of grids.
_EDGE = 20.0


@dataclass(frozen=True)
class Extent:
    """Reach and cut of every grid of a nest, innermost first.

    Attributes
    ----------
    lows, highs : tuple of float
        Fields between which f_0, .., f_{K-1} are wanted; of an even leaf the fields >= 0.
    drops : tuple of float
        Fall below the top beyond which f_0, .., f_{K-1} are cut; infinite where nothing is.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    drops: tuple[float, ...]


def extent(
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    shape: Shape,
    deviations: float,
    enough: float,
    *,
    even: bool,
    depth: float = 0.0,
) -> Extent:
    """Reaches and cuts of a nest.

    Parameters
    ----------
    field : float
        Where the outermost function is wanted; not negative if ``even``.
    increments, exponents : tuple of float
        ``v_k > 0`` and ``s_k >= 0``, innermost first.
    shape : Shape
        Growth of the leaf.
    deviations : float
        Half-width of a window in standard deviations.
    enough : float
        Log-weight that is below every tolerance.
    even : bool
        Whether the leaf is even, so that the origin is its top if it is unimodal.
    depth : float
        Bound on how far the value at ``field`` lies below the top (below the value at 0 if ``even``).

    Returns
    -------
    Extent
    """
    count = len(increments)
    sides = []
    for side in (1,) if even else (1, 0):
        slope, steepest = shape.slopes[side], shape.steepest[side]
        settled = shape.settled[side] if side else -shape.settled[side]
        if even and shape.unimodal:
            steepest = slope
        position = field if side else -field
        reaches = _reaches(position, increments, exponents, slope, steepest, settled, deviations)
        tail = shape.tails[side]
        if tail is not None:
            c, variance = tail
            fall = _contracted(
                position, increments, exponents, (c if side else -c, variance), deviations
            )
            reaches = [min(pair) for pair in zip(reaches, fall, strict=True)]
        sides.append(reaches)
    highs = sides[0]
    lows = [0.0] * count if even else [-x for x in sides[1]]
    if shape.dip is not None and field == 0.0 and min(exponents) > 0.0:
        lows = _beyond_dip(increments, exponents, shape.dip, deviations)
    drops = [math.inf] * count
    cuttable = shape.unimodal and max(shape.slopes) <= 0.0 and any(shape.falls)
    smallest, largest, margin = math.inf, 0.0, 0.0
    for k in range(count - 1, -1, -1):
        s = exponents[k]
        smallest, largest = min(smallest, s), max(largest, s)
        # the second part allows for the top falling from level to level
        margin += enough + (0.25 * s if count > 1 else 15.0)
        if smallest > 0.0 and cuttable:
            drops[k] = (margin + largest * depth) / smallest
    return Extent(tuple(lows), tuple(highs), tuple(drops))


def _contracted(
    position: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    tail: tuple[float, float],
    deviations: float,
) -> list[float]:
    """Farthest fields on a side where the leaf falls as a Gaussian, to the right.

    If f_{k-1} falls at least as (u - c)^2/(2 V_{k-1}) does beyond c, the tilted mean of a field u is at most
    c + (u - c) V_{k-1}/V_k with V_k = V_{k-1} + s_k v_k, and f_k falls with V_k: a = -E f' >= E (y - c)_+/V
    and E y = u - s v a give a >= (u - c)/(V + s v). The tilted law of a log-concave leaf is narrower than v.
    """
    c, variance = tail
    inside = [variance]
    for v, s in zip(increments, exponents, strict=True):
        inside.append(inside[-1] + s * v)
    deviations = math.sqrt(deviations * deviations + _EDGE)
    reaches = [0.0] * len(increments)
    for k in range(len(increments) - 1, -1, -1):
        if position > c:
            position = c + (position - c) * inside[k] / inside[k + 1]
        position += deviations * math.sqrt(increments[k])
        reaches[k] = position
    return reaches


def _beyond_dip(
    increments: tuple[float, ...], exponents: tuple[float, ...], dip: Tail, deviations: float
) -> list[float]:
    """Fields >= 0 from which f_0, .., f_{K-1} are wanted, by a path from 0 that stays on one side of it.

    With f_{k-1} = -D^2/(2 V_{k-1}) for the distance D from c, f_k is the same with V_k = V_{k-1} + s_k v_k,
    up to a constant; from D_k the tilted law has mean r D_k and variance v_k r, r = V_{k-1}/V_k. From
    x = c - D_k to -y a path is lighter than to y by exp(-2 x y/v_k); what it costs at least to come to x and
    cross decides whether the mirror images know of each other. Where they do, all inside begins at 0.
    """
    c, variance = dip
    inside = [variance]
    for v, s in zip(increments, exponents, strict=True):
        inside.append(inside[-1] + s * v)
    squares = deviations * deviations + _EDGE
    lows = [0.0] * len(increments)
    mean, spread, low = c, 0.0, 0.0
    for k in range(len(increments) - 1, -1, -1):
        ratio, v = inside[k] / inside[k + 1], increments[k]
        if spread > 0.0:
            rate = 2.0 * c * (1.0 - ratio) / v
            x = max(c - mean - rate * spread, low)
            if (c - mean - x) ** 2 / spread + 2.0 * rate * x < squares:
                break
        mean, spread = ratio * mean, ratio * (ratio * spread + v)
        low = c - mean - math.sqrt(squares * spread)
        if low <= 0.0:
            break
        lows[k] = low
    return lows


def _reaches(
    position: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    slope: float,
    steepest: float,
    settled: float,
    deviations: float,
) -> list[float]:
    """Farthest fields at which f_0, .., f_{K-1} are wanted, to the right.

    Increments add up as variances do. What is left out makes a function wrong where it ends, by its own
    size, and its derivative in v by that over v; a path that ends there has a weight below the tolerance
    times ``exp(-_EDGE/2)``.
    """
    reaches = [0.0] * len(increments)
    variance, deviations = 0.0, math.sqrt(deviations * deviations + _EDGE)
    for k in range(len(increments) - 1, -1, -1):
        v, s = increments[k], exponents[k]
        shift = s * v * slope
        reach = position + deviations * math.sqrt(variance)
        if steepest > slope and s > 0.0:
            # a lifting moves the field where a function settles by a window at most
            moved = settled + deviations * math.sqrt(sum(increments[:k]))
            shift = min(s * v * steepest, max(moved - reach, 0.0) + shift)
        position += shift
        variance += v
        reaches[k] = position + deviations * math.sqrt(variance)
    return reaches


def crossing(
    excess: Callable[[Array], Array], inside: float, outside: float, resolution: float = 0.0
) -> tuple[float, int]:
    """Find where a function that is positive inside first turns negative on the way outside.

    Parameters
    ----------
    excess : callable
        Vectorised function, positive at ``inside``.
    inside, outside : float
        Ends of the search; ``outside`` may be the smaller one.
    resolution : float, optional
        How far outside the point may lie at most, where that is less than 1/64 of its distance.

    Returns
    -------
    place : float
        A point just outside, good to 1/64 of its distance from ``inside`` or the resolution; ``outside``
        if the function stays positive.
    used : int
        Number of points looked at.
    """
    used = 0
    near, far = inside, outside
    for _ in range(40):
        probe = np.linspace(near, far, 17)
        used += probe.size
        negative = np.flatnonzero(excess(probe) < 0.0)
        if negative.size == 0:
            return far, used
        first = max(int(negative[0]), 1)
        near, far = float(probe[first - 1]), float(probe[first])
        wanted = abs(far - inside) / 64.0
        if abs(far - near) <= (min(wanted, resolution) if resolution > 0.0 else wanted):
            break
    return far, used


def heavy_interval(
    log_weight: Callable[[Array], Array],
    low: float,
    high: float,
    width: float,
    depth: float,
    top: float = -math.inf,
) -> tuple[float, float, int]:
    """Smallest interval looked at outside of which a log-weight lies below its top.

    Parameters
    ----------
    log_weight : callable
        Vectorised function on [low, high], of any shape.
    low, high : float
    width : float
        Scale over which it varies where it is largest.
    depth : float
        Log-weight below the top that may be left out.
    top : float, optional
        Known lower bound of the largest value.

    Returns
    -------
    left, right : float
    used : int
        Number of points looked at.
    """
    used = 0
    for _ in range(2):
        count = int(min(max(2.0 * (high - low) / width, 64.0), 4096.0)) + 1
        probe = np.linspace(low, high, count)
        a = log_weight(probe)
        used += count
        top = max(top, float(a.max()))
        heavy = np.flatnonzero(a >= top - depth)
        if heavy.size == 0:
            break
        first, last = max(int(heavy[0]) - 1, 0), min(int(heavy[-1]) + 1, count - 1)
        low, high = float(probe[first]), float(probe[last])
    return low, high, used


def peak_window(
    exponent: Callable[[Array], Array], width: float, outside: float, depth: float
) -> tuple[float, float, int]:
    """Interval of y >= 0 where a unimodal log-weight is within ``depth`` of its maximum.

    Parameters
    ----------
    exponent : callable
        Vectorised log-weight on [0, outside].
    width : float
        Scale over which it varies next to its maximum.
    outside : float
        End of the search.
    depth : float
        Log-weight below the maximum that may be left out.

    Returns
    -------
    left, right : float
    used : int
        Number of points looked at.
    """
    low, high, used = 0.0, outside, 0
    while True:
        probe = np.linspace(low, high, 65)
        a = exponent(probe)
        used += probe.size
        top = int(a.argmax())
        low, high = float(probe[max(top - 1, 0)]), float(probe[min(top + 1, 64)])
        if high - low < width or used > 2000:
            break
    peak, level = float(probe[top]), float(a[top]) - depth
    left = 0.0
    if peak > 0.0:
        left, more = crossing(lambda y: exponent(y) - level, peak, 0.0)
        used += more
    right, more = crossing(lambda y: exponent(y) - level, peak, outside)
    return left, right, used + more
