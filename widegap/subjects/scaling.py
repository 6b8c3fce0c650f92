"""``widegap solve scaling`` and ``widegap experiment scaling``: learning curves and spectra of kernels."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import MAX_COUNT, Integer, Integers, Number, OneOf
from widegap.commands.kernel import MAX_DEPTH, scale_option
from widegap.errors import refusals
from widegap.inputs import read_inputs, read_labels
from widegap.options import resumable_options, seed_option
from widegap.show.results import result_options, show

if TYPE_CHECKING:
    from theory import DEQ, MLP

__all__ = ["experiment", "solve"]

_OPTIONS = (
    click.option(
        "--model",
        type=OneOf("model", ("mlp", "deq")),
        default="mlp",
        metavar="mlp|deq",
        help="[default: mlp]",
    ),
    click.option("--activation", default="relu", metavar="PHI", help="[default: relu]"),
    click.option(
        "--depth", type=Integer("--depth", 1, MAX_DEPTH), metavar="L", help="Hidden layers of mlp."
    ),
    scale_option("w", "Of the weights."),
    scale_option("u", "Of an equilibrium model's input weights."),
    scale_option("b", "Of the biases."),
    scale_option("v", "Of the readout."),
    click.option(
        "--kernel",
        type=OneOf("kernel", ("ntk", "nngp")),
        default="ntk",
        metavar="ntk|nngp",
        help="[default: ntk]",
    ),
)


def _network(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a wide network and its kernel."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("scaling")
def solve() -> None:
    """Learning curves of wide networks, and their spectra on the sphere."""


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve scaling curve --sizes 25,100,400 --kernel nngp --depth 2\n"
    "  widegap solve scaling curve --data x.npy --targets y.npy --ridge 0.01 --plot curve.png"
)
@_network
@click.option("--data", metavar="FILE", help="Inputs, one a row, .npy or .csv. [default: digits]")
@click.option("--targets", metavar="FILE", help="A number or a row of numbers for each.")
@click.option(
    "--sizes", type=Integers("--sizes", MAX_COUNT), metavar="N,N,..", help="Training points."
)
@click.option(
    "--ridge",
    type=Number("--ridge"),
    default=0.0,
    metavar="R",
    help="Added to the Gram matrix. [default: 0]",
)
@click.option("--replace", is_flag=True, help="Points are drawn with replacement.")
@result_options
def curve(
    data: str | None, targets: str | None, kernel: Any, as_json: bool, plot: str | None,
    **options: Any,
) -> None:  # fmt: skip
    """Predict the learning curve of kernel regression on data.

    The mean squared error over all points of training on some of them; on scikit-learn's digits if no data
    are given. Exponents are those of the spectrum and of the target, with their ranges.
    """
    with refusals():
        model = _model(options)
        x, y = _data(data, targets)
        from numerics import learning_curve

        found = learning_curve(model, x, y, kernel=kernel, **options)
    note = f"\n{found.population} points; predicting 0 has the error {found.variance:.6g}"
    if found.exponent is not None and found.alpha is not None and found.tail is not None:
        ranges = [
            f"{v:.2f} ({low:.2f} to {high:.2f})"
            for v, low, high in (found.alpha, found.tail, found.exponent)
        ]
        note += "\nexponents: alpha {}, tail g {}, curve min(g, 2 alpha) {}".format(*ranges)
    show(found, as_json, plot, note)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve scaling spectrum --depth 2 --plot spectrum.png\n"
    "  widegap solve scaling spectrum --model deq --dimension 64 --degrees 6 --json"
)
@_network
@click.option(
    "--dimension",
    type=Integer("--dimension", 2, 10_000),
    default=10,
    metavar="D",
    help="Of the space. [default: 10]",
)
@click.option(
    "--degrees",
    type=Integer("--degrees", 0, 200),
    default=8,
    metavar="L",
    help="The highest. [default: 8]",
)
@result_options
def spectrum(
    kernel: Any, dimension: int, degrees: int, as_json: bool, plot: str | None, **options: Any
) -> None:
    """Compute the eigenvalues of a kernel on the sphere by degree, with proved error bounds."""
    with refusals():
        model = _model(options)
        from numerics import sphere_spectrum

        found = sphere_spectrum(model, dimension, degrees, kernel=kernel)
    rest = f"\nhigher degrees: {found.rest / found.total:.3g} of the kernel at 1"
    show(found, as_json, plot, rest)


def _model(options: dict[str, Any]) -> "MLP | DEQ":
    """Take the network out of the options."""
    import theory

    kind, activation, depth = (options.pop(name) for name in ("model", "activation", "depth"))
    scales = {f"sigma_{name}": options.pop(f"sigma_{name}") for name in "wubv"}
    if kind == "deq" and depth is not None:
        raise click.UsageError("an equilibrium model has no --depth")
    if kind == "mlp" and scales["sigma_u"] is not None:
        raise click.UsageError("mlp takes no --sigma-u")
    given = {name: value for name, value in {"depth": depth, **scales}.items() if value is not None}
    return getattr(theory, kind.upper())(activation, **given)


def _data(data: str | None, targets: str | None) -> tuple[Any, Any]:
    if (data is None) != (targets is None):
        raise click.UsageError("--data and --targets go together")
    if data is None or targets is None:
        from verify.scaling.tasks import digits, one_hot

        x, labels = digits()
        return x, one_hot(labels)
    return read_inputs("--data", data), read_labels("--targets", targets)


@click.command(
    "scaling",
    epilog="\b\nExamples:\n"
    "  widegap experiment scaling --out scaling.sqlite\n"
    "  widegap experiment scaling --small --out small.sqlite --resume --plot curves.png",
)
@click.option("--small", is_flag=True, help="A part of it, in half a minute.")
@resumable_options("curve")
@seed_option("Data and networks")
@result_options
def experiment(
    small: bool, out: str, resume: bool, workers: int | None, scheduler: str | None, seed: int,
    as_json: bool, plot: str | None,
) -> None:  # fmt: skip
    """Measure learning curves on digits, whitened data and a local task, and the compute-optimal width.

    Kernels and small bottleneck and standard MLPs, on pixels and on permuted ones, beside what theory
    predicts: some minutes on two cores. Needs widegap[train].
    """
    from verify.scaling.experiment import NEEDS, scaling_experiment

    with running.experiment(out, plot, workers, scheduler, "curves", NEEDS) as (progress, executor):
        found = scaling_experiment(
            small=small, seed=seed, out=out, resume=resume, executor=executor, workers=workers,
            progress=progress.update,
        )  # fmt: skip
    show(found, as_json, plot, found.note())
