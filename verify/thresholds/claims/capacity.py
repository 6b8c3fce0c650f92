"""Capacity of the spherical perceptron: Cover's and Gardner's numbers, and a count of random instances."""

from __future__ import annotations

import math

from verify.statistics.tests import CountTest
from verify.suite.checks import against_printed
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Expected, Finding, Plot

GARDNER = "Cover 1965; Gardner 1988"


@claim(
    "spherical-cover",
    "The capacity of the spherical perceptron at kappa = 0 is 2.",
    source=GARDNER,
    printed="2",
    tags=("spherical", "threshold", "published"),
    group="spherical",
    wrong=("moved",),
    expected=Expected("confirmed", "", 2.0, 1e-12),
    cost=0.3,
)
def spherical_cover(run: Run) -> Finding:
    """Compare with the printed value, which is exact."""
    return against_printed(run, _spherical("0"), 1)


def _spherical(kappa: str):
    from theory import SphericalPerceptron

    return SphericalPerceptron(kappa)


@claim(
    "spherical-gardner",
    "For kappa >= 0 the capacity of the spherical perceptron is 1/E[max(kappa + h, 0)^2].",
    source="Gardner 1988",
    tags=("spherical", "threshold"),
    group="spherical",
    wrong=("moved",),
    cost=1.5,
)
def spherical_gardner(run: Run) -> Finding:
    """Compare with an adaptive quadrature of the expectation."""
    from scipy import integrate

    margins, ours, theirs = ("0", "0.25", "0.5", "1", "2"), [], []
    for kappa in margins:
        k = float(kappa)
        mean, _ = integrate.quad(_second_moment_density, -k, 14.0, args=(k,), epsabs=1e-14)
        ours.append(run.theory.solution(_spherical(kappa), 1).value)
        theirs.append(1.0 / mean)
    worst = max(abs(a / b - 1.0) for a, b in zip(ours, theirs, strict=True))
    evidence = {"kappa": margins, "ours": ours, "1/E": theirs, "largest relative difference": worst}
    at = tuple(float(k) for k in margins)
    curves = (
        Curve("Gardner's formula", at, tuple(theirs), style="line"),
        Curve("ours", at, tuple(ours), style="points"),
    )
    plot = Plot(
        "Capacity of the spherical perceptron against its margin", "kappa", "alpha_c", curves
    )
    verdict = "confirmed" if worst < 1e-9 else "refuted"
    return Finding(verdict, f"Largest relative difference {worst:.0e}.", None, evidence, (plot,))


def _second_moment_density(u: float, kappa: float) -> float:
    return (kappa + u) ** 2 * math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)


@claim(
    "spherical-lifting-idle",
    "For kappa >= 0 lifting adds nothing to the spherical perceptron: its levels merge.",
    source="Gardner 1988 (replica symmetry is exact for convex problems); Stojnic, arXiv:2312.00073",
    tags=("spherical", "law"),
    group="spherical",
    cost=4,
    wrong=("swapped",),
    profile="ci",
)
def spherical_lifting_idle(run: Run) -> Finding:
    """Compare levels 1 and 2."""
    one, two = (run.theory.solution(_spherical("0"), level) for level in (1, 2))
    evidence = {"level 1": one.value, "level 2": two.value, "branch": two.branch, "note": two.note}
    same = abs(two.value - one.value) <= one.error + two.error
    verdict = "confirmed" if same and two.branch == "merged" else "refuted"
    return Finding(verdict, f"{one.value!r} and {two.value!r} ({two.branch}).", two.value, evidence)


# -- instances -------------------------------------------------------------------------------------

DIMENSION, INSTANCES = 100, 900


def cover_probability(m: int, n: int) -> float:
    """Probability that m half-spaces through the origin in general position in n dimensions meet.

    Cover's count: the probability that at most n - 1 of m - 1 fair coins fall on heads.
    """
    from scipy.stats import binom

    return float(binom.cdf(n - 1, m - 1, 0.5))


_TEST = CountTest(0.5, INSTANCES, 0.337639)  # Cover's probability at m = 206, n = 100


@claim(
    "spherical-instances",
    "At m = alpha_c n rows of a random matrix exactly half of the spherical perceptrons at kappa = 0 have "
    "solutions, at every n.",
    source="Cover 1965 (the number of dichotomies)",
    tags=("spherical", "monte-carlo"),
    profile="ci",
    group="instances",
    cost=30,
    designs=(
        _TEST.design(
            f"m = alpha_c n rows have solutions with probability 1/2, n = {DIMENSION}",
            "a capacity moved by 3%, with Cover's probability at m = 206",
        ),
    ),
)
def spherical_instances(run: Run) -> Finding:
    """Decide random instances by linear programming."""
    import numpy as np

    alpha = run.theory.solution(_spherical("0"), 1).value
    m = round(alpha * DIMENSION)
    rng = run.stream()
    count = 0
    for k in range(INSTANCES):
        if k % 25 == 0:
            run.progress(k / INSTANCES, f"{k} instances")
        count += solvable(rng.standard_normal((m, DIMENSION)))
    low, high = _TEST.region()
    share = count / INSTANCES
    grid = np.arange(int(1.5 * DIMENSION), int(2.5 * DIMENSION) + 1)
    exact = tuple(cover_probability(int(x), DIMENSION) for x in grid)
    spread = math.sqrt(0.25 / INSTANCES)
    curves = (
        Curve("Cover's law", tuple((grid / DIMENSION).tolist()), exact, style="line"),
        Curve("instances", (m / DIMENSION,), (share,), (spread,), style="points"),
    )
    plot = Plot(
        f"Share of random spherical perceptrons with solutions, n = {DIMENSION}",
        "m/n",
        "share with solutions",
        curves,
        {"one half": 0.5},
    )
    evidence = {
        "n": DIMENSION,
        "m": m,
        "instances": INSTANCES,
        "with solutions": count,
        "accepted counts": [low, high],
        "p-value": _TEST.p_value(count),
    }
    verdict = "confirmed" if _TEST.accepts(count) else "refuted"
    reason = (
        f"{count} of {INSTANCES} instances at m = {m} have solutions; {low} to {high} are accepted."
    )
    return Finding(verdict, reason, share, evidence, (plot,))


def solvable(matrix) -> bool:
    """Whether some x has G x > 0, by linear programming.

    The largest t with G x >= t and |x_i| <= 1 is 0 exactly where there is none.
    """
    import numpy as np
    from scipy.optimize import linprog

    m, n = matrix.shape
    scaled = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    system = np.hstack((-scaled, np.ones((m, 1))))
    cost = np.zeros(n + 1)
    cost[-1] = -1.0
    bounds = [(-1.0, 1.0)] * n + [(0.0, 1.0)]
    program = linprog(cost, system, np.zeros(m), bounds=bounds, method="highs")
    if not program.success:
        raise ArithmeticError(f"the linear program was not solved: {program.message}")
    return bool(-program.fun > 1e-9)
