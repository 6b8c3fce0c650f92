"""Nests against other quadratures, in other arithmetic, and against everything that has a closed form."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sympy import Lambda, Symbol, cosh, log, sqrt

from numerics.balls.nest import evaluate_ball_nest
from numerics.balls.numbers import mpf_of
from numerics.balls.plan import BallGrid
from numerics.balls.program import ball_program
from numerics.functionals.crosscheck import legendre_nest
from numerics.nests.doubles import evaluate_nest
from numerics.nests.leaf import compile_leaf
from theory import UPerceptron, free_energy
from verify import nests

# examples that take a second each are not worth shrinking
UNSHRUNK = (Phase.explicit, Phase.generate)
FIELDS = st.floats(-1.5, 1.5)
FALLING = [("falling", 1.0, 0.02), ("falling", 0.3, 0.4), ("falling", 2.5, 0.1)]
OFF_CENTRE = Lambda(
    Symbol("h", real=True),
    -Symbol("a", positive=True) * (Symbol("h", real=True) - Symbol("m", real=True)) ** 2 / 2,
)


def value_of(case, field, v, s, **grid) -> float:
    return evaluate_nest(case.leaf, case.parameters, field, v, s, gradient=False, **grid).value


def near(value: float, rel: float = 1e-13):
    return pytest.approx(value, rel=rel, abs=1e-14)


# -- other quadratures -----------------------------------------------------------------------------


@pytest.mark.long
@given(field=st.floats(-1.0, 1.0), liftings=nests(st.just(1), quenched=True))
@settings(max_examples=3, phases=UNSHRUNK)
def test_the_value_in_25_digits(case, exact_nest, field, liftings):
    reference = exact_nest(case, field, *liftings)
    size = max(1.0, abs(float(reference)))
    assert abs(value_of(case, field, *liftings) - reference) < 5e-15 * size


@pytest.mark.slow
@given(field=st.floats(-1.0, 1.0), liftings=nests(st.just(2), quenched=True))
@settings(max_examples=3, phases=UNSHRUNK)
def test_the_value_in_25_digits_at_depth_two(case, exact_nest, field, liftings):
    reference = exact_nest(case, field, *liftings)
    size = max(1.0, abs(float(reference)))
    assert abs(value_of(case, field, *liftings) - reference) < 5e-15 * size


@pytest.mark.slow
def test_the_reference_itself_has_converged(case, exact_nest):
    value = exact_nest(case, 0.3, (0.2, 0.4), (1.0, 3.0))
    finer = exact_nest(case, 0.3, (0.2, 0.4), (1.0, 3.0), refine=2, deviations=11)
    assert abs(value - finer) < 1e-17


@pytest.mark.slow
@given(field=st.floats(-0.5, 0.5), liftings=nests(st.just(3), increments=(0.05, 0.5)))
@settings(max_examples=6, phases=UNSHRUNK)
def test_the_value_in_25_digits_at_depth_three(some_case, exact_nest, field, liftings):
    # the union takes minutes by quadrature
    exact = union_in_balls if some_case.name == "union" else exact_nest
    reference = exact(some_case, field, *liftings)
    size = max(1.0, abs(float(reference)))
    assert abs(value_of(some_case, field, *liftings) - reference) < 1e-14 * size


def union_in_balls(case, field, v, s) -> mpmath.mpf:
    leaf = ball_program(free_energy(UPerceptron(), 3)).nests[1].leaf
    kappa, variance = case.parameters.tolist()
    with ctx.workdps(40):
        inputs = [arb(x) for x in (field, *v, *s, variance, kappa)]
        ball = evaluate_ball_nest(leaf, inputs, len(v), BallGrid(20)).value
        assert ball.rad() < 1e-17
        return mpf_of(ball, 25)


def by_legendre(case, field, v, s) -> float:
    return legendre_nest(
        lambda y: case.leaf.values(np.ascontiguousarray(y), case.parameters),
        field,
        v,
        s,
        finest=case.finest,
    )


@given(field=FIELDS, liftings=nests(st.integers(1, 3), increments=(0.05, 1.0), quenched=True))
@settings(max_examples=5)
def test_gauss_legendre_agrees(case, field, liftings):
    """Another rule, in any order of the exponents."""
    other = by_legendre(case, field, *liftings)
    assert value_of(case, field, *liftings) == pytest.approx(other, rel=3e-13, abs=1e-14)


@pytest.mark.long
@pytest.mark.parametrize(("kappa", "level"), [(5.0, 3), (5.0, 4), (4.0, 4)])
def test_small_nests_are_relatively_accurate(leaf_case, exact_nest, kappa, level):
    """At kappa = 5 the energy is about 1e-6, and every digit of it counts."""
    exponents = (10.8,) if level == 3 else (5.3, 51.3)
    increments = (0.896,) if level == 3 else (0.204, 0.779)
    case = leaf_case("falling", kappa, 1.0 - sum(increments))
    reference = exact_nest(case, 0.0, increments, exponents, deviations=12)
    assert abs(reference) < 1e-4
    value = value_of(case, 0.0, increments, exponents)
    assert abs(value / reference - 1) < 1e-13


@given(liftings=nests(st.integers(2, 3), exponents=(1.0, 8.0), ordered=True))
@settings(max_examples=10)
def test_merging_keeps_relative_accuracy_where_the_nest_is_tiny(leaf_case, liftings):
    """A law without a reference: splitting a lifting moves no digit of a nest of 1e-8."""
    case = leaf_case("falling", 6.0, 0.2)
    (v, *rest), (s, *others) = liftings
    whole = value_of(case, 0.0, (0.1 * v, *(0.1 * x for x in rest)), (s, *others))
    split = (0.03 * v, 0.07 * v, *(0.1 * x for x in rest))
    assert value_of(case, 0.0, split, (s, s, *others)) == pytest.approx(whole, rel=1e-12)


# -- closed forms ---------------------------------------------------------------------------------


@given(v=st.floats(0.02, 3.0), field=FIELDS)
def test_the_square_of_two_cosh_has_a_closed_form(leaf_case, v, field):
    """Exponent 2: ``E (2cosh(x + sqrt(v) U))^2 = 2 + 2 exp(2v) cosh 2x``."""
    expected = 0.5 * math.log(2.0 + 2.0 * math.exp(2.0 * v) * math.cosh(2.0 * field))
    assert value_of(leaf_case("growing"), field, (v,), (2.0,)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("parameters", FALLING, ids=str)
@given(v=st.floats(0.01, 3.0))
def test_probabilities_average_to_probabilities(leaf_case, parameters, v):
    """Exponent 1: averaging P over the field adds the variances, so the nest is log P again."""
    _, kappa, variance = parameters
    wider = leaf_case("falling", kappa, variance + v)
    found = value_of(leaf_case(*parameters), 0.0, (v,), (1.0,))
    with mpmath.workdps(30):
        assert abs(found / wider.exact(mpmath.mpf(0)) - 1) < 5e-14


LIFTED = [
    ("one-sided", 0.3, 0.05),
    ("union", 0.8, 0.1),
    ("absolute", 3.0, 0.1),
    ("hinge", 4.0, 0.05),
    ("soft one-sided", 5.0, 0.2, 0.3, 0.1),
    ("soft window", 5.0, 0.2, 0.6, 0.1),
    ("soft union", 5.0, 0.2, 0.6, 0.1),
]


@pytest.mark.parametrize("name", LIFTED, ids=lambda case: "-".join(map(str, case)))
@given(v=st.floats(0.02, 2.0), field=FIELDS)
@settings(max_examples=8)
def test_a_leaf_that_is_a_lifting_goes_on_with_its_own_exponent(leaf_case, name, v, field):
    """Exponent c (1 for a probability): the variances add, and the nest is the leaf again."""
    case = leaf_case(*name)
    exponent = case.parameters[0] if "c" in case.leaf.parameters else 1.0
    wider = leaf_case(*name[:-1], name[-1] + v)
    found = evaluate_nest(case.leaf, case.parameters, field, (v,), (float(exponent),))
    y = np.array([field])
    (expected,) = wider.leaf.values(y, wider.parameters)
    assert found.value == near(expected, 2e-14)
    # and d/dv is the derivative in the variance
    slopes = wider.leaf.derivatives(y, np.array([expected]), wider.parameters)[:, 0]
    assert found.d_increments[0] == pytest.approx(slopes[-1], rel=1e-10, abs=1e-12)


@given(a=st.floats(-2.0, 2.0), b=st.floats(-2.0, 2.0), field=FIELDS, liftings=nests(quenched=True))
@settings(max_examples=30)
def test_linear_leaves_have_a_closed_form_at_every_depth(leaf_case, a, b, field, liftings):
    """``E exp(s a U sqrt(v)) = exp(s^2 a^2 v/2)``: a tilt moves the whole Gaussian, and nothing else."""
    found = evaluate_nest(leaf_case("linear", a, b).leaf, np.array([a, b]), field, *liftings)
    moved = sum(s * v for v, s in zip(*liftings, strict=True))
    assert found.value == near(a * field + b + 0.5 * a * a * moved, 2e-14)
    assert found.d_field == pytest.approx(a, rel=1e-12, abs=1e-12)
    assert found.d_parameters == pytest.approx([field + a * moved, 1.0], rel=1e-11, abs=1e-11)
    for k, (v, s) in enumerate(zip(*liftings, strict=True)):
        assert found.d_increments[k] == pytest.approx(0.5 * a * a * s, rel=1e-10, abs=1e-12)
        assert found.d_exponents[k] == pytest.approx(0.5 * a * a * v, rel=1e-10, abs=1e-12)


@given(d=st.floats(-3.0, 3.0), v=st.floats(0.02, 3.0), field=FIELDS)
def test_powers_of_a_sum_of_exponentials_have_a_closed_form(leaf_case, d, v, field):
    """``E (1 + e^(x + sqrt(v) U - d))^n`` for n = 1, 2, 3, term by term."""
    case, x = leaf_case("logistic", d), field - d
    for n in (1, 2, 3):
        terms = [math.comb(n, k) * math.exp(k * x + 0.5 * k * k * v) for k in range(n + 1)]
        assert value_of(case, field, (v,), (float(n),)) == near(math.log(sum(terms)) / n, 5e-15)


@given(
    a=st.floats(0.1, 20.0),
    m=st.floats(-2.0, 2.0),
    field=FIELDS,
    liftings=nests(st.integers(1, 4), quenched=True),
)
@settings(max_examples=25)
def test_gaussian_leaves_off_centre_have_a_closed_form(a, m, field, liftings):
    """As for an even Gaussian, around its centre, by the way through the code for any leaf."""
    leaf = compile_leaf(OFF_CENTRE)
    curvature, offset = a, 0.0
    for v, s in zip(*liftings, strict=True):
        offset -= 0.5 * (math.log1p(s * v * curvature) / s if s > 0.0 else v * curvature)
        curvature /= 1.0 + s * v * curvature
    found = evaluate_nest(leaf, np.array([a, m]), field, *liftings)
    assert found.value == near(offset - 0.5 * curvature * (field - m) ** 2, 2e-14)
    assert found.d_field == pytest.approx(-curvature * (field - m), rel=1e-11, abs=1e-13)
    assert found.d_parameters[1] == pytest.approx(curvature * (field - m), rel=1e-11, abs=1e-13)


def test_leaves_of_other_origin_work_too():
    """The compiler takes any expression of a known stable form, here log 2cosh in another symbol."""
    z = Symbol("z")
    leaf = compile_leaf(Lambda(z, log(2 * cosh(z))))
    found = evaluate_nest(leaf, np.empty(0), 0.0, (1.0,), (1.0,), gradient=False)
    assert found.value == pytest.approx(float(log(2) + sqrt(1) / 2), rel=1e-15)


@given(
    a=st.floats(0.1, 50.0),
    field=st.floats(-2.0, 2.0),
    liftings=nests(st.integers(1, 5), quenched=True),
)
@settings(max_examples=50)
def test_gaussian_leaves_have_a_closed_form_at_every_depth(leaf_case, a, field, liftings):
    """``a_k = a_{k-1}/(1 + s v a_{k-1})`` and a sum of logarithms, and so the gradient in a."""
    case = leaf_case("gaussian", a)
    curvature, offset, da = a, 0.0, (1.0, 0.0)
    for v, s in zip(*liftings, strict=True):
        bend = 1.0 + s * v * curvature
        offset -= 0.5 * (math.log1p(s * v * curvature) / s if s > 0.0 else v * curvature)
        da = (da[0] / bend**2, da[1] - 0.5 * v * da[0] / bend)
        curvature /= bend
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    assert found.value == pytest.approx(offset - 0.5 * curvature * field**2, rel=2e-14)
    assert found.d_field == pytest.approx(-curvature * field, rel=1e-12, abs=1e-14)
    expected = da[1] - 0.5 * da[0] * field**2
    assert found.d_parameters[0] == pytest.approx(expected, rel=1e-12)
