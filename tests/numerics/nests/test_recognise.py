"""Leaves as theory derives them have stable forms that mean the same; what has none is refused."""

from __future__ import annotations

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Symbol, cosh, erf, exp, log, sinh, sqrt

from numerics.nests.recognise import stable_form
from numerics.nests.stable import LogAddExp, LogErfMean, LogNdtr, LogTwoCosh, definition
from theory import LiftedExpectation, free_energy
from theory.thresholds.models import ABP, SBP, SK, SphericalPerceptron, UPerceptron

H = Symbol("h", real=True)
A, B = Symbol("a", real=True), Symbol("b", positive=True)

NAMES = [
    "growing", "falling", "one-sided", "union", "absolute", "hinge", "soft one-sided", "soft window",
    "soft union", "logistic", "levels", "linear",
]  # fmt: skip
EVEN = {"growing", "falling", "union", "absolute", "soft window", "soft union"}


def agree(first: sympy.Expr, second: sympy.Expr, values: dict) -> bool:
    names = list(values)
    with mpmath.workdps(80):
        at = [mpmath.mpf(x) for x in values.values()]
        one, two = (sympy.lambdify(names, e, "mpmath")(*at) for e in (first, second))
        return abs(one - two) < mpmath.mpf(10) ** -50 * (1 + abs(one))


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@given(st.data())
@settings(max_examples=5)
def test_theorys_leaves_have_a_stable_form_that_means_the_same(theory_leaves, name, data):
    leaf = theory_leaves[name](H)
    form = stable_form(leaf, H)
    assert not form.expr.atoms(erf, log) - {e for e in form.expr.atoms(log) if not e.has(H)}
    symbols = sorted(leaf.free_symbols, key=str)
    values = {x: data.draw(st.floats(0.2, 2.0)) for x in symbols}
    assert agree(definition(form.expr), leaf, values)


@pytest.mark.parametrize("name", NAMES)
def test_evenness_is_proved(theory_leaves, name):
    assert stable_form(theory_leaves[name](H), H).is_even == (name in EVEN)


@pytest.mark.parametrize("name", NAMES)
def test_the_terms_are_positive_and_add_up(theory_leaves, name):
    """``f = scale log(sum exp(term)) + offset``, each term a logarithm of something positive."""
    leaf = theory_leaves[name](H)
    form = stable_form(leaf, H)
    symbols = sorted(leaf.free_symbols, key=str)
    values = dict.fromkeys(symbols, Rational(7, 10))
    terms = [definition(term.logarithm).subs(values).evalf(30) for term in form.terms]
    assert all(term.is_real for term in terms)
    assert form.scale.is_positive
    total = form.scale * log(sympy.Add(*map(exp, terms))) + form.offset
    assert total.subs(values).evalf(20) == pytest.approx(leaf.subs(values).evalf(20), abs=1e-15)


@pytest.mark.parametrize(
    ("model", "level"),
    [(SBP(), 3), (ABP(), 3), (UPerceptron(), 3), (SK(), 3), (ABP(alpha=1), 2), (SphericalPerceptron(), 2)],
    ids=str,
)  # fmt: skip
def test_every_nest_of_every_model_has_one(model, level):
    """With the gaps of the order parameters in place of differences, as the evaluator compiles them."""
    from numerics.functionals.coordinates import Coordinates

    fe = free_energy(model, level)
    gaps = Coordinates(fe.chains).substitution(from_above=True)
    nests = fe.expr.atoms(LiftedExpectation)
    assert nests
    for nest in nests:
        stable_form(nest.leaf(H).subs(gaps, simultaneous=True), H)


def test_forms_are_the_simple_ones(theory_leaves):
    assert stable_form(log(2 * cosh(H)), H).expr == LogTwoCosh(H)
    assert isinstance(stable_form(theory_leaves["falling"](H), H).expr, LogErfMean)
    assert isinstance(stable_form(theory_leaves["one-sided"](H), H).expr, LogNdtr)
    union = stable_form(theory_leaves["union"](H), H).expr
    assert isinstance(union, LogAddExp)
    assert all(isinstance(e, LogNdtr) for e in union.args)


def test_roots_stay_exact(theory_leaves):
    """A tail's argument is a product with h - kappa, where nothing cancels for h next to kappa."""
    (b,) = stable_form(theory_leaves["one-sided"](H), H).expr.args
    kappa = next(x for x in b.free_symbols if str(x) == "kappa")
    assert (H - kappa) in b.args


@pytest.mark.parametrize(
    "expr",
    [
        3 * log(exp(H) + 2) / B + H - B * H**2 + 2,
        (H + log(1 + exp(-2 * H))) / B - 1,
        log(cosh(B * H)),
        log(5 * cosh(2 * H)) / 2,
        log(cosh(H) + 3 + sinh(H)),
        log((1 + erf(H / B)) * (exp(H) + exp(-H)) * B),
        log(erf(H) - erf(H - 1)),
        log(2 + erf(H) - erf(H - B) / 3),
        A * H + B,
        -B * H**2 + A * H,
    ],
    ids=str,
)
def test_scales_polynomials_and_constants_are_absorbed(expr):
    """Factors, summands, hyperbolic functions, products of sums."""
    form = stable_form(expr, H)
    for h, b in ((-1.7, 0.4), (0.0, 1.3), (0.9, 2.0)):
        values = {x: {"h": h, "b": b, "a": -0.7}[str(x)] for x in expr.free_symbols}
        assert agree(definition(form.expr), expr, values)


def test_several_intervals_are_paired():
    """The measure of two intervals, error functions in any order and sign."""
    v = Symbol("v", positive=True)

    def interval(low, high):
        return (erf((high - H) / sqrt(2 * v)) - erf((low - H) / sqrt(2 * v))) / 2

    form = stable_form(log(interval(1, 2) + interval(-3, 0) / 4), H)
    assert sorted(len(term.arguments) for term in form.terms) == [2, 2]
    half_line = (1 - erf((2 - H) / sqrt(2 * v))) / 2
    form = stable_form(log(half_line + interval(-3, 0)), H)
    assert sorted(len(term.arguments) for term in form.terms) == [1, 2]


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        (exp(H), "not a logarithm"),
        (log(erf(H)), "not a sum of terms that are known to be positive"),
        (log(exp(H) - 1), "not a sum of terms|not known to be positive"),
        (log(1 + A * exp(H)), "not known to be positive|not a sum of terms"),
        (log(1 + erf(H**2)), "not linear"),
        (log(1 + exp(H**3)), "degree two"),
        (log(1 + H * exp(H)), "not an exponential times"),
        (log(1 + exp(H)) + log(2 + exp(H)), "more than one logarithm"),
        (log(1 + exp(H)) ** 2, "not linear in its logarithm"),
        (A * log(1 + exp(H)), "not known to be positive"),
        (log(erf((H + A) / 2) - erf((H - A) / 2)), "known to be positive"),
    ],
    ids=str,
)
def test_unknown_leaves_are_refused(expr, why):
    with pytest.raises(ValueError, match=why) as caught:
        stable_form(expr, H)
    message = str(caught.value)
    assert "no stable form is known for the leaf" in message
    assert "add one to numerics.nests.recognise" in message
    assert str(expr) in message
    assert "\n" not in message
