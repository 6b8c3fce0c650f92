"""Where SAM and FGSAM end on quadratic losses, and largest eigenvalues: errors that hold."""

import math

import mpmath
import numpy as np
import pytest

from numerics.errors import ConvergenceError
from numerics.sharpness import evaluate, graph_fixed_point, largest_eigenvalue, quadratic_limits
from theory.sharpness import descent_edge, sam_cycle, sam_edge


def problem(seed, n=3):
    """Two Hessians and their minima."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, n, n))
    graph, peer = (r @ r.T + 0.3 * np.eye(n) for r in roots)
    return graph, peer, rng.standard_normal(n), rng.standard_normal(n)


def direction(w, graph, peer, b, a, weight, radius):
    g = graph @ (w - b)
    return weight * g + peer @ (w + radius * g / np.linalg.norm(g) - a)


def in_digits(found, graph, peer, b, a, weight, radius):
    """The fixed point by mpmath's own Newton iteration on the condition, in 40 digits."""
    n = len(b)
    with mpmath.workdps(40):
        g_, m_ = mpmath.matrix(graph.tolist()), mpmath.matrix(peer.tolist())
        a_, b_ = mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())

        def condition(*w):
            w = mpmath.matrix(w)
            g = g_ * (w - b_)
            return list(
                mpmath.mpf(weight) * g + m_ * (w + mpmath.mpf(radius) * g / mpmath.norm(g) - a_)
            )

        root = mpmath.findroot(condition, found.point)
        return [root[i] for i in range(n)]


@pytest.mark.parametrize("seed", range(6))
def test_the_fixed_point_is_one_to_its_error(seed):
    graph, peer, b, a = problem(seed)
    radius = (0.02, 0.3, 0.9)[seed % 3] * np.linalg.norm(a - b)
    found = graph_fixed_point(graph, peer, b, a, weight=0.7, radius=radius)
    exact = in_digits(found, graph, peer, b, a, 0.7, radius)
    off = math.sqrt(sum(float(x - y) ** 2 for x, y in zip(found.point, exact, strict=True)))
    assert off <= found.error < 1e-10
    assert found.gradient_norm == pytest.approx(np.linalg.norm(graph @ (found.point - b)))


def test_the_first_order_is_wrong_by_what_halves():
    graph, peer, b, a = problem(3)
    errors = []
    for radius in (0.1, 0.05, 0.025, 0.0125):
        found = graph_fixed_point(graph, peer, b, a, radius=radius)
        shift = np.linalg.norm(np.subtract(found.point, found.joint))
        errors.append(np.linalg.norm(np.subtract(found.first_order, found.point)) / shift)
    assert np.divide(errors[:-1], errors[1:]) == pytest.approx([2.0] * 3, rel=0.1)


def test_the_largest_stable_step_is_that_of_a_numerical_jacobian():
    graph, peer, b, a = problem(5)
    found = graph_fixed_point(graph, peer, b, a, radius=0.8)
    w, step = np.array(found.point), 1e-6
    jacobian = np.array(
        [
            (
                direction(w + step * e, graph, peer, b, a, 0.5, 0.8)
                - direction(w - step * e, graph, peer, b, a, 0.5, 0.8)
            )
            / (2 * step)
            for e in np.eye(3)
        ]
    ).T
    for eta, stable in ((0.99 * found.largest_step, True), (1.01 * found.largest_step, False)):
        radius = max(abs(np.linalg.eigvals(np.eye(3) - eta * jacobian)))
        assert (radius < 1.0) == stable


def test_there_is_none_where_the_minima_are_too_near():
    graph, peer, b, a = problem(0)
    apart = float(np.linalg.norm(a - b))
    graph_fixed_point(graph, peer, b, a, radius=0.999 * apart)
    with pytest.raises(ValueError, match="not more than the radius .*: FGSAM has no fixed point"):
        graph_fixed_point(graph, peer, b, a, radius=apart)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"graph": [[1.0, 2.0], [0.0, 1.0]]}, "symmetric and positive definite"),
        ({"graph": [[1.0, 0.0], [0.0, -1.0]]}, "symmetric and positive definite"),
        ({"graph": [[math.nan, 0.0], [0.0, 1.0]]}, "symmetric and positive definite"),
        ({"graph": [[1.0]]}, "Hessians of 2 coordinates are 2 by 2"),
        ({"radius": math.nan}, "radius is a positive, finite number, got nan"),
        ({"weight": 0.0}, "weight is a positive"),
        ({"peer_minimum": [math.nan, 0.0]}, "the minima are nan apart"),
    ],
)
def test_bad_quadratics_are_refused(change, words):
    given = {
        "graph": np.eye(2),
        "peer": np.eye(2),
        "graph_minimum": [0.0, 0.0],
        "peer_minimum": [1.0, 0],
    }
    with pytest.raises(ValueError, match=words):
        graph_fixed_point(**{**given, **change})  # pyright: ignore


def test_laws_are_rounded_once():
    value, error = evaluate(sam_cycle(), eta=0.1, h=5.0, rho=0.1)
    assert abs(value - 1 / 30) <= 2 * error
    tiny, _ = evaluate(sam_edge(), eta=1e300, rho=1e-300, nu=1.0)  # all but descent's edge cancels
    assert tiny == pytest.approx(evaluate(descent_edge(), eta=1e300)[0], rel=1e-15)
    with pytest.raises(ValueError, match="takes eta, h, rho; got eta"):
        evaluate(sam_cycle(), eta=0.1)
    with pytest.raises(ValueError, match="h is a positive, finite number, got nan"):
        evaluate(sam_cycle(), eta=0.1, h=math.nan, rho=1.0)


def test_one_dimension_at_a_glance(tmp_path):
    found = quadratic_limits(step=0.1, curvature=5.0, radius=0.1)
    values = dict(zip(found.quantities, found.values, strict=True))
    assert values["SAM: amplitude of the cycle"] == pytest.approx(1 / 30)
    # (lambda h_G b + h_M (a - rho))/(lambda h_G + h_M)
    assert values["FGSAM: fixed point, minima at 0 and 1"] == pytest.approx(0.9 / 3.5, rel=1e-14)
    found.plot().savefig(tmp_path / "limits.png")
    none = quadratic_limits(step=1.0, curvature=5.0, radius=0.1, apart=0.05)
    assert none.values[2:] == (None, None, None)
    assert all(why.startswith("steps diverge") for why in none.reasons[2:])
    near = quadratic_limits(step=0.1, curvature=5.0, radius=0.1, apart=0.05)
    assert (
        str(near)
        .splitlines()[-1]
        .strip()
        .endswith("none: the minima are no further apart than rho")
    )
    with pytest.raises(ValueError, match="apart is a number from 1e-100"):
        quadratic_limits(step=0.1, curvature=5.0, radius=0.1, apart=math.nan)


@pytest.mark.parametrize("size", [1, 2, 20, 150])
def test_the_largest_eigenvalue_is_within_its_error(size):
    matrix = np.random.default_rng(size).standard_normal((size, size))
    matrix = matrix + matrix.T
    found = largest_eigenvalue(lambda v: matrix @ v, size)
    assert abs(found.value - np.linalg.eigvalsh(matrix)[-1]) <= found.error < 1e-5
    negative = largest_eigenvalue(lambda v: -v, size)
    assert negative.value == pytest.approx(-1.0)
    assert str(found).count("\n") == 1


def test_products_that_are_no_matrix_s_are_refused():
    with pytest.raises(ValueError, match="products are not finite"):
        largest_eigenvalue(lambda v: v * math.nan, 30)
    with pytest.raises(ValueError, match="at least 1 row, got 0"):
        largest_eigenvalue(lambda v: v, 0)
    rng = np.random.default_rng(0)
    with pytest.raises(ConvergenceError, match="not those of one symmetric matrix"):
        largest_eigenvalue(lambda v: rng.standard_normal(100), 100)
