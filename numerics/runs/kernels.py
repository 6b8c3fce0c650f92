"""Gram matrices larger than memory: bands of rows, on any executor, into one file that resumes.

Three files. The matrix grows in ``FILE.part``; a ledger in SQLite, ``FILE.sqlite``, says which of its bands
are there for good, with what it is the kernel of; and when all are, the first is renamed to ``FILE``, which
``numpy.load`` maps into memory. So ``FILE`` is whole or not there, and a killed run loses the bands it was
working on.
"""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.durable import DurableFile, Format, reading, settings_of, typed
from numerics.errors import AccuracyWarning, KernelFileError, WorkersError
from numerics.kernels.deq import equilibrium_kernel
from numerics.kernels.error_bounds import POOR
from numerics.kernels.inputs import check_inputs, check_tangent
from numerics.kernels.kernel import kernel
from numerics.kernels.mlp import perceptron_kernel
from numerics.kernels.tiles import ROWS, Band
from theory.kernels.architectures import DEQ, MLP, not_an_architecture
from theory.kernels.duals import Tangent
from theory.kernels.sequential import Sequential
from theory.parameters import shown

from .tasks import run_tasks
from .workers import TURN, installed_version

__all__ = ["KernelFile", "KernelFileError", "kernel_to_file"]

Array = NDArray[np.float64]
Matrix = Literal["nngp", "ntk", "fixed_point"]
_FORMAT = Format("a kernel's ledger", 0x57474B4C, 1, KernelFileError)  # WGKL in ASCII
_TABLES = "CREATE TABLE bands (first INTEGER PRIMARY KEY, last INTEGER, error REAL);"
_AHEAD = 16
"""Bands that an executor may hold or work on."""
MEMORY = 2.0**29


@dataclass(frozen=True)
class KernelFile:
    """What `kernel_to_file` has made.

    Attributes
    ----------
    path : Path
        An .npy file.
    matrices : tuple of str
        What it holds, along the first axis if there are several.
    shape : tuple of int
        Of one matrix.
    error : float
        As of `MLPKernel` and `DEQKernel`.
    """

    path: Path
    matrices: tuple[str, ...]
    shape: tuple[int, int]
    error: float

    def open(self) -> np.memmap:
        """Map the file into memory, for reading."""
        return np.load(self.path, mmap_mode="r")


def kernel_to_file(
    model: MLP | DEQ | Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    out: str | os.PathLike[str],
    matrices: Matrix | Sequence[Matrix] = ("nngp", "ntk"),
    tangent: Tangent = "limit",
    refine: bool = True,
    executor: Executor | None = None,
    resume: bool = False,
    memory: float = MEMORY,
    progress: Callable[[int, int, int], None] | None = None,
) -> KernelFile:
    """Compute Gram matrices that need not fit into memory, into a file.

    Parameters
    ----------
    model, x1, x2, tangent, refine
        As of `numerics.kernel`; inputs are held in memory. Of networks of other layers than perceptrons
        there are no bands.
    out : str or os.PathLike
        The .npy file. It appears when it is whole; until then its content is in ``out`` with ``.part`` behind
        its name, and what is done in one with ``.sqlite``, which stays and says what the file is.
    matrices : str or sequence of str
        Which to keep, of nngp, ntk and fixed_point (of equilibrium models). One name makes a file of shape
        (n1, n2), a sequence one of shape (len(matrices), n1, n2).
    executor : concurrent.futures.Executor, optional
        Where bands are computed, e.g. ``distributed.Client(address).get_executor()``. It is left open. By
        default this process, on all its cores.
    resume : bool, default False
        Whether the files may be there, of the same kernel; bands that they hold are not computed again.
    memory : float, default 2**29
        Bytes that a band's matrices may take, wherever it is computed; at least 16 rows are. A resumed file
        keeps its bands.
    progress : callable, optional
        ``progress(done, total, failed)`` in bands, at the beginning and after each; ``failed`` is always 0.

    Returns
    -------
    KernelFile

    Raises
    ------
    TypeError, ValueError, DivergenceError
        As `numerics.kernel`.
    KernelFileError
        If the files cannot take this kernel (a ValueError, too).
    WorkersError
        If the executor loses its workers, or they run another version. Finished bands are kept, as they are
        when KeyboardInterrupt or any other exception ends this.
    OSError, sqlite3.Error
        If something cannot be written, for example on a full disk.

    Notes
    -----
    The numbers are those of `numerics.kernel` in memory, bit by bit, on processors of one kind: bands consist
    of the same tiles. Only the budget of ``refine`` counts for each band by itself, so that more pairs may be
    computed again.

    Cost: that of the kernel, and for each band the recursion of all single inputs. A symmetric matrix is
    computed from its diagonal on and written twice, rows and columns.
    """
    if isinstance(model, Sequential) and model.plain is not None:
        model = model.plain
    if not isinstance(model, MLP | DEQ):
        raise not_an_architecture(model)
    given = check_inputs(x1, x2)
    names = (matrices,) if isinstance(matrices, str) else tuple(matrices)
    _check(model, names, memory)
    kind = check_tangent(tangent)
    shape = len(given[0]), len(given[0] if given[1] is None else given[1])
    whole = shape if isinstance(matrices, str) else (len(names), *shape)
    files = _Files(Path(out), whole)
    settings = _settings(model, given, matrices, f"{tangent}, {refine}")
    rows = files.band_rows(resume)
    if rows is None:
        for x in given:  # what diverges is refused before there is any file
            if x is not None:
                kernel(model, x, diag=True, tangent=kind)
        bytes_of_a_row = (
            shape[1] * 8 * (5 if isinstance(model, DEQ) else 3)
        )  # with bounds of errors
        rows = max(1, min(int(memory / bytes_of_a_row), shape[0]) // ROWS) * ROWS
    bands = [
        Band(first, min(first + rows, shape[0]), shape[1], given[1] is None)
        for first in range(0, shape[0], rows)
    ]
    tell = progress or (lambda done, total, failed: None)
    ends = {(band.first, band.last) for band in bands}
    with files.ledger(settings | {"rows": str(rows)}, ends, resume) as ledger:
        done = dict(ledger.connection.execute("SELECT first, error FROM bands"))
        tell(len(done), len(bands), 0)
        if len(done) < len(bands):
            with files.writing(fresh=not done) as write:

                def keep(result: tuple[str, Band, tuple[Array, ...], float]) -> None:
                    version, band, parts, error = result
                    if version != installed_version():
                        raise WorkersError(
                            f"a worker runs widegap {version}, not {installed_version()}; its result is not "
                            "stored"
                        )
                    write(band, parts)
                    with ledger.transaction() as connection:
                        connection.execute(
                            "INSERT INTO bands VALUES (?, ?, ?)", (band.first, band.last, error)
                        )
                    done[band.first] = error
                    tell(len(done), len(bands), 0)

                tasks: list[tuple[Any, ...]] = [
                    (model, *given, band, names, kind, refine)
                    for band in bands
                    if band.first not in done
                ]
                if executor is None:
                    for task in tasks:
                        keep(_band(*task))
                else:
                    run_tasks(executor, _band, tasks, keep, _AHEAD)
        files.finish()
    error = max(done.values())
    if error > POOR:
        warnings.warn(
            f"pairs have errors up to {error:.1g}: the network amplifies what doubles resolve of them",
            AccuracyWarning,
            stacklevel=2,
        )
    return KernelFile(Path(out), names, shape, error)


def _band(
    model: MLP | DEQ,
    x1: Array,
    x2: Array | None,
    band: Band,
    names: tuple[str, ...],
    tangent: Tangent,
    refine: bool,
) -> tuple[str, Band, tuple[Array, ...], float]:
    """Compute a band: one task."""
    with TURN, warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # the whole file has one
        if isinstance(model, MLP):
            made: Any = perceptron_kernel(model, x1, x2, tangent=tangent, refine=refine, band=band)
        else:
            made = equilibrium_kernel(model, x1, x2, refine=refine, band=band)
    return installed_version(), band, tuple(getattr(made, name) for name in names), made.error


class _Files:
    """The three files of a kernel.

    Parameters
    ----------
    out : Path
    shape : tuple of int
        Of the array, whose last two axes are a matrix.
    """

    def __init__(self, out: Path, shape: tuple[int, ...]) -> None:
        if out.suffix != ".npy":
            raise KernelFileError(f"a kernel's file needs a name ending in .npy, got {out}")
        self.out, self.shape = out, shape
        self.part, self.record = (out.with_name(out.name + end) for end in (".part", ".sqlite"))

    def band_rows(self, resume: bool) -> int | None:
        """Rows of a band of the file that is resumed; None for a new one."""
        there = [path for path in (self.out, self.part, self.record) if os.path.lexists(path)]
        if there and not resume:
            raise KernelFileError(f"{there[0]} exists; resume it or choose another name")
        if not there:
            return None
        if self.record not in there:
            raise KernelFileError(
                f"{there[0]} exists without {self.record}, and cannot be resumed; choose another name"
            )
        rows = settings_of(self.record, _FORMAT).get("rows", "")
        if not (rows.isascii() and rows.isdigit() and len(rows) < 18):
            raise KernelFileError(f"{self.record} is damaged: rows holds {rows[:40]!r}")
        if int(rows) == 0 or int(rows) % ROWS:
            raise KernelFileError(f"{self.record} is damaged: rows holds {rows}")
        return int(rows)

    def ledger(
        self, settings: dict[str, str], bands: set[tuple[int, int]], resume: bool
    ) -> DurableFile:
        """Open the ledger, whose bands have to be some of these."""
        if self.record.exists():  # what is damaged is refused now, not after the work
            with reading(self.record, _FORMAT, _TABLES) as connection:
                for row in connection.execute("SELECT first, last, error FROM bands"):
                    first, last, error = typed(("first", "last", "error"), (int, int, float), row)
                    if (first, last) not in bands or error < 0.0:
                        raise ValueError(f"a band is {row}")
        return DurableFile(self.record, _FORMAT, settings, _TABLES, resume=resume)

    def writing(self, fresh: bool) -> _Writing:
        """Open what grows, with room for all of it."""
        if os.path.lexists(self.out):
            raise KernelFileError(
                f"{self.out} exists, but {self.record} says that it is not finished"
            )
        if not fresh and not self.part.is_file():
            raise KernelFileError(
                f"{self.part} is gone; take {self.record} away to begin anew, or choose another name"
            )
        return _Writing(self.part, self.shape, fresh)

    def finish(self) -> None:
        """Give the whole file its name."""
        if self.part.is_file():
            if os.path.lexists(self.out):
                raise KernelFileError(f"{self.out} has appeared; the kernel is in {self.part}")
            os.rename(self.part, self.out)
            _sync_folder(self.out)
        if not self.out.is_file():
            raise KernelFileError(
                f"{self.out} is gone; take {self.record} away to compute it again"
            )


class _Writing:
    """A file that takes bands; each is on the disk when it was written.

    Parameters
    ----------
    path : Path
    shape : tuple of int
    fresh : bool
        Whether no band is there, and the file begun.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], fresh: bool) -> None:
        self.shape = shape
        head = BytesIO()
        described = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, described)
        self._start, size = head.tell(), head.tell() + 8 * math.prod(shape)
        if fresh:
            self._stream = path.open("wb", buffering=0)
            self._stream.write(head.getvalue())
            self._stream.truncate(size)
            return
        self._stream = path.open("r+b", buffering=0)
        if self._stream.read(self._start) != head.getvalue() or path.stat().st_size != size:
            self._stream.close()
            raise KernelFileError(f"{path} is damaged: it is not an array of shape {shape}")

    def __enter__(self) -> Callable[[Band, tuple[Array, ...]], None]:
        return self._write

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def _write(self, band: Band, parts: tuple[Array, ...]) -> None:
        rows, columns = self.shape[-2:]
        for number, part in enumerate(parts):
            base = number * rows * columns
            for i, row in enumerate(part, band.first):
                self._put(base + i * columns + band.across.start, row)
            if band.mirrored:
                turned = np.ascontiguousarray(part[:, len(part) :].T)
                for i, row in enumerate(turned, band.last):
                    self._put(base + i * columns + band.first, row)
        os.fsync(self._stream.fileno())

    def _put(self, place: int, numbers: Array) -> None:
        self._stream.seek(self._start + 8 * place)
        left = numbers.astype("<f8", copy=False).tobytes()
        while left:  # a nearly full disk takes a part first
            left = left[self._stream.write(left) :]


def _sync_folder(path: Path) -> None:
    """Have a renaming survive a power cut, where folders can be opened."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _settings(
    model: MLP | DEQ, given: tuple[Array, Array | None], matrices: Any, how: str
) -> dict[str, str]:
    """What all bands have in common."""
    digest = hashlib.sha256()
    for x in given:
        digest.update(b"" if x is None else f"{x.shape}".encode() + x.tobytes())
    return {
        "schema": str(_FORMAT.schema),
        "model": str(model),
        "inputs": digest.hexdigest(),
        "matrices": matrices if isinstance(matrices, str) else " ".join([*matrices, ""]),
        "tangent, refine": how,
        "widegap": installed_version(),
    }


def _check(model: MLP | DEQ, names: tuple[str, ...], memory: float) -> None:
    there = ("nngp", "ntk", "fixed_point")[: 3 if isinstance(model, DEQ) else 2]
    if not names or len(set(names)) != len(names) or not set(names) <= set(there):
        raise ValueError(
            f"matrices are some of {', '.join(there)}, each once; got {shown(', '.join(names))}"
        )
    if not 0.0 < memory < 1e18:
        raise ValueError(f"memory must be a positive number of bytes, got {shown(memory)}")
