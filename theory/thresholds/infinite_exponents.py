"""Functionals at infinite exponents: capacities of discrete x, in the hard-constraint limit c_2 -> oo.

The limit concerns the innermost lifting alone, whose leaves are in `theory.thresholds.hard_constraints`.

Source: Stojnic, arXiv:2312.00070 (binary perceptrons), arXiv:2601.10628 (symmetric ones).
"""

from __future__ import annotations

from functools import lru_cache

from sympy import Add, And, Eq, Expr, Lambda, Limit, S, expand, factor_terms

from theory.calculus.evenness import parity
from theory.calculus.lifting import LiftedExpectation
from theory.calculus.steps import Step
from theory.thresholds.free_energy import FreeEnergy, chains_of
from theory.thresholds.hard_constraints import (
    C2,
    GAMMA,
    H,
    constraint_limit,
    constraint_steps,
    prior_limit,
    prior_steps,
)
from theory.thresholds.models import ALPHA, Constraint, Model, Prior
from theory.thresholds.random_dual import XI, composed, norms, order_symbols, random_dual

__all__ = ["hard_constraint_limit"]


def hard_constraint_limit(model: Model, level: int) -> FreeEnergy:
    """Carry out the hard-constraint limit of the random dual; see `free_energy`."""
    if model.sign != -1 or model.constraint is None:
        raise ValueError(f"{model.name} has sign +1; only min-max problems have a capacity")
    inside = [
        a.is_extended_negative and b.is_extended_positive
        for a, b in constraint_limit(model.constraint).feasible
    ]
    if S.Zero in getattr(model.prior, "values", ()) and True in inside:
        raise ValueError(
            f"the capacity of {model} is infinite: x = 0 fulfils every constraint with room to spare"
        )
    generic = model.generic
    assert generic.constraint is not None
    return _derived(generic.prior, generic.constraint, level).of(model)


@lru_cache(maxsize=64)
def _derived(prior: Prior, constraint: Constraint, level: int) -> FreeEnergy:
    """Derive the functional of one prior, constraint and level, parameters symbolic."""
    dual = random_dual(Model("generic", prior, constraint), level)
    assert dual.y is not None
    x_limit, y_limit = prior_limit(prior), constraint_limit(constraint, prior.norm)
    p, q, s = dual.p, order_symbols("Q", 2, level), order_symbols("s", 2, level - 1)
    scaling = dict(zip(dual.q, [x / C2**2 for x in q], strict=True))
    scaling |= dict(zip(dual.c[1:], [x * C2 for x in s], strict=True))

    x_scaled = dual.x.scaled(C2, C2).xreplace(scaling | x_limit.scaling)
    x_nest = _innermost_replaced(x_scaled, x_limit.leaf)
    y_scaled = dual.y.scaled(-C2).xreplace(scaling)
    y_nest = _innermost_replaced(y_scaled, y_limit.leaf)
    bilinear = expand((C2 * dual.bilinear).xreplace(scaling))
    divergent = C2**2 * prior.norm / 2
    remainder = bilinear - divergent
    if remainder.has(C2):
        raise ValueError("the bilinear term does not balance the x nest as c_2 -> infinity")
    pairs = [a * b for a, b in zip(p[-len(q) :], q, strict=True)]
    coupling = Add(*[factor_terms(remainder.coeff(pair)) * pair for pair in pairs])
    entropy, energy = x_limit.offset - coupling + x_nest, y_nest
    steps = [
        Step(
            "Random dual",
            f"min_x max_y y'Gx lifted to this level; {norms(prior)} and the outermost average is "
            "quenched (exponent 0). At capacity xi = 0.",
            Eq(XI, dual.xi),
        ),
        *prior_steps(x_limit, prior),
        Step(
            "x nest",
            "Multiply by c_2 and rescale the field by c_2: c nest[f; v, c_k](x) = "
            "nest[c f(./c); c**2 v, c_k/c](c x). With q_k = Q_k/c_2**2 and c_{k+1} = s_k c_2 the "
            "innermost exponent is 1 and only that level still contains c_2; its limit is known.",
            Eq(
                Limit(x_scaled - divergent, C2, S.Infinity, "-"),
                x_limit.offset + x_nest,
                evaluate=False,
            ),
        ),
        *constraint_steps(y_limit, constraint),
        Step(
            "y nest",
            "Multiply by -c_2: the exponents -c_k become c_k/c_2, and the innermost level, of "
            "exponent 1, becomes the log-probability of the hard constraint.",
            Eq(Limit(y_scaled, GAMMA, 0, "+"), y_nest, evaluate=False),
        ),
        Step(
            "Bilinear term",
            f"Multiply by c_2 and sum by parts with s_1 = 1, s_r = 0. The divergent {divergent} is "
            "the one of the x nest.",
            Eq(C2 * dual.bilinear.xreplace(scaling), divergent + coupling, evaluate=False),
        ),
        Step(
            "Entropy and energy",
            "c_2 xi = c_2 L - c_2 X + c_2 gamma + alpha c_2 Y tends to -(Ent + alpha En), since "
            "c_2 gamma -> 0.",
            Eq(S.Zero, -(entropy + ALPHA * energy), evaluate=False),
        ),
    ]
    if parity(Lambda(H, prior.leaf(H))) == 1 and y_limit.is_even:
        zero = {p[-1]: S.Zero, q[-1]: S.Zero}
        slopes = [e.field_derivative() for e in (x_nest, y_nest)]
        p, q = p[:-1], q[:-1]
        entropy, energy = (composed(e.xreplace(zero)) for e in (entropy, energy))
        steps.append(
            Step(
                "Evenness",
                f"Both leaves are even, so both nests have slope 0 at field 0. At p_{level} = "
                f"Q_{level} = 0 the derivatives of Ent and En with respect to them are "
                "proportional to those slopes squared (and to each other's variable), hence it is "
                "a stationary point: the outermost average is trivial.",
                And(*[Eq(e.xreplace(zero), S.Zero, evaluate=False) for e in slopes]),
            )
        )
    steps.append(
        Step("Capacity", "xi = 0 solved for alpha.", Eq(ALPHA, -entropy / energy, evaluate=False))
    )
    chains = chains_of(p, q, s, x_limit.fields, p_upper=prior.largest_norm)
    return FreeEnergy(
        dual.model, level, entropy, energy, p, q, s, chains, tuple(steps), x_limit.fields
    )


def _innermost_replaced(nest: LiftedExpectation, leaf: Lambda) -> Expr:
    """Return the nest with its innermost level, of exponent 1, replaced by its limit ``leaf``."""
    if nest.exponents[0] != 1:
        raise ValueError(f"the innermost exponent is {nest.exponents[0]}, not 1")
    increments = [v.expand() for v in nest.increments[1:]]
    return LiftedExpectation(leaf, nest.field, increments, nest.exponents[1:])
