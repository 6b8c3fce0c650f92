"""Random instances of binary perceptrons, and the exact check of what is said to solve them.

Conventions: G has m rows and n columns of independent N(0, 1) entries, x is in {-1, +1}^n, and row i
holds when ``lower <= (G x)_i / sqrt(n) <= upper``. That is [-kappa, kappa] for the symmetric
perceptron and [kappa, oo) for the asymmetric one; `theory` writes the same with x / sqrt(n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from theory import Model

__all__ = ["Instance", "draw_instance", "draw_of_kind", "kind_of", "violated_rows"]

KINDS = ("sbp", "abp")
_LARGEST = 1e30


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance of a binary perceptron.

    Parameters
    ----------
    kind : {"sbp", "abp"}
        Symmetric, |Gx| <= kappa sqrt(n), or asymmetric, Gx >= kappa sqrt(n).
    kappa : float
        Margin, at most 1e30 in size, as algorithms work in single precision; positive for the symmetric
        perceptron.
    matrix : numpy.ndarray
        G, float64, shape (m, n), m >= 1 and n >= 1, finite. Made read-only.
    seed : int, optional
        What it was drawn from, if it was drawn.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """

    kind: str
    kappa: float
    matrix: NDArray[np.float64]
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check the parts."""
        if self.kind not in KINDS:
            raise ValueError(f"an instance is of kind {' or '.join(KINDS)}, got {self.kind!r}")
        kappa = _margin(self.kind, self.kappa)
        matrix = np.array(self.matrix, dtype=np.float64, order="C")
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(f"the matrix must be m x n with m, n >= 1, got shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise ValueError("the matrix has entries that are not finite")
        matrix.flags.writeable = False
        object.__setattr__(self, "kappa", kappa)
        object.__setattr__(self, "matrix", matrix)

    @property
    def m(self) -> int:
        """Number of rows."""
        return self.matrix.shape[0]

    @property
    def n(self) -> int:
        """Number of columns, the length of x."""
        return self.matrix.shape[1]

    @property
    def alpha(self) -> float:
        """The density m/n."""
        return self.m / self.n

    @property
    def lower(self) -> float:
        """Smallest allowed value of a row of G x / sqrt(n)."""
        return -self.kappa if self.kind == "sbp" else self.kappa

    @property
    def upper(self) -> float:
        """Largest allowed value of a row of G x / sqrt(n); infinite for the asymmetric one."""
        return self.kappa if self.kind == "sbp" else math.inf

    def leading(self, rows: int) -> Instance:
        """Return the instance of the first ``rows`` rows, 1 <= rows <= m."""
        if not 1 <= rows <= self.m:
            raise ValueError(f"rows must be between 1 and {self.m}, got {rows}")
        return Instance(self.kind, self.kappa, self.matrix[:rows], self.seed)

    def __repr__(self) -> str:
        """Everything but the matrix."""
        return (
            f"Instance({self.kind}, kappa={self.kappa:g}, m={self.m}, n={self.n}, seed={self.seed})"
        )


def draw_instance(
    model: Model, n: int, alpha: float | None = None, *, m: int | None = None, seed: int = 0
) -> Instance:
    """Draw an instance of a model.

    Parameters
    ----------
    model : theory.Model
        ``SBP(kappa)`` or ``ABP(kappa)`` with a numeric margin.
    n : int
        Number of columns, at least 1.
    alpha : float, optional
        Density; m = round(alpha n), at least one row.
    m : int, optional
        Number of rows, instead of alpha.
    seed : int, default 0
        Not negative. The rows are drawn one after the other: with the same n and seed, fewer rows
        are the first ones of more.

    Returns
    -------
    Instance

    Raises
    ------
    TypeError, ValueError
        For a model of another kind or with a symbolic margin, n < 1, alpha that is not positive and
        finite, m < 1, both or neither of alpha and m, a negative seed.
    """
    kind, kappa = kind_of(model)
    return draw_of_kind(kind, kappa, n, alpha, m=m, seed=seed)


def draw_of_kind(
    kind: str,
    kappa: float,
    n: int,
    alpha: float | None = None,
    *,
    m: int | None = None,
    seed: int = 0,
) -> Instance:
    """Draw an instance without a `theory.Model`, and without loading theory.

    Parameters
    ----------
    kind, kappa
        As for `Instance`.
    n, alpha, m, seed
        As for `draw_instance`.

    Returns
    -------
    Instance

    Raises
    ------
    TypeError, ValueError
        As `draw_instance`.
    """
    n = _whole("n", n, 1)
    seed = _whole("seed", seed, 0)
    if (alpha is None) == (m is None):
        raise ValueError("give either alpha or m")
    if alpha is not None:
        if not (math.isfinite(alpha) and alpha > 0.0):
            raise ValueError(f"alpha must be positive and finite, got {alpha}")
        m = max(1, round(alpha * n))
    rows = _whole("m", m, 1)
    return Instance(kind, kappa, np.random.default_rng(seed).standard_normal((rows, n)), seed)


def violated_rows(instance: Instance, weights: NDArray[Any]) -> NDArray[np.int64]:
    """Which rows a configuration violates, exactly.

    Independent of every solver: nothing compiled, no single precision.

    Parameters
    ----------
    instance : Instance
    weights : array_like
        Shape (n,), entries -1 or +1.

    Returns
    -------
    numpy.ndarray
        Indices of the violated rows, ascending.

    Raises
    ------
    ValueError
        For another shape or other entries.

    Notes
    -----
    G x in double precision is off by less than n eps sum_j |G_ij|. Rows whose value is further than
    that from every bound are decided by it; the others by rational arithmetic, comparing squares, as
    sqrt(n) is irrational.
    """
    x = np.asarray(weights)
    if x.shape != (instance.n,) or not np.isin(x, (-1, 1)).all():
        raise ValueError(f"weights must be {instance.n} numbers -1 or +1, got shape {x.shape}")
    x = x.astype(np.float64)
    fields = instance.matrix @ x
    slack = 4.0 * instance.n * np.finfo(float).eps * (1.0 + np.abs(instance.matrix).sum(axis=1))
    bound = instance.kappa * math.sqrt(instance.n)
    inside = np.abs(fields) - bound if instance.kind == "sbp" else bound - fields
    bad = inside > 0.0
    for row in np.flatnonzero(np.abs(inside) <= slack):
        bad[row] = not _holds(instance, int(row), x)
    return np.flatnonzero(bad)


def _holds(instance: Instance, row: int, x: NDArray[np.float64]) -> bool:
    field = sum(
        (Fraction(g) * int(s) for g, s in zip(instance.matrix[row].tolist(), x, strict=True)),
        start=Fraction(0),
    )
    kappa, square = Fraction(instance.kappa), Fraction(instance.kappa) ** 2 * instance.n
    if instance.kind == "sbp":
        return field**2 <= square
    if kappa >= 0:
        return field >= 0 and field**2 >= square
    return field >= 0 or field**2 <= square


def kind_of(model: Model) -> tuple[str, float]:
    """Kind and margin of a model that has instances.

    Raises
    ------
    TypeError
        If it has none.
    ValueError
        If its margin is not a number.
    """
    name = getattr(model, "name", None)
    if name not in KINDS:
        raise TypeError(f"instances are of theory.SBP or theory.ABP, got {model}")
    kappa = model.kappa  # pyright: ignore[reportAttributeAccessIssue]
    if not kappa.is_number:
        raise ValueError(f"{name} needs a number for kappa to draw an instance")
    return name, _margin(name, kappa)


def _margin(kind: str, kappa: Any) -> float:
    try:
        number = float(kappa)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (kind == "sbp" and number <= 0.0):
        wanted = "positive and finite" if kind == "sbp" else "finite"
        raise ValueError(
            f"kappa must be {wanted} in doubles for an instance, got {str(kappa)[:40]}"
        )
    if abs(number) > _LARGEST:
        raise ValueError(f"kappa must be at most {_LARGEST:g} for an instance, got {number:g}")
    return number


def _whole(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)
