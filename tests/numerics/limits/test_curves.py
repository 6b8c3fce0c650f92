"""Profiles of few coefficients: their gradients, and what they reproduce."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from numerics import solve
from numerics.functionals.coordinates import Coordinates
from numerics.limits import smooth
from numerics.limits.branches import Branch, branches_of, functional, gained
from numerics.limits.curves import Curves
from numerics.thresholds.points import objective_of
from numerics.thresholds.starts import Start, resolved
from numerics.thresholds.stationary import hessian
from theory import ABP, SBP, SK, Hopfield, Model, SphericalPerceptron, ZeroOnePerceptron


@cache
def lowest(model: Model, level: int) -> Branch:
    """The lowest branch of a level."""
    return branches_of(solve(model, level))[0]


def smooth_point(level: int) -> np.ndarray:
    """Coordinates of some smooth profile of SBP(1)."""
    n = level - 2
    outer = np.exp(np.linspace(1.0, -6.0, n))
    start = Start(
        resolved(np.linspace(6.0, -1.0, n)),
        outer - np.append(outer[1:], 0.0),
        1.0 + np.exp(np.linspace(0.5, 5.0, n)),
        "",
    )
    return start.coords(Coordinates(functional(SBP(1), level, True).chains))


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


@pytest.mark.parametrize("model", [SBP(1), ZeroOnePerceptron(0)], ids=str)
def test_curves_know_their_hessian(model: Model) -> None:
    """Where the objective bends by itself, and the map to its coordinates does."""
    curves, at, _ = curves_at(model, 5, 3)
    at = at + 0.05 * np.cos(np.arange(at.size))
    evaluator = curves.objective.evaluator
    before = evaluator.evaluations
    own = hessian(curves, at)
    assert evaluator.evaluations == before + 2
    one, two = (hessian(lambda x: curves(x), at, step) for step in (2e-4, 4e-4))
    exact = (4.0 * one - two) / 3.0
    np.testing.assert_allclose(own, exact, rtol=0.0, atol=1e-8 * np.abs(own).max())


@pytest.mark.parametrize(
    ("model", "level", "inner"), [(SK(), 4, 1), (ABP(0), 4, 1), (SBP(1), 8, 3)], ids=str
)
def test_curves_on_either_side_of_a_gap(model: Model, level: int, inner: int) -> None:
    """As many coefficients as liftings are the point itself; gradients are those of the value."""
    if level == 8:
        quenched, point = True, smooth_point(level)
    else:
        quenched, point = lowest(model, level).quenched, lowest(model, level).points[-1]
    objective = objective_of(functional(model, level, quenched))
    whole = Curves(objective, level, inner)
    assert whole.sizes == (inner, len(whole.fe.c) - inner)
    plain = Curves(objective, level)
    same = plain.coords(plain.coefficients(point))[0]
    assert whole.coords(whole.coefficients(point))[0] == pytest.approx(same, abs=1e-9)
    curves = Curves(objective, 2, inner)
    at = curves.coefficients(point)
    at = at + 0.02 * np.random.default_rng(0).normal(size=at.size)
    for k in range(at.size):
        step = np.zeros(at.size)
        step[k] = 1e-4
        slope = (curves(at + step)[0] - curves(at - step)[0]) / 2e-4
        assert curves(at)[1][k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_curves_that_rise_have_no_value() -> None:
    curves, at, _ = curves_at(SK(), 4, 2)
    at[1] *= -1.0  # the slope of the overlaps
    height, gradient = curves(at)
    assert height == math.inf
    assert not gradient.any()
    assert curves.hessian(at) is None
    assert gained(curves, at) == (0, math.inf)


def test_an_outermost_overlap_of_its_own_is_a_coefficient() -> None:
    """Others are measured from it: the ABP's tend to 0.7, and differences of their logits would end."""
    curves, at, _ = curves_at(ABP(0), 4, 2)
    point = solve(ABP(0), 4).order_parameters
    p, q = (float(point[name]) for name in (str(curves.fe.p[-1]), str(curves.fe.q[-1])))
    assert at[0] == pytest.approx(math.log(p / (1.0 - p)), rel=1e-8)
    assert at[3] == pytest.approx(math.log(q), rel=1e-8)
    even, coefficients, _ = curves_at(SBP(1), 5, 2)
    assert coefficients.size == 6  # none there
    assert even.coords(coefficients)[0].size == 9


@pytest.mark.parametrize(("model", "level", "inner"), [(SBP(1), 9, 0), (SBP("1/2"), 9, 4)], ids=str)
def test_fewer_coefficients_are_the_first_ones_of_every_curve(
    model: Model, level: int, inner: int
) -> None:
    more, fewer = (smooth._curves(model, level, True, count, inner) for count in (4, 2))
    columns = more.of_others(fewer)
    at = fewer.coefficients(smooth_point(level))
    assert np.isfinite(at).all()
    assert more.coords(columns @ at)[0] == pytest.approx(fewer.coords(at)[0], rel=1e-13)
    assert fewer.of_others(more) @ columns @ at == pytest.approx(at)


def test_a_curve_has_no_more_coefficients_than_its_piece_has_overlaps() -> None:
    """So none is flat, and those that a larger level has more of begin at 0."""
    few, more = (
        smooth._curves(SBP("1/2"), level, True, 4, inner) for level, inner in ((9, 3), (10, 4))
    )
    at = few.coefficients(smooth_point(9))
    assert few.coords(at)[0] == pytest.approx(smooth_point(9), abs=1e-9)
    columns = more.of_others(few)
    assert (
        columns.shape[0] - at.size == 3
    )  # of p, Q and s inside, of whose steps two are at the gap
    assert (~columns.any(axis=1)).sum() == 3
    assert few.of_others(more) @ columns @ at == pytest.approx(at)


def test_ascents_are_known_where_adversaries_have_a_coefficient_each() -> None:
    """Of a fugacity, a norm and a quenched average at any number; of steps down by as many as there are."""
    for count in (1, 3):
        curves, at, _ = curves_at(ZeroOnePerceptron(0), 5, count)
        assert curves.ascents(at) == 2
    for count, known in ((2, None), (4, 5)):
        curves, at, _ = curves_at(SphericalPerceptron(-1), 5, count)
        assert curves.ascents(at) == known
    curves, at, _ = curves_at(SK(), 4, 2)
    assert curves.ascents(at) == 0
    # with a gap, of both pieces that adversaries lie in, and of none that they do not
    for model, count, known in (
        (SphericalPerceptron(-1), 1, None),
        (SphericalPerceptron(-1), 2, 5),
        (Hopfield(-1, 1), 1, 2),
    ):
        branch = lowest(model, 5)
        curves = Curves(objective_of(functional(model, 5, branch.quenched)), count, 1)
        assert curves.ascents(curves.coefficients(branch.points[-1])) == known
