"""The nest's value and gradient obey the exact facts about lifted expectations, on any grid."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Symbol

from numerics.functionals.crosscheck import legendre_nest
from numerics.functionals.doubles import evaluator
from numerics.nests.doubles import evaluate_nest
from numerics.nests.grids import ResolutionError
from numerics.nests.laws import tilted_laws
from theory import SBP, LiftedExpectation, free_energy
from verify import nests

FIELDS = st.floats(-1.5, 1.5)


def value_of(case, field, v, s, **grid) -> float:
    return evaluate_nest(case.leaf, case.parameters, field, v, s, gradient=False, **grid).value


def near(value: float, rel: float = 1e-13):
    return pytest.approx(value, rel=rel, abs=1e-14)


def by_legendre(case, field, v, s) -> float:
    return legendre_nest(
        lambda y: case.leaf.values(np.ascontiguousarray(y), case.parameters),
        field,
        v,
        s,
        finest=case.finest,
    )


# -- exact facts -----------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(quenched=True), shift=st.floats(-3.0, 3.0))
@settings(max_examples=8)
def test_a_constant_in_the_leaf_shifts_the_nest(case, shifted, field, liftings, shift):
    leaf = shifted(case.leaf)
    parameters = np.append(case.parameters, shift)
    moved = evaluate_nest(leaf, parameters, field, *liftings)
    assert moved.value == near(value_of(case, field, *liftings) + shift)
    # its derivative is the sum of all Gibbs weights
    assert moved.d_parameters[-1] == pytest.approx(1.0, rel=1e-11)


@given(field=FIELDS, liftings=nests(st.integers(2, 3)), data=st.data())
@settings(max_examples=8)
def test_a_lifting_without_variance_is_the_identity(case, field, liftings, data):
    v, s = map(list, liftings)
    k = data.draw(st.integers(0, len(v)))
    widened = value_of(
        case, field, (*v[:k], 0.0, *v[k:]), (*s[:k], data.draw(st.floats(0.0, 9.0)), *s[k:])
    )
    assert widened == value_of(case, field, tuple(v), tuple(s))


def test_without_variance_the_nest_is_its_leaf(case):
    y = np.array([0.7 if case.leaf.even else -0.7])
    found = evaluate_nest(case.leaf, case.parameters, -0.7, (0.0, 0.0), (2.0, 3.0), gradient=False)
    assert found.value == case.leaf.values(y, case.parameters)[0]
    assert found.discretisation == 0.0


@given(field=FIELDS, liftings=nests(st.integers(1, 3), quenched=True), data=st.data())
@settings(max_examples=8)
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
@settings(max_examples=8)
def test_a_mirrored_leaf_mirrors_the_nest(case, mirrored, field, liftings):
    """``f(-h)`` at -x. For an even leaf this is also the whole grid against half of it."""
    here = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    leaves = [mirrored(case.leaf)] + ([case.leaf] if case.leaf.even else [])
    for leaf in leaves:
        there = evaluate_nest(leaf, case.parameters, -field, *liftings)
        assert here.value == near(there.value)
        assert here.d_field == pytest.approx(-there.d_field, rel=1e-9, abs=1e-12)
        for name in ("d_increments", "d_exponents", "d_parameters"):
            ours, theirs = getattr(here, name), getattr(there, name)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        ("falling", 1.0, 0.05),
        ("falling", 0.3, 0.4),
        ("one-sided", 0.3, 0.05),
        ("one-sided", -0.7, 0.4),
    ],
    ids=str,
)
@given(field=st.floats(-8.0, 8.0), liftings=nests(quenched=True))
@settings(max_examples=8)
def test_fields_anywhere(leaf_case, name, field, liftings):
    """Where the leaf is -1000 and its slope a hundred times the window: refined, and by another rule."""
    case = leaf_case(*name)
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    for grid in ({"coarsen": 0.5}, {"tolerance": 1e-19}):
        assert value_of(case, field, *liftings, **grid) == near(found.value)
    if len(liftings.increments) < 3:
        assert found.value == pytest.approx(by_legendre(case, field, *liftings), rel=1e-12)


@given(field=FIELDS, liftings=nests(quenched=True), data=st.data())
@settings(max_examples=8)
def test_monotone_in_the_leaf(leaf_case, field, liftings, data):
    """A wider interval has the larger probability; a flatter Gaussian lies above; log 2cosh > |h|."""
    kappa, variance = data.draw(st.floats(0.2, 2.0)), data.draw(st.floats(0.02, 1.0))
    more = data.draw(st.floats(1.0, 1.5))
    pairs = [
        (leaf_case("falling", kappa, variance), leaf_case("one-sided", -kappa, variance)),
        (leaf_case("one-sided", more * kappa, variance), leaf_case("union", kappa, variance)),
        (leaf_case("hinge", 3.0, variance), leaf_case("absolute", 3.0, variance)),
        (leaf_case("falling", kappa, variance), leaf_case("falling", more * kappa, variance)),
        (leaf_case("gaussian", more), leaf_case("gaussian", 1.0)),
        (leaf_case("falling", kappa, variance), leaf_case("growing")),
    ]
    for lower, upper in pairs:
        assert value_of(lower, field, *liftings) <= value_of(upper, field, *liftings) + 1e-14


@given(field=FIELDS, liftings=nests(quenched=True))
@settings(max_examples=8)
def test_exponent_derivatives_are_relative_entropies(case, field, liftings):
    found = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    assert (found.d_exponents >= -1e-14 * max(1.0, abs(found.value))).all()


@given(field=FIELDS, liftings=nests(st.integers(1, 2), increments=(0.1, 1.0)))
@settings(max_examples=8)
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
    assert found.d_increments[-1] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("outer", [1, 2])
def test_the_quenched_average_is_the_limit_of_small_exponents(case, outer):
    """Value and derivatives are continuous at s = 0, with the derivative in s as the slope."""
    v, inner = (0.3, 0.5)[:outer], (1.5,)[: outer - 1]
    at_zero = evaluate_nest(case.leaf, case.parameters, 0.4, v, (*inner, 0.0))
    size = max(1.0, abs(at_zero.value), *np.abs(at_zero.d_increments))
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
    # all of first order in s, down to errors of Z divided by s twice
    for far, close in itertools.pairwise(distances):
        assert np.all(np.array(close) < 0.12 * np.array(far) + 5e-9 * size)


# -- gradient --------------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(increments=(0.05, 2.0)))
@settings(max_examples=6)
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

    size = max(1.0, float(np.abs(gradient).max()))
    for i, slope in enumerate(gradient):
        step = np.zeros_like(point)
        step[i] = 1e-3 * max(abs(point[i]), 1e-2)
        # fourth order, so that a step far above rounding serves
        first, second = (at(point + k * step) - at(point - k * step) for k in (1, 2))
        numeric = (8.0 * first - second) / (12.0 * step[i])
        assert slope == pytest.approx(numeric, rel=1e-7, abs=1e-9 * size)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "digits"),
    [
        (("growing",), 30),
        (("falling", 0.3, 0.4), 150),
        (("logistic", 0.5), 30),
        pytest.param(("falling", 1.0, 0.05), 350, marks=pytest.mark.slow),
        pytest.param(("one-sided", 0.3, 0.05), 350, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_gradient_is_theorys_gibbs_average(
    leaf_case, theory_leaves, symbolic_value, name, digits
):
    """Symbolic derivatives of a one-level nest, averaged by mpmath, in every variable."""
    case = leaf_case(*name)
    x, v, s = (Symbol(name, positive=True) for name in ("x", "v", "s"))
    leaf = theory_leaves[case.name]
    nest = LiftedExpectation(leaf, x, (v,), (s,))
    own = sorted(leaf.free_symbols, key=str)
    at = {x: 0.4, v: 0.1, s: 1.7, **dict(zip(own, map(float, case.parameters), strict=True))}
    found = evaluate_nest(case.leaf, case.parameters, 0.4, (0.1,), (1.7,))
    numbers = [found.d_field, *found.d_increments, *found.d_exponents, *found.d_parameters]
    assert found.value == near(symbolic_value(nest, at, digits))
    for symbol, number in zip((x, v, s, *own), numbers, strict=True):
        assert number == pytest.approx(symbolic_value(nest.diff(symbol), at, digits), rel=1e-11)


def test_the_gradient_needs_positive_increments(case):
    with pytest.raises(ValueError, match="needs positive increments") as caught:
        evaluate_nest(case.leaf, case.parameters, 0.0, (0.5, 0.0), (1.0, 2.0))
    assert "\n" not in str(caught.value)


# -- grids -----------------------------------------------------------------------------------------


@given(field=FIELDS, liftings=nests(st.integers(1, 3), quenched=True))
@settings(max_examples=8)
def test_refinement_moves_nothing(case, field, liftings):
    """Twice as fine, wider windows, and looser by an amount the looser tolerance explains."""
    value = value_of(case, field, *liftings)
    assert value_of(case, field, *liftings, coarsen=0.5) == near(value, 3e-14)
    assert value_of(case, field, *liftings, tolerance=1e-19) == near(value, 3e-14)
    smallest = min([x for x in liftings.exponents if x > 0.0], default=1.0)
    loose = value_of(case, field, *liftings, tolerance=1e-8)
    size = max(1.0, 1.0 / smallest, abs(value))
    assert abs(loose - value) < 1e-6 * len(liftings.increments) * size


@given(field=FIELDS, liftings=nests(st.integers(1, 3)))
@settings(max_examples=8)
def test_refinement_moves_no_gradient(case, field, liftings):
    here = evaluate_nest(case.leaf, case.parameters, field, *liftings)
    finer = evaluate_nest(
        case.leaf, case.parameters, field, *liftings, coarsen=0.6, tolerance=1e-18
    )
    for name in ("d_field", "d_increments", "d_exponents", "d_parameters"):
        ours, theirs = np.atleast_1d(getattr(here, name)), np.atleast_1d(getattr(finer, name))
        size = np.abs(theirs).max(initial=1.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * size)


@pytest.mark.parametrize("s", [2.0, 10.0, 40.0])
def test_strips_that_narrow_with_the_exponent_are_resolved(some_case, s):
    """The trap: after a lifting with a large exponent, the next grid may not be chosen from its v alone.

    Outer increments ten times the inner ones; a grid of the outer alone would be wrong in the fifth digit.
    """
    case = some_case
    liftings = (0.05, 0.5), (s, 0.0)
    value = value_of(case, 0.2, *liftings)
    assert value_of(case, 0.2, *liftings, coarsen=0.5) == near(value, 1e-14)
    assert value_of(case, 0.2, *liftings, tolerance=1e-19) == near(value, 1e-14)
    assert by_legendre(case, 0.2, *liftings) == near(value, 1e-13)


def test_deliberately_coarse_grids_are_refused_or_say_so(some_case):
    """Either a grid ends where there is weight, or the error that is reported covers what happened."""
    case = some_case
    for liftings in (((0.3,), (0.0,)), ((0.2, 0.5), (3.0, 0.0)), ((0.2, 0.5), (2.0, 4.0))):
        value = value_of(case, 0.2, *liftings)
        for coarsen in (3.0, 6.0, 12.0):
            try:
                found = evaluate_nest(
                    case.leaf, case.parameters, 0.2, *liftings, gradient=False, coarsen=coarsen
                )
            except ResolutionError:
                continue
            assert abs(found.value - value) <= 1.2 * found.discretisation + 1e-13 * max(
                1.0, abs(value)
            )


def test_increments_too_small_to_resolve_are_refused(leaf_case):
    case = leaf_case("growing")
    with pytest.raises(ResolutionError, match="merge the smallest increment") as caught:
        evaluate_nest(case.leaf, case.parameters, 0.0, (1e-12, 0.5), (2.0, 3.0))
    assert "\n" not in str(caught.value)


def test_negative_exponents_are_refused(leaf_case):
    case = leaf_case("growing")
    with pytest.raises(ValueError, match="must not be negative"):
        evaluate_nest(case.leaf, case.parameters, 0.0, (1.0,), (-2.0,))


def test_a_work_limit_is_kept(some_case):
    case = some_case
    arguments = (case.leaf, case.parameters, 0.0, (0.02, 0.5), (1.0, 3.0))
    free = evaluate_nest(*arguments, gradient=False)
    limit = 4 * (free.products + free.exponentials)
    kept = evaluate_nest(*arguments, gradient=False, work_limit=limit)
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


# A point near level 12's, whose leaf is flat but for 1e-3 around the margin.
DEEP = (
    (3.6e-6, 3.3e-5, 2e-4, 9.4e-4, 3.5e-3, 1.1e-2, 3.5e-2, 0.05),
    (3.7, 9.6, 21.0, 42.0, 76.0, 130.0, 200.0, 290.0),
)
# One near level 7's of two half-lines.
APART = ((9e-5, 5e-4, 2.3e-3, 9e-3, 0.99), (9.8, 21.0, 42.0, 76.0, 140.0))


@pytest.mark.parametrize(
    ("name", "blur", "liftings", "saved"),
    [
        ("falling", 3e-7, DEEP, 1.4),
        ("one-sided", 3e-7, DEEP, 4.0),
        ("union", 3e-7, DEEP, 2.0),
        ("union", 1e-5, APART, 10.0),
    ],
)
def test_flat_ends_and_dips_are_left_out_and_nothing_is_lost(
    leaf_case, shifted, monkeypatch, name, blur, liftings, saved
):
    """Value and derivatives as with them, also in what moves the flat; nodes fewer by a factor."""
    case = leaf_case(name, 1.0, blur)
    leaf, parameters = shifted(case.leaf), np.append(case.parameters, 0.0)
    for field in (0.0, 0.3) if liftings is DEEP else (0.0,):
        without = evaluate_nest(leaf, parameters, field, *liftings)
        with monkeypatch.context() as patch:
            patch.setattr("numerics.nests.windows._WORTHWHILE", math.inf)
            patch.setattr("numerics.nests.extent._beyond_dip", lambda v, *_: [0.0] * len(v))
            whole = evaluate_nest(leaf, parameters, field, *liftings)
        assert without.value == pytest.approx(whole.value, rel=1e-14)
        for part in ("d_field", "d_increments", "d_exponents", "d_parameters"):
            found, true = getattr(without, part), getattr(whole, part)
            assert found == pytest.approx(true, rel=1e-10, abs=1e-12 * np.abs(true).max() + 1e-15)
        assert without.d_parameters[-1] == pytest.approx(1.0, rel=1e-12)
        assert saved * without.exponentials < whole.exponentials


@given(
    kappa=st.floats(0.05, 3.0),
    blur=st.floats(-7.0, -1.0),
    liftings=st.lists(
        st.tuples(st.floats(-4.0, 0.5), st.floats(-0.5, 2.5)), min_size=1, max_size=5
    ),
)
@settings(max_examples=40, deadline=None)
def test_what_lies_in_a_dip_is_left_out_where_no_path_goes(leaf_case, kappa, blur, liftings):
    """Whatever the order of increments and exponents, values are those of grids through the dip."""
    case = leaf_case("union", kappa, 10.0**blur)
    v, s = zip(*[(10.0**a, 10.0**b) for a, b in liftings], strict=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numerics.nests.extent._beyond_dip", lambda v, *_: [0.0] * len(v))
        try:
            whole = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, work_limit=200_000_000)
        except ResolutionError:  # the dip takes too many nodes
            assume(False)
    found = evaluate_nest(case.leaf, case.parameters, 0.0, v, s)
    assert found.value == pytest.approx(whole.value, rel=1e-12)
    assert found.d_increments == pytest.approx(
        whole.d_increments, abs=1e-10 * np.abs(whole.d_increments).max()
    )


@pytest.mark.parametrize("exponent", [2.0, 300.0, 2000.0])
def test_an_even_function_has_no_slope_at_its_middle(leaf_case, exponent):
    """Also where only one of two mirror images of the weight is on the grid."""
    case = leaf_case("growing")
    found = evaluate_nest(case.leaf, case.parameters, 0.0, (1.0,), (exponent,))
    assert found.d_field == pytest.approx(0.0, abs=1e-15)


def test_grids_that_begin_too_far_out_of_a_dip_are_noticed(leaf_case, monkeypatch):
    case = leaf_case("union", 1.0, 1e-4)
    v, s = (1e-3, 1e-2, 0.9), (4.0, 20.0, 80.0)
    true = evaluate_nest(case.leaf, case.parameters, 0.0, v, s)
    laws = tilted_laws(case.leaf, case.parameters, 0.0, v, s)
    monkeypatch.setattr("numerics.nests.extent._beyond_dip", lambda *_: [0.99] * 3)
    for gradient in (True, False):
        found = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=gradient)
        assert found.value == pytest.approx(true.value, rel=1e-13)
        assert found.d_increments.size == 3 * gradient
    again = tilted_laws(case.leaf, case.parameters, 0.0, v, s)
    for one, other in zip(laws, again, strict=True):
        slopes = [law.average(law.slopes() ** 2) for law in (one, other)]
        assert slopes[1] == pytest.approx(slopes[0], rel=1e-9)


@pytest.mark.parametrize("name", ["falling", "one-sided", "union"])
def test_how_little_a_leaf_is_blurred_costs_nothing(leaf_case, name):
    """The grids follow the edge, whatever their spacing: flat fields and dips have no nodes."""
    work = []
    for blur in (1e-6, 1e-8, 1e-10):
        case = leaf_case(name, 1.0, blur)
        v = tuple(blur * 10.0 ** (k + 1) for k in range(round(-math.log10(blur)) - 1))
        s = tuple(4.0 * 2.0**k for k in range(len(v)))
        found = evaluate_nest(case.leaf, case.parameters, 0.0, v, s)
        work.append((found.exponentials + found.products) / len(v))
    assert max(work) < 2.0 * min(work)
