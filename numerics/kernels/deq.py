"""Kernels of wide deep equilibrium models, z = phi(W z + U x + b).

Weights are shared by all layers. As the width grows, the covariance K of the pre-activations solves
K = sigma_w^2 D(K) + S, S = sigma_u^2 <x, x'>/d + sigma_b^2, a scalar equation per input and then one per
pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from numerics.errors import DivergenceError
from numerics.kernels.loops import state
from numerics.kernels.loops.code import kernel_module, uses_power_loops, uses_series
from numerics.kernels.series.series import series
from numerics.results import Arrays
from theory.kernels.activations import Activation
from theory.kernels.architectures import DEQ
from theory.kernels.duals import Dual
from theory.kernels.recursion import equilibrium_tangent, readout
from theory.parameters import Number

from .conditions import ConditionReport, lipschitz_constant
from .diagonal import LIMIT, Single, packed, stacked
from .error_bounds import ROUNDED, Errors, Own, warn_of_single_inputs
from .inputs import Side, check_alone, check_inputs, model_scales
from .noise import equilibrium_noise
from .refine import Equilibria
from .singular import singular_note
from .tiles import Band, check_memory, over_tiles, tiles

__all__ = [
    "ConditionReport",
    "DEQKernel",
    "deq_kernel",
    "equilibrium_kernel",
    "lipschitz_constant",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DEQKernel(Arrays):
    """Gram matrices of a wide equilibrium model.

    Attributes
    ----------
    nngp, ntk, fixed_point : ndarray, shape (n1, n2)
        Covariance of the outputs, neural tangent kernel, and K*, the pre-activations' covariance; with
        ``diag`` their diagonals, shape (n1,).
    activation : str
    conditions : ConditionReport
    residual : float
        Largest |g(k12) - k12|/sqrt(k11 k22) as evaluated; its part in the distance to the fixed point is
        counted in ``error``.
    error : float
        Bound of the errors of all entries, relative to sqrt(k_ii k_jj) of the same matrix. Above 1e-10
        only with an `AccuracyWarning`.
    note : str
        Why the NNGP matrix is singular, if it certainly is (`theory.kernels.definiteness`). Empty says
        nothing.
    """

    nngp: Array
    ntk: Array
    fixed_point: Array
    activation: str
    conditions: ConditionReport
    residual: float
    error: float = 0.0
    note: str = ""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the kernel that `to_dict` was made of; ValueError if it is none."""
        made = super().from_dict(content)
        given: Any = made.conditions
        if not (
            isinstance(given, Mapping) and set(given) == {f.name for f in fields(ConditionReport)}
        ):
            raise ValueError(
                f"conditions of an equilibrium model are kernel, equilibrium, .., got {given!r}"
            )
        return replace(made, conditions=ConditionReport(**given))


def deq_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    activation: str | Expr | Activation = DEQ.activation,
    sigma_w: Number = DEQ.sigma_w,
    sigma_u: Number = DEQ.sigma_u,
    sigma_b: Number = DEQ.sigma_b,
    sigma_v: Number = DEQ.sigma_v,
    *,
    diag: bool = False,
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> DEQKernel:
    """NNGP, NTK and fixed point of an equilibrium model: `numerics.kernel` of `theory.DEQ`.

    Parameters
    ----------
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
    activation, sigma_w, sigma_u, sigma_b, sigma_v
        As of `theory.DEQ`.
    diag, refine, progress
        As of `numerics.kernel`.

    Returns
    -------
    DEQKernel
    """
    model = DEQ(activation, sigma_w, sigma_u, sigma_b, sigma_v)
    return equilibrium_kernel(model, x1, x2, diag=diag, refine=refine, progress=progress)


def equilibrium_kernel(
    model: DEQ,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    diag: bool = False,
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
    band: Band | None = None,
) -> DEQKernel:
    """NNGP, NTK and fixed point of a wide deep equilibrium model.

    Parameters
    ----------
    model : theory.DEQ
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default.
    diag : bool, default False
        Only the diagonals, each a scalar problem.
    refine : bool, default True
        As in `numerics.kernels.mlp.perceptron_kernel`.
    progress : callable, optional
        Told the fraction done.
    band : Band, optional
        As in `numerics.kernels.mlp.perceptron_kernel`.

    Returns
    -------
    DEQKernel

    Raises
    ------
    ValueError
        For inputs that make no sense, and scales that are symbols.
    DivergenceError
        If one of the three conditions of `ConditionReport` fails; the message says which, and by how
        much. Known before any pair is computed.
    KernelMemoryError
        If the matrices do not fit into memory.

    Notes
    -----
    The diagonal is found by Newton's method inside a bracket. In sqrt(k) its map contracts with
    sigma_w Lip(phi) < 1, so the fixed point exists and is the only one. The pair map contracts with q =
    sigma_w^2 sqrt(E phi'(u)^2 E phi'(v)^2) <= chi < 1 on [-sqrt(k11 k22), sqrt(k11 k22)], which it maps into
    itself: Newton's steps, three or four, are confined to it, with the plain iteration as a fallback that
    cannot fail. Homogeneous activations (ReLU) solve for 1 - rho, everything else for k12, with
    determinants taken from S, so that nothing cancels.
    """
    a, b = (check_alone(x1, x2), None) if diag else check_inputs(x1, x2)
    scales = model_scales(model)
    w2, u2, b2, v2 = (scale**2 for scale in scales.values())
    dual, name = model.dual, str(model.phi)
    n1, n2 = len(a), len(a if b is None else b)
    shape = (n1, n2) if band is None else band.shape
    check_memory(*((n1, 1) if diag else shape), 3, extra=40 * (n1 + n2) * a.shape[1])
    sides = [Side(x, u2 / a.shape[1], b2) for x in ((a,) if b is None else (a, b))]
    alone = [_solved(dual, side.k, w2, pairs=not diag) for side in sides]
    report = _checked(dual, alone, w2)
    ends = [_own(one, w2, v2) for one in alone]
    noise = equilibrium_noise(dual, sides, [one.path for one in alone], w2, v2)
    if diag:
        error = max(noise.own) + ROUNDED
        warn_of_single_inputs(error)
        return DEQKernel(*ends[0], name, report, 0.0, error)
    errors = Errors(dual, shape, depth=8, kernels=3, pairs=n1 * n2)
    if not uses_power_loops(dual):
        errors.follow(max(noise.pairs))
    own, cut = Own(ends, noise.own, b2 == 0.0), tiles(n1, n2, b is None)
    phi = packed(dual, "limit", alone[0].path, alone[-1].path)
    if band is not None:
        sides, alone = [*band.take(sides[0], sides[-1])], [*band.take(alone[0], alone[-1])]
        own, cut = own.take(band), band.part(cut)
    nngp, ntk, fixed = (np.empty(shape) for _ in range(3))
    out = state.Matrices(nngp, ntk, fixed, errors.marks, len(sides) == 1)
    work = _work(dual, sides, alone, state.Scales(w2, v2, noise.rows[0]), out, phi)
    steps: list[float] = []
    over_tiles(lambda some: steps.append(work(some)), cut, progress)
    if not max(steps) < 1e-10:
        raise DivergenceError(
            f"the iteration did not converge: residual {max(steps):.2g} at stability {report.stability:.6g}; "
            "make sigma_w smaller"
        )
    again = Equilibria(dual, w2, v2, (alone[0].k, alone[-1].k))
    errors.settle(sides, again if refine else None, (nngp, ntk, fixed), own, noise.pairs)
    note = singular_note(dual.activation, a, **scales) if len(sides) == 1 else ""
    return DEQKernel(nngp, ntk, fixed, name, report, max(steps), errors.largest, note)


@dataclass(frozen=True)
class _Alone:
    """Inputs on their own at their fixed points: k, D(k), the map's derivative, and E phi'^2."""

    k: Array
    d: Array
    rate: Array
    slope: Array
    path: Single

    def take(self, part: slice) -> _Alone:
        """Some of the inputs."""
        k, d, rate, slope = (v[part] for v in (self.k, self.d, self.rate, self.slope))
        return _Alone(k, d, rate, slope, self.path.take(part))


def _solved(dual: Dual, s: Array, w2: float, pairs: bool = True) -> _Alone:
    made = [np.empty_like(s) for _ in range(4)]
    if uses_power_loops(dual):
        norm = kernel_module(dual).NORM
        if dual.degree == 1 and w2 * norm < 1.0:
            k = s / (1.0 - w2 * norm)
            made = [k, norm * k, np.full_like(s, w2 * norm), np.full_like(s, norm)]
        else:
            made = [np.full_like(s, np.inf) for _ in range(4)]
            made[2][:] = w2 * norm if dual.degree == 1 else np.inf
            made[3][:] = norm if dual.degree == 1 else np.inf
    elif uses_series(dual):
        made = series(dual.activation).fixed_points(s, w2)
    else:
        kernel_module(dual).solve_diagonal(s, w2, *made)
    tables = ()
    if pairs and uses_series(dual) and np.isfinite(made[0]).all():
        tables = (series(dual.activation).tables(made[0]),)
    k, d, rate, slope = made
    return _Alone(k, d, rate, slope, Single(k[None, :], k[None, :], tables=tables))


def _checked(dual: Dual, alone: list[_Alone], w2: float) -> ConditionReport:
    """Refuse what has no equilibrium, or one that doubles cannot hold."""
    equilibrium = math.sqrt(w2) * lipschitz_constant(dual.activation) if w2 > 0.0 else 0.0
    rate = max(float(np.abs(one.rate).max()) for one in alone)
    chi = max(float(one.slope.max()) for one in alone) * w2 if w2 > 0.0 else 0.0
    report = ConditionReport(rate, equilibrium, chi, 2.0 * equilibrium)
    report.refuse(str(dual.activation))
    k = np.concatenate([one.k for one in alone])
    if not uses_power_loops(dual) and ((k > 0.0) & (k < 1.0 / LIMIT)).any():
        raise DivergenceError(
            f"a variance is {k[k > 0.0].min():.3g}, below the range of doubles; scale the inputs up"
        )
    return report


def _own(alone: _Alone, w2: float, v2: float) -> tuple[Array, Array, Array]:
    """NNGP, NTK and fixed point of single inputs."""
    ntk = equilibrium_tangent(alone.k, alone.slope, w2)
    return *readout(alone.d, alone.slope, ntk, v2), alone.k


def _work(
    dual: Dual,
    sides: list[Side],
    alone: list[_Alone],
    scales: state.Scales,
    out: state.Matrices,
    phi: tuple[Any, ...],
) -> Callable[[NDArray[np.int64]], float]:
    """Return what solves the pairs of some tiles."""
    module = kernel_module(dual)
    one, two = sides[0], sides[-1]
    p, q = alone[0], alone[-1]
    inputs = state.Inputs(one.x, one.z, two.xt, two.zt, one.scale, one.b2)
    if uses_power_loops(dual):
        roots = np.sqrt(p.k), np.sqrt(q.k)
        return lambda some: module.equilibrium(some, inputs, scales.w2, scales.v2, *roots, out)
    first, second = stacked(p.path, q.path)
    first, second = first.reshape(-1, len(one.k)), second.reshape(-1, len(two.k))
    tables = state.Series(np.ascontiguousarray(first.T), second)
    left, right = (state.Alone(side.k, at.k, at.d) for side, at in ((one, p), (two, q)))
    return lambda some: module.equilibrium(some, inputs, scales, left, right, out, tables, phi)
