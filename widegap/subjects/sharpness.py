"""``widegap solve sharpness`` and ``widegap experiment sharpness``."""

from typing import Any

import click

from widegap import running
from widegap.arguments import Number
from widegap.errors import refusals
from widegap.options import (
    choices_option,
    integer_option,
    number_option,
    resumable_options,
    seed_option,
)
from widegap.show.results import result_options, show

__all__ = ["experiment", "solve"]

_GRAPHS = ("homophilous", "heterophilous", "imports")
_MAX_NODES = 1_000_000


@click.group(
    epilog="\b\nExamples:\n"
    "  widegap solve sharpness accuracy --p 0.03 --q 0.01 --nodes 3000\n"
    "  widegap solve sharpness minimiser --step 0.1 --curvature 5 --radius 0.1"
)
def solve() -> None:
    """Predict where SAM and its graph variant end, and how well filtered features classify."""


def _block_options(command: Any) -> Any:
    for option in (
        number_option("--noise", 1.0, "Standard deviation of a feature within a class."),
        number_option("--separation", 1.0, "Distance of the two classes' means."),
        integer_option("--nodes", 2, _MAX_NODES, 1000, "Nodes, an even number."),
    ):
        command = option(command)
    return command


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve sharpness accuracy --p 0.03 --q 0.01 --nodes 3000\n"
    "  widegap solve sharpness accuracy --p 0.01 --q 0.03 --layers 6 --plot layers.png"
)
@click.option("--p", type=Number("--p"), required=True, metavar="P", help="Edges within a class.")
@click.option("--q", type=Number("--q"), required=True, metavar="Q", help="Edges between classes.")
@_block_options
@integer_option("--layers", 1, 8, 4, "Most layers.", "K")
@result_options
def accuracy(as_json: bool, plot: str | None, **options: Any) -> None:
    """Accuracy of the raw features' rule after 0, 1, .. layers of a linear graph network.

    Two-class contextual stochastic block model. The sign says whether the rule holds (1) or its reverse
    does (-1), the gap what the right one gains over raw features. For one layer there is the exact value of
    the finite graph, with its error.
    """
    with refusals():
        from numerics.sharpness import accuracy_by_layers

        result = accuracy_by_layers(**options)
    show(result, as_json, plot)


@solve.command(
    "map",
    epilog="\b\nExamples:\n"
    "  widegap solve sharpness map --points 5\n"
    "  widegap solve sharpness map --layers 2 --nodes 2000 --plot map.png",
)
@_block_options
@integer_option("--layers", 1, 8, 1, "Of averaging.", "K")
@number_option("--largest", 0.05, "Largest p and q.")
@integer_option("--points", 2, 1000, 41, "Of p, and of q.")
@result_options
def accuracy_map(as_json: bool, plot: str | None, **options: Any) -> None:
    """What filtering gains in accuracy over p (across) and q (down)."""
    with refusals():
        from numerics.sharpness import accuracy_map as computed

        result = computed(**options)
    show(result, as_json, plot)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve sharpness minimiser --step 0.1 --curvature 5 --radius 0.1\n"
    "  widegap solve sharpness minimiser --apart 0.04 --peer-curvature 2 --json"
)
@number_option("--step", 0.1, "Step size eta.")
@number_option("--curvature", 5.0, "Curvature of the (graph's) loss.")
@number_option("--peer-curvature", 1.0, "Curvature of the peer's loss.")
@number_option("--radius", 0.05, "Radius rho of the perturbation.")
@number_option("--weight", 0.5, "Weight lambda of the graph's gradient.")
@number_option("--apart", 1.0, "Distance of the minima of the two losses.")
@number_option("--norm", 1.0, "Norm of the gradient at SAM's edge of stability.")
@result_options
def minimiser(as_json: bool, plot: str | None, **options: float) -> None:
    """Where SAM and FGSAM end on quadratic losses of one dimension, and edges of stability."""
    with refusals():
        from numerics.sharpness import quadratic_limits

        result = quadratic_limits(**options)
    show(result, as_json, plot)


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap experiment sharpness --out few-shot.sqlite\n"
    "  widegap experiment sharpness --graph imports --tasks 24 --out few-shot.sqlite --resume"
)
@choices_option("--graph", "graphs", _GRAPHS, _GRAPHS)
@integer_option("--tasks", 2, 1000, 12, "Tasks of 3 known nodes a class, the same for all rules.")
@integer_option("--steps", 1, 100_000, 1000, "Updates of each network.")
@resumable_options("graph and learning rule")
@seed_option("Graphs, tasks and first weights")
@result_options
def experiment(
    graphs: tuple[str, ...],
    out: str,
    as_json: bool,
    plot: str | None,
    workers: int | None,
    scheduler: str | None,
    **options: Any,
) -> None:
    """Train graph networks by Adam, SAM, FGSAM, FGSAM+ and their variants on the same few-shot tasks.

    Graphs are block models of four classes with neighbours of the same class (homophilous) or of others, and
    the imports between sympy's modules. Differences to SAM have 99% intervals; FGSAM is equivalent to SAM
    within 0.02, or that is undecided. A few minutes.
    """
    from verify.sharpness.experiment import comparison

    with running.experiment(out, plot, workers, scheduler, "rules", ("jax", "optax")) as (
        progress,
        executor,
    ):
        result = comparison(
            tuple(dict.fromkeys(graphs)),
            out=out,
            executor=executor,
            workers=workers,
            progress=progress.update,
            **options,
        )
    show(result, as_json, plot, "\n" + "\n".join(result.verdicts()))
