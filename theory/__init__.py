"""Symbols only: models, lifted expectations, random duals and their limits, in sympy."""

from theory.free_energy import Chain, FreeEnergy, Step
from theory.ground import finite_functional
from theory.lifting import GaussianExpectation, GibbsAverage, LiftedExpectation
from theory.models import (
    ABP,
    ALPHA,
    SBP,
    SK,
    BinaryPrior,
    Constraint,
    Hopfield,
    Model,
    OneSidedConstraint,
    Prior,
    SphericalPerceptron,
    SphericalPrior,
    SymmetricConstraint,
    UConstraint,
    Unconstrained,
    UPerceptron,
    parameter,
)
from theory.rdt import RandomDual, free_energy, hard_constraint_limit, random_dual

__all__ = [
    "ABP",
    "ALPHA",
    "SBP",
    "SK",
    "BinaryPrior",
    "Chain",
    "Constraint",
    "FreeEnergy",
    "GaussianExpectation",
    "GibbsAverage",
    "Hopfield",
    "LiftedExpectation",
    "Model",
    "OneSidedConstraint",
    "Prior",
    "RandomDual",
    "SphericalPerceptron",
    "SphericalPrior",
    "Step",
    "SymmetricConstraint",
    "UConstraint",
    "UPerceptron",
    "Unconstrained",
    "finite_functional",
    "free_energy",
    "hard_constraint_limit",
    "parameter",
    "random_dual",
]
