"""Trials of algorithms on random instances, and the file that keeps them.

A trial is one instance, one algorithm, one budget, one outcome. `numerics.durable` keeps the file, as
it does that of a sweep.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from numerics.durable import DurableFile, Format, check_file, marks, reading, settings_of, typed
from verify.errors import ExperimentFileError

__all__ = [
    "Experiment",
    "ExperimentFileError",
    "Outcome",
    "Trial",
    "TrialStore",
    "check_experiment_file",
    "read_experiment",
    "run_trial",
]

APPLICATION_ID = 0x57474558
"""What SQLite keeps in the file's header: WGEX in ASCII."""

SCHEMA = 1


_FORMAT = Format("an experiment", APPLICATION_ID, SCHEMA, ExperimentFileError)

_TABLES = """
    CREATE TABLE trials (
        kappa TEXT NOT NULL, algorithm TEXT NOT NULL, n INTEGER NOT NULL, alpha TEXT NOT NULL,
        budget INTEGER NOT NULL, sample INTEGER NOT NULL,
        violated INTEGER NOT NULL, iterations INTEGER NOT NULL, seconds REAL NOT NULL,
        PRIMARY KEY (kappa, algorithm, n, alpha, budget, sample)
    );
"""


@dataclass(frozen=True, order=True)
class Trial:
    """What is to be tried.

    Attributes
    ----------
    kappa : str
        The margin, exactly, as text.
    algorithm : str
    n : int
    alpha : str
        The density, exactly, as text; m = round(alpha n).
    budget : int
    sample : int
        Number of the instance among those of the same kappa, n and alpha. Algorithms and budgets
        see the same instances.
    """

    kappa: str
    algorithm: str
    n: int
    alpha: str
    budget: int
    sample: int


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes
    ----------
    trial : Trial
    violated : int
        Rows violated, checked exactly.
    iterations : int
    seconds : float
        Wall time of the algorithm, without drawing and checking.
    version : str
        Version of widegap that computed this.
    """

    trial: Trial
    violated: int
    iterations: int
    seconds: float
    version: str


@dataclass(frozen=True)
class Experiment:
    """The content of an experiment's file; iterates over its outcomes.

    Attributes
    ----------
    model : str
        Name of the model.
    seed : int
        Seed from which all instances follow.
    outcomes : tuple of Outcome
        Ascending in the trial.
    """

    model: str
    seed: int
    outcomes: tuple[Outcome, ...]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)


def run_trial(model: str, trial: Trial, seed: int) -> Outcome:
    """Draw the instance of a trial and try to solve it: one task of an experiment.

    Parameters
    ----------
    model : {"sbp", "abp"}
    trial : Trial
    seed : int
        The experiment's. Same seed, same outcome, wherever it is computed.

    Returns
    -------
    Outcome
    """
    import time
    from fractions import Fraction

    from numerics.runs.workers import installed_version

    from .algorithms import attempt
    from .instances import draw_of_kind

    instance = draw_of_kind(
        model,
        float(Fraction(trial.kappa)),
        trial.n,
        m=max(1, round(Fraction(trial.alpha) * trial.n)),
        seed=_seed(seed, model, trial.kappa, trial.n, trial.alpha, trial.sample),
    )
    began = time.perf_counter()
    outcome = attempt(
        instance,
        trial.algorithm,
        budget=trial.budget,
        seed=_seed(seed, model, *astuple(trial)),
    )
    spent = time.perf_counter() - began
    return Outcome(trial, outcome.violated, outcome.iterations, spent, installed_version())


class TrialStore(DurableFile):
    """An experiment's file, open for writing by this process alone.

    Parameters
    ----------
    path : str or os.PathLike
    model : str
    seed : int
    resume : bool, default False

    Raises
    ------
    ExperimentFileError
        As for `numerics.durable.DurableFile`.
    """

    def __init__(
        self, path: str | os.PathLike[str], model: str, seed: int, *, resume: bool = False
    ) -> None:
        check_experiment_file(path, model, seed, resume=resume)
        if Path(path).exists():
            read_experiment(path)  # what is damaged is refused now, not after the work
        super().__init__(path, _FORMAT, _settings(model, seed), _TABLES, resume=resume)

    def done(self) -> set[Trial]:
        """Trials that have an outcome."""
        columns = ", ".join(field.name for field in fields(Trial))
        return {Trial(*row) for row in self.connection.execute(f"SELECT {columns} FROM trials")}

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome for good."""
        values = (
            *astuple(outcome.trial),
            outcome.violated,
            outcome.iterations,
            outcome.seconds,
        )
        with self.transaction() as connection:
            connection.execute(f"INSERT OR IGNORE INTO trials VALUES ({marks(values)})", values)


def check_experiment_file(
    path: str | os.PathLike[str], model: str, seed: int, *, resume: bool = False
) -> None:
    """Find out whether a file can take an experiment, without changing anything.

    Raises
    ------
    ExperimentFileError
        If it cannot.
    """
    check_file(path, _FORMAT, _settings(model, seed), resume=resume)


def read_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read an experiment's file; it may be in the making.

    Raises
    ------
    ExperimentFileError
        If the file is not there, is not an experiment, is damaged, or is of another version of this program.
    """
    settings = settings_of(path, _FORMAT)
    with reading(path, _FORMAT, _TABLES) as connection:
        rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM trials").fetchall()
        version = settings["widegap"]
        outcomes = [_outcome(row, version) for row in rows]
        seed = settings["seed"]
        if not (seed.isascii() and seed.isdigit()):
            raise ValueError(f"seed holds {seed[:60]!r}")
        return Experiment(
            settings["model"],
            int(seed),
            tuple(sorted(outcomes, key=lambda outcome: outcome.trial)),
        )


_COLUMNS = {
    "kappa": str,
    "algorithm": str,
    "n": int,
    "alpha": str,
    "budget": int,
    "sample": int,
    "violated": int,
    "iterations": int,
    "seconds": float,
}


def _outcome(row: tuple[Any, ...], version: str) -> Outcome:
    """One row of the table, if it is one."""
    values = typed(tuple(_COLUMNS), tuple(_COLUMNS.values()), row)
    trial = Trial(*values[:6])
    for name, value, fits in (
        ("kappa", trial.kappa, abs(_fraction(trial.kappa)) < 10**300),
        ("alpha", trial.alpha, 0 < _fraction(trial.alpha) < 10**300),
        ("n", trial.n, trial.n >= 1),
        ("violated", values[6], values[6] >= 0),
        ("seconds", values[8], values[8] >= 0.0),
    ):
        if not fits:
            raise ValueError(f"{name} holds {str(value)[:60]!r}")
    return Outcome(trial, *values[6:], version=version)


def _fraction(text: str) -> Fraction:
    """Numerator and denominator as `str` writes them: no exponent that takes for ever."""
    top, _, bottom = text.removeprefix("-").partition("/")
    whole = all(part.isascii() and part.isdigit() for part in (top, bottom or "1"))
    if not whole or not (bottom or "1").strip("0") or text.endswith("/"):
        raise ValueError(f"{text[:60]!r} is no fraction")
    return Fraction(text)


def _settings(model: str, seed: int) -> dict[str, str]:
    from numerics.runs.workers import installed_version

    return {
        "schema": str(SCHEMA),
        "model": model,
        "seed": str(seed),
        "widegap": installed_version(),
    }


def _seed(*parts: Any) -> int:
    """Hash anything into a seed, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")
