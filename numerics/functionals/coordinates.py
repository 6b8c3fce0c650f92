"""Unconstrained coordinates for order parameters.

Order parameters come in decreasing chains, ``upper > x_1 > .. > x_n > lower``. What the nests need
is the chain's *gaps* (the increments), which span many orders of magnitude, and differences of
order parameters would lose their digits. So the gaps are primary and their logarithms are the
coordinates:

* upper bound infinite: n gaps ``x_1 - x_2, .., x_n - lower``, coordinate ``log gap``;
* upper bound finite: n + 1 gaps ``upper - x_1, .., x_n - lower`` with a fixed sum, coordinates
  ``log(gap_j / gap_n)`` for j < n.

A multiplier of a quadratic leaf has to outweigh the liftings, and what they leave of it is what the
functional depends on: a hundredth of it at high levels, where neither a step nor a difference along one
logarithm of a gap alone keeps to the valley. A fugacity is multiplied by the liftings, by a thousand or a
million. In `SearchCoordinates` their coordinates are the logarithms of what is left.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol, oo

from theory import Chain

__all__ = ["Coordinates", "SearchCoordinates"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """Map between order parameters, gaps and unconstrained coordinates.

    Parameters
    ----------
    chains : tuple of theory.Chain
        The chains of a free energy, in the order of its order parameters.
    """

    chains: tuple[Chain, ...]

    @staticmethod
    def _closed(chain: Chain) -> bool:
        return chain.upper != oo

    @cached_property
    def gap_symbols(self) -> tuple[tuple[Symbol, ...], ...]:
        """Positive symbols of the gaps, chain by chain, from the upper end down."""
        groups = []
        for chain in self.chains:
            first = 0 if self._closed(chain) else 1
            name = str(chain.symbols[0])
            count = len(chain.symbols)
            groups.append(
                tuple(Symbol(f"gap_{name}_{j}", positive=True) for j in range(first, count + 1))
            )
        return tuple(groups)

    def substitution(self, *, from_above: bool) -> dict[Symbol, Expr]:
        """Order parameters in terms of gaps.

        Parameters
        ----------
        from_above : bool
            Write those of a bounded chain as ``upper`` less the gaps above them (so that ``upper - x_1``
            and ``x_1 - x_2`` are exact, as leaves need them) instead of the sum of the gaps below.

        Returns
        -------
        dict
        """
        table: dict[Symbol, Expr] = {}
        for chain, gaps in zip(self.chains, self.gap_symbols, strict=True):
            closed = self._closed(chain)
            for k, symbol in enumerate(chain.symbols):
                below = gaps[k + 1 :] if closed else gaps[k:]
                table[symbol] = sum(below, start=chain.lower)
                if closed and from_above:
                    table[symbol] = chain.upper - sum(gaps[: k + 1])
        return table

    @cached_property
    def size(self) -> int:
        """Number of unconstrained coordinates = number of order parameters."""
        return sum(len(chain.symbols) for chain in self.chains)

    def gaps(self, coords: Array) -> Array:
        """Gaps of a point, shape (number of gaps,), from coordinates of shape (size,)."""
        out: list[Array] = []
        position = 0
        for chain in self.chains:
            count = len(chain.symbols)
            part = coords[position : position + count]
            position += count
            if self._closed(chain):
                logs = np.append(part, 0.0)
                weights = np.exp(logs - logs.max())
                out.append(float(chain.upper - chain.lower) * weights / weights.sum())
            else:
                out.append(np.exp(part))
        return np.concatenate(out) if out else np.empty(0)

    def split(self, gaps: Array) -> list[Array]:
        """Gaps by chain."""
        ends = np.cumsum([len(symbols) for symbols in self.gap_symbols])
        return np.split(gaps, ends[:-1])

    def pull_back(self, gaps: Array, gradient: Array) -> Array:
        """Gradient in the coordinates from the gradient in the (independent) gaps."""
        out: list[Array] = []
        position = 0
        for chain, symbols in zip(self.chains, self.gap_symbols, strict=True):
            g = gaps[position : position + len(symbols)]
            d = gradient[position : position + len(symbols)]
            position += len(symbols)
            if self._closed(chain):
                total = g.sum()
                out.append((g * (d - (g @ d) / total))[:-1])
            else:
                out.append(g * d)
        return np.concatenate(out) if out else np.empty(0)

    def coords(self, gaps: Sequence[Array] | Array) -> Array:
        """Coordinates of a point given by its gaps (chain by chain, or concatenated)."""
        flat = np.concatenate([np.atleast_1d(g) for g in gaps]) if len(gaps) else np.empty(0)
        out: list[Array] = []
        position = 0
        for chain, symbols in zip(self.chains, self.gap_symbols, strict=True):
            g = flat[position : position + len(symbols)]
            position += len(symbols)
            out.append(np.log(g[:-1] / g[-1]) if self._closed(chain) else np.log(g))
        return np.concatenate(out) if out else np.empty(0)

    def order_parameters(self, gaps: Array) -> dict[str, float]:
        """Order parameters by name from the gaps."""
        table: dict[str, float] = {}
        position = 0
        for chain, symbols in zip(self.chains, self.gap_symbols, strict=True):
            g = gaps[position : position + len(symbols)]
            position += len(symbols)
            below = g[1:] if self._closed(chain) else g
            sums = float(chain.lower) + np.cumsum(below[::-1])[::-1]
            table.update((str(x), float(v)) for x, v in zip(chain.symbols, sums, strict=True))
        return table

    def from_order_parameters(self, values: Mapping[str, float]) -> Array:
        """Coordinates of a point given by its order parameters.

        Raises
        ------
        ValueError
            If a value is missing or a chain is not strictly decreasing between its bounds.
        """
        gaps: list[float] = []
        for chain in self.chains:
            missing = [str(x) for x in chain.symbols if str(x) not in values]
            if missing:
                raise ValueError(f"no value given for order parameter(s) {', '.join(missing)}")
            levels = [values[str(x)] for x in chain.symbols] + [float(chain.lower)]
            if self._closed(chain):
                levels = [float(chain.upper), *levels]
            steps = [a - b for a, b in itertools.pairwise(levels)]
            if not all(step > 0 for step in steps):
                names = " > ".join(str(x) for x in chain.symbols)
                raise ValueError(
                    f"order parameters must satisfy {chain.upper} > {names} > {chain.lower}, "
                    f"got {[values[str(x)] for x in chain.symbols]}"
                )
            gaps.extend(map(float, steps))
        return self.coords([np.array(gaps)]) if gaps else np.empty(0)


@dataclass(frozen=True)
class _Left:
    """A multiplier m among the gaps: liftings leave factor m + rest of it, both functions of the gaps.

    ``slopes`` are the derivatives of m in the gaps while that is held.
    """

    place: int
    factor: Callable[..., float]
    rest: Callable[..., float]
    slopes: Callable[..., Sequence[float]]


@dataclass(frozen=True)
class SearchCoordinates(Coordinates):
    """Coordinates with the logarithm of what liftings leave of a multiplier in the place of its own.

    Parameters
    ----------
    chains : tuple of theory.Chain
    left : tuple of (sympy.Symbol, sympy.Expr)
        Multipliers, each alone in its chain, and what is left of them, linear in them, in the order
        parameters (`theory.thresholds.finite_exponents.outermost_multipliers`).
    """

    left: tuple[tuple[Symbol, Expr], ...] = ()

    @cached_property
    def _parts(self) -> list[_Left]:
        flat = [g for group in self.gap_symbols for g in group]
        # what is lost in 1 - (1 - gap) weighs as little as the outermost exponents
        table = self.substitution(from_above=True)
        made = []
        for symbol, left in self.left:
            factor = sympy.diff(left, symbol)
            parts = [
                sympy.expand(part.subs(table, simultaneous=True), power_exp=False)
                for part in (factor, left - symbol * factor)
            ]
            own = table[symbol]
            slopes = [
                -(sympy.diff(parts[1], g) + own * sympy.diff(parts[0], g)) / parts[0] for g in flat
            ]
            functions = [
                sympy.lambdify(flat, part, modules="math", cse=True) for part in (*parts, slopes)
            ]
            made.append(_Left(flat.index(own), *functions))
        return made

    def gaps(self, coords: Array) -> Array:
        """Gaps of a point, from coordinates."""
        gaps = super().gaps(coords)
        for part in self._parts:
            numbers = gaps.tolist()
            gaps[part.place] = (gaps[part.place] - part.rest(*numbers)) / part.factor(*numbers)
        return gaps

    def _left_of(self, gaps: Array) -> Array:
        gaps = gaps.copy()
        for part in self._parts:
            numbers = gaps.tolist()
            try:
                gaps[part.place] = gaps[part.place] * part.factor(*numbers) + part.rest(*numbers)
            except OverflowError:  # a point far outside, which no functional is defined at
                gaps[part.place] = math.inf
        return gaps

    def pull_back(self, gaps: Array, gradient: Array) -> Array:
        """Gradient in the coordinates from the gradient in the (independent) gaps."""
        gradient, numbers = gradient.copy(), gaps.tolist()
        for part in self._parts:
            slope = gradient[part.place]
            gradient += slope * np.array(part.slopes(*numbers), dtype=float)
            gradient[part.place] = slope / part.factor(*numbers)
        return super().pull_back(self._left_of(gaps), gradient)

    def coords(self, gaps: Sequence[Array] | Array) -> Array:
        """Coordinates of a point given by its gaps.

        Nan where nothing is left of a multiplier, infinite beyond the doubles.
        """
        flat = np.concatenate([np.atleast_1d(g) for g in gaps]) if len(gaps) else np.empty(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return super().coords(self._left_of(flat.astype(np.float64)))
