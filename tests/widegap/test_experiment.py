"""The experiment command: what it finds is in the file, bad input writes nothing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from theory import SBP
from verify.trials import read_experiment
from widegap.cli import cli
from widegap.experiment import ALGORITHMS, reach_figure

ARGUMENTS = ["experiment", "sbp", "--kappa", "1", "--sizes", "20,30", "--alpha", "0.8:2.4:0.8"]


def run(*arguments: str):
    return CliRunner().invoke(cli, [*ARGUMENTS, "--budget", "40", "--samples", "2", *arguments])


def test_the_command_knows_every_algorithm():
    from verify.algorithms import ALGORITHMS as KNOWN

    assert tuple(KNOWN) == ALGORITHMS


def test_an_experiment_reports_its_crossings_and_resumes(tmp_path):
    out, plot = tmp_path / "run.sqlite", tmp_path / "reach.svg"
    result = run("--out", str(out), "--workers", "1", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    found = read_experiment(out)
    assert len(found) == 2 * 3 * 2
    assert "alpha by level  2: 1.8159, 3: 1.6575" in result.output
    assert "belief, budget 40, n = 30:" in result.output
    assert "n -> infinity: alpha =" in result.output
    assert plot.read_text().startswith("<?xml")
    again = run("--out", str(out))
    assert again.exit_code == 2
    assert "exists; resume it" in again.output
    resumed = run("--out", str(out), "--workers", "1", "--resume")
    assert resumed.exit_code == 0
    assert resumed.stdout == result.stdout
    figure = reach_figure(found, [SBP(1)])
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sizes", "0"), "--sizes takes positive integers"),
        (("--alpha", "0"), "alpha must be positive"),
        (("--algorithm", "magic"), "algorithm"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler uses others"),
        (("--plot", "reach.gif"), "--plot needs a name ending in"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, arguments, message):
    out = tmp_path / "run.sqlite"
    result = run("--out", str(out), *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not out.exists()


def test_other_models_have_no_instances(tmp_path):
    out = tmp_path / "run.sqlite"
    other = ["experiment", "ubp", *ARGUMENTS[2:], "--out", str(out)]
    result = CliRunner().invoke(cli, other)
    assert result.exit_code == 2
    assert "instances are of theory.SBP or theory.ABP" in result.output
    assert not out.exists()
