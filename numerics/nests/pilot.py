"""Strips measured on a coarse chain, where the bounds that travel outwards give too much away.

For a leaf of bounded curvature the width of a strip rests on the largest ``f_k''``
(`numerics.nests.grids`). The bound that is known beforehand assumes the leaf's steepest slope everywhere,
although a tilted average hardly sees it where the leaf lies very low: for the union of two half-lines it may
be a hundred times too large. A chain of coarse grids measures ``f_k''`` by second differences, each level
with the strip that the level inside was found to have. The spacing is halved until it resolves the strip
that it finds: a kink that hides between two points, of slopes that differ by J, would have shown as
``J/spacing``.

Curvature counts where there is weight. At the bottom of a dip a function may bend as sharply as it likes if
``exp(s f)`` is nothing there beside what it is elsewhere, seen from any output: a contour may be shifted
through what is not analytic where the integrand is below the tolerance. So ``f_k''`` is taken over the
points that matter to some output of the next lifting, the leaf's, too.

Cost: a few per cent of the evaluation, because spacings and windows of a pilot for four digits are a third of
those for sixteen.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .chain import Grids, Job, Nodes, continued, lifting, mirror, window_nodes
from .extent import Extent
from .grids import MAX_NODES, Strip, commensurate, lifted_strips
from .windows import flat_from

__all__ = ["measured_strips"]

Array = NDArray[np.float64]

# Strips narrower than this share of a log-concave function's are measured.
_NARROW = 0.25
# Nodes per half-width of a strip: a trapezoid error of about exp(-4 pi).
_NODES = 2.0
_DEVIATIONS = 6.0
# Log-weight below the largest that matters to nothing in doubles.
_MARGIN = 45.0
# Spacing at which the leaf is looked at, in units of its blur, and how many points that may take; outputs
# that are asked what matters to them.
_FINE, _MOST, _PROBES = 0.25, 200_000, 65
# Deviations from the flat value that a pilot does not see.
_NEGLIGIBLE = 1e-6
# curvature found by looking may be exceeded between the points looked at
_SAFETY = 1.3


def measured_strips(
    job: Job, strip: Strip, wanted: Extent, margin: float = _MARGIN
) -> tuple[Strip, ...]:
    """Strips of f_0, .., f_{K-1}, measured where the bounds would make them narrow.

    Parameters
    ----------
    job : Job
    strip : Strip
        Analyticity of the leaf.
    wanted : Extent
        Where f_0, .., f_{K-1} are wanted.
    margin : float
        Log-weight below the largest that matters to nothing.

    Returns
    -------
    tuple of Strip
    """
    known = lifted_strips(strip, job.v, job.s)
    widths = [s.half_width / math.sqrt(2.0 * v) for s, v in zip(known[1:], job.v, strict=False)]
    widths.append(strip.half_width / _width(strip.curvature, 0.0))
    if strip.kind != "bounded" or not min(widths) < _NARROW:
        return known
    strip = _leaf_measured(job, strip, wanted, margin)
    h = min(strip.half_width, math.sqrt(job.v[0])) / _NODES
    first = math.floor(wanted.lows[0] / h)
    high = wanted.highs[0]
    edge = flat_from(job, wanted.lows[0], high, _NEGLIGIBLE, h)
    edge += h * (2 * window_nodes(_DEVIATIONS, job.v[0], h) + 2)
    last, flat = math.ceil(min(edge, high) / h), int(edge < high)
    if not last - first <= MAX_NODES:
        return known
    nodes = Nodes(job.values(h * np.arange(first, last + 1, dtype=np.float64)), first, flat)
    job.exponentials += nodes.f.size
    strips = [strip]
    for k in range(len(job.v) - 1):
        strip_, nodes, h = _measured(job, k, strips[-1], nodes, h, wanted, margin)
        strips.append(strip_)
    return tuple(strips)


def _measured(
    job: Job, k: int, inner: Strip, nodes: Nodes, h: float, wanted: Extent, margin: float
) -> tuple[Strip, Nodes, float]:
    """Strip of f_{k+1}, with its nodes and their spacing."""
    v, s = job.v[k], job.s[k]
    ends = wanted.lows[k + 1], wanted.highs[k + 1]
    spacing = math.sqrt(v) / _NODES
    while True:
        (a, b), outer = commensurate(spacing, h)
        grids = Grids(h, outer, (b, a), _DEVIATIONS)
        stage = lifting(job, k, nodes, grids, ends, math.inf, _NEGLIGIBLE)
        window = window_nodes(_DEVIATIONS, job.v[k + 1], outer)
        out = continued(stage, window, ends, outer, whole=k + 2 == len(job.v))
        whole, first = out.f, out.start
        if job.leaf.even and first == 0:
            whole, first = mirror(out.f), -out.last
        bend = _bend(job, k + 1, whole, first, outer, wanted, margin)
        strip_ = inner.lift(v, s, _SAFETY * bend)
        if outer * _NODES <= strip_.half_width * 1.5 or whole.size > MAX_NODES:
            return strip_, out, outer
        spacing = 0.5 * outer


def _leaf_measured(job: Job, strip: Strip, wanted: Extent, margin: float) -> Strip:
    """The leaf's strip with its curvature where that matters, if its strip rests on that.

    It does for ``log S``, not for other multiples of it (`numerics.nests.shape`).
    """
    if not math.isclose(strip.half_width, _width(strip.curvature, strip.bend), rel_tol=1e-9):
        return strip
    h = _FINE / math.sqrt(strip.curvature)
    low = wanted.lows[0]
    last = math.ceil(flat_from(job, low, wanted.highs[0], _NEGLIGIBLE, h) / h) + 1
    first = math.floor(low / h) if low > 0.0 or not job.leaf.even else -last
    if not last - first <= _MOST:
        return strip
    f = job.values(
        np.abs(h * np.arange(first, last + 1.0))
        if job.leaf.even
        else h * np.arange(first, last + 1.0)
    )
    job.exponentials += f.size
    bend = min(_SAFETY * _bend(job, 0, f, first, h, wanted, margin), strip.bend)
    return replace(strip, half_width=_width(strip.curvature, bend), bend=bend)


def _width(curvature: float, bend: float) -> float:
    """Half-width of the strip of a lifting with ``1/v`` = curvature and f'' at most bend."""
    return math.sqrt(2.0 / (curvature + bend)) if curvature + bend > 0.0 else math.inf


def _bend(job: Job, k: int, f: Array, first: int, h: float, wanted: Extent, margin: float) -> float:
    """Largest second difference of f_k, at least 0, where it matters to f_{k+1}."""
    y = h * (first + np.arange(f.size))
    last = k + 1 == len(job.v)
    ends = (job.field, job.field) if last else (wanted.lows[k + 1], wanted.highs[k + 1])
    # outputs beyond the nodes see a flat end
    high = min(ends[1], float(y[-1]))
    low = ends[0] if first > 0 or not job.leaf.even else -high
    x = np.linspace(low, high, 1 if last else _PROBES)[:, None]
    log_weights = job.s[k] * f - (y - x) ** 2 / (2.0 * job.v[k])
    heavy = (log_weights >= log_weights.max(axis=1, keepdims=True) - margin).any(axis=0)
    bends = np.diff(f, 2)[heavy[1:-1]]
    return float(bends.max(initial=0.0)) / (h * h)
