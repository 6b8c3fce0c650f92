"""What is settled before the grids of a nest are laid: its size, its depth, where its leaf is wanted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .chain import Job, mirror, weighted, window_nodes
from .extent import Extent, crossing, heavy_interval, peak_window
from .grids import MAX_NODES, GridPlan, ResolutionError
from .lifting.outermost import lift_point
from .lifting.rows import Lifting

__all__ = ["depth_below_top", "flat_from", "leaf_range", "scale"]

Array = NDArray[np.float64]

# Standard deviations beyond which a Gaussian weight is not told from 0, and a nest as small as that.
_FARTHEST, _SMALLEST = 37.0, 1e-290
# Nodes that a flat middle has to have for leaving it out.
_WORTHWHILE = 256
# Nodes by which the ends of a leaf that falls may be looked at too far outside.
_CLOSE = 32.0


def scale(job: Job) -> float:
    """Order of magnitude of a nest that is small, at most 1.

    A nest of a leaf that nearly vanishes at the field, such as a probability close to 1, is
    measured by one lifting with the whole variance, so that tolerances are relative to the result.
    Sixteen nodes per standard deviation see the Gaussian; how sharply the leaf falls between two of
    them does not change the order of magnitude.
    """
    variance = sum(job.v)
    field = abs(job.field) if job.leaf.even else job.field
    at_field = abs(float(job.values(np.array([field]))[0]))
    job.exponentials += 1
    if at_field > 0.01 or max(job.shape.slopes) > 0.0:
        return 1.0
    h = math.sqrt(variance) / 16.0
    if job.leaf.even:
        reach = math.ceil((_FARTHEST * math.sqrt(variance) + field) / h)
        f = mirror(job.values(h * np.arange(reach + 1, dtype=np.float64)))
        start, ref = -reach, float(f[reach])
    else:
        reach = math.ceil(16.0 * _FARTHEST)
        start = round(field / h) - reach
        f = job.values(h * np.arange(start, start + 2 * reach + 1, dtype=np.float64))
        ref = float(f.max())
    peak = lift_point(f, Lifting(h, variance, 1.0, ref, -start, 1, 1, 0, 0), field, 1.0)
    job.exponentials += reach + 1 + peak[4]
    return min(1.0, max(abs(float(peak[0])), _SMALLEST))


def depth_below_top(job: Job) -> float:
    """How far the value at the field may lie below the largest one, by Jensen's inequality.

    Only a leaf that is cut asks for it. For an even one the level at the origin is accounted for
    elsewhere, and what counts is the difference to it.
    """
    shape, field, even = job.shape, job.field, job.leaf.even
    falling = shape.unimodal and any(shape.falls) and max(shape.slopes) <= 0.0
    if not falling or min(job.s) <= 0.0 or (even and field == 0.0):
        return 0.0
    u = np.linspace(-6.0, 6.0, 49)
    weights = np.exp(-0.5 * u * u)
    weights /= weights.sum()
    f = job.values(field + math.sqrt(sum(job.v)) * u)
    job.exponentials += u.size
    mean = weighted(weights, f)
    if even:
        job.exponentials += u.size
        return max(weighted(weights, job.values(math.sqrt(sum(job.v)) * u)) - mean, 0.0)
    top = job.values(np.array([x for x in shape.settled if math.isfinite(x)]))
    return max(float(max(f.max(), top.max(initial=-math.inf))) - mean, 0.0)


def leaf_range(
    job: Job, plan: GridPlan, wanted: Extent, enough: float, negligible: float
) -> tuple[int, int, int]:
    """First and last node at which the leaf is evaluated; of an even leaf, of its upper half.

    Without the middle of an even leaf that is flat there, or the upper end of one that saturates, see
    `numerics.nests.chain`; the third number is -1 or 1 then.
    """
    h, flat = plan.spacings[0], 0
    window = window_nodes(plan.reach, job.v[0], h)
    if job.leaf.even:
        nearest, farthest = _even_range(job, h, wanted, enough)
        if nearest == 0.0 and len(job.v) > 1 and math.isfinite(wanted.drops[0]):
            nearest = _head(job, farthest, negligible, _CLOSE * h)
            nearest -= h * (2 * window + 2)
            nearest, flat = (nearest, -1) if nearest > _WORTHWHILE * h else (0.0, 0)
    else:
        nearest, farthest = _whole_range(job, wanted, enough)
    if farthest - job.shape.settled[1] > _WORTHWHILE * h:
        edge = flat_from(job, nearest, farthest, negligible, _CLOSE * h) + h * (2 * window + 2)
        if edge < farthest - _WORTHWHILE * h:
            farthest, flat = edge, 1
    first, last = math.floor(nearest / h), math.ceil(farthest / h)
    # an outer level that falls off is cut long before its reach; only its bookkeeping has that size
    allowance = 32 if math.isfinite(wanted.drops[0]) else 1
    reaches = wanted.highs
    if not job.leaf.even:  # nodes are counted on one side of the origin
        reaches = [0.5 * (b - a) for a, b in zip(wanted.lows, wanted.highs, strict=True)]
    outer = [r / d for r, d in zip(reaches[1:], plan.spacings[1:], strict=True)]
    if flat:  # outputs begin beyond a head, or end with a tail
        outer = []
    inner = _busy(job, nearest, farthest) / h, (last - first) / 8.0
    nodes = max(max(inner) * (1.0 if job.leaf.even else 0.5), *(x / allowance for x in outer), 0.0)
    if not nodes <= MAX_NODES:
        raise ResolutionError(
            f"increments {job.v} with exponents {job.s} need {nodes:.2g} nodes on one grid (at most "
            f"{MAX_NODES}); merge the smallest increment into its neighbour"
        )
    return first, last, flat


def _busy(job: Job, low: float, high: float) -> float:
    """Length of an interval without the flat ends of a leaf that saturates, which take no convolution."""
    shape = job.shape
    flat = [shape.slopes[k] == 0.0 and not shape.falls[k] for k in (0, 1)]
    if flat[0] and not job.leaf.even:
        low = max(low, min(shape.settled[0], high))
    if flat[1]:
        high = min(high, max(shape.settled[1], low))
    return high - low


def _even_range(job: Job, h: float, wanted: Extent, enough: float) -> tuple[float, float]:
    """Fields y >= 0 at which an even leaf is wanted.

    They begin away from 0 beyond a dip, and for one lifting of a growing leaf with a large exponent, whose
    weight is concentrated at two mirror-image peaks away from the origin.
    """
    nearest, farthest, used = wanted.lows[0], wanted.highs[0], 0
    v, s = job.v, job.s
    if math.isfinite(wanted.drops[0]):
        floor = float(job.values(np.zeros(1))[0]) - wanted.drops[0]
        farthest, used = crossing(lambda y: job.values(y) - floor, 0.0, farthest, _CLOSE * h)
    elif len(v) == 1 and job.field == 0.0 and min(job.shape.slopes) > 0.0 and farthest > 1000.0 * h:
        nearest, farthest, used = peak_window(
            lambda y: s[0] * job.values(y) - 0.5 * y * y / v[0],
            math.sqrt(v[0]),
            farthest,
            enough,
        )
    job.exponentials += used
    return nearest, farthest


def _head(job: Job, farthest: float, negligible: float, resolution: float) -> float:
    """Field up to which an even leaf differs from its top by nothing that any lifting could see."""
    top = float(job.values(np.zeros(1))[0])
    smallest = negligible / max(1.0, *job.s)
    edge, used = crossing(lambda y: smallest - (top - job.values(y)), 0.0, farthest, resolution)
    job.exponentials += used + 1
    return edge - min(resolution, edge / 64.0) * 2.0


def flat_from(job: Job, low: float, high: float, negligible: float, resolution: float) -> float:
    """Field from which a leaf differs from its limit by nothing that any lifting could see, high if none."""
    if len(job.v) == 1 or job.shape.slopes[1] != 0.0 or job.shape.falls[1]:
        return high
    inside = max(job.shape.settled[1], low)
    if inside >= high:
        return high
    limit = float(job.values(np.array([high]))[0])
    smallest = negligible / max(1.0, *job.s)
    while inside > low and abs(limit - float(job.values(np.array([inside]))[0])) <= smallest:
        inside = max(low, 2.0 * inside - high)
        job.exponentials += 1
    edge, used = crossing(
        lambda y: np.abs(limit - job.values(y)) - smallest, inside, high, resolution
    )
    job.exponentials += used + 1
    return edge


def _whole_range(job: Job, wanted: Extent, enough: float) -> tuple[float, float]:
    """Fields at which a leaf is wanted: where it has weight, in the only lifting or in any outer one."""
    low, high = wanted.lows[0], wanted.highs[0]
    v, s, field = job.v, job.s, job.field
    used = 0
    if len(v) == 1 and s[0] > 0.0:
        low, high, used = heavy_interval(
            lambda y: s[0] * job.values(y) - 0.5 * (y - field) ** 2 / v[0],
            low,
            high,
            math.sqrt(v[0]),
            enough + 15.0,
        )
    elif math.isfinite(wanted.drops[0]):
        settled = [x for x in job.shape.settled if math.isfinite(x)]
        top = float(job.values(np.array(settled)).max(initial=-math.inf))
        low, high, used = heavy_interval(job.values, low, high, math.inf, wanted.drops[0], top)
    job.exponentials += used
    return low, high
