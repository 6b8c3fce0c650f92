"""Lipschitz constants of activations, from their derivatives.

sup |phi'| is reached where phi'' vanishes, at an end of a smooth piece, or at infinity. Where the zeros of
phi'' are not found exactly the constant is not known, and callers say so.
"""

from __future__ import annotations

import sympy
from sympy import Expr, S, Symbol

from theory.calculus.terms import derivative, read
from theory.calculus.zeros import less, zeros
from theory.kernels.existence import Existence

__all__ = ["lipschitz"]

_SIMPLE = 24
"""Operations of what is simplified, which takes minutes for long expressions."""


def lipschitz(existence: Existence) -> Expr | None:
    """Return sup |phi'|.

    Parameters
    ----------
    existence : Existence
        Of phi.

    Returns
    -------
    Expr or None
        oo where phi jumps or its slope is unbounded; None where it cannot be told.

    Notes
    -----
    On a smooth piece phi' is monotone between the zeros of phi''. A sine or cosine, whose phi'' vanishes
    infinitely often, has its amplitude times its frequency.
    """
    if existence.unbounded_slope:
        return S.Infinity
    x = existence.symbol
    wave = _wave(existence.expr, x)
    if wave is not None:
        return wave
    slopes: list[Expr] = []
    for (lower, upper, slope), ends in zip(existence.slopes, existence.slope_limits, strict=True):
        bend = sympy.diff(slope, x)
        places = zeros(sympy.simplify(bend) if bend.count_ops() <= _SIMPLE else bend, x)
        if places is None or None in ends:
            return None
        slopes += [abs(v) for v in ends]  # type: ignore[arg-type]
        slopes += [abs(slope.subs(x, p)) for p in places if less(lower, p) and less(p, upper)]
    return max(slopes, key=lambda v: sympy.N(v, 30))


def _wave(expr: Expr, x: Symbol) -> Expr | None:
    """A sine of one frequency, plus a constant."""
    terms = read(expr, x)
    slope = derivative(terms) if terms else ()
    if len(slope) != 2 or any(t.alpha != 0 or t.power or t.kind != "plain" for t in slope):
        return None
    one, two = slope
    if one.beta == 0 or sympy.re(one.beta) != 0 or sympy.expand(one.beta + two.beta) != 0:
        return None
    return 2 * sympy.sqrt(sympy.expand(one.coefficient * two.coefficient))
