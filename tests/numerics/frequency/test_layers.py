"""Layers against their closed kernels, for even and odd lengths, and what no shared layer can do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics.frequency import (
    apply_layer,
    filter_kernel,
    layer_effect,
    real_spectrum,
    shared_kernel,
)

LENGTHS = st.integers(1, 400)
SEEDS = st.integers(0, 10**6)
PARTS = st.floats(-3.0, 3.0)
WEIGHTS = st.builds(complex, PARTS, PARTS)


def convolved(kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    length = len(x)
    return kernel[np.subtract.outer(np.arange(length), np.arange(length)) % length] @ x


@given(LENGTHS, WEIGHTS, SEEDS)
def test_a_shared_weight_is_an_identity_and_a_hilbert_transform(
    length: int, weight: complex, seed: int
) -> None:
    x = np.random.default_rng(seed).standard_normal(length)
    kernel = shared_kernel(weight, length)
    assert kernel == pytest.approx(
        filter_kernel(np.full(length // 2 + 1, weight), length), abs=1e-14
    )
    assert convolved(kernel, x) == pytest.approx(apply_layer(x, weight), abs=1e-12)


@given(st.integers(1, 120), SEEDS)
def test_a_weight_per_bin_is_any_filter(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, x = rng.standard_normal((2, length))
    weights = np.fft.rfft(kernel)
    assert filter_kernel(weights, length) == pytest.approx(kernel, abs=1e-12)
    assert apply_layer(x, weights) == pytest.approx(convolved(kernel, x), abs=1e-11)


@given(LENGTHS, SEEDS)
def test_the_real_basis_is_orthonormal(length: int, seed: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, length))
    assert real_spectrum(x).shape == (length,)
    assert real_spectrum(x) @ real_spectrum(y) == pytest.approx(x @ y, abs=1e-12 * max(length, 10))


@given(st.integers(3, 60), WEIGHTS, WEIGHTS, st.floats(0.0, 1.0), SEEDS)
def test_whole_layers_cannot_tell_bins_apart(
    length: int, weight: complex, bias: complex, shrinkage: float, seed: int
) -> None:
    """They commute with every permutation of the bins strictly between 0 and T/2."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(length)
    order = np.arange(length // 2 + 1)
    order[1 : (length + 1) // 2] = rng.permutation(order[1 : (length + 1) // 2])

    def permuted(y: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.fft.rfft(y)[order], length)

    one = permuted(apply_layer(x, weight, bias, shrinkage))
    assert one == pytest.approx(apply_layer(permuted(x), weight, bias, shrinkage), abs=1e-12)


@given(st.integers(2, 60), WEIGHTS, WEIGHTS, st.floats(0.0, 1.0), SEEDS)
def test_shrinkage_is_a_bias_and_the_output_peaks_at_0(
    length: int, weight: complex, bias: complex, shrinkage: float, seed: int
) -> None:
    x = np.random.default_rng(seed).standard_normal(length)
    y = apply_layer(x, weight, bias, shrinkage)
    assert y == pytest.approx(apply_layer(x, weight, bias - shrinkage * (1 + 1j)), abs=1e-12)
    assert np.all(np.abs(y + np.roll(y[::-1], 1)) / 2 <= y[0] + 1e-12)
    bins = np.fft.rfft(y, norm="ortho")
    assert min(bins.real.min(), bins.imag[1 : (length + 1) // 2].min(initial=0.0)) >= -1e-12


def test_a_bias_is_a_pulse() -> None:
    """Large enough, it leaves everything linear: the pulse is what a zero signal gives."""
    for length in (8, 9):
        x = np.random.default_rng(2).standard_normal(length)
        pulse = math.sqrt(length) * shared_kernel(50 + 40j, length)
        y = apply_layer(x, 0.3 - 0.2j, 50 + 40j)
        assert y == pytest.approx(apply_layer(x, 0.3 - 0.2j) + pulse, abs=1e-12)


def test_an_effect_is_within_its_error_and_drawn() -> None:
    x = np.random.default_rng(0).standard_normal(33)
    found = layer_effect(x, 0.6 + 0.8j, 0.2, 0.01)
    direct = np.array(
        [sum(found.kernel[(i - j) % 33] * x[j] for j in range(33)) for i in range(33)]
    )
    assert np.abs(direct - found.linear).max() <= found.error < 1e-12
    at = np.arange(33)
    waves = np.exp(-2j * np.pi * np.outer(at[:17], at) / 33) / math.sqrt(33.0)
    bins = waves @ x * (0.6 + 0.8j) + 0.2
    parts = [np.maximum(np.maximum(part, 0.0) - 0.01, 0.0) for part in (bins.real, bins.imag)]
    twice = np.where(at[:17] > 0, 2.0, 1.0)
    output = (twice * (parts[0] + 1j * parts[1])) @ waves.conj()
    assert np.abs(output.real - found.output).max() <= found.error
    assert found.signal == pytest.approx(x, abs=0.0)
    assert (found.weight, found.bias, found.shrinkage) == ((0.6, 0.8), (0.2, 0.0), 0.01)
    assert len(found.rows()) == 33
    assert len(found.plot().axes) == 3
    assert type(found).from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: apply_layer(np.ones(8), [1.0, 2.0]), "each of the 5 bins"),
        (lambda: apply_layer(np.ones(8), math.nan), "weights are finite"),
        (lambda: apply_layer(np.ones(8), 1.0, 0.0, -1.0), "shrinkage >= 0"),
        (lambda: shared_kernel(1.0, 0), "between 1 and 10000, got 0"),
        (lambda: layer_effect([1.0], 1.0), "1 samples, and 2 are needed"),
        (lambda: layer_effect([1.0, math.inf], 1.0), "1 values that are nan"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
