"""The command ``widegap network``: how far networks of finite width are from their kernel."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from widegap.arguments import MAX_COUNT, Integer, Integers, OneOf, distinct, output_file
from widegap.commands.kernel import (
    MAX_DEPTH,
    ModelOption,
    scale_option,
)
from widegap.errors import Failure, deliver, emit, refusals, say
from widegap.inputs import read_inputs
from widegap.options import memory_option, one_place, resumable_options, seed_option
from widegap.show.plots import SUFFIXES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from verify.networks import Network

__all__ = ["network", "width_figure", "width_report"]

_SCALES = {"deq": "wubv", "mlp": "wbv"}


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap network deq --activation relu --sigma-w 0.6 --data x.npy --out run.sqlite\n"
    "  widegap network mlp --activation tanh --depth 2 --widths 50,200,800 --data x.csv \\\n"
    "      --out run.sqlite --resume --plot error.png"
)
@click.argument("kind", type=OneOf("network", ("deq", "mlp")), metavar="deq|mlp")
@click.option("--activation", default="relu", metavar="PHI", help="[default: relu]")
@click.option(
    "--depth",
    cls=ModelOption,
    model="MLP",
    type=Integer("--depth", 1, MAX_DEPTH),
    metavar="L",
    help="Hidden layers of a perceptron.",
)
@scale_option("w", "Of the weights. [default: as widegap kernel]")
@scale_option("u", "Of an equilibrium model's input weights.")
@scale_option("b", "Of the biases.")
@scale_option("v", "Of the readout.")
@click.option(
    "--data", required=True, metavar="FILE", help="Inputs, one a row: .npy, or .csv of numbers."
)
@click.option(
    "--widths",
    type=Integers("--widths", 10**9),
    default=(100, 300, 1000),
    metavar="N,N,..",
    help="Units of each hidden layer. [default: 100,300,1000]",
)
@click.option(
    "--draws",
    type=Integer("--draws", 1, 10**15),
    default=8,
    metavar="N",
    help="Networks in a block. [default: 8]",
)
@click.option(
    "--blocks",
    type=Integer("--blocks", 1, MAX_COUNT),
    default=8,
    metavar="N",
    help="Blocks of each width; --resume takes more of them. [default: 8]",
)
@memory_option("a block of them")
@resumable_options("block of draws")
@seed_option("All networks")
@click.option(
    "--plot",
    type=click.Path(),
    metavar="FILE",
    help="Draw the error against the width (png, svg, pdf).",
)
def network(
    kind: str,
    activation: str,
    depth: int | None,
    data: str,
    plot: str | None,
    workers: int | None,
    scheduler: str | None,
    **options: Any,
) -> None:
    """Draw random networks of several widths, and compare their covariance with the kernel.

    For each width: the relative error of one network, what the kernel alone predicts for it (equilibrium
    models), the largest bias of an entry with its standard error, and the draws without an equilibrium.
    """
    one_place(workers, scheduler)
    distinct(out=options["out"], plot=plot)
    place = None if plot is None else output_file("--plot", plot, SUFFIXES)
    given = _given(kind, {name: options.pop(f"sigma_{name}") for name in "wubv"})
    if kind == "deq" and depth is not None:
        raise click.UsageError("an equilibrium model has no --depth")
    if depth is not None:
        given["depth"] = depth
    with refusals():
        import theory
        from numerics import kernel as limit
        from verify.networks import Network

        model = getattr(theory, kind.upper())(activation, **given)
        made = Network.of(model, 1)
        x = read_inputs("--data", data)
        kernel = limit(model, x).nngp  # known first, as it refuses what has none
    rows = _run(made, x, kernel, workers, scheduler, **options)

    def draw() -> None:
        from widegap.show.plots import write_figure

        if place is not None:
            write_figure(lambda: width_figure(made, rows), place, str(plot))
            say(f"plot written to {plot}")

    deliver(lambda: emit(width_report(made, rows)), draw)
    if lost := [str(row.width) for row in rows if row.failures == row.draws]:
        raise Failure(f"no network of width {', '.join(lost)} has an equilibrium that was found")


def _given(kind: str, scales: dict[str, float | None]) -> dict[str, Any]:
    """What is given of an architecture."""
    given = {name: value for name, value in scales.items() if value is not None}
    for name in given:
        if name not in _SCALES[kind]:
            raise click.UsageError(f"{kind} takes no --sigma-{name}")
    return {f"sigma_{name}": value for name, value in given.items()}


class Row(NamedTuple):
    """Errors at one width, relative to the kernel's diagonal.

    Attributes
    ----------
    width, draws : int
    error : float
        Root mean square of one network's, over all entries.
    predicted : float or None
        The same from the kernel alone; None for perceptrons.
    bias, spread : float
        The largest bias of an entry, and its standard error.
    failures : int
        Draws without an equilibrium.
    """

    width: int
    draws: int
    error: float
    predicted: float | None
    bias: float
    spread: float
    failures: int


def _run(
    made: "Network",
    x: Any,
    kernel: Any,
    workers: int | None,
    scheduler: str | None,
    *,
    widths: tuple[int, ...],
    draws: int,
    blocks: int,
    memory: float,
    out: str,
    resume: bool,
    seed: int,
) -> list[Row]:
    from dataclasses import replace

    from verify.networks.experiments import WidthFileError, errors_by_width, width_experiment
    from verify.networks.predictions import one_step_error
    from widegap.running import resumable

    predicted: dict[int, float] = {}
    with refusals(), resumable(out, scheduler, "blocks", WidthFileError) as (progress, executor):
        if made.kind == "deq":
            predicted = {n: one_step_error(x, replace(made, width=n)) for n in widths}
        drawn = width_experiment(
            made,
            x,
            widths,
            draws,
            out=out,
            blocks=blocks,
            seed=seed,
            memory=memory,
            executor=executor,
            workers=workers,
            resume=resume,
            progress=progress.update,
        )
    mine = [b for b in drawn if b.width in widths and b.block < blocks]
    try:
        errors = errors_by_width(mine, kernel)
    except ValueError as error:
        raise Failure(str(error)) from error
    return [
        Row(n, sum(b.draws for b in mine if b.width == n), own[0], predicted.get(n), *own[1:])
        for n, own in errors.items()
    ]


def width_report(made: "Network", rows: list[Row]) -> str:
    """Write the table of errors against widths.

    Parameters
    ----------
    made
        The network; its own width does not count.
    rows
        As they come from an experiment.

    Returns
    -------
    str
    """
    lines = [
        f"{made.kind} with {made.phi}: covariance of networks relative to the kernel's diagonal",
        "",
        "   width   draws      error  predicted  largest bias  std. error  no equilibrium",
    ]
    for width, draws, *numbers, failures in rows:
        error, predicted, bias, spread = (
            "-" if x is None or not math.isfinite(x) else f"{x:.4f}" for x in numbers
        )
        lines.append(
            f"{width:8d}{draws:8d}{error:>11}{predicted:>11}{bias:>14}{spread:>12}{failures:16d}"
        )
    return "\n".join(lines) + "\n"


def width_figure(made: "Network", rows: list[Row]) -> "Figure":
    """Draw the error against the width, with the law n^(-1/2) through the last point.

    Parameters
    ----------
    made, rows
        As for `width_report`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no row has an error.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from numerics.figures.style import STYLE

    rows = [row for row in rows if math.isfinite(row.error)]
    widths = [row.width for row in rows]
    if not rows:
        raise ValueError("there is nothing to draw: no network has an equilibrium that was found")
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        axis = figure.subplots()
        axis.loglog(widths, [row.error for row in rows], "o", color="#0072b2", label="one network")
        law = [rows[-1].error * (widths[-1] / n) ** 0.5 for n in widths]
        axis.loglog(widths, law, "--", color="#666666", label=r"$n^{-1/2}$")
        if all(row.predicted is not None for row in rows):
            axis.loglog(
                widths, [row.predicted for row in rows], "-", color="#d55e00", label="predicted"
            )
        axis.errorbar(
            widths, [row.bias for row in rows], [row.spread for row in rows],
            fmt="s", color="#009e73", label="largest bias of an entry",
        )  # fmt: skip
        axis.set(
            xlabel="width $n$", ylabel="relative to the kernel", title=f"{made.kind}, {made.phi}"
        )
        axis.legend()
    return figure
