"""Compiled pieces that the algorithms share: row responses, fields, and a Metropolis sweep.

Matrices here are single precision and scaled by 1/sqrt(n), rows (m, n) or columns (n, m) contiguous. All
sums run in a fixed order on one thread: the same seed gives the same result whatever else the machine
is doing. Speed is that of reading the matrix from memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from numerics.compiled import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verify.thresholds.instances import Instance

__all__ = ["SLACK", "bounds", "columns_of", "rows_of"]

SLACK = 1e-5
"""Rows are asked to hold by this much more than needed, so that single precision does not matter."""

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def rows_of(instance: Instance) -> NDArray[np.float32]:
    """G / sqrt(n), float32, shape (m, n)."""
    return (instance.matrix / math.sqrt(instance.n)).astype(np.float32)


def columns_of(instance: Instance) -> NDArray[np.float32]:
    """Transpose of `rows_of`, contiguous."""
    return np.ascontiguousarray(rows_of(instance).T)


def bounds(instance: Instance) -> tuple[np.float32, np.float32]:
    """Lower and upper bound of a row, moved inwards by `SLACK`."""
    return np.float32(instance.lower + SLACK), np.float32(instance.upper - SLACK)


@njit(inline="always")
def _scaled_tail(a):
    """Compute Prob(U > a) exp(a^2/2) for a >= 0 and U ~ N(0, 1), relative error 1.2e-7.

    Chebyshev fit of erfc in Press et al., Numerical Recipes in C, section 6.2; the library's own takes
    longer than a row's two products with its spins.
    """
    t = 1.0 / (1.0 + 0.5 * _ROOT_HALF * a)
    p = -0.82215223 + t * 0.17087277
    p = 0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * p))
    p = 0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * p))
    return 0.5 * t * math.exp(-1.26551223 + t * (1.00002368 + t * p))


@njit
def response(field, variance, lower, upper):
    """First two derivatives of log P(lower <= field + sqrt(variance) V <= upper), V ~ N(0, 1).

    Returns g = d/d field and -dg/d field, with relative errors of about 1e-6. Where both bounds are far
    on one side the common exponential is taken out.
    """
    width = math.sqrt(variance)
    a, b = (lower - field) / width, (upper - field) / width
    sign = 1.0
    if b < -a:  # mirror, so that the interval lies to the right
        a, b, sign = -b, -a, -1.0
    finite = b < 1e10
    if a > 0.0:
        left = 1.0
        mass = _scaled_tail(a)
        right = math.exp(0.5 * (a * a - b * b)) if finite else 0.0
        if right > 0.0:
            mass -= right * _scaled_tail(b)
    else:
        left = math.exp(-0.5 * a * a)
        mass = 1.0 - left * _scaled_tail(-a)
        right = math.exp(-0.5 * b * b) if finite else 0.0
        if right > 0.0:
            mass -= right * _scaled_tail(b)
    mass = max(mass, 1e-300)
    g = _DENSITY * (left - right) / mass
    slope = -a * left if left > 0.0 else 0.0
    if right > 0.0:
        slope += b * right
    return sign * g / width, (_DENSITY * slope / mass + g * g) / variance


@njit(fastmath=True)
def dot(a, b):
    """Scalar product of two float32 vectors."""
    total = np.float32(0.0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@njit(fastmath=True)
def add_multiple(factor, a, out):
    """Add a multiple of a to out, float32."""
    for j in range(a.size):
        out[j] += factor * a[j]


@njit
def violations(rows, x, lower, upper):
    """Number of rows that do not hold."""
    count = 0
    for i in range(rows.shape[0]):
        field = dot(rows[i], x)
        if field < lower or field > upper:
            count += 1
    return count


@njit(inline="always")
def note(trace, k, iteration, progress, violated):
    """Fill a row of a trace."""
    trace[k, 0] = iteration
    trace[k, 1] = progress
    trace[k, 2] = violated


@njit
def look(rows, x, lower, upper, trace, k, iteration, progress):
    """Number of rows that do not hold, noted in row k of a trace."""
    violated = violations(rows, x, lower, upper)
    note(trace, k, iteration, progress, violated)
    return violated


@njit
def fields_of(columns, x, fields):
    """Compute G x / sqrt(n) from columns."""
    fields[:] = 0.0
    for j in range(x.size):
        add_multiple(x[j], columns[j], fields)


@njit(fastmath=True)
def depth_after(fields, column, step, lower, upper):
    """Sum over rows of what they miss their bounds by, when a column is added ``step`` times."""
    total = np.float32(0.0)
    for i in range(fields.size):
        h = fields[i] + step * column[i]
        total += max(h - upper, np.float32(0.0)) + max(lower - h, np.float32(0.0))
    return total


@njit
def outside(fields, lower, upper):
    """Number of fields outside their bounds."""
    count = 0
    for i in range(fields.size):
        if fields[i] < lower or fields[i] > upper:
            count += 1
    return count


@njit
def metropolis_sweep(columns, x, fields, lower, upper, temperature, rng):
    """As many single-flip proposals as there are spins; the energy is the total depth of violation.

    Changes x and fields; returns the energy, 0 when a solution has been met, where it stops.
    """
    n = x.size
    energy = depth_after(fields, columns[0], np.float32(0.0), lower, upper)
    for _ in range(n):
        if energy <= 0.0:
            break
        j = int(rng.random() * n)
        step = np.float32(-2.0) * x[j]
        after = depth_after(fields, columns[j], step, lower, upper)
        if after <= energy or rng.random() < math.exp((energy - after) / temperature):
            add_multiple(step, columns[j], fields)
            x[j] = -x[j]
            energy = after
    return energy
