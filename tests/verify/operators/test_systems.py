"""The systems are the specified ones: counted, equivariant, real, and exact where data are."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from theory.operators import layers
from verify.networks.training import jax_modules
from verify.operators import systems
from verify.operators.data import burgers, sampled, spectra


@pytest.mark.parametrize("kind", systems.KINDS)
def test_parameters_are_those_that_theory_counts(kind: str) -> None:
    jax, _, _ = jax_modules()
    width, size = 6, 5
    p = systems.start(jax.random.key(0), kind, width, size)
    count = sum(x.size for x in jax.tree.leaves(p))
    ours = layers.network_parameters(1).value.subs(
        {layers.N_FEATURES: size, layers.WIDTH: width, layers.IN: 1, layers.OUT: 1, layers.DEPTH: 4}
    )
    at = {layers.N_FEATURES: size, layers.MODES: size, layers.WIDTH: width, layers.DIM: 1}
    kernel = layers.amortised_parameters().value.subs(at)
    own = {
        "fourier": layers.fourier_parameters().value.subs(at),
        "spline": 2 * size * (systems._INTERVALS + 4) * width**2,
    }.get(kind, kernel)
    assert count == ours - 4 * kernel + 4 * own


def test_networks_start_as_specified() -> None:
    """Linear maps uniform within 1/sqrt(inputs), modes within 1/w^2; four layers."""
    jax, _, _ = jax_modules()
    for kind in ("amortised", "fourier"):
        p = systems.start(jax.random.key(1), kind, 16, 10)
        assert len(p["layers"]) == 4
        for layer in p["layers"]:
            first = layer["point"]["first"]["w"]
            assert first.shape == (16, 64)
            assert np.abs(first).max() == pytest.approx(0.25, rel=0.01)
            for part in layer["kernel"]:
                if kind == "fourier":
                    assert 0.0 <= part.min() < part.max() == pytest.approx(1 / 256, rel=0.01)
                else:
                    assert [part[name]["w"].shape for name in ("first", "second")] == [
                        (10, 20),
                        (20, 256),
                    ]
                    assert np.abs(part["second"]["w"]).max() == pytest.approx(20**-0.5, rel=0.01)
        for dense in (p["lift"], p["out"]):
            assert np.abs(dense["w"]).max() <= len(dense["w"]) ** -0.5


def test_a_kernel_network_holds_every_linear_readout() -> None:
    """As theory says: pairs of its 2n units."""
    n, rng = 5, np.random.default_rng(0)
    wanted, constant = rng.standard_normal((n, 9)), rng.standard_normal(9)
    p = {
        "first": {"w": np.hstack([np.eye(n), -np.eye(n)]), "b": np.zeros(2 * n)},
        "second": {"w": np.vstack([wanted, -wanted]), "b": constant},
    }
    x = rng.standard_normal((7, n))
    np.testing.assert_allclose(systems.through(p, x), x @ wanted + constant, atol=1e-13)


def test_a_network_on_a_finer_grid_is_the_same_operator_when_mended() -> None:
    """Band-limited fields through one layer's kernel: what the finer grid samples is the same function."""
    rng = np.random.default_rng(0)
    coefficients = spectra(rng, 3, 32, 2.0)
    for grid in (64, 128):
        frequency, seen = systems.frequencies(grid, 32, mended=True)
        t = systems.inputs_of("rescaled", frequency, 4)
        r = (t @ np.arange(1.0, 5.0)) * seen
        out = np.fft.irfft(r * np.fft.rfft(sampled(coefficients, grid)), n=grid)
        coarse, kept = systems.frequencies(32, 32, mended=True)
        own = (systems.inputs_of("rescaled", coarse, 4) @ np.arange(1.0, 5.0)) * kept
        there = np.fft.irfft(own * np.fft.rfft(sampled(coefficients, 32)), n=32)
        np.testing.assert_allclose(out[:, :: grid // 32], there, atol=1e-12)
    frequency, seen = systems.frequencies(64, 32, mended=False)
    assert frequency[16] == 0.25
    assert seen.all()


def test_features_are_chebyshev_polynomials_and_splines_sum_to_one() -> None:
    f = np.fft.rfftfreq(32)
    np.testing.assert_allclose(
        systems.inputs_of("amortised", f, 7),
        np.cos(np.arccos(f)[:, None] * np.arange(1, 8)),
        atol=1e-13,
    )
    spline = systems.inputs_of("spline", f, 3)
    splines = spline[:, 3:].reshape(len(f), 3, -1)
    np.testing.assert_allclose(splines.sum(axis=2), 1.0, atol=1e-12)


def test_spectra_have_the_stated_power_on_every_grid() -> None:
    coefficients = spectra(np.random.default_rng(1), 20_000, 16, 1.0)
    means = (np.abs(coefficients) ** 2).mean(axis=0) * np.where(np.arange(8) > 0, 2.0, 1.0)
    expected = np.r_[1.0, 2.0 / np.arange(1, 8) ** 2]
    assert np.abs(means / expected - 1.0).max() < 0.08  # five standard errors of the mean mode
    for grid in (16, 32):
        energy = (sampled(coefficients, grid) ** 2).mean(axis=1)
        own = np.abs(coefficients) ** 2 @ np.where(np.arange(8) > 0, 2.0, 1.0)
        np.testing.assert_allclose(energy, own, rtol=1e-10)


def test_burgers_is_solved_as_by_the_method_of_lines() -> None:
    nu, time = 0.2, 0.7
    ((start, end),) = burgers(np.random.default_rng(2), 2, (128,), nu, time)
    k = 1j * np.fft.rfftfreq(128, 1.0 / 128)

    def rate(_: float, u: np.ndarray) -> np.ndarray:
        c = np.fft.rfft(u)
        return np.fft.irfft(nu * k**2 * c - k * np.fft.rfft(u * u) / 2.0, n=128)

    for u, v in zip(start, end, strict=True):
        lines = solve_ivp(rate, (0.0, time), u, method="LSODA", rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(lines.y[:, -1], v, atol=1e-6)
        assert abs(u.mean()) < 1e-12
        assert (u**2).mean() == pytest.approx(0.5, rel=1e-12)
        assert np.linalg.norm(v) < np.linalg.norm(u)
    grids = burgers(np.random.default_rng(2), 2, (64, 128), nu, time)
    np.testing.assert_array_equal(grids[0][1], grids[1][1][:, ::2])
    assert math.isfinite(end.max())
