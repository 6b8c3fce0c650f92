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

from numerics.errors import DivergenceError
from numerics.kernels.loops import state
from numerics.kernels.loops.code import kernel_module, uses_power_loops, uses_series
from numerics.kernels.series.series import EXTRA, TIERS
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Dual, Tangent
from theory.parameters import Number

from .diagonal import Single, advance, check_path, packed, representatives, stacked
from .error_bounds import Errors, Own
from .inputs import Side, check_inputs, check_tangent, model_scales
from .noise import Noise, mlp_noise
from .refine import Layers
from .tiles import check_memory, over_tiles, tiles

__all__ = [
    "DivergenceError",
    "MLPKernel",
    "Perceptron",
    "mlp_diagonal",
    "mlp_kernel",
    "perceptron_diagonal",
    "perceptron_kernel",
]

Array = NDArray[np.float64]
CHUNK = 64
"""Layers whose single-input quantities are held at a time; fewer where these include series."""
_SERIES_CHUNK = 2


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
        Bound of the errors of all entries, relative to sqrt(k_ii k_jj) of the same kernel; where that is
        infinite (the tangent kernel of an activation that jumps), to the entry itself. Above 1e-10 only
        with an `AccuracyWarning`.
    """

    nngp: Array
    ntk: Array
    activation: str
    depth: int
    error: float = 0.0


def mlp_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    activation: str | Expr | Activation = MLP.activation,
    depth: int = MLP.depth,
    sigma_w: Number = MLP.sigma_w,
    sigma_b: Number = MLP.sigma_b,
    sigma_v: Number = MLP.sigma_v,
    *,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> MLPKernel:
    """NNGP and NTK of a wide multilayer perceptron: `numerics.kernel` of `theory.MLP` with these parameters.

    Parameters
    ----------
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
    activation, depth, sigma_w, sigma_b, sigma_v
        As of `theory.MLP`.
    tangent, refine, progress
        As of `numerics.kernel`.

    Returns
    -------
    MLPKernel
    """
    model = MLP(activation, depth, sigma_w, sigma_b, sigma_v)
    return perceptron_kernel(model, x1, x2, tangent=tangent, refine=refine, progress=progress)


def perceptron_kernel(
    model: MLP,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> MLPKernel:
    """NNGP and NTK of a wide multilayer perceptron.

    Parameters
    ----------
    model : theory.MLP
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default; the matrices are then exactly symmetric.
    tangent : {"limit", "almost_everywhere"}
        The tangent kernel of an activation that jumps: the limit of smooth activations, whose slope is
        dD/dk12 and which is infinite at correlation 1; or the one of derivatives almost everywhere, which
        gradient descent sees. The same for all others.
    refine : bool, default True
        Whether pairs that doubles do not resolve are computed again in higher precision, for at most some
        twenty seconds.
    progress : callable, optional
        Told the fraction done, from 0 to 1.

    Returns
    -------
    MLPKernel

    Raises
    ------
    ValueError
        For inputs that make no sense, and scales that are symbols.
    DivergenceError
        If a variance leaves the range of doubles, or phi or phi' is not square integrable at one; known
        before any pair is computed.
    KernelMemoryError
        If the matrices do not fit into memory.

    Notes
    -----
    Every pair of inputs is a scalar recursion once the diagonal is known; symmetric work is done
    once. Tiles of 16 x 512 pairs go through up to 64 layers at a time with the state held in the
    output, so memory is that of the output plus 64 n numbers whatever the depth. Equal inputs, and
    opposite ones of odd or even activations without bias, take the recursion of a single input. Error law:
    see ``docs/kernels.md``. Cost per pair and layer: for ReLU two square roots, a division and some 40
    multiply-adds.
    """
    a, b = check_inputs(x1, x2)
    made = perceptron(model, tangent)
    n1, n2 = len(a), len(a if b is None else b)
    check_memory(n1, n2, 2, extra=(_SERIES_CHUNK * (TIERS[-1] + EXTRA) + CHUNK) * 8 * (n1 + n2))
    sides = [made.side(x) for x in ((a,) if b is None else (a, b))]
    noise = made.noise(sides)
    errors = Errors(made.dual, (n1, n2), depth=model.depth)
    rows = noise.rows if errors.follow(max(noise.pairs)) else None
    nngp, ntk = made.matrices(sides, rows, errors.marks, progress)
    own = made.own(sides, noise)
    errors.settle(sides, made.layers if refine else None, (nngp, ntk), own, noise.pairs)
    return MLPKernel(nngp, ntk, str(made.dual.activation), model.depth, errors.largest)


def mlp_diagonal(
    x: ArrayLike,
    activation: str | Expr | Activation = MLP.activation,
    depth: int = MLP.depth,
    sigma_w: Number = MLP.sigma_w,
    sigma_b: Number = MLP.sigma_b,
    sigma_v: Number = MLP.sigma_v,
    *,
    tangent: Tangent = "limit",
) -> tuple[Array, Array]:
    """Diagonals of NNGP and NTK, in the time of one scalar recursion for each input.

    Parameters and errors are those of `mlp_kernel`.

    Returns
    -------
    tuple of ndarray, shape (n,)
    """
    model = MLP(activation, depth, sigma_w, sigma_b, sigma_v)
    return perceptron_diagonal(model, x, tangent=tangent)


def perceptron_diagonal(
    model: MLP, x: ArrayLike, *, tangent: Tangent = "limit"
) -> tuple[Array, Array]:
    """Diagonals of `perceptron_kernel`.

    Returns
    -------
    tuple of ndarray, shape (n,)
    """
    a, _ = check_inputs(x, None)
    made = perceptron(model, tangent)
    path = made.advance(made.side(a).k)
    check_path(made.dual, tangent, path)
    return path.k[-1], path.ntk[-1]


def perceptron(model: MLP, tangent: Tangent = "limit") -> Perceptron:
    """Return a model's numbers; the readout is the last layer, with sigma_v and without bias."""
    w2, b2, v2 = (scale**2 for scale in model_scales(model).values())
    sw2, sb2 = np.full(model.depth, w2), np.full(model.depth, b2)
    sw2[-1], sb2[-1] = v2, 0.0
    return Perceptron(model.dual, check_tangent(tangent), w2, b2, sw2, sb2)


@dataclass(frozen=True)
class Perceptron:
    """A perceptron in doubles: its dual, and sigma^2 of the inputs' layer and of what follows each layer."""

    dual: Dual
    tangent: Tangent
    w2: float
    b2: float
    sw2: Array
    sb2: Array

    @property
    def layers(self) -> Layers:
        """For the second computation of pairs."""
        return Layers(self.dual, self.tangent, self.w2, self.b2, self.sw2, self.sb2)

    def side(self, x: Array) -> Side:
        """Layer 1 of inputs."""
        return Side(x, self.w2 / x.shape[1], self.b2)

    def advance(self, k: Array, ntk: Array | None = None, part: slice = slice(None)) -> Single:
        """Single inputs through some layers."""
        start = k if ntk is None else ntk
        return advance(self.dual, self.tangent, k, start, self.sw2[part], self.sb2[part])

    def check(self, sides: list[Side]) -> Single:
        """Refuse what diverges, from inputs that represent all; return their path."""
        k = np.concatenate([side.k for side in sides])
        path = self.advance(representatives(k))
        check_path(self.dual, self.tangent, path)
        return path

    def noise(self, sides: list[Side]) -> Noise:
        """Bounds of the errors; refuses what diverges."""
        path = self.check(sides)
        return mlp_noise(self.dual, self.tangent, sides, path, self.sw2, self.sb2)

    def own(self, sides: list[Side], noise: Noise) -> Own:
        """What single inputs have, for equal ones."""
        ends = self._ends
        return Own([ends[id(side)] for side in sides], noise.own, self.b2 == 0.0)

    @property
    def _ends(self) -> dict[int, tuple[Array, Array]]:
        return self.__dict__.setdefault("_found_ends", {})

    def matrices(
        self,
        sides: list[Side],
        rows: Array | None,
        marks: NDArray[np.float32],
        progress: Callable[[float], Any] | None,
    ) -> tuple[Array, Array]:
        """Fill both matrices, and with ``rows`` of noise the marks."""
        one, two = sides[0], sides[-1]
        cut = tiles(len(one.k), len(two.k), one is two)
        cov = np.empty((len(one.k), len(two.k)))
        ntk = np.empty_like(cov)
        size = _SERIES_CHUNK if uses_series(self.dual) else CHUNK
        chunks = -(-len(self.sw2) // size)
        state = {id(side): (side.k, side.k) for side in sides}
        noise = np.zeros((len(self.sw2), 6)) if rows is None else rows
        for chunk in range(chunks):
            part = slice(chunk * size, min((chunk + 1) * size, len(self.sw2)))
            last = part.stop == len(self.sw2)
            paths = {}
            for side in sides:
                path = self.advance(*state[id(side)], part)
                check_path(self.dual, self.tangent, path, readout=last)
                state[id(side)] = path.k[-1], path.ntk[-1]
                paths[id(side)] = path
            go = self._work(sides, paths, part, chunk == 0, last, (cov, ntk), noise[part], marks)

            def report(done: float, before: int = chunk) -> None:
                if progress is not None:
                    progress((before + done) / chunks)

            over_tiles(go, cut, report)
        self._ends.update(state)
        return cov, ntk

    def _work(
        self,
        sides: list[Side],
        paths: dict[int, Single],
        part: slice,
        first: bool,
        last: bool,
        out: tuple[Array, Array],
        noise: Array,
        marks: NDArray[np.float32],
    ) -> Callable[[NDArray[np.int64]], None]:
        """Return what advances tiles by a chunk of layers."""
        module = kernel_module(self.dual, self.tangent)
        one, two = sides[0], sides[-1]
        p, q = paths[id(one)], paths[id(two)]
        inputs = state.Inputs(one.x, one.z, two.xt, two.zt, one.scale, one.b2)
        matrices = state.Matrices(*out, np.empty((0, 0)), marks, one is two)
        if uses_power_loops(self.dual):
            left, right = (state.Angles(np.sqrt(path.k[0]), *path.angles) for path in (p, q))
            return lambda some: module.run(some, first, last, inputs, left, right, matrices, noise)
        left, right = stacked(p, q)
        own = packed(self.dual, self.tangent, p, q)
        tables = state.Series(np.ascontiguousarray(left.transpose(0, 2, 1)), right)
        layers = state.Layers(p.k, q.k, self.sw2[part], self.sb2[part])
        return lambda some: module.run(some, first, inputs, layers, matrices, noise, tables, own)
