"""Equilibria z = phi(W z + c) of many inputs at once, to a stated residual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .functions import UnitFunctions

__all__ = ["Equilibrium", "equilibrium"]

Array = NDArray[np.float64]
Method = Literal["anderson", "newton"]


@dataclass(frozen=True)
class Equilibrium:
    """What became of a search for an equilibrium.

    Attributes
    ----------
    z : ndarray, shape (n, m)
        The last iterate, whether it is an equilibrium or not.
    residual : float
        Largest over the inputs of |z - phi(W z + c)| / |z|, in the Euclidean norm.
    converged : bool
        Whether that is at most the tolerance.
    steps : int
        Products W z, Krylov steps included (blocks of m vectors count as one).
    method : {"anderson", "newton"}
        What found it.
    """

    z: Array
    residual: float
    converged: bool
    steps: int
    method: Method


def equilibrium(
    apply: Callable[[Array], Array],
    drive: Array,
    phi: UnitFunctions,
    *,
    start: Array | None = None,
    tolerance: float = 1e-10,
    memory: int = 5,
    steps: int = 200,
    newton: int = 30,
) -> Equilibrium:
    """Solve z = phi(W z + c) for every column of c.

    Parameters
    ----------
    apply : callable
        W z of shape (n, m), and of shape (n,) where Newton's method is needed.
    drive : ndarray, shape (n, m)
        c.
    phi : UnitFunctions
    start : ndarray, shape (n, m), optional
        phi(c) by default.
    tolerance : float
        Of the residual, relative to the length of z.
    memory : int
        Differences that Anderson's acceleration combines; 0 is the plain iteration.
    steps, newton : int
        Most steps of the first method, and most Newton steps of the second, per column.

    Returns
    -------
    Equilibrium
        Says whether it converged; nothing is raised where it did not.

    Notes
    -----
    Anderson's acceleration of type II, one small least-squares problem for each column, with the plain step
    wherever the accelerated one is not finite. For a contraction with rate q the residual falls at least
    like q^k, in practice like a Krylov method of restart ``memory``. Columns that it leaves undone are
    given to Newton's method with GMRES (I - phi'(h) W is never formed) and a backtracking line search.
    Cost: one product a step, and 2 (memory + 2) n m operations on vectors.

    Source: H. Walker and P. Ni, SIAM J. Numer. Anal. 49, 1715 (2011); D. Knoll and D. Keyes, J. Comput.
    Phys. 193, 357 (2004).
    """
    z = phi.value(drive) if start is None else np.array(start, dtype=float)
    with np.errstate(all="ignore"):
        z, worst, count = _anderson(apply, drive, phi, z, tolerance, memory, steps)
        undone = ~(worst <= tolerance)
        if not undone.any() or not newton:
            residual = float(np.max(worst)) if np.isfinite(worst).all() else float("inf")
            return Equilibrium(z, residual, not undone.any(), count, "anderson")
        for j in np.flatnonzero(undone):
            z[:, j], worst[j], more = _newton(apply, drive[:, j], phi, z[:, j], tolerance, newton)
            count += more
    residual = float(np.max(worst)) if np.isfinite(worst).all() else float("inf")
    return Equilibrium(z, residual, bool((worst <= tolerance).all()), count, "newton")


def _products(one: Array, other: Array) -> Array:
    """Scalar products column by column."""
    return np.einsum("nm,nm->m", one, other)


def _sizes(residual: Array, z: Array) -> Array:
    own, whole = (np.sqrt(_products(v, v)) for v in (residual, z))
    return np.where(own == 0.0, 0.0, own / np.maximum(whole, 1e-300))


def _anderson(
    apply: Callable[[Array], Array],
    drive: Array,
    phi: UnitFunctions,
    z: Array,
    tolerance: float,
    memory: int,
    steps: int,
) -> tuple[Array, Array, int]:
    images: list[Array] = []  # differences of phi(W z + c)
    misfits: list[Array] = []  # differences of the residual
    gram = np.zeros(
        (z.shape[1], memory, memory)
    )  # their products, of which one row is new in a step
    before: tuple[Array, Array] | None = None
    best, least, since = z, np.full(z.shape[1], np.inf), 0
    for step in range(1, steps + 1):
        image = phi.value(apply(z) + drive)
        misfit = image - z
        size = _sizes(misfit, z)
        if not np.isfinite(size).all():
            return best, least, step
        if np.max(size) < 0.99 * np.max(least):
            since = 0
        else:
            since += 1
        if np.max(size) <= np.max(least):
            best, least = z, size
        if np.max(size) <= tolerance or since > 40:
            return best, least, step
        if before is not None and memory:
            if len(misfits) == memory:
                del images[0], misfits[0]
                gram[:, :-1, :-1] = gram[:, 1:, 1:].copy()
            images.append(image - before[0])
            misfits.append(misfit - before[1])
            k = len(misfits)
            for i, other in enumerate(misfits):
                gram[:, i, k - 1] = gram[:, k - 1, i] = _products(other, misfits[-1])
        before = image, misfit
        z = _accelerated(image, misfit, images, misfits, gram) if misfits else image
    return best, least, steps


def _accelerated(
    image: Array, misfit: Array, images: list[Array], misfits: list[Array], gram: Array
) -> Array:
    k = len(misfits)
    right = np.stack([_products(other, misfit) for other in misfits], axis=1)
    own = gram[:, :k, :k]
    trace = np.trace(own, axis1=1, axis2=2)[:, None, None]
    own = own + (1e-14 * trace + 1e-300) * np.eye(k)
    try:
        weights = np.linalg.solve(own, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return image
    made = image.copy()
    for j, change in enumerate(images):
        made -= change * weights[:, j]
    return made if np.isfinite(made).all() else np.where(np.isfinite(made).all(axis=0), made, image)


def _newton(
    apply: Callable[[Array], Array],
    drive: Array,
    phi: UnitFunctions,
    z: Array,
    tolerance: float,
    steps: int,
) -> tuple[Array, float, int]:
    from scipy.sparse.linalg import LinearOperator, gmres

    n, count = len(drive), 0

    def look(at: Array) -> tuple[Array, Array, float]:
        nonlocal count
        count += 1
        h = apply(at) + drive
        rest = phi.value(h) - at
        size = float(_sizes(rest[:, None], at[:, None])[0])
        return h, rest, size if np.isfinite(size) else float("inf")

    if not np.isfinite(z).all():
        z = phi.value(drive)
    h, rest, size = look(z)
    for _ in range(steps):
        if size <= tolerance or not np.isfinite(size):
            break
        slope = phi.slope(h)

        def jacobian(v: Array, slope: Array = slope) -> Array:
            nonlocal count
            count += 1
            return v.ravel() - slope * apply(v.ravel())

        operator = LinearOperator((n, n), matvec=jacobian, dtype=np.float64)
        inner = min(n, 60)
        move, _ = gmres(
            operator, rest, rtol=min(0.1, max(0.1 * size, 1e-10)), restart=inner, maxiter=4
        )
        length, trial = 1.0, (h, rest, size)
        while length > 1e-4:
            trial = look(z + length * move)
            if trial[2] < (1.0 - 1e-4 * length) * size:
                break
            length *= 0.5
        else:
            break
        z = z + length * move
        h, rest, size = trial
    return z, size, count
