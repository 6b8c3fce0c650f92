"""Checks of the theory: property strategies that tests and users share.

The strategies of `verify.strategies` are importable from here; nothing heavy is imported before a
name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .strategies import Liftings, kappas, levels, models, nests, order_parameters

__all__ = ["Liftings", "kappas", "levels", "models", "nests", "order_parameters"]

_HOME = dict.fromkeys(__all__, "strategies")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
