"""Learning curves of kernel ridge regression, from a spectrum and from data.

The effective ridge and the error are `theory.scaling.curves`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.kernels.inputs import check_inputs
from numerics.kernels.kernel import kernel as gram
from numerics.results import Result
from theory.kernels.architectures import DEQ, MLP
from theory.scaling import curves

from .evaluators import EPS, Kind, check_kind, evaluator, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Exponent",
    "LearningCurve",
    "Predicted",
    "distinct",
    "learning_curve",
    "predicted_curve",
]

Array = NDArray[np.float64]
MAX_POINTS = 20_000
SHARE = 0.1
"""Largest share of the population at which curves on data in no general position are within 5%."""
COUPLED = 0.02
"""Largest coupling of leverage and error at which they are at any share."""


class Predicted(NamedTuple):
    """A learning curve's theory at some sizes.

    Attributes
    ----------
    mse, kappa, gamma : ndarray
        Error, effective ridge, and 1 - gamma^-1 the factor over the bias: S2/n without ridge.
    """

    mse: Array
    kappa: Array
    gamma: Array


def predicted_curve(
    eigenvalues: ArrayLike,
    weights: ArrayLike,
    sizes: Sequence[float],
    *,
    multiplicities: ArrayLike = 1.0,
    ridge: float = 0.0,
    population: float = math.inf,
    noise: float = 0.0,
) -> Predicted:
    """Mean squared error of kernel ridge regression from a spectrum: `theory.scaling.curves.learning_curve`.

    Parameters
    ----------
    eigenvalues, weights : array_like, shape (p,)
        Of the kernel over the population, and the target's squared coefficients in its eigenfunctions.
    sizes : sequence of float
        Different training points.
    multiplicities : array_like, optional
        Of the eigenvalues; each weight is the sum over its eigenvalue's functions.
    ridge : float
        What is added to the training points' Gram matrix. On a sphere `SphereSpectrum.rest` belongs to it.
    population : float
        Points in it, each eigenvector a vector of that many in general position; infinite by default.
    noise : float
        Variance of the labels' own noise.

    Returns
    -------
    Predicted

    Raises
    ------
    ValueError
        For numbers that make no sense, more points than the population has, and without ridge for at least
        as many points as there are eigenvalues > 0.

    Notes
    -----
    The effective ridge is the root of a monotone function, by Brent's method in its logarithm.
    """
    values, c2 = np.asarray(eigenvalues, float), np.asarray(weights, float)
    many = np.asarray(multiplicities, float)
    many = np.full(values.shape, float(many)) if many.ndim == 0 else many
    for name, given in (("eigenvalues", values), ("weights", c2), ("multiplicities", many)):
        if given.shape != values.shape or given.ndim != 1 or not (given >= 0).all():
            raise ValueError(f"{name} are numbers >= 0, as many as there are eigenvalues")
    for name, number in (("ridge", ridge), ("noise", noise)):
        if not 0.0 <= number < math.inf:
            raise ValueError(f"{name} is a number >= 0, got {number}")
    rank = float(many[values > 0].sum())
    least = 100.0 * rank * EPS * float(many @ values)
    rows = []
    for n in sizes:
        if not 0 < n < math.inf or n > population:
            raise ValueError(
                f"sizes are above 0 and at most the population's {population}, got {n}"
            )
        if n >= rank and ridge <= least:
            raise ValueError(
                f"{n:g} points and {rank:g} eigenvalues > 0 need a ridge > {least:.1g}, got {ridge:g}"
            )
        rows.append(_point(values, c2, many, float(n), ridge, 1.0 / population, noise))
    return Predicted(*np.array(rows).reshape(-1, 3).T)


def _point(
    values: Array, c2: Array, many: Array, n: float, ridge: float, u: float, noise: float
) -> tuple[float, float, float]:
    from scipy.optimize import brentq

    share = evaluator(("lambda", "kappa"), curves.mode, "numpy")
    points = evaluator(("kappa", "S1", "delta", "u"), curves.self_consistency, "numpy")
    error = evaluator(
        ("n", "u", "kappa", "S1", "S2", "B", "sigma2"), curves.learning_curve, "numpy"
    )

    def excess(log: float) -> float:
        kappa = math.exp(log)
        return n - points(kappa, float((many * share(values, kappa)).sum()), ridge, u)

    high = math.log((float(many @ values) + ridge) / n * (1.0 + 1e-9))
    low = high - 1.0
    while excess(low) > 0.0:
        low -= 4.0
    kappa = math.exp(brentq(excess, low, high, xtol=1e-15))
    learned = share(values, kappa)
    s1, s2 = float((many * learned).sum()), float((many * learned**2).sum())
    # with numbers exchanged the same law gives what is not learned, without cancellation
    bias = float((c2 * share(kappa, values) ** 2).sum())
    mse = float(error(n, u, kappa, s1, s2, bias, noise))
    factor = float(error(n, u, kappa, s1, s2, 1.0, 0.0))
    return mse, kappa, 1.0 - 1.0 / factor


def distinct(draws: float, population: int) -> float:
    """Return how many different points are among draws with replacement, on average."""
    return float(evaluator(("k", "N"), curves.distinct_points, "math")(draws, population))


class Exponent(NamedTuple):
    """Slope of a power law in a window, and the smallest and largest one in its thirds.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


def _exponent(x: Any, y: Any) -> Exponent:
    """Of y ~ x^-e, x rising."""
    logs = np.log(x), np.log(y)
    cuts = np.linspace(logs[0][0], logs[0][-1], 4)
    slopes = [-np.polyfit(*logs, 1)[0]]
    for low, high in itertools.pairwise(cuts):
        part = (logs[0] >= low) & (logs[0] <= high)
        slopes.append(-np.polyfit(logs[0][part], logs[1][part], 1)[0])
    return Exponent(float(slopes[0]), float(min(slopes)), float(max(slopes)))


@dataclass(frozen=True)
class LearningCurve(Result):
    """What kernel ridge regression on data will have for an error, from the kernel's spectrum.

    Attributes
    ----------
    model, kernel : str
    population : int
        Points; training sets are drawn from them, and the error is the mean over all.
    ridge : float
    sizes : tuple of float
        Different training points; of draws with replacement their expected number.
    mse, errors : tuple of float
        Predicted squared error, summed over outputs, and a bound of what rounding does to it (with
        replacement of the ridge's share in points drawn twice, too).
    kappa, gamma : tuple of float
        Effective ridge; the factor over the bias is 1/(1 - gamma).
    coupling : tuple of float
        Correlation of leverage and squared error over points, mean(l r2)/(mean(l) mean(r2)) - 1: 0 for
        eigenvectors in general position. Where it is positive the theory is low, where negative high.
    variance : float
        Error of the prediction 0.
    alpha, tail : Exponent or None
        Of eigenvalues and of the target's tail over modes 10 to population/4; None below 200 points.
    """

    model: str
    kernel: str
    population: int
    ridge: float
    sizes: tuple[float, ...]
    mse: tuple[float, ...]
    errors: tuple[float, ...]
    kappa: tuple[float, ...]
    gamma: tuple[float, ...]
    coupling: tuple[float, ...]
    variance: float
    alpha: tuple[float, float, float] | None
    tail: tuple[float, float, float] | None

    @property
    def holds(self) -> tuple[bool, ...]:
        """Whether theory is within 5% by what is known: a tenth of the population at most, or no coupling."""
        pairs = zip(self.sizes, self.coupling, strict=True)
        return tuple(n <= SHARE * self.population or abs(c) <= COUPLED for n, c in pairs)

    @property
    def exponent(self) -> Exponent | None:
        """min(g, 2 alpha) of the curve, with the interval that those of g and alpha give."""
        if self.alpha is None or self.tail is None:
            return None
        law = evaluator(("alpha", "g"), curves.curve_exponent, "math")
        return Exponent(*(law(a, g) for a, g in zip(self.alpha, self.tail, strict=True)))

    def rows(self) -> list[dict[str, Any]]:
        """A size a row."""
        columns = {
            "points": self.sizes, "mse": self.mse, "error": self.errors, "kappa": self.kappa,
            "gamma": self.gamma, "coupling": self.coupling,
            "holds": ["yes" if one else "no" for one in self.holds],
        }  # fmt: skip
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def draw(self, axes: Axes) -> None:
        """Error against the number of points; where theory is not known to hold, dashed."""
        inside = [k for k, one in enumerate(self.holds) if one]
        axes.loglog(self.sizes, self.mse, "--", color="#666666", label="outside")
        axes.loglog(
            [self.sizes[k] for k in inside], [self.mse[k] for k in inside], "o-", label="theory"
        )
        title = f"{self.kernel.upper()} of {self.model}"
        axes.set(xlabel="training points $n$", ylabel="mean squared error", title=title)
        axes.legend()


def learning_curve(
    model: MLP | DEQ,
    x: ArrayLike,
    y: ArrayLike,
    sizes: Sequence[int] | None = None,
    *,
    kernel: Kind = "ntk",
    ridge: float = 0.0,
    replace: bool = False,
) -> LearningCurve:
    """Predict the learning curve of kernel ridge regression on data.

    Parameters
    ----------
    model : theory.MLP or theory.DEQ
    x : array_like, shape (n, d)
        The population's inputs, 4 to 20000 of them.
    y : array_like, shape (n,) or (n, outputs)
        Targets, as they are: no mean is taken off.
    sizes : sequence of int, optional
        Training points; by default some from 10 to half the population.
    kernel : {"ntk", "nngp"}
    ridge : float
        Added to the training points' Gram matrix.
    replace : bool, default False
        Whether points are drawn with replacement.

    Returns
    -------
    LearningCurve

    Raises
    ------
    ValueError
        For data and numbers that make no sense.
    DivergenceError
        If the kernel does not exist.

    Notes
    -----
    One symmetric eigenvalue problem, n^3. Where eigenvectors are in general position the theory is exact for
    large n at any share of the population; on data their localisation shows in ``coupling``. With replacement
    the different points count; a point drawn k times has the ridge 1/k, which lies between none taken
    off and the mean.
    """
    check_kind(kernel)
    inputs, _ = check_inputs(x, None, ("x", "x2"))
    target = np.asarray(y)
    if target.dtype.kind not in "fiub" or target.ndim not in (1, 2) or len(target) != len(inputs):
        raise ValueError(
            f"y holds {len(inputs)} rows of real numbers, got {target.dtype} {target.shape}"
        )
    target = target.reshape(len(inputs), -1).astype(float)
    if not np.isfinite(target).all():
        raise ValueError("y has NaN or infinite entries")
    count = whole_number("the number of points", len(inputs), 4, MAX_POINTS)
    if sizes is None:
        sizes = sorted({int(s) for s in np.geomspace(min(10, count // 2), count // 2, 8)})
    most = 100 * count if replace else count
    drawn = [whole_number("a size", n, 1, most) for n in sizes]
    if not drawn:
        raise ValueError("sizes holds at least one number of points")
    found = gram(model, inputs)
    matrix = getattr(found, kernel)
    if not np.isfinite(matrix).all():
        raise ValueError(
            f"the tangent kernel of {model.phi} is infinite at t = 1: it jumps; take kernel nngp"
        )
    values, vectors = np.linalg.eigh(matrix / count)
    values, vectors = values[::-1], vectors[:, ::-1]
    lost = found.error * float(matrix.diagonal().max()) + count * EPS * float(values[0])
    values = np.where(values > lost, values, 0.0)  # what rounding leaves of it is no eigenvalue
    coefficients = vectors.T @ target / math.sqrt(count)
    c2 = (coefficients**2).sum(axis=1)
    return _assembled(
        (str(model), kernel), (values, vectors, coefficients, c2), lost, drawn, ridge, replace
    )


def _assembled(
    names: tuple[str, str],
    spectrum: tuple[Array, Array, Array, Array],
    lost: float,
    drawn: list[int],
    ridge: float,
    replace: bool,
) -> LearningCurve:
    values, vectors, coefficients, c2 = spectrum
    count = len(values)
    sizes = [distinct(n, count) if replace else n for n in drawn]
    mse, errors, kappa, gamma, coupling = [], [], [], [], []
    share = evaluator(("lambda", "kappa"), curves.mode, "numpy")
    for n, k in zip(sizes, drawn, strict=True):

        def at(moved: float, ridge: float, n: float = n) -> Predicted:
            shifted = np.where(values > 0, np.maximum(values + moved, 0.0), 0.0)
            return predicted_curve(shifted, c2, [n], ridge=ridge, population=count)

        here = at(0.0, ridge)
        low = at(0.0, ridge * n / k) if replace else here
        top = float(here.kappa[0])
        turned = 2.0 * lost / top * float(c2.sum()) / (1.0 - float(here.gamma[0]))
        moved = max(abs(at(s * lost, ridge).mse[0] - here.mse[0]) for s in (-1.0, 1.0))
        mse.append(0.5 * float(here.mse[0] + low.mse[0]))
        errors.append(0.5 * abs(float(here.mse[0] - low.mse[0])) + float(moved) + turned)
        kappa.append(top)
        gamma.append(float(here.gamma[0]))
        leverage = vectors**2 @ share(values, top)
        residual = ((vectors @ (coefficients * share(top, values)[:, None])) ** 2).sum(axis=1)
        product = float(leverage.mean() * residual.mean())
        coupling.append(float((leverage * residual).mean()) / product - 1.0 if product else 0.0)
    alpha = tail = None
    window = np.arange(10, count // 4)
    sums = c2[::-1].cumsum()[::-1]
    if count >= 200 and values[window[-1]] > 0 and sums[window[-1] + 1] > 0:
        alpha = tuple(_exponent(window + 1.0, values[window]))
        tail = tuple(_exponent(window + 1.0, sums[window + 1]))
    columns = map(tuple, (sizes, mse, errors, kappa, gamma, coupling))
    return LearningCurve(*names, count, ridge, *columns, float(c2.sum()), alpha, tail)  # pyright: ignore[reportCallIssue]
