"""Laws of scaling as functions of numbers, and what both their users check."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
import sympy

from theory.parameters import shown

__all__ = ["EPS", "Kind", "check_kind", "evaluator", "whole_number"]

Kind = Literal["nngp", "ntk"]
EPS = 2.0**-52


@cache
def evaluator(names: tuple[str, ...], law: Callable[[], Any], modules: str) -> Callable[..., Any]:
    """A law's value as a function of its symbols."""
    value = law().value
    found = {str(symbol): symbol for symbol in value.free_symbols}
    return sympy.lambdify([found.get(name, sympy.Symbol(name)) for name in names], value, modules)


def check_kind(kernel: str) -> None:
    """Refuse a kernel that is neither the NNGP nor the NTK."""
    if kernel not in ("nngp", "ntk"):
        raise ValueError(f"kernel is nngp or ntk, got {shown(kernel)}")


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """Return an integer between two bounds, or refuse it with its name."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} is an integer, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{name} is an integer from {least} to {most}, got {value}")
    return int(value)
