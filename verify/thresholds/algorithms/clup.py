"""Controlled loosening-up (CLuP): a norm reward in the cube against constraints that tighten.

Algorithm
---------
The spins are relaxed to m in [-1, 1]^n. The norm is rewarded and the rows are kept by a barrier:

    maximise  (t/2) |m|^2 + sum_i log P(lower <= G_i . m + sqrt(V) U <= upper) + sum_j S(m_j),

with S the entropy of a spin, whose derivative -artanh(m_j) keeps m inside the cube. The radius of
the constraints is loose by sqrt(V), V = c (1 - |m|^2/n) with c = 0.6; c = 1 is the noise that rounding m at
random would make. Each iteration is a damped step of the stationarity equations in the fields
artanh(m_j), a mirror gradient step of size ``step``:

    h <- (1 - step) h + step (t m + G' g),       m = tanh h.

The reward t >= 0 is chosen in every iteration, by Newton's method, such that the norm rises as q(s) =
1 - (1 - s/T)^4 over the budget T, and the constraints tighten to the given ones, where m is a corner of the
cube. (With t on a schedule of its own the norm jumps when m = 0 becomes unstable.) Every tenth iteration
m is rounded; the best rounding is repaired by `repair`.

Time: one pass over the matrix per iteration, as for `belief`. Unlike message passing this has no memory
of what a row was told by a spin (no Onsager term), and follows a maximum at every t.

Reference: Stojnic, arXiv:1909.01175, on controlled loosening-up: a norm is maximised over the cube while the
radius of a constraint is controlled. Barrier, entropy and schedule are ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.instances import Instance

from .interface import Attempt
from .kernels import add_multiple, dot, look, response
from .passing import LARGEST_FIELD, keep_awake, part_for_norm, random_start
from .repair import searched_and_repaired

__all__ = ["run"]

_LOOK = 10
_TIGHTEST = 1e-4
_LARGEST = 1e3
_NEWTON = 5


def run(
    instance: Instance,
    budget: int,
    seed: int,
    *,
    step: float = 0.4,
    looseness: float = 0.6,
    power: float = 4.0,
    start: float = 0.1,
    repairs: int | None = None,
) -> Attempt:
    """Run controlled loosening-up.

    Parameters
    ----------
    instance, budget, seed
        As for `attempt`; the budget counts iterations.
    step : float
        Step size, above 0 and at most 1. The symmetric perceptron's steps overshoot beyond 0.5.
    looseness : float
        The c of V, positive.
    power : float
        The 4 in q(s), at least 1.
    start, repairs
        As for `verify.thresholds.algorithms.belief.run`.

    Returns
    -------
    Attempt
        The trace's progress is |m|^2/n.
    """
    if not (0.0 < step <= 1.0 and looseness > 0.0 and power >= 1.0):
        raise ValueError(
            "0 < step <= 1, looseness > 0 and power >= 1 are needed, got "
            f"{step}, {looseness}, {power}"
        )

    def search(rows: Any, x: Any, lower: Any, upper: Any, passes: int, rng: Any) -> Any:
        return _loosen(rows, x, lower, upper, passes, step, looseness, power, start, rng)

    return searched_and_repaired("clup", instance, budget, seed, repairs, search)


@njit
def _loosen(
    rows: Any,
    x: Any,
    lower: Any,
    upper: Any,
    budget: int,
    step: float,
    looseness: float,
    power: float,
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
    rest, spun = np.zeros(n), np.zeros(n)
    kept, best, made = 0, m + 1, budget
    reward = 0.0
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
        for j in range(n):
            rest[j] = (1.0 - step) * fields[j] + step * sums[j]
            spun[j] = step * spins[j]
        wanted = max(1.0 - math.pow(1.0 - (t + 1.0) / budget, power), start * start)
        reward = part_for_norm(rest, spun, reward, wanted, 0.0, _LARGEST, 1.0, _NEWTON)
        for j in range(n):
            h = rest[j] + reward * spun[j]
            fields[j] = min(max(h, -LARGEST_FIELD), LARGEST_FIELD)
            spins[j] = math.tanh(fields[j])
            y[j] = 1.0 if fields[j] > 0.0 else -1.0
        keep_awake(q, fields, spins, start, rng)
        if t % _LOOK == _LOOK - 1 or t == budget - 1:
            violated = look(rows, y, lower, upper, trace, kept, t + 1, q)
            kept += 1
            if violated < best:
                best = violated
                x[:] = y
            if violated == 0:
                made = t + 1
                break
    return best, made, trace[:kept]
