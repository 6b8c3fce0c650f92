"""D, the slope and their derivatives of pairs that a series does not reach, from some hundreds of values.

Nearly parallel inputs of large variance take quadrature in two dimensions, a millisecond or more each. D is
analytic in the logarithms of both variances and of the distance of the correlation from its end, so that
Chebyshev polynomials in these three stand for all pairs: of a few hundred values where the variances are
alike, whatever the number of pairs is. For optimisers (`between`) that is an estimate, and where phi is a
mixture of error functions, values are sums of closed forms; where tables stand for quadrature within its
bounds (`tabulated`), they are compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from numerics.kernels.loops.between import LEAST, PANEL, panel_of, polynomials, taken
from numerics.kernels.loops.functions import NO_TABLES, functions
from numerics.kernels.loops.quadrature import quadratures
from theory.calculus.price import K1, K2, C
from theory.kernels.activations import Activation
from theory.kernels.mixtures import A, B, Mixture, mixture
from theory.kernels.moments import DELTA, DET, SIGMA

from .mixture_nodes import mixture_nodes

__all__ = ["ACCURACY", "PANELS", "Between", "between", "tabulated"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]
_Values = Callable[[Array, Array, Array, float], Array]
ACCURACY = 1e-9
"""Of the polynomials, relative to sqrt(D D)."""
_STRIP = math.pi
"""Imaginary parts, in logarithms, below which D is taken for analytic; last terms say whether it is."""
_ROUNDED = 1e-16
_TRUE = 3.5e-15
"""How far pairs and last terms may be off where tables stand for quadrature: two fifths of what bounds of
errors allow for that. Some 2e-15 are seen."""
_TRIED = 8
PANELS = panel_of(LEAST) + 1
"""Of gaps that count."""
_CLOSE = 1e-14
"""Distances that count as this one."""
_LEAST = 0.01
_DIRECT = 7
"""Values of a pair on its own, for central differences in all three."""
_STEP = 2.0**-9
_CHUNK = 256
"""Pairs at a time."""


@dataclass(frozen=True)
class Between:
    """What `numerics.kernels.series.jet.Jet` holds, of some pairs; and an estimate of polynomials' errors.

    Derivatives of the slope are not there where they were not asked for.
    """

    value: Array
    slope: Array
    value_one: Array
    value_two: Array
    slope_one: Array
    slope_two: Array
    slope_rho: Array
    error: float


def between(
    activation: Activation, k: Array, rows: Places, columns: Places, rho: Array, slopes: bool = True
) -> Between:
    """Evaluate pairs of some inputs.

    Parameters
    ----------
    activation : Activation
        Whose derivative is square integrable.
    k : ndarray, shape (n,)
        Variances of the inputs, positive where they are in a pair.
    rows, columns : ndarray, shape (pairs,)
        Which inputs; fastest where those of a row stand together.
    rho : ndarray, shape (pairs,)
        Correlations; not 0.
    slopes : bool, default True
        Whether derivatives of the slope are wanted.

    Returns
    -------
    Between
    """
    own = _values(activation, float(max(k[rows].max(), k[columns].max())))
    made = np.empty((7 if slopes else 4, len(rows)))
    error = 0.0
    gap = np.maximum(1.0 - np.abs(rho), _CLOSE)
    logs = np.log(gap)
    panel = np.floor((logs - logs.max()) / math.log(PANEL)).astype(int)
    inputs = np.log(np.maximum(k, 1e-300))
    for sense in (1.0, -1.0):
        for number in np.unique(panel[rho * sense > 0.0]):
            some = np.flatnonzero((panel == number) & (rho * sense > 0.0))
            made[:, some], off = _panel(
                own, inputs, rows[some], columns[some], logs[some], sense, slopes
            )
            error = max(error, off)
    missing = [] if slopes else [np.full(len(rows), math.nan)] * 3
    if slopes:  # from the gap's logarithm to the correlation
        made[6] *= -np.sign(rho) / gap
    return Between(*made, *missing, error=error)


def _panel(
    own: _Values, k: Array, rows: Places, columns: Places, gap: Array, sense: float, slopes: bool
) -> tuple[Array, float]:
    """Pairs of one sign, and gaps of one panel; of variances and gaps their logarithms."""
    spans = _span(k[rows], k[columns]), _span(gap)
    counts = tuple(_count(span[1]) for span in spans)
    if _DIRECT * len(rows) > counts[0] ** 2 * counts[1]:
        table, off = _table(own, spans, counts, sense)
        if off <= 100.0 * ACCURACY:
            return _interpolated(table, spans, k, rows, columns, gap, slopes), off
    return _directly(own, (k[rows], k[columns], gap), sense, slopes), 0.0


def tabulated(own: tuple[Any, ...], k: tuple[Array, Array], found: Array) -> tuple[Array, Array]:
    """Tables that take the place of quadratures to the last digits, where fewer values make them.

    Parameters
    ----------
    own : tuple
        The activation, `numerics.kernels.loops.functions.Functions.packed`.
    k : pair of ndarray
        Variances of both sides.
    found : ndarray, shape (2, PANELS, 3)
        Pairs of either sign of the correlation: how many, their largest and their smallest gap.

    Returns
    -------
    spans : ndarray, shape (tables, 5)
        Sign; of variances the centre, and half of the width of their logarithms; the same of gaps.
    coefficients : ndarray, shape (tables, 2, m, m, gaps)
        Of D and of the slope; none where phi is not smooth.

    Notes
    -----
    A table is taken if its last terms are roundings and if eight pairs that lie in it, as far from its nodes
    as any, are what quadrature says, to two fifths of the error that is allowed for. phi without kinks is
    analytic on the axis, and D in the logarithms; a table of anything else would not pass. Cost: for
    variances that are alike and gaps that vary by a factor of 64, some 700 quadratures.
    """
    if len(own[1]):
        return NO_TABLES
    known = np.concatenate([v[v > 0.0] for v in k])
    logs = _span(np.log(known))
    logs = logs[0], logs[1] * (1.0 + 1e-9)

    def values(one: Array, two: Array, gap: Array, sense: float) -> Array:
        out = np.empty((2, len(one)))
        quadratures(own, one, two, sense * (1.0 - gap), gap, out)
        return out

    spans, made = [], []
    for side, sense in enumerate((1.0, -1.0)):
        for pairs, largest, smallest in found[side]:
            if pairs == 0.0:
                continue
            gaps = _span(np.log(np.array([smallest, largest])))
            gaps = gaps[0], gaps[1] + _LEAST
            counts = _count(logs[1], _ROUNDED), _count(gaps[1], _ROUNDED)
            if counts[0] * (counts[0] + 1) // 2 * counts[1] + _TRIED > 0.5 * pairs:
                continue
            table, off = _table(values, (logs, gaps), counts, sense)
            span = np.array([[sense, math.exp(logs[0]), logs[1], math.exp(gaps[0]), gaps[1]]])
            if off <= _TRUE and _as_quadrature(own, values, span, table[None]):
                spans.append(span)
                made.append(table)
    if not made:
        return NO_TABLES
    shape = np.max([t.shape for t in made], axis=0)
    padded = [np.pad(t, [(0, n - m) for n, m in zip(shape, t.shape, strict=True)]) for t in made]
    return np.concatenate(spans), np.ascontiguousarray(padded)


def _as_quadrature(own: tuple[Any, ...], values: _Values, span: Array, table: Array) -> bool:
    """Whether pairs of a table, spread over it, are what quadrature says."""
    sense, centre, width, middle, half = span[0]
    places = np.sin(np.outer([1.0, 2.0, 3.0], np.arange(1, _TRIED + 1)))  # unlike any node
    one, two = (centre * np.exp(width * t) for t in places[:2])
    gap = middle * np.exp(half * places[2])
    right, ends = values(one, two, gap, sense), np.empty((2, 2, _TRIED))
    for n, k in enumerate((one, two)):
        ends[n] = values(k, k, np.zeros(_TRIED), 1.0)
    size = np.sqrt(np.abs(ends[0] * ends[1]))
    edge = np.sqrt(one * two)
    det = edge**2 * gap * (2.0 - gap)
    with_table = (*own[:6], span, table)
    seen = np.array(
        [
            taken(with_table, *(float(v) for v in pair))[1:]
            for pair in zip(one, two, sense * edge * (1.0 - gap), det, strict=True)
        ]
    ).T
    return bool((np.abs(seen - right) <= _TRUE * size).all())


def _span(*values: Array) -> tuple[float, float]:
    """Centre and half-width."""
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    return 0.5 * float(low + high), max(0.5 * float(high - low), _LEAST)


def _count(width: float, accuracy: float = ACCURACY) -> int:
    """Terms, by Bernstein's ellipse."""
    y = _STRIP / width
    return math.ceil(-math.log(accuracy) / math.log(y + math.sqrt(1.0 + y * y))) + 1


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
        for start in range(0, len(one), _CHUNK):
            part = slice(start, start + _CHUNK)
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
    k, gap = (math.exp(c) * np.exp(w * t) for (c, w), t in zip(spans, nodes, strict=True))
    rows, columns = np.triu_indices(m)
    one, two = (np.repeat(k[part], gaps) for part in (rows, columns))
    values = np.empty((2, m, m, gaps))
    some = own(one, two, np.tile(gap, len(rows)), sense).reshape(2, len(rows), gaps)
    values[:, rows, columns] = some
    values[:, columns, rows] = some
    for axis, n in enumerate((m, m, gaps), 1):
        # angles without rounding: at a rounded node the last polynomials are off by n^2 roundings
        angles = np.outer(np.arange(n), 2 * np.arange(n) + 1) % (4 * n)
        transform = np.cos(np.pi * angles / (2 * n)) * (2.0 / n)
        transform[0] /= 2.0
        values = np.moveaxis(np.tensordot(transform, values, (1, axis)), 0, axis)
    sizes = np.abs(values)
    whole = np.maximum(sizes.max(axis=(1, 2, 3)), 1e-300)
    last = np.maximum(sizes[:, -1].max(axis=(1, 2)), sizes[..., -1].max(axis=(1, 2)))
    off = float((last / whole).max())
    return np.ascontiguousarray(values), off if math.isfinite(off) else math.inf


def _interpolated(
    table: Array,
    spans: tuple[tuple[float, float], ...],
    k: Array,
    rows: Places,
    columns: Places,
    gap: Array,
    slopes: bool,
) -> Array:
    (centre, width), (middle, half) = spans
    m = table.shape[1]
    # inputs of other panels lie beyond the interval and are not looked at
    t = np.clip((k - centre) / width, -1.0 - 1e-9, 1.0 + 1e-9)
    basis = chebyshev.chebvander(t, m - 1)
    bent = chebyshev.chebder(np.eye(m)) if m > 1 else np.zeros((1, m))
    steep = basis[:, : len(bent)] @ bent / width
    made = np.empty((7 if slopes else 4, len(rows)))
    polynomials(table, basis, steep, rows, columns, (gap - middle) / half, made)
    if slopes:
        made[6] /= half
    return made


def _directly(own: _Values, logs: tuple[Array, ...], sense: float, slopes: bool) -> Array:
    """Pairs one by one."""
    made = [*_at(own, logs, sense)]
    rates = []
    for n in range(3 if slopes else 2):
        up, down = (
            _at(own, tuple(v + (i == n) * h for i, v in enumerate(logs)), sense)
            for h in (_STEP, -_STEP)
        )
        rates.append((up - down) / (2.0 * _STEP))
    made += [rates[0][0], rates[1][0]]
    if slopes:
        made += [rate[1] for rate in rates]
    return np.stack(made)
