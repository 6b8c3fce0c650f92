"""What is claimed of trained networks: as good as backpropagation, far better than frozen, no collapse."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from verify.countercurrent.networks import NEEDS, Setting, trained
from verify.statistics.tests import FALSE_ALARM, MeanTest, interval
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

from .laws import PAPER, TAGS


def body_learns() -> bool:
    """Whether counter-current learning makes hidden layers better than random ones."""
    return True


def deficit() -> float:
    """What counter-current learning loses to backpropagation: nothing."""
    return 0.0


def collapses(rule: str) -> bool:
    """Whether hidden layers go to zero: those of squared differences do, by the law of collapse."""
    return rule == "squared"


FROZEN = replaced(
    "countercurrent-frozen",
    "Hidden layers learn nothing by local losses: the last layer does it all.",
    {body_learns: lambda: False},
)
LOSSY = replaced(
    "countercurrent-lossy",
    "Without the gradient of the outputs three points of accuracy are lost.",
    {deficit: lambda: 0.03},
)
NO_COLLAPSE = replaced(
    "countercurrent-no-collapse",
    "Squared differences of activations and signals teach as well as inner products do.",
    {collapses: lambda rule: False},
)


_MANY, _FEW, _MARGIN, _SIZE = 80, 30, 0.01, 0.001
_EQUAL = MeanTest(0.0, _MANY, 0.02 / 0.008)
"""Differences on the same part of the data spread by 0.008 (backpropagation), by 0.02 or 0.07 (frozen)."""
_GAINS = {3: 0.05, 6: 0.2}
_BETTER = {
    depth: MeanTest(gain, _FEW, gain / spread)
    for (depth, gain), spread in zip(_GAINS.items(), (0.02, 0.07), strict=True)
}


@lru_cache(maxsize=8)
def _accuracies(rule: str, depth: int, seed: int, networks: int) -> Any:
    return trained(Setting(rule=rule, depth=depth), seed, networks)[1]["accuracy"][:, -1]


@claim(
    "countercurrent-digits",
    "On digits, at the source's rate of 1, counter-current learning and backpropagation are equally good "
    "within one point of accuracy, from the same first weights.",
    source=f"{PAPER} (on par on MNIST); equivalence at size 0.001",
    tags=TAGS,
    profile="full",
    cost=60.0,
    wrong=(LOSSY,),
    designs=(
        _EQUAL.design("the difference is 0, within 0.01", "0.03, whose interval ends beyond it"),
    ),
    needs=NEEDS,
)
def countercurrent_digits(run: Run) -> Finding:
    """Paired over 80 parts of the data: three hidden layers of 64, 60 epochs."""
    seed = run.integer() >> 32
    gap = _accuracies("bp", 3, seed, _MANY) - _accuracies("ccl", 3, seed, _MANY)
    known = run.theory.of(deficit)()
    low, high = (end - known for end in interval(gap, 2.0 * _SIZE))
    least, most = (end - known for end in interval(gap, FALSE_ALARM))
    inside, outside = low > -_MARGIN and high < _MARGIN, most < -_MARGIN or least > _MARGIN
    verdict = "confirmed" if inside else "refuted" if outside else "undecided"
    evidence = {
        "loss": float(gap.mean()),
        "spread": float(gap.std(ddof=1)),
        "interval": (low, high),
    }
    return Finding(
        verdict, f"Backpropagation is better by {gap.mean():+.4f}.", float(gap.mean()), evidence
    )


@claim(
    "countercurrent-body",
    "On digits counter-current learning is at least five points better than the last layer alone over "
    "random ones with three hidden layers, and twenty with six.",
    source=f"{PAPER} (deep networks learn)",
    tags=TAGS,
    profile="full",
    cost=60.0,
    wrong=(FROZEN,),
    designs=tuple(
        test.design(f"with {depth} hidden layers it is better by {test.null} or more", "no better")
        for depth, test in _BETTER.items()
    ),
    needs=NEEDS,
)
def countercurrent_body(run: Run) -> Finding:
    """Paired over 30 parts of the data."""
    seed, gains, learns = run.integer() >> 32, {}, True
    for depth, test in _BETTER.items():
        gain = _accuracies("ccl", depth, seed, _FEW) - _accuracies("frozen", depth, seed, _FEW)
        least, most = interval(gain, test.false_alarm)
        gains[f"{depth} layers"] = {"gain": float(gain.mean()), "interval": (least, most)}
        learns &= most >= test.null
        run.progress(depth / 6, f"{depth} layers")
    shown = ", ".join(f"{name}: {row['gain']:.3f}" for name, row in gains.items())
    verdict = "confirmed" if learns == run.theory.of(body_learns)() else "refuted"
    return Finding(verdict, f"Better by {shown}.", None, gains)


@claim(
    "countercurrent-collapse",
    "With squared differences as local losses the last hidden layer shrinks below a tenth of its first size, "
    "in perceptrons and in autoencoders; with inner products, and with batch normalisation, it does not.",
    source="derived here; the source's figure suggests squared differences, its code has inner products",
    tags=TAGS,
    profile="ci",
    cost=26.0,
    wrong=(NO_COLLAPSE,),
    needs=NEEDS,
)
def countercurrent_collapse(run: Run) -> Finding:
    """Eight perceptrons of each kind, and three autoencoders; every one has to be on its side."""
    from verify.countercurrent.images import autoencoder

    seed, evidence, good = run.integer() >> 32, {}, True
    for rule in ("squared", "ccl"):
        rms = trained(Setting(rule=rule, epochs=30), seed, 8)[1]["rms"][:, :, -1]
        sizes = rms[:, -1] / rms[:, 0]
        good &= bool(((sizes < 0.1) == run.theory.of(collapses)(rule)).all())
        evidence[rule] = {"last hidden layer": sizes.tolist()}
    for rule, kind in (("plain", "squared"), ("ccl", "normalised")):
        found = autoencoder(rule, seed, 3, epochs=10)
        small = found["rms"].min(axis=1) < 0.1
        good &= bool((small == run.theory.of(collapses)(kind)).all())
        evidence[f"autoencoder, {kind}"] = {"explained": found["explained"].tolist()}
    shown = ", ".join(f"{max(row['last hidden layer']):.3f}" for row in list(evidence.values())[:2])
    reason = (
        f"Sizes are at most {shown} of the first ones with squared differences and inner products."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


@claim(
    "countercurrent-images",
    "The convolutional variant learns digits to nine in ten, its local losses fall in every layer and stay "
    "above the derived floor.",
    source=f"{PAPER} (convolutional networks); the floor is derived here",
    tags=TAGS,
    profile="ci",
    cost=16.0,
    wrong=(FROZEN,),
    needs=NEEDS,
)
def countercurrent_images(run: Run) -> Finding:
    """Four networks beside the same ones with a frozen body."""
    from sympy import Rational

    from theory.countercurrent import joint_floor
    from verify.countercurrent.images import DECORRELATION, TARGET, classifier

    seed = run.integer() >> 32
    own, still = (classifier(rule, seed, 4) for rule in ("ccl", "frozen"))
    floor = float(joint_floor(10, 10, Rational(TARGET), Rational(DECORRELATION))[1])
    learns = bool((own["losses"] < 0.7 * still["losses"]).all() and (own["accuracy"] > 0.9).all())
    above = bool((own["losses"] >= floor - 1e-9).all())
    good = above and learns == run.theory.of(body_learns)()
    evidence = {"accuracy": own["accuracy"].tolist(), "losses": own["losses"].mean(axis=0).tolist(),
                "untrained": still["losses"].mean(axis=0).tolist(), "floor": floor}  # fmt: skip
    reason = (
        f"Accuracies of {own['accuracy'].min():.3f} and more; least loss {own['losses'].min():.4f}."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence)
