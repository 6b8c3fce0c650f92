"""Where the equilibrium of a finite network ceases to exist, or to be the only one.

The Jacobian of z - phi(W z + c) at an equilibrium is I - D W, D = diag(phi'(h)). As the width grows the
spectral radius of D W tends to sqrt(chi), chi = sigma_w^2 E phi'(h)^2: an equilibrium is stable where
chi < 1. sigma_w Lip(phi) < 1 is sufficient for all inputs and not necessary for typical ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .draws import first_layer, generator
from .functions import unit_functions
from .matrices import DenseMatrix
from .network import MEMORY, Network, check_budget, check_draws
from .solvers import equilibrium

__all__ = ["Census", "census", "locate"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Census:
    """Equilibria of some networks on one input each.

    Attributes
    ----------
    radius : ndarray, shape (draws,)
        Spectral radius of D W at the first equilibrium; NaN where none was found.
    variance : ndarray, shape (draws,)
        Mean square of its pre-activations.
    drive : ndarray, shape (draws,)
        Mean square of U x + b over its expectation: what a control needs.
    chi : ndarray, shape (draws,)
        sigma_w^2 times the mean of phi'(h)^2 there.
    distinct : ndarray of int, shape (draws,)
        How many different equilibria were found from all starting points; 0 for none.
    """

    radius: Array
    variance: Array
    drive: Array
    chi: Array
    distinct: NDArray[np.int64]

    @property
    def none(self) -> float:
        """Fraction of draws without an equilibrium."""
        return float(np.mean(self.distinct == 0))

    @property
    def several(self) -> float:
        """Fraction of draws with more than one."""
        return float(np.mean(self.distinct > 1))


def census(
    network: Network,
    x: ArrayLike,
    draws: int,
    *,
    starts: int = 4,
    reach: float = 3.0,
    seed: int = 0,
    memory: float = MEMORY,
    progress: Callable[[float], Any] | None = None,
) -> Census:
    """Search equilibria from several starting points.

    Parameters
    ----------
    network : Network
        An equilibrium model, ``expansive`` beyond the sufficient condition.
    x : array_like, shape (d,) or (1, d)
    draws, starts : int
        Networks, and starting points: phi(c), and normal ones of standard deviation ``reach``.
    reach : float
    seed : int
    memory : float
        Bytes that a draw may take.
    progress : callable, optional
        Told the fraction done.

    Returns
    -------
    Census
        ``distinct`` is a lower bound of the number of equilibria: nobody can search everywhere.

    Raises
    ------
    ValueError
        As `sample`, and for more than one input.

    Notes
    -----
    Two solutions are different if they are further apart than 1e-4 of their length; each has a residual of
    1e-9. Cost: n^3 for eigenvalues, 10 to 1000 products for each start.
    """
    made = check_draws(x, draws)
    if len(made) != 1 or network.kind != "deq":
        raise ValueError("a census is of equilibrium models and one input")
    check_budget(8 * 8 * network.width**2, memory, f"a census at width {network.width}")
    phi = unit_functions(network.phi)
    radius, variance, own, chi = (np.full(draws, np.nan) for _ in range(4))
    scale = network.sigma_u**2 * float(np.mean(made**2)) + network.sigma_b**2
    distinct = np.zeros(draws, dtype=np.int64)
    for k in range(draws):
        rng = generator(seed, k)
        w = DenseMatrix(rng, network.width, network.sigma_w)
        drive = first_layer(rng, made, network.width, network.sigma_u, network.sigma_b)
        own[k] = np.mean(drive**2) / scale
        solutions: list[Array] = []
        for start in range(starts):
            first = reach * rng.standard_normal(drive.shape) if start else None
            solved = equilibrium(w.apply, drive, phi, start=first, tolerance=1e-9, steps=150)
            if solved.converged and not any(_same(solved.z, other) for other in solutions):
                solutions.append(solved.z)
        distinct[k] = len(solutions)
        if solutions:
            h = w.apply(solutions[0]) + drive
            slope = phi.slope(h)
            radius[k] = np.abs(np.linalg.eigvals(slope * w.entries)).max()
            variance[k] = np.mean(h**2)
            chi[k] = network.sigma_w**2 * np.mean(slope**2)
        if progress is not None:
            progress((k + 1) / draws)
    return Census(radius, variance, own, chi, distinct)


def locate(
    network: Network, x: ArrayLike, sigmas: Sequence[float], draws: int, **options: Any
) -> dict[float, Census]:
    """Return a census for each sigma_w: where it changes is where well-posedness ends."""
    return {
        sigma: census(replace(network, sigma_w=sigma, expansive=True), x, draws, **options)
        for sigma in sigmas
    }


def _same(one: Array, other: Array) -> bool:
    return bool(np.linalg.norm(one - other) <= 1e-4 * (np.linalg.norm(other) + 1e-12))
