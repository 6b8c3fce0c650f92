"""Rows of pairs by Hermite series where Parseval's bound allows it, and by the closed form elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .between import LEAST, panel_of, taken
from .quadrature import by_quadrature

# pasted code above defines these
from .state import Near, Pairs, Tables  # isort: skip
from .stub import ENOUGH, TIERS  # isort: skip

_SUMS_HERMITE = {"contract", "nsz", "reassoc"}
_LEVELS = np.array(TIERS)
_COUNT = len(TIERS)
_EXTRA = 2 * _COUNT + 6
"""Rows behind the coefficients, see `numerics.kernels.series.series.Tables`."""


@numba.njit(error_model="numpy", fastmath=_SUMS_HERMITE)
def hermite_sums(
    shape: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    start: int,
    used: int,
    rho: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Sums over n of a_n b_n rho^n and of n a_n b_n rho^(n-1), by Horner's rule, four terms at a time.

    Columns from ``start`` on are the second inputs'.
    """
    n = rho.shape[0]
    stop = start + n
    x = np.empty(n)
    double = shape[1] == 2
    for j in range(n):
        value[j] = 0.0
        slope[j] = 0.0
        x[j] = rho[j] * rho[j] if double else rho[j]
    for top in range(used - 1, 2, -4):
        a, b, c, d = one[top], one[top - 1], one[top - 2], one[top - 3]
        p, q = two[top, start:stop], two[top - 1, start:stop]
        r, s = two[top - 2, start:stop], two[top - 3, start:stop]
        for j in range(n):
            y, v, w = x[j], value[j], slope[j]
            w = w * y + v
            v = v * y + a * p[j]
            w = w * y + v
            v = v * y + b * q[j]
            w = w * y + v
            v = v * y + c * r[j]
            slope[j] = w * y + v
            value[j] = v * y + d * s[j]
    if double and shape[0] == 1:
        for j in range(n):
            v, w = value[j], slope[j]
            value[j] = rho[j] * v
            slope[j] = v + 2.0 * x[j] * w
    elif double:
        for j in range(n):
            slope[j] = 2.0 * rho[j] * slope[j]


@numba.njit(error_model="numpy")
def left_out(shape: np.ndarray, one: np.ndarray, two: np.ndarray, tier: int, rho: float) -> float:
    """What a tier leaves out of D and of the slope, relative to their values at correlation 1."""
    start = one.shape[0] - _EXTRA
    there = min(one[start + 2 * _COUNT], two[start + 2 * _COUNT])
    n = shape[1] * int(min(_LEVELS[tier], there)) + shape[0]
    r = abs(rho)
    power, base, index = 1.0, r, n - 1
    while index:
        if index & 1:
            power *= base
        base *= base
        index >>= 1
    d = one[start + tier] * two[start + tier]
    t = one[start + _COUNT + tier] * two[start + _COUNT + tier]
    if shape[2]:  # n a_n^2 is not summable: n rho^(n-1) falls from here on
        t = d * n if n * (1.0 - r) >= 1.0 else math.inf
    return max(d * r, t) * power if r > 0.0 else 0.0  # pyright: ignore[reportReturnType] - numbers


@numba.njit(error_model="numpy")
def remainders(two: np.ndarray, most: np.ndarray) -> None:
    """Fill the largest remainders of some inputs, by tier, and the fewest terms, for `rows`."""
    start = two.shape[0] - _EXTRA
    for row in range(2 * _COUNT):
        largest = 0.0
        for j in range(two.shape[1]):
            largest = max(largest, two[start + row, j])
        most[row] = largest
    there = math.inf
    for j in range(two.shape[1]):
        there = min(there, two[start + 2 * _COUNT, j])
    most[2 * _COUNT] = there


@numba.njit
def needs_determinants(own: Any) -> bool:
    """Whether quadrature may have to take the place of a series."""
    return own[0][5] != 0


@numba.njit(error_model="numpy")
def inverse_roots(k: np.ndarray, out: np.ndarray) -> None:
    """1/sqrt(k); 0 for k = 0."""
    for j in range(k.shape[0]):
        out[j] = 1.0 / math.sqrt(k[j]) if k[j] > 0.0 else 0.0


@numba.njit(error_model="numpy")
def safe(shape: np.ndarray, one: np.ndarray, most: np.ndarray, tier: int) -> float:
    """Largest |rho| up to which a tier leaves out nothing that matters, whatever the second input."""
    if shape[2] or not shape[3]:
        return -1.0
    start = one.shape[0] - _EXTRA
    there = min(one[start + 2 * _COUNT], most[2 * _COUNT])
    n = shape[1] * int(min(_LEVELS[tier], there)) + shape[0]
    d = one[start + tier] * most[tier]
    t = one[start + _COUNT + tier] * most[_COUNT + tier]
    first = 2.0 if d <= ENOUGH else math.exp(math.log(ENOUGH / d) / n)
    second = 2.0 if t <= ENOUGH else math.exp(math.log(ENOUGH / t) / max(n - 1, 1))
    return min(first, second) * (1.0 - 1e-14)


@numba.njit(error_model="numpy")
def enough(
    shape: np.ndarray,
    one: np.ndarray,
    most: np.ndarray,
    rho: np.ndarray,
    tier: int,
    top: int,
    share: int,
) -> tuple[int, int]:
    """The smallest tier from ``tier`` on that suffices for all but ``share`` pairs, or ``top``; the rest."""
    over = top
    while tier < over:
        middle = (tier + over) // 2
        if beyond(rho, safe(shape, one, most, middle)) <= share:
            over = middle
        else:
            tier = middle + 1
    return tier, beyond(rho, safe(shape, one, most, tier))


@numba.njit
def beyond(rho: np.ndarray, limit: float) -> int:
    """How many correlations are larger."""
    above = 0
    for j in range(rho.shape[0]):
        above += not abs(rho[j]) <= limit
    return above


@numba.njit(error_model="numpy")
def gathered(
    shape: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    start: int,
    used: int,
    rho: np.ndarray,
    places: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Sums for some of the second inputs, into their places."""
    n = places.shape[0]
    some, near, values, slopes = np.empty((used, n)), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        near[i] = rho[places[i]]
    for m in range(used):
        for i in range(n):
            some[m, i] = two[m, start + places[i]]
    hermite_sums(shape, one, some, 0, used, near, values, slopes)
    for i in range(n):
        value[places[i]], slope[places[i]] = values[i], slopes[i]


@numba.njit(error_model="numpy")
def rows(
    a: float,
    others: np.ndarray,
    pairs: Pairs,
    tables: Tables,
    value: np.ndarray,
    slope: np.ndarray,
) -> None:
    """D and the slope of one input with others.

    As few terms are taken as suffice for most of the pairs; the others take more, or quadrature in two
    dimensions. Sums leave out at most ENOUGH of the values at correlation 1, by Parseval's bound.
    """
    one, two, start, most, inverse, own, itself = tables
    c, det = pairs.c, pairs.det
    shape = own[0]
    n = others.shape[0]
    count = one.shape[0] - _EXTRA
    top = 0
    while top < _COUNT - 1 and _LEVELS[top] < count:
        top += 1
    rho = np.empty(n)
    scale = 1.0 / math.sqrt(a) if a > 0.0 else 0.0
    for j in range(n):
        rho[j] = min(max(c[j] * (scale * inverse[j]), -1.0), 1.0)
    tier, above = enough(shape, one, most, rho, 0, top, n // 16)
    hermite_sums(shape, one, two, start, _LEVELS[tier], rho, value, slope)
    near, far = safe(shape, one, most, tier), safe(shape, one, most, top)
    places, some = np.empty(max(above, 1), dtype=np.int64), 0
    if above:
        correlations = np.empty(above)
        for j in range(n):
            if near < abs(rho[j]) <= far:
                places[some], correlations[some] = j, rho[j]
                some += 1
        if some:
            level, _ = enough(shape, one, most, correlations[:some], tier, top, 0)
            gathered(shape, one, two, start, _LEVELS[level], rho, places[:some], value, slope)
    for j in range(n):
        slope[j] *= scale * inverse[j]
    if above > some:
        for j in range(n):
            if abs(rho[j]) <= max(near, far) or scale * inverse[j] == 0.0 or j == itself:
                continue
            column = two[:, start + j]
            if shape[3] and left_out(shape, one, column, tier, rho[j]) <= ENOUGH:
                continue
            if tier < top and shape[3] and left_out(shape, one, column, top, rho[j]) <= ENOUGH:
                places[0] = j
                gathered(shape, one, two, start, _LEVELS[top], rho, places[:1], value, slope)
                slope[j] *= scale * inverse[j]
            else:
                known, value[j], slope[j] = taken(own, a, others[j], c[j], det[j])
                if not known:
                    value[j], slope[j] = by_quadrature(own, a, others[j], c[j], det[j])


@numba.njit(nogil=True, error_model="numpy")
def left_to_quadrature(
    shape: np.ndarray,
    one: np.ndarray,
    two: np.ndarray,
    a: np.ndarray,
    others: np.ndarray,
    c: np.ndarray,
    found: np.ndarray,
) -> None:
    """Count pairs that series leave out, and find their largest and smallest gaps, by sign and panel.

    ``found``, shape (2, panels, 3), is added to. Rows of c are inputs of variances a, whose tables are rows
    of ``one``; its columns those of ``two``.
    """
    count = one.shape[1] - _EXTRA
    top = 0
    while top < _COUNT - 1 and _LEVELS[top] < count:
        top += 1
    for i in range(a.shape[0]):
        for j in range(others.shape[0]):
            edge = math.sqrt(a[i]) * math.sqrt(others[j])
            gap = 1.0 - abs(c[i, j]) / edge if edge > 0.0 else 0.0
            if gap < LEAST or left_out(shape, one[i], two[:, j], top, 1.0 - gap) <= ENOUGH:
                continue
            here = found[0 if c[i, j] > 0.0 else 1, panel_of(gap)]
            here[0] += 1.0
            here[1] = max(here[1], gap)
            here[2] = min(here[2], gap)


@numba.njit(error_model="numpy", fastmath=_SUMS_HERMITE)
def row_bends(a: float, others: np.ndarray, c: np.ndarray, tables: Tables, out: np.ndarray) -> None:
    """|dD'/dk12| where the series has it; -1 where it does not."""
    shape, one, two, start = tables.own[0], tables.one, tables.two, tables.start
    count = one.shape[0] - _EXTRA
    top = 0
    while top < _COUNT - 1 and _LEVELS[top] < count:
        top += 1
    n = others.shape[0]
    rho, x, total = np.empty(n), np.empty(n), np.zeros(n)
    for j in range(n):
        edge = math.sqrt(a) * math.sqrt(others[j])
        rho[j] = min(max(c[j] / (edge if edge > 0.0 else 1.0), -1.0), 1.0)
        x[j] = rho[j] * rho[j] if shape[1] == 2 else rho[j]
    for m in range(count - 1, -1, -1):
        order = shape[0] + shape[1] * m
        if order < 2:
            break
        weight = order * (order - 1.0) * one[m]
        line = two[m, start : start + n]
        for j in range(n):
            total[j] = total[j] * x[j] + weight * line[j]
    for j in range(n):
        edge = math.sqrt(a) * math.sqrt(others[j])
        # remainders grow by n
        if (
            edge == 0.0
            or not left_out(shape, one, two[:, start + j], top, rho[j]) <= 1e-13
            or not shape[3]
        ):
            out[j] = -1.0
            continue
        last = rho[j] if shape[0] == 1 and shape[1] == 2 else 1.0  # odd orders: n - 2 is odd
        out[j] = abs(total[j] * last) / (edge * edge)


@numba.njit(error_model="numpy")
def curvature(gap: Any) -> Any:
    """A bound of n (n - 1) rho^(n-2) (1 - rho)^2 over n >= 2, at rho = 1 - gap from 0 to 1."""
    return 0.55 * (1.0 + gap * (0.6 + 2.1 * gap))


@numba.njit(error_model="numpy")
def slope_change(
    gap: float, step: float, most: float, rough: float, power: float, edge: float
) -> float:
    """How far the slope moves while the correlation moves by ``step``, where E phi''^2 is infinite.

    As n rho^(n-1) <= 1/(1 - rho), the slope's derivative in the correlation is at most the largest slope
    over 1 - rho; and by Cauchy and Schwarz it moves by at most rough t^power/edge, see `Series._spread`.
    """
    change = 2.0 * most
    if gap > step:
        change = min(change, most * step / (gap - step))
    if rough > 0.0:
        change = min(change, rough * step**power / edge)
    return change


@numba.njit(error_model="numpy")
def moduli(
    tables: Tables, j: int, near: Near, shift: float, turn: float, most: float, size: float
) -> tuple[float, float]:
    """How far D moves with k12 within ``shift``, and the slope within ``turn``, with the tables of column j.

    ``most`` bounds the slope, and ``size`` is sqrt(D D) of the two inputs. By Cauchy and Schwarz the
    derivative of the slope is at most prod_i (sigma_i + j_i y^(-1/4)), y = 1 - rho^2, over both inputs:
    sigma_i^2 is the smooth part's E phi''^2, and j_i belongs to the kinks. That holds for a slope almost
    everywhere, too. Where phi jumps, sums of n (n - 1) rho^(n-2) a_n^2 take its place, and D moves by at most
    prod_i (g_i t^(1/2) + h_i t^p) with the correlation, t = shift/edge.
    """
    edge, slope, known = near.edge, near.slope, near.bend
    jumps = tables.own[0][2] != 0
    if edge == 0.0:
        return 0.0, 0.0
    gap = max(1.0 - abs(near.c) / edge, 0.0)
    if known >= 0.0 and not (jumps and gap * edge <= 4.0 * max(shift, turn)):
        second = 1.6 * known if turn > 1e-6 * edge else 1.01 * known
        return (abs(slope) + second * shift) * shift, second * turn
    one, end = tables.one, tables.one.shape[0]
    two, place = tables.two, tables.start + j
    moved = 0.0
    if jumps:
        step = shift / edge
        root, power = math.sqrt(step), step ** one[end - 3]
        moved = one[end - 5] * root + one[end - 4] * power
        moved = min(moved * (two[end - 5, place] * root + two[end - 4, place] * power), size)
        if tables.own[0][3] == 0:  # the slope is not D'; both series lie below their secants to 1
            away = edge * gap - shift
            if away > shift:
                fall = size * (1.0 + 1e-13) - abs(near.value)
                moved = min(fall / away * shift, moved)
        elif gap * edge <= 2.0 * max(shift, turn):
            return moved, math.inf
        else:
            away = edge * gap - max(shift, turn)
            far = away / edge
            second = size * curvature(far) / (away * away)
            return min((abs(slope) + second * shift) * shift, moved), second * turn
    away = gap + turn / edge
    s, q = one[end - 2], two[end - 2, place]
    t, k = one[end - 1], two[end - 1, place]
    root = math.sqrt(math.sqrt(away))
    second = s * q
    if t + k > 0.0:  # integrated over the shift
        second = 3.0 * (second + (s * k + q * t) / root + t * k / (root * root))
    turned, held = second * turn, 2.0 * second * shift
    if not second < math.inf:
        rough, power = one[end - 4] * two[end - 4, place], one[end - 3] + two[end - 3, place]
        rough = 0.0 if jumps else rough
        turned = slope_change(gap, turn / edge, most, rough, power, edge)
        held = slope_change(gap, shift / edge, most, rough, power, edge)
    if jumps:
        return moved, turned
    rate = min(abs(slope) + held, 1.01 * most)
    return rate * shift, turned
