"""The command ``widegap experiment``: how far algorithms reach, against where theory says they stop."""

import math
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import MAX_COUNT, Integer, Integers, OneOf, Values, distinct, output_file
from widegap.errors import deliver, emit, say
from widegap.options import memory_option, model_argument, one_place, resumable_options, seed_option
from widegap.show.plots import SUFFIXES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from theory import Model
    from verify.thresholds.crossings import SuccessCurve
    from verify.thresholds.trials import Experiment

__all__ = ["experiment", "reach_figure", "reach_report"]

ALGORITHMS = ("belief", "focusing", "clup", "replicas", "annealing", "incremental")
_LEVELS = range(2, 8)
_COLOURS = ("#56b4e9", "#0072b2", "#009e73", "#cc79a7", "#d55e00")


@click.command(
    epilog="\b\nExamples:\n"
    "  widegap experiment sbp --kappa 1 --sizes 250,500,1000 --alpha 1.4:1.65:0.025 --out run.sqlite\n"
    "  widegap experiment abp --kappa 0 --sizes 1000 --alpha 0.7:0.8:0.02 --out run.sqlite --resume \\\n"
    "      --plot reach.png"
)
@model_argument
@click.option(
    "--kappa",
    type=Values("--kappa"),
    required=True,
    metavar="A:B:STEP",
    help="One margin, or several.",
)
@click.option(
    "--sizes",
    type=Integers("--sizes", 10**9),
    required=True,
    metavar="N,N,..",
    help="Numbers of columns n of the instances.",
)
@click.option(
    "--alpha",
    "alphas",
    type=Values("--alpha"),
    required=True,
    metavar="A:B:STEP",
    help="Densities m/n.",
)
@click.option(
    "--algorithm",
    "algorithms",
    type=OneOf("algorithm", ALGORITHMS),
    multiple=True,
    default=("belief",),
    metavar="|".join(ALGORITHMS),
    help="May be repeated. [default: belief]",
)
@click.option(
    "--budget",
    "budgets",
    type=Integers("--budget", 10**8),
    default=(2000,),
    metavar="N,N,..",
    help="Passes over the matrix that an attempt may take. [default: 2000]",
)
@click.option(
    "--samples",
    type=Integer("--samples", 1, MAX_COUNT),
    default=16,
    metavar="N",
    help="Instances of each margin, size and density. [default: 16]",
)
@memory_option("the matrix of an instance")
@resumable_options("trial")
@seed_option("All instances")
@click.option(
    "--plot",
    type=click.Path(),
    metavar="FILE",
    help="Draw success against density (png, svg, pdf).",
)
def experiment(
    model: str, out: str, plot: str | None, resume: bool, seed: int, **options: Any
) -> None:
    """Try algorithms on random instances of MODEL, sbp or abp, and find how far they reach.

    For each margin, algorithm, budget and size: the density at which half of the instances are
    solved. With several sizes, its limit for large n. Levels of the theory stand beside it.
    """
    one_place(options["workers"], options["scheduler"])
    distinct(out=out, plot=plot)
    target = None if plot is None else output_file("--plot", plot, SUFFIXES)
    from widegap.commands.sweep import models_of

    models = models_of(model, {"kappa": options["kappa"]})
    trials = _run(models, out, resume, seed, **options)

    def draw() -> None:
        from widegap.show.plots import write_figure

        if target is not None:
            write_figure(lambda: reach_figure(trials, models), target, str(plot))
            say(f"plot written to {plot}")

    deliver(lambda: emit(reach_report(trials, models)), draw)


def reach_report(trials: "Experiment", models: "list[Model]") -> str:
    """Say how far algorithms reach, and what the theory has to say.

    Parameters
    ----------
    trials
        An experiment; of its margins only those of ``models`` are reported.
    models
        Models with numeric margins.

    Returns
    -------
    str
        Lines of text.
    """
    lines = []
    for model, curves in _by_model(trials, models):
        levels = ", ".join(f"{level}: {value:.5g}" for level, value in _thresholds(model).items())
        lines.append(f"{model}; alpha by level  {levels or '(none converged)'}")
        groups: dict[tuple[str, int], list[SuccessCurve]] = {}
        for curve in curves:
            groups.setdefault((curve.algorithm, curve.budget), []).append(curve)
        for (algorithm, budget), group in groups.items():
            for curve in group:
                tried = f"  {algorithm}, budget {budget}, n = {curve.n}: "
                solved = f"{sum(curve.solved)} of {sum(curve.trials)} solved"
                lines.append(f"{tried}{solved}{_half(curve)}, {curve.seconds:.2g} s each")
            if len(group) > 1 and all(len(curve.alphas) > 1 for curve in group):
                lines.append(f"  {algorithm}, budget {budget}, n -> infinity: {_limit(group)}")
    return "\n".join(lines) + "\n"


def _half(curve: "SuccessCurve") -> str:
    """Where half of the instances are solved, if that is known at all."""
    from verify.thresholds.crossings import crossing

    if len(curve.alphas) < 2:
        return ""
    at = crossing(curve.alphas, curve.trials, curve.solved)
    if at.bracketed:
        return f", half at alpha = {at.alpha:.4f} ({at.low:.4f} to {at.high:.4f})"
    if at.side == "above":
        return f", half not below the densities tried (alpha >= {curve.alphas[-1]:.5g})"
    if at.side == "below":
        return f", half not above the densities tried (alpha <= {curve.alphas[0]:.5g})"
    return ", half nowhere: success does not fall with the density"


def _limit(group: "list[SuccessCurve]") -> str:
    """The crossings' limit for large n, if all of them are crossings."""
    from verify.thresholds.crossings import extrapolate

    try:
        limit = extrapolate(group)
    except ValueError as error:
        return str(error)
    return f"alpha = {limit.limit:.4f} ({limit.low:.4f} to {limit.high:.4f})"


def reach_figure(trials: "Experiment", models: "list[Model]") -> "Figure":
    """Draw success against density, one panel for each margin, with the theory's levels as lines.

    Where half of the instances are solved there is a diamond with its 95 % interval; where the densities
    tried do not bracket that, the legend says on which side it lies.

    Parameters
    ----------
    trials, models
        As for `reach_report`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from numerics.figures.style import STYLE

    chosen = _by_model(trials, models)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.6 + 2.7 * len(chosen)), layout="constrained")
        panels = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for panel, (model, curves) in zip(panels, chosen, strict=True):
            for index, curve in enumerate(curves):
                _draw_curve(panel, curve, _COLOURS[index % len(_COLOURS)])
            _draw_levels(panel, _thresholds(model), min(c.alphas[0] for c in curves))
            panel.set_ylim(-0.03, 1.03)
            panel.set_ylabel("instances solved")
            panel.set_title(f"{model.name.upper()}, $\\kappa = {float(model.kappa):g}$", pad=14)  # pyright: ignore[reportAttributeAccessIssue]
            panel.legend(loc="best", fontsize=8)
        panels[-1].set_xlabel(r"$\alpha = m/n$; dashed: the levels, and $\alpha_c$")
    return figure


def _draw_curve(panel: "Axes", curve: "SuccessCurve", colour: str) -> None:
    """The shares solved with their errors, and where half of the instances are."""
    from verify.thresholds.crossings import crossing

    counts = list(zip(curve.solved, curve.trials, strict=True))
    errors = [((s + 1) * (t - s + 1) / ((t + 2) ** 2 * (t + 3))) ** 0.5 for s, t in counts]
    label = f"{curve.algorithm}, $n = {curve.n}$"
    if len(curve.alphas) > 1:
        at = crossing(curve.alphas, curve.trials, curve.solved)
        if at.bracketed:
            interval = [[max(at.alpha - at.low, 0.0)], [max(at.high - at.alpha, 0.0)]]
            panel.errorbar(
                [at.alpha], [0.5], xerr=interval, marker="D", markersize=5, capsize=3, color=colour
            )
        else:
            label += f" (half: {at.side or 'nowhere in'} what was tried)"
    shares = [s / t for s, t in counts]
    panel.errorbar(
        curve.alphas,
        shares,
        errors,
        marker="o",
        markersize=3,
        linewidth=1.2,
        color=colour,
        label=label,
    )


def _draw_levels(panel: "Axes", thresholds: dict[int, float], lowest: float) -> None:
    """Lines where the theory has its levels; names that would lie on top of each other are left out."""
    last = -math.inf
    apart = 0.03 * (max(thresholds.values(), default=lowest) - lowest)
    for level, value in sorted(thresholds.items(), reverse=True):
        panel.axvline(value, color="#666666", linewidth=0.8, linestyle="--")
        if level not in (2, 3) and value - last < apart:
            continue
        last = value
        name = r"$\alpha_c$" if level == 2 else str(level)
        panel.annotate(name, (value, 1.04), ha="center", fontsize=8, annotation_clip=False)


def _run(
    models: "list[Model]",
    out: str,
    resume: bool,
    seed: int,
    *,
    kappa: tuple[Fraction, ...],
    sizes: tuple[int, ...],
    alphas: tuple[Fraction, ...],
    algorithms: tuple[str, ...],
    budgets: tuple[int, ...],
    samples: int,
    memory: float,
    workers: int | None,
    scheduler: str | None,
) -> "Experiment":
    from verify.thresholds.experiments import experiment as run
    from verify.thresholds.experiments import trials_of
    from verify.thresholds.trials import ExperimentFileError, check_experiment_file
    from widegap.running import resumable

    try:
        name, _ = trials_of(models, sizes, alphas, algorithms, budgets, samples, seed, memory)
        check_experiment_file(out, name, seed, resume=resume)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    with resumable(out, scheduler, "trials", ExperimentFileError) as (progress, executor):
        return run(
            models,
            sizes,
            alphas,
            out=out,
            algorithms=algorithms,
            budgets=budgets,
            samples=samples,
            seed=seed,
            executor=executor,
            workers=workers,
            resume=resume,
            memory=memory,
            progress=progress.update,
        )


def _by_model(
    trials: "Experiment", models: "list[Model]"
) -> "list[tuple[Model, list[SuccessCurve]]]":
    from verify.thresholds.crossings import success_curves

    curves = success_curves(trials)
    return [
        (model, [c for c in curves if c.kappa == str(model.kappa)])  # pyright: ignore[reportAttributeAccessIssue]
        for model in models
    ]


@lru_cache(maxsize=64)  # the report and the figure both show them
def _thresholds(model: "Model") -> dict[int, float]:
    """Levels of the theory, as far as they converge."""
    from numerics import solve_levels

    thresholds: dict[int, float] = {}
    levels = _LEVELS if model.name == "sbp" else range(2, 6)
    # no convergence, no resolution: what was tried is shown all the same
    with suppress(ArithmeticError):
        for solution in solve_levels(model, levels, digits=6):
            thresholds[solution.level] = float(solution.value)
    return thresholds
