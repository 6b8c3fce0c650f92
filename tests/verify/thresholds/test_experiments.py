"""Trials into one file, each once; crossings that are where they were put."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from theory import ABP, SBP
from verify.thresholds.crossings import SuccessCurve, crossing, extrapolate, success_curves
from verify.thresholds.experiments import experiment
from verify.thresholds.trials import ExperimentFileError, Trial, read_experiment, run_trial

DENSITIES = tuple(Decimal(k) / 10 for k in (6, 12, 24))


def small(out, **options):
    return experiment([SBP(1)], [30, 40], DENSITIES, out=out, budgets=[60], samples=3, **options)


def same(one, other) -> bool:
    """Whether two experiments found the same, their times aside."""
    return [(o.trial, o.violated, o.iterations) for o in one] == [
        (o.trial, o.violated, o.iterations) for o in other
    ]


@pytest.mark.long
def test_outcomes_are_the_same_on_one_worker_two_and_another_executor(tmp_path):
    one = small(tmp_path / "one.sqlite", workers=1)
    two = small(tmp_path / "two.sqlite", workers=2)
    with ThreadPoolExecutor(2) as pool:
        threads = small(tmp_path / "threads.sqlite", executor=pool)
    assert len(one) == 2 * 3 * 3
    assert same(one, two)
    assert same(one, threads)
    other = small(tmp_path / "other.sqlite", workers=1, seed=1)
    assert not same(one, other)


def test_an_experiment_resumes_and_repeats_nothing(tmp_path):
    out = tmp_path / "run.sqlite"
    seen = []

    def stop(done, total, failed):
        seen.append((done, total, failed))
        if done == 5:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            small(out, executor=pool, progress=stop)
        kept = len(read_experiment(out))
        assert kept >= 5
        with sqlite3.connect(out) as connection:  # as if it had been stopped earlier
            connection.execute("DELETE FROM trials WHERE sample > 0 AND n = 40")
        connection.close()
        kept = len(read_experiment(out))
        assert kept < 18
        calls = []
        whole = small(out, executor=pool, resume=True, progress=lambda *now: calls.append(now))
    assert seen[0] == (0, 18, 0)
    assert calls[0] == (kept, 18, 0)
    assert calls[-1] == (18, 18, 0)
    assert len(calls) == 18 - kept + 1
    with ThreadPoolExecutor(1) as pool:
        assert same(whole, small(tmp_path / "fresh.sqlite", executor=pool))


def test_files_of_others_are_refused_and_left_alone(tmp_path):
    out = tmp_path / "run.sqlite"
    with ThreadPoolExecutor(1) as pool:
        small(out, executor=pool)
        before = out.read_bytes()
        with pytest.raises(ExperimentFileError, match="exists; resume it"):
            small(out, executor=pool)
        with pytest.raises(ExperimentFileError, match="an experiment with seed = 0"):
            small(out, executor=pool, resume=True, seed=1)
        with pytest.raises(ExperimentFileError, match="an experiment with model = sbp"):
            experiment([ABP(0)], [10], ["0.3"], out=out, resume=True, executor=pool)
    assert out.read_bytes() == before
    stranger = tmp_path / "stranger.sqlite"
    sqlite3.connect(stranger).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(ExperimentFileError, match="not an experiment made by widegap"):
        read_experiment(stranger)


def test_a_trial_does_not_depend_on_its_company():
    trial = Trial("1", "belief", 60, "6/5", 80, 2)
    one, other = run_trial("sbp", trial, 7), run_trial("sbp", trial, 7)
    assert (one.violated, one.iterations) == (other.violated, other.iterations)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sizes": [0]}, ValueError, "n must be at least 1"),
        ({"sizes": [2.5]}, TypeError, "n must be an integer"),
        ({"alphas": [0]}, ValueError, "alpha must be positive"),
        ({"alphas": []}, ValueError, "nothing to try"),
        ({"budgets": [0]}, ValueError, "a budget must be at least 1"),
        ({"samples": 0}, ValueError, "samples must be at least 1"),
        ({"algorithms": ["magic"]}, ValueError, "an algorithm is one of"),
        ({"models": [SBP(1), ABP(0)]}, ValueError, "of one kind"),
        ({"models": [SBP()]}, ValueError, "needs a number for kappa"),
        ({"workers": 0}, ValueError, "workers is for the local pool"),
        ({"sizes": [10**6]}, ValueError, "takes 3.73e\\+03 GiB, more than the 4 GiB allowed"),
        ({"alphas": ["1e90"]}, ValueError, "an instance of n = 10 at alpha = 1e\\+90 takes"),
        ({"alphas": [Fraction(10**400)]}, ValueError, "at alpha = 1e400 takes 1e39"),
        ({"memory": 100}, ValueError, "more than the 9.31e-08 GiB allowed"),
        ({"memory": float("nan")}, ValueError, "memory of an instance must be positive"),
        ({"samples": 10**9}, ValueError, "at most 1000000 trials, got 1000000000"),
        ({"budgets": [10**9]}, ValueError, "at most 100000000 passes"),
        ({"models": [SBP("1e90")]}, ValueError, "kappa must be at most 1e\\+30"),
        ({"models": [SBP("1e-900")]}, ValueError, "kappa must be positive and finite in doubles"),
        ({"models": [ABP("-1e900")]}, ValueError, "kappa must be finite in doubles"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, options, error, message):
    out = tmp_path / "run.sqlite"
    arguments = {"models": [SBP(1)], "sizes": [10], "alphas": ["0.5"], "out": out} | options
    with pytest.raises(error, match=message):
        experiment(
            arguments.pop("models"), arguments.pop("sizes"), arguments.pop("alphas"), **arguments
        )
    assert not out.exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE trials SET n = 'many'", "n holds 'many'"),
        ("UPDATE trials SET n = 0 WHERE sample = 0 AND alpha = '3/5'", "n holds '0'"),
        ("UPDATE trials SET alpha = '1/0' WHERE sample = 0", "is no fraction"),
        ("UPDATE trials SET alpha = '0' WHERE sample = 0", "alpha holds '0'"),
        ("UPDATE trials SET alpha = '1e9999' WHERE sample = 0", "is no fraction"),
        ("UPDATE trials SET kappa = 'one'", "is no fraction"),
        ("UPDATE trials SET violated = -1", "violated holds '-1'"),
        ("UPDATE trials SET seconds = -1", "seconds holds"),
        ("UPDATE trials SET seconds = 9e999", "seconds holds inf"),
        ("UPDATE trials SET algorithm = x'00'", "algorithm holds b"),
        ("UPDATE settings SET value = 'x' WHERE name = 'seed'", "seed"),
        ("DELETE FROM settings WHERE name = 'model'", "model"),
        ("DROP TABLE trials", "its table trials"),
    ],
)
def test_a_damaged_experiment_is_refused_and_left_alone(tmp_path, damage, says):
    out = tmp_path / "run.sqlite"
    with ThreadPoolExecutor(1) as pool:
        small(out, executor=pool)
        with sqlite3.connect(out) as connection:
            connection.executescript(damage.replace("UPDATE trials", "UPDATE OR REPLACE trials"))
        connection.close()
        before = out.read_bytes()
        with pytest.raises(ExperimentFileError, match=says):
            read_experiment(out)
        with pytest.raises(ExperimentFileError, match=says):
            small(out, executor=pool, resume=True)
    assert out.read_bytes() == before


def made_up(n: int, centre: float, width: float, samples: int, seed: int) -> SuccessCurve:
    alphas = np.linspace(1.3, 1.7, 9)
    p = 1.0 / (1.0 + np.exp((alphas - centre) / width))
    solved = np.random.default_rng(seed).binomial(samples, p)
    return SuccessCurve("1", "x", n, 1, tuple(alphas), (samples,) * 9, tuple(solved.tolist()), 0.0)


def test_crossings_and_their_errors_are_those_of_made_up_data():
    pulls = []
    for seed in range(200):
        curve = made_up(100, 1.5, 0.03, 24, seed)
        found = crossing(curve.alphas, curve.trials, curve.solved)
        assert found.low < found.alpha < found.high
        assert found.bracketed
        pulls.append((found.alpha - 1.5) / found.error)
    assert abs(np.mean(pulls)) < 0.25
    assert 0.8 < np.std(pulls) < 1.2


def test_separated_data_have_a_crossing_between_them_and_others_are_marked():
    found = crossing((1.0, 1.1, 1.2, 1.3), (8, 8, 8, 8), (8, 8, 0, 0))
    assert 1.1 < found.alpha < 1.2
    assert found.bracketed
    none = crossing((1.0, 1.1), (8, 8), (0, 0))
    assert not none.bracketed
    assert none.alpha < 1.05


@pytest.mark.parametrize(
    ("solved", "bracketed", "side"),
    [
        ((8, 8, 8), False, "above"),
        ((8, 8, 4), False, "above"),
        ((0, 0, 0), False, "below"),
        ((4, 1, 0), False, "below"),
        ((4, 4, 4), False, ""),
        ((0, 4, 8), False, ""),
        ((8, 4, 0), True, ""),
        ((8, 0, 8), True, ""),
    ],
)
def test_a_crossing_is_one_only_between_densities_that_were_tried(solved, bracketed, side):
    found = crossing((1.0, 1.2, 1.4), (8, 8, 8), solved)
    assert (found.bracketed, found.side) == (bracketed, side)


def test_nothing_is_extrapolated_from_what_is_no_crossing():
    good = made_up(100, 1.5, 0.02, 32, 0)
    for solved in ((32,) * 9, (0,) * 9):
        bad = replace(good, n=200, solved=solved)
        with pytest.raises(
            ValueError, match="do not bracket|does not bracket the crossing of n = 200"
        ):
            extrapolate([good, bad])
    with pytest.raises(ValueError, match="two sizes"):
        extrapolate([good, replace(good, solved=good.solved)])


def test_extrapolation_finds_the_limit_it_was_given():
    sizes = (250, 500, 1000)
    pulls = []
    for seed in range(60):
        curves = [made_up(n, 1.55 - 20 / n, 0.02, 32, 10 * seed + k) for k, n in enumerate(sizes)]
        found = extrapolate(curves)
        pulls.append((found.limit - 1.55) / found.error)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.3
    with pytest.raises(ValueError, match="two sizes"):
        extrapolate([made_up(100, 1.5, 0.02, 8, 0)])


def test_curves_gather_what_was_tried(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        found = small(tmp_path / "run.sqlite", executor=pool)
    curves = success_curves(found)
    assert [curve.n for curve in curves] == [30, 40]
    for curve in curves:
        assert curve.alphas == (0.6, 1.2, 2.4)
        assert curve.trials == (3, 3, 3)
        assert curve.solved[0] >= curve.solved[2]
        assert json.dumps(curve.solved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1.0, 1.0), (1, 1), (0, 0)), "two densities"),
        (((1.0, 1.1), (1, 1), (2, 0)), "at most as many solved"),
        (((1.0, 1.1), (1, 1), (0,)), "at most as many solved"),
    ],
)
def test_crossings_need_data_that_make_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        crossing(*arguments)
