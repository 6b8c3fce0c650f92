r"""Sharpness-aware minimisation, and what a graph adds: where SAM and FGSAM end, what filtered features say.

SAM [1]_ descends along the gradient at :math:`w + \rho g / |g|`. Its graph variant FGSAM [2]_ perturbs a
perceptron that shares a graph network's weights (the same layers without the graph, its *peer*) along the
graph's gradient: its direction is :math:`\lambda g_G(w) + g_M(w + \rho g_G / |g_G|)`.

References
----------
.. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-aware minimization for efficiently
       improving generalization", ICLR 2021.
.. [2] "Fast graph sharpness-aware minimization for enhancing and accelerating few-shot node
       classification", NeurIPS 2024.
"""

from .filters import (
    accuracy,
    filter_moments,
    filtered_accuracy,
    filtering_gain,
    hyperplane,
    neighbours_accuracy,
)
from .minimisers import (
    descent_edge,
    graph_alignment,
    graph_cycle,
    graph_direction,
    graph_fixed_point,
    graph_shift,
    sam_cycle,
    sam_edge,
    sam_expansion,
)
from .rules import evaluations, plus_norm, released_weight

__all__ = [
    "LAWS",
    "accuracy",
    "descent_edge",
    "evaluations",
    "filter_moments",
    "filtered_accuracy",
    "filtering_gain",
    "graph_alignment",
    "graph_cycle",
    "graph_direction",
    "graph_fixed_point",
    "graph_shift",
    "hyperplane",
    "neighbours_accuracy",
    "plus_norm",
    "released_weight",
    "sam_cycle",
    "sam_edge",
    "sam_expansion",
]

LAWS = {
    "sam-expansion": sam_expansion,
    "sam-cycle": sam_cycle,
    "descent-edge": descent_edge,
    "sam-edge": sam_edge,
    "graph-alignment": graph_alignment,
    "graph-secular": lambda: graph_fixed_point()[0],
    "graph-fixed-point": lambda: graph_fixed_point()[1],
    "graph-shift": graph_shift,
    "graph-stability": lambda: graph_direction()[1],
    "graph-cycle": graph_cycle,
    "released-weight": released_weight,
    "plus-norm": plus_norm,
    "evaluations": evaluations,
    "hyperplane": hyperplane,
    "mean": lambda: filter_moments(1)[0],
    "composition": lambda: filter_moments(1)[1],
    "noise": lambda: filter_moments(1)[2],
    "mean-two-layers": lambda: filter_moments(2)[0],
    "composition-two-layers": lambda: filter_moments(2)[1],
    "noise-two-layers": lambda: filter_moments(2)[2],
    "accuracy": accuracy,
    "neighbours-accuracy": neighbours_accuracy,
    "filtering-gain": filtering_gain,
}
"""By name, for ``widegap derive sharpness``."""
