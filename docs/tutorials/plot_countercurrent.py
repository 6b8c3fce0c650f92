r"""
Two networks that teach each other
==================================

Counter-current learning compares a forward network with one that carries labels back, layer by layer. Why
do their weights align, and how far?
"""

# %%
# The law
# -------
#
# Forward weights :math:`W_l` and feedback weights :math:`V_l^\top` of linear networks follow one equation,
# from different starts. So their distance falls:

from theory.countercurrent import LAWS

print(LAWS["alignment"]())

# %%
# The flow
# --------
#
# Solid lines are cosines of whole matrices, dotted ones of what data see of them, dashed ones what the law
# leaves at least.

from numerics.countercurrent import first_weights, flow, mixture

x, labels = mixture(inputs=12, classes=10, samples=400)
start = first_weights(12, 10, width=24, depth=2)
times = [0, 2, 5, 10, 20, 40, 80]
table = flow(x, labels, start, times)
figure = table.plot()

# %%
# All layers tend to one fit, least squares. The last column is what steps of finite size break: the drift of
# :math:`W_l^\top W_l - V_{l+1}^\top V_{l+1}`, which the flow conserves, for each unit of the step size.

print(flow(x, labels, start, [20, 200]))

# %%
# Training
# --------
#
# The source's ELU networks on digits, beside the same ones trained by backpropagation:

from verify.countercurrent.networks import Setting, trained

for rule in ("ccl", "bp"):
    _, found = trained(Setting(rule=rule, epochs=40), seed=0, networks=3, points=4)
    print(rule, "accuracy", found["accuracy"].mean(axis=0).round(3))
    print("    cosines", found["cosines"].mean(axis=0)[-1].round(2))
