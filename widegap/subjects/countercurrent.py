"""``widegap solve countercurrent`` and ``widegap experiment countercurrent``: two networks that meet."""

from collections.abc import Callable
from typing import Any

import click

from widegap import running
from widegap.arguments import Integer, Integers, Number, OneOf, Times
from widegap.errors import refusals
from widegap.options import resumable_options, seed_option
from widegap.show.results import result_options, show

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


@click.command(
    "countercurrent",
    epilog="\b\nExamples:\n"
    "  widegap solve countercurrent --plot cosines.png\n"
    "  widegap solve countercurrent --depth 1 --gain 0.1 --times 10,100,1000 --json",
)
@_count("--inputs", 1, 512, 12, "Coordinates of an input.")
@_count("--classes", 1, 100, 10, "Their number.")
@_count("--samples", 1, 100_000, 400, "Of a mixture of normal classes, whitened.")
@_count("--width", 1, 512, 24, "Units of a layer; as many as classes at least.")
@_count("--depth", 1, 20, 3, "Hidden layers.")
@click.option(
    "--gain",
    type=Number("--gain"),
    default=1.0,
    metavar="G",
    help="Factor of all first weights. [default: 1]",
)
@click.option(
    "--times",
    type=Times(),
    default=(10.0, 40.0, 200.0),
    metavar="T,T,..",
    help="Learning rate times steps. [default: 10,40,200]",
)
@seed_option("Data and first weights")
@result_options
def solve(as_json: bool, plot: str | None, **options: Any) -> None:
    """Follow two linear networks that teach each other along their gradient flow, layer by layer.

    Columns: distance of the layer's fit from least squares; cosine of W and V', what the law of alignment
    leaves at least, and that of what data see of both; drift of W'W - V'V for each unit of the step size,
    relative to the change of W'W.
    """
    times, gain, seed = (options.pop(name) for name in ("times", "gain", "seed"))
    with refusals():
        from numerics.countercurrent import first_weights, flow, mixture

        samples = options.pop("samples")
        start = first_weights(**options, gain=gain, seed=seed)
        data = mixture(options["inputs"], options["classes"], samples, seed=seed)
        result = flow(*data, start, times)
    show(result, as_json, plot, f"\nerror of all numbers: {result.error:.1e}")


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
