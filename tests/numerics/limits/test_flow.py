"""A profile in steps keeps the identities, and finds the margin of a density."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import solve
from numerics.functionals.doubles import evaluator
from numerics.limits.flow import Slope, flow, with_density
from numerics.nests.laws import Law
from theory import SBP, SK, Hopfield, free_energy


@pytest.fixture(scope="module")
def sbp():
    return solve(SBP(1), 5)


@pytest.fixture(scope="module")
def sk():
    return solve(SK(), 5)


@pytest.mark.long
def test_steps_keep_the_identities_and_the_memory_falls_by_s_dp(sbp, sk):
    for solution, off in ((sbp, 0.01), (sk, 0.06)):
        way = flow(solution, 80, 0.9)
        p = way.overlaps
        assert (np.diff(p) > 0.0).all()
        assert p[-1] == pytest.approx(0.9)
        assert np.allclose(way.variances[-1][1:], p)
        # p = E f_x^2, up to what interpolating a finite level's profile misses
        assert np.abs(way.squares[0] / p - 1.0).max() < off
        # d E f_xx = -s d E f_x^2, exactly; bends are differences on grids, good to some 1e-4
        grown = np.diff(way.squares[0])
        fall = -np.diff(way.bends[0])
        assert np.allclose(fall, way.exponents[1:] * grown, atol=3e-4 * way.bends[0].max())
    rows = float(sbp.value) * flow(sbp, 80, 0.9).squares[1] / flow(sbp, 80, 0.9).variances[0][1:]
    assert np.abs(rows - 1.0).max() < 0.25  # one coarse level


@pytest.mark.long
def test_the_energy_of_sk_goes_to_its_value(sk):
    low, high = (flow(sk, 60, top) for top in (0.8, 0.96))
    assert low.energy()[-1] < high.energy()[-1] < float(sk.value)
    # 1 - q is left: E|X| to first order, by the flow of Parisi's functional
    assert high.energy()[-1] == pytest.approx(float(sk.value), abs=0.5 * (1.0 - 0.96))


@pytest.mark.long
def test_a_margin_whose_capacity_is_a_density(sbp):
    found = with_density(sbp, 1.5)
    assert float(found.value) == pytest.approx(1.5, rel=1e-4)
    assert found.model.constraint.kappa < 1
    again = solve(found.model, 5)
    assert float(found.value) == pytest.approx(float(again.value), rel=1e-9)


def test_slopes_are_the_functions_own():
    h, first = 0.05, 0
    x = h * np.arange(200)
    f = np.log(2.0 * np.cosh(x))
    slope = Slope(Law(h, first, f, np.full(200, 1 / 200), even=True))
    at = np.array([-3.3, -0.01, 0.0, 0.7, 5.123, 12.0])
    value, bend = slope(at)
    # splines of degree 5: h^5 of the slope, h^4 of the bend, cubics between them
    assert np.allclose(value, np.tanh(at), atol=1e-6)
    assert np.allclose(bend, 1.0 - np.tanh(at) ** 2, atol=2e-5)


@pytest.mark.long
def test_liftings_are_those_of_the_solution(sbp):
    doubles = evaluator(free_energy(SBP(1), 5))
    increments, exponents = doubles.liftings(1, np.array(sbp.gaps, dtype=float))
    assert np.allclose(np.cumsum(increments[::-1])[::-1], sbp.p)
    assert np.allclose(exponents, sbp.c)


@pytest.mark.long
def test_what_has_no_profile_is_refused(sbp):
    with pytest.raises(ValueError, match="no pair of nests"):
        flow(solve(Hopfield(1, 1), 2), 20, 0.5)
    with pytest.raises(
        ValueError, match="has no pair of nests that are partners, nor one alone, of three"
    ):
        flow(solve(SBP(1), 2), 20, 0.5)
    for steps, top in ((3, 0.5), (20, 0.0), (20, 1.0)):
        with pytest.raises(ValueError, match="steps must be at least 4"):
            flow(sbp, steps, top)
    for density in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="density must be positive"):
            with_density(sbp, density)


@pytest.mark.long
def test_what_has_no_margin_has_none_at_a_density(sk):
    with pytest.raises(ValueError, match="a capacity of a model with a margin"):
        with_density(sk, 1.5)
