"""Generated leaves equal the derived ones and their symbolic derivatives, wherever doubles reach."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Lambda, Symbol, cosh, exp, log

from numerics.nests.leaf import compile_leaf

ULP = 2.0**-52


def log_positive(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


MARGIN, VARIANCE, GAMMA, LEVEL = (
    st.floats(-2.0, 2.0),
    log_positive(1e-4, 1.0),
    log_positive(0.01, 3.0),
    st.floats(-3.0, 3.0),
)
PARAMETERS = {
    "one-sided": (MARGIN, VARIANCE),
    "union": (st.floats(0.2, 2.0), log_positive(1e-3, 1.0)),
    "absolute": (log_positive(1e-3, 1e4), log_positive(1e-8, 1.0)),
    "hinge": (log_positive(1e-3, 1e4), log_positive(1e-8, 1.0)),
    "soft one-sided": (log_positive(0.1, 200.0), GAMMA, MARGIN, VARIANCE),
    "soft window": (log_positive(0.1, 200.0), GAMMA, st.floats(0.1, 2.0), VARIANCE),
    "soft union": (log_positive(0.1, 200.0), GAMMA, st.floats(0.1, 2.0), VARIANCE),
    "logistic": (st.floats(-30.0, 30.0),),
    "levels": (LEVEL,) * 4,
    "linear": (LEVEL, LEVEL),
}


@pytest.mark.parametrize("name", PARAMETERS)
@given(data=st.data(), y=st.floats(-10.0, 10.0))
@settings(max_examples=8)
def test_generated_code_is_the_leaf_and_its_derivatives(leaf_case, exact_values, name, data, y):
    """To the rounding of the field and the parameters, and of the logarithm of a sum times its factor."""
    parameters = [data.draw(strategy) for strategy in PARAMETERS[name]]
    case = leaf_case(name, *parameters)
    scale = 1.0 / parameters[0] if "c" in case.leaf.parameters else 1.0
    at = np.array([y])
    values = case.leaf.values(at, case.parameters)
    slopes = case.leaf.derivatives(at, values, case.parameters)[:, 0]
    x, step = mpmath.mpf(y), mpmath.mpf(10) ** -16
    with mpmath.workdps(40):
        reference = case.exact(x)
        along = float((case.exact(x + step) - case.exact(x - step)) / (2 * step))
        exact = []
        for k, p in enumerate(parameters):
            near, ends = list(map(mpmath.mpf, parameters)), []
            for sign in (1, -1):
                near[k] = mpmath.mpf(p) + sign * step
                ends.append(exact_values(name, *near)(x))
            exact.append(float((ends[0] - ends[1]) / (2 * step)))
    rounding = abs(y * along) + sum(abs(p * d) for p, d in zip(parameters, exact, strict=True))
    assert abs(values[0] - reference) <= 8 * ULP * (abs(reference) + scale + rounding)
    for p, slope, derivative in zip(parameters, slopes, exact, strict=True):
        size = abs(derivative) + (abs(float(reference)) + scale + rounding) / max(abs(p), 1e-3)
        assert abs(slope - derivative) <= 1e-12 * size


@pytest.mark.parametrize("c", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("variance", [1e-8, 1e-3, 1.0])
def test_a_lifted_modulus_stays_finite_and_convex(leaf_case, c, variance):
    """From |h| = 0 to 1e5/c, and never below its limit of small c, E|h + sqrt(v) U|, up to rounding."""
    case = leaf_case("absolute", c, variance)
    y = np.concatenate(([0.0], np.geomspace(1e-9, 1e5 / c, 300)))
    f = case.leaf.values(y, case.parameters)
    assert np.isfinite(f).all()
    assert np.isfinite(case.leaf.derivatives(y, f, case.parameters)).all()
    noise = 4 * ULP * (1.0 / c + f)
    assert (f >= y - noise).all()
    assert (f <= y + math.sqrt(variance) + 0.5 * c * variance + noise).all()
    assert (np.diff(f) >= -noise[1:]).all()


def test_small_exponents_cost_digits_as_one_over_c(leaf_case):
    """As c -> 0 the leaf tends to E|h + sqrt(v) U|, with c Var/2 and 1e-16/c as the distance."""
    v, y = 0.3, np.linspace(-2.0, 2.0, 41)
    width = math.sqrt(v)
    erf = np.vectorize(math.erf)
    limit = y * erf(y / (width * math.sqrt(2.0)))
    limit += width * math.sqrt(2.0 / math.pi) * np.exp(-(y**2) / (2.0 * v))
    for c in (1e-2, 1e-4, 1e-6, 1e-8):
        case = leaf_case("absolute", c, v)
        distance = np.abs(case.leaf.values(y, case.parameters) - limit).max()
        assert distance <= 0.5 * c * v * 1.001 + 8 * ULP / c


def test_the_union_is_deep_at_the_origin(leaf_case):
    """Log P of twenty thousand standard deviations: -(kappa/sigma)^2/2 - log(kappa/sigma) + .."""
    case = leaf_case("union", 1.0, 0.5e-4)
    (value,) = case.leaf.values(np.zeros(1), case.parameters)
    z = 1.0 / math.sqrt(0.5e-4)
    assert value == pytest.approx(-z * z / 2 - math.log(z * math.sqrt(math.pi / 2)), abs=1.0 / z)


# -- intervals, as before --------------------------------------------------------------------------


@given(
    kappa=st.floats(0.05, 5.0),
    variance=st.floats(-9.0, 0.0).map(math.exp),
    deviations=st.floats(-60.0, 60.0),
)
@example(kappa=1.0, variance=0.02, deviations=60.0)
@example(kappa=5.0, variance=0.1, deviations=0.0)
@example(kappa=5.0, variance=0.001, deviations=-1.0)
@settings(max_examples=40)
def test_probabilities_of_intervals_far_out(leaf_case, exact_values, kappa, variance, deviations):
    """At a field as far out as 60 standard deviations of the Gaussian beyond the interval's end."""
    sigma = math.sqrt(variance)
    y = math.copysign(kappa, deviations) + deviations * sigma
    case = leaf_case("falling", kappa, variance)
    values = case.leaf.values(np.array([y]), case.parameters)
    slopes = case.leaf.derivatives(np.array([y]), values, case.parameters)[:, 0]
    # the interval's nearer end in units of sigma rounds, and the logarithm is its square
    end = (abs(y) - kappa) / sigma
    rounding = 4 * ULP * (1.0 + (abs(y) + kappa) / sigma) * (1.0 + abs(end))
    x = mpmath.mpf(y)
    with mpmath.workdps(40):
        reference = case.exact(x)
        exact = []
        for k in (0, 1):
            step = mpmath.mpf((kappa, variance)[k]) * mpmath.mpf(10) ** -12
            near = [[mpmath.mpf(kappa), mpmath.mpf(variance)] for _ in (0, 1)]
            near[0][k] += step
            near[1][k] -= step
            ends = [exact_values("falling", *p)(x) for p in near]
            exact.append((ends[0] - ends[1]) / (2 * step))
    assert abs(values[0] - reference) <= 1e-14 * abs(reference) + rounding
    # each derivative is a sum of one term per end, sized weight x position, that may cancel
    weight = float(mpmath.exp(-end * end / 2 - reference)) / sigma
    for slope, derivative, size in zip(
        slopes, exact, (weight, weight * (abs(y) + kappa) / variance), strict=True
    ):
        assert (
            abs(slope - derivative) <= 4 * (rounding + 4 * ULP * (1.0 + end * end)) * size + 1e-300
        )


def test_the_growing_leaf_has_no_parameters(theory_leaves):
    compiled = compile_leaf(theory_leaves["growing"])
    y = np.linspace(-30.0, 30.0, 61)
    values = compiled.values(y, np.empty(0))
    assert compiled.parameters == ()
    assert compiled.derivatives(y, values, np.empty(0)).shape == (0, 61)
    assert values == pytest.approx(np.logaddexp(y, -y), rel=1e-15)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("falling", (1.0, 0.02)),
        ("falling", (5.0, 1.0)),
        ("union", (1.0, 0.1)),
        ("absolute", (3.0, 0.2)),
        ("soft window", (2.0, 0.3, 0.7, 0.1)),
        ("soft union", (2.0, 0.3, 0.7, 0.1)),
    ],
    ids=str,
)
def test_even_leaves_are_even(leaf_case, name, parameters):
    case = leaf_case(name, *parameters)
    assert case.leaf.even
    y = np.linspace(0.0, 12.0, 97)
    right, left = (case.leaf.values(side * y, case.parameters) for side in (1.0, -1.0))
    np.testing.assert_allclose(left, right, rtol=2e-15, atol=1e-15)
    slopes = [case.leaf.derivatives(s * y, f, case.parameters) for s, f in ((1, right), (-1, left))]
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-11, atol=1e-13)


# -- the compiler ----------------------------------------------------------------------------------


def test_leaves_are_compiled_once():
    h = Symbol("h")
    leaf = Lambda(h, log(2 * cosh(h)))
    assert compile_leaf(leaf) is compile_leaf(Lambda(h, log(2 * cosh(h))))


def test_parameters_are_named_and_ordered():
    h, z, a = Symbol("h"), Symbol("z_2", real=True), Symbol("alpha", positive=True)
    assert compile_leaf(Lambda(h, log(exp(z * h) + a))).parameters == ("alpha", "z_2")


def test_leaves_without_a_stable_form_are_refused():
    h = Symbol("h", real=True)
    with pytest.raises(ValueError, match=r"no stable form is known for the leaf exp\(h\)"):
        compile_leaf(Lambda(h, exp(h)))


def test_leaves_that_grow_too_fast_are_refused_when_they_are_used():
    h = Symbol("h", real=True)
    leaf = compile_leaf(Lambda(h, h**2))
    with pytest.raises(ValueError, match="grows faster than linearly"):
        leaf.facts(np.empty(0))
