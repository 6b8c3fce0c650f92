"""Laws of finite width, measured: exponents with intervals, growth with depth, normality of outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Exponent",
    "Normality",
    "controlled",
    "error_of",
    "exponent",
    "growth_rate",
    "normality",
    "per_diagonal",
]

Array = NDArray[np.float64]
BLOCKS = 64
"""Blocks of draws that the bootstrap resamples."""


@dataclass(frozen=True)
class Exponent:
    """A power law amplitude * n^value.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of the bootstrap's central interval.
    error : float
        Standard deviation over the bootstrap.
    amplitude : float
        With its sign.
    widths : tuple of int
    sizes, errors : tuple of float
        What was fitted, and its standard errors.
    """

    value: float
    low: float
    high: float
    error: float
    amplitude: float
    widths: tuple[int, ...]
    sizes: tuple[float, ...]
    errors: tuple[float, ...]


def controlled(values: ArrayLike, controls: ArrayLike) -> Array:
    """Subtract from values what variables of mean zero explain.

    Parameters
    ----------
    values : array_like, shape (draws,)
    controls : array_like, shape (draws, p)
        Of mean exactly zero.

    Returns
    -------
    ndarray, shape (draws,)
        With the same expectation, up to p/draws of a standard deviation, and a smaller variance.
    """
    v, c = np.asarray(values, dtype=float), np.asarray(controls, dtype=float)
    spread = np.sqrt(np.mean(c * c, axis=0))
    c = c / np.where(spread > 0.0, spread, 1.0)
    weights = np.linalg.lstsq(c - c.mean(axis=0), v - v.mean(), rcond=1e-10)[0]
    return v - c @ weights


def exponent(
    widths: Sequence[int],
    values: Sequence[Array],
    statistic: str,
    *,
    confidence: float = 0.99,
    resamples: int = 2000,
    seed: int = 0,
    next_order: bool = False,
) -> Exponent:
    """Fit a power of the width to a statistic of draws.

    Parameters
    ----------
    widths : sequence of int
        At least two; three with ``next_order``.
    values : sequence of ndarray, shape (draws,)
        Deviations from the limit of infinite width, for each width.
    statistic : {"mean", "deviation"}
        The bias, or the standard deviation.
    confidence : float
    resamples : int
    seed : int
    next_order : bool
        Fit amplitude * n^value * exp(b/n), so that the law's next order is not in the exponent. Its
        standard error is then several times as large.

    Returns
    -------
    Exponent

    Raises
    ------
    ValueError
        If a statistic's sign changes with the width: there is then no power law to fit.

    Notes
    -----
    Weighted least squares of the logarithm. Draws are resampled in 64 blocks, for each width by itself;
    the interval's error is that of 64 blocks, some 10% of its length. Without ``next_order``, what the
    law's next order adds to the exponent is no part of the interval: it is of the relative size of that
    order at the smallest width. With it, what is left out is of that size squared.
    """
    least = 3 if next_order else 2
    if len(widths) < least or len(widths) != len(values):
        raise ValueError(
            f"this law takes at least {least} widths with their values, got {len(widths)} and {len(values)}"
        )
    if statistic not in ("mean", "deviation"):
        raise ValueError(f"a statistic is mean or deviation, got {statistic!r}")
    rng = np.random.default_rng(seed)
    sizes, errors, replicas = [], [], []
    for own in values:
        first, second = (
            np.array([part.mean() for part in np.array_split(power, BLOCKS)])
            for power in (own, own * own)
        )
        pick = rng.integers(BLOCKS, size=(resamples, BLOCKS))
        if statistic == "mean":
            here, again = first.mean(), first[pick].mean(axis=1)
        else:
            here = np.sqrt(second.mean() - first.mean() ** 2)
            again = np.sqrt(second[pick].mean(axis=1) - first[pick].mean(axis=1) ** 2)
        sizes.append(float(here))
        errors.append(float(again.std()))
        replicas.append(again)
    signs = np.sign(sizes)
    if not (signs == signs[0]).all() or signs[0] == 0.0:
        raise ValueError(f"no power law: the statistic changes sign, {sizes}")
    logs = np.log(np.asarray(widths, dtype=float))
    relative = np.array(errors) / np.abs(sizes)
    more = [1.0 / np.asarray(widths, dtype=float)] if next_order else []
    fit = _coefficients(np.stack([logs, np.ones_like(logs), *more], axis=1), relative)
    slope, constant, *_ = fit(np.log(np.abs(sizes))[:, None])
    with np.errstate(all="ignore"):
        boot = fit(np.log(np.maximum(signs[0] * np.array(replicas), 1e-3 * np.abs(sizes)[:, None])))
    tail = 0.5 * (1.0 - confidence)
    low, high = np.quantile(boot[0], [tail, 1.0 - tail])
    return Exponent(
        float(slope[0]),
        float(low),
        float(high),
        float(boot[0].std()),
        float(signs[0] * np.exp(constant[0])),
        tuple(int(n) for n in widths),
        tuple(sizes),
        tuple(errors),
    )


def _coefficients(basis: Array, relative: Array) -> Callable[[Array], Array]:
    """Weighted least squares of columns in a basis of functions, with the columns' relative errors."""
    weight = 1.0 / np.maximum(relative, 1e-6)
    solve = np.linalg.pinv(basis * weight[:, None])
    return lambda y: solve @ (weight[:, None] * y)


def growth_rate(
    ratio: ArrayLike, variance: ArrayLike, errors: ArrayLike
) -> tuple[float, float, float]:
    """Fit exp(c L/n) - 1 to relative variances.

    Parameters
    ----------
    ratio : array_like
        L/n.
    variance, errors : array_like
        Relative variances of the kernel and their standard errors.

    Returns
    -------
    tuple of float
        c, its standard error, and chi^2 per degree of freedom.
    """
    from scipy.optimize import curve_fit

    t, v, e = (np.asarray(a, dtype=float) for a in (ratio, variance, errors))
    rates, spread = curve_fit(
        lambda s, c: np.expm1(c * s), t, v, p0=[3.0], sigma=e, absolute_sigma=True
    )
    rest = (np.expm1(rates[0] * t) - v) / e
    return float(rates[0]), float(np.sqrt(spread[0, 0])), float(rest @ rest / max(1, len(t) - 1))


@dataclass(frozen=True)
class Normality:
    """A test of N(0, K), joint and marginal.

    Attributes
    ----------
    scale : float
        Mean of y' K^-1 y over m, minus 1, in standard errors: covariances that are too large or small.
    kurtosis : float
        Mardia's: mean of (y' K^-1 y)^2 against m (m + 2), with K estimated, in standard errors.
    excess : float
        The same, relative to m (m + 2).
    radius : float
        p-value of Kolmogorov and Smirnov's test that y' K^-1 y is chi^2 with m degrees of freedom.
    marginals : float
        The smallest p-value of the same test of each output, times m.
    """

    scale: float
    kurtosis: float
    excess: float
    radius: float
    marginals: float

    def accepts(self, false_alarm: float, excess: float = 0.0) -> bool:
        """Whether all four are within a false-alarm probability, shared evenly.

        Parameters
        ----------
        false_alarm : float
        excess : float
            Relative excess of the kurtosis that is allowed for, such as the order 1/n of a finite width.
            Beyond it the kurtosis has a third more standard errors than a normal statistic: its own
            distribution is skew.
        """
        from scipy.stats import norm

        critical = float(norm.isf(false_alarm / 8.0))
        error = self.excess / self.kurtosis if self.kurtosis else 1.0
        p = min(self.radius, self.marginals)
        return (
            abs(self.scale) <= critical
            and abs(self.excess) - excess <= 4.0 / 3.0 * critical * error
            and p >= false_alarm / 4.0
        )


def normality(outputs: ArrayLike, kernel: ArrayLike) -> Normality:
    """Test outputs of independent draws against a Gaussian process.

    Parameters
    ----------
    outputs : array_like, shape (draws, m)
    kernel : array_like, shape (m, m)
        Positive definite.

    Returns
    -------
    Normality

    Notes
    -----
    At width n outputs are normal given the hidden weights, and so a mixture of normal distributions whose
    kurtosis exceeds by order 1/n: the test rejects where draws/n^2 is large. A kernel that is a factor
    1 + e off moves ``scale`` by e sqrt(m draws/2).

    Source: K. Mardia, Biometrika 57, 519 (1970).
    """
    from scipy.stats import chi2, kstest, norm

    y, k = np.asarray(outputs, dtype=float), np.asarray(kernel, dtype=float)
    count, m = y.shape
    radii = np.einsum("ki,ki->k", y, np.linalg.solve(k, y.T).T)
    own = np.einsum("ki,ki->k", y, np.linalg.solve(y.T @ y / count, y.T).T)
    scale = (radii.mean() / m - 1.0) / np.sqrt(2.0 / (m * count))
    kurtosis = (np.mean(own**2) - m * (m + 2)) / np.sqrt(8.0 * m * (m + 2) / count)
    each = [kstest(y[:, i] / np.sqrt(k[i, i]), norm.cdf).pvalue for i in range(m)]
    return Normality(
        float(scale),
        float(kurtosis),
        float(np.mean(own**2) / (m * (m + 2)) - 1.0),
        float(kstest(radii, chi2(m).cdf).pvalue),
        float(min(1.0, m * min(each))),
    )


def error_of(covariances: ArrayLike, kernel: ArrayLike) -> float:
    """Root mean square error of one network's covariance.

    Parameters
    ----------
    covariances : array_like, shape (draws, m, m)
    kernel : array_like, shape (m, m)

    Returns
    -------
    float
        Over draws and entries, relative to sqrt(k_ii k_jj). It falls like n^(-1/2).
    """
    c, k = np.asarray(covariances, dtype=float), np.asarray(kernel, dtype=float)
    return float(np.sqrt(np.mean(((c - k) * per_diagonal(k)) ** 2)))


def per_diagonal(kernel: Array) -> Array:
    """1/sqrt(k_ii k_jj), shape (m, m); 0 for inputs whose every network is 0, which have no error."""
    root = np.sqrt(np.diag(kernel))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    return np.outer(inverse, inverse)
