"""What pages are made of: HTML of formulas, steps, tables, figures and files to take away."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from widegap.show.derivations import step_latex

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from theory import Step

__all__ = [
    "figure",
    "files",
    "fold",
    "formula",
    "paragraph",
    "progress",
    "steps",
    "table",
    "without_progress",
]


_MANY = 20
"""Rows of a table that is not folded."""


def formula(latex: str) -> str:
    """A displayed formula, which marimo's own KaTeX sets; wide ones scroll."""
    return (
        '<div class="formula" tabindex="0">'
        f'<marimo-tex class="arithmatex">||[{escape(latex)}||]</marimo-tex></div>'
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>'


def fold(title: str, body: str, *, shown: bool = False) -> str:
    """HTML that folds and unfolds."""
    return f"<details{' open' * shown}><summary>{escape(title)}</summary>{body}</details>"


def steps(made: Iterable[Step]) -> str:
    """The steps of a derivation, folded."""
    return "".join(
        fold(f"{k}. {step.title}", paragraph(step.explanation) + formula(step_latex(step)))
        for k, step in enumerate(made, 1)
    )


def table(rows: Sequence[dict[str, Any]], caption: str) -> str:
    """Rows as a table; what is text on the left, numbers on the right."""

    def cell(value: Any) -> str:
        text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        return f'<td class="{"text" if isinstance(value, str) else "number"}">{escape(text)}</td>'

    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (rows[0] if rows else ()))
    body = "".join(f"<tr>{''.join(map(cell, row.values()))}</tr>" for row in rows)
    made = (
        f'<div class="wide" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    return made if len(rows) <= _MANY else fold(f"Table, {len(rows)} rows", made)


def figure(drawn: Figure, text: str) -> str:
    """A figure, with text for those who do not see it."""
    from matplotlib import rc_context

    from numerics.figures.style import STYLE

    stream = BytesIO()
    with rc_context(STYLE):
        drawn.savefig(stream, format="svg", metadata={"Date": None})
    return image(stream.getvalue(), text)


def image(svg: bytes, text: str) -> str:
    """A picture in SVG."""
    code = base64.b64encode(svg).decode("ascii")
    return f'<img class="figure" alt="{escape(text)}" src="data:image/svg+xml;base64,{code}">'


def files(*made: tuple[str, str]) -> str:
    """Links that save text under a name."""
    links = []
    for name, text in made:
        code = base64.b64encode(text.encode()).decode("ascii")
        href = f"data:application/octet-stream;base64,{code}"
        links.append(f'<a download="{escape(name)}" href="{href}">{escape(name)}</a>')
    return f'<p class="files">Take away: {" ".join(links)}</p>'


def without_progress(made: str, instead: str) -> str:
    """HTML with something else where `progress` stood."""
    return re.sub(r'<p class="progress".*?</p>', lambda _: instead, made)


def progress(fraction: float, what: str) -> str:
    """How far something is."""
    return (
        f'<p class="progress" role="status"><progress max="1" value="{fraction:.3f}"></progress> '
        f"{escape(what)}</p>"
    )
