"""Figures of results. No global plotting state: every function returns a figure of its own."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from widegap.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numerics import Solution

__all__ = ["SUFFIXES", "level_convergence", "save"]

SUFFIXES = (".png", ".svg", ".pdf")
"""The file types :func:`save` can write, chosen by the file's suffix."""

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"  # Okabe-Ito: distinct to every eye
_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.0,
    "mathtext.fontset": "cm",
    "legend.frameon": False,
    "svg.hashsalt": "widegap",  # the same figure gives the same file
    "pdf.fonttype": 42,
}


def level_convergence(solutions: "Sequence[Solution]", title: str | None = None) -> "Figure":
    """Draw how the threshold settles as the lifting level grows.

    The upper panel shows alpha_r against the level r with level 2, the satisfiability threshold
    alpha_c, as a line; the lower one, on a logarithmic scale, the steps alpha_{r-1} - alpha_r and
    the gap alpha_c - alpha_r.

    Parameters
    ----------
    solutions
        One solution per level, in increasing order, starting at level 2; at least two of them.
    title
        Text above the figure; by default the model and its parameters.

    Returns
    -------
    matplotlib.figure.Figure
        A figure without any window or global state; write it with :func:`save`.

    Raises
    ------
    ValueError
        If the levels are not 2, 3, .., r with r >= 3.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    levels = [solution.level for solution in solutions]
    if len(levels) < 2 or levels != list(range(2, 2 + len(levels))):
        raise ValueError(f"a level-convergence plot needs levels 2, 3, .., r; got {levels}")
    alphas = [float(solution.value) for solution in solutions]
    alpha_c = alphas[0]

    with rc_context(_STYLE):
        figure = Figure(figsize=(5.4, 5.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))

        upper.axhline(alpha_c, color=_GREY, linestyle="--", linewidth=1.0)
        upper.annotate(
            rf"$\alpha_c = {alpha_c:.6f}$ (satisfiability)",
            (levels[-1], alpha_c),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=_GREY,
        )
        upper.plot(levels, alphas, "o-", color=_BLUE, label=r"$\alpha_r$")
        upper.annotate(
            rf"$\alpha_{{{levels[-1]}}} = {alphas[-1]:.6f}$",
            (levels[-1], alphas[-1]),
            xytext=(0, 8),
            textcoords="offset points",
            ha="right",
            color=_BLUE,
        )
        upper.set_ylabel(r"$\alpha_r = m/n$")
        upper.set_title(_title(solutions[0]) if title is None else title)

        steps = [before - after for before, after in pairwise(alphas)]
        gaps = [alpha_c - alpha for alpha in alphas[1:]]
        lower.semilogy(levels[1:], gaps, "s--", color=_GREY, label=r"$\alpha_c - \alpha_r$")
        lower.semilogy(levels[1:], steps, "o-", color=_ORANGE, label=r"$\alpha_{r-1} - \alpha_r$")
        lower.set_xlabel("lifting level $r$")
        lower.set_ylabel("difference")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        lower.legend(loc="best")
        figure.align_ylabels()
    return figure


def _title(solution: "Solution") -> str:
    parameters = (
        rf"$\{symbol} = {float(value):g}$" for symbol, value in solution.model.parameters.items()
    )
    return ", ".join([solution.model.name.upper(), *parameters])


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure whole or not at all, in the type its suffix names.

    Parameters
    ----------
    figure
        The figure.
    path
        Ends in ``.png`` (200 dots per inch), ``.svg`` or ``.pdf``.

    Raises
    ------
    ValueError
        If the suffix is another one.
    OSError
        If the file cannot be written; nothing is left behind.
    """
    from matplotlib import rc_context

    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a figure's name ends in {', '.join(SUFFIXES)}, got {str(path)!r}")
    # no dates: the same result gives the same file
    metadata = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with rc_context(_STYLE), atomic_write(path) as stream:
        figure.savefig(stream, format=suffix[1:], dpi=200, metadata=metadata)
