"""Kernels of networks of any order of layers: theory's recursion in doubles with bounds, and again in balls.

The recursion is `theory.kernels.sequential.Sequential.forward` itself, of arrays that carry bounds of their
errors. Pairs that come out too coarse are computed again in balls, from the inputs themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from numerics.balls.program import ball_sum
from numerics.errors import AccuracyWarning, DivergenceError
from numerics.kernels.balls import Precision
from numerics.kernels.diagonal import LIMIT, SMALLEST
from numerics.kernels.error_bounds import FAIR, GOOD, LITTLE, POOR, warn_of_single_inputs
from numerics.kernels.inputs import check_alone, check_inputs, check_scales, check_tangent, row_keys
from numerics.kernels.loops.primitives import products, squares, sum_roundings
from numerics.kernels.mlp import MLPKernel
from numerics.kernels.refine import WORK, maps_of
from numerics.kernels.series.rounding import UNIT
from numerics.kernels.tiles import check_memory
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Tangent, dual
from theory.kernels.layers import State
from theory.kernels.sequential import Sequential, denses

from .bounded import Bounded
from .dual_values import dual_values

__all__ = ["alone", "check_numbers", "kernels_by_depth", "sequential_kernel"]

Array = NDArray[np.float64]
_BLOCK = 2**18
"""Pairs at a time."""


def sequential_kernel(
    model: Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    diag: bool = False,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> MLPKernel:
    """NNGP and NTK of a network of any order of layers.

    Parameters
    ----------
    model : theory.Sequential
    x1 : array_like, shape (n1, d) or (d,)
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default; the matrices are then exactly symmetric.
    diag, tangent, refine, progress
        As of `numerics.kernel`.

    Returns
    -------
    MLPKernel
        ``depth`` counts the layers of activations.

    Raises
    ------
    ValueError, DivergenceError, KernelMemoryError
        As `numerics.kernel`.

    Notes
    -----
    Blocks of 2^18 pairs go through theory's recursion, in numpy. Every operation bounds its rounding, D and
    D' as `numerics.kernels.layers.dual_values` says, so that ``error`` holds for each pair; pairs above 3e-14
    or 1e-12 are computed again in balls where all duals are closed or mixtures, for at most some twenty
    seconds.
    """
    if diag:
        a = check_alone(x1, x2)
        check_numbers(model)
        (last,) = alone(model, a, check_tangent(tangent), cut=False)
        both = last.one, last.tangent
        known = [part.relative[np.isfinite(part.value)] for part in both]
        error = max(float(part.max(initial=0.0)) for part in known) * (1.0 + 1e-6)
        warn_of_single_inputs(error, stacklevel=3)
        return MLPKernel(last.one.value, last.tangent.value, _names(model), model.depth, error)
    (made,) = _computed(model, x1, x2, tangent, refine=refine, progress=progress, cut=False)
    return made


def kernels_by_depth(
    model: MLP | Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    tangent: Tangent = "limit",
    refine: bool = True,
) -> tuple[MLPKernel, ...]:
    """Kernels of a network cut behind each of its layers, in one pass.

    Parameters
    ----------
    model : theory.MLP or theory.Sequential
    x1, x2, tangent, refine
        As of `numerics.kernel`.

    Returns
    -------
    tuple of MLPKernel
        Of a perceptron those of depth 1, 2, .., its own; of other networks one for each layer but the
        readout, which follows the layer at once.

    Raises
    ------
    TypeError
        If ``model`` is neither.
    ValueError, DivergenceError, KernelMemoryError
        As `numerics.kernel`.
    """
    if isinstance(model, MLP):
        return _computed(Sequential(model.layers), x1, x2, tangent, refine=refine, cut=True)[1::2]
    if not isinstance(model, Sequential):
        raise TypeError(f"expected theory.MLP or theory.Sequential, got {model!r}")
    return _computed(model, x1, x2, tangent, refine=refine, cut=True)


@dataclass(frozen=True)
class _Doubles:
    """Arithmetic of pairs: arrays of doubles with bounds."""

    tangent: Tangent

    def number(self, value: Any) -> Bounded:
        return Bounded.exact(next(iter(check_scales(scale=value).values())))

    def sqrt(self, x: Bounded) -> Bounded:
        return x.sqrt()

    def variance(self, phi: Activation, k: Bounded) -> Bounded:
        shape = k.value.shape
        made, _ = dual_values(dual(phi), self.tangent).single(k.over(shape or (1,)).ravel())
        return Bounded(made.value.reshape(shape), made.error.reshape(shape))

    def pair(self, phi: Activation, at: State) -> tuple[Bounded, Bounded]:
        n1, n2 = at.both.value.shape  # normalised variances are single numbers
        one, two = at.one.over((n1, 1)), at.two.over((1, n2))
        return dual_values(dual(phi), self.tangent).pair(one, at.both, two)


class _Singles(_Doubles):
    """The same for single inputs; refuses what diverges."""

    def variance(self, phi: Activation, k: Bounded) -> Bounded:
        return super().variance(phi, _in_range(phi, k))

    def pair(self, phi: Activation, at: State) -> tuple[Bounded, Bounded]:
        one = _in_range(phi, at.one).over(at.both.value.shape)
        return dual_values(dual(phi), self.tangent).single(one)

    def sqrt(self, x: Bounded) -> Bounded:
        if (x.value == 0.0).any():
            row = int(np.argmax(x.value == 0.0))
            raise DivergenceError(
                f"layer normalisation of input {row} divides by 0: all its units are 0; give the layers "
                "before it biases, or leave zero inputs out"
            )
        return x.sqrt()


def _in_range(phi: Activation, k: Bounded) -> Bounded:
    """Variances, refused where phi's dual does not exist or leaves the range of doubles."""
    largest = min(float(phi.existence.largest), LIMIT)
    value = k.value
    if not (value < largest).all() or ((value > 0.0) & (value < 1.0 / LIMIT)).any():
        worst = value[np.argmax(np.abs(np.log(np.maximum(value, 1e-300))))]
        raise DivergenceError(
            f"a unit before {phi} has variance {worst:.3g}, but variances must be 0 or from "
            f"{1.0 / LIMIT:.3g} to {largest:.6g}; change the scales or the inputs"
        )
    return k


class _Balls:
    """Arithmetic of one pair in balls, exact scales rounded to doubles as everywhere."""

    def __init__(self, maps: dict[Activation, Any]) -> None:
        self.maps = maps

    def number(self, value: Any) -> arb:
        return arb(next(iter(check_scales(scale=value).values())))

    def sqrt(self, x: arb) -> arb:
        return x.nonnegative_part().sqrt()

    def variance(self, phi: Activation, k: arb) -> arb:
        return self.maps[phi].own(k)[0]

    def pair(self, phi: Activation, at: State) -> tuple[arb, arb]:
        d, slope = self.maps[phi].both(at.one, at.both, at.two)
        return d, slope


def _computed(
    model: Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None,
    tangent: Tangent,
    *,
    refine: bool,
    cut: bool,
    progress: Callable[[float], Any] | None = None,
) -> tuple[MLPKernel, ...]:
    """The kernels of a network, or of all that it is cut to."""
    a, b = check_inputs(x1, x2)
    check_tangent(tangent)
    check_numbers(model)
    count = len(model.layers) - 1 if cut else 1
    n1, n2 = len(a), len(a if b is None else b)
    check_memory(n1, n2, 4 * count, extra=8 * 64 * max(_BLOCK, n2))
    ends = [alone(model, x, tangent, cut) for x in ((a,) if b is None else (a, b))]
    out = np.empty((count, 2, 2, n1, n2))  # values and errors of both kernels
    with np.errstate(all="ignore"):
        _fill(model, a, b, tangent, out, progress)
    made = []
    for n in range(count):
        one, two = ends[0][n], ends[-1][n]
        values, error = out[n, 0], _relative(out[n], one, two)
        _equal(a, a if b is None else b, values, error, one)
        if refine:
            _again(model, n if cut else -1, a, b, tangent, values, error)
        _warn(error)
        depth = Sequential((*model.layers[: n + 1], model.readout)).depth if cut else model.depth
        made.append(MLPKernel(values[0], values[1], _names(model), depth, float(error.max())))
    return tuple(made)


def check_numbers(model: Sequential) -> None:
    """Refuse symbols, and numbers that doubles do not hold.

    Raises
    ------
    ValueError
    """
    check_scales(width=model.width)
    for one in denses(model.layers):
        for name in ("sigma_w", "sigma_b"):
            value = getattr(one, name)
            if getattr(value, "free_symbols", None):
                raise ValueError(f"{name} of {one} is a symbol; give it a number")
            check_scales(**{name: 0 if value is None else value})


def _squared(x: Array) -> Bounded:
    """<x, x>/d of every input."""
    made = squares(x)
    if ((made < 1e-290) & x.any(axis=1)).any():
        row = int(np.argmax((made < 1e-290) & x.any(axis=1)))
        raise DivergenceError(f"row {row} is below the range of doubles; scale the data up")
    return Bounded(made, 2.0 * UNIT * made) / float(x.shape[1])


def _run(
    model: Sequential, gram: Sequence[Any], using: Any, dimension: Any, cut: bool
) -> list[State]:
    if cut:
        return list(model.places(gram, using, dimension))
    return [model.forward(gram, using, dimension)]


def _names(model: Sequential) -> str:
    return ", ".join(map(str, model.activations)) or "identity"


def alone(model: Sequential, x: Array, tangent: Tangent, cut: bool) -> list[State]:
    """What single inputs have, at the end or behind each layer; refuses what diverges."""
    g = _squared(x)
    with np.errstate(all="ignore"):
        made = _run(model, (g, g, g), _Singles(tangent), float(x.shape[1]), cut)
        made = [State(*(part.over((len(x),)) for part in last)) for last in made]
    scaled = all(one.sigma_w != 0 for one in denses(model.layers))
    alive = x.any(axis=1) & scaled & all(phi.expr != 0 for phi in model.activations)
    for last in made:
        lost = alive & (last.one.value < SMALLEST)
        if lost.any():
            raise DivergenceError(
                f"the kernel of row {int(np.argmax(lost))} is below the range of doubles; scale the "
                "inputs or sigma_w up"
            )
        wrong = ~np.isfinite(last.one.value)
        smooth = all(phi.existence.smooth for phi in model.activations)
        if smooth or tangent != "limit":
            wrong |= ~np.isfinite(last.tangent.value)
        if wrong.any():
            raise DivergenceError(
                f"the kernel of row {int(np.argmax(wrong))} is outside the range of doubles; make the "
                "scales, the inputs or the depth smaller"
            )
    return made


def _fill(
    model: Sequential,
    a: Array,
    b: Array | None,
    tangent: Tangent,
    out: Array,
    progress: Callable[[float], Any] | None,
) -> None:
    """Fill values and errors; symmetric ones from the upper triangle."""
    other = a if b is None else b
    columns, d = np.ascontiguousarray(other.T), float(a.shape[1])
    roundings = sum_roundings(a.shape[1])
    one, two = _squared(a), _squared(other)
    size = max(1, _BLOCK // len(other))
    for begin in range(0, len(a), size):
        rows = slice(begin, min(begin + size, len(a)))
        first = begin if b is None else 0
        dots = np.empty((rows.stop - begin, len(other) - first))
        for i in range(begin, rows.stop):
            products(a[i], columns, first, len(other), dots[i - begin])
        left = Bounded(one.value[rows, None], one.error[rows, None])
        right = Bounded(two.value[None, first:], two.error[None, first:])
        lengths = d * np.sqrt(left.value) * np.sqrt(right.value)
        both = Bounded(dots, (roundings + 1.0) * UNIT * lengths) / d
        made = _run(model, (left, both, right), _Doubles(tangent), d, len(out) > 1)
        for n, last in enumerate(made):
            for m, found in enumerate((last.both, last.tangent)):
                for where, part in enumerate((found.value, found.error)):
                    out[n, where, m, rows, first:] = part
                    if b is None:
                        corner = out[n, where, m, rows, rows]
                        corner[:] = np.triu(corner) + np.triu(corner, 1).T
                        out[n, where, m, rows.stop :, rows] = out[n, where, m, rows, rows.stop :].T
        if progress is not None:
            progress(rows.stop / len(a))


def _relative(out: Array, one: State, two: State) -> Array:
    """The larger error of both kernels, relative to sqrt(k_ii k_jj); if that is infinite, to the entry."""
    worst = np.zeros(out.shape[2:])
    values, errors = out
    with np.errstate(all="ignore"):
        for m, (left, right) in enumerate(((one.one, two.one), (one.tangent, two.tangent))):
            size = np.sqrt(left.value)[:, None] * np.sqrt(right.value)[None, :]
            size = np.where(np.isfinite(size), size, np.abs(values[m]))
            error = np.divide(errors[m], size, out=np.zeros_like(size), where=errors[m] > 0.0)
            worst = np.maximum(worst, np.where(np.isnan(error), np.inf, error))
    return worst * (1.0 + 1e-6)


def _equal(a: Array, b: Array, values: Array, error: Array, own: State) -> None:
    """Put in what single inputs know for equal ones."""
    where: dict[bytes, list[int]] = {}
    for j, key in enumerate(row_keys(b)):
        where.setdefault(key, []).append(j)
    off = np.maximum(own.one.relative, own.tangent.relative)
    off = np.where(np.isfinite(off), off, own.one.relative)
    for i, key in enumerate(row_keys(a)):
        some = where.get(key, [])
        values[0, i, some], values[1, i, some] = own.one.value[i], own.tangent.value[i]
        error[i, some] = off[i]


def _again(
    model: Sequential,
    place: int,
    a: Array,
    b: Array | None,
    tangent: Tangent,
    values: Array,
    error: Array,
) -> None:
    """Compute coarse pairs again in balls, the worst first, as far as the budget goes."""
    other = a if b is None else b
    phis = model.activations
    maps = {phi: maps_of(dual(phi), tangent) for phi in phis}
    closed = all(dual(phi).is_closed for phi in phis)
    work = error.size * max(model.depth, 1)
    coarse = error > (GOOD if closed and work <= LITTLE else FAIR)
    if not coarse.any() or any(own is None for own in maps.values()):
        return
    pairs = np.argwhere(np.triu(coarse) if b is None else coarse)
    order = np.argsort(-error[pairs[:, 0], pairs[:, 1]], kind="stable")
    members = max((own.members for own in maps.values() if own is not None), default=1)
    using, d = _Balls(maps), float(a.shape[1])
    for i, j in pairs[order[: max(1, WORK // (3 * max(model.depth, 1) * members))]].tolist():
        x, y = ([arb(v) for v in row] for row in (a[i].tolist(), other[j].tolist()))
        digits = 40
        while digits <= 640:
            with Precision(digits):
                gram = [
                    ball_sum(p * q for p, q in zip(v, w, strict=True)) / arb(d)
                    for v, w in ((x, x), (x, y), (y, y))
                ]
                last = _run(model, gram, using, arb(d), place >= 0)[place]
                found = last.both, arb(last.tangent)
                if all(_known(v) for v in found):
                    for m, v in enumerate(found):
                        values[m, i, j] = float(v.mid())
                        if b is None:
                            values[m, j, i] = values[m, i, j]
                    error[i, j] = 2.0**-52
                    if b is None:
                        error[j, i] = 2.0**-52
                    break
            digits *= 2


def _known(ball: arb) -> bool:
    """Whether a ball determines a double."""
    return bool(ball.is_finite()) and bool(ball.rad() <= ball.abs_lower() * 2.0**-54)


def _warn(error: Array) -> None:
    left = int((error > POOR).sum())
    if left:
        warnings.warn(
            f"{left} of {error.size} pairs have errors up to {error.max():.1g}: the network amplifies what "
            "doubles resolve of them, and they are too many, or too close, to be computed again",
            AccuracyWarning,
            stacklevel=4,
        )
