"""What one process of a sweep does, and the local pool of such processes.

Imports nothing heavy: a new process comes through here before it is told to use one thread, and
libraries read that when they are loaded.
"""

from __future__ import annotations

import importlib.metadata
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numerics.thresholds.solution import Solution
    from theory import Model

__all__ = ["TURN", "Failed", "LocalPool", "Outcome", "installed_version", "solve_point"]

T = TypeVar("T")

_ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
}
# Some clusters run several tasks as threads of one process; sympy and numba's compiler want one.
TURN = threading.Lock()


@dataclass(frozen=True)
class Failed:
    """Why a point's levels end early; as `SweepFailure`, without the point."""

    level: float
    kind: str
    message: str
    best: dict[str, float]
    gradient_norm: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of one point: plain data, for any pickle and any version of Python.

    Attributes
    ----------
    parameters : dict of str to str
        Exact values.
    coordinates : dict of str to float
        The same, rounded.
    solutions : list of dict
        `Solution.to_dict` of every level that was solved, lowest first; `Limit.to_dict` of the limit.
    failure : Failed, optional
        What ended the levels early.
    version : str
        Version of widegap that computed this.
    """

    parameters: dict[str, str]
    coordinates: dict[str, float]
    solutions: list[dict[str, Any]]
    failure: Failed | None
    version: str


def installed_version() -> str:
    """Version of widegap, as installed."""
    return importlib.metadata.version("widegap")


def solve_point(model: Model, levels: tuple[float, ...], digits: int) -> Outcome:
    """Solve a model at all its levels: one task of a sweep.

    Parameters
    ----------
    model : theory.Model
    levels : tuple of int
        `math.inf` is the limit of all.
    digits : int
        As in `solve_levels`.

    Returns
    -------
    Outcome
        A `ConvergenceError` or `ResolutionError` is an outcome, too; anything else is raised.
    """
    from numerics.errors import ResolutionError
    from numerics.limits.limit import limit
    from numerics.thresholds.solution import ConvergenceError
    from numerics.thresholds.solve import solve_levels

    finite = [int(level) for level in levels if level < math.inf]
    reached: float = min(levels)

    def progress(level: int, stage: str, fraction: float) -> None:
        nonlocal reached
        reached = level

    solutions: list[dict[str, Any]] = []
    failure = None
    with TURN:
        try:
            for solution in (
                solve_levels(model, finite, digits=digits, progress=progress) if finite else ()
            ):
                _check_range(solution)
                solutions.append(solution.to_dict())
            if len(finite) < len(levels):
                reached = math.inf
                solutions.append(limit(model).to_dict())
        except ConvergenceError as error:
            failure = Failed(
                reached, "ConvergenceError", str(error), error.best, error.gradient_norm
            )
        except ResolutionError as error:
            failure = Failed(reached, "ResolutionError", str(error), {}, None)
    return Outcome(
        {str(name): str(value) for name, value in model.parameters.items()},
        {str(name): float(value) for name, value in model.parameters.items()},
        solutions,
        failure,
        installed_version(),
    )


def _check_range(solution: Solution) -> None:
    """Refuse numbers of many digits that no column of a table can hold."""
    from numerics.errors import ResolutionError
    from numerics.thresholds.solution import written

    for number in (solution.value, solution.error, solution.gradient_norm):
        if not abs(number) < 1e300:
            raise ResolutionError(
                f"{written(number, 3)} is beyond what a sweep's table holds; solve this point by itself"
            )


class LocalPool(ProcessPoolExecutor):
    """Processes of this machine, one thread each, that do not outlive the process that made them.

    Parameters
    ----------
    workers : int
        Number of processes.

    Notes
    -----
    Processes are spawned, not forked: a fork copies the locks of numba's and BLAS's threads in
    whatever state they are. They ignore Ctrl-C, which is for the process that made them to handle,
    and end when their end of a pipe says that it has gone or wants no more: a
    `ProcessPoolExecutor` of its own leaves its processes waiting for ever when it is killed.
    """

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        theirs, self._leash = context.Pipe(duplex=False)
        super().__init__(workers, mp_context=context, initializer=_begin, initargs=(theirs,))

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submit a task; this is also where processes are started."""
        with _inherited_by_processes():
            return super().submit(fn, *args, **kwargs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes: at once, whatever they are doing, if something went wrong."""
        if kind is not None:
            self._leash.close()
        self.shutdown(wait=True, cancel_futures=True)
        self._leash.close()


@contextmanager
def _inherited_by_processes() -> Iterator[None]:
    """Have processes started meanwhile begin with one thread and without Ctrl-C."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    masked = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masked else set()
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(leash: Connection) -> None:
    """Prepare a process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "numba" in sys.modules:  # the user's main module, imported first, may have loaded it
        sys.modules["numba"].set_num_threads(1)
    else:  # only here: once numba has threads it refuses every change of this
        os.environ["NUMBA_NUM_THREADS"] = "1"
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()


def _end_with(leash: Connection) -> None:
    try:
        leash.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
