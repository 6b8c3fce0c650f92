"""Algorithms that look for solutions of large binary perceptrons, behind one function.

``attempt(instance, algorithm, budget=.., seed=..) -> Attempt``; `ALGORITHMS` lists them. Each is one
small module: `belief` and `focusing` (message passing), `clup` (controlled loosening-up), `replicas` and
`annealing` (local search). Nothing is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import ALGORITHMS, Attempt, attempt

__all__ = ["ALGORITHMS", "Attempt", "attempt"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(".interface", __name__), name)
    globals()[name] = value
    return value
