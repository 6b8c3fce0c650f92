"""Many digits: two routes, two grids, two precisions; the laws of the errors; what is refused."""

from __future__ import annotations

import dataclasses
import json
import math

import mpmath
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import ConvergenceError, ResolutionError, refine, solve
from numerics.balls.nest import evaluate_ball_nest
from numerics.balls.numbers import log_of, mpf_of
from numerics.balls.plan import BallGrid
from numerics.balls.program import ball_program, exact, in_balls
from numerics.functionals.doubles import evaluator_of
from numerics.thresholds.functional import functional_of
from numerics.thresholds.settle import route_in_mpmath
from theory import (
    ABP,
    SBP,
    SK,
    Hopfield,
    Model,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
)

POINTS: dict[str, tuple[Model, int]] = {
    "sbp 3": (SBP(1), 3),
    "sbp 4": (SBP(1), 4),
    "abp 2": (ABP(0), 2),
    "abp 3": (ABP("-0.3"), 3),
    "sk 2": (SK(), 2),
    "hopfield 2": (Hopfield(1, 1), 2),
    "negative hopfield 3": (Hopfield(-1, 1), 3),
    "spherical 2": (SphericalPerceptron(-1), 2),
    "zero-one 2": (ZeroOnePerceptron(0), 2),
    "abp ground state 2": (ABP(0, alpha=1), 2),
}


def agree(a: mpmath.mpf, b: mpmath.mpf, digits: int) -> bool:
    with mpmath.workdps(digits + 20):
        return abs(a - b) <= abs(b) * mpmath.mpf(10) ** -digits


# -- balls of expressions ------------------------------------------------------------------------------


def test_exact_numbers_are_exact_in_any_precision():
    (third,) = in_balls([], [free_energy(SBP("1/3"), 2).model.kappa])()
    with ctx.workdps(60):
        assert (3 * exact(SBP("1/3").kappa) - 1).contains(0)
        assert exact(SBP("1/3").kappa).rad() < 1e-55
    assert third.contains(arb(1) / 3) or third.overlaps(arb(1) / 3)


@pytest.mark.long
@pytest.mark.parametrize("name", POINTS)
def test_balls_contain_doubles_and_derivatives_agree(name):
    """The same program in doubles: values within their error, first derivatives to ten digits."""
    model, level = POINTS[name]
    solution = solve(model, level)
    functional, coords = functional_of(solution)
    doubles = evaluator_of(functional.fe, functional.generic)
    gaps = functional.program.coordinates.gaps(
        functional.program.coordinates.from_order_parameters(solution.order_parameters)
    )
    for index in range(len(functional.program.nests)):
        known = doubles.nest(index, gaps, gradient=True)
        found = functional.nest(index, [arb(float(g)) for g in gaps], BallGrid(20), gradient=True)
        assert abs(float(found.value.mid()) - known.value) <= 1e-13 * max(1.0, abs(known.value))
        derivatives = [*known.d_increments, *known.d_exponents, *known.d_parameters]
        for k, (a, b) in enumerate(zip(found.d_inputs[1:], derivatives, strict=True)):
            quenched = len(known.d_increments) <= k < 2 * len(known.d_increments) and float(a) == 0
            assert quenched or float(a.mid()) == pytest.approx(b, rel=1e-9, abs=1e-11)
    assert len(coords) == functional.program.coordinates.size


@pytest.mark.parametrize("name", ["sbp 4", "abp 3", "sk 2"])
def test_wider_tolerances_contain_finer_results(name):
    """A ball of few digits contains the balls of more: its radius bounds the error, also a large one."""
    model, level = POINTS[name]
    functional, coords = functional_of(solve(model, level))
    at = [arb(t) for t in coords]
    with ctx.workdps(60):
        fine = functional(at, BallGrid(35)).value
        for digits in (3, 6, 12, 24):
            coarse = functional(at, BallGrid(digits)).value
            assert coarse.contains(fine.mid())
            assert coarse.rad() < abs(fine) * arb(10) ** (3 - digits)


def test_coarser_grids_and_narrow_windows_are_noticed():
    """What spoils a grid on purpose widens the ball, which still contains the truth."""
    functional, coords = functional_of(solve(SBP(1), 4))
    at = [arb(t) for t in coords]
    with ctx.workdps(60):
        truth = functional(at, BallGrid(35)).value
        for spoilt in (BallGrid(20, coarsen=1.7), BallGrid(20, narrow=0.6)):
            found = functional(at, spoilt).value
            assert not found.is_finite() or found.contains(truth.mid())
            assert not found.rad() < 1e-20


@given(v=st.floats(0.05, 2.0), s=st.floats(0.3, 6.0), w=st.floats(0.05, 2.0), r=st.floats(0.3, 6.0))
@settings(max_examples=15, deadline=None)
def test_equal_exponents_merge_in_balls(v, s, w, r):
    """Two liftings of one exponent are one with the sum of their increments: within both balls."""
    leaf = ball_program(free_energy(SBP(), 4)).nests[0].leaf
    with ctx.workdps(30):
        two = [arb(0), arb(v), arb(w), arb(s), arb(s)]
        one = [arb(0), arb(v) + arb(w), arb(s)]
        first = evaluate_ball_nest(leaf, two, 2, BallGrid(18)).value
        assert first.overlaps(evaluate_ball_nest(leaf, one, 1, BallGrid(18)).value)
        assert first.rad() < 1e-16
        other = [arb(0), arb(v), arb(w), arb(s), arb(r)]
        assert (evaluate_ball_nest(leaf, other, 2, BallGrid(18)).value < first) == (r < s) or r == s


@pytest.mark.parametrize("field", [0.4, 1.5])
def test_an_even_leaf_at_opposite_fields_is_one_number(field):
    """The union's strips are measured from either side, and its ball contains the finer ones."""
    leaf = ball_program(free_energy(UPerceptron(), 4)).nests[1].leaf
    own = {"kappa": arb(1), "gap_p_2_0": arb(1) / 100}
    rest = [arb(x) for x in (0.05, 0.3, 3, 6)] + [own[x] for x in leaf.compiled.parameters]
    with ctx.workdps(45):
        plus, minus = (
            evaluate_ball_nest(leaf, [arb(x), *rest], 2, BallGrid(18)).value
            for x in (field, -field)
        )
        finer = evaluate_ball_nest(leaf, [arb(field), *rest], 2, BallGrid(30)).value
    for found in (plus, minus):
        assert found.contains(finer.mid())
        assert found.rad() < 1e-16


def test_only_the_outermost_average_may_be_quenched():
    leaf = ball_program(free_energy(SBP(), 4)).nests[0].leaf
    inputs = [arb(x) for x in (0, 0.5, 0.5, 0, 2)]
    with pytest.raises(ValueError, match="but for the outermost"):
        evaluate_ball_nest(leaf, inputs, 2, BallGrid(18))


def test_radii_do_not_grow_with_the_level():
    """A lifting is a contraction; in balls, too, though every level refers to a ball of the one inside."""
    leaf = ball_program(free_energy(SBP(), 4)).nests[0].leaf
    radii = []
    with ctx.workdps(40):
        for depth in (2, 4, 8):
            v = [arb(1) / (2 * 3**k) for k in range(depth)]
            s = [arb(3) * 2**k for k in range(depth)]
            radii.append(
                float(evaluate_ball_nest(leaf, [arb(0), *v, *s], depth, BallGrid(18)).value.rad())
            )
    assert max(radii) < 1e-17
    assert radii[-1] < 3.0 * radii[0]


@pytest.mark.long
def test_flat_middles_in_balls_are_left_out_and_nothing_is_lost(monkeypatch):
    """One ball in the other, however the deviation from flat is left out; derivatives as with it."""
    program = ball_program(free_energy(SBP(), 4))
    leaf = program.nests[1].leaf
    v = [arb(x) for x in (3.6e-6, 3.3e-5, 2e-4, 9.4e-4, 3.5e-3, 1.1e-2, 3.5e-2, 0.05)]
    s = [arb(x) for x in (3.7, 9.6, 21.0, 42.0, 76.0, 130.0, 200.0, 290.0)]
    own = {"kappa": arb(1), "gap_p_2_0": arb(3e-7)}
    inputs = [arb(0), *v, *s, *(own[x] for x in leaf.compiled.parameters)]
    with ctx.workdps(40):
        without = evaluate_ball_nest(leaf, inputs, 8, BallGrid(18), gradient=True)
        with monkeypatch.context() as patch:
            patch.setattr("numerics.balls.plan._WORTHWHILE", math.inf)
            whole = evaluate_ball_nest(leaf, inputs, 8, BallGrid(18), gradient=True)
            finer = evaluate_ball_nest(leaf, inputs, 8, BallGrid(28)).value
    assert without.value.contains(finer.mid())
    assert without.value.overlaps(whole.value)
    assert without.value.rad() < 1e-17
    assert 3 * without.nodes < whole.nodes
    # in units of what they are derivatives in
    for x, a, b in zip(inputs, without.d_inputs, whole.d_inputs, strict=True):
        assert abs((a - b) * x).mid() < 1e-15


@pytest.mark.long
def test_gradient_in_balls_is_the_difference_of_values():
    functional, coords = functional_of(solve(ABP(0), 3))
    at = [arb(t) for t in coords]
    grid = BallGrid(40)
    with ctx.workdps(60):
        slopes = functional(at, grid, gradient=True).gradient
        step = arb(10) ** -12
        for i in range(len(at)):
            up, down = ([t + a * step if j == i else t for j, t in enumerate(at)] for a in (1, -1))
            central = (functional(up, grid).value - functional(down, grid).value) / (2 * step)
            assert abs(central - slopes[i]).mid() < 1e-22


def test_logarithms_of_any_size():
    with ctx.workdps(30):
        assert log_of(arb(10) ** 5000) == pytest.approx(5000 * 2.302585092994046, rel=1e-12)
        assert log_of(-(arb(10) ** -5000)) == pytest.approx(-5000 * 2.302585092994046, rel=1e-12)
    assert log_of(arb(0)) == float("-inf")


# -- the solutions -----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", POINTS)
def test_thirty_digits_contain_twelve_and_are_in_forty(name):
    """Guard digits: D and D + 10 agree to D; both agree with the doubles to theirs."""
    model, level = POINTS[name]
    doubles = solve(model, level)
    thirty, forty = refine(doubles, 30), refine(doubles, 40, check=False)
    assert agree(thirty.value, forty.value, 30)
    with mpmath.workdps(40):
        assert abs(thirty.value - doubles.value) <= doubles.error
    assert thirty.error < abs(thirty.value) * 1e-29
    for key, value in thirty.order_parameters.items():
        assert agree(value, forty.order_parameters[key], 27)
        assert float(value) == pytest.approx(doubles.order_parameters[key], rel=1e-10)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "digits"), [("sbp 3", 60), ("abp 2", 60), ("sbp 4", 30), ("abp 3", 25)]
)
def test_the_route_in_mpmath_agrees(name, digits):
    """Two grids and two precisions of the other route, at the point of the first."""
    model, level = POINTS[name]
    solution = refine(solve(model, level), digits, check=False)
    functional, _ = functional_of(solution)
    with ctx.workdps(digits + 20):
        gaps = functional.gaps_at(
            [_ball(x, digits + 15) for x in solution.order_parameters.values()]
        )
        coords = functional.coords(gaps)
    for precision, coarsen in ((digits, 0.83), (digits + 4, 0.7)):
        assert agree(
            route_in_mpmath(functional, coords, precision, coarsen), solution.value, digits
        )


def _ball(x: mpmath.mpf, digits: int) -> arb:
    return arb(mpmath.nstr(x, digits))


def test_krauth_and_mezard_to_fifty_digits_by_their_own_equations():
    """Independent of every nest: q, Q and alpha of the RS equations by mpmath's own quadrature."""
    found = solve(ABP(0), 2, digits=30)
    with mpmath.workdps(40):

        def mean(f):
            return mpmath.quad(lambda u: f(u) * mpmath.npdf(u), mpmath.linspace(-14, 14, 15))

        root = mpmath.sqrt(found.q[0])
        p = found.p[0]
        assert agree(mean(lambda u: mpmath.tanh(root * u) ** 2), p, 29)
        entropy = mean(lambda u: mpmath.log(2 * mpmath.cosh(root * u))) - (1 - p) * found.q[0] / 2
        scale = mpmath.sqrt(p / (1 - p))
        energy = mean(lambda u: mpmath.log(mpmath.erfc(-scale * u / mpmath.sqrt(2)) / 2))
        assert agree(-entropy / energy, found.value, 29)


def test_many_digits_of_closed_forms_and_special_branches():
    assert agree(solve(SBP(1), 2, digits=80).value, _sbp_two(), 79)
    spherical = solve(SphericalPerceptron(0), 1, digits=40)
    assert agree(spherical.value, mpmath.mpf(2), 39)
    assert agree(solve(SphericalPerceptron(1), 2, digits=30).value, _spherical_one(), 29)  # merged
    assert solve(SBP(1, alpha=1), 2, digits=30).value == 0


@pytest.mark.parametrize("kappa", [9, 20])
def test_closed_forms_that_cancel_have_the_digits_they_claim(kappa):
    """1 - erf(kappa/sqrt 2) is 1e-19 and 1e-88: the working precision has to grow."""
    model = SBP(kappa)
    with mpmath.workdps(250):
        exact_value = -mpmath.log(2) / mpmath.log1p(-mpmath.erfc(kappa / mpmath.sqrt(2)))
    for digits in (12, 30, 60):
        assert agree(solve(model, 2, digits=digits).value, exact_value, digits)


def test_a_closed_form_beyond_reach_says_so():
    with pytest.raises(ResolutionError, match="less extreme"):
        solve(SBP(1000), 2)


def _sbp_two() -> mpmath.mpf:
    with mpmath.workdps(100):
        return -mpmath.log(2) / mpmath.log(mpmath.erf(1 / mpmath.sqrt(2)))


def _spherical_one() -> mpmath.mpf:
    with mpmath.workdps(50):
        return 1 / (2 * mpmath.ncdf(1) + mpmath.npdf(1))


def test_numbers_of_many_digits_are_written_in_full():
    found = solve(ABP(0), 2, digits=40)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["value"] == "0.8330785997395792336890868932669659080521"
    assert len(document["order_parameters"]["p_2"]) == 42
    assert "0.8330785997395792336890868932669659080521" in str(found)


def test_conversion_is_exact():
    with ctx.workdps(200):
        x = arb(1) / 3
        found = mpf_of(x)
        assert arb(int(found.man)) * arb(2) ** int(found.exp) == x.mid()


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [0, 1001, 10**9])
def test_settle_out_of_range(digits):
    with pytest.raises(ValueError, match="between 1 and 1000"):
        solve(SBP(1), 3, digits=digits)


@pytest.mark.parametrize("digits", [0, -5, 1001, 10**400])
def test_refinement_to_digits_out_of_range(digits):
    with pytest.raises(ValueError, match="digits must be between 1 and 1000, got"):
        refine(solve(SBP(1), 2), digits)


@pytest.mark.parametrize("digits", [True, 2.5, "20", None])
def test_refinement_to_no_number_of_digits(digits):
    with pytest.raises(TypeError, match="digits must be an integer"):
        refine(solve(SBP(1), 2), digits)
    with pytest.raises(TypeError, match="expected a Solution"):
        refine(1.5, 20)  # type: ignore[arg-type]


def test_a_point_that_is_not_near_is_refused():
    found = solve(SBP(1), 3)
    moved = (*found.gaps[:-1], 40.0)
    with pytest.raises(ConvergenceError):
        refine(dataclasses.replace(found, gaps=moved), 30)


def test_a_minimum_that_ran_away_is_refused():
    found = solve(SBP("0.05"), 3)
    assert found.branch == "s -> infinity"
    with pytest.raises(ConvergenceError, match="ran away"):
        refine(found, 30)


@pytest.mark.slow
@pytest.mark.parametrize("level", [5, 6, 7])
def test_fifty_digits_by_both_routes(level):
    solution = refine(solve(SBP(1), level), 50, check=False)
    functional, _ = functional_of(solution)
    with ctx.workdps(75):
        coords = functional.coords(
            functional.gaps_at([_ball(x, 65) for x in solution.order_parameters.values()])
        )
    assert agree(route_in_mpmath(functional, coords, 52), solution.value, 50)


@pytest.mark.slow
def test_a_thousand_digits_of_level_three():
    found = refine(solve(SBP(1), 3), 1000)
    assert agree(found.value, refine(solve(SBP(1), 3), 300).value, 299)
    assert found.error < mpmath.mpf(10) ** -999


@pytest.mark.slow
def test_the_union_to_thirty_digits():
    assert refine(solve(UPerceptron(1), 3), 30).error < mpmath.mpf(10) ** -29
