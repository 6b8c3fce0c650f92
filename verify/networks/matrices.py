"""Random square matrices of which only the action is needed.

A matrix with independent normal entries maps orthonormal vectors to independent normal vectors, whatever
chose those vectors from what was seen before. So a matrix that is only ever applied from the left needs as
many random columns as the vectors it was applied to have dimensions, not n: exact in law, at a cost that is
linear in the width. (The argument is Bolthausen's conditioning, with one side.)
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

__all__ = ["DenseMatrix", "LazyMatrix"]

Array = NDArray[np.float64]
_NEGLIGIBLE = 1e-14
"""Part of a vector outside the known directions, relative to its length, that is rounding."""


class DenseMatrix:
    """An n x n matrix of independent N(0, sigma^2/n), entry by entry.

    Parameters
    ----------
    rng : numpy.random.Generator
    width : int
    sigma : float
    """

    def __init__(self, rng: np.random.Generator, width: int, sigma: float) -> None:
        self._numbers = rng.standard_normal((width, width))
        self._scale = sigma / width**0.5

    @property
    def entries(self) -> Array:
        """W, a copy."""
        return self._scale * self._numbers

    def apply(self, z: Array) -> Array:
        """W z for one vector or the columns of a matrix."""
        return self._numbers @ (self._scale * z)

    def transposed(self, z: Array) -> Array:
        """W' z."""
        return self._numbers.T @ (self._scale * z)


class LazyMatrix:
    """The same matrix in law, made up as it is applied.

    Parameters
    ----------
    rng : numpy.random.Generator
    width : int
    sigma : float

    Notes
    -----
    Keeps an orthonormal basis Q of all vectors seen and A = W Q. Directions shorter than 1e-14 of a vector
    are rounding and dropped. With k directions known, applying to m columns costs about 8 n k m operations
    and new directions n m random numbers, against n^2 numbers and 2 n^2 m operations: worth it while
    k << n.
    """

    def __init__(self, rng: np.random.Generator, width: int, sigma: float) -> None:
        self._rng, self._scale = rng, sigma / width**0.5
        self._basis = np.empty((width, 0))
        self._images = np.empty((width, 0))
        self.known = 0

    def apply(self, z: Array) -> Array:
        """W z for one vector or the columns of a matrix."""
        block = z.reshape(len(z), -1)
        q, a = self._basis[:, : self.known], self._images[:, : self.known]
        inside = q.T @ block
        rest = block - q @ inside
        again = q.T @ rest  # twice is enough
        rest -= q @ again
        product = a @ (inside + again)
        new = self._directions(rest, np.linalg.norm(block, axis=0))
        if new.shape[1]:
            images = self._scale * self._rng.standard_normal(new.shape)
            product += images @ (new.T @ rest)
            self._keep(new, images)
        return product.reshape(z.shape)

    def _directions(self, rest: Array, lengths: Array) -> Array:
        size = np.linalg.norm(rest, axis=0)
        rest = rest[:, size > _NEGLIGIBLE * np.maximum(lengths, 1e-300)]
        room = len(rest) - self.known
        if not rest.shape[1] or room <= 0:
            return rest[:, :0]
        unit = rest / np.linalg.norm(rest, axis=0)
        q, r, _ = scipy.linalg.qr(unit, mode="economic", pivoting=True, check_finite=False)
        rank = min(int(np.count_nonzero(np.abs(np.diag(r)) > 1e-12)), room)
        q = q[:, :rank]
        known = self._basis[:, : self.known]
        return np.linalg.qr(q - known @ (known.T @ q))[0]

    def _keep(self, directions: Array, images: Array) -> None:
        needed = self.known + directions.shape[1]
        if needed > self._basis.shape[1]:
            room = max(needed, 2 * self._basis.shape[1])
            for name in ("_basis", "_images"):
                grown = np.empty((len(directions), room), order="F")
                grown[:, : self.known] = getattr(self, name)[:, : self.known]
                setattr(self, name, grown)
        self._basis[:, self.known : needed] = directions
        self._images[:, self.known : needed] = images
        self.known = needed
