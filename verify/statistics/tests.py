"""Exact tests of counts, with their power: what a random check may conclude, fixed before it is run.

Every random claim has a share of the family-wise false-alarm probability of a profile, which stays below
1e-6. `FALSE_ALARM` is that of one test; a profile with 100 such tests has 1e-7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verify.suite.verdicts import Design

__all__ = ["FALSE_ALARM", "CountTest", "MeanTest", "interval"]

FALSE_ALARM = 1e-9
"""False-alarm probability of one random test, unless it says otherwise."""


def interval(values: Any, outside: float = 0.05) -> tuple[float, float]:
    """Interval of a mean by Student's t, which misses it with probability ``outside``."""
    from numpy import mean, std
    from scipy.stats import t

    half = float(t.isf(outside / 2.0, len(values) - 1) * std(values, ddof=1)) / len(values) ** 0.5
    return float(mean(values)) - half, float(mean(values)) + half


@dataclass(frozen=True)
class CountTest:
    """A two-sided exact binomial test of a probability.

    Attributes
    ----------
    null : float
        The probability of success under the null hypothesis.
    size : int
        Number of independent trials.
    alternative : float
        Probability of success under the theory to be told apart.
    false_alarm : float
    """

    null: float
    size: int
    alternative: float
    false_alarm: float = FALSE_ALARM

    def region(self) -> tuple[int, int]:
        """Smallest and largest count that is accepted: each tail has at most half the false alarms."""
        from scipy.stats import binom

        tail = 0.5 * self.false_alarm
        low = int(binom.ppf(tail, self.size, self.null))
        high = int(binom.isf(tail, self.size, self.null))
        return low, high

    def accepts(self, count: int) -> bool:
        """Whether a count is compatible with the null hypothesis."""
        low, high = self.region()
        return low <= count <= high

    def p_value(self, count: int) -> float:
        """Two-sided p-value of a count."""
        from scipy.stats import binomtest

        return float(binomtest(count, self.size, self.null).pvalue)

    @property
    def power(self) -> float:
        """Probability of rejecting the null hypothesis under the alternative."""
        from scipy.stats import binom

        low, high = self.region()
        accepted = binom.cdf(high, self.size, self.alternative) - binom.cdf(
            low - 1, self.size, self.alternative
        )
        return float(1.0 - accepted)

    def design(self, null: str, alternative: str) -> Design:
        """Describe the test in words and numbers."""
        test = f"exact binomial test of {self.size} trials with probability {self.null:.6g}"
        return Design(null, test, self.size, self.false_alarm, alternative, self.power)


@dataclass(frozen=True)
class MeanTest:
    """A two-sided test of a mean, normal by the central limit theorem, with Student's distribution.

    Attributes
    ----------
    null : float
        The mean under the null hypothesis.
    size : int
        Number of independent values.
    shift : float
        Distance of the alternative's mean from it, in standard deviations of one value.
    false_alarm : float

    Notes
    -----
    The false-alarm probability is exact for normal values and approximate for others: means of at least
    some thousand values with light tails, please.
    """

    null: float
    size: int
    shift: float
    false_alarm: float = FALSE_ALARM

    def critical(self) -> float:
        """Largest accepted |t|."""
        from scipy.stats import t

        return float(t.isf(0.5 * self.false_alarm, self.size - 1))

    @property
    def power(self) -> float:
        """Probability of rejecting the null hypothesis under the alternative."""
        from scipy.stats import norm

        return float(norm.sf(self.critical() - self.size**0.5 * abs(self.shift)))

    def design(self, null: str, alternative: str) -> Design:
        """Describe the test in words and numbers."""
        test = f"two-sided t-test of the mean of {self.size} values"
        return Design(null, test, self.size, self.false_alarm, alternative, self.power)
