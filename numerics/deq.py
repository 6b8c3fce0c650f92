"""Kernels of wide deep equilibrium models, z = phi(W z + U x + b).

Weights are shared by all layers. As the width grows, the covariance K of the pre-activations solves
K = sigma_w^2 D(K) + S, S = sigma_u^2 <x, x'>/d + sigma_b^2, a scalar equation per input and then one per
pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from theory.activations import Activation
from theory.duals import Dual, dual

from .kernel_code import has_module, kernel_module, uses_power_loops
from .kernel_inputs import Side, check_inputs, check_scales
from .kernel_refine import Doubts, Equilibria
from .kernel_series import Series, series_tables
from .kernel_tiles import check_memory, over_tiles, tiles
from .kernels import DivergenceError

__all__ = ["ConditionReport", "DEQKernel", "deq_kernel", "lipschitz_constant"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ConditionReport:
    """The three conditions of an equilibrium model, as numbers; each needs its value below 1.

    Attributes
    ----------
    kernel : float
        Largest |derivative| of the diagonal map at its fixed points: existence and contraction.
    equilibrium : float
        sigma_w Lip(phi), the limit of the spectral radius of W times Lip(phi): well-posedness at finite
        width.
    stability : float
        Largest chi = sigma_w^2 E phi'(u)^2: stability at correlation 1.
    operator_norm : float
        2 sigma_w Lip(phi), the limit of ||W|| Lip(phi); below 1 it is sufficient for ``equilibrium`` in
        the Euclidean norm too. Reported, not required.
    """

    kernel: float
    equilibrium: float
    stability: float
    operator_norm: float

    def failures(self) -> list[str]:
        """What fails, in words with numbers."""
        said = {
            "kernel": "existence and contraction of the kernel map, |dk'/dk| < 1",
            "equilibrium": "well-posedness of the finite-width equilibrium, sigma_w Lip(phi) < 1",
            "stability": "stability at correlation 1, chi = sigma_w^2 E phi'(u)^2 < 1",
        }
        found = []
        for name, words in said.items():
            value = getattr(self, name)
            if not value < 1.0:
                by = f"it is {value:.6g}, {value - 1.0:.3g} too much"
                if not np.isfinite(value):
                    by = "there is no fixed point" if name == "kernel" else "it is not bounded"
                found.append(f"{name} ({words}): {by}")
        return found


@dataclass(frozen=True)
class DEQKernel:
    """Gram matrices of a wide equilibrium model.

    Attributes
    ----------
    nngp, ntk, fixed_point : ndarray, shape (n1, n2)
        Covariance of the outputs, neural tangent kernel, and K*, the pre-activations' covariance.
    activation : str
    conditions : ConditionReport
    residual : float
        Largest |g(k12) - k12|/sqrt(k11 k22) as evaluated. The distance to the fixed point, in the same
        units, is at most this divided by 1 - q with the contraction constant q <= ``conditions.stability``.
    error : float
        As `MLPKernel.error`.
    note : str
        Why the NNGP matrix is singular, if two inputs make it so; else empty.
    """

    nngp: Array
    ntk: Array
    fixed_point: Array
    activation: str
    conditions: ConditionReport
    residual: float
    error: float = 0.0
    note: str = ""


@lru_cache(maxsize=64)
def lipschitz_constant(activation: Activation) -> float:
    """Sup |phi'| as a number.

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    float
        From theory where it is derived. Otherwise the largest |phi'| on a fine grid of [-60, 60]; infinity
        if it is still growing at the ends.
    """
    import sympy

    exact = activation.lipschitz
    if exact is not None:
        return float(exact)
    slope = sympy.lambdify(
        activation.symbol, sympy.diff(activation.expr, activation.symbol), "numpy"
    )
    x = np.concatenate([np.linspace(-60.0, 60.0, 480_001), np.linspace(-4.0, 4.0, 800_001)])
    with np.errstate(all="ignore"):
        values = np.abs(np.asarray(slope(x), dtype=float) * np.ones_like(x))
        far = np.abs(np.asarray(slope(np.array([-600.0, 600.0])), dtype=float) * np.ones(2))
    values = values[np.isfinite(values)]
    far = far[np.isfinite(far)]
    if far.size and values.size and far.max() > 1.5 * values.max() + 1e-6:
        return float("inf")
    return float(values.max()) if values.size else float("inf")


def deq_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    activation: str | Expr | Activation = "erf",
    sigma_w: float = 0.4,
    sigma_u: float = 1.0,
    sigma_b: float = 0.0,
    sigma_v: float = 1.0,
    *,
    progress: Callable[[float], Any] | None = None,
) -> DEQKernel:
    """NNGP, NTK and fixed point of a wide deep equilibrium model.

    Parameters
    ----------
    x1 : array_like, shape (n1, d)
    x2 : array_like, shape (n2, d), optional
        ``x1`` by default.
    activation : str, sympy.Expr or Activation
    sigma_w, sigma_u, sigma_b, sigma_v : float
        Standard deviations of W (times sqrt of the width), U (times sqrt(d)), b and the readout.
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    DEQKernel

    Raises
    ------
    ValueError
        For inputs, an activation or scales that make no sense.
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
    a, b = check_inputs(x1, x2)
    scales = check_scales(sigma_w=sigma_w, sigma_u=sigma_u, sigma_b=sigma_b, sigma_v=sigma_v)
    found = dual(activation)
    n1, n2 = len(a), len(a if b is None else b)
    check_memory(n1, n2, 3, extra=40 * (n1 + n2) * a.shape[1])
    w2, u2, b2, v2 = (scales[f"sigma_{s}"] ** 2 for s in "wubv")
    lip = lipschitz_constant(found.activation)
    sides = [Side(x, u2 / a.shape[1], b2) for x in ((a,) if b is None else (a, b))]
    if not has_module(found):
        return _by_series(found, sides, w2, v2, lip)
    cov, ntk, fixed = (np.empty((n1, n2)) for _ in range(3))
    doubts = Doubts(found, (n1, n2))
    if uses_power_loops(found):
        model = None
        report, advance = _power(found, sides, w2, v2, lip, (cov, ntk, fixed))
    else:
        report, model, advance = _smooth(found, sides, w2, v2, lip, (cov, ntk, fixed), doubts)
    if report.failures():
        _refuse(report, found)
    steps: list[float] = []
    cut = tiles(n1, n2, b is None)
    over_tiles(lambda some: steps.append(advance(some, b is None)), cut, progress)
    if not max(steps) < 1e-10:
        raise DivergenceError(
            f"the iteration did not converge: residual {max(steps):.2g} at stability {report.stability:.6g}; "
            "make sigma_w smaller"
        )
    error = 0.0 if found.is_closed else 1e-15
    if model is not None:
        error = max(error, doubts.settle(sides[0], sides[-1], model, (cov, ntk, fixed)))
    note = _singular(found, a, b2) if b is None else ""
    return DEQKernel(cov, ntk, fixed, str(found.activation), report, max(steps), error, note)


def _singular(found: Dual, x: Array, b2: float) -> str:
    """Say which inputs make the NNGP matrix singular: equal ones, and for some phi parallel ones."""
    rays = found.degree is not None and b2 == 0.0
    size = np.linalg.norm(x, axis=1, keepdims=True)
    if rays and not size.all():
        return f"the NNGP matrix is singular: input {int(np.argmin(size))} is zero"
    seen = np.round(x / size, 13) + 0.0 if rays else x
    _, first, inverse = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse.ravel()] != np.arange(len(x)))
    if not again.size:
        return ""
    i, j = sorted((int(again[0]), int(first[inverse.ravel()[again[0]]])))
    why = " and phi is homogeneous, without bias" if rays else ""
    return f"the NNGP matrix is singular: inputs {i} and {j} are {'parallel' if rays else 'equal'}{why}"


def _by_series(found: Dual, sides: list[Side], w2: float, v2: float, lip: float) -> DEQKernel:
    expansion = Series(found.activation)
    one, two = sides[0], sides[-1]
    solved = [expansion.diagonal(side.k, w2) for side in sides]
    rates, chis = (np.concatenate([s[n] for s in solved]) for n in (1, 2))
    report = _report(rates, chis, w2, lip)
    if report.failures():
        _refuse(report, found)
    k1, k2 = solved[0][0], solved[-1][0]
    c, value, slope, residual = expansion.equilibrium(one.covariance(two), k1, k2, w2)
    ntk = v2 * (value + slope * c / (1.0 - w2 * slope))
    return DEQKernel(v2 * value, ntk, c, str(found.activation), report, residual, expansion.worst)


def _refuse(report: ConditionReport, found: Dual) -> None:
    names = ("kernel", "equilibrium", "stability")
    holds = [f"{n} holds, {getattr(report, n):.4g}" for n in names if getattr(report, n) < 1.0]
    raise DivergenceError(
        f"no equilibrium model with phi = {found.activation}: "
        f"{'; '.join([*report.failures(), *holds])}. Make sigma_w smaller"
    )


def _report(rate: Array, chi: Array, w2: float, lip: float) -> ConditionReport:
    equilibrium = float(np.sqrt(w2)) * lip
    return ConditionReport(
        float(np.abs(rate).max()), equilibrium, float(chi.max()), 2.0 * equilibrium
    )


def _power(
    found: Dual, sides: list[Side], w2: float, v2: float, lip: float, out: tuple[Array, ...]
) -> tuple[ConditionReport, Callable[[NDArray[np.int64], bool], float]]:
    module = kernel_module(found)
    rate = w2 * module.NORM
    report = _report(np.array([rate]), np.array([rate]), w2, lip)
    one, two = sides[0], sides[-1]
    q1, q2 = (side.q / np.sqrt(max(1.0 - rate, 1e-300)) for side in (one, two))

    def advance(some: NDArray[np.int64], mirrored: bool) -> float:
        return module.equilibrium(some, mirrored, one.z, two.zt, w2, v2, q1, q2, *out)

    return report, advance


def _smooth(
    found: Dual,
    sides: list[Side],
    w2: float,
    v2: float,
    lip: float,
    out: tuple[Array, ...],
    doubts: Doubts,
) -> tuple[ConditionReport, Equilibria, Callable[[NDArray[np.int64], bool], float]]:
    module = kernel_module(found)
    one, two = sides[0], sides[-1]
    k, p, rates, chis = {}, {}, [], []
    for side in sides:
        made = [np.empty_like(side.k) for _ in range(4)]
        module.solve_diagonal(side.k, w2, *made)
        k[id(side)], p[id(side)] = made[:2]
        rates.append(made[2])
        chis.append(made[3])
    report = _report(np.concatenate(rates), np.concatenate(chis), w2, lip)
    model = Equilibria(w2, v2, (k[id(one)], k[id(two)]))
    solvable = w2 > 0.0 and not report.failures()
    marks = doubts.marks(max(float(v.max()) for v in k.values()) if solvable else 0.0)
    if len(marks):
        d, dd = p[id(one)] / w2, chis[0] / w2
        doubts.own = v2 * d, v2 * (d + dd * k[id(one)] / (1.0 - chis[0])), k[id(one)]

    tables = {
        key: series_tables(found, values[None, :]).reshape(-1, values.size)
        for key, values in k.items()
    }

    def advance(some: NDArray[np.int64], mirrored: bool) -> float:
        return module.equilibrium(
            some, mirrored, one.x, one.z, two.xt, two.zt, one.scale, one.b2, w2, v2,
            one.k, two.k, k[id(one)], k[id(two)], p[id(one)], p[id(two)], *out, marks,
            tables[id(one)], tables[id(two)],
        )  # fmt: skip

    return report, model, advance
