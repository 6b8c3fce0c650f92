"""One lifting on a uniform grid, its adjoint, and the outermost lifting at one field; compiled.

``Z(x) = sum_j T_j(x) exp(s f(y_j))`` with Gaussian weights T. Three forms of a row keep every
digit:

* deviations, ``Z - 1 = sum_j T_j (exp(s (f_j - ref)) - 1)`` by ``expm1`` and then ``log1p``, where
  the row
  is close to its reference: a result of 1e-7 is as accurate, relatively, as one of order 1;
* plain products of two tables elsewhere: one exponential per node and per table entry, not per
  pair;
* log-sum-exp with the row's own maximum taken out, where the products under- or overflow.

A row's window lies around its *tilted* centres, found from the running extrema of the slopes of f:
beyond the extreme centres the tilted law has lighter tails than the Gaussian (monotone likelihood
ratio). Cost: ``2 x window`` multiply-adds per output.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["adjoint", "lift", "lift_point"]

# Below this a row's sum of products may have lost digits to underflow and is redone in log-space.
_TINY_SUM = 1e-200
# exp(600) and its products with Gaussian weights stay finite.
_MAX_EXPONENT = 600.0
_SQRT_2PI = math.sqrt(2.0 * math.pi)


@njit(cache=True)
def _extreme_centres(f, h, v, s, first, inner_step, outer_step, count):
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
        c = first + i * outer_step / inner_step
        while jl < n - 1 and jl - step * lowest[jl] < c:
            jl += 1
        left[i] = jl
        while jr < n - 1 and (jr + 1) - step * highest[jr + 1] <= c:
            jr += 1
        right[i] = jr
    return left, right


@njit(cache=True, fastmath={"reassoc", "contract"})
def lift(f, h, v, s, ref, first, steps, count, reach, negligible, cut, limit):
    """One lifting at outputs ``i = 0..count-1``; returns what value and adjoint need.

    ``f`` lives on n nodes of spacing h, node ``first`` at zero; beyond them exp(s f) counts as
    zero. ``steps = (a, b)``: nodes lie at multiples of a, outputs at multiples of b of the unit
    h/a. ``cut``: stop at the first output with ``g_0 - g_i > cut``; ``limit``: give up (-1 outputs
    done) after that many operations. Row kinds: 0 flat, 1 table, 2 log-sum-exp, 3 quenched.
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
        elif a > _MAX_EXPONENT:
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
    # the flat stretch around the largest block of negligible deviations
    flat_lo = 0
    while flat_lo < n and abs(d_form[flat_lo + pad]) > negligible:
        flat_lo += 1
    flat_hi = flat_lo
    while flat_hi < n and abs(d_form[flat_hi + pad]) <= negligible:
        flat_hi += 1
    flat_lo += pad
    flat_hi += pad - 1

    left, right = _extreme_centres(f, h, v, s, first, inner_step, outer_step, count)
    span = 0
    for i in range(count):
        c = first + i * outer_step // inner_step
        span = max(span, c - left[i], right[i] - c)
    # beyond 39 standard deviations the Gaussian weight underflows
    span = min(span + reach, int(39.0 * math.sqrt(v) / h) + 2)
    g = np.empty(count)
    dv = np.zeros(count)
    weight = np.ones(count)  # 1/Z for tables, minus the row's log-sum for log-sum-exp rows
    kind = np.zeros(count, np.int64)
    lo = np.empty(count, np.int64)
    hi = np.empty(count, np.int64)
    products = 0
    if inner_step * (2 * span + 1) > limit:
        return g, dv, weight, kind, lo, hi, np.empty((1, 1)), e_form, -1, exponentials, products
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

    done = count
    last = n + 2 * pad - 1
    for i in range(count):
        if products + exponentials > limit:
            done = -1
            break
        shift = i * outer_step // inner_step
        phase = i * outer_step - shift * inner_step
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
            kind[i] = 3
            continue
        solved = False
        if not overflow:
            total = 0.0
            total_v = 0.0
            if c <= last and e_form[c] >= 0.5:
                start = jl
                if jl >= flat_lo:
                    start = max(jl, flat_hi + 1)
                for q in range(start, jr + 1):
                    total += row[q + off] * d_form[q]
                    total_v += row_v[q + off] * d_form[q]
                products += 2 * max(0, jr - start + 1)
                if total > -0.5:
                    g[i] = ref + math.log1p(total) / s
                    dv[i] = total_v / ((1.0 + total) * s)
                    weight[i] = 1.0 / (1.0 + total)
                    kind[i] = 1
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
                    kind[i] = 1
                    solved = True
                    lo[i] = jl
                    hi[i] = jr
        if not solved:
            jl = max(pad, left[i] + pad - reach)
            jr = min(n - 1 + pad, right[i] + pad + reach)
            top = -np.inf
            x = c + phase / inner_step
            scale = 0.5 * h * h / v
            for q in range(jl, jr + 1):
                top = max(top, s * (f[q - pad] - ref) - scale * (q - x) * (q - x))
            total = 0.0
            total_v = 0.0
            for q in range(jl, jr + 1):
                half_u2 = scale * (q - x) * (q - x)
                w = math.exp(s * (f[q - pad] - ref) - half_u2 - top)
                total += w
                total_v += w * (2.0 * half_u2 - 1.0) / (2.0 * v)
            exponentials += jr - jl + 1
            products += 2 * (jr - jl + 1)
            g[i] = ref + (top + math.log(norm * total)) / s
            dv[i] = total_v / (total * s)
            weight[i] = -top - math.log(total)
            kind[i] = 2
            lo[i] = jl
            hi[i] = jr
        exponentials += 1
        if g[0] - g[i] > cut:
            done = i + 1
            break
    return g, dv, weight, kind, lo, hi, table, e_form, done, exponentials, products


@njit(cache=True, fastmath={"reassoc", "contract"})
def adjoint(f, h, v, s, ref, first, steps, mu, weight, kind, lo, hi, table, e_form, reach):
    """Push the Gibbs weights ``mu`` of the outputs to the n inner nodes."""
    inner_step, outer_step = steps
    n = f.size
    pad = reach
    span = (table.shape[1] - 1) // 2
    tabled = np.zeros(n + 2 * pad)
    direct = np.zeros(n + 2 * pad)
    scale = 0.5 * h * h / v
    exponentials = 0
    products = 0
    for i in range(mu.size):
        if kind[i] == 0 or mu[i] < 1e-40:
            continue
        shift = i * outer_step // inner_step
        phase = i * outer_step - shift * inner_step
        c = first + shift + pad
        if kind[i] == 2:
            x = c + phase / inner_step
            for q in range(lo[i], hi[i] + 1):
                a = s * (f[q - pad] - ref) - scale * (q - x) * (q - x)
                direct[q] += mu[i] * math.exp(a + weight[i])
            exponentials += hi[i] - lo[i] + 1
        else:
            m = mu[i] * weight[i]
            row = table[phase]
            off = span - c
            for q in range(lo[i], hi[i] + 1):
                tabled[q] += m * row[q + off]
        products += max(0, hi[i] - lo[i] + 1)
    inner = np.empty(n)
    for j in range(n):
        inner[j] = tabled[j + pad] * e_form[j + pad] + direct[j + pad]
    return inner, exponentials, products


@njit(cache=True)
def lift_point(f, start, h, v, s, ref, x, reach, copies):
    """The outermost lifting at one field; returns value, d/dv, d/dx and the Gibbs weights.

    ``copies`` = 2: the nodes are one of two mirror images.
    """
    n = f.size
    norm = h / (_SQRT_2PI * math.sqrt(v))
    weights = np.zeros(n)
    top = -np.inf
    largest = -np.inf
    for j in range(n):
        u = (start + j) * h - x
        top = max(top, s * (f[j] - ref) - 0.5 * u * u / v)
        largest = max(largest, s * (f[j] - ref))
    exponentials = n + 1
    if copies == 1.0 and (s == 0.0 or largest < _MAX_EXPONENT):
        total = 0.0
        total_v = 0.0
        total_x = 0.0
        partition = 0.0
        for j in range(n):
            u = (start + j) * h - x
            t = norm * math.exp(-0.5 * u * u / v)
            d = f[j] - ref if s == 0.0 else math.expm1(s * (f[j] - ref))
            weights[j] = t if s == 0.0 else t * (1.0 + d)
            partition += weights[j]
            total += t * d
            total_v += t * d * (u * u / v - 1.0) / (2.0 * v)
            total_x += t * d * u / v
        exponentials += 2 * n
        if s > 0.0 and partition > 0.4:
            # beyond the grid exp(s f) = 0, a deviation of -1
            c = round(x / h) - start
            for j in range(min(0, c - reach), max(n, c + reach + 1)):
                if j < 0 or j >= n:
                    u = (start + j) * h - x
                    t = norm * math.exp(-0.5 * u * u / v)
                    total -= t
                    total_v -= t * (u * u / v - 1.0) / (2.0 * v)
                    total_x -= t * u / v
                    exponentials += 1
        if s == 0.0:
            return ref + total, total_v, total_x, weights, exponentials
        if partition > 0.4 and total > -0.5:
            z = 1.0 + total
            for j in range(n):
                weights[j] /= z
            return (
                ref + math.log1p(total) / s,
                total_v / (z * s),
                total_x / (z * s),
                weights,
                exponentials,
            )
    total = 0.0
    total_v = 0.0
    total_x = 0.0
    for j in range(n):
        u = (start + j) * h - x
        w = math.exp(s * (f[j] - ref) - 0.5 * u * u / v - top)
        weights[j] = w
        total += w
        total_v += w * (u * u / v - 1.0) / (2.0 * v)
        total_x += w * u / v
        exponentials += 1
    for j in range(n):
        weights[j] /= total
    value = ref + (top + math.log(copies * norm * total)) / s
    return value, total_v / (total * s), total_x / (total * s), weights, exponentials
