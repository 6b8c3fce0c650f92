"""The lifted Gaussian expectation in balls: any number of digits, and every error inside the ball.

The same chained grids as in doubles (`numerics.nests.doubles`), for any number of digits
(`numerics.balls.plan`). A level is a product of polynomials for every place that outputs have between
nodes, the weights ``exp(s f_{k-1})`` times a Gaussian; or, where the weights differ too much in size, a
sum for every output over the window outside of which nothing matters.

What a ball does not know of itself is added to it, for every output, by `numerics.balls.error`.

Cost: for D digits of order D nodes per standard deviation, D^(3/2) where the strip is narrow, an
exponential and a logarithm each, and products of polynomials of that length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_poly, ctx

from numerics.errors import ResolutionError

from .error import OMITTED, LiftingError, node
from .numbers import float_of, log_of
from .plan import BallGrid, plan
from .program import BallLeaf, ball_sum
from .windows import Windows, windowed_sum

__all__ = ["BallValue", "evaluate_ball_nest", "planned_nodes"]

# Ratio of the weights' range to the precision up to which a product of polynomials is the faster way.
_DENSE = 3.0


@dataclass(frozen=True)
class BallValue:
    """Value and derivatives of a nest.

    Attributes
    ----------
    value : flint.arb
        Encloses the nest, if ``proved``.
    d_inputs : list of flint.arb
        Derivatives in the field, the increments, the exponents, the leaf's parameters; empty if not asked
        for. Good to about the precision, without the trapezoid error.
    proved : bool
        Whether the strips are proved for this leaf.
    nodes : int
        Nodes of all grids: exponentials and logarithms taken are about twice as many.
    """

    value: arb
    d_inputs: list[arb]
    proved: bool
    nodes: int


@dataclass
class _Level:
    """One function on its grid: f at index ``first``, ``first + 1``, ..; an even one on both sides.

    An even one of ``first`` > 0 is flat before, see `numerics.nests.chain`, and is not mirrored.
    """

    f: list[arb]
    first: int
    added: int = 0  # leading nodes that are no outputs of the lifting inside


@dataclass
class _Stage:
    """What the adjoint sweep needs of one lifting."""

    inner: _Level
    outer: _Level
    raw: list[arb]  # exp(s (f - ref))
    sums: list[arb]  # Z of every output, relative to exp(s ref)
    steps: tuple[int, int]  # of nodes and outputs


def evaluate_ball_nest(
    leaf: BallLeaf,
    inputs: Sequence[arb],
    depth: int,
    grid: BallGrid,
    *,
    gradient: bool = False,
) -> BallValue:
    """Value and derivatives of a nest in the precision of ``flint.ctx``.

    Parameters
    ----------
    leaf : BallLeaf
    inputs : sequence of flint.arb
        Field, ``v_1 .. v_K`` > 0, ``s_1 .. s_K`` > 0 (innermost first; the last may be exactly 0, the
        quenched average), then the leaf's parameters.
    depth : int
        K.
    grid : BallGrid
    gradient : bool
        Whether derivatives are wanted; they cost about twice the value.

    Returns
    -------
    BallValue

    Raises
    ------
    ValueError
        For an exponent that is not positive, but for the last.
    ResolutionError
        If a grid would need more than two million nodes, or no output of a lifting is a number.
    """
    return _Nest(leaf, inputs, depth, grid).evaluate(gradient)


def planned_nodes(leaf: BallLeaf, inputs: Sequence[arb], depth: int, grid: BallGrid) -> int:
    """Nodes of all grids of a nest as they are laid, before any of them is evaluated.

    Parameters
    ----------
    leaf, inputs, depth, grid
        As for `evaluate_ball_nest`.

    Returns
    -------
    int
    """
    nest = _Nest(leaf, inputs, depth, grid)
    return nest.plan.kept(leaf.compiled, nest.numbers)


class _Nest:
    """The plan of one evaluation, in doubles, and the evaluation, in balls."""

    def __init__(self, leaf: BallLeaf, inputs: Sequence[arb], depth: int, grid: BallGrid) -> None:
        inputs = [arb(a) for a in inputs]
        self.leaf, self.depth = leaf, depth
        self.x = inputs[0]
        self.v, self.s = list(inputs[1 : 1 + depth]), list(inputs[1 + depth : 1 + 2 * depth])
        if not all(s > 0 for s in self.s[:-1]):
            given = [float_of(s) for s in self.s]
            raise ValueError(f"exponents but for the outermost have to be positive, got {given}")
        self.own = list(inputs[1 + 2 * depth :])
        self.numbers = np.array([float_of(a) for a in self.own])
        v, s = tuple(map(float_of, self.v)), tuple(map(float_of, self.s))
        self.plan = plan(leaf.compiled, self.numbers, float_of(self.x), v, s, grid)
        self.even = self.plan.even
        self.h = self.plan.spacings
        self.log_inverse = grid.log_inverse
        self.nodes = 0

    # -- the value ---------------------------------------------------------------------------------

    def evaluate(self, gradient: bool) -> BallValue:
        level, slopes = self._leaf_level(gradient and bool(self.own))
        stages: list[_Stage] = []
        for k in range(self.depth - 1):
            stage = self._lift(k, level)
            stages.append(stage)
            level = self._with_head(k + 1, stage) if self._headed(level) else stage.outer
        value, mu, partial = self._outermost(level, gradient)
        if not gradient:
            return BallValue(value, [], self.plan.proved, self.nodes)
        d_v, d_s = [arb(0)] * self.depth, [arb(0)] * self.depth
        d_x, d_v[-1], d_s[-1] = partial
        for k in range(self.depth - 2, -1, -1):
            if self._headed(stages[k].inner):
                mu = _outputs_of(mu, level)
            mu, d_v[k], d_s[k] = self._push(k, stages[k], mu)
            level = stages[k].inner
        d_own = [arb(0)] * len(self.own)
        for weight, at_node in zip(mu, slopes, strict=bool(slopes)):
            for i, slope in enumerate(at_node):
                d_own[i] += weight * slope
        return BallValue(value, [d_x, *d_v, *d_s, *d_own], self.plan.proved, self.nodes)

    def _node(self, k: int, index: int) -> arb:
        return node(self.plan, k, index)

    def _error(self, k: int) -> LiftingError:
        return LiftingError(self.plan, k, self.v[k], self.s[k])

    def _unit(self, k: int) -> arb:
        """What distances between nodes and outputs of a lifting are multiples of."""
        return arb(self.plan.unit(k)) * arb(2) ** -self.plan.power

    def _leaf_level(self, gradient: bool) -> tuple[_Level, list[list[arb]]]:
        """The leaf where it is wanted, and its derivatives in the parameters at every node."""
        first, last = self.plan.leaf_interval(self.leaf.compiled, self.numbers)
        function = self.leaf.both if gradient else self.leaf.value
        head = self.plan.head() if self.even else 0
        start = head if self.even else first
        self.plan.check(last - start)
        rows = [function(self._node(0, j), *self.own) for j in range(start, last + 1)]
        self.nodes += len(rows)
        if self.even and not head:
            rows = rows[:0:-1] + rows
        slopes = [values[1:] for values in rows] if gradient else []
        return _Level([values[0] for values in rows], head or first), slopes

    def _headed(self, level: _Level) -> bool:
        """Whether only the upper half of an even function is there, flat before its first node."""
        return self.even and level.first > 0

    def _with_head(self, k: int, stage: _Stage) -> _Level:
        """Outputs of a lifting, after as much of their flat head as windows of f_k reach, or all of it."""
        f, first = stage.outer.f, stage.outer.first
        window = self.plan.window(k)
        added = first if k + 1 == self.depth else min(2 * window + 2, first)
        if first - added <= window:
            added = first
        # f falls from its own top, which is no higher than the leaf's, to its first output
        f = [f[0].union(self._top())] * added + f
        if added < first:
            return _Level(f, first - added, added)
        return _Level(f[:0:-1] + f, 1 - len(f), added)

    def _top(self) -> arb:
        """The leaf at 0, where an even one that falls is largest."""
        return self.leaf.value(arb(0), *self.own)[0]

    def _lift(self, k: int, inner: _Level) -> _Stage:
        """One lifting on a whole grid; f at the outputs, with their errors."""
        s = self.s[k]
        steps = self.plan.steps(k)
        norm = self._node(k, 1) / (2 * arb.pi() * self.v[k]).sqrt()
        middle = self._tallest(inner)
        # a number without a radius: one with its own would count it in every weight
        ref = arb(inner.f[middle].mid())
        raw = [(s * (f - ref)).exp() for f in inner.f]
        self.nodes += len(raw)
        headed = self._headed(inner)
        # the first output whose window is on the grid
        begin = -(-(inner.first + self.plan.window(k) + 1) * steps[0] // steps[1]) if headed else 0
        top = round((inner.first + middle) * steps[0] / steps[1])
        order = self.plan.outputs(k + 1, top, begin)
        sums = self._sums(k, inner, raw, steps)
        enclosed = self._error(k).around(inner.f, inner.first, ref, headed)
        drop = self.plan.drop(k + 1)
        nodes: dict[int, tuple[arb, arb]] = {}
        best = -math.inf
        for direction in order:
            for i in direction:
                z = enclosed(norm * sums(i), self._node(k + 1, i))
                value = ref + z.log() / s
                self.nodes += 1
                rough = float_of(value)
                if math.isnan(rough) or rough < best - drop:
                    break
                best = max(best, rough)
                nodes[i] = (value, z)
            self.plan.check(len(nodes))
        if not nodes:
            raise ResolutionError(
                f"lifting {k + 2} of increments {self.plan.increments} encloses nothing on grids for "
                f"{self.plan.grid.digits} digits"
            )
        begin, end = min(nodes), max(nodes)
        f = [nodes[i][0] for i in range(begin, end + 1)]
        kept = [nodes[i][1] for i in range(begin, end + 1)]
        outer = _Level(f, begin)
        if self.even and not headed:
            outer = _Level(f[:0:-1] + f, 1 - len(f))
            kept = kept[:0:-1] + kept
        return _Stage(inner, outer, raw, kept, steps)

    def _sums(
        self, k: int, inner: _Level, raw: list[arb], steps: tuple[int, int]
    ) -> Callable[[int], arb]:
        """Sums of the weights times a Gaussian, by output: all at once, or each in its own window.

        One product of polynomials gives all outputs that lie alike between nodes, but takes longer the more
        its coefficients differ in size; the weights of a leaf that falls like a Gaussian differ by any
        amount, and every output has a window of its own outside of which nothing matters.
        """
        a, b = steps
        log_weights = np.array([self.plan.exponents[k] * float_of(f) for f in inner.f])
        c = 0.5 * self.h[k] ** 2 / self.plan.increments[k]
        margin = self.log_inverse + math.log(log_weights.size) + OMITTED
        spread = float(np.ptp(log_weights))
        if spread < _DENSE * ctx.prec * math.log(2.0):
            first, last = self.plan.interval(k + 1)
            final = inner.first + log_weights.size - 1
            farthest = max(abs(first * b - final * a), abs(last * b - inner.first * a)) // a + 2
            reach = min(farthest, math.ceil(math.sqrt((margin + spread) / c)) + 1)
            table = self._gaussian(k, (reach + 1) * a)
            offset = reach - inner.first
            products: dict[int, list[arb]] = {}

            def looked_up(i: int) -> arb:
                node, phase = divmod(i * b, a)
                if phase not in products:
                    around = [table[abs(d * a - phase)] for d in range(reach, -reach - 1, -1)]
                    products[phase] = (arb_poly(raw) * arb_poly(around)).coeffs()
                n = node + offset
                product = products[phase]
                return product[n] if 0 <= n < len(product) else arb(0)

            return looked_up
        table = self._gaussian(k, 0)
        window = Windows(log_weights, inner.first, c, margin)

        def summed(i: int) -> arb:
            low, high = window.around(i * b / a)
            start = (inner.first + low) * a - i * b
            end = (inner.first + high) * a - i * b
            self._longer(k, table, max(abs(start), abs(end)))
            return windowed_sum(raw, table, low, high + 1, start, a)

        return summed

    def _longer(self, k: int, table: list[arb], reach: int) -> None:
        """Continue a table of Gaussian weights."""
        if reach >= len(table):
            self.plan.check(reach)
            scale = -(self._unit(k) ** 2) / (2 * self.v[k])
            end = max(reach + 1, len(table) + len(table) // 4)
            self.nodes += end - len(table)
            table.extend((scale * (d * d)).exp() for d in range(len(table), end))

    def _tallest(self, level: _Level) -> int:
        if self._headed(level):
            return 0
        return self.plan.tallest([float_of(f) for f in level.f], level.first)

    def _gaussian(self, k: int, reach: int) -> list[arb]:
        """exp(-(d u)^2 / (2 v)) for d = 0 .. reach, where distances are multiples of u."""
        self.nodes += reach
        scale = -(self._unit(k) ** 2) / (2 * self.v[k])
        return [(scale * (d * d)).exp() for d in range(reach + 1)]

    def _outermost(
        self, level: _Level, gradient: bool
    ) -> tuple[arb, list[arb], tuple[arb, arb, arb]]:
        """The last lifting, wanted at one field."""
        k = self.depth - 1
        v, s, x = self.v[k], self.s[k], self.x
        norm = self._node(k, 1) / (2 * arb.pi() * v).sqrt()
        ref = arb(level.f[self._tallest(level)].mid())
        offsets = [self._node(k, level.first + j) - x for j in range(len(level.f))]
        half = self.even
        squares = [u * u / v for u in (offsets[len(offsets) // 2 :] if half else offsets)]
        f = level.f[len(level.f) // 2 :] if half else level.f
        if s.is_zero():
            w = [norm * (-q / 2).exp() for q in squares]
            terms = [a * b for a, b in zip(w, f, strict=True)]
        else:
            w = [norm * (s * (a - ref) - q / 2).exp() for a, q in zip(f, squares, strict=True)]
            terms = w
        self.nodes += len(w)
        if half:
            w = [w[0], *(2 * a for a in w[1:])]
            terms = [terms[0], *(2 * a for a in terms[1:])]
        total = ball_sum(terms)
        z = self._error(k).around(level.f, level.first, ref)(total, x)
        value = z if s.is_zero() else ref + z.log() / s
        if not gradient:
            return value, [], (arb(0), arb(0), arb(0))
        mu = w if s.is_zero() else [a / total for a in w]
        if s.is_zero():
            # d/dv of the Gaussian average
            d_v = ball_sum([m * a * (q - 1) for m, a, q in zip(mu, f, squares, strict=True)]) / (
                2 * v
            )
            d_s = arb(0)
            d_x = ball_sum([m * a * u for m, a, u in zip(mu, f, offsets, strict=False)]) / v
        else:
            own = ref + total.log() / s
            d_v = ball_sum([m * (q - 1) for m, q in zip(mu, squares, strict=True)]) / (2 * v * s)
            d_s = ball_sum([m * (a - own) for m, a in zip(mu, f, strict=True)]) / s
            d_x = ball_sum([m * u for m, u in zip(mu, offsets, strict=False)]) / (v * s)
        d_x = arb(0) if half else d_x
        if half:
            mu = [a / 2 for a in mu[:0:-1]] + [mu[0], *(a / 2 for a in mu[1:])]
        return value, mu, (d_x, d_v, d_s)

    # -- the adjoint sweep -------------------------------------------------------------------------

    def _push(self, k: int, stage: _Stage, mu: list[arb]) -> tuple[list[arb], arb, arb]:
        """Gibbs weights of the inner function, and derivatives in v_k and s_k."""
        v, s = self.v[k], self.s[k]
        inner, outer, (a, b) = stage.inner, stage.outer, stage.steps
        norm = self._node(k, 1) / (2 * arb.pi() * v).sqrt()
        unit = self._unit(k) ** 2 / v
        scaled = [norm * m / z for m, z in zip(mu, stage.sums, strict=True)]
        logs = np.array([log_of(a) for a in scaled])
        log_weights = np.array([log_of(w) for w in stage.raw])
        index = (outer.first + np.arange(logs.size)) * b
        c = 0.5 * (self.h[k] / a) ** 2 / self.plan.increments[k]
        floor = -(self.log_inverse + OMITTED)
        mirrored = self.even and not self._headed(inner)
        half = len(inner.f) // 2 if mirrored else 0
        if float(np.ptp(logs)) < _DENSE * ctx.prec * math.log(2.0):
            pairs = self._spread(k, stage, scaled, unit)[half:]
        else:
            pairs = []
            table, second = self._gaussian(k, 0), [-arb(1)]
            for j in range(half, len(inner.f)):
                distance = index - (inner.first + j) * a
                kept = np.flatnonzero(logs - c * distance * distance + log_weights[j] > floor)
                if not kept.size:
                    pairs.append((arb(0), arb(0)))
                    continue
                low, high = int(kept[0]), int(kept[-1]) + 1
                start = int(distance[low])
                self._longer(k, table, max(abs(start), abs(int(distance[high - 1]))))
                for d in range(len(second), len(table)):
                    second.append(table[d] * (unit * (d * d) - 1))
                pairs.append(
                    (
                        windowed_sum(scaled, table, low, high, start, b),
                        windowed_sum(scaled, second, low, high, start, b),
                    )
                )
        weights = [w * a for w, (a, _) in zip(stage.raw[half:], pairs, strict=True)]
        bent = [w * a for w, (_, a) in zip(stage.raw[half:], pairs, strict=True)]
        d_v = ball_sum(bent)
        if mirrored:
            d_v = 2 * d_v - bent[0]
            weights = weights[:0:-1] + weights
        mean_inner = ball_sum([w * f for w, f in zip(weights, inner.f, strict=True)])
        mean_outer = ball_sum([m * f for m, f in zip(mu, outer.f, strict=True)])
        return weights, d_v / (2 * v * s), (mean_inner - mean_outer) / s

    def _spread(self, k: int, stage: _Stage, scaled: list[arb], unit: arb) -> list[tuple[arb, arb]]:
        """Sums over the outputs of a Gaussian and of its second derivative, for every inner node."""
        inner, outer, (a, b) = stage.inner, stage.outer, stage.steps
        last = (inner.first + len(inner.f) - 1) * a
        ends = outer.first * b, (outer.first + len(outer.f) - 1) * b
        farthest = max(ends[1] - inner.first * a, last - ends[0])
        margin = 2.0 * self.log_inverse + _DENSE * ctx.prec
        reach = min(
            farthest, math.ceil(a * math.sqrt(2.0 * self.plan.increments[k] * margin) / self.h[k])
        )
        table = self._gaussian(k, reach)
        second = [g * (unit * (d * d) - 1) for d, g in enumerate(table)]
        sparse: list[Any] = [0] * ((len(scaled) - 1) * b + 1)
        sparse[::b] = scaled
        moments = [
            (arb_poly(sparse) * arb_poly(side[:0:-1] + side)).coeffs() for side in (table, second)
        ]
        shift = inner.first * a - outer.first * b + reach
        zero = arb(0)
        return [
            (moments[0][n], moments[1][n])
            if 0 <= (n := j * a + shift) < min(map(len, moments))
            else (zero, zero)
            for j in range(len(inner.f))
        ]


def _outputs_of(mu: list[arb], level: _Level) -> list[arb]:
    """Weights of a lifting's outputs, from those of the nodes made of them; see `_Nest._with_head`."""
    if level.first < 0:  # both sides of what has no head any more
        half = len(mu) // 2
        mu = [mu[half], *(2 * m for m in mu[half + 1 :])]
    # all nodes of a head count as the first output, which is flat, too
    own = mu[level.added :]
    own[0] += ball_sum(mu[: level.added])
    return own
