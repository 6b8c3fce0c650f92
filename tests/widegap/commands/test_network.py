"""The network command: errors against widths, resumed from its file, bad input refused."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from numerics import deq_kernel, mlp_kernel
from verify.networks import Network, sample
from verify.networks.experiments import read_widths
from verify.networks.predictions import one_step_error
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


@pytest.mark.long
def test_errors_fall_with_the_width_as_predicted_and_resume(data, tmp_path):
    out, plot = tmp_path / "run.sqlite", tmp_path / "error.svg"
    asked = ("deq", "--sigma-w", "0.5", "--data", data, "--widths", "50,200", "--draws", "12")
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
        *("--draws", "5", "--blocks", "4", "--out", str(tmp_path / "run.sqlite"), "--workers", "1"),
    )
    assert result.exit_code == 0, result.output
    assert rows(result.stdout)[0][1] == "20"
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
        (("deq", "--draws", "0"), "--draws"),
        (("deq", "--draws", "100000000000"), "a block of width 100 with 3 inputs needs"),
        (("deq", "--blocks", "0"), "--blocks"),
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


@pytest.mark.parametrize("kind", ["deq", "mlp"])
def test_what_is_printed_is_what_the_kernel_and_the_draws_say(data, tmp_path, kind):
    out = tmp_path / "run.sqlite"
    scales = {"sigma_w": 0.5, "sigma_b": 0.3, "sigma_v": 1.7}
    own = {"sigma_u": 1.3} if kind == "deq" else {"depth": 2}
    asked = [f"--{k.replace('_', '-')}={v}" for k, v in (scales | own).items()]
    result = run(
        *(kind, *asked, "--activation", "tanh", "--data", data, "--widths", "60", "--draws", "6"),
        *("--blocks", "3", "--workers", "1", "--out", str(out)),
    )
    assert result.exit_code == 0, result.output
    x = np.load(data)
    kernel = (deq_kernel if kind == "deq" else mlp_kernel)(
        x, activation="tanh", **scales, **own
    ).nngp
    streams = [np.random.SeedSequence((0, 60, b)).generate_state(1, np.uint64)[0] for b in range(3)]
    network = Network(kind, "tanh", 60, **(scales | own))
    drawn = np.concatenate(
        [sample(network, x, 6, seed=int(s), heads=0).covariance for s in streams]
    )
    off = (drawn - kernel) / np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    at = np.unravel_index(np.abs(off.mean(axis=0)).argmax(), kernel.shape)
    (row,) = rows(result.stdout)
    assert float(row[2]) == pytest.approx(np.sqrt(np.mean(off**2)), abs=6e-5)
    assert float(row[4]) == pytest.approx(abs(off.mean(axis=0)[at]), abs=6e-5)
    assert float(row[5]) == pytest.approx(off.std(axis=0)[at] / 18**0.5, abs=6e-5)
    if kind == "deq":
        assert float(row[3]) == pytest.approx(one_step_error(x, network), abs=6e-5)


@pytest.mark.filterwarnings("error")
def test_inputs_that_every_network_sends_to_zero_have_no_error(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([[1.0, 2.0], [0.0, 0.0]]))
    result = run(
        *("deq", "--data", str(path), "--widths", "50", "--workers", "1"),
        *("--out", str(tmp_path / "run.sqlite")),
    )
    assert result.exit_code == 0, result.output
    assert "nan" not in result.output
    (row,) = rows(result.stdout)
    assert float(row[2]) == pytest.approx(float(row[3]), rel=0.3)


@pytest.mark.parametrize(("size", "sense"), [(1e90, "inputs down"), (1e-200, "data up")])
def test_data_beyond_the_range_of_squares_are_refused_at_once(tmp_path, size, sense):
    path, out = tmp_path / "x.npy", tmp_path / "run.sqlite"
    np.save(path, np.array([[size, min(size, 1.0)]]))
    result = run("deq", "--data", str(path), "--out", str(out))
    assert result.exit_code == 2
    assert f"scale the {sense}" in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()


@pytest.mark.long
def test_more_blocks_can_be_added(data, tmp_path):
    out = str(tmp_path / "run.sqlite")
    asked = (
        "deq",
        "--data",
        data,
        "--widths",
        "30",
        "--draws",
        "3",
        "--workers",
        "1",
        "--out",
        out,
    )
    assert rows(run(*asked, "--blocks", "2").stdout)[0][1] == "6"
    assert rows(run(*asked, "--blocks", "5", "--resume").stdout)[0][1] == "15"
