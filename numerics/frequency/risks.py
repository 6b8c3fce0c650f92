"""What soft thresholding costs: a sparse spectrum, and a signal in either domain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import flint
import numpy as np
import sympy
from flint import arb
from numpy.typing import ArrayLike

from numerics.results import Result
from theory.frequency import spectra
from theory.frequency.transform import T

from .common import BITS, EPS, MAX_LENGTH, check_count, check_series, in_balls, rounded
from .layers import real_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DomainRisks", "ThresholdRisks", "domain_risks", "threshold_risks"]


@cache
def _risk() -> Callable[..., Any]:
    return in_balls([spectra.lam, spectra.mu], spectra.soft_threshold().value)


@dataclass(frozen=True)
class ThresholdRisks(Result):
    """Largest risks of estimating a sparse spectrum in noise, summed over its coefficients.

    Attributes
    ----------
    length, nonzero : int
        Real coefficients, and how many of them are not 0.
    sigma : float
        Standard deviation of the noise.
    universal, best : tuple of float
        Threshold and risk: sigma sqrt(2 log T), and where the largest risk is least.
    dense, oracle : float
        Risk of keeping all coefficients, and of keeping those that are not 0.
    error : float
        Bound on the errors of the risks.
    """

    length: int
    nonzero: int
    sigma: float
    universal: tuple[float, float]
    best: tuple[float, float]
    dense: float
    oracle: float
    error: float

    def rows(self) -> list[dict[str, Any]]:
        """One estimate a row."""
        given = (
            ("keep all", 0.0, self.dense),
            ("universal threshold", *self.universal),
            ("best threshold", *self.best),
            ("oracle", None, self.oracle),
        )
        return [
            {"estimate": name, "threshold": at, "risk": risk, "error": self.error}
            for name, at, risk in given
        ]

    def draw(self, axes: Axes) -> None:
        """Draw the risks as bars."""
        rows = self.rows()
        axes.barh([row["estimate"] for row in rows], [row["risk"] for row in rows], color="#0072b2")
        axes.set(xlabel="largest risk, summed over the spectrum")


def threshold_risks(length: int, nonzero: int, sigma: float = 1.0) -> ThresholdRisks:
    """Compute what soft thresholding of a sparse spectrum costs at worst.

    Parameters
    ----------
    length : int
        From 2 to 10^9.
    nonzero : int
        From 1 to ``length``.
    sigma : float

    Raises
    ------
    ValueError
        For numbers outside these ranges.

    Notes
    -----
    Theory's expression in balls. The best threshold is a root of its slope in doubles; the risk is that
    of the threshold as returned.
    """
    check_count(length, 2, 10**9, "a length")
    check_count(nonzero, 1, length, "the number of coefficients that are not 0")
    _check_sigma(sigma)
    from scipy.optimize import brentq

    count = sympy.Symbol("count")
    risk: Any = spectra.risk_of_spectrum(count)
    slope = sympy.lambdify(
        [T, count, spectra.lam], sympy.diff(risk, spectra.lam), ["scipy", "numpy"]
    )
    enclosed = in_balls([T, count, spectra.lam], risk)
    universal = math.sqrt(2.0 * math.log(length))
    best = 0.0
    if nonzero < length:
        best = float(
            brentq(lambda at: slope(length, nonzero, at), 0.0, universal + 2.0, xtol=1e-14)
        )
    found = []
    with flint.ctx.workprec(BITS):
        for at in (universal, best):
            ball = enclosed(arb(length), arb(nonzero), arb(at)) * arb(sigma) ** 2
            found.append(rounded(ball))
    (first, one), (second, two) = found
    return ThresholdRisks(
        length,
        nonzero,
        float(sigma),
        (sigma * universal, first),
        (sigma * best, second),
        length * sigma**2,
        nonzero * sigma**2,
        max(one, two, 4.0 * EPS * length * sigma**2),
    )


def _check_sigma(sigma: float) -> None:
    if not 0.0 < sigma <= 1e50:
        raise ValueError(f"the standard deviation sigma is positive and at most 1e50, got {sigma}")


@dataclass(frozen=True)
class DomainRisks(Result):
    """What soft thresholding of a signal in noise costs in either domain.

    Attributes
    ----------
    samples : int
    sigma, threshold : float
    time, frequency : tuple of float
        Risk, and sum of the coefficients' sizes: small where the signal is sparse.
    dense : float
        Risk of keeping all coefficients, in either domain.
    error : float
        Bound on the error of the risks.
    """

    samples: int
    sigma: float
    threshold: float
    time: tuple[float, float]
    frequency: tuple[float, float]
    dense: float
    error: float

    def rows(self) -> list[dict[str, Any]]:
        """One domain a row."""
        return [
            {
                "domain": name,
                "risk": risk,
                "keep all": self.dense,
                "sum of sizes": size,
                "error": self.error,
            }
            for name, (risk, size) in (("time", self.time), ("frequency", self.frequency))
        ]

    def draw(self, axes: Axes) -> None:
        """Draw the risks as bars."""
        bars = {"keep all": self.dense, "frequency": self.frequency[0], "time": self.time[0]}
        axes.barh(list(bars), list(bars.values()), color=["#999999", "#0072b2", "#d55e00"])
        axes.set(xlabel="risk, summed over the signal")


def domain_risks(x: ArrayLike, sigma: float = 1.0, threshold: float | None = None) -> DomainRisks:
    """Compute the risk of soft thresholding a known signal in noise, in time and in the real Fourier basis.

    Parameters
    ----------
    x : array_like, shape (T,)
        The signal without noise.
    sigma : float
        Standard deviation of the noise that is added to each sample.
    threshold : float, optional
        sigma sqrt(2 log T) by default.

    Raises
    ------
    ValueError
        For a bad signal, and numbers that make no sense.

    Notes
    -----
    Theory's risk of one coefficient in balls, summed. Its slope is at most 2 mu, which bounds what the
    rounding of the transform does.
    """
    signal = check_series(x, 2, "the signal")
    check_count(len(signal), 2, MAX_LENGTH, "a length")
    _check_sigma(sigma)
    given = (
        sigma * math.sqrt(2.0 * math.log(len(signal))) if threshold is None else float(threshold)
    )
    if not 0.0 <= given <= 1e50 * sigma:
        raise ValueError(f"a threshold is finite and not negative, got {threshold}")
    rounding = 8.0 * EPS * math.log2(2 * len(signal)) * float(np.linalg.norm(signal))
    one, pairs, errors = _risk(), [], []
    for coefficients in (signal, real_spectrum(signal)):
        sizes = np.abs(coefficients) / sigma
        with flint.ctx.workprec(BITS):
            level = arb(given / sigma)
            total = sum((one(level, arb(float(size))) for size in sizes), arb(0)) * arb(sigma) ** 2
        risk, error = rounded(total)
        pairs.append((risk, float(np.abs(coefficients).sum())))
        errors.append(error + 2.0 * rounding * float(np.abs(coefficients).sum()) + 8.0 * EPS * risk)
    return DomainRisks(
        len(signal), float(sigma), given, pairs[0], pairs[1], len(signal) * sigma**2, max(errors)
    )
