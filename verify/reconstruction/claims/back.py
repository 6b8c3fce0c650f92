"""What is claimed of reconstructions: samples come back, and what makes more of them come back."""

from __future__ import annotations

from functools import cache
from typing import Any

from numerics.reconstruction.attack import Reconstruction, audit, matched, reconstruct, starts
from numerics.reconstruction.network import Network
from verify.reconstruction.experiment import NEEDS
from verify.reconstruction.training import LOSS, Trained, trained
from verify.statistics.tests import CountTest
from verify.suite.claims import Profile, Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

PAPER = "Buzaglo et al., NeurIPS 2023"
TEST = CountTest(null=0.99, size=9, alternative=0.05, false_alarm=1e-8)
"""Of draws in which what is claimed happens: 9, each with data, weights and starts of its own."""


def _mute(network: Network, count: int, **options: Any) -> Reconstruction:
    """Return the random starts, as they are."""
    x, multipliers = starts(network, count, options["seed"], centred=options["centred"])
    x, multipliers = (tuple(map(tuple, part.tolist())) for part in (x, multipliers))
    return Reconstruction(x, multipliers, 1.0, (1.0,), 0)


MUTE = replaced(
    "reconstruction-mute",
    "Weights say nothing of their samples: no search does better than its random starts.",
    {reconstruct: _mute},
)


@cache
def _trained(task: str, samples: int, width: int, decay: float, seed: int) -> Trained:
    return trained(task, samples, width, decay, seed)


def _share(run: Run, setting: tuple[str, int, int, float], draw: int) -> tuple[float, float]:
    """Shares of samples that come back, and of those near a random start or another digit."""
    task, samples, width, decay = setting
    made = _trained(task, samples, width, decay, run.integer(draw))
    seed, centred = run.integer(draw, 1) >> 1, LOSS[task][0] == "cross-entropy"
    found = run.theory.of(reconstruct)(made.network, 2 * samples, centred=centred, seed=seed)
    result = audit(made.network, found, made.x, seed=seed)
    chance = sum(c > 0.9 for c in result.start_cosines)
    known = int((matched(made.others, made.x)[0] > 0.9).sum())
    return result.given_away / samples, max(chance, known) / samples


@claim(
    "reconstruction-back",
    "From the weights of a multiclass network trained with decay on ten digits at least four in five samples "
    "come back with a cosine above 0.9; of as many random starts and other digits at most one in five is so "
    "near.",
    source=PAPER,
    tags=("reconstruction", "monte-carlo"),
    profile="ci",
    cost=12.0,
    group="reconstruction",
    wrong=(MUTE,),
    designs=(TEST.design("this happens in 99% of draws", "it happens in 5% of draws"),),
    needs=NEEDS,
)
def back(run: Run) -> Finding:
    """Train, reconstruct and match, in each draw."""
    shares = []
    for draw in range(TEST.size):
        shares.append(_share(run, ("multiclass", 10, 200, 0.003), draw))
        run.progress((draw + 1) / TEST.size, f"draw {draw + 1}")
    count = sum(own >= 0.8 and chance <= 0.2 for own, chance in shares)
    evidence = {
        "came back": [own for own, _ in shares],
        "random starts or other digits": [chance for _, chance in shares],
        "draws": count,
        "p-value": TEST.p_value(count),
    }
    verdict = "confirmed" if TEST.accepts(count) else "refuted"
    mean = sum(own for own, _ in shares) / len(shares)
    reason = f"In {count} of {TEST.size} draws; {mean:.0%} of all samples come back."
    return Finding(verdict, reason, mean, evidence)


Setting = tuple[str, int, int, float]


def _more(
    name: str,
    statement: str,
    better: Setting,
    worse: Setting,
    source: str = PAPER,
    profile: Profile = "full",
) -> None:
    """Register that more samples come back in one setting than in another, draw by draw."""

    @claim(
        name,
        statement,
        source=source,
        tags=("reconstruction", "monte-carlo"),
        profile=profile,
        cost=150.0,
        group="reconstruction",
        wrong=(MUTE,),
        designs=(
            TEST.design("in 99% of draws a fifth more of the samples come back", "in 5% of draws"),
        ),
        needs=NEEDS,
    )
    def check(run: Run) -> Finding:
        """Pairs of networks with the same data and seeds."""
        pairs = []
        for draw in range(TEST.size):
            pairs.append(tuple(_share(run, setting, draw)[0] for setting in (better, worse)))
            run.progress((draw + 1) / TEST.size, f"draw {draw + 1}")
        count = sum(one >= other + 0.2 for one, other in pairs)
        means = [sum(column) / len(pairs) for column in zip(*pairs, strict=True)]
        evidence = {
            str(better): [one for one, _ in pairs],
            str(worse): [other for _, other in pairs],
            "draws": count,
            "p-value": TEST.p_value(count),
        }
        verdict = "confirmed" if TEST.accepts(count) else "refuted"
        reason = (
            f"In {count} of {TEST.size} draws; {means[0]:.0%} against {means[1]:.0%} come back."
        )
        return Finding(verdict, reason, None, evidence)


_more(
    "reconstruction-decay-helps",
    "Of twenty digits many more come back from networks trained with decay than without it.",
    ("multiclass", 20, 200, 0.003),
    ("multiclass", 20, 200, 0.0),
)
_more(
    "reconstruction-width-helps",
    "Of twenty digits many more come back from networks of 200 hidden units than of 50.",
    ("multiclass", 20, 200, 0.003),
    ("multiclass", 20, 50, 0.003),
)
_more(
    "reconstruction-outputs-help",
    "Of twenty digits many more come back from networks with ten outputs than with one.",
    ("multiclass", 20, 200, 0.003),
    ("binary", 20, 200, 0.003),
    source="derived here: rank of units that are always on",
)
