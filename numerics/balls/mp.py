"""The lifted Gaussian expectation in mpmath: the independent route to many digits.

Nothing is shared with `numerics.balls.nest` but the plan of the grids: functions, sums and windows
are written for mpmath, leaves are printed for it from theory's expressions, and errors are not
tracked. Asked for other spacings and windows, it agrees with the balls to the digits asked for or
something is wrong with either. The value only: at a stationary point it is what matters, and its
error is of second order in that point's.

Cost: of order ``D`` products per output, in pure Python; some ten times that of the balls.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from numerics.functionals.parts import parts_of
from numerics.nests.leaf import CompiledLeaf
from numerics.nests.recognise import stable_form
from theory import FreeEnergy

from .plan import BallGrid, Plan, plan
from .program import plain_form, printed

__all__ = ["evaluate_mp", "evaluate_mp_nest"]


def _phi(b: Any) -> Any:
    return mpmath.erfc(-b / mpmath.sqrt(2)) / 2


def _erf_mean(a: Any, b: Any) -> Any:
    if a < 0:
        return (mpmath.erfc(-a) - mpmath.erfc(b)) / 2
    if b < 0:
        return (mpmath.erfc(-b) - mpmath.erfc(a)) / 2
    return 1 - (mpmath.erfc(a) + mpmath.erfc(b)) / 2


_MP: dict[str, Any] = {
    name: getattr(mpmath, name)
    for name in ("sqrt", "log", "exp", "erf", "erfc", "cosh", "tanh", "mpf")
} | {"pi": lambda: +mpmath.pi, "Phi": _phi, "ErfMean": _erf_mean}
_MP |= {
    "LogNdtr": lambda b: mpmath.log(_phi(b)),
    "LogErfMean": lambda a, b: mpmath.log(_erf_mean(a, b)),
    "LogTwoCosh": lambda u: mpmath.log(2 * mpmath.cosh(u)),
    "LogAddExp": lambda a, b: a + mpmath.log1p(mpmath.exp(b - a)),
    "InverseMills": lambda x: mpmath.npdf(x) / _phi(x),
}


def evaluate_mp_nest(
    leaf: Callable[..., Any],
    compiled: CompiledLeaf,
    inputs: Sequence[Any],
    depth: int,
    grid: BallGrid,
) -> Any:
    """Value of a nest in the working precision of mpmath.

    Parameters
    ----------
    leaf : callable
        Of the field and the leaf's parameters, in mpmath.
    compiled : CompiledLeaf
        The same in doubles, for the plan.
    inputs : sequence of mpf
        Field, increments, exponents, leaf parameters, as for `numerics.balls.nest.evaluate_ball_nest`.
    depth : int
    grid : BallGrid

    Returns
    -------
    mpf

    Raises
    ------
    ResolutionError
        If a grid would need too many nodes.
    """
    x, v, s = inputs[0], inputs[1 : 1 + depth], inputs[1 + depth : 1 + 2 * depth]
    own = inputs[1 + 2 * depth :]
    numbers = np.array([float(a) for a in own])
    laid = plan(
        compiled, numbers, float(x), tuple(map(float, v)), tuple(map(float, s)), grid, nested=True
    )
    unit = mpmath.ldexp(mpmath.mpf(1), -laid.power)
    first, last = laid.leaf_interval(compiled, numbers)
    start = 0 if laid.even else first
    f = [leaf(unit * (laid.multiples[0] * j), *own)[0] for j in range(start, last + 1)]
    f = f[:0:-1] + f if laid.even else f
    for k in range(depth - 1):
        f, first = _lifted(laid, k, f, first, v[k], s[k], unit)
    h = unit * laid.multiples[-1]
    norm = h / mpmath.sqrt(2 * mp.pi * v[-1])
    offsets = [h * (first + j) - x for j in range(len(f))]
    if s[-1] == 0:
        return norm * mp.fdot(f, [mp.exp(-u * u / (2 * v[-1])) for u in offsets])
    ref = f[laid.tallest([float(a) for a in f], first)]
    total = mp.fsum(
        mp.exp(s[-1] * (a - ref) - u * u / (2 * v[-1])) for a, u in zip(f, offsets, strict=True)
    )
    return ref + mp.log(norm * total) / s[-1]


def _lifted(
    laid: Plan, k: int, f: list[Any], first: int, v: Any, s: Any, unit: Any
) -> tuple[list[Any], int]:
    """One lifting on its grid: values and first node."""
    _, ratio = laid.steps(k)
    h = unit * laid.multiples[k]
    norm = h / mpmath.sqrt(2 * mp.pi * v)
    rough = np.array([float(a) for a in f])
    middle = laid.tallest(list(rough), first)
    ref = f[middle]
    weights = [mp.exp(s * (a - ref)) for a in f]
    index = first + np.arange(len(f))
    c = 0.5 * laid.spacings[k] ** 2 / laid.increments[k]
    margin = laid.grid.log_inverse + math.log(len(f)) + 5.0
    table = _Fixed([])
    terms = _Fixed(weights)
    scale = -(h * h) / (2 * v)
    values: dict[int, Any] = {}
    best = -math.inf
    for direction in laid.outputs(k + 1, round((first + middle) / ratio)):
        for i in direction:
            distance = index - i * ratio
            a = laid.exponents[k] * rough - c * distance * distance
            kept = np.flatnonzero(a >= a.max() - margin)
            low, high = int(kept[0]), int(kept[-1]) + 1
            ends = int(distance[low]), int(distance[high - 1])
            known = len(table.mantissas)
            missing = max(abs(ends[0]), abs(ends[1])) + 1 - known
            if missing > 0:
                more = range(known, known + max(missing, known // 4))
                table.extend([mp.exp(scale * (d * d)) for d in more])
            value = ref + mp.log(norm * terms.dot(low, high, table, ends[0])) / s
            if float(value) < best - laid.drop(k + 1):
                break
            best = max(best, float(value))
            values[i] = value
    begin, end = min(values), max(values)
    out = [values[i] for i in range(begin, end + 1)]
    return (out[:0:-1] + out, -end) if laid.even else (out, begin)


class _Fixed:
    """Positive numbers as integers of one length and their exponents, for sums of products."""

    def __init__(self, numbers: Sequence[Any]) -> None:
        self.mantissas: list[int] = []
        self.exponents = np.empty(0, dtype=np.int64)
        self.extend(numbers)

    def extend(self, numbers: Sequence[Any]) -> None:
        """Put more at the end."""
        exponents = []
        for number in numbers:
            _, mantissa, exponent, length = number._mpf_
            shift = mp.prec - length
            self.mantissas.append(mantissa << shift if shift > 0 else mantissa >> -shift)
            exponents.append(exponent - shift)
        self.exponents = np.concatenate((self.exponents, np.array(exponents, dtype=np.int64)))

    def dot(self, low: int, high: int, table: _Fixed, start: int) -> Any:
        """Sum of number[n] table[|start + n - low|] for low <= n < high, to the working precision."""
        left = min(max(-start, 0), high - low)
        right = max(start, 0)
        count = high - low - left
        there = (
            table.mantissas[-start : -start - left : -1] if -start - left >= 0 and left else []
        ) + table.mantissas[right : right + count]
        places = np.abs(np.arange(start, start + high - low))
        exponents = self.exponents[low:high] + table.exponents[places]
        base = int(exponents.max())
        # what lies far below the largest product is shifted away; 20 bits guard the sum
        shifts = np.minimum(base - exponents + mp.prec - 20, 4 * mp.prec).tolist()
        products = map(operator.mul, self.mantissas[low:high], there)
        total = sum(map(operator.rshift, products, shifts))
        return mpmath.ldexp(mpmath.mpf(total), base + mp.prec - 20)


@lru_cache(maxsize=16)
def _program(fe: FreeEnergy) -> tuple[list[Any], Callable[..., Any]]:
    """Nests (leaf, compiled leaf, inputs, depth) and the algebra around them, for mpmath."""
    parts = parts_of(fe)
    nests = []
    for nest in parts.nests:
        (h,) = nest.leaf.variables
        leaf = printed([h, *nest.own], [plain_form(stable_form(nest.leaf.expr, h))], _MP)
        nests.append((leaf, nest.compiled, printed(parts.arguments, nest.inputs, _MP), nest.depth))
    combine = printed([*parts.arguments, *parts.stand_ins], parts.outputs[:1], _MP)
    return nests, combine


def evaluate_mp(
    fe: FreeEnergy,
    gaps: Sequence[Any],
    values: dict[str, Any],
    grid: BallGrid,
    lost: Sequence[int],
) -> Any:
    """Value of a free energy with symbolic parameters, in the working precision of mpmath.

    Parameters
    ----------
    fe : theory.FreeEnergy
        With symbolic model parameters.
    gaps : sequence of mpf
        See `numerics.functionals.coordinates`.
    values : dict of str to mpf
        The model's parameters.
    grid : BallGrid
    lost : sequence of int
        Decimal digits by which the nests are smaller than 1, to which digits are relative.

    Returns
    -------
    mpf
    """
    nests, combine = _program(fe)
    own = [values[str(x)] for x in parts_of(fe).parameters]
    results = []
    for (leaf, compiled, inputs, depth), extra in zip(nests, lost, strict=True):
        digits = grid.digits + extra
        numbers = [mpmath.mpf(a) for a in inputs(*gaps, *own)]
        results.append(
            evaluate_mp_nest(
                leaf, compiled, numbers, depth, BallGrid(digits, grid.coarsen, grid.narrow)
            )
        )
    return mpmath.mpf(combine(*gaps, *own, *results)[0])
