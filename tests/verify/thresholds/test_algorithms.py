"""Algorithms never claim what is not so, repeat themselves exactly, and reach what they should."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest

from theory import ABP, SBP
from verify.thresholds.algorithms import ALGORITHMS, attempt
from verify.thresholds.algorithms.kernels import bounds, columns_of, response
from verify.thresholds.algorithms.repair import repair
from verify.thresholds.enumeration import census, solutions, spins
from verify.thresholds.instances import Instance, draw_instance, violated_rows

ALL = tuple(ALGORITHMS)


def reference_response(field, variance, lower, upper):
    """Both derivatives by mpmath's own differentiation of the logarithm."""
    with mpmath.workdps(60):
        width = mpmath.sqrt(variance)

        def log_probability(w):
            a, b = (lower - w) / width, (upper - w) / width
            if a > 0:
                a, b = -b, -a
            left = mpmath.mpf(0) if a == -mpmath.inf else mpmath.erfc(-a / mpmath.sqrt(2)) / 2
            return mpmath.log(mpmath.erfc(-b / mpmath.sqrt(2)) / 2 - left)

        first, second = (mpmath.diff(log_probability, mpmath.mpf(field), k) for k in (1, 2))
        return float(first), float(-second)


@pytest.mark.parametrize("variance", [1.0, 0.1, 1e-3])
@pytest.mark.parametrize("field", [-3.0, -1.2, -0.4, 0.0, 0.7, 1.01, 2.5])
@pytest.mark.parametrize("interval", [(-1.0, 1.0), (0.0, math.inf), (-0.3, math.inf)])
def test_responses_are_derivatives_of_the_log_probability(field, variance, interval):
    g, slope = response(field, variance, *interval)
    expected = reference_response(field, variance, *interval)
    assert g == pytest.approx(expected[0], rel=1e-5, abs=1e-6)
    assert slope == pytest.approx(expected[1], rel=1e-3, abs=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("model", [SBP(1), ABP(0)], ids=str)
def test_no_algorithm_disagrees_with_exact_enumeration(algorithm, model):
    """Around the threshold: what is called solved is a solution, and unsatisfiable is never solved."""
    satisfiable = solved = 0
    for seed in range(8):
        density = (1.4, 2.4) if model.name == "sbp" else (0.6, 1.2)
        instance = draw_instance(model, 18, density[seed % 2], seed=seed)
        found = attempt(instance, algorithm, budget=400, seed=seed)
        truth = census(instance, threads=1).solutions > 0
        satisfiable += truth
        solved += found.solved
        assert not (found.solved and not truth)
        assert found.violated == len(violated_rows(instance, found.weights))
        if found.solved:
            codes = solutions(instance, threads=1)
            assert (spins(codes, 18) == found.weights).all(axis=1).any()
    assert satisfiable < 8
    assert solved >= satisfiable // 2  # small and easy: at least half of them


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ALL)
def test_easy_instances_are_solved(algorithm):
    for model, alpha in ((SBP(1), 0.5), (ABP(0), 0.2), (ABP("-0.5"), 0.5), (SBP("0.5"), 0.15)):
        found = attempt(draw_instance(model, 200, alpha, seed=1), algorithm, budget=600, seed=2)
        assert found.solved
        assert found.iterations <= 600
        assert found.trace.shape[1] == 3
        assert (np.diff(found.trace[:, 0]) > 0).all()


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ALL)
def test_the_same_seed_gives_the_same_result_also_beside_others(algorithm):
    instance = draw_instance(SBP(1), 120, 1.3, seed=3)
    alone = attempt(instance, algorithm, budget=100, seed=5)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: attempt(instance, algorithm, budget=100, seed=5), range(2)))
    for other in both:
        assert np.array_equal(alone.weights, other.weights)
        assert np.array_equal(alone.trace, other.trace)
        assert alone.iterations == other.iterations
    different = attempt(instance, algorithm, budget=100, seed=6)
    assert not np.array_equal(alone.weights, different.weights)


@pytest.mark.parametrize("algorithm", ["belief", "clup"])
def test_flipped_columns_give_flipped_weights(algorithm):
    """A gauge transformation of the instance; only the random start can tell the difference."""
    instance = draw_instance(ABP(0), 300, 0.3, seed=7)
    signs = np.random.default_rng(0).choice([-1, 1], 300)
    flipped = Instance("abp", 0.0, instance.matrix * signs)
    one = attempt(instance, algorithm, budget=300, start=0.0)
    other = attempt(flipped, algorithm, budget=300, start=0.0)
    assert one.solved
    assert np.array_equal(one.weights, other.weights * signs)


def test_repair_mends_a_configuration_with_a_few_wrong_spins():
    instance = draw_instance(SBP(1), 400, 0.9, seed=0)
    found = attempt(instance, "belief", budget=800)
    assert found.solved
    x = found.weights.astype(np.float32)
    x[:2] *= -1
    assert len(violated_rows(instance, x)) > 0
    left, made = repair(columns_of(instance), x, *bounds(instance), 400, np.random.default_rng(1))
    assert left == 0
    assert made <= 400
    assert violated_rows(instance, x).size == 0


def test_attempts_and_instances_can_be_sent_to_other_processes():
    instance = draw_instance(SBP(1), 50, 0.5, seed=0)
    found = attempt(pickle.loads(pickle.dumps(instance)), budget=50)
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.weights, found.weights)
    assert again.violated == found.violated


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"budget": 0}, ValueError, "budget must be at least 1"),
        ({"budget": 2.5}, TypeError, "budget must be an integer"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"algorithm": "magic"}, ValueError, "an algorithm is one of belief"),
        ({"damping": 1.0}, ValueError, "damping must be"),
        ({"power": 0.5}, ValueError, "power must be at least 1"),
        ({"budget": 10, "repairs": 10}, ValueError, "repairs must be"),
        ({"algorithm": "focusing", "copies": 1.0}, ValueError, "copies must exceed 1"),
        ({"algorithm": "clup", "step": 0.0}, ValueError, "0 < step <= 1"),
        ({"algorithm": "replicas", "copies": 1}, ValueError, "copies must be at least 2"),
        ({"algorithm": "annealing", "coldest": 0.0}, ValueError, "0 < coldest"),
    ],
)
def test_bad_input_is_refused_in_one_line(options, error, message):
    instance = draw_instance(SBP(1), 10, 0.5)
    with pytest.raises(error, match=message) as caught:
        attempt(instance, **options)
    assert "\n" not in str(caught.value)


def test_only_instances_are_attempted():
    with pytest.raises(TypeError, match="an Instance is needed"):
        attempt(np.ones((2, 2)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "alpha", "budget"), [(SBP(1), 1.5, 2500), (ABP(0), 0.73, 2500)], ids=str
)
def test_reinforced_belief_propagation_reaches_far_at_two_thousand_spins(model, alpha, budget):
    solved = sum(
        attempt(draw_instance(model, 2000, alpha, seed=seed), budget=budget, seed=seed).solved
        for seed in range(6)
    )
    assert solved >= 4
