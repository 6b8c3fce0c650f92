"""Plots of a report as inline SVG that takes its colours and its font from the page around it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from verify.suite.verdicts import Curve, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["svg"]

# Drawn in a colour that nothing else has, and replaced by the page's own colour of text.
_INK = "#010203"
# Okabe and Ito's colours, told apart by every kind of colour vision, on white and on black.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999933")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def svg(plot: Plot, name: str) -> str:
    """Draw a plot.

    Parameters
    ----------
    plot : Plot
    name : str
        Identifier on the page; every identifier inside the figure begins with it.

    Returns
    -------
    str
        An ``<svg>`` element with title, to be put into HTML. The same plot gives the same text.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {**_SETTINGS, "svg.hashsalt": name}
    with rc_context(settings):
        figure = Figure(figsize=(4.6, 2.9), layout="constrained", facecolor="none")
        axes = figure.subplots()
        axes.set_facecolor("none")
        _draw(axes, plot)
        stream = StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    return _embedded(stream.getvalue(), plot.title, name)


def _draw(axes: Axes, plot: Plot) -> None:
    for k, curve in enumerate(map(_numbers, plot.curves)):
        look = {
            "color": _COLOURS[k % len(_COLOURS)],
            "label": curve.label,
            "linestyle": "none" if curve.style == "points" else "-",
            "marker": None if curve.style == "line" else _MARKERS[k % len(_MARKERS)],
        }
        if curve.errors:
            axes.errorbar(curve.x, curve.y, yerr=curve.errors, capsize=2.5, **look)
        else:
            axes.plot(curve.x, curve.y, **look)
    for k, (label, value) in enumerate(plot.references.items()):
        style = ("--", ":", "-.")[k % 3]
        axes.axhline(value, color=_INK, linewidth=1.0, linestyle=style, label=label)
    if plot.log:
        axes.set_yscale("log")
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    xs = [x for curve in map(_numbers, plot.curves) for x in curve.x if math.isfinite(x)]
    if xs and all(x == int(x) for x in xs) and max(xs) - min(xs) <= 12:
        axes.set_xticks(sorted({int(x) for x in xs}))
    if len(plot.curves) + len(plot.references) > 1:
        axes.legend(loc="best")


def _numbers(curve: Curve) -> Curve:
    """A curve whose numbers are floats: JSON has none that is not finite, and says null."""
    x, y, errors = (
        tuple(math.nan if v is None else float(v) for v in values)
        for values in (curve.x, curve.y, curve.errors)
    )
    return replace(curve, x=x, y=y, errors=errors)


def _embedded(text: str, title: str, name: str) -> str:
    """The drawing alone, scalable, with unique identifiers and a text for those who do not see it."""
    from html import escape

    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(_INK, "currentColor")
    text = re.sub(r'(id="|href="#|url\(#)', rf"\1{name}-", text)
    text = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    label = escape(title, quote=True)
    head = f'<svg role="img" aria-label="{label}" class="plot" '
    return head + text[len("<svg ") :].strip()
