"""D, the slope and their derivatives of pairs that a series does not reach, for optimisers.

Nearly parallel inputs of large variance take quadrature in two dimensions, a millisecond or more each. D is
analytic in the logarithms of both variances and of the distance of the correlation from its end, so that
Chebyshev polynomials in these three stand for all pairs: of a few hundred values where the variances are
alike, whatever the number of pairs is. Where phi is a mixture of error functions, values are sums of closed
forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from numerics.kernels.loops.functions import functions
from numerics.kernels.loops.quadrature import quadratures
from theory.calculus.price import K1, K2, C
from theory.kernels.activations import Activation
from theory.kernels.mixtures import A, B, Mixture, mixture
from theory.kernels.moments import DELTA, DET, SIGMA

from .mixture_nodes import mixture_nodes

__all__ = ["ACCURACY", "Between", "between"]

Array = NDArray[np.float64]
_Values = Callable[[Array, Array, Array, float], Array]
ACCURACY = 1e-9
"""Of the polynomials, relative to sqrt(D D)."""
_STRIP = math.pi
"""Imaginary parts, in logarithms, below which D is taken for analytic; last terms say whether it is."""
_PANEL = 64.0
"""Distances of the correlation from its end that one polynomial is for: their largest ratio."""
_CLOSE = 1e-14
"""Distances that count as this one."""
_LEAST = 0.01
_DIRECT = 7
"""Values of a pair on its own, for central differences in all three."""
_STEP = 2.0**-9
_CHUNK = 4096
"""Pairs at a time."""


@dataclass(frozen=True)
class Between:
    """What `numerics.kernels.series.jet.Jet` holds, of some pairs; and an estimate of polynomials' errors."""

    value: Array
    slope: Array
    value_rho: Array
    slope_rho: Array
    value_one: Array
    slope_one: Array
    value_two: Array
    slope_two: Array
    error: float


def between(activation: Activation, one: Array, two: Array, rho: Array) -> Between:
    """Evaluate pairs.

    Parameters
    ----------
    activation : Activation
        Whose derivative is square integrable.
    one, two : ndarray, shape (n,)
        Variances, positive.
    rho : ndarray, shape (n,)
        Correlations; not 0.

    Returns
    -------
    Between
    """
    own = _values(activation, float(max(one.max(), two.max())))
    made = np.empty((8, len(one)))
    error = 0.0
    gap = np.maximum(1.0 - np.abs(rho), _CLOSE)
    panel = np.floor((np.log(gap) - math.log(gap.max())) / math.log(_PANEL)).astype(int)
    for sense in (1.0, -1.0):
        for number in np.unique(panel[rho * sense > 0.0]):
            some = (panel == number) & (rho * sense > 0.0)
            made[:, some], off = _panel(own, one[some], two[some], sense, gap[some])
            error = max(error, off)
    return Between(*made, error=error)


def _panel(own: _Values, one: Array, two: Array, sense: float, gap: Array) -> tuple[Array, float]:
    """Pairs of one sign, and gaps of one panel."""
    logs = np.log(one), np.log(two), np.log(gap)
    spans = _span(*logs[:2]), _span(logs[2])
    counts = tuple(_count(span[1]) for span in spans)
    if _DIRECT * len(one) > counts[0] ** 2 * counts[1]:
        table, off = _table(own, spans, counts, sense)
        if off <= 100.0 * ACCURACY:
            return _interpolated(table, spans, logs, sense), off
    return _directly(own, logs, sense), 0.0


def _span(*values: Array) -> tuple[float, float]:
    """Centre and half-width."""
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    return 0.5 * float(low + high), max(0.5 * float(high - low), _LEAST)


def _count(width: float) -> int:
    """Terms for `ACCURACY`, by Bernstein's ellipse."""
    y = _STRIP / width
    return math.ceil(-math.log(ACCURACY) / math.log(y + math.sqrt(1.0 + y * y))) + 1


def _values(activation: Activation, largest: float) -> _Values:
    """D and the slope, shape (2, n), at variances, gaps, and a sign of the correlation."""
    source = mixture(activation)
    if source is not None:
        return _of_mixture(source)
    own = functions(activation, "limit").packed(largest)

    def by_quadrature(one: Array, two: Array, gap: Array, sense: float) -> Array:
        out = np.empty((2, len(one)))
        quadratures(own, one, two, sense * (1.0 - gap), gap, out)
        return out

    return by_quadrature


@lru_cache(maxsize=16)
def _of_mixture(source: Mixture) -> _Values:
    scales, weights = (np.array(v, dtype=float) for v in mixture_nodes(16))
    exprs = [source.moment(n, n).stable for n in (0, 1)]
    evaluate = sympy.lambdify(
        (K1, K2, C, DET, DELTA, SIGMA, A, B), exprs, ["scipy", "numpy"], cse=True
    )
    a, b = (v[:, None] for v in (np.repeat(scales, len(scales)), np.tile(scales, len(scales))))
    masses = np.outer(weights, weights).ravel()

    def by_mixture(one: Array, two: Array, gap: Array, sense: float) -> Array:
        out = np.empty((2, len(one)))
        for start in range(0, len(one), _CHUNK // 16):
            part = slice(start, start + _CHUNK // 16)
            k, o, t = one[part], two[part], gap[part]
            edge = np.sqrt(k * o)
            away = (np.sqrt(k) - np.sqrt(o)) ** 2
            apart = away + 2.0 * edge * t, away + 2.0 * edge * (2.0 - t)
            delta, sigma = apart if sense > 0.0 else apart[::-1]
            with np.errstate(all="ignore"):
                made = evaluate(
                    k, o, sense * (1.0 - t) * edge, edge**2 * t * (2.0 - t), delta, sigma, a, b
                )
            for row, values in enumerate(made):
                out[row, part] = masses @ np.broadcast_to(values, (len(masses), len(k)))
        return out

    return by_mixture


def _at(own: _Values, logs: tuple[Array, ...], sense: float) -> Array:
    one, two, gap = (np.exp(v.ravel()) for v in logs)
    return own(one, two, gap, sense)


def _table(
    own: _Values, spans: tuple[tuple[float, float], ...], counts: tuple[int, ...], sense: float
) -> tuple[Array, float]:
    """Chebyshev coefficients of D and of the slope, shape (2, m, m, gaps); and the last ones, relative."""
    m, gaps = counts
    nodes = [np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in counts]
    (centre, width), (middle, half) = spans
    k, gap = centre + width * nodes[0], middle + half * nodes[1]
    rows, columns = np.triu_indices(m)
    at = (
        np.repeat(k[rows][:, None], gaps, axis=1),
        np.repeat(k[columns][:, None], gaps, axis=1),
        np.repeat(gap[None, :], len(rows), axis=0),
    )
    values = np.empty((2, m, m, gaps))
    some = _at(own, at, sense).reshape(2, len(rows), gaps)
    values[:, rows, columns] = some
    values[:, columns, rows] = some
    for axis, (n, t) in enumerate(
        zip((m, m, gaps), (nodes[0], nodes[0], nodes[1]), strict=True), 1
    ):
        transform = chebyshev.chebvander(t, n - 1).T * (2.0 / n)
        transform[0] /= 2.0
        values = np.moveaxis(np.tensordot(transform, values, (1, axis)), 0, axis)
    sizes = np.abs(values)
    whole = np.maximum(sizes.max(axis=(1, 2, 3)), 1e-300)
    last = np.maximum(sizes[:, -1].max(axis=(1, 2)), sizes[..., -1].max(axis=(1, 2)))
    off = float((last / whole).max())
    return values, off if math.isfinite(off) else math.inf


def _interpolated(
    table: Array, spans: tuple[tuple[float, float], ...], logs: tuple[Array, ...], sense: float
) -> Array:
    (centre, width), (middle, half) = spans
    t, s, g = (logs[0] - centre) / width, (logs[1] - centre) / width, (logs[2] - middle) / half
    m, gaps = table.shape[2:]
    basis = [chebyshev.chebvander(v, n - 1) for v, n in ((t, m), (s, m), (g, gaps))]
    steep = [_slopes(v, n) / h for v, n, h in ((t, m, width), (s, m, width), (g, gaps, half))]
    along = -sense / np.exp(logs[2])  # from the gap's logarithm to the correlation
    flat = np.ascontiguousarray(np.moveaxis(table, 3, 0).reshape(gaps, -1))
    made = np.empty((8, len(t)))
    for start in range(0, len(t), _CHUNK):
        part = slice(start, start + _CHUNK)
        one, two, far = (v[part] for v in basis)
        here, moved = ((v @ flat).reshape(-1, 2, m, m) for v in (far, steep[2][part]))
        seen = np.einsum("pvij,pj->pvi", here, two)
        made[:2, part] = np.einsum("pvi,pi->vp", seen, one)
        made[4:6, part] = np.einsum("pvi,pi->vp", seen, steep[0][part])
        made[6:, part] = np.einsum("pvij,pj,pi->vp", here, steep[1][part], one, optimize=True)
        turned = np.einsum("pvij,pj,pi->vp", moved, two, one, optimize=True)
        made[2:4, part] = turned * along[part]
    return made


def _slopes(t: Array, n: int) -> Array:
    """T_i'(t)."""
    made = np.zeros((len(t), n))
    for i in range(1, n):
        series = np.zeros(i + 1)
        series[i] = 1.0
        made[:, i] = chebyshev.chebval(t, chebyshev.chebder(series))
    return made


def _directly(own: _Values, logs: tuple[Array, ...], sense: float) -> Array:
    """Pairs one by one."""
    value, slope = _at(own, logs, sense)
    rates = []
    for n in range(3):
        up, down = (
            _at(own, tuple(v + (i == n) * h for i, v in enumerate(logs)), sense)
            for h in (_STEP, -_STEP)
        )
        rates.append((up - down) / (2.0 * _STEP))
    along = rates[2] / np.exp(logs[2]) * -sense
    return np.stack([value, slope, along[0], along[1], *rates[0], *rates[1]])
