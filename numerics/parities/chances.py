"""How many neurons are lucky, and with what probability a first step finds a coordinate.

Counts are exact; probabilities of what is found are finite sums with the error of their evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.stats import binom
from sympy import Float, Rational, ceiling

from numerics.results import Table
from theory.calculus.walsh import threshold_coefficient
from theory.parities import (
    active,
    check_parity,
    fourier_gap,
    full_tickets,
    partial_tickets,
    samples_for,
    signal,
    success_bounds,
    width_for,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Success",
    "Tickets",
    "finding",
    "success",
    "ticket_width",
    "tickets",
]

MAX_SAMPLES = 10**6
"""Most samples of `finding`; the frontier does not look beyond them."""
MAX_N = 1000


@dataclass(frozen=True)
class Tickets(Table):
    """Tickets and their gradients, by sparsity.

    Attributes
    ----------
    n, k : int
    probability, errors : float
        Of a ticket at the widths; standard errors at the samples.
    sparsities : tuple of int
    partial, full : tuple of float
        Probability that a neuron is one.
    partial_widths, full_widths : tuple of int or None
        Smallest width that has one with the probability; None where there are none.
    signals, gaps : tuple of float or None
        |a_{k-1}| of partial tickets, and the Fourier gap of full ones.
    signal_samples, gap_samples : tuple of int or None
        From which on these are so many standard errors at least; None where they are never.
    """

    columns: ClassVar = {
        "s": "sparsities",
        "partial": "partial",
        "width": "partial_widths",
        "signal": "signals",
        "samples": "signal_samples",
        "full": "full",
        "full width": "full_widths",
        "gap": "gaps",
        "gap samples": "gap_samples",
    }
    n: int
    k: int
    probability: float
    errors: float
    sparsities: tuple[int, ...]
    partial: tuple[float, ...]
    partial_widths: tuple[int | None, ...]
    signals: tuple[float, ...]
    signal_samples: tuple[int | None, ...]
    full: tuple[float, ...]
    full_widths: tuple[int | None, ...]
    gaps: tuple[float | None, ...]
    gap_samples: tuple[int | None, ...]

    def draw(self, axes: Axes) -> None:
        """Samples against widths, a point for each sparsity."""
        for label, mark, widths, samples in (
            ("partial tickets: signal", "o-", self.partial_widths, self.signal_samples),
            ("full tickets: gap", "s--", self.full_widths, self.gap_samples),
        ):
            points = [
                (w, m, s)
                for s, w, m in zip(self.sparsities, widths, samples, strict=True)
                if w is not None and m is not None
            ]
            axes.plot([w for w, *_ in points], [m for _, m, _ in points], mark, label=label)
            for w, m, s in points:
                axes.annotate(f"{s}", (w, m), textcoords="offset points", xytext=(4, 4))
        axes.set(xscale="log", yscale="log", xlabel="width with a ticket", ylabel="samples")
        axes.set_title(f"n = {self.n}, k = {self.k}: tickets by the coordinates seen")
        axes.legend()


@dataclass(frozen=True)
class Success(Table):
    """Probability that some neuron is a partial ticket and finds the coordinate that it misses.

    Attributes
    ----------
    n, k : int
    sparsities, samples, widths : tuple of int
        Of each row.
    tickets : tuple of float
        Expected number of partial tickets.
    found : tuple of float
        Probability that one of them finds its coordinate.
    low, high : tuple of float
        Bounds of the probability.
    errors : tuple of float
        Of ``found`` and ``low``; of ``high``, times the tickets.
    """

    columns: ClassVar = {
        "s": "sparsities",
        "samples": "samples",
        "width": "widths",
        "tickets": "tickets",
        "found": "found",
        "low": "low",
        "high": "high",
    }
    n: int
    k: int
    sparsities: tuple[int, ...]
    samples: tuple[int, ...]
    widths: tuple[int, ...]
    tickets: tuple[float, ...]
    found: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    errors: tuple[float, ...]

    def draw(self, axes: Axes) -> None:
        """Bounds against the width, a band for each sparsity and number of samples."""
        bands: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
        for row in self.rows():
            bands.setdefault((row["s"], row["samples"]), []).append(
                (row["width"], row["low"], row["high"])
            )
        for (s, m), band in bands.items():
            widths, low, high = zip(*sorted(band), strict=True)
            (line,) = axes.plot(widths, low, ".-", label=f"s = {s}, m = {m}")
            axes.fill_between(widths, low, high, color=line.get_color(), alpha=0.25)
        axes.set(xscale="log", xlabel="width", ylabel="probability", ylim=(-0.02, 1.02))
        axes.set_title(f"n = {self.n}, k = {self.k}: a coordinate is found")
        axes.legend(fontsize="small")


def ticket_width(probability: Rational, eta: Rational) -> int | None:
    """Smallest width that has a ticket with probability 1 - eta, exactly; None where there are none."""
    if probability == 0:
        return None
    return 1 if probability == 1 else int(ceiling(width_for(probability, eta)))


def tickets(
    n: int,
    k: int,
    sparsities: Sequence[int] | None = None,
    *,
    probability: float = 0.99,
    errors: float = 3.0,
    bias: float = 0.0,
) -> Tickets:
    """Count tickets, and the samples at which they stand out.

    Parameters
    ----------
    n, k : int
    sparsities : sequence of int, optional
        By default all from k - 1 to n/2.
    probability, errors : float
        As in `Tickets`.
    bias : float
        Of every neuron.

    Returns
    -------
    Tickets
        Counts, widths and samples are exact.

    Raises
    ------
    ValueError
        For what makes no sense.
    """
    check_parity(n, k)
    sparsities = _all(n, k) if sparsities is None else sparsities
    check_table(n, k, sparsities, probability)
    if not 0.0 < errors < math.inf:
        raise ValueError(f"standard errors are a positive number, got {errors}")
    eta, c, b = 1 - exact(probability), exact(errors), exact(bias)
    rows = []
    for s in sparsities:
        partial, full = partial_tickets(n, k, s), full_tickets(n, k, s)
        own, second = signal(s, k, b), 2 * active(s, b)
        gap = fourier_gap(s, k, b) if s >= k else None
        seen = second + 2 * abs(threshold_coefficient(s, 2, b)) if s >= 2 else second
        rows.append(
            (
                s,
                float(partial),
                ticket_width(partial, eta),
                float(own),
                int(ceiling(samples_for(second, own, c))) if own > 0 else None,
                float(full),
                ticket_width(full, eta),
                None if gap is None else float(gap),
                None if gap is None or gap <= 0 else int(ceiling(samples_for(seen, gap, c))),
            )
        )
    return Tickets(n, k, probability, errors, *transposed(rows))


def transposed(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if not rows:
        raise ValueError("a table needs at least one sparsity, and one of all else that is varied")
    return list(zip(*rows, strict=True))


def finding(n: int, k: int, s: int, samples: int, *, bias: float = 0.0) -> tuple[float, float]:
    """Probability that a partial ticket finds the coordinate that it misses, and its error.

    Parameters
    ----------
    n, k, s : int
        ``k - 1 <= s < n``.
    samples : int
    bias : float

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        For what makes no sense, and neurons without signal.

    Notes
    -----
    `theory.parities.finding_probability`, with the distribution functions of the binomial in the place of
    its inner sums. Sums go to seven standard deviations; that over the number of active samples is, in each
    parity, a trapezoid rule of a stride of half a standard deviation, whose error falls as
    exp(-2 pi^2 (deviation/stride)^2). The error is the difference to twice the stride, plus what is cut off
    and rounded. Cost: some 10^3 sqrt(samples).
    """
    check_table(n, k, (s,))
    if isinstance(samples, bool) or not 1 <= samples <= MAX_SAMPLES:
        raise ValueError(f"samples are an integer from 1 to {MAX_SAMPLES}, got {samples}")
    if not k - 1 <= s < n:
        raise ValueError(
            f"a partial ticket sees s from k - 1 = {k - 1} to n - 1 = {n - 1} coordinates, got {s}"
        )
    rate, mean = float(active(s, exact(bias))), float(signal(s, k, exact(bias)))
    if mean == 0.0:
        raise ValueError(
            f"neurons that see s = {s} coordinates with bias {bias:g} have no signal of a parity of k = {k}; "
            f"take s = {s - 1} or {s + 1}, or another bias"
        )
    stride = max(2, 2 * int(0.25 * math.sqrt(samples * rate * (1.0 - rate))))
    low, high = _window(samples, rate)
    sums = []
    for start in (low, low + 1):
        counts = np.arange(start, high + 1, stride)
        given = [_found(int(count), mean / rate, n - s - 1) for count in counts]
        terms = binom.pmf(counts, samples, rate) * given * (stride / 2)
        sums.append((terms.sum(), 2.0 * terms[::2].sum()))
    value, coarse = (float(sum(part)) for part in zip(*sums, strict=True))
    error = 1e-10 + (abs(value - coarse) if stride > 2 else 0.0)
    return min(value, 1.0), error


def _window(size: int, probability: float) -> tuple[int, int]:
    """Values of a binomial variable outside of which it is with a probability below 1e-11."""
    mean = size * probability
    spread = 7.0 * math.sqrt(mean * (1.0 - probability)) + 9.0
    return max(0, math.floor(mean - spread)), min(size, math.ceil(mean + spread))


def _found(count: int, mean: float, others: int) -> float:
    """The same for a given number of active samples."""
    up = 0.5 * (1.0 + mean)
    low, high = _window(count, up)
    plus = np.arange(low, high + 1)
    first, _ = _window(count, 0.5)
    beyond = np.concatenate(
        [[0.0], binom.pmf(np.arange(first, count // 2 + 1), count, 0.5).cumsum()]
    )
    fewer = np.maximum(np.minimum(plus, count - plus) - first + 1, 0)
    below = np.maximum(0.0, 1.0 - 2.0 * beyond[fewer])
    return float(binom.pmf(plus, count, up) @ below**others)


def success(
    n: int,
    k: int,
    sparsities: Sequence[int] | None,
    widths: Sequence[int],
    samples: Sequence[int],
    *,
    bias: float = 0.0,
) -> Success:
    """Bound the probability that some neuron is a partial ticket and finds its coordinate in a first step.

    Parameters
    ----------
    n, k : int
    sparsities : sequence of int, optional
        All from k - 1 to n/2 whose tickets have a signal, if None.
    widths, samples : sequence of int
        Every combination is a row.
    bias : float

    Returns
    -------
    Success

    Raises
    ------
    ValueError
        As `finding`, and for widths below 1.
    """
    if not all(1 <= width <= 10**12 for width in widths):
        raise ValueError(f"widths are integers from 1 to 10^12, got {', '.join(map(str, widths))}")
    check_parity(n, k)
    if sparsities is None:
        sparsities = [s for s in _all(n, k) if s < n and signal(s, k, exact(bias)) > 0]
    rows = []
    for s in sparsities:
        for m in samples:
            found, error = finding(n, k, s, m, bias=bias)
            ticket = float(partial_tickets(n, k, s))
            for width in widths:
                low, high = bounds(width, ticket, found)
                rows.append((s, m, width, width * ticket, found, low, high, error))
    return Success(n, k, *transposed(rows))


def _all(n: int, k: int) -> range:
    """Sparsities of neurons that see less than half, or just the parity."""
    return range(max(1, k - 1), max(n // 2, k) + 1)


def bounds(width: int, ticket: float, found: float) -> tuple[float, float]:
    low, high = success_bounds(Rational(width), Float(ticket, 30), Float(found, 30))
    return float(low), float(high)


def exact(value: float) -> Rational:
    """A number as it was written."""
    if not math.isfinite(value):
        raise ValueError(f"a finite number is needed, got {value}")
    return Rational(repr(float(value)))


def check_table(n: int, k: int, sparsities: Sequence[int], probability: float = 0.5) -> None:
    check_parity(n, k)
    if n > MAX_N:
        raise ValueError(f"n is at most {MAX_N}, got {n}")
    for s in sparsities:
        check_parity(n, k, s)
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a probability is between 0 and 1, got {probability}")
