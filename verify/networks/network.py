"""What a network of finite width is, and whether it can be drawn: checked before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from numerics.errors import DivergenceError
from numerics.kernels.inputs import check_inputs, check_scales
from theory.kernels.activations import Activation, activation
from verify.errors import MemoryBudgetError

__all__ = ["MEMORY", "MemoryBudgetError", "Network", "check_budget", "check_draws"]

Array = NDArray[np.float64]
MEMORY = 4 * 2**30
"""Bytes that one draw may take, unless a caller says otherwise."""


@dataclass(frozen=True)
class Network:
    """A random network of finite width.

    Attributes
    ----------
    kind : {"deq", "mlp", "untied"}
        An equilibrium z = phi(W z + U x + b); a perceptron of ``depth`` hidden layers; or ``depth`` layers
        with fresh W and with inputs in the first one alone, which is what an equilibrium model is not.
    activation : str, sympy.Expr or Activation
    width : int
        Units n of each hidden layer.
    depth : int
        Hidden layers of a perceptron; not used by an equilibrium.
    sigma_w, sigma_u, sigma_b, sigma_v : float
        Standard deviations of W (times sqrt(n)), U (times sqrt(d)), b, and the readout (times sqrt(n)).
        A perceptron's first layer has ``sigma_w``, as in `numerics.mlp_kernel`, and no ``sigma_u``.
    expansive : bool
        Whether to draw equilibrium models that nothing guarantees to have an equilibrium.

    Raises
    ------
    ValueError
        For anything that is not as above.
    DivergenceError
        For an equilibrium model with sigma_w Lip(phi) >= 1, unless ``expansive``.
    """

    kind: Literal["deq", "mlp", "untied"] = "deq"
    activation: str | Expr | Activation = "erf"
    width: int = 100
    depth: int = 2
    sigma_w: float = 0.4
    sigma_u: float = 1.0
    sigma_b: float = 0.0
    sigma_v: float = 1.0
    expansive: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.kind not in ("deq", "mlp", "untied"):
            raise ValueError(f"a network is deq, mlp or untied, got {self.kind!r}")
        for name in ("width", "depth"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise ValueError(f"{name} must be an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        check_scales(
            sigma_w=self.sigma_w, sigma_u=self.sigma_u, sigma_b=self.sigma_b, sigma_v=self.sigma_v
        )
        phi = activation(self.activation)
        if self.kind == "deq" and not self.expansive:
            from numerics.kernels.deq import lipschitz_constant

            rate = self.sigma_w * lipschitz_constant(phi)
            if not rate < 1.0:
                raise DivergenceError(
                    f"sigma_w Lip(phi) of {phi} is {rate:.6g} and must be below 1 for an equilibrium to be "
                    "expected at finite width"
                )

    @property
    def phi(self) -> Activation:
        """The activation."""
        return activation(self.activation)


def check_draws(x: ArrayLike, draws: int, heads: int = 1) -> Array:
    """Return inputs as a matrix, or say what is wrong with them or with the number of draws.

    Raises
    ------
    ValueError
    """
    made, _ = check_inputs(x, None)
    for name, value, least in (("draws", draws, 1), ("heads", heads, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return made


def check_budget(needed: float, memory: float, what: str) -> None:
    """Refuse work that does not fit into its budget.

    Parameters
    ----------
    needed, memory : float
        Bytes.
    what : str
        What needs them.

    Raises
    ------
    MemoryBudgetError, ValueError
    """
    if not (math.isfinite(memory) and memory > 0.0):
        raise ValueError(f"the memory budget must be positive, got {memory!r}")
    if needed > memory:
        raise MemoryBudgetError(
            f"{what} needs {needed / 2**30:.3g} GiB, its budget is {memory / 2**30:.3g} GiB; take fewer "
            "inputs, draws or units, or allow more memory"
        )
