"""Profiles with a gap: where it is, and a lifting more on either side of it."""

import numpy as np
import pytest

from numerics import solve
from numerics.limits import branches
from numerics.thresholds.points import objective_of
from numerics.thresholds.starts import Start, gap, interpolated, logits, parted, seed
from numerics.thresholds.stationary import follow, hessian
from theory import SBP, SK, SphericalPerceptron, free_energy

# SBP(7/10), level 8, four liftings inside and two outside of the gap, roughly.
STEPS = np.array([10.6, 7.8, 5.5, 3.6, 0.8, -0.5])
GAPPED = Start(
    np.diff(1.0 / (1.0 + np.exp(STEPS)), prepend=0.0, append=1.0),
    np.array([1.1, 0.3, 0.1, 0.03, 0.004, 0.002]),
    np.array([3.8, 10.0, 24.0, 60.0, 170.0, 400.0]),
    "here",
)

# Gaps, exponents and multipliers of SphericalPerceptron(-1), levels 7 and 8.
SPHERES = (
    Start(
        np.array([0.000353576067, 0.00342057979, 0.0145997335, 0.0437543423, 0.109848592, 0.265217974,
                  0.562805202]),
        np.array([0.070112734, 0.113028322, 0.141701006, 0.156486467, 0.159104534, 0.154586478,
                  0.20498046]),
        np.array([232.532764, 35.8276181, 11.8907006, 5.65649479, 3.35543003, 2.34373283]),
        "here",
        np.array([12.2114029, 0.0204726681]),
    ),
    Start(
        np.array([0.000178448142, 0.00171738032, 0.00725828852, 0.0213592055, 0.0516756186, 0.112644092,
                  0.244090409, 0.561076558]),
        np.array([0.0535794398, 0.088315553, 0.113952534, 0.130297403, 0.137785161, 0.137843036,
                  0.134317665, 0.203909209]),
        np.array([370.284106, 55.7987062, 18.0029995, 8.2752254, 4.70518517, 3.10358655, 2.30760004]),
        "here",
        np.array([14.9430738, 0.0167301589]),
    ),
)  # fmt: skip

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


@pytest.mark.long
def test_what_a_level_changed_done_again_is_a_nearer_start() -> None:
    one, two, three = (solve(SK(), level) for level in (4, 5, 6))
    fe = free_energy(SK(), 6)
    coordinates = objective_of(fe).evaluator.coordinates
    end = coordinates.coords(np.array(three.gaps))
    near, far = (interpolated(fe, seed(two), before=before) for before in (seed(one), None))
    assert near is not None
    assert far is not None
    apart = [np.linalg.norm(start.coords(coordinates) - end) for start in (near, far)]
    assert apart[0] < 0.3 * apart[1]


@pytest.mark.long
def test_a_saddle_is_a_few_steps_from_what_two_levels_tell() -> None:
    """It is in a bent valley of eight directions that curve by 1e-6, and at the start by 1e-4 either way.

    Level 9 was found from other starts: 12.2806394277.
    """
    fe = free_energy(SphericalPerceptron(-1), 9)
    start = interpolated(fe, SPHERES[1], before=SPHERES[0])
    assert start is not None
    objective = objective_of(fe)
    coords = start.coords(objective.evaluator.coordinates)
    coords, height, steepness = follow(
        objective, coords, objective.ascents, gradient_tolerance=1e-9, iterations=12, radius=0.25
    )
    assert steepness < 1e-9
    assert objective.value(height) == pytest.approx(12.2806394277, abs=1e-10)


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
