"""A point followed along the margin is the point that is there."""

import numpy as np
import pytest
from sympy import Integer

from numerics import ConvergenceError, refine, solve
from numerics.thresholds import solve as module
from numerics.thresholds.continuation import extrapolated, followed, moved
from numerics.thresholds.functional import functional_of
from numerics.thresholds.newton import curvatures
from theory import ABP, SBP, SK


def settle(start):
    return refine(start, 16)


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "level"), [(SBP(2), 3), (SBP("1/4"), 3), (ABP("3/2"), 2)], ids=str
)
def test_followed_is_found(model, level):
    found = followed(model, lambda other: solve(other, level), settle)
    known = solve(model, level)
    assert found.model == model
    assert abs(found.value - known.value) <= found.error + known.error
    assert found.reason.startswith("followed from kappa = ")


@pytest.mark.long
def test_what_cannot_be_solved_nearby_is_left_out():
    model = SBP(3)

    def near(other):
        if other.constraint.kappa > 2:
            raise ConvergenceError("no", {}, 0.0)
        return solve(other, 3)

    found = followed(model, near, settle)
    known = solve(model, 3)
    assert abs(found.value - known.value) <= found.error + known.error


def test_no_search_no_path():
    def never(other):
        raise ConvergenceError("no", {}, 0.0)

    with pytest.raises(ConvergenceError, match="no search succeeded at other values of kappa"):
        followed(SBP(2), never, settle)
    with pytest.raises(ConvergenceError, match="has no margin"):
        followed(SK(), never, settle)


def test_only_the_margin_of_a_capacity_moves_and_the_density_of_a_ground_state():
    assert moved(SBP(2), Integer(5)) == SBP(5)
    assert moved(SBP(2, alpha=3), Integer(5)) == SBP(2, alpha=5)


@pytest.mark.long
def test_ground_states_between_the_capacities_of_two_levels_are_followed_from_denser_ones():
    model = SBP("1/2", alpha="7/10")
    found = solve(model, 3)
    assert found.reason.startswith("followed from alpha = ")
    sparser, denser = (solve(SBP("1/2", alpha=alpha), 3) for alpha in ("13/20", "3/4"))
    assert 0 < sparser.value < found.value < denser.value


@pytest.mark.long
def test_what_is_followed_has_the_curvatures_of_where_it_arrives():
    """Beside those of a search in doubles, at a point that both reach."""
    known = solve(SBP("1/2", alpha="3/4"), 3)
    functional, coords = functional_of(known)
    assert [float(x) for x in curvatures(functional, coords)] == pytest.approx(
        known.hessian_eigenvalues, rel=1e-4, abs=1e-9
    )
    found = solve(SBP("1/2", alpha="7/10"), 3)
    assert found.inertia == known.inertia == sum(x < 0 for x in found.hessian_eigenvalues)
    assert found.hessian_eigenvalues != known.hessian_eigenvalues


@pytest.mark.long
def test_a_followed_point_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr(module, "curvatures", lambda *where: [-x for x in curvatures(*where)])
    with pytest.raises(ConvergenceError, match="directions of ascent there, not the"):
        solve(SBP("1/2", alpha="7/10"), 3)


def test_paths_are_continued_as_parabolas_when_three_points_are_known():
    curve = np.array([2.0, -1.0])
    path = [(t, curve * (3.0 + 2.0 * t - t * t)) for t in (0.0, 0.5, 0.8)]
    np.testing.assert_allclose(extrapolated(path, 2.0), curve * 3.0, rtol=1e-13)
    older = [(-1.0, curve), *path]  # of no account
    np.testing.assert_allclose(extrapolated(older, 2.0), curve * 3.0, rtol=1e-13)
    np.testing.assert_allclose(extrapolated(path[:1], 2.0), path[0][1])
    line = [(t, curve * (1.0 + t)) for t in (0.0, 0.5)]
    np.testing.assert_allclose(extrapolated(line, 2.0), curve * 3.0, rtol=1e-13)
