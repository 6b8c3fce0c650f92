"""Networks of any order of layers: one algebra, of which perceptrons are the short form."""

import pickle

import pytest
import sympy
from sympy import Rational, S, Symbol

from theory import MLP, Dense, LayerNorm, Residual, Sequential, activation, dual
from theory.calculus.price import K1, K2, C
from theory.kernels.layers import State
from theory.kernels.recursion import SIGMA_B, SIGMA_V, SIGMA_W, THETA

BLOCK = Residual((LayerNorm(), "relu", Dense(1, None)))
G = sympy.symbols("g11 g12 g22", positive=True)


class Symbols:
    """The recursion in symbols, D and D' written out."""

    def number(self, value):
        return sympy.sympify(value)

    def sqrt(self, x):
        return sympy.sqrt(x)

    def variance(self, phi, k):
        return dual(phi).diagonal.subs(K1, k)

    def pair(self, phi, at):
        values = {K1: at.one, C: at.both, K2: at.two}
        own = dual(phi)
        return [e.subs(values, simultaneous=True) for e in (own.expr, own.derivative)]


def outputs(layers, *rest) -> State:
    return Sequential(layers, *rest).forward(G, Symbols(), Symbol("d"))


def test_a_perceptron_is_the_short_form() -> None:
    model = MLP("erf", 2, "3/2", "1/5", "9/10")
    long = Sequential(model.layers)
    assert long.plain == model
    assert long.depth == 2
    assert long.activations == (activation("erf"),)
    assert Sequential((Dense("3/2", "1/5"), "erf") * 2 + (Dense("9/10", None),)) == long
    # theory's equations of a perceptron, put together by hand
    scale = {SIGMA_W: Rational(3, 2), SIGMA_B: Rational(1, 5), SIGMA_V: Rational(9, 10)}
    at = [scale[SIGMA_W] ** 2 * g + scale[SIGMA_B] ** 2 for g in G]
    layer, tangent = (e.rhs.subs(scale) for e in (model.equations.layer, model.equations.tangent))
    entries = [(at[0],) * 3, tuple(at), (at[2],) * 3]
    k = [
        layer.subs(dict(zip((K1, C, K2), entry, strict=True)), simultaneous=True)
        for entry in entries
    ]
    first = {K1: at[0], C: at[1], K2: at[2], THETA: at[1]}
    last = {
        K1: k[0], C: k[1], K2: k[2], THETA: tangent.subs(first, simultaneous=True)
    }  # fmt: skip
    found = outputs(model.layers)
    numbers = dict(zip(G, (Rational(7, 5), Rational(1, 3), Rational(4, 5)), strict=True))
    for mine, equation in ((found.both, model.nngp), (found.tangent, model.ntk)):
        theirs = equation.rhs.subs(last, simultaneous=True)
        assert abs((mine - theirs).subs(numbers).evalf(40)) < 1e-35


def test_layer_normalisation_has_variance_one_and_forgets_scales() -> None:
    found = outputs((Dense(3, None), LayerNorm(), Dense(1, None)))
    assert found.one == found.two == 1
    assert sympy.simplify(found.both - G[1] / sympy.sqrt(G[0] * G[2])) == 0
    twice = outputs((Dense(7, None), LayerNorm(), LayerNorm(), Dense(1, None)))
    assert sympy.simplify(found.both - twice.both) == 0


def test_the_sum_of_what_single_layers_contribute_is_the_tangent_kernel() -> None:
    def network(which: int | None) -> State:
        on = [which in (None, n) for n in range(5)]
        block = Residual(
            (Dense(1, "1/2", on[1]), "erf", Dense(2, None, on[2])), skip=Dense("1/3", 1, on[3])
        )
        first, last = Dense(2, 1, on[0]), Dense("1/2", "1/7", on[4])
        return outputs((first, LayerNorm(), block, last))

    parts = [network(n).tangent for n in range(5)]
    rest = sum(parts, start=S.Zero) - network(None).tangent
    numbers = dict(zip(G, (Rational(7, 5), Rational(1, 3), Rational(4, 5)), strict=True))
    assert all(abs(p.subs(numbers).evalf()) > 1e-3 for p in parts)
    assert abs(rest.subs(numbers).evalf(40)) < 1e-35
    assert network(-1).tangent == 0


def test_parameterisations_differ_by_the_units_of_each_layer() -> None:
    d, s = Symbol("d"), Rational(7, 2)
    for n, factor in enumerate((d / 4, s / 9, s / Rational(1, 4))):
        scales = zip((2, 3, "1/2"), range(3), strict=True)
        layers = [Dense(w, None, trained=n == m) for w, m in scales]
        mixed = (layers[0], "relu", layers[1], "relu", layers[2])
        standard, ntk = outputs(mixed, "standard", s), outputs(mixed)
        assert standard.both == ntk.both
        assert sympy.simplify(standard.tangent - factor * ntk.tangent) == 0
    # biases count once each, also those that start from 0
    only = outputs((Dense(1, 0), Dense(0, 0)), "standard").tangent
    assert only == 1 + G[1]
    assert outputs((Dense(1, None), Dense(0, None)), "standard").tangent == G[1]


def test_residual_blocks_add() -> None:
    plain = outputs((Dense(1, 0), "relu", Dense(1, None)))
    nothing = Residual((Dense(0, None),))
    assert outputs((Dense(1, 0), nothing, "relu", Dense(1, None))) == plain
    linear = Residual((Dense(0, None),), skip=Dense(2, None))
    assert outputs((Dense(1, 0), linear, Dense(1, None))).both == 4 * G[1]
    nested = Residual((Residual((Dense(1, None),)), "erf", Dense(1, None)))
    assert outputs((Dense(1, 0), nested, Dense(1, None))).one.subs(G[0], 0) == 0


def test_it_is_printed() -> None:
    model = Sequential((Dense(1, "1/2"), BLOCK, "erf", Dense(3, 0)), "standard", 5)
    text, latex = model.text(), model.latex()
    lines = [
        "K_1     = g + 1/4",
        "Theta_1 = g*d + 1",
        "K_2     = K_1/(sqrt(K_1(x',x'))*sqrt(K_1(x,x)))",
        "K_3     = D_1(K_2)",
        "Theta_4 = 5*K_3 + Theta_3",
        "K_5     = K_1 + K_4",
        "Theta_6 = Theta_5*D'_2(K_5)",
        "NTK     = 5*K_6 + 9*Theta_6 + 1",
    ]
    for line in lines:
        assert line in text
    assert r"\Theta_{6} &= \Theta_{5} D'_{2}" in latex
    assert r"\mathrm{NNGP} &= 9 K_{6}" in latex
    assert "phi_1(x) = Max(0, x), phi_2(x) = erf(x)" in text
    titles = [step.title for step in model.steps]
    assert "The activation" in titles
    assert titles[-1] == "Behind dense(3, 0)"
    symbolic = Sequential((Dense("sigma_w", "sigma_b"), "exp:1/2", Dense("sigma_w", None)))
    assert "g*sigma_w**2 + sigma_b**2" in symbolic.text()
    assert Sequential((Dense(), "gaussian:1/5", Dense())).conditions[0].bound == Rational(5, 4)
    assert pickle.loads(pickle.dumps(model)) == model
    assert str(model) == (
        "sequential(dense(1, 1/2), residual(norm, relu, dense(1, None)), erf, dense(3, 0), "
        "parameterisation=standard, width=5)"
    )


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ((Dense(), "relu"), "a network begins and ends with Dense, got sequential"),
        (("relu", Dense()), "a network begins and ends with Dense"),
        ((Dense(),), "a network begins and ends with Dense"),
        ("relu", r"layers are a sequence such as \(Dense\(\), 'relu'\), got 'relu'"),
        ((), "layers are a sequence"),
        ((Dense(), 3, Dense()), "a layer is Dense, LayerNorm, Residual or an activation, got 3"),
        ((Dense(), "relu", "relu", Dense()), "relu acts on normal units: put Dense before it"),
        ((Dense(), "relu", LayerNorm(), Dense()), "norm acts on normal units"),
        # a branch that is correlated with its skip
        ((Dense(), Residual((LayerNorm(),)), Dense()), r"the branch of residual\(norm\) must end"),
        ((Dense(), Residual(("relu",)), Dense()), "must end with Dense"),
        ((Dense(), Residual((Residual((Dense(),)),)), Dense()), "must end with Dense"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, says) -> None:
    with pytest.raises(ValueError, match=says):
        Sequential(layers)


def test_numbers_that_make_no_sense_are_refused() -> None:
    for wrong, says in (
        (lambda: Dense(-1), "sigma_w must be a finite number >= 0, got -1"),
        (lambda: Dense(1, "much"), "sigma_b must be a finite number >= 0"),
        (lambda: Dense(trained=1), "trained must be True or False, got 1"),
        (lambda: Residual((Dense(),), skip="relu"), "a skip is None, for the identity, or Dense"),
        (lambda: Sequential((Dense(), Dense()), "mup"), "must be 'ntk' or 'standard', got 'mup'"),
        (lambda: Sequential((Dense(), Dense()), width=-1), "width must be a finite number >= 0"),
        (lambda: Sequential((Dense(), "1/x", Dense())), "E phi"),
    ):
        with pytest.raises(ValueError, match=says):
            wrong()
