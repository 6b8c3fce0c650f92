"""Parameters of models: declared as dataclass fields, read exactly."""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from typing import Any, Self

from sympy import Expr, Rational, Symbol

MAX_DIGITS = 1000
"""Digits of a parameter's numerator and of its denominator."""

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
    if number.is_Rational and max(abs(number.p), number.q) >= 10**MAX_DIGITS:
        raise ValueError(_too_long(name, value))
    domain = "positive" if symbol.is_positive else "real"
    inside = number.is_positive if symbol.is_positive else number.is_real
    if inside is None:
        raise ValueError(f"{name} must be a {domain} number; cannot decide that for {shown(value)}")
    if not inside:
        raise ValueError(f"{name} must be a {domain} number, got {shown(value)}")
    return number


def shown(value: object) -> str:
    """A value in a message of one line: text in quotes, a number as one writes it, long ones cut."""
    try:
        is_number = isinstance(value, numbers.Number | Decimal | Expr)
        text = str(value) if is_number else repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"
    if not isinstance(value, str):  # arrays have many lines
        text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _read(name: str, value: Any) -> Any:
    if isinstance(value, Expr):
        if not value.is_number or value.is_finite is not True:
            raise ValueError(f"{name} must be a finite number, got {shown(value)}")
        return Rational(str(value)) if value.is_Float else value
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal | str):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if isinstance(value, numbers.Rational):
        return Rational(int(value.numerator), int(value.denominator))
    text = value.strip() if isinstance(value, str) else str(value)
    if len(text) > 4 * MAX_DIGITS:
        raise ValueError(_too_long(name, value))
    try:
        if "/" in text:
            return Rational(Fraction(text).numerator, Fraction(text).denominator)
        decimal = Decimal(text)
    except (InvalidOperation, ValueError, ZeroDivisionError):
        raise ValueError(f"{name} must be a number, got {shown(value)}") from None
    if not decimal.is_finite():
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    if abs(decimal.adjusted()) > MAX_DIGITS:
        raise ValueError(_too_long(name, value))
    fraction = Fraction(decimal)
    return Rational(fraction.numerator, fraction.denominator)


def _too_long(name: str, value: object) -> str:
    return (
        f"{name} must lie between 1e-{MAX_DIGITS} and 1e{MAX_DIGITS} and have at most {MAX_DIGITS} digits, "
        f"got {shown(value)}"
    )


@dataclass(frozen=True)
class Parametrised:
    """A frozen dataclass whose fields declared by `parameter` are read as exact numbers."""

    def __post_init__(self) -> None:
        for field, symbol in self._fields():
            value = getattr(self, field)
            if value is None or (isinstance(value, Expr) and value == symbol):
                value = symbol
            else:
                value = exact_number(field, value, symbol)
            object.__setattr__(self, field, value)

    @classmethod
    def _fields(cls) -> list[tuple[str, Symbol]]:
        symbols = [(f.name, f.metadata.get("symbol")) for f in dataclasses.fields(cls)]
        return [(name, symbol) for name, symbol in symbols if symbol is not None]

    @property
    def parameters(self) -> dict[Symbol, Expr]:
        """Numbers given for the parameters, by symbol; symbolic parameters are left out."""
        values = {symbol: getattr(self, field) for field, symbol in self._fields()}
        return {symbol: value for symbol, value in values.items() if value != symbol}

    @property
    def generic(self) -> Self:
        """The same object with all parameters symbolic."""
        return dataclasses.replace(self, **{field: None for field, _ in self._fields()})
