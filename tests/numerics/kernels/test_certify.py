"""Certified kernels: balls contain the doubles and shrink with the digits; eigenvalue bounds hold."""

import flint
import numpy as np
import pytest
from flint import arb, arb_mat

from numerics import certify_deq, certify_mlp, deq_kernel, mlp_kernel
from numerics.kernels.certify import smallest_eigenvalue


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    """Inputs with a duplicate and a parallel one."""
    made = np.random.default_rng(0).standard_normal((6, 4))
    made[4], made[5] = made[0], 2 * made[1]
    return made


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_doubles_are_where_the_balls_are(name: str, x: np.ndarray) -> None:
    mlp, deq = certify_mlp(x, name, digits=40), certify_deq(x, name, digits=40)
    doubles = mlp_kernel(x, None, name), deq_kernel(x, None, name)
    for ball, double in zip((mlp, deq), doubles, strict=True):
        assert ball.contains(double.nngp, 1e-13)
        assert ball.contains(double.ntk, 1e-13, "ntk")
    assert deq.contains(doubles[1].fixed_point, 1e-13, "fixed_point")
    widths = [max(float(v.rad()) for v in m.nngp.entries()) for m in (mlp, deq)]
    # parallel inputs: half of the digits, and half of these again at a fixed point
    assert widths[0] < 1e-18
    assert widths[1] < 1e-9


def test_more_digits_are_narrower_balls_inside(x: np.ndarray) -> None:
    some = x[:4]
    wide, narrow = (certify_deq(some, "relu", 0.7, digits=d) for d in (20, 60))
    for a, b in zip(wide.fixed_point.entries(), narrow.fixed_point.entries(), strict=True):
        assert a.overlaps(b)
        assert float(b.rad()) < 1e-50 < float(a.rad())


@pytest.mark.parametrize("name", ["relu", "erf", "sin"])
def test_distinct_inputs_have_a_positive_definite_matrix(name: str, x: np.ndarray) -> None:
    found = certify_deq(x[:4], name, 0.5)
    assert found.smallest_eigenvalue > 0
    near = np.linalg.eigvalsh(found.midpoints())[0]
    assert float(found.smallest_eigenvalue) == pytest.approx(near, rel=1e-10)


def test_parallel_inputs_without_bias_are_named_and_not_certified(x: np.ndarray) -> None:
    rays = x[[0, 1, 5]]
    found = certify_deq(rays, "relu", 0.5)
    assert not found.smallest_eigenvalue > 0
    assert "inputs 1 and 2 are parallel" in deq_kernel(rays, None, "relu", 0.5).note
    assert "inputs 0 and 1 are equal" in deq_kernel(x[[0, 4]], None, "erf").note
    assert deq_kernel(x[:4], None, "relu", 0.5).note == ""
    assert certify_deq(rays, "erf", 0.5).smallest_eigenvalue > 0


def test_the_eigenvalue_bound_is_a_bound() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        a = rng.standard_normal((7, 7))
        a = a + a.T
        bound = float(smallest_eigenvalue(arb_mat([[arb(float(v)) for v in row] for row in a])))
        exact = np.linalg.eigvalsh(a)[0]
        assert bound <= exact + 1e-13
        assert bound == pytest.approx(exact, rel=1e-9)
    spread = arb_mat([[arb(1, 0.25), arb(0)], [arb(0), arb(2)]])
    assert float(smallest_eigenvalue(spread)) == pytest.approx(0.75, rel=1e-6)


def test_precision_is_put_back_and_bad_digits_are_refused(x: np.ndarray) -> None:
    before = flint.ctx.prec
    certify_mlp(x[:2], digits=80)
    assert flint.ctx.prec == before
    with pytest.raises(ValueError, match="digits must be"):
        certify_mlp(x[:2], digits=0)
    with pytest.raises(ValueError, match="only closed duals"):
        certify_mlp(x[:2], "tanh")
