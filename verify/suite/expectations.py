"""Recorded verdicts: a file that says what is expected of each claim, and why.

TOML, one table for each claim::

    [sbp-level-7]
    verdict = "differs"
    value = 1.6008603840
    reason = "Ours is lower: ..."
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from verify.errors import ExpectationError

from .verdicts import VERDICTS, Expected

if TYPE_CHECKING:
    from .claims import Claim
    from .runner import Record

__all__ = ["ExpectationError", "expectations_toml", "read_expectations"]

_KEYS = {"verdict", "reason", "value", "tolerance"}
_LARGEST = 10_000_000  # bytes


def read_expectations(path: str | os.PathLike[str], claims: Iterable[Claim]) -> dict[str, Expected]:
    """Read recorded verdicts.

    Parameters
    ----------
    path : str or os.PathLike
    claims : iterable of Claim
        Every claim there is.

    Returns
    -------
    dict of str to Expected
        By identifier. Claims that the file does not name keep their own.

    Raises
    ------
    ExpectationError
        If the file cannot be read, or names a claim, a verdict or a key that there is not, or a verdict other
        than ``confirmed`` without a reason.
    """
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ExpectationError(f"cannot read {path}: {error.strerror}") from error
    try:
        if len(text) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
        content = tomllib.loads(text.decode("utf-8"))
    except RecursionError:
        raise ExpectationError(
            f"{path} is not a file of recorded verdicts: it is nested too deeply"
        ) from None
    except ValueError as error:
        raise ExpectationError(f"{path} is not a file of recorded verdicts: {error}") from error
    known = {claim.id for claim in claims}
    expected = {}
    for id, entry in content.items():
        if id not in known:
            raise ExpectationError(f"{path} names {id!r}, which is no claim")
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            raise ExpectationError(
                f"{path}: {id} may have {', '.join(sorted(_KEYS))} and nothing else"
            )
        if entry.get("verdict") not in VERDICTS:
            raise ExpectationError(
                f"{path}: the verdict of {id} is one of {', '.join(VERDICTS)}, got {entry.get('verdict')!r}"
            )
        for key in ("value", "tolerance"):
            number = entry.get(key, 0.0)
            if isinstance(number, bool) or not isinstance(number, float | int):
                raise ExpectationError(f"{path}: the {key} of {id} is a number, got {number!r}")
            if not abs(number) < 1e300:
                raise ExpectationError(f"{path}: the {key} of {id} is not finite")
        if not isinstance(entry.get("reason", ""), str):
            raise ExpectationError(f"{path}: the reason of {id} is text, got {entry['reason']!r}")
        try:
            expected[id] = Expected(**entry)
        except (TypeError, ValueError) as error:
            raise ExpectationError(f"{path}: {id}: {error}") from error
    return expected


def expectations_toml(records: Iterable[Record]) -> str:
    """Write what was found as recorded verdicts, with the findings' own reasons, to be edited.

    Parameters
    ----------
    records : iterable of Record

    Returns
    -------
    str
        TOML that `read_expectations` takes.
    """
    parts = []
    for record in sorted(records, key=lambda one: one.claim.id):
        finding = record.finding
        lines = [f"[{record.claim.id}]", f"verdict = {json.dumps(finding.verdict)}"]
        if finding.verdict != "confirmed":
            reason = record.expected.reason or finding.reason
            lines.append(f"reason = {_basic_string(reason)}")
            if finding.value is not None:
                lines.append(f"value = {finding.value!r}")
                lines.append(f"tolerance = {record.expected.tolerance!r}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _basic_string(text: str) -> str:
    """Text as TOML quotes it: like JSON, and without halves of characters."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
