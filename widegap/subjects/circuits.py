"""``widegap solve circuits`` and ``widegap experiment circuits``: which edges carry a fact."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import Integer, OneOf
from widegap.errors import refusals
from widegap.options import (
    choice_option,
    integer_option,
    integers_option,
    number_option,
    resumable_options,
    seed_option,
)
from widegap.show.results import result_options, show

if TYPE_CHECKING:
    from theory.circuits import Residual

__all__ = ["experiment", "solve"]

# verify's and theory's own, to which a test ties them: they are not imported to read a command line
METHODS = ("ablation", "eap", "eap-ig", "acdc", "random")
NETWORKS = ("planted", "trained")
KINDS = ("or", "and", "add")
PATCHES = ("zero", "corrupt")
PERCENTS = (2, 5, 10, 20, 50)

_tau = number_option(
    "--tau", 0.01, "ACDC's threshold: an edge goes where the loss grows by less.", "T"
)


def _scoring(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of ACDC on a graph."""
    order = "ACDC's order, from the output back or from the input on."
    for option in (
        click.option(
            "--absolute",
            is_flag=True,
            help="ACDC keeps edges whose removal lowers the loss by T, too.",
        ),
        choice_option("--visits", ("backward", "forward"), "backward", order),
        _tau,
    ):
        command = option(command)
    return command


@click.group("circuits")
def solve() -> None:
    """Score the edges of small graphs by every method."""


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve circuits gate --kind or --copies 3\n"
    "  widegap solve circuits gate --kind and --visits forward --plot and.svg"
)
@choice_option(
    "--kind", KINDS, "or", "Whether one copy does, all are needed, or each adds its share."
)
@integer_option("--copies", 1, 12, 2, "Copies of a head.")
@_scoring
@result_options
def gate(kind: str, copies: int, as_json: bool, plot: str | None, **options: Any) -> None:
    """Edges from copies of a head to the loss: single ablation, EAP, EAP-IG, Shapley values, ACDC."""
    with refusals():
        from theory.circuits import SINK
        from theory.circuits import gate as built

        graph = built(kind, copies)
        players = [edge for edge in graph.edges if edge[1] == SINK]
    _compared(graph, as_json, plot, players=players, **options)


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve circuits graph net.json\n"
    "  widegap solve circuits graph net.json --tau 0.1 --absolute --plot net.png"
)
@click.argument("file", type=click.Path())
@_scoring
@result_options
def graph(file: str, as_json: bool, plot: str | None, **options: Any) -> None:
    """All edges of a residual graph of scalar functions, from a JSON file.

    {"nodes": {"a": "tanh(2*x)", "output": "max(0, 1-x)"}, "edges": [["input", "a"], ["a", "output"]]}, with
    "clean" and "corrupt" for values of the input other than 1 and 0; the loss is the function of output.
    """
    with refusals():
        from numerics.circuits import read_graph

        read = read_graph(file)
    _compared(read, as_json, plot, **options)


def _compared(graph: "Residual", as_json: bool, plot: str | None, **options: Any) -> None:
    with refusals():
        from numerics.circuits import Compiled, compare
        from numerics.results import rounded_up

        result = compare(Compiled(graph), **options)
        error = rounded_up(result.error)
    note = f"\nwithout all edges the loss is larger by {result.total:.6g}; EAP-IG within {error}"
    show(result, as_json, plot, note)


@click.command(
    "circuits",
    epilog="\b\nExamples:\n"
    "  widegap experiment circuits --out planted.sqlite --plot planted.png\n"
    "  widegap experiment circuits --checkpoint gpt2 --prompts prompts.json --method eap-ig \\\n"
    "      --method random --out gpt2.sqlite --resume",
)
@click.option(
    "--network",
    type=OneOf("network", NETWORKS),
    metavar="|".join(NETWORKS),
    help="Built by hand with two copies of a head, or trained on the same facts. [default: planted]",
)
@click.option(
    "--networks",
    type=Integer("--networks", 1, 10**4),
    metavar="N",
    help="How many of them. [default: 8]",
)
@click.option(
    "--checkpoint",
    type=click.Path(),
    metavar="DIR",
    help="Instead, a GPT-2 that you have: config.json and model.safetensors.",
)
@click.option(
    "--prompts",
    type=click.Path(),
    metavar="FILE",
    help='Its questions, token numbers: [{"clean": [..], "corrupt": [..], "answer": N}, ..].',
)
@click.option(
    "--method",
    "methods",
    type=OneOf("method", METHODS),
    multiple=True,
    metavar="|".join(METHODS),
    help="May be repeated. [default: all; of a checkpoint eap, eap-ig, random, as others take a run an edge]",
)
@integers_option(
    "--percents", "percents", 100, PERCENTS, "Sizes of circuits, of all edges.", "P,P,.."
)
@choice_option(
    "--patch", PATCHES, "zero", "What edges that are cut bring: nothing, or another question's."
)
@_tau
@resumable_options("network or question")
@seed_option("Networks and random circuits")
@result_options
def experiment(as_json: bool, plot: str | None, **options: Any) -> None:
    """Find circuits by each method, and see how much of the network's knowledge they keep.

    Faithfulness is 1 where the circuit's loss is the network's, 0 where it is that without edges.
    """
    from verify.circuits.experiment import NEEDS, faithfulness, run_case

    names = ("network", "networks", "checkpoint", "prompts", "methods", "patch", "percents", "tau")
    asked = {name: options.pop(name) for name in names}
    outcomes = running.outcomes(
        "circuits", run_case, lambda: _cases(**asked), what="cases", plot=plot,
        needs=NEEDS if asked["checkpoint"] is None else (*NEEDS, "safetensors"), **options,
    )  # fmt: skip
    with refusals():
        result = faithfulness(outcomes)
    left = f"{result.left_out} cases lose nothing without their edges" if result.left_out else ""
    show(result, as_json, plot, left)


def _cases(
    network: str | None,
    networks: int | None,
    checkpoint: str | None,
    prompts: str | None,
    methods: tuple[str, ...],
    patch: str,
    **common: Any,
) -> list[dict[str, Any]]:
    from verify.circuits.experiment import cases_of

    if (checkpoint is None) != (prompts is None):
        raise ValueError("--checkpoint DIR and --prompts FILE go together")
    if checkpoint is not None and (network, networks) != (None, None):
        raise ValueError(
            "--network and --networks are for networks made here, not for --checkpoint"
        )
    few = METHODS if checkpoint is None else ("eap", "eap-ig", "random")
    kind = network or "planted" if checkpoint is None else "checkpoint"
    return cases_of(
        kind, networks or 8, methods=methods or few, zero=patch == "zero", folder=checkpoint,
        prompts=prompts, **common,
    )  # fmt: skip
