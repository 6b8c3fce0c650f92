"""Wide networks: activations and their duals, recursions of NNGP and tangent kernels, predictions."""

from theory.kernels.prediction import LAWS

__all__ = ["LAWS"]
