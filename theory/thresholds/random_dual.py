"""Random duals at any level; `theory.thresholds.derive` makes capacities and ground states of them.

Source: Stojnic, arXiv:2312.00073 (fully lifted random duality theory).
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from sympy import (
    Add,
    Expr,
    Integer,
    Lambda,
    S,
    Symbol,
)

from theory.calculus.binding import fresh
from theory.calculus.lifting import LiftedExpectation
from theory.parameters import shown
from theory.thresholds.hard_constraints import (
    GAMMA,
)
from theory.thresholds.models import ALPHA, Model, Prior

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
    r = checked_level(model, level)
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


def norms(prior: Prior) -> str:
    """Return what p_1 and q_1, the norms of x and y, are, in words."""
    return "p_1 = q_1 = 1" if prior.norm == 1 else "q_1 = 1, p_1 = |x|**2 is free"


def composed(expr: Expr) -> Expr:
    """Return ``expr`` with the levels of zero increment dropped from its nests."""
    return expr.replace(
        lambda e: isinstance(e, LiftedExpectation), lambda e: e.drop_zero_increments()
    )


def checked_level(model: Model, level: int) -> int:
    """Return a level from 1 to MAX_LEVEL as an int, or raise TypeError or ValueError."""
    if not isinstance(model, Model):
        raise TypeError(f"expected a model such as SBP(kappa=1), got {model!r}")
    if isinstance(level, bool) or not isinstance(level, (numbers.Integral, Integer)):
        raise TypeError(f"level must be an integer, got {level!r}")
    if level < 1:
        raise ValueError(f"level must be at least 1, got {level}")
    if level > MAX_LEVEL:
        raise ValueError(f"level must be at most {MAX_LEVEL}, got {shown(int(level))}")
    return int(level)
