"""Networks of several layers, and theory's recursion in mpmath's numbers."""

from functools import cache

import mpmath
import numpy as np
import sympy

from theory import Dense, LayerNorm, Residual, Sequential, dual
from theory.calculus.price import K1, K2, C

X = np.array([[1.0, 0.3, -0.7], [0.2, 1.4, 0.5], [-1.0, 0.4, 0.9], [2.0, 0.6, -1.4]])
BLOCK = Residual((LayerNorm(), "relu", Dense(1.2, None)))
NETWORKS = {
    "blocks": Sequential((Dense(1.3, 0.1), BLOCK, BLOCK, LayerNorm(), "gelu", Dense(0.7, 0.3))),
    "standard": Sequential(
        (
            Dense(1.3, None, trained=False),
            "erf",
            Residual((Dense(1, 0.1), "sin", Dense(1, 0)), skip=Dense(0.5, 0.1)),
            "leaky_relu:0.2",
            Dense(0.7, 0.3, trained=False),
        ),
        "standard",
        3,
    ),
    "mixed": Sequential(
        (Dense(1.5, 0.1), "erf", Dense(2, 0), "gelu", Dense(1, None), "x + max(x, 0)**2", Dense())
    ),
    "linear": Sequential((Dense(2, 0.5), LayerNorm(), Dense(3, None))),
}


@cache
def maps(phi):
    own = dual(phi)
    single = sympy.lambdify(K1, own.diagonal, "mpmath")
    return single, sympy.lambdify((K1, C, K2), [own.expr, own.derivative], "mpmath", cse=True)


class Digits:
    """Arithmetic of mpmath's numbers; scales are the doubles that they are rounded to."""

    def number(self, value):
        return mpmath.mpf(float(value))

    def sqrt(self, x):
        return mpmath.sqrt(x)

    def variance(self, phi, k):
        return mpmath.re(maps(phi)[0](k))

    def pair(self, phi, at):
        return [mpmath.re(v) for v in maps(phi)[1](at.one, at.both, at.two)]
