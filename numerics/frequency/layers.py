"""Frequency-domain layers: kernels and filters, what they do to a signal, the real Fourier basis.

Transforms are unitary and along the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from numerics.results import Result
from theory.frequency import layers
from theory.frequency.transform import T, n

from .common import EPS, MAX_LENGTH, check_count, check_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "LayerEffect",
    "apply_layer",
    "filter_kernel",
    "layer_effect",
    "real_spectrum",
    "shared_kernel",
]

Array = NDArray[np.float64]


def real_spectrum(x: ArrayLike) -> Array:
    """Coefficients in the real orthonormal Fourier basis.

    Bin 0 of the unitary transform, then sqrt(2) times real and imaginary parts, and bin T/2 of even lengths.

    Parameters
    ----------
    x : array_like, shape (.., T)

    Returns
    -------
    ndarray, shape (.., T)
    """
    signal = np.asarray(x, dtype=float)
    length = signal.shape[-1]
    bins = np.fft.rfft(signal, norm="ortho")
    inside = math.sqrt(2.0) * bins[..., 1 : (length + 1) // 2]
    parts = [bins[..., :1].real, inside.real, inside.imag]
    if length % 2 == 0:
        parts.append(bins[..., -1:].real)
    return np.concatenate(parts, axis=-1)


@cache
def _kernel_function(even: bool) -> Callable[..., float]:
    weight = sympy.Symbol("x") + sympy.I * sympy.Symbol("y")
    x, y = sympy.symbols("x y", real=True)
    value = layers.shared_kernel(even, weight.subs({"x": x, "y": y}))
    return sympy.lambdify([n, T, x, y], value, "math")


def shared_kernel(weight: complex, length: int) -> Array:
    """Kernel of a layer with one complex weight in every bin, from its closed form.

    Parameters
    ----------
    weight : complex
    length : int

    Returns
    -------
    ndarray, shape (length,)
        Errors below 1e-15 times abs(weight).
    """
    check_count(length, 1, MAX_LENGTH, "a length")
    one = _kernel_function(length % 2 == 0)
    half = [one(at, length, weight.real, weight.imag) for at in range(length // 2 + 1)]
    # the Hilbert transform's kernel is odd, and its cotangent loses digits near T
    return np.array([*half, *(-value for value in half[(length - 1) // 2 : 0 : -1])], dtype=float)


def filter_kernel(weights: ArrayLike, length: int) -> Array:
    """Kernel of the filter with a complex weight for each bin of the half spectrum, by the transform.

    Parameters
    ----------
    weights : array_like, shape (length // 2 + 1,)
        Imaginary parts of the bins 0 and T/2 have no effect.
    length : int

    Returns
    -------
    ndarray, shape (length,)
    """
    return np.fft.irfft(_half_spectrum(weights, length), length)


def _half_spectrum(weights: ArrayLike, length: int) -> NDArray[np.complex128]:
    values = np.asarray(weights, dtype=complex)
    if values.ndim and values.shape != (length // 2 + 1,):
        raise ValueError(
            f"weights are one complex number, or one for each of the {length // 2 + 1} bins of the half "
            f"spectrum at length {length}, got the shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("weights are finite")
    return values


def apply_layer(
    x: ArrayLike,
    weights: ArrayLike,
    bias: complex | None = None,
    shrinkage: float = 0.0,
) -> Array:
    """Apply a frequency-domain layer to real signals, as its definition says.

    Parameters
    ----------
    x : array_like, shape (.., T)
    weights : complex, or array_like of shape (T // 2 + 1,)
        Shared by all bins, or one for each.
    bias : complex, optional
        Added in every bin, with ReLU of both parts and soft shrinkage behind. A linear layer without it.
    shrinkage : float, default 0
        Threshold of both parts, not negative.

    Returns
    -------
    ndarray, shape (.., T)
    """
    signal = np.asarray(x, dtype=float)
    length = signal.shape[-1]
    bins = np.fft.rfft(signal, norm="ortho") * _half_spectrum(weights, length)
    if bias is not None:
        if not (shrinkage >= 0.0 and math.isfinite(shrinkage) and np.isfinite(bias)):
            raise ValueError(f"bias is finite and shrinkage >= 0, got {bias} and {shrinkage}")
        parts = np.maximum([bins.real + bias.real, bins.imag + bias.imag], 0.0)
        parts = np.sign(parts) * np.maximum(np.abs(parts) - shrinkage, 0.0)
        bins = parts[0] + 1j * parts[1]
    return np.fft.irfft(bins, length, norm="ortho")


@dataclass(frozen=True)
class LayerEffect(Result):
    """What a layer with shared weights does to a signal.

    Attributes
    ----------
    weight, bias : tuple of float
        Real and imaginary part.
    shrinkage : float
    signal, kernel, linear, output : tuple of float
        The signal, the layer's kernel, what the weight alone makes of the signal, and what the whole layer
        does: with bias, ReLU of both parts and shrinkage.
    error : float
        Bound on the error of every value.
    """

    weight: tuple[float, float]
    bias: tuple[float, float]
    shrinkage: float
    signal: tuple[float, ...]
    kernel: tuple[float, ...]
    linear: tuple[float, ...]
    output: tuple[float, ...]
    error: float

    def rows(self) -> list[dict[str, Any]]:
        """One time a row."""
        columns = zip(self.kernel, self.signal, self.linear, self.output, strict=True)
        names = ("kernel", "signal", "weight alone", "layer")
        return [{"n": at, **dict(zip(names, row, strict=True))} for at, row in enumerate(columns)]

    def draw(self, axes: Axes) -> None:
        """Draw signal and outputs against time."""
        axes.plot(self.signal, color="#999999", label="signal")
        axes.plot(self.linear, color="#0072b2", label="weight alone")
        axes.plot(self.output, color="#d55e00", label="with bias, ReLU, shrinkage")
        axes.set(xlabel="time n")
        axes.legend(fontsize="small")

    def plot(self) -> Figure:
        """Return a figure: the kernel, the signals, and their spectra."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.0, 6.4), layout="constrained")
        grid: Any = figure.subplot_mosaic([["time", "time"], ["kernel", "spectrum"]])
        self.draw(grid["time"])
        grid["kernel"].stem(self.kernel, basefmt="k-", markerfmt=".")
        grid["kernel"].set(xlabel="time n", ylabel="kernel", title="identity and Hilbert transform")
        pairs = ((self.signal, "#999999"), (self.linear, "#0072b2"), (self.output, "#d55e00"))
        for width, (values, colour) in zip((4.0, 1.4, 1.4), pairs, strict=True):
            size = np.abs(np.fft.rfft(values, norm="ortho"))
            grid["spectrum"].plot(size, color=colour, linewidth=width)
        grid["spectrum"].set(xlabel="bin k", ylabel="amplitude", title="no bin is singled out")
        return figure


def layer_effect(
    x: ArrayLike, weight: complex, bias: complex = 0.0, shrinkage: float = 0.0
) -> LayerEffect:
    """Apply a layer with shared weights to a signal, and say what each part of it does.

    Parameters
    ----------
    x : array_like, shape (T,)
    weight, bias : complex
    shrinkage : float

    Raises
    ------
    ValueError
        For a bad signal or numbers that are not finite.
    """
    signal = check_series(x, 2, "the signal")
    weight, bias = complex(weight), complex(bias)
    kernel = shared_kernel(weight, check_count(len(signal), 2, MAX_LENGTH, "a length"))
    linear, output = apply_layer(signal, weight), apply_layer(signal, weight, bias, shrinkage)
    size = (abs(weight) + 1.0) * float(np.linalg.norm(signal)) + abs(bias) * len(signal) ** 0.5
    return LayerEffect(
        (weight.real, weight.imag),
        (bias.real, bias.imag),
        float(shrinkage),
        *(tuple(map(float, values)) for values in (signal, kernel, linear, output)),
        error=16.0 * EPS * math.log2(2 * len(signal)) * size + 1e-15 * abs(weight),
    )
