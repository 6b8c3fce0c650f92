"""Order and chaos of deep perceptrons: fixed points of the recursion over (sigma_w, sigma_b)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from numerics.kernels.loops.code import kernel_module, uses_power_loops, uses_series
from numerics.kernels.series.rounding import UNIT
from numerics.kernels.series.series import series
from numerics.results import Arrays
from theory.kernels.activations import Activation
from theory.kernels.duals import Dual
from theory.kernels.duals import dual as dual_of

from .diagonal import Single, packed, stacked
from .inputs import check_scales
from .noise import PairNoise, pair_noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PhaseDiagram", "phase_diagram"]

Array = NDArray[np.float64]
_STEPS = 200


@dataclass(frozen=True, eq=False)
class PhaseDiagram(Arrays):
    """Fixed points over a grid; all arrays have shape (len(sigma_b), len(sigma_w)).

    Attributes
    ----------
    activation : str
    sigma_w, sigma_b : ndarray
    variance : ndarray
        k*, the smallest stable fixed point of k = sigma_w^2 D(k) + sigma_b^2; NaN where the variance
        diverges, or is not found below 2^60.
    chi : ndarray
        sigma_w^2 E phi'(u)^2 at k*: below 1 order, above 1 chaos, 1 the edge.
    correlation : ndarray
        The stable fixed point of the correlation of two inputs, 1 in the ordered phase. Where k* is 0, its
        limit as the bias vanishes, 1.
    length : ndarray
        Layers over which a correlation decays to it by a factor e, -1/log of the slope there.
    error : ndarray, shape (4, len(sigma_b), len(sigma_w))
        Bounds of the errors of these four: relative ones of variance, chi and length, absolute ones of the
        correlation. They grow without limit at the edge of chaos.
    """

    activation: str
    sigma_w: Array
    sigma_b: Array
    variance: Array
    chi: Array
    correlation: Array
    length: Array
    error: Array

    def plot(self) -> Figure:
        """Draw order and chaos: `numerics.figures.phases.phase_figure`."""
        from numerics.figures.phases import phase_figure

        return phase_figure(self)


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
    sigma_w, sigma_b : sequence of float
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    ValueError
        For an activation or scales that make no sense.
    DivergenceError
        Where E phi(u)^2 does not exist.

    Notes
    -----
    The variance by Newton's method inside a bracket. The map f of the correlation has a power series without
    negative terms, so that it is convex on [0, 1], and f(1) = 1: for chi <= 1 the fixed point is 1, else
    Newton's method from 0 rises to it.
    """
    dual = dual_of(activation)
    w, b = (np.array([float(v) for v in values]) for values in (sigma_w, sigma_b))
    for name, values in (("sigma_w", w), ("sigma_b", b)):
        for value in values:
            check_scales(**{name: value})
    rows = []
    for i, bias in enumerate(b):
        rows.append(_row(dual, w * w, float(bias) ** 2))
        if progress is not None:
            progress((i + 1) / len(b))
    made = np.array(rows).transpose(1, 0, 2)
    variance, chi, correlation, length = made[:4]
    return PhaseDiagram(str(dual.activation), w, b, variance, chi, correlation, length, made[4:])


def _row(dual: Dual, w2: Array, b2: float) -> Array:
    """The four quantities and their errors for one bias, shape (8, len(w2))."""
    out = np.full((8, len(w2)), np.nan)
    k, rate, slope = (np.array(v) for v in zip(*(_variance(dual, s, b2) for s in w2), strict=True))
    fine = np.isfinite(k)
    if not fine.any():
        return out
    k, rate, slope, w2 = k[fine], rate[fine], slope[fine], w2[fine]
    tables = (series(dual.activation).tables(k),) if uses_series(dual) else ()
    path = Single(k[None, :], k[None, :], tables=tables)
    noise = _noise(dual, path)
    chi = w2 * slope
    map_ = _map(dual, path, w2, b2)
    t, steep = _correlation(map_, k, chi)
    with np.errstate(all="ignore"):
        own = np.where(k > 0.0, (noise.value_own + 3.0 * UNIT) / np.abs(1.0 - rate), 0.0)
        own_chi = noise.slope_own + noise.chi_rate * own + 2.0 * UNIT
        off = noise.value + noise.value_scale * own + own + 4.0 * UNIT
        close = np.abs(chi - 1.0) <= 2.0 * chi * own_chi
        wrong = np.where(t > 0.0, off / np.abs(1.0 - steep), np.where(close, 1.0, 0.0))
        length = np.where(steep < 1.0, -1.0 / np.log(np.maximum(steep, 1e-300)), np.inf)
        bent = np.where(t > 0.0, noise.slope + noise.slope_scale * own, own_chi)
        turned = bent + np.where(t > 0.0, _bend(map_, t, wrong), 0.0)
        stretched = (
            turned * np.maximum(1.0, chi / np.maximum(steep, 1e-300)) / np.abs(np.log(steep))
        )
    values = k, chi, 1.0 - t, length
    errors = own, own_chi, wrong, np.where(np.isfinite(stretched), stretched, np.inf)
    out[:, fine] = np.array([*values, *errors])
    return out


def _variance(dual: Dual, w2: float, b2: float) -> tuple[float, float, float]:
    """k*, the derivative of its map, and E phi'^2; infinite where there is none."""
    s = np.array([b2])
    if uses_power_loops(dual):
        return _homogeneous(dual, w2, b2)
    if uses_series(dual):
        k, _, rate, slope = series(dual.activation).fixed_points(s, w2)
    else:
        k, own, rate, slope = (np.empty(1) for _ in range(4))
        kernel_module(dual).solve_diagonal(s, w2, k, own, rate, slope)
    if b2 == 0.0 and k[0] < 1e-200:
        k[0] = 0.0
    return float(k[0]), float(rate[0]), float(slope[0])


def _homogeneous(dual: Dual, w2: float, b2: float) -> tuple[float, float, float]:
    module, n = kernel_module(dual), dual.degree or 0
    chi = sum(module.profile(1.0, 0.0, 0.0, 0.0)[-2:])
    norm = module.NORM
    if n == 0:
        return w2 * norm + b2, 0.0, np.inf
    if n == 1:
        rate = w2 * norm
        return (b2 / (1.0 - rate) if rate < 1.0 else np.inf), rate, chi
    # k = w2 norm k^n + b2: the smaller of two fixed points
    k = b2
    for _ in range(_STEPS):
        step = w2 * norm * k**n + b2 - k
        rate = n * w2 * norm * k ** (n - 1)
        if not rate < 1.0:
            return np.inf, np.inf, np.inf
        k += step / (1.0 - rate)
        if abs(step) <= 1e-16 * k:
            break
    rate = n * w2 * norm * k ** (n - 1)
    return (k, rate, chi * k ** (n - 1)) if rate < 1.0 else (np.inf, np.inf, np.inf)


Map = Callable[[Array], tuple[Array, Array]]


def _map(dual: Dual, path: Single, w2: Array, b2: float) -> Map:
    """1 - f(rho) and f'(rho) as functions of 1 - rho, f the map of the correlation."""
    module = kernel_module(dual)
    k = path.k[0]
    share = np.divide(k - b2, k, out=np.ones_like(k), where=k > 0.0)
    if uses_power_loops(dual):

        def homogeneous(t: Array) -> tuple[Array, Array]:
            made = np.array([module.layer_of(float(v)) for v in t])
            return share * made[:, 0], share * made[:, 2] / module.NORM

        return homogeneous
    tables, _ = stacked(path, path)
    table = tables[0] if len(tables) else np.zeros((0, 0))
    own = packed(dual, "limit", path)

    def smooth(t: Array) -> tuple[Array, Array]:
        d, slope = np.empty_like(k), np.empty_like(k)
        module.pairwise(k, t, table, own, d, slope)
        with np.errstate(all="ignore"):
            value = np.where(k > 0.0, (k - b2 - w2 * d) / k, t)
        return np.maximum(value, 0.0), w2 * slope

    return smooth


def _correlation(f: Map, k: Array, chi: Array) -> tuple[Array, Array]:
    """1 - rho at the stable fixed point, and the map's slope there."""
    t = np.where((chi > 1.0) & (k > 0.0), 1.0, 0.0)
    chaotic = t > 0.0
    steep = chi.copy()
    for _ in range(_STEPS):
        value, slope = f(t)
        with np.errstate(all="ignore"):
            step = np.where(chaotic, (t - value) / (1.0 - slope), 0.0)
        # convex: from the left of the fixed point every step falls short of it
        new = np.clip(t - np.where(np.isfinite(step), step, 0.0), 0.0, 1.0)
        moved = np.abs(new - t)
        t = new
        if np.all(moved <= 2e-16 * np.maximum(t, 1e-3)):
            break
    _, slope = f(t)
    return t, np.where(t > 0.0, slope, steep)


def _bend(f: Map, t: Array, off: Array) -> Array:
    """How far the slope moves with the correlation."""
    step = np.clip(off, 1e-7, 0.25 * np.maximum(t, 4e-7))
    _, up = f(np.minimum(t + step, 1.0))
    _, down = f(np.maximum(t - step, 0.0))
    _, here = f(t)
    return np.abs(up - down) / (2.0 * step) * off / np.maximum(np.abs(here), 1e-300)


def _noise(dual: Dual, path: Single) -> PairNoise:
    if not uses_power_loops(dual):
        return pair_noise(dual, "limit", path, 0)
    module = kernel_module(dual)
    flat, n = np.zeros_like(path.k[0]), float(dual.degree or 0)
    noise = (module.M_NOISE + 4.0) * UNIT
    slope = (module.T_NOISE + 4.0) * UNIT
    ones = flat + 1.0
    return PairNoise(
        noise,
        slope,
        0.0,
        0.0,
        3.0 * UNIT,
        3.0 * UNIT,
        ones,
        ones,
        ones,
        flat + n,
        flat + abs(n - 1.0),
    )
