"""Laws of trained weights, against derivatives of whole networks and enumeration."""

from itertools import pairwise

import pytest
from sympy import Matrix, Max, Symbol, diff, exp, log, simplify, symbols

from theory.reconstruction import LAWS
from theory.reconstruction.multipliers import LOSSES, cross_entropy_multiplier, multiplier
from theory.reconstruction.network import outputs, sensitivities, weight_gradients


def matrix(name: str, rows: int, columns: int) -> Matrix:
    return Matrix(rows, columns, lambda i, j: Symbol(f"{name}{i}{j}", real=True))


def weighted(sizes: tuple[int, ...]) -> list[Matrix]:
    return [matrix(f"w{k}_", b, a) for k, (a, b) in enumerate(pairwise(sizes))]


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_written(name: str) -> None:
    law = LAWS[name]()
    assert law.title in law.text()
    assert law.latex()
    assert all(str(step.expression) not in ("True", "False") for step in law.steps)


def test_what_is_passed_back_is_the_gradient() -> None:
    """Of a network of three layers with cubes as activations, two samples, two outputs."""
    weights, x, lam = weighted((2, 2, 2, 2)), matrix("x", 2, 2), matrix("l", 2, 2)
    rows = outputs(weights, x, lambda h: h.applyfunc(lambda z: z**3))
    slopes = [(rows[k] @ weights[k].T).applyfunc(lambda z: 3 * z**2) for k in (0, 1)]
    gated = [lambda d, s=s: d.multiply_elementwise(s) for s in slopes]
    parts = weight_gradients(sensitivities(weights, gated, lam), rows[:-1])
    total = sum(lam.multiply_elementwise(rows[-1]))
    values = {s: 0.1 + 0.07 * k for k, s in enumerate(sorted(total.free_symbols, key=str))}
    for weight, part in zip(weights, parts, strict=True):
        for entry, value in zip(weight, part, strict=True):
            assert float(value.subs(values)) == pytest.approx(
                float(diff(total, entry).subs(values))
            )


@pytest.mark.parametrize("loss", LOSSES)
def test_multipliers_are_slopes_over_n_decay(loss: str) -> None:
    law = multiplier(loss)
    f = next(s for s in law.symbols if str(s) == "f")
    place = {"y": -1.0, "n": 3, "rho": 0.1, "c": 0.5}
    for at in (-2.0, -0.9, 0.3, 1.7):
        values = {s: place[str(s)] for s in law.statement.free_symbols if str(s) in place}
        slope = (
            LOSSES[loss].subs(values).subs(f, at + 1e-6)
            - LOSSES[loss].subs(values).subs(f, at - 1e-6)
        ) / 2e-6
        assert float(law.value.subs(values).subs(f, at)) == pytest.approx(
            -float(slope) / 0.3, abs=1e-7
        )
    with pytest.raises(ValueError, match="choose from squared, huber, logistic"):
        multiplier("hinge")


def test_cross_entropy_multipliers_are_those_of_three_written_out() -> None:
    f = symbols("f1:4", real=True)
    loss = log(sum(map(exp, f))) - f[1]
    law = cross_entropy_multiplier()
    names = {str(s): s for s in law.symbols}
    values = []
    for m in range(3):
        put = {names["f_m"]: f[m], names["t_m"]: int(m == 1), names["Z"]: sum(map(exp, f))}
        values.append(law.value.subs(put))
        n, rho = names["n"], names["rho"]
        assert simplify(values[-1] + diff(loss, f[m]) / (n * rho)) == 0
    assert simplify(sum(values)) == 0


def test_margin_multipliers_are_a_lagrangian_s() -> None:
    law = LAWS["margin-multiplier"]()
    names = {str(s): s for s in law.symbols}
    f, mu = symbols("f1:4", real=True), symbols("mu1:4", real=True)
    pull = sum(mu[j] * (f[1] - f[j]) for j in (0, 2))
    for m in range(3):
        put = {
            names["mu_m"]: 0 if m == 1 else mu[m],
            names["t_m"]: int(m == 1),
            names["Z"]: mu[0] + mu[2],
        }
        assert simplify(law.value.subs(put) - diff(pull, f[m])) == 0


def test_euler_s_identity_for_a_relu_network() -> None:
    weights = [Matrix([[1, -2], [3, 1]]) / 7, Matrix([[2, -5]]) / 3]
    t = Symbol("t", positive=True)
    x = Matrix([[3, 1]])

    def f(first, second):
        return outputs(
            [first * weights[0], second * weights[1]], x, lambda h: h.applyfunc(lambda e: Max(0, e))
        )[-1][0]

    for scaled, degree in ((f(t, 1), 1), (f(1, t), 1), (f(t, t), 2)):
        assert diff(scaled.subs(Symbol("t", positive=True), t), t).subs(t, 1) == degree * f(1, 1)


def test_two_units_give_a_sample_away() -> None:
    """Rows made of three samples by their gates, one of which differs."""
    x, lam = [Matrix([[1, 4, 1]]), Matrix([[2, -1, 1]]), Matrix([[-3, 5, 1]])], (2, -1, 3)
    rows = [
        sum((k * s * v for k, s, v in zip(lam, g, x, strict=True)), Matrix([[0, 0, 0]]))
        for g in ((1, 1, 0), (1, 0, 0))
    ]
    gap = rows[0] - rows[1]
    law = LAWS["two-units"]()
    assert [law.at(D_e=gap[e], D_1=gap[2]).rhs for e in (0, 1)] == list(x[1][:2])


def test_a_gate_at_a_kink_puts_the_sample_there() -> None:
    x, other = Matrix([2, 1, 1]), Matrix([1, -1, 1])
    law = LAWS["kink"]()
    gate = law.at(v=other.dot(x), c=-3, q=x.dot(x)).rhs
    assert 0 < gate < 1
    assert (other + gate * -3 * x).dot(x) == 0
