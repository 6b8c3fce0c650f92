"""Grids: conditioning, products of the axes and other resolutions, by brute force and known numbers."""

import json

import mpmath
import numpy as np
import pytest

from numerics.operators.designs import shift_tail
from numerics.operators.grids import (
    EMBEDDINGS,
    Conditioning,
    Ranks,
    Resolutions,
    conditioning,
    embedding,
    rank_errors,
    resolutions,
)
from numerics.operators.polynomials import Polynomials
from numerics.operators.symbols import symbol


def test_condition_numbers_are_those_on_record_and_the_mends_mend() -> None:
    found = dict(zip((c := conditioning()).places, c.condition, strict=True))
    for place, known in (("half k/N", 1.9e7), ("both k/N", 6.7e4), ("both 2k/N", 3.65)):
        assert found[place] == pytest.approx(known, rel=6e-3)
    assert found["nodes"] == pytest.approx(1.0, abs=1e-12)
    assert found["half, orthonormal"] == pytest.approx(1.0, abs=1e-12)
    for place, scale, off in (("half 2k/N", 2.0, 0.0), ("half 4k/N - 1", 4.0, 1.0)):
        features = np.cos(np.arange(1, 11) * np.arccos(scale * np.arange(33)[:, None] / 64 - off))
        features /= np.linalg.norm(features, axis=0)
        assert found[place] == pytest.approx(np.linalg.cond(features), rel=1e-9)
    assert found["half 4k/N - 1"] < 2.0
    assert Conditioning.from_dict(json.loads(c.to_json())) == c
    assert c.plot().axes[0].get_xscale() == "log"


def test_scaling_changes_the_condition_and_not_the_span() -> None:
    g = np.exp(-2j * np.pi * 2.0 * np.fft.rfftfreq(64))
    left = []
    for place in ("half k/N", "half 2k/N", "half 4k/N - 1"):
        matrix = np.c_[np.ones(33), embedding(EMBEDDINGS[place](64), 8)]
        left.append(np.linalg.norm(g - matrix @ np.linalg.lstsq(matrix, g, rcond=None)[0]))
    assert left[0] == pytest.approx(left[2], rel=1e-4)
    assert left[1] == pytest.approx(left[2], rel=1e-6)


def test_shifts_cost_what_is_on_record_with_both_signs_and_half_of_it_on_the_half_spectrum() -> (
    None
):
    known = {2: 0.005, 3: 0.136, 4: 0.596, 6: 0.795}
    for cells, value in known.items():
        assert shift_tail(cells, 10) == pytest.approx(value, abs=5e-4)
        assert shift_tail(2 * cells, 10, both=False) == pytest.approx(
            shift_tail(cells, 10), rel=1e-12
        )
    assert shift_tail(6, 10, both=False) < 0.14


def test_errors_of_products_are_those_on_record() -> None:
    for name, values, known in (
        ("poisson", {}, {1: 0.438, 4: 0.008}),
        ("screened-poisson", {"kappa": 1.0}, {1: 0.167}),
        ("half-wave", {"c": 1.0}, {1: 0.778}),
    ):
        errors = rank_errors(name, values, most=4).errors
        for rank, value in known.items():
            assert errors[rank - 1] == pytest.approx(value, abs=6e-4)
    for name, values in (
        ("heat", {"nu": 0.02}),
        ("advection", {"c": 0.3}),
        ("dispersion", {"beta": 0.01}),
    ):
        assert rank_errors(name, values, most=1).errors[0] < 1e-13
    found = rank_errors("poisson", {})
    assert Ranks.from_dict(json.loads(found.to_json())) == found
    assert found.plot().axes


def test_a_fitted_kernel_on_another_grid_is_a_kernel_at_another_wavenumber() -> None:
    found = resolutions("heat", {"nu": 0.002}, (32, 64, 128), n=20)
    for law, ratio in zip(found.law, found.ratio, strict=True):
        assert ratio == pytest.approx(law, abs=1e-9)
    assert found.law[2] > 0.05
    assert found.absolute[0] < 1e-9
    outside = resolutions("heat", {"nu": 0.01}, (128,))
    assert outside.absolute[0] > 10.0  # a polynomial beyond where it was fitted
    assert outside.cut[0] < 1e-5
    tail = np.arange(32, 64)
    k = np.arange(64)
    energy = (
        np.where(k > 0, 2.0, 1.0)
        * np.maximum(k, 1) ** -2.0
        * abs(symbol("heat", {"nu": 0.002}, k)) ** 2
    )
    assert found.cut[2] == pytest.approx(np.sqrt(energy[tail].sum() / energy.sum()), rel=1e-6)
    assert Resolutions.from_dict(json.loads(found.to_json())) == found
    assert found.plot().axes


def test_twice_the_grid_is_another_time() -> None:
    k = np.arange(1, 30)
    for name, values, factor in (("heat", {"nu": 0.01}, 4.0), ("dispersion", {"beta": 1e-3}, 8.0)):
        np.testing.assert_allclose(
            symbol(name, values, k / 2.0), symbol(name, values | {"t": 1.0 / factor}, k), rtol=1e-13
        )


@pytest.mark.parametrize("n", [10, 14, 26])
def test_condition_numbers_are_told_or_left_out(n: int) -> None:
    """Against singular values in 60 digits; at 26 features the condition is beyond what doubles tell."""
    found = conditioning(n, 64)
    with mpmath.workdps(60):
        rows = mpmath.matrix(33, n)
        for i in range(33):
            for j in range(n):
                rows[i, j] = mpmath.chebyt(j + 1, mpmath.mpf(i) / 64)
        for j in range(n):
            size = mpmath.norm([rows[i, j] for i in range(33)])
            for i in range(33):
                rows[i, j] /= size
        s = mpmath.svd_r(rows, compute_uv=False)
        wanted = float(s[0] / s[n - 1])
    if n == 26:
        assert wanted > 1e20
        assert (found.condition[0], found.error[0]) == (None, None)
        assert found.rows()[0]["digits lost"] is None
        assert found.plot().axes
        return
    assert abs(found.condition[0] - wanted) <= found.error[0] < 2e-3 * wanted
    assert found.rows()[0]["digits lost"] == pytest.approx(np.log10(wanted), abs=1e-3)


def test_polynomials_are_orthonormal_and_go_on_beyond_their_points() -> None:
    rng = np.random.default_rng(0)
    points, weights = np.sort(rng.uniform(-1.0, 1.0, 30)), rng.uniform(0.5, 2.0, 30)
    found = Polynomials(points, weights, 29)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(30), atol=1e-13)
    few = Polynomials(points, weights, 6)
    there = np.array([-1.5, 0.3, 2.0])
    for degree, values in enumerate(few.at(there)):
        fitted = np.polynomial.Polynomial.fit(points, few.basis[degree] / np.sqrt(weights), degree)
        np.testing.assert_allclose(values, fitted(there), rtol=1e-9)
        assert fitted.degree() == degree
        assert fitted.convert().coef[-1] > 0.0


def test_what_doubles_do_not_tell_is_left_out() -> None:
    """All 31 features, far beyond the modes that they interpolate; on these modes the error is 0."""
    found = resolutions("heat", {"nu": 0.01}, (64, 128), n=31)
    assert found.absolute[1] is None
    assert found.rows()[1]["k/64"] is None
    assert max(found.ratio[0], found.absolute[0], found.cut[0]) < 1e-13
    assert found.ratio[1] == pytest.approx(found.law[1], rel=1e-6)
    assert found.plot().axes


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rank_errors("D^2 - D", {}), "^D.2 - D has one axis"),
        (lambda: conditioning(33, 64), "1 to 32 features, got 33"),
        (lambda: conditioning(3, 7), "even number of points .* got 7"),
        (lambda: rank_errors("heat", {"nu": 1.0}, grid=2000), "got 2000 and 8"),
        (lambda: resolutions("heat", {"nu": 1.0}, (64,), n=40), "1 to 31 on 64 points, got 40"),
        (lambda: resolutions("heat", {"nu": 1.0}, (1,)), "got 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(call, words) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_overlaps_are_cosines_between_features() -> None:
    found = dict(zip((c := conditioning(5, 16)).places, c.overlap, strict=True))
    t = np.arange(9) / 16
    features = [np.cos(j * np.arccos(t)) for j in range(1, 6)]
    cosines = [
        abs(a @ b) / np.sqrt((a @ a) * (b @ b))
        for i, a in enumerate(features)
        for b in features[:i]
    ]
    assert found["half k/N"] == pytest.approx(max(cosines), rel=1e-12)
    assert found["nodes"] < 1e-14


def test_a_kernel_of_trained_frequencies_is_the_polynomial_that_was_fitted() -> None:
    found = resolutions("heat", {"nu": 0.01}, (48, 96), trained=64, n=4)
    k = np.arange(48)
    weights = np.where(k > 0, 2.0, 1.0) * np.maximum(k, 1) ** -2.0
    g = np.exp(-0.01 * k**2)
    fitted = np.polynomial.Polynomial.fit(k[:32], g[:32], 4, w=np.sqrt(weights[:32]))
    for modes, absolute in zip((24, 48), found.absolute, strict=True):
        off, whole = weights * (fitted(k) - g) ** 2, weights * g**2
        assert absolute == pytest.approx(np.sqrt(off[:modes].sum() / whole[:modes].sum()), rel=1e-8)
