"""What is found out about a leaf holds for it: slopes, falls, curvature, and no zeros in its strip."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Lambda, Symbol, cosh, erf, exp, log, sqrt

from numerics.nests.leaf import compile_leaf
from numerics.nests.shape import EVEN_FALLING, even_growing

H = Symbol("h", real=True)
LEAVES = [
    ("growing",),
    ("falling", 1.0, 0.02),
    ("one-sided", 0.4, 0.1),
    ("one-sided", -2.0, 1e-3),
    ("union", 1.0, 0.2),
    ("union", 1.0, 0.01),
    ("union", 0.4, 0.1),
    ("absolute", 3.0, 0.1),
    ("absolute", 0.01, 0.02),
    ("absolute", 100.0, 1e-3),
    ("hinge", 4.0, 0.2),
    ("hinge", 100.0, 0.01),
    ("soft one-sided", 5.0, 0.2, 0.3, 0.1),
    ("soft one-sided", 100.0, 0.02, -1.0, 1e-3),
    ("soft window", 5.0, 0.2, 0.6, 0.1),
    ("soft union", 5.0, 0.2, 0.6, 0.1),
    ("soft union", 100.0, 0.1, 1.0, 1e-2),
    ("logistic", 0.5),
    ("levels", 0.0, 0.5, -0.3, -1.0),
    ("linear", -0.7, 0.2),
]


@pytest.fixture(params=LEAVES, ids=str)
def case(request, leaf_case):
    return leaf_case(*request.param)


def looked_at(case, count: int = 20001) -> tuple[np.ndarray, np.ndarray, float]:
    """Fields far beyond every feature, values, and how much a difference of two of them rounds."""
    settled = [abs(x) for x in case.shape.settled if math.isfinite(x)]
    reach = 3.0 * max([1.0, *settled])
    y = np.linspace(-reach, reach, count)
    f = case.leaf.values(y, case.parameters)
    return y, f, 1e-14 * float(np.abs(f).max() + 1.0)


def test_slopes_are_bounded_as_stated(case):
    """Nowhere steeper than ``steepest``, and beyond ``settled`` than the slope far out."""
    y, f, noise = looked_at(case)
    step = y[1] - y[0]
    slopes = np.diff(f) / step
    middles = 0.5 * (y[1:] + y[:-1])
    for side, outward, beyond in (
        (0, -slopes, middles < case.shape.settled[0] - step),
        (1, slopes, middles > case.shape.settled[1] + step),
    ):
        if case.leaf.even:  # outwards from the origin
            outward = outward[middles > 0.0 if side else middles < 0.0]
            beyond = beyond[middles > 0.0 if side else middles < 0.0]
        slack = 2.0 * noise / step + 1e-7
        if math.isfinite(case.shape.steepest[side]):
            # the largest slope between points may lie a little above those looked at
            assert outward.max() <= case.shape.steepest[side] * (1 + 1e-3) + slack
        assert outward[beyond].max(initial=-math.inf) <= case.shape.slopes[side] + slack


def test_falls_and_growth_are_those_far_out(case):
    far = 1e3 * np.array([-2.0, -1.0, 1.0, 2.0])
    f = case.leaf.values(far, case.parameters)
    for side, near, farther in ((0, f[1], f[0]), (1, f[2], f[3])):
        change = (farther - near) / 1e3
        if case.shape.falls[side]:
            assert change < -1e-4
        else:
            assert change == pytest.approx(case.shape.slopes[side], abs=1e-9)


def test_unimodal_leaves_have_no_dip(case):
    _, f, noise = looked_at(case)
    rising = np.diff(f) > noise
    falling = np.diff(f) < -noise
    last_rise = np.flatnonzero(rising).max(initial=-1)
    first_fall = np.flatnonzero(falling).min(initial=f.size)
    if case.shape.unimodal:
        assert last_rise < first_fall
    elif max(case.shape.slopes) <= 0.0:
        assert first_fall < last_rise


def test_curvature_is_bounded_as_stated(case):
    """F'' by second differences never exceeds the bound, and the bound is not idle."""
    strip = case.strip
    if strip.kind == "cone":
        return
    scale = 0.02 * case.finest
    at = np.concatenate(([0.0], *(x + scale * np.arange(-400, 401) for x in features(case))))
    around = at[:, None] + scale * np.array([-1.0, 0.0, 1.0])
    f = case.leaf.values(around.ravel(), case.parameters).reshape(around.shape)
    bends = (f[:, 0] - 2.0 * f[:, 1] + f[:, 2]) / scale**2
    noise = 4e-15 * (np.abs(f).max(axis=1) + scale_of(case)) / scale**2
    assert (bends <= strip.bend * 1.001 + noise).all()
    assert (bends >= -strip.curvature * 1.001 - noise).all()
    if strip.kind == "bounded":
        assert bends.max() >= 0.8 * strip.bend


def scale_of(case) -> float:
    """The factor of the leaf's logarithm."""
    return 1.0 / case.parameters[0] if "c" in case.leaf.parameters else 1.0


def features(case) -> list[float]:
    """Fields where something happens to the leaf."""
    margin = dict(zip(case.leaf.parameters, case.parameters, strict=True)).get("kappa", 0.0)
    named = dict(zip(case.leaf.parameters, case.parameters, strict=True))
    # where the two terms of a hinge are equal
    hinge = -0.5 * named.get("c", 0.0) * named["variance"] if case.name == "hinge" else 0.0
    return [0.0, float(margin), -float(margin), hinge]


@given(st.data())
@settings(max_examples=25)
def test_no_zeros_in_the_strip(theory_leaves, leaf_case, data):
    """``S(y + ia)`` stays between ``exp(a^2/2v) (1 - a^2/A^2) S(y)`` and ``exp(a^2/2v) S(y)``."""
    name, *parameters = data.draw(st.sampled_from([x for x in LEAVES if len(x) > 2]))
    case = leaf_case(name, *parameters)
    strip = case.strip
    assume(strip.kind == "bounded" or name in ("falling", "one-sided"))
    y = data.draw(st.sampled_from(features(case))) + data.draw(st.floats(-3.0, 3.0)) * case.finest
    share = data.draw(st.floats(0.02, 0.98))
    leaf = theory_leaves[name](H)
    logarithm = next(e for e in leaf.atoms(log) if e.has(H))
    symbols = sorted(leaf.free_symbols, key=str)
    with mpmath.workdps(400):
        arguments = [H, *(x for x in symbols if x != H)]
        total = sympy.lambdify(arguments, logarithm.args[0], "mpmath")
        at = [mpmath.mpf(p) for p in parameters]
        a = share * mpmath.mpf(strip.half_width)
        real, moved = total(mpmath.mpf(y), *at), total(mpmath.mpc(y, a), *at)
        growth = mpmath.exp(strip.curvature / scale_of(case) * a**2 / 2)
        assert real > 0
        assert abs(moved) <= growth * real * (1 + 1e-12)
        assert abs(moved) >= growth * (1 - share**2) * real * (1 - 1e-12)


# -- known shapes ----------------------------------------------------------------------------------


def test_theorys_first_two_leaves(leaf_case):
    growing, falling = leaf_case("growing"), leaf_case("falling", 1.0, 0.09)
    assert growing.shape == even_growing(1.0)
    assert (growing.strip.kind, growing.strip.half_width) == ("cone", math.pi / 2)
    assert falling.shape == EVEN_FALLING
    assert falling.strip.kind == "log-concave"
    assert falling.strip.curvature == pytest.approx(1 / 0.09)
    assert falling.strip.half_width == pytest.approx(math.sqrt(0.18))


def test_a_half_line_falls_on_one_side_only(leaf_case):
    case = leaf_case("one-sided", 0.5, 0.04)
    assert case.shape.falls == (True, False)
    assert case.shape.slopes == (0.0, 0.0)
    assert case.shape.steepest == (0.0, math.inf)
    assert case.shape.settled[1] == pytest.approx(0.5 + 9.0 * 0.2)
    assert case.strip.kind == "log-concave"
    assert case.strip.half_width == pytest.approx(math.sqrt(0.08))


def test_cones_are_half_the_range_of_the_rates():
    """``log(1 + e^h)`` has its zeros at i pi, ``log(1 + e^h + e^(3 h))`` beyond i pi/3; factors scale."""
    one = compile_leaf(Lambda(H, log(1 + exp(H)))).facts(np.empty(0))[0]
    assert (one.half_width, one.turn) == (math.pi, 0.5)
    two = compile_leaf(Lambda(H, 2 * log(1 + exp(H) + exp(3 * H)))).facts(np.empty(0))[0]
    assert two.half_width == pytest.approx(math.pi / 3)
    assert two.turn == 3.0
    wide = compile_leaf(Lambda(H, log(2 * cosh(2 * H)))).facts(np.empty(0))[0]
    assert wide.half_width == pytest.approx(math.pi / 4)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_soft_constraints_are_log_concave_and_their_union_is_not(leaf_case, c):
    for name, kind in (
        ("soft one-sided", "log-concave"),
        ("soft window", "log-concave"),
        ("soft union", "bounded"),
    ):
        assert leaf_case(name, c, 0.3, 0.5, 0.1).strip.kind == kind


def test_the_modulus_is_most_bent_at_the_origin(leaf_case):
    """``f'' = (c + r(c sqrt(v))/sqrt(v))^2/c - ..`` there: by differences, to the safety factor."""
    for c, v in ((3.0, 0.1), (0.1, 1.0), (50.0, 1e-3)):
        case = leaf_case("absolute", c, v)
        step = 0.05 * min(math.sqrt(v), 1.0 / c)
        f = case.leaf.values(step * np.array([0.0, 1.0]), case.parameters)
        at_zero = 2.0 * (f[1] - f[0]) / step**2
        assert 1.0 < case.strip.bend / at_zero < 1.12
        assert case.strip.spread == pytest.approx(1.0, rel=1e-6)


def test_two_intervals_fall_with_a_dip_between():
    v = Symbol("v", positive=True)
    ends = [erf((x - H) / sqrt(2 * v)) / 2 for x in (-2, -1, 1, 2)]
    leaf = compile_leaf(Lambda(H, log(ends[1] - ends[0] + ends[3] - ends[2])))
    strip, shape = leaf.facts(np.array([0.1]))
    assert leaf.even
    assert shape.falls == (True, True)
    assert not shape.unimodal
    assert (strip.kind, strip.spread) == ("bounded", math.inf)
