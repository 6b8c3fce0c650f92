"""The benchmarks there are."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.rows import Row

__all__ = ["BENCHMARKS", "Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """A named benchmark.

    Attributes
    ----------
    name : str
        As given to ``--only``.
    summary : str
        What it measures, in a line.
    run : callable
        Takes whether to be quick, that is, to leave out what takes more than some seconds; returns
        the rows.
    """

    name: str
    summary: str
    run: Callable[[bool], list[Row]]


def _from(module: str) -> Callable[[bool], list[Row]]:
    """Return the function ``run`` of a module, imported when called: listing imports nothing heavy."""

    def run(quick: bool) -> list[Row]:
        return importlib.import_module(module).run(quick)

    return run


BENCHMARKS: dict[str, Benchmark] = {
    name: Benchmark(name, summary, _from(f"benchmarks.{name}"))
    for name, summary in {
        "nest": "value and gradient against nested adaptive quadrature of the value",
        "levels": "value and gradient of levels 3 to 12; growth with the level",
        "models": "value and gradient of every model against the level",
        "limit": "level 7 against the time of the operations it counts",
        "threshold": "solving levels 2 to 7, in units of level-7 evaluations",
        "sweep": "61 points at levels 2 to 5: one worker and two against one after the other",
        "enumeration": "all configurations of small perceptrons against NumPy and its own limit",
        "algorithms": "iterations of the large-n algorithms against their matrix-vector products",
        "kernels": "Gram matrices of wide networks against plain NumPy and a JAX peer",
        "digits": "cost against the number of digits; fifty digits at level 7",
        "wide": "draws of wide networks against their BLAS calls and random numbers",
        "startup": "imports, the command line, a cold compile cache",
    }.items()
}
"""By name, in the order they are run."""
