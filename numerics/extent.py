"""How far the grids of a nest must reach, before anything is evaluated.

From the outside in: the outermost function is wanted at one field; an integration around x needs
its inner function as far as a few standard deviations beyond the farthest tilted centre, which a
leaf of outward slope b moves by at most ``s v b``. A leaf that falls off (b = 0) is in addition
cut where its weight cannot matter to any outer level: at level k where ``min_{j>k} s_j (f_k(0) -
f_k(y))`` exceeds one ``log(1/tolerance)`` for every level outside; then the nodes left out change
every partition function that is kept by less than the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Extent", "crossing", "extent", "peak_window"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Extent:
    """Reach and cut of every grid of a nest, innermost first.

    Attributes
    ----------
    reaches : tuple of float
        Largest |field| at which f_0, .., f_{K-1} are wanted.
    drops : tuple of float
        Fall below the value at the origin beyond which f_0, .., f_{K-1} are cut; infinite where
        they grow.
    """

    reaches: tuple[float, ...]
    drops: tuple[float, ...]


def extent(
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    slope: float,
    deviations: float,
    enough: float,
) -> Extent:
    """Reaches and cuts of a nest.

    Parameters
    ----------
    field : float
        Where the outermost function is wanted.
    increments, exponents : tuple of float
        ``v_k > 0`` and ``s_k >= 0``, innermost first.
    slope : float
        Largest outward slope of the leaf, 0 if it falls.
    deviations : float
        Half-width of a window in standard deviations.
    enough : float
        Log-weight that is below every tolerance.

    Returns
    -------
    Extent
    """
    depth = len(increments)
    reaches = [0.0] * depth
    drops = [math.inf] * depth
    reach, smallest, margin = abs(field), math.inf, 0.0
    for k in range(depth - 1, -1, -1):
        v, s = increments[k], exponents[k]
        reach += deviations * math.sqrt(v) + s * v * slope
        reaches[k] = reach
        smallest = min(smallest, s)
        # the second part allows for f_k(0) falling from level to level
        margin += enough + (0.25 * s if depth > 1 else 15.0)
        if smallest > 0.0 and slope <= 0.0:
            drops[k] = margin / smallest
    return Extent(tuple(reaches), tuple(drops))


def crossing(excess: Callable[[Array], Array], inside: float, outside: float) -> tuple[float, int]:
    """Find where a function that is positive inside first turns negative on the way outside.

    Parameters
    ----------
    excess : callable
        Vectorised function, positive at ``inside``.
    inside, outside : float
        Ends of the search; ``outside`` may be the smaller one.

    Returns
    -------
    place : float
        A point just outside, good to 1/64 of its distance from ``inside``; ``outside`` if the
        function stays positive.
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
        if abs(far - near) <= abs(far - inside) / 64.0:
            break
    return far, used


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
