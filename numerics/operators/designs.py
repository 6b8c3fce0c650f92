"""Errors of Fourier and amortised layers against their sizes, and the smallest for a wanted error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from numerics.results import Result
from theory.operators import features, layers
from theory.operators.symbols import Equation

from .polynomials import Polynomials
from .symbols import evaluator, half_symbol, power, symbol, symbol_error, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Floats = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

__all__ = [
    "FLOOR",
    "Designs",
    "amortised_errors",
    "chebyshev_series",
    "designs",
    "fourier_errors",
    "parameters",
    "shift_tail",
]

FLOOR = 1e-13
"""Absolute accuracy of relative errors where the symbol is exact: what is smaller is not told from zero."""


def fourier_errors(g: Complexes, weights: Floats, modes: Sequence[int]) -> Floats:
    """Relative errors of the best Fourier layers, by theory's tail of the spectrum.

    Parameters
    ----------
    g : ndarray of complex, shape (K + 1,)
        Symbol on the half spectrum.
    weights : ndarray of float, shape (K + 1,)
        As of `power`.
    modes : sequence of int
        Numbers of modes kept.

    Raises
    ------
    ValueError
        For modes beyond the grid's.
    """
    for m in modes:
        if not 0 <= m <= len(g):
            raise ValueError(f"the grid has {len(g)} modes below its Nyquist frequency, got {m}")
    evaluate = evaluator(layers.truncation, "g", "P", "m", "K")
    return np.array([float(evaluate(g, weights, m, len(g) - 1)) for m in modes])


def amortised_errors(
    g: Complexes, weights: Floats, most: int, rows: Floats | None = None
) -> Floats:
    """Relative errors of the best linear readouts of 1 to ``most`` features and a constant, by projection.

    Parameters
    ----------
    g : ndarray of complex, shape (m,)
    weights : ndarray of float, shape (m,)
    most : int
        Below m.
    rows : ndarray of float, shape (m,), optional
        Frequencies on any scale; by default equally spaced. Scale and offset do not change the result.

    Returns
    -------
    ndarray of float, shape (most,)

    Notes
    -----
    By `Polynomials` that are orthonormal on the frequencies, degree by degree.
    """
    if not 1 <= most < len(g):
        raise ValueError(f"features are 1 to {len(g) - 1} on {len(g)} modes, got {most}")
    rows = np.arange(len(g), dtype=float) if rows is None else rows
    rest = np.sqrt(weights) * g
    size = np.linalg.norm(rest)
    errors = []
    for polynomial in Polynomials(unit(rows), weights, most).basis:
        rest = rest - polynomial * (polynomial @ rest)
        errors.append(float(np.linalg.norm(rest) / size))
    return np.array(errors[1:])


def chebyshev_series(
    equation: str | Equation, values: Mapping[str, float], grid: int, *, both: bool = False
) -> Complexes | None:
    """Chebyshev coefficients of a symbol on the interval of a grid's wavenumbers.

    Parameters
    ----------
    equation, values
        As for `symbol`.
    grid : int
        Points N; wavenumbers from 0 to the last below N/2, or from minus it where ``both``.

    Returns
    -------
    ndarray of complex or None
        Interpolated at Chebyshev points of a degree that is doubled until the last eighth is below `FLOOR`;
        None if that is not so at degree 4096 (symbols that are not analytic).
    """
    top = (grid + 1) // 2 - 1
    low = -top if both else 0
    degree = 64
    while degree <= 4096:
        nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
        try:
            g = symbol(equation, values, low + (top - low) * (nodes + 1.0) / 2.0)
        except ValueError:
            return None
        c = (dct(g.real) + 1j * dct(g.imag)) / (degree + 1)
        c[0] /= 2.0
        if np.abs(c[-(degree // 8) :]).max() < FLOOR * np.abs(c).max():
            return c
        degree *= 2
    return None


def shift_tail(cells: float, n: int, *, both: bool = True) -> float:
    """Relative error of the Chebyshev series of a shift after n features, theory's tail of Bessel functions.

    Parameters
    ----------
    cells : float
    n : int
    both : bool
        Whether the frequencies have both signs (t in [-1, 1]) or one ([0, 1]).

    Notes
    -----
    The sum is cut where theory's bound of the coefficients is below 1e-20.
    """
    z = float(evaluator(features.threshold, "s", "t_0", "t_1")(cells, -1.0 if both else 0.0, 1.0))
    if not 0.0 < z < 1e5:
        raise ValueError(f"a shift is a positive number of at most 30000 cells, got {cells}")
    bound = evaluator(features.coefficient_bound, "j", "z")
    top = max(n, math.ceil(z)) + 1
    while bound(float(top), z) > 1e-20:
        top += 1 + int(0.1 * z ** (1.0 / 3.0))
    return float(evaluator(features.tail, "z", "n", "J")(z, n, top))


def parameters(kind: str, size: int, width: int, dimension: int = 1) -> int:
    """Real parameters of a layer's kernel.

    Parameters
    ----------
    kind : {"fourier", "amortised"}
    size : int
        Modes or features.
    width, dimension : int
    """
    law, name = {
        "fourier": (layers.fourier_parameters, "m"),
        "amortised": (layers.amortised_parameters, "n"),
    }[kind]
    return int(evaluator(law, name, "w", "d")(size, width, dimension))


@dataclass(frozen=True)
class Designs(Result):
    """Errors of Fourier and amortised layers against their sizes.

    Attributes
    ----------
    equation : str
    grid, width : int
    sizes : tuple of int
        Modes m, and features n.
    fourier, amortised : tuple of float
        Relative errors of the best layers. The amortised layer here has linear readouts of its features for
        both parts of its kernel.
    series, bound : tuple of float or None
        Of the Chebyshev series cut after n: its error in the Chebyshev weight, and an upper bound of
        ``amortised``; None where the symbol is not analytic.
    target : float or None
        A wanted error.
    uncertainty : float
        Bound on the error of every number of ``fourier`` and ``amortised``; smaller ones may be 0.
    """

    equation: str
    grid: int
    width: int
    sizes: tuple[int, ...]
    fourier: tuple[float, ...]
    amortised: tuple[float, ...]
    series: tuple[float | None, ...]
    bound: tuple[float | None, ...]
    target: float | None
    uncertainty: float

    def rows(self) -> list[dict[str, Any]]:
        """One row a size; with a target, the smallest size of each kind that reaches it."""
        if self.target is not None:
            return [
                {
                    "layer": kind,
                    "size": n,
                    "error": e,
                    "+-": self.uncertainty,
                    "kernel parameters": count,
                }
                for kind, n, e, count in self.smallest()
            ]
        return [
            {
                "size": n,
                "Fourier error": f,
                "parameters": parameters("fourier", n, self.width),
                "amortised error": a,
                "series": s,
                "at most": b,
                "amortised parameters": parameters("amortised", n, self.width),
                "+-": self.uncertainty,
            }
            for n, f, a, s, b in zip(
                self.sizes, self.fourier, self.amortised, self.series, self.bound, strict=True
            )
        ]

    def smallest(self) -> list[tuple[str, int | None, float | None, int | None]]:
        """Kind, size, error and parameters of the smallest layers with an error of at most ``target``."""
        found = []
        for kind, errors in (("fourier", self.fourier), ("amortised", self.amortised)):
            fits = [i for i, e in enumerate(errors) if e <= (self.target or 0.0)]
            size = self.sizes[fits[0]] if fits else None
            count = None if size is None else parameters(kind, size, self.width)
            found.append((kind, size, errors[fits[0]] if fits else None, count))
        return found

    def draw(self, axes: Axes) -> None:
        """Errors against real parameters of the kernel."""
        for kind, errors, mark in (
            ("fourier", self.fourier, "o-"),
            ("amortised", self.amortised, "s-"),
        ):
            shown = [max(e, FLOOR) for e in errors]
            counts = [parameters(kind, n, self.width) for n in self.sizes]
            axes.loglog(counts, shown, mark, label=f"{kind} layer")
        if self.target is not None:
            axes.axhline(self.target, color="#666666", linestyle=":", label="wanted")
        axes.set(
            xlabel=f"real parameters of the kernel, {self.width} channels",
            ylabel="relative error",
            title=f"{self.equation}, {self.grid} points",
        )
        axes.legend()


def designs(
    equation: str | Equation,
    values: Mapping[str, float],
    *,
    grid: int = 64,
    decay: float = 1.0,
    width: int = 64,
    most: int | None = None,
    target: float | None = None,
) -> Designs:
    """Compute the errors of Fourier layers with m modes and amortised layers with n features.

    Parameters
    ----------
    equation, values
        As for `symbol`.
    grid : int
        Points N.
    decay : float
        Of the inputs' amplitudes, k^(-decay).
    width : int
        Channels, which count in parameters.
    most : int, optional
        Largest size, below the number of modes; by default 24, or with a target all there are.
    target : float, optional
        A wanted relative error, for `Designs.smallest`.

    Raises
    ------
    ValueError
        As `symbol` and `power`; for sizes beyond the grid's modes; for a real operator's lack of symmetry.
    """
    weights = power(grid, decay)
    if not 1 <= width <= 10**6:
        raise ValueError(f"a layer has 1 to 1000000 channels, got {width}")
    modes = len(weights)
    most = (modes - 1 if target is not None else min(24, modes - 1)) if most is None else most
    if not 1 <= most < modes:
        raise ValueError(
            f"{grid} points have {modes} modes below the Nyquist frequency, for sizes 1 to {modes - 1}; "
            f"got {most}"
        )
    g = half_symbol(equation, values, grid)
    sizes = tuple(range(1, most + 1))
    series: list[float | None] = [None] * most
    bound: list[float | None] = [None] * most
    rms = math.sqrt(float(weights @ np.abs(g) ** 2))
    off = symbol_error(equation, values, np.arange(modes))
    uncertainty = FLOOR + math.sqrt(float(weights @ off**2)) / rms
    if target is not None and not uncertainty <= target < 1.0:
        raise ValueError(
            f"a wanted error is from {uncertainty:.1e}, to which errors are known, to 1, got {target}"
        )
    c = chebyshev_series(equation, values, grid)
    if c is not None:
        squares = np.abs(c) ** 2 * np.where(np.arange(len(c)) > 0, 0.5, 1.0)
        noise = FLOOR * len(c) * np.abs(c).max()
        scale = math.sqrt(float(weights.sum())) / rms
        series = [math.sqrt(float(squares[n + 1 :].sum() / squares.sum())) for n in sizes]
        bound = [float(np.abs(c[n + 1 :]).sum() + noise) * scale for n in sizes]
    return Designs(
        equation if isinstance(equation, str) else equation.title,
        grid,
        width,
        sizes,
        tuple(fourier_errors(g, weights, sizes).tolist()),
        tuple(amortised_errors(g, weights, most).tolist()),
        tuple(series),
        tuple(bound),
        target,
        uncertainty,
    )
