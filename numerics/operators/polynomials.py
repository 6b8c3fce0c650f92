"""Polynomials that are orthonormal on a grid: what linear readouts of Chebyshev features are made of.

The features themselves do not do: on equally spaced points rounding loses their span long before they are as
many as the points. Multiplying by the frequency and making orthogonal, again and again, keeps it (Brubeck,
Nakatsukasa and Trefethen, SIAM Review 63 (2021), 405: "Vandermonde with Arnoldi").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polynomials"]

Floats = NDArray[np.float64]


class Polynomials:
    """Polynomials of degrees 0 to n, orthonormal on weighted points of [-1, 1].

    Parameters
    ----------
    points : ndarray, shape (m,)
        Different ones.
    weights : ndarray, shape (m,)
        Positive.
    n : int
        Below m.

    Attributes
    ----------
    basis : ndarray, shape (n + 1, m)
        Their values times the roots of the weights: orthonormal rows.

    Notes
    -----
    Every row is made orthogonal to the two before, as a recurrence of three terms would, and then to all.
    The cost is 2 m n^2 multiplications.
    """

    def __init__(self, points: Floats, weights: Floats, n: int) -> None:
        self.basis = np.zeros((n + 1, len(points)))
        self._parts = np.zeros((n + 1, n + 1))  # of u p_(j-1), by which p_j follows from the others
        row = np.sqrt(weights)
        for j in range(n + 1):
            for start in (max(j - 2, 0), 0):
                parts = self.basis[start:j] @ row
                row = row - parts @ self.basis[start:j]
                self._parts[j, start:j] += parts
            self._parts[j, j] = np.linalg.norm(row)
            self.basis[j] = row / self._parts[j, j]
            row = points * self.basis[j]

    def at(self, points: Floats) -> Floats:
        """Values, without weights, at other points; shape (n + 1, number of points)."""
        values = np.zeros((len(self._parts), len(points)))
        row = np.ones(len(points))
        for j, parts in enumerate(self._parts):
            values[j] = (row - parts[:j] @ values[:j]) / parts[j]
            row = points * values[j]
        return values
