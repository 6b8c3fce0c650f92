"""The flow of linear networks: against steps written out here, on data that are not reduced; its laws."""

import numpy as np
import pytest

import numerics.countercurrent as module
from numerics.countercurrent import Flow, first_weights, flow, mixture, reduced
from numerics.errors import ConvergenceError

X, LABELS = mixture(5, 3, 40, seed=1)
X = X * [1.0, 2.0, 0.5, 1.0, 1.5]
START = first_weights(5, 3, 4, 2, seed=2)


def cosine(a, b):
    return (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)


def stepped(x, labels, start, step, count):
    """Weights and summed drifts of descent, with gradients typed here."""
    y, n = np.eye(labels.max() + 1)[labels], len(x)
    w, v = list(start.forward), list(start.back)
    drifts = [0.0] * (len(w) - 1)
    for _ in range(count):
        a, b = [x], [np.eye(y.shape[1])]
        for matrix in w:
            a.append(a[-1] @ matrix)
        for matrix in v[::-1]:
            b.append(b[-1] @ matrix)
        b = b[::-1]
        e = [(p @ q.T - y) / n for p, q in zip(a, b, strict=True)]
        g = [a[k].T @ e[k + 1] @ b[k + 1] for k in range(len(w))]
        h = [b[k + 1].T @ e[k].T @ a[k] for k in range(len(v))]
        for k in range(len(drifts)):
            drifts[k] = drifts[k] + step * (g[k].T @ g[k] - h[k + 1].T @ h[k + 1])
        w = [m - step * s for m, s in zip(w, g, strict=True)]
        v = [m - step * s for m, s in zip(v, h, strict=True)]
    return w, v, a, b, drifts


def test_every_column_of_the_flow_is_that_of_small_steps():
    rows = flow(X, LABELS, START, (0.0, 2.0)).rows()
    # an extrapolation in the step: the error is of second order
    pairs = []
    for count in (1000, 2000):
        w, v, a, b, drifts = stepped(X, LABELS, START, 2.0 / count, count)
        fit = X @ np.linalg.lstsq(X, np.eye(3)[LABELS], rcond=None)[0]
        fits = [p @ q.T for p, q in zip(a, b, strict=True)]
        lines = []
        for k, one in enumerate(fits):
            line = [np.linalg.norm(one - fit) / np.linalg.norm(fit)]
            if k:
                own, other = w[k - 1], v[k - 1].T
                first = np.linalg.norm(START.forward[k - 1] - START.back[k - 1].T)
                sizes = np.linalg.norm(own), np.linalg.norm(other)
                least = (sizes[0] ** 2 + sizes[1] ** 2 - first**2) / 2 / sizes[0] / sizes[1]
                line += [cosine(own, other), least, cosine(one, fits[k - 1])]
            if 0 < k < len(w):
                change = w[k - 1].T @ w[k - 1] - START.forward[k - 1].T @ START.forward[k - 1]
                line.append(np.linalg.norm(drifts[k - 1]) / np.linalg.norm(change))
            lines.append(np.array(line))
        pairs.append(lines)
    names = ("from OLS", "cosine", "at least", "seen", "drift/step")
    for k, row in enumerate(rows[4:]):
        found = [row[name] for name in names if row[name] is not None]
        np.testing.assert_allclose(found, 2 * pairs[1][k] - pairs[0][k], rtol=2e-3, atol=1e-4)
    assert [row["time"] for row in rows] == [0.0] * 4 + [2.0] * 4
    assert [row["layer"] for row in rows] == [0, 1, 2, 3] * 2


def test_the_error_covers_a_finer_solution():
    coarse, fine = (flow(X, LABELS, START, (1.0, 5.0), tolerance=t) for t in (1e-6, 1e-11))
    assert 0.0 < fine.error < coarse.error < 1e-3
    for a, b in zip(coarse.rows(), fine.rows(), strict=True):
        assert all(abs(a[n] - b[n]) <= coarse.error for n in a if a[n] is not None)


def test_every_layer_comes_to_rest_at_least_squares_and_is_aligned_as_far_as_data_see():
    late = flow(X, LABELS, START, (600.0,))
    assert max(late.distances) < 0.02
    assert all(s is None or s > 0.999 for s in late.seen)
    assert all(
        c is None or low - 1e-9 <= c < 0.95 for c, low in zip(late.cosines, late.least, strict=True)
    )
    assert Flow.from_dict(late.to_dict()) == late
    assert late.plot().axes


def test_small_starts_align_whole_matrices():
    small = flow(X, LABELS, first_weights(5, 3, 4, 1, gain=0.02, seed=3), (100.0,))
    assert all(c is None or c > 0.97 for c in small.cosines)


def test_what_has_hardly_moved_has_no_relative_drift():
    """Rounding would be all of it; the rest is as at first."""
    early = flow(X, LABELS, START, (0.0, 1e-12), progress=(seen := []).append)
    assert set(early.drifts) == {None}
    np.testing.assert_allclose(early.distances[4:], early.distances[:4], rtol=1e-9)
    assert seen == sorted(seen)
    assert 0.0 <= seen[0] <= seen[-1] <= 1.0


def test_descent_drifts_by_exactly_the_sum_over_its_steps():
    w, v, _, _, drifts = stepped(X, LABELS, START, 0.05, 20)
    for k, summed in enumerate(drifts):
        pairs = ((w[k], v[k + 1]), (START.forward[k], START.back[k + 1]))
        now, first = (a.T @ a - b.T @ b for a, b in pairs)
        np.testing.assert_allclose(now - first, 0.05 * summed, atol=1e-13)


def test_a_flow_that_takes_too_long_says_how_far_it_came(monkeypatch):
    monkeypatch.setattr(module, "_WORK", 1e5)
    with pytest.raises(ConvergenceError, match="too many steps to go beyond time"):
        flow(X, LABELS, START, (1e4,))


def test_reduced_data_drop_what_is_not_there():
    x = np.hstack([X, X[:, :1], np.zeros((40, 1))])
    root, targets = reduced(x, LABELS)
    assert root.shape == (5, 7)
    np.testing.assert_allclose(root.T @ root, x.T @ x / 40, atol=1e-12)
    np.testing.assert_allclose(root.T @ targets, x.T @ np.eye(3)[LABELS] / 40, atol=1e-12)


def test_first_weights_are_uniform_as_in_the_source():
    """Up to gain/sqrt(units that are summed), and not less."""
    for part in first_weights(100, 10, 50, 1, gain=3.0, seed=1):
        for matrix in part:
            assert 0.99 < abs(matrix).max() * matrix.shape[0] ** 0.5 / 3.0 <= 1.0
            assert matrix.var() * matrix.shape[0] == pytest.approx(3.0, rel=0.15)


def test_mixtures_are_white_and_their_classes_equal():
    x, labels = mixture(6, 4, 80, seed=5)
    np.testing.assert_allclose(x.T @ x / 80, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    assert np.bincount(labels).tolist() == [20] * 4
    assert abs(mixture(6, 4, 80, seed=6)[0] - x).max() > 0.1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: first_weights(5, 10, 4, 2), "width 4 is below the number of classes, 10"),
        (
            lambda: first_weights(5, 3, 4, 2, gain=-1.0),
            "a gain is a number from 1e-06 to 100, got -1",
        ),
        (lambda: first_weights(5, 3, 4.0, 2), "width is an integer, got 4.0"),
        (lambda: first_weights(5, 1, 4, 2), "classes is an integer from 2 to 100, got 1"),
        (
            lambda: mixture(5, 3, 5),
            "5 white inputs of 3 classes take from 6 to 100000 samples, got 5",
        ),
        (
            lambda: mixture(5, 9, 8),
            "5 white inputs of 9 classes take from 9 to 100000 samples, got 8",
        ),
        (
            lambda: flow(
                X, LABELS, START._replace(forward=tuple(0 * m for m in START.forward)), (1,)
            ),
            "no matrix of them is zero",
        ),
        (lambda: flow(X * np.nan, LABELS, START, (1.0,)), "x is a finite matrix"),
        (lambda: flow(X, LABELS[:-1], START, (1.0,)), "a label for each row"),
        (lambda: flow(X, LABELS * 2, START, (1.0,)), "integers from 0 to K - 1"),
        (lambda: flow(X, LABELS, START, (0.0,)), "one at least above 0; got 0"),
        (lambda: flow(X, LABELS, START, (-1.0, float("nan"))), "times are numbers from 0"),
        (lambda: flow(X[:, :4], LABELS, START, (1.0,)), "weights lead from 4 inputs to 3 classes"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
