"""What holds for every model: the order of the exponents, monotone levels, monotone margins."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from verify.suite.claims import Profile, Run, claim
from verify.suite.verdicts import Curve, Finding, Plot

if TYPE_CHECKING:
    from theory import Model


def _orderings(run: Run, model, levels) -> dict[int, str]:
    """Order of c_2, c_3, .., c_{r+1} at each level; the last one, 0, makes a single exponent decreasing."""
    orders = {}
    run.theory.solution(model, levels[-1])
    for level in levels:
        run.progress(0.5, f"{model}, level {level}")
        solution = run.theory.solution(model, level)
        if solution.level != level or len(solution.c) < _exponents(solution, level):
            orders[level] = "not of this level"
            continue
        orders[level] = solution.ordering or "decreasing"
    return orders


def _exponents(solution, level: int) -> int:
    """Number of finite exponents that a level has: c_2..c_r; of hard constraints the ratios to c_2."""
    return level - 2 if not solution.is_finite else level - 1


def _ordering_claim(run: Run, model, levels: range, changes_at: int | None) -> Finding:
    orders = _orderings(run, model, levels)
    wanted = {
        level: "decreasing" if changes_at is None or level < changes_at else "increasing"
        for level in levels
    }
    exponents = {
        str(level): list(run.theory.solution(model, level).c) for level in levels if level > 2
    }
    evidence = {
        "order by level": {str(k): v for k, v in orders.items()},
        "exponents": exponents,
        "change at level": next((k for k in levels if orders[k] != "decreasing"), None),
    }
    curves = tuple(
        Curve(f"level {level}", tuple(float(k) for k in range(2, 2 + len(c))), tuple(c))
        for level, c in exponents.items()
        if c
    )
    title = f"Exponents of {model} by their index, level by level"
    name = "c_k" if run.theory.solution(model, levels[-1]).is_finite else "s_k = c_(k+1)/c_2"
    plot = Plot(title, "k", name, curves, log=True)
    shown = ", ".join(f"level {level} {order}" for level, order in orders.items())
    verdict = "confirmed" if orders == wanted else "refuted"
    return Finding(verdict, f"Found: {shown}.", None, evidence, (plot,))


_CHANGE = (
    "The exponents c_2 > c_3 = 0 of the second level decrease; from the third level on "
    "c_2 < c_3 < .. < c_r"
)


@claim(
    "sbp-order-change",
    f"{_CHANGE} in the symmetric binary perceptron at kappa = 1.",
    source="Stojnic, arXiv:2601.10628 (abstract: the change is observed on the second lifting level)",
    tags=("sbp", "c-sequence", "published"),
    group="sbp",
    cost=0.1,
    wrong=("swapped",),
)
def sbp_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 2 to 7."""
    from theory import SBP

    return _ordering_claim(run, SBP(1), range(2, 8), 3)


@claim(
    "abp-order-change",
    f"{_CHANGE} in the asymmetric binary perceptron at kappa = 0.",
    source="Stojnic, arXiv:2511.01037 (abstract: decreasing on the first two levels, not above)",
    tags=("abp", "c-sequence", "published"),
    group="abp",
    cost=0.1,
    wrong=("swapped",),
)
def abp_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 2 to 5."""
    from theory import ABP

    return _ordering_claim(run, ABP(0), range(2, 6), 3)


@claim(
    "negative-hopfield-order-change",
    f"{_CHANGE} in the negative Hopfield model at alpha = 1.",
    source="Stojnic, arXiv:2601.10628 (abstract: mirrors the negative Hopfield model)",
    tags=("hopfield", "c-sequence", "published"),
    group="negative-hopfield",
    cost=3.5,
    profile="ci",
    wrong=("swapped",),
)
def negative_hopfield_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 1 to 3, in larger profiles to 6."""
    from theory import Hopfield

    last = 3 if run.profile == "quick" else 6
    return _ordering_claim(run, Hopfield(-1, 1), range(1, last + 1), 3)


@claim(
    "sk-no-order-change",
    "In the Sherrington-Kirkpatrick model the exponents decrease at every level.",
    source="Stojnic, arXiv:2507.09247; Parisi 1980",
    tags=("sk", "c-sequence"),
    group="sk",
    cost=0.1,
    wrong=("swapped",),
)
def sk_no_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 1 to 4."""
    from theory import SK

    return _ordering_claim(run, SK(), range(1, 5), None)


@claim(
    "hopfield-no-order-change",
    "In the positive Hopfield model at alpha = 1 the exponents decrease at every level.",
    source="Stojnic, arXiv:2507.22396",
    tags=("hopfield", "c-sequence"),
    profile="ci",
    group="hopfield",
    cost=0.1,
    wrong=("swapped",),
)
def hopfield_no_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 1 to 6."""
    from theory import Hopfield

    return _ordering_claim(run, Hopfield(1, 1), range(1, 7), None)


def _levels_monotone(
    name: str,
    model: Callable[[], Model],
    levels: range,
    *,
    rises: bool = False,
    group: str,
    profile: Profile = "quick",
    cost: float = 0.1,
) -> None:
    """Register the claim that a model's levels fall, or rise."""
    words = "rises" if rises else "falls"

    @claim(
        f"levels-monotone-{group}",
        f"The value of {name} {words} from level {levels[0]} to level {levels[-1]}, step by step.",
        source="Stojnic, arXiv:2312.00073 (lifting tightens the bounds)",
        tags=("law", "monotone"),
        profile=profile,
        group=group,
        cost=cost,
        wrong=("swapped", "reversed"),
    )
    def check(run: Run) -> Finding:
        values = run.theory.values(model(), levels)
        steps = [b - a for a, b in itertools.pairwise(values)]
        good = all(step > 0.0 if rises else step < 0.0 for step in steps)
        evidence = {"levels": dict(zip(map(str, levels), values, strict=True)), "steps": steps}
        curve = Curve(str(model()), tuple(map(float, levels)), tuple(values))
        symbol = "alpha_r" if model().problem == "capacity" else "xi_r"
        plot = Plot(f"Levels of {name}", "lifting level r", symbol, (curve,))
        shown = ", ".join(f"{step:+.3g}" for step in steps)
        verdict = "confirmed" if good else "refuted"
        return Finding(verdict, f"The steps are {shown}.", None, evidence, (plot,))


def _register_levels_monotone() -> None:
    from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron, UPerceptron

    _levels_monotone("the symmetric perceptron", lambda: SBP(1), range(2, 8), group="sbp")
    _levels_monotone("the asymmetric perceptron", lambda: ABP(0), range(2, 6), group="abp")
    _levels_monotone("the Sherrington-Kirkpatrick model", SK, range(1, 5), group="sk")
    _levels_monotone(
        "the negative Hopfield model",
        lambda: Hopfield(-1, 1),
        range(1, 4),
        rises=True,
        group="negative-hopfield",
    )
    _levels_monotone(
        "the positive Hopfield model",
        lambda: Hopfield(1, 1),
        range(1, 7),
        group="hopfield",
        profile="ci",
    )
    _levels_monotone(
        "the u-function perceptron at kappa = 1",
        lambda: UPerceptron(1),
        range(2, 4),
        group="ubp",
        profile="ci",
        cost=20.0,
    )
    _levels_monotone(
        "the spherical perceptron at kappa = -1",
        lambda: SphericalPerceptron(-1),
        range(1, 3),
        group="negative-spherical",
        profile="ci",
        cost=10.0,
    )


_register_levels_monotone()


@claim(
    "margins-monotone",
    "A wider window raises the symmetric perceptron's threshold at every level; a larger margin lowers that "
    "of the asymmetric, u-function and spherical ones.",
    source="monotone inclusion of the sets of solutions; at levels above the exact one a law of the theory",
    tags=("law", "random"),
    group="margins",
    cost=4,
    wrong=("reversed",),
    profile="ci",
)
def margins_monotone(run: Run) -> Finding:
    """Compare thresholds at random pairs of margins."""
    from theory import ABP, SBP, SphericalPerceptron, UPerceptron

    rng = run.stream()
    higher = run.profile != "quick"
    kinds = (
        (SBP, 1, 3 + higher, (0.3, 3.0)),
        (ABP, -1, 2 + higher, (-1.0, 1.0)),
        (UPerceptron, -1, 2, (0.3, 1.5)),
        (SphericalPerceptron, -1, 1, (0.0, 2.0)),
    )
    evidence, failures = {}, []
    for count, (kind, sign, level, (low, high)) in enumerate(kinds):
        margins = sorted(round(float(x), 3) for x in rng.uniform(low, high, 2 + 2 * higher))
        values = [run.theory.solution(kind(str(k)), level).value for k in margins]
        run.progress(count / len(kinds), kind.__name__)
        evidence[f"{kind.__name__}, level {level}"] = dict(
            zip(map(str, margins), values, strict=True)
        )
        for (k, a), (m, b) in itertools.pairwise(zip(margins, values, strict=True)):
            if k < m and not sign * (b - a) > 0:
                failures.append(f"{kind.__name__} at level {level}: {a:.9g} at {k}, {b:.9g} at {m}")
    reason = "; ".join(failures) + "." if failures else "All random pairs are in order."
    return Finding("refuted" if failures else "confirmed", reason, None, evidence)
