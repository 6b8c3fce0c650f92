"""Iterations of the large-n algorithms against the matrix-vector products they need.

An iteration needs G m and G' g: two readings of the matrix. The bandwidth is measured by the same
products alone, in single precision and on one thread, as the algorithms run. A sweep of local search is
compared with trying all flips without making any.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure
from theory import SBP
from verify.thresholds.algorithms import attempt
from verify.thresholds.algorithms.kernels import add_multiple, columns_of, depth_after, dot, rows_of
from verify.thresholds.instances import Instance, draw_instance

__all__ = ["run"]

_TARGET = 2.0
_ALPHA = 1.75  # nothing is found here: iterations never stop early
_ITERATIONS = 40


def run(quick: bool) -> list[Row]:
    """Time iterations at several n, and how time grows with n.

    Parameters
    ----------
    quick : bool
        n = 1000 and 2000 only, without 4000.

    Returns
    -------
    list of Row
    """
    sizes = (1000, 2000) if quick else (1000, 2000, 4000)
    instances = {n: draw_instance(SBP(1), n, _ALPHA, seed=0) for n in sizes}
    rows = []
    times: dict[str, list[float]] = {}
    for algorithm in ("belief", "focusing", "clup", "annealing"):
        for instance in instances.values():
            row = _row(algorithm, instance)
            rows.append(row)
            times.setdefault(algorithm, []).append(row.quantity.value)
    return [*rows, *(_growth(name, sizes, spent) for name, spent in times.items())]


def _row(algorithm: str, instance: Instance) -> Row:
    local = algorithm == "annealing"
    options = {} if local else {"repairs": 0}

    def once(budget: int) -> None:
        attempt(instance, algorithm, budget=budget, seed=1, **options)

    once(1)
    products = _local_search_work(instance) if local else _products(instance)
    whole, start, reference = measure(
        lambda: once(1 + _ITERATIONS), lambda: once(1), products, repeats=3, number=1
    )
    each = (whole.value - start.value) / _ITERATIONS
    ratio = each / reference.value
    size = instance.m * instance.n * 4
    what = (
        "n flips tried, nothing moved" if algorithm == "annealing" else "G m and G' g, one thread"
    )
    rate = f"{2 * size / reference.value / 1e9:.3g} GB/s for two readings of {size / 1e6:.3g} MB"
    return Row(
        f"{algorithm}, n = {instance.n}",
        "one iteration",
        Quantity(each),
        what,
        reference,
        target="" if local else f"within {_TARGET:g} times",
        met=None if local else ratio <= _TARGET,
        remark="columns in random order; some flips are made" if local else rate,
    )


def _products(instance: Instance) -> Callable[[], Any]:
    rows = rows_of(instance)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(instance.n, dtype=np.float32)
    g = rng.standard_normal(instance.m, dtype=np.float32)
    out, back = np.zeros(instance.m, dtype=np.float32), np.zeros(instance.n, dtype=np.float32)
    _both(rows, x, g, out, back)
    return lambda: _both(rows, x, g, out, back)


def _local_search_work(instance: Instance) -> Callable[[], Any]:
    columns = columns_of(instance)
    fields = np.zeros(instance.m, dtype=np.float32)
    _tries(columns, fields)
    return lambda: _tries(columns, fields)


@numba.njit(cache=True)
def _both(rows: Any, x: Any, g: Any, out: Any, back: Any) -> None:
    for i in range(rows.shape[0]):
        out[i] = dot(rows[i], x)
    back[:] = 0.0
    for i in range(rows.shape[0]):
        add_multiple(g[i], rows[i], back)


@numba.njit(cache=True)
def _tries(columns: Any, fields: Any) -> Any:
    total = 0.0
    for j in range(columns.shape[0]):
        total += depth_after(fields, columns[j], np.float32(2.0), np.float32(-1.0), np.float32(1.0))
    return total


def _growth(name: str, sizes: tuple[int, ...], spent: list[float]) -> Row:
    exponent = float(np.polyfit(np.log(sizes), np.log(spent), 1)[0])
    return Row(
        f"{name}, growth",
        "exponent of n in the time per iteration",
        Quantity(exponent, ""),
        "of the matrix's size",
        Quantity(2.0, ""),
        remark="more than 2 where the matrix outgrows a cache",
    )
