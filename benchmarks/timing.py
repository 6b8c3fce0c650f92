"""Wall times by the standard library's timeit: medians, with their spread."""

import statistics
import time
from collections.abc import Callable
from timeit import Timer
from typing import Any, TypeVar

from benchmarks.rows import Quantity

__all__ = ["best", "measure", "timed"]

T = TypeVar("T")


def measure(
    *functions: Callable[[], Any], repeats: int = 5, number: int | None = None
) -> list[Quantity]:
    """Seconds per call of some functions, measured in turns.

    Parameters
    ----------
    *functions : callable
        What to time, without arguments.
    repeats : int, default 5
        Measurements of each, at least 2.
    number : int, optional
        Calls per measurement. By default as many as timeit's autorange finds to take 0.2 s, which
        also warms everything up.

    Returns
    -------
    list of Quantity
        Median and interquartile range, in the order of the functions.

    Notes
    -----
    The functions take turns, so that a machine that slows down for a while does so for all of them
    and leaves their ratios alone.
    """
    timers = [Timer(function) for function in functions]
    calls = [timer.autorange()[0] if number is None else number for timer in timers]
    seconds: list[list[float]] = [[] for _ in timers]
    for _ in range(repeats):
        for timer, count, own in zip(timers, calls, seconds, strict=True):
            own.append(timer.timeit(count) / count)
    return [_summary(own) for own in seconds]


def best(function: Callable[[], Any], repeats: int = 7) -> Quantity:
    """Seconds of the fastest of some calls.

    For comparisons with another process, which cannot take turns: what other work on the machine adds is
    the least there.

    Parameters
    ----------
    function : callable
    repeats : int

    Returns
    -------
    Quantity
    """
    function()
    return Quantity(min(Timer(function).repeat(repeats, 1)))


def timed(function: Callable[[], T]) -> tuple[Quantity, T]:
    """Time a single call and keep what it returns.

    Parameters
    ----------
    function : callable
        Something too slow to be repeated, or whose result is wanted as well.

    Returns
    -------
    tuple of Quantity and object
        The time, without a spread, and the result.
    """
    began = time.perf_counter()
    result = function()
    return Quantity(time.perf_counter() - began), result


def _summary(seconds: list[float]) -> Quantity:
    lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return Quantity(median, "s", upper - lower)
