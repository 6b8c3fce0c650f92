"""Starts at level 3 of a symmetric perceptron: the functional's profile along its exponent."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .objective import Objective
from .runaway import at_exponent
from .solution import Solution
from .starts import Start
from .stationary import minimise

__all__ = ["profile_starts"]

Array = NDArray[np.float64]


def profile_starts(
    objective: Objective, limit: Solution | None, tell: Callable[[float], None]
) -> list[Start]:
    """Local minima along s of the level-3 functional minimised over (p, Q)."""
    exponents = 2.0 ** np.arange(0.75, 10.5, 0.75)
    free = np.array([0, 1], dtype=np.intp)
    coordinates = objective.evaluator.coordinates

    def profile_point(theta: Array) -> tuple[float, Array]:
        end, value, _ = minimise(
            objective, theta, free=free, gradient_tolerance=1e-4, iterations=60
        )
        return value, end

    upwards = Start(np.array([0.1, 0.9]), np.array([1.0]), exponents[:1], "").theta(coordinates)
    profiles: list[list[tuple[float, Array]]] = [[], []]
    for i, s in enumerate(exponents):
        tell(0.5 * i / exponents.size)
        upwards[-1] = math.log(s)
        value, upwards = profile_point(upwards)
        profiles[0].append((value, upwards.copy()))
    if limit is not None:
        s = float(exponents[-1])
        for i in range(60):
            tell(0.5 + 0.5 * i / 60)
            profiles[1].append(profile_point(at_exponent(limit, s).theta(coordinates)))
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
        for i, (value, theta) in enumerate(profile):
            lower = i == 0 or values[i - 1] >= value
            upper = i == len(profile) - 1 or values[i + 1] >= value
            if lower and upper and math.isfinite(value):
                gaps = coordinates.gaps(theta)
                starts.append(Start(gaps[:2], gaps[2:3], gaps[3:], name))
    return starts
