"""Linear counter-current learning in numbers: both networks along their gradient flow.

Losses are half the squared error per sample, |A_l B_l' - Y|^2/(2n), in every layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import lambdify

from numerics.errors import ConvergenceError
from numerics.results import Table
from theory import countercurrent as theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

__all__ = [
    "Flow",
    "Weights",
    "check_sizes",
    "first_weights",
    "flow",
    "gradient",
    "measured",
    "mixture",
    "reduced",
    "states",
]

_LONGEST, _GAINS = 1e6, (1e-6, 100.0)
_WORK = 4e8
"""Numbers that the solver may compute: some ten seconds for small networks, a minute for large ones."""
_MOVED = 1e-6
"""Least change of W'W, relative to |W|^2, that drifts are compared with: to nine digits, by rounding."""
MOST = {"inputs": 512, "classes": 100, "width": 512, "depth": 20}
"""Largest networks."""


class Weights(NamedTuple):
    """Weights of both networks, or gradients in them.

    Attributes
    ----------
    forward : tuple of ndarray
        W_1 to W_L, of shape (units before, units).
    back : tuple of ndarray
        V_1 to V_L, of shape (units, units before): V_l leads from layer l to layer l - 1.
    """

    forward: tuple[Array, ...]
    back: tuple[Array, ...]


@dataclass(frozen=True)
class Flow(Table):
    """Gradient flow of linear networks, layer by layer.

    Attributes
    ----------
    times : tuple of float
    layers : tuple of int
        From 0, the inputs, to L, the outputs.
    distances : tuple of float
        Of the layer's fit A_l B_l' from least squares, relative to that.
    cosines : tuple of float or None
        Of W_l and V_l'; None for layer 0, as in the next two.
    least : tuple of float or None
        What the law of alignment leaves at least.
    seen : tuple of float or None
        Cosine of what the data see of both, A W_l B' and A V_l' B'.
    drifts : tuple of float or None
        Of W_l'W_l - V_{l+1}'V_{l+1} relative to the change of W_l'W_l, for each unit of the step size; None
        for the first and the last layer, and where W_l'W_l has hardly changed.
    error : float
        Bound on what the solver adds to any of these.
    """

    columns: ClassVar = {
        "time": "times",
        "layer": "layers",
        "from OLS": "distances",
        "cosine": "cosines",
        "at least": "least",
        "seen": "seen",
        "drift/step": "drifts",
    }
    times: tuple[float, ...]
    layers: tuple[int, ...]
    distances: tuple[float, ...]
    cosines: tuple[float | None, ...]
    least: tuple[float | None, ...]
    seen: tuple[float | None, ...]
    drifts: tuple[float | None, ...]
    error: float

    def draw(self, axes: Axes) -> None:
        """Cosines against time, a colour for each layer; what the law leaves at least is dashed."""
        for layer in range(1, max(self.layers) + 1):
            mine = [row for row in self.rows() if row["layer"] == layer]
            times = [row["time"] for row in mine]
            (line,) = axes.plot(times, [row["cosine"] for row in mine], ".-", label=f"{layer}")
            axes.plot(times, [row["at least"] for row in mine], "--", color=line.get_color())
            axes.plot(times, [row["seen"] for row in mine], ":", color=line.get_color())
        axes.set(xlabel="time, learning rate times steps", ylabel="cosine of W and V'")
        axes.set_title("solid: all weights, dotted: what data see of them, dashed: least")
        axes.legend(title="layer", fontsize="small")


def check_sizes(**sizes: int) -> None:
    """Make sure that sizes of networks are integers within `MOST`, and widths no smaller than classes.

    Raises
    ------
    ValueError
        If they are not.
    """
    for name, value in sizes.items():
        least = 2 if name == "classes" else 1
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} is an integer, got {value!r}")
        if not least <= value <= MOST[name]:
            raise ValueError(f"{name} is an integer from {least} to {MOST[name]}, got {value}")
    width, classes = sizes.get("width"), sizes.get("classes")
    if width is not None and classes is not None and width < classes:
        raise ValueError(
            f"width {width} is below the number of classes, {classes}: signals lose their rank, and layers "
            f"cannot come to rest at least squares; take a width of at least {classes}"
        )


def mixture(
    inputs: int, classes: int, samples: int, *, seed: int = 0
) -> tuple[Array, NDArray[Any]]:
    """Draw white inputs (mean 0, covariance the identity) of classes with means two deviations from 0.

    Returns
    -------
    x : ndarray, shape (samples, inputs)
    labels : ndarray of int, shape (samples,)
        In equal parts.
    """
    check_sizes(inputs=inputs, classes=classes)
    least = max(inputs + 1, classes)
    if not least <= samples <= 10**5:
        raise ValueError(
            f"{inputs} white inputs of {classes} classes take from {least} to 100000 samples, got {samples}"
        )
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    x = (
        rng.standard_normal((samples, inputs))
        + 2.0 * rng.standard_normal((classes, inputs))[labels]
    )
    x -= x.mean(axis=0)
    left, _, right = np.linalg.svd(x, full_matrices=False)
    return left @ right * math.sqrt(samples), labels


def reduced(x: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    """Reduce data to what the flow depends on: a square root of X'X/n, and labels in its coordinates.

    Parameters
    ----------
    x : array_like, shape (n, d)
    labels : array_like of int, shape (n,)
        0 to K - 1.

    Returns
    -------
    root : ndarray, shape (rank, d)
    targets : ndarray, shape (rank, K)
        Least squares: the fit of rest, `theory.countercurrent.LAWS["least-squares"]`.

    Raises
    ------
    ValueError
        For data that make no sense.
    """
    x, labels = np.asarray(x, dtype=float), np.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1] or not np.isfinite(x).all():
        raise ValueError(
            f"x is a finite matrix with a label for each row; got shapes {x.shape} and {labels.shape}"
        )
    if (
        labels.dtype.kind not in "iu"
        or labels.min() < 0
        or len(np.unique(labels)) != labels.max() + 1
    ):
        raise ValueError("labels are integers from 0 to K - 1, each of them there")
    y = np.eye(int(labels.max()) + 1)[labels]
    left, sizes, right = np.linalg.svd(x / math.sqrt(len(x)), full_matrices=False)
    kept = sizes > 1e-10 * sizes.max()
    return sizes[kept, None] * right[kept], left.T[kept] @ y / math.sqrt(len(x))


def first_weights(
    inputs: int, classes: int, width: int, depth: int, *, gain: float = 1.0, seed: int = 0
) -> Weights:
    """Draw weights, uniform up to gain/sqrt(units that are summed), as the source has them for a gain of 1.

    Parameters
    ----------
    inputs, classes, width, depth : int
        Depth is the number of hidden layers.
    gain : float
    seed : int
    """
    check_sizes(inputs=inputs, classes=classes, width=width, depth=depth)
    if not _GAINS[0] <= gain <= _GAINS[1]:
        raise ValueError("a gain is a number from {:g} to {:g}, got {:g}".format(*_GAINS, gain))
    rng = np.random.default_rng(seed)
    sizes = [inputs, *[width] * depth, classes]
    pairs = list(pairwise(sizes))

    def draw(before: int, units: int) -> Array:
        return gain * rng.uniform(-1.0, 1.0, (before, units)) / math.sqrt(before)

    return Weights(tuple(draw(a, b) for a, b in pairs), tuple(draw(b, a) for a, b in pairs))


def states(weights: Weights, x: Array) -> tuple[list[Array], list[Array]]:
    """Outputs A_0 .. A_L and signals B_0 .. B_L of linear networks."""
    outputs, signals = [x], [np.eye(weights.forward[-1].shape[1])]
    for matrix in weights.forward:
        outputs.append(outputs[-1] @ matrix)
    for matrix in reversed(weights.back):
        signals.append(signals[-1] @ matrix)
    return outputs, signals[::-1]


@cache
def _compiled() -> tuple[Any, Any, Any]:
    """Theory's gradients in W and V, and the drift of a step of size 1, as functions of arrays."""
    given = (theory.A, theory.W, theory.B, theory.V, theory.Y)
    forward, back = (lambdify(given, gradient, "numpy") for gradient in theory.gradients())
    slopes = (theory.G, theory.H)
    return forward, back, lambdify(slopes, theory.step_drift(*slopes), "numpy")


def gradient(weights: Weights, x: Array, y: Array) -> Weights:
    """Gradients of all weights, each of the half squared error of its own layer, |A_l B_l' - y|^2/2."""
    in_forward, in_back, _ = _compiled()
    outputs, signals = states(weights, x)
    inputs, classes = np.eye(x.shape[1]), np.eye(y.shape[1])
    layers = zip(
        (x, *outputs[:-1]), (inputs, *weights.forward),
        (*signals[1:], classes), (*weights.back, classes), strict=True,
    )  # fmt: skip
    found = [(in_forward(*layer, y), in_back(*layer, y)) for layer in layers]
    return Weights(tuple(w for w, _ in found[1:]), tuple(v for _, v in found[:-1]))


def _drifts(slopes: Weights) -> list[Array]:
    """Drift of a step of size 1 in every hidden layer."""
    drift_of = _compiled()[2]
    return [drift_of(w, v) for w, v in zip(slopes.forward[:-1], slopes.back[1:], strict=True)]


def _integrated(
    start: Weights,
    x: Array,
    y: Array,
    times: Sequence[float],
    tolerance: float,
    tell: Callable[[float], None],
) -> list[tuple[Weights, list[Array]]]:
    """Weights along the flow, and integrals of the drift, at each time."""
    from scipy.integrate import solve_ivp

    matrices = (*start.forward, *start.back)
    shapes = [m.shape for m in matrices] + [(m.shape[1], m.shape[1]) for m in start.forward[:-1]]
    ends = np.cumsum([a * b for a, b in shapes])

    def unpack(state: Array) -> tuple[Weights, list[Array]]:
        parts = [p.reshape(s) for p, s in zip(np.split(state, ends[:-1]), shapes, strict=True)]
        count = len(start.forward)
        return Weights(tuple(parts[:count]), tuple(parts[count : 2 * count])), parts[2 * count :]

    left = int(_WORK / ends[-1])

    def velocity(time: float, state: Array) -> Array:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConvergenceError(
                f"the flow takes too many steps to go beyond time {time:.3g}; take a shorter time, smaller "
                "first weights or a smaller network",
                {},
                math.nan,
            )
        tell(time / max(times))
        slopes = gradient(unpack(state)[0], x, y)
        parts = [-m for m in (*slopes.forward, *slopes.back)] + _drifts(slopes)
        return np.concatenate([p.ravel() for p in parts])

    state = np.concatenate([m.ravel() for m in matrices])
    state = np.pad(state, (0, ends[-1] - len(state)))
    solved = solve_ivp(
        velocity, (0.0, max(times)), state, "DOP853", times, rtol=tolerance, atol=tolerance
    )
    if not solved.success or not np.isfinite(solved.y).all():
        raise ConvergenceError(
            f"the flow cannot be followed to time {max(times):g}: {solved.message}", {}, math.nan
        )
    return [unpack(column) for column in solved.y.T]


def _cosine(one: Array, other: Array) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other)))


def measured(
    now: Weights, first: Weights, drifts: Sequence[Array], x: Array, y: Array
) -> list[tuple[Any, ...]]:
    """Columns of `Flow` from ``layers`` on, for weights now and at first.

    Parameters
    ----------
    now, first : Weights
    drifts : sequence of ndarray
        What W_l'W_l - V_{l+1}'V_{l+1} moved by for each unit of the step size, in every hidden layer.
    x, y : ndarray
        From `reduced`.
    """
    fits, rows = [a @ b.T for a, b in zip(*states(now, x), strict=True)], []
    for layer, fit in enumerate(fits):
        cosine = least = seen = moved = None
        if layer > 0:
            w, v, w0 = now.forward[layer - 1], now.back[layer - 1].T, first.forward[layer - 1]
            cosine, seen = _cosine(w, v), _cosine(fit, fits[layer - 1])
            norms = (float(np.linalg.norm(m)) for m in (w, v, w0 - first.back[layer - 1].T))
            least = theory.alignment_bound(*norms)
            change = float(np.linalg.norm(w.T @ w - w0.T @ w0))
            if layer < len(fits) - 1 and change > _MOVED * np.linalg.norm(w0) ** 2:
                moved = float(np.linalg.norm(drifts[layer - 1])) / change
        rows.append(
            (layer, float(np.linalg.norm(fit - y) / np.linalg.norm(y)), cosine, least, seen, moved)
        )
    return rows


def flow(
    x: ArrayLike,
    labels: ArrayLike,
    start: Weights,
    times: Sequence[float],
    *,
    tolerance: float = 1e-8,
    progress: Callable[[float], None] = lambda share: None,
) -> Flow:
    """Follow both linear networks along their gradient flow.

    Parameters
    ----------
    x : array_like, shape (n, d)
    labels : array_like of int, shape (n,)
    start : Weights
        From `first_weights`, or one's own.
    times : sequence of float
        From 0 on.
    tolerance : float
        Of the solver.
    progress : callable, optional
        ``progress(share)``, from 0 to 1: how far both solutions have come.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        For what makes no sense.
    ConvergenceError
        If the solver's error is above 0.001, or it fails.

    Notes
    -----
    Data are reduced to as many rows as they have columns (`reduced`), and the equations of theory are solved
    by the Runge-Kutta method of order 8 of Dormand and Prince; the error is twice the largest difference that
    a hundred times the tolerance makes, and no less than rounding's.
    """
    times = _checked_times(times)
    data = _checked(x, labels, start)
    tables, reached = [], 0.0

    def tell(share: float) -> None:  # of both solutions; steps also look ahead, and are taken back
        nonlocal reached
        reached = max(reached, (len(tables) + share) / 2.0)
        progress(reached)

    for one in (100.0 * tolerance, tolerance):
        solved = _integrated(start, *data, times, one, tell)
        tables.append(
            [
                (time, *row)
                for time, (now, drifts) in zip(times, solved, strict=True)
                for row in measured(now, start, drifts, *data)
            ]
        )
    coarse, fine = (np.array(table, dtype=float)[:, 2:] for table in tables)
    error = max(2.0 * float(np.nanmax(abs(coarse - fine))), 1e-9 * float(np.nanmax(abs(fine))))
    if not error < 1e-3:
        raise ConvergenceError(
            f"the flow is known to {error:.1e} only; take a tolerance below {tolerance:g}, or a shorter "
            "time",
            {},
            math.nan,
        )
    return Flow(*zip(*tables[1], strict=True), error=error)


def _checked_times(times: Sequence[float]) -> list[float]:
    found = sorted({float(time) for time in times})
    if not found or not all(0.0 <= time <= _LONGEST for time in found) or found[-1] == 0.0:
        raise ValueError(
            f"times are numbers from 0 to {_LONGEST:g}, one at least above 0; got "
            f"{', '.join(f'{t:g}' for t in times) or 'none'}"
        )
    return found


def _checked(x: ArrayLike, labels: ArrayLike, start: Weights) -> tuple[Array, Array]:
    """Reduced data that fit the weights."""
    root, targets = reduced(x, labels)
    inputs, classes = root.shape[1], targets.shape[1]
    sizes = [inputs, *(m.shape[1] for m in start.forward)]
    pairs = list(pairwise(sizes))
    if (
        [m.shape for m in start.forward] != pairs
        or [m.shape for m in start.back] != [(b, a) for a, b in pairs]
        or sizes[-1] != classes
    ):
        raise ValueError(
            f"weights lead from {inputs} inputs to {classes} classes and back; got shapes "
            f"{', '.join(str(m.shape) for m in (*start.forward, *start.back))}"
        )
    if not all(np.isfinite(m).all() and m.any() for m in (*start.forward, *start.back)):
        raise ValueError("first weights are finite, and no matrix of them is zero")
    check_sizes(width=min(sizes[1:-1], default=classes), classes=classes)
    return root, targets
