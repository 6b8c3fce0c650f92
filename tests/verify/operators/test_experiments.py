"""The experiment: errors are those that theory predicts, on any number of workers."""

import json
from pathlib import Path

import pytest

from verify.operators.experiments import (
    KERNELS,
    PROBLEMS,
    Trials,
    burgers_errors,
    cases,
    experiment,
    linear_case,
)


@pytest.mark.parametrize("problem", ["heat", "screened-poisson", "shift-6", "shift-12"])
@pytest.mark.parametrize("kernel", ["fourier", "readout"])
def test_measured_errors_are_the_predicted_ones(problem: str, kernel: str) -> None:
    found = linear_case(problem, kernel, 1)
    # 200 fields, each with some ten modes that count: a tenth is several standard errors
    assert found["error"] == pytest.approx(found["predicted"], rel=0.1)
    if kernel == "readout":
        assert found["twice"] == pytest.approx(found["predicted_twice"], rel=0.1)


def test_splines_interpolate_and_the_mend_mends() -> None:
    for problem in ("heat", "shift-2"):
        found = linear_case(problem, "spline", 0)
        assert found["error"] < 1e-10
        assert found["twice"] > 0.05
        assert found["mended"] < 0.3 * found["twice"]


def test_a_perceptron_of_features_comes_below_one_percent() -> None:
    found = linear_case("heat", "perceptron", 0, 1500)
    assert found["error"] < 0.01 < found["twice"]
    assert found["mended"] < 0.02
    assert found["parameters"] == 2 * (10 * 20 + 20 + 20 + 1)


def test_cases_are_paired_and_different() -> None:
    listed = cases(("linear", "burgers"), 3, 8, 100, 5)
    assert len(listed) == 4 * 3 + len(PROBLEMS) * len(KERNELS)
    assert {c["draw"] for c in listed if c["kernel"] == "spline" and "draw" in c} == {
        5000,
        5001,
        5002,
    }


def test_outcomes_do_not_depend_on_where_they_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verify.operators import experiments

    monkeypatch.setattr(experiments, "KERNELS", ("fourier", "readout"))
    here = experiment(["linear"], seed=3)
    there = experiment(["linear"], seed=3, out=tmp_path / "a.sqlite", workers=1)
    again = experiment(["linear"], seed=3, out=tmp_path / "a.sqlite", workers=1, resume=True)
    assert here == there == again
    assert Trials.from_dict(json.loads(here.to_json())) == here
    assert here.plot().axes[0].get_yscale() == "log"
    assert here.rows()[0]["problem"] == "heat"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"parts": ["heat"]}, "parts are linear and burgers, got heat"),
        ({"parts": []}, "got none"),
        ({"draws": 0}, "are positive, got 0, 8, 500"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        experiment(**arguments)


@pytest.mark.slow
def test_networks_on_burgers_learn_and_lose_it_on_another_grid_unless_mended() -> None:
    (found,) = burgers_errors("amortised", [1], 8, 200)
    assert found["error"] < 0.2
    assert found["twice"] > 2.0 * found["error"]
    assert found["mended"] < 1.2 * found["error"]
    assert burgers_errors("amortised", [1], 8, 200) == [found]
