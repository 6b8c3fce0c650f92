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
from numerics.results import Arrays
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Dual, Tangent
from theory.parameters import Number

from .diagonal import Single, advance, check_path, packed, representatives, stacked
from .error_bounds import ROUNDED, Errors, Own, warn_of_single_inputs
from .inputs import Side, check_alone, check_inputs, check_tangent, model_scales
from .noise import COLUMNS, Noise, mlp_noise
from .refine import Layers
from .series.between import PANELS, tabulated
from .tiles import Band, check_memory, over_tiles, tiles

__all__ = [
    "DivergenceError",
    "MLPKernel",
    "Perceptron",
    "mlp_kernel",
    "perceptron_kernel",
]

Array = NDArray[np.float64]
CHUNK = 64
"""Layers whose single-input quantities are held at a time; fewer where these include series."""
_SERIES_CHUNK = 1
_BLOCK = 256
"""Rows of covariances that are looked at together."""


@dataclass(frozen=True, eq=False)
class MLPKernel(Arrays):
    """Gram matrices of a wide multilayer perceptron.

    Attributes
    ----------
    nngp, ntk : ndarray, shape (n1, n2)
        Covariance of the network's outputs at initialisation, and neural tangent kernel; with ``diag`` their
        diagonals, shape (n1,).
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
    diag: bool = False,
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
    diag, tangent, refine, progress
        As of `numerics.kernel`.

    Returns
    -------
    MLPKernel
    """
    model = MLP(activation, depth, sigma_w, sigma_b, sigma_v)
    return perceptron_kernel(
        model, x1, x2, diag=diag, tangent=tangent, refine=refine, progress=progress
    )


def perceptron_kernel(
    model: MLP,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    diag: bool = False,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
    band: Band | None = None,
) -> MLPKernel:
    """NNGP and NTK of a wide multilayer perceptron.

    Parameters
    ----------
    model : theory.MLP
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default; the matrices are then exactly symmetric.
    diag : bool, default False
        Only the diagonals, by the recursion of single inputs.
    tangent : {"limit", "almost_everywhere"}
        The tangent kernel of an activation that jumps: the limit of smooth activations, whose slope is
        dD/dk12 and which is infinite at correlation 1; or the one of derivatives almost everywhere, which
        gradient descent sees. The same for all others.
    refine : bool, default True
        Whether pairs that doubles do not resolve are computed again in higher precision, for at most some
        twenty seconds.
    progress : callable, optional
        Told the fraction done, from 0 to 1.
    band : Band, optional
        What is computed of the matrices, as it is in the whole ones.

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
    made = perceptron(model, tangent)
    if diag:
        side = made.side(check_alone(x1, x2))
        noise, name = made.noise([side]), str(made.dual.activation)
        error = max(noise.own) + ROUNDED
        warn_of_single_inputs(error)
        return MLPKernel(*made.alone(side, progress), name, model.depth, error)
    a, b = check_inputs(x1, x2)
    n1, n2 = len(a), len(a if b is None else b)
    shape = (n1, n2) if band is None else band.shape
    check_memory(*shape, 2, extra=(_SERIES_CHUNK * (TIERS[-1] + EXTRA) + CHUNK) * 8 * (n1 + n2))
    sides = [made.side(x) for x in ((a,) if b is None else (a, b))]
    noise = made.noise(sides)
    errors = Errors(made.dual, shape, depth=model.depth, pairs=n1 * n2)
    rows = noise.rows if errors.follow(max(noise.pairs)) else None
    nngp, ntk = made.matrices(sides, rows, errors.marks, progress, band)
    own = made.own(sides, noise)
    if band is not None:
        sides, own = [*band.take(sides[0], sides[-1])], own.take(band)
    errors.settle(sides, made.layers if refine else None, (nngp, ntk), own, noise.pairs)
    return MLPKernel(nngp, ntk, str(made.dual.activation), model.depth, errors.largest)


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

    def advance(
        self, k: Array, ntk: Array | None = None, part: slice = slice(None), pairs: bool = True
    ) -> Single:
        """Single inputs through some layers."""
        start = k if ntk is None else ntk
        return advance(self.dual, self.tangent, k, start, self.sw2[part], self.sb2[part], pairs)

    @property
    def parts(self) -> list[slice]:
        """Layers whose single-input quantities are held at a time."""
        size, count = _SERIES_CHUNK if uses_series(self.dual) else CHUNK, len(self.sw2)
        return [slice(at, min(at + size, count)) for at in range(0, count, size)]

    def alone(
        self, side: Side, progress: Callable[[float], Any] | None = None
    ) -> tuple[Array, Array]:
        """NNGP and NTK of single inputs."""
        k = ntk = side.k
        for number, part in enumerate(self.parts, 1):
            path = self.advance(k, ntk, part, pairs=False)
            check_path(self.dual, self.tangent, path, self.sw2[part], part.stop == len(self.sw2))
            k, ntk = path.k[-1], path.ntk[-1]
            if progress is not None:
                progress(number / len(self.parts))
        return k, ntk

    def check(self, sides: list[Side]) -> Single:
        """Refuse what diverges, from inputs that represent all; return their path."""
        k = np.concatenate([side.k for side in sides])
        path = self.advance(representatives(k))
        check_path(self.dual, self.tangent, path, self.sw2)
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
        band: Band | None = None,
    ) -> tuple[Array, Array]:
        """Fill both matrices, or a band of them, and with ``rows`` of noise the marks."""
        one, two = sides[0], sides[-1]
        shape = len(one.k), len(two.k)
        cut = tiles(*shape, one is two)
        if band is not None:
            cut, shape = band.part(cut), band.shape
        cov, ntk = np.empty(shape), np.empty(shape)
        out = state.Matrices(cov, ntk, np.empty((0, 0)), marks, one is two and band is None)
        ends = {id(side): (side.k, side.k) for side in sides}
        noise = np.zeros((len(self.sw2), COLUMNS)) if rows is None else rows
        chunks = len(self.parts)
        for chunk, part in enumerate(self.parts):
            last = part.stop == len(self.sw2)
            paths = {}
            for side in sides:
                path = self.advance(*ends[id(side)], part)
                check_path(self.dual, self.tangent, path, self.sw2[part], last)
                ends[id(side)] = path.k[-1], path.ntk[-1]
                paths[id(side)] = path
            both = paths[id(one)], paths[id(two)]
            own = packed(self.dual, self.tangent, *both)
            given = (one, two), both
            if band is not None:
                given = band.take(one, two), band.take(*both)
            if uses_series(self.dual) and own[0][5]:
                own = self._between(given, own, None if chunk == 0 else cov)
            go = self._work(*given, part, chunk == 0, last, out, noise[part], own)

            def report(done: float, before: int = chunk) -> None:
                if progress is not None:
                    progress((before + done) / chunks)

            over_tiles(go, cut, report)
        self._ends.update(ends)
        return cov, ntk

    def _between(
        self,
        given: tuple[tuple[Side, Side], tuple[Single, Single]],
        own: tuple[Any, ...],
        c: Array | None,
    ) -> tuple[Any, ...]:
        """The activation with tables for the pairs that one layer's series leave out.

        ``c`` holds the covariances before the layer; the inputs have them where it is None.
        """
        (one, two), (p, q) = given
        left, right = stacked(p, q)
        module = kernel_module(self.dual, self.tangent)
        found = np.zeros((2, PANELS, 3))
        found[:, :, 2] = np.inf
        for at in range(0, len(one.k), _BLOCK):
            some = slice(at, at + _BLOCK)
            block = one.scale * (one.x[some] @ two.xt) + one.b2 if c is None else c[some]
            rows = np.ascontiguousarray(left[0, :, some].T)
            module.left_to_quadrature(own[0], rows, right[0], p.k[0, some], q.k[0], block, found)
        if one is two:
            found[:, :, 0] /= 2.0
        return (*own[:6], *tabulated(own, (p.k[0], q.k[0]), found))

    def _work(
        self,
        sides: tuple[Side, Side],
        paths: tuple[Single, Single],
        part: slice,
        first: bool,
        last: bool,
        out: state.Matrices,
        noise: Array,
        own: tuple[Any, ...],
    ) -> Callable[[NDArray[np.int64]], None]:
        """Return what advances tiles by a chunk of layers."""
        module = kernel_module(self.dual, self.tangent)
        (one, two), (p, q) = sides, paths
        inputs = state.Inputs(one.x, one.z, two.xt, two.zt, one.scale, one.b2)
        if uses_power_loops(self.dual):
            left, right = (state.Angles(np.sqrt(path.k[0]), *path.angles) for path in (p, q))
            return lambda some: module.run(some, first, last, inputs, left, right, out, noise)
        left, right = stacked(p, q)
        tables = state.Series(np.ascontiguousarray(left.transpose(0, 2, 1)), right)
        layers = state.Layers(p.k, q.k, self.sw2[part], self.sb2[part])
        return lambda some: module.run(some, first, inputs, layers, out, noise, tables, own)
