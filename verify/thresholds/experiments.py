"""How far algorithms reach: success against density at several n, on any executor, into one file.

An experiment is a set of trials. It is run as a sweep is: tasks on an executor, each outcome in the
file as soon as it is there, resumed where it was stopped (`numerics.runs.tasks`, `numerics.durable`).
`verify.thresholds.crossings` makes curves and thresholds of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from numerics.errors import WorkersError
from numerics.machine import cores
from numerics.runs.tasks import run_tasks
from numerics.runs.workers import LocalPool, installed_version

from .trials import Experiment, Outcome, Trial, TrialStore, read_experiment, run_trial

if TYPE_CHECKING:
    from theory import Model

__all__ = ["experiment", "trials_of"]

MAX_TRIALS = 1_000_000
"""Most trials of an experiment: more than that is a slip of the pen."""

MEMORY = 4 * 2.0**30
"""Bytes that the matrix of an instance may take, unless a caller says otherwise."""

_MAX_BUDGET = 100_000_000

Progress = Callable[[int, int, int], None]
Exact = int | str | Decimal | Fraction


def experiment(
    models: Iterable[Model],
    sizes: Sequence[int],
    alphas: Sequence[Exact],
    *,
    out: str | os.PathLike[str],
    algorithms: Sequence[str] = ("belief",),
    budgets: Sequence[int] = (2000,),
    samples: int = 16,
    seed: int = 0,
    executor: Executor | None = None,
    workers: int | None = None,
    resume: bool = False,
    memory: float = MEMORY,
    progress: Progress | None = None,
) -> Experiment:
    """Try algorithms on random instances, all combinations of what is given.

    Parameters
    ----------
    models : iterable of theory.Model
        SBP or ABP with numeric margins, of one kind.
    sizes : sequence of int
        Numbers of columns n.
    alphas : sequence of int, str, Decimal or Fraction
        Densities, exact.
    out : str or os.PathLike
        The SQLite file that takes the outcomes.
    algorithms : sequence of str
        Names in `verify.thresholds.algorithms.ALGORITHMS`.
    budgets : sequence of int
        Passes over the matrix.
    samples : int
        Instances of each margin, size and density.
    seed : int
        All instances and runs follow from it.
    executor : concurrent.futures.Executor, optional
        Where trials are computed; left open. By default a pool of processes of this machine.
    workers : int, optional
        Number of processes of that pool; by default one for each core.
    resume : bool, default False
        Whether ``out`` may exist; trials it holds are not repeated.
    memory : float, default 4 GiB
        Bytes that the matrix of an instance may take.
    progress : callable, optional
        Called as ``progress(done, total, 0)`` at the beginning and after each trial.

    Returns
    -------
    Experiment
        All that the file holds.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges, before anything is written.
    ExperimentFileError
        If ``out`` cannot take this experiment.
    WorkersError
        If the executor loses its workers, or they run another version; what is finished is stored.

    Notes
    -----
    The longest trials come first, so that the cores end together. The processes are spawned: a
    script without an executor needs ``if __name__ == "__main__":``.
    """
    given = list(models)
    name, trials = trials_of(given, sizes, alphas, algorithms, budgets, samples, seed, memory)
    if workers is not None and (executor is not None or workers < 1):
        raise ValueError("workers is for the local pool, and at least 1")
    version = installed_version()
    with TrialStore(out, name, seed, resume=resume) as store:
        done = store.done() & trials
        pending = sorted(trials - done, key=lambda t: (-t.n * t.n * t.budget, t.sample, t))
        finished = len(done)

        def keep(outcome: Outcome) -> None:
            nonlocal finished
            if outcome.version != version:
                raise WorkersError(
                    f"a worker runs widegap {outcome.version}, not {version}; its result is not stored"
                )
            store.add(outcome)
            finished += 1
            if progress is not None:
                progress(finished, len(trials), 0)

        if progress is not None:
            progress(finished, len(trials), 0)
        arguments = [(name, trial, seed) for trial in pending]
        if pending and executor is not None:
            run_tasks(executor, run_trial, arguments, keep)
        elif pending:
            with LocalPool(min(workers or cores(), len(pending))) as pool:
                run_tasks(pool, run_trial, arguments, keep)
    return read_experiment(out)


def trials_of(
    models: Sequence[Model],
    sizes: Sequence[int],
    alphas: Sequence[Exact],
    algorithms: Sequence[str],
    budgets: Sequence[int],
    samples: int,
    seed: int = 0,
    memory: float = MEMORY,
) -> tuple[str, set[Trial]]:
    """Check what is to be tried.

    Parameters
    ----------
    models, sizes, alphas, algorithms, budgets, samples, seed, memory
        As for `experiment`.

    Returns
    -------
    tuple of str and set of Trial
        The model's name, and all trials.

    Raises
    ------
    TypeError, ValueError
        As `experiment`.
    """
    from .algorithms import ALGORITHMS
    from .instances import kind_of

    kinds = {kind_of(model)[0] for model in models}
    if len(kinds) != 1:
        raise ValueError(f"an experiment has models of one kind, got {sorted(kinds) or 'none'}")
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"an algorithm is one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    for what, values, least in (
        ("n", sizes, 1),
        ("a budget", budgets, 1),
        ("samples", (samples,), 1),
        ("seed", (seed,), 0),
    ):
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{what} must be an integer, got {value!r}")
            if value < least:
                raise ValueError(f"{what} must be at least {least}, got {value}")
    exact = [Fraction(alpha) for alpha in alphas]
    if not all(alpha > 0 for alpha in exact):
        raise ValueError(f"alpha must be positive, got {min(exact)}")
    if exact and sizes:
        _check_memory(max(sizes), max(exact), memory)
    if budgets and max(budgets) > _MAX_BUDGET:
        raise ValueError(f"a budget must be at most {_MAX_BUDGET} passes, got {max(budgets)}")
    count = math.prod(map(len, (models, algorithms, sizes, exact, budgets))) * samples
    if count > MAX_TRIALS:
        raise ValueError(f"an experiment may have at most {MAX_TRIALS} trials, got {count}")
    trials = {
        Trial(str(model.kappa), algorithm, n, str(alpha), budget, sample)  # pyright: ignore[reportAttributeAccessIssue]
        for model in models
        for algorithm in algorithms
        for n in sizes
        for alpha in exact
        for budget in budgets
        for sample in range(samples)
    }
    if not trials:
        raise ValueError("there is nothing to try: every list needs an entry")
    return kinds.pop(), trials


def _check_memory(n: int, alpha: Fraction, memory: float) -> None:
    """Refuse instances that are too large to draw, before a file is made for them."""
    if not (math.isfinite(memory) and memory > 0.0):
        raise ValueError(f"the memory of an instance must be positive, got {memory}")
    m = max(1, round(alpha * n))
    if 8 * m * n > memory:
        needed = _rough(8 * m * n / Fraction(2**30))
        raise ValueError(
            f"an instance of n = {n} at alpha = {_rough(alpha)} takes {needed} GiB, more than the "
            f"{memory / 2**30:.3g} GiB allowed; take a smaller n or alpha"
        )


def _rough(number: Fraction) -> str:
    """A positive number in a few digits, however large it is."""
    bits = number.numerator.bit_length() - number.denominator.bit_length()
    return f"{float(number):.3g}" if abs(bits) < 900 else f"1e{round(bits * math.log10(2.0))}"
