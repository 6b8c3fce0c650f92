"""Splitting a lifting changes nothing; moving its exponents apart changes what the slopes say."""

import itertools
import math
from functools import cache

import numpy as np
import pytest

from numerics import solve
from numerics.thresholds.insertions import insertions, segments, slopes
from numerics.thresholds.points import objective_of
from numerics.thresholds.starts import seed
from theory import ABP, SBP, SK, Hopfield, UPerceptron, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

CASES = [(SBP(1), 3), (ABP(0), 2), (UPerceptron(1), 3), (SK(), 2), (Hopfield(alpha=1), 2)]
NAMES = [f"{model.name}-{level}" for model, level in CASES]


@cache
def level_above(model, level):
    """The functional and objective of the level above, the level's point and its objective."""
    below = solve(model, level)
    fe = free_energy(model, level + 1)
    if len(fe.q) - len(fe.c) != len(below.q) - len(below.c):
        fe = without_quenched_average(fe)
    objective = objective_of(fe)
    value = math.log(below.value) if objective.logarithmic else objective.sign * below.value
    return fe, objective, seed(below), value


@pytest.mark.long
@pytest.mark.parametrize(("model", "level"), CASES, ids=NAMES)
def test_a_split_changes_nothing(model, level):
    fe, objective, point, expected = level_above(model, level)
    coordinates = objective.evaluator.coordinates
    for segment in segments(fe, point):
        step = -14.0 if segment.exponent == 0.0 else 0.0
        for x, share in itertools.product((-1.0, 2.0), (0.2, 0.7)):
            coords = segment.split(x, share, step).coords(coordinates)
            value, _ = objective(coords)
            assert value == pytest.approx(expected, rel=3e-8), segment.name


@pytest.mark.long
@pytest.mark.parametrize(("model", "level"), CASES, ids=NAMES)
def test_slopes_are_derivatives_in_the_distance_of_the_exponents(model, level):
    fe, objective, point, value = level_above(model, level)
    coordinates = objective.evaluator.coordinates
    for segment in segments(fe, point):
        found = slopes(objective, fe, segment, np.array([-1.0, 0.5]))
        assert found.values.size > 0
        for x, inner, slope in zip(found.x, found.inner, found.values, strict=True):

            def at(step, segment=segment, x=x, inner=inner):
                return objective(segment.split(x, inner, step).coords(coordinates))[0]

            if segment.exponent == 0.0:  # per unit of the new exponent, extrapolated to 0
                rates = [(at(math.log(h)) - value) / h for h in (2e-3, 1e-3)]
                difference = 2.0 * rates[1] - rates[0]
            else:
                difference = (at(1e-3) - at(-1e-3)) / 2e-3
            # one side of the step of 1e-3
            assert slope == pytest.approx(difference, rel=2e-2, abs=1e-7), segment.name


@pytest.mark.long
@pytest.mark.parametrize(("model", "level"), CASES, ids=NAMES)
def test_an_insertion_lies_below_the_level_below(model, level):
    fe, objective, point, value = level_above(model, level)
    coordinates = objective.evaluator.coordinates
    starts = insertions(objective, fe, point)
    assert all(start.s.size == point.s.size + 1 for start in starts)
    assert min(objective(start.coords(coordinates))[0] for start in starts) < value


def test_the_share_of_q_makes_the_slope_stationary_in_p():
    fe, objective, point, _ = level_above(SBP(1), 3)
    coordinates = objective.evaluator.coordinates
    for segment in segments(fe, point):
        found = slopes(objective, fe, segment, np.array([0.3]))

        def bend(inner, segment=segment):
            """How the slope of the split depends on x."""
            ends = [
                objective(segment.split(0.3 + d, inner, step).coords(coordinates))[0]
                for d in (0.1, -0.1)
                for step in (1e-3, -1e-3)
            ]
            return ends[0] - ends[1] - ends[2] + ends[3]

        (inner,) = found.inner
        assert abs(bend(inner)) < 0.05 * abs(bend(0.5 * inner)), segment.name
