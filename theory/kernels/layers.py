"""The layers of wide networks, and what each does to the covariances of a pair of inputs.

Four kinds are enough: `Dense`, an activation (a name, an expression or `theory.Activation`), `LayerNorm`, and
`Residual` around others. `theory.kernels.sequential.Sequential` is a network of them.

A layer maps a `State` to the next, in whatever arithmetic it is given: symbols, which make the equations;
arrays of doubles with their errors; balls; and arrays of JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sympy import Expr

from theory.errors import DivergenceError
from theory.kernels.activations import Activation
from theory.kernels.recursion import layer, tangent
from theory.kernels.scales import read_activation, read_scale
from theory.parameters import Number, shown

__all__ = [
    "Arithmetic",
    "Dense",
    "Layer",
    "LayerNorm",
    "Pointwise",
    "Residual",
    "State",
    "check_order",
    "read_layers",
    "through",
]


class State(NamedTuple):
    """What is known of a pair of inputs behind a layer, for one unit of it.

    Attributes
    ----------
    one, both, two
        E z(x)^2, E z(x) z(x') and E z(x')^2.
    tangent
        Sum over the parameters so far of dz(x)/dp dz(x')/dp.
    """

    one: Any
    both: Any
    two: Any
    tangent: Any


class Arithmetic(Protocol):
    """What layers calculate with."""

    def number(self, value: Any) -> Any:
        """A number that a layer was given."""
        ...

    def sqrt(self, x: Any) -> Any:
        """The square root."""
        ...

    def variance(self, phi: Activation, k: Any) -> Any:
        """D at correlation 1."""
        ...

    def pair(self, phi: Activation, at: State) -> tuple[Any, Any]:
        """D and the tangent's slope."""
        ...


@dataclass(frozen=True)
class Dense:
    """Weights and biases of a layer: z -> W z + b, units that are independent and normal.

    Parameters
    ----------
    sigma_w : Number
        Standard deviation of the weights, times the root of the fan-in.
    sigma_b : Number or None
        That of the biases; None for a layer without biases. Both are read as by `theory.MLP`.
    trained : bool
        Whether the tangent kernel counts these parameters; otherwise the layer is frozen.
    """

    sigma_w: Number = 1.1
    sigma_b: Number | None = 0.2
    trained: bool = True

    def __post_init__(self) -> None:
        """Read what was given."""
        object.__setattr__(self, "sigma_w", read_scale("sigma_w", self.sigma_w))
        if self.sigma_b is not None:
            object.__setattr__(self, "sigma_b", read_scale("sigma_b", self.sigma_b))
        if not isinstance(self.trained, bool):
            raise ValueError(f"trained must be True or False, got {shown(self.trained)}")

    def forward(self, at: State, using: Arithmetic, fan_in: Any = None) -> State:
        """Return the state behind the layer.

        Parameters
        ----------
        at : State
        using : Arithmetic
        fan_in : optional
            In the standard parameterisation the number of units before the layer, see `Sequential`.

        Notes
        -----
        The parameters of the NTK parameterisation have unit variance, W_ij = sigma_w w_ij/sqrt(fan-in), so
        that the products of a unit's gradients in its own parameters sum to its covariance. In the standard
        one they are W and b themselves, and the sum is fan-in E z z' + 1.
        """
        w2, b2 = (using.number(0 if s is None else s) for s in (self.sigma_w, self.sigma_b))
        w2, b2 = w2 * w2, b2 * b2
        one, both, two = (layer(v, w2, b2) for v in at[:3])
        own: Any = 0
        if self.trained:
            own = both
            if fan_in is not None:
                own = layer(at.both, fan_in, 0 if self.sigma_b is None else 1)
        return State(one, both, two, tangent(own, 1, at.tangent, w2))

    def __str__(self) -> str:
        rest = "" if self.trained else ", trained=False"
        return f"dense({self.sigma_w}, {self.sigma_b}{rest})"


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalisation: the mean over the units subtracted, their standard deviation divided by.

    No gains and biases of its own. Its input has to be normal, and so has mean 0 in the limit: the mean that
    is subtracted, and what it and the standard deviation do to gradients, are of order n^(-1/2).
    """

    def forward(self, at: State, using: Arithmetic, fan_in: Any = None) -> State:
        """Return the state behind the layer; variances are 1."""
        del fan_in
        unit, size = using.number(1), using.sqrt(at.one) * using.sqrt(at.two)
        return State(unit, at.both / size, unit, at.tangent / size)

    def __str__(self) -> str:
        return "norm"


@dataclass(frozen=True)
class Residual:
    """A residual block, z -> skip(z) + body(z).

    Parameters
    ----------
    body : sequence of layers
        Ends in normal units: its last weights are independent of z and of mean 0, so that covariances add.
    skip : Dense, optional
        A linear skip with weights of its own; the identity by default.
    """

    body: Sequence[Any]
    skip: Dense | None = None

    def __post_init__(self) -> None:
        """Read what was given."""
        object.__setattr__(self, "body", read_layers(self.body))
        if self.skip is not None and not isinstance(self.skip, Dense):
            raise ValueError(f"a skip is None, for the identity, or Dense, got {shown(self.skip)}")

    def forward(self, at: State, using: Arithmetic, fan_in: Any = None) -> State:
        """Return the state behind the block."""
        side = at if self.skip is None else self.skip.forward(at, using, fan_in)
        return self.joined(side, through(self.body, at, using, fan_in))

    @staticmethod
    def joined(skip: State, body: State) -> State:
        """The sum of both branches, which are uncorrelated."""
        return State(*(a + b for a, b in zip(skip, body, strict=True)))

    def __str__(self) -> str:
        skip = "" if self.skip is None else f", skip={self.skip}"
        return f"residual({', '.join(map(str, self.body))}{skip})"


@dataclass(frozen=True)
class Pointwise:
    """An activation as a layer; networks are given the activation itself."""

    phi: Activation

    def forward(self, at: State, using: Arithmetic, fan_in: Any = None) -> State:
        """Return the state behind the layer: D, and D' by the chain rule."""
        del fan_in
        both, slope = using.pair(self.phi, at)
        one, two = (using.variance(self.phi, k) for k in (at.one, at.two))
        return State(one, both, two, tangent(0, slope, at.tangent, 1))

    def __str__(self) -> str:
        return str(self.phi)


Layer = Dense | Pointwise | LayerNorm | Residual


def through(layers: Sequence[Layer], at: State, using: Arithmetic, fan_in: Any = None) -> State:
    """Take a pair of inputs through some layers.

    Parameters
    ----------
    layers : sequence of Layer
    at : State
    using : Arithmetic
    fan_in : optional
        Units of the layers before, in the standard parameterisation.
    """
    for one in layers:
        at = one.forward(at, using, fan_in)
    return at


def read_layers(given: Any) -> tuple[Layer, ...]:
    """Read layers, activations among them.

    Raises
    ------
    ActivationError
        For what is no activation.
    DivergenceError
        If an activation has no dual.
    ValueError
        For anything else that is no layer, and for no layers at all.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ValueError(f"layers are a sequence such as (Dense(), 'relu'), got {shown(given)}")
    return tuple(map(_read, given))


def _read(given: Any) -> Layer:
    if isinstance(given, Dense | Pointwise | LayerNorm | Residual):
        return given
    if not isinstance(given, str | Expr | Activation):
        raise ValueError(
            f"a layer is Dense, LayerNorm, Residual or an activation, got {shown(given)}"
        )
    phi = read_activation(given)
    if phi.existence.largest == 0:
        raise DivergenceError(phi.existence.text())
    return Pointwise(phi)


def check_order(layers: Sequence[Layer], normal: bool = False, fresh: bool = False) -> bool:
    """Check that every layer acts on units that it can act on.

    Parameters
    ----------
    layers : sequence of Layer
    normal : bool
        Whether units before them are normal of mean 0.
    fresh : bool
        Whether they also have weights of their own since the block began, so that they are uncorrelated with
        its skip.

    Returns
    -------
    bool
        Whether units behind them are fresh.

    Raises
    ------
    ValueError
        Saying which layer does not fit.
    """
    for one in layers:
        if isinstance(one, Dense):
            normal = fresh = True
        elif isinstance(one, Residual):
            if not check_order(one.body, normal):
                raise ValueError(
                    f"the branch of {one} must end with Dense, so that it is normal and uncorrelated "
                    "with the skip"
                )
            normal, fresh = normal or one.skip is not None, fresh or one.skip is not None
        elif not normal:
            raise ValueError(f"{one} acts on normal units: put Dense before it")
        elif isinstance(one, Pointwise):
            normal = fresh = False
    return fresh
