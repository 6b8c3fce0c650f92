"""The command ``widegap verify``: what it prints, writes, refuses and resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from verify.suite import claims as registry
from verify.suite.wrong import WRONG
from widegap.commands import verify as command

Run = Callable[..., Result]

MODULE = """
    import os
    import time
    from pathlib import Path
    from verify import Expected, Finding, claim
    from verify.suite.verdicts import Curve, Plot

    TAGS = {"tags": ("users",), "source": "me"}

    @claim("users-drawn", "A number is drawn.", printed="1.5", **TAGS)
    def drawn(run):
        return Finding("confirmed", "It was.", float(run.stream().normal()), {"seed": run.seed})

    @claim("users-moves", "The theory is right.", wrong=("moved",), **TAGS)
    def moves(run):
        return Finding("refuted" if run.theory.name == "moved" else "confirmed", "It is.")

    @claim("users-differs", "A value is 2.", printed="2", expected=Expected("differs", "ours is 3"), **TAGS)
    def differs(run):
        return Finding("differs", "It is 3.", 3.0)

    @claim("users-draws", "A figure is drawn.", tags=("drawing",), source="me", profile="full")
    def draws(run):
        bad = Plot("P", "$x_{$", "y", (Curve("a", (1.0,), (2.0, 3.0)),))
        return Finding("confirmed", "It is.", 1.0, {}, (bad,))

    @claim("users-fails", "This is so.", tags=("failing",), source="me", profile="full")
    def fails(run):
        return Finding("refuted", "It is not.")

    @claim("users-waits", "It takes its time.", tags=("waiting",), source="me", profile="full")
    def waits(run):
        Path(os.environ["WAITING"]).touch()
        while not os.environ.get("GO"):
            time.sleep(0.05)
        return Finding("confirmed", "At last.")
    """


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Claims of a user's module, and the options that bring them in."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "users_claims.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    registry.all_claims()
    monkeypatch.setattr(registry, "_CLAIMS", dict(registry._CLAIMS))
    monkeypatch.delitem(sys.modules, "users_claims", raising=False)
    monkeypatch.chdir(tmp_path)
    return ("verify", "--module", "users_claims")


def test_a_run(run: Run, users: tuple[str, ...]) -> None:
    result = run(*users, "--only", "users", "--workers", "1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "widegap verify, profile quick, seed 0"
    assert any(line.split()[:4] == ["users-differs", "differs", "3", "2"] for line in lines)
    assert "    On record: ours is 3" in lines
    assert lines[-1].startswith("3 claims: 2 confirmed, 1 differs; all as expected")
    assert lines[-1].endswith("no random test, so no false alarm")


def test_reports(run: Run, users: tuple[str, ...], tmp_path: Path) -> None:
    reports = ("--html", "r.html", "--junit", "r.xml", "--json", "r.json", "--record", "e.toml")
    result = run(*users, "--only", "users", "--workers", "1", "--seed", "5", *reports)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "r.json").read_text())
    assert [claim["id"] for claim in content["claims"]] == [
        "users-drawn",
        "users-moves",
        "users-differs",
    ]
    assert content["claims"][0]["evidence"] == {"seed": 5}
    assert ET.parse(tmp_path / "r.xml").getroot().get("tests") == "3"
    assert "users-differs" in (tmp_path / "r.html").read_text()
    again = run(*users, "--only", "users", "--workers", "1", "--expect", "e.toml")
    assert again.exit_code == 0, again.output


def test_one_report_that_fails_loses_no_other(
    run: Run, users: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = ("--only", "users-draws", "--workers", "1")
    result = run(*users, *drawing, "--html", "r.html", "--json", "r.json")
    assert result.exit_code == 0, result.output
    assert "could not be drawn: " in (tmp_path / "r.html").read_text()

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("verify.reports.page.to_html", full)
    again = run(*users, *drawing, "--html", "s.html", "--json", "s.json", "--junit", "s.xml")
    assert again.exit_code == 1
    assert "users-draws" in again.stdout
    assert again.stderr.startswith("widegap: error: cannot write")
    assert again.stderr.count("\n") == 1
    assert json.loads((tmp_path / "s.json").read_text())["passed"]
    assert (tmp_path / "s.xml").exists()
    assert not (tmp_path / "s.html").exists()


def test_reports_may_go_to_a_stream(run: Run, users: tuple[str, ...]) -> None:
    result = run(*users, "--only", "users-moves", "--json", os.devnull)
    assert result.exit_code == 0, result.output
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["", "../x", "a b", ".", "a..b", "os.path:join", "1.2"])
def test_what_is_no_module(run: Run, name: str) -> None:
    result = run("verify", "--module", name, "--list")
    assert result.exit_code == 2
    assert "--module is the name of a Python module" in result.stderr


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('oh')", "RuntimeError: oh"),
        ("raise SystemExit(3)", "SystemExit"),
        ("(", "Syntax"),
    ],
)
def test_a_module_that_does_not_load(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: str
) -> None:
    (tmp_path / "broken_claims.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_claims", raising=False)
    result = run("verify", "--module", "broken_claims", "--list")
    assert result.exit_code == 2
    assert "cannot import --module broken_claims: " in result.stderr
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_worse_than_expected(run: Run, users: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*users, "--only", "users-fails", "--json", "r.json")
    assert result.exit_code == 1
    assert result.stderr == "widegap: error: worse than expected: users-fails\n"
    assert "users-fails: refuted - refuted where confirmed was expected" in result.stdout
    assert json.loads((tmp_path / "r.json").read_text())["passed"] is False
    (tmp_path / "e.toml").write_text('[users-fails]\nverdict = "refuted"\nreason = "known"\n')
    assert run(*users, "--only", "users-fails", "--expect", "e.toml").exit_code == 0


def test_a_wrong_theory(run: Run, users: tuple[str, ...]) -> None:
    result = run(*users, "--only", "users-moves", "--wrong", "moved")
    assert result.exit_code == 0, result.output
    assert "wrong on purpose, moved" in result.stdout
    missed = run(*users, "--only", "users-drawn", "--wrong", "moved")
    assert missed.exit_code == 1
    assert "the theory moved is not rejected by users-drawn" in missed.stderr


def test_random_seeds_are_shown_and_work_again(run: Run, users: tuple[str, ...]) -> None:
    def drawn(seed: str) -> tuple[str, str]:
        result = run(*users, "--only", "users-drawn", "--seed", seed)
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        row = next(line.split() for line in lines if line.lstrip().startswith("users-drawn"))
        return lines[0].split()[-1], row[2]

    seed, value = drawn("random")
    assert drawn(seed) == (seed, value)
    assert drawn("random") != (seed, value)


def test_the_list(run: Run, users: tuple[str, ...]) -> None:
    result = run(*users, "--list", "--only", "users")
    assert result.exit_code == 0
    assert "users-differs  [users]  about 1 s  printed 2  expected: differs" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("3 claims; ")
    whole = run("verify", "--list", "--profile", "full").stdout
    assert "sbp-level-7" in whole
    assert "exact binomial test of 900 trials" in whole


def test_wrong_theories_are_listed_beside_the_claims_that_reject_them(run: Run) -> None:
    listed = run("verify", "--list", "--profile", "full").stdout
    rejected = {
        name for line in listed.splitlines() if "rejects:" in line for name in line[13:].split(", ")
    }
    assert rejected <= WRONG.keys()
    result = run("verify", "--wrong", "right")
    assert result.exit_code == 2
    assert "unknown wrong theory 'right'; choose from moved, " in result.stderr


def test_profiles_are_the_suites() -> None:
    assert command.PROFILES == registry.PROFILES


# -- resuming --------------------------------------------------------------------------------------


def test_resuming_shows_what_was_there(run: Run, users: tuple[str, ...], tmp_path: Path) -> None:
    first = run(*users, "--only", "users", "--resume", "run.sqlite", "--seed", "random")
    assert first.exit_code == 0, first.output
    second = run(*users, "--only", "users", "--resume", "run.sqlite", "--seed", "random")
    assert second.exit_code == 0, second.output
    assert second.stdout.splitlines()[0] == first.stdout.splitlines()[0], "the seed is the file's"
    assert second.stdout.count("earlier") == 3
    other = run(*users, "--only", "users", "--resume", "run.sqlite", "--seed", "1")
    assert other.exit_code == 2
    assert "run.sqlite is the file of a verification with seed" in other.stderr


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_keeps_its_verdicts(
    run: Run, users: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: int
) -> None:
    flag = tmp_path / "waiting"
    monkeypatch.setenv("WAITING", str(flag))
    options = (
        "--only",
        "users",
        "--only",
        "waiting",
        "--profile",
        "full",
        "--resume",
        "run.sqlite",
    )
    program = [sys.executable, "-m", "widegap", *users, *options, "--workers", "1"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not flag.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert flag.exists(), (out, err)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert err.split("\n") == [
            "3 of 4 verdicts are in run.sqlite; --resume goes on from there",
            "",
            "widegap: interrupted",
            "",
        ]
    monkeypatch.setenv("GO", "1")
    result = run(*users, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("earlier") == 3
    assert result.stdout.splitlines()[-1].startswith("4 claims: 3 confirmed, 1 differs")


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--only", "sbp-level-77"),
            "no claim and no tag 'sbp-level-77'; did you mean sbp-level-7",
        ),
        (("--only", ""), "no claim and no tag ''"),
        (("--profile", "slow"), "unknown profile 'slow'; choose from quick, ci, full"),
        (("--wrong", "right"), "choose from moved, swapped, reversed, lowered, hasty"),
        (("--wrong", "swapped", "--only", "nest-shift"), "no claim is left"),
        *(
            (("--seed", seed), "--seed is an integer")
            for seed in ("-1", "1.5", "", "lucky", "9" * 30)
        ),
        (("--workers", "0"), "--workers is an integer >= 1"),
        (("--html", "no/such/folder/r.html"), "cannot write --html"),
        (("--json", "."), "cannot write --json"),
        (("--json", "same", "--html", "same"), "name the same file"),
        (("--json", "same", "--resume", "same"), "name the same file"),
        (("--list", "--json", "r.json"), "--list checks nothing and cannot go with --json"),
        (("--list", "--seed", "1"), "cannot go with --seed"),
        (("--reproduce", "x", "--only", "sbp"), "--reproduce runs one example"),
        (("--reproduce", "nonsense"), "not a token"),
        (("--reproduce", "nest-shift:1.0:AAAA"), "the token is of Hypothesis 1.0"),
        (("--record", "e.toml", "--wrong", "moved"), "--record is for"),
        (("--expect", "missing.toml"), "cannot read missing.toml"),
        (("--module", "no_such_module_anywhere"), "cannot import --module"),
        (("--resume", "no/such/run.sqlite"), "does not exist"),
    ],
)
def test_one_line_and_status_2(
    run: Run, arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("verify", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    os.name != "posix", reason="folders are made read-only in another way elsewhere"
)
def test_a_read_only_folder(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    # root may write there, but into no file system of the kernel's own
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path
    result = run("verify", "--html", str(folder / "r.html"))
    assert result.exit_code == 2
    assert "cannot write" in result.stderr


def test_a_failing_example_can_be_run_again(run: Run) -> None:
    """The token of a property that a wrong theory breaks, given to the right one and to the wrong one."""
    from verify.suite.claims import Run as Claimed
    from verify.suite.claims import get_claim
    from verify.suite.wrong import theory_by_name

    claim = get_claim("nest-merge", "verify.thresholds.claims.nests")
    evidence = claim.check(Claimed(claim, theory_by_name("sharpened"))).evidence
    token = evidence["reproduce"].split()[-1]
    right = run("verify", "--reproduce", token)
    assert right.exit_code == 0, right.output
    assert right.stdout == "nest-merge: the example does not fail any more\n"
    wrong = run("verify", "--reproduce", token, "--wrong", "sharpened")
    assert wrong.exit_code == 1
    assert "Draw 1 (leaf): Leaf(kind='binary'" in wrong.stdout
    assert "the example still fails: AssertionError" in wrong.stderr
