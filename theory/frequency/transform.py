"""The discrete Fourier transform of symbolic length, unitary: bins k and times n from 0 to T - 1.

`dft` and `inverse_dft` are sums that sympy evaluates: exactly where T is a number, and for symbolic T where
it knows the sum. A signal is a function of time, an undefined one or a ``Lambda``:

>>> from sympy import KroneckerDelta, Lambda, sqrt
>>> dft(Lambda(n, sqrt(T) * KroneckerDelta(n, 0)), k).doit()
1
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sympy import (
    Eq,
    Expr,
    Function,
    I,
    KroneckerDelta,
    Mod,
    Piecewise,
    Sum,
    Symbol,
    conjugate,
    exp,
    floor,
    pi,
    simplify,
    sqrt,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "T",
    "character",
    "circular_convolution",
    "convolution",
    "dft",
    "inverse_dft",
    "k",
    "m",
    "mean_character",
    "multiplicity",
    "n",
    "orthogonality",
    "parseval",
    "picked",
    "verified",
]

T: Any = Symbol("T", integer=True, positive=True)
"""Length."""
n: Any = Symbol("n", integer=True)
"""Time."""
m: Any = Symbol("m", integer=True)
"""Another time."""
k: Any = Symbol("k", integer=True)
"""Bin."""
_l, _d = symbols("l d", integer=True)
_x, _w, _X, _W, _Y = map(Function, "xwXWY")


def character(bin: Any, time: Any, length: Any = T) -> Expr:
    """exp(2 pi i k n / T)."""
    return exp(2 * pi * I * bin * time / length)


def dft(signal: Callable[[Any], Any], bin: Any, length: Any = T) -> Expr:
    """The transform of a signal at a bin, a sum over n that ``doit`` evaluates."""
    return Sum(signal(n) * character(-bin, n, length), (n, 0, length - 1)) / sqrt(length)


def inverse_dft(spectrum: Callable[[Any], Any], time: Any, length: Any = T) -> Expr:
    """The signal of a spectrum at a time, a sum over k that ``doit`` evaluates."""
    return Sum(spectrum(k) * character(k, time, length), (k, 0, length - 1)) / sqrt(length)


def circular_convolution(
    one: Callable[[Any], Any], other: Callable[[Any], Any], time: Any, length: Any = T
) -> Expr:
    """The circular convolution of two signals at a time, a sum over m that ``doit`` evaluates."""
    return Sum(one(m) * other(Mod(time - m, length)), (m, 0, length - 1))


def multiplicity(bin: Any, length: Any = T) -> Expr:
    """How often a bin of the half spectrum of a real signal, 0 to floor(T/2), counts in the whole one."""
    return Piecewise((1, Eq(bin, 0) | Eq(2 * bin, length)), (2, True))


def mean_character(difference: Any) -> Expr:
    """The mean over k of exp(2 pi i k d / T), as sympy sums it, for an integer d."""
    total = Sum(character(k, _d), (k, 0, T - 1)).doit()
    cases = [(value / T, condition) for value, condition in total.args]
    return Piecewise(*cases).subs(_d, difference)


def picked(term: Any, index: Any, at: Any) -> Expr:
    """Sum a term with Kronecker's delta over an index from 0 to T - 1, which ``at`` is among."""
    (value, _), *_ = Sum(term * KroneckerDelta(index, at), (index, 0, T - 1)).doit().args
    return value


def verified(value: Any, wanted: Any) -> Any:
    """A tidier form of an expression, if sympy finds it equal.

    Raises
    ------
    ArithmeticError
        If it does not.
    """
    if simplify((value - wanted).rewrite(exp)) != 0:
        raise ArithmeticError(f"{value} is not {wanted}")
    return wanted


@cache
def orthogonality() -> Law:
    """Characters are orthogonal."""
    total = Sum(character(k, _d), (k, 0, T - 1)) / T
    summed: Any = mean_character(_d)
    return Law(
        "Characters are orthogonal",
        Eq(total, Piecewise((1, Eq(Mod(_d, T), 0)), (0, True))),
        {T: "length", k: "bin", _d: "difference of two times, or of two bins"},
        "every length T and every integer d",
        (
            Step(
                "Geometric series",
                "The ratio of successive terms is exp(2 pi i d/T). Its T-th power is 1, so the sum vanishes "
                "unless the ratio itself is 1, which is where T divides d.",
                Eq(total, summed),
            ),
        ),
        "derived here",
    )


@cache
def parseval() -> Law:
    """The energy of a signal is that of its transform."""
    energy = Symbol("E")
    inner = Sum(character(k, m - n), (k, 0, T - 1)) / T
    double = Sum(Sum(_x(n) * conjugate(_x(m)) * inner, (m, 0, T - 1)), (n, 0, T - 1))
    single = Sum(picked(_x(n) * conjugate(_x(m)), m, n), (n, 0, T - 1))
    half = Sum(multiplicity(k) * abs(_X(k)) ** 2, (k, 0, floor(T / 2)))
    return Law(
        "The energy is the same in both domains (Parseval)",
        Eq(Sum(abs(_X(k)) ** 2, (k, 0, T - 1)), Sum(abs(_x(n)) ** 2, (n, 0, T - 1))),
        {T: "length", k: "bin", n: "time"},
        "X is the unitary transform of x",
        (
            Step(
                "Definition",
                "The energy of the transform is a double sum over times, in which the one over bins comes "
                "first.",
                Eq(energy, double),
            ),
            Step(
                "Orthogonality", "The sum over bins is 1 where the times agree.", Eq(energy, single)
            ),
            Step(
                "Half spectrum",
                "The bins k and T - k of a real signal are conjugates: those between 0 and T/2 count twice.",
                Eq(energy, half),
            ),
        ),
        "Parseval; derived here",
    )


@cache
def convolution() -> Law:
    """The transform turns circular convolution into a product."""
    weight = Sum(_w(m) * character(-_l, m), (m, 0, T - 1)) / sqrt(T)
    average = Sum(character(_l - k, n), (n, 0, T - 1)) / T
    product = sqrt(T) * _W(k) * _X(k)
    return Law(
        "A circular convolution is a product of transforms",
        Eq(dft(lambda time: circular_convolution(_w, _x, time), k), product),
        {T: "length", k: "bin", n: "time", m: "time"},
        "W and X are the unitary transforms of w and x",
        (
            Step(
                "The shifted signal",
                "An inverse transform has the period T: it is the signal at n - m modulo T.",
                Eq(_x(n - m), inverse_dft(_X, n - m).xreplace({k: _l})),
            ),
            Step("Sum over m", "Only the weights and one phase depend on m.", Eq(_W(_l), weight)),
            Step(
                "Sum over n",
                "The transform of what is left, 1 where l = k.",
                Eq(average, mean_character(_l - k)),
            ),
            Step(
                "Sum over l",
                "One bin is left.",
                Eq(_Y(k), picked(sqrt(T) * _W(_l) * _X(_l), _l, k)),
            ),
        ),
        "derived here",
    )
