"""Profiles with a gap: where it is, and a lifting more on either side of it."""

import numpy as np
import pytest

from numerics.limits import branches
from numerics.thresholds.points import objective_of
from numerics.thresholds.starts import Start, gap, interpolated, logits, parted
from numerics.thresholds.stationary import hessian
from theory import SBP, SK, SphericalPerceptron, free_energy

# SBP(7/10), level 8, four liftings inside and two outside of the gap, roughly.
STEPS = np.array([10.6, 7.8, 5.5, 3.6, 0.8, -0.5])
GAPPED = Start(
    np.diff(1.0 / (1.0 + np.exp(STEPS)), prepend=0.0, append=1.0),
    np.array([1.1, 0.3, 0.1, 0.03, 0.004, 0.002]),
    np.array([3.8, 10.0, 24.0, 60.0, 170.0, 400.0]),
    "here",
)

# Gaps, exponents and multipliers of SphericalPerceptron(-2), level 6: exponents rise outside of the gap.
SPHERE = Start(
    np.array([0.000955288646, 0.00970723701, 0.0472335801, 0.436427137, 0.245392464, 0.260284293]),
    np.array([0.171900851, 0.242332113, 0.25463213, 0.286387011, 0.026459565, 0.0182883295]),
    np.array([96.672563, 17.0364405, 6.7886535, 4.21248921, 5.35562166]),
    "here",
    np.array([12.0441815, 0.0207569108]),
)


def test_a_gap_is_a_step_wider_than_its_neighbours() -> None:
    assert gap(STEPS) == 4
    assert gap(logits(SBP(1), GAPPED)) == 4
    assert gap(logits(SphericalPerceptron(-2), SPHERE)) == 3
    assert gap(STEPS[:3]) is None
    assert gap(np.empty(0)) is None
    # steps that fall towards the middle and rise again, as SK's
    assert gap(-np.cumsum([1.7, 1.2, 1.0, 1.03, 1.5])) is None
    # the outermost step may be wide without a gap: nothing is beyond it
    assert gap(-np.cumsum([2.7, 2.1, 1.8, 1.6, 1.5, 2.2])) is None


def test_a_lifting_more_on_one_side_leaves_the_other_as_it_is() -> None:
    fe = free_energy(SBP("7/10"), 9)
    inside, outside = (logits(SBP(1), start) for start in parted(fe, GAPPED))
    assert inside.size == outside.size == STEPS.size + 1
    assert inside[5:] == pytest.approx(STEPS[4:], rel=1e-9)
    assert outside[:4] == pytest.approx(STEPS[:4], rel=1e-9)
    assert np.all(np.diff(inside) < 0.0)
    assert inside[4] > 2.5
    assert outside[4] < 1.5
    for start in parted(fe, GAPPED):
        assert np.all(np.diff(start.s) > 0.0)
        assert min(start.q.min(), start.p.min()) > 0.0


def test_one_overlap_alone_becomes_two_on_its_side_of_the_gap() -> None:
    start = interpolated(free_energy(SBP("7/10"), 9), GAPPED, pieces=(5, 5))
    assert start is not None
    x = logits(SBP(1), start)
    assert x[:5] == pytest.approx(STEPS[:5], rel=1e-9)
    assert x[4] > x[5] > STEPS[5] > x[6]


def test_profiles_without_a_gap_have_no_two_sides() -> None:
    smooth = Start(np.zeros(5), np.full(5, 0.2), np.array([8.0, 3.0, 1.5, 0.9, 0.4]), "here")
    assert parted(free_energy(SK(), 7), smooth) == []


@pytest.mark.long
def test_a_saddle_whose_exponents_rise_outside_of_a_gap_is_followed_to_the_next_level() -> None:
    """The point with falling exponents, 124.726429, is higher."""
    model = SphericalPerceptron(-2)
    fe = free_energy(model, 7)
    objective = objective_of(fe)
    inside = parted(fe, SPHERE)[0]
    coords, left = branches._end(
        branches._coarse(objective), inside.coords(objective.evaluator.coordinates)
    )
    value = objective.value(objective(coords)[0])
    assert left < 1e-12
    assert value == pytest.approx(124.70901119, abs=1e-7)
    # down at four of the steps between exponents, at the last one to 0, and in gamma
    eigenvalues = np.linalg.eigvalsh(hessian(objective, coords))
    assert int((eigenvalues < 0.0).sum()) == objective.ascents(coords) == 6
