"""Order parameters, gaps and logarithms are three names of one point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.functionals.coordinates import Coordinates, SearchCoordinates
from theory import SBP, Hopfield, SphericalPerceptron, ZeroOnePerceptron, free_energy
from theory.thresholds.asymptotics import infinite_exponent_limit
from theory.thresholds.finite_exponents import outermost_multipliers, without_quenched_average
from verify import levels, order_parameters


def functional(level: int, limit: bool = False):
    fe = free_energy(SBP(), level)
    return infinite_exponent_limit(fe) if limit else fe


FUNCTIONALS = st.one_of(
    levels(3, 7).map(functional), levels(3, 5).map(lambda r: functional(r, limit=True))
)


@given(st.data(), FUNCTIONALS)
def test_round_trip_through_the_coordinates(data, fe):
    coordinates = Coordinates(tuple(fe.chains))
    point = data.draw(order_parameters(fe))
    coords = coordinates.from_order_parameters(point)
    assert coords.shape == (coordinates.size,) == (len(fe.order_parameters),)
    gaps = coordinates.gaps(coords)
    assert gaps.size == sum(map(len, coordinates.gap_symbols))
    assert (gaps > 0.0).all()
    np.testing.assert_allclose(coordinates.coords([gaps]), coords, rtol=1e-12, atol=1e-13)
    assert coordinates.order_parameters(gaps) == pytest.approx(point, rel=1e-13)


@given(st.data(), levels(3, 7))
def test_gaps_are_exact_where_differences_would_not_be(data, level):
    """A gap of 1e-12 below 1 keeps its digits; 1 - p_2 computed from p_2 would have four."""
    coordinates = Coordinates(tuple(free_energy(SBP(), level).chains))
    coords = np.array(data.draw(st.lists(st.floats(-25.0, 5.0), min_size=3 * (level - 2),
                                        max_size=3 * (level - 2))))  # fmt: skip
    gaps = coordinates.gaps(coords)
    n = level - 2
    assert gaps[: n + 1].sum() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(gaps[:n] / gaps[n], np.exp(coords[:n]), rtol=1e-13)
    np.testing.assert_allclose(gaps[n + 1 :], np.exp(coords[n:]), rtol=1e-15)
    np.testing.assert_allclose(coordinates.coords([gaps]), coords, rtol=1e-13, atol=1e-13)


@pytest.mark.long
@given(st.data(), FUNCTIONALS, st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_pull_back_is_the_derivative(data, fe, seed):
    """Of an arbitrary smooth function of the gaps, by central differences in the coordinates."""
    coordinates = Coordinates(tuple(fe.chains))
    coords = coordinates.from_order_parameters(data.draw(order_parameters(fe)))
    weights = np.random.default_rng(seed).normal(size=coordinates.gaps(coords).size)

    def function(x):
        gaps = coordinates.gaps(x)
        return float(weights @ np.log1p(gaps))

    gaps = coordinates.gaps(coords)
    gradient = coordinates.pull_back(gaps, weights / (1.0 + gaps))
    for i in range(coords.size):
        step = np.zeros_like(coords)
        step[i] = 1e-5
        numeric = (function(coords + step) - function(coords - step)) / 2e-5
        assert gradient[i] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


@given(st.data(), FUNCTIONALS)
def test_a_common_factor_of_bounded_gaps_is_no_direction(data, fe):
    """The gaps of p have a fixed sum: a gradient along all of them is no gradient at all."""
    coordinates = Coordinates(tuple(fe.chains))
    gaps = coordinates.gaps(coordinates.from_order_parameters(data.draw(order_parameters(fe))))
    constant = np.zeros_like(gaps)
    constant[: len(coordinates.gap_symbols[0])] = 1.0
    np.testing.assert_allclose(coordinates.pull_back(gaps, constant), 0.0, atol=1e-15)


@given(st.data(), FUNCTIONALS, st.booleans())
def test_the_symbolic_substitution_is_the_numeric_map(data, fe, from_above):
    coordinates = Coordinates(tuple(fe.chains))
    point = data.draw(order_parameters(fe))
    gaps = coordinates.gaps(coordinates.from_order_parameters(point))
    symbols = [g for group in coordinates.gap_symbols for g in group]
    numbers = dict(zip(symbols, map(float, gaps), strict=True))
    table = coordinates.substitution(from_above=from_above)
    assert set(table) == set(fe.order_parameters)
    for symbol, expr in table.items():
        assert float(expr.subs(numbers)) == pytest.approx(point[str(symbol)], rel=1e-12)


def test_level_two_has_no_coordinates():
    coordinates = Coordinates(tuple(free_energy(SBP(1), 2).chains))
    coords = coordinates.from_order_parameters({})
    assert coords.size == coordinates.size == 0
    assert coordinates.gaps(coords).size == 0
    assert coordinates.order_parameters(np.empty(0)) == {}
    assert coordinates.pull_back(np.empty(0), np.empty(0)).size == 0


GOOD = {"p_2": 0.9, "p_3": 0.5, "Q_2": 1.0, "Q_3": 0.1, "s_2": 3.0, "s_3": 7.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"p_2": 0.4}, r"1 > p_2 > p_3 > 0, got \[0\.4, 0\.5\]"),
        ({"p_2": 0.5}, "1 > p_2 > p_3 > 0"),
        ({"p_2": 1.0}, "1 > p_2 > p_3 > 0"),
        ({"p_3": 0.0}, "1 > p_2 > p_3 > 0"),
        ({"p_3": float("nan")}, "1 > p_2 > p_3 > 0"),
        ({"Q_3": 2.0}, r"Q_2 > Q_3 > 0, got \[1\.0, 2\.0\]"),
        ({"Q_3": -1.0}, "Q_2 > Q_3 > 0"),
        ({"s_2": 0.0}, "s_2 > 0"),
    ],
)
def test_disordered_points_are_refused(wrong, message):
    coordinates = Coordinates(tuple(free_energy(SBP(), 4).chains))
    assert coordinates.from_order_parameters(GOOD).size == 6
    with pytest.raises(ValueError, match=message) as caught:
        coordinates.from_order_parameters(GOOD | wrong)
    assert "\n" not in str(caught.value)


def test_missing_order_parameters_are_named():
    coordinates = Coordinates(tuple(free_energy(SBP(), 4).chains))
    with pytest.raises(ValueError, match=r"no value given for order parameter\(s\) Q_2, Q_3"):
        coordinates.from_order_parameters({k: v for k, v in GOOD.items() if k[0] != "Q"})


MULTIPLIERS = [
    free_energy(SphericalPerceptron(), 4),
    without_quenched_average(free_energy(Hopfield(1), 4)),
    free_energy(ZeroOnePerceptron(), 4),
]


@pytest.fixture(scope="module")
def searched():
    """Coordinates by model: compiling what is left of a multiplier takes a second."""
    return {
        fe.model.name: SearchCoordinates(tuple(fe.chains), tuple(outermost_multipliers(fe).items()))
        for fe in MULTIPLIERS
    }


@pytest.mark.parametrize("fe", MULTIPLIERS, ids=lambda fe: fe.model.name)
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_what_is_left_of_a_multiplier_is_a_coordinate(searched, fe, seed):
    """Of the same gaps: nothing else moves, and its exponential is theory's expression."""
    plain, coordinates = Coordinates(tuple(fe.chains)), searched[fe.model.name]
    ((symbol, left),) = coordinates.left
    rng = np.random.default_rng(seed)
    coords = rng.normal(size=coordinates.size)
    gaps = coordinates.gaps(coords)
    np.testing.assert_allclose(coordinates.coords([gaps]), coords, rtol=1e-12, atol=1e-12)
    place = list(fe.order_parameters).index(symbol)
    rest = np.arange(coords.size) != place
    np.testing.assert_allclose(plain.coords([gaps])[rest], coords[rest], rtol=1e-12, atol=1e-12)
    values = coordinates.order_parameters(gaps)
    numbers = {x: values[str(x)] for x in fe.order_parameters}
    assert float(left.subs(numbers)) == pytest.approx(np.exp(coords[place]), rel=1e-10)
    weights = rng.normal(size=gaps.size)

    def function(x):
        return float(np.log(coordinates.gaps(x)) @ weights)

    slopes = coordinates.pull_back(gaps, weights / gaps)
    for i, slope in enumerate(slopes):
        move = np.zeros_like(coords)
        move[i] = 1e-5
        difference = (function(coords + move) - function(coords - move)) / 2e-5
        assert difference == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_a_multiplier_that_liftings_use_up_has_no_coordinate():
    fe = free_energy(SphericalPerceptron(), 3)
    left = tuple(outermost_multipliers(fe).items())
    coordinates = SearchCoordinates(tuple(fe.chains), left)
    gaps = np.array([0.2, 0.3, 0.5, 0.3, 0.3, 0.4, 8.0, 2.0, 1.0, 0.1])
    assert np.isnan(coordinates.coords([gaps])).sum() == 1


def test_a_multiplier_beyond_the_doubles_has_no_finite_coordinate(searched):
    """Found at kappa = 1: next to exponents of hundreds a point is tried that no functional is defined at."""
    coordinates = searched[ZeroOnePerceptron().name]
    gaps = coordinates.gaps(np.zeros(coordinates.size))
    gaps[4:7] = 1e4
    assert np.isinf(coordinates.coords([gaps])).sum() == 1
