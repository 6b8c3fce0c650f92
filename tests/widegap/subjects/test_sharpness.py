"""The command line of the subject: tables, JSON, pictures, refusals, an experiment that resumes."""

import json
import re

import pytest

from widegap.subjects.sharpness import experiment, solve

LINES = [
    line.strip().split()[1:]
    for command in (solve, *solve.commands.values())
    for line in (command.epilog or "").splitlines()
    if line.strip().startswith("widegap ")
]


def test_every_help_has_two_examples():
    for command in (solve, *solve.commands.values(), experiment):
        assert len(re.findall(r"^  widegap ", command.epilog or "", re.M)) == 2


@pytest.mark.long
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_the_examples_work(run, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*line)
    assert result.exit_code == 0, result.output
    if "--plot" in line:
        assert (tmp_path / line[-1]).stat().st_size > 1000


def test_what_is_printed_is_what_numerics_say(run):
    table = run("solve", "sharpness", "accuracy", "--p", "0.03", "--q", "0.01", "--nodes", "3000")
    assert table.output.splitlines()[2].split()[:4] == ["1", "1", "0.96222", "0.973596"]
    found = run("solve", "sharpness", "minimiser", "--curvature", "5", "--radius", "0.1", "--json")
    content = json.loads(found.stdout)
    assert content["values"][2] == pytest.approx(1 / 30)


def test_every_law_is_shown(run):
    listed = run("derive", "sharpness")
    assert "graph-shift" in listed.output
    assert run("derive", "sharpness", "sam-cycle", "--steps").exit_code == 0
    put = run(
        "derive", "sharpness", "sam-cycle", "--set", "eta=1/10", "--set", "h=5", "--set", "rho=1/10"
    )
    assert put.output.strip().endswith("1/30)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("accuracy", "--p", "0.1", "--q", "0.1"), "p = q = 0.1"),
        (("accuracy", "--p", "1.1", "--q", "0.1"), "p is a probability between 0 and 1, got 1.1"),
        (("accuracy", "--p", "nan", "--q", "0.1"), "--p is a finite number, got 'nan'"),
        (("accuracy", "--p", "x", "--q", "0.1"), "--p is a finite number, got 'x'"),
        (("accuracy", "--p", "0.1", "--q", "0.2", "--nodes", "7"), "even number of nodes, got 7"),
        (("accuracy", "--p", "1e-5", "--q", "1e-4"), "the graph falls apart"),
        (("accuracy", "--p", "0.1", "--q", "0.2", "--layers", "9"), "--layers is an integer <= 8"),
        (("accuracy", "--p", "0.1", "--q", "0.2", "--plot", "x.gif"), "--plot needs a name"),
        (("map", "--largest", "2"), "probability"),
        (("minimiser", "--step", "inf"), "--step is a finite number, got 'inf'"),
        (("minimiser", "--weight", "-1"), "weight is a number from 1e-100 to 1e+100, got -1"),
    ],
)
def test_bad_input_is_one_line(run, arguments, words):
    result = run("solve", "sharpness", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tasks", "1"), "--tasks is an integer >= 2"),
        (("--graph", "circle"), "unknown graph 'circle'"),
        (("--workers", "1", "--scheduler", "x:1"), "--scheduler uses others"),
        (("--plot", "x.gif"), "--plot needs a name"),
        (("--steps", "nan"), "--steps is an integer"),
    ],
)
def test_bad_experiments_write_nothing(run, tmp_path, arguments, words):
    out = tmp_path / "few-shot.sqlite"
    result = run("experiment", "sharpness", "--out", str(out), *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not out.exists()


@pytest.mark.slow
def test_an_experiment_resumes(run, tmp_path):
    out, plot = tmp_path / "few-shot.sqlite", tmp_path / "few-shot.svg"
    asked = ("experiment", "sharpness", "--graph", "homophilous", "--tasks", "2", "--steps", "2")
    asked = (*asked, "--out", str(out), "--workers", "1")
    first = run(*asked, "--plot", str(plot))
    assert first.exit_code == 0, first.output
    assert "homophilous: fgsam and sam within 0.02: undecided" in first.output
    assert plot.read_text().startswith("<?xml")
    again = run(*asked)
    assert again.exit_code == 2
    assert "exists; resume it" in again.output
    resumed = run(*asked, "--resume", "--json")
    assert json.loads(resumed.stdout)["methods"][0] == "adam"
