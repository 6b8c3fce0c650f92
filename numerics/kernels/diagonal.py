"""Single inputs: variances and tangent kernels, layer by layer, before any pair."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.errors import DivergenceError
from numerics.kernels.loops.code import kernel_module, uses_power_loops, uses_series
from numerics.kernels.loops.functions import functions
from numerics.kernels.series.series import ENOUGH, EXTRA, Tables, series
from theory.kernels import recursion
from theory.kernels.duals import Dual, Tangent

__all__ = [
    "LIMIT",
    "SMALLEST",
    "Single",
    "advance",
    "check_path",
    "packed",
    "representatives",
    "stacked",
]

Array = NDArray[np.float64]
LIMIT = 1e150
"""Variances beyond this, or below its inverse, have determinants outside the range of doubles."""
SMALLEST = 1e-300
"""Variances below this lose digits."""
_REPRESENTATIVES = 11


@dataclass(frozen=True)
class Single:
    """Inputs on their own, through some layers.

    Attributes
    ----------
    k, ntk : ndarray, shape (layers + 1, n)
        Variances and tangent kernels before each layer and after the last.
    angles : tuple of ndarray, shape (layers, n)
        For homogeneous activations, what `numerics.kernels.loops.power` needs.
    tables : tuple of Tables
        For series, those of each layer.
    """

    k: Array
    ntk: Array
    angles: tuple[Array, ...] = ()
    tables: tuple[Tables, ...] = field(default=())

    def take(self, part: slice) -> Single:
        """Some of the inputs; tables keep as many coefficients as all have."""
        k, ntk, *angles = (
            np.ascontiguousarray(v[:, part]) for v in (self.k, self.ntk, *self.angles)
        )
        tables = (
            replace(
                table,
                rows=table.rows[:, part],
                **{name: getattr(table, name)[part] for name in _COLUMNS},
            )
            for table in self.tables
        )
        return Single(k, ntk, tuple(angles), tuple(tables))


_COLUMNS = ("second", "slopes", "steep", "slope_steep")
"""What tables hold for each input, besides their rows."""


def advance(
    dual: Dual,
    tangent: Tangent,
    k: Array,
    ntk: Array,
    sw2: Array,
    sb2: Array,
    pairs: bool = True,
) -> Single:
    """Run the single-input recursion.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    tangent : {"limit", "almost_everywhere"}
    k, ntk : ndarray, shape (n,)
        Before the first of the layers.
    sw2, sb2 : ndarray, shape (layers,)
    pairs : bool, default True
        Whether pairs of the inputs follow, which need the tables of series.

    Returns
    -------
    Single
        May hold infinities; see `check_path`.
    """
    count, n = len(sw2), len(k)
    ks, ntks = np.empty((count + 1, n)), np.empty((count + 1, n))
    ks[0], ntks[0] = k, ntk
    if uses_series(dual):
        return _by_series(dual, tangent, ks, ntks, sw2, sb2, pairs)
    module = kernel_module(dual, tangent)
    with np.errstate(all="ignore"):
        if uses_power_loops(dual):
            angles = tuple(np.empty((count, n)) for _ in range(4))
            module.diagonal(ks, ntks, sw2, sb2, *angles)
            return Single(ks, ntks, angles)
        module.diagonal(ks, ntks, sw2, sb2)
    return Single(ks, ntks)


def _by_series(
    dual: Dual, tangent: Tangent, k: Array, ntk: Array, sw2: Array, sb2: Array, pairs: bool
) -> Single:
    own = series(dual.activation)
    infinite = (tangent == "limit" and not own.smooth) or dual.existence.largest_slope == 0
    tables: list[Tables] = []
    for layer, (scale, bias) in enumerate(zip(sw2, sb2, strict=True)):
        fine = (k[layer] < float(dual.existence.largest)) & (k[layer] < LIMIT)
        if not fine.all():
            k[layer + 1 :], ntk[layer + 1 :] = np.nan, np.nan
            break
        if pairs:
            tables.append(own.tables(k[layer]))
            second, slopes = tables[-1].second, tables[-1].slopes
        else:
            second, slopes, _ = own.second_moments(k[layer])
        k[layer + 1] = recursion.layer(second, scale, bias)
        slopes = np.where(k[layer] > 0.0, np.inf, 0.0) if infinite else slopes
        with np.errstate(invalid="ignore"):
            # nothing times an infinite slope is nothing
            slopes = np.where(ntk[layer] * scale != 0.0, slopes, 0.0)
            ntk[layer + 1] = recursion.tangent(k[layer + 1], slopes, ntk[layer], scale)
    return Single(k, ntk, tables=tuple(tables))


def representatives(k: Array) -> Array:
    """Some of the variances, the smallest and the largest among them."""
    ordered = np.unique(k)
    places = np.linspace(0, len(ordered) - 1, min(_REPRESENTATIVES, len(ordered))).astype(int)
    return ordered[places]


def check_path(
    dual: Dual, tangent: Tangent, path: Single, sw2: Array, readout: bool = True
) -> None:
    """Refuse what leaves the domain of D or the range of doubles.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    tangent : {"limit", "almost_everywhere"}
    path : Single
    sw2 : ndarray, shape (layers,)
    readout : bool
        Whether what follows the last layer is the readout.

    Raises
    ------
    DivergenceError
        Saying which layer, and what its variance is.
    """
    k = path.k
    limit = min(float(dual.existence.largest), LIMIT)
    least = SMALLEST if uses_power_loops(dual) else 1.0 / LIMIT
    wrong = ~(k < limit) | ((k > 0.0) & (k < least))
    if readout:  # no layer follows it: it has to be in range only
        wrong[-1] = ~np.isfinite(k[-1]) | ((k[-1] > 0.0) & (k[-1] < SMALLEST))
    if dual.activation.expr != 0:  # what was not zero and is, is lost
        wrong[1:] |= (k[1:] == 0.0) & (k[:-1] > 0.0) & (sw2[:, None] > 0.0)
    if wrong.any():
        layer, column = np.argwhere(wrong)[0]
        if layer and np.isnan(k[layer, column]):
            raise DivergenceError(
                f"the closed form of E phi(u)^2 has parts outside the range of doubles at variance "
                f"{k[layer - 1, column]:.3g}, before layer {layer + 1}; make sigma_w or the inputs smaller"
            )
        _refuse(dual, layer, float(k[layer, column]), limit)
    infinite = tangent == "limit" and not dual.existence.smooth
    if not infinite and not np.isfinite(path.ntk).all():
        layer, column = np.argwhere(~np.isfinite(path.ntk))[0]
        raise DivergenceError(
            f"the tangent kernel is {path.ntk[layer, column]:.3g} after layer {layer}: E phi'(u)^2 is "
            "infinite or outside the range of doubles; make sigma_w, the inputs or the depth smaller"
        )


def _refuse(dual: Dual, layer: int, value: float, limit: float) -> None:
    where = f"layer {layer + 1} has variance {value:.3g}"
    if value < limit and value < 1.0:
        raise DivergenceError(
            f"{where}, below the range of doubles; scale the inputs or sigma_w up"
        )
    if limit < LIMIT and not value < limit:
        raise DivergenceError(
            f"E phi(u)^2 exists for variances below {limit:.6g} only ({dual.exists} with k11 the "
            f"variance), but {where}; make sigma_w or the inputs smaller"
        )
    raise DivergenceError(
        f"the kernel map does not contract: {where}, outside the range of doubles; "
        "make sigma_w, the inputs or the depth smaller"
    )


def stacked(one: Single, two: Single) -> tuple[Array, Array]:
    """Tables of some layers of both sides, all with as many coefficients; those that are not there are 0."""
    count = max((len(t.rows) for path in (one, two) for t in path.tables), default=0)
    first = _stacked(one, count)
    return first, first if two is one else _stacked(two, count)


def _stacked(path: Single, count: int) -> Array:
    if not path.tables:
        return np.zeros((len(path.k), 0, path.k.shape[1]))
    made = np.zeros((len(path.tables), count, path.k.shape[1]))
    for layer, table in enumerate(path.tables):
        own = len(table.rows) - EXTRA
        made[layer, :own] = table.rows[:own]
        made[layer, -EXTRA:] = table.rows[own:]
    return made


def packed(dual: Dual, tangent: Tangent, *paths: Single) -> tuple[Any, ...]:
    """The activation itself, where series are summed or quadrature takes their place."""
    if not uses_series(dual):
        return ()
    own = functions(dual.activation, tangent)
    tables = [table for path in paths for table in path.tables]
    largest = max(float(path.k[: len(path.tables)].max(initial=0.0)) for path in paths)
    return own.packed(largest, not own.sums_slope or any(t.left > ENOUGH for t in tables))
