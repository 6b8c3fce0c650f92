"""Reports of a run: JSON for programs, JUnit XML for continuous integration."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from verify.suite.claims import Profile, false_alarm_bound
from verify.suite.runner import Record
from verify.suite.verdicts import VERDICTS, plain

__all__ = ["Summary", "to_json", "to_junit"]


@dataclass(frozen=True)
class Summary:
    """A whole run.

    Attributes
    ----------
    records : sequence of Record
        In the order in which they are to be shown.
    seed : int
    profile : {"quick", "ci", "full"}
    theory : str
        Name of the deliberately wrong theory that was put to the test; empty for the theory itself.
    seconds : float
        Wall time of the run.
    complete : bool
        Whether every claim that was asked for has its record.
    """

    records: Sequence[Record]
    seed: int
    profile: Profile
    theory: str = ""
    seconds: float = 0.0
    complete: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """Number of claims by verdict, every verdict named."""
        verdicts = [record.finding.verdict for record in self.records]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}

    @property
    def worse(self) -> list[Record]:
        """Records whose verdict is worse than expected."""
        return [record for record in self.records if not record.as_expected]

    @property
    def false_alarm(self) -> float:
        """Bound on the probability that any of these claims, all true, was rejected."""
        return false_alarm_bound(record.claim for record in self.records)

    @property
    def passed(self) -> bool:
        """Whether the run is complete and nothing is worse than expected."""
        return self.complete and not self.worse

    @property
    def version(self) -> str:
        """Version of widegap, as installed."""
        return importlib.metadata.version("widegap")

    def sentence(self) -> str:
        """Say in one line what came out."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items() if count)
        worse = len(self.worse)
        end = "all as expected" if not worse else f"{worse} worse than expected"
        if not self.complete:
            end += ", not complete"
        return f"{len(self.records)} claims: {counts or 'none'}; {end}"


def to_json(summary: Summary) -> str:
    """Write a run as JSON.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    str
        A top-level list ``claims``, each with ``id``, ``statement``, ``verdict``, ``value``, ``printed``,
        ``evidence`` and more; numbers that are not finite are null.
    """
    content = {
        "widegap": summary.version,
        "theory": summary.theory or "widegap",
        "seed": summary.seed,
        "profile": summary.profile,
        "seconds": summary.seconds,
        "complete": summary.complete,
        "passed": summary.passed,
        "false_alarm_bound": summary.false_alarm,
        "counts": summary.counts,
        "claims": [_entry(record) for record in summary.records],
    }
    return json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _entry(record: Record) -> dict[str, Any]:
    claim, finding = record.claim, record.finding
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "printed": claim.printed,
        "tags": claim.tags,
        "profile": claim.profile,
        "verdict": finding.verdict,
        "value": finding.value,
        "reason": finding.reason,
        "expected": record.expected.verdict,
        "expected_reason": record.expected.reason,
        "as_expected": record.as_expected,
        "complaint": record.complaint,
        "evidence": finding.evidence,
        "tests": [asdict(design) for design in claim.designs],
        "rejects": claim.wrong,
        "plots": [asdict(plot) for plot in finding.plots],
        "seconds": record.seconds,
        "earlier": record.earlier,
        "error": record.error,
    }


def to_junit(summary: Summary) -> str:
    """Write a run as JUnit XML, a test case for each claim.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    str
        A verdict worse than expected is a failure, a check that broke down an error; other verdicts
        pass, with their evidence as output.
    """
    from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

    suites = JUnitXml("widegap verify")
    by_group: dict[str, list[Record]] = {}
    for record in summary.records:
        by_group.setdefault(record.claim.tags[0] if record.claim.tags else "claims", []).append(
            record
        )
    for name, records in by_group.items():
        suite = TestSuite(_legal(name))
        suite.add_property("seed", str(summary.seed))
        suite.add_property("profile", summary.profile)
        for record in records:
            case = TestCase(
                _legal(record.claim.id), f"verify.{_legal(name)}", round(record.seconds, 3)
            )
            message = _legal(record.complaint or record.finding.reason)
            if record.error and not record.as_expected:
                case.result = [Error(message, "undecided")]
                case.result[0].text = _legal(record.error)
            elif not record.as_expected:
                case.result = [Failure(message, record.finding.verdict)]
                case.result[0].text = _legal(f"{record.claim.statement}\n{record.finding.reason}")
            case.system_out = _legal(_details(record))
            suite.add_testcase(case)
        suites.add_testsuite(suite)
    suites.update_statistics()
    return suites.tostring().decode("utf-8")


def _details(record: Record) -> str:
    lines = [
        record.claim.statement,
        f"source: {record.claim.source}",
        f"verdict: {record.finding.verdict} (expected: {record.expected.verdict})",
        record.finding.reason,
    ]
    if record.expected.reason:
        lines.append(f"on record: {record.expected.reason}")
    lines.append(json.dumps(record.finding.evidence, indent=1))
    return "\n".join(lines)


def _legal(text: str) -> str:
    """Text without the characters that XML 1.0 does not have."""
    return "".join(
        c for c in text if c in "\t\n\r" or 0x20 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE
    )
