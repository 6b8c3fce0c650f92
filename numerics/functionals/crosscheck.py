"""An independent evaluation of a free energy: another quadrature, nothing shared but the expression.

The nests of `numerics.nests.doubles` are trapezoid sums on commensurate uniform grids with tables,
windows and cuts. Here a nest is a chain of composite Gauss-Legendre rules: f_k is evaluated at the
nodes of the next rule by a full log-sum-exp over the nodes of the last one, in plain NumPy,
without windows, tables or evenness, and the leaf is evaluated by scipy's ``log_ndtr``. Panels
are about as long as the distance of the nearest singularity, estimated from the second derivative of f_k
itself, with 16 nodes each, so the error falls like rho^(-32) for a function analytic in the panel's
Bernstein ellipse of parameter rho; doubling the number of panels shows what is left. Cost: the product
of the numbers of nodes of neighbouring levels, seconds at level 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import special
from sympy import Add, Dummy, Expr, Mul, Rational, Symbol, erf, exp, log

from theory import FreeEnergy, LiftedExpectation

__all__ = ["cross_check", "legendre_nest", "plain_leaf"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
_NODES = 16
_DEVIATIONS = 9.5
# a weight of exp(-300) counts for nothing
_NOTHING = 300.0


# -- leaves ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """``exp(exponent(h)) (constant + sum k_j erf z_j(h))``, k_j > 0."""

    exponent: Function
    constant: float
    tails: tuple[tuple[float, Function], ...]

    def logarithm(self, y: Array) -> Array:
        """Log of the group, by positive parts."""
        parts = []
        constant, tails = self.constant, list(self.tails)
        size = abs(constant) + sum(k for k, _ in tails)
        while constant - sum(k for k, _ in tails) < -1e-12 * size:
            # more error functions than the constant can lift above 0: an interval
            if len(tails) < 2:
                raise ValueError("a term of the leaf is negative")
            (k, a), (_, b) = tails.pop(), tails.pop()
            parts.append(math.log(2.0 * k) + _log_interval(a(y), b(y)))
        rest = constant - sum(k for k, _ in tails)
        parts += [math.log(2.0 * k) + special.log_ndtr(math.sqrt(2.0) * z(y)) for k, z in tails]
        if rest > 1e-12 * size:
            parts.append(np.full(y.shape, math.log(rest)))
        return self.exponent(y) + special.logsumexp(parts, axis=0)


def _log_interval(a: Array, b: Array) -> Array:
    """``log((erf a + erf b)/2)`` = log(Phi(upper) - Phi(lower)), by symmetry on the side of the left tail."""
    a, b = math.sqrt(2.0) * a, math.sqrt(2.0) * b
    low, high = -np.maximum(a, b), np.minimum(a, b)
    upper = special.log_ndtr(high)
    return upper + np.log(-np.expm1(special.log_ndtr(low) - upper))


def plain_leaf(leaf: Expr, h: Symbol) -> Function:
    """Vectorised leaf ``A log S + polynomial`` by scipy's special functions.

    Parameters
    ----------
    leaf : sympy.Expr
        With numbers for everything but ``h``. S is a sum of exponentials of polynomials, alone or times an
        error function.
    h : sympy.Symbol

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If the leaf has another form.
    """
    logarithms = [e for e in leaf.atoms(log) if e.has(h)]
    whole = Dummy("L")
    rest = leaf.subs({e: whole for e in logarithms}) if len(logarithms) == 1 else leaf
    scale = sympy.diff(rest, whole) if len(logarithms) == 1 else sympy.S.Zero
    polynomial = rest.subs(whole, 0)
    if len(logarithms) > 1 or scale.has(h, whole) or not polynomial.is_polynomial(h):
        raise ValueError(
            f"the independent quadrature knows no safe way to evaluate the leaf {leaf}"
        )
    outside = _function(polynomial, h)
    if not logarithms:
        return outside
    factor = float(scale)
    groups = _groups(logarithms[0].args[0], h)

    def evaluate(y: Array) -> Array:
        logs = [group.logarithm(y) for group in groups]
        return factor * special.logsumexp(logs, axis=0) + outside(y)

    return evaluate


def _groups(total: Expr, h: Symbol) -> list[_Group]:
    """Terms of S by exponential; two exponents are the same if they agree at three fields."""
    total = total.rewrite(exp) if total.has(sympy.cosh, sympy.sinh) else total
    aside = {e: Dummy() for e in total.atoms(exp, erf) if e.has(h)}
    functions = {dummy: e for e, dummy in aside.items()}
    probe = np.array([-0.7, 0.1, 1.3])
    groups: list[tuple[Array, Function, float, list[tuple[float, Function]]]] = []
    for product in Add.make_args(sympy.expand(total.xreplace(aside))):
        constant, exponent, argument = 1.0, sympy.S.Zero, None
        for part in Mul.make_args(product):
            base, power = part.as_base_exp()
            if base not in functions and not part.has(h):
                constant *= float(part)
                continue
            function = functions.get(base, part)
            if isinstance(function, exp):
                exponent += power * function.args[0]
            elif isinstance(function, erf) and power == 1 and argument is None:
                argument = function.args[0]
            else:
                raise ValueError(f"no safe way to evaluate the term {product.xreplace(functions)}")
        own = _function(exponent, h)
        at = own(probe)
        match = next((k for k, g in enumerate(groups) if np.allclose(g[0], at, 1e-12, 1e-12)), None)
        if match is None:
            groups.append((at, own, 0.0, []))
            match = len(groups) - 1
        first, own, total_constant, tails = groups[match]
        if argument is None:
            groups[match] = (first, own, total_constant + constant, tails)
        else:
            sign = math.copysign(1.0, constant)  # erf is odd
            tails.append((abs(constant), _function(int(sign) * argument, h)))
    return [_Group(own, constant, tuple(tails)) for _, own, constant, tails in groups]


def _function(expr: Expr, h: Symbol) -> Function:
    compiled = sympy.lambdify(h, expr.evalf(20), "numpy")
    return lambda y: np.broadcast_to(np.asarray(compiled(y), dtype=float), y.shape)


# -- nests -----------------------------------------------------------------------------------------


def legendre_nest(
    leaf: Function,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
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
        ``v_k > 0`` and ``s_k >= 0``, innermost first.
    finest : float
        Length over which the leaf changes.
    panels : float, default 1
        Factor on the number of panels.

    Returns
    -------
    float
    """
    x, w = leggauss(_NODES)
    ends = _ends(leaf, field, increments, exponents, finest)
    y = f = weights = np.empty(0)
    scale = finest
    for k, (low, high) in enumerate(ends):
        lifting = (increments[k - 1], exponents[k - 1])

        def function(points: Array, own: tuple[float, float] = lifting) -> Array:
            return leaf(points) if k == 0 else _lift(points, y, f, weights, *own)  # noqa: B023

        if k > 0:
            scale = _smoothness(function, low, high, *lifting)
        length = min(math.sqrt(increments[k]), scale) / panels
        edges = np.linspace(low, high, 2 * math.ceil(0.5 * (high - low) / length) + 1)
        centres, radii = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
        nodes = (centres[:, None] + radii[:, None] * x).ravel()
        node_weights = (radii[:, None] * w).ravel()
        y, f, weights = nodes, function(nodes), node_weights
    return float(_lift(np.array([field]), y, f, weights, increments[-1], exponents[-1])[0])


def _smoothness(f: Function, low: float, high: float, v: float, s: float) -> float:
    """Distance from the real axis within which a lifted function cannot be singular."""
    count = int(min(max(16.0 * (high - low) / math.sqrt(v), 200.0), 4000.0))
    points = np.linspace(low, high, count)
    bend = np.gradient(np.gradient(f(points), points), points)
    return math.sqrt(2.0 / (1.0 / v + s * max(float(bend.max()), 0.0)))


def _ends(
    leaf: Function,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    finest: float,
) -> list[tuple[float, float]]:
    """Intervals of fields on which f_0, .., f_{K-1} are needed.

    Outwards of an end the slope of the leaf bounds how far a tilt can move a centre. Where the leaf falls
    by more than any weight makes up for, at every outer exponent, the interval ends.
    """
    ends: list[tuple[float, float]] = []
    low = high = field
    for k in range(len(increments) - 1, -1, -1):
        v, s = increments[k], exponents[k]
        inner = _DEVIATIONS * math.sqrt(sum(increments[:k]))
        low -= _DEVIATIONS * math.sqrt(v) + _tilt(leaf, low, -1, s * v, inner, finest)
        high += _DEVIATIONS * math.sqrt(v) + _tilt(leaf, high, 1, s * v, inner, finest)
        ends.insert(0, (low, high))
    probe = np.linspace(*ends[0], 8001)
    f = leaf(probe)
    deficit = float(f.max() - f[np.abs(probe - field).argmin()])
    for k, (low, high) in enumerate(ends):
        smallest, largest = min(exponents[k:]), max(exponents[k:])
        if smallest == 0.0:
            continue
        limit = (_NOTHING + largest * deficit) / min(smallest, 1.0)
        kept = probe[f >= f.max() - limit]
        spread = 2.0 * _DEVIATIONS * math.sqrt(sum(increments[:k])) + probe[1] - probe[0]
        ends[k] = (max(low, float(kept[0]) - spread), min(high, float(kept[-1]) + spread))
    return ends


def _tilt(
    leaf: Function, end: float, side: int, strength: float, inner: float, finest: float
) -> float:
    """How far a tilt moves a centre outwards of an end: beyond, the slope is too small for the distance.

    The slope of f_k is an average of the leaf's over a distance of ``inner``.
    """
    distances = np.concatenate(([0.0], np.geomspace(0.1 * finest, 1e5, 1000)))
    delta = 0.01 * finest
    points = end + side * (distances - inner)
    slopes = (leaf(points + side * delta) - leaf(points)) / delta
    steepest = np.maximum.accumulate(np.maximum(slopes, 0.0)[::-1])[::-1]
    moved = np.flatnonzero(strength * steepest >= distances)
    return float(distances[min(moved[-1] + 1, distances.size - 1)])


def _lift(x: Array, y: Array, f: Array, weights: Array, v: float, s: float) -> Array:
    """``(1/s) log E exp(s f(x + sqrt(v) U))`` by one rule, with every row's maximum taken out."""
    out = np.empty(x.size)
    block = max(1, 4_000_000 // max(y.size, 1))
    for i in range(0, x.size, block):
        square = (x[i : i + block, None] - y) ** 2 / (2.0 * v)
        if s == 0.0:
            density = np.exp(-square) @ np.stack((weights * f, weights), axis=1)
            out[i : i + block] = density[:, 0] / density[:, 1]
            continue
        a = s * f - square
        top = a.max(axis=1)
        total = np.exp(a - top[:, None]) @ weights
        out[i : i + block] = (top + np.log(total / math.sqrt(2.0 * math.pi * v))) / s
    return out


# -- functionals -----------------------------------------------------------------------------------


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
    values = {x: Rational(order_parameters[str(x)]) for x in fe.order_parameters}
    h = Symbol("h", real=True)
    nests: dict[Expr, Expr] = {}
    for nest in fe.expr.atoms(LiftedExpectation):
        leaf = nest.leaf(h).subs(values)
        nests[nest] = sympy.Float(
            legendre_nest(
                plain_leaf(leaf, h),
                float(nest.field.subs(values)),
                tuple(float(v.subs(values)) for v in nest.increments),
                tuple(float(s.subs(values)) for s in nest.exponents),
                finest=_finest(leaf, h),
                panels=panels,
            ),
            17,
        )
    return float(fe.expr.xreplace(nests).subs(values).evalf(20))


def _finest(leaf: Expr, h: Symbol) -> float:
    """Length over which a leaf ``A log S`` changes: that of its error functions, or of log S itself."""
    rates, scale = [1.0], 1.0
    for e in leaf.atoms(erf, sympy.cosh, exp):
        if e.has(h):
            rate = abs(float(sympy.diff(e.args[0], h).subs(h, 0)))
            rates.append(math.sqrt(2.0) * rate if isinstance(e, erf) else rate)
    for e in leaf.atoms(log):
        if e.has(h):
            whole = Dummy()
            scale = abs(float(sympy.diff(leaf.subs(e, whole), whole)))
    points = np.linspace(-3.0, 3.0, 6001)
    bend = np.gradient(np.gradient(plain_leaf(leaf, h)(points), points), points)
    return min(1.0 / max(rates), math.sqrt(2.0 / max(float(bend.max()) / scale, 2.0)))
