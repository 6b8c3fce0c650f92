"""One iteration of approximate message passing for a dense Gaussian matrix, in one pass over it.

For magnetisations m_j with mean square q, variance V = 1 - q and rows G_i of variance 1/n per entry,

    omega_i = G_i . m - V g_i(before),         g_i = d/d omega log P(lower <= omega + sqrt(V) U <= upper),
    field_j = sum_i G_ij g_i + A m_j,          A = (1/n) sum_i -dg_i/d omega_i.

Belief propagation's messages on a dense graph are these to leading order in n (Kabashima, J. Phys. A 36,
11111 (2003); Donoho, Maleki, Montanari 2009). Both products with the matrix are made while a row is in
the cache: the matrix is read once per iteration.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit

from .kernels import add_multiple, dot, response

__all__ = ["LARGEST_FIELD", "amp_pass", "keep_awake", "part_for_norm", "random_start"]

LARGEST_FIELD = 30.0
SMALLEST_VARIANCE = 1e-4


@njit
def random_start(fields: Any, magnetisations: Any, width: float, rng: Any) -> None:
    """Small random fields, which break the symmetry between x and -x."""
    for j in range(fields.size):
        fields[j] = width * rng.standard_normal()
        magnetisations[j] = math.tanh(fields[j])


@njit
def keep_awake(q: float, fields: Any, magnetisations: Any, width: float, rng: Any) -> None:
    """Random fields again where those of the start have died out.

    Without magnetisation a symmetric perceptron stays where it is until that is unstable, and would
    by then have nothing left to grow from.
    """
    if q < 0.25 * width * width:
        for j in range(fields.size):
            fields[j] += 0.5 * width * rng.standard_normal()
            magnetisations[j] = math.tanh(fields[j])


@njit
def amp_pass(
    rows: Any, magnetisations: Any, g: Any, sums: Any, lower: float, upper: float, damping: float
) -> Any:
    """Update g in place and fill sums with G' g.

    Returns
    -------
    tuple of float
        q, and A.
    """
    m, n = rows.shape
    q = 0.0
    for j in range(n):
        q += magnetisations[j] * magnetisations[j]
    q /= n
    variance = max(1.0 - q, SMALLEST_VARIANCE)
    sums[:] = 0.0
    total = 0.0
    for i in range(m):
        omega = dot(rows[i], magnetisations) - variance * g[i]
        new, slope = response(omega, variance, lower, upper)
        g[i] = damping * g[i] + (1.0 - damping) * new
        total += slope
        add_multiple(np.float32(g[i]), rows[i], sums)
    return q, total / n


@njit
def part_for_norm(
    fields: Any,
    more: Any,
    r: float,
    wanted: float,
    least: float,
    most: float,
    step: float,
    trials: int,
) -> float:
    """Find the r at which tanh(fields + r more) has the wanted mean square, a few Newton steps closer.

    r moves by at most ``step`` in each of ``trials`` steps, and stays between ``least`` and ``most``.
    """
    n = fields.size
    for _ in range(trials):
        q, slope = 0.0, 0.0
        for j in range(n):
            spin = math.tanh(fields[j] + r * more[j])
            q += spin * spin
            slope += 2.0 * spin * (1.0 - spin * spin) * more[j]
        if slope <= 0.0:
            move = step if q < wanted * n else -step
        else:
            move = min(max((wanted * n - q) / slope, -step), step)
        r = min(max(r + move, least), most)
        if abs(move) < 1e-5 * step:
            break
    return r
