"""Enumerated perceptrons against theory: each check accepts the truth and rejects a lie."""

from __future__ import annotations

import math

import pytest
from scipy.stats import kstest

from numerics.functionals.moments import pair_probability, row_probability
from theory import ABP, SBP
from verify.thresholds.perceptrons import (
    first_moment_check,
    pair_overlap_check,
    satisfiability_crossing,
    second_moment_check,
)

MODELS = (SBP(1), ABP(0))


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_first_moments_hold_and_two_per_cent_off_is_rejected(model, seed):
    found = first_moment_check(model, seed=seed)
    assert not found.rejected
    assert found.power > 0.999
    for factor in (0.98, 1.02):
        wrong = first_moment_check(model, seed=seed, probability=factor * row_probability(model))
        assert wrong.rejected


@pytest.mark.long
@pytest.mark.parametrize("check", [second_moment_check, pair_overlap_check])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_second_moments_hold_and_two_per_cent_off_is_rejected(check, model):
    m = 3 if model.name == "abp" else 5
    found = check(model, m=m)
    assert not found.rejected
    assert found.power > 0.95
    assert check(model, m=m, pair=lambda overlap: 1.02 * pair_probability(model, overlap)).rejected
    assert check(model, m=m, pair=lambda overlap: pair_probability(model, 0.8 * overlap)).rejected


@pytest.mark.long
def test_the_symmetric_crossing_extrapolates_to_alpha_c_and_not_elsewhere():
    found = satisfiability_crossing(SBP(1))
    assert not found.rejected
    assert found.power > 0.999
    alpha_c = -math.log(2) / math.log(row_probability(SBP(1)))
    for factor in (0.97, 1.03):
        assert satisfiability_crossing(SBP(1), alpha_c=factor * alpha_c).rejected
    # level 3 in place of level 2
    assert satisfiability_crossing(SBP(1), alpha_c=1.65753519435).rejected


@pytest.mark.slow
def test_the_asymmetric_crossing_extrapolates_to_alpha_c_and_not_elsewhere():
    arguments = {"sizes": (14, 18, 22), "samples": 20_000, "false_alarm": 1e-3}
    found = satisfiability_crossing(ABP(0), **arguments)
    assert not found.rejected
    assert found.power > 0.9
    for factor in (0.97, 1.03):
        assert satisfiability_crossing(ABP(0), alpha_c=factor * 0.8330786, **arguments).rejected


@pytest.mark.slow
def test_the_statistics_are_standard_normal_under_the_null_hypothesis():
    z = [first_moment_check(SBP(1), size=200, seed=seed).statistic for seed in range(200)]
    assert kstest(z, "norm").pvalue > 1e-4


def test_an_extrapolation_needs_two_sizes():
    with pytest.raises(ValueError, match="two sizes"):
        satisfiability_crossing(SBP(1), sizes=(14, 14), samples=10)


def test_evidence_is_ready_for_json():
    import json

    found = first_moment_check(SBP(1), size=50)
    text = json.loads(json.dumps(found.to_dict()))
    assert text["rejected"] is False
    assert text["size"] == 50
