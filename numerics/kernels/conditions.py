"""What an equilibrium model needs to exist, as numbers."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flint import arb

from numerics.balls.program import printed
from numerics.errors import DivergenceError
from numerics.kernels.series.mesh import RANGES, mesh, quadrature_bits
from theory.kernels.activations import Activation

__all__ = ["ConditionReport", "lipschitz_constant"]

_WORDS = {
    "kernel": "existence and contraction of the kernel map, |dk'/dk| < 1",
    "equilibrium": "well-posedness of the finite-width equilibrium, sigma_w Lip(phi) < 1",
    "stability": "stability at correlation 1, chi = sigma_w^2 E phi'(u)^2 < 1",
}


@dataclass(frozen=True)
class ConditionReport:
    """The three conditions of an equilibrium model, as numbers; each needs its value below 1.

    Attributes
    ----------
    kernel : float
        Largest |derivative| of the diagonal map at its fixed points: existence and contraction.
    equilibrium : float
        sigma_w Lip(phi), the limit of the spectral radius of W times Lip(phi): well-posedness at finite
        width.
    stability : float
        Largest chi = sigma_w^2 E phi'(u)^2: stability at correlation 1.
    operator_norm : float
        2 sigma_w Lip(phi), the limit of ||W|| Lip(phi); below 1 it is sufficient for ``equilibrium`` in
        the Euclidean norm too. Reported, not required.
    """

    kernel: float
    equilibrium: float
    stability: float
    operator_norm: float

    def failures(self) -> list[str]:
        """What fails, in words with numbers."""
        reasons = []
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if not value < 1.0:
                by = f"it is {value:.6g}, {value - 1.0:.3g} too much"
                if not np.isfinite(value):
                    by = (
                        "there is no fixed point"
                        if name == "kernel"
                        else "it is not bounded, or no bound is found"
                    )
                reasons.append(f"{name} ({words}): {by}")
        return reasons

    def refuse(self, activation: str) -> None:
        """Raise if a condition fails.

        Raises
        ------
        DivergenceError
            Saying which, by how much, and what holds.
        """
        failures = self.failures()
        if not failures:
            return
        holds = [f"{n} holds, {getattr(self, n):.4g}" for n in _WORDS if getattr(self, n) < 1.0]
        raise DivergenceError(
            f"no equilibrium model with phi = {activation}: {'; '.join([*failures, *holds])}. "
            "Make sigma_w smaller"
        )


_PARTS = 8000
_FAR = 2.0**1000


@lru_cache(maxsize=64)
def lipschitz_constant(activation: Activation) -> float:
    """Sup |phi'| as a number, never too small.

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    float
        From theory where it is derived; otherwise an upper bound, close to it where phi' has limits at
        infinity.
        Infinity where the slope is not bounded, or no bound is found.

    Notes
    -----
    Intervals are halved, those with the largest enclosures of |phi'| in balls first, until the largest
    enclosure is within 1e-9 of the largest value seen, or stays within 1e-3 of it. Far out the limits of phi'
    count, or enclosures of what oscillates.
    """
    exact = activation.lipschitz
    if exact is not None:
        return (
            float(exact)
            if exact.is_Rational or exact.is_infinite
            else float(exact) * (1.0 + 2.0**-50)
        )
    existence = activation.existence
    limits = existence.slope_limits[0][0], existence.slope_limits[-1][1]
    largest = max([0.0, *(abs(float(v)) for v in limits if v is not None)])
    with quadrature_bits():
        outer = [arb(_FAR if v is None else 2.0**40) for v in limits]
        ends = [-outer[0], *mesh(activation).places, outer[1]]
        for (_, _, slope), a, b in zip(existence.slopes, ends, ends[1:], strict=False):
            evaluate = printed([activation.symbol], [slope], RANGES)
            largest = max(
                largest, _supremum(lambda x, f=evaluate: abs(arb(f(x)[0])), a, b, largest)
            )
    return largest


def _supremum(size: Callable[[arb], arb], lower: arb, upper: arb, least: float) -> float:
    """Upper bound of a function of balls on an interval, if it is above ``least``."""
    best, count = least, 0
    heap: list[tuple[float, int, arb, arb]] = []

    def push(a: arb, b: arb) -> None:
        nonlocal best, count
        here, bound = size(((a + b) / 2).mid()), size(a.union(b)).upper()
        if here.is_finite():
            best = max(best, float(here.lower()))
        count += 1
        top = float(bound) if bound.is_finite() else math.inf
        if not bound.is_finite() and bool(b - a < 2.0**-40):
            # the end of a piece, where phi' has a limit that enclosures do not see
            top = best * (1.0 + 1e-6)
        heapq.heappush(heap, (-top, count, a, b))

    ends = _dyadic(lower, upper)
    for a, b in itertools.pairwise(ends):
        push(a, b)
    while count < _PARTS and -heap[0][0] > best * (1.0 + 1e-9) + 1e-300:
        _, _, a, b = heapq.heappop(heap)
        middle = ((a + b) / 2).mid()
        push(a, middle)
        push(middle, b)
    top = max(-heap[0][0], best)
    return top if top <= min(2.0 * best, 1e100) else math.inf


def _dyadic(lower: arb, upper: arb) -> list[arb]:
    """Ends of intervals that grow with the distance from 0."""
    made = {lower, upper, arb(0)}
    places = [arb(sense * 2.0**power) for power in range(-10, 41) for sense in (1, -1)]
    made |= {p for p in places if bool(lower < p) and bool(p < upper)}
    inside = [p for p in made if not bool(p < lower) and not bool(p > upper)]
    return sorted(inside, key=float)
