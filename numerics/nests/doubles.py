"""Value and gradient of a lifted Gaussian expectation on chained grids.

The nest ``f_k(x) = (1/s_k) log E exp(s_k f_{k-1}(x + sqrt(v_k) U))`` is evaluated from the leaf
outwards. Level k is a convolution on a uniform grid whose spacing comes from an error bound
(`numerics.nests.grids`) and whose extent comes from tail bounds (`numerics.nests.extent`); neighbouring grids
are commensurate, so one table of Gaussian weights serves all outputs of a level
(`numerics.nests.lifting.convolution`). Per level this takes one exponential per inner node, one per table
entry and one logarithm per output; everything else is multiply-add. Of an even leaf only the nodes y >= 0
are computed.

The gradient is the adjoint sweep: Gibbs weights from the outside in, ``d f_k / d f_{k-1} =
exp(s_k (f_{k-1} - f_k))``, with ``d/dv`` by differentiating the Gaussian and ``d/ds`` as a relative
entropy. It costs as much as the value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import interruptible
from numerics.errors import NotRareError

from .chain import (
    Job,
    Leaf,
    Nodes,
    Stage,
    exponent_derivative,
    fold,
    inner_liftings,
    mirror,
    outputs_of,
    push,
    reference,
    weighted,
    window_nodes,
)
from .extent import extent
from .grids import MAX_WORK, GridPlan, ResolutionError, Strip, plan_grids, window
from .lifting.outermost import lift_point
from .lifting.rows import Lifting
from .pilot import measured_strips
from .rare import evaluate_rare, is_rare
from .windows import depth_below_top, leaf_range, scale

if TYPE_CHECKING:
    from .leaf import CompiledLeaf

__all__ = [
    "Forward",
    "Leaf",
    "NestResult",
    "check_liftings",
    "evaluate_nest",
    "evaluate_scaled",
    "forward",
    "hardly_averaged",
    "weighed",
]

Array = NDArray[np.float64]

# An outermost increment, beside the leaf's scale, of which only the first order counts.
_TINY = 1e-9
# Of the difference that its derivative is then taken from, beside that scale.
_SPACING = 3e-3
# Gibbs weights that count for nothing, beside the tolerance.
_WEIGHTLESS = 1e-24


@dataclass(frozen=True)
class NestResult:
    """Value, partial derivatives and account of one nest.

    Attributes
    ----------
    value : float
        ``f_K(field)``.
    d_field : float
    d_increments, d_exponents : ndarray, shape (K,)
    d_parameters : ndarray, shape (n_parameters,)
        Empty arrays when the gradient was not asked for.
    discretisation : float
        Bound on the discretisation error of ``value``: sum over levels of trapezoid bound /
        exponent. Rounding is not in it: some hundred units in the last place of the largest
        ``f_k``. A number with an error that holds comes from balls (`numerics.balls.nest`).
    edge : float
        Largest Gibbs weight found at the edge of a grid; the truncation error is of this order.
    exponentials : int
        Number of exponentials, logarithms and error functions taken.
    products : int
        Number of multiply-adds in the convolutions.
    log_scale : float
        Logarithm of a factor that value, derivatives and bound are still without, beyond the doubles with it.
    """

    value: float
    d_field: float
    d_increments: Array
    d_exponents: Array
    d_parameters: Array
    discretisation: float
    edge: float
    exponentials: int
    products: int
    log_scale: float = 0.0


@interruptible()
def evaluate_scaled(
    leaf: CompiledLeaf,
    parameters: Array,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    **options: Any,
) -> NestResult:
    """`evaluate_nest`, with a scale of its own for what almost always holds (`numerics.nests.rare`)."""
    if not is_rare(leaf, parameters, field, increments, exponents):
        return evaluate_nest(leaf, parameters, field, increments, exponents, **options)
    try:
        lack = evaluate_rare(
            leaf, parameters, increments, exponents, **{"work_limit": MAX_WORK, **options}
        )
    except NotRareError:
        return evaluate_nest(leaf, parameters, field, increments, exponents, **options)
    return NestResult(
        -1.0, 0.0, -lack.d_increments, -lack.d_exponents, -lack.d_parameters, lack.discretisation,
        lack.edge, lack.exponentials, 0, lack.logarithm,
    )  # fmt: skip


@interruptible()
def evaluate_nest(
    leaf: Leaf,
    parameters: Array,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
    tolerance: float = 1e-16,
    gradient: bool = True,
    coarsen: float = 1.0,
    work_limit: int = MAX_WORK,
) -> NestResult:
    """Value and gradient of a nest.

    Parameters
    ----------
    leaf : Leaf
        The innermost function.
    parameters : ndarray, shape (n_parameters,)
        Leaf parameters.
    field : float
        Where the outermost function is taken.
    increments, exponents : tuple of float, length K
        ``v_k >= 0`` and ``s_k >= 0``, innermost first, in any order. ``s_k = 0`` is the quenched
        average. A zero increment makes its level the identity.
    tolerance : float, default 1e-16
        Error allowed per lifting, relative to 1 or to the nest where that is smaller; each level's
        spacing follows from it (`numerics.nests.grids`).
    gradient : bool, default True
        Whether derivatives are wanted; they cost as much again.
    coarsen : float, default 1
        Factor on all spacings, for refinement checks.
    work_limit : int
        Operations of one level after which the evaluation is given up.

    Returns
    -------
    NestResult

    Raises
    ------
    ValueError
        If a gradient is wanted at a zero increment, where the identity level hides it, if an increment or
        an exponent is negative, or if the leaf grows faster than linearly.
    ResolutionError
        If an increment is so small that a grid would have more than `MAX_NODES` nodes, a level
        would take more than ``work_limit`` operations, or a grid ends where its weight still
        matters.

    Notes
    -----
    Cost: of order ``L sqrt(v_k)/h_k`` products per output and level, L = log(1/tolerance); linear
    in the number of levels; an even leaf takes half of that. Error: the sum over levels of the trapezoid
    bound over the exponent, plus truncation of the order of ``NestResult.edge``, plus rounding.
    """
    check_liftings(increments, exponents)
    kept = [k for k, v in enumerate(increments) if v > 0.0]
    if gradient and len(kept) < len(increments):
        raise ValueError(
            f"the gradient needs positive increments, got {increments}; "
            "evaluate with gradient=False or drop the level"
        )
    v = tuple(increments[k] for k in kept)
    s = tuple(exponents[k] for k in kept)
    if not v:
        return _bare_leaf(leaf, parameters, field, gradient)
    strip, shape = leaf.facts(parameters)
    if hardly_averaged(strip, v, s):
        inner = evaluate_nest(
            leaf,
            parameters,
            field,
            v[:-1],
            s[:-1],
            tolerance=tolerance,
            coarsen=coarsen,
            work_limit=work_limit,
        )
        if len(v) > 1:
            # the heat equation of the lifting inside: f'' = 2 df/dv - s f'^2
            half_bend = float(inner.d_increments[-1]) - 0.5 * s[-2] * inner.d_field**2
        else:
            half_bend = 0.5 * _bend(leaf, parameters, field, strip.half_width)
        return _tiny_average(inner, increments[kept[-1]], half_bend, gradient)
    job = Job(leaf, parameters, shape, field, v, s, work_limit)
    return _on_grids(job, strip, tolerance * scale(job), coarsen, gradient)


def check_liftings(increments: tuple[float, ...], exponents: tuple[float, ...]) -> None:
    """Refuse liftings that there are not.

    Raises
    ------
    ValueError
        If an increment or an exponent is negative, or not a number.
    """
    if not all(v >= 0.0 for v in increments):
        raise ValueError(f"increments must not be negative, got {increments}")
    if not all(x >= 0.0 for x in exponents):
        raise ValueError(
            f"exponents must not be negative, got {exponents}: nest[f; -s] is -nest[-f; s]"
        )


def hardly_averaged(strip: Strip, v: tuple[float, ...], s: tuple[float, ...]) -> bool:
    """Whether a nest ends in a quenched average over an increment so tiny that a sum would lose f''."""
    return s[-1] == 0.0 and v[-1] < _TINY * min(1.0, strip.half_width) ** 2


class Forward(NamedTuple):
    """A nest on its grids, from the leaf to the field it is asked at."""

    plan: GridPlan
    first: int  # node number of the leaf's first value
    leaf_values: Array
    stages: list[Stage]
    f: Array  # f_{K-1} where the outermost lifting takes it
    start: int
    added: tuple[int, int]  # nodes at its ends that are no outputs of the lifting inside
    ref: float  # deviations are taken from it
    copies: float  # 2 where only one of two mirror images is on the grid
    value: float
    d_v: float
    d_field: float
    mu: Array  # Gibbs weights of f
    beyond_dip: bool  # the grids of an even leaf begin where a dip ends

    @property
    def fields(self) -> Array:
        """Where the leaf's values are."""
        nodes = self.first + np.arange(self.leaf_values.size, dtype=np.float64)
        return np.asarray(self.plan.spacings[0] * nodes, dtype=np.float64)


def forward(job: Job, strip: Strip, tolerance: float, coarsen: float) -> Forward:
    """A nest with positive increments: the grids, and the liftings on them."""
    leaf, field, v, s = job.leaf, job.field, job.v, job.s
    reach, enough = window(tolerance), math.log(1e3 / tolerance)
    wanted = extent(
        abs(field) if leaf.even else field, v, s, job.shape, reach, enough,
        even=leaf.even, depth=depth_below_top(job),
    )  # fmt: skip
    strips = measured_strips(job, strip, wanted)
    plan = plan_grids(strips, v, s, tolerance, coarsen)

    first, last, flat = leaf_range(job, plan, wanted, enough, 1e-3 * tolerance)
    leaf_values = job.values(plan.spacings[0] * np.arange(first, last + 1, dtype=np.float64))
    job.exponentials += leaf_values.size
    stages, (f, start, _, added) = inner_liftings(
        job, Nodes(leaf_values, first, flat), plan, wanted, 1e-3 * tolerance
    )

    h = plan.spacings[-1]
    ref = float(f[reference(job, f, start, h)])
    copies = 1.0
    if leaf.even and start > 0:
        # only the peak at positive fields; its mirror image doubles the sum
        copies, ref = 2.0, float(f.max())
    elif leaf.even:
        f, start = mirror(f), 1 - f.size
    nodes = window_nodes(plan.reach, v[-1], h)
    outermost = Lifting(h, v[-1], s[-1], ref, -start, 1, 1, 0, nodes)
    value, d_v, d_field, mu, n_exp = lift_point(f, outermost, field, copies)
    job.exponentials += n_exp
    if copies == 2.0:
        d_field = 0.0  # the mirror image has the opposite
    return Forward(
        plan, first, leaf_values, stages, f, start, added, ref, copies,
        float(value), float(d_v), float(d_field), mu, leaf.even and wanted.lows[-1] > 0.0,
    )  # fmt: skip


class Weighed(NamedTuple):
    """A nest on its grids, with the weights of all its fields."""

    there: Forward
    mu: list[Array]  # Gibbs weights of the leaf, of f_1, .. f_{K-1}; of an even leaf at fields >= 0
    d_exponents: Array  # derivatives in the inner exponents; 0 where only f_{K-1} is weighed
    edge: float  # largest weight at the end of a grid


def weighed(
    job: Job,
    strip: Strip,
    tolerance: float,
    coarsen: float,
    floor: float = 0.0,
    *,
    all_of: bool = True,
) -> Weighed:
    """A nest with positive increments, there and back; grids that end too early in a dip go through it.

    Parameters
    ----------
    job, strip, tolerance, coarsen
        As for `forward`.
    floor : float
        Weights that are left out.
    all_of : bool
        Whether more than the outermost weights are wanted.

    Raises
    ------
    ResolutionError
        If a grid ends where its weight still matters.
    """
    there = forward(job, strip, tolerance, coarsen)
    edge = float(max(there.mu[0], there.mu[-1]))
    outermost = fold(there.mu) if job.leaf.even and there.copies == 1.0 else there.mu
    mu, d_exponents = [outputs_of(outermost, there.added)], np.zeros(len(there.stages))
    if all_of or there.beyond_dip:
        for k in range(len(there.stages) - 1, -1, -1):
            inner, d_exponents[k] = push(job, there.stages[k], mu[0], floor)
            mu.insert(0, inner)
            edge = max(edge, _edge(job, there.stages[k], inner))
    if edge > 1e3 * tolerance * max(1.0, coarsen):
        if there.beyond_dip:
            whole = replace(job, shape=replace(job.shape, dip=None))
            return weighed(whole, strip, tolerance, coarsen, floor, all_of=all_of)
        raise ResolutionError(
            f"the grids of increments {job.v} with exponents {job.s} end where the weight is still {edge:.1e}"
        )
    return Weighed(there, mu, d_exponents, edge)


def _edge(job: Job, stage: Stage, mu: Array) -> float:
    """Largest weight where a grid ends, but for the node that has all the weight of a flat end."""
    lower = not job.leaf.even or (stage.lifting.first < 0 and stage.flat == 0)
    ends = mu[0] * (lower and not stage.added[0]), mu[-1] * (stage.flat <= 0 and not stage.added[1])
    return float(max(ends))


def _on_grids(
    job: Job, strip: Strip, tolerance: float, coarsen: float, gradient: bool
) -> NestResult:
    """A nest with positive increments, there and back."""
    there, mu, d_inner, edge = weighed(
        job, strip, tolerance, coarsen, _WEIGHTLESS * tolerance, all_of=gradient
    )
    value, s = there.value, job.s
    error = sum(
        b / x if x > 0.0 else b * max(1.0, abs(value))
        for b, x in zip(there.plan.bounds, s, strict=True)
    )
    d_increments = d_exponents = d_parameters = np.empty(0)
    if gradient:
        bends = [weighted(w, stage.rows.dv) for w, stage in zip(mu[1:], there.stages, strict=True)]
        d_increments = np.array([*bends, there.d_v])
        d_s = exponent_derivative(there.mu, there.f - there.ref, value - there.ref, s[-1])
        d_exponents = np.append(d_inner, d_s)
        y = there.fields
        slopes = job.leaf.derivatives(y, there.leaf_values, job.parameters)
        job.exponentials += y.size * len(job.leaf.parameters)
        d_parameters = np.einsum("ij,j->i", slopes, mu[0])
    return NestResult(
        value,
        there.d_field,
        d_increments,
        d_exponents,
        d_parameters,
        error,
        edge,
        job.exponentials,
        job.products,
    )


def _tiny_average(inner: NestResult, v: float, half_bend: float, gradient: bool) -> NestResult:
    """A quenched average over a tiny increment: ``f + v f''/2``, where a sum would lose f''."""
    value = inner.value + v * half_bend
    if not gradient:
        empty = np.empty(0)
        return replace(
            inner, value=value, d_increments=empty, d_exponents=empty, d_parameters=empty
        )
    return replace(
        inner,
        value=value,
        d_increments=np.append(inner.d_increments, half_bend),
        d_exponents=np.append(inner.d_exponents, 0.5 * v * inner.d_field**2),
    )


def _bend(leaf: Leaf, parameters: Array, field: float, width: float) -> float:
    """Second derivative of a leaf by a difference of fourth order."""
    h = _SPACING * min(1.0, width)
    f = (
        leaf.values(np.abs(field + h * np.arange(-2.0, 3.0)), parameters)
        if leaf.even
        else (leaf.values(field + h * np.arange(-2.0, 3.0), parameters))
    )
    return float(np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) @ (f - f[2])) / (12.0 * h * h)


def _bare_leaf(leaf: Leaf, parameters: Array, field: float, gradient: bool) -> NestResult:
    """A nest without liftings."""
    y = np.array([abs(field) if leaf.even else field])
    f = leaf.values(y, parameters)
    slopes = leaf.derivatives(y, f, parameters)[:, 0] if gradient else np.empty(0)
    return NestResult(float(f[0]), math.nan, np.empty(0), np.empty(0), slopes, 0.0, 0.0, 1, 0)
