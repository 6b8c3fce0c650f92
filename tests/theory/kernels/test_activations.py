"""Activations by name and by the closed grammar: what is read, and what is refused."""

import os

import pytest
import sympy

from theory import ActivationError, activation
from theory.kernels.activations import NAMES, X


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leaky_relu:0.2", sympy.Max(X, 0) + sympy.Min(X, 0) / 5),
        ("ABRELU:-1/2:2", 2 * sympy.Max(X, 0) - sympy.Min(X, 0) / 2),
        ("gaussian:-1", sympy.exp(-(X**2))),
        ("exp:0.5", sympy.exp(X / 2)),
        ("hermite:3", (X**3 - 3 * X) / sympy.sqrt(6)),
        ("x*erf(x) - 0.1*abs(x)", X * sympy.erf(X) - sympy.Abs(X) / 10),
        ("-x^2/2 + (x - 1)**3", -(X**2) / 2 + (X - 1) ** 3),
        ("max(x, 0)", sympy.Max(X, 0)),
        ("1e-3*x + pi", X / 1000 + sympy.pi),
        ("exp(-x**2)", sympy.exp(-(X**2))),
    ],
)
def test_read(text: str, expected: sympy.Expr) -> None:
    assert sympy.simplify(activation(text).expr - expected) == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_known(name: str) -> None:
    shaped = {"abrelu": "abrelu:1:2", "leaky_relu": "leaky_relu:0.1"}.get(name, name)
    if name in ("hermite", "monomial", "rectified_monomial"):
        shaped = f"{name}:2"
    assert activation(shaped).expr.free_symbols == {X}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__import__('os').system('touch pwned')", "unexpected"),
        ("__import__", "unknown activation"),
        ("x.__class__", "unexpected '.'"),
        ("x.real", "unexpected '.'"),
        ("(1).__class__", "unexpected"),
        ("x[0]", "unexpected '['"),
        ("lambda: 1", "unexpected ':'"),
        ("eval(x)", "unknown name 'eval'"),
        ("exec(x)", "unknown name 'exec'"),
        ("x**99999999", "exponents are integers up to 12"),
        ("9**9**9**9", "towers"),
        ("(x**12)**2", "powers go up to 12"),
        ("((9**12)**12)**12", "beyond 1e50"),
        ("x**x", "exponents are integers"),
        ("x**0.5", "exponents are integers"),
        ("1/0", "division by zero"),
        ("0**-1", "division by zero"),
        ("x/(x-x)", "division by zero"),
        ("1e99*x", "between 1e-12 and 1e12"),
        ("x +", "ends too early"),
        ("(x", "missing ')'"),
        ("x)", "unexpected ')'"),
        ("sin x", "needs an argument"),
        ("max(x)", "takes 2 argument"),
        ("sin(x, x)", "takes 1 argument"),
        ("y + 1", "unknown name 'y'"),
        ("rleu", "unknown activation 'rleu'; choose from identity, relu"),
        ("", "empty"),
        ("   ", "empty"),
        ("(" * 60 + "x" + ")" * 60, "nested too deeply"),
        ("-" * 60 + "x", "nested too deeply"),
        ("x+" * 200 + "x", "longer than 300"),
        ("x + \u03c0", "outside ASCII"),
        ("log(-1)*x", "no real number"),
        ("relu:1", "takes 0 parameter"),
        ("leaky_relu:a", "takes numbers"),
        ("gaussian:1e99999", "takes numbers"),
        ("exp:1e40", "must be between"),
        ("hermite:13", "a degree from 0 to 12"),
        ("hermite", "a degree from 0 to 12"),
        ("monomial:-1", "a degree from 0 to 12"),
    ],
)
def test_refused_in_one_line(text: str, says: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ActivationError) as caught:
        activation(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_expressions_need_one_symbol() -> None:
    x, y = sympy.symbols("x y")
    with pytest.raises(ActivationError, match="one symbol, got x, y"):
        activation(x * y)
    with pytest.raises(ActivationError, match="a name, text or a sympy expression"):
        activation(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("relu", 1),
        ("leaky_relu:0.2", 1),
        ("abrelu:-3:2", 3),
        ("abs", 1),
        ("erf", 2 / sympy.sqrt(sympy.pi)),
        ("tanh", 1),
        ("sigmoid", sympy.Rational(1, 4)),
        ("softplus", 1),
        ("sin", 1),
        ("cos", 1),
        ("sin(3*x + 1)/2", sympy.Rational(3, 2)),
        ("gaussian:-1", sympy.sqrt(2) * sympy.exp(-sympy.Rational(1, 2))),
        ("gelu", sympy.Rational(1, 2) + sympy.erf(1) / 2 + sympy.exp(-1) / sympy.sqrt(sympy.pi)),
        ("sign", sympy.oo),
        ("exp:0.5", sympy.oo),
        ("hermite:2", sympy.oo),
        ("rectified_monomial:2", sympy.oo),
        ("x*exp(x)", sympy.oo),
        ("silu", None),
    ],
)
def test_lipschitz_constants(name: str, constant: object) -> None:
    found = activation(name).lipschitz
    assert (
        found is None
        if constant is None
        else sympy.N(found - constant, 20) == pytest.approx(0) or (found == constant)
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max(log(0), x)", "no real number"),
        ("max(log(-1), x)", "no real number"),
        ("max(sqrt(cos(2)), x)", "no real number"),
        ("cos(exp(1e12))*x", "a number beyond 1e50"),
        ("x*exp(exp(exp(1000)))", "a number beyond 1e50"),
    ],
)
def test_functions_of_numbers_are_looked_at_before_they_are_used(text: str, says: str) -> None:
    with pytest.raises(ActivationError, match=says):
        activation(text)
