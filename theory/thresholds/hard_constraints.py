"""The hard-constraint limits of one prior and of one constraint, each derived once and cached.

They concern only the innermost level of a nest, so every level of every model shares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sympy import (
    Add,
    Eq,
    Expr,
    Heaviside,
    Lambda,
    Limit,
    Mul,
    S,
    Symbol,
    cosh,
    erf,
    exp,
    expand,
    expand_log,
    factor_terms,
    limit,
    log,
    sinh,
    sqrt,
)

from theory.calculus.binding import fresh
from theory.calculus.closed import pieces
from theory.calculus.evenness import parity
from theory.calculus.gaussian import GaussianExpectation
from theory.calculus.steps import Step
from theory.thresholds.models import MU, Constraint, Prior

H = Symbol("h", real=True)
C2 = Symbol("c_2", positive=True)
P2 = Symbol("p_2", positive=True)
Q2 = Symbol("Q_2", positive=True)
GAMMA = Symbol("gamma", positive=True)
W = Symbol("w", positive=True)


@dataclass(frozen=True)
class PriorLimit:
    """The innermost x lifting as c_2 -> infinity.

    Attributes
    ----------
    lifted
        E exp(c_2 f_0(x + sqrt(v) U)), v = 1 - q_2, in closed form, a Lambda of (x, v).
    scaled
        The same at x = h/c_2, v = 1 - Q_2/c_2**2, divided by exp(c_2**2 p_1/2).
    offset
        The part of the limit that does not depend on the field: -Q_2/2 where |x| = 1.
    leaf
        The limit's dependence on the field: log(2 cosh h) for the binary prior.
    scaling
        How the prior's multipliers grow with c_2.
    fields
        What the limit is stationary in instead of the multipliers: the fugacity w of a prior whose norm
        p_1 is free, with mu = c_2/2 - (log w + Q_2/2)/c_2.
    """

    lifted: Lambda
    scaled: Expr
    offset: Expr
    leaf: Lambda
    scaling: dict[Expr, Expr]
    fields: tuple[Symbol, ...]


@dataclass(frozen=True)
class ConstraintLimit:
    """The innermost y lifting as gamma -> 0+.

    Attributes
    ----------
    feasible
        Intervals (lower, upper) of the field in which the constraint holds.
    indicator
        The limit of exp(-c_2 f_0), a Lambda of the field.
    probability
        P(h) = Prob(constraint holds for sqrt(p_1 - p_2) V + h), a Lambda of h.
    leaf
        log P(h), a Lambda of h.
    is_even
        Whether the constraint's own leaf is an even function of the field.
    norm
        p_1.
    """

    feasible: tuple[tuple[Expr, Expr], ...]
    indicator: Lambda
    probability: Lambda
    leaf: Lambda
    is_even: bool
    norm: Expr = S.One


@lru_cache(maxsize=64)
def prior_limit(prior: Prior) -> PriorLimit:
    """Derive the limit of the innermost x lifting for ``prior``.

    Raises
    ------
    ValueError
        When the innermost lifting has no closed form, or no finite limit.
    """
    u, x, width = fresh(), fresh("x"), Symbol("width", positive=True)
    lifted = GaussianExpectation(exp(C2 * prior.leaf(x + width * u)), u).doit()
    if lifted.has(GaussianExpectation):
        raise ValueError(f"no closed form for the innermost lifting of {prior}")
    variance = Symbol("v", positive=True)
    scaling, fields = _penalty_scaling(prior)
    at_point = {x: H / C2, width: sqrt(1 - Q2 / C2**2)} | scaling
    divergence = exp(-(C2**2) * prior.norm / 2)
    scaled = Add(
        *[
            _collected(term * divergence, at_point)
            for term in Add.make_args(expand(lifted, power_exp=False))
        ]
    )
    value = Add(*[limit(term, C2, S.Infinity) for term in Add.make_args(scaled)])
    if value.is_zero or value.has(S.Infinity, S.NegativeInfinity, S.NaN):
        raise ValueError(f"the innermost lifting of {prior} has no finite limit")
    constant, rest = _gathered(value)
    return PriorLimit(
        Lambda((x, variance), lifted.xreplace({width: sqrt(variance)})),
        scaled,
        expand_log(log(constant), force=True),
        Lambda(H, log(rest)),
        scaling,
        fields,
    )


def _penalty_scaling(prior: Prior) -> tuple[dict[Expr, Expr], tuple[Symbol, ...]]:
    """Return how the penalty on the norm grows with c_2, and the fugacity that stays finite.

    At the tilted centres c_2 a of the innermost lifting the maximum of a h - mu a**2 has to be the a of
    the centre, for every a at once: mu = c_2/2 to leading order.
    """
    if prior.norm == 1:
        return {}, ()
    return {MU: C2 / 2 - (log(W) + Q2 / 2) / C2}, (W,)


def _gathered(value: Expr) -> tuple[Expr, Expr]:
    """Return a factor free of the field, and a sum of exponentials, as cosh where it is even."""
    constant, rest = factor_terms(expand(value)).as_independent(H, as_Add=False)
    if rest.is_Add and any(not term.has(H) for term in rest.args):
        return constant, rest
    hyperbolic = rest.replace(exp, lambda a: cosh(a) + sinh(a)).expand()
    return constant, rest if hyperbolic.has(sinh) else hyperbolic


def _collected(term: Expr, at_point: dict[Expr, Expr]) -> Expr:
    """Return ``term`` at a point, its exponentials collected into one with expanded exponent."""
    exponent, others = S.Zero, []
    for factor in Mul.make_args(term.xreplace(at_point)):
        if isinstance(factor, exp):
            exponent += factor.args[0]
        else:
            others.append(factor)
    return Mul(*others) * exp(expand(exponent))


@lru_cache(maxsize=64)
def constraint_limit(constraint: Constraint, norm: Expr = S.One) -> ConstraintLimit:
    """Derive the limit of the innermost y lifting for ``constraint``, at |x|**2 = p_1 = ``norm``.

    Raises
    ------
    ValueError
        When the leaf is not zero or positive on intervals that can be told apart symbolically.
    """
    split = pieces(exp(-C2 * constraint.leaf(H, GAMMA)), H)
    if split is None:
        raise ValueError(f"cannot find where {constraint} holds: its leaf has no linear kinks")
    feasible: list[tuple[Expr, Expr]] = []
    for lower, upper, weight in split:
        try:
            value = limit(weight.xreplace({H: _inside(lower, upper)}), GAMMA, 0, "+")
        except NotImplementedError:  # depends on the sign of the violation inside the interval
            value = S.NaN
        if value == 1:
            feasible.append((lower, upper))
        elif value != 0:
            raise ValueError(f"the leaf of {constraint} has no hard limit on ({lower}, {upper})")
    feasible = _joined(feasible)
    if not feasible or feasible == [(S.NegativeInfinity, S.Infinity)]:
        raise ValueError(f"{constraint} holds {'everywhere' if feasible else 'nowhere'}")
    indicator = Add(
        *[Heaviside(H - lower) - Heaviside(H - upper) for lower, upper in feasible]
    ).replace(
        Heaviside,
        lambda a, *_: (
            S.One if a is S.Infinity else S.Zero if a is S.NegativeInfinity else Heaviside(a)
        ),
    )
    v, width = fresh("V"), Symbol("width", positive=True)
    probability = GaussianExpectation(indicator.xreplace({H: width * v + H}), v).doit()
    root = sqrt(norm - P2)
    probability = factor_terms(probability.xreplace({width: root})).replace(
        erf, lambda a: erf(a * sqrt(2) * root / sqrt(2 * norm - 2 * P2))
    )
    own = Lambda(H, constraint.leaf(H, GAMMA))
    return ConstraintLimit(
        tuple(feasible),
        Lambda(H, indicator),
        Lambda(H, probability),
        Lambda(H, log(probability)),
        parity(own) == 1,
        norm,
    )


def _inside(lower: Expr, upper: Expr) -> Expr:
    """Return a generic point of the open interval."""
    if lower is S.NegativeInfinity:
        return H if upper is S.Infinity else upper - Symbol("t", positive=True)
    if upper is S.Infinity:
        return lower + Symbol("t", positive=True)
    return (lower + upper) / 2


def _joined(intervals: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
    joined: list[tuple[Expr, Expr]] = []
    for lower, upper in intervals:
        if joined and joined[-1][1] == lower:
            joined[-1] = (joined[-1][0], upper)
        else:
            joined.append((lower, upper))
    return joined


def prior_steps(limit: PriorLimit, prior: Prior) -> list[Step]:
    """Return the steps that lead to a `PriorLimit`."""
    u, (x, variance) = fresh(), limit.lifted.variables
    lifting = GaussianExpectation(exp(C2 * prior.leaf(x + sqrt(variance) * u)), u)
    value = exp(limit.offset) * exp(limit.leaf.expr)
    return [
        Step(
            "Innermost x lifting",
            "Split at the kink of the leaf and complete the square; v = 1 - q_2.",
            Eq(lifting, limit.lifted.expr, evaluate=False),
        ),
        Step(
            "c_2 -> infinity",
            "At field x = h/c_2 and v = 1 - Q_2/c_2**2, with exp(c_2**2/2) divided out."
            if prior.norm == 1
            else "At field x = h/c_2, v = 1 - Q_2/c_2**2 and mu = c_2/2 - (log w + Q_2/2)/c_2, with "
            "exp(c_2**2 p_1/2) divided out; w > 0 stays finite.",
            Eq(Limit(limit.scaled, C2, S.Infinity, "-"), value, evaluate=False),
        ),
    ]


def constraint_steps(limit: ConstraintLimit, constraint: Constraint) -> list[Step]:
    """Return the steps that lead to a `ConstraintLimit`."""
    v = fresh("V")
    soft = exp(-C2 * constraint.leaf(H, GAMMA))
    shifted = limit.indicator.expr.xreplace({H: H + sqrt(limit.norm - P2) * v})
    return [
        Step(
            "gamma -> 0+ in the y leaf",
            "The penalty becomes the indicator of the constraint, for every field inside or "
            "outside the feasible set.",
            Eq(Limit(soft, GAMMA, 0, "+"), limit.indicator.expr, evaluate=False),
        ),
        Step(
            "Innermost y lifting",
            f"The probability that the constraint holds under a Gaussian of variance {limit.norm - P2}.",
            Eq(GaussianExpectation(shifted, v), limit.probability.expr, evaluate=False),
        ),
    ]
