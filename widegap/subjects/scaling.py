"""``widegap solve scaling`` and ``widegap experiment scaling``: learning curves and spectra of kernels."""

from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import (
    MAX_COUNT,
    Integer,
    Integers,
    OneOf,
    distinct,
    one_place,
    resumable_options,
    seed_option,
)
from widegap.commands.kernel import MAX_DEPTH, read_inputs, refusals, scale_option
from widegap.errors import shown
from widegap.show.results import plot_target, result_options, show

if TYPE_CHECKING:
    from theory import DEQ, MLP

__all__ = ["experiment", "solve"]

_ONLY = {
    "curve": ("data", "targets", "sizes", "ridge", "replace"),
    "spectrum": ("dimension", "degrees"),
}
"""Options of one question alone."""


class Ridge(click.ParamType):
    """A finite number >= 0, whose error repeats what was given."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0.0 <= number <= 1e100:
            raise click.UsageError(f"--ridge is a number from 0 to 1e100, got {shown(value)}")
        return number


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap solve scaling curve --sizes 25,100,400 --kernel nngp --depth 2\n"
    "  widegap solve scaling spectrum --model deq --dimension 64 --degrees 6 --json"
)
@click.argument("question", type=OneOf("question", tuple(_ONLY)), metavar="curve|spectrum")
@click.option(
    "--model", type=OneOf("model", ("mlp", "deq")), default="mlp", help="mlp or deq. [default: mlp]"
)
@click.option("--activation", default="relu", metavar="PHI", help="[default: relu]")
@click.option(
    "--depth", type=Integer("--depth", 1, MAX_DEPTH), metavar="L", help="Hidden layers of mlp."
)
@scale_option("w", "Of the weights.")
@scale_option("u", "Of an equilibrium model's input weights.")
@scale_option("b", "Of the biases.")
@scale_option("v", "Of the readout.")
@click.option(
    "--kernel",
    type=OneOf("kernel", ("ntk", "nngp")),
    default="ntk",
    help="ntk or nngp. [default: ntk]",
)
@click.option(
    "--data", metavar="FILE", help="curve: inputs, one a row, .npy or .csv. [default: digits]"
)
@click.option("--targets", metavar="FILE", help="curve: their targets, one a row; with --data.")
@click.option(
    "--sizes", type=Integers("--sizes", MAX_COUNT), metavar="N,N,..", help="curve: training points."
)
@click.option(
    "--ridge", type=Ridge(), metavar="R", help="curve: added to the Gram matrix. [default: 0]"
)
@click.option(
    "--replace", is_flag=True, default=None, help="curve: points are drawn with replacement."
)
@click.option(
    "--dimension",
    type=Integer("--dimension", 2, 10_000),
    metavar="D",
    help="spectrum: of the space. [default: 10]",
)
@click.option(
    "--degrees",
    type=Integer("--degrees", 0, 200),
    metavar="L",
    help="spectrum: the highest. [default: 8]",
)
@result_options
def solve(
    question: str, model: str, activation: str, depth: int | None, kernel: Any, as_json: bool,
    plot: str | None, **options: Any,
) -> None:  # fmt: skip
    """Predict the learning curve of kernel regression, or the spectrum of a kernel on the sphere.

    A curve is that of data, scikit-learn's digits if none are given: the mean squared error over the
    population of training on some of its points. A spectrum is exact, with error bounds, by degree.
    """
    plot_target(plot)
    scales = {name: options.pop(f"sigma_{name}") for name in "wubv"}
    for name, value in options.items():
        if value is not None and name not in _ONLY[question]:
            raise click.UsageError(f"{question} takes no --{name}")
    given = {name: value for name, value in options.items() if value is not None}
    with refusals():
        made = _model(model, activation, depth, scales)
        if question == "spectrum":
            from numerics import sphere_spectrum

            found = sphere_spectrum(made, given.pop("dimension", 10), kernel=kernel, **given)
            show(
                found,
                as_json,
                plot,
                f"\nhigher degrees: {found.rest / found.total:.3g} of the kernel at 1",
            )
            return
        from numerics import learning_curve

        x, y = _data(given.pop("data", None), given.pop("targets", None))
        curve = learning_curve(made, x, y, kernel=kernel, **given)
    note = f"\n{curve.population} points; predicting 0 has the error {curve.variance:.6g}"
    if curve.exponent is not None and curve.alpha is not None and curve.tail is not None:
        shown_exponents = [
            f"{v:.2f} ({low:.2f} to {high:.2f})"
            for v, low, high in (curve.alpha, curve.tail, curve.exponent)
        ]
        note += "\nexponents: alpha {}, tail g {}, curve min(g, 2 alpha) {}".format(
            *shown_exponents
        )
    show(curve, as_json, plot, note)


def _model(
    kind: str, activation: str, depth: int | None, scales: dict[str, float | None]
) -> "MLP | DEQ":
    import theory

    if kind == "deq" and depth is not None:
        raise click.UsageError("an equilibrium model has no --depth")
    if kind == "mlp" and scales["u"] is not None:
        raise click.UsageError("mlp takes no --sigma-u")
    rest: dict[str, Any] = {
        f"sigma_{name}": value for name, value in scales.items() if value is not None
    }
    rest |= {} if depth is None else {"depth": depth}
    return getattr(theory, kind.upper())(activation, **rest)


def _data(data: str | None, targets: str | None) -> tuple[Any, Any]:
    if (data is None) != (targets is None):
        raise click.UsageError("--data and --targets go together")
    if data is None or targets is None:
        from verify.scaling.tasks import digits, one_hot

        x, labels = digits()
        return x, one_hot(labels)
    x, y = read_inputs("--data", data), read_inputs("--targets", targets)
    return x, y.T if y.shape[0] == 1 != x.shape[0] else y  # one number a row reads as a vector


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap experiment scaling --out scaling.sqlite\n"
    "  widegap experiment scaling --small --out small.sqlite --resume --plot curves.png"
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
    one_place(workers, scheduler)
    distinct(out=out, plot=plot)
    plot_target(plot)
    from verify.errors import CasesFileError
    from verify.scaling.experiment import scaling_experiment
    from widegap.running import resumable

    with refusals(), resumable(out, scheduler, "curves", CasesFileError) as (progress, executor):
        found = scaling_experiment(
            small=small, seed=seed, out=out, resume=resume, executor=executor, workers=workers,
            progress=progress.update,
        )  # fmt: skip
    show(found, as_json, plot, found.note())
