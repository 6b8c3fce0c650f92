"""One lifting on a uniform grid and its adjoint; compiled.

``Z(x) = sum_j T_j(x) exp(s f(y_j))`` with Gaussian weights T. Four forms of a row keep every digit:

* deviations, ``Z - 1 = sum_j T_j (exp(s (f_j - ref)) - 1)`` by ``expm1`` and then ``log1p``, where
  the row is close to its reference: a result of 1e-7 is as accurate, relatively, as one of order 1;
* plain products of two tables elsewhere: one exponential per node and per table entry, not per
  pair;
* where these under- or overflow, products again after a tilt that neighbouring rows share
  (`numerics.nests.lifting.tilted`);
* log-sum-exp with the row's own maximum taken out, where a row has two distant peaks.

A row's window lies around its *tilted* centres, found from the running extrema of the slopes of f:
beyond the extreme centres the tilted law has lighter tails than the Gaussian (monotone likelihood
ratio). Cost: ``2 x window`` multiply-adds per output.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import njit

from .rows import (
    FLAT,
    LOG_SUM,
    MAX_EXPONENT,
    QUENCHED,
    TILTED,
    Lifting,
    Rows,
    Weights,
    far_row,
    near_row,
    sums,
)

__all__ = ["Lifting", "Rows", "adjoint", "lift"]

_SQRT_2PI = math.sqrt(2.0 * math.pi)


@njit
def _extreme_centres(f, lifting, count):  # pragma: no cover - compiled
    """Leftmost and rightmost tilted centres, as node indices, for ascending outputs."""
    h, n = lifting.h, f.size
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
    step = lifting.s * lifting.v / h
    for i in range(count):
        c = lifting.first + (lifting.start + i) * lifting.outer_step / lifting.inner_step
        while jl < n - 1 and jl - step * lowest[jl] < c:
            jl += 1
        left[i] = jl
        while jr < n - 1 and (jr + 1) - step * highest[jr + 1] <= c:
            jr += 1
        right[i] = jr
    return left, right


@njit
def _weights(f, lifting, negligible):  # pragma: no cover - compiled
    """Weights of the nodes, and the exponentials taken."""
    s, ref, pad, n = lifting.s, lifting.ref, lifting.reach, f.size
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
    return Weights(e_form, d_form, flat_lo + pad, flat_hi + pad, overflow), exponentials


@njit
def _span(lifting, left, right):  # pragma: no cover - compiled
    """Half-width of a table of Gaussian weights that serves all outputs."""
    span = 0
    for i in range(left.size):
        c = lifting.first + (lifting.start + i) * lifting.outer_step // lifting.inner_step
        span = max(span, c - left[i], right[i] - c)
    # beyond 39 standard deviations the Gaussian weight underflows
    return min(span + lifting.reach, int(39.0 * math.sqrt(lifting.v) / lifting.h) + 2)


@njit
def _tables(lifting, span, norm):  # pragma: no cover - compiled
    """Gaussian weights and their derivatives in v, by phase and distance."""
    steps, v, unit = lifting.inner_step, lifting.v, lifting.h / lifting.inner_step
    table = np.empty((steps, 2 * span + 1))
    table_v = np.empty((steps, 2 * span + 1))
    for phase in range(steps):
        for d in range(2 * span + 1):
            u = (steps * (d - span) - phase) * unit
            u2 = u * u / v
            t = norm * math.exp(-0.5 * u2)
            table[phase, d] = t
            table_v[phase, d] = t * (u2 - 1.0) / (2.0 * v)
    return table, table_v


def lift(
    f: NDArray[np.float64],
    lifting: Lifting,
    count: int,
    pivot: int,
    negligible: float,
    cut: float,
    limit: float,
) -> Rows:
    """One lifting at outputs ``start + i``, i = 0..count-1; returns `Rows`.

    ``f`` lives on n nodes; beyond them exp(s f) counts as zero. Rows are done from ``pivot`` upwards, then
    downwards. ``cut``: stop, on either way, at the first output that lies that far below the largest;
    ``limit``: give up (``end`` = -1) after that many operations.
    """
    # made here, not by numba: see `numerics.compiled.interruptible`
    return Rows(*_lift(f, lifting, count, pivot, negligible, cut, limit))


@njit
def _lift(f, lifting, count, pivot, negligible, cut, limit):  # pragma: no cover - compiled
    h, v, s, ref, first = lifting.h, lifting.v, lifting.s, lifting.ref, lifting.first
    inner_step, outer_step, reach = lifting.inner_step, lifting.outer_step, lifting.reach
    pad = reach
    weights, exponentials = _weights(f, lifting, negligible)
    left, right = _extreme_centres(f, lifting, count)
    span = _span(lifting, left, right)
    numbers = np.zeros((3, count))
    places = np.zeros((4, count), np.int64)
    tilts = np.empty((0, 5), np.int64)
    tilted = np.empty(0)
    tilted_table = np.empty((1, 1, 1))
    products = 0
    if inner_step * (2 * span + 1) > limit:
        return (
            numbers, places, np.empty((1, 1)), weights.e_form, tilts, tilted, tilted_table,
            0, -1, exponentials, products,
        )  # fmt: skip
    norm = h / (_SQRT_2PI * math.sqrt(v))
    table, table_v = _tables(lifting, span, norm)
    exponentials += inner_step * (2 * span + 1)

    begin = 0
    end = count
    top = -np.inf
    last = f.size + 2 * pad - 1
    blocks = (tilts, tilted, tilted_table, 0, 0)
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
            position = (lifting.start + i) * outer_step
            shift = position // inner_step
            phase = position - shift * inner_step
            c = first + shift + pad
            jl = max(0, min(left[i] + pad, c) - reach, c - span)
            jr = min(last, max(right[i] + pad, c) + reach, c + span)
            places[1, i], places[2, i] = jl, jr
            if jl >= weights.flat_lo and jr <= weights.flat_hi:
                numbers[0, i] = ref
                top = max(top, ref)
                continue
            if s == 0.0:
                total, total_v = sums(
                    table[phase], table_v[phase], weights.d_form, jl, jr, span - c
                )
                products += 2 * (jr - jl + 1)
                numbers[0, i], numbers[1, i], numbers[2, i] = ref + total, total_v, 1.0
                places[0, i] = QUENCHED
                continue
            values, place, more = near_row(
                lifting, weights, (table[phase], table_v[phase], span),
                (left[i] + pad, right[i] + pad, jl, jr), c,
            )  # fmt: skip
            products += more
            if place[0] >= 0:
                places[0, i], places[1, i], places[2, i] = place
            else:
                if blocks[0].shape[0] == 0:
                    blocks = (np.empty((count, 5), np.int64), blocks[1], blocks[2], 0, 0)
                # nodes from here on, without padding
                values, far, spent, blocks = far_row(
                    f, lifting, norm, (c - pad, phase, left[i], right[i]), blocks, direction
                )
                exponentials += spent[0]
                products += spent[1]
                places[0, i], places[1, i], places[2, i], places[3, i] = far
            numbers[0, i], numbers[1, i], numbers[2, i] = values
            exponentials += 1
            top = max(top, values[0])
            if top - values[0] > cut:
                if direction > 0:
                    end = i + 1
                else:
                    begin = i
                break
        if end < 0:
            break
    tilts, tilted, tilted_table, known, used = blocks
    return (
        numbers, places, table, weights.e_form, tilts[:known], tilted[:used], tilted_table,
        begin, end, exponentials, products,
    )  # fmt: skip


@njit(fastmath={"reassoc", "contract"})
def adjoint(f, lifting, rows, mu, floor):
    """Push the Gibbs weights ``mu`` of the outputs from ``rows.begin`` on to the n inner nodes.

    Weights below ``floor`` are left out. The weight of flat rows goes to the nearest nodes. Returns the inner
    weights, exponentials and products.
    """
    h, v, s, ref, first = lifting.h, lifting.v, lifting.s, lifting.ref, lifting.first
    inner_step, outer_step, start, reach = (
        lifting.inner_step, lifting.outer_step, lifting.start, lifting.reach,
    )  # fmt: skip
    table, e_form, tilts, tilted, tilted_table = (
        rows.table, rows.e_form, rows.tilts, rows.tilted, rows.tilted_table,
    )  # fmt: skip
    begin = rows.begin
    weight = rows.numbers[2]
    kind, lo, hi, block = rows.places[0], rows.places[1], rows.places[2], rows.places[3]
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
