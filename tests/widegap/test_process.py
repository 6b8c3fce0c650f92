"""The command as a process of its own: start-up, exit statuses, signals, pipes."""

import os
import signal
import subprocess
import sys

import pytest

import widegap

WIDEGAP = [sys.executable, "-m", "widegap"]
HEAVY = {"sympy", "numpy", "scipy", "numba", "flint", "mpmath", "matplotlib", "rich", "hypothesis"}
HEAVY |= {"distributed", "sqlite3", "multiprocessing"}


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WIDEGAP, *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["solve", "-h"],
        ["derive", "-h"],
        ["sweep", "-h"],
        ["plot", "-h"],
        ["verify", "-h"],
        [],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from widegap.cli import cli\n"
        f"try: cli.main({arguments!r}, prog_name='widegap')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert HEAVY.isdisjoint(result.stderr.split())
    assert "widegap" in result.stdout


def test_version() -> None:
    assert call("--version").stdout.split()[-1] == widegap.__version__


def test_bad_input_has_no_traceback() -> None:
    result = call("solve", "sbp", "--kappa", "-1", "--level", "3")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_interrupt_while_solving() -> None:
    program = (
        "import sys\n"
        "from widegap.progress import LevelProgress\n"
        "LevelProgress.update = lambda *_: print('working', file=sys.stderr, flush=True)\n"
        "sys.argv[1:] = ['solve', 'sbp', '--kappa', '1', '--level', '12']\n"
        "from widegap.__main__ import main\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert output == ""
    assert "Traceback" not in errors
    assert errors.endswith("widegap: interrupted\n")


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [*WIDEGAP, "derive", "sbp", "--level", "3"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert result.returncode == 1
    assert result.stderr == ""
