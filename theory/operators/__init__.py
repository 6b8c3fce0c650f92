"""Fourier layers on linear periodic equations: symbols, layers that hold them, features they are made of.

`LAWS` names what ``widegap derive operators`` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from theory.calculus.law import Law

from . import features, layers
from .symbols import EQUATIONS, multiplier

__all__ = ["LAWS"]

LAWS: dict[str, Callable[[], Law]] = {
    **{name: partial(multiplier, equation) for name, equation in EQUATIONS.items()},
    "kernel-parameters": layers.amortised_parameters,
    "fourier-parameters": layers.fourier_parameters,
    "break-even": layers.break_even,
    "readout": layers.readout,
    "network-1d": partial(layers.network_parameters, 1),
    "network-2d": partial(layers.network_parameters, 2),
    "truncation": layers.truncation,
    "rank": layers.rank_error,
    "separability": layers.separability,
    "resolution": layers.resolution,
    "resolution-error": layers.resolution_error,
    "hermitian": layers.hermitian,
    "cole-hopf": layers.cole_hopf,
    "jacobi-anger": features.jacobi_anger,
    "threshold": features.threshold,
    "coefficient-bound": features.coefficient_bound,
    "tail": features.tail,
    "heat-coefficients": features.heat_coefficients,
    "poles": features.poles,
    "gram": features.gram,
    "nodes": features.nodes,
}
"""Functions without arguments that derive a law, by name."""
