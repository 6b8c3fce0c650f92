"""Numbers: evaluators generated from theory's expressions, and the solvers that use them.

``solve(model, level) -> Solution`` is the verb; `Solution` carries the value and everything needed
to trust it; `ConvergenceError` and `ResolutionError` say what was not reached. Nothing heavy is
imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crosscheck import cross_check
    from .grids import ResolutionError
    from .levels import solve, solve_levels
    from .solution import ConvergenceError, Solution, Statistics

__all__ = [
    "ConvergenceError",
    "ResolutionError",
    "Solution",
    "Statistics",
    "cross_check",
    "solve",
    "solve_levels",
]

_HOME = {
    "ConvergenceError": "solution",
    "ResolutionError": "grids",
    "Solution": "solution",
    "Statistics": "solution",
    "cross_check": "crosscheck",
    "solve": "levels",
    "solve_levels": "levels",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
