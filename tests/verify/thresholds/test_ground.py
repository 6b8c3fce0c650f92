"""Ground states against all configurations of small instances, and what algorithms reach at larger ones."""

from __future__ import annotations

import numpy as np
import pytest

from theory import ABP, SBP, SK, Hopfield
from verify.thresholds.enumeration import spins
from verify.thresholds.ground import (
    GroundInstance,
    draw_ground,
    energy_of,
    fitted_limit,
    ground_state,
)
from verify.thresholds.reach import energy_within, no_solver_above, solver_reaches

ALGORITHMS = ("clup", "annealing", "greedy")  # incremental, of SK alone: test_incremental
MODELS = (SK(), Hopfield(1, 1), Hopfield(-1, "1.5"))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_small_ground_states_are_found_and_never_beaten(model):
    n = 12
    every = spins(np.arange(2**n, dtype=np.uint64), n)
    hits = 0
    for seed in range(4):
        instance = draw_ground(model, n, seed=seed)
        energies = np.array([energy_of(instance, x) for x in every])
        best = instance.sign * (instance.sign * energies).max()
        for algorithm in ALGORITHMS:
            found = ground_state(instance, algorithm, budget=200, seed=seed)
            assert instance.sign * found.energy <= instance.sign * best + 1e-12
            assert found.energy == energy_of(instance, found.weights)
            hits += algorithm != "greedy" and found.energy == pytest.approx(best, abs=1e-12)
    assert hits >= 5  # of 8


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_clup_and_annealing_beat_greed_and_no_single_flip_helps(model):
    instance = draw_ground(model, 300, seed=1)
    found = {name: ground_state(instance, name, budget=300, seed=2) for name in ALGORITHMS}
    for name in ("clup", "annealing"):
        assert instance.sign * found[name].energy > instance.sign * found["greedy"].energy
    for state in found.values():
        for j in range(0, 300, 37):
            other = state.weights.copy()
            other[j] *= -1
            assert instance.sign * energy_of(instance, other) <= instance.sign * state.energy + 1e-6


def test_energies_are_normalised_as_the_theory_has_them():
    """|Gx| and x'Gx/sqrt 2 of x = w/sqrt n, per sqrt n; sqrt(alpha) for random w."""
    ones = np.ones(6, dtype=np.int8)
    flat = GroundInstance("hopfield", np.ones((24, 6)), 0)
    assert energy_of(flat, ones) == pytest.approx(np.sqrt(24.0), rel=1e-14)
    square = GroundInstance("sk", np.ones((6, 6)), 0)
    assert energy_of(square, ones) == pytest.approx(36.0 / (np.sqrt(2.0) * 6.0**1.5), rel=1e-14)
    rng = np.random.default_rng(0)
    instance = draw_ground(Hopfield(1, 1), 800, seed=0)
    energies = [energy_of(instance, rng.choice([-1, 1], 800)) for _ in range(20)]
    assert np.mean(energies) == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_gives_the_same_state():
    instance = draw_ground(SK(), 100, seed=0)
    one, two = (ground_state(instance, "clup", budget=50, seed=3) for _ in range(2))
    assert np.array_equal(one.weights, two.weights)


def test_the_fit_finds_what_was_put_in():
    sizes = (500, 1000, 2000)
    means = [0.76 - 0.7 * n ** (-2 / 3) for n in sizes]
    limit, error, slope = fitted_limit(sizes, means, [0.001] * 3)
    assert limit == pytest.approx(0.76)
    assert slope == pytest.approx(-0.7)
    assert 0 < error < 0.01
    with pytest.raises(ValueError, match="two sizes"):
        fitted_limit((500,), (0.7,), (0.1,))


@pytest.mark.long
def test_the_energy_of_level_six_is_reached_and_others_are_rejected():
    arguments = {"n": 400, "samples": 32, "budget": 400}
    found = energy_within(SK(), 0.7632, **arguments)
    assert not found.rejected
    assert found.power > 0.99
    assert energy_within(SK(), 0.7979, **arguments).rejected  # level 1
    # no algorithm is above a maximum: a smaller one is refuted once it is passed
    assert energy_within(SK(), 0.94 * 0.7632, **arguments).rejected


def test_solvers_reach_what_they_reach_and_not_what_they_do_not():
    arguments = {"n": 150, "budget": 300}
    assert not solver_reaches(SBP(1), 1.3, **arguments).rejected
    beyond = solver_reaches(SBP(1), 1.75, **arguments)
    assert beyond.rejected
    assert beyond.power > 0.95
    assert not no_solver_above(SBP(1), 1.75, **arguments).rejected
    below = no_solver_above(SBP(1), 1.3, **arguments)
    assert below.rejected
    assert below.power > 0.99


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: draw_ground(SBP(1), 10), TypeError, "ground states are of"),
        (lambda: draw_ground(ABP(0), 10), TypeError, "ground states are of"),
        (lambda: draw_ground(Hopfield(1), 10), ValueError, "needs a number for alpha"),
        (lambda: draw_ground(SK(), 1), ValueError, "n must be at least 2"),
        (lambda: draw_ground(SK(), 10, seed=-1), ValueError, "seed must be"),
        (lambda: ground_state(draw_ground(SK(), 5), "magic"), ValueError, "an algorithm is one of"),
        (lambda: ground_state(draw_ground(SK(), 5), budget=0), ValueError, "budget must be"),
        (lambda: energy_of(draw_ground(SK(), 5), np.zeros(5)), ValueError, "-1 or"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
