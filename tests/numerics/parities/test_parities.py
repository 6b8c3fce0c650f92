"""Numbers of parities: theory's own sums, drawn networks, corners of the frontier."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import hypergeom
from sympy import Rational

from numerics.parities import Frontier, Success, Tickets, finding, frontier, success, tickets
from numerics.parities import chances as module
from theory.parities import active, finding_probability, partial_tickets, signal


@pytest.mark.long
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


@pytest.mark.parametrize(
    ("n", "k", "s"), [(20, 4, 9), (12, 4, 7), (9, 3, 4), (12, 3, 8), (14, 4, 10)]
)
def test_every_column_of_tickets_is_what_enumeration_counts(n, k, s):
    """All signs of the s coordinates that a neuron sees, and of one that it does not."""
    x = np.array(list(itertools.product((-1.0, 1.0), repeat=s + 1)))
    active = x[:, :s].sum(axis=1) > 0

    def slopes(parity: list[int], at: int, other: int) -> tuple[float, float]:
        """The mean in the size of two coordinates' gradients, and the mean square of their difference."""
        y = x[:, parity].prod(axis=1) * active
        one, two = y * x[:, at], y * x[:, other]
        signs = [-1.0 if g.mean() < 0 else 1.0 for g in (one, two)]
        apart = signs[0] * one - signs[1] * two
        return float(apart.mean()), float((apart**2).mean())

    (row,) = tickets(n, k, (s,), probability=0.9, errors=2.0).rows()
    drawn = hypergeom(n, k, s)
    chances = {"partial": drawn.pmf(k - 1), "full": drawn.pmf(k)}
    for name, width in (("partial", "width"), ("full", "full width")):
        assert row[name] == pytest.approx(chances[name], rel=1e-12)
        missed = (1.0 - chances[name]) ** np.array([row[width], row[width] - 1])
        assert missed[0] <= 0.1 * (1 + 1e-12) < missed[1] * (1 + 2e-12)
    # a partial ticket sees k - 1 coordinates of the parity and misses the last, which no other is like
    y = x[:, [*range(k - 1), s]].prod(axis=1) * active
    own = abs(float((y * x[:, s]).mean()))
    assert row["signal"] == pytest.approx(own, rel=1e-12)
    second = 2.0 * active.mean()  # another coordinate that it does not see has as much noise
    assert row["samples"] == math.ceil(4.0 * (second - own**2) / own**2 - 1e-9)
    gap, square = slopes([*range(k)], 0, k)
    assert row["gap"] == pytest.approx(gap, abs=1e-15)
    if gap > 0:
        assert row["gap samples"] == math.ceil(4.0 * (square - gap**2) / gap**2 - 1e-9)
    else:
        assert row["gap samples"] is None


def test_success_says_what_it_is_made_of():
    table = success(20, 3, (2, 4), (10, 100), (50,))
    for row, found, expected in zip(table.rows(), table.found, table.tickets, strict=True):
        own, error = finding(20, 3, row["s"], row["samples"])
        assert abs(found - own) <= error
        assert expected == pytest.approx(
            row["width"] * hypergeom(20, 3, row["s"]).pmf(2), rel=1e-12
        )


@pytest.mark.long
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
