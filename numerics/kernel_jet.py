"""D, D' and their first derivatives for all pairs, compiled from theory's expressions.

By the heat identity dD/dk11 = E phi''(u) phi(v)/2, so the derivatives are duals of derivatives, which the
same ladder derives.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.duals import DELTA, DET, SIGMA, Dual
from theory.ladder import K1, K2, C
from theory.mixtures import A, B, mixture

from .codegen import generated_module
from .kernel_code import function_text, pasted
from .mixture_nodes import mixture_nodes

__all__ = ["ORDERS", "jet"]

Array = NDArray[np.float64]
ORDERS = ((0, 0), (1, 1), (2, 0), (0, 2), (2, 2), (3, 1), (1, 3))
"""What is computed: E phi^(i)(u) phi^(j)(v)."""


@lru_cache(maxsize=32)
def _module(found: Dual) -> ModuleType:
    arguments = [K1, K2, C, DET, DELTA, SIGMA]
    parts = [pasted("kernel_primitives")]
    if found.is_closed:
        stable = [found.moment(i, j).stable for i, j in ORDERS]
        parts.append(function_text("jet", arguments, stable))
    else:
        member = mixture(found.activation)
        if member is None:
            raise ValueError(f"gradients need a closed dual, and {found.activation} has none")
        nodes, masses = mixture_nodes()
        parts.append(
            f"SCALES = {tuple(map(float, nodes))!r}\nWEIGHTS = {tuple(map(float, masses))!r}"
        )
        stable = [member.moment(i, j).stable for i, j in ORDERS]
        parts.append(function_text("member_jet", [A, B, *arguments], stable))
        parts.append(pasted("kernel_jet_mixture"))
    parts.append(pasted("kernel_jet_loops"))
    return generated_module("kernel_jet", "\n\n".join(parts))


@lru_cache(maxsize=32)
def _diagonal_bend(found: Dual) -> object:
    """D E phi'(u)^2/dk for activations with a kink, where the pair's derivatives are singular."""
    if not found.terms or not any(t.kind == "sign" for t in found.terms):
        return None
    return sympy.lambdify(K1, sympy.diff(found.derivative_diagonal, K1), "numpy")


def jet(found: Dual, k1: Array, k2: Array, c: Array) -> Array:
    """Evaluate all of `ORDERS` at all pairs.

    Parameters
    ----------
    found : Dual
        With a closed form, or a mixture of such.
    k1, k2 : ndarray, shape (n1,), (n2,)
    c : ndarray, shape (n1, n2)

    Returns
    -------
    ndarray, shape (7, n1, n2)
        At correlation +-1 of an activation with a kink, the second derivatives are those along
        equal or parallel inputs: E phi''(u) phi''(v) is 0 and the others hold the diagonal's slope.
    """
    out = np.empty((len(ORDERS), len(k1), len(k2)))
    _module(found).fill(k1, k2, np.ascontiguousarray(c), out)
    bend = _diagonal_bend(found)
    if bend is not None:
        product = np.outer(k1, k2)
        edge = product - c * c <= 1e-14 * product
        if edge.any():
            k = np.sqrt(product[edge])
            along = np.asarray(bend(k)) * np.ones_like(k)  # type: ignore[operator]
            rows, columns = np.nonzero(edge)
            out[4][edge] = 0.0
            with np.errstate(all="ignore"):
                out[5][edge] = np.nan_to_num(along * k / k1[rows])
                out[6][edge] = np.nan_to_num(along * k / k2[columns])
    return out
