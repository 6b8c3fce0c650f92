"""The diagonal of a kernel, input by input, before any pair: does it stay finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.duals import Dual

from .kernel_code import kernel_module, uses_power_loops

__all__ = ["diagonal_failure"]

Array = NDArray[np.float64]
LIMIT = 1e150
"""Variances beyond this have determinants outside the range of doubles."""


def _limit(found: Dual) -> float:
    """Largest variance at which phi is square integrable."""
    if found.terms is None:
        return np.inf
    growth = [float(-t.alpha) for t in found.terms if t.kind == "plain" and t.alpha.is_negative]
    return 1.0 / (4.0 * max(growth)) if growth else np.inf


def diagonal_failure(found: Dual, k: Array, sw2: Array, sb2: Array) -> str | None:
    """Say where the diagonal recursion leaves its domain.

    Parameters
    ----------
    found : Dual
    k : ndarray, shape (n,)
        Variances of layer 1.
    sw2, sb2 : ndarray, shape (layers,)

    Returns
    -------
    str or None
        None if all variances stay in the domain of D and in the range of doubles.
    """
    limit = _limit(found)
    module = kernel_module(found)
    power = uses_power_loops(found)
    # the recursion is monotone in k, or bounded: the extremes of the inputs suffice to see overflow
    probes = np.array([k.min(), k.max()])
    step = 256
    for begin in range(0, len(sw2), step):
        part = slice(begin, begin + step)
        count = len(sw2[part])
        path = np.empty((count + 1, 2))
        path[0] = probes
        if power:
            module.diagonal(path, sw2[part], sb2[part], *(np.empty((count, 2)) for _ in range(4)))
        else:
            with np.errstate(all="ignore"):
                module.diagonal(path, np.zeros(2), sw2[part], sb2[part])
        wrong = ~(path < min(limit, LIMIT))
        wrong[-1] &= begin + count < len(sw2)  # the readout is no layer
        if wrong.any():
            layer, probe = np.argwhere(wrong)[0]
            value = path[layer, probe]
            where = f"layer {begin + layer + 1} has variance {value:.3g}"
            if limit < LIMIT and not value < limit:
                return (
                    f"E phi(u)^2 exists for variances below {limit:.6g} only ({found.exists} with k11 the "
                    f"variance), but {where}; make sigma_w or the inputs smaller"
                )
            return (
                f"the kernel map does not contract: {where}, outside the range of doubles; "
                "make sigma_w, the inputs or the depth smaller"
            )
        probes = path[-1]
    return None
