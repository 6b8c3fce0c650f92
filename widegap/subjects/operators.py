"""Subject operators: errors of Fourier layers on linear equations, and the systems on two grids."""

from typing import Any

import click

from widegap import running
from widegap.arguments import MAX_COUNT, Integer, Integers, Number, OneOf
from widegap.errors import refusals
from widegap.options import resumable_options, seed_option
from widegap.show.results import result_options, show

__all__ = ["experiment", "solve"]

_EQUATION = ("equation", "set", "shift")
_USES = {
    "errors": (*_EQUATION, "grid", "features", "width", "decay", "target"),
    "conditioning": ("grid", "features"),
    "products": (*_EQUATION, "grid", "features"),
    "resolution": (*_EQUATION, "grid", "features", "decay", "grids"),
}
"""Options of each question."""
PARTS = ("linear", "burgers", "all")


def _values(given: tuple[str, ...]) -> dict[str, float]:
    values = {}
    for text in given:
        name, _, number = text.partition("=")
        if name.strip() in values:
            raise click.UsageError(f"--set {name.strip()} is given twice")
        values[name.strip()] = Number("--set NAME=VALUE").convert(number, None, None)
    return values


@click.command(
    "operators",
    epilog="\b\nExamples:\n"
    "  widegap solve operators errors --equation heat --set nu=0.01 --target 1e-3\n"
    '  widegap solve operators resolution --equation "0.01*D^2 - D/10" --grids 32,64,128',
)
@click.argument("question", type=OneOf("question", tuple(_USES)), metavar="|".join(_USES))
@click.option(
    "--equation",
    metavar="NAME|P(D)",
    help="heat, advection, dispersion, screened-poisson, poisson, wave, half-wave, or u_t = P(D) u with "
    "D = d/dx, such as 0.01*D^2 - D. [default: heat with nu=0.01]",
)
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="A parameter of it; t is 1."
)
@click.option("--shift", type=Number("--shift"), metavar="S", help="Instead: a shift by S cells.")
@click.option(
    "--grid", type=Integer("--grid", 4, 4096), default=64, metavar="N", help="Points. [default: 64]"
)
@click.option(
    "--features",
    type=Integer("--features", 1, 2048),
    metavar="N",
    help="Or modes: the most. [default: 24; 10]",
)
@click.option(
    "--width",
    type=Integer("--width", 1, MAX_COUNT),
    default=64,
    metavar="W",
    help="Channels. [default: 64]",
)
@click.option(
    "--decay",
    type=Number("--decay"),
    default=1.0,
    metavar="P",
    help="Inputs fall like k^-P. [default: 1]",
)
@click.option(
    "--target", type=Number("--target"), metavar="E", help="The smallest layers with this error."
)
@click.option(
    "--grids", type=Integers("--grids", 4096), default=(32, 64, 128, 256), metavar="N,N,..",
    help="Other grids. [default: 32,64,128,256]",
)  # fmt: skip
@result_options
def solve(question: str, as_json: bool, plot: str | None, **options: Any) -> None:
    """Errors of Fourier and amortised layers on a linear periodic equation.

    errors: against modes and features, or the smallest layers with --target. conditioning: of Chebyshev
    features on the grid. products: of sums of products of both axes. resolution: of a layer fitted on one
    grid and applied on others.
    """
    context = click.get_current_context()
    for name in options:
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        option = {"values": "set"}.get(name, name)
        if typed and option not in _USES[question]:
            takes = ", ".join(f"--{name}" for name in _USES[question])
            raise click.UsageError(f"--{option} is not for {question}, which takes {takes}")
    grid, features, decay = options["grid"], options["features"], options["decay"]
    with refusals():
        values = _values(options["values"])
        equation = options["equation"]
        if options["shift"] is not None:
            if equation is not None or values:
                raise click.UsageError(
                    "--shift is an equation, and goes with neither --equation nor --set"
                )
            from numerics.operators.symbols import shift_speed

            equation, values = "advection", {"c": shift_speed(options["shift"], grid)}
        if equation is None:
            equation, values = "heat", {"nu": 0.01, **values}
        result: Any
        if question == "errors":
            from numerics.operators.designs import designs

            result = designs(
                equation, values, grid=grid, decay=decay, width=options["width"], most=features,
                target=options["target"],
            )  # fmt: skip
        else:
            from numerics.operators import grids

            if question == "conditioning":
                result = grids.conditioning(features or 10, grid)
            elif question == "products":
                result = grids.rank_errors(equation, values, grid=grid, most=features or 8)
            else:
                result = grids.resolutions(
                    equation, values, options["grids"], trained=grid, n=features or 10, decay=decay
                )
    show(result, as_json, plot)


@click.command(
    "operators",
    epilog="\b\nExamples:\n"
    "  widegap experiment operators --out run.sqlite\n"
    "  widegap experiment operators --part linear --out run.sqlite --resume --plot run.png",
)
@click.option(
    "--part",
    type=OneOf("part", PARTS),
    default="all",
    metavar="|".join(PARTS),
    help="[default: all]",
)
@click.option(
    "--draws", type=Integer("--draws", 1, 1000), default=8, metavar="N",
    help="Networks of each kind on Burgers. [default: 8]",
)  # fmt: skip
@click.option(
    "--width", type=Integer("--width", 1, 256), default=8, metavar="W",
    help="Channels on Burgers. [default: 8]",
)  # fmt: skip
@click.option(
    "--steps", type=Integer("--steps", 1, MAX_COUNT), default=500, metavar="N",
    help="Updates on Burgers. [default: 500]",
)  # fmt: skip
@resumable_options("case")
@seed_option("Data and networks")
@result_options
def experiment(
    part: str,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    plot: str | None,
    **options: Any,
) -> None:
    """Fit layers to linear equations, train networks on viscous Burgers, and apply them on two grids.

    Relative errors on fresh data: on the 64 points of the training with theory's beside them, on 128 points
    as the system is, and mended: frequencies of the grid it was trained on, no modes beyond.
    """
    from verify.operators.experiments import experiment as run

    parts = ("linear", "burgers") if part == "all" else (part,)
    with running.experiment(
        options["out"], plot, workers, scheduler, "cases", ("jax", "optax")
    ) as (progress, executor):
        result = run(parts, executor=executor, workers=workers, progress=progress.update, **options)
    show(result, as_json, plot)
