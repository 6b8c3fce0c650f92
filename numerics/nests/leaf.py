"""A leaf as compiled code: its stable form, its symbolic derivatives, and what the grids need to know."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Lambda, Poly, Symbol, sqrt
from sympy.printing.pycode import pycode

from numerics.codegen import generated_module

from .grids import Strip
from .recognise import StableForm, stable_form
from .shape import EVEN_FALLING, Shape, TermNumbers, analyse, even_growing
from .stable import COMPILED, LogErfMean, LogMinusLogErfMean, LogTwoCosh

__all__ = ["CompiledLeaf", "compile_leaf"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CompiledLeaf:
    """A leaf as compiled code; satisfies `numerics.nests.doubles.Leaf`.

    Attributes
    ----------
    parameters : tuple of str
        Names of its parameters, in the order the functions take them.
    even : bool
        Whether it is an even function of the field, proved symbolically.
    """

    parameters: tuple[str, ...]
    even: bool
    _values: Callable[..., None]
    _derivatives: Callable[..., None]
    _facts: Callable[[Array], tuple[Strip, Shape]]
    _lacks: Callable[..., None] | None = None
    _lack_derivatives: Callable[..., None] | None = None

    @property
    def has_lacks(self) -> bool:
        """Whether it is the logarithm of an interval's probability, whose distance from 1 is known."""
        return self._lacks is not None

    def lacks(self, y: Array, parameters: Array) -> Array:
        """``log(-f_0(y))``, shape (n,), where f_0 may be below every double."""
        out = np.empty_like(y)
        assert self._lacks is not None
        self._lacks(y, parameters, out)
        return out

    def lack_derivatives(self, y: Array, parameters: Array) -> Array:
        """``d log(-f_0(y)) / d parameters``, shape (len(parameters), n)."""
        out = np.empty((len(self.parameters), y.size))
        assert self._lack_derivatives is not None
        self._lack_derivatives(y, parameters, out)
        return out

    def values(self, y: Array, parameters: Array) -> Array:
        """``f_0(y)``, shape (n,)."""
        out = np.empty_like(y)
        self._values(y, parameters, out)
        return out

    def derivatives(self, y: Array, f: Array, parameters: Array) -> Array:
        """``d f_0(y) / d parameters``, shape (len(parameters), n); ``f`` are the values at y."""
        out = np.empty((len(self.parameters), y.size))
        self._derivatives(y, f, parameters, out)
        return out

    def facts(self, parameters: Array) -> tuple[Strip, Shape]:
        """Analyticity of the leaf, and how it grows and falls, for given parameters."""
        return self._facts(parameters)


@lru_cache(maxsize=64)
def compile_leaf(leaf: Lambda) -> CompiledLeaf:
    """Compile a leaf and its derivatives in its parameters.

    Parameters
    ----------
    leaf : sympy.Lambda
        Function of the field; its free symbols are the parameters.

    Returns
    -------
    CompiledLeaf

    Raises
    ------
    ValueError
        If the leaf has no stable form (`numerics.nests.recognise`).

    Notes
    -----
    Derivatives are those of the stable form. A term's share of its sum enters as the exponential of a
    difference of logarithms, so nothing under- or overflows. Error: a few units in the last place of
    ``scale x (the largest logarithm of a term)``; for ``(1/c) log E exp(c ..)`` with small c that is
    about 1e-16/c.
    """
    symbols = tuple(sorted(leaf.expr.free_symbols - set(leaf.variables), key=str))
    h = Symbol("h", real=True)
    form = stable_form(leaf(h), h)
    unpack = [f"    {name} = parameters[{k}]" for k, name in enumerate(map(str, symbols))]
    text = "\n".join(
        [
            '"""Generated from a leaf of theory."""',
            "import math",
            "from numba import njit",
            f"from numerics.nests.stable import {', '.join(sorted(COMPILED.values()))}",
            *_loop("values(y, parameters, out)", unpack, [f"out[i] = {_code(form.expr)}"]),
            *_loop("derivatives(y, values, parameters, out)", unpack, _derivatives(form, symbols)),
            *_loop("slopes(y, parameters, first, second)", unpack, _slopes(form)),
            *_lacks(form, symbols, unpack),
            "",
        ]
    )
    module = generated_module("leaf", text)
    facts = _facts(form, symbols, module.slopes)
    names = tuple(map(str, symbols))
    lacks = getattr(module, "lacks", None), getattr(module, "lack_derivatives", None)
    return CompiledLeaf(names, form.is_even, module.values, module.derivatives, facts, *lacks)


# -- code ------------------------------------------------------------------------------------------


def _code(expr: Expr) -> str:
    return pycode(expr, user_functions=COMPILED, fully_qualified_modules=True)


def _loop(signature: str, unpack: list[str], body: list[str]) -> list[str]:
    lines = ["@njit(cache=True)", f"def {signature}:", *unpack, "    for i in range(y.size):"]
    return [*lines, "        h = y[i]", *(f"        {line}" for line in body), "        pass"]


def _assignments(targets: Sequence[str], expressions: Sequence[Expr]) -> list[str]:
    shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("t"))
    lines = [f"{name} = {_code(value)}" for name, value in shared]
    return lines + [f"{target} = {_code(e)}" for target, e in zip(targets, reduced, strict=True)]


def _derivatives(form: StableForm, symbols: Sequence[Symbol]) -> list[str]:
    expressions = [sympy.diff(form.expr, symbol) for symbol in symbols]
    lines = []
    if form.expr == form.logarithm:  # the values are the logarithm itself
        f = Symbol("f", real=True)
        expressions = [e.xreplace({form.logarithm: f}) for e in expressions]
        lines = ["f = values[i]"]
    return lines + _assignments([f"out[{k}, i]" for k in range(len(symbols))], expressions)


def _slopes(form: StableForm) -> list[str]:
    first = sympy.diff(form.expr, form.field)
    return _assignments(["first[i]", "second[i]"], [first, sympy.diff(first, form.field)])


def _lacks(form: StableForm, symbols: Sequence[Symbol], unpack: list[str]) -> list[str]:
    """Functions for the logarithm of what an interval's probability lacks, if the leaf is one's."""
    if not isinstance(form.expr, LogErfMean):
        return []
    lack = LogMinusLogErfMean(*form.expr.args)
    targets = [f"out[{k}, i]" for k in range(len(symbols))]
    slopes = _assignments(targets, [sympy.diff(lack, symbol) for symbol in symbols])
    return [
        *_loop("lacks(y, parameters, out)", unpack, [f"out[i] = {_code(lack)}"]),
        *_loop("lack_derivatives(y, parameters, out)", unpack, slopes),
    ]


# -- facts -----------------------------------------------------------------------------------------


def _facts(
    form: StableForm, symbols: Sequence[Symbol], slopes: Callable[..., None]
) -> Callable[[Array], tuple[Strip, Shape]]:
    """Strip and shape as a function of the parameters."""
    h = form.field
    if form.expr == LogTwoCosh(h):
        known = Strip(0.5 * math.pi, 0.0, "cone"), even_growing(1.0)
        return lambda _: known
    if isinstance(form.expr, LogErfMean) and form.is_even:
        # the measure of an interval under a Gaussian of variance 1/(2 slope^2)
        slope = sympy.diff(form.expr.args[0], h)
        variance = _numbers(symbols, [sympy.simplify(1 / (2 * slope**2))])

        def measure(parameters: Array) -> tuple[Strip, Shape]:
            (own,) = variance(tuple(parameters))
            return Strip(math.sqrt(2.0 * own), 1.0 / own, "log-concave"), EVEN_FALLING

        return measure
    numbers = _numbers(symbols, [form.scale, *_coefficients(form)])
    counts = [len(term.arguments) for term in form.terms]

    @lru_cache(maxsize=8)
    def facts(values: tuple[float, ...]) -> tuple[Strip, Shape]:
        parameters = np.array(values, dtype=float)
        scale, *rest = map(float, numbers(values))
        terms = []
        for count in counts:
            own, rest = rest[: 3 + 2 * count], rest[3 + 2 * count :]
            bounds = tuple((own[3 + 2 * k], own[4 + 2 * k]) for k in range(count))
            terms.append(TermNumbers((own[0], own[1], own[2]), bounds))

        def looked(fields: Array) -> tuple[Array, Array]:
            first, second = np.empty_like(fields), np.empty_like(fields)
            slopes(fields, parameters, first, second)
            return first, second

        return analyse(scale, terms, looked)

    return lambda parameters: facts(tuple(map(float, parameters)))


def _numbers(symbols: Sequence[Symbol], expressions: list[Expr]) -> Callable[[Any], list[float]]:
    return sympy.lambdify([list(symbols)], expressions, modules="math", cse=True)


def _coefficients(form: StableForm) -> list[Expr]:
    """Coefficients of every term, error functions in standard deviations, as `TermNumbers` has them."""
    h = form.field
    out: list[Expr] = []
    for term in form.terms:
        exponent = Poly(term.exponent, h)
        out += [exponent.coeff_monomial(h**n) for n in (2, 1, 0)]
        # erf a of an interval is Phi(sqrt(2) a)
        factor = sqrt(2) if len(term.arguments) == 2 else 1
        for argument in term.arguments:
            bound = Poly(factor * argument, h)
            out += [bound.coeff_monomial(h), bound.coeff_monomial(1)]
    return out
