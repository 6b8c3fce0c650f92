"""The strategies draw what they say, and what they draw is what the numerics can evaluate."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from numerics.functionals.doubles import compile_leaf, evaluator
from numerics.nests.doubles import evaluate_nest
from theory import SBP, LiftedExpectation, free_energy
from theory.thresholds.asymptotics import infinite_exponent_limit
from verify import Liftings, kappas, leaves, levels, models, nests, order_parameters
from verify.strategies import LEAVES, MODELS


@given(kappas(0.3, 0.32))
def test_kappas_are_exact_decimals_of_their_range(kappa):
    assert isinstance(kappa, Decimal)
    assert Decimal("0.3") <= kappa <= Decimal("0.32")
    assert kappa * 1000 == int(kappa * 1000)


@given(models(), levels(2, 4))
def test_models_have_free_energies_without_free_parameters(model, level):
    fe = free_energy(model, level)
    assert fe.expr.free_symbols == set(fe.order_parameters)


@given(models(kinds=["sbp"]))
def test_margins_of_symmetric_perceptrons_are_positive(model):
    assert 0.25 <= float(model.kappa) <= 5.0


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_is_drawn(kind):
    quick = settings(max_examples=200, derandomize=True, database=None)
    assert find(models(), lambda model: model.name == kind, settings=quick).name == kind


@given(models(kappas(2.0, 2.0), kinds=["sbp"]))
def test_models_take_their_margins_from_a_strategy(model):
    assert model == SBP(2)


@given(leaves())
def test_leaves_have_values_for_all_their_symbols(leaf):
    assert set(leaf.parameters) == set(map(str, leaf.function.free_symbols))
    assert set(compile_leaf(leaf.function).parameters) == set(leaf.parameters)


def test_every_kind_of_leaf_is_drawn():
    quick = settings(max_examples=200, derandomize=True, database=None)
    for kind in LEAVES:
        assert find(leaves(), lambda leaf, kind=kind: leaf.kind == kind, settings=quick)


@given(levels(3, 4))
def test_levels_stay_in_their_range(level):
    assert level in (3, 4)


@given(st.data(), st.booleans(), st.booleans())
def test_nests_have_as_many_exponents_as_increments(data, ordered, quenched):
    drawn = data.draw(nests(st.integers(1, 5), ordered=ordered, quenched=quenched))
    assert isinstance(drawn, Liftings)
    v, s = drawn
    assert len(v) == len(s) <= 5
    assert all(0.02 <= x <= 2.0 for x in v)
    assert all(0.3 <= x <= 6.0 for x in s[:-1])
    assert s[-1] >= 0.3 or (quenched and s[-1] == 0.0)
    finite = [x for x in s if x > 0.0]
    assert not ordered or finite == sorted(finite)


def test_nests_come_in_every_order_and_quenched():
    three = nests(st.just(3), quenched=True)
    quick = settings(max_examples=500, derandomize=True, database=None)
    assert find(three, lambda n: n.exponents[0] < n.exponents[1] < n.exponents[2], settings=quick)
    assert find(three, lambda n: n.exponents[0] > n.exponents[1] > 0, settings=quick)
    assert find(three, lambda n: n.exponents[2] == 0.0, settings=quick)


@given(st.data(), levels(3, 6), st.booleans())
def test_order_parameters_lie_in_the_domain(data, level, ordered):
    fe = free_energy(SBP(), level)
    point = data.draw(order_parameters(fe, ordered=ordered))
    assert list(point) == [str(x) for x in fe.order_parameters]
    for chain in fe.chains:
        values = [point[str(x)] for x in chain.symbols]
        bounded = [float(chain.upper), *values, float(chain.lower)]
        assert all(a > b for a, b in itertools.pairwise(bounded))
    exponents = [1.0, *(point[str(x)] for x in fe.c)]
    assert not ordered or exponents == sorted(exponents)


def test_exponents_out_of_order_are_drawn_on_request():
    fe = free_energy(SBP(), 4)
    unordered = order_parameters(fe, ordered=False)
    quick = settings(max_examples=200, derandomize=True, database=None)
    assert find(unordered, lambda x: x["s_3"] < x["s_2"], settings=quick)
    assert find(unordered, lambda x: x["s_2"] < 1.0, settings=quick)


def test_level_two_has_one_point():
    assert find(order_parameters(free_energy(SBP(1), 2)), lambda _: True) == {}


@pytest.mark.long
@given(st.data(), levels(3, 4), models())
@settings(max_examples=40)
def test_drawn_points_are_coordinates_of_the_evaluator(data, level, model):
    fe = free_energy(model, level)
    point = data.draw(order_parameters(fe))
    ev = evaluator(fe)
    coords = ev.coordinates.from_order_parameters(point)
    back = ev.coordinates.order_parameters(ev.coordinates.gaps(coords))
    assert back == pytest.approx(point, rel=1e-9)
    found = ev(coords)
    assert math.isfinite(found.value)
    assert found.gradient.shape == (len(fe.order_parameters),)


@given(st.data(), models(kappas(0.1, 0.3), kinds=["sbp"]))
@settings(max_examples=10)
def test_limit_functionals_have_points_too(data, model):
    """Their chains hold a field besides p, Q and s."""
    fe = infinite_exponent_limit(free_energy(model, 4))
    point = data.draw(order_parameters(fe))
    assert list(point) == [str(x) for x in fe.order_parameters]
    assert len(fe.fields) == 1
    assert point[str(fe.fields[0])] > 0.0


@given(nests(st.integers(1, 3), quenched=True))
@settings(max_examples=20)
def test_drawn_nests_can_be_evaluated_with_theorys_leaves(liftings):
    v, s = liftings
    for part in (free_energy(SBP(1), 3).entropy, free_energy(SBP(1), 3).energy):
        (nest,) = part.atoms(LiftedExpectation)
        leaf = compile_leaf(nest.leaf)
        parameters = np.full(len(leaf.parameters), 0.9)
        found = evaluate_nest(leaf, parameters, 0.0, v, s)
        assert math.isfinite(found.value)
        assert (found.d_exponents >= -1e-12).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: kappas(0.0, 1.0),
        lambda: kappas(2.0, 1.0),
        lambda: kappas(1e-5, 1.0),
        lambda: kappas(0.5, math.inf),
        lambda: levels(1, 3),
        lambda: levels(5, 4),
        lambda: models(kinds=[]),
        lambda: models(kinds=["sbp", "perceptron"]),
        lambda: find(leaves(["binary", "gaussian"]), bool),
        lambda: find(nests(increments=(0.0, 1.0)), bool),
        lambda: find(nests(exponents=(2.0, 1.0)), bool),
        lambda: find(order_parameters(free_energy(SBP(1), 3), ratios=(0.5, 2.0)), bool),
        lambda: find(order_parameters(free_energy(SBP(1), 3), gaps=(2.0, 1.0)), bool),
    ],
)
def test_empty_ranges_are_refused_in_one_line(call):
    with pytest.raises(ValueError, match="must|smallest") as caught:
        call()
    assert "\n" not in str(caught.value)
