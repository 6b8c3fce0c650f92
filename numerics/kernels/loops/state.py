"""What the loops and those who call them hand on together.

Generated modules import this instead of pasting it: numba tells arguments by the names of their classes, and
if two modules had a class of the same name each, every call would type its arguments anew. Arrays are of
doubles, C-contiguous where they are not slices. Sides are called one, whose inputs are rows of the matrices,
and two, whose inputs are columns. Loops over pairs take fields apart first: to read one counts references,
which costs more than the arithmetic. What is used once is put in place by numba (``inline``), which compiles
faster.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Inputs(NamedTuple):
    """Layer 1 of both sides: inputs x and unit vectors z, those of side two as columns."""

    x: np.ndarray
    z: np.ndarray
    xt: np.ndarray
    zt: np.ndarray
    scale: float
    """sigma_w^2/d, so that K_1 = scale <x, x'> + b2."""
    b2: float


class Matrices(NamedTuple):
    """What the loops fill, of shape (n1, n2)."""

    nngp: np.ndarray
    ntk: np.ndarray
    fixed: np.ndarray
    """The fixed point; without rows where there is none."""
    marks: np.ndarray
    """Bounds of errors, a matrix for each kernel; without rows if they are not wanted."""
    mirrored: bool
    """Whether only the upper triangle is computed, and copied."""


class Pairs(NamedTuple):
    """One input with others: k12, k11 k22 - k12^2, and the variances of u - v and u + v."""

    c: np.ndarray
    det: np.ndarray
    delta: np.ndarray
    sigma: np.ndarray


class Layers(NamedTuple):
    """Variances of both sides, shape (layers + 1, n), and sigma^2 of what follows each layer."""

    one: np.ndarray
    two: np.ndarray
    sw2: np.ndarray
    sb2: np.ndarray


class Angles(NamedTuple):
    """One side, from `diagonal`: roots of layer 1's variances, and for each layer what `Turn` says."""

    q: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    root: np.ndarray
    slope: np.ndarray


class Scales(NamedTuple):
    """sigma^2 of the recurrent weights and of the readout, and bounds of errors as in `carry`."""

    w2: float
    v2: float
    noise: np.ndarray


class Alone(NamedTuple):
    """Inputs at their own fixed points: what they bring, S, the fixed point K = S + w2 D, and D(K)."""

    s: np.ndarray
    k: np.ndarray
    d: np.ndarray


class Series(NamedTuple):
    """`numerics.kernels.series.series.Series.tables` of both sides, a row for each input of side one."""

    one: np.ndarray
    two: np.ndarray


class Tables(NamedTuple):
    """A part of `Series`: one input and a tile's columns.

    All columns are there, and ``start`` is the tile's first: rows of a part of them would not be known to be
    contiguous, and not be summed as vectors.
    """

    one: np.ndarray
    two: np.ndarray
    start: int
    most: np.ndarray
    """Largest remainders of the columns, see `numerics.kernels.loops.hermite.remainders`."""
    inverse: np.ndarray
    """1/sqrt(k22)."""
    own: Any
    """The activation itself, see `numerics.kernels.loops.functions.Functions.packed`."""
    itself: int
    """Column of the input with itself, whose kernels the recursion of single inputs knows; or -1."""


class Near(NamedTuple):
    """One pair, around which D and the slope move."""

    edge: float
    """sqrt(k11 k22)."""
    c: float
    value: float
    """D, or anything nearer to 0."""
    slope: float
    bend: float
    """|dD'/dk12|, or -1 where it is not known."""
