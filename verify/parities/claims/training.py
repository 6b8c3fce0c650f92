"""What is claimed of networks that are trained: width is luck, tickets decide, a table has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numerics.parities import Success, finding, success
from verify.parities.grid import NEEDS
from verify.statistics.tests import CountTest, MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

from .gradients import PAPER, TAGS


def _narrower(n: int, k: int, sparsities: Any, widths: Any, samples: Any, **given: Any) -> Success:
    """As success, with the widths in the opposite order."""
    right = success(n, k, sparsities, widths, samples, **given)
    return replace(right, low=right.low[::-1], high=right.high[::-1])


def _strongest_are_any(
    n: int, k: int, sparsities: Any, widths: Any, samples: Any, **given: Any
) -> Success:
    return success(n, k, sparsities, [_KEPT for _ in widths], samples, **given)


def ticket_chances(n: int, k: int, s: int, samples: int) -> tuple[float, float]:
    """Success probability of a network with a partial ticket, and of one without: what it finds, and 0."""
    return finding(n, k, s, samples)[0], 0.0


def expected_gain() -> float:
    """How much less often sparse networks err on the table: tables of this kind have no parity."""
    return 0.0


CAPACITY = replaced(
    "parities-capacity",
    "A wider network fits more by heart, and needs more samples to succeed.",
    {success: _narrower},
)
TICKETLESS = replaced(
    "parities-ticketless",
    "Whether a neuron sees the parity's coordinates at first is of no consequence.",
    {ticket_chances: lambda n, k, s, samples: (0.5, 0.5)},
)
UNRELATED = replaced(
    "parities-unrelated-strength",
    "Which neurons training makes strong has nothing to do with what they see at first.",
    {success: _strongest_are_any},
)
GAINFUL = replaced(
    "parities-table-gain",
    "On small tables sparse initialisation saves three errors in a hundred.",
    {expected_gain: lambda: 0.03},
)


def _within(count: int, size: int, low: float, high: float) -> bool:
    """Whether a count is one of a probability between two, at the false-alarm probability of a test."""
    least, most = (CountTest(min(max(p, 0.0), 1.0), size, 0.5) for p in (low, high))
    return least.region()[0] <= count <= most.region()[1]


_SAMPLES, _SLACK = 600, 0.1
"""Samples of a grid's row where steps suffice for tickets and for nothing else, and what of either fails."""
_NETWORKS, _WIDTHS = 80, (30, 300)
_TESTS = (
    CountTest(0.187 + _SLACK, _NETWORKS, 0.875 - _SLACK),
    CountTest(0.875 - _SLACK, _NETWORKS, 0.187 + _SLACK),
)


@claim(
    "parities-width",
    "Wider networks learn a sparse parity from as many samples more often, as often as they have a ticket.",
    source=f"{PAPER} (width helps)",
    tags=TAGS,
    profile="ci",
    cost=26.0,
    wrong=(CAPACITY,),
    designs=(
        _TESTS[0].design("at width 30 success is a ticket's, within 0.1", "that of width 300"),
        _TESTS[1].design("at width 300 success is a ticket's, within 0.1", "that of width 30"),
    ),
    needs=NEEDS,
)
def parities_width(run: Run) -> Finding:
    """Train networks of two widths."""
    from verify.parities.networks import ERROR, Setting, train_case

    table = run.theory.of(success)(30, 3, (2,), _WIDTHS, (_SAMPLES,))
    evidence: dict[str, Any] = {}
    good = True
    for width, low, high in zip(_WIDTHS, table.low, table.high, strict=True):
        case = {**Setting(30, 3, 2, width, _SAMPLES).case(), "networks": _NETWORKS}
        errors = train_case(case, run.integer(width))["errors"]
        count = sum(error <= ERROR for error in errors)
        least, most = (
            CountTest(p, _NETWORKS, 0.5) for p in (max(0.0, low - _SLACK), min(1.0, high + _SLACK))
        )
        good &= least.region()[0] <= count <= most.region()[1]
        evidence[f"width {width}"] = {"succeed": count, "of": _NETWORKS, "predicted": low}
        run.progress(0.5, f"width {width}")
    reason = "; ".join(f"{name}: {row['succeed']} of {_NETWORKS}" for name, row in evidence.items())
    return Finding("confirmed" if good else "refuted", f"{reason}.", None, evidence)


_MANY, _FEWEST, _ALLOWED = 240, 100, 0.1
"""Networks; fewest with a ticket, and without one, that make a test; what may go wrong with either."""
_WITH = CountTest(1.0 - _ALLOWED, _FEWEST, 0.5)
_WITHOUT = CountTest(_ALLOWED, _FEWEST, 0.5)


@claim(
    "parities-tickets-decide",
    "From first weights of size 1, networks with a partial ticket learn the parity, others of the same width "
    "do not.",
    source=f"{PAPER} (lottery tickets)",
    tags=TAGS,
    profile="ci",
    cost=24.0,
    wrong=(TICKETLESS,),
    designs=(
        _WITH.design("with a ticket nine in ten succeed", "chances of 1/2"),
        _WITHOUT.design("without one, one in ten", "chances of 1/2"),
    ),
    needs=NEEDS,
)
def parities_tickets_decide(run: Run) -> Finding:
    """Sort networks of one setting by what they see at first."""
    from verify.parities.networks import ERROR, Setting, train_case

    setting = Setting(30, 3, 2, 100, _SAMPLES)
    outcome = train_case({**setting.case(), "networks": _MANY}, run.integer())
    good = [error <= ERROR for error in outcome["errors"]]
    parts = [
        [a for a, count in zip(good, outcome["tickets"], strict=True) if (count > 0) == there]
        for there in (True, False)
    ]
    shown = ", ".join(f"{sum(part)} of {len(part)}" for part in parts)
    evidence = {"with a ticket, without": shown}
    if min(map(len, parts)) < _FEWEST:
        return Finding("undecided", f"Too few of a kind: {shown}.", None, evidence)
    chances = run.theory.of(ticket_chances)(30, 3, 2, _SAMPLES)
    fits = all(
        _within(sum(part), len(part), chance - _ALLOWED, chance + _ALLOWED)
        for part, chance in zip(parts, chances, strict=True)
    )
    reason = f"With a ticket and without succeed {shown}."
    return Finding("confirmed" if fits else "refuted", reason, None, evidence)


_KEPT, _REWOUND, _WIDTH = 5, 220, 100
_BETTER = CountTest(0.5, _REWOUND, 0.8)
_HAVE = CountTest(0.796 - _ALLOWED, _REWOUND, 0.2)


@claim(
    "parities-rewinding",
    "The strongest neurons of trained networks hold the tickets if there are any; set back to where they "
    "began, these five learn better alone than five others.",
    source=f"{PAPER} (lottery tickets); paired with the same samples",
    tags=TAGS,
    profile="full",
    cost=30.0,
    wrong=(UNRELATED,),
    designs=(
        _BETTER.design("five others are better as often", "better in 4 of 5 networks"),
        _HAVE.design(
            "they hold a ticket as often as there is one, within 0.1", "in one of 5 networks"
        ),
    ),
    needs=NEEDS,
)
def parities_rewinding(run: Run) -> Finding:
    """A sign test on networks, ties counting against the claim, and a count of tickets."""
    from verify.parities.networks import Setting, rewind

    setting = Setting(20, 3, 2, _WIDTH, 400, steps=2000)
    found = rewind(setting, run.integer(), _REWOUND, _KEPT)
    better = int((found["rewound"] < found["random"]).sum())
    have = int((found["tickets"] > 0).sum())
    table = run.theory.of(success)(20, 3, (2,), (_WIDTH,), (setting.samples,))
    fits = _within(have, _REWOUND, table.low[0] - _ALLOWED, table.high[0] + _ALLOWED)
    evidence = {
        "rewound neurons are better": better,
        "hold a ticket": have,
        "mean errors": {name: float(found[name].mean()) for name in ("whole", "rewound", "random")},
    }
    reason = f"Of {_REWOUND} networks {better} are better rewound; in {have} these neurons hold a ticket."
    good = fits and better > _BETTER.region()[1]
    return Finding("confirmed" if good else "refuted", reason, None, evidence)


_SPLITS, _MARGIN = 80, 0.01
_GAIN = MeanTest(0.0, _SPLITS, 0.02 / 0.01)
"""A split's difference has a standard deviation near 0.01."""


@claim(
    "parities-table",
    "On the breast-cancer table, learned from 20 rows, sparse and dense initialisation err as often, within "
    "one in a hundred: what sparse features save on parities is not seen there.",
    source=f"{PAPER} (tables, with gains on some); paired over splits, equivalence at size 0.001",
    tags=TAGS,
    profile="ci",
    cost=12.0,
    wrong=(GAINFUL,),
    designs=(_GAIN.design("the gain is 0, within 0.01", "a gain of 0.03"),),
    needs=(*NEEDS, "sklearn"),
)
def parities_table(run: Run) -> Finding:
    """Networks of width 200 that see two columns each, and all thirty."""
    import numpy as np
    from scipy.stats import t
    from sklearn.datasets import load_breast_cancer

    from verify.parities.networks import table_errors

    table: Any = load_breast_cancer()
    x = (table.data - table.data.mean(axis=0)) / table.data.std(axis=0)
    y = np.where(table.target > 0, 1.0, -1.0)
    seed = run.integer()
    dense, sparse = (table_errors(x, y, 20, s, 200, seed, _SPLITS) for s in (x.shape[1], 2))
    gain = dense - sparse
    error = float(gain.std(ddof=1)) / _SPLITS**0.5
    distance = abs(float(gain.mean()) - run.theory.of(expected_gain)())
    evidence = {"dense": dense.mean(), "sparse": sparse.mean(), "gain": gain.mean(), "error": error}
    reason = (
        f"Errors {dense.mean():.4f} dense, {sparse.mean():.4f} sparse; the gain is {gain.mean():+.4f}, its "
        f"error {error:.4f}."
    )
    verdict = "undecided"
    if distance + float(t.isf(0.001, _SPLITS - 1)) * error <= _MARGIN:
        verdict = "confirmed"
    elif distance - _GAIN.critical() * error > _MARGIN:
        verdict = "refuted"
    return Finding(verdict, reason, None, evidence)
