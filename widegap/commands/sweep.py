"""The command ``widegap sweep``: many points into one file.

As in :mod:`widegap.cli`, everything heavy is imported when the input has been looked at.
"""

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import MAX_POINTS, PARAMETERS, Integer, Levels, Values, build
from widegap.errors import Failure, emit
from widegap.options import model_argument, one_place, resumable_options

if TYPE_CHECKING:
    from numerics import Sweep, SweepFailure
    from theory import Model

__all__ = ["models_of", "summary", "sweep"]

DEFAULT_DIGITS = 12
_SHOWN_FAILURES = 10


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap sweep sbp --kappa 0.5:2:0.05 --levels 2:6 --out run.sqlite\n"
    "  widegap sweep sbp --kappa 0.5:2:0.25 --levels 2:4,inf --out limits.sqlite\n"
    "  widegap sweep sbp --kappa 0.5:2:0.05 --levels 2:6 --out run.sqlite --resume \\\n"
    "      --scheduler tcp://host:8786"
)
@model_argument
@click.option(
    "--kappa",
    type=Values("--kappa"),
    metavar="A:B:STEP",
    help="Margins from A to B, exactly as written (0.3 or 3/10), B included when it is hit. Or one margin.",
)
@click.option(
    "--alpha",
    type=Values("--alpha"),
    metavar="A:B:STEP",
    help="Densities m/n, for models that have them as a parameter.",
)
@click.option(
    "--levels",
    type=Levels("--levels"),
    required=True,
    metavar="A:B",
    help="Lifting levels from A to B, or one level; A:B,inf or inf for the limit of all, a minute each.",
)
@resumable_options("point")
@click.option("--retry", is_flag=True, help="With --resume: try points again that failed.")
@click.option(
    "--digits",
    type=Integer("--digits", 1, 1000),
    default=DEFAULT_DIGITS,
    metavar="N",
    help=f"Correct digits asked for. [default: {DEFAULT_DIGITS}]",
)
def sweep(
    model: str,
    levels: tuple[float, ...],
    out: str,
    resume: bool,
    retry: bool,
    digits: int,
    workers: int | None,
    scheduler: str | None,
    **values: tuple[Fraction, ...] | None,
) -> None:
    """Solve MODEL at many points, several levels each.

    Points are spread over processes of this machine or of a Dask cluster. Each one is in FILE for
    good as soon as it is finished: a sweep that is killed loses no more than the points it was
    working on, and --resume goes on from there. Points that do not converge are kept as failed.
    """
    if retry and not resume:
        raise click.UsageError("--retry is about the failures in an existing file: add --resume")
    one_place(workers, scheduler)
    models = models_of(model, {name: given for name, given in values.items() if given is not None})
    progress, stored = _run(models, levels, out, resume, retry, digits, workers, scheduler)
    from numerics.runs.sweeps import missing

    failures = missing(stored, models, levels)
    emit(summary(stored, len(models), progress.before, failures, levels, out))
    if failures:
        raise Failure(
            f"{len(failures)} of {len(models)} points failed; --resume --retry tries them again"
        )


def models_of(name: str, values: Mapping[str, tuple[Fraction, ...]]) -> "list[Model]":
    """Make the models of a sweep.

    Parameters
    ----------
    name
        The model's name on the command line.
    values
        The values that each parameter takes.

    Returns
    -------
    list of theory.Model
        One for each combination of values.

    Raises
    ------
    click.UsageError
        If there are too many of them, if the model has no such parameter or needs another, or if
        a value is outside its domain.
    """
    total = math.prod(map(len, values.values()))
    if total > MAX_POINTS:
        raise click.UsageError(f"a sweep may have at most {MAX_POINTS} points, got {total}")
    import sympy

    models = [
        build(name, dict(zip(values, point, strict=True)))
        for point in itertools.product(*values.values())
    ]
    for parameter in PARAMETERS:
        if isinstance(getattr(models[0], parameter, None), sympy.Symbol):
            raise click.UsageError(f"{name} needs --{parameter} A:B:STEP")
    return models


def _run(
    models: "list[Model]",
    levels: tuple[float, ...],
    out: str,
    resume: bool,
    retry: bool,
    digits: int,
    workers: int | None,
    scheduler: str | None,
) -> "tuple[Any, Sweep]":
    """Do the sweep, with live progress on a terminal."""
    from numerics import SweepFileError
    from numerics import sweep as run_sweep
    from numerics.runs.store import check_sweep_file
    from numerics.runs.sweeps import sweep_settings
    from widegap.running import resumable

    try:
        # all that can be known before a scheduler is asked for; what comes later is not the input's fault
        settings = sweep_settings(models, levels, digits)
        check_sweep_file(out, settings, resume=resume)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with resumable(out, scheduler, "points", SweepFileError) as (progress, executor):
        stored = run_sweep(
            models,
            levels,
            out=out,
            executor=executor,
            workers=workers,
            resume=resume,
            retry=retry,
            digits=digits,
            progress=progress.update,
        )
    return progress, stored


def summary(
    stored: "Sweep",
    total: int,
    before: int,
    failures: "list[SweepFailure]",
    levels: tuple[float, ...],
    out: str,
) -> str:
    """Say in a few lines what became of a sweep.

    Parameters
    ----------
    stored
        What its file holds.
    total
        Number of points asked for.
    before
        How many of them were in the file already.
    failures
        Those that failed.
    levels
        Levels asked for.
    out
        Name of the file.

    Returns
    -------
    str
        Lines, each with its end.
    """
    finite = [level for level in levels if level != math.inf]
    where = f"level {finite[0]}" if finite else "the limit of all levels"
    if len(finite) > 1:
        where = f"levels {finite[0]} to {finite[-1]}"
    if finite and len(finite) < len(levels):
        where += " and the limit of all"
    points = "1 point" if total == 1 else f"{total} points"
    lines = [
        f"{stored.settings.model}, {points}, {where}: {total - before} computed now, "
        f"{before} there before, {len(failures)} failed"
    ]
    for failure in failures[:_SHOWN_FAILURES]:
        point = ", ".join(f"{name} = {value}" for name, value in failure.parameters.items())
        lines.append(f"failed at {point or 'its only point'}: {' '.join(failure.message.split())}")
    if len(failures) > _SHOWN_FAILURES:
        more = len(failures) - _SHOWN_FAILURES
        lines.append(f"and {more} more in the table 'failures' of {out}")
    lines.append(f"{len(stored)} thresholds in {out}")
    return "\n".join(lines) + "\n"
