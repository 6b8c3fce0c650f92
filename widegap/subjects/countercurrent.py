"""``widegap solve countercurrent`` and ``widegap experiment countercurrent``: two networks that meet."""

from collections.abc import Callable
from typing import Any

import click

from widegap import running
from widegap.arguments import (
    Integer,
    Integers,
    Number,
    OneOf,
    Times,
    resumable_options,
    seed_option,
)
from widegap.errors import refusals
from widegap.show.results import plot_target, result_options, show

__all__ = ["experiment", "solve"]

# theory's and verify's own, to which a test ties them: they are not imported to read a command line
DATA = ("digits", "breast-cancer", "white-digits")
RULES = ("ccl", "squared", "bp", "fa", "tp", "frozen")
ACTIVATIONS = ("linear", "relu", "elu")


def _count(name: str, least: int, most: int, default: int, text: str) -> Callable[..., Any]:
    return click.option(
        name,
        type=Integer(name, least, most),
        default=default,
        metavar=name[2:].upper(),
        help=f"{text} [default: {default}]",
    )


def _network(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a linear network and its data."""
    for option in (
        seed_option("Data and first weights"),
        click.option(
            "--gain",
            type=Number("--gain"),
            default=1.0,
            metavar="G",
            help="Factor of all first weights. [default: 1]",
        ),
        _count("--depth", 1, 20, 3, "Hidden layers."),
        _count("--width", 1, 512, 24, "Units of each; as many as classes at least."),
        _count("--samples", 1, 100_000, 400, "Of a mixture of normal classes, whitened."),
        _count("--classes", 1, 100, 10, "Their number."),
        _count("--inputs", 1, 512, 12, "Coordinates of an input."),
    ):
        command = option(command)
    return command


def _made(
    inputs: int, classes: int, samples: int, width: int, depth: int, gain: float, seed: int
) -> tuple[Any, Any, Any]:
    from numerics.countercurrent.networks import first_weights, mixture

    start = first_weights(inputs, classes, width, depth, gain=gain, seed=seed)
    return (*mixture(inputs, classes, samples, seed=seed), start)


@click.group("countercurrent")
def solve() -> None:
    """What two linear networks that teach each other conserve, and where they come to rest."""


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve countercurrent flow --plot cosines.png\n"
    "  widegap solve countercurrent flow --depth 1 --gain 0.1 --times 10,100,1000"
)
@_network
@click.option(
    "--times",
    type=Times(),
    default=(10.0, 40.0, 200.0),
    metavar="T,T,..",
    help="Learning rate times steps. [default: 10,40,200]",
)
@result_options
def flow(times: tuple[float, ...], as_json: bool, plot: str | None, **options: Any) -> None:
    """Distance from least squares, alignment and drift along the gradient flow, by layer."""
    plot_target(plot)
    with refusals():
        from numerics.countercurrent.flow import flow as computed

        result = computed(*_made(**options), times)
    show(result, as_json, plot, f"\nerror of all numbers: {result.error:.1e}")


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve countercurrent drift\n"
    "  widegap solve countercurrent drift --time 4 --steps 40,400 --width 16 --json"
)
@_network
@click.option(
    "--time",
    type=Number("--time"),
    default=10.0,
    metavar="T",
    help="Step size times steps. [default: 10]",
)
@click.option(
    "--steps",
    type=Integers("--steps", 10**6),
    default=(100, 500, 2000),
    metavar="N,N,..",
    help="Numbers of steps. [default: 100,500,2000]",
)
@result_options
def drift(
    time: float, steps: tuple[int, ...], as_json: bool, plot: str | None, **options: Any
) -> None:
    """Drift of the conserved matrices at finite steps, predicted and iterated, by layer."""
    plot_target(plot)
    with refusals():
        from numerics.countercurrent.flow import drift as computed

        result = computed(*_made(**options), time, [time / count for count in steps])
    show(result, as_json, plot)


def _several(name: str, kind: str, names: tuple[str, ...], default: tuple[str, ...]) -> Any:
    return click.option(
        f"--{kind}",
        name,
        type=OneOf(kind, names),
        default=default,
        multiple=True,
        metavar=kind.upper(),
        help=f"{', '.join(names)}; may be repeated. [default: {', '.join(default)}]",
    )


@click.command(
    "countercurrent",
    epilog="\b\nExamples:\n"
    "  widegap experiment countercurrent --out rules.sqlite --plot rules.png\n"
    "  widegap experiment countercurrent --data digits --rule ccl --rule bp --depth 1,3 \\\n"
    "      --epochs 20 --networks 8 --out small.sqlite --resume",
)
@_several("data", "data", DATA, DATA[:2])
@_several("rules", "rule", RULES, ("bp", "ccl", "fa", "tp", "frozen"))
@click.option(
    "--depth",
    "depths",
    type=Integers("--depth", 20),
    default=(2, 3, 4, 5, 6),
    metavar="L,L,..",
    help="Hidden layers. [default: 2,3,4,5,6]",
)
@_count("--width", 1, 512, 64, "Units of each; as many as classes at least.")
@click.option(
    "--activation",
    type=OneOf("activation", ACTIVATIONS),
    default="elu",
    metavar="|".join(ACTIVATIONS),
    help="Of both networks. [default: elu]",
)
@_count("--epochs", 1, 10_000, 60, "Of batches of 64.")
@click.option(
    "--rate",
    type=Number("--rate"),
    default=1.0,
    metavar="ETA",
    help="Learning rate of both networks. [default: 1]",
)
@_count("--networks", 1, 10_000, 4, "Of each rule, table and depth.")
@resumable_options("rule at a depth")
@seed_option("All networks and parts of the data")
@result_options
def experiment(out: str, as_json: bool, plot: str | None, **options: Any) -> None:
    """Train networks by counter-current learning and by other rules, from the same first weights.

    Rules: ccl, counter-current learning; squared, the same with squared differences; bp, backpropagation; fa,
    feedback alignment; tp, target propagation; frozen, the last layer alone.
    """
    from verify.cases import run_cases
    from verify.countercurrent.experiment import SUBJECT, cases, rules, train_case
    from verify.countercurrent.networks import NEEDS, Setting

    workers, scheduler = options.pop("workers"), options.pop("scheduler")
    resume, seed = options.pop("resume"), options.pop("seed")
    grid = [options.pop(name) for name in ("data", "rules", "depths", "networks")]
    chosen: list[dict[str, Any]] = []

    def check() -> None:
        chosen.extend(cases(Setting(data=grid[0][0], **options), *grid, seed=seed))

    with running.experiment(out, plot, workers, scheduler, "rules", NEEDS, check) as (
        progress,
        executor,
    ):
        outcomes = run_cases(
            SUBJECT, train_case, chosen, seed=seed, out=out, resume=resume, executor=executor,
            workers=workers, progress=progress.update,
        )  # fmt: skip
    show(rules(outcomes), as_json, plot)
