"""Activations: by name, or any expression in one symbol.

Names take exact parameters after colons: ``leaky_relu:0.2`` is x for x > 0 and x/5 for x < 0. What an
activation is beyond its expression, its Lipschitz constant and whether it is positively homogeneous,
is derived where it can be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import sympy
from sympy import Abs, Expr, Max, Min, Rational, S, Symbol, exp, sqrt

from theory.errors import ActivationError
from theory.kernels.existence import Existence
from theory.kernels.grammar import parse
from theory.kernels.lipschitz import lipschitz

__all__ = ["NAMES", "Activation", "ActivationError", "activation"]

X = Symbol("x", real=True)

MAX_DEGREE = 12
"""Highest degree of hermite, monomial and rectified_monomial: their duals grow with its square."""


@dataclass(frozen=True)
class Activation:
    """A function of one real variable that acts on every unit of a layer.

    Attributes
    ----------
    name : str
        As given, or the expression written out.
    expr : Expr
        In ``symbol``.
    symbol : Symbol
    """

    name: str
    expr: Expr
    symbol: Symbol = X

    def __str__(self) -> str:
        return self.name

    @cached_property
    def existence(self) -> Existence:
        """Its smooth pieces, and which Gaussian expectations exist."""
        return Existence(self.expr, self.symbol)

    @cached_property
    def lipschitz(self) -> Expr | None:
        """Sup |phi'|; oo if phi jumps or its slope is unbounded, None if it cannot be told."""
        return lipschitz(self.existence)


def _hermite(n: int) -> Expr:
    terms = [S.One, X]
    for k in range(1, n):
        terms.append(sympy.expand(X * terms[k] - k * terms[k - 1]))
    return terms[n] / sqrt(sympy.factorial(n))


def _gelu() -> Expr:
    return X * (1 + sympy.erf(X / sqrt(2))) / 2


def _gaussian(b: Rational) -> Expr:
    return exp(b * X**2)


_REAL: dict[str, tuple[int, Callable[..., Expr]]] = {
    "identity": (0, lambda: X),
    "relu": (0, lambda: Max(X, 0)),
    "leaky_relu": (1, lambda a: Max(X, 0) + a * Min(X, 0)),
    "abrelu": (2, lambda a, b: b * Max(X, 0) + a * Min(X, 0)),
    "abs": (0, lambda: Abs(X)),
    "sign": (0, lambda: sympy.sign(X)),
    "erf": (0, lambda: sympy.erf(X)),
    "gelu": (0, _gelu),
    "tanh": (0, lambda: sympy.tanh(X)),
    "sigmoid": (0, lambda: (1 + sympy.tanh(X / 2)) / 2),
    "silu": (0, lambda: X * (1 + sympy.tanh(X / 2)) / 2),
    "softplus": (0, lambda: sympy.log(1 + exp(X))),
    "sin": (0, lambda: sympy.sin(X)),
    "cos": (0, lambda: sympy.cos(X)),
    "gabor": (0, lambda: exp(-(X**2)) * sympy.sin(X)),
    "gaussian": (1, _gaussian),
    "exp": (1, lambda b: exp(b * X)),
}
_WHOLE: dict[str, Callable[[int], Expr]] = {
    "hermite": _hermite,
    "monomial": lambda n: X**n,
    "rectified_monomial": lambda n: Max(X, 0) ** n if n else (1 + sympy.sign(X)) / 2,
}
_DEFAULTS = {"leaky_relu": ("0.01",), "gaussian": ("-1",), "exp": ("1",)}

NAMES = (*_REAL, *_WHOLE)
"""Known names; a:b is written ``name:a:b``."""


def _number(text: str, name: str) -> Rational:
    try:
        if not re.fullmatch(r"[+-]?[\d./]{1,30}(e[+-]?\d{1,2})?", text):
            raise ValueError
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ActivationError(
            f"{name} takes numbers such as 0.2 or 1/5 after a colon, got {text[:40]!r}"
        ) from None
    if value and not Fraction(1, 10**6) <= abs(value) <= 10**6:
        raise ActivationError(f"a parameter of {name} must be between 1e-6 and 1e6, got {text}")
    return Rational(value.numerator, value.denominator)


@lru_cache(maxsize=256)
def _named(text: str) -> Activation | None:
    name, *given = (part.strip() for part in text.lower().split(":"))
    if name in _REAL:
        count, make = _REAL[name]
        values = given or list(_DEFAULTS.get(name, ()))
        if len(values) != count:
            shape = ":".join([name, *"ab"[:count]])
            raise ActivationError(f"{name} takes {count} parameter(s), {shape!r}; got {text!r}")
        return Activation(text, make(*(_number(v, name) for v in values)))
    if name in _WHOLE:
        degree = given[0] if len(given) == 1 else ""
        if not (
            degree.isascii() and degree.isdigit() and len(degree) < 5 and int(degree) <= MAX_DEGREE
        ):
            raise ActivationError(
                f"{name} takes a degree from 0 to {MAX_DEGREE}, as in {name + ':2'!r}"
            )
        return Activation(text, sympy.sympify(_WHOLE[name](int(degree))))
    return None


def activation(phi: str | Expr | Activation) -> Activation:
    """Return an activation by name, from text in x, or from a sympy expression.

    Parameters
    ----------
    phi : str, sympy.Expr or Activation
        Text that is not a name is read by the closed grammar of `theory.kernels.grammar`; nothing in it is
        ever run.

    Returns
    -------
    Activation

    Raises
    ------
    ActivationError
        For unknown names, wrong parameters, text outside the grammar, and expressions that do not have
        exactly one symbol, are not real everywhere, or have kinks whose places cannot be found.
    """
    if isinstance(phi, Activation):
        return phi
    if isinstance(phi, str):
        known = _named(phi)
        if known is not None:
            return known
        expr = parse(phi, X, NAMES)
        return activation(expr)
    if not isinstance(phi, Expr):
        raise ActivationError(
            f"an activation is a name, text or a sympy expression, got {type(phi).__name__}"
        )
    symbols = sorted(phi.free_symbols, key=str)
    if len(symbols) > 1:
        raise ActivationError(
            f"an activation has one symbol, got {', '.join(map(str, symbols))} in {phi}"
        )
    expr = phi.xreplace({symbols[0]: X}) if symbols else phi
    if expr.has(sympy.zoo, sympy.nan, S.Infinity, S.NegativeInfinity, sympy.I):
        raise ActivationError(f"an activation is a real function, got {phi}")
    own = Activation(str(expr), expr)
    _ = own.existence.pieces  # raises
    return own
