"""Margins so wide that what they exclude is below every double: found as anywhere else."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from numerics import ResolutionError, solve, solve_levels
from numerics.functionals.doubles import evaluator
from numerics.functionals.parts import parts_of
from numerics.thresholds.functional import functional_of
from numerics.thresholds.newton import _doubles_inverse
from numerics.thresholds.points import objective_of
from theory import ABP, SBP, SK, free_energy


def level_three(kappa, p, q, s, digits=25):
    """Alpha of level 3 by quadrature, from the spec's formula."""
    with mpmath.workdps(digits):
        blur, root = mpmath.sqrt(2 * (1 - p)), mpmath.sqrt(2 * p)

        def cosh_power(u):
            return mpmath.exp(s * mpmath.log(2 * mpmath.cosh(mpmath.sqrt(q) * u)) - u * u / 2)

        def missing(y):
            out = (mpmath.erfc((kappa - y) / blur) + mpmath.erfc((kappa + y) / blur)) / 2
            gone = -mpmath.expm1(s * mpmath.log1p(-out))
            return gone * mpmath.exp((kappa / root) ** 2 - (y / root) ** 2)

        centre = float(s * mpmath.sqrt(q))
        x = 2 * mpmath.quad(cosh_power, [centre * t for t in np.linspace(0.0, 2.0, 33)])
        x = mpmath.log(x / mpmath.sqrt(2 * mpmath.pi)) / s
        entropy = x - q / 2 - q * p * (s - 1) / 2
        places = [kappa + t for t in np.linspace(-1.5, 1.5, 19)]
        gone = 2 * mpmath.quad(missing, places) / (root * mpmath.sqrt(mpmath.pi))
        gone *= mpmath.exp(-((kappa / root) ** 2))
        return -entropy * s / mpmath.log1p(-gone)


@pytest.mark.long
def test_levels_beyond_the_doubles_are_searched_as_anywhere_else():
    two, three, four = solve_levels(SBP(50), [2, 3, 4], digits=16)
    assert two.value > three.value > four.value > mpmath.mpf("1e542")
    for found in (three, four):
        assert found.branch == "finite"
        assert found.inertia == 0
        assert found.reason == "the only one of the minima found"
        assert found.residual is None
        assert 0 < found.error < found.value * mpmath.mpf("1e-16")
        assert min(found.hessian_eigenvalues) > 0.0
    p, q, s = *three.p, *three.q, *three.c
    with mpmath.workdps(25):
        assert abs(level_three(50, p, q, s) - three.value) < 1e-15 * three.value
    assert three.to_dict()["value"].startswith("7.4182175284425")


@pytest.mark.long
def test_a_point_beyond_the_doubles_is_the_stationary_value_of_the_integral():
    found = solve(SBP(35), 3, digits=16)
    p, q, s = *found.p, *found.q, *found.c
    with mpmath.workdps(25):
        assert abs(level_three(35, p, q, s) - found.value) < 1e-15 * found.value
        for moved in ((1 - 1.01 * (1 - p), q, s), (p, 1.01 * q, s), (p, q, 1.01 * s)):
            assert level_three(35, *moved, digits=17) > found.value


def test_digits_of_a_double_are_refused_where_the_value_is_none():
    with pytest.raises(
        ResolutionError, match=r"beyond the range of doubles, .*; ask for 16 or more"
    ):
        solve(SBP(50), 3)


def test_gradients_and_hessians_have_the_scale_of_the_value_and_not_a_double_more():
    fe = free_energy(SBP(50), 3)
    at = evaluator(fe)
    coords = np.array([-5.2, -4.96, 6.16])
    here = at(coords)
    assert here.log_scale > 1200.0
    assert math.log(here.value) + here.log_scale == pytest.approx(
        float(objective_of(fe)(coords)[0]), rel=1e-14
    )
    step = 1e-4
    for i in range(3):
        move = step * np.eye(3)[i]
        up, down = (math.log(e.value) + e.log_scale for e in (at(coords + move), at(coords - move)))
        assert (up - down) / (2.0 * step) == pytest.approx(
            here.gradient[i] / here.value, rel=1e-5, abs=1e-8
        )
    found = solve(SBP(50), 3, digits=16)
    functional, start = functional_of(found)
    inverse, accuracy, _ = _doubles_inverse(functional, start)
    assert functional.rare == (False, True)
    assert functional.lost == (0, 0)
    assert accuracy >= 3
    scale = mpmath.mpf(str(inverse[0, 0].mid().str(20, radius=False))) * found.value
    assert 0.01 < scale < 100


def test_only_factors_have_scales_of_their_own():
    assert sorted(filter(None, parts_of(free_energy(SBP(1).generic, 3)).degrees)) == [-1]
    assert sorted(filter(None, parts_of(free_energy(ABP(1).generic, 3)).degrees)) == [-1]
    assert not any(parts_of(free_energy(SK().generic, 3)).degrees)
