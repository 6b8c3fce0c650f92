"""Grids for any number of digits, laid in doubles: spacings, extents, cuts.

The rules are those of `numerics.nests.grids` and `numerics.nests.extent`. Nodes of level k lie at
multiples of h_k, each h_k is a multiple or a fraction of h_{k-1}, and all are whole numbers of one power of
two, so that nodes are exact in any precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from numerics.nests.chain import Job
from numerics.nests.extent import Extent, crossing, extent
from numerics.nests.grids import MAX_WORK, ResolutionError, Strip, log_spacing
from numerics.nests.leaf import CompiledLeaf
from numerics.nests.pilot import measured_strips
from numerics.nests.shape import Shape

__all__ = ["SHARE", "BallGrid", "Plan", "commensurate", "plan"]

#: Strips come from doubles; this covers their rounding, and that parameters may be small balls.
SHARE = 1e-6
# Nodes that a flat middle has to have for leaving it out; what covers the number of nodes in a window.
_WORTHWHILE, _SAFE = 256, 25.0
# Widths of the leaf's strip by which its ends may be looked at too far outside.
_CLOSE = 8.0
# Log-tolerance from which doubles do not tell how flat a leaf is.
_UNSEEN = 600.0
# Nodes of one grid beyond which a point is refused.
_MAX_NODES = 2_000_000


@dataclass(frozen=True)
class BallGrid:
    """What fixes the grids: the digits they are for, and what they may be spoilt by on purpose.

    Attributes
    ----------
    digits : int
        Decimal digits of the nest that discretisation may spoil: the error of a lifting is below
        ``10**-digits``.
    coarsen : float
        Factor on every spacing; other than 1 breaks the bound (above) or refines.
    narrow : float
        Factor on every window, 1 or less; below 1 leaves out weight.
    """

    digits: int
    coarsen: float = 1.0
    narrow: float = 1.0

    @property
    def log_inverse(self) -> float:
        """log(1/tolerance)."""
        return (self.digits + 1) * math.log(10.0)


@dataclass(frozen=True)
class Plan:
    """The grids of one nest.

    Attributes
    ----------
    grid : BallGrid
    increments, exponents : tuple of float
    strips : tuple of Strip
        Of f_0, .., f_{K-1}, a little narrower than known.
    shape : Shape
        Of the leaf.
    even : bool
        Whether the nest is even: an even leaf, at field 0.
    proved : bool
        Whether the strips are proved, not found by looking.
    power : int
        Nodes are whole numbers of ``2**-power``.
    multiples : tuple of int
        h_0, .., h_{K-1} in that unit.
    extent : Extent
    flat : float
        Field up to which an even leaf that falls differs from its top by nothing that matters, or 0.
    """

    grid: BallGrid
    increments: tuple[float, ...]
    exponents: tuple[float, ...]
    strips: tuple[Strip, ...]
    shape: Shape
    even: bool
    proved: bool
    power: int
    multiples: tuple[int, ...]
    extent: Extent
    flat: float

    @property
    def depth(self) -> int:
        """Number of liftings."""
        return len(self.increments)

    @property
    def spacings(self) -> tuple[float, ...]:
        """The same in doubles."""
        return tuple(m * 2.0**-self.power for m in self.multiples)

    def steps(self, k: int) -> tuple[int, int]:
        """``h_k : h_{k+1} = a : b``, a = 1 or b = 1 but for chance; in units of `unit`."""
        unit = self.unit(k)
        return self.multiples[k] // unit, self.multiples[k + 1] // unit

    def unit(self, k: int) -> int:
        """What nodes of f_k and f_{k+1} are multiples of, in units of ``2**-power``."""
        return math.gcd(*self.multiples[k : k + 2])

    def interval(self, k: int) -> tuple[int, int]:
        """First and last node at which f_k is wanted."""
        low, high = self.extent.lows[k], self.extent.highs[k]
        low = -high if self.even else low
        h = self.multiples[k] * 2.0**-self.power
        first = math.floor(low * self.grid.narrow / h)
        return first, math.ceil(high * self.grid.narrow / h)

    def window(self, k: int) -> int:
        """Nodes of f_k on either side of which an integration of it knows nothing."""
        return math.ceil(
            math.sqrt(2.0 * self.increments[k] * (self.grid.log_inverse + _SAFE)) / self.spacings[k]
        )

    def head(self) -> int:
        """First node of an even leaf that is flat around its top, see `numerics.nests.chain`; or 0."""
        start = math.floor(self.flat / self.spacings[0]) - 2 * self.window(0) - 2
        return start if start > _WORTHWHILE and self.depth > 1 else 0

    def drop(self, k: int) -> float:
        """How far below its top f_k is cut."""
        return self.extent.drops[k] * self.grid.narrow

    def leaf_interval(self, leaf: CompiledLeaf, numbers: np.ndarray) -> tuple[int, int]:
        """First and last node at which the leaf is wanted, without those where it is cut."""
        first, last = self.interval(0)
        if math.isfinite(self.drop(0)) and self.even:
            h = self.spacings[0]
            last = min(last, math.ceil(self._cut(leaf, numbers, self.drop(0), last * h) / h))
            first = -last
        elif math.isfinite(self.drop(0)):
            h = self.spacings[0]
            self.check(last - first)
            with np.errstate(all="ignore"):
                f = leaf.values(h * np.arange(first, last + 1.0), numbers)
            kept = np.flatnonzero(f >= f.max() - self.drop(0))
            first, last = first + int(kept[0]), first + int(kept[-1])
        if self.even:
            last = max(-first, last)
            first = -last
        return first, last

    def _cut(self, leaf: CompiledLeaf, numbers: np.ndarray, drop: float, farthest: float) -> float:
        """Field at which an even leaf that falls is so much below its top."""
        floor = float(leaf.values(np.zeros(1), numbers)[0]) - drop
        with np.errstate(all="ignore"):
            near = _CLOSE * self.strips[0].half_width
            return crossing(lambda y: leaf.values(y, numbers) - floor, 0.0, farthest, near)[0]

    def outputs(self, k: int, top: int, begin: int = 0) -> list[range]:
        """Nodes of f_k from its top outwards, in which order it falls; of an even one from ``begin``."""
        first, last = self.interval(k)
        if self.even:
            return [range(begin, max(last, begin) + 1)]
        top = min(max(top, first), last)
        return [range(top, last + 1), range(top - 1, first - 1, -1)]

    def kept(self, leaf: CompiledLeaf, numbers: np.ndarray) -> int:
        """Nodes of all grids, about: outputs are cut at most a window beyond where the leaf would be."""
        total, moved = 0, 0.0
        for k in range(self.depth):
            first, last = self.interval(k)
            h = self.spacings[k]
            if self.even and math.isfinite(self.drop(k)):
                place = self._cut(leaf, numbers, self.drop(k), last * h)
                last = min(last, math.ceil((place + moved) / h))
                head = max(math.floor((self.flat - moved) / h) - 2 * self.window(k), 0)
                first = head if head > _WORTHWHILE else -last
            total += last - first + 1
            moved += self.window(k) * h
        return total

    def tallest(self, f: list[float], first: int) -> int:
        """Position of the value that others are taken relative to."""
        if self.even:
            return len(f) // 2
        if max(self.shape.slopes) > 0.0:
            return min(max(-first, 0), len(f) - 1)
        return int(np.argmax(f))

    def check(self, count: int) -> None:
        """Refuse a grid that is too large."""
        if count > _MAX_NODES:
            raise ResolutionError(
                f"increments {self.increments} with exponents {self.exponents} need {count} nodes on one "
                f"grid for {self.grid.digits} digits (at most {_MAX_NODES})"
            )


def plan(
    leaf: CompiledLeaf,
    numbers: np.ndarray,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    grid: BallGrid,
    *,
    nested: bool = False,
) -> Plan:
    """Lay the grids of a nest.

    Parameters
    ----------
    leaf : CompiledLeaf
    numbers : ndarray
        The leaf's parameters.
    field : float
    increments, exponents : tuple of float
        Innermost first.
    grid : BallGrid
    nested : bool, default False
        Whether all outputs of a lifting lie on nodes, which makes inner grids as fine as the outermost one.

    Returns
    -------
    Plan

    Raises
    ------
    ResolutionError
        If no strip is known, or a grid would need more than two million nodes.
    """
    v, s = increments, exponents
    strip, shape = leaf.facts(numbers)
    shape = replace(shape, dip=None)  # grids of balls go through it
    even = leaf.even and field == 0.0
    deviations = math.sqrt(2.0 * (grid.log_inverse + math.log(10.0)))
    reaches = extent(
        field, v, s, shape, deviations, grid.log_inverse + math.log(1e3), even=even,
        depth=0.0 if even else _depth_below_top(leaf, numbers, field, v, s, shape),
    )  # fmt: skip
    seen, place = reaches, field
    if leaf.even:  # its upper half is looked at, from a field there
        highs = tuple(map(max, reaches.highs, (-low for low in reaches.lows)))
        seen, place = replace(reaches, lows=(0.0,) * len(v), highs=highs), abs(field)
    job = Job(leaf, numbers, shape, place, v, s, MAX_WORK)
    strips = measured_strips(job, strip, seen, grid.log_inverse + _SAFE)
    strips = tuple(map(_shrunk, strips))
    wanted = [
        grid.coarsen * log_spacing(own, a, b, grid.log_inverse)
        for own, a, b in zip(strips, v, s, strict=True)
    ]
    if not min(wanted) > 0.0:
        raise ResolutionError(f"no strip of analyticity is known for increments {v}, exponents {s}")
    if nested:
        wanted = [min(wanted[k:]) for k in range(len(v))]
    power, multiples = commensurate(wanted)
    proved = strip.kind in ("cone", "log-concave")
    flat = 0.0
    if even and math.isfinite(reaches.drops[0]) and grid.log_inverse < _UNSEEN:
        enough = grid.log_inverse + math.log(max(1.0, *s))
        flat = _flat(leaf, numbers, enough, reaches.highs[0], _CLOSE * strips[0].half_width)
    return Plan(grid, v, s, strips, shape, even, proved, power, multiples, reaches, flat)


def commensurate(wanted: Sequence[float]) -> tuple[int, tuple[int, ...]]:
    """Spacings no larger than those wanted, each a multiple or a fraction of the one before it.

    Parameters
    ----------
    wanted : sequence of float

    Returns
    -------
    power : int
    multiples : tuple of int
        The spacings in units of ``2**-power``.
    """
    ratios = [Fraction(1)]  # h_k / h_0
    for h in wanted[1:]:
        grown = h / (wanted[0] * float(ratios[-1]))
        ratios.append(ratios[-1] * _whole(grown))
    common = math.lcm(*(r.denominator for r in ratios))
    power = 8 - math.floor(math.log2(wanted[0] / common))
    first = common * math.floor(wanted[0] / common * 2.0**power)
    return power, tuple(int(first * r) for r in ratios)


def _whole(ratio: float) -> Fraction:
    """The largest whole number or inverse of one that is no larger."""
    return Fraction(math.floor(ratio)) if ratio >= 1.0 else Fraction(1, math.ceil(1.0 / ratio))


def _flat(
    leaf: CompiledLeaf, numbers: np.ndarray, log_inverse: float, farthest: float, near: float
) -> float:
    """Field up to which an even leaf that falls is at its top."""
    top, least = float(leaf.values(np.zeros(1), numbers)[0]), math.exp(-log_inverse - _SAFE)
    with np.errstate(all="ignore"):
        edge, _ = crossing(lambda y: least - (top - leaf.values(y, numbers)), 0.0, farthest, near)
    return edge - 2.0 * min(near, edge / 64.0)


def _shrunk(strip: Strip) -> Strip:
    """A strip with room for rounding in its doubles and for parameters that are small balls."""
    return Strip(
        min(strip.half_width, 1e300) * (1.0 - SHARE),
        strip.curvature * (1.0 + SHARE),
        strip.kind,
        strip.turn,
        strip.bend,
        strip.spread,
    )


def _depth_below_top(
    leaf: CompiledLeaf,
    numbers: np.ndarray,
    x: float,
    v: tuple[float, ...],
    s: tuple[float, ...],
    shape: Shape,
) -> float:
    """How far the value may lie below the top, by Jensen's inequality."""
    if not (shape.unimodal and any(shape.falls) and max(shape.slopes) <= 0.0) or min(s) <= 0.0:
        return 0.0
    u = np.linspace(-6.0, 6.0, 49)
    weights = np.exp(-0.5 * u * u)
    f = leaf.values(x + math.sqrt(sum(v)) * u, numbers)
    places = np.array([y for y in shape.settled if math.isfinite(y)])
    top = leaf.values(places, numbers).max(initial=float(f.max()))
    if not (np.isfinite(f).all() and math.isfinite(top)):
        raise ResolutionError(
            f"the leaf leaves the range of doubles within six deviations {sum(v):.3g}"
        )
    return max(float(top - weights @ f / weights.sum()), 0.0)
