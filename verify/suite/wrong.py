"""Theories that are wrong on purpose: a check that confirms one of them checks nothing.

A suite that cannot fail is worth nothing. Every claim names the theories of this module that it rejects,
tests see to it that it does, and ``widegap verify --wrong NAME`` shows it to anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from .subject import NestValue, Theory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sympy import Expr, Lambda

    from numerics import DEQKernel, Limit, MLPKernel, Solution
    from theory import FreeEnergy, Model

    Array = NDArray[np.float64]

__all__ = [
    "WRONG",
    "Hasty",
    "Lowered",
    "Moved",
    "Reversed",
    "Sharpened",
    "Shifted",
    "Slanted",
    "Swapped",
    "Untied",
    "replaced",
    "theory_by_name",
]


class Moved(Theory):
    """Every threshold, energy, functional and constant 3% too large; nests, kernels, probabilities 2%."""

    name = "moved"
    by = 1.03
    kernel_by = 1.02

    def solution(self, model: Model, level: int) -> Solution:
        """Return the solution with its value moved; the order parameters stay."""
        right = super().solution(model, level)
        return replace(right, value=self.by * right.value)

    def limit(self, model: Model, highest: int) -> Limit:
        """Return the limit with its value off by the same factor."""
        right = super().limit(model, highest)
        return replace(right, value=self.by * right.value)

    def small_margin_objective(self) -> tuple[Expr, Expr]:
        """Return an objective whose constant, 2 sqrt(M), is moved."""
        t, objective = super().small_margin_objective()
        return t, self.by**2 * objective

    def functional(
        self, fe: FreeEnergy, point: Mapping[str, float], *, gradient: bool = False
    ) -> tuple[float, Array]:
        """Return the value moved; the gradient stays."""
        value, slope = super().functional(fe, point, gradient=gradient)
        return self.by * value, slope

    def nest(
        self,
        leaf: Lambda,
        field: float,
        increments: Sequence[float],
        exponents: Sequence[float],
        parameters: Mapping[str, float] | None = None,
        *,
        gradient: bool = False,
    ) -> NestValue:
        """Return the value moved; the derivatives stay."""
        right = super().nest(leaf, field, increments, exponents, parameters, gradient=gradient)
        return right._replace(value=self.kernel_by * right.value)

    def mlp(self, x: Array, **parameters: Any) -> MLPKernel:
        """Return both kernels 2% too large."""
        right = super().mlp(x, **parameters)
        return replace(right, nngp=self.kernel_by * right.nngp, ntk=self.kernel_by * right.ntk)

    def deq(self, x: Array, **parameters: Any) -> DEQKernel:
        """Return kernels and fixed point 2% too large."""
        right = super().deq(x, **parameters)
        return replace(
            right,
            nngp=self.kernel_by * right.nngp,
            ntk=self.kernel_by * right.ntk,
            fixed_point=self.kernel_by * right.fixed_point,
        )

    def row_probability(self, model: Model) -> float:
        """Return it 2% too large."""
        return self.kernel_by * super().row_probability(model)

    def pair_probability(self, model: Model, overlap: float) -> float:
        """Return it 2% too large."""
        return self.kernel_by * super().pair_probability(model, overlap)


class Swapped(Theory):
    """Every level in the place of the next one; the lowest changes places with the second."""

    name = "swapped"

    def solution(self, model: Model, level: int) -> Solution:
        """Return a neighbouring level, which says it is the one asked for."""
        from numerics import lowest_level

        lowest = lowest_level(model)
        other = super().solution(model, level - 1 if level > lowest else level + 1)
        return replace(other, level=level)


class Reversed(Theory):
    """Every value turned upside down, so that every order between values is the other way round."""

    name = "reversed"

    def solution(self, model: Model, level: int) -> Solution:
        """Return the solution with the inverse of its value."""
        right = super().solution(model, level)
        return replace(right, value=1.0 / right.value)

    def functional(
        self, fe: FreeEnergy, point: Mapping[str, float], *, gradient: bool = False
    ) -> tuple[float, Array]:
        """Return the inverse of the value; the gradient stays."""
        value, slope = super().functional(fe, point, gradient=gradient)
        return 1.0 / value, slope

    def nest(
        self,
        leaf: Lambda,
        field: float,
        increments: Sequence[float],
        exponents: Sequence[float],
        parameters: Mapping[str, float] | None = None,
        *,
        gradient: bool = False,
    ) -> NestValue:
        """Return the negative of the nest and of its derivatives."""
        right = super().nest(leaf, field, increments, exponents, parameters, gradient=gradient)
        return NestValue(
            -right.value,
            -right.field,
            tuple(-x for x in right.increments),
            tuple(-x for x in right.exponents),
        )


class Lowered(Theory):
    """Every threshold and energy 15% too small: algorithms go beyond what cannot be reached."""

    name = "lowered"
    by = 0.85

    def solution(self, model: Model, level: int) -> Solution:
        """Return the solution with its value lowered; the order parameters stay."""
        right = super().solution(model, level)
        return replace(right, value=self.by * right.value)

    def limit(self, model: Model, highest: int) -> Limit:
        """Return the limit with its value off by the same factor."""
        right = super().limit(model, highest)
        return replace(right, value=self.by * right.value)


class Hasty(Theory):
    """The theory itself, with algorithms that stop after a fiftieth of their budgets."""

    name = "hasty"
    share = 50

    def budget(self, passes: int) -> int:
        """Return a fiftieth."""
        return max(1, passes // self.share)


class Sharpened(Theory):
    """The outermost exponent of every nest and functional 2% too large."""

    name = "sharpened"
    by = 1.02

    def functional(
        self, fe: FreeEnergy, point: Mapping[str, float], *, gradient: bool = False
    ) -> tuple[float, Array]:
        """Evaluate with another exponent."""
        moved = dict(point)
        if fe.c:
            moved[str(fe.c[-1])] *= self.by
        return super().functional(fe, moved, gradient=gradient)

    def nest(
        self,
        leaf: Lambda,
        field: float,
        increments: Sequence[float],
        exponents: Sequence[float],
        parameters: Mapping[str, float] | None = None,
        *,
        gradient: bool = False,
    ) -> NestValue:
        """Evaluate with another exponent."""
        sharper = (*exponents[:-1], self.by * exponents[-1])
        return super().nest(leaf, field, increments, sharper, parameters, gradient=gradient)


class Shifted(Theory):
    """Every kernel with one entry off the diagonal that is too large, and so not symmetric any more."""

    name = "shifted"

    def mlp(self, x: Array, **parameters: Any) -> MLPKernel:
        """Return kernels that are not those of a Gaussian process any more."""
        right = super().mlp(x, **parameters)
        return replace(right, nngp=_spoiled(right.nngp), ntk=_spoiled(right.ntk))

    def deq(self, x: Array, **parameters: Any) -> DEQKernel:
        """Return kernels that are not those of a Gaussian process any more."""
        right = super().deq(x, **parameters)
        return replace(right, nngp=_spoiled(right.nngp), ntk=_spoiled(right.ntk))


def _spoiled(kernel: Array) -> Array:
    spoiled = kernel.copy()
    if kernel.shape[0] > 1:
        spoiled[0, 1] += 0.02 * float(abs(kernel).max()) + abs(kernel[0, 0] * kernel[1, 1]) ** 0.5
    return spoiled


class Slanted(Theory):
    """Kernels of inputs whose first coordinate has been tampered with."""

    name = "slanted"

    def mlp(self, x: Array, **parameters: Any) -> MLPKernel:
        """Return the kernels of other inputs."""
        other = x.copy()
        other[:, 0] = 1.02 * other[:, 0] + 0.02
        return super().mlp(other, **parameters)


class Untied(Theory):
    """Equilibrium models taken for deep perceptrons: fresh weights in each layer, inputs in the first."""

    name = "untied"
    depth = 60

    def deq(self, x: Array, **parameters: Any) -> DEQKernel:
        """Return the kernels of a perceptron of 60 layers with the same scales."""
        right = super().deq(x, **parameters)
        from theory import DEQ

        given = {f.name: parameters.get(f.name, getattr(DEQ, f.name)) for f in fields(DEQ)}
        ratio = given.pop("sigma_u") / given["sigma_w"]
        other = super().mlp(x * ratio, depth=self.depth, **given)
        return replace(right, nngp=other.nngp, ntk=other.ntk)


WRONG: dict[str, type[Theory]] = {
    kind.name: kind
    for kind in (Moved, Swapped, Reversed, Lowered, Hasty, Sharpened, Shifted, Slanted, Untied)
}
"""Deliberately wrong theories by name."""


def replaced(
    name: str, what: str, functions: Mapping[Callable[..., Any], Callable[..., Any]]
) -> str:
    """Make a wrong theory of a subject, in which some functions are others, and list it in `WRONG`.

    A subject does this beside its claims, in its room's ``claims``::

        EVEN = replaced("parities-positive-gap", "The gap is positive for all s.", {fourier_gap: positive})

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens, the subject first.
    what : str
        What is believed in it, in one sentence.
    functions : mapping of callable to callable
        By the function that a check asks `Theory.of` for.

    Returns
    -------
    str
        The name, for the ``wrong`` of claims.

    Raises
    ------
    ValueError
        If another place has made one of that name, or it replaces nothing.
    """
    if not functions:
        raise ValueError(f"the wrong theory {name} replaces nothing")
    there = WRONG.get(name)
    if there is not None and there.__doc__ != what:
        raise ValueError(f"there is a wrong theory {name!r} already: {there.__doc__}")
    others = dict(functions)

    def of(self: Theory, function: Callable[..., Any]) -> Callable[..., Any]:
        return others.get(function, function)

    WRONG[name] = type("Replaced", (Theory,), {"__doc__": what, "name": name, "of": of})
    return name


def theory_by_name(name: str = "") -> Theory:
    """Return the theory, or one that is wrong on purpose.

    Parameters
    ----------
    name : str
        A key of `WRONG`; empty for the theory itself.

    Returns
    -------
    Theory

    Raises
    ------
    ValueError
        If there is no such theory.
    """
    if not name:
        return Theory()
    if name not in WRONG:
        from .claims import all_claims

        all_claims()  # those of subjects are made beside their claims
    if name not in WRONG:
        raise ValueError(f"no wrong theory {name!r}; choose from {', '.join(WRONG)}")
    return WRONG[name]()
