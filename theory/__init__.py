"""Symbols only: models, architectures, lifted expectations, random duals and their limits, duals."""

from theory.calculus.lifting import GaussianExpectation, GibbsAverage, LiftedExpectation
from theory.calculus.steps import Step
from theory.errors import ActivationError, DivergenceError, WidegapError
from theory.kernels.activations import Activation, activation
from theory.kernels.architectures import DEQ, MLP
from theory.kernels.duals import Dual, dual
from theory.kernels.layers import Dense, LayerNorm, Residual
from theory.kernels.sequential import Sequential
from theory.thresholds.derive import free_energy
from theory.thresholds.finite_exponents import finite_functional
from theory.thresholds.free_energy import Chain, FreeEnergy
from theory.thresholds.infinite_exponents import hard_constraint_limit
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
from theory.thresholds.random_dual import RandomDual, random_dual

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
    "Dense",
    "DiscretePrior",
    "DivergenceError",
    "Dual",
    "FreeEnergy",
    "GaussianExpectation",
    "GibbsAverage",
    "Hopfield",
    "LayerNorm",
    "LiftedExpectation",
    "Model",
    "OneSidedConstraint",
    "Prior",
    "RandomDual",
    "Residual",
    "Sequential",
    "SphericalPerceptron",
    "SphericalPrior",
    "Step",
    "SymmetricConstraint",
    "UConstraint",
    "UPerceptron",
    "Unconstrained",
    "WidegapError",
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
