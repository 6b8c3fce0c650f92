"""Levels whose outermost pair (p_r, q_r) is so faint that nothing else feels it.

A constraint that almost always holds (a half-line at a margin far below 0) pulls nowhere: the slope of what
it makes of a nest is of the order of what it lacks, and so is q_r = alpha <g'^2>, and p_r = <f'^2> with it:
their product is 1e-11 at kappa = -5, 1e-1086 at -50. The functional depends on the pair by less than the
digits that a search has, and is flat along it. But at p_r = q_r = 0 it is a functional of its own
(`theory.thresholds.finite_exponents.without_outermost_pair`), as easy as others, and the pair follows from
its point by the identities (`theory.thresholds.identities`):

    q_r = a g'(0)^2,   p_r = f'(0)^2 + f''(0)^2 q_r,

a the density, f and g what the outermost averages are of. By the heat identity there, entropy and energy
change by

    (s/2) (p q - f''^2 q^2/2)   and   -(s/2) g'^2 p,

s the outermost exponent: together the capacity changes by ``-s p q/(4 Ent)``, relatively. Either that is far
below the digits asked for: then the value is that without the pair, with an error that contains what the
pair changes. Or the point with the pair is where Newton's method in balls starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import sympy
from flint import arb, ctx

from numerics.balls.nest import evaluate_ball_nest
from numerics.balls.numbers import mpf_of
from numerics.balls.plan import BallGrid
from numerics.balls.program import BallNest, ball_program
from numerics.errors import ResolutionError
from theory import FreeEnergy, Model, free_energy
from theory.calculus.lifting import LiftedExpectation
from theory.thresholds.finite_exponents import without_outermost_pair
from theory.thresholds.identities import DENSITY, identities

from ..functional import functional_of
from ..solution import ConvergenceError, Solution

__all__ = ["Pair", "completed", "has_quenched_pair", "is_faint", "pair_of", "reduced"]

# Digits beyond those asked for that a pair is looked for in, and those of its own derivatives.
_UNSEEN, _GUARD = 8, 15
# Digits that can be asked for: the outermost increment that derivatives are taken at is a double.
_MOST = 120
# What the pair's next order may be relative to it, to start from.
_START = 0.3
# How much more the value is said to be off by than it is to leading order.
_SAFETY = 8


@dataclass(frozen=True)
class Pair:
    """The outermost overlaps to leading order.

    Attributes
    ----------
    p, q : mpf
    share : mpf
        What they change the value by, relatively, at most.
    next_order : mpf
        Of the pair, relative to the leading one.
    """

    p: Any
    q: Any
    share: Any
    next_order: Any


def has_quenched_pair(fe: FreeEnergy) -> bool:
    """Whether a functional is a capacity's whose outermost pair is that of a quenched average."""
    return fe.is_capacity and bool(fe.p) and bool(fe.q) and len(fe.q) > len(fe.c) - fe.is_finite


def is_faint(solution: Solution, digits: int) -> bool:
    """Whether a point's outermost pair is far below the digits asked for.

    Parameters
    ----------
    solution : Solution
    digits : int

    Returns
    -------
    bool
    """
    if solution.branch != "finite" or not (solution.p and solution.q):
        return False
    fe = free_energy(solution.model, solution.level)
    if not has_quenched_pair(fe) or len(solution.q) < len(fe.q):
        return False
    size = mpmath.mpf(solution.p[-1]) * mpmath.mpf(solution.q[-1])
    return bool(0 < size < mpmath.mpf(10) ** -(digits + _UNSEEN))


def reduced(solution: Solution) -> Solution:
    """A point without its outermost pair, on the functional without it.

    Parameters
    ----------
    solution : Solution

    Returns
    -------
    Solution
    """
    fe = free_energy(solution.model, solution.level)
    n, m = len(fe.p) + 1, len(fe.q) + fe.is_finite
    gaps = solution.gaps
    p, q, rest = gaps[:n], gaps[n : n + m], gaps[n + m :]
    p = (*p[:-2], p[-2] + p[-1]) if n > 2 else ()
    q = (*q[:-2], q[-2] + q[-1]) if len(q) > 1 + fe.is_finite else ()
    names = [str(x) for x in without_outermost_pair(fe).order_parameters]
    table = {name: solution.order_parameters[name] for name in names}
    return replace(
        solution,
        p=solution.p[:-1],
        q=solution.q[:-1],
        gaps=(*p, *q, *rest),
        order_parameters=table,
        branches=(),
    )


def pair_of(point: Solution, digits: int) -> Pair:
    """The outermost pair that belongs to a point without it.

    Parameters
    ----------
    point : Solution
        A stationary point at p_r = q_r = 0.
    digits : int
        Of the pair; its error is that of the point, and `Pair.next_order`.

    Returns
    -------
    Pair

    Raises
    ------
    ConvergenceError
        If the model is no such one, or nothing pulls.
    ResolutionError
        For more digits than a pair is known to.
    """
    if digits > _MOST:
        raise ResolutionError(
            f"level {point.level} of {point.model}: the outermost overlaps, which {digits} digits of the "
            f"value do not feel, are known to {_MOST} digits; ask for {_MOST} or fewer"
        )
    fe, generic = (free_energy(m, point.level) for m in (point.model, point.model.generic))
    lost = ConvergenceError(f"level {point.level} of {point.model} has no faint pair", {}, math.nan)
    if not has_quenched_pair(fe):
        raise lost
    functional, _ = functional_of(point)
    extra = max(functional.lost, default=0)
    names = dict(zip(map(str, generic.order_parameters), _flat(fe, point), strict=True))
    program = ball_program(generic)
    value = mpmath.mpf(point.value)
    with ctx.workdps(2 * digits + extra + 3 * _GUARD), mpmath.workdps(2 * digits + extra + _GUARD):
        gaps = [exact_ball(g) for g in _with_pair(fe, point, 0, 0)]

        def taken(overlap: sympy.Symbol) -> tuple[Any, Any, Any] | None:
            """Value, slope and bend at 0 of what the outermost average with an overlap is of."""
            for nest, own in zip(generic.nests, program.nests, strict=True):
                if nest.increments[-1].has(overlap):
                    if nest.depth == 1:
                        return _leaf_at_zero(nest, point.model, names)
                    inputs = own.inputs(*gaps, *functional.parameters())
                    return _nest_at_zero(own, inputs, BallGrid(2 * digits + extra))
            return None

        energy, entropy = taken(generic.p[-1]), taken(generic.q[-1])
        if energy is None or generic.energy not in generic.nests or not energy[1]:
            raise lost
        g, g1, g2 = energy
        own = next(one for one in identities(generic) if one.overlap == generic.q[-1])
        q = mpmath.mpf(str(own.factor.subs(DENSITY, 1))) * value * g1**2
        s = mpmath.mpf(point.c[-1]) if point.c else mpmath.mpf(1)
        if entropy is not None:
            _, f1, f2 = entropy
            p, f2_squared = f1**2 + f2**2 * q, f2**2
        else:
            f2_squared = _closed(fe, point)
            p = f2_squared * q
        share = _SAFETY * s * p * q / abs(value * g)
        after = value * g2**2 * f2_squared + p * (1 + (g2 / g1) ** 2)
        return Pair(p, q, share, after)


def _leaf_at_zero(nest: LiftedExpectation, model: Model, names: dict[str, Any]) -> tuple[Any, ...]:
    """Value, slope and bend of a leaf at field 0, in the precision of mpmath."""
    h = sympy.Symbol("h")
    leaf = nest.leaf(h).xreplace(dict(model.parameters))
    symbols = sorted(leaf.free_symbols - {h}, key=str)
    made = [
        sympy.lambdify([h, *symbols], leaf.diff(h, n) if n else leaf, "mpmath") for n in range(3)
    ]
    return tuple(f(mpmath.mpf(0), *(names[str(x)] for x in symbols)) for f in made)


def _nest_at_zero(nest: BallNest, inputs: Sequence[arb], grid: BallGrid) -> tuple[Any, ...]:
    """Value, slope and bend at field 0 of a nest without its outermost average."""
    k = nest.depth
    step = arb(10) ** -(grid.digits // 4)
    at = {}
    for field in (-1, 0, 1):
        own = [field * step, *inputs[1:k], *inputs[1 + k : 2 * k], *inputs[1 + 2 * k :]]
        at[field] = evaluate_ball_nest(nest.leaf, own, k - 1, grid, gradient=True)
    bend = (at[1].d_inputs[0] - at[-1].d_inputs[0]) / (2 * step)
    return mpf_of(at[0].value), mpf_of(at[0].d_inputs[0]), mpf_of(bend)


def _closed(fe: FreeEnergy, point: Solution) -> Any:
    """f''(0)^2 where the entropy's nest is a closed form: p/q along stationarity in q."""
    p, q = fe.p[-1], fe.q[-1]
    values = {str(x): mpmath.mpf(y) for x, y in point.order_parameters.items()}
    symbols = sorted(fe.entropy.free_symbols, key=str)
    zero = {p: sympy.S.Zero, q: sympy.S.Zero}
    coupling = fe.entropy.diff(p).diff(q).xreplace(zero)
    bend = fe.entropy.diff(q, 2).xreplace(zero)
    arguments = [values.get(str(x), 0) for x in symbols]
    # both derivatives are exact at 0
    return -sympy.lambdify(symbols, bend / coupling, "mpmath")(*arguments)


def _flat(fe: FreeEnergy, point: Solution) -> list[Any]:
    """Order parameters of a point with its outermost pair at 0, in the functional's order."""
    known = {**point.order_parameters, str(fe.p[-1]): 0, str(fe.q[-1]): 0}
    return [mpmath.mpf(known[str(x)]) for x in fe.order_parameters]


def exact_ball(number: Any) -> arb:
    """A number as a ball without a radius."""
    mantissa, exponent = mpmath.mpf(number).man_exp
    return arb(int(mantissa)) * arb(2) ** int(exponent)


def _with_pair(fe: FreeEnergy, point: Solution, p: Any, q: Any) -> tuple[Any, ...]:
    """Gaps of a point with the outermost pair put in."""
    given = [mpmath.mpf(g) for g in point.gaps]
    n = len(fe.p) if len(fe.p) > 1 else 0
    m = len(fe.q) - (not fe.is_finite) if len(fe.q) > 1 else 0
    inner, outer, rest = given[:n], given[n : n + m], given[n + m :]
    top = sympy.Integer(1) if not fe.p else fe.chains[0].upper
    inner = inner or [mpmath.mpf(str(top))]
    outer = outer or ([mpmath.mpf(1)] if fe.is_finite else [])
    chain_p = (*inner[:-1], inner[-1] - p, p)
    chain_q = (*outer[:-1], outer[-1] - q, q) if outer else (q,)
    return (*chain_p, *chain_q, *rest)


def completed(point: Solution, digits: int) -> tuple[Solution, Pair]:
    """A point without its outermost pair, with it.

    Parameters
    ----------
    point : Solution
        Stationary at p_r = q_r = 0, with ``digits`` digits.
    digits : int

    Returns
    -------
    solution : Solution
        Its error contains what the pair changes.
    pair : Pair

    Raises
    ------
    ConvergenceError
        If the pair is not faint.
    """
    pair = pair_of(point, digits)
    if not (pair.next_order < _START and pair.share < _START):
        raise ConvergenceError(
            f"level {point.level} of {point.model}: the outermost pair is not faint",
            point.order_parameters,
            math.nan,
        )
    fe = free_energy(point.model, point.level)
    number: Callable[[Any], Any] = mpmath.mpf if digits > 15 else float
    with mpmath.workdps(digits + 30):
        gaps = tuple(number(g) for g in _with_pair(fe, point, pair.p, pair.q))
        known = {**point.order_parameters, str(fe.p[-1]): pair.p, str(fe.q[-1]): pair.q}
        table = {str(x): number(known[str(x)]) for x in fe.order_parameters}
        error = number(point.error + pair.share * abs(mpmath.mpf(point.value)))
        # in the logarithms of the pair, (s p q/(2 Ent)) [[0, 1], [1, -1]]
        unit = pair.share / (4 * _SAFETY)
        curvatures = [float(unit * (sense * mpmath.sqrt(5) - 1)) for sense in (-1, 1)]
    groups = [tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c, fe.fields)]
    p, q, c, fields = groups
    full = replace(
        point,
        p=p,
        q=q,
        c=c,
        fields=fields,
        gaps=gaps,
        order_parameters=table,
        branch="finite",
        error=error,
        inertia=point.inertia + 1,
        hessian_eigenvalues=tuple(sorted((*point.hessian_eigenvalues, *curvatures))),
        branches=(),
    )
    return full, pair
