"""Walsh-Fourier coefficients on the hypercube of functions of a sum of signs, Hermite's on the line.

A function of z_1 + .. + z_n, z uniform on {-1, 1}^n, has one coefficient for each degree t: its mean with
the product of any t of the z. All follow from one generating function: over the z of which m are -1, that
product adds up to the coefficient of x^m in (1 - x)^t (1 + x)^(n - t).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb
from typing import Any

from sympy import (
    Eq,
    Expr,
    Function,
    Limit,
    Rational,
    S,
    Sum,
    Symbol,
    binomial,
    ceiling,
    diff,
    exp,
    expand,
    gamma,
    gammasimp,
    hermite_prob,
    pi,
    powsimp,
    simplify,
    sinh,
    sqrt,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "generating",
    "hermite_law",
    "hermite_threshold",
    "krawtchouk",
    "last_place",
    "majority_coefficient",
    "majority_law",
    "threshold_coefficient",
    "threshold_law",
    "walsh_coefficient",
]

SIZE, DEGREE = symbols("s t", integer=True, positive=True)
BIAS = Symbol("b", real=True)
_J, _M, _A, _H = symbols("j m a h", integer=True, nonnegative=True)
_COEFFICIENT = Symbol("a_t", real=True)
_MEANING = {
    _COEFFICIENT: "mean of z_1 .. z_t [z_1 + .. + z_s + b > 0]",
    SIZE: "signs",
    DEGREE: "degree, from 1 to s",
}


def generating(n: Any, t: Any, x: Any) -> Expr:
    """(1 - x)^t (1 + x)^(n - t), whose coefficients are `krawtchouk`."""
    return (1 - x) ** t * (1 + x) ** (n - t)


def krawtchouk(n: Any, t: Any, m: Any) -> Any:
    """Sum of the product of t of n signs, over all signs of which m are -1.

    Parameters
    ----------
    n, t, m : int or sympy expression
        ``n`` >= ``t`` >= 0.

    Returns
    -------
    int or sympy.Sum
        The coefficient of x^m in `generating`; an integer for integers.
    """
    if all(isinstance(value, int) for value in (n, t, m)):
        places = range(max(0, m - n + t), min(t, m) + 1)
        return sum((-1) ** j * comb(t, j) * comb(n - t, m - j) for j in places)
    return Sum((-1) ** _J * binomial(t, _J) * binomial(n - t, m - _J), (_J, 0, t))


def walsh_coefficient(function: Callable[[Any], Any], n: Any, t: Any) -> Any:
    """Mean of z_1 .. z_t f(z_1 + .. + z_n).

    Parameters
    ----------
    function : callable
        f, of the integers from -n to n in steps of two.
    n, t : int or sympy expression
        ``n`` >= ``t`` >= 0.
    """
    if isinstance(n, int) and isinstance(t, int):
        terms = (krawtchouk(n, t, m) * function(n - 2 * m) for m in range(n + 1))
        return sum(terms, start=S.Zero) / 2**n
    return Sum(krawtchouk(n, t, _M) * function(n - 2 * _M), (_M, 0, n)) / 2**n


def last_place(n: Any, bias: Any) -> Any:
    """Largest m with n - 2 m + bias > 0: how many signs may be -1 where a threshold holds."""
    return ceiling((n + bias) / S(2)) - 1


def threshold_coefficient(n: Any, t: Any, bias: Any = 0) -> Expr:
    """Mean of z_1 .. z_t [z_1 + .. + z_n + bias > 0]: `threshold_law`.

    Parameters
    ----------
    n, t : int or sympy expression
        ``n`` >= ``t`` >= 1; ``t`` = 0 as well where both are integers.
    bias : number or sympy expression

    Returns
    -------
    Rational
        An expression with a ``Sum`` for symbols.
    """
    if isinstance(n, int) and isinstance(t, int):
        m = int(min(max(last_place(n, bias), -1), n))
        if t == 0:
            return Rational(sum(comb(n, j) for j in range(m + 1)), 2**n)
        return Rational(krawtchouk(n - 1, t - 1, m) if 0 <= m < n else 0, 2**n)
    return krawtchouk(n - 1, t - 1, last_place(n, bias)) / 2**n


def _middle(a: Any, h: Any) -> Any:
    """Coefficient of x^h in (1 - x)^(2 a) (1 + x)^(2 h - 2 a)."""
    return (-1) ** a * binomial(2 * h, h) * binomial(h, a) / binomial(2 * h, 2 * a)


def majority_coefficient(n: Any, t: Any) -> Expr:
    """`threshold_coefficient` for odd n and t without bias, in closed form: `majority_law`."""
    return _middle((t - 1) / S(2), (n - 1) / S(2)) / 2**n


def hermite_threshold(t: int, bias: Any) -> Expr:
    """E He_t(g) [g + bias > 0] for g ~ N(0, 1) and t >= 1: `hermite_law`."""
    return hermite_prob(t - 1, -bias) * _density(bias)


def _density(x: Any) -> Expr:
    return exp(-(x**2) / S(2)) / sqrt(2 * pi)


@cache
def threshold_law() -> Law:
    """Coefficients of a threshold, as one sum."""
    x = Symbol("x", real=True)
    polynomial = generating(SIZE, DEGREE, x)
    places = Sum(krawtchouk(SIZE, DEGREE, _M), (_M, 0, last_place(SIZE, BIAS))) / 2**SIZE
    value = threshold_coefficient(SIZE, DEGREE, BIAS)
    return Law(
        "Walsh coefficients of a threshold",
        Eq(_COEFFICIENT, value),
        {**_MEANING, BIAS: "bias"},
        "every bias; 0 where the threshold always or never holds",
        (
            Step(
                "A sum over places",
                "The threshold holds where at most M of the signs are -1.",
                Eq(_COEFFICIENT, places),
            ),
            Step("Generating function", "The inner sums are its coefficients.", polynomial),
            Step(
                "The outer sum",
                "Partial sums of coefficients are the coefficients of the function over 1 - x.",
                powsimp(polynomial / (1 - x)),
            ),
            Step("One sum is left", "Its coefficient of x^M.", Eq(_COEFFICIENT, value)),
        ),
        "derived here",
    )


@cache
def majority_law() -> Law:
    """Coefficients of a majority in closed form."""
    x, c = Symbol("x", real=True), Function("c")
    rest = expand((1 - x) ** 2 - (1 + x) ** 2)
    residue = _middle(_A + 1, _H) - _middle(_A, _H) + 4 * _middle(_A, _H - 1)
    return Law(
        "Walsh coefficients of a majority",
        Eq(_COEFFICIENT, majority_coefficient(SIZE, DEGREE)),
        _MEANING,
        "s and t odd, no bias; for even t it is 0",
        (
            Step(
                "A middle coefficient",
                "With s = 2 h + 1 and t = 2 a + 1: of x^h in this function.",
                Eq(c(_A, _H), Symbol("[x^h]") * generating(2 * _H, 2 * _A, x)),
            ),
            Step(
                "Trade",
                "two factors 1 - x for two factors 1 + x.",
                Eq((1 - x) ** 2, (1 + x) ** 2 + rest),
            ),
            Step(
                "A recursion",
                "Hence, from the central binomial coefficient at a = 0 on.",
                Eq(c(_A + 1, _H), c(_A, _H) + rest.coeff(x) * c(_A, _H - 1)),
            ),
            Step("Its solution", "By the ratio of both sides.", Eq(c(_A, _H), _middle(_A, _H))),
            Step("Put in", "What is left of the recursion.", gammasimp(residue.rewrite(gamma))),
        ),
        "O'Donnell, Analysis of Boolean Functions (2014), 5.3; derived here",
    )


@cache
def hermite_law() -> Law:
    """Normal variables, and many signs."""
    c_t, delta, g = symbols("c_t delta g", real=True)
    d, he, index = Symbol("D", positive=True), Function("H"), Function("He_{t-1}")
    slope = simplify(diff(-he(g) * _density(g), g) / _density(g))
    many = (sinh(delta * d) / delta) ** DEGREE
    return Law(
        "Hermite coefficients of a threshold, the dense limit",
        Eq(c_t, index(-BIAS) * _density(BIAS)),
        {
            c_t: "E He_t(g) [g + b > 0], g ~ N(0, 1); limit of s^(t/2) a_t at the bias b sqrt(s)",
            BIAS: "bias, in standard deviations",
        },
        "t >= 1; He_t are the probabilists' Hermite polynomials",
        (
            Step(
                "A total derivative",
                "That of -He_{t-1} times the density, relative to the density, is He_t.",
                Eq(Function("He_t")(g), slope),
            ),
            Step(
                "From t = 1 on",
                "Without bias those of even t vanish.",
                tuple(hermite_threshold(t, BIAS) for t in (1, 2, 3, 4)),
            ),
            Step(
                "Many signs",
                "Those outside the product are nearly normal with variance s. The mean of a sign times a "
                "function shifted by it is a sinh of the derivative D, delta = 1/sqrt(s); t of them are a "
                "t-th derivative, and that of the normal distribution function is c_t.",
                Eq(Limit(many, delta, 0), Limit(many, delta, 0).doit()),
            ),
        ),
        "derived here",
    )
