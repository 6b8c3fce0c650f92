"""The replicon of level 1: whether a lifting near overlap 1 improves on it.

A lifting of a small exponent c at overlaps p* = 1 - u and q* = 1 - w changes the energy by c/2 times

    u + w - u w - V_f(w) - alpha V_g(u),     V_f(w) = E f**2 - E (E_w f)**2 = w E f'**2 - w**2/2 E f''**2 + ..

with f and g the leaves at field U ~ N(0, 1). Level 1 is stationary in its multipliers, E f'**2 =
alpha E g'**2 = 1, so the first order cancels. What is left is a quadratic form in (u, w), which at its saddle
in w has the sign of the replicon

    1 - alpha E f''**2 E g''**2  =  1 - (E f''**2 / E f'**2) (E g''**2 / E g'**2) .

Source: de Almeida and Thouless, J. Phys. A 11, 983 (1978); Gardner, J. Phys. A 21, 257 (1988) for the
perceptron.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import Expr, Heaviside, S, Symbol, factor_terms, oo, simplify

from theory.calculus.binding import fresh
from theory.calculus.closed import Piece, gaussian_integral, pieces
from theory.thresholds.hard_constraints import GAMMA
from theory.thresholds.models import Model

__all__ = ["replicon"]


def replicon(model: Model) -> Expr:
    """Return 1 - alpha E f''**2 E g''**2 at level 1.

    Parameters
    ----------
    model
        Its multipliers drop out; so does alpha.

    Returns
    -------
    sympy.Expr
        Negative where level 1 is unstable; minus infinity for leaves with kinks, such as |h|.

    Raises
    ------
    ValueError
        When a leaf is not made of pieces that can be integrated.

    Examples
    --------
    >>> from theory import SphericalPerceptron
    >>> replicon(SphericalPerceptron(0))
    0
    """
    return _derived(model.generic).xreplace(model.parameters)


@lru_cache(maxsize=64)
def _derived(model: Model) -> Expr:
    u = fresh("u")
    f = _bend(model.prior.leaf(u), u)
    g = f if model.constraint is None else _bend(model.constraint.leaf(u, GAMMA), u)
    return -oo if oo in (f, g) else factor_terms(1 - f * g)


def _bend(leaf: Expr, u: Expr) -> Expr:
    """E f''**2 / E f'**2 of a leaf; infinite where f' jumps."""
    split = pieces(leaf, u)
    if split is None:
        raise ValueError(f"the leaf {leaf} cannot be split into pieces")
    slopes = [expr.diff(u) for _, _, expr in split]
    for (_, end, _), left, right in zip(split, slopes, slopes[1:], strict=False):
        if simplify((left - right).subs(u, end)) != 0:
            return oo
    bends = [slope.diff(u) for slope in slopes]
    return simplify(_square(bends, split, u) / _square(slopes, split, u))


def _square(values: list[Expr], split: list[Piece], u: Symbol) -> Expr:
    """E[value**2], piece by piece."""
    total: Expr = S.Zero
    for value, (lower, upper, _) in zip(values, split, strict=True):
        part = gaussian_integral(value**2 * _inside(u, lower, upper), u)
        if part is None:
            raise ValueError(f"E[({value})**2] has no closed form")
        total += part
    return total


def _inside(u: Expr, lower: Expr, upper: Expr) -> Expr:
    """Indicator of an interval."""
    below = S.One if upper.is_infinite else Heaviside(upper - u)
    return below if lower.is_infinite else below * Heaviside(u - lower)
