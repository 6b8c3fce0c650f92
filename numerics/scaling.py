"""Kernels' spectra, on the sphere by degree and on data, and the learning curves that follow from them.

What is evaluated is `theory.scaling`: the quadrature with its error bound, the effective ridge, the error of
kernel ridge regression.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from numerics.kernels.inputs import check_inputs
from numerics.kernels.kernel import kernel as gram
from numerics.results import Result
from theory.kernels.architectures import DEQ, MLP
from theory.parameters import shown
from theory.scaling import curves, sphere

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Exponent",
    "LearningCurve",
    "SphereSpectrum",
    "distinct",
    "learning_curve",
    "predicted_curve",
    "sphere_spectrum",
]

Array = NDArray[np.float64]
Kind = Literal["nngp", "ntk"]
MAX_DEGREE, MAX_DIMENSION, MAX_POINTS = 200, 10_000, 20_000
EPS = 2.0**-52
_NODE = 16
"""Rounding of a node and of its radius, in units of EPS and of the kernel's own errors."""
SHARE = 0.1
"""Largest share of the population at which curves on data in no general position are within 5%."""
COUPLED = 0.02
"""Largest coupling of leverage and error at which they are at any share."""


@cache
def _evaluator(names: tuple[str, ...], law: Callable[[], Any], modules: str) -> Callable[..., Any]:
    """A law's value as a function of some of its symbols, with N as 1/u."""
    value = law().value
    found = {str(symbol): symbol for symbol in value.free_symbols}
    if "N" in found:
        inverse = sympy.Symbol("u")
        value = sympy.cancel(value.subs(found["N"], 1 / inverse))
        found["u"] = inverse
    return sympy.lambdify([found.get(n, sympy.Symbol(n)) for n in names], value, modules)


def _check_kind(kernel: str) -> None:
    if kernel not in ("nngp", "ntk"):
        raise ValueError(f"kernel is nngp or ntk, got {shown(kernel)}")


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} is an integer, got {shown(value)}")
    if not least <= value <= most:
        raise ValueError(f"{name} is an integer from {least} to {most}, got {value}")
    return int(value)


@dataclass(frozen=True)
class SphereSpectrum(Result):
    """Eigenvalues of a kernel on the uniform sphere, by degree.

    Attributes
    ----------
    model, kernel : str
    dimension : int
        Of the space around the sphere |x|^2/d = radius^2.
    radius : float
    degrees : tuple of int
    multiplicities : tuple of int
    eigenvalues, errors : tuple of float
        Each eigenvalue with the bound of its error.
    total : float
        The kernel at t = 1: the sum of all eigenvalues with their multiplicities.
    """

    model: str
    kernel: str
    dimension: int
    radius: float
    degrees: tuple[int, ...]
    multiplicities: tuple[int, ...]
    eigenvalues: tuple[float, ...]
    errors: tuple[float, ...]
    total: float

    @property
    def shares(self) -> tuple[float, ...]:
        """Part of ``total`` that each degree has."""
        pairs = zip(self.multiplicities, self.eigenvalues, strict=True)
        return tuple(n * value / self.total for n, value in pairs)

    @property
    def rest(self) -> float:
        """Part of the kernel at t = 1 in higher degrees; it acts on lower ones as a ridge."""
        return max(0.0, self.total * (1.0 - math.fsum(self.shares)))

    def rows(self) -> list[dict[str, Any]]:
        """A degree a row."""
        names = ("degree", "multiplicity", "eigenvalue", "error", "share")
        columns = (self.degrees, self.multiplicities, self.eigenvalues, self.errors, self.shares)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def draw(self, axes: Axes) -> None:
        """Eigenvalues against the degree; those below their error are left out."""
        there = [r for r in self.rows() if r["eigenvalue"] > r["error"]]
        x, y = ([r[name] for r in there] for name in ("degree", "eigenvalue"))
        axes.errorbar(x, y, [r["error"] for r in there], fmt="o", capsize=2)
        title = f"{self.kernel.upper()} of {self.model}"
        axes.set(xlabel="degree $l$", ylabel="eigenvalue", yscale="log", title=title)


def sphere_spectrum(
    model: MLP | DEQ,
    dimension: int,
    degrees: int = 8,
    *,
    kernel: Kind = "ntk",
    radius: float = 1.0,
) -> SphereSpectrum:
    """Eigenvalues of a kernel on the uniform sphere in R^d, for degrees 0 and up.

    Parameters
    ----------
    model : theory.MLP or theory.DEQ
    dimension : int
        From 2 to 10000.
    degrees : int
        Highest degree, up to 200.
    kernel : {"ntk", "nngp"}
    radius : float
        The sphere is |x|^2/d = radius^2.

    Returns
    -------
    SphereSpectrum

    Raises
    ------
    ValueError
        For arguments that make no sense, and a tangent kernel that is infinite at t = 1.
    DivergenceError
        If the kernel does not exist.

    Notes
    -----
    Trapezoidal rule in u = artanh t. On a sphere kernels of wide networks are power series in t with
    coefficients >= 0, which D (Mehler), products, sums and limits keep; so they are bounded by h(1) in the
    unit disk, the image of the strip |Im u| < pi/4, and the rule's error has the bound
    ``theory.scaling.LAWS["quadrature-error"]``, exponentially small in 1/step. By Schwarz and Pick
    |dh/du| <= h(1) as well, which bounds what rounded nodes do. The error is the sum of this bound and of
    the kernel's own, h(1) times the sum of |weights P_l|. Some hundred kernel evaluations; polynomials by
    recurrence with enough digits.
    """
    import mpmath

    _check_kind(kernel)
    dimension = _whole("dimension", dimension, 2, MAX_DIMENSION)
    degrees = _whole("degrees", degrees, 0, MAX_DEGREE)
    if not (isinstance(radius, int | float) and 1e-50 <= radius <= 1e50):
        raise ValueError(f"radius is a number from 1e-50 to 1e50, got {shown(radius)}")
    counted = _evaluator(("d", "l"), sphere.multiplicity, "sympy")
    number = [
        1,
        *(int(counted(sympy.Integer(dimension), sympy.Integer(n))) for n in range(1, degrees + 1)),
    ]
    if max(number) > 1e300:
        raise ValueError(
            f"degree {degrees} in dimension {dimension} has over 1e300 harmonics; lower degrees"
        )
    bound = _evaluator(("d", "s", "U", "p"), sphere.quadrature_error, "mpmath")
    with mpmath.workdps(30 + degrees + len(str(max(number))) // 2):
        top = [abs(p) for p in _polynomials(dimension, degrees, mpmath.mpc(0, 1))]
        small = mpmath.mpf(EPS) / (64 * mpmath.sqrt(max(number)))
        end = mpmath.log(2) + 1 / mpmath.mpf(dimension - 1)
        while bound(dimension, mpmath.mpf("1e-9"), end, 0) > small:
            end *= 1.1
        step = mpmath.mpf(1)
        while bound(dimension, step, end, max(top)) > 2 * small:
            step *= 0.9
        count = int(end / step) + 1
        u = [k * step for k in range(-count, count + 1)]
        nodes = [(mpmath.tanh(v), mpmath.sech(v)) for v in u]
        weights = [y ** (dimension - 1) for _, y in nodes]
        total = mpmath.fsum(weights)  # times step the weight's integral, with a smaller error still
        values = [_polynomials(dimension, degrees, t) for t, _ in nodes]
        table = np.array(
            [[float(w * p / total) for p in row] for w, row in zip(weights, values, strict=True)]
        )
        quadrature = [float(2 * bound(dimension, step, count * step, p)) for p in top]
        points = np.array([[float(t), float(y)] for t, y in nodes]) * (math.sqrt(2.0) * radius)
    found = gram(model, np.array([[math.sqrt(2.0) * radius, 0.0]]), points)
    whole = gram(model, points[-1:] * 0 + [[math.sqrt(2.0) * radius, 0.0]])
    h, one = getattr(found, kernel)[0], float(getattr(whole, kernel)[0, 0])
    if not math.isfinite(one):
        raise ValueError(
            f"the tangent kernel of {model.phi} is infinite at t = 1: it jumps; take kernel nngp"
        )
    noise = _NODE * (max(found.error, whole.error) + EPS)
    errors = one * (np.array(quadrature) + noise * np.abs(table).sum(axis=0))
    eigenvalues = [math.fsum(h * column) for column in table.T]
    return SphereSpectrum(
        str(model), kernel, dimension, float(radius), tuple(range(degrees + 1)), tuple(number),
        tuple(eigenvalues), tuple(errors.tolist()), one,
    )  # fmt: skip


def _polynomials(dimension: int, degrees: int, t: Any) -> list[Any]:
    """P_0, .., P_degrees at t, a number of mpmath."""
    after = _evaluator(("P_before", "P_here", "t", "l", "d"), sphere.recurrence, "mpmath")
    found = [t**0, t]
    for degree in range(1, degrees):
        found.append(after(found[-2], found[-1], t, degree, dimension))
    return found[: degrees + 1]


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
    many = np.broadcast_to(np.asarray(multiplicities, float), values.shape)
    for name, given in (("eigenvalues", values), ("weights", c2), ("multiplicities", many)):
        if given.shape != values.shape or given.ndim != 1 or not (given >= 0).all():
            raise ValueError(f"{name} are numbers >= 0, as many as there are eigenvalues")
    for name, number in (("ridge", ridge), ("noise", noise)):
        if not 0.0 <= number < math.inf:
            raise ValueError(f"{name} is a number >= 0, got {number}")
    rank = float(many[values > 0].sum())
    rows = []
    for n in sizes:
        if not 0 < n < math.inf or n > population:
            raise ValueError(
                f"sizes are above 0 and at most the population's {population}, got {n}"
            )
        if ridge == 0.0 and n >= rank:
            raise ValueError(f"{n:g} points and {rank:g} eigenvalues > 0 need a ridge > 0")
        rows.append(_point(values, c2, many, float(n), ridge, 1.0 / population, noise))
    return Predicted(*np.array(rows).reshape(-1, 3).T)


def _point(
    values: Array, c2: Array, many: Array, n: float, ridge: float, u: float, noise: float
) -> tuple[float, float, float]:
    from scipy.optimize import brentq

    share = _evaluator(("lambda", "kappa"), curves.mode, "numpy")
    needed = _evaluator(("kappa", "n", "S1", "u"), curves.self_consistency, "numpy")
    error = _evaluator(
        ("n", "u", "kappa", "S1", "S2", "B", "sigma2"), curves.learning_curve, "numpy"
    )

    def excess(log: float) -> float:
        kappa = math.exp(log)
        s1 = float((many * share(values, kappa)).sum())
        # both sides times (1 - u S1)/kappa: monotone, and finite where S1 passes n
        return needed(kappa, n, s1, u) * (1.0 - u * s1) / kappa - ridge * (1.0 - u * s1) / kappa

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
    return float(_evaluator(("k", "u"), curves.distinct_points, "math")(draws, 1.0 / population))


class Exponent(NamedTuple):
    """Slope of a power law in a window, and the smallest and largest one in its thirds.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


def _exponent(x: Array, y: Array) -> Exponent:
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
        law = _evaluator(("alpha", "g"), curves.curve_exponent, "math")
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
    _check_kind(kernel)
    inputs, _ = check_inputs(x, None, ("x", "x2"))
    target = np.asarray(y)
    if target.dtype.kind not in "fiub" or target.ndim not in (1, 2) or len(target) != len(inputs):
        raise ValueError(
            f"y holds {len(inputs)} rows of real numbers, got {target.dtype} {target.shape}"
        )
    target = target.reshape(len(inputs), -1).astype(float)
    if not np.isfinite(target).all():
        raise ValueError("y has NaN or infinite entries")
    count = _whole("the number of points", len(inputs), 4, MAX_POINTS)
    if sizes is None:
        sizes = sorted({int(s) for s in np.geomspace(min(10, count // 2), count // 2, 8)})
    most = 100 * count if replace else count
    drawn = [_whole("a size", n, 1, most) for n in sizes]
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
    share = _evaluator(("lambda", "kappa"), curves.mode, "numpy")
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
    return LearningCurve(
        *names, count, ridge, *map(tuple, (sizes, mse, errors, kappa, gamma, coupling)),
        float(c2.sum()), alpha, tail,
    )  # fmt: skip
