"""Laws of sharpness-aware minimisation and of filtered features, against brute force."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from theory.sharpness import (
    LAWS,
    filter_moments,
    filtering_gain,
    graph_alignment,
    hyperplane,
    released_weight,
    sam_cycle,
    sam_edge,
    sam_expansion,
)


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_derived(name):
    law = LAWS[name]()
    assert law.steps
    assert law.text()
    assert law.latex()


def tree(degree: int, depth: int) -> np.ndarray:
    """Adjacency of the tree of that degree around node 0, down to a depth."""
    edges, rim, count = [], [0], 1
    for level in range(depth):
        new = []
        for node in rim:
            for _ in range(degree - (level > 0)):
                edges.append((node, count))
                new.append(count)
                count += 1
        rim = new
    adjacency = np.zeros((count, count), dtype=int)
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = 1
    return adjacency


@pytest.mark.parametrize(("degree", "layers"), [(2, 1), (3, 1), (3, 2), (4, 2), (3, 3), (2, 4)])
def test_moments_are_those_of_an_enumerated_tree(degree, layers):
    adjacency = tree(degree, layers + 1)
    count = len(adjacency)
    distance = np.full((count, count), -1)
    power = np.eye(count, dtype=int)
    for k in range(2 * layers + 3):
        distance[(power > 0) & (distance < 0)] = k
        power = power @ adjacency
    walk = np.zeros(count, dtype=int)
    walk[0] = 1
    for _ in range(layers):
        walk = walk @ adjacency
    weights = [Fraction(int(w), degree**layers) for w in walk]
    near = [i for i, w in enumerate(weights) if w]
    ell = Fraction(1, 3)
    mean = sum(weights[i] * ell ** int(distance[0, i]) for i in near)
    second = sum(
        weights[i] * weights[j] * ell ** int(distance[i, j])
        for i, j in itertools.product(near, near)
    )
    put = {"D": degree, "ell": sp.Rational(1, 3), "delta": 2, "sigma": 1, "N": sp.oo}
    values = [
        law.at(**{k: v for k, v in put.items() if k in map(str, law.symbols)}).rhs
        for law in filter_moments(layers)
    ]
    assert values == [mean, second - mean**2, sum(weights[i] ** 2 for i in near)]


def test_what_is_left_of_noise_is_that_of_the_mean_graph():
    (own,) = {law.value for law in filter_moments(3)[2:]}
    ell, nodes = 0.3, 60
    y = np.repeat([1.0, -1.0], nodes // 2)
    mean = (1.0 + ell * np.outer(y, y)) / nodes  # the mean of A/D
    left = (np.linalg.matrix_power(mean, 3)[0] ** 2).sum()
    common = sp.limit(own.subs({"sigma": 1}), sp.Symbol("D", positive=True), sp.oo)
    (sigma,) = (s for s in own.free_symbols if str(s) == "sigma")
    names = {str(s): s for s in common.free_symbols}
    value = common.subs({names["ell"]: ell, names["N"]: nodes, sigma: 1})
    assert float(value) == pytest.approx(left, rel=1e-12)


def test_printed_amplitude_and_the_edge_that_it_lies_on():
    assert sam_cycle().at(eta=sp.Rational(1, 10), h=5, rho=sp.Rational(1, 10)).rhs == sp.Rational(
        1, 30
    )
    # nu = h A: the cycle's own gradient is where 5 is SAM's edge
    edge = sam_edge().at(eta=sp.Rational(1, 10), rho=sp.Rational(1, 10), nu=sp.Rational(5, 30))
    assert sp.simplify(edge.rhs - 5) == 0


@pytest.mark.parametrize("law", [sam_expansion, graph_alignment])
def test_expansions_leave_out_the_third_order(law):
    rng = np.random.default_rng(0)
    w, other = rng.standard_normal((2, 3))

    def loss(w):
        return np.cosh(w).sum() + np.sin(w[0] * w[1])

    step = 1e-5
    unit = np.eye(3)
    gradient = np.array([(loss(w + step * e) - loss(w - step * e)) / (2 * step) for e in unit])
    along = gradient if law is sam_expansion else other
    along = along / np.linalg.norm(along)
    curvature = (loss(w + 1e-3 * along) - 2 * loss(w) + loss(w - 1e-3 * along)) / 1e-6
    norm = np.linalg.norm(gradient)
    put = {"rho": 1.0, "nu": norm, "c": curvature, "L": loss(w), "L_M": loss(w)}
    put["cos"] = along @ gradient / norm
    off = []
    for rho in (0.1, 0.05):
        known = {k: v for k, v in {**put, "rho": rho}.items() if k in map(str, law().symbols)}
        off.append(abs(float(law().at(**known).rhs) - loss(w + rho * along)))
    assert off[0] / off[1] == pytest.approx(8.0, rel=0.15)


def test_small_laws():
    assert hyperplane().at(ell=-sp.Rational(1, 2), K=1).rhs == -1
    assert hyperplane().at(ell=-sp.Rational(1, 2), K=2).rhs == 1
    assert released_weight().at(**{"lambda": sp.Rational(1, 2)}).rhs == sp.Rational(2, 3)
    assert filtering_gain().at(ell=1, s=5).rhs == 1  # one neighbour is as good as the node itself
    with pytest.raises(ValueError, match="at least 1 layer, got 0"):
        filter_moments(0)
