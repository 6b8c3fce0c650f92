"""Strips that are measured hold, and are wide enough for nests that the bounds alone could not afford."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.functionals.crosscheck import cross_check, legendre_nest
from numerics.functionals.doubles import evaluator
from numerics.nests.chain import Job
from numerics.nests.doubles import evaluate_nest
from numerics.nests.extent import extent
from numerics.nests.grids import lifted_strips
from numerics.nests.pilot import measured_strips
from theory import UPerceptron, free_energy
from verify import nests

UNION = ("union", 1.0, 0.02)


def measured(case, v, s, field=0.0):
    """Known and measured strips of a nest."""
    strip, shape = case.leaf.facts(case.parameters)
    job = Job(case.leaf, case.parameters, shape, field, tuple(v), tuple(s), 10**9)
    wanted = extent(abs(field), tuple(v), tuple(s), shape, 9.0, 45.0, even=case.leaf.even)
    return lifted_strips(strip, tuple(v), tuple(s)), measured_strips(job, strip, wanted), job


def bends(case, v, s, fields) -> np.ndarray:
    """Second derivatives of the lifted function, by central differences of its slope."""
    step = 1e-4 * math.sqrt(v[-1])

    def slope(x):
        return evaluate_nest(case.leaf, case.parameters, x, tuple(v), tuple(s)).d_field

    return np.array([(slope(x + step) - slope(x - step)) / (2.0 * step) for x in fields])


@given(liftings=nests(st.just(2), increments=(0.02, 0.5), exponents=(0.5, 8.0)))
@settings(max_examples=8)
def test_measured_curvatures_are_bounds(leaf_case, liftings):
    """No f_1'' exceeds the one measured, which has a safety factor, and it is of that size somewhere."""
    case = leaf_case(*UNION)
    v, s = liftings
    known, found, _ = measured(case, v, s)
    assert found[0].half_width >= known[0].half_width
    assert found[0].bend <= known[0].bend
    fields = np.linspace(0.0, 1.5, 61)
    there = bends(case, v[:1], s[:1], fields)
    assert there.max() <= found[1].bend
    assert found[1].bend <= known[1].bend
    assert there.max() >= 0.3 * found[1].bend
    assert found[1].half_width >= known[1].half_width


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        UNION,
        pytest.param(("soft union", 60.0, 0.03, 1.0, 0.01), marks=pytest.mark.slow),
        pytest.param(("union", 1.0, 0.005), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_nests_on_measured_strips_are_right(leaf_case, name):
    """At depth two and three: refined, with wider windows, and by another rule."""
    case = leaf_case(*name)
    for v, s in (((0.05, 0.3), (3.0, 6.0)), ((0.03, 0.1, 0.4), (1.5, 4.0, 10.0))):
        value = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=False).value
        for grid in ({"coarsen": 0.5}, {"tolerance": 1e-19}):
            finer = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=False, **grid)
            assert finer.value == pytest.approx(value, rel=1e-13)
        other = legendre_nest(
            lambda y: case.leaf.values(np.ascontiguousarray(y), case.parameters),
            0.0, v, s, finest=case.finest,
        )  # fmt: skip
        assert value == pytest.approx(other, rel=1e-12)


def test_curvature_counts_where_there_is_weight(leaf_case):
    """The dip of a union's leaf is a kink at a depth of thousands: its strip is that of what matters."""
    for blur in (1e-3, 1e-4, 1e-5):
        case = leaf_case("union", 1.0, blur)
        v, s = (20.0 * blur, 0.3), (4.0, 11.0)
        known, found, _ = measured(case, v, s)
        # log-concave but for the dip: sqrt(2 v) of the leaf as a lifting
        assert found[0].half_width == pytest.approx(math.sqrt(2.0 * blur), rel=0.2)
        assert known[0].half_width < 3.0 * blur
        value = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=False)
        finer = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=False, coarsen=0.3)
        assert finer.value == pytest.approx(value.value, rel=1e-14)
        assert value.products < 5e6


def test_a_pilot_costs_little_and_saves_much(leaf_case):
    """Strips are ten times as wide, so the convolution has a hundredth of the products."""
    case = leaf_case(*UNION)
    v, s = (0.05, 0.3), (3.0, 6.0)
    known, found, job = measured(case, v, s)
    assert found[1].half_width > 5.0 * known[1].half_width
    whole = evaluate_nest(case.leaf, case.parameters, 0.0, v, s, gradient=False)
    assert job.products < 0.2 * whole.products


@pytest.mark.parametrize("name", [("growing",), ("falling", 1.0, 0.05), ("absolute", 2.0, 0.1)])
def test_strips_that_are_wide_enough_are_not_measured(leaf_case, name):
    case = leaf_case(*name)
    known, found, job = measured(case, (0.05, 0.1), (2.0, 3.0))
    assert found == known
    assert job.exponentials == job.products == 0


def test_the_leaf_of_a_single_lifting_is_measured_too() -> None:
    # between two half-lines 12 apart it bends as 1e9, where nothing weighs
    fe = free_energy(UPerceptron(6), 3)
    ev = evaluator(fe)
    gaps = np.array([1.1e-4, 1.0 - 1.1e-4, 1.58, 4.4])
    point = ev.at_gaps(gaps)
    assert point.exponentials < 300_000
    other = cross_check(fe, ev.coordinates.order_parameters(gaps))
    assert point.value == pytest.approx(other, rel=1e-10)
