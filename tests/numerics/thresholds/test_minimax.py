"""Saddles as minima over some coordinates of what is stationary in the others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics import cross_check, solve, solve_levels
from numerics.thresholds.minimax import minimax
from numerics.thresholds.objective import adversaries
from numerics.thresholds.points import objective_of
from numerics.thresholds.stationary import hessian
from theory import ABP, Hopfield, SphericalPerceptron, ZeroOnePerceptron, free_energy
from theory.thresholds.finite_exponents import without_quenched_average


def valley(x):
    """A bent valley in (x_0, x_1), and a ridge over it in x_2: the saddle is at (1, 1, 1)."""
    a, b, c = x
    value = 100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 - 5.0 * (c - a * b) ** 2
    slope = np.array(
        [
            -400.0 * a * (b - a * a) - 2.0 * (1.0 - a) + 10.0 * b * (c - a * b),
            200.0 * (b - a * a) + 10.0 * a * (c - a * b),
            -10.0 * (c - a * b),
        ]
    )
    return value, slope


@pytest.mark.parametrize("start", [(-1.2, 1.0, 3.0), (0.0, 0.0, 0.0), (2.0, -1.0, 0.5)])
def test_the_saddle_of_a_bent_valley_is_reached_downhill(start) -> None:
    coords, value, size = minimax(valley, np.array(start), np.array([2]), 1)
    np.testing.assert_allclose(coords, 1.0, atol=1e-7)
    assert abs(value) < 1e-12
    assert size < 1e-8
    assert (np.linalg.eigvalsh(hessian(valley, coords)) < 0.0).sum() == 1


def test_a_multiplier_is_eliminated_with_its_partner() -> None:
    """Of e^t - n t - 2 a n + 2 a^2, linear in n: a maximum once t is gone, and a = n/2 at t = -n."""

    def function(x):
        n, t, a = x
        value = -n * n - n * t + math.exp(t) + (a - n) ** 2 + a * a
        return value, np.array(
            [-2.0 * n - t - 2.0 * (a - n), -n + math.exp(t), 2.0 * (a - n) + 2.0 * a]
        )

    coords, _, size = minimax(function, np.array([0.4, -0.3, 0.3]), np.array([0, 1]), 1)
    assert size < 1e-8
    assert (np.linalg.eigvalsh(hessian(function, coords)) < 0.0).sum() == 1
    assert coords[2] == pytest.approx(coords[0] / 2)


def test_where_nothing_is_stationary_there_is_no_value() -> None:
    def rising(x):
        return x[0] ** 2 + math.exp(-x[1]), np.array([2.0 * x[0], -math.exp(-x[1])])

    _, _, size = minimax(rising, np.array([1.0, 0.0]), np.array([1]), 1, iterations=5)
    assert not size < 1e-8


@pytest.mark.parametrize(
    ("model", "level"),
    [(ABP(0), 3), (Hopfield(1, 1), 3), (Hopfield(-1, 1), 3), (ZeroOnePerceptron(0), 2),
     pytest.param(SphericalPerceptron(-1), 3, marks=pytest.mark.slow)],
    ids=str,
)  # fmt: skip
def test_a_physical_point_is_a_minimum_once_its_adversaries_are_gone(model, level) -> None:
    solution = solve(model, level)
    fe = free_energy(model, level)
    if len(solution.q) < len(fe.q):
        fe = without_quenched_average(fe)
    objective = objective_of(fe)
    coords = objective.evaluator.coordinates.coords(np.array(solution.gaps))
    curvature = hessian(objective, coords)
    places = adversaries(fe, solution.c)
    rest = np.setdiff1d(np.arange(coords.size), places)
    block, mixed = (curvature[np.ix_(places, x)] for x in (places, rest))
    assert (np.linalg.eigvalsh(block) < 0.0).sum() == objective.ascents(coords)
    complement = curvature[np.ix_(rest, rest)] - mixed.T @ np.linalg.solve(block, mixed)
    assert np.linalg.eigvalsh(complement).min() > 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "highest"), [(SphericalPerceptron(-1), 6), (ZeroOnePerceptron(0), 6)], ids=str
)
def test_high_levels_of_saddles_fall_by_less_and_less(model, highest) -> None:
    solutions = list(solve_levels(model, range(2, highest + 1)))
    falls = -np.diff([float(s.value) for s in solutions])
    assert (falls > 0.0).all()
    assert (falls[1:] < 0.6 * falls[:-1]).all()
    # identities at the point, and the value there by another quadrature
    assert max(s.residual for s in solutions) < 1e-9
    last = solutions[-1]
    point = {name: float(x) for name, x in last.order_parameters.items()}
    assert cross_check(free_energy(model, highest), point) == pytest.approx(last.value, rel=1e-11)
