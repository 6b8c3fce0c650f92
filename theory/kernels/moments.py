"""Moments E f(u) g(v) of a Gaussian pair, closed by Price's ladder, or left as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy
from sympy import Expr, Function, S, Symbol

from theory.calculus.price import GAP, K1, K2, N1, N2, C, Form, Wave, pair
from theory.calculus.terms import Term

__all__ = [
    "DELTA",
    "DET",
    "SIGMA",
    "ExpDifference",
    "GaussianPair",
    "Moment",
    "moment",
]

DET = Symbol("det", nonnegative=True)
"""k11 k22 - k12^2, for forms that stay exact as the correlation approaches +-1."""
DELTA = Symbol("delta", nonnegative=True)
"""E (u - v)^2 = k11 + k22 - 2 k12."""
SIGMA = Symbol("sigma", nonnegative=True)
"""E (u + v)^2 = k11 + k22 + 2 k12."""


_TERMS = 200
"""Of an amplitude that is brought over one denominator."""


class ExpDifference(Function):
    """exp(a) - exp(b), where the third argument is a - b without cancellation."""

    nargs = 3

    @classmethod
    def eval(cls, a: Expr, b: Expr, apart: Expr) -> Expr | None:
        """Nothing, of equal numbers."""
        return sympy.S.Zero if apart == 0 else None

    def _eval_evalf(self, prec: int) -> Expr:
        return self.doit()._eval_evalf(prec)

    def doit(self, **_: object) -> Expr:
        """Write the two exponentials."""
        a, b, _difference = self.args
        return sympy.exp(a) - sympy.exp(b)


class GaussianPair(Function):
    """E f(u) g(v) for (u, v) ~ N(0, [[k11, k12], [k12, k22]]), not evaluated.

    Its arguments are two ``Lambda`` and k11, k12, k22.
    """

    nargs = 5

    def _sympystr(self, printer: sympy.printing.printer.Printer) -> str:
        f, g, *_ = self.args
        u, v = sympy.symbols("u v", real=True)
        return f"E[{printer.doprint(f(u) * g(v))}]"

    def _latex(self, printer: sympy.printing.printer.Printer, exp: str | None = None) -> str:
        f, g, *_ = self.args
        u, v = sympy.symbols("u v", real=True)
        body = rf"\mathbb{{E}}\left[{printer.doprint(f(u) * g(v))}\right]"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


@dataclass(frozen=True)
class Moment:
    """A closed E f(u) g(v).

    Attributes
    ----------
    expr : Expr
        In k11, k12, k22.
    stable : Expr
        The same in k11, k12, k22 and, where they are needed, `DET`, `DELTA`, `SIGMA`.
    """

    expr: Expr
    stable: Expr


def moment(f: tuple[Term, ...], g: tuple[Term, ...]) -> Moment | None:
    """E f(u) g(v) of two sums of terms.

    Parameters
    ----------
    f, g : tuple of Term

    Returns
    -------
    Moment
        None where Price's ladder has no elementary foot for some pair of terms.
    """
    forms: dict[tuple[Expr, Expr], Form] = {}
    waves: list[Wave] = []
    for left in f:
        for right in g:
            part = pair(left, right)
            if part is None:
                return None
            if isinstance(part, Wave):
                waves.append(part)
                continue
            known = forms.get((part.p0, part.p1))
            terms = dict(known.terms) if known else {}
            for key, value in part.terms.items():
                terms[key] = terms.get(key, S.Zero) + value
            forms[part.p0, part.p1] = Form(part.p0, part.p1, terms)
    value, stable = S.Zero, S.Zero
    for form in forms.values():
        value += form.expr()
        stable += form.stable(DET)
    wave = _waves(waves)
    return Moment(value + wave.expr, stable + wave.stable)


def _gaps(expr: Expr, beta: Expr, eta: Expr) -> Expr:
    """Write a quadratic form of equal rates with the variances of u - v and u + v."""
    if sympy.expand(beta + eta) == 0:
        return sympy.expand(expr.subs(K1, DELTA - K2 + 2 * C))
    if sympy.expand(beta - eta) == 0:
        return sympy.expand(expr.subs(K1, SIGMA - K2 - 2 * C))
    return expr


def _of_one_sign(expr: Expr) -> Expr | None:
    """A form with the variance of u - v or u + v for k12, so that nothing cancels; None if neither does."""
    ways = (
        expr,
        expr.subs(C, (K1 + K2 - DELTA) / 2),
        expr.subs(C, (SIGMA - K1 - K2) / 2),
    )
    for way in map(sympy.expand, ways):
        numbers = [term.as_coeff_Mul()[0] for term in sympy.Add.make_args(way)]
        if not way.has(C) and (all(n >= 0 for n in numbers) or all(n <= 0 for n in numbers)):
            return way
    return None


def _scaled(amplitude: Expr) -> Iterator[tuple[Expr, Expr]]:
    """The terms of a sum, each as exp(c) times the rest: c, and the rest."""
    for term in sympy.Add.make_args(sympy.expand(amplitude)):
        c, factors = S.Zero, []
        for factor in sympy.Mul.make_args(term):
            base, index = factor.as_base_exp()
            if base == S.Exp1 and index.is_number:
                real, imaginary = index.as_real_imag()
                c, factor = c + real, sympy.exp(sympy.I * imaginary)
            factors.append(factor)
        yield c, sympy.Mul(*factors)


def _over_one_power(amplitude: Expr, given: dict[Symbol, Expr]) -> Expr:
    """Write a sum over one power of Delta, so that what cancels above it does so in symbols."""
    terms = sympy.Add.make_args(amplitude)
    if not 1 < len(terms) <= _TERMS:
        return amplitude
    least = min(term.as_coeff_exponent(GAP)[1] for term in terms)
    top = sympy.expand(sympy.Add(*(term * GAP**-least for term in terms)))
    return sympy.expand(top.subs(given, simultaneous=True)) * GAP**least


def _waves(waves: list[Wave]) -> Moment:
    """Sum exponentials of complex rates; their sum is real.

    Constants such as the exp(-900) of exp(-(30 x - 30)^2) go into the exponents, whose other parts they
    cancel: apart, one is below the range of doubles and the other beyond it.
    """
    groups: dict[tuple[Expr, Expr], dict[tuple[Expr, Expr], Expr]] = {}
    shifted: set[Expr] = set()
    diagonals: dict[tuple[Expr, Expr], dict[Expr, Expr]] = {}
    for wave in waves:
        # Delta W = K + det * (rates): keep the determinant apart
        form, apart = S.Zero, []
        for factor, n in (
            (wave.beta**2, wave.n11),
            (2 * wave.beta * wave.eta, wave.n12),
            (wave.eta**2, wave.n22),
        ):
            square = -sympy.expand(n).coeff(C, 2)
            apart.append(sympy.expand(n - square * (K1 * K2 - C**2)) + square * DET)
            form += sympy.expand(factor) * apart[-1]
        diagonals[wave.p0, wave.p1] = {N1: apart[0], N2: apart[2]}
        plain, imaginary = sympy.expand(form).as_real_imag()
        positive = wave.p0 - wave.p1 * (K1 * K2 - DET)
        sums = groups.setdefault((wave.p0, wave.p1), {})
        for c, part in _scaled(wave.amplitude):
            a, b = part.as_real_imag()
            real = sympy.expand(plain + 2 * c * positive)
            whole = None if c == 0 else _of_one_sign(real)
            real = _gaps(real, wave.beta, wave.eta) if whole is None else whole
            for amplitude, trig in ((a, sympy.cos), (-b, sympy.sin)):
                angle = trig(sympy.expand(imaginary) / (2 * GAP))
                key = (real, angle)
                sums[key] = sums.get(key, S.Zero) + amplitude
            shifted |= {real} if c != 0 else set()
    value, stable = S.Zero, S.Zero
    for (p0, p1), sums in groups.items():
        delta = p0 - p1 * C**2
        positive = sympy.expand(p0 - p1 * (K1 * K2 - DET))
        diagonal = diagonals[p0, p1]
        entries = []
        for (real, angle), amplitude in sums.items():
            size = sympy.expand(amplitude)
            if real in shifted:
                size = _over_one_power(size, diagonal | {GAP: positive})
            weight = sympy.factor(size) * angle
            if weight != 0:
                entries.append((real, weight))
                exponent = sympy.factor(sympy.expand(real.subs(_BACK))) / (2 * delta)
                plain = weight.subs(diagonal).subs(_BACK).subs(GAP, delta)
                value += plain * sympy.exp(exponent)
        stable += _differences(entries).subs(diagonal).subs(GAP, positive)
    return Moment(value, stable)


def _differences(entries: list[tuple[Expr, Expr]]) -> Expr:
    """Sum weight * exp(real/(2 Delta)), opposite weights as differences of exponentials."""
    total, used = S.Zero, set()
    for i, (real, weight) in enumerate(entries):
        if i in used:
            continue
        for j in range(i + 1, len(entries)):
            other, opposite = entries[j]
            if j not in used and sympy.expand(weight + opposite) == 0:
                used.add(j)
                apart = sympy.expand((real - other).subs(_BACK)) / (2 * GAP)
                total += weight * ExpDifference(real / (2 * GAP), other / (2 * GAP), apart)
                break
        else:
            total += weight * sympy.exp(real / (2 * GAP))
    return total


_BACK = {DET: K1 * K2 - C**2, DELTA: K1 + K2 - 2 * C, SIGMA: K1 + K2 + 2 * C}
