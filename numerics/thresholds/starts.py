"""Where searches start: first guesses at the lowest level, and one lifting more than a solution has.

Minima coexist, and which start leads to which cannot be told beforehand, so a new lifting is put in at
every place: inside a lifting, as a part of it, or outermost; new exponents lie at geometric means of
their neighbours, whose ratios run from 2 to thousands. From some level on the order parameters are samples
of a profile that hardly changes from level to level: read at one place more, it is a start that is nearer.

Starts that need the functional are in `numerics.thresholds.insertions` and `numerics.thresholds.profile`;
which of them are followed, `numerics.thresholds.search` decides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from numerics.functionals.coordinates import Coordinates
from theory import FreeEnergy, Model

from .solution import Solution

__all__ = [
    "Start",
    "first_starts",
    "gap",
    "interpolated",
    "logits",
    "logits_of",
    "ordered",
    "parted",
    "resolved",
    "seed",
    "splits",
    "used",
    "with_room",
]

Array = NDArray[np.float64]

# Gaps below this have no ratios in doubles.
_TINY = 1e-300
# Part of the step across a gap by which several values differ that are one at the level below.
_ALONE = 0.2
# By how much a gap is wider than the steps on either side.
_WIDER = 1.15


@dataclass(frozen=True)
class Start:
    """A point to search from, or the one a search starts anew from.

    Attributes
    ----------
    p, q : ndarray
        Gaps of the chains of p and q (Q), from the upper end down.
    s : ndarray
        Exponents, the quenched 0 left out.
    split : str
        Where it comes from.
    fields : ndarray
        Multipliers and fields.
    """

    p: Array
    q: Array
    s: Array
    split: str
    fields: Array = field(default_factory=lambda: np.empty(0))

    def coords(self, coordinates: Coordinates) -> Array:
        """Coordinates of the point; the gaps of bounded chains are scaled to fill them."""
        parts = []
        for gaps, letters in ((self.p, "p"), (self.q, "qQ")):
            for chain in coordinates.chains:
                if str(chain.symbols[0])[0] in letters:
                    if chain.upper.is_finite:
                        gaps = gaps * (float(chain.upper) / gaps.sum())
                    parts.append(gaps)
        return coordinates.coords([*parts, self.s, self.fields])


def seed(solution: Solution) -> Start:
    """Gaps, exponents and fields of a solution."""
    model, gaps = solution.model, np.array(solution.gaps, dtype=float)
    inner = len(solution.p) + 1 if solution.p else 0
    outer = len(solution.q) + solution.is_finite if solution.q else 0
    p = gaps[:inner] if inner else np.array([float(model.prior.largest_norm)])
    q = gaps[inner : inner + outer] if outer else np.array([1.0] if solution.is_finite else [])
    if model.constraint is None:  # no p
        p = np.zeros_like(q)
    exponents, fields = (np.array(x, dtype=float) for x in (solution.c, solution.fields))
    return Start(p, q, exponents, solution.split, fields)


def ordered(fe: FreeEnergy) -> Callable[[Array], bool]:
    """Whether the exponents of a point satisfy 1 < s_2 < s_3 < .. (hard-constraint limit).

    Only there is the functional of a binary perceptron bounded from below; a line search that
    leaves it can run down to any value. At finite exponents every order is allowed.
    """
    first = len(fe.p) + len(fe.q)
    last = first + len(fe.c)

    def inside(coords: Array) -> bool:
        steps = np.diff(coords[first:last], prepend=0.0)
        return fe.is_finite or bool((steps > 0.0).all())

    return inside


# --- first guesses -------------------------------------------------------------------------------


def first_starts(fe: FreeEnergy) -> list[Start]:
    """Guesses for the lowest level that has order parameters, over the ranges that these can have.

    Parameters
    ----------
    fe : theory.FreeEnergy

    Returns
    -------
    list of Start
    """
    if not fe.is_finite:
        shares = itertools.product((0.3, 0.6, 0.9), (0.5, 3.0, 20.0))
        starts = [
            Start(np.array([1.0 - p, p]), np.array([q]), np.empty(0), "first guess")
            for p, q in shares
        ]
        return _with_norm(fe, starts)
    shares = (0.2, 0.5, 0.8) if fe.q else (1.0,)
    starts = []
    # lifting takes from gamma where it is minimised
    fractions = (1.0, 0.2) if fe.model.sign == -1 else (1.0,)
    for c, share, fraction in itertools.product((0.2, 0.6, 1.5, 4.0), shares, fractions):
        gaps = np.array([share, 1.0 - share]) if fe.q else np.array([1.0])
        fields = np.array([_multiplier(fe, str(x)) for x in fe.fields])
        fields[[i for i, x in enumerate(fe.fields) if str(x) == "gamma"]] *= fraction
        start = Start(gaps, gaps, np.array([c]), "first guess", fields)
        starts.append(with_room(fe, start, 0.0, 0.0))
    return starts


def _with_norm(fe: FreeEnergy, starts: list[Start]) -> list[Start]:
    """First guesses with a norm and a fugacity, where the prior leaves them free.

    The fugacity is near exp(-Q_2/2): zero field favours no weight then, mu = c_2/2.
    """
    if fe.model.prior.norm.is_number:
        return starts
    guesses = []
    for start, share in itertools.product(starts, (0.5, 0.25)):
        p = np.concatenate(([1.0 - share], share * start.p))
        fields = np.array([math.exp(-0.5 * start.q[0])])
        guesses.append(Start(p, start.q, start.s, start.split, fields))
    return guesses


def _multiplier(fe: FreeEnergy, name: str) -> float:
    """Level 1's multiplier, near enough."""
    if name == "gamma" and fe.model.alpha is not None:
        return 0.5 * math.sqrt(float(fe.model.alpha))
    return 0.5


def with_room(fe: FreeEnergy, start: Start, used_x: float, used_y: float) -> Start:
    """Move multipliers so that what is left of them outermost stays.

    Liftings of exponents +c take c v/2 each from the multiplier of a quadratic leaf, and multiply a fugacity
    by the exponential of that; ``used_x``, ``used_y`` are what they took before.
    """
    more_x, more_y = (a - b for a, b in zip(used(start), (used_x, used_y), strict=True))
    fields = start.fields.copy()
    for i, x in enumerate(fe.fields):
        if not fe.is_finite:
            fields[i] *= math.exp(-more_x)
        elif str(x) == "gamma_x":
            fields[i] += more_x
        elif str(x) == "gamma" and fe.model.sign == 1:
            fields[i] += more_y
    return Start(start.p, start.q, start.s, start.split, fields)


def used(start: Start) -> tuple[float, float]:
    """What the liftings of a point take from the multipliers of x and of y."""
    n = start.s.size
    return 0.5 * float(start.s @ start.q[:n]), 0.5 * float(start.s @ start.p[:n])


# --- the same profile ----------------------------------------------------------------------------


def logits(model: Model, start: Start) -> Array:
    """Logits of a point's overlaps, p or those of a nest alone, innermost first.

    Parameters
    ----------
    model : theory.Model
    start : Start

    Returns
    -------
    ndarray
    """
    gaps = start.p if start.p.any() else start.q
    return logits_of(gaps[int(not model.prior.norm.is_number) :])


def logits_of(gaps: Array) -> Array:
    """Logits of the values of a chain, of their part of its length, from its gaps.

    Parameters
    ----------
    gaps : ndarray

    Returns
    -------
    ndarray
        One fewer, falling.
    """
    above, below = np.cumsum(gaps)[:-1], np.cumsum(gaps[::-1])[-2::-1]
    return np.asarray(np.log(below / above), dtype=np.float64)


def resolved(logits: Array) -> Array:
    """Gaps of a chain between 1 and 0 from the logits of its values, to the digits of the smallest.

    Parameters
    ----------
    logits : ndarray
        Falling.

    Returns
    -------
    ndarray
        One more.
    """
    above = np.concatenate(([0.0], 1.0 / (1.0 + np.exp(logits)), [1.0]))
    below = np.concatenate(([1.0], 1.0 / (1.0 + np.exp(-logits)), [0.0]))
    # whichever is the smaller has the digits
    return np.where(below[1:] > 0.5, np.diff(above), -np.diff(below))


def gap(logits: Array) -> int | None:
    """How many overlaps lie inside the gap of a profile.

    Parameters
    ----------
    logits : ndarray
        Of the overlaps, innermost first. Their steps fall towards the middle of a profile without a gap.

    Returns
    -------
    int or None
        None where no step is wider than both its neighbours.
    """
    steps = -np.diff(logits)
    wide = steps[1:-1] / np.maximum(steps[:-2], steps[2:]) if steps.size > 2 else np.empty(0)
    if not wide.size or not wide.max() > _WIDER:
        return None
    return int(np.argmax(wide)) + 2


def parted(fe: FreeEnergy, start: Start) -> list[Start]:
    """A profile with a gap read with a lifting more on either side of it, inside first.

    Parameters
    ----------
    fe : theory.FreeEnergy
        The functional of the level to be searched.
    start : Start
        A point of the level below.

    Returns
    -------
    list of Start
        Empty where there is no gap.
    """
    inner = gap(logits(fe.model, start))
    if inner is None:
        return []
    sides = [interpolated(fe, start, pieces=(inner, inner + more)) for more in (1, 0)]
    return [side for side in sides if side is not None]


@np.errstate(all="ignore")
def interpolated(
    fe: FreeEnergy,
    start: Start,
    *,
    before: Start | None = None,
    pieces: tuple[int, int] | None = None,
) -> Start | None:
    """Read the profile of a point of the level below at the places of a level.

    Parameters
    ----------
    fe : theory.FreeEnergy
        The functional of the level to be searched.
    start : Start
        A point of the level below, of the same kind (with a quenched average or without).
    before : Start, optional
        The point of the level below that one, on the same branch: what one level changed is done again.
    pieces : (int, int), optional
        How many of its liftings, from the innermost on, lie on the inner side of a gap, and how many of those
        to come: either side, of one overlap or more, is read by itself. One piece by default.

    Returns
    -------
    Start or None
        None where there are not two liftings to interpolate between.

    Notes
    -----
    Order parameter k of a level with n of them lies at (k + 1/2)/n, innermost first. Logits of p and of
    bounded q, logarithms of Q, c and s - 1 are monotone cubics of that (PCHIP), continued as straight lines.
    At one place they tend to limits as 1/n: with the level before, the start is nearer by a factor of 20.
    """
    least = 0.0 if fe.is_finite else 1.0
    gaps = np.concatenate((start.p, start.q)) if start.p.any() else start.q
    if start.s.size < 2 or not (gaps.min() > _TINY and start.s.min() > least):
        return None
    norm = int(not fe.model.prior.norm.is_number)
    now = _profiles(fe, start)
    earlier = now if before is None else _profiles(fe, before)

    def again(change: Array, n: int) -> Array:
        return (n - 1.0) / (n + 1.0) * change

    def read(name: str, count: int) -> Array:
        values = now[name]
        if pieces is None:
            n = values.size
            change = values - _read(earlier[name], n) if before is not None else np.zeros(n)
            return _read(values, count) + again(_read(change, count), n)
        inner, outer = values[: pieces[0]], values[pieces[0] :]
        step = _ALONE * float(outer[0] - inner[-1])
        return np.concatenate(
            (_read(inner, pieces[1], step), _read(outer, count - pieces[1], step))
        )

    left, outside = (
        now[name] + again(now[name] - earlier[name], start.s.size) for name in ("fields", "norm")
    )
    p = np.zeros(len(fe.q) + 1)
    if start.p.any():
        inner = resolved(read("p", len(fe.p) - norm)) * (start.p.sum() - outside.sum())
        p = np.concatenate((outside, inner))
    if fe.is_finite:
        q = resolved(read("q", len(fe.q))) * start.q.sum()
        s = np.exp(read("s", len(fe.c)))
    else:
        levels = np.exp(read("q", len(fe.q)))
        q = levels - np.append(levels[1:], 0.0)
        s = 1.0 + np.exp(read("s", len(fe.c)))
    start = with_room(fe, Start(p, q, s, "profile", left), 0.0, 0.0)
    parts = (start.q, start.s, *([start.p] if start.p.any() else []))
    usable = all(np.isfinite(x).all() and min(x) > 0.0 for x in parts)
    return start if usable and np.isfinite(start.fields).all() else None


def _profiles(fe: FreeEnergy, start: Start) -> dict[str, Array]:
    """What of a point is interpolated: logits and logarithms of p, q (Q) and s, innermost first.

    And what is not, the first gap of a free norm and what liftings leave of the multipliers.
    """
    alone = Start(0.0 * start.p, 0.0 * start.q, start.s, start.split, start.fields)
    single = {
        "norm": start.p[: int(not fe.model.prior.norm.is_number)],
        "fields": with_room(fe, alone, *used(start)).fields,
    }
    p = {"p": logits(fe.model, start)} if start.p.any() else {}
    if fe.is_finite:
        return single | p | {"q": logits_of(start.q), "s": np.log(start.s)}
    levels = np.cumsum(start.q[::-1])[::-1]
    return single | p | {"q": np.log(levels), "s": np.log(start.s - 1.0)}


def _read(values: Array, count: int, alone: float = 0.0) -> Array:
    """Values at the middles of ``count`` equal parts, from those at the middles of fewer.

    One value alone becomes several that differ by ``alone``.
    """
    here, there = ((np.arange(n) + 0.5) / n for n in (values.size, count))
    if values.size < 2:
        return values[0] + alone * (np.arange(count) - 0.5 * (count - 1))
    read = PchipInterpolator(here, values)(np.clip(there, here[0], here[-1]))
    first, last = values.size * (values[1] - values[0]), values.size * (values[-1] - values[-2])
    read += first * np.minimum(there - here[0], 0.0)
    return read + last * np.maximum(there - here[-1], 0.0)


# --- one lifting more ----------------------------------------------------------------------------


def splits(fe: FreeEnergy, start: Start) -> list[Start]:
    """Starts with one lifting more than ``start`` has.

    Parameters
    ----------
    fe : theory.FreeEnergy
        The functional of the level to be searched.
    start : Start
        A point of the level below.

    Returns
    -------
    list of Start
    """
    if fe.is_finite:
        return _finite_splits(fe, start)
    norm = int(not fe.model.prior.norm.is_number)
    inside = Start(start.p[norm:], start.q, start.s, start.split)
    return [
        Start(np.concatenate((start.p[:norm], s.p)), s.q, s.s, s.split, start.fields)
        for s in _limit_splits(inside)
    ]


def _finite_splits(fe: FreeEnergy, start: Start) -> list[Start]:
    """Every lifting split into two, of exponents on either side of its own.

    ``start`` may have a quenched average, a gap more than exponents, or none, and so may ``fe``: a
    quenched average becomes a lifting of its own, or a new one is split off the outermost lifting.
    """
    n, wanted = start.s.size, len(fe.q) + 1 - len(fe.c)
    had = start.q.size - n
    starts = []
    # shares of the inner part, and what the inner and the outer exponent are multiplied by
    # (what is usual for the sign comes first)
    falling = [(0.5, 1.4, 0.7), (0.2, 2.4, 0.8), *([] if n > 2 else [(0.8, 1.2, 0.4)])]
    rising = [(0.9, 0.8, 4.0), (0.5, 0.7, 1.4)]
    for share, inner, outer in falling + rising if fe.model.sign == 1 else rising + falling:
        for k in range(n):
            s = np.concatenate(
                (start.s[:k], [start.s[k] * inner, start.s[k] * outer], start.s[k + 1 :])
            )
            p, q = (_split_gap(gaps, k, share) for gaps in (start.p, start.q))
            if wanted == had:
                starts.append(Start(p, q, s, f"lifting {k + 2}", start.fields))
            elif wanted:
                p, q = (_split_gap(gaps, n, 0.7) for gaps in (p, q))
                starts.append(Start(p, q, s, f"lifting {k + 2}", start.fields))
        if had and inner > outer:
            s = np.append(start.s, start.s[-1] * outer / inner)
            p, q = start.p, start.q
            if wanted:
                p, q = (_split_gap(gaps, n, share) for gaps in (p, q))
            starts.append(Start(p, q, s, "quenched average", start.fields))
    return [with_room(fe, split, *used(start)) for split in starts]


def _split_gap(gaps: Array, k: int, share: float) -> Array:
    if k >= gaps.size:
        return gaps
    return np.concatenate((gaps[:k], [share * gaps[k], (1.0 - share) * gaps[k]], gaps[k + 1 :]))


def _limit_splits(start: Start) -> list[Start]:
    """In the hard-constraint limit, where p has a gap more than Q, that of the leaf."""
    p, q, s = start.p, start.q, start.s
    n = s.size
    quenched = q.size > n
    starts = []
    for k in range(n):
        low, high = _neighbours(s, k)
        starts += [
            Start(
                _split_gap(p, k, 0.1),
                np.insert(q, k, math.sqrt((q[k - 1] if k else 1.0) * q[k])),
                np.insert(s, k, math.sqrt(low * s[k])),
                f"inside lifting {k + 2}",
            ),
            *(
                Start(
                    _split_gap(p, k + 1, share),
                    _split_gap(q, k, 1.0 - share),
                    np.concatenate(
                        (s[:k], [s[k] * (x / s[k]) ** 0.4 for x in (low, high)], s[k + 1 :])
                    ),
                    f"lifting {k + 2}",
                )
                for share in (0.1, 0.5)
            ),
        ]
    if quenched:
        last = s[-1] if n else 1.0
        for ratio in (2.0, 5.0):
            for share in (0.1, 0.5):
                starts.append(
                    Start(
                        _split_gap(p, p.size - 1, share),
                        _split_gap(q, q.size - 1, share),
                        np.append(s, ratio * last),
                        "quenched average",
                    )
                )
        if not n:
            starts += [
                Start(_split_gap(p, 0, share), np.append([2.0], q), np.array([4.0]), "innermost")
                for share in (0.1, 0.5)
            ]
    elif n:
        starts += [
            Start(
                _split_gap(p, p.size - 1, 0.6),
                np.append(q, 0.25 / ratio * q[-1:]),
                np.append(s, ratio * s[-1:]),
                "outermost",
            )
            for ratio in (2.5, 10.0)
        ]
    else:  # the s -> infinity functional of level 4, from that of level 3
        starts.append(Start(_split_gap(p, 0, 0.1), np.array([1.0]), np.array([4.0]), "innermost"))
    return starts


def _neighbours(s: Sequence[float] | Array, k: int) -> tuple[float, float]:
    """Exponents below and above the k-th, with s_1 = 1 and as far above the last as below it."""
    low = s[k - 1] if k else 1.0
    high = s[k + 1] if k + 1 < len(s) else s[k] ** 2 / low
    return float(low), float(high)
