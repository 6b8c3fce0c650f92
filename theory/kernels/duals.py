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
from sympy import Add, Eq, Expr, Lambda, S, Symbol

from theory.calculus.price import K1, K2, C
from theory.calculus.terms import Term, derivative, read
from theory.errors import DivergenceError
from theory.kernels.dualcheck import agrees
from theory.kernels.dualsteps import python_source, steps
from theory.kernels.existence import Existence
from theory.kernels.moments import DELTA, DET, SIGMA, GaussianPair, Moment, moment

if TYPE_CHECKING:
    from theory.calculus.steps import Step
    from theory.kernels.activations import Activation


__all__ = [
    "Dual",
    "Tangent",
    "dual",
]

Tangent = Literal["limit", "almost_everywhere"]
"""Which slope of an activation that jumps the tangent kernel is made of."""


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

    def __reduce__(self) -> tuple[object, ...]:
        return dual, (self.activation,)  # there is one of each activation

    @property
    def existence(self) -> Existence:
        """For which variances it exists."""
        return self.activation.existence

    @cached_property
    def ladder(self) -> tuple[tuple[Term, ...], ...]:
        """Phi and its first five derivatives as terms."""
        assert self.terms is not None
        rungs = [self.terms]
        for _ in range(5):
            rungs.append(derivative(rungs[-1]))
        return tuple(rungs)

    @cached_property
    def _moments(self) -> dict[tuple[int, int], Moment]:
        return {}

    def moment(self, i: int, j: int) -> Moment:
        """E phi^(i)(u) phi^(j)(v), for i and j up to 5."""
        if (i, j) not in self._moments:
            made = None
            if self.terms is not None:
                made = moment(self.ladder[i], self.ladder[j])
            if made is None:
                x = self.activation.symbol
                f, g = (
                    Lambda(x, sympy.diff(self.activation.expr, x, n) if n else self.activation.expr)
                    for n in (i, j)
                )
                node = GaussianPair(f, g, K1, C, K2)
                made = Moment(node, node)
            self._moments[i, j] = made
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
        closed = None
        if self.terms is not None:
            rungs = [tuple(t for t in self.ladder[1] if t.kind != "delta")]
            for _ in range(max(i, j)):
                rungs.append(derivative(rungs[-1]))
            closed = moment(rungs[i], rungs[j])
        return self.moment(i + 1, j + 1) if closed is None else closed

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

    def _diagonal(self, product: Moment) -> Expr:
        if product is self.moment(1, 1) and not self.existence.smooth:
            return S.Infinity
        if product.expr.has(GaussianPair):
            return product.expr.subs({C: K1, K2: K1}, simultaneous=True)
        inside = product.stable.subs(
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
        return python_source(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _profile(terms: tuple[Term, ...]) -> tuple[Expr, Expr]:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    made = []
    for rung in (terms, derivative(terms)):
        square = moment(rung, rung)
        assert square is not None
        expr = square.stable.subs({K1: 1, K2: 1})
        expr = expr.replace(sympy.atan2, lambda *_: sympy.pi / 2 - theta)
        expr = sympy.expand(expr.subs(DET, s**2).subs(C, rho)).replace(sympy.Abs, lambda a: a)
        # numbers together: apart, a multiple of 1/s could be infinity less infinity
        shares: dict[Expr, Expr] = {}
        for term in Add.make_args(expr):
            number, monomial = term.as_independent(rho, s, theta, as_Add=False)
            shares[monomial] = shares.get(monomial, S.Zero) + number
        made.append(Add(*(number * monomial for monomial, number in shares.items())))
    return made[0], made[1]


@lru_cache(maxsize=128)
def _dual(activation: Activation) -> Dual:
    if activation.existence.largest == 0:
        raise DivergenceError(activation.existence.text())
    derived = Dual(activation, read(activation.expr, activation.symbol))
    # a closed form that is not the integral would be worse than none
    return derived if not derived.is_closed or agrees(derived) else Dual(activation, None)


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
