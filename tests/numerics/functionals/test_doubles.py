"""Compiled functionals: equal to the expressions they come from, in value and in gradient."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from numerics import cross_check
from numerics.functionals.doubles import compile_program, evaluator
from numerics.nests.grids import ResolutionError
from theory import ABP, SBP, SK, SphericalPerceptron, UPerceptron, ZeroOnePerceptron, free_energy
from theory.thresholds.asymptotics import infinite_exponent_limit
from verify import kappas, models, order_parameters


def at(fe, point, **options):
    ev = evaluator(fe)
    return ev(ev.coordinates.from_order_parameters(point), **options)


def mpmath_reference(fe) -> dict:
    """The functions of the module that theory writes: nested quadrature, nothing compiled."""
    names: dict = {}
    exec(fe.python(), names)
    return names


# -- value -----------------------------------------------------------------------------------------


@given(st.data(), models(kinds=["sbp"]))
@settings(max_examples=8)
def test_level_three_is_theorys_python_module(data, model):
    fe = free_energy(model, 3)
    point = data.draw(order_parameters(fe))
    with mpmath.workdps(20):
        reference = mpmath_reference(fe)["alpha"](**point)
    assert at(fe, point, gradient=False).value == pytest.approx(float(reference), rel=1e-12)


@pytest.mark.slow
def test_level_four_is_theorys_python_module(recorded):
    fe = free_energy(SBP(1), 4)
    with mpmath.workdps(12):
        reference = mpmath_reference(fe)["alpha"](**recorded[4])
    assert at(fe, recorded[4], gradient=False).value == pytest.approx(float(reference), rel=1e-10)


@pytest.mark.long
@given(st.data(), st.integers(3, 5), models(kinds=["sbp"]))
@settings(max_examples=10)
def test_another_quadrature_agrees(data, level, model):
    fe = free_energy(model, level)
    point = data.draw(order_parameters(fe))
    found = at(fe, point, gradient=False)
    other = cross_check(fe, point)
    # the other quadrature is good to 1e-15 absolutely in En, which is of order 1/alpha
    assert found.value == pytest.approx(other, rel=1e-11 + 1e-15 * found.value)


@given(st.data(), models(kinds=["sbp"]))
@settings(max_examples=10)
def test_any_order_of_the_exponents_agrees_too(data, model):
    """Where the functional may be negative, and -Ent/En cancels."""
    fe = free_energy(model, 4)
    point = data.draw(order_parameters(fe, ordered=False))
    found, other = at(fe, point, gradient=False), cross_check(fe, point)
    energy = float(fe.model.kappa) ** 2 + 1.0  # the scale on which Ent and alpha are rounded
    assert abs(found.value - other) < 1e-10 * (abs(other) + energy)


@given(st.data(), st.integers(3, 5), models(kinds=["sbp"]))
@settings(max_examples=15)
def test_refinement_moves_no_value(data, level, model):
    fe = free_energy(model, level)
    ev = evaluator(fe)
    coords = ev.coordinates.from_order_parameters(data.draw(order_parameters(fe)))
    value = ev(coords, gradient=False).value
    for finer in (ev.with_grid(coarsen=0.5), ev.with_grid(tolerance=1e-19)):
        assert finer(coords, gradient=False).value == pytest.approx(value, rel=3e-13)


@pytest.mark.parametrize("level", [3, 4, 5])
@given(data=st.data(), kappa=kappas(0.25, 4.0), more=st.floats(1.001, 1.25))
@settings(max_examples=10)
def test_at_every_point_alpha_grows_with_the_margin(level, data, kappa, more):
    """P and with it En = log P grow, and the entropy does not know kappa."""
    fe = free_energy(SBP(kappa), level)
    point = data.draw(order_parameters(fe))
    value = at(fe, point, gradient=False).value
    wider = at(free_energy(SBP(float(kappa) * more), level), point, gradient=False).value
    assert (wider - value) * value > 0.0


# -- embedding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [3, 4, 5])
@given(data=st.data(), model=models(kinds=["sbp"]))
@settings(max_examples=10)
def test_a_level_embeds_in_the_next(level, data, model):
    """Equal exponents of neighbouring liftings merge them, wherever the new one is put in."""
    low, high = free_energy(model, level), free_energy(model, level + 1)
    point = data.draw(order_parameters(low, ratios=(1.05, 3.0)))
    k = data.draw(st.integers(0, level - 3))
    share_p, share_q = (data.draw(st.floats(0.1, 0.9)) for _ in range(2))
    p, q, s = ([point[str(x)] for x in group] for group in (low.p, low.q, low.c))
    below_p, below_q = (*p[1:], 0.0)[k], (*q[1:], 0.0)[k]
    p.insert(k + 1, below_p + share_p * (p[k] - below_p))
    q.insert(k + 1, below_q + share_q * (q[k] - below_q))
    s.insert(k, s[k])
    names = map(str, high.order_parameters)
    wider = dict(zip(names, (*p, *q, *s), strict=True))
    value = at(low, point, gradient=False).value
    assert at(high, wider, gradient=False).value == pytest.approx(value, rel=1e-11)


def test_a_level_embeds_in_the_next_with_an_idle_lifting(recorded):
    """Without its own increments a lifting does nothing, whatever its exponent."""
    low, high = (evaluator(free_energy(SBP(1), level)) for level in (4, 5))
    gaps = low.coordinates.gaps(low.coordinates.from_order_parameters(recorded[4]))
    p, q, s = gaps[:3], gaps[3:5], gaps[5:]
    wider = np.concatenate((p[:2], [0.0], p[2:], q[:1], [0.0], q[1:], s[:1], [7.0], s[1:]))
    value = low.at_gaps(gaps, gradient=False).value
    assert high.at_gaps(wider, gradient=False).value == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("kappa", ["0.3", "1", "4"])
def test_level_three_contains_level_two(kappa):
    """As p_2 and Q_2 go to 0 together, Q_2 of the order of p_2."""
    two = float(free_energy(SBP(kappa), 2).expr)
    ev = evaluator(free_energy(SBP(kappa), 3))
    distances = []
    for small in (1e-2, 1e-3, 1e-4):
        point = {"p_2": small, "Q_2": small, "s_2": 2.0}
        value = ev(ev.coordinates.from_order_parameters(point), gradient=False).value
        distances.append(abs(value / two - 1.0))
    assert distances[2] < 0.2 * distances[1] < 0.04 * distances[0]


# -- gradient --------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [3, 4, 5])
@given(data=st.data(), model=models(kinds=["sbp"]))
@settings(max_examples=6)
def test_the_gradient_is_the_derivative(level, data, model):
    fe = free_energy(model, level)
    ev = evaluator(fe)
    coords = ev.coordinates.from_order_parameters(data.draw(order_parameters(fe)))
    found = ev(coords)
    scale = abs(found.value) + np.abs(found.gradient).max()
    for i in range(coords.size):
        step = np.zeros_like(coords)
        step[i] = 2e-3
        first, second = (
            ev(coords + k * step, gradient=False).value
            - ev(coords - k * step, gradient=False).value
            for k in (1, 2)
        )
        numeric = (8.0 * first - second) / 0.024
        assert found.gradient[i] == pytest.approx(numeric, rel=1e-6, abs=1e-8 * scale)


@pytest.mark.long
def test_the_gradient_is_theorys_stationarity(symbolic_value):
    """Derivatives in p_2, Q_2, s_2 as Gibbs averages, by mpmath, through the chain rule by hand."""
    fe, p, q, s = free_energy(SBP(0.5), 3), 0.7, 0.4, 6.0
    point = dict(zip(fe.order_parameters, (p, q, s), strict=True))
    found = at(fe, {str(x): value for x, value in point.items()})
    assert found.value == pytest.approx(symbolic_value(fe.expr, point), rel=1e-13)
    # coordinates log((1 - p)/p), log Q, log s
    jacobian = (-p * (1.0 - p), q, s)
    for slope, factor, derivative in zip(
        found.gradient, jacobian, fe.stationarity().values(), strict=True
    ):
        assert slope == pytest.approx(factor * symbolic_value(derivative, point), rel=1e-10)


@given(st.data(), models(kappas(0.1, 0.5), kinds=["sbp"]))
@settings(max_examples=5)
def test_limit_functionals_have_gradients_too(data, model):
    """The functional with its outermost exponent at infinity, with its field H."""
    fe = infinite_exponent_limit(free_energy(model, 4))
    point = data.draw(order_parameters(fe))
    program = compile_program(infinite_exponent_limit(free_energy(model.generic, 4)))
    from numerics.functionals.doubles import Evaluator

    ev = Evaluator(program, {"kappa": float(model.kappa)})
    coords = ev.coordinates.from_order_parameters(point)
    found = ev(coords)
    scale = abs(found.value) + np.abs(found.gradient).max()
    for i in range(coords.size):
        step = np.zeros_like(coords)
        step[i] = 1e-4
        numeric = (ev(coords + step).value - ev(coords - step).value) / 2e-4
        assert found.gradient[i] == pytest.approx(numeric, rel=1e-5, abs=1e-6 * scale)


def test_the_limit_functional_is_the_limit():
    """At the same p, with Q = H/(sqrt(p) s): the distance falls like log(s)/s."""
    model = SBP("0.2")
    limit = infinite_exponent_limit(free_energy(model, 3))
    (p,) = limit.order_parameters
    expected = float(limit.expr.subs(p, 0.95))
    ev = evaluator(free_energy(model, 3))
    field = math.atanh(math.sqrt(0.95))
    distances = []
    for s in (1e6, 1e7, 1e8, 1e9):
        point = {"p_2": 0.95, "Q_2": field / math.sqrt(0.95) / s, "s_2": s}
        value = ev(ev.coordinates.from_order_parameters(point), gradient=False).value
        distances.append(abs(value - expected) * s / math.log(s))
    assert distances == pytest.approx([distances[-1]] * 4, rel=0.5)
    assert distances[-1] * math.log(1e9) / 1e9 < 1e-8


# -- the evaluator ---------------------------------------------------------------------------------


def test_an_evaluator_counts_what_it_does(recorded):
    ev = evaluator(free_energy(SBP(1), 4))
    coords = ev.coordinates.from_order_parameters(recorded[4])
    first, second = ev(coords), ev(coords, gradient=False)
    assert ev.evaluations == 2
    assert ev.exponentials == first.exponentials + second.exponentials
    assert ev.products == first.products + second.products
    assert second.gradient.size == 0
    assert second.value == first.value


def test_an_evaluator_keeps_what_with_grid_does_not_name():
    ev = evaluator(free_energy(SBP("0.7"), 3), tolerance=1e-9, coarsen=1.5)
    other = ev.with_grid(work_limit=1000)
    assert (other.tolerance, other.coarsen, other.work_limit) == (1e-9, 1.5, 1000)
    assert other.parameters == ev.parameters == (0.7,)
    assert other.evaluations == 0


def test_a_work_limit_reaches_the_nests(recorded):
    ev = evaluator(free_energy(SBP(1), 5)).with_grid(work_limit=100)
    with pytest.raises(ResolutionError):
        ev(ev.coordinates.from_order_parameters(recorded[5]))


def test_programs_are_shared_by_all_margins():
    assert (
        evaluator(free_energy(SBP(1), 4)).program is evaluator(free_energy(SBP("0.3"), 4)).program
    )


def test_a_symbolic_margin_is_refused():
    with pytest.raises(ValueError, match="sbp needs a number for kappa") as caught:
        evaluator(free_energy(SBP(), 3))
    assert "\n" not in str(caught.value)


@given(st.data())
@settings(max_examples=5)
def test_values_are_reproduced_to_the_bit(data):
    fe = free_energy(SBP(1), 4)
    point = data.draw(order_parameters(fe))
    first, second = at(fe, point), at(fe, point)
    assert first.value == second.value
    np.testing.assert_array_equal(first.gradient, second.gradient)


# -- other models ----------------------------------------------------------------------------------


def points_of(fe, data) -> dict[str, float]:
    """A point of any functional: `verify.order_parameters` knows the chains and the exponents."""
    point = data.draw(order_parameters(fe, ordered=fe.is_capacity, gaps=(0.02, 1.0)))
    if "gamma_x" in point:  # the sphere's nest is finite for a large enough multiplier
        point["gamma_x"] += sum(value for name, value in point.items() if name.startswith("c_"))
    return point


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "level"),
    [
        (ABP("-0.4"), 2),
        (ABP(0), 3),
        (ABP("0.3"), 4),
        (UPerceptron("0.6"), 3),
        (UPerceptron(1), 4),
        (SK(), 3),
        (SK(), 4),
        (SphericalPerceptron("0.5"), 2),
        (SphericalPerceptron(0), 3),
        (ABP("0.2", alpha=1), 2),
        (SBP("0.8", alpha=2), 3),
        (UPerceptron("0.5", alpha=1), 3),
    ],
    ids=str,
)
@given(data=st.data())
@settings(max_examples=3)
def test_every_model_agrees_with_another_quadrature(model, level, data):
    """Capacities and ground states, even and not, log-concave and not; and refined grids move nothing."""
    fe = free_energy(model, level)
    point = points_of(fe, data)
    ev = evaluator(fe)
    coords = ev.coordinates.from_order_parameters(point)
    found = ev(coords)
    size = max(1.0, abs(found.value))
    assert abs(found.value - cross_check(fe, point)) < 1e-11 * size
    for finer in (ev.with_grid(coarsen=0.5), ev.with_grid(tolerance=1e-19)):
        assert abs(finer(coords, gradient=False).value - found.value) < 1e-12 * size
    scale = size + np.abs(found.gradient).max()
    for i in range(coords.size):
        step = np.zeros_like(coords)
        step[i] = 1e-3
        first, second = (
            ev(coords + k * step, gradient=False).value
            - ev(coords - k * step, gradient=False).value
            for k in (1, 2)
        )
        numeric = (8.0 * first - second) / 0.012
        assert found.gradient[i] == pytest.approx(numeric, rel=1e-6, abs=1e-8 * scale)


def test_krauth_and_mezard():
    """Level 2 of the asymmetric perceptron at kappa = 0: two quenched nests, one of them one-sided."""
    fe = free_energy(ABP(0), 2)
    ev = evaluator(fe)
    start = ev.coordinates.from_order_parameters({"p_2": 0.6, "Q_2": 2.5})
    found = optimize.root(lambda coords: ev(coords).gradient, start, tol=1e-13)
    assert np.abs(ev(found.x).gradient).max() < 1e-13
    assert ev(found.x).value == pytest.approx(0.8330785997, abs=1e-10)
    # a saddle: one direction down, one up
    step = 1e-4
    rows = [(ev(found.x + step * e).gradient - ev(found.x - step * e).gradient) for e in np.eye(2)]
    assert np.prod(np.linalg.eigvalsh(np.array(rows) + np.array(rows).T)) < 0.0


def test_a_quenched_outermost_average_is_not_cut(recorded):
    """What lies below exp(-1000) inside of it counts: the far left of a one-sided constraint's average."""
    fe = free_energy(ABP(0), 3)
    point = {"p_2": 0.998, "p_3": 0.5, "Q_2": 3.0, "Q_3": 1.2, "s_2": 6.0}
    ev = evaluator(fe)
    gaps = ev.coordinates.gaps(ev.coordinates.from_order_parameters(point))
    index = next(i for i, nest in enumerate(ev.program.nests) if not nest.leaf.even)
    value = ev.nest(index, gaps).value
    # E of the leaf's leading term alone, -(h - kappa)^2/2v on the left, is already -90
    assert value < -0.1
    assert ev.with_grid(tolerance=1e-19).nest(index, gaps).value == pytest.approx(value, rel=1e-14)
    assert at(fe, point, gradient=False).value == pytest.approx(cross_check(fe, point), rel=1e-12)


@pytest.mark.parametrize(
    "model", [SBP(1), ABP(0), UPerceptron(1), SphericalPerceptron(-1), ZeroOnePerceptron(0), SK()]
)
def test_an_expansion_has_the_hessian_of_the_functional(model):
    fe = free_energy(model, 4)
    ev = evaluator(fe)
    rng = np.random.default_rng(1)
    coords = 0.3 * rng.standard_normal(len(fe.order_parameters))
    near = ev.expanded(coords)
    assert near is not None
    before, here = ev.evaluations, ev(coords)
    there = near(coords)
    assert there.value == pytest.approx(here.value, rel=1e-13)
    assert there.gradient == pytest.approx(here.gradient, abs=1e-12 * np.abs(here.gradient).max())
    step = 2e-4
    rows = [
        [(f(coords + step * unit).gradient - f(coords - step * unit).gradient) / (2.0 * step)
         for unit in np.eye(coords.size)]
        for f in (near, ev)
    ]  # fmt: skip
    np.testing.assert_allclose(rows[0], rows[1], rtol=0.0, atol=1e-6 * np.abs(rows).max())
    assert ev.evaluations == before + 1 + 2 * coords.size


def test_there_is_no_expansion_where_a_nest_is_rare():
    fe = free_energy(SBP(10), 3)
    ev = evaluator(fe)
    assert ev.expanded(np.zeros(len(fe.order_parameters))) is None
