"""Wide networks: activations and their duals, recursions of NNGP and tangent kernels, predictions."""

from theory.kernels.laws import iteration, prediction

__all__ = ["LAWS"]

LAWS = prediction.LAWS | iteration.LAWS
"""Laws by name."""
