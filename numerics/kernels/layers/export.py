"""Kernels as functions of JAX, generated from theory's expressions: for GPUs, float32 and its gradients.

The recursion is theory's own, of traced arrays. D and the tangent's slope have derivatives by Price's theorem
and the heat identity, which are duals again:

    dD = D' dk12 + (E phi''(u) phi(v) dk11 + E phi(u) phi''(v) dk22)/2 .
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import Expr

from numerics.errors import MissingExtraError
from numerics.kernels.error_bounds import AccuracyWarning
from numerics.kernels.inputs import check_scales, check_tangent
from theory.calculus.price import K1, K2, C
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Dual, Tangent, dual
from theory.kernels.layers import State
from theory.kernels.moments import DELTA, DET, SIGMA, ExpDifference
from theory.kernels.sequential import Sequential
from theory.parameters import shown

from .sequential import check_numbers

__all__ = ["to_jax"]

_ARGUMENTS = K1, K2, C, DET, DELTA, SIGMA
_TERMS = 256
"""Of Hermite series."""
_LEFT_OUT = 1e-12
"""Share of E phi^2 that they may leave out without a warning."""
_STEP, _REACH = 0.05, 12.5
"""Of the trapezoid rule for their coefficients; beside the density polynomials fall as exp(-z^2/4)."""
_ROUNDINGS = 8.0
"""Units in the last place within which correlations count as 1."""
_AT_ONCE = 8
"""Steps of Horner's rule that are compiled as one: matrices are read and written once for all of them."""


def to_jax(
    model: MLP | Sequential, *, tangent: Tangent = "limit"
) -> Callable[..., tuple[Any, Any]]:
    """Return a network's kernels as a function of JAX.

    Parameters
    ----------
    model : theory.MLP or theory.Sequential
        With numbers for all scales.
    tangent : {"limit", "almost_everywhere"}
        As of `numerics.kernel`.

    Returns
    -------
    callable
        ``function(x1, x2=None)`` of arrays of shapes (n1, d) and (n2, d) returns NNGP and NTK, of shape
        (n1, n2), in the inputs' precision. To be jitted, mapped and differentiated by JAX.

    Raises
    ------
    TypeError
        If ``model`` is neither.
    ValueError
        For scales that are symbols; and for activations with kinks or jumps that have no closed dual.
    MissingExtraError
        Without JAX, the extra widegap[train].

    Warns
    -----
    AccuracyWarning
        For an activation without a closed dual whose series leaves out more than 1e-12 at variance 1.

    Notes
    -----
    First derivatives are exact everywhere, and at equal inputs the mean over both sides of the cusp that
    tangent kernels of activations with kinks have there; second derivatives of both kernels are JAX's own.
    Values have no bounds: they agree with `numerics.kernel` to some 1e-14 in double precision and 1e-6 in
    single; tangent kernels with kinks of nearly equal inputs, and of inputs equal across ``x1`` and ``x2``,
    to 1e-8 and 1e-3 in one layer, 1e-7 in ten. Inputs nearer than 1e-8 and 1e-3 of their length count as
    equal, which jumps do not forgive: their kernels move by the distance to the power 1/2 in one layer, 1/4
    in two, and so on. The diagonal of one set, x2=None, is as good as the rest. Duals without closed forms
    are sums of 256 terms of the Hermite series: for tanh 1e-12 at variances up to 2, 1e-9 at 4; at 12 1e-6,
    and 1e-4 of the tangent kernel.

    Examples
    --------
    >>> import jax
    >>> kernel = to_jax(MLP("erf", 2))
    >>> gradient = jax.grad(lambda x, y: kernel(x[None], y[None])[0][0, 0])
    >>> gradient(jax.numpy.ones(3), jax.numpy.ones(3)).shape
    (3,)
    """
    if not isinstance(model, MLP | Sequential):
        raise TypeError(f"expected theory.MLP or theory.Sequential, got {shown(model)}")
    network = Sequential(model.layers) if isinstance(model, MLP) else model
    kind = check_tangent(tangent)
    check_numbers(network)
    if importlib.util.find_spec("jax") is None:
        raise MissingExtraError("this needs widegap[train]: python -m pip install 'widegap[train]'")
    import jax.numpy as jnp

    maps = {phi: _maps(dual(phi), kind) for phi in network.activations}

    def kernels(x1: Any, x2: Any = None) -> tuple[Any, Any]:
        x1 = jnp.asarray(x1)
        d = x1.shape[1]
        both = _product(x1, (x1 if x2 is None else jnp.asarray(x2)).T) / d
        if x2 is None:  # products and sums of squares are rounded in different orders
            one = two = jnp.diagonal(both)
        else:
            one, two = ((jnp.asarray(x) ** 2).sum(axis=1) / d for x in (x1, x2))
        gram = one[:, None], both, two[None, :]
        last = network.forward(gram, _Traced(maps, jnp), float(d))
        shape = both.shape
        return jnp.broadcast_to(last.both, shape), jnp.broadcast_to(last.tangent, shape)

    return kernels


def _product(a: Any, b: Any) -> Any:
    """The product of matrices; without the word "highest" GPUs keep ten bits of single precision."""
    import jax.numpy as jnp

    return jnp.matmul(a, b, precision="highest")


class _Traced:
    """Arithmetic of JAX's arrays."""

    def __init__(self, maps: dict[Activation, tuple[Any, Any, Any]], jnp: Any) -> None:
        self.maps, self.jnp = maps, jnp

    def number(self, value: Any) -> float:
        return next(iter(check_scales(scale=value).values()))

    def sqrt(self, x: Any) -> Any:
        return self.jnp.sqrt(x)

    def variance(self, phi: Activation, k: Any) -> Any:
        return self.maps[phi][0](k)

    def pair(self, phi: Activation, at: State) -> tuple[Any, Any]:
        _, value, slope = self.maps[phi]
        k1, c, k2 = self.jnp.broadcast_arrays(at.one, at.both, at.two)
        return value(k1, c, k2), slope(k1, c, k2)


@lru_cache(maxsize=64)
def _maps(own: Dual, tangent: Tangent) -> tuple[Any, Any, Any]:
    """D on the diagonal, D, and the slope."""
    if not own.is_closed:
        return _series(own)
    smooth, bent = own.existence.smooth, bool(own.existence.kinks)
    slopes = _Moments(own, lambda i, j: own.tangent(tangent, i, j), 1)
    values = _Moments(own, own.moment, 0)
    single, value = _function([K1], own.diagonal), values.differentiable(0, 0, 2, smooth)
    slope = slopes.differentiable(0, 0, 2, smooth and not bent)
    return (single, value, slope) if smooth else _with_zero_inputs(own, single, value, slope)


def _with_zero_inputs(own: Dual, single: Any, value: Any, slope: Any) -> tuple[Any, Any, Any]:
    """The maps of a step: those of zero inputs are not the limit of small ones.

    D is phi(0)^2 there. The slope counts for nothing: it multiplies the tangent kernel of what is 0 whatever
    the weights.
    """
    import jax.numpy as jnp

    square = _at_zero(own.activation) ** 2

    def turned(k1: Any, c: Any, k2: Any) -> Any:
        none = (k1 == 0.0) | (k2 == 0.0)
        return jnp.where(
            none, 0.0, slope(*(jnp.where(none, x, y) for x, y in ((1, k1), (0, c), (1, k2))))
        )

    return lambda k: jnp.where(k == 0.0, square, single(k)), value, turned


def _at_zero(phi: Activation) -> float:
    """Phi of 0, nan where that does not exist."""
    value = phi.existence.at(sympy.S.Zero)
    return math.nan if value is None else float(value)


class _Moments:
    """E f^(i)(u) f^(j)(v) for f = phi or the slope, as functions of k11, k12, k22.

    Parameters
    ----------
    own : Dual
    ladder : callable
        Which moments i and j mean.
    order : int
        Of the derivative that f is, 0 or 1.
    """

    def __init__(self, own: Dual, ladder: Callable[[int, int], Any], order: int) -> None:
        self.ladder = ladder
        self.degree = None if own.degree is None else own.degree - order
        self.analytic = len(own.existence.pieces) == 1

    def plain(self, i: int, j: int) -> Callable[..., Any]:
        """The moment, evaluated within rounding of correlation 1 at 1, or with ``inside`` beside it."""
        import jax.numpy as jnp

        value = _function(_ARGUMENTS, self.ladder(i, j).stable)

        def moment(k1: Any, c: Any, k2: Any, inside: bool = False) -> Any:
            least = _ROUNDINGS * jnp.finfo(c.dtype).eps * k1 * k2
            det = k1 * k2 - c * c
            det = jnp.where(det <= least, least if inside else 0.0, det)
            gaps = (jnp.maximum(k1 + k2 + s * c, 0.0) for s in (-2.0, 2.0))
            return value(k1, k2, c, det, *gaps) + 0.0 * c

        return moment

    def differentiable(self, i: int, j: int, times: int, bounded: bool) -> Callable[..., Any]:
        """The moment with derivatives that are moments.

        Parameters
        ----------
        i, j : int
        times : int
            How often; after that derivatives are JAX's own.
        bounded : bool
            Whether the derivative in k12 is finite at correlation 1.
        """
        import jax
        import jax.numpy as jnp

        plain = self.plain(i, j)
        if not times:
            return plain
        places = (i + 1, j + 1), (i + 2, j), (i, j + 2)

        @jax.custom_jvp
        def moment(k1: Any, c: Any, k2: Any) -> Any:
            return plain(k1, c, k2)

        if bounded or self.analytic:
            cross, one, two = (self.differentiable(*at, times - 1, self.analytic) for at in places)

            @moment.defjvp
            def _(at: Any, moved: Any) -> tuple[Any, Any]:
                d1, dc, d2 = moved
                return moment(*at), cross(*at) * dc + (one(*at) * d1 + two(*at) * d2) / 2.0

            return moment

        cross, one, two = (self.plain(*at) for at in places)
        rate = None
        if i == j:
            at_end = {DET: 0, DELTA: 0, SIGMA: 4 * K1, C: K1, K2: K1}
            diagonal = self.ladder(i, j).stable.subs(at_end, simultaneous=True).doit()
            rate = _function([K1], K1 * sympy.diff(diagonal, K1) / 2)

        @moment.defjvp
        def _(at: Any, moved: Any) -> tuple[Any, Any]:
            # variances and the correlation, which does not move at its ends
            (k1, c, k2), (d1, dc, d2) = at, moved
            value, slope = moment(*at), cross(*at, inside=True)
            ends = k1 * k2 - c * c <= _ROUNDINGS * jnp.finfo(c.dtype).eps * k1 * k2
            turned = dc - c * (d1 / k1 + d2 / k2) / 2.0
            total = jnp.where(ends, 0.0, slope) * turned
            for k, d, heat, n in ((k1, d1, one, i), (k2, d2, two, j)):
                if self.degree is not None:
                    along = (self.degree - n) / 2.0 * value
                else:
                    along = (k * heat(*at, inside=True) + c * slope) / 2.0
                    if rate is not None:
                        along = jnp.where(ends & (c > 0.0), rate(k), along)
                total = total + along * d / k
            return value, total

        return moment


def _function(arguments: Any, expr: Expr) -> Callable[..., Any]:
    """Print an expression for JAX."""
    import jax
    import jax.numpy as jnp

    names = {
        ExpDifference.__name__: lambda a, b, apart: jnp.where(
            apart >= 0.0, -jnp.exp(a) * jnp.expm1(-apart), jnp.exp(b) * jnp.expm1(apart)
        ),
        "erf": jax.scipy.special.erf,
    }
    clean = expr.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    return sympy.lambdify(arguments, clean, [names, "jax"], cse=True)


def _series(own: Dual) -> tuple[Any, Any, Any]:
    """The same of a smooth activation, by its Hermite series."""
    import jax
    import jax.numpy as jnp

    phi = own.activation
    if phi.existence.kinks or not phi.existence.smooth:
        raise ValueError(
            f"{phi} has kinks or jumps and no closed dual: numerics.kernel computes its kernels, JAX does not"
        )
    f = _function([phi.symbol], phi.expr)
    at_zero, steep = map(_at_zero, (phi, replace(phi, expr=phi.expr.diff(phi.symbol))))
    z = np.arange(-_REACH, _REACH + _STEP / 2.0, _STEP)
    w = np.exp(-z * z / 2.0)
    rows = [w / w.sum(), z * w / w.sum()]  # normalised polynomials, times the weights
    for n in range(1, _TERMS - 1):
        rows.append((z * rows[n] - n**0.5 * rows[n - 1]) / (n + 1) ** 0.5)
    weights = np.array(rows)
    at_one = sympy.lambdify(phi.symbol, phi.expr, ["scipy", "numpy"])(z)
    left = 1.0 - ((weights @ at_one) ** 2).sum() / (weights[0] @ at_one**2)
    if left > _LEFT_OUT:
        warnings.warn(
            f"{_TERMS} terms of the Hermite series of {phi} leave out {left:.0e} of E phi(u)^2 at variance "
            "1, and more at larger ones; numerics.kernel has values with bounds",
            AccuracyWarning,
            stacklevel=4,
        )

    def root(k: Any) -> Any:
        """Its square root, 1 for 0: there it has no derivative."""
        return jnp.sqrt(jnp.where(k == 0.0, 1.0, k))

    def units(k: Any) -> Any:
        at = root(k)[..., None] * jnp.asarray(z, k.dtype)
        return jnp.where((k == 0.0)[..., None], at_zero, f(at))

    def both(k1: Any, c: Any, k2: Any) -> tuple[Any, Any]:
        columns = jnp.asarray(weights.T, c.dtype)
        sides = k1[:, :1], k2[:1, :]
        a, b = (jnp.moveaxis(_product(units(k), columns), -1, 0) for k in sides)
        none = (k1 == 0.0) | (k2 == 0.0)
        edge = root(sides[0]) * root(sides[1])
        rho = jnp.where(none, 0.0, c) / edge

        def horner(sums: tuple[Any, Any], term: tuple[Any, Any]) -> tuple[tuple[Any, Any], None]:
            value, slope = sums
            return (value * rho + term[0] * term[1], slope * rho + value), None

        start = jnp.zeros_like(c), jnp.zeros_like(c)
        (value, slope), _ = jax.lax.scan(horner, start, (a, b), reverse=True, unroll=_AT_ONCE)
        # of a zero input E phi'(u) phi'(v) is phi'(0) E phi'(v), which is a mean of v phi(v) by parts
        one, two = (
            jnp.where(k == 0.0, steep, x[1] / root(k)) for k, x in zip(sides, (a, b), strict=True)
        )
        alone = one * two
        return value + jnp.where(none, alone * c, 0.0), jnp.where(none, alone, slope / edge)

    def single(k: Any) -> Any:
        k = jnp.asarray(k)
        return _product(units(k) ** 2, jnp.asarray(rows[0], k.dtype))

    return single, lambda *at: both(*at)[0], lambda *at: both(*at)[1]
