"""The frontier of width and samples: pairs of which none is larger than another in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scipy.optimize import brentq

from numerics.results import Table
from theory.parities import active, partial_tickets, samples_for, signal

from .chances import MAX_SAMPLES, bounds, check_table, exact, finding, ticket_width, transposed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Frontier", "frontier"]


@dataclass(frozen=True)
class Frontier(Table):
    """Pairs of width and samples of which none is larger than another in both.

    Attributes
    ----------
    n, k : int
    probability : float
        That the first step finds a coordinate, at least.
    widths, samples, sparsities : tuple of int
        Of each pair; widths increase, samples decrease.
    """

    columns: ClassVar = {"width": "widths", "samples": "samples", "s": "sparsities"}
    n: int
    k: int
    probability: float
    widths: tuple[int, ...]
    samples: tuple[int, ...]
    sparsities: tuple[int, ...]

    def draw(self, axes: Axes) -> None:
        """Samples against width, the sparsity beside the first of its points."""
        axes.step(self.widths, self.samples, "o-", where="post")
        pairs = zip(self.widths, self.samples, strict=True)
        first = dict(reversed(list(zip(self.sparsities, pairs, strict=True))))
        for s, place in first.items():
            axes.annotate(f"s = {s}", place, textcoords="offset points", xytext=(5, 5))
        axes.set(xscale="log", yscale="log", xlabel="width", ylabel="samples")
        axes.set_title(
            f"n = {self.n}, k = {self.k}: a coordinate is found with probability {self.probability:g}"
        )


def frontier(
    n: int,
    k: int,
    sparsities: Sequence[int] | None = None,
    *,
    probability: float = 0.5,
    bias: float = 0.0,
) -> Frontier:
    """Smallest widths and samples at which the first step finds a coordinate with a probability.

    Parameters
    ----------
    n, k : int
    sparsities : sequence of int, optional
        By default at most 24 up to n/2, as neurons that see nearly all find the rest by chance. Those without
        signal, or with one below a standard error at 10^6 samples, have no part in it.
    probability : float
        Reached by the lower bound of `success`.
    bias : float

    Returns
    -------
    Frontier

    Raises
    ------
    ValueError
        For what makes no sense, and if no sparsity reaches the probability.

    Notes
    -----
    For each sparsity: the least width that has a ticket with this probability, and multiples of it; for each
    of these a number of samples that reaches the probability while one less does not.
    """
    chosen = _spread(max(k - 1, 1), n // 2) if sparsities is None else sparsities
    check_table(n, k, chosen, probability)
    wanted, pairs = exact(probability), []
    for s in chosen:
        ticket = partial_tickets(n, k, s)
        own = signal(s, k, exact(bias))
        if ticket == 0 or own == 0 or samples_for(2 * active(s, bias), own, 1) > MAX_SAMPLES:
            continue
        least, start = ticket_width(ticket, 1 - wanted), 16
        assert least is not None
        for width in dict.fromkeys(math.ceil(least * factor) for factor in _MULTIPLES):

            def excess(
                m: float, s: int = s, width: int = width, ticket: float = float(ticket)
            ) -> float:
                found, _ = finding(n, k, s, int(m), bias=bias)
                return bounds(width, ticket, found)[0] - probability

            m = _least(excess, start)
            if m is not None:
                pairs.append((width, m, s))
                start = m
    best: list[tuple[int, int, int]] = []
    for pair in sorted(pairs):
        if not best or pair[1] < best[-1][1]:
            best.append(pair)
    if not best:
        raise ValueError(
            f"no sparsity reaches a probability of {probability} with at most {MAX_SAMPLES} samples"
        )
    return Frontier(n, k, probability, *transposed(best))


_MULTIPLES = (1.0, 1.05, 1.2, 1.5, 2.0, 3.0, 5.0)


def _spread(low: int, high: int) -> list[int]:
    """At most 24 integers from one to another, in geometric progression where there are more."""
    if high - low < 24:
        return list(range(low, high + 1))
    return sorted({round(low * (high / low) ** (j / 23)) for j in range(24)})


def _least(excess: Callable[[float], float], high: int) -> int | None:
    """The number of samples at which an excess turns from negative, by doubling and Brent's method."""
    while excess(high) < 0.0:
        if high == MAX_SAMPLES:
            return None
        high = min(2 * high, MAX_SAMPLES)
    m = int(brentq(excess, 1, high, xtol=0.5)) if excess(1) < 0.0 else 1
    while m > 1 and excess(m - 1) >= 0.0:
        m -= 1
    while excess(m) < 0.0:
        m += 1
    return m
