"""Symbols only: models, architectures, lifted expectations, random duals and their limits, duals."""

from theory.calculus.lifting import GaussianExpectation, GibbsAverage, LiftedExpectation
from theory.calculus.steps import Step
from theory.kernels.activations import Activation, ActivationError, activation
from theory.kernels.architectures import DEQ, MLP
from theory.kernels.duals import Dual, dual
from theory.thresholds.finite_exponents import finite_functional
from theory.thresholds.free_energy import Chain, FreeEnergy
from theory.thresholds.models import (
    ABP,
    ALPHA,
    SBP,
    SK,
    BinaryPrior,
    Constraint,
    DiscretePrior,
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
    ZeroOnePerceptron,
    model_named,
    parameter,
)
from theory.thresholds.random_dual import (
    RandomDual,
    free_energy,
    hard_constraint_limit,
    random_dual,
)

__all__ = [
    "ABP",
    "ALPHA",
    "DEQ",
    "MLP",
    "SBP",
    "SK",
    "Activation",
    "ActivationError",
    "BinaryPrior",
    "Chain",
    "Constraint",
    "DiscretePrior",
    "Dual",
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
    "ZeroOnePerceptron",
    "activation",
    "dual",
    "finite_functional",
    "free_energy",
    "hard_constraint_limit",
    "model_named",
    "parameter",
    "random_dual",
]
