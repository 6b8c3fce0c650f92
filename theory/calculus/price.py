"""Price's ladder: E f(u) g(v) of two terms, differentiated until elementary and integrated back.

For (u, v) ~ N(0, K) with covariance c = k12, Price's theorem says d/dc E f(u) g(v) = E f'(u) g'(v). The
elementary pairs at the foot of the ladder are Gaussian integrals. Every rung above is

    E f(u) g(v) = E f(u) E g(v) + int_0^c E f'(u) g'(v) dt ,

and all integrands lie in the span of c^i Delta^h and c^i asin(c sqrt(p1/p0)), with
Delta = p0 - p1 c^2 and half-integer h. There integration is linear algebra: three recursions, no
search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy
from sympy import Expr, Rational, S, Symbol, sqrt

from theory.calculus.terms import Term, derivative, mean, polynomial

__all__ = ["GAP", "K1", "K2", "N1", "N2", "C", "Form", "Wave", "pair"]

K1, K2 = sympy.symbols("k11 k22", positive=True)
"""Variances of u and v."""
C = Symbol("k12", real=True)
"""Their covariance."""

GAP = Symbol("Delta", positive=True)
"""Delta in the amplitudes of waves."""

N1, N2 = sympy.symbols("n11 n22", positive=True)
"""The diagonal of Delta W in the amplitudes of waves: k11 and k22, plus multiples of the determinant."""

HALF = Rational(1, 2)

Key = tuple[int, Expr, int]


@dataclass(frozen=True)
class Form:
    """A sum of c^i Delta^h A^a, Delta = p0 - p1 c^2 and A = asin(c sqrt(p1/p0)).

    Attributes
    ----------
    p0 : Expr
        In the variances.
    p1 : Expr
        A number >= 0.
    terms : dict
        From (i, h, a) to the coefficient, an expression in the variances.
    """

    p0: Expr
    p1: Expr
    terms: dict[Key, Expr]

    def of(self, delta: Expr, angle: Expr) -> Expr:
        """Write the sum with given expressions for Delta and the arc sine."""
        return sympy.Add(
            *(
                sympy.factor(c) * C**i * delta**h * angle**a
                for (i, h, a), c in self.terms.items()
                if c != 0
            )
        )

    def expr(self) -> Expr:
        """Write the sum in k11, k12 and k22."""
        return self.of(self.p0 - self.p1 * C**2, sympy.asin(C * sqrt(self.p1 / self.p0)))

    def integral(self) -> Form:
        """The integral over c from 0."""
        done: dict[Key, Expr] = {}
        todo = dict(self.terms)
        while todo:
            (i, h, a), q = todo.popitem()
            if q == 0:
                continue
            for key, value in self._primitive(i, h, a, q, todo).items():
                done[key] = done.get(key, S.Zero) + value
        return Form(self.p0, self.p1, {k: v for k, v in done.items() if v != 0})

    def _primitive(
        self, i: int, h: Expr, a: int, q: Expr, todo: dict[Key, Expr]
    ) -> dict[Key, Expr]:
        """Integrate one term; what is left of it goes to ``todo``, and what is done is returned."""
        p0, p1 = self.p0, self.p1

        def later(key: Key, value: Expr) -> None:
            todo[key] = todo.get(key, S.Zero) + value

        if a:  # by parts
            later((i + 1, -HALF, 0), -q * sqrt(p1) / (i + 1))
            return {(i + 1, S.Zero, 1): q / (i + 1)}
        if p1 == 0 or h == 0:
            return {(i + 1, h, 0): q / (i + 1)}
        if i % 2:
            if i > 1:
                later((i - 2, h, 0), q * p0 / p1)
                later((i - 2, h + 1, 0), -q / p1)
                return {}
            lower = q / (2 * p1 * (h + 1))
            return {(0, h + 1, 0): -lower, (0, S.Zero, 0): lower * p0 ** (h + 1)}
        if i:
            later((i - 2, h, 0), q * p0 / p1)
            later((i - 2, h + 1, 0), -q / p1)
            return {}
        if h == -HALF:
            return {(0, S.Zero, 1): q / sqrt(p1)}
        if h > 0:
            later((0, h - 1, 0), q * 2 * h * p0 / (1 + 2 * h))
            return {(1, h, 0): q / (1 + 2 * h)}
        down = q / (2 * (h + 1) * p0)
        later((0, h + 1, 0), down * (2 * h + 3))
        return {(1, h + 1, 0): -down}

    def plus(self, constant: Expr) -> Form:
        """Add something that does not depend on c."""
        key = (0, S.Zero, 0)
        return Form(self.p0, self.p1, {**self.terms, key: self.terms.get(key, S.Zero) + constant})

    def stable(self, det: Symbol) -> Expr:
        """Write the sum without cancellation as |k12| approaches sqrt(k11 k22), or all of K is small.

        Delta is a sum of positive terms once c^2 is k11 k22 - det; the arc sine is the angle of the
        vector (sqrt(Delta), c sqrt(p1)); and multiples of p0 among the coefficients of powers of
        Delta become Delta + p1 c^2, so that what cancels does so in symbols.
        """
        delta = sympy.expand(self.p0 - self.p1 * (K1 * K2 - det))
        angle = sympy.atan2(sqrt(self.p1) * C, sqrt(delta))
        half = {k: v for k, v in self.terms.items() if not k[1].is_Integer and not k[2]}
        rest = Form(self.p0, self.p1, {k: v for k, v in self.terms.items() if k not in half})
        if len(half) < 2:
            return self.of(delta, angle)
        least = min(h for _, h, _ in half)
        fractions = [
            (i, h - least, *sympy.fraction(sympy.together(q))) for (i, h, _), q in half.items()
        ]
        below = S.One
        for *_, bottom in fractions:
            below = sympy.lcm(below, bottom)
        total = S.Zero
        for i, h, top, bottom in fractions:
            q, power = sympy.cancel(top * below / bottom), 0
            while self.p0.free_symbols and power < 8:
                quotient, left = sympy.div(q, sympy.expand(self.p0), K1, K2)
                if left != 0:
                    break
                q, power = quotient, power + 1
            total += q * (GAP + self.p1 * C**2) ** power * C**i * GAP**h
        total = sympy.factor(sympy.collect(sympy.expand(total), [GAP, C], sympy.factor))
        total = sympy.collect(sympy.expand(total), [GAP, C], sympy.factor)
        return (total / sympy.factor(below)).subs(GAP, delta) * delta**least + rest.of(delta, angle)


@dataclass(frozen=True)
class Wave:
    """amplitude * exp((beta^2 n11 + 2 beta eta n12 + eta^2 n22)/(2 Delta)), complex beta and eta.

    Attributes
    ----------
    amplitude : Expr
        In k12, `N1`, `N2` and `GAP`, which stands for Delta = p0 - p1 c^2.
    beta, eta : Expr
    p0, p1 : Expr
    n11, n12, n22 : Expr
    """

    amplitude: Expr
    beta: Expr
    eta: Expr
    p0: Expr
    p1: Expr
    n11: Expr
    n12: Expr
    n22: Expr


def _quadratic(f: Term, g: Term) -> tuple[Expr, Expr, Expr, Expr, Expr, Expr]:
    """Prefactor, p0, p1, and Delta times the form W of the generating function of two terms.

    ``prefactor Delta^(-1/2) exp((a, b) W (a, b)'/2)`` generates E f(u) g(v): a is the rate of
    exp(a u), or the place of a delta.
    """
    det = K1 * K2 - C**2
    if f.kind == "plain" and g.kind == "plain":
        x, y = 2 * f.alpha, 2 * g.alpha
        return (
            S.One,
            (1 + x * K1) * (1 + y * K2),
            x * y,
            K1 + y * det,
            C,
            K2 + x * det,
        )
    if f.kind == "delta" and g.kind == "delta":
        return 1 / (2 * sympy.pi), K1 * K2, S.One, -K2, C, -K1
    if f.kind == "delta":
        y = 2 * g.alpha
        return 1 / sqrt(2 * sympy.pi), K1 * (1 + y * K2), y, -(1 + y * K2), C, det
    x = 2 * f.alpha
    return 1 / sqrt(2 * sympy.pi), K2 * (1 + x * K1), x, det, C, -(1 + x * K1)


def _moments(m: int, n: int, mu: tuple[Expr, Expr], w: tuple[Expr, Expr, Expr]) -> Expr:
    """E u^m v^n for means mu and covariance w, by integration by parts."""

    @cache
    def of(i: int, j: int) -> Expr:
        if i < 0 or j < 0:
            return S.Zero
        if i == 0 and j == 0:
            return S.One
        if i == 0:
            return mu[1] * of(0, j - 1) + (j - 1) * w[2] * of(0, j - 2)
        return mu[0] * of(i - 1, j) + (i - 1) * w[0] * of(i - 2, j) + j * w[1] * of(i - 1, j - 1)

    return sympy.expand(of(m, n))


def _foot(f: Term, g: Term) -> Form | Wave:
    """E f(u) g(v) of elementary terms: a Gaussian integral."""
    prefactor, p0, p1, n11, n12, n22 = _quadratic(f, g)
    signs = (-1) ** ((f.power if f.kind == "delta" else 0) + (g.power if g.kind == "delta" else 0))
    amplitude = signs * prefactor * f.coefficient * g.coefficient
    if f.beta == 0 and g.beta == 0:
        count = f.power + g.power
        if count % 2:
            return Form(p0, p1, {})
        inside = sympy.Poly(
            sympy.expand(_moments(f.power, g.power, (S.Zero, S.Zero), (n11, n12, n22))), C
        )
        h = -HALF * (count + 1)
        if p1 == 0:
            return Form(
                S.One,
                S.Zero,
                {(i, S.Zero, 0): amplitude * q * p0**h for (i,), q in inside.terms()},
            )
        return Form(p0, p1, {(i, h, 0): amplitude * q for (i,), q in inside.terms()})
    gap = S.One if p1 == 0 and p0 == 1 else GAP
    w = (N1 / gap, C / gap, N2 / gap)  # n12 is c
    beta, eta = f.beta, g.beta
    mu = (beta * w[0] + eta * w[1], beta * w[1] + eta * w[2])
    inside = _moments(f.power, g.power, mu, w)
    return Wave(sympy.expand(amplitude * inside / sqrt(gap)), beta, eta, p0, p1, n11, n12, n22)


def pair(f: Term, g: Term) -> Form | Wave | None:
    """E f(u) g(v) of two terms.

    Parameters
    ----------
    f, g : Term

    Returns
    -------
    Form or Wave
        A closed form; None where the ladder has no elementary foot.
    """
    both = polynomial((f, g))  # by Taylor's sum, which keeps the products of means
    if f.elementary and g.elementary and not both:
        return _foot(f, g)
    if f.beta != 0 or g.beta != 0:
        return None
    rung: Form | None = None
    for left in derivative((f,)):
        for right in derivative((g,)):
            part = pair(left, right)
            if not isinstance(part, Form):
                return None
            if rung is not None and (rung.p0, rung.p1) != (part.p0, part.p1):
                if rung.p1 != 0 and part.p1 != 0:
                    return None
                known = rung if rung.p1 != 0 else part
                rung = Form(known.p0, known.p1, rung.terms)
                part = Form(known.p0, known.p1, part.terms)
            terms = dict(rung.terms) if rung else {}
            for key, value in part.terms.items():
                terms[key] = terms.get(key, S.Zero) + value
            rung = Form(part.p0, part.p1, terms)
    if rung is None:
        rung = Form(S.One, S.Zero, {})
    return rung.integral().plus(mean(f, K1) * mean(g, K2))
