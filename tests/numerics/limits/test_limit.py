"""Limits of the levels: known numbers, equal levels, and what cannot be extrapolated."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from sympy import Rational

from numerics import (
    ConvergenceError,
    Limit,
    ResolutionError,
    cross_check,
    limit,
    solve,
    solve_levels,
)
from numerics.limits import branches
from numerics.limits.branches import branches_of, climb
from theory import SBP, SK, SphericalPerceptron, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

module = importlib.import_module("numerics.limits.limit")
PARISI = 0.7631667265665  # Oppermann and Schmidt, from 200 levels


@pytest.fixture(scope="module")
def sk() -> Limit:
    return limit(SK(), highest=12)


@pytest.mark.long
def test_the_limit_of_sk_is_parisis_within_its_error(sk: Limit) -> None:
    assert abs(sk.value - PARISI) <= sk.error < 2e-8
    assert sk.levels[-1] == 12
    assert abs(sk.value - PARISI) < 1e-3 * abs(sk.values[-1] - PARISI)
    assert sk.exponent == pytest.approx(4.0, abs=0.05)


@pytest.mark.slow
def test_the_profile_is_the_point_of_the_highest_level(sk: Limit) -> None:
    fe = free_energy(SK(), 12)
    fe = fe if len(sk.q) == len(fe.q) else without_quenched_average(fe)
    names = [str(x) for x in fe.order_parameters]
    point = dict(zip(names, (*sk.q, *sk.c), strict=True))
    # another quadrature, which knows nothing of the solver
    assert cross_check(fe, point) == pytest.approx(sk.values[-1], abs=1e-10)
    point[names[-1]] *= 1.02
    assert abs(cross_check(fe, point) - sk.values[-1]) > 1e-8


def test_a_perceptrons_profile_has_both_its_overlaps() -> None:
    solution = solve(SBP(1), level=4)
    profile = module._profile(SBP(1), branches_of(solution)[0])
    sizes = {name: len(profile[name]) for name in "pqc"}
    named = [profile[name] for name in "pqc"]
    expected = list(solution.order_parameters.values())
    assert sizes == {"p": 2, "q": 2, "c": 2}
    assert [x for part in named for x in part] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_values_are_those_of_solutions_with_all_their_digits(sk: Limit) -> None:
    # the last seven come from balls: in doubles they are some 1e-15 off, magnified a thousandfold
    assert sk.values[-1] == pytest.approx(solve(SK(), 12).value, abs=5e-15)


@pytest.mark.long
@pytest.mark.parametrize("levels", [(7,), pytest.param((8, 9), marks=pytest.mark.slow)])
def test_followed_branches_are_the_solvers_levels(sk: Limit, levels: tuple[int, ...]) -> None:
    for solution in solve_levels(SK(), levels):
        assert sk.values[sk.levels.index(solution.level)] == pytest.approx(
            solution.value, abs=1e-12
        )


@pytest.mark.long
def test_a_limit_is_written_as_json(sk: Limit) -> None:
    content = json.loads(json.dumps(sk.to_dict(), allow_nan=False))
    assert content["value"] == sk.value
    assert content["level"] == "inf"
    assert content["levels"] == list(sk.levels)
    assert "r -> infinity" in str(sk)


def test_where_level_one_is_stable_it_is_the_limit() -> None:
    result = limit(SphericalPerceptron(0))
    assert result.value == pytest.approx(2.0, abs=1e-14)
    assert result.error < 1e-14
    assert "merge" in result.reason


@pytest.mark.slow
def test_without_balls_doubles_stay_with_a_larger_error(sk: Limit, monkeypatch) -> None:
    """The one-sided perceptron's deep nests have none."""

    def blind(*_):
        def sight(*_):
            raise ResolutionError("encloses nothing")

        return sight

    monkeypatch.setattr(module, "seeing", blind)
    found = limit(SK(), highest=12)
    assert abs(found.value - PARISI) <= found.error
    assert sk.error < found.error < 1e-5


@pytest.mark.long
def test_a_level_whose_nests_are_too_fine_to_be_looked_at_keeps_its_value(monkeypatch) -> None:
    """Levels are searched on coarser grids than those that tell how many digits balls need."""
    branch = branches_of(solve(SK(), 3))[0]
    seen, radius = module._settled(SK(), branch)

    def too_fine(*_):
        raise ResolutionError("takes more than 2e9 operations")

    monkeypatch.setattr(module, "seeing", too_fine)
    kept, wider = module._settled(SK(), branch)
    assert kept == branch.values
    assert abs(kept[0] - seen[0]) <= wider
    assert radius < wider < 1e-13


@pytest.mark.slow
def test_every_branch_is_followed_and_the_second_one_ends_lower() -> None:
    # the shape that is lowest from level 15 on is there at level 9
    solution = next(iter(solve_levels(SBP(1), [6])))
    shapes = list(climb(SBP(1), branches_of(solution), 13))[-1]
    assert len(shapes) >= 2
    lowest, other = shapes[:2]
    assert lowest.values[-1] < other.values[-1]
    steps = [b.values[-2] - b.values[-1] for b in (lowest, other)]
    assert steps[1] > 1.2 * steps[0]
    assert len(other.levels) >= 4


@pytest.mark.long
def test_a_point_that_does_not_come_to_rest_has_not_reached_its_level(monkeypatch) -> None:
    def at_rest_nowhere(function, coords, **_):
        return coords, function(coords)[0], 1e-3

    monkeypatch.setattr(branches, "descend", at_rest_nowhere)
    monkeypatch.setattr(branches, "refine", lambda _, coords: SimpleNamespace(coords=coords))
    assert list(climb(SK(), branches_of(solve(SK(), 6)), 8)) == []
    with pytest.raises(ConvergenceError, match="no branch could be followed over 4 levels"):
        limit(SK(), highest=10)


@pytest.mark.slow
def test_a_branch_that_is_lost_on_the_way_counts(monkeypatch) -> None:
    real = list(climb(SBP(1), branches_of(solve(SBP(1), 6)), 12))
    lowest = real[-1][0]

    def loses_the_other(model, first, highest):
        yield from real[:-1]
        yield [lowest]  # the branch that ends lower did not reach the last level

    monkeypatch.setattr(module, "climb", loses_the_other)
    result = limit(SBP(1), highest=12)
    assert len(result.others) >= 1
    assert abs(result.value - 1.59650278) <= result.error


@pytest.mark.slow
def test_the_limit_of_sbp_has_six_digits_whatever_shape_is_lowest() -> None:
    known = 1.59650278  # levels 24, 28, .., 40, extrapolated by themselves
    for highest, most in ((12, 1e-3), (14, 5e-5), (20, 1e-6)):
        result = limit(SBP(1), highest=highest)
        assert abs(result.value - known) <= result.error + 3e-8
        assert result.error < most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kappa", "highest", "known", "most"),
    # at 1/2 and 7/10 new liftings go to either side of a gap in turn, at 97/100 the lowest branch begins at
    # level 8; known from five powers of levels to 32, and of levels to 14
    [("1/2", 12, 0.494, 1e-5), ("7/10", 12, 0.8727354, 5e-6), ("97/100", 10, 1.510306, 1e-3)],
)
def test_branches_that_change_from_level_to_level_have_a_limit(
    kappa: str, highest: int, known: float, most: float
) -> None:
    result = limit(SBP(Rational(kappa)), highest=highest)
    assert abs(result.value - known) <= result.error < most
    assert result.levels == tuple(range(6, highest + 1))
    assert "change shape" in result.reason or "widest gap" in result.reason


def test_a_ladder_takes_the_lowest_point_of_every_level() -> None:
    start = branches_of(solve(SK(), 3))[0].start
    first = branches.Branch(start, False, [6, 7, 8], [0.9, 0.7, 0.6], [np.full(1, 1.0)] * 3)
    second = branches.Branch(start, False, [7, 8, 9], [0.8, 0.5, 0.4], [np.full(1, 2.0)] * 3, 1e-12)
    whole = branches.ladder([first, second], 1.0)
    assert (whole.levels, whole.values) == ([6, 7, 8, 9], [0.9, 0.7, 0.5, 0.4])
    assert [float(x[0]) for x in whole.points] == [1.0, 1.0, 2.0, 2.0]
    assert whole.left == 1e-12
    assert branches.ladder([first, second], -1.0).values == [0.9, 0.8, 0.6, 0.4]


def test_shapes_are_the_logits_of_the_overlaps() -> None:
    solution = solve(SBP(kappa=1), 4)
    (shape,) = module._shapes(SBP(kappa=1), branches_of(solution), -1.0)
    p = np.array([float(solution.order_parameters[name]) for name in ("p_2", "p_3")])
    assert shape.logits == pytest.approx(np.log(p / (1.0 - p)), rel=1e-10)
    assert (shape.level, shape.value) == (4, pytest.approx(-float(solution.value), rel=1e-13))


@pytest.mark.parametrize("highest", [9, 51, 10**30])
def test_levels_out_of_range_are_refused(highest: int) -> None:
    with pytest.raises(ValueError, match="highest must be between 10 and 50"):
        limit(SK(), highest=highest)


def test_what_is_no_level_or_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match="highest must be an integer"):
        limit(SK(), highest=12.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="model must be"):
        limit("sk")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a number for kappa"):
        limit(SBP())
