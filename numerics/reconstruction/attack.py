"""Samples from weights alone: candidates that make the weights stationary, and how well they are matched."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.reconstruction.network import MOST, Network, checked, misfit
from numerics.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

__all__ = ["Audit", "Reconstruction", "audit", "matched", "reconstruct", "ssim", "starts"]

SHARPNESS = (1.0, 3.0, 10.0, 30.0)
"""Of the gates, one after the other, where the pre-activations of the start have mean square 1."""

FOUND = 0.9
"""Cosine above which a sample counts as given away."""


@dataclass(frozen=True)
class Reconstruction(Result):
    """Candidates for the samples that a network was trained on.

    Attributes
    ----------
    samples : tuple of tuples of float
        The candidates, those with the largest multipliers first.
    multipliers : tuple of tuples of float
        Of each candidate's outputs.
    residual : float
        |theta - sum lambda grad f| / |theta| with exact gates.
    residuals : tuple of float
        The same of every start, in their order; the least is that of the candidates.
    rank : int
        Singular values of the first layer above a hundredth of the largest: no more samples can be told
        apart by their span.
    """

    samples: tuple[tuple[float, ...], ...]
    multipliers: tuple[tuple[float, ...], ...]
    residual: float
    residuals: tuple[float, ...]
    rank: int

    def rows(self) -> list[dict[str, Any]]:
        """A row a candidate."""
        return [
            {"candidate": k, "multiplier": math.hypot(*lam), "norm": math.hypot(*x)}
            for k, (x, lam) in enumerate(zip(self.samples, self.multipliers, strict=True))
        ]

    def draw(self, axes: Axes) -> None:
        """Draw the candidates as pictures, if they are squares, else as lines."""
        axes.imshow(_tiled(np.array(self.samples)), cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set(xlabel="candidates, largest multiplier first", ylabel="")


@dataclass(frozen=True)
class Audit(Result):
    """Which samples a network gives away.

    Attributes
    ----------
    cosines : tuple of float
        Of each sample with the candidate assigned to it.
    start_cosines : tuple of float
        The same for the random starts that the candidates came from: what matching alone does.
    similarities : tuple of float
        Structural similarity with that candidate, scaled to the sample's length; empty if samples are no
        square pictures of 7 pixels or more.
    candidates : tuple of int
        The candidate of each sample.
    residual : float
        Of the reconstruction.
    pairs : tuple of tuples of float
        Each sample, followed by its candidate at the sample's length.
    """

    cosines: tuple[float, ...]
    start_cosines: tuple[float, ...]
    similarities: tuple[float, ...]
    candidates: tuple[int, ...]
    residual: float
    pairs: tuple[tuple[float, ...], ...]

    @property
    def given_away(self) -> int:
        """Number of samples with a cosine above `FOUND`."""
        return sum(c > FOUND for c in self.cosines)

    def rows(self) -> list[dict[str, Any]]:
        """A row a sample."""
        return [
            {
                "sample": k,
                "cosine": cosine,
                "of random starts": self.start_cosines[k],
                "SSIM": self.similarities[k] if self.similarities else None,
                "candidate": self.candidates[k],
                "given away": "yes" if cosine > FOUND else "no",
            }
            for k, cosine in enumerate(self.cosines)
        ]

    def draw(self, axes: Axes) -> None:
        """Draw the samples, each above its candidate."""
        axes.imshow(_tiled(np.array(self.pairs)), cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set(xlabel="samples", ylabel="candidates below samples")


def starts(
    network: Network, count: int, seed: int, *, scale: float = 0.1, centred: bool = False
) -> tuple[Array, Array]:
    """Random candidates and multipliers, with which every search begins.

    Parameters
    ----------
    network : Network
    count : int
    seed : int
    scale : float
        Standard deviation of the candidates' numbers, and of the multipliers'.
    centred : bool
        Whether a sample's multipliers add up to 0, as under the cross-entropy.

    Returns
    -------
    samples : array, shape (count, inputs)
    multipliers : array, shape (count, outputs)
    """
    rng = np.random.default_rng(seed)
    x = scale * rng.standard_normal((count, network.inputs))
    multipliers = scale * rng.standard_normal((count, network.outputs))
    return x, _centred(multipliers) if centred else multipliers


def reconstruct(
    network: Network,
    count: int,
    *,
    bound: float = 1.0,
    centred: bool = False,
    restarts: int = 1,
    iterations: int = 500,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Find samples and multipliers for which the weights are a combination of gradients.

    Parameters
    ----------
    network : Network
        With exact gates: of ReLU.
    count : int
        Candidates; twice as many as there are samples do well.
    bound : float
        No number of a candidate is larger than it in absolute value.
    centred : bool
        Whether a sample's multipliers add up to 0: trained with the cross-entropy.
    restarts : int
        Random starts; that with the least residual is returned.
    iterations : int
        Of the optimiser, for each sharpness of the gates.
    seed : int
    progress : callable, optional
        ``progress(done, total)`` before the first and after each stage of a start.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError
        For numbers that make no sense, and problems with more than 1e8 numbers.

    Notes
    -----
    min |theta - sum lambda grad f(x)|^2 in x and lambda with |x| <= bound, by L-BFGS-B: with gates relaxed
    more and more sharply, and at last with exact ones, whose derivative is that of fixed gates. The problem
    is not convex, and the solution need not be unique: a small residual is no proof that candidates are
    samples. A stage costs about `iterations` times four passes through the network for all candidates. The
    problem is that of Buzaglo et al. (2023), with several multipliers a sample, and bounds in place of
    penalties.
    """
    for name, value in (("count", count), ("restarts", restarts), ("iterations", iterations)):
        if not value >= 1:
            raise ValueError(f"{name} is at least 1, got {value}")
    if not 0.0 < bound < math.inf:
        raise ValueError(f"bound is a positive number, got {bound}")
    if network.sharpness is not None:
        raise ValueError("reconstruction is for ReLU networks, without sharpness")
    widest = max(len(network.patches) * network.weights[0].shape[0], network.inputs)
    if count * widest > MOST:
        raise ValueError(f"{count} candidates of {widest} numbers are more than {MOST}")
    tell = progress or (lambda done, total: None)
    total = restarts * (len(SHARPNESS) + 1)
    tell(0, total)
    found = []
    for k in range(restarts):
        point = starts(network, count, seed + k, scale=0.1 * min(bound, 1.0), centred=centred)
        before = network.passed(point[0]).before
        sizes = [float(np.sqrt((z**2).mean())) or 1.0 for z in before]
        for stage, sharp in enumerate((*SHARPNESS, None)):
            alphas = None if sharp is None else [sharp / size for size in sizes]
            if sharp is None:  # the multipliers first: of them the problem is a linear fit
                point = _descend(network, point, None, 0.0, centred, iterations)
            point = _descend(network, point, alphas, bound, centred, iterations)
            tell(k * (len(SHARPNESS) + 1) + stage + 1, total)
        residual = math.sqrt(misfit(network, *point).value) / network.norm
        found.append((residual, point))
    residual, (x, multipliers) = min(found, key=lambda one: one[0])
    order = np.argsort(-np.linalg.norm(multipliers, axis=1), kind="stable")
    singular = np.linalg.svd(network.weights[0], compute_uv=False)
    return Reconstruction(
        tuple(map(tuple, x[order].tolist())),
        tuple(map(tuple, multipliers[order].tolist())),
        residual,
        tuple(one[0] for one in found),
        int((singular > 0.01 * singular[0]).sum()),
    )


def _descend(
    network: Network,
    point: tuple[Array, Array],
    alphas: list[float] | None,
    bound: float,
    centred: bool,
    iterations: int,
) -> tuple[Array, Array]:
    """One stage of the search; with a bound of 0 the samples stay as they are."""
    from scipy.optimize import minimize

    shape, total = point[0].shape, network.norm**2

    def unpacked(v: Array) -> tuple[Array, Array]:
        multipliers = v[point[0].size :].reshape(point[1].shape)
        return v[: point[0].size].reshape(shape), _centred(multipliers) if centred else multipliers

    def value(v: Array) -> tuple[float, Array]:
        found = misfit(network, *unpacked(v), sharpness=alphas)
        in_multipliers = _centred(found.multipliers) if centred else found.multipliers
        return found.value / total, np.concatenate(
            [found.x.ravel(), in_multipliers.ravel()]
        ) / total

    bounds: list[Any] = [(-bound, bound) if bound else (v, v) for v in point[0].flat]
    bounds += [(None, None)] * point[1].size
    options = {"maxiter": iterations, "maxfun": 2 * iterations}
    v = np.concatenate([part.ravel() for part in point])
    return unpacked(
        minimize(value, v, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    )


def _centred(multipliers: Array) -> Array:
    return multipliers - multipliers.mean(axis=1, keepdims=True)


def matched(candidates: Any, samples: Any) -> tuple[Array, NDArray[np.intp]]:
    """Assign to each sample a candidate of its own, with the largest sum of cosines.

    Parameters
    ----------
    candidates : array, shape (candidates, inputs)
    samples : array, shape (n, inputs)
        No more of them than candidates.

    Returns
    -------
    cosines : array, shape (n,)
    candidates : array of int, shape (n,)

    Raises
    ------
    ValueError
        If there are fewer candidates than samples, or their numbers of columns differ.
    """
    from scipy.optimize import linear_sum_assignment

    one, other = checked("candidates", candidates, 2), checked("samples", samples, 2)
    if one.shape[1] != other.shape[1] or len(one) < len(other):
        raise ValueError(
            f"{len(other)} samples of {other.shape[1]} numbers need as many candidates or more, got "
            f"{len(one)} of {one.shape[1]}"
        )
    unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300) for v in (other, one)]
    cosines = unit[0] @ unit[1].T
    sample, candidate = linear_sum_assignment(-cosines)
    return cosines[sample, candidate], candidate


def ssim(first: Array, second: Array, span: float) -> float:
    """Mean structural similarity of two pictures over windows of 7 by 7 pixels.

    Parameters
    ----------
    first, second : arrays, shape (height, width)
    span : float
        Range of the values.
    """
    windows = [
        np.lib.stride_tricks.sliding_window_view(v, (7, 7)).reshape(-1, 49) for v in (first, second)
    ]
    m1, m2 = (w.mean(axis=1) for w in windows)
    v1, v2 = (w.var(axis=1, ddof=1) for w in windows)
    both = (windows[0] * windows[1]).mean(axis=1) - m1 * m2
    return float(np.mean(_ssim()(span, m1, m2, v1, v2, both * 49 / 48)))


@cache
def _ssim() -> Any:
    from sympy import lambdify

    from theory.reconstruction.network import structural_similarity

    expression = structural_similarity()
    return lambdify(sorted(expression.free_symbols, key=str), expression, "numpy")


def audit(network: Network, found: Reconstruction, x: Any, *, seed: int = 0) -> Audit:
    """Match a reconstruction with the samples that somebody trained on.

    Parameters
    ----------
    network : Network
    found : Reconstruction
        With at least as many candidates as samples.
    x : array, shape (n, inputs)
        The samples, as the network was given them.
    seed : int
        Of the random starts beside which the candidates are shown.

    Returns
    -------
    Audit
    """
    x = checked("x", x, 2)
    candidates = np.array(found.samples)
    cosines, chosen = matched(candidates, x)
    by_chance, _ = matched(starts(network, len(candidates), seed)[0], x)
    lengths = np.linalg.norm(x, axis=1) / np.maximum(
        np.linalg.norm(candidates[chosen], axis=1), 1e-300
    )
    shown = candidates[chosen] * lengths[:, None]
    side = math.isqrt(x.shape[1])
    pictures = side * side == x.shape[1] and side >= 7
    span = float(np.ptp(x)) or 1.0
    shape = (side, side)
    return Audit(
        tuple(cosines.tolist()),
        tuple(by_chance.tolist()),
        tuple(ssim(a.reshape(shape), b.reshape(shape), span) for a, b in zip(x, shown, strict=True))
        if pictures
        else (),
        tuple(chosen.tolist()),
        found.residual,
        tuple(tuple(v.tolist()) for pair in zip(x, shown, strict=True) for v in pair),
    )


def _tiled(rows: Array) -> Array:
    """Vectors side by side: two rows of pictures where they are squares, else as columns."""
    side = math.isqrt(rows.shape[1])
    if side * side != rows.shape[1] or side < 2:
        return rows.T
    framed = np.full((len(rows) + len(rows) % 2, side + 1, side + 1), np.nan)
    framed[: len(rows), :side, :side] = rows.reshape(-1, side, side)
    two = framed.reshape(-1, 2 * (side + 1), side + 1)
    return np.concatenate(list(two), axis=1)
