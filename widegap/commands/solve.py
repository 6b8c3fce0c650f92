"""The command ``widegap solve``: thresholds and ground-state energies at all levels up to one."""

import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap import __version__
from widegap.arguments import (
    MAX_LEVEL,
    PARAMETERS,
    Integer,
    LevelOrLimit,
    build,
    distinct,
    output_file,
)
from widegap.commands.certify import certificate_target, certify_solution, write_certificate
from widegap.errors import Failure, deliver, emit, is_terminal, say
from widegap.options import alpha_option, kappa_option, model_argument

if TYPE_CHECKING:
    from numerics import Certificate, Solution
    from theory import Model

__all__ = ["solve"]

DEFAULT_DIGITS = 12
DOUBLE_DIGITS = 15
CERTIFIED_DIGITS = 300
MAX_DIGITS = 1000


@click.command(
    epilog="\b\nExamples:\n  widegap solve sbp --kappa 1 --level 7\n"
    "  widegap solve sbp --kappa 0.5 --level 4 --json\n"
    "  widegap solve sk --level inf"
)
@model_argument
@click.option(
    "--level",
    type=LevelOrLimit("--level", 1, MAX_LEVEL),
    required=True,
    metavar="R",
    help="Lifting level; 2 or more for capacities with binary x, else 1 or more; inf for the limit of all.",
)
@kappa_option
@alpha_option
@click.option(
    "--digits",
    type=Integer("--digits", 1, MAX_DIGITS),
    default=DEFAULT_DIGITS,
    metavar="N",
    help=f"Correct digits of the values, up to 1000. [default: {DEFAULT_DIGITS}]",
)
@click.option("--certify", is_flag=True, help="Prove bounds of the value at level R.")
@click.option(
    "--certificate",
    type=click.Path(),
    metavar="FILE",
    help="Write the certificate (with --certify); see `widegap certify --check`.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, and nothing else, to stdout.")
@click.option(
    "--plot",
    type=click.Path(),
    metavar="FILE",
    help="Draw the value against the level (png, svg, pdf); with --level inf the profile of the limit.",
)
def solve(
    model: str,
    level: Any,
    kappa: str | None,
    alpha: str | None,
    digits: int,
    certify: bool,
    certificate: str | None,
    as_json: bool,
    plot: str | None,
) -> None:
    """Find the thresholds or ground-state energies of MODEL at all levels up to R.

    For perceptrons with binary x level 2 is the satisfiability threshold alpha_c; higher levels approach
    the algorithmic one.
    """
    if certificate is not None and not certify:
        raise click.UsageError("--certificate goes with --certify")
    if certify and digits > CERTIFIED_DIGITS:
        raise click.UsageError(f"--certify proves up to {CERTIFIED_DIGITS} digits, got {digits}")
    distinct(plot=plot, certificate=certificate)
    if level == math.inf and certify:
        raise click.UsageError(
            "--certify proves bounds at one level; the limit is extrapolated, and no proof of it is known"
        )
    instance = build(model, {"kappa": kappa, "alpha": alpha})
    target = None if plot is None else _plot_target(plot, instance, level)
    certificate_file = certificate_target(certificate)
    for name in PARAMETERS:
        if getattr(getattr(instance, name, None), "is_symbol", False):
            raise click.UsageError(f"{model} needs a number: --{name}")
    if level == math.inf:
        source = click.get_current_context().get_parameter_source("digits")
        given = source is not click.core.ParameterSource.DEFAULT
        _solve_limit(instance, digits if given else None, as_json, target, plot)
        return
    solutions: list[Solution] = []
    proved: list[Certificate] = []
    failure = None

    def show() -> None:
        if as_json and solutions:
            emit(_document(solutions, proved, failure))
        elif solutions:
            emit(_report(solutions))

    def prove() -> None:
        proved.append(certify_solution(solutions[-1], max(digits, 5)))
        write_certificate(proved[0], certificate_file)
        if not as_json:
            emit(f"\nproved: {proved[0]}\n")

    def draw() -> None:
        from numerics.figures.levels import level_convergence
        from widegap.show.plots import write_figure

        assert target is not None
        write_figure(partial(level_convergence, solutions), target, str(plot))
        say(f"plot written to {plot}") if as_json else emit(f"plot written to {plot}\n")

    try:
        failure = _solve_levels(instance, level, digits, solutions)
    except KeyboardInterrupt:
        failure = Failure("interrupted")
        show()
        raise
    steps = [draw] if target is not None else []
    if failure is not None:
        deliver(show, partial(_fail, failure))
    elif not certify:
        deliver(show, *steps)
    elif as_json:
        # one document, with the proof in it or, if there is none, without
        try:
            deliver(prove)
        except (Failure, KeyboardInterrupt):
            show()
            raise
        deliver(show, *steps)
    else:
        deliver(show, prove, *steps)


def _solve_limit(
    model: "Model", digits: int | None, as_json: bool, target: Path | None, plot: str | None
) -> None:
    """Extrapolate the levels, and say what was reached where that is less than what was asked for."""
    from numerics import ConvergenceError, ResolutionError, limit
    from numerics.results import rounded_up
    from widegap.show.progress import LevelProgress

    if digits is not None and digits > DOUBLE_DIGITS:
        raise click.UsageError(
            f"the limit of the levels is extrapolated, to 10 digits at best; --digits {digits} is for a level"
        )
    progress = LevelProgress()
    try:
        with progress:
            result = limit(model, progress=progress.update)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except (ConvergenceError, ResolutionError) as error:
        raise Failure(str(error)) from error

    def show() -> None:
        if as_json:
            document = {"version": __version__, **result.to_dict()}
            emit(json.dumps(document, indent=2, allow_nan=False) + "\n")
        else:
            emit(f"{result}\n")

    def draw() -> None:
        from numerics.figures.profiles import profile
        from widegap.show.plots import write_figure

        assert target is not None
        if len(result.c) < 2:
            raise Failure(f"--plot draws a profile, and {model} has none: {result.reason}")
        write_figure(partial(profile, result), target, str(plot))
        say(f"plot written to {plot}") if as_json else emit(f"plot written to {plot}\n")

    steps = [draw] if target is not None else []
    if digits is not None and digits > result.digits:
        short = Failure(
            f"{digits} digits were asked for, but the limit is known to {result.digits}: its error is "
            f"{rounded_up(result.error)}"
        )
        steps.append(partial(_fail, short))
    deliver(show, *steps)


def _fail(failure: Failure) -> None:
    raise failure


def _plot_target(plot: str, model: "Model", level: float) -> Path:
    """Check everything about a plot that can be known before the work begins."""
    from widegap.show.plots import SUFFIXES

    least = 2 if model.is_finite else 3
    if level < least:
        raise click.UsageError(
            f"--plot draws how {'alpha' if model.problem == 'capacity' else 'xi'} changes with the level: it "
            f"needs --level >= {least}"
        )
    return output_file("--plot", plot, SUFFIXES)


def _solve_levels(
    model: "Model", level: int, digits: int, solutions: "list[Solution]"
) -> Failure | None:
    """Solve all levels up to `level`, with live progress on a terminal, as far as they converge."""
    from numerics import ConvergenceError, ResolutionError, lowest_level, solve_levels
    from widegap.show.progress import LevelProgress

    progress = LevelProgress()
    try:
        # checks its input here; whatever comes later is not the input's fault
        wanted = range(min(lowest_level(model), level), level + 1)
        solve_levels(model, [level], digits=digits)  # checks the digits and computes nothing
        levels = solve_levels(model, wanted, digits=digits, progress=progress.update)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        with progress:
            for solution in levels:
                solutions.append(solution)
    except ConvergenceError as error:
        best = ", ".join(
            f"{name} = {float(value):.12g}"
            for name, value in error.best.items()
            if math.isfinite(value)
        )
        norm = f"; gradient norm {error.gradient_norm:.3g}" * math.isfinite(error.gradient_norm)
        return Failure(f"{error}; best point: {best or 'none'}{norm}")
    except ResolutionError as error:
        return Failure(str(error))
    except MemoryError:
        return Failure(
            f"not enough memory for level {solutions[-1].level + 1 if solutions else level}"
        )
    return None


def _document(
    solutions: "list[Solution]", proved: "list[Certificate]", failure: Failure | None
) -> str:
    """Everything a program may want to know, as JSON."""
    from widegap.show import tables

    model = solutions[0].model
    gap = solutions[0].value - solutions[-1].value
    document: dict[str, Any] = {
        "version": __version__,
        "model": model.name,
        "parameters": {str(name): str(value) for name, value in model.parameters.items()},
        "levels": [solution.to_dict() for solution in solutions],
        "gap": float(gap) if abs(gap) < sys.float_info.max else str(gap),
        "ordering_changed_at": tables.ordering_changes(solutions),
        "failure": None if failure is None else failure.message,
    }
    if proved:
        document["certificate"] = json.loads(proved[0].to_json())
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _report(solutions: "list[Solution]") -> str:
    """Everything a person may want to know, as text."""
    import shutil

    from widegap.show import tables

    parts: list[Any] = [
        tables.legend(solutions),
        tables.summary_table(solutions),
    ]
    if any(solution.order_parameters for solution in solutions):
        parts.append(tables.order_parameter_table(solutions))
    parts += [
        line for line in (tables.ordering_line(solutions), tables.gap_line(solutions)) if line
    ]
    return tables.render(
        *parts,
        terminal=is_terminal(sys.stdout),
        width=shutil.get_terminal_size().columns,
    )
