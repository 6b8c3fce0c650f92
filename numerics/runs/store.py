"""The file of a sweep: one SQLite database, written point by point.

`numerics.durable` makes it lose nothing; here are its tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numerics.durable import (
    DurableFile,
    Format,
    check_file,
    from_json,
    marks,
    reading,
    settings_of,
    to_json,
    typed,
)
from numerics.errors import SweepFileError

from .records import (
    SCHEMA,
    Settings,
    Sweep,
    SweepFailure,
    SweepRow,
    level_from,
    level_text,
    point_key,
)
from .workers import Outcome

__all__ = ["SweepFileError", "SweepStore", "check_sweep_file", "read_sweep"]

APPLICATION_ID = 0x57474150
"""What SQLite keeps in the file's header to say whose it is: WGAP in ASCII."""


_FORMAT = Format("a sweep", APPLICATION_ID, SCHEMA, SweepFileError, ("levels",))


class SweepStore(DurableFile):
    """A sweep's file, open for writing by this process alone; others may read it meanwhile.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Made, with its tables and settings, if it is not there.
    settings : Settings
    resume : bool, default False
        Whether the file may be there already, with the same settings; levels that are new are added.

    Raises
    ------
    SweepFileError
        If the file exists and ``resume`` is false, is not a sweep, is damaged, has other settings, is being
        written by another process, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Settings, *, resume: bool = False
    ) -> None:
        check_sweep_file(path, settings, resume=resume)
        if Path(path).exists():
            read_sweep(path)  # what is damaged is refused now, not after the work
        super().__init__(
            path, _FORMAT, settings.to_text(), _tables(settings.parameters), resume=resume
        )
        self.settings = settings

    def stored(self) -> dict[str, set[float]]:
        """Levels that have rows, by the point's parameters as JSON."""
        levels: dict[str, set[float]] = {}
        for key, level in self.connection.execute("SELECT parameters, level FROM solutions"):
            levels.setdefault(key, set()).add(level_from(level))
        return levels

    def failed(self) -> set[str]:
        """Parameters, as JSON, of the points that failed."""
        return {key for (key,) in self.connection.execute("SELECT parameters FROM failures")}

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
        with self.transaction() as connection:
            run = connection.execute
            for solution in outcome.solutions:
                values = (*point, *_columns(solution))
                run(f"INSERT OR IGNORE INTO solutions VALUES ({marks(values)})", values)
            run("DELETE FROM failures WHERE parameters = ?", (key,))
            if outcome.failure is not None:
                failure = outcome.failure
                best = to_json(failure.best)
                norm = failure.gradient_norm
                values = (*point, _level(failure.level), failure.kind, failure.message, best, norm)
                run(f"INSERT INTO failures VALUES ({marks(values)})", values)


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
    check_file(path, _FORMAT, settings.to_text(), resume=resume)


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
        If the file is not there, is not a sweep, is damaged, or is of another version of this program.
    """
    text = settings_of(path, _FORMAT)
    names = text.get("parameters", "").split()
    columns = "".join(f", {_quoted(name)}" for name in names)
    order = f"{columns[2:]}{', ' if names else ''}level"
    with reading(path, _FORMAT, _tables(names)) as connection:
        rows, failures = (
            connection.execute(
                f"SELECT {', '.join(types)}{columns} FROM {table} ORDER BY {order}"
            ).fetchall()
            for table, types in (("solutions", _ROW), ("failures", _FAILURE))
        )

        def read(types: Mapping[str, Any], row: Sequence[Any]) -> dict[str, Any]:
            every = {**types, **dict.fromkeys(names, float)}
            fields = dict(zip(every, typed(tuple(every), tuple(every.values()), row), strict=True))
            point = from_json(fields["parameters"], dict)
            if point.keys() != set(names) or not all(isinstance(x, str) for x in point.values()):
                raise ValueError(f"parameters holds {fields['parameters'][:60]!r}")
            at = {name: fields.pop(name) for name in names}
            level = level_from(fields["level"])
            return {**fields, "parameters": point, "coordinates": at, "level": level}

        return Sweep(
            Settings.from_text(text),
            tuple(
                SweepRow(**{**fields, "solution": from_json(fields["solution"], dict)})
                for fields in (read(_ROW, row) for row in rows)
            ),
            tuple(
                SweepFailure(**{**fields, "best": from_json(fields["best"], dict)})
                for fields in (read(_FAILURE, row) for row in failures)
            ),
        )


# Columns of the two tables, as far as they are read, and what they hold.
_ROW = {
    "parameters": str,
    "level": int | str,
    "value": float,
    "error": float,
    "digits": int,
    "branch": str,
    "solution": str,
}
_FAILURE = {
    "parameters": str,
    "level": int | str,
    "kind": str,
    "message": str,
    "best": str,
    "gradient_norm": float | None,
}


def _tables(names: Sequence[str]) -> str:
    """Write the SQL of the tables for points with these parameters."""
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
        raise SweepFileError(f"a model's parameter cannot be named {', '.join(taken & set(names))}")
    point = "".join(f"{_quoted(name)} REAL NOT NULL, " for name in names)
    point = f"parameters TEXT NOT NULL, {point}level INTEGER NOT NULL, "
    return f"""
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


def _level(level: float) -> int | str:
    """A level as the tables hold it; the limit is text, which SQLite sorts after all numbers."""
    text = level_text(level)
    return int(text) if text.isdigit() else text


def _columns(solution: Mapping[str, Any]) -> tuple[Any, ...]:
    limit = solution["level"] == "inf"
    return (
        solution["level"],
        float(solution["value"]),
        float(solution["error"]),
        solution["digits"],
        "limit" if limit else solution["branch"],
        None if limit else float(solution["gradient_norm"]),
        None if limit else solution["inertia"],
        None if limit else solution["statistics"]["seconds"],
        to_json(solution),
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
