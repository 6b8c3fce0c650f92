"""The small-margin constant, proved: a global maximum by bisection in balls.

C = 2 sqrt(max_t M(t)) with M(t) = -t^2 log erf(t/sqrt 2), which theory derives. For t < a, ``erf(x) >=
(2/sqrt pi) x exp(-x^2)`` gives ``M <= t^2 (t^2/2 - log(sqrt(2/pi) t))``, increasing for t < 1/2; for t > b >=
sqrt 2, ``-log erf <= erfc/erf`` and ``erfc(x) <= exp(-x^2)`` give ``M <= t^2 exp(-t^2/2)/erf(b/sqrt 2)``,
decreasing. On [a, b] intervals are bisected until M' has a sign on them or M is below what is attained; those
that are left touch, and M'' < 0 on their union: there the maximum is the one zero of M', which Newton's
method in intervals encloses.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from flint import arb, ctx

from numerics.balls.program import in_balls
from numerics.errors import EnclosureError
from theory.thresholds.asymptotics import small_kappa_constant

__all__ = ["small_margin_ball"]

_ENDS = "0.05", "7"

Function = Callable[[arb], list[arb]]


def small_margin_ball(digits: int) -> arb:
    """Enclose C = 1.2385.. to so many digits.

    Raises
    ------
    EnclosureError
        If the maximum could not be isolated in the precision.
    """
    constant = small_kappa_constant()
    t, objective = constant.t, constant.objective
    first, second = sympy.diff(objective, t), sympy.diff(objective, t, 2)
    m, slope, bend = (in_balls([t], [e]) for e in (objective, first, second))
    with ctx.workdps(digits + 15):
        rough = arb(str(_rough(slope)))
        attained = m(rough)[0].lower()
        low, high = (arb(end) for end in _ENDS)
        root = (arb(2) / arb.pi()).sqrt()
        left = low * low * (low * low / 2 - (root * low).log())
        right = high * high * (-high * high / 2).exp() / (high / arb(2).sqrt()).erf()
        if not (left < attained and right < attained):
            raise EnclosureError("the tails of M are not below its maximum")
        kept = _bisected(low, high, m, slope, bend, attained)
        box = kept[0]
        for other in kept[1:]:
            box = box.union(other)
        if not (bend(box)[0] < 0 and slope(box.lower())[0] > 0 and slope(box.upper())[0] < 0):
            raise EnclosureError("the maximum of M could not be isolated")
        for _ in range(digits.bit_length() + 6):  # doubles its digits
            middle = arb(box.mid())
            box = (middle - slope(middle)[0] / bend(box)[0]).intersection(box)
        return 2 * m(box)[0].sqrt()


def _bisected(
    low: arb, high: arb, m: Function, slope: Function, bend: Function, attained: arb
) -> list[arb]:
    """Intervals that may hold the maximum: M not below what is attained, M' of no sign."""
    pending, kept = [low.union(high)], []
    while pending:
        box = pending.pop()
        value, rises = m(box)[0], slope(box)[0]
        if value < attained or rises > 0 or rises < 0:
            continue
        if box.rad() < 0.01 and bend(box)[0] < 0:
            kept.append(box)
            continue
        if box.rad() < 1e-9:
            raise EnclosureError("an interval around the maximum of M could not be decided")
        middle = arb(box.mid())
        pending += [box.lower().union(middle), middle.union(box.upper())]
    return sorted(kept, key=lambda box: float(box.mid()))


def _rough(slope: Function) -> float:
    """The maximum, near enough."""
    a, b = 0.5, 2.0
    for _ in range(50):
        c = 0.5 * (a + b)
        a, b = (c, b) if slope(arb(c))[0] > 0 else (a, c)
    return a
