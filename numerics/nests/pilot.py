"""Strips measured on a coarse chain, where the bounds that travel outwards give too much away.

For a leaf of bounded curvature the width of a strip rests on the largest ``f_k''``
(`numerics.nests.grids`). The bound that is known beforehand assumes the leaf's steepest slope everywhere,
although a tilted average hardly sees it where the leaf lies very low: for the union of two half-lines it may
be a hundred times too large. A chain of coarse grids measures ``f_k''`` by second differences, each level
with the strip that the level inside was found to have. The spacing is halved until it resolves the strip
that it finds: a kink that hides between two points, of slopes that differ by J, would have shown as
``J/spacing``.

Cost: a few per cent of the evaluation, because spacings and windows of a pilot for four digits are a third of
those for sixteen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .chain import Grids, Job, lifting, mirror
from .extent import Extent
from .grids import MAX_NODES, Strip, commensurate, lifted_strips

__all__ = ["measured_strips"]

Array = NDArray[np.float64]

# Strips narrower than this share of a log-concave function's are measured.
_NARROW = 0.25
# Nodes per half-width of a strip: a trapezoid error of about exp(-4 pi).
_NODES = 2.0
_DEVIATIONS = 6.0
# curvature found by looking may be exceeded between the points looked at
_SAFETY = 1.3


def measured_strips(job: Job, strip: Strip, wanted: Extent) -> tuple[Strip, ...]:
    """Strips of f_0, .., f_{K-1}, measured where the bounds would make them narrow.

    Parameters
    ----------
    job : Job
    strip : Strip
        Analyticity of the leaf.
    wanted : Extent
        Where f_0, .., f_{K-1} are wanted.

    Returns
    -------
    tuple of Strip
    """
    known = lifted_strips(strip, job.v, job.s)
    widths = [s.half_width / math.sqrt(2.0 * v) for s, v in zip(known[1:], job.v, strict=False)]
    if strip.kind != "bounded" or not min(widths, default=1.0) < _NARROW:
        return known
    h = min(strip.half_width, math.sqrt(job.v[0])) / _NODES
    first = 0 if job.leaf.even else math.floor(wanted.lows[0] / h)
    last = math.ceil(wanted.highs[0] / h)
    if not last - first <= MAX_NODES:
        return known
    f, start = job.values(h * np.arange(first, last + 1, dtype=np.float64)), first
    job.exponentials += f.size
    strips = [strip]
    for k in range(len(job.v) - 1):
        found, f, start, h = _measured(job, k, strips[-1], f, start, h, wanted)
        strips.append(found)
    return tuple(strips)


def _measured(
    job: Job, k: int, inner: Strip, f: Array, start: int, h: float, wanted: Extent
) -> tuple[Strip, Array, int, float]:
    """Strip of f_{k+1}, with its values, first node and spacing."""
    v, s = job.v[k], job.s[k]
    spacing = math.sqrt(v) / _NODES
    while True:
        (a, b), outer = commensurate(spacing, h)
        ends = wanted.lows[k + 1], wanted.highs[k + 1]
        stage = lifting(
            job, k, f, start, Grids(h, outer, (b, a), _DEVIATIONS), ends, math.inf, 1e-6
        )
        g = stage.rows.g
        whole = mirror(g) if job.leaf.even else g
        bend = float(np.diff(whole, 2).max()) / (outer * outer)
        found = inner.lift(v, s, _SAFETY * max(bend, 0.0))
        if outer * _NODES <= found.half_width * 1.5 or whole.size > MAX_NODES:
            return found, g, stage.lifting.start, outer
        spacing = 0.5 * outer
