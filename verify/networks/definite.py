"""Smallest eigenvalues of kernels and of finite networks on data that make it hard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.kernels.sequential import Sequential

from .draws import sample
from .network import Network

__all__ = ["Spectrum", "data_sets", "spectrum"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Smallest eigenvalues of one data set, divided by the largest diagonal entry of the kernel.

    Attributes
    ----------
    kernel : float
        Of NNGP*, in doubles.
    bound : float or None
        A proved lower bound for NNGP* (ball arithmetic), where the dual is closed.
    certified : float or None
        The largest relative difference of the kernel's diagonal to the centre of its certified balls.
    network : float
        Median over the draws, of the networks' covariance.
    """

    kernel: float
    bound: float | None
    certified: float | None
    network: float


def data_sets(rng: np.random.Generator, inputs: int = 12, dimension: int = 4) -> dict[str, Array]:
    """Return inputs by name: random, clustered, with duplicated directions, and real ones if there are any.

    Parameters
    ----------
    rng : numpy.random.Generator
    inputs, dimension : int

    Returns
    -------
    dict of str to ndarray, shape (inputs, dimension)
        ``real`` is scikit-learn's diabetes data, which it ships, standardised; left out without it.
    """
    random = rng.standard_normal((inputs, dimension))
    centres = rng.standard_normal((3, dimension))
    clustered = centres[np.arange(inputs) % 3] + 0.05 * rng.standard_normal((inputs, dimension))
    directions = random.copy()
    directions[-1] = 2.0 * directions[0]
    sets = {"random": random, "clustered": clustered, "duplicated directions": directions}
    try:
        from sklearn.datasets import load_diabetes
    except ImportError:
        return sets
    raw: Any = load_diabetes(return_X_y=True)[0]
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    return sets | {"real": np.ascontiguousarray(scaled[:inputs])}


def spectrum(
    network: Network,
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    draws: int = 9,
    seed: int = 0,
    digits: int = 30,
) -> Spectrum:
    """Compare smallest eigenvalues: a kernel's, the proved bound, and that of finite networks.

    Parameters
    ----------
    network : Network
        An equilibrium model; with fewer units than inputs its covariance is singular.
    x : array_like, shape (m, d)
    kernel : array_like, shape (m, m)
        The NNGP* under test.
    draws, seed : int
    digits : int
        Of the certificate.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        As `sample`; ArithmeticError where an equilibrium was not found.
    """
    k = np.asarray(kernel, dtype=float)
    scale = float(np.diag(k).max())
    bound = certified = None
    try:
        from numerics import certify

        model = network.model
        proved = None if isinstance(model, Sequential) else certify(model, x, digits=digits)
    except ValueError:
        proved = None  # no closed dual
    if proved is not None:
        bound = float(proved.smallest_eigenvalue.mid()) / scale
        certified = float(np.abs(np.diag(k) / np.diag(proved.midpoints()) - 1.0).max())
    drawn = sample(network, x, draws, seed=seed, heads=0)
    if drawn.failures:
        raise ArithmeticError(drawn.failures[0])
    least = np.linalg.eigvalsh(drawn.covariance)[:, 0] / scale
    own = float(np.linalg.eigvalsh(0.5 * (k + k.T))[0]) / scale
    return Spectrum(own, bound, certified, float(np.median(least)))
