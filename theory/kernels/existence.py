"""For which activations Gaussian expectations exist: E phi(u)^2, and E phi'(u)^2.

phi is split at its kinks and singular places into smooth pieces (`smooth_pieces`). Its square is integrable
against a normal density of variance k where it grows slowly enough at infinity, log|phi| below x^2/(4 k),
and is not too large at the singular places, below |x - a|^(-1/2). The derivative D' of the dual is
E phi'(u) phi'(v) in the sense of distributions (Price): finite at every correlation if phi is continuous and
phi' square integrable, infinite at correlation 1 if phi jumps or its slope is too singular.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import sympy
from sympy import Expr, Rational, S, Symbol
from sympy.codegen.cfunctions import log1p

from theory.calculus.closed import Piece, pieces
from theory.calculus.growth import Far, Near, far, near
from theory.calculus.zeros import inside, less, signs, simpler, vanishes, zeros
from theory.errors import ActivationError, DivergenceError

__all__ = [
    "DivergenceError",
    "Existence",
    "Jump",
    "logistic",
    "smooth_pieces",
    "sums_in_logarithms",
]

T = Symbol("t", positive=True)
_DEGREE = 100
"""Of polynomials in an exponential that are factored."""
_STEEPEST = Rational(7, 8)
"""Below 1, where sums over the orders have logarithms."""
_LOGARITHM = Rational(1, 16)
"""A power that stands for logarithms."""


@dataclass(frozen=True)
class Jump:
    """A place where phi jumps, from left to right by ``height``."""

    place: Expr
    height: Expr


def smooth_pieces(expr: Expr, x: Symbol) -> tuple[Piece, ...]:
    """Split a function into pieces that are analytic inside.

    Parameters
    ----------
    expr : Expr
        In ``x`` alone.
    x : Symbol

    Returns
    -------
    tuple of (lower, upper, Expr)
        From left to right. Neighbours that are the same function are one piece.

    Raises
    ------
    ActivationError
        If the function is not real everywhere, or the places of its kinks cannot be found.
    """
    split = pieces(expr, x)
    if split is None:
        raise ActivationError(
            f"cannot find exactly where {expr} has its kinks or changes its sign; write it with simpler "
            "arguments of abs, max, min and sign"
        )
    joined: list[Piece] = []
    for lower, upper, smooth in split:
        if smooth.has(sympy.I, sympy.zoo, sympy.nan, S.Infinity, S.NegativeInfinity):
            raise ActivationError(
                f"an activation is a real function of every real number, but {expr} is {smooth} at x = "
                f"{inside(lower, upper)}"
            )
        ends = [lower, *_singular(smooth, x, lower, upper), upper]
        for a, b in itertools.pairwise(ends):
            if joined and joined[-1][2] == smooth and len(ends) == 2 and _analytic(smooth, x, a):
                joined[-1] = (joined[-1][0], b, smooth)
            else:
                joined.append((a, b, smooth))
    return tuple(joined)


def logistic(expr: Expr) -> Expr:
    """Write exp(n a)/(1 + exp(a))^m, 0 <= n <= m, with tanh, which neither overflows nor loses its bounds."""
    if not expr.args:
        return expr
    factors = list(sympy.Mul.make_args(expr))
    for factor in factors:
        base, index = factor.as_base_exp()
        rest = base - 1
        if not (rest.func is sympy.exp and index.is_Integer and index < 0):
            continue
        waves = [f for f in factors if f.func is sympy.exp]
        count = sympy.cancel(sympy.Add(*(f.args[0] for f in waves)) / rest.args[0])
        if count.is_Integer and 0 <= count <= -index:
            half = sympy.tanh(rest.args[0] / 2) / 2
            others = [f for f in factors if f is not factor and f not in waves]
            made = (sympy.S.Half + half) ** count * (sympy.S.Half - half) ** (-index - count)
            return logistic(sympy.Mul(*others)) * made
    return expr.func(*(logistic(a) for a in expr.args))


def sums_in_logarithms(expr: Expr) -> Expr:
    """Write log(1 + exp(a)) with max(a, 0) and exp(-|a|), which does not overflow.

    >>> from sympy.abc import x
    >>> sums_in_logarithms(sympy.log(1 + sympy.exp(x)))
    log1p(exp(-Abs(x))) + Max(0, x)
    """
    a = sympy.Wild("a")

    def written(a: Expr) -> Expr:
        return sympy.Max(a, 0) + log1p(sympy.exp(-sympy.Abs(a)))

    return expr.replace(sympy.log(1 + sympy.exp(a)), written, exact=True)


def _slopes_of_waves(f: Expr) -> Expr:
    """Write 1 - tanh(a)^2 with exponentials, of which nothing cancels."""
    square = sympy.Wild("square")
    return f.replace(
        1 - sympy.tanh(square) ** 2,
        4 * sympy.exp(2 * square) / (1 + sympy.exp(2 * square)) ** 2,
        exact=True,
    )


def _factored_waves(f: Expr) -> Expr:
    """A function of t with exponentials for tanh, factored; each exp(number) is one unknown meanwhile.

    A polynomial takes exp(200) for the 200th power of exp(1).
    """
    numbers: dict[Expr, Symbol] = {}

    def wave(a: Expr) -> Expr:
        number, rest = sympy.expand(2 * a).as_independent(T, as_Add=True)
        if number == 0:
            return 1 - 2 / (1 + sympy.exp(rest))
        scale = numbers.setdefault(sympy.exp(number), sympy.Dummy(positive=True))
        return 1 - 2 / (1 + scale * sympy.exp(rest))

    rates = [abs(sympy.diff(a.args[0], T)) for a in f.atoms(sympy.tanh)]
    if all(r.is_Rational for r in rates):  # their common measure is exp(1) of the polynomials
        measure = sympy.gcd_list(rates)
        if max(rates) > _DEGREE * measure:
            return f
    made = sympy.factor(sympy.together(f.replace(sympy.tanh, wave)))
    return made.xreplace({scale: number for number, scale in numbers.items()})


def _delicate(expr: Expr, x: Symbol) -> list[tuple[Expr, bool]]:
    """Arguments of roots, logarithms and reciprocals, and whether they must not be negative."""
    powers = []
    for node in sympy.preorder_traversal(expr):
        if node.is_Pow and node.base.has(x) and not node.exp.has(x):
            if not (node.exp.is_Integer and node.exp > 0):
                powers.append((node.base, not node.exp.is_Integer))
        elif node.func is sympy.log and node.args[0].has(x):
            powers.append((node.args[0], True))
    return powers


def _singular(expr: Expr, x: Symbol, lower: Expr, upper: Expr) -> list[Expr]:
    places: set[Expr] = set()
    for argument, positive in _delicate(expr, x):
        parts = signs(argument, x, lower, upper)
        if parts is None:
            raise ActivationError(f"cannot find the zeros of {argument} in {expr}")
        if positive and any(sense < 0 for *_, sense in parts):
            a, b, _ = next(p for p in parts if p[2] < 0)
            raise ActivationError(
                f"an activation is a real function of every real number, but {expr} is not at x = "
                f"{inside(a, b)}"
            )
        places |= {b for _, b, _ in parts[:-1]}
    ordered: list[Expr] = []
    for place in sorted(places, key=lambda r: sympy.N(r, 30)):
        if not ordered or less(ordered[-1], place):
            ordered.append(place)
    return ordered


def _analytic(expr: Expr, x: Symbol, place: Expr) -> bool:
    return not any(place in (zeros(a, x) or ()) for a, _ in _delicate(expr, x))


@dataclass(frozen=True)
class Existence:
    """What exists of a function's Gaussian expectations.

    Attributes
    ----------
    expr : Expr
    symbol : Symbol

    Raises
    ------
    ActivationError
        On the first use, as `smooth_pieces`.
    """

    expr: Expr
    symbol: Symbol

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The smooth pieces, from left to right."""
        return smooth_pieces(self.expr, self.symbol)

    @cached_property
    def slopes(self) -> tuple[Piece, ...]:
        """Phi' almost everywhere."""
        return tuple((a, b, logistic(sympy.diff(f, self.symbol))) for a, b, f in self.pieces)

    @cached_property
    def largest(self) -> Expr:
        """E phi(u)^2 is finite for variances of u in (0, largest); 0 if for none, oo if for all.

        Raises
        ------
        DivergenceError
            If this cannot be decided.
        """
        return self._largest(self.pieces)

    @cached_property
    def largest_slope(self) -> Expr:
        """The same for E phi'(u)^2, the derivative taken almost everywhere."""
        return self._largest(self.slopes)

    @cached_property
    def bends(self) -> tuple[Piece, ...]:
        """Phi'' almost everywhere."""
        return tuple((a, b, logistic(sympy.diff(f, self.symbol))) for a, b, f in self.slopes)

    @cached_property
    def largest_bend(self) -> Expr:
        """E phi''(u)^2, taken almost everywhere, is known to be finite for variances in (0, largest_bend).

        0 if for none, as for |x|^(5/4), and where it cannot be decided.
        """
        return self._decided(self.bends)

    @cached_property
    def largest_scaled_bend(self) -> Expr:
        """The same of E u^2 phi''(u)^2, which is finite beside singular places at 0."""
        x = self.symbol
        return self._decided(tuple((a, b, x * f) for a, b, f in self.bends))

    @cached_property
    def jumps(self) -> tuple[Jump, ...]:
        """Where phi jumps, and how far."""
        there = []
        for (_, place, left), (_, _, right) in zip(self.pieces, self.pieces[1:], strict=False):
            sides = [self._limit(f, place, s) for f, s in ((left, -1), (right, 1))]
            low, high = sides
            if low is not None and high is not None and not vanishes(high - low):
                there.append(Jump(place, simpler(high - low)))
        return tuple(there)

    @cached_property
    def slope_limits(self) -> tuple[tuple[Expr | None, Expr | None], ...]:
        """Phi' at the ends of its pieces, from inside; None where it has no finite limit."""
        return tuple((self._limit(f, a, 1), self._limit(f, b, -1)) for a, b, f in self.slopes)

    @cached_property
    def kinks(self) -> tuple[Jump, ...]:
        """Where phi' jumps between finite limits, and how far."""
        jumps = []
        limits = self.slope_limits
        for (_, place, _), left, right in zip(self.slopes, limits, limits[1:], strict=False):
            if None not in (left[1], right[0]) and not vanishes(right[0] - left[1]):  # type: ignore[operator]
                jumps.append(Jump(place, simpler(right[0] - left[1])))  # type: ignore[operator]
        return tuple(jumps)

    @cached_property
    def smooth(self) -> bool:
        """Whether phi' is square integrable in the sense of distributions: D' is finite at correlation 1."""
        return not self.jumps and self.largest_slope != 0

    @cached_property
    def roughness(self) -> Expr | None:
        """The p of D(1) - D(1 - t) = O(t^p) that singular places allow, 1/2 at most.

        None where E phi'^2 exists almost everywhere, so that jumps, with 1/2, are all there is.
        """
        if self.largest_slope != 0:
            return None
        least = S.Half
        for lower, upper, f in self.pieces:
            for end, sense in ((lower, 1), (upper, -1)):
                bound = None if end.is_infinite else self._end(f, end, sense)
                if isinstance(
                    bound, Near
                ):  # |x - a|^q is between u and v where both are within sqrt(t)
                    power = bound.power + S.Half
                    least = power if less(power, least) else least
        return least

    @cached_property
    def slope_roughness(self) -> Expr | None:
        """The p of D'(1) - D'(1 - t) = O(t^p) that singular places of phi' allow, 7/8 at most.

        None where it cannot be told. phi' is as |x - a|^(r + 1) where phi'' is as |x - a|^r.
        """
        least = S.Half if self.kinks else _STEEPEST
        for lower, upper, f in self.bends:
            for end, sense in ((lower, 1), (upper, -1)):
                if end.is_infinite:
                    continue
                bound = self._end(f, end, sense)
                if not isinstance(bound, Near):
                    return None
                power = bound.power + Rational(3, 2) - (0 if bound.sharp else _LOGARITHM)
                least = power if less(power, least) else least
        return least if less(S.Zero, least) else None

    def at(self, place: Expr) -> Expr | None:
        """Phi at a place; its limit where it is not defined, None where that does not exist."""
        value = self.expr.subs(self.symbol, place)
        # numbers that cancel to the last digit, such as 1 - tanh(10000), are not comparable
        if (value.is_comparable or value.is_real) and not value.is_infinite:
            return value
        for (_, b, left), (_, _, right) in zip(self.pieces, self.pieces[1:], strict=False):
            if vanishes(b - place):
                sides = self._limit(left, b, -1), self._limit(right, b, 1)
                return sides[0] if None not in sides and vanishes(sides[0] - sides[1]) else None  # type: ignore[operator]
        return None

    @cached_property
    def infinite(self) -> bool:
        """Whether phi or phi' may be infinite at a place."""
        ends = [
            self._end(f, end, sense)
            for split in (self.pieces, self.slopes)
            for lower, upper, f in split
            for end, sense in ((lower, 1), (upper, -1))
            if not end.is_infinite
        ]
        return any(
            not isinstance(end, Near) or end.power < 0 or not end.coefficient for end in ends
        )

    @cached_property
    def unbounded_slope(self) -> bool:
        """Whether sup |phi'| is certainly infinite."""
        if self.jumps:
            return True
        for lower, upper, f in self.slopes:
            for end, sense in ((lower, 1), (upper, -1)):
                bound = self._end(f, end, sense)
                if bound is None or not bound.sharp:
                    continue
                if isinstance(bound, Far) and (
                    bound.rate > 0 or (bound.rate == 0 and bound.power > 0)
                ):
                    return True
                if isinstance(bound, Near) and bound.power < 0:
                    return True
        return False

    def text(self) -> str:
        """Why E phi^2 does not exist, for messages."""
        for lower, upper, f in self.pieces:
            for end, sense in ((lower, 1), (upper, -1)):
                if self._allowed(f, end, sense) == 0:
                    where = "at infinity" if end.is_infinite else f"at x = {end}"
                    return f"E phi(u)^2 is infinite at every variance: phi = {self.expr} is too large {where}"
        return ""

    def _end(self, f: Expr, end: Expr, sense: int) -> Near | Far | None:
        """Behaviour of a piece at one end."""
        x = self.symbol
        if end.is_infinite:
            f = f.subs(x, -sense * T)
            if f.has(sympy.sinh, sympy.cosh):
                f = f.replace(sympy.sinh, lambda a: (sympy.exp(a) - sympy.exp(-a)) / 2)
                f = f.replace(sympy.cosh, lambda a: (sympy.exp(a) + sympy.exp(-a)) / 2)
                f = sympy.expand(f, power_exp=False)
            growth = far(f, T)
            # 1 - tanh^2 is exponentially small
            for shorter in (_slopes_of_waves, _factored_waves):
                if growth is not None and growth.sharp:
                    break
                if f.has(sympy.tanh) and f.count_ops() < 100:
                    again = far(shorter(f), T)
                    growth = again if again is not None and again.sharp else growth
            return growth
        return near(f.subs(x, end + sense * T), T)

    def _allowed(self, f: Expr, end: Expr, sense: int) -> Expr:
        bound = self._end(f, end, sense)
        if isinstance(bound, Near) and 2 * bound.power > -1:
            return S.Infinity
        if isinstance(bound, Far) and (
            bound.rate <= 0 or (bound.order < 2 and bound.rate.is_finite)
        ):
            return S.Infinity
        if bound is None or not bound.sharp:
            raise DivergenceError(
                f"cannot decide whether E phi(u)^2 and E phi'(u)^2 exist: the size of {f} "
                f"{'at infinity' if end.is_infinite else f'at x = {end}'} is not known"
            )
        if isinstance(bound, Far) and bound.order == 2 and bound.rate.is_finite:
            return 1 / (4 * bound.rate)
        return S.Zero

    def _decided(self, split: tuple[Piece, ...]) -> Expr:
        try:
            return self._largest(split)
        except DivergenceError:
            return S.Zero

    def _largest(self, split: tuple[Piece, ...]) -> Expr:
        least = S.Infinity
        for lower, upper, f in split:
            for end, sense in ((lower, 1), (upper, -1)):
                allowed = self._allowed(f, end, sense)
                least = allowed if less(allowed, least) else least
        return least

    def _limit(self, f: Expr, place: Expr, sense: int) -> Expr | None:
        """A piece's limit at one of its ends; None where it is not finite."""
        bound = self._end(f, place, sense)
        if bound is None:
            return None
        # how much it grows: at infinity, or at a place
        size = bound.power if isinstance(bound, Far) else -bound.power
        if isinstance(bound, Far) and bound.rate != 0:
            size = bound.rate
        if size < 0:
            return S.Zero
        return bound.coefficient if size == 0 else None
