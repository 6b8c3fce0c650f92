"""``widegap solve reconstruction`` and ``widegap experiment reconstruction``: what weights say of data."""

from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import Integer, Number, OneOf, Values, distinct, output_file
from widegap.errors import Failure, deliver, refusals, say
from widegap.options import (
    choices_option,
    integer_option,
    integers_option,
    number_option,
    resumable_options,
    seed_option,
)
from widegap.show.results import result_options, show

if TYPE_CHECKING:
    from pathlib import Path

    from numerics.reconstruction.attack import Reconstruction
    from numerics.reconstruction.network import Network

__all__ = ["experiment", "solve"]

# numerics' and verify's own, to which a test ties them: neither is imported to read a command line
LOSSES = ("squared", "huber", "logistic", "cross-entropy", "margin", "interpolation")
TASKS = ("multiclass", "convolution", "binary", "regression")


@click.command(
    "reconstruction",
    epilog="\b\nExamples:\n"
    "  widegap solve reconstruction --weights net.npz --candidates 20 --plot candidates.png\n"
    "  widegap solve reconstruction --weights net.npz --data mine.npz --loss cross-entropy --audit",
)
@click.option(
    "--weights",
    required=True,
    metavar="FILE",
    help="Arrays W1, W2, .. of shape (units, inputs) and b1; W1 may be a convolution. A .npz file.",
)
@click.option(
    "--data", metavar="FILE", help="Samples x, one a row, and their targets y. A .npz file."
)
@click.option(
    "--audit",
    is_flag=True,
    help="With --data: reconstruct samples, and say which of x the weights give away.",
)
@click.option(
    "--loss",
    type=OneOf("loss", LOSSES),
    metavar="LOSS",
    help=f"{', '.join(LOSSES)}; the last two for training without decay. [default: cross-entropy, for one "
    "output squared]",
)
@click.option(
    "--decay",
    type=Number("--decay"),
    metavar="RHO",
    help="Weight decay: rho/2 |theta|^2 beside the mean loss. [default: read off the weights]",
)
@click.option(
    "--clip",
    type=Number("--clip"),
    metavar="C",
    help="Where the Huber loss becomes linear. [default: 1]",
)
@click.option(
    "--candidates",
    type=Integer("--candidates", 1, 100_000),
    metavar="N",
    help="Samples to look for. [default: twice as many as x has, or 20]",
)
@number_option("--bound", 1.0, "Largest absolute value of a candidate's numbers.", "B")
@integer_option("--restarts", 1, 10_000, 1, "Random starts, of which the best is shown.")
@integer_option("--iterations", 1, 1_000_000, 500, "Of the optimiser in each of five stages.")
@click.option("--out", metavar="FILE", help="Write the candidates, samples and multipliers: .npz.")
@seed_option("Random starts")
@result_options
def solve(
    weights: str,
    data: str | None,
    audit: bool,
    loss: str | None,
    as_json: bool,
    plot: str | None,
    **options: Any,
) -> None:
    """Find out what the weights of a network say of the data that it was trained on.

    With --data: the multipliers of the samples, and how far the weights are from rest on them, between
    proved bounds. Without: candidates for the samples, from the weights alone. With --audit both are matched,
    and each sample has the cosine with its candidate beside that of random starts.
    """
    out = options.pop("out")
    distinct(out=out, plot=plot)
    target = None if out is None else output_file("--out", out, (".npz",))
    if audit and data is None:
        raise click.UsageError("--audit needs the samples: --data")
    if data is not None and not audit and (out or options["candidates"]):
        raise click.UsageError("--out and --candidates go with --audit, or without --data")
    rest_alone = {name: options.pop(name) for name in ("decay", "clip")}
    rest_alone = {name: value for name, value in rest_alone.items() if value is not None}
    if rest_alone and (data is None or audit):
        raise click.UsageError("--decay and --clip go with --data, without --audit")
    with refusals():
        from numerics.reconstruction.network import Network, check_samples, read_arrays

        network = Network.of(read_arrays(weights))
        loss = loss or ("cross-entropy" if network.outputs > 1 else "squared")
        samples = {} if data is None else read_arrays(data)
        if data is not None and not {"x"} <= set(samples) <= {"x", "y"}:
            raise ValueError(f"{data} needs arrays x and y, got {', '.join(samples) or 'none'}")
        if data is not None and not audit:
            from numerics.reconstruction.stationarity import stationarity

            if "y" not in samples:
                raise ValueError(f"{data} has no targets y")
            rest = stationarity(network, samples["x"], samples["y"], loss, **rest_alone)
            show(rest, as_json, plot, f"\n{rest.note()}")
            return
        count = options.pop("candidates")
        if data is None:
            made = _reconstructed(network, loss, count or 20, **options)
            note = f"\nresidual {made.residual:.4f}, first layer of rank {made.rank}"
            deliver(
                lambda: show(made, as_json, plot, note),
                lambda: _write_candidates(made, target, out),
            )
            return
        x = check_samples(network, samples["x"])
        count = count or 2 * len(x)
        if count < len(x):
            raise ValueError(f"{len(x)} samples need as many --candidates or more, got {count}")
        from numerics.reconstruction.attack import audit as compared

        made = _reconstructed(network, loss, count, **options)
        result = compared(network, made, x, seed=options["seed"])
    note = f"\n{result.given_away} of {len(x)} samples given away: a cosine above 0.9"
    deliver(lambda: show(result, as_json, plot, note), lambda: _write_candidates(made, target, out))


def _reconstructed(network: "Network", loss: str, count: int, **options: Any) -> "Reconstruction":
    """Search, with progress."""
    from numerics.reconstruction.attack import reconstruct
    from widegap.show.progress import SweepProgress

    with SweepProgress("stages") as progress:
        return reconstruct(
            network,
            count,
            centred=network.outputs > 1 and loss in ("cross-entropy", "margin"),
            progress=lambda done, total: progress.update(done, total, 0),
            **{name: options[name] for name in ("bound", "restarts", "iterations", "seed")},
        )


def _write_candidates(made: "Reconstruction", target: "Path | None", out: str | None) -> None:
    """Write the candidates where that is asked for."""
    if target is None:
        return
    import numpy as np

    from widegap.files import atomic_write

    try:
        with atomic_write(target) as stream:
            np.savez(stream, x=np.array(made.samples), multipliers=np.array(made.multipliers))
    except OSError as error:
        raise Failure(f"cannot write --out {out}: {error}") from error
    say(f"candidates written to {out}")


@click.command(
    "reconstruction",
    epilog="\b\nExamples:\n"
    "  widegap experiment reconstruction --out digits.sqlite\n"
    "  widegap experiment reconstruction --task multiclass --samples 10,20,40 --widths 50,200 \\\n"
    "      --out digits.sqlite --resume --plot back.png",
)
@choices_option("--task", "tasks", TASKS, TASKS)
@integers_option("--samples", "samples", 500, (10, 20), "Digits that a network is trained on.")
@integers_option("--widths", "widths", 5000, (200,), "Hidden units.")
@click.option(
    "--decay",
    "decays",
    type=Values("--decay"),
    multiple=True,
    default=("0.003", "0"),
    metavar="RHO",
    help="Weight decay; may be repeated. [default: 0.003 and 0]",
)
@integer_option(
    "--draws", 1, 1000, 4, "Networks of each setting, on the same data in all settings."
)
@resumable_options("network")
@seed_option("Data, first weights and random starts")
@result_options
def experiment(
    tasks: tuple[str, ...],
    samples: tuple[int, ...],
    widths: tuple[int, ...],
    decays: tuple[tuple[Any, ...], ...],
    draws: int,
    as_json: bool,
    plot: str | None,
    **options: Any,
) -> None:
    """Train networks on digits, with and without decay, and count the samples that come back.

    For each setting: the residual on the true samples and on other digits, the rank of the first layer, the
    share of samples with a cosine above 0.9 with its standard error, the same of as many random starts and
    other digits, and the mean cosine. Some minutes.
    """
    from verify.reconstruction.experiment import NEEDS, SUBJECT, Leaks, cases, recovered

    rates = tuple(dict.fromkeys(float(rate) for several in decays for rate in several))
    outcomes = running.outcomes(
        SUBJECT, recovered,
        lambda: cases(tuple(dict.fromkeys(tasks)), samples, widths, rates, draws, options["seed"]),
        what="networks", needs=NEEDS, plot=plot, **options,
    )  # fmt: skip
    show(Leaks.of(outcomes), as_json, plot)
