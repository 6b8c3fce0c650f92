"""Perceptrons that are trained: their start is theory's, their steps are gradient descent's."""

import numpy as np
import pytest

from numerics import kernel, predict
from theory import MLP
from verify.networks import Network
from verify.networks.descent import trained

X = np.array([[1.0, 0.4, -0.3], [0.8, 0.9, 0.2], [-0.5, 1.1, 0.6]])
Y = np.array([1.0, -0.5, 0.8])
NEW = np.array([[0.3, -0.7, 0.5]])
BOTH = np.vstack([X, NEW])
MODEL = MLP("erf", 2, 1.3, 0.2, 1.0)


@pytest.mark.long
def test_networks_start_with_the_covariance_of_the_kernel() -> None:
    outputs = trained(Network.of(MODEL, 64), BOTH, Y, [1], rate=0.1, networks=1500, seed=1).outputs[
        :, 0
    ]
    expected = kernel(MODEL, BOTH).nngp
    assert outputs.T @ outputs / 1500 == pytest.approx(expected, abs=0.12 * expected.max())


def test_a_step_of_a_linear_network_of_one_layer_is_that_of_the_formula() -> None:
    """F = v phi(w x) with phi the identity: gradients by hand, decay included."""
    jax = pytest.importorskip("jax")
    model = MLP("identity", 1, 1.0, 0.0, 1.0)
    one = trained(
        Network.of(model, 5), BOTH, Y, [1], rate=0.3, ridge=0.7, networks=1, seed=4
    ).outputs[0]
    key = jax.random.split(jax.random.split(jax.random.key(4), 1)[0], 3)
    w = np.asarray(jax.random.normal(key[0], (5, 3)))
    v = np.asarray(jax.random.normal(key[-1], (5,)))

    def outputs(w: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (w @ BOTH.T / 3**0.5).T @ v / 5**0.5

    assert one[0] == pytest.approx(outputs(w, v))
    residual = (outputs(w, v)[:3] - Y) / 3
    dw = np.outer(v, residual @ X) / (3 * 5) ** 0.5
    dv = (w @ X.T / 3**0.5) @ residual / 5**0.5
    # the decay is towards the start, and so does nothing in the first step
    assert one[1] == pytest.approx(outputs(w - 0.3 * dw, v - 0.3 * dv))


@pytest.mark.long
def test_decay_makes_the_end_kernel_ridge_regression() -> None:
    """The mean over networks of what they are off their own linear prediction, at width 256."""
    made = trained(Network.of(MODEL, 256), BOTH, Y, [150], rate=0.3, ridge=0.5, networks=60, seed=2)
    b = predict(MODEL, X, np.eye(3), NEW, times=3 * 150, learning_rate=0.3, ridge=0.5).mean
    start, end = made.outputs[:, 0], made.outputs[:, 1]
    off = end[:, 3:] - start[:, 3:] - (Y - start[:, :3]) @ b.T
    assert abs(off.mean()) < 0.03
    assert off.std() < 0.1
    free = predict(MODEL, X, np.eye(3), NEW, times=3 * 150, learning_rate=0.3).mean
    other = end[:, 3:] - start[:, 3:] - (Y - start[:, :3]) @ free.T
    assert abs(other).mean() > 2.0 * abs(off).mean()
