"""The command as a process of its own: start-up, exit statuses, signals, pipes."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.long
def test_interrupt_while_solving() -> None:
    program = (
        "import sys\n"
        "from widegap.show.progress import LevelProgress\n"
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


@pytest.mark.long
def test_termination_keeps_what_was_found(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "import numerics.thresholds.solve\n"
        "from numerics import Solution\n"
        "def levels(model, *_):\n"
        "    yield Solution(model, 2, 1.5)\n"
        "    print('working', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "numerics.thresholds.solve._levels = levels\n"
        "sys.argv[1:] = ['solve', 'sbp', '--kappa', '1', '--level', '3', *sys.argv[1:]]\n"
        "from widegap.__main__ import main\n"
        "main()\n"
    )
    for option, last in ([], "1.50000"), (["--json"], '"failure": "interrupted"'):
        with subprocess.Popen(
            [sys.executable, "-c", program, *option],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "working\n"
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=60)
        assert process.returncode == 143
        assert errors == "\nwidegap: terminated\n"
        assert last in output


DERIVE = ["derive", "sbp", "--level", "2"]
PLOT = ["solve", "sk", "--level", "2", "--plot", "a.png"]


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "arguments", [DERIVE, PLOT, ["--version"], ["solve", "--help"], ["kernel"]]
)
def test_a_full_disk_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [*WIDEGAP, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            timeout=120,
        )
    assert result.returncode == 1
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    assert "No space left" in result.stderr
    # what can be written is written
    assert (tmp_path / "a.png").exists() == (arguments is PLOT)


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed in another way elsewhere")
@pytest.mark.parametrize(
    ("closed", "status", "says"),
    [
        (">&-", 1, "widegap: error: cannot write the result: the standard output is closed\n"),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
        ("2>&- >&-", 1, ""),
    ],
)
def test_closed_streams(closed: str, status: int, says: str) -> None:
    program = " ".join([shlex.quote(word) for word in (*WIDEGAP, *DERIVE)])
    result = subprocess.run(
        ["sh", "-c", f"{program} {closed}"], capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr) == (status, says)
    assert ("alpha =" in result.stdout) == (status == 0)


def test_refusals_keep_their_status_where_nobody_reads() -> None:
    program = " ".join([shlex.quote(word) for word in WIDEGAP])
    for stream in ("2>/dev/full", "2>&-"):
        result = subprocess.run(
            ["sh", "-c", f"{program} derive sbp --level x {stream}"],
            capture_output=True,
            timeout=120,
        )
        assert result.returncode == 2


def test_the_packages_are_typed() -> None:
    import numerics
    import theory
    import verify

    for package in (theory, numerics, verify, widegap):
        assert package.__file__ is not None
        assert (Path(package.__file__).parent / "py.typed").is_file()


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
