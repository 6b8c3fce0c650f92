"""Kernels of an architecture, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from numpy.typing import ArrayLike

from theory.kernels.architectures import DEQ, MLP, not_an_architecture
from theory.kernels.duals import Tangent
from theory.kernels.sequential import Sequential

from .deq import DEQKernel, equilibrium_kernel
from .inputs import check_tangent
from .layers.sequential import sequential_kernel
from .mlp import MLPKernel, perceptron_kernel

__all__ = ["kernel"]


@overload
def kernel(
    model: MLP,
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    diag: bool = ...,
    tangent: Tangent = ...,
    refine: bool = ...,
    progress: Callable[[float], Any] | None = ...,
) -> MLPKernel: ...


@overload
def kernel(
    model: DEQ,
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    diag: bool = ...,
    tangent: Tangent = ...,
    refine: bool = ...,
    progress: Callable[[float], Any] | None = ...,
) -> DEQKernel: ...


@overload
def kernel(
    model: Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    diag: bool = ...,
    tangent: Tangent = ...,
    refine: bool = ...,
    progress: Callable[[float], Any] | None = ...,
) -> MLPKernel: ...


def kernel(
    model: MLP | DEQ | Sequential,
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    diag: bool = False,
    tangent: Tangent = "limit",
    refine: bool = True,
    progress: Callable[[float], Any] | None = None,
) -> MLPKernel | DEQKernel:
    """Gram matrices of a wide network: NNGP and NTK, and of an equilibrium model its fixed point.

    Parameters
    ----------
    model : theory.MLP, theory.DEQ or theory.Sequential
        With numbers for all scales. Floats are taken as they are, exact numbers are rounded to doubles.
    x1 : array_like, shape (n1, d) or (d,)
        Inputs, one a row; a vector is one input.
    x2 : array_like, shape (n2, d) or (d,), optional
        ``x1`` by default; the matrices are then exactly symmetric.
    diag : bool, default False
        Only the diagonals, of ``x1`` with itself, in the time of one scalar recursion for each input.
    tangent : {"limit", "almost_everywhere"}
        The tangent kernel of an activation that jumps: the limit of smooth activations, whose slope is
        dD/dk12 and which is infinite at correlation 1; or the one of derivatives almost everywhere, which
        gradient descent sees. The same for all others, and so for equilibrium models, whose activations
        do not jump.
    refine : bool, default True
        Whether pairs that doubles do not resolve are computed again in higher precision, for at most some
        twenty seconds.
    progress : callable, optional
        Told the fraction done, from 0 to 1.

    Returns
    -------
    MLPKernel or DEQKernel

    Raises
    ------
    TypeError
        If ``model`` is no architecture.
    ValueError
        For inputs that make no sense, and scales that are symbols.
    DivergenceError
        If the kernels do not exist at these scales and inputs; the message says which condition fails.
    KernelMemoryError
        If the matrices do not fit into memory.

    Notes
    -----
    Algorithms, cost and error law: `numerics.kernels.mlp.perceptron_kernel`,
    `numerics.kernels.deq.equilibrium_kernel`, `numerics.kernels.layers.sequential.sequential_kernel` and
    ``docs/kernels.md``.
    """
    check_tangent(tangent)
    if isinstance(model, Sequential):
        if model.plain is None:
            return sequential_kernel(
                model, x1, x2, diag=diag, tangent=tangent, refine=refine, progress=progress
            )
        model = model.plain
    if isinstance(model, MLP):
        return perceptron_kernel(
            model, x1, x2, diag=diag, tangent=tangent, refine=refine, progress=progress
        )
    if isinstance(model, DEQ):
        return equilibrium_kernel(model, x1, x2, diag=diag, refine=refine, progress=progress)
    raise _no_model(model, x1, x2)


def _no_model(model: object, *rest: object) -> TypeError:
    known = "theory.MLP, theory.DEQ or theory.Sequential"
    error = not_an_architecture(model, *rest, expected=known)
    return TypeError(f"{error}; mlp_kernel takes names") if isinstance(model, str) else error
