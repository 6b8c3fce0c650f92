"""What kernels are given: inputs and standard deviations, checked, and layer 1 of each input."""

from __future__ import annotations

import math
from copy import copy
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.errors import DivergenceError
from numerics.kernels.loops.primitives import squares, sum_roundings
from numerics.kernels.series.rounding import UNIT
from theory.kernels.architectures import Architecture
from theory.kernels.duals import Tangent
from theory.parameters import shown

__all__ = [
    "MAX_SCALE",
    "Side",
    "check_alone",
    "check_inputs",
    "check_scales",
    "check_tangent",
    "equal_rows",
    "model_scales",
    "row_keys",
]

Array = NDArray[np.float64]
Places = NDArray[np.int64]
MAX_SCALE = 1e50
"""Largest standard deviation in doubles: its square times that of the largest input stays in range."""


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


def check_alone(x1: ArrayLike, x2: ArrayLike | None) -> Array:
    """Return the inputs whose diagonal is wanted.

    Raises
    ------
    ValueError
        As `check_inputs`, and if there are others.
    """
    if x2 is not None:
        raise ValueError("diag=True takes the diagonal of x1 with itself; leave x2 out")
    return check_inputs(x1, None)[0]


def check_scales(**scales: Any) -> dict[str, float]:
    """Return standard deviations as the nearest doubles, or say which one is not one or too large."""
    made = {}
    for name, value in scales.items():
        number = _rounded(value)
        infinite = isinstance(value, float) and math.isinf(value)
        if infinite or not number >= 0.0:
            raise ValueError(f"{name} must be a finite number >= 0, got {shown(value)}")
        if number > MAX_SCALE:
            raise ValueError(f"{name} must be at most 1e50 in doubles, got {_short(value)}")
        made[name] = number
    return made


def model_scales(model: Architecture) -> dict[str, float]:
    """Return an architecture's standard deviations as doubles: floats as they are, others rounded.

    Raises
    ------
    ValueError
        If one is a symbol, or beyond 1e50.
    """
    for name, value in model.scales.items():
        if getattr(value, "free_symbols", None):
            raise ValueError(f"{name} of {model} is a symbol; give it a number")
    return check_scales(**model.scales)


def _rounded(value: Any) -> float:
    """The double nearest to a number."""
    try:
        return value.p / value.q if getattr(value, "is_Rational", False) else float(value)
    except OverflowError:
        return math.inf


def _short(value: Any) -> str:
    """A number beyond what doubles hold, as in 1e+400."""
    if not getattr(value, "is_Rational", False):
        return shown(value)
    return f"{Decimal(int(value.p)) / Decimal(int(value.q)):.6e}".replace(".000000", "")


def check_tangent(kind: str) -> Tangent:
    """Return which tangent kernel is meant, or say what there is."""
    if kind not in ("limit", "almost_everywhere"):
        raise ValueError(f"tangent must be 'limit' or 'almost_everywhere', got {kind!r}")
    return kind


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
        self.k = scale * squares(self.x) + b2
        lost = (self.k < 1e-300) & (x != 0.0).any(axis=1)
        if scale > 0.0 and lost.any():
            row = int(np.argmax(lost))
            raise DivergenceError(
                f"row {row} has variance {self.k[row]:.3g}, below the range of doubles; scale the data up"
            )
        self.q = np.sqrt(self.k)
        inverse = 1.0 / np.where(self.q > 0.0, self.q, 1.0)
        # one rounding a component: factors that a whole row has leave its direction as it is
        self.z = np.hstack(
            [x * (math.sqrt(scale) * inverse)[:, None], (math.sqrt(b2) * inverse)[:, None]]
        )
        self.zt = np.ascontiguousarray(self.z.T)

    def take(self, part: slice) -> Side:
        """Some of the inputs."""
        made = copy(self)
        made.x, made.z, made.k, made.q = self.x[part], self.z[part], self.k[part], self.q[part]
        made.xt, made.zt = (np.ascontiguousarray(v[:, part]) for v in (self.xt, self.zt))
        return made

    @property
    def noise(self) -> tuple[float, float, float, float]:
        """Bounds of the errors of layer 1.

        Relative ones of variances, which are exact sums; those of covariances, relative to sqrt(k11 k22);
        angles of unit vectors, whose components have one rounding, and another two beside a bias; and of
        squared distances of these, by summing.
        """
        count = sum_roundings(self.x.shape[1] + 1)
        return 5 * UNIT, (count + 4) * UNIT, (2 if self.b2 == 0.0 else 5) * UNIT, (count + 2) * UNIT


def row_keys(x: Array) -> list[bytes]:
    """One key for each row, the same for equal rows."""
    plain = np.ascontiguousarray(x + 0.0)  # one zero, not two
    return plain.view(f"V{8 * x.shape[1]}").ravel().tolist()


def equal_rows(one: Side, two: Side, sense: float = 1.0) -> tuple[Places, Places]:
    """Inputs of the first side that are ``sense``, 1 or -1, times inputs of the second: indices of both."""
    where: dict[bytes, list[int]] = {}
    for j, key in enumerate(row_keys(sense * two.x)):
        where.setdefault(key, []).append(j)
    pairs = [(i, j) for i, key in enumerate(row_keys(one.x)) for j in where.get(key, ())]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return rows, columns
