"""``widegap kernel``: Gram matrices of wide networks and their predictions, from data files into one file."""

import json
import math
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from widegap.arguments import Integer, Times, Values, output_file
from widegap.errors import Failure, emit, is_terminal, refusals, say, shown
from widegap.inputs import read_inputs, read_labels
from widegap.options import SCHEDULER
from widegap.show.plots import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from theory.kernels.duals import Tangent

__all__ = ["ModelOption", "derive_kernel", "kernel", "scale_option"]

# theory's and numerics' own, to which a test ties them: neither is imported to read a command line
MAX_DEPTH = 1_000_000
"""Most hidden layers of a perceptron."""
MAX_SCALE = 1e50
"""Largest standard deviation in doubles."""


class Scale(click.ParamType):
    """A standard deviation: a finite number from 0 to 1e50, whose error repeats what was given."""

    name = "number"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not number >= 0.0 or "inf" in str(value).lower():
            raise click.UsageError(f"{self.what} is a finite number >= 0, got {shown(value)}")
        if number > MAX_SCALE:
            raise click.UsageError(f"{self.what} is at most 1e50 in doubles, got {shown(value)}")
        return number


class ModelOption(click.Option):
    """An option that says what an architecture has if it is not given; theory is imported only then."""

    def __init__(self, *args: Any, model: str, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.model = model

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The help with the architecture's value."""
        names, text = super().get_help_record(ctx) or ("", "")
        return names, f"{text} [default: {model_default(self.model, str(self.name))}]".strip()


def model_default(model: str, name: str) -> Any:
    """What theory's MLP or DEQ has if nothing is given."""
    import theory

    return getattr(getattr(theory, model), name)


def model_option(model: str, option: str, **rest: Any) -> Callable[..., Any]:
    """Return an option of an architecture, whose default is the architecture's."""
    name = option.removeprefix("--").replace("-", "_")
    default = partial(model_default, model, name)
    return click.option(option, cls=ModelOption, model=model, default=default, **rest)


def scale_option(name: str, text: str, model: str | None = None) -> Callable[..., Any]:
    """Return the option of a standard deviation, None if it is not given and of no architecture."""
    option = f"--sigma-{name}"
    rest: dict[str, Any] = {"type": Scale(option), "metavar": "S", "help": text}
    return model_option(model, option, **rest) if model else click.option(option, **rest)


def _files(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every kernel."""
    for option in (
        SCHEDULER,
        click.option(
            "--resume", is_flag=True, help="Go on with a .npy FILE that an earlier run has begun."
        ),
        click.option(
            "--out",
            required=True,
            metavar="FILE",
            help="The file to write, whole or not at all. An .npz; or for matrices larger than memory an "
            ".npy, which holds NNGP and NTK one after the other and is made band by band beside its place.",
        ),
        click.option(
            "--ridge",
            type=Scale("--ridge"),
            metavar="L",
            help="Weight decay towards the initial parameters, or with --posterior the labels' noise, a "
            "variance. [default: 0]",
        ),
        click.option(
            "--rate",
            type=Scale("--rate"),
            metavar="ETA",
            help="Learning rate of the loss mean((f - y)^2)/2. [default: 1]",
        ),
        click.option(
            "--times",
            type=Times(),
            metavar="T,..",
            help="Steps of gradient descent after which to predict, inf among them. [default: inf]",
        ),
        click.option(
            "--posterior",
            is_flag=True,
            help="Predict by the Gaussian process of the NNGP kernel instead of by training.",
        ),
        click.option(
            "--labels",
            metavar="FILE",
            help="Labels of --data, a column for each output: predict mean and covariance of the outputs at "
            "--data2 instead.",
        ),
        click.option(
            "--data2",
            metavar="FILE",
            help="Columns' inputs, or those to predict at; those of --data by default.",
        ),
        click.option(
            "--data",
            required=True,
            metavar="FILE",
            help="Inputs, one a row: .npy, or .csv of numbers.",
        ),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def kernel(ctx: click.Context) -> None:
    """Compute kernels of wide networks, their NNGP and NTK Gram matrices, and what such networks predict.

    An activation is a name (relu, leaky_relu:0.2, abrelu:-1:2, abs, sign, erf, gelu, tanh, sigmoid, silu,
    softplus, sin, cos, gabor, gaussian:-1, exp:0.5, hermite:3, monomial:2, rectified_monomial:2, identity)
    or an expression in x such as "x*erf(x)".
    """
    if ctx.invoked_subcommand is None:
        emit(ctx.get_help() + "\n")


@kernel.command(
    epilog="\b\nExamples:\n"
    "  widegap kernel mlp --activation relu --depth 3 --data x.npy --out k.npz\n"
    "  widegap kernel mlp --data x.npy --labels y.npy --data2 new.npy --times 10,inf --out p.npz"
)
@model_option("MLP", "--activation", metavar="PHI")
@model_option(
    "MLP", "--depth", type=Integer("--depth", 1, MAX_DEPTH), metavar="L", help="Hidden layers."
)
@scale_option("w", "Of the weights.", "MLP")
@scale_option("b", "Of the biases.", "MLP")
@scale_option("v", "Of the readout.", "MLP")
@click.option(
    "--tangent",
    type=click.Choice(["limit", "almost_everywhere"]),
    default="limit",
    help="Tangent kernel of what jumps: the limit of smooth activations (infinite at correlation 1), or of "
    "derivatives almost everywhere. [default: limit]",
)
@_files
def mlp(
    activation: str,
    depth: int,
    tangent: "Tangent",
    **given: Any,
) -> None:
    """Kernels of a wide multilayer perceptron, and what it predicts."""
    scales, files = _parted(given)
    fields = {"activation": activation, "depth": depth, **scales}
    about = {"depth": depth, "tangent": tangent, **scales}
    _run("MLP", fields, about, files, tangent)


@kernel.command(
    epilog="\b\nExamples:\n"
    "  widegap kernel deq --activation relu --sigma-w 0.8 --data x.npy --out k.npz\n"
    "  widegap kernel deq --data x.npy --out k.npy --resume --scheduler tcp://host:8786"
)
@model_option("DEQ", "--activation", metavar="PHI")
@scale_option("w", "Of the recurrent weights.", "DEQ")
@scale_option("u", "Of the input weights.", "DEQ")
@scale_option("b", "Of the biases.", "DEQ")
@scale_option("v", "Of the readout.", "DEQ")
@_files
def deq(activation: str, **given: Any) -> None:
    """Kernels of a wide deep equilibrium model, z = phi(W z + U x + b), and what it predicts.

    Refused, with the condition that fails and by how much, where the equilibrium does not exist.
    """
    scales, files = _parted(given)
    _run("DEQ", {"activation": activation, **scales}, scales, files)


@kernel.command(
    epilog="\b\nExamples:\n"
    "  widegap kernel phase --activation tanh --out tanh.png\n"
    "  widegap kernel phase --activation erf --sigma-w 0.5:2:0.05 --sigma-b 0:0.5:0.05 --out erf.svg"
)
@click.option("--activation", default="erf", metavar="PHI", help="[default: erf]")
@click.option("--sigma-w", type=Values("--sigma-w"), default="0.1:4:0.1", metavar="A:B:STEP")
@click.option("--sigma-b", type=Values("--sigma-b"), default="0:1:0.025", metavar="A:B:STEP")
@click.option("--out", required=True, metavar="FILE", help="The picture (png, svg, pdf).")
def phase(activation: str, sigma_w: tuple[Any, ...], sigma_b: tuple[Any, ...], out: str) -> None:
    """Draw order and chaos: chi, fixed points and correlation length over sigma_w and sigma_b."""
    place = output_file("--out", out, SUFFIXES)
    if len(sigma_w) < 2 or len(sigma_b) < 2 or len(sigma_w) * len(sigma_b) > 40_000:
        raise click.UsageError(
            "a phase diagram needs 2 to 40000 points, at least 2 in each direction"
        )
    if min(*sigma_w, *sigma_b) < 0:
        raise click.UsageError("--sigma-w and --sigma-b are not negative")
    with refusals():
        from numerics.kernels.phase import phase_diagram

        with _bar() as tell:
            diagram = phase_diagram(
                activation, [*map(float, sigma_w)], [*map(float, sigma_b)], progress=tell
            )
    from numerics.figures.phases import phase_figure
    from widegap.show.plots import write_figure

    write_figure(lambda: phase_figure(diagram), place, out)
    emit(f"plot written to {out}\n")


def derive_kernel(
    kind: str, activation: str | None, depth: int | None, output_format: str, steps: bool
) -> None:
    """Print the dual of an activation, or the recursion of an architecture in symbols for its scales.

    Parameters
    ----------
    kind
        "dual", "mlp" or "deq".
    activation
        A name or an expression in x, as typed.
    depth
        Hidden layers of a perceptron.
    output_format
        "text", "latex" or, of a dual, "python".
    steps
        Whether to show the derivation.
    """
    if activation is None:
        raise click.UsageError(f"derive {kind} needs an activation, such as relu")
    if output_format == "python" and kind != "dual":
        raise click.UsageError(
            f"derive {kind} writes text and latex; the program of a dual is that of derive dual, and numbers "
            f"come from widegap kernel {kind}"
        )
    if depth is not None and kind != "mlp":
        raise click.UsageError(f"derive {kind} takes no --depth")
    import theory

    try:
        if kind == "dual":
            derived: Any = theory.dual(activation)
        elif kind == "deq":
            derived = theory.DEQ(activation).generic
        else:
            derived = theory.MLP(activation, *(() if depth is None else (depth,))).generic
        if steps:
            from widegap.show.derivations import steps_text

            emit(steps_text(derived, output_format) + "\n")
        emit(getattr(derived, output_format)().rstrip("\n") + "\n")
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _parted(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scales, and what is said about files."""
    scales = {name: value for name, value in given.items() if name.startswith("sigma_")}
    return scales, {name: value for name, value in given.items() if name not in scales}


def _check_files(files: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    about = {f"--{name}": files[name] for name in ("times", "rate", "ridge", "posterior")}
    if files["labels"] is None:
        for option, value in about.items():
            if value is not None and value is not False:
                raise click.UsageError(f"{option} is about predictions: add --labels")
    elif files["data2"] is None:
        raise click.UsageError("--labels needs --data2, the inputs to predict at")
    if files["posterior"] and files["times"] is not None:
        raise click.UsageError("the posterior has no time: leave --times or --posterior out")
    if files["rate"] == 0.0:
        raise click.UsageError("--rate is a positive number, got 0")
    large = files["labels"] is None and files["out"].lower().endswith(".npy")
    for option, value in (("--resume", files["resume"]), ("--scheduler", files["scheduler"])):
        if value and not large:
            raise click.UsageError(f"{option} is about kernels in an .npy file, got {files['out']}")


def _run(
    kind: str,
    fields: dict[str, Any],
    about: dict[str, Any],
    files: dict[str, Any],
    tangent: "Tangent" = "limit",
) -> None:
    """Check everything, compute, and write."""
    _check_files(files)
    out, labels = files["out"], files["labels"]
    place = output_file("--out", out, (".npz",) if labels is not None else (".npz", ".npy"))
    with refusals(), warnings.catch_warnings(record=True) as notes:
        import theory
        from numerics.errors import AccuracyWarning

        warnings.simplefilter("always", AccuracyWarning)  # whatever Python was told of warnings
        model = getattr(theory, kind)(**fields)
        x1 = read_inputs("--data", files["data"])
        x2 = None if files["data2"] is None else read_inputs("--data2", files["data2"], x1)
        if labels is not None:
            made = _prediction(model, (x1, read_labels("--labels", labels), x2), tangent, files)
        elif place.suffix.lower() == ".npy":
            made = _in_bands(model, (x1, x2), tangent, files)
        else:
            made = _in_memory(model, (x1, x2), tangent)
    if made.arrays:
        _write(place, out, made, {"activation": fields["activation"], **about})
    for note in [made.note, *(str(w.message) for w in notes)]:
        if note:
            say(f"note: {note}")
    emit(made.said.format(out) + "\n")


class _Made(NamedTuple):
    """What was computed: arrays to write, numbers beside them, the line that says so, and a remark."""

    arrays: dict[str, Any]
    about: dict[str, Any]
    said: str
    note: str = ""


def _in_memory(model: Any, inputs: tuple[Any, Any], tangent: "Tangent") -> _Made:
    """Whole matrices."""
    import numpy as np

    from numerics import kernel as compute
    from numerics.results import rounded_up

    with _bar() as tell:
        result = compute(model, *inputs, tangent=tangent, progress=tell)
    names = [name for name in ("nngp", "ntk", "fixed_point") if hasattr(result, name)]
    known = np.isfinite(result.ntk).all() and np.isfinite(result.error)
    if np.isfinite(result.nngp).all() and not known:
        raise click.UsageError(
            f"the tangent kernel of {result.activation} is infinite between inputs of correlation 1, and "
            "unknown close to it; take --tangent almost_everywhere if it only jumps"
        )
    if not all(np.isfinite(getattr(result, name)).all() for name in (*names, "error")):
        raise Failure("the kernel leaves the range of doubles; take smaller scales or inputs")
    rows, columns = result.nngp.shape
    bound = f"; error bound {rounded_up(result.error)}" if result.error else ""
    arrays = {name: getattr(result, name) for name in names}
    said = f"{', '.join(names)} ({rows} x {columns}) in {{}}{bound}"
    return _Made(arrays, {"error": result.error}, said, getattr(result, "note", ""))


def _in_bands(
    model: Any, inputs: tuple[Any, Any], tangent: "Tangent", files: dict[str, Any]
) -> _Made:
    """Matrices into an .npy file, band by band."""
    from numerics import KernelFileError, kernel_to_file
    from numerics.results import rounded_up
    from widegap.running import resumable

    out = files["out"]
    with resumable(out, files["scheduler"], "bands", KernelFileError) as (progress, executor):
        try:
            made = kernel_to_file(
                model,
                *inputs,
                out=out,
                tangent=tangent,
                executor=executor,
                resume=files["resume"],
                progress=progress.update,
            )
        except OSError as error:
            why = error.strerror or error
            raise Failure(
                f"cannot write {out}: {why}; --resume goes on from what is there"
            ) from error
    rows, columns = made.shape
    names = ", ".join(made.matrices)
    return _Made(
        {}, {}, f"{names} ({rows} x {columns}) in {{}}; error bound {rounded_up(made.error)}"
    )


def _prediction(
    model: Any, data: tuple[Any, Any, Any], tangent: "Tangent", files: dict[str, Any]
) -> _Made:
    """Mean and covariance of the outputs at new inputs."""
    from numerics import predict

    times = files["times"] or (math.inf,)
    kind = "nngp" if files["posterior"] else "ntk"
    rate, ridge = files["rate"] or 1.0, files["ridge"] or 0.0
    with _bar() as tell:
        made = predict(
            model,
            *data,
            kind=kind,
            times=times,
            learning_rate=rate,
            ridge=ridge,
            tangent=tangent,
            progress=tell,
        )
    errors = {
        "mean_error": made.mean_error.tolist(),
        "covariance_error": made.covariance_error.tolist(),
    }
    about = {
        "kind": kind,
        "rate": rate,
        "ridge": ridge,
        "largest_rate": made.largest_rate,
        **errors,
    }
    arrays = {"mean": made.mean, "covariance": made.covariance, "times": made.times}
    shapes = (f"{name} ({' x '.join(map(str, v.shape))})" for name, v in arrays.items())
    worst = (max(values) for values in errors.values())
    bounds = "; error bounds of mean and covariance {:.1g}, {:.1g}".format(*worst)
    return _Made(arrays, about, f"{', '.join(shapes)} in {{}}{bounds}")


def _write(place: Path, out: str, made: _Made, about: dict[str, Any]) -> None:
    """Write an archive, with JSON about what it holds."""
    import numpy as np

    from widegap import __version__
    from widegap.files import atomic_write

    text = json.dumps(about | {"version": __version__} | made.about, allow_nan=False)
    try:
        with atomic_write(place) as stream:
            np.savez(stream, about=np.array(text), **made.arrays)
    except OSError as error:
        raise Failure(f"cannot write {out}: {error.strerror or error}") from error


@contextmanager
def _bar() -> "Iterator[Callable[[float], None]]":
    """A live bar on the standard error, if that is a terminal."""
    if not is_terminal(sys.stderr):
        yield lambda _fraction: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)
