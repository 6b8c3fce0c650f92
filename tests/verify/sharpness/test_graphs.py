"""Graphs: block models as asked for, sympy's modules, and what is refused."""

import numpy as np
import pytest

from verify.sharpness.graphs import (
    block_model,
    few_shots,
    gcn_matrix,
    module_graph,
    neighbour_mean,
)


def test_a_block_model_has_its_densities_and_means():
    graph = block_model(np.random.default_rng(0), 1200, 0.05, 0.02, 3.0, classes=4, dimension=6)
    same = graph.labels[:, None] == graph.labels[None, :]
    off = ~np.eye(1200, dtype=bool)
    for chance, where in ((0.05, same & off), (0.02, ~same)):
        pairs = where.sum() / 2
        edges = graph.adjacency[where].sum() / 2
        assert abs(edges - chance * pairs) < 5 * np.sqrt(chance * pairs)
    assert (graph.adjacency == graph.adjacency.T).all()
    assert not graph.adjacency.diagonal().any()
    means = np.array([graph.features[graph.labels == c].mean(axis=0) for c in range(4)])
    for c in range(1, 4):
        assert np.linalg.norm(means[0] - means[c]) == pytest.approx(3.0, abs=0.6)


def test_matrices_do_what_they_say():
    path = np.diag(np.ones(2), 1) + np.diag(np.ones(2), -1)
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(neighbour_mean(path) @ x, [2.0, 2.5, 2.0])
    looped = path + np.eye(3)
    root = np.diag(looped.sum(axis=1) ** -0.5)
    np.testing.assert_allclose(gcn_matrix(path), root @ looped @ root)


@pytest.mark.long
def test_sympy_s_modules_are_a_connected_graph_of_five_classes():
    from scipy.sparse.csgraph import connected_components

    graph = module_graph()
    assert (graph.adjacency == graph.adjacency.T).all()
    assert connected_components(graph.adjacency)[0] == 1
    assert np.bincount(graph.labels).min() >= 20
    assert np.isfinite(graph.features).all()
    assert graph.features.shape == (len(graph.labels), 128)
    i, j = np.nonzero(graph.adjacency)
    own = np.mean(graph.labels[i] == graph.labels[j])
    assert own > 2.0 * np.mean((np.bincount(graph.labels) / len(graph.labels)) ** 2)


def test_shots_are_of_every_class():
    labels = np.repeat([0, 1, 2], 5)
    known = few_shots(np.random.default_rng(0), labels, 4)
    assert np.bincount(labels[known]).tolist() == [4, 4, 4]
    assert len(set(known.tolist())) == 12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: block_model(r, 10, 1.5, 0.1, 1.0), "p is a probability"),
        (lambda r: block_model(r, 10, 0.1, float("nan"), 1.0), "q is a probability .* got nan"),
        (lambda r: block_model(r, 9, 0.1, 0.1, 1.0), "2 classes of equal size"),
        (lambda r: block_model(r, 12, 0.1, 0.1, 1.0, classes=3), "3 classes need a dimension"),
        (lambda r: block_model(r, 10, 0.1, 0.1, float("nan")), "separation is a positive"),
        (lambda r: neighbour_mean(np.zeros((3, 3))), "3 of 3 nodes have no neighbour"),
        (lambda r: few_shots(r, np.array([0, 0, 1]), 1), "shots are from 1 to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))
