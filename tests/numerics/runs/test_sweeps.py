"""Sweeps: what is finished stays, nothing is computed twice, a file is taken for what it is."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics import (
    ConvergenceError,
    ResolutionError,
    Solution,
    Statistics,
    Sweep,
    SweepFileError,
    WorkersError,
    read_sweep,
    solve_levels,
    sweep,
)
from numerics.runs.store import SweepStore
from numerics.runs.sweeps import missing, sweep_settings
from theory import ABP, SBP, SK, Hopfield, Model

KAPPAS = ("0.5", "1", "3/2", "2")
MODELS = [SBP(kappa) for kappa in KAPPAS]


class Inline(Executor):
    """Computes here and now; counts, and can run into trouble at a given task."""

    def __init__(self, trouble: BaseException | None = None, at: int = -1) -> None:
        self.solved: list[str] = []
        self.trouble, self.at = trouble, at

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if len(self.solved) == self.at and self.trouble is not None:
            future.set_exception(self.trouble)
        else:
            self.solved.append(str(getattr(args[0], "kappa", "")))
            future.set_result(fn(*args, **kwargs))
        return future


def pretended(model: SBP, level: int) -> Solution:
    value = float(model.kappa) / level
    return Solution(model, level, value, (0.5,), order_parameters={"p_2": 0.5}, error=1e-13)


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """Solutions without work; a model named here fails at level 3."""
    failing: dict[str, Exception] = {}

    def solve_levels(model: SBP, levels: Any, *, digits: int, progress: Any) -> Iterator[Solution]:
        for level in range(2, max(levels) + 1):
            progress(level, "derive", 0.0)
            if level == 3 and str(model.kappa) in failing:
                raise failing[str(model.kappa)]
            if level in levels:
                yield pretended(model, level)

    monkeypatch.setattr("numerics.thresholds.solve.solve_levels", solve_levels)
    return failing


def content(found: Sweep) -> list[tuple[Any, ...]]:
    rows = [(row.parameters, row.level, row.value, row.solution["branches"]) for row in found]
    return [*rows, *[(f.parameters, f.level, f.message) for f in found.failures]]


# --- what is stored ------------------------------------------------------------------------------


@pytest.mark.long
def test_rows_are_what_solve_levels_finds(tmp_path: Path) -> None:
    found = sweep(MODELS[:2], [3, 2], out=tmp_path / "run.sqlite", executor=Inline())
    assert found == read_sweep(tmp_path / "run.sqlite")
    expected = [solution for model in MODELS[:2] for solution in solve_levels(model, [2, 3])]
    assert len(found) == len(expected) == 4
    for row, solution in zip(found, expected, strict=True):
        whole = solution.to_dict()
        for each in (whole, row.solution):
            del each["statistics"]["seconds"]
        assert row.solution == whole
        assert (row.level, row.value, row.error) == (solution.level, solution.value, solution.error)
        assert (row.digits, row.branch) == (solution.digits, solution.branch)
        assert row.parameters == {"kappa": str(solution.model.parameters[SBP().kappa])}


def test_the_tables_are_as_documented(pretence: dict[str, Exception], tmp_path: Path) -> None:
    pretence["1"] = ConvergenceError("it did not settle", {"p_2": 0.25, "value": 1.5}, math.nan)
    sweep(MODELS, [2, 3], out=tmp_path / "run.sqlite", executor=Inline())
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    with contextlib.closing(connection):
        curve = "SELECT kappa, value FROM solutions WHERE level = 3 ORDER BY kappa"
        assert connection.execute(curve).fetchall() == [(0.5, 0.5 / 3), (1.5, 0.5), (2.0, 2 / 3)]
        (failure,) = connection.execute("SELECT * FROM failures").fetchall()
        settings = dict(connection.execute("SELECT name, value FROM settings").fetchall())
    best = '{"p_2": 0.25, "value": 1.5}'
    told = ("ConvergenceError", "it did not settle", best, None)
    assert failure == ('{"kappa": "1"}', 1.0, 3, *told)
    assert settings["model"] == "sbp"
    assert settings["levels"] == "2 3"
    assert settings["digits"] == "12"


@pytest.mark.parametrize(
    ("models", "parameters", "quantity"),
    [
        ([Hopfield(alpha=a) for a in ("0.3", "0.1")], [{"alpha": "1/10"}, {"alpha": "3/10"}], "xi"),
        (
            [SBP(k, a) for k in (1, 2) for a in ("7/3", 3)],
            [{"kappa": k, "alpha": a} for k in ("1", "2") for a in ("7/3", "3")],
            "xi",
        ),
        ([SK()], [{}], "xi"),
        ([ABP(0), ABP("-1/2")], [{"kappa": "-1/2"}, {"kappa": "0"}], "alpha"),
    ],
)
def test_any_parameters_can_be_swept(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    models: list[Model],
    parameters: list[dict[str, str]],
    quantity: str,
) -> None:
    def solve_levels(model: Model, levels: Any, **_: Any) -> Iterator[Solution]:
        return (Solution(model, level, 1.0 / level) for level in levels)

    monkeypatch.setattr("numerics.thresholds.solve.solve_levels", solve_levels)
    monkeypatch.setattr("numerics.runs.sweeps.solve_levels", solve_levels)
    found = sweep(models, [2, 3], out=tmp_path / "run.sqlite", executor=Inline())
    again = sweep(models, [2, 3], out=tmp_path / "run.sqlite", executor=Inline(), resume=True)
    assert [row.parameters for row in found if row.level == 2] == parameters
    assert found.settings.quantity == quantity
    assert again == found


def test_a_value_that_is_not_finite_is_a_failed_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def solve_levels(model: SBP, levels: Any, **_: Any) -> Iterator[Solution]:
        yield Solution(model, 2, 1.0)
        yield Solution(model, 3, math.inf)

    monkeypatch.setattr("numerics.thresholds.solve.solve_levels", solve_levels)
    found = sweep(MODELS[:1], [2, 3], out=tmp_path / "run.sqlite", executor=Inline())
    assert [row.level for row in found] == [2]
    assert "alpha is inf, no finite number" in found.failures[0].message


def test_a_value_beyond_doubles_is_a_failed_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    large = Solution(SBP(40), 2, mpmath.mpf("1e349"), error=mpmath.mpf("1e320"), digits=20)
    monkeypatch.setattr("numerics.thresholds.solve.solve_levels", lambda *_, **__: iter([large]))
    found = sweep([SBP(40)], [2], out=tmp_path / "run.sqlite", executor=Inline(), digits=20)
    assert len(found) == 0
    assert "1.0e+349 is beyond what a sweep's table holds" in found.failures[0].message


def test_a_point_is_in_the_file_when_it_is_told(
    pretence: dict[str, Exception], tmp_path: Path
) -> None:
    told = []

    def look(done: int, total: int, failed: int) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as other:
            (rows,) = other.execute("SELECT count(*) FROM solutions").fetchone()
        told.append((done, total, failed, rows, len(read_sweep(tmp_path / "run.sqlite"))))

    sweep(MODELS, [2, 3], out=tmp_path / "run.sqlite", executor=Inline(), progress=look)
    assert told == [(k, 4, 0, 2 * k, 2 * k) for k in range(5)]
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]


# --- resuming ------------------------------------------------------------------------------------


def test_no_point_is_computed_twice(pretence: dict[str, Exception], tmp_path: Path) -> None:
    out, first, second = tmp_path / "run.sqlite", Inline(), Inline()
    sweep([*MODELS[:2], SBP("0.50"), SBP(0.5)], [2, 3], out=out, executor=first)
    sweep(MODELS, [2, 3], out=out, executor=second, resume=True)
    assert first.solved == ["1/2", "1"]
    assert second.solved == ["3/2", "2"]
    third = Inline()
    before = out.read_bytes()
    found = sweep(MODELS[::-1], [2, 3], out=out, executor=third, resume=True)
    assert third.solved == []
    assert out.read_bytes() == before
    assert [row.coordinates["kappa"] for row in found if row.level == 2] == [0.5, 1.0, 1.5, 2.0]


def test_levels_are_added_and_none_is_lost(pretence: dict[str, Exception], tmp_path: Path) -> None:
    out, first, second, third = tmp_path / "run.sqlite", Inline(), Inline(), Inline()
    sweep(MODELS[:2], [2, 4], out=out, executor=first)
    found = sweep(MODELS, [3, 2], out=out, executor=second, resume=True)
    assert found.settings.levels == (2, 3, 4)
    assert second.solved == ["1/2", "1", "3/2", "2"]
    levels = {row.parameters["kappa"]: [] for row in found}
    for row in found:
        levels[row.parameters["kappa"]].append(row.level)
    assert levels == {"1/2": [2, 3, 4], "1": [2, 3, 4], "3/2": [2, 3], "2": [2, 3]}
    before = out.read_bytes()
    assert sweep(MODELS, [2], out=out, executor=third, resume=True) == found
    assert third.solved == []
    assert out.read_bytes() == before


def test_a_failure_counts_where_its_level_is_wanted(
    pretence: dict[str, Exception], tmp_path: Path
) -> None:
    pretence["1"] = ConvergenceError("it did not settle", {}, 0.1)
    out, told = tmp_path / "run.sqlite", []
    found = sweep(MODELS, [2, 3], out=out, executor=Inline())
    assert [one.parameters for one in missing(found, MODELS, [2, 3])] == [{"kappa": "1"}]
    assert missing(found, MODELS[:1], [2, 3]) == []
    assert missing(found, MODELS, [2]) == []
    sweep(MODELS, [2], out=out, executor=Inline(), resume=True, progress=lambda *n: told.append(n))
    assert told == [(4, 4, 0)]


@pytest.mark.parametrize("kappa", ["1e-900", "1e900"])
def test_parameters_that_no_column_holds(tmp_path: Path, kappa: str) -> None:
    with pytest.raises(ValueError, match="numbers a double can hold; sbp has kappa ="):
        sweep([SBP(kappa)], [2], out=tmp_path / "run.sqlite", executor=Inline())
    assert list(tmp_path.iterdir()) == []


@given(cut=st.integers(0, 4), order=st.permutations(range(4)))
def test_an_interrupted_sweep_ends_as_if_it_had_not_been(
    tmp_path_factory: pytest.TempPathFactory, cut: int, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("sweep")
    models = [MODELS[k] for k in order]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "numerics.thresholds.solve.solve_levels",
            lambda model, levels, **_: (pretended(model, level) for level in levels),
        )
        whole = sweep(MODELS, [2, 3], out=folder / "whole", executor=Inline())

        def interrupt(done: int, total: int, failed: int) -> None:
            if done == cut:
                raise KeyboardInterrupt

        first, second = Inline(), Inline()
        with pytest.raises(KeyboardInterrupt):
            sweep(models, [2, 3], out=folder / "run", executor=first, progress=interrupt)
        stored = {row.parameters["kappa"] for row in read_sweep(folder / "run")}
        resumed = sweep(models, [2, 3], out=folder / "run", executor=second, resume=True)
    assert stored.isdisjoint(second.solved)
    assert len(stored) + len(second.solved) == 4
    assert len(stored) >= cut
    assert content(resumed) == content(whole)


@pytest.mark.parametrize(
    "error",
    [ConvergenceError("it did not settle", {"p_2": 0.25}, 0.5), ResolutionError("too coarse")],
)
def test_failures_are_results_until_they_are_retried(
    pretence: dict[str, Exception], tmp_path: Path, error: Exception
) -> None:
    pretence["1"] = error
    out, told = tmp_path / "run.sqlite", []
    settings = {"out": out, "progress": lambda *count: told.append(count)}
    found = sweep(MODELS, [2, 3, 4], executor=Inline(), **settings)
    (failure,) = found.failures
    assert told[-1] == (4, 4, 1)
    assert (failure.parameters, failure.coordinates) == ({"kappa": "1"}, {"kappa": 1.0})
    assert (failure.level, failure.kind) == (3, type(error).__name__)
    assert failure.message == str(error)
    assert failure.best == getattr(error, "best", {})
    assert [row.level for row in found if row.parameters == failure.parameters] == [2]

    again = Inline()
    assert content(sweep(MODELS, [2, 3, 4], executor=again, resume=True, **settings)) == content(
        found
    )
    assert again.solved == []
    assert told[-1] == (4, 4, 1)

    pretence.clear()
    retried = sweep(MODELS, [2, 3, 4], executor=again, resume=True, retry=True, **settings)
    assert again.solved == ["1"]
    assert told[-2:] == [(3, 4, 0), (4, 4, 0)]
    assert retried.failures == ()
    assert [row.level for row in retried] == [2, 3, 4] * 4


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [
        (BrokenProcessPool("a process ended abruptly"), WorkersError),
        (CancelledError(), WorkersError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (ZeroDivisionError("a defect"), ZeroDivisionError),
    ],
)
def test_what_was_finished_survives_trouble(
    pretence: dict[str, Exception],
    tmp_path: Path,
    trouble: BaseException,
    raised: type[BaseException],
) -> None:
    out = tmp_path / "run.sqlite"
    with pytest.raises(raised):
        sweep(MODELS, [2, 3], out=out, executor=Inline(trouble, at=2))
    assert {row.parameters["kappa"] for row in read_sweep(out)} == {"1/2", "1"}
    executor = Inline()
    assert len(sweep(MODELS, [2, 3], out=out, executor=executor, resume=True)) == 8
    assert executor.solved == ["3/2", "2"]


def test_workers_of_another_version_are_refused(
    pretence: dict[str, Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("numerics.runs.workers.installed_version", lambda: "0.0.1")
    with pytest.raises(WorkersError, match=r"runs widegap 0\.0\.1"):
        sweep(MODELS, [2], out=tmp_path / "run.sqlite", executor=Inline())
    assert len(read_sweep(tmp_path / "run.sqlite")) == 0


def test_one_sweep_at_a_time(pretence: dict[str, Exception], tmp_path: Path) -> None:
    out = tmp_path / "run.sqlite"

    def intrude(done: int, total: int, failed: int) -> None:
        with pytest.raises(SweepFileError, match="another process is writing"):
            sweep(MODELS, [2], out=out, executor=Inline(), resume=True)

    assert len(sweep(MODELS, [2], out=out, executor=Inline(), progress=intrude)) == 4


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"digits": 10}, "digits = 12, and cannot be resumed with digits = 10"),
        ({"resume": False}, "exists"),
    ],
)
def test_a_file_with_other_settings_is_left_as_it_was(
    pretence: dict[str, Exception], tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    out = tmp_path / "run.sqlite"
    sweep(MODELS[:2], [2, 3], out=out, executor=Inline())
    before = out.read_bytes()
    arguments: dict[str, Any] = {"levels": [2, 3], "resume": True} | change
    executor = Inline()
    with pytest.raises(SweepFileError, match=says):
        sweep(MODELS, out=out, executor=executor, **arguments)
    assert executor.solved == []
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]


@pytest.mark.parametrize(
    ("name", "value"), [("model", "abp"), ("widegap", "0.0.1"), ("schema", "0")]
)
def test_every_setting_counts(
    pretence: dict[str, Exception], tmp_path: Path, name: str, value: str
) -> None:
    out = tmp_path / "run.sqlite"
    sweep(MODELS[:2], [2, 3], out=out, executor=Inline())
    with contextlib.closing(sqlite3.connect(out)) as connection, connection:
        connection.execute("UPDATE settings SET value = ? WHERE name = ?", (value, name))
    before = out.read_bytes()
    with pytest.raises(SweepFileError, match=f"{name} = {value}, and cannot .* with {name} = "):
        sweep(MODELS, [2, 3], out=out, executor=Inline(), resume=True)
    assert out.read_bytes() == before


def strangers(folder: Path) -> dict[str, Path]:
    text, empty, database = folder / "text", folder / "empty", folder / "database"
    text.write_text("kappa,alpha\n1,1.8\n" * 1000)
    empty.touch()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE solutions (parameters, level)")
    return {"text": text, "empty": empty, "database": database, "folder": folder}


@pytest.mark.parametrize("kind", ["text", "empty", "database", "folder"])
def test_other_files_are_not_taken_for_sweeps(
    pretence: dict[str, Exception], tmp_path: Path, kind: str
) -> None:
    path = strangers(tmp_path)[kind]
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for attempt in (
        lambda: read_sweep(path),
        lambda: sweep(MODELS, [2], out=path, executor=Inline(), resume=True),
    ):
        with pytest.raises(SweepFileError, match=r"not a sweep|not a file"):
            attempt()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_log_of_a_foreign_database_is_not_folded_in(tmp_path: Path) -> None:
    database, copy = tmp_path / "database", tmp_path / "copy"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text)")
        for suffix in ("", "-wal"):  # as another program that was killed would leave it
            Path(f"{copy}{suffix}").write_bytes(Path(f"{database}{suffix}").read_bytes())
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(SweepFileError, match="not a sweep"):
        read_sweep(copy)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_damaged_sweep_is_told_as_such(pretence: dict[str, Exception], tmp_path: Path) -> None:
    out = tmp_path / "run.sqlite"
    sweep(MODELS, [2, 3], out=out, executor=Inline())
    out.write_bytes(out.read_bytes()[:4096])
    with pytest.raises(SweepFileError, match="cannot read"):
        read_sweep(out)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"models": []}, ValueError, "no models"),
        ({"models": [1]}, TypeError, r"SBP\(kappa=1\)"),
        ({"models": [SBP()]}, ValueError, "needs a number for kappa"),
        ({"models": [SBP(1), SBP()]}, ValueError, "of one kind"),
        ({"levels": []}, ValueError, "no levels"),
        ({"levels": [1]}, ValueError, "level"),
        ({"levels": [2.5]}, TypeError, "integer"),
        ({"digits": 0}, ValueError, "digits"),
        ({"workers": 0}, ValueError, "at least 1"),
        ({"workers": True}, TypeError, "integer"),
        ({"workers": 2, "executor": Inline()}, ValueError, "local pool"),
        ({"out": "missing/run.sqlite"}, SweepFileError, "does not exist"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says):
        sweep(**({"models": MODELS, "levels": [2], "out": "run.sqlite"} | arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "run.sqlite"
    link = os.link

    def late(source: Any, target: Any) -> None:
        out.write_text("another process's")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(SweepFileError, match="has just made it"):
        SweepStore(out, sweep_settings(MODELS, (2,), 12))
    assert out.read_text() == "another process's"
    assert [path.name for path in tmp_path.iterdir()] == ["run.sqlite"]


def test_statistics_are_kept(pretence: dict[str, Exception], tmp_path: Path) -> None:
    (row,) = sweep(MODELS[:1], [2], out=tmp_path / "run.sqlite", executor=Inline())
    assert Statistics(**row.solution["statistics"]) == Statistics()
