r"""
Kernels of wide networks
========================

From an activation to a Gaussian process: its dual is derived, the kernels of a perceptron and of an
equilibrium model are computed and certified, trained networks are predicted, and a phase diagram tells order
from chaos. To fit hyper-parameters hand :class:`numerics.kernels.sklearn.MLP` or ``DEQ`` to scikit-learn.
"""

# %%
# A dual, derived
# ---------------
#
# Any expression in one symbol will do. This one has no name.

import sympy

from theory import dual

x = sympy.Symbol("x")
found = dual(x * sympy.erf(x) + sympy.Abs(x) / 2)
print(found.text())

# %%
# Kernels
# -------
#
# Inputs are rows. The third is twice the first, the last one is the second again: correlations of exactly 1.

import numpy as np

from numerics import kernel
from theory import DEQ, MLP

rng = np.random.default_rng(0)
inputs = rng.standard_normal((6, 3))
inputs[2], inputs[5] = 2 * inputs[0], inputs[1]

model = MLP("relu", depth=3)
print(model.text())
print(kernel(model, inputs).ntk.round(4))

# %%
# An equilibrium model has one layer that is applied for ever.

equilibrium = kernel(DEQ("relu", sigma_w=0.8), inputs)
print(equilibrium.conditions)
print(equilibrium.note)

# %%
# Where it does not exist, it is refused, and the message says which of the three conditions fails, and by
# how much.

from numerics import DivergenceError

try:
    kernel(DEQ("relu", sigma_w=1.2), inputs)
except DivergenceError as error:
    print(error)

# %%
# Proof
# -----
#
# The same expressions in balls: the smallest eigenvalue of the matrix of four distinct directions is bounded
# from below.

from numerics import certify

distinct = inputs[[0, 1, 3, 4]]
certified = certify(DEQ("relu", sigma_w=0.8), distinct, digits=30)
print("proved: smallest eigenvalue >=", certified.smallest_eigenvalue.str(10, radius=False))

# %%
# Prediction
# ----------
#
# An ensemble of networks, trained for a time, and the posterior of the Gaussian process beside it: mean and
# standard deviation at new inputs, with errors that hold.

from numerics import predict

labels, new = np.sin(distinct[:, 0]), rng.standard_normal((2, 3))
training = predict(model, distinct, labels, new, times=[0, 1, 10, np.inf])
for time, mean, deviation in zip(training.times, training.mean, training.deviation, strict=True):
    print(f"after {time} steps: {mean.round(3)} +- {deviation.round(3)}")
posterior = predict(model, distinct, labels, new, kind="nngp", ridge=0.01)
print("posterior:", posterior.mean.round(3), "+-", posterior.deviation.round(3))
print("errors:", training.mean_error, posterior.mean_error)

# %%
# Order and chaos
# ---------------
#
# Two inputs of a deep perceptron become alike (order, chi < 1) or unlike (chaos, chi > 1). Near the black
# line correlations live for hundreds of layers.

from numerics import phase_diagram
from numerics.figures.phases import phase_figure

diagram = phase_diagram("erf", np.linspace(0.2, 3.0, 29), np.linspace(0.0, 0.8, 17))
figure = phase_figure(diagram)
