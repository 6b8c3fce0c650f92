"""Draws of wide networks against the BLAS calls and random numbers they need, in the same run."""

from typing import Any

import numpy as np

from benchmarks.rows import Quantity, Row
from benchmarks.timing import measure
from verify.networks import Network, sample

__all__ = ["run"]

_INPUTS = 8


def run(quick: bool) -> list[Row]:
    """Time a draw with dense weights, and one whose weights are made up as they are applied.

    Parameters
    ----------
    quick : bool
        n = 1000 only, without 4000.

    Returns
    -------
    list of Row
    """
    return [row for n in ((1000,) if quick else (1000, 4000)) for row in _rows(n)]


def _rows(n: int) -> list[Row]:
    x = np.random.default_rng(0).standard_normal((_INPUTS, 6))
    network = Network("deq", "relu", n, sigma_w=0.6)
    steps = int(sample(network, x, 1, weights="dense").steps[0])
    rng = np.random.default_rng(1)
    w, z = rng.standard_normal((n, n)), rng.standard_normal((n, _INPUTS))

    def blas() -> Any:
        for _ in range(steps):
            np.matmul(w, z)

    def numbers() -> Any:
        rng.standard_normal((n, n))

    dense, lazy, products, drawn = measure(
        lambda: sample(network, x, 1, weights="dense"),
        lambda: sample(network, x, 1, weights="lazy"),
        blas,
        numbers,
        repeats=3,
        number=1,
    )
    needed = Quantity(products.value + drawn.value)
    ratio = dense.value / needed.value
    words = f"{steps} products W z of {_INPUTS} inputs, and n^2 normal numbers"
    return [
        Row(
            f"dense, n = {n}",
            "one draw, its equilibria and outputs",
            dense,
            words,
            needed,
            target="within 2 times",
            met=ratio <= 2.0,
            remark=f"products alone {products.value:.3g} s, numbers {drawn.value:.3g} s",
        ),
        Row(f"lazy, n = {n}", "the same draw in law", lazy, words, needed),
    ]
