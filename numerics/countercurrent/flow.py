"""The gradient flow of linear counter-current learning, and its drift at finite steps.

Losses are half the squared error per sample, |A_l B_l' - Y|^2/(2n), in every layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import lambdify

from numerics.countercurrent.networks import Weights, check_sizes, gradient, reduced, states
from numerics.errors import ConvergenceError
from numerics.results import Table
from theory import countercurrent as theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Array = NDArray[np.float64]

__all__ = ["Drift", "Flow", "drift", "flow"]

_STEPS, _LONGEST = 10**6, 1e6


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
        for the first and the last layer, and at time 0.
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


@dataclass(frozen=True)
class Drift(Table):
    """Drift of the conserved matrices at finite steps, relative to the change of W'W.

    Attributes
    ----------
    steps : tuple of float
        Step sizes.
    layers : tuple of int
        Hidden ones.
    predicted : tuple of float
        To first order in the step, from the flow.
    iterated : tuple of float
        By gradient descent.
    error : float
        Bound on what the solver adds to ``predicted``, relative to it.
    """

    columns: ClassVar = {
        "step": "steps",
        "layer": "layers",
        "predicted": "predicted",
        "iterated": "iterated",
    }
    steps: tuple[float, ...]
    layers: tuple[int, ...]
    predicted: tuple[float, ...]
    iterated: tuple[float, ...]
    error: float

    def draw(self, axes: Axes) -> None:
        """Drift against the step size; predictions are lines."""
        for layer in dict.fromkeys(self.layers):
            mine = [row for row in self.rows() if row["layer"] == layer]
            steps = [row["step"] for row in mine]
            (line,) = axes.plot(steps, [row["predicted"] for row in mine], label=f"layer {layer}")
            axes.plot(steps, [row["iterated"] for row in mine], "o", color=line.get_color())
        axes.set(xscale="log", yscale="log", xlabel="step size", ylabel="relative drift")
        axes.legend()


@cache
def _compiled() -> Any:
    """The drift of a step, as a function of two gradients."""
    gradients = (theory.G, theory.H)
    return lambdify(gradients, theory.step_drift(*gradients), "numpy")


def _drifts(slopes: Weights) -> list[Array]:
    """Drift of a step of size 1 in every hidden layer."""
    drift_of = _compiled()
    return [drift_of(w, v) for w, v in zip(slopes.forward[:-1], slopes.back[1:], strict=True)]


def _integrated(
    start: Weights, x: Array, y: Array, times: Sequence[float], tolerance: float
) -> list[tuple[Weights, list[Array]]]:
    """Weights along the flow, and integrals of the drift, at each time."""
    from scipy.integrate import solve_ivp

    shapes = [m.shape for m in (*start.forward, *start.back)]
    shapes += [(m.shape[1], m.shape[1]) for m in start.forward[:-1]]
    ends = np.cumsum([a * b for a, b in shapes])

    def unpack(state: Array) -> tuple[Weights, list[Array]]:
        parts = [p.reshape(s) for p, s in zip(np.split(state, ends[:-1]), shapes, strict=True)]
        count = len(start.forward)
        return Weights(tuple(parts[:count]), tuple(parts[count : 2 * count])), parts[2 * count :]

    def velocity(_: float, state: Array) -> Array:
        slopes = gradient(unpack(state)[0], x, y)
        parts = [-m for m in (*slopes.forward, *slopes.back)] + _drifts(slopes)
        return np.concatenate([p.ravel() for p in parts])

    state = np.zeros(ends[-1])
    state[: ends[2 * len(start.forward) - 1]] = np.concatenate(
        [m.ravel() for m in (*start.forward, *start.back)]
    )
    solved = solve_ivp(
        velocity, (0.0, max(times)), state, "DOP853", sorted(set(times)), rtol=tolerance,
        atol=tolerance,
    )  # fmt: skip
    if not solved.success or not np.isfinite(solved.y).all():
        raise ConvergenceError(
            f"the flow cannot be followed to time {max(times):g}: {solved.message}", {}, math.nan
        )
    return [unpack(column) for column in solved.y.T]


def _change(now: Array, first: Array) -> float:
    """Size of the change of W'W."""
    return float(np.linalg.norm(now.T @ now - first.T @ first))


def _cosine(one: Array, other: Array) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other)))


def _rows(
    time: float, now: Weights, first: Weights, drifts: list[Array], data: tuple[Array, Array]
) -> list[tuple[Any, ...]]:
    """A time's rows of `Flow`."""
    x, y = data
    outputs, signals = states(now, x)
    fits = [a @ b.T for a, b in zip(outputs, signals, strict=True)]
    rows = []
    for layer, fit in enumerate(fits):
        cosine = least = seen = moved = None
        if layer > 0:
            w, v = now.forward[layer - 1], now.back[layer - 1].T
            apart = first.forward[layer - 1] - first.back[layer - 1].T
            cosine, seen = _cosine(w, v), _cosine(fit, fits[layer - 1])
            norms = (float(np.linalg.norm(m)) for m in (w, v, apart))
            least = theory.alignment_bound(*norms)
        if 0 < layer < len(fits) - 1 and time > 0.0:
            change = _change(now.forward[layer - 1], first.forward[layer - 1])
            moved = float(np.linalg.norm(drifts[layer - 1])) / change
        distance = float(np.linalg.norm(fit - y) / np.linalg.norm(y))
        rows.append((time, layer, distance, cosine, least, seen, moved))
    return rows


def flow(
    x: ArrayLike,
    labels: ArrayLike,
    start: Weights,
    times: Sequence[float],
    *,
    tolerance: float = 1e-8,
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
    a hundred times the tolerance makes.
    """
    times = _checked_times(times)
    data = _checked(x, labels, start)
    tables = []
    for one in (100.0 * tolerance, tolerance):
        solved = _integrated(start, *data, times, one)
        parts = [
            _rows(t, now, start, drifts, data)
            for t, (now, drifts) in zip(times, solved, strict=True)
        ]
        tables.append([row for part in parts for row in part])
    error = 2.0 * max(
        abs(a - b)
        for coarse, fine in zip(*tables, strict=True)
        for a, b in zip(coarse, fine, strict=True)
        if a is not None
    )
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
    check_sizes(width=min(sizes[1:-1], default=classes), classes=classes)
    return root, targets


def drift(
    x: ArrayLike, labels: ArrayLike, start: Weights, time: float, steps: Sequence[float]
) -> Drift:
    """Predict how far finite steps take the conserved matrices, and iterate them.

    Parameters
    ----------
    x, labels, start
        As for `flow`.
    time : float
        Step size times number of steps.
    steps : sequence of float
        Step sizes, each a whole part of the time.

    Returns
    -------
    Drift

    Raises
    ------
    ValueError
        For what makes no sense.
    ConvergenceError
        If the solver fails, or descent diverges.
    """
    (time,) = _checked_times([time])
    steps = sorted(float(step) for step in steps)
    counts = [round(time / step) if 0.0 < step <= time else 0 for step in steps]
    for step, count in zip(steps, counts, strict=True):
        if not 1 <= count <= _STEPS or not math.isclose(count * step, time, rel_tol=1e-9):
            raise ValueError(
                f"a step is the time {time:g} over an integer up to {_STEPS}, got {step:g}"
            )
    data = _checked(x, labels, start)
    coarse, fine = (
        [
            float(np.linalg.norm(integral)) / _change(now, first)
            for integral, now, first in zip(drifts, ends.forward, start.forward, strict=False)
        ]
        for ends, drifts in (_integrated(start, *data, [time], t)[0] for t in (1e-6, 1e-8))
    )
    rows = []
    for step, count in zip(steps, counts, strict=True):
        now = start
        with np.errstate(all="ignore"):
            for _ in range(count):
                slopes = gradient(now, *data)
                now = Weights(*(
                    tuple(m - step * g for m, g in zip(*pair, strict=True))
                    for pair in zip(now, slopes, strict=True)
                ))  # fmt: skip
        if not all(np.isfinite(m).all() for m in (*now.forward, *now.back)):
            raise ConvergenceError(
                f"descent diverges at a step of {step:g}; take a smaller one", {}, math.nan
            )
        for layer, per_step in enumerate(fine):
            moved = _kept(now, layer) - _kept(start, layer)
            size = float(np.linalg.norm(moved)) / _change(now.forward[layer], start.forward[layer])
            rows.append((step, layer + 1, step * per_step, size))
    error = 2.0 * max(abs(a / b - 1.0) for a, b in zip(coarse, fine, strict=True))
    return Drift(*zip(*rows, strict=True), error=error)


def _kept(weights: Weights, layer: int) -> Array:
    """W'W - V'V of a hidden layer, counted from 0."""
    w, v = weights.forward[layer], weights.back[layer + 1]
    return w.T @ w - v.T @ v
