"""What is made of random duals: the functionals of capacities and ground states."""

from __future__ import annotations

from theory.thresholds.finite_exponents import finite_functional
from theory.thresholds.free_energy import FreeEnergy
from theory.thresholds.infinite_exponents import hard_constraint_limit
from theory.thresholds.models import Model
from theory.thresholds.random_dual import checked_level

__all__ = ["free_energy"]


def free_energy(model: Model, level: int) -> FreeEnergy:
    """Derive the functional of ``model`` at ``level``: alpha of a capacity, xi of a ground state.

    Parameters
    ----------
    model
        What `Model.problem` calls a capacity gives alpha, the others the energy xi.
    level
        Lifting level r >= 1; >= 2 for capacities with a discrete prior.

    Returns
    -------
    FreeEnergy
        The functional with its order parameters and the steps of its derivation. For an even
        model (found out symbolically) the outermost average is trivial, p_r = q_r = 0.

    Raises
    ------
    TypeError
        When ``model`` is not a `Model` or ``level`` is not an integer.
    ValueError
        When ``level`` is too small, or the model has no hard-constraint limit.

    Examples
    --------
    >>> from theory import SBP, SK, free_energy
    >>> free_energy(SBP(), 2).expr
    -log(2)/log(erf(sqrt(2)*kappa/2))
    >>> free_energy(SK(), 1).expr
    sqrt(2)/sqrt(pi)
    """
    r = checked_level(model, level)
    if model.is_finite:
        return finite_functional(model, r)
    if r < 2:
        raise ValueError(
            f"level {r} of {model.name} has no hard-constraint limit: the limit sends c_2 to "
            "infinity, and c_2 first appears at level 2; use level >= 2"
        )
    return hard_constraint_limit(model, r)
