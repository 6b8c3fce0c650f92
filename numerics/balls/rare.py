"""Nests of what almost always holds, in balls: what is missing, with digits relative to itself.

The method, its error law and where its grids lie are those of `numerics.nests.rare`. A ball has an exponent
of any size, so that -f_k, d_k and D_k stand as they are. What an output's sum does not know is added to it:

- the trapezoid rule's error, 6.5 times what it is for Z, relative to D;
- nodes beyond the last one: d is at most 1 there;
- nodes between the field's origin and the first one, and their mirror images: d rises with the field, and so
  does a Gaussian up to the output; for the outermost lifting, which is wanted at 0, ``d <= s (1 - P)`` with
  the leaf's probability P blurred by all increments, on blocks whose widths double inwards;
- mirror images of the nodes that are summed, and nodes outside of an output's window, relative to D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from numerics.errors import ResolutionError
from numerics.nests.rare import RELATIVE, RarePlan, plan_rare

from .error import OMITTED, between
from .nest import BallValue
from .numbers import float_of, log_of
from .plan import SHARE, BallGrid, commensurate
from .program import BallLeaf, ball_sum
from .windows import Windows, windowed_sum

__all__ = ["evaluate_rare_nest"]

# Log-weight by which windows in doubles are laid wider than bounds ask for.
_WIDER = 10.0
_MAX_NODES = 200_000


@dataclass
class _Stage:
    """One lifting: nodes, what is missing there, and outputs."""

    load: list[arb]  # s (-f) of the nodes
    missing: list[arb]  # d
    there: list[arb]  # exp(-load)
    near: list[bool]  # whether an output lacks less than half
    z: list[arb]  # Z of the outputs
    lack: list[arb]  # -f of the outputs
    vague: list[bool]  # whether that is known from below only, far outside


def evaluate_rare_nest(
    leaf: BallLeaf,
    inputs: Sequence[arb],
    depth: int,
    grid: BallGrid,
    *,
    gradient: bool = False,
) -> BallValue:
    """Value and derivatives of a rare nest in the precision of ``flint.ctx``.

    Parameters
    ----------
    leaf, inputs, depth, grid, gradient
        As for `numerics.balls.nest.evaluate_ball_nest`; digits are relative to the nest.

    Returns
    -------
    BallValue

    Raises
    ------
    ResolutionError
        If the nest is not rare (`numerics.nests.rare.is_rare`), or a grid would have too many nodes.
    """
    return _RareNest(leaf, inputs, depth, grid).evaluate(gradient)


class _RareNest:
    def __init__(self, leaf: BallLeaf, inputs: Sequence[arb], depth: int, grid: BallGrid) -> None:
        inputs = [arb(a) for a in inputs]
        self.leaf, self.depth, self.grid = leaf, depth, grid
        self.v, self.s = list(inputs[1 : 1 + depth]), list(inputs[1 + depth : 1 + 2 * depth])
        self.own = list(inputs[1 + 2 * depth :])
        numbers = np.array([float_of(a) for a in self.own])
        v, s = tuple(map(float_of, self.v)), tuple(map(float_of, self.s))
        self.ratios = [b / a for a, b in zip([arb(1), *self.s], self.s, strict=False)]
        if leaf.ends is None or not inputs[0].is_zero() or not all(r >= 1 for r in self.ratios):
            raise ResolutionError(
                f"increments {v} with exponents {s} are not of a nest of what almost always holds"
            )
        # b = slope (edge - y), so that the leaf is the probability of |y + sqrt(w) U| < edge
        self.edge, slope = leaf.ends(arb(0), *self.own)[1], leaf.ends(arb(1), *self.own)[1]
        slope = abs(self.edge - slope)
        self.edge /= slope
        self.blurs = [1 / (2 * slope * slope)]
        for a in self.v[:-1]:
            self.blurs.append(a)
        self.log_inverse = grid.log_inverse
        self.plan: RarePlan = plan_rare(
            leaf.compiled, numbers, v, s, self.log_inverse + OMITTED + _WIDER, grid.coarsen
        )
        self.power, self.multiples = commensurate(self.plan.spacings)
        self.spacings = [m * 2.0**-self.power for m in self.multiples]
        self.firsts, self.lasts = [], []
        for low, high, h in zip(self.plan.lows, self.plan.highs, self.spacings, strict=True):
            low = high - (high - low) * grid.narrow
            self.firsts.append(max(math.floor(low / h), 1))
            self.lasts.append(math.ceil(high / h))
        for k in range(
            depth - 2, -1, -1
        ):  # no output lies before the first node, roundings included
            outermost = self.firsts[k + 1] * self.multiples[k + 1] // self.multiples[k]
            self.firsts[k] = max(min(self.firsts[k], outermost), 1)
        most = max(b - a for a, b in zip(self.firsts, self.lasts, strict=True))
        if most > _MAX_NODES:
            raise ResolutionError(
                f"increments {v} with exponents {s} need {most} nodes on one grid for {grid.digits} digits "
                f"(at most {_MAX_NODES})"
            )
        self.nodes = 0

    def _node(self, k: int, index: int) -> arb:
        return arb(self.multiples[k] * index) * arb(2) ** -self.power

    # -- the value ---------------------------------------------------------------------------------

    def evaluate(self, gradient: bool) -> BallValue:
        rows = [
            (self.leaf.both if gradient else self.leaf.value)(self._node(0, j), *self.own)
            for j in range(self.firsts[0], self.lasts[0] + 1)
        ]
        self.nodes += len(rows)
        lack, vague = [-row[0] for row in rows], [False] * len(rows)
        stages = []
        for k in range(self.depth):
            stages.append(self._lift(k, lack, vague))
            lack, vague = stages[-1].lack, stages[-1].vague
        value = -lack[0]
        if not gradient:
            return BallValue(value, [], True, self.nodes)
        d_v, d_s, mu = [arb(0)] * self.depth, [arb(0)] * self.depth, [arb(1)]
        for k in range(self.depth - 1, -1, -1):
            mu, d_v[k], d_s[k] = self._push(k, stages[k], mu)
        d_own = [
            ball_sum([m * row[1 + i] / row[0] for m, row in zip(mu, rows, strict=True)])
            for i in range(len(self.own))
        ]
        slopes = [arb(0), *d_v, *d_s, *d_own]
        return BallValue(value, [value * a for a in slopes], True, self.nodes)

    def _steps(self, k: int) -> tuple[int, int, arb]:
        """Nodes and outputs of a lifting lie at multiples a and b of a unit."""
        if k + 1 == self.depth:
            return 1, 0, self._node(k, 1)
        unit = math.gcd(self.multiples[k], self.multiples[k + 1])
        return (
            self.multiples[k] // unit,
            self.multiples[k + 1] // unit,
            arb(unit) * arb(2) ** -self.power,
        )

    def _outputs(self, k: int) -> range:
        if k + 1 == self.depth:
            return range(1)
        return range(self.firsts[k + 1], self.lasts[k + 1] + 1)

    def _norm(self, k: int) -> arb:
        """Weight of a node at its own place; with its mirror image outermost."""
        norm = self._node(k, 1) / (2 * arb.pi() * self.v[k]).sqrt()
        return 2 * norm if k + 1 == self.depth else norm

    def _lift(self, k: int, lack: list[arb], vague: list[bool]) -> _Stage:
        """One lifting; -f at the outputs, with their errors."""
        s, v = self.s[k], self.v[k]
        first = self.firsts[k]
        load = [s * a for a in lack]
        there = [(-a).exp() for a in load]
        missing = [-(-a).expm1() for a in load]
        for j in np.flatnonzero(vague):
            there[j] = between(there[j])
            missing[j] = 1 - there[j]
        self.nodes += 2 * len(load)
        logs = np.array([log_of(a) for a in missing]), np.array([-float_of(a) for a in load])
        logs = logs[0], np.maximum(logs[1], -1e300)
        c = 0.5 * self.spacings[k] ** 2 / float_of(v)
        margin = self.log_inverse + math.log(len(load)) + OMITTED
        windows = [Windows(a, first, c, margin) for a in logs]
        a, b, unit = self._steps(k)
        norm, table = self._norm(k), _Table(unit, v)
        relative = self._relative(k)
        stage = _Stage(load, missing, there, [], [], [], [])

        def summed(values: list[arb], window: Windows, i: int) -> arb:
            place = i * b / a
            low, high = window.around(place)
            start, end = (first + low) * a - i * b, (first + high) * a - i * b
            table.reach(max(abs(start), abs(end)))
            return norm * windowed_sum(values, table.weights, low, high + 1, start, a)

        for i in self._outputs(k):
            x = self._node(k + 1, i) if b else arb(0)
            gone = summed(missing, windows[0], i)
            gone = gone + gone * relative + between(self._beyond(k, x, missing[0]))
            if not gone.is_finite():
                raise ResolutionError(
                    f"lifting {k + 2} of increments {list(map(float_of, self.v))} encloses nothing on grids "
                    f"for {self.grid.digits} digits"
                )
            near = gone < 0.5
            z = 1 - gone
            if near:
                out = -(-gone).log1p()
            else:
                z = summed(there, windows[1], i)
                z = z + z * relative + between(self._beyond_far(k, x, there[-1]))
                out = -(z if z > 0 else arb(z.upper())).log()
            stage.vague.append(not z > 0)
            stage.near.append(near)
            stage.z.append(z)
            stage.lack.append(out / s)
        self.nodes += 2 * len(stage.lack) + len(table.weights)
        return stage

    def _relative(self, k: int) -> arb:
        """Trapezoid rule, windows, and the mirror images of the nodes summed, relative to D or Z."""
        h, v, ratio = self._node(k, 1), self.v[k], self.ratios[k]
        inner = self.blurs[k]
        bend = 1 / v + ratio / inner
        shift = min(
            float_of((2 * inner).sqrt()), 2.0 * math.pi / (self.spacings[k] * float_of(bend))
        )
        a = arb(shift) * (1 - arb(SHARE))
        power = 2 * arb.pi() * a / h - bend * a * a / 2
        if not power > 0:
            return arb(0, math.inf)
        size = 2 * arb(RELATIVE) / (power.exp() - 1)
        size += arb(math.e) * (-arb(self.log_inverse + OMITTED)).exp()
        if k + 1 < self.depth:
            x, y = self._node(k + 1, self.firsts[k + 1]), self._node(k, self.firsts[k])
            size += (-2 * x * y / v).exp()
        return arb(0, size.upper())

    def _beyond(self, k: int, x: arb, lowest: arb) -> arb:
        """Bound of what is missing at the nodes that are not on the grid, seen from an output."""
        v, norm = self.v[k], self._norm(k)
        first, last = self._node(k, self.firsts[k]), self._node(k, self.lasts[k])
        size = 2 * _tail(last - x, v, norm)
        if k + 1 < self.depth:
            count = 2 * self.firsts[k] + 1  # of both signs
            away = x - first
            if away < 0:
                return arb(math.inf)
            return size + count * norm * lowest * (-away * away / (2 * v)).exp()
        total = 2 * (self.blurs[0] + ball_sum(self.v[:k]))
        near, step = first, 1 / first
        while near > 0:
            far = near - step
            far = far if far > 0 else arb(0)
            outside = (
                (self.edge - near) / total.sqrt()
            ).erfc()  # both ends are no more than twice one
            count = (near - far) / self._node(k, 1) + 2
            size += 2 * count * norm * self.s[k] * outside * (-far * far / (2 * v)).exp()
            near, step = arb(far.mid()) if far > 0 else arb(0), 2 * step
        return size

    def _beyond_far(self, k: int, x: arb, last_there: arb) -> arb:
        """Bound of what is there at the nodes that are not on the grid, seen from an output far out."""
        v, norm = self.v[k], self._norm(k)
        first, last = self._node(k, self.firsts[k]), self._node(k, self.lasts[k])
        return _tail(x - first, v, norm) + last_there * _tail(last - x, v, norm)

    # -- the adjoint sweep -------------------------------------------------------------------------

    def _push(self, k: int, stage: _Stage, mu: list[arb]) -> tuple[list[arb], arb, arb]:
        """Derivatives in log(-f) of the nodes, from those of the outputs; in v_k and s_k."""
        v, s, norm = self.v[k], self.s[k], self._norm(k)
        a, b, unit = self._steps(k)
        table, first = _Table(unit, v), self.firsts[k]
        outputs = self._outputs(k)
        scaled = [
            norm * m / (z * s * lack) if z > 0 and not m.is_zero() else arb(0)
            for m, z, lack in zip(mu, stage.z, stage.lack, strict=True)
        ]
        logs = np.array([log_of(a) for a in scaled])
        near = np.array(stage.near)
        index = np.array(outputs, dtype=float) * b
        c = 0.5 * float_of(unit) ** 2 / float_of(v)
        floor = -(self.log_inverse + OMITTED)
        square = unit * unit / v
        own, bent = [], arb(0)
        for j, (load, missing, there) in enumerate(
            zip(stage.load, stage.missing, stage.there, strict=True)
        ):
            distance = index - (first + j) * a
            weights = logs - c * distance * distance
            tilts = log_of(missing), log_of(there) + max(log_of(load), 0.0)
            total = arb(0)
            for side, tilt, factor in ((near, tilts[0], missing), (~near, tilts[1], -there)):
                kept = np.flatnonzero(side & (weights + tilt > floor))
                if not kept.size:
                    continue
                table.reach(int(np.abs(distance[kept]).max()))
                far = [int(abs(d)) for d in distance[kept]]
                terms = [scaled[i] * table.weights[d] for i, d in zip(kept, far, strict=True)]
                total += ball_sum(terms)
                second = [t * (square * (d * d) - 1) for t, d in zip(terms, far, strict=True)]
                bent += factor * ball_sum(second)
            own.append(load * there * total)
        self.nodes += len(table.weights)
        return own, bent / (2 * v), (ball_sum(own) - ball_sum(mu)) / s


class _Table:
    """exp(-(d u)^2/(2 v)) for d = 0, 1, .., as far as it is asked for."""

    def __init__(self, unit: arb, v: arb) -> None:
        self.scale = -(unit * unit) / (2 * v)
        self.weights: list[arb] = []

    def reach(self, distance: int) -> None:
        """Continue it."""
        known = len(self.weights)
        if distance >= known:
            end = max(distance + 1, known + known // 4)
            self.weights.extend((self.scale * (d * d)).exp() for d in range(known, end))


def _tail(distance: arb, v: arb, norm: arb) -> arb:
    """Bound of a Gaussian's sum over the nodes farther away than this, on one side."""
    # Phi(-t) <= exp(-t^2/2)/2; the sum of a Gaussian over any nodes is at most 1 + norm
    return (-distance * distance / (2 * v)).exp() / 2 if distance > 0 else 1 + norm
