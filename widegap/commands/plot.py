"""The command ``widegap plot``: a picture of a sweep."""

from pathlib import Path

import click

from widegap.errors import emit, shown

__all__ = ["plot"]


@click.command(
    epilog="\b\nExamples:\n  widegap plot run.sqlite\n  widegap plot run.sqlite --out phase-diagram.pdf"
)
@click.argument("run", type=click.Path(), metavar="RUN")
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="The figure (png, svg, pdf). [default: beside RUN, as png]",
)
def plot(run: str, out: str | None) -> None:
    """Draw the thresholds of the sweep in the file RUN against its parameter.

    The sweep may still be going on.
    """
    from widegap.files import check_writable
    from widegap.show.plots import SUFFIXES

    if out is None and not Path(run).name:
        raise click.UsageError(f"{run!r} is not a file")
    target = str(Path(run).with_name(f"{Path(run).stem}.png")) if out is None else out
    if Path(target).suffix.lower() not in SUFFIXES:
        raise click.UsageError(
            f"--out needs a name ending in {', '.join(SUFFIXES)}, got {shown(target)}"
        )
    from numerics import SweepFileError, read_sweep

    try:
        sweep = read_sweep(run)
        place = check_writable(target)
    except SweepFileError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"cannot write {target}: {error}") from error
    if place == Path(run).resolve():
        raise click.UsageError(f"{run} is the sweep itself: give the figure another name")
    from numerics.figures.levels import phase_diagram
    from widegap.show.plots import write_figure

    try:
        figure = phase_diagram(sweep)
    except ValueError as error:
        raise click.UsageError(f"{run}: {error}") from error
    write_figure(lambda: figure, place, target)
    emit(f"plot written to {target}\n")
