"""Which inputs make the NNGP matrix of an equilibrium model singular, exactly.

Inputs are the rational numbers that doubles are; the conditions are those of `theory.kernels.definiteness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray
from sympy import Rational

from theory.kernels.activations import Activation
from theory.kernels.definiteness import Definiteness

from .inputs import row_keys

__all__ = ["singular_note"]

Array = NDArray[np.float64]
_RANK = 400
"""Largest matrix whose rank is computed exactly."""


def singular_note(
    activation: Activation,
    x: Array,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float,
    sigma_v: float,
) -> str:
    """Say why the matrix is singular, if it is.

    Parameters
    ----------
    activation : Activation
    x : ndarray, shape (n, d)
    sigma_w, sigma_u, sigma_b, sigma_v : float

    Returns
    -------
    str
        Empty where no reason is found. By the theorem there is none then if all scales but sigma_b are
        positive, n is at most 400 where phi is affine, and phi is Lipschitz.
    """
    shape = Definiteness(activation)
    if sigma_v == 0.0:
        return "the NNGP matrix is singular: sigma_v is 0"
    if shape.affine is not None:
        return _affine(shape.affine, x, sigma_u, sigma_b)
    if sigma_u == 0.0:
        return (
            "" if len(x) < 2 else "the NNGP matrix is singular: sigma_u is 0, all inputs are alike"
        )
    if sigma_b == 0.0 and shape.vanishes and not x.any(axis=1).all():
        row = int(np.argmin(x.any(axis=1)))
        return f"the NNGP matrix is singular: input {row} is zero, and phi(0) = 0 without bias"
    for i, j, t in _collinear(x, sigma_b != 0.0):
        if t == 1:
            return f"the NNGP matrix is singular: inputs {i} and {j} are equal"
        factor = Rational(t.numerator, t.denominator)
        if shape.homogeneous(factor) or (sigma_w == 0.0 and shape.proportional(factor)):
            why = "parallel and phi is homogeneous"
            if t == -1:
                why = f"opposite and phi is {'odd' if shape.parity < 0 else 'even'}"
            return f"the NNGP matrix is singular: inputs {i} and {j} are {why}, without bias"
    return ""


def _affine(line: tuple[object, object], x: Array, sigma_u: float, sigma_b: float) -> str:
    """phi(x) = alpha x + beta: G is the Gram matrix of (alpha s_i, beta) up to a factor."""
    alpha, beta = line
    wide = x.shape[1] if sigma_u > 0.0 and alpha != 0 else 0
    constant = int((sigma_b > 0.0 and alpha != 0) or beta != 0)
    n = len(x)
    rank = min(n, wide + constant)
    if rank == n and n <= _RANK:
        rows = [[_exact(v) for v in row] if wide else [] for row in x]
        if constant:
            rows = [[*row, fmpq(1)] for row in rows]
        rank = fmpq_mat(n, len(rows[0]), [v for row in rows for v in row]).rank() if rows[0] else 0
    if rank == n:
        return ""
    return f"the NNGP matrix is singular: phi is affine, and {n} inputs span {rank} dimensions"


def _exact(value: float) -> fmpq:
    ratio = Fraction(float(value))
    return fmpq(ratio.numerator, ratio.denominator)


def _collinear(x: Array, bias: bool) -> Iterator[tuple[int, int, Fraction]]:
    """Pairs i < j with x_j = t x_i; with a bias only equal ones."""
    plain = x + 0.0
    pivots = np.take_along_axis(plain, np.abs(plain).argmax(axis=1)[:, None], axis=1)
    if not bias:
        scaled = np.divide(plain, pivots, out=plain.copy(), where=pivots != 0.0)
        plain = np.asarray(np.round(scaled, 12), dtype=np.float64)
    seen: dict[bytes, list[int]] = {}
    for j, key in enumerate(row_keys(plain)):
        others = seen.setdefault(key, [])
        for i in others:
            t = _ratio(x[i], x[j])
            if t is not None:
                yield i, j, t
        others.append(j)


def _ratio(one: Array, two: Array) -> Fraction | None:
    """Return t, if two is t times one, exactly."""
    if np.array_equal(one, two):
        return Fraction(1)
    pivot = int(np.argmax(np.abs(one)))
    if one[pivot] == 0.0 or not two.any():
        return None
    t = Fraction(float(two[pivot])) / Fraction(float(one[pivot]))
    same = all(Fraction(float(b)) == t * Fraction(float(a)) for a, b in zip(one, two, strict=True))
    return t if same else None
