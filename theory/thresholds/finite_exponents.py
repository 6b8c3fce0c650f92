"""Functionals at finite exponents: ground-state energies, and capacities of continuous x.

The random dual is used as it is. What can be integrated in closed form is: the whole nest of a
quadratic leaf (a sphere), and otherwise the innermost lifting, which also smooths the leaf's kinks. At
level 1 the multipliers are eliminated. Even leaves make p_r = q_r = 0 a stationary point here too, but
in spin glasses not the physical one: the outermost overlaps stay variables.

Source: Stojnic, arXiv:2312.00073 (random dual), arXiv:2507.22396 (Hopfield), arXiv:2507.09247
(Sherrington-Kirkpatrick), arXiv:1306.3980 (spherical perceptron).
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from sympy import (
    Add,
    Eq,
    Expr,
    Lambda,
    Mul,
    Poly,
    PolynomialError,
    S,
    Symbol,
    cancel,
    erf,
    exp,
    expand,
    expand_log,
    factor,
    factor_terms,
    log,
    solve,
    sqrt,
    together,
)

from theory.calculus.binding import apply, fresh
from theory.calculus.evenness import parity
from theory.calculus.gaussian import GaussianExpectation
from theory.calculus.lifting import LiftedExpectation
from theory.calculus.steps import Step
from theory.thresholds.free_energy import FreeEnergy, chains_of
from theory.thresholds.hard_constraints import GAMMA
from theory.thresholds.models import ALPHA, MU, Model
from theory.thresholds.random_dual import XI, RandomDual, composed, norms, random_dual

__all__ = [
    "finite_functional",
    "outermost_multipliers",
    "quadratic_nest",
    "without_outermost_pair",
    "without_quenched_average",
]


def finite_functional(model: Model, level: int) -> FreeEnergy:
    """Derive the functional of ``model`` at ``level`` with finite exponents c_2, .., c_r.

    Parameters
    ----------
    model
        A ground state, or a capacity whose x is not discrete.
    level
        Lifting level r >= 1.

    Returns
    -------
    FreeEnergy
        xi = -(Ent + alpha En), stationary in p_k, q_k, c_k and the multipliers. A capacity alpha =
        -Ent/En is stationary exactly where xi is, at xi = 0.

    Raises
    ------
    ValueError
        When a leaf is neither quadratic nor made of pieces that can be integrated.
    """
    return _derived(model.generic, level).of(model)


def without_quenched_average(fe: FreeEnergy) -> FreeEnergy:
    """Return the functional of an even model at p_r = q_r = 0, where its outermost average is trivial.

    Both leaves are even, so both nests have slope 0 at field 0, and the derivatives in p_r and q_r, which are
    proportional to these slopes squared and to each other's variable, vanish: what is stationary here
    is stationary altogether. Which of the two is physical has to be found out by solving both.

    Parameters
    ----------
    fe
        A functional at finite exponents, of level r >= 2.

    Returns
    -------
    FreeEnergy
        With r - 2 pairs (p, q) and r - 1 exponents.

    Raises
    ------
    ValueError
        For a model that is not even, or without order parameters.
    """
    model, h = fe.model.generic, fresh("h")
    leaves = [Lambda(h, model.prior.leaf(h))]
    if model.constraint is not None:
        leaves.append(Lambda(h, model.constraint.leaf(h, GAMMA)))
    if not (fe.is_finite and fe.q and all(parity(leaf) == 1 for leaf in leaves)):
        raise ValueError(f"level {fe.level} of {fe.model.name} has no trivial outermost average")
    reduced = without_outermost_pair(fe)
    pair = [str(x) for x in (*fe.p[-1:], *fe.q[-1:])]
    step = Step(
        "Evenness",
        f"The leaves are even, so the nests have slope 0 at field 0, and {' = '.join(pair)} = 0 is "
        "a stationary point: the outermost average is trivial.",
        Eq(XI, -(reduced.entropy + ALPHA * reduced.energy), evaluate=False),
    )
    return dataclasses.replace(reduced, steps=(*fe.steps, step))


def without_outermost_pair(fe: FreeEnergy) -> FreeEnergy:
    """Return a functional at p_r = q_r = 0 (Q_r = 0), where its quenched outermost average is trivial.

    Of an even model that is stationary (`without_quenched_average`). Of others the outermost pair tends to it
    where constraints almost always hold, and pull x nowhere.

    Parameters
    ----------
    fe
        A functional with a quenched average.

    Returns
    -------
    FreeEnergy
        With a pair less and as many exponents.
    """
    zero = {x: S.Zero for x in (*fe.p[-1:], *fe.q[-1:])}
    p, q = fe.p[:-1], fe.q[:-1]
    entropy, energy = (composed(e.xreplace(zero)) for e in (fe.entropy, fe.energy))
    return dataclasses.replace(
        fe,
        entropy=entropy,
        energy=energy,
        p=p,
        q=q,
        chains=chains_of(p, q, fe.c, fe.fields, q_upper=S.One if fe.is_finite else S.Infinity),
    )


@lru_cache(maxsize=64)
def _derived(model: Model, level: int) -> FreeEnergy:
    """Derive the functional with symbolic parameters."""
    dual = random_dual(model, level)
    p, q, c = dual.p, dual.q, dual.c
    steps = [
        Step(
            "Random dual",
            f"{'max' if model.sign == 1 else 'min'}_x max_y y'Gx lifted to this level; "
            f"{norms(model.prior)} and the outermost average is quenched (exponent 0).",
            Eq(XI, dual.xi),
        )
    ]
    x, y, bilinear = dual.x, _positive_exponents(dual), dual.bilinear
    x_value, x_steps = _integrated(x, "x")
    steps += x_steps
    y_value: Expr = S.Zero
    if y is not None:
        y_value, y_steps = _integrated(y, "y")
        steps += y_steps
    fields = model.prior.multipliers + (() if y is None else (GAMMA,))
    moment, mean = Symbol("M", positive=True), S.One
    if level == 1 and y is not None:
        # E of a squared violation, positive whatever the parameters; its form does not matter here
        mean = factor_terms(model.sign * y_value * GAMMA)
        y_value = model.sign * moment / GAMMA
    entropy = model.sign * (bilinear - x_value) - (S.Zero if y is None else GAMMA)
    energy = -model.sign * y_value
    if level == 1:
        dual_value = -(entropy + ALPHA * energy)
        if model.problem == "capacity":
            dual_value = -entropy / energy
        kept = (MU,) if MU in fields else ()
        eliminated = tuple(x for x in fields if x not in kept)
        value, more = _without_multipliers(dual_value, eliminated, {moment: mean})
        steps += more
        fields = kept
        entropy, energy = -value, S.Zero
        if model.problem == "capacity":
            entropy, denominator = value.as_numer_denom()
            energy = -denominator
    if model.problem == "capacity":
        title, text = (
            "Capacity",
            "xi = 0 solved for alpha. Where xi is stationary and 0, so is this alpha.",
        )
        equation = Eq(ALPHA, -entropy / energy, evaluate=False)
    else:
        title, text = "Energy", "Put together."
        equation = Eq(XI, -(entropy + ALPHA * energy), evaluate=False)
    steps.append(Step(title, text, equation))
    chains = chains_of(p, q, c, fields, q_upper=S.One, p_upper=model.prior.largest_norm)
    return FreeEnergy(model, level, entropy, energy, p, q, c, chains, tuple(steps), fields)


def _positive_exponents(dual: RandomDual) -> LiftedExpectation | None:
    """Return the y nest with exponents +c_k: for sign -1, nest[f; v, -c] = -nest[-f; v, c]."""
    if dual.y is None or dual.model.sign == 1:
        return dual.y
    return dual.y.scaled(S.NegativeOne)


def _integrated(nest: LiftedExpectation, name: str) -> tuple[Expr, list[Step]]:
    """Return the nest in closed form as far as that goes, with the step that says how."""
    if not isinstance(nest, LiftedExpectation):
        return nest, []
    closed = quadratic_nest(nest)
    if closed is not None:
        text = (
            "The leaf is quadratic: level by level a Gaussian integral, which moves its curvature."
        )
        return closed, [Step(f"{name} nest", text, Eq(nest, closed, evaluate=False))]
    u, h = fresh(), fresh("h")
    v, s = nest.increments[0], nest.exponents[0]
    width, exponent = Symbol("width", positive=True), Symbol("s", positive=True)
    # a constant of the leaf is one of the nest
    shift, inner = apply(nest.leaf, h).as_independent(h, as_Add=True)
    inner = apply(Lambda(h, inner), h + width * u)
    quenched = s.is_zero
    lifting = GaussianExpectation(inner if quenched else exp(exponent * inner), u)
    value = lifting.doit()
    if value.has(GaussianExpectation):
        raise ValueError(f"no closed form for the innermost lifting of the leaf {nest.leaf.expr}")
    exact = {width: sqrt(v), exponent: s}
    value = _tidied(value).xreplace(exact)
    leaf = Lambda(h, value if quenched else _logarithm(value) / s)
    rest = LiftedExpectation(leaf, nest.field, nest.increments[1:], nest.exponents[1:])
    step = Step(
        f"Innermost {name} lifting",
        "Split at the kinks of the leaf and complete the square.",
        Eq(lifting.xreplace(exact), value, evaluate=False),
    )
    return shift + rest, [step]


def _tidied(value: Expr) -> Expr:
    """Return a sum with one exponential per term and factored arguments, so that nothing cancels."""
    terms = []
    for term in Add.make_args(expand(value, power_exp=False, power_base=False, log=False)):
        exponent, others = S.Zero, S.One
        for part in Mul.make_args(term):
            if isinstance(part, exp):
                exponent += part.args[0]
            else:
                others *= part.replace(erf, lambda a: erf(factor(together(a))))
        terms.append(others * exp(factor(together(exponent))))
    return factor_terms(Add(*terms))


def _logarithm(value: Expr) -> Expr:
    """Return log(value), an exponential that all terms share taken out."""
    terms = Add.make_args(value.expand(deep=False))
    shared = {term.as_independent(exp, as_Add=False)[1] for term in terms}
    if len(shared) != 1 or not isinstance(common := shared.pop(), exp):
        return log(value)
    rest = Add(*[term / common for term in terms])
    return common.args[0] + log(factor_terms(rest))


def quadratic_nest(nest: LiftedExpectation) -> Expr | None:
    """Return the value of a nest whose leaf is a + b h**2 + d h, in closed form; None for others.

    One lifting of b h**2 = h**2/(4 g) is h**2/(4 (g - s v/2)) - log(1 - s v/(2 g))/(2 s): the
    multiplier moves, g_k = g_{k-1} - s_k v_k/2, and logarithms add up. This comes out of Gaussian
    integrals with symbols; it holds where all g_k > 0 (for b > 0).
    """
    parts = _quadratic(nest)
    if parts is None:
        return None
    *_, total, multiplier = parts
    return total + nest.field**2 / (4 * multiplier)


def outermost_multipliers(fe: FreeEnergy) -> dict[Symbol, Expr]:
    """Return what the liftings leave of multipliers of a norm, by multiplier.

    The nest over b h**2 = h**2/(4 g), b > 0, is finite where this is positive, g > sum_k c_k v_k / 2. In a
    hard constraint's limit, of weights w**(x**2) exp(x h), a lifting of exponent s has
    E exp(s x sqrt(v) U) = exp(s**2 x**2 v/2): it multiplies the fugacity w by exp(s v/2).

    Parameters
    ----------
    fe
        A functional, of which only the level, the model and the order parameters matter.

    Returns
    -------
    dict of Symbol to Expr
        In the order parameters; without the multipliers that liftings do not take from.
    """
    if not fe.fields:
        return {}
    if not fe.is_finite:
        return _outermost_fugacity(fe)
    dual = random_dual(fe.model.generic, fe.level)
    zero = {x: S.Zero for x in (*dual.p, *dual.q) if x not in fe.order_parameters}
    table: dict[Symbol, Expr] = {}
    for nest in (dual.x, _positive_exponents(dual)):
        parts = _quadratic(nest) if isinstance(nest, LiftedExpectation) else None
        if parts is not None and parts[0] in fe.fields:
            table[parts[0]] = parts[2].xreplace(zero)
    return table


def _outermost_fugacity(fe: FreeEnergy) -> dict[Symbol, Expr]:
    nests = fe.entropy.atoms(LiftedExpectation)
    if fe.model.prior.norm.is_number or len(nests) != 1:
        return {}
    (nest,), (fugacity,) = nests, fe.fields
    grown = Add(*[v * s / 2 for v, s in zip(nest.increments, nest.exponents, strict=True)])
    return {fugacity: fugacity * exp(grown)}


def _quadratic(nest: LiftedExpectation) -> tuple[Expr, Expr, Expr] | None:
    """Return a quadratic leaf's multiplier, the nest's value at field 0, and the multiplier it leaves."""
    (h,) = nest.leaf.variables
    try:
        quadratic = Poly(nest.leaf.expr, h)
    except PolynomialError:
        return None
    if quadratic.degree() != 2 or quadratic.coeff_monomial(h) != 0:
        return None
    total = quadratic.coeff_monomial(1)
    first = multiplier = cancel(1 / (4 * quadratic.coeff_monomial(h**2)))
    for v, s in zip(nest.increments, nest.exponents, strict=True):
        constant, moved = _quadratic_step(bool(s.is_zero))
        values = dict(zip(_STEP_SYMBOLS, (multiplier, v, s), strict=True))
        total += constant.xreplace(values)
        multiplier = factor_terms(moved.xreplace(values).expand())
    return first, total, multiplier


_STEP_SYMBOLS = (Symbol("g", positive=True), Symbol("v", positive=True), Symbol("s", positive=True))


@lru_cache(maxsize=2)
def _quadratic_step(quenched: bool) -> tuple[Expr, Expr]:
    """Return what one lifting of h**2/(4 g) adds, and the multiplier it leaves."""
    g, v, s = _STEP_SYMBOLS
    u, x = fresh(), Symbol("x", real=True)
    inner = (x + sqrt(v) * u) ** 2 / (4 * g)
    if quenched:
        value = GaussianExpectation(inner.expand(), u).doit().expand()
    else:
        weight = GaussianExpectation(exp(s * inner), u).doit()
        value = Add(*[_log_of(factor) for factor in Mul.make_args(weight)]) / s
    curvature = cancel(Poly(value.expand(), x).coeff_monomial(x**2))
    moved = cancel(1 / (4 * curvature))
    constant = value.subs(x, 0)
    if not quenched:
        ratio = cancel(exp(-2 * s * constant).simplify())  # (g - s v/2)/g
        constant = -log(factor_terms(ratio.expand())) / (2 * s)
    return constant, moved


def _log_of(factor: Expr) -> Expr:
    return factor.args[0] if isinstance(factor, exp) else expand_log(log(factor), force=True)


def _without_multipliers(
    value: Expr, fields: tuple[Symbol, ...], moments: dict[Symbol, Expr]
) -> tuple[Expr, list[Step]]:
    """Eliminate the multipliers of a level-1 functional by stationarity; each has one positive root."""
    steps = []
    for symbol in fields:
        root = _positive_root(value.diff(symbol), symbol)
        value = value.subs(symbol, root).simplify()
        steps.append(
            Step(
                f"Eliminate {symbol}",
                "The functional is stationary in it.",
                Eq(symbol, root.xreplace(moments), evaluate=False),
            )
        )
    return value.xreplace(moments), steps


def _positive_root(slope: Expr, symbol: Symbol) -> Expr:
    """Return the one positive root of a slope that is rational in the symbol."""
    roots = [root for root in solve(slope, symbol) if root.is_positive]
    if len(roots) != 1:
        raise ValueError(f"cannot eliminate {symbol}: {slope} has {len(roots)} positive roots")
    return roots[0]
