"""The file of a run: finished verdicts, one transaction each, so that a killed run loses none of them.

One SQLite database with a table of settings and one of verdicts. Verdicts are taken up again only by
a run of the same seed and of the same code: a fingerprint of every module says whether it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Journal", "JournalError", "code_fingerprint"]

APPLICATION_ID = 0x57475652
"""What SQLite keeps in the file's header to say whose it is: WGVR in ASCII."""

_PATIENCE = 10.0


class JournalError(ValueError):
    """A file cannot take this run; it is as it was."""


def code_fingerprint() -> str:
    """Return a hash of the source of the three layers; verdicts of other code are not comparable."""
    import numerics
    import theory
    import verify

    digest = hashlib.sha256()
    for package in (theory, numerics, verify):
        assert package.__file__ is not None
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Journal:
    """The file of a run, open for writing by this process alone.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there, taken up if it is.
    seed : int, optional
        Seed of the run; None takes that of the file.
    settings : dict of str to str
        What else has to be the same, such as the theory's name.

    Raises
    ------
    JournalError
        If the file is not a run's, is one of another seed, other settings or other code, is being written by
        another process, or cannot be written.

    Attributes
    ----------
    seed : int
    """

    def __init__(
        self, path: str | os.PathLike[str], seed: int | None, settings: dict[str, str]
    ) -> None:
        target = Path(path)
        if target.is_dir():
            raise JournalError(f"{path} is a folder")
        if not target.resolve().parent.is_dir():
            raise JournalError(f"the folder {target.resolve().parent} does not exist")
        fresh = not target.exists() or target.stat().st_size == 0
        try:
            self._connection = sqlite3.connect(target, timeout=_PATIENCE, isolation_level=None)
            self._check_or_make(str(path), fresh, seed, {**settings, "code": code_fingerprint()})
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise JournalError(f"another process is writing to {path}") from error
            raise JournalError(f"{path} cannot keep the verdicts of a run: {error}") from error
        except OSError as error:
            raise JournalError(f"cannot write {path}: {error.strerror}") from error

    def _check_or_make(
        self, path: str, fresh: bool, seed: int | None, settings: dict[str, str]
    ) -> None:
        run = self._connection.execute
        if fresh:
            self.seed = 0 if seed is None else seed
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            run("BEGIN IMMEDIATE")
            run("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            run("CREATE TABLE verdicts (id TEXT PRIMARY KEY, record TEXT NOT NULL)")
            rows = {**settings, "seed": str(self.seed)}
            self._connection.executemany("INSERT INTO settings VALUES (?, ?)", rows.items())
            run("COMMIT")
        else:
            (identity,) = run("PRAGMA application_id").fetchone()
            if identity != APPLICATION_ID:
                raise JournalError(f"{path} is not the file of a verification")
            found = dict(run("SELECT name, value FROM settings").fetchall())
            self.seed = int(found.get("seed", "0"))
            if seed is not None and seed != self.seed:
                raise JournalError(f"{path} is a run with seed {self.seed}, not {seed}")
            for name, wanted in settings.items():
                if found.get(name) != wanted:
                    what = "other code" if name == "code" else f"{name} {found.get(name)!r}"
                    raise JournalError(f"{path} is a run of {what}; begin another file")
        run("PRAGMA synchronous = FULL")
        run("BEGIN IMMEDIATE")  # held between transactions too: two runs never write one file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def stored(self) -> dict[str, dict[str, Any]]:
        """Every stored record by its claim's identifier."""
        rows = self._connection.execute("SELECT id, record FROM verdicts")
        return {id: json.loads(record) for id, record in rows}

    def add(self, id: str, record: dict[str, Any]) -> None:
        """Store a record, for good."""
        run = self._connection.execute
        if not self._connection.in_transaction:
            run("BEGIN IMMEDIATE")
        run("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", (id, json.dumps(record)))
        run("COMMIT")
        run("BEGIN IMMEDIATE")
