"""Numbers of parities: theory's own sums, drawn networks, corners of the frontier."""

import math

import numpy as np
import pytest
from sympy import Rational

from numerics.parities import Frontier, Success, Tickets, finding, frontier, success, tickets
from numerics.parities import chances as module
from theory.parities import active, finding_probability, partial_tickets, signal


@pytest.mark.parametrize(
    ("n", "k", "s", "m", "bias"),
    [(9, 3, 2, 6, 0), (8, 4, 5, 5, 0), (6, 3, 4, 5, 0), (7, 3, 3, 4, 2), (4, 3, 3, 5, 2)],
)
def test_finding_is_theory_s_sum(n, k, s, m, bias):
    exact = finding_probability(active(s, bias), signal(s, k, bias), n - s - 1, m).doit()
    value, error = finding(n, k, s, m, bias=bias)
    assert abs(value - float(exact)) <= error


@pytest.mark.parametrize(("s", "m"), [(5, 12000), (11, 40000)])
def test_strides_change_a_value_within_its_error(s, m, monkeypatch):
    value, error = finding(50, 4, s, m)
    assert error < 1e-7
    rate, mean = float(active(s)), float(signal(s, 4))
    low, high = module._window(m, rate)
    counts = range(low, high + 1, 97)  # a coarse sum over all, of a function that is smooth
    from scipy.stats import binom

    weights = binom.pmf(np.array(counts), m, rate)
    given = [
        module._found(count + shift, mean / rate, 50 - s - 1)
        for count in counts
        for shift in (0, 1)
    ]
    found = weights @ np.array(given).reshape(-1, 2).mean(axis=1) / weights.sum()
    assert value == pytest.approx(found, abs=1e-4)


def drawn(n, k, s, m, width, rng):
    """Whether some neuron is a partial ticket whose gradient is largest, of unseen ones, where it misses."""
    x = rng.choice((-1.0, 1.0), (m, n))
    y = x[:, :k].prod(axis=1)
    for _ in range(width):
        places = rng.choice(n, s, replace=False)
        missing = set(range(k)) - set(places)
        if len(missing) != 1:
            continue
        weights = np.zeros(n)
        weights[places] = rng.choice((-1.0, 1.0), s)
        size = abs(((y * (x @ weights > 0))[:, None] * x).sum(axis=0))
        (i,) = missing
        others = [j for j in range(n) if j != i and j not in places]
        if (size[others] < size[i]).all():
            return True
    return False


@pytest.mark.parametrize(("s", "m", "width"), [(2, 14, 1), (2, 14, 25), (4, 60, 4)])
def test_networks_that_are_drawn_are_within_the_bounds(s, m, width):
    rng, trials = np.random.default_rng(s + width), 1500
    hits = sum(drawn(8, 3, s, m, width, rng) for _ in range(trials))
    (row,) = success(8, 3, (s,), (width,), (m,)).rows()
    room = 4.5 * math.sqrt(0.25 / trials)
    assert row["low"] - room < hits / trials < row["high"] + room
    if width == 1:
        assert row["low"] == pytest.approx(row["high"], rel=1e-12)


def test_success_is_that_of_tickets_where_all_find():
    table = success(30, 3, (2,), (30, 100, 300, 1000), (400,))
    chance = [1.0 - (1.0 - 3.0 / 435.0) ** r for r in (30, 100, 300, 1000)]
    assert table.low == pytest.approx(chance, rel=1e-8)
    assert table.high == pytest.approx(chance, rel=1e-8)
    assert Success.from_dict(table.to_dict()) == table


def test_widths_are_the_smallest():
    for n, k, s in ((50, 4, 9), (30, 3, 2), (50, 4, 21)):
        p = partial_tickets(n, k, s)
        eta = Rational(1, 100)
        width = module.ticket_width(p, eta)
        assert (1 - p) ** width <= eta < (1 - p) ** (width - 1)
    assert module.ticket_width(Rational(0), eta) is None
    assert module.ticket_width(Rational(1), eta) == 1


def test_tables_of_tickets_are_the_printed_ones():
    table = tickets(50, 4, (3, 7, 9, 11, 15, 21))
    assert table.full_widths == (None, 30300, 8415, 3212, 775, 175)
    assert table.gap_samples == (None, None, 147447, 147447, 262135, 617232)
    assert table.signals[0] == 0.25
    assert table.gaps[0] is None
    assert Tickets.from_dict(table.to_dict()) == table
    assert table.plot().axes


def test_one_gradient_s_noise_is_the_one_of_samples():
    """The difference of a seen relevant and a seen irrelevant coordinate, s even so that a_2 counts."""
    n, k, s = 8, 4, 6
    rng = np.random.default_rng(0)
    x = rng.choice((-1.0, 1.0), (400_000, n))
    g = (x[:, :k].prod(axis=1) * (x[:, :s].sum(axis=1) > 0))[:, None] * x
    mean = g.mean(axis=0)
    one = g[:, 0] * np.sign(mean[0]) - g[:, k] * np.sign(mean[k])
    table = tickets(n, k, (s,), errors=1.0)
    if table.gap_samples[0] is not None:
        assert one.var() / one.mean() ** 2 == pytest.approx(table.gap_samples[0], rel=0.1)
    assert one.mean() == pytest.approx(table.gaps[0], abs=5 * one.std() / len(x) ** 0.5)


def test_pairs_of_the_frontier_are_corners():
    found = frontier(20, 3, (2, 4, 6), probability=0.6)
    assert list(found.widths) == sorted(set(found.widths))
    assert list(found.samples) == sorted(set(found.samples), reverse=True)
    for row in found.rows()[::3]:
        at = (row["s"],), (row["width"],), (row["samples"], row["samples"] - 1)
        enough, less = success(20, 3, *at).low
        assert less < 0.6 <= enough
    assert Frontier.from_dict(found.to_dict()) == found
    assert found.plot().axes


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: finding(30, 3, 3, 10), "s = 3 coordinates with bias 0 have no signal"),
        (lambda: finding(30, 3, 30, 10), "sees s from k - 1 = 2 to n - 1 = 29"),
        (lambda: finding(30, 4, 2, 10), "from k - 1 = 3"),
        (lambda: finding(30, 3, 2, 0), "samples are an integer from 1"),
        (lambda: success(30, 3, (2,), (0,), (5,)), "widths are integers"),
        (lambda: success(30, 3, (2,), (), (5,)), "at least one"),
        (lambda: success(30, 3, (2,), (5,), (5,), bias=math.nan), "finite number"),
        (lambda: tickets(3, 4, (2,)), "needs n >= 4"),
        (lambda: tickets(5, 4, (6,)), "at most n = 5"),
        (lambda: tickets(5, 4, (3,), probability=1.0), "between 0 and 1, got 1.0"),
        (lambda: tickets(5, 4, (3,), errors=math.inf), "positive number"),
        (lambda: frontier(30, 3, (3, 5)), "no sparsity reaches"),
        (lambda: frontier(2000, 3), "n is at most 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
