"""``widegap solve parities`` and ``widegap experiment parities``: the price of a sparse feature."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from widegap.arguments import (
    Integer,
    Integers,
    OneOf,
    distinct,
    one_place,
    resumable_options,
    seed_option,
)
from widegap.show.results import plot_target, result_options, show

__all__ = ["experiment", "solve"]

WHAT = ("frontier", "tickets", "success", "kernel")
WEIGHTS = ("sign", "one", "normal")


class Number(click.ParamType):
    """A finite number between two bounds."""

    name = "number"

    def __init__(self, what: str, least: float, most: float) -> None:
        self.what, self.least, self.most = what, least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        from widegap.errors import shown

        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not self.least <= number <= self.most:
            raise click.UsageError(
                f"{self.what} is a number from {self.least:g} to {self.most:g}, got {shown(value)}"
            )
        return number


def _parity(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a parity: --n, --k, --sparsity, --bias."""
    for option in (
        click.option(
            "--bias",
            type=Number("--bias", -1e6, 1e6),
            default=0.0,
            metavar="B",
            help="Of every neuron. [default: 0]",
        ),
        click.option(
            "--k",
            type=Integer("--k", 1, 1000),
            default=3,
            metavar="K",
            help="Coordinates of the parity. [default: 3]",
        ),
        click.option(
            "--n",
            type=Integer("--n", 1, 1000),
            default=30,
            metavar="N",
            help="Input coordinates. [default: 30]",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def _refusals() -> Iterator[None]:
    """What makes no sense, in one line."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap solve parities --n 50 --k 4 --sparsity 3,5,7,9,11\n"
    "  widegap solve parities success --sparsity 2 --widths 30,100,300 --samples 20,200 --plot p.png"
)
@click.argument("what", type=OneOf("table", WHAT), metavar="|".join(WHAT), default="frontier")
@_parity
@click.option(
    "--sparsity",
    type=Integers("--sparsity", 1000),
    metavar="S,S,..",
    help="Coordinates that a neuron sees. [default: all from K - 1 to N/2]",
)
@click.option(
    "--widths",
    type=Integers("--widths", 10**9),
    default=(30, 100, 300, 1000),
    metavar="R,R,..",
    help="For success. [default: 30,100,300,1000]",
)
@click.option(
    "--samples",
    type=Integers("--samples", 10**6),
    default=(200, 400, 800),
    metavar="M,M,..",
    help="For success. [default: 200,400,800]",
)
@click.option(
    "--probability",
    type=Number("--probability", 0.0, 1.0),
    metavar="P",
    help="Of success (frontier) or a ticket; share of the parity (kernel). [default: 1/2, tickets 0.99]",
)
@click.option(
    "--sigma-b",
    type=Number("--sigma-b", 0.0, 1e5),
    default=0.2,
    metavar="S",
    help="Biases of the kernel's networks, whose weights have 1. [default: 0.2]",
)
@result_options
def solve(
    what: str, n: int, k: int, bias: float, as_json: bool, plot: str | None, **given: Any
) -> None:
    """Say what a sparse parity costs a wide network: width, samples, luck.

    \b
    frontier  smallest widths and samples whose first step finds a coordinate
    tickets   how many neurons are lucky, and how far their gradients stand out
    success   probability that a first step finds a coordinate
    kernel    samples that a kernel needs, by degrees up to K
    """  # noqa: D301 - click's mark for text that is not to be wrapped
    plot_target(plot)
    with _refusals():
        result = _solved(what, n, k, bias, **given)
    show(result, as_json, plot)


def _solved(
    what: str,
    n: int,
    k: int,
    bias: float,
    *,
    sparsity: tuple[int, ...] | None,
    widths: tuple[int, ...],
    samples: tuple[int, ...],
    probability: float | None,
    sigma_b: float,
) -> Any:
    from numerics import parities
    from numerics.hypercube import kernel_needs
    from theory.parities import check_parity

    check_parity(n, k)
    half = 0.5 if probability is None else probability
    if what == "kernel":
        return kernel_needs(n, range(k + 1), share=half, sigma_b=sigma_b)
    if what == "frontier":
        return parities.frontier(n, k, sparsity, probability=half, bias=bias)
    seen = sparsity or tuple(range(max(1, k - 1), max(n // 2, k) + 1))
    if what == "success":
        if sparsity is None:
            seen = tuple(s for s in seen if s < n and parities.signal(s, k, bias) > 0)
        return parities.success(n, k, seen, widths, samples, bias=bias)
    likely = 0.99 if probability is None else probability
    return parities.tickets(n, k, seen, probability=likely, bias=bias)


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap experiment parities --out grid.sqlite --plot grid.png\n"
    "  widegap experiment parities --n 20 --k 3 --sparsity 2 --widths 50 --samples 400 \\\n"
    "      --networks 10 --out small.sqlite --resume"
)
@_parity
@click.option(
    "--sparsity",
    type=Integers("--sparsity", 1000),
    metavar="S,S,..",
    help="Coordinates that a neuron sees; N is dense. [default: N and K - 1]",
)
@click.option(
    "--weights",
    type=OneOf("weights", WEIGHTS),
    default="sign",
    metavar="|".join(WEIGHTS),
    help="Of what a neuron sees: 1 or -1, 1, or normal. [default: sign]",
)
@click.option(
    "--widths",
    type=Integers("--widths", 10**5),
    default=(30, 100, 300, 1000),
    metavar="R,R,..",
    help="[default: 30,100,300,1000]",
)
@click.option(
    "--samples",
    type=Integers("--samples", 10**6),
    default=(200, 400, 800),
    metavar="M,M,..",
    help="[default: 200,400,800]",
)
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
    n: int,
    k: int,
    sparsity: tuple[int, ...] | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    plot: str | None,
    **options: Any,
) -> None:
    """Train networks on sparse parities, and count those that succeed beside what tickets predict.

    A network succeeds where at most a tenth of its answers to new questions are wrong. Intervals hold
    together with probability 0.95; predicted is the probability that a neuron sees all of the parity but
    one coordinate, and finds that in a first step.
    """
    one_place(workers, scheduler)
    distinct(out=options["out"], plot=plot)
    plot_target(plot)
    result = _trained(
        n, k, sparsity or tuple(dict.fromkeys((n, max(1, k - 1)))), workers, scheduler, **options
    )
    note = "\n".join(
        f"s = {row['s']}, {row['samples']} samples: half succeed at width {row['width'] or 'none'}, half "
        f"have a ticket at {row['predicted'] or 'none'}"
        for row in result.frontier()
    )
    show(result, as_json, plot, f"\n{note}")


def _trained(
    n: int,
    k: int,
    sparsity: tuple[int, ...],
    workers: int | None,
    scheduler: str | None,
    *,
    widths: tuple[int, ...],
    samples: tuple[int, ...],
    networks: int,
    out: str,
    resume: bool,
    seed: int,
    **training: Any,
) -> Any:
    from verify.cases import run_cases
    from verify.errors import CasesFileError, MissingExtraError
    from verify.extras import need
    from verify.parities.grid import grid, grid_cases
    from verify.parities.networks import Setting, train_case
    from widegap.errors import Failure
    from widegap.running import resumable

    try:
        need("jax", "optax")
    except MissingExtraError as error:
        raise Failure(str(error)) from error
    with _refusals():
        base = Setting(n, k, sparsity[0], widths[0], samples[0], **training)
        cases = grid_cases(base, sparsity, widths, samples, networks)
    with resumable(out, scheduler, "rows", CasesFileError) as (progress, executor):
        outcomes = run_cases(
            "parities",
            train_case,
            cases,
            seed=seed,
            out=out,
            resume=resume,
            executor=executor,
            workers=workers,
            progress=progress.update,
        )
    return grid(outcomes)
