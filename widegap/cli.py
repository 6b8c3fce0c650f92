"""The command line: ``widegap derive`` and ``widegap solve``.

Start-up is kept light on purpose: sympy, numpy, numba, rich and matplotlib are imported inside the
commands that need them, after the input has been looked at as far as possible without them.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap import __version__
from widegap.errors import Failure, OneLineGroup, emit

if TYPE_CHECKING:
    from numerics import Solution
    from theory import Model

__all__ = ["cli"]

MODELS = {"sbp": "SBP"}
"""Names on the command line, and the class of :mod:`theory` each one stands for."""

FORMATS = ("text", "latex", "python")
DEFAULT_DIGITS = 12


class OneOf(click.ParamType):
    """A choice among names, whose error says what there is to choose from."""

    def __init__(self, kind: str, names: tuple[str, ...]) -> None:
        self.name = kind
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept one of the names, in any case."""
        if value.lower() not in self.names:
            raise click.UsageError(
                f"unknown {self.name} {value!r}; choose from {', '.join(self.names)}"
            )
        return value.lower()


class Integer(click.ParamType):
    """An integer not below a bound, whose error repeats what was given."""

    name = "integer"

    def __init__(self, what: str, least: int) -> None:
        self.what = what
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the integer."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or number < self.least:
            raise click.UsageError(f"{self.what} is an integer >= {self.least}, got {value!r}")
        return number


@click.group(
    cls=OneLineGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="widegap")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Derive and solve computational gaps of wide neural networks.

    widegap derives the capacity functional of a model at a level of fully lifted random duality
    theory, and finds its stationary value: the threshold alpha = m/n of that level.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


model_argument = click.argument("model", type=OneOf("model", tuple(MODELS)), metavar="MODEL")
level_option = click.option(
    "--level",
    type=Integer("--level", 2),
    required=True,
    metavar="R",
    help="Lifting level, 2 or more.",
)


@cli.command(
    epilog="\b\nExamples:\n  widegap derive sbp --level 3\n"
    "  widegap derive sbp --level 4 --format latex --steps"
)
@model_argument
@level_option
@click.option(
    "--kappa", metavar="K", help="Margin, exactly as written (0.3 is 3/10). [default: symbolic]"
)
@click.option(
    "--format",
    "output_format",
    type=OneOf("format", FORMATS),
    default="text",
    metavar="|".join(FORMATS),
    help="Plain text, LaTeX, or a runnable Python module. [default: text]",
)
@click.option("--steps", is_flag=True, help="Show how the functional is derived, step by step.")
def derive(model: str, level: int, kappa: str | None, output_format: str, steps: bool) -> None:
    """Derive alpha(p, Q, s), the capacity functional of MODEL at a level.

    MODEL is sbp, the symmetric binary perceptron |Gx| <= kappa.
    """
    if steps and output_format == "python":
        raise click.UsageError("--steps explains a formula and cannot go with --format python")
    instance = _build(model, kappa)
    from theory import free_energy

    energy = free_energy(instance, level)
    if steps:
        from widegap.derivations import steps_text

        emit(steps_text(energy, output_format) + "\n")
    emit(getattr(energy, output_format)().rstrip("\n") + "\n")


@cli.command(
    epilog="\b\nExamples:\n  widegap solve sbp --kappa 1 --level 7\n"
    "  widegap solve sbp --kappa 0.5 --level 4 --json"
)
@model_argument
@level_option
@click.option(
    "--kappa", required=True, metavar="K", help="Margin, exactly as written (0.3 is 3/10)."
)
@click.option(
    "--digits",
    type=Integer("--digits", 1),
    default=DEFAULT_DIGITS,
    metavar="N",
    help=f"Correct digits of alpha asked for. [default: {DEFAULT_DIGITS}]",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, and nothing else, to stdout.")
@click.option(
    "--plot",
    type=click.Path(),
    metavar="FILE",
    help="Draw alpha against the level (png, svg, pdf).",
)
def solve(model: str, level: int, kappa: str, digits: int, as_json: bool, plot: str | None) -> None:
    """Find the thresholds of MODEL at levels 2 to R.

    MODEL is sbp, the symmetric binary perceptron |Gx| <= kappa. Level 2 is the satisfiability
    threshold alpha_c; higher levels approach the algorithmic one.
    """
    target = None if plot is None else _plot_target(plot, level)
    solutions, failure = _solve_levels(_build(model, kappa), level, digits)
    if failure is not None:
        if solutions and not as_json:
            emit(_report(solutions))
        raise failure
    if target is not None:
        from widegap.plots import level_convergence, save

        try:
            save(level_convergence(solutions), target)
        except OSError as error:
            raise Failure(f"cannot write {plot}: {error}") from error
    if as_json:
        emit(json.dumps(_document(solutions), indent=2, allow_nan=False) + "\n")
    else:
        emit(_report(solutions))
    if target is not None:
        click.echo(f"plot written to {plot}", err=as_json)


def _build(model: str, kappa: str | None) -> "Model":
    """Make the model, or say in one line what is wrong with its parameters."""
    import theory

    try:
        return getattr(theory, MODELS[model])(kappa)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def _plot_target(plot: str, level: int) -> Path:
    """Check everything about a plot that can be known before the work begins."""
    from widegap.files import check_writable
    from widegap.plots import SUFFIXES

    if level < 3:
        raise click.UsageError(
            "--plot draws how alpha changes with the level: it needs --level >= 3"
        )
    if Path(plot).suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--plot needs a name ending in {', '.join(SUFFIXES)}, got {plot!r}")
    try:
        return check_writable(plot)
    except OSError as error:
        raise click.UsageError(f"cannot write --plot {plot}: {error}") from error


def _solve_levels(
    model: "Model", level: int, digits: int
) -> "tuple[list[Solution], Failure | None]":
    """Solve levels 2 to `level`, with live progress on a terminal, as far as they converge."""
    from numerics import ConvergenceError, ResolutionError, solve_levels
    from widegap.progress import LevelProgress

    solutions: list[Solution] = []
    progress = LevelProgress()
    try:
        # checks its input here; whatever comes later is not the input's fault
        levels = solve_levels(model, range(2, level + 1), digits=digits, progress=progress.update)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        with progress:
            for solution in levels:
                solutions.append(solution)
    except ConvergenceError as error:
        best = ", ".join(f"{name} = {value:.12g}" for name, value in error.best.items())
        return solutions, Failure(
            f"{error}; best point: {best or 'none'}; gradient norm {error.gradient_norm:.3g}"
        )
    except ResolutionError as error:
        return solutions, Failure(str(error))
    return solutions, None


def _document(solutions: "list[Solution]") -> dict[str, Any]:
    """Everything a program may want to know, ready for JSON."""
    model = solutions[0].model
    return {
        "version": __version__,
        "model": model.name,
        "parameters": {str(name): str(value) for name, value in model.parameters.items()},
        "levels": [solution.to_dict() for solution in solutions],
        "gap": float(solutions[0].value - solutions[-1].value),
    }


def _report(solutions: "list[Solution]") -> str:
    """Everything a person may want to know, as text."""
    import shutil

    from widegap import tables

    parts: list[Any] = [
        "alpha = m/n, natural logarithms; inertia counts negative Hessian eigenvalues.",
        tables.summary_table(solutions),
    ]
    if any(solution.order_parameters for solution in solutions):
        parts.append(tables.order_parameter_table(solutions))
    parts.append(tables.gap_line(solutions))
    return tables.render(
        *parts,
        terminal=sys.stdout.isatty(),
        width=shutil.get_terminal_size().columns,
    )
