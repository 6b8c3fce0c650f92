"""Every configuration is counted once: against brute force, against exact arithmetic, and by symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from theory import ABP, SBP, SK, UPerceptron
from verify.thresholds.enumeration import census, overlap_counts, solutions, spins
from verify.thresholds.instances import Instance, draw_instance, violated_rows

MODELS = (SBP(1), SBP("0.4"), SBP(3), ABP(0), ABP("0.5"), ABP("-0.7"))


def brute_force(instance: Instance) -> np.ndarray:
    """Which rows hold, for all configurations: shape (2^n, m)."""
    codes = np.arange(2**instance.n, dtype=np.uint64)
    fields = spins(codes, instance.n).astype(float) @ instance.matrix.T / math.sqrt(instance.n)
    return (fields >= instance.lower) & (fields <= instance.upper)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 11, 12, 14])
@pytest.mark.parametrize("m", [1, 2, 9, 25])
def test_census_and_solutions_are_those_of_brute_force(model, n, m):
    instance = draw_instance(model, n, m=m, seed=100 * n + m)
    holds = brute_force(instance)
    leading = np.cumprod(holds, axis=1).sum(axis=0)
    found = census(instance)
    assert found.rows == m
    assert found.doubtful == 0
    assert found.counts == tuple(leading[found.first - 1 :])
    codes = solutions(instance)
    assert np.array_equal(codes, np.flatnonzero(holds.all(axis=1)))
    assert found.solutions == len(codes)
    for weights in spins(codes[:3], n):
        assert violated_rows(instance, weights).size == 0


def test_the_result_does_not_depend_on_threads():
    instance = draw_instance(SBP(1), 19, 1.2, seed=4)
    assert census(instance, threads=1) == census(instance, threads=3) == census(instance)
    assert np.array_equal(solutions(instance, threads=1), solutions(instance, threads=5))


def test_a_symmetric_instance_has_solutions_in_pairs():
    n = 13
    codes = solutions(draw_instance(SBP(1), n, 1.0, seed=2))
    assert codes.size
    assert set((codes ^ np.uint64(2**n - 1)).tolist()) == set(codes.tolist())
    counts = overlap_counts(codes, n)
    assert np.array_equal(counts, counts[::-1])


def test_signs_of_columns_and_order_of_rows_do_not_matter():
    instance = draw_instance(ABP(0), 15, 0.6, seed=9)
    rng = np.random.default_rng(1)
    signs, order = rng.choice([-1.0, 1.0], 15), rng.permutation(instance.m)
    other = Instance("abp", 0.0, (instance.matrix * signs)[order])
    assert census(instance).solutions == census(other).solutions > 0


def test_more_rows_have_fewer_solutions_and_the_last_is_where_satisfiability_ends():
    found = census(draw_instance(SBP(1), 16, 3.5, seed=0))
    assert list(found.counts) == sorted(found.counts, reverse=True)
    assert found.solutions == 0
    stop = found.satisfiable_rows
    assert stop is not None
    assert found.counts[stop - found.first] > 0 == found.counts[stop + 1 - found.first]
    short = census(draw_instance(SBP(1), 16, m=stop, seed=0))
    assert short.solutions == found.counts[stop - found.first]


def test_pairs_by_distance_are_those_of_their_scalar_products():
    n = 11
    codes = solutions(draw_instance(ABP(0), n, 0.4, seed=3))
    x = spins(codes, n).astype(int)
    distance = (n - x @ x.T) // 2
    assert np.array_equal(overlap_counts(codes, n), np.bincount(distance.ravel(), minlength=n + 1))
    assert overlap_counts(codes, n).sum() == len(codes) ** 2


def test_a_row_on_its_bound_holds_and_is_reported_as_doubtful():
    instance = Instance("sbp", 1.0, np.ones((1, 4)))  # fields 0, 2 = kappa sqrt(n), 4
    found = census(instance)
    assert found.solutions == 16 - 2
    assert found.doubtful > 0
    assert violated_rows(instance, np.array([1, 1, 1, -1])).size == 0
    assert violated_rows(instance, np.array([1, 1, 1, 1])).tolist() == [0]


@pytest.mark.parametrize("kappa", [0.0, 0.5, -0.5])
def test_the_checker_decides_ties_exactly(kappa):
    n = 4
    bound = kappa * math.sqrt(n)
    for excess, holds in ((0.0, True), (-(2.0**-52), False), (2.0**-52, True)):
        row = np.array([[bound + excess, 0.5, 0.25, 0.75]])
        instance = Instance("abp", kappa, row)
        assert (violated_rows(instance, np.array([1, 1, 1, -1])).size == 0) is holds


def test_instances_of_fewer_rows_are_the_first_of_more():
    many, few = draw_instance(SBP(1), 20, m=30, seed=5), draw_instance(SBP(1), 20, m=7, seed=5)
    assert np.array_equal(many.matrix[:7], few.matrix)
    assert np.array_equal(many.leading(7).matrix, few.matrix)
    assert not np.array_equal(few.matrix, draw_instance(SBP(1), 20, m=7, seed=6).matrix)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_instance(SBP(1), 0, 1.0), "n must be at least 1"),
        (lambda: draw_instance(SBP(1), 10, 0.0), "alpha must be positive"),
        (lambda: draw_instance(SBP(1), 10, math.nan), "alpha must be positive"),
        (lambda: draw_instance(SBP(1), 10, m=0), "m must be at least 1"),
        (lambda: draw_instance(SBP(1), 10), "either alpha or m"),
        (lambda: draw_instance(SBP(1), 10, 1.0, seed=-1), "seed must be at least 0"),
        (lambda: draw_instance(SBP(), 10, 1.0), "needs a number for kappa"),
        (lambda: Instance("sbp", 1.0, np.full((2, 2), np.nan)), "not finite"),
        (lambda: Instance("sbp", 1.0, np.ones((0, 2))), "m, n >= 1"),
        (lambda: Instance("sbp", -1.0, np.ones((1, 2))), "kappa must be positive"),
        (lambda: Instance("xyz", 1.0, np.ones((1, 2))), "sbp or abp"),
        (lambda: census(draw_instance(SBP(1), 41, 0.1)), "n is at most 40"),
        (lambda: census(draw_instance(SBP(1), 10, 0.5), threads=0), "threads must be"),
        (lambda: overlap_counts(np.zeros(200_001, dtype=np.uint64), 5), "at most 200000"),
        (lambda: violated_rows(draw_instance(SBP(1), 3, 1.0), np.zeros(3)), "-1 or +1"),
        (lambda: violated_rows(draw_instance(SBP(1), 3, 1.0), np.ones(4)), "-1 or +1"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message.replace("+", r"\+")) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [SK(), UPerceptron(1)], ids=str)
def test_other_models_have_no_instances(model):
    with pytest.raises(TypeError, match=r"theory\.SBP or theory\.ABP"):
        draw_instance(model, 10, 1.0)
