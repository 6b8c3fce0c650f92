"""Results of the subjects: the options of the commands that show them, and how they are shown."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap import __version__
from widegap.arguments import output_file
from widegap.errors import deliver, emit, say

if TYPE_CHECKING:
    from numerics.results import Result

__all__ = ["handed_over", "result_options", "show"]

_TAKEN: "ContextVar[list[tuple[Result, str]] | None]" = ContextVar("_TAKEN", default=None)


@contextmanager
def handed_over() -> "Iterator[list[tuple[Result, str]]]":
    """Hand results and their notes over to a program that runs a command, which then writes nothing."""
    taken: list[tuple[Result, str]] = []
    token = _TAKEN.set(taken)
    try:
        yield taken
    finally:
        _TAKEN.reset(token)


def result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command that shows a result: --json and --plot, as ``as_json`` and ``plot``."""
    for option in (
        click.option(
            "--plot",
            type=click.Path(),
            callback=_checked,
            metavar="FILE",
            help="Draw it (png, svg, pdf).",
        ),
        click.option(
            "--json", "as_json", is_flag=True, help="Write JSON, and nothing else, to stdout."
        ),
    ):
        command = option(command)
    return command


def _checked(ctx: click.Context, param: click.Parameter, plot: str | None) -> str | None:
    """Look at a plot's name before there is any work."""
    if plot is not None:
        _target(plot)
    return plot


def _target(plot: str) -> Path:
    from widegap.show.plots import SUFFIXES

    return output_file("--plot", plot, SUFFIXES)


def show(result: "Result", as_json: bool, plot: str | None, note: str = "") -> None:
    """Write a result as a table or as JSON, and draw it where that is asked for.

    Parameters
    ----------
    result
        What is shown.
    as_json, plot
        As given to the command.
    note
        Lines below the table, for people.
    """
    if (taken := _TAKEN.get()) is not None:
        taken.append((result, note.strip()))
        return

    def write() -> None:
        if as_json:
            emit(json.dumps({"version": __version__, **result.to_dict()}, allow_nan=False) + "\n")
        else:
            emit(f"{result}\n{note}{chr(10) * bool(note)}")

    def draw() -> None:
        from widegap.show.plots import write_figure

        assert plot is not None
        write_figure(result.plot, _target(plot), plot)
        say(f"plot written to {plot}")

    deliver(write, *([draw] if plot is not None else []))
