"""The experiment command: what it finds is in the file, bad input writes nothing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from numerics import ConvergenceError
from theory import SBP
from verify.thresholds.trials import Experiment, Outcome, Trial, read_experiment
from widegap.cli import cli
from widegap.commands.experiment import ALGORITHMS, reach_figure

ARGUMENTS = ["experiment", "sbp", "--kappa", "1", "--sizes", "20,30", "--alpha", "0.8:2.4:0.8"]


def run(*arguments: str):
    return CliRunner().invoke(cli, [*ARGUMENTS, "--budget", "40", "--samples", "2", *arguments])


def test_the_command_knows_every_algorithm():
    from verify.thresholds.algorithms import ALGORITHMS as KNOWN

    assert tuple(KNOWN) == ALGORITHMS


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize(
    ("alphas", "side", "others"),
    [
        ("1.9:2.9:0.5", "half not above the densities tried (alpha <= 1.9)", "below"),
        ("0.05:0.15:0.05", "half not below the densities tried (alpha >= 0.15)", "above"),
    ],
)
def test_what_was_not_tried_is_not_told(tmp_path, alphas, side, others):
    out, plot = tmp_path / "run.sqlite", tmp_path / "reach.svg"
    line = [*ARGUMENTS[:-1], alphas, "--budget", "40", "--samples", "6", "--out", str(out)]
    result = CliRunner().invoke(cli, [*line, "--workers", "1", "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    assert result.stdout.count(side) == 2
    assert "half at" not in result.stdout
    assert (
        "n -> infinity: nothing to extrapolate: what was tried does not bracket the crossing of n = 20, 30"
        in result.stdout
    )
    assert plot.read_text().count(f"(half: {others} what was tried)") == 2


@pytest.mark.long
def test_the_figure_shows_crossings_where_there_are_some(tmp_path):
    found = Experiment(
        "sbp",
        0,
        tuple(
            Outcome(Trial("1", "belief", n, alpha, 40, k), int(alpha == last), 1, 0.1, "0")
            for n, last in ((20, "2"), (30, "3"))
            for alpha in ("1", "2")
            for k in range(8)
        ),
    )
    figure = reach_figure(found, [SBP(1)])
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["belief, $n = 20$", "belief, $n = 30$ (half: above what was tried)"]
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert len(diamonds) == 1
    assert 1.0 < diamonds[0].get_xdata()[0] < 2.0


def test_a_report_without_levels_is_a_report(tmp_path, monkeypatch):
    def none(*_, **__):
        raise ConvergenceError("it did not settle", {}, 0.1)

    monkeypatch.setattr("numerics.thresholds.solve._levels", none)
    line = [
        "experiment",
        "sbp",
        "--kappa",
        "0.77",
        "--sizes",
        "4",
        "--alpha",
        "1",
        "--samples",
        "1",
    ]
    out, plot = str(tmp_path / "run.sqlite"), str(tmp_path / "reach.svg")
    result = CliRunner().invoke(cli, [*line, "--budget", "5", "--out", out, "--plot", plot])
    assert result.exit_code == 0, result.output
    assert "(none converged)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sizes", "1000000"), "an instance of n = 1000000 at alpha = 2.4 takes 1.79e+04 GiB"),
        (("--alpha", "1e90"), "at alpha = 1e+90 takes"),
        (("--memory", "1e-9"), "more than the 1e-09 GiB allowed"),
        (("--kappa", "1e90"), "kappa must be at most 1e+30"),
        (("--kappa", "-1"), "kappa must be a positive number, got -1"),
        (("--samples", "1000000"), "at most 1000000 trials, got 6000000"),
        (("--samples", "9" * 5000), "--samples is an integer <= 1000000"),
        (("--sizes", "9" * 5000), "--sizes takes positive integers"),
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


def test_a_plot_does_not_replace_the_experiment(tmp_path):
    out = str(tmp_path / "run.png")
    result = run("--out", out, "--plot", out)
    assert result.exit_code == 2
    assert "--out and --plot name the same file" in result.output
    assert list(tmp_path.iterdir()) == []


def test_other_models_have_no_instances(tmp_path):
    out = tmp_path / "run.sqlite"
    other = ["experiment", "ubp", *ARGUMENTS[2:], "--out", str(out)]
    result = CliRunner().invoke(cli, other)
    assert result.exit_code == 2
    assert "instances are of theory.SBP or theory.ABP" in result.output
    assert not out.exists()
