"""Functions that leaves are written in: finite everywhere, accurate where the plain form is not.

theory writes a leaf as it is derived, e.g. ``log(1/2 + erf(a)/2)``; evaluated like that in floating
point it is useless where the probability underflows and loses its relative accuracy where it is
close to 1. Each function here has three faces: a sympy function with its derivatives, from which
code is generated; its definition (``definition``; a test compares the two); and a compiled
implementation of the same name in lower case. `numerics.nests.recognise` rewrites leaves in them.

Error: a few units in the last place of the result, for every argument in the stated domain, except
where ``log_erf_mean`` differences two close tails: there the relative error of the probability is
about ``2e-16 / (a + b)``.
"""

from __future__ import annotations

import math

from numba import njit
from sympy import Expr, Function, Rational, cosh, erf, exp, log, pi, sqrt, tanh
from sympy.core.function import ArgumentIndexError

__all__ = [
    "COMPILED",
    "InverseMills",
    "LogAddExp",
    "LogErfMean",
    "LogMinusLogErfMean",
    "LogNdtr",
    "LogTwoCosh",
    "definition",
    "inverse_mills",
    "log_add_exp",
    "log_erf_mean",
    "log_minus_log_erf_mean",
    "log_ndtr",
    "log_two_cosh",
]


class _Stable(Function):
    """A function with a definition in elementary functions."""

    def definition(self) -> Expr:
        """The expression this function stands for."""
        raise NotImplementedError

    def _eval_is_extended_real(self) -> bool | None:
        return True if all(argument.is_extended_real for argument in self.args) else None


class LogTwoCosh(_Stable):
    """``log(2 cosh u)``, finite for every real ``u``."""

    nargs = 1

    def definition(self) -> Expr:
        """The expression this function stands for."""
        return log(2 * cosh(self.args[0]))

    def fdiff(self, argindex: int = 1) -> Expr:
        """``tanh u``."""
        return tanh(self.args[0])


class LogErfMean(_Stable):
    """``log((erf a + erf b)/2)`` for a + b > 0: log of a Gaussian probability of an interval."""

    nargs = 2

    def definition(self) -> Expr:
        """The expression this function stands for."""
        a, b = self.args
        return log(erf(a) / 2 + erf(b) / 2)

    def fdiff(self, argindex: int = 1) -> Expr:
        """``exp(-a^2) / sqrt(pi)`` over the probability."""
        if argindex not in (1, 2):
            raise ArgumentIndexError(self, argindex)
        return exp(-(self.args[argindex - 1] ** 2) - self) / sqrt(pi)


class LogMinusLogErfMean(_Stable):
    """``log(-log((erf a + erf b)/2))`` for a + b > 0: how little an interval's probability lacks."""

    nargs = 2

    def definition(self) -> Expr:
        """The expression this function stands for."""
        a, b = self.args
        return log(-log(erf(a) / 2 + erf(b) / 2))

    def fdiff(self, argindex: int = 1) -> Expr:
        """Derivative of the logarithm over the logarithm, in one exponential."""
        if argindex not in (1, 2):
            raise ArgumentIndexError(self, argindex)
        own = self.args[argindex - 1]
        return -exp(-(own**2) - LogErfMean(*self.args) - self) / sqrt(pi)


class LogNdtr(_Stable):
    """``log Phi(x)``, log of the standard normal distribution function."""

    nargs = 1

    def definition(self) -> Expr:
        """The expression this function stands for."""
        return log(Rational(1, 2) + erf(self.args[0] / sqrt(2)) / 2)

    def fdiff(self, argindex: int = 1) -> Expr:
        """``phi(x)/Phi(x)``."""
        return InverseMills(self.args[0])


class InverseMills(_Stable):
    """``phi(x)/Phi(x)``, the derivative of ``log Phi``."""

    nargs = 1

    def definition(self) -> Expr:
        """The expression this function stands for."""
        x = self.args[0]
        return exp(-(x**2) / 2) / sqrt(2 * pi) / (Rational(1, 2) + erf(x / sqrt(2)) / 2)

    def fdiff(self, argindex: int = 1) -> Expr:
        """``-r (x + r)``."""
        return -self * (self.args[0] + self)


class LogAddExp(_Stable):
    """``log(exp a + exp b)``."""

    nargs = 2

    def definition(self) -> Expr:
        """The expression this function stands for."""
        a, b = self.args
        return log(exp(a) + exp(b))

    def fdiff(self, argindex: int = 1) -> Expr:
        """Share of one term in the sum, in log-space and from the difference of the terms alone."""
        if argindex not in (1, 2):
            raise ArgumentIndexError(self, argindex)
        own, other = self.args if argindex == 1 else self.args[::-1]
        return exp(-LogAddExp(0, other - own))


#: Compiled implementation of each function, by name.
COMPILED = {
    "InverseMills": "inverse_mills",
    "LogAddExp": "log_add_exp",
    "LogErfMean": "log_erf_mean",
    "LogMinusLogErfMean": "log_minus_log_erf_mean",
    "LogNdtr": "log_ndtr",
    "LogTwoCosh": "log_two_cosh",
}


def definition(expr: Expr) -> Expr:
    """Write an expression in elementary functions.

    Parameters
    ----------
    expr : sympy.Expr
        May contain functions of this module, nested.

    Returns
    -------
    sympy.Expr
    """
    calls = expr.atoms(_Stable)
    if not calls:
        return expr
    # innermost first: a definition may contain another function's argument
    inner = [e for e in calls if not any(a.has(_Stable) for a in e.args)]
    return definition(expr.xreplace({e: e.definition() for e in inner}))


@njit(cache=True)
def log_two_cosh(u):  # pragma: no cover - compiled
    """``log(2 cosh u)`` = ``|u| + log1p(exp(-2|u|))``."""
    a = abs(u)
    return a + math.log1p(math.exp(-2.0 * a))


@njit(cache=True)
def log_add_exp(a, b):  # pragma: no cover - compiled
    """``log(exp a + exp b)``, the larger one taken out."""
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


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
    if low > -0.5 and high < 0.5:  # both near the centre: complements would cancel
        return math.log(0.5 * (math.erf(low) + math.erf(high)))
    if low > 0.0:
        return math.log1p(-0.5 * (math.erfc(low) + math.erfc(high)))
    z = -low
    if z < 25.0:
        return math.log(0.5 * (math.erfc(z) - math.erfc(high)))
    ratio = math.exp(-(high - z) * (high + z)) * _scaled_erfc_series(high)
    return -z * z + math.log(0.5 * (_scaled_erfc_series(z) - ratio))


@njit(cache=True)
def log_minus_log_erf_mean(a, b):  # pragma: no cover - compiled
    """``log(-log((erf a + erf b)/2))``, a + b > 0; where both tails underflow by the scaled one."""
    z = min(a, b)
    if z < 25.0:
        return math.log(-log_erf_mean(a, b))
    high = max(a, b)
    ratio = math.exp(-(high - z) * (high + z))
    tails = _scaled_erfc_series(z) + ratio * _scaled_erfc_series(high)
    return -z * z + math.log(0.5 * tails)


@njit(cache=True)
def _exact_product(a, b):  # pragma: no cover - compiled
    """``a b`` and its rounding error, for |a|, |b| < 1e150 (Dekker 1971)."""
    product = a * b
    t = 134217729.0 * a
    a_high = t - (t - a)
    t = 134217729.0 * b
    b_high = t - (t - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


_ROOT_HALF = math.sqrt(0.5)
#: sqrt(1/2) minus its double
_ROOT_HALF_REST = -4.8336466567264567e-17


@njit(cache=True)
def _erfc_of_root_half(x):  # pragma: no cover - compiled
    """``erfc(x/sqrt 2)`` for 0 <= x < 37; the rounding of the argument is corrected to first order."""
    z, rest = _exact_product(x, _ROOT_HALF)
    rest += x * _ROOT_HALF_REST
    # the slope of log erfc(z) lies between -2 z - 1/z and -2 z
    slope = (
        2.0 * z + 1.0 / z
        if z > 1.0
        else 2.0 * math.exp(-z * z) / (1.7724538509055159 * math.erfc(z))
    )
    return math.erfc(z) * (1.0 - slope * rest)


@njit(cache=True)
def log_ndtr(x):  # pragma: no cover - compiled
    """``log Phi(x)``: by the complement on the right, by the scaled tail on the left."""
    if x > -0.5:
        if x < 0.0:
            return math.log1p(-0.5 * (2.0 - _erfc_of_root_half(-x)))
        return math.log1p(-0.5 * _erfc_of_root_half(x)) if x < 38.0 else 0.0
    if x < -36.0:
        return -0.5 * x * x + math.log(0.5 * _scaled_erfc_series(-x * _ROOT_HALF))
    return math.log(0.5 * _erfc_of_root_half(-x))


@njit(cache=True)
def inverse_mills(x):  # pragma: no cover - compiled
    """``phi(x)/Phi(x)``; on the left by the scaled tail, on the right nothing cancels."""
    if x < -36.0:
        return 0.7978845608028654 / _scaled_erfc_series(-x * _ROOT_HALF)
    if x > 38.0:
        return 0.0
    square, rest = _exact_product(x, x)
    density = math.exp(-0.5 * square) * (1.0 - 0.5 * rest)
    if x < 0.0:
        return 0.7978845608028654 * density / _erfc_of_root_half(-x)
    return 0.7978845608028654 * density / (2.0 - _erfc_of_root_half(x))
