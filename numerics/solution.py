"""What a solver returns, and what it raises when it cannot."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from theory import Model

__all__ = ["Branch", "ConvergenceError", "Solution", "Statistics"]

Branch = Literal["closed form", "finite", "s -> infinity"]


class ConvergenceError(ArithmeticError):
    """No stationary point was reached to the digits asked for.

    Attributes
    ----------
    best : Mapping of str to float
        Order parameters of the best point found, and its ``value``; empty if there was none.
    gradient_norm : float
        Norm of the gradient there; nan if there was no point.
    """

    def __init__(self, message: str, best: Mapping[str, float], gradient_norm: float) -> None:
        super().__init__(message)
        self.best = dict(best)
        self.gradient_norm = gradient_norm


@dataclass(frozen=True)
class Statistics:
    """What a level cost.

    Attributes
    ----------
    evaluations : int
        Values or values with gradients.
    exponentials : int
        Exponentials, logarithms and error functions taken by the nests.
    products : int
        Multiply-adds of the nests' convolutions.
    seconds : float
        Wall time.
    """

    evaluations: int = 0
    exponentials: int = 0
    products: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Solution:
    """A stationary point of a free energy.

    Attributes
    ----------
    model : theory.Model
    level : int
    value : float
        alpha = m/n for a capacity model.
    p, q, c : tuple of float
        Order parameters; for hard constraints q holds Q_2.. and c holds s_2.. Empty at level 2;
        for the branch ``s -> infinity`` the outermost pair (Q, s) is at (0, infinity) and left
        out.
    order_parameters : dict of str to float
        The same by name, with the field H of the limit functional where there is one.
    gradient_norm : float
        Euclidean norm of the gradient of log(alpha) in the logarithms of the chains' gaps.
    inertia : int
        Number of negative Hessian eigenvalues in those coordinates; 0 is a minimum.
    hessian_eigenvalues : tuple of float
        Ascending.
    digits : int
        Number of significant decimal digits that the error estimate supports.
    error : float
        Absolute error estimate of ``value``: proved discretisation bound, change under refinement
        of every grid, and Newton decrement; on the branch ``s -> infinity`` also the distance to
        the functional at the largest s that was resolved.
    branch : {"closed form", "finite", "s -> infinity"}
    split : str
        How the point grew out of the level below.
    note : str
        What was not reached, in a sentence; empty when everything was.
    branches : tuple of Solution
        Every distinct stationary point found at this level, this one included, lowest value first.
    statistics : Statistics
    """

    model: Model
    level: int
    value: float
    p: tuple[float, ...] = ()
    q: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    order_parameters: dict[str, float] = field(default_factory=dict)
    gradient_norm: float = 0.0
    inertia: int = 0
    hessian_eigenvalues: tuple[float, ...] = ()
    digits: int = 15
    error: float = 0.0
    branch: Branch = "finite"
    split: str = ""
    note: str = ""
    branches: tuple[Solution, ...] = field(default=(), repr=False)
    statistics: Statistics = Statistics()

    @property
    def ordering(self) -> str:
        """Order of the exponents 1 = s_1, s_2, ..: increasing, decreasing or mixed; '' if there are none."""
        values = (1.0, *self.c)
        if len(values) == 1:
            return ""
        steps = [b - a for a, b in itertools.pairwise(values)]
        if all(step > 0 for step in steps):
            return "increasing"
        return "decreasing" if all(step < 0 for step in steps) else "mixed"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content; other branches by their values and order parameters."""
        return {
            "model": self.model.name,
            "parameters": {str(k): str(v) for k, v in self.model.parameters.items()},
            "level": self.level,
            "value": self.value,
            "p": list(self.p),
            "q": list(self.q),
            "c": list(self.c),
            "order_parameters": dict(self.order_parameters),
            "ordering": self.ordering,
            "gradient_norm": self.gradient_norm,
            "inertia": self.inertia,
            "hessian_eigenvalues": list(self.hessian_eigenvalues),
            "digits": self.digits,
            "error": self.error,
            "branch": self.branch,
            "split": self.split,
            "note": self.note,
            "branches": [
                {
                    "value": other.value,
                    "branch": other.branch,
                    "order_parameters": dict(other.order_parameters),
                    "gradient_norm": other.gradient_norm,
                    "inertia": other.inertia,
                }
                for other in self.branches
            ],
            "statistics": {
                "evaluations": self.statistics.evaluations,
                "exponentials": self.statistics.exponentials,
                "products": self.statistics.products,
                "seconds": self.statistics.seconds,
            },
        }

    def __str__(self) -> str:
        """Return one block of text with the value, its order parameters and the evidence."""
        shown = max(1, min(self.digits, 15))
        lines = [
            f"{self.model}, level {self.level}: alpha = {self.value:.{shown}g} ({self.branch})"
        ]
        for name, values in (("p", self.p), ("Q", self.q), ("s", self.c)):
            if values:
                lines.append(f"  {name} = " + "  ".join(f"{v:.8g}" for v in values))
        error = "0" if self.error == 0.0 else f"{self.error:.1e}"
        lines.append(
            f"  error {error}, gradient norm {self.gradient_norm:.1e}, inertia {self.inertia}"
        )
        if self.note:
            lines.append(f"  {self.note}")
        if len(self.branches) > 1:
            others = ", ".join(f"{b.value:.12g}" for b in self.branches if b.value != self.value)
            lines.append(f"  other stationary points: {others}")
        return "\n".join(lines)


def supported_digits(value: float, error: float) -> int:
    """Significant decimal digits of ``value`` that an error estimate supports, at most 15."""
    if not math.isfinite(value) or value == 0.0 or not math.isfinite(error):
        return 0
    relative = max(error / abs(value), 1e-16)
    return max(0, min(15, math.floor(-math.log10(2.0 * relative))))
