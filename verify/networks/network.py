"""What a network of finite width is, and whether it can be drawn: checked before any work."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from numerics.errors import DivergenceError
from numerics.kernels.inputs import check_inputs, check_scales, model_scales
from numerics.kernels.layers.sequential import check_numbers
from theory.kernels.activations import Activation, activation
from theory.kernels.architectures import DEQ, MLP
from theory.kernels.sequential import Sequential
from verify.errors import MemoryBudgetError

__all__ = ["MEMORY", "MemoryBudgetError", "Network", "check_budget", "check_draws"]

Array = NDArray[np.float64]
MEMORY = 4 * 2**30
"""Bytes that one draw may take, unless a caller says otherwise."""


def _as_the_model() -> Any:
    """A scale that is the architecture's if it is not given."""
    return field(default=None)


@dataclass(frozen=True)
class Network:
    """A random network of finite width; `Network.of` makes the one of an architecture.

    Attributes
    ----------
    kind : {"deq", "mlp", "untied", "sequential"}
        An equilibrium z = phi(W z + U x + b); a perceptron of ``depth`` hidden layers; ``depth`` layers
        with fresh W and with inputs in the first one alone, which is what an equilibrium model is not; or
        ``layers``.
    activation : str, sympy.Expr or Activation
    width : int
        Units n of each hidden layer.
    depth : int
        Hidden layers of a perceptron; not used by an equilibrium. By default that of `theory.MLP`.
    sigma_w, sigma_u, sigma_b, sigma_v : float
        Standard deviations of W (times sqrt(n)), U (times sqrt(d)), b, and the readout (times sqrt(n)).
        A perceptron's first layer has ``sigma_w``, as in `numerics.kernel`, and no ``sigma_u``. By default
        those of `theory.MLP` for a perceptron, of `theory.DEQ` for the others.
    expansive : bool
        Whether to draw equilibrium models that nothing guarantees to have an equilibrium.
    layers : theory.Sequential, optional
        A network of any order of layers, with numbers for all scales: of its activations, depth and scales
        the other attributes say nothing, but that ``sigma_v`` and ``sigma_c`` are those of its readout.

    Raises
    ------
    ValueError
        For anything that is not as above.
    DivergenceError
        For an equilibrium model with sigma_w Lip(phi) >= 1, unless ``expansive``.
    """

    kind: Literal["deq", "mlp", "untied", "sequential"] = "deq"
    activation: str | Expr | Activation = DEQ.activation
    width: int = 100
    depth: int = MLP.depth
    sigma_w: float = _as_the_model()
    sigma_u: float = _as_the_model()
    sigma_b: float = _as_the_model()
    sigma_v: float = _as_the_model()
    expansive: bool = False
    layers: Sequential | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.kind not in ("deq", "mlp", "untied", "sequential"):
            raise ValueError(f"a network is deq, mlp, untied or sequential, got {self.kind!r}")
        if (self.kind == "sequential") != (self.layers is not None):
            raise ValueError("layers are what a sequential network has, and no other")
        if self.layers is not None:
            check_numbers(self.layers)
            object.__setattr__(self, "sigma_v", float(self.layers.readout.sigma_w))
        for name in ("sigma_w", "sigma_u", "sigma_b", "sigma_v"):
            if getattr(self, name) is None:
                known = MLP if self.kind == "mlp" and hasattr(MLP, name) else DEQ
                object.__setattr__(self, name, getattr(known, name))
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

    @property
    def sigma_c(self) -> float:
        """Standard deviation of the readout's bias."""
        return 0.0 if self.layers is None else float(self.layers.readout.sigma_b or 0)

    @property
    def model(self) -> MLP | DEQ | Sequential:
        """The architecture that this is the finite network of.

        Raises
        ------
        ValueError
            For untied networks.
        """
        if self.kind == "untied":
            raise ValueError("an untied network is neither a perceptron nor an equilibrium model")
        if self.layers is not None:
            return self.layers
        made = MLP if self.kind == "mlp" else DEQ
        return made(**{f.name: getattr(self, f.name) for f in fields(made)})

    @classmethod
    def of(cls, model: MLP | DEQ | Sequential, width: int = 100, expansive: bool = False) -> Self:
        """Return the network of an architecture at a width.

        Parameters
        ----------
        model : theory.MLP, theory.DEQ or theory.Sequential
            With numbers for all scales.
        width : int
        expansive : bool

        Raises
        ------
        ValueError, DivergenceError
            As of the class.
        """
        if isinstance(model, Sequential):
            return cls(kind="sequential", width=width, layers=model)
        shape: dict[str, Any] = {"kind": model.name, **model_scales(model)}
        if isinstance(model, MLP):
            shape["depth"] = model.depth
        return cls(activation=model.phi, width=width, expansive=expansive, **shape)


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
