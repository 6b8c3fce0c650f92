"""Running claims: order, processes, breakdowns, and a file that loses nothing."""

from __future__ import annotations

import sqlite3
import sys
import textwrap
from pathlib import Path

import pytest

from verify.suite import runner
from verify.suite.claims import all_claims, select
from verify.suite.expectations import ExpectationError, expectations_toml, read_expectations
from verify.suite.journal import Journal, JournalError
from verify.suite.runner import run_claims
from verify.suite.verdicts import Expected, Finding


def results(claims, **options) -> dict[str, object]:
    return {r.claim.id: (r.finding.verdict, r.finding.value) for r in run_claims(claims, **options)}


def test_selection_does_not_change_results(made_claim):
    claims = [made_claim(id) for id in ("a", "b", "c")]
    whole = results(claims, seed=3)
    assert results(claims[1:2], seed=3) == {"b": whole["b"]}
    assert results(claims[::-1], seed=3) == whole
    assert results(claims, seed=4) != whole


def test_groups_stay_together(made_claim):
    claims = [made_claim("a", group="x"), made_claim("b", group="y"), made_claim("c", group="x")]
    assert [record.claim.id for record in run_claims(claims)] == ["a", "c", "b"]


def test_a_check_that_breaks_down_leaves_its_claim_undecided(made_claim):
    def broken(run):
        raise ZeroDivisionError("first line\nsecond line")

    claims = [made_claim("broken", broken), made_claim("fine")]
    first, second = run_claims(claims)
    assert first.finding.verdict == "undecided"
    assert first.finding.reason.endswith("ZeroDivisionError: first line second line")
    assert "Traceback" in first.error
    assert first.complaint == "undecided where confirmed was expected"
    assert second.as_expected


def test_progress_is_told(made_claim):
    def slow(run):
        run.progress(0.5, "half")
        return Finding("confirmed", "")

    told: list[tuple[str, float, str]] = []
    list(run_claims([made_claim("a", slow)], progress=lambda *one: told.append(one)))
    assert told == [("a", 0.0, ""), ("a", 0.5, "half")]


def test_recorded_expectations_take_the_place_of_the_claims(made_claim):
    (record,) = run_claims([made_claim("a")], expected={"a": Expected("differs", "so")})
    assert record.expected.reason == "so"


# -- the file --------------------------------------------------------------------------------------


def test_finished_verdicts_are_not_checked_again(made_claim, tmp_path: Path):
    path = tmp_path / "run.sqlite"
    calls = []

    def counted(run):
        calls.append(run.claim.id)
        if run.claim.id == "b" and len(calls) < 3:
            raise KeyboardInterrupt
        return Finding("confirmed", "", 1.0)

    claims = [made_claim(id, counted) for id in ("a", "b")]
    with Journal(path, 7, {}) as journal, pytest.raises(KeyboardInterrupt):
        list(run_claims(claims, seed=7, journal=journal))
    with Journal(path, None, {}) as journal:
        assert journal.seed == 7
        first, second = run_claims(claims, seed=7, journal=journal)
    assert calls == ["a", "b", "b"]
    assert first.earlier
    assert not second.earlier


def test_everything_comes_back_from_the_file(records, tmp_path: Path):
    with Journal(tmp_path / "run.sqlite", 0, {}) as journal:
        for record in records:
            journal.add(record.claim.id, record.stored())
        claims = [record.claim for record in records]
        expected = {record.claim.id: record.expected for record in records}
        back = list(run_claims(claims, journal=journal, expected=expected))
    for one, two in zip(records, back, strict=True):
        assert two.finding.verdict == one.finding.verdict
        assert two.finding.plots == one.finding.plots
        assert two.complaint == one.complaint
        assert two.error == one.error


@pytest.mark.parametrize(
    ("seed", "settings", "message"),
    [
        (8, {"profile": "quick"}, "with seed = 7, and cannot be resumed with seed = 8"),
        (7, {"profile": "ci"}, "with profile = quick"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, seed, settings, message):
    path = tmp_path / "run.sqlite"
    with Journal(path, 7, {"profile": "quick"}):
        pass
    before = path.read_bytes()
    with pytest.raises(JournalError, match=message) as caught:
        Journal(path, seed, settings)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from verify.suite import journal

    path = tmp_path / "run.sqlite"
    with Journal(path, 7, {}):
        pass
    monkeypatch.setattr(journal, "code_fingerprint", lambda: "other")
    with pytest.raises(JournalError, match="the file of other code; begin another one"):
        Journal(path, 7, {})


def test_strange_files_are_left_alone(tmp_path: Path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and long enough to look like something\n" * 40)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path in (text, other, tmp_path, tmp_path / "no" / "run.sqlite"):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(JournalError):
            Journal(path, 0, {})
        assert (path.read_bytes() if path.is_file() else None) == before


def test_two_runs_never_write_one_file(tmp_path: Path):
    with (
        Journal(tmp_path / "run.sqlite", 0, {}),
        pytest.raises(JournalError, match="another process"),
    ):
        Journal(tmp_path / "run.sqlite", 0, {})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE verdicts SET record = 'x'", "no JSON"),
        ("UPDATE verdicts SET record = '{}'", "the record of 'a': 'verdict'"),
        ("UPDATE verdicts SET record = x'00'", "record holds b"),
        (
            "UPDATE verdicts SET record = replace(record, 'confirmed', 'proved')",
            "a verdict is one of",
        ),
        (
            'UPDATE verdicts SET record = replace(record, \'"value": 1.0\', \'"value": "1"\')',
            "a value is",
        ),
        (
            "UPDATE verdicts SET record = replace(record, '\"plots\": []', '\"plots\": [1]')",
            "the record of",
        ),
        ("UPDATE settings SET value = 'x' WHERE name = 'seed'", "seed holds 'x'"),
        ("DROP TABLE verdicts", "its table verdicts"),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(made_claim, tmp_path: Path, damage, says):
    path = tmp_path / "run.sqlite"
    with Journal(path, 7, {}) as journal:
        list(
            run_claims(
                [made_claim("a", lambda run: Finding("confirmed", "", 1.0))], journal=journal
            )
        )
    with sqlite3.connect(path) as connection:
        connection.executescript(damage)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=says):
        Journal(path, None, {})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "finding",
    [
        None,
        "confirmed",
        Finding("proved", ""),  # type: ignore[arg-type]
        Finding("confirmed", "", "1.5"),  # type: ignore[arg-type]
        Finding("confirmed", "", 10**400),
        Finding("confirmed", 7),  # type: ignore[arg-type]
        Finding("confirmed", "", 1.0, [1]),  # type: ignore[arg-type]
        Finding("confirmed", "", 1.0, {}, (1,)),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_finding_leaves_its_claim_undecided(made_claim, finding):
    first, second = run_claims([made_claim("a", lambda run: finding), made_claim("b")])
    assert first.finding.verdict == "undecided"
    assert first.finding.reason.startswith("The check broke down: ")
    assert second.finding.verdict == "confirmed"


def test_evidence_without_end_leaves_its_claim_undecided(made_claim):
    endless: dict = {}
    endless["again"] = endless
    (record,) = run_claims([made_claim("a", lambda run: Finding("confirmed", "", 1.0, endless))])
    assert record.finding.verdict == "undecided"


# -- processes -------------------------------------------------------------------------------------


@pytest.fixture
def users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Claims in a module of a user, which other processes import by its name."""
    source = """
        import os
        from verify import Finding, claim

        for name in ("a", "b", "c", "d"):
            @claim(f"users-{name}", f"Claim {name}.", source="me", tags=("users",), group=name)
            def check(run):
                if run.claim.id == "users-c":
                    os._exit(3)
                return Finding("confirmed", "", float(run.stream().normal()), {"pid": os.getpid()})
        """
    (tmp_path / "users_claims.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    yield "users_claims"
    sys.modules.pop("users_claims", None)
    from verify.suite import claims as registry

    for id in [id for id in registry._CLAIMS if id.startswith("users-")]:
        del registry._CLAIMS[id]


def test_other_processes_find_the_same_and_survive_a_death(users_module):
    claims = select(all_claims([users_module]), only=["users"])
    assert len(claims) == 4
    found = {record.claim.id: record for record in run_claims(claims, seed=5, workers=2)}
    assert found["users-c"].finding.verdict == "undecided"
    assert "died" in found["users-c"].finding.reason
    alone = [claim for claim in claims if claim.id != "users-c"]
    for record in run_claims(alone, seed=5):
        there = found[record.claim.id].finding
        assert there.value == record.finding.value
        assert there.evidence["pid"] != record.finding.evidence["pid"]


def test_the_most_expensive_group_comes_first(made_claim):
    claims = [
        made_claim("a", cost=1.0, group="a"),
        made_claim("b", cost=5.0),
        made_claim("c", cost=2.0, group="a"),
    ]
    assert [[c.id for c in queue] for queue in runner._queues(claims)] == [["b"], ["a", "c"]]


# -- recorded verdicts -----------------------------------------------------------------------------


def test_what_is_recorded_is_read_again(records, tmp_path: Path):
    path = tmp_path / "expected.toml"
    path.write_text(expectations_toml(records), encoding="utf-8")
    found = read_expectations(path, [record.claim for record in records])
    assert {id: one.verdict for id, one in found.items()} == {
        record.claim.id: record.finding.verdict for record in records
    }
    assert found["two"].reason == "Ours is <lower> & stands."
    assert found["two"].value == 1.6009
    for record in records:
        assert not found[record.claim.id].complaint(record.finding)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[five]\nverdict = 'confirmed'", "names 'five', which is no claim"),
        ("[one]\nverdict = 'fine'", "the verdict of one is one of confirmed"),
        ("[one]\nverdict = 'differs'", "one: an expected verdict of 'differs' needs a reason"),
        ("[one]\nverdict = 'confirmed'\nwhy = 'so'", "and nothing else"),
        ("one = 1", "and nothing else"),
        ("[one", "is not a file of recorded verdicts"),
    ],
)
def test_bad_records_are_refused_in_one_line(records, tmp_path: Path, text, message):
    path = tmp_path / "expected.toml"
    path.write_text(text)
    with pytest.raises(ExpectationError, match=message) as caught:
        read_expectations(path, [record.claim for record in records])
    assert "\n" not in str(caught.value)
    with pytest.raises(ExpectationError, match="cannot read"):
        read_expectations(tmp_path / "none.toml", [])
