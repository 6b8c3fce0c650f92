"""The limit by profiles of few coefficients: many liftings whose order parameters lie on smooth curves.

At high levels a stationary point's order parameters are samples of curves. So curves of few coefficients,
read at the places of many liftings, are made stationary instead: a level of 24 liftings is a search in 30
variables, not in 70, which begins at what the last three levels foretell. As the value is stationary, what
the curves miss enters squared; it falls geometrically with the number of coefficients, and level r is off
the limit by r^-4, whatever the coefficients.

Lifting k of n lies at w = log (k + 1/2) - log (n - k - 1/2), between -log (2n - 1) and its opposite: profiles
end like powers of the distance, which are straight lines there. The curves are Chebyshev series in w, scaled
to [-1, 1]: of the logits of p and of bounded q, and of the logarithms of Q, of c, and of the steps of s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from numerics.errors import ConvergenceError
from numerics.functionals.coordinates import Coordinates
from numerics.thresholds.objective import Objective
from numerics.thresholds.points import objective_of
from numerics.thresholds.profile import start_at
from numerics.thresholds.starts import logits, resolved
from numerics.thresholds.stationary import descend, follow, hessian
from theory import FreeEnergy, Model

from .branches import DEAR, TOLERANCE, Branch, functional
from .extrapolation import Extrapolation, richardson

__all__ = ["Curves", "smooth"]

Array = NDArray[np.float64]

# Coefficients of a curve, and how many fewer tell what they miss.
_COEFFICIENTS, _FEWER = 12, 2
# The level that the ladder begins at, how many times that it goes up to, and the ratio of its steps.
_FIRST, _TIMES, _RATIO = 14, 2.0, 1.15
# Points that the next one's coefficients are foretold from.
_PAST = 3
# Gradients to stop at: in the metric of the Hessian, half of whose square is missed, and a saddle's.
_GRADIENT, _FLAT = 1e-5, 1e-6
# Newton steps along eigenvectors, and the longest.
_STEPS, _RADIUS = 60, 0.25
# Powers of the law, and top levels left out to see it move.
_TERMS, _LEFT_OUT = 3, 1


@dataclass(frozen=True)
class Curves:
    """A level's objective as a function of the coefficients of its profile's curves.

    Attributes
    ----------
    objective : Objective
        Of a level.
    count : int
        Coefficients of a curve.
    """

    objective: Objective
    count: int

    @property
    def fe(self) -> FreeEnergy:
        """The level's functional."""
        return self.objective.fe

    @cached_property
    def _norm(self) -> int:
        return int(not self.fe.model.prior.norm.is_number)

    @cached_property
    def _curves(self) -> list[Array]:
        """Values of the Chebyshev polynomials at the liftings, of p, q and c."""
        sizes = (len(self.fe.p) - self._norm * bool(self.fe.p), len(self.fe.q), len(self.fe.c))
        return [_polynomials(n, self.count) for n in sizes]

    def _parts(self, coefficients: Array) -> list[Array]:
        """Coefficients of the norm, p, q, c and the fields."""
        ends = np.cumsum([self._norm, *(curve.shape[1] for curve in self._curves)])
        return np.split(coefficients, ends)

    def coefficients(self, point: Array) -> Array:
        """Coefficients by least squares of a point of this level, those that it does not tell 0."""
        coordinates = Coordinates(self.fe.chains)
        start = start_at(self.objective, self.fe, point, "", coordinates)
        values = [logits(self.fe.model, start)] if start.p.any() else [np.empty(0)]
        if self.fe.is_finite:
            inner, outer = np.cumsum(start.q)[:-1], np.cumsum(start.q[::-1])[-2::-1]
            values += [np.log(outer / inner), np.log(start.s)]
        else:
            levels = np.cumsum(start.q[::-1])[::-1]
            values += [np.log(levels), np.log(np.diff(start.s, prepend=1.0))]
        curves = [
            np.pad(np.linalg.lstsq(b, y, rcond=None)[0], (0, self.count - b.shape[1]))
            if y.size
            else y
            for b, y in zip(self._curves, values, strict=True)
        ]
        norm = np.log(start.p[1:].sum() / start.p[:1]) if self._norm else np.empty(0)
        coords = start.coords(self.objective.evaluator.coordinates)
        fields = coords[coords.size - len(self.fe.fields) :]
        return np.concatenate((norm, *curves, fields)).astype(np.float64)

    def coords(self, coefficients: Array) -> tuple[Array, list[Array]]:
        """Coordinates of the point of some coefficients, and the slopes of each chain's in its curve."""
        norm, *rest, fields = self._parts(coefficients)
        p, q, c = (b @ x for b, x in zip(self._curves, rest, strict=True))
        out: list[Array] = []
        slopes: list[Array] = []
        if p.size:
            gaps, slope = _logarithms_of_steps(p)
            out += [-norm - gaps[-1], gaps[:-1] - gaps[-1]]
            slopes.append(np.vstack((np.tile(-slope[-1:], (norm.size, 1)), slope[:-1] - slope[-1])))
        else:
            slopes.append(np.empty((0, 0)))
        if self.fe.is_finite:
            gaps, slope = _logarithms_of_steps(q)
            out.append(gaps[:-1] - gaps[-1])
            slopes.append(slope[:-1] - slope[-1])
            out.append(c)
            slopes.append(np.eye(c.size))
        else:
            step = np.append(-np.diff(q), np.inf)
            out.append(q + np.log(-np.expm1(-step)))
            beyond = 1.0 / np.expm1(step)
            slopes.append(np.diag(1.0 + beyond) - np.diag(beyond[:-1], 1))
            steps = np.exp(c)
            s = 1.0 + np.cumsum(steps)
            out.append(np.log(s))
            slopes.append(np.tril(np.ones((c.size, c.size))) * steps / s[:, None])
        return np.concatenate((*out, fields)), slopes

    def __call__(self, coefficients: Array) -> tuple[float, Array]:
        """Value and gradient; (inf, 0) where curves do not fall, or the objective is not known."""
        lost = math.inf, np.zeros_like(coefficients)
        with np.errstate(all="ignore"):
            coords, slopes = self.coords(coefficients)
            if not np.isfinite(coords).all():
                return lost
            value, gradient = self.objective(coords)
        if not math.isfinite(value):
            return lost
        norm, *_, fields = self._parts(coefficients)
        ends = np.cumsum([s.shape[0] for s in slopes])
        out = [-gradient[: norm.size]]
        for part, slope, curve in zip(np.split(gradient, ends), slopes, self._curves, strict=False):
            out.append(curve.T @ (slope.T @ part))
        return value, np.concatenate((*out, gradient[gradient.size - fields.size :]))


def _polynomials(places: int, count: int) -> Array:
    """Chebyshev polynomials at the places of a chain; columns of zeros for those that places do not tell."""
    if not places:
        return np.empty((0, 0))
    u = (np.arange(places) + 0.5) / places
    w = np.log(u / (1.0 - u))
    known = min(places, count)
    return np.pad(
        chebyshev.chebvander(w / max(w[-1], 1e-300), known - 1), ((0, 0), (0, count - known))
    )


def _logarithms_of_steps(logits: Array) -> tuple[Array, Array]:
    """Logarithms of the gaps of a chain between 1 and 0, and their slopes; nan if logits rise."""
    gaps = resolved(logits)
    rate = np.exp(-np.logaddexp(0.0, logits) - np.logaddexp(0.0, -logits))
    slope = np.zeros((gaps.size, logits.size))
    k = np.arange(logits.size)
    slope[k, k], slope[k + 1, k] = -rate / gaps[:-1], rate / gaps[1:]
    return np.log(gaps), slope


def _stationary(curves: Curves, begin: Array, rising: int) -> tuple[Array, float, float]:
    """Coefficients that are stationary, the objective, and what is left to gain; inf where it is lost."""
    height, _ = curves(begin)
    if not math.isfinite(height):
        return begin, math.inf, math.inf
    unit = curves.objective.size(height)
    with curves.objective.limited(curves.coords(begin)[0]):
        if not rising:
            end, height, length = descend(
                curves, begin, gradient_tolerance=_GRADIENT * math.sqrt(unit)
            )
            return end, height, 0.5 * length**2
        tolerance = _FLAT * unit
        end, height, size = follow(
            curves,
            begin,
            lambda _: rising,
            gradient_tolerance=tolerance,
            iterations=_STEPS,
            radius=_RADIUS,
        )
    return end, height, 0.0 if size < tolerance else math.inf


def _ladder(first: int) -> list[int]:
    """Levels above the first, in steps that grow with them."""
    levels = [first]
    while (following := max(levels[-1] + 1, round(_RATIO * levels[-1]))) <= _TIMES * first:
        levels.append(following)
    return levels[1:]


def _foretold(known: dict[int, Array], level: int) -> list[Array]:
    """Coefficients at a level by those of the last ones, polynomials of its logarithm; then by fewer."""
    levels = np.array(list(known)[-_PAST:])
    begins = []
    for k in range(levels.size - 1):
        x = np.log(levels[k:] / level)
        weights = [math.prod(-x[x != y] / (y - x[x != y])) for y in x]
        begins.append(np.array(weights) @ np.array([known[r] for r in levels[k:]]))
    return begins


def _curves(model: Model, level: int, quenched: bool, count: int) -> Curves:
    objective = objective_of(functional(model, level, quenched))
    return Curves(objective.on(objective.evaluator.with_grid(tolerance=TOLERANCE)), count)


def _climbed(
    model: Model, branch: Branch, count: int, rising: int
) -> tuple[dict[int, float], float]:
    """Values of levels beyond a branch's by so many coefficients, and what is left to gain at most."""
    known: dict[int, Array] = {}
    values: dict[int, float] = {}
    missed = 0.0
    for level, point in zip(branch.levels[-_PAST:], branch.points[-_PAST:], strict=True):
        known[level] = _curves(model, level, branch.quenched, count).coefficients(point)
    for level in _ladder(branch.levels[-1]):
        curves = _curves(model, level, branch.quenched, count)
        for begin in _foretold(known, level):
            end, height, left = _stationary(curves, begin, rising)
            if math.isfinite(left):
                break
        else:
            break
        if curves.objective.with_work(curves.coords(end)[0])[1] > DEAR:
            break
        known[level], values[level] = end, curves.objective.value(height)
        missed = max(missed, left * curves.objective.unit(values[level]))
    return values, missed


def smooth(model: Model, branch: Branch) -> Extrapolation:
    """What a branch tends to, by curves of few coefficients from its last level on, or from level 14.

    Parameters
    ----------
    model : theory.Model
    branch : Branch
        Of a profile without a gap.

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
    known = [k for k, level in enumerate(branch.levels) if level <= last]
    branch = replace(
        branch, levels=branch.levels[: known[-1] + 1], points=branch.points[: known[-1] + 1]
    )
    fe = functional(model, branch.levels[-_PAST], branch.quenched)
    count = min([_COEFFICIENTS, len(fe.c), *(len(x) for x in (fe.p, fe.q) if x)])
    curves = _curves(model, branch.levels[-1], branch.quenched, count)
    curvature = hessian(curves, curves.coefficients(branch.points[-1]))
    if not np.isfinite(curvature).all():
        raise ConvergenceError(
            f"{model}: no curves go through level {branch.levels[-1]}", {}, math.nan
        )
    rising = int((np.linalg.eigvalsh(curvature) < 0.0).sum())
    if not rising:  # else as many as the coefficients of the curves that are maximised
        count = _COEFFICIENTS
    estimates: dict[str, float] = {}
    noise = 0.0
    for coefficients in (count, count - _FEWER):
        values, missed = _climbed(model, branch, coefficients, rising)
        levels, heights = list(values), list(values.values())
        name = f"{coefficients} coefficients"
        if len(levels) < _TERMS + _LEFT_OUT + 1:
            raise ConvergenceError(
                f"{model}: curves of {name} were followed beyond level {branch.levels[-1]} to "
                f"the levels {levels}, too few to extrapolate",
                {},
                math.nan,
            )
        for terms, left_out in ((_TERMS, 0), (_TERMS, _LEFT_OUT), (_TERMS - 1, 0)):
            end = len(levels) - left_out
            value, magnified = richardson(levels[:end], heights[:end], terms)
            without = f", without level {levels[-1]}" * bool(left_out)
            estimates[f"{name}, {terms} powers{without}"] = value
            scale = TOLERANCE * max(1.0, abs(value))
            noise = max(noise, magnified * (scale + missed))
    value = next(iter(estimates.values()))
    spread = max(abs(x - value) for x in estimates.values())
    return Extrapolation(value, spread + noise, estimates, math.nan)
