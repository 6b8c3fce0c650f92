"""The network command: errors against widths, resumed from its file, bad input refused."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from verify.wide.experiments import read_widths
from widegap.cli import cli


@pytest.fixture
def data(tmp_path):
    """Three inputs in a file."""
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((3, 2)))
    return str(path)


def run(*arguments: str):
    return CliRunner().invoke(cli, ["network", *arguments])


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]


def test_errors_fall_with_the_width_as_predicted_and_resume(data, tmp_path):
    out, plot = tmp_path / "run.sqlite", tmp_path / "error.svg"
    asked = ("deq", "--sigma-w", "0.5", "--data", data, "--widths", "50,200", "--draws", "96")
    first = run(*asked, "--out", str(out), "--workers", "1", "--plot", str(plot))
    assert first.exit_code == 0, first.output
    (small, wide) = rows(first.stdout)
    assert (small[0], small[1], wide[0]) == ("50", "96", "200")
    for row in (small, wide):
        assert float(row[2]) == pytest.approx(float(row[3]), rel=0.3)
        assert row[-1] == "0"
    assert float(small[2]) == pytest.approx(2.0 * float(wide[2]), rel=0.25)
    assert plot.read_text().startswith("<?xml")
    assert sum(block.draws for block in read_widths(out)) == 192
    again = run(*asked, "--out", str(out))
    assert again.exit_code == 2
    assert "exists; resume it" in again.output
    resumed = run(*asked, "--out", str(out), "--workers", "1", "--resume")
    assert resumed.stdout == first.stdout
    more = ("50,200,400" if a == "50,200" else a for a in asked)
    longer = run(*more, "--out", str(out), "--workers", "1", "--resume")
    assert longer.exit_code == 0, longer.output
    assert rows(longer.stdout)[:2] == [small, wide]


def test_perceptrons_have_no_prediction_and_no_equilibrium(data, tmp_path):
    result = run(
        *("mlp", "--activation", "tanh", "--depth", "2", "--data", data, "--widths", "40"),
        *("--draws", "20", "--out", str(tmp_path / "run.sqlite"), "--workers", "1"),
    )
    assert result.exit_code == 0, result.output
    assert rows(result.stdout)[0][3] == "-"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deq", "--sigma-w", "1.2"), "must be below 1"),
        (("deq", "--depth", "2"), "no --depth"),
        (("mlp", "--sigma-u", "1"), "mlp takes no --sigma-u"),
        (("rnn",), "unknown network 'rnn'"),
        (("deq", "--activation", "__import__('os')"), "activation"),
        (("deq", "--widths", "0"), "--widths takes positive integers"),
        (("deq", "--widths", "50000", "--memory", "0.001"), "its budget is 0.001 GiB"),
        (("deq", "--draws", "1"), "--draws"),
        (("deq", "--plot", "error.gif"), "--plot needs a name ending in"),
        (("deq", "--workers", "2", "--scheduler", "tcp://x:1"), "--scheduler uses others"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(data, tmp_path, arguments, message):
    out = tmp_path / "run.sqlite"
    result = run(*arguments, "--data", data, "--out", str(out))
    assert result.exit_code == 2
    assert message in result.output
    assert not out.exists()


def test_nan_in_the_data_is_named(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([[1.0], [np.nan]]))
    result = run("deq", "--data", str(path), "--out", str(tmp_path / "run.sqlite"))
    assert result.exit_code == 2
    assert "NaN or infinite entries, the first in row 1" in result.output
