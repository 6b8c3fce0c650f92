"""Phase diagrams to zoom and to point at, drawn with bokeh from numbers that are kept.

``docs/_data/thresholds.csv`` is made by ``python docs/_ext/phases.py``, of sweeps that are kept in
``build/sweeps`` and resume (some minutes); the limits are those of the table of record. bokeh's JavaScript
comes from its package and is part of the page, which asks nothing of the network. The directives are in
`diagrams`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure

DATA = Path(__file__).parents[1] / "_data" / "thresholds.csv"
COLUMNS = ("model", "kappa", "level", "value", "error", "branch")

Margins = tuple[str, ...]


def _tenths(first: int, last: int) -> Margins:
    return tuple(str(Fraction(k, 10)) for k in range(first, last + 1))


SWEEPS: tuple[tuple[str, Margins, tuple[int, ...]], ...] = (
    ("sbp", ("1/100", "1/50", "1/20", *_tenths(1, 30)), (2, 3, 4, 5)),
    ("abp", _tenths(-15, 15), (2, 3, 4)),
    ("spherical", _tenths(-10, 20), (1, 2, 3)),
)
"""Models with their margins and levels; the limits of all levels are the table of record's."""

NAMES = {"sbp": "symmetric", "abp": "binary", "spherical": "spherical"}
COLOURS = {"sbp": "#0072b2", "abp": "#d55e00", "spherical": "#009e73"}
DASHES = ("solid", "dashed", "dotdash", "dotted")
_ACROSS, _DOWN = 59, 41


def compute(folder: Path) -> None:
    """Do all sweeps, into files of a folder, and write their rows."""
    from numerics import sweep
    from numerics.results import rounded_up
    from theory import model_named

    folder.mkdir(parents=True, exist_ok=True)
    lines: list[tuple[object, ...]] = [COLUMNS]
    for name, margins, levels in SWEEPS:
        models = [model_named(name, {"kappa": kappa}) for kappa in margins]
        out = folder / f"{name}.sqlite"
        rows = sweep(models, levels, out=out, resume=out.exists(), progress=print)
        for row in sorted(rows, key=lambda row: (row.level, row.coordinates["kappa"])):
            place = name, row.parameters["kappa"], int(row.level)
            lines.append((*place, repr(row.value), rounded_up(row.error), row.branch))
    DATA.parent.mkdir(exist_ok=True)
    with DATA.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


def curves() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Model, level and points of each curve; ``exact`` is the margin as it was asked for."""
    from verify.thresholds.record import read

    with DATA.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for entry in read().of(level="inf").entries:
        if entry["model"] in NAMES:
            kappa = entry["parameters"].partition("=")[2]
            rows.append(entry | {"kappa": kappa, "branch": entry["how"]})
    for (model, level), group in groupby(rows, key=lambda row: (row["model"], row["level"])):
        yield model, level, [_point(row) for row in group]


def _point(row: dict[str, str]) -> dict[str, Any]:
    from numerics.results import stated

    value, error = float(row["value"]), float(row["error"])
    recorded = row["level"] == "inf"
    told = (row["value"], row["error"]) if recorded else stated(value, error, 15)
    point = {"kappa": float(Fraction(row["kappa"])), "exact": row["kappa"], "branch": row["branch"]}
    return point | {
        "value": value,
        "low": value - error,
        "high": value + error,
        "text": " ± ".join(told),
    }


def thresholds() -> Figure:
    """Capacities against the margin, a curve for each model and level, with the law of small margins."""
    from bokeh.models import ColumnDataSource, Whisker

    figure = _figure("margin kappa", "density alpha = m/n", height=720, y_axis_type="log")
    drawn = []
    for model, level, rows in curves():
        source = ColumnDataSource({key: [row[key] for row in rows] for key in rows[0]})
        what = f"{NAMES[model]}, level {level.replace('inf', '∞')}"
        style = {"color": COLOURS[model], "legend_label": what}
        dash = DASHES[0] if level == "inf" else DASHES[-1 - int(level) % len(DASHES)]
        figure.line("kappa", "value", source=source, line_dash=dash, line_width=1.5, **style)
        filled = COLOURS[model] if level == "inf" else "white"
        dots = figure.scatter("kappa", "value", source=source, size=5, name=what, **style)
        dots.glyph.update(fill_color=filled)
        figure.add_layout(
            Whisker(base="kappa", lower="low", upper="high", source=source, level="annotation",
                    line_color=COLOURS[model], upper_head=None, lower_head=None)
        )  # fmt: skip
        drawn.append(dots)
    told = [("", "$name"), ("kappa", "@exact"), ("alpha", "@text"), ("", "@branch")]
    _hover(figure, drawn, told, {})
    kappas, alphas = _small_margins()
    figure.line(
        kappas,
        alphas,
        color="black",
        line_dash="dotted",
        legend_label="small margins",
    )
    figure.legend.click_policy = "hide"
    figure.legend.update(ncols=2, label_text_font_size="10pt", border_line_color=None)
    figure.add_layout(figure.legend[0], "below")
    return figure


def _small_margins() -> tuple[list[float], list[float]]:
    """Margin and density of kappa = C sqrt(alpha/(-log alpha)), where alpha is small."""
    from theory.thresholds.asymptotics import small_kappa_constant

    constant = float(small_kappa_constant(15).value)
    alphas = [10.0 ** (-k / 20) for k in range(20, 81)]
    return [constant * math.sqrt(alpha / -math.log(alpha)) for alpha in alphas], alphas


def order_and_chaos(activation: str) -> Figure:
    """Order and chaos of a deep perceptron: chi over its scales, with all that is known at each point."""
    import numpy as np
    from bokeh.models import LinearColorMapper

    from numerics import phase_diagram

    across, down = np.linspace(0.05, 2.95, _ACROSS), np.linspace(0.0, 2.0, _DOWN)
    found = phase_diagram(activation, across, down)
    kinds = ("variance", "chi", "correlation", "length")
    data = {kind: [getattr(found, kind)] for kind in kinds}
    data |= {f"{kind}_error": [error] for kind, error in zip(kinds, found.error, strict=True)}
    figure = _figure("sigma_w", "sigma_b", height=440, title=f"{activation}: order and chaos")
    wide, high = (step[1] - step[0] for step in (across, down))
    mapper = LinearColorMapper("RdBu11", low=0.0, high=2.0, nan_color="#dddddd")
    picture = figure.image(
        "chi", source=data, color_mapper=mapper,
        x=across[0] - wide / 2, y=down[0] - high / 2, dw=wide * _ACROSS, dh=high * _DOWN,
    )  # fmt: skip
    figure.add_layout(picture.construct_color_bar(title="chi"), "right")
    finite = np.nan_to_num(found.chi, nan=np.inf)
    if finite.min() < 1.0 < finite[np.isfinite(finite)].max():
        masked = np.ma.masked_invalid(found.chi)
        edge = figure.contour(across, down, masked, levels=[1.0], line_color="black")
        edge.line_renderer.glyph.line_width = 2
    told = [("sigma_w, sigma_b", "$x{0.000}, $y{0.000}")]
    told += [(kind, f"@{kind}{{%.6g}} ± @{kind}_error{{%.0e}}") for kind in kinds]
    formats = {f"@{kind}{end}": "printf" for kind in kinds for end in ("", "_error")}
    _hover(figure, [picture], told, formats)
    return figure


def _figure(x: str, y: str, **options: Any) -> Figure:
    from bokeh.plotting import figure

    made = figure(
        tools="pan,wheel_zoom,box_zoom,reset,save", active_drag="box_zoom", x_axis_label=x, y_axis_label=y,
        sizing_mode="stretch_width", **options,
    )  # fmt: skip
    made.toolbar.logo = None
    return made


def _hover(
    figure: Figure, renderers: list[Any], told: list[tuple[str, str]], formats: dict[str, str]
) -> None:
    from bokeh.models import HoverTool

    tool = HoverTool(
        renderers=renderers, tooltips=told, formatters=formats, point_policy="snap_to_data"
    )
    figure.add_tools(tool)


def html(figure: Figure, *, scripts: bool) -> str:
    """A figure as HTML; the first one of a page brings the scripts."""
    from bokeh.embed import components
    from bokeh.resources import Resources

    script, place = components(figure)
    brought = (
        Resources(mode="inline", components=["bokeh"], log_level="warn").render_js()
        if scripts
        else ""
    )
    # a legend that is wider than a phone is scrolled, not the page
    return f'{brought}<div style="overflow-x: auto">{place}</div>{script}'


if __name__ == "__main__":
    compute(Path("build/sweeps"))
