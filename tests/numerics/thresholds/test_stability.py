"""Level 1 is called stable where it is, and only there."""

from dataclasses import replace

import numpy as np
import pytest

from numerics import solve
from numerics.thresholds.points import objective_of
from numerics.thresholds.stability import level_one, stable
from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron, free_energy

STABLE = [SphericalPerceptron(1, alpha=3), SphericalPerceptron("1/2", alpha=10)]
HALVES = np.array([0.5, 0.5])
UNSTABLE = [ABP(0, alpha=2), SBP(1, alpha=3), SK()]


def level_two(model):
    fe = free_energy(model, 2)
    return objective_of(fe), fe


@pytest.mark.long
@pytest.mark.parametrize("model", STABLE[:1], ids=str)
def test_stable_levels_merge(model):
    assert "level 1 is stable" in stable(*level_two(model))
    first, second, third = (solve(model, level) for level in (1, 2, 3))
    assert second.branch == third.branch == "merged"
    assert second.value == third.value == pytest.approx(first.value, rel=1e-14)
    assert "level 1 is stable" in second.reason


@pytest.mark.long
@pytest.mark.parametrize("model", UNSTABLE, ids=str)
def test_unstable_levels_do_not(model):
    assert stable(*level_two(model)) == ""
    first, second = solve(model, 1), solve(model, 2)
    assert second.branch != "merged"
    assert model.sign * (first.value - second.value) > 0  # an improvement


@pytest.mark.parametrize("model", [*STABLE, Hopfield(alpha=1)], ids=str)
def test_level_one_has_the_value_and_the_multipliers_of_level_one(model):
    objective, fe = level_two(model)
    point = level_one(objective, fe)
    first = objective.sign * solve(model, 1).value
    for exponent in (1e-3, 1e-4):
        split = replace(point, p=point.p * HALVES, q=point.q * HALVES, s=np.array([exponent]))
        value, gradient = objective(split.coords(objective.evaluator.coordinates))
        assert abs(value - first) < 2.0 * exponent
        assert np.abs(gradient).max() < 2.0 * exponent
