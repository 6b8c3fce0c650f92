"""Value and gradient of a lifted Gaussian expectation on chained grids.

The nest ``f_k(x) = (1/s_k) log E exp(s_k f_{k-1}(x + sqrt(v_k) U))`` is evaluated from the leaf
outwards. Level k is a convolution on a uniform grid whose spacing comes from an error bound
(`numerics.grids`) and whose extent comes from tail bounds (`numerics.extent`); neighbouring grids
are commensurate, so one table of Gaussian weights serves all outputs of a level
(`numerics.convolution`). Per level this takes one exponential per inner node, one per table entry
and one logarithm per output; everything else is multiply-add.

The gradient is the adjoint sweep: Gibbs weights from the outside in, ``d f_k / d f_{k-1} =
exp(s_k (f_{k-1} - f_k))``, with ``d/dv`` by differentiating the Gaussian and ``d/ds`` as a relative
entropy. It costs as much as the value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .convolution import adjoint, lift, lift_point
from .extent import Extent, crossing, extent, peak_window
from .grids import MAX_NODES, MAX_WORK, GridPlan, ResolutionError, Strip, plan_grids

__all__ = ["Leaf", "NestResult", "evaluate_nest"]

Array = NDArray[np.float64]


class Leaf(Protocol):
    """What the nest needs to know of a leaf; made from a sympy expression by `numerics.compile`."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that derivatives are taken in."""
        ...

    def values(self, y: Array, parameters: Array) -> Array:
        """``f_0(y)``, shape (n,)."""
        ...

    def derivatives(self, y: Array, f: Array, parameters: Array) -> Array:
        """``d f_0(y) / d parameters``, shape (len(parameters), n)."""
        ...

    def strip(self, parameters: Array) -> Strip:
        """Analyticity of the leaf."""
        ...

    @property
    def slope(self) -> float:
        """Largest slope of the leaf away from the origin (0 if it decreases there)."""
        ...


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
    error : float
        Bound on the discretisation error of ``value``: sum over levels of trapezoid bound /
        exponent.
    edge : float
        Largest Gibbs weight found at the edge of a grid; the truncation error is of this order.
    exponentials : int
        Number of exponentials, logarithms and error functions taken.
    products : int
        Number of multiply-adds in the convolutions.
    """

    value: float
    d_field: float
    d_increments: Array
    d_exponents: Array
    d_parameters: Array
    error: float
    edge: float
    exponentials: int
    products: int


class _Stage(NamedTuple):
    """What the adjoint of one lifting needs from the forward sweep."""

    f: Array  # inner function on nodes -n..n
    ref: float
    spacing: float
    increment: float
    exponent: float
    steps: tuple[int, int]
    reach: int
    g: Array  # the outputs
    dv: Array
    weight: Array
    kind: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    table: Array
    e_form: Array


@dataclass
class _Count:
    """Operations of one evaluation."""

    exponentials: int = 0
    products: int = 0


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
    """Value and gradient of a nest with an even leaf.

    Parameters
    ----------
    leaf : Leaf
        The innermost function, even in its field.
    parameters : ndarray, shape (n_parameters,)
        Leaf parameters.
    field : float
        Where the outermost function is taken.
    increments, exponents : tuple of float, length K
        ``v_k >= 0`` and ``s_k >= 0``, innermost first, in any order. ``s_k = 0`` is the quenched
        average. A zero increment makes its level the identity.
    tolerance : float, default 1e-16
        Error allowed per lifting, relative to 1 or to the nest where that is smaller; each level's
        spacing follows from it (`numerics.grids`).
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
        If a gradient is wanted at a zero increment, where the identity level hides it.
    ResolutionError
        If an increment is so small that a grid would have more than `MAX_NODES` nodes, a level
        would take more than ``work_limit`` operations, or a grid ends where its weight still
        matters.

    Notes
    -----
    Cost: of order ``L sqrt(v_k)/h_k`` products per output and level, L = log(1/tolerance); linear
    in the number of levels. Error: the sum over levels of the trapezoid bound over the exponent,
    plus truncation of the order of ``NestResult.edge``.
    """
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
    strip = leaf.strip(parameters)
    count = _Count()
    tolerance *= _scale(leaf, parameters, field, sum(v), count)
    plan = plan_grids(strip, v, s, tolerance, coarsen)
    enough = math.log(1e3 / tolerance)
    wanted = extent(field, v, s, leaf.slope, plan.reach, enough)

    first, last = _leaf_range(leaf, parameters, field, v, s, plan, wanted, enough, count)
    h = plan.spacings[0]
    leaf_values = leaf.values(h * np.arange(first, last + 1, dtype=np.float64), parameters)
    count.exponentials += leaf_values.size
    stages, f_half = _inner_liftings(
        leaf_values, v, s, plan, wanted, 1e-3 * tolerance, work_limit, count
    )

    h = plan.spacings[-1]
    if first > 0:  # only the peak at positive fields; its mirror image doubles the sum
        f, start, copies, ref = f_half, first, 2.0, float(f_half.max())
    else:
        f, start, copies, ref = _mirror(f_half), 1 - f_half.size, 1.0, float(f_half[0])
    reach = math.ceil(plan.reach * math.sqrt(v[-1]) / h) + 1
    value, d_v, d_field, mu, n_exp = lift_point(
        f, start, h, v[-1], s[-1], ref, field, reach, copies
    )
    count.exponentials += n_exp
    error = sum(b / x if x > 0.0 else b for b, x in zip(plan.bounds, s, strict=True))
    edge = float(max(mu[0], mu[-1]))
    d_increments, d_exponents = np.zeros(len(v)), np.zeros(len(v))
    d_parameters = np.empty(0)
    if gradient:
        d_increments[-1] = d_v
        d_exponents[-1] = _exponent_derivative(mu, f - ref, float(value) - ref, s[-1])
        mu = mu if first > 0 else _fold(mu)
        for k in range(len(v) - 2, -1, -1):
            stage = stages[k]
            d_increments[k] = float(mu @ stage.dv[: mu.size])
            mu, d_exponents[k] = _push(stage, mu, count)
            edge = max(edge, float(mu[-1]))
        y = plan.spacings[0] * np.arange(first, first + mu.size, dtype=np.float64)
        slopes = leaf.derivatives(y, leaf_values[: mu.size], parameters)
        count.exponentials += mu.size * len(leaf.parameters)
        d_parameters = slopes @ mu
    else:
        d_increments = d_exponents = np.empty(0)
    if edge > 1e3 * tolerance * max(1.0, coarsen):
        raise ResolutionError(
            f"the grids of increments {v} with exponents {s} end where the weight is still {edge:.1e}"
        )
    return NestResult(
        float(value),
        float(d_field),
        d_increments,
        d_exponents,
        d_parameters,
        error,
        edge,
        count.exponentials,
        count.products,
    )


def _bare_leaf(leaf: Leaf, parameters: Array, field: float, gradient: bool) -> NestResult:
    """A nest without liftings."""
    y = np.array([abs(field)])
    f = leaf.values(y, parameters)
    slopes = leaf.derivatives(y, f, parameters)[:, 0] if gradient else np.empty(0)
    return NestResult(float(f[0]), math.nan, np.empty(0), np.empty(0), slopes, 0.0, 0.0, 1, 0)


def _scale(leaf: Leaf, parameters: Array, field: float, variance: float, count: _Count) -> float:
    """Order of magnitude of a nest that is small, at most 1.

    A nest of a leaf that nearly vanishes at the field, such as a probability close to 1, is
    measured by one lifting with the whole variance, so that tolerances are relative to the result.
    Sixteen nodes per standard deviation see the Gaussian; how sharply the leaf falls between two of
    them does not change the order of magnitude.
    """
    at_field = abs(float(leaf.values(np.array([abs(field)]), parameters)[0]))
    count.exponentials += 1
    if at_field > 0.01 or leaf.slope > 0.0:
        return 1.0
    h = math.sqrt(variance) / 16.0
    reach = math.ceil((12.0 * math.sqrt(variance) + abs(field)) / h)
    f = _mirror(leaf.values(h * np.arange(reach + 1, dtype=np.float64), parameters))
    found = lift_point(f, -reach, h, variance, 1.0, float(f[reach]), abs(field), 0, 1.0)
    count.exponentials += reach + 1 + found[4]
    return min(1.0, max(abs(float(found[0])), 1e-100))


def _leaf_range(
    leaf: Leaf,
    parameters: Array,
    field: float,
    v: tuple[float, ...],
    s: tuple[float, ...],
    plan: GridPlan,
    wanted: Extent,
    enough: float,
    count: _Count,
) -> tuple[int, int]:
    """First and last node at which the leaf is evaluated.

    The first is positive only for one lifting of a growing leaf with a large exponent, whose weight
    is concentrated at two mirror-image peaks away from the origin.
    """
    h = plan.spacings[0]
    nearest, farthest = 0.0, wanted.reaches[0]
    if math.isfinite(wanted.drops[0]):
        floor = float(leaf.values(np.zeros(1), parameters)[0]) - wanted.drops[0]
        farthest, used = crossing(lambda y: leaf.values(y, parameters) - floor, 0.0, farthest)
        count.exponentials += used
    elif len(v) == 1 and field == 0.0 and leaf.slope > 0.0 and farthest > 1000.0 * h:
        nearest, farthest, used = peak_window(
            lambda y: s[0] * leaf.values(y, parameters) - 0.5 * y * y / v[0],
            math.sqrt(v[0]),
            farthest,
            enough,
        )
        count.exponentials += used
    first, last = math.floor(nearest / h), math.ceil(farthest / h)
    # an outer level that falls off is cut long before its reach; only its bookkeeping has that size
    allowance = 32 if math.isfinite(wanted.drops[0]) else 1
    outer = [r / d for r, d in zip(wanted.reaches[1:], plan.spacings[1:], strict=True)]
    nodes = max([float(last - first), *(size / allowance for size in outer)])
    if not nodes <= MAX_NODES:
        raise ResolutionError(
            f"increments {v} with exponents {s} need {nodes:.2g} nodes on one grid (at most "
            f"{MAX_NODES}); merge the smallest increment into its neighbour"
        )
    return first, last


def _inner_liftings(
    leaf_values: Array,
    v: tuple[float, ...],
    s: tuple[float, ...],
    plan: GridPlan,
    wanted: Extent,
    negligible: float,
    work_limit: int,
    count: _Count,
) -> tuple[list[_Stage], Array]:
    """All liftings but the outermost; returns what their adjoints need and f_{K-1} at nodes 0..n."""
    stages: list[_Stage] = []
    f_half = leaf_values
    for k in range(len(v) - 1):
        f, ref, h = _mirror(f_half), float(f_half[0]), plan.spacings[k]
        reach = math.ceil(plan.reach * math.sqrt(v[k]) / h) + 1
        # outputs may lie beyond the inner grid, where exp(s f) = 0; the cut ends them
        outputs = math.ceil(wanted.reaches[k + 1] / plan.spacings[k + 1]) + 1
        g, dv, weight, kind, lo, hi, table, e_form, done, n_exp, n_prod = lift(
            f, h, v[k], s[k], ref, f_half.size - 1, plan.steps[k], outputs, reach, negligible,
            wanted.drops[k + 1], work_limit,
        )  # fmt: skip
        count.exponentials += n_exp
        count.products += n_prod
        if done < 0:
            raise ResolutionError(
                f"increments {v} with exponents {s} take more than {work_limit:.1g} operations"
            )
        f_half = g[:done]
        stages.append(
            _Stage(
                f, ref, h, v[k], s[k], plan.steps[k], reach, f_half, dv, weight, kind, lo, hi,
                table, e_form,
            )
        )  # fmt: skip
    return stages, f_half


def _push(stage: _Stage, mu: Array, count: _Count) -> tuple[Array, float]:
    """Gibbs weights one level further in, and the derivative in the level's exponent."""
    centre = (stage.f.size - 1) // 2
    inner, n_exp, n_prod = adjoint(
        stage.f, stage.spacing, stage.increment, stage.exponent, stage.ref, centre, stage.steps, mu,
        stage.weight, stage.kind, stage.lo, stage.hi, stage.table, stage.e_form, stage.reach,
    )  # fmt: skip
    count.exponentials += n_exp
    count.products += n_prod
    # flat rows pass no weight on, and have no difference to the reference either
    active = stage.kind[: mu.size] > 0
    outer = float(mu[active] @ (stage.g[: mu.size][active] - stage.ref))
    derivative = 0.0
    if stage.exponent > 0.0:
        derivative = (float(inner @ (stage.f - stage.ref)) - outer) / stage.exponent
    return _fold(inner), derivative


def _exponent_derivative(mu: Array, deviation: Array, value: float, s: float) -> float:
    """``d f_K / d s``: relative entropy over s^2, or half the variance in the quenched limit."""
    mean = float(mu @ deviation)
    if s > 0.0:
        return (mean - value) / s
    return 0.5 * (float(mu @ (deviation * deviation)) - mean * mean)


def _mirror(half: Array) -> Array:
    """Even extension of values at nodes 0..n to nodes -n..n."""
    return np.concatenate((half[:0:-1], half))


def _fold(weights: Array) -> Array:
    """Weights of nodes -n..n added up onto nodes 0..n."""
    n = (weights.size - 1) // 2
    half = weights[n:].copy()
    half[1:] += weights[:n][::-1]
    return half
