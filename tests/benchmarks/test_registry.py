"""The benchmarks' bookkeeping: options, documents, arithmetic. What they measure is not tested."""

import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.cli import cli
from benchmarks.registry import BENCHMARKS, Benchmark
from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure, timed

ROW = Row("one", "this", Quantity(3.0, "s", 0.1), "that", Quantity(2.0), "quick", True, "remark")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="benchmarks")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A benchmark named fake; the list says how it was called."""
    calls: list[bool] = []

    def rows(quick: bool) -> list[Row]:
        calls.append(quick)
        return [ROW]

    monkeypatch.setitem(BENCHMARKS, "fake", Benchmark("fake", "nothing at all", rows))
    return calls


def test_the_list_names_every_benchmark_and_runs_none(fake: list[bool]) -> None:
    result = run("--list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(BENCHMARKS)
    assert not fake


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_every_benchmark_is_there(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "nothing"), "unknown benchmark 'nothing'; choose from nest, levels"),
        (("--only", "fake", "--only", ""), "unknown benchmark ''"),
        (("--fast",), "--fast"),
        (("nest",), "nest"),
        (("--only", "fake", "--json", "no/such/folder/rows.json"), "does not exist"),
        (("--only", "fake", "--json", "."), "is a folder"),
    ],
)
def test_bad_options_are_one_line_and_status_2(
    fake: list[bool],
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("benchmarks: error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert not fake
    assert list(tmp_path.iterdir()) == []


def test_a_benchmark_named_twice_runs_once(fake: list[bool]) -> None:
    result = run("--only", "fake", "--only", "fake", "--quick")
    assert result.exit_code == 0, result.stderr
    assert fake == [True]
    for text in ("nothing at all", "3 s (3 %)", "2 s", "1.5", "target quick (met); remark"):
        assert text in result.stdout


def test_the_document_says_what_the_rows_say(fake: list[bool], tmp_path: Path) -> None:
    target = tmp_path / "rows.json"
    result = run("--only", "fake", "--json", str(target))
    assert result.exit_code == 0, result.stderr
    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["quick"] is False
    assert document["benchmarks"] == {"fake": [ROW.to_dict()]}
    assert ROW.to_dict() == {
        "name": "one",
        "measured": "this",
        "value": 3.0,
        "spread": 0.1,
        "unit": "s",
        "baseline": "that",
        "baseline_value": 2.0,
        "baseline_spread": None,
        "ratio": 1.5,
        "target": "quick",
        "met": True,
        "remark": "remark",
    }


def test_a_failing_benchmark_writes_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(quick: bool) -> list[Row]:
        raise ArithmeticError

    monkeypatch.setitem(BENCHMARKS, "failing", Benchmark("failing", "", fail))
    result = run("--only", "failing", "--json", str(tmp_path / "rows.json"))
    assert isinstance(result.exception, ArithmeticError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("quantity", "reference"),
    [
        (Quantity(1.0), Quantity(0.0)),
        (Quantity(1.0), Quantity(-1.0)),
        (Quantity(math.nan), Quantity(1.0)),
        (Quantity(1.0), Quantity(math.inf)),
        (Quantity(1.0, "s"), Quantity(1.0, "exponentials")),
    ],
)
def test_a_row_has_a_ratio_or_is_refused(quantity: Quantity, reference: Quantity) -> None:
    with pytest.raises(ValueError, match="ratio"):
        Row("one", "this", quantity, "that", reference)


def test_timings_are_per_call_and_in_turns() -> None:
    calls: list[str] = []
    functions: list[Callable[[], None]] = [lambda: calls.append("a"), lambda: calls.append("b")]
    quantities = measure(*functions, repeats=3, number=2)
    assert "".join(calls) == "aabb" * 3
    assert all(quantity.spread is not None for quantity in quantities)
    seconds, result = timed(lambda: "result")
    assert result == "result"
    assert seconds.spread is None
    assert min(seconds.value, *(quantity.value for quantity in quantities)) >= 0.0
