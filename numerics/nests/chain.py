"""The liftings of a nest one after the other, and back: the forward sweep and the adjoint sweep.

An even leaf that falls may be flat around its top, to every digit, far beyond the windows of the inner
liftings: the probability of an interval whose ends are blurred by little. Such a nest begins at the edge of
this *head*, on one side: a grid is f at nodes ``start``, ``start + 1``, .. with ``start`` > 0, flat on its
first two windows and before them. Each lifting leaves less of the head, and where none is left the grid
is continued to the origin and goes on as that of any even leaf. A leaf that saturates, such as the
probability of a half-line, has a *tail* of the same kind at its upper end: a grid is flat on its last two
windows and beyond, and where a lifting leaves no tail it goes on to where f is wanted. So the nodes of fine
grids are no more than their windows ask for.

An even leaf that lies very low in its middle, the union of two half-lines, has fields that no weight comes
to. Its grids begin where there is some (`numerics.nests.extent`), and as long as that is not at the origin
they are one-sided, too: no path goes from one half-line to the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .extent import Extent
from .grids import GridPlan, ResolutionError, Strip
from .lifting.convolution import Lifting, Rows, adjoint, lift
from .shape import Shape

__all__ = [
    "Grids",
    "Job",
    "Leaf",
    "Nodes",
    "Stage",
    "continued",
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


class Nodes(NamedTuple):
    """A function on its nodes, of an even nest on those of one sign."""

    f: Array
    start: int  # number of its first node
    flat: int = 0  # -1, 1: f is flat on two windows at this end and beyond it
    added: tuple[int, int] = (0, 0)  # nodes at either end that are no outputs of the lifting inside

    @property
    def last(self) -> int:
        """Number of its last node."""
        return self.start + self.f.size - 1


class Stage(NamedTuple):
    """What the adjoint of one lifting needs from the forward sweep."""

    f: Array  # inner function on all nodes
    lifting: Lifting
    rows: Rows
    even: bool  # f is the mirror image of itself
    flat: int  # as in `Nodes`
    added: tuple[int, int]


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
    nodes: Nodes,
    grids: Grids,
    ends: tuple[float, float],
    cut: float,
    negligible: float,
) -> Stage:
    """One inner lifting, of f_k on its nodes, at outputs between two fields.

    Parameters
    ----------
    job : Job
    k : int
        Index of the lifting.
    nodes : Nodes
        f_k.
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
    f, start, flat, _ = nodes
    place = reference(job, f, start, h)
    ref, top = float(f[place]), (start + place) * h
    even = job.leaf.even and start == 0
    f, first = (mirror(f), f.size - 1) if even else (f, -start)
    reach = window_nodes(deviations, v, h)
    # outputs may lie beyond the inner grid, where exp(s f) = 0; the cut ends them
    begin = math.floor(ends[0] / outer) - 1
    begin = max(begin, 0) if job.leaf.even else begin
    last = _last_output(ends, outer)
    # next to a flat end, those whose windows are on the grid
    if flat < 0:
        begin = -(-(start + reach + 1) * steps[0] // steps[1])
    elif flat > 0:
        last = min(last, (nodes.last - reach - 1) * steps[0] // steps[1])
        begin = min(begin, last)
    count = max(last + 1 - begin, 1)
    pivot = 0
    if not job.leaf.even and math.isfinite(cut):
        pivot = min(max(round(top / outer) - begin, 0), count - 1)
    # where outputs are cut is not known; the farthest that could be wanted lies far beyond
    few = count
    if flat < 0 and math.isfinite(cut):
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
    return Stage(f, own, rows, even, flat, nodes.added)


def _last_output(ends: tuple[float, float], spacing: float) -> int:
    """Number of the last node of a grid that is wanted up to a field."""
    return math.ceil(ends[1] / spacing) + 1


def window_nodes(deviations: float, v: float, h: float) -> int:
    """Half-width of a window in nodes."""
    return math.ceil(deviations * math.sqrt(v) / h) + 1


def continued(
    stage: Stage, window: int, ends: tuple[float, float], spacing: float, *, whole: bool
) -> Nodes:
    """Outputs of a lifting as the nodes of the next one.

    At a flat end they go on as far as windows of the next lifting reach, or to the end of what is wanted.

    Parameters
    ----------
    stage : Stage
    window : int
        Half-width of a window of the next lifting, in nodes.
    ends : (float, float)
        Fields between which outputs are wanted, and their spacing.
    spacing : float
    whole : bool
        Whether all of the flat end is wanted.

    Returns
    -------
    Nodes
        ``added`` is negative where outputs were left out.
    """
    g, start = stage.rows.g, stage.lifting.start + stage.rows.begin
    if not stage.flat:
        return Nodes(g, start)
    shaped = np.flatnonzero(stage.rows.kind)
    if stage.flat < 0:
        flat, room = int(shaped[0]) if shaped.size else g.size, start
    else:
        flat = g.size - 1 - int(shaped[-1]) if shaped.size else g.size
        room = max(_last_output(ends, spacing) - (start + g.size - 1), 0)
    added, end = min(2 * window + 2 - flat, room), stage.flat
    if whole or room - added <= window:
        added, end = room, 0
    more = np.full(max(added, 0), stage.lifting.ref)
    if stage.flat < 0:
        f = np.concatenate((more, g[max(-added, 0) :]))
        return Nodes(f, start - added, end, (added, 0))
    f = np.concatenate((g[: g.size - max(-added, 0)], more))
    return Nodes(f, start, end, (0, added))


def inner_liftings(
    job: Job, leaf: Nodes, plan: GridPlan, wanted: Extent, negligible: float
) -> tuple[list[Stage], Nodes]:
    """All liftings but the outermost.

    Returns
    -------
    list of Stage
        What their adjoints need.
    Nodes
        f_{K-1}.
    """
    stages: list[Stage] = []
    nodes = leaf
    for k in range(len(job.v) - 1):
        ends = wanted.lows[k + 1], wanted.highs[k + 1]
        spacing = plan.spacings[k + 1]
        grids = Grids(plan.spacings[k], spacing, plan.steps[k], plan.reach)
        stages.append(lifting(job, k, nodes, grids, ends, wanted.drops[k + 1], negligible))
        window = window_nodes(plan.reach, job.v[k + 1], spacing)
        nodes = continued(stages[-1], window, ends, spacing, whole=k + 2 == len(job.v))
    return stages, nodes


def outputs_of(mu: Array, added: tuple[int, int]) -> Array:
    """Weights of a lifting's outputs, from those of the nodes made of them; see `continued`."""
    leading, trailing = added
    mu = _without_leading(mu, leading)
    return _without_leading(mu[::-1], trailing)[::-1] if trailing else mu


def _without_leading(mu: Array, added: int) -> Array:
    """All nodes of a head count as the first output, which is flat, too."""
    if added <= 0:
        return np.concatenate((np.zeros(-added), mu)) if added else mu
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
