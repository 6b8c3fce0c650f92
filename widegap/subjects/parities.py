"""``widegap solve parities`` and ``widegap experiment parities``: the price of a sparse feature."""

from collections.abc import Callable
from typing import Any

import click

from widegap import running
from widegap.arguments import Integer, Integers, Number, OneOf
from widegap.errors import refusals
from widegap.options import resumable_options, seed_option
from widegap.show.results import result_options, show

__all__ = ["experiment", "solve"]

# verify's own, to which a test ties them: it is not imported to read a command line
WEIGHTS = ("sign", "one", "normal")


def _size(name: str, default: int, text: str) -> Callable[..., Any]:
    return click.option(
        name,
        type=Integer(name, 1, 1000),
        default=default,
        metavar=name[2:].upper(),
        help=f"{text} [default: {default}]",
    )


def _parity(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a parity: --n, --k, --bias."""
    command = click.option(
        "--bias",
        type=Number("--bias"),
        default=0.0,
        metavar="B",
        help="Of every neuron. [default: 0]",
    )(command)
    command = _size("--k", 3, "Coordinates of the parity.")(command)
    return _size("--n", 30, "Input coordinates.")(command)


def _seen(default: str) -> Callable[..., Any]:
    return click.option(
        "--sparsity",
        "sparsities",
        type=Integers("--sparsity", 1000),
        metavar="S,S,..",
        help=f"Coordinates that a neuron sees. [default: {default}]",
    )


def _many(
    name: str, most: int, metavar: str, default: tuple[int, ...], text: str = ""
) -> Callable[..., Any]:
    shown = ",".join(map(str, default))
    return click.option(
        name,
        type=Integers(name, most),
        default=default,
        metavar=metavar,
        help=f"{text}[default: {shown}]",
    )


def _probability(default: float, text: str) -> Callable[..., Any]:
    return click.option(
        "--probability",
        type=Number("--probability"),
        default=default,
        metavar="P",
        help=f"{text} [default: {default:g}]",
    )


@click.group("parities")
def solve() -> None:
    """What a sparse parity costs a wide network: width, samples, luck."""


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve parities frontier --plot frontier.svg\n"
    "  widegap solve parities frontier --n 50 --k 4 --sparsity 3,5,7 --probability 0.9"
)
@_parity
@_seen("all from K - 1 to N/2")
@_probability(0.5, "Of success.")
@result_options
def frontier(as_json: bool, plot: str | None, **options: Any) -> None:
    """Smallest widths and samples at which a first step finds a coordinate."""
    with refusals():
        from numerics.parities import frontier as computed

        result = computed(**options)
    show(result, as_json, plot)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve parities tickets --n 50 --k 4 --sparsity 3,5,7,9,11\n"
    "  widegap solve parities tickets --probability 0.5 --json"
)
@_parity
@_seen("all from K - 1 to N/2")
@_probability(0.99, "That there is a ticket.")
@result_options
def tickets(as_json: bool, plot: str | None, **options: Any) -> None:
    """How many neurons are lucky, and how far their gradients stand out."""
    with refusals():
        from numerics.parities import tickets as computed

        result = computed(**options)
    show(result, as_json, plot)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve parities success --sparsity 2\n"
    "  widegap solve parities success --sparsity 2,4 --widths 30,300 --samples 20,200 --plot p.png"
)
@_parity
@_seen("all from K - 1 to N/2 that have a signal")
@_many("--widths", 10**9, "R,R,..", (30, 100, 300, 1000))
@_many("--samples", 10**6, "M,M,..", (200, 400, 800))
@result_options
def success(as_json: bool, plot: str | None, **options: Any) -> None:
    """Probability that some neuron is a ticket and finds its coordinate in a first step."""
    with refusals():
        from numerics.parities import success as computed

        result = computed(**options)
    show(result, as_json, plot)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve parities kernel\n"
    "  widegap solve parities kernel --n 50 --k 4 --share 0.9 --sigma-b 1"
)
@_size("--n", 30, "Input coordinates.")
@_size("--k", 3, "Largest degree.")
@click.option(
    "--share",
    type=Number("--share"),
    default=0.5,
    metavar="P",
    help="Of the parity that is to be explained. [default: 0.5]",
)
@click.option(
    "--sigma-b",
    type=Number("--sigma-b"),
    default=0.2,
    metavar="S",
    help="Biases of the kernel's networks, whose weights have 1. [default: 0.2]",
)
@result_options
def kernel(n: int, k: int, as_json: bool, plot: str | None, **options: Any) -> None:
    """Samples that a tangent kernel needs for parities of each degree up to K."""
    with refusals():
        from numerics.hypercube import kernel_needs
        from theory.parities import check_parity

        check_parity(n, k)
        result = kernel_needs(n, range(k + 1), **options)
    show(result, as_json, plot)


@click.command(
    "parities",
    epilog="\b\nExamples:\n"
    "  widegap experiment parities --out grid.sqlite --plot grid.png\n"
    "  widegap experiment parities --n 20 --k 3 --sparsity 2 --widths 50 --samples 400 \\\n"
    "      --networks 10 --out small.sqlite --resume",
)
@_parity
@_seen("N, dense, and K - 1")
@click.option(
    "--weights",
    type=OneOf("weights", WEIGHTS),
    default="sign",
    metavar="|".join(WEIGHTS),
    help="Of what a neuron sees: 1 or -1, 1, or normal. [default: sign]",
)
@click.option(
    "--scale",
    type=Number("--scale"),
    default=1.0,
    metavar="C",
    help="What these are multiplied by. [default: 1]",
)
@_many("--widths", 10**5, "R,R,..", (30, 100, 300, 1000))
@_many("--samples", 10**6, "M,M,..", (200, 400, 800))
@click.option(
    "--steps",
    type=Integer("--steps", 1, 10**7),
    default=3000,
    metavar="T",
    help="Of SGD. [default: 3000]",
)
@click.option(
    "--networks",
    type=Integer("--networks", 1, 10**4),
    default=20,
    metavar="N",
    help="Of each width, sparsity and number of samples. [default: 20]",
)
@resumable_options("row of the grid")
@seed_option("All networks and samples")
@result_options
def experiment(
    sparsities: tuple[int, ...] | None, out: str, as_json: bool, plot: str | None, **options: Any
) -> None:
    """Train networks on sparse parities, and count those that succeed beside what tickets predict.

    A network succeeds where at most a tenth of its answers to new questions are wrong. Intervals hold
    together with probability 0.95; predicted is the probability that a neuron sees all of the parity but
    one coordinate, and finds that in a first step.
    """
    from verify.cases import run_cases
    from verify.parities.grid import NEEDS, grid, grid_cases
    from verify.parities.networks import Setting, train_case

    workers, scheduler = options.pop("workers"), options.pop("scheduler")
    resume, seed, networks = (options.pop(name) for name in ("resume", "seed", "networks"))
    widths, samples = options.pop("widths"), options.pop("samples")
    seen = sparsities or tuple(dict.fromkeys((options["n"], max(1, options["k"] - 1))))
    cases: list[dict[str, Any]] = []

    def check() -> None:
        base = Setting(sparsity=seen[0], width=widths[0], samples=samples[0], **options)
        cases.extend(grid_cases(base, seen, widths, samples, networks))

    with running.experiment(out, plot, workers, scheduler, "rows", NEEDS, check) as (
        progress,
        executor,
    ):
        outcomes = run_cases(
            "parities", train_case, cases, seed=seed, out=out, resume=resume, executor=executor,
            workers=workers, progress=progress.update,
        )  # fmt: skip
    result = grid(outcomes)
    note = "\n".join(
        f"s = {row['s']}, {row['samples']} samples: half succeed at width {row['width'] or 'none'}, half "
        f"have a ticket at {row['predicted'] or 'none'}"
        for row in result.frontier()
    )
    show(result, as_json, plot, f"\n{note}")
