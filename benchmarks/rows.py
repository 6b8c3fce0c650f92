"""What a benchmark returns: a quantity, its baseline, and their ratio."""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Quantity", "Row"]


@dataclass(frozen=True)
class Quantity:
    """A measured or counted number.

    Attributes
    ----------
    value : float
        For repeated measurements the median.
    unit : str, default "s"
        Empty for a pure number.
    spread : float, optional
        Interquartile range of repeated measurements, or standard error of a fit, in the same unit;
        None for a single measurement, a count, or a definition.
    """

    value: float
    unit: str = "s"
    spread: float | None = None


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes
    ----------
    name : str
        What it is about, e.g. ``level 4``.
    measured : str
        What ``quantity`` is.
    quantity : Quantity
    baseline : str
        What ``reference`` is.
    reference : Quantity
        Positive and in the unit of ``quantity``.
    target : str, optional
        What was aimed at, in words.
    met : bool, optional
        Whether it was reached; None where the target leaves that to the reader.
    remark : str, optional
        What else one needs to know to read the row.

    Raises
    ------
    ValueError
        If the two sides cannot be divided by each other.
    """

    name: str
    measured: str
    quantity: Quantity
    baseline: str
    reference: Quantity
    target: str = ""
    met: bool | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        """Refuse sides that have no ratio."""
        if self.quantity.unit != self.reference.unit:
            raise ValueError(
                f"{self.name}: {self.quantity.unit!r} has no ratio to {self.reference.unit!r}"
            )
        if not (math.isfinite(self.quantity.value) and 0.0 < self.reference.value < math.inf):
            raise ValueError(
                f"{self.name}: no ratio of {self.quantity.value} to {self.reference.value}"
            )

    @property
    def ratio(self) -> float:
        """The quantity in units of its baseline; for times, below 1 is faster than the baseline."""
        return self.quantity.value / self.reference.value

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content."""
        return {
            "name": self.name,
            "measured": self.measured,
            "value": self.quantity.value,
            "spread": self.quantity.spread,
            "unit": self.quantity.unit,
            "baseline": self.baseline,
            "baseline_value": self.reference.value,
            "baseline_spread": self.reference.spread,
            "ratio": self.ratio,
            "target": self.target,
            "met": self.met,
            "remark": self.remark,
        }
