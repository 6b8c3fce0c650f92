"""Walks along one coordinate, on functions whose minima are known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from numerics import solve
from numerics.thresholds.points import objective_of
from numerics.thresholds.profile import capacity_starts, lowest_starts, walk
from theory import SBP, SK, Hopfield, free_energy
from theory.thresholds.finite_exponents import without_quenched_average


class Valley:
    """``cos x + (y - x)^2 - (z - y)^2``: a minimum in y, a maximum in z, minima along x at pi, 3 pi, ..

    Its grids grow with x.
    """

    def __init__(self, work_limit=100):
        self.evaluator = SimpleNamespace(work_limit=work_limit)

    def with_work(self, coords):
        return self(coords)[0], int(coords[0])

    def __call__(self, coords):
        x, y, z = coords
        value = math.cos(x) + (y - x) ** 2 - (z - y) ** 2
        rest = 2.0 * (z - y)
        return value, np.array([-math.sin(x) - 2.0 * (y - x), 2.0 * (y - x) + rest, -rest])

    def ascents(self, coords):
        return 1

    def size(self, value):
        return 1.0


def test_a_walk_finds_every_minimum_on_its_way():
    starts = walk(Valley(), np.zeros(3), 0, np.arange(0.0, 11.0, 0.5))
    assert [start[0] / math.pi for start in starts] == pytest.approx([1.0, 3.0], abs=0.02)
    for start in starts:
        assert start[1:] == pytest.approx([start[0]] * 2, abs=0.02)


def test_a_walk_ends_where_its_grids_are_too_fine():
    (start,) = walk(Valley(work_limit=5), np.zeros(3), 0, np.arange(0.0, 11.0, 0.5))
    assert start[0] == pytest.approx(math.pi, abs=0.1)


def test_it_finds_the_same_backwards():
    starts = walk(Valley(), np.full(3, 11.0), 0, np.arange(11.0, 0.0, -0.5))
    assert [start[0] / math.pi for start in starts] == pytest.approx([3.0, 1.0], abs=0.02)


@pytest.mark.parametrize("model", [SK(), Hopfield(-1, alpha=2)], ids=str)
def test_the_lowest_level_is_a_minimum_along_its_exponent(model):
    found = solve(model, 2)
    fe = free_energy(model, 2)
    objective = objective_of(fe)
    starts = lowest_starts(objective, fe)
    assert any(abs(math.log(float(s.s[0]) / found.c[0])) < 0.3 for s in starts)


@pytest.mark.long
def test_ground_states_near_capacity_start_from_it():
    capacity = solve(SBP(1), 3)
    alpha = float(capacity.value) * 1.01
    model = SBP(1, alpha=alpha)
    fe = without_quenched_average(free_energy(model, 3))
    starts = capacity_starts(objective_of(fe), fe, capacity)
    found = solve(model, 3)
    assert 0 < found.value < 1e-2
    assert any(abs(math.log(float(s.s[0]) / found.c[0])) < 0.3 for s in starts)
