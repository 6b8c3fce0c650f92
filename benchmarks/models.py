"""Value and gradient of every model against the level: the same point embedded further and further up."""

import numpy as np
from scipy.stats import linregress

from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure
from numerics import Solution, solve
from numerics.functionals.doubles import evaluator_of
from numerics.thresholds.starts import Start, seed
from theory import (
    ABP,
    SBP,
    SK,
    Hopfield,
    Model,
    SphericalPerceptron,
    UPerceptron,
    ZeroOnePerceptron,
    free_energy,
)
from theory.thresholds.finite_exponents import without_quenched_average
from widegap.errors import Failure

__all__ = ["run"]

_MODELS: tuple[tuple[Model, int], ...] = (
    (SBP(1), 4),
    (ABP(0), 3),
    (UPerceptron(1), 3),
    (ZeroOnePerceptron(0), 3),
    (SphericalPerceptron(-1), 2),
    (SK(), 3),
    (Hopfield(1, 1), 3),
    (Hopfield(-1, 1), 3),
)
_EXTRA = (0, 1, 2, 4)
_AGREEMENT = 1e-10


def run(quick: bool) -> list[Row]:
    """Measure one value with gradient of each model, with up to four liftings more than its solution has.

    Parameters
    ----------
    quick : bool
        Up to two liftings more.

    Returns
    -------
    list of Row

    Raises
    ------
    Failure
        If an embedded point does not have the value it must have.
    """
    rows = []
    for model, level in _MODELS:
        rows += _growth(solve(model, level), _EXTRA[:-1] if quick else _EXTRA)
    return rows


def _growth(solution: Solution, extra: tuple[int, ...]) -> list[Row]:
    rows, levels, operations, first = [], [], [], None
    for more in extra:
        level = solution.level + more
        fe, generic = (free_energy(m, level) for m in (solution.model, solution.model.generic))
        if len(fe.q) > len(solution.q) + more:
            fe, generic = without_quenched_average(fe), without_quenched_average(generic)
        evaluator = evaluator_of(fe, generic)
        coords = _embedded(solution, more).coords(evaluator.coordinates)
        found = evaluator(coords)
        if not abs(found.value - solution.value) <= _AGREEMENT * abs(solution.value):
            raise Failure(f"level {level} of {solution.model}: {found.value} != {solution.value}")
        (seconds,) = measure(lambda ev=evaluator, t=coords: ev(t))
        first = first or seconds
        levels.append(level)
        operations.append(found.exponentials + found.products)
        rows.append(
            Row(
                f"{solution.model}, level {level}",
                "value and gradient",
                seconds,
                f"level {solution.level}",
                first,
                remark=f"{operations[-1]} operations",
            )
        )
    # a lifting wanted at one field only costs next to nothing, so growth is per lifting, not a power law
    line = linregress(levels, operations)
    rows.append(
        Row(
            str(solution.model),
            "r^2 of operations against level",
            Quantity(float(line.rvalue**2), ""),
            "a straight line",
            Quantity(1.0, ""),
            remark=f"{line.slope:.3g} operations a lifting",
        )
    )
    return rows


def _embedded(solution: Solution, more: int) -> Start:
    """The point with liftings halved, outermost first: equal exponents merge, so the value stays."""
    start = seed(solution)
    offset = start.p.size - start.q.size  # gaps of p above the first lifting: the norm, the leaf
    p, q, s = start.p, start.q, start.s
    for k in range(more):
        at = s.size - 1 - (2 * k) % s.size
        p, q = _halved(p, at + offset), _halved(q, at)
        s = np.insert(s, at, s[at])
    return Start(p, q, s, "", start.fields)


def _halved(gaps: np.ndarray, k: int) -> np.ndarray:
    return np.concatenate((gaps[:k], [gaps[k] / 2, gaps[k] / 2], gaps[k + 1 :]))
