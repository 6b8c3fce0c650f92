"""How fast a smooth function grows at infinity, and at the ends of its domain, by rules.

Near t = 0 a function is put below C t^p |log t|^q, near t = infinity below exp(a t^b) t^p: enough to
decide whether squares are integrable against a normal density. Sums take the larger, products add,
and a leading coefficient is carried along where it is known, so that what cancels exactly is seen.
Where a bound is sharp it says so; where the rules do not apply the answer is None, and callers
refuse.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Rational, S, Symbol

from theory.calculus.zeros import bounds, less, vanishes

__all__ = ["Far", "Near", "far", "near"]

_TAYLOR = 12
_OPERATIONS = 1000
"""Of a derivative; beyond that it is not known how fast a function vanishes."""
_BOUNDED = (sympy.sin, sympy.cos)
_LIMITS = {sympy.tanh: S.One, sympy.erf: S.One, sympy.atan: sympy.pi / 2}
_SLOPES = {sympy.sin: 1, sympy.tanh: 1, sympy.atan: 1, sympy.erf: 2 / sympy.sqrt(sympy.pi)}
_SLOW = Rational(1, 8)
"""A power that stands for logarithms."""


@dataclass(frozen=True)
class Near:
    """O(t^power), as t falls to 0, up to logarithms.

    Attributes
    ----------
    power : Expr
        oo for what falls faster than every power, -oo for what grows faster.
    coefficient : Expr or None
        c, if the function is (c + o(1)) t^power; None if this is a bound, or a logarithm.
    """

    power: Expr
    coefficient: Expr | None = None

    @property
    def sharp(self) -> bool:
        """Whether the function is no smaller than this."""
        return self.coefficient is not None and self.coefficient != 0


@dataclass(frozen=True)
class Far:
    """O(exp(rate t^order) t^power), as t grows.

    Attributes
    ----------
    rate, order : Expr
        Of log |f|; both 0 for powers. ``rate`` oo means faster than any exponential of a power.
    power : Expr
    coefficient : Expr or None
        c of (c + o(1)) t^power, for powers; the sign, for exponentials. None if this is a bound.
    """

    rate: Expr
    order: Expr
    power: Expr
    coefficient: Expr | None = None

    @property
    def sharp(self) -> bool:
        """Whether the function is no smaller than this."""
        return self.coefficient is not None and self.coefficient != 0

    @property
    def size(self) -> tuple[Expr, ...]:
        """Larger for what grows faster."""
        sense = sympy.sign(self.rate)
        return (sense, sense * self.order, self.rate, self.power)


def near(expr: Expr, t: Symbol) -> Near | None:
    """Bound a function as t > 0 falls to 0; None where the rules do not tell."""
    if expr == 0:
        return Near(S.Infinity)
    if not expr.has(t):
        return Near(S.Zero, expr)
    if _regular(expr, t):
        return _taylor(expr, t)
    if expr.is_Add:
        parts = [near(a, t) for a in expr.args]
        if any(p is None for p in parts):
            return None
        known = [p for p in parts if p is not None]
        least = min((p.power for p in known), key=_number)
        lead = _total([p.coefficient for p in known if p.power == least])
        if not lead:  # what cancels may do so over a common denominator
            top, bottom = sympy.fraction(sympy.together(expr))
            if bottom.has(t) and _regular(top, t) and _regular(bottom, t):
                above, below = _taylor(top, t), _taylor(bottom, t)
                if below.sharp:
                    ratio = (
                        None if above.coefficient is None else above.coefficient / below.coefficient
                    )
                    return Near(above.power - below.power, ratio)
        return Near(least, lead)
    if expr.is_Mul:
        power, product = S.Zero, S.One
        for part in expr.args:
            own = near(part, t)
            if own is None:
                return None
            power += own.power
            product = _times(product, own.coefficient)
        return None if power is S.NaN else Near(power, product)
    if expr.is_Pow and not expr.exp.has(t):
        own = near(expr.base, t)
        if own is None or (expr.exp < 0 and not own.sharp):
            return None
        lead = own.coefficient
        return Near(own.power * expr.exp, None if lead is None else lead**expr.exp)
    if expr.func is sympy.exp or (expr.is_Pow and expr.base is S.Exp1):
        return _near_exp(expr.exp if expr.is_Pow else expr.args[0], t)
    return _near_function(expr, t)


def _near_exp(inside: Expr, t: Symbol) -> Near | None:
    own = near(inside, t)
    if own is None:
        return None
    if own.power > 0:
        return Near(S.Zero, S.One)
    if own.power == 0 and own.coefficient is not None:
        return Near(S.Zero, sympy.exp(own.coefficient))
    lead = own.coefficient
    if not own.sharp or lead is None:
        return None
    return Near(S.Infinity if lead.is_negative else S.NegativeInfinity)


def _near_function(expr: Expr, t: Symbol) -> Near | None:
    function, own = expr.func, near(expr.args[0], t)
    if own is None:
        return None
    lead = own.coefficient
    if function is sympy.log:
        if own.power == 0 and lead is not None:
            if vanishes(lead - 1):
                return near(expr.args[0] - 1, t)
            return Near(S.Zero, sympy.log(lead))
        return Near(S.Zero) if own.sharp else None
    if function in _LIMITS and own.power < 0 and own.sharp:
        return Near(S.Zero, _LIMITS[function] * sympy.sign(lead))
    if function in _BOUNDED or function in _LIMITS:
        if own.power > 0 and function in _SLOPES:
            return Near(own.power, None if lead is None else _SLOPES[function] * lead)
        if own.power >= 0 and lead is not None:
            return Near(S.Zero, _exact(function(lead if own.power == 0 else S.Zero)))
        return Near(S.Zero)
    return None


def _regular(expr: Expr, t: Symbol) -> bool:
    """Whether all parts are analytic at t = 0."""
    for node in sympy.preorder_traversal(expr):
        if node.is_Pow and not node.exp.has(t) and not (node.exp.is_Integer and node.exp > 0):
            if not node.base.has(t):
                continue
            if any(_singular(m) for m in sympy.preorder_traversal(node.base.subs(t, 0))):
                return False
            value = node.base.subs(t, 0)
            if not value.is_real or vanishes(value) or (not node.exp.is_Integer and value < 0):
                return False
        if node.func is sympy.log:
            value = node.args[0].subs(t, 0)
            if not value.is_real or vanishes(value) or value < 0:
                return False
    return True


def _singular(node: Expr) -> bool:
    return node in (S.ComplexInfinity, S.NaN, S.Infinity, S.NegativeInfinity)


def _taylor(expr: Expr, t: Symbol) -> Near:
    """Leading term of an analytic function."""
    here, factorial = expr, 1
    for n in range(_TAYLOR):
        value = here.subs(t, 0) / factorial
        if not vanishes(value):
            return Near(sympy.Integer(n), value)
        here, factorial = sympy.diff(here, t), factorial * (n + 1)
        if (
            here.count_ops() > _OPERATIONS
        ):  # 1 - tanh(1000 + t) is zero to all digits that are looked at
            return Near(sympy.Integer(n + 1))
    return Near(sympy.Integer(_TAYLOR))


def far(expr: Expr, t: Symbol) -> Far | None:
    """Bound a function as t grows; None where the rules do not tell."""
    if not expr.has(t):
        return Far(S.Zero, S.Zero, S.Zero, expr)
    if expr == t:
        return Far(S.Zero, S.Zero, S.One, S.One)
    if expr.is_Add:
        parts = [far(a, t) for a in expr.args]
        if any(p is None for p in parts):
            return None
        known = [p for p in parts if p is not None]
        most = known[0]
        for part in known[1:]:
            most = part if _larger(part, most) else most
        lead = [p.coefficient for p in known if p.size == most.size]
        if most.rate != 0 and len(lead) > 1:
            lead = [None]
        return Far(most.rate, most.order, most.power, _total(lead))
    if expr.is_Mul:
        return _far_product([far(a, t) for a in expr.args])
    if expr.is_Pow and not expr.exp.has(t):
        own = far(expr.base, t)
        if own is None:
            return None
        if expr.exp < 0 and not own.sharp:
            low, high = bounds(expr.base, t)
            apart = less(S.Zero, low) or less(high, S.Zero)
            return Far(S.Zero, S.Zero, S.Zero) if apart else None
        lead = None if own.coefficient is None else own.coefficient**expr.exp
        return Far(own.rate * expr.exp, own.order, own.power * expr.exp, lead)
    if expr.func is sympy.exp or (expr.is_Pow and expr.base is S.Exp1):
        return _far_exp(far(expr.exp if expr.is_Pow else expr.args[0], t))
    return _far_function(expr, t)


def _far_product(parts: list[Far | None]) -> Far | None:
    rate, order, power, product = S.Zero, S.Zero, S.Zero, S.One
    for part in parts:
        if part is None:
            return None
        if part.order == order:
            rate += part.rate
            order = order if rate != 0 else S.Zero
        elif part.order > order:
            rate, order = part.rate, part.order
        power += part.power
        product = _times(product, part.coefficient)
    return None if S.NaN in (rate, power) else Far(rate, order, power, product)


def _far_exp(own: Far | None) -> Far | None:
    if own is None:
        return None
    if own.rate > 0:
        lead = own.coefficient
        if not own.sharp or lead is None:
            return None
        rate = S.Infinity if lead.is_positive else S.NegativeInfinity
        return Far(rate, S.One, S.Zero, S.One)
    if own.rate < 0 or own.power < 0:
        return Far(S.Zero, S.Zero, S.Zero, S.One)
    if own.power == 0:
        lead = own.coefficient
        return Far(S.Zero, S.Zero, S.Zero, None if lead is None else sympy.exp(lead))
    if own.sharp:
        return Far(own.coefficient, own.power, S.Zero, S.One)
    return Far(S.One, own.power, S.Zero) if own.power < 2 else None


def _far_function(expr: Expr, t: Symbol) -> Far | None:
    function, own = expr.func, far(expr.args[0], t)
    if own is None:
        return None
    lead = own.coefficient
    falls = own.rate < 0 or (own.rate == 0 and own.power < 0)
    grows = own.rate > 0 or (own.rate == 0 and own.power > 0)
    if function is sympy.log:
        if not own.sharp:
            low, high = bounds(expr.args[0], t)
            apart = less(S.Zero, low) and high.is_finite
            return Far(S.Zero, S.Zero, S.Zero) if apart else None
        if own.rate != 0:
            return Far(S.Zero, S.Zero, own.order, own.rate)
        assert lead is not None  # sharp
        if own.power == 0 and vanishes(lead - 1):
            return far(expr.args[0] - 1, t)
        if own.power == 0:
            return Far(S.Zero, S.Zero, S.Zero, sympy.log(lead))
        return Far(S.Zero, S.Zero, _SLOW)
    if function in _LIMITS or function in _BOUNDED:
        if falls and function in _SLOPES:
            return Far(
                own.rate, own.order, own.power, None if lead is None else _SLOPES[function] * lead
            )
        if falls:
            return Far(S.Zero, S.Zero, S.Zero, function(S.Zero))
        if grows and function in _LIMITS and own.sharp:
            return Far(S.Zero, S.Zero, S.Zero, _LIMITS[function] * sympy.sign(lead))
        if not grows and lead is not None:
            return Far(S.Zero, S.Zero, S.Zero, _exact(function(lead)))
        return Far(S.Zero, S.Zero, S.Zero)
    return None


def _larger(a: Far, b: Far) -> bool:
    for p, q in zip(a.size, b.size, strict=True):
        if p != q:
            return less(q, p)
    return False


def _times(a: Expr | None, b: Expr | None) -> Expr | None:
    """A product of leading coefficients; None if one is unknown."""
    return None if a is None or b is None else a * b


def _total(lead: list[Expr | None]) -> Expr | None:
    """Sum of leading coefficients; None if one is unknown."""
    if any(c is None for c in lead):
        return None
    return _exact(sympy.Add(*lead))


def _exact(value: Expr) -> Expr:
    return S.Zero if vanishes(value) else value


def _number(value: Expr) -> sympy.Float:
    return sympy.Float(value) if value.is_finite else value
