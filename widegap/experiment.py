"""The command ``widegap experiment``: how far algorithms reach, against where theory says they stop."""

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import (
    Integer,
    Integers,
    OneOf,
    Values,
    model_argument,
    one_place,
    output_file,
    resumable_options,
    seed_option,
)
from widegap.errors import Failure, emit
from widegap.plots import SUFFIXES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from theory import Model
    from verify.crossings import SuccessCurve
    from verify.trials import Experiment

__all__ = ["experiment", "reach_figure", "reach_report"]

ALGORITHMS = ("belief", "focusing", "clup", "replicas", "annealing")
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
    type=Integers("--sizes"),
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
    type=Integers("--budget"),
    default=(2000,),
    metavar="N,N,..",
    help="Passes over the matrix that an attempt may take. [default: 2000]",
)
@click.option(
    "--samples",
    type=Integer("--samples", 1),
    default=16,
    metavar="N",
    help="Instances of each margin, size and density. [default: 16]",
)
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
    target = None if plot is None else output_file("--plot", plot, SUFFIXES)
    from widegap.sweeps import models_of

    models = models_of(model, {"kappa": options["kappa"]})
    found = _run(models, out, resume, seed, **options)
    emit(reach_report(found, models))
    if target is not None:
        from widegap.plots import save

        try:
            save(reach_figure(found, models), target)
        except OSError as error:
            raise Failure(f"cannot write {plot}: {error}") from error
        click.echo(f"plot written to {plot}", err=True)


def reach_report(found: "Experiment", models: "list[Model]") -> str:
    """Say how far algorithms reach, and what the theory has to say.

    Parameters
    ----------
    found
        An experiment; of its margins only those of ``models`` are reported.
    models
        Models with numeric margins.

    Returns
    -------
    str
        Lines of text.
    """
    from verify.crossings import crossing, extrapolate

    lines = []
    for model, curves in _by_model(found, models):
        levels = ", ".join(f"{level}: {value:.5g}" for level, value in _thresholds(model).items())
        lines.append(f"{model}; alpha by level  {levels}")
        groups: dict[tuple[str, int], list[SuccessCurve]] = {}
        for curve in curves:
            groups.setdefault((curve.algorithm, curve.budget), []).append(curve)
        for (algorithm, budget), group in groups.items():
            for curve in group:
                tried = f"  {algorithm}, budget {budget}, n = {curve.n}: "
                solved = f"{sum(curve.solved)} of {sum(curve.trials)} solved"
                if len(curve.alphas) > 1:
                    at = crossing(curve.alphas, curve.trials, curve.solved)
                    solved += f", half at alpha = {at.alpha:.4f} ({at.low:.4f} to {at.high:.4f})"
                    solved += "" if at.bracketed else ", outside of what was tried"
                lines.append(f"{tried}{solved}, {curve.seconds:.2g} s each")
            if len(group) > 1 and all(len(curve.alphas) > 1 for curve in group):
                limit = extrapolate(group)
                lines.append(
                    f"  {algorithm}, budget {budget}, n -> infinity: alpha = {limit.limit:.4f} "
                    f"({limit.low:.4f} to {limit.high:.4f})"
                )
    return "\n".join(lines) + "\n"


def reach_figure(found: "Experiment", models: "list[Model]") -> "Figure":
    """Draw success against density, one panel for each margin, with the theory's levels as lines.

    Parameters
    ----------
    found, models
        As for `reach_report`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from widegap.plots import STYLE

    chosen = _by_model(found, models)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.6 + 2.7 * len(chosen)), layout="constrained")
        panels = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for panel, (model, curves) in zip(panels, chosen, strict=True):
            for index, curve in enumerate(curves):
                share = [s / t for s, t in zip(curve.solved, curve.trials, strict=True)]
                errors = [
                    ((s + 1) * (t - s + 1) / ((t + 2) ** 2 * (t + 3))) ** 0.5
                    for s, t in zip(curve.solved, curve.trials, strict=True)
                ]
                panel.errorbar(
                    curve.alphas,
                    share,
                    errors,
                    marker="o",
                    markersize=3,
                    linewidth=1.2,
                    color=_COLOURS[index % len(_COLOURS)],
                    label=f"{curve.algorithm}, $n = {curve.n}$",
                )
            last, thresholds = -math.inf, _thresholds(model)
            apart = 0.03 * (max(thresholds.values()) - min(c.alphas[0] for c in curves))
            for level, value in sorted(thresholds.items(), reverse=True):
                panel.axvline(value, color="#666666", linewidth=0.8, linestyle="--")
                if level not in (2, 3) and value - last < apart:
                    continue  # names would lie on top of each other
                last = value
                name = r"$\alpha_c$" if level == 2 else str(level)
                panel.annotate(name, (value, 1.04), ha="center", fontsize=8, annotation_clip=False)
            panel.set_ylim(-0.03, 1.03)
            panel.set_ylabel("instances solved")
            panel.set_title(f"{model.name.upper()}, $\\kappa = {float(model.kappa):g}$", pad=14)  # pyright: ignore[reportAttributeAccessIssue]
            panel.legend(loc="lower left", fontsize=8)
        panels[-1].set_xlabel(r"$\alpha = m/n$; dashed: the levels, and $\alpha_c$")
    return figure


def _run(
    models: "list[Model]",
    out: str,
    resume: bool,
    seed: int,
    *,
    kappa: tuple[Decimal, ...],
    sizes: tuple[int, ...],
    alphas: tuple[Decimal, ...],
    algorithms: tuple[str, ...],
    budgets: tuple[int, ...],
    samples: int,
    workers: int | None,
    scheduler: str | None,
) -> "Experiment":
    from verify.experiments import experiment as run
    from verify.experiments import trials_of
    from verify.trials import ExperimentFileError, check_experiment_file
    from widegap.running import resumable

    try:
        name, _ = trials_of(models, sizes, alphas, algorithms, budgets, samples, seed)
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
            progress=progress.update,
        )


def _by_model(
    found: "Experiment", models: "list[Model]"
) -> "list[tuple[Model, list[SuccessCurve]]]":
    from verify.crossings import success_curves

    curves = success_curves(found)
    return [
        (model, [c for c in curves if c.kappa == str(model.kappa)])  # pyright: ignore[reportAttributeAccessIssue]
        for model in models
    ]


def _thresholds(model: "Model") -> dict[int, float]:
    """Levels of the theory, as far as they converge."""
    from numerics import ConvergenceError, ResolutionError, solve_levels

    found: dict[int, float] = {}
    levels = _LEVELS if model.name == "sbp" else range(2, 6)
    try:
        for solution in solve_levels(model, levels, digits=6):
            found[solution.level] = float(solution.value)
    except (ConvergenceError, ResolutionError):
        pass
    return found
