"""Random duals at any level and the hard-constraint limit, step by step."""

import pickle
from typing import Any

import mpmath
import pytest
from sympy import (
    Abs,
    Eq,
    Function,
    Lambda,
    Limit,
    Rational,
    S,
    Symbol,
    cosh,
    erf,
    expand,
    lambdify,
    log,
    oo,
    pi,
    simplify,
    sqrt,
    symbols,
)

from theory import (
    SBP,
    BinaryPrior,
    GibbsAverage,
    LiftedExpectation,
    Model,
    SymmetricConstraint,
    ZeroOnePerceptron,
    free_energy,
    hard_constraint_limit,
    random_dual,
)
from theory.calculus.lifting import unfolded
from theory.thresholds.free_energy import gathered
from theory.thresholds.hard_constraints import C2, GAMMA, H
from theory.thresholds.random_dual import order_symbols

KAPPA = Symbol("kappa", positive=True)
LEVELS = range(2, 13)


def simplified(expr):
    """Zero increments dropped and equal exponents merged, outside the leaves."""
    return expr.replace(lambda e: isinstance(e, LiftedExpectation), lambda e: e.simplify())


def same(a, b):
    """Whether two functionals agree once their nests are brought to normal form."""
    return (
        expand(simplified(a) - simplified(b), deep=False).expand(deep=False) == 0
        or (simplified(a) - simplified(b)).expand() == 0
    )


def step(fe, title):
    """Return the expression of the step with this title."""
    (found,) = [s for s in fe.steps if s.title == title]
    return found.expression


# -- the random dual -----------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(1, 6))
def test_structure_of_the_random_dual(level):
    dual = random_dual(SBP(), level)
    assert len(dual.p) == len(dual.q) == len(dual.c) == level - 1
    assert dual.x.depth == dual.y.depth == level
    assert sum(dual.x.increments) == sum(dual.y.increments) == 1
    assert dual.x.exponents == (*dual.c, 0)
    assert dual.y.exponents == (*(-c for c in dual.c), 0)


def test_bilinear_term_at_level_three():
    p_2, p_3, q_2, q_3, c_2, c_3 = symbols("p_2 p_3 q_2 q_3 c_2 c_3", positive=True)
    expected = ((1 - p_2 * q_2) * c_2 + (p_2 * q_2 - p_3 * q_3) * c_3) / 2
    assert expand(random_dual(SBP(), 3).bilinear - expected) == 0


def test_level_one_has_the_ground_state_of_the_binary_prior():
    dual = random_dual(SBP(), 1)
    assert dual.bilinear == 0
    assert simplify(dual.x.doit() - sqrt(2 / pi)) == 0


def test_sign_of_the_random_dual():
    negative = random_dual(SBP(), 3)
    positive = random_dual(Model("plus", BinaryPrior(), SymmetricConstraint()), 3)
    assert positive.xi == negative.xi
    flipped = random_dual(Model("plus", BinaryPrior(), SymmetricConstraint(), sign=1), 3)
    assert flipped.y.exponents == tuple(-c for c in negative.y.exponents)
    assert expand(flipped.xi - flipped.y * Symbol("alpha", positive=True) - GAMMA) == expand(
        -(negative.bilinear - negative.x)
    )


def test_dual_embeds_in_the_next_level():
    """p_{r+1} = p_r, q_{r+1} = q_r makes the new level a zero increment; c_{r+1} drops out."""
    for level in (2, 3, 4):
        small, large = random_dual(SBP(), level), random_dual(SBP(), level + 1)
        merged = {large.p[-1]: large.p[-2], large.q[-1]: large.q[-2]}
        # the level of exponent c_{r+1} has no width, so its exponent may be anything
        for nest in ("x", "y"):
            own = getattr(large, nest).subs(merged).drop_zero_increments()
            assert own.depth == level
        assert (
            expand(
                large.bilinear.subs({large.p[-1]: 0, large.q[-1]: 0})
                - small.bilinear
                - large.p[-2] * large.q[-2] * large.c[-1] / 2
            )
            == 0
        )


# -- the steps of the limit ----------------------------------------------------------------------


@pytest.mark.parametrize("level", [2, 3, 5])
def test_steps_are_recorded_in_order(level):
    titles = [s.title for s in free_energy(SBP(), level).steps]
    assert titles == [
        "Random dual",
        "Innermost x lifting",
        "c_2 -> infinity",
        "x nest",
        "gamma -> 0+ in the y leaf",
        "Innermost y lifting",
        "y nest",
        "Bilinear term",
        "Entropy and energy",
        "Evenness",
        "Capacity",
    ]
    assert all(s.explanation for s in free_energy(SBP(), level).steps)


def test_innermost_liftings_are_closed_forms_of_their_left_hand_sides():
    fe = free_energy(SBP(), 4)
    for title in ("Innermost x lifting", "Innermost y lifting"):
        equation = step(fe, title)
        point = {H: 0.3, C2: 1.4, KAPPA: 0.9, "p_2": 0.6}
        left, right = equation.lhs, equation.rhs
        free = {s: 0.8 for s in right.free_symbols if str(s) in ("v", "_x", "x")}
        point = {s: point.get(s, point.get(str(s), 0.8)) for s in right.free_symbols} | free
        difference = left.subs(point).doit() - right.subs(point)
        assert abs(complex(difference.evalf())) < 1e-12


def test_c2_limit_step():
    equation = step(free_energy(SBP(), 4), "c_2 -> infinity")
    assert isinstance(equation.lhs, Limit)
    assert simplify((equation.lhs.doit() - equation.rhs).rewrite("exp")) == 0


def test_x_nest_step_only_leaves_the_innermost_level_scaled():
    for level in (2, 3, 6):
        dual = random_dual(SBP(), level)
        equation = step(free_energy(SBP(), level), "x nest")
        (scaled,) = equation.lhs.args[0].atoms(LiftedExpectation)
        assert scaled.exponents[0] == 1
        assert scaled.increments[0] == C2**2 - Symbol("Q_2", positive=True)
        assert not any(e.has(C2) for e in scaled.increments[1:] + scaled.exponents[1:])
        # it is c_2 X with the new variables put in: undo the scaling
        q, s = order_symbols("Q", 2, level), order_symbols("s", 2, level - 1)
        back = dict(zip(q, [C2**2 * z for z in dual.q], strict=True))
        back |= dict(zip(s, [c / C2 for c in dual.c[1:]], strict=True))
        undone = scaled.xreplace(back).scaled(1 / C2, 1 / C2)
        assert undone.increments == dual.x.increments
        assert undone.exponents == dual.x.exponents
        assert undone.leaf(H) == Abs(H)


def test_x_nest_limit_numerically(quadrature):
    """c_2 X - c_2**2/2 at finite c_2 approaches the limit nest (level 3, outer average trivial)."""
    fe = free_energy(SBP(), 3)
    equation = step(fe, "x nest")
    s_2 = mpmath.mpf("1.5")
    q = mpmath.mpf("0.8")
    leaf = lambda h: mpmath.log(2 * mpmath.cosh(h))  # noqa: E731
    exact = quadrature.nest(leaf, 0, [q], [s_2]) - q / 2
    point = {"Q_2": q, "Q_3": 0, "s_2": s_2}
    right = {s: point[str(s)] for s in equation.rhs.free_symbols}
    value = quadrature.evaluate(unfolded(simplified(equation.rhs.subs(right))))
    assert value == pytest.approx(exact, rel=1e-12)
    errors = []
    for c in (3, 5, 7):
        width = c**2 - q

        def inner(h, c=c, width=width):
            root = mpmath.sqrt(2 * width)
            cdf = lambda z: mpmath.erfc(-z) / 2  # noqa: E731
            plus = mpmath.exp(h + width / 2) * cdf((h + width) / root)
            minus = mpmath.exp(-h + width / 2) * cdf((width - h) / root)
            return mpmath.log(plus + minus)

        finite = quadrature.nest(inner, 0, [q], [s_2]) - mpmath.mpf(c**2) / 2
        errors.append(abs(finite - exact))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < mpmath.exp(-18)


def test_y_nest_step_undoes_to_the_dual():
    for level in (2, 3, 6):
        dual = random_dual(SBP(), level)
        equation = step(free_energy(SBP(), level), "y nest")
        (scaled,) = equation.lhs.args[0].atoms(LiftedExpectation)
        s = order_symbols("s", 2, level - 1)
        back = dict(zip(s, [c / C2 for c in dual.c[1:]], strict=True))
        undone = scaled.xreplace(back).scaled(-1 / C2)
        assert (undone.increments, undone.exponents) == (dual.y.increments, dual.y.exponents)
        assert undone.leaf(H) == dual.y.leaf(H)


@pytest.mark.parametrize("level", range(2, 9))
def test_bilinear_term_by_parts(level):
    equation = step(free_energy(SBP(), level), "Bilinear term")
    assert expand(equation.lhs - equation.rhs) == 0
    p, q = order_symbols("p", 2, level), order_symbols("Q", 2, level)
    s = (S.One, *order_symbols("s", 2, level - 1), S.Zero)
    total = sum(q[k] * p[k] * (s[k + 1] - s[k]) for k in range(level - 1)) / 2
    assert expand(equation.rhs - C2**2 / 2 - total) == 0


def test_evenness_step_is_proved_by_simplify():
    for level in (3, 5):
        for equation in step(free_energy(SBP(), level), "Evenness").args:
            assert isinstance(equation, Eq)
            assert simplify(equation.lhs) == 0


def test_outermost_average_is_stationary_for_any_even_leaf():
    """d/dQ of nest[F; w - Q, Q; s, 0](0) at Q = 0 is -(s/2) <F'>**2, which evenness kills."""
    h = Symbol("h", real=True)
    w, s, big_q = symbols("w s Q", positive=True)
    f = Function("F", real=True)
    nest = LiftedExpectation(Lambda(h, f(h)), 0, (w - big_q, big_q), (s, 0))
    slope = LiftedExpectation(Lambda(h, f(h)), 0, (w,), (s,)).gibbs(Lambda(h, f(h).diff(h)))
    derivative = unfolded(nest.diff(big_q)).subs(big_q, 0)
    assert simplify(derivative + s / 2 * unfolded(slope) ** 2) == 0


@pytest.mark.parametrize("parameter", ["p_2", "Q_2", "Q_3"])
def test_outermost_order_parameters_are_stationary_at_zero(parameter):
    """The same for the functional itself, before p_r = Q_r = 0 is put in."""
    level = int(parameter[-1])
    zero = {Symbol(f"{name}_{level}", positive=True): 0 for name in ("p", "Q")}
    functional = step(free_energy(SBP(), level), "Entropy and energy").rhs
    slope = functional.diff(Symbol(parameter, positive=True)).subs(zero)
    for _ in range(2):
        slope = slope.replace(lambda e: isinstance(e, GibbsAverage), lambda e: e.normal().expand())
    assert expand(slope) == 0 or simplify(slope) == 0


# -- the result ----------------------------------------------------------------------------------


def test_level_two_is_exactly_the_closed_form():
    assert free_energy(SBP(), 2).expr == -log(2) / log(erf(KAPPA / sqrt(2)))
    assert free_energy(SBP("0.3"), 2).expr == -log(2) / log(erf(S(3) / 10 / sqrt(2)))
    assert free_energy(SBP(), 2).order_parameters == ()
    assert free_energy(SBP(), 2).chains == ()
    assert float(free_energy(SBP(1), 2).expr) == pytest.approx(1.8158754958, abs=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_functional_has_the_form_of_the_theory(level):
    fe = free_energy(SBP(), level)
    k = level - 1
    p, q, s = (order_symbols(name, 2, k) for name in ("p", "Q", "s"))
    assert (fe.p, fe.q, fe.c) == (p, q, s)
    assert fe.order_parameters == p + q + s
    h = Symbol("h", real=True)
    s_all = (S.One, *s)
    width = sqrt(2 - 2 * (p[0] if p else 0))
    energy_leaf = log(erf((KAPPA - h) / width) / 2 + erf((KAPPA + h) / width) / 2)

    def increments(z):
        return [a - b for a, b in zip(z, (*z[1:], 0), strict=False)]

    entropy = (
        -(q[0] / 2 if q else 0)
        - sum(q[i] * p[i] * (s_all[i + 1] - s_all[i]) for i in range(len(q))) / 2
        + LiftedExpectation(Lambda(h, log(2 * cosh(h))), 0, increments(q), s)
    )
    energy = LiftedExpectation(Lambda(h, energy_leaf), 0, increments(p), s)
    assert expand(fe.entropy - entropy) == 0
    assert fe.energy == energy
    assert fe.expr == -fe.entropy / fe.energy


def test_chains_say_how_order_parameters_are_ordered():
    chains = free_energy(SBP(), 4).chains
    assert [str(c) for c in chains] == ["1 > p_2 > p_3 > 0", "Q_2 > Q_3 > 0", "s_2 > 0", "s_3 > 0"]
    assert (chains[0].upper, chains[1].upper, chains[0].lower) == (1, oo, 0)


@pytest.mark.parametrize("level", range(2, 9))
@pytest.mark.parametrize("how", ["zero outermost", "equal exponents", "equal p and Q"])
def test_level_embeds_in_the_next_one(level, how):
    small, large = free_energy(SBP(), level), free_energy(SBP(), level + 1)
    p, q, s = large.p, large.q, large.c
    if level == 2:  # the new level is the only one: only a vanishing width reduces it
        merged = {p[-1]: 0, q[-1]: 0}
        back = {}
    elif how == "zero outermost":
        merged, back = {p[-1]: 0, q[-1]: 0}, {}
    elif how == "equal exponents":
        merged, back = {s[-1]: s[-2]}, {}
    else:
        merged, back = {p[-1]: p[-2], q[-1]: q[-2]}, {s[-2]: s[-1]}
    for own, other in ((large.entropy, small.entropy), (large.energy, small.energy)):
        assert same(own.subs(merged), other.xreplace(back))


def test_numeric_kappa_is_the_symbolic_functional_at_that_kappa():
    symbolic, numeric = free_energy(SBP(), 4), free_energy(SBP("0.3"), 4)
    assert numeric.expr == symbolic.expr.subs(KAPPA, S(3) / 10)
    assert numeric.order_parameters == symbolic.order_parameters


def test_level_is_checked():
    for bad, error in ((1, ValueError), (0, ValueError), (-3, ValueError)):
        with pytest.raises(error, match="level"):
            free_energy(SBP(), bad)
    with pytest.raises(ValueError, match="c_2 first appears at level 2"):
        free_energy(SBP(), 1)
    wrong: tuple[Any, ...] = (True, 2.0, "3", None)
    for bad in wrong:
        with pytest.raises(TypeError, match="level must be an integer"):
            free_energy(SBP(), bad)
    assert free_energy(SBP(), S(3)) == free_energy(SBP(), 3)


def test_unsupported_models_are_refused():
    name: Any = "sbp"
    with pytest.raises(TypeError, match="expected a model such as SBP"):
        free_energy(name, 3)
    plus = Model("plus", BinaryPrior(), SymmetricConstraint(1), sign=1)
    with pytest.raises(ValueError, match="only min-max problems"):
        hard_constraint_limit(plus, 3)


def test_functionals_are_values_and_pickle():
    fe = free_energy(SBP(1), 4)
    again = pickle.loads(pickle.dumps(fe))
    assert again == fe
    assert again.expr == fe.expr
    assert [s.title for s in again.steps] == [s.title for s in fe.steps]


def test_stationarity_in_p2_is_an_average_of_the_squared_slope():
    """dEn/dp_2 = (s_2 - 1)/2 <(g')**2>, the leaf's heat equation meeting the nest's."""
    fe = free_energy(SBP(), 3)
    (p_2,), (s_2,) = fe.p, fe.c
    nest = fe.energy
    h = Symbol("h", real=True)
    slope = Lambda(h, (s_2 - 1) / 2 * nest.leaf(h).diff(h) ** 2)
    expected = GibbsAverage(nest, 1, slope)
    derived = gathered(nest.diff(p_2))
    (own,), (other,) = derived.atoms(GibbsAverage), expected.atoms(GibbsAverage)
    assert own.nest == other.nest
    ratio = (derived / own * own.observable(h)) / (expected / other * other.observable(h))
    value = lambdify([h, p_2, s_2, KAPPA], ratio, "mpmath")
    for point in ((0.3, 0.6, 2.5, 1.0), (-0.8, 0.4, 0.5, 0.7)):
        assert abs(value(*map(mpmath.mpf, point)) - 1) < 1e-10


@pytest.mark.parametrize("kappa", [-5, Rational(-1, 10)])
def test_a_capacity_without_end_is_refused(kappa):
    with pytest.raises(ValueError, match="infinite: x = 0 fulfils every constraint"):
        free_energy(ZeroOnePerceptron(kappa), 2)
    free_energy(ZeroOnePerceptron(0), 2)  # not with room to spare
