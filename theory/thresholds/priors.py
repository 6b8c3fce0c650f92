"""Where x lives: priors, each the leaf of the x nest of a random dual."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

from sympy import Abs, Expr, Max, S, Symbol

from theory.parameters import Number, Parametrised, exact_number

__all__ = ["GAMMA_X", "MU", "P1", "BinaryPrior", "DiscretePrior", "Prior", "SphericalPrior"]

GAMMA_X = Symbol("gamma_x", positive=True)
MU = Symbol("mu", positive=True)
P1 = Symbol("p_1", positive=True)


class Prior(Parametrised, ABC):
    """Where x lives; contributes the leaf of the x nest."""

    @abstractmethod
    def leaf(self, h: Expr) -> Expr:
        """Return max over one coordinate of x (times sqrt(n)) of h x."""

    @property
    def multipliers(self) -> tuple[Symbol, ...]:
        """Symbols of the leaf that the dual is stationary in (Lagrange multipliers of the prior)."""
        return ()

    @property
    def is_discrete(self) -> bool:
        """Whether there are finitely many x: capacities are then hard-constraint limits."""
        return True

    @property
    def norm(self) -> Expr:
        """p_1 = |x|**2: 1, or the symbol ``P1`` where x has many norms and the dual is stationary in it."""
        return S.One

    @property
    def largest_norm(self) -> Expr:
        """Upper bound of `norm`."""
        return S.One


@dataclass(frozen=True)
class BinaryPrior(Prior):
    """x in {-1, +1}^n / sqrt(n)."""

    def leaf(self, h: Expr) -> Expr:
        """Return |h|, the maximum of h x over x = -1, +1."""
        return Abs(h)


@dataclass(frozen=True)
class DiscretePrior(Prior):
    """Every coordinate of sqrt(n) x in a finite set, as {0, 1}, {-1, 0, 1} or {0, 1, 2}.

    The norms of such x differ, p_1 = |x|**2 is an order parameter, and a penalty mu keeps it.

    Parameters
    ----------
    values
        Two or more numbers, read exactly, in any order.

    Raises
    ------
    TypeError
        When a value is not a number.
    ValueError
        When there are fewer than two values, or all have one modulus (use `BinaryPrior`).
    """

    values: tuple[Number, ...] = (0, 1)

    def __post_init__(self) -> None:
        """Read the values exactly."""
        symbol = Symbol("value", real=True)
        given = {exact_number("a weight", value, symbol) for value in self.values}
        if len({abs(value) for value in given}) < 2:
            raise ValueError(
                f"weights need two different moduli or more, got {self.values}; for -1, +1 use BinaryPrior"
            )
        object.__setattr__(self, "values", tuple(sorted(given)))

    @property
    def _numbers(self) -> tuple[Expr, ...]:
        return cast("tuple[Expr, ...]", self.values)

    def leaf(self, h: Expr) -> Expr:
        """Return mu p_1 + max of a h - mu a**2 over the values a, the Lagrangian per coordinate."""
        return MU * P1 + Max(*[a * h - MU * a**2 for a in self._numbers])

    @property
    def multipliers(self) -> tuple[Symbol, ...]:
        """Mu, the penalty on the norm."""
        return (MU,)

    @property
    def norm(self) -> Expr:
        """p_1 = |x|**2, to be found."""
        return P1

    @property
    def largest_norm(self) -> Expr:
        """Largest square of a value."""
        return max(a**2 for a in self._numbers)


@dataclass(frozen=True)
class SphericalPrior(Prior):
    """x on the unit sphere."""

    def leaf(self, h: Expr) -> Expr:
        """Return gamma_x + h**2/(4 gamma_x), the sphere's Lagrangian per coordinate."""
        return GAMMA_X + h**2 / (4 * GAMMA_X)

    @property
    def multipliers(self) -> tuple[Symbol, ...]:
        """gamma_x, the multiplier of the norm."""
        return (GAMMA_X,)

    @property
    def is_discrete(self) -> bool:
        """A continuum."""
        return False
