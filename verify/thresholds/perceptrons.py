"""Exact enumeration against the theory: statistical checks of small perceptrons.

Each check draws instances, enumerates them, and compares with one statement of the theory. The
statement is an argument with theory's own value as its default, so that a theory that is wrong on
purpose can be handed over and has to be rejected.

The statistics are means of independent instances, and normal. Sizes are such that Z fluctuates by a
fraction of its mean, where that holds far out; the false-alarm probabilities are nominal and so small
that a factor of ten does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from numerics.functionals.moments import (
    expected_pairs,
    pair_probability,
    row_probability,
    variance_of_solutions,
)
from verify.statistics.evidence import Evidence, normal_tail, two_sided

from .enumeration import census, overlap_counts, solutions
from .instances import Instance, draw_instance

if TYPE_CHECKING:
    from theory import Model

__all__ = [
    "first_moment_check",
    "pair_overlap_check",
    "satisfiability_crossing",
    "satisfiability_curve",
    "second_moment_check",
]

FALSE_ALARM = 1e-9


def first_moment_check(
    model: Model,
    *,
    n: int = 14,
    m: int = 5,
    size: int = 3000,
    seed: int = 0,
    probability: float | None = None,
) -> Evidence:
    """E[Z] = 2^n P^m.

    Parameters
    ----------
    model : theory.Model
        ``SBP(kappa)`` or ``ABP(kappa)``.
    n, m : int
        Columns and rows of the instances.
    size : int
        Number of instances.
    seed : int
    probability : float, optional
        P under test; theory's by default.

    Returns
    -------
    Evidence
        z-test of the mean of Z with its exact variance. The stated alternative is P wrong by 2 %.
    """
    p = row_probability(model) if probability is None else probability
    counts = _counts(model, n, m, size, seed)
    expected = 2.0**n * p**m
    error = math.sqrt(variance_of_solutions(model, n, m) / size)
    z = (counts.mean() - expected) / error
    return Evidence(
        null=f"{model}, n = {n}, m = {m}: E[Z] = 2^n P^m with P = {p:.6g}",
        test="z-test of the mean number of solutions, its variance known exactly",
        size=size,
        false_alarm=FALSE_ALARM,
        alternative="P is off by 2 %",
        power=two_sided(expected * (1.02**m - 1.0) / error, FALSE_ALARM),
        seed=seed,
        statistic=float(z),
        p_value=2.0 * normal_tail(abs(z)),
        numbers={"mean": float(counts.mean()), "expected": expected, "standard_error": error},
    )


def second_moment_check(
    model: Model,
    *,
    n: int = 14,
    m: int = 5,
    size: int = 3000,
    seed: int = 0,
    pair: Callable[[float], float] | None = None,
) -> Evidence:
    """Var[Z] = sum over distances of E[pairs] - E[Z]^2.

    Parameters
    ----------
    model, n, m, size, seed
        As in `first_moment_check`.
    pair : callable, optional
        Pair probability by overlap under test; theory's by default.

    Returns
    -------
    Evidence
        Test of the mean of (Z - E Z)^2, its standard error estimated. The stated alternative is a pair
        probability 2 % off at every overlap.
    """
    pair = pair or (lambda overlap: pair_probability(model, overlap))
    counts = _counts(model, n, m, size, seed)
    mean = 2.0**n * row_probability(model) ** m
    squares = (counts - mean) ** 2
    expected = float(expected_pairs(model, n, m, pair).sum()) - mean**2
    error = float(squares.std(ddof=1)) / math.sqrt(size)
    z = (squares.mean() - expected) / error
    shift = (1.02**m - 1.0) * (expected + mean**2)
    return Evidence(
        null=f"{model}, n = {n}, m = {m}: Var[Z] follows from the pair probability",
        test="z-test of the mean squared deviation of Z, its standard error estimated",
        size=size,
        false_alarm=FALSE_ALARM,
        alternative="the pair probability is off by 2 %",
        power=two_sided(shift / error, FALSE_ALARM),
        seed=seed,
        statistic=float(z),
        p_value=2.0 * normal_tail(abs(z)),
        numbers={"variance": float(squares.mean()), "expected": expected, "standard_error": error},
    )


def pair_overlap_check(
    model: Model,
    *,
    n: int = 12,
    m: int = 4,
    size: int = 4000,
    seed: int = 0,
    pair: Callable[[float], float] | None = None,
) -> Evidence:
    """Pairs of solutions by overlap against the level-3 first moment at s = 2.

    Parameters
    ----------
    model, n, m, size, seed, pair
        As in `second_moment_check`.

    Returns
    -------
    Evidence
        The largest of the z-tests at all distances d at which more than 20 pairs are expected, with
        Bonferroni's correction. The stated alternative is a pair probability 2 % off at the distance
        where that shows best.
    """
    pair = pair or (lambda overlap: pair_probability(model, overlap))
    counts = np.array(
        [overlap_counts(solutions(i), n) for i in _instances(model, n, m, size, seed)]
    )
    expected = expected_pairs(model, n, m, pair)
    errors = counts.std(axis=0, ddof=1) / math.sqrt(size)
    tested = np.flatnonzero((expected > 20.0) & (np.arange(n + 1) > 0) & (errors > 0))
    z = (counts.mean(axis=0)[tested] - expected[tested]) / errors[tested]
    worst = int(np.argmax(np.abs(z)))
    shift = np.max((1.02**m - 1.0) * expected[tested] / errors[tested])
    return Evidence(
        null=f"{model}, n = {n}, m = {m}: pairs at distance d number 2^n C(n, d) P_2(1 - 2 d/n)^m",
        test=f"largest of {len(tested)} z-tests, one for each distance; Bonferroni",
        size=size,
        false_alarm=FALSE_ALARM,
        alternative="the pair probability is off by 2 %",
        power=two_sided(float(shift), FALSE_ALARM / len(tested)),
        seed=seed,
        statistic=float(z[worst]),
        p_value=min(1.0, 2.0 * len(tested) * normal_tail(abs(float(z[worst])))),
        numbers={
            "distances": tested.tolist(),
            "pairs": counts.mean(axis=0)[tested].tolist(),
            "expected": expected[tested].tolist(),
            "standard_errors": errors[tested].tolist(),
        },
    )


def satisfiability_crossing(
    model: Model,
    *,
    sizes: Sequence[int] = (14, 17, 20),
    samples: int = 2000,
    seed: int = 0,
    alpha_c: float | None = None,
    slope: float | None = None,
    bias: float = 0.01,
    false_alarm: float = FALSE_ALARM,
) -> Evidence:
    """Where small instances stop being satisfiable, extrapolated to n -> infinity.

    Rows are added one after the other to an instance; one census tells how many can be satisfied, m*.
    The mean of (m* + 1/2) / n is fitted by a (1 + b / n).

    Parameters
    ----------
    model : theory.Model
    sizes : sequence of int
        Numbers of columns n, at least two different ones.
    samples : int
        Instances of each.
    seed : int
    alpha_c : float, optional
        The threshold under test; by default level 2 of fl-RDT.
    slope : float, optional
        b, if it is known. By default it is -1 for the symmetric perceptron, and fitted otherwise, which
        takes some ten times as many instances for the same power.
    bias : float
        Relative deviation that terms beyond these are allowed to cause.
    false_alarm : float

    Returns
    -------
    Evidence
        z-test of |a - alpha_c| in excess of the bias. The stated alternative is a threshold moved by 3 %.

    Notes
    -----
    The symmetric perceptron's Z is its mean times a random factor of order 1 (Abbe, Li, Sly 2021), and
    solutions come in pairs: 2^(n-1) P^m = 1 at m = (n - 1) alpha_c, hence b = -1.
    """
    from numerics import solve

    ns = sorted(set(sizes))
    if len(ns) < 2:
        raise ValueError(f"an extrapolation needs two sizes, got {list(sizes)}")
    theirs = float(solve(model, 2, digits=8).value) if alpha_c is None else alpha_c
    means, errors = _curve(model, tuple(ns), samples, seed)
    if slope is None and model.name == "sbp":
        slope = -1.0
    inverse = 1.0 / np.array(ns)
    columns = [np.ones(len(ns)), inverse] if slope is None else [1.0 + slope * inverse]
    design = np.stack(columns, axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    fitted = covariance @ design.T @ (means / errors)
    limit, error = float(fitted[0]), math.sqrt(covariance[0, 0])
    z = max(0.0, abs(limit - theirs) - bias * theirs) / error
    return Evidence(
        null=f"{model}: satisfiable up to alpha_c = {theirs:.5g}, within {100 * bias:g} % of bias",
        test="z-test of the limit of (m* + 1/2)/n as n grows, beyond the bias",
        size=samples * len(ns),
        false_alarm=false_alarm,
        alternative="the threshold is moved by 3 %",
        power=two_sided((0.03 - bias) * theirs / error, false_alarm),
        seed=seed,
        statistic=z,
        p_value=min(1.0, 2.0 * normal_tail(z)),
        numbers={
            "n": ns,
            "alpha": means.tolist(),
            "standard_errors": errors.tolist(),
            "limit": limit,
            "limit_error": error,
            "slope": slope if slope is not None else float(fitted[1] / fitted[0]),
        },
    )


def satisfiability_curve(
    model: Model, sizes: Sequence[int], samples: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Mean density up to which instances are satisfiable, for each n.

    Parameters
    ----------
    model, sizes, samples, seed
        As in `satisfiability_crossing`.

    Returns
    -------
    tuple of numpy.ndarray
        Means of (m* + 1/2)/n and their standard errors, both of the shape of ``sizes``.

    Notes
    -----
    Instances have 12 bits' worth of rows more than half again the first moment allows, so that all are
    unsatisfiable but for one in 2^12 or fewer. Where fewer rows hold than a census counts, it is
    repeated with those rows only.
    """
    bits = -math.log(2.0) / math.log(row_probability(model))
    means, errors = [], []
    for n in sizes:
        rows = math.ceil(bits * (1.25 * n + 12.0))
        stops = np.array([_satisfiable(i) for i in _instances(model, n, rows, samples, seed)])
        means.append((stops.mean() + 0.5) / n)
        errors.append(stops.std(ddof=1) / n / math.sqrt(samples))
    return np.array(means), np.array(errors)


@lru_cache(maxsize=8)  # the same instances are compared with several theories
def _curve(
    model: Model, sizes: tuple[int, ...], samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    return satisfiability_curve(model, sizes, samples, seed)


def _satisfiable(instance: Instance) -> int:
    """Number of leading rows that one configuration can satisfy."""
    counts = census(instance, threads=1)
    while counts.satisfiable_rows is None:
        rows = counts.first - 1
        if rows == 0:
            return 0
        counts = census(instance.leading(rows), threads=1)
    return counts.satisfiable_rows


def _counts(model: Model, n: int, m: int, size: int, seed: int) -> np.ndarray:
    instances = _instances(model, n, m, size, seed)
    return np.array([census(i, threads=1).solutions for i in instances], dtype=np.float64)


def _instances(model: Model, n: int, m: int, size: int, seed: int) -> Iterator[Instance]:
    """Draw independent instances; those of other n or m are independent of them, too."""
    seeds = np.random.SeedSequence(seed, spawn_key=(n, m)).generate_state(size, np.uint64)
    for own in seeds:
        yield draw_instance(model, n, m=m, seed=int(own))
