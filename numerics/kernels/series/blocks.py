"""Hermite coefficients of an activation over an interval of variances, as Chebyshev series.

Moments are Gauss-Legendre sums over the panels of `numerics.kernels.series.mesh`, in twice the
precision of doubles; between Chebyshev nodes in log k they are interpolated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from numerics.errors import DivergenceError
from numerics.kernels.loops.double import moments
from theory.kernels.activations import Activation
from theory.kernels.definiteness import Definiteness

from .mesh import MOST, NODES, Mesh, Panel, gauss, mesh, quadrature_bits
from .rounding import UNIT

__all__ = ["GONE", "TIERS", "Block", "Moments"]

Array = NDArray[np.float64]
TIERS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 384)
"""Numbers of coefficients that the loops may use."""
_TRIED = (48, 96, 192, 384)
_WORK = 2_000_000
"""Orders times nodes, beyond 48 coefficients: a few seconds a block."""
_CHEBYSHEV = 24
_INTERPOLATED = 3e-16
GONE = 1e-36
"""Share of E phi^2 in the last orders at which a series is complete."""
_UNSEEN = 1e-12
"""Share of E phi^2 and of E phi'^2 that may be on pieces that are not resolved for there are too many."""
_PANEL = 0.5
_BESIDE = 2.0**-50
"""How near to a singular place its neighbourhood is, relative: as near as roundings of variances move it."""


@dataclass(frozen=True)
class Block:
    """Tables over variances in an interval, as Chebyshev series in log2 sqrt(k).

    Attributes
    ----------
    centre, width : float
        sqrt(k) = centre 2^(width t), t in [-1, 1].
    rows : ndarray, shape (count + 2, terms)
        Chebyshev series of the coefficients, and of E phi^2 and E phi'^2.
    left : ndarray, shape (2, len(TIERS), nodes)
        Roots of the relative remainders of D and D', by tier, at the nodes, which increase: an input takes
        those of the next larger variance.
    bends : ndarray, shape (6, nodes)
        At the nodes: k E phi''^2/E phi'^2, infinite where that is not known to be finite, and roots of E u^2
        phi'^2/E phi^2 and of E u^2 phi''^2/E phi'^2, of the smooth part; the strengths of the kinks and of
        the jumps, see `Tables`; and what the third leaves out beside singular places, see `Moments._beside`.
    lost : ndarray, shape (4,)
        Errors by interpolation and rounding: of the coefficients and of sqrt(n) times them, their norms
        over n; and of E phi^2 and E phi'^2.
    loose : ndarray, shape (2,)
        What quadrature does not resolve of D and of D', relative.
    """

    centre: float
    width: float
    rows: Array
    nodes: Array
    left: Array
    bends: Array
    lost: Array
    loose: Array

    @property
    def count(self) -> int:
        """Coefficients."""
        return len(self.rows) - 2


class Moments:
    """Moments of one activation.

    Parameters
    ----------
    activation : Activation

    Attributes
    ----------
    parity : int
        1 for even, -1 for odd functions, else 0.
    first, step : int
        Orders whose coefficients do not vanish: first, first + step, ..
    smooth : bool
        Whether E phi'^2 exists and is all of D' at correlation 1.
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.parity = Definiteness(activation).parity
        self.first, self.step = {1: (0, 2), -1: (1, 2), 0: (0, 1)}[self.parity]
        self.smooth = activation.existence.smooth
        self.halvings = 1

    @cached_property
    def mesh(self) -> Mesh:
        """Its panels."""
        return mesh(self.activation)

    def orders(self, count: int) -> Array:
        """The n of the coefficients."""
        return self.first + self.step * np.arange(count, dtype=float)

    def block(self, index: int, width: float, last: bool) -> Block | None:
        """Tabulate a block; None if its Chebyshev series do not converge and it is not the ``last`` try."""
        centre = 2.0 ** (2.0 * width * index)
        high, low = _cosines()
        q = centre * 2.0 ** (width * (high[1] + low[1]))
        self.halvings = 1
        try:
            nodes = self._nodes(float(q.max()), float(q.min()))
        except OverflowError:
            if not last:
                return None
            raise DivergenceError(
                f"E phi(u)^2 is outside the range of doubles at variance {centre * centre:.3g}; make sigma_w "
                "or the inputs smaller"
            ) from None
        _, squares, _, off = self._series(nodes, q, TIERS[0])
        if self.mesh.crowded and nodes[3].max() > _UNSEEN * squares[:, :2].min():
            if not last:
                return None
            raise DivergenceError(
                f"{self.activation} varies too quickly: at variance {centre * centre:.3g} more than {MOST} "
                f"pieces are needed up to |x| = {self.mesh.reach:.3g}; make sigma_w or the inputs smaller"
            )
        if not last and off > _INTERPOLATED:
            return self._give_up(off)
        affordable = _WORK / (self.step * nodes[0].shape[1])
        count = _TRIED[0]
        a, squares, rows, off = self._series(nodes, q, count)
        for more in _TRIED[1:]:
            ends = (a[:, -8:] ** 2).sum(axis=1) * count
            if off > _INTERPOLATED or more > affordable or (ends <= GONE * squares[:, 0]).all():
                break
            # terms fall as exp(-sqrt n) or faster where phi has no kink: half of what that takes will not do
            share = float((ends / np.maximum(squares[:, 0], 1e-300)).max())
            enough = count * (math.log(GONE) / math.log(min(share, 0.1))) ** 2
            if more < min(0.5 * enough, affordable / 2.0, _TRIED[-1]):
                continue
            count = more
            a, squares, rows, off = self._series(nodes, q, count)
        size = TIERS.index(count)
        if off > _INTERPOLATED and not last:
            return self._give_up(off)
        tails = self._tails(rows, squares, q)
        while tails[: TIERS[size]].max() > _INTERPOLATED and size > 0:
            size -= 1  # high orders oscillate with the variance
        a, rows = a[:, : TIERS[size]], np.vstack([rows[: TIERS[size]], rows[-2:]])
        order = np.argsort(q)
        left = self._remainders(a[order], squares[order], q[order])
        # what the Chebyshev series leave out, and roundings: of the values at the nodes, which grow
        # threefold in between, of the terms and of their sum, and of the polynomials' recursion
        weights = 7.0 + 1.5 * np.arange(_CHEBYSHEV) ** 2
        lost = 4.0 * np.abs(rows[:, -3:]).max(axis=1) + UNIT * (np.abs(rows) @ weights)
        n = self.orders(len(lost) - 2)
        norms = math.sqrt((lost[:-2] ** 2).sum()), math.sqrt((n * lost[:-2] ** 2).sum())
        bends = self._bends(squares[order], q[order], nodes)
        # Bessel: what panels hold bounds all coefficients together
        least = np.maximum(squares[:, :2].min(axis=0), 1e-300)
        loose = 2.0 * np.sqrt(nodes[3] / least)
        if not self.smooth:  # D' is summed from the coefficients of phi
            with np.errstate(over="ignore"):  # phi' may be 0, and phi far from it
                share = np.sqrt(least[0] / least[1]) / q.min()
            loose[1] = n[-1] * loose[0] * share if loose[0] > 0.0 else 0.0
        return Block(
            centre, width, rows, q[order], left, bends, np.array([*norms, *lost[-2:]]), loose
        )

    def _give_up(self, off: float) -> None:
        """Remember how often a block that Chebyshev series miss by ``off`` has to be halved, at the least."""
        self.halvings = max(1, math.ceil(math.log2(off / _INTERPOLATED) / _CHEBYSHEV))

    def _series(
        self, nodes: tuple[Array, Array, Array, Array], q: Array, count: int
    ) -> tuple[Array, Array, Array, float]:
        """Moments, their Chebyshev series, and what these leave out."""
        a, squares = self._moments(nodes, q, count)
        rows = _transformed(np.column_stack([a, squares[:, :2]])).T
        return a, squares, rows, float(self._tails(rows, squares, q).max())

    @staticmethod
    def _tails(rows: Array, squares: Array, q: Array) -> Array:
        """Relative sizes of the last terms, above what the rounding of q does to steep functions."""
        sizes = np.abs(rows[:, -3:]).max(axis=1)
        sizes[:-2] /= max(math.sqrt(float(squares[:, 0].min())), 1e-300)
        sizes[-2:] /= np.maximum(np.abs(rows[-2:, 0]), 1e-300)
        logs = np.ptp(np.log(np.maximum(squares[:, :2], 1e-300)), axis=0)
        return sizes / (1.0 + logs.max() / np.ptp(np.log(q)))

    def _remainders(self, a: Array, squares: Array, q: Array) -> Array:
        """Roots of the relative shares of E phi^2 and E phi'^2 beyond each tier, at increasing q."""
        n, count = self.orders(a.shape[1]), a.shape[1]
        left = np.zeros((2, len(TIERS), len(q)))
        steep = n * a * a / (q * q)[:, None]
        for row, (parts, whole) in enumerate(((a * a, squares[:, 0]), (steep, squares[:, 1]))):
            rest = np.clip(whole - parts.sum(axis=1), 0.0, None)
            decayed = 64.0 * parts[:, -8:].sum(axis=1)  # below the rounding of the difference
            rest = np.where(rest > 1e-13 * whole, rest, np.minimum(decayed, 1e-13 * whole))
            if row and not self.smooth:
                rest = np.full_like(rest, np.inf)
            beyond = np.cumsum(parts[:, ::-1], axis=1)[:, ::-1]
            for tier, used in enumerate(TIERS):
                share = rest + (beyond[:, used] if used < count else 0.0)
                share = np.divide(share, whole, out=np.zeros_like(share), where=whole > 0.0)
                left[row, tier] = np.maximum.accumulate(np.sqrt(share))
        return left

    def _bends(self, squares: Array, q: Array, nodes: tuple[Array, Array, Array, Array]) -> Array:
        k = q * q
        d, chi, bend, scaled, twice = np.maximum(squares.T, 1e-300)
        existence = self.activation.existence
        # sums over the nodes are finite where the integrals are not
        bend = np.where(k < float(existence.largest_bend), bend, np.inf)
        rough = 0.0 * q
        if self.singular:
            twice, rough = self._beside(q, nodes)
        elif existence.smooth:
            twice = np.where(k < float(existence.largest_scaled_bend), twice, np.inf)
        # densities of the bivariate normal at two kinks: below (2 pi k)^-1 y^(-1/2) exp(-(a^2 + b^2)/(4 k))
        kinks, jumps = (
            sum(
                (abs(float(j.height)) * np.exp(-(float(j.place) ** 2) / (4.0 * k)) for j in some),
                start=np.zeros_like(q),
            )
            for some in (existence.kinks, existence.jumps)
        )
        # what moves with the variance at kinks and jumps away from 0
        moved = [
            sum(
                (
                    abs(float(j.height * j.place)) * np.exp(-(float(j.place) ** 2) / (2.0 * k))
                    for j in some
                ),
                start=0.0 * q,
            )
            for some in (existence.jumps, existence.kinks)
        ]
        scaled = np.sqrt(scaled) + 1.2 * moved[0] / q
        twice = np.sqrt(twice) + 1.2 * moved[1] / q
        values = (
            k * bend / chi,
            scaled / np.sqrt(d),
            twice / np.sqrt(chi),
            kinks / math.sqrt(2.0 * math.pi) / np.sqrt(q),
            # a place a lies between u and v with a probability below exp(-a^2/(2 k)) arccos(rho)/pi, and
            # arccos(1 - t) <= 1.58 sqrt(t) for t <= 1: half the root of that, as t^(1/4)
            0.502 * jumps,
            rough / np.sqrt(chi),
        )
        return np.array(values)

    @cached_property
    def singular(self) -> bool:
        """Whether E u^2 phi''^2 is infinite because of a place other than 0."""
        existence = self.activation.existence
        return existence.smooth and existence.largest_scaled_bend == 0

    def _beside(self, q: Array, nodes: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        """E u^2 phi''^2 away from singular places, and four times the root of E (phi' - g)^2 next to them.

        g is phi', but for a line where it is singular. As the variance moves by the share e, so does phi' by
        e/2 times the root of the first, and twice that of the second: for each of two inputs.
        """
        x, w, f, _ = nodes
        places = np.array([float(p.mid()) for p in self.mesh.places])
        width = _BESIDE * np.maximum(np.abs(places), 1.0)
        zone = np.full(x.shape[1], -1)
        for number, (place, wide) in enumerate(zip(places, width, strict=True)):
            zone[np.abs(x[0] - place) <= wide] = number
        density = np.exp(-0.5 * (x[0] / q[:, None]) ** 2) / (math.sqrt(2.0 * math.pi) * q[:, None])
        weights = density * w[0]
        away = (weights * (zone < 0) * (x[0] * f[2, 0]) ** 2).sum(axis=1)
        inside = 0.0 * q
        for number in range(len(places)):
            own = zone == number
            if own.any():
                apart = f[1, 0, own] - 0.5 * (f[1, 0, own].min() + f[1, 0, own].max())
                both = [(weights[:, own] * v * v).sum(axis=1) for v in (apart, f[1, 0, own])]
                inside += np.minimum(*both)
        return away, 4.0 * np.sqrt(2.0 * inside)

    def _nodes(self, largest: float, smallest: float) -> tuple[Array, Array, Array, Array]:
        """Nodes in x, weights, phi and its derivatives there, as pairs of doubles; what has not converged."""
        edge = self.mesh.edge(largest * largest, 0.5)
        reach = edge * largest
        least, share = (-reach, 2) if self.parity == 0 else (0.0, 1)  # half of a symmetric function
        points, weights, values = [], [], []
        loose = np.zeros(2)
        with quadrature_bits():
            rule = gauss()
            for panel in self.mesh.panels(reach):
                low, high = max(panel.lower, arb(least)), min(panel.upper, arb(reach))
                if not bool(low < high):
                    continue
                parts = _parts(float(low.mid()), float(high.mid()), smallest, edge)
                step = (high - low) / parts
                for i in range(parts):
                    part = Panel(low + i * step, low + (i + 1) * step, panel.piece)
                    x, columns = self.mesh.values(part)
                    points += x
                    weights += [w * step / share for _, w in rule]
                    values += list(zip(*columns, strict=True))
                if not panel.converged:
                    seen = [[float(v.mid()) for v in row[:2]] for row in values[-NODES * parts :]]
                    # of the normal densities
                    near = max(0.0, float(low.mid()), -float(high.mid())) / largest
                    mass = 0.8 * float((high - low).mid()) / smallest * math.exp(-0.5 * near * near)
                    with np.errstate(over="ignore"):
                        loose += np.abs(seen).max(axis=0) ** 2 * mass
        f = np.array([[_double(v) for v in row] for row in values])
        x, w = (np.array([_double(v) for v in some]).T for some in (points, weights))
        return (
            np.ascontiguousarray(x),
            np.ascontiguousarray(w),
            np.ascontiguousarray(f.transpose(1, 2, 0)),
            loose,
        )

    def _moments(
        self, nodes: tuple[Array, Array, Array, Array], q: Array, count: int
    ) -> tuple[Array, Array]:
        a, squares = np.empty((len(q), count)), np.empty((len(q), 5))
        x, w, f, _ = nodes
        for j, root in enumerate(q.tolist()):
            near = np.flatnonzero(np.abs(x[0]) <= self.mesh.edge(root * root, 0.5) * root)
            part = slice(near[0], near[-1] + 1)
            own = (np.ascontiguousarray(v[..., part]) for v in (x, w, f))
            moments(*own, root, _roots(), self.step, self.first, a[j], squares[j])
        return a, squares


@lru_cache(maxsize=1)
def _cosines() -> tuple[Array, Array]:
    """Chebyshev polynomials at their nodes, as multiples of 2^-22 and the rest."""
    turn = [arb.cos_pi_fmpq(fmpq(n, 2 * _CHEBYSHEV)) for n in range(4 * _CHEBYSHEV)]
    high = np.rint(np.ldexp([float(c.mid()) for c in turn], 22))
    rest = [float((c - int(h) / arb(2**22)).mid()) for c, h in zip(turn, high, strict=True)]
    place = np.outer(np.arange(_CHEBYSHEV), 2 * np.arange(_CHEBYSHEV) + 1) % (4 * _CHEBYSHEV)
    return np.ldexp(high, -22)[place], np.array(rest)[place]


def _transformed(values: Array) -> Array:
    """Chebyshev coefficients, shape (terms, n), of values at the nodes, to two roundings."""
    high, low = _cosines()
    size = np.frexp(np.abs(values).max(axis=0))[1]
    coarse = np.ldexp(np.rint(np.ldexp(values, 24 - size)), size - 24)
    # the first of these sums is exact: its terms are multiples of 2^-46 of the largest value
    made = high @ coarse + (high @ (values - coarse) + low @ values)
    made *= 2.0 / _CHEBYSHEV
    made[0] /= 2.0
    return made


def _parts(low: float, high: float, smallest: float, edge: float) -> int:
    """Into how many parts a panel is cut for the normal densities, and the polynomials, of a block."""
    nearest = 0.0 if low < 0.0 < high else min(abs(low), abs(high))
    # what is beyond the reach of the smallest variance belongs to the larger ones
    return max(1, math.ceil((high - low) / (_PANEL * max(smallest, nearest / edge))))


def _double(number: arb) -> tuple[float, float]:
    high = float(number.mid())
    if not math.isfinite(high):
        raise OverflowError
    return high, float((number - arb(high)).mid())


@lru_cache(maxsize=1)
def _roots() -> Array:
    """sqrt(n) and 1/sqrt(n), high and low parts, shape (2, 2, count)."""
    with quadrature_bits():
        made = [
            [_double(arb(n).sqrt()), _double(1 / arb(max(n, 1)).sqrt())]
            for n in range(2 * TIERS[-1] + 4)
        ]
    return np.ascontiguousarray(np.array(made).transpose(1, 2, 0))
