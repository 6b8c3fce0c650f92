"""Architectures as models: what a wide network is, its recursion, and the conditions under which it exists.

An architecture holds an activation and standard deviations, as a perceptron problem holds a prior and a
constraint. `numerics.kernel`, `numerics.certify`, the kernels for scikit-learn, networks of finite width and
the command line take it, and have their defaults from here.

>>> print(MLP("relu", depth=2, sigma_w="3/2"))
mlp(relu, depth=2, sigma_w=3/2, sigma_b=0.2, sigma_v=0.9)
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import sympy
from sympy import Eq, Expr, Function, Rational, S, Symbol

from theory.calculus.price import K1
from theory.calculus.steps import Step
from theory.errors import DivergenceError
from theory.kernels.activations import Activation
from theory.kernels.duals import Dual, dual
from theory.kernels.layers import Dense, Layer, Pointwise
from theory.kernels.presentation import Row, conditions_in_text, in_latex, in_text
from theory.kernels.recursion import (
    NEXT_K,
    NEXT_THETA,
    NNGP,
    NTK,
    SIGMA_B,
    SIGMA_U,
    SIGMA_W,
    THETA,
    Condition,
    EquilibriumEquations,
    PerceptronEquations,
    equilibrium_tangent,
    layer,
    readout,
    tangent,
)
from theory.kernels.scales import MAX_DEPTH, SCALES, read_activation, read_depth, read_scale
from theory.parameters import Number, shown

__all__ = ["DEQ", "MAX_DEPTH", "MLP", "Architecture", "not_an_architecture"]

_GRAM = Symbol("g", real=True)
_D, _SLOPE = Function("D"), Function("D'")


@dataclass(frozen=True)
class Architecture(ABC):
    """What perceptrons and equilibrium models share: an activation, and standard deviations."""

    name: ClassVar[str]
    activation: str | Expr | Activation

    def __post_init__(self) -> None:
        """Read the activation, which has to have a dual, and the scales."""
        phi = read_activation(self.activation)
        if phi.existence.largest == 0:
            raise DivergenceError(phi.existence.text())
        object.__setattr__(self, "activation", phi)
        for name, value in self.scales.items():
            object.__setattr__(self, name, read_scale(name, value))

    def __getstate__(self) -> dict[str, Any]:
        """Return what it is, without what was derived from it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def phi(self) -> Activation:
        """The activation."""
        return cast("Activation", self.activation)

    @property
    def scales(self) -> dict[str, Any]:
        """Standard deviations by name: floats as they were given, other numbers exactly, or symbols."""
        names = (field.name for field in dataclasses.fields(self))
        return {name: getattr(self, name) for name in names if name in SCALES}

    @property
    def parameters(self) -> dict[Symbol, Expr]:
        """Numbers given for the scales, by symbol; symbolic ones are left out."""
        values = {SCALES[name]: sympy.sympify(value) for name, value in self.scales.items()}
        return {symbol: value for symbol, value in values.items() if value != symbol}

    @property
    def generic(self) -> Self:
        """The same architecture with all scales symbolic."""
        return dataclasses.replace(self, **{name: SCALES[name] for name in self.scales})

    @property
    def dual(self) -> Dual:
        """D and D' of the activation."""
        return dual(self.phi)

    @cached_property
    @abstractmethod
    def equations(self) -> PerceptronEquations | EquilibriumEquations:
        """The recursion in symbols for the scales."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """What has to hold for the kernels to exist, at these scales."""

    @property
    def tangent(self) -> Eq:
        """Theta of a layer from the one before, or at the fixed point."""
        return self._at(self.equations.tangent)

    @property
    def nngp(self) -> Eq:
        """The outputs' covariance, from the last K."""
        return self._at(self.equations.nngp)

    @property
    def ntk(self) -> Eq:
        """The neural tangent kernel, from the last K and Theta."""
        return self._at(self.equations.ntk)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The derivation: of the dual, of the recursion, and of what follows at these scales."""
        return (*self.dual.steps, *self._own_steps(), *self._conditions_shown(), *self._ends())

    @abstractmethod
    def _own_steps(self) -> tuple[Step, ...]:
        """How the recursion comes about."""

    @abstractmethod
    def _rows(self) -> list[Row]:
        """The recursion line by line: left-hand side, right-hand side, and for which layers."""

    def _at(self, equation: Eq) -> Eq:
        """An equation at these scales."""
        return Eq(equation.lhs, equation.rhs.subs(self.parameters), evaluate=False)

    def _squares(self, *names: str) -> list[Expr]:
        return [(SCALES[name] ** 2).subs(self.parameters) for name in names]

    def _conditions_shown(self) -> tuple[Step, ...]:
        return tuple(
            Step(
                f"Condition: {c.name}",
                f"The kernels need {c.statement}." + (" It fails." if self._fails(c) else ""),
                sympy.StrictLessThan(c.value, c.bound, evaluate=False),
            )
            for c in self.conditions
        )

    def _fails(self, condition: Condition) -> bool:
        """Whether a condition fails at these scales whatever the inputs."""
        del condition
        return False

    def _ends(self) -> tuple[Step, ...]:
        return (
            Step(
                "The outputs' covariance",
                "The readout is a layer of its own, with sigma_v and without bias.",
                self.nngp,
            ),
            Step(
                "The neural tangent kernel",
                "The readout's own weights give D, all others what Theta has.",
                self.ntk,
            ),
        )

    def __str__(self) -> str:
        """Return the name with all that it holds, as in ``deq(erf, sigma_w=0.4, ..)``."""
        rest = [f for f in dataclasses.fields(self) if f.name != "activation"]
        values = [f"{f.name}={getattr(self, f.name)}" for f in rest]
        return f"{self.name}({', '.join([str(self.phi), *values])})"

    def text(self) -> str:
        """The recursion, D and D', and the conditions, in plain text."""
        legend = (
            "g = <x, x'>/d; D = E phi(u) phi(v), D' = dD/dk12, (u, v) ~ N(0, K), "
            f"phi(x) = {self.phi.expr}"
        )
        shown = in_text(str(self), self._rows(), [("", self.dual)], legend)
        return shown + conditions_in_text(self.conditions, self._fails)

    def latex(self) -> str:
        """The recursion, D and D', and the conditions, as a LaTeX ``aligned`` environment."""
        return in_latex(self._rows(), [("", self.dual)], self.conditions, self._fails)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


@dataclass(frozen=True)
class MLP(Architecture):
    """A wide multilayer perceptron: hidden layers with fresh weights and biases, a readout without bias.

    Parameters
    ----------
    activation : str, sympy.Expr or Activation
        See `theory.kernels.activations.activation`.
    depth : int
        Hidden layers, from 1 to 1000000.
    sigma_w, sigma_b, sigma_v
        Standard deviations of weights (times the root of the fan-in), biases and the readout, >= 0. A
        float is the binary number that it is; int, Fraction, Decimal, decimal text and sympy numbers are
        exact. Its own name, as text or as a sympy symbol, keeps it symbolic, and `generic` all of them.

    Raises
    ------
    ActivationError
        For what is no activation.
    DivergenceError
        If E phi(u)^2 is infinite at every variance, or this cannot be decided.
    ValueError
        For a depth or a scale that makes no sense.

    Notes
    -----
    K_1 = Theta_1 = sigma_w^2 <x, x'>/d + sigma_b^2, then `theory.kernels.recursion`. Lee et al., ICLR 2018
    (NNGP); Jacot, Gabriel and Hongler, NeurIPS 2018 (NTK).

    Examples
    --------
    >>> MLP("relu").equations.susceptibility
    sigma_w**2/2
    """

    name: ClassVar[str] = "mlp"
    activation: str | Expr | Activation = "relu"
    depth: int = 3
    sigma_w: Number = 1.1
    sigma_b: Number = 0.2
    sigma_v: Number = 0.9

    def __post_init__(self) -> None:
        """Read what was given."""
        super().__post_init__()
        object.__setattr__(self, "depth", read_depth(self.depth))

    @cached_property
    def equations(self) -> PerceptronEquations:
        """One layer and the readout, in symbols for the scales."""
        return PerceptronEquations(self.dual)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The same layer by layer, for `theory.Sequential`: Dense and the activation, and a readout."""
        hidden = Dense(self.sigma_w, self.sigma_b), Pointwise(self.phi)
        return (*(hidden * self.depth), Dense(self.sigma_v, None))

    @property
    def layer(self) -> Eq:
        """K_{l+1} in k11, k12, k22, the entries of K_l."""
        return self._at(self.equations.layer)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Of every layer's variance, where D exists for some variances only; otherwise none."""
        largest = self.dual.existence.largest
        if largest is S.Infinity:
            return ()
        statement = "E phi(u)^2 to exist at the variance of every layer"
        return (Condition("variance", statement, K1, largest),)

    def _own_steps(self) -> tuple[Step, ...]:
        d, slope = Symbol("D"), Symbol("D'")
        return (
            Step(
                "The first layer",
                "Weights and biases are independent normal, so pre-activations are: g = <x, x'>/d.",
                Eq(Symbol("K_1"), layer(_GRAM, SIGMA_W**2, SIGMA_B**2)),
            ),
            Step(
                "A layer",
                "Given the layer before, a unit's pre-activation is normal; as the width grows its "
                "covariance, a mean over units, tends to its expectation D(K_l).",
                Eq(NEXT_K, layer(d, SIGMA_W**2, SIGMA_B**2)),
            ),
            Step(
                "Its tangent kernel",
                "Gradients in this layer's own parameters give K_{l+1}; those of the layers before come "
                "through phi', and E phi' phi' is D' by Price's theorem.",
                Eq(NEXT_THETA, tangent(NEXT_K, slope, THETA, SIGMA_W**2)),
            ),
            Step("The layer at these scales", "With D as derived.", self.layer),
            Step("Its tangent kernel at these scales", "With D' as derived.", self.tangent),
        )

    def _rows(self) -> list[Row]:
        w2, b2, v2 = self._squares("sigma_w", "sigma_b", "sigma_v")
        first = Symbol("K_1")
        rows: list[Row] = [(first, layer(_GRAM, w2, b2), ""), (Symbol("Theta_1"), first, "")]
        if self.depth > 1:
            k, theta = Symbol("K_l"), Symbol("Theta_l")
            last = self.depth - 1
            where = f"1, 2, .., {last}" if last > 3 else ", ".join(map(str, range(1, last + 1)))
            rows.append((NEXT_K, layer(_D(k), w2, b2), where))
            rows.append((NEXT_THETA, tangent(NEXT_K, _SLOPE(k), theta, w2), where))
        k, theta = Symbol(f"K_{self.depth}"), Symbol(f"Theta_{self.depth}")
        nngp, ntk = readout(_D(k), _SLOPE(k), theta, v2)
        return [*rows, (NNGP, nngp, ""), (NTK, ntk, "")]


@dataclass(frozen=True)
class DEQ(Architecture):
    """A wide deep equilibrium model, z = phi(W z + U x + b), with a readout without bias.

    Parameters
    ----------
    activation : str, sympy.Expr or Activation
    sigma_w, sigma_u, sigma_b, sigma_v
        Standard deviations of W (times the root of the width), U (times sqrt(d)), b and the readout; read
        as by `MLP`.

    Raises
    ------
    ActivationError
        For what is no activation.
    DivergenceError
        If E phi(u)^2 is infinite at every variance, or this cannot be decided.
    ValueError
        For a scale that makes no sense. Whether the `conditions` hold depends on the inputs.

    Notes
    -----
    K* = sigma_w^2 D(K*) + S, S = sigma_u^2 <x, x'>/d + sigma_b^2. Gao, Huo, Liu and Gao, NeurIPS 2023.

    Examples
    --------
    >>> [condition.value for condition in DEQ("relu", sigma_w="1/2").conditions]
    [1/8, 1/2, 1/8]
    """

    name: ClassVar[str] = "deq"
    activation: str | Expr | Activation = "erf"
    sigma_w: Number = 0.4
    sigma_u: Number = 1.0
    sigma_b: Number = 0.0
    sigma_v: Number = 1.0

    @cached_property
    def equations(self) -> EquilibriumEquations:
        """The fixed point and what follows from it, in symbols for the scales."""
        return EquilibriumEquations(self.dual)

    @property
    def fixed_point(self) -> Eq:
        """k12 in k11, k12, k22 and s12."""
        return self._at(self.equations.fixed_point)

    @property
    def diagonal(self) -> Eq:
        """k11 in k11 and s11."""
        return self._at(self.equations.diagonal)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The three of `theory.kernels.recursion.EquilibriumEquations.conditions`, at these scales."""
        if self.sigma_w == 0:  # K = S whatever phi is
            return tuple(dataclasses.replace(c, value=S.Zero) for c in self.equations.conditions)
        return tuple(
            dataclasses.replace(c, value=c.value.subs(self.parameters))
            for c in self.equations.conditions
        )

    def _own_steps(self) -> tuple[Step, ...]:
        d, slope, k, s = Symbol("D"), Symbol("D'"), Symbol("K"), Symbol("S")
        w2 = SIGMA_W**2
        return (
            Step(
                "The inputs' part",
                "U x + b is normal and the same in every iteration: g = <x, x'>/d.",
                Eq(s, layer(_GRAM, SIGMA_U**2, SIGMA_B**2)),
            ),
            Step(
                "The fixed point",
                "As the width grows W z becomes independent of z, and its covariance a mean over units.",
                Eq(k, layer(d, w2, s)),
            ),
            Step(
                "Its tangent kernel",
                "The chain rule through one iteration: gradients come through phi', and E phi' phi' is D'.",
                Eq(THETA, tangent(k, slope, THETA, w2)),
            ),
            Step(
                "Its solution",
                "It is linear in Theta.",
                Eq(THETA, equilibrium_tangent(k, slope, w2)),
            ),
            Step(
                "A single input at these scales", "On the diagonal k22 = k12 = k11.", self.diagonal
            ),
            *self._variance(),
            Step("A pair at these scales", "Given both variances.", self.fixed_point),
            Step("Its tangent kernel at these scales", "With D' as derived.", self.tangent),
        )

    def _fails(self, condition: Condition) -> bool:
        if self.sigma_w == 0:
            return False
        value = {c.name: c.value for c in self.equations.conditions}[condition.name]
        w: Any = self.sigma_w
        exact = Rational(*w.as_integer_ratio()) if isinstance(w, float) else w
        value = value.subs(SIGMA_W, exact)
        return value.is_number and value.is_extended_real is True and bool(value >= condition.bound)

    def _variance(self) -> tuple[Step, ...]:
        """The variance where it has a closed form, or that there is none."""
        solved = self.equations.diagonal_solution
        if solved is None:
            return ()
        kernel = self.conditions[0]
        if not self._fails(kernel):
            why = "phi is homogeneous, so D is linear; the slope has to be below 1."
            return (Step("Its variance", why, Eq(K1, solved.subs(self.parameters))),)
        why = "phi is homogeneous, so D is linear; at this slope k11 is not finite and >= 0 unless s11 = 0."
        least = sympy.GreaterThan(kernel.value, kernel.bound, evaluate=False)
        return (Step("There is no variance", why, least),)

    def _rows(self) -> list[Row]:
        w2, u2, b2, v2 = self._squares("sigma_w", "sigma_u", "sigma_b", "sigma_v")
        k, s = Symbol("K"), Symbol("S")
        nngp, ntk = readout(_D(k), _SLOPE(k), THETA, v2)
        return [
            (s, layer(_GRAM, u2, b2), ""),
            (k, layer(_D(k), w2, s), ""),
            (THETA, equilibrium_tangent(k, _SLOPE(k), w2), ""),
            (NNGP, nngp, ""),
            (NTK, ntk, ""),
        ]


def not_an_architecture(
    given: object, *rest: object, expected: str = "theory.MLP or theory.DEQ"
) -> TypeError:
    """Return the error for what stands in an architecture's place.

    Parameters
    ----------
    given : object
        What stands there.
    *rest : object
        The arguments after it; one of these may be the architecture.
    expected : str
        What could have stood there.
    """
    swapped = any(isinstance(other, Architecture) for other in rest)
    order = "; the architecture comes first" if swapped else ""
    return TypeError(f"expected {expected}, got {shown(given)}{order}")
