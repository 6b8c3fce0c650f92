"""Accuracies of filtered features: printed numbers, enumeration, drawn graphs, errors that hold."""

import json
import math

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from numerics.sharpness import (
    FilteredAccuracy,
    accuracy_by_layers,
    accuracy_map,
    accuracy_of_one_layer,
    filter_sign,
    filtered_accuracy,
)


@pytest.mark.parametrize(
    ("p", "q", "formula", "plain"), [(0.03, 0.01, 0.962, 0.974), (0.01, 0.03, 0.038, None)]
)
def test_numbers_of_the_source(p, q, formula, plain):
    assert round(filtered_accuracy(p, q, 3000, 1.0), 3) == formula
    if plain:
        assert round(filtered_accuracy(p, q, 3000, 1.0, composition=False), 3) == plain
    assert filtered_accuracy(0.02, 0.02, 3000, 1.0) == 0.5


def by_hand(p, q, nodes, separation):
    """The sum over numbers of neighbours, in 40 digits."""
    with mpmath.workdps(40):
        half = nodes // 2
        total = mass = mpmath.mpf(0)
        for k in range(half):
            for m in range(half + 1):
                if k + m:
                    weight = mpmath.binomial(half - 1, k) * mpmath.binomial(half, m)
                    weight *= mpmath.mpf(p) ** k * (1 - mpmath.mpf(p)) ** (half - 1 - k)
                    weight *= mpmath.mpf(q) ** m * (1 - mpmath.mpf(q)) ** (half - m)
                    total += weight * mpmath.ncdf(
                        (k - m) * mpmath.mpf(separation) / 2 / mpmath.sqrt(k + m)
                    )
                    mass += weight
        return total / mass


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.1), (0.1, 0.3), (0.25, 0.0), (1.0, 0.5)])
def test_the_finite_graph_is_summed_exactly(p, q):
    value, error = accuracy_of_one_layer(p, q, 20, 1.3)
    assert abs(value - by_hand(p, q, 20, 1.3)) <= error < 1e-11


def test_drawn_graphs_have_the_accuracies_of_the_law():
    rng, shares = np.random.default_rng(1), []
    y = np.repeat([1.0, -1.0], 400)
    chance = np.where(np.outer(y, y) > 0, 0.05, 0.02)
    for _ in range(8):
        upper = np.triu(rng.random((800, 800)) < chance, 1)
        adjacency = (upper | upper.T).astype(float)
        mean = adjacency / adjacency.sum(axis=1)[:, None]
        x = 0.5 * y[:, None] + rng.standard_normal((800, 10))
        row = []
        for _ in range(3):
            x = mean @ x
            row.append((x * y[:, None] > 0).mean())
        shares.append(row)
    one, two, three = np.mean(shares, axis=0)
    spread = np.std(shares, axis=0, ddof=1) / math.sqrt(8)
    exact, _ = accuracy_of_one_layer(0.05, 0.02, 800, 1.0)
    assert abs(one - exact) < 4.5 * spread[0]
    for layers, share, error in ((2, two, spread[1]), (3, three, spread[2])):
        law = filtered_accuracy(0.05, 0.02, 800, 1.0, layers=layers)
        assert abs(share - law) < 4.5 * error + 0.01


def test_a_reversed_graph_has_reversed_accuracies():
    for layers in range(1, 5):
        one, other = (
            filtered_accuracy(p, q, 1000, 1.0, layers=layers)
            for p, q in ((0.03, 0.01), (0.01, 0.03))
        )
        assert one == pytest.approx(other if layers % 2 == 0 else 1.0 - other, abs=1e-15)
        assert (filter_sign(0.01, 0.03, layers) > 0) == (layers % 2 == 0)


def test_limits():
    assert filtered_accuracy(0.1, 0.02, 1000, 1.7, layers=0) == pytest.approx(
        norm.cdf(0.85), abs=1e-15
    )
    exact, error = accuracy_of_one_layer(1.0, 0.0, 10, 1.0)  # four neighbours of one class
    assert exact == pytest.approx(norm.cdf(1.0), abs=error)


def test_a_result_draws_itself_and_survives_json(tmp_path):
    result = accuracy_by_layers(0.01, 0.03, 1000, 1.0)
    assert FilteredAccuracy.from_dict(json.loads(result.to_json())) == result
    assert result.sign == (1, -1, 1, -1, 1)
    # a layer without composition variance: the mean of D = 20 features, half as far apart, reversed
    assert result.without[1] == pytest.approx(norm.cdf(-0.25 * math.sqrt(20.0)), abs=1e-14)
    assert result.without[0] == result.raw_rule[0] == pytest.approx(norm.cdf(0.5), abs=1e-15)
    assert (result.exact, result.error) == accuracy_of_one_layer(0.01, 0.03, 1000, 1.0)
    assert (result.p, result.q, result.separation, result.noise) == (0.01, 0.03, 1.0, 1.0)
    assert result.degree == pytest.approx(20.0, rel=1e-15)
    assert result.gap[1] == pytest.approx(1.0 - result.raw_rule[1] - result.raw_rule[0])
    assert str(result).count("\n") == 5
    result.plot().savefig(tmp_path / "layers.png")
    drawn = accuracy_map(1000, 1.0, points=5)
    drawn.plot().savefig(tmp_path / "map.png")
    assert math.isnan(drawn.gap[0][0])  # no edges
    assert (drawn.separation, drawn.noise) == (1.0, 1.0)
    assert drawn.probabilities == pytest.approx([0.0, 0.0125, 0.025, 0.0375, 0.05], abs=1e-17)
    law = filtered_accuracy(0.05, 0.0125, 1000, 1.0) - filtered_accuracy(
        0.05, 0.0125, 1000, 1.0, layers=0
    )
    assert drawn.gap[1][4] == pytest.approx(law, abs=1e-13)
    assert drawn.gap[4][1] == pytest.approx(law, abs=1e-13)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: accuracy_by_layers(0.1, 0.1, 100, 1.0), "p = q = 0.1: neighbours' means"),
        (lambda: filter_sign(0.5, 0.5), "no rule tells them apart"),
        (lambda: accuracy_by_layers(1.1, 0.1, 100, 1.0), "p is a probability between 0 and 1, got 1.1"),
        (lambda: accuracy_by_layers(0.1, math.nan, 100, 1.0), "q is a probability .* got nan"),
        (lambda: accuracy_by_layers(0.1, 0.2, 101, 1.0), "even number of nodes, got 101"),
        (lambda: accuracy_by_layers(0.001, 0.002, 100, 1.0), "mean degree .* is 0.15: below 2"),
        (lambda: accuracy_by_layers(0.1, 0.2, 100, math.inf), "separation is a positive, finite"),
        (lambda: accuracy_by_layers(0.1, 0.2, 100, 1.0, noise=0.0), "noise is a positive, finite"),
        (lambda: accuracy_by_layers(0.1, 0.2, 100, 1.0, layers=9), "layers are an integer from 0 to 8"),
        (lambda: accuracy_map(100, 1.0, points=1), "a map has 2 to 1000 points"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
