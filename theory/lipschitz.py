"""Lipschitz constants of activations, from their derivatives.

sup |phi'| is reached where phi'' vanishes, at a kink, or at infinity. Candidates come from the
derivative's own structure; where sympy cannot find the roots of phi'' exactly the constant is not
known, and callers say so.
"""

from __future__ import annotations

import sympy
from sympy import Expr, S

from theory.terms import Term, derivative, read

__all__ = ["lipschitz"]


def lipschitz(expr: Expr, x: sympy.Symbol) -> Expr | None:
    """Return sup |phi'|.

    Parameters
    ----------
    expr : Expr
        phi.
    x : Symbol
        Its argument.

    Returns
    -------
    Expr or None
        oo where phi jumps or its slope is unbounded; None where it cannot be told.

    Notes
    -----
    Sigmoids and their integrals are bounded by the range of tanh. Sums of terms
    (`theory.terms.Term`): polynomials of degree 2 and more and growing exponentials are unbounded;
    slopes of piecewise linear functions are read off; for the rest phi'' = 0 is solved where it is a
    polynomial times one exponential, and a sine or cosine has its amplitude times its frequency.
    """
    simple = _saturating(expr, x)
    if simple is not None:
        return simple
    terms = read(expr, x)
    if terms is None:
        return None
    slope = derivative(terms)
    if any(t.kind == "delta" or t.alpha.is_negative for t in slope):
        return S.Infinity
    if any(t.power and t.alpha == 0 and t.kind != "erf" for t in slope):
        return S.Infinity
    if any(t.alpha == 0 and sympy.re(t.beta) != 0 for t in slope):
        return S.Infinity
    if any(t.kind == "erf" and t.power for t in slope):
        return S.Infinity
    if all(t.kind in ("plain", "sign") and t.alpha == 0 and t.beta == 0 for t in slope):
        level = sympy.Add(*(t.coefficient for t in slope if t.kind == "plain"))
        jump = sympy.Add(*(t.coefficient for t in slope if t.kind == "sign"))
        return sympy.Max(abs(level + jump), abs(level - jump))
    return _stationary(slope, x)


def _saturating(expr: Expr, x: sympy.Symbol) -> Expr | None:
    """tanh(a x), log(1 + exp(x)) and affine functions of them."""
    factor, inner = expr.as_independent(x)
    if isinstance(inner, sympy.Add) or factor != 0:
        constant, rest = expr.as_independent(x, as_Add=True)
        del constant
        coefficient, core = rest.as_independent(x, as_Add=False)
    else:
        coefficient, core = S.One, expr
    if isinstance(core, sympy.tanh):
        slope = sympy.expand(core.args[0]).coeff(x, 1)
        if sympy.expand(core.args[0] - slope * x).is_number:
            return abs(coefficient * slope)
    if core == sympy.log(1 + sympy.exp(x)):
        return abs(coefficient)
    return None


def _stationary(slope: tuple[Term, ...], x: sympy.Symbol) -> Expr | None:
    """Largest |phi'| among its stationary points and its limits."""
    waves = {sympy.Abs(sympy.im(t.beta)) for t in slope if t.beta != 0}
    if waves:
        if len(waves) == 1 and all(t.alpha == 0 and t.power == 0 and t.beta != 0 for t in slope):
            return sympy.sqrt(
                4 * sympy.expand(sympy.Abs(slope[0].coefficient) ** 2)
                if len(slope) == 2
                else sympy.Add(*(sympy.Abs(t.coefficient) for t in slope)) ** 2
            )
        return None
    curvature = derivative(slope)
    shapes = {t.alpha for t in curvature if t.kind == "plain"}
    if len(shapes) != 1 or any(t.kind != "plain" for t in curvature):
        return None
    factor = sympy.Add(*(t.coefficient * x**t.power for t in curvature))
    try:
        roots = sympy.roots(sympy.Poly(factor, x))
    except sympy.PolynomialError:
        return None
    if sum(roots.values()) != sympy.degree(factor, x):
        return None
    whole = sympy.Add(*(t.of(x) for t in slope))
    candidates = [abs(whole.subs(x, r)) for r in roots if r.is_real]
    candidates += [abs(sympy.limit(whole, x, end)) for end in (S.Infinity, S.NegativeInfinity)]
    return max(candidates, key=lambda v: float(v)) if candidates else None
