"""The flow of infinitely many liftings, against liftings that can be done in closed form."""

from sympy import Eq, Lambda, Symbol, exp, simplify, symbols

from theory import LiftedExpectation
from theory.thresholds.continuum import (
    F,
    S,
    T,
    V,
    X,
    exponent,
    flow,
    generator,
    marginality,
    memory,
    rate,
    response,
    steps,
)


def _along(expr, f, v, s):
    """An expression of f, v, s at functions of t and x."""
    return expr.subs({F: f, V: v, S: s}).doit()


def test_the_flow_is_that_of_liftings_in_closed_form() -> None:
    # a Gaussian leaf stays one: f = -a x^2/2 - log(..)/(2 s), lifted by v(t) - v from the inside
    a, s, top = symbols("a s v_1", positive=True)
    inside = top - T
    h = Symbol("h", real=True)
    nest = LiftedExpectation(Lambda(h, -a * h**2 / 2), X, [inside], [s])
    f = nest.doit()
    assert not f.has(LiftedExpectation)
    left = f.diff(T)
    right = _along(flow(), f, T, s)
    assert simplify(left - right) == 0


def test_slopes_are_martingales_and_squares_grow_by_bends() -> None:
    assert generator(F.diff(X)) == 0
    assert simplify(rate(1) - V.diff(T) * F.diff(X, 2) ** 2) == 0
    bend = F.diff(X, 3) ** 2 - 2 * S * F.diff(X, 2) ** 3
    assert simplify(rate(2) - V.diff(T) * bend) == 0


def test_the_generator_of_the_tilted_field_itself_is_its_drift() -> None:
    assert simplify(generator(X) - V.diff(T) * S * F.diff(X)) == 0
    # the weight exp(-s f) turns the tilted law back into a Gaussian: x is a martingale beside it
    s = Symbol("s", positive=True)
    weighted = generator(X * exp(-S * F)).subs(S, s).doit()
    assert simplify(weighted) == 0


def test_stationarity_for_partners_and_alone() -> None:
    alpha, m_f, m_g = symbols("alpha M_f M_g", positive=True)
    assert marginality() == (Eq(1, alpha * m_f * m_g), Eq(1, m_f))
    both, alone = exponent()
    a_f, b_f, a_g, b_g = symbols("A_f B_f A_g B_g", positive=True)
    assert simplify(both - (a_f + m_f * a_g) / (2 * (b_f + m_f * b_g))) == 0
    assert simplify(alone - a_f / (2 * b_f)) == 0
    # partners that are alike, with M_f = 1, are one nest alone
    same = both.subs({a_g: a_f, b_g: b_f, m_f: 1})
    assert simplify(same - alone) == 0


def test_an_increment_answers_the_last_one_alone_with_the_mean_bend() -> None:
    assert response() == 0
    alpha = Symbol("alpha", positive=True)
    m_f, m_g = symbols("M_f M_g", real=True)
    assert memory() == (m_f, alpha * m_g, m_f)
    # the coefficients move by s p., so that the sums G m = Y + M_f y are stationary
    assert simplify(generator(F.diff(X, 2)) + V.diff(T) * S * F.diff(X, 2) ** 2) == 0


def test_the_response_in_closed_form() -> None:
    # f = -a(t) x^2/2 with a. = v. s a^2 - ..: bend and J = exp(-int v. s a) by the flow; their product stays
    a, s, top = symbols("a s v_1", positive=True)
    bend = -a / (1 + s * a * (top - T))  # of the Gaussian leaf lifted by v_1 - v
    answer = (1 + s * a * (top - T)) / (1 + s * a * top)
    assert simplify(answer.diff(T) - s * bend * answer) == 0
    assert simplify((bend * answer).diff(T)) == 0
    assert simplify(_along(flow(), bend * X**2 / 2, T, s).diff(X, 2) - bend.diff(T)) == 0


def test_every_step_says_what_it_does() -> None:
    derivation = steps()
    assert [one.title for one in derivation][:2] == ["The flow", "A martingale"]
    assert all(one.explanation and one.expression is not None for one in derivation)
    assert derivation[0].expression.rhs == flow()
