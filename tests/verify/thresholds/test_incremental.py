"""Walks along a profile: their memory is the derived one, and they are where the profile says."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import sympy

from theory import ABP, SBP, SK, Hopfield
from theory.thresholds.continuum import memory
from verify.thresholds.algorithms import attempt
from verify.thresholds.algorithms.incremental import LEVELS, climb, profile, walk
from verify.thresholds.algorithms.kernels import rows_of
from verify.thresholds.ground import couplings_of, draw_ground, ground_state
from verify.thresholds.instances import draw_instance, violated_rows
from verify.thresholds.reach import profile_followed

N = 1500
# Averages over n spins of what lies between 0 and 1, or 0 and the largest bend, have standard errors of at
# most 1/2 in units of 1/sqrt(n); p itself is off by about one, and is carried on. Seven of these units.
FLUCTUATION = 7.0 / np.sqrt(N)


@pytest.fixture(scope="module")
def way():
    return profile(SBP("1.0"), LEVELS["sbp"], 80, density=1.5)


@pytest.fixture(scope="module")
def rows():
    return rows_of(draw_instance(SBP(1), N, 1.5, seed=3))


def test_the_memory_is_the_derived_one(way, rows):
    there = walk(rows, way, np.random.default_rng(1))
    alpha = sympy.Symbol("alpha", positive=True)
    m_f, m_g = sympy.symbols("M_f M_g", real=True)
    of_spins, of_rows = (sympy.lambdify((m_f, m_g, alpha), c) for c in memory()[:2])
    back = of_spins(way.bends[0], way.bends[1], 1.5)[:-1]  # of the step before
    forth = of_rows(way.bends[0], way.bends[1], 1.5)
    used = there.memories / np.stack(
        (np.append(1.0, there.factors[:-1, 1]), there.factors[:, 0]), axis=1
    )
    assert np.abs(used[1:, 0] - back).max() < FLUCTUATION * back.max()
    assert np.abs(used[:, 1] - forth).max() < FLUCTUATION * np.abs(forth).max()


def test_observables_follow_the_profile(way, rows):
    there = walk(rows, way, np.random.default_rng(1))
    assert np.abs(there.squares[:, 0] - way.squares[0]).max() < FLUCTUATION
    image = rows @ there.magnetisations.astype(np.float32)
    assert np.mean(image**2) == pytest.approx(way.sent()[-1], abs=FLUCTUATION)
    assert np.mean(np.abs(image) > 1.0) < 0.01  # random spins: 32%
    assert np.mean(np.abs(rows @ np.sign(there.magnetisations).astype(np.float32)) > 1.0) < 0.03
    # scaling changes little of what the rows were told
    assert np.mean((there.told - there.magnetisations) ** 2) < 0.05


def test_a_walk_without_memory_leaves_it(way, rows):
    lost = walk(rows, way, np.random.default_rng(1), recall=0.0)
    assert np.abs(lost.squares[:, 0] - way.squares[0]).max() > 0.3


@pytest.mark.long
def test_sk_has_the_energy_of_its_profile():
    couplings = couplings_of(draw_ground(SK(), N, seed=4))
    way = profile(SK(), LEVELS["sk"], 80)
    there = climb(couplings, way, np.random.default_rng(2))
    m = there.magnetisations
    energy = 0.5 * float(np.mean(m * (couplings @ m.astype(np.float32))))
    assert energy == pytest.approx(way.energy()[-1], abs=0.5 * FLUCTUATION)
    again = climb(couplings, way, np.random.default_rng(2))
    assert np.array_equal(again.told, there.told)


@pytest.mark.long
def test_sk_ends_higher_with_more_steps_and_spins():
    def mean(n: int, steps: int) -> float:
        return float(
            np.mean(
                [
                    ground_state(
                        draw_ground(SK(), n, seed=s), "incremental", budget=steps, seed=s
                    ).energy
                    for s in range(10)
                ]
            )
        )

    coarse, fine, large = mean(500, 12), mean(500, 80), mean(1500, 80)
    # means of ten fluctuate by some 0.003 and 0.001
    assert coarse + 0.01 < fine < large < 0.76317


@pytest.mark.long
def test_the_direction_of_an_asymmetric_model_is_found_first():
    rows = rows_of(draw_instance(ABP(0), N, 0.7, seed=5))
    way = profile(ABP("0.0"), LEVELS["abp"], 60, density=0.7)
    assert way.outset
    there = walk(rows, way, np.random.default_rng(3))
    assert there.squares[0, 0] == pytest.approx(way.squares[0][0], abs=FLUCTUATION)
    assert there.squares[-1, 0] == pytest.approx(way.squares[0][-1], abs=FLUCTUATION)


@pytest.mark.long
def test_a_profile_that_is_not_followed_is_seen():
    follows = partial(profile_followed, SBP(1), alpha=1.5, n=400, steps=40, samples=40)
    assert follows(partial(walk, recall=0.0)).rejected
    assert follows(walk).power > 0.999


def test_a_budget_too_small_for_a_walk_leaves_the_repair():
    instance = draw_instance(SBP(1), 20, 1.5)
    for budget in (1, 8, 9, 10):
        found = attempt(instance, "incremental", budget=budget)
        assert found.iterations <= budget
        assert found.violated == violated_rows(instance, found.weights).size


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ground_state(draw_ground(SK(), 10), "incremental", budget=3), "at least 4 steps"),
        (lambda: ground_state(draw_ground(Hopfield(1, 1), 10), "incremental"), "is for sk"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
