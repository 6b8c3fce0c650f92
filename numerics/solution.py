"""What a solver returns, and what it raises when it cannot."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from theory import Model

__all__ = ["Branch", "ConvergenceError", "Solution", "Statistics"]

#: Digits of an energy are relative to itself, or to this where it is nearly zero.
ENERGY = 0.1
Branch = Literal["closed form", "finite", "s -> infinity", "merged", "satisfiable"]


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
        alpha = m/n for a capacity model, the energy xi for a ground state; an `mpmath.mpf` for more than
        15 digits, and so are the order parameters and the error.
    p, q, c : tuple of float
        Order parameters; for hard constraints q holds Q_2.. and c holds s_2.. Empty where the level is
        a closed form; for the branch ``s -> infinity`` the outermost pair (Q, s) is at (0, infinity) and left
        out.
    fields : tuple of float
        Multipliers gamma_x, gamma, or the field H of a limit functional.
    order_parameters : dict of str to float
        All of these by name; of up to 15 digits, with two digits fewer than the value.
    gaps : tuple of float
        Differences of neighbours in the chains of order parameters, from the upper end down: ``1 - p_2``,
        ``p_2 - p_3``, .. (`numerics.coordinates`), which have digits of their own where p is near 1.
    gradient_norm : float
        Euclidean norm of the gradient of log(alpha), or of xi, in the logarithms of the chains' gaps.
    inertia : int
        Number of negative Hessian eigenvalues of the functional in those coordinates; 0 is a minimum.
    hessian_eigenvalues : tuple of float
        Ascending.
    digits : int
        Number of significant decimal digits asked for, which the error supports; of an energy below 0.1 in
        size, digits relative to 0.1.
    error : float
        Bound on the absolute error of ``value``, from balls (`numerics.digits`): discretisation, truncation
        and every rounding, and what is left of the distance to the stationary point. Where a leaf's strip of
        analyticity is found by looking, also the change on other grids; on the branch ``s -> infinity`` the
        distance to the functional at the largest s that was resolved.
    branch : {"closed form", "finite", "s -> infinity", "merged", "satisfiable"}
        "merged": no stationary point of its own was found at this level, its liftings merge into those
        of the level below, whose value it has.
    split : str
        How the point grew out of the level below.
    reason : str
        Why this one of the branches is the physical one.
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
    fields: tuple[float, ...] = ()
    order_parameters: dict[str, float] = field(default_factory=dict)
    gaps: tuple[float, ...] = ()
    gradient_norm: float = 0.0
    inertia: int = 0
    hessian_eigenvalues: tuple[float, ...] = ()
    digits: int = 15
    error: float = 0.0
    branch: Branch = "finite"
    split: str = ""
    reason: str = ""
    note: str = ""
    branches: tuple[Solution, ...] = field(default=(), repr=False)
    statistics: Statistics = Statistics()

    @property
    def is_finite(self) -> bool:
        """Whether its exponents are the dual's own c_2, c_3, .., not ratios to a c_2 gone to infinity."""
        return self.model.is_finite

    @property
    def symbol(self) -> str:
        """Name of the value: alpha or xi."""
        return "alpha" if self.model.problem == "capacity" else "xi"

    @property
    def ordering(self) -> str:
        """Order of c_2, c_3, ..: increasing, decreasing or mixed; '' if there are fewer than two.

        For hard constraints of 1, s_2, s_3, .., which are proportional to them. The quenched average, of
        exponent 0, is left out.
        """
        values = self.c if self.is_finite else (1.0, *self.c)
        if len(values) < 2:
            return ""
        steps = [b - a for a, b in itertools.pairwise(values)]
        if all(step > 0 for step in steps):
            return "increasing"
        return "decreasing" if all(step < 0 for step in steps) else "mixed"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content; other branches by their values and order parameters.

        Numbers of more than 15 digits are text.
        """

        def number(x: Any) -> float | str:
            return x if isinstance(x, float) else written(x, self.digits)

        return {
            "model": self.model.name,
            "parameters": {str(k): str(v) for k, v in self.model.parameters.items()},
            "level": self.level,
            "symbol": self.symbol,
            "value": number(self.value),
            "p": [number(x) for x in self.p],
            "q": [number(x) for x in self.q],
            "c": [number(x) for x in self.c],
            "order_parameters": {k: number(x) for k, x in self.order_parameters.items()},
            "gaps": [number(x) for x in self.gaps],
            "fields": [number(x) for x in self.fields],
            "ordering": self.ordering,
            "gradient_norm": _short(self.gradient_norm),
            "inertia": self.inertia,
            "hessian_eigenvalues": list(self.hessian_eigenvalues),
            "digits": self.digits,
            "error": _short(self.error),
            "branch": self.branch,
            "split": self.split,
            "reason": self.reason,
            "note": self.note,
            "branches": [
                {
                    "value": number(other.value),
                    "branch": other.branch,
                    "order_parameters": {k: number(x) for k, x in other.order_parameters.items()},
                    "gradient_norm": _short(other.gradient_norm),
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
        value = written(self.value, max(1, self.digits))
        lines = [f"{self.model}, level {self.level}: {self.symbol} = {value} ({self.branch})"]
        names = ("p", "q", "c") if self.is_finite else ("p", "Q", "s")
        for name, values in zip(names, (self.p, self.q, self.c), strict=True):
            if values:
                lines.append(f"  {name} = " + "  ".join(written(v, 8) for v in values))
        error, norm = written(self.error, 2), written(self.gradient_norm, 2)
        lines.append(f"  error {error}, gradient norm {norm}, inertia {self.inertia}")
        if self.note:
            lines.append(f"  {self.note}")
        if len(self.branches) > 1:
            others = ", ".join(written(b.value, 12) for b in self.branches if b.value != self.value)
            lines.append(f"  other stationary points: {others}")
        return "\n".join(lines)


def written(number: Any, digits: int) -> str:
    """A float or an mpf to so many significant digits, no more than a float has."""
    if isinstance(number, (float, int)):
        return f"{number:.{min(digits, 15)}g}"
    import mpmath

    return str(mpmath.nstr(number, digits))


def _short(number: Any) -> float | str:
    """An error or a norm: a float, or text where it is too small for one."""
    return number if isinstance(number, (float, int)) else written(number, 3)


def supported_digits(value: float, error: float) -> int:
    """Significant decimal digits of ``value`` that an error estimate supports, at most 15."""
    if not math.isfinite(value) or value == 0.0 or not math.isfinite(error):
        return 0
    relative = max(error / abs(value), 1e-16)
    return max(0, min(15, math.floor(-math.log10(2.0 * relative))))
