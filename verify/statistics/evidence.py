"""What a Monte Carlo check has found, beside what was fixed before it ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.suite.claims import Run
    from verify.suite.verdicts import Finding, Plot

__all__ = ["Evidence", "judged", "normal_quantile", "normal_tail", "two_sided"]


@dataclass(frozen=True)
class Evidence:
    """The outcome of one random check.

    Attributes
    ----------
    null : str
        The null hypothesis, in words.
    test : str
        The statistic and its distribution.
    size : int
        Sample size, fixed in advance.
    false_alarm : float
        Probability of rejecting a null hypothesis that is true.
    alternative : str
        A theory that is wrong by a stated amount.
    power : float
        Probability of rejecting that one.
    seed : int
    statistic : float
        The value of the statistic.
    p_value : float
        Probability of a value as extreme, under the null hypothesis.
    numbers : dict
        What the statistic was computed from: numbers, text and lists of them.
    """

    null: str
    test: str
    size: int
    false_alarm: float
    alternative: str
    power: float
    seed: int
    statistic: float
    p_value: float
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rejected(self) -> bool:
        """Whether the null hypothesis is rejected."""
        return self.p_value < self.false_alarm

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content."""
        return {**asdict(self), "rejected": self.rejected}


def normal_tail(z: float) -> float:
    """Probability that a standard normal exceeds z."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def normal_quantile(tail: float) -> float:
    """The z that a standard normal exceeds with probability ``tail``."""
    from scipy.special import ndtri

    return -float(ndtri(tail))


def two_sided(shift: float, false_alarm: float) -> float:
    """Power of a two-sided z-test against a mean shifted by so many standard errors."""
    z = normal_quantile(0.5 * false_alarm)
    return normal_tail(z - abs(shift)) + normal_tail(z + abs(shift))


def judged(run: Run, found: Evidence, plots: tuple[Plot, ...] = ()) -> Finding:
    """Compare what a test found with its null hypothesis, if it is the test that was fixed before.

    Parameters
    ----------
    run : Run
        Of a claim with one design.
    found : Evidence
    plots : tuple of Plot

    Returns
    -------
    Finding
        Undecided where size, false-alarm probability or power are not those of the design.
    """
    from verify.suite.verdicts import Finding

    (design,) = run.claim.designs
    evidence: dict[str, Any] = {
        "statistic": found.statistic,
        "p-value": found.p_value,
        "false-alarm probability": found.false_alarm,
        "power": found.power,
        **found.numbers,
    }
    if found.size != design.size or found.false_alarm > 1.0001 * design.false_alarm:
        reason = f"Not the test that was fixed: {found.size} samples, {found.false_alarm:.0e}."
        return Finding("undecided", reason, None, evidence, plots)
    if found.power < design.power:
        reason = f"Its power is {found.power:.6f}, below the stated {design.power}."
        return Finding("undecided", reason, None, evidence, plots)
    verdict = "refuted" if found.rejected else "confirmed"
    reason = f"Statistic {found.statistic:.2f}, p-value {found.p_value:.2g}; {found.null}."
    return Finding(verdict, reason, None, evidence, plots)
