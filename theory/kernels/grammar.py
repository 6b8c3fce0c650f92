"""A closed grammar for activations typed as text; nothing in it is ever evaluated as Python.

::

    sum      = product { ("+" | "-") product }
    product  = power { ("*" | "/") power }
    power    = ("+" | "-") power | atom [ ("**" | "^") exponent ]
    exponent = ["-"] integer | "(" ["-"] integer ")"
    atom     = number | "x" | "pi" | function "(" sum { "," sum } ")" | "(" sum ")"
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import sympy
from sympy import Expr, Integer, Rational, S, Symbol

from theory.errors import ActivationError

__all__ = ["ActivationError", "parse"]

MAX_LENGTH = 300
MAX_POWER = 12
MAX_DEPTH = 40

FUNCTIONS = {
    "abs": (1, sympy.Abs),
    "cos": (1, sympy.cos),
    "cosh": (1, sympy.cosh),
    "erf": (1, sympy.erf),
    "exp": (1, sympy.exp),
    "log": (1, sympy.log),
    "max": (2, sympy.Max),
    "min": (2, sympy.Min),
    "sigmoid": (1, lambda a: (1 + sympy.tanh(a / 2)) / 2),
    "sign": (1, sympy.sign),
    "sin": (1, sympy.sin),
    "sinh": (1, sympy.sinh),
    "sqrt": (1, sympy.sqrt),
    "atan": (1, sympy.atan),
    "tanh": (1, sympy.tanh),
}

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d{1,2})?|\.\d+)|([A-Za-z_]\w*)|(\*\*|[-+*/^(),]))"
)


class _Parser:
    def __init__(self, text: str, symbol: Symbol, names: Sequence[str]) -> None:
        self.text, self.symbol, self.names = text, symbol, names
        self.tokens = self._tokens()
        self.place = 0
        self.depth = 0

    def _error(self, what: str) -> Exception:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return ActivationError(f"cannot read the activation {shown!r}: {what}")

    def _tokens(self) -> list[str]:
        if len(self.text) > MAX_LENGTH:
            raise self._error(f"it is longer than {MAX_LENGTH} characters")
        if not self.text.isascii():
            raise self._error("it has characters outside ASCII")
        tokens, place = [], 0
        stripped = self.text.rstrip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None:
                raise self._error(f"unexpected {stripped[place:].strip()[:1]!r}")
            tokens.append(match.group(match.lastindex or 0))
            place = match.end()
        return tokens

    def _number(self, value: Expr) -> Expr:
        """Refuse numbers that are not real, such as log(0), or beyond 1e50, before they are used."""
        value = sympy.sympify(value)
        if value.has(sympy.zoo, sympy.nan, S.Infinity, S.NegativeInfinity, sympy.I):
            raise self._error("it takes a function at a place where it is no real number")
        if value.is_number and value != 0:
            size = sympy.N(value, 5)
            if size.has(sympy.I):
                raise self._error("it takes a function at a place where it is no real number")
            if not 1e-50 < abs(size) < 1e50:
                raise self._error("it holds a number beyond 1e50, or below 1e-50")
        return value

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if wanted and token != wanted:
            raise self._error(
                f"expected {wanted!r}, got {token!r}" if token else f"missing {wanted!r}"
            )
        self.place += 1
        return token

    def whole(self) -> Expr:
        if not self.tokens:
            raise self._error("it is empty")
        value = self.sum()
        if self.peek():
            raise self._error(f"unexpected {self.peek()!r}")
        value = sympy.sympify(value)
        if value.is_polynomial(self.symbol) and sympy.degree(value, self.symbol) > MAX_POWER:
            raise self._error(f"polynomials have degrees up to {MAX_POWER}")
        return value

    def sum(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error("it is nested too deeply")
        value = self.product()
        while self.peek() in ("+", "-"):
            sense = self.take()
            term = self.product()
            value = value + term if sense == "+" else value - term
        self.depth -= 1
        return value

    def product(self) -> Expr:
        value = self.power()
        while self.peek() in ("*", "/"):
            if self.take() == "*":
                value = value * self.power()
            else:
                below = self.power()
                if below == 0:
                    raise self._error("division by zero")
                value = value / below
        return value

    def power(self) -> Expr:
        if self.peek() in ("+", "-"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self._error("it is nested too deeply")
            sense = self.take()
            value = self.power()
            self.depth -= 1
            return value if sense == "+" else -value
        base = self.atom()
        if self.peek() not in ("**", "^"):
            return base
        self.take()
        index = self.exponent()
        if self.peek() in ("**", "^"):
            raise self._error("towers of powers are not allowed")
        if base == 0 and index < 0:
            raise self._error("division by zero")
        base = sympy.sympify(base)
        degree = sympy.degree(base, self.symbol) if base.is_polynomial(self.symbol) else 0
        if degree * abs(index) > MAX_POWER:
            raise self._error(f"powers go up to {MAX_POWER}")
        if base.is_number and base != 0 and abs(math.log10(abs(sympy.N(base)))) * abs(index) > 50:
            raise self._error("a power of a number is beyond 1e50")
        return base**index

    def exponent(self) -> Integer:
        inside = self.peek() == "("
        if inside:
            self.take()
        sense = -1 if self.peek() == "-" else 1
        if sense < 0:
            self.take()
        token = self.take()
        if not token.isdigit() or len(token) > 4 or int(token) > MAX_POWER:
            raise self._error(f"exponents are integers up to {MAX_POWER}, got {token[:20]!r}")
        if inside:
            self.take(")")
        return Integer(sense * int(token))

    def atom(self) -> Expr:
        token = self.take()
        if token == "(":
            value = self.sum()
            self.take(")")
            return value
        if token and (token[0].isdigit() or token[0] == "."):
            if len(token) > 25:
                raise self._error("a number has too many digits")
            value = Rational(token)
            if value and not Rational(1, 10**12) <= abs(value) <= 10**12:
                raise self._error("numbers are between 1e-12 and 1e12")
            return value
        if token == "x":
            return self.symbol
        if token == "pi":
            return S.Pi
        if token in FUNCTIONS:
            count, function = FUNCTIONS[token]
            if self.peek() != "(":
                raise self._error(f"{token} needs an argument in parentheses")
            self.take("(")
            arguments = [self.sum()]
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")")
            if len(arguments) != count:
                raise self._error(f"{token} takes {count} argument(s), got {len(arguments)}")
            return self._number(function(*map(self._number, arguments)))
        if not token:
            raise self._error("it ends too early")
        if token[0].isalpha() or token[0] == "_":
            if len(self.tokens) == 1:
                raise ActivationError(
                    f"unknown activation {token!r}; choose from {', '.join(self.names)}, "
                    "or write an expression in x"
                )
            raise self._error(
                f"unknown name {token[:30]!r}; known are x, pi, {', '.join(FUNCTIONS)}"
            )
        raise self._error(f"unexpected {token!r}")


def parse(text: str, symbol: Symbol, names: Sequence[str] = ()) -> Expr:
    """Read an expression.

    Parameters
    ----------
    text : str
        At most 300 ASCII characters, e.g. ``"x*erf(x) + 0.1*abs(x)"``. Numbers are exact decimals.
    symbol : Symbol
        What ``x`` stands for.
    names : sequence of str
        Activations to suggest for a single unknown word.

    Returns
    -------
    Expr

    Raises
    ------
    ActivationError
        If the text is not in the grammar, e.g. has attributes, indices, unknown names, or powers that
        are not integers up to 12.
    """
    return _Parser(text, symbol, names).whole()
