r"""
Which of my samples does this network give away?
================================================

A small network is trained on digits with weight decay. From its weights alone, its samples come back.
"""

# %%
# A network
# ---------
#
# Ten digits, one of each class, 200 hidden units. It is trained until what is left of the first weights is
# exp(-6), and is written to a file as anybody's network would be.

import tempfile
from pathlib import Path

import numpy as np

from verify.reconstruction.training import trained

made = trained("multiclass", samples=10, width=200, decay=0.003, seed=1)
first, second = made.network.weights
file = Path(tempfile.mkdtemp()) / "net.npz"
np.savez(file, W1=first[:, :-1], b1=first[:, -1], W2=second)

# %%
# Is it at rest?
# --------------
#
# Its weights are a combination of gradients on its samples: the multipliers that fit best are those of the
# loss. The residual stands between bounds that hold; with hard gates it is several times larger, as many
# samples lie on kinks.

from numerics.reconstruction.network import Network, read_arrays
from numerics.reconstruction.stationarity import stationarity

network = Network.of(read_arrays(file))
rest = stationarity(network, made.x, made.y, "cross-entropy")
print(rest.note())

# %%
# On other digits it is not, and no multipliers can make it so: the lower bound says that.

other = stationarity(network, made.others[:10], made.y, "cross-entropy", decay=0.003)
print(f"between {other.low:.3f} and {other.high:.3f}")

# %%
# One multiplier a sample is not enough
# -------------------------------------
#
# Ten outputs have nine free multipliers a sample. The class less the runner-up has a share of them only.

law = np.array(rest.law)
print("share of the runner-up:", (-np.sort(law, axis=1)[:, 0] / law.max(axis=1)).round(2))

# %%
# Samples from weights
# --------------------
#
# Twice as many candidates as there are samples, and nothing but the weights.

from numerics.reconstruction.attack import audit, reconstruct

found = reconstruct(network, 20, centred=True)
result = audit(network, found, made.x)
print(result)

# %%
# Samples above, candidates below.

figure = result.plot()

# %%
# Without decay
# -------------
#
# The same data and the same start. Weights are not at rest, and less comes back.

plain = trained("multiclass", samples=10, width=200, decay=0.0, seed=1)
margin = stationarity(plain.network, plain.x, plain.y, "margin")
without = audit(plain.network, reconstruct(plain.network, 20, centred=True), plain.x)
print(f"residual {margin.high:.2f}; {without.given_away} of 10 against {result.given_away}")
