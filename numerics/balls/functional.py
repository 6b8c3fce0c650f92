"""A free energy in balls: value and gradient at a point, in any number of digits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb, ctx

from theory import FreeEnergy, Model, free_energy
from theory.thresholds.finite_exponents import without_outermost_pair

from .nest import BallValue, evaluate_ball_nest, planned_nodes
from .plan import BallGrid
from .program import BallProgram, ball_program, ball_sum, exact
from .rare import evaluate_rare_nest

__all__ = ["BallFunctional", "Point", "functional_at", "functional_in_balls"]

# Digits of working precision beyond those that discretisation leaves.
_GUARD = 15


@dataclass(frozen=True)
class Point:
    """The functional at a point.

    Attributes
    ----------
    value : flint.arb
        An enclosure, if ``proved``.
    gradient : list of flint.arb
        In the coordinates; empty if not asked for.
    proved : bool
    nodes : int
        Nodes of all grids.
    """

    value: arb
    gradient: list[arb]
    proved: bool
    nodes: int


@dataclass(frozen=True)
class BallFunctional:
    """A free energy with numeric model parameters.

    Attributes
    ----------
    fe, generic : theory.FreeEnergy
        With numbers for the model's parameters, and with symbols.
    program : BallProgram
    lost : tuple of int
        Decimal digits by which the nests are smaller than 1: digits are wanted relative to them.
    rare : tuple of bool
        Which nests are evaluated by what they lack (`numerics.balls.rare`), and lose none; none by default.
    """

    fe: FreeEnergy
    generic: FreeEnergy
    program: BallProgram
    lost: tuple[int, ...]
    rare: tuple[bool, ...] = ()

    def parameters(self) -> list[arb]:
        """The model's parameters in the precision of the moment."""
        values = {str(x): value for x, value in self.fe.model.parameters.items()}
        return [exact(values[str(x)]) for x in self.program.parameters]

    # -- coordinates, see `numerics.functionals.coordinates` -----

    def gaps(self, coords: Sequence[arb]) -> list[arb]:
        """Gaps of a point given by its coordinates."""
        gaps: list[arb] = []
        position = 0
        for chain in self.program.coordinates.chains:
            part = [t.exp() for t in coords[position : position + len(chain.symbols)]]
            position += len(chain.symbols)
            if chain.upper.is_finite:
                weights = [*part, arb(1)]
                unit = exact(chain.upper - chain.lower) / ball_sum(weights)
                part = [unit * w for w in weights]
            gaps += part
        return gaps

    def coords(self, gaps: Sequence[arb]) -> list[arb]:
        """Coordinates of a point given by its gaps."""
        coords: list[arb] = []
        position = 0
        coordinates = self.program.coordinates
        for chain, symbols in zip(coordinates.chains, coordinates.gap_symbols, strict=True):
            part = list(gaps[position : position + len(symbols)])
            position += len(symbols)
            if chain.upper.is_finite:
                coords += [(g / part[-1]).log() for g in part[:-1]]
            else:
                coords += [g.log() for g in part]
        return coords

    def gaps_at(self, point: Sequence[arb]) -> list[arb]:
        """Gaps of a point given by its order parameters."""
        gaps: list[arb] = []
        position = 0
        for chain in self.program.coordinates.chains:
            levels = [*point[position : position + len(chain.symbols)], exact(chain.lower)]
            position += len(chain.symbols)
            if chain.upper.is_finite:
                levels = [exact(chain.upper), *levels]
            gaps += [a - b for a, b in itertools.pairwise(levels)]
        return gaps

    def order_parameters(self, gaps: Sequence[arb]) -> dict[str, arb]:
        """Order parameters by name."""
        table: dict[str, arb] = {}
        position = 0
        coordinates = self.program.coordinates
        for chain, symbols in zip(coordinates.chains, coordinates.gap_symbols, strict=True):
            part = list(gaps[position : position + len(symbols)])
            position += len(symbols)
            total = exact(chain.lower)
            below = part[1:] if chain.upper.is_finite else part
            for symbol, gap in zip(chain.symbols[::-1], below[::-1], strict=True):
                total = total + gap
                table[str(symbol)] = total
        return {str(x): table[str(x)] for chain in coordinates.chains for x in chain.symbols}

    def _pull_back(self, gaps: Sequence[arb], slopes: Sequence[arb]) -> list[arb]:
        pulled: list[arb] = []
        position = 0
        coordinates = self.program.coordinates
        for chain, symbols in zip(coordinates.chains, coordinates.gap_symbols, strict=True):
            g = gaps[position : position + len(symbols)]
            d = slopes[position : position + len(symbols)]
            position += len(symbols)
            if chain.upper.is_finite:
                mean = ball_sum([a * b for a, b in zip(g, d, strict=True)]) / ball_sum(g)
                pulled += [a * (b - mean) for a, b in zip(g, d, strict=True)][:-1]
            else:
                pulled += [a * b for a, b in zip(g, d, strict=True)]
        return pulled

    # -- evaluation --------------------------------------------------------------------------------

    def nest(
        self, index: int, gaps: Sequence[arb], grid: BallGrid, *, gradient: bool = False
    ) -> BallValue:
        """One nest at given gaps."""
        nest, inputs, own = self._asked(index, gaps, grid)
        if self.rare and self.rare[index]:
            return evaluate_rare_nest(nest.leaf, inputs, nest.depth, own, gradient=gradient)
        return evaluate_ball_nest(nest.leaf, inputs, nest.depth, own, gradient=gradient)

    def planned_nodes(self, gaps: Sequence[arb], grid: BallGrid) -> int:
        """Nodes of all grids that `at_gaps` would evaluate, known before it does."""
        indices = range(len(self.program.nests))
        asked = (self._asked(index, gaps, grid) for index in indices)
        return sum(planned_nodes(nest.leaf, inputs, nest.depth, own) for nest, inputs, own in asked)

    def _asked(
        self, index: int, gaps: Sequence[arb], grid: BallGrid
    ) -> tuple[Any, list[arb], BallGrid]:
        """A nest, its inputs and its grid."""
        nest = self.program.nests[index]
        inputs = nest.inputs(*gaps, *self.parameters())
        return nest, inputs, BallGrid(grid.digits + self.lost[index], grid.coarsen, grid.narrow)

    def at_gaps(self, gaps: Sequence[arb], grid: BallGrid, *, gradient: bool = False) -> Point:
        """Value, and the gradient in the coordinates, at given gaps.

        The precision is that of the grid's digits and guard digits.
        """
        extra = max(self.lost, default=0)
        with ctx.workdps(grid.digits + extra + _GUARD):
            parameters = self.parameters()
            indices = range(len(self.program.nests))
            results = [self.nest(i, gaps, grid, gradient=gradient) for i in indices]
            out = self.program.combine(*gaps, *parameters, *(r.value for r in results))
            n = len(gaps)
            slopes = [arb(a) for a in out[1 : 1 + n]]
            if gradient:
                for i, result in enumerate(results):
                    nest = self.program.nests[i]
                    entries = nest.jacobian(*gaps, *parameters)
                    outer = arb(out[1 + n + i])
                    for (row, column), entry in zip(nest.entries, entries, strict=True):
                        slopes[column] += outer * result.d_inputs[row] * entry
            return Point(
                arb(out[0]),
                self._pull_back(gaps, slopes) if gradient else [],
                all(r.proved for r in results),
                sum(r.nodes for r in results),
            )

    def __call__(self, coords: Sequence[arb], grid: BallGrid, *, gradient: bool = False) -> Point:
        """Evaluate at coordinates."""
        extra = max(self.lost, default=0)
        with ctx.workdps(grid.digits + extra + _GUARD):
            return self.at_gaps(self.gaps(coords), grid, gradient=gradient)


def functional_at(model: Model, level: int, overlaps: int) -> BallFunctional:
    """The functional of a model and level that has so many overlaps q.

    Even ground states have one with a quenched average and one without. Its nests' sizes count as 1.

    Parameters
    ----------
    model : theory.Model
    level : int
    overlaps : int

    Returns
    -------
    BallFunctional
    """
    fe, generic = free_energy(model, level), free_energy(model.generic, level)
    if len(fe.q) > overlaps:
        fe, generic = without_outermost_pair(fe), without_outermost_pair(generic)
    return functional_in_balls(fe, generic)


def functional_in_balls(fe: FreeEnergy, generic: FreeEnergy) -> BallFunctional:
    """A functional, and the one with symbols for its model's parameters; its nests' sizes count as 1."""
    program = ball_program(generic)
    return BallFunctional(fe, generic, program, tuple(0 for _ in program.nests))
