"""Hermite series of activations without a closed dual, tabulated over the variance.

With normalised Hermite polynomials and a_n(k) = E phi(sqrt(k) Z) he_n(Z),

    D(K) = sum_n a_n(k11) a_n(k22) rho^n ,   D'(K) = sum_n n a_n a_n rho^(n-1)/sqrt(k11 k22) .

Coefficients are those of `numerics.kernels.series.blocks`. What is left out after n = N is bounded
by Cauchy and Schwarz: |rho|^N sqrt(R(k11) R(k22)), R(k) = sum_(n >= N) a_n^2 from Parseval's sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.kernels.loops.double import interpolate
from theory.kernels.activations import Activation

from .blocks import GONE, TIERS, Block, Moments
from .rounding import UNIT

__all__ = ["ENOUGH", "EXTRA", "TIERS", "Rates", "Series", "Tables", "series"]

Array = NDArray[np.float64]
Part = tuple[int, int, Block | None]
EXTRA = 2 * len(TIERS) + 6
"""Rows of a table behind its coefficients, see `Tables`."""
ENOUGH = 2e-17
"""What a series may leave out, relative to its value at correlation 1."""
_ALL = 1e9
"""Coefficients of a series that is complete."""
_WIDTHS = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)


@dataclass(frozen=True)
class Tables:
    """What the loops need of inputs with given variances.

    Attributes
    ----------
    rows : ndarray, shape (count + EXTRA, n)
        Coefficients; remainders of D, then of D', one for each of `TIERS`; how many coefficients there are,
        or more if they are complete; g, h and p of the bound |D(rho) - D(rho - t)| <= prod_i (g_i t^(1/2) +
        h_i t^p), over the two inputs i, where phi jumps or phi' is not square integrable, and else the same
        of sqrt(k11 k22) D' where phi'' is not; then sigma, which may be infinite, and j of |D''| <= prod_i
        (sigma_i + j_i (1 - rho^2)^(-1/4)), of what is left of D'' almost everywhere.
    second, slopes : ndarray, shape (n,)
        E phi^2 and E phi'^2, the latter almost everywhere.
    steep, slope_steep : ndarray, shape (n,)
        d log/d log k of these two.
    bends : ndarray, shape (6,)
        The largest `Block.bends` of these inputs.
    noise : ndarray, shape (2,)
        The largest errors of D and of D', relative to their diagonals, with those of summing the series.
    own : ndarray, shape (2,)
        The same of E phi^2 and E phi'^2.
    left : float
        What all coefficients leave out of D or D' at correlation 1 at most: beyond 2e-17 nearly parallel
        pairs are not summed.
    """

    rows: Array
    second: Array
    slopes: Array
    steep: Array
    slope_steep: Array
    bends: Array
    noise: Array
    own: Array
    left: float

    @property
    def there(self) -> Array:
        """How many coefficients there are of each input, or more if they are complete."""
        return self.rows[-6]


@dataclass(frozen=True)
class Rates:
    """What gradients need of inputs with given variances; derivatives are those in log k.

    Attributes
    ----------
    rows, steep : ndarray, shape (count, n)
        Coefficients, and their derivatives.
    second, slopes, second_steep, slope_steep : ndarray, shape (n,)
        E phi^2 and E phi'^2, the latter almost everywhere, and their derivatives.
    left : ndarray, shape (n,)
        What coefficients leave out of D' at correlation 1, relative to it.
    there : ndarray, shape (n,)
        As in `Tables`.
    """

    rows: Array
    steep: Array
    second: Array
    slopes: Array
    second_steep: Array
    slope_steep: Array
    left: Array
    there: Array


class Series(Moments):
    """Hermite series of one activation.

    Parameters
    ----------
    activation : Activation
    """

    def __init__(self, activation: Activation) -> None:
        super().__init__(activation)
        self._blocks: dict[tuple[int, float], Block | None] = {}
        self._next: dict[tuple[int, float], int] = {}

    def tables(self, k: Array) -> Tables:
        """Coefficients and second moments at variances.

        Parameters
        ----------
        k : ndarray, shape (n,)

        Returns
        -------
        Tables
        """
        distinct, inverse = np.unique(k, return_inverse=True)
        size = len(distinct)
        parts, left, bends, count = self._remainders_at(distinct)
        rows, values = np.zeros((count + EXTRA, size)), np.zeros((2, size))
        rates, noise, own = np.zeros((2, size)), np.zeros((2, size)), np.zeros((2, size))
        there = np.full(size, _ALL)
        for start, stop, block in parts:
            some = slice(start, stop)
            if block is None:
                self._at_zero(rows[:, some], values[0, some], values[1, some])
                continue
            q = np.sqrt(distinct[some])
            t = np.log2(q / block.centre) / block.width
            used = min(count, block.count)
            last = TIERS.index(used)
            left[:, last:, some] = left[:, last : last + 1, some]
            there[some] = np.where(left[0, last, some] ** 2 > 64.0 * GONE, used, _ALL)
            both = np.empty((used + 2, stop - start))
            interpolate(np.vstack([block.rows[:used], block.rows[-2:]]), t, both)
            rows[:used, some], values[:, some] = both[:-2], both[-2:]
            rates[:, some] = _rates(block, t, both[-2:])
            whole = np.maximum(both[-2:], 1e-300)
            roots = np.sqrt(whole) * np.stack([np.ones_like(q), q])
            noise[:, some] = 2.0 * block.lost[:2, None] / roots + block.loose[:, None]
            own[:, some] = block.lost[2:, None] / whole + block.loose[:, None]
        noise[:, values[1] == 0.0] = np.array([[1.0], [0.0]]) * noise[:, values[1] == 0.0]
        rows[count : count + 2 * len(TIERS)] = left.reshape(2 * len(TIERS), -1)
        rows[-6] = there
        k = np.maximum(distinct, 1e-300)
        with np.errstate(invalid="ignore"):
            curved = np.sqrt(bends[0] * values[1] / k)
        rows[-2:] = np.where(np.isinf(bends[0]), np.inf, curved), bends[3] / k**0.25
        rows[-5:-2] = self._spread(left, values, k, bends)
        bends, noise, own = (v.max(axis=1, initial=0.0) for v in (bends, noise, own))
        # Horner's rule: one rounding a factor, n of them for rho^n
        noise = noise + 2.0 * UNIT * np.array([2.0 + bends[1], 3.0 + bends[2]])
        own = own + 4.0 * UNIT * np.abs(rates).max(axis=1, initial=0.0)
        rows, values, rates = (np.ascontiguousarray(v[:, inverse]) for v in (rows, values, rates))
        left_out = float((left[:, -1] ** 2).max(initial=0.0))
        return Tables(rows, values[0], values[1], rates[0], rates[1], bends, noise, own, left_out)

    def second_moments(self, k: Array) -> tuple[Array, Array, Array]:
        """E phi^2, E phi'^2, and d log/d log k of the former: of `tables`, and all that single inputs need.

        Parameters
        ----------
        k : ndarray, shape (n,)

        Returns
        -------
        tuple of ndarray, shape (n,)
        """
        distinct, inverse = np.unique(k, return_inverse=True)
        values, rates = np.zeros((2, len(distinct))), np.zeros((2, len(distinct)))
        for start, stop, block in self._parts(distinct, 0, len(distinct), 0):
            some = slice(start, stop)
            if block is None:
                self._at_zero(np.zeros((1, 1)), values[0, some], values[1, some])
                continue
            t = np.log2(np.sqrt(distinct[some]) / block.centre) / block.width
            both = np.empty((2, stop - start))
            interpolate(block.rows[-2:], t, both)
            values[:, some], rates[:, some] = both, _rates(block, t, both)
        return values[0, inverse], values[1, inverse], rates[0, inverse]

    def _remainders_at(self, k: Array) -> tuple[list[Part], Array, Array, int]:
        """Blocks of increasing variances, their remainders and bends, and how many coefficients suffice."""
        left, bends = np.zeros((2, len(TIERS), len(k))), np.zeros((6, len(k)))
        parts = list(self._parts(k, 0, len(k), 0))
        for start, stop, block in parts:
            if block is not None:
                above = np.searchsorted(block.nodes[:-1], np.sqrt(k[start:stop]))
                left[:, :, start:stop] = block.left[:, :, above]
                bends[:, start:stop] = block.bends[:, above]
        # as many as suffice at correlation 1
        open_ = left.max(axis=(0, 2), initial=0.0)
        count = next((n for n, v in zip(TIERS, open_, strict=True) if v < 1e-9), TIERS[-1])
        return parts, left, bends, count

    def derivatives(self, k: Array) -> Rates:
        """Coefficients and second moments with their derivatives.

        Parameters
        ----------
        k : ndarray, shape (n,)

        Returns
        -------
        Rates
        """
        distinct, inverse = np.unique(k, return_inverse=True)
        size = len(distinct)
        parts, left, _, count = self._remainders_at(distinct)
        made, there = np.zeros((2, count + 2, size)), np.full(size, _ALL)
        for start, stop, block in parts:
            some = slice(start, stop)
            if block is None:
                self._at_zero(made[0, :-2, some], made[0, -2, some], made[0, -1, some])
                continue
            t = np.log2(np.sqrt(distinct[some]) / block.centre) / block.width
            used = min(count, block.count)
            last = TIERS.index(used)
            left[:, last:, some] = left[:, last : last + 1, some]
            there[some] = np.where(left[0, last, some] ** 2 > 64.0 * GONE, used, _ALL)
            own = np.vstack([block.rows[:used], block.rows[-2:]])
            change = np.zeros_like(own)
            change[:, :-1] = np.polynomial.chebyshev.chebder(own.T).T
            change /= 2.0 * math.log(2.0) * block.width
            values = np.polynomial.chebyshev.chebvander(t, own.shape[1] - 1).T
            for whole, terms in zip(made, (own, change), strict=True):
                two = terms @ values
                whole[:used, some], whole[-2:, some] = two[:-2], two[-2:]
        made = np.take(made, inverse, axis=2)
        return Rates(
            *(v[:-2] for v in made),
            *(v[n] for v in made for n in (-2, -1)),
            left=left[1, -1, inverse] ** 2,
            there=there[inverse],
        )

    def fixed_points(self, s: Array, w2: float) -> list[Array]:
        """Solve k = w2 E phi(sqrt(k) Z)^2 + s for each input.

        Parameters
        ----------
        s : ndarray, shape (n,)
        w2 : float

        Returns
        -------
        list of ndarray, shape (n,)
            k, E phi^2, the derivative of the map, and E phi'^2; infinite where there is no fixed point.

        Notes
        -----
        The smallest one above s, or above 1e-12 for s = 0 where 0 is not stable: doubling brackets it, by
        at most 60 octaves beyond s and 1, and Newton's steps stay inside the bracket.
        """
        start, slope = self.at_zero
        low = s.copy()
        if start == 0.0 and w2 * slope**2 > 1.0:
            low[s == 0.0] = 1e-12
        fixed = (low == 0.0) & (start == 0.0)
        high = 2.0 * np.maximum(low, w2 * start**2)
        high[high == 0.0] = 1e-12
        most = np.minimum(np.maximum(s, 1.0) * 2.0**60, float(self.activation.existence.largest))
        lost = np.zeros(len(s), dtype=bool)

        def excess(k: Array) -> tuple[Array, Array, Array, Array]:
            second, slopes, steep = self.second_moments(np.where(lost | fixed, 0.0, k))
            rate = w2 * np.divide(second * steep, k, out=np.zeros_like(k), where=k > 0.0)
            return k - w2 * second - s, second, slopes, rate

        while True:
            below = (excess(high)[0] < 0.0) & ~lost & ~fixed
            if not below.any():
                break
            low, high = np.where(below, high, low), np.where(below, 2.0 * high, high)
            lost |= ~(high < most)
        k = np.where(fixed, 0.0, 0.5 * (low + high))
        for _ in range(200):
            over, _, _, rate = excess(k)
            high, low = np.where(over > 0.0, k, high), np.where(over > 0.0, low, k)
            with np.errstate(all="ignore"):
                new = k - over / (1.0 - rate)
            new = np.where((low <= new) & (new <= high), new, 0.5 * (low + high))
            moved = np.abs(new - k)
            k = np.where(fixed, 0.0, new)
            if np.all((moved <= 4e-16 * k) | lost | fixed):
                break
        _, second, slopes, rate = excess(k)
        rate = np.where(k == 0.0, w2 * slope**2, rate)
        made = [k, second, rate, slopes]
        for values in made:
            values[lost] = np.inf
        return made

    def _parts(self, k: Array, start: int, stop: int, level: int) -> Iterator[Part]:
        """Blocks for increasing variances, and which; None for the variance 0."""
        while start < stop and k[start] == 0.0:
            yield start, start + 1, None
            start += 1
        width = _WIDTHS[level]
        index = np.floor((0.5 * np.log2(k[start:stop]) + width) / (2.0 * width)).astype(int)
        while start < stop:
            here = int(index[-(stop - start)])
            end = start + int(np.searchsorted(index[-(stop - start) :], here, "right"))
            key = here, width
            finest = len(_WIDTHS) - 1
            if key not in self._blocks:
                self._blocks[key] = self.block(here, width, level == finest)
                self._next[key] = finest if self.mesh.crowded else level + self.halvings
            block = self._blocks[key]
            if block is None:
                yield from self._parts(k, start, end, min(self._next[key], finest))
            else:
                yield start, end, block
            start = end

    def _spread(self, left: Array, values: Array, k: Array, bends: Array) -> Array:
        """How far D moves with the correlation, for `Tables`, where its slope is infinite at 1.

        By Cauchy and Schwarz the squares are D(1) - D(1 - t) = E (phi(u) - phi(v))^2/2 of two inputs of the
        same variance, and their roots add, over the parts of phi: the continuous one has g^2 t, g^2 = k E
        phi'^2; a jump that lies between u and v with the probability P has height^2 P/2.
        """
        jumps, existence = bends[4], self.activation.existence
        if self.smooth:
            power = existence.slope_roughness if np.isinf(bends[0]).any() else None
            if power is None:
                return np.zeros((3, left.shape[2]))
            rough = self._tail(left[1], k * values[1], float(power))
            return np.stack([0.0 * k, rough, np.full_like(k, 0.5 * float(power))])
        power = existence.roughness
        if power is None:
            return np.stack([np.sqrt(k * values[1]), jumps, np.full_like(k, 0.25)])
        rough = self._tail(left[0], values[0], float(power))
        return np.stack([np.zeros_like(k), jumps + rough, np.full_like(k, 0.5 * float(power))])

    def _tail(self, left: Array, whole: Array, power: float) -> Array:
        """The root of a bound of sum a_n^2 min(1, n t)/t^power, given the roots of its tails by tier.

        The sum is at most t sum_(m < 1/t) R(m), R(m) = sum_(n >= m) a_n^2, which falls as m^-power.
        """
        order = self.first + self.step * np.array(TIERS, dtype=float)
        rest = (left**2 * order[:, None] ** power).max(axis=0)
        return np.sqrt(whole * (1.5 * rest / (1.0 - power) + order[0]))

    def _at_zero(self, rows: Array, second: Array, slopes: Array) -> None:
        here = self.at_zero
        if self.first == 0:
            rows[0] = here[0]
        second[:], slopes[:] = here[0] ** 2, here[1] ** 2

    @cached_property
    def at_zero(self) -> tuple[float, float]:
        """Phi at 0, NaN where it is not defined, and the root of the mean of phi'^2 on both sides of it."""
        existence = self.activation.existence
        value = existence.at(sympy.S.Zero)
        sides = [
            limits[n]
            for (a, b, _), limits in zip(existence.slopes, existence.slope_limits, strict=True)
            for n, end in ((0, a), (1, b))
            if end == 0
        ]
        if not sides:
            (f,) = (f for a, b, f in existence.slopes if a < 0 and b > 0)
            sides = [f.subs(self.activation.symbol, 0)]
        slopes = [0.0 if v is None else float(v) for v in sides]
        slope = math.sqrt(sum(v * v for v in slopes) / len(slopes))
        return (math.nan if value is None else float(value)), slope


def _rates(block: Block, t: Array, values: Array) -> Array:
    """D log/d log k of E phi^2 and E phi'^2, which have these values."""
    steep = np.polynomial.chebyshev.chebder(block.rows[-2:].T / (2.0 * math.log(2.0) * block.width))
    return np.polynomial.chebyshev.chebval(t, steep) / np.maximum(values, 1e-300)


@lru_cache(maxsize=32)
def series(activation: Activation) -> Series:
    """Return the series of an activation."""
    return Series(activation)
