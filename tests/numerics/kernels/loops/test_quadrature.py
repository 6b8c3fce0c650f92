"""What quadrature of one pair is made of."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.special import ndtr, owens_t

from numerics.kernels.loops.functions import functions
from numerics.kernels.loops.quadrature import added, grid, inner_nodes, on_grid, quadratures
from numerics.kernels.noise import _FALLBACK
from theory.kernels.activations import activation


def test_sums_keep_what_additions_lose() -> None:
    parts = np.random.default_rng(0).standard_normal(2000) * 2.0 ** np.arange(-50, 50).repeat(20)
    total, lost = 0.0, 0.0
    for part in parts.tolist():
        total, lost = added(total, part, lost)
    exact = sum(map(Fraction, parts.tolist()))
    # the losses themselves, at most a rounding of the size of all, are added in doubles
    eps = np.finfo(float).eps
    largest = float(np.abs(np.cumsum(parts)).max())
    assert abs(float(exact - Fraction(total) - Fraction(lost))) <= (2000 * eps) ** 2 * largest


def by_waves(a, b, c):
    return np.exp(-0.5 * (a + b)) * np.sinh(c), np.exp(-0.5 * (a + b)) * np.cosh(c)


def by_angles(a, b, c):
    edge = np.sqrt(a * b)
    angle = np.arccos(c / edge)
    sine = np.sqrt(max(a * b - c * c, 0.0))
    return (sine + (np.pi - angle) * c) / (2.0 * np.pi), (np.pi - angle) / (2.0 * np.pi)


@pytest.mark.parametrize("gap", [0.4, 0.03, 1e-3, 1e-5, 1e-9])
@pytest.mark.parametrize("sense", [1.0, -1.0])
@pytest.mark.parametrize(
    ("phi", "exact", "variance"),
    [("sin", by_waves, 0.7), ("sin", by_waves, 9.0), ("relu", by_angles, 2.0)],
)
def test_pairs_are_what_closed_forms_say(phi, exact, variance, sense, gap) -> None:
    """Averages by Gauss and Hermite, by trapezoids, on a grid of known values, and over panels."""
    one, two = np.array([variance]), np.array([1.1 * variance])
    own = functions(activation(phi), "limit").packed(1.1 * variance)
    found, ends = np.empty((2, 1)), np.empty((2, 1))
    quadratures(own, one, two, np.array([sense * (1.0 - gap)]), np.array([gap]), found)
    a, b = float(one[0]), float(two[0])
    quadratures(own, two, two, np.ones(1), np.zeros(1), ends)
    right = exact(a, b, sense * (1.0 - gap) * np.sqrt(a * b))
    # what bounds of errors allow for; an arc cosine near its end has lost 1/sqrt(gap) digits
    allowed = np.abs(ends[:, 0]) * (_FALLBACK + (phi == "relu") * 1e-16 / np.sqrt(gap))
    assert (np.abs(found[:, 0] - right) <= allowed).all()


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-9])
def test_kinks_that_are_blurred_a_little(gap) -> None:
    """Two kinks at one place away from 0: the slope is Owen's P(u > b, v > b)."""
    variance, b = 2.0, 0.7
    own = functions(activation("max(x - 0.7, 0)"), "limit").packed(variance)
    k, found = np.array([variance]), np.empty((2, 1))
    quadratures(own, k, k, np.array([1.0 - gap]), np.array([gap]), found)
    h = b / np.sqrt(variance)
    right = ndtr(-h) - 2.0 * owens_t(h, np.sqrt(gap / (2.0 - gap)))
    assert abs(found[1, 0] - right) <= _FALLBACK * ndtr(-h)


@pytest.mark.parametrize("s", [1e-3, 0.1, 0.7, 3.0])
@pytest.mark.parametrize(
    ("phi", "values"),
    [
        ("softplus", lambda x: np.logaddexp(0.0, x)),
        ("1/(1 + x**2)", lambda x: 1.0 / (1.0 + x * x)),
    ],
)
def test_known_values_are_the_same_as_new_ones(phi, values, s) -> None:
    """One activation, one mean: a grid for all means, and nodes of its own."""
    own = functions(activation(phi), "limit").packed(100.0)
    known, weight = np.empty(4096), np.empty(4096)
    size = grid(own[3], 40.0, s, known, weight)
    x, w = np.empty(4096), np.empty(4096)
    for m in (-7.3, 0.2, 11.0):
        count = inner_nodes(own, m, s, False, 0, x, w)
        value = float(values(x[:count]) @ w[:count])
        if size == 0:
            assert 80.0 / (1.5 * s) * 12 > 4096
            continue
        f = values(known[:size]) * weight[:size]
        assert on_grid(known[:size], f, f, m, s)[0] == pytest.approx(value, rel=1e-14)
