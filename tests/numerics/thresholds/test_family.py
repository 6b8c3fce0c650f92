"""Every model of the theory: known values, laws of the levels, kinds of stationary points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import integrate, optimize, special
from sympy import Expr, Max

from numerics import Solution, cross_check, solve, solve_levels
from numerics.thresholds.objective import ascents
from theory import (
    ABP,
    SBP,
    SK,
    BinaryPrior,
    Constraint,
    DiscretePrior,
    Hopfield,
    Model,
    OneSidedConstraint,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
    parameter,
)
from theory.thresholds.finite_exponents import without_quenched_average

FAMILY: dict[str, tuple[Model, int]] = {
    "abp": (ABP(0), 3),
    "abp, kappa = -1/2": (ABP("-0.5"), 3),
    "sk": (SK(), 3),
    "hopfield": (Hopfield(1, 1), 3),
    "negative hopfield": (Hopfield(-1, 1), 3),
    "spherical": (SphericalPerceptron(-1), 2),
    "u": (UPerceptron(1), 3),
}


@pytest.fixture(scope="module")
def family() -> Callable[[str], list[Solution]]:
    """Levels of one of the models, solved once."""
    found: dict[str, list[Solution]] = {}

    def at(name: str) -> list[Solution]:
        model, highest = FAMILY[name]
        if name not in found:
            lowest = 1 if model.is_finite else 2
            found[name] = list(solve_levels(model, range(lowest, highest + 1)))
        return found[name]

    return at


# -- values that are known otherwise ---------------------------------------------------------------


def gaussian(function: Callable[[float], float]) -> float:
    """E function(U) by scipy's adaptive quadrature."""
    density = 1.0 / math.sqrt(2.0 * math.pi)
    value, _ = integrate.quad(
        lambda u: function(u) * density * math.exp(-0.5 * u * u), -12, 12, epsabs=1e-13, limit=200
    )
    return value


def krauth_mezard(kappa: float) -> float:
    """Capacity of the binary perceptron from the equations of 1989, solved by themselves.

    q = E tanh^2(sqrt(Q) U) and Q = alpha/(1 - q) E (phi/H)^2((kappa - sqrt(q) U)/sqrt(1 - q)), at zero
    entropy.
    """

    def terms(q_hat: float) -> tuple[float, float]:
        q = gaussian(lambda u: math.tanh(math.sqrt(q_hat) * u) ** 2)
        ratio = gaussian(
            lambda u: (
                math.exp(
                    -0.5 * (t := (kappa - math.sqrt(q) * u) / math.sqrt(1.0 - q)) ** 2
                    - special.log_ndtr(-t)
                )
                ** 2
            )
        ) / (2.0 * math.pi)
        alpha = q_hat * (1.0 - q) / ratio
        energy = gaussian(
            lambda u: float(special.log_ndtr(-(kappa - math.sqrt(q) * u) / math.sqrt(1.0 - q)))
        )
        entropy = -0.5 * q_hat * (1.0 - q) + gaussian(
            lambda u: float(np.logaddexp(math.sqrt(q_hat) * u, -math.sqrt(q_hat) * u))
        )
        return alpha, entropy + alpha * energy

    root = optimize.brentq(lambda q_hat: terms(q_hat)[1], 0.3, 12.0, xtol=1e-13)
    return terms(float(root))[0]


@pytest.mark.parametrize("kappa", [0.0, -0.5, 0.7])
def test_krauth_and_mezard(kappa):
    """Against the saddle-point equations, which know nothing of a functional."""
    found = solve(ABP(kappa), 2)
    assert found.value == pytest.approx(krauth_mezard(kappa), rel=1e-10)
    assert found.inertia == 1


def test_krauth_and_mezards_number():
    assert solve(ABP(0), 2).value == pytest.approx(0.8330785997, rel=1e-9)


@pytest.mark.parametrize("kappa", ["0", "0.5", "2"])
def test_cover_and_gardner(kappa):
    """Exact at level 1 for kappa >= 0, and lifting adds nothing."""
    expected = 1.0 / gaussian(lambda u: max(float(kappa) + u, 0.0) ** 2)
    one, two = solve_levels(SphericalPerceptron(kappa), [1, 2])
    assert one.value == pytest.approx(expected, rel=1e-9)
    assert two.branch == "merged"
    assert two.value == one.value
    assert "merge" in two.note


@pytest.mark.long
def test_the_spherical_capacity_is_where_the_ground_state_vanishes(family):
    """The energy route and the capacity route, at level 2."""
    capacity = family("spherical")[1]
    below, above = (
        solve(SphericalPerceptron(-1, alpha=capacity.value * (1 + shift)), 2)
        for shift in (-1e-7, 1e-7)
    )
    assert (below.value, below.branch) == (0.0, "satisfiable")
    assert 0.0 < above.value < 1e-7
    assert above.q == pytest.approx(capacity.q, rel=1e-4)


def test_sk_falls_towards_parisis_value(family):
    values = [s.value for s in family("sk")]
    assert values[0] == pytest.approx(math.sqrt(2.0 / math.pi), rel=1e-15)
    assert values[1] == pytest.approx(0.7652594, abs=1e-7)
    assert values[2] == pytest.approx(0.7636080, abs=1e-7)
    steps = [value - 0.7631667265 for value in values]
    assert all(0.0 < b < 0.3 * a for a, b in itertools.pairwise(steps))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "printed"), [(Hopfield(1, 1), 1.7784), (Hopfield(-1, 1), 0.3281)], ids=str
)
def test_hopfield_at_level_six(model, printed):
    assert solve(model, 6, digits=10).value == pytest.approx(printed, abs=1e-4)


# -- laws ------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILY)
def test_levels_improve_on_each_other(family, name):
    """Upper bounds fall and lower ones (sign -1, ground states) rise."""
    found = family(name)
    rising = found[0].model.sign == -1 and found[0].symbol == "xi"
    steps = np.diff([s.value for s in found])
    assert (steps > 0.0).all() if rising else (steps < 0.0).all()
    assert all(s.branch in ("closed form", "finite") for s in found)


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILY)
def test_inertia_is_that_of_the_physical_point(family, name):
    for s in family(name):
        if s.branch != "finite":
            continue
        fe = free_energy(s.model, s.level)
        if s.is_finite and len(s.q) < len(fe.q):
            fe = without_quenched_average(fe)
        turned = s.is_finite and s.model.sign == -1 and s.symbol == "xi"
        negative = len(s.hessian_eigenvalues) - s.inertia if turned else s.inertia
        assert negative == ascents(fe, s.c)
        assert s.gradient_norm < 1e-9
        assert "found" in s.reason


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILY)
def test_another_quadrature_agrees(family, name):
    s = family(name)[-1]
    fe = free_energy(s.model, s.level)
    if s.is_finite and len(s.q) < len(fe.q):
        fe = without_quenched_average(fe)
    other = cross_check(fe, s.order_parameters)
    assert other == pytest.approx(s.value, rel=1e-10)


def test_exponents_come_in_any_order(family):
    assert family("sk")[2].ordering == "decreasing"
    assert family("hopfield")[2].ordering == "decreasing"
    assert family("negative hopfield")[2].ordering == "increasing"
    assert family("abp")[1].ordering == "increasing"
    assert family("sk")[1].ordering == ""


def test_a_trivial_outermost_average_is_found_out(family):
    """Zero overlap outermost for the negative Hopfield model, not for the positive one."""
    assert len(family("negative hopfield")[2].q) == 1
    assert len(family("hopfield")[2].q) == 2
    reduced = [b for b in family("hopfield")[2].branches if len(b.q) == 1]
    assert all(b.value > family("hopfield")[2].value for b in reduced)


def test_a_users_model_is_solved_like_any_other():
    """A window beside 0, in six lines: one-sided on either side."""

    @dataclass(frozen=True)
    class Window(Constraint):
        kappa: Expr = parameter("kappa", positive=True)  # noqa: RUF009

        def leaf(self, h, gamma):
            return Max(-h, h - self.kappa, 0) ** 2 / (4 * gamma)

    two, three = solve_levels(Model("window", BinaryPrior(), Window(2)), [2, 3])
    one_sided = solve(ABP(0), 2)
    assert three.value < two.value < one_sided.value, "a window is harder than a half-line"
    assert two.inertia == three.inertia == 1


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "level", "message"),
    [
        (SK(), 0, "level must be at least 1"),
        (ABP(0), 1, "use level >= 2"),
        (ABP(), 2, "abp needs a number for kappa"),
        (Hopfield(1), 2, "hopfield needs a number for alpha"),
    ],
)
def test_bad_input(model, level, message):
    with pytest.raises(ValueError, match=message):
        solve(model, level)


# -- weights whose norm is free --------------------------------------------------------------------


def test_zero_one_weights_have_the_capacity_of_gutfreund_and_stein():
    """alpha_c = 0.59 at kappa = 0 for {0, 1}, 1.17 for {-1, 0, 1} (J. Phys. A 23, 2613, 1990)."""
    levels = list(solve_levels(ZeroOnePerceptron(0), [2, 3]))
    assert round(levels[0].value, 2) == 0.59
    assert levels[1].value < levels[0].value
    assert [s.inertia for s in levels] == [2, 2]
    ternary = Model("ternary", DiscretePrior((-1, 0, 1)), OneSidedConstraint(0))
    assert round(solve(ternary, 2).value, 2) == 1.17


def test_the_norm_of_zero_one_weights_is_the_best_there_is():
    """Fixed p_1: w is the fugacity of that norm, and no norm has a larger capacity."""
    best = solve(ZeroOnePerceptron(0), 2)
    table = best.order_parameters
    # w d/dw and d/dp_1 of the entropy, by another quadrature: p_1 = E of the occupied share
    root = math.sqrt(table["Q_2"])
    share = gaussian(lambda u: 1.0 / (1.0 + math.exp(-root * u) / table["w"]))
    assert share == pytest.approx(table["p_1"], rel=1e-11)
    overlap = gaussian(lambda u: (1.0 + math.exp(-root * u) / table["w"]) ** -2)
    assert overlap == pytest.approx(table["p_2"], rel=1e-11)


def test_ground_states_with_a_free_norm_are_refused():
    with pytest.raises(ValueError, match="leave alpha out"):
        solve(ZeroOnePerceptron(0, alpha=2), 2)


# -- ground states below capacity ------------------------------------------------------------------


@pytest.mark.parametrize("model", [SBP(1, alpha="1.6"), ABP(0, alpha="0.7")], ids=str)
def test_below_capacity_the_energy_is_zero(model):
    for solution in solve_levels(model, [2, 3]):
        assert solution.branch == "satisfiable"
        assert solution.value == 0.0
        assert "capacity" in solution.reason


@pytest.mark.long
def test_the_energy_vanishes_where_the_capacity_is():
    """The energy falls to 0 as alpha falls to the level's capacity (level 2 of the ABP)."""
    capacity = solve(ABP(0), 2).value
    energies = [solve(ABP(0, alpha=capacity * (1 + 2.0**-k)), 2).value for k in (2, 3, 4)]
    assert all(a > b > 0 for a, b in itertools.pairwise(energies))
    # the energy goes to zero faster than linearly
    assert energies[1] / energies[0] < 0.5
    assert energies[2] / energies[1] < 0.5


def test_the_capacity_divides_satisfiable_from_not():
    """A per cent on either side of the level's capacity."""
    capacity = solve(ABP(0), 2).value
    below, above = (solve(ABP(0, alpha=capacity * x), 2) for x in (0.99, 1.01))
    assert (below.branch, above.branch) == ("satisfiable", "finite")
    assert 0.0 == below.value < above.value < 1e-3
