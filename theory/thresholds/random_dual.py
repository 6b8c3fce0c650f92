"""Random duals at any level, and what is made of them: capacities and ground states.

Source: Stojnic, arXiv:2312.00073 (fully lifted random duality theory) for the random dual,
arXiv:2312.00070 (binary perceptrons) and arXiv:2601.10628 (symmetric ones) for the hard-constraint
limit. The functionals at finite exponents are in `theory.thresholds.finite_exponents`.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import lru_cache

from sympy import (
    Add,
    And,
    Eq,
    Expr,
    Integer,
    Lambda,
    Limit,
    S,
    Symbol,
    expand,
    factor_terms,
)

from theory.calculus.binding import fresh
from theory.calculus.evenness import parity
from theory.calculus.lifting import LiftedExpectation
from theory.calculus.steps import Step
from theory.parameters import shown
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

MAX_LEVEL = 200
"""Highest level that is derived, in half a minute; far beyond what can be evaluated."""

XI = Symbol("xi", real=True)


@dataclass(frozen=True)
class RandomDual:
    """The level-r random dual of a model.

    Attributes
    ----------
    model, level
        What it is the dual of.
    p, q, c
        Free symbols p_2..p_r, q_2..q_r, c_2..c_r; no p without a constraint; p_1 first where the prior
        leaves it free.
    bilinear
        L = 1/2 sum_{k=2}^{r+1} (p_{k-1} q_{k-1} - p_k q_k) c_k. Without a constraint the field of x is
        its own, p = q, and L = 1/4 sum_k (q_{k-1}**2 - q_k**2) c_k.
    x, y
        The nests over x and over y; no y without a constraint.
    """

    model: Model
    level: int
    p: tuple[Symbol, ...]
    q: tuple[Symbol, ...]
    c: tuple[Symbol, ...]
    bilinear: Expr
    x: LiftedExpectation
    y: LiftedExpectation | None

    @property
    def xi(self) -> Expr:
        """-L + X + gamma + alpha Y for sign +1, L - X + gamma + alpha Y for sign -1."""
        own = self.model.sign * (self.x - self.bilinear)
        if self.y is None:
            return own
        return own + GAMMA + (ALPHA if self.model.alpha is None else self.model.alpha) * self.y


def order_symbols(name: str, first: int, last: int) -> tuple[Symbol, ...]:
    """Return the positive symbols name_first .. name_last."""
    return tuple(Symbol(f"{name}_{k}", positive=True) for k in range(first, last + 1))


def random_dual(model: Model, level: int) -> RandomDual:
    """Return the random dual of ``model`` at ``level`` >= 1.

    Raises
    ------
    TypeError
        When ``model`` is not a `Model` or ``level`` is not an integer.
    ValueError
        When ``level`` < 1.
    """
    r = _checked(model, level)
    free_p, free_q, free_c = (order_symbols(name, 2, r) for name in ("p", "q", "c"))
    p = (model.prior.norm, *free_p, S.Zero)
    q, c = (S.One, *free_q, S.Zero), (*free_c, S.Zero)
    if model.prior.norm.is_Symbol:
        free_p = (model.prior.norm, *free_p)
    h = fresh("h")
    x_nest = LiftedExpectation(
        Lambda(h, model.prior.leaf(h)), S.Zero, [q[k] - q[k + 1] for k in range(r)], c
    )
    if model.constraint is None:
        if model.prior.norm != 1:
            raise ValueError(f"{model.name}: without a constraint every x needs norm 1")
        bilinear = Add(*[(q[k] ** 2 - q[k + 1] ** 2) * c[k] for k in range(r)]) / 4
        return RandomDual(model, r, (), free_q, free_c, bilinear, x_nest, None)
    bilinear = Add(*[(p[k] * q[k] - p[k + 1] * q[k + 1]) * c[k] for k in range(r)]) / 2
    y_nest = LiftedExpectation(
        Lambda(h, model.constraint.leaf(h, GAMMA)),
        S.Zero,
        [p[k] - p[k + 1] for k in range(r)],
        [model.sign * x for x in c],
    )
    return RandomDual(model, r, free_p, free_q, free_c, bilinear, x_nest, y_nest)


def free_energy(model: Model, level: int) -> FreeEnergy:
    """Derive the functional of ``model`` at ``level``: alpha of a capacity, xi of a ground state.

    Parameters
    ----------
    model
        What `Model.problem` calls a capacity gives alpha, the others the energy xi.
    level
        Lifting level r >= 1; >= 2 for capacities with a discrete prior.

    Returns
    -------
    FreeEnergy
        The functional with its order parameters and the steps of its derivation. For an even
        model (found out symbolically) the outermost average is trivial, p_r = q_r = 0.

    Raises
    ------
    TypeError
        When ``model`` is not a `Model` or ``level`` is not an integer.
    ValueError
        When ``level`` is too small, or the model has no hard-constraint limit.

    Examples
    --------
    >>> from theory import SBP, SK, free_energy
    >>> free_energy(SBP(), 2).expr
    -log(2)/log(erf(sqrt(2)*kappa/2))
    >>> free_energy(SK(), 1).expr
    sqrt(2)/sqrt(pi)
    """
    r = _checked(model, level)
    if model.is_finite:
        from theory.thresholds.finite_exponents import finite_functional

        return finite_functional(model, r)
    if r < 2:
        raise ValueError(
            f"level {r} of {model.name} has no hard-constraint limit: the limit sends c_2 to "
            "infinity, and c_2 first appears at level 2; use level >= 2"
        )
    return hard_constraint_limit(model, r)


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
    generic, values = model.generic, model.parameters
    assert generic.constraint is not None
    found = _derived(generic.prior, generic.constraint, level)
    return FreeEnergy(
        model=model,
        level=level,
        entropy=found.entropy.xreplace(values),
        energy=found.energy.xreplace(values),
        p=found.p,
        q=found.q,
        c=found.s,
        chains=chains_of(found.p, found.q, found.s, found.fields, p_upper=model.prior.largest_norm),
        steps=found.steps,
        fields=found.fields,
    )


@dataclass(frozen=True)
class _Derivation:
    """What the limit gives for one prior, constraint and level, parameters symbolic."""

    entropy: Expr
    energy: Expr
    p: tuple[Symbol, ...]
    q: tuple[Symbol, ...]
    s: tuple[Symbol, ...]
    fields: tuple[Symbol, ...]
    steps: tuple[Step, ...]


@lru_cache(maxsize=64)
def _derived(prior: Prior, constraint: Constraint, level: int) -> _Derivation:
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
    return _Derivation(entropy, energy, p, q, s, x_limit.fields, tuple(steps))


def norms(prior: Prior) -> str:
    """Return what p_1 and q_1, the norms of x and y, are, in words."""
    return "p_1 = q_1 = 1" if prior.norm == 1 else "q_1 = 1, p_1 = |x|**2 is free"


def _innermost_replaced(nest: LiftedExpectation, leaf: Lambda) -> Expr:
    """Return the nest with its innermost level, of exponent 1, replaced by its limit ``leaf``."""
    if nest.exponents[0] != 1:
        raise ValueError(f"the innermost exponent is {nest.exponents[0]}, not 1")
    increments = [v.expand() for v in nest.increments[1:]]
    return LiftedExpectation(leaf, nest.field, increments, nest.exponents[1:])


def composed(expr: Expr) -> Expr:
    """Return ``expr`` with the levels of zero increment dropped from its nests."""
    return expr.replace(
        lambda e: isinstance(e, LiftedExpectation), lambda e: e.drop_zero_increments()
    )


def _checked(model: Model, level: int) -> int:
    if not isinstance(model, Model):
        raise TypeError(f"expected a model such as SBP(kappa=1), got {model!r}")
    if isinstance(level, bool) or not isinstance(level, (numbers.Integral, Integer)):
        raise TypeError(f"level must be an integer, got {level!r}")
    if level < 1:
        raise ValueError(f"level must be at least 1, got {level}")
    if level > MAX_LEVEL:
        raise ValueError(f"level must be at most {MAX_LEVEL}, got {shown(int(level))}")
    return int(level)
