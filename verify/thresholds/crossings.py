"""Thresholds from trials: where success becomes as likely as failure, and what that tends to.

Algorithm: for one n the probability of success is taken to be logistic in the density,

    p(alpha) = 1 / (1 + exp((alpha - a) / w)).

The posterior of (a, log w) is computed on a grid, with a flat prior over the densities tried and a
step beyond, and w between a hundredth and one times their range: nothing diverges when data are
separated, where a maximum-likelihood fit would. The crossing is the posterior's mean of a. Crossings of
several n are fitted by a + b/n with weights; both errors are one standard deviation, and the interval
is the central 95 %, normal for the extrapolation. Where the densities tried do not bracket it, there is no
crossing, only a side on which it lies, and nothing to extrapolate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from .trials import Experiment

__all__ = ["Crossing", "Extrapolation", "SuccessCurve", "crossing", "extrapolate", "success_curves"]

_GRID = 241
_WIDTHS = 61


@dataclass(frozen=True)
class SuccessCurve:
    """Successes against density, all else equal.

    Attributes
    ----------
    kappa, algorithm, n, budget
        As in `verify.thresholds.trials.Trial`.
    alphas : tuple of float
        Ascending.
    trials, solved : tuple of int
        At each density.
    seconds : float
        Mean time of a trial.
    """

    kappa: str
    algorithm: str
    n: int
    budget: int
    alphas: tuple[float, ...]
    trials: tuple[int, ...]
    solved: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class Crossing:
    """Where success is as likely as failure.

    Attributes
    ----------
    alpha, error : float
        Mean and standard deviation.
    low, high : float
        Central 95 %.
    bracketed : bool
        Whether more than half were solved at one of the densities tried and less than half at a higher one.
        If not, the numbers above are those of the prior, and mean nothing.
    side : {"", "below", "above"}
        Where the crossing lies that is not bracketed: below or above all densities tried; empty if it is
        bracketed, or if the data do not say.
    """

    alpha: float
    error: float
    low: float
    high: float
    bracketed: bool
    side: Literal["", "below", "above"] = ""


@dataclass(frozen=True)
class Extrapolation:
    """Crossings of several n, and their limit.

    Attributes
    ----------
    sizes : tuple of int
    crossings : tuple of Crossing
    limit, error : float
        a of a + b/n, and its standard error.
    slope : float
        b.
    low, high : float
        95 % of the limit.
    """

    sizes: tuple[int, ...]
    crossings: tuple[Crossing, ...]
    limit: float
    error: float
    slope: float
    low: float
    high: float


def success_curves(experiment: Experiment) -> list[SuccessCurve]:
    """Gather the outcomes of an experiment.

    Returns
    -------
    list of SuccessCurve
        Ascending in kappa, algorithm, budget, n.
    """
    outcomes: dict[tuple, dict[Fraction, list[bool]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[tuple, list[float]] = defaultdict(list)
    for outcome in experiment:
        trial = outcome.trial
        key = (Fraction(trial.kappa), trial.algorithm, trial.budget, trial.n)
        outcomes[key][Fraction(trial.alpha)].append(outcome.violated == 0)
        seconds[key].append(outcome.seconds)
    curves = []
    for key in sorted(outcomes):
        kappa, algorithm, budget, n = key
        points = sorted(outcomes[key].items())
        curves.append(
            SuccessCurve(
                str(kappa),
                algorithm,
                n,
                budget,
                tuple(float(alpha) for alpha, _ in points),
                tuple(len(solved) for _, solved in points),
                tuple(sum(solved) for _, solved in points),
                sum(seconds[key]) / len(seconds[key]),
            )
        )
    return curves


def crossing(alphas: Sequence[float], trials: Sequence[int], solved: Sequence[int]) -> Crossing:
    """Find where half of the trials are solved.

    Parameters
    ----------
    alphas : sequence of float
        At least two densities.
    trials, solved : sequence of int
        At each of them.

    Returns
    -------
    Crossing

    Raises
    ------
    ValueError
        For fewer than two densities, or counts that make no sense.
    """
    x, total, good = (np.asarray(v, dtype=float) for v in (alphas, trials, solved))
    if len(set(x.tolist())) < 2:
        raise ValueError(f"a crossing needs two densities, got {list(alphas)}")
    if not (x.shape == total.shape == good.shape and (good >= 0).all() and (good <= total).all()):
        raise ValueError("every density needs a number of trials, and at most as many solved")
    span = float(x.max() - x.min())
    margin = span / (len(x) - 1)
    centres = np.linspace(x.min() - margin, x.max() + margin, _GRID)
    widths = np.exp(np.linspace(math.log(0.01 * span), math.log(span), _WIDTHS))
    # log p and log(1 - p) without overflow, shape (centres, widths, densities)
    u = (x[None, None, :] - centres[:, None, None]) / widths[None, :, None]
    log_weight = (good * -np.logaddexp(0.0, u) + (total - good) * -np.logaddexp(0.0, -u)).sum(
        axis=2
    )
    weight = np.exp(log_weight - log_weight.max()).sum(axis=1)
    weight /= weight.sum()
    mean = float(weight @ centres)
    error = math.sqrt(float(weight @ (centres - mean) ** 2))
    below = np.cumsum(weight)
    low, high = (float(centres[np.searchsorted(below, part)]) for part in (0.025, 0.975))
    tried = total > 0
    most, few = x[tried & (2 * good > total)], x[tried & (2 * good < total)]
    bracketed = len(most) > 0 and len(few) > 0 and bool(most.min() < few.max())
    side: Literal["", "below", "above"] = ""
    if not bracketed and len(most) != len(few) and not (len(most) and len(few)):
        side = "above" if len(most) else "below"
    return Crossing(mean, error, low, high, bracketed, side)


def extrapolate(curves: Iterable[SuccessCurve]) -> Extrapolation:
    """Extrapolate the crossings of curves of several n.

    Parameters
    ----------
    curves : iterable of SuccessCurve
        Of one margin, algorithm and budget, with two different n at least.

    Returns
    -------
    Extrapolation

    Raises
    ------
    ValueError
        For fewer than two different n, or where one of them has no crossing: it is not bracketed.
    """
    ordered = sorted(curves, key=lambda curve: curve.n)
    sizes = tuple(curve.n for curve in ordered)
    if len(set(sizes)) < 2:
        raise ValueError(f"an extrapolation needs two sizes, got {list(sizes)}")
    crossings = tuple(crossing(curve.alphas, curve.trials, curve.solved) for curve in ordered)
    without = [str(n) for n, each in zip(sizes, crossings, strict=True) if not each.bracketed]
    if without:
        sizes_without = ", ".join(without)
        raise ValueError(
            f"nothing to extrapolate: what was tried does not bracket the crossing of n = {sizes_without}"
        )
    errors = np.array([each.error for each in crossings])
    values = np.array([each.alpha for each in crossings])
    design = np.stack([np.ones(len(sizes)), 1.0 / np.array(sizes)], axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    limit, slope = covariance @ design.T @ (values / errors)
    error = math.sqrt(covariance[0, 0])
    return Extrapolation(
        sizes,
        crossings,
        float(limit),
        error,
        float(slope),
        float(limit) - 1.96 * error,
        float(limit) + 1.96 * error,
    )
