"""Checks of the theory: claims with their evidence, properties, and the strategies they share.

`claim` registers a claim, `all_claims` lists them, `run_claims` runs them. The strategies of
`verify.strategies` are for anyone's property tests. Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .strategies import (
        Leaf,
        Liftings,
        activations,
        inputs,
        kappas,
        leaves,
        levels,
        models,
        nests,
        order_parameters,
    )
    from .suite.claims import Claim, Run, all_claims, claim, select
    from .suite.runner import Record, run_claims
    from .suite.verdicts import Expected, Finding

__all__ = [
    "Claim",
    "Expected",
    "Finding",
    "Leaf",
    "Liftings",
    "Record",
    "Run",
    "activations",
    "all_claims",
    "claim",
    "inputs",
    "kappas",
    "leaves",
    "levels",
    "models",
    "nests",
    "order_parameters",
    "run_claims",
    "select",
]

_HOME = {
    **dict.fromkeys(("Claim", "Run", "all_claims", "claim", "select"), "suite.claims"),
    **dict.fromkeys(("Expected", "Finding"), "suite.verdicts"),
    **dict.fromkeys(("Record", "run_claims"), "suite.runner"),
    **dict.fromkeys(
        (
            "Leaf",
            "Liftings",
            "activations",
            "inputs",
            "kappas",
            "leaves",
            "levels",
            "models",
            "nests",
            "order_parameters",
        ),
        "strategies",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
