"""What the frequency subject checks, and theory's expressions as functions of complex balls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from flint import acb, arb
from numpy.typing import ArrayLike, NDArray

from numerics.balls.program import printed

__all__ = ["BITS", "EPS", "MAX_LENGTH", "check_count", "check_series", "in_balls", "rounded"]

MAX_LENGTH = 10_000
"""Longest signal that is looked at bin by bin."""
BITS = 256
"""Precision of the balls."""
EPS = 2.0**-52


def check_series(x: ArrayLike, least: int, what: str = "the series") -> NDArray[np.float64]:
    """Return a series as doubles.

    Parameters
    ----------
    x : array_like
        Shape (T,), or (T, 1).
    least : int
        Fewest samples.
    what : str
        What messages call it.

    Raises
    ------
    ValueError
        If it has no samples, fewer than these, values that are not finite or too large, or several columns.
    """
    values = np.asarray(x, dtype=float)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{what} is one column of numbers, got the shape {values.shape}")
    if values.size == 0:
        raise ValueError(f"{what} has no samples")
    bad = np.flatnonzero(~(np.abs(values) <= 1e100))  # nan, too
    if bad.size:
        raise ValueError(
            f"{what} has {bad.size} values that are nan, infinite or beyond 1e100, the first at sample "
            f"{bad[0]}: fill or drop them"
        )
    if values.size < least:
        raise ValueError(f"{what} has {values.size} samples, and {least} are needed")
    return values


def check_count(value: int, least: int, most: int, what: str) -> int:
    """Return an integer between two bounds; ValueError for any other."""
    if not least <= value <= most:
        raise ValueError(f"{what} is between {least} and {most}, got {value}")
    return int(value)


_BALLS: dict[str, Any] = {
    "pi": arb.pi,
    "i": lambda: acb(0, 1),
    "mpf": arb,
    "exp": lambda z: acb(z).exp(),
    "log": lambda z: acb(z).log(),
    "erf": lambda z: z.erf(),
    "erfc": lambda z: z.erfc(),
    "sqrt": lambda z: arb(z).sqrt(),
}


def in_balls(arguments: Sequence[Any], expression: Any) -> Callable[..., Any]:
    """A function of balls that evaluates an expression, complex ones included."""
    unit = sympy.Symbol("i")
    evaluate = printed([unit, *arguments], [expression.xreplace({sympy.I: unit})], _BALLS)
    return lambda *values: evaluate(acb(0, 1), *values)[0]


def rounded(ball: Any) -> tuple[float, float]:
    """A real value, and a bound on its error as a double."""
    real = acb(ball).real
    value = float(real.mid())
    return value, float(real.rad()) + abs(value) * EPS
