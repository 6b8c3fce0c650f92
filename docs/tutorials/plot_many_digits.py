r"""
Fifty digits, and a proof
=========================

How far can one trust the fourth digit of a threshold? Far enough, if the fiftieth is there too, found by two
routes, and if its bounds are proved. We refine solutions to many digits, prove what can be proved of them,
and measure what a digit costs.
"""

# %%
# Many digits
# -----------
#
# ``digits`` is all it takes. Value and order parameters are then mpmath numbers.

from numerics import solve
from theory import ABP, SBP

level_3 = solve(SBP(kappa=1), 3, digits=100)
print(level_3)

# %%
# The capacity of the asymmetric perceptron at level 2, Krauth and Mezard's 0.833:

krauth_mezard = solve(ABP(kappa=0), 2, digits=50)
print(krauth_mezard)

# %%
# Proofs
# ------
#
# :func:`numerics.certify` says what it proves. For nests of one lifting that is the existence of the
# stationary point:

from numerics import certify, certify_small_margin, check

proof = certify(krauth_mezard, digits=15)
print(proof)

# %%
# A certificate is verified from its text alone, from scratch:

check(proof.to_json())

# %%
# At higher levels of the symmetric perceptron it is an upper bound, from one evaluation at rational
# order parameters. Level by level the bounds fall:

certificates = [certify(solve(SBP(kappa=1), level), digits=12) for level in (2, 4, 5, 6)]
certificates += [proof, certify_small_margin(30)]
for c in certificates:
    print(f"{c.model} level {c.level}, {c.kind}: [{c.lower}, {c.upper}]")

# %%
# What a digit costs
# ------------------
#
# One value and gradient for 30 to 300 digits, at levels 3 and 4. The exponent of D is fitted to these points.

import time

import matplotlib.pyplot as plt
import numpy as np
from flint import arb

from numerics.balls.plan import BallGrid
from numerics.thresholds.functional import functional_of

digits = np.array([30, 55, 100, 175, 300])
figure, axes = plt.subplots()
exponents = {}
for level, most in ((3, 300), (4, 100)):
    functional, theta = functional_of(solve(SBP(kappa=1), level))
    at = [arb(t) for t in theta]
    seconds = []
    for d in digits[digits <= most]:
        began = time.perf_counter()
        functional(at, BallGrid(int(d)), gradient=True)
        seconds.append(time.perf_counter() - began)
    used = digits[digits <= most]
    exponents[level] = np.polyfit(np.log(used), np.log(seconds), 1)[0]
    axes.loglog(used, seconds, "o-", label=f"level {level}: $D^{{{exponents[level]:.1f}}}$")
axes.set_xlabel("digits D")
axes.set_ylabel("seconds for value and gradient")
axes.legend()
figure.tight_layout()
print(exponents)
