"""Functionals at finite exponents: ground states, and capacities of continuous x."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Expr,
    Lambda,
    Max,
    Rational,
    S,
    Symbol,
    erf,
    exp,
    expand_log,
    integrate,
    log,
    oo,
    pi,
    simplify,
    sqrt,
    symbols,
)

from theory import (
    ABP,
    ALPHA,
    SBP,
    SK,
    BinaryPrior,
    Constraint,
    GaussianExpectation,
    Hopfield,
    LiftedExpectation,
    Model,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
    parameter,
    random_dual,
)
from theory.thresholds.finite_exponents import (
    finite_functional,
    outermost_multipliers,
    quadratic_nest,
)

KAPPA = Symbol("kappa", real=True)
EVERY = [
    SK(),
    Hopfield(1),
    Hopfield(-1),
    SphericalPerceptron(),
    SphericalPerceptron(alpha=ALPHA),
    ABP(alpha=ALPHA),
    SBP(alpha=ALPHA),
    UPerceptron(alpha=ALPHA),
]


def violation(kappa: Expr) -> Expr:
    u = Symbol("u", real=True)
    return GaussianExpectation(Max(kappa + u, 0) ** 2, u).doit()


# -- level 1 ---------------------------------------------------------------------------------------


def test_level_one_of_hopfield_and_sk():
    assert free_energy(Hopfield(1), 1).expr == sqrt(ALPHA) + sqrt(2 / pi)
    assert free_energy(Hopfield(-1), 1).expr == sqrt(ALPHA) - sqrt(2 / pi)
    assert free_energy(SK(), 1).expr == sqrt(2 / pi)


def test_cover_and_gardner():
    """alpha_c = 1/E max(kappa + h, 0)^2, and 2 at kappa = 0."""
    assert simplify(free_energy(SphericalPerceptron(), 1).expr * violation(KAPPA)) == 1
    assert free_energy(SphericalPerceptron(0), 1).expr == 2


def test_the_spherical_ground_state_vanishes_at_its_capacity():
    capacity = free_energy(SphericalPerceptron(), 1).expr
    energy = free_energy(SphericalPerceptron(alpha=ALPHA), 1).expr
    assert simplify(energy - (sqrt(ALPHA * violation(KAPPA)) - 1)) == 0
    for kappa in (Rational(-1, 2), 0, 1):
        at = {KAPPA: kappa}
        assert abs(energy.subs(ALPHA, capacity).subs(at).evalf(30)) < 1e-25


# -- closed forms ----------------------------------------------------------------------------------


@given(st.permutations([0, 1, 2]), st.booleans(), st.booleans())
@settings(max_examples=6)
def test_quadratic_nests_are_what_unfolding_gives(order, quenched, negative):
    """The multiplier moves by s v/2 and logarithms add up; against Gaussian integrals one by one."""
    h, x = symbols("h x", real=True)
    g = Symbol("g", positive=True)
    increments = [Rational(1, 3), Rational(1, 5), Rational(1, 7)]
    exponents = [[Rational(1, 2), S.One, Rational(5, 4)][i] for i in order]
    if quenched:
        exponents[-1] = S.Zero
    sign = -1 if negative else 1
    leaf = Lambda(h, 3 + sign * h**2 / (4 * g))
    nest = LiftedExpectation(leaf, x, increments, exponents)
    values = {g: 7, x: Rational(2, 3)}
    found = quadratic_nest(nest)
    assert found is not None
    expected = LiftedExpectation(leaf.subs(g, 7), values[x], increments, exponents).doit()
    assert abs((found.xreplace(values) - expected).evalf(30)) < 1e-25


def test_quadratic_nests_telescope():
    """gamma_k = gamma_{k-1} - c_k v_k/2 and (1/2c) log of their ratios: no square roots, no exponentials."""
    fe = free_energy(Hopfield(-1), 5)
    found = [log_.args[0] for log_ in fe.energy.atoms(log)]
    assert len(found) == 4
    assert all(not ratio.has(exp, erf) and ratio.is_rational_function() for ratio in found)


def test_other_leaves_are_left_alone():
    h = Symbol("h", real=True)
    for leaf in (abs(h), h**3, h, exp(h), h**2 + h):
        nest = LiftedExpectation(Lambda(h, leaf), S.Zero, [1], [1])
        assert quadratic_nest(nest) is None


def test_sk_without_its_outermost_overlap():
    """At q_2 = 0, which is stationary, level 2 is closed and the quenched average idle."""
    fe = free_energy(SK(), 2)
    c, q = fe.c[0], fe.q[0]
    expected = c / 4 + log(1 + erf(c / sqrt(2))) / c
    merged = fe.expr.replace(
        lambda e: isinstance(e, LiftedExpectation), lambda e: e.xreplace({q: S.Zero}).simplify()
    )
    assert simplify(merged.xreplace({q: S.Zero}) - expected) == 0


# -- structure -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", EVERY, ids=str)
@pytest.mark.parametrize("level", [2, 3, 5])
def test_order_parameters(model, level):
    fe = free_energy(model, level)
    assert [str(x) for x in fe.c] == [f"c_{k}" for k in range(2, level + 1)]
    assert [str(x) for x in fe.q] == [f"q_{k}" for k in range(2, level + 1)]
    assert len(fe.p) == (0 if model.constraint is None else len(fe.q))
    assert fe.expr.free_symbols <= {
        *fe.order_parameters,
        KAPPA,
        ALPHA,
        Symbol("kappa", positive=True),
    }
    assert fe.symbol == ("alpha" if model.alpha is None and model.name == "spherical" else "xi")
    # the exponents come in any order: each is a chain of its own
    assert all(any(chain.symbols == (x,) for chain in fe.chains) for x in fe.c)
    assert fe.steps[0].title == "Random dual"
    assert fe.steps[-1].title in ("Energy", "Capacity")


@pytest.mark.parametrize("model", EVERY, ids=str)
def test_equal_exponents_embed_a_level_in_the_next(model):
    """c_3 = c_2 merges the two innermost liftings of the dual, whatever p_2 and q_2: they drop out."""
    low, high = random_dual(model, 2), random_dual(model, 3)
    merged = normal(high.xi.xreplace({high.c[1]: high.c[0]}))
    shifted = dict(zip((*low.p, *low.q), (*high.p[1:], *high.q[1:]), strict=True))
    assert (merged - normal(low.xi.xreplace(shifted))).expand() == 0


def normal(expr: Expr) -> Expr:
    return expr.replace(lambda e: isinstance(e, LiftedExpectation), lambda e: e.normal())


@pytest.mark.parametrize("model", [Hopfield(1), Hopfield(-1)], ids=str)
def test_stationarity_is_the_derivative(model):
    """In p_2 and gamma at level 2, by central differences of theory's own program."""
    fe = free_energy(model, 2)
    point = {x: Rational(4, 10 + k) for k, x in enumerate(fe.order_parameters)}
    point |= {x: Rational(3, 2) for x in fe.fields} | {ALPHA: Rational(1, 2)}
    slopes = fe.stationarity()
    assert list(slopes) == list(fe.order_parameters)
    # the x nest depends on neither p_2 nor gamma
    constant = fe.expr.replace(lambda e: isinstance(e, LiftedExpectation), lambda e: S.One)
    for x in (fe.p[0], *fe.fields):
        step = Rational(1, 10**8)
        up, down = (constant.subs(point | {x: point[x] + k * step}).evalf(40) for k in (1, -1))
        slope = slopes[x]
        assert not slope.has(LiftedExpectation)
        assert abs(slope.subs(point).evalf(30) - (up - down) / (2 * step)) < 1e-14


def test_text_and_python_of_a_ground_state():
    fe = free_energy(SK(), 3)
    text = fe.text()
    assert "xi, stationary in q_2, q_3, c_2, c_3" in text
    assert "f_3(x) = (1/c_3) log E exp(c_3 f_2(x + sqrt(q_2 - q_3)*U))" in text
    assert "alpha" not in text
    assert r"\xi &= f_{4}" in fe.latex()
    names: dict = {}
    exec(fe.python(), names)
    assert "xi" in names


def test_a_model_in_a_few_lines():
    """Half-open windows: neither even nor one-sided; capacity and energy come by themselves."""

    @dataclass(frozen=True)
    class Window(Constraint):
        kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009

        def leaf(self, h, gamma):
            return Max(-h, h - self.kappa, 0) ** 2 / (4 * gamma)

    capacity = free_energy(Model("window", BinaryPrior(), Window(1)), 2)
    energy = free_energy(Model("window", BinaryPrior(), Window(1), alpha=2), 2)
    assert capacity.symbol == "alpha"
    assert energy.symbol == "xi"
    assert len(capacity.p) == 1, "a window beside 0 is not even"


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Hopfield(1, 0), ValueError, "alpha must be a positive number, got 0"),
        (lambda: Hopfield(1, -2), ValueError, "alpha must be a positive number"),
        (lambda: Hopfield(0, 1), ValueError, "sign must be -1 or \\+1, got 0"),
        (lambda: Hopfield(1, float("nan")), ValueError, "finite"),
        (lambda: SphericalPerceptron("x"), ValueError, "kappa must be a number"),
        (lambda: ABP(float("inf")), ValueError, "finite"),
        (lambda: Model("m", BinaryPrior(), None, alpha=1), ValueError, "no alpha"),
        (lambda: free_energy(ABP(0), 1), ValueError, "use level >= 2"),
        (lambda: free_energy(SK(), 0), ValueError, "level must be at least 1"),
        (lambda: free_energy(SK(), 10**6), ValueError, "level must be at most 200, got 1000000"),
    ],
)
def test_bad_input(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_an_unintegrable_leaf_is_refused():
    @dataclass(frozen=True)
    class Quartic(Constraint):
        def leaf(self, h, gamma):
            return h**4 / gamma

    with pytest.raises(ValueError, match="no closed form for the innermost lifting"):
        finite_functional(Model("quartic", BinaryPrior(), Quartic(), alpha=1), 2)


def test_liftings_multiply_a_fugacity_by_the_mean_of_their_exponential():
    """Of the weight w exp(h) of x = 1, each lifting v, s of (E (.)^s)^(1/s): by integration."""
    fe = free_energy(ZeroOnePerceptron(), 3)
    (nest,) = fe.entropy.atoms(LiftedExpectation)
    ((fugacity, left),) = outermost_multipliers(fe).items()
    u, s, v = Symbol("u", real=True), Symbol("s", positive=True), Symbol("v", positive=True)
    mean = integrate(exp(s * sqrt(v) * u - u**2 / 2) / sqrt(2 * pi), (u, -oo, oo))
    one = simplify(expand_log(log(mean), force=True) / s)  # with s = 0 as its limit
    grown = sum(
        one.subs({s: exponent, v: increment}, simultaneous=True)
        for increment, exponent in zip(nest.increments, nest.exponents, strict=True)
    )
    assert simplify(expand_log(log(left / fugacity), force=True) - grown) == 0


def test_what_liftings_leave_of_a_spheres_multiplier_is_where_its_nest_ends():
    """Inside out: E exp(s h^2/(4 g)) exists for s v < 2 g, and leaves g - s v/2."""
    fe = free_energy(SphericalPerceptron(), 3)
    left = outermost_multipliers(fe)
    (gamma,) = (x for x in left if str(x) == "gamma_x")
    dual = random_dual(fe.model.generic, fe.level)
    numbers = {x: Rational(3 + i, 20 + 3 * i) for i, x in enumerate(fe.order_parameters)}
    expected = gamma
    for v, s in zip(dual.x.increments, dual.x.exponents, strict=True):
        expected -= v * s / 2
    zero = {x: S.Zero for x in (*dual.p, *dual.q) if x not in fe.order_parameters}
    assert (left[gamma] - expected.xreplace(zero)).subs(numbers) == 0
