"""Counting the solutions of small perceptrons against NumPy, and against its own lower bound.

The baseline is what a careful NumPy program does: blocks of configurations as a matrix, one
matrix product with BLAS, comparisons, ``all``. The lower bound takes every configuration as far as its
first violated row, 1/(1 - P) comparisons on average, at the speed at which this processor compares
16-bit integers in its first-level cache.
"""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure
from numerics.functionals.moments import row_probability
from theory import ABP, SBP
from verify.thresholds.enumeration import census, spins
from verify.thresholds.instances import Instance, draw_instance
from widegap.errors import Failure

__all__ = ["run"]

_TARGET = 30.0
_BLOCK = 1 << 14
_VALUES = 1 << 13  # 16 kB: half of a usual first-level cache
_DENSITIES = {"sbp": 1.7, "abp": 0.8}


def run(quick: bool) -> list[Row]:
    """Count the solutions of a symmetric and an asymmetric instance near their thresholds.

    Parameters
    ----------
    quick : bool
        n = 20 instead of 22 for the comparison.

    Returns
    -------
    list of Row

    Raises
    ------
    Failure
        If the two sides count differently.
    """
    n = 20 if quick else 22
    rows = []
    for model in (SBP(1), ABP(0)):
        instance = draw_instance(model, n, _DENSITIES[model.name], seed=1)
        rows.append(_against_numpy(instance))
        rows.append(_against_limit(instance, row_probability(model)))
    return rows


def _against_numpy(instance: Instance) -> Row:
    expected = _count(instance)
    found = census(instance).solutions
    if found != expected:
        raise Failure(f"{instance!r}: {found} solutions, NumPy finds {expected}")
    ours, theirs = measure(lambda: census(instance), lambda: _count(instance), repeats=3)
    times = theirs.value / ours.value
    return Row(
        f"{instance.kind}, n = {instance.n}",
        f"all 2^{instance.n} configurations, {instance.m} rows",
        ours,
        "matrix products in NumPy, all threads on both sides",
        theirs,
        target=f"{_TARGET:g} times faster",
        met=times >= _TARGET,
        remark=f"{times:.3g} times faster; {2.0**instance.n / ours.value:.3g} configurations per second",
    )


def _against_limit(instance: Instance, probability: float) -> Row:
    values = np.arange(_VALUES, dtype=np.int16)
    _compare(values, np.int16(0), np.uint16(9), 1)
    rounds = 4096
    (spent,) = measure(lambda: _compare(values, np.int16(0), np.uint16(9), rounds), repeats=3)
    each = spent.value / (rounds * _VALUES)
    configurations = 2.0 ** (instance.n - (instance.kind == "sbp"))
    wanted = 1.0 / (1.0 - probability)
    (ours,) = measure(lambda: census(instance, threads=1), repeats=3)
    return Row(
        f"{instance.kind}, one thread",
        "nanoseconds per configuration",
        Quantity(1e9 * ours.value / configurations, "ns"),
        f"{wanted:.3g} comparisons of 16 bits each",
        Quantity(1e9 * each * wanted, "ns"),
        remark="blocks of 256 go on until none of them is left: "
        f"log(256)/-log P = {math.log(256) / -math.log(probability):.3g} comparisons, not {wanted:.3g}",
    )


def _count(instance: Instance) -> int:
    """Enumerate in blocks of one matrix product each."""
    matrix = np.ascontiguousarray(instance.matrix.T / math.sqrt(instance.n), dtype=np.float32)
    block = min(_BLOCK, 2**instance.n)
    low = spins(np.arange(block, dtype=np.uint64), instance.n).astype(np.float32)
    bits = block.bit_length() - 1
    total = 0
    for start in range(0, 2**instance.n, block):
        low[:, bits:] = spins(np.array([start], dtype=np.uint64), instance.n)[0, bits:]
        fields = low @ matrix
        if instance.kind == "sbp":
            total += int((np.abs(fields) <= instance.kappa).all(axis=1).sum())
        else:
            total += int((fields >= instance.kappa).all(axis=1).sum())
    return total


@numba.njit(cache=True)
def _compare(values: Any, start: Any, width: Any, rounds: int) -> Any:
    inside = np.uint16(0)
    for k in range(rounds):
        shift = np.int16(start + k)
        some = np.uint16(0)
        for j in range(values.size):
            some |= np.uint16(np.uint16(values[j] - shift) <= width)
        inside += some
    return inside
