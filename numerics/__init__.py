"""Numbers: evaluators generated from theory's expressions, and the solvers that use them.

``solve(model, level) -> Solution`` is the verb; `Solution` carries the value and everything needed
to trust it; `ConvergenceError` and `ResolutionError` say what was not reached. ``sweep(models,
levels, out=file) -> Sweep`` does so for many models, on many processors, and keeps what is finished.
Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .certificates import (
        Certificate,
        CertificateError,
        CertificationError,
        certify,
        certify_small_margin,
        check,
    )
    from .crosscheck import cross_check
    from .deq import ConditionReport, DEQKernel, deq_kernel
    from .digits import refine
    from .grids import ResolutionError
    from .kernel_certify import CertifiedKernel, certify_deq, certify_mlp
    from .kernel_errors import AccuracyWarning
    from .kernel_tiles import KernelMemoryError
    from .kernels import DivergenceError, MLPKernel, mlp_kernel
    from .levels import lowest_level, solve, solve_levels
    from .phase import PhaseDiagram, phase_diagram
    from .records import Sweep, SweepFailure, SweepRow
    from .solution import ConvergenceError, Solution, Statistics
    from .store import SweepFileError, read_sweep
    from .sweeps import WorkersError, sweep

__all__ = [
    "AccuracyWarning",
    "Certificate",
    "CertificateError",
    "CertificationError",
    "CertifiedKernel",
    "ConditionReport",
    "ConvergenceError",
    "DEQKernel",
    "DivergenceError",
    "KernelMemoryError",
    "MLPKernel",
    "PhaseDiagram",
    "ResolutionError",
    "Solution",
    "Statistics",
    "Sweep",
    "SweepFailure",
    "SweepFileError",
    "SweepRow",
    "WorkersError",
    "certify",
    "certify_deq",
    "certify_mlp",
    "certify_small_margin",
    "check",
    "cross_check",
    "deq_kernel",
    "lowest_level",
    "mlp_kernel",
    "phase_diagram",
    "read_sweep",
    "refine",
    "solve",
    "solve_levels",
    "sweep",
]

_HOME = {
    "check": "certificates",
    "certify": "certificates",
    "certify_small_margin": "certificates",
    "CertificationError": "certificates",
    "CertificateError": "certificates",
    "Certificate": "certificates",
    "phase_diagram": "phase",
    "PhaseDiagram": "phase",
    "certify_mlp": "kernel_certify",
    "certify_deq": "kernel_certify",
    "CertifiedKernel": "kernel_certify",
    "ConditionReport": "deq",
    "DEQKernel": "deq",
    "deq_kernel": "deq",
    "DivergenceError": "kernels",
    "AccuracyWarning": "kernel_errors",
    "KernelMemoryError": "kernel_tiles",
    "MLPKernel": "kernels",
    "mlp_kernel": "kernels",
    "ConvergenceError": "solution",
    "ResolutionError": "grids",
    "Solution": "solution",
    "Statistics": "solution",
    "Sweep": "records",
    "SweepFailure": "records",
    "SweepFileError": "store",
    "SweepRow": "records",
    "WorkersError": "sweeps",
    "cross_check": "crosscheck",
    "read_sweep": "store",
    "refine": "digits",
    "lowest_level": "levels",
    "solve": "levels",
    "solve_levels": "levels",
    "sweep": "sweeps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
