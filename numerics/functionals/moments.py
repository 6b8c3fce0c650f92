"""First and second moments of the number of solutions Z of a random binary perceptron, exactly.

E[Z] = 2^n P^m, where P is the probability that a row holds. Two configurations at distance d, overlap
rho = 1 - 2 d / n, see two Gaussian fields with correlation rho, so that the expected number of ordered
pairs at distance d is 2^n C(n, d) P_2(rho)^m. With the constraint's probability P_p(h) of theory's
hard-constraint limit,

    P_2(rho) = E P_p(sqrt(p) U) P_p(+-sqrt(p) U),    p = |rho|, sign that of rho, U ~ N(0, 1).

For rho > 0 its logarithm is twice the energy nest of level 3 at p_2 = rho and the integer exponent
s_2 = 2: these are level-3 first moments, with two replicas.

References: Abbe, Li, Sly, FOCS 2021 (the symmetric perceptron's second moment); fl-RDT's level 3 at
integer exponents counts s-tuples of solutions at equal overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from theory import Model

__all__ = [
    "expected_pairs",
    "expected_solutions",
    "pair_probability",
    "row_probability",
    "variance_of_solutions",
]

_TOLERANCE = 1e-13


def row_probability(model: Model) -> float:
    """Probability that one row holds for a given configuration.

    Parameters
    ----------
    model : theory.Model
        A perceptron with a numeric margin.

    Returns
    -------
    float
        theory's P_p(h) at p = 0, h = 0.

    Raises
    ------
    TypeError
        If the model has no constraint with a hard limit.
    """
    return float(_probability(model)(0.0, 0.0))


def pair_probability(model: Model, overlap: float) -> float:
    """Probability that one row holds for both of two configurations.

    Parameters
    ----------
    model : theory.Model
        As for `row_probability`.
    overlap : float
        x.y / n, between -1 and 1.

    Returns
    -------
    float
        Absolute error below 1e-12: adaptive quadrature of a smooth integrand in the outer field.

    Raises
    ------
    ValueError
        For an overlap that is none.
    """
    from scipy.integrate import quad

    if not -1.0 <= overlap <= 1.0:
        raise ValueError(f"an overlap lies between -1 and 1, got {overlap}")
    probability = _probability(model)
    p, sign = abs(overlap), math.copysign(1.0, overlap)
    if p == 1.0:
        even = model.name == "sbp"
        if sign > 0.0 or even:
            return row_probability(model)
        return max(0.0, 1.0 - 2.0 * (1.0 - row_probability(model)))
    root = math.sqrt(p)

    def integrand(u: float) -> float:
        density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
        return density * float(probability(p, root * u) * probability(p, sign * root * u))

    kinks = _edges(model, root)
    value, _ = quad(
        integrand, -9.0, 9.0, epsabs=_TOLERANCE, epsrel=_TOLERANCE, limit=400, points=kinks
    )
    return float(value)


def expected_solutions(model: Model, n: int, m: int) -> float:
    """E[Z] = 2^n P^m of instances with m rows and n columns."""
    return 2.0**n * row_probability(model) ** m


def expected_pairs(
    model: Model, n: int, m: int, pair: Callable[[float], float] | None = None
) -> NDArray[np.float64]:
    """Expected numbers of ordered pairs of solutions by distance.

    Parameters
    ----------
    model : theory.Model
    n, m : int
    pair : callable, optional
        Probability of a row for a pair at an overlap, in place of `pair_probability`.

    Returns
    -------
    numpy.ndarray
        Shape (n + 1,), as the exact counts of `verify.thresholds.enumeration`; the sum is E[Z^2].
    """
    pair = pair or (lambda overlap: pair_probability(model, overlap))
    return np.array([2.0**n * math.comb(n, d) * pair(1.0 - 2.0 * d / n) ** m for d in range(n + 1)])


def variance_of_solutions(model: Model, n: int, m: int) -> float:
    """Var[Z] = E[Z^2] - E[Z]^2."""
    return float(expected_pairs(model, n, m).sum()) - expected_solutions(model, n, m) ** 2


def _edges(model: Model, root: float) -> list[float] | None:
    """Outer fields at which the inner probability changes fast."""
    if root == 0.0:
        return None
    edge = float(model.kappa) / root  # pyright: ignore[reportAttributeAccessIssue]
    return sorted({e for e in (-edge, edge) if -9.0 < e < 9.0}) or None


@lru_cache(maxsize=32)
def _probability(model: Model) -> Callable[[float, float], Any]:
    """Theory's P_p(h) as a function of (p, h)."""
    from sympy import Symbol, lambdify

    from theory.thresholds.hard_constraints import constraint_limit

    if model.constraint is None or model.problem != "capacity":
        raise TypeError(f"{model} has no rows that hold or fail")
    limit = constraint_limit(model.constraint)
    (h,) = limit.probability.variables
    expr = limit.probability.expr
    free = expr.free_symbols - {h}
    p = next((symbol for symbol in free if str(symbol) == "p_2"), Symbol("p_2"))
    if free - {p}:
        raise TypeError(f"{model} needs numbers for its parameters")
    return lambdify([p, h], expr, modules=["scipy", "numpy"])
