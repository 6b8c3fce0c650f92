"""Symbols and spectra on a grid, evaluated from theory's expressions.

Fields have N points and the wavenumbers |k| < N/2: at k = N/2 only the real part of a symbol counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.operators import layers
from theory.operators.symbols import KX, KY, Equation, equation_of, multiplier

__all__ = [
    "MAX_GRID",
    "evaluator",
    "half_symbol",
    "learned_at",
    "power",
    "shift_speed",
    "symbol",
    "symbol_error",
    "two_dimensional",
    "unit",
]

MAX_GRID = 4096
_ULP = 2.0**-52
# Relative change of a symbol by the last digit of a parameter from which on it is refused.
_LOST = 1e-9

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def symbol(
    equation: str | Equation, values: Mapping[str, float], kx: Any, ky: Any = 0.0
) -> Complexes:
    """Evaluate an equation's symbol.

    Parameters
    ----------
    equation : str or theory.operators.symbols.Equation
        A name of `theory.operators.symbols.EQUATIONS`, or an operator such as ``"0.01*D^2 - D"``.
    values : mapping of str to float
        Of all its parameters; ``t`` is 1 unless given.
    kx, ky : array_like
        Wavenumbers, of shapes that broadcast.

    Returns
    -------
    ndarray of complex

    Raises
    ------
    ValueError
        For an equation without symbol, for parameters that are missing, unknown, or not finite, and where the
        symbol is not finite (the first such wavenumber is named) or so sensitive to a parameter's last
        digit that doubles do not tell it.
    """
    return _evaluated(equation, values, kx, ky)[0]


def symbol_error(
    equation: str | Equation, values: Mapping[str, float], kx: Any, ky: Any = 0.0
) -> Floats:
    """Bound on the error of each value of `symbol`: eight times what the arguments' last digits change.

    Raises
    ------
    ValueError
        As `symbol`.
    """
    return _evaluated(equation, values, kx, ky)[1]


def _evaluated(
    equation: str | Equation, values: Mapping[str, float], kx: Any, ky: Any
) -> tuple[Complexes, Floats]:
    names, evaluate = _compiled(equation)
    title = equation if isinstance(equation, str) else equation.title
    given = {"t": 1.0, **values} if "t" in names else dict(values)
    for name, value in given.items():
        if name not in names:
            has = ", ".join(names) or "none"
            raise ValueError(f"{title} has no parameter {name!r}; it has {has}")
        if not math.isfinite(value):
            raise ValueError(f"the parameter {name} is a finite number, got {value}")
    for name in names:
        if name not in given:
            raise ValueError(f"{title} needs a value of its parameter {name}")
    kx, ky = np.broadcast_arrays(np.asarray(kx, float), np.asarray(ky, float))

    def at(kx: Floats, ky: Floats, values: Mapping[str, float]) -> Complexes:
        with np.errstate(all="ignore"):
            found = evaluate(kx, ky, *(values[name] for name in names))
        return np.broadcast_to(np.asarray(found, dtype=complex), kx.shape).copy()

    result = at(kx, ky, given)
    if (bad := ~np.isfinite(result)).any():
        raise ValueError(
            f"the symbol of {title} is not finite at k = {kx[bad][0]:g}, {ky[bad][0]:g}: look at the "
            "signs and sizes of its parameters"
        )
    up = 1.0 + _ULP
    changes = [np.abs(at(up * kx, ky, given) - result), np.abs(at(kx, up * ky, given) - result)]
    for name in names:  # phases of many turns are what the last digit makes of them
        change = np.abs(at(kx, ky, {**given, name: given[name] * up}) - result)
        if not change.max() <= _LOST * np.abs(result).max():
            raise ValueError(
                f"the symbol of {title} is not known at {name} = {given[name]:g}: the last digit of a "
                "double changes it; take a smaller value"
            )
        changes.append(change)
    return result, 8.0 * (sum(changes) + _ULP * np.abs(result))


@cache
def _derived(equation: str | Equation) -> Any:
    return multiplier(equation_of(equation) if isinstance(equation, str) else equation).value


@cache
def _compiled(equation: str | Equation) -> tuple[tuple[str, ...], Callable[..., Any]]:
    value = _derived(equation)
    free = sorted(value.free_symbols - {KX, KY}, key=str)
    return tuple(map(str, free)), sympy.lambdify([KX, KY, *free], value, "numpy")


def two_dimensional(equation: str | Equation) -> bool:
    """Whether an equation's symbol depends on both axes."""
    return _derived(equation).has(KY)


@cache
def evaluator(law: Callable[[], Any], *names: str) -> Callable[..., Any]:
    """A law's right-hand side as a function of symbols by name, indexed ones as arrays."""
    derived = law()
    by_name = {str(s): s for s in derived.statement.free_symbols}
    return sympy.lambdify([by_name[name] for name in names], derived.value, ["scipy", "numpy"])


@cache
def learned_at() -> Callable[..., Any]:
    """The wavenumber whose symbol a kernel has on another grid, of k and both numbers of points."""
    (argument,) = layers.resolution().value.args
    by_name = {str(s): s for s in argument.free_symbols}
    return sympy.lambdify([by_name[name] for name in "kNM"], argument, "numpy")


def shift_speed(cells: float, grid: int) -> float:
    """Speed of an advection that moves by so many cells of a grid in unit time."""
    return 2.0 * math.pi * cells / grid


def power(grid: int, decay: float) -> Floats:
    """Mean power of inputs in modes k and -k, for k from 0 to the last below N/2.

    Parameters
    ----------
    grid : int
        Points N.
    decay : float
        Amplitudes fall like k^(-decay); that of the mean is the first one's.

    Raises
    ------
    ValueError
        For a grid of fewer than 4 or more than `MAX_GRID` points, or a decay that is not finite.
    """
    if not 4 <= grid <= MAX_GRID:
        raise ValueError(f"a grid has 4 to {MAX_GRID} points, got {grid}")
    if not math.isfinite(decay) or abs(decay) > 20.0:
        raise ValueError(f"the decay of the spectrum is a number from -20 to 20, got {decay}")
    k = np.arange((grid + 1) // 2)
    return np.where(k > 0, 2.0, 1.0) * np.maximum(k, 1.0) ** (-2.0 * decay)


def half_symbol(equation: str | Equation, values: Mapping[str, float], grid: int) -> Complexes:
    """The symbol on the half spectrum of a grid, of a real operator."""
    k = np.arange((grid + 1) // 2)
    found = symbol(equation, values, k)
    mirrored = symbol(equation, values, -k)
    if np.abs(found - mirrored.conj()).max() > 1e-12 * np.abs(found).max():
        raise ValueError(
            f"{equation} makes real fields complex: g(-k) is not the conjugate of g(k)"
        )
    if not 1e-150 < np.abs(found).max() < 1e150:
        raise ValueError(
            f"the symbol of {equation} is beyond the range of doubles, or zero: change t"
        )
    return found


def unit(rows: Floats) -> Floats:
    """Map equally or otherwise spaced frequencies to [-1, 1]."""
    low, high = rows.min(), rows.max()
    return np.clip(2.0 * (rows - low) / (high - low) - 1.0, -1.0, 1.0)
