"""Extrapolation of sequences whose limit is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics.limits.extrapolation import brezinski, extrapolate, fitted, richardson

LEVELS = list(range(8, 21))


@given(st.floats(-2.0, 2.0), st.floats(0.1, 10.0), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_richardson_is_exact_on_its_own_law(limit, a, b, c) -> None:
    values = [limit + a * r**-4 * (1 + b / r + c / r**2) for r in LEVELS]
    found, amplification = richardson(LEVELS, values, 3)
    assert found == pytest.approx(limit, abs=1e-15 * amplification * max(1.0, abs(limit), a))


@given(st.floats(-2.0, 2.0), st.floats(0.5, 5.0), st.floats(3.6, 4.4), st.floats(-1.0, 1.0))
def test_the_exponent_is_found(limit, a, exponent, b) -> None:
    # a power less or more with nothing in front of it is the same law: the nearest to 4 is looked for
    values = [limit + a * r**-exponent * (1 + b / r) for r in LEVELS]
    found, power = fitted(LEVELS, values, 2)
    assert power == pytest.approx(exponent, abs=1e-3)
    assert found == pytest.approx(limit, abs=1e-8 * a + 1e-10)


def test_theta_needs_no_law() -> None:
    values = [math.pi + 3.0 / (r + 0.7) ** 4 for r in range(8, 15)]
    assert brezinski(values) == pytest.approx(math.pi, abs=2e-7)
    assert abs(values[-1] - math.pi) > 5e-5
    assert math.isnan(brezinski([1.0, 1.0, 1.0, 1.0]))


@given(
    st.floats(0.5, 2.0),
    st.floats(0.1, 5.0),
    st.floats(-1.0, 1.0),
    st.floats(0.0, 2.0),
    st.integers(9, 20),
)
def test_error_bars_hold_on_other_laws(limit, a, b, shift, highest) -> None:
    # powers of a shifted level, and a term that is no power at all
    levels = list(range(5, highest + 1))
    values = [limit + a * (r + shift) ** -4 + 0.01 * b * math.exp(-r) for r in levels]
    result = extrapolate(levels, values, 1e-15)
    assert abs(result.value - limit) <= result.error
    assert result.error < 0.5 * abs(values[-1] - limit) + 1e-12


def test_noise_is_amplified_in_the_error() -> None:
    rng = np.random.default_rng(5)
    exact = [1.0 + r**-4 * (2.0 + 40.0 / r + 900.0 / r**2) for r in LEVELS]
    for _ in range(50):
        values = [x + 1e-9 * rng.uniform(-1.0, 1.0) for x in exact]
        result = extrapolate(LEVELS, values, 1e-9)
        assert abs(result.value - 1.0) <= result.error < 1e-4
        # what the spread happens to say comes on top of all that noise can have done
        alone = extrapolate(LEVELS, values)
        amplification = richardson(LEVELS[-7:], values[-7:], 4)[1]
        assert result.error - alone.error == pytest.approx(1e-9 * amplification, rel=1e-6)


@pytest.mark.parametrize("highest", [11, 14, 17, 20])
def test_values_that_jump_are_smoothed(highest: int) -> None:
    """Every second level a tenth nearer to the limit than its law says."""
    levels = list(range(6, highest + 1))
    values = [1.0 + (1.0 - 0.1 * (r % 2)) * 5.0 * (r + 1.0) ** -4 for r in levels]
    result = extrapolate(levels, values)
    assert next(iter(result.estimates)).startswith("least squares")
    assert abs(result.value - 1.0) <= result.error < 3.0 * abs(values[-1] - 1.0)


def test_error_bars_hold_where_values_jump_at_random() -> None:
    rng = np.random.default_rng(11)
    for _ in range(100):
        levels = list(range(6, int(rng.integers(11, 18))))
        shift, b = rng.uniform(-1.0, 4.0), rng.uniform(-1.0, 1.0)
        jumps = 1.0 + 0.15 * rng.uniform(-1.0, 1.0, len(levels))
        values = [
            1.0 + 5.0 * x * (r + shift) ** -4 * (1.0 + b / r)
            for r, x in zip(levels, jumps, strict=True)
        ]
        result = extrapolate(levels, values)
        assert abs(result.value - 1.0) <= result.error


@pytest.mark.parametrize("levels", [[4, 5, 6], [4, 6, 8, 10, 13], [4, 5, 6, 8]])
def test_too_few_levels_or_gaps_are_refused(levels: list[int]) -> None:
    with pytest.raises(ValueError, match="four consecutive levels"):
        extrapolate(levels, [1.0 + r**-4 for r in levels])
