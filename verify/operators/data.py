"""Random periodic fields, and exact solutions: linear equations by symbols, Burgers by Cole-Hopf."""

from __future__ import annotations

import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.operators.symbols import power, symbol
from theory.operators import layers

__all__ = ["burgers", "sampled", "spectra"]

_FINE = 512


def spectra(
    rng: np.random.Generator, samples: int, grid: int, decay: float
) -> NDArray[np.complex128]:
    """Draw half spectra of real fields, normal with the mean power of `numerics.operators.symbols.power`.

    Returns
    -------
    ndarray of complex, shape (samples, K + 1)
        Coefficients of the modes below N/2, on the scale of a mean over the grid: they do not depend on N.
    """
    scale = np.sqrt(power(grid, decay))
    drawn = rng.standard_normal((2, samples, len(scale)))
    coefficients = (drawn[0] + 1j * drawn[1]) * scale / 2.0
    coefficients[:, 0] = drawn[0, :, 0] * scale[0]
    return coefficients


def sampled(coefficients: NDArray[np.complex128], grid: int) -> NDArray[np.float64]:
    """Fields of such spectra on a grid, shape (samples, grid)."""
    return np.fft.irfft(coefficients, n=grid, axis=-1) * grid


def burgers(
    rng: np.random.Generator, samples: int, grids: tuple[int, ...], viscosity: float, time: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Draw initial values and solve viscous Burgers exactly, up to rounding.

    Parameters
    ----------
    rng : numpy.random.Generator
    samples : int
    grids : tuple of int
        Divisors of 512, the points of the transform.
    viscosity, time : float

    Returns
    -------
    list of tuple of ndarray
        Initial values and solutions on each grid, shape (samples, grid).

    Notes
    -----
    Initial values have eight modes that fall like k^(-1.5), mean zero and mean square 1/2. Their integrals
    are below pi/sqrt(6) by Cauchy's inequality, and rounding errors below exp(1.3/viscosity) times 1e-16.
    """
    drawn = spectra(rng, samples, 18, 1.5)
    drawn[:, 0] = 0.0
    drawn *= 0.5 / np.linalg.norm(drawn, axis=1, keepdims=True)
    k = np.arange(drawn.shape[1])
    potential = drawn / np.where(k > 0, 1j * k, 1.0)
    start = np.exp(-sampled(potential, _FINE) / (2.0 * viscosity))
    wave = np.arange(_FINE // 2 + 1)
    heated = np.fft.rfft(start) * symbol("heat", {"nu": viscosity, "t": time}, wave)
    value, slope = np.fft.irfft(heated, n=_FINE), np.fft.irfft(1j * wave * heated, n=_FINE)
    law = layers.cole_hopf()
    names = {str(s): s for s in law.symbols}
    transform = sympy.lambdify([names[x] for x in ("nu", "phi", "phi_x")], law.value)
    solution = transform(viscosity, value, slope)
    initial = sampled(drawn, _FINE)
    return [(initial[:, :: _FINE // m], solution[:, :: _FINE // m]) for m in grids]
