r"""
How many features does an operator take?
========================================

From a linear equation to its symbol, to the error of a Fourier and of an amortised layer, to what another
grid does to it, and how that is mended.
"""

# %%
# An equation and its symbol
# --------------------------
#
# Anything linear with constant coefficients: a polynomial in D = d/dx is enough.

from theory.operators.symbols import equation_of, multiplier

equation = "D^2/200 - D/10"
print(multiplier(equation_of(equation)).text())

# %%
# Modes or features
# -----------------
#
# The Fourier layer loses the tail of the spectrum, the amortised one what no polynomial can follow.

from numerics.operators.designs import designs

found = designs(equation, {}, most=12, width=16)
print(found)
figure = found.plot()
print(designs(equation, {}, width=16, target=1e-3))

# %%
# Shifts are the hardest: the features have to count up to pi s/2 on the half spectrum, s cells a shift.

import math

from numerics.operators.designs import shift_tail

for cells in (2, 4, 8):
    needed = next(n for n in range(1, 60) if shift_tail(cells, n, both=False) < 0.01)
    print(f"shift by {cells}: {needed} features for 1%, pi s/2 = {math.pi * cells / 2:.1f}")

# %%
# The grid
# --------
#
# Chebyshev features at k/N are nearly parallel; rescaled they are nearly orthogonal.

from numerics.operators.grids import conditioning, resolutions

print(conditioning())

# %%
# On another grid the kernel belongs to another wavenumber, unless frequencies stay those of the training
# and modes beyond it are left out.

other = resolutions(equation, {}, (32, 64, 128, 256))
print(other)
resolution_figure = other.plot()

# %%
# Fitted to data
# --------------
#
# The same from 200 random fields, by least squares, beside theory.

from verify.operators.experiments import linear_case

measured = {s: linear_case(f"shift-{s}", "readout", seed=0) for s in (2, 4, 6, 8)}
for s, one in measured.items():
    print(
        f"shift by {s}: {one['error']:.2e}, predicted {one['predicted']:.2e}; "
        f"on 128 points {one['twice']:.2f}, predicted {one['predicted_twice']:.2f}, "
        f"mended {one['mended']:.2f}"
    )
