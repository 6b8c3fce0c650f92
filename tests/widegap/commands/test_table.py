"""The table of record on the command line."""

import json
from pathlib import Path

import pytest


def test_it_is_printed_in_three_forms(run) -> None:
    shown = run("table", "sbp", "--level", "2")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[0].split()[:4] == ["model", "parameters", "level", "value"]
    assert "1.81587549583720730358706312026" in shown.stdout
    content = json.loads(run("table", "sbp", "--level", "2", "--json").stdout)
    assert {entry["level"] for entry in content["entries"]} == {"2"}
    lines = run("table", "--csv").stdout.splitlines()
    assert lines[0].startswith("model,parameters,level,symbol,value,error")
    assert len(lines) > 100


def test_rows_are_computed_into_a_folder_and_resume(run, tmp_path: Path) -> None:
    out, folder = tmp_path / "rows.sqlite", tmp_path / "rows"
    line = ("table", "spherical", "--level", "1", "--out", str(out), "--workers", "1")
    made = run(*line, "--folder", str(folder))
    assert made.exit_code == 0, made.output
    assert (folder / "record.csv").read_text().count("\n") == 1 + 5
    proofs = list((folder / "certificates").iterdir())
    assert len(proofs) == 5
    assert run("certify", "--check", str(proofs[0])).exit_code == 0
    assert "exists; resume it" in run(*line).output
    again = run(*line, "--resume")
    assert again.stdout == made.stdout
    refused = run(*line, "--resume", "--folder", str(folder))
    assert refused.exit_code == 2
    assert "exists; name a new one" in refused.output


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("perceptron", "perceptron"),
        ("abp --level 9", "no row of abp level 9"),
        ("--level 9 --out a.sqlite", "no row of level 9"),
        ("--json --csv", "choose one"),
        ("--resume", "--resume goes with --out"),
        ("--workers 2", "--workers goes with --out"),
        ("--folder x", "--folder goes with --out"),
    ],
)
def test_bad_lines_are_refused_in_one(run, line: str, words: str) -> None:
    result = run("table", *line.split())
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.splitlines()) == 1
