"""Activations and their slopes on arrays, generated from theory's expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

from theory.kernels.activations import Activation, activation

__all__ = ["UnitFunctions", "unit_functions"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UnitFunctions:
    """What one unit computes.

    Attributes
    ----------
    name : str
    value, slope : callable
        phi and phi' of an array of any shape, in a new array. At a kink the slope is the mean of both sides.
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def unit_functions(phi: str | Expr | Activation) -> UnitFunctions:
    """Return an activation and its slope as functions of arrays.

    Parameters
    ----------
    phi : str, sympy.Expr or Activation
        As for `theory.activation`.

    Returns
    -------
    UnitFunctions

    Raises
    ------
    ActivationError
        As `theory.activation`.
    ValueError
        If the slope has a delta function: phi jumps, and networks of it have no tangent kernel. The value
        is then available all the same, and calling the slope raises.

    Notes
    -----
    The expression's own numpy and scipy functions, elementwise: errors are those of their rounding. About
    1 ns a unit for ReLU, 10 ns for tanh and erf.
    """
    return _generated(activation(phi))


@lru_cache(maxsize=64)
def _generated(phi: Activation) -> UnitFunctions:
    expr = phi.expr
    slope = sympy.diff(expr, phi.symbol)
    if slope.has(sympy.DiracDelta):

        def jumps(x: Array) -> Array:
            raise ValueError(f"{phi} jumps: it has no slope, and its networks no tangent kernel")

        return UnitFunctions(str(phi), _function(phi, expr), jumps)
    return UnitFunctions(str(phi), _function(phi, expr), _function(phi, slope))


_LARGER, _SMALLER, _STEP = (
    sympy.Function(f"unit_{name}") for name in ("larger", "smaller", "step")
)
_NAMES: dict[str, Any] = {
    "unit_larger": np.maximum,
    "unit_smaller": np.minimum,
    "unit_step": lambda x: np.heaviside(x, 0.5),
}


def _function(phi: Activation, expr: Expr) -> Callable[[Array], Array]:
    # sympy prints Max as a reduction over a stacked axis, which is slow and takes no scalars beside arrays
    made = expr.replace(sympy.Max, _pairwise(_LARGER)).replace(sympy.Min, _pairwise(_SMALLER))
    made = made.replace(sympy.Heaviside, lambda x, *_: _STEP(x))
    raw = sympy.lambdify(phi.symbol, made, [_NAMES, "scipy", "numpy"])
    if expr.has(phi.symbol):
        return lambda x: np.asarray(raw(x), dtype=np.float64)
    constant = float(expr)
    return lambda x: np.full(np.shape(x), constant)


def _pairwise(function: Any) -> Callable[..., Expr]:
    def fold(*items: Expr) -> Expr:
        total = items[0]
        for item in items[1:]:
            total = function(total, item)
        return total

    return fold
