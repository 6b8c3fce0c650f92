"""The tilted laws of a nest: where its field is, level by level, and how its functions bend there.

Between lifting k and k + 1 the field has the Gibbs measure's law, whose weights on the grid of f_k are
what the adjoint sweep of `numerics.nests.doubles` carries inwards. Averages of derivatives of f_k under it
are what identities at stationary points and the limit of many levels are made of.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.compiled import interruptible

from .chain import Job, Leaf
from .doubles import check_liftings, weighed
from .grids import MAX_WORK
from .windows import scale

__all__ = ["Law", "tilted_laws"]

Array = NDArray[np.float64]

# Nodes on either side that a difference takes: its error falls as (spacing / width of the strip)**(2 _HALF).
_HALF = 9


class Law(NamedTuple):
    """The field between two liftings.

    Attributes
    ----------
    spacing : float
    first : int
        Node number of the first value; the field there is ``spacing * first``.
    f : ndarray, shape (n,)
        f_k at the nodes; of an even leaf at those >= 0, or beyond a head on which it is flat.
    weights : ndarray, shape (n,)
        Of sum one, up to rounding; of an even leaf those of both signs added up.
    even : bool
    """

    spacing: float
    first: int
    f: Array
    weights: Array
    even: bool

    def slopes(self) -> Array:
        """f_k' at the nodes, by central differences."""
        return self._differentiated(self.f, odd=False)

    def average(self, values: Array) -> float:
        """Average of values at the nodes."""
        return float(np.einsum("i,i->", self.weights, values))

    def derivatives(self, order: int) -> list[Array]:
        """f_k', f_k'', .. up to an order, at the nodes."""
        out: list[Array] = []
        values, odd = self.f, False
        for _ in range(order):
            values = self._differentiated(values, odd=odd)
            odd = not odd
            out.append(values)
        return out

    def _differentiated(self, values: Array, *, odd: bool) -> Array:
        left = np.full(_HALF, values[0])
        if self.even and self.first == 0 and values.size > _HALF:  # the mirror image
            left = (-1.0 if odd else 1.0) * values[_HALF:0:-1]
        whole = np.concatenate((left, values, np.full(_HALF, values[-1])))
        n, total = values.size, np.zeros(values.size)
        for j in range(1, _HALF + 1):
            factor = (
                (-1.0) ** (j + 1) * math.comb(2 * _HALF, _HALF - j) / math.comb(2 * _HALF, _HALF)
            )
            total += factor / j * (whole[_HALF + j :][:n] - whole[_HALF - j :][:n])
        return total / self.spacing


@interruptible()
def tilted_laws(
    leaf: Leaf,
    parameters: Array,
    field: float,
    increments: tuple[float, ...],
    exponents: tuple[float, ...],
    *,
    tolerance: float = 1e-16,
    coarsen: float = 1.0,
    work_limit: int = MAX_WORK,
) -> tuple[Law, ...]:
    """Laws of the field below each lifting of a nest.

    Parameters
    ----------
    leaf, parameters, field, increments, exponents, tolerance, coarsen, work_limit
        As for `numerics.nests.doubles.evaluate_nest`; all increments positive.

    Returns
    -------
    tuple of Law, length K
        Of x_0, which the leaf is taken at, to x_{K-1}, below the outermost lifting.

    Raises
    ------
    ValueError
        If an increment is not positive, or an exponent negative.
    ResolutionError
        As `evaluate_nest` does.

    Notes
    -----
    Cost: that of a value and a gradient. Errors of averages: the nest's, and those of the differences, of
    order (spacing/half-width of the strip)^18.
    """
    check_liftings(increments, exponents)
    if not increments or min(increments) <= 0.0:
        raise ValueError(f"laws need positive increments, got {increments}")
    strip, shape = leaf.facts(parameters)
    job = Job(leaf, parameters, shape, field, increments, exponents, work_limit)
    there, mu, *_ = weighed(job, strip, tolerance * scale(job), coarsen)
    laws = [Law(there.plan.spacings[0], there.first, there.leaf_values, mu[0], leaf.even)]
    for stage, spacing, weights in zip(there.stages, there.plan.spacings[1:], mu[1:], strict=True):
        first = stage.lifting.start + stage.rows.begin
        laws.append(Law(spacing, first, stage.rows.g, weights, leaf.even))
    return tuple(laws)
