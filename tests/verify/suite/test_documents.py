"""What the documentation says about verification is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verify.suite.claims import Run, all_claims, get_claim
from verify.suite.expectations import read_expectations
from verify.suite.subject import Theory
from verify.suite.wrong import theory_by_name

PAGE = Path(__file__).parents[3] / "docs" / "verification.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_claim_that_is_written_there_works(own_claims):
    (source,) = blocks("python")
    assert len(source.split("@claim")[1].splitlines()) < 20
    exec(source, {"__name__": "mine"})
    one = get_claim("sk-second-below-first")
    assert one.check(Run(one, Theory())).verdict == "confirmed"
    assert one.check(Run(one, theory_by_name("swapped"))).verdict == "refuted"


def test_the_recorded_verdict_is_read(tmp_path: Path):
    (source,) = blocks("toml")
    path = tmp_path / "expected.toml"
    path.write_text(source)
    assert read_expectations(path, all_claims())["sbp-level-7"].value == 1.600860384


def test_the_differences_are_those_on_record():
    text = PAGE.read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([\d.]+) \|", text, re.MULTILINE))
    differs = {one.id: one.printed for one in all_claims() if one.expected.verdict == "differs"}
    assert told == differs


@pytest.mark.parametrize("tag", ["sbp", "property", "monte-carlo"])
def test_tags_of_the_examples(tag):
    assert any(tag in one.tags for one in all_claims())
