"""Kernels in files: bit by bit those in memory, and nothing lost or half done."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import warnings
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numerics import (
    AccuracyWarning,
    DivergenceError,
    KernelFileError,
    WorkersError,
    kernel,
    kernel_to_file,
)
from numerics.runs import kernels
from theory import DEQ, MLP

X = np.random.default_rng(0).standard_normal((83, 4))
X[5], X[17], X[20], X[60] = X[3], -X[3], 2.0 * X[40], 0.0
X[30] = X[31] + 1e-8
Z = np.vstack([X[7:30], -X[9:20]])
SMALL = 16 * 83 * 24
"""Bytes of a band of 16 rows: two matrices, and bounds of errors."""


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether all bits are."""
    return one.shape == other.shape and one.tobytes() == np.ascontiguousarray(other).tobytes()


def finished(out: Path) -> list[str]:
    """Names of what is in the folder."""
    return sorted(path.name for path in out.parent.iterdir())


@pytest.mark.parametrize("other", [None, Z], ids=["symmetric", "rectangular"])
@pytest.mark.parametrize(
    "model",
    [
        MLP("relu", 3),
        MLP("erf", 30, 2.0, 0.1),
        pytest.param(MLP("tanh", 3, 1.5, 0.1), marks=pytest.mark.slow),
        MLP("sign", 2),
        DEQ("relu", 0.8),
        DEQ("erf", 0.5),
        DEQ("tanh", 0.6),
    ],
    ids=str,
)
def test_a_file_is_bit_by_bit_what_is_in_memory(model: Any, other: Any, tmp_path: Path) -> None:
    """Equal, opposite, parallel and nearly equal inputs, and pairs that are computed again, included."""
    names = ("nngp", "ntk", "fixed_point")[: 3 if isinstance(model, DEQ) else 2]
    out = tmp_path / "k.npy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        found = kernel_to_file(model, X, other, out=out, matrices=names, memory=SMALL)
        whole = kernel(model, X, other)
    assert same(found.open(), np.stack([getattr(whole, name) for name in names]))
    assert found.error == whole.error
    assert found.shape == whole.nngp.shape
    assert finished(out) == ["k.npy", "k.npy.sqlite"]


def test_one_matrix_makes_a_matrix(tmp_path: Path) -> None:
    model, out = MLP("erf", 2), tmp_path / "k.npy"
    told: list[tuple[int, int, int]] = []

    def progress(*counts: int) -> None:
        told.append((counts[0], counts[1], counts[2]))

    found = kernel_to_file(model, X, out=out, matrices="ntk", memory=2.5 * SMALL, progress=progress)
    assert same(np.load(tmp_path / "k.npy"), kernel(model, X).ntk)
    assert found.matrices == ("ntk",)
    assert told == [(done, 3, 0) for done in range(4)]


def test_any_executor_gives_the_same(tmp_path: Path) -> None:
    """More threads than bands may be held."""
    model = MLP("relu", 2)
    with ThreadPoolExecutor(3) as executor:
        kernel_to_file(model, X, out=tmp_path / "k.npy", memory=SMALL, executor=executor)
        assert executor.submit(int).result() == 0  # left open
    whole = kernel(model, X)
    assert same(np.load(tmp_path / "k.npy"), np.stack([whole.nngp, whole.ntk]))


class Held(Executor):
    """Counts what it holds of what was submitted."""

    def __init__(self) -> None:
        self.held = self.most = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.held += 1
        self.most = max(self.most, self.held)
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_no_more_bands_are_ahead_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "_AHEAD", 2)
    executor = Held()

    def progress(done: int, total: int, failed: int) -> None:
        executor.held -= done > 0

    kernel_to_file(
        MLP("relu", 1),
        X,
        out=tmp_path / "k.npy",
        memory=SMALL,
        executor=executor,
        progress=progress,
    )
    assert executor.most == 2


def stop_at(count: int) -> Any:
    """Progress that ends a run."""

    def progress(done: int, total: int, failed: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = DEQ("erf", 0.5), tmp_path / "k.npy"
    with pytest.raises(KeyboardInterrupt):
        kernel_to_file(model, X, out=out, memory=SMALL, progress=stop_at(2))
    assert finished(out) == ["k.npy.part", "k.npy.sqlite"]
    computed: list[int] = []
    band = kernels._band

    def counted(*given: Any) -> Any:
        computed.append(given[3].first)
        return band(*given)

    monkeypatch.setattr(kernels, "_band", counted)
    # another memory: the bands are those that were begun with
    kernel_to_file(model, X, out=out, resume=True)
    done = X.shape[0] - len(computed) * 16
    assert computed[0] > 0
    assert done > 0
    whole = kernel(model, X)
    assert same(np.load(out), np.stack([whole.nngp, whole.ntk]))
    computed.clear()
    kernel_to_file(model, X, out=out, resume=True)
    assert not computed


@pytest.mark.parametrize("bands", [0, 1])
def test_a_run_that_ends_anywhere_goes_on(
    bands: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, between a band and its record, and before the file has its name."""
    model, out = MLP("relu", 1), tmp_path / "k.npy"
    given = {"out": out, "memory": SMALL}

    def trouble(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        target, name = ((kernels._Writing, "_write"), (kernels.os, "rename"))[bands]
        patch.setattr(target, name, trouble)
        with pytest.raises(OSError, match="No space left"):
            kernel_to_file(model, X, **given)
    assert not out.exists()
    kernel_to_file(model, X, **given, resume=True)
    assert same(np.load(out)[1], kernel(model, X).ntk)


SCRIPT = """
import sys
import numpy as np
from numerics import kernel_to_file
from theory import MLP

x = np.random.default_rng(0).standard_normal((400, 3))
kernel_to_file(MLP("relu", 1), x, out=sys.argv[1], memory=1, progress=lambda *n: print(*n, flush=True))
"""


def test_a_killed_run_loses_what_it_was_working_on(tmp_path: Path) -> None:
    out = tmp_path / "k.npy"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("2 "):
            pass
        process.kill()
    assert not out.exists()
    x = np.random.default_rng(0).standard_normal((400, 3))
    begun: list[int] = []
    kernel_to_file(
        MLP("relu", 1), x, out=out, resume=True, progress=lambda done, *_: begun.append(done)
    )
    assert 2 <= begun[0] <= 25
    whole = kernel(MLP("relu", 1), x)
    assert same(np.load(out), np.stack([whole.nngp, whole.ntk]))


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    model, out = MLP("relu", 1), tmp_path / "k.npy"
    np.save(out, X)
    before = out.read_bytes()
    for resume, words in ((False, "resume it or choose another name"), (True, "cannot be resumed")):
        with pytest.raises(KernelFileError, match=words):
            kernel_to_file(model, X, out=out, resume=resume)
    assert out.read_bytes() == before
    assert finished(out) == ["k.npy"]


def test_another_kernel_does_not_resume(tmp_path: Path) -> None:
    out = tmp_path / "k.npy"
    with pytest.raises(KeyboardInterrupt):
        kernel_to_file(MLP("relu", 1), X, out=out, memory=SMALL, progress=stop_at(1))
    for model, x, words in (
        (MLP("relu", 2), X, "with model = mlp"),
        (MLP("relu", 1), 2.0 * X, "with inputs = "),
    ):
        with pytest.raises(KernelFileError, match=words):
            kernel_to_file(model, x, out=out, resume=True)
    with pytest.raises(KernelFileError, match="with matrices = nngp ntk"):
        kernel_to_file(MLP("relu", 1), X, out=out, resume=True, matrices="ntk")
    with pytest.raises(KernelFileError, match="resume it or choose another name"):
        kernel_to_file(MLP("relu", 1), X, out=out)


def test_what_is_damaged_is_not_believed(tmp_path: Path) -> None:
    model, out = MLP("relu", 1), tmp_path / "k.npy"
    part, record = tmp_path / "k.npy.part", tmp_path / "k.npy.sqlite"
    with pytest.raises(KeyboardInterrupt):
        kernel_to_file(model, X, out=out, memory=SMALL, progress=stop_at(1))
    whole = part.read_bytes()
    for damaged in (whole[:-8], b"x" + whole[1:]):
        part.write_bytes(damaged)
        with pytest.raises(KernelFileError, match="is damaged"):
            kernel_to_file(model, X, out=out, resume=True)
    part.unlink()
    with pytest.raises(KernelFileError, match="is gone"):
        kernel_to_file(model, X, out=out, resume=True)
    part.write_bytes(whole)
    for statement in (
        "INSERT INTO bands VALUES (7, 23, 0.0)",
        "UPDATE bands SET last = 32",
        "UPDATE bands SET error = -1.0",
        "UPDATE settings SET value = '7' WHERE name = 'rows'",
    ):
        kept = record.read_bytes()
        connection = sqlite3.connect(record)
        with connection:
            connection.execute(statement)
        connection.close()
        with pytest.raises(KernelFileError, match="is damaged"):
            kernel_to_file(model, X, out=out, resume=True)
        record.write_bytes(kept)
    kernel_to_file(model, X, out=out, resume=True)
    out.unlink()
    with pytest.raises(KernelFileError, match="is gone"):
        kernel_to_file(model, X, out=out, resume=True)


def test_results_of_other_versions_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = kernels._band
    monkeypatch.setattr(kernels, "_band", lambda *given: ("0.0", *band(*given)[1:]))
    with pytest.raises(WorkersError, match=r"a worker runs widegap 0\.0"):
        kernel_to_file(MLP("relu", 1), X, out=tmp_path / "k.npy")
    assert not (tmp_path / "k.npy").exists()


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"out": "k.npz"}, KernelFileError, "a name ending in .npy"),
        ({"out": "no/k.npy"}, KernelFileError, "does not exist"),
        ({"matrices": "fixed_point"}, ValueError, "matrices are some of nngp, ntk, each once"),
        ({"matrices": ()}, ValueError, "matrices are some of"),
        ({"memory": 0.0}, ValueError, "memory must be a positive number"),
        ({"model": "relu"}, TypeError, "expected theory.MLP or theory.DEQ"),
        ({"x1": [[np.nan]]}, ValueError, "x1 has NaN"),
        ({"tangent": "left"}, ValueError, "tangent must be"),
        ({"model": MLP("relu", 500, 20.0)}, DivergenceError, "does not contract"),
        ({"model": DEQ("relu", 1.2)}, DivergenceError, "0.2 too much"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_file(
    changes: dict[str, Any], kind: type[Exception], words: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words):
        kernel_to_file(**({"model": MLP("relu"), "x1": X, "out": "k.npy"} | changes))
    assert not list(tmp_path.iterdir())


def test_a_warning_says_what_is_not_resolved(tmp_path: Path) -> None:
    x = np.array([[1.0], [1.0 + 1e-9]])
    with pytest.warns(AccuracyWarning, match="errors up to"):
        found = kernel_to_file(MLP("sign(x-1)", 3), x, out=tmp_path / "k.npy", refine=False)
    assert found.error > 1e-10
