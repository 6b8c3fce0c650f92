"""The processes of a sweep: one thread each, no interrupts, and no life of their own."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from numerics import Solution, read_sweep, sweep
from numerics.runs.workers import LocalPool
from theory import SBP

SCRIPT = """
import multiprocessing, sys
from numerics import sweep
from theory import ABP, SBP, SK, Hopfield, Model

def tell(*count):
    print(*count, *(child.pid for child in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    kappas = [f"{k}/10" for k in range(5, 45)]
    sweep([SBP(k) for k in kappas], [2, 3], out=sys.argv[1], workers=2, progress=tell)
"""


USER = """
import numba, numpy as np
from numerics.runs.workers import LocalPool

@numba.njit
def total(x):
    return x.sum()

def task(n):
    return float(total(np.ones(n))), numba.get_num_threads()

if __name__ == "__main__":
    with LocalPool(1) as pool:
        print(pool.submit(task, 3).result(), pool.submit(task, 4).result())
"""


def test_a_script_may_use_numba_itself(tmp_path: Path) -> None:
    """Its main module loads numba before a process of the pool is told to use one thread."""
    script = tmp_path / "script.py"
    script.write_text(USER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "(3.0, 1) (4.0, 1)\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes of others")
def test_a_killed_sweep_loses_what_was_in_flight_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, script = tmp_path / "run.sqlite", tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        told: list[int] = [0]
        while told[0] < 2:
            told = [int(word) for word in process.stdout.readline().split()]
        workers = [os.pidfd_open(pid) for pid in told[3:]]
        process.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    for worker in workers:
        assert select.select([worker], [], [], 60)[0], "a process outlives its sweep"
        os.close(worker)

    solved: list[str] = []

    def pretended(model: SBP, levels: tuple[int, ...], **_: Any) -> Iterator[Solution]:
        solved.append(str(model.kappa))
        return (Solution(model, level, 1.0) for level in levels)

    monkeypatch.setattr(
        "numerics.thresholds.solve.solve_levels", pretended
    )  # the rest needs no real work
    stored = {row.parameters["kappa"] for row in read_sweep(out)}
    models = [SBP(f"{k}/10") for k in range(5, 45)]
    with ThreadPoolExecutor(1) as executor:
        found = sweep(models, [2, 3], out=out, executor=executor, resume=True)
    assert 2 <= len(stored) < 40
    assert stored.isdisjoint(solved)
    assert len(solved) == 40 - len(stored)
    assert [row.level for row in found] == [2, 3] * 40


def test_processes_have_one_thread_and_no_interrupts_and_this_one_is_left_alone() -> None:
    before = dict(os.environ)
    with LocalPool(1) as pool:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        assert [pool.submit(os.getenv, name).result() for name in names] == ["1"] * 4
        threads = pool.submit(eval, "__import__('numba').get_num_threads()")
        assert threads.result() == 1
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
    assert dict(os.environ) == before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="waits for the process at a named pipe")
def test_trouble_does_not_wait_for_the_processes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    forever = f"open({str(tmp_path / 'pipe')!r}, 'w') and __import__('threading').Event().wait()"

    def trouble(pool: LocalPool) -> None:
        with pool:
            pool.submit(eval, forever)
            with (tmp_path / "pipe").open():  # opens when the process has come there, too
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trouble(LocalPool(1))
    assert multiprocessing.active_children() == []
