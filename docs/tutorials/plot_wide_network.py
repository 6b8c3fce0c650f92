r"""
How wide is wide enough?
========================

From an activation that you type to its kernel, networks that are really drawn, a Gaussian process fit, and
the error of a finite network, predicted and measured.
"""

# %%
# An activation
# -------------
#
# Any expression in x. Its dual is derived, and with it the kernel of a wide equilibrium model
# z = phi(W z + U x + b).

import numpy as np

from numerics import kernel
from theory import DEQ

model = DEQ("x*erf(x)/2", sigma_w=0.6, sigma_u=1.0, sigma_b=0.3)
grid = np.linspace(-2.0, 2.0, 5)
inputs = np.column_stack([grid, np.ones_like(grid)])
limit = kernel(model, inputs)
print(limit.nngp.round(3))
print(limit.conditions)

# %%
# Networks
# --------
#
# The weights are shared by all layers, and equilibria are solved to the residual that comes with them. A draw
# without an equilibrium would be listed.

from verify.networks import Network, sample

widths = (50, 200, 800)
drawn = {n: sample(Network.of(model, n), inputs, 20, seed=n) for n in widths}
for n, found in drawn.items():
    print(n, f"largest residual {found.residual.max():.0e}, failures: {found.failures}")

# %%
# A Gaussian process fit
# ----------------------
#
# The posterior mean of the limit, and of the kernel of one network of each width.

targets = np.sin(2.0 * grid)


def fit(kernel, noise=1e-2):
    """Return the posterior mean at the inputs."""
    return kernel @ np.linalg.solve(kernel + noise * np.eye(len(kernel)), targets)


fits = {n: fit(found.covariance[0]) for n, found in drawn.items()}
ideal = fit(limit.nngp)
print("limit", ideal.round(3))
for n, values in fits.items():
    print(n, values.round(3))

# %%
# How wide is wide enough
# -----------------------
#
# The error of one network falls like one over the root of the width. Its size follows from the kernel alone,
# by the delta method, before any network is drawn.

from verify.networks.laws import error_of
from verify.networks.predictions import one_step_error

measured = [error_of(drawn[n].covariance, limit.nngp) for n in widths]
predicted = [one_step_error(inputs, Network.of(model, n)) for n in widths]
for n, one, other in zip(widths, predicted, measured, strict=True):
    print(f"width {n}: predicted error {one:.3f}, measured {other:.3f}")
enough = round((predicted[0] / 0.01) ** 2 * widths[0])
print(f"an error of 1% takes {enough} units")

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
axes[0].plot(grid, targets, "k.", label="data")
axes[0].plot(grid, ideal, "k-", label="limit")
for n, values in fits.items():
    axes[0].plot(grid, values, "--", label=f"n = {n}")
axes[0].set(xlabel="x", ylabel="posterior mean")
axes[0].legend()
axes[1].loglog(widths, measured, "o", label="measured")
axes[1].loglog(widths, predicted, "-", label="predicted")
axes[1].set(xlabel="width n", ylabel="relative error of the covariance")
axes[1].legend()
