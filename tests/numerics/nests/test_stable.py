"""Stable functions equal their definitions, in value and derivative, wherever doubles reach."""

from __future__ import annotations

import math

import mpmath
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Symbol

from numerics.nests import stable
from numerics.nests.stable import (
    InverseMills,
    LogAddExp,
    LogErfMean,
    LogMinusLogErfMean,
    LogNdtr,
    LogTwoCosh,
    definition,
    inverse_mills,
    log_add_exp,
    log_erf_mean,
    log_minus_log_erf_mean,
    log_ndtr,
    log_two_cosh,
)

ULP = 2.0**-52
X, Y = Symbol("x", real=True), Symbol("y", real=True)


def exact(expr: sympy.Expr, values: dict[sympy.Symbol, float], digits: int = 40) -> mpmath.mpf:
    """An expression at doubles, as it is written, in enough digits to survive its cancellations."""
    names = list(values)
    function = sympy.lambdify(names, expr, "mpmath")
    with mpmath.workdps(digits):
        return function(*(mpmath.mpf(values[x]) for x in names))


def digits_for(a: float, b: float) -> int:
    """Digits that hold both ends of an interval's probability: erfc(z) is about exp(-z^2)."""
    return 40 + int(2.0 * max(a * a, b * b) / math.log(10.0))


# -- log(-log) of an interval's probability ---------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"), [(0.3, 0.4), (5.0, 1.0), (-3.0, 9.0), (24.9, 25.1), (26.0, 31.0), (40.0, 40.0)]
)
def test_log_minus_log_erf_mean_is_its_definition_where_the_probability_is_1_in_doubles(a, b):
    function, digits = LogMinusLogErfMean(X, Y), digits_for(a, b)
    point = {X: a, Y: b}
    assert log_minus_log_erf_mean(a, b) == pytest.approx(
        float(exact(function.definition(), point, digits)), rel=4e-15, abs=4e-15
    )
    slope = exact(sympy.diff(function.definition(), X), point, digits)
    assert float(exact(definition(sympy.diff(function, X)), point, digits)) == float(slope)


# -- log 2 cosh ------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6))
@example(0.0)
@example(1e-300)
@example(-18.7)
@example(700.0)
@example(1e300)
def test_log_two_cosh_is_its_definition(u):
    value = log_two_cosh(u)
    if abs(u) > 1e5:
        assert value == abs(u)
    else:
        reference = exact(LogTwoCosh(X).definition(), {X: u})
        assert abs(value - reference) <= 2 * ULP * reference


# -- log of a sum ----------------------------------------------------------------------------------


@given(st.floats(-1e5, 1e5), st.floats(-800.0, 800.0))
@example(0.0, -750.0)
@example(1e5, 0.0)
@example(-math.log(2.0), 0.0)  # the sum is 1, and its logarithm nothing but rounding
def test_log_add_exp_is_its_definition(a, difference):
    b = a + difference
    with mpmath.workdps(60):
        top = max(a, b)
        reference = top + mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(a) - mpmath.mpf(b))))
    assert log_add_exp(a, b) == log_add_exp(b, a)
    assert abs(log_add_exp(a, b) - reference) <= ULP * max(abs(reference), abs(top), ULP)


@given(st.floats(1.0, 700.0))
def test_a_small_addition_to_one_keeps_its_digits(depth):
    """``log(1 + exp(-d))`` is exp(-d) to every digit: one of two terms may be 1."""
    assert log_add_exp(0.0, -depth) == pytest.approx(math.log1p(math.exp(-depth)), rel=2 * ULP)


# -- the normal distribution -----------------------------------------------------------------------


def exact_log_ndtr(x: float) -> mpmath.mpf:
    with mpmath.workdps(60):
        z = mpmath.mpf(x) / mpmath.sqrt(2)
        return mpmath.log1p(-mpmath.erfc(z) / 2) if x > 0 else mpmath.log(mpmath.erfc(-z) / 2)


@given(st.floats(-1e4, 37.0))
@example(-36.0)
@example(-35.999)
@example(-36.001)
@example(-0.5)
@example(-1e-300)
@example(37.0)
@settings(max_examples=300)
def test_log_ndtr_is_its_definition(x):
    """A few units in the last place from exp(-5e7) to 1 - 1e-299, the rounding of x/sqrt(2) included."""
    reference = exact_log_ndtr(x)
    assert abs(log_ndtr(x) - reference) <= 3 * ULP * abs(reference)


@given(st.floats(-1e4, 37.0))
@example(-36.0)
@example(-35.999)
@example(0.0)
@settings(max_examples=300)
def test_inverse_mills_is_its_definition(x):
    with mpmath.workdps(60):
        reference = mpmath.npdf(mpmath.mpf(x)) / mpmath.exp(exact_log_ndtr(x))
    assert abs(inverse_mills(x) / reference - 1) <= 8 * ULP


@pytest.mark.parametrize("x", [1e5, -1e8, 40.0, 1e300])
def test_the_normal_distribution_has_no_bad_argument(x):
    for function in (log_ndtr, inverse_mills):
        assert math.isfinite(function(x))
    assert inverse_mills(-1e8) == pytest.approx(1e8, rel=1e-15)


# -- intervals -------------------------------------------------------------------------------------


@given(st.floats(-45.0, 10.0), st.floats(-8.0, 3.0))
@example(-42.4, 0.0)  # 60 standard deviations outside
@example(-24.999, -3.0)
@example(-25.001, -3.0)
@example(6.0, 0.0)
@example(9.9, -8.0)
@example(0.0, -6.0)
@example(0.01, -7.5)
def test_log_erf_mean_is_its_definition(low, log_width):
    """From probabilities of exp(-2000) up to 1 - exp(-100), for ends close together and far apart."""
    a, b = low, -low + math.exp(log_width)  # a + b = width up to rounding, and that is what counts
    if low > 0.0:
        b = low + math.exp(log_width)
    width = a + b
    reference = exact(LogErfMean(X, Y).definition(), {X: a, Y: b}, digits_for(a, b))
    for value in (log_erf_mean(a, b), log_erf_mean(b, a)):
        close_tails = 4e-16 / width if low < 0.0 else 0.0
        assert abs(value - reference) <= 8 * ULP * abs(reference) + close_tails


@given(st.floats(1.0, 5.7), st.floats(0.0, 2.0))
def test_relative_accuracy_survives_next_to_one(a, more):
    """Log P = -6e-16 has as many correct digits as log P = -1; this is what kappa = 5 rests on."""
    with mpmath.workdps(60):
        reference = mpmath.log((mpmath.erf(a) + mpmath.erf(a + more)) / 2)
        assert abs(log_erf_mean(a, a + more) / reference - 1) < 1e-14


def test_far_outside_nothing_underflows():
    """The leading term is -z^2 for an interval that starts z outside, at any distance."""
    for z in (10.0, 24.9, 25.1, 100.0, 1e4):
        value = log_erf_mean(-z, z + 2.0)
        assert math.isfinite(value)
        assert value == pytest.approx(-z * z - math.log(2 * z * math.sqrt(math.pi)), abs=1 / z)


# -- calculus --------------------------------------------------------------------------------------

FUNCTIONS = [LogTwoCosh(X), LogNdtr(X), InverseMills(X), LogErfMean(X, Y), LogAddExp(X, Y)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("symbol", [X, Y])
@given(st.floats(0.2, 1.5), st.floats(0.2, 1.5))
@settings(max_examples=10)
def test_derivatives_are_those_of_the_definition(function, symbol, x, y):
    """First and second, in any argument."""
    for order in (1, 2):
        own = definition(sympy.diff(function, symbol, order))
        other = sympy.diff(definition(function), symbol, order)
        at = {X: x, Y: y}
        assert abs(exact(own, at) - exact(other, at)) < 1e-30


def test_nested_functions_are_written_out():
    nested = LogAddExp(LogNdtr(X), Y + LogErfMean(X, 1))
    assert not definition(nested).atoms(*map(type, FUNCTIONS))
    value = log_add_exp(log_ndtr(0.3), 0.2 + log_erf_mean(0.3, 1.0))
    assert value == pytest.approx(float(exact(definition(nested), {X: 0.3, Y: 0.2})), rel=1e-15)


def test_every_function_is_compiled_under_its_name():
    for name, compiled in stable.COMPILED.items():
        assert hasattr(stable, name)
        assert callable(getattr(stable, compiled))
        assert compiled == "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]
