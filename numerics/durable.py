"""One SQLite file that takes results as they arrive and loses none: what sweeps and experiments share.

Everything one transaction holds survives a killed process and a power cut (``synchronous=FULL``). The
rollback journal rather than a write-ahead log keeps that true of the *one* file, which can be copied
at any time.

Two things never happen to a file that is already there: it is not opened for writing unless it calls
itself one of its kind, and not written to unless it is one with the same settings. Nor is it believed: its
tables have to be those that this program makes, and whoever reads a row says what each column has to hold.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, Self

__all__ = [
    "DurableFile",
    "Format",
    "check_file",
    "from_json",
    "marks",
    "reading",
    "settings_of",
    "to_json",
    "typed",
]

# A reader may be looking at the file while we want to write.
_PATIENCE = 60.0
_SETTINGS = "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);"


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    noun : str
        What such a file is called in messages, with its article: "a sweep".
    application_id : int
        What SQLite keeps in the file's header to say whose it is.
    schema : int
        Version of its tables; goes up when they change.
    error : type of ValueError
        Raised where a file cannot take or give what is asked for.
    lists : tuple of str
        Settings that are lists of numbers, to which a resumed file adds what is new.
    """

    noun: str
    application_id: int
    schema: int
    error: type[ValueError]
    lists: tuple[str, ...] = ()


class DurableFile:
    """A file open for writing by this process alone; others may read it meanwhile.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Made, with its tables and settings, if it is not there.
    kind : Format
    settings : mapping of str to str
        What all its content has in common.
    tables : str
        The SQL that makes its tables, besides ``settings``.
    resume : bool, default False
        Whether the file may be there already, with the same settings.

    Raises
    ------
    ValueError
        The format's error: if the file exists and ``resume`` is false, is of another kind, has other
        settings, is being written by another process, or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        kind: Format,
        settings: Mapping[str, str],
        tables: str,
        *,
        resume: bool = False,
    ) -> None:
        check_file(path, kind, settings, resume=resume)
        self.path = Path(path).resolve()
        if not self.path.exists():
            _create(self.path, kind, settings, tables)
        self.connection = _connect(self.path, timeout=0.0)
        try:
            self.connection.execute("PRAGMA synchronous = FULL")
            # held between the transactions too: two processes never write one file
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute(f"PRAGMA busy_timeout = {1000 * _PATIENCE:.0f}")
            for name in kind.lists:
                self._extend(name, settings[name])
        except sqlite3.OperationalError as error:
            self.connection.close()
            if "locked" in str(error):
                raise kind.error(f"another process is writing to {path}") from error
            raise kind.error(f"cannot write to {path}: {error}") from error
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def _extend(self, name: str, wanted: str) -> None:
        query = "SELECT value FROM settings WHERE name = ?"
        (there,) = self.connection.execute(query, (name,)).fetchone()
        every = set(there.split()) | set(wanted.split())
        if every != set(there.split()):
            value = " ".join(sorted(every, key=float))
            with self.transaction() as connection:
                connection.execute("UPDATE settings SET value = ? WHERE name = ?", (value, name))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything done with the connection is stored for good at the end, or nothing of it."""
        run = self.connection.execute
        if not self.connection.in_transaction:  # an interrupt between two transactions
            run("BEGIN IMMEDIATE")
        try:
            yield self.connection
            run("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                run("ROLLBACK")
            raise
        run("BEGIN IMMEDIATE")


def check_file(
    path: str | os.PathLike[str], kind: Format, settings: Mapping[str, str], *, resume: bool = False
) -> None:
    """Find out whether a file can take results, without changing anything.

    Parameters
    ----------
    path, kind, settings, resume
        As for `DurableFile`.

    Raises
    ------
    ValueError
        The format's error, if it cannot.
    """
    target = _located(path, kind)
    if not target.exists():
        if not target.parent.is_dir():
            raise kind.error(f"the folder {target.parent} does not exist")
        return
    if not target.is_file():
        raise kind.error(f"{os.fspath(path) or 'an empty name'} is not a file")
    if not resume:
        raise kind.error(f"{path} exists; resume it or choose another name")
    kept = settings_of(path, kind)
    for name, wanted in settings.items():
        if kept.get(name) != wanted and name not in kind.lists:
            raise kind.error(
                f"{path} is {kind.noun} with {name} = {kept.get(name, 'nothing')}, and cannot be resumed "
                f"with {name} = {wanted}"
            )


def settings_of(path: str | os.PathLike[str], kind: Format) -> dict[str, str]:
    """Settings of a file, whatever its schema.

    Raises
    ------
    ValueError
        The format's error, if there is no such file.
    """
    target = _located(path, kind)
    if not target.is_file():
        raise kind.error(f"{path} {'is not a file' if target.exists() else 'does not exist'}")
    try:
        # a stranger's database stays untouched: merely opening one can fold its write-ahead log in
        connection = _connect(target, options="mode=ro&immutable=1")
        try:
            (identity,) = connection.execute("PRAGMA application_id").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise kind.error(f"cannot read {path}: {error}") from error
        identity = None
    if identity != kind.application_id:
        raise kind.error(f"{path} is not {kind.noun} made by widegap")
    with _opened(target, path, kind, _SETTINGS) as connection:
        rows = connection.execute("SELECT name, value FROM settings").fetchall()
        return dict(typed(("name", "value"), (str, str), row) for row in rows)


@contextmanager
def reading(
    path: str | os.PathLike[str], kind: Format, tables: str
) -> Iterator[sqlite3.Connection]:
    """Read a file at one moment; it may be in the making.

    Parameters
    ----------
    path, kind, tables
        As for `DurableFile`.

    Yields
    ------
    sqlite3.Connection
        What is made of the rows is made inside: an error there says that the file is damaged.

    Raises
    ------
    ValueError
        The format's error, if the file is not there, is of another kind or schema, unreadable or damaged.
    """
    settings = settings_of(path, kind)
    if settings.get("schema") != str(kind.schema):
        raise kind.error(
            f"{path} has schema {settings.get('schema', 'nothing')}; this version reads schema {kind.schema}"
        )
    with _opened(Path(path), path, kind, _SETTINGS + tables) as connection, connection:
        connection.execute("BEGIN")
        (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise ValueError(state)
        yield connection


@contextmanager
def _opened(
    target: Path, path: str | os.PathLike[str], kind: Format, tables: str
) -> Iterator[sqlite3.Connection]:
    """A connection to a file that has these tables."""
    try:
        connection = _connect(target, timeout=_PATIENCE)
        try:
            # a view in the place of a table is a program, which may run for ever
            query = "SELECT name, type || ' ' || sql FROM sqlite_master"
            there = {name: _words(sql) for name, sql in connection.execute(query)}
            for name, sql in _schema(tables).items():
                if there.get(name) != sql:
                    raise ValueError(f"its table {name} is not as this program makes it")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise kind.error(f"cannot read {path}: {error}") from error
    except (
        ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
    ) as error:  # fmt: skip
        text = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise kind.error(f"{path} is damaged: {text}") from error


@lru_cache(maxsize=64)
def _schema(tables: str) -> dict[str, str]:
    """Names of tables, and how SQLite keeps what made them."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(tables)
        query = "SELECT name, type || ' ' || sql FROM sqlite_master WHERE sql NOT NULL"
        return {name: _words(sql) for name, sql in connection.execute(query)}
    finally:
        connection.close()


def _words(sql: Any) -> str:
    return " ".join(str(sql).split())


def typed(
    names: Sequence[str], types: Sequence[type | UnionType], row: Sequence[Any]
) -> tuple[Any, ...]:
    """Return a row whose columns hold what they should: SQLite itself takes anything anywhere.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    types : sequence of type
        Of each column; numbers have to be finite.
    row : sequence

    Raises
    ------
    ValueError
        Naming the column.
    """
    for name, kind, value in zip(names, types, row, strict=True):
        if not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{name} holds {repr(value)[:60]}")
    return tuple(row)


def to_json(content: Any) -> str:
    """JSON of dictionaries, lists, numbers and text; it has no number that is not finite."""
    return json.dumps(_finite(content), allow_nan=False)


def from_json(text: str, kind: type) -> Any:
    """Read JSON text whose outermost value is of a type.

    Raises
    ------
    ValueError
        If it is not.
    """

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        content = json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no JSON: {error}") from None
    if not isinstance(content, kind):
        raise ValueError(f"{text[:40]!r} is no JSON {kind.__name__}")
    return content


def marks(values: tuple[Any, ...]) -> str:
    """Placeholders of an SQL statement, as many as values."""
    return ", ".join("?" * len(values))


def _located(path: str | os.PathLike[str], kind: Format) -> Path:
    """Where a file is or would be, if such a file can be at all."""
    try:
        target = Path(path).resolve()
        target.stat() if target.is_symlink() else target.exists()  # Python 3.13 resolves circles
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, a circle of links
        raise kind.error(f"there can be no file {path}: {error}") from error
    return target


def _connect(path: Path, *, options: str = "mode=rw", timeout: float = 0.0) -> sqlite3.Connection:
    # mode rw, not ro, also for reading: what a killed process left half-way has to be rolled back
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?{options}", uri=True, timeout=timeout, isolation_level=None
    )


def _create(path: Path, kind: Format, settings: Mapping[str, str], tables: str) -> None:
    """Make the file beside its place, then put it there whole unless another one came first."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.executescript(
                f"""
                PRAGMA application_id = {kind.application_id};
                BEGIN;
                {_SETTINGS}
                {tables}
                """
            )
            connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
            connection.execute("COMMIT")
        finally:
            connection.close()
        _put(temporary, path)
    except FileExistsError as error:
        raise kind.error(f"{path} exists; another process has just made it") from error
    except (OSError, sqlite3.Error) as error:
        raise kind.error(f"cannot write {path}: {error}") from error
    finally:
        for left in (temporary, temporary.with_name(f"{temporary.name}-journal")):
            with suppress(OSError):  # a read-only file system minds even what is not there
                left.unlink()


def _put(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # unlike a renaming, never replaces anything
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        os.rename(temporary, path)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
