"""Value and gradient against nested quadrature of the value alone.

Two baselines: what a script of a dozen lines does, mpmath's ``quad`` over the real line inside another
one, and the readable program that theory itself writes, which first looks for the window where an
integrand matters.
"""

from collections.abc import Callable
from typing import Any

import mpmath

from benchmarks.points import own, solution
from benchmarks.rows import Row
from benchmarks.timing import measure, timed
from theory import SBP, free_energy
from widegap.errors import Failure

__all__ = ["run"]

_KAPPA = "1"
_DIGITS = 15
_TARGET = 1e5
"""How many times faster than a script level 4 is to be."""
_REPEATABLE = 1.0
"""Seconds up to which the baseline is measured more than once."""
_AGREEMENT = 1e-12
"""Relative difference beyond which the two sides have not computed the same thing."""


def run(quick: bool) -> list[Row]:
    """Compare levels 3 and 4.

    Parameters
    ----------
    quick : bool
        Level 3 alone; the baselines of level 4 take minutes.

    Returns
    -------
    list of Row

    Raises
    ------
    Failure
        If the two values do not agree.
    """
    levels = (3,) if quick else (3, 4)
    return [_compare(level, plain) for level in levels for plain in (True, False)]


def _compare(level: int, plain: bool) -> Row:
    point = own(level, _KAPPA)
    nested = _nested_quadrature(level, plain)
    reference, theirs = timed(nested)
    ours = point.value_and_gradient().value
    difference = abs(ours - theirs)
    if not difference <= _AGREEMENT * abs(theirs):
        raise Failure(f"level {level}: {ours:.17g} is not nested quadrature's {theirs:.17g}")
    if reference.value < _REPEATABLE:
        quantity, reference = measure(point.value_and_gradient, nested)
    else:
        (quantity,) = measure(point.value_and_gradient)
    times = reference.value / quantity.value
    wanted = _TARGET if plain and level == 4 else None
    how = "nested mpmath.quad over the real line" if plain else "theory's Python program"
    return Row(
        f"level {level}",
        "value and gradient",
        quantity,
        f"value alone, {how}, {_DIGITS} digits",
        reference,
        target="" if wanted is None else f"{wanted:.0e} times faster",
        met=None if wanted is None else times >= wanted,
        remark=f"{times:.3g} times faster; the values differ by {difference:.1e}",
    )


def _plain_lift(f: Callable[[Any], Any], variance: Any, exponent: Any) -> Callable[[Any], Any]:
    """One lifting as a script writes it; takes the place of the program's own."""
    root = mpmath.sqrt(variance)

    def lifted(x: Any) -> Any:
        total = mpmath.quad(
            lambda u: mpmath.exp(exponent * f(x + root * u)) * mpmath.npdf(u),
            [-mpmath.inf, 0, mpmath.inf],
        )
        return mpmath.log(total) / exponent

    return lifted


def _nested_quadrature(level: int, plain: bool) -> Callable[[], float]:
    """The functional by the module that theory writes, at the level's solution."""
    names: dict[str, Any] = {}
    exec(free_energy(SBP(_KAPPA), level).python(), names)
    if plain:
        names["lift"] = _plain_lift
    point = solution(_KAPPA, level).order_parameters

    def value() -> float:
        with mpmath.workdps(_DIGITS):
            return float(names["alpha"](**point))

    return value
