"""Nests of what almost always holds, by the logarithm of what is missing.

The probability of an interval far wider than the field's deviation is 1 but for something like exp(-1250),
which no difference from 1 can tell. But what is missing is a sum of positive terms of its own. With
``Z_k = exp(s_k f_k)``, ``D_k = 1 - Z_k`` and the ratio of exponents ``r = s_{k+1}/s_k``,

    D_{k+1}(x) = E d_k(x + sqrt(v) U),    d_k = 1 - (1 - D_k)^r,    f_{k+1} = log(1 - D_{k+1})/s_{k+1},

and log(-f_k), log d_k, log D_k are numbers of ordinary size, whatever the sizes of f_k and D_k: no digit is
lost, and tolerances are relative to D. Where more than half is missing, far outside, Z is summed as well.

**The error law.** What holds of Z holds of what is missing. For an interval's probability both are averages
of an indicator, hence ``|Z(y + i a)| <= e^b Z(y)`` and ``|D(y + i a)| <= e^b D(y)`` with b = a^2/(2 v), v the
increment that made it, and Z has no zero for b < 1 (`numerics.nests.grids`). For r >= 1 and b <= 1 follows

    |d(y + i a)| <= 6.5 exp(r b) d(y):

where ``e^b r D <= 1``, the segment from 1 to Z(y + i a) stays away from 0, and ``|d| = |r int_0^1 D (1 - t
D)^(r-1) dt| <= exp(r e^b D) - 1 <= (e - 1) e^b r D``, beside ``d >= (1 - 1/e) r D`` on the axis; elsewhere
``|d| <= 1 + e^(r b)``, beside ``d >= 1 - exp(-e^-b) >= 0.3077``. The next D is an average of d, so that its
own b holds anew, by the Gaussian's shift alone. The trapezoid rule's relative error in D is so at most 6.5
times what it is in Z at the same spacing, ``13/(exp(2 pi a/h - (1/v' + r/v) a^2/2) - 1)`` for a
lifting of increment v'.

**Where the weight is.** By induction ``D_0 <= d <= r D`` bounds every level between the Gaussian tails of the
interval's end with and without the exponents; windows are laid between these bounds. The nodes of one sign
are summed; the mirror images of inner liftings are below every tolerance, or the nest is not rare enough.

Cost: an exponential for every pair of nodes in a window; windows are a few deviations wide, a small share of
the grid that a difference from 1 takes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from numerics.compiled import njit
from numerics.errors import NotRareError

from .extent import heavy_interval
from .grids import MAX_NODES, ResolutionError, Strip, log_spacing, trapezoid_error

if TYPE_CHECKING:
    from .leaf import CompiledLeaf

__all__ = [
    "RELATIVE",
    "RarePlan",
    "RareResult",
    "evaluate_rare",
    "is_rare",
    "plan_rare",
]

Array = NDArray[np.float64]

#: Factor of the trapezoid bound on what is missing, beside that on what is there.
RELATIVE = 6.5
# -log of what is missing from which on a nest counts as rare.
_RARE = 36.0
# What bounds and windows leave room for, in the logarithm of a weight.
_ROOM = 6.0
# Logarithm of what is so little that its square is nothing beside it.
_TINY = -18.0
# log-weight of mirror images that counts for nothing beside what the tolerance asks for.
_MIRRORED = 10.0


class RarePlan(NamedTuple):
    """Grids of a rare nest, in doubles.

    Attributes
    ----------
    spacings : tuple of float
        Largest spacings of f_0, .., f_{K-1} that meet the tolerance.
    lows, highs : tuple of float
        Fields between which they are wanted.
    strips : tuple of Strip
        Of Z_0, .., Z_{K-1}, whose exponents are the
    ratios : tuple of float
        of each exponent to the one inside.
    """

    spacings: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    strips: tuple[Strip, ...]
    ratios: tuple[float, ...]


class RareResult(NamedTuple):
    """``log(-f_K)`` at field 0 and its derivatives; the rest as in `numerics.nests.doubles.NestResult`."""

    logarithm: float
    d_increments: Array
    d_exponents: Array
    d_parameters: Array
    discretisation: float
    edge: float
    exponentials: int


def is_rare(
    leaf: CompiledLeaf,
    parameters: Array,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
) -> bool:
    """Whether a nest is one of these: an even interval's probability, missing less than exp(-36).

    Parameters
    ----------
    leaf : CompiledLeaf
    parameters : ndarray
    field : float
    increments, exponents : tuple of float
        Innermost first; exponents have to rise from 1.

    Returns
    -------
    bool
    """
    if not (leaf.even and leaf.has_lacks and field == 0.0 and increments):
        return False
    if not min(increments) > 0.0 or any(
        not b >= a for a, b in zip((1.0, *exponents), exponents, strict=False)
    ):
        return False
    edge, blur = _edge(leaf, parameters)
    return bool(edge * edge > 2.0 * _RARE * (blur + sum(increments)))


def _edge(leaf: CompiledLeaf, parameters: Array) -> tuple[float, float]:
    """Field at which half of the probability is missing, 0 if it always is, and the variance of its blur."""
    strip, _ = leaf.facts(parameters)
    blur = 1.0 / strip.curvature
    fields = math.sqrt(blur) * 2.0 ** np.arange(-1.0, 60.0)
    half = math.log(math.log(2.0))
    beyond = np.flatnonzero(leaf.lacks(fields, parameters) > half)
    if not beyond.size or not beyond[0]:
        return 0.0, blur
    low, high = fields[beyond[0] - 1], fields[beyond[0]]
    while high - low > 1e-3 * math.sqrt(blur) + 1e-14 * high:
        probe = np.linspace(low, high, 33)
        first = int(np.flatnonzero(leaf.lacks(probe, parameters) > half)[0])
        if not first:
            break
        low, high = probe[first - 1], probe[first]
    return float(low), blur


def plan_rare(
    leaf: CompiledLeaf,
    parameters: Array,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    log_inverse: float,
    coarsen: float = 1.0,
) -> RarePlan:
    """Lay the grids of a rare nest.

    Parameters
    ----------
    leaf, parameters, increments, exponents
        As for `is_rare`, of which they are.
    log_inverse : float
        log(1/tolerance).
    coarsen : float
        Factor on all spacings.

    Returns
    -------
    RarePlan

    Raises
    ------
    NotRareError
        If a nest is not rare enough for its mirror images to count for nothing.
    """
    edge, blur = _edge(leaf, parameters)
    ratios = tuple(b / a for a, b in zip((1.0, *exponents), exponents, strict=False))
    strips = tuple(
        Strip(math.sqrt(2.0 * w), 1.0 / w, "log-concave") for w in (blur, *increments[:-1])
    )
    wanted = log_inverse + math.log(2.0 * RELATIVE + 1.0)
    spacings = tuple(
        coarsen * log_spacing(strip, v, r, wanted)
        for strip, v, r in zip(strips, increments, ratios, strict=True)
    )
    depth = log_inverse + _ROOM
    low = high = 0.0
    lows, highs = [], []
    for k in range(len(increments) - 1, -1, -1):
        v, deviation = increments[k], math.sqrt(blur + sum(increments[:k]))
        load = math.log(max(exponents[k], 1.0))
        farthest = max(high, edge) + math.sqrt(2.0 * (depth + load)) * (math.sqrt(v) + deviation)
        first, last = low, high
        ends = []
        for x in (first, last):

            def above(
                y: Array, x: float = x, v: float = v, d: float = deviation, load: float = load
            ) -> Array:
                tail = np.minimum(load + log_ndtr((y - edge) / d), 0.0)
                return -0.5 * (y - x) ** 2 / v + tail

            left, right, _ = heavy_interval(
                above, 0.0, farthest, min(math.sqrt(v), deviation), depth + load
            )
            ends += [left, right]
        low, high = min(ends), max(ends)
        if k < len(increments) - 1:
            low = min(low, first)
            if 2.0 * low * first / v < depth + _MIRRORED:
                raise NotRareError(
                    f"the mirror images of lifting {k + 2} of increments {increments} are not negligible"
                )
        lows.append(low)
        highs.append(high)
    return RarePlan(spacings, tuple(lows[::-1]), tuple(highs[::-1]), strips, ratios)


def evaluate_rare(
    leaf: CompiledLeaf,
    parameters: Array,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
    tolerance: float = 1e-16,
    gradient: bool = True,
    coarsen: float = 1.0,
    work_limit: int,
) -> RareResult:
    """Logarithm of what a rare nest lacks, at field 0, and its derivatives.

    Parameters
    ----------
    leaf, parameters, increments, exponents
        As for `is_rare`, of which they are.
    tolerance, gradient, coarsen, work_limit
        As for `numerics.nests.doubles.evaluate_nest`; the tolerance is relative to what is missing.

    Returns
    -------
    RareResult

    Raises
    ------
    ResolutionError
        If a grid has too many nodes, ends where its weight still matters, or the work limit is met.
    """
    v, s = increments, exponents
    log_inverse = math.log(1.0 / tolerance)
    plan = plan_rare(leaf, parameters, v, s, log_inverse, coarsen)
    spans = [b - a for a, b in zip(plan.lows, plan.highs, strict=True)]
    counts = [span / h for span, h in zip(spans, plan.spacings, strict=True)]
    if not max(counts) <= MAX_NODES:
        raise ResolutionError(
            f"increments {v} with exponents {s} need {max(counts):.2g} nodes on one grid (at most "
            f"{MAX_NODES})"
        )
    grids = [
        h * np.arange(math.floor(low / h), math.ceil(high / h) + 1.0)
        for h, low, high in zip(plan.spacings, plan.lows, plan.highs, strict=True)
    ]
    depth = log_inverse + _ROOM
    lack = leaf.lacks(grids[0], parameters)
    stages: list[_Stage] = []
    exponentials = grids[0].size
    for k, (nodes, h) in enumerate(zip(grids, plan.spacings, strict=True)):
        fields = grids[k + 1] if k + 1 < len(v) else np.zeros(1)
        norm = math.log(h) - 0.5 * math.log(2.0 * math.pi * v[k])
        if k + 1 == len(v):  # and its mirror image
            norm += math.log(2.0)
        stage, lack = _stage(nodes, lack, fields, (v[k], s[k]), norm, depth)
        stages.append(stage)
        exponentials += stage.taken
        if exponentials > work_limit:
            raise ResolutionError(
                f"increments {v} with exponents {s} take more than {work_limit:.1g} operations"
            )
    value = float(lack[0])
    error = RELATIVE * sum(
        trapezoid_error(strip, a, r, h)
        for strip, a, r, h in zip(plan.strips, v, plan.ratios, plan.spacings, strict=True)
    )
    if not gradient:
        empty = np.empty(0)
        return RareResult(value, empty, empty, empty, error, 0.0, exponentials)
    d_v, d_s = np.zeros(len(v)), np.zeros(len(v))
    mu, edge = np.ones(1), 0.0
    for k in range(len(v) - 1, -1, -1):
        stage = stages[k]
        own = _adjoint(stage, mu)
        exponentials += stage.taken
        d_v[k] = float(mu @ (stage.factors * stage.rows[1])) / (2.0 * v[k])
        d_s[k] = float(own.sum() - mu.sum()) / s[k]
        edge = max(edge, float(own[0]), float(own[-1]))
        mu = own
    if edge > 1e3 * tolerance * max(1.0, coarsen):
        raise ResolutionError(
            f"the grids of increments {v} with exponents {s} end where the weight is still {edge:.1e}"
        )
    slopes = leaf.lack_derivatives(grids[0], parameters)
    exponentials += slopes.size
    d_own = np.einsum("ij,j->i", np.where(mu > 0.0, slopes, 0.0), mu)
    return RareResult(value, d_v, d_s, d_own, error, edge, exponentials)


class _Stage(NamedTuple):
    """One lifting of log(-f), with what its adjoint needs."""

    nodes: Array
    missing: Array  # log d
    load: Array  # s (-f)
    fields: Array
    scale: float  # 1/(2 v)
    rows: Array  # logarithms of the sums, and means of u^2/v - 1, in D or, far outside, in Z
    bounds: NDArray[np.int64]  # first and last node
    near: NDArray[np.bool_]  # whether less than half is missing
    factors: Array  # d log(-f) / d log D, or / d log Z
    taken: int


def _stage(
    nodes: Array,
    lack: Array,
    fields: Array,
    lifting: tuple[float, float],
    norm: float,
    depth: float,
) -> tuple[_Stage, Array]:
    """One lifting, and log(-f) of its outputs."""
    v, s = lifting
    small = lack + math.log(s)
    load = np.exp(small)
    with np.errstate(all="ignore"):
        missing = np.where(small < _TINY, small - 0.5 * load, np.log(-np.expm1(-load)))
    rows, bounds, near, taken = _lifted(nodes, missing, load, fields, 0.5 / v, norm, depth)
    below = rows[0] + norm
    with np.errstate(all="ignore"):
        gone = np.exp(np.minimum(below, 0.0))
        # log(-log Z): of little missing by its logarithm, of much by Z's
        log_z = np.where(near, np.log1p(-gone), np.minimum(below, -1e-300))
        outer = np.where(near & (below < _TINY), below + 0.5 * gone, np.log(-log_z))
        ratio = np.where(below < _TINY, 1.0 + 0.5 * gone, gone / ((1.0 - gone) * -log_z))
        factors = np.where(near, ratio, 1.0 / log_z)
    stage = _Stage(nodes, missing, load, fields, 0.5 / v, rows, bounds, near, factors, taken)
    return stage, outer - math.log(s)


@njit
def _row(nodes, weights, sign, x, scale, start, depth):  # pragma: no cover - compiled
    """A sum in logarithms around its peak: its logarithm, mean of u^2/v - 1, first and last node, peak."""
    n = nodes.size
    p = start
    u = nodes[p] - x
    top = sign * weights[p] - scale * u * u
    for step in (1, -1):
        while 0 <= p + step < n:
            u = nodes[p + step] - x
            a = sign * weights[p + step] - scale * u * u
            if not a > top:
                break
            top = a
            p += step
    total = 0.0
    bent = 0.0
    low = high = p
    for step in (-1, 1):
        q = p if step < 0 else p + 1
        while 0 <= q < n:
            u = nodes[q] - x
            square = scale * u * u
            a = sign * weights[q] - square - top
            if a < -depth:
                break
            w = math.exp(a)
            total += w
            bent += w * (2.0 * square - 1.0)
            low, high = min(low, q), max(high, q)
            q += step
    return top + math.log(total), bent / total, low, high, p


@njit
def _lifted(nodes, missing, load, fields, scale, norm, depth):  # pragma: no cover - compiled
    """Sums of what is missing or, where that is more than half, of what is there, at every field."""
    m = fields.size
    rows = np.zeros((2, m))
    bounds = np.zeros((2, m), np.int64)
    near = np.ones(m, np.bool_)
    p = nodes.size // 2
    q = 0
    taken = 2 * nodes.size + 4 * m
    for i in range(m):
        total, bent, low, high, p = _row(nodes, missing, 1.0, fields[i], scale, p, depth)
        taken += high - low + 1
        if not total + norm < -0.6931471805599453:
            near[i] = False
            total, bent, low, high, q = _row(nodes, load, -1.0, fields[i], scale, q, depth)
            taken += high - low + 1
        rows[0, i] = total
        rows[1, i] = bent
        bounds[0, i] = low
        bounds[1, i] = high
    return rows, bounds, near, taken


@njit
def _adjoint(stage, mu):  # pragma: no cover - compiled
    """Derivatives in log(-f) of the nodes, from those in log(-f) of the fields."""
    nodes, missing, load, fields = stage.nodes, stage.missing, stage.load, stage.fields
    scale, rows, bounds = stage.scale, stage.rows, stage.bounds
    near, factors = stage.near, stage.factors
    own = np.zeros(nodes.size)
    for i in range(fields.size):
        if mu[i] == 0.0 or not near[i]:
            continue
        factor = mu[i] * factors[i]
        for q in range(bounds[0, i], bounds[1, i] + 1):
            u = nodes[q] - fields[i]
            own[q] += factor * math.exp(missing[q] - scale * u * u - rows[0, i])
    for q in range(nodes.size):  # d log d / d log(-f)
        if load[q] > 700.0:
            own[q] = 0.0
        elif load[q] > 1e-290:
            own[q] *= load[q] / math.expm1(load[q])
    for i in range(fields.size):
        if mu[i] == 0.0 or near[i]:
            continue
        factor = -mu[i] * factors[i]
        for q in range(bounds[0, i], bounds[1, i] + 1):
            u = nodes[q] - fields[i]
            own[q] += factor * load[q] * math.exp(-load[q] - scale * u * u - rows[0, i])
    return own
