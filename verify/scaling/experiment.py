"""The experiment: measured curves beside theory, permuted pixels, a local task, the compute-optimal width.

A case is a curve. `cases` lists them, `run_case` computes one from its seed, `scaling_experiment` all of them
into one file, and `ScalingResult` puts theory beside what was measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics import kernel, learning_curve
from numerics.results import Result
from numerics.scaling.curves import distinct, predicted_curve
from theory.scaling.networks import optimal_parameters
from verify.cases import Outcome, run_cases
from verify.extras import need

from . import tasks
from .allocation import fit_loss, measured_optimum, one_pass

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from theory.calculus.law import Law

__all__ = ["NEEDS", "ScalingResult", "cases", "run_case", "scaling_experiment", "summarised_widths"]

SUBJECT = "scaling"
NEEDS = ("jax", "optax", "sklearn")
KINDS = ("bottleneck", "standard")
WIDTHS = (3, 4, 5, 6, 8, 10, 12, 16, 20)
TEACHERS = 8


def cases(small: bool = False) -> list[dict[str, Any]]:
    """Every case of the experiment, or of the small one."""
    sizes, draws = ("25,100,400", 4) if small else ("25,50,100,200,400,800", 12)
    own: list[dict[str, Any]] = [
        {"part": "whitened", "system": system, "sizes": "25,100,200,350", "draws": 8 * draws}
        for system in ("distinct", "replaced")
    ]
    systems = ("ntk", "deq-ntk") if small else (*tasks.SYSTEMS, "patch")
    own += [{"part": "digits", "system": s, "sizes": sizes, "draws": draws} for s in systems]
    few = "100" if small else "50,200,800"
    own += [
        {"part": "digits", "system": kind, "sizes": few, "draws": 4} for kind in KINDS[: 2 - small]
    ]
    local = "60" if small else "30,60,120,240"
    systems = ("ntk", "pooled") if small else ("ntk", "patch", "pooled", "bottleneck")
    own += [{"part": "local", "system": s, "sizes": local, "draws": draws} for s in systems]
    if not small:
        own += [
            {"part": "width", "system": "bottleneck", "width": w, "samples": 2**17} for w in WIDTHS
        ]
    return own


def run_case(case: dict[str, Any], seed: int) -> Outcome:
    """Compute one case; the function that other processes find.

    Returns
    -------
    dict
        For sizes: "error", one list of draws for each size, and "permuted" likewise with permuted pixels.
    """
    if case["part"] == "width":
        # all widths learn from the same teachers: the case's seed has the width in it
        return one_pass(case["width"], case["samples"], case["teachers"], TEACHERS)
    sizes = [int(n) for n in case["sizes"].split(",")]
    rng = np.random.default_rng(seed)
    if case["part"] == "whitened":
        return _whitened(case, sizes, rng)
    if case["system"] in KINDS:
        return _networks(case, sizes, rng)
    x, labels = tasks.digits() if case["part"] == "digits" else tasks.local_task(rng, 400)
    targets = tasks.one_hot(labels)
    grams = [_gram(case["system"], z) for z in (x, x[:, rng.permutation(x.shape[1])])]
    found: dict[str, list[list[float]]] = {"error": [], "permuted": []}
    for n in sizes:
        chosen = [rng.choice(len(x), n, replace=False) for _ in range(case["draws"])]
        for name, gram in zip(found, grams, strict=True):
            found[name].append([_error(case["part"], gram, targets, labels, c) for c in chosen])
    return found


def _gram(system: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if system in ("patch", "pooled"):
        return (tasks.patch_kernel if system == "patch" else tasks.pooled_kernel)(x)
    model, kind = tasks.SYSTEMS[system]
    return getattr(kernel(model, x), kind)


def _error(part: str, gram: Any, targets: Any, labels: Any, chosen: Any) -> float:
    """Squared error on digits, that theory predicts; wrong labels on the local task, with a little ridge."""
    if part == "digits":
        return tasks.measured(gram, targets, chosen)[0]
    found = tasks.measured(gram, targets, chosen, 1e-2 * gram[0, 0])[1]
    return 1.0 - tasks.accuracy(found, labels, chosen)


def _whitened(case: dict[str, Any], sizes: list[int], rng: np.random.Generator) -> Outcome:
    values, weights, vectors = tasks.whitened(rng, *WHITENED)
    count, errors = len(values), []
    gram = count * (vectors * values) @ vectors.T
    for n in sizes:
        row = []
        for _ in range(case["draws"]):
            signs = rng.choice((-1.0, 1.0), count)
            target = math.sqrt(count) * vectors @ (np.sqrt(weights) * signs)
            chosen = rng.choice(count, n, replace=case["system"] == "replaced")
            row.append(tasks.measured(gram, target[:, None], chosen)[0])
        errors.append(row)
    return {"error": errors, "permuted": None}


WHITENED = (400, 1.5, 0.8)
"""Population, alpha and tail."""


def _networks(case: dict[str, Any], sizes: list[int], rng: np.random.Generator) -> Outcome:
    """Wrong labels of networks, on the pixels and on permuted ones from first weights permuted alike."""
    from verify.networks.training import jax_modules

    from .networks import initial, outputs, trained, turned

    jax, _, _ = jax_modules()
    x, labels = tasks.digits() if case["part"] == "digits" else tasks.local_task(rng, 400)
    classes = int(labels.max()) + 1
    hot = np.eye(classes)[labels]
    turn = np.eye(x.shape[1])[rng.permutation(x.shape[1])]
    found: dict[str, list[list[float]]] = {"error": [], "permuted": []}
    blocks = 1 if case["system"] == "bottleneck" else 2
    for n in sizes:
        starts, inputs, keys, picks = [], [], [], []
        for _ in range(case["draws"]):
            first, order = jax.random.split(jax.random.key(int(rng.integers(2**31))))
            start = initial(case["system"], first, x.shape[1], 32, blocks, classes)
            starts += [start, turned(start, turn)]
            inputs += [x, x @ turn.T]
            keys += [order, order]
            picks += [rng.choice(len(x), n, replace=False)] * 2
        ends = trained(
            starts,
            [z[chosen] for z, chosen in zip(inputs, picks, strict=True)],
            [hot[chosen] for chosen in picks],
            keys,
            optimiser="lion",
            rate=1e-3,
            steps=200,
        )
        wrong = [
            1.0 - tasks.accuracy(np.asarray(outputs(end, z)), labels, chosen)
            for end, z, chosen in zip(ends, inputs, picks, strict=True)
        ]
        found["error"].append(wrong[::2])
        found["permuted"].append(wrong[1::2])
    return found


@dataclass(frozen=True)
class ScalingResult(Result):
    """What was measured beside theory.

    Attributes
    ----------
    curves : tuple of dict
        "part", "system", "measure" (mse, or the share of wrong labels), "n", the mean "error" over draws with
        its standard error "se", "predicted" where there is a theory, and "permuted", with permuted pixels.
    widths : tuple of dict
        "compute" (parameters times samples), the "measured" optimal number of parameters, and the formula's.
    fit : dict
        Of L = A P^-a + B D^-b + E: "a", "b", "residual" of log L, and the exponents of the optimal size,
        "formula" b/(a + b) and "slope" as measured. Empty without widths.
    """

    curves: tuple[dict[str, Any], ...]
    widths: tuple[dict[str, Any], ...]
    fit: dict[str, float]

    def rows(self) -> list[dict[str, Any]]:
        """A size of a curve a row."""
        return [dict(row) for row in self.curves]

    def note(self) -> str:
        """The compute-optimal width, as lines."""
        if not self.fit:
            return ""
        lines = [
            "",
            f"loss of one pass: A P^-{self.fit['a']:.2f} + B D^-{self.fit['b']:.2f} + E, residual of log L "
            f"{self.fit['residual']:.3f}",
            f"optimal size: exponent {self.fit['formula']:.3f} by the formula, "
            f"{self.fit['slope']:.3f} measured",
            "   compute   measured    formula",
        ]
        rows = [(w["compute"], w["measured"], w["formula"]) for w in self.widths]
        return "\n".join([*lines, *(f"{c:10.2g} {m:10.0f} {f:10.0f}" for c, m, f in rows)])

    def draw(self, axes: Axes) -> None:
        """Measured errors as points, and theory's curves, of what there is a theory for."""
        rows = [r for r in self.curves if r["predicted"] is not None]
        for k, name in enumerate(dict.fromkeys((r["part"], r["system"]) for r in rows)):
            own = [r for r in rows if (r["part"], r["system"]) == name]
            n = [r["n"] for r in own]
            axes.errorbar(
                n,
                [r["error"] for r in own],
                [r["se"] for r in own],
                fmt="o",
                color=f"C{k}",
                label=" ".join(name),
            )
            axes.plot(n, [r["predicted"] for r in own], "-", color=f"C{k}")
        axes.set(
            xlabel="training points $n$", ylabel="mean squared error", xscale="log", yscale="log"
        )
        axes.set_title("measured, and theory")
        axes.legend()


def scaling_experiment(
    *,
    small: bool = False,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> ScalingResult:
    """Run the experiment, or a small one of half a minute.

    Parameters
    ----------
    small : bool
    seed, out, resume, executor, workers, progress
        As of `verify.cases.run_cases`.

    Returns
    -------
    ScalingResult

    Raises
    ------
    MissingExtraError
        Without the extra widegap[train].
    CasesFileError
        If ``out`` cannot take it.
    """
    need(*NEEDS)
    wanted = [{**c, "teachers": seed} if c["part"] == "width" else c for c in cases(small)]
    done = run_cases(
        SUBJECT, run_case, wanted, seed=seed, out=out, resume=resume, executor=executor,
        workers=workers, progress=progress,
    )  # fmt: skip
    return summary(done)


def summary(done: Sequence[tuple[dict[str, Any], Outcome]]) -> ScalingResult:
    """Put theory beside the outcomes of cases."""
    curves = [
        row for case, outcome in done if case["part"] != "width" for row in _curve(case, outcome)
    ]
    passes = [outcome for case, outcome in done if case["part"] == "width"]
    widths, fit = summarised_widths(passes, optimal_parameters()) if passes else ((), {})
    return ScalingResult(tuple(curves), widths, fit)


def _curve(case: dict[str, Any], outcome: Outcome) -> list[dict[str, Any]]:
    sizes = [int(n) for n in case["sizes"].split(",")]
    predicted = _predicted(case, sizes)
    labels = case["part"] == "local" or case["system"] in KINDS
    rows = []
    for k, n in enumerate(sizes):
        values = np.array(outcome["error"][k])
        permuted = None if outcome["permuted"] is None else float(np.mean(outcome["permuted"][k]))
        rows.append(
            {
                "part": case["part"], "system": case["system"],
                "measure": "wrong" if labels else "mse", "n": n, "error": float(values.mean()),
                "se": float(values.std(ddof=1) / math.sqrt(len(values))),
                "predicted": predicted[k], "permuted": permuted,
            }
        )  # fmt: skip
    return rows


def _predicted(case: dict[str, Any], sizes: list[int]) -> list[float | None]:
    if case["part"] == "whitened":
        values, weights = tasks.power_laws(*WHITENED)
        count = WHITENED[0]
        n = [float(distinct(s, count)) if case["system"] == "replaced" else s for s in sizes]
        return list(map(float, predicted_curve(values, weights, n, population=count).mse))
    if case["part"] != "digits" or case["system"] not in tasks.SYSTEMS:
        return [None] * len(sizes)
    model, kind = tasks.SYSTEMS[case["system"]]
    x, labels = tasks.digits()
    return list(learning_curve(model, x, tasks.one_hot(labels), sizes, kernel=kind).mse)


def summarised_widths(
    passes: Sequence[Outcome], law: Law
) -> tuple[tuple[dict[str, Any], ...], dict[str, float]]:
    """Fit the losses of all widths, and put the law's optimal sizes beside those measured."""
    sizes = np.array([p["parameters"] for p in passes], float)
    samples = np.array(passes[0]["samples"], float)
    losses = np.exp(np.array([np.mean(p["logs"], axis=0) for p in passes]))
    kept = np.unique(np.round(np.geomspace(3, len(samples), 16)).astype(int)) - 1
    fit = fit_loss(
        np.repeat(sizes, len(kept)), np.tile(samples[kept], len(sizes)), losses[:, kept].ravel()
    )
    rows = []
    for compute in np.geomspace(sizes[1] * samples[0], sizes[-3] * samples[-1], 12):
        own = measured_optimum(sizes, samples, losses, float(compute))
        if math.isfinite(own):
            rows.append(
                {
                    "compute": float(compute),
                    "measured": own,
                    "formula": fit.optimum(float(compute), law),
                }
            )
    logs = np.log(np.array([[r["compute"], r["measured"]] for r in rows]))
    slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]) if len(rows) > 2 else math.nan
    a, b = fit.exponents
    return tuple(rows), {
        "a": a, "b": b, "residual": fit.error, "formula": fit.size_exponent, "slope": slope,
    }  # fmt: skip
