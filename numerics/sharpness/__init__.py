"""Sharpness-aware minimisation in numbers: where it ends, how well filtered features classify."""

from .filters import (
    MAX_LAYERS,
    AccuracyMap,
    FilteredAccuracy,
    accuracy_by_layers,
    accuracy_map,
    accuracy_of_one_layer,
    filter_sign,
    filtered_accuracy,
)
from .minimisers import (
    Eigenvalue,
    FixedPoint,
    QuadraticLimits,
    evaluate,
    graph_fixed_point,
    largest_eigenvalue,
    quadratic_limits,
)

__all__ = [
    "MAX_LAYERS",
    "AccuracyMap",
    "Eigenvalue",
    "FilteredAccuracy",
    "FixedPoint",
    "QuadraticLimits",
    "accuracy_by_layers",
    "accuracy_map",
    "accuracy_of_one_layer",
    "evaluate",
    "filter_sign",
    "filtered_accuracy",
    "graph_fixed_point",
    "largest_eigenvalue",
    "quadratic_limits",
]
