"""Circuits of residual networks: which edges carry a loss, and what attribution methods return for it.

A residual graph has an input, nodes and an output. What enters a node v is the sum of the outputs z_u of
nodes u before it; each term is an edge (u, v). An edge that is not kept brings z'_u instead, the output for a
corrupt input, or nothing. Attributions say by how much the loss grows without an edge, ACDC which edges stay.
"""

from .attribution import ablation, acdc, attribution, integrated, shapley, shapley_weight
from .graphs import ALPHA, SINK, SOURCE, Edge, Residual, X, gate
from .laws import LAWS, edge_count, edit_spill, rank_one_edit

__all__ = [
    "ALPHA",
    "LAWS",
    "SINK",
    "SOURCE",
    "Edge",
    "Residual",
    "X",
    "ablation",
    "acdc",
    "attribution",
    "edge_count",
    "edit_spill",
    "gate",
    "integrated",
    "rank_one_edit",
    "shapley",
    "shapley_weight",
]
