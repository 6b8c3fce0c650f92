"""Numbers: evaluators generated from theory's expressions, and the solvers that use them.

``solve(model, level) -> Solution`` is the verb; `Solution` carries the value and everything needed
to trust it; `ConvergenceError` and `ResolutionError` say what was not reached. ``sweep(models,
levels, out=file) -> Sweep`` does so for many models, on many processors, and keeps what is finished.
``kernel(model, x) -> MLPKernel | DEQKernel`` computes kernels of wide networks, ``certify`` proves either.
Nothing heavy is imported before a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
