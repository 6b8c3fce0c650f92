"""What almost always holds, by what is missing: beside the plain nest, and beside an integral."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from numerics.balls.functional import functional_at
from numerics.balls.nest import evaluate_ball_nest
from numerics.balls.plan import BallGrid
from numerics.balls.rare import _RareNest, evaluate_rare_nest
from numerics.errors import NotRareError, ResolutionError
from numerics.functionals.parts import parts_of
from numerics.nests.doubles import evaluate_nest, evaluate_scaled
from numerics.nests.grids import trapezoid_error
from numerics.nests.rare import RELATIVE, evaluate_rare, is_rare, plan_rare
from theory import ABP, SBP, free_energy

WORK = 10**9
#: (kappa, 1 - p_2), increments, exponents
CASES = [
    ((10.0, 0.05), (0.95,), (8.0,)),
    ((10.0, 0.05), (0.05, 0.9), (3.0, 8.0)),
    ((20.0, 0.01), (0.03, 0.06, 0.9), (2.0, 9.0, 300.0)),
    ((12.0, 0.3), (0.7,), (1.0,)),
]
WIDE = ((50.0, math.exp(-5.2)), (1.0 - math.exp(-5.2),), (473.0,))


def leaf():
    parts = parts_of(free_energy(SBP(1).generic, 3))
    return next(nest.compiled for nest in parts.nests if nest.compiled.has_lacks)


def ball_leaf():
    program = functional_at(SBP(1), 3, 1).program
    return next(nest.leaf for nest in program.nests if nest.leaf.ends is not None)


def own(kappa, gap):
    return np.array([kappa if name == "kappa" else gap for name in leaf().parameters])


def asked(case):
    numbers, v, s = case
    return leaf(), own(*numbers), v, s


@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_is_what_the_plain_nest_is_short_of(case):
    function, numbers, v, s = asked(case)
    assert is_rare(function, numbers, 0.0, v, s)
    lack = evaluate_rare(function, numbers, v, s, work_limit=WORK)
    plain = evaluate_nest(function, numbers, 0.0, v, s)
    assert lack.logarithm == pytest.approx(math.log(-plain.value), abs=1e-13)
    for mine, other in (
        (lack.d_increments, plain.d_increments),
        (lack.d_exponents, plain.d_exponents),
        (lack.d_parameters, plain.d_parameters),
    ):
        # the plain nest's own derivatives are differences
        np.testing.assert_allclose(mine, other / plain.value, rtol=1e-9, atol=1e-9)


def integral(numbers, v, s, digits=22):
    """log(-f_1) of one lifting by quadrature, the leaf's own lack from erfc."""
    kappa, gap = numbers
    with mpmath.workdps(digits):
        root = mpmath.sqrt(2 * mpmath.mpf(gap))

        def density(y):
            out = (mpmath.erfc((kappa - y) / root) + mpmath.erfc((kappa + y) / root)) / 2
            gone = -mpmath.expm1(s[0] * mpmath.log1p(-out))
            # of ordinary size, for quad's tolerance is absolute
            return gone * mpmath.exp((kappa**2 - y**2) / (2 * v[0]))

        places = [kappa + digits / 20 * d for d in np.linspace(-1.0, 1.0, 13)]
        total = 2 * mpmath.quad(density, places) / mpmath.sqrt(2 * mpmath.pi * v[0])
        missing = total * mpmath.exp(-(mpmath.mpf(kappa) ** 2) / (2 * v[0]))
        return mpmath.log(-mpmath.log1p(-missing) / s[0])


def test_beyond_the_doubles_it_is_an_integral_and_so_is_its_gradient():
    function, numbers, v, s = asked(WIDE)
    lack = evaluate_rare(function, numbers, v, s, work_limit=WORK)
    assert lack.logarithm < -1200.0  # what is missing is below every double
    assert lack.logarithm == pytest.approx(float(integral(*WIDE)), abs=2e-12)

    def moved(a=0.0, b=0.0, c=0.0):
        (kappa, gap), (v,), (s,) = WIDE
        return integral((kappa, gap + a), (v + b,), (s + c,))

    step = 1e-4
    slopes = [
        float(moved(**{x: step * u}) - moved(**{x: -step * u})) / (2.0 * step * u)
        for x, u in (("a", 1e-3), ("b", 1.0), ("c", 100.0))
    ]
    gap = list(function.parameters).index("kappa") - 1
    assert lack.d_parameters[gap] == pytest.approx(slopes[0], rel=1e-6)
    assert lack.d_increments[0] == pytest.approx(slopes[1], rel=1e-6)
    assert lack.d_exponents[0] == pytest.approx(slopes[2], rel=1e-5)


def test_what_is_missing_grows_off_the_axis_as_its_error_law_says():
    """|d(y + i a)| <= 6.5 exp(r b) d(y) with b = a^2/2 <= 1: an interval's probability of half-width 10."""

    def d(y, ratio):
        missing = sum(mpmath.erfc((10 + sign * y) / mpmath.sqrt(2)) for sign in (1, -1)) / 2
        if abs(missing) < 0.5:
            return -mpmath.expm1(ratio * mpmath.log1p(-missing))
        return 1 - (1 - missing) ** ratio

    largest = 0.0
    with mpmath.workdps(25):
        for y in np.linspace(0.0, 14.0, 29):
            for ratio in (1.0, 1.5, 4.0, 30.0, 400.0):
                for b in (1e-3, 0.1, 0.5, 1.0):
                    off = abs(d(mpmath.mpc(y, math.sqrt(2.0 * b)), ratio))
                    largest = max(largest, float(off / (mpmath.exp(ratio * b) * d(y, ratio))))
    assert 0.99 < largest < RELATIVE


@pytest.mark.parametrize("case", [WIDE, *CASES])
def test_balls_and_doubles_have_one_error_law(case):
    _, v, _ = case
    with ctx.workdps(40):
        nest = _RareNest(ball_leaf(), inputs(case), len(v), BallGrid(20, coarsen=3.0))
        for k in range(len(v)):
            size = float(nest._relative(k).rad())
            error = trapezoid_error(
                nest.plan.strips[k], v[k], nest.plan.ratios[k], nest.spacings[k]
            )
            assert RELATIVE * error < size < 1.001 * RELATIVE * error


def test_spacings_beyond_the_bound_are_seen_to_be_wrong():
    function, numbers, v, s = asked(WIDE)
    right = evaluate_rare(function, numbers, v, s, work_limit=WORK, gradient=False)
    wrong = evaluate_rare(function, numbers, v, s, work_limit=WORK, gradient=False, coarsen=6.0)
    assert right.discretisation < 1e-15 < wrong.discretisation
    assert 1e-12 < abs(wrong.logarithm - right.logarithm) < wrong.discretisation


def test_half_the_work_is_refused_and_what_is_not_rare_is_known():
    function, numbers, v, s = asked(CASES[1])
    with pytest.raises(ResolutionError, match="operations"):
        evaluate_rare(function, numbers, v, s, work_limit=1000)
    assert not is_rare(function, numbers, 0.5, v, s)
    assert not is_rare(function, numbers, 0.0, v, (8.0, 3.0))
    assert not is_rare(function, own(2.0, 0.05), 0.0, v, s)
    half_line = parts_of(free_energy(ABP(1).generic, 2)).nests
    assert not any(nest.compiled.has_lacks and nest.compiled.even for nest in half_line)
    with pytest.raises(NotRareError, match="mirror images"):
        plan_rare(function, own(2.0, 0.05), (0.5, 0.45), (2.0, 3.0), 40.0)
    close = (9.0, 0.05), (0.9, 0.05), (2.0, 3.0)
    assert is_rare(*asked(close)[:2], 0.0, *close[1:])
    both = [
        evaluate(*asked(close)[:2], 0.0, *close[1:])
        for evaluate in (evaluate_scaled, evaluate_nest)
    ]
    assert both[0].value == both[1].value


def inputs(case):
    numbers, v, s = case
    return [arb(0), *map(arb, v), *map(arb, s), *map(arb, own(*numbers))]


@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[3]])
def test_balls_of_what_is_missing_and_plain_ones_have_the_truth_in_common(case):
    digits, small = 15, 100
    depth = len(case[1])
    with ctx.workdps(digits + small + 15):
        plain = evaluate_ball_nest(ball_leaf(), inputs(case), depth, BallGrid(digits + small))
    with ctx.workdps(digits + 15):
        mine = evaluate_rare_nest(ball_leaf(), inputs(case), depth, BallGrid(digits), gradient=True)
        assert mine.value.overlaps(plain.value)
        assert mine.value.rad() < abs(mine.value) * arb(10) ** -digits
        function, numbers, v, s = asked(case)
        lack = evaluate_rare(function, numbers, v, s, work_limit=WORK)
        slopes = np.concatenate(([0.0], lack.d_increments, lack.d_exponents, lack.d_parameters))
        found = [float((a / mine.value).mid()) for a in mine.d_inputs]
        np.testing.assert_allclose(found, slopes, rtol=1e-9, atol=1e-11)


def test_a_ball_beyond_the_doubles_holds_the_integral():
    with ctx.workdps(45):
        mine = evaluate_rare_nest(ball_leaf(), inputs(WIDE), 1, BallGrid(25))
        with mpmath.workdps(40):
            truth = -mpmath.exp(integral(*WIDE, digits=40))
            assert mine.value.contains(arb(mpmath.nstr(truth, 36)))
        assert mine.value.rad() < abs(mine.value) * arb(10) ** -25


@pytest.mark.parametrize("kappa", [10.0, 10.3, 11.0, 14.0, 30.0])
@pytest.mark.parametrize("digits", [12, 17, 18])
def test_outputs_do_not_begin_before_nodes(kappa, digits):
    case = ((kappa, 0.02), (0.06, 0.92), (4.0, 100.0))
    with ctx.workdps(digits + 15):
        mine = evaluate_rare_nest(ball_leaf(), inputs(case), 2, BallGrid(digits)).value
    function, numbers, v, s = asked(case)
    lack = evaluate_rare(function, numbers, v, s, work_limit=WORK, gradient=False)
    assert float((-mine).log().mid()) == pytest.approx(lack.logarithm, abs=1e-12)
    assert mine.rad() < abs(mine) * arb(10) ** -digits


def test_a_coarse_or_narrow_ball_grid_makes_it_wide_not_wrong():
    with ctx.workdps(60):
        exact = evaluate_rare_nest(ball_leaf(), inputs(WIDE), 1, BallGrid(35)).value
        for grid in (BallGrid(20, coarsen=2.5), BallGrid(20, narrow=0.6)):
            spoilt = evaluate_rare_nest(ball_leaf(), inputs(WIDE), 1, grid).value
            assert spoilt.contains(exact)
            assert not spoilt.rad() < abs(exact) * arb(10) ** -20
        with pytest.raises(ResolutionError, match="almost always holds"):
            evaluate_rare_nest(
                ball_leaf(), inputs((WIDE[0], (0.5, 0.49), (9.0, 3.0))), 2, BallGrid(20)
            )
