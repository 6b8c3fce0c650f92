"""What a check returns: a verdict, the numbers behind it, and what was fixed before it ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

__all__ = [
    "SEVERITY",
    "VERDICTS",
    "Curve",
    "Design",
    "Expected",
    "Finding",
    "Plot",
    "Verdict",
    "plain",
    "printed_tolerance",
]

Verdict = Literal["confirmed", "differs", "undecided", "refuted"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""Every verdict, from the best to the worst."""

SEVERITY: dict[str, int] = {verdict: k for k, verdict in enumerate(VERDICTS)}
"""How bad a verdict is; a run fails where one is worse than expected."""


@dataclass(frozen=True)
class Expected:
    """The verdict that is on record for a claim.

    Attributes
    ----------
    verdict : {"confirmed", "differs", "undecided", "refuted"}
    reason : str
        Why, if it is not ``confirmed``; never empty then.
    value : float, optional
        Our value as recorded, for verdicts that stand on it.
    tolerance : float
        How far, relative to it, a value may be from the recorded one.
    """

    verdict: Verdict = "confirmed"
    reason: str = ""
    value: float | None = None
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {self.verdict!r}")
        if self.verdict != "confirmed" and not self.reason.strip():
            raise ValueError(f"an expected verdict of {self.verdict!r} needs a reason")

    def complaint(self, finding: Finding) -> str:
        """Say in what way a finding is worse than expected; empty if it is not."""
        if SEVERITY[finding.verdict] > SEVERITY[self.verdict]:
            return f"{finding.verdict} where {self.verdict} was expected"
        if self.value is None or finding.value is None or finding.verdict != self.verdict:
            return ""
        if abs(finding.value - self.value) <= self.tolerance * abs(self.value):
            return ""
        return f"our value is {finding.value!r}, on record is {self.value!r}"


@dataclass(frozen=True)
class Design:
    """A random test as it was fixed before any data: what could be rejected, and how surely.

    Attributes
    ----------
    null : str
        The null hypothesis.
    test : str
        The statistic and its distribution.
    size : int
        Sample size.
    false_alarm : float
        Probability of rejecting the null hypothesis where it is true (an upper bound).
    alternative : str
        A theory that is wrong by a stated amount.
    power : float
        Probability of rejecting that one.
    """

    null: str
    test: str
    size: int
    false_alarm: float
    alternative: str
    power: float


@dataclass(frozen=True)
class Curve:
    """One curve of a plot: points, joined or not, with error bars or not.

    Attributes
    ----------
    label : str
    x, y : tuple of float
    errors : tuple of float
        Half lengths of error bars; empty for none.
    style : {"line", "points", "both"}
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    errors: tuple[float, ...] = ()
    style: Literal["line", "points", "both"] = "both"


@dataclass(frozen=True)
class Plot:
    """A figure as data; whoever renders a report draws it.

    Attributes
    ----------
    title : str
        What is to be seen, as a sentence: also the figure's text for those who do not see it.
    x, y : str
        Axis labels.
    curves : tuple of Curve
    references : Mapping of str to float
        Horizontal lines by label, for instance a printed value.
    log : bool
        Whether the vertical axis is logarithmic.
    """

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    references: Mapping[str, float] = field(default_factory=dict)
    log: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    verdict : {"confirmed", "differs", "undecided", "refuted"}
    reason : str
        Why, in sentences that a sceptic can follow.
    value : float, optional
        Our value, where there is one.
    evidence : Mapping of str to object
        Numbers, text, and lists or mappings of these, by name.
    plots : tuple of Plot
    """

    verdict: Verdict
    reason: str
    value: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()


def printed_tolerance(printed: str) -> float:
    """Half a unit in the last printed digit.

    Parameters
    ----------
    printed : str
        A decimal number as printed, such as ``"1.6021"``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If it is not a finite decimal number.
    """
    exponent = Decimal(printed).as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"not a printed number: {printed!r}")
    return 0.5 * 10.0**exponent


def plain(content: Any) -> Any:
    """Content as JSON has it: numbers that are not finite become None, tuples lists, the rest text."""
    if isinstance(content, Mapping):
        return {str(name): plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple | set | frozenset):
        return [plain(value) for value in content]
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode("utf-8")  # no halves of characters
    if content is None or isinstance(content, bool):
        return content
    if hasattr(content, "tolist"):  # numpy's numbers and arrays
        return plain(content.tolist())
    if isinstance(content, int):
        # integers of thousands of digits are no text in Python
        return content if abs(content) < 10**1000 else f"an integer of {content.bit_length()} bits"
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return plain(str(content))
