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
    """A law's value as a function of some of its symbols, with N as 1/u."""
    value = law().value
    found = {str(symbol): symbol for symbol in value.free_symbols}
    if "N" in found:
        inverse = sympy.Symbol("u")
        value = sympy.cancel(value.subs(found["N"], 1 / inverse))
        found["u"] = inverse
    return sympy.lambdify([found.get(n, sympy.Symbol(n)) for n in names], value, modules)


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
