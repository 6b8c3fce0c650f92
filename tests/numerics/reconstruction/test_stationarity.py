"""Multipliers from weights alone, residuals within bounds that hold, norms, kinks."""

import json

import numpy as np
import pytest

from numerics.reconstruction.network import misfit
from numerics.reconstruction.stationarity import (
    LOSSES,
    Stationarity,
    rays,
    stationarity,
    targets_of,
)


@pytest.mark.parametrize("loss", LOSSES[:4])
def test_fitted_multipliers_are_the_law_s_to_four_digits(smooth, loss: str) -> None:
    network, x, y = smooth(loss, 0.01)
    found = stationarity(network, x, y, loss, decay=0.01, clip=0.4)
    assert found.residual < 1e-5
    assert found.hard < 1e-5
    np.testing.assert_allclose(
        found.fitted, found.law, rtol=1e-4, atol=1e-4 * np.abs(found.law).max()
    )
    if loss == "cross-entropy":
        np.testing.assert_allclose(np.sum(found.law, axis=1), 0.0, atol=1e-12)


def test_one_multiplier_a_sample_is_not_enough(smooth) -> None:
    """f_y - f_runner-up alone, as in released code: a residual of tens of percent, where all fit."""
    network, x, y = smooth("cross-entropy", 0.01)
    f = network.passed(x).outputs
    sample, directions = rays(f, targets_of(3, y, "cross-entropy"), "cross-entropy")
    second = np.where(np.eye(3)[y] > 0, -np.inf, f).argmax(axis=1)
    one = np.array([d for i, d in zip(sample, directions, strict=True) if d[second[i]] < 0])
    parts = [
        misfit(network, x, np.diag(one[:, 0] * 0 + np.eye(5)[i]) @ one).residuals for i in range(5)
    ]
    columns = [
        np.concatenate([(w - r).ravel() for w, r in zip(network.weights, p, strict=True)])
        for p in parts
    ]
    theta = np.concatenate([w.ravel() for w in network.weights])
    rest = np.linalg.lstsq(np.array(columns).T, theta, rcond=None)[1]
    assert np.sqrt(rest[0]) / network.norm > 0.05
    assert stationarity(network, x, y, "cross-entropy", decay=0.01).hard < 1e-5


def test_a_network_near_rest_tells_its_decay_norms_and_kinks(relu) -> None:
    network, x, y = relu
    found = stationarity(network, x, y, "cross-entropy")
    assert found.decay == pytest.approx(0.01, rel=1e-3)
    assert found.low <= found.high < 0.1 < found.hard < found.residual
    np.testing.assert_allclose(found.norms, found.pairing, rtol=3e-3)
    balance = [np.linalg.norm(w, axis=a) for w, a in zip(network.weights, (1, 0), strict=True)]
    np.testing.assert_allclose(*balance, rtol=1e-2, atol=1e-3)
    assert found.kinks > 0.1
    assert found.hurt > 0.98
    assert found.rank == found.bound == 4
    assert found.outside < 1e-2
    other = stationarity(network, x[:, ::-1], y, "cross-entropy", decay=0.01)
    assert other.low > 0.5
    assert other.outside > 0.5


def test_no_multipliers_and_gates_are_below_the_bound(relu) -> None:
    network, x, y = relu
    rng = np.random.default_rng(0)
    for data in (x, x + 0.05 * rng.standard_normal(x.shape), x[:, ::-1]):
        found = stationarity(network, data, y, "cross-entropy", decay=0.01, kink=0.05)
        passed = network.passed(data)
        sample, directions = rays(
            passed.outputs, targets_of(4, y, "cross-entropy"), "cross-entropy"
        )
        lengths = np.outer(
            np.linalg.norm(passed.rows[0], axis=1), np.linalg.norm(network.weights[0], axis=1)
        )
        free = np.abs(passed.before[0]) <= 0.05 * lengths
        least = 1.0
        for _ in range(300):
            forces = np.abs(rng.standard_normal(len(sample))) * rng.choice([0.01, 0.1, 1.0])
            lam = np.zeros_like(passed.outputs)
            np.add.at(lam, sample, forces[:, None] * directions)
            lam = 0.9 * np.array(found.fitted) + 0.1 * lam
            gate = np.where(free, rng.random(free.shape), passed.gates[0])
            least = min(
                least, np.sqrt(misfit(network, data, lam, gates=[gate]).value) / network.norm
            )
        assert found.low <= found.high <= least


@pytest.mark.long
def test_a_regression_comes_to_rest_on_its_kinks(fitted) -> None:
    """Hard gates miss what gates at kinks give; multipliers, span, norms and decay to four digits."""
    network, x, y, _ = fitted(0.01, 20000, 0.03)
    found = stationarity(network, x, y, "squared")
    assert found.decay == pytest.approx(0.01, rel=1e-4)
    assert found.hard > 10 * found.high > 10 * found.low
    assert found.high < 0.02
    assert 0.1 < found.kinks < 0.5
    assert found.hurt > 0.98
    largest = np.abs(found.law).max()
    np.testing.assert_allclose(found.fitted, found.law, atol=2e-4 * largest)
    np.testing.assert_allclose(found.norms, found.pairing, rtol=2e-4)
    assert found.outside < 1e-6
    singular = np.linalg.svd(network.weights[0], compute_uv=False)
    assert singular[8] < 1e-6 * singular[0]


def test_without_decay_a_regression_satisfies_no_kkt_conditions(fitted) -> None:
    """Not from small starts either, of which next to nothing is left."""
    left, residuals = [], []
    for start in (0.1, 0.03, 0.01, 0.001):
        network, x, y, norm = fitted(0.0, 3000, start)
        np.testing.assert_allclose(network.passed(x).outputs[:, 0], y, atol=1e-6)
        left.append(norm / network.norm)
        residuals.append(stationarity(network, x, y, "interpolation").high)
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] > 0.4
    assert left[-1] < 0.1


def test_margins_need_no_decay(relu) -> None:
    network, x, y = relu
    found = stationarity(network, x, y, "margin")
    assert found.decay is None
    assert found.residual is None
    assert found.law == ()
    assert found.high < 0.1


def test_results_are_written_and_read(relu) -> None:
    found = stationarity(*relu, "cross-entropy")
    assert Stationarity.from_dict(json.loads(found.to_json())) == found
    assert len(found.rows()) == 4
    assert "at units that hurt" in found.note()
    assert found.plot().axes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.array([0, 1, 2, 7])}, "classes from 0 to 3"),
        ({"y": np.array([0, 1, 2])}, "x has 4 samples and y 3"),
        ({"x": np.ones((4, 9))}, "x has 9 columns, and the network 10 inputs"),
        ({"x": np.full((4, 10), np.nan)}, "x has 40 entries"),
        ({"loss": "hinge"}, "a loss is one of squared"),
        ({"loss": "logistic"}, "y needs 4 numbers a sample"),
        ({"decay": 0.0}, "a decay above 0, got 0"),
        ({"loss": "squared", "y": np.ones((4, 4)), "decay": 0.1, "clip": -1.0}, "a clip above 0"),
        ({"y": np.array([1, 2, 3, 0])}, "no weight decay agrees"),
    ],
)
def test_what_does_not_fit_is_refused(relu, change, words) -> None:
    network, x, y = relu
    given = {"x": x, "y": y, "loss": "cross-entropy", **change}
    with pytest.raises(ValueError, match=words):
        stationarity(network, **given)
