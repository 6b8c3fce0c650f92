"""What a model is: a prior on x, a constraint on G x, and the sign of the problem.

A perceptron asks for x in a set X (the prior) such that every row of G x fulfils a constraint. Its
random dual is min_x max_y y'Gx (sign -1). Prior and constraint each contribute the leaf of one nest
of the random dual, nothing else; everything about them is derived from these leaves.

Adding a model means writing its leaf::

    @dataclass(frozen=True)
    class UConstraint(Constraint):
        '''|G x| >= kappa in every row.'''

        kappa: Expr = parameter("kappa", positive=True)

        def leaf(self, h, gamma):
            return Max(self.kappa - Abs(h), 0) ** 2 / (4 * gamma)

    model = Model("u-perceptron", BinaryPrior(), UConstraint(kappa=1))
"""

from __future__ import annotations

import copy
import dataclasses
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from typing import Any, Self, cast

from sympy import Abs, Expr, Max, Rational, Symbol

Number = int | float | str | Fraction | Decimal | Expr
"""What a parameter may be given as."""


def parameter(name: str, **assumptions: bool) -> Any:
    """Declare a model parameter as a dataclass field; None stands for the symbol.

    Parameters
    ----------
    name
        Name of its symbol.
    **assumptions
        sympy assumptions of the symbol; ``positive=True`` is checked for given numbers.
    """
    return dataclasses.field(default=None, metadata={"symbol": _symbol(name, **assumptions)})


@cache
def _symbol(name: str, **assumptions: bool) -> Symbol:
    return Symbol(name, **(assumptions or {"real": True}))


def exact_number(name: str, value: object, symbol: Symbol) -> Expr:
    """Read a parameter exactly: a float as its shortest decimal, text as decimal or fraction.

    Raises
    ------
    TypeError
        When ``value`` is not a number.
    ValueError
        When it is not finite, does not parse, or is outside the parameter's domain.
    """
    number = _read(name, value)
    domain = "positive" if symbol.is_positive else "real"
    inside = number.is_positive if symbol.is_positive else number.is_real
    if inside is None:
        raise ValueError(f"{name} must be a {domain} number; cannot decide that for {value!r}")
    if not inside:
        raise ValueError(f"{name} must be a {domain} number, got {value!r}")
    return number


def _read(name: str, value: Any) -> Expr:
    if isinstance(value, Expr):
        if not value.is_number or value.is_finite is not True:
            raise ValueError(f"{name} must be a finite number, got {value}")
        return Rational(str(value)) if value.is_Float else value
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal, str)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if isinstance(value, numbers.Rational):
        return Rational(int(value.numerator), int(value.denominator))
    text = value.strip() if isinstance(value, str) else str(value)
    try:
        if "/" in text:
            return Rational(Fraction(text).numerator, Fraction(text).denominator)
        decimal = Decimal(text)
    except (InvalidOperation, ValueError, ZeroDivisionError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
    if not decimal.is_finite():
        raise ValueError(f"{name} must be finite, got {value!r}")
    if abs(decimal.adjusted()) > 10_000:
        raise ValueError(f"{name} must lie between 1e-10000 and 1e10000, got {value!r}")
    fraction = Fraction(decimal)
    return Rational(fraction.numerator, fraction.denominator)


@dataclass(frozen=True)
class _Parametrised:
    """A frozen dataclass whose fields declared by `parameter` are read as exact numbers."""

    def __post_init__(self) -> None:
        for field, symbol in self._fields():
            value = getattr(self, field)
            if value is None or value == symbol:
                value = symbol
            else:
                value = exact_number(field, value, symbol)
            object.__setattr__(self, field, value)

    @classmethod
    def _fields(cls) -> list[tuple[str, Symbol]]:
        found = [(f.name, f.metadata.get("symbol")) for f in dataclasses.fields(cls)]
        return [(name, symbol) for name, symbol in found if symbol is not None]

    @property
    def parameters(self) -> dict[Symbol, Expr]:
        """Numbers given for the parameters, by symbol; symbolic parameters are left out."""
        values = {symbol: getattr(self, field) for field, symbol in self._fields()}
        return {symbol: value for symbol, value in values.items() if value != symbol}

    @property
    def generic(self) -> Self:
        """The same object with all parameters symbolic."""
        return dataclasses.replace(self, **{field: None for field, _ in self._fields()})


class Prior(_Parametrised, ABC):
    """Where x lives; contributes the leaf of the x nest."""

    @abstractmethod
    def leaf(self, h: Expr) -> Expr:
        """Return max over one coordinate of x (times sqrt(n)) of h x."""


class Constraint(_Parametrised, ABC):
    """What every row of G x must fulfil; contributes the leaf of the y nest."""

    @abstractmethod
    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return the squared violation of the constraint by h, divided by 4 gamma."""


@dataclass(frozen=True)
class BinaryPrior(Prior):
    """x in {-1, +1}^n / sqrt(n)."""

    def leaf(self, h: Expr) -> Expr:
        """Return |h|, the maximum of h x over x = -1, +1."""
        return Abs(h)


@dataclass(frozen=True)
class SymmetricConstraint(Constraint):
    """|G x| <= kappa in every row, kappa > 0."""

    kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009 (a field, not a default)

    def leaf(self, h: Expr, gamma: Expr) -> Expr:
        """Return max(|h| - kappa, 0)**2 / (4 gamma)."""
        return Max(Abs(h) - self.kappa, 0) ** 2 / (4 * gamma)


@dataclass(frozen=True)
class Model:
    """A random duality problem.

    Parameters
    ----------
    name
        Short lower-case name, as on the command line.
    prior
        Prior on x.
    constraint
        Constraint on the rows of G x.
    sign
        -1 for min_x max_y y'Gx (perceptrons: capacities), +1 for max_x max_y y'Gx.
    """

    name: str
    prior: Prior
    constraint: Constraint
    sign: int = -1

    def __post_init__(self) -> None:
        if not isinstance(self.prior, Prior) or not isinstance(self.constraint, Constraint):
            raise TypeError("a model needs a Prior and a Constraint, see theory.models")
        if self.sign not in (-1, 1):
            raise ValueError(f"sign must be -1 or +1, got {self.sign!r}")

    @property
    def parameters(self) -> dict[Symbol, Expr]:
        """Numbers given for the parameters, by symbol; empty when the model is symbolic."""
        return self.prior.parameters | self.constraint.parameters

    @property
    def generic(self) -> Self:
        """The same model with all parameters symbolic."""
        model = copy.copy(self)
        object.__setattr__(model, "prior", self.prior.generic)
        object.__setattr__(model, "constraint", self.constraint.generic)
        return model

    def __str__(self) -> str:
        """Return the name with the parameters, as in ``sbp(kappa=1/2)``."""
        values = ", ".join(f"{symbol}={value}" for symbol, value in self.parameters.items())
        return f"{self.name}({values})" if values else self.name


@dataclass(frozen=True)
class SBP(Model):
    """The symmetric binary perceptron: x in {-1, +1}^n / sqrt(n) with |G x| <= kappa.

    Parameters
    ----------
    kappa
        Margin, > 0. None keeps it symbolic. Read exactly: int, Fraction, Decimal, decimal text,
        sympy number; a float is read as its shortest decimal.

    Raises
    ------
    TypeError
        When kappa is not a number.
    ValueError
        When kappa is not positive and finite.

    Notes
    -----
    Aubin, Perkins, Zdeborova, J. Phys. A 52, 294003 (2019); Stojnic, arXiv:2601.10628.

    Examples
    --------
    >>> SBP(kappa=0.3).kappa
    3/10
    """

    def __init__(self, kappa: Number | None = None) -> None:
        super().__init__("sbp", BinaryPrior(), SymmetricConstraint(kappa))

    @property
    def kappa(self) -> Expr:
        """The margin, a number or the symbol kappa."""
        return cast("SymmetricConstraint", self.constraint).kappa
