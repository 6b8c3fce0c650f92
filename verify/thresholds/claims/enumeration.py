"""Small perceptrons, counted exactly, against the theory's probabilities and its threshold."""

from __future__ import annotations

from typing import Any

from verify.statistics.evidence import judged
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Design, Finding, Plot

FIRST_MOMENT = "exact first moment; Aubin, Perkins, Zdeborova 2019"
_FALSE_ALARM = 1e-9


def _design(null: str, test: str, size: int, alternative: str, power: float = 0.9999) -> Design:
    return Design(null, test, size, _FALSE_ALARM, alternative, power)


def _sbp() -> Any:
    from theory import SBP

    return SBP(1)


def _abp() -> Any:
    from theory import ABP

    return ABP(0)


def _first_moment(run: Run, model: Any) -> Finding:
    from verify.thresholds.perceptrons import first_moment_check

    p = run.theory.row_probability(model)
    return judged(run, first_moment_check(model, seed=run.integer(), probability=p))


@claim(
    "sbp-first-moment",
    "The mean number of solutions of the symmetric binary perceptron is 2^n P^m.",
    source=FIRST_MOMENT,
    tags=("sbp", "monte-carlo", "enumeration"),
    group="enumeration",
    designs=(
        _design("E[Z] = 2^n P^m, n = 14, m = 5", "z-test of the mean of Z", 3000, "P off by 2%"),
    ),
)
def sbp_first_moment(run: Run) -> Finding:
    """Count all solutions of random instances."""
    return _first_moment(run, _sbp())


@claim(
    "abp-first-moment",
    "The mean number of solutions of the asymmetric binary perceptron is 2^n P^m.",
    source=FIRST_MOMENT,
    tags=("abp", "monte-carlo", "enumeration"),
    group="enumeration",
    designs=(
        _design("E[Z] = 2^n P^m, n = 14, m = 5", "z-test of the mean of Z", 3000, "P off by 2%"),
    ),
)
def abp_first_moment(run: Run) -> Finding:
    """Count all solutions of random instances."""
    return _first_moment(run, _abp())


@claim(
    "sbp-second-moment",
    "The variance of the number of solutions of the symmetric binary perceptron follows from the probability "
    "that a pair of configurations is accepted.",
    source="exact second moment; Abbe, Li, Sly 2021",
    tags=("sbp", "monte-carlo", "enumeration"),
    group="enumeration",
    designs=(
        _design(
            "Var[Z] follows from the pair probability, n = 14, m = 5",
            "z-test of the mean squared deviation of Z",
            3000,
            "pair probability off by 2%",
        ),
    ),
)
def sbp_second_moment(run: Run) -> Finding:
    """Count all solutions of random instances."""
    from verify.thresholds.perceptrons import second_moment_check

    model = _sbp()

    def pair(overlap: float) -> float:
        return run.theory.pair_probability(model, overlap)

    return judged(run, second_moment_check(model, seed=run.integer(), pair=pair))


@claim(
    "sbp-pairs",
    "Pairs of solutions of the symmetric binary perceptron are as many at each distance as the third level's "
    "first moment at s = 2 says.",
    source="Stojnic, arXiv:2601.10628 (level 3, integer exponent)",
    tags=("sbp", "monte-carlo", "enumeration"),
    group="enumeration",
    cost=2.0,
    designs=(
        _design(
            "pairs at distance d number 2^n C(n, d) P_2(1 - 2 d/n)^m, n = 12, m = 4",
            "largest of the z-tests at all distances, Bonferroni",
            4000,
            "pair probability off by 2%",
        ),
    ),
)
def sbp_pairs(run: Run) -> Finding:
    """Count pairs by their overlap."""
    from verify.thresholds.perceptrons import pair_overlap_check

    model = _sbp()

    def pair(overlap: float) -> float:
        return run.theory.pair_probability(model, overlap)

    test = pair_overlap_check(model, seed=run.integer(), pair=pair)
    numbers = test.numbers
    at = tuple(float(d) for d in numbers["distances"])
    curves = (
        Curve("theory", at, tuple(numbers["expected"]), style="line"),
        Curve("counted", at, tuple(numbers["pairs"]), tuple(numbers["standard_errors"]), "points"),
    )
    title = "Mean number of pairs of solutions by their Hamming distance, n = 12, m = 4"
    return judged(run, test, (Plot(title, "Hamming distance", "pairs", curves),))


@claim(
    "sbp-crossing",
    "Small symmetric perceptrons stop being satisfiable at densities that extrapolate to the second level's "
    "alpha_c.",
    source="Abbe, Li, Sly 2021 (sharp threshold); Stojnic, arXiv:2601.10628 (level 2)",
    tags=("sbp", "monte-carlo", "enumeration", "threshold"),
    profile="ci",
    group="enumeration",
    cost=6.0,
    designs=(
        _design(
            "the satisfiability threshold at n = 14, 17, 20 extrapolates to alpha_c as a (1 - 1/n)",
            "z-test of the limit, within 1% for what finite sizes leave",
            6000,
            "a threshold moved by 3%",
        ),
    ),
)
def sbp_crossing(run: Run) -> Finding:
    """Add rows one after the other until no configuration is left."""
    from verify.thresholds.perceptrons import satisfiability_crossing

    model = _sbp()
    alpha = run.theory.solution(model, 2).value
    test = satisfiability_crossing(model, seed=run.integer(), alpha_c=alpha)
    numbers = test.numbers
    at = tuple(1.0 / n for n in numbers["n"])
    curve = Curve("enumerated", at, tuple(numbers["alpha"]), tuple(numbers["standard_errors"]))
    title = "Density up to which small symmetric perceptrons at kappa = 1 are satisfiable"
    plot = Plot(title, "1/n", "alpha", (curve,), {"alpha_c, level 2": alpha})
    return judged(run, test, (plot,))
