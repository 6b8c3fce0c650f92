"""Derivatives of kernels in their inputs: theory's recursion of numbers that carry their derivatives.

A kernel depends on a pair of inputs through <x, x>/d, <x, x'>/d and <x', x'>/d. Its derivatives in these
three are carried through the recursion; Jacobians and products with directions follow from them. Inside a
layer the variables are both variances and the correlation (`numerics.kernels.series.jet`), which does not
move to first order where inputs are equal: nothing is singular there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.errors import AccuracyWarning, ConvergenceError, DivergenceError
from numerics.kernels.inputs import check_inputs, check_scales, check_tangent, row_keys
from numerics.kernels.loops.primitives import parallel, squares
from numerics.kernels.series.jet import Jet, jet
from numerics.kernels.tiles import check_memory
from numerics.results import Arrays
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Tangent, dual
from theory.kernels.layers import State
from theory.kernels.sequential import Sequential
from theory.parameters import shown

from .sequential import alone, check_numbers

__all__ = ["KernelDerivatives", "kernel_derivatives"]

Array = NDArray[np.float64]
_CLOSE = 1e-9
"""1 minus correlations below which slopes of slopes with kinks have lost seven digits."""
_LEFT = 1e-14
"""What a series may leave out."""


@dataclass(frozen=True, eq=False, repr=False)
class KernelDerivatives(Arrays):
    """Kernels, and how they change with their inputs.

    Attributes
    ----------
    x1, x2 : ndarray, shapes (n1, d) and (n2, d)
    nngp, ntk : ndarray, shape (n1, n2)
    nngp_partials, ntk_partials : ndarray, shape (3, n1, n2)
        Derivatives in <x, x>/d, <x, x'>/d and <x', x'>/d. Where inputs are equal those without what the
        correlation brings, which does not move; only sums over all three mean anything there.
    """

    x1: Array
    x2: Array
    nngp: Array
    ntk: Array
    nngp_partials: Array
    ntk_partials: Array

    def jacobian(self) -> tuple[Array, Array]:
        """Derivatives of NNGP and NTK in the first input.

        Returns
        -------
        tuple of ndarray, shape (n1, n2, d)
            At [i, j, k] that of the kernel of x1[i] and x2[j] in x1[i, k].

        Raises
        ------
        KernelMemoryError
        """
        d = self.x1.shape[1]
        check_memory(len(self.x1), len(self.x2), 2 * d)
        one, two = (
            2.0 * p[0][:, :, None] * self.x1[:, None, :] / d + p[1][:, :, None] * self.x2 / d
            for p in (self.nngp_partials, self.ntk_partials)
        )
        return one, two

    def along(self, v1: ArrayLike, v2: ArrayLike | None = None) -> tuple[Array, Array]:
        """Derivatives of NNGP and NTK while the inputs move: Jacobian-vector products.

        Parameters
        ----------
        v1 : array_like, shape (n1, d)
            Velocities of the first inputs.
        v2 : array_like, shape (n2, d), optional
            Those of the second ones, which rest by default.

        Returns
        -------
        tuple of ndarray, shape (n1, n2)

        Raises
        ------
        ValueError
            For velocities of another shape, or that are not finite.
        """
        moved = [
            np.asarray(v1, float),
            np.zeros_like(self.x2) if v2 is None else np.asarray(v2, float),
        ]
        for name, v, x in zip(("v1", "v2"), moved, (self.x1, self.x2), strict=True):
            if v.shape != x.shape or not np.isfinite(v).all():
                raise ValueError(f"{name} must be finite, of shape {x.shape}, got shape {v.shape}")
        d, (a, b) = self.x1.shape[1], moved
        rates = (
            2.0 * (self.x1 * a).sum(axis=1)[:, None] / d,
            (a @ self.x2.T + self.x1 @ b.T) / d,
            2.0 * (self.x2 * b).sum(axis=1)[None, :] / d,
        )
        one, two = (
            p[0] * rates[0] + p[1] * rates[1] + p[2] * rates[2]
            for p in (self.nngp_partials, self.ntk_partials)
        )
        return one, two

    def __repr__(self) -> str:
        """Return the shapes."""
        n1, n2 = self.nngp.shape
        return f"KernelDerivatives(of {n1} x {n2} inputs of {self.x1.shape[1]} coordinates)"


def kernel_derivatives(
    model: MLP | Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    tangent: Tangent = "limit",
) -> KernelDerivatives:
    """NNGP and NTK with their derivatives in the inputs.

    Parameters
    ----------
    model : theory.MLP or theory.Sequential
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default.
    tangent : {"limit", "almost_everywhere"}
        As of `numerics.kernel`.

    Returns
    -------
    KernelDerivatives

    Raises
    ------
    TypeError
        If ``model`` is no perceptron and no sequential network.
    ValueError, DivergenceError
        As `numerics.kernel`; and DivergenceError for inputs of variance 0 before an activation, where kernels
        may have no derivative.
    ConvergenceError
        If a Hermite series leaves out too much: nearly parallel inputs, and kinks away from 0.
    KernelMemoryError
        If the matrices do not fit into memory.

    Notes
    -----
    Exact formulas in doubles, but unlike those of `numerics.kernel` these numbers carry no bound. Against
    a hundred digits, errors are below 3e-14 of the largest derivative, equal inputs included. Tangent kernels
    of activations with kinks are the exception: at equal inputs they have a cusp, whose derivative is the
    mean over both sides; inputs at a distance r, relative to their length, have errors of some 1e-14/r^2, and
    an `AccuracyWarning` where that is beyond 1e-6 or so. Cost: some microseconds a pair and layer, for all
    pairs of the n1 + n2 inputs.
    """
    if not isinstance(model, MLP | Sequential):
        raise TypeError(f"expected theory.MLP or theory.Sequential, got {shown(model)}")
    network = Sequential(model.layers) if isinstance(model, MLP) else model
    check_tangent(tangent)
    check_numbers(network)
    a, b = check_inputs(x1, x2)
    x = a if b is None else np.vstack([a, b])
    n, d = x.shape
    check_memory(n, n, 40)
    alone(network, x, tangent, cut=False)  # refuses what diverges
    lengths = squares(x) / d
    _, same = np.unique(row_keys(x), return_inverse=True)
    gram = np.where(same[:, None] == same, lengths[:, None], x @ x.T / d)
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    seeds = np.stack([one, zero, zero]), np.stack([zero, one, zero]), np.stack([zero, zero, one])
    values = lengths[:, None], gram, lengths[None, :]
    entries = [_Varied(v, s) for v, s in zip(values, seeds, strict=True)]
    with np.errstate(all="ignore"):
        using = _Variations(tangent)
        last = network.forward(entries, using, float(d))
    rows, columns = slice(0, len(a)), slice(0 if b is None else len(a), None)
    parts = [
        np.broadcast_to(v, (*v.shape[:-2], n, n))[..., rows, columns]
        for part in (last.both, last.tangent)
        for v in (part.value, part.change)
    ]
    close = _close(x, np.broadcast_to(using.close, (n, n)), rows, columns)
    if close:
        warnings.warn(
            f"{close} of {parts[0].size} pairs are nearly parallel before an activation with a kink: "
            "derivatives of their tangent kernels have fewer than seven digits",
            AccuracyWarning,
            stacklevel=2,
        )
    return KernelDerivatives(a, a if b is None else b, parts[0], parts[2], parts[1], parts[3])


def _close(x: Array, near: NDArray[np.bool_], rows: slice, columns: slice) -> int:
    """How many of the pairs that are nearly parallel are not exactly so."""
    turned = np.ascontiguousarray(x.T)
    first = columns.start or 0
    pairs = np.argwhere(near[rows, columns]).tolist()
    return sum(not parallel(x[i], turned, first + j) for i, j in pairs)


@dataclass(frozen=True, eq=False)
class _Varied:
    """Numbers of a shape that broadcasts to (n, n), and three derivatives of each, first axis."""

    value: Array
    change: Array

    __array_ufunc__ = None

    def __add__(self, other: Any) -> _Varied:
        b = _read(other)
        return _Varied(self.value + b.value, self.change + b.change)

    __radd__ = __add__

    def __mul__(self, other: Any) -> _Varied:
        b = _read(other)
        return _Varied(self.value * b.value, self.change * b.value + self.value * b.change)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> _Varied:
        b = _read(other)
        value = self.value / b.value
        return _Varied(value, (self.change - value * b.change) / b.value)


def _read(value: Any) -> _Varied:
    if isinstance(value, _Varied):
        return value
    return _Varied(np.full((1, 1), float(value)), np.zeros((3, 1, 1)))


class _Variations:
    """Arithmetic of all pairs of some inputs; variances are a column and a row."""

    def __init__(self, tangent: Tangent) -> None:
        self.tangent: Tangent = tangent
        self.close: Any = False
        self._last: Jet | None = None

    def number(self, value: Any) -> _Varied:
        return _read(next(iter(check_scales(scale=value).values())))

    def sqrt(self, x: _Varied) -> _Varied:
        root = np.sqrt(x.value)
        return _Varied(root, x.change / (2.0 * root))

    def pair(self, phi: Activation, at: State) -> tuple[_Varied, _Varied]:
        n = len(at.both.value)
        k = np.broadcast_to(at.one.value, (n, 1))[:, 0].copy()
        if (k == 0.0).any():
            raise DivergenceError(
                f"input {int(np.argmin(k))} has variance 0 before {phi}, where the kernel may have no "
                "derivative; give the layers before it biases, or leave it out"
            )
        at_pairs = jet(dual(phi), self.tangent, k, at.both.value, ends=True)
        if not at_pairs.left < _LEFT:
            raise ConvergenceError(
                f"the Hermite series of {phi} leaves out up to {at_pairs.left:.1g} of D': inputs are too "
                "nearly parallel for its derivatives",
                {},
                float("nan"),
            )
        self._last = at_pairs
        edge = np.sqrt(np.outer(k, k))
        gap = 1.0 - np.abs(at.both.value) / edge
        if phi.existence.kinks or not phi.existence.smooth:
            self.close |= gap < _CLOSE
        logs = at.one.change / at.one.value, at.two.change / at.two.value
        turned = at.both.change / edge - at_pairs.rho * (logs[0] + logs[1]) / 2.0
        made = []
        for value, along, one in (
            (at_pairs.value, at_pairs.value_rho, at_pairs.value_one),
            (at_pairs.slope, at_pairs.slope_rho, at_pairs.slope_one),
        ):
            made.append(_Varied(value, along * turned + one * logs[0] + one.T * logs[1]))
        return made[0], made[1]

    def variance(self, phi: Activation, k: _Varied) -> _Varied:
        """D at correlation 1, of the same variances as the pairs before."""
        assert self._last is not None
        del phi
        value, rate = (np.diag(v).copy() for v in (self._last.value, 2.0 * self._last.value_one))
        if k.value.size == 1:  # behind layer normalisation, or a single input
            value, rate = value[:1], rate[:1]
        value, rate = value.reshape(k.value.shape), rate.reshape(k.value.shape)
        return _Varied(value, rate * k.change / k.value)
