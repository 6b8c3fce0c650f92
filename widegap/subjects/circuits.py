"""``widegap solve circuits`` and ``widegap experiment circuits``: which edges carry a fact."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import Integer, Integers, Number, OneOf
from widegap.errors import refusals
from widegap.options import resumable_options, seed_option
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


def _threshold(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--tau",
        type=Number("--tau"),
        default=0.01,
        metavar="T",
        help="ACDC's threshold: an edge goes where the loss grows by less. [default: 0.01]",
    )(command)


def _scoring(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of ACDC on a graph."""
    command = click.option(
        "--absolute",
        is_flag=True,
        help="ACDC keeps edges whose removal lowers the loss by T, too.",
    )(command)
    command = click.option(
        "--visits",
        type=OneOf("visits", ("backward", "forward")),
        default="backward",
        metavar="backward|forward",
        help="ACDC's order, from the output back or from the input on. [default: backward]",
    )(command)
    return _threshold(command)


@click.group("circuits")
def solve() -> None:
    """Score the edges of small graphs by every method."""


@solve.command(
    epilog="\b\nExamples:\n"
    "  widegap solve circuits gate --kind or --copies 3\n"
    "  widegap solve circuits gate --kind and --visits forward --plot and.svg"
)
@click.option(
    "--kind",
    type=OneOf("kind", KINDS),
    default="or",
    metavar="|".join(KINDS),
    help="Whether one copy does, all are needed, or each adds its share. [default: or]",
)
@click.option(
    "--copies",
    type=Integer("--copies", 1, 12),
    default=2,
    metavar="N",
    help="Copies of a head. [default: 2]",
)
@_scoring
@result_options
def gate(kind: str, copies: int, as_json: bool, plot: str | None, **options: Any) -> None:
    """Edges from copies of a head to the loss: single ablation, EAP, EAP-IG, Shapley values, ACDC."""

    def made() -> "tuple[Residual, bool]":
        from theory.circuits import gate as built

        return built(kind, copies), True

    _compared(made, as_json, plot, options)


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

    def made() -> "tuple[Residual, bool]":
        from numerics.circuits import read_graph

        return read_graph(file), False

    _compared(made, as_json, plot, options)


def _compared(
    made: "Callable[[], tuple[Residual, bool]]",
    as_json: bool,
    plot: str | None,
    options: dict[str, Any],
) -> None:
    """Score a graph's edges, or those into its output alone."""
    with refusals():
        from numerics.circuits import Compiled, compare
        from theory.circuits import SINK

        graph, last = made()
        players = [edge for edge in graph.edges if edge[1] == SINK or not last]
        result = compare(Compiled(graph), players=players, **options)
    note = f"\nwithout all edges the loss is larger by {result.total:.6g}; EAP-IG within {result.error:.1e}"
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
@click.option(
    "--percents",
    type=Integers("--percents", 100),
    default=PERCENTS,
    metavar="P,P,..",
    help=f"Sizes of circuits, of all edges. [default: {','.join(map(str, PERCENTS))}]",
)
@click.option(
    "--patch",
    type=OneOf("patch", PATCHES),
    default="zero",
    metavar="|".join(PATCHES),
    help="What edges that are cut bring: nothing, or what another question does. [default: zero]",
)
@_threshold
@resumable_options("network or question")
@seed_option("Networks and random circuits")
@result_options
def experiment(out: str, as_json: bool, plot: str | None, **options: Any) -> None:
    """Find circuits by each method, and see how much of the network's knowledge they keep.

    Faithfulness is 1 where the circuit's loss is the network's, 0 where it is that without edges.
    """
    from verify.cases import run_cases
    from verify.circuits.experiment import NEEDS, faithfulness, run_case

    workers, scheduler = options.pop("workers"), options.pop("scheduler")
    resume, seed = options.pop("resume"), options.pop("seed")
    given = options["checkpoint"] is not None
    needs = (*NEEDS, "safetensors") if given else NEEDS
    cases: list[dict[str, Any]] = []
    with (
        running.experiment(
            out, plot, workers, scheduler, "cases", needs, lambda: cases.extend(_cases(**options))
        ) as (progress, executor),
        refusals(),
    ):
        outcomes = run_cases(
            "circuits", run_case, cases, seed=seed, out=out, resume=resume, executor=executor,
            workers=workers, progress=progress.update,
        )  # fmt: skip
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

    common["zero"] = patch == "zero"
    if (checkpoint is None) != (prompts is None):
        raise ValueError("--checkpoint DIR and --prompts FILE go together")
    if checkpoint is None or prompts is None:
        count = 8 if networks is None else networks
        return cases_of(network or "planted", count, methods=methods or METHODS, **common)
    if network is not None or networks is not None:
        raise ValueError(
            "--network and --networks are for networks made here, not for --checkpoint"
        )
    chosen = methods or ("eap", "eap-ig", "random")
    return cases_of("checkpoint", 0, methods=chosen, folder=checkpoint, prompts=prompts, **common)
