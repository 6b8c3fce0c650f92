"""What the tilted averages of one lifting make of functions on its nodes, for second derivatives; compiled.

A lifting at x averages with weights ``w = T exp(s f)/Z`` over its nodes. The derivative of f_{k+1} in
anything inside is the average of that of f_k, and second derivatives are covariances
(`numerics.nests.second`). So with the rows that the forward sweep left, several functions, *channels*, are
averaged at once: a weight is made once a row and node, and each channel takes a multiply-add.
"""

from __future__ import annotations

import math

import numpy as np

from numerics.compiled import njit

from .rows import FLAT, LOG_SUM, QUENCHED, TILTED

__all__ = ["averages"]


@njit(fastmath={"reassoc", "contract"})
def _row(f, lifting, rows, i, out):  # pragma: no cover - compiled
    """Weights of a row at nodes ``low..high``, which are returned, in ``out[low..high]``."""
    s, pad = lifting.s, lifting.reach
    position = (lifting.start + i) * lifting.outer_step
    shift = position // lifting.inner_step
    phase = position - shift * lifting.inner_step
    c = lifting.first + shift
    kind, low, high, block = rows.places[:, i]
    weight = rows.numbers[2, i]
    if kind == LOG_SUM:
        scale = 0.5 * lifting.h * lifting.h / lifting.v
        x = c + phase / lifting.inner_step
        for q in range(low, high + 1):
            a = s * (f[q] - lifting.ref) - scale * (q - x) * (q - x)
            out[q] = math.exp(a + weight)
    elif kind == TILTED:
        row = rows.tilted_table[0, phase]
        off = (rows.tilted_table.shape[2] - 1) // 2 - c - rows.tilts[block, 3]
        at = rows.tilts[block, 4] - rows.tilts[block, 0]
        for q in range(low, high + 1):
            out[q] = weight * row[q + off] * rows.tilted[q + at]
    else:  # padded nodes
        low, high = max(low - pad, 0), min(high - pad, f.size - 1)
        row = rows.table[phase]
        off = (rows.table.shape[1] - 1) // 2 - c
        for q in range(low, high + 1):
            out[q] = weight * row[q + off] * rows.e_form[q + pad]
    return low, high, c + phase / lifting.inner_step


@njit(fastmath={"reassoc", "contract"})
def averages(f, lifting, rows, channels, mu):  # pragma: no cover - compiled
    """Channels averaged at the outputs from ``rows.begin`` on, and what second derivatives in v need.

    Parameters
    ----------
    f : ndarray, shape (n,)
    lifting : Lifting
    rows : Rows
    channels : ndarray, shape (m, n)
        The first one is f less its reference.
    mu : ndarray, shape (count,)
        Gibbs weights of the outputs.

    Returns
    -------
    out : ndarray, shape (m, count)
    pulled : ndarray, shape (n,)
        ``sum_x mu w t`` with ``t = d log T/dv``.
    bend : float
        ``sum_x mu sum_y w T_vv/T``, of a quenched lifting that of f less its reference.
    """
    h, v = lifting.h, lifting.v
    n, m, count = f.size, channels.shape[0], mu.size
    out = np.zeros((m, count))
    pulled = np.zeros(n)
    bend = 0.0
    w = np.zeros(n)
    for j in range(count):
        i = rows.begin + j
        if rows.places[0, i] == FLAT:
            position = (lifting.start + i) * lifting.outer_step
            shift = position // lifting.inner_step
            share = (position - shift * lifting.inner_step) / lifting.inner_step
            near = min(max(lifting.first + shift, 0), n - 1)
            far = min(max(lifting.first + shift + 1, 0), n - 1)
            for k in range(m):
                out[k, j] = (1.0 - share) * channels[k, near] + share * channels[k, far]
            continue
        low, high, x = _row(f, lifting, rows, i, w)
        for k in range(m):
            total = 0.0
            for q in range(low, high + 1):
                total += w[q] * channels[k, q]
            out[k, j] = total
        quenched = rows.places[0, i] == QUENCHED
        sum_bend = 0.0
        for q in range(low, high + 1):
            u2 = (q - x) * (q - x) * (h * h / v)
            t = (u2 - 1.0) / (2.0 * v)
            a = mu[j] * w[q]
            pulled[q] += a * t
            b = a * (t * t - u2 / (v * v) + 0.5 / (v * v))
            sum_bend += b * channels[0, q] if quenched else b
        bend += sum_bend
    return out, pulled, bend
