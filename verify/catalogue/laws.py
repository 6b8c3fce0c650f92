"""What holds for every model: the order of the exponents, monotone levels, monotone margins."""

from __future__ import annotations

import itertools

from verify.claims import Run, claim
from verify.verdicts import Curve, Finding, Plot


def _models() -> dict[str, tuple[object, range]]:
    from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron, UPerceptron

    return {
        "sbp": (SBP(1), range(2, 7)),
        "abp": (ABP(0), range(2, 5)),
        "ubp": (UPerceptron(1), range(2, 4)),
        "spherical, kappa = -1": (SphericalPerceptron(-1), range(1, 3)),
        "sk": (SK(), range(1, 5)),
        "hopfield": (Hopfield(1, 1), range(1, 5)),
        "negative hopfield": (Hopfield(-1, 1), range(1, 4)),
    }


def _orderings(run: Run, model, levels) -> dict[int, str]:
    """Order of c_2, c_3, .., c_{r+1} at each level; the last one, 0, makes a single exponent decreasing."""
    found = {}
    for level in levels:
        run.progress(0.5, f"{model}, level {level}")
        solution = run.theory.solution(model, level)
        if solution.level != level or len(solution.c) < _exponents(solution, level):
            found[level] = "not of this level"
            continue
        found[level] = solution.ordering or "decreasing"
    return found


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
    cost=5.0,
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
    cost=3.0,
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
    cost=4.0,
    wrong=("swapped",),
)
def negative_hopfield_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 1 to 3, in larger profiles to 6."""
    from theory import Hopfield

    last = 3 if run.profile == "quick" else 6
    return _ordering_claim(run, Hopfield(-1, 1), range(1, last + 1), 3)


@claim(
    "no-order-change",
    "In the positive Hopfield and the Sherrington-Kirkpatrick model, which have no such gap, the exponents "
    "decrease at every level.",
    source="Stojnic, arXiv:2507.22396, arXiv:2507.09247; Parisi 1980",
    tags=("hopfield", "sk", "c-sequence"),
    group="sk",
    cost=9.0,
    wrong=("swapped",),
)
def no_order_change(run: Run) -> Finding:
    """Look at the exponents of levels 1 to 4 of both."""
    from theory import SK, Hopfield

    first = _ordering_claim(run, SK(), range(1, 5), None)
    second = _ordering_claim(run, Hopfield(1, 1), range(1, 5), None)
    verdict = first.verdict if first.verdict != "confirmed" else second.verdict
    return Finding(
        verdict,
        f"SK: {first.reason} Hopfield: {second.reason}",
        None,
        {"sk": first.evidence, "hopfield": second.evidence},
        first.plots + second.plots,
    )


@claim(
    "levels-monotone",
    "Capacities and energies of maxima fall from level to level, energies of minima rise.",
    source="Stojnic, arXiv:2312.00073 (lifting tightens the bounds)",
    tags=("law",),
    group="family",
    cost=25.0,
    wrong=("swapped", "reversed"),
)
def levels_monotone(run: Run) -> Finding:
    """Compare successive levels of every model."""
    evidence, failures, curves = {}, [], []
    for count, (name, (model, levels)) in enumerate(_models().items()):
        run.progress(count / len(_models()), name)
        solutions = [run.theory.solution(model, level) for level in levels]  # type: ignore[arg-type]
        values = [s.value for s in solutions]
        evidence[name] = dict(zip(map(str, levels), values, strict=True))
        first = solutions[0]
        rises = first.symbol == "xi" and first.model.sign == -1
        for (one, a), (two, b) in itertools.pairwise(zip(levels, values, strict=True)):
            if not (b > a if rises else b < a):
                failures.append(f"{name}: level {one} is {a:.9g}, level {two} is {b:.9g}")
        ratios = tuple(value / values[-1] for value in values)
        curves.append(Curve(name, tuple(map(float, levels)), ratios))
    title = "Every model's levels in units of its highest one shown"
    plot = Plot(title, "lifting level r", "value / last value", tuple(curves))
    steps = sum(len(levels) - 1 for _, levels in _models().values())
    reason = "; ".join(failures) + "." if failures else f"All {steps} steps go the right way."
    return Finding("refuted" if failures else "confirmed", reason, None, evidence, (plot,))


@claim(
    "margins-monotone",
    "A wider window raises the symmetric perceptron's threshold at every level; a larger margin lowers that "
    "of the asymmetric, u-function and spherical ones.",
    source="monotone inclusion of the sets of solutions; at levels above the exact one a law of the theory",
    tags=("law", "random"),
    group="margins",
    cost=4.0,
    wrong=("reversed",),
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
