"""``widegap solve countercurrent`` and ``widegap experiment countercurrent``: two networks that meet."""

from typing import Any

import click

from widegap import running
from widegap.arguments import Times
from widegap.errors import refusals
from widegap.options import (
    choice_option,
    choices_option,
    integer_option,
    integers_option,
    number_option,
    resumable_options,
    seed_option,
)
from widegap.show.progress import SweepProgress
from widegap.show.results import result_options, show

__all__ = ["experiment", "solve"]

# theory's and verify's own, to which a test ties them: they are not imported to read a command line
DATA = ("digits", "breast-cancer", "white-digits")
RULES = ("ccl", "squared", "bp", "fa", "tp", "frozen")
ACTIVATIONS = ("linear", "relu", "elu")


@click.command(
    "countercurrent",
    epilog="\b\nExamples:\n"
    "  widegap solve countercurrent --plot cosines.png\n"
    "  widegap solve countercurrent --depth 1 --gain 0.1 --times 10,100,1000 --json",
)
@integer_option("--inputs", 1, 512, 12, "Coordinates of an input.")
@integer_option("--classes", 1, 100, 10, "Their number.")
@integer_option("--samples", 1, 100_000, 400, "Of a mixture of normal classes, whitened.")
@integer_option("--width", 1, 512, 24, "Units of a layer; as many as classes at least.")
@integer_option("--depth", 1, 20, 3, "Hidden layers.")
@number_option("--gain", 1.0, "Factor of all first weights.")
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
    times, gain, seed, samples = (options.pop(k) for k in ("times", "gain", "seed", "samples"))
    with refusals(), SweepProgress("percent of the time") as progress:
        from numerics.countercurrent import first_weights, flow, mixture
        from numerics.results import rounded_up

        start = first_weights(**options, gain=gain, seed=seed)
        data = mixture(options["inputs"], options["classes"], samples, seed=seed)
        result = flow(*data, start, times, progress=lambda f: progress.update(int(100 * f), 100, 0))
    show(result, as_json, plot, f"\nerror of all numbers: {rounded_up(result.error)}")


@click.command(
    "countercurrent",
    epilog="\b\nExamples:\n"
    "  widegap experiment countercurrent --out rules.sqlite --plot rules.png\n"
    "  widegap experiment countercurrent --data digits --rule ccl --rule bp --depth 1,3 \\\n"
    "      --epochs 20 --networks 8 --out small.sqlite --resume",
)
@choices_option("--data", "data", DATA, DATA[:2])
@choices_option("--rule", "rules", RULES, ("bp", "ccl", "fa", "tp", "frozen"))
@integers_option("--depth", "depths", 20, (2, 3, 4, 5, 6), "Hidden layers.", "L,L,..")
@integer_option("--width", 1, 512, 64, "Units of each; as many as classes at least.")
@choice_option("--activation", ACTIVATIONS, "elu", "Of both networks.")
@integer_option("--epochs", 1, 10_000, 60, "Of batches of 64.")
@number_option("--rate", 1.0, "Learning rate of both networks.", "ETA")
@integer_option("--networks", 1, 10_000, 4, "Of each rule, table and depth.")
@resumable_options("rule at a depth")
@seed_option("All networks and parts of the data")
@result_options
def experiment(as_json: bool, plot: str | None, **options: Any) -> None:
    """Train networks by counter-current learning and by other rules, from the same first weights.

    Rules: ccl, counter-current learning; squared, the same with squared differences; bp, backpropagation; fa,
    feedback alignment; tp, target propagation; frozen, the last layer alone.
    """
    from verify.countercurrent.experiment import SUBJECT, cases, rules, train_case
    from verify.countercurrent.networks import NEEDS, Setting

    grid = [options.pop(name) for name in ("data", "rules", "depths", "networks")]
    setting = {k: options.pop(k) for k in ("width", "activation", "epochs", "rate")}
    outcomes = running.outcomes(
        SUBJECT, train_case,
        lambda: cases(Setting(data=grid[0][0], **setting), *grid, seed=options["seed"]),
        what="rules", needs=NEEDS, plot=plot, **options,
    )  # fmt: skip
    show(rules(outcomes), as_json, plot)
