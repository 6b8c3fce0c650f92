"""What the values of the levels tend to, by accelerators that share no assumption but smoothness.

Optimal steps of a smooth profile leave a value of level r that is off by

    value(r) = limit + c_0 r^-4 + c_1 r^-5 + .. ,

as the best piecewise constant approximation of a function has an error of order r^-2 and enters squared.
Richardson's extrapolation solves for the limit; it assumes the exponent. A second one solves for the
exponent, too, and Brezinski's theta algorithm assumes none. What they differ by, and how they move when the
top levels are left out, is the error. Where the lowest points of the levels change shape again and again,
their values jump about that law, and what solves for it magnifies that a thousandfold: there two powers by
least squares say more, and which of the two says more the errors tell.

Source: Sidi, Practical Extrapolation Methods, Cambridge 2003; Brezinski, C. R. Acad. Sci. 273, 727 (1971).
The exponent 4 was seen for SK by Oppermann, Schmidt and Sherrington, Phys. Rev. Lett. 98, 127201 (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

__all__ = ["WINDOW", "Extrapolation", "brezinski", "extrapolate", "fitted", "richardson"]

Array = NDArray[np.float64]

#: Of the law above.
EXPONENT = 4.0
#: Levels that an extrapolation takes.
WINDOW = 7
# Terms of the central one, and top levels left out to see it move.
_TERMS, _LEFT_OUT = 4, 2
# Of the least squares, and levels that they take at least.
_SMOOTH, _ENOUGH = 2, 5
# Exponents that are looked for.
_EXPONENTS = np.linspace(2.0, 8.0, 61)


@dataclass(frozen=True)
class Extrapolation:
    """A limit.

    Attributes
    ----------
    value : float
    error : float
        The largest difference of any estimate to ``value``, and what noise in the values is amplified to.
    estimates : dict of str to float
        By accelerator.
    exponent : float
        The one that fits the last levels; nan where none does.
    """

    value: float
    error: float
    estimates: dict[str, float]
    exponent: float


def _law(levels: Sequence[int], terms: int, exponent: float) -> Array:
    """What the limit and every term are multiplied by in the value of each level."""
    r = np.asarray(levels, dtype=np.float64)
    powers = exponent + np.arange(terms)
    return np.column_stack((np.ones(r.size), (r[:, None] / r[-1]) ** -powers))


def richardson(
    levels: Sequence[int],
    values: Sequence[float],
    terms: int,
    exponent: float = EXPONENT,
    through: int | None = None,
) -> tuple[float, float]:
    """Limit of limit + r**-exponent (c_0 + c_1/r + ..) with so many terms, through the last levels.

    Parameters
    ----------
    levels, values : sequence
        At least ``terms + 1``.
    terms : int
    exponent : float
    through : int, optional
        How many of the levels; ``terms + 1``, which the law goes through, unless told. Through more it is
        fitted by least squares.

    Returns
    -------
    limit : float
    amplification : float
        By how much it magnifies errors of the values.
    """
    last, through = values[-1], through or terms + 1
    weights = np.linalg.pinv(_law(levels[-through:], terms, exponent))[0]
    limit = last + float(weights @ (np.array(values[-through:]) - last))
    return limit, float(np.abs(weights).sum())


def fitted(levels: Sequence[int], values: Sequence[float], terms: int) -> tuple[float, float]:
    """`richardson` with the exponent at which leaving out the top level changes nothing.

    Parameters
    ----------
    levels, values : sequence
        At least ``terms + 2``.
    terms : int

    Returns
    -------
    limit, exponent : float
        nan where there is no such exponent between 2 and 8.
    """

    def moved(exponent: float) -> float:
        whole = richardson(levels, values, terms, exponent)[0]
        return whole - richardson(levels[:-1], values[:-1], terms, exponent)[0]

    moves = [moved(b) for b in _EXPONENTS]
    roots = [
        float(optimize.brentq(moved, low, high))
        for low, high, left, right in zip(
            _EXPONENTS, _EXPONENTS[1:], moves, moves[1:], strict=False
        )
        if left * right < 0.0
    ]
    if not roots:
        return float("nan"), float("nan")
    exponent = min(roots, key=lambda b: abs(b - EXPONENT))
    return richardson(levels, values, terms, exponent)[0], exponent


def brezinski(values: Sequence[float]) -> float:
    """Limit of a sequence by the theta algorithm, which assumes no law; for equidistant levels.

    Parameters
    ----------
    values : sequence of float
        At least four; every three more are one more column.

    Returns
    -------
    float
        nan where a difference vanishes.
    """
    with mpmath.workdps(40):
        odd = [mpmath.mpf(0)] * (len(values) + 1)
        even = [mpmath.mpf(x) for x in values]
        try:
            while len(even) > 3:
                odd = [odd[i + 1] + 1 / (even[i + 1] - even[i]) for i in range(len(even) - 1)]
                even = [
                    even[i + 1]
                    + (even[i + 2] - even[i + 1])
                    * (odd[i + 2] - odd[i + 1])
                    / (odd[i + 2] - 2 * odd[i + 1] + odd[i])
                    for i in range(len(odd) - 2)
                ]
        except ZeroDivisionError:
            return float("nan")
        return float(even[-1])


def extrapolate(
    levels: Sequence[int], values: Sequence[float], noise: float = 0.0
) -> Extrapolation:
    """Limit of the values of consecutive levels, with an error.

    Parameters
    ----------
    levels : sequence of int
        Consecutive, ascending, at least four; the last seven are used.
    values : sequence of float
    noise : float
        Error of the values.

    Returns
    -------
    Extrapolation

    Raises
    ------
    ValueError
        For fewer levels, or levels that are not consecutive.
    """
    levels, values = list(levels)[-WINDOW:], list(values)[-WINDOW:]
    if len(levels) < 4 or len(levels) != len(values) or np.ptp(np.diff(levels)) != 0:
        raise ValueError(f"an extrapolation needs four consecutive levels or more, got {levels}")
    solved = _solved(levels, values, noise)
    if len(levels) < _ENOUGH:
        return solved
    return min(solved, _smooth(levels, values, noise, solved.exponent), key=lambda x: x.error)


def _solved(levels: list[int], values: list[float], noise: float) -> Extrapolation:
    """The law through as many levels as it has terms, beside others."""
    terms = min(_TERMS, len(levels) - 2)
    value, amplification = richardson(levels, values, terms)
    estimates = {f"Richardson, {terms} powers": value}
    for count in (terms, terms - 1):
        for left_out in range(_LEFT_OUT + 1):
            end = len(levels) - left_out
            if (count, left_out) == (terms, 0) or end < count + 1 or count < 1:
                continue
            name = f"Richardson, {count} powers" + f", without the last {left_out}" * bool(left_out)
            estimates[name] = richardson(levels[:end], values[:end], count)[0]
    free, exponent = fitted(levels, values, min(3, len(levels) - 2))
    estimates["fitted exponent"], estimates["theta"] = free, brezinski(values)
    spread = [abs(x - value) for x in estimates.values() if np.isfinite(x)]
    return Extrapolation(value, max(spread) + amplification * noise, estimates, exponent)


def _smooth(levels: list[int], values: list[float], noise: float, exponent: float) -> Extrapolation:
    """The law by least squares, beside a power more or less, and without the last levels.

    Its error is what these move it by, and the largest misfit, magnified as noise is.
    """

    def fit(terms: int, left_out: int) -> tuple[float, float]:
        end = len(levels) - left_out
        return richardson(levels[:end], values[:end], terms, through=end)

    value, amplification = fit(_SMOOTH, 0)
    estimates = {f"least squares, {_SMOOTH} powers": value}
    others = [(_SMOOTH - 1, k) for k in range(_LEFT_OUT + 1)]
    others += [(_SMOOTH, k) for k in range(1, _LEFT_OUT + 1)] + [(_SMOOTH + 1, 0)]
    for terms, left_out in others:
        if len(levels) - left_out > terms:
            without = f", without the last {left_out}" if left_out else ""
            estimates[f"least squares, {terms} powers{without}"] = fit(terms, left_out)[0]
    spread = max(abs(x - value) for x in estimates.values())
    # what levels jump about the law by is noise, too
    law = _law(levels, _SMOOTH, EXPONENT)
    y = np.array(values) - values[-1]
    noise += float(np.abs(law @ np.linalg.lstsq(law, y, rcond=None)[0] - y).max())
    return Extrapolation(value, spread + amplification * noise, estimates, exponent)
