"""The report for people: one HTML page with everything in it, for phones and large screens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from verify.suite.runner import Record
from verify.suite.verdicts import VERDICTS, Plot

from .drawing import svg
from .formats import Summary

__all__ = ["to_html"]

_LONG = 70


@dataclass(frozen=True)
class _Row:
    """One line of evidence: short ones are shown as text, long ones can be unfolded."""

    name: str
    text: str
    long: bool


def to_html(summary: Summary) -> str:
    """Write a run as one self-contained HTML page: no scripts, no fonts, nothing from elsewhere.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    str
        The page; the same run gives the same page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("verify.reports"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    records = sorted(summary.records, key=_first_the_worst)
    return environment.get_template("report.html").render(
        summary=summary,
        verdicts=VERDICTS,
        entries=[_entry(record) for record in records],
    )


def _first_the_worst(record: Record) -> tuple[bool, int]:
    """What needs attention comes first; otherwise the order of the run."""
    return record.as_expected, -VERDICTS.index(record.finding.verdict)


def _entry(record: Record) -> dict[str, Any]:
    value = record.finding.value
    return {
        "record": record,
        "claim": record.claim,
        "finding": record.finding,
        "value": "" if value is None else f"{value:.10g}",
        "evidence": [_row(str(k), v) for k, v in record.finding.evidence.items()],
        "plots": [
            (plot.title, *_drawn(plot, f"{record.claim.id}-{k}"))
            for k, plot in enumerate(record.finding.plots)
        ],
    }


def _drawn(plot: Plot, name: str) -> tuple[str, str]:
    """The drawing of a plot, or why there is none: whatever a claim hands over, the page is written."""
    try:
        return svg(plot, name), ""
    except Exception as error:
        return "", f"This figure could not be drawn: {type(error).__name__}: {error}"


def _row(name: str, content: Any) -> _Row:
    if isinstance(content, str):
        text = content
    elif isinstance(content, float):
        text = f"{content:.12g}"
    else:
        text = json.dumps(content, ensure_ascii=False)
        if len(text) > _LONG:
            text = json.dumps(content, indent=1, ensure_ascii=False)
    return _Row(name, text, len(text) > _LONG)
