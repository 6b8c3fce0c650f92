"""The commands of parities: tables, JSON, pictures, a grid that resumes, input that makes no sense."""

import json

import pytest

from numerics.parities import Frontier, Success, tickets
from verify.cases import read_cases


def test_laws_are_derived(run):
    result = run("derive", "parities", "fourier-gap", "--set", "k=4", "--set", "s=9")
    assert result.exit_code == 0, result.output
    assert "1/128" in result.stdout
    assert len(run("derive", "parities").stdout.splitlines()) == 13


@pytest.mark.long
def test_the_frontier(run, tmp_path):
    plot = tmp_path / "frontier.svg"
    asked = ("solve", "parities", "frontier", "--n", "20", "--sparsity", "2,4")
    result = run(*asked, "--plot", str(plot))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["width", "samples", "s"]
    assert plot.read_text().startswith("<?xml")
    content = json.loads(run(*asked, "--json").stdout)
    del content["version"]
    table = Frontier.from_dict(content)
    assert set(table.sparsities) == {2, 4}
    assert str(table) == result.stdout.strip("\n")


def test_tickets_success_and_kernels(run):
    shown = run("solve", "parities", "tickets", "--n", "50", "--k", "4", "--sparsity", "9,11")
    assert shown.stdout.strip("\n") == str(tickets(50, 4, (9, 11)))
    content = json.loads(
        run("solve", "parities", "success", "--widths", "50", "--samples", "40", "--json").stdout
    )
    del content["version"]
    assert Success.from_dict(content).sparsities == (2, 4, 6, 8, 10, 12, 14)
    kernel = run("solve", "parities", "kernel", "--sigma-b", "0")
    assert kernel.stdout.splitlines()[-1].split() == ["3", "0", "2030", "inf"]
    assert json.loads(run("solve", "parities", "kernel", "--json").stdout)["bounds"][3] == 2030


SMALL = ("experiment", "parities", "--n", "8", "--k", "2", "--widths", "5", "--samples", "60")
SMALL += ("--sparsity", "1", "--steps", "100", "--networks", "4", "--workers", "1")


@pytest.mark.long
def test_a_grid_resumes(run, tmp_path):
    out, plot = tmp_path / "grid.sqlite", tmp_path / "grid.png"
    first = run(*SMALL, "--out", str(out), "--plot", str(plot))
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[0].split()[:4] == ["s", "samples", "width", "succeed"]
    assert "s = 1, 60 samples: half succeed at width" in first.stdout
    assert plot.stat().st_size > 0
    assert len(read_cases(out)[1]) == 1
    again = run(*SMALL, "--out", str(out))
    assert (again.exit_code, "exists; resume it" in again.output) == (2, True)
    resumed = run(*SMALL, "--out", str(out), "--resume", "--json")
    assert json.loads(resumed.stdout)["networks"] == 4
    more = run(*SMALL[:-4], "--networks", "5", "--workers", "1", "--out", str(out), "--resume")
    assert len(read_cases(out)[1]) == 2
    assert more.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("solve", "parities", "frontier", "--k", "40"),
            "k = 40 coordinates needs n >= 40, got n = 30",
        ),
        (("solve", "parities", "odds"), "odds"),
        (("solve", "parities", "frontier", "--probability", "1"), "between 0 and 1, got 1.0"),
        (("solve", "parities", "frontier", "--probability", "nan"), "a finite number, got 'nan'"),
        (("solve", "parities", "frontier", "--bias", "x"), "--bias is a finite number"),
        (
            ("solve", "parities", "success", "--sparsity", "3"),
            "have no signal of a parity of k = 3",
        ),
        (("solve", "parities", "success", "--sparsity", "1"), "from k - 1 = 2"),
        (("solve", "parities", "success", "--samples", "0"), "--samples takes positive integers"),
        (("solve", "parities", "tickets", "--sparsity", "31"), "at most n = 30 coordinates"),
        (("solve", "parities", "kernel", "--plot", "x.gif"), "--plot needs a name ending in"),
        (("solve", "parities", "kernel", "--share", "2"), "2"),
        (("solve", "parities", "kernel", "--sigma-b", "-1"), "-1"),
        (("derive", "parities", "gap"), "parities has no law 'gap'"),
    ],
)
def test_bad_input_is_one_line(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--k", "40"), "needs n >= 40"),
        (("--sparsity", "31"), "at most n = 30"),
        (("--steps", "0"), "--steps is an integer >= 1"),
        (("--samples", "0"), "--samples takes positive integers"),
        (("--weights", "ones"), "unknown weights 'ones'"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler uses others"),
    ],
)
def test_bad_grids_write_nothing(run, tmp_path, arguments, words):
    out = tmp_path / "grid.sqlite"
    result = run("experiment", "parities", *arguments, "--out", str(out))
    assert result.exit_code == 2
    assert words in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()
