"""How a Gram matrix is cut into tiles, and how much memory it needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from numerics.errors import KernelMemoryError
from numerics.machine import cores

__all__ = ["ROWS", "Band", "KernelMemoryError", "check_memory", "over_tiles", "threads", "tiles"]


class _Inputs(Protocol):
    def take(self, part: slice) -> Self: ...


Part = TypeVar("Part", bound=_Inputs)
ROWS, COLUMNS = 16, 512
"""Of a tile: a row of it stays in the first-level cache, its layers' inputs in the second."""


def available_memory() -> int | None:
    """Bytes that can be had now, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(n1: int, n2: int, matrices: int, extra: int = 0) -> None:
    """Refuse Gram matrices that do not fit into memory.

    Parameters
    ----------
    n1, n2 : int
        Shape of one matrix.
    matrices : int
        How many of them, in double precision.
    extra : int
        Further bytes.

    Raises
    ------
    KernelMemoryError
        If more is needed than there is.
    """
    needed = 8 * n1 * n2 * matrices + extra
    there = available_memory()
    if there is not None and needed > there:
        raise KernelMemoryError(
            f"{matrices} matrices of {n1} x {n2} need {needed / 2**30:.1f} GiB, but {there / 2**30:.1f} GiB "
            "are free; compute fewer rows at a time"
        )


def tiles(n1: int, n2: int, mirrored: bool) -> NDArray[np.int64]:
    """Cut n1 x n2 pairs into tiles of equal work.

    Parameters
    ----------
    n1, n2 : int
    mirrored : bool
        Only tiles that touch the upper triangle.

    Returns
    -------
    ndarray, shape (tiles, 4)
        First row, row after the last, first column, column after the last.
    """
    cut = []
    for i0 in range(0, n1, ROWS):
        i1 = min(i0 + ROWS, n1)
        first = i0 if mirrored else 0
        for j0 in range(first, n2, COLUMNS):
            cut.append((i0, i1, j0, min(j0 + COLUMNS, n2)))
    return np.array(cut, dtype=np.int64).reshape(-1, 4)


@dataclass(frozen=True)
class Band:
    """Some rows of a Gram matrix, and what a symmetric one has of them from its diagonal on.

    Tiles are those of the whole matrix, so a band has the same numbers, bit by bit.

    Attributes
    ----------
    first, last : int
        First row, a multiple of `ROWS`, and the row after the last, which is another or the end.
    columns : int
        Of the whole matrix.
    mirrored : bool
        Whether the whole matrix is symmetric; the band begins with column ``first`` then.
    """

    first: int
    last: int
    columns: int
    mirrored: bool

    @property
    def rows(self) -> slice:
        """Its rows among all."""
        return slice(self.first, self.last)

    @property
    def across(self) -> slice:
        """Its columns among all."""
        return slice(self.first if self.mirrored else 0, self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the band."""
        return self.last - self.first, self.columns - self.across.start

    def part(self, cut: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the whole matrix's tiles that are in the band, with the band's rows and columns."""
        own = cut[(cut[:, 0] >= self.first) & (cut[:, 0] < self.last)]
        return own - np.array([self.first, self.first, self.across.start, self.across.start])

    def take(self, one: Part, two: Part) -> tuple[Part, Part]:
        """What both sides have of it: `Side`, or whatever else can `take` some inputs."""
        return one.take(self.rows), two.take(self.across)

    def mirror(self, *bands: NDArray[Any]) -> None:
        """Copy what the square on the diagonal has above it to below it, in place."""
        for band in bands if self.mirrored else ():
            square = band[:, : len(band)]
            below = np.tri(len(square), k=-1, dtype=bool)
            square[below] = square.T[below]


def threads() -> int:
    """Threads to use: ``NUMBA_NUM_THREADS`` if set, else the cores this process may run on."""
    chosen = os.environ.get("NUMBA_NUM_THREADS", "")
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    return cores()


def over_tiles(
    work: Callable[[NDArray[np.int64]], None],
    cut: NDArray[np.int64],
    report: Callable[[float], None] | None = None,
) -> None:
    """Do the work of all tiles on all cores.

    Parameters
    ----------
    work : callable
        Takes some tiles; compiled, and without Python's lock while it runs.
    cut : ndarray, shape (tiles, 4)
    report : callable, optional
        Told the fraction done after every part.

    Notes
    -----
    Threads take the next part when they are free, so uneven tiles do not matter.
    """
    count = threads()
    parts = np.array_split(cut, max(1, min(len(cut), 16 * count)))
    if count == 1 or len(cut) < 4:
        for number, part in enumerate(parts, 1):
            work(part)
            if report is not None:
                report(number / len(parts))
        return
    with ThreadPoolExecutor(count) as pool:
        for number, _ in enumerate(pool.map(work, parts), 1):
            if report is not None:
                report(number / len(parts))
