"""Architectures: equal where they are the same, exact where they are given exactly, one recursion."""

import dataclasses
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy import Max, Rational, Symbol, sqrt

from theory import DEQ, MLP, activation
from theory.calculus.price import K1, C
from theory.errors import DivergenceError
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
        ({"sigma_v": Symbol("x")}, r"got x; Symbol\('sigma_v'\) keeps it symbolic"),
        ({"sigma_w": SIGMA_B}, r"got sigma_b; Symbol\('sigma_w'\) keeps it symbolic"),
        ({"sigma_w": Symbol("sigma_w", negative=True)}, "sigma_w must be a finite number >= 0"),
        ({"sigma_w": True}, "sigma_w must be a finite number >= 0, got True"),
        ({"sigma_w": np.True_}, "sigma_w must be a finite number >= 0, got"),
        ({"sigma_w": np.array([1.0, 2.0])}, r"sigma_w must be a finite number >= 0, got array\("),
        ({"sigma_w": np.ones((9, 9))}, r"sigma_w must be a finite number >= 0, got array\("),
        ({"sigma_w": np.array([1.0])}, "sigma_w must be a finite number >= 0, got array"),
        ({"depth": np.True_}, "depth must be an integer >= 1, got"),
        ({"depth": np.array([2])}, "depth must be an integer >= 1, got array"),
        ({"depth": 10**6 + 1}, "depth must be an integer <= 1000000, got 1000001"),
        ({"depth": 10**12}, "depth must be an integer <= 1000000, got 1000000000000"),
        ({"depth": 10**30}, "depth must be an integer <= 1000000, got 1000"),
        ({"depth": 10**5000}, "depth must be an integer <= 1000000, got a number of thousands"),
        ({"activation": "rleu"}, "unknown activation 'rleu'"),
        ({"activation": "1/x"}, "is infinite at every variance: phi = 1/x is too large at x = 0"),
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


def test_what_has_no_dual_is_refused_before_it_is_shown() -> None:
    for make in (MLP, DEQ):
        with pytest.raises(DivergenceError, match="phi = exp"):
            make("exp(x^4)")


def test_names_have_no_spaces_and_no_capitals() -> None:
    assert str(MLP("relu ")).startswith("mlp(relu, depth")
    assert MLP(" ReLU") == MLP("relu")
    assert DEQ("leaky_relu : 0.2") == DEQ("leaky_relu:0.2")
    assert MLP(" x*erf(x) ") == MLP("x*erf(x)")


def test_its_own_name_keeps_a_scale_symbolic() -> None:
    generic = MLP("erf").generic
    assert MLP("erf", 3, Symbol("sigma_w"), "sigma_b", Symbol("sigma_v", positive=True)) == generic
    assert DEQ("erf", " sigma_w ").sigma_w is SIGMA_W


def test_layers_are_written_out_up_to_three() -> None:
    wanted = {2: "1", 3: "1, 2", 4: "1, 2, 3", 5: "1, 2, .., 4", 100: "1, 2, .., 99"}
    for depth, layers in wanted.items():
        model = MLP("relu", depth)
        assert f"K_l) + 0.04,  l = {layers}\n" in model.text()
        assert rf"+ 0.04, \quad l = {layers.replace('..', chr(92) + 'dots')} " in model.latex()


@pytest.mark.parametrize("sigma_w", [2, sqrt(2), 2**0.5, "3/2"])
def test_no_variance_is_shown_where_there_is_none(sigma_w: object) -> None:
    model = DEQ("relu", sigma_w)
    titles = [s.title for s in model.steps]
    assert "There is no variance" in titles
    assert "Its variance" not in titles
    assert not any(s.expression.has(sympy.zoo) for s in model.steps)
    assert not any(s.expression.lhs == K1 and s.title == "Its variance" for s in model.steps)
    text = model.text()
    assert text.count(" fails\n") == 3
    assert text.rstrip().splitlines()[-1].startswith("  stability:   ")


def test_the_variance_is_shown_where_there_is_one() -> None:
    shown = {s.title: s.expression for s in DEQ("relu", "1/2").steps}
    s11 = Symbol("s11", real=True)
    assert shown["Its variance"] == sympy.Eq(K1, 8 * s11 / 7)
    generic = {s.title: s.expression for s in DEQ("relu").generic.steps}["Its variance"]
    assert sympy.simplify(generic.rhs - s11 / (1 - SIGMA_W**2 / 2)) == 0
    assert "Its variance" not in {s.title for s in DEQ("erf", "1/2").steps}
    zero = {s.title: s.expression for s in DEQ("relu", 0).steps}
    assert zero["Its variance"] == sympy.Eq(K1, s11)


@pytest.mark.parametrize("name", ["relu", "erf", "tanh", "sign"])
def test_no_two_steps_have_one_title(name: str) -> None:
    for model in (MLP(name), DEQ(name), DEQ(name).generic):
        titles = [s.title for s in model.steps]
        assert len(set(titles)) == len(titles)


def test_text_and_latex_end_in_the_conditions() -> None:
    model = DEQ("relu", 0.4)
    end = "\n\n  kernel:      0.08 < 1\n  equilibrium: 0.4 < 1\n  stability:   0.08 < 1\n"
    assert model.text().endswith(end)
    assert [str(c) for c in model.conditions] == [
        "kernel: 0.08 < 1", "equilibrium: 0.4 < 1", "stability: 0.08 < 1"
    ]  # fmt: skip
    assert "value=0.4, bound=1)" in repr(model.conditions[1])
    assert model.latex().endswith("0.08 &< 1 \\quad \\text{(stability)}\n\\end{aligned}")
    assert DEQ("relu", 2).latex().count(", fails)}") == 3
    assert MLP("exp(x**2/8)").text().endswith("\n  variance: k11 < 2\n")
    assert "<" not in MLP("relu").latex()
    assert "fails" not in DEQ("tanh").text()


def test_conditions_where_there_are_any() -> None:
    assert MLP("relu").conditions == ()
    (only,) = MLP("exp:1", 2).conditions + MLP("x*exp(x**2/8)").conditions
    assert (only.name, only.bound) == ("variance", 2)
    assert [c.value for c in DEQ("sin", sigma_w=0).conditions] == [0, 0, 0]
    assert [c.value for c in DEQ("exp:1", sigma_w=0).conditions] == [0, 0, 0]
    assert DEQ("relu", "1/2").diagonal.rhs.coeff(SIGMA_W) == 0
    assert SIGMA_B not in DEQ("relu").diagonal.free_symbols
