"""Architectures: equal where they are the same, exact where they are given exactly, one recursion."""

import dataclasses
import pickle
from fractions import Fraction

import pytest
import sympy
from sympy import Max, Rational, Symbol, sqrt

from theory import DEQ, MLP, activation
from theory.calculus.price import C
from theory.kernels.recursion import (
    NEXT_K,
    S12,
    SIGMA_B,
    SIGMA_U,
    SIGMA_V,
    SIGMA_W,
    THETA,
    equilibrium_equations,
    equilibrium_tangent,
    layer,
    perceptron_equations,
    readout,
    tangent,
)


def test_the_same_numbers_are_the_same_model() -> None:
    one = MLP("relu", 2, sigma_w=1, sigma_b="1/2", sigma_v=0.1)
    two = MLP(activation("relu"), 2.0, 1.0, 0.5, 0.1)
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert dataclasses.replace(one, depth=3) != one
    assert one != MLP("relu", 2, 1, "1/2", "0.1")  # a tenth is no binary number
    assert {DEQ("relu"), DEQ("relu"), DEQ("erf")} == {DEQ("relu"), DEQ("erf")}
    assert MLP(Max(Symbol("y", real=True), 0)).phi.expr == MLP("relu").phi.expr


def test_scales_are_what_was_given() -> None:
    found = DEQ("erf", 0.1, Fraction(1, 3), "0.1", sqrt(2))
    assert list(found.scales.values()) == [0.1, Rational(1, 3), Rational(1, 10), sqrt(2)]
    assert isinstance(found.sigma_w, float)
    assert found.parameters[SIGMA_U] == Rational(1, 3)
    assert float(found.parameters[SIGMA_W]) == 0.1
    assert str(found) == "deq(erf, sigma_w=0.1, sigma_u=1/3, sigma_b=1/10, sigma_v=sqrt(2))"
    some = MLP("relu", sigma_w=SIGMA_W)
    assert SIGMA_W not in some.parameters
    assert some.layer.rhs.free_symbols >= {SIGMA_W}
    assert MLP("relu").generic.parameters == {}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"depth": 0}, "depth must be an integer >= 1, got 0"),
        ({"depth": 1.5}, "depth must be an integer >= 1, got 1.5"),
        ({"depth": True}, "depth must be an integer >= 1, got True"),
        ({"sigma_w": -1}, "sigma_w must be a finite number >= 0, got -1"),
        ({"sigma_b": float("nan")}, "sigma_b must be a finite number >= 0, got nan"),
        ({"sigma_v": sympy.oo}, "sigma_v must be a finite number >= 0, got oo"),
        ({"sigma_v": "much"}, "sigma_v must be a finite number >= 0, got 'much'"),
        ({"sigma_v": Symbol("x")}, "sigma_v must be a finite number >= 0, got x"),
        ({"sigma_v": 1j}, "sigma_v must be a finite number >= 0, got 1j"),
        ({"activation": "rleu"}, "unknown activation 'rleu'"),
    ],
)
def test_what_makes_no_sense_is_one_line(wrong: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        MLP(**wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["relu", "tanh", "min(1, max(-1, x))"])
def test_copies_carry_what_a_model_is_and_not_what_was_derived(name: str) -> None:
    model = DEQ(name)
    text, ntk = model.text(), model.ntk
    assert model.steps
    again = pickle.loads(pickle.dumps(model))
    assert set(vars(again)) == {f.name for f in dataclasses.fields(model)}
    assert (again, hash(again), again.text(), again.ntk) == (model, hash(model), text, ntk)


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_scales_are_put_into_the_equations_and_nothing_else_changes(name: str) -> None:
    given = {"sigma_w": Rational(1, 2), "sigma_b": Rational(1, 3), "sigma_v": 2}
    mlp, deq = MLP(name, 2, **given), DEQ(name, sigma_u=3, **given)
    for equations, model in (
        (perceptron_equations(name), mlp),
        (equilibrium_equations(name), deq),
    ):
        for which in ("layer", "tangent", "nngp", "ntk", "fixed_point", "diagonal"):
            if hasattr(model, which):
                symbolic = getattr(equations, which)
                assert getattr(model.generic, which) == symbolic
                assert getattr(model, which).rhs == symbolic.rhs.subs(model.parameters)
                assert not getattr(model, which).rhs.free_symbols & {SIGMA_W, SIGMA_B, SIGMA_V}
    for c, generic in zip(deq.conditions, equilibrium_equations(name).conditions, strict=True):
        assert c == dataclasses.replace(generic, value=generic.value.subs(deq.parameters))


def test_the_recursion_is_one() -> None:
    d, slope, k, theta, w2, v2 = sympy.symbols("d slope k theta w2 v2")
    # the equilibrium's tangent kernel is the fixed point of a layer's
    (solved,) = sympy.solve(theta - tangent(k, slope, theta, w2), theta)
    assert sympy.simplify(solved - equilibrium_tangent(k, slope, w2)) == 0
    # the readout is a layer without bias
    nngp, ntk = readout(d, slope, theta, v2)
    assert nngp == layer(d, v2, 0)
    assert sympy.expand(ntk - tangent(nngp, slope, theta, v2)) == 0
    for model in (MLP("erf").generic, DEQ("erf").generic):
        own = {d: model.dual.expr, slope: model.dual.derivative, theta: THETA, v2: SIGMA_V**2}
        assert model.ntk.rhs == ntk.subs(own)
    # the fixed point solves the pair's equation, and Price's theorem gives the slope
    deq = DEQ("erf").generic
    slope = sympy.diff(deq.fixed_point.rhs, C)
    assert deq.fixed_point.rhs.coeff(S12) == 1
    assert sympy.simplify(deq.tangent.rhs - C / (1 - slope)) == 0


@pytest.mark.parametrize("model", [MLP("relu", 2), DEQ("erf"), DEQ("tanh").generic], ids=str)
def test_steps_end_in_the_recursion(model: MLP | DEQ) -> None:
    steps = model.steps
    assert steps[: len(model.dual.steps)] == model.dual.steps
    assert [s.expression for s in steps[-2:]] == [model.nngp, model.ntk]
    shown = [s.expression for s in steps]
    for equation in (model.tangent, model.layer if isinstance(model, MLP) else model.fixed_point):
        assert equation in shown
    bounds = [s.expression for s in steps if s.title.startswith("Condition")]
    assert [(b.lhs, b.rhs) for b in bounds] == [(c.value, c.bound) for c in model.conditions]
    assert all(s.title and s.explanation for s in steps)


def test_text_and_latex_show_the_recursion() -> None:
    text = MLP("relu", 3, sigma_w="1/2", sigma_v=SIGMA_V).text()
    assert text.startswith("mlp(relu, depth=3, sigma_w=1/2, sigma_b=0.2, sigma_v=sigma_v)\n")
    assert "Theta_{l+1} = K_{l+1} + Theta_l*D'(K_l)/4,  l = 1, 2" in text
    assert "NNGP        = sigma_v**2*D(K_3)" in text
    assert "K_{l+1}" not in MLP("relu", 1).text()
    tex = DEQ("relu").generic.latex()
    assert r"K &= S + \sigma_{w}^{2} D{\left(K \right)}" in tex
    assert r"\mathrm{NTK} &= \sigma_{v}^{2} \left(\Theta D'{\left(K \right)}" in tex
    assert DEQ("relu")._repr_latex_().startswith(r"$\displaystyle \begin{aligned}")
    assert r"\Theta_{l+1} &= " in MLP("relu").latex()
    assert sympy.latex(NEXT_K) == "K_{l+1}"


def test_conditions_where_there_are_any() -> None:
    assert MLP("relu").conditions == ()
    (only,) = MLP("exp:1", 2).conditions + MLP("x*exp(x**2/8)").conditions
    assert (only.name, only.bound) == ("variance", 2)
    assert [c.value for c in DEQ("sin", sigma_w=0).conditions] == [0, 0, 0]
    assert [c.value for c in DEQ("exp:1", sigma_w=0).conditions] == [0, 0, 0]
    assert DEQ("relu", "1/2").diagonal.rhs.coeff(SIGMA_W) == 0
    assert SIGMA_B not in DEQ("relu").diagonal.free_symbols
