"""Exact numbers of solutions of small binary perceptrons: all 2^n configurations are looked at.

Algorithm
---------
The spins are split. The *inner* k = 10 of them make a table of 2^k partial fields per row; the *outer*
ones are walked through in Gray code, one column of G added or subtracted per step. For one outer
configuration a row restricts the inner configurations to an interval of its table, so that looking at
a configuration costs a comparison per row and no addition. The table is kept in 16-bit integers, of
which a processor compares 16 or 32 at once; the intervals are widened by what rounding to them can
do, so that no solution is lost. A block of 256 inner configurations is given up as soon as none is
left. The few configurations that survive the first rows are decided in double precision.

A row holds with probability P, so that of 2^n configurations 2^n P^r survive r rows: the work per
configuration does not grow with m. The symmetric perceptron's x -> -x halves it.

Cost: about 2^n (log 256) / (-log P) comparisons; n = 30 takes seconds to minutes. Error: none, but for
configurations with a row within 1e-11 sqrt(n) of its bound, which are counted and reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from numerics.compiled import njit
from numerics.machine import cores

from .instances import Instance

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Census", "census", "overlap_counts", "solutions", "spins"]

T = TypeVar("T")

MAX_N = 40
MAX_PAIRS = 200_000
_INNER = 10
_BLOCK = 256
_GROUP = 4
_FRESH = 256  # steps after which the outer fields are summed anew: rounding does not add up
_WORTHWHILE = 1 << 12  # outer configurations that are worth starting threads for
_DOUBT = 1e-11
_SURVIVORS = 1.0 / 64.0


@dataclass(frozen=True)
class Census:
    """Numbers of solutions of an instance and of its first rows.

    Attributes
    ----------
    counts : tuple of int
        ``counts[r - first]`` configurations satisfy the first r rows, r = first, .., m.
    first : int
        Smallest number of rows that is counted; below it the counts are of no interest.
    doubtful : int
        Number of decisions within rounding error of the bound; 0 but for a rare accident.
    """

    counts: tuple[int, ...]
    first: int
    doubtful: int

    @property
    def solutions(self) -> int:
        """Z, the number of solutions of all rows."""
        return self.counts[-1]

    @property
    def rows(self) -> int:
        """m, the number of rows of the instance."""
        return self.first + len(self.counts) - 1

    @property
    def satisfiable_rows(self) -> int | None:
        """Most rows from the first that can be satisfied; None if fewer than are counted.

        Equal to m when the instance is satisfiable.
        """
        rows = [r for r, count in enumerate(self.counts, self.first) if count]
        return rows[-1] if rows else None


def census(instance: Instance, *, threads: int | None = None) -> Census:
    """Count the solutions of an instance, and of its first rows.

    Parameters
    ----------
    instance : Instance
        n at most 40; the time is proportional to 2^n.
    threads : int, optional
        Threads to divide the work between; the result does not depend on it. By default one for each
        core where it is worth it.

    Returns
    -------
    Census

    Raises
    ------
    ValueError
        If n is too large, or threads not positive.
    """
    work = _prepare(instance)
    histogram = np.zeros(instance.m + 1, dtype=np.int64)
    doubtful = 0
    for own, close in work.spread(_count, threads):
        histogram += own
        doubtful += close
    reached = np.cumsum(histogram[::-1])[::-1]
    factor = 2 if work.halved else 1
    counts = tuple(int(count) * factor for count in reached[work.tested :])
    return Census(counts, work.tested, doubtful * factor)


def solutions(instance: Instance, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Find all solutions of an instance.

    Parameters
    ----------
    instance, threads
        As for `census`.

    Returns
    -------
    numpy.ndarray
        Codes, ascending; bit j of a code is set where x_j = +1. See `spins`.

    Raises
    ------
    ValueError
        As `census`.
    """
    work = _prepare(instance)
    codes = np.sort(np.concatenate([own[:count] for own, count in work.spread(_list, threads)]))
    if work.halved:  # the last spin was +1
        top = np.uint64(1 << (instance.n - 1))
        everything = np.uint64((1 << instance.n) - 1)
        codes = np.concatenate([(codes | top) ^ everything, codes | top])
        codes.sort()
    return codes


def spins(codes: NDArray[np.uint64], n: int) -> NDArray[np.int8]:
    """Configurations of codes.

    Parameters
    ----------
    codes : numpy.ndarray
        Shape (k,), as from `solutions`.
    n : int

    Returns
    -------
    numpy.ndarray
        int8, shape (k, n), entries -1 or +1.
    """
    bits = (
        np.asarray(codes, dtype=np.uint64)[:, None] >> np.arange(n, dtype=np.uint64)
    ) & np.uint64(1)
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


def overlap_counts(codes: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """Numbers of ordered pairs of solutions by their distance.

    Parameters
    ----------
    codes : numpy.ndarray
        Solutions, at most 200 000 of them.
    n : int

    Returns
    -------
    numpy.ndarray
        Shape (n + 1,): entry d counts pairs (x, y) that differ in d places, overlap 1 - 2 d / n. Pairs of
        a solution with itself are entry 0. The sum is Z^2.

    Raises
    ------
    ValueError
        For too many solutions; the time is proportional to their square.
    """
    codes = np.ascontiguousarray(codes, dtype=np.uint64)
    if len(codes) > MAX_PAIRS:
        raise ValueError(f"at most {MAX_PAIRS} solutions can be paired, got {len(codes)}")
    return _pairs(codes, n)


@dataclass(frozen=True)
class _Work:
    """What the kernels need, and how many of the first rows they test in integers."""

    arguments: tuple[Any, ...]
    tested: int
    halved: bool

    def spread(self, kernel: Callable[..., T], threads: int | None) -> list[T]:
        """Run a kernel on equal parts of the outer configurations, in order."""
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        total = 1 << self.arguments[0].shape[0]
        parts = threads or (cores() if total >= _WORTHWHILE else 1)
        cuts = [total * part // parts for part in range(parts + 1)]
        if parts == 1:
            return [kernel(*self.arguments, 0, total)]
        with ThreadPoolExecutor(parts) as pool:
            return list(
                pool.map(lambda i: kernel(*self.arguments, cuts[i], cuts[i + 1]), range(parts))
            )


def _prepare(instance: Instance) -> _Work:
    n, m = instance.n, instance.m
    if n > MAX_N:
        raise ValueError(f"2^n configurations are too many for n = {n}; n is at most {MAX_N}")
    halved = instance.kind == "sbp"
    free = n - 1 if halved else n
    inner = min(_INNER, free)
    root = math.sqrt(n)
    lower, upper = instance.lower * root, instance.upper * root
    survive = _probability(instance)
    wanted = math.ceil(math.log(_SURVIVORS) / math.log(survive)) if 0 < survive < 1 else 1
    tested = min(m, max(1, wanted))
    table = _partial_fields(instance.matrix[:, :inner])
    base = -instance.matrix[:, inner:free].sum(axis=1)
    if halved:
        base += instance.matrix[:, -1]
    step = float(np.abs(instance.matrix[:tested]).sum(axis=1).max()) / 32000.0
    groups = -(-tested // _GROUP) * _GROUP
    small = np.zeros((groups, table.shape[1]), dtype=np.int16)
    small[:tested] = np.rint(table[:tested] / step)
    columns = np.ascontiguousarray(instance.matrix[:, inner:free].T)
    arguments = (columns, base, np.ascontiguousarray(table.T), small, tested, step, lower, upper)
    return _Work((*arguments, _DOUBT * root), tested, halved)


def _probability(instance: Instance) -> float:
    """Probability that a row holds; for the order of the work, not for results."""
    tail = 0.5 * math.erfc(instance.kappa / math.sqrt(2.0))
    return 1.0 - 2.0 * tail if instance.kind == "sbp" else tail


def _partial_fields(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fields of all configurations of some columns, shape (m, 2^k); bit j of the index is x_j."""
    m, k = columns.shape
    table = np.zeros((m, 1))
    for j in range(k):
        table = np.concatenate(
            [table - columns[:, j : j + 1], table + columns[:, j : j + 1]], axis=1
        )
    return table


@njit(inline="always")
def _outer_fields(columns, base, index, fields):
    """Fields of the outer configuration whose Gray code has this index; returns its bits."""
    code = index ^ (index >> 1)
    fields[:] = base
    for j in range(columns.shape[0]):
        if (code >> j) & 1:
            for r in range(fields.size):
                fields[r] += 2.0 * columns[j, r]
    return code


@njit(inline="always")
def _step(columns, code, index, fields):
    """Go on to the Gray code of this index."""
    j = 0
    while not (index >> j) & 1:
        j += 1
    twice = -2.0 if (code >> j) & 1 else 2.0
    for r in range(fields.size):
        fields[r] += twice * columns[j, r]
    return code ^ (1 << j)


@njit(inline="always")
def _intervals(fields, tested, step, lower, upper, starts, widths):
    """Widened bounds of the inner table's integers, as a start and a width modulo 2^16."""
    for r in range(tested):
        low = max(-32768.0, min(32767.0, math.floor((lower - fields[r]) / step) - 1.0))
        high = max(-32768.0, min(32767.0, math.ceil((upper - fields[r]) / step) + 1.0))
        starts[r] = np.int16(low)
        widths[r] = np.uint16(max(0.0, high - low))


@njit
def _sieve(small, start, size, starts, widths, alive):
    """Mark the inner configurations of a block that may satisfy the first rows; whether any does."""
    for j in range(size):
        alive[j] = 1
    for r in range(0, small.shape[0], _GROUP):
        a, b = small[r, start : start + size], small[r + 1, start : start + size]
        c, d = small[r + 2, start : start + size], small[r + 3, start : start + size]
        sa, sb, sc, sd = starts[r], starts[r + 1], starts[r + 2], starts[r + 3]
        wa, wb, wc, wd = widths[r], widths[r + 1], widths[r + 2], widths[r + 3]
        left = np.uint16(0)
        for j in range(size):
            inside = (
                np.uint16(np.uint16(a[j] - sa) <= wa)
                & np.uint16(np.uint16(b[j] - sb) <= wb)
                & np.uint16(np.uint16(c[j] - sc) <= wc)
                & np.uint16(np.uint16(d[j] - sd) <= wd)
            )
            alive[j] &= inside
            left |= alive[j]
        if left == 0:
            return False
    return True


@njit(inline="always")
def _rows_satisfied(fields, table, lower, upper, doubt):
    """Number of leading rows that hold, and whether rounding may have decided."""
    doubtful = False
    for r in range(fields.size):
        h = fields[r] + table[r]
        if abs(h - lower) < doubt or abs(h - upper) < doubt:
            doubtful = True
        if h < lower or h > upper:
            return r, doubtful
    return fields.size, doubtful


@njit(nogil=True)
def _count(columns, base, table, small, tested, step, lower, upper, doubt, begin, end):
    """Histogram of the number of leading rows satisfied, and how many decisions are in doubt."""
    histogram = np.zeros(base.size + 1, dtype=np.int64)
    doubtful = 0
    fields, starts, widths, alive = _workspace(base.size, small)
    inner, size = small.shape[1], alive.size
    code = np.int64(0)
    for index in range(begin, end):
        if index == begin or index % _FRESH == 0:
            code = _outer_fields(columns, base, index, fields)
        else:
            code = _step(columns, code, index, fields)
        _intervals(fields, tested, step, lower, upper, starts, widths)
        for start in range(0, inner, size):
            if _sieve(small, start, size, starts, widths, alive):
                for j in range(size):
                    if alive[j]:
                        r, close = _rows_satisfied(fields, table[start + j], lower, upper, doubt)
                        histogram[r] += 1
                        doubtful += close
    return histogram, doubtful


@njit(nogil=True)
def _list(columns, base, table, small, tested, step, lower, upper, doubt, begin, end):
    """Codes of the solutions, in an array that has room for more, and their number."""
    codes = np.empty(64, dtype=np.uint64)
    count = 0
    fields, starts, widths, alive = _workspace(base.size, small)
    inner, size = small.shape[1], alive.size
    code = np.int64(0)
    for index in range(begin, end):
        if index == begin or index % _FRESH == 0:
            code = _outer_fields(columns, base, index, fields)
        else:
            code = _step(columns, code, index, fields)
        _intervals(fields, tested, step, lower, upper, starts, widths)
        for start in range(0, inner, size):
            if _sieve(small, start, size, starts, widths, alive):
                for j in range(size):
                    if alive[j]:
                        r, _ = _rows_satisfied(fields, table[start + j], lower, upper, doubt)
                        if r == base.size:
                            if count == codes.size:
                                larger = np.empty(2 * count, dtype=np.uint64)
                                larger[:count] = codes
                                codes = larger
                            codes[count] = code * inner + start + j
                            count += 1
    return codes, count


@njit(inline="always")
def _workspace(rows, small):
    """Fields; starts and widths of intervals, which let everything through; marks of a block."""
    starts = np.full(small.shape[0], -32768, dtype=np.int16)
    widths = np.full(small.shape[0], 65535, dtype=np.uint16)
    return np.empty(rows), starts, widths, np.zeros(min(_BLOCK, small.shape[1]), dtype=np.uint16)


@njit
def _pairs(codes, n):
    counts = np.zeros(n + 1, dtype=np.int64)
    for i in range(codes.size):
        counts[0] += 1
        for j in range(i):
            bits = codes[i] ^ codes[j]
            bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
            bits = (bits & np.uint64(0x3333333333333333)) + (
                (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
            )
            bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
            counts[(bits * np.uint64(0x0101010101010101)) >> np.uint64(56)] += 2
    return counts
