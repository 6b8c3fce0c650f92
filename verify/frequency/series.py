"""Series to forecast: drawn ones, and those that statsmodels brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numerics.frequency import check_series
from verify.extras import need

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["DRAWN", "SAMPLES", "SERIES", "Windows", "make_series", "windows"]

Array = NDArray[np.float64]

DRAWN = ("tones", "autoregression", "walk")
"""Series that are drawn anew for each replicate."""
SERIES = (*DRAWN, "sunspots", "co2")
SAMPLES = 309
"""Samples of every series: there are so many years of sunspots."""


def make_series(name: str, rng: np.random.Generator, samples: int = SAMPLES) -> Array:
    """Draw a series, or take the last samples of a real one.

    Parameters
    ----------
    name : str
        ``tones``: three harmonics of a period of 48 of random phase, which are in single bins of windows of
        48, in noise of variance 1/4. ``autoregression``: of first order with coefficient 0.9. ``walk``: a
        random walk, with a jump of 5 standard deviations every 20 steps or so. ``sunspots``: yearly.
        ``co2``: monthly means at Mauna Loa, missing ones interpolated.
    rng : numpy.random.Generator
        Not used for real series.
    samples : int

    Raises
    ------
    ValueError
        For a name that is none of these, or a real series that is shorter.
    MissingExtraError
        For a real series without the extra widegap[train].
    """
    noise = rng.standard_normal(samples)
    if name == "tones":
        times = np.arange(samples)
        periods = 48.0 / rng.choice(np.arange(2, 13), 3, replace=False)
        phases = rng.uniform(0.0, 2.0 * np.pi, 3)
        waves = np.sin(2.0 * np.pi * times / periods[:, None] + phases[:, None])
        return waves.sum(axis=0) + 0.5 * noise
    if name == "autoregression":
        from scipy.signal import lfilter

        noise[0] /= np.sqrt(1.0 - 0.9**2)  # stationary from the start
        return np.asarray(lfilter([1.0], [1.0, -0.9], noise))
    if name == "walk":
        jumps = 5.0 * rng.standard_normal(samples) * (rng.random(samples) < 0.05)
        return np.cumsum(noise + jumps)
    if name not in SERIES:
        raise ValueError(f"no series {name!r}; choose from {', '.join(SERIES)}")
    need("statsmodels")
    from statsmodels.datasets import co2, sunspots

    if name == "sunspots":
        values = sunspots.load_pandas().data["SUNACTIVITY"]
    else:
        values = co2.load_pandas().data["co2"].resample("MS").mean().interpolate()
    return check_series(values.to_numpy(dtype=float), samples, name)[-samples:]


@dataclass(frozen=True)
class Windows:
    """Windows of a series and what follows them, scaled by mean and deviation of the training part.

    Attributes
    ----------
    train, validation, test : tuple of ndarray
        Inputs of shape (windows, length), targets of shape (windows, horizon); those of the test do not
        overlap.
    """

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]


def windows(x: ArrayLike, length: int, horizon: int) -> Windows:
    """Cut a series into windows: targets within the first 60% train, within the next 20% validate.

    Raises
    ------
    ValueError
        For a series with gaps, or too short for one window in each part.
    """
    values = check_series(x, 1)
    if length < 2 or horizon < 1:
        raise ValueError(
            f"windows have at least 2 samples and 1 target, got {length} and {horizon}"
        )
    least = max(5 * horizon, -(-5 * (length + horizon) // 3) + 1)
    if values.size < least:
        raise ValueError(
            f"the series has {values.size} samples, and windows of {length} with {horizon} to forecast need "
            f"at least {least}: shorten the windows"
        )
    ends = [0, int(0.6 * values.size), int(0.8 * values.size), values.size]
    train = values[: ends[1]]
    if np.ptp(train) == 0.0:
        raise ValueError("the series is constant over its first 60%: there is nothing to learn")
    scaled = (values - train.mean()) / train.std()

    def part(j: int, step: int) -> tuple[Array, Array]:
        starts = range(max(ends[j], length), ends[j + 1] - horizon + 1, step)
        inputs = np.array([scaled[s - length : s] for s in starts])
        return inputs, np.array([scaled[s : s + horizon] for s in starts])

    return Windows(part(0, 1), part(1, 1), part(2, horizon))
