"""Experiments over widths: one file, resumed, on any executor."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from numerics import deq_kernel
from verify.networks import Network
from verify.networks.experiments import (
    WidthFileError,
    errors_by_width,
    read_widths,
    width_experiment,
)
from verify.networks.network import MemoryBudgetError

X = np.array([[1.0, 0.4, -0.3], [0.8, 0.9, 0.2]])
NET = Network("deq", "tanh", sigma_w=0.5, sigma_b=0.2)


def test_a_stopped_experiment_resumes_and_loses_nothing(tmp_path):
    whole, stopped = tmp_path / "whole.sqlite", tmp_path / "stopped.sqlite"
    told = []

    def stop(done, total, failed):
        if done == 3:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        every = width_experiment(NET, X, (20, 40), 30, out=whole, blocks=4, executor=pool)
        with pytest.raises(KeyboardInterrupt):
            width_experiment(
                NET, X, (20, 40), 30, out=stopped, blocks=4, executor=pool, progress=stop
            )
        before = read_widths(stopped)
        assert 3 <= len(before) < 8
        again = width_experiment(
            NET, X, (20, 40), 30, out=stopped, blocks=4, executor=pool, resume=True,
            progress=lambda *now: told.append(now),
        )  # fmt: skip
    assert again == every
    assert told[0] == (len(before), 8, 0)
    assert told[-1] == (8, 8, 0)


def test_errors_fall_like_the_root_of_the_width(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        found = width_experiment(
            NET, X, (25, 400), 40, out=tmp_path / "a.sqlite", blocks=3, executor=pool
        )
    kernel = deq_kernel(X, activation="tanh", sigma_w=0.5, sigma_b=0.2).nngp
    errors = errors_by_width(found, kernel)
    assert errors[25][0] / errors[400][0] == pytest.approx(4.0, rel=0.25)
    assert all(e[3] == 0 for e in errors.values())


def test_failures_are_counted(tmp_path):
    wild = Network("deq", "max(x, 0) + 0*abs(x)", sigma_w=3.0, sigma_b=1.0, expansive=True)
    with ThreadPoolExecutor(1) as pool:
        (found,) = width_experiment(
            wild, X, (40,), 4, out=tmp_path / "a.sqlite", blocks=1, executor=pool
        )
    assert found.failures >= 1


def test_bad_input_leaves_no_file(tmp_path):
    out = tmp_path / "a.sqlite"
    with pytest.raises(MemoryBudgetError):
        width_experiment(NET, X, (10_000,), 1, out=out, memory=2**20)
    with pytest.raises(ValueError, match="width must be at least 1"):
        width_experiment(NET, X, (0,), 1, out=out)
    with pytest.raises(ValueError, match="nothing to draw"):
        width_experiment(NET, X, (), 1, out=out)
    with pytest.raises(ValueError, match="at most 1000000 blocks"):
        width_experiment(NET, X, (10, 20), 1, out=out, blocks=10**6)
    huge = Network("mlp", "relu", depth=1, sigma_w=1e45, sigma_v=1e45)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="beyond 1e150"):
        width_experiment(huge, X, (10,), 2, out=tmp_path / "b.sqlite", blocks=1, executor=pool)
    assert not out.exists()
    with ThreadPoolExecutor(1) as pool:
        width_experiment(NET, X, (10,), 2, out=out, blocks=1, executor=pool)
        with pytest.raises(WidthFileError, match="exists"):
            width_experiment(NET, X, (10,), 2, out=out, executor=pool)
        with pytest.raises(WidthFileError):
            width_experiment(NET, X, (10,), 3, out=out, executor=pool, resume=True)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE blocks SET sums = '[[1.0]]'", "sums is no matrix of"),
        ("UPDATE blocks SET squares = 'x'", "no JSON"),
        ("UPDATE blocks SET sums = replace(sums, '[[', '[[NaN, ')", "NaN is no number of JSON"),
        ("UPDATE blocks SET draws = 'x'", "draws holds 'x'"),
        ("UPDATE blocks SET failures = 99", "width, block, draws and failures hold"),
        ("UPDATE settings SET value = '3' WHERE name = 'inputs'", "no JSON list|cannot be resumed"),
        ("DROP TABLE blocks", "its table blocks"),
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path, damage, says):
    out = tmp_path / "a.sqlite"
    with ThreadPoolExecutor(1) as pool:
        width_experiment(NET, X, (10,), 2, out=out, blocks=1, executor=pool)
        with sqlite3.connect(out) as connection:
            connection.executescript(damage)
        connection.close()
        before = out.read_bytes()
        with pytest.raises(WidthFileError, match=says):
            read_widths(out)
        with pytest.raises(WidthFileError, match=says):
            width_experiment(NET, X, (10,), 2, out=out, blocks=2, executor=pool, resume=True)
    assert out.read_bytes() == before


@pytest.mark.slow
def test_on_processes(tmp_path):
    found = width_experiment(NET, X, (20,), 5, out=tmp_path / "a.sqlite", blocks=2, workers=2)
    assert len(found) == 2
