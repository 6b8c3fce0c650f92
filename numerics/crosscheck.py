"""An independent evaluation of a free energy: another quadrature, nothing shared but the expression.

The nests of `numerics.lifted` are trapezoid sums on commensurate uniform grids with tables,
windows and cuts. Here a nest is a chain of composite Gauss-Legendre rules: f_k is evaluated at the
nodes of the next rule by a full log-sum-exp over the nodes of the last one, in plain NumPy,
without windows, tables or evenness, and the leaf is evaluated by scipy's error functions. Panels
are about one standard deviation long, with 16 nodes each, so the error falls like rho^(-32) for a
function analytic in the panel's Bernstein ellipse of parameter rho; doubling the number of panels
shows what is left. Cost: the product of the numbers of nodes of neighbouring levels, seconds at
level 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import sympy
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import special
from sympy import Expr, Lambda, Rational, Symbol, cosh, erf, log

from theory import FreeEnergy, LiftedExpectation

__all__ = ["cross_check", "legendre_nest"]

Array = NDArray[np.float64]
_NODES = 16
_DEVIATIONS = 9.5


def _log_two_cosh(expr: Expr, h: Symbol) -> Callable[[Array], Array] | None:
    if expr == log(2 * cosh(h)):
        return lambda y: np.logaddexp(y, -y)
    return None


def _log_probability(expr: Expr, h: Symbol) -> Callable[[Array], Array] | None:
    terms = [term.as_coeff_Mul() for term in expr.args[0].expand(deep=False).as_ordered_terms()]
    if len(terms) != 2 or not all(
        abs(c) == Rational(1, 2) and isinstance(e, erf) for c, e in terms
    ):
        return None
    arguments = [2 * c * e.args[0] for c, e in terms]  # erf is odd
    bounds = [sympy.lambdify(h, sympy.sqrt(2) * a, "numpy") for a in arguments]

    def leaf(y: Array) -> Array:
        # P = Phi(b) - Phi(-a) for the interval's ends a, b; by symmetry the larger is the upper one
        a, b = bounds[0](y), bounds[1](y)
        low, high = -np.maximum(a, b), np.minimum(a, b)
        upper = special.log_ndtr(high)
        return upper + np.log(-np.expm1(special.log_ndtr(low) - upper))

    return leaf


def _leaf(leaf: Lambda, values: Mapping[Symbol, float]) -> Callable[[Array], Array]:
    h = Symbol("h", real=True)
    expr = leaf(h).subs(values)
    for known in (_log_two_cosh, _log_probability):
        function = known(expr, h)
        if function is not None:
            return function
    raise ValueError(f"the independent quadrature knows no safe way to evaluate the leaf {expr}")


def legendre_nest(
    leaf: Callable[[Array], Array],
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
    slope: float,
    finest: float,
    panels: float = 1.0,
) -> float:
    """Value of a nest by a chain of composite Gauss-Legendre rules.

    Parameters
    ----------
    leaf : callable
        Vectorised leaf.
    field : float
        Where the outermost function is taken.
    increments, exponents : tuple of float
        ``v_k > 0`` and ``s_k > 0``, innermost first.
    slope : float
        Largest outward slope of the leaf; a decreasing leaf (0) is also cut where its weight is
        zero.
    finest : float
        Length over which the leaf changes.
    panels : float, default 1
        Factor on the number of panels.

    Returns
    -------
    float
    """
    x, w = leggauss(_NODES)
    reach = abs(field)
    reaches: list[float] = []
    for v, s in zip(reversed(increments), reversed(exponents), strict=True):
        reach += _DEVIATIONS * math.sqrt(v) + s * v * slope
        reaches.append(reach)
    reaches.reverse()
    depth = len(increments)
    scale = finest
    strip = 1.0
    y = f = weights = np.empty(0)
    for k in range(depth):
        half = reaches[k]
        length = min(math.sqrt(increments[k]), scale) / panels
        edges = np.linspace(-half, half, 2 * math.ceil(half / length) + 1)
        centres, radii = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
        nodes = (centres[:, None] + radii[:, None] * x).ravel()
        node_weights = (radii[:, None] * w).ravel()
        if slope <= 0.0:
            # farther out every weight is zero: the leaf falls at least like a Gaussian's tail
            kept = np.abs(nodes) < _cut(leaf, min(exponents[k:]), sum(increments[:k]), half)
            nodes, node_weights = nodes[kept], node_weights[kept]
        if k == 0:
            values = leaf(nodes)
        else:
            values = _lift(nodes, y, f, weights, increments[k - 1], exponents[k - 1])
        y, f, weights = nodes, values, node_weights
        strip = max(strip, exponents[k])
        scale = math.sqrt(increments[k]) if slope <= 0.0 else 1.0 / strip
    return float(_lift(np.array([field]), y, f, weights, increments[-1], exponents[-1])[0])


def _cut(leaf: Callable[[Array], Array], exponent: float, spread: float, half: float) -> float:
    """Where a falling leaf's weight is below exp(-300), moved out by the spread of the inner liftings."""
    probe = np.linspace(0.0, half, 4001)
    f = leaf(probe)
    below = np.flatnonzero((f[0] - f) * min(exponent, 1.0) > 300.0)
    edge = float(probe[below[0]]) if below.size else half
    return min(half, edge + _DEVIATIONS * 2.0 * math.sqrt(spread))


def _lift(x: Array, y: Array, f: Array, weights: Array, v: float, s: float) -> Array:
    """``(1/s) log E exp(s f(x + sqrt(v) U))`` by one rule, with every row's maximum taken out."""
    out = np.empty(x.size)
    block = max(1, 4_000_000 // max(y.size, 1))
    for i in range(0, x.size, block):
        a = s * f - (x[i : i + block, None] - y) ** 2 / (2.0 * v)
        top = a.max(axis=1)
        total = np.exp(a - top[:, None]) @ weights
        out[i : i + block] = (top + np.log(total / math.sqrt(2.0 * math.pi * v))) / s
    return out


def cross_check(
    fe: FreeEnergy, order_parameters: Mapping[str, float], *, panels: float = 1.0
) -> float:
    """Value of a free energy at a point, by a quadrature independent of the solver's.

    Parameters
    ----------
    fe : theory.FreeEnergy
        With numeric model parameters.
    order_parameters : mapping of str to float
        As in `Solution.order_parameters`.
    panels : float, default 1
        Factor on the number of panels of every rule; compare 1 and 2.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an order parameter is missing, or a leaf is of an unknown kind.

    Notes
    -----
    Increments are differences of the order parameters as given, so the result carries the rounding
    of those differences; at a stationary point this is of second order.
    """
    missing = [str(x) for x in fe.order_parameters if str(x) not in order_parameters]
    if missing:
        raise ValueError(f"no value given for order parameter(s) {', '.join(missing)}")
    values: dict[Symbol, float] = {x: order_parameters[str(x)] for x in fe.order_parameters}
    nests: dict[Expr, Expr] = {}
    for nest in fe.expr.atoms(LiftedExpectation):
        function = _leaf(nest.leaf, values)
        growing = bool(function(np.array([1.0]))[0] > function(np.array([0.0]))[0])
        finest = 1.0
        if not growing and values:
            finest = math.sqrt(1.0 - values[fe.p[0]])
        nests[nest] = sympy.Float(
            legendre_nest(
                function,
                float(nest.field.subs(values)),
                tuple(float(v.subs(values)) for v in nest.increments),
                tuple(float(s.subs(values)) for s in nest.exponents),
                slope=1.0 if growing else 0.0,
                finest=finest,
                panels=panels,
            ),
            17,
        )
    return float(fe.expr.xreplace(nests).subs(values))
