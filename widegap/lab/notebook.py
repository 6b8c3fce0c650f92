"""What the notebooks have in common: the way from page to page, and cells that follow a task."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from html import escape
from typing import Any

import marimo as mo

from widegap.lab import page
from widegap.lab.worker import Desk
from widegap.subjects import LAWS

__all__ = ["choice", "follow", "navigation", "slider", "stop_button", "subject_links"]

PAGES = {
    "/": "A model",
    "/network/": "A network",
    "/subjects/": "A subject",
    "/claims/": "Claims",
}
_PAUSE = 0.2
"""Seconds between two views of something that changes."""


def navigation(here: str) -> mo.Html:
    """The name of the lab and links to its pages."""
    return mo.Html(
        f'<nav aria-label="Pages"><strong>widegap lab</strong>{_links(PAGES.items(), here)}</nav>'
    )


def subject_links(here: str) -> mo.Html:
    """Links to the pages of the subjects."""
    pages = ((f"/subjects/?subject={name}", name) for name in LAWS)
    return mo.Html(
        f'<nav aria-label="Subjects">{_links(pages, f"/subjects/?subject={here}")}</nav>'
    )


def _links(pages: Any, here: str) -> str:
    return "".join(
        f'<a href="{path}"{" aria-current=page" * (path == here)}>{escape(name)}</a>'
        for path, name in pages
    )


def slider(values: Sequence[float], start: float, label: str) -> mo.ui.slider:
    """A slider through some values, which is heard when it is let go."""
    return mo.ui.slider(
        steps=values, value=start, label=label, show_value=True, debounce=True, full_width=True
    )


def choice(options: Sequence[str] | dict[str, str], label: str, start: str = "") -> mo.ui.dropdown:
    """A choice among some words; the first one, if no other is to be the start."""
    first = start or next(iter(options), None)
    return mo.ui.dropdown(options, value=first, label=label, full_width=True)


def stop_button(*desks: Desk) -> mo.ui.button:
    """A button that ends what desks are doing; it has to have a name in the notebook to be heard."""

    def stop(_: object) -> None:
        for desk in desks:
            desk.stop()

    return mo.ui.button(label="Stop", on_click=stop)


def follow(desk: Desk, task: Callable[..., str], *given: Any) -> None:
    """Show what a task tells, and its result, in the cell that calls this; at once if it is known."""
    known = desk.known(task, *given)
    if known is not None:
        desk.stop()
        mo.output.replace(mo.Html(known))
        return
    mo.output.replace(mo.Html(page.progress(0.0, "begins")))
    mo.Thread(target=_follow, args=(desk.run(task, *given),), daemon=True).start()


def _follow(views: Generator[str]) -> None:
    thread = mo.current_thread()
    text, shown, then = "", "", 0.0
    with closing(views):
        for text in views:
            if thread.should_exit:  # its cell has been run anew, or the page is gone
                return
            if time.monotonic() - then > _PAUSE:
                mo.output.replace(mo.Html(text))
                shown, then = text, time.monotonic()
    if thread.should_exit:
        return
    stopped = page.paragraph("Stopped.", "note")
    text = page.without_progress(text, stopped) if text else stopped
    if text != shown:
        mo.output.replace(mo.Html(text))
