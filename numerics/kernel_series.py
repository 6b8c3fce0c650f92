"""Kernels of activations without any closed form, by Hermite series with Parseval's bound.

With normalised Hermite polynomials and a_n(k) = E phi(sqrt(k) Z) he_n(Z),

    D(K) = sum_n a_n(k11) a_n(k22) rho^n ,   D'(K) = sum_n n a_n a_n rho^(n-1)/sqrt(k11 k22) ,

and what is left out after n = M is at most |rho|^(M+1) sqrt(R(k11) R(k22)), R(k) = E phi^2 - sum a_n^2.
Moments are Gauss-Legendre sums on panels that end at the kinks of phi. Cost: M multiply-adds per pair
and layer, and n M 960 for n inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.activations import Activation
from theory.duals import Dual

__all__ = ["TABLE", "Series", "series", "series_tables"]

Array = NDArray[np.float64]
ORDER = 160
TABLE = 384
_EDGE = 12.0
_PANELS, _NODES = 40, 24


class Series:
    """Hermite series of one activation.

    Parameters
    ----------
    activation : Activation
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        x = activation.symbol
        self._phi = sympy.lambdify(x, activation.expr, ["numpy", "scipy"])
        self._slope = sympy.lambdify(x, sympy.diff(activation.expr, x), ["numpy", "scipy"])
        self.kinks = _kinks(activation)
        self.worst = 0.0

    def coefficients(self, k: Array) -> tuple[Array, Array, Array]:
        """Coefficients and second moments at variances.

        Parameters
        ----------
        k : ndarray, shape (n,)

        Returns
        -------
        tuple of ndarray
            a of shape (n, ORDER + 1), E phi^2 and E phi'^2 of shape (n,).
        """
        distinct, inverse = np.unique(k, return_inverse=True)
        made = [self._moments(float(v)) for v in distinct]
        return (
            np.array([m[0] for m in made])[inverse],
            np.array([m[1] for m in made])[inverse],
            np.array([m[2] for m in made])[inverse],
        )

    def _moments(self, k: float, panels: int = _PANELS) -> tuple[Array, float, float]:
        root = np.sqrt(k)
        cuts = np.linspace(-_EDGE, _EDGE, panels + 1)
        if root > 0.0:
            own = self.kinks / root
            cuts = np.union1d(cuts, own[np.abs(own) < _EDGE])
        z, weight = _nodes(cuts)
        with np.errstate(all="ignore"):
            f = np.asarray(self._phi(root * z), dtype=float) * np.ones_like(z)
            g = np.asarray(self._slope(root * z), dtype=float) * np.ones_like(z)
        if not np.isfinite(weight * f).all():
            raise ArithmeticError(f"phi = {self.activation} is not finite at variance {k:.3g}")
        g = np.where(np.isfinite(g), g, 0.0)
        a = _hermite(z, ORDER + 1) @ (weight * f)
        return a, float(np.dot(weight, f * f)), float(np.dot(weight, g * g))

    def table(self, k: Array) -> Array:
        """Coefficients at variances, and what they leave out, for the compiled loops.

        Parameters
        ----------
        k : ndarray, shape (n,)

        Returns
        -------
        ndarray, shape (TABLE + 6, n)
            a_0 .. a_(TABLE - 1); then the roots of the shares of E phi^2 and E phi'^2 that the first quarter
            of them, the first half, and all leave out (Parseval; below rounding, 64 times what the last
            eight hold). Infinite for variances at which quadrature does not resolve phi.

        Notes
        -----
        phi has a kink at 0 or none. Cost: a matrix product of n x 960 by 960 x TABLE.
        """
        z, weight, he = _rule()
        out = np.full((TABLE + 6, len(k)), np.inf)
        out[:TABLE] = 0.0
        fine = np.flatnonzero((k > 0.0) & (k <= self.resolved))
        some = np.sqrt(k[fine])
        f = np.asarray(self._phi(some[:, None] * z), dtype=float)
        g = np.asarray(self._slope(some[:, None] * z), dtype=float)
        a = (f * weight) @ he.T
        out[:TABLE, fine] = a.T
        steep = a * a * np.arange(TABLE) / np.maximum(k[fine, None], 1e-300)
        for row, whole, parts in ((TABLE, f, a * a), (TABLE + 1, g, steep)):
            full = (whole * whole) @ weight
            for tier, used in enumerate((TABLE // 4, TABLE // 2, TABLE)):
                rest = np.clip(full - parts[:, :used].sum(axis=1), 0.0, None)
                decayed = 64.0 * parts[:, used - 8 : used].sum(axis=1) + 1e-17 * full
                rest = np.where(rest > 1e-14 * full, rest, np.minimum(decayed, 1e-14 * full))
                share = np.divide(rest, full, out=np.full(len(fine), np.inf), where=full > 0.0)
                out[row + 2 * tier, fine] = np.sqrt(share)
        return out

    @cached_property
    def resolved(self) -> float:
        """Largest variance, a power of 2, up to which 960 nodes give moments to the last digits."""
        largest = 0.0
        for power in range(-10, 14):
            k = 2.0**power
            coarse, fine = (self._moments(k, panels) for panels in (_PANELS, 2 * _PANELS))
            with np.errstate(all="ignore"):
                size = np.sqrt([fine[1], fine[2]])
                off = np.abs(coarse[0] - fine[0]).max() / size[0]
                shares = [abs(coarse[i] / fine[i] - 1.0) for i in (1, 2)]
            if not max(off, *shares) < 4e-15:
                break
            largest = k
        return largest

    def pairs(self, c: Array, k1: Array, k2: Array) -> tuple[Array, Array]:
        """D and D' of all pairs; `worst` grows by the bound, relative to the diagonal.

        Parameters
        ----------
        c : ndarray, shape (n1, n2)
        k1, k2 : ndarray, shape (n1,), (n2,)
        """
        one = self.coefficients(k1)
        two = one if k2 is k1 else self.coefficients(k2)
        r = np.sqrt(np.outer(k1, k2))
        inverse = np.divide(1.0, r, out=np.zeros_like(r), where=r > 0.0)
        rho = np.clip(c * inverse, -1.0, 1.0)
        value, slope = np.zeros_like(c), np.zeros_like(c)
        for n in range(ORDER, -1, -1):  # Horner, with the derivative carried along
            slope = slope * rho + value
            value = value * rho + np.outer(one[0][:, n], two[0][:, n])
        left = [
            np.sqrt(
                np.clip(full - (a * a).sum(axis=1), 0.0, None) / np.where(full > 0.0, full, 1.0)
            )
            for a, full, _ in (one, two)
        ]
        bound = np.abs(rho) ** (ORDER + 1) * np.outer(*left)
        self.worst = max(self.worst, float(bound.max()))
        same = rho >= 1.0  # all of it is known there, for equal variances
        equal = same & (k1[:, None] == k2[None, :])
        value = np.where(equal, np.broadcast_to(one[1][:, None], c.shape), value)
        slope = np.where(equal, np.broadcast_to(one[2][:, None], c.shape), slope * inverse)
        zero = r == 0.0
        if zero.any():
            flat = float(self._slope(np.float64(0.0)))
            slope = np.where(zero, flat * flat if np.isfinite(flat) else 0.0, slope)
        return value, slope

    def mlp(
        self, c: Array, k1: Array, k2: Array, sw2: Array, sb2: Array, report: Callable[[float], Any]
    ) -> tuple[Array, Array]:
        """Run the recursion of a perceptron from layer 1."""
        theta = c.copy()
        for layer in range(len(sw2)):
            value, slope = self.pairs(c, k1, k2)
            c = sw2[layer] * value + sb2[layer]
            theta = c + sw2[layer] * slope * theta
            same = k2 is k1
            k1 = sw2[layer] * self.coefficients(k1)[1] + sb2[layer]
            k2 = k1 if same else sw2[layer] * self.coefficients(k2)[1] + sb2[layer]
            report((layer + 1) / len(sw2))
        return c, theta

    def diagonal(self, s: Array, w2: float) -> tuple[Array, Array, Array]:
        """Fixed points of k = w2 D(k) + s, |rate of the map| there by differences, and chi."""
        k = s.copy()
        for _ in range(2000):
            new = w2 * self.coefficients(k)[1] + s
            done = bool(np.all(np.abs(new - k) <= 4e-16 * new))
            k = new
            if done or not np.all(k < 1e140):
                break
        low, high = k * 0.9999, k * 1.0001 + 1e-12
        rate = w2 * (self.coefficients(high)[1] - self.coefficients(low)[1]) / (high - low)
        return k, rate, w2 * self.coefficients(k)[2]

    def equilibrium(
        self, s12: Array, k1: Array, k2: Array, w2: float
    ) -> tuple[Array, Array, Array, float]:
        """Solve all pairs by Newton's method: K, D, D' and the residual."""
        c = s12.copy()
        r = np.sqrt(np.outer(k1, k2))
        residual = np.inf
        for trial in range(400):
            value, slope = self.pairs(c, k1, k2)
            away = w2 * value + s12 - c
            residual = float((np.abs(away) / np.where(r > 0.0, r, 1.0)).max())
            if residual < 4e-16:
                break
            c = np.clip(c + away / (1.0 - (w2 * slope if trial < 20 else 0.0)), -r, r)
        value, slope = self.pairs(c, k1, k2)
        return c, value, slope, residual


def _nodes(cuts: Array) -> tuple[Array, Array]:
    """Gauss-Legendre nodes between cuts, and weights with the normal density."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(cuts)[:, None] / 2
    z = ((cuts[:-1] + cuts[1:])[:, None] / 2 + half * x).ravel()
    return z, (half * w).ravel() * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def _hermite(z: Array, count: int) -> Array:
    """Normalised Hermite polynomials of orders below ``count``, shape (count, nodes)."""
    he = np.empty((count, len(z)))
    he[0], he[1] = 1.0, z
    for n in range(1, count - 1):
        he[n + 1] = (z * he[n] - np.sqrt(n) * he[n - 1]) / np.sqrt(n + 1)
    return he


@lru_cache(maxsize=1)
def _rule() -> tuple[Array, Array, Array]:
    """Nodes, weights and polynomials of panels with an end at 0."""
    z, weight = _nodes(np.linspace(-_EDGE, _EDGE, _PANELS + 1))
    return z, weight, _hermite(z, TABLE)


def _kinks(activation: Activation) -> Array:
    """Places where phi may have a kink: zeros of what stands under Abs, Max, Min, sign and in pieces."""
    x, expr = activation.symbol, activation.expr
    inside = [a.args[0] for a in expr.atoms(sympy.Abs, sympy.sign, sympy.Heaviside)]
    for node in expr.atoms(sympy.Max, sympy.Min):
        args = list(node.args)
        inside += [p - q for i, p in enumerate(args) for q in args[i + 1 :]]
    for relation in expr.atoms(sympy.core.relational.Relational):
        inside.append(relation.lhs - relation.rhs)
    found: set[float] = set()
    for part in inside:
        if part.is_polynomial(x):
            roots = np.roots([float(c) for c in sympy.Poly(part, x).all_coeffs()])
            found |= {float(r.real) for r in roots if abs(r.imag) < 1e-9}
    return np.array(sorted(found))


@lru_cache(maxsize=32)
def series(activation: Activation) -> Series:
    """Return the series of an activation."""
    return Series(activation)


def series_tables(found: Dual, k: Array) -> Array:
    """Tables of a mixture at the variances of some layers, and nothing for a closed form.

    Parameters
    ----------
    found : theory.duals.Dual
    k : ndarray, shape (layers, n)

    Returns
    -------
    ndarray, shape (layers, TABLE + 6, n) or (0, 0, 0)
        See `Series.table`.
    """
    if found.is_closed:
        return np.zeros((0, 0, 0))
    return np.stack([series(found.activation).table(layer) for layer in k])
