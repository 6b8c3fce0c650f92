"""What the sum of a lifting does not know of its own error, and is added to its ball.

- the trapezoid rule's error, ``2/(exp(2 pi a/h - (1/v + s g) a^2/2) - 1)`` relative, with the strips of
  `numerics.nests.grids`. They are proved for sums of exponentials ("cone") and log-concave leaves;
  of other leaves the curvature is found by looking, and the bound is as good as that
  (`BallValue.proved`);
- the nodes beyond the last one, summed in closed form: f grows at most with its outward slope b there, and
  ``sum h phi_v(y - x) exp(s f(y)) <= exp(s f(Y) + s b (x - Y) + (s b)^2 v/2) Phi(-(Y - x - s b v)/sqrt v)``;
- the nodes outside of an output's window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from flint import arb

from .numbers import float_of
from .plan import SHARE, Plan

__all__ = ["OMITTED", "LiftingError", "between", "node"]

#: Weights left out of a sum are below exp(-OMITTED) of the tolerance, together.
OMITTED = 5.0

Around = Callable[[arb, arb], arb]


def node(plan: Plan, k: int, index: int) -> arb:
    """Field of a node of f_k, exactly."""
    return arb(plan.multiples[k] * index) * arb(2) ** -plan.power


@dataclass(frozen=True)
class LiftingError:
    """The error of one lifting.

    Attributes
    ----------
    plan : Plan
    k : int
        Its index.
    v, s : flint.arb
        Its increment and exponent.
    """

    plan: Plan
    k: int
    v: arb
    s: arb

    @property
    def h(self) -> arb:
        """Spacing of the nodes."""
        return node(self.plan, self.k, 1)

    @property
    def norm(self) -> arb:
        """Weight of a node at the output."""
        return self.h / (2 * arb.pi() * self.v).sqrt()

    def trapezoid(self) -> arb:
        """Relative error of the trapezoid rule, proved where the strips are."""
        strip, v, s = self.plan.strips[self.k], self.v, self.s
        bend = 1 / v + s * arb(strip.curvature)
        spacing = self.plan.spacings[self.k]
        shift = min(strip.half_width, 2.0 * math.pi / (spacing * float_of(bend)))
        a = arb(shift)
        power = 2 * arb.pi() * a / self.h - bend * a * a / 2
        if not power > 0:
            return arb(0, math.inf)
        size = 2 / (power.exp() - 1)
        if s.is_zero():
            size *= 1 + arb(strip.curvature) * a * a / 2
        return arb(0, size.upper())

    def around(self, f: list[arb], first: int, ref: arb, headed: bool = False) -> Around:
        """What adds to Z of an output, given its sum and its field, everything that the sum does not know.

        Parameters
        ----------
        f : list of flint.arb
            The inner function at its nodes.
        first : int
            The first of them.
        ref : flint.arb
            The value that weights are relative to.
        headed : bool
            Whether f is flat before its first node (`numerics.nests.chain`), not cut.
        """
        v, s, norm = self.v, self.s, self.norm
        # nodes left out of a sum, and the rounding of the doubles that decided it
        omitted = arb(0, math.e) * (-arb(self.plan.grid.log_inverse + OMITTED)).exp()
        error = self.trapezoid() + omitted
        ends = []
        for side, index, at, next_to in ((-1, first, 0, 1), (1, first + len(f) - 1, -1, -2)):
            slope = arb(self.plan.shape.slopes[(1 + side) // 2]) * (1 + arb(SHARE))
            before = f[next_to] if len(f) > 1 else f[at]
            y = node(self.plan, self.k, index)
            ends.append((side, y, f[at], (f[at] - before) / self.h, slope))
        if s.is_zero():

            def quenched(z: arb, x: arb) -> arb:
                beyond = [
                    self._quenched_tail(side * (y - x), value, inward, slope)
                    for side, y, value, inward, slope in ends
                ]
                return z + z * error + arb(0, (beyond[0] + beyond[1]).upper())

            return quenched
        tails = []
        for side, y, value, _, slope in ends:
            tilt = s * slope
            weight = (s * (value - ref)).exp()
            if side < 0 and headed:  # up to the top, by less than this
                weight *= 2
            tails.append((side, y, weight, tilt, tilt * tilt * v / 2, tilt * v))
        twice = 2 * v

        def annealed(z: arb, x: arb) -> arb:
            beyond = arb(0)
            for side, y, weight, tilt, constant, shifted in tails:
                distance = side * (y - x)
                away = distance - shifted
                # Phi(-t) <= exp(-t^2/2)/2; the sum of a Gaussian over any nodes is at most 1 + norm
                size = (-away * away / twice).exp() / 2 if away > 0 else 1 + norm
                if not tilt.is_zero():
                    size *= (constant - tilt * distance).exp()
                beyond += weight * size
            return z + z * error + between(beyond)

        return annealed

    def _quenched_tail(self, distance: arb, f: arb, inward: arb, growth: arb) -> arb:
        """Bound of E |f| beyond an end: |f| <= |f_Y| + b t + g t^2/2 at distance t from it."""
        v = self.v
        bend = arb(min(self.plan.strips[self.k].curvature, 1e300))
        rate = abs(inward) + bend * self.h + growth
        if not distance > 0:
            return arb(math.inf)
        density = (-distance * distance / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()
        tail = (distance / (2 * v).sqrt()).erfc() / 2
        # int_0^oo t^n phi(distance + t) dt <= n! (v/distance)^(n+1) density; the sum over nodes is no
        # larger where t^n phi falls, and at most norm times its maximum more where it does not
        step = v / distance
        moments = tail, density * step * step, 2 * density * step * step * step
        size = abs(f) * moments[0] + rate * moments[1] + bend * moments[2] / 2
        return size + self.norm * density * (rate * step + bend * step * step) * 2


def between(size: arb) -> arb:
    """The ball from 0 to a non-negative bound."""
    upper = size.upper()
    if upper.is_zero():
        return arb(0)
    half = upper / 2
    return arb(half, half)
