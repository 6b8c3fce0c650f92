r"""
Sharpness on graphs
===================

Where SAM and its graph variant end on a quadratic loss, how many layers of neighbours' means help, and what a
trained network's largest curvature is.
"""

# %%
# SAM never rests
# ---------------
#
# On a parabola it jumps between two points; their distance is derived.

from theory.sharpness import sam_cycle

print(sam_cycle().text())

# %%
# FGSAM rests, or not
# -------------------
#
# Two quadratic losses whose minima are 1 apart: below a radius of 1 there is a fixed point.

import numpy as np

from numerics.sharpness import graph_fixed_point

graph, peer = np.diag([3.0, 1.0]), np.array([[1.0, 0.3], [0.3, 2.0]])
found = graph_fixed_point(graph, peer, [0.0, 0.0], [0.6, 0.8], radius=0.2)
print(found)

try:
    graph_fixed_point(graph, peer, [0.0, 0.0], [0.6, 0.8], radius=1.1)
except ValueError as error:
    print(error)

# %%
# An iteration ends there.

w = np.array([0.3, 0.3])
for _ in range(2000):
    g = graph @ w
    w = w - 0.1 * (0.5 * g + peer @ (w + 0.2 * g / np.linalg.norm(g) - [0.6, 0.8]))
print(np.abs(w - found.point).max() <= found.error)

# %%
# How many layers
# ---------------
#
# Neighbours' means help, until the classes are forgotten. Who leaves out that neighbourhoods differ in their
# classes promises too much.

from numerics.sharpness import accuracy_by_layers

layers = accuracy_by_layers(0.03, 0.015, nodes=2000, separation=1.0, layers=6)
print(layers)
figure = layers.plot()

# %%
# The largest curvature of any loss
# ---------------------------------
#
# Lanczos' method on Hessian-vector products of JAX, with an error.

from verify.networks.training import jax_modules
from verify.sharpness.experiment import loss_sharpness

jax, jnp, _ = jax_modules()
x = jnp.asarray(np.random.default_rng(0).standard_normal((50, 8)))


def loss(w):
    """Something smooth with a hidden layer."""
    return jnp.mean(jnp.tanh(x @ w["first"]).sum(axis=1) ** 2) + jnp.sum(w["second"] ** 4)


print(loss_sharpness(loss, {"first": 0.1 * jnp.ones((8, 4)), "second": jnp.ones(3)}))
