"""What kernels are given: inputs and standard deviations, checked, and layer 1 of each input."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Side", "check_inputs", "check_scales"]

Array = NDArray[np.float64]


def check_inputs(
    x1: ArrayLike, x2: ArrayLike | None, names: tuple[str, str] = ("x1", "x2")
) -> tuple[Array, Array | None]:
    """Return inputs as matrices of doubles.

    Parameters
    ----------
    x1, x2 : array_like, shape (n, d) or (d,)
    names : tuple of str
        What they are called in messages.

    Returns
    -------
    tuple of ndarray
        C-contiguous, shape (n, d).

    Raises
    ------
    ValueError
        If they are not matrices of finite real numbers with the same number of columns.
    """
    made: list[Array] = []
    for name, given in zip(names, (x1, x2), strict=True):
        if given is None:
            continue
        raw = np.asarray(given)
        if raw.dtype.kind not in "fiub":
            raise ValueError(f"{name} must hold real numbers, got dtype {raw.dtype}")
        x = np.ascontiguousarray(raw, dtype=np.float64)
        if x.ndim == 1:
            x = x[None, :]
        if x.ndim != 2 or 0 in x.shape:
            raise ValueError(f"{name} must have shape (n, d) with n, d >= 1, got {raw.shape}")
        if not np.isfinite(x).all():
            row = int(np.argwhere(~np.isfinite(x))[0][0])
            raise ValueError(f"{name} has NaN or infinite entries, the first in row {row}")
        if np.abs(x).max() > 1e100:
            raise ValueError(f"{name} has entries beyond 1e100; scale the data")
        made.append(x)
    if len(made) == 2 and made[0].shape[1] != made[1].shape[1]:
        columns = f"{made[0].shape[1]} and {made[1].shape[1]}"
        raise ValueError(f"{names[0]} and {names[1]} must have as many columns, got {columns}")
    return made[0], (made[1] if len(made) == 2 else None)


def check_scales(**scales: float) -> dict[str, float]:
    """Return standard deviations as floats, or say which one is not one."""
    made = {}
    for name, value in scales.items():
        number = float(value)
        if not (math.isfinite(number) and 0.0 <= number <= 1e50):
            raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
        made[name] = number
    return made


class Side:
    """One set of inputs: variances and unit vectors of layer 1.

    Parameters
    ----------
    x : ndarray, shape (n, d)
    scale : float
        sigma_w^2/d.
    b2 : float
        sigma_b^2.
    """

    def __init__(self, x: Array, scale: float, b2: float) -> None:
        self.x, self.scale, self.b2 = x, scale, b2
        self.xt = np.ascontiguousarray(x.T)
        total = np.zeros(len(x))
        for column in self.xt:  # in the order of the pair loops
            total = total + column * column
        self.k = scale * total + b2
        self.q = np.sqrt(self.k)
        z = np.hstack([x * math.sqrt(scale), np.full((len(x), 1), math.sqrt(b2))])
        self.z = z / np.where(self.q > 0.0, self.q, 1.0)[:, None]
        self.zt = np.ascontiguousarray(self.z.T)

    def covariance(self, other: Side) -> Array:
        """Layer-1 covariances with other inputs."""
        return self.scale * (self.x @ other.xt) + self.b2
