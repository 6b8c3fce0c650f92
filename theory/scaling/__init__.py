"""Scaling of perceptrons: counts, the compute-optimal size, spectra, learning curves, invariance."""

from collections.abc import Callable

from theory.calculus.law import Law

from . import curves, networks, sphere

__all__ = ["LAWS"]

LAWS: dict[str, Callable[[], Law]] = {
    "bottleneck-parameters": networks.bottleneck_parameters,
    "standard-parameters": networks.standard_parameters,
    "spare-parameters": networks.spare_parameters,
    "bottleneck-compute": networks.bottleneck_compute,
    "optimal-parameters": networks.optimal_parameters,
    "optimal-samples": networks.optimal_samples,
    "optimal-loss": networks.optimal_loss,
    "degree-eigenvalue": sphere.degree_eigenvalue,
    "multiplicity": sphere.multiplicity,
    "recurrence": sphere.recurrence,
    "quadrature-error": sphere.quadrature_error,
    "mode": curves.mode,
    "self-consistency": curves.self_consistency,
    "learning-curve": curves.learning_curve,
    "distinct-points": curves.distinct_points,
    "curve-exponent": curves.curve_exponent,
    "curve-amplitude": curves.curve_amplitude,
    "rotation-invariance": networks.rotation_invariance,
    "gradient-equivariance": networks.gradient_equivariance,
}
"""What ``widegap derive scaling`` shows."""
