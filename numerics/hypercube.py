"""Kernels on the hypercube in numbers: eigenvalues on parities, and the samples that these take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mpmath import mp
from sympy import Rational, Symbol, ceiling, lambdify

from numerics.results import Table
from theory.calculus.walsh import walsh_coefficient
from theory.kernels.laws.hypercube import explained_variance_bound, kernel_samples, tangent_kernel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KernelNeeds", "kernel_needs"]

MAX_N = 1000
"""Most coordinates."""


@dataclass(frozen=True)
class KernelNeeds(Table):
    """What the tangent kernel of a ReLU perceptron needs for parities, by degree.

    Attributes
    ----------
    n : int
    share : float
        Of the parity that is to be learned.
    degrees : tuple of int
    eigenvalues : tuple of float
        Zero where they vanish to all digits that were computed.
    bounds : tuple of int
        Samples below which no symmetric kernel explains that share of the variance.
    samples : tuple of float
        Samples of this kernel in the mean field; infinite where the eigenvalue is not positive.
    """

    columns: ClassVar = {
        "degree": "degrees",
        "eigenvalue": "eigenvalues",
        "any kernel": "bounds",
        "samples": "samples",
    }
    n: int
    share: float
    degrees: tuple[int, ...]
    eigenvalues: tuple[float, ...]
    bounds: tuple[int, ...]
    samples: tuple[float, ...]

    def draw(self, axes: Axes) -> None:
        """Samples against the degree."""
        axes.semilogy(self.degrees, self.bounds, "s--", label="any symmetric kernel, at least")
        finite = [(t, m) for t, m in zip(self.degrees, self.samples, strict=True) if m < math.inf]
        axes.semilogy([t for t, _ in finite], [m for _, m in finite], "o", label="this kernel")
        axes.set(xlabel="degree of the parity", ylabel="samples")
        axes.set_title(f"n = {self.n}: samples for a share of {self.share:g}")
        axes.legend()


def kernel_needs(
    n: int,
    degrees: Sequence[int],
    *,
    share: float = 0.5,
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
) -> KernelNeeds:
    """Samples that a kernel needs for parities: any symmetric one, and the NTK of a ReLU perceptron.

    Parameters
    ----------
    n : int
    degrees : sequence of int
    share : float
        Of the parity to be learned, between 0 and 1.
    sigma_w, sigma_b : float
        Of the perceptron, which has one hidden layer.

    Returns
    -------
    KernelNeeds

    Raises
    ------
    ValueError
        For what makes no sense.

    Notes
    -----
    Eigenvalues are alternating sums, evaluated with 30 digits more than they cancel.
    """
    if not 1 <= n <= MAX_N or not degrees or not all(0 <= t <= n for t in degrees):
        shown = ", ".join(map(str, degrees)) or "none"
        raise ValueError(
            f"degrees are from 0 to n, and n at most {MAX_N}; got n = {n}, degrees {shown}"
        )
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share is between 0 and 1, got {share}")
    if not (0.0 < sigma_w < 1e6 and 0.0 <= sigma_b < 1e6):
        raise ValueError(
            f"sigma_w is positive and sigma_b not negative, got {sigma_w} and {sigma_b}"
        )
    rho = Symbol("rho")
    function = lambdify(rho, tangent_kernel(rho, _number(sigma_w), _number(sigma_b)), "mpmath")
    with mp.workdps(30 + n):
        at = {z: function(mp.mpf(z) / n) for z in range(-n, n + 1, 2)}
        zero = mp.mpf(10) ** (-15 - n // 2)
        values = [walsh_coefficient(at.__getitem__, n, t) for t in range(n + 1)]
        values = [mp.mpf(0) if abs(value) < zero else mp.mpf(value) for value in values]
        spectrum = [(value, math.comb(n, t)) for t, value in enumerate(values)]
        needed = [
            float(kernel_samples(mp.mpf(share), values[t], spectrum)) if values[t] > 0 else math.inf
            for t in degrees
        ]
    bounds = [int(ceiling(_number(share) / explained_variance_bound(n, t, 1))) for t in degrees]
    chosen = tuple(float(values[t]) for t in degrees)
    return KernelNeeds(n, share, tuple(degrees), chosen, tuple(bounds), tuple(needed))


def _number(value: float) -> Rational:
    return Rational(repr(float(value)))
