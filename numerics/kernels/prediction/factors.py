"""Symmetric matrices decomposed, with a bound of what the decomposition and the matrix itself do not know.

What is computed belongs to a matrix S + E instead of S, with ``slack`` a bound of the norm of E: errors of
the entries, and LAPACK's rounding. For a Cholesky factor that is a theorem, for eigenvectors it is measured.
Sums of n products are taken to have n roundings each in whatever order, which holds for every BLAS that does
not multiply matrices by Strassen's method.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from numerics.errors import SingularKernelError
from numerics.kernels.series.rounding import UNIT

__all__ = ["Applied", "Cholesky", "Gain", "Spectrum", "excess", "norms", "roundings"]

Array = NDArray[np.float64]
Gain = Callable[[Array], Array]


def roundings(count: int) -> float:
    """Relative error of a product with so many roundings, from above (Higham's gamma)."""
    return count * UNIT / (1.0 - count * UNIT)


def norms(columns: Array) -> Array:
    """Euclidean norms of columns."""
    return np.linalg.norm(columns, axis=0)


def excess(matrix: Array, bound: Array) -> float:
    """Return some c with which matrix - c is below ``bound`` in the order of symmetric matrices, or infinity.

    Notes
    -----
    A factorisation of the difference that succeeds proves it, but for n + 1 roundings of the trace.
    """
    n, lost = len(matrix), 1.01 * roundings(len(matrix) + 3) * float(np.trace(matrix + bound))
    try:
        linalg.cholesky(bound - matrix + lost * np.eye(n), lower=True, check_finite=False)
    except linalg.LinAlgError:
        return math.inf
    return 2.0 * lost


class Applied(Protocol):
    """A function g of S + E, of the form g(s) = integral of exp(-s u) over u from 0 to some time."""

    @property
    def norm(self) -> float:
        """Bound of its norm."""
        ...

    def apply(self, columns: Array) -> Array:
        """Return g(S + E) times columns, which are in the factor's basis."""
        ...

    def reach(self, columns: Array) -> Array:
        """Bounds of the integrals of the norms of exp(-(S + E) u) times each column."""
        ...


class Cholesky:
    """Cholesky factor of S, for its inverse.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
    off : float
        Bound of the norm of its error.

    Raises
    ------
    SingularKernelError
        If S is not known to be positive definite.

    Notes
    -----
    The solution for every right-hand side is that of a matrix that differs by 3 n + 1 roundings of |L| |L'|,
    of norm at most the trace (Higham, Theorem 10.4). The smallest eigenvalue is above c if the factorisation
    of S - c succeeds, but for n + 1 roundings of the trace (Rump, BIT 46, 433, 2006). Cost: two
    factorisations.
    """

    turn = 0.0

    norm: float

    def __init__(self, matrix: Array, off: float) -> None:
        n, trace = len(matrix), float(np.trace(matrix))
        self.slack = off + 1.01 * roundings(3 * n + 1) * trace
        self._factor, least = None, 0.0
        try:
            self._factor = linalg.cho_factor(matrix, lower=True, check_finite=False)
            least = _least(matrix, self._factor[0])
        except linalg.LinAlgError:
            pass
        self.norm = _checked(1.0 / least if least > 0.0 else math.inf, self.slack, math.inf)

    def enter(self, columns: Array) -> Array:
        """Columns in the factor's basis: as they are."""
        return columns

    def at(self, gain: Gain, time: float) -> Applied:
        """The inverse, whatever the function."""
        del gain, time
        return self

    def apply(self, columns: Array) -> Array:
        """Return the inverse times columns."""
        assert self._factor is not None
        return linalg.cho_solve(self._factor, columns, check_finite=False)

    def reach(self, columns: Array) -> Array:
        """Norms of the inverse times columns."""
        return norms(self.apply(columns))


class Spectrum:
    """Eigenvectors of S, for functions of it.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
    off : float
        Bound of the norm of its error.

    Attributes
    ----------
    turn : float
        Relative error of what `enter` returns: eigenvectors are orthogonal but for rounding.

    Notes
    -----
    What LAPACK returns is V = Q H with Q orthogonal and |H - 1| <= |V'V - 1|, so that S + E = Q diag(s) Q'
    with |E| bounded by the residual |S - V diag(s) V'| and by |V'V - 1|. Both are computed, with their own
    rounding. Cost: the decomposition and two products of matrices.
    """

    def __init__(self, matrix: Array, off: float) -> None:
        n = len(matrix)
        self.values, self._vectors = linalg.eigh(matrix, check_finite=False)
        v, size = self._vectors, float(np.abs(self.values).sum())
        tilt = float(np.linalg.norm(v.T @ v - np.eye(n))) + 1.01 * roundings(n + 1) * n
        rest = float(np.linalg.norm(matrix - (v * self.values) @ v.T))
        rest += 1.01 * roundings(n + 3) * size
        largest = float(np.abs(self.values).max())
        self.slack = off + rest + (2.0 + tilt) * tilt * largest
        self.turn = tilt + 1.01 * roundings(n) * math.sqrt(n)

    def enter(self, columns: Array) -> Array:
        """Columns in the basis of eigenvectors."""
        return self._vectors.T @ columns

    def at(self, gain: Gain, time: float) -> Applied:
        """A function of the eigenvalues.

        Raises
        ------
        SingularKernelError
            If the slack decides what it is.
        """
        with np.errstate(divide="ignore", over="ignore"):
            # the smallest number in the place of 0, where g is continuous
            values = np.abs(gain(np.where(self.values == 0.0, 1e-300, self.values)))
        if time == math.inf and not self.values[0] > 0.0:
            values = np.full(len(values), math.inf)
        _checked(float(values.max()), self.slack, time)
        return _Diagonal(values[:, None], time)


@dataclass(frozen=True)
class _Diagonal:
    """A function of eigenvalues; see `Applied`."""

    values: Array
    time: float

    @property
    def norm(self) -> float:
        return float(self.values.max())

    def apply(self, columns: Array) -> Array:
        return self.values * columns

    def reach(self, columns: Array) -> Array:
        if self.time == math.inf:  # A - A' = -A' E A needs no integral
            return norms(self.apply(columns))
        return np.abs(self.apply(columns)).sum(axis=0)


def _least(matrix: Array, factor: Array) -> float:
    """A lower bound of the smallest eigenvalue, from an estimate that a factorisation verifies; 0 if none."""
    n, size = len(matrix), float(np.abs(matrix).sum(axis=0).max())
    guess = float(linalg.lapack.dpocon(factor, size, uplo="L")[0]) * size
    lost = 1.01 * roundings(n + 2) * float(np.trace(matrix))
    for share in (0.5, 0.125, 0.01):
        try:
            linalg.cholesky(matrix - share * guess * np.eye(n), lower=True, check_finite=False)
        except linalg.LinAlgError:
            continue
        return share * guess - lost
    return 0.0


def _checked(norm: float, slack: float, time: float) -> float:
    """Refuse what the slack decides."""
    if norm * slack <= 0.5:
        return norm
    when = "" if time == math.inf else f" at t = {time:g}"
    raise SingularKernelError(
        f"the training inputs' kernel is too nearly singular{when}: it would have to be known to "
        f"{0.5 / norm:.2g} and is to {slack:.2g}; take a ridge above {64.0 * slack:.1g}, or leave out "
        "inputs that are nearly equal"
    )
