"""Ground states of large Sherrington-Kirkpatrick and Hopfield instances, by algorithms.

Conventions are those of `theory.SK` and `theory.Hopfield`: G has independent N(0, 1) entries, x is in
{-1, +1}^n, and the energy is

    sk                 max x'Gx / (sqrt(2) n^(3/2)),     G n x n,
    hopfield           max |Gx| / n,                     G m x n, m = round(alpha n),
    negative-hopfield  min |Gx| / n.

All three maximise a quadratic form x'Jx, with J = (G + G')/2, G'G and -G'G. An algorithm can only stay
below a maximum, or above a minimum.

Algorithms
----------
clup
    Controlled loosening-up: spins relaxed to m in the cube follow the gradient, in the fields
    h <- (h + J m)/2, m = tanh(lambda h), where lambda is chosen in each iteration such that
    |m|^2/n = q(t) = 1 - (1 - t/T)^2: the norm is loosened up under control while the form is
    ascended. In the end m is rounded and flips are made while they help.
annealing
    Single-flip Metropolis, temperatures falling linearly; then the same flips.
greedy
    Those flips alone, from a random start.
incremental
    Of SK alone: the profile of level 6 followed with a pass over the matrix a step (Montanari's algorithm,
    `verify.thresholds.algorithms.incremental`); m is rounded; then the same flips.

Cost: an iteration of clup is a product of the n x n matrix with a vector; a sweep of annealing costs that
times the rate at which flips are accepted.

The iteration of clup has no Onsager term: with one, it is unstable in a spin-glass phase, and ends far worse.
Energies of finite instances differ from their limit by a multiple of n^(-2/3), which `fitted_limit` fits;
how far an algorithm stays from the ground state comes on top.

References: Montanari, FOCS 2019 (incremental); Boettcher, EPJB 46, 501 (2005) for n^(-2/3); Stojnic,
arXiv:1909.01175 (CLuP); Kirkpatrick, Gelatt, Vecchi, Science 220, 671 (1983).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.compiled import njit
from verify.thresholds.algorithms.kernels import add_multiple, dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from theory import Model

__all__ = [
    "ALGORITHMS",
    "GroundInstance",
    "GroundState",
    "couplings_of",
    "draw_ground",
    "energy_of",
    "fitted_limit",
    "ground_state",
]

ALGORITHMS = ("clup", "annealing", "greedy", "incremental")
KINDS = ("sk", "hopfield", "negative-hopfield")
_BISECTIONS = 12
_HOTTEST = {"sk": 0.6, "hopfield": 1.0, "negative-hopfield": 0.3}


@dataclass(frozen=True, eq=False)
class GroundInstance:
    """One instance.

    Attributes
    ----------
    kind : {"sk", "hopfield", "negative-hopfield"}
    matrix : numpy.ndarray
        G, float64, shape (m, n), read-only.
    seed : int
    """

    kind: str
    matrix: NDArray[np.float64]
    seed: int

    @property
    def n(self) -> int:
        """Number of spins."""
        return self.matrix.shape[1]

    @property
    def sign(self) -> int:
        """+1 where the energy is a maximum, -1 where it is a minimum."""
        return -1 if self.kind == "negative-hopfield" else 1


@dataclass(frozen=True, eq=False)
class GroundState:
    """What an algorithm has found.

    Attributes
    ----------
    algorithm : str
    energy : float
        By `energy_of`, in double precision from G itself.
    weights : numpy.ndarray
        int8, shape (n,).
    budget, seed : int
    """

    algorithm: str
    energy: float
    weights: NDArray[np.int8]
    budget: int
    seed: int


def draw_ground(model: Model, n: int, *, seed: int = 0) -> GroundInstance:
    """Draw an instance of ``SK()`` or ``Hopfield(sign, alpha)``.

    Parameters
    ----------
    model : theory.Model
    n : int
        Number of spins, at least 2.
    seed : int
        Not negative.

    Raises
    ------
    TypeError, ValueError
        For another model, a symbolic alpha, n < 2, a negative seed.
    """
    kind = getattr(model, "name", None)
    if kind not in KINDS:
        raise TypeError(f"ground states are of theory.SK or theory.Hopfield, got {model!r}")
    for name, value, least in (("n", n, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    rows = n
    if kind != "sk":
        if model.alpha is None or not model.alpha.is_number:
            raise ValueError(f"{kind} needs a number for alpha to draw an instance")
        rows = max(1, round(float(model.alpha) * n))
    matrix = np.random.default_rng(seed).standard_normal((rows, n))
    matrix.flags.writeable = False
    return GroundInstance(kind, matrix, seed)


def energy_of(instance: GroundInstance, weights: NDArray[Any]) -> float:
    """Energy of a configuration, in double precision.

    Raises
    ------
    ValueError
        If the weights are not n numbers -1 or +1.
    """
    x = np.asarray(weights, dtype=np.float64)
    if x.shape != (instance.n,) or not (np.abs(x) == 1.0).all():
        raise ValueError(f"weights must be {instance.n} numbers -1 or +1, got shape {x.shape}")
    image = instance.matrix @ x
    if instance.kind == "sk":
        return float(x @ image) / (math.sqrt(2.0) * instance.n**1.5)
    return float(np.linalg.norm(image)) / instance.n


def ground_state(
    instance: GroundInstance, algorithm: str = "clup", *, budget: int = 500, seed: int = 0
) -> GroundState:
    """Look for the ground state of an instance.

    Parameters
    ----------
    instance : GroundInstance
    algorithm : {"clup", "annealing", "greedy", "incremental"}
    budget : int
        Iterations, sweeps or steps (at least 4), at least 1; greedy flips take what they need.
    seed : int

    Returns
    -------
    GroundState

    Raises
    ------
    ValueError
        For an unknown algorithm, one that is not for this model, or a budget below 1.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"an algorithm is one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
    rng = np.random.default_rng(seed)
    couplings = couplings_of(instance)
    n = instance.n
    x = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), n)
    if algorithm == "clup":
        _clup(couplings, x, budget, rng)
    elif algorithm == "annealing":
        _anneal(couplings, x, budget, _HOTTEST[instance.kind], rng)
    elif algorithm == "incremental":
        _climb(instance, couplings, x, budget, rng)
    _greedy(couplings, x)
    weights = x.astype(np.int8)
    return GroundState(algorithm, energy_of(instance, weights), weights, budget, seed)


def fitted_limit(
    sizes: Sequence[int], means: Sequence[float], errors: Sequence[float]
) -> tuple[float, float, float]:
    """Fit energies by xi + b n^(-2/3).

    Parameters
    ----------
    sizes : sequence of int
        At least two different n.
    means, errors : sequence of float
        Mean energies and their standard errors.

    Returns
    -------
    tuple of float
        xi, its standard error, and b.

    Raises
    ------
    ValueError
        For fewer than two sizes.
    """
    n = np.asarray(sizes, dtype=float)
    if len(set(n.tolist())) < 2:
        raise ValueError(f"a fit needs two sizes, got {list(sizes)}")
    weight = 1.0 / np.asarray(errors, dtype=float)
    design = np.stack([np.ones(len(n)), n ** (-2.0 / 3.0)], axis=1) * weight[:, None]
    covariance = np.linalg.inv(design.T @ design)
    limit, slope = covariance @ design.T @ (np.asarray(means, dtype=float) * weight)
    return float(limit), math.sqrt(covariance[0, 0]), float(slope)


def couplings_of(instance: GroundInstance) -> NDArray[np.float32]:
    """J without its diagonal, which no flip can change, float32, scaled to row norms of order 1."""
    g, n = instance.matrix, instance.n
    if instance.kind == "sk":
        couplings = (g + g.T) / math.sqrt(2.0 * n)
    else:
        couplings = instance.sign * (g.T @ g) / math.sqrt(n * len(g))
    couplings = couplings.astype(np.float32)
    np.fill_diagonal(couplings, 0.0)
    return couplings


def _climb(instance: GroundInstance, couplings: Any, x: Any, steps: int, rng: Any) -> None:
    from theory import SK
    from verify.thresholds.algorithms.incremental import LEVELS, climb, profile

    if instance.kind != "sk":
        raise ValueError(f"incremental is for sk, whose profile has one nest; got {instance.kind}")
    if steps < 4:
        raise ValueError(f"incremental needs a budget of at least 4 steps, got {steps}")
    x[:] = np.where(climb(couplings, profile(SK(), LEVELS["sk"], steps), rng).told > 0, 1, -1)


@njit
def _clup(couplings: Any, x: Any, budget: int, rng: Any) -> None:
    n = x.size
    fields = np.zeros(n)
    spins = np.zeros(n, dtype=np.float32)
    for j in range(n):
        fields[j] = rng.standard_normal()
    scale = 0.1
    for t in range(budget):
        wanted = 1.0 - (1.0 - (t + 1.0) / (budget + 1.0)) ** 2
        low, high = 0.0, 4.0 * scale + 1.0
        for _ in range(_BISECTIONS):
            scale = 0.5 * (low + high)
            q = 0.0
            for j in range(n):
                q += math.tanh(scale * fields[j]) ** 2
            if q > wanted * n:
                high = scale
            else:
                low = scale
        for j in range(n):
            spins[j] = math.tanh(scale * fields[j])
        for j in range(n):
            fields[j] = 0.5 * (fields[j] + dot(couplings[j], spins))
    for j in range(n):
        x[j] = 1.0 if fields[j] > 0.0 else -1.0


@njit
def _anneal(couplings: Any, x: Any, sweeps: int, hottest: float, rng: Any) -> None:
    n = x.size
    fields = np.zeros(n, dtype=np.float32)
    for j in range(n):
        add_multiple(x[j], couplings[j], fields)
    for sweep in range(sweeps):
        temperature = hottest * (1.0 - sweep / sweeps) + 1e-3
        for _ in range(n):
            j = int(rng.random() * n)
            gain = -2.0 * x[j] * fields[j]
            if gain >= 0.0 or rng.random() < math.exp(gain / temperature):
                add_multiple(np.float32(-2.0) * x[j], couplings[j], fields)
                x[j] = -x[j]


@njit
def _greedy(couplings: Any, x: Any) -> None:
    """Flip the spin that gains most, until none gains anything."""
    n = x.size
    fields = np.zeros(n, dtype=np.float32)
    for j in range(n):
        add_multiple(x[j], couplings[j], fields)
    while True:
        worst, least = -1, -1e-6
        for j in range(n):
            if x[j] * fields[j] < least:
                worst, least = j, x[j] * fields[j]
        if worst < 0:
            return
        add_multiple(np.float32(-2.0) * x[worst], couplings[worst], fields)
        x[worst] = -x[worst]
