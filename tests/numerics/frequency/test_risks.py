"""Risks of soft thresholding, against Monte Carlo and other routes."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from numerics.frequency import domain_risks, real_spectrum, threshold_risks


def soft(x: np.ndarray, threshold: float) -> np.ndarray:
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0.0)


def test_the_largest_risk_is_that_of_large_coefficients() -> None:
    found = threshold_risks(64, 4, 0.5)
    rng = np.random.default_rng(0)
    mean = np.where(np.arange(64) < 4, 1e6, 0.0)
    for threshold, risk in (found.universal, found.best):
        noisy = mean + 0.5 * rng.standard_normal((20000, 64))
        losses = ((soft(noisy, threshold) - mean) ** 2).sum(axis=1)
        assert abs(losses.mean() - risk) < 5 * losses.std() / math.sqrt(20000)
    assert found.best[1] < found.universal[1]
    assert (found.dense, found.sigma) == (16.0, 0.5)
    assert found.oracle == 1.0


def test_the_best_threshold_is_where_the_risk_is_least() -> None:
    for length, nonzero in ((2, 1), (100, 7), (10**9, 1), (50, 50)):
        found = threshold_risks(length, nonzero)
        bound = nonzero * (1 + found.universal[0] ** 2) + 1
        assert found.best[1] <= found.universal[1] + found.error <= bound + 2 * found.error
    assert threshold_risks(50, 50).best == (0.0, 50.0)


def test_thresholds_are_universal_and_best() -> None:
    """The first is sigma sqrt(2 log T), the second the least of a worst risk that is written again here."""

    def worst(threshold: float) -> float:
        silent = 2 * ((1 + threshold**2) * norm.sf(threshold) - threshold * norm.pdf(threshold))
        return 60 * silent + 4 * (1 + threshold**2)

    found = threshold_risks(64, 4, 0.5)
    universal = math.sqrt(2 * math.log(64))
    assert found.universal == pytest.approx((0.5 * universal, 0.25 * worst(universal)), rel=1e-12)
    best = minimize_scalar(worst, bounds=(0.0, 4.0), options={"xatol": 1e-10})
    assert found.best == pytest.approx((0.5 * best.x, 0.25 * best.fun), rel=1e-6)
    assert [row["threshold"] for row in found.rows()] == [
        0.0,
        *(t for t, _ in (found.universal, found.best)),
        None,
    ]
    assert domain_risks(np.ones(9), 0.3).threshold == pytest.approx(
        0.3 * math.sqrt(2 * math.log(9))
    )


@pytest.mark.parametrize("length", [32, 33])
def test_risks_of_a_signal_are_means_over_noise(length: int) -> None:
    t = np.arange(length)
    tone = np.cos(2 * np.pi * 3 * t / length)
    spike = np.where(t == 5, 4.0, 0.0)
    rng = np.random.default_rng(1)
    for x in (tone, spike):
        found = domain_risks(x, 0.3)
        assert found.sigma == 0.3
        noisy = x + 0.3 * rng.standard_normal((20000, length))
        pairs = ((x, noisy, found.time), (real_spectrum(x), real_spectrum(noisy), found.frequency))
        for mean, seen, (risk, size) in pairs:
            losses = ((soft(seen, found.threshold) - mean) ** 2).sum(axis=1)
            assert abs(losses.mean() - risk) < 5 * losses.std() / math.sqrt(20000)
            assert size == pytest.approx(np.abs(mean).sum())
        assert (found.frequency < found.time) == (x is tone)


def test_a_threshold_of_zero_keeps_everything_in_both_domains() -> None:
    found = domain_risks(np.arange(7.0), 0.5, 0.0)
    assert abs(found.time[0] - found.dense) <= found.error
    assert abs(found.frequency[0] - found.dense) <= found.error
    assert found.plot().axes[0].get_xlabel()
    assert threshold_risks(9, 2).plot().axes[0].get_xlabel()
    assert len(found.rows()) == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: threshold_risks(1, 1), "length is between 2"),
        (lambda: threshold_risks(8, 9), "not 0 is between 1 and 8, got 9"),
        (lambda: threshold_risks(8, 2, math.nan), "sigma is positive"),
        (lambda: domain_risks([]), "has no samples"),
        (lambda: domain_risks([1.0, 2.0], threshold=-1.0), "not negative, got -1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
