"""The liftings of a nest one after the other, and back: the forward sweep and the adjoint sweep.

An even leaf that falls may be flat around its top, to every digit, far beyond the windows of the inner
liftings: the probability of an interval whose ends are blurred by little. Such a nest begins at the edge of
this *head*, on one side: a grid is f at nodes ``start``, ``start + 1``, .. with ``start`` > 0, flat on its
first two windows and before them. Each lifting leaves less of the head, and where none is left the grid
is continued to the origin and goes on as that of any even leaf. So the nodes of fine grids are no more
than their windows ask for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .convolution import Lifting, Rows, adjoint, lift
from .extent import Extent
from .grids import GridPlan, ResolutionError, Strip
from .shape import Shape

__all__ = [
    "Grids",
    "Job",
    "Leaf",
    "Stage",
    "exponent_derivative",
    "fold",
    "inner_liftings",
    "lifting",
    "mirror",
    "outputs_of",
    "push",
    "reference",
    "weighted",
    "window_nodes",
]

Array = NDArray[np.float64]


class Leaf(Protocol):
    """What the nest needs to know of a leaf; made from a sympy expression by `numerics.nests.leaf`."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that derivatives are taken in."""
        ...

    @property
    def even(self) -> bool:
        """Whether it is an even function."""
        ...

    def values(self, y: Array, parameters: Array) -> Array:
        """``f_0(y)``, shape (n,)."""
        ...

    def derivatives(self, y: Array, f: Array, parameters: Array) -> Array:
        """``d f_0(y) / d parameters``, shape (len(parameters), n)."""
        ...

    def facts(self, parameters: Array) -> tuple[Strip, Shape]:
        """Analyticity of the leaf, and how it grows and falls."""
        ...


@dataclass
class Job:
    """What is to be evaluated, and the operations it took."""

    leaf: Leaf
    parameters: Array
    shape: Shape
    field: float
    v: tuple[float, ...]
    s: tuple[float, ...]
    work_limit: int
    exponentials: int = 0
    products: int = 0

    def values(self, y: Array) -> Array:
        """The leaf at an array of fields."""
        return self.leaf.values(y, self.parameters)


class Grids(NamedTuple):
    """Spacings of nodes and outputs, their ratio (as in `GridPlan`), half-width of windows in deviations."""

    inner: float
    outer: float
    steps: tuple[int, int]
    deviations: float


class Stage(NamedTuple):
    """What the adjoint of one lifting needs from the forward sweep."""

    f: Array  # inner function on all nodes
    lifting: Lifting
    rows: Rows
    even: bool  # f is the mirror image of itself
    added: int  # leading nodes of f that are no outputs of the lifting inside: it is flat there


def reference(job: Job, f: Array, start: int, h: float) -> int:
    """Index of the value that deviations are taken from: the top, or for a growing leaf that at the field.

    Far out on the flat side of a leaf that saturates nothing deviates from the top.
    """
    grows = max(job.shape.slopes) > 0.0
    if job.leaf.even and (grows or job.shape.unimodal):
        return 0
    if not grows:
        return int(f.argmax())
    return min(max(round(job.field / h) - start, 0), f.size - 1)


def lifting(
    job: Job,
    k: int,
    f: Array,
    start: int,
    grids: Grids,
    ends: tuple[float, float],
    cut: float,
    negligible: float,
) -> Stage:
    """One inner lifting, of f_k at nodes from ``start`` on, at outputs between two fields.

    Parameters
    ----------
    job : Job
    k : int
        Index of the lifting.
    f : ndarray
        f_k; of an even nest, at nodes 0, 1, ..
    start : int
        Node number of ``f[0]``.
    grids : Grids
    ends : (float, float)
        Fields between which outputs are wanted.
    cut : float
        Fall below the top at which outputs end.
    negligible : float
        Deviation from the reference that counts as none.

    Returns
    -------
    Stage

    Raises
    ------
    ResolutionError
        If the work limit is met.
    """
    v, s, (h, outer, steps, deviations) = job.v[k], job.s[k], grids
    place = reference(job, f, start, h)
    ref, top = float(f[place]), (start + place) * h
    headed = job.leaf.even and start > 0
    even = job.leaf.even and not headed
    f, first = (mirror(f), f.size - 1) if even else (f, -start)
    reach = window_nodes(deviations, v, h)
    # outputs may lie beyond the inner grid, where exp(s f) = 0; the cut ends them
    begin = 0 if even else math.floor(ends[0] / outer) - 1
    if headed:  # the first output whose window is on the grid
        begin = -(-(start + reach + 1) * steps[0] // steps[1])
    count = max(math.ceil(ends[1] / outer) + 1 - begin, 1)
    pivot = 0
    if not job.leaf.even and math.isfinite(cut):
        pivot = min(max(round(top / outer) - begin, 0), count - 1)
    # where outputs are cut is not known; the farthest that could be wanted lies far beyond
    few = count
    if headed and math.isfinite(cut):
        few = min(count, 2 * f.size * steps[0] // steps[1] + 64)
    own = Lifting(h, v, s, ref, first, steps[0], steps[1], begin, reach)
    while True:
        rows = lift(f, own, few, pivot, negligible, cut, job.work_limit)
        if rows.end < few or few == count:
            break
        few = min(4 * few, count)
    job.exponentials += rows.exponentials
    job.products += rows.products
    if rows.end < 0:
        raise ResolutionError(
            f"increments {job.v} with exponents {job.s} take more than {job.work_limit:.1g} operations"
        )
    return Stage(f, own, rows, even, 0)


def window_nodes(deviations: float, v: float, h: float) -> int:
    """Half-width of a window in nodes."""
    return math.ceil(deviations * math.sqrt(v) / h) + 1


def _with_head(stage: Stage, window: int, whole: bool) -> tuple[Array, int]:
    """Outputs of a lifting, after as much of their head as windows of the next one reach, or all of it.

    Returns
    -------
    ndarray
        f; from node 0 where nothing is left of the head.
    int
        How many of its leading nodes are no outputs; negative: so many outputs were left out.
    """
    g, start = stage.rows.g, stage.lifting.start + stage.rows.begin
    shaped = np.flatnonzero(stage.rows.kind)
    flat = int(shaped[0]) if shaped.size else g.size
    added = min(2 * window + 2 - flat, start)
    if whole or start - added <= window:
        added = start
    return (
        np.concatenate((np.full(added, stage.lifting.ref), g)) if added >= 0 else g[-added:]
    ), added


def inner_liftings(
    job: Job, f: Array, start: int, plan: GridPlan, wanted: Extent, negligible: float
) -> tuple[list[Stage], Array, int, int]:
    """All liftings but the outermost.

    Returns
    -------
    list of Stage
        What their adjoints need.
    ndarray, int, int
        f_{K-1}, its first node, and how many of its leading nodes are no outputs (`outputs_of`).
    """
    stages: list[Stage] = []
    headed, added = job.leaf.even and start > 0, 0
    for k in range(len(job.v) - 1):
        ends = wanted.lows[k + 1], wanted.highs[k + 1]
        grids = Grids(plan.spacings[k], plan.spacings[k + 1], plan.steps[k], plan.reach)
        stage = lifting(job, k, f, start, grids, ends, wanted.drops[k + 1], negligible)
        stages.append(stage._replace(added=added))
        f, start, added = stage.rows.g, stage.lifting.start + stage.rows.begin, 0
        if headed:
            window = window_nodes(plan.reach, job.v[k + 1], plan.spacings[k + 1])
            f, added = _with_head(stage, window, whole=k + 2 == len(job.v))
            start -= added
            headed = start > 0
    return stages, f, start, added


def outputs_of(mu: Array, added: int) -> Array:
    """Weights of a lifting's outputs, from those of the nodes made of them; see `_with_head`."""
    if added <= 0:
        return np.concatenate((np.zeros(-added), mu)) if added else mu
    # all nodes of a head count as the first output, which is flat, too
    own = mu[added:].copy()
    own[0] += mu[:added].sum()
    return own


def push(job: Job, stage: Stage, mu: Array, floor: float) -> tuple[Array, float]:
    """Gibbs weights one level further in, without those below a floor, and d/d exponent of the level."""
    rows, ref, s = stage.rows, stage.lifting.ref, stage.lifting.s
    inner, n_exp, n_prod = adjoint(stage.f, stage.lifting, rows, mu, floor)
    job.exponentials += n_exp
    job.products += n_prod
    # flat rows have no difference to the reference
    active = rows.kind > 0
    outer = weighted(mu[active], rows.g[active] - ref)
    derivative = 0.0
    if s > 0.0:
        derivative = (weighted(inner, stage.f - ref) - outer) / s
    return outputs_of(fold(inner) if stage.even else inner, stage.added), derivative


def exponent_derivative(mu: Array, deviation: Array, value: float, s: float) -> float:
    """``d f_K / d s``: relative entropy over s^2, or half the variance in the quenched limit."""
    mean = weighted(mu, deviation)
    if s > 0.0:
        return (mean - value) / s
    return 0.5 * (weighted(mu, deviation * deviation) - mean * mean)


def weighted(weights: Array, values: Array) -> float:
    """Sum of weights times values; without BLAS, whose threads wait for each other on a busy machine."""
    return float(np.einsum("i,i->", weights, values))


def mirror(half: Array) -> Array:
    """Even extension of values at nodes 0..n to nodes -n..n."""
    return np.concatenate((half[:0:-1], half))


def fold(weights: Array) -> Array:
    """Weights of nodes -n..n added up onto nodes 0..n."""
    n = (weights.size - 1) // 2
    half = weights[n:].copy()
    half[1:] += weights[:n][::-1]
    return half
