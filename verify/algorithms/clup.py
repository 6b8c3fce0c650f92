"""Controlled loosening-up (CLuP): a norm reward in the cube against constraints that tighten.

Algorithm
---------
The spins are relaxed to m in [-1, 1]^n. The norm is rewarded and the rows are kept by a barrier:

    maximise  (t/2) |m|^2 + sum_i log P(lower <= G_i . m + sqrt(V) U <= upper) + sum_j S(m_j),

with S the entropy of a spin, whose derivative -artanh(m_j) keeps m inside the cube. The radius of
the constraints is loose by sqrt(V), V = 1 - |m|^2/n: the noise that rounding m at random would make. As
the reward t grows, linearly over the budget, the norm does, and the constraints tighten to the given
ones, where m is a corner of the cube. Each iteration is a damped step of the stationarity equations
in the fields artanh(m_j), a mirror gradient step of size ``step``:

    h <- (1 - step) h + step (t m + G' g),       m = tanh h.

Every tenth iteration m is rounded; the best rounding is repaired by `repair`.

Time: one pass over the matrix per iteration, as for `belief`. Unlike message passing this has no memory
of what a row was told by a spin (no Onsager term), and converges to a maximum at every t.

Reference: Stojnic, arXiv:1909.01175, on controlled loosening-up: a norm is maximised over the cube while the
radius of a constraint is controlled. Barrier, entropy and schedule are ours.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from verify.instances import Instance

from .interface import Attempt
from .kernels import add_multiple, dot, look, response
from .passing import LARGEST_FIELD, keep_awake, random_start
from .repair import searched_and_repaired

__all__ = ["run"]

_LOOK = 10
_CORNER = 0.9995
_TIGHTEST = 1e-3


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    reward: float = 4.0,
    step: float | None = None,
    looseness: float = 1.0,
    start: float = 0.1,
    repairs: int | None = None,
) -> Attempt:
    """Run controlled loosening-up.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts iterations.
    reward : float
        t at the end of the budget, positive.
    step : float, optional
        Step size, above 0 and at most 1; by default 0.3 for the symmetric perceptron, whose steps
        overshoot beyond 0.4, and 0.8 for the asymmetric one.
    looseness : float
        V in units of 1 - |m|^2/n, positive.
    start, repairs
        As for `verify.algorithms.belief.run`.

    Returns
    -------
    Attempt
        The trace's progress is |m|^2/n.
    """
    if step is None:
        step = 0.3 if instance.kind == "sbp" else 0.8
    if not (reward > 0.0 and 0.0 < step <= 1.0 and looseness > 0.0):
        raise ValueError(
            "reward and looseness must be positive and 0 < step <= 1, got "
            f"{reward}, {looseness}, {step}"
        )

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        return _loosen(rows, x, lower, upper, passes, reward, step, looseness, start, rng)

    return searched_and_repaired("clup", instance, budget, seed, repairs, search)


@numba.njit(cache=True)
def _loosen(
    rows: Any,
    x: Any,
    lower: Any,
    upper: Any,
    budget: int,
    reward: float,
    step: float,
    looseness: float,
    start: float,
    rng: Any,
) -> Any:
    m, n = rows.shape
    fields = np.zeros(n)
    spins = np.zeros(n, dtype=np.float32)
    random_start(fields, spins, start, rng)
    sums = np.zeros(n, dtype=np.float32)
    y = np.ones(n, dtype=np.float32)
    trace = np.zeros((budget // _LOOK + 2, 3))
    kept, best, made = 0, m + 1, budget
    for t in range(budget):
        q = 0.0
        for j in range(n):
            q += spins[j] * spins[j]
        q /= n
        variance = max(looseness * (1.0 - q), _TIGHTEST)
        sums[:] = 0.0
        for i in range(m):
            g, _ = response(dot(rows[i], spins), variance, lower, upper)
            add_multiple(np.float32(g), rows[i], sums)
        push = reward * (t + 1) / budget
        for j in range(n):
            h = (1.0 - step) * fields[j] + step * (push * spins[j] + sums[j])
            fields[j] = min(max(h, -LARGEST_FIELD), LARGEST_FIELD)
            spins[j] = math.tanh(fields[j])
            y[j] = 1.0 if fields[j] > 0.0 else -1.0
        keep_awake(q, fields, spins, start, rng)
        if t % _LOOK == _LOOK - 1 or t == budget - 1:
            found = look(rows, y, lower, upper, trace, kept, t + 1, q)
            kept += 1
            if found < best:
                best = found
                x[:] = y
            if found == 0 or q > _CORNER:
                made = t + 1
                break
    return best, made, trace[:kept]
