"""Limits: level 2, the outermost exponent to infinity, the margin to zero."""

from itertools import pairwise

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Lambda,
    Limit,
    Symbol,
    cosh,
    erf,
    expand,
    lambdify,
    limit,
    log,
    oo,
    simplify,
    sqrt,
    symbols,
)

from theory import SBP, LiftedExpectation, free_energy
from theory.thresholds.asymptotics import (
    FIELD,
    binary_entropy,
    infinite_exponent_limit,
    level_two,
    small_kappa_constant,
    vanishes_between_0_and_1,
)

KAPPA = Symbol("kappa", positive=True)


def namespace(fe):
    """Return the names of the generated module."""
    names = {}
    exec(fe.python(), names)
    return names


def test_level_two():
    assert level_two(SBP()).expr == -log(2) / log(erf(KAPPA / sqrt(2)))


# -- s -> infinity -------------------------------------------------------------------------------


def test_level_three_is_a_centre_and_its_leaves():
    fe = infinite_exponent_limit(free_energy(SBP(), 3))
    (p,) = fe.order_parameters
    probability = erf(KAPPA / sqrt(2 * (1 - p)))  # Prob(|V| <= kappa/sqrt(1 - p))
    expected = binary_entropy((1 + sqrt(p)) / 2) / (-log(probability))
    assert simplify(fe.expr - expected) == 0
    assert [str(c) for c in fe.chains] == ["1 > p_2 > 0"]


def test_elimination_of_the_field_at_level_three():
    """max_H [log 2cosh H - H m] ... is stationary at tanh H = m, where it is the entropy."""
    m = Symbol("m", positive=True)
    root = log((1 + m) / (1 - m)) / 2
    value = log(2 * cosh(FIELD)) - FIELD * m
    assert simplify(value.diff(FIELD).subs(FIELD, root).rewrite("exp")) == 0
    assert vanishes_between_0_and_1(value.subs(FIELD, root) - binary_entropy((1 + m) / 2), m)
    assert not vanishes_between_0_and_1(value.subs(FIELD, root) - binary_entropy(m), m)


@pytest.mark.parametrize("level", range(4, 9))
def test_form_at_higher_levels(level):
    full, fe = free_energy(SBP(), level), infinite_exponent_limit(free_energy(SBP(), level))
    p, q, s = full.p, full.q[:-1], full.c[:-1]
    assert (fe.p, fe.q, fe.c, fe.fields) == (p, q, s, (FIELD,))
    assert fe.order_parameters == (*p, *q, *s, FIELD)
    assert str(fe.chains[-1]) == "H > 0"
    h = Symbol("h", real=True)
    s_all = (1, *s)
    nest_x = LiftedExpectation(
        Lambda(h, log(2 * cosh(h))), FIELD, [a - b for a, b in zip(q, (*q[1:], 0), strict=True)], s
    )
    entropy = (
        -q[0] / 2
        - sum(q[i] * p[i] * (s_all[i + 1] - s_all[i]) for i in range(len(q))) / 2
        - FIELD * sqrt(p[-1])
        + nest_x
    )
    assert expand(fe.entropy - entropy) == 0
    increments = [a - b for a, b in pairwise(p)]
    assert fe.energy == LiftedExpectation(full.energy.leaf, 0, increments, s)


def test_r_is_eliminated_at_its_stationary_point():
    big_r, p = Symbol("R", positive=True), Symbol("p_3", positive=True)
    steps = {s.title: s.expression for s in infinite_exponent_limit(free_energy(SBP(), 4)).steps}
    equation = steps["Eliminate R"]
    assert (equation.lhs, equation.rhs) == (big_r, FIELD / sqrt(p))
    before = -big_r * p / 2 - FIELD**2 / (2 * big_r)
    assert simplify(before.diff(big_r).subs(big_r, equation.rhs)) == 0
    assert simplify(before.subs(big_r, equation.rhs) + FIELD * sqrt(p)) == 0


def test_coupling_limit_is_a_limit():
    steps = {s.title: s.expression for s in infinite_exponent_limit(free_energy(SBP(), 4)).steps}
    (own,) = steps["s_3 -> infinity, x nest"].lhs.atoms(Limit)
    s, p, big_r = symbols("s_3 p_3 R", positive=True)
    assert limit(own.args[0].expand(), s, oo).has(big_r * p)


def test_laplace_for_a_quadratic_leaf_in_closed_form():
    """(1/s) log E exp(s f(sqrt(R/s) U)) -> max_H f(H) - H**2/(2 R) for f = b h - a h**2."""
    h = Symbol("h", real=True)
    a, b, big_r, s = symbols("a b R s", positive=True)
    finite = LiftedExpectation(Lambda(h, b * h - a * h**2), 0, (big_r / s,), (s,)).doit()
    top = b / (2 * a + 1 / big_r)
    exact = b * top - a * top**2 - top**2 / (2 * big_r)
    assert simplify(limit(finite, s, oo) - exact) == 0


def halves(errors):
    """Whether errors fall by half from one to the next, as 1/s does when s doubles."""
    return all(1.8 < before / after < 2.2 for before, after in pairwise(errors))


@pytest.mark.parametrize("p", [0.5, 0.7])
def test_finite_exponents_approach_the_limit(p):
    """Level 3, Q_2 = R/s, R stationary: Ent like 1/s, En like -log(s)/(2 s) (a determinant)."""
    finite = namespace(free_energy(SBP(1), 3))["parts"]
    exact = namespace(infinite_exponent_limit(free_energy(SBP(1), 3)))["parts"](p)
    big_r = mpmath.atanh(mpmath.sqrt(p)) / mpmath.sqrt(p)
    exponents = (80, 160, 320, 640)
    found = [finite(p, big_r / s, s) for s in exponents]
    assert halves([abs(parts[0] - exact[0]) for parts in found])
    scaled = [s * (exact[1] - parts[1]) for s, parts in zip(exponents, found, strict=True)]
    growth = [after - before for before, after in pairwise(scaled)]
    assert growth[-1] == pytest.approx(mpmath.log(2) / 2, rel=0.02)
    assert abs(growth[-1] - mpmath.log(2) / 2) < abs(growth[0] - mpmath.log(2) / 2)


@pytest.mark.long
def test_finite_exponents_approach_the_limit_at_level_four(quadrature):
    """With a nest left: Laplace's maximum over the field of f(H) - H**2/(2 R), f = f_2.

    The field is stationary, f'(H) = sqrt(p_3) and R = H/sqrt(p_3).
    """
    p_2, p_3, q_2, s_2 = map(mpmath.mpf, ("0.9", "0.5", "0.5", "1.5"))

    def log2cosh(h):
        return mpmath.log(2 * mpmath.cosh(h))

    def f(x):
        return quadrature.nest(log2cosh, x, [q_2], [s_2])

    root = mpmath.sqrt(p_3)
    field = mpmath.findroot(lambda h: mpmath.diff(f, h, h=1e-5) - root, 0.8, tol=1e-9)
    exact = namespace(infinite_exponent_limit(free_energy(SBP(1), 4)))["parts"]
    limit_entropy = exact(p_2, p_3, q_2, s_2, field)[0]
    big_r = field / root
    errors = []
    for s in (20, 40, 80):
        small = big_r / s  # Q_3; Q_2 - Q_3 keeps its width as in the limit
        coupling = -(q_2 + small) * (1 + p_2 * (s_2 - 1)) / 2 - small * p_3 * (s - s_2) / 2
        # the outer nest by a sum over the field, on a grid around both maxima of the weight
        nodes = [mpmath.mpf(i) / 20 for i in range(-80, 81)]
        terms = [s * (f(h) - h**2 / (2 * big_r)) for h in nodes]
        top = max(terms)
        density = mpmath.sqrt(s / (2 * mpmath.pi * big_r)) / 20
        outer = (top + mpmath.log(density * mpmath.fsum(mpmath.exp(t - top) for t in terms))) / s
        errors.append(abs(coupling + outer - limit_entropy))
    assert halves(errors)


def test_limit_needs_an_exponent():
    with pytest.raises(ValueError, match="no outermost exponent"):
        infinite_exponent_limit(free_energy(SBP(), 2))


def test_limit_of_a_numeric_model():
    fe = infinite_exponent_limit(free_energy(SBP("0.3"), 3))
    symbolic = infinite_exponent_limit(free_energy(SBP(), 3))
    assert fe.expr == symbolic.expr.subs(KAPPA, SBP("0.3").kappa)


# -- kappa -> 0 ----------------------------------------------------------------------------------


@pytest.mark.long
def test_small_margin_constant_symbolically():
    constant = small_kappa_constant()
    t = constant.t
    assert simplify(constant.objective + t**2 * log(erf(t / sqrt(2)))) == 0
    assert simplify(constant.expression - 2 * sqrt(constant.objective)) == 0
    assert simplify(constant.stationarity.lhs - constant.objective.diff(t)) == 0
    assert [s.title for s in constant.steps][-4:] == [
        "kappa -> 0, entropy",
        "kappa -> 0, energy",
        "Invert",
        "Maximise",
    ]


@pytest.mark.long
def test_small_margin_constant_to_fifty_digits():
    value = small_kappa_constant(50).value
    assert mpmath.nstr(value, 5) == "1.2385"
    with mpmath.workdps(70):
        finer = small_kappa_constant().evaluate(65)
        assert abs(value - finer) < mpmath.mpf(10) ** -49
        # independently: the maximum by golden sections of the objective on a fine grid
        best = max(
            -((mpmath.mpf(i) / 1000) ** 2)
            * mpmath.log(mpmath.erf(mpmath.mpf(i) / 1000 / mpmath.sqrt(2)))
            for i in range(500, 1500)
        )
        assert 0 < finer - 2 * mpmath.sqrt(best) < 1e-6


@given(st.floats(0.2, 3))
@settings(max_examples=20)
def test_the_constant_is_the_maximum(t):
    constant = small_kappa_constant()
    value = lambdify(constant.t, constant.expression, "mpmath")(mpmath.mpf(t))
    assert value <= constant.value + mpmath.mpf(10) ** -14


def test_small_margins_approach_the_constant():
    """Kappa sqrt(-log alpha / alpha) -> C with corrections of order 1/log(1/kappa)."""
    fe = infinite_exponent_limit(free_energy(SBP(), 3))
    alpha = namespace(fe)["alpha"]
    constant = small_kappa_constant()
    gaps = []
    with mpmath.workdps(60):
        for exponent in (4, 8, 16):
            kappa = mpmath.mpf(10) ** -exponent
            values = [alpha(1 - (kappa / t) ** 2, kappa) for t in mpmath.linspace(0.6, 2, 57)]
            best = min(values)
            ratio = kappa * mpmath.sqrt(-mpmath.log(best) / best)
            gaps.append(abs(ratio - constant.value) * mpmath.log(1 / kappa))
    # log log corrections: the gap times log(1/kappa) grows no faster than log log
    assert max(gaps) < 3


@pytest.mark.parametrize(
    ("bad", "error"), [(0, ValueError), (10**6, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_settle_are_checked(bad, error):
    with pytest.raises(error, match="digits"):
        small_kappa_constant(bad)
    with pytest.raises(error, match="digits"):
        small_kappa_constant().evaluate(bad)
