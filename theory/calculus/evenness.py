"""Parity of functions, decided symbolically."""

from __future__ import annotations

from sympy import Expr, Lambda, Symbol

from theory.calculus.binding import Binder


def parity(function: Lambda) -> int | None:
    """Return 1 for an even function, -1 for an odd one, None where neither is proved.

    The function is compared with its mirror image; a nest or Gibbs average in it says itself what
    it is at -h (an even leaf makes the whole nest even).
    """
    (h,) = function.variables
    own, mirrored = function.expr, _mirrored(function.expr, h)
    for sign in (1, -1):
        difference = own - sign * mirrored
        if difference == 0 or difference.expand() == 0:
            return sign
    return None


def _mirrored(expr: Expr, h: Symbol) -> Expr:
    flipped = expr.xreplace({h: -h})
    return flipped.xreplace({node: node.reflected(h) for node in flipped.atoms(Binder)})
