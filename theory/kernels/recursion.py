"""The recursions of wide networks: NNGP and NTK of perceptrons, and fixed points of equilibrium models.

Conventions (NTK parameterisation): inputs x, x' in R^d, weights N(0, sigma_w^2/fan-in), biases
N(0, sigma_b^2), a readout N(0, sigma_v^2/width) without bias. D and D' are those of `theory.kernels.duals`.

`layer`, `tangent`, `readout` and `equilibrium_tangent` are the recursion: plain arithmetic, with which the
equations below are made from symbols, and numerics' kernels from arrays of doubles and from balls. Loops that
are compiled rewrite it to be stable or fast; ``tests/numerics/kernels/test_recursion.py`` ties them to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy
from sympy import Eq, Expr, S, Symbol, symbols

from theory.calculus.price import K1, K2, C
from theory.kernels.activations import Activation
from theory.kernels.duals import Dual, dual
from theory.kernels.moments import GaussianPair

__all__ = [
    "SIGMA_B",
    "SIGMA_U",
    "SIGMA_V",
    "SIGMA_W",
    "Condition",
    "EquilibriumEquations",
    "PerceptronEquations",
    "equilibrium_equations",
    "equilibrium_tangent",
    "layer",
    "perceptron_equations",
    "plain",
    "readout",
    "tangent",
]

SIGMA_W, SIGMA_B, SIGMA_U, SIGMA_V = symbols("sigma_w sigma_b sigma_u sigma_v", nonnegative=True)
"""Standard deviations of weights, biases, input weights (equilibrium models) and the readout."""

THETA = Symbol("Theta", real=True)
S1, S12 = symbols("s11 s12", real=True)
"""Input covariances S of an equilibrium model."""


class Name(Symbol):
    """What stands on the left of an equation; knows its LaTeX."""

    def _latex(self, _printer: object) -> str:
        if self.name.isupper() and self.name.isalpha() and len(self.name) > 1:
            return rf"\mathrm{{{self.name}}}"
        return re.sub(r"_(\d+)", r"_{\1}", self.name.replace("Theta", r"\Theta"))


NNGP, NTK, NEXT_K, NEXT_THETA = (Name(name) for name in ("NNGP", "NTK", "K_{l+1}", "Theta_{l+1}"))


def layer(value: Any, w2: Any, b2: Any) -> Any:
    """Return the covariance behind a layer whose D is ``value``: sigma_w^2 D + sigma_b^2.

    Parameters
    ----------
    value, w2, b2
        D, sigma_w^2, and sigma_b^2 (of an equilibrium model S), in any arithmetic.
    """
    return w2 * value + b2


def tangent(k: Any, slope: Any, theta: Any, w2: Any) -> Any:
    """Return Theta behind a layer, K + sigma_w^2 D' Theta: the chain rule, with Price's theorem for D'.

    Parameters
    ----------
    k, slope, theta, w2
        K behind the layer, D' and Theta before it, sigma_w^2.
    """
    return k + w2 * slope * theta


def equilibrium_tangent(k: Any, slope: Any, w2: Any) -> Any:
    """Return the fixed point of `tangent`, K/(1 - sigma_w^2 D')."""
    return k / (1 - w2 * slope)


def readout(value: Any, slope: Any, theta: Any, v2: Any) -> tuple[Any, Any]:
    """Return NNGP and NTK, sigma_v^2 D and sigma_v^2 (D + D' Theta): a layer of sigma_v without bias."""
    return v2 * value, v2 * (value + slope * theta)


def _readout(dual: Dual) -> tuple[Expr, Expr]:
    return readout(dual.expr, dual.derivative, THETA, SIGMA_V**2)


@dataclass(frozen=True)
class PerceptronEquations:
    """One layer of a perceptron, and its readout.

    Attributes
    ----------
    dual : Dual
    """

    dual: Dual

    @cached_property
    def layer(self) -> Eq:
        """K_{l+1} in k11, k12, k22, the entries of K_l."""
        return Eq(NEXT_K, layer(self.dual.expr, SIGMA_W**2, SIGMA_B**2))

    @cached_property
    def tangent(self) -> Eq:
        """Theta_{l+1}, from K and Theta_l."""
        value = tangent(self.layer.rhs, self.dual.derivative, THETA, SIGMA_W**2)
        return Eq(NEXT_THETA, value)

    @cached_property
    def nngp(self) -> Eq:
        """The outputs' covariance at initialisation, from the last K."""
        return Eq(NNGP, _readout(self.dual)[0])

    @cached_property
    def ntk(self) -> Eq:
        """The neural tangent kernel, from the last K and Theta."""
        return Eq(NTK, _readout(self.dual)[1])

    @cached_property
    def susceptibility(self) -> Expr:
        """Chi = d K_{l+1}/d k12 at correlation 1: below 1 nearby inputs approach each other."""
        return SIGMA_W**2 * self.dual.derivative_diagonal


def plain(expr: Expr) -> str:
    """Return an expression as text, floats as short as they are."""
    return sympy.sstr(expr, full_prec=False)


@dataclass(frozen=True, repr=False)
class Condition:
    """Something a kernel needs to exist: ``value`` < ``bound``.

    Attributes
    ----------
    name : str
        "kernel", "equilibrium" or "stability"; "variance" where D exists for some variances only.
    statement : str
        What fails otherwise.
    value : Expr
        In sigma_w and k11, the variance (of an equilibrium model at its fixed point).
    bound : Expr
    """

    name: str
    statement: str
    value: Expr
    bound: Expr = S.One

    @property
    def inequality(self) -> str:
        """``value < bound`` in plain text."""
        return f"{plain(self.value)} < {plain(self.bound)}"

    def __str__(self) -> str:
        """Return the name and the inequality, as in ``kernel: 0.08 < 1``."""
        return f"{self.name}: {self.inequality}"

    def __repr__(self) -> str:
        """Return what it holds, numbers as they were given."""
        numbers = f"value={plain(self.value)}, bound={plain(self.bound)}"
        return f"Condition(name={self.name!r}, statement={self.statement!r}, {numbers})"


@dataclass(frozen=True)
class EquilibriumEquations:
    """The fixed point of an equilibrium model, z = phi(W z + U x + b), and what follows from it.

    Attributes
    ----------
    dual : Dual
    """

    dual: Dual

    @cached_property
    def fixed_point(self) -> Eq:
        """k12 = sigma_w^2 D(k11, k12, k22) + s12."""
        return Eq(C, layer(self.dual.expr, SIGMA_W**2, S12))

    @cached_property
    def diagonal(self) -> Eq:
        """k11 = sigma_w^2 D(k11, k11, k11) + s11."""
        return Eq(K1, layer(self.dual.diagonal, SIGMA_W**2, S1))

    @cached_property
    def diagonal_solution(self) -> Expr | None:
        """k11 in closed form where phi is homogeneous of degree 1, as s11/(1 - sigma_w^2/2) for ReLU."""
        if self.dual.degree != 1:
            return None
        (variance,) = sympy.solve(self.diagonal, K1)
        return sympy.factor(variance)

    @cached_property
    def nngp(self) -> Eq:
        """The outputs' covariance."""
        return Eq(NNGP, _readout(self.dual)[0])

    @cached_property
    def tangent(self) -> Eq:
        """Theta at the fixed point of Theta = K + sigma_w^2 D' Theta."""
        return Eq(THETA, equilibrium_tangent(C, self.dual.derivative, SIGMA_W**2))

    @cached_property
    def ntk(self) -> Eq:
        """The neural tangent kernel."""
        return Eq(NTK, _readout(self.dual)[1])

    def implicit(self, parameter: Symbol) -> tuple[Expr, Expr]:
        """Derivatives of the fixed point in a hyper-parameter, by the implicit function theorem.

        Parameters
        ----------
        parameter : Symbol
            sigma_w, sigma_b or sigma_u; S is s = sigma_u^2 <x, x'>/d + sigma_b^2.

        Returns
        -------
        tuple of Expr
            dk11 and dk12. The latter contains the symbols ``dk11`` and ``dk22``, the former's values for
            the two inputs.
        """
        g, g12 = symbols("g11 g12", real=True)
        inputs = {S1: SIGMA_U**2 * g + SIGMA_B**2, S12: SIGMA_U**2 * g12 + SIGMA_B**2}
        alone = self.diagonal.rhs.subs(inputs)
        both = self.fixed_point.rhs.subs(inputs)
        own = sympy.diff(alone, parameter) / (1 - self.diagonal_rate)
        d1, d2 = symbols("dk11 dk22", real=True)
        rates = [SIGMA_W**2 * m.expr / 2 for m in (self.dual.moment(2, 0), self.dual.moment(0, 2))]
        total = sympy.diff(both, parameter) + rates[0] * d1 + rates[1] * d2
        return own, total / (1 - SIGMA_W**2 * self.dual.derivative)

    @cached_property
    def diagonal_rate(self) -> Expr:
        """Derivative of the diagonal map, sigma_w^2 d E phi(sqrt(k) z)^2/dk, in k11."""
        if self.dual.diagonal.has(GaussianPair):
            parts = self.dual.derivative, self.dual.moment(2, 0).expr  # the heat identity
            return SIGMA_W**2 * sum(p.subs({C: K1, K2: K1}, simultaneous=True) for p in parts)
        return SIGMA_W**2 * sympy.diff(self.dual.diagonal, K1)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The three conditions of an equilibrium model, derived from phi.

        Each has its own meaning. "equilibrium" implies the other two: sqrt(E phi(sqrt(k) z)^2) is
        Lipschitz in sqrt(k) with the constant of phi. Neither of those implies it.

        kernel
            The derivative of the diagonal map at its fixed point. At 1 the variance k* diverges.
        equilibrium
            z -> phi(W z + ..) contracts in some norm where Lip(phi) times the spectral radius of W, which
            tends to sigma_w, is below 1. (In the Euclidean norm that needs the operator norm, which tends to
            2 sigma_w: sufficient, and stronger.)
        stability
            chi, the derivative of the pair map k12 -> sigma_w^2 D + s12 at correlation 1. At 1 the NTK
            diverges and nearby inputs no longer have nearby equilibria.
        """
        lip = self.dual.activation.lipschitz
        bound = Symbol("Lip", positive=True) if lip is None else lip
        equilibrium = S.Infinity if bound is S.Infinity else SIGMA_W * bound
        return (
            Condition(
                "kernel",
                "existence and contraction of the kernel map k = sigma_w^2 D(k) + s",
                self.diagonal_rate,
            ),
            Condition(
                "equilibrium",
                "well-posedness of the finite-width equilibrium, sigma_w Lip(phi) < 1",
                equilibrium,
            ),
            Condition(
                "stability",
                "stability of the fixed point at correlation 1, chi = sigma_w^2 E phi'(u)^2 < 1",
                SIGMA_W**2 * self.dual.derivative_diagonal,
            ),
        )


def perceptron_equations(phi: str | Expr | Activation) -> PerceptronEquations:
    """Return the recursion of a wide perceptron with activation phi."""
    return PerceptronEquations(dual(phi))


def equilibrium_equations(phi: str | Expr | Activation) -> EquilibriumEquations:
    """Return the fixed-point equations of a wide equilibrium model with activation phi."""
    return EquilibriumEquations(dual(phi))
