"""The nest's value and gradient: the exact facts about lifted expectations, and other quadratures."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sympy import Symbol, cosh, log, sqrt

from numerics.compile import compile_leaf, evaluator
from numerics.crosscheck import legendre_nest
from numerics.grids import ResolutionError
from numerics.lifted import evaluate_nest
from theory import SBP, LiftedExpectation, free_energy
from verify import nests

# examples that take a second each are not worth shrinking
UNSHRUNK = (Phase.explicit, Phase.generate)
FIELDS = st.floats(-1.5, 1.5)
CASES = [("growing",), ("falling", 1.0, 0.05), ("falling", 0.3, 0.4), ("gaussian", 1.7)]
FALLING = [("falling", 1.0, 0.02), ("falling", 0.3, 0.4), ("falling", 2.5, 0.1)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request, leaf_case):
    return leaf_case(*request.param)


def value_of(case, field, v, s, **grid) -> float:
    return evaluate_nest(case.leaf, case.parameters, field, v, s, gradient=False, **grid).value


def near(value: float, rel: float = 1e-13):
    return pytest.approx(value, rel=rel, abs=1e-14)


# -- exact facts -----------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(quenched=True), shift=st.floats(-3.0, 3.0))
@settings(max_examples=20)
def test_a_constant_in_the_leaf_shifts_the_nest(case, shifted, field, liftings, shift):
    leaf = shifted(case.leaf)
    parameters = np.append(case.parameters, shift)
    moved = evaluate_nest(leaf, parameters, field, *liftings)
    assert moved.value == near(value_of(case, field, *liftings) + shift)
    # its derivative is the sum of all Gibbs weights
    assert moved.d_parameters[-1] == pytest.approx(1.0, rel=1e-12)


@given(field=FIELDS, liftings=nests(st.integers(2, 3)), data=st.data())
@settings(max_examples=15)
def test_a_lifting_without_variance_is_the_identity(case, field, liftings, data):
    v, s = map(list, liftings)
    k = data.draw(st.integers(0, len(v)))
    widened = value_of(
        case, field, (*v[:k], 0.0, *v[k:]), (*s[:k], data.draw(st.floats(0.0, 9.0)), *s[k:])
    )
    assert widened == value_of(case, field, tuple(v), tuple(s))


def test_without_variance_the_nest_is_its_leaf(case):
    y = np.array([0.7])
    found = evaluate_nest(case.leaf, case.parameters, -0.7, (0.0, 0.0), (2.0, 3.0), gradient=False)
    assert found.value == case.leaf.values(y, case.parameters)[0]
    assert found.error == 0.0


@given(field=FIELDS, liftings=nests(st.integers(1, 3), quenched=True), data=st.data())
@settings(max_examples=20)
def test_equal_exponents_merge(case, field, liftings, data):
    v, s = map(list, liftings)
    k, part = data.draw(st.integers(0, len(v) - 1)), data.draw(st.floats(0.03, 0.97))
    split = value_of(
        case,
        field,
        (*v[:k], part * v[k], (1.0 - part) * v[k], *v[k + 1 :]),
        (*s[:k], s[k], s[k], *s[k + 1 :]),
    )
    assert split == near(value_of(case, field, tuple(v), tuple(s)))


@given(field=FIELDS, liftings=nests(quenched=True))
@settings(max_examples=20)
def test_even_leaves_make_even_nests(case, field, liftings):
    here = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    there = evaluate_nest(case.leaf, case.parameters, -field, *liftings)
    assert here.value == near(there.value)
    assert here.d_field == pytest.approx(-there.d_field, rel=1e-9, abs=1e-12)
    assert here.d_increments == pytest.approx(there.d_increments, rel=1e-9, abs=1e-12)
    assert here.d_exponents == pytest.approx(there.d_exponents, rel=1e-9, abs=1e-12)


@given(field=FIELDS, liftings=nests(quenched=True), data=st.data())
@settings(max_examples=25)
def test_monotone_in_the_leaf(leaf_case, field, liftings, data):
    """A wider interval has the larger probability; a flatter Gaussian lies above; log 2cosh > |h|."""
    kappa, variance = data.draw(st.floats(0.2, 2.0)), data.draw(st.floats(0.02, 1.0))
    more = data.draw(st.floats(1.0, 1.5))
    pairs = [
        (leaf_case("falling", kappa, variance), leaf_case("falling", more * kappa, variance)),
        (leaf_case("gaussian", more), leaf_case("gaussian", 1.0)),
        (leaf_case("falling", kappa, variance), leaf_case("growing")),
    ]
    for lower, upper in pairs:
        assert value_of(lower, field, *liftings) <= value_of(upper, field, *liftings) + 1e-14


@given(field=FIELDS, liftings=nests(quenched=True))
@settings(max_examples=25)
def test_exponent_derivatives_are_relative_entropies(case, field, liftings):
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    assert (found.d_exponents >= -1e-14 * max(1.0, abs(found.value))).all()


@given(field=FIELDS, liftings=nests(st.integers(1, 2), increments=(0.1, 1.0)))
@settings(max_examples=15)
def test_heat_identity(case, field, liftings):
    """``d f_K/d v_K = (f_K'' + s_K f_K'^2)/2``: in the outermost variance the nest obeys Parisi's PDE."""
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    s, step = liftings.exponents[-1], 1e-5
    slopes = [
        evaluate_nest(case.leaf, case.parameters, field + sign * step, *liftings).d_field
        for sign in (1, -1)
    ]
    curvature = (slopes[0] - slopes[1]) / (2.0 * step)
    expected = 0.5 * (curvature + s * found.d_field**2)
    assert found.d_increments[-1] == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("outer", [1, 2])
def test_the_quenched_average_is_the_limit_of_small_exponents(case, outer):
    """Value and derivatives are continuous at s = 0, with the derivative in s as the slope."""
    v, inner = (0.3, 0.5)[:outer], (1.5,)[: outer - 1]
    at_zero = evaluate_nest(case.leaf, case.parameters, 0.4, v, (*inner, 0.0))
    distances = []
    for s in (1e-3, 1e-4, 1e-5):
        found = evaluate_nest(case.leaf, case.parameters, 0.4, v, (*inner, s))
        slope = (found.value - at_zero.value) / s
        distances.append(
            [
                abs(slope - at_zero.d_exponents[-1]),
                abs(found.d_field - at_zero.d_field),
                np.abs(found.d_increments - at_zero.d_increments).max(),
                np.abs(found.d_exponents - at_zero.d_exponents).max(),
            ]
        )
    # all of first order in s, down to the rounding of a difference divided by s
    for far, close in itertools.pairwise(distances):
        assert np.all(np.array(close) < 0.12 * np.array(far) + 1e-9)


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


# -- gradient --------------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(increments=(0.05, 2.0)))
@settings(max_examples=12)
def test_the_gradient_is_the_derivative(case, field, liftings):
    """Central differences of the value in every input: field, increments, exponents, parameters."""
    depth = len(liftings.increments)
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    gradient = np.concatenate(
        ([found.d_field], found.d_increments, found.d_exponents, found.d_parameters)
    )
    point = np.array([field, *liftings.increments, *liftings.exponents, *case.parameters])

    def at(x: np.ndarray) -> float:
        v, s = tuple(x[1 : 1 + depth]), tuple(x[1 + depth : 1 + 2 * depth])
        return evaluate_nest(case.leaf, x[1 + 2 * depth :], float(x[0]), v, s, gradient=False).value

    for i, slope in enumerate(gradient):
        step = np.zeros_like(point)
        step[i] = 1e-3 * max(abs(point[i]), 1e-2)
        # fourth order, so that a step far above rounding serves
        first, second = (at(point + k * step) - at(point - k * step) for k in (1, 2))
        numeric = (8.0 * first - second) / (12.0 * step[i])
        assert slope == pytest.approx(numeric, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", CASES[:3], ids=lambda case: "-".join(map(str, case)))
def test_the_gradient_is_theorys_gibbs_average(leaf_case, theory_leaves, symbolic_value, name):
    """Symbolic derivatives of a one-level nest, averaged by mpmath, in every variable."""
    case = leaf_case(*name)
    x, v, s = (Symbol(name, positive=True) for name in ("x", "v", "s"))
    leaf = theory_leaves[case.name]
    nest = LiftedExpectation(leaf, x, (v,), (s,))
    own = sorted(leaf.free_symbols, key=str)
    at = {x: 0.4, v: 0.1, s: 1.7, **dict(zip(own, map(float, case.parameters), strict=True))}
    found = evaluate_nest(case.leaf, case.parameters, 0.4, (0.1,), (1.7,))
    numbers = [found.d_field, *found.d_increments, *found.d_exponents, *found.d_parameters]
    assert found.value == near(symbolic_value(nest, at))
    for symbol, number in zip((x, v, s, *own), numbers, strict=True):
        assert number == pytest.approx(symbolic_value(nest.diff(symbol), at), rel=1e-11)


def test_the_gradient_needs_positive_increments(case):
    with pytest.raises(ValueError, match="needs positive increments") as caught:
        evaluate_nest(case.leaf, case.parameters, 0.0, (0.5, 0.0), (1.0, 2.0))
    assert "\n" not in str(caught.value)


# -- other quadratures -----------------------------------------------------------------------------


@given(field=st.floats(-1.0, 1.0), liftings=nests(st.integers(1, 2), quenched=True))
@settings(max_examples=6, phases=UNSHRUNK)
def test_the_value_in_25_digits(case, exact_nest, field, liftings):
    reference = exact_nest(case, field, *liftings)
    assert value_of(case, field, *liftings) == pytest.approx(float(reference), rel=5e-15, abs=1e-15)


@pytest.mark.parametrize("name", CASES, ids=lambda case: "-".join(map(str, case)))
def test_the_reference_itself_has_converged(leaf_case, exact_nest, name):
    case = leaf_case(*name)
    value = exact_nest(case, 0.3, (0.2, 0.4), (1.0, 3.0))
    finer = exact_nest(case, 0.3, (0.2, 0.4), (1.0, 3.0), refine=2, deviations=11)
    assert abs(value - finer) < 1e-17


@pytest.mark.slow
@given(field=st.floats(-0.5, 0.5), liftings=nests(st.just(3), increments=(0.05, 0.5), ordered=True))
@settings(max_examples=12, phases=UNSHRUNK)
def test_the_value_in_25_digits_at_depth_three(case, exact_nest, field, liftings):
    reference = exact_nest(case, field, *liftings)
    assert value_of(case, field, *liftings) == pytest.approx(float(reference), rel=5e-15, abs=1e-15)


@given(field=FIELDS, liftings=nests(st.integers(1, 4), increments=(0.05, 1.0)))
@settings(max_examples=10)
def test_gauss_legendre_agrees(case, field, liftings):
    """Another rule, in any order of the exponents."""
    other = legendre_nest(
        lambda y: case.leaf.values(y, case.parameters),
        field,
        *liftings,
        slope=case.leaf.slope,
        finest=case.finest,
    )
    assert value_of(case, field, *liftings) == pytest.approx(other, rel=2e-13, abs=1e-14)


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


# -- grids -----------------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(st.integers(1, 3), quenched=True))
@settings(max_examples=15)
def test_refinement_moves_nothing(case, field, liftings):
    """Twice as fine, wider windows, and looser by an amount the looser tolerance explains."""
    value = value_of(case, field, *liftings)
    assert value_of(case, field, *liftings, coarsen=0.5) == near(value, 3e-14)
    assert value_of(case, field, *liftings, tolerance=1e-19) == near(value, 3e-14)
    smallest = min([x for x in liftings.exponents if x > 0.0], default=1.0)
    loose = value_of(case, field, *liftings, tolerance=1e-8)
    assert abs(loose - value) < 1e-6 * len(liftings.increments) * max(1.0, 1.0 / smallest)


@given(field=FIELDS, liftings=nests(st.integers(1, 3)))
@settings(max_examples=15)
def test_refinement_moves_no_gradient(case, field, liftings):
    here = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    finer = evaluate_nest(
        case.leaf, case.parameters, field, *liftings, coarsen=0.6, tolerance=1e-18
    )
    for name in ("d_field", "d_increments", "d_exponents", "d_parameters"):
        np.testing.assert_allclose(
            getattr(here, name), getattr(finer, name), rtol=1e-10, atol=1e-12
        )


def test_increments_too_small_to_resolve_are_refused(leaf_case):
    case = leaf_case("growing")
    with pytest.raises(ResolutionError, match="merge the smallest increment") as caught:
        evaluate_nest(case.leaf, case.parameters, 0.0, (1e-12, 0.5), (2.0, 3.0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [("growing",), ("falling", 1.0, 0.02)])
def test_a_work_limit_is_kept(leaf_case, name):
    case = leaf_case(*name)
    arguments = (case.leaf, case.parameters, 0.0, (0.02, 0.5), (1.0, 3.0))
    free = evaluate_nest(*arguments, gradient=False)
    kept = evaluate_nest(*arguments, gradient=False, work_limit=4 * free.products)
    assert kept.value == free.value
    with pytest.raises(ResolutionError, match="take more than .* operations"):
        evaluate_nest(*arguments, work_limit=100)


# -- cost ------------------------------------------------------------------------------------------


def counts(recorded, gradient: bool) -> tuple[list[int], list[int]]:
    exponentials, products = [], []
    for level in range(3, 8):
        ev = evaluator(free_energy(SBP(1), level))
        found = ev(ev.coordinates.from_order_parameters(recorded[level]), gradient=gradient)
        exponentials.append(found.exponentials)
        products.append(found.products)
    return exponentials, products


@pytest.mark.parametrize("gradient", [False, True])
def test_cost_grows_linearly_with_the_level(recorded, gradient):
    """Operations, not seconds: every level adds about what the one before added."""
    exponentials, products = counts(recorded, gradient)
    for operations in (exponentials, products):
        added = np.diff(operations)
        assert (added > 0).all()
        assert added[-1] < 1.5 * added[:-1].mean()
    assert exponentials[-1] < 100_000
    assert products[-1] < 1_000_000


def test_the_gradient_costs_little_more_than_the_value(recorded):
    with_gradient, without = counts(recorded, True), counts(recorded, False)
    assert with_gradient[0][-1] < 2.0 * without[0][-1]
    assert with_gradient[1][-1] < 2.0 * without[1][-1]


# -- one closed form more --------------------------------------------------------------------------


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


def test_leaves_of_other_origin_work_too():
    """The compiler takes any expression of a known stable form, here log 2cosh in another symbol."""
    from sympy import Lambda

    z = Symbol("z")
    leaf = compile_leaf(Lambda(z, log(2 * cosh(z))))
    found = evaluate_nest(leaf, np.empty(0), 0.0, (1.0,), (1.0,), gradient=False)
    assert found.value == pytest.approx(float(log(2) + sqrt(1) / 2), rel=1e-15)
