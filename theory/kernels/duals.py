"""Dual activations: D[phi](K) = E phi(u) phi(v) for (u, v) ~ N(0, K), derived from phi.

``dual(phi)`` reads phi as a sum of terms (`theory.calculus.terms`), climbs Price's ladder for each pair
(`theory.calculus.price`) and keeps what it did. Nothing is looked up. Where the ladder has no elementary foot
(tanh, x/(1 + |x|)) the object has the same methods, its expressions are unevaluated Gaussian
expectations, and numerics sums their Hermite series with an error bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import sympy
from sympy import Eq, Expr, Function, Lambda, S, Symbol

from theory.calculus.price import GAP, K1, K2, N1, N2, C, Form, Wave, pair
from theory.calculus.terms import Term, derivative, read
from theory.errors import DivergenceError
from theory.kernels.dualcheck import agrees
from theory.kernels.existence import Existence

if TYPE_CHECKING:
    from theory.calculus.steps import Step
    from theory.kernels.activations import Activation


__all__ = [
    "DELTA",
    "DET",
    "SIGMA",
    "Dual",
    "ExpDifference",
    "GaussianPair",
    "Tangent",
    "dual",
    "moment",
]

Tangent = Literal["limit", "almost_everywhere"]
"""Which slope of an activation that jumps the tangent kernel is made of."""

DET = Symbol("det", nonnegative=True)
"""k11 k22 - k12^2, for forms that stay exact as the correlation approaches +-1."""
DELTA = Symbol("delta", nonnegative=True)
"""E (u - v)^2 = k11 + k22 - 2 k12."""
SIGMA = Symbol("sigma", nonnegative=True)
"""E (u + v)^2 = k11 + k22 + 2 k12."""


class ExpDifference(Function):
    """exp(a) - exp(b), where the third argument is a - b without cancellation."""

    nargs = 3

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


def _waves(waves: list[Wave]) -> Moment:
    """Sum exponentials of complex rates; their sum is real."""
    groups: dict[tuple[Expr, Expr], dict[tuple[Expr, Expr], Expr]] = {}
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
        real, imaginary = sympy.expand(form).as_real_imag()
        a, b = sympy.expand(wave.amplitude).as_real_imag()
        real = _gaps(sympy.expand(real), wave.beta, wave.eta)
        sums = groups.setdefault((wave.p0, wave.p1), {})
        for amplitude, trig in ((a, sympy.cos), (-b, sympy.sin)):
            angle = trig(sympy.expand(imaginary) / (2 * GAP))
            key = (real, angle)
            sums[key] = sums.get(key, S.Zero) + amplitude
    value, stable = S.Zero, S.Zero
    for (p0, p1), sums in groups.items():
        delta = p0 - p1 * C**2
        positive = sympy.expand(p0 - p1 * (K1 * K2 - DET))
        entries = []
        for (real, angle), amplitude in sums.items():
            weight = sympy.factor(sympy.expand(amplitude)) * angle
            if weight != 0:
                entries.append((real, weight))
                exponent = sympy.factor(sympy.expand(real.subs(_BACK))) / (2 * delta)
                plain = weight.subs(diagonals[p0, p1]).subs(_BACK).subs(GAP, delta)
                value += plain * sympy.exp(exponent)
        stable += _differences(entries).subs(diagonals[p0, p1]).subs(GAP, positive)
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


@dataclass(frozen=True, eq=False)
class Dual:
    """The dual of an activation.

    Attributes
    ----------
    activation : Activation
    terms : tuple of Term
        phi as terms of the ladder; None where it has no closed form.
    """

    activation: Activation
    terms: tuple[Term, ...] | None

    @property
    def existence(self) -> Existence:
        """For which variances it exists."""
        return self.activation.existence

    @cached_property
    def ladder(self) -> tuple[tuple[Term, ...], ...]:
        """Phi, phi', phi'', phi''' as terms."""
        assert self.terms is not None
        rungs = [self.terms]
        for _ in range(3):
            rungs.append(derivative(rungs[-1]))
        return tuple(rungs)

    @cached_property
    def _moments(self) -> dict[tuple[int, int], Moment]:
        return {}

    def moment(self, i: int, j: int) -> Moment:
        """E phi^(i)(u) phi^(j)(v), for i and j up to 3."""
        if (i, j) not in self._moments:
            found = None
            if self.terms is not None:
                found = moment(self.ladder[i], self.ladder[j])
            if found is None:
                x = self.activation.symbol
                f, g = (
                    Lambda(x, sympy.diff(self.activation.expr, x, n) if n else self.activation.expr)
                    for n in (i, j)
                )
                node = GaussianPair(f, g, K1, C, K2)
                found = Moment(node, node)
            self._moments[i, j] = found
        return self._moments[i, j]

    @cached_property
    def is_closed(self) -> bool:
        """Whether D and D' are closed forms."""
        return not (self.expr.has(GaussianPair) or self.derivative.has(GaussianPair))

    def tangent(self, kind: Tangent, i: int = 0, j: int = 0) -> Moment:
        """E tau^(i)(u) tau^(j)(v), tau the slope that the tangent kernel uses.

        Parameters
        ----------
        kind : {"limit", "almost_everywhere"}
            tau = phi', jumps having deltas; or the derivative almost everywhere.
        i, j : int
        """
        if kind == "limit" or not self.existence.jumps:
            return self.moment(i + 1, j + 1)
        found = None
        if self.terms is not None:
            rungs = [tuple(t for t in self.ladder[1] if t.kind != "delta")]
            for _ in range(max(i, j)):
                rungs.append(derivative(rungs[-1]))
            found = moment(rungs[i], rungs[j])
        return self.moment(i + 1, j + 1) if found is None else found

    @property
    def expr(self) -> Expr:
        """D, in k11, k12, k22."""
        return self.moment(0, 0).expr

    @property
    def derivative(self) -> Expr:
        """D' = dD/dk12 = E phi'(u) phi'(v), in k11, k12, k22."""
        return self.moment(1, 1).expr

    @cached_property
    def diagonal(self) -> Expr:
        """D at k11 = k12 = k22 = k, in k11."""
        return self._diagonal(self.moment(0, 0))

    @cached_property
    def derivative_diagonal(self) -> Expr:
        """E phi'(u)^2, in k11: D' at correlation 1; infinite where phi jumps."""
        return self._diagonal(self.moment(1, 1))

    def _diagonal(self, found: Moment) -> Expr:
        if found is self.moment(1, 1) and not self.existence.smooth:
            return S.Infinity
        if found.expr.has(GaussianPair):
            return found.expr.subs({C: K1, K2: K1}, simultaneous=True)
        inside = found.stable.subs(
            {DET: 0, DELTA: 0, SIGMA: 4 * K1, C: K1, K2: K1}, simultaneous=True
        ).doit()
        return S.Infinity if inside.has(S.ComplexInfinity) else sympy.simplify(inside)

    @cached_property
    def degree(self) -> int | None:
        """N if phi(a x) = a^n phi(x) for a > 0, else None."""
        if not self.terms:
            return None
        kinds = {t.kind for t in self.terms}
        powers = {t.power for t in self.terms}
        flat = all(t.alpha == 0 and t.beta == 0 for t in self.terms)
        return powers.pop() if kinds <= {"plain", "sign"} and flat and len(powers) == 1 else None

    @cached_property
    def profile(self) -> tuple[tuple[Expr, Expr], tuple[Expr, Expr]]:
        """For homogeneous phi of degree n, D and D' of its even and of its odd part, at unit variances.

        Returns
        -------
        tuple of pairs of Expr
            In the symbols rho, s = sin(theta) and theta, rho = cos(theta): D = (k11 k22)^(n/2) times the sum
            of the first ones, D' = (k11 k22)^((n-1)/2) times that of the second.
        """
        assert self.degree is not None
        assert self.terms is not None
        odd = "plain" if self.degree % 2 else "sign"
        parts = [tuple(t for t in self.terms if (t.kind == odd) == want) for want in (False, True)]
        return _profile(parts[0]), _profile(parts[1])

    @cached_property
    def exists(self) -> Expr:
        """A condition on the variance k11 = k22 = k under which phi is square integrable."""
        largest = self.existence.largest
        return S.true if largest is S.Infinity else largest > K1

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The derivation, for display."""
        from theory.kernels.dualsteps import steps

        return steps(self)

    def equation(self) -> Eq:
        """D[phi] as an equation."""
        return Eq(Symbol("D"), self.expr)

    def text(self) -> str:
        """D and D' in plain text."""
        return (
            f"{self.activation}: phi(x) = {self.activation.expr}\n\n"
            f"  D  = {self.expr}\n  D' = {self.derivative}\n\n"
            "  D = E phi(u) phi(v), D' = dD/dk12 = E phi'(u) phi'(v); (u, v) ~ N(0, K)\n"
        )

    def latex(self) -> str:
        """D and D' as a LaTeX ``aligned`` environment."""
        rows = f"D &= {sympy.latex(self.expr)} \\\\\nD' &= {sympy.latex(self.derivative)}"
        return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"

    def python(self) -> str:
        """Return D and D' as a runnable Python module.

        Raises
        ------
        ValueError
            Where they are not closed forms.
        """
        from theory.kernels.dualsteps import python_source

        return python_source(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _profile(terms: tuple[Term, ...]) -> tuple[Expr, Expr]:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    made = []
    for rung in (terms, derivative(terms)):
        found = moment(rung, rung)
        assert found is not None
        expr = found.stable.subs({K1: 1, K2: 1})
        expr = expr.replace(sympy.atan2, lambda *_: sympy.pi / 2 - theta)
        made.append(sympy.expand(expr.subs(DET, s**2).subs(C, rho)).replace(sympy.Abs, lambda a: a))
    return made[0], made[1]


@lru_cache(maxsize=128)
def _dual(activation: Activation) -> Dual:
    if activation.existence.largest == 0:
        raise DivergenceError(activation.existence.text())
    found = Dual(activation, read(activation.expr, activation.symbol))
    # a closed form that is not the integral would be worse than none
    return found if not found.is_closed or agrees(found) else Dual(activation, None)


def dual(phi: str | Expr | Activation) -> Dual:
    """Derive the dual activation of phi.

    Parameters
    ----------
    phi : str, sympy.Expr or Activation
        A name such as "relu" or "leaky_relu:0.2" (see `theory.kernels.activations`), or an expression in one
        symbol.

    Returns
    -------
    Dual
        ``.expr`` and ``.derivative`` in k11, k12, k22; ``.steps`` is the derivation.

    Raises
    ------
    ActivationError
        For unknown names and expressions that are no activation.
    DivergenceError
        If E phi(u)^2 is infinite at every variance, or this cannot be decided.

    Notes
    -----
    A closed form is compared with the double integral at three covariances (`theory.kernels.dualcheck`).
    """
    from theory.kernels.activations import activation

    return _dual(activation(phi))
