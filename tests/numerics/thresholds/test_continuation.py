"""A point followed along the margin is the point that is there."""

import pytest

from numerics import ConvergenceError, refine, solve
from numerics.thresholds.continuation import followed, margin_moved
from theory import ABP, SBP, SK


def settle(start):
    return refine(start, 16)


@pytest.mark.parametrize(
    ("model", "level"), [(SBP(2), 3), (SBP("1/4"), 3), (ABP("3/2"), 2)], ids=str
)
def test_followed_is_found(model, level):
    found = followed(model, lambda other: solve(other, level), settle)
    known = solve(model, level)
    assert found.model == model
    assert abs(found.value - known.value) <= found.error + known.error
    assert found.reason.startswith("followed from kappa = ")


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

    with pytest.raises(ConvergenceError, match="no search succeeded at margins nearer to 1"):
        followed(SBP(2), never, settle)
    with pytest.raises(ConvergenceError, match="has no margin"):
        followed(SK(), never, settle)


def test_only_the_margin_moves():
    model = margin_moved(SBP(2, alpha=3), SBP(5).constraint.kappa)
    assert model == SBP(5, alpha=3)
