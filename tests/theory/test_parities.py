"""Gradients of neurons, gaps, tickets and bounds: against enumeration, random neurons and counting."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from sympy import Rational, simplify

from theory import parities
from theory.parities import LAWS


def cube(n):
    return np.array(list(product((-1, 1), repeat=n)))


def gradient(x, y, weights, bias):
    """-E[y x_i 1(w.x + b > 0)] over the rows of x."""
    return -(y[:, None] * x * (x @ weights + bias > 0)[:, None]).mean(axis=0)


@pytest.mark.parametrize("k", range(2, 12))
def test_signals_of_all_sparsities_are_those_of_an_enumeration(k):
    """All s up to 12, by counting signs with m minus ones among the neuron's coordinates."""
    for s in range(1, 13):
        x = cube(s)
        on = x.sum(axis=1)
        for bias in (0, 1, -2):
            for t, relevant in ((k - 1, True), (k + 1, False)):
                found = parities.signal(s, k, bias, relevant=relevant)
                want = 0 if t > s else abs(int((x[:, :t].prod(axis=1) * (on + bias > 0)).sum()))
                assert found == Rational(want, 2**s)


@pytest.mark.parametrize(
    ("n", "k", "s", "bias"), [(8, 4, 7, 0), (8, 3, 2, 0), (9, 4, 5, 0), (8, 3, 5, 2)]
)
def test_gradients_of_random_neurons_are_the_laws(n, k, s, bias):
    rng = np.random.default_rng(s)
    x = cube(n)
    y = x[:, :k].prod(axis=1)
    kinds = set()
    for _ in range(60):
        places = rng.choice(n, s, replace=False)
        weights = np.zeros(n)
        weights[places] = rng.choice((-1.0, 1.0), s)
        found = gradient(x, y, weights, bias)
        for i in range(n):
            product_of = set(range(k)) ^ {i}
            seen = product_of <= set(places)
            size = float(parities.signal(s, k, bias, relevant=i < k)) if seen else 0.0
            assert abs(found[i]) == pytest.approx(size, abs=1e-14)
            kinds.add(size > 0)
    assert kinds == {True, False}


def test_the_gap_is_zero_at_one_sparsity_and_negative_below():
    for k in (2, 4, 6, 8, 10):
        law = LAWS["fourier-gap"]()
        for s in range(k + 1, 40, 2):
            gap = parities.fourier_gap(s, k)
            assert simplify(law.at(s=s, k=k).rhs - gap) == 0
            assert (gap > 0, gap == 0) == (s > 2 * k - 1, s == 2 * k - 1)


def test_printed_numbers_of_the_gap():
    assert [float(parities.fourier_gap(s, 4)) for s in (7, 9, 11, 15, 21)] == pytest.approx(
        [0, 0.00781, 0.00781, 0.00586, 0.00382], abs=5e-6
    )


def test_the_gap_needs_neurons_that_see_the_parity():
    with pytest.raises(ValueError, match="s >= k = 4; got 3"):
        parities.fourier_gap(3, 4)


@pytest.mark.parametrize(("s", "t"), [(2, 2), (3, 2), (3, 3), (5, 3)])
def test_normal_weights(s, t):
    """The mean square over weights, by drawing weights and enumerating inputs."""
    x = cube(s)
    w = np.random.default_rng(1).standard_normal((100_000, s))
    squares = ((x[:, :t].prod(axis=1) @ (x @ w.T > 0)) / 2**s) ** 2
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - float(parities.gaussian_signal(s, t))) < 5 * error + 1e-12


@pytest.mark.parametrize(("n", "k", "s"), [(7, 3, 2), (7, 3, 4), (6, 2, 5), (6, 6, 5), (6, 4, 6)])
def test_tickets_are_counted(n, k, s):
    seen = [len(set(a) & set(range(k))) for a in combinations(range(n), s)]
    assert parities.full_tickets(n, k, s) == Rational(seen.count(k), comb(n, s))
    assert parities.partial_tickets(n, k, s) == Rational(seen.count(k - 1), comb(n, s))


def test_printed_widths():
    found = [
        float(parities.width_for(parities.full_tickets(50, 4, s), Rational(1, 100)))
        for s in (9, 11, 15, 21)
    ]
    assert found == pytest.approx([8415, 3212, 775, 175], abs=1.0)


def test_printed_samples():
    found = [float(parities.samples_for(1, parities.fourier_gap(s, 4), 3)) for s in (9, 11, 15, 21)]
    assert found == pytest.approx([147e3, 147e3, 262e3, 617e3], rel=5e-3)


def test_no_derivative_tells_more_parities_than_bessel_allows():
    """All parities of degree 3 against the derivatives of random neurons, h = x_i 1(w.x > 0)."""
    n, k = 7, 3
    x = cube(n)
    parity = np.array([x[:, list(p)].prod(axis=1) for p in combinations(range(n), k)])
    rng = np.random.default_rng(0)
    for tau in (0.05, 0.1, 0.3):
        for _ in range(20):
            h = x[:, 0] * (x @ rng.standard_normal(n) > 0)
            seen = (abs(parity @ h) / len(x) > tau).sum()
            assert seen <= 1 / tau**2
    budget = parities.query_budget(Rational(1, 10), Rational(1, 2), 30, 3)
    assert budget == Rational(comb(30, 3), 200)


@pytest.mark.parametrize("name", LAWS)
def test_laws_are_whole(name):
    law = LAWS[name]()
    assert law.text()
    assert law.latex()
    assert LAWS[name]() is law


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3, 4), "k = 4 coordinates needs n >= 4, got n = 3"),
        ((4, 0), "k is an integer >= 1, got 0"),
        ((4.0, 2), "n is an integer >= 1, got 4.0"),
        ((4, 2, 5), "at most n = 4 coordinates, got s = 5"),
        ((4, True), "k is an integer >= 1, got True"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parities.check_parity(*given)
