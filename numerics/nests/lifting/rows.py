"""Rows of a lifting, one output each, in the form that keeps every digit; compiled.

Which forms there are and when each is right is said in `numerics.nests.lifting.convolution`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import njit

from .tilted import (
    block_tables,
    heavy_nodes,
    log_sum_row,
    open_block,
    peak_node,
    slack,
    tilted_row,
)

__all__ = [
    "FLAT",
    "LOG_SUM",
    "MAX_EXPONENT",
    "QUENCHED",
    "TABLE",
    "TILTED",
    "Lifting",
    "Rows",
    "Weights",
    "far_row",
    "near_row",
    "sums",
]

# Below this a row's sum of products may have lost digits to underflow and is redone with a tilt.
_TINY_SUM = 1e-200
#: exp(600) and its products with Gaussian weights stay finite.
MAX_EXPONENT = 600.0
#: Forms of rows.
FLAT, TABLE, LOG_SUM, QUENCHED, TILTED = 0, 1, 2, 3, 4


class Lifting(NamedTuple):
    """One lifting and its grids.

    Attributes
    ----------
    h : float
        Spacing of the nodes.
    v, s : float
        Increment and exponent.
    ref : float
        The value of f that others are taken from.
    first : int
        The node at field zero.
    inner_step, outer_step : int
        Nodes lie at multiples of the one, outputs at multiples of the other, of the unit h/inner_step.
    start : int
        The first output.
    reach : int
        Half-width of a window, in nodes.
    """

    h: float
    v: float
    s: float
    ref: float
    first: int
    inner_step: int
    outer_step: int
    start: int
    reach: int


class Weights(NamedTuple):
    """``exp(s (f - ref))`` and the same less 1 on the nodes, with ``reach`` nodes of none on either side.

    ``flat_lo .. flat_hi`` is the longest stretch where nothing deviates; ``overflow``: some are no numbers.
    """

    e_form: NDArray[np.float64]
    d_form: NDArray[np.float64]
    flat_lo: int
    flat_hi: int
    overflow: bool


class Rows(NamedTuple):
    """What the adjoint of one lifting needs to know of its outputs, and what they cost.

    Attributes
    ----------
    numbers : ndarray, shape (3, count)
        Values, derivatives in v, and weights: 1/Z for tables, minus the row's log-sum for log-sum-exp
        rows.
    places : ndarray of int, shape (4, count)
        Form, first and last node of the window, and block of tilts of every row.
    table, e_form : ndarray
        Gaussian weights by phase, and ``exp(s (f - ref))`` with padding.
    tilts, tilted, tilted_table : ndarray
        The same for blocks (`numerics.nests.lifting.tilted`).
    begin, end : int
        Rows from ``begin`` to ``end - 1`` were computed; ``end`` = -1: the work limit was met.
    exponentials, products : int
    """

    numbers: NDArray[np.float64]
    places: NDArray[np.int64]
    table: NDArray[np.float64]
    e_form: NDArray[np.float64]
    tilts: NDArray[np.int64]
    tilted: NDArray[np.float64]
    tilted_table: NDArray[np.float64]
    begin: int
    end: int
    exponentials: int
    products: int

    @property
    def g(self) -> NDArray[np.float64]:
        """Values of the rows computed."""
        return self.numbers[0, self.begin : self.end]

    @property
    def dv(self) -> NDArray[np.float64]:
        """Their derivatives in v."""
        return self.numbers[1, self.begin : self.end]

    @property
    def kind(self) -> NDArray[np.int64]:
        """Their forms."""
        return self.places[0, self.begin : self.end]


@njit(fastmath={"reassoc", "contract"})
def sums(row, row_v, form, low, high, off):  # pragma: no cover - compiled
    """Sums of a form with Gaussian weights and with their derivatives."""
    total = 0.0
    total_v = 0.0
    for q in range(low, high + 1):
        total += row[q + off] * form[q]
        total_v += row_v[q + off] * form[q]
    return total, total_v


@njit
def far_row(f, lifting, norm, row, blocks, direction):  # pragma: no cover - compiled
    """A row whose weight lies far from where it is wanted: tilted with its block, or log-sum-exp.

    ``row`` is its output (node, phase) and its extreme centres; ``blocks`` the tilts so far, their
    exponentials, Gaussian weights, and the numbers of both that are in use. Returns value, derivative in
    v, weight; form, first and last node, block; exponentials and products; and the blocks.
    """
    h, v, s, ref, reach = lifting.h, lifting.v, lifting.s, lifting.ref, lifting.reach
    c, phase, left, right = row
    tilts, tilted, tilted_table, known, used = blocks
    n = f.size
    room = slack(h, v)
    exponentials = 0
    products = 0
    jl = max(0, left - reach)
    jr = min(n - 1, right + reach)
    x = c + phase / lifting.inner_step
    scale = 0.5 * h * h / v
    middle = (left + right) // 2
    if right - left > room:
        # most often only one of the extreme centres has weight
        jl, jr = heavy_nodes(f, s, scale, x, jl, jr)
        products += right - left + 2 * reach
        middle = (jl + jr) // 2
    if jr - jl > 2 * reach + room:
        peak, total, total_v = log_sum_row(f, s, ref, scale, x, jl, jr, v)
        exponentials += jr - jl + 1
        products += 2 * (jr - jl + 1)
        numbers = (
            ref + (peak + math.log(norm * total)) / s,
            total_v / (total * s),
            -peak - math.log(total),
        )
        return numbers, (LOG_SUM, jl, jr, 0), (exponentials, products), blocks
    b = known - 1
    if b < 0 or jl < tilts[b, 0] or jr > tilts[b, 1] or abs(middle - c - tilts[b, 3]) > room:
        if known == 0:
            tilted_table = block_tables(h, v, lifting.inner_step, reach, norm)
            exponentials += tilted_table[0].size
        b = known
        known += 1
        ahead = 2 * reach
        tilts[b, 0] = jl if direction > 0 else max(0, jl - ahead)
        tilts[b, 1] = min(n - 1, jr + ahead) if direction > 0 else jr
        tilts[b, 2] = peak_node(f, s, scale, x, jl, jr)
        tilts[b, 3] = tilts[b, 2] - c
        products += jr - jl + 1
        tilts[b, 4] = used
        size = tilts[b, 1] - tilts[b, 0] + 1
        if used + size > tilted.size:
            longer = np.empty(2 * (used + size))
            for q in range(used):  # slices would bring in error messages to compile
                longer[q] = tilted[q]
            tilted = longer
        open_block(f, s, h, v, tilts[b], tilted)
        used += size
        exponentials += size
    m = tilts[b, 3]
    off = (tilted_table.shape[2] - 1) // 2 - c - m
    at = tilts[b, 4] - tilts[b, 0]
    total, total_1, total_2 = tilted_row(tilted_table, phase, tilted, jl, jr, off, at)
    products += 3 * (jr - jl + 1)
    moved = m * h
    centre = tilts[b, 2]
    level = s * (f[centre] - ref) + m * h * h / v * (x - centre + 0.5 * m)
    square = (total_2 + 2.0 * moved * total_1) / total + moved * moved
    numbers = (
        ref + (level + math.log(total)) / s,
        (square / v - 1.0) / (2.0 * v * s),
        1.0 / total,
    )
    blocks = (tilts, tilted, tilted_table, known, used)
    return numbers, (TILTED, jl, jr, b), (exponentials, products), blocks


@njit
def near_row(lifting, weights, tables, window, c):  # pragma: no cover - compiled
    """A row as a product of tables: deviations where it is close to its reference, plain products elsewhere.

    ``tables`` are the row's own; ``window`` its extreme centres, and first and last node; ``c`` its place,
    all padded. Returns value, derivative in v, weight; form, first and last node (form -1: it is neither, its
    sum underflows or its peak lies beyond the table); products.
    """
    row, row_v, span = tables
    left, right, jl, jr = window
    s, ref, reach = lifting.s, lifting.ref, lifting.reach
    e_form, d_form = weights.e_form, weights.d_form
    off = span - c
    last = e_form.size - 1
    products = 0
    # a peak at the end of the table may be cut off, and still be of weight
    if weights.overflow or left - reach < c - span or right + reach > c + span:
        return (0.0, 0.0, 0.0), (-1, jl, jr), products
    if 0 <= c <= last and e_form[c] >= 0.5:
        low = jl
        high = jr
        if jl >= weights.flat_lo:
            low = max(jl, weights.flat_hi + 1)
        elif jr <= weights.flat_hi:
            high = min(jr, weights.flat_lo - 1)
        total, total_v = sums(row, row_v, d_form, low, high, off)
        products += 2 * max(0, high - low + 1)
        if total > -0.5:
            numbers = (
                ref + math.log1p(total) / s,
                total_v / ((1.0 + total) * s),
                1.0 / (1.0 + total),
            )
            return numbers, (TABLE, jl, jr), products
    jl = max(0, left - reach, c - span)
    jr = min(last, right + reach, c + span)
    total, total_v = sums(row, row_v, e_form, jl, jr, off)
    products += 2 * max(0, jr - jl + 1)
    if total > _TINY_SUM:
        numbers = (ref + math.log(total) / s, total_v / (total * s), 1.0 / total)
        return numbers, (TABLE, jl, jr), products
    return (0.0, 0.0, 0.0), (-1, jl, jr), products
