"""What it takes to find the thresholds, in units of one evaluation at the highest level."""

from functools import partial

from benchmarks.points import HIGHEST, own
from benchmarks.rows import Row
from benchmarks.timing import measure
from numerics import solve
from theory import SBP

__all__ = ["run"]

_MARGINS = ("1", "0.5", "3")


def run(quick: bool) -> list[Row]:
    """Solve levels 2 to 7 together, at several margins.

    Parameters
    ----------
    quick : bool
        At kappa = 1 alone.

    Returns
    -------
    list of Row
    """
    return [_row(kappa) for kappa in (_MARGINS[:1] if quick else _MARGINS)]


def _row(kappa: str) -> Row:
    # deriving and compiling is done by now: what is measured is the search
    point = own(HIGHEST, kappa)
    (one,) = measure(point.value_and_gradient)
    (together,) = measure(partial(solve, SBP(kappa), HIGHEST), repeats=3, number=1)
    return Row(
        f"kappa = {kappa}",
        f"solving levels 2 to {HIGHEST}",
        together,
        f"one level-{HIGHEST} value and gradient",
        one,
        target="a few seconds together",
        remark="once everything is derived and compiled",
    )
