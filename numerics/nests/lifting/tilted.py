"""Rows whose weight lies many standard deviations from where they are wanted; compiled.

Where f is steep, ``exp(s f(y) - (y - x)^2/(2 v))`` peaks far from x, and neither factor is a number
in floating point. A tilt moves a common slope from one to the other: with ``theta = m h/v`` for an
integer m,

    exp(theta (y - y_c) - (y - x)^2/(2 v)) = exp(-(y - x - m h)^2/(2 v)) exp(theta (x - y_c) + m^2 h^2/(2 v)),

so that the Gaussian table serves again, m nodes further on, with ``exp(s (f - f_c) - theta (y - y_c))``
in place of ``exp(s (f - ref))``. With y_c = x + m h at the peak of one row, neither can be larger than the
Gaussian is small. Rows in a row share m and y_c, a *block*, as long as their centres stay within `slack` of
it. Cost: some exponentials per row instead of one per row and node.
"""

from __future__ import annotations

import math

import numpy as np

from numerics.compiled import njit

__all__ = [
    "block_tables",
    "heavy_nodes",
    "log_sum_row",
    "open_block",
    "peak_node",
    "slack",
    "tilted_row",
]

# Standard deviations that a row's peak may lie away from its block's tilt, and that its two
# extreme centres may lie apart.
_SLACK = 12.0
# Log-weight below a row's maximum that counts for nothing.
_NOTHING = 50.0


@njit
def slack(h, v):  # pragma: no cover - compiled
    """How far the peak of a row may lie from its block's tilt, in nodes."""
    return int(_SLACK * math.sqrt(v) / h) + 1


@njit
def block_tables(h, v, inner_step, reach, norm):  # pragma: no cover - compiled
    """Gaussian weights times 1, u and u^2, by phase, for windows off their centre."""
    span = reach + 2 * slack(h, v) + 2
    tables = np.empty((3, inner_step, 2 * span + 1))
    unit = h / inner_step
    for phase in range(inner_step):
        for d in range(2 * span + 1):
            u = (inner_step * (d - span) - phase) * unit
            t = norm * math.exp(-0.5 * u * u / v)
            tables[0, phase, d] = t
            tables[1, phase, d] = t * u
            tables[2, phase, d] = t * u * u
    return tables


@njit
def open_block(f, s, h, v, tilt, tilted):  # pragma: no cover - compiled
    """Fill in the tilted exponentials of a block, ``tilt = (lo, hi, centre, m, offset)``."""
    slope = tilt[3] * h * h / v
    for q in range(tilt[0], tilt[1] + 1):
        a = s * (f[q] - f[tilt[2]]) - slope * (q - tilt[2])
        # nodes beyond a row's window may overflow, and are not used by any row of the block
        tilted[tilt[4] + q - tilt[0]] = math.exp(min(a, 600.0))


@njit
def heavy_nodes(f, s, scale, x, low, high):  # pragma: no cover - compiled
    """Part of the nodes ``low..high`` outside of which a row at node x (a fraction) has no weight."""
    top = -np.inf
    for q in range(low, high + 1):
        top = max(top, s * f[q] - scale * (q - x) * (q - x))
    while s * f[low] - scale * (low - x) * (low - x) < top - _NOTHING:
        low += 1
    while s * f[high] - scale * (high - x) * (high - x) < top - _NOTHING:
        high -= 1
    return low, high


@njit
def peak_node(f, s, scale, x, low, high):  # pragma: no cover - compiled
    """The node of largest weight of a row at node x (a fraction)."""
    peak = low
    top = -np.inf
    for q in range(low, high + 1):
        a = s * f[q] - scale * (q - x) * (q - x)
        if a > top:
            top = a
            peak = q
    return peak


@njit(fastmath={"reassoc", "contract"})
def tilted_row(tables, phase, tilted, low, high, off, at):  # pragma: no cover - compiled
    """Sums of a row with weights times 1, u and u^2."""
    row, row_1, row_2 = tables[0, phase], tables[1, phase], tables[2, phase]
    total = 0.0
    total_1 = 0.0
    total_2 = 0.0
    for q in range(low, high + 1):
        total += row[q + off] * tilted[q + at]
        total_1 += row_1[q + off] * tilted[q + at]
        total_2 += row_2[q + off] * tilted[q + at]
    return total, total_1, total_2


@njit(fastmath={"reassoc", "contract"})
def log_sum_row(f, s, ref, scale, x, low, high, v):  # pragma: no cover - compiled
    """A row with its maximum taken out: the maximum, and sums for the value and its derivative in v."""
    peak = -np.inf
    for q in range(low, high + 1):
        peak = max(peak, s * (f[q] - ref) - scale * (q - x) * (q - x))
    total = 0.0
    total_v = 0.0
    for q in range(low, high + 1):
        half_u2 = scale * (q - x) * (q - x)
        w = math.exp(s * (f[q] - ref) - half_u2 - peak)
        total += w
        total_v += w * (2.0 * half_u2 - 1.0) / (2.0 * v)
    return peak, total, total_v
