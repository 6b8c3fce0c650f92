"""Arrays of doubles with bounds of their errors: arithmetic in which theory's recursion knows its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.kernels.series.rounding import UNIT

__all__ = ["Bounded"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bounded:
    """Numbers, and how far they may be from what they stand for.

    Attributes
    ----------
    value, error : ndarray
        Of shapes that broadcast. Errors are absolute, and infinite where nothing is known.
    """

    value: Array
    error: Array

    # numpy leaves operations with arrays to this class
    __array_ufunc__ = None

    @classmethod
    def exact(cls, value: ArrayLike) -> Bounded:
        """Numbers that are what they are."""
        made = np.asarray(value, dtype=np.float64)
        return cls(made, np.zeros_like(made))

    @classmethod
    def rounded(cls, value: Array, error: Array) -> Bounded:
        """Results of one operation, whose rounding is added to the error that its operands make."""
        error = error + UNIT * np.abs(value)
        return cls(value, np.where(np.isnan(error), np.inf, error))

    @property
    def relative(self) -> Array:
        """Errors of numbers >= 0 relative to themselves; 0 where both are 0."""
        made = np.where(np.isfinite(self.value), 0.0, np.inf)
        some = (self.error > 0.0) & np.isfinite(self.value)
        return np.divide(self.error, self.value, out=made, where=some)

    def over(self, shape: tuple[int, ...]) -> Bounded:
        """The same numbers in a shape that they broadcast to."""
        return Bounded(np.broadcast_to(self.value, shape), np.broadcast_to(self.error, shape))

    def ravel(self) -> Bounded:
        """The same numbers in a row."""
        return Bounded(self.value.ravel(), self.error.ravel())

    def __add__(self, other: Any) -> Bounded:
        b = _read(other)
        return Bounded.rounded(self.value + b.value, self.error + b.error)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Bounded:
        b = _read(other)
        error = np.abs(self.value) * b.error + np.abs(b.value) * self.error + self.error * b.error
        # nothing times an unbounded slope is nothing
        none = ((self.value == 0.0) & (self.error == 0.0)) | ((b.value == 0.0) & (b.error == 0.0))
        return Bounded.rounded(
            np.where(none, 0.0, self.value * b.value), np.where(none, 0.0, error)
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Bounded:
        b = _read(other)
        value, least = self.value / b.value, np.abs(b.value) - b.error
        error = (self.error + np.abs(value) * b.error) / np.where(least > 0.0, least, 0.0)
        return Bounded.rounded(value, error)

    def sqrt(self) -> Bounded:
        """Square roots of numbers >= 0."""
        root = np.sqrt(self.value)
        error = np.divide(self.error, root, out=np.zeros_like(root), where=self.error > 0.0)
        return Bounded.rounded(root, error)


def _read(value: Any) -> Bounded:
    return value if isinstance(value, Bounded) else Bounded.exact(value)
