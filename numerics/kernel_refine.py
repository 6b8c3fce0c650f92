"""Pairs whose kernel a double's covariance does not resolve, computed again in balls.

From layer 2 on the loops know 1 - rho to 1e-16 only. Where D' changes within that (nearly parallel inputs
of large variance and an activation whose kink or wave is narrow beside it), the loops mark the pair,
and it is taken through all layers once more in FLINT's balls, from the inputs themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from theory.duals import Dual

from .balls import ball_sum
from .kernel_balls import Maps, Precision, enclosed_diagonal, enclosed_pair, path, through
from .kernel_inputs import Side
from .kernel_tiles import check_memory

__all__ = ["AccuracyWarning", "Doubts", "Equilibria", "Layers"]

Array = NDArray[np.float64]
WORK = 2_000_000
"""Evaluations of a closed form in balls that are spent on doubtful pairs at most: a minute or two."""
_NODE_DIGITS = 20
_UNIT = 3.4e-16


class AccuracyWarning(UserWarning):
    """Some entries are less accurate than usual; the result's ``error`` says by how much."""


@lru_cache(maxsize=32)
def _maps(found: Dual) -> Maps:
    return Maps(found, _NODE_DIGITS)


class Doubts:
    """Which pairs are in doubt, and their second computation.

    Parameters
    ----------
    found : theory.duals.Dual
        A closed form, or a mixture of such.
    shape : tuple of int
        Of the Gram matrix.

    Attributes
    ----------
    own : tuple of ndarray, shape (n1,)
        What `settle`'s matrices hold for the single inputs of the first side.
    """

    def __init__(self, found: Dual, shape: tuple[int, int]) -> None:
        self.found, self.shape = found, shape
        self.own: tuple[Array, ...] = ()
        self._marks = np.zeros((0, shape[1]), dtype=np.float32)

    def marks(self, largest: float) -> NDArray[np.float32]:
        """Where the loops put how much a pair's NTK moves with the last digit of its covariance.

        Parameters
        ----------
        largest : float
            The largest variance there is.

        Returns
        -------
        ndarray, shape (n1, n2) or (0, n2)
            Without rows while D' is smooth on the scale of a double's resolution, whatever the pair:
            |D''| <= E phi''(u)^2 (Cauchy-Schwarz).
        """
        if not len(self._marks) and largest > 0.0:
            with Precision(16):
                slope, curvature = (float(v.mid()) for v in _maps(self.found).bends(arb(largest)))
            if not _UNIT * largest * curvature <= 1e-15 * slope:
                check_memory(*self.shape, 2, extra=4 * self.shape[0] * self.shape[1])
                self._marks = np.zeros(self.shape, dtype=np.float32)
        return self._marks

    def settle(
        self, one: Side, two: Side, model: Layers | Equilibria, matrices: Sequence[Array]
    ) -> float:
        """Compute the noted pairs again, in place.

        Parameters
        ----------
        one, two : Side
            The same object for a symmetric matrix.
        model : Layers or Equilibria
        matrices : sequence of ndarray, shape (n1, n2)
            Those that the model computes, in its order.

        Returns
        -------
        float
            Relative error of the worst pair left as it was, 0 if none was; `AccuracyWarning` tells.

        Notes
        -----
        Cost: some 50 microseconds a pair and layer, a thousand times that for mixtures. Equal inputs take
        what `own` holds, which needs no covariance.
        """
        if not len(self._marks):
            return 0.0
        for i, some in _equal_inputs(one, two):
            for matrix, own in zip(matrices, self.own, strict=True):
                matrix[i, some] = float(own[i])
            self._marks[i, some] = 0.0
        pairs = np.argwhere(self._marks)
        if one is two:
            pairs = pairs[pairs[:, 0] <= pairs[:, 1]]
        maps = _maps(self.found)
        most = max(1, WORK // (model.evaluations * maps.members))
        left = 0.0
        if len(pairs) > most:
            moves = self._marks[pairs[:, 0], pairs[:, 1]]
            order = np.argsort(-moves, kind="stable")
            left = float(moves[order[most]]) * model.evaluations
            pairs = pairs[order[:most]]
            warnings.warn(
                f"{len(order) - most} nearly parallel pairs have a relative error up to {left:.1g} in the "
                "NTK: too many to compute all again in higher precision; scale the inputs down",
                AccuracyWarning,
                stacklevel=4,
            )
        digits = 40
        while len(pairs) and digits <= 640:
            with Precision(digits):
                pairs = _again(maps, pairs, one, two, model, matrices)
            digits *= 2
        return left


@dataclass(frozen=True)
class Layers:
    """A perceptron: sigma_w^2 and sigma_b^2 of what follows each layer."""

    sw2: Array
    sb2: Array

    @property
    def evaluations(self) -> int:
        """Evaluations of D for a pair."""
        return len(self.sw2)

    def alone(self, maps: Maps, k: arb, side: int, row: int) -> list[arb]:
        """What pairs need of one input."""
        return path(maps, k, self._layers())

    def pair(self, maps: Maps, a: list[arb], b: list[arb], c: arb, guess: float) -> tuple[arb, ...]:
        """NNGP and NTK."""
        return through(maps, a, b, c, self._layers())

    def _layers(self) -> list[tuple[arb, arb]]:
        return [(arb(float(s)), arb(float(b))) for s, b in zip(self.sw2, self.sb2, strict=True)]


@dataclass(frozen=True)
class Equilibria:
    """An equilibrium model: sigma_w^2, sigma_v^2, and both sides' variances in doubles."""

    w2: float
    v2: float
    starts: tuple[Array, Array]
    evaluations: int = 30

    def alone(self, maps: Maps, s: arb, side: int, row: int) -> list[arb]:
        """Variance of one input, and the contraction constant there."""
        k = enclosed_diagonal(maps, s, arb(self.w2), float(self.starts[side][row]))
        return [k, self.w2 * maps.own(k)[1]]

    def pair(self, maps: Maps, a: list[arb], b: list[arb], s: arb, guess: float) -> tuple[arb, ...]:
        """NNGP, NTK and K*."""
        q = (a[1] * b[1]).nonnegative_part().sqrt().upper()
        c = enclosed_pair(maps, a[0], b[0], s, arb(self.w2), q, guess)
        d, slope = maps.both(a[0], c, b[0])
        return self.v2 * d, self.v2 * (d + slope * c / (1 - self.w2 * slope)), c


def _equal_inputs(one: Side, two: Side) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each input of the first side that is among those of the second, and where."""
    where: dict[bytes, list[int]] = {}
    for j, row in enumerate(two.x + 0.0):  # one zero, not two
        where.setdefault(row.tobytes(), []).append(j)
    for i, row in enumerate(one.x + 0.0):
        if row.tobytes() in where:
            yield i, np.array(where[row.tobytes()])


def _again(
    maps: Maps,
    pairs: NDArray[np.int64],
    one: Side,
    two: Side,
    model: Layers | Equilibria,
    matrices: Sequence[Array],
) -> NDArray[np.int64]:
    """Replace the pairs that these digits suffice for, and return the others."""
    sides = (one, two)
    scale, bias = arb(one.scale), arb(one.b2)

    def covariance(a: list[float], b: list[float]) -> arb:
        return scale * ball_sum(arb(p) * arb(q) for p, q in zip(a, b, strict=True)) + bias

    @cache
    def alone(which: int, row: int) -> list[arb]:
        x = sides[which].x[row].tolist()
        return model.alone(maps, covariance(x, x), which, row)

    rest = []
    for i, j in pairs.tolist():
        a, b = alone(0, i), alone(int(one is not two), j)
        c = covariance(one.x[i].tolist(), two.x[j].tolist())
        found = model.pair(maps, a, b, c, float(matrices[-1][i, j]))
        if not all(bool(v.rad() <= 1e-17 * abs(v.mid()) + 1e-280) for v in found):
            rest.append((i, j))
            continue
        for matrix, value in zip(matrices, found, strict=True):
            matrix[i, j] = float(value.mid())
            if one is two:
                matrix[j, i] = matrix[i, j]
    return np.array(rest, dtype=np.int64).reshape(-1, 2)
