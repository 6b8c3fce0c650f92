"""``widegap sweep`` and ``widegap plot``: exact ranges, one line for bad input, files left alone."""

import io
import math
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

import numerics.runs.sweeps
from numerics import ConvergenceError, Limit, Solution, read_sweep, solve_levels
from theory import SBP
from widegap.commands.sweep import models_of
from widegap.show.progress import SweepProgress

SWEEP = ("sweep", "sbp", "--kappa", "0.5:2:0.5", "--levels", "2:3", "--out", "run.sqlite")


class Here(Executor):
    """The local pool's stand-in: computes in this process."""

    def __init__(self, workers: int) -> None:
        assert workers >= 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, ConvergenceError]:
    """No processes and no work; a kappa named here fails at level 3."""
    failing: dict[str, ConvergenceError] = {}

    def solve_levels(model: SBP, levels: Any, **_: Any) -> Iterator[Solution]:
        for level in levels:
            if level == 3 and str(model.kappa) in failing:
                raise failing[str(model.kappa)]
            yield Solution(model, level, float(model.kappa) ** 2 / (level - 1), error=1e-13)

    monkeypatch.setattr(numerics.runs.sweeps, "LocalPool", Here)
    monkeypatch.setattr("numerics.thresholds.solve.solve_levels", solve_levels)
    monkeypatch.setattr("numerics.limits.limit.limit", lambda model: Limit(model, 1.5, 1e-7))
    monkeypatch.chdir(tmp_path)
    return failing


# --- sweeping ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pretence")
def test_a_sweep_and_its_resumption(run: Callable[..., Result]) -> None:
    result = run(*SWEEP)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout == (
        "sbp, 4 points, levels 2 to 3: 4 computed now, 0 there before, 0 failed\n"
        "8 thresholds in run.sqlite\n"
    )
    longer = ("sweep", "sbp", "--kappa", "0.5:3:0.5", "--levels", "2:3", "--out", "run.sqlite")
    result = run(*longer, "--resume")
    assert result.stdout.startswith("sbp, 6 points, levels 2 to 3: 2 computed now, 4 there before")
    rows = {(row.parameters["kappa"], row.level): row.value for row in read_sweep("run.sqlite")}
    assert rows["5/2", 3] == 2.5**2 / 2
    assert len(rows) == 12


@pytest.mark.usefixtures("pretence")
def test_a_resumed_sweep_adds_levels(run: Callable[..., Result]) -> None:
    assert run(*SWEEP).exit_code == 0
    more = (*SWEEP[:4], "--levels", "2:5", *SWEEP[6:], "--resume")
    result = run(*more)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "sbp, 4 points, levels 2 to 5: 4 computed now, 0 there before, 0 failed\n"
        "16 thresholds in run.sqlite\n"
    )
    assert "0 computed now, 4 there before" in run(*more).stdout
    assert "0 computed now, 4 there before" in run(*SWEEP, "--resume").stdout


@pytest.mark.usefixtures("pretence")
def test_a_resumed_sweep_adds_the_limit_of_all_levels(run: Callable[..., Result]) -> None:
    assert run(*SWEEP).exit_code == 0
    more = (*SWEEP[:4], "--levels", "2:4,inf", *SWEEP[6:], "--resume")
    result = run(*more)
    assert result.stdout == (
        "sbp, 4 points, levels 2 to 4 and the limit of all: 4 computed now, 0 there before, 0 failed\n"
        "16 thresholds in run.sqlite\n"
    )
    assert "0 computed now, 4 there before" in run(*more).stdout
    sweep = read_sweep("run.sqlite")
    assert sweep.settings.levels == (2, 3, 4, math.inf)
    assert {row.value for row in sweep if row.level == math.inf} == {1.5}
    alone = run(*SWEEP[:4], "--levels", "inf", "--out", "other.sqlite")
    assert alone.stdout.startswith("sbp, 4 points, the limit of all levels: 4 computed now")
    refused(run(*more[:-1], "--digits", "16"), "extrapolated, to 10 digits at best")


@pytest.mark.usefixtures("pretence")
def test_a_failure_above_the_levels_wanted_is_none(run: Callable[..., Result], pretence) -> None:
    pretence["1"] = ConvergenceError("it did not settle", {}, 0.1)
    assert run(*SWEEP).exit_code == 1
    lower = run(*SWEEP[:4], "--levels", "2", *SWEEP[6:], "--resume")
    assert lower.exit_code == 0
    assert "4 there before, 0 failed" in lower.stdout


def test_failures_are_counted_kept_and_retried(
    run: Callable[..., Result], pretence: dict[str, ConvergenceError]
) -> None:
    error = ConvergenceError("it did not settle", {"p_2": 0.5, "value": 1.5}, 0.1)
    pretence |= {"1": error, "2": error}
    for arguments in (SWEEP, (*SWEEP, "--resume")):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "2 failed" in result.stdout
        assert "failed at kappa = 1: it did not settle" in result.stdout
        assert result.stderr.startswith("widegap: error: 2 of 4 points failed")
        assert result.stderr.count("\n") == 1
    del pretence["1"]
    result = run(*SWEEP, "--resume", "--retry")
    assert result.exit_code == 1
    assert "2 computed now, 2 there before, 1 failed" in result.stdout
    part = ("sweep", "sbp", "--kappa", "1", "--levels", "2:3", "--out", "run.sqlite")
    assert run(*part, "--resume").exit_code == 0  # the failure is none of this point's


@pytest.mark.usefixtures("pretence")
def test_more_failures_than_one_wants_to_read(run: Callable[..., Result], pretence: Any) -> None:
    values = range(1, 31)
    pretence |= {str(k): ConvergenceError("it did not settle", {}, 0.1) for k in values}
    result = run("sweep", "sbp", "--kappa", "1:30:1", "--levels", "3", "--out", "run.sqlite")
    assert result.stdout.count("it did not settle") == 10
    assert "20 more" in result.stdout


@pytest.mark.long
def test_a_real_sweep_in_processes_interrupted_and_resumed(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "run.sqlite"
    arguments = ["sweep", "sbp", "--kappa", "0.5:4.4:0.1", "--levels", "2:3", "--out", str(out)]
    program = (
        "import sys\n"
        "from widegap.show.progress import SweepProgress\n"
        "update = SweepProgress.update\n"
        "def tell(self, *count):\n"
        "    update(self, *count)\n"
        "    print(count[0], file=sys.stderr, flush=True)\n"
        "SweepProgress.update = tell\n"
        f"sys.argv[1:] = {[*arguments, '--workers', '2']!r}\n"
        "from widegap.__main__ import main\n"
        "main()\n"
    )
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", program], start_new_session=True, **pipes
    ) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "2\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert output == ""
    assert "Traceback" not in errors
    told = re.search(r"^(\d+) of 40 points are in .*--resume", errors, re.MULTILINE)
    assert told is not None
    assert errors.endswith("widegap: interrupted\n")
    found = read_sweep(out)
    assert 2 <= int(told[1]) < 40
    assert len(found) == 2 * int(told[1])
    reference = {s.level: s.value for s in solve_levels(SBP("0.5"), [2, 3])}
    values = {row.level: row.value for row in found if row.parameters == {"kappa": "1/2"}}
    assert values == pytest.approx(reference, rel=1e-12)


@pytest.mark.long
def test_a_cluster_gives_the_same(run: Callable[..., Result], tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    out, options = tmp_path / "run.sqlite", {"threads_per_worker": 2, "dashboard_address": None}
    with LocalCluster(n_workers=2, host="127.0.0.1", **options) as cluster:
        address = cluster.scheduler_address
        arguments = [*SWEEP[:-1], str(out), "--scheduler", address]
        result = run(*arguments)
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        assert "4 computed now" in result.stdout
        with Client(address, set_as_default=False) as client:
            took_part = client.run(lambda: "numerics.runs.workers" in sys.modules)
        assert list(took_part.values()) == [True, True]
        assert "0 computed now, 4 there before" in run(*arguments, "--resume").stdout
    found = read_sweep(out)
    for row in found:
        (expected,) = solve_levels(SBP(row.parameters["kappa"]), [row.level])
        assert row.value == pytest.approx(expected.value, rel=1e-12)
    assert len(found) == 8


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_progress_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    shown = stream()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with SweepProgress() as progress:
        for done in (3, 4, 5):
            progress.update(done, 12, 1)
    assert (progress.before, progress.done, progress.total, progress.failed) == (3, 5, 12, 1)
    if stream is Terminal:
        assert "5 of 12 points" in shown.getvalue()
        assert "1 failed" in shown.getvalue()
    else:
        assert shown.getvalue() == ""


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        *(
            ({"--kappa": kappa}, says)
            for kappa, says in {
                "": "A:B:STEP",
                ":": "A:B:STEP",
                "::": "A:B:STEP",
                "1:2": "A:B:STEP",
                "1:2:3:4": "A:B:STEP",
                "a:b:c": "A:B:STEP",
                "1/3/1:1:1/3": "A:B:STEP",
                "1/0:1:1/3": "A:B:STEP",
                "1/x:1:1/3": "A:B:STEP",
                "1/nan:1:1/3": "finite",
                f"1:2:1/{'1' * 200}": "at most 100 digits",
                "1" * 5000: "at most 100 digits",
                "2:1:0.5": "A <= B; got '2:1:0.5'",
                "1:2:0": "STEP > 0; got '1:2:0'",
                "1:2:-0.5": "STEP > 0",
                "nan:2:0.5": "finite",
                "1:nan:0.5": "finite",
                "1:2:nan": "finite",
                "1:inf:0.5": "finite",
                "0:1:1e-9": "at most 100000 points",
                "1:1e99:1e-99": "at most 100000 points",
                "1:1e999999:1": "between 1e-100 and 1e100",
                "1:2:1e-999999": "between 1e-100 and 1e100",
                f"1:2:0.{'1' * 200}": "at most 100 digits",
                "0:1:0.5": "kappa must be",
                "-1:1:0.5": "kappa must be",
                "-1": "kappa must be",
            }.items()
        ),
        *(
            ({"--levels": levels}, "--levels A:B needs 1 <= A <= B <= 50")
            for levels in ("0:3", "3:2", "0", "-1:2", "2:1000000000000")
        ),
        ({"--levels": "1:3"}, "level"),
        *(({"--levels": levels}, "--levels is A:B") for levels in ("", ":", "2:3:4", "2.5", "nan")),
        ({"--levels": None}, "--levels"),
        ({"--out": None}, "--out"),
        ({"--kappa": None}, "sbp needs --kappa A:B:STEP"),
        ({"--digits": "0"}, "--digits"),
        ({"--digits": "1000000"}, "digits"),
        ({"--workers": "0"}, "--workers is an integer >= 1"),
        ({"--workers": "2", "--scheduler": "127.0.0.1:1"}, "--workers counts processes"),
        ({"--retry": True}, "add --resume"),
        ({"--out": "missing/run.sqlite"}, "does not exist"),
        ({"--out": "."}, "is not a file"),
        ({"--out": "x" * 1000}, "no file"),
        ({"--scheduler": "nonsense"}, "no Dask scheduler at --scheduler nonsense"),
    ],
)
def test_one_line_and_status_2(
    run: Callable[..., Result],
    change: dict[str, Any],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = dict(zip(SWEEP[2::2], SWEEP[3::2], strict=True)) | change
    given: list[str] = []
    for option, value in options.items():
        given += [] if value is None else [option] if value is True else [option, value]
    refused(run("sweep", "sbp", *given), says)
    assert list(tmp_path.iterdir()) == []


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("widegap: error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


@pytest.mark.usefixtures("pretence")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (SWEEP, "run.sqlite exists"),
        (
            (*SWEEP, "--resume", "--digits", "10"),
            "digits = 12, and cannot be resumed with digits = 10",
        ),
        ((*SWEEP, "--resume", "--scheduler", "127.0.0.1:1"), "no Dask scheduler"),
        ((*SWEEP, "--scheduler", "127.0.0.1:1"), "run.sqlite exists"),
    ],
)
def test_a_file_stays_as_it_was(
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setattr("widegap.cluster.PATIENCE", 0.5)
    assert run(*SWEEP).exit_code == 0
    before = Path("run.sqlite").read_bytes()
    refused(run(*arguments), says)
    assert Path("run.sqlite").read_bytes() == before
    assert list(Path().iterdir()) == [Path("run.sqlite")]


@pytest.mark.usefixtures("pretence")
@pytest.mark.parametrize("command", ["sweep", "plot"])
def test_another_file_is_not_a_sweep(run: Callable[..., Result], command: str) -> None:
    Path("run.sqlite").write_text("kappa,alpha\n")
    refused(
        run(*((*SWEEP, "--resume") if command == "sweep" else ("plot", "run.sqlite"))),
        "not a sweep",
    )
    assert Path("run.sqlite").read_text() == "kappa,alpha\n"
    assert list(Path().iterdir()) == [Path("run.sqlite")]


@contextmanager
def listening() -> Iterator[str]:
    """Address of somebody who answers the telephone and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_scheduler_that_does_not_answer(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("widegap.cluster.PATIENCE", 0.5)
    out = tmp_path / "run.sqlite"
    with listening() as address:
        refused(
            run(*SWEEP[:-1], str(out), "--scheduler", address),
            f"no Dask scheduler at --scheduler {address}",
        )
    refused(
        run(*SWEEP[:-1], str(out), "--scheduler", address),
        f"no Dask scheduler at --scheduler {address}",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_without_the_extra(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    out = tmp_path / "run.sqlite"
    refused(
        run(*SWEEP[:-1], str(out), "--scheduler", "127.0.0.1:1"), "pip install 'widegap[cluster]'"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "values", "count"),
    [
        ("negative-hopfield", {"alpha": ("0.1", "0.2", "0.3")}, 3),
        ("sbp", {"kappa": ("1",), "alpha": ("2", "3")}, 2),
        ("abp", {"kappa": ("-1", "0")}, 2),
        ("sk", {}, 1),
    ],
)
def test_models_are_made_from_the_parameters_they_have(
    model: str, values: dict[str, tuple[str, ...]], count: int
) -> None:
    exact = {name: tuple(map(Fraction, given)) for name, given in values.items()}
    models = models_of(model, exact)
    assert len(models) == count
    assert {each.name for each in models} == {model}
    assert {str(name) for name in models[-1].parameters} == set(values)
    for name, taken in exact.items():
        assert models[-1].parameters[getattr(models[-1].generic, name)] == Fraction(taken[-1])


@pytest.mark.parametrize(
    ("model", "values", "says"),
    [
        ("sk", {"kappa": ("1",)}, "sk takes no --kappa; it has no parameter"),
        ("negative-hopfield", {"kappa": ("1",)}, "takes no --kappa; it has --alpha"),
        ("negative-hopfield", {}, "needs --alpha A:B:STEP"),
        ("sbp", {"alpha": ("1",)}, "sbp needs --kappa A:B:STEP"),
        ("negative-hopfield", {"alpha": ("0",)}, "alpha must be"),
    ],
)
def test_parameters_that_a_model_does_not_have_or_needs(
    model: str, values: dict[str, tuple[str, ...]], says: str
) -> None:
    with pytest.raises(click.UsageError, match=re.escape(says)):
        models_of(model, {name: tuple(map(Decimal, given)) for name, given in values.items()})


# --- plotting ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pretence")
def test_a_plot_goes_beside_its_run_or_where_it_is_told(run: Callable[..., Result]) -> None:
    run(*SWEEP)
    before = Path("run.sqlite").read_bytes()
    result = run("plot", "run.sqlite")
    assert (result.exit_code, result.stdout) == (0, "plot written to run.png\n")
    assert run("plot", "run.sqlite", "--out", "figure.svg").exit_code == 0
    assert Path("run.png").read_bytes().startswith(b"\x89PNG")
    assert Path("figure.svg").read_text().rstrip().endswith("</svg>")
    assert {path.name for path in Path().iterdir()} == {"run.sqlite", "run.png", "figure.svg"}
    assert Path("run.sqlite").read_bytes() == before


@pytest.mark.usefixtures("pretence")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("other.sqlite",), "other.sqlite does not exist"),
        (("run.sqlite", "--out", "run.txt"), ".png, .svg, .pdf"),
        (("run.sqlite", "--out", "missing/run.png"), "does not exist"),
        (("empty.sqlite",), "nothing to draw"),
        ((".",), "not a file"),
        (("",), "not a file"),
        (("x" * 1000,), "no file"),
        ((), "RUN"),
    ],
)
def test_what_cannot_be_plotted(
    run: Callable[..., Result],
    pretence: dict[str, ConvergenceError],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    run(*SWEEP)
    pretence["1"] = ConvergenceError("it did not settle", {}, 0.1)
    run("sweep", "sbp", "--kappa", "1", "--levels", "3", "--out", "empty.sqlite")
    before = sorted(Path().iterdir())
    refused(run("plot", *arguments), says)
    assert sorted(Path().iterdir()) == before


@pytest.mark.usefixtures("pretence")
def test_a_plot_does_not_replace_its_run(run: Callable[..., Result]) -> None:
    run(*SWEEP[:-1], "run.png")
    before = Path("run.png").read_bytes()
    refused(run("plot", "run.png"), "run.png is the sweep itself")
    assert Path("run.png").read_bytes() == before
