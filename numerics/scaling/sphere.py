"""Spectra of kernels on the uniform sphere, by degree, with error bounds.

The quadrature, its error bound and the polynomials' recurrence are `theory.scaling.sphere`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from numerics.kernels.kernel import kernel as gram
from numerics.results import Result
from theory.kernels.architectures import DEQ, MLP
from theory.parameters import shown
from theory.scaling import sphere

from .evaluators import EPS, Kind, check_kind, evaluator, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SphereSpectrum", "sphere_spectrum"]

MAX_DEGREE, MAX_DIMENSION = 200, 10_000
_NODE = 16
"""Rounding of a node and of its radius, in units of EPS and of the kernel's own errors."""


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

    check_kind(kernel)
    dimension = whole_number("dimension", dimension, 2, MAX_DIMENSION)
    degrees = whole_number("degrees", degrees, 0, MAX_DEGREE)
    if not (isinstance(radius, int | float) and 1e-50 <= radius <= 1e50):
        raise ValueError(f"radius is a number from 1e-50 to 1e50, got {shown(radius)}")
    counted = evaluator(("d", "l"), sphere.multiplicity, "sympy")
    number = [
        1,
        *(int(counted(sympy.Integer(dimension), sympy.Integer(n))) for n in range(1, degrees + 1)),
    ]
    if max(number) > 1e300:
        raise ValueError(
            f"degree {degrees} in dimension {dimension} has over 1e300 harmonics; lower degrees"
        )
    bound = evaluator(("d", "s", "U", "p"), sphere.quadrature_error, "mpmath")
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
    after = evaluator(("P_before", "P_here", "t", "l", "d"), sphere.recurrence, "mpmath")
    found = [t**0, t]
    for degree in range(1, degrees):
        found.append(after(found[-2], found[-1], t, degree, dimension))
    return found[: degrees + 1]
