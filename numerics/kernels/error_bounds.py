"""What becomes of errors: which pairs are followed, computed again, or reported.

A bound for all pairs at once costs nothing and is enough in ordered networks. Where it is not, every pair
is followed with its own slopes; those that come out too coarse are computed again in balls, from the inputs
themselves, as far as the budget goes; the rest is reported, with a warning.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import AccuracyWarning, DivergenceError
from numerics.kernels.loops.code import uses_power_loops
from theory.kernels.definiteness import Definiteness
from theory.kernels.duals import Dual

from .inputs import Side, equal_rows
from .refine import Equilibria, Layers, refined
from .tiles import Band, check_memory

__all__ = ["AccuracyWarning", "Errors", "Own", "warn_of_single_inputs"]

Array = NDArray[np.float64]
FOLLOWED = 100_000
"""Pairs times layers that are followed in any case: their bounds are closer."""
GOOD, FAIR = 3e-14, 1e-12
"""Errors that are left as they are: where computing a pair again costs little, and elsewhere."""
LITTLE = 20_000
"""Pairs times layers that cost little: about a second."""
POOR = 1e-10
"""Errors beyond which a warning says so."""
ROUNDED = 3e-16
"""Of what a single input's kernel takes on the way into a matrix, relative."""


@dataclass(frozen=True)
class Own:
    """The kernels of single inputs of each side, their relative errors, and whether there is no bias.

    Of some rows of a symmetric matrix: which.
    """

    values: list[tuple[Array, ...]]
    errors: tuple[float, ...]
    central: bool
    band: Band | None = None

    def take(self, band: Band) -> Own:
        """Those of the inputs of a band."""
        ends = zip((self.values[0], self.values[-1]), (band.rows, band.across), strict=True)
        values = [tuple(v[part] for v in side) for side, part in ends]
        return Own(values, self.errors, self.central, band)


def warn_of_single_inputs(error: float, stacklevel: int = 4) -> None:
    """Say so where the bound of the errors of single inputs is a poor one."""
    if error > POOR:
        warnings.warn(
            f"kernels of single inputs have errors up to {error:.1g}: the network amplifies what doubles "
            "resolve of their variances",
            AccuracyWarning,
            stacklevel=stacklevel,
        )


class Errors:
    """Errors of one result.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    shape : tuple of int
        Of the Gram matrices, or of a band of them.
    depth : int
        Evaluations of D for a pair.
    kernels : int
        How many matrices there are.
    pairs : int, optional
        Of the whole matrices, of which this is a band.

    Attributes
    ----------
    marks : ndarray, shape (kernels, n1, n2) or (kernels, 0, n2)
        Where the loops put bounds of errors, relative to sqrt(k_ii k_jj) of the first kernel.
    largest : float
        Bound of all errors, once they are settled.
    """

    def __init__(
        self,
        dual: Dual,
        shape: tuple[int, int],
        depth: int,
        kernels: int = 2,
        pairs: int | None = None,
    ) -> None:
        self.dual, self.shape, self.kernels = dual, shape, kernels
        self.exact_ends = uses_power_loops(dual)
        self.work = (shape[0] * shape[1] if pairs is None else pairs) * depth
        self.marks = np.zeros((kernels, 0, shape[1]), dtype=np.float32)
        self.largest = 0.0

    def follow(self, bound: float) -> bool:
        """Whether pairs are followed, given a bound for all of them; makes room for it."""
        if self.work > FOLLOWED and bound <= FAIR:
            return False
        check_memory(
            *self.shape, self.kernels, extra=4 * self.kernels * self.shape[0] * self.shape[1]
        )
        self.marks = np.zeros((self.kernels, *self.shape), dtype=np.float32)
        return True

    def settle(
        self,
        sides: list[Side],
        model: Layers | Equilibria | None,
        matrices: Sequence[Array],
        own: Own,
        bounds: Sequence[float],
    ) -> None:
        """Put in what single inputs know, compute the worst pairs again, and find `largest`.

        Parameters
        ----------
        sides : list of Side
            One, for symmetric matrices, or two.
        model : Layers or Equilibria, optional
            What computes pairs again.
        matrices : sequence of ndarray, shape (n1, n2)
            Changed in place.
        own : Own
        bounds : sequence of float
            For all pairs, where they are not followed.
        """
        one, two, band = sides[0], sides[-1], own.band
        if band is not None:
            band.mirror(*matrices, *(self.marks if self.marks.shape[1] else ()))
        known: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        senses = [1.0]
        parity = Definiteness(self.dual.activation).parity
        if own.central and parity:
            senses.append(-1.0)
        for sense in senses:
            sign = 1.0 if sense > 0.0 or parity > 0 else -1.0
            if sense < 0.0 and self.kernels == 3 and parity > 0:
                continue  # the inputs' covariance is added again, and is odd
            rows, columns = equal_rows(one, two, sense)
            for matrix, value in zip(matrices, own.values[0], strict=True):
                matrix[rows, columns] = sign * value[rows] + 0.0  # one zero, not two
            known.append((rows, columns))
        count = sum(len(rows) for rows, _ in known)
        self.largest = max(own.errors) + ROUNDED if count else 0.0
        warn_of_single_inputs(self.largest, stacklevel=5)
        if count >= self.shape[0] * self.shape[1] and known[0][0].size == count:
            return
        if not self.marks.shape[1]:
            self.largest = max(self.largest, *bounds)
            return
        error = self._relative(matrices, own)
        for rows, columns in known:
            error[rows, columns] = 0.0
        coarse = error > (GOOD if self.dual.is_closed and self.work <= LITTLE else FAIR)
        symmetric = len(sides) == 1 if band is None else band.mirrored
        if symmetric:
            coarse = np.triu(coarse)
        if coarse.any() and model is not None:
            ends = own.values if symmetric else ()
            done, certain = refined(model, sides, matrices, error, coarse, ends)
            error[done] = certain
            if band is not None:
                band.mirror(*matrices, error)
        self._check(matrices, own)
        self.largest = max(self.largest, float(error.max()))
        left = int((error > POOR).sum())
        if left:
            warnings.warn(
                f"{left} of {error.size} pairs have errors up to {error.max():.1g}: the network amplifies "
                "what doubles resolve of them, and they are too many, or too close, to be computed again in "
                "higher precision",
                AccuracyWarning,
                stacklevel=4,
            )

    def _check(self, matrices: Sequence[Array], own: Own) -> None:
        """Refuse what is no number, or infinite between inputs whose own kernels are finite."""
        lost = np.zeros(self.shape, dtype=bool)
        for matrix, one, two in zip(matrices, own.values[0], own.values[-1], strict=True):
            finite = np.isfinite(one)[:, None] & np.isfinite(two)
            lost |= np.isnan(matrix) | (np.isinf(matrix) & finite & ~np.array(self.exact_ends))
        if lost.any():
            raise DivergenceError(
                f"the kernels of {int(lost.sum())} of {lost.size} pairs leave the range of doubles "
                "on their way; make sigma_w, the inputs or the depth smaller, or write the activation "
                "without parts that overflow"
            )

    def _relative(self, matrices: Sequence[Array], own: Own) -> Array:
        """The largest error of the kernels of each pair, relative to sqrt(k_ii k_jj)."""
        worst = np.zeros(self.shape)
        scale: Array | None = None
        with np.errstate(all="ignore"):
            for mark, matrix, one, two in zip(
                self.marks, matrices, own.values[0], own.values[-1], strict=True
            ):
                size = np.sqrt(np.abs(one))[:, None] * np.sqrt(np.abs(two))
                scale = size if scale is None else scale  # marks are relative to the first kernel
                bounded = np.isfinite(size)
                size = np.where(bounded, size, np.abs(matrix))
                error = np.divide(mark * scale, size, out=np.zeros(self.shape), where=size > 0.0)
                # Cauchy and Schwarz, of both the value and what it should be
                error[bounded] = np.minimum(error[bounded], 2.0)
                error[~np.isfinite(matrix) | np.isnan(mark)] = math.inf
                if self.exact_ends:  # infinite where, and only where, inputs are collinear
                    error[np.isinf(matrix)] = 0.0
                worst = np.maximum(worst, error)
        if len(own.values) == 1:  # tiles fill the upper triangle
            worst = np.triu(worst) + np.triu(worst, 1).T
        return worst * (1.0 + 1e-6)
