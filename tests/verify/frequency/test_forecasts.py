"""Series, windows, forecasts and their comparison; an experiment that resumes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numerics.frequency import real_spectrum
from verify.errors import CasesFileError
from verify.frequency.forecasts import (
    ARMS,
    Forecasts,
    cases,
    compare,
    forecast_case,
    linear_forecast,
    run_forecasts,
)
from verify.frequency.series import SERIES, Windows, make_series, windows

SMALL: dict[str, Any] = {"length": 8, "horizon": 2, "embedding": 2, "hidden": 3, "epochs": 1}


@pytest.mark.parametrize("name", SERIES)
def test_every_series_is_whole_and_follows_from_its_seed(name: str) -> None:
    one, two = (make_series(name, np.random.default_rng(4)) for _ in range(2))
    assert one.shape == (309,)
    assert np.isfinite(one).all()
    assert np.array_equal(one, two)


def test_drawn_series_are_what_they_say() -> None:
    draws = np.array(
        [make_series("autoregression", np.random.default_rng(s), 50) for s in range(4000)]
    )
    for at in (0, 49):
        assert draws[:, at].var() == pytest.approx(1.0 / (1.0 - 0.81), rel=0.1)
    tone = make_series("tones", np.random.default_rng(0), 48_000)
    energy = np.abs(np.fft.rfft(tone, norm="ortho")) ** 2
    assert sorted(np.argsort(energy)[-3:] % 1000) == [0, 0, 0]
    assert np.delete(energy, np.argsort(energy)[-3:]).mean() == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(("size", "length", "horizon"), [(100, 10, 3), (21, 8, 4), (57, 32, 1)])
def test_windows_do_not_look_ahead(size: int, length: int, horizon: int) -> None:
    x = np.arange(float(size)) ** 1.5
    data = windows(x, length, horizon)
    mean, deviation = x[: int(0.6 * size)].mean(), x[: int(0.6 * size)].std()

    def when(values: np.ndarray) -> np.ndarray:
        return ((values * deviation + mean) ** (1 / 1.5)).round(6)

    last = -1.0
    for inputs, targets in (data.train, data.validation, data.test):
        assert len(inputs) == len(targets) > 0
        assert when(inputs)[:, -1] + 1 == pytest.approx(when(targets)[:, 0])
        assert when(targets).min() > last
        last = when(targets).max()
    assert last <= size - 1
    assert len(np.unique(when(data.test[1]))) == data.test[1].size


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([], "has no samples"),
        (np.ones(10), "10 samples, and windows of 8 with 2 to forecast need at least 18"),
        ([1.0, np.nan] * 20, "20 values that are nan"),
        (np.ones(40), "constant"),
    ],
)
def test_bad_series_are_refused_in_one_line(x: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        windows(x, 8, 2)


def drawn(horizon: int) -> Windows:
    return windows(make_series("tones", np.random.default_rng(1), 150), 20, horizon)


@pytest.mark.parametrize("horizon", [1, 3])
def test_ridge_is_the_same_in_both_domains_and_the_lasso_is_not(horizon: int) -> None:
    data = drawn(horizon)
    one, two = (linear_forecast(data, "ridge", change) for change in (None, real_spectrum))
    assert one.shape == data.test[1].shape
    assert one == pytest.approx(two, abs=1e-10)
    one, two = (linear_forecast(data, "lasso", change) for change in (None, real_spectrum))
    assert one.shape == data.test[1].shape
    assert abs(one - two).max() > 1e-3


def test_the_penalty_is_the_one_that_validates_best() -> None:
    """Against normal equations at each penalty, with an intercept."""
    data = drawn(1)
    means = [part.mean(axis=0) for part in data.train]
    x, y = (part - mean for part, mean in zip(data.train, means, strict=True))
    best = min(
        (np.mean((f(data.validation[0]) - data.validation[1]) ** 2), f(data.test[0]).tolist())
        for penalty in 10.0 ** np.arange(-3, 2.5, 0.5)
        for w in [np.linalg.solve(x.T @ x + penalty * len(x) * np.eye(20), x.T @ y)]
        for f in [lambda z, w=w: (z - means[0]) @ w + means[1]]
    )
    assert linear_forecast(data, "ridge") == pytest.approx(np.array(best[1]), abs=1e-9)


def test_comparisons_are_paired() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(1.0, 3.0, (30, 8))
    assert compare(base * 1.001, base, True).verdict == "equal"
    assert compare(base * rng.uniform(1.1, 1.3, base.shape), base, True).verdict == "worse"
    assert compare(base / 1.5, base, False).verdict == "better"
    assert compare(rng.uniform(1.0, 3.0, (30, 8)), base, False).verdict == "undecided"
    assert compare(base, base, True).p_value == 1.0
    assert (compare(base, base, True).pairs, compare(base, base, False).pairs) == (30, 8)


@pytest.mark.parametrize("drawn", [True, False])
def test_the_paired_test_keeps_its_level(drawn: bool) -> None:
    """Also where seeds and windows have effects of their own, equal in the mean."""
    rng = np.random.default_rng(3)

    def errors() -> np.ndarray:
        effects = rng.standard_normal((12, 1)) + (not drawn) * rng.standard_normal((1, 15))
        return np.exp(0.2 * effects + 0.1 * rng.standard_normal((12, 15)))

    trials = [compare(errors(), errors(), drawn).p_value < 0.05 for _ in range(600)]
    assert 0.02 < np.mean(trials) < 0.075


@pytest.mark.long
def test_an_experiment_resumes(tmp_path: Path) -> None:
    out = tmp_path / "f.sqlite"
    told: list[tuple[int, int, int]] = []
    with ThreadPoolExecutor(1) as here:
        first = run_forecasts(["walk"], 2, seed=5, out=out, executor=here, **SMALL)
        more: dict[str, Any] = {"out": out, "resume": True, "executor": here, **SMALL}
        found = run_forecasts(["walk"], 3, seed=5, progress=lambda *at: told.append(at), **more)
        with pytest.raises(CasesFileError, match="seed"):
            run_forecasts(["walk"], 2, seed=6, **more)
        assert found == run_forecasts(["walk"], 3, seed=5, executor=here, **SMALL)
    assert told == [(2, 3, 0), (3, 3, 0)]
    assert found.replicates == 3 != first.replicates
    assert found == Forecasts.from_dict(found.to_dict())
    assert len(found.rows()) == len(ARMS)
    assert found.comparisons["walk"]["ridge-frequency"][-1] == "equal"
    assert found.plot().axes[0].get_xlabel()


@pytest.mark.slow
def test_workers_do_not_matter(tmp_path: Path) -> None:
    there = run_forecasts(["co2"], 2, seed=5, out=tmp_path / "f.sqlite", workers=2, **SMALL)
    assert there == run_forecasts(["co2"], 2, seed=5, **SMALL)


@pytest.mark.parametrize(
    ("series", "options", "words"),
    [
        (["rain"], {}, "series among tones"),
        (["walk"], {"replicates": 1}, "at least 2 replicates"),
        (["walk"], {"length": 300}, "309 samples, and windows of 300"),
        (["walk"], {"length": 180, "horizon": 1}, "leave walk 5 to train"),
    ],
)
def test_what_makes_no_sense_is_refused(series: list, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_forecasts(series, **options)


@pytest.mark.long
def test_a_case_has_all_methods() -> None:
    (case,) = cases(["sunspots"], 1, **SMALL)
    outcome = forecast_case(case, 0)
    assert list(outcome) == list(ARMS)
    assert len({len(errors) for errors in outcome.values()}) == 1
