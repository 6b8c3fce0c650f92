"""Chebyshev coefficients to 1e-12, bounds that hold, orthogonality where it is claimed and nowhere else."""

from functools import cache

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import chebyshev
from scipy.integrate import quad

from theory.operators import features

U = np.linspace(-1.0, 1.0, 41)


@cache
def evaluated(law, *names: str):
    derived = law()
    symbols = {str(s): s for s in derived.statement.free_symbols}
    return sympy.lambdify([symbols[name] for name in names], derived.value, ["scipy", "numpy"])


@given(st.floats(0.01, 40.0))
def test_the_series_of_a_shift_is_the_shift(z: float) -> None:
    c = [evaluated(features.jacobi_anger, "j", "z")(j, z) for j in range(int(z) + 60)]
    np.testing.assert_allclose(chebyshev.chebval(U, c), np.exp(-1j * z * U), atol=1e-12)


@given(st.floats(0.01, 40.0))
def test_the_series_of_the_heat_equation_is_its_symbol(a: float) -> None:
    c = np.zeros(2 * int(a + 40))
    c[::2] = [evaluated(features.heat_coefficients, "j", "a")(j, a) for j in range(len(c) // 2)]
    np.testing.assert_allclose(chebyshev.chebval(U, c), np.exp(-a * U**2), atol=1e-12)


@given(st.floats(0.2, 5.0))
def test_the_series_of_a_symbol_with_poles_is_the_symbol(b: float) -> None:
    c = np.zeros(2 * int(20 / np.arcsinh(b)) + 4)
    c[::2] = [evaluated(features.poles, "j", "b")(j, b) for j in range(len(c) // 2)]
    np.testing.assert_allclose(chebyshev.chebval(U, c), b**2 / (b**2 + U**2), atol=1e-12)


def test_ellipses_of_poles_are_where_coefficients_fall() -> None:
    """On the half spectrum, by interpolation: coefficients fall like rho^-j with the rho of the law."""
    step = features.poles().steps[-1].expression
    (symbol,) = step.rhs.free_symbols
    for b in (0.05, 0.3):
        rho = float(step.rhs.subs(symbol, b))
        degrees = np.arange(2, int(28.0 / np.log(rho)))
        c = chebyshev.chebinterpolate(lambda u, b=b: b**2 / (b**2 + ((u + 1.0) / 2.0) ** 2), 200)
        # coefficients of complex poles oscillate
        envelope = [np.abs(c[j : j + 6]).max() for j in degrees]
        assert -np.polyfit(degrees, np.log(envelope), 1)[0] == pytest.approx(np.log(rho), rel=2e-3)


def test_mean_products_on_each_interval_are_integrals() -> None:
    """The matrices of the law's steps: [-1, 1], both signs of k/N, the half spectrum."""
    for step, (low, high) in zip(
        features.gram().steps[2:], ((-1, 1), (-0.5, 0.5), (0, 0.5)), strict=True
    ):
        for i in range(3):
            for j in range(3):
                value, _ = quad(
                    lambda u, i=i, j=j: np.cos((i + 1) * np.arccos(u)) * np.cos((j + 1) * np.arccos(u)),
                    low, high,
                )  # fmt: skip
                assert float(step.expression[i, j]) == pytest.approx(
                    value / (high - low), abs=1e-10
                )


def test_bounds_are_the_maximum_on_their_ellipse() -> None:
    z, j = 3.0, 7.0
    rho = (j + np.sqrt(j * j - z * z)) / z
    u = (
        rho * np.exp(1j * np.linspace(0, 2 * np.pi, 4001))
        + np.exp(-1j * np.linspace(0, 2 * np.pi, 4001)) / rho
    ) / 2
    largest = 2.0 * np.abs(np.exp(-1j * z * u)).max() / rho**j
    assert evaluated(features.coefficient_bound, "j", "z")(j, z) == pytest.approx(largest, rel=1e-5)


@given(st.floats(0.5, 60.0), st.floats(0.01, 40.0))
def test_coefficients_are_below_their_bound(z: float, beyond: float) -> None:
    j = int(z + beyond) + 1
    c = abs(evaluated(features.jacobi_anger, "j", "z")(j, z))
    assert c <= evaluated(features.coefficient_bound, "j", "z")(float(j), z) * (1.0 + 1e-9)


@given(st.floats(0.1, 30.0), st.integers(0, 40))
def test_tail_and_head_are_everything(z: float, n: int) -> None:
    tail = evaluated(features.tail, "z", "n", "J")(z, n, 120)
    head = [abs(evaluated(features.jacobi_anger, "j", "z")(j, z)) ** 2 for j in range(n + 1)]
    assert tail**2 + head[0] + sum(head[1:]) / 2.0 == pytest.approx(1.0, abs=1e-12)


def test_the_threshold_is_where_coefficients_start_to_fall() -> None:
    cells = 6.0
    for low in (-1.0, 0.0):
        z = evaluated(features.threshold, "s", "t_0", "t_1")(cells, low, 1.0)
        assert z == pytest.approx(np.pi * cells * (1.0 - low) / 2.0, rel=1e-14)
        c = [abs(evaluated(features.jacobi_anger, "j", "z")(j, z)) for j in range(60)]
        assert max(c[: int(z)]) > 0.3
        assert c[int(z) + 12] < 1e-3
        assert np.argmax(c) <= z


def test_mean_products_are_integrals() -> None:
    law = features.gram()
    symbols = {str(s): s for s in law.statement.free_symbols}

    def product(u: float, i: int, j: int) -> float:
        return np.cos(i * np.arccos(u)) * np.cos(j * np.arccos(u)) / 2.0

    for i, j in [(1, 1), (1, 2), (1, 3), (2, 4), (3, 7), (5, 5)]:
        value = float(law.value.subs({symbols["i"]: i, symbols["j"]: j}))
        assert value == pytest.approx(quad(product, -1, 1, args=(i, j))[0], abs=1e-10)


@given(st.integers(2, 40), st.integers(1, 79))
def test_sums_over_nodes_vanish(count: int, m: int) -> None:
    if m < 2 * count:
        assert summed()(count, m) == pytest.approx(0.0, abs=1e-12 * count)


@cache
def summed():
    statement = features.nodes().statement
    symbols = {str(s): s for s in statement.free_symbols}
    return sympy.lambdify([symbols["N"], symbols["m"]], statement.lhs, "numpy")
