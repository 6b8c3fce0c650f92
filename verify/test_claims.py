"""The claims as pytest tests, for those who prefer ``pytest --pyargs verify``."""

from __future__ import annotations

from typing import Any

from verify.suite.claims import Claim
from verify.suite.runner import run_claims


def test_claim(claim: Claim, verify_options: dict[str, Any], record_property: Any) -> None:
    """A verdict worse than expected fails; its reason is the message."""
    (record,) = run_claims([claim], **verify_options)
    record_property("verdict", record.finding.verdict)
    record_property("value", record.finding.value)
    assert record.as_expected, f"{record.complaint}: {record.finding.reason}\n{record.error}"
