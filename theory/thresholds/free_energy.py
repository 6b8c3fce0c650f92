"""The result of a derivation: alpha as a function of the order parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sympy import (
    Add,
    Dummy,
    Expr,
    Lambda,
    Mul,
    S,
    Symbol,
    erf,
    exp,
    expand,
    expand_mul,
    factor,
    factor_terms,
    log,
)

from theory.calculus.binding import apply, fresh
from theory.calculus.lifting import GibbsAverage, LiftedExpectation
from theory.calculus.steps import Step
from theory.thresholds.models import Model


@dataclass(frozen=True)
class Chain:
    """An ordered set of order parameters: upper > x_1 > x_2 > .. > lower.

    Attributes
    ----------
    symbols
        x_1, x_2, .. in decreasing order.
    upper, lower
        Bounds; ``upper`` may be infinite.
    """

    symbols: tuple[Symbol, ...]
    upper: Expr
    lower: Expr

    def __str__(self) -> str:
        """Return the chain as an inequality, without an infinite upper bound."""
        bounds = [] if self.upper is S.Infinity else [self.upper]
        return " > ".join(str(x) for x in (*bounds, *self.symbols, self.lower))


@dataclass(frozen=True)
class FreeEnergy:
    """A functional whose stationary value is the level's estimate: a capacity alpha or an energy xi.

    Up to a positive factor xi = -(Ent + alpha En), Ent per coordinate of x and En per row of G. A
    ground state is asked for xi; a capacity for the alpha at which it is 0, alpha = -Ent/En. In the
    hard-constraint limit Ent is an entropy and En the logarithm of a probability.

    Attributes
    ----------
    model
        The model it belongs to.
    level
        The lifting level r.
    entropy, energy
        Ent and En, natural logarithms; En = 0 for a model without constraint.
    p, q, c
        Order parameters: in the hard-constraint limit p_2.., Q_2.. and the exponents s_2.., otherwise
        p_2.., q_2.. and c_2.. (see ``chains`` for their order).
    chains
        The constraints between the order parameters.
    steps
        The derivation.
    fields
        Further variables it is stationary in: multipliers, and the field of limit functionals.
    """

    model: Model
    level: int
    entropy: Expr
    energy: Expr
    p: tuple[Symbol, ...]
    q: tuple[Symbol, ...]
    c: tuple[Symbol, ...]
    chains: tuple[Chain, ...]
    steps: tuple[Step, ...] = field(default=(), compare=False, repr=False)
    fields: tuple[Symbol, ...] = ()

    def of(self, model: Model) -> FreeEnergy:
        """Return the functional of a model of which this one's is the generic one: put its parameters in."""
        values = model.parameters
        return replace(
            self,
            model=model,
            entropy=self.entropy.xreplace(values),
            energy=self.energy.xreplace(values),
        )

    @property
    def nests(self) -> tuple[LiftedExpectation, ...]:
        """Its lifted expectations, those of Ent before those of En."""
        used: list[LiftedExpectation] = []
        for part in (self.entropy, self.energy):
            own = sorted(part.atoms(LiftedExpectation), key=lambda nest: (nest.depth, str(nest)))
            used += [nest for nest in own if nest not in used]
        return tuple(used)

    @property
    def is_capacity(self) -> bool:
        """Whether the value is a density alpha, not an energy xi."""
        return self.model.problem == "capacity"

    @property
    def expr(self) -> Expr:
        """Alpha = -Ent/En of a capacity, xi = -(Ent + alpha En) of a ground state."""
        if self.is_capacity:
            return -self.entropy / self.energy
        density = S.One if self.model.alpha is None else self.model.alpha
        return -(self.entropy + density * self.energy)

    @property
    def symbol(self) -> str:
        """Name of the value: alpha or xi."""
        return "alpha" if self.is_capacity else "xi"

    @property
    def is_finite(self) -> bool:
        """Whether its exponents are the dual's own c_k, not ratios to a c_2 gone to infinity."""
        return self.model.is_finite

    @property
    def order_parameters(self) -> tuple[Symbol, ...]:
        """All variables it is stationary in: p, then q (Q), then c (s), then fields."""
        return self.p + self.q + self.c + self.fields

    def stationarity(self) -> dict[Symbol, Expr]:
        """Return the derivative in every order parameter x.

        d alpha / dx = -(d Ent/dx + alpha d En/dx) / En, with the derivatives of the nests as Gibbs
        averages, one per nest and level.
        """
        if not self.is_capacity:
            return {x: gathered(self.expr.diff(x)) for x in self.order_parameters}
        rates = {}
        for x in self.order_parameters:
            entropy, energy = (gathered(e.diff(x)) for e in (self.entropy, self.energy))
            rates[x] = -(entropy - self.entropy / self.energy * energy) / self.energy
        return rates

    def text(self) -> str:
        """Return the functional in plain text, with a legend."""
        from theory.thresholds.printing import text

        return text(self)

    def latex(self) -> str:
        """Return the functional as a LaTeX ``aligned`` environment (without delimiters)."""
        from theory.thresholds.printing import latex_source

        return latex_source(self)

    def python(self) -> str:
        """Return a self-contained Python module (mpmath only) with a function ``alpha``."""
        from theory.thresholds.reference import python_source

        return python_source(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def __str__(self) -> str:
        """Return `text`."""
        return self.text()


def gathered(expr: Expr) -> Expr:
    """Return a sum with its Gibbs averages over the same nest and level joined into one."""
    nodes = {node: Dummy() for node in expr.atoms(GibbsAverage) | expr.atoms(LiftedExpectation)}
    back = {dummy: node for node, dummy in nodes.items()}
    groups: dict[tuple[Expr, int], list[Expr]] = {}
    rest: Expr = S.Zero
    h = fresh("h")
    for term in Add.make_args(expand_mul(expr.xreplace(nodes))):
        factors = [back.get(a, a) for a in Mul.make_args(term)]
        averages = [a for a in factors if isinstance(a, GibbsAverage)]
        if len(averages) != 1:
            rest += term
            continue
        (average,) = averages
        factors.remove(average)
        observable = Mul(*factors) * apply(average.observable, h)
        groups.setdefault((average.nest, average.level), []).append(observable)
    joined = [
        GibbsAverage(nest, level, Lambda(h, _compact(Add(*terms))))
        for (nest, level), terms in groups.items()
    ]
    return factor_terms(rest).xreplace(back) + Add(*joined)


# Operations up to which an observable is factored: beyond it that takes minutes and helps nobody.
_FACTORABLE = 200


def _compact(expr: Expr) -> Expr:
    """Return an observable as a product where its terms have a common square or factor."""
    if expr.has(GibbsAverage, LiftedExpectation) or expr.count_ops() > _FACTORABLE:
        return expr
    atoms: dict[Expr, Expr] = {a: Dummy() for a in expr.atoms(log, erf)}
    bases: dict[Expr, Dummy] = {}
    for a in expr.atoms(exp):
        number, rest = a.args[0].as_coeff_Mul()
        if number.is_Integer:
            base = exp(rest if number > 0 else -rest)
            atoms[a] = bases.setdefault(base, Dummy()) ** abs(number)
    factored = factor(expand(expr.xreplace(atoms)))
    back = {dummy: a for a, dummy in atoms.items() if dummy.is_Symbol}
    return factored.xreplace(back | {dummy: base for base, dummy in bases.items()})


def chains_of(
    p: tuple[Symbol, ...],
    q: tuple[Symbol, ...],
    c: tuple[Symbol, ...],
    fields: tuple[Symbol, ...] = (),
    q_upper: Expr = S.Infinity,
    p_upper: Expr = S.One,
) -> tuple[Chain, ...]:
    """Return the chains 1 > p > 0, oo > Q > 0 (or 1 > q > 0), and every exponent and field alone."""
    chains = [Chain(p, p_upper, S.Zero)] if p else []
    chains += [Chain(q, q_upper, S.Zero)] if q else []
    return (*chains, *(Chain((x,), S.Infinity, S.Zero) for x in c + fields))
