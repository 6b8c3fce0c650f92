"""What architectures hold, read from what users give: activations, standard deviations, numbers of layers."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Symbol

from theory.kernels.activations import NAMES, Activation, activation
from theory.kernels.recursion import SIGMA_B, SIGMA_U, SIGMA_V, SIGMA_W
from theory.parameters import exact_number, shown

__all__ = ["MAX_DEPTH", "SCALES", "read_activation", "read_depth", "read_scale"]

MAX_DEPTH = 1_000_000
"""Most hidden layers of a perceptron."""

SCALES = {str(symbol): symbol for symbol in (SIGMA_W, SIGMA_U, SIGMA_B, SIGMA_V)}
"""Symbols of the standard deviations by name."""


def read_activation(phi: str | Expr | Activation) -> Activation:
    """Read an activation; names without spaces, in lower case."""
    if isinstance(phi, str):
        parts = [part.strip() for part in phi.lower().split(":")]
        phi = ":".join(parts) if parts[0] in NAMES else phi.strip()
    return activation(phi)


def read_scale(name: str, value: Any) -> Any:
    """Read a number >= 0: a float that is no short decimal stays the float that it is.

    Standard deviations may keep their own symbol.
    """
    symbol = SCALES.get(name)
    named = symbol is not None and isinstance(value, Symbol | str) and str(value).strip() == name
    if named and getattr(value, "is_nonnegative", None) is not False:
        return symbol
    said = f"{name} must be a finite number >= 0, got {shown(value)}"
    if symbol is not None and isinstance(value, Expr) and value.free_symbols:
        said += f"; Symbol({name!r}) keeps it symbolic"
    wrong = ValueError(said)
    if not _is_single(value):
        raise wrong
    try:
        if isinstance(value, int | str | Fraction | Decimal | Expr):
            number = exact_number(name, value, Symbol(name, real=True))
        else:
            number = float(value)
            if not math.isfinite(number):
                raise wrong
            decimal = Fraction(repr(number))
            if decimal == Fraction(number):
                number = sympy.Rational(decimal.numerator, decimal.denominator)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if not number >= 0:
        raise wrong
    return number


def read_depth(depth: Any) -> int:
    """Read a number of layers."""
    try:
        number = int(depth)
        good = _is_single(depth) and bool(number == depth) and number >= 1
    except (TypeError, ValueError, OverflowError):
        good, number = False, 0
    if not good:
        raise ValueError(f"depth must be an integer >= 1, got {shown(depth)}")
    if number > MAX_DEPTH:
        raise ValueError(f"depth must be an integer <= {MAX_DEPTH}, got {shown(depth)}")
    return number


def _is_single(value: Any) -> bool:
    """Whether it can be a number: it is not true or false, of Python or of numpy, and no array."""
    is_bool = isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"
    return not is_bool and getattr(value, "shape", ()) == ()
