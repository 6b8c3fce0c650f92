"""Quadrature of many pairs, for those who interpolate between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.compiled import njit

from .quadrature import by_quadrature

__all__ = ["quadratures"]


@njit(nogil=True, error_model="numpy")
def quadratures(
    own: Any, one: np.ndarray, two: np.ndarray, rho: np.ndarray, gap: np.ndarray, out: np.ndarray
) -> None:
    """Fill D and the slope, shape (2, n), at variances and correlations, ``gap`` being 1 - |rho|.

    ``own`` is the activation, see `numerics.kernels.loops.functions.Functions.packed`.
    """
    for j in range(one.shape[0]):
        edge = one[j] * two[j]
        det = edge * gap[j] * (2.0 - gap[j])
        out[0, j], out[1, j] = by_quadrature(own, one[j], two[j], rho[j] * np.sqrt(edge), det)
