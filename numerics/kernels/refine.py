"""Pairs that doubles do not resolve, computed again in balls from the inputs themselves.

From layer 2 on doubles know 1 - rho to 1e-16 only. Where the network amplifies that, or D' changes within
it, a pair is taken through all layers once more in FLINT's balls, with as many digits as it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from numerics.balls.program import ball_sum
from theory.kernels.duals import Dual, Tangent
from theory.kernels.recursion import equilibrium_tangent, layer, readout, tangent

from .balls import Maps, Precision, enclosed_diagonal, enclosed_pair
from .inputs import Side

__all__ = ["WORK", "Equilibria", "Layers", "maps_of", "refined"]

Array = NDArray[np.float64]
WORK = 400_000
"""Evaluations of a closed form in balls that are spent at most: some twenty seconds."""
_NODE_DIGITS = 20
_CERTAIN = 1e-17


@lru_cache(maxsize=32)
def maps_of(dual: Dual, tangent: Tangent) -> Maps | None:
    """D and D' in balls, in twenty digits where they are mixtures; None where they are neither."""
    try:
        return Maps(dual, _NODE_DIGITS, tangent)
    except ValueError:
        return None


@dataclass(frozen=True)
class Layers:
    """A perceptron: sigma_w^2 and sigma_b^2 of its inputs, and those of what follows each layer."""

    dual: Dual
    tangent: Tangent
    w2: float
    b2: float
    sw2: Array
    sb2: Array

    @property
    def evaluations(self) -> int:
        """Evaluations of D for a pair."""
        return len(self.sw2)

    def alone(self, maps: Maps, k: arb, side: int, row: int) -> list[tuple[arb, ...]]:
        """What pairs need of one input: in every layer its variance, D, and the slope."""
        made = []
        for scale, bias in self._layers():
            d, slope, _ = maps.own(k)
            made.append((k, d, slope))
            k = layer(d, scale, bias)
        return made

    def pair(
        self, maps: Maps, a: list[tuple[arb, ...]], b: list[tuple[arb, ...]], c: arb, guess: float
    ) -> tuple[arb, ...]:
        """NNGP and NTK.

        Midpoints go through the layers, and radii with the slopes there: a ball's image would be wider by the
        root of the determinant in every layer.
        """
        ntk, off, turned = c.mid(), c.rad(), c.rad()
        c = c.mid()
        for (scale, bias), one, two in zip(self._layers(), a, b, strict=True):
            d, slope = maps.both(one[0].mid(), c, two[0].mid())
            moved, twisted = _moduli(maps, one, two, c, off, slope)
            value = layer(d, scale, bias)
            off = value.rad() + scale * moved
            c = value.mid()
            new = tangent(c, slope, ntk, scale)
            turned = off + new.rad() + scale * (slope.abs_upper() * turned + abs(ntk) * twisted)
            ntk = new.mid()
        return c + arb(0, off.upper()), ntk + arb(0, turned.upper())

    def _layers(self) -> list[tuple[arb, arb]]:
        return [(arb(float(s)), arb(float(b))) for s, b in zip(self.sw2, self.sb2, strict=True)]


@dataclass(frozen=True)
class Equilibria:
    """An equilibrium model: sigma_w^2, sigma_v^2, and both sides' variances in doubles."""

    dual: Dual
    w2: float
    v2: float
    starts: tuple[Array, Array]
    tangent: Tangent = "limit"
    evaluations: int = 30

    def alone(self, maps: Maps, s: arb, side: int, row: int) -> list[Any]:
        """Variance of one input, and the contraction constant there."""
        k = enclosed_diagonal(maps, s, arb(self.w2), float(self.starts[side][row]))
        return [k, self.w2 * maps.own(k)[1]]

    def pair(self, maps: Maps, a: list[Any], b: list[Any], s: arb, guess: float) -> tuple[arb, ...]:
        """NNGP, NTK and K*."""
        q = (a[1] * b[1]).nonnegative_part().sqrt().upper()
        c = enclosed_pair(maps, a[0], b[0], s, arb(self.w2), q, guess)
        d, slope = maps.both(a[0], c, b[0])
        return *readout(d, slope, equilibrium_tangent(c, slope, self.w2), self.v2), c


def _moduli(
    maps: Maps, one: tuple[arb, ...], two: tuple[arb, ...], c: arb, off: arb, slope: arb
) -> tuple[arb, arb]:
    """How far D and the slope move within the radii of the variances and of the covariance.

    D' is at most the root of the product of the diagonal's (Cauchy and Schwarz), and a change of D of its
    largest changes on both diagonals. The slope's own change is its derivative's within a quarter of the
    distance to correlation 1, and a difference beyond.
    """
    k, m = one[0].mid(), two[0].mid()
    edge = (k * m).sqrt()
    relative = sum(
        (v[0].rad() / v[0].mid() for v in (one, two) if bool(v[0].mid() > 0)), start=arb(0)
    )
    shift = (off + edge * relative).upper()
    sizes = [(one[n] * two[n]).abs_upper().sqrt() for n in (1, 2)]
    gap = edge - abs(c)
    sense = 1 if bool(c > 0) else -1
    close = not bool(4 * shift < gap)
    first, second = maps.drift(k, c, m) if not close else (arb(0), arb(0))
    if (
        maps.jumps
    ):  # the slope is not D'; two inputs of one variance move the most from correlation 1
        step = (shift / edge).upper()
        falls = [v[1] - maps.both(v[0], v[0] * (1 - step), v[0])[0] for v in (one, two)]
        moved = (falls[0].abs_upper() * falls[1].abs_upper()).sqrt()
        if not close:
            moved = moved.min(2 * first.abs_upper() * shift)
        moved += (sizes[0] + 8 * edge * sizes[1]) * relative
    elif sizes[1].is_finite():
        moved = sizes[1] * shift + (sizes[0] + 8 * edge * sizes[1]) * relative
    elif not close:
        moved = 2 * first.abs_upper() * shift + sizes[0] * relative
    else:
        raise ArithmeticError("a pair is too close to correlation 1 for an activation that jumps")
    if close:
        inner = maps.both(k, (c - sense * 4 * shift).mid(), m)[1]
        turned = (inner - slope).abs_upper()
    else:
        turned = 2 * second.abs_upper() * shift
    scale = sizes[1] if sizes[1].is_finite() else slope.abs_upper()
    return moved.upper(), (turned + 64 * scale * relative).upper()


def refined(
    model: Layers | Equilibria,
    sides: list[Side],
    matrices: Sequence[Array],
    error: Array,
    coarse: NDArray[np.bool_],
    ends: Sequence[tuple[Array, ...]] = (),
) -> tuple[NDArray[np.bool_], float]:
    """Compute coarse pairs again, the worst first, as far as the budget goes.

    Parameters
    ----------
    model : Layers or Equilibria
    sides : list of Side
        One for symmetric matrices, else two.
    matrices : sequence of ndarray, shape (n1, n2)
        Those that the model computes, in its order; changed in place.
    error : ndarray, shape (n1, n2)
    coarse : ndarray of bool, shape (n1, n2)
        Of symmetric matrices, in the upper triangle.
    ends : sequence of tuple of ndarray
        What inputs have with themselves, to which errors of symmetric matrices are relative; of one side, or
        of both where only some rows of such matrices are computed.

    Returns
    -------
    tuple of (ndarray of bool, float)
        Which entries are known now, and their relative error.

    Notes
    -----
    Cost: some 50 microseconds a pair and layer, a thousand times that for mixtures.
    """
    done = np.zeros(error.shape, dtype=bool)
    maps = maps_of(model.dual, model.tangent)
    if maps is None:
        return done, 0.0
    pairs = np.argwhere(coarse)
    order = np.argsort(-error[pairs[:, 0], pairs[:, 1]], kind="stable")
    pairs = pairs[order[: max(1, WORK // (model.evaluations * maps.members))]]
    digits = 40
    while len(pairs) and digits <= 640:
        with Precision(digits):
            rest = _again(maps, pairs, sides, model, matrices, ends)
        known = pairs[~(pairs[:, None] == rest).all(-1).any(1)] if len(rest) else pairs
        done[known[:, 0], known[:, 1]] = True
        pairs, digits = rest, 2 * digits
    if len(sides) == 1:
        done |= done.T
    return done, 2.0**-52


def _again(
    maps: Maps,
    pairs: NDArray[np.int64],
    sides: list[Side],
    model: Layers | Equilibria,
    matrices: Sequence[Array],
    known: Sequence[tuple[Array, ...]],
) -> NDArray[np.int64]:
    """Replace the pairs that these digits suffice for, and return the others."""
    scale, bias = arb(sides[0].scale), arb(sides[0].b2)

    def covariance(a: list[float], b: list[float]) -> arb:
        return scale * ball_sum(arb(p) * arb(q) for p, q in zip(a, b, strict=True)) + bias

    @cache
    def alone(which: int, row: int) -> list[Any]:
        x = sides[which].x[row].tolist()
        return model.alone(maps, covariance(x, x), which, row)

    rest = []
    for i, j in pairs.tolist():
        a, b = alone(0, i), alone(len(sides) - 1, j)
        c = covariance(sides[0].x[i].tolist(), sides[-1].x[j].tolist())
        try:
            values = model.pair(maps, a, b, c, float(matrices[-1][i, j]))
        except ArithmeticError:
            rest.append((i, j))
            continue
        sizes = [0.0 for _ in matrices]
        if known:
            both = zip(known[0], known[-1], strict=True)
            ends = [abs(float(p[i]) * float(q[j])) ** 0.5 for p, q in both]
            sizes = [s if s < 1e300 else 0.0 for s in ends]
        if not all(
            bool(v.rad() <= _CERTAIN * max(abs(float(v.mid())), size) + 1e-280)
            for v, size in zip(values, sizes, strict=True)
        ):
            rest.append((i, j))
            continue
        for matrix, value in zip(matrices, values, strict=True):
            matrix[i, j] = float(value.mid())
            if len(sides) == 1:
                matrix[j, i] = matrix[i, j]
    return np.array(rest, dtype=np.int64).reshape(-1, 2)
