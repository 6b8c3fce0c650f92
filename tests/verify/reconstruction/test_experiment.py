"""Networks trained on digits: data that is shared as it should be, weights that come to rest, averages."""

import json

import numpy as np
import pytest

from numerics.reconstruction.attack import audit, matched, reconstruct
from numerics.reconstruction.stationarity import stationarity
from verify.reconstruction.experiment import Leaks, cases, recovered
from verify.reconstruction.training import LOSS, TASKS, digits, trained


@pytest.mark.parametrize("task", TASKS)
def test_samples_are_drawn_in_equal_parts_and_others_are_others(task: str) -> None:
    x, y, others = digits(task, 20, 3)
    kinds = 10 if task in ("multiclass", "convolution") else 2
    assert sorted(np.unique(y, return_counts=True)[1]) == [20 // kinds] * kinds
    assert others.shape == (40, 64)
    assert np.linalg.norm(x[:, None] - others[None], axis=2).min() > 0.0
    again = digits(task, 20, 3)
    np.testing.assert_array_equal(again[0], x)
    assert np.abs(digits(task, 20, 4)[0] - x).max() > 0.1


@pytest.mark.parametrize("task", ["multiclass", "convolution"])
def test_descent_with_decay_comes_to_rest(task: str) -> None:
    made = trained(task, 10, 40, 0.03, 1)
    found = stationarity(made.network, made.x, made.y, LOSS[task][0])
    assert found.decay == pytest.approx(0.03, rel=0.02)
    assert found.high < 0.1
    np.testing.assert_allclose(found.norms, found.pairing, rtol=0.02)


@pytest.mark.long
def test_a_case_has_the_same_outcome_again_and_draws_share_data() -> None:
    chosen = cases(("regression",), (6,), (20,), (0.05, 0.0), 2, seed=5)
    assert [c["decay"] for c in chosen] == [0.05, 0.05, 0.0, 0.0]
    assert chosen[0]["data"] == chosen[2]["data"] != chosen[1]["data"]
    first = recovered(dict(chosen[0]), 9)
    assert recovered(dict(chosen[0]), 9) == first
    json.dumps(first, allow_nan=False)
    network, x, y, others = trained("regression", 6, 20, 0.05, chosen[0]["data"])
    own = stationarity(network, x, y, "squared")
    foreign = stationarity(network, others[:6], y, "squared", decay=0.05)
    found = reconstruct(network, 12, seed=4)  # half of 9, as seeds of NumPy are smaller
    result, nearest = audit(network, found, x, seed=4), matched(others, x)[0]
    want = {"hard": own.hard, "low": own.low, "high": own.high, "foreign": foreign.high}
    want |= {"kinks": own.kinks, "rank": own.rank, "misfit": found.residual}
    want |= {"share": np.mean(np.array(result.cosines) > 0.9), "cosine": np.mean(result.cosines)}
    want |= {"ssim": np.mean(result.similarities), "start cosine": np.mean(result.start_cosines)}
    want |= {"starts": np.mean(np.array(result.start_cosines) > 0.9)}
    want |= {"others": np.mean(nearest > 0.9), "other cosine": nearest.mean()}
    assert first == pytest.approx(want)
    table = Leaks.of([(dict(chosen[0]), first), (dict(chosen[1]), {**first, "share": 1.0})])
    (row,) = table.rows()
    assert row["back"] == pytest.approx((first["share"] + 1.0) / 2, abs=1e-3)
    assert row["error"] == pytest.approx((1.0 - first["share"]) / 2, abs=1e-3)
    assert Leaks.from_dict(json.loads(table.to_json())) == table
    assert table.plot().axes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ("sleep",)}, "a task is one of multiclass"),
        ({"samples": (1,)}, "samples are from 2 to 500, got 1"),
        ({"decays": (7.0,)}, "a decay is 0, or from 0.0001 to 0.1, got 7"),
    ],
)
def test_cases_that_make_no_sense_are_refused(change, words) -> None:
    with pytest.raises(ValueError, match=words):
        cases(**change)
