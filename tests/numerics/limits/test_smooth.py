"""Profiles of few coefficients: their gradients, what they reproduce, and the second route to a limit."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from numerics import limit, solve
from numerics.errors import ConvergenceError
from numerics.limits import smooth
from numerics.limits.branches import Branch, branches_of, climb, functional
from numerics.limits.smooth import Curves
from numerics.thresholds.points import objective_of
from theory import ABP, SBP, SK, Hopfield, Model, ZeroOnePerceptron

PARISI = 0.7631667265665  # Oppermann and Schmidt, from 200 levels


@cache
def lowest(model: Model, level: int) -> Branch:
    """The lowest branch of a level."""
    return branches_of(solve(model, level))[0]


def curves_at(model: Model, level: int, count: int) -> tuple[Curves, np.ndarray, float]:
    """Curves through a level's point, their coefficients, and the point's value."""
    branch = lowest(model, level)
    curves = Curves(objective_of(functional(model, level, branch.quenched)), count)
    return curves, curves.coefficients(branch.points[-1]), branch.values[-1]


@pytest.mark.parametrize(("model", "level"), [(SK(), 4), (SBP(1), 5)], ids=str)
def test_as_many_coefficients_as_liftings_are_the_level_itself(model: Model, level: int) -> None:
    curves, at, value = curves_at(model, level, 2)
    height, gradient = curves(at)
    assert curves.objective.value(height) != pytest.approx(value, rel=1e-9)
    most = max(len(curves.fe.q), len(curves.fe.c))
    curves, at, value = curves_at(model, level, most)
    height, gradient = curves(at)
    assert curves.objective.value(height) == pytest.approx(value, rel=1e-13)
    assert np.abs(gradient).max() < 1e-9


@pytest.mark.parametrize(
    ("model", "level"),
    [(SK(), 4), (SBP(1), 5), (ABP(0), 4), (Hopfield(alpha=1), 4), (ZeroOnePerceptron(0), 3)],
    ids=str,
)
def test_gradients_are_those_of_the_value(model: Model, level: int) -> None:
    curves, at, _ = curves_at(model, level, 2)
    rng = np.random.default_rng(0)
    at = at + 0.02 * rng.normal(size=at.size)
    height, gradient = curves(at)
    assert math.isfinite(height)
    assert np.abs(gradient).max() > 1e-3
    for k in range(at.size):
        step = np.zeros(at.size)
        step[k] = 1e-4
        slope = (curves(at + step)[0] - curves(at - step)[0]) / 2e-4
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_curves_that_rise_have_no_value() -> None:
    curves, at, _ = curves_at(SK(), 4, 2)
    at[1] *= -1.0  # the slope of the overlaps
    height, gradient = curves(at)
    assert height == math.inf
    assert not gradient.any()


def test_coefficients_are_foretold_by_polynomials_of_the_logarithm() -> None:
    def law(level: int) -> np.ndarray:
        x = math.log(level)
        return np.array([1.0 - x + 0.5 * x**2, 2.0 * x])

    known = {r: law(r) for r in (8, 9, 11)}
    assert smooth._foretold(known, 14) == pytest.approx(law(14), rel=1e-12)
    known = {5: law(5) + 1.0, **known}  # of the last three
    assert smooth._foretold(known, 14) == pytest.approx(law(14), rel=1e-12)


def test_the_ladder_ends_at_twice_the_levels() -> None:
    assert smooth._ladder(14) == [16, 18, 21, 24, 28]
    assert smooth._ladder(6) == [7, 8, 9, 10, 12]


@pytest.mark.long
def test_curves_from_ten_levels_of_sk_tend_to_parisis_limit() -> None:
    *_, reached = climb(SK(), branches_of(solve(SK(), 6)), 10)
    found = smooth.smooth(SK(), reached[0])
    assert abs(found.value - PARISI) <= found.error < 1e-8
    assert abs(found.value - PARISI) < 1e-4 * (reached[0].values[-1] - PARISI)


def test_too_few_levels_are_refused() -> None:
    (branch, *_) = branches_of(solve(SK(), 4))
    with pytest.raises(ConvergenceError, match="a branch of 3 levels is needed"):
        smooth.smooth(SK(), branch)


@pytest.mark.slow
def test_both_routes_to_the_limit_of_sbp_agree() -> None:
    found = limit(SBP(1))
    (levels, off), (curves, missed) = found.routes["levels"], found.routes["smooth profiles"]
    assert abs(levels - curves) <= off + missed
    assert (found.value, found.error) == (curves, missed)
    assert abs(found.value - 1.59650278) <= found.error + 3e-8 < 1e-6
