"""Many digits: cost against the number of digits, against plain quadrature, and of whole solutions."""

import math
import time
from collections.abc import Callable

import mpmath
from flint import arb
from scipy.stats import linregress

from benchmarks.points import solution
from benchmarks.rows import Quantity, Row
from numerics import refine, solve
from numerics.balls.plan import BallGrid
from numerics.thresholds.functional import functional_of
from theory import SBP, free_energy

__all__ = ["run"]


def run(quick: bool) -> list[Row]:
    """Measure values with gradients of 30 to 300 digits, plain quadrature, and solutions.

    Parameters
    ----------
    quick : bool
        Levels 3 and 4 only, without the solution of fifty digits at level 7.

    Returns
    -------
    list of Row
    """
    rows = [_plain()]
    for level in (3, 4) if quick else (3, 4, 5, 7):
        rows += _growth(level, (30, 55, 100, 300) if level == 3 else (30, 50, 80))
    for level, digits in ((3, 100), (4, 50)) if quick else ((3, 100), (3, 300), (5, 50), (7, 50)):
        found = solve(SBP(1), level)
        seconds = _timed(lambda s=found, d=digits: refine(s, d))
        begun = _timed(lambda n=level: solve(SBP(1), n))
        rows.append(
            Row(
                f"level {level}, {digits} digits",
                "from the doubles to all digits, checked",
                Quantity(seconds, "s"),
                "the solution in doubles",
                Quantity(begun, "s"),
            )
        )
    return rows


def _plain() -> Row:
    """Level 3 at 30 digits: the program that theory writes, with mpmath's quadrature."""
    point = solution("1", 3).order_parameters
    functional, coords = functional_of(solution("1", 3))
    scope: dict[str, object] = {}
    exec(free_energy(SBP(1), 3).python(), scope)  # theory's own output
    alpha = scope["alpha"]
    assert callable(alpha)
    with mpmath.workdps(30):
        values = {name: mpmath.mpf(x) for name, x in point.items()}
        plain = _timed(lambda: alpha(**values))
    ours = _timed(lambda: functional([arb(t) for t in coords], BallGrid(30)))
    return Row(
        "level 3, 30 digits",
        "value in balls",
        Quantity(ours, "s"),
        "adaptive quadrature in mpmath",
        Quantity(plain, "s"),
        remark="one lifting a nest; every further one multiplies the quadrature's time by its nodes",
    )


def _growth(level: int, digits: tuple[int, ...]) -> list[Row]:
    functional, coords = functional_of(solution("1", level))
    at = [arb(t) for t in coords]
    seconds, rows = [], []
    for d in digits:
        seconds.append(_timed(lambda d=d: functional(at, BallGrid(d), gradient=True)))
        rows.append(
            Row(
                f"level {level}, {d} digits",
                "value and gradient in balls",
                Quantity(seconds[-1], "s"),
                f"{digits[0]} digits",
                Quantity(seconds[0], "s"),
            )
        )
    law = linregress([math.log(d) for d in digits], [math.log(s) for s in seconds])
    rows.append(
        Row(
            f"level {level}",
            "exponent of seconds against digits",
            Quantity(float(law.slope), "", float(law.stderr)),
            "linear growth",
            Quantity(1.0, ""),
        )
    )
    return rows


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
