"""What is claimed of weights at rest: multipliers, kinks, norms, the span, and what decay does to them."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.reconstruction.network import Network, Passed
from numerics.reconstruction.stationarity import (
    Cone,
    decay_of,
    kinks,
    law_multipliers,
    rank_bound,
    rays,
    slopes,
    stationarity,
    targets_of,
)
from verify.reconstruction.experiment import NEEDS
from verify.reconstruction.training import LOSS, trained
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

Array = NDArray[np.float64]

PAPER = "Buzaglo et al., NeurIPS 2023"
TAGS = ("reconstruction",)
SAMPLES, DECAY = 10, 0.01


class Rest(NamedTuple):
    """A network that was trained, and all that is known of it."""

    network: Network
    x: Array
    y: Array
    others: Array
    passed: Passed
    targets: Array
    loss: str


@cache
def _rest(task: str, seed: int, decay: float = DECAY) -> Rest:
    """Train, once for all claims of a run."""
    made = trained(task, SAMPLES, 100, decay, seed)
    loss = LOSS[task][0 if decay else 1]
    targets = targets_of(made.network.outputs, made.y, loss)
    return Rest(*made, made.network.passed(made.x), targets, loss)


def _seed(run: Run) -> int:
    """The same for all claims of a run, which share their networks."""
    return run.seed + 100


def _one(f: Array, targets: Array, loss: str) -> tuple[NDArray[np.intp], Array]:
    """One multiplier a sample, of its class less the runner-up, as in released code."""
    sample, directions = rays(f, targets, loss)
    if f.shape[1] == 1:
        return sample, directions
    second = np.where(targets > 0.0, -np.inf, f).argmax(axis=1)
    kept = directions[np.arange(len(sample)), second[sample]] < 0.0
    return sample[kept], directions[kept]


ONE = replaced(
    "reconstruction-one-multiplier",
    "The cross-entropy has one multiplier a sample, for its class less the runner-up.",
    {rays: _one},
)
UNSCALED = replaced(
    "reconstruction-unscaled",
    "Multipliers are slopes over the decay, whatever the number of samples.",
    {law_multipliers: lambda f, *rest: len(f) * law_multipliers(f, *rest)},
)
HARD = replaced(
    "reconstruction-hard-gates",
    "The gates of trained ReLU networks are 0 or 1 at all samples.",
    {kinks: lambda network, passed: [np.zeros(z.shape, bool) for z in passed.before]},
)
DEGREE = replaced(
    "reconstruction-degree",
    "Networks are homogeneous of degree 1, however many layers they have.",
    {decay_of: lambda network, *rest: decay_of(network, *rest) / len(network.weights)},
)
RANK = replaced(
    "reconstruction-rank",
    "The first layer has a rank above the number of samples.",
    {rank_bound: lambda network, n: rank_bound(network, 2 * n)},
)


@claim(
    "reconstruction-multipliers",
    "Trained with weight decay, weights are a combination of gradients on the samples whose multipliers are "
    "those of the loss, k-1 a sample for k classes.",
    source=f"{PAPER}; stationarity",
    tags=TAGS,
    cost=2.0,
    group="reconstruction",
    wrong=(ONE, UNSCALED),
    needs=NEEDS,
)
def multipliers(run: Run) -> Finding:
    """Fit multipliers to the weights and compare them with the loss's; with all signs that it allows."""
    evidence: dict[str, Any] = {}
    failures = []
    for task in ("multiclass", "binary", "regression"):
        rest = _rest(task, _seed(run))
        f = rest.passed.outputs
        cone = Cone(
            rest.network,
            rest.x,
            rest.passed,
            kinks(rest.network, rest.passed),
            *run.theory.of(rays)(f, rest.targets, rest.loss),
        )
        forces, _ = cone.fit(cone.columns())
        best, _, value = cone.relax(forces)
        law = run.theory.of(law_multipliers)(f, rest.targets, rest.loss, DECAY)
        residual = value**0.5 / rest.network.norm
        off = float(np.linalg.norm(best - law) / np.linalg.norm(law))
        evidence[task] = {"residual": residual, "multipliers off by": off}
        if not (residual < 0.1 and off < 0.1):
            failures.append(f"{task}: residual {residual:.3f}, multipliers off by {off:.1%}")
    if failures:
        return Finding("refuted", "; ".join(failures) + ".", None, evidence)
    worst = max(v["multipliers off by"] for v in evidence.values())
    return Finding("confirmed", f"Fitted multipliers are within {worst:.1%}.", worst, evidence)


@claim(
    "reconstruction-kinks",
    "ReLU networks come to rest on kinks: with gates between 0 and 1 there the residual is several times "
    "smaller than with hard gates, and samples on a unit's kink are those that the unit hurts.",
    source=f"{PAPER} (relaxed gates); Clarke stationarity, sign derived here",
    tags=TAGS,
    cost=1.0,
    group="reconstruction",
    wrong=(HARD,),
    needs=NEEDS,
)
def on_kinks(run: Run) -> Finding:
    """The least residual with gates free where samples lie on kinks, and with hard gates."""
    evidence: dict[str, Any] = {}
    failures = []
    for task in ("multiclass", "binary"):
        rest = _rest(task, _seed(run))
        free = run.theory.of(kinks)(rest.network, rest.passed)
        sign = rays(rest.passed.outputs, rest.targets, rest.loss)
        cone = Cone(rest.network, rest.x, rest.passed, free, *sign)
        forces, hard = cone.fit(cone.columns())
        best, _, value = cone.relax(forces)
        ratio, hurt = (hard / value) ** 0.5, cone.hurt(best) or 0.0
        share = float(free[0].mean())
        evidence[task] = {"kinks": share, "hard over relaxed": ratio, "units that hurt": hurt}
        if not (share > 0.02 and ratio > 2.0 and hurt > 0.95):
            failures.append(f"{task}: {share:.1%} kinks, ratio {ratio:.2f}, {hurt:.0%} that hurt")
    if failures:
        return Finding("refuted", "; ".join(failures) + ".", None, evidence)
    ratio = min(v["hard over relaxed"] for v in evidence.values())
    return Finding("confirmed", f"Residuals are {ratio:.1f} times smaller.", None, evidence)


@claim(
    "reconstruction-norms",
    "At rest all layers have the same norm, and it tells the weight decay.",
    source="Euler's identity; derived here",
    tags=TAGS,
    cost=1.0,
    group="reconstruction",
    wrong=(DEGREE,),
    needs=NEEDS,
)
def norms(run: Run) -> Finding:
    """Squared norms of the layers, and the decay read off them."""
    evidence: dict[str, Any] = {}
    off = 0.0
    for task in ("multiclass", "convolution", "binary", "regression"):
        rest = _rest(task, _seed(run))
        f = rest.passed.outputs
        layers = [float((w**2).sum()) for w in rest.network.weights]
        read = run.theory.of(decay_of)(rest.network, slopes(f, rest.targets, rest.loss), f)
        evidence[task] = {"squared norms": layers, "decay": read}
        off = max(off, max(layers) / min(layers) - 1.0, abs(read / DECAY - 1.0))
    verdict = "confirmed" if off < 0.02 else "refuted"
    return Finding(verdict, f"Norms and decays are within {off:.2%}.", None, evidence)


@claim(
    "reconstruction-span",
    "The rows of a dense first layer span the samples and nothing else; those of a convolution span all "
    "patches there are.",
    source="derived here",
    tags=TAGS,
    cost=1.0,
    group="reconstruction",
    wrong=(RANK,),
    needs=NEEDS,
)
def spans(run: Run) -> Finding:
    """Rank and what is outside the span, for the network's own digits and for others."""
    rest, conv = (_rest(task, _seed(run)) for task in ("multiclass", "convolution"))
    own = stationarity(rest.network, rest.x, rest.y, rest.loss)
    other = stationarity(rest.network, rest.others[:SAMPLES], rest.y, rest.loss, decay=DECAY)
    patches = stationarity(conv.network, conv.others[:SAMPLES], conv.y, conv.loss, decay=DECAY)
    bound = run.theory.of(rank_bound)(rest.network, SAMPLES)
    evidence = {
        "rank": own.rank,
        "bound": bound,
        "outside the samples": own.outside,
        "outside other digits": other.outside,
        "convolution, outside other digits' patches": patches.outside,
    }
    good = own.rank == bound and own.outside < 0.02 < 0.2 < other.outside
    good = good and patches.outside < 1e-9
    reason = (
        f"Rank {own.rank} for {SAMPLES} samples; {own.outside:.2%} is outside their span, "
        f"{other.outside:.0%} outside other digits', nothing outside other digits' patches."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


def at_rest(decay: float) -> bool:
    """Whether weights are nearly at rest after descent of some thousand steps from an ordinary start."""
    return decay > 0.0


ANYWAY = replaced(
    "reconstruction-kkt-anyway",
    "Networks satisfy the KKT conditions whether they were trained with decay or not.",
    {at_rest: lambda decay: True},
)


@claim(
    "reconstruction-decay",
    "With decay weights are at rest on their own samples, and at least five times farther from it on other "
    "digits; without decay they are not, squared losses least of all.",
    source=f"{PAPER}; stationarity",
    tags=TAGS,
    profile="ci",
    cost=4.0,
    group="reconstruction",
    wrong=(ANYWAY,),
    needs=NEEDS,
)
def decayed(run: Run) -> Finding:
    """Bounds of the least residual on own samples and on others, over multipliers and gates at kinks."""
    evidence: dict[str, Any] = {}
    failures = []
    for task in ("multiclass", "binary", "regression"):
        for decay in (DECAY, 0.0):
            rest = _rest(task, _seed(run), decay)
            own = stationarity(rest.network, rest.x, rest.y, rest.loss, decay=decay or None)
            others = rest.others[:SAMPLES]
            other = stationarity(rest.network, others, rest.y, rest.loss, decay=decay or None)
            evidence[f"{task}, decay {decay}"] = {
                "own samples": (own.low, own.high),
                "other digits": (other.low, other.high),
            }
            near = own.high < 0.1 and other.low > 5.0 * own.high
            far = (own.high if rest.loss == "interpolation" else own.low) > 0.3
            if not (near if run.theory.of(at_rest)(decay) else far):
                failures.append(f"{task}, decay {decay}: residual {own.low:.3f} to {own.high:.3f}")
    if failures:
        return Finding("refuted", "; ".join(failures) + ".", None, evidence)
    most = max(v["own samples"][1] for k, v in evidence.items() if not k.endswith(" 0.0"))
    return Finding("confirmed", f"With decay residuals are at most {most:.3f}.", None, evidence)
