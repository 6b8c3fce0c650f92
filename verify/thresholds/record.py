"""The table of record: thresholds and ground states with their digits, proofs, and what others printed.

`computed` makes it, case by case, on any executor and into a file that resumes; `write` puts it into a folder
as JSON, CSV and one certificate for each proved row; `read` reads the one that is shipped with the package.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from numerics.results import Result, stated
from numerics.runs.workers import installed_version
from verify.cases import Case, Outcome, run_cases

__all__ = ["CASES", "Record", "chosen", "computed", "read", "record_case", "table_files"]

SUBJECT = "table of record"
MANY, FEW = 30, 15
"""Digits of a row, where they are cheap, and where they are not."""


def _cases() -> Iterator[Case]:
    """The margins, densities and levels that the literature uses."""

    def rows(
        model: str, places: Sequence[str], levels: Sequence[int], digits: int
    ) -> Iterator[Case]:
        for place in places:
            for level in levels:
                yield {"model": model, "parameters": place, "level": str(level), "digits": digits}

    def limits(model: str, places: Sequence[str], highest: int) -> Iterator[Case]:
        for place in places:
            yield {"model": model, "parameters": place, "level": "inf", "digits": highest}

    margins = ("1/4", "1/2", "3/4", "1", "5/4", "3/2", "7/4", "2", "5/2", "3")
    yield from rows("sbp", [f"kappa={x}" for x in margins], (2, 3, 4, 5), MANY)
    yield from rows("sbp", ["kappa=1"], (6, 7), MANY)
    yield from limits("sbp", [f"kappa={x}" for x in ("1/2", "1", "3/2", "2", "3")], 20)
    yield from rows("abp", [f"kappa={x}" for x in ("-1", "-1/2", "0", "1/2", "1")], (2, 3, 4), MANY)
    yield from rows("abp", ["kappa=0"], (5,), FEW)
    yield from limits("abp", ["kappa=0"], 17)
    yield from rows("spherical", ["kappa=0", "kappa=1"], (1,), MANY)
    yield from rows("spherical", [f"kappa={x}" for x in ("-1/2", "-1", "-2")], (1, 2, 3), MANY)
    yield from rows("zero-one", ["kappa=0", "kappa=1"], (2, 3), MANY)
    for name, highest in (("hopfield", 14), ("negative-hopfield", 20)):
        yield from rows(name, ["alpha=1/2", "alpha=1", "alpha=2"], (1, 2, 3), MANY)
        yield from rows(name, ["alpha=1"], (4, 5, 6), FEW)
        yield from limits(name, ["alpha=1"], highest)
    yield from rows("sk", [""], (1, 2, 3, 4), MANY)
    yield from rows("sk", [""], (5, 6), FEW)
    yield from limits("sk", [""], 20)


CASES = tuple(_cases())
"""Every row of the table."""

_PRINTED = {
    ("sbp", "kappa=1", "2"): "sbp-level-2",
    ("sbp", "kappa=1", "7"): "sbp-level-7",
    ("sbp", "kappa=1", "inf"): "sbp-limit",
    ("abp", "kappa=0", "2"): "abp-level-2",
    ("abp", "kappa=0", "5"): "abp-level-5",
    ("abp", "kappa=0", "inf"): "abp-local-entropy",
    ("spherical", "kappa=0", "1"): "spherical-cover",
    ("hopfield", "alpha=1", "6"): "hopfield-level-6",
    ("negative-hopfield", "alpha=1", "6"): "negative-hopfield-level-6",
    ("sk", "", "inf"): "sk-limit-digits",
}
"""The claims that a row was printed somewhere."""


@dataclass(frozen=True)
class Record(Result):
    """The table.

    Attributes
    ----------
    version, date, command : str
        What computed it, when, and with which line.
    entries : tuple of dict
        A row each: "model", "parameters", "level", the "symbol" of what "value" is (a text with all its
        digits), the "error" of that text, "how" it is known (proved, and as what; settled in balls;
        extrapolated; or not reached, and why), the name of the "certificate" or an empty text, and what was
        "printed" in which "source".
    """

    version: str
    date: str
    command: str
    entries: tuple[dict[str, str], ...]

    def rows(self) -> list[dict[str, Any]]:
        """A threshold or an energy a row."""
        shown = ("model", "parameters", "level", "value", "error", "how", "printed")
        return [{name: entry[name] for name in shown} for entry in self.entries]

    def of(self, model: str | None = None, level: str | None = None) -> Record:
        """The rows of a model or a level.

        Raises
        ------
        ValueError
            If there are none.
        """
        entries = tuple(
            entry
            for entry in self.entries
            if model in (None, entry["model"]) and level in (None, entry["level"])
        )
        if not entries:
            raise ValueError(_missing(model, level))
        return Record(self.version, self.date, self.command, entries)

    def to_csv(self) -> str:
        """All columns, a row a line."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.entries)
        return text.getvalue()


def chosen(model: str | None = None, level: str | None = None) -> tuple[Case, ...]:
    """The cases of a model or a level.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = tuple(
        case for case in CASES if model in (None, case["model"]) and level in (None, case["level"])
    )
    if not found:
        raise ValueError(_missing(model, level))
    return found


def _missing(model: str | None, level: str | None) -> str:
    asked = " ".join(filter(None, (model, level and f"level {level}")))
    return f"the table of record has no row of {asked}"


def record_case(case: dict[str, Any], seed: int) -> Outcome:
    """Compute a row.

    Returns
    -------
    dict
        "symbol", "value", "error" and "how" as text, and the "certificate" as JSON or None. A value that
        is not reached is an empty text, and "how" says why.
    """
    del seed  # nothing is random
    from numerics import ConvergenceError, ResolutionError, limit, solve
    from theory import model_named

    model = model_named(
        case["model"], dict([case["parameters"].split("=")] if case["parameters"] else [])
    )
    empty = {"symbol": "alpha" if model.problem == "capacity" else "xi", "certificate": None}
    try:
        if case["level"] == "inf":
            found = limit(model, highest=case["digits"])
            how = "extrapolated" if len(found.levels) > 1 else "all levels are equal"
            value, off = found.stated()
            return empty | {"value": value, "error": off, "how": how}
        solution = solve(model, level=int(case["level"]), digits=case["digits"])
    except (ConvergenceError, ResolutionError) as error:
        return empty | {"value": "", "error": "", "how": f"not reached: {error}"}
    certificate, how = _proved(solution)
    value, off = stated(solution.value, solution.error, solution.digits)
    return empty | {"value": value, "error": off, "how": how, "certificate": certificate}


def _proved(solution: Any) -> tuple[str | None, str]:
    """A certificate where something can be proved, and how the value is known."""
    from numerics import CertificationError, certify

    try:
        made = certify(solution, digits=min(solution.digits, MANY))
    except CertificationError:
        return None, "settled"
    return made.to_json(), f"proved {made.kind}"


def computed(
    cases: Sequence[Case] = CASES,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> tuple[Record, dict[str, str]]:
    """Compute the table.

    Parameters
    ----------
    cases : sequence of mapping
        Some of `CASES`.
    out, resume, executor, workers, progress
        As of `verify.cases.run_cases`.

    Returns
    -------
    Record
    dict of str to str
        Certificates by name.

    Raises
    ------
    CasesFileError
        If ``out`` cannot take it.
    """
    from datetime import UTC, datetime

    from verify.suite.claims import get_claim

    done = run_cases(
        SUBJECT, record_case, cases, out=out, resume=resume, executor=executor, workers=workers,
        progress=progress,
    )  # fmt: skip
    entries, certificates = [], {}
    for case, outcome in done:
        place = (case["model"], case["parameters"], case["level"])
        name = ""
        if outcome["certificate"]:
            name = "-".join(filter(None, (*place[:2], f"level={place[2]}"))) + ".json"
            name = name.replace("/", "_")
            certificates[name] = outcome["certificate"]
        claim = get_claim(_PRINTED[place]) if place in _PRINTED else None
        entry = dict(zip(("model", "parameters", "level"), place, strict=True))
        entry |= {key: outcome[key] for key in ("symbol", "value", "error", "how")}
        entry |= {"certificate": name, "printed": (claim and claim.printed) or ""}
        entries.append(entry | {"source": claim.source if claim else ""})
    date = datetime.now(UTC).date().isoformat()
    return Record(
        installed_version(), date, "widegap table --out FOLDER", tuple(entries)
    ), certificates


def table_files(record: Record, certificates: dict[str, str]) -> dict[str, str]:
    """What is in a table's folder: text by the names of files."""
    made = {
        "record.json": json.dumps(record.to_dict(), indent=1) + "\n",
        "record.csv": record.to_csv(),
    }
    return made | {f"certificates/{name}": text for name, text in certificates.items()}


def read() -> Record:
    """Return the table that is shipped with the package."""
    text = files("verify.thresholds").joinpath("data", "record.json").read_text("utf-8")
    return Record.from_dict(json.loads(text))
