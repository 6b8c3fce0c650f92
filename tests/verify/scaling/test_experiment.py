"""The experiment: each kind of case, theory beside it, the same on any number of workers."""

import numpy as np
import pytest

from verify.cases import case_seed, run_cases
from verify.scaling.experiment import cases, run_case, scaling_experiment, summary

WHITE = {"part": "whitened", "system": "replaced", "sizes": "20,300", "draws": 20}
LOCAL = {"part": "local", "system": "ntk", "sizes": "30", "draws": 2}


def test_theory_stands_beside_what_is_measured():
    done = [(case, run_case(case, case_seed(0, case))) for case in (WHITE, LOCAL)]
    result = summary(done)
    few, many, local = result.curves
    assert many["n"] == 300
    assert abs(many["error"] / many["predicted"] - 1) < 5 * many["se"] / many["error"] + 0.03
    assert few["error"] > many["error"]
    assert local["predicted"] is None
    assert local["permuted"] == pytest.approx(
        local["error"], abs=1e-9
    )  # kernels do not see the order
    assert not result.fit
    assert result.note() == ""
    assert type(result).from_dict(result.to_dict()) == result


def test_cases_are_different_and_the_small_ones_few():
    for small in (False, True):
        names = [str(sorted(c.items())) for c in cases(small)]
        assert len(set(names)) == len(names)
    assert len(cases(True)) < 8


@pytest.mark.long
def test_workers_do_not_change_results(tmp_path):
    here = run_cases("scaling", run_case, [WHITE, LOCAL], seed=4)
    there = run_cases(
        "scaling", run_case, [WHITE, LOCAL], seed=4, out=tmp_path / "a.sqlite", workers=2
    )
    for (_, one), (_, other) in zip(here, there, strict=True):
        np.testing.assert_allclose(one["error"], other["error"], rtol=1e-9)


@pytest.mark.slow
def test_the_small_experiment_resumes(tmp_path):
    out = tmp_path / "a.sqlite"
    first = scaling_experiment(small=True, out=out)
    told = []
    again = scaling_experiment(small=True, out=out, resume=True, progress=lambda *a: told.append(a))
    assert again == first
    assert told == [(len(cases(True)), len(cases(True)), 0)]
    mlp = [r for r in first.curves if r["system"] == "bottleneck"]
    assert mlp[0]["permuted"] == pytest.approx(mlp[0]["error"], abs=1e-9)
    assert first.plot().axes
