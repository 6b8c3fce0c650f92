"""Parts of an installation that not everybody has: what is missing, and how it is come by."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from verify.errors import MissingExtraError

__all__ = ["EXTRAS", "missing", "need"]

EXTRAS = {
    "jax": "train",
    "optax": "train",
    "marimo": "lab",
    "safetensors": "checkpoints",
    "sklearn": "train",
    "statsmodels": "train",
    "uvicorn": "lab",
}
"""Modules that claims, experiments and the lab may need, and the extra that brings each."""


def missing(modules: Iterable[str]) -> str:
    """Extras without which some modules are not there, as ``widegap[train]``; empty if none is missing."""
    lacking = {EXTRAS[name] for name in modules if importlib.util.find_spec(name) is None}
    return ", ".join(f"widegap[{extra}]" for extra in sorted(lacking))


def need(*modules: str) -> None:
    """Make sure that modules are there.

    Raises
    ------
    MissingExtraError
        With the extra that brings them, and the command that installs it.
    """
    lacking = missing(modules)
    if lacking:
        raise MissingExtraError(f"this needs {lacking}: python -m pip install '{lacking}'")
