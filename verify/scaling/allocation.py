"""Compute-optimal width, measured: one pass over samples at several widths, and the law fitted to it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.calculus.law import Law
from verify.networks.training import jax_modules, train

from .networks import initial, outputs, parameters

__all__ = ["LossFit", "fit_loss", "measured_optimum", "one_pass"]

Array = NDArray[np.float64]
INPUTS, BATCH, RATE = 4, 16, 3e-3
TEACHER = 64
"""Units of the teacher."""
TESTS, RECORDS = 1000, 128


def one_pass(width: int, samples: int, seed: int, teachers: int) -> dict[str, Any]:
    """Train bottleneck networks of one block on fresh samples of a teacher, each seen once.

    Parameters
    ----------
    width : int
    samples : int
        A multiple of 2048.
    seed : int
        Of the teachers and their samples, the same for all widths, and of the networks.
    teachers : int
        A network is trained on each.

    Returns
    -------
    dict
        "parameters"; "samples" seen, and for each teacher the "logs" of the loss at these moments, relative
        to the teacher's variance.

    Notes
    -----
    The teacher is a random tanh layer of 64 units on normal inputs; Adam at a constant rate.
    """
    jax, jnp, optax = jax_modules()

    def one(key: Any) -> Any:
        keys = jax.random.split(key, 5)
        weights = jax.random.normal(keys[0], (TEACHER, INPUTS))
        shifts, readout = jax.random.normal(keys[1], (2, TEACHER))

        def teacher(x: Any) -> Any:
            return jnp.tanh(1.5 * (x @ weights.T + shifts)) @ readout / TEACHER**0.5

        def loss(network: Any, x: Any, y: Any) -> Any:
            return ((outputs(network, x)[:, 0] - y) ** 2).mean()

        def direction(state: Any) -> Any:
            x = jax.random.normal(
                jax.random.fold_in(keys[2], state["step"].astype(int)), (BATCH, INPUTS)
            )
            return {
                "network": jax.grad(loss)(state["network"], x, teacher(x)),
                "step": -jnp.ones(()),
            }

        tests = jax.random.normal(keys[3], (TESTS, INPUTS))
        wanted = teacher(tests)
        start = initial("bottleneck", keys[4], INPUTS, width, 1, 1)
        rules = {"network": optax.adam(RATE), "step": optax.sgd(1.0)}  # the step counts itself
        return train(
            direction,
            {"network": start, "step": jnp.zeros(())},
            optax.multi_transform(rules, {name: name for name in rules}),
            samples // BATCH,
            watch=lambda state: loss(state["network"], tests, wanted) / wanted.var(),
            every=samples // BATCH // RECORDS,
        )[1]

    keys = jax.random.split(jax.random.key(seed), teachers)
    logs = np.log(np.asarray(jax.jit(jax.vmap(one))(keys)))[:, 1:]
    return {
        "parameters": parameters(initial("bottleneck", keys[0], INPUTS, width, 1, 1)),
        "samples": (samples // RECORDS * np.arange(1, RECORDS + 1)).tolist(),
        "logs": logs.tolist(),
    }


class LossFit(NamedTuple):
    """The law L = A P^-a + B D^-b + E, fitted.

    Attributes
    ----------
    amplitudes : tuple of float
        A and B.
    exponents : tuple of float
        A's a and B's b.
    floor : float
        E.
    error : float
        Root mean square of the residuals of log L.
    """

    amplitudes: tuple[float, float]
    exponents: tuple[float, float]
    floor: float
    error: float

    @property
    def size_exponent(self) -> float:
        """Exponent of the optimal size in compute, b/(a + b)."""
        a, b = self.exponents
        return b / (a + b)

    def optimum(self, compute: float, law: Law) -> float:
        """Optimal number of parameters by ``law`` where parameters times samples are ``compute``."""
        names = ("A", "B", "a", "b", "C", "c")
        values = (*self.amplitudes, *self.exponents, compute, 1.0)
        return float(law.at(**dict(zip(names, values, strict=True))).rhs)


def fit_loss(sizes: Array, samples: Array, losses: Array) -> LossFit:
    """Fit the law to losses by least squares in log L, from several starts.

    Parameters
    ----------
    sizes, samples, losses : array_like, shape (n,)
        Parameters, samples, losses > 0.

    Returns
    -------
    LossFit
    """
    from scipy.optimize import least_squares

    p, d, target = (np.log(np.asarray(v, float)) for v in (sizes, samples, losses))

    def residuals(v: Array) -> Array:
        terms = [v[0] - np.exp(v[1]) * p, v[2] - np.exp(v[3]) * d, np.full_like(p, v[4])]
        return np.logaddexp.reduce(terms, axis=0) - target

    middle, floor = target.mean(), target.min() - 1.0
    starts = [
        [middle + a * p.mean(), math.log(a), middle + b * d.mean(), math.log(b), floor]
        for a in (0.3, 0.8)
        for b in (0.3, 0.8)
    ]
    best = min((least_squares(residuals, s, max_nfev=2000) for s in starts), key=lambda r: r.cost)
    v = best.x
    return LossFit(
        (float(np.exp(v[0])), float(np.exp(v[2]))),
        (float(np.exp(v[1])), float(np.exp(v[3]))),
        float(np.exp(v[4])),
        math.sqrt(2.0 * best.cost / len(p)),
    )


def measured_optimum(sizes: Array, samples: Array, losses: Array, compute: float) -> float:
    """Size of least loss where size times samples are ``compute``.

    Parameters
    ----------
    sizes : ndarray, shape (w,)
    samples : ndarray, shape (r,)
    losses : ndarray, shape (w, r)
    compute : float

    Returns
    -------
    float
        By a parabola in log P through the least loss and its neighbours; nan where the least is at an end of
        the sizes that can spend that much.
    """
    needed = compute / sizes
    there = np.flatnonzero((needed >= samples[0]) & (needed <= samples[-1]))
    at = np.array(
        [np.interp(math.log(needed[k]), np.log(samples), np.log(losses[k])) for k in there]
    )
    least = int(at.argmin()) if len(at) else 0
    if not 0 < least < len(at) - 1:
        return math.nan
    near = there[least - 1 : least + 2]
    curve = np.polyfit(np.log(sizes[near]), at[least - 1 : least + 2], 2)
    return float(np.exp(-0.5 * curve[1] / curve[0]))
