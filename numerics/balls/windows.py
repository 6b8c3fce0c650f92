"""Windows outside of which the weights of a lifting do not matter, found without looking at every node."""

from __future__ import annotations

import numpy as np
from flint import arb

__all__ = ["Windows", "windowed_sum"]

# Nodes that are looked at together.
_BLOCK = 256


class Windows:
    """Where weights times a Gaussian matter: from the first to the last node within a margin of the largest.

    Parameters
    ----------
    log_weights : ndarray
        Logarithms of the weights of consecutive nodes.
    first : int
        Index of the first node.
    c : float
        The Gaussian is ``exp(-c d^2)`` at distance d, in nodes.
    margin : float
        How far below the largest a logarithm may be.

    Notes
    -----
    Nodes are looked at in blocks, and a block only if its largest weight at its nearest node could matter:
    for N nodes about N/256 operations for a window, and the windows are those of a look at all nodes.
    """

    def __init__(self, log_weights: np.ndarray, first: int, c: float, margin: float) -> None:
        self.log_weights, self.first, self.c, self.margin = log_weights, first, c, margin
        starts = np.arange(0, log_weights.size, _BLOCK)
        self.tops = np.maximum.reduceat(log_weights, starts)
        self.low = first + starts
        self.high = np.minimum(self.low + _BLOCK, first + log_weights.size) - 1

    def around(self, x: float) -> tuple[int, int]:
        """Find the window of a Gaussian.

        Parameters
        ----------
        x : float
            Index of its centre, which may lie between nodes or beyond them.

        Returns
        -------
        (int, int)
            Positions of the first and the last node that matter.
        """
        away = np.maximum(np.maximum(self.low - x, x - self.high), 0)
        above = self.tops - self.c * away * away
        largest = self._inside(int(np.argmax(above)), x).max()
        for block in np.flatnonzero(above > largest):
            largest = max(largest, self._inside(int(block), x).max())
        kept = np.flatnonzero(above >= largest - self.margin)

        def within(blocks: np.ndarray, end: int) -> int:
            for block in blocks:
                inside = np.flatnonzero(self._inside(int(block), x) >= largest - self.margin)
                if inside.size:
                    return int(block) * _BLOCK + int(inside[end])
            raise AssertionError("the largest weight is in no block")

        return within(kept, 0), within(kept[::-1], -1)

    def _inside(self, block: int, x: float) -> np.ndarray:
        part = slice(block * _BLOCK, (block + 1) * _BLOCK)
        weights = self.log_weights[part]
        distance = self.first + part.start - x + np.arange(weights.size)
        return weights - self.c * distance * distance


def windowed_sum(
    values: list[arb], table: list[arb], low: int, high: int, start: int, step: int = 1
) -> arb:
    """Sum of values[n] table[|start + step (n - low)|] for low <= n < high."""
    total = arb(0)
    left = 0
    if start < 0:  # nodes to the left of the centre, the table backwards
        left = min(high - low, (-start + step - 1) // step)
        total = sum(map(arb.__mul__, values[low : low + left], table[-start::-step]), total)
        start += left * step
    return sum(map(arb.__mul__, values[low + left : high], table[start::step]), total)
