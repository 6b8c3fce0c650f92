"""Closed forms of Gaussian integrals with kinks.

A function of one variable made from polynomials, exponentials of quadratics and the kinks ``Abs``,
``Max``, ``Min``, ``sign``, ``Heaviside`` and ``Piecewise`` is split at its kinks into smooth pieces
(`pieces`); each piece is integrated exactly by completing the square (`gaussian_integral`).
"""

from __future__ import annotations

from sympy import (
    Abs,
    Add,
    Expr,
    Heaviside,
    Integer,
    Max,
    Min,
    Mul,
    Piecewise,
    Poly,
    PolynomialError,
    Rational,
    S,
    Symbol,
    cancel,
    erf,
    exp,
    expand,
    expand_power_exp,
    pi,
    piecewise_fold,
    sign,
    sqrt,
)
from sympy.core.relational import Relational
from sympy.functions.elementary.hyperbolic import HyperbolicFunction

from theory.calculus.zeros import signs

Piece = tuple[Expr, Expr, Expr]
_KINKS = (Abs, Max, Min, sign, Heaviside, Relational)


def pieces(
    expr: Expr, u: Symbol, lower: Expr = S.NegativeInfinity, upper: Expr = S.Infinity
) -> list[Piece] | None:
    """Split ``expr`` at its kinks in ``u`` into smooth pieces.

    Parameters
    ----------
    expr
        Expression whose kinks have arguments linear in ``u``, or in ``u`` alone with zeros that
        `theory.calculus.zeros` finds.
    u
        The (real) variable.
    lower, upper
        Interval, infinite by default.

    Returns
    -------
    list of (lower, upper, smooth expression), left to right, or None when the zeros of a kink's argument,
    the sign of its slope or the order of two breakpoints cannot be decided.
    """
    kink = _innermost_kink(expr, u)
    if kink is None:
        return [(lower, upper, expr)]
    argument, left, right = _sides(kink)
    parts = _signs(argument, u, lower, upper)
    if parts is None:
        return None
    split: list[Piece] = []
    for low, high, sense in parts:
        part = pieces(expr.xreplace({kink: right if sense > 0 else left}), u, low, high)
        if part is None:
            return None
        split += part
    return split


def _signs(
    argument: Expr, u: Symbol, lower: Expr, upper: Expr
) -> list[tuple[Expr, Expr, int]] | None:
    """Parts of an interval on which the argument of a kink has one sign."""
    slope = argument.diff(u)
    if not slope.has(u) and (slope.is_positive or slope.is_negative):
        root, sense = -argument.subs(u, 0) / slope, 1 if slope.is_positive else -1
        if _ordered(root, lower):
            return [(lower, upper, sense)]
        if _ordered(upper, root):
            return [(lower, upper, -sense)]
        if not (_ordered(lower, root) and _ordered(root, upper)):
            return None
        return [(lower, root, -sense), (root, upper, sense)]
    if argument.free_symbols == {u} and lower.is_number and upper.is_number:
        return signs(argument, u, lower, upper)
    return None


def gaussian_integral(expr: Expr, u: Symbol) -> Expr | None:
    """Return E[expr] for u ~ N(0, 1) in closed form, or None when there is none.

    The integral is assumed to converge: an exponential of a u**2 stands for the domain 2 a < 1.

    Algorithm
    ---------
    Smooth pieces are sums of u**n exp(a u**2 + b u + c). Completing the square turns each into
    truncated moments of a unit Gaussian, M_n = (n-1) M_{n-2} + [w**(n-1) phi(w)], M_0 from erf.
    """
    if not expr.has(*_KINKS):
        split: list[Piece] | None = [(S.NegativeInfinity, S.Infinity, expr)]
    else:
        split = pieces(expr, u)
    if split is None:
        return None
    total: Expr = S.Zero
    for lower, upper, smooth in split:
        value = _smooth_integral(smooth, u, lower, upper)
        if value is None:
            return None
        total += value
    return total


def _innermost_kink(expr: Expr, u: Symbol) -> Expr | None:
    kinks = [a for a in expr.atoms(*_KINKS) if u in a.free_symbols]
    kinks = [a for a in kinks if not any(b is not a and a.has(b) for b in kinks)]
    return min(kinks, key=lambda a: a.sort_key(), default=None)


def _sides(kink: Expr) -> tuple[Expr, object, object]:
    """Return (argument, value where the argument is negative, value where it is positive)."""
    if isinstance(kink, Abs):
        return kink.args[0], -kink.args[0], kink.args[0]
    if isinstance(kink, sign):
        return kink.args[0], S.NegativeOne, S.One
    if isinstance(kink, Heaviside):
        return kink.args[0], S.Zero, S.One
    if isinstance(kink, (Max, Min)):
        first, second, *rest = kink.args
        small, large = kink.func(second, *rest), kink.func(first, *rest)
        return (first - second, *((small, large) if isinstance(kink, Max) else (large, small)))
    holds_below = S.true if kink.rel_op in ("<", "<=", "!=") else S.false
    holds_above = S.true if kink.rel_op in (">", ">=", "!=") else S.false
    return kink.lhs - kink.rhs, holds_below, holds_above


def _ordered(a: Expr, b: Expr) -> bool:
    """Whether a <= b is certain."""
    if a == b or a is S.NegativeInfinity or b is S.Infinity:
        return True
    if a is S.Infinity or b is S.NegativeInfinity:
        return False
    return bool((b - a).simplify().is_nonnegative)


def _smooth_integral(expr: Expr, u: Symbol, lower: Expr, upper: Expr) -> Expr | None:
    if expr.is_zero:
        return S.Zero
    if expr.has(Piecewise):
        expr = piecewise_fold(expr)
    if expr.has(HyperbolicFunction):
        expr = expr.rewrite(exp)
    total: Expr = S.Zero
    for term in Add.make_args(expand_power_exp(expand(expr, power_exp=False))):
        value = _term_integral(term, u, lower, upper)
        if value is None:
            return None
        total += value
    return total


def _term_integral(term: Expr, u: Symbol, lower: Expr, upper: Expr) -> Expr | None:
    constant, rest = term.as_independent(u, as_Add=False)
    power, exponent = Integer(0), S.Zero
    for factor in Mul.make_args(rest):
        if isinstance(factor, exp):
            exponent += factor.args[0]
        elif factor == u:
            power += 1
        elif factor.is_Pow and factor.base == u and factor.exp.is_Integer and factor.exp > 0:
            power += factor.exp
        elif factor != 1:
            return None
    try:
        quadratic = Poly(exponent, u)
    except PolynomialError:
        return None
    if quadratic.degree() > 2 or any(u in c.free_symbols for c in quadratic.all_coeffs()):
        return None
    a, b, c = (quadratic.coeff_monomial(u**n) for n in (2, 1, 0))
    precision = cancel(1 - 2 * a)
    infinite = lower is S.NegativeInfinity or upper is S.Infinity
    if precision.is_zero or (infinite and precision.is_nonpositive):
        return None
    scale = sqrt(precision)
    shift = b / precision
    low, high = (w if w.is_infinite else scale * (w - shift) for w in (lower, upper))
    moments = _truncated_moments(int(power), low, high)
    moved = Poly((u / scale + shift) ** int(power), u)
    value = sum(
        (moved.coeff_monomial(u**n) * moments[n] for n in range(int(power) + 1)), start=S.Zero
    )
    return constant * exp(c + b**2 / (2 * precision)) / scale * value


def _truncated_moments(order: int, lower: Expr, upper: Expr) -> list[Expr]:
    """Return E[w**n; lower < w < upper] for w ~ N(0, 1) and n = 0..order."""

    def density(w: Expr, n: int) -> Expr:
        if w.is_infinite:
            return S.Zero
        return w**n * exp(-(w**2) / 2) / sqrt(2 * pi)

    def cumulative(w: Expr) -> Expr:
        return Rational(1, 2) * erf(w / sqrt(2))

    moments = [cumulative(upper) - cumulative(lower)]
    if order >= 1:
        moments.append(density(lower, 0) - density(upper, 0))
    for n in range(2, order + 1):
        boundary = density(lower, n - 1) - density(upper, n - 1)
        moments.append((n - 1) * moments[n - 2] + boundary)
    return moments
