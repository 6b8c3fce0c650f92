"""The liftings of a nest one after the other, and back: the forward sweep and the adjoint sweep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .convolution import Rows, adjoint, lift
from .extent import Extent
from .grids import GridPlan, ResolutionError, Strip
from .shape import Shape

__all__ = [
    "Job",
    "Leaf",
    "Stage",
    "exponent_derivative",
    "fold",
    "inner_liftings",
    "lifting",
    "mirror",
    "push",
    "reference",
    "weighted",
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


class Stage(NamedTuple):
    """What the adjoint of one lifting needs from the forward sweep."""

    f: Array  # inner function on all nodes
    first: int  # the node at zero
    ref: float
    spacing: float
    increment: float
    exponent: float
    steps: tuple[int, int]
    start: int  # the first output
    reach: int
    rows: Rows


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
    spacings: tuple[float, float],
    steps: tuple[int, int],
    deviations: float,
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
    spacings, steps
        Of nodes and outputs, and their ratio (`numerics.nests.grids.GridPlan.steps`).
    deviations : float
        Half-width of a window in standard deviations.
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
    v, s, (h, outer) = job.v[k], job.s[k], spacings
    place = reference(job, f, start, h)
    ref, top = float(f[place]), (start + place) * h
    even = job.leaf.even
    f, first = (mirror(f), f.size - 1) if even else (f, -start)
    reach = math.ceil(deviations * math.sqrt(v) / h) + 1
    # outputs may lie beyond the inner grid, where exp(s f) = 0; the cut ends them
    begin = 0 if even else math.floor(ends[0] / outer) - 1
    count = math.ceil(ends[1] / outer) + 1 - begin
    pivot = 0
    if not even and math.isfinite(cut):
        pivot = min(max(round(top / outer) - begin, 0), count - 1)
    rows = Rows(
        *lift(
            f, h, v, s, ref, first, steps, begin, count, pivot, reach, negligible, cut, job.work_limit
        )
    )  # fmt: skip
    job.exponentials += rows.exponentials
    job.products += rows.products
    if rows.end < 0:
        raise ResolutionError(
            f"increments {job.v} with exponents {job.s} take more than {job.work_limit:.1g} operations"
        )
    return Stage(f, first, ref, h, v, s, steps, begin, reach, rows)


def inner_liftings(
    job: Job, f: Array, start: int, plan: GridPlan, wanted: Extent, negligible: float
) -> tuple[list[Stage], Array, int]:
    """All liftings but the outermost: what their adjoints need, and f_{K-1} from node ``start`` on."""
    stages: list[Stage] = []
    for k in range(len(job.v) - 1):
        ends = wanted.lows[k + 1], wanted.highs[k + 1]
        stage = lifting(
            job, k, f, start, (plan.spacings[k], plan.spacings[k + 1]), plan.steps[k], plan.reach, ends,
            wanted.drops[k + 1], negligible,
        )  # fmt: skip
        stages.append(stage)
        f, start = stage.rows.g, stage.start + stage.rows.begin
    return stages, f, start


def push(job: Job, stage: Stage, mu: Array, floor: float) -> tuple[Array, float]:
    """Gibbs weights one level further in, without those below a floor, and d/d exponent of the level."""
    rows = stage.rows
    inner, n_exp, n_prod = adjoint(
        stage.f, stage.spacing, stage.increment, stage.exponent, stage.ref, stage.first, stage.steps,
        stage.start, mu, floor, rows.begin, stage.reach, *rows[:7],
    )  # fmt: skip
    job.exponentials += n_exp
    job.products += n_prod
    # flat rows have no difference to the reference
    active = rows.kind > 0
    outer = weighted(mu[active], rows.g[active] - stage.ref)
    derivative = 0.0
    if stage.exponent > 0.0:
        derivative = (weighted(inner, stage.f - stage.ref) - outer) / stage.exponent
    return fold(inner) if job.leaf.even else inner, derivative


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
