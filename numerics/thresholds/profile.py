"""Profiles: the functional along one exponent, stationary in everything else.

Where no point of the level below leads to a level's own, the scale of an exponent is not known: it runs over
many orders of magnitude, from 0 where its lifting merges to infinity where constraints become hard. So the
exponent is walked along, on a logarithmic scale, and the other order parameters follow it, each time from
where they were; a local minimum of the objective on the way is a start.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from numerics.functionals.coordinates import Coordinates
from theory import FreeEnergy

from .objective import Objective
from .runaway import at_exponent
from .solution import Solution
from .starts import Start, seed
from .stationary import follow, minimise

__all__ = ["capacity_starts", "lowest_starts", "profile_starts", "start_at", "walk"]

Array = NDArray[np.float64]

# Logarithms of an exponent that walks go through, from its beginning outwards.
_FORTH, _BACK = np.arange(0.0, 20.0, 0.5), np.arange(0.0, -8.0, -0.5)
# Shares of the outer gaps that a walk at the lowest level begins with.
_SHARES = (0.5, 0.2, 0.8)
# Where walks from a capacity begin: far enough for constraints to be nearly hard, and not too far to resolve.
_HARD = (4.0, 3.0, 2.0)
# A walk ends where the others could not follow this many times in a row.
_PATIENCE = 2
# How many times the work of where it begins a walk at the lowest level may take: beyond, constraints are
# hard, and the capacity's own point is the better start.
_FINER = 64.0
# Step of the level-3 profile, and how far it goes on.
_STEP, _FARTHEST = 2.0**0.75, 1e7
# Of the gradient in the others, relative; and what of the slope along a walk is noise.
_TOLERANCE, _NOISE = 1e-6, 1e-11


def walk(
    objective: Objective,
    coords: Array,
    along: int,
    values: Sequence[float] | Array,
    *,
    downhill: bool = False,
) -> list[Array]:
    """Points where the objective has a minimum along one coordinate.

    Parameters
    ----------
    objective : Objective
    coords : ndarray, shape (size,)
        Where the walk begins, near enough to be stationary in the other coordinates.
    along : int
        The coordinate that is walked along; not a direction of ascent.
    values : sequence of float, or ndarray
        Its values, in order.
    downhill : bool, default False
        End where the objective rises: at the first minimum, if there is one on this side.

    Returns
    -------
    list of ndarray
    """
    free = np.delete(np.arange(coords.size, dtype=np.intp), along)
    path: list[tuple[Array, float]] = []
    lost = 0
    for value in values:
        start = _extrapolated([point for point, _ in path[-2:]] or [coords], along, value)
        height, work = objective.with_work(start)
        if work > objective.evaluator.work_limit:
            break
        tolerance = _TOLERANCE * objective.size(height)
        point, height, size = follow(
            objective,
            start,
            objective.ascents,
            free=free,
            gradient_tolerance=tolerance,
            iterations=20,
        )
        if math.isfinite(height) and size < 100.0 * tolerance:
            lost = 0
            slope = float(objective(point)[1][along])
            path.append((point, slope if abs(slope) > _NOISE * objective.size(height) else 0.0))
            if downhill and slope * (values[1] - values[0]) > 0.0:
                break
        elif (lost := lost + 1) > _PATIENCE:
            break
    starts = []
    for (a, left), (b, right) in itertools.pairwise(path):
        forward = 1.0 if b[along] > a[along] else -1.0
        if forward * left < 0.0 < forward * right:
            starts.append(a + left / (left - right) * (b - a))
    return starts


def _extrapolated(points: Sequence[Array], along: int, value: float) -> Array:
    """A point at a value of one coordinate, on the line through the last two."""
    last = points[-1]
    point = last.copy()
    if len(points) == 2:
        before = points[0]
        point = last + (value - last[along]) / (last[along] - before[along]) * (last - before)
    point[along] = value
    return point


def lowest_starts(objective: Objective, fe: FreeEnergy) -> list[Start]:
    """Minima along c_2 at level 2, finite exponents.

    Parameters
    ----------
    objective : Objective
    fe : theory.FreeEnergy

    Returns
    -------
    list of Start
    """
    coordinates = objective.evaluator.coordinates
    along = len(fe.p) + len(fe.q)
    for share in _SHARES if fe.q else (1.0,):
        gaps = np.array([1.0 - share, share]) if fe.q else np.ones(1)
        fields = np.array([_multiplier(fe, str(x), float(gaps[0])) for x in fe.fields])
        start = Start(gaps, gaps, np.ones(1), "profile along c_2", fields)
        coords = start.coords(coordinates)
        with objective.limited(coords, _FINER):
            minima = [
                *walk(objective, coords, along, _FORTH),
                *walk(objective, coords, along, _BACK),
            ]
        if minima:
            return [start_at(objective, fe, coords, start.split) for coords in minima]
    return []


def _multiplier(fe: FreeEnergy, name: str, gap: float) -> float:
    """Level 1's multiplier, near enough, with room for what a lifting of c_2 = 1 takes from it."""
    size = math.sqrt(float(fe.model.alpha)) if fe.model.alpha is not None else 1.0
    taken = 0.5 * gap if name == "gamma_x" or fe.model.sign == 1 else 0.0
    return 0.5 * (size if name == "gamma" else 1.0) + taken


def capacity_starts(objective: Objective, fe: FreeEnergy, capacity: Solution) -> list[Start]:
    """Minima of a ground state along c_2, from the capacity that it tends to as c_2 goes to infinity.

    Parameters
    ----------
    objective : Objective
    fe : theory.FreeEnergy
        Of a ground state, with a quenched average where the capacity has one.
    capacity : Solution
        Of the same level: Q_k = c_2**2 q_k and s_k = c_{k+1}/c_2 there.

    Returns
    -------
    list of Start
        None where the two do not have the same chains.
    """
    known = seed(capacity)
    coordinates = objective.evaluator.coordinates
    if capacity.is_finite:
        minima = [known] if len(capacity.q) == len(fe.q) else []
        return [Start(s.p, s.q, s.s, "capacity", s.fields) for s in minima]
    if len(known.q) != len(fe.q) or capacity.branch != "finite":
        return []
    along = len(fe.p) + len(fe.q)
    for log_c in _HARD:
        hard = math.exp(log_c)
        inner = known.q / hard**2
        q = np.concatenate(([1.0 - inner.sum()], inner))
        exponents = hard * np.concatenate(([1.0], known.s))
        start = Start(known.p, q, exponents, "capacity", np.full(len(fe.fields), hard**-3))
        coords = _with_multipliers(objective, start.coords(coordinates), len(fe.fields))
        minima = [
            *walk(objective, coords, along, log_c + _FORTH, downhill=True),
            *walk(objective, coords, along, log_c + _BACK, downhill=True),
        ]
        if minima:
            return [start_at(objective, fe, coords, start.split) for coords in minima]
    return []


def _with_multipliers(objective: Objective, coords: Array, count: int) -> Array:
    """A point with its last coordinate, gamma, where the objective is largest."""
    if not count:
        return coords
    best = (-math.inf, coords)
    for value in np.arange(coords[-1] - 10.0, coords[-1] + 10.0, 0.5):
        point = np.append(coords[:-1], value)
        height = objective(point)[0]
        if math.isfinite(height) and height > best[0]:
            best = (height, point)
    return best[1]


def start_at(
    objective: Objective,
    fe: FreeEnergy,
    coords: Array,
    split: str,
    coordinates: Coordinates | None = None,
) -> Start:
    """A point as a start, by the objective's coordinates or others."""
    coordinates = coordinates or objective.evaluator.coordinates
    groups = iter(coordinates.split(coordinates.gaps(coords)))
    p = next(groups) if fe.p else np.array([float(fe.model.prior.largest_norm)])
    q = next(groups) if fe.q else np.ones(1)
    if fe.model.constraint is None:
        p = np.zeros_like(q)
    rest = [float(g[0]) for g in groups]
    n = len(fe.c)
    return Start(p, q, np.array(rest[:n]), split, np.array(rest[n:]))


def profile_starts(
    objective: Objective, limit: Solution | None, tell: Callable[[float], None]
) -> list[Start]:
    """Local minima along s of the level-3 functional of a symmetric perceptron minimised over (p, Q).

    Without a limit at s -> infinity the walk goes on while the functional falls: at wide margins s grows
    like kappa**1.7.
    """
    exponents = 2.0 ** np.arange(0.75, 10.5, 0.75)
    free = np.array([0, 1], dtype=np.intp)
    coordinates = objective.evaluator.coordinates

    def profile_point(coords: Array) -> tuple[float, Array]:
        end, value, _ = minimise(
            objective, coords, free=free, gradient_tolerance=1e-4, iterations=60
        )
        return value, end

    upwards = Start(np.array([0.1, 0.9]), np.array([1.0]), exponents[:1], "").coords(coordinates)
    profiles: list[list[tuple[float, Array]]] = [[], []]
    for i, s in enumerate(exponents):
        tell(0.5 * i / exponents.size)
        upwards[-1] = math.log(s)
        value, upwards = profile_point(upwards)
        profiles[0].append((value, upwards.copy()))
    s = float(exponents[-1])
    while limit is None and s < _FARTHEST and not profiles[0][-1][0] >= profiles[0][-2][0]:
        s *= _STEP
        upwards[-1] = math.log(s)
        value, upwards = profile_point(upwards)
        profiles[0].append((value, upwards.copy()))
    if limit is not None:
        s = float(exponents[-1])
        for i in range(60):
            tell(0.5 + 0.5 * i / 60)
            profiles[1].append(profile_point(at_exponent(limit, s).coords(coordinates)))
            falling = i == 0 or profiles[1][-1][0] < profiles[1][-2][0]
            if not falling or s > 1e13:
                break
            s *= 3.0
        # and down again, each minimum the start of the next
        downwards = profiles[1][0][1].copy()
        for i, s in enumerate(exponents[-2::-1]):
            tell(0.75 + 0.25 * i / exponents.size)
            downwards[-1] = math.log(s)
            value, downwards = profile_point(downwards)
            profiles[1].insert(0, (value, downwards.copy()))
    starts = []
    for profile, name in zip(profiles, ("from small s", "from s -> infinity"), strict=True):
        values = [value for value, _ in profile]
        for i, (value, coords) in enumerate(profile):
            lower = i == 0 or values[i - 1] >= value
            upper = i == len(profile) - 1 or values[i + 1] >= value
            if lower and upper and math.isfinite(value):
                gaps = coordinates.gaps(coords)
                starts.append(Start(gaps[:2], gaps[2:3], gaps[3:], name))
    return starts
