"""Laws of infinitely many liftings, approached by many."""

from __future__ import annotations

import math

from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Finding, Plot


@claim(
    "continuum-exponent",
    "The exponent that infinitely many liftings have at a place of the profile lies between the exponents of "
    "the two liftings next to it, and marginal stability is approached as the level grows, for SK as its "
    "square.",
    source="the derivatives of p = E f_x^2, Q = alpha E g_x^2; Sommers, Dupont 1984 for SK",
    tags=("sbp", "sk", "functional"),
    group="sk",
    cost=25,
    profile="ci",
)
def continuum_exponent(run: Run) -> Finding:
    """Evaluate bends under the tilted laws of levels 5 to 7; the leaf's interface is a boundary layer."""
    from numerics.limits.continuum import interfaces
    from theory import SBP, SK

    failures: list[str] = []
    evidence: dict[str, float] = {}
    curves = []
    for model, rates in ((SK(), (1.8, 2.2)), (SBP(1), (1.0, 2.5))):
        levels, outermost = range(5, 8), []
        for level in levels:
            places = interfaces(run.theory.solution(model, level))
            for place in places[1:]:
                low, high = sorted((place.inner, place.outer))
                if not low < place.exponent < high:
                    failures.append(
                        f"{model} level {level}: {place.exponent:.4g} is not in {low:.4g}..{high:.4g}"
                    )
            outermost.append(abs(places[-1].marginality))
        rate = -math.log(outermost[-1] / outermost[0]) / math.log(levels[-1] / levels[0])
        evidence[f"{model}, rate of marginality"] = rate
        evidence[f"{model}, marginality at level {levels[-1]}"] = outermost[-1]
        if not rates[0] < rate < rates[1]:
            failures.append(f"{model}: marginality is approached as level^-{rate:.2f}")
        curves.append(Curve(str(model), tuple(map(float, levels)), tuple(outermost)))
    plot = Plot("Distance to marginal stability, outermost", "level", "|1 - M|", tuple(curves))
    reason = "; ".join(failures) or "All exponents lie between their neighbours."
    return Finding("refuted" if failures else "confirmed", reason, None, evidence, (plot,))
