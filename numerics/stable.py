"""Stable forms of the leaves, tied to the derived expressions.

theory writes a leaf as it is derived, e.g. ``log((erf(a) + erf(b))/2)``; evaluated like that in
floating point it is useless where the probability underflows and loses its relative accuracy where
it is close to 1. Each function here has three faces: a sympy function that code generation
substitutes, its definition (``rewrite_definition``; a test compares the two), and a compiled
implementation.

Error: a few units in the last place of the result, for every argument in the stated domain, except
where ``log_erf_mean`` differences two close tails: there the relative error of the probability is
about ``2e-16 / (a + b)``.
"""

from __future__ import annotations

import math

import sympy
from numba import njit
from sympy import Add, Expr, Function, Rational, cosh, erf, log

__all__ = ["LogErfMean", "LogTwoCosh", "log_erf_mean", "log_two_cosh", "stable_form"]


class LogTwoCosh(Function):
    """``log(2 cosh u)``, finite for every real ``u``."""

    nargs = 1

    def definition(self) -> Expr:
        """The expression this function stands for."""
        return log(2 * cosh(self.args[0]))


class LogErfMean(Function):
    """``log((erf a + erf b)/2)`` for a + b > 0: log of a Gaussian probability of an interval."""

    nargs = 2

    def definition(self) -> Expr:
        """The expression this function stands for."""
        a, b = self.args
        return log(erf(a) / 2 + erf(b) / 2)


def stable_form(expr: Expr) -> Expr:
    """Replace a leaf by its stable form.

    Parameters
    ----------
    expr : sympy.Expr
        ``log(2 cosh u)`` or ``log`` of half the sum of two error functions.

    Returns
    -------
    sympy.Expr
        A `LogTwoCosh` or `LogErfMean` whose definition equals ``expr``.

    Raises
    ------
    ValueError
        If no stable form is known for the expression.
    """
    if isinstance(expr, log):
        inner = expr.args[0].expand(deep=False)
        if isinstance(inner, sympy.Mul):
            coefficient, rest = inner.as_coeff_Mul()
            if coefficient == 2 and isinstance(rest, cosh):
                return LogTwoCosh(rest.args[0])
        if isinstance(inner, Add) and len(inner.args) == 2:
            parts = [term.as_coeff_Mul() for term in inner.args]
            if all(c == Rational(1, 2) and isinstance(rest, erf) for c, rest in parts):
                first, second = (rest.args[0] for _, rest in parts)
                return LogErfMean(*sorted((first, second), key=sympy.default_sort_key))
    raise ValueError(f"no stable form is known for the leaf {expr}; add one to numerics.stable")


@njit(cache=True)
def log_two_cosh(u):  # pragma: no cover - compiled
    """``log(2 cosh u)`` = ``|u| + log1p(exp(-2|u|))``."""
    a = abs(u)
    return a + math.log1p(math.exp(-2.0 * a))


@njit(cache=True)
def _scaled_erfc_series(z):  # pragma: no cover - compiled
    """``exp(z^2) erfc(z)`` for z >= 25 by its asymptotic series; the first term left out is 1e-18."""
    w = 0.5 / (z * z)
    series = 1.0 - w * (1.0 - 3.0 * w * (1.0 - 5.0 * w * (1.0 - 7.0 * w * (1.0 - 9.0 * w))))
    return series / (z * math.sqrt(math.pi))


@njit(cache=True)
def log_erf_mean(a, b):  # pragma: no cover - compiled
    """``log((erf a + erf b)/2)``, a + b > 0: by complements inside, by scaled tails outside."""
    low = min(a, b)
    high = max(a, b)
    if low > 0.0:
        return math.log1p(-0.5 * (math.erfc(low) + math.erfc(high)))
    z = -low
    if z < 25.0:
        return math.log(0.5 * (math.erfc(z) - math.erfc(high)))
    ratio = math.exp(-(high - z) * (high + z)) * _scaled_erfc_series(high)
    return -z * z + math.log(0.5 * (_scaled_erfc_series(z) - ratio))
