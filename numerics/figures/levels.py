"""Figures of levels: how they converge, and how they depend on a margin or a density."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .style import BLUE, GREY, ORANGE, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["level_convergence", "phase_diagram"]

# models for which the capacity at level 2 is the satisfiability threshold alpha_c
_SATISFIABILITY = ("sbp", "abp", "ubp", "zero-one")
_MARKED = 30  # more points on a curve than this would only thicken it


def level_convergence(solutions: "Sequence[Any]", title: str | None = None) -> "Figure":
    """Draw how the value settles as the lifting level grows.

    The upper panel shows alpha_r or xi_r against the level r, for a capacity with the lowest level as a line:
    the satisfiability threshold alpha_c where x is binary. The lower one, on a logarithmic scale, shows the
    steps from level to level and, for a capacity, the gap to that line. Steps of length zero, where levels
    merge, are not drawn.

    Parameters
    ----------
    solutions : sequence of numerics.Solution
        One for each level, in increasing order, starting at the lowest; at least two of them.
    title
        Text above the figure; by default the model and its parameters.

    Returns
    -------
    matplotlib.figure.Figure
        A figure without any window or global state.

    Raises
    ------
    ValueError
        If the levels are not 2, 3, .., r with r >= 3, or 1, 2, .., r for models that have a level 1.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    levels = [solution.level for solution in solutions]
    lowest = 1 if solutions and solutions[0].is_finite else 2
    if len(levels) < 2 or levels != list(range(lowest, lowest + len(levels))):
        raise ValueError(
            f"a level-convergence plot needs levels {lowest}, {lowest + 1}, .., r; got {levels}"
        )
    values = [float(solution.value) for solution in solutions]
    capacity = solutions[0].symbol == "alpha"
    symbol = r"\alpha" if capacity else r"\xi"
    with rc_context(STYLE):
        figure = Figure(figsize=(5.4, 5.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        rising = values[-1] > values[0]
        if capacity:
            known = solutions[0].model.name in _SATISFIABILITY
            name = r"\alpha_c" if known else rf"\alpha_{{{lowest}}}"
            upper.axhline(values[0], color=GREY, linestyle="--", linewidth=1.0)
            upper.annotate(
                rf"${name} = {values[0]:.6f}$" + " (satisfiability)" * known,
                (levels[-1], values[0]),
                xytext=(0, -4),
                textcoords="offset points",
                ha="right",
                va="top",
                color=GREY,
            )
            gaps = [values[0] - value for value in values[1:]]
            label = rf"${name} - \alpha_r$"
            lower.semilogy(levels[1:], _positive(gaps), "s--", color=GREY, label=label)
        upper.plot(levels, values, "o-", color=BLUE, label=rf"${symbol}_r$")
        upper.annotate(
            rf"${symbol}_{{{levels[-1]}}} = {values[-1]:.6f}$",
            (levels[-1], values[-1]),
            xytext=(0, -8 if rising else 8),
            textcoords="offset points",
            ha="right",
            va="top" if rising else "bottom",
            color=BLUE,
        )
        upper.set_ylabel(rf"${symbol}_r = m/n$" if capacity else rf"${symbol}_r$")
        upper.set_title(_title(solutions[0]) if title is None else title)

        steps = [before - after for before, after in pairwise(values)]
        label = rf"${symbol}_{{r-1}} - {symbol}_r$"
        if not capacity and rising:
            steps, label = [-step for step in steps], rf"${symbol}_r - {symbol}_{{r-1}}$"
        lower.semilogy(levels[1:], _positive(steps), "o-", color=ORANGE, label=label)
        lower.set_xlabel("lifting level $r$")
        lower.set_ylabel("difference")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        if any(step > 0.0 for step in steps):
            lower.legend(loc="best")
        else:
            lower.set_yticks([])
            lower.set_yticks([], minor=True)
            said = "no level differs from the one below"
            lower.text(0.5, 0.5, said, transform=lower.transAxes, ha="center", color=GREY)
        figure.align_ylabels()
    return figure


def _positive(numbers: Sequence[float]) -> list[float]:
    """Numbers for a logarithmic axis, with gaps where there are none."""
    return [number if number > 0.0 else math.nan for number in numbers]


def _title(solution: Any) -> str:
    parameters = (
        rf"$\{symbol} = {float(value):g}$" for symbol, value in solution.model.parameters.items()
    )
    return ", ".join([solution.model.name.upper(), *parameters])


def phase_diagram(sweep: Any, title: str | None = None) -> "Figure":
    """Draw the thresholds of a sweep against its parameter, one curve for each level.

    The upper panel shows the values, on a logarithmic scale if they differ by more than a factor of
    ten. The reference is dashed: for binary perceptrons level 2, the satisfiability threshold
    alpha_c, otherwise the lowest level. The lower panel shows the gap to it, if it is in the sweep:
    1 - alpha_r / alpha_c, or for energies, which can vanish, the difference. Where a level has no
    value, its curve is interrupted.

    Parameters
    ----------
    sweep : numerics.Sweep
        At least one of its points has a value, and one parameter has several values at most.
    title
        Text above the figure; by default the model and its fixed parameters.

    Returns
    -------
    matplotlib.figure.Figure
        A figure without any window or global state.

    Raises
    ------
    ValueError
        If there is nothing to draw, or no single parameter to draw it against.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    along = _swept(sweep)
    places, curves = _curves(sweep, along)
    capacity = sweep.settings.quantity == "alpha"
    satisfiability = capacity and sweep.settings.model in _SATISFIABILITY
    reference = 2 if satisfiability else min(curves)
    gaps = reference in curves and len(curves) > 1
    symbol = r"\alpha" if capacity else r"\xi"
    tags = {level: r"\infty" if level == math.inf else str(level) for level in curves}
    names = {level: rf"{symbol}_{{{tag}}}" for level, tag in tags.items()}
    names[reference] = r"\alpha_c" if satisfiability else names[reference]
    marker = "." if len(places) <= _MARKED else ""
    with rc_context(STYLE):
        figure = Figure(figsize=(5.4, 5.6), layout="constrained")
        panels = figure.subplots(
            1 + gaps, 1, sharex=True, squeeze=False, height_ratios=(3, 2)[: 1 + gaps]
        )[:, 0]
        styles = _level_styles(list(curves), reference)
        for level, values in curves.items():
            label = f"${names[level]}$"
            panels[0].plot(places, values, marker=marker, label=label, **styles[level])
            if gaps and level != reference:
                pairs = zip(curves[reference], values, strict=True)
                gap = [_gap(base, value, relative=capacity) for base, value in pairs]
                panels[1].plot(places, gap, marker=marker, **styles[level])
        known = [v for values in curves.values() for v in values if not math.isnan(v)]
        if max(known) > 10.0 * min(known) > 0.0:
            panels[0].set_yscale("log")
            panels[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panels[0].set_ylabel(rf"${symbol}_r = m/n$" if capacity else rf"${symbol}_r$")
        panels[0].set_title(_sweep_title(sweep, along) if title is None else title)
        panels[0].legend(loc="best")
        if gaps:
            base = names[reference]
            formula = rf"1 - {symbol}_r / {base}" if capacity else rf"{base} - {symbol}_r"
            panels[1].set_ylabel(f"gap ${formula}$")
        panels[-1].set_xlabel(rf"$\{along}$")
        figure.align_ylabels()
    return figure


def _gap(base: float, value: float, *, relative: bool) -> float:
    """How far a level is from the reference; nothing where that is no measure."""
    if not relative:
        return base - value
    return 1.0 - value / base if base else math.nan


def _swept(sweep: Any) -> str:
    """Return the parameter that has several values, or the only one there is."""
    points = [row.parameters for row in (*sweep.rows, *sweep.failures)]
    names = sweep.settings.parameters
    several = [name for name in names if len({point[name] for point in points}) > 1]
    if not sweep.rows:
        raise ValueError("there is nothing to draw yet: no point has been solved")
    if not names:
        raise ValueError(f"{sweep.settings.model} has no parameter to draw its levels against")
    if len(several) > 1:
        raise ValueError(
            f"a figure has one axis for parameters; {' and '.join(several)} have several values here"
        )
    return (several or [names[0]])[0]


def _curves(sweep: Any, along: str) -> tuple[list[float], dict[float, list[float]]]:
    """Places on the axis, and the values of each level there; nan where it has none."""
    places = sorted({row.coordinates[along] for row in (*sweep.rows, *sweep.failures)})
    values = {(row.level, row.coordinates[along]): row.value for row in sweep.rows}
    levels = sorted({level for level, _ in values})
    return places, {
        level: [values.get((level, place), math.nan) for place in places] for level in levels
    }


def _level_styles(levels: list[float], reference: float) -> dict[float, dict[str, Any]]:
    """The reference dashed in grey, the first level above in orange, the others ever darker blue."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("levels", (ORANGE, "#56b4e9", BLUE, "#00293f"))
    others = [level for level in levels if level != reference]
    styles: dict[float, dict[str, Any]] = {reference: {"color": GREY, "linestyle": "--"}}
    for index, level in enumerate(others):
        styles[level] = {"color": shades(index / max(len(others) - 1, 1))}
    return styles


def _sweep_title(sweep: Any, along: str) -> str:
    fixed = {k: v for k, v in sweep.rows[0].coordinates.items() if k != along}
    parameters = (rf"$\{name} = {value:g}$" for name, value in fixed.items())
    return ", ".join([sweep.settings.model.upper(), *parameters])
