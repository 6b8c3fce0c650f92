"""Published ground-state energies: Hopfield models and the Sherrington-Kirkpatrick model."""

from __future__ import annotations

import math

from verify.suite.checks import against_printed, level_plot, limit_bracket, support
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding, printed_tolerance

HOPFIELD_PAPER = "Stojnic, arXiv:2507.22396 (abstract)"
SK_PAPER = "Stojnic, arXiv:2507.09247 (abstract)"


def _hopfield(sign: int):
    from theory import Hopfield

    return Hopfield(sign, 1)


@claim(
    "hopfield-level-6",
    "At alpha = 1 the sixth level of the positive Hopfield model's ground-state energy is 1.7784.",
    source=HOPFIELD_PAPER,
    printed="1.7784",
    tags=("hopfield", "energy", "published"),
    profile="ci",
    group="hopfield",
    cost=12,
    wrong=("moved", "swapped"),
)
def hopfield_level_6(run: Run) -> Finding:
    """Compare with the printed value."""
    title = (
        "Ground-state energy of the positive Hopfield model at alpha = 1 against the lifting level"
    )
    plot = level_plot(run, _hopfield(1), range(1, 7), title, {"printed, level 6": 1.7784})
    return against_printed(run, _hopfield(1), 6, plots=(plot,))


@claim(
    "negative-hopfield-level-6",
    "At alpha = 1 the sixth level of the negative Hopfield model's ground-state energy is 0.3281.",
    source=HOPFIELD_PAPER,
    printed="0.3281",
    tags=("hopfield", "energy", "published"),
    profile="ci",
    group="negative-hopfield",
    cost=75,
    wrong=("moved", "swapped"),
)
def negative_hopfield_level_6(run: Run) -> Finding:
    """Compare with the printed value."""
    title = (
        "Ground-state energy of the negative Hopfield model at alpha = 1 against the lifting level"
    )
    plot = level_plot(run, _hopfield(-1), range(1, 7), title, {"printed, level 6": 0.3281})
    return against_printed(run, _hopfield(-1), 6, plots=(plot,))


@claim(
    "hopfield-level-1",
    "The first level of the Hopfield models is sqrt(alpha) + sqrt(2/pi), and sqrt(alpha) - sqrt(2/pi) or, "
    "where that is negative, 0: the least norm of Gx is none.",
    source="Stojnic, arXiv:2507.22396 (level 1)",
    tags=("hopfield", "energy"),
    group="negative-hopfield",
    wrong=("moved", "swapped"),
    cost=0.5,
)
def hopfield_level_1(run: Run) -> Finding:
    """Compare at several densities."""
    from theory import Hopfield

    evidence, worst = {}, 0.0
    for alpha in ("1/4", "1", "2"):
        for sign in (1, -1):
            value = run.theory.solution(Hopfield(sign, alpha), 1).value
            exact = math.sqrt(float(Hopfield(1, alpha).alpha or 1)) + sign * math.sqrt(
                2.0 / math.pi
            )
            exact = max(exact, 0.0)
            evidence[f"alpha = {alpha}, sign {sign:+d}"] = {"ours": value, "closed form": exact}
            worst = max(worst, abs(value - exact))
    verdict = "confirmed" if worst < 1e-12 else "refuted"
    return Finding(verdict, f"The largest difference is {worst:.1e}.", None, evidence)


@claim(
    "sk-limit",
    "The Sherrington-Kirkpatrick ground-state energy is 0.763 in the limit of all levels.",
    source=f"{SK_PAPER}; 0.7631667265 in Oppermann, Schmidt 2008",
    printed="0.763",
    tags=("sk", "energy", "published", "extrapolation"),
    group="sk",
    cost=8,
    wrong=("moved",),
    profile="ci",
)
def sk_limit(run: Run) -> Finding:
    """Extrapolate the levels in two ways; Parisi's value has to lie between them."""
    from theory import SK

    levels = range(2, 6)
    values = run.theory.values(SK(), levels)
    low, high = limit_bracket(values)
    known = 0.7631667265
    evidence = {
        "levels 2 to 5": values,
        "geometric and power-law limits": [low, high],
        "Oppermann and Schmidt": known,
        "differences to it": [low - known, high - known],
    }
    half = printed_tolerance("0.763")
    good = low <= known <= high and abs(low - 0.763) <= half and abs(high - 0.763) <= half
    title = "Ground-state energy of the Sherrington-Kirkpatrick model against the lifting level"
    plot = level_plot(run, SK(), levels, title, {"Parisi's limit": known})
    return Finding(
        "confirmed" if good else "differs",
        f"Extrapolated the levels go to {low:.6f}..{high:.6f}, which encloses {known} and rounds to 0.763.",
        0.5 * (low + high),
        evidence,
        (plot,),
    )


@claim(
    "sk-level-1",
    "The first level of the Sherrington-Kirkpatrick model is sqrt(2/pi).",
    source="Stojnic, arXiv:2507.09247 (level 1); Sherrington, Kirkpatrick 1975 (replica-symmetric energy)",
    tags=("sk", "energy"),
    group="sk",
    wrong=("moved", "swapped"),
    cost=0.1,
)
def sk_level_1(run: Run) -> Finding:
    """Compare with the closed form."""
    from theory import SK

    value, exact = run.theory.solution(SK(), 1).value, math.sqrt(2.0 / math.pi)
    verdict = "confirmed" if abs(value - exact) < 1e-14 else "refuted"
    return Finding(verdict, f"{value!r} against {exact!r}.", value, {"closed form": exact})


@claim(
    "sk-levels-supported",
    "Levels 2 to 5 of the Sherrington-Kirkpatrick model are minima of the Parisi functional that an "
    "independent quadrature reproduces.",
    source="Parisi 1980; Stojnic, arXiv:2507.09247",
    tags=("sk", "energy"),
    group="sk",
    cost=1,
    wrong=("moved", "swapped"),
    profile="ci",
)
def sk_levels_supported(run: Run) -> Finding:
    """Cross-check each level at its own order parameters."""
    from theory import SK

    evidence, doubts = {}, []
    run.theory.solution(SK(), 5)
    for level in range(2, 6):
        run.progress((level - 2) / 4, f"level {level}")
        solution = run.theory.solution(SK(), level)
        given = support(solution)
        evidence[f"level {level}"] = given.evidence
        if given.doubt or solution.inertia:
            doubts.append(f"level {level}: {given.doubt or 'not a minimum'}")
    verdict = "refuted" if doubts else "confirmed"
    return Finding(verdict, "; ".join(doubts) or "All four agree to nine digits.", None, evidence)
