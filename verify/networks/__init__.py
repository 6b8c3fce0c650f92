"""Networks of finite width, really drawn: what the kernels of wide networks are the limit of.

`sample` draws perceptrons and equilibrium models of any width, `tangent_kernels` their empirical neural
tangent kernels, `ensemble` very many small ones at once. `verify.networks.laws` measures exponents.
Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .draws import Samples, sample
    from .ensembles import ensemble
    from .functions import unit_functions
    from .network import Network
    from .solvers import equilibrium
    from .tangents import tangent_kernels

__all__ = [
    "Network",
    "Samples",
    "ensemble",
    "equilibrium",
    "sample",
    "tangent_kernels",
    "unit_functions",
]

_HOME = {
    "Network": "network",
    "Samples": "draws",
    "ensemble": "ensembles",
    "equilibrium": "solvers",
    "sample": "draws",
    "tangent_kernels": "tangents",
    "unit_functions": "functions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
