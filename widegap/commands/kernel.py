"""``widegap kernel``: Gram matrices of wide networks, from data files into one .npz file."""

import json
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import Integer, Values, output_file
from widegap.errors import Failure, emit, is_terminal, refusals, say, shown
from widegap.show.plots import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from theory.kernels.duals import Tangent

__all__ = ["ModelOption", "derive_kernel", "kernel", "read_inputs", "scale_option"]

DATA = (".npy", ".csv")
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
        click.option(
            "--out",
            required=True,
            metavar="FILE",
            help="The .npz file to write, whole or not at all.",
        ),
        click.option(
            "--data2", metavar="FILE", help="Columns' inputs; those of --data by default."
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
    """Compute kernels of wide networks: their NNGP and NTK Gram matrices.

    An activation is a name (relu, leaky_relu:0.2, abrelu:-1:2, abs, sign, erf, gelu, tanh, sigmoid, silu,
    softplus, sin, cos, gabor, gaussian:-1, exp:0.5, hermite:3, monomial:2, rectified_monomial:2, identity)
    or an expression in x such as "x*erf(x)".
    """
    if ctx.invoked_subcommand is None:
        emit(ctx.get_help() + "\n")


@kernel.command(
    epilog="\b\nExamples:\n  widegap kernel mlp --activation relu --depth 3 --data x.npy --out k.npz"
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
    data: str,
    data2: str | None,
    out: str,
    **scales: Any,
) -> None:
    """Kernels of a wide multilayer perceptron."""
    fields = {"activation": activation, "depth": depth, **scales}
    about = {"depth": depth, "tangent": tangent, **scales}
    _run("MLP", fields, about, data, data2, out, tangent)


@kernel.command(
    epilog="\b\nExamples:\n  widegap kernel deq --activation relu --sigma-w 0.8 --data x.npy --out k.npz"
)
@model_option("DEQ", "--activation", metavar="PHI")
@scale_option("w", "Of the recurrent weights.", "DEQ")
@scale_option("u", "Of the input weights.", "DEQ")
@scale_option("b", "Of the biases.", "DEQ")
@scale_option("v", "Of the readout.", "DEQ")
@_files
def deq(activation: str, data: str, data2: str | None, out: str, **scales: Any) -> None:
    """Kernels of a wide deep equilibrium model, z = phi(W z + U x + b).

    Refused, with the condition that fails and by how much, where the equilibrium does not exist.
    """
    _run("DEQ", {"activation": activation, **scales}, scales, data, data2, out)


@kernel.command(epilog="\b\nExamples:\n  widegap kernel phase --activation tanh --out tanh.png")
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
    from widegap.show.kernel_plots import phase_figure
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


def _run(
    kind: str,
    fields: dict[str, Any],
    about: dict[str, Any],
    data: str,
    data2: str | None,
    out: str,
    tangent: "Tangent" = "limit",
) -> None:
    """Check everything, compute, and write."""
    place = output_file("--out", out, (".npz",))
    with refusals():
        import theory

        model = getattr(theory, kind)(**fields)
        x1 = read_inputs("--data", data)
        x2 = None if data2 is None else read_inputs("--data2", data2, x1)
        with warnings.catch_warnings(record=True) as notes, _bar() as tell:
            from numerics import kernel as compute

            result = compute(model, x1, x2, tangent=tangent, progress=tell)
    import numpy as np

    from widegap import __version__
    from widegap.files import atomic_write

    arrays = [name for name in ("nngp", "ntk", "fixed_point") if hasattr(result, name)]
    if not all(np.isfinite(getattr(result, name)).all() for name in (*arrays, "error")):
        raise Failure("the kernel leaves the range of doubles; take smaller scales or inputs")
    first = {"activation": fields["activation"], "version": __version__, "error": result.error}
    text = json.dumps(first | about, allow_nan=False)
    try:
        with atomic_write(place) as stream:
            np.savez(
                stream, about=np.array(text), **{name: getattr(result, name) for name in arrays}
            )
    except OSError as error:
        raise Failure(f"cannot write {out}: {error.strerror or error}") from error
    rows, columns = result.nngp.shape
    bound = f"; error bound {result.error:.1g}" if result.error else ""
    for note in [getattr(result, "note", ""), *(str(w.message) for w in notes)]:
        if note:
            say(f"note: {note}")
    emit(f"{', '.join(arrays)} ({rows} x {columns}) in {out}{bound}\n")


def read_inputs(option: str, name: str, other: "np.ndarray | None" = None) -> "np.ndarray":
    """Read a matrix of numbers, or say in one line what is wrong with the file.

    Parameters
    ----------
    option
        The option that names the file.
    name
        The file.
    other
        Inputs of --data that have to have as many columns.

    Returns
    -------
    numpy.ndarray
        Shape (n, d), float64.

    Raises
    ------
    click.UsageError
    """
    from numerics.kernels.inputs import check_inputs

    path = Path(name)
    if path.suffix.lower() not in DATA:
        raise click.UsageError(
            f"{option} needs a name ending in {', '.join(DATA)}, got {shown(name)}"
        )
    try:
        if path.exists() and not path.is_file():
            raise click.UsageError(f"cannot read {option} {name}: it is not a file")
        data = _array(path) if path.suffix.lower() == ".npy" else _table(path)
    except OSError as error:
        raise click.UsageError(f"cannot read {option} {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise click.UsageError(f"{option} {name} is no table of numbers: {error}") from error
    called = f"{option} {name}"
    if other is None:
        return check_inputs(data, None, (called, ""))[0]
    made = check_inputs(other, data, ("--data", called))[1]
    assert made is not None
    return made


def _array(path: Path) -> "np.ndarray":
    """Read a file of numpy's."""
    import numpy as np

    with path.open("rb") as stream:
        start = stream.read(6)
        stream.seek(0)
        if start[:2] == b"PK":
            raise ValueError("it is an archive of arrays; write one array with numpy.save")
        if start != b"\x93NUMPY":
            raise ValueError("it is not what numpy.save writes")
        try:
            return np.load(stream, allow_pickle=False)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a header is read with all that can read a literal
            objects = "pickle" in str(error)
            what = "it holds objects, not numbers" if objects else "it is damaged"
            raise ValueError(what) from error


def _table(path: Path) -> "np.ndarray":
    """Read numbers separated by commas."""
    import numpy as np

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns of an empty file
            return np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    except UserWarning as error:
        raise ValueError("it is empty") from error
    except ValueError as error:
        said = str(error)
        if "could not convert" in said and ";" in said:
            said += " Columns are separated by commas"
        elif "could not convert" in said and "row 0" in said:
            said += " If the first line is a header, take it away"
        raise ValueError(said) from error


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
