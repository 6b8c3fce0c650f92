"""One lifting on a uniform grid and its adjoint; compiled.

``Z(x) = sum_j T_j(x) exp(s f(y_j))`` with Gaussian weights T. Four forms of a row keep every digit:

* deviations, ``Z - 1 = sum_j T_j (exp(s (f_j - ref)) - 1)`` by ``expm1`` and then ``log1p``, where
  the row is close to its reference: a result of 1e-7 is as accurate, relatively, as one of order 1;
* plain products of two tables elsewhere: one exponential per node and per table entry, not per
  pair;
* where these under- or overflow, products again after a tilt that neighbouring rows share
  (`numerics.nests.tilted`);
* log-sum-exp with the row's own maximum taken out, where a row has two distant peaks.

A row's window lies around its *tilted* centres, found from the running extrema of the slopes of f:
beyond the extreme centres the tilted law has lighter tails than the Gaussian (monotone likelihood
ratio). Cost: ``2 x window`` multiply-adds per output.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .tilted import (
    block_tables,
    heavy_nodes,
    log_sum_row,
    open_block,
    peak_node,
    slack,
    tilted_row,
)

__all__ = ["MAX_EXPONENT", "Rows", "adjoint", "lift"]

# Below this a row's sum of products may have lost digits to underflow and is redone with a tilt.
_TINY_SUM = 1e-200
# exp(600) and its products with Gaussian weights stay finite.
MAX_EXPONENT = 600.0
_SQRT_2PI = math.sqrt(2.0 * math.pi)
# Kinds of rows.
FLAT, TABLE, LOG_SUM, QUENCHED, TILTED = 0, 1, 2, 3, 4


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
        The same for blocks (`numerics.nests.tilted`).
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


@njit(cache=True)
def _extreme_centres(f, h, v, s, first, inner_step, outer_step, start, count):
    """Leftmost and rightmost tilted centres, as node indices, for ascending outputs."""
    n = f.size
    highest = np.empty(n)  # largest slope at or right of j
    lowest = np.empty(n)  # smallest slope at or left of j
    running = -np.inf
    highest[n - 1] = 0.0
    for j in range(n - 2, -1, -1):
        running = max(running, (f[j + 1] - f[j]) / h)
        highest[j] = running
    if n > 1:
        highest[n - 1] = (f[n - 1] - f[n - 2]) / h
    running = np.inf
    lowest[0] = (f[1] - f[0]) / h if n > 1 else 0.0
    for j in range(1, n):
        running = min(running, (f[j] - f[j - 1]) / h)
        lowest[j] = running
    left = np.empty(count, np.int64)
    right = np.empty(count, np.int64)
    jl = 0
    jr = 0
    step = s * v / h
    for i in range(count):
        c = first + (start + i) * outer_step / inner_step
        while jl < n - 1 and jl - step * lowest[jl] < c:
            jl += 1
        left[i] = jl
        while jr < n - 1 and (jr + 1) - step * highest[jr + 1] <= c:
            jr += 1
        right[i] = jr
    return left, right


@njit(cache=True, fastmath={"reassoc", "contract"})
def lift(f, h, v, s, ref, first, steps, start, count, pivot, reach, negligible, cut, limit):
    """One lifting at outputs ``start + i``, i = 0..count-1; returns the fields of `Rows`.

    ``f`` lives on n nodes of spacing h, node ``first`` at zero; beyond them exp(s f) counts as
    zero. ``steps = (a, b)``: nodes lie at multiples of a, outputs at multiples of b of the unit
    h/a. Rows are done from ``pivot`` upwards, then downwards. ``cut``: stop, on either way, at the
    first output that lies that far below the largest; ``limit``: give up (``end`` = -1) after that
    many operations. Row kinds: 0 flat, 1 table, 2 log-sum-exp, 3 quenched, 4 tilted.
    """
    inner_step, outer_step = steps
    unit = h / inner_step
    n = f.size
    pad = reach
    d_form = np.full(n + 2 * pad, -1.0)
    e_form = np.zeros(n + 2 * pad)
    exponentials = 0
    overflow = False
    for j in range(n):
        a = s * (f[j] - ref)
        if s == 0.0:
            d_form[j + pad] = f[j] - ref
            e_form[j + pad] = 1.0
        elif a > MAX_EXPONENT:
            overflow = True
        elif a == 0.0:
            d_form[j + pad] = 0.0
            e_form[j + pad] = 1.0
        else:
            exponentials += 1
            if a < -0.7:
                e_form[j + pad] = math.exp(a)
                d_form[j + pad] = e_form[j + pad] - 1.0
            else:
                d_form[j + pad] = math.expm1(a)
                e_form[j + pad] = 1.0 + d_form[j + pad]
    # the longest stretch of negligible deviations, the last one where two are as long
    flat_lo = n
    flat_hi = n - 1
    j = 0
    while j < n:
        begin = j
        while j < n and abs(d_form[j + pad]) <= negligible:
            j += 1
        if j > begin and j - 1 - begin >= flat_hi - flat_lo:
            flat_lo = begin
            flat_hi = j - 1
        j += 1
    flat_lo += pad
    flat_hi += pad

    left, right = _extreme_centres(f, h, v, s, first, inner_step, outer_step, start, count)
    span = 0
    for i in range(count):
        c = first + (start + i) * outer_step // inner_step
        span = max(span, c - left[i], right[i] - c)
    # beyond 39 standard deviations the Gaussian weight underflows
    span = min(span + reach, int(39.0 * math.sqrt(v) / h) + 2)
    numbers = np.zeros((3, count))
    g, dv, weight = numbers[0], numbers[1], numbers[2]
    places = np.zeros((4, count), np.int64)
    kind, lo, hi, block = places[0], places[1], places[2], places[3]
    tilts = np.empty((0, 5), np.int64)
    tilted = np.empty(0)
    tilted_table = np.empty((1, 1, 1))
    products = 0
    if inner_step * (2 * span + 1) > limit:
        return (
            numbers, places, np.empty((1, 1)), e_form, tilts, tilted, tilted_table,
            0, -1, exponentials, products,
        )  # fmt: skip
    table = np.empty((inner_step, 2 * span + 1))
    table_v = np.empty((inner_step, 2 * span + 1))
    norm = h / (_SQRT_2PI * math.sqrt(v))
    for phase in range(inner_step):
        for d in range(2 * span + 1):
            u = (inner_step * (d - span) - phase) * unit
            u2 = u * u / v
            t = norm * math.exp(-0.5 * u2)
            table[phase, d] = t
            table_v[phase, d] = t * (u2 - 1.0) / (2.0 * v)
    exponentials += inner_step * (2 * span + 1)

    begin = 0
    end = count
    top = -np.inf
    last = n + 2 * pad - 1
    room = slack(h, v)
    blocks = 0
    used = 0
    for sweep in range(2):
        direction = 1 - 2 * sweep
        i = pivot - sweep - direction
        while True:
            i += direction
            if i < 0 or i >= count:
                break
            if products + exponentials > limit:
                end = -1
                break
            position = (start + i) * outer_step
            shift = position // inner_step
            phase = position - shift * inner_step
            c = first + shift + pad
            row = table[phase]
            row_v = table_v[phase]
            off = span - c
            jl = max(0, min(left[i] + pad, c) - reach, c - span)
            jr = min(last, max(right[i] + pad, c) + reach, c + span)
            lo[i] = jl
            hi[i] = jr
            if jl >= flat_lo and jr <= flat_hi:
                g[i] = ref
                top = max(top, ref)
                continue
            if s == 0.0:
                total = 0.0
                total_v = 0.0
                for q in range(jl, jr + 1):
                    total += row[q + off] * d_form[q]
                    total_v += row_v[q + off] * d_form[q]
                products += 2 * (jr - jl + 1)
                g[i] = ref + total
                dv[i] = total_v
                weight[i] = 1.0
                kind[i] = QUENCHED
                continue
            solved = False
            # a peak at the end of the table may be cut off, and still be of weight
            if (
                not overflow
                and left[i] + pad - reach >= c - span
                and right[i] + pad + reach <= c + span
            ):
                total = 0.0
                total_v = 0.0
                if 0 <= c <= last and e_form[c] >= 0.5:
                    low = jl
                    high = jr
                    if jl >= flat_lo:
                        low = max(jl, flat_hi + 1)
                    elif jr <= flat_hi:
                        high = min(jr, flat_lo - 1)
                    for q in range(low, high + 1):
                        total += row[q + off] * d_form[q]
                        total_v += row_v[q + off] * d_form[q]
                    products += 2 * max(0, high - low + 1)
                    if total > -0.5:
                        g[i] = ref + math.log1p(total) / s
                        dv[i] = total_v / ((1.0 + total) * s)
                        weight[i] = 1.0 / (1.0 + total)
                        kind[i] = TABLE
                        solved = True
                if not solved:
                    jl = max(0, left[i] + pad - reach, c - span)
                    jr = min(last, right[i] + pad + reach, c + span)
                    total = 0.0
                    total_v = 0.0
                    for q in range(jl, jr + 1):
                        total += row[q + off] * e_form[q]
                        total_v += row_v[q + off] * e_form[q]
                    products += 2 * max(0, jr - jl + 1)
                    if total > _TINY_SUM:
                        g[i] = ref + math.log(total) / s
                        dv[i] = total_v / (total * s)
                        weight[i] = 1.0 / total
                        kind[i] = TABLE
                        solved = True
                        lo[i] = jl
                        hi[i] = jr
            if not solved:
                # nodes from here on, without padding
                jl = max(0, left[i] - reach)
                jr = min(n - 1, right[i] + reach)
                c -= pad
                x = c + phase / inner_step
                scale = 0.5 * h * h / v
                middle = (left[i] + right[i]) // 2
                if right[i] - left[i] > room:
                    # most often only one of the extreme centres has weight
                    jl, jr = heavy_nodes(f, s, scale, x, jl, jr)
                    products += right[i] - left[i] + 2 * reach
                    middle = (jl + jr) // 2
                lo[i] = jl
                hi[i] = jr
                if jr - jl <= 2 * reach + room:
                    b = blocks - 1
                    if (
                        b < 0
                        or jl < tilts[b, 0]
                        or jr > tilts[b, 1]
                        or abs(middle - c - tilts[b, 3]) > room
                    ):
                        if blocks == 0:
                            tilts = np.empty((count, 5), np.int64)
                            tilted_table = block_tables(h, v, inner_step, reach, norm)
                            exponentials += tilted_table[0].size
                        b = blocks
                        blocks += 1
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
                    block[i] = b
                    m = tilts[b, 3]
                    off = (tilted_table.shape[2] - 1) // 2 - c - m
                    at = tilts[b, 4] - tilts[b, 0]
                    total, total_1, total_2 = tilted_row(
                        tilted_table, phase, tilted, jl, jr, off, at
                    )
                    products += 3 * (jr - jl + 1)
                    moved = m * h
                    centre = tilts[b, 2]
                    level = s * (f[centre] - ref) + m * h * h / v * (x - centre + 0.5 * m)
                    square = (total_2 + 2.0 * moved * total_1) / total + moved * moved
                    g[i] = ref + (level + math.log(total)) / s
                    dv[i] = (square / v - 1.0) / (2.0 * v * s)
                    weight[i] = 1.0 / total
                    kind[i] = TILTED
                else:
                    peak, total, total_v = log_sum_row(f, s, ref, scale, x, jl, jr, v)
                    exponentials += jr - jl + 1
                    products += 2 * (jr - jl + 1)
                    g[i] = ref + (peak + math.log(norm * total)) / s
                    dv[i] = total_v / (total * s)
                    weight[i] = -peak - math.log(total)
                    kind[i] = LOG_SUM
            exponentials += 1
            top = max(top, g[i])
            if top - g[i] > cut:
                if direction > 0:
                    end = i + 1
                else:
                    begin = i
                break
        if end < 0:
            break
    return (
        numbers, places, table, e_form, tilts[:blocks], tilted[:used], tilted_table,
        begin, end, exponentials, products,
    )  # fmt: skip


@njit(cache=True, fastmath={"reassoc", "contract"})
def adjoint(
    f, h, v, s, ref, first, steps, start, mu, floor, begin, reach, numbers, places, table, e_form, tilts,
    tilted, tilted_table,
):  # fmt: skip
    """Push the Gibbs weights ``mu`` of the outputs from ``begin`` on to the n inner nodes.

    Weights below ``floor`` are left out. The weight of flat rows goes to the nearest nodes. The
    arguments after ``reach`` are those of `Rows`.
    """
    weight = numbers[2]
    kind, lo, hi, block = places[0], places[1], places[2], places[3]
    inner_step, outer_step = steps
    n = f.size
    pad = reach
    span = (table.shape[1] - 1) // 2
    half = (tilted_table.shape[2] - 1) // 2
    tabled = np.zeros(n + 2 * pad)
    direct = np.zeros(n)
    in_blocks = np.zeros(tilted.size)
    scale = 0.5 * h * h / v
    exponentials = 0
    products = 0
    for j in range(mu.size):
        i = begin + j
        if mu[j] < floor:
            continue
        position = (start + i) * outer_step
        shift = position // inner_step
        phase = position - shift * inner_step
        c = first + shift
        if kind[i] == FLAT:
            # all around is flat: where the weight goes does not matter, as long as its mean stays
            share = mu[j] * phase / inner_step
            direct[min(max(c, 0), n - 1)] += mu[j] - share
            direct[min(max(c + 1, 0), n - 1)] += share
            continue
        if kind[i] == LOG_SUM:
            x = c + phase / inner_step
            for q in range(lo[i], hi[i] + 1):
                a = s * (f[q] - ref) - scale * (q - x) * (q - x)
                direct[q] += mu[j] * math.exp(a + weight[i])
            exponentials += hi[i] - lo[i] + 1
        elif kind[i] == TILTED:
            m = mu[j] * weight[i]
            b = block[i]
            row = tilted_table[0, phase]
            off = half - c - tilts[b, 3]
            at = tilts[b, 4] - tilts[b, 0]
            for q in range(lo[i], hi[i] + 1):
                in_blocks[q + at] += m * row[q + off]
        else:
            m = mu[j] * weight[i]
            row = table[phase]
            off = span - c - pad
            for q in range(lo[i], hi[i] + 1):
                tabled[q] += m * row[q + off]
        products += max(0, hi[i] - lo[i] + 1)
    inner = np.empty(n)
    for j in range(n):
        inner[j] = tabled[j + pad] * e_form[j + pad] + direct[j]
    for b in range(tilts.shape[0]):
        at = tilts[b, 4] - tilts[b, 0]
        for q in range(tilts[b, 0], tilts[b, 1] + 1):
            inner[q] += in_blocks[q + at] * tilted[q + at]
    return inner, exponentials, products
