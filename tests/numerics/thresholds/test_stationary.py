"""Minimisation and refinement, on functions whose answers are known and on the functional."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics import solve
from numerics.functionals.doubles import Evaluation, evaluator
from numerics.thresholds.objective import Objective
from numerics.thresholds.points import objective_of
from numerics.thresholds.stationary import (
    Function,
    descend,
    follow,
    hessian,
    minimise,
    refine,
    relaxed,
)
from theory import SBP, free_energy
from theory.thresholds.models import ZeroOnePerceptron


def quadratic(centre: np.ndarray, curvature: np.ndarray, offset: float = 0.3) -> Function:
    def function(coords: np.ndarray) -> tuple[float, np.ndarray]:
        step = coords - centre
        return float(offset + 0.5 * step @ curvature @ step), curvature @ step

    return function


@st.composite
def bowls(draw: st.DrawFn, indefinite: bool = False):
    """A centre and a symmetric matrix with eigenvalues of size 0.1 to 10."""
    size = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    orthogonal, _ = np.linalg.qr(rng.normal(size=(size, size)))
    eigenvalues = 10.0 ** rng.uniform(-1.0, 1.0, size)
    if indefinite:
        eigenvalues *= rng.choice([-1.0, 1.0], size)
    return rng.uniform(-2.0, 2.0, size), (orthogonal * eigenvalues) @ orthogonal.T


@given(bowls())
def test_minimise_finds_the_bottom_of_a_bowl(bowl):
    centre, curvature = bowl
    coords, value, size = minimise(
        quadratic(centre, curvature), np.zeros_like(centre), gradient_tolerance=1e-9
    )
    assert coords == pytest.approx(centre, abs=1e-7)
    assert value == pytest.approx(0.3, abs=1e-12)
    assert size < 1e-7


@given(bowls())
def test_minimise_moves_only_what_is_free(bowl):
    centre, curvature = bowl
    assume(centre.size >= 2)
    free = np.arange(1, centre.size, dtype=np.intp)
    start = np.full_like(centre, 0.25)
    coords, _, _ = minimise(quadratic(centre, curvature), start, free=free, gradient_tolerance=1e-9)
    assert coords[0] == start[0]
    slope = (curvature @ (coords - centre))[free]
    assert slope == pytest.approx(np.zeros(free.size), abs=1e-7)


def valley(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A centre and a matrix with eigenvalues from 1e-5 to 1."""
    rng = np.random.default_rng(seed)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(size, size)))
    eigenvalues = np.logspace(-5.0, 0.0, size)
    return rng.uniform(-1.0, 1.0, size), (orthogonal * eigenvalues) @ orthogonal.T


@pytest.mark.parametrize("seed", range(3))
def test_descend_walks_through_a_valley_in_few_steps(seed: int) -> None:
    centre, curvature = valley(30, seed)
    count = 0

    def bent(coords: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        step = coords - centre
        value = 0.5 * step @ curvature @ step + 0.01 * (step**4).sum()
        return float(value), curvature @ step + 0.04 * step**3

    coords, value, length = descend(bent, np.zeros(30), gradient_tolerance=1e-9)
    assert length <= 1e-9
    assert 0.0 <= value < 1e-15  # the last Hessian was made where the valley is steeper
    assert coords == pytest.approx(centre, abs=1e-3)
    assert count < 4 * 61 + 150  # four Hessians at most


def test_what_is_left_is_seen_by_gradients_where_values_are_noisy() -> None:
    centre, curvature = valley(12, 5)
    exact = quadratic(centre, curvature, 1.0)

    def noisy(coords: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = exact(coords)
        return round(value, 8), gradient

    coords, _, length = descend(noisy, np.zeros(12), gradient_tolerance=1e-8)
    left = exact(coords)[0] - 1.0
    assert left < 1e-16
    assert length <= 1e-8
    # what is claimed to be left is what is left
    far = centre + 1e-3
    _, _, length = descend(exact, far, gradient_tolerance=1.0, rounds=1)
    assert length < 1.0


def test_next_to_a_minimum_gradients_alone_arrive() -> None:
    """In the metric of a Hessian that is a tenth off, where values are noise: no line search, few steps."""
    centre, curvature = valley(12, 5)
    exact = quadratic(centre, curvature, 1.0)
    count = 0

    def noisy(coords: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        value, gradient = exact(coords)
        return round(value, 8), gradient

    sizes, vectors = np.linalg.eigh(curvature)
    off = vectors @ np.diag(sizes * np.linspace(0.8, 1.2, 12)) @ vectors.T
    start = centre + 1e-4
    coords, _, length = relaxed(noisy, start, off, gradient_tolerance=1e-9)
    assert length <= 1e-9
    assert exact(coords)[0] - 1.0 < 1e-17 + 2.0**-52
    assert count <= 15


def test_gradients_do_not_lead_to_a_saddle() -> None:
    """Newton's method on the gradient would: the step that rises from it has a negative curvature."""
    function = quadratic(np.zeros(2), np.diag([1.0, -1.0]))
    start = np.array([1e-4, 1e-3])
    _, value, length = relaxed(function, start, np.eye(2), gradient_tolerance=1e-9)
    assert value < function(start)[0]
    assert length > 1e-4


def test_a_descent_that_ends_at_a_wall_does_not_claim_to_have_arrived() -> None:
    centre, curvature = valley(6, 1)
    walled = quadratic(centre, curvature)
    wall = centre[0] - 0.1
    _, _, length = descend(
        walled,
        np.full(6, wall - 0.5),
        domain=lambda coords: bool(coords[0] < wall),
        gradient_tolerance=1e-8,
    )
    assert length > 1e-4


def test_a_start_that_cannot_be_evaluated_has_nowhere_to_go() -> None:
    def nowhere(coords: np.ndarray) -> tuple[float, np.ndarray]:
        return math.inf, np.zeros_like(coords)

    coords, value, length = descend(nowhere, np.ones(3))
    assert value == math.inf
    assert length == math.inf
    assert (coords == 1.0).all()


@given(bowls(indefinite=True))
def test_refine_ends_on_any_stationary_point_and_counts_its_directions(bowl):
    """Newton's method does not care for signs; the inertia tells a minimum from a saddle."""
    centre, curvature = bowl
    point = refine(quadratic(centre, curvature), centre + 0.01)
    assert point.coords == pytest.approx(centre, abs=1e-11)
    np.testing.assert_allclose(point.hessian, curvature, atol=1e-8)
    assert (point.eigenvalues < 0).sum() == (np.linalg.eigvalsh(curvature) < 0).sum()
    assert point.decrement < 1e-20


@given(bowls(), st.floats(-3.0, -1.0))
def test_the_decrement_is_the_distance_to_the_stationary_value(bowl, size):
    """For a quadratic log(value), exactly: |g' H^-1 g|/2, with no sweep made."""
    centre, curvature = bowl
    point = refine(quadratic(centre, curvature), centre + 10.0**size, sweeps=0)
    assert point.decrement == pytest.approx(point.objective - 0.3, rel=1e-6, abs=1e-13)


@given(bowls(indefinite=True), st.integers(0, 2**32 - 1))
def test_follow_finds_a_saddle_of_the_index_asked_for(bowl, seed):
    """A cubic on top of the bowl, so that it is not over in one step."""
    centre, curvature = bowl
    index = int((np.linalg.eigvalsh(curvature) < 0).sum())
    base = quadratic(centre, curvature)

    def function(coords):
        value, gradient = base(coords)
        step = coords - centre
        return value + 0.01 * float((step**3).sum()), gradient + 0.03 * step**2

    start = centre + np.random.default_rng(seed).uniform(-0.3, 0.3, centre.size)
    coords, _, size = follow(function, start, lambda coords: index, gradient_tolerance=1e-9)
    assert size < 1e-9
    assert coords == pytest.approx(centre, abs=1e-6)


@given(bowls())
def test_follow_with_no_ascent_goes_down(bowl):
    centre, curvature = bowl
    coords, value, _ = follow(quadratic(centre, curvature), centre + 0.5, lambda coords: 0)
    assert coords == pytest.approx(centre, abs=1e-4)
    assert value == pytest.approx(0.3, abs=1e-6)


def test_follow_stays_in_its_domain():
    centre = np.zeros(2)
    function = quadratic(centre, np.diag([1.0, -1.0]))
    domain = lambda coords: bool(coords[0] > 0.5)  # noqa: E731
    coords, value, _ = follow(function, np.array([1.0, 0.2]), lambda coords: 1, domain=domain)
    assert domain(coords)
    assert value == math.inf or coords[0] > 0.5


def test_the_hessian_is_of_second_order():
    """Central differences of the gradient are exact for cubics and good to step^2 for quartics."""

    def quartic(coords):
        return float((coords**3).sum() + coords.prod()), 3.0 * coords**2 + coords.prod() / coords

    coords = np.array([0.7, -0.4, 1.1])
    expected = np.diag(6.0 * coords) + coords.prod() / np.outer(coords, coords)
    expected[np.diag_indices(3)] = 6.0 * coords
    np.testing.assert_allclose(hessian(quartic, coords), expected, atol=1e-7)


def test_a_start_that_cannot_be_evaluated_is_reported_as_infinite():
    def lost(coords):
        return math.inf, np.zeros_like(coords)

    coords, value, size = minimise(lost, np.ones(2))
    assert value == math.inf
    assert size == math.inf
    np.testing.assert_array_equal(coords, np.ones(2))
    assert follow(lost, np.ones(2), lambda coords: 1)[1] == math.inf


def test_a_search_that_drifts_away_is_stopped():
    """A slope without a bottom: the coordinates are logarithms, and stay within exp(+-12)."""
    coords, _, _ = minimise(lambda x: (-float(x.sum()), -np.ones(2)), np.zeros(2))
    assert np.abs(coords).max() <= 12.0


@given(bowls())
def test_minimise_stays_in_its_domain(bowl):
    """The bottom lies outside: the search ends inside, on the way to it."""
    centre, curvature = bowl
    domain = lambda coords: bool(coords[0] > centre[0] + 0.5)  # noqa: E731
    start = centre + 1.0
    coords, value, _ = minimise(quadratic(centre, curvature), start, domain=domain)
    assert domain(coords)
    assert value <= quadratic(centre, curvature)(start)[0]


@pytest.mark.parametrize("level", [3, 4, 5])
def test_the_functionals_minimum_is_found_from_its_surroundings(solved, level):
    """Starts up to a factor 1.3 away in every coordinate end in the same point."""
    sol = solved(level)
    fe = free_energy(SBP(1), level)
    objective = Objective.of(fe, evaluator(fe))
    exact = objective.evaluator.coordinates.from_order_parameters(sol.order_parameters)
    rng = np.random.default_rng(level)
    coords, value, size = minimise(objective, exact + rng.uniform(-0.25, 0.25, exact.size))
    assert size < 1e-4
    assert math.exp(value) == pytest.approx(sol.value, rel=1e-9)
    point = refine(objective, coords)
    assert math.exp(point.objective) == pytest.approx(sol.value, rel=1e-13)
    assert np.linalg.norm(point.gradient) < 1e-10
    assert point.coords == pytest.approx(exact, abs=1e-7)
    assert point.eigenvalues.min() > 0.0


def test_an_objective_knows_its_hessian(solved):
    """For one evaluation, of a logarithm, too; and none where the objective is lost."""
    fe = free_energy(SBP(1), 4)
    objective = Objective.of(fe, evaluator(fe))
    coords = objective.evaluator.coordinates.from_order_parameters(solved(4).order_parameters)
    coords = coords + 0.1 * np.cos(np.arange(coords.size))
    before = objective.evaluator.evaluations
    own = hessian(objective, coords)
    assert objective.evaluator.evaluations == before + 1
    by_differences = hessian(lambda x: objective(x), coords)
    np.testing.assert_allclose(own, by_differences, rtol=0.0, atol=1e-6 * np.abs(own).max())
    assert objective.hessian(coords + 100.0) is None


def test_the_hessian_of_a_capacity_that_is_next_to_nothing():
    """As a zero-one perceptron's at level 20: it bends by 1e6 of itself, and its logarithm in 1e-3."""

    class Next:
        def __call__(self, x):
            value = 1.0 + 0.5 * 1e6 * x[0] ** 2 + x[1] + 1e-7 * x[1] ** 2
            return Evaluation(value, np.array([1e6 * x[0], 1.0 + 2e-7 * x[1]]), 0.0, 0.0, 0, 0)

        def expanded(self, _):
            return self

    objective = Objective(Next(), True, 1.0, free_energy(SBP(1), 2))
    at = np.array([1e-5, 0.0])
    slope = objective(at)[1]
    exact = np.diag([1e6, 2e-7]) / objective.value(objective(at)[0]) - np.outer(slope, slope)
    np.testing.assert_allclose(hessian(objective, at), exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("logarithmic", [True, False])
def test_the_hessian_next_to_the_end_of_a_domain_is_not_known(logarithmic):
    """A gradient of 0, where the functional is lost, is none: the Hessian is nan and not next to nothing."""

    class Ending:
        def __call__(self, x):
            if x[0] > 1e-5:
                raise ZeroDivisionError
            return Evaluation(1.0 + x @ x, 2.0 * x, 0.0, 0.0, 0, 0)

        def expanded(self, _):
            return self

    objective = Objective(Ending(), logarithmic, 1.0, free_energy(SBP(1), 2))
    assert np.isfinite(hessian(objective, np.array([-1.0, 0.5]))).all()
    assert not np.isfinite(hessian(objective, np.zeros(2))).all()
    assert objective.hessian(np.array([1.0, 0.5])) is None


def test_the_hessian_of_parts_that_cancel():
    """Exponents times increments of 3 and a fugacity of 1e-3: differences once were off by their squares."""
    fe = free_energy(ZeroOnePerceptron(kappa=0), 4)
    objective = objective_of(fe)
    coords = objective.evaluator.coordinates.coords(np.array(solve(fe.model, 4).gaps))
    own = hessian(objective, coords)
    one, two = (hessian(lambda x: objective(x), coords, step) for step in (1e-4, 2e-4))
    np.testing.assert_allclose(own, (4.0 * one - two) / 3.0, rtol=0.0, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_the_functionals_hessian_is_symmetric_and_predicts_its_values(solved, seed):
    """Around the minimum log(alpha) = log(alpha_0) + d'Hd/2 up to third order."""
    fe = free_energy(SBP(1), 4)
    objective = Objective.of(fe, evaluator(fe))
    coords = objective.evaluator.coordinates.from_order_parameters(solved(4).order_parameters)
    curvature = hessian(objective, coords)
    np.testing.assert_array_equal(curvature, curvature.T)
    direction = np.random.default_rng(seed).normal(size=coords.size)
    direction /= np.linalg.norm(direction)
    base, _ = objective(coords)
    step = 1e-2
    rise = sum(objective(coords + sign * step * direction)[0] - base for sign in (1, -1))
    assert rise == pytest.approx(step**2 * direction @ curvature @ direction, rel=1e-2, abs=1e-10)
