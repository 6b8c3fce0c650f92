"""Stable forms equal the derived leaves, in value and derivative, wherever doubles reach."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Lambda, Symbol, cosh, erf, exp, log

from numerics.compile import compile_leaf
from numerics.stable import LogErfMean, LogTwoCosh, log_erf_mean, log_two_cosh, stable_form

H = Symbol("h", real=True)
ULP = 2.0**-52


def exact(expr: sympy.Expr, values: dict[sympy.Symbol, float], digits: int = 40) -> mpmath.mpf:
    """An expression at doubles, as it is written, in enough digits to survive its cancellations."""
    names = list(values)
    function = sympy.lambdify(names, expr, "mpmath")
    with mpmath.workdps(digits):
        return function(*(mpmath.mpf(values[x]) for x in names))


def digits_for(a: float, b: float) -> int:
    """Digits that hold both ends of an interval's probability: erfc(z) is about exp(-z^2)."""
    return 40 + int(2.0 * max(a * a, b * b) / math.log(10.0))


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
        x = Symbol("x", real=True)
        reference = exact(LogTwoCosh(x).definition(), {x: u})
        assert abs(value - reference) <= 2 * ULP * reference


@given(st.floats(-45.0, 10.0), st.floats(-8.0, 3.0))
@example(-42.4, 0.0)  # 60 standard deviations outside
@example(-24.999, -3.0)
@example(-25.001, -3.0)
@example(6.0, 0.0)
@example(9.9, -8.0)
def test_log_erf_mean_is_its_definition(low, log_width):
    """From probabilities of exp(-2000) up to 1 - exp(-100), for ends close together and far apart."""
    a, b = low, -low + math.exp(log_width)  # a + b = width up to rounding, and that is what counts
    if low > 0.0:
        b = low + math.exp(log_width)
    width = a + b
    first, second = sympy.symbols("a b", real=True)
    reference = exact(
        LogErfMean(first, second).definition(), {first: a, second: b}, digits_for(a, b)
    )
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


@pytest.mark.parametrize("name", ["growing", "falling"])
def test_theorys_leaves_have_a_stable_form_that_means_the_same(theory_leaves, name):
    leaf = theory_leaves[name]
    stable = stable_form(leaf(H))
    assert isinstance(stable, (LogTwoCosh, LogErfMean))
    difference = stable.definition() - leaf(H)
    assert sympy.simplify(sympy.expand_log(sympy.expand(difference), force=True)) == 0


@pytest.mark.parametrize(
    "expr", [H**2, log(cosh(H)), log(3 * cosh(H)), log(erf(H)), log(erf(H) - erf(H - 1)), exp(H)]
)
def test_unknown_leaves_are_refused(expr):
    with pytest.raises(ValueError, match=r"no stable form is known .* add one to numerics\.stable"):
        stable_form(expr)


# -- the generated code ----------------------------------------------------------------------------


def falling_at(theory_leaves, y: np.ndarray, kappa: float, variance: float):
    leaf: Lambda = theory_leaves["falling"]
    compiled = compile_leaf(leaf)
    assert compiled.parameters == ("kappa", "variance")
    parameters = np.array([kappa, variance])
    values = compiled.values(y, parameters)
    symbols = {str(x): x for x in leaf.free_symbols}
    point = {symbols["kappa"]: kappa, symbols["variance"]: variance}
    return leaf(H), point, values, compiled.derivatives(y, values, parameters)


@given(
    kappa=st.floats(0.05, 5.0),
    variance=st.floats(-9.0, 0.0).map(math.exp),
    deviations=st.floats(-60.0, 60.0),
)
@example(kappa=1.0, variance=0.02, deviations=60.0)
@example(kappa=5.0, variance=0.1, deviations=0.0)
@example(kappa=5.0, variance=0.001, deviations=-1.0)
@settings(max_examples=40)
def test_generated_code_is_the_leaf_and_its_symbolic_derivative(
    theory_leaves, leaf_case, kappa, variance, deviations
):
    """At a field as far out as 60 standard deviations of the Gaussian beyond the interval's end."""
    sigma = math.sqrt(variance)
    y = math.copysign(kappa, deviations) + deviations * sigma
    expr, point, values, slopes = falling_at(theory_leaves, np.array([y]), kappa, variance)
    at = {H: y, **point}
    # the interval's nearer end in units of sigma rounds, and the logarithm is its square
    end = (abs(y) - kappa) / sigma
    rounding = 4 * ULP * (1.0 + (abs(y) + kappa) / sigma) * (1.0 + abs(end))
    exact_leaf = leaf_case("falling", kappa, variance).exact
    with mpmath.workdps(40):
        reference = exact_leaf(mpmath.mpf(y))
        probability = mpmath.exp(reference)
    assert abs(values[0] - reference) <= 1e-14 * abs(reference) + rounding
    # each derivative is a sum of one term per end, sized weight x position, that may cancel
    weight = float(mpmath.exp(-end * end / 2 - reference)) / sigma
    sizes = {"kappa": weight, "variance": weight * (abs(y) + kappa) / variance}
    for symbol, slope in zip(point, slopes[:, 0], strict=True):
        derivative = exact(expr.args[0].diff(symbol), at) / probability
        error = 4 * (rounding + 4 * ULP * (1.0 + end * end)) * sizes[str(symbol)]
        assert abs(slope - derivative) <= error


def test_the_growing_leaf_has_no_parameters(theory_leaves):
    compiled = compile_leaf(theory_leaves["growing"])
    y = np.linspace(-30.0, 30.0, 61)
    values = compiled.values(y, np.empty(0))
    assert compiled.parameters == ()
    assert compiled.derivatives(y, values, np.empty(0)).shape == (0, 61)
    assert values == pytest.approx(np.logaddexp(y, -y), rel=1e-15)


def test_the_leaves_are_even(theory_leaves):
    y = np.linspace(0.0, 12.0, 97)
    for parameters in ((1.0, 0.02), (0.25, 0.5), (5.0, 1.0)):
        left = falling_at(theory_leaves, -y, *parameters)
        right = falling_at(theory_leaves, y, *parameters)
        np.testing.assert_array_equal(left[2], right[2])
        np.testing.assert_allclose(left[3], right[3], rtol=1e-12, atol=1e-14)
