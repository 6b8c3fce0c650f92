"""The proved trapezoid bounds hold, are not idle, and fall at the stated rates."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics.nests.doubles import evaluate_nest
from numerics.nests.grids import (
    ResolutionError,
    Strip,
    commensurate,
    lifted_strips,
    plan_grids,
    spacing,
    trapezoid_error,
    window,
)
from verify import nests

CONE = Strip(0.5 * math.pi, 0.0, "cone")


def log_positive(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


@st.composite
def strips(draw: st.DrawFn) -> Strip:
    kind = draw(st.sampled_from(["cone", "log-concave", "bounded"]))
    if kind == "cone":
        turn = draw(log_positive(0.1, 3.0))
        return Strip(0.5 * math.pi / turn, 0.0, "cone", turn=turn)
    variance = draw(log_positive(1e-4, 1.0))
    if kind == "log-concave":
        return Strip(math.sqrt(2.0 * variance), 1.0 / variance, "log-concave")
    bend, spread = draw(log_positive(0.1, 100.0)), draw(log_positive(0.1, 10.0))
    width = math.sqrt(2.0 / (1.0 / variance + bend))
    return Strip(width, 1.0 / variance, "bounded", bend=bend, spread=spread)


LEAVES = [
    ("growing",),
    ("falling", 1.0, 0.02),
    ("falling", 0.3, 0.3),
    ("falling", 5.0, 0.1),
    ("one-sided", 0.4, 0.1),
    ("union", 1.0, 0.2),
    ("union", 0.4, 0.1),
    ("absolute", 3.0, 0.1),
    ("absolute", 0.5, 0.02),
    ("hinge", 4.0, 0.2),
    ("soft one-sided", 5.0, 0.2, 0.3, 0.1),
    ("soft window", 5.0, 0.2, 0.6, 0.1),
    ("soft union", 5.0, 0.2, 0.6, 0.1),
    ("logistic", 0.5),
    ("levels", 0.0, 0.5, -0.3, -1.0),
]


def leaf_of(draw, leaf_case):
    """A leaf of any kind, as (case, its largest growth to the side)."""
    case = leaf_case(*draw(st.sampled_from(LEAVES)))
    return case, max(0.0, *(x for x in case.shape.slopes))


def spread_of(case) -> float:
    """A field beyond which the leaf does what it does far out."""
    return max([abs(x) for x in case.shape.settled if math.isfinite(x)], default=0.0)


def trapezoid(f, x, v: float, s: float, h: float, offset: float, reach: float):
    """``Z_h(x) = sum_j h phi(y_j - x) exp(s f(y_j))`` on y_j = (j + offset) h, plainly; x may be complex."""
    n = math.ceil(reach / h)
    y = (np.arange(-n, n + 1) + offset) * h
    weight = np.exp(-((y - np.atleast_1d(x)[:, None]) ** 2) / (2.0 * v) + s * f(y))
    return weight.sum(axis=1) * h / math.sqrt(2.0 * math.pi * v)


def reach_of(v: float, s: float, slope: float, x: float = 0.0) -> float:
    return abs(x) + 9.0 * math.sqrt(v) + s * v * slope


# -- the formulas ----------------------------------------------------------------------------------


@given(strips(), log_positive(1e-6, 10.0), st.floats(0.0, 50.0), log_positive(1e-30, 0.5))
@settings(max_examples=200)
def test_spacing_is_the_inverse_of_the_error(strip, v, s, tolerance):
    h = spacing(strip, v, s, tolerance)
    assert trapezoid_error(strip, v, s, h) == pytest.approx(tolerance, rel=1e-9)
    assert trapezoid_error(strip, v, s, 0.9 * h) < tolerance < trapezoid_error(strip, v, s, 1.1 * h)


@given(strips(), log_positive(1e-4, 10.0), st.floats(1e-3, 50.0), log_positive(1e-3, 10.0))
@settings(max_examples=200)
def test_the_bound_is_the_best_over_all_shifts(strip, v, s, h):
    """No contour inside the strip proves less than the one chosen in closed form."""
    bend = 1.0 / v + s * strip.curvature
    shifts = np.linspace(1e-4, 1.0, 400) * min(strip.half_width, 4.0 * math.pi / (h * bend))
    powers = 2.0 * math.pi * shifts / h - 0.5 * bend * shifts**2
    best = powers.max()
    bound = trapezoid_error(strip, v, s, h)
    if best <= 0.0:
        assert bound > 1.0
    elif bound > 1e-290:
        assert bound <= 2.0 / math.expm1(best) * (1 + 1e-9)
        assert bound >= 2.0 / math.expm1(best * 1.001) * (1 - 1e-9)


@given(strips(), nests())
def test_lifting_never_widens_a_cone_and_never_grows_faster(strip, liftings):
    for v, s in zip(*liftings, strict=True):
        lifted = strip.lift(v, s)
        assert lifted.kind == strip.kind
        assert lifted.curvature <= strip.curvature
        if strip.kind == "cone":
            cone = 0.5 * math.pi / (s * strip.turn)
            assert lifted.half_width == pytest.approx(min(strip.half_width, cone), rel=1e-15)
        elif strip.kind == "log-concave":
            wanted = math.sqrt(2.0 * v)
            if strip.curvature < 1.0 / (s * v):
                wanted = min(wanted, strip.half_width)
            assert lifted.half_width == wanted
        strip = lifted


@given(strips(), nests(st.integers(1, 4)))
def test_a_bounded_curvature_stays_bounded(strip, liftings):
    """By slope alone however small the increment was, and never by more than ``s l^2`` per lifting."""
    assume(strip.kind == "bounded")
    for v, s in zip(*liftings, strict=True):
        lifted = strip.lift(v, s)
        assert lifted.bend <= strip.bend + s * strip.spread**2 * (1 + 1e-12)
        assert lifted.bend <= s * strip.spread**2 + strip.spread / math.sqrt(v) * (1 + 1e-12)
        assert lifted.half_width <= math.sqrt(2.0 / (1.0 / v + s * lifted.bend)) * (1 + 1e-12)
        assert lifted.spread == strip.spread
        flatter = strip.lift(v, s, bend=0.0)
        assert flatter.half_width >= lifted.half_width
        strip = lifted


def test_without_curvature_the_bounded_induction_is_the_log_concave_one():
    for v, s in ((0.3, 2.0), (1e-3, 0.5)):
        bounded = Strip(0.4, 12.0, "bounded", bend=0.0, spread=0.0).lift(v, s)
        concave = Strip(0.4, 12.0, "log-concave").lift(v, s)
        assert bounded.half_width == concave.half_width
        assert bounded.curvature == concave.curvature


@given(strips(), st.floats(0.1, 5.0))
def test_a_lifting_without_variance_changes_no_strip(strip, s):
    assert strip.lift(0.0, s) == strip


# -- the theorem ---------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=150)
def test_the_trapezoid_error_of_one_lifting_is_within_its_bound(leaf_case, data):
    """Spacings are so coarse that the error is far above rounding; the grid's offset is arbitrary."""
    case, slope = leaf_of(data.draw, leaf_case)
    v, s = data.draw(log_positive(0.003, 3.0)), data.draw(log_positive(0.2, 8.0))
    bound = data.draw(log_positive(1e-9, 0.5))
    offset, x = data.draw(st.floats(0.0, 1.0)), data.draw(st.floats(-2.0, 2.0))

    def f(y):
        return case.leaf.values(y, case.parameters)

    h = spacing(case.strip, v, s, bound)
    reach = reach_of(v, s, slope, x) + spread_of(case)
    coarse = trapezoid(f, x, v, s, h, offset, reach)[0]
    exact = trapezoid(f, x, v, s, spacing(case.strip, v, s, 1e-17), 0.0, reach)[0]
    assert abs(coarse / exact - 1.0) <= bound * (1 + 1e-9) + 1e-13


@given(st.data())
@settings(max_examples=60)
def test_the_error_of_a_second_lifting_is_within_the_bound_of_the_lifted_strip(leaf_case, data):
    """The inner function is itself a partition function, with the narrower strip that `lift` states."""
    case, slope = leaf_of(data.draw, leaf_case)
    v, s = data.draw(nests(st.just(2), increments=(0.02, 2.0), exponents=(0.2, 8.0)))
    bound = data.draw(log_positive(1e-8, 0.3))
    h_0 = spacing(case.strip, v[0], s[0], 1e-17)
    lifted = case.strip.lift(v[0], s[0])
    outer = reach_of(v[1], s[1], slope) + spread_of(case)

    def f_1(y):
        z = trapezoid(
            lambda x: case.leaf.values(x, case.parameters), y, v[0], s[0], h_0, 0.0,
            reach_of(v[0], s[0], slope, outer) + spread_of(case),
        )  # fmt: skip
        with np.errstate(divide="ignore"):  # far out a falling leaf underflows
            return np.log(z) / s[0]

    h, fine = (spacing(lifted, v[1], s[1], e) for e in (bound, 1e-16))
    coarse = trapezoid(f_1, 0.0, v[1], s[1], h, data.draw(st.floats(0.0, 1.0)), outer)[0]
    exact = trapezoid(f_1, 0.0, v[1], s[1], fine, 0.0, outer)[0]
    assert abs(coarse / exact - 1.0) <= bound * (1 + 1e-9) + 1e-12


@given(st.data(), nests(st.integers(1, 3), exponents=(0.5, 8.0), ordered=True))
@settings(max_examples=60)
def test_the_error_a_nest_reports_bounds_its_distance_to_finer_grids(leaf_case, data, liftings):
    """The bounds of all levels together, divided by the exponents, through `evaluate_nest` itself."""
    case, _ = leaf_of(data.draw, leaf_case)
    coarsen = data.draw(st.floats(1.5, 3.5))
    arguments = (case.leaf, case.parameters, 0.0, *liftings)
    exact = evaluate_nest(*arguments, gradient=False)
    try:
        coarse = evaluate_nest(*arguments, gradient=False, coarsen=coarsen)
    except ResolutionError:  # so coarse that the last node has weight
        assume(False)
    assume(coarse.discretisation < 0.3)
    assert abs(coarse.value - exact.value) <= 1.2 * coarse.discretisation + 2e-14 * max(
        1.0, abs(exact.value)
    )


@given(st.floats(0.1, 5.0), log_positive(0.05, 3.0), st.floats(-1.0, 1.0), log_positive(1e-9, 0.1))
@settings(max_examples=60)
def test_the_trapezoid_error_of_a_quenched_average_is_within_its_bound(a, v, x, bound):
    """A parabola grows to the side of the real axis: ``E f`` needs finer grids than ``E exp f``."""
    strip = Strip(math.inf, a, "log-concave")
    h = spacing(strip, v, 0.0, bound)
    assert h < spacing(strip, v, 1e-12, bound)
    n = math.ceil((9.0 * math.sqrt(v) + abs(x)) / h) + 1
    y = h * np.arange(-n, n + 1)
    weights = h * np.exp(-((y - x) ** 2) / (2.0 * v)) / math.sqrt(2.0 * math.pi * v)
    exact = -0.5 * a * (x * x + v)
    assert abs(weights @ (-0.5 * a * y * y) - exact) <= bound * (1.0 - exact) + 1e-14


# -- the rates -----------------------------------------------------------------------------------


def test_a_pure_gaussian_converges_like_exp_of_minus_one_over_h_squared():
    """Log error against 1/h^2 is a line of slope -2 pi^2 v, and the bound is that line."""
    v, inverse = 0.7, np.array([0.6, 0.9, 1.2, 1.5])
    errors = []
    for h in inverse**-0.5:
        errors.append(abs(trapezoid(np.zeros_like, 0.0, v, 1.0, h, 0.0, 20.0)[0] - 1.0))
        bound = trapezoid_error(Strip(math.inf, 0.0, "cone"), v, 1.0, h)
        assert 0.98 * bound < errors[-1] <= bound + 1e-15
    slope = np.polyfit(inverse, np.log(errors), 1)[0]
    assert slope == pytest.approx(-2.0 * math.pi**2 * v, rel=1e-3)


def test_next_to_zeros_the_error_falls_like_exp_of_minus_one_over_h():
    """After a lifting with s = 2 the zeros of the inner partition function limit the next one.

    They lie at Im x = arccos(-exp(-2 v))/2, just above pi/4. Log error against 1/h is a line whose
    slope is -2 pi times that, as steep as the strip of half-width pi/4 promises and hardly steeper.
    """
    v_1, v_2, s_2 = 3.0, 1.0, 1.0  # exp(s_2 f_1) = sqrt(Z_1), a branch point at every zero

    def f_1(y):
        return 0.5 * np.log(2.0 + 2.0 * math.exp(2.0 * v_1) * np.cosh(2.0 * y))

    strip = CONE.lift(v_1, 2.0)
    assert strip.half_width == pytest.approx(math.pi / 4)
    inverse = np.array([1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    errors = []
    for h in 1.0 / inverse:
        # shifting a grid by half a step turns the sign of the leading error; its size is the amplitude
        at_zero, between = (
            trapezoid(f_1, 0.0, v_2, s_2, h, offset, reach_of(v_2, s_2, 1.0))[0]
            for offset in (0.0, 0.5)
        )
        errors.append(abs(at_zero - between) / (at_zero + between))
        assert errors[-1] <= trapezoid_error(strip, v_2, s_2, h)
    zero = 0.5 * math.acos(-math.exp(-2.0 * v_1))
    slope = np.polyfit(inverse, np.log(errors), 1)[0]
    assert slope < -2.0 * math.pi * strip.half_width
    # the integral along the cut of a square root contributes h^(3/2) besides
    slope = np.polyfit(inverse, np.log(errors) + 1.5 * np.log(inverse), 1)[0]
    assert slope == pytest.approx(-2.0 * math.pi * zero, rel=0.05)


# -- the strips ----------------------------------------------------------------------------------


@given(st.floats(-30.0, 30.0), st.floats(0.0, math.pi / 2))
def test_the_growing_leaf_stays_in_its_cone(y, a):
    """``|2cosh(y + ia)| <= 2cosh y`` and ``|arg| <= a``, the start of the cone's induction."""
    value = complex(mpmath.cosh(mpmath.mpc(y, a)))
    assert abs(value) <= math.cosh(y) * (1 + 1e-15)
    assert abs(math.atan2(value.imag, value.real)) <= a + 1e-12


@pytest.mark.parametrize("v", [0.05, 0.3, 1.0, 3.0])
def test_zeros_of_the_lifted_partition_function(v):
    """For s = 2: E (2cosh(x + sqrt(v) U))^2 vanishes where cos(2 Im x) = -exp(-2v), Re x = 0."""
    with mpmath.workdps(30):
        height = mpmath.acos(-mpmath.exp(-2 * mpmath.mpf(v))) / 2

        def partition(x):
            return mpmath.quad(
                lambda u: mpmath.npdf(u) * (2 * mpmath.cosh(x + mpmath.sqrt(v) * u)) ** 2,
                mpmath.linspace(-16, 16, 17),
            )

        assert abs(partition(mpmath.mpc(0, height))) < 1e-25 * abs(partition(0))
        assert abs(partition(mpmath.mpc(0, 0.99 * height))) > 1e-3 * abs(partition(0)) * (
            1 - height
        )
    strip = CONE.lift(v, 2.0)
    assert strip.half_width < height
    # the strip is the limit of the zeros as v grows: nothing is given away
    assert float(height) - strip.half_width < math.exp(-2.0 * v)


@given(st.data())
@settings(max_examples=150)
def test_lifted_functions_grow_in_their_strips_no_faster_than_stated(leaf_case, data):
    """``Re f_k(y + ia) <= f_k(y) + g a^2/2``, and no zero of the partition function, for |a| < A."""
    case, slope = leaf_of(data.draw, leaf_case)
    v, s = data.draw(nests(st.just(1), increments=(0.005, 2.0), exponents=(0.2, 8.0)))
    strip = case.strip.lift(v[0], s[0])
    a = data.draw(st.floats(0.02, 0.98)) * strip.half_width
    y = data.draw(st.floats(-2.0, 2.0))
    h = spacing(case.strip, v[0], s[0], 1e-17) / 3.0
    reach = reach_of(v[0], s[0], slope, y) + spread_of(case)

    def values(z):
        return case.leaf.values(z, case.parameters)

    (real,) = trapezoid(values, y, v[0], s[0], h, 0.0, reach)
    if strip.kind == "cone":
        rates, offsets = RATES[case.name]
        middle = 0.5 * (max(rates) + min(rates))

        def beside(z):
            terms = [np.exp(x * (z + 1j * a) + d) for x, d in zip(rates, offsets, strict=True)]
            return np.log(sum(terms)) - 1j * a * middle

        (moved,) = trapezoid(beside, y, v[0], s[0], h, 0.0, reach)
    else:  # the leaf stays on the real axis and only the Gaussian is moved; exp(a^2/(2 v)) < e
        assume(a * a < 40.0 * v[0])
        (moved,) = trapezoid(values, y + 1j * a, v[0], s[0], h, 0.0, reach)
    growth = math.log(abs(moved) / real) / s[0]
    assert abs(moved) > 0.0
    assert growth <= 0.5 * strip.curvature * a * a + 1e-9
    if strip.kind == "cone":
        assert abs(np.angle(moved)) <= s[0] * strip.turn * a + 1e-9
    else:
        left = 1.0 - a * a * (1.0 / (2.0 * v[0]) + 0.5 * s[0] * strip.bend)
        assert abs(moved) >= math.exp(a * a / (2.0 * v[0])) * left * real * (1.0 - 1e-9)


RATES = {
    "growing": ((-1.0, 1.0), (0.0, 0.0)),
    "logistic": ((0.0, 1.0), (0.0, -0.5)),
    "levels": ((-1.0, 0.0, 0.5, 2.0), (0.0, 0.5, -0.3, -1.0)),
}


@given(st.data(), nests(st.just(1), increments=(0.005, 2.0), exponents=(0.2, 8.0)))
@settings(max_examples=80)
def test_curvatures_of_lifted_functions_are_bounded_as_stated(leaf_case, data, liftings):
    """``f_1'' <= M_1``, by central differences of f_1 at random fields."""
    case, slope = leaf_of(data.draw, leaf_case)
    assume(case.strip.kind != "cone")
    (v,), (s,) = liftings
    y = data.draw(st.floats(-2.0, 2.0))
    step = 0.02 * math.sqrt(v)
    h = spacing(case.strip, v, s, 1e-17) / 2.0
    reach = reach_of(v, s, slope, abs(y) + 1.0) + spread_of(case)
    points = y + step * np.array([-1.0, 0.0, 1.0])
    z = trapezoid(lambda x: case.leaf.values(x, case.parameters), points, v, s, h, 0.0, reach)
    assume((z > 1e-280).all())
    f = np.log(z) / s
    bend = (f[0] - 2.0 * f[1] + f[2]) / step**2
    bound = case.strip.lift(v, s).bend
    assert bend <= bound * (1.0 + 1e-3) + 1e-9 / step**2


# -- plans ---------------------------------------------------------------------------------------


@given(strips(), nests(st.integers(1, 6)), log_positive(1e-16, 1e-3))
@settings(max_examples=100)
def test_plans_are_commensurate_and_meet_the_tolerance(strip, liftings, tolerance):
    plan = plan_grids(lifted_strips(strip, *liftings), *liftings, tolerance)
    assert len(plan.spacings) == len(plan.bounds) == len(plan.steps) + 1
    for (inner, outer), (a, b) in zip(itertools.pairwise(plan.spacings), plan.steps, strict=True):
        assert 1 in (a, b)
        assert inner / outer == pytest.approx(a / b, rel=1e-12)
    assert all(bound <= tolerance * (1 + 1e-6) for bound in plan.bounds)
    assert 2.0 * mpmath.ncdf(-plan.reach) <= tolerance / 10.0


@given(strips(), nests(st.integers(1, 6)), st.floats(0.2, 1.0))
def test_refined_plans_are_finer_and_better(strip, liftings, coarsen):
    lifted = lifted_strips(strip, *liftings)
    plan = plan_grids(lifted, *liftings, 1e-8)
    fine = plan_grids(lifted, *liftings, 1e-8, coarsen)
    pairs = zip(plan.spacings, fine.spacings, strict=True)
    assert fine.spacings[-1] == pytest.approx(coarsen * plan.spacings[-1], rel=1e-12)
    # rounding to commensurate steps may at most halve a spacing, so allow for that
    assert all(b <= 2.0 * coarsen * a * (1 + 1e-9) for a, b in pairs)
    assert max(fine.bounds) <= 1e-8 * (1 + 1e-6)


def test_bounds_of_a_plan_are_those_of_the_lifted_strips():
    strip, v, s = CONE, (0.3, 0.02, 0.5), (1.0, 4.0, 2.5)
    plan = plan_grids(lifted_strips(strip, v, s), v, s, 1e-10, 2.0)
    for k in range(3):
        assert plan.bounds[k] == trapezoid_error(strip, v[k], s[k], plan.spacings[k])
        assert plan.bounds[k] > 0.0
        strip = strip.lift(v[k], s[k])
    assert max(plan.bounds) > 1e-6


@given(log_positive(1e-4, 1e4), log_positive(1e-3, 1e3))
def test_commensurate_spacings_are_the_largest_not_above(wanted, other):
    (a, b), found = commensurate(wanted, other)
    assert 1 in (a, b)
    assert found == pytest.approx(other * a / b, rel=1e-14)
    assert 0.5 * wanted < found <= wanted * (1 + 1e-8)


def test_windows_hold_all_but_a_tenth_of_the_tolerance():
    for tolerance in (1e-3, 1e-8, 1e-16):
        assert 2.0 * mpmath.ncdf(-window(tolerance)) <= tolerance / 10.0


def test_unbounded_slopes_leave_no_strip_behind():
    """A leaf that is neither log-concave nor of bounded slope can be lifted once, and no more."""
    strip = Strip(0.3, 5.0, "bounded", bend=2.0, spread=math.inf)
    assert plan_grids(lifted_strips(strip, (0.5,), (2.0,)), (0.5,), (2.0,), 1e-10).spacings
    v, s = (0.5, 0.2), (2.0, 1.0)
    with pytest.raises(ResolutionError, match="no strip of analyticity is known"):
        plan_grids(lifted_strips(strip, v, s), v, s, 1e-10)
