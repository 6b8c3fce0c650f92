"""The former name of `verify.networks`."""

from verify.networks import (
    Network,
    Samples,
    ensemble,
    equilibrium,
    sample,
    tangent_kernels,
    unit_functions,
)

__all__ = [
    "Network",
    "Samples",
    "ensemble",
    "equilibrium",
    "sample",
    "tangent_kernels",
    "unit_functions",
]
