"""What a user waits for before the first number: processes from start to end."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.rows import Row
from benchmarks.timing import measure

__all__ = ["run"]

_ALLOWED = 0.5
_PYTHON = (sys.executable, "-c")
_HELP = (sys.executable, "-m", "widegap", "--help")
_SOLVE = (sys.executable, "-m", "widegap", "solve", "sbp", "--kappa", "1", "--level", "4")


def run(quick: bool) -> list[Row]:
    """Time imports, the command line's help, and a first solve with a cold compile cache.

    Parameters
    ----------
    quick : bool
        Without the compile cache: filling it takes many seconds.

    Returns
    -------
    list of Row
    """
    rows = [
        _beyond("import", "import theory", (*_PYTHON, "import theory"), "import sympy"),
        _beyond("command line", "widegap --help", _HELP, "pass"),
    ]
    return rows if quick else [*rows, _compile_cache()]


def _beyond(name: str, measured: str, command: tuple[str, ...], program: str) -> Row:
    """Compare a process with one that runs another Python program."""
    baseline = (*_PYTHON, program)
    quantity, reference = measure(_process(command), _process(baseline), repeats=7)
    difference = quantity.value - reference.value
    return Row(
        name,
        measured,
        quantity,
        f"python -c {program!r}",
        reference,
        target=f"less than {_ALLOWED} s beyond the baseline",
        met=difference < _ALLOWED,
        remark=f"{difference:.3f} s beyond",
    )


def _compile_cache() -> Row:
    """Compare the first solve on a machine with later ones."""
    with tempfile.TemporaryDirectory(prefix="widegap-benchmark-") as folder:
        warm = _process(_SOLVE, _caches(Path(folder)))
        warm()  # fills it

        def cold() -> None:
            with tempfile.TemporaryDirectory(prefix="widegap-benchmark-") as empty:
                _process(_SOLVE, _caches(Path(empty)))()

        quantity, reference = measure(cold, warm, repeats=3, number=1)
    return Row(
        "compile cache",
        "widegap solve, level 4, with an empty cache",
        quantity,
        "the same with a full cache",
        reference,
        remark=f"{quantity.value - reference.value:.1f} s of compiling, once per machine",
    )


def _caches(folder: Path) -> dict[str, str]:
    """Environment variables that move both caches, widegap's and numba's, to a folder."""
    return {
        "WIDEGAP_CACHE_DIR": str(folder / "widegap"),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
    }


def _process(
    command: tuple[str, ...], variables: Mapping[str, str] | None = None
) -> Callable[[], object]:
    """A process to be run to its end; one that fails ends the benchmark."""
    return partial(
        subprocess.run,
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(variables or {})},
    )
