"""Numbers: evaluators generated from theory's expressions, and the solvers that use them.

``solve(model, level) -> Solution`` is the verb; `Solution` carries the value and everything needed
to trust it; `ConvergenceError` and `ResolutionError` say what was not reached. ``sweep(models,
levels, out=file) -> Sweep`` does so for many models, on many processors, and keeps what is finished.
``kernel(model, x) -> MLPKernel | DEQKernel`` computes kernels of wide networks, ``certify`` proves either.
Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .functionals.crosscheck import cross_check
    from .kernels.certify import CertifiedKernel, certify_deq, certify_mlp
    from .kernels.deq import ConditionReport, DEQKernel, deq_kernel
    from .kernels.errors import AccuracyWarning
    from .kernels.kernel import kernel
    from .kernels.mlp import DivergenceError, MLPKernel, mlp_kernel
    from .kernels.phase import PhaseDiagram, phase_diagram
    from .kernels.tiles import KernelMemoryError
    from .nests.grids import ResolutionError
    from .proofs.certificates import (
        Certificate,
        CertificateError,
        CertificationError,
        certify_small_margin,
        check,
    )
    from .proving import certify
    from .runs.records import Sweep, SweepFailure, SweepRow
    from .runs.store import SweepFileError, read_sweep
    from .runs.sweeps import WorkersError, sweep
    from .thresholds.digits import refine
    from .thresholds.solution import ConvergenceError, Solution, Statistics
    from .thresholds.solve import lowest_level, solve, solve_levels

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
    "kernel",
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
    "check": "proofs.certificates",
    "certify": "proving",
    "certify_small_margin": "proofs.certificates",
    "CertificationError": "proofs.certificates",
    "CertificateError": "proofs.certificates",
    "Certificate": "proofs.certificates",
    "phase_diagram": "kernels.phase",
    "PhaseDiagram": "kernels.phase",
    "certify_mlp": "kernels.certify",
    "certify_deq": "kernels.certify",
    "CertifiedKernel": "kernels.certify",
    "ConditionReport": "kernels.deq",
    "DEQKernel": "kernels.deq",
    "deq_kernel": "kernels.deq",
    "kernel": "kernels.kernel",
    "DivergenceError": "kernels.mlp",
    "AccuracyWarning": "kernels.errors",
    "KernelMemoryError": "kernels.tiles",
    "MLPKernel": "kernels.mlp",
    "mlp_kernel": "kernels.mlp",
    "ConvergenceError": "thresholds.solution",
    "ResolutionError": "nests.grids",
    "Solution": "thresholds.solution",
    "Statistics": "thresholds.solution",
    "Sweep": "runs.records",
    "SweepFailure": "runs.records",
    "SweepFileError": "runs.store",
    "SweepRow": "runs.records",
    "WorkersError": "runs.sweeps",
    "cross_check": "functionals.crosscheck",
    "read_sweep": "runs.store",
    "refine": "thresholds.digits",
    "lowest_level": "thresholds.solve",
    "solve": "thresholds.solve",
    "solve_levels": "thresholds.solve",
    "sweep": "runs.sweeps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
