"""How many samples come back, and how well, against decay, width and number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.results import Result
from verify.cases import Case, Outcome, case_seed
from verify.reconstruction.training import LOSS, TASKS, trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NEEDS", "SUBJECT", "Leaks", "cases", "recovered"]

SUBJECT = "reconstruction"
NEEDS = ("jax", "optax", "sklearn")
"""What training takes."""


def cases(
    tasks: Sequence[str] = TASKS,
    samples: Sequence[int] = (10, 20),
    widths: Sequence[int] = (200,),
    decays: Sequence[float] = (0.003, 0.0),
    draws: int = 4,
    seed: int = 0,
) -> list[Case]:
    """List the cases of an experiment; those of a draw share their data and first weights.

    Raises
    ------
    ValueError
        For tasks that there are not, and more samples than there are digits.
    """
    for task in tasks:
        if task not in TASKS:
            raise ValueError(f"a task is one of {', '.join(TASKS)}, got {task!r}")
    for decay in decays:
        if decay and not 1e-4 <= decay <= 0.1:
            raise ValueError(f"a decay is 0, or from 0.0001 to 0.1, got {decay}")
    for n in samples:
        if not 2 <= n <= 500:
            raise ValueError(f"samples are from 2 to 500, got {n}")
    return [
        {
            "task": task,
            "samples": n,
            "width": width,
            "decay": float(decay),
            "draw": draw,
            "data": case_seed(seed, {"draw": draw}),
        }
        for task in tasks
        for n in samples
        for width in widths
        for decay in decays
        for draw in range(draws)
    ]


def recovered(case: dict[str, Any], seed: int) -> Outcome:
    """Train a network of a case, look how stationary it is, and reconstruct its samples.

    The same number of random starts, and of other digits, are matched with the samples in the same way.
    """
    from numerics.reconstruction.attack import FOUND, audit, matched, reconstruct
    from numerics.reconstruction.stationarity import stationarity

    task, n = case["task"], case["samples"]
    network, x, y, others = trained(task, n, case["width"], case["decay"], case["data"])
    loss = LOSS[task][0 if case["decay"] else 1]
    own = stationarity(network, x, y, loss)
    # given: digits that are not its own may agree with no decay at all
    foreign = stationarity(network, others[:n], y, loss, decay=case["decay"] or None)
    found = reconstruct(network, 2 * n, centred=LOSS[task][0] == "cross-entropy", seed=seed >> 1)
    result = audit(network, found, x, seed=seed >> 1)
    nearest, _ = matched(others, x)
    return {
        "hard": own.hard,
        "low": own.low,
        "high": own.high,
        "foreign": foreign.high,
        "kinks": own.kinks,
        "rank": own.rank,
        "misfit": found.residual,
        "share": result.given_away / n,
        "cosine": float(np.mean(result.cosines)),
        "ssim": float(np.mean(result.similarities)),
        "starts": float(np.mean(np.array(result.start_cosines) > FOUND)),
        "start cosine": float(np.mean(result.start_cosines)),
        "others": float(np.mean(nearest > FOUND)),
        "other cosine": float(nearest.mean()),
    }


@dataclass(frozen=True)
class Leaks(Result):
    """What came back, by setting.

    Attributes
    ----------
    settings : tuple of dict
        Task, samples, width and decay; the number of draws; means over them by name; the standard error of
        the share that came back.
    """

    settings: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, results: Sequence[tuple[dict[str, Any], Outcome]]) -> Leaks:
        """Average over the draws of each setting."""
        groups: dict[tuple[Any, ...], list[Outcome]] = {}
        names = ("task", "samples", "width", "decay")
        for case, outcome in results:
            groups.setdefault(tuple(case[name] for name in names), []).append(outcome)
        settings = []
        for setting, outcomes in groups.items():
            means = {name: float(np.mean([o[name] for o in outcomes])) for name in outcomes[0]}
            shares = [o["share"] for o in outcomes]
            error = float(np.std(shares, ddof=1) / len(shares) ** 0.5) if len(shares) > 1 else None
            settings.append(
                {
                    **dict(zip(names, setting, strict=True)),
                    "draws": len(outcomes),
                    **means,
                    "error": error,
                }
            )
        return cls(tuple(settings))

    def rows(self) -> list[dict[str, Any]]:
        """A row a setting."""
        return [
            {
                "task": s["task"],
                "n": s["samples"],
                "width": s["width"],
                "decay": s["decay"],
                "draws": s["draws"],
                "residual": round(s["high"], 3),
                "other digits": round(s["foreign"], 3),
                "rank": s["rank"],
                "back": round(s["share"], 3),
                "error": None if s["error"] is None else round(s["error"], 3),
                "starts": round(s["starts"], 3),
                "others": round(s["others"], 3),
                "cosine": round(s["cosine"], 3),
            }
            for s in self.settings
        ]

    def draw(self, axes: Axes) -> None:
        """Draw the share that came back against the residual, a point a setting."""
        for task in dict.fromkeys(s["task"] for s in self.settings):
            mine = [s for s in self.settings if s["task"] == task]
            axes.errorbar(
                [s["high"] for s in mine],
                [s["share"] for s in mine],
                [s["error"] or 0.0 for s in mine],
                fmt="o",
                capsize=3,
                label=task,
            )
        axes.set(
            xlabel="residual on the true samples, relative to the weights",
            ylabel="samples with a cosine above 0.9",
            ylim=(-0.05, 1.05),
        )
        axes.legend()
