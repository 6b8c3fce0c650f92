"""The outermost lifting of a nest, wanted at one field only; compiled."""

from __future__ import annotations

import math

import numpy as np

from numerics.compiled import njit

from .rows import MAX_EXPONENT

__all__ = ["lift_point"]

_SQRT_2PI = math.sqrt(2.0 * math.pi)


@njit
def lift_point(f, lifting, x, copies):
    """The outermost lifting at one field; returns value, d/dv, d/dx, the Gibbs weights, and exponentials.

    ``copies`` = 2: the nodes are one of two mirror images.
    """
    h, v, s, ref = lifting.h, lifting.v, lifting.s, lifting.ref
    start, reach = -lifting.first, lifting.reach
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
    if copies == 1.0 and (s == 0.0 or largest < MAX_EXPONENT):
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
