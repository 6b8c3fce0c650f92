"""The file of a run: finished verdicts, one transaction each, so that a killed run loses none of them.

Verdicts are taken up again only by a run of the same seed and of the same code: a fingerprint of every
module says whether it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numerics.durable import (
    DurableFile,
    Format,
    from_json,
    reading,
    settings_of,
    to_json,
    typed,
)
from verify.errors import JournalError

__all__ = ["Journal", "JournalError", "code_fingerprint"]


# WGVR in ASCII
_FORMAT = Format("the file of a verification", 0x57475652, 1, JournalError)
_TABLES = "CREATE TABLE verdicts (id TEXT PRIMARY KEY, record TEXT NOT NULL);"


def code_fingerprint() -> str:
    """Return a hash of the source of the three layers; verdicts of other code are not comparable."""
    import numerics
    import theory
    import verify

    digest = hashlib.sha256()
    for package in (theory, numerics, verify):
        assert package.__file__ is not None
        folder = Path(package.__file__).parent
        for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.pyi"))):  # stubs name homes
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Journal(DurableFile):
    """The file of a run, open for writing by this process alone.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there, taken up if it is.
    seed : int, optional
        Seed of the run; None takes that of the file, or 0 for a new one.
    settings : mapping of str to str
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
        self, path: str | os.PathLike[str], seed: int | None, settings: Mapping[str, str]
    ) -> None:
        known = {}
        if os.path.exists(path):
            known = settings_of(path, _FORMAT)
            _stored(path)  # what is damaged is refused now, not after the work
        there = known.get("seed", "0")
        if not (there.isascii() and there.isdigit() and len(there) < 40):
            raise JournalError(f"{path} is damaged: seed holds {there[:60]!r}")
        self.seed = int(there) if seed is None else seed
        if known.get("code", code_fingerprint()) != code_fingerprint():
            raise JournalError(f"{path} is the file of other code; begin another one")
        whole = {
            "schema": str(_FORMAT.schema),
            "seed": str(self.seed),
            **settings,
            "code": code_fingerprint(),
        }
        super().__init__(path, _FORMAT, whole, _TABLES, resume=True)

    def stored(self) -> dict[str, dict[str, Any]]:
        """Every stored record by its claim's identifier."""
        rows = self.connection.execute("SELECT id, record FROM verdicts")
        return {id: from_json(record, dict) for id, record in rows}

    def add(self, id: str, record: dict[str, Any]) -> None:
        """Store a record, for good."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO verdicts VALUES (?, ?)", (id, to_json(record))
            )


def _stored(path: str | os.PathLike[str]) -> None:
    """Read every record of a file, and make a finding of it."""
    from .runner import finding_of

    with reading(path, _FORMAT, _TABLES) as connection:
        for row in connection.execute("SELECT id, record FROM verdicts"):
            id, record = typed(("id", "record"), (str, str), row)
            try:
                finding_of(from_json(record, dict))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise ValueError(f"the record of {id[:60]!r}: {error}") from error
