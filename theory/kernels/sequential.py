"""Networks of any order of layers: what MLP is the short form of.

>>> print(Sequential((Dense(1.5, 0.2), "relu", Dense(0.9, None))))
sequential(dense(3/2, 0.2), relu, dense(0.9, None))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import sympy
from sympy import Eq, Expr, Function, S, Symbol

from theory.calculus.price import K1
from theory.calculus.steps import Step
from theory.kernels.activations import Activation
from theory.kernels.architectures import MLP
from theory.kernels.duals import Dual, dual
from theory.kernels.layers import (
    Arithmetic,
    Dense,
    Layer,
    LayerNorm,
    Pointwise,
    Residual,
    State,
    check_order,
    read_layers,
    through,
)
from theory.kernels.presentation import Row, conditions_in_text, in_latex, in_text
from theory.kernels.recursion import NNGP, NTK, Condition, Name
from theory.kernels.scales import read_scale
from theory.parameters import Number, shown

__all__ = ["Parameterisation", "Sequential", "denses"]

Parameterisation = Literal["ntk", "standard"]
_DIMENSION = Symbol("d", positive=True)
_WHY = {
    Dense: "Weights are independent of the units before: covariances are means over these.",
    Pointwise: "Units are normal: D is their covariance, and gradients come through E phi' phi' = D'.",
    LayerNorm: "The mean over the units tends to 0, their variance to K(x, x): its root divides.",
    Residual: "The branch has weights of mean 0 of its own, so that covariances add.",
}


@dataclass(frozen=True)
class Sequential:
    """A wide network, layer by layer.

    Parameters
    ----------
    layers : sequence of Dense, LayerNorm, Residual and activations
        The first takes the inputs in and the last is the readout; both are Dense. Activations and LayerNorm
        act on normal units: behind Dense, LayerNorm, or a sum of such.
    parameterisation : {"ntk", "standard"}
        What the tangent kernel is taken in: parameters of unit variance that the layers scale, or weights
        and biases themselves.
    width : Number
        In the standard parameterisation the number of hidden units, which multiplies the gradients of
        hidden weights. 1 gives the kernel per unit of learning rate 1/n of Sohl-Dickstein et al.

    Raises
    ------
    ActivationError, DivergenceError
        As `theory.MLP`, for activations.
    ValueError
        If the layers do not fit together; the message says which.

    Notes
    -----
    The standard parameterisation is z = W y + b with W_ij ~ N(0, sigma_w^2/fan-in) and gradients in W and b;
    the tangent kernel grows with the width n. z = W y/sqrt(N) + b with n = s N units and W_ij ~ N(0,
    sigma_w^2/s) is the same network, and its tangent kernel tends to a limit as N grows: J. Sohl-Dickstein,
    R. Novak, S. Schoenholz and J. Lee, arXiv:2001.07301. ``width`` is s, the inputs are d units. With s = n
    it is, layer by layer, the leading order of the standard network's own kernel at width n.

    Examples
    --------
    >>> block = Residual((LayerNorm(), "relu", Dense(1, None)))
    >>> Sequential((Dense(1, 0), block, block, LayerNorm(), Dense(1, None))).depth
    2
    """

    name: ClassVar[str] = "sequential"
    layers: Sequence[Any]
    parameterisation: Parameterisation = "ntk"
    width: Number = 1

    def __post_init__(self) -> None:
        """Read the layers, and see that they fit together."""
        object.__setattr__(self, "layers", read_layers(self.layers))
        if self.parameterisation not in get_args(Parameterisation):
            raise ValueError(
                f"parameterisation must be 'ntk' or 'standard', got {shown(self.parameterisation)}"
            )
        object.__setattr__(self, "width", read_scale("width", self.width))
        if not (len(self.layers) > 1 and all(isinstance(self.layers[n], Dense) for n in (0, -1))):
            raise ValueError(f"a network begins and ends with Dense, got {self}")
        check_order(self.layers)

    @property
    def readout(self) -> Dense:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, Dense)
        return last

    @property
    def activations(self) -> tuple[Activation, ...]:
        """All activations, each once, in the order in which they come."""
        found = (one.phi for one in _flat(self.layers) if isinstance(one, Pointwise))
        return tuple(dict.fromkeys(found))

    @property
    def depth(self) -> int:
        """Layers of activations."""
        return sum(isinstance(one, Pointwise) for one in _flat(self.layers))

    @property
    def plain(self) -> MLP | None:
        """The perceptron that this is, if it is one."""
        first, *rest = self.layers[:-1:2]
        phis = {one.phi if isinstance(one, Pointwise) else None for one in self.layers[1::2]}
        readout = self.readout
        if (
            len(self.layers) % 2 == 0
            or not (isinstance(first, Dense) and all(one == first for one in rest))
            or len(phis) != 1
            or None in phis
            or self.parameterisation != "ntk"
            or not (first.trained and readout.trained)
            or readout.sigma_b not in (None, 0)
        ):
            return None
        (phi,) = phis
        assert phi is not None
        bias = 0 if first.sigma_b is None else first.sigma_b
        return MLP(phi, len(self.layers) // 2, first.sigma_w, bias, readout.sigma_w)

    def forward(self, gram: Sequence[Any], using: Arithmetic, dimension: Any) -> State:
        """Return covariance and tangent kernel of the outputs.

        Parameters
        ----------
        gram : sequence
            <x, x>/d, <x, x'>/d and <x', x'>/d.
        using : theory.kernels.layers.Arithmetic
        dimension
            d.
        """
        at, hidden = self._begun(gram, using, dimension)
        return through(self.layers[1:], at, using, hidden)

    def places(self, gram: Sequence[Any], using: Arithmetic, dimension: Any) -> Iterator[State]:
        """Yield the outputs of networks cut behind each layer but the last: the readout follows at once.

        Parameters are those of `forward`, whose result comes last.
        """
        at, hidden = self._begun(gram, using, dimension)
        yield self.readout.forward(at, using, hidden)
        for one in self.layers[1:-1]:
            at = one.forward(at, using, hidden)
            yield self.readout.forward(at, using, hidden)

    def _begun(self, gram: Sequence[Any], using: Arithmetic, dimension: Any) -> tuple[State, Any]:
        """The state behind the first layer, and what the fan-in of the others counts as."""
        standard = self.parameterisation == "standard"
        one, both, two = gram
        at = self.layers[0].forward(
            State(one, both, two, 0), using, dimension if standard else None
        )
        return at, using.number(self.width) if standard else None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The derivation: of every dual, and of the recursion layer by layer."""
        made = [step for _, own in self._duals for step in own.steps]
        for one, rows in self._named:
            made += [
                Step(f"Behind {one}", _WHY[type(one)], Eq(left, right, evaluate=False))
                for left, right, _ in rows
            ]
        return tuple(made)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Of variances before activations whose D exists for some variances only."""
        made = []
        for name, own in self._duals:
            largest = own.existence.largest
            if largest is not S.Infinity:
                statement = f"E phi{name}(u)^2 to exist at the variance before each phi{name}"
                made.append(Condition(f"variance{name}", statement, K1, largest))
        return tuple(made)

    def text(self) -> str:
        """The recursion layer by layer, and D and D' of every activation, in plain text."""
        phis = ", ".join(f"phi{name}(x) = {own.activation.expr}" for name, own in self._duals)
        legend = "g = <x, x'>/d" + (phis and f"; D = E phi(u) phi(v), D' = dD/dk12, {phis}")
        shown_rows = in_text(str(self), self._rows(), self._duals, legend)
        return shown_rows + conditions_in_text(self.conditions)

    def latex(self) -> str:
        """The same as a LaTeX ``aligned`` environment."""
        return in_latex(self._rows(), self._duals, self.conditions)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        parts = [*map(str, self.layers)]
        if self.parameterisation == "standard":
            parts.append(f"parameterisation=standard, width={self.width}")
        return f"{self.name}({', '.join(parts)})"

    @property
    def _duals(self) -> list[tuple[str, Dual]]:
        phis = self.activations
        return [
            (f"_{n}" if len(phis) > 1 else "", dual(phi)) for n, phi in enumerate(phis, start=1)
        ]

    def _rows(self) -> list[Row]:
        return [row for _, rows in self._named for row in rows]

    @cached_property
    def _named(self) -> list[tuple[Layer, list[Row]]]:
        names = _Names({own.activation: name for name, own in self._duals})
        gram = names.gram("g")
        hidden = None
        if self.parameterisation == "standard":
            hidden = sympy.sympify(self.width)
        first, *rest = self.layers
        names.through([first], State(*gram, S.Zero), None if hidden is None else _DIMENSION)
        names.through(rest, names.at, hidden)
        one, rows = names.found[-1]
        ends = [
            (left, right, where) for left, (_, right, where) in zip((NNGP, NTK), rows, strict=True)
        ]
        return [*names.found[:-1], (one, ends)]

    def __getstate__(self) -> dict[str, Any]:
        """Return what it is, without what was derived from it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


class _Names:
    """Layers in symbols: every layer's state gets names, and rows that define them.

    Parameters
    ----------
    suffixes : dict
        What stands behind D of each activation.
    """

    def __init__(self, suffixes: dict[Activation, str]) -> None:
        self.suffixes = suffixes
        self.found: list[tuple[Layer, list[Row]]] = []
        self.at = State(S.Zero, S.Zero, S.Zero, S.Zero)

    def number(self, value: Any) -> Expr:
        return sympy.sympify(value)

    def sqrt(self, x: Expr) -> Expr:
        return sympy.sqrt(x)

    def variance(self, phi: Activation, k: Expr) -> Expr:
        return Function(f"D{self.suffixes[phi]}")(k)

    def pair(self, phi: Activation, at: State) -> tuple[Expr, Expr]:
        return Function(f"D{self.suffixes[phi]}")(at.both), Function(f"D'{self.suffixes[phi]}")(
            at.both
        )

    def gram(self, name: str) -> tuple[Symbol, Symbol, Symbol]:
        """Names of a covariance of (x, x), (x, x') and (x', x')."""
        one, two = (Name(f"{name}{at}", positive=True) for at in ("(x,x)", "(x',x')"))
        return one, Name(name, real=True), two

    def through(self, layers: Sequence[Layer], at: State, fan_in: Any) -> None:
        """Name the states behind some layers; the last is ``at`` of this object."""
        self.at = at
        for one in layers:
            if isinstance(one, Residual):
                self.through(one.body, at, fan_in)
                body, side = self.at, at
                if one.skip is not None:
                    self.through([one.skip], at, fan_in)
                    side = self.at
                made = one.joined(side, body)
            else:
                made = one.forward(at, self, fan_in)
            place = len(self.found) + 1
            at = State(*self.gram(f"K_{place}"), Name(f"Theta_{place}", real=True))
            self.found.append((one, [(at.both, made.both, ""), (at.tangent, made.tangent, "")]))
            self.at = at


def _flat(layers: Sequence[Layer]) -> Iterator[Layer]:
    """All layers, those of blocks among them, in the order in which a network draws their weights."""
    for one in layers:
        if isinstance(one, Residual):
            yield from _flat(one.body)
            yield from () if one.skip is None else (one.skip,)
        else:
            yield one


def denses(layers: Sequence[Layer]) -> Iterator[Dense]:
    """All layers with weights, those of blocks among them."""
    return (one for one in _flat(layers) if isinstance(one, Dense))
