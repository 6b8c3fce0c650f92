"""A peer: NNGP and NTK of wide perceptrons in jitted JAX, the formulas that its libraries evaluate.

Run by `benchmarks.kernels` in an environment of its own: ``python jax_kernels.py ACTIVATION DEPTH N D``
prints the best of seven times in seconds and a checksum.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def relu(k1, k12, k2):
    """Arc-cosine kernel of degree 1."""
    product = k1[:, None] * k2[None, :]
    root = jnp.sqrt(jnp.maximum(product - k12**2, 0.0))
    angle = jnp.arctan2(root, k12)
    slope = 0.5 - angle / (2 * jnp.pi)
    return root / (2 * jnp.pi) + slope * k12, slope, k1 / 2, k2 / 2


def erf(k1, k12, k2):
    """Arcsine kernel."""
    root = jnp.sqrt((1 + 2 * k1)[:, None] * (1 + 2 * k2)[None, :] - 4 * k12**2)
    value = 2 / jnp.pi * jnp.arctan2(2 * k12, root)
    own = [2 / jnp.pi * jnp.arctan2(k, jnp.sqrt(k + 0.25)) for k in (k1, k2)]
    return value, 4 / jnp.pi / root, *own


def kernels(x, activation, depth, w2=1.21, b2=0.04, v2=0.81):
    """NNGP and NTK."""
    layer = {"relu": relu, "erf": erf}[activation]
    k12 = w2 * x @ x.T / x.shape[1] + b2
    k1 = k2 = w2 * (x * x).sum(axis=1) / x.shape[1] + b2
    theta = k12
    for level in range(depth):
        value, slope, k1, k2 = layer(k1, k12, k2)
        scale, bias = (v2, 0.0) if level == depth - 1 else (w2, b2)
        k12 = scale * value + bias
        theta = k12 + scale * slope * theta
        k1, k2 = scale * k1 + bias, scale * k2 + bias
    return k12, theta


def main() -> None:
    """Time it."""
    activation, depth, n, d = sys.argv[1], *map(int, sys.argv[2:5])
    x = jnp.asarray(np.random.default_rng(0).standard_normal((n, d)))
    run = jax.jit(lambda x: kernels(x, activation, depth))
    result = jax.block_until_ready(run(x))
    best = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        result = jax.block_until_ready(run(x))
        best = min(best, time.perf_counter() - began)
    print(best, float(result[1][0, 1]))


if __name__ == "__main__":
    main()
