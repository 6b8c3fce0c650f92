"""How far weights are from rest on given data: multipliers, residuals between bounds, span and norms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.errors import ConvergenceError
from numerics.reconstruction.network import (
    MOST,
    Network,
    Passed,
    check_samples,
    checked,
    evaluator,
    misfit,
)
from numerics.results import Result
from theory.reconstruction.network import weight_gradients

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

__all__ = [
    "LOSSES",
    "Cone",
    "Stationarity",
    "decay_of",
    "kinks",
    "law_multipliers",
    "rank_bound",
    "rays",
    "slopes",
    "stationarity",
    "targets_of",
]

LOSSES = ("squared", "huber", "logistic", "cross-entropy", "margin", "interpolation")
"""What trained a network. The last two are of training without decay: the max-margin problem, and the least
norm with f = y, whose multipliers may have either sign."""

KINK = 1e-3
"""|w . x| relative to |w| |x| up to which a sample counts as lying on a unit's kink."""

RANK = 1e-2
"""Singular values of the first layer above this share of the largest count as its rank."""


@dataclass(frozen=True)
class Stationarity(Result):
    """Weights against samples.

    Residuals are |theta - sum lambda grad f| / |theta|: 0 where the weights are at rest on these samples, 1
    where the samples say nothing of them.

    Attributes
    ----------
    loss : str
    decay : float or None
        As given, else read off the weights; None for training without.
    residual : float or None
        With the law's multipliers and hard gates.
    hard : float
        The least with hard gates, over all multipliers of the right signs.
    low, high : float
        Between these is the least over all multipliers of the right signs and, at kinks, gates from 0 to 1.
    kinks : float
        Share of pairs of a unit and a sample that lie on a kink.
    hurt : float or None
        Two layers: the share of those where the unit hurts the sample, 1 at minima.
    norms : tuple of float
        Squared norm of each layer.
    pairing : float
        sum lambda f with the fitted multipliers, to which each of the norms is equal at rest.
    rank, bound : int
        Singular values of the first layer above a hundredth of its largest, and the most there can be.
    outside : float
        Share of the first layer's norm that is outside the span of the samples' patches.
    law, fitted : tuple of tuples of float
        Multipliers of each sample's outputs, as the loss says and as they fit best; ``law`` is empty
        without decay.
    """

    loss: str
    decay: float | None
    residual: float | None
    hard: float
    low: float
    high: float
    kinks: float
    hurt: float | None
    norms: tuple[float, ...]
    pairing: float
    rank: int
    bound: int
    outside: float
    law: tuple[tuple[float, ...], ...]
    fitted: tuple[tuple[float, ...], ...]

    def rows(self) -> list[dict[str, Any]]:
        """A row a sample: the norms of its multipliers, as the loss says and as fitted."""
        return [
            {
                "sample": k,
                "multiplier": math.hypot(*fit),
                "from the loss": math.hypot(*self.law[k]) if self.law else None,
            }
            for k, fit in enumerate(self.fitted)
        ]

    def draw(self, axes: Axes) -> None:
        """Fitted multipliers against those of the law."""
        fitted = np.ravel(self.fitted)
        law = np.ravel(self.law) if self.law else fitted
        axes.axline((0.0, 0.0), slope=1.0, color="#999999", linewidth=0.8)
        axes.plot(law, fitted, "o", markersize=3)
        axes.set(xlabel="multiplier from the loss", ylabel="fitted multiplier")

    def note(self) -> str:
        """What is said of the network as a whole, in lines."""
        decay = "" if self.decay is None else f", decay {self.decay:.4g}"
        law = "" if self.residual is None else f"; with those of the loss {self.residual:.4f}"
        sign = "" if self.hurt is None else f", {self.hurt:.0%} of them at units that hurt"
        return "\n".join(
            (
                f"{self.loss} loss{decay}",
                f"residual, hard gates: {self.hard:.4f} with the best multipliers{law}",
                f"residual, gates free at kinks: between {self.low:.4f} and {self.high:.4f}",
                f"kinks: {self.kinks:.1%} of pairs of a unit and a sample{sign}",
                f"squared norms of the layers: {', '.join(f'{v:.5g}' for v in self.norms)}; "
                f"at rest all are {self.pairing:.5g}",
                f"first layer: rank {self.rank} of at most {self.bound}; "
                f"{self.outside:.2g} of it outside the samples' span",
            )
        )


def stationarity(
    network: Network,
    x: Any,
    y: Any,
    loss: str,
    *,
    decay: float | None = None,
    clip: float = 1.0,
    kink: float = KINK,
) -> Stationarity:
    """Find out whether a network is at rest on given data.

    Parameters
    ----------
    network : Network
    x : array, shape (n, inputs)
    y : array
        Classes 0, 1, .. for several outputs, -1 and 1 for one, of shape (n,); real targets of shape (n,) or
        (n, outputs) for ``squared``, ``huber`` and ``interpolation``.
    loss : str
        One of `LOSSES`.
    decay : float, optional
        Weight decay rho; by default it is read off the weights.
    clip : float
        Where the Huber loss becomes linear.
    kink : float
        |w . x| <= kink |w| |x| counts as a kink.

    Returns
    -------
    Stationarity

    Raises
    ------
    ValueError
        If data and network do not fit, or no decay agrees with them.
    ConvergenceError
        If the fit of the multipliers is not reached.

    Notes
    -----
    The multipliers of the right signs are a cone of rays; with hard gates the fit is non-negative least
    squares. With gates between 0 and 1 at kinks the problem is convex in (lambda, lambda s) for two layers;
    L-BFGS-B finds its minimum in (lambda, s), which gives ``high``. ``low`` comes from weak duality: if u has
    <u, g> <= 0 for every ray and all gates, the distance is at least <u, theta> / |u|. The residual found is
    nearly such a u; what it lacks is made up with minus theta, for which <theta, g> is a margin by Euler's
    identity, or with minus the shortest combination of rays. With more than two layers u is kept to the last
    two, whose gates enter linearly, so that ``low`` holds but is loose. Multipliers of either sign with free
    gates are no convex problem, and leave ``low`` at 0. Cost: a QR of weights by multipliers, and some
    hundreds of passes.
    """
    x, targets = _data(network, x, y, loss)
    passed = network.passed(x)
    law = None
    if loss not in ("margin", "interpolation"):
        slope = slopes(passed.outputs, targets, loss, clip)
        if decay is None:
            decay = decay_of(network, slope, passed.outputs)
        law = law_multipliers(passed.outputs, targets, loss, decay, clip)
    cone = Cone(
        network, x, passed, kinks(network, passed, kink), *rays(passed.outputs, targets, loss)
    )
    columns = cone.columns()
    forces, hard = cone.fit(columns)
    best, residuals, value = cone.relax(forces)
    low = cone.lower(residuals, columns)
    rounding = sum(w.size for w in network.weights) * float(np.finfo(float).eps)
    size = network.norm
    rows = passed.rows[0]
    basis = np.linalg.svd(rows, full_matrices=False)
    kept = basis[2][basis[1] > 1e-10 * basis[1][0]]
    first = network.weights[0]
    singular = np.linalg.svd(first, compute_uv=False)
    high = math.sqrt(min(value, hard)) / size
    return Stationarity(
        loss,
        decay,
        None if law is None else math.sqrt(misfit(network, x, law).value) / size,
        math.sqrt(hard) / size,
        max(0.0, min(low / size - rounding, high)),
        high + rounding,
        float(np.mean([f.mean() for f in cone.free])),
        cone.hurt(best),
        tuple(float((w**2).sum()) for w in network.weights),
        float((best * passed.outputs).sum()),
        int((singular > RANK * singular[0]).sum()),
        rank_bound(network, len(x)),
        float(np.linalg.norm(first - first @ kept.T @ kept) / np.linalg.norm(first)),
        () if law is None else tuple(map(tuple, law.tolist())),
        tuple(map(tuple, best.tolist())),
    )


def targets_of(outputs: int, y: Any, loss: str) -> Array:
    """Return targets of shape (n, outputs): 1 and 0 of classes, 1 and -1 of a sign, or numbers.

    Raises
    ------
    ValueError
        If the loss has no such targets.
    """
    if loss not in LOSSES:
        raise ValueError(f"a loss is one of {', '.join(LOSSES)}, got {loss!r}")
    found = checked("y", y)
    several = loss == "cross-entropy" or (loss == "margin" and outputs > 1)
    if several:
        if outputs < 2:
            raise ValueError("the cross-entropy needs two outputs or more; this network has one")
        if found.ndim != 1 or not np.isin(found, np.arange(outputs)).all():
            raise ValueError(f"y has classes from 0 to {outputs - 1}, one a sample, for {loss}")
        return np.eye(outputs)[found.astype(int)]
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] != outputs:
        raise ValueError(f"y needs {outputs} numbers a sample for {loss}, got shape {np.shape(y)}")
    if loss in ("logistic", "margin") and not np.isin(found, (-1.0, 1.0)).all():
        raise ValueError(f"y is -1 or 1 for {loss}")
    return found


def _data(network: Network, x: Any, y: Any, loss: str) -> tuple[Array, Array]:
    found, targets = check_samples(network, x), targets_of(network.outputs, y, loss)
    if len(found) != len(targets):
        raise ValueError(f"x has {len(found)} samples and y {len(targets)}")
    return found, targets


def law_multipliers(f: Array, targets: Array, loss: str, decay: float, clip: float = 1.0) -> Array:
    """Multipliers that theory derives from the slope of a loss, for outputs and targets of the same shape.

    Raises
    ------
    ValueError
        Without a positive decay and clip.
    """
    if not 0.0 < decay < math.inf or not 0.0 < clip < math.inf:
        name, value = ("clip", clip) if 0.0 < decay < math.inf else ("decay", decay)
        raise ValueError(f"the multipliers of a loss need a {name} above 0, got {value}")
    law = evaluator(f"{loss}-multiplier")
    if loss != "cross-entropy":
        with np.errstate(over="ignore"):  # exp(y f) of a sample that is fitted: multiplier 0
            values = {"f": f, "y": targets, "c": clip, "n": len(f), "rho": decay}
            return np.broadcast_to(law(**values), f.shape).astype(float)
    shifted = f - f.max(axis=1, keepdims=True)  # a shift of all outputs changes nothing
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    return law(f_m=shifted, t_m=targets, Z=total, n=len(f), rho=decay)


def slopes(f: Array, targets: Array, loss: str, clip: float = 1.0) -> Array:
    """Derivatives of each sample's loss in its outputs: multipliers at n rho = 1, with the sign turned."""
    return -law_multipliers(f, targets, loss, 1.0 / len(f), clip)


def decay_of(network: Network, slope: Array, f: Array) -> float:
    """Weight decay that agrees with a network's norm, the slopes of its losses and its outputs.

    Raises
    ------
    ValueError
        If none does.
    """
    values = {"S": float((slope * f).sum()), "L": len(network.weights), "T": network.norm**2}
    found = float(evaluator("decay")(n=len(f), **values))
    if network.sharpness is not None or not found > 0.0:
        raise ValueError(
            f"no weight decay agrees with these weights, losses and data (it would be {found:.3g}): give "
            "it, or take the margin for networks trained without"
        )
    return found


def rays(f: Array, targets: Array, loss: str) -> tuple[NDArray[np.intp], Array]:
    """Extreme multipliers of the right signs: the sample of each, and its numbers for the outputs."""
    n, outputs = targets.shape
    several = loss == "cross-entropy" or (loss == "margin" and outputs > 1)
    if several:
        own = targets.argmax(axis=1)
        pairs = [(i, c) for i in range(n) for c in range(outputs) if c != own[i]]
        directions = np.zeros((len(pairs), outputs))
        for row, (i, c) in zip(directions, pairs, strict=True):
            row[[own[i], c]] = evaluator("margin-multiplier")(
                Z=1.0, t_m=np.array([1.0, 0.0]), mu_m=np.array([0.0, 1.0])
            )
        return np.array([i for i, _ in pairs]), directions
    if loss == "interpolation":
        unit = np.tile(np.eye(outputs), (n, 1))
        return np.repeat(np.tile(np.arange(n), 2), outputs), np.concatenate([unit, -unit])
    signs = targets if loss in ("logistic", "margin") else -np.sign(slopes(f, targets, loss))
    sample, output = np.nonzero(signs)
    return sample, np.eye(outputs)[output] * signs[sample, output][:, None]


def rank_bound(network: Network, n: int) -> int:
    """Largest rank that the first layer can have at rest on n samples."""
    pixels = network.weights[0].shape[1]
    return int(evaluator("span")(P=len(network.patches), n=n, q=pixels))


def kinks(network: Network, passed: Passed, kink: float = KINK) -> list[NDArray[np.bool_]]:
    """Pairs of a sample and a unit of each hidden layer that lie on a kink; none in smooth networks."""
    found = []
    for k, z in enumerate(passed.before):
        lengths = np.outer(
            np.linalg.norm(passed.rows[k], axis=1), np.linalg.norm(network.weights[k], axis=1)
        )
        lengths = network.gathered(lengths) if k == 0 else lengths
        # units without weights, and those of which all inputs are off, are on no kink that matters
        found.append((np.abs(z) <= kink * lengths) & (lengths > 0.0) & (network.sharpness is None))
    return found


def _non_negative(matrix: Array, vector: Array) -> Array:
    """Non-negative least squares."""
    from scipy.optimize import nnls

    try:
        return nnls(matrix, vector, maxiter=50 * matrix.shape[1] + 100)[0]
    except RuntimeError as error:
        raise ConvergenceError(
            f"no non-negative fit of {matrix.shape[1]} multipliers was reached: take fewer samples",
            {},
            math.nan,
        ) from error


@dataclass(frozen=True)
class Cone:
    """Combinations of gradients with multipliers of the right signs and gates that are free at kinks.

    Attributes
    ----------
    network : Network
    x : array, shape (n, inputs)
    passed : Passed
        The samples' way through the network.
    free : list of arrays of bool
        Where gates are free, as from `kinks`.
    sample, directions : arrays
        Extreme multipliers, as from `rays`.
    """

    network: Network
    x: Array
    passed: Passed
    free: list[NDArray[np.bool_]]
    sample: NDArray[np.intp]
    directions: Array

    def multipliers(self, forces: Array) -> Array:
        """Add up forces along the rays."""
        found = np.zeros(self.passed.outputs.shape)
        np.add.at(found, self.sample, forces[:, None] * self.directions)
        return found

    def columns(self) -> Array:
        """Gradients along the rays at hard gates, a column each."""
        network, passed, many = self.network, self.passed, len(self.network.patches)
        size = sum(w.size for w in network.weights)
        if len(self.sample) * size > MOST // 4:
            raise ValueError(
                f"{len(self.sample)} multipliers of {size} weights are more than {MOST // 4} numbers: take "
                "fewer samples"
            )
        found = np.empty((size, len(self.sample)))
        for k, (i, direction) in enumerate(zip(self.sample, self.directions, strict=True)):
            rows = [
                passed.rows[0][i * many : (i + 1) * many],
                *(h[i : i + 1] for h in passed.rows[1:]),
            ]
            deltas = network.back([s[i : i + 1] for s in passed.gates], direction[None])
            found[:, k] = np.concatenate([g.ravel() for g in weight_gradients(deltas, rows)])
        return found

    def fit(self, columns: Array) -> tuple[Array, float]:
        """Forces with the least residual at hard gates, and its square."""
        q, r = np.linalg.qr(columns)
        theta = np.concatenate([w.ravel() for w in self.network.weights])
        forces = _non_negative(r, q.T @ theta)
        return forces, misfit(self.network, self.x, self.multipliers(forces)).value

    def relax(self, forces: Array) -> tuple[Array, list[Array], float]:
        """Multipliers with the least residual over the gates at kinks, the residuals, and their square."""
        from scipy.optimize import minimize

        scale = float(forces.max(initial=0.0)) or 1.0
        ends = np.cumsum([len(forces), *(int(f.sum()) for f in self.free)])
        total = self.network.norm**2

        def unpacked(v: Array) -> tuple[Array, list[Array]]:
            gates = [s.copy() for s in self.passed.gates]
            for gate, where, a, b in zip(gates, self.free, ends[:-1], ends[1:], strict=True):
                gate[where] = v[a:b]
            return self.multipliers(scale * v[: len(forces)]), gates

        def value(v: Array) -> tuple[float, Array]:
            multipliers, gates = unpacked(v)
            found = misfit(self.network, self.x, multipliers, gates=gates)
            along = scale * (found.multipliers[self.sample] * self.directions).sum(axis=1)
            parts = [g[where] for g, where in zip(found.gates, self.free, strict=True)]
            return found.value / total, np.concatenate([along, *parts]) / total

        v = np.concatenate([forces / scale, np.full(ends[-1] - ends[0], 0.5)])
        bounds = [(0.0, None)] * len(forces) + [(0.0, 1.0)] * int(ends[-1] - ends[0])
        options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-9}
        v = minimize(value, v, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
        multipliers, gates = unpacked(v)
        found = misfit(self.network, self.x, multipliers, gates=gates)
        return multipliers, found.residuals, found.value

    def largest(self, inner: Array, last: Array) -> Array:
        """Largest <u, g> over gates at kinks for each ray, for u in the last two layers."""
        network, passed = self.network, self.passed
        into = passed.rows[-2] @ inner.T
        into = network.gathered(into) if len(network.weights) == 2 else into
        part = (self.directions @ network.weights[-1]) * into[self.sample]
        gated = passed.gates[-1][self.sample] * part
        hidden = np.where(self.free[-1][self.sample], np.maximum(part, 0.0), gated).sum(axis=1)
        return hidden + (self.directions * (passed.rows[-1] @ last.T)[self.sample]).sum(axis=1)

    def lower(self, residuals: list[Array], columns: Array) -> float:
        """A lower bound on |theta - sum lambda grad f| over the cone and the gates at kinks."""
        inner, last = self.network.weights[-2:]
        tail = columns[-inner.size - last.size :]
        if not tail.shape[1]:
            return self.network.norm
        # the shortest convex combination of the rays: no ray is at an obtuse angle with it
        r = np.linalg.qr(tail)[1]
        size = float(np.linalg.norm(r, axis=0).max()) or 1.0
        one = np.eye(len(r) + 1)[-1]
        hull = tail @ _non_negative(np.vstack([r / size, np.ones(r.shape[1])]), one)
        helpers = (
            (inner, last),
            (hull[: inner.size].reshape(inner.shape), hull[inner.size :].reshape(last.shape)),
        )
        above = np.maximum(self.largest(*residuals[-2:]), 0.0)
        found = 0.0
        for helper in helpers:
            against = -self.largest(*(-v for v in helper))
            if ((above > 0.0) & (against <= 0.0)).any():
                continue
            share = float(np.max(above / np.where(above > 0.0, against, 1.0)))
            u = [a - share * b for a, b in zip(residuals[-2:], helper, strict=True)]
            length = math.hypot(*(float(np.linalg.norm(v)) for v in u))
            inside = sum(float((a * b).sum()) for a, b in zip(u, (inner, last), strict=True))
            found = max(found, inside / length if length else 0.0)
        return found

    def hurt(self, multipliers: Array) -> float | None:
        """Share of kinks where the sensitivity before the gate has the sign that a minimum needs."""
        if len(self.network.weights) != 2:
            return None
        before = multipliers @ self.network.weights[1]
        active = self.free[0] & (np.abs(before) > 1e-6 * np.abs(before).max())
        return float((before[active] <= 0.0).mean()) if active.any() else None
