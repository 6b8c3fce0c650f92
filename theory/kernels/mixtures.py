"""tanh and its relatives as mixtures of error functions, which Price's ladder can climb.

The logistic distribution is a scale mixture of normal ones (Andrews and Mallows 1974; Stefanski 1991):
with kappa distributed as Kolmogorov's statistic, tanh(x) = E erf(x/(sqrt(2) kappa)). So tanh, the logistic
sigmoid, x sigmoid(x) and softplus, which is an integral of the sigmoid, are weighted sums of

    F(x) + G(x; a),   a = 1/(sqrt(2) kappa),

with F and G in the ladder's reach, and D[phi] is the double sum of one closed form in (a, b).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy
from sympy import Expr, Symbol

from theory.calculus.terms import Term, derivative, read
from theory.kernels.activations import Activation
from theory.kernels.moments import Moment, moment

__all__ = ["A", "B", "Mixture", "mixture"]

A, B = sympy.symbols("a b", positive=True)
"""Scales of the two members of a pair."""


@dataclass(frozen=True)
class Mixture:
    """An activation as E_a (sum of terms that depend on a).

    Attributes
    ----------
    activation : Activation
    expr : Expr
        The member, in x and a.
    """

    activation: Activation
    expr: Expr

    def moment(self, i: int, j: int) -> Moment:
        """E phi_a^(i)(u) phi_b^(j)(v) in closed form."""
        return _moment(self, i, j)

    def terms(self, scale: Symbol, order: int) -> tuple[Term, ...]:
        """The member's derivative as terms of the ladder."""
        rungs = read(self.expr.xreplace({A: scale}), self.activation.symbol)
        assert rungs is not None
        for _ in range(order):
            rungs = derivative(rungs)
        return rungs


@lru_cache(maxsize=256)
def _moment(member: Mixture, i: int, j: int) -> Moment:
    product = moment(member.terms(A, i), member.terms(B, j))
    assert product is not None
    return product


@lru_cache(maxsize=128)
def mixture(activation: Activation) -> Mixture | None:
    """Write an activation as a mixture, if it is linear in tanh(c x), x^n tanh(c x) and log(1 + exp(c x)).

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    Mixture or None
        None if something else is in it.
    """
    x, expr = activation.symbol, sympy.expand(activation.expr)
    hits: list[Expr] = []

    def soft(argument: Expr) -> Expr:
        """log(1 + exp(s)) = s/2 + log 2 + int_0^(s/2) tanh."""
        rest = argument - 1
        if not (rest.func is sympy.exp and _slope(rest.args[0], x) is not None):
            return sympy.log(argument)
        hits.append(argument)
        y = rest.args[0] / 2
        ramp = y * sympy.erf(A * y) + (sympy.exp(-((A * y) ** 2)) - 1) / (A * sympy.sqrt(sympy.pi))
        return y + sympy.log(2) + ramp

    def hard(argument: Expr) -> Expr:
        if _slope(argument, x) is None:
            return sympy.tanh(argument)
        hits.append(argument)
        return sympy.erf(A * argument)

    made = expr.replace(sympy.log, soft).replace(sympy.tanh, hard)
    made = sympy.expand(made)
    if not hits or made.has(sympy.tanh):
        return None
    terms = read(made, x)
    if terms is None or any(t.kind == "plain" and t.beta != 0 for t in terms):
        return None
    mixed = sympy.Poly(made, *[f for f in made.atoms(sympy.erf) if f.has(A)])
    if mixed.total_degree() > 1:  # a product of two mixed factors is no mixture
        return None
    return Mixture(activation, made)


def _slope(argument: Expr, x: Symbol) -> Expr | None:
    """Return c, if the argument is c x with a real number c."""
    slope = sympy.expand(argument).coeff(x, 1)
    return slope if slope.is_real and sympy.expand(argument - slope * x) == 0 else None
