"""The limit by profiles of few coefficients: many liftings whose order parameters lie on smooth curves.

At high levels a stationary point's order parameters are samples of curves. So curves of few coefficients,
read at the places of many liftings, are made stationary instead: a level of 24 liftings is a search in 30
variables, not in 70, which begins at what the last three levels foretell. As the value is stationary, what
the curves miss enters squared; it falls geometrically with the number of coefficients, and level r is off
the limit by r^-4, whatever the coefficients.

With a gap there are curves on either side of it. Levels have one law only where the liftings inside and
outside are in one ratio: the ladder is one of k a and k b liftings, with small a and b of about the ratio
that the lowest points have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numerics.errors import ConvergenceError
from numerics.thresholds.continuation import extrapolated
from numerics.thresholds.objective import ascents
from numerics.thresholds.points import objective_of
from numerics.thresholds.stationary import follow, hessian, refine, relaxed
from theory import Model

from .branches import DEAR, TOLERANCE, Branch, functional, to_gain
from .curves import Curves
from .extrapolation import Extrapolation, richardson

__all__ = ["smooth"]

Array = NDArray[np.float64]

# Coefficients of a curve, and how many fewer tell what they miss.
_COEFFICIENTS, _FEWER = 12, 2
# The level that the ladder begins at, how many times that it goes up to, and the ratio of its steps.
_FIRST, _TIMES, _RATIO = 14, 2.0, 1.15
# Levels of a branch whose coefficients foretell the next ones.
_PAST = 3
# With a gap, the distance in logarithms that points are near within, and how stiff their quadratic is.
_NEARBY, _STIFF = 0.5, 1e-4
# With a gap: coefficients of a curve, ratios of the pieces, and the highest level.
_EITHER, _SPLITS, _HIGHEST = 10, ((1, 1), (3, 2), (2, 3), (2, 1), (1, 2), (3, 1), (1, 3)), 32
# Tolerance of the grids there, where levels take ten times the work; powers of the law.
_COARSER, _POWERS = 1e-10, 4
# Gradients to stop at: in the metric of the Hessian, half of whose square is missed, and a saddle's.
_GRADIENT, _FLAT = 1e-5, 1e-6
# What may be left to be gained at a saddle that counts as reached, relative.
_REACHED = 1e-10
# What may be left to be gained on a curve that counts as reached, relative.
_LEFT = 1e-9
# Hessians of a search for a minimum; Newton steps along eigenvectors, and the longest.
_ROUNDS, _STEPS, _RADIUS = 4, 40, 0.25
# Powers of the law, top levels left out to see it move, and levels beyond a branch's that are needed.
_TERMS, _LEFT_OUT, _LEAST = 3, 1, 2


def _stationary(
    curves: Curves, begin: Array, curvature: Array | None = None, before: int | None = None
) -> tuple[Array, float, float, Array | None]:
    """Coefficients that are stationary, the objective, what is left to gain, and a Hessian of about there.

    inf where it is lost. Of a minimum a curvature of about this place saves the gradients of a Hessian. At a
    saddle of which curves do not tell how many ways it goes up they are as many as before, and no more than
    the level's own where that is not known, by Newton's method.
    """
    lost = begin, math.inf, math.inf, None
    height, _ = curves(begin)
    if not math.isfinite(height):
        return lost
    unit = curves.objective.size(height)
    tolerance = _GRADIENT * math.sqrt(unit)
    rising = curves.ascents(begin)
    rising = before if rising is None else rising
    with curves.objective.limited(curves.coords(begin)[0]):
        if rising == 0:
            end, length = begin, math.inf
            for k in range(_ROUNDS):
                if k or curvature is None:
                    curvature = hessian(curves, end)
                if not np.isfinite(curvature).all():
                    return lost
                end, height, length = relaxed(curves, end, curvature, gradient_tolerance=tolerance)
                if length <= tolerance:
                    break
            return end, height, 0.5 * length**2, curvature
        end = begin
        if (ways := rising) is not None:
            end, height, _ = follow(
                curves,
                begin,
                lambda _: ways,
                gradient_tolerance=_FLAT * unit,
                iterations=_STEPS,
                radius=_RADIUS,
            )
        if not math.isfinite(height):
            return lost
        point = refine(curves, end, sweeps=_STEPS)
    negative, left = to_gain(point.hessian, point.gradient)
    if rising is None:
        rising = min(negative, curves.objective.ascents(curves.coords(point.coords)[0]))
    reached = negative == rising and left < _REACHED * unit
    return point.coords, point.objective, left if reached else math.inf, point.hessian


def _ways(curvature: Array | None) -> int | None:
    """How many ways a Hessian goes up."""
    return None if curvature is None else int((np.linalg.eigvalsh(curvature) < 0.0).sum())


def _solved(matrix: Array, values: Array) -> Array:
    """Solution of a linear system, 0 where it says nothing."""
    return np.asarray(np.linalg.lstsq(matrix, values, rcond=None)[0], dtype=np.float64)


def _ladder(first: int) -> list[int]:
    """Levels above the first, in steps that grow with them."""
    levels = [first]
    while (following := max(levels[-1] + 1, round(_RATIO * levels[-1]))) <= _TIMES * first:
        levels.append(following)
    return levels[1:]


def _splits(ratio: float, more: int, known: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Numbers of liftings on either side of a gap in about this ratio, in steps that grow with them.

    Levels have so many more; those from the first that is known on.
    """
    a, b = min(_SPLITS, key=lambda s: abs(math.log(s[0] / s[1] / ratio)))
    first = min((n // a for n, m in known if n * b == m * a), default=0) or 4 // min(a, b)
    sizes, k = [], first
    while k * (a + b) + more <= _HIGHEST:
        sizes.append((k * a, k * b))
        k = max(k + 1, round(_RATIO * k))
    return sizes


def _curves(
    model: Model,
    level: int,
    quenched: bool,
    count: int,
    inner: int = 0,
    tolerance: float = TOLERANCE,
) -> Curves:
    objective = objective_of(functional(model, level, quenched))
    objective = objective.on(objective.evaluator.with_grid(tolerance=tolerance))
    return Curves(objective, count, inner)


def _foretold(known: Mapping[tuple[int, ...], Array], sizes: tuple[int, ...]) -> Array:
    """Coefficients at some sizes by what is known at others.

    A parabola in the size's logarithm through the last three; with a gap a quadratic in those of both, by
    least squares in which points nearby count most, with no more curvature than they tell.
    """
    if len(sizes) == 1:
        path = [(math.log(n), at) for (n,), at in known.items()]
        return extrapolated(path, math.log(sizes[0]))
    x, y = np.log(np.array(list(known)) / np.array(sizes)).T
    weights = np.exp(-(np.abs(x) + np.abs(y)) / _NEARBY)[:, None]
    powers = weights * np.column_stack((np.ones(x.size), x, y, x * x, x * y, y * y))
    stiff = _STIFF * np.diag((0.0, 1.0, 1.0, 3.0, 3.0, 3.0))
    values = weights * np.array(list(known.values()))
    held = np.zeros((len(stiff), values.shape[1]))
    fit = np.linalg.lstsq(np.vstack((powers, stiff)), np.vstack((values, held)), rcond=None)[0]
    return np.asarray(fit[0], dtype=np.float64)


def _climbed(
    model: Model,
    branch: Branch,
    inner: Sequence[int],
    ladder: Sequence[tuple[int, int]],
    count: int,
) -> tuple[dict[int, tuple[float, float]], float]:
    """Values of a ladder by so many coefficients and by fewer, and what is left to gain at most.

    The ladder is of levels and their overlaps inside of a gap, as ``inner`` has those of the branch. A level
    begins at what those before foretell; its Hessian says where the minimum of fewer coefficients is.
    """
    tolerance = _COARSER if any(inner) else TOLERANCE
    known: dict[tuple[int, ...], tuple[Curves, Array]] = {}
    values: dict[int, tuple[float, float]] = {}
    missed = 0.0
    metric: Array | None = None
    ways: list[int | None] = [None, None]
    for level, inside, point in zip(branch.levels, inner, branch.points, strict=True):
        curves = _curves(model, level, branch.quenched, count, inside)
        known[curves.sizes] = curves, curves.coefficients(point)

    def reached(level: int, inside: int) -> tuple[Curves, float, float] | None:
        """Curves, the objective and what is left to gain; by way of a level halfway, if not at once."""
        nonlocal metric
        curves = _curves(model, level, branch.quenched, count, inside, tolerance)
        last = next(reversed(known))
        past = {sizes: curves.of_others(its) @ at for sizes, (its, at) in known.items()}
        begin = _foretold(past, curves.sizes)
        with np.errstate(all="ignore"):
            work = curves.objective.with_work(curves.coords(begin)[0])[1]
        if work > DEAR:
            return None
        end, height, left, seen = _stationary(curves, begin, before=ways[0])
        if not left < _LEFT * curves.objective.size(height):
            middle = level - (sum(curves.sizes) - sum(last)) // 2
            between = round(0.5 * (inside + last[0])) if inner[-1] else 0
            return reached(middle, between) and reached(level, inside) if middle < level else None
        known[curves.sizes], metric, ways[0] = (curves, end), seen, _ways(seen)
        return curves, height, left

    for level, inside in ladder:
        found = reached(level, inside)
        if found is None or metric is None:
            break
        curves, *whole = found
        fewer = _curves(model, level, branch.quenched, count - _FEWER, inside, tolerance)
        columns = curves.of_others(fewer)
        projected = columns.T @ metric
        begin = _solved(projected @ columns, projected @ known[curves.sizes][1])
        _, *part, seen = _stationary(fewer, begin, projected @ columns, ways[1])
        if not part[1] < _LEFT * curves.objective.size(part[0]):
            break
        ways[1] = _ways(seen)
        heights, lefts = zip(whole, part, strict=True)
        first, second = (curves.objective.value(height) for height in heights)
        values[level] = first, second
        missed = max(missed, max(lefts) * curves.objective.unit(first))
    return values, missed


def smooth(model: Model, branch: Branch, inner: Sequence[int] = ()) -> Extrapolation:
    """What a branch tends to, by curves of few coefficients from its last level on, or from level 14.

    Parameters
    ----------
    model : theory.Model
    branch : Branch
        Of a profile without a gap; or points of one with a gap, of many splits, in the order of their levels.
    inner : sequence of int, optional
        Overlaps of each point inside of the gap, if there is one.

    Returns
    -------
    Extrapolation

    Raises
    ------
    ConvergenceError
        If it has too few liftings for curves, or these are lost on the way.
    """
    if len(branch.levels) < _PAST:
        raise ConvergenceError(f"{model}: a branch of {_PAST} levels is needed", {}, math.nan)
    last = max(_FIRST, branch.levels[_PAST - 1])
    n = sum(level <= last for level in branch.levels)
    branch = replace(
        branch, levels=branch.levels[:n], values=branch.values[:n], points=branch.points[:n]
    )
    inner = [*inner[:n]] or [0] * n
    fe = functional(model, branch.levels[-_PAST], branch.quenched)
    most, terms = _COEFFICIENTS, _TERMS
    levels, heights = branch.levels[-_PAST:], branch.values[-_PAST:]
    ladder = [(level, 0) for level in _ladder(branch.levels[-1])]
    if parted := any(inner):
        most, terms = _EITHER, _POWERS
        levels, heights, ladder = _on_one_ray(model, branch, inner)
    if ascents(fe, branch.start.s):
        # with a gap as many as tell how many ways saddles go up, and else those that the points have
        most = _COEFFICIENTS
        if not parted:
            most = max(min(most, *(len(x) for x in (fe.c, fe.p, fe.q) if x)), 1 + _FEWER)
    values, missed = _climbed(model, branch, inner, ladder, most)
    if len(values) < _LEAST:
        raise ConvergenceError(
            f"{model}: curves of {most} coefficients were followed to the levels {list(values)} beyond "
            f"{branch.levels[-1]}, too few to extrapolate",
            {},
            math.nan,
        )
    estimates: dict[str, float] = {}
    noise = 0.0
    rungs = [*levels, *values]
    top = min(terms, len(rungs) - 1)
    for coefficients, reached in zip(
        (most, most - _FEWER), zip(*values.values(), strict=True), strict=True
    ):
        for powers, left_out in ((top, 0), (top, _LEFT_OUT), (top - 1, 0), (top - 1, _LEFT_OUT)):
            end = len(rungs) - left_out
            if end <= powers or (not parted and powers < top and left_out):
                continue
            value, magnified = richardson(rungs[:end], [*heights, *reached][:end], powers)
            without = f", without level {rungs[-1]}" * bool(left_out)
            estimates[f"{coefficients} coefficients, {powers} powers{without}"] = value
            scale = (_COARSER if parted else TOLERANCE) * max(1.0, abs(value))
            noise = max(noise, magnified * (scale + missed))
    value = next(iter(estimates.values()))
    spread = max(abs(x - value) for x in estimates.values())
    return Extrapolation(value, spread + noise, estimates, math.nan)


def _on_one_ray(
    model: Model, branch: Branch, inner: Sequence[int]
) -> tuple[list[int], list[float], list[tuple[int, int]]]:
    """Levels of a branch of about its lowest points' ratio, their values, and the levels to come."""
    sizes = [
        _curves(model, level, branch.quenched, 1, inside).sizes
        for level, inside in zip(branch.levels, inner, strict=True)
    ]
    sign = objective_of(functional(model, branch.levels[-1], branch.quenched)).sign
    lowest: dict[int, tuple[float, tuple[int, ...]]] = {}
    for level, value, pair in zip(branch.levels, branch.values, sizes, strict=True):
        lowest[level] = min(lowest.get(level, (math.inf, pair)), (sign * value, pair))
    # of two levels, which put one lifting inside and one outside
    split = np.sum([lowest[level][1] for level in sorted(lowest)[-2:]], axis=0)
    more = branch.levels[-1] - sum(sizes[-1])
    ray = _splits(split[0] / split[1], more, sizes)
    seen = [k for k in range(len(sizes)) if sizes[k] in ray]
    ladder = [(sum(pair) + more, pair[0]) for pair in ray if pair not in sizes]
    return [branch.levels[k] for k in seen], [branch.values[k] for k in seen], ladder
