"""The commands of the subject frequency: what they print, what they refuse, resumed from a file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from numerics.frequency import autoregressive_shares, layer_effect
from verify.frequency.forecasts import ARMS
from verify.frequency.series import SERIES
from widegap.subjects import frequency

SMALL = ("--length", "8", "--horizon", "2", "--embedding", "2", "--hidden", "3", "--epochs", "1")


def test_names_are_those_of_verify() -> None:
    assert frequency.SERIES == SERIES


@pytest.mark.long
def test_laws_are_listed_and_evaluated(run) -> None:
    assert "ridge " in run("derive", "frequency").stdout
    result = run("derive", "frequency", "first-order", "--set", "phi=0", "--set", "w=1")
    assert result.stdout == "Eq(F, 1/pi)\n"
    assert "Residues" in run("derive", "frequency", "autoregression", "--steps").stdout


def test_shares_of_a_process_and_of_a_series(run, tmp_path: Path) -> None:
    result = run("solve", "frequency", "shares", "--ar", "1.2,-1/2", "--length", "64", "--json")
    found = json.loads(result.stdout)
    del found["version"]
    from fractions import Fraction

    wanted = autoregressive_shares([Fraction("1.2"), Fraction("-1/2")], length=64)
    assert type(wanted).from_dict(found) == wanted
    path = tmp_path / "x.csv"
    np.savetxt(path, np.cos(np.arange(50.0)))
    plot = tmp_path / "shares.svg"
    result = run(
        "solve", "frequency", "shares", "--data", str(path), "--bands", "0.5", "--plot", str(plot)
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"0\.489796 +0\.99\d+ +\d\.\d+e-\d+", result.stdout)
    assert plot.read_text().startswith("<?xml")
    assert "sunspots" in run("solve", "frequency", "shares", "--series", "sunspots").stdout


def test_a_layer_and_its_picture(run, tmp_path: Path) -> None:
    path, plot = tmp_path / "x.npy", tmp_path / "layer.png"
    x = np.random.default_rng(0).standard_normal(9)
    np.save(path, x[:, None])
    asked = ("--weight", "0.5,-1", "--bias", "0.25,0", "--shrinkage", "0.125", "--data", str(path))
    result = run("solve", "frequency", "layer", *asked, "--plot", str(plot), "--json")
    assert result.exit_code == 0, result.output
    wanted = layer_effect(x, 0.5 - 1j, 0.25, 0.125)
    assert json.loads(result.stdout)["output"] == list(wanted.output)
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert len(run("solve", "frequency", "layer").stdout.splitlines()) == 65


def test_risks(run) -> None:
    result = run("solve", "frequency", "risk", "--length", "64", "--nonzero", "3")
    assert re.search(r"keep all +0 +64 ", result.stdout)
    result = run("solve", "frequency", "risk", "--series", "co2", "--sigma", "0.5", "--json")
    assert json.loads(result.stdout)["samples"] == 309


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("solve frequency", "Missing argument 'shares|layer|risk'"),
        ("solve frequency energy", "unknown question 'energy'; choose from shares, layer, risk"),
        ("solve frequency shares", "shares are of --ar, or else of --series or --data"),
        ("solve frequency shares --ar 1.1", "not stationary: its largest pole has the modulus 1.1"),
        ("solve frequency shares --ar nan", "--ar is numbers separated by commas"),
        ("solve frequency shares --ar 0.5 --length 20000", "between 2 and 10000, got 20000"),
        ("solve frequency shares --ar 0.5 --bands 2", "bands are shares of the frequencies"),
        ("solve frequency shares --ar 0.5 --bands 0", "above 0 and at most 1, got 0"),
        (
            "solve frequency shares --ar 0.5 --sigma 1",
            "--sigma is not for shares, which takes --ar",
        ),
        ("solve frequency shares --series co2 --data x.csv", "--series or --data, not both"),
        ("solve frequency shares --data none.csv", "not found"),
        ("solve frequency layer --weight 1", "--weight is two numbers, RE,IM"),
        ("solve frequency layer --shrinkage -1", "--shrinkage is a number, from 0"),
        ("solve frequency layer --length 100000", "at most 10000"),
        ("solve frequency risk --length 8", "--length and --nonzero"),
        ("solve frequency risk --length 8 --nonzero 9", "between 1 and 8, got 9"),
        ("solve frequency risk --series co2 --length 8", "has its own"),
        ("solve frequency risk --series co2 --nonzero 8", "not for a series"),
        ("experiment frequency --out x.sqlite --series rain", "unknown series 'rain'"),
        ("experiment frequency --out x.sqlite --length 300", "309 samples, and windows of 300"),
        ("experiment frequency --out x.sqlite --replicates 1", "integer >= 2"),
        ("experiment frequency --out x.png --plot x.png", "same file"),
        ("experiment frequency", "Missing option '--out'"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_status_2(
    run, tmp_path, monkeypatch, typed, words
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*typed.split())
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("1\nnan\n3\n", "NaN"),
        ("1\n2\n", "2 samples, and 8 are needed"),
        ("1,2\n" * 9, "one column"),
        ("5\n" * 9, "constant"),
    ],
)
def test_bad_series_are_refused(run, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    result = run("solve", "frequency", "shares", "--data", str(path))
    assert result.exit_code == 2, result.output
    assert words in result.output


def test_the_examples_in_the_help_work(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (frequency.solve, frequency.experiment):
        lines = [line.split() for line in (command.epilog or "").splitlines() if "widegap" in line]
        assert len(lines) >= 2
        for words in lines:
            if command is frequency.solve:
                assert run(*words[1:]).exit_code == 0, words
            else:
                command.make_context("frequency", words[3:])


@pytest.mark.slow
def test_an_experiment_is_resumed_and_drawn(run, tmp_path: Path) -> None:
    out, plot = str(tmp_path / "run.sqlite"), tmp_path / "f.svg"
    asked = ("experiment", "frequency", "--series", "tones", *SMALL, "--out", out, "--workers", "1")
    first = run(*asked, "--replicates", "2", "--json")
    assert first.exit_code == 0, first.output
    assert "exists; resume it" in run(*asked, "--replicates", "2").output
    again = run(*asked, "--replicates", "2", "--resume", "--json", "--plot", str(plot))
    assert again.stdout == first.stdout
    assert plot.read_text().startswith("<?xml")
    table = run(*asked, "--replicates", "2", "--resume").stdout
    assert [line.split()[1] for line in table.splitlines()[1:]] == list(ARMS)
