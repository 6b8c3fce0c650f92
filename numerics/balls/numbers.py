"""Balls as other numbers: the midpoint as a double or an mpf, and its logarithm."""

from __future__ import annotations

import math
from typing import Any

import mpmath
from flint import arb

__all__ = ["float_of", "log_of", "mpf_of"]


def mpf_of(ball: arb) -> Any:
    """The midpoint of a ball as an mpf, exactly, whatever the precision."""
    mantissa, exponent = ball.mid().man_exp()
    with mpmath.workprec(max(int(mantissa).bit_length(), 53)):
        return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


def log_of(ball: arb) -> float:
    """Logarithm of the midpoint's size, far beyond the range of doubles; -inf for 0."""
    middle = ball.mid()
    if middle.is_zero():
        return -math.inf
    mantissa, exponent = middle.man_exp()
    mantissa = abs(mantissa)
    digits = mantissa.bit_length()
    return math.log(float(mantissa >> max(digits - 60, 0))) + math.log(2.0) * (
        int(exponent) + max(digits - 60, 0)
    )


def float_of(ball: arb) -> float:
    """The midpoint, rounded; infinite beyond the doubles."""
    return float(ball.mid())
