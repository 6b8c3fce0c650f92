"""Figures of the order parameters of one point: the profile that many liftings draw."""

from typing import TYPE_CHECKING, Any

from .style import BLUE, ORANGE, STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = ["profile"]


def profile(result: Any, title: str | None = None) -> "Figure":
    """Draw the order parameters of a solution, or of a limit's highest level, against its exponents.

    One panel shows 1 - p_k, one Q_k (or 1 - q_k of a ground state), both on logarithmic scales; of a limit
    a third one shows by how much each level misses it.

    Parameters
    ----------
    result : numerics.Solution or numerics.Limit
        With at least two exponents.
    title
        Text above the figure; by default the model and the value.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no two exponents to draw against.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    finite = result.model.is_finite
    exponents = [float(x) for x in result.c]
    if len(exponents) < 2:
        raise ValueError(
            f"a profile needs two exponents or more, {result.model} has {len(exponents)}"
        )
    name = "c_k" if finite else "s_k"
    panels: list[tuple[str, Sequence[float]]] = []
    if result.p:
        panels.append((r"$1 - p_k$", [1.0 - float(x) for x in result.p]))
    if result.q:
        label, values = (r"$1 - q_k$", [1.0 - float(x) for x in result.q])
        if not finite:
            label, values = r"$Q_k$", [float(x) for x in result.q]
        panels.append((label, values))
    misses = [] if not hasattr(result, "levels") else _misses(result)  # of a limit
    with rc_context(STYLE):
        count = len(panels) + bool(misses)
        figure = Figure(figsize=(5.4, 2.2 * count + 0.6), layout="constrained")
        axes = figure.subplots(count, 1, squeeze=False)[:, 0]
        for ax, (label, values) in zip(axes, panels, strict=False):
            _against_exponents(ax, exponents, values, label, name)
        if misses:
            _against_levels(axes[-1], misses, float(result.error))
        symbol = r"\alpha" if result.model.problem == "capacity" else r"\xi"
        default = f"{result.model}: ${symbol} = {float(result.value):.9g}$"
        figure.suptitle(default if title is None else title, fontsize=11)
    return figure


def _against_exponents(
    ax: "Axes", exponents: "Sequence[float]", values: "Sequence[float]", label: str, name: str
) -> None:
    """One kind of overlap; a quenched average, of exponent 0, has no place on a logarithmic scale."""
    drawn = [(s, v) for s, v in zip(exponents, values, strict=False) if v > 0.0]
    ax.plot(*zip(*drawn, strict=True), "o-", color=BLUE)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(f"${name}$")
    ax.set_ylabel(label)


def _misses(limit: "Any") -> list[tuple[int, float]]:
    """Level and distance to the limit."""
    pairs = zip(limit.levels, limit.values, strict=True)
    return [(level, abs(value - limit.value)) for level, value in pairs]


def _against_levels(ax: "Axes", misses: list[tuple[int, float]], error: float) -> None:
    """Distance of every level to the limit, whose error is a band."""
    ax.plot(*zip(*misses, strict=True), "s-", color=ORANGE)
    ax.axhspan(0.0, error, color=ORANGE, alpha=0.15, label="error of the limit")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("level r")
    ax.set_ylabel("distance to the limit")
    ax.legend()
