"""Reconstructions: the samples of a network near rest, honest matching, and scores."""

import json
from itertools import permutations

import numpy as np
import pytest

from numerics.reconstruction.attack import Audit, Reconstruction, audit, matched, reconstruct, ssim
from numerics.reconstruction.network import Network


@pytest.fixture(scope="module")
def found(relu) -> Reconstruction:
    return reconstruct(relu[0], 8, centred=True, restarts=2, iterations=300)


def test_weights_near_rest_give_their_samples_away(relu, found) -> None:
    network, x, _ = relu
    result = audit(network, found, x)
    assert result.given_away == 4
    assert max(result.start_cosines) < 0.9
    assert found.residual == min(found.residuals)
    again = reconstruct(network, 8, centred=True, restarts=2, iterations=300)
    assert again == found
    np.testing.assert_allclose(np.sum(found.multipliers, axis=1), 0.0, atol=1e-12)
    assert np.abs(found.samples).max() <= 1.0


def test_every_number_of_a_reconstruction_is_what_it_says(relu, found) -> None:
    """Gradients of two layers are typed here."""
    network, mine, _ = relu
    x, multipliers = np.array(found.samples), np.array(found.multipliers)
    inner, last = network.weights
    rows = np.hstack([x, np.ones((8, 1))])
    before = rows @ inner.T
    pull = (multipliers @ last) * (before > 0)
    left = inner - pull.T @ rows, last - multipliers.T @ np.maximum(before, 0.0)
    sizes = [np.hypot(*map(np.linalg.norm, pair)) for pair in (left, network.weights)]
    assert found.residual == pytest.approx(sizes[0] / sizes[1], rel=1e-9)
    assert (np.diff(np.linalg.norm(multipliers, axis=1)) <= 0.0).all()
    singular = np.linalg.svd(inner, compute_uv=False)
    assert found.rank == (singular > 0.01 * singular[0]).sum()
    result = audit(network, found, mine, seed=7)
    by_chance = matched(np.random.default_rng(7).standard_normal((8, 10)), mine)[0]
    np.testing.assert_allclose(result.start_cosines, by_chance, atol=1e-12)
    np.testing.assert_allclose(result.cosines, matched(x, mine)[0], atol=1e-12)


def test_the_rank_counts_singular_values_above_a_hundredth_of_the_largest() -> None:
    network = Network.of({"W1": np.diag([1.0, 0.1, 0.011, 0.009]), "W2": np.ones((1, 4))})
    assert reconstruct(network, 2, iterations=1).rank == 3


def test_results_are_written_read_and_drawn(relu, found) -> None:
    result = audit(relu[0], found, relu[1])
    assert Reconstruction.from_dict(json.loads(found.to_json())) == found
    assert Audit.from_dict(json.loads(result.to_json())) == result
    assert result.similarities == ()  # ten numbers are no picture
    for one in (found, result):
        assert one.plot().axes
        assert "\n" in str(one)


def test_matching_is_the_best_of_all() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    cosines, chosen = matched(one, other)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other)]
    table = unit[1] @ unit[0].T
    best = max(sum(table[i, p[i]] for i in range(4)) for p in permutations(range(5), 4))
    assert cosines.sum() == pytest.approx(best)
    np.testing.assert_allclose(cosines, table[range(4), chosen])
    assert len(set(chosen)) == 4
    with pytest.raises(ValueError, match="4 samples of 3 numbers need as many candidates"):
        matched(one[:2], other)


def test_structural_similarity_has_its_laws() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((8, 8)), rng.random((8, 8))
    values = []
    for i, j in np.ndindex(2, 2):
        p, q = a[i : i + 7, j : j + 7].ravel(), b[i : i + 7, j : j + 7].ravel()
        (v, both), (_, w) = np.cov(p, q)
        top = (2 * p.mean() * q.mean() + 0.01**2) * (2 * both + 0.03**2)
        values.append(top / ((p.mean() ** 2 + q.mean() ** 2 + 0.01**2) * (v + w + 0.03**2)))
    assert ssim(a, b, 1.0) == pytest.approx(np.mean(values), rel=1e-12)
    assert ssim(a, a, 1.0) == pytest.approx(1.0)
    assert ssim(a, b, 1.0) == pytest.approx(ssim(b, a, 1.0))
    assert ssim(3 * a, 3 * b, 3.0) == pytest.approx(ssim(a, b, 1.0))
    assert ssim(a, 1 - a, 1.0) < 0 < ssim(a, a + 0.1 * b, 1.0) < 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count is at least 1, got 0"),
        ({"count": 10**8}, "more than 100000000"),
        ({"count": 2, "restarts": 0}, "restarts is at least 1"),
        ({"count": 2, "bound": float("nan")}, "bound is a positive number"),
    ],
)
def test_bad_searches_are_refused(relu, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        reconstruct(relu[0], **options)


def test_smooth_networks_are_refused(drawn) -> None:
    with pytest.raises(ValueError, match="for ReLU networks"):
        reconstruct(drawn((3, 4, 1), 0, 2.0), 2)
