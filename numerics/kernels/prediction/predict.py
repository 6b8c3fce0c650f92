"""What wide networks predict: Gaussian processes given data, and ensembles trained by gradient flow.

The formulas are theory's (`theory.kernels.laws.prediction`). Kernels of training and new inputs are computed
once; one eigendecomposition serves all times, a Cholesky factor where only the end of training is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy.codegen.rewriting import expm1_opt, optimize

from numerics.errors import DivergenceError
from numerics.kernels.deq import DEQKernel
from numerics.kernels.inputs import check_inputs
from numerics.kernels.kernel import kernel
from numerics.kernels.mlp import MLPKernel
from numerics.kernels.series.rounding import UNIT
from numerics.results import Arrays
from theory.kernels.architectures import DEQ, MLP
from theory.kernels.duals import Tangent
from theory.kernels.laws import prediction as law
from theory.kernels.sequential import Sequential
from theory.parameters import shown

from .factors import Applied, Cholesky, Gain, Spectrum, excess, norms, roundings

__all__ = ["Prediction", "predict", "predict_from"]

Array = NDArray[np.float64]
_UP = 1.0 + 1e-6
"""For the rounding of the bounds themselves."""


@dataclass(frozen=True, eq=False)
class Prediction(Arrays):
    """Normal distribution of a wide network's outputs at new inputs.

    Attributes
    ----------
    mean : ndarray, shape ([T,] m[, outputs])
        The first axis is there if several times were asked for, the last if the labels had one.
    covariance : ndarray, shape ([T,] m, m)
        Over the initialisations of networks, or of the posterior; of one output, and the same for each.
        Different outputs are independent.
    mean_error, covariance_error : float or ndarray, shape (T,)
        Bounds of the errors of all entries, absolute: kernels, rounding and conditioning.
    times : float or ndarray, shape (T,)
        Steps of gradient descent; `math.inf` for the end of training and for a posterior.
    kind : {"ntk", "nngp"}
    largest_rate : float
        Learning rates below it converge: gradient flow describes steps that are much smaller. From the
        largest diagonal sum of the kernel's rows, which bounds its largest eigenvalue.
    """

    mean: Array
    covariance: Array
    mean_error: Any
    covariance_error: Any
    times: Any
    kind: str
    largest_rate: float

    @property
    def deviation(self) -> Array:
        """Standard deviations, roots of the covariances' diagonals; shape ([T,] m)."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=-2, axis2=-1), 0.0))


def predict(
    model: MLP | DEQ | Sequential,
    x: ArrayLike,
    y: ArrayLike,
    x_new: ArrayLike,
    *,
    kind: Literal["ntk", "nngp"] = "ntk",
    times: ArrayLike = math.inf,
    learning_rate: float = 1.0,
    ridge: float = 0.0,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> Prediction:
    """Predict outputs of a wide network at new inputs from labelled ones.

    Parameters
    ----------
    model : theory.MLP, theory.DEQ or theory.Sequential
        With numbers for all scales.
    x : array_like, shape (n, d) or (d,)
        Training inputs, one a row.
    y : array_like, shape (n,) or (n, outputs)
        Their labels.
    x_new : array_like, shape (m, d) or (d,)
        New inputs.
    kind : {"ntk", "nngp"}
        "ntk": all parameters of many networks are trained from independent initialisations, each for the
        given times. "nngp": the posterior of the Gaussian process of networks at initialisation, which has
        no time.
    times : float or array_like, shape (T,)
        Steps of full-batch gradient descent, not negative; 0 is the prior, infinity (the default) the end
        of training.
    learning_rate : float
        eta, of the loss ``mean((f - y)**2)/2``, the mean over all numbers in y. Only its product with the
        times matters.
    ridge : float
        lambda, in the kernel's units. "nngp": variance of the labels' noise. "ntk": weight decay towards
        the initial parameters, ``ridge/N |w - w_0|^2/2`` beside the loss, N the number of labels, in the NTK
        parameterisation; kernel ridge regression at the end.
    tangent, refine, progress
        As of `numerics.kernel`.

    Returns
    -------
    Prediction

    Raises
    ------
    SingularKernelError
        If the training inputs' kernel is singular as far as doubles know it, and a time or a ridge does not
        make up for it: the message says what would.
    ValueError
        For inputs, labels, times, rates and ridges that make no sense.
    DivergenceError, KernelMemoryError
        As `numerics.kernel`; also where the tangent kernel is infinite (activations that jump).

    Notes
    -----
    With A(t) = (1 - exp(-eta (Theta + lambda) t/N))/(Theta + lambda) and B = Theta(x_new, x) A(t), the mean
    is B y and the covariance K_tt - B K_xt - K_tx B' + B K_xx B'. The posterior is the same with K for Theta,
    t infinite and K_xx + lambda for K_xx.

    Error law: kernels, decomposition and rounding stand for a matrix E with a known bound of its norm, which
    moves B y by at most |E| |A b| |A y| and more by factors of 1/(1 - |E| |A|), by Duhamel's formula; where
    |E| |A| > 1/2 nothing is returned. Sums of n terms count n roundings, in whatever order a BLAS adds.
    Cost: kernels of n + m inputs, then n^3/3 (times infinite) or some 9 n^3 operations, and 2 n^2 m for each
    time.

    Source: A. Jacot et al., NeurIPS 2018; J. Lee et al., ICLR 2018 and NeurIPS 2019.
    """
    a, b = check_inputs(x, x_new, ("x", "x_new"))
    assert b is not None
    _labels(y, len(a))  # what makes no sense is refused before the kernel is computed
    _times(times, kind)
    made = kernel(model, np.vstack([a, b]), tangent=tangent, refine=refine, progress=progress)
    return predict_from(made, y, kind=kind, times=times, learning_rate=learning_rate, ridge=ridge)


def predict_from(
    made: MLPKernel | DEQKernel,
    y: ArrayLike,
    *,
    kind: Literal["ntk", "nngp"] = "ntk",
    times: ArrayLike = math.inf,
    learning_rate: float = 1.0,
    ridge: float = 0.0,
) -> Prediction:
    """Predict from kernels that are there, of the training inputs followed by the new ones.

    Parameters
    ----------
    made : MLPKernel or DEQKernel
        Of ``numerics.kernel(model, numpy.vstack([x, x_new]))``.
    y, kind, times, learning_rate, ridge
        As of `predict`.

    Returns
    -------
    Prediction

    Raises
    ------
    SingularKernelError, ValueError, DivergenceError
        As `predict`.
    """
    n, at = len(np.atleast_1d(y)), _times(times, kind)
    labels, many = _labels(y, n)
    rate, decay = _number("learning_rate", learning_rate, "> 0"), _number("ridge", ridge, ">= 0")
    prior, flow = made.nngp, made.ntk if kind == "ntk" else made.nngp
    if n >= len(prior):
        raise ValueError(f"there are {n} labels and {len(prior)} inputs, of which none is new")
    if not np.isfinite(flow).all():
        raise DivergenceError(
            "the tangent kernel is infinite, as phi jumps; tangent='almost_everywhere' is the one that "
            "gradient descent sees, and kind='nngp' has none"
        )
    moving = flow[:n, :n] + decay * np.eye(n)
    off = made.error * float(np.trace(flow[:n, :n])) + UNIT * float(np.diagonal(moving).max())
    factor = (Spectrum if np.isfinite(at).any() else Cholesky)(moving, off)
    observed = prior[:n, :n] if kind == "ntk" else moving
    task = _Task(factor, flow, prior, moving, observed, labels, made.error)
    found = [task.at(_gain(t, rate, labels.size), t) for t in at.ravel().tolist()]
    mean, covariance, *errors = (np.array(part) for part in zip(*found, strict=True))
    mean = mean if many else mean[..., 0]
    largest = _evaluators().largest_rate(float(np.abs(moving).sum(axis=1).max()), labels.size)
    if at.ndim:
        return Prediction(mean, covariance, errors[0], errors[1], at, kind, largest)
    bounds = float(errors[0][0]), float(errors[1][0])
    return Prediction(mean[0], covariance[0], *bounds, float(at), kind, largest)


class _Task:
    """What all times share: kernels in the factor's basis, and bounds of their errors.

    Parameters
    ----------
    factor : Cholesky or Spectrum
        Of ``moving``.
    flow, prior : ndarray, shape (n + m, n + m)
        Theta and the NNGP kernel, or twice the latter.
    moving, observed : ndarray, shape (n, n)
        Theta_xx + lambda, and the covariance of what the labels are compared with.
    labels : ndarray, shape (n, outputs)
    error : float
        Of the kernels, relative to sqrt(k_ii k_jj): columns and matrices have errors of norm at most that
        times roots of traces, and traces.
    """

    def __init__(
        self,
        factor: Cholesky | Spectrum,
        flow: Array,
        prior: Array,
        moving: Array,
        observed: Array,
        labels: Array,
        error: float,
    ) -> None:
        n, turn = len(labels), factor.turn
        b, k = flow[:n, n:], prior[:n, n:]
        self.factor, self.k_test = factor, prior[n:, n:]
        self.b, self.y, self.k = factor.enter(b), factor.enter(labels), factor.enter(k)
        self.c = factor.enter(np.ascontiguousarray(factor.enter(observed).T))
        theta, own = np.diagonal(flow), np.diagonal(prior)
        total = float(own[:n].sum())
        self.size_c = float(np.linalg.norm(observed))
        self.off_b = error * np.sqrt(theta[n:] * theta[:n].sum()) + turn * norms(b)
        self.off_k = error * np.sqrt(own[n:] * total) + turn * norms(k)
        self.off_y = turn * norms(labels)
        self.off_c = error * total + (UNIT + (2.0 + turn) * turn) * self.size_c
        self.off_test = error * np.sqrt(np.outer(own[n:], own[n:]))
        # a tangent kernel counts the readout's parameters, and with them the NNGP kernel
        self.excess = excess(observed, moving)
        self.roundings = roundings(2 * n + 24)

    def at(self, gain: Gain, time: float) -> tuple[Array, Array, float, float]:
        """Mean and covariance at a time, and bounds of their errors."""
        inverse, law = self.factor.at(gain, time), _evaluators()
        beta = inverse.apply(self.b)
        mean = law.mean(beta.T, self.y)
        covariance = law.covariance(self.k_test, self.k.T, self.c, beta.T)
        return mean, 0.5 * (covariance + covariance.T), *self._errors(inverse, beta)

    def _errors(self, inverse: Applied, beta: Array) -> tuple[float, float]:
        """Bounds of the errors of mean and covariance; ``docs/kernels.md`` derives them."""
        slack, norm = self.factor.slack, inverse.norm
        grown = 1.0 / (1.0 - slack * norm)
        n_alpha = norms(inverse.apply(self.y)) + norm * self.off_y
        n_beta, n_k = norms(beta), norms(self.k)
        reach = grown * slack * inverse.reach(self.b) + grown * self.off_b
        mean = np.outer(reach, n_alpha) + np.outer(n_beta, self.off_y)
        mean += self.roundings * (np.abs(beta).T @ np.abs(self.y))
        # what the equations (S + E) beta = b leave, and how far beta is from where it should be
        wrong = grown * (slack * n_beta + self.off_b)
        moved = n_beta + norm * wrong
        lost = self.roundings * (n_k + self.size_c * n_beta)
        left = inverse.reach(self.k - self.c @ beta) + norm * lost
        half = np.outer(left, wrong) + np.outer(self.off_k, moved) + np.outer(2.0 * lost, n_beta)
        # |A C A|, where C is below S + excess and |A S A| <= |A|
        twice = min(norm * self.size_c, 1.0 + (self.excess + slack) * norm) * norm
        cov = half + half.T + twice * np.outer(wrong, wrong)
        cov += self.off_c * np.outer(moved, moved) + self.off_test
        cov += self.roundings * np.abs(self.k_test)
        return float(mean.max()) * _UP, float(cov.max()) * _UP


class _Evaluators(NamedTuple):
    """Theory's expressions as functions of arrays."""

    flow: Any
    end: Any
    largest_rate: Any
    mean: Any
    covariance: Any


@cache
def _evaluators() -> _Evaluators:
    flow = optimize(law.coefficient().value, [expm1_opt])
    s, t, eta, count = law.EIGENVALUE, law.TIME, law.RATE, law.COUNT
    made = (
        ((s, t, eta, count), flow),
        (s, law.coefficient_at_infinity().value),
        ((s, count), law.largest_rate().value),
        ((law.WEIGHTS, law.LABELS), law.mean().value),
        ((law.K_TEST, law.K_CROSS, law.K_TRAIN, law.WEIGHTS), law.covariance().value),
    )
    return _Evaluators(*(sympy.lambdify(names, value, "numpy") for names, value in made))


def _gain(time: float, rate: float, count: int) -> Gain:
    """The coefficient of an eigenvector as a function of its eigenvalue."""
    if time == math.inf:
        return _evaluators().end
    return lambda s: _evaluators().flow(s, time, rate, count)


def _labels(y: ArrayLike, count: int) -> tuple[Array, bool]:
    """Labels as columns, and whether they had any."""
    raw = np.asarray(y)
    if raw.dtype.kind not in "fiub":
        raise ValueError(f"y must hold real numbers, got dtype {raw.dtype}")
    if raw.ndim not in (1, 2) or len(raw) != count or raw.size == 0:
        raise ValueError(
            f"y must have one row for each of the {count} training inputs, got shape {raw.shape}"
        )
    labels = raw.astype(np.float64)
    if not np.abs(labels).max() < 1e100:
        raise ValueError("y has NaN, infinite entries, or some beyond 1e100")
    return labels.reshape(count, -1), raw.ndim == 2


def _times(times: ArrayLike, kind: str) -> Array:
    """Times as an array without or with one axis."""
    if kind not in ("ntk", "nngp"):
        raise ValueError(f"kind must be 'ntk' or 'nngp', got {shown(kind)}")
    at = np.asarray(times, dtype=np.float64)
    if at.ndim > 1 or at.size == 0:
        raise ValueError(f"times must be a number or a sequence of numbers, got shape {at.shape}")
    if not (at >= 0.0).all():
        raise ValueError(f"times must not be negative, got {at[~(at >= 0.0)].flat[0]:g}")
    if kind == "nngp" and np.isfinite(at).any():
        raise ValueError(
            "the posterior (kind='nngp') has no time; leave times out, or take kind='ntk'"
        )
    return at


def _number(name: str, value: float, least: str) -> float:
    """A finite number that is positive, or not negative."""
    number = float(value)
    if not (number >= 0.0 if least == ">= 0" else number > 0.0) or not number < 1e100:
        raise ValueError(f"{name} must be a finite number {least}, got {shown(value)}")
    return number
