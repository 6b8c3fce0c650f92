"""Symbols only: models, lifted expectations, random duals and their limits, in sympy."""

from theory.free_energy import Chain, FreeEnergy, Step
from theory.lifting import GaussianExpectation, GibbsAverage, LiftedExpectation
from theory.models import SBP, BinaryPrior, Constraint, Model, Prior, SymmetricConstraint, parameter
from theory.rdt import RandomDual, free_energy, hard_constraint_limit, random_dual

__all__ = [
    "SBP",
    "BinaryPrior",
    "Chain",
    "Constraint",
    "FreeEnergy",
    "GaussianExpectation",
    "GibbsAverage",
    "LiftedExpectation",
    "Model",
    "Prior",
    "RandomDual",
    "Step",
    "SymmetricConstraint",
    "free_energy",
    "hard_constraint_limit",
    "parameter",
    "random_dual",
]
