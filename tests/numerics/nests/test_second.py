"""Second derivatives of nests are what differences of their gradients are, on every kind of grid."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.functionals.parts import parts_of
from numerics.nests.doubles import evaluate_nest
from numerics.nests.laws import tilted_laws
from numerics.nests.second import _of_leaf, second_order
from theory import SphericalPerceptron, free_energy
from verify import nests

# A flat middle that is left out, a flat end, a dip, and rows that are tilted or two-peaked.
DEEP = ((3.6e-5, 3.3e-4, 2e-3, 9.4e-3, 0.035, 0.11), (3.7, 9.6, 21.0, 42.0, 76.0, 130.0))
FINE = [
    (("falling", 1.0, 3e-6), *DEEP, 0.0),
    (("falling", 1.0, 3e-6), *DEEP, 0.3),
    (("one-sided", 0.3, 3e-6), *DEEP, 0.0),
    (("one-sided", 0.0, 1e-4), DEEP[0][2:], (*DEEP[1][2:-1], 0.0), 0.0),
    (("union", 1.0, 1e-5), (9e-5, 5e-4, 2.3e-3, 9e-3, 0.99), (9.8, 21.0, 42.0, 76.0, 140.0), 0.0),
    (("union", 0.3, 1e-4), *DEEP, 0.1),
    (("growing",), (2.0, 0.2, 0.02), (3.8, 9.8, 21.0), 0.0),
    (("growing",), (0.7,), (600.0,), 0.0),
]


def by_differences(case, field, v, s, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian in the logarithms of increments and exponents."""
    point = np.concatenate((v, s))

    def slopes(x: np.ndarray) -> np.ndarray:
        found = evaluate_nest(case.leaf, case.parameters, field, *map(tuple, np.split(x, 2)))
        return x * np.concatenate((found.d_increments, found.d_exponents))

    rows = [
        (slopes(point * np.exp(step * unit)) - slopes(point * np.exp(-step * unit))) / (2.0 * step)
        for unit in np.eye(point.size)
    ]
    return slopes(point), np.array(rows)


def in_logarithms(found, v, s) -> tuple[np.ndarray, np.ndarray]:
    x = np.concatenate((v, s))
    gradient = x * found.gradient[: x.size]
    return gradient, np.outer(x, x) * found.hessian[: x.size, : x.size] + np.diag(gradient)


def agree(case, field, v, s, step: float) -> None:
    found = second_order(case.leaf, case.parameters, field, v, s)
    true = by_differences(case, field, v, s, step)
    ours = in_logarithms(found, v, s)
    assert found.value == pytest.approx(
        evaluate_nest(case.leaf, case.parameters, field, v, s).value, rel=1e-14, abs=1e-15
    )
    # differences are off by step^2 times a third derivative, and by rounding over the step
    scale = max(np.abs(true[1]).max(), np.abs(true[0]).max(), 1e-8)
    np.testing.assert_allclose(ours[0], true[0], rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(ours[1], true[1], rtol=0.0, atol=2e-6 * scale)
    assert (found.hessian == found.hessian.T).all()


@given(
    field=st.floats(-1.5, 1.5),
    liftings=nests(st.integers(1, 4), increments=(0.05, 0.6), exponents=(0.5, 8.0), quenched=True),
)
@settings(max_examples=10, deadline=None)
def test_they_are_differences_of_gradients(case, field, liftings):
    agree(case, field, liftings.increments, liftings.exponents, 5e-4)


@pytest.mark.parametrize(("name", "v", "s", "field"), FINE, ids=str)
def test_on_fine_grids(leaf_case, name, v, s, field):
    agree(leaf_case(*name), field, v, s, 5e-4)


@pytest.mark.parametrize(
    "name",
    [
        ("falling", 0.8, 0.05),
        ("falling", 0.8, 1e-8),
        ("union", 0.8, 0.05),
        ("union", 0.8, 1e-8),
        ("soft window", 5.0, 0.2, 0.6, 0.1),
    ],
    ids=str,
)
def test_in_the_parameters_of_the_leaf(leaf_case, name):
    """And what they share with increments and exponents."""
    case, v, s = leaf_case(*name), (0.2, 0.5), (2.0, 5.0)
    found = second_order(case.leaf, case.parameters, 0.2, v, s).hessian
    step = 1e-4
    for i in range(case.parameters.size):
        ends = []
        for sign in (1.0, -1.0):
            moved = case.parameters.copy()
            moved[i] += sign * step * moved[i]
            at = evaluate_nest(case.leaf, moved, 0.2, v, s)
            ends.append(np.concatenate((at.d_increments, at.d_exponents, at.d_parameters)))
        true = (ends[0] - ends[1]) / (2.0 * step * case.parameters[i])
        np.testing.assert_allclose(found[4 + i], true, rtol=1e-5, atol=1e-6 * np.abs(true).max())


@pytest.mark.long
def test_of_a_leaf_with_scales_of_all_sizes():
    """A spherical perceptron's at level 20: c of 9265, which once had steps of the field's scale."""
    nest = parts_of(free_energy(SphericalPerceptron(), 4)).nests[0]
    sizes = {"c_2": 9265.9, "gamma": 0.00427, "p_2": 1.726e-6}
    names = ("c_2", "gamma", "p_2")
    at = [next(x for x in nest.own if str(x).startswith(f"gap_{name}_")) for name in names]
    point = dict(zip(at, (sizes[name] for name in names), strict=True))
    (kappa,) = set(nest.own) - set(at)
    parameters = np.array([point.get(x, -1.0) for x in nest.own])
    y, mu = np.array([-1.02, -0.995]), np.full(2, 0.5)
    strip, _ = nest.compiled.facts(parameters)
    job = SimpleNamespace(parameters=parameters, leaf=nest.compiled, exponentials=0)
    found = _of_leaf(job, strip, y, mu)  # pyright: ignore[reportArgumentType]
    (h,) = nest.leaf.variables
    with mpmath.workdps(400):  # it is exp(-700) where an error function is 1 - 1e-300
        values = [mpmath.mpf(float(x)) for x in parameters]
        for (i, a), (j, b) in itertools.combinations_with_replacement(enumerate(nest.own), 2):
            if kappa not in (a, b):
                second = sympy.lambdify((h, *nest.own), sympy.diff(nest.leaf.expr, a, b), "mpmath")
                true = float(sum(second(mpmath.mpf(float(x)), *values) for x in y) / 2)
                assert found[i, j] == pytest.approx(true, rel=1e-10)


def test_grids_that_begin_too_far_out_of_a_dip_are_noticed(leaf_case, monkeypatch):
    case, v, s = leaf_case("union", 1.0, 1e-4), (1e-3, 1e-2, 0.9), (4.0, 20.0, 80.0)
    true = second_order(case.leaf, case.parameters, 0.0, v, s)
    monkeypatch.setattr("numerics.nests.extent._beyond_dip", lambda *_: [0.99] * 3)
    found = second_order(case.leaf, case.parameters, 0.0, v, s)
    np.testing.assert_allclose(found.hessian, true.hessian, rtol=1e-7)


def test_the_cost_is_that_of_a_few_gradients(leaf_case):
    case = leaf_case("falling", 1.0, 3e-6)
    second = second_order(case.leaf, case.parameters, 0.0, *DEEP)
    first = evaluate_nest(case.leaf, case.parameters, 0.0, *DEEP)
    assert second.products < len(DEEP[0]) * first.products
    assert second.exponentials < 3 * first.exponentials


@pytest.mark.parametrize(
    ("v", "s"), [((0.0, 0.3), (2.0, 3.0)), ((0.3, 1e-12), (2.0, 0.0)), ((), ())]
)
def test_where_there_are_none(leaf_case, v, s):
    case = leaf_case("one-sided", 0.3, 0.05)
    with pytest.raises(ValueError, match="increment"):
        second_order(case.leaf, case.parameters, 0.0, v, s)


@pytest.mark.parametrize("function", [evaluate_nest, second_order, tilted_laws])
@pytest.mark.parametrize("bad", [-0.1, math.nan])
def test_liftings_that_there_are_not(leaf_case, function, bad):
    case = leaf_case("one-sided", 0.3, 0.05)
    with pytest.raises(ValueError, match="increments must not be negative"):
        function(case.leaf, case.parameters, 0.0, (0.3, bad), (2.0, 3.0))
    with pytest.raises(ValueError, match="exponents must not be negative"):
        function(case.leaf, case.parameters, 0.0, (0.3, 0.1), (2.0, bad))
