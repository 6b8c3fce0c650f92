"""Second derivatives of a nest, for the price of a few gradients.

With ``phi_i`` = d f_k/d theta_i for every increment, exponent and leaf parameter inside, tilted averages
``<.>`` of the lifting k with weights ``w = T exp(s f_k)/Z``, and Gibbs weights mu of the outputs,

    phi_i at the next level = <phi_i>,
    d^2 f_K/d theta_i d theta_j = sum over the liftings k outside of both of  s_k E Cov(phi_i, phi_j)
                                  + what the lifting of the outer one of the two adds itself,

with E the average over mu: for an increment v_k and anything inside ``E Cov(t, phi_j)``, t = d log T/dv,
for an exponent ``E Cov(f_k, phi_j)``. So the functions phi are carried outwards on the rows that the
forward sweep left (`numerics.nests.lifting.channels`), at a multiply-add a function and weight; a nest of K
liftings takes about as long as K/2 gradients, where central differences take 4 K. Second derivatives of the
leaf in its own parameters are differences of its derivatives, good to 1e-10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import interruptible

from .chain import Job, Stage, fold, mirror, outputs_of, weighted
from .doubles import Forward, check_liftings, hardly_averaged, weighed
from .grids import MAX_WORK, Strip
from .lifting.channels import averages
from .windows import scale

if TYPE_CHECKING:
    from .leaf import CompiledLeaf

__all__ = ["SecondOrder", "second_order"]

Array = NDArray[np.float64]

# Step of differences in the leaf's parameters, of their size or of the field's scale; how much differences of
# one step and of two may differ, which is of second order. What is left out is of fourth.
_STEP, _BENT = 1e-4, 1e-5


class SecondOrder(NamedTuple):
    """A nest to second order in its increments, exponents and leaf parameters, in this order."""

    value: float
    gradient: Array
    hessian: Array
    exponentials: int
    products: int


class _Averaged(NamedTuple):
    """What one lifting makes of channels, the first of them f less its reference."""

    out: Array  # (m, count)
    covariance: Array  # (m, m), averaged over the outputs
    tilt: Array  # (m,): averaged covariance with t
    bend: float


@interruptible()
def second_order(
    leaf: CompiledLeaf,
    parameters: Array,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
    tolerance: float = 1e-16,
    coarsen: float = 1.0,
    work_limit: int = MAX_WORK,
) -> SecondOrder:
    """Value, gradient and Hessian of a nest.

    Parameters
    ----------
    leaf, parameters, field, increments, exponents, tolerance, coarsen, work_limit
        As for `numerics.nests.doubles.evaluate_nest`; all increments positive.

    Returns
    -------
    SecondOrder
        Of K increments, K exponents and n_parameters. Where an exponent is 0 its row is 0.

    Raises
    ------
    ValueError
        If an increment is not positive, or that of a quenched average is next to nothing; if an exponent is
        negative.
    ResolutionError
        As `evaluate_nest` does.

    Notes
    -----
    Cost: K^2/2 + n_parameters K multiply-adds a node and window, beside value and gradient. Error: rounding
    of the functions carried, relative to their squares; no differences but in leaf parameters.
    """
    check_liftings(increments, exponents)
    if not increments or min(increments) <= 0.0:
        raise ValueError(f"second derivatives need positive increments, got {increments}")
    strip, shape = leaf.facts(parameters)
    if hardly_averaged(strip, increments, exponents):
        raise ValueError(f"the last of the increments {increments} is too small beside its average")
    job = Job(leaf, parameters, shape, field, increments, exponents, work_limit)
    return _on_grids(job, strip, tolerance * scale(job), coarsen)


def _on_grids(job: Job, strip: Strip, tolerance: float, coarsen: float) -> SecondOrder:
    there, mu, *_ = weighed(job, strip, tolerance, coarsen)
    depth, extra = len(job.v), len(job.leaf.parameters)
    y = there.fields
    phi = job.leaf.derivatives(y, there.leaf_values, job.parameters)
    places = list(range(2 * depth, 2 * depth + extra))  # what the channels are derivatives in
    gradient, hessian = np.zeros(2 * depth + extra), np.zeros((2 * depth + extra,) * 2)
    hessian[2 * depth :, 2 * depth :] = _of_leaf(job, strip, y, mu[0])
    f = there.leaf_values
    for k in range(depth):
        s, last = job.s[k], k + 1 == depth
        ref = there.ref if last else there.stages[k].lifting.ref
        inside = np.vstack(((f - ref)[None], phi))
        if last:
            made = _outermost(job, there, inside, mu[k])
            g, dv, weights = np.array([there.value - ref]), np.array([there.d_v]), np.ones(1)
        else:
            stage, weights = there.stages[k], mu[k + 1]
            made = _lifted(job, stage, inside, mu[k], weights)
            f, dv = stage.rows.g, stage.rows.dv
            g = f - ref
        hessian[np.ix_(places, places)] += s * made.covariance[1:, 1:]
        hessian[k, places] = hessian[places, k] = made.tilt[1:]
        ds = np.zeros_like(g)
        if s > 0.0:
            hessian[depth + k, places] = hessian[places, depth + k] = made.covariance[0, 1:]
            rest = made.out[0] - g
            ds = rest / s
            tilt = s * weighted(weights, dv)
            hessian[k, k] = (made.bend - s * s * weighted(weights, dv * dv)) / s
            hessian[k, depth + k] = hessian[depth + k, k] = (made.tilt[0] - tilt / s) / s
            hessian[depth + k, depth + k] = (
                made.covariance[0, 0] - 2.0 * weighted(weights, rest) / s
            ) / s
        else:
            hessian[k, k] = made.bend
        phi = np.vstack((made.out[1:], dv[None], ds[None]))
        places += [k, depth + k]
    gradient[places] = phi[:, 0]
    hessian = 0.5 * (hessian + hessian.T)
    return SecondOrder(there.value, gradient, hessian, job.exponentials, job.products)


def _lifted(job: Job, stage: Stage, inside: Array, mu: Array, weights: Array) -> _Averaged:
    """Of channels at the outputs of the lifting inside, whose Gibbs weights are ``mu``."""
    channels = _on_nodes(inside, stage.added, even=stage.even)
    channels[0] = stage.f - stage.lifting.ref
    out, pulled, bend = averages(stage.f, stage.lifting, stage.rows, channels, weights)
    job.products += (channels.shape[0] + 2) * stage.rows.products // 2
    pulled = outputs_of(fold(pulled) if stage.even else pulled, stage.added)
    tilt = np.einsum("ij,j->i", inside, pulled)
    if stage.lifting.s > 0.0:
        tilt -= stage.lifting.s * np.einsum("ij,j,j->i", out, weights, stage.rows.dv)
    return _Averaged(out, _gram(inside, mu) - _gram(out, weights), tilt, bend)


def _outermost(job: Job, there: Forward, inside: Array, mu: Array) -> _Averaged:
    """The same of the lifting at one field."""
    v, s = job.v[-1], job.s[-1]
    even = job.leaf.even and there.copies == 1.0
    channels = _on_nodes(inside, there.added, even=even)
    channels[0] = there.f - there.ref
    u = (there.start + np.arange(there.f.size)) * there.plan.spacings[-1] - job.field
    t = (u * u / v - 1.0) / (2.0 * v)
    bends = t * t - u * u / v**3 + 0.5 / v**2
    out = np.einsum("ij,j->i", channels, there.mu)[:, None]
    tilt = np.einsum("ij,j,j->i", channels, there.mu, t)
    bend = weighted(there.mu, bends if s > 0.0 else bends * channels[0])
    if s > 0.0:
        tilt -= s * there.d_v * out[:, 0]
    return _Averaged(out, _gram(inside, mu) - out @ out.T, tilt, bend)


def _on_nodes(inside: Array, added: tuple[int, int], *, even: bool) -> Array:
    """Channels on the nodes of a lifting: constant on its flat ends, and mirrored where it is."""
    leading, trailing = added
    n = inside.shape[1]
    cut = inside[:, max(-leading, 0) : n - max(-trailing, 0)]
    whole = np.pad(cut, ((0, 0), (max(leading, 0), max(trailing, 0))), mode="edge")
    return np.array([mirror(row) for row in whole]) if even else np.ascontiguousarray(whole)


def _gram(channels: Array, weights: Array) -> Array:
    """Averages of products of channels; without BLAS, as `weighted`."""
    return np.einsum("ij,kj->ik", channels * weights, channels)


def _of_leaf(job: Job, strip: Strip, y: Array, mu: Array) -> Array:
    """Averaged second derivatives of the leaf in its own parameters."""
    count = job.parameters.size
    rows = np.zeros((count, count))
    own = max(strip.half_width, strip.curvature**-0.5 if strip.curvature > 0.0 else 0.0)
    for i in range(count):
        size = abs(float(job.parameters[i]))
        # scales vary with their size, and what is added to the field with the field's scale
        for step in dict.fromkeys((_STEP * (size or own), _STEP * min(size or own, own))):
            ends = []
            for times in (-2.0, -1.0, 1.0, 2.0):
                moved = job.parameters.copy()
                moved[i] += times * step
                slopes = job.leaf.derivatives(y, job.leaf.values(y, moved), moved)
                job.exponentials += y.size * (1 + count)
                ends.append(np.einsum("ij,j->i", slopes, mu))
            near, far = (ends[2] - ends[1]) / (2.0 * step), (ends[3] - ends[0]) / (4.0 * step)
            rows[i] = near + (near - far) / 3.0
            if np.abs(near - far).max() <= _BENT * np.abs(near).max():
                break
    return 0.5 * (rows + rows.T)
