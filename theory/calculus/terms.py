"""Activations as sums of terms for which Price's ladder ends.

A term is a coefficient times one of

- ``x^n exp(-alpha x^2 + beta x)``: elementary, its Gaussian moments are closed (beta may be complex,
  which makes sines and cosines terms);
- ``x^n sign(x)`` and ``x^n erf(a x)``: they turn into elementary ones after n + 1 derivatives;
- the m-th derivative of Dirac's delta at 0, which is what those derivatives leave behind.

Absolute values, maxima, Heaviside steps and pieces that meet at 0 are rewritten with ``sign``, up to
their value at 0 itself, which no Gaussian expectation sees. Kinks anywhere else have no such terms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import sympy
from sympy import Expr, Poly, S, Symbol, cosh, sign, sinh

from theory.calculus.closed import pieces

__all__ = ["Kind", "Term", "derivative", "elementary", "mean", "polynomial", "read", "written"]

Kind = Literal["plain", "sign", "erf", "delta"]
HALF = sympy.Rational(1, 2)


@dataclass(frozen=True)
class Term:
    """One term of an activation.

    Attributes
    ----------
    coefficient : Expr
    power : int
        n of x^n, or the order of the derivative of a delta.
    kind : {"plain", "sign", "erf", "delta"}
    alpha, beta : Expr
        Of ``exp(-alpha x^2 + beta x)``; zero unless the kind is "plain".
    scale : Expr
        a of ``erf(a x)``; zero for the other kinds.
    """

    coefficient: Expr
    power: int
    kind: Kind = "plain"
    alpha: Expr = S.Zero
    beta: Expr = S.Zero
    scale: Expr = S.Zero

    @property
    def elementary(self) -> bool:
        """Whether Gaussian moments of this term are closed without integrating."""
        return self.kind in ("plain", "delta")

    @property
    def shape(self) -> tuple[int, Kind, Expr, Expr, Expr]:
        """Everything but the coefficient."""
        return self.power, self.kind, self.alpha, self.beta, self.scale

    def times(self, factor: Expr) -> Term:
        """Scale the term."""
        return replace(self, coefficient=factor * self.coefficient)

    def of(self, x: Expr) -> Expr:
        """Write the term as an expression in x."""
        factor = {
            "plain": sympy.exp(-self.alpha * x**2 + self.beta * x),
            "sign": sign(x),
            "erf": sympy.erf(self.scale * x),
            "delta": sympy.DiracDelta(x, self.power) if self.power else sympy.DiracDelta(x),
        }[self.kind]
        return self.coefficient * factor * (S.One if self.kind == "delta" else x**self.power)


def _merged(terms: list[Term]) -> tuple[Term, ...]:
    sums: dict[tuple, Expr] = {}
    for term in terms:
        sums[term.shape] = sums.get(term.shape, S.Zero) + term.coefficient
    return tuple(
        Term(c, *shape) for shape, total in sums.items() if (c := sympy.expand(total)) != 0
    )


def derivative(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Differentiate a sum of terms, jumps becoming deltas."""
    made: list[Term] = []
    for term in terms:
        c, n = term.coefficient, term.power
        if term.kind == "delta":
            made.append(Term(c, n + 1, "delta"))
            continue
        if n:
            made.append(Term(c * n, n - 1, term.kind, term.alpha, term.beta, term.scale))
        if term.kind == "plain":
            made.append(Term(-2 * term.alpha * c, n + 1, "plain", term.alpha, term.beta))
            made.append(Term(term.beta * c, n, "plain", term.alpha, term.beta))
        elif term.kind == "sign" and n == 0:
            made.append(Term(2 * c, 0, "delta"))
        elif term.kind == "erf":
            slope = 2 * term.scale / sympy.sqrt(sympy.pi)
            made.append(Term(c * slope, n, "plain", term.scale**2))
    return _merged(made)


def elementary(terms: tuple[Term, ...]) -> bool:
    """Whether all terms are elementary."""
    return all(term.elementary for term in terms)


def polynomial(terms: tuple[Term, ...]) -> bool:
    """Whether the sum is a polynomial."""
    return all(t.kind == "plain" and t.alpha == 0 and t.beta == 0 for t in terms)


def written(terms: tuple[Term, ...], x: Expr) -> Expr:
    """Write the sum as an expression in x."""
    return sympy.Add(*(term.of(x) for term in terms))


def mean(term: Term, k: Expr) -> Expr:
    """E f(u) for u ~ N(0, k)."""
    c, n = term.coefficient, term.power
    if term.kind == "delta":
        if n % 2:
            return S.Zero
        hermite = sympy.factorial2(n - 1) if n else S.One
        return c * (-1) ** (n // 2) * hermite / (sympy.sqrt(2 * sympy.pi * k) * k ** (n // 2))
    if term.kind == "sign":
        if n % 2 == 0:
            return S.Zero
        half = sympy.Rational(n, 2)
        moment = sympy.gamma(sympy.Rational(n + 1, 2)) / sympy.sqrt(sympy.pi)
        return c * 2**half * k**half * moment
    if term.kind == "erf":  # E u g(u) = k E g'(u)
        if n % 2 == 0:
            return S.Zero
        inside = derivative((Term(S.One, n - 1, "erf", scale=term.scale),))
        return c * k * sympy.Add(*(mean(part, k) for part in inside))
    spread = 1 + 2 * term.alpha * k
    w = k / spread
    shift = term.beta * w
    moments = [S.One, shift]
    for j in range(2, n + 1):
        moments.append(shift * moments[-1] + (j - 1) * w * moments[-2])
    return c * moments[n] * sympy.exp(term.beta**2 * w / 2) / sympy.sqrt(spread)


def read(expr: Expr, x: Symbol) -> tuple[Term, ...] | None:
    """Read an expression as a sum of terms.

    Parameters
    ----------
    expr : Expr
        In the symbol ``x`` alone.
    x : Symbol

    Returns
    -------
    tuple of Term, or None
        None if the expression is no such sum; Price's ladder then does not end.

    Notes
    -----
    phi is f on the left of 0 and g on the right, (f + g)/2 + sign(x) (g - f)/2. Kinks elsewhere have no
    terms.
    """
    real = sympy.Dummy("x", real=True)
    split = pieces(sympy.sympify(expr).xreplace({x: real}), real)
    if split is None or any(a != 0 for a, _, _ in split[1:]):
        return None
    sides = [_read_smooth(f, real) for _, _, f in split]
    if None in sides:
        return None
    left, right = sides[0], sides[-1]
    assert left is not None
    assert right is not None
    even = _merged([t.times(HALF) for t in (*left, *right)])
    odd = _merged([*(t.times(HALF) for t in right), *(t.times(-HALF) for t in left)])
    if not polynomial(odd):
        return None
    return _merged([*even, *(Term(t.coefficient, t.power, "sign") for t in odd)])


def _read_smooth(expr: Expr, x: Symbol) -> tuple[Term, ...] | None:
    """Read an expression without kinks; its trigonometric functions become exponentials."""
    for name in (sympy.sin, sympy.cos, sinh, cosh):
        expr = expr.replace(
            lambda e, f=name: e.func is f and e.has(x), lambda e: e.rewrite(sympy.exp)
        )
    expr = expr.replace(sympy.erfc, lambda a: 1 - sympy.erf(a))
    expr = sympy.expand(sympy.expand(expr), power_exp=False)
    terms = []
    for part in sympy.Add.make_args(expr) if expr != 0 else ():
        term = _read_product(part, x)
        if term is None:
            return None
        terms.append(term)
    return _merged(terms)


def _total(parts: list[Expr]) -> Expr:
    return sympy.expand(sympy.Add(*parts))


def _read_product(part: Expr, x: Symbol) -> Term | None:
    coefficient, rest = part.as_independent(x, as_Add=False)
    power, scale = 0, S.Zero
    exponents: list[Expr] = []
    for factor in sympy.Mul.make_args(rest):
        if factor == 1:
            continue
        base, index = (S.Exp1, factor.args[0]) if factor.func is sympy.exp else factor.as_base_exp()
        if base == S.Exp1:
            exponents.append(index)
            continue
        if not (index.is_Integer and index > 0):
            return None
        if base == x:
            power += int(index)
        elif isinstance(base, sympy.erf) and index == 1 and scale == 0:
            scale = sympy.expand(base.args[0] / x)
            if scale.has(x):
                return None
        else:
            return None
    exponent = _total(exponents)
    if not exponent.is_polynomial(x) or (not exponent.is_zero and Poly(exponent, x).degree() > 2):
        return None
    alpha, beta = -exponent.coeff(x, 2), exponent.coeff(x, 1)
    coefficient *= sympy.exp(exponent.coeff(x, 0))
    if scale != 0 and not exponent.is_zero:
        return None
    if not alpha.is_real:
        return None
    if scale != 0:
        return Term(coefficient, power, "erf", scale=scale)
    return Term(coefficient, power, "plain", alpha, beta)
