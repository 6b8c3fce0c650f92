"""The limit by profiles of few coefficients: many liftings whose order parameters lie on smooth curves.

At high levels a stationary point's order parameters are samples of curves. So curves of few coefficients,
read at the places of many liftings, are made stationary instead: a level of 24 liftings is a search in 30
variables, not in 70, which begins at what the last three levels foretell. As the value is stationary, what
the curves miss enters squared; it falls geometrically with the number of coefficients, and level r is off
the limit by r^-4, whatever the coefficients.

Lifting k of n lies at w = log (k + 1/2) - log (n - k - 1/2), between -log (2n - 1) and its opposite: profiles
end like powers of the distance, which are straight lines there. The curves are Chebyshev series in w, scaled
to [-1, 1]: of the logits of p and of bounded q, and of the logarithms of Q, of c, and of the steps of s.

A profile with a gap has curves on either side of it, and a lifting across it, whose exponent and the step
from it are numbers by themselves. Towards the gap curves are series in the square root of the distance.
Levels have one law only where the liftings inside and outside are in one ratio: the ladder is one of k a and
k b liftings, with small a and b of about the ratio that the lowest points have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.linalg import block_diag

from numerics.errors import ConvergenceError
from numerics.functionals.coordinates import Coordinates
from numerics.thresholds.continuation import extrapolated
from numerics.thresholds.objective import Objective, ascents
from numerics.thresholds.points import objective_of
from numerics.thresholds.profile import start_at
from numerics.thresholds.starts import logits_of, resolved
from numerics.thresholds.stationary import follow, hessian, relaxed
from theory import FreeEnergy, Model, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

from .branches import DEAR, TOLERANCE, Branch, functional, gained, to_gain
from .extrapolation import Extrapolation, richardson

__all__ = ["Curves", "smooth"]

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
_ROUNDS, _STEPS, _RADIUS = 4, 20, 0.25
# Powers of the law, top levels left out to see it move, and levels beyond a branch's that are needed.
_TERMS, _LEFT_OUT, _LEAST = 3, 1, 2


@dataclass(frozen=True)
class Curves:
    """A level's objective as a function of the coefficients of its profile's curves.

    Attributes
    ----------
    objective : Objective
        Of a level.
    count : int
        Coefficients of a curve.
    inner : int, default 0
        Overlaps inside of the profile's gap: those on either side of it have curves of their own. 0 where
        there is none.
    """

    objective: Objective
    count: int
    inner: int = 0

    @property
    def fe(self) -> FreeEnergy:
        """The level's functional."""
        return self.objective.fe

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of a profile its level; of one with a gap the exponents on either side, that across it inside."""
        return (self.inner, len(self.fe.c) - self.inner) if self.inner else (self.fe.level,)

    @cached_property
    def _norm(self) -> int:
        return int(not self.fe.model.prior.norm.is_number)

    @cached_property
    def _apart(self) -> int:
        """1 where the outermost overlap, that of a quenched average, has a limit of its own; else 0.

        The others tend to it then, in models that are not even, as they tend to 0 elsewhere.
        """
        if not self.fe.is_finite:
            return int(len(self.fe.q) > len(self.fe.c))
        if self.fe.model.constraint is None:
            return 0
        try:
            without_quenched_average(free_energy(self.fe.model, 3))
        except ValueError:
            return 1
        return 0

    @cached_property
    def _chains(self) -> list[tuple[int, Array]]:
        """Of p, q and c: coefficients before those of the curves, and their polynomials at the liftings."""
        return [(n, block_diag(*blocks[1:])) for n, blocks in self._blocks]

    @cached_property
    def _blocks(self) -> list[tuple[int, list[Array]]]:
        """Of p, q and c: coefficients before those of the curves, and the pieces that all are made of."""
        inside = [len(x) - self._apart for x in (self.fe.p, self.fe.q) if x]
        single = [self._apart for _ in inside]
        if self._norm:
            inside[0] -= 1
            single[0] += 1
        sides = [(n, self._sides(k, 0)) for n, k in zip(single, inside, strict=True)]
        sides.append((0, self._sides(len(self.fe.c), 1)))
        return [(n, [np.eye(n), *blocks]) for n, blocks in sides]

    def _sides(self, places: int, exponents: int) -> list[Array]:
        """Polynomials of a chain; the exponent across a gap, and the steps at it, are coefficients."""
        if not self.inner:
            return [_polynomials(places, self.count)]
        inside, across = self.inner, exponents
        if exponents and not self.fe.is_finite:
            inside, across = self.inner - 1, 2
        return [
            _polynomials(inside, self.count, (1, 0)),
            np.eye(across),
            _polynomials(places - inside - across, self.count, (0, 1)),
        ]

    def _parts(self, coefficients: Array) -> list[Array]:
        """Coefficients of each chain, and the fields."""
        return np.split(coefficients, np.cumsum([n + curve.shape[1] for n, curve in self._chains]))

    def coefficients(self, point: Array) -> Array:
        """Coefficients by least squares of a point of this level, those that it does not tell 0."""
        start = start_at(self.objective, self.fe, point, "", Coordinates(self.fe.chains))
        values: list[tuple[Array, Array]] = []
        if self.fe.p:
            inner, end = np.split(start.p[self._norm :], [start.p.size - self._norm - self._apart])
            norm = np.log(start.p[1:].sum() / start.p[:1])[: self._norm]
            values.append((np.append(norm, np.log(end / inner.sum())), logits_of(inner)))
        if self.fe.q:
            inner, end = np.split(start.q, [start.q.size - self._apart])
            if self.fe.is_finite:
                values.append((np.log(end / inner.sum()), logits_of(inner)))
            else:
                values.append((np.log(end), np.log(np.cumsum(inner[::-1])[::-1])))
        steps = start.s if self.fe.is_finite else np.diff(start.s, prepend=1.0)
        values.append((np.empty(0), np.log(steps)))
        out = [
            np.append(single, np.linalg.lstsq(curve, y, rcond=None)[0])
            for (_, curve), (single, y) in zip(self._chains, values, strict=True)
        ]
        coords = start.coords(self.objective.evaluator.coordinates)
        fields = coords[coords.size - len(self.fe.fields) :]
        return np.concatenate((*out, fields)).astype(np.float64)

    def of_fewer(self, fewer: Curves) -> Array:
        """Coefficients of the same level's curves of fewer, as those of these: the others are 0."""
        blocks = [
            np.eye(mine.shape[1], its.shape[1])
            for (_, own), (_, others) in zip(self._blocks, fewer._blocks, strict=True)
            for mine, its in zip(own, others, strict=True)
        ]
        return block_diag(*blocks, np.eye(len(self.fe.fields)))

    def coords(self, coefficients: Array) -> tuple[Array, Array]:
        """Coordinates of a point, and their slopes, of shape (coordinates, coefficients)."""
        *parts, fields = self._parts(coefficients)
        kinds = [_bounded for x in (self.fe.p, self.fe.q) if x] + [_logarithms]
        if not self.fe.is_finite:
            kinds[-2:] = [_unbounded, _steps]
        out, slopes = [], []
        for kind, part, (before, curve) in zip(kinds, parts, self._chains, strict=True):
            single, rest = part[:before], curve @ part[before:]
            norm = self._norm if kind is _bounded and not out else 0
            chain, slope = kind(single[:norm], single[norm:], rest)
            out.append(chain)
            slopes.append(np.hstack((slope[:, :before], slope[:, before:] @ curve)))
        return np.concatenate((*out, fields)), block_diag(*slopes, np.eye(fields.size))

    def expanded(self, coefficients: Array) -> Curves | None:
        """Return curves of the same objective to second order, as `Objective.expanded`."""
        with np.errstate(all="ignore"):
            coords, _ = self.coords(coefficients)
        known = self.objective.expanded(coords) if np.isfinite(coords).all() else None
        return None if known is None else replace(self, objective=known)

    def __call__(self, coefficients: Array) -> tuple[float, Array]:
        """Value and gradient; (inf, 0) where curves do not fall, or the objective is not known."""
        lost = math.inf, np.zeros_like(coefficients)
        with np.errstate(all="ignore"):
            coords, slopes = self.coords(coefficients)
        if not (np.isfinite(coords).all() and np.isfinite(slopes).all()):
            return lost
        value, gradient = self.objective(coords)
        return (value, slopes.T @ gradient) if math.isfinite(value) else lost


def _polynomials(places: int, count: int, ends: tuple[int, int] = (1, 1)) -> Array:
    """Chebyshev polynomials at the places of a curve, columns of 0 for those that places do not tell.

    Ends say where the profile ends, the innermost place first, and not a curve at a gap.
    """
    if not min(places, count):
        return np.zeros((places, count))
    k = (np.arange(places) + 0.5) / places
    inner, outer = (
        np.log(x) if end else np.sqrt(x) for x, end in zip((k, 1.0 - k), ends, strict=True)
    )
    w = inner - outer
    w -= 0.5 * (w[:1] + w[-1:])
    known = min(places, count)
    out = np.zeros((places, count))
    out[:, :known] = chebyshev.chebvander(w / np.maximum(w[-1:], 1e-300), known - 1)
    return out


# Coordinates of a chain and their slopes, in a norm and an outermost value (or none) and its curve's values.


def _bounded(norm: Array, end: Array, values: Array) -> tuple[Array, Array]:
    """Of logits: logarithms of gaps beside the last one; nan if these do not fall."""
    gaps = resolved(values)
    rate = np.exp(-np.logaddexp(0.0, values) - np.logaddexp(0.0, -values))
    slope = np.zeros((gaps.size, values.size))
    k = np.arange(values.size)
    slope[k, k], slope[k + 1, k] = -rate / gaps[:-1], rate / gaps[1:]
    chain = np.log(gaps)
    if end.size:  # the last gap is the outermost value
        first, row = -norm + np.logaddexp(0.0, -end), np.zeros(values.size)
        others = -np.ones(chain.size)
        chain = chain - end
        before = np.append(np.full(norm.size, -1.0 / (1.0 + np.exp(end))), others)[:, None]
    else:
        first, row = -norm - chain[-1], -slope[-1]
        chain, slope = chain[:-1] - chain[-1], slope[:-1] - slope[-1]
        before = np.empty((norm.size + chain.size, 0))
    single = np.zeros((norm.size + chain.size, norm.size))
    single[: norm.size] = -np.eye(norm.size)
    slope = np.vstack((np.tile(row, (norm.size, 1)), slope))
    return np.append(first, chain), np.hstack((single, before, slope))


def _unbounded(_: Array, end: Array, values: Array) -> tuple[Array, Array]:
    """Of logarithms: logarithms of gaps; nan if these do not fall."""
    step = np.append(-np.diff(values), np.inf)
    beyond = 1.0 / np.expm1(step)
    slope = np.diag(1.0 + beyond) - np.diag(beyond[:-1], 1)
    both = np.roll(block_diag(slope, np.eye(end.size)), end.size, axis=1)
    return np.append(values + np.log(-np.expm1(-step)), end), both


def _logarithms(_: Array, end: Array, values: Array) -> tuple[Array, Array]:
    """Of logarithms: themselves."""
    return np.append(values, end), np.eye(values.size)


def _steps(_: Array, end: Array, values: Array) -> tuple[Array, Array]:
    """Of logarithms of steps: logarithms of the exponents, which begin beyond 1."""
    steps = np.exp(values)
    s = 1.0 + np.append(np.cumsum(steps), end)
    return np.log(s), np.tril(np.ones((s.size, s.size))) * steps / s[:, None]


def _stationary(
    curves: Curves, begin: Array, rising: int, curvature: Array | None = None
) -> tuple[Array, float, float, Array | None]:
    """Coefficients that are stationary, the objective, what is left to gain, and a Hessian of about there.

    inf where it is lost. Of a minimum a curvature of about this place saves the gradients of a Hessian.
    """
    lost = begin, math.inf, math.inf, None
    height, _ = curves(begin)
    if not math.isfinite(height):
        return lost
    unit = curves.objective.size(height)
    tolerance = _GRADIENT * math.sqrt(unit)
    with curves.objective.limited(curves.coords(begin)[0]):
        if not rising:
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
        end, height, _ = follow(
            curves,
            begin,
            lambda _: rising,
            gradient_tolerance=_FLAT * unit,
            iterations=_STEPS,
            radius=_RADIUS,
        )
    if not math.isfinite(height):
        return lost
    curvature = hessian(curves, end)
    negative, left = to_gain(curvature, curves(end)[1])
    reached = negative == rising and left < _REACHED * unit
    return end, height, left if reached else math.inf, curvature


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
    rising: tuple[int, int],
) -> tuple[dict[int, tuple[float, float]], float]:
    """Values of a ladder by so many coefficients and by fewer, and what is left to gain at most.

    The ladder is of levels and their overlaps inside of a gap, as ``inner`` has those of the branch. A level
    begins at what those before foretell; its Hessian says where the minimum of fewer coefficients is.
    """
    tolerance = _COARSER if any(inner) else TOLERANCE
    known: dict[tuple[int, ...], Array] = {}
    values: dict[int, tuple[float, float]] = {}
    missed = 0.0
    metric: Array | None = None
    for level, inside, point in zip(branch.levels, inner, branch.points, strict=True):
        curves = _curves(model, level, branch.quenched, count, inside)
        known[curves.sizes] = curves.coefficients(point)

    def reached(level: int, inside: int) -> tuple[Curves, float, float] | None:
        """Curves, the objective and what is left to gain; by way of a level halfway, if not at once."""
        nonlocal metric
        curves = _curves(model, level, branch.quenched, count, inside, tolerance)
        last, begin = next(reversed(known)), _foretold(known, curves.sizes)
        with np.errstate(all="ignore"):
            work = curves.objective.with_work(curves.coords(begin)[0])[1]
        if work > DEAR:
            return None
        end, height, left, seen = _stationary(curves, begin, rising[0])
        if not left < _LEFT * curves.objective.size(height):
            middle = level - (sum(curves.sizes) - sum(last)) // 2
            between = round(0.5 * (inside + last[0])) if inner[-1] else 0
            return reached(middle, between) and reached(level, inside) if middle < level else None
        known[curves.sizes], metric = end, seen
        return curves, height, left

    for level, inside in ladder:
        found = reached(level, inside)
        if found is None or metric is None:
            break
        curves, *whole = found
        fewer = _curves(model, level, branch.quenched, count - _FEWER, inside, tolerance)
        columns = curves.of_fewer(fewer)
        projected = columns.T @ metric
        begin = _solved(projected @ columns, projected @ known[curves.sizes])
        _, *part, _ = _stationary(fewer, begin, rising[1], projected @ columns)
        if not part[1] < _LEFT * curves.objective.size(part[0]):
            break
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
    known = [len(x) for x in (fe.c, fe.p, fe.q) if x]
    if parted := any(inner):
        most, terms = _EITHER, _POWERS
        levels, heights, ladder = _on_one_ray(model, branch, inner)
        # of the exponents one lies across the gap, and one begins beyond it
        inside, outside = _curves(model, branch.levels[-1], branch.quenched, 1, inner[-1]).sizes
        known = [inside - 1, outside - 1]
    count = max(min(most, *known), 1 + _FEWER)
    rising = []
    for fewer in (0, _FEWER):
        curves = _curves(model, branch.levels[-1], branch.quenched, count - fewer, inner[-1])
        at = curves.coefficients(branch.points[-1])
        # a minimum is one with fewer coefficients, too, however badly they fit this point
        falling = not rising[0] if rising else parted and not ascents(fe, branch.start.s)
        up, left = (0, 0.0) if falling else gained(curves, at)
        if not math.isfinite(left):
            raise ConvergenceError(
                f"{model}: no curves go through level {branch.levels[-1]}", {}, math.nan
            )
        rising.append(up)
    # where curves are maximised, no more coefficients than those of the points
    most = count if rising[0] else most
    values, missed = _climbed(model, branch, inner, ladder, most, (rising[0], rising[1]))
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
