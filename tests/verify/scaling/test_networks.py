"""Networks as the source has them, tasks, and the fit of the compute-optimal size."""

import math

import numpy as np
import pytest

from theory.scaling.networks import bottleneck_parameters, optimal_parameters, standard_parameters
from verify.networks.training import jax_modules
from verify.scaling import tasks
from verify.scaling.allocation import fit_loss, measured_optimum, one_pass
from verify.scaling.networks import initial, outputs, parameters, smoothed_loss, turned


@pytest.mark.parametrize(
    ("kind", "law"), [("bottleneck", bottleneck_parameters), ("standard", standard_parameters)]
)
def test_networks_have_the_parameters_of_the_law(kind, law):
    jax, _, _ = jax_modules()
    network = initial(kind, jax.random.key(0), 5, 4, 2, 3)
    assert parameters(network) == law().at(d=5, m=4, L=2, C=3).rhs


def test_outputs_are_those_of_the_formulas():
    """By hand, in NumPy."""
    from scipy.special import erf

    jax, _, _ = jax_modules()
    x = np.random.default_rng(0).standard_normal((6, 5))
    for kind in ("bottleneck", "standard"):
        network = jax.tree.map(np.asarray, initial(kind, jax.random.key(1), 5, 4, 1, 3))
        (w, b), (gain, shift, maps), (u, c) = network["into"], network["blocks"][0], network["out"]
        z = x @ w.T + b
        h = gain * (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5) + shift
        if kind == "bottleneck":
            inner = h @ maps[0][0].T + maps[0][1]
            inner *= 0.5 * (1 + erf(inner / math.sqrt(2)))
            z = z + inner @ maps[1][0].T + maps[1][1]
        else:
            z = (h * 0.5 * (1 + erf(h / math.sqrt(2)))) @ maps[0][0].T + maps[0][1]
        np.testing.assert_allclose(outputs(network, x), z @ u.T + c, rtol=1e-12)


def test_turned_networks_and_smoothed_labels():
    jax, _, _ = jax_modules()
    rng = np.random.default_rng(0)
    network, x = initial("bottleneck", jax.random.key(2), 5, 4, 1, 3), rng.standard_normal((6, 5))
    turn = tasks.orthogonal(rng, 5)
    np.testing.assert_allclose(turn @ turn.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(
        outputs(turned(network, turn), x @ turn.T), outputs(network, x), rtol=1e-9
    )
    flat = {**network, "out": (0 * network["out"][0], 0 * network["out"][1])}
    assert float(smoothed_loss(flat, x, np.eye(3)[[0, 1, 2, 0, 1, 2]])) == pytest.approx(
        math.log(3)
    )


def test_patch_kernels_see_places_as_they_should():
    """The pooled one is that of a mean over places; both differ once pixels are permuted."""
    rng = np.random.default_rng(0)
    x, labels = tasks.local_task(rng, 6)
    assert set(labels) <= {0, 1}
    images = x.reshape(-1, 6, 6)
    by_hand = [
        images[k, i : i + 3, j : j + 3].ravel() for k in (0, 1) for i in range(4) for j in range(4)
    ]
    from numerics import kernel

    whole = kernel(tasks.PATCH, np.array(by_hand)).nngp
    pooled, local = tasks.pooled_kernel(x), tasks.patch_kernel(x)
    assert pooled[0, 1] == pytest.approx(whole[:16, 16:].mean())
    assert local[0, 1] == pytest.approx(np.diagonal(whole[:16, 16:]).mean())
    shuffled = x[:, rng.permutation(36)]
    assert abs(tasks.pooled_kernel(shuffled) - pooled).max() > 1e-3


def test_the_fit_finds_the_law_that_made_the_losses():
    sizes, samples = np.geomspace(50, 5000, 8), np.geomspace(1e3, 1e5, 40)
    losses = 9 * sizes[:, None] ** -0.9 + 6 * samples**-0.4 + 0.01
    fit = fit_loss(np.repeat(sizes, 40), np.tile(samples, 8), losses.ravel())
    assert fit.exponents == pytest.approx((0.9, 0.4), rel=1e-3)
    assert fit.floor == pytest.approx(0.01, rel=1e-2)
    assert fit.size_exponent == pytest.approx(0.4 / 1.3, rel=1e-3)
    compute = 1e7
    own = measured_optimum(sizes, samples, losses, compute)
    assert own == pytest.approx(fit.optimum(compute, optimal_parameters()), rel=0.1)
    assert math.isnan(measured_optimum(sizes, samples, losses, 1e2))


@pytest.mark.slow
def test_one_pass_is_the_same_for_the_same_seed():
    one, two = (one_pass(2, 2048, 5, 2) for _ in range(2))
    assert one == two
    assert one["parameters"] == bottleneck_parameters().at(d=4, m=2, L=1, C=1).rhs
    assert one["samples"][-1] == 2048
