"""Grids of trained networks: how many succeed, beside what tickets predict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from numerics.parities import success, ticket_width
from numerics.results import Table
from theory.parities import partial_tickets, signal
from verify.parities.networks import ERROR, Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MISSED", "NEEDS", "Grid", "grid", "grid_cases"]

NEEDS = ("jax", "optax")
"""What training takes."""
MISSED = 0.05
"""Probability that any interval of a grid misses its success probability."""


@dataclass(frozen=True)
class Grid(Table):
    """Networks that succeeded, by sparsity, samples and width.

    Attributes
    ----------
    n, k, networks, steps : int
    sparsities, samples, widths, successes : tuple of int
        Of each row.
    low, high : tuple of float
        Confidence intervals of the success probability, which all hold with probability 0.95.
    with_ticket : tuple of int
        How many of the networks have a partial ticket.
    succeeded_with : tuple of int
        Successes among those.
    predicted : tuple of float or None
        Probability of a partial ticket that finds its coordinate in the first step, at least; None where
        there are no such tickets, or they have no signal.
    predicted_high : tuple of float or None
        The same, at most.
    agrees : tuple of str
        "yes" where interval and prediction overlap, "no", or empty.
    """

    columns: ClassVar = {
        "s": "sparsities",
        "samples": "samples",
        "width": "widths",
        "succeed": "successes",
        "low": "low",
        "high": "high",
        "predicted": "predicted",
        "at most": "predicted_high",
        "agrees": "agrees",
        "with ticket": "with_ticket",
        "of these succeed": "succeeded_with",
    }
    n: int
    k: int
    networks: int
    steps: int
    sparsities: tuple[int, ...]
    samples: tuple[int, ...]
    widths: tuple[int, ...]
    successes: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    predicted: tuple[float | None, ...]
    predicted_high: tuple[float | None, ...]
    agrees: tuple[str, ...]
    with_ticket: tuple[int, ...]
    succeeded_with: tuple[int, ...]

    def frontier(self) -> list[dict[str, Any]]:
        """Smallest width tried at which half of the networks succeed, beside that of a ticket in half."""
        found: dict[tuple[int, int], int | None] = {}
        for row in self.rows():
            key = row["s"], row["samples"]
            found.setdefault(key, None)
            if found[key] is None and 2 * row["succeed"] >= self.networks:
                found[key] = row["width"]
        return [
            {"s": s, "samples": m, "width": width, "predicted": _half(self.n, self.k, s)}
            for (s, m), width in found.items()
        ]

    def draw(self, axes: Axes) -> None:
        """Success against width, a colour for each sparsity and number of samples; predictions dashed."""
        curves: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in self.rows():
            curves.setdefault((row["s"], row["samples"]), []).append(row)
        for (s, m), rows in curves.items():
            widths = [row["width"] for row in rows]
            rates = [row["succeed"] / self.networks for row in rows]
            bars = [[max(0.0, p - row["low"]) for p, row in zip(rates, rows, strict=True)],
                    [max(0.0, row["high"] - p) for p, row in zip(rates, rows, strict=True)]]  # fmt: skip
            drawn = axes.errorbar(
                widths, rates, bars, fmt="o-", capsize=2, label=f"s = {s}, m = {m}"
            )
            if all(row["predicted"] is not None for row in rows):
                colour = drawn.lines[0].get_color()
                axes.plot(widths, [row["predicted"] for row in rows], "--", color=colour)
        axes.set(xscale="log", xlabel="width", ylabel="networks that succeed", ylim=(-0.03, 1.03))
        axes.set_title(f"n = {self.n}, k = {self.k}, {self.steps} steps; dashed: predicted")
        axes.legend(fontsize="x-small")


def _half(n: int, k: int, s: int) -> int | None:
    from sympy import Rational

    return ticket_width(partial_tickets(n, k, s), Rational(1, 2))


def grid_cases(
    base: Setting,
    sparsities: Sequence[int],
    widths: Sequence[int],
    samples: Sequence[int],
    networks: int,
) -> list[dict[str, Any]]:
    """Cases of `verify.parities.networks.train_case` for a grid.

    Parameters
    ----------
    base : Setting
        What all have in common.
    sparsities, widths, samples : sequence of int
    networks : int
        Of each case.

    Raises
    ------
    ValueError
        For what makes no sense.
    """
    if networks < 1:
        raise ValueError(f"networks are an integer >= 1, got {networks}")
    common = base.case()
    settings = [
        Setting(**{**common, "sparsity": s, "width": width, "samples": m})
        for s in sparsities
        for m in samples
        for width in sorted(widths)
    ]
    return [{**setting.case(), "networks": networks} for setting in settings]


def grid(outcomes: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Grid:
    """Count successes, and set predictions beside them.

    Parameters
    ----------
    outcomes : iterable of tuple
        Cases of one grid with what `verify.parities.networks.train_case` returned.
    """
    outcomes = list(outcomes)
    rows, first = [], outcomes[0][0]
    for case, outcome in outcomes:
        good = [error <= ERROR for error in outcome["errors"]]
        lucky = [count > 0 for count in outcome["tickets"]]
        low, high = _interval(sum(good), len(good), MISSED / len(outcomes))
        least, most = _predicted(case)
        agrees = "" if least is None else "yes" if low <= most and least <= high else "no"
        rows.append(
            (
                *(case[name] for name in ("sparsity", "samples", "width")),
                sum(good),
                low,
                high,
                least,
                most,
                agrees,
                sum(lucky),
                sum(a and b for a, b in zip(good, lucky, strict=True)),
            )
        )
    common = (first[name] for name in ("n", "k", "networks", "steps"))
    return Grid(*common, *zip(*rows, strict=True))


def _interval(count: int, size: int, missed: float) -> tuple[float, float]:
    """The exact interval of Clopper and Pearson."""
    from scipy.stats import binomtest

    found = binomtest(count, size).proportion_ci(1.0 - missed, method="exact")
    return float(found.low), float(found.high)


def _predicted(case: Mapping[str, Any]) -> tuple[Any, Any]:
    n, k, s = case["n"], case["k"], case["sparsity"]
    exists = (
        k - 1 <= s < n and case["weights"] != "normal" and float(signal(s, k, case["bias"])) > 0.0
    )
    if not exists:
        return None, None
    at = (s,), (case["width"],), (case["samples"],)
    table = success(n, k, *at, bias=case["bias"])
    return table.low[0], table.high[0]
