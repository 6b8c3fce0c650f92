"""Limits of the functional: level 2, the outermost exponent to infinity, the margin to zero.

Sources: Stojnic, arXiv:2601.10628 (third level, small margin); Aubin, Perkins, Zdeborova,
J. Phys. A 52, 294003 (2019) for level 2 of the symmetric binary perceptron.
"""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from functools import lru_cache

import mpmath
from sympy import (
    Add,
    Dummy,
    Eq,
    Expr,
    Integer,
    Limit,
    Rational,
    S,
    Symbol,
    exp,
    expand,
    expand_log,
    lambdify,
    limit,
    log,
    solve,
    sqrt,
)

from theory.calculus.lifting import LiftedExpectation
from theory.calculus.steps import Step
from theory.thresholds.derive import free_energy
from theory.thresholds.free_energy import FreeEnergy, chains_of
from theory.thresholds.hard_constraints import constraint_limit
from theory.thresholds.models import SBP, Model

FIELD = Symbol("H", positive=True)
R = Symbol("R", positive=True)
T = Symbol("t", positive=True)


def level_two(model: Model) -> FreeEnergy:
    """Return the level-2 functional; for an even model its closed form, the capacity.

    For the symmetric binary perceptron alpha = -log 2 / log erf(kappa/sqrt 2).
    """
    return free_energy(model, 2)


def binary_entropy(x: Expr) -> Expr:
    """Return -x log x - (1 - x) log(1 - x), in nats."""
    return -x * log(x) - (1 - x) * log(1 - x)


def infinite_exponent_limit(fe: FreeEnergy) -> FreeEnergy:
    """Return the limit of an even functional as its outermost exponent s goes to infinity.

    Q = R/s vanishes with R finite while p stays. Laplace's method turns the outermost x lifting
    into max_H [f(H) - H**2/(2 R)], f the nest without it, and the outermost y lifting into the
    maximum of the inner nest, which is at 0 (it is even and log-concave). Then R is eliminated by
    stationarity, R = H/sqrt(p).

    Parameters
    ----------
    fe
        Functional of an even binary model at level r >= 3.

    Returns
    -------
    FreeEnergy
        Stationary in p_2..p_{r-1}, Q_2..Q_{r-2}, s_2..s_{r-2} and, for r >= 4, the field H. At
        r = 3 H = artanh sqrt(p_2) is eliminated and Ent = H_b((1 + sqrt p_2)/2) with the binary
        entropy H_b.

    Raises
    ------
    ValueError
        At level 2, for a functional whose outermost average is quenched (not even), or for a
        constraint that is not an interval, whose nest is not log-concave.

    Notes
    -----
    At finite s Ent differs from its limit by O(1/s), and En by -log(s)/(2 s) + O(1/s), Laplace's
    determinant. Where |En| is small (p near 1) s has to be large compared with log(s)/|En|.
    """
    x_nest, y_nest = _single_nest(fe.entropy), _single_nest(fe.energy)
    if x_nest is None or y_nest is None or x_nest.exponents[-1] not in fe.c:
        raise ValueError(
            f"level {fe.level} of {fe.model.name} has no outermost exponent to send to infinity; "
            "use an even model at level >= 3"
        )
    constraint = fe.model.generic.constraint
    if constraint is None or len(constraint_limit(constraint).feasible) != 1:
        raise ValueError(
            f"the inner nest of {fe.model.name} has its maximum elsewhere than at 0: its constraint is not "
            "an interval"
        )
    p, q, s = fe.p[-1], fe.q[-1], fe.c[-1]
    couplings = (fe.entropy - x_nest).xreplace({q: R / s})
    bilinear = Add(*[_limit(term, s) for term in Add.make_args(couplings)])
    laplace = -(FIELD**2) / (2 * R)
    inner_x = x_nest.inner(x_nest.depth - 1, FIELD).xreplace({q: S.Zero})
    inner_y = y_nest.inner(y_nest.depth - 1, S.Zero)
    before = bilinear + laplace + inner_x
    in_r, rest = before.as_independent(R, as_Add=True)[::-1]
    (stationary,) = solve(in_r.diff(R), R)
    entropy = rest + expand(in_r.subs(R, stationary))
    steps = [
        *fe.steps,
        Step(
            f"{s} -> infinity, x nest",
            f"{q} = R/{s} with R finite; in the outermost lifting U grows like sqrt({s}), and "
            "Laplace's method replaces it by the maximum over the field H. The other increments "
            f"lose {q}.",
            Eq(Limit(couplings, s, S.Infinity, "-") + x_nest, before, evaluate=False),
        ),
        Step(
            "Eliminate R",
            "The functional is stationary in R.",
            Eq(R, stationary, evaluate=False),
        ),
        Step(
            f"{s} -> infinity, y nest",
            f"{p} is not scaled, so the Gaussian's cost vanishes and the outermost lifting "
            "becomes the maximum of the inner nest, an even and log-concave function: its value "
            "at 0.",
            Eq(Limit(y_nest, s, S.Infinity, "-"), inner_y, evaluate=False),
        ),
    ]
    fields: tuple[Symbol, ...] = (FIELD,)
    if not entropy.has(LiftedExpectation):
        entropy, step = _without_field(entropy, p)
        steps.append(step)
        fields = ()
    return FreeEnergy(
        model=fe.model,
        level=fe.level,
        entropy=entropy,
        energy=inner_y,
        p=fe.p,
        q=fe.q[:-1],
        c=fe.c[:-1],
        chains=chains_of(fe.p, fe.q[:-1], fe.c[:-1], fields),
        steps=tuple(steps),
        fields=fields,
    )


def _limit(term: Expr, s: Symbol) -> Expr:
    return limit(term, s, S.Infinity) if term.has(s) else term


def _single_nest(expr: Expr) -> LiftedExpectation | None:
    nests = expr.atoms(LiftedExpectation)
    return nests.pop() if len(nests) == 1 else None


def _without_field(entropy: Expr, p: Symbol) -> tuple[Expr, Step]:
    """Eliminate H from log 2cosh H - H sqrt(p) by stationarity, as a binary entropy."""
    m = Dummy("m", positive=True)
    slope = entropy.diff(FIELD).xreplace({sqrt(p): m}).rewrite(exp)
    root = next(h for h in solve(slope, FIELD) if h.subs(m, Rational(1, 2)).is_positive)
    value = entropy.xreplace({sqrt(p): m}).subs(FIELD, root)
    closed = binary_entropy((1 + m) / 2)
    if not vanishes_between_0_and_1(value - closed, m):
        raise ValueError(f"cannot eliminate the field H from {entropy}")
    back = {m: sqrt(p)}
    step = Step(
        "Eliminate H",
        "tanh H = sqrt(p): the entropy is that of a centre and its leaves, at normalised overlap "
        "sqrt(p).",
        Eq(entropy.subs(FIELD, root.xreplace(back)), closed.xreplace(back), evaluate=False),
    )
    return closed.xreplace(back), step


def vanishes_between_0_and_1(expr: Expr, m: Symbol) -> bool:
    """Whether an expression in exponentials, logarithms and powers is 0 for all 0 < m < 1.

    With m = n/(1 + n), n > 0, every 1 - m and 1 + m is manifestly positive, so logarithms may be
    expanded; ``simplify`` does the rest.
    """
    n = Dummy("n", positive=True)
    moved = expr.rewrite(exp).subs(m, n / (1 + n)).simplify()
    return expand_log(moved, force=False).simplify() == 0


@dataclass(frozen=True)
class SmallMarginConstant:
    """The constant C of kappa ~ C sqrt(alpha / (-log alpha)) as kappa -> 0.

    Attributes
    ----------
    t
        Scaled width, 1 - p = kappa**2 / t**2.
    objective
        M(t) = -t**2 log erf(t/sqrt 2); alpha ~ kappa**2 log(1/kappa) / (2 M(t)), so the smallest
        alpha is at its maximum.
    expression
        C = 2 sqrt(M(t)) at the maximum.
    stationarity
        The equation of the maximum, M'(t) = 0.
    digits
        Digits `value` is given to.
    steps
        The derivation.
    """

    t: Symbol
    objective: Expr
    expression: Expr
    stationarity: Eq
    digits: int
    steps: tuple[Step, ...]

    @property
    def value(self) -> mpmath.mpf:
        """C to `digits` digits."""
        return self.evaluate(self.digits)

    def evaluate(self, digits: int) -> mpmath.mpf:
        """Return C to the given number of digits.

        Algorithm
        ---------
        The maximum is located on t in (0.1, 4) by bisection of the sign of M' and refined by
        the secant method, at two working precisions (digits + 10 and digits + 25) that must agree.
        Cost: a few evaluations of erf per doubling of the digits.

        Raises
        ------
        ValueError
            When ``digits`` is not between 1 and 100 000.
        ArithmeticError
            When the two working precisions disagree.
        """
        digits = _checked_digits(digits)
        first, second = (self._evaluate(digits + guard) for guard in (10, 25))
        if abs(first - second) > abs(second) * mpmath.mpf(10) ** -digits:
            raise ArithmeticError(f"C is not reproduced to {digits} digits: {first} and {second}")
        with mpmath.workdps(digits):
            return +second

    def _evaluate(self, precision: int) -> mpmath.mpf:
        slope = lambdify(self.t, self.stationarity.lhs, "mpmath")
        value = lambdify(self.t, self.expression, "mpmath")
        with mpmath.workdps(precision):
            low, high = mpmath.mpf(1) / 10, mpmath.mpf(4)
            for _ in range(12):
                middle = (low + high) / 2
                low, high = (middle, high) if slope(middle) > 0 else (low, middle)
            return value(mpmath.findroot(slope, (low, high), solver="secant"))


def small_kappa_constant(digits: int | None = None) -> SmallMarginConstant:
    """Derive the small-margin constant of the symmetric binary perceptron's third level.

    The functional is the one with s -> infinity at level 3. With 1 - p = kappa**2/t**2 its energy
    does not depend on kappa and its entropy is kappa**2 log(1/kappa) / (2 t**2) to leading order.

    Parameters
    ----------
    digits
        Digits of the object's ``value`` (default 15).

    Returns
    -------
    SmallMarginConstant
        C = 2 sqrt(max_t -t**2 log erf(t/sqrt 2)) = 1.2385.. (Stojnic, arXiv:2601.10628).
    """
    digits = _checked_digits(15 if digits is None else digits)
    return dataclasses.replace(_small_kappa(), digits=digits)


@lru_cache(maxsize=1)
def _small_kappa() -> SmallMarginConstant:
    model = SBP()
    fe = infinite_exponent_limit(free_energy(model, 3))
    kappa, (p,) = model.kappa, fe.p
    scaled = {p: 1 - kappa**2 / T**2}
    entropy, energy = fe.entropy.xreplace(scaled), fe.energy.xreplace(scaled).simplify()
    leading = kappa**2 * log(1 / kappa)
    entropy_ratio = limit(entropy / leading, kappa, 0, "+")
    rate = -entropy_ratio / energy
    objective = 1 / (2 * rate)
    peak = Symbol("M", positive=True)
    logarithms = limit(-log(leading / (2 * peak)) / log(1 / kappa), kappa, 0, "+")
    expression = sqrt(2 * logarithms * objective)
    stationarity = Eq(objective.diff(T), 0)
    steps = (
        *fe.steps,
        Step(
            "kappa -> 0, entropy",
            "1 - p = kappa**2/t**2 with t finite.",
            Eq(Limit(entropy / leading, kappa, 0, "+"), entropy_ratio, evaluate=False),
        ),
        Step(
            "kappa -> 0, energy",
            "Exact at every kappa.",
            Eq(fe.energy.xreplace(scaled), energy, evaluate=False),
        ),
        Step(
            "Invert",
            "alpha ~ kappa**2 log(1/kappa) / (2 M) and -log alpha ~ 2 log(1/kappa).",
            Eq(Symbol("C"), expression, evaluate=False),
        ),
        Step("Maximise", "The smallest alpha over t is the largest M(t).", stationarity),
    )
    return SmallMarginConstant(T, objective, expression, stationarity, 15, steps)


def _checked_digits(digits: int) -> int:
    if isinstance(digits, bool) or not isinstance(digits, (numbers.Integral, Integer)):
        raise TypeError(f"digits must be an integer, got {digits!r}")
    if not 1 <= digits <= 100_000:
        raise ValueError(f"digits must lie between 1 and 100000, got {digits}")
    return int(digits)
