"""Random activations of the grammar, and what their kernels are by sums over many places."""

import random
from dataclasses import dataclass

import numpy as np
import sympy

from theory.kernels.activations import Activation
from theory.kernels.grammar import FUNCTIONS

NUMBERS = ("1", "2", "0.5", "3", "12", "1e-3", "1e3", "pi", "1/3", "0.1", "7", "-1", "-2.5", "30")
SHAPES = (
    "exp(-({})^2)", "1/(1+abs({}))", "log(1+exp({}))", "sqrt(abs({}))", "({0})/(1+({0})^2)",
    "({})^2", "({})^3", "({})^4", "({})^(-1)",
)  # fmt: skip
UNARY = sorted(name for name, (count, _) in FUNCTIONS.items() if count == 1)
BINARY = sorted(name for name, (count, _) in FUNCTIONS.items() if count == 2)


def text(draw: random.Random, depth: int) -> str:
    """An expression with so many levels."""
    number = draw.choice(NUMBERS)
    if depth == 0:
        away = number.lstrip("-")
        return draw.choice(["x", "x", "x", f"{number}*x", f"x-{away}", f"x+{away}", f"({number})"])
    one, two = text(draw, depth - 1), text(draw, depth - 1)
    kind = draw.randrange(12)
    if kind < 3:
        return f"{draw.choice(UNARY)}({one})"
    if kind < 6:
        return f"({one}{draw.choice('++-')}{two})"
    if kind < 8:
        return f"({one})*({two})"
    if kind < 10:
        return f"{draw.choice(BINARY)}({one},{two})"
    return draw.choice(SHAPES).format(one)


@dataclass(frozen=True)
class Case:
    """An activation and three inputs, the last one nearly parallel to the first."""

    activation: str
    inputs: np.ndarray
    depth: int


def case(seed: int) -> Case:
    """Case number ``seed``: the same on every machine."""
    draw = random.Random(seed)
    x = np.array([[draw.gauss(0.0, 1.0) for _ in range(2)] for _ in range(3)])
    x *= 10.0 ** draw.uniform(-1.0, 0.7)
    x[2] = x[0] * (1.0 + 1e-9 * draw.gauss(0.0, 1.0))
    return Case(text(draw, draw.choice([1, 2, 2, 3])), x, draw.choice([1, 1, 2, 5]))


def _rule(cells: int, reach: float, off: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre on cells, and the weights of the standard normal distribution."""
    z, w = np.polynomial.legendre.leggauss(6)
    ends = np.linspace(-reach, reach, cells + 1)
    ends[1:-1] += off * (ends[1] - ends[0])
    half = 0.5 * np.diff(ends)[:, None]
    u = (0.5 * (ends[1:] + ends[:-1])[:, None] + half * z).ravel()
    return u, (half * w).ravel() * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)


def second_moments(phi: Activation, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E phi(u) phi(v) of normal (u, v) with the covariance k, shape (2, 2), and an estimate of its error.

    Over cells that know nothing of phi, in three sizes: what they differ by, ten times, stands for the error.
    Equal variables take many cells, others a square of fewer. It is infinite where phi overflows, and
    where the mean lies further out than cells go, thirteen standard deviations.
    """
    f = sympy.lambdify(phi.symbol, phi.expr, ["scipy", "numpy"])

    def at(x: np.ndarray) -> np.ndarray:
        return f(x) + 0.0 * x

    made, seen = [], True
    with np.errstate(all="ignore"):
        for cells, off in ((1.0, 0.1), (1.2, -0.15), (1.5, 0.27)):
            value = np.empty((2, 2))
            u, w = _rule(int(6000 * cells), 13.0, off)
            for i in range(2):
                parts = w * at(np.sqrt(k[i, i]) * u) ** 2
                value[i, i] = parts.sum()
                seen &= bool(parts[[0, -1]].max() <= 1e-16 * parts.max())
            u, w = _rule(int(60 * cells), 13.0, off)
            v, q = _rule(int(60 * cells), 13.0, 0.7 * off)
            beta = k[0, 1] / k[0, 0]
            rest = np.sqrt(max(k[1, 1] - beta * k[0, 1], 0.0))
            first = np.sqrt(k[0, 0]) * u
            inner = at(beta * first[:, None] + rest * v) @ q
            value[0, 1] = value[1, 0] = (w * at(first)) @ inner
            made.append(value)
    if not seen or not np.isfinite(made).all():
        return made[-1], np.full((2, 2), np.inf)
    return made[-1], 10.0 * np.ptp(made, axis=0) + 1e-13 * np.abs(made[-1])
