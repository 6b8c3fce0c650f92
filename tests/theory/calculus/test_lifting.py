"""The calculus of nests: every fact of the lifted expectation, proved or checked by quadrature."""

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Function,
    Integral,
    Lambda,
    Symbol,
    cosh,
    diff,
    exp,
    expand,
    integrate,
    lambdify,
    latex,
    log,
    oo,
    pi,
    simplify,
    sin,
    sqrt,
    symbols,
    sympify,
    tanh,
)

from theory import GaussianExpectation, GibbsAverage, LiftedExpectation
from theory.calculus.evenness import parity
from theory.calculus.lifting import unfolded

h, x, y = symbols("h x y", real=True)
v, w, s, t, a, c, lam = symbols("v w s t a c lambda", positive=True)
g, phi = Function("g", real=True), Function("phi", real=True)
LEAF = Lambda(h, g(h))
ONE = LiftedExpectation(LEAF, x, (v,), (s,))
TWO = LiftedExpectation(LEAF, x, (v, w), (s, t))
LOG2COSH = Lambda(h, log(2 * cosh(h)))


def proved(lhs, rhs):
    """Whether simplify proves two nest expressions equal in terms of Gaussian expectations."""
    return simplify(unfolded(sympify(lhs)) - unfolded(sympify(rhs))) == 0


# -- the object ----------------------------------------------------------------------------------


def test_structure():
    assert (TWO.depth, TWO.field, TWO.leaf.expr.func) == (2, x, g)
    assert TWO.inner(2) == TWO
    assert TWO.inner(1, y) == LiftedExpectation(LEAF, y, (v,), (s,))
    assert TWO.inner(0) == g(x)
    assert TWO.free_symbols == {x, v, w, s, t}
    assert LiftedExpectation(LEAF, x, (), ()) == g(x)
    with pytest.raises(ValueError, match="no level 3"):
        TWO.inner(3)


def test_leaf_variable_is_bound():
    k = Symbol("k")
    assert LiftedExpectation(Lambda(k, g(k)), x, (v,), (s,)) == ONE
    own = LiftedExpectation(Lambda(x, g(x) + y), x, (v,), (s,))
    assert own.subs(x, 0) == LiftedExpectation(Lambda(h, g(h) + y), 0, (v,), (s,))
    captured = own.subs(y, own.bound_symbols[0])
    assert own.bound_symbols[0] in captured.free_symbols


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="2 increments but 1 exponents"):
        LiftedExpectation(LEAF, x, (v, w), (s,))
    with pytest.raises(TypeError, match="Lambda of one variable"):
        LiftedExpectation(g(h), x, (v,), (s,))
    with pytest.raises(ValueError, match="no level 4"):
        GibbsAverage(TWO, 4, LEAF)
    with pytest.raises(TypeError, match="needs a nest"):
        GibbsAverage(x, 1, LEAF)


def test_definition_unfolds_one_level():
    u = Symbol("u")
    below = TWO.inner(1, x + sqrt(w) * u)
    assert TWO.definition() == log(GaussianExpectation(exp(t * below), u)) / t
    quenched = LiftedExpectation(LEAF, x, (v,), (0,))
    assert quenched.definition() == GaussianExpectation(g(x + sqrt(v) * u), u)


def test_printing():
    assert str(ONE) == "nest[h -> g(h); v; s](x)"
    assert str(ONE.diff(x)) == "<h -> Derivative(g(h), h)>_1{nest[h -> g(h); v; s](x)}"
    assert r"\mathsf{N}_{v}^{s}" in latex(ONE)
    assert r"\left\langle" in latex(ONE.diff(x))


# -- derivatives: the rules of the nest against differentiation under the integral sign ---------


@pytest.mark.parametrize("symbol", [x, v, s])
def test_first_derivatives_depth_one(symbol):
    assert simplify(unfolded(ONE.diff(symbol)) - ONE.unfold().diff(symbol)) == 0


@pytest.mark.parametrize(
    "arguments", [(x**2 + a * x, v, s), (y, v * a, s), (y, v, s * a), (a * y, v * a, s)]
)
def test_chain_rule(arguments):
    field, variance, exponent = arguments
    nest = LiftedExpectation(LEAF, field, (variance,), (exponent,))
    assert simplify(unfolded(nest.diff(a)) - nest.unfold().diff(a)) == 0
    parts = zip((x, v, s), arguments, strict=True)
    total = sum(
        ONE.diff(z).subs({x: field, v: variance, s: exponent}, simultaneous=True) * value.diff(a)
        for z, value in parts
    )
    assert expand(nest.diff(a) - total) == 0


@pytest.mark.parametrize("symbol", [x, v, w, s, t])
def test_first_derivatives_depth_two(symbol):
    assert simplify(unfolded(TWO.diff(symbol)) - TWO.unfold().diff(symbol)) == 0


@pytest.mark.long
@pytest.mark.parametrize("first", [x, v, s])
@pytest.mark.parametrize("second", [x, v, s])
def test_second_derivatives_depth_one(first, second):
    direct = ONE.unfold().diff(first).diff(second)
    assert simplify(unfolded(ONE.diff(first).diff(second)) - direct) == 0


@pytest.mark.long
def test_second_derivatives_depth_two():
    assert simplify(unfolded(TWO.diff(x, 2)) - TWO.unfold().diff(x, 2)) == 0


def test_derivatives_with_a_quenched_outermost_average():
    nest = LiftedExpectation(LEAF, x, (v, w), (s, 0))
    for symbol in (x, v, w, s):
        assert simplify(unfolded(nest.diff(symbol)) - nest.unfold().diff(symbol)) == 0


# -- the facts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("nest", [ONE, TWO])
def test_gibbs_weights(nest):
    """A perturbed leaf moves the nest by the average of the perturbation, of total weight one."""
    eps = Symbol("epsilon", real=True)
    moved = LiftedExpectation(Lambda(h, g(h) + eps * phi(h)), x, nest.increments, nest.exponents)
    average = GibbsAverage(nest, 1, Lambda(h, phi(h)))
    assert moved.diff(eps).subs(eps, 0) == average
    assert simplify(moved.unfold().diff(eps).subs(eps, 0) - unfolded(average)) == 0
    assert GibbsAverage(nest, 1, Lambda(h, a)) == a


def test_gibbs_weight_is_the_exponential_of_the_difference():
    u = Symbol("u")
    below = x + sqrt(v) * u
    weight = exp(s * (g(below) - ONE))
    average = GaussianExpectation(phi(below) * weight, u)
    assert proved(average, GibbsAverage(ONE, 1, Lambda(h, phi(h))))
    assert proved(GaussianExpectation(weight, u), 1)


def test_heat_identity():
    curvature = GibbsAverage(ONE, 1, Lambda(h, (diff(g(h), h, 2) + s * diff(g(h), h) ** 2) / 2))
    assert simplify(ONE.unfold().diff(v) - unfolded(curvature)) == 0
    assert ONE.diff(v) == curvature
    # at depth two, in the outermost increment, with f_1' and f_1'' themselves averages
    f = TWO.inner(1, h)
    outer = GibbsAverage(TWO, 2, Lambda(h, (f.diff(h, 2) + t * f.diff(h) ** 2) / 2))
    assert simplify(TWO.unfold().diff(w) - unfolded(outer)) == 0


def test_parisi_equation():
    """D f/dv = (f'' + s (f')**2)/2 of the nest itself: the Cole-Hopf transform of the heat one."""
    assert proved(ONE.diff(v), (ONE.diff(x, 2) + s * ONE.diff(x) ** 2) / 2)


def test_second_field_derivative_is_mean_curvature_plus_variance():
    slope, curvature = Lambda(h, diff(g(h), h)), Lambda(h, diff(g(h), h, 2))
    square = Lambda(h, diff(g(h), h) ** 2)
    variance = ONE.gibbs(square) - ONE.gibbs(slope) ** 2
    assert expand(ONE.diff(x, 2) - ONE.gibbs(curvature) - s * variance) == 0
    assert simplify(ONE.unfold().diff(x, 2) - unfolded(ONE.gibbs(curvature) + s * variance)) == 0


def test_exponent_derivative_is_a_relative_entropy():
    """D f/ds = KL(tilted, Gaussian)/s**2, since the tilted density is exp(s (g - f))."""
    log_density = Lambda(h, s * (g(h) - ONE))
    entropy = GibbsAverage(ONE, 1, log_density)
    assert simplify(ONE.unfold().diff(s) - unfolded(entropy) / s**2) == 0
    assert expand(ONE.diff(s) - (ONE.gibbs(LEAF) - ONE) / s) == 0


@given(
    s=st.floats(0.1, 4),
    v=st.floats(0.05, 2),
    x=st.floats(-2, 2),
    kind=st.sampled_from(["log2cosh", "square", "sine"]),
)
@settings(max_examples=15)
def test_exponent_derivative_is_not_negative(quadrature, s, v, x, kind):
    leaf = {
        "log2cosh": lambda h: mpmath.log(2 * mpmath.cosh(h)),
        "square": lambda h: -(h**2),
        "sine": mpmath.sin,
    }[kind]
    f = quadrature.nest(leaf, x, [v], [s])
    root = mpmath.sqrt(v)

    def tilted(u):
        return leaf(x + root * u) * mpmath.exp(s * (leaf(x + root * u) - f))

    entropy = quadrature.gauss(tilted) - f
    slope = mpmath.diff(lambda z: quadrature.nest(leaf, x, [v], [z]), s, h=1e-6)
    assert entropy >= -1e-13
    assert slope == pytest.approx(entropy / s, rel=1e-5, abs=1e-9)


def test_zero_increment_is_the_identity():
    for nest, level in ((ONE, v), (TWO, w), (TWO, v)):
        at_zero = nest.unfold().subs(level, 0)
        merged = nest.subs(level, 0).simplify()
        assert simplify(at_zero - unfolded(merged)) == 0
    assert ONE.subs(v, 0).simplify() == g(x)
    assert TWO.subs(v, 0).simplify() == LiftedExpectation(LEAF, x, (w,), (t,))


@pytest.mark.parametrize(("symbol", "level"), [(v, 1), (v, 2), (w, 1), (w, 2)])
def test_averages_over_levels_without_width_are_the_identity(symbol, level):
    average = GibbsAverage(TWO, level, Lambda(h, phi(h)))
    reduced = average.subs(symbol, 0).drop_zero_increments()
    assert simplify(unfolded(average).subs(symbol, 0) - unfolded(reduced)) == 0
    assert not reduced.has(GibbsAverage) or reduced.nest.depth == 1


def test_convolution_of_gaussians_is_gaussian():
    """The semigroup property behind merging levels, by integration."""

    def density(z, variance):
        return exp(-(z**2) / (2 * variance)) / sqrt(2 * pi * variance)

    product = density(x - y, v) * density(y, w)
    convolution = integrate(expand(product.simplify()), (y, -oo, oo), conds="none")
    assert simplify(convolution - density(x, v + w)) == 0


def test_equal_exponents_merge():
    merged = TWO.subs(t, s).simplify()
    assert merged == LiftedExpectation(LEAF, x, (v + w,), (s,))
    # the partition functions: two expectations of exp(s g) against one, for a dense set of leaves
    wave = Lambda(h, a * h)
    two = LiftedExpectation(wave, x, (v, w), (s, s))
    assert simplify(two.doit() - two.simplify().doit()) == 0
    quadratic = LiftedExpectation(Lambda(h, -a * h**2), x, (v, w), (s, s))
    assert simplify(quadratic.doit() - quadratic.simplify().doit()) == 0


def test_merging_is_exact_for_any_leaf(quadrature):
    leaf = lambdify(h, log(2 * cosh(h)) + sin(h), "mpmath")
    two = quadrature.nest(leaf, mpmath.mpf("0.3"), [0.5, 0.7], [1.5, 1.5])
    one = quadrature.nest(leaf, mpmath.mpf("0.3"), [1.2], [1.5])
    assert two == pytest.approx(one, rel=1e-12)


def test_leaf_constant_shifts_the_nest():
    for nest in (ONE, TWO):
        shifted = LiftedExpectation(Lambda(h, g(h) + y), x, nest.increments, nest.exponents)
        assert proved(shifted, nest + y)
        assert shifted.simplify() == nest + y


@pytest.mark.parametrize("nest", [ONE, TWO])
def test_vanishing_exponent_is_the_quenched_average(nest):
    """Log E exp(s f) / s tends to E f: value 0 and slope E f of the logarithm at s = 0."""
    s_outer, depth = nest.exponents[-1], nest.depth
    logarithm = log(nest.partition())
    quenched = LiftedExpectation(nest.leaf, x, nest.increments, (*nest.exponents[:-1], 0))
    assert logarithm.subs(s_outer, 0).doit() == 0
    slope = logarithm.diff(s_outer).subs(s_outer, 0)
    assert simplify(slope - quenched.unfold()) == 0
    assert quenched.depth == depth


@pytest.mark.parametrize("nest", [ONE, TWO])
def test_scaling_identity(nest):
    assert proved(nest.scaled(c, lam), c * nest)
    scaled = nest.scaled(c, c)
    assert scaled.field == c * x
    assert scaled.increments == tuple(c**2 * z for z in nest.increments)
    assert scaled.exponents == tuple(z / c for z in nest.exponents)
    assert proved(nest.scaled(-c), -c * nest)


@pytest.mark.long
@given(
    v=st.lists(st.floats(0.05, 1), min_size=2, max_size=2),
    s=st.lists(st.floats(0.2, 3), min_size=2, max_size=2),
    gap=st.floats(0, 1),
)
@settings(max_examples=2)
def test_monotone_in_the_leaf(quadrature, v, s, gap):
    def below(h):
        return mpmath.tanh(h)

    def above(h):
        return mpmath.tanh(h) + gap * mpmath.exp(-(h**2))

    with mpmath.workdps(8):
        assert quadrature.nest(above, 0.2, v, s) >= quadrature.nest(below, 0.2, v, s) - 1e-7


# -- closed forms --------------------------------------------------------------------------------


def test_linear_leaf():
    nest = LiftedExpectation(Lambda(h, y * h), x, (v, w), (s, t))
    assert expand(simplify(nest.doit() - (y * x + (s * v + t * w) * y**2 / 2))) == 0


def test_quadratic_leaf():
    """A nest of a h**2: a_k = a_{k-1}/(1 - 2 a_{k-1} s_k v_k), and a sum of logarithms."""
    nest = LiftedExpectation(Lambda(h, -a * h**2), x, (v, w), (s, t))
    first = a / (1 + 2 * a * s * v)
    second = first / (1 + 2 * first * t * w)
    exact = -second * x**2 - log(1 + 2 * a * s * v) / (2 * s) - log(1 + 2 * first * t * w) / (2 * t)
    difference = simplify(nest.doit() - exact)
    assert simplify(difference.subs({s: 2, t: 3, v: 1})) == 0
    assert abs(difference.subs({s: 1.3, t: 0.7, v: 0.9, w: 1.7, a: 0.8, x: 0.6}).evalf()) < 1e-14


def test_integer_exponent_of_log_2_cosh_has_a_closed_form():
    nest = LiftedExpectation(LOG2COSH, 0, (v,), (2,))
    assert simplify(exp(2 * nest.doit()) - 2 - 2 * exp(2 * v)) == 0


def test_without_closed_form_doit_stops_where_it_has_to():
    assert TWO.doit() == TWO
    assert LiftedExpectation(LOG2COSH, x, (v,), (s,)).doit().has(LiftedExpectation)


def test_derivatives_of_log_2_cosh_against_quadrature(quadrature):
    nest = LiftedExpectation(LOG2COSH, x, (v,), (s,))
    point = {x: mpmath.mpf("0.4"), v: mpmath.mpf("0.8"), s: mpmath.mpf("1.7")}

    def value(**moved):
        at = {**{str(k): z for k, z in point.items()}, **moved}
        leaf = lambdify(h, LOG2COSH.expr, "mpmath")
        return quadrature.nest(leaf, at["x"], [at["v"]], [at["s"]])

    for symbol in (x, v, s):
        symbolic = quadrature.evaluate(unfolded(nest.diff(symbol)), point)
        numeric = mpmath.diff(lambda z, n=str(symbol): value(**{n: z}), point[symbol], h=1e-6)
        assert symbolic == pytest.approx(numeric, rel=1e-7)


# -- parity --------------------------------------------------------------------------------------


def test_parity_is_detected():
    assert parity(Lambda(h, h * tanh(h))) == 1
    assert parity(Lambda(h, h**3)) == -1
    assert parity(Lambda(h, h + 1)) is None
    even = LiftedExpectation(LOG2COSH, h, (v,), (s,))
    assert parity(Lambda(h, even)) == 1
    assert parity(Lambda(h, even.diff(h))) == -1
    assert parity(Lambda(h, LiftedExpectation(Lambda(h, exp(h)), h, (v,), (s,)))) is None


def test_odd_observables_of_an_even_nest_vanish_at_zero():
    nest = LiftedExpectation(LOG2COSH, 0, (v, w), (s, t))
    assert simplify(GibbsAverage(nest, 1, Lambda(h, tanh(h)))) == 0
    assert simplify(GibbsAverage(nest, 1, Lambda(h, tanh(h) ** 2))) != 0
    moved = LiftedExpectation(LOG2COSH, x, (v, w), (s, t))
    assert simplify(GibbsAverage(moved, 1, Lambda(h, tanh(h)))) != 0


def test_unfolded_leaves_no_nest():
    assert not unfolded(TWO.diff(v)).has(LiftedExpectation, GibbsAverage)
    assert not unfolded(TWO.diff(v)).has(Integral)
