"""How the cost of one evaluation grows with the level, in seconds and in operations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import linregress

from benchmarks.points import HIGHEST, embedded, own
from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure
from widegap.errors import Failure

__all__ = ["run"]

_EMBEDDED = (8, 10, 12)
_AGREEMENT = 1e-11
"""Relative change beyond which an embedded point was not evaluated correctly."""


@dataclass(frozen=True)
class _Cost:
    """What one value with gradient costs."""

    level: int
    seconds: Quantity
    value_seconds: Quantity
    exponentials: int
    products: int

    @property
    def operations(self) -> int:
        return self.exponentials + self.products

    @property
    def gridded(self) -> int:
        """Liftings computed on a whole grid: all but the outermost, which is wanted at one field."""
        return self.level - 3


def run(quick: bool) -> list[Row]:
    """Measure levels 3 to 7 at their solutions, and 8, 10 and 12 at that of level 7.

    Parameters
    ----------
    quick : bool
        Without the levels beyond 7.

    Returns
    -------
    list of Row

    Raises
    ------
    Failure
        If an embedded point does not have the value it must have.
    """
    costs = [_cost(level) for level in range(3, HIGHEST + 1)]
    costs += [] if quick else [_cost(level) for level in _EMBEDDED]
    rows = [_row(cost) for cost in costs]
    rows += _growth([cost for cost in costs if 4 <= cost.level <= HIGHEST])
    rows += [] if quick else _growth([cost for cost in costs if cost.level >= 4])
    return rows


def _cost(level: int) -> _Cost:
    point = own(level) if level <= HIGHEST else embedded(level)
    evaluation = point.value_and_gradient()
    if not abs(evaluation.value - point.alpha) <= _AGREEMENT * point.alpha:
        raise Failure(f"level {level}: {evaluation.value:.17g} should be {point.alpha:.17g}")
    seconds, value_seconds = measure(point.value_and_gradient, point.value)
    return _Cost(level, seconds, value_seconds, evaluation.exponentials, evaluation.products)


def _row(cost: _Cost) -> Row:
    remark = f"{cost.exponentials} exponentials, {cost.products} multiply-adds"
    if cost.gridded:
        remark += f"; {cost.operations / cost.gridded:.3g} operations per lifting on a grid"
    if cost.level > HIGHEST:
        remark += f"; at level {HIGHEST}'s solution, liftings halved: {cost.level - HIGHEST}"
    return Row(
        f"level {cost.level}",
        "value and gradient",
        cost.seconds,
        "value alone",
        cost.value_seconds,
        remark=remark,
    )


def _growth(costs: Sequence[_Cost]) -> list[Row]:
    """Exponents of power laws, against the level and against the number of liftings on grids."""
    rows = []
    name = f"levels {costs[0].level} to {costs[-1].level}"
    for against in ("level", "liftings on grids"):
        x = [cost.level if against == "level" else cost.gridded for cost in costs]
        for measured, y in (
            ("operations", [float(cost.operations) for cost in costs]),
            ("seconds", [cost.seconds.value for cost in costs]),
        ):
            law = linregress([math.log(n) for n in x], [math.log(value) for value in y])
            line = linregress(x, y)
            rows.append(
                Row(
                    name,
                    f"exponent of {measured} against {against}",
                    Quantity(float(law.slope), "", float(law.stderr)),
                    "linear growth",
                    Quantity(1.0, ""),
                    remark=f"a straight line through the {measured} has r^2 = {line.rvalue**2:.4f}"
                    if against == "level"
                    else "",
                )
            )
    return rows
