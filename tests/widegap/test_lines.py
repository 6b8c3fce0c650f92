"""Whatever is typed and whatever a file holds: a documented exit status, one line, nothing half-written.

Lines are drawn from the commands' own options (`lines`), files are damaged in all ways (`damage`). Other
seeds and more lines are tried by::

    WIDEGAP_SEED=7 WIDEGAP_LINES=5000 .venv/bin/python -m pytest -m slow tests/widegap/test_lines.py
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from numerics import ConvergenceError, Limit, Solution
from numerics.thresholds.solve import lowest_level
from theory import free_energy
from verify import Finding
from verify.suite import claims as registry
from verify.suite.claims import claim
from verify.suite.verdicts import Curve, Plot
from widegap.cli import cli

from .damage import READERS, damage, make_certificates, make_files
from .lines import commands, draw_line

SEED = os.environ.get("WIDEGAP_SEED", "0")
MANY = int(os.environ.get("WIDEGAP_LINES", "4000"))
FEW, CHUNKS = 240, 6
PATIENCE = 90  # seconds for one line; the slowest take two or three


class Here(Executor):
    """Processes' stand-in: computes in this one."""

    def __init__(self, workers: int) -> None:
        assert workers >= 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def pretended(model: Any, wanted: list[int], *_: Any) -> Iterator[Solution]:
    """Levels without work: values fall, level 3 of a tenth of the models does not converge."""
    for level in wanted:
        fe = free_energy(model, level)
        if level == 3 and len(str(model)) % 10 == 3:
            raise ConvergenceError(f"level 3 of {model} did not settle", {"p_2": 0.5}, 0.1)
        table = {str(x): 0.5 / k for k, x in enumerate(fe.order_parameters, 1)}
        p, q, c = (tuple(table[str(x)] for x in group) for group in (fe.p, fe.q, fe.c))
        solution = Solution(
            model, level, 1.0 + 1.0 / level, p, q, c, (), table, error=1e-14, digits=12
        )
        yield solution


def pretended_search(model: Any, highest: int, *_: Any) -> Iterator[Solution]:
    return pretended(model, list(range(lowest_level(model), highest + 1)))


def pretended_limit(model: Any, first: Solution, highest: int, tell: Any) -> Limit:
    """A limit without its levels, which take minutes."""
    for level in range(first.level, highest + 1):
        tell(level, "climb", level / highest)
    levels = tuple(range(first.level, first.level + 3))
    values = tuple(1.0 + 1.0 / level for level in levels)
    return Limit(model, 1.0, 1e-6, levels, values, {"Richardson": 1.0}, 4.0, reason="pretended")


@dataclass
class Bench:
    """A folder with a good file of every kind, and the program in this process."""

    folder: Path
    files: dict[str, bytes]

    def restore(self) -> None:
        for name in self.snapshot().keys() - self.files.keys():
            (self.folder / name).unlink()
        for name, content in self.files.items():
            path = self.folder / name
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)

    def snapshot(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(self.folder)): p.read_bytes()
            for p in self.folder.rglob("*")
            if p.is_file() and not p.is_symlink()
        }

    def complaints(self, line: tuple[str, ...]) -> str:
        """What is wrong with how a line ended; empty if nothing is."""
        before = self.snapshot()
        began = time.monotonic()
        try:
            result = _limited(line)
        except TimeoutError:
            return f"not finished after {time.monotonic() - began:.0f} s"
        found = _told(result, line) or self._left(result.exit_code, before)
        if found and result.exc_info is not None and result.exception is not None:
            found += "\n" + "".join(traceback.format_exception(result.exception)[-4:])
        return found

    def _left(self, status: int, before: dict[str, bytes]) -> str:
        after = self.snapshot()
        changed = [name for name in after if before.get(name) != after[name]]
        lost = before.keys() - after.keys()
        if (self.folder / "pwned").exists():
            return "something that was typed was executed"
        if lost or (changed and status == 2):
            return f"refused, but {', '.join([*changed, *lost])} changed"
        for name in changed:
            if name.endswith(".tmp") or not _whole(self.folder / name, after[name]):
                return f"{name} is half-written"
        return ""


def _limited(line: tuple[str, ...]) -> Result:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        result = CliRunner().invoke(cli, line, prog_name="widegap")
        if isinstance(result.exception, TimeoutError):
            raise TimeoutError
        return result
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _told(result: Result, line: tuple[str, ...]) -> str:
    """Check the exit status and what was said."""
    lines = result.stderr.splitlines()
    errors = [said for said in lines if said.startswith("widegap: error: ")]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}"
    if result.exit_code not in (0, 1, 2):
        return f"exit status {result.exit_code}"
    if result.exit_code == 2 and (result.stdout or len(lines) != 1 or len(errors) != 1):
        return f"a refusal says {result.stdout[:200]!r}, {result.stderr[:400]!r}"
    if result.exit_code == 1 and (len(errors) != 1 or not lines[-1].startswith("widegap: error: ")):
        return f"a failure says {result.stderr[:400]!r}"
    if result.exit_code == 0 and errors:
        return f"success says {result.stderr[:400]!r}"
    if any(len(said) > 1100 for said in errors):
        return "the message is too long"
    words = re.findall(
        r"Traceback|\bDecimal\(|Fraction\(|<class|object at 0x|allow_pickle", result.stderr
    )
    if words:
        return f"Python shows: {result.stderr[:300]!r}"
    if line[0] in ("solve", "sweep", "experiment", "network"):
        named = any(word in " ".join(line) for word in ("nan", "inf"))  # or help, which names inf
        if (
            not named
            and not result.stdout.startswith("Usage:")
            and re.search(r"\b(nan|inf)\b", result.stdout)
        ):
            return f"a number that is none: {result.stdout[:400]!r}"
        if result.stdout.startswith("{"):
            try:
                _strict(result.stdout)
            except ValueError as error:
                return f"no JSON: {error}"
    return ""


def _strict(text: str) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def _whole(path: Path, content: bytes) -> bool:
    """Whether a file is there to its end, whatever its name says that it is."""
    if content.startswith(b"SQLite"):
        connection = sqlite3.connect(path)
        try:
            return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            connection.close()
    if content.startswith(b"PK"):
        with np.load(path) as arrays:
            numbers = [arrays[name] for name in arrays if name not in ("about", "times")]
            return all(np.isfinite(values).all() for values in numbers)
    if content.startswith(b"\x93NUMPY"):
        return bool(np.isfinite(np.load(path)).all())
    if content.startswith(b"{"):
        return bool(_strict(content.decode()))
    ends = {
        b"\x89PNG": b"IEND\xaeB`\x82",
        b"<?xml": b">",
        b"%PDF": b"%%EOF",
        b"<!DOCTYPE": b"</html>",
        b"<testsuites": b"</testsuites>",
    }
    known = [end for start, end in ends.items() if content.startswith(start)]
    # expectations, which are plain text, end their last line
    return content.rstrip().endswith(known[0]) if known else content.endswith(b"\n")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(registry, "_CLAIMS", {})
        patch.setattr(registry, "_rooms_claims", tuple)
        patch.setattr("widegap.cluster.PATIENCE", 0.3)
        for place in (
            "numerics.runs.workers",
            "numerics.runs.sweeps",
            "verify.thresholds.experiments",
            "verify.networks.experiments",
        ):
            patch.setattr(f"{place}.LocalPool", Here)
        curve = Curve("ours", (1.0, 2.0), (3.0, float("nan")))

        @claim("mine-one", "A claim.", source="me", printed="1.5", tags=("mine",))
        def one(run: Any) -> Finding:
            return Finding(
                "confirmed", "It is.", 1.5, {"seed": run.seed}, (Plot("P", "x", "y", (curve,)),)
            )

        @claim("mine-two", "Another.", source="me", tags=("mine",))
        def two(run: Any) -> Finding:
            bad = Plot(r"$\nothing", "$x_{", "y", (Curve("a", (1.0,), (2.0, 3.0)),), log=True)
            return Finding("confirmed", "It is.", float(run.stream().normal()), {}, (bad,))

        make_certificates(folder)
        patch.setattr("numerics.thresholds.solve._levels", pretended)
        patch.setattr("numerics.limits.limit.searched", pretended_search)
        patch.setattr("numerics.limits.limit._of_branches", pretended_limit)
        patch.setattr(
            "verify.thresholds.record._PRINTED", {}
        )  # of claims, which are put aside here
        patch.setattr("verify.thresholds.record._proved", lambda solution: (None, "settled"))
        patch.setattr("numerics.proofs.certificates.refine", lambda solution, *_, **__: solution)
        patch.setattr("widegap.lab.server.serve", lambda port, browser: None)
        make_files(folder, lambda *line: CliRunner().invoke(cli, line, prog_name="widegap"))
        made = Bench(folder, {})
        made.files = made.snapshot()
        yield made


@pytest.fixture(autouse=True)
def _whole_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "bench" in request.fixturenames:
        request.getfixturevalue("bench").restore()


def tried(bench: Bench, count: int, chunk: str) -> list[str]:
    """Try lines, and say what is wrong with them."""
    drawn = random.Random(f"{SEED} {chunk}")
    choices = list(commands())
    bad = []
    for _ in range(count):
        line = draw_line(drawn, choices)
        if said := bench.complaints(line):
            bad.append(f"{[word[:200] for word in line]}: {said}")
        bench.restore()
    return bad


def tried_damage(bench: Bench, count: int, chunk: str) -> list[str]:
    """Damage files, try a line that reads them, and say what is wrong with it."""
    drawn = random.Random(f"{SEED} {chunk}")
    bad = []
    for _ in range(count):
        name = drawn.choice(sorted(READERS))
        how = damage(drawn, bench.folder / name.split()[0])
        if said := bench.complaints(READERS[name]):
            bad.append(f"{name} {how}: {said}")
        bench.restore()
    return bad


def report(bad: list[str]) -> None:
    text = "\n\n".join(bad).encode("utf-8", "backslashreplace").decode("utf-8")
    assert not text, text


@pytest.mark.long
def test_good_files_are_taken(bench: Bench) -> None:
    for name, line in READERS.items():
        result = _limited(line)
        assert result.exit_code == 0, (name, result.output, result.exception)
        bench.restore()


def test_every_command_is_tried() -> None:
    drawn = random.Random(SEED)
    choices = list(commands())
    lines = [draw_line(drawn, choices) for _ in range(4000)]
    for command in choices:
        size = len(command.words)
        own = [line[size:] for line in lines if line[:size] == command.words]
        typed = {word.partition("=")[0] for line in own for word in line}
        for parameter in command.parameters:
            if parameter.param_type_name == "option":
                assert typed.intersection(parameter.opts), (command.words, parameter.opts)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_lines(bench: Bench, chunk: int) -> None:
    report(tried(bench, FEW // CHUNKS, f"lines {chunk}"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damaged_files(bench: Bench, chunk: int) -> None:
    report(tried_damage(bench, FEW // CHUNKS, f"damage {chunk}"))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_lines(bench: Bench, chunk: int) -> None:
    report(tried(bench, MANY // 20, f"many lines {chunk}"))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_damaged_files(bench: Bench, chunk: int) -> None:
    report(tried_damage(bench, MANY // 40, f"much damage {chunk}"))
