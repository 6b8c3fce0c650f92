"""Every rule on the same data and from the same first weights, by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from numerics.results import Table
from verify.cases import Outcome, case_seed
from verify.statistics.tests import interval

from .networks import DATA, RULES, Setting, trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SUBJECT", "Rules", "cases", "rules", "train_case"]

SUBJECT = "countercurrent rules"
"""What the experiment's file says it is."""


@dataclass(frozen=True)
class Rules(Table):
    """Learning rules, by data and depth.

    Attributes
    ----------
    data, rules : tuple of str
    depths : tuple of int
        Hidden layers.
    accuracies : tuple of float
        On the test part, mean over networks.
    low, high : tuple of float or None
        Intervals of these by Student's t, 95%; None for one network.
    less : tuple of float or None
        Mean difference to backpropagation on the same parts and first weights; None where it was not run.
    errors : tuple of float or None
        Standard error of that.
    cosines : tuple of float
        Of W_l and V_l' in the end, mean over hidden layers.
    cka_first, cka : tuple of float
        Of hidden layers and the signals of their samples' classes, at first and in the end.
    """

    columns: ClassVar = {
        "data": "data",
        "rule": "rules",
        "depth": "depths",
        "accuracy": "accuracies",
        "low": "low",
        "high": "high",
        "less bp's": "less",
        "error": "errors",
        "cosine": "cosines",
        "CKA before": "cka_first",
        "CKA": "cka",
    }
    data: tuple[str, ...]
    rules: tuple[str, ...]
    depths: tuple[int, ...]
    accuracies: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    less: tuple[float | None, ...]
    errors: tuple[float | None, ...]
    cosines: tuple[float, ...]
    cka_first: tuple[float, ...]
    cka: tuple[float, ...]

    def draw(self, axes: Axes) -> None:
        """Accuracies against depth, a colour for each rule; tables after the first are dashed."""
        rows, names = self.rows(), list(dict.fromkeys(self.data))
        for number, name in enumerate(dict.fromkeys(self.rules)):
            for data, line in zip(names, ("-", "--", ":"), strict=False):
                mine = [r for r in rows if (r["rule"], r["data"]) == (name, data)]
                depths, values = [r["depth"] for r in mine], [r["accuracy"] for r in mine]
                label = name if data == names[0] else None
                axes.plot(depths, values, "o" + line, color=f"C{number}", label=label)
        axes.set_xticks(sorted(set(self.depths)))
        axes.set(xlabel="hidden layers", ylabel="share classified correctly")
        axes.set_title(
            ", ".join(
                f"{d} {w}" for d, w in zip(names, ("solid", "dashed", "dotted"), strict=False)
            )
        )
        axes.legend(title="rule")


def cases(
    base: Setting,
    data: Sequence[str] = DATA[:2],
    rules: Sequence[str] = ("bp", "ccl", "fa", "tp", "frozen"),
    depths: Sequence[int] = (2, 3, 4, 5, 6),
    networks: int = 4,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """List the cases of an experiment; those of one table and depth share parts of the data and weights.

    Raises
    ------
    ValueError
        For what makes no sense.
    """
    if networks < 1:
        raise ValueError(f"networks are an integer >= 1, got {networks}")
    return [
        {
            **asdict(replace(base, data=name, rule=rule, depth=depth)),
            "networks": networks,
            "first": case_seed(seed, {"data": name, "depth": depth}),
        }
        for name in data
        for depth in sorted(depths)
        for rule in RULES
        if rule in rules
    ]


def train_case(case: Mapping[str, Any], _: int) -> Outcome:
    """Train the networks of a case, for `verify.cases.run_cases`; their seed is the case's own."""
    setting = Setting(**{k: v for k, v in case.items() if k not in ("networks", "first")})
    history = trained(setting, case["first"], case["networks"])[1]
    return {
        "accuracies": history["accuracy"][:, -1].tolist(),
        "cosine": float(history["cosines"][:, -1, :-1].mean()),
        "cka": history["cka"].mean(axis=(0, 2)).tolist(),
    }


def rules(outcomes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Rules:
    """Tabulate what `train_case` returned."""
    own = {(c["data"], c["rule"], c["depth"]): o["accuracies"] for c, o in outcomes}
    rows = []
    for case, outcome in outcomes:
        name, rule, depth = case["data"], case["rule"], case["depth"]
        found, other = outcome["accuracies"], own.get((name, "bp", depth))
        several = len(found) > 1
        ends = [min(max(end, 0.0), 1.0) for end in interval(found)] if several else [None, None]
        less = None if other is None else np.subtract(found, other)
        error = float(less.std(ddof=1)) / len(less) ** 0.5 if less is not None and several else None
        rows.append(
            (name, rule, depth, float(np.mean(found)), *ends,
             None if less is None else float(less.mean()), error, outcome["cosine"], *outcome["cka"])
        )  # fmt: skip
    return Rules(*zip(*rows, strict=True))
