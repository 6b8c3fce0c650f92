"""Panels on which an activation is a polynomial to the last digit, for quadrature.

Smooth pieces of phi are halved until Legendre series of sixteen terms resolve phi, phi' and phi'' on every
panel. That no narrow bump lies between the nodes is seen from enclosures of phi on whole panels, in balls: of
its expression, and where that cancels, as tanh(x) - x does near 0, of Taylor's.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import flint
import numpy as np
import sympy
from flint import arb, arb_series
from numpy.typing import NDArray

from numerics.balls.program import BALLS, exact, printed
from theory.kernels.activations import Activation
from theory.kernels.existence import logistic

__all__ = ["MOST", "NODES", "RANGES", "Mesh", "Panel", "gauss", "mesh", "quadrature_bits"]

Array = NDArray[np.float64]
NODES = 16
BITS = 128
_RESOLVED = 1e-10
"""Of the last Legendre coefficients: those beyond twice the nodes, which quadrature does not see, are
1e-20."""
_UNSEEN = 1e-12
"""Of a bend that nodes do not see, relative to phi over the square of a panel's length."""
MOST = 2000
_SIGMAS = 9.0
"""Standard deviations in the reach, for which panels matter most."""
_FINEST = 2.0**-120

FUNCTIONS: dict[str, Any] = (
    BALLS
    | {name: (lambda x, f=name: getattr(arb(x), f)()) for name in ("sin", "cos", "sinh", "atan")}
    | {"expm1": lambda x: arb(x).expm1()}
)
"""Functions of balls that activations are made of."""


def _increasing(name: str) -> Any:
    def on(x: Any) -> arb:
        f, ball = FUNCTIONS[name], arb(x)
        return f(ball.lower()).union(f(ball.upper()))

    return on


RANGES = FUNCTIONS | {
    name: _increasing(name) for name in ("exp", "log", "tanh", "erf", "atan", "sinh")
}
"""The same where balls are wide."""


_SOFTPLUS = sympy.Function("softplus")
RANGES["softplus"] = lambda x: (
    (1 + arb(x).lower().exp()).log().union((1 + arb(x).upper().exp()).log())
)


def _increasing_sums(expr: sympy.Expr) -> sympy.Expr:
    """Write log(1 + exp(a)) as one function: of a wide ball, exp loses the smaller end."""
    a = sympy.Wild("a")
    return expr.replace(sympy.log(1 + sympy.exp(a)), lambda a: _SOFTPLUS(a), exact=True)


TERMS = 12
"""Of Taylor series of balls."""


def _whole_power(x: Any, index: int) -> Any:
    """A whole power of a series, by products."""
    if index < 0:
        return 1 / _whole_power(x, -index)
    made: Any = arb(1)
    for _ in range(index):
        made = made * x
    return made


def _of_series(name: str, write: Any) -> Any:
    def on(x: Any) -> Any:
        return write(x) if isinstance(x, arb_series) else FUNCTIONS[name](x)

    return on


JETS: dict[str, Any] = (
    FUNCTIONS
    | {
        name: _of_series(name, lambda x, f=name: getattr(x, f)())
        for name in ("sqrt", "log", "exp", "erf", "erfc", "sin", "cos", "atan")
    }
    | {
        "tanh": _of_series("tanh", lambda x: 1 - 2 / ((2 * x).exp() + 1)),
        "sinh": _of_series("sinh", lambda x: (x.exp() - (-x).exp()) / 2),
        "cosh": _of_series("cosh", lambda x: (x.exp() + (-x).exp()) / 2),
        "expm1": _of_series("expm1", lambda x: x.exp() - 1),
        "power": _whole_power,
    }
)
"""The same of Taylor series, from which derivatives are read."""


@dataclass(frozen=True)
class Panel:
    """An interval inside one smooth piece.

    Attributes
    ----------
    lower, upper : flint.arb
    piece : int
    converged : bool
    """

    lower: arb
    upper: arb
    piece: int
    converged: bool = True


@lru_cache(maxsize=2)
def gauss(bits: int = BITS) -> tuple[tuple[arb, arb], ...]:
    """Nodes and weights of Gauss and Legendre on [-1, 1], `NODES` of them."""
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        return tuple(arb.legendre_p_root(NODES, k, weight=True) for k in range(NODES))
    finally:
        flint.ctx.prec = before


@lru_cache(maxsize=1)
def _legendre() -> Array:
    """Values at the nodes to Legendre coefficients."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    x = x[::-1]
    values = np.polynomial.legendre.legvander(x, NODES - 1)
    return (values * w[::-1, None]).T * (np.arange(NODES)[:, None] + 0.5)


class Mesh:
    """The panels of an activation, made as far out as they are asked for.

    Parameters
    ----------
    activation : Activation

    Attributes
    ----------
    reach : float
        How far out panels are.
    crowded : bool
        Whether more would be needed than there may be.
    """

    def __init__(self, activation: Activation) -> None:
        x = activation.symbol
        existence = activation.existence
        self.activation = activation
        self.functions, self._ranges, self._jets = [], [], []
        for (_, _, f), (_, _, slope) in zip(existence.pieces, existence.slopes, strict=True):
            rungs = [logistic(f), slope, logistic(sympy.diff(slope, x))]
            self.functions.append(printed([x], rungs, FUNCTIONS))
            self._ranges.append(printed([x], [_increasing_sums(r) for r in rungs], RANGES))
            self._jets.append(printed([x], rungs[:1], JETS))
        with quadrature_bits():
            self.places = tuple(exact(b) for _, b, _ in existence.pieces[:-1])
        self.reach, self.crowded, self._many = 0.0, False, False
        self._panels: list[Panel] = []

    def panels(self, reach: float) -> list[Panel]:
        """Panels that cover [-reach, reach] and perhaps more, from left to right."""
        if reach > self.reach or (self.crowded and reach < 0.9 * self.reach):
            # as far as need be where they are too many
            self.reach = float(reach if self._many else 2.0 ** np.ceil(np.log2(reach)))
            self.crowded = False
            with quadrature_bits():
                ends = [-arb(self.reach), *self.places, arb(self.reach)]
                self._panels = []
                for i, (a, b) in enumerate(itertools.pairwise(ends)):
                    low, high = max(a, -arb(self.reach)), min(b, arb(self.reach))
                    if bool(low < high):
                        self._panels += self._split(low, high, i)
        return self._panels

    def values(self, panel: Panel) -> tuple[list[arb], list[list[arb]]]:
        """Nodes, and phi, phi' and phi'' at them."""
        middle, half = (panel.lower + panel.upper) / 2, (panel.upper - panel.lower) / 2
        nodes = [middle + half * x for x, _ in gauss()]
        rows = [[arb(v) for v in self.functions[panel.piece](x)] for x in nodes]
        return nodes, [list(column) for column in zip(*rows, strict=True)]

    def ends(self, reach: float) -> list[float]:
        """Ends of panels within [-reach, reach]."""
        made = [float(p.upper.mid()) for p in self.panels(reach)[:-1]]
        return [v for v in made if abs(v) < reach]

    def edge(self, k: float, share: float = 1.0) -> float:
        """Where phi^2 times the normal density of variance k to the power ``share`` has fallen by 1e-18.

        In units of sqrt(k): 9.1 for most functions and a share of 1, more for those that grow fast.
        """
        k = min(max(k, 2.0**-520), 2.0**440)  # of phi nothing changes beyond
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            sizes = np.maximum(np.log(self._sizes[0]), -1e6)
            r = np.geomspace(1e-3, 1e3, 2400) * math.sqrt(k)
            size = 2.0 * np.interp(np.log(r), np.log(self._radii), sizes) * share
            size -= share * r * r / (2.0 * k)
        there = np.flatnonzero(size > size.max() - 41.5)
        return float(r[min(there[-1] + 1, len(r) - 1)]) / math.sqrt(k)

    def _split(self, lower: arb, upper: arb, piece: int) -> list[Panel]:
        done: list[Panel] = []
        todo: list[tuple[float, int, Panel]] = []
        ties = itertools.count()

        def put(low: arb, high: arb) -> None:  # what is given up is narrow, or far out
            near = max(0.0, float(low.mid()), -float(high.mid())) * _SIGMAS / self.reach
            size = float(high - low) * math.exp(-0.5 * near * near)
            heapq.heappush(todo, (-size, next(ties), Panel(low, high, piece)))

        put(lower, upper)
        while todo:
            _, _, panel = heapq.heappop(todo)
            width = panel.upper - panel.lower
            if self._resolves(panel):
                done.append(panel)
            elif len(done) + len(todo) > MOST:
                self.crowded = self._many = True
                done.append(Panel(panel.lower, panel.upper, piece, converged=False))
            elif bool(width < _FINEST) or not _apart(panel):
                done.append(Panel(panel.lower, panel.upper, piece, converged=False))
            else:
                middle = ((panel.lower + panel.upper) / 2).mid()
                put(panel.lower, middle)
                put(middle, panel.upper)
        return sorted(done, key=lambda panel: float(panel.lower.mid()))

    def _resolves(self, panel: Panel) -> bool:
        _, columns = self.values(panel)
        values = np.array([[float(v.mid()) for v in column] for column in columns])
        if not np.isfinite(values).all():
            return False
        sizes = np.abs(values).max(axis=1)
        size = max(panel.lower.abs_upper(), panel.upper.abs_upper())
        least = 1e-24 * self._sizes[:, np.searchsorted(self._radii, float(size), "right") - 1]
        tail = np.abs(_legendre() @ values.T)[-4:].max(axis=0)
        if not (tail <= np.maximum(_RESOLVED * sizes, least) + 1e-290).all():
            return False
        if bool(panel.upper - panel.lower < 2.0**-6) and any(
            bool(end == p) for p in self.places for end in (panel.lower, panel.upper)
        ):
            return True  # a removable singularity has no enclosure
        width = panel.upper - panel.lower
        bound = arb(max(16 * float(sizes[0]), float(least[0])) + 1e-290)

        # what is narrow beside a node's distance shows in the bend, which is compared with itself: a
        # rounded corner is low, and no steeper than what leads up to it
        bent = arb(16 * float(sizes[2])) + float(least[2]) + _UNSEEN * bound / width**2

        def small(value: Any, slope: Any, bend: Any) -> bool:
            steep = width * arb(slope).abs_upper()
            fine = steep <= 4 * bound + width * float(least[1])
            flat = bool(arb(bend).abs_upper() <= bent)
            return bool(arb(value).abs_upper() <= bound) and bool(fine) and flat

        whole = panel.lower.union(panel.upper)
        return small(*self._ranges[panel.piece](whole)) or small(*self._by_taylor(panel, whole))

    def _by_taylor(self, panel: Panel, whole: arb) -> tuple[arb, arb, arb]:
        """Bounds of |phi|, |phi'| and |phi''| on a panel, by Taylor's theorem."""
        middle, half = ((panel.lower + panel.upper) / 2).mid(), (panel.upper - panel.lower) / 2
        made = []
        for centre in (middle, whole):
            try:
                (jet,) = self._jets[panel.piece](arb_series([centre, 1], prec=TERMS))
            except (ValueError, ArithmeticError):  # poles, or logarithms of balls that contain 0
                return arb("inf"), arb("inf"), arb("inf")
            if not isinstance(jet, arb_series):
                jet = arb_series([jet], prec=TERMS)
            if jet.prec < TERMS:  # a remainder that is not there is no remainder of 0
                return arb("inf"), arb("inf"), arb("inf")
            made.append([arb(jet[k]).abs_upper() for k in range(TERMS)])
        sizes = [*made[0][:-1], made[1][-1]]  # the last one is the remainder's
        value, slope, bend = arb(0), arb(0), arb(0)
        for k, size in enumerate(sizes):
            value += size * half**k
            slope += k * size * half ** max(k - 1, 0)
            bend += k * (k - 1) * size * half ** max(k - 2, 0)
        return value, slope, bend

    @cached_property
    def _radii(self) -> Array:
        return 2.0 ** np.concatenate([np.arange(-280.0, -40.0, 4.0), np.arange(-40.0, 240.0, 0.25)])

    @cached_property
    def _sizes(self) -> Array:
        """Largest |phi|, |phi'| and |phi''| seen up to each radius."""
        largest = np.zeros((3, len(self._radii)))
        for j, r in enumerate(self._radii):
            for x in (-arb(r), arb(r)):
                piece = sum(bool(x > p) for p in self.places)
                values = [abs(float(arb(v).mid())) for v in self.functions[piece](x)]
                largest[:, j] = np.fmax(largest[:, j], np.where(np.isfinite(values), values, 0.0))
        return np.maximum.accumulate(largest, axis=1)

    @cached_property
    def converged(self) -> bool:
        """Whether every panel is."""
        return all(p.converged for p in self._panels)


def _apart(panel: Panel) -> bool:
    """Whether doubles of twice the precision tell the ends from each other."""
    size = max(panel.lower.abs_upper(), panel.upper.abs_upper())
    return bool(panel.upper - panel.lower > size * 2.0**-90)


class quadrature_bits:
    """FLINT's precision for quadrature, and as many terms of its series as remainders need."""

    def __enter__(self) -> None:
        self.before, flint.ctx.prec = flint.ctx.prec, BITS
        self.cap, flint.ctx.cap = flint.ctx.cap, TERMS

    def __exit__(self, *_: object) -> None:
        flint.ctx.prec, flint.ctx.cap = self.before, self.cap


@lru_cache(maxsize=32)
def mesh(activation: Activation) -> Mesh:
    """Return the panels of an activation."""
    return Mesh(activation)
