"""Where the energy of an autoregression, or of a series, is: its shares in the lowest frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import flint
import numpy as np
import sympy
from flint import acb, arb
from numpy.typing import ArrayLike

from numerics.results import Result
from theory.frequency import spectra
from theory.frequency.transform import T, k

from .common import BITS, MAX_LENGTH, check_count, check_series, in_balls, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BANDS", "EnergyShares", "SeriesShares", "autoregressive_shares", "series_shares"]

BANDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Lowest shares of the frequencies that are looked at."""
_MAX_ORDER = 50


def _check_bands(bands: Sequence[float]) -> tuple[float, ...]:
    values = tuple(map(float, bands))
    if not values or not all(0.0 < band <= 1.0 for band in values):
        shown = ", ".join(f"{band:g}" for band in values) or "none"
        raise ValueError(f"bands are shares of the frequencies, above 0 and at most 1, got {shown}")
    return values


@cache
def _pole_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    share = in_balls([spectra.r, spectra.w], spectra.pole_share())
    return share, in_balls([spectra.r, k, T], spectra.pole_periodogram())


@cache
def _weights(order: int) -> Callable[..., Any]:
    poles = sympy.symbols(f"r1:{order + 1}")
    evaluate = [in_balls(poles, weight) for weight in spectra.pole_weights(poles)]
    return lambda *values: [one(*values) for one in evaluate]


@dataclass(frozen=True)
class EnergyShares(Result):
    """Shares of the energy of an autoregression in the lowest frequencies.

    Attributes
    ----------
    coefficients : tuple of float
        Of x_t = sum_j a_j x_(t-j) + noise; empty for white noise.
    length : int or None
        Of the finite series, if one is looked at.
    bands : tuple of float
        Shares of the frequencies, which are those of white noise's energy: w/pi. With a length they end
        between bins, (2 m + 1)/T for the bins 0 to m.
    shares : tuple of float
        Of the energy of the process.
    finite : tuple of float
        Expected energy in these bins relative to that in all bins; empty without a length.
    error : float
        Bound on the error of every share.
    """

    coefficients: tuple[float, ...]
    length: int | None
    bands: tuple[float, ...]
    shares: tuple[float, ...]
    finite: tuple[float, ...]
    error: float

    def rows(self) -> list[dict[str, Any]]:
        """One band a row."""
        finite = self.finite or (None,) * len(self.bands)
        columns = zip(self.bands, self.shares, finite, strict=True)
        rows = [
            {
                "band": b,
                "white noise": b,
                "process": s,
                f"length {self.length}": f,
                "error": self.error,
            }
            for b, s, f in columns
        ]
        return rows if self.length else [{c: r[c] for c in r if c != "length None"} for r in rows]

    def draw(self, axes: Axes) -> None:
        """Draw the shares against the band."""
        axes.plot(self.bands, self.shares, "o-", color="#0072b2", label="process")
        if self.finite:
            axes.plot(
                self.bands, self.finite, "s:", color="#009e73", label=f"{self.length} samples"
            )
        axes.plot([0, 1], [0, 1], "--", color="#666666", label="white noise")
        axes.set(xlabel="lowest share of the frequencies", ylabel="share of the energy")
        axes.legend()


def _poles(coefficients: Sequence[Fraction]) -> tuple[list[Any], float]:
    """Poles as balls, distinct ones, and a bound on the share that is moved by making them so.

    Where A(z) = 1 - sum a_j z^j has a double root it is moved by less than delta times its least size on the
    unit circle, at least prod (1 - |r_j|). Spectrum and variance change by factors within (1 +- delta)^2, and
    shares by less than 9 delta.
    """
    delta = 2.0**-100
    moved = [flint.fmpq(a.numerator, a.denominator) for a in coefficients]
    for attempt in range(2):
        whole = flint.fmpq_poly([1, *(-a for a in moved)]).numer()
        reverse = flint.fmpz_poly([int(whole[j]) for j in range(whole.degree(), -1, -1)])
        found: Any = reverse.complex_roots()
        poles = [acb(root) for root, _ in found]
        if not all(abs(pole) < 1 for pole in poles):
            raise ValueError(
                "the autoregression is not stationary: its largest pole has the modulus "
                f"{max(float(abs(pole).mid()) for pole in poles):.6g}; coefficients are a_1, a_2, .. of "
                "x_t = a_1 x_(t-1) + a_2 x_(t-2) + .. + noise"
            )
        if len(poles) == len(moved):
            return poles, 9.0 * delta * attempt
        least = math.prod(float((1 - abs(root)).lower()) ** many for root, many in found)
        moved[-1] += flint.fmpq(int(least * delta * 2**1000), 2**1000)
    raise ArithmeticError("poles could not be told apart")


def autoregressive_shares(
    coefficients: Sequence[float | Fraction],
    bands: Sequence[float] = BANDS,
    length: int | None = None,
) -> EnergyShares:
    """Shares of the energy of an autoregression in the lowest frequencies.

    Parameters
    ----------
    coefficients : sequence of float or Fraction
        a_1, a_2, ..; empty for white noise. Taken as the exact numbers they are.
    bands : sequence of float
        Shares of the frequencies, above 0 and at most 1.
    length : int, optional
        Of a series, whose expected periodogram is summed, too. Bands are then rounded to ends between bins.

    Returns
    -------
    EnergyShares

    Raises
    ------
    ValueError
        For coefficients of a process that is not stationary, and what makes no sense.

    Notes
    -----
    Poles are isolated in balls, and theory's expressions evaluated in them, with twice the bits until the
    radius is below 1e-15. The cost is that of one pole's expression for each pole, and band or bin.
    """
    exact = [Fraction(a) if math.isfinite(a) else None for a in coefficients]
    if len(exact) > _MAX_ORDER or None in exact:
        raise ValueError(
            f"an autoregression has at most {_MAX_ORDER} finite coefficients, got {coefficients}"
        )
    while exact and not exact[-1]:
        exact.pop()
    bands = _check_bands(bands)
    bins: list[int] = []
    if length is not None:
        length = check_count(length, 2, MAX_LENGTH, "a length")
        bins = sorted({int(band * length / 2) for band in bands})
        bands = tuple(min((2 * m + 1) / length, 1.0) for m in bins)
    for bits in (BITS << j for j in range(6)):
        with flint.ctx.workprec(bits):
            poles, moved = _poles([a for a in exact if a is not None]) if exact else ([acb(0)], 0.0)
            weights = _weights(len(poles))(*poles)
            edges = [arb.pi() * min(2 * m + 1, length) / length for m in bins] if length else []
            edges = edges or [arb.pi() * arb(band) for band in bands]
            shares = [rounded(_mixed(0, weights, poles, edge)) for edge in edges]
            finite = _finite_shares(weights, poles, bins, length) if length else []
            error = max(bound for _, bound in (*shares, *finite)) + moved
        if error < 1e-15:
            return EnergyShares(
                tuple(map(float, coefficients)),
                length,
                bands,
                tuple(value for value, _ in shares),
                tuple(value for value, _ in finite),
                error,
            )
    raise ArithmeticError(
        f"the poles of {coefficients} are too close to each other or to the unit circle"
    )


def _mixed(which: int, weights: Sequence[Any], poles: Sequence[Any], *at: Any) -> Any:
    one = _pole_functions()[which]
    return sum((c * one(pole, *at) for c, pole in zip(weights, poles, strict=True)), acb(0))


def _finite_shares(
    weights: Sequence[Any], poles: Sequence[Any], bins: Sequence[int], length: int
) -> list[tuple[float, float]]:
    """Expected energies of bins up to m relative to T, for each m."""
    total, sums = arb(0), {}
    for bin in range(bins[-1] + 1):
        twice = 1 if bin == 0 or 2 * bin == length else 2
        total += twice * _mixed(1, weights, poles, arb(bin), arb(length)).real
        sums[bin] = total / length
    return [rounded(sums[m]) for m in bins]


@dataclass(frozen=True)
class SeriesShares(Result):
    """Shares of the energy of a series, its mean subtracted, in the lowest frequencies.

    Attributes
    ----------
    name : str
    samples : int
    bands : tuple of float
        Share of the energy that white noise is expected to have there: 2 m/(T - 1) for the bins 1 to m.
    shares : tuple of float
    tails : tuple of float
        Probability that Gaussian white noise has as large a share, exactly: a beta distribution.
    """

    name: str
    samples: int
    bands: tuple[float, ...]
    shares: tuple[float, ...]
    tails: tuple[float, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One band a row."""
        columns = zip(self.bands, self.shares, self.tails, strict=True)
        return [{"white noise": b, self.name: s, "p-value": p} for b, s, p in columns]

    def draw(self, axes: Axes) -> None:
        """Draw the shares against the band."""
        axes.plot(self.bands, self.shares, "o-", color="#0072b2", label=self.name)
        axes.plot([0, 1], [0, 1], "--", color="#666666", label="white noise")
        axes.set(xlabel="lowest share of the frequencies", ylabel="share of the energy")
        axes.legend()


def series_shares(
    x: ArrayLike, bands: Sequence[float] = BANDS, name: str = "series"
) -> SeriesShares:
    """Measure the shares of a series' energy in the lowest frequencies.

    Parameters
    ----------
    x : array_like, shape (T,)
        At least 8 samples, not all equal.
    bands : sequence of float
        Each is rounded to the nearest number of bins, at least one, the bin T/2 of an even length never
        among them.
    name : str

    Raises
    ------
    ValueError
        For bad series or bands.
    """
    values = check_series(x, 8, name)
    if np.ptp(values) == 0.0:
        raise ValueError(f"{name} is constant: it has no energy but its mean's")
    from scipy.special import betaincc

    size = len(values)
    interior = (size - 1) // 2
    scaled = (values - values.mean()) / np.ptp(values)
    energy = np.abs(np.fft.rfft(scaled, norm="ortho")) ** 2
    total = float(scaled @ scaled)
    half = 0.5 * (size - 1)
    bins = sorted({min(max(round(band * half), 1), interior) for band in _check_bands(bands)})
    shares = [min(2.0 * float(energy[1 : m + 1].sum()) / total, 1.0) for m in bins]
    tails = [
        float(betaincc(m, half - m, s)) if m < half else 1.0
        for m, s in zip(bins, shares, strict=True)
    ]
    return SeriesShares(name, size, tuple(m / half for m in bins), tuple(shares), tuple(tails))
