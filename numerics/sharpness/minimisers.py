"""Where SAM and FGSAM end on quadratic losses, and the largest curvature of any loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from numerics.errors import ConvergenceError
from numerics.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Eigenvalue",
    "FixedPoint",
    "QuadraticLimits",
    "evaluate",
    "graph_fixed_point",
    "largest_eigenvalue",
    "quadratic_limits",
]

_ULP = 2.0**-52


def evaluate(law: Any, **values: float) -> tuple[float, float]:
    """Evaluate a law without matrices in 50 digits, and round once.

    Parameters
    ----------
    law : theory.calculus.law.Law
    **values
        Of its symbols, by their names; positive numbers, all that its right-hand side needs.

    Returns
    -------
    value, error : float
        Rounding is all the error there is: half a unit in the last place.

    Raises
    ------
    ValueError
        If a value is not a positive, finite number, or one is missing or is no symbol of the law.
    """
    import sympy

    symbols = {str(s): s for s in law.symbols}
    needed = set(map(str, law.value.free_symbols))
    if not needed <= values.keys() <= symbols.keys():
        raise ValueError(f"{law.title} takes {', '.join(sorted(needed))}; got {', '.join(values)}")
    for name, value in values.items():
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} is a positive, finite number, got {value}")
    put = {symbols[name]: sympy.Rational(value) for name, value in values.items()}
    value = float(law.value.subs(put).evalf(50, maxn=5000, strict=True))
    return value, _ULP / 2 * abs(value)


@dataclass(frozen=True)
class FixedPoint(Result):
    """Where FGSAM comes to rest on quadratic losses.

    Attributes
    ----------
    point : tuple of float
    error : float
        Bound on the norm of the point's error.
    joint : tuple of float
        Minimum of lambda L_G + L_M.
    first_order : tuple of float
        ``joint`` moved by the shift of first order in the radius.
    gradient_norm : float
        Of the graph's loss at the point.
    largest_step : float
        Step sizes below it make the point attract; 0 if none does.
    """

    point: tuple[float, ...]
    error: float
    joint: tuple[float, ...]
    first_order: tuple[float, ...]
    gradient_norm: float
    largest_step: float

    def rows(self) -> list[dict[str, Any]]:
        """One for each coordinate."""
        return [
            {"fixed point": w, "error": self.error, "first order": f, "joint minimum": j}
            for w, f, j in zip(self.point, self.first_order, self.joint, strict=True)
        ]


def graph_fixed_point(
    graph: ArrayLike,
    peer: ArrayLike,
    graph_minimum: Sequence[float],
    peer_minimum: Sequence[float],
    *,
    weight: float = 0.5,
    radius: float = 0.05,
) -> FixedPoint:
    """FGSAM's fixed point on two quadratic losses, from its secular equation.

    Parameters
    ----------
    graph, peer : array_like, shape (n, n)
        Hessians, symmetric and positive definite.
    graph_minimum, peer_minimum : sequence of float
    weight : float
        Lambda.
    radius : float
        Rho.

    Returns
    -------
    FixedPoint

    Raises
    ------
    ValueError
        If the minima are not further apart than the radius, where there is none, or a Hessian is not positive
        definite.

    Notes
    -----
    Brent's method on the one unknown, the gradient's norm, in n^3 operations a step; then a Newton step on
    the condition itself, whose length, doubled, is the error with what rounding adds.
    """
    from scipy.optimize import brentq

    matrices = [np.atleast_2d(np.asarray(m, dtype=float)) for m in (graph, peer)]
    b, a = (np.asarray(v, dtype=float).reshape(-1, 1) for v in (graph_minimum, peer_minimum))
    for name, value in (("weight", weight), ("radius", radius)):
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} is a positive, finite number, got {value}")
    n = len(a)
    for matrix in matrices:
        if matrix.shape != (n, n) or len(b) != n:
            raise ValueError(f"Hessians of {n} coordinates are {n} by {n}, got {matrix.shape}")
        if not (matrix == matrix.T).all() or not np.linalg.eigvalsh(matrix)[0] > 0.0:
            raise ValueError("Hessians are symmetric and positive definite; one of these is not")
    apart = float(np.linalg.norm(a - b))
    if not radius < apart < math.inf:
        raise ValueError(
            f"the minima are {apart:.6g} apart, not more than the radius {radius:.6g}: FGSAM has no "
            "fixed point and goes on to oscillate about the graph's minimum"
        )
    secular, place, shift, direction, jacobian = _fixed_point(n)
    given = (*matrices, a, b, weight, radius)
    high = 1.0
    while secular(high, *given) > 1.0:
        high *= 2.0
    gamma = float(
        brentq(lambda g: secular(g, *given).item() - 1.0, 0.0, high, xtol=1e-300, rtol=4 * _ULP)
    )
    point, zero = place(gamma, *given), np.zeros((n, 1))
    flat = jacobian(gamma, *matrices, zero, weight, 0.0)  # without a perturbation
    joint = np.linalg.solve(flat, -direction(zero, zero, *given))
    units = [matrices[0] @ (w - b) for w in (point, joint)]
    unit, other = (g / np.linalg.norm(g) for g in units)
    first = joint + shift(*matrices, other, weight, radius)
    slope = jacobian(gamma, *matrices, unit, weight, radius)
    step = np.linalg.solve(slope, direction(point, unit, *given))
    scale = float(max(np.abs(v).max() for v in (point, a, b)))
    error = 2.0 * float(np.linalg.norm(step)) + 16 * n * np.linalg.cond(flat) * _ULP * scale
    eigenvalues = np.linalg.eigvals(slope)
    largest = float((2.0 * eigenvalues.real / np.abs(eigenvalues) ** 2).min())
    rows = (tuple(v.ravel().tolist()) for v in (point, joint, first))
    return FixedPoint(next(rows), float(error), next(rows), next(rows), gamma, max(largest, 0.0))


@cache
def _fixed_point(n: int) -> tuple[Callable[..., Any], ...]:
    """Theory's secular function, place, shift, direction and Jacobian as functions of numbers."""
    import sympy

    from theory.sharpness import graph_direction, graph_fixed_point, graph_shift

    def compiled(law: Any, *names: str) -> Callable[..., Any]:
        dimension = next(s for s in law.symbols if str(s) == "n")
        symbols = {str(s): s.subs(dimension, n) for s in law.symbols}
        return sympy.lambdify(
            [symbols[name] for name in names], law.value.subs(dimension, n), "numpy"
        )

    given = ("G", "M", "a", "b", "lambda", "rho")
    secular, place = graph_fixed_point()
    direction, jacobian = graph_direction()
    return (
        compiled(secular, "gamma", *given),
        compiled(place, "gamma", *given),
        compiled(graph_shift(), "G", "M", "u", "lambda", "rho"),
        compiled(direction, "w", "u", *given),
        compiled(jacobian, "gamma", "G", "M", "u", "lambda", "rho"),
    )


@dataclass(frozen=True)
class QuadraticLimits(Result):
    """Where SAM and FGSAM end on quadratic losses of one dimension.

    Attributes
    ----------
    quantities : tuple of str
    values : tuple of float or None
        None where there is no such thing.
    errors : tuple of float or None
    reasons : tuple of str
        Why there is none; empty where there is.
    """

    quantities: tuple[str, ...]
    values: tuple[float | None, ...]
    errors: tuple[float | None, ...]
    reasons: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One for each quantity."""
        columns = zip(self.quantities, self.values, self.errors, self.reasons, strict=True)
        return [
            {"quantity": name, "value": value if not why else f"none: {why}", "error": error}
            for name, value, error, why in columns
        ]

    def draw(self, axes: Axes) -> None:
        """Bars of what there is."""
        shown = [(n, v) for n, v in zip(self.quantities, self.values, strict=True) if v is not None]
        axes.barh([n for n, _ in shown], [v for _, v in shown])
        axes.set(xlabel="value", ylabel="quantity")
        axes.invert_yaxis()


def quadratic_limits(
    *,
    step: float,
    curvature: float,
    radius: float,
    peer_curvature: float = 1.0,
    weight: float = 0.5,
    apart: float = 1.0,
    norm: float = 1.0,
) -> QuadraticLimits:
    """Predict SAM's cycle, edges of stability, and FGSAM's fixed point in one dimension.

    Parameters
    ----------
    step, curvature, radius
        Eta, h of the graph's loss, which SAM descends, and rho.
    peer_curvature, weight, apart
        Of FGSAM: curvature of the peer's loss, lambda, distance of the minima of both losses, that of the
        graph's at 0.
    norm : float
        Of the gradient at SAM's edge.

    Returns
    -------
    QuadraticLimits
        Amplitudes are None where the steps diverge, the fixed point where there is none.

    Raises
    ------
    ValueError
        For a value that is not a number from 1e-100 to 1e100, whose products are numbers too.
    """
    from theory.sharpness import descent_edge, graph_cycle, sam_cycle, sam_edge

    given = {"step": step, "curvature": curvature, "peer curvature": peer_curvature}
    given |= {"radius": radius, "weight": weight, "apart": apart, "norm": norm}
    for name, value in given.items():
        if not 1e-100 <= value <= 1e100:
            raise ValueError(f"{name} is a number from 1e-100 to 1e+100, got {value:g}")
    common = {"eta": step, "rho": radius}
    descent = evaluate(descent_edge(), eta=step)
    found: list[tuple[str, tuple[float, float] | str]] = [
        ("descent: largest stable curvature", descent),
        (
            f"SAM: largest stable curvature at |g| = {norm:g}",
            evaluate(sam_edge(), **common, nu=norm),
        ),
    ]
    diverges = "steps diverge, the curvature is beyond the stable one"
    amplitude = evaluate(sam_cycle(), **common, h=curvature)
    found.append(("SAM: amplitude of the cycle", amplitude if curvature < descent[0] else diverges))
    losses = {"h_G": curvature, "h_M": peer_curvature, "lambda": weight}
    cycle = evaluate(graph_cycle(), **common, **losses)
    joint = weight * curvature + peer_curvature
    stable = joint < descent[0]
    found.append(("FGSAM: amplitude of the cycle, minima the same", cycle if stable else diverges))
    rest: tuple[float, float] | str = (
        "the minima are no further apart than rho" if stable else diverges
    )
    if apart > radius and stable:
        point = graph_fixed_point(
            [[curvature]], [[peer_curvature]], [0.0], [apart], weight=weight, radius=radius
        )
        rest = (point.point[0], point.error)
    found.append((f"FGSAM: fixed point, minima at 0 and {apart:g}", rest))
    columns = [
        (name, None, None, it) if isinstance(it, str) else (name, *it, "") for name, it in found
    ]
    return QuadraticLimits(*zip(*columns, strict=True))


@dataclass(frozen=True)
class Eigenvalue(Result):
    """A largest eigenvalue.

    Attributes
    ----------
    value : float
        The Rayleigh quotient of a unit vector.
    error : float
        Bound on its distance from an eigenvalue: the residual's norm, and rounding.
    products : int
        Products of the matrix with a vector that were computed.
    """

    value: float
    error: float
    products: int

    def rows(self) -> list[dict[str, Any]]:
        """One."""
        return [{"largest eigenvalue": self.value, "error": self.error, "products": self.products}]


def largest_eigenvalue(
    product: Callable[[NDArray[np.float64]], ArrayLike],
    size: int,
    *,
    seed: int = 0,
    tolerance: float = 1e-8,
) -> Eigenvalue:
    """Largest eigenvalue of a symmetric matrix that is known by its products, by Lanczos' method.

    Parameters
    ----------
    product : callable
        Product of the matrix with a vector of shape (size,), such as a Hessian-vector product.
    size : int
    seed : int
        Of the random start.
    tolerance : float
        Of the eigenvalue, relative.

    Returns
    -------
    Eigenvalue
        Within ``error`` of an eigenvalue. That no larger one was missed holds for all starts but a set of
        probability 0 in exact arithmetic, and is not proved.

    Raises
    ------
    ValueError
        For a size below 1, and products that are not finite.
    numerics.ConvergenceError
        If Lanczos' method does not converge, or not to an eigenvector.

    Notes
    -----
    ARPACK's implicitly restarted iteration through SciPy; matrices of at most 20 rows are multiplied out.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    if size < 1:
        raise ValueError(f"a matrix has at least 1 row, got {size}")
    count = 0

    def apply(v: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal count
        count += 1
        image = np.asarray(product(np.asarray(v, dtype=float).ravel()), dtype=float)
        if not np.isfinite(image).all():
            raise ValueError(
                "the matrix's products are not finite: the loss is not smooth there, or NaN"
            )
        return image

    if size <= 20:
        values, vectors = np.linalg.eigh(np.array([apply(e) for e in np.eye(size)]))
        value, vector = float(values[-1]), vectors[:, -1]
    else:
        start = np.random.default_rng(seed).standard_normal(size)
        operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
        try:
            found, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=tolerance)
        except ArpackNoConvergence as error:
            raise ConvergenceError(
                f"Lanczos' method did not converge in {count} products", {}, math.nan
            ) from error
        value, vector = float(found[0]), vectors[:, 0]
    vector = vector / np.linalg.norm(vector)
    image = apply(vector)
    value = float(vector @ image)
    residual = float(np.linalg.norm(image - value * vector))
    if size > 20 and residual > 1e3 * tolerance * max(abs(value), float(np.linalg.norm(image))):
        raise ConvergenceError(
            f"Lanczos' method ended at a residual of {residual:.1e}: the products are too noisy, or not "
            "those of one symmetric matrix",
            {},
            math.nan,
        )
    return Eigenvalue(value, residual + 4 * size * _ULP * float(np.linalg.norm(image)), count)
