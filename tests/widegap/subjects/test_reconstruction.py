"""widegap solve and experiment reconstruction: what they print, write and refuse."""

import json
from pathlib import Path

import numpy as np
import pytest

from numerics.reconstruction.stationarity import LOSSES
from verify.reconstruction.training import TASKS
from widegap.subjects import reconstruction


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, data that fit them, and files that do not."""
    rng = np.random.default_rng(0)
    net = {
        "W1": rng.standard_normal((30, 16)) / 4,
        "b1": rng.standard_normal(30) / 4,
        "W2": rng.standard_normal((3, 30)) / 5,
    }
    x, y = rng.standard_normal((4, 16)) / 4, np.array([0, 1, 2, 0])
    np.savez(tmp_path / "net.npz", **net)
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    np.savez(tmp_path / "x.npz", x=x)
    np.savez(tmp_path / "narrow.npz", x=x[:, :3], y=y)
    np.savez(tmp_path / "nan.npz", x=np.full_like(x, np.nan), y=y)
    np.savez(tmp_path / "deep.npz", **net, b2=np.ones(3))
    np.savez(tmp_path / "shapes.npz", **{**net, "W2": np.ones((3, 29))})
    (tmp_path / "text.npz").write_text("no")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_those_of_the_layers() -> None:
    assert reconstruction.LOSSES == LOSSES
    assert reconstruction.TASKS == TASKS


def test_laws_are_listed(run) -> None:
    assert "cross-entropy-multiplier" in run("derive", "reconstruction").output
    assert run("derive", "reconstruction", "two-units", "--steps").exit_code == 0


SOLVE = ("solve", "reconstruction", "--weights", "net.npz")
SHORT = ("--iterations", "20", "--seed", "3")


def test_data_have_multipliers_and_a_residual(run, files: Path) -> None:
    result = run(*SOLVE, "--data", "mine.npz", "--decay", "0.1", "--plot", "m.png")
    assert result.exit_code == 0
    assert "residual, gates free at kinks: between" in result.stdout
    assert "cross-entropy loss, decay 0.1" in result.stdout
    assert (files / "m.png").stat().st_size > 1000
    found = json.loads(run(*SOLVE, "--data", "mine.npz", "--decay", "0.1", "--json").stdout)
    assert 0.0 <= found["low"] <= found["high"] <= found["hard"] <= found["residual"]


def test_weights_alone_have_candidates(run, files: Path) -> None:
    line = (*SOLVE, "--candidates", "5", *SHORT, "--restarts", "2")
    result = run(*line, "--out", "c.npz", "--plot", "c.svg")
    assert result.exit_code == 0
    assert "first layer of rank" in result.stdout
    assert "candidates written to c.npz" in result.stderr
    found = json.loads(run(*line, "--json").stdout)
    with np.load(files / "c.npz") as written:
        np.testing.assert_array_equal(written["x"], found["samples"])
        assert written["multipliers"].shape == (5, 3)
    assert found["residual"] == min(found["residuals"])


def test_an_audit_says_which_samples_are_given_away(run, files: Path) -> None:
    result = run(*SOLVE, "--data", "x.npz", "--audit", *SHORT, "--plot", "a.png")
    assert result.exit_code == 0
    assert "of 4 samples given away" in result.stdout
    assert result.stdout.count("\n") == 7


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--weights none.npz", "cannot read none.npz"),
        ("--weights text.npz", "text.npz is no .npz file"),
        ("--weights deep.npz", "not homogeneous"),
        ("--weights shapes.npz", "W2 takes 29 inputs, and layer 1 has 30 units"),
        ("--weights mine.npz", "got x, y"),
        ("--weights net.npz --data narrow.npz", "x has 3 columns, and the network 16 inputs"),
        ("--weights net.npz --data nan.npz", "entries that are not finite"),
        ("--weights net.npz --data nan.npz --audit", "entries that are not finite"),
        ("--weights net.npz --data x.npz", "has no targets y"),
        ("--weights net.npz --data net.npz", "needs arrays x and y, got W1, b1, W2"),
        ("--weights net.npz --audit", "--audit needs the samples"),
        ("--weights net.npz --data mine.npz --audit --candidates 3", "4 samples need as many"),
        ("--weights net.npz --data mine.npz --candidates 3", "go with --audit"),
        ("--weights net.npz --data mine.npz --loss logistic", "y needs 3 numbers a sample"),
        ("--weights net.npz --loss hinge", "unknown loss 'hinge'"),
        ("--weights net.npz --decay 1", "--decay and --clip go with --data"),
        ("--weights net.npz --data mine.npz --decay 0", "decay"),
        ("--weights net.npz --data mine.npz --clip -1", "clip"),
        ("--weights net.npz --bound 0", "bound is a positive number, got 0"),
        ("--weights net.npz --bound nan", "--bound is a finite number, got 'nan'"),
        ("--weights net.npz --out c.txt", "--out needs a name ending in .npz"),
        ("--weights net.npz --plot c.txt", "--plot needs a name ending in"),
        ("", "Missing option '--weights'"),
    ],
)
def test_bad_lines_are_refused_in_one(run, files: Path, line: str, words: str) -> None:
    result = run("solve", "reconstruction", *line.split())
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


EXPERIMENT = (
    "experiment",
    "reconstruction",
    "--task",
    "binary",
    "--samples",
    "4",
    "--widths",
    "10",
)


@pytest.mark.long
def test_an_experiment_resumes(run, files: Path) -> None:
    line = (*EXPERIMENT, "--decay", "0.05", "--out", "run.sqlite", "--workers", "1")
    first = run(*line, "--draws", "1")
    assert first.exit_code == 0
    assert "binary  4     10   0.05" in first.stdout
    again = run(*line, "--draws", "1", "--resume", "--json", "--plot", "back.png")
    assert json.loads(again.stdout)["settings"][0]["draws"] == 1
    assert (files / "back.png").stat().st_size > 1000
    refused = run(*line, "--draws", "1")
    assert refused.exit_code == 2
    assert "resume it or choose another name" in refused.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--task sleep --out a.sqlite", "unknown task 'sleep'"),
        ("--samples 1 --out a.sqlite", "samples are from 2 to 500, got 1"),
        ("--decay 5 --out a.sqlite", "a decay is 0, or from 0.0001 to 0.1"),
        ("--decay -1 --out a.sqlite", "a decay is 0, or from 0.0001 to 0.1"),
        ("--widths 0 --out a.sqlite", "--widths takes positive integers"),
        ("--out a.png --plot a.png", "name the same file"),
    ],
)
def test_bad_experiments_are_refused(run, files: Path, line: str, words: str) -> None:
    result = run("experiment", "reconstruction", *line.split())
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (files / "a.sqlite").exists()
