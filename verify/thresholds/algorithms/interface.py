"""One interface for all algorithms: an instance, a budget and a seed give an `Attempt`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from verify.thresholds.instances import Instance, violated_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALGORITHMS", "Attempt", "attempt", "finished"]

ALGORITHMS: dict[str, tuple[str, str]] = {
    "belief": ("belief", "reinforced belief propagation, as approximate message passing"),
    "focusing": ("focusing", "focusing belief propagation, as approximate message passing"),
    "clup": ("clup", "controlled loosening-up: the cube, a norm reward, constraints tightened"),
    "replicas": ("replicas", "replicated annealing: copies that attract each other"),
    "annealing": ("annealing", "simulated annealing"),
    "incremental": (
        "incremental",
        "incremental message passing: the profile of many liftings, followed",
    ),
}
"""Module and summary of every algorithm, by name; each module has ``run(instance, budget, seed)``."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """What an algorithm returns.

    Attributes
    ----------
    algorithm : str
    weights : numpy.ndarray
        int8, shape (n,), entries -1 or +1: the best configuration found.
    violated : int
        Rows that it violates, by `verify.thresholds.instances.violated_rows`.
    iterations : int
        Passes over the matrix that were used: an iteration of message passing or of a gradient, or n
        proposed flips.
    trace : numpy.ndarray
        float64, shape (k, 3): iteration, progress (the mean square of the magnetisations, or the
        energy), number of violated rows after rounding.
    budget, seed : int
        As given.
    """

    algorithm: str
    weights: NDArray[np.int8]
    violated: int
    iterations: int
    trace: NDArray[np.float64]
    budget: int
    seed: int

    @property
    def solved(self) -> bool:
        """Whether every row holds."""
        return self.violated == 0


def attempt(
    instance: Instance,
    algorithm: str = "belief",
    *,
    budget: int = 2000,
    seed: int = 0,
    **options: Any,
) -> Attempt:
    """Try to solve an instance.

    Parameters
    ----------
    instance : Instance
    algorithm : str
        One of `ALGORITHMS`.
    budget : int
        Passes over the matrix that may be used, at least 1.
    seed : int
        Not negative. Same seed, same result; it says nothing about the instance.
    **options
        The algorithm's own; see its module.

    Returns
    -------
    Attempt

    Raises
    ------
    TypeError, ValueError
        For an unknown algorithm, a budget below 1, a negative seed, or something that is not an
        `Instance`, whose own construction refuses what is not finite.
    """
    if not isinstance(instance, Instance):
        raise TypeError(f"an Instance is needed, got {instance!r}")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"an algorithm is one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    for name, value, least in (("budget", budget, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} must be an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    module = importlib.import_module(f".{ALGORITHMS[algorithm][0]}", __package__)
    run: Callable[..., Attempt] = module.run
    return run(instance, int(budget), int(seed), **options)


def finished(
    algorithm: str,
    instance: Instance,
    x: NDArray[np.float32],
    iterations: int,
    trace: NDArray[np.float64],
    budget: int,
    seed: int,
) -> Attempt:
    """Make an `Attempt` of a configuration, checking it independently."""
    weights = np.where(x > 0, 1, -1).astype(np.int8)
    weights.flags.writeable = False
    violated = len(violated_rows(instance, weights))
    return Attempt(algorithm, weights, violated, int(iterations), trace, budget, seed)
