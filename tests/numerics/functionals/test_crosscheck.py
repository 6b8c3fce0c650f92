"""The independent quadrature: its leaves, its rule, and what it refuses."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Symbol, erf, exp, log

from numerics import cross_check
from numerics.functionals.crosscheck import legendre_nest, plain_leaf
from theory import ABP, SBP, SK, free_energy
from verify import nests

H = Symbol("h", real=True)


def test_its_leaves_are_theorys(case, theory_leaves):
    """Evaluated by scipy and by parts that it finds out itself, at fields near and far."""
    if case.name == "gaussian":
        return
    leaf = theory_leaves[case.name]
    symbols = sorted(leaf.free_symbols, key=str)
    values = {x: Rational(p) for x, p in zip(symbols, case.parameters, strict=True)}
    y = np.linspace(-12.0, 12.0, 49)
    found = plain_leaf(leaf(H).subs(values), H)(y)
    with mpmath.workdps(30):
        exact = np.array([float(case.exact(mpmath.mpf(x))) for x in y])
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "leaf", [exp(H), log(1 + erf(H) ** 2), log(1 + H * exp(H)), log(exp(H) + 1) * log(exp(H) + 2)]
)
def test_other_leaves_are_refused(leaf):
    with pytest.raises(ValueError, match="no safe way to evaluate") as caught:
        plain_leaf(leaf, H)(np.zeros(1))
    assert "\n" not in str(caught.value)


@given(
    a=st.floats(0.1, 5.0),
    m=st.floats(-1.0, 1.0),
    field=st.floats(-3.0, 3.0),
    liftings=nests(st.integers(1, 4), quenched=True),
)
@settings(max_examples=20)
def test_gaussian_leaves_have_a_closed_form(a, m, field, liftings):
    curvature, offset = a, 0.0
    for v, s in zip(*liftings, strict=True):
        offset -= 0.5 * (math.log1p(s * v * curvature) / s if s > 0.0 else v * curvature)
        curvature /= 1.0 + s * v * curvature
    found = legendre_nest(
        lambda y: -0.5 * a * (y - m) ** 2, field, *liftings, finest=1.0 / math.sqrt(a)
    )
    assert found == pytest.approx(offset - 0.5 * curvature * (field - m) ** 2, rel=1e-12, abs=1e-13)


@given(
    a=st.floats(-3.0, 3.0),
    field=st.floats(-3.0, 3.0),
    liftings=nests(st.integers(1, 4), quenched=True),
)
@settings(max_examples=20)
def test_linear_leaves_have_a_closed_form(a, field, liftings):
    found = legendre_nest(lambda y: a * y, field, *liftings, finest=1.0)
    moved = sum(s * v for v, s in zip(*liftings, strict=True))
    assert found == pytest.approx(a * field + 0.5 * a * a * moved, rel=1e-12, abs=1e-12)


def test_more_panels_move_nothing():
    point = {"p_2": 0.9, "p_3": 0.5, "Q_2": 3.0, "Q_3": 1.2, "s_2": 2.5}
    fe = free_energy(ABP("0.2"), 3)
    assert cross_check(fe, point, panels=2.0) == pytest.approx(cross_check(fe, point), rel=1e-13)


def test_energies_have_nests_and_algebra_around_them():
    """Multipliers, logarithms and nests of soft constraints in one expression."""
    fe = free_energy(ABP("0.2", alpha=1), 2)
    point = {str(x): 0.5 for x in fe.order_parameters}
    assert math.isfinite(cross_check(fe, point))
    assert cross_check(free_energy(SK(), 1), {}) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-15)


def test_missing_order_parameters_are_named():
    with pytest.raises(ValueError, match="no value given for order parameter\\(s\\) Q_2, s_2"):
        cross_check(free_energy(SBP(1), 3), {"p_2": 0.5})
