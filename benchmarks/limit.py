"""Level 7 against the time that the operations it counts would take alone.

One exponential and one multiply-add are timed in compiled loops over arrays that stay in the cache:
the best that this machine does with the same compiler. What is above the limit is whatever is not
counted: memory traffic, index arithmetic, Python.
"""

import math

import numpy as np
from numba import njit

from benchmarks.points import HIGHEST, own
from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure

__all__ = ["run"]

ESTIMATED_EXPONENTIALS = 1e5
"""An estimate from the outside for one value at level 7: only |field| up to kappa matters."""

_NODES = 4096
_ROWS = 512
# the windows of level 7 are one to three times as long
_WINDOW = 128


@njit
def _exponentials(x, out):
    for i in range(x.size):
        out[i] = math.exp(x[i])


@njit(fastmath={"reassoc", "contract"})
def _dot_products(row, x, out):
    for i in range(out.size):
        total = 0.0
        for q in range(row.size):
            total += row[q] * x[i + q]
        out[i] = total


def run(quick: bool) -> list[Row]:
    """Compare a value, and a value with gradient, with the limit implied by their operations.

    Parameters
    ----------
    quick : bool
        Makes no difference; this one is quick.

    Returns
    -------
    list of Row
    """
    point = own(HIGHEST)
    x = np.linspace(-30.0, 0.0, _NODES)
    row, streamed = np.exp(x[-_WINDOW:]), np.exp(x[: _ROWS + _WINDOW])
    out, sums = np.empty(_NODES), np.empty(_ROWS)
    loop, products, value, both = measure(
        lambda: _exponentials(x, out),
        lambda: _dot_products(row, streamed, sums),
        point.value,
        point.value_and_gradient,
    )
    exponential, product = _share(loop, _NODES), _share(products, _ROWS * _WINDOW)
    rows = [
        Row("operations", "one exponential", exponential, "one multiply-add", product),
    ]
    counted = []
    for measured, seconds, evaluation in (
        ("value", value, point.value()),
        ("value and gradient", both, point.value_and_gradient()),
    ):
        counted.append(evaluation)
        for_exponentials = evaluation.exponentials * exponential.value
        for_products = evaluation.products * product.value
        rows.append(
            Row(
                f"level {HIGHEST}",
                measured,
                seconds,
                "its exponentials and multiply-adds alone",
                Quantity(for_exponentials + for_products),
                remark=f"{evaluation.exponentials} exponentials, {1e6 * for_exponentials:.3g} us; "
                f"{evaluation.products} multiply-adds, {1e6 * for_products:.3g} us",
            )
        )
    rows.append(
        Row(
            f"level {HIGHEST}",
            "exponentials of one value",
            Quantity(float(counted[0].exponentials), "exponentials"),
            "estimate made before there was code",
            Quantity(ESTIMATED_EXPONENTIALS, "exponentials"),
            target="no more than estimated",
            met=counted[0].exponentials <= ESTIMATED_EXPONENTIALS,
            remark="logarithms and error functions are counted as exponentials",
        )
    )
    return rows


def _share(seconds: Quantity, count: int) -> Quantity:
    """Time of one operation from the time of many."""
    assert seconds.spread is not None
    return Quantity(seconds.value / count, "s", seconds.spread / count)
