"""Steps of a derivation, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Attributes
    ----------
    title
        What is done.
    explanation
        Why it may be done, in a sentence or two.
    expression
        What it gives, a sympy expression (often an equation).
    """

    title: str
    explanation: str
    expression: Any
