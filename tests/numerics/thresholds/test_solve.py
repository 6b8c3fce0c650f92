"""Thresholds of the symmetric perceptron: laws, independent routes and refusals."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import Solution, cross_check, solve, solve_levels
from numerics.errors import ResolutionError
from numerics.functionals.doubles import evaluator
from numerics.nests.grids import Strip, spacing, trapezoid_error
from numerics.thresholds.objective import Objective
from numerics.thresholds.points import located, objective_of, same_point
from numerics.thresholds.runaway import at_exponent
from numerics.thresholds.solve import _settled, _silent
from numerics.thresholds.starts import Start, _read, interpolated, logits_of, resolved, seed
from numerics.thresholds.stationary import minimise
from theory import ABP, SBP, SK, Hopfield, free_energy
from theory.thresholds.finite_exponents import without_quenched_average
from verify.strategies import order_parameters

SOLVED: dict[int, Solution] = {}


def solved(level: int) -> Solution:
    if not SOLVED:
        SOLVED.update((sol.level, sol) for sol in solve_levels(SBP(1), range(2, 6)))
    return SOLVED[level]


def test_level_two_is_the_closed_form():
    expected = -math.log(2) / math.log(math.erf(1 / math.sqrt(2)))
    assert solved(2).value == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("level", "printed"), [(3, 1.65753519435), (4, 1.62173756), (5, 1.60912527741)]
)
def test_levels_at_margin_one(level: int, printed: float):
    sol = solved(level)
    assert sol.value == pytest.approx(printed, rel=5e-9)
    assert sol.inertia == 0
    assert sol.gradient_norm < 1e-9
    assert sol.digits == 12
    assert sol.value < solved(level - 1).value


@pytest.mark.parametrize("level", [3, 4, 5])
def test_another_quadrature_agrees_within_the_error(level: int):
    sol = solved(level)
    other = cross_check(free_energy(SBP(1), level), sol.order_parameters)
    assert abs(other - sol.value) < 20 * sol.error + 1e-13


@pytest.mark.parametrize("level", [3, 4])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_ordered_points_lie_above_the_minimum(level: int, data: st.DataObject):
    fe = free_energy(SBP(1), level)
    ev = evaluator(fe)
    point = data.draw(order_parameters(fe))
    value = ev(ev.coordinates.from_order_parameters(point), gradient=False).value
    assert value >= solved(level).value * (1 - 1e-12)


def test_the_gradient_is_the_derivative():
    ev = evaluator(free_energy(SBP(1), 4))
    coords = ev.coordinates.from_order_parameters(solved(4).order_parameters) + 0.1
    gradient = ev(coords).gradient
    for i in range(coords.size):
        step = np.zeros_like(coords)
        step[i] = 1e-4
        numeric = ev(coords + step, gradient=False).value - ev(coords - step, gradient=False).value
        assert gradient[i] == pytest.approx(numeric / 2e-4, rel=1e-5, abs=1e-8)


def test_equal_exponents_embed_a_level_in_the_next():
    low, high = evaluator(free_energy(SBP(1), 3)), evaluator(free_energy(SBP(1), 4))
    p, q, s = (solved(3).order_parameters[name] for name in ("p_2", "Q_2", "s_2"))
    value = low(low.coordinates.from_order_parameters(solved(3).order_parameters)).value
    split = {"p_2": p, "p_3": 0.4 * p, "Q_2": q, "Q_3": 0.3 * q, "s_2": s, "s_3": s}
    embedded = high(high.coordinates.from_order_parameters(split), gradient=False).value
    assert embedded == pytest.approx(value, rel=1e-13)


def test_both_branches_where_they_coexist():
    sol = solve(SBP("0.6"), 3)
    finite = [b.value for b in sol.branches if b.branch == "finite"]
    assert finite == pytest.approx([0.781605918733, 0.786057986305], rel=1e-11)


def test_the_lower_of_two_level_four_minima_is_found():
    """At kappa = 0.25 they differ by 5e-4, and the starts nearest to level 3 end in the higher one."""
    values = [b.value for b in solve(SBP("0.25"), 4).branches if b.branch == "finite"]
    assert values == pytest.approx([0.180272886868, 0.180364386734], rel=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("kappa", "level"), [("0.28", 5), ("0.62", 5), ("0.85", 5), ("4.5", 5)])
def test_random_starts_find_nothing_lower(kappa: str, level: int):
    """Ordered points up to factors of a hundred away in every coordinate."""
    sol, fe = solve(SBP(kappa), level), free_energy(SBP(kappa), level)
    ev = evaluator(fe).with_grid(tolerance=1e-10, work_limit=4_000_000)
    objective = Objective.of(fe, ev)
    n, rng = len(fe.c), np.random.default_rng(level)
    centre = ev.coordinates.from_order_parameters(sol.order_parameters)

    def ordered(coords: np.ndarray) -> bool:
        return bool((np.diff(coords[-n:], prepend=0.0) > 0.0).all())

    reached = 0
    for size in 20 * [1.0] + 20 * [2.0]:
        start = centre + rng.normal(0.0, size, centre.size)
        start[-n:] = np.sort(np.abs(start[-n:])) + 0.1 * np.arange(1, n + 1)
        _, value, gradient = minimise(objective, start, domain=ordered, gradient_tolerance=1e-5)
        if gradient < 1e-3:
            reached += 1
            assert math.exp(value) > sol.value * (1.0 - 1e-7)
    assert reached > 5


@pytest.mark.long
def test_the_infinite_exponent_limit_takes_over_at_a_small_margin():
    assert solve(SBP("0.05"), 3).branch == "s -> infinity"
    assert solve(SBP("0.2"), 3).branch == "finite"


@pytest.mark.long
@pytest.mark.parametrize("kappa", ["0.1", "0.105"])
def test_the_error_of_the_infinite_exponent_holds_the_minimum_that_it_stands_for(kappa):
    """At an exponent of 1e11, which balls do not resolve; whichever a search ends in is rounding's matter."""
    found = solve(SBP(kappa), 3)
    limit = next(b for b in found.branches if b.branch == "s -> infinity")
    objective = objective_of(free_energy(SBP(kappa), 3))
    depths = []
    for s in 10.0 ** np.arange(10.0, 14.0, 0.25):
        point = at_exponent(limit, s).coords(objective.evaluator.coordinates)
        depths.append(limit.value - math.exp(objective(point)[0]))
    assert 5e-14 < max(depths) < found.error < 1e-11
    assert all(abs(b.value - found.value) <= found.error + b.error for b in found.branches)


@pytest.mark.long
def test_a_minimum_that_balls_do_not_resolve_becomes_the_infinite_exponent_with_an_error_that_holds_it():
    model = SBP("0.1")
    fe = free_energy(model, 3)
    limit = next(b for b in solve(model, 3).branches if b.branch == "s -> infinity")
    objective = objective_of(fe)
    point = located(
        objective, fe, at_exponent(limit, 4e11).coords(objective.evaluator.coordinates), "placed"
    )
    found = _settled(replace(point, branches=(point, limit)), 12, _silent)
    assert found.branch == "s -> infinity"
    assert 5e-14 < found.value - point.value < found.error
    with pytest.raises(ResolutionError):  # without that branch there is nothing to fall back on
        _settled(replace(point, branches=(point,)), 12, _silent)


def test_a_minimum_below_the_infinite_exponent_is_chosen_once_balls_see_it():
    """Its curvature may be lost in doubles, which then call it one of another kind."""
    known = solve(SBP("0.15"), 3)
    finite, limit = known.branches
    assert (finite.branch, limit.branch) == ("finite", "s -> infinity")
    assert not same_point(finite, limit)
    again = _settled(replace(limit, branches=(finite, limit)), 12, _silent)
    assert (again.branch, again.inertia) == ("finite", 0)
    assert again.value == pytest.approx(known.value, abs=known.error + again.error)
    assert [b.branch for b in again.branches] == ["finite", "s -> infinity"]


@pytest.mark.long
def test_where_no_exponent_near_the_limit_is_resolved_the_functional_is_extrapolated_to_it():
    levels = list(solve_levels(SBP("1/1000"), range(3, 6), digits=9))
    assert [x.branch for x in levels] == 3 * ["s -> infinity"]
    for one, more in itertools.pairwise(levels):
        assert more.value + more.error < one.value - one.error
    # at the largest exponent itself the functional is still as far above the limit as the limit is from 0
    for one in levels[1:]:
        assert one.error < 0.05 * one.value


def test_spacing_meets_its_own_bound():
    for strip in (Strip(math.pi / 2, 0.0, "cone"), Strip(0.3, 20.0, "log-concave")):
        h = spacing(strip, 0.4, 3.0, 1e-12)
        assert trapezoid_error(strip, 0.4, 3.0, h) == pytest.approx(1e-12, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((SBP(), 3), ValueError),
        ((SBP(1), 1), ValueError),
        ((SBP(1), 2.5), TypeError),
        ((SBP(1), True), TypeError),
        (("sbp", 3), TypeError),
    ],
)
def test_bad_input_is_refused(arguments: tuple, error: type[Exception]):
    with pytest.raises(error) as caught:
        solve(*arguments)
    assert "\n" not in str(caught.value)


# -- starts from the profile, high levels -----------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("model", [SBP(1), SK(), Hopfield(alpha=1), ABP(0)], ids=str)
def test_a_profile_read_at_its_own_places_is_itself(model):
    """Read between them it keeps its order, its ends, and what is left of the multipliers outermost."""
    below = solve(model, 4)
    at, fe = seed(below), free_energy(model, 5)
    if len(fe.q) - len(fe.c) != len(below.q) - len(below.c):
        fe = without_quenched_average(fe)
    found = interpolated(fe, at)
    assert found is not None
    assert found.s.size == len(fe.c) == at.s.size + 1
    assert np.all(found.q > 0.0)
    assert found.p.sum() == pytest.approx(at.p.sum(), rel=1e-12)
    rising = np.diff(at.s) > 0
    if rising.all() or not rising.any():
        assert np.all((np.diff(found.s) > 0) == rising[0])
    same = _read(np.log(at.s), at.s.size)
    assert np.exp(same) == pytest.approx(at.s, rel=1e-12)
    if at.p.any():
        assert resolved(logits_of(at.p)) == pytest.approx(at.p / at.p.sum(), rel=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"q": (0.0, 0.1)}, {"q": (1e305, 1e-305)}, {"s": (4.0, 1.0)}, {"s": (4.0, math.nan)},
        {"s": (1e300, 1e-300)}, {"p": (0.5, 0.0, 0.5)}, {"p": (1e-320, 0.5, 0.5)},
    ],
)  # fmt: skip
def test_a_profile_that_cannot_be_read_is_no_start(change):
    at = {"p": (0.1, 0.3, 0.6), "q": (1.1, 0.1), "s": (4.0, 11.0), **change}
    start = Start(*(np.array(at[x]) for x in "pqs"), "here")
    found = interpolated(free_energy(SBP(1), 5), start)
    assert found is None or all(
        np.isfinite(x).all() and min(x) > 0 for x in (found.p, found.q, found.s)
    )


def test_a_straight_profile_stays_straight():
    values = 3.0 + 2.0 * (np.arange(4) + 0.5) / 4
    assert _read(values, 9) == pytest.approx(3.0 + 2.0 * (np.arange(9) + 0.5) / 9, rel=1e-12)


@pytest.mark.slow
def test_sk_goes_on_falling_and_high_levels_are_lower_than_any_found_before():
    """Level 8 of SK was once 0.7631796854, a minimum, but not the lowest; 9 to 12 were said to be merged."""
    parisi = 0.7631667265665
    values = [float(s.value) for s in solve_levels(SK(), range(7, 10))]
    assert values[1] == pytest.approx(0.76317681766, abs=1e-11)
    gaps = np.array(values) - parisi
    assert np.all(gaps > 0)
    # levels approach the limit as a power, here near the fourth
    powers = np.diff(np.log(gaps)) / np.diff(np.log(np.arange(7, 10)))
    assert np.all((powers < -3.0) & (powers > -5.0))


@pytest.mark.slow
def test_level_fourteen_changes_its_shape():
    """The best minimum has a lifting outermost that the one continued from below has not."""
    *_, last = solve_levels(SBP(1), range(2, 15))
    assert float(last.value) < 1.5970054
    assert last.error < 1e-14
    assert len(last.branches) > 1
    assert min(last.p) < 0.7 < min(last.branches[1].p)
