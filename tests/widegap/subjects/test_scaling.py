"""The subject on the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from verify.scaling import experiment as experiments
from widegap.cli import cli


def run(*words):
    return CliRunner().invoke(cli, words)


def test_derive_lists_laws_and_puts_numbers():
    assert "bottleneck-parameters" in run("derive", "scaling").output
    words = [f"--set={k}={v}" for k, v in {"d": 12288, "m": 512, "L": 6, "C": 11230}.items()]
    assert "24657374" in run("derive", "scaling", "bottleneck-parameters", *words).output


def test_spectrum_as_a_table_and_as_json(tmp_path):
    table = run("solve", "scaling", "spectrum", "--dimension", "3", "--degrees", "2")
    assert table.exit_code == 0, table.output
    assert "higher degrees" in table.output
    plot = tmp_path / "a.png"
    found = run(
        "solve", "scaling", "spectrum", "--dimension=3", "--degrees=2", "--json", f"--plot={plot}"
    )
    assert json.loads(found.stdout)["multiplicities"] == [1, 3, 5]
    assert plot.stat().st_size > 1000


def test_curve_of_files(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "y.csv", x[:, 0], delimiter=",")
    given = ["--data", str(tmp_path / "x.npy"), "--targets", str(tmp_path / "y.csv")]
    found = run("solve", "scaling", "curve", *given, "--sizes", "5,20", "--model", "deq", "--json")
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["sizes"] == [5, 20]
    assert content["mse"][0] > content["mse"][1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["curve", "--dimension", "3"], "--dimension"),
        (["spectrum", "--replace"], "--replace"),
        (["spectrum", "--model", "deq", "--depth", "2"], "no --depth"),
        (["spectrum", "--sigma-u", "1"], "mlp takes no --sigma-u"),
        (["spectrum", "--activation", "sign"], "it jumps"),
        (["spectrum", "--model", "deq", "--sigma-w", "3"], "kernel"),
        (["curve", "--data", "x.npy"], "go together"),
        (["curve", "--ridge", "nan"], "--ridge is a finite number, got 'nan'"),
        (["curve", "--ridge", "-1"], "ridge is a number >= 0, got -1"),
        (["curve", "--sizes", "5000"], "from 1 to 1797, got 5000"),
        (["other"], "'other'"),
    ],
)
def test_bad_input_is_one_line(words, message):
    found = run("solve", "scaling", *words)
    assert found.exit_code == 2, found.output
    assert message in found.output.splitlines()[-1]


def test_the_experiment_resumes(tmp_path, monkeypatch):
    few = [c for c in experiments.cases(True) if c["part"] == "whitened"]
    monkeypatch.setattr(experiments, "cases", lambda small: few)
    out, plot = tmp_path / "a.sqlite", tmp_path / "a.png"
    words = ["experiment", "scaling", "--small", "--out", str(out), "--workers", "1"]
    first = run(*words)
    assert first.exit_code == 0, first.output
    assert "whitened" in first.output
    assert run(*words).exit_code == 2
    again = run(*words, "--resume", "--json", "--plot", str(plot))
    assert again.exit_code == 0, again.output
    assert len(json.loads(again.stdout)["curves"]) == 8
    assert plot.stat().st_size > 1000
