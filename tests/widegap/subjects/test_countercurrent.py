"""The commands of counter-current learning: tables, JSON, pictures, resuming, input that makes no sense."""

import json

import pytest

from numerics.countercurrent import Flow
from theory.countercurrent import ACTIVATIONS, LAWS
from verify.cases import read_cases
from verify.countercurrent.networks import DATA, RULES
from widegap.subjects import countercurrent

ONE = ("experiment", "countercurrent", "--data", "breast-cancer", "--rule", "bp", "--depth", "1")
ONE += ("--width", "4", "--epochs", "1", "--networks", "2", "--workers", "1")


def test_laws_are_derived(run):
    assert len(run("derive", "countercurrent").stdout.splitlines()) == len(LAWS)
    result = run("derive", "countercurrent", "decorrelation", "--set", "n=4", "--set", "d=2")
    assert result.exit_code == 0, result.output
    assert "1/4" in result.stdout


def test_names_are_those_of_theory_and_verify():
    assert tuple(ACTIVATIONS) == countercurrent.ACTIVATIONS
    assert (DATA, tuple(RULES)) == (countercurrent.DATA, countercurrent.RULES)


def test_the_flow(run, tmp_path):
    plot = tmp_path / "flow.svg"
    asked = ("solve", "countercurrent", "--inputs", "4", "--classes", "2", "--samples", "30")
    asked += ("--width", "3", "--depth", "1", "--times", "1,3")
    shown = run(*asked, "--plot", str(plot))
    assert shown.exit_code == 0, shown.output
    content = json.loads(run(*asked, "--json").stdout)
    del content["version"]
    table = Flow.from_dict(content)
    assert shown.stdout.startswith(str(table))
    assert "error of all numbers" in shown.stdout
    assert plot.read_text().startswith("<?xml")


@pytest.mark.long
def test_an_experiment_resumes(run, tmp_path):
    out, plot = tmp_path / "rules.sqlite", tmp_path / "rules.png"
    first = run(*ONE, "--out", str(out), "--plot", str(plot))
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[0].split()[:4] == ["data", "rule", "depth", "accuracy"]
    assert plot.stat().st_size > 0
    again = run(*ONE, "--out", str(out))
    assert (again.exit_code, "exists; resume it" in again.output) == (2, True)
    resumed = run(*ONE, "--out", str(out), "--resume", "--json")
    assert json.loads(resumed.stdout)["rules"] == ["bp"]
    assert len(read_cases(out)[1]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--width", "5"), "width 5 is below the number of classes, 10"),
        (("--times", "inf"), "times are numbers from 0 to 1e+06"),
        (("--gain", "nan"), "--gain is a finite number"),
        (("--gain", "0"), "a gain is a number from 1e-06 to 100, got 0"),
        (("--samples", "12"), "from 13 to 100000 samples, got 12"),
        (("--classes", "1"), "classes is an integer from 2 to 100, got 1"),
        (("--plot", "x.gif"), "--plot needs a name ending in"),
        (("--depth", "99"), "--depth is an integer <= 20"),
    ],
)
def test_bad_input_is_one_line(run, arguments, words):
    result = run("solve", "countercurrent", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--width", "5"), "width 5 is below the number of classes, 10"),
        (("--rule", "hebb"), "unknown rule 'hebb'; choose from ccl"),
        (("--rate", "-1"), "a rate is positive"),
        (("--depth", "0"), "--depth takes positive integers"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler uses others"),
    ],
)
def test_bad_experiments_write_nothing(run, tmp_path, arguments, words):
    out = tmp_path / "rules.sqlite"
    result = run("experiment", "countercurrent", *arguments, "--out", str(out))
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()
