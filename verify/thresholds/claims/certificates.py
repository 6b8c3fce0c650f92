"""What is proved: enclosures in ball arithmetic, verified from scratch."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding, printed_tolerance

if TYPE_CHECKING:
    from theory import Model

_DIGITS = 12


def _stationary(run: Run, model: Model, level: int, printed: str = "") -> Finding:
    """Prove a stationary point near the solved one, and compare the value with the proved bounds."""
    from numerics import certify, check

    solution = run.theory.solution(model, level)
    run.progress(0.1, "proof")
    certificate = check(certify(solution, digits=_DIGITS).to_json())
    low, high = Fraction(certificate.lower), Fraction(certificate.upper)
    slack = Fraction(1, 10**9)  # doubles, not the proof
    inside = low - slack <= Fraction(solution.value) <= high + slack
    rounds = True
    if printed:
        half = Fraction(printed_tolerance(printed))
        rounds = abs((low + high) / 2 - Fraction(printed)) <= half
    right = certificate.kind == "stationary point" and inside
    if not right:
        verdict, agreement = "refuted", "does not agree with"
    else:
        verdict, agreement = ("confirmed" if rounds else "differs"), "agrees with"
    return Finding(
        verdict,
        f"A locally unique stationary point exists, its value in [{certificate.lower}, {certificate.upper}], "
        f"which {agreement} the solver's {solution.value!r}.",
        solution.value,
        {
            "statement": certificate.statement,
            "lower": certificate.lower,
            "upper": certificate.upper,
            "point": dict(certificate.point),
        },
    )


@claim(
    "abp-level-2-proved",
    "Krauth and Mezard's capacity is the value of a stationary point whose existence, local uniqueness and "
    "value are proved.",
    source="Krauth, Mezard 1989; Krawczyk's test in ball arithmetic",
    printed="0.8330786",
    tags=("abp", "certificate"),
    profile="ci",
    group="abp-proved",
    cost=40.0,
)
def abp_level_2_proved(run: Run) -> Finding:
    """Prove twelve digits, and verify the certificate from its text."""
    from theory import ABP

    return _stationary(run, ABP(0), 2, "0.8330786")


@claim(
    "sbp-level-3-proved",
    "The third level of the symmetric binary perceptron at kappa = 1 is the value of a stationary point "
    "whose existence, local uniqueness and value are proved.",
    source="Stojnic, arXiv:2601.10628 (level 3); Krawczyk's test in ball arithmetic",
    tags=("sbp", "certificate"),
    profile="full",
    group="sbp-proved",
    cost=80.0,
)
def sbp_level_3_proved(run: Run) -> Finding:
    """Prove twelve digits, and verify the certificate from its text."""
    from theory import SBP

    return _stationary(run, SBP(1), 3)


@claim(
    "sbp-level-7-bound",
    "A proved upper bound of the seventh level of the symmetric binary perceptron at kappa = 1 lies below "
    "the printed 1.6021, whatever the solver did.",
    source="Stojnic, arXiv:2601.10628, abstract (1.6021); the functional in ball arithmetic",
    tags=("sbp", "certificate", "published"),
    profile="ci",
    group="sbp",
    cost=25.0,
)
def sbp_level_7_bound(run: Run) -> Finding:
    """Evaluate at rational order parameters with ordered exponents; the solver's value is not above."""
    # what rounds to the printed value is at least this
    return _upper_bound(run, 7, _DIGITS, Fraction("1.60205"))


def _upper_bound(run: Run, level: int, digits: int, limit: Fraction) -> Finding:
    """Prove at the solver's point that a level of the symmetric perceptron lies below a number, kappa = 1."""
    from numerics import certify, check
    from theory import SBP

    solution = run.theory.solution(SBP(1), level)
    run.progress(0.9, "proof")
    certificate = check(certify(solution, digits=digits).to_json())
    upper = Fraction(certificate.upper)
    agrees = abs(Fraction(solution.value) - upper) < Fraction(1, 10**8)
    right = upper < limit and agrees and certificate.kind == "upper bound"
    return Finding(
        "confirmed" if right else "refuted",
        f"At the listed point the functional is at most {certificate.upper}; the solver says "
        f"{solution.value!r}.",
        solution.value,
        {
            "statement": certificate.statement,
            "upper": certificate.upper,
            "point": dict(certificate.point),
        },
    )


@claim(
    "sbp-level-20-bound-proved",
    "At kappa = 1 the infimum of the twentieth level over ordered exponents is below 1.596633025838377.",
    source="every ordered profile bounds the level from above; ball arithmetic at one of them",
    tags=("sbp", "certificate"),
    profile="full",
    group="sbp-level-20",
    cost=200.0,
)
def sbp_level_20_bound(run: Run) -> Finding:
    """Prove the functional's value at the solver's point, and verify the certificate from its text."""
    return _upper_bound(run, 20, 20, Fraction("1.596633025838377"))
