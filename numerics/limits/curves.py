"""Profiles as curves of few coefficients: a level's objective in these, with its gradient.

Lifting k of n lies at w = log (k + 1/2) - log (n - k - 1/2), between -log (2n - 1) and its opposite: profiles
end like powers of the distance, which are straight lines there. The curves are Chebyshev series in w, scaled
to [-1, 1]: of the logits of p and of bounded q, and of the logarithms of Q, of c, and of the steps of s.

A profile with a gap has curves on either side of it, and a lifting across it, whose exponent and the step
from it are numbers by themselves. Towards the gap curves are series in the square root of the distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.linalg import block_diag

from numerics.functionals.coordinates import Coordinates
from numerics.thresholds.objective import Objective
from numerics.thresholds.profile import start_at
from numerics.thresholds.starts import logits_of, resolved
from numerics.thresholds.stationary import differences
from theory import FreeEnergy, free_energy
from theory.thresholds.finite_exponents import without_quenched_average

__all__ = ["Curves"]

Array = NDArray[np.float64]


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

    def of_others(self, others: Curves) -> Array:
        """Coefficients of other curves as those of these: a matrix; those that only these have are 0."""
        blocks = [
            np.eye(mine.shape[1], its.shape[1])
            for (_, own), (_, blocks) in zip(self._blocks, others._blocks, strict=True)
            for mine, its in zip(own, blocks, strict=True)
        ]
        return block_diag(*blocks, np.eye(len(self.fe.fields)))

    def ascents(self, coefficients: Array) -> int | None:
        """Directions of ascent wanted, as `Objective.ascents`; None where curves do not tell.

        That is where an adversary lies on a curve of fewer coefficients than overlaps.
        """
        with np.errstate(all="ignore"):
            coords, _ = self.coords(coefficients)
        places = self.objective.adversaries(coords)
        before = 0
        for length, norm in ((len(self.fe.p), self._norm), (len(self.fe.q), 0)):
            inside = places[(places >= before) & (places < before + length)] - before
            on = inside[(inside >= norm) & (inside < length - self._apart)] - norm
            curve = length - norm - self._apart
            pieces = (on < self.inner, self.inner), (on >= self.inner, curve - self.inner)
            if any(hit.any() and size > self.count for hit, size in pieces):
                return None
            before += length
        return self.objective.ascents(coords)

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

    def hessian(self, coefficients: Array) -> Array | None:
        """The Hessian, by that of the objective; None where it is not had, or curves do not fall."""
        with np.errstate(all="ignore"):
            coords, slopes = self.coords(coefficients)
            known = self.objective.hessian(coords) if np.isfinite(coords).all() else None
            if known is None:
                return None
            _, gradient = self.objective(coords)
            bent = differences(lambda x: self.coords(x)[1].T @ gradient, coefficients)
            return slopes.T @ known @ slopes + bent

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
    """Chebyshev polynomials at the places of a curve, no more than there are places.

    Ends say where the profile ends, the innermost place first, and not a curve at a gap.
    """
    if not min(places, count):
        return np.zeros((places, 0))
    k = (np.arange(places) + 0.5) / places
    inner, outer = (
        np.log(x) if end else np.sqrt(x) for x, end in zip((k, 1.0 - k), ends, strict=True)
    )
    w = inner - outer
    w -= 0.5 * (w[:1] + w[-1:])
    scaled = w / np.maximum(w[-1:], 1e-300)
    return np.asarray(chebyshev.chebvander(scaled, min(places, count) - 1), dtype=np.float64)


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
