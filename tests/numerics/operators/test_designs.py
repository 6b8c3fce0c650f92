"""Errors of layers: theory's expressions against fits, spectral matrices and counts."""

import json
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import chebyshev
from scipy.linalg import expm

from numerics.operators.designs import (
    FLOOR,
    Designs,
    amortised_errors,
    chebyshev_series,
    designs,
    fourier_errors,
    parameters,
    shift_tail,
)
from numerics.operators.symbols import half_symbol, power, shift_speed, symbol, symbol_error

SMOOTH = st.sampled_from(
    [
        ("heat", {"nu": 0.01}),
        ("heat", {"nu": 0.3}),
        ("advection", {"c": 0.2}),
        ("dispersion", {"beta": 1e-4}),
        ("screened-poisson", {"kappa": 3.0}),
        ("wave", {"c": 0.1}),
        ("0.01*D^2 - D/10", {"t": 2.0}),
    ]
)


def spectral_derivative(n: int) -> np.ndarray:
    """The derivative's matrix on an odd number of points, from its interpolant's closed form."""
    j = np.arange(n)
    gap = (j[:, None] - j[None, :]) * math.pi / n
    with np.errstate(divide="ignore"):
        matrix = 0.5 * (-1.0) ** (j[:, None] - j[None, :]) / np.sin(gap)
    np.fill_diagonal(matrix, 0.0)
    return matrix


@pytest.mark.parametrize(
    ("name", "values", "rate"),
    [
        ("heat", {"nu": 0.02}, lambda d: 0.02 * d @ d),
        ("advection", {"c": 0.3}, lambda d: -0.3 * d),
        ("dispersion", {"beta": 0.01}, lambda d: -0.01 * d @ d @ d),
        ("D^2/50 - D + 0.1*D^3", {}, lambda d: d @ d / 50 - d + 0.1 * d @ d @ d),
    ],
)
def test_symbols_are_those_of_matrix_exponentials(name, values, rate) -> None:
    n = 21
    u = np.random.default_rng(0).standard_normal(n)
    ours = np.fft.irfft(symbol(name, values, np.arange(n // 2 + 1)) * np.fft.rfft(u), n=n)
    np.testing.assert_allclose(ours, expm(rate(spectral_derivative(n))) @ u, atol=1e-11)


def test_steady_and_second_order_symbols_solve_their_equations() -> None:
    n, k = 21, np.arange(11)
    d = spectral_derivative(n)
    f = np.random.default_rng(1).standard_normal(n)
    u = np.fft.irfft(symbol("screened-poisson", {"kappa": 2.0}, k) * np.fft.rfft(f), n=n)
    np.testing.assert_allclose(4.0 * u - d @ d @ u, f, atol=1e-11)
    waves = np.block([[np.zeros((n, n)), np.eye(n)], [0.25 * d @ d, np.zeros((n, n))]])
    u = np.fft.irfft(symbol("wave", {"c": 0.5}, k) * np.fft.rfft(f), n=n)
    np.testing.assert_allclose((expm(waves) @ np.r_[f, 0 * f])[:n], u, atol=1e-11)


@given(SMOOTH, st.integers(1, 12), st.floats(0.0, 2.0), st.sampled_from([32, 64, 65]))
def test_the_readout_is_least_squares_and_below_its_bound(problem, n, decay, grid) -> None:
    name, values = problem
    g, p = half_symbol(name, values, grid), power(grid, decay)
    errors = amortised_errors(g, p, n)
    k = np.arange(len(g))
    root = np.sqrt(p)[:, None]
    matrix = root * np.cos(np.arange(n + 1) * np.arccos(2.0 * k[:, None] / k[-1] - 1.0))
    both = root * np.c_[g.real, g.imag]
    left = both - matrix @ np.linalg.lstsq(matrix, both, rcond=None)[0]
    size = np.linalg.norm(both)
    assert errors[-1] == pytest.approx(np.linalg.norm(left) / size, abs=FLOOR)
    found = designs(name, values, grid=grid, decay=decay, most=n)
    assert found.bound[-1] is not None
    assert found.amortised[-1] <= found.bound[-1] + FLOOR
    assert (np.diff(errors) <= 0.0).all()


def test_as_many_features_as_modes_are_still_told_apart() -> None:
    """Against the same polynomials made orthogonal in 100 digits."""
    grid, m = 128, 64
    with mpmath.workdps(100):
        exact = symbol("advection", {"c": 2.9}, np.arange(m))
        roots = [mpmath.sqrt(mpmath.mpf(w)) for w in power(grid, 1.0)]
        rest = [root * mpmath.mpc(complex(g)) for root, g in zip(roots, exact, strict=True)]
        size, made, row = mpmath.norm(rest), [], roots
        for _ in range(m - 1):
            for other in made:
                part = mpmath.fdot(other, row)
                row = [a - part * b for a, b in zip(row, other, strict=True)]
            row = [a / mpmath.norm(row) for a in row]
            made.append(row)
            row = [(2 * mpmath.mpf(k) / (m - 1) - 1) * a for k, a in enumerate(row)]
        left, wanted = rest, []
        for other in made:
            part = mpmath.fdot(other, left)
            left = [a - part * b for a, b in zip(left, other, strict=True)]
            wanted.append(float(mpmath.norm(left) / size))
    found = designs("advection", {"c": 2.9}, grid=grid, most=m - 2)
    assert np.abs(np.array(found.amortised) - wanted[1:]).max() <= found.uncertainty < 1e-11


def test_the_stated_uncertainty_covers_what_doubles_do_to_a_phase() -> None:
    """Of thousands of turns: against exact phases."""
    k, beta = np.arange(512), 0.01
    exact = [complex(mpmath.expj(mpmath.mpf(beta) * int(j) ** 3)) for j in k]
    off = np.abs(symbol("dispersion", {"beta": beta}, k) - exact)
    assert (off <= symbol_error("dispersion", {"beta": beta}, k) + 2.0**-52).all()
    assert off.max() > 1e-13
    found = designs("dispersion", {"beta": beta}, grid=1024, most=500)
    p = power(1024, 1.0)
    own = amortised_errors(np.array(exact), p, 500)
    assert np.abs(own - found.amortised).max() <= found.uncertainty < 1e-9
    with pytest.raises(ValueError, match="to which errors are known"):
        designs("dispersion", {"beta": beta}, grid=1024, target=1e-12)


@given(SMOOTH, st.integers(0, 30))
def test_truncation_is_measured_on_fields(problem, m) -> None:
    name, values = problem
    n = 61
    g, p = half_symbol(name, values, n), power(n, 1.0)
    rng = np.random.default_rng(m)
    phases = np.exp(2j * math.pi * rng.random(len(g)))
    phases[0] = 1.0
    u = n * np.sqrt(p / np.where(np.arange(len(g)) > 0, 2.0, 1.0)) * phases / math.sqrt(2.0)
    exact = np.fft.irfft(g * u, n=n)
    cut = np.fft.irfft(np.where(np.arange(len(g)) < m, g, 0.0) * u, n=n)
    measured = np.linalg.norm(exact - cut) / np.linalg.norm(exact)
    assert fourier_errors(g, p, [m])[0] == pytest.approx(measured, abs=1e-12)


@given(st.floats(0.2, 8.0), st.integers(1, 25), st.booleans())
def test_the_series_by_transforms_is_that_of_bessel_functions(cells, n, both) -> None:
    grid = 65
    c = chebyshev_series("advection", {"c": shift_speed(cells, grid)}, grid, both=both)
    assert c is not None
    own = math.sqrt(float((abs(c[n + 1 :]) ** 2).sum()) / 2.0)
    # the last wavenumber of 65 points is 32: on t in [-64/65, 64/65] a shift is 64/65 as long
    assert own == pytest.approx(shift_tail(cells * 64 / 65, n, both=both), abs=1e-12)
    k = np.arange(-32 if both else 0, 33)
    u = k / 32.0 if both else k / 16.0 - 1.0
    np.testing.assert_allclose(
        chebyshev.chebval(u, c), np.exp(-2j * math.pi * cells * k / grid), atol=1e-12
    )


def test_symbols_that_are_not_analytic_have_no_series() -> None:
    assert chebyshev_series("poisson", {}, 64) is None
    assert designs("poisson", {}, most=3).bound == (None,) * 3


@given(st.integers(1, 30), st.sampled_from([1, 2]))
def test_parameters_do_not_depend_on_the_grid_and_grow(n: int, d: int) -> None:
    for kind in ("fourier", "amortised"):
        assert parameters(kind, n + 1, 8, d) > parameters(kind, n, 8, d)
    assert parameters("amortised", 10, 64) == 172_472
    assert parameters("fourier", 16, 64) == 131_072


def test_the_smallest_design_reaches_the_error_and_no_smaller_one_does() -> None:
    found = designs("heat", {"nu": 0.01}, target=1e-3)
    for (kind, size, error, count), errors in zip(
        found.smallest(), (found.fourier, found.amortised), strict=True
    ):
        assert size is not None
        assert error == errors[size - 1] <= 1e-3 < errors[size - 2]
        assert count == parameters(kind, size, 64)
    none = designs("advection", {"c": shift_speed(20, 64)}, target=1e-3).smallest()
    assert none[0][1] is None
    assert Designs.from_dict(json.loads(found.to_json())) == found
    assert found.plot().axes[0].get_ylabel() == "relative error"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: designs("heat", {}), "heat needs a value of its parameter nu"),
        (lambda: designs("heat", {"nu": math.nan}), "parameter nu is a finite number, got nan"),
        (lambda: designs("heat", {"nu": 1, "c": 1}), "no parameter 'c'; it has nu, t"),
        (
            lambda: designs("heat", {"nu": -9}),
            "symbol of heat is not finite at k = 9, 0: look at the signs",
        ),
        (lambda: designs("advection", {"c": 1e12}), "is not known at c = 1e.12: the last digit"),
        (lambda: designs("heat", {"nu": -0.4}), "beyond the range of doubles"),
        (lambda: designs("screened-poisson", {"kappa": 0}), "not finite at k = 0"),
        (lambda: designs("half-wave", {"c": 1}), "makes real fields complex"),
        (lambda: designs("heat", {"nu": 1}, most=32), "32 modes below the Nyquist .* got 32"),
        (lambda: designs("heat", {"nu": 1}, grid=3), "4 to 4096 points, got 3"),
        (lambda: designs("heat", {"nu": 1}, decay=math.nan), "decay .* got nan"),
        (
            lambda: designs("heat", {"nu": 1}, target=0.0),
            "a wanted error is from 1.0e-13, to which errors are known, to 1, got 0.0",
        ),
        (lambda: designs("heat", {"nu": 1}, width=0), "channels, got 0"),
        (lambda: shift_tail(math.nan, 3), "a shift is a positive number"),
        (lambda: fourier_errors(np.ones(4), np.ones(4), [5]), "4 modes below .* got 5"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(call, words) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_designs_put_together_tails_projections_and_series() -> None:
    """Everything of the table again, from sums, least squares and NumPy's interpolation."""
    found = designs("wave", {"c": 0.2}, grid=32, decay=0.5, width=3, most=6, target=0.25)
    k = np.arange(16)
    g, weights = np.cos(0.2 * k), np.where(k > 0, 2.0, 1.0) * np.maximum(k, 1.0) ** -1.0
    energy = weights * g**2
    series = chebyshev.chebinterpolate(lambda t: np.cos(0.2 * 7.5 * (t + 1.0)), 60)
    squares = series**2 * np.where(np.arange(61) > 0, 0.5, 1.0)
    root = np.sqrt(weights)
    for i, n in enumerate(found.sizes):
        assert found.fourier[i] == pytest.approx(
            np.sqrt(energy[n:].sum() / energy.sum()), rel=1e-12
        )
        basis = root[:, None] * np.vander(k / 16, n + 1)
        left = root * g - basis @ np.linalg.lstsq(basis, root * g, rcond=None)[0]
        size = np.linalg.norm(left) / np.sqrt(energy.sum())
        assert found.amortised[i] == pytest.approx(size, rel=1e-9, abs=FLOOR)
        tail = np.sqrt(squares[n + 1 :].sum() / squares.sum())
        assert found.series[i] == pytest.approx(tail, rel=1e-9, abs=FLOOR)
        most = np.abs(series[n + 1 :]).sum() / np.sqrt(energy.sum() / weights.sum())
        assert found.bound[i] == pytest.approx(most, rel=1e-9, abs=1e-10)
    assert (found.equation, found.grid, found.width, found.target) == ("wave", 32, 3, 0.25)
