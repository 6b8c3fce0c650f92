"""Kernels of wide multilayer perceptrons: NNGP and NTK Gram matrices.

Conventions are those of the NTK parameterisation (see ``docs/kernels.md``): inputs in R^d, hidden layers
1..depth, a readout without bias, and

    K_1 = sigma_w^2 <x, x'>/d + sigma_b^2 .
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from theory.activations import Activation
from theory.duals import Dual, dual

from .kernel_code import has_module, kernel_module, uses_power_loops
from .kernel_inputs import Side, check_inputs, check_scales
from .kernel_refine import Doubts, Layers
from .kernel_series import TABLE, Series, series_tables
from .kernel_tiles import check_memory, over_tiles, tiles

__all__ = ["DivergenceError", "MLPKernel", "mlp_kernel"]

Array = NDArray[np.float64]
CHUNK = 64
"""Layers whose single-input quantities are held at a time; fewer where these include series."""
_SERIES_CHUNK = 2


class DivergenceError(ValueError):
    """Parameters for which the kernel does not exist; the message says which condition fails."""


@dataclass(frozen=True)
class MLPKernel:
    """Gram matrices of a wide multilayer perceptron.

    Attributes
    ----------
    nngp, ntk : ndarray, shape (n1, n2)
        Covariance of the network's outputs at initialisation, and neural tangent kernel.
    activation : str
    depth : int
    error : float
        Bound on what evaluating D without a closed form adds, relative to sqrt(k_ii k_jj); 0 for
        closed forms. Larger only with an `AccuracyWarning`.
    """

    nngp: Array
    ntk: Array
    activation: str
    depth: int
    error: float = 0.0


def mlp_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    activation: str | Expr | Activation = "relu",
    depth: int = 3,
    sigma_w: float = 1.1,
    sigma_b: float = 0.2,
    sigma_v: float = 0.9,
    *,
    progress: Callable[[float], Any] | None = None,
) -> MLPKernel:
    """NNGP and NTK of a wide multilayer perceptron.

    Parameters
    ----------
    x1 : array_like, shape (n1, d)
    x2 : array_like, shape (n2, d), optional
        ``x1`` by default; the matrices are then exactly symmetric.
    activation : str, sympy.Expr or Activation
        See `theory.activations.activation`.
    depth : int
        Hidden layers, >= 1.
    sigma_w, sigma_b, sigma_v : float
        Standard deviations of weights (times sqrt of the fan-in), biases, and the readout.
    progress : callable, optional
        Told the fraction done, from 0 to 1.

    Returns
    -------
    MLPKernel

    Raises
    ------
    ValueError
        For inputs, an activation or scales that make no sense.
    DivergenceError
        If a variance leaves the range of doubles, or phi is not square integrable at one; checked
        on the diagonal, before any pair is computed.
    KernelMemoryError
        If the matrices do not fit into memory.

    Notes
    -----
    Every pair of inputs is a scalar recursion once the diagonal is known; symmetric work is done
    once. Tiles of 16 x 512 pairs go through up to 64 layers at a time with the state held in the
    output, so memory is that of the output plus 64 n numbers whatever the depth. Error law: a few
    units in the last place of sqrt(k_ii k_jj) per layer, times the condition number of the map; see
    ``docs/kernels.md``. Cost per pair and layer: for ReLU two square roots,
    a division and some 40 multiply-adds.
    """
    a, b = check_inputs(x1, x2)
    scales = check_scales(sigma_w=sigma_w, sigma_b=sigma_b, sigma_v=sigma_v)
    if isinstance(depth, bool) or int(depth) != depth or depth < 1:
        raise ValueError(f"depth must be an integer >= 1, got {depth!r}")
    depth = int(depth)
    found = dual(activation)
    n1, n2 = len(a), len(a if b is None else b)
    check_memory(n1, n2, 2, extra=(_SERIES_CHUNK * (TABLE + 16) + CHUNK) * 8 * (n1 + n2))
    w2, b2, v2 = (scales[s] ** 2 for s in ("sigma_w", "sigma_b", "sigma_v"))
    sw2 = np.full(depth, w2)
    sb2 = np.full(depth, b2)
    sw2[-1], sb2[-1] = v2, 0.0
    sides = [Side(x, w2 / a.shape[1], b2) for x in ((a,) if b is None else (a, b))]
    if not has_module(found):
        return _by_series(found, sides, sw2, sb2, progress)
    nngp, ntk, left = _evaluate(found, sides, sw2, sb2, progress)
    error = max(left, 0.0 if found.is_closed else 1e-15)
    return MLPKernel(nngp, ntk, str(found.activation), depth, error)


def _by_series(
    found: Dual, sides: list[Side], sw2: Array, sb2: Array, progress: Callable[[float], Any] | None
) -> MLPKernel:
    expansion = Series(found.activation)
    one, two = sides[0], sides[-1]
    try:
        nngp, ntk = expansion.mlp(
            one.covariance(two), one.k, two.k, sw2, sb2, progress or (lambda _: None)
        )
    except ArithmeticError as error:
        raise DivergenceError(str(error)) from error
    return MLPKernel(nngp, ntk, str(found.activation), len(sw2), expansion.worst)


def _evaluate(
    found: Dual,
    sides: list[Side],
    sw2: Array,
    sb2: Array,
    progress: Callable[[float], Any] | None,
) -> tuple[Array, Array, float]:
    one, two = sides[0], sides[-1]
    doubts = Doubts(found, (len(one.k), len(two.k)))
    if uses_power_loops(found):
        work = power_layers(found, one, two, sw2, sb2)
    else:
        work = smooth_layers(found, one, two, sw2, sb2, doubts)
    check_diagonal(found, sides, sw2, sb2)
    cut = tiles(len(one.k), len(two.k), one is two)
    cov = np.empty((len(one.k), len(two.k)))
    ntk = np.empty_like(cov)
    chunks = -(-len(sw2) // chunk_of(found))
    for chunk in range(chunks):
        advance = work(chunk)

        def report(done: float, before: int = chunk) -> None:
            if progress is not None:
                progress((before + done) / chunks)

        over_tiles(lambda some, go=advance: go(some, one is two, cov, ntk), cut, report)
    return cov, ntk, doubts.settle(one, two, Layers(sw2, sb2), (cov, ntk))


def check_diagonal(found: Dual, sides: list[Side], sw2: Array, sb2: Array) -> None:
    """Run the diagonal recursion alone and refuse what diverges."""
    from .kernel_diagonal import diagonal_failure

    for side in sides:
        failure = diagonal_failure(found, side.k, sw2, sb2)
        if failure is not None:
            raise DivergenceError(failure)


def power_layers(
    found: Dual, one: Side, two: Side, sw2: Array, sb2: Array
) -> Callable[[int], Callable[..., None]]:
    """Return what prepares a chunk of layers for a homogeneous activation."""
    module = kernel_module(found)
    state = {id(side): side.k for side in (one, two)}

    def prepare(chunk: int) -> Callable[..., None]:
        layers = slice(chunk * CHUNK, min((chunk + 1) * CHUNK, len(sw2)))
        count = layers.stop - layers.start
        single = {}
        for side in {id(s): s for s in (one, two)}.values():
            n = len(side.k)
            k = np.empty((count + 1, n))
            k[0] = state[id(side)]
            made = [np.empty((count, n)) for _ in range(4)]
            module.diagonal(k, sw2[layers], sb2[layers], *made)
            state[id(side)] = k[-1]
            single[id(side)] = made
        last = layers.stop == len(sw2)

        def advance(some: NDArray[np.int64], mirrored: bool, cov: Array, ntk: Array) -> None:
            module.run(
                some, mirrored, chunk == 0, last, one.z, two.zt, one.q, two.q,
                *single[id(one)], *single[id(two)], cov, ntk,
            )  # fmt: skip

        return advance

    return prepare


def chunk_of(found: Dual) -> int:
    """Layers that are advanced at a time."""
    return CHUNK if found.is_closed else _SERIES_CHUNK


def smooth_layers(
    found: Dual, one: Side, two: Side, sw2: Array, sb2: Array, doubts: Doubts
) -> Callable[[int], Callable[..., None]]:
    """Return what prepares a chunk of layers for any other activation."""
    module, size = kernel_module(found), chunk_of(found)
    state = {id(side): side.k for side in (one, two)}
    tangent = {key: k.copy() for key, k in state.items()}
    scale, b2 = one.scale, one.b2

    def prepare(chunk: int) -> Callable[..., None]:
        layers = slice(chunk * size, min((chunk + 1) * size, len(sw2)))
        count = layers.stop - layers.start
        single, tables = {}, {}
        for side in {id(s): s for s in (one, two)}.values():
            k = np.empty((count + 1, len(side.k)))
            k[0] = state[id(side)]
            module.diagonal(k, tangent[id(side)], sw2[layers], sb2[layers])
            state[id(side)] = k[-1]
            single[id(side)] = k
            tables[id(side)] = series_tables(found, k[:-1])
        doubts.own = state[id(one)], tangent[id(one)]
        inexact = [k[int(chunk == 0) : count] for k in single.values()]
        marks = doubts.marks(max((float(k.max()) for k in inexact if k.size), default=0.0))

        def advance(some: NDArray[np.int64], mirrored: bool, cov: Array, ntk: Array) -> None:
            module.run(
                some, mirrored, chunk == 0, one.x, one.z, two.xt, two.zt, scale, b2,
                single[id(one)], single[id(two)], sw2[layers], sb2[layers], cov, ntk, marks,
                tables[id(one)], tables[id(two)],
            )  # fmt: skip

        return advance

    return prepare
