"""Real zeros of functions of one variable, exactly, where their structure gives them.

A product vanishes where a factor does; polynomials have their real roots; a + b F(h) with an invertible F
vanishes where h is a number. What is left, such as sin(x) - x, is not decided: callers refuse it
rather than guess.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import sympy
from sympy import Abs, Expr, Poly, S, Symbol

__all__ = ["bounds", "less", "proved_zero", "signs", "simpler", "vanishes", "zeros"]

Interval = tuple[Expr, Expr]
_DIGITS = 40
_MOST = 1000
"""Digits that are looked at before a number is taken for zero."""
_SIMPLE = 60
"""Operations of a number that is simplified."""
_MONOTONE = {
    sympy.exp: (sympy.log, S.Zero, S.Infinity),
    sympy.log: (sympy.exp, S.NegativeInfinity, S.Infinity),
    sympy.tanh: (sympy.atanh, S.NegativeOne, S.One),
    sympy.erf: (sympy.erfinv, S.NegativeOne, S.One),
    sympy.atan: (sympy.tan, -sympy.pi / 2, sympy.pi / 2),
    sympy.sinh: (sympy.asinh, S.NegativeInfinity, S.Infinity),
}
"""Increasing functions: their inverses and ranges."""


def vanishes(number: Expr) -> bool:
    """Whether an exact real number is zero.

    It is not where a digit of it is known, however small it is: exp(-10000) is not. One that has none among
    its first thousand digits is taken for zero, and `proved_zero` asks for more.
    """
    return number == 0 if number.is_Rational else not _known(number)


@lru_cache(maxsize=4096)
def _known(number: Expr) -> Expr:
    """A number with digits that are right, as many as there are up to forty; 0 if there are none."""
    # expanding takes minutes where roots of polynomials are in roots, and brings no digits of these
    written = (number, _apart(number)) if number.has(sympy.tanh, sympy.erf) else (number,)
    for same in written:
        for most in (100, _MOST):
            value = sympy.N(same, _DIGITS, maxn=most)
            if any(_right(part) for part in value.as_real_imag()):
                return value
    return S.Zero


def _right(part: Expr) -> bool:
    """Whether an evaluated number has a digit that is right."""
    return part != 0 and not (part.is_Float and part._prec == 1)


def _apart(number: Expr) -> Expr:
    """Write out how far hyperbolic tangents and error functions are from 1, which takes no digits."""
    number = number.replace(
        sympy.tanh, lambda a: 1 - 2 / (1 + sympy.exp(2 * a)) if a.is_positive else sympy.tanh(a)
    )
    number = number.replace(
        sympy.tanh, lambda a: 2 / (1 + sympy.exp(-2 * a)) - 1 if a.is_negative else sympy.tanh(a)
    )
    number = number.replace(
        sympy.erf, lambda a: sympy.sign(a) * (1 - sympy.erfc(abs(a))) if a.is_real else sympy.erf(a)
    )
    return sympy.expand(number)


def proved_zero(number: Expr) -> bool:
    """Whether an exact real number is proved to be zero, by simplification; no digits prove that."""
    if not vanishes(number):
        return False
    if number == 0 or sympy.expand(number) == 0:
        return True
    return simpler(number) == 0


def simpler(number: Expr) -> Expr:
    """An exact number, simplified where it is short enough for that to take no minutes."""
    return sympy.simplify(number) if number.count_ops() <= _SIMPLE else number


def less(a: Expr, b: Expr) -> bool:
    """Whether a < b, of exact real numbers or infinities."""
    if a is S.NegativeInfinity or b is S.Infinity:
        return a != b
    if a is S.Infinity or b is S.NegativeInfinity:
        return False
    gap = b - a
    return bool(gap > 0) if gap.is_Rational else bool(_known(gap) > 0)


def zeros(expr: Expr, u: Symbol) -> tuple[Expr, ...] | None:
    """Real zeros and poles of a smooth expression, increasing.

    Parameters
    ----------
    expr : Expr
        In ``u`` alone, without kinks.
    u : Symbol
        Real.

    Returns
    -------
    tuple of Expr, or None
        Every place where ``expr`` may change its sign; None where they are not found. There may be
        places among them where it does not.
    """
    roots = _zeros(expr, u, 0)
    if roots is None:
        return None
    ordered: list[Expr] = []
    for root in sorted(roots, key=lambda r: sympy.N(r, _DIGITS)):
        if not ordered or less(ordered[-1], root):
            ordered.append(root)
    return tuple(ordered)


def _zeros(expr: Expr, u: Symbol, depth: int) -> set[Expr] | None:
    if not expr.has(u):
        return set()
    if expr.is_positive or expr.is_negative or depth > 8 or _definite(expr, u):
        return set() if depth <= 8 else None
    top, bottom = sympy.fraction(sympy.together(expr))
    if bottom.has(u):
        parts = [_zeros(p, u, depth + 1) for p in (top, bottom)]
        return None if None in parts else set().union(*parts)  # type: ignore[arg-type]
    if expr.is_polynomial(u):
        return _roots(sympy.expand(expr), u)
    factored = sympy.factor_terms(expr)
    if factored.is_Mul:
        roots: set[Expr] = set()
        for factor in factored.args:
            own = _zeros(factor, u, depth + 1)
            if own is None:
                return None
            roots |= own
        return roots
    if expr.is_Pow and not expr.exp.has(u):
        return _zeros(expr.base, u, depth + 1)
    return _inverse(expr, u, depth)


def _inverse(expr: Expr, u: Symbol, depth: int) -> set[Expr] | None:
    """Solve a + b F(h) = 0 for h."""
    constant, rest = expr.as_independent(u, as_Add=True)
    factor, core = rest.as_independent(u, as_Add=False)
    level = -constant / factor
    if core.is_Pow and core.exp == S.Half:
        inner = core.base - level**2
        return _zeros(inner, u, depth + 1) if not level.is_negative else set()
    if core.is_Pow and core.exp.is_Integer and core.exp > 0 and level.is_real:
        if core.exp % 2 == 0:
            if level.is_negative:
                return set()
            root = level ** (1 / core.exp)
            parts = [_zeros(core.base - r, u, depth + 1) for r in (root, -root)]
        else:
            root = sympy.sign(level) * abs(level) ** (1 / core.exp)
            parts = [_zeros(core.base - root, u, depth + 1)]
        return None if None in parts else set().union(*parts)  # type: ignore[arg-type]
    if core.func is sympy.cosh:
        if level.is_real and bool(level < 1):
            return set()
        targets = [sympy.acosh(level), -sympy.acosh(level)]
    elif core.func in _MONOTONE:
        inverse, low, high = _MONOTONE[core.func]
        if not (less(low, level) and less(level, high)):
            return set()
        targets = [inverse(level)]
    else:
        return None
    roots: set[Expr] = set()
    for target in targets:
        own = _zeros(sympy.expand(core.args[0] - target), u, depth + 1)
        if own is None:
            return None
        roots |= own
    return roots


def _roots(expr: Expr, u: Symbol) -> set[Expr] | None:
    """Real roots of a polynomial with exact real coefficients."""
    poly = Poly(expr, u)
    if poly.degree() <= 0:
        return set()
    if poly.degree() == 1:
        a, b = poly.all_coeffs()
        return {-b / a}
    if all(c.is_Rational for c in poly.all_coeffs()):
        return set(poly.real_roots())
    if poly.degree() == 2:
        a, b, c = poly.all_coeffs()
        inside = b**2 - 4 * a * c
        if less(inside, S.Zero):
            return set()
        return {(-b + s * sympy.sqrt(inside)) / (2 * a) for s in (1, -1)}
    roots = sympy.roots(poly)
    if sum(roots.values()) != poly.degree():
        return None
    return {sympy.re(r) for r in roots if vanishes(sympy.im(r))}


def signs(expr: Expr, u: Symbol, lower: Expr, upper: Expr) -> list[tuple[Expr, Expr, int]] | None:
    """Split an interval into parts in which a smooth expression has one sign.

    Parameters
    ----------
    expr : Expr
        In ``u`` alone.
    u : Symbol
    lower, upper : Expr
        The interval.

    Returns
    -------
    list of (lower, upper, 1 or -1), or None
        Neighbours may have the same sign.
    """
    places = zeros(expr, u)
    if places is None:
        return None
    ends = [lower, *(p for p in places if less(lower, p) and less(p, upper)), upper]
    intervals = []
    for a, b in itertools.pairwise(ends):
        value = _known(expr.subs(u, inside(a, b)))
        if not value.is_real or value == 0:
            return None
        intervals.append((a, b, 1 if value > 0 else -1))
    return intervals


def inside(lower: Expr, upper: Expr) -> Expr:
    """A rational number strictly between two exact ones."""
    if lower is S.NegativeInfinity and upper is S.Infinity:
        return S.Zero
    if lower is S.NegativeInfinity:
        return sympy.floor(upper) - 1
    if upper is S.Infinity:
        return sympy.floor(lower) + 2
    a, b = (sympy.Rational(str(sympy.N(e, _DIGITS))) for e in (lower, upper))
    middle = (a + b) / 2
    return middle.limit_denominator(sympy.ceiling(4 / (b - a)))


def bounds(expr: Expr, u: Symbol) -> Interval:
    """An interval that contains all values of a smooth expression for real u; wide rather than wrong.

    Parameters
    ----------
    expr : Expr
    u : Symbol

    Returns
    -------
    tuple of Expr
        Numbers or infinities.
    """
    whole = (S.NegativeInfinity, S.Infinity)
    if not expr.has(u):
        return (expr, expr) if expr.is_real else whole
    if expr.is_Add:
        parts = [bounds(a, u) for a in expr.args]
        low = (
            S.NegativeInfinity if any(p[0].is_infinite for p in parts) else sum(p[0] for p in parts)
        )
        high = S.Infinity if any(p[1].is_infinite for p in parts) else sum(p[1] for p in parts)
        return low, high
    if expr.is_Mul:
        constant, rest = expr.as_independent(u, as_Add=False)
        if constant != 1 and constant.is_real:
            low, high = bounds(rest, u)
            return (
                (constant * low, constant * high)
                if constant > 0
                else (constant * high, constant * low)
            )
        if all(not less(bounds(a, u)[0], S.Zero) for a in expr.args):
            return S.Zero, S.Infinity
        return whole
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
        low, high = bounds(expr.base, u)
        if expr.exp % 2 == 0:
            top = max(low**2, high**2) if not (low.is_infinite or high.is_infinite) else S.Infinity
            least = low**2 if less(S.Zero, low) else high**2 if less(high, S.Zero) else S.Zero
            half = expr.exp // 2
            return least**half, top**half
        return low**expr.exp, high**expr.exp
    if (expr.is_Pow and expr.exp == S.Half) or expr.func is Abs:
        return S.Zero, S.Infinity
    if expr.func in (sympy.sin, sympy.cos):
        return S.NegativeOne, S.One
    if expr.func is sympy.cosh:
        return S.One, S.Infinity
    if expr.func in _MONOTONE:
        _, low, high = _MONOTONE[expr.func]
        if expr.func in (sympy.exp, sympy.log):
            inner = bounds(expr.args[0], u)
            low = expr.func(inner[0]) if not inner[0].is_infinite and inner[0].is_real else low
            high = expr.func(inner[1]) if not inner[1].is_infinite and inner[1].is_real else high
            if expr.func is sympy.log and not (low.is_real or low.is_infinite):
                low = S.NegativeInfinity
        return low, high
    return whole


def _definite(expr: Expr, u: Symbol) -> bool:
    """Whether an expression is bounded away from 0."""
    low, high = bounds(expr, u)
    return less(S.Zero, low) or less(high, S.Zero)
