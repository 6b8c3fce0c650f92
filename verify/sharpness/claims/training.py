"""Claims about trained networks: what the graph adds, and what the perturbation does not."""

from __future__ import annotations

from typing import Any

from verify.sharpness.experiment import MARGIN, few_shot, paired
from verify.statistics.tests import FALSE_ALARM, CountTest, MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Expected, Finding
from verify.suite.wrong import replaced

PAPER = "FGSAM, NeurIPS 2024"
NEEDS = ("jax", "optax")
TASKS, STEPS = 60, 300


def _instead(of: str, method: str) -> Any:
    """The experiment with one method in the place of another."""
    return lambda graph, asked, **k: few_shot(graph, method if asked == of else asked, **k)


PEER_IS_ENOUGH = replaced(
    "sharpness-peer-is-enough",
    "The graph's gradient can be left out of FGSAM: to minimise the peer's loss is enough.",
    {few_shot: _instead("fgsam", "peer")},
)
NO_JOINT_LOSS = replaced(
    "sharpness-no-joint-loss",
    "What FGSAM has beyond the graph network alone comes from its perturbation, not from the peer's loss.",
    {few_shot: _instead("joint", "adam")},
)


def _means(run: Run, graph: str, *methods: str) -> tuple[list[list[float]], str]:
    """Accuracies of methods on the same tasks, and their means in words."""
    seed, values = run.integer() % 2**31, []
    for number, method in enumerate(methods):
        run.progress(number / len(methods), method)
        done = run.theory.of(few_shot)(graph, method, tasks=TASKS, steps=STEPS, seed=seed)
        values.append(done["accuracies"])
    words = ", ".join(f"{m} {sum(v) / TASKS:.3f}" for m, v in zip(methods, values, strict=True))
    return values, f"Mean accuracies of {TASKS} tasks: {words}."


_WINS = CountTest(0.5, TASKS, 0.98)


@claim(
    "sharpness-graph-matters",
    "Where neighbours are of other classes (p < q), FGSAM classifies better than the peer trained alone: to "
    "minimise the peer's loss does not suffice.",
    source=PAPER + " (PeerMLP); p < q is this project's",
    tags=("sharpness",),
    profile="ci",
    needs=NEEDS,
    wrong=(PEER_IS_ENOUGH,),
    cost=15.0,
    designs=(
        _WINS.design(
            "on a task FGSAM is as likely to be the worse one as to be the better one",
            "FGSAM is the better one on 98 tasks of 100",
        ),
    ),
)
def graph_matters(run: Run) -> Finding:
    """Train by both rules on the same tasks, and count wins."""
    (fgsam, peer), words = _means(run, "heterophilous", "fgsam", "peer")
    wins = sum(a > b for a, b in zip(fgsam, peer, strict=True))
    good = wins > TASKS / 2 and not _WINS.accepts(wins)
    reason = f"{words} FGSAM is better on {wins} tasks, p-value {_WINS.p_value(wins):.1e}."
    return Finding("confirmed" if good else "refuted", reason, None, {"fgsam": fgsam, "peer": peer})


def _difference(run: Run, graph: str, one: str, other: str) -> tuple[str, float, bool, bool]:
    """Words, the mean difference, and whether it is surely within the margin, or beyond it (below)."""
    (first, second), words = _means(run, graph, one, other)
    found, sure = paired(first, second), paired(first, second, 1.0 - FALSE_ALARM)
    words = f"{graph}: {words} Difference {found.mean:+.4f}, 99% in [{found.low:+.4f}, {found.high:+.4f}]."
    beyond = sure.high < -MARGIN
    return words, found.mean, found.within(MARGIN), beyond


@claim(
    "sharpness-fgsam-and-sam",
    "FGSAM and SAM have the same accuracy within 0.02, for p > q and for p < q.",
    source=PAPER + "; the page on it calls the difference noise",
    tags=("sharpness",),
    profile="ci",
    needs=NEEDS,
    wrong=(PEER_IS_ENOUGH,),
    cost=25.0,
    expected=Expected(
        "undecided",
        "The mean difference is positive and its interval reaches beyond the margin; so does that of the "
        "joint loss without any perturbation.",
    ),
    designs=(
        MeanTest(-MARGIN, TASKS, 1.8).design(
            "FGSAM is worse than SAM by 0.02 at most",
            "it is worse by 0.2, where differences spread by 0.1",
        ),
    ),
)
def fgsam_and_sam(run: Run) -> Finding:
    """Equivalent if both intervals are within the margin, refuted if FGSAM is worse, else undecided."""
    found = [_difference(run, graph, "fgsam", "sam") for graph in ("homophilous", "heterophilous")]
    verdict = "confirmed" if all(one[2] for one in found) else "undecided"
    if any(one[3] for one in found):
        verdict = "refuted"
    return Finding(
        verdict, " ".join(one[0] for one in found), None, {"means": [f[1] for f in found]}
    )


@claim(
    "sharpness-perturbation-adds-little",
    "FGSAM and the gradient of lambda L_G + L_M, without any perturbation, have the same accuracy within "
    "0.02: what FGSAM has beyond the graph network alone (p < q) is the peer's loss.",
    source="derived here: to first order in rho the perturbation is the alignment of two gradients",
    tags=("sharpness",),
    profile="ci",
    needs=NEEDS,
    wrong=(NO_JOINT_LOSS,),
    cost=20.0,
    designs=(
        MeanTest(-MARGIN, TASKS, 5.0 / 3.0).design(
            "without the perturbation the accuracy is lower by 0.02 at most",
            "it is lower by 0.07, where differences spread by 0.03",
        ),
    ),
)
def perturbation_adds_little(run: Run) -> Finding:
    """Compare with the control on the same tasks."""
    words, mean, within, beyond = _difference(run, "heterophilous", "joint", "fgsam")
    verdict = "refuted" if beyond else "confirmed" if within else "undecided"
    return Finding(verdict, words, mean, {})
