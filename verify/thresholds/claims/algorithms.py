"""How far algorithms reach: densities that they solve, and do not; energies that they come down to.

Claims of this module are about the algorithms of this package at stated sizes and budgets. Where a verdict
differs, that is said in the statement's own terms: an algorithm that does not reach its density any more has
been spoilt; one that solves instances above the third level is better than those that the theory's
conjecture was seen to hold for, at these sizes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from verify.statistics.evidence import judged
from verify.suite.claims import Profile, Run, claim
from verify.suite.verdicts import Design, Finding
from verify.suite.wrong import replaced
from verify.thresholds.algorithms.incremental import climb, walk

if TYPE_CHECKING:
    from theory import Model

_FALSE_ALARM = 1e-8
_SAMPLES = 40
_EXACT = "exact binomial test of the number solved, one-sided"
_SBP = "Stojnic, arXiv:2601.10628 (levels and algorithmic threshold)"
_ABP = "Stojnic, arXiv:2312.00073 (levels); Braunstein, Zecchina 2006; Baldassi et al. 2016 (algorithms)"


def _model(kind: str) -> Model:
    from theory import ABP, SBP, SK, Hopfield

    if kind == "sk":
        return SK()
    if kind.endswith("hopfield"):
        return Hopfield(-1 if kind.startswith("negative") else 1, 1)
    return SBP(1) if kind == "sbp" else ABP(0)


# -- densities that are reached --------------------------------------------------------------------


def _reaches(
    kind: str,
    name: str,
    algorithm: str,
    alpha: float,
    n: int,
    budget: int,
    profile: Profile,
    cost: float,
) -> None:
    """Register that an algorithm solves most instances of n spins at a density."""
    model = (
        "symmetric binary perceptron at kappa = 1"
        if kind == "sbp"
        else "asymmetric binary perceptron"
    )

    @claim(
        f"{kind}-{algorithm}-reaches-n-{n}",
        f"{name} solves at least half of the instances of the {model} at alpha = {alpha:g}, n = {n}, with "
        f"{budget} passes over the matrix.",
        source=_SBP if kind == "sbp" else _ABP,
        tags=(kind, "monte-carlo", "algorithms"),
        profile=profile,
        group="instances",
        wrong=("hasty",),
        cost=cost,
        designs=(
            Design(
                f"solved with probability >= 1/2 at alpha = {alpha:g}",
                _EXACT,
                _SAMPLES,
                _FALSE_ALARM,
                "solved with probability 1/100",
                0.9992,
            ),
        ),
    )
    def check(run: Run) -> Finding:
        """Draw instances, look for a solution, have each checked exactly."""
        from verify.thresholds.reach import solver_reaches

        evidence = solver_reaches(
            _model(kind),
            alpha,
            n=n,
            samples=_SAMPLES,
            algorithm=algorithm,
            budget=run.theory.budget(budget),
            seed=run.integer(),
        )
        return judged(run, evidence)


_BELIEF = "Message passing with controlled norm"
_reaches("sbp", _BELIEF, "belief", 1.45, 500, 800, "ci", 6.0)
_reaches("sbp", _BELIEF, "belief", 1.45, 2000, 1500, "full", 70.0)
_reaches("abp", _BELIEF, "belief", 0.7, 500, 800, "ci", 3.0)
_reaches("abp", _BELIEF, "belief", 0.7, 2000, 1500, "full", 50.0)
_INCREMENTAL = "Incremental message passing, handed over at an overlap of 0.95,"
_reaches("sbp", _INCREMENTAL, "incremental", 1.4, 500, 800, "full", 20.0)
_reaches("abp", _INCREMENTAL, "incremental", 0.65, 500, 800, "full", 20.0)
_reaches("sbp", "Controlled loosening-up (CLuP)", "clup", 1.3, 500, 1500, "ci", 10.0)


# -- densities that are not ------------------------------------------------------------------------


def _stops(
    kind: str, margin: float, n: int, budget: int, allowed: float, profile: Profile, cost: float
) -> None:
    """Register that no algorithm solves more than a few instances above the third level."""
    model = (
        "symmetric binary perceptron at kappa = 1"
        if kind == "sbp"
        else "asymmetric binary perceptron"
    )
    above = f"{100.0 * margin:g}% above" if margin else "at"

    @claim(
        f"{kind}-algorithms-stop-n-{n}",
        f"Neither message passing nor controlled loosening-up solves more than {100.0 * allowed:g}% of the "
        f"instances of the {model} {above} the third level, n = {n}, with {budget} passes over the matrix.",
        source=_SBP if kind == "sbp" else _ABP,
        tags=(kind, "monte-carlo", "algorithms", "threshold"),
        profile=profile,
        group="instances",
        wrong=("lowered",),
        cost=cost,
        designs=(
            Design(
                f"solved with probability <= {allowed:g}",
                _EXACT,
                _SAMPLES,
                _FALSE_ALARM,
                "solved with probability 9/10, as 15% below that level",
                0.9999,
            ),
        ),
    )
    def check(run: Run) -> Finding:
        """Try all algorithms on every instance."""
        from verify.thresholds.reach import no_solver_above

        alpha = run.theory.solution(_model(kind), 3).value * (1.0 + margin)
        evidence = no_solver_above(
            _model(kind),
            alpha,
            n=n,
            samples=_SAMPLES,
            budget=run.theory.budget(budget),
            probability=allowed,
            seed=run.integer(),
        )
        return judged(run, evidence)


# The smearing of a transition at finite n decides what is allowed: at the level itself some 15% of
# asymmetric instances of 1000 spins are solved, 3% above it some 8%.
_stops("sbp", 0.0, 500, 800, 0.1, "ci", 12.0)
_stops("sbp", 0.0, 2000, 1500, 0.1, "full", 300.0)
_stops("abp", 0.03, 1000, 800, 0.25, "ci", 40.0)
_stops("abp", 0.03, 2000, 1500, 0.1, "full", 300.0)


# -- energies --------------------------------------------------------------------------------------


def _comes_near(
    kind: str,
    level: int,
    relative: float,
    correction: float,
    n: int,
    profile: Profile,
    cost: float,
    algorithm: str = "clup",
) -> None:
    """Register that an algorithm ends within some per cent of a level's energy, and not beyond it."""
    samples, budget = 32, 1000 if algorithm == "clup" else 200
    words = {"clup": "Controlled loosening-up", "incremental": "Incremental message passing"}
    name = "Sherrington-Kirkpatrick model"
    if kind != "sk":
        name = f"{'negative' if kind.startswith('negative') else 'positive'} Hopfield model at alpha = 1"
    null = f"within {100.0 * relative:g}% and {correction:g} n^(-2/3), and not beyond"

    @claim(
        f"{kind}-{'algorithms' if algorithm == 'clup' else algorithm}-energy-level-{level}",
        f"{words[algorithm]} ends within {100.0 * relative:g}% and a finite-size term of "
        f"{correction:g} n^(-2/3) of level {level} of the {name}, and never beyond it, n = {n}.",
        source="Stojnic, arXiv:2507.09247 and arXiv:2507.22396; Boettcher 2005 (finite-size term)",
        tags=("sk" if kind == "sk" else "hopfield", "monte-carlo", "algorithms", "energy"),
        profile=profile,
        group=kind,
        # 3% more is nearer to where a minimum's algorithm ends
        wrong=("lowered",) if kind.startswith("negative") else ("moved", "lowered"),
        cost=cost,
        designs=(
            Design(
                null,
                "Student's test of the mean energy",
                samples,
                _FALSE_ALARM,
                "an energy three times the allowance away",
                0.9991,
            ),
        ),
    )
    def check(run: Run) -> Finding:
        """Compare the mean of several instances."""
        from verify.thresholds.reach import energy_within

        energy = run.theory.solution(_model(kind), level).value
        evidence = energy_within(
            _model(kind),
            energy,
            relative=relative,
            n=n,
            samples=samples,
            algorithm=algorithm,
            budget=run.theory.budget(budget),
            correction=correction,
            seed=run.integer(),
        )
        return judged(run, evidence)


_KINDS: tuple[tuple[str, float, float], ...] = (
    ("sk", 0.01, 0.7),
    ("hopfield", 0.01, 0.7),
    ("negative-hopfield", 0.05, 0.9),
)
_comes_near("sk", 6, 0.01, 0.7, 2000, "full", 30.0, "incremental")
for _kind, _relative, _correction in _KINDS:
    _comes_near(_kind, 3, _relative, _correction, 1000, "ci", 15.0)
    _comes_near(_kind, 6, _relative, _correction, 2000, "full", 250.0)


# -- the profile followed --------------------------------------------------------------------------

FORGETFUL = replaced(
    "thresholds-forgetful",
    "Increments sent through an instance need no memory.",
    {walk: partial(walk, recall=0.0), climb: partial(climb, recall=0.0)},
)


def _follows(kind: str, alpha: float | None, what: str, cost: float) -> None:
    """Register that incremental message passing keeps to its profile."""
    allowed = 0.05

    @claim(
        f"{kind}-incremental-follows-its-profile",
        f"Sent through instances of the {what}, n = 1000, in 100 steps with the memory that is derived, "
        f"increments keep to the profile within {allowed:g} in at least half: |m|^2/n half-way, in the end "
        + ("m'Jm/(2n)." if alpha is None else "|Gm|^2/m."),
        source="Montanari, FOCS 2019; El Alaoui, Sellke, arXiv:2010.15811; the memory: derived here",
        tags=(kind, "monte-carlo", "algorithms", "functional"),
        profile="ci",
        group="instances",
        wrong=(FORGETFUL,),
        cost=cost,
        designs=(
            Design(
                f"both observables within {allowed:g} with probability >= 1/2",
                "exact binomial test of the number within, one-sided",
                _SAMPLES,
                _FALSE_ALARM,
                "within with probability 1/100",
                0.9992,
            ),
        ),
    )
    def check(run: Run) -> Finding:
        """Walk, and compare with averages under the tilted law."""
        from verify.thresholds.reach import profile_followed

        follow = run.theory.of(climb) if alpha is None else run.theory.of(walk)
        evidence = profile_followed(
            _model(kind), follow, alpha=alpha, samples=_SAMPLES, allowed=allowed, seed=run.integer()
        )
        return judged(run, evidence)


_follows("sbp", 1.55, "symmetric binary perceptron at kappa = 1, alpha = 1.55", 12.0)
_follows("sk", None, "Sherrington-Kirkpatrick model", 12.0)
