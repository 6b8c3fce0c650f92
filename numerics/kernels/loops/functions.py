"""An activation as compiled functions and numbers, for loops that are the same for all activations."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from numerics.codegen import generated_module
from numerics.kernels.series.mesh import mesh
from numerics.kernels.series.series import series
from theory.kernels.activations import Activation
from theory.kernels.duals import Tangent
from theory.kernels.existence import logistic, sums_in_logarithms

from .code import printed

__all__ = ["Functions", "functions"]

Array = NDArray[np.float64]
NO_TABLES = np.zeros((0, 5)), np.zeros((0, 2, 1, 1, 1))
"""Where no pairs are between values, see `numerics.kernels.loops.between.taken`."""


class Functions:
    """phi and its slope.

    Parameters
    ----------
    activation : Activation
    tangent : {"limit", "almost_everywhere"}
        Whether deltas at jumps belong to the slope.
    """

    def __init__(self, activation: Activation, tangent: Tangent) -> None:
        self.activation = activation
        self._series = series(activation)
        existence = activation.existence
        jumps = bool(existence.jumps) and tangent == "limit"
        self.sums_slope = tangent == "limit" or not existence.jumps
        self.places = np.array([float(b) for _, b, _ in existence.pieces[:-1]])
        heights = {float(j.place): float(j.height) for j in existence.jumps} if jumps else {}
        self.heights = np.array([heights.get(p, 0.0) for p in self.places])
        self.shape = np.array(
            [
                self._series.first,
                self._series.step,
                not self._series.smooth,
                self.sums_slope,
                jumps,
                0,
            ],
            dtype=np.int64,
        )

    def packed(self, largest: float, needed: bool = True) -> tuple[Any, ...]:
        """What the loops take.

        Parameters
        ----------
        largest : float
            The largest variance.
        needed : bool
            Whether quadrature may be needed; else nothing is compiled.

        Returns
        -------
        tuple
            first order, step, whether phi' is not square integrable, whether the slope is summed, whether phi
            jumps, whether quadrature may be needed; places of kinks; heights of jumps; ends of panels; how
            far to follow normal variables; phi and phi'; no tables of `numerics.kernels.series.between`.
        """
        if not needed:
            none = np.zeros(0)
            return self.shape, none, none, none, none, _nothing, *NO_TABLES
        own = mesh(self.activation)
        reach = own.edge(max(largest, 1e-300)) * float(np.sqrt(largest))
        ends = np.array(sorted({*self.places.tolist(), *own.ends(max(reach, 1e-6))}))
        shape = self.shape.copy()
        shape[-1] = 1
        phi = _compiled(self.activation)
        return shape, self.places, self.heights, ends, self._edges, phi, *NO_TABLES

    @cached_property
    def _edges(self) -> Array:
        """How far to follow normal variables, in units of the root of their variance."""
        own = mesh(self.activation)
        return np.array([own.edge(2.0 ** (j / 2 - 40.0)) for j in range(161)])


_POINTER = types.CPointer(types.float64)
_SIGNATURE = types.void(_POINTER, _POINTER, _POINTER, types.intp)


@numba.cfunc(_SIGNATURE, cache=True)
def _nothing(x: Any, value: Any, slope: Any, count: int) -> None:
    return


@lru_cache(maxsize=64)
def _compiled(activation: Activation) -> Any:
    """Phi and phi' at many places: pointers to these, to two results, and their number."""
    existence, symbol = activation.existence, activation.symbol
    lines = [
        "import math", "", "import numba", "from numba import types", "",
        "_P = types.CPointer(types.float64)", "", "",
        '@numba.cfunc(types.void(_P, _P, _P, types.intp), cache=True, error_model="numpy")',
        "def both(places, value, slope, count):", "    for i in range(count):",
        f"        {symbol} = places[i]",
    ]  # fmt: skip
    word = "if"
    for (_, upper, f), (_, _, g) in zip(existence.pieces, existence.slopes, strict=True):
        *shared, last = printed([sums_in_logarithms(logistic(f)), g], angles=False)
        if not upper.is_infinite:  # is_finite is None for erfinv
            lines.append(f"        {word} {symbol} < {float(upper)!r}:")
            word = "elif"
        else:
            lines.append("        else:" if word == "elif" else "        if True:")
        lines += [f"            {line}" for line in shared]
        lines.append(f"            value[i], slope[i] = {last.removeprefix('return ')}")
    if existence.infinite:
        # a node that is rounded to a singular place: what is left out there is among the bounds
        for name in ("value", "slope"):
            lines.append(f"        if not math.isfinite({name}[i]):")
            lines.append(f"            {name}[i] = 0.0")
    return generated_module("activation", "\n".join(lines) + "\n").both


@lru_cache(maxsize=64)
def functions(activation: Activation, tangent: Tangent) -> Functions:
    """Return the functions of an activation."""
    return Functions(activation, tangent)
