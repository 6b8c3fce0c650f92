"""Experiments of the subjects: many cases on any executor, each result in a file as soon as it is there.

A case is a dictionary of settings, a result a dictionary of numbers. A killed experiment goes on where it
was, with the same results on any number of workers: a case's random numbers follow from the seed and the
case alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from numerics.durable import (
    DurableFile,
    Format,
    from_json,
    reading,
    settings_of,
    to_json,
    typed,
)
from numerics.runs.tasks import run_tasks
from numerics.runs.workers import LocalPool, installed_version
from verify.errors import CasesFileError

__all__ = ["Case", "Outcome", "case_seed", "read_cases", "run_cases"]

Case = Mapping[str, float | int | str]
"""Settings of one case: numbers and text by name."""

Outcome = dict[str, Any]
"""What came of a case: whatever JSON holds, numbers finite or None."""

_FORMAT = Format("an experiment of a subject", 0x57474341, 1, CasesFileError)  # WGCA in ASCII
_TABLES = "CREATE TABLE cases (name TEXT PRIMARY KEY, outcome TEXT NOT NULL);"


def case_seed(seed: int, case: Case) -> int:
    """A 63-bit seed that follows from an experiment's seed and a case, whatever else is computed."""
    digest = hashlib.sha256(f"{seed} {_name(case)}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def run_cases(
    subject: str,
    function: Callable[[dict[str, Any], int], Outcome],
    cases: Sequence[Case],
    *,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> list[tuple[dict[str, Any], Outcome]]:
    """Compute a function at several cases.

    Parameters
    ----------
    subject : str
        Name of the experiment, which a file keeps: "parities grid".
    function : callable
        ``function(case, seed)``, at the top of a module, since other processes have to find it.
    cases : sequence of mapping
        All different.
    seed : int
        Each case gets the seed `case_seed` of it.
    out : path, optional
        The SQLite file that takes the outcomes. Without one they are computed in this process and only
        returned.
    resume : bool, default False
        Whether ``out`` may exist, with the same subject, seed and version of widegap; cases
        it holds are not repeated.
    executor : concurrent.futures.Executor, optional
        Left open. By default a pool of processes of this machine.
    workers : int, optional
        Of that pool; by default one for each core.
    progress : callable, optional
        ``progress(done, total, failed)`` at the beginning and after each case; ``failed`` is always 0.

    Returns
    -------
    list of tuple
        Each case with its outcome, in the order given.

    Raises
    ------
    ValueError
        For cases that are not all different, before anything is computed.
    CasesFileError
        If ``out`` cannot take this experiment.
    WorkersError
        If the executor loses its workers; what has ended is stored.
    """
    named = {_name(case): dict(case) for case in cases}
    if len(named) != len(cases) or not cases:
        raise ValueError(f"an experiment needs cases that are all different, got {len(cases)}")
    if workers is not None and (executor is not None or workers < 1):
        raise ValueError("workers is for the local pool, and at least 1")
    tell = progress or (lambda done, total, failed: None)
    done: dict[str, Outcome] = {}

    def report() -> None:
        tell(len(done), len(named), 0)

    if out is None:
        for name, case in named.items():
            report()
            done[name] = _run(function, case, case_seed(seed, case))[1]
        report()
        return [(case, done[name]) for name, case in named.items()]
    with DurableFile(out, _FORMAT, _settings(subject, seed), _TABLES, resume=resume) as file:
        stored = dict(_rows(file.connection.execute("SELECT name, outcome FROM cases")))
        done.update((name, stored[name]) for name in named if name in stored)
        report()

        def keep(result: tuple[dict[str, Any], Outcome]) -> None:
            name = _name(result[0])
            with file.transaction() as connection:
                row = (name, to_json(result[1]))
                connection.execute("INSERT OR REPLACE INTO cases VALUES (?, ?)", row)
            done[name] = result[1]
            report()

        tasks = [
            (function, case, case_seed(seed, case))
            for name, case in named.items()
            if name not in done
        ]
        if tasks and executor is not None:
            run_tasks(executor, _run, tasks, keep)
        elif tasks:
            from numerics.machine import cores

            with LocalPool(min(workers or cores(), len(tasks))) as pool:
                run_tasks(pool, _run, tasks, keep)
    return [(case, done[name]) for name, case in named.items()]


def read_cases(path: str | os.PathLike[str]) -> tuple[str, list[tuple[dict[str, Any], Outcome]]]:
    """Return the subject of a file, and its cases with their outcomes.

    Raises
    ------
    CasesFileError
        If it is not there, of another kind, or damaged.
    """
    subject = settings_of(path, _FORMAT).get("subject", "")
    with reading(path, _FORMAT, _TABLES) as connection:
        rows = list(_rows(connection.execute("SELECT name, outcome FROM cases ORDER BY name")))
        return subject, [(from_json(name, dict), outcome) for name, outcome in rows]


def _settings(subject: str, seed: int) -> dict[str, str]:
    return {
        "subject": subject,
        "seed": str(seed),
        "schema": str(_FORMAT.schema),
        "widegap": installed_version(),  # another version may compute other outcomes
    }


def _run(
    function: Callable[[dict[str, Any], int], Outcome], case: dict[str, Any], seed: int
) -> tuple[dict[str, Any], Outcome]:
    return case, function(case, seed)


def _name(case: Case) -> str:
    plain = {
        key: value.item() if isinstance(value, np.generic) else value for key, value in case.items()
    }
    return json.dumps(plain, sort_keys=True, allow_nan=False)


def _rows(rows: Any) -> Iterator[tuple[str, Outcome]]:
    for row in rows:
        name, text = typed(("name", "outcome"), (str, str), row)
        yield name, from_json(text, dict)
