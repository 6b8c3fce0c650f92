"""The file of a sweep: one SQLite database, written point by point.

Everything a finished point has to say goes in with one transaction at ``synchronous=FULL``: once
`SweepStore.add` returns, the point survives a killed process and a power cut. The rollback journal
rather than a write-ahead log keeps that true of the *one* file, which can be copied at any time.

Two things never happen to a file that is already there: it is not opened for writing unless it calls
itself a sweep, and not written to unless it is one with the same settings.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .records import SCHEMA, Settings, Sweep, SweepFailure, SweepRow, point_key
from .workers import Outcome

__all__ = ["SweepFileError", "SweepStore", "check_sweep_file", "read_sweep"]

APPLICATION_ID = 0x57474150
"""What SQLite keeps in the file's header to say whose it is: WGAP in ASCII."""

# A reader may be looking at the file while we want to write.
_PATIENCE = 60.0


class SweepFileError(ValueError):
    """A file cannot take or give this sweep; it is as it was."""


class SweepStore:
    """A sweep's file, open for writing by this process alone; others may read it meanwhile.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Made, with its tables and settings, if it is not there.
    settings : Settings
    resume : bool, default False
        Whether the file may be there already, with the same settings.

    Raises
    ------
    SweepFileError
        If the file exists and ``resume`` is false, is not a sweep, has other settings, is being
        written by another process, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Settings, *, resume: bool = False
    ) -> None:
        check_sweep_file(path, settings, resume=resume)
        self.path = Path(path).resolve()
        self.settings = settings
        if not self.path.exists():
            _create(self.path, settings)
        self._connection = _connect(self.path, timeout=0.0)
        try:
            self._connection.execute("PRAGMA synchronous = FULL")
            # held between the transactions too: two sweeps never write one file
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" in str(error):
                raise SweepFileError(f"another process is writing to {path}") from error
            raise SweepFileError(f"cannot write to {path}: {error}") from error
        self._connection.execute(f"PRAGMA busy_timeout = {1000 * _PATIENCE:.0f}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def stored(self) -> dict[str, set[int]]:
        """Levels that have rows, by the point's parameters as JSON."""
        levels: dict[str, set[int]] = {}
        for key, level in self._connection.execute("SELECT parameters, level FROM solutions"):
            levels.setdefault(key, set()).add(level)
        return levels

    def failed(self) -> set[str]:
        """Parameters, as JSON, of the points that failed."""
        return {key for (key,) in self._connection.execute("SELECT parameters FROM failures")}

    def add(self, outcome: Outcome) -> None:
        """Store what became of a point, for good; levels that have rows keep them.

        Parameters
        ----------
        outcome : Outcome
            An earlier failure of the point is forgotten.

        Raises
        ------
        sqlite3.Error
            If it cannot be written, for example on a full disk. Nothing of it is then stored.
        """
        key = point_key(outcome.parameters)
        names = self.settings.parameters
        point = (key, *(outcome.coordinates[name] for name in names))
        run = self._connection.execute
        if not self._connection.in_transaction:  # an interrupt between two transactions
            run("BEGIN IMMEDIATE")
        try:
            for solution in outcome.solutions:
                values = (*point, *_columns(solution))
                run(f"INSERT OR IGNORE INTO solutions VALUES ({_marks(values)})", values)
            run("DELETE FROM failures WHERE parameters = ?", (key,))
            if outcome.failure is not None:
                failure = outcome.failure
                best = _json(failure.best)
                norm = failure.gradient_norm
                values = (*point, failure.level, failure.kind, failure.message, best, norm)
                run(f"INSERT INTO failures VALUES ({_marks(values)})", values)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        run("BEGIN IMMEDIATE")


def check_sweep_file(
    path: str | os.PathLike[str], settings: Settings, *, resume: bool = False
) -> None:
    """Find out whether a file can take a sweep, without changing anything.

    Parameters
    ----------
    path, settings, resume
        As for `SweepStore`.

    Raises
    ------
    SweepFileError
        If it cannot.
    """
    target = _located(path)
    if not target.exists():
        if not target.parent.is_dir():
            raise SweepFileError(f"the folder {target.parent} does not exist")
        return
    if not target.is_file():
        raise SweepFileError(f"{path} is not a file")
    if not resume:
        raise SweepFileError(f"{path} exists; resume it or choose another name")
    found = _settings(path)
    for name, wanted in settings.to_text().items():
        if found.get(name) != wanted:
            raise SweepFileError(
                f"{path} is a sweep with {name} = {found.get(name, 'nothing')}, and cannot be resumed "
                f"with {name} = {wanted}"
            )


def read_sweep(path: str | os.PathLike[str]) -> Sweep:
    """Read a sweep's file; it may be in the making.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Sweep

    Raises
    ------
    SweepFileError
        If the file is not there, is not a sweep, or is of another version of this program.
    """
    settings = _settings(path)
    if settings.get("schema") != str(SCHEMA):
        raise SweepFileError(
            f"{path} has schema {settings.get('schema', 'nothing')}; this version reads schema {SCHEMA}"
        )
    names = settings["parameters"].split()
    columns = "".join(f", {_quoted(name)}" for name in names)
    order = f"{columns[2:]}{', ' if names else ''}level"
    try:
        connection = _connect(Path(path), timeout=_PATIENCE)
        try:
            with connection:
                connection.execute("BEGIN")  # both tables at one moment
                rows = connection.execute(
                    "SELECT parameters, level, value, error, digits, branch, solution"
                    f"{columns} FROM solutions ORDER BY {order}"
                ).fetchall()
                failures = connection.execute(
                    "SELECT parameters, level, kind, message, best, gradient_norm"
                    f"{columns} FROM failures ORDER BY {order}"
                ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SweepFileError(f"cannot read {path}: {error}") from error

    def named(values: list[float]) -> dict[str, float]:
        return dict(zip(names, values, strict=True))

    return Sweep(
        Settings.from_text(settings),
        tuple(
            SweepRow(
                json.loads(key), named(at), level, value, error, digits, branch, json.loads(whole)
            )
            for key, level, value, error, digits, branch, whole, *at in rows
        ),
        tuple(
            SweepFailure(json.loads(key), named(at), level, kind, message, json.loads(best), norm)
            for key, level, kind, message, best, norm, *at in failures
        ),
    )


def _located(path: str | os.PathLike[str]) -> Path:
    """Where a file is or would be, if such a file can be at all."""
    try:
        target = Path(path).resolve()
        target.exists()
    except (OSError, RuntimeError) as error:  # too long a name, a circle of links
        raise SweepFileError(f"there can be no file {path}: {error}") from error
    return target


def _settings(path: str | os.PathLike[str]) -> dict[str, str]:
    """Settings of a file that is a sweep."""
    target = _located(path)
    if not target.is_file():
        raise SweepFileError(f"{path} {'is not a file' if target.exists() else 'does not exist'}")
    try:
        # a stranger's database stays untouched: merely opening one can fold its write-ahead log in
        connection = _connect(target, options="mode=ro&immutable=1")
        try:
            (identity,) = connection.execute("PRAGMA application_id").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise SweepFileError(f"cannot read {path}: {error}") from error
        identity = None
    if identity != APPLICATION_ID:
        raise SweepFileError(f"{path} is not a sweep made by widegap")
    try:
        connection = _connect(target, timeout=_PATIENCE)
        try:
            return dict(connection.execute("SELECT name, value FROM settings").fetchall())
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SweepFileError(f"cannot read {path}: {error}") from error


def _connect(path: Path, *, options: str = "mode=rw", timeout: float = 0.0) -> sqlite3.Connection:
    # mode rw, not ro, also for reading: what a killed process left half-way has to be rolled back
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?{options}", uri=True, timeout=timeout, isolation_level=None
    )


def _create(path: Path, settings: Settings) -> None:
    """Make the file beside its place, then put it there whole unless another one came first."""
    names = settings.parameters
    taken = {
        "parameters",
        "level",
        "value",
        "error",
        "digits",
        "branch",
        "gradient_norm",
        "inertia",
    }
    taken |= {"seconds", "solution", "kind", "message", "best"}
    if not taken.isdisjoint(names):
        raise ValueError(f"a model's parameter cannot be named {', '.join(taken & set(names))}")
    point = "".join(f"{_quoted(name)} REAL NOT NULL, " for name in names)
    point = f"parameters TEXT NOT NULL, {point}level INTEGER NOT NULL, "
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.executescript(
                f"""
                PRAGMA application_id = {APPLICATION_ID};
                BEGIN;
                CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
                CREATE TABLE solutions (
                    {point}value REAL, error REAL, digits INTEGER, branch TEXT, gradient_norm REAL,
                    inertia INTEGER, seconds REAL, solution TEXT NOT NULL,
                    PRIMARY KEY (parameters, level)
                );
                CREATE TABLE failures (
                    {point}kind TEXT NOT NULL, message TEXT NOT NULL, best TEXT NOT NULL,
                    gradient_norm REAL, PRIMARY KEY (parameters)
                );
                """
            )
            rows = settings.to_text().items()
            connection.executemany("INSERT INTO settings VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        finally:
            connection.close()
        _put(temporary, path)
    except FileExistsError as error:
        raise SweepFileError(f"{path} exists; another process has just made it") from error
    except (OSError, sqlite3.Error) as error:
        raise SweepFileError(f"cannot write {path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        temporary.with_name(f"{temporary.name}-journal").unlink(missing_ok=True)


def _put(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a renaming, never replaces anything
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        os.rename(temporary, path)


def _columns(solution: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        solution["level"],
        float(solution["value"]),
        float(solution["error"]),
        solution["digits"],
        solution["branch"],
        float(solution["gradient_norm"]),
        solution["inertia"],
        solution["statistics"]["seconds"],
        _json(solution),
    )


def _json(content: Any) -> str:
    """JSON of dictionaries, lists, numbers and text; it has no number that is not finite."""
    return json.dumps(_finite(content), allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _marks(values: tuple[Any, ...]) -> str:
    return ", ".join("?" * len(values))
