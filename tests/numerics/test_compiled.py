"""What is compiled is compiled from the sources as they are."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from numerics import solve
from numerics.compiled import njit
from numerics.functionals.doubles import evaluator_of
from theory import SBP, free_energy

OUTER = """
from numerics.compiled import njit
from inner import factor

@njit
def outer(x):
    return factor(x) + 1.0

@njit(fastmath=True)
def other(x):
    return outer(x)

print(other(10.0))
"""
INNER = """
from numerics.compiled import njit

@njit(inline="always")
def factor(x):
    return {} * x
"""


@pytest.mark.long
@pytest.mark.parametrize("variable", ["WIDEGAP_CACHE_DIR", "NUMBA_CACHE_DIR"])
def test_a_change_in_what_is_called_is_seen(tmp_path: Path, variable: str) -> None:
    """The caller's file, numba's stamp, stays as it is; a second run of the same sources compiles nothing."""
    sources, kept = tmp_path / "sources", tmp_path / "kept"
    sources.mkdir()
    (sources / "outer.py").write_text(OUTER)
    env = {**os.environ, variable: str(kept)}
    if variable == "WIDEGAP_CACHE_DIR":
        env.pop("NUMBA_CACHE_DIR", None)

    def printed(value: float) -> tuple[float, int]:
        (sources / "inner.py").write_text(INNER.format(value))
        run = subprocess.run(
            [sys.executable, "outer.py"], cwd=sources, env=env, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return float(run.stdout), len(list(kept.rglob("*.nbc")))

    first, files = printed(2.0)
    assert first == 21.0
    assert files > 0
    assert printed(2.0) == (first, files)
    changed, more = printed(3.0)
    assert changed == 31.0
    assert more > files


def test_the_cache_of_others_stays_where_it_is() -> None:
    before = numba.config.CACHE_DIR

    @njit
    def one() -> int:
        return 1

    assert one() == 1
    assert before == numba.config.CACHE_DIR


def test_interrupts_end_an_evaluation_as_themselves():
    """They come while numba makes arrays, too: no segmentation fault, no SystemError."""
    model = SBP(1)
    evaluate = evaluator_of(free_energy(model, 4), free_energy(model.generic, 4))
    gaps = np.array(solve(model, 4).gaps, dtype=float)
    draw = np.random.default_rng(0)
    came = 0

    class Interrupt(Exception):
        pass

    def stop(*_: object) -> None:
        nonlocal came
        came += 1
        raise Interrupt

    def until(seconds: float) -> None:
        already = came
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while came == already:
            evaluate.at_gaps(gaps)

    before = signal.signal(signal.SIGALRM, stop)
    gc.disable()  # Python drops what is raised in the collector's callbacks, of which hypothesis has one
    try:
        for _ in range(200):
            with pytest.raises(Interrupt):
                until(1e-4 + 2e-3 * draw.random())
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
