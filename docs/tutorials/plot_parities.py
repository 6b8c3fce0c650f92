r"""
What does a sparse feature cost?
================================

A parity of three among twenty coordinates: how many neurons are lucky, what one gradient tells them, and
which networks learn it.
"""

# %%
# Tickets
# -------
#
# A neuron that sees two of the three coordinates is a partial ticket: only the one that it misses has a
# gradient. How many there are is counted; how far the gradient stands out is derived.

from numerics.parities import frontier, success, tickets

print(tickets(20, 3, (2, 4, 6, 8)))

# %%
# The law behind the signal, and where it comes from:

from theory.parities import LAWS

print(LAWS["gradient"]())

# %%
# Width against samples
# ---------------------
#
# Wide networks that see little, or narrow ones that see much and need more samples: no pair on this
# frontier is beaten in both.

front = frontier(20, 3)
print(front)
figure = front.plot()

# %%
# Training
# --------
#
# Networks of two widths, 400 samples, 2000 steps of SGD. Sorted by whether they have a ticket at first.

from verify.parities.networks import Setting, train_case

for width in (12, 60):
    setting = Setting(n=20, k=3, sparsity=2, width=width, samples=400, steps=2000)
    outcome = train_case({**setting.case(), "networks": 30}, seed=0)
    lucky = [error <= 0.1 for error, count in zip(*outcome.values(), strict=True) if count]
    others = [error <= 0.1 for error, count in zip(*outcome.values(), strict=True) if not count]
    (chance,) = success(20, 3, (2,), (width,), (400,)).low
    print(
        f"width {width}: predicted {chance:.0%} of 30; with a ticket {sum(lucky)} of {len(lucky)}",
        end="",
    )
    print(f" succeed, without {sum(others)} of {len(others)}")

# %%
# Kernels
# -------
#
# The tangent kernel of the same architecture treats all parities of three coordinates alike, and needs
# samples for all of them.

from numerics.hypercube import kernel_needs

print(kernel_needs(20, (1, 2, 3, 4), sigma_b=0.2))
