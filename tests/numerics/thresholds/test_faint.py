"""Levels whose outermost overlaps are too faint for a search."""

from __future__ import annotations

import math

import mpmath
import pytest

from numerics import solve
from numerics.errors import ResolutionError
from numerics.thresholds.faint.pair import completed, has_quenched_pair, is_faint, reduced
from numerics.thresholds.search import search
from numerics.thresholds.settle import closed_form, refine
from theory import ABP, SBP, SphericalPerceptron, free_energy
from theory.thresholds.finite_exponents import without_outermost_pair


def _without(model, level):
    """The level at p_r = q_r = 0, in doubles."""
    fe = without_outermost_pair(free_energy(model, level))
    if not fe.order_parameters:
        return closed_form(fe)
    below = free_energy(model, level - 1)
    return search(fe, closed_form(below), lambda *_: None)


def test_has_quenched_pair_only_where_the_last_average_is_quenched():
    assert has_quenched_pair(free_energy(ABP(-5), 2))
    assert has_quenched_pair(free_energy(SphericalPerceptron(-5), 2))
    assert not has_quenched_pair(free_energy(SBP(1), 3))
    assert not has_quenched_pair(without_outermost_pair(free_energy(SphericalPerceptron(-5), 2)))


@pytest.mark.parametrize(
    "model", [ABP(-4), pytest.param(SphericalPerceptron(-4), marks=pytest.mark.long)]
)
def test_completed_is_the_level_to_leading_order(model):
    level, point = solve(model, 2), _without(model, 2)
    whole, pair = completed(point, 12)
    for name, value in level.order_parameters.items():
        assert whole.order_parameters[name] == pytest.approx(value, rel=3 * float(pair.next_order))
    # s p q/(4 Ent), of which the bound is 32 times as much
    change = abs(level.value - point.value) / level.value
    assert change == pytest.approx(float(pair.share) / 32, rel=3 * float(pair.next_order))
    assert whole.inertia == level.inertia
    near = 3 * float(pair.next_order)
    for made, value in zip(whole.hessian_eigenvalues, level.hessian_eigenvalues, strict=True):
        assert made == pytest.approx(value, rel=near)


def test_reduced_undoes_completed():
    model = SphericalPerceptron(-5)
    point = _without(model, 2)
    whole, _ = completed(point, 12)
    back = reduced(whole)
    assert back.gaps == pytest.approx(point.gaps, rel=1e-14)
    assert back.order_parameters == point.order_parameters


def test_a_faint_pair_is_settled_without_it_or_with_it_alike():
    model = ABP(-9)
    whole, pair = completed(_without(model, 2), 16)
    assert is_faint(whole, 16)
    settled = refine(whole, 16)
    # with so many digits that the pair is to be seen
    seen = refine(whole, 60)
    assert not is_faint(whole, 60)
    assert abs(settled.value - seen.value) <= settled.error
    assert settled.error < 1e-16 * settled.value
    for name, value in seen.order_parameters.items():
        assert abs(settled.order_parameters[name] / value - 1) < 1e-16 + 10 * pair.next_order
        # before Newton's method has seen it
        assert abs(whole.order_parameters[name] / value - 1) < 1e-12 + 10 * pair.next_order


@pytest.mark.long
def test_spherical_beyond_the_doubles_by_a_quadrature_of_what_is_missing():
    kappa = 50
    level = solve(SphericalPerceptron(-kappa), 2, digits=20)
    with mpmath.workdps(40):
        c, gamma_x, gamma = (level.order_parameters[x] for x in ("c_2", "gamma_x", "gamma"))

        def missing(c, gamma, field=0):
            """e^(kappa^2/2) (1 - E exp(-c d^2/(4 gamma))), d how far N(field, 1) is off the margin."""

            def weight(d):
                density = mpmath.exp(-kappa * d - d * d / 2 - field * (kappa + d) - field**2 / 2)
                return density * -mpmath.expm1(-c * d * d / (4 * gamma))

            steps = [mpmath.mpf(x) / kappa for x in (0, 1, 4, 10, 30, 100)]
            return mpmath.quad(weight, steps) / mpmath.sqrt(2 * mpmath.pi)

        def density(c, gamma_x, gamma):
            entropy = gamma_x - gamma - c / 2 - mpmath.log(1 - c / (2 * gamma_x)) / (2 * c)
            lack = missing(c, gamma)
            return entropy * c / lack

        value = density(c, gamma_x, gamma) * mpmath.exp(mpmath.mpf(kappa) ** 2 / 2)
        assert abs(value - level.value) < mpmath.mpf(10) ** -18 * level.value
        scale = density(c, gamma_x, gamma)
        for slope in (
            mpmath.diff(lambda x: density(x, gamma_x, gamma), c),
            mpmath.diff(lambda x: density(c, x, gamma), gamma_x),
            mpmath.diff(lambda x: density(c, gamma_x, x), gamma),
        ):
            assert abs(slope) < mpmath.mpf(10) ** -8 * scale
        # q = alpha g'(0)^2, g = -missing/c
        slope = mpmath.diff(lambda h: missing(c, gamma, h), 0) / c
        q = value * (slope * mpmath.exp(-(mpmath.mpf(kappa) ** 2) / 2)) ** 2
        assert abs(level.q[0] / q - 1) < mpmath.mpf(10) ** -15
    assert "change less than" in level.note
    assert math.isclose(float(mpmath.log10(level.p[0])), -540.9, abs_tol=0.1)


@pytest.mark.long
def test_more_digits_than_a_pair_is_known_to_are_refused_in_a_line():
    with pytest.raises(ResolutionError, match=r"known to 120 digits; ask for 120 or fewer"):
        solve(SphericalPerceptron(-50), 2, digits=130)
