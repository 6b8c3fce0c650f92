"""Sweeps: many models at many levels, on any executor, into one file as results arrive.

Not in a module named ``sweep``, which would hide the function of that name in `numerics`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from numerics.machine import cores
from numerics.thresholds.settle import DOUBLE_DIGITS
from numerics.thresholds.solve import lowest_level, solve_levels
from theory import Model
from theory.parameters import shown

from .records import Settings, Sweep, SweepFailure, point_key
from .store import SweepStore, read_sweep
from .tasks import WorkersError, run_tasks
from .workers import LocalPool, Outcome, installed_version, solve_point

__all__ = ["SweepProgress", "WorkersError", "missing", "sweep", "sweep_settings"]

SweepProgress = Callable[[int, int, int], None]


def sweep(
    models: Iterable[Model],
    levels: Iterable[float],
    *,
    out: str | os.PathLike[str],
    executor: Executor | None = None,
    workers: int | None = None,
    resume: bool = False,
    retry: bool = False,
    digits: int = 12,
    progress: SweepProgress | None = None,
) -> Sweep:
    """Solve many models at several levels each, and keep every result as soon as it is there.

    Parameters
    ----------
    models : iterable of theory.Model
        Models of one kind, with numeric parameters, e.g. ``[SBP(k) for k in ("0.5", "1")]``. The
        same model twice is one point.
    levels : iterable of int
        Wanted levels, as in `solve_levels`; `math.inf` is the limit of all (`numerics.limit`), a minute or
        so a point.
    out : str or os.PathLike
        The SQLite file that takes the results; see `read_sweep`.
    executor : concurrent.futures.Executor, optional
        Where the points are computed, e.g. ``distributed.Client(address).get_executor()``. It is
        left open. By default a pool of processes of this machine.
    workers : int, optional
        Number of processes of that pool; by default one for each core.
    resume : bool, default False
        Whether ``out`` may exist already; what it holds is then not computed again. Its settings
        (model, digits, version of widegap) have to be the same, its points and levels do not.
    retry : bool, default False
        When resuming, try points again that failed.
    digits : int, default 12
        As in `solve`.
    progress : callable, optional
        Called as ``progress(done, total, failed)`` at the beginning and after each point, which is
        then stored; ``failed`` of the ``done`` points have failed.

    Returns
    -------
    Sweep
        All that the file holds.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges, before anything is written.
    SweepFileError
        If ``out`` cannot take this sweep (a ValueError, too).
    WorkersError
        If the executor loses its workers, or they run another version of widegap. Everything
        finished is stored, as it is when KeyboardInterrupt or any other exception ends the sweep;
        points in flight are cancelled.
    sqlite3.Error
        If a result cannot be written, for example on a full disk.

    Notes
    -----
    A task is one model at all levels, as each level starts from the one below. A point that does
    not converge is stored as failed, with its message and its best point, and the sweep goes on.

    The processes are spawned. A script that calls this without an executor therefore needs the
    usual ``if __name__ == "__main__":``.
    """
    points = list(models)
    wanted = tuple(sorted(set(levels)))
    settings = sweep_settings(points, wanted, digits)
    if workers is not None:
        if executor is not None:
            raise ValueError("workers is for the local pool; an executor has its own")
        if isinstance(workers, bool) or not isinstance(workers, int):
            raise TypeError(f"workers must be an integer, got {workers!r}")
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
    tasks = {_key(model): model for model in points}
    with SweepStore(out, settings, resume=resume) as store:
        stored = store.stored()
        done = {key for key in tasks if stored.get(key, set()).issuperset(wanted)}
        # a point that failed above the levels wanted now has not failed
        failed = set() if retry else (store.failed() & tasks.keys()) - done
        done |= failed
        pending = [model for key, model in tasks.items() if key not in done]
        ledger = _Ledger(store, progress or _silent, len(tasks), done, failed)
        ledger.report()
        arguments = [(model, wanted, digits) for model in pending]
        if pending and executor is not None:
            run_tasks(executor, solve_point, arguments, ledger.add)
        elif pending:
            with LocalPool(min(workers or cores(), len(pending))) as pool:
                run_tasks(pool, solve_point, arguments, ledger.add)
    return read_sweep(out)


def sweep_settings(models: list[Model], levels: tuple[float, ...], digits: int) -> Settings:
    """Check what is to be swept, and say what its points have in common.

    Parameters
    ----------
    models, levels, digits
        As in `sweep`.

    Returns
    -------
    Settings

    Raises
    ------
    TypeError, ValueError
        As `sweep`.
    """
    if not models:
        raise ValueError("no models given; pass at least one")
    for model in models:
        if not isinstance(model, Model):
            raise TypeError(
                f"a sweep needs theory.Model objects such as SBP(kappa=1), got {model!r}"
            )
    first = models[0]
    finite = [level for level in levels if level != math.inf]
    # checks its input and computes nothing
    solve_levels(first, finite or [lowest_level(first)][: len(levels)], digits=digits)  # pyright: ignore[reportArgumentType]
    if len(finite) < len(levels) and digits > DOUBLE_DIGITS:
        raise ValueError(
            f"the limit of the levels is extrapolated, to 10 digits at best; digits = {digits} are for levels"
        )
    names = tuple(map(str, first.parameters))
    for model in models:
        for name, value in model.parameters.items():
            if value and not 1e-300 <= abs(value) <= 1e300:
                raise ValueError(
                    f"a sweep takes numbers a double can hold; {model.name} has {name} = {shown(value)}"
                )
        kind = (model.name, model.problem, tuple(map(str, model.parameters)))
        if kind != (first.name, first.problem, names):
            raise ValueError(
                f"a sweep has models of one kind, with the same parameters set; got {first} and {model}"
            )
    quantity = "alpha" if first.problem == "capacity" else "xi"
    return Settings(
        first.name,
        names,
        (*map(int, finite), *levels[len(finite) :]),
        int(digits),
        quantity,
        installed_version(),
    )


def missing(sweep: Sweep, models: Iterable[Model], levels: Iterable[float]) -> list[SweepFailure]:
    """Failures at points that therefore lack one of the levels wanted.

    Parameters
    ----------
    sweep : Sweep
    models, levels
        What was wanted.

    Returns
    -------
    list of SweepFailure
    """
    keys, wanted = {_key(model) for model in models}, set(levels)
    there: dict[str, set[float]] = {}
    for row in sweep:
        there.setdefault(point_key(row.parameters), set()).add(row.level)
    failures = [(point_key(one.parameters), one) for one in sweep.failures]
    return [one for key, one in failures if key in keys and not wanted <= there.get(key, set())]


@dataclass
class _Ledger:
    """Stores outcomes and says how far the sweep has come."""

    store: SweepStore
    tell: SweepProgress
    total: int
    done: set[str]
    failed: set[str]

    def add(self, outcome: Outcome) -> None:
        version = self.store.settings.version
        if outcome.version != version:
            raise WorkersError(
                f"a worker runs widegap {outcome.version}, not {version}; its result is not stored"
            )
        self.store.add(outcome)
        key = point_key(outcome.parameters)
        self.done.add(key)
        if outcome.failure is not None:
            self.failed.add(key)
        self.report()

    def report(self) -> None:
        self.tell(len(self.done), self.total, len(self.failed))


def _silent(done: int, total: int, failed: int) -> None:
    """Tell nobody."""


def _key(model: Model) -> str:
    return point_key({str(name): str(value) for name, value in model.parameters.items()})
