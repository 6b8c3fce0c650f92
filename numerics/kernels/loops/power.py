"""Gram matrices of positively homogeneous activations: a tile of pairs at a time, angles as state.

D = (k11 k22)^(n/2) kappa(rho). The state is 1 - rho, never rho: after a layer

    1 - rho' = |e_i - e_j|^2/2 + cos(a_i) cos(a_j) (1 - kappa(rho)/kappa(1)),

where e_i = (cos a_i, sin a_i) is the direction of (sigma_w sqrt(kappa(1)) k_i^(n/2), sigma_b). kappa is
the sum of an even and an odd part, of which profile gives 1 - kappa at |rho|, so that all terms are
positive at both ends and angles keep an absolute error of a few units in the last place however small they
are. Near rho = -1 the state is -(1 + rho).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from .primitives import angle, mirror, parallel, squared_distance, squared_distances

# pasted code above defines these
from .state import Angles, Inputs, Matrices  # isort: skip
from .stub import (
    DEGREE,
    EVEN,
    JUMPS,
    M_NOISE,
    NORM,
    ODD,
    STEEP,
    T_BEND,
    T_NOISE,
    far,
    profile,
)  # isort: skip

_FAST = {"contract", "nsz"}
_END = 1e-300
"""Stands for 1 + rho = 0: the sign of the state says which end it is at."""


class Turn(NamedTuple):
    """How a layer turns inputs.

    The direction (cosine, sine), the root of the variance after the layer, and of what multiplies kappa'.
    """

    cosine: np.ndarray
    sine: np.ndarray
    root: np.ndarray
    slope: np.ndarray


class TurnOfOne(NamedTuple):
    """`Turn` of a single input."""

    cosine: float
    sine: float
    root: float
    slope: float


class Row(NamedTuple):
    """State of one input with others.

    1 - rho where rho >= 0 or so, else -(1 + rho); the tangent kernel; and bounds of their absolute errors.
    """

    t: np.ndarray
    tangent: np.ndarray
    off: np.ndarray
    tangent_off: np.ndarray


@numba.njit(error_model="numpy", cache=True)
def diagonal(
    k: np.ndarray,
    ntk: np.ndarray,
    sw2: np.ndarray,
    sb2: np.ndarray,
    cosine: np.ndarray,
    sine: np.ndarray,
    root: np.ndarray,
    slope: np.ndarray,
) -> None:
    """Fill everything a layer needs of single inputs; k and ntk have one row more than the others."""
    _, _, _, _, even, odd = profile(1.0, 0.0, 0.0, 0.0)
    for layer in range(sw2.shape[0]):
        for i in range(k.shape[1]):
            v = k[layer, i]
            power = 1.0
            if v == 0.0:  # phi(0)^2, which is 0 but for the even part of a step
                power = EVEN if DEGREE == 0.0 else 0.0
            for _ in range(int(DEGREE)):
                power *= v
            p = (sw2[layer] * NORM) * power
            new = p + sb2[layer]
            k[layer + 1, i] = new
            root[layer, i] = math.sqrt(new)
            cosine[layer, i] = math.sqrt(p / new) if new > 0.0 else 1.0
            sine[layer, i] = math.sqrt(sb2[layer] / new) if new > 0.0 else 0.0
            slope[layer, i] = math.sqrt(sw2[layer] * (power / v)) if v > 0.0 else 0.0
            g = sw2[layer] * (power / v) if v > 0.0 else 0.0
            grown = g * (even + odd) * ntk[layer, i] if g * ntk[layer, i] != 0.0 else 0.0
            ntk[layer + 1, i] = new + grown


@numba.njit(error_model="numpy")
def geometry(inputs: Inputs, i: int, j0: int, j1: int, t: np.ndarray) -> None:
    """1 - rho of input i with inputs j0..j1 from differences of unit vectors."""
    xi, zi, xt, zt = inputs.x[i], inputs.z[i], inputs.xt, inputs.zt
    n = j1 - j0
    squared_distances(zi, zt, j0, j1, t)
    for j in range(n):
        v = 0.5 * t[j]
        t[j] = v if v <= 1.0 else min(v - 2.0, -_END)
    for j in range(n):
        if -0.5 < t[j] < 0.0:  # rare, so worth a branch
            u = 0.0
            for k in range(zi.shape[0]):
                s = zi[k] + zt[k, j0 + j]
                u += s * s
            t[j] = -max(0.5 * u, _END)  # the sign says which end
        # where slopes are infinite at correlation 1, collinear inputs are told from nearly collinear ones
        if JUMPS and abs(t[j]) < 1e-24:
            far_end = t[j] < 0.0
            exact = parallel(xi, xt, j0 + j)
            if zi[zi.shape[0] - 1] != 0.0:
                exact = exact and squared_distance(xi, xt, j0 + j, 1.0) == 0.0
            least = 0.0 if exact else 1e-290
            t[j] = -max(least, _END) if far_end else least


@numba.njit(forceinline=True, error_model="numpy", fastmath=_FAST)
def layer_of(v: float) -> tuple[float, float, float]:
    """1 - kappa(rho)/kappa(1), 1 + kappa(rho)/kappa(1), and the slope at unit variances."""
    a = abs(v)
    a = a if a > _END else 0.0
    x = math.sqrt(a)
    y = math.sqrt(2.0 - a)
    p, q, r, s, even_slope, odd_slope = profile(1.0 - a, a, x * y, 2.0 * angle(x, y))
    near = v >= 0.0
    even, odd = p + q, r + s
    m = even + (odd if near else 2.0 * ODD - odd)
    rest = (2.0 * EVEN - even) + (2.0 * ODD - odd if near else odd)
    return max(m, 0.0), rest, odd_slope + (even_slope if near else -even_slope)


@numba.njit(error_model="numpy", fastmath=_FAST)
def carry(row: Row, one: TurnOfOne, two: Turn, noise: np.ndarray) -> None:
    """Advance bounds of the errors of the state and of the tangent kernel by one layer.

    ``noise`` is the relative error of variances. Where the slope changes within the error of the state,
    differences take the place of derivatives.
    """
    t, th, et, eth = row
    ci, si, gi, size = one.cosine, one.sine, one.slope, one.root
    cj, sj, gj, sizes = two.cosine, two.sine, two.slope, two.root
    unit = 1.2e-16  # one in the last place
    for j in range(t.shape[0]):
        a, e = (abs(t[j]) if abs(t[j]) > _END else 0.0), et[j]
        m, rest, slope = layer_of(t[j])
        cc = ci * cj[j]
        dc, ds, ss = ci - cj[j], si - sj[j], si + sj[j]
        new = min(
            0.5 * (dc * dc + ds * ds) + cc * m, 0.5 * (dc * dc + ss * ss) + cc * max(rest, 0.0)
        )
        if DEGREE == 0.0:
            # kappa' is 2 ODD/(pi sin theta): the angle moves by e/sin, or by the root of e
            moved = ODD * 1.3 * e / math.sqrt(a + e + 1e-300)
        else:
            moved = abs(slope) / NORM * e + T_BEND / NORM * e * e / math.sqrt(a + e + 1e-300)
            moved = min(moved, STEEP * e)
        et[j] = cc * (moved + M_NOISE * unit * math.sqrt(a)) + 4.0 * unit * new
        # errors of variances turn the directions e, only where there is a bias
        bias = max(si * ci, sj[j] * cj[j])
        et[j] += (0.5 * bias * noise[0] + (4.0 * unit if bias > 0.0 else 0.0)) * math.sqrt(
            2.0 * (new + et[j])
        )
        g = gi * gj[j]
        if JUMPS and DEGREE == 0.0:
            bend = slope * (T_NOISE * unit + 0.8 * e / (a + 1e-300))
        else:
            bend = T_BEND * e / math.sqrt(a + e + 1e-300) + T_NOISE * unit
        grown = abs(th[j]) * g
        eth[j] = size * sizes[j] * (et[j] + noise[0] + 4.0 * unit) + g * abs(slope) * eth[j]
        eth[j] += grown * bend + (abs(DEGREE - 1.0) * noise[0] + 4.0 * unit) * grown * abs(slope)


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def start(row: Row, noise: np.ndarray, qi: float, qj: np.ndarray) -> None:
    """Tangent kernel and bounds of errors on the inputs; ``noise`` of variances, of angles and of 1 - rho."""
    t, th, et, eth = row
    for j in range(t.shape[0]):
        v = t[j]
        th[j] = qi * qj[j] * (1.0 - v if v >= 0.0 else -1.0 - v)
        et[j] = noise[1] * (math.sqrt(2.0 * abs(v)) + noise[1]) + noise[2] * abs(v)
        if JUMPS and abs(v) <= _END:
            et[j] = 0.0  # collinear, exactly
        eth[j] = qi * qj[j] * (et[j] + noise[0])


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def resume(row: Row, out: Matrices, i: int, j0: int, j1: int, qi: float, qj: np.ndarray) -> None:
    """Take up what `keep` has left after an earlier run."""
    row.t[:] = out.nngp[i, j0:j1]
    row.tangent[:] = out.ntk[i, j0:j1]
    eth, marks = row.tangent_off, out.marks
    if marks.shape[1] > 0:
        row.off[:] = marks[0, i, j0:j1]
        for j in range(qj.shape[0]):
            eth[j] = marks[1, i, j0 + j] * (qi * qj[j])


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def keep(row: Row, out: Matrices, i: int, j0: int, j1: int, ri: float, rj: np.ndarray) -> None:
    """Put the state into the matrices, the tangent kernel's bound relative to sqrt(k11 k22)."""
    out.nngp[i, j0:j1] = row.t
    out.ntk[i, j0:j1] = row.tangent
    eth, marks = row.tangent_off, out.marks
    if marks.shape[1] > 0:
        marks[0, i, j0:j1] = row.off
        for j in range(rj.shape[0]):
            size = ri * rj[j]
            marks[1, i, j0 + j] = eth[j] / size if size > 0.0 else 0.0


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def through(row: Row, one: TurnOfOne, two: Turn) -> None:
    """Advance the state and the tangent kernel by one layer."""
    ci, si, ri, gi = one
    cj, sj, rj, gj = two
    t, th = row.t, row.tangent
    for j in range(t.shape[0]):
        m, rest, dd = layer_of(t[j])
        dc = ci - cj[j]
        ds = si - sj[j]
        ss = si + sj[j]
        cc = ci * cj[j]
        new = 0.5 * (dc * dc + ds * ds) + cc * m
        com = 0.5 * (dc * dc + ss * ss) + cc * max(rest, 0.0)
        g = gi * gj[j]
        close = new <= com  # of 1 - rho and 1 + rho, the smaller has all its digits
        k = (ri * rj[j]) * (1.0 - new if close else com - 1.0)
        if JUMPS and DEGREE == 0.0:  # D' may be infinite
            dd = math.inf if abs(t[j]) <= _END else dd
            th[j] = k + (g * dd * th[j] if g * th[j] != 0.0 else 0.0)
        else:
            th[j] = k + g * dd * th[j]
        t[j] = new if close else -max(com, _END)


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def from_zero(row: Row, one: TurnOfOne, two: Turn, qi: float, qj: np.ndarray) -> None:
    """State and tangent kernel after the first layer, of degree 0, where an input is 0: D is phi(0) E phi."""
    t, th = row.t, row.tangent
    for j in range(qj.shape[0]):
        if qi == 0.0 or qj[j] == 0.0:
            dc, ds = one.cosine - two.cosine[j], one.sine - two.sine[j]
            share = 1.0 if qi == qj[j] else math.sqrt(EVEN)
            t[j] = 0.5 * (dc * dc + ds * ds) + one.cosine * two.cosine[j] * (1.0 - share)
            th[j] = one.root * two.root[j] * (1.0 - t[j])


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def nearly_opposite(
    row: Row, opposite: np.ndarray, q: float, one: TurnOfOne, right: Angles, j0: int
) -> None:
    """Both kernels after a single layer where inputs are nearly opposite and D itself vanishes.

    ``opposite`` is the state on the inputs, and ``q`` and ``one`` belong to the first of them.
    """
    t, th = row.t, row.tangent
    _, cosine, sine, root, slope = right
    for j in range(opposite.shape[0]):
        if abs(opposite[j] + 0.05) < 0.05:  # one branch, rarely taken
            h = -opposite[j] if opposite[j] < -_END else 0.0
            d, dd = far(2.0 * angle(math.sqrt(h), math.sqrt(2.0 - h)))
            si = one.sine * one.root * sine[0, j0 + j] * root[0, j0 + j]
            p = one.cosine * one.root * cosine[0, j0 + j] * root[0, j0 + j]
            k = p * d / NORM + si
            first = q * right.q[j0 + j] * (h - 1.0)
            if JUMPS and DEGREE == 0.0 and h == 0.0:
                continue
            t[j] = k
            th[j] = k + one.slope * slope[0, j0 + j] * dd * first


@numba.njit(inline="always", error_model="numpy", fastmath=_FAST)
def covariances(row: Row, ri: float, rj: np.ndarray, noise: float) -> None:
    """Turn the state into covariances, as the last thing; its bound is then relative to sqrt(k11 k22)."""
    t, et = row.t, row.off
    for j in range(t.shape[0]):
        v = t[j]
        t[j] = ri * rj[j] * (1.0 - v if v >= 0.0 else -1.0 - v)
        et[j] += noise + 4e-16


@numba.njit(nogil=True, error_model="numpy", fastmath=_FAST, cache=True)
def run(
    tiles: np.ndarray,
    first: bool,
    last: bool,
    inputs: Inputs,
    left: Angles,
    right: Angles,
    out: Matrices,
    noise: np.ndarray,
) -> None:
    """Advance the pairs of all tiles by the given layers, in place.

    A row of a tile goes through all layers before the next one. ``first`` says whether the layers begin with
    the inputs, else with what `keep` has left; ``last`` leaves covariances. Bounds are of the state and of
    the tangent kernel relative to sqrt(k_ii k_jj), and after the last layer of both kernels relative to that.
    ``noise`` has a row for each layer, see `numerics.kernels.noise`.
    """
    layers = left.cosine.shape[0]
    careful = out.marks.shape[1] > 0
    for task in range(tiles.shape[0]):
        i0, i1, j0, j1 = tiles[task, 0], tiles[task, 1], tiles[task, 2], tiles[task, 3]
        width = j1 - j0
        row = Row(np.empty(width), np.empty(width), np.empty(width), np.empty(width))
        opposite = np.empty(width)
        for i in range(i0, i1):
            if first:
                geometry(inputs, i, j0, j1, row.t)
                start(row, noise[0], left.q[i], right.q[j0:j1])
                opposite[:] = row.t
            else:
                resume(row, out, i, j0, j1, left.q[i], right.q[j0:j1])
            for layer in range(layers):
                one = TurnOfOne(
                    left.cosine[layer, i], left.sine[layer, i], left.root[layer, i], left.slope[layer, i]
                )  # fmt: skip
                two = Turn(
                    right.cosine[layer, j0:j1], right.sine[layer, j0:j1], right.root[layer, j0:j1],
                    right.slope[layer, j0:j1],
                )  # fmt: skip
                if careful:
                    carry(row, one, two, noise[layer])
                through(row, one, two)
                if DEGREE == 0.0 and first and layer == 0:
                    from_zero(row, one, two, left.q[i], right.q[j0:j1])
            ri, rj = left.root[layers - 1, i], right.root[layers - 1, j0:j1]
            if last:
                covariances(row, ri, rj, noise[layers - 1, 0])
            if first and last and layers == 1:
                one = TurnOfOne(
                    left.cosine[0, i], left.sine[0, i], left.root[0, i], left.slope[0, i]
                )
                nearly_opposite(row, opposite, left.q[i], one, right, j0)
            keep(row, out, i, j0, j1, ri, rj)
        if out.mirrored:
            mirror(out, i0, i1, j0, j1)
