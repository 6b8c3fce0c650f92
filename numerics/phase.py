"""Order and chaos of deep perceptrons: fixed points of the recursion over (sigma_w, sigma_b)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

from theory.activations import Activation
from theory.duals import DELTA, DET, SIGMA, Dual, dual
from theory.ladder import K1, K2, C

from .kernel_code import has_module, kernel_module, uses_power_loops

__all__ = ["PhaseDiagram", "phase_diagram"]

Array = NDArray[np.float64]
ITERATIONS = 4000
SMALL = 1e-12
"""Least sigma_b^2: without a bias the variance may vanish, and with it all correlations."""


@dataclass(frozen=True)
class PhaseDiagram:
    """Fixed points over a grid; all arrays have shape (len(sigma_b), len(sigma_w)).

    Attributes
    ----------
    activation : str
    sigma_w, sigma_b : ndarray
    variance : ndarray
        k*, the fixed point of k = sigma_w^2 D(k) + sigma_b^2; NaN where the variance diverges.
    chi : ndarray
        sigma_w^2 E phi'(u)^2 at k*: below 1 order, above 1 chaos, 1 the edge.
    correlation : ndarray
        The stable fixed point of the correlation of two inputs, 1 in the ordered phase.
    length : ndarray
        Layers over which a correlation decays to it by a factor e, -1/log of the slope there.
    """

    activation: str
    sigma_w: Array
    sigma_b: Array
    variance: Array
    chi: Array
    correlation: Array
    length: Array


def phase_diagram(
    activation: str | Expr | Activation,
    sigma_w: Sequence[float] | NDArray[np.float64],
    sigma_b: Sequence[float] | NDArray[np.float64],
    *,
    progress: Callable[[float], Any] | None = None,
) -> PhaseDiagram:
    """Find the fixed points of a perceptron's recursion on a grid.

    Parameters
    ----------
    activation : str, sympy.Expr or Activation
        With a closed dual, or a mixture of such.
    sigma_w, sigma_b : sequence of float
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    ValueError
        For an activation whose D is known as a series only.

    Notes
    -----
    The variance by Newton's method inside a bracket; the correlation by the recursion itself, whose
    positive slope makes it monotone in the correlation, from 0.5 upwards or downwards.
    """
    found = dual(activation)
    if not has_module(found):
        raise ValueError(f"a phase diagram needs a closed dual, and {found.activation} has none")
    pair = _pair(found)
    shape = (len(sigma_b), len(sigma_w))
    out = [np.full(shape, math.nan) for _ in range(4)]
    for i, b in enumerate(sigma_b):
        for j, w in enumerate(sigma_w):
            k = _variance(found, w * w, b * b)
            if not k < 1e100:
                continue
            out[0][i, j] = k
            out[1][i, j] = w * w * pair(k, k, 0.0)[1]
            out[2][i, j], slope = _correlation(pair, k, w * w, max(b * b, SMALL))
            slope = min(max(abs(slope), 1e-300), 1.0)
            out[3][i, j] = -1.0 / math.log(slope) if slope < 1.0 else math.inf
        if progress is not None:
            progress((i + 1) / len(sigma_b))
    return PhaseDiagram(
        str(found.activation), np.asarray(sigma_w, float), np.asarray(sigma_b, float), *out
    )


Pair = Callable[[float, float, float], tuple[float, float]]


def _pair(found: Dual) -> Pair:
    """D and D' at equal variances, from k, k12 and k - k12."""
    if found.is_closed:
        stable = [
            found.moment(i, i)
            .stable.doit()
            .subs(K2, K1)
            .subs({DELTA: 2 * K1 - 2 * C, SIGMA: 2 * K1 + 2 * C})
            for i in (0, 1)
        ]
        return _guarded(sympy.lambdify((K1, C, DET), stable, "math"))
    module = kernel_module(found)

    def mixed(k: float, c: float, gap: float) -> tuple[float, float]:
        return module.pair(k, k, c, gap * (k + c), 2 * gap, 2 * (k + c))

    return mixed


def _guarded(function: Callable[..., Any]) -> Pair:
    def closed(k: float, c: float, gap: float) -> tuple[float, float]:
        try:
            value, slope = function(k, c, gap * (k + c))
        except (ZeroDivisionError, OverflowError):
            return function(k, c, 1e-280)[0] if k > 0 else 0.0, math.inf
        return value, slope

    return closed


def _variance(found: Dual, w2: float, b2: float) -> float:
    module = kernel_module(found)
    if uses_power_loops(found):
        rate = w2 * module.NORM
        if found.degree == 1:
            return b2 / (1.0 - rate) if rate < 1.0 else math.inf
        return rate + b2 if found.degree == 0 else math.inf
    made = [np.empty(1) for _ in range(4)]
    module.solve_diagonal(np.array([max(b2, SMALL)]), w2, *made)
    return float(made[0][0])


def _correlation(pair: Pair, k: float, w2: float, b2: float) -> tuple[float, float]:
    if k <= 0.0:
        return 1.0, w2 * pair(1e-12, 1e-12, 0.0)[1]
    c = 0.5 * k
    slope = 0.0
    for _ in range(ITERATIONS):
        value, slope = pair(k, c, k - c)
        new = min(w2 * value + b2, k)
        slope *= w2
        if abs(new - c) <= 1e-10 * k:
            c = new
            break
        c = new
    return c / k, slope
