"""Checks of what algorithms reach, for claims: each returns `Evidence`, sizes fixed beforehand.

Every instance and every run follows from the seed. Exact tests for counts of successes; Student's
for mean energies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from verify.statistics.evidence import Evidence

from .algorithms import attempt
from .ground import draw_ground, ground_state
from .instances import draw_instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from theory import Model

    from .algorithms.incremental import Walk

__all__ = ["energy_within", "no_solver_above", "profile_followed", "solver_reaches"]

FALSE_ALARM = 1e-8


def solver_reaches(
    model: Model,
    alpha: float,
    *,
    n: int = 500,
    samples: int = 40,
    algorithm: str = "belief",
    budget: int = 1500,
    seed: int = 0,
) -> Evidence:
    """Check that an algorithm solves at least half of the instances at a density.

    Parameters
    ----------
    model : theory.Model
        SBP or ABP.
    alpha : float
    n, samples, algorithm, budget, seed

    Returns
    -------
    Evidence
        Rejected only where so few are solved that a success probability of 1/2 is out of the question. The
        stated alternative is a density that the algorithm never solves.
    """
    from scipy.stats import binom

    solved = _solved(model, alpha, n, samples, algorithm, budget, seed)
    critical = int(binom.ppf(FALSE_ALARM, samples, 0.5)) - 1  # rejected at this or fewer
    return Evidence(
        null=f"{algorithm} solves {model} at alpha = {alpha:g}, n = {n}, with probability >= 1/2",
        test="exact binomial test of the number solved, one-sided",
        size=samples,
        false_alarm=FALSE_ALARM,
        alternative="solved with probability 1/100",
        power=float(binom.cdf(critical, samples, 0.01)) if critical >= 0 else 0.0,
        seed=seed,
        statistic=float(solved),
        p_value=float(binom.cdf(solved, samples, 0.5)),
        numbers={"solved": solved, "samples": samples, "budget": budget, "n": n, "alpha": alpha},
    )


def no_solver_above(
    model: Model,
    alpha: float,
    *,
    n: int = 500,
    samples: int = 40,
    algorithms: tuple[str, ...] = ("belief", "clup"),
    budget: int = 800,
    probability: float = 0.01,
    alternative: float = 0.9,
    seed: int = 0,
) -> Evidence:
    """Check that no algorithm solves instances at a density, say a level's threshold.

    Parameters
    ----------
    model, alpha, n, samples, budget, seed
        As for `solver_reaches`.
    algorithms : tuple of str
        All are tried on every instance; one success of any counts.
    probability : float
        Success probability that the null hypothesis allows, for finite n and luck.
    alternative : float
        Success probability of the stated alternative.

    Returns
    -------
    Evidence

    Notes
    -----
    Finite n smears every transition. What is confirmed is a statement about these sizes and
    budgets, and says nothing about other algorithms.
    """
    from scipy.stats import binom

    solved = 0
    for seed_of in _seeds(seed, samples):
        instance = draw_instance(model, n, alpha, seed=seed_of)
        solved += any(
            attempt(instance, name, budget=budget, seed=seed_of).solved for name in algorithms
        )
    critical = int(binom.isf(FALSE_ALARM, samples, probability)) + 1  # rejected at this or more
    return Evidence(
        null=f"{', '.join(algorithms)} solve {model} at alpha = {alpha:g}, n = {n}, with probability "
        f"<= {probability:g}",
        test="exact binomial test of the number solved, one-sided",
        size=samples,
        false_alarm=FALSE_ALARM,
        alternative=f"solved with probability {alternative:g}",
        power=float(binom.sf(critical - 1, samples, alternative)),
        seed=seed,
        statistic=float(solved),
        p_value=float(binom.sf(solved - 1, samples, probability)),
        numbers={"solved": solved, "samples": samples, "budget": budget, "n": n, "alpha": alpha},
    )


def energy_within(
    model: Model,
    energy: float,
    *,
    relative: float = 0.02,
    n: int = 1000,
    samples: int = 8,
    algorithm: str = "clup",
    budget: int = 1000,
    correction: float = 0.7,
    seed: int = 0,
) -> Evidence:
    """Check that an algorithm's mean energy is within some per cent of a level's.

    Parameters
    ----------
    model : theory.Model
        SK or Hopfield with a numeric alpha.
    energy : float
        The value under test, such as that of level 6.
    relative : float
        What the algorithm may leave on the table.
    n, samples, algorithm, budget, seed
        As for `verify.thresholds.ground.ground_state`.
    correction : float
        Ground states of finite instances are allowed ``correction n^(-2/3)`` more: 0.70 for SK.

    Returns
    -------
    Evidence
        Student's test of the deviation beyond what is allowed, on the side of the algorithm's failure, and
        of any deviation on the other side, where no algorithm can be. The stated alternative is an energy
        three times the allowance away.
    """
    sign = -1.0 if model.name == "negative-hopfield" else 1.0
    from scipy.stats import nct
    from scipy.stats import t as student

    energies = np.array(
        [
            ground_state(draw_ground(model, n, seed=s), algorithm, budget=budget, seed=s).energy
            for s in _seeds(seed, samples)
        ]
    )
    mean = float(energies.mean())
    error = float(energies.std(ddof=1)) / math.sqrt(samples)
    allowed = relative * abs(energy) + correction * n ** (-2.0 / 3.0)
    short = sign * (energy - mean)  # how far the algorithm stays behind
    statistic = max(short - allowed, -short, 0.0) / error
    critical = float(student.isf(0.5 * FALSE_ALARM, samples - 1))
    return Evidence(
        null=f"{algorithm} reaches {model}, n = {n}, within {100 * relative:g} % of {energy:.5g} and "
        f"{correction:g} n^(-2/3), and not beyond it",
        test="Student's test of the mean energy",
        size=samples,
        false_alarm=FALSE_ALARM,
        alternative="the energy lies three times the allowance away",
        power=float(nct.sf(critical, samples - 1, 2.0 * allowed / error)),
        seed=seed,
        statistic=statistic,
        p_value=min(1.0, 2.0 * float(student.sf(statistic, samples - 1))),
        numbers={"mean": mean, "standard_error": error, "allowed": allowed, "energy": energy},
    )


def profile_followed(
    model: Model,
    follow: Callable[..., Walk],
    *,
    alpha: float | None = None,
    n: int = 1000,
    steps: int = 100,
    samples: int = 40,
    allowed: float = 0.05,
    seed: int = 0,
) -> Evidence:
    """Check that incremental message passing is where its profile says, half-way and in the end.

    Parameters
    ----------
    model : theory.Model
        SBP, ABP or SK.
    follow : callable
        `verify.thresholds.algorithms.incremental.walk`, or ``climb`` for SK, or what stands for it.
    alpha : float, optional
        Density, where there are rows.
    n, steps, samples, seed
    allowed : float
        What finite n, finitely many steps and a finite level may make of an observable.

    Returns
    -------
    Evidence
        Of the instances for which both observables are within the allowance: |m|^2/n half-way of E f_x^2, and
        in the end |Gm|^2/m of E (Y + E f_xx g_x)^2, or SK's m'Jm/(2n) of E (X + E f_xx f_x) f_x / 2. Rejected
        only where they are so few that a probability of 1/2 is out of the question. The stated alternative
        is a walk that leaves its profile.
    """
    from scipy.stats import binom

    from .algorithms.incremental import LEVELS, profile
    from .algorithms.kernels import rows_of
    from .ground import couplings_of

    way = profile(model, LEVELS[model.name], steps, density=alpha)
    half, seen = steps // 2, []
    for seed_of in _seeds(seed, samples):
        if alpha is None:
            matrix = couplings_of(draw_ground(model, n, seed=seed_of))
        else:
            matrix = rows_of(draw_instance(model, n, alpha, seed=seed_of))
        there = follow(matrix, way, np.random.default_rng(seed_of))
        m = there.magnetisations
        image = matrix @ m.astype(np.float32)
        end = 0.5 * float(np.mean(m * image)) if alpha is None else float(np.mean(image**2))
        seen.append((float(there.squares[half, 0]), end))
    ends = way.energy() if alpha is None else way.sent()
    predicted = np.array([way.squares[0][half], ends[-1]])
    kept = int((np.abs(np.array(seen) - predicted) < allowed).all(axis=1).sum())
    critical = int(binom.ppf(FALSE_ALARM, samples, 0.5)) - 1  # rejected at this or fewer
    mean = np.mean(seen, axis=0)
    return Evidence(
        null=f"the walk on {model}, n = {n}, {steps} steps, is within {allowed:g} of its profile with "
        "probability >= 1/2",
        test="exact binomial test of the number within, one-sided",
        size=samples,
        false_alarm=FALSE_ALARM,
        alternative="within with probability 1/100",
        power=float(binom.cdf(critical, samples, 0.01)) if critical >= 0 else 0.0,
        seed=seed,
        statistic=float(kept),
        p_value=float(binom.cdf(kept, samples, 0.5)),
        numbers={
            "within": kept,
            "samples": samples,
            "half-way": float(mean[0]),
            "half-way, predicted": float(predicted[0]),
            "end": float(mean[1]),
            "end, predicted": float(predicted[1]),
        },
    )


def _solved(
    model: Model, alpha: float, n: int, samples: int, algorithm: str, budget: int, seed: int
) -> int:
    return sum(
        attempt(draw_instance(model, n, alpha, seed=s), algorithm, budget=budget, seed=s).solved
        for s in _seeds(seed, samples)
    )


def _seeds(seed: int, samples: int) -> list[int]:
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(samples, np.uint32)]
