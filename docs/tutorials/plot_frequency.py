r"""
What does a frequency-domain layer do?
======================================

A layer on the spectrum with one weight in all bins: its kernel is derived, applied, and compared with what
such a layer would have to do to select frequencies. Then: where energy is, and which domain forecasts better.
"""

# %%
# The kernel
# ----------
#
# Theory derives it for a symbolic length.

from theory.frequency import LAWS

law = LAWS["shared-layer-even"]()
print(law)

# %%
# One weight, one signal. The weight alone turns phases; bias and ReLU add a pulse where the window begins.

import numpy as np

from numerics.frequency import layer_effect

times = np.arange(64)
signal = np.cos(2 * np.pi * 3 * times / 64) + 0.5 * np.cos(2 * np.pi * 11 * times / 64 + 1)
effect = layer_effect(signal, 0.6 + 0.8j, bias=0.5, shrinkage=0.01)
figure = effect.plot()

# %%
# No low-pass
# -----------
#
# Two numbers, the real and the imaginary part of the weight, are fitted to a low-pass filter. All they can do
# is to make every bin as large as the mean.

from numerics.frequency import filter_kernel, shared_kernel

wanted = filter_kernel((np.arange(33) < 8).astype(float), 64)
basis = np.column_stack([shared_kernel(1.0, 64), shared_kernel(1j, 64)])
fitted, *_ = np.linalg.lstsq(basis, wanted, rcond=None)
left = np.linalg.norm(wanted - basis @ fitted) ** 2 / np.linalg.norm(wanted) ** 2
print(f"weight {fitted[0]:.3f} + {fitted[1]:.3f}i, {100 * left:.0f}% of the filter is left over")

# %%
# Energy
# ------
#
# Autoregressions compact it, white noise does not.

from numerics.frequency import autoregressive_shares

for coefficients in ([], [0.9], [1.2, -0.5]):
    print(coefficients, autoregressive_shares(coefficients, (0.1,), length=96), sep="\n")

# %%
# Real series: how much is in the lowest frequencies, and would white noise have it?

from numerics.frequency import series_shares
from verify.frequency.series import make_series

rng = np.random.default_rng(0)
sunspots = series_shares(make_series("sunspots", rng), name="sunspots")
print(sunspots)

# %%
# Which domain
# ------------
#
# Ridge regression cannot tell. The lasso can: one step ahead, from windows of 96.

from verify.frequency.forecasts import compare, forecast_errors
from verify.frequency.series import windows

arms = ("ridge-time", "ridge-frequency", "lasso-time", "lasso-frequency")
for name in ("tones", "autoregression"):
    found = [forecast_errors(windows(make_series(name, rng), 96, 1), 0, arms) for _ in range(8)]
    table = {arm: np.array([errors[arm] for errors in found]) for arm in arms}
    for one, other in (arms[1::-1], arms[:1:-1]):
        result = compare(table[one], table[other], drawn=True)
        print(f"{name}: {one} against {other}: {100 * result.change:+.2g}%, {result.verdict}")
