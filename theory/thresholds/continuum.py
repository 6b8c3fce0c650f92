"""Infinitely many liftings: the flow of a nest, its tilted process, and what stationarity says of them.

A profile t -> (v(t), s(t)) replaces the liftings, t from the outermost (0) to the innermost (1), v the
variance of what lies outside. A lifting of the small variance dv changes f by dv/2 (f'' + s f'^2), so that
inwards

    f_t = -(v./2) (f_xx + s f_x^2) ,        dX = v. s f_x dt + sqrt(v.) dW ,

where X is the field under the tilted law: weights exp(s (f - f_k)) move its mean by s f' dv. Averages over
that law obey d/dt E a = E L a with its generator L, into which the flow is put for f_t. So

- f_x is a martingale: L f_x = 0;
- d/dt E f_x^2 = v. E f_xx^2;
- d/dt E f_xx^2 = v. (E f_xxx^2 - 2 s E f_xx^3).

The identities of finitely many liftings (`theory.thresholds.identities`) hold at every t: p = E f_x^2 with
v = Q, and Q = alpha E g_x^2 with v = p. Their derivatives are p. = Q. E f_xx^2 and Q. = alpha p. E g_xx^2,

    1 = alpha E f_xx^2 E g_xx^2                                        (marginal stability)

and the derivative of its logarithm gives the exponent without any optimisation,

    s = (A_f + E f_xx^2 A_g) / (2 (B_f + E f_xx^2 B_g)) ,
    A = E f_xxx^2 / E f_xx^2 ,    B = E f_xx^3 / E f_xx^2 .

Where a nest is its own partner (SK: q = E f_x^2, v = q) both are those of f alone, 1 = E f_xx^2 and
s = A/(2 B).

An instance G, with entries of variance 1/n, walks along the profile where the increments of the slopes m
and y are sent through it (`verify.thresholds.algorithms.incremental`). What a row sends comes back to it
through the spins that moved because of it. Stein's lemma says how much: E G_ij dm_j = (1/n) E d(dm_j)/dG_ij,
where G_ij enters the field X_j with every increment dy_i, so that the response to each matters. With J =
dX_t/dX_u that of the field to an earlier one, J. = v. s f_xx J, the response of the slope is a martingale,

    L (f_xx J) = 0 ,

so that an increment dm answers none but the last increment dy, with E f_xx (`memory`):

    dW = G dm - E f_xx dy ,      dZ = G' dy - alpha E g_xx dm .

As these coefficients move by d/dt E f_xx = -v. s E f_xx^2 = -s p., the sums are those of a stationary point,
G m = Y + E f_xx y.

Source: Parisi, Phys. Rev. Lett. 43, 1754 (1979); Sommers and Dupont, J. Phys. C 17, 5785 (1984), for SK.
"""

from __future__ import annotations

from functools import cache

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    Poly,
    Subs,
    Symbol,
    expand,
    factor,
    log,
    series,
    simplify,
    solve,
    sqrt,
    symbols,
)
from sympy import exp as exponential

from theory.calculus.gaussian import GaussianExpectation
from theory.calculus.steps import Step

__all__ = [
    "F",
    "S",
    "T",
    "V",
    "X",
    "exponent",
    "flow",
    "generator",
    "marginality",
    "memory",
    "rate",
    "response",
    "steps",
]

T, X = symbols("t x", real=True)
S = Function("s")(T)
V = Function("v")(T)
F = Function("f")(T, X)


@cache
def flow() -> Expr:
    """Return f_t, from a lifting of small variance.

    It is (1/s) log E exp(s f(x + sqrt(e) U)) of f's Taylor polynomial of degree 2, to first order in e:
    higher derivatives come with higher orders.
    """
    e, s, u = symbols("e s u", positive=True)
    first, second = symbols("f_1 f_2", real=True)
    step = sqrt(e) * u
    weight = series(exponential(s * (first * step + second * step**2 / 2)), e, 0, 2).removeO()
    powers = Poly(expand(weight), u).terms()
    mean = sum(c * GaussianExpectation(u**n, u).doit() for (n,), c in powers)
    change = expand(series(log(mean) / s, e, 0, 2).removeO()).coeff(e, 1)
    known = {first: F.diff(X), second: F.diff(X, 2), s: S}
    return expand(-V.diff(T) * change.subs(known))


def generator(observable: Expr) -> Expr:
    """Return L a of an observable of t, x and f's derivatives: d/dt E a = E L a.

    Parameters
    ----------
    observable
        In `T`, `X` and derivatives of `F`.
    """
    moved = (
        observable.diff(T)
        + V.diff(T) * S * F.diff(X) * observable.diff(X)
        + V.diff(T) * observable.diff(X, 2) / 2
    )
    down = flow()
    for order in range(4, -1, -1):  # the flow for f_t, and its derivatives for those of f_t
        target = F.diff(T) if order == 0 else Derivative(F, T, (X, order))
        replacement = down if order == 0 else down.diff(X, order)
        moved = moved.subs({F.diff(X, order).diff(T): replacement, target: replacement})
    return factor(expand(moved.doit()))


def rate(order: int) -> Expr:
    """Return L (d^order f/dx^order)^2.

    For order 1 it is v. f_xx^2, for order 2 v. (f_xxx^2 - 2 s f_xx^3).
    """
    return generator(F.diff(X, order) ** 2)


def marginality() -> tuple[Eq, Eq]:
    """Return marginal stability of two nests that are partners, and of one that is its own.

    From p. = Q. M_f and Q. = alpha p. M_g, where M = E f_xx^2 comes from `rate`.
    """
    alpha, m_f, m_g, moved = symbols("alpha M_f M_g Qdot", positive=True)
    per_variance = rate(1) / V.diff(T)  # f_xx**2, whose average is M
    p = moved * per_variance.subs(F.diff(X, 2) ** 2, m_f)
    q = alpha * p * per_variance.subs(F.diff(X, 2) ** 2, m_g)
    return Eq(1, simplify(q / moved)), Eq(1, simplify(p / moved))


def exponent() -> tuple[Expr, Expr]:
    """Return s in terms of A_f, B_f, A_g, B_g and M_f = E f_xx^2: for partners, and for one nest alone.

    From d/dt log (M_f M_g) = 0 with p. = Q. M_f.
    """
    a_f, b_f, a_g, b_g, m_f = symbols("A_f B_f A_g B_g M_f", positive=True)
    s = Symbol("s", positive=True)
    second = expand(rate(2) / V.diff(T))
    a, b = (second.coeff(F.diff(X, 3) ** 2), second.coeff(F.diff(X, 2) ** 3) / S)
    f_rate, g_rate = (a * x + b * s * y for x, y in ((a_f, b_f), (a_g, b_g)))
    (both,) = solve(f_rate + m_f * g_rate, s)
    (alone,) = solve(f_rate, s)
    return simplify(both), simplify(alone)


def response() -> Expr:
    """Return L (f_xx J), J the response of the field to one of its earlier increments: 0.

    J follows the derivative of the drift in x; it has no noise of its own.
    """
    answer = Symbol("J", real=True)
    drift = generator(X)  # v. s f_x, whose derivative is J's rate
    return expand(answer * (generator(F.diff(X, 2)) + F.diff(X, 2) * drift.diff(X)))


def memory() -> tuple[Expr, Expr, Expr]:
    """Return what is taken off G dm and off G' dy, as coefficients of the partner's increment, and SK's.

    E f_xx and alpha E g_xx, with M_f = E f_xx and M_g = E g_xx; of a nest alone E f_xx.

    By Stein's lemma for one entry of variance 1/n, summed over the n spins, or the alpha n rows.
    """
    if response() != 0:
        raise ArithmeticError("increments of the slope answer more than the last increment")
    entry, sent, n, alpha = symbols("G sent n alpha", positive=True)
    mean_f, mean_g, rest = symbols("M_f M_g rest", real=True)
    slope = Function("m")(rest + entry * sent)  # of the field that the entry adds to what is sent
    (bend,) = slope.diff(entry).atoms(Subs)
    per_entry = slope.diff(entry) / n / sent
    spins, rows = n * per_entry.subs(bend, mean_f), alpha * n * per_entry.subs(bend, mean_g)
    return spins, rows, spins


def steps() -> list[Step]:
    """Return the derivation, step by step."""
    both, alone = exponent()
    s = Symbol("s", positive=True)
    return [
        Step("The flow", "A lifting of small variance, to first order.", Eq(F.diff(T), flow())),
        Step(
            "A martingale",
            "The generator of the tilted process on the slope: its average does not move.",
            Eq(Symbol("L f_x"), generator(F.diff(X)), evaluate=False),
        ),
        Step("The mean square slope", "What it grows by.", Eq(Symbol("L f_x^2"), rate(1))),
        Step(
            "Marginal stability",
            "The derivative of p = E f_x^2 and Q = alpha E g_x^2, where M = E f_xx^2.",
            marginality()[0],
        ),
        Step("The mean square bend", "What it grows by.", Eq(Symbol("L f_xx^2"), rate(2))),
        Step("The exponent", "The derivative of marginal stability.", Eq(s, both)),
        Step("One nest alone", "It is its own partner.", Eq(s, alone)),
        Step(
            "The response",
            "The generator on f_xx J, where J is the field's derivative in an earlier increment: what is "
            "sent through an instance answers the last increment alone, with E f_xx.",
            Eq(Symbol("L f_xx J"), response(), evaluate=False),
        ),
        Step("The memory", "What E f_xx moves by.", Eq(Symbol("L f_xx"), generator(F.diff(X, 2)))),
    ]
