"""What many checks have in common: a solution that stands on its own, and a printed value beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .verdicts import Curve, Finding, Plot, printed_tolerance

if TYPE_CHECKING:
    from numerics import Solution
    from theory import FreeEnergy, Model

    from .claims import Run

__all__ = ["Support", "against_printed", "functional_of", "level_plot", "limit_bracket", "support"]

GRADIENT = 1e-8
"""Largest gradient norm at which a point counts as stationary."""

AGREEMENT = 1e-9
"""Largest relative difference between the solver's value and the independent quadrature's."""


@dataclass(frozen=True)
class Support:
    """Why a solution is to be believed.

    Attributes
    ----------
    doubt : str
        What speaks against it; empty if nothing does.
    evidence : dict
        Value, error, gradient norm, inertia, order parameters, the independent value.
    """

    doubt: str
    evidence: dict[str, Any]


def functional_of(solution: Solution) -> FreeEnergy:
    """Return the functional of which a solution is a stationary point.

    That is the level's own, without its outermost average where this has turned out to be trivial.
    """
    from theory import free_energy

    fe = free_energy(solution.model, solution.level)
    if solution.branch == "s -> infinity":
        from theory.thresholds.asymptotics import infinite_exponent_limit

        return infinite_exponent_limit(fe)
    if solution.is_finite and len(solution.q) < len(fe.q):
        from theory.thresholds.finite_exponents import without_quenched_average

        return without_quenched_average(fe)
    return fe


def support(solution: Solution) -> Support:
    """Look at a solution with a quadrature that shares nothing with the solver but the expression.

    Parameters
    ----------
    solution : numerics.Solution

    Returns
    -------
    Support
    """
    from numerics import cross_check

    evidence: dict[str, Any] = {
        "value": solution.value,
        "error": solution.error,
        "gradient norm": solution.gradient_norm,
        "negative Hessian eigenvalues": solution.inertia,
        "order parameters": dict(solution.order_parameters),
        "other stationary values": [
            other.value
            for other in solution.branches
            if not math.isclose(other.value, solution.value, rel_tol=1e-12)
        ],
    }
    if solution.branch == "merged":
        return Support("no stationary point of its own was found at this level", evidence)
    if solution.gradient_norm > GRADIENT:
        return Support(f"its gradient norm is {solution.gradient_norm:.1e}", evidence)
    try:
        other = cross_check(functional_of(solution), solution.order_parameters)
    except ValueError as error:
        return Support(
            f"it is no point of the functional of level {solution.level}: {error}", evidence
        )
    evidence["independent quadrature"] = other
    if abs(other - solution.value) > AGREEMENT * abs(other) + solution.error:
        return Support(f"the independent quadrature gives {other:.12g} at its point", evidence)
    return Support("", evidence)


def against_printed(
    run: Run,
    model: Model,
    level: int,
    *,
    inertia: int | None = None,
    why: str = "",
    plots: tuple[Plot, ...] = (),
) -> Finding:
    """Compare a level's value with the printed one.

    Parameters
    ----------
    run : Run
        Its claim has a printed value.
    model : theory.Model
    level : int
    inertia : int, optional
        Number of negative Hessian eigenvalues that the theory gives the point.
    why : str
        What to add where the values differ.
    plots : tuple of Plot

    Returns
    -------
    Finding
        ``undecided`` where our own value does not stand; ``confirmed`` where it rounds to the printed
        digits, else ``differs``.
    """
    printed = run.claim.printed
    assert printed is not None
    run.progress(0.1, f"level {level}")
    solution = run.theory.solution(model, level)
    run.progress(0.8, "independent quadrature")
    given = support(solution)
    difference = solution.value - float(printed)
    evidence = {**given.evidence, "printed": printed, "difference": difference}
    doubt = given.doubt
    if not doubt and inertia is not None and solution.inertia != inertia:
        doubt = f"its Hessian has {solution.inertia} negative eigenvalues, not {inertia}"
    if doubt:
        reason = f"Our own value {solution.value:.10g} does not stand: {doubt}."
        return Finding("undecided", reason, solution.value, evidence, plots)
    shown = f"{solution.value:.12g}"
    if abs(difference) <= printed_tolerance(printed) * (1.0 + 1e-9) + solution.error:
        reason = f"Our value {shown} rounds to the printed {printed}."
        return Finding("confirmed", reason, solution.value, evidence, plots)
    point = "A closed form"
    if solution.order_parameters:
        kind = "minimum" if solution.inertia == 0 else "saddle"
        point = f"A stationary {kind} (gradient norm {solution.gradient_norm:.0e})"
    reason = (
        f"Printed {printed}, ours {shown}: a difference of {difference:+.6f}, where half a unit in the last "
        f"printed digit is {printed_tolerance(printed):.0e}. {point} of the level-{level} functional, whose "
        f"value at the listed order parameters an independent quadrature reproduces. {why}"
    )
    return Finding("differs", reason.strip(), solution.value, evidence, plots)


def level_plot(
    run: Run, model: Model, levels: Sequence[int], title: str, references: dict[str, float]
) -> Plot:
    """Draw a model's values against the level."""
    values = run.theory.values(model, levels)
    symbol = "alpha" if model.problem == "capacity" else "xi"
    curve = Curve(str(model), tuple(map(float, levels)), tuple(values))
    return Plot(title, "lifting level r", f"{symbol}_r", (curve,), references)


def limit_bracket(values: Sequence[float]) -> tuple[float, float]:
    """Bracket the limit of a sequence whose steps shrink, but ever more slowly.

    Parameters
    ----------
    values : sequence of float
        At least three, of consecutive levels K = k, k + 1, ..; the last three count, with K numbered such
        that the first value has K = 1.

    Returns
    -------
    (float, float)
        Lower end first.

    Raises
    ------
    ValueError
        If the last two steps do not shrink.

    Notes
    -----
    If the ratios of successive steps rise towards 1, a geometric series with the last ratio stops short
    of the limit. A power law a + b K^-c through the last three values goes on for ever with the ratios it
    has and, where the exponent c itself rises with K, goes too far. The two ends are these two
    extrapolations; that they enclose the limit is a heuristic, which is exact for neither.
    """
    from scipy.optimize import brentq

    if len(values) < 3:
        raise ValueError(f"extrapolation takes at least three values, got {len(values)}")
    first, second, third = values[-3:]
    k = len(values)
    ratio = (third - second) / (second - first)
    if not 0.0 < ratio < 1.0:
        raise ValueError(f"the steps of the sequence do not shrink: their ratio is {ratio:.3g}")
    geometric = third + (third - second) * ratio / (1.0 - ratio)

    def excess(c: float) -> float:
        a, b, d = ((k + shift) ** -c for shift in (-2, -1, 0))
        return (d - b) / (b - a) - ratio

    try:
        c = float(brentq(excess, 1e-3, 60.0))
    except ValueError as error:
        raise ValueError(f"no power law has steps of ratio {ratio:.3g}") from error
    b = (third - second) / (k**-c - (k - 1) ** -c)
    return tuple(sorted((geometric, third - b * k**-c)))  # type: ignore[return-value]
