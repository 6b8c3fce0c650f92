"""Evaluate a jet at all pairs; pasted behind ``jet``."""

from __future__ import annotations

import numba
import numpy as np

# pasted code above defines this
from .kernel_stub import jet


@numba.njit(error_model="numpy", cache=True)
def fill(k1: np.ndarray, k2: np.ndarray, c: np.ndarray, out: np.ndarray) -> None:
    """Fill out of shape (7, n1, n2)."""
    for i in range(k1.shape[0]):
        a = k1[i]
        for j in range(k2.shape[0]):
            o = k2[j]
            v = c[i, j]
            values = jet(
                a,
                o,
                v,
                max(a * o - v * v, 0.0),
                max(a + o - 2.0 * v, 0.0),
                max(a + o + 2.0 * v, 0.0),
            )
            out[0, i, j] = values[0]
            out[1, i, j] = values[1]
            out[2, i, j] = values[2]
            out[3, i, j] = values[3]
            out[4, i, j] = values[4]
            out[5, i, j] = values[5]
            out[6, i, j] = values[6]
