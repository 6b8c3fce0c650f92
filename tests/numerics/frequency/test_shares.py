"""Shares of energy: against quadrature, Monte Carlo, exact covariances and each other."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, signal, stats

from numerics.frequency import EnergyShares, autoregressive_shares, series_shares

PROCESSES = [(), (0.9,), (1.2, -0.5, 0.1), (0.0, 0.0, -0.7), (1.0, -0.25), (1.5, -0.75, 0.125)]
"""The last two have a double and a threefold pole."""


def quadrature(coefficients: tuple, band: float) -> float:
    def spectrum(x: float) -> float:
        return 1 / abs(1 - sum(a * np.exp(-1j * j * x) for j, a in enumerate(coefficients, 1))) ** 2

    part, whole = (integrate.quad(spectrum, 0, e * math.pi, epsabs=1e-13)[0] for e in (band, 1))
    return part / whole


@pytest.mark.parametrize("coefficients", PROCESSES)
def test_shares_are_integrals_of_the_spectrum(coefficients: tuple) -> None:
    found = autoregressive_shares(coefficients, (0.03, 0.4, 1.0))
    assert found.error < 1e-15
    assert found.shares[-1] == pytest.approx(1.0, abs=1e-15)
    for band, share in zip(found.bands, found.shares, strict=True):
        assert share == pytest.approx(quadrature(coefficients, band), abs=1e-11)


@pytest.mark.parametrize("length", [2, 3, 16, 17])
@pytest.mark.parametrize("coefficients", PROCESSES)
def test_finite_shares_follow_from_the_covariances(coefficients: tuple, length: int) -> None:
    """The expected energy of a bin is a quadratic form in the Toeplitz matrix of covariances."""
    pulse = signal.lfilter([1.0], [1.0, *(-a for a in coefficients)], [1.0] + [0.0] * 2000)
    lags = np.array([pulse[: 2001 - h] @ pulse[h:] for h in range(length)])
    covariance = lags[abs(np.subtract.outer(range(length), range(length)))] / lags[0]
    dft = np.fft.fft(np.eye(length), norm="ortho")
    energy = np.einsum("kn,nm,km->k", dft, covariance, dft.conj()).real / length
    found = autoregressive_shares(coefficients, (0.2, 1.0), length)
    for band, share in zip(found.bands, found.finite, strict=True):
        inside = min(round(band * length), length)
        low = np.abs(np.fft.fftfreq(length)) * length <= inside / 2
        assert share == pytest.approx(energy[low].sum(), abs=1e-12)


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=5))
def test_white_noise_compacts_nothing(bands: list[float]) -> None:
    found = autoregressive_shares((), bands, 64)
    assert found.shares == pytest.approx(found.bands, abs=1e-15)
    assert found.finite == pytest.approx(found.bands, abs=1e-15)


def test_poles_nearly_on_the_circle_keep_the_promise() -> None:
    """A first-order process has a closed form without poles to isolate."""
    phi = Fraction(999999, 1000000)
    found = autoregressive_shares([phi], (0.001,))
    ratio = float((1 + phi) / (1 - phi))
    wanted = 2 / math.pi * math.atan(ratio * math.tan(0.001 * math.pi / 2))
    assert abs(found.shares[0] - wanted) <= found.error + 1e-15


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: autoregressive_shares([1.0]),
            "not stationary: its largest pole has the modulus 1",
        ),
        (lambda: autoregressive_shares([0.5, math.nan]), "finite coefficients"),
        (lambda: autoregressive_shares([0.5], [0.0]), "bands are shares"),
        (lambda: autoregressive_shares([0.5], length=1), "length is between 2 and 10000, got 1"),
        (lambda: series_shares([]), "has no samples"),
        (lambda: series_shares([1.0, 2.0]), "2 samples, and 8 are needed"),
        (lambda: series_shares([1.0, math.nan] * 8), "8 values that are nan, .* first at sample 1"),
        (lambda: series_shares([3.0] * 8), "constant"),
        (lambda: series_shares(np.ones((8, 2))), "one column"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_p_values_of_white_noise_are_uniform() -> None:
    rng = np.random.default_rng(5)
    for size in (40, 41):
        tails = [series_shares(rng.standard_normal(size), (0.1,)).tails[0] for _ in range(400)]
        assert stats.kstest(tails, "uniform").pvalue > 1e-4
    assert series_shares(np.cumsum(rng.standard_normal(200))).tails[1] < 1e-6


def test_p_values_are_those_of_a_variance_ratio() -> None:
    """Energies of m bins of two components each, over those of the size - 1 - 2 m others."""
    found = series_shares(np.random.default_rng(7).standard_normal(51), (0.2, 0.4))
    assert found.bands == pytest.approx([2 * 5 / 50, 2 * 10 / 50], rel=1e-15)
    for m, share, tail in zip((5, 10), found.shares, found.tails, strict=True):
        ratio = (share / (2 * m)) / ((1.0 - share) / (50 - 2 * m))
        assert tail == pytest.approx(stats.f.sf(ratio, 2 * m, 50 - 2 * m), rel=1e-10)


@pytest.mark.parametrize("size", [8, 9])
def test_the_shares_of_all_bins_are_everything(size: int) -> None:
    x = np.random.default_rng(1).standard_normal(size)
    found = series_shares(1e90 * x, (1.0,))
    nyquist = abs(np.fft.rfft(x - x.mean())[-1]) ** 2 / size * (size % 2 == 0)
    assert found.shares[0] == pytest.approx(1.0 - nyquist / ((x - x.mean()) ** 2).sum(), abs=1e-12)


def test_results_are_read_back_and_drawn() -> None:
    for found in (autoregressive_shares([0.5], length=9), autoregressive_shares([0.5])):
        assert EnergyShares.from_dict(found.to_dict()) == found
        assert found.coefficients == (0.5,)
        assert ("length 9" in found.rows()[0]) == (found.length == 9)
        assert found.plot().axes[0].get_xlabel()
    assert series_shares(np.arange(20.0), name="ramp").plot().axes[0].get_ylabel()
