"""One lifting more: a lifting split in two where the functional falls to first order.

Split a lifting of a stationary point at any overlap (p*, q*) into two of its exponent: nothing changes. Move
the two exponents apart by d on a logarithmic scale, and the objective changes by ``d D(p*, q*)``: unless D
is 0 everywhere, which it never is at a finite level with exponents of its own, there is a level above with a
point of its own, and these are its starts.

D is a derivative of the functional, evaluated, not derived anew. The pair couples by p* q* alone, so that
``dD/dp*`` is linear in q*: two evaluations give the q* at which D is stationary in p* (the identity Q =
alpha <g'^2> of the level above). What is left is a function of one overlap, `Slopes`; its extrema are
the critical points of D, and its sign there says which of the two exponents rises. In the hard-constraint
limit the innermost lifting, of exponent 1, is integrated into the leaf; it is split like the others, the new
Q* lying above all others. In the quenched average, of exponent 0, a new exponent rises from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from theory import FreeEnergy

from .objective import Objective
from .starts import Start, used, with_room

__all__ = ["Segment", "Slopes", "distant", "insertions", "segments", "slopes"]

Array = NDArray[np.float64]

# Where a segment of the chains is split: logits of the outer share of p, or of q where there is no p; farther
# out where level 1 may be unstable next to overlap 1 only.
_LOGITS, _INSIDE = np.linspace(-12.0, 12.0, 25), 8.0
# How many times the work of a split in the middle one elsewhere may take.
_FINER = 4.0
# The distance of exponents at which derivatives are taken, and the step of the split.
_SMALL, _MOVE = 1e-3, 1e-4
# Slopes this small beside a segment's largest are none; nor those of a quenched average this small beside the
# objective.
_NOISE, _FLAT = 1e-4, 1e-9
# What a lifting far from the level below is looked for among: its exponent, logit of p, log(Q* - Q_2).
_FAR = (np.log(2.0) * np.arange(1, 11), np.linspace(-4.0, 6.0, 6), np.linspace(-6.0, 2.0, 5))
# Distances of the new exponents that are tried, logarithmic.
_STEPS = (0.05, 0.1, 0.2, 0.4, 0.8)
# Part of what is left of a multiplier that a split may take before the multiplier is moved.
_ROOM = 0.5
# A small distance of exponents is at most this times the part of a multiplier that is left, times `_SMALL`.
_LITTLE = 100.0


@dataclass(frozen=True)
class Segment:
    """A stretch of the chains of p and q with one exponent.

    Attributes
    ----------
    name : str
    start : Start
        The point that is split.
    gap_p, gap_q : int
        Positions of its gaps in the chains; ``gap_q`` = -1: Q has no upper bound there.
    exponent : float
        1 for the leaf, 0 for the quenched average.
    place : int
        Where the new exponent goes.
    fe : theory.FreeEnergy
        The functional of the level to be searched.
    """

    name: str
    start: Start
    gap_p: int
    gap_q: int
    exponent: float
    place: int
    fe: FreeEnergy

    def split(self, x: float, inner: float, step: float) -> Start:
        """The point with the segment split.

        Parameters
        ----------
        x : float
            Logit of the outer part of the gap of p.
        inner : float
            The inner part of the gap of q as a share; in the leaf, Q* - Q_2.
        step : float
            The inner exponent falls by this much and the outer one rises, on a logarithmic scale. The leaf's
            stays; of the quenched average, ``exp(step)`` is the new inner exponent, relative to `scale`.
        """
        p, q, s = self.start.p, self.start.q, self.start.s
        p = _split(p, self.gap_p, 1.0 / (1.0 + math.exp(x)))
        if self.gap_q < 0:
            q = np.concatenate(([inner], q))
        else:
            q = _split(q, self.gap_q, inner)
        if self.exponent == 0.0:
            own = [self.scale * math.exp(step)]
        elif self.gap_q < 0:
            own = [self.exponent * math.exp(step)]
        else:
            own = [self.exponent * math.exp(-step), self.exponent * math.exp(step)]
        replaced = len(own) - 1
        s = np.concatenate((s[: self.place], own, s[self.place + replaced :]))
        return self._with_room(replace(self.start, p=p, q=q, s=s, split=self.name))

    def _with_room(self, split: Start) -> Start:
        """The split, with multipliers moved where next to nothing would be left of them.

        At a stationary point that changes no first derivative.
        """
        before, after = used(self.start), used(split)
        for place, left in self._left():
            if after[place] - before[place] > _ROOM * left:
                return with_room(self.fe, split, *before)
        return split

    def _left(self) -> list[tuple[int, float]]:
        """What liftings leave of the multipliers of x (0) and of y (1) that they are bound by."""
        if not self.fe.is_finite:
            return []
        fields = dict(zip(map(str, self.fe.fields), self.start.fields, strict=True))
        bound = ["gamma_x", *(["gamma"] if self.fe.model.sign == 1 else [])]
        taken = used(self.start)
        return [(i, float(fields[x]) - taken[i]) for i, x in enumerate(bound) if x in fields]

    @property
    def small(self) -> float:
        """A distance of exponents that changes little of what is left of multipliers."""
        taken = used(self.start)
        shares = [left / taken[i] for i, left in self._left() if taken[i] > 0.0]
        return _SMALL * min([1.0, *(_LITTLE * x for x in shares)])

    @property
    def scale(self) -> float:
        """What a new exponent in the quenched average is large or small against."""
        return float(self.start.s.min(initial=1.0))


def _split(gaps: Array, k: int, inner: float) -> Array:
    if not gaps.size or not gaps.any():  # no p
        return np.zeros(gaps.size + 1)
    parts = [inner * gaps[k], (1.0 - inner) * gaps[k]]
    return np.concatenate((gaps[:k], parts, gaps[k + 1 :]))


def segments(fe: FreeEnergy, start: Start) -> Iterator[Segment]:
    """Segments of a point of the level below.

    Parameters
    ----------
    fe : theory.FreeEnergy
        The functional of the level to be searched, of the same kind (with a quenched average or without).
    start : Start
        A point of the level below.

    Yields
    ------
    Segment
        Innermost first.
    """
    first = int(not fe.model.prior.norm.is_number)  # the gap above a free norm
    n = start.s.size
    if not fe.is_finite:
        yield Segment("leaf", start, first, -1, 1.0, 0, fe)
        first += 1
    for k in range(n):
        yield Segment(f"lifting {k + 2}", start, first + k, k, float(start.s[k]), k, fe)
    if fe.is_finite and start.q.size > n:
        yield Segment("quenched average", start, first + n, n, 0.0, n, fe)


@dataclass(frozen=True)
class Slopes:
    """The first derivative of an objective as a segment's exponents move apart.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Logits of the outer share of p, or of q where there is no p.
    inner : ndarray, shape (n,)
        The q* that goes with it, as `Segment.split` takes it.
    values : ndarray, shape (n,)
        Derivatives; of the quenched average, per unit of the new exponent relative to `Segment.scale`.
    """

    x: Array
    inner: Array
    values: Array


def slopes(
    objective: Objective, fe: FreeEnergy, segment: Segment, x: Array | None = None
) -> Slopes:
    """Evaluate the derivative in the direction of the splits of a segment.

    Parameters
    ----------
    objective : Objective
        Of the level to be searched.
    fe : theory.FreeEnergy
    segment : Segment
    x : ndarray, optional
        Logits to try.

    Returns
    -------
    Slopes
        Without the splits that could not be evaluated.

    Notes
    -----
    Cost: three gradients a split, one where there is no p.
    """
    coordinates = objective.evaluator.coordinates
    place = len(fe.p) + len(fe.q) + segment.place
    if x is None:
        x = _LOGITS if segment.exponent == 0.0 else _LOGITS[np.abs(_LOGITS) <= _INSIDE]
    rising = segment.exponent in (0.0, 1.0)  # only the new exponent moves
    step = math.log(_SMALL) if segment.exponent == 0.0 else segment.small

    def gradient(at: float, inner: float, step: float) -> Array | None:
        value, derivatives = objective(segment.split(at, inner, step).coords(coordinates))
        return derivatives if math.isfinite(value) else None

    def in_p(at: float, inner: float) -> float:
        """Derivative in the split of p."""
        ends = [segment.split(at + a, inner, step).coords(coordinates) for a in (-_MOVE, _MOVE)]
        derivatives = gradient(at, inner, step)
        return math.nan if derivatives is None else float(derivatives @ (ends[1] - ends[0]))

    rows = []
    with objective.limited(segment.split(0.0, 0.5, step).coords(coordinates), _FINER):
        for at in x:
            inner = 1.0 / (1.0 + math.exp(at))
            if fe.p:
                inner = _stationary_share(segment, lambda share, at=at: in_p(at, share))
            derivatives = None
            if inner > 0.0:
                derivatives = gradient(at, inner, step if segment.exponent == 0.0 else 0.0)
            if derivatives is not None:
                slope = (
                    derivatives[place] if rising else derivatives[place + 1] - derivatives[place]
                )
                rows.append((at, inner, slope / _SMALL if segment.exponent == 0.0 else slope))
    return Slopes(*np.array(rows).reshape(-1, 3).T)


def _stationary_share(segment: Segment, derivative: Callable[[float], float]) -> float:
    """The inner part of q at which a linear derivative is 0; nan if it lies outside."""
    low, high = (0.5, 1.5) if segment.gap_q < 0 else (0.25, 0.75)
    a, b = derivative(low), derivative(high)
    if a == b or not math.isfinite(a + b):
        return math.nan
    inner = low - a * (high - low) / (b - a)
    return inner if inner > 0.0 and (segment.gap_q < 0 or inner < 1.0) else math.nan


def insertions(objective: Objective, fe: FreeEnergy, start: Start) -> list[Start]:
    """Starts with one lifting more, where the objective falls fastest first.

    Parameters
    ----------
    objective : Objective
        Of the level to be searched.
    fe : theory.FreeEnergy
    start : Start
        A stationary point of the level below, of the same kind.

    Returns
    -------
    list of Start
    """
    falling: list[tuple[float, Start]] = []
    for segment in segments(fe, start):
        tried = slopes(objective, fe, segment)
        quenched = segment.exponent == 0.0
        floor = _NOISE * float(np.abs(tried.values).max(initial=0.0))
        if quenched:
            middle = segment.split(0.0, 0.5, math.log(_SMALL))
            value, _ = objective(middle.coords(objective.evaluator.coordinates))
            floor = _FLAT * objective.size(value) if math.isfinite(value) else 0.0
        for sign in (1.0,) if segment.exponent in (0.0, 1.0) else (1.0, -1.0):
            values = sign * tried.values
            for k in range(values.size):
                if values[k] < -floor and values[k] == values[max(k - 1, 0) : k + 2].min():
                    split = (float(tried.x[k]), float(tried.inner[k]))
                    falling.append((float(values[k]), _moved(objective, segment, split, sign)))
    return [start for _, start in sorted(falling, key=lambda pair: pair[0])]


def _moved(
    objective: Objective, segment: Segment, split: tuple[float, float], sign: float
) -> Start:
    """The split at the distance of exponents where the objective is lowest."""
    coordinates = objective.evaluator.coordinates
    steps = [math.log(d) if segment.exponent == 0.0 else sign * d for d in _STEPS]
    tried = [segment.split(*split, step) for step in steps]
    values = [objective(start.coords(coordinates))[0] for start in tried]
    return tried[int(np.argmin(values))]


def distant(objective: Objective, fe: FreeEnergy, start: Start) -> list[Start]:
    """Starts whose innermost lifting has an exponent far from 1 (hard-constraint limit).

    Where the slope of the leaf's splits is positive, a level may still begin with a minimum at some distance.

    Parameters
    ----------
    objective : Objective
        Of the level to be searched.
    fe : theory.FreeEnergy
    start : Start

    Returns
    -------
    list of Start
        Local minima along the exponent of what is lowest among the splits tried.
    """
    leaf = next(segments(fe, start))
    coordinates = objective.evaluator.coordinates
    best: list[tuple[float, Start]] = []
    for step in _FAR[0]:
        tried = [leaf.split(x, math.exp(y), step) for x in _FAR[1] for y in _FAR[2]]
        values = [objective(split.coords(coordinates))[0] for split in tried]
        best.append((min(values), tried[int(np.argmin(values))]))
    lowest = []
    for k, (value, split) in enumerate(best):
        near = [other for other, _ in best[max(k - 1, 0) : k + 2]]
        if math.isfinite(value) and value == min(near):
            lowest.append((value, split))
    return [split for _, split in sorted(lowest, key=lambda pair: pair[0])]
