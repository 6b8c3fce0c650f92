"""From theory's expressions to evaluators.

Nothing here knows a formula: a free energy is taken apart into its nests and the algebra around
them, and both the algebra and its derivatives are printed from sympy. The nests' leaves become
compiled code in `numerics.nests.leaf`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from numerics.errors import NotRareError
from numerics.nests import stable
from numerics.nests.doubles import NestResult, evaluate_nest, evaluate_scaled, hardly_averaged
from numerics.nests.grids import MAX_WORK
from numerics.nests.laws import Law, tilted_laws
from numerics.nests.leaf import CompiledLeaf, compile_leaf
from numerics.nests.rare import is_rare, plan_rare
from numerics.nests.second import SecondOrder, second_order
from numerics.nests.stable import COMPILED
from theory import FreeEnergy

from .coordinates import Coordinates
from .parts import parts_of

__all__ = [
    "CompiledLeaf",
    "Evaluation",
    "Evaluator",
    "Expansion",
    "compile_leaf",
    "evaluator",
    "evaluator_of",
]

Array = NDArray[np.float64]

# log(1/tolerance) up to which a nest has to be rare.
_MANY = 80.0
# Logarithm of a factor up to which it goes into value, gradient and bound.
_FOLDED = 600.0


@dataclass(frozen=True)
class _Nest:
    """One nest of a free energy: its leaf and its inputs as functions of the gaps."""

    leaf: CompiledLeaf
    depth: int
    inputs: Callable[..., Sequence[float]]
    jacobian: Callable[..., Sequence[float]]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    degree: int | None

    @property
    def size(self) -> int:
        return 1 + 2 * self.depth + len(self.leaf.parameters)


@dataclass(frozen=True)
class Program:
    """A free energy taken apart; shared by all values of the model's parameters."""

    coordinates: Coordinates
    parameters: tuple[str, ...]
    nests: tuple[_Nest, ...]
    combine: Callable[..., Sequence[float]]


@lru_cache(maxsize=64)
def compile_program(fe: FreeEnergy) -> Program:
    """Compile a free energy with symbolic model parameters.

    Parameters
    ----------
    fe : theory.FreeEnergy

    Returns
    -------
    Program
    """
    parts = parts_of(fe)
    nests = tuple(
        _Nest(
            nest.compiled,
            nest.depth,
            _lambdify(parts.arguments, nest.inputs),
            _lambdify(parts.arguments, [d for _, _, d in nest.entries]),
            np.array([i for i, _, _ in nest.entries], dtype=np.intp),
            np.array([j for _, j, _ in nest.entries], dtype=np.intp),
            degree,
        )
        for nest, degree in zip(parts.nests, parts.degrees, strict=True)
    )
    combine = _lambdify([*parts.arguments, *parts.stand_ins], parts.outputs)
    return Program(parts.coordinates, tuple(map(str, parts.parameters)), nests, combine)


def _lambdify(arguments: Sequence[Symbol], outputs: Sequence[Expr]) -> Callable[..., Any]:
    functions = {name: getattr(stable, function) for name, function in COMPILED.items()}
    return sympy.lambdify(list(arguments), list(outputs), modules=[functions, "math"], cse=True)


@dataclass(frozen=True)
class Evaluation:
    """A free energy at one point.

    Attributes
    ----------
    value : float
    gradient : ndarray, shape (size,)
        In the coordinates of `Coordinates`; empty when not asked for.
    discretisation : float
        Bound on the discretisation error of ``value``: the nests' bounds through the algebra, without
        rounding.
    edge : float
        Largest Gibbs weight at the edge of a grid.
    exponentials, products : int
        Operations of the nests.
    log_scale : float
        Logarithm of a factor that value, gradient and bound are still without; 0 within the doubles.
    """

    value: float
    gradient: Array
    discretisation: float
    edge: float
    exponentials: int
    products: int
    log_scale: float = 0.0


class Evaluator:
    """Value and gradient of a free energy at given model parameters.

    Parameters
    ----------
    program : Program
        The compiled free energy.
    parameters : mapping of str to float
        Values of the model's parameters, e.g. ``{"kappa": 1.0}``.
    tolerance : float, default 1e-16
        Relative error allowed per lifting; sets all spacings.
    coarsen : float, default 1
        Factor on all spacings, for convergence studies.
    work_limit : int
        Operations of one level of a nest after which a point is given up; searches set it low.
    coordinates : Coordinates, optional
        Others of the same chains than the program's.
    """

    def __init__(
        self,
        program: Program,
        parameters: Mapping[str, float],
        *,
        tolerance: float = 1e-16,
        coarsen: float = 1.0,
        work_limit: int = MAX_WORK,
        coordinates: Coordinates | None = None,
    ) -> None:
        self.work_limit = work_limit
        self.program = program
        self.coordinates = program.coordinates if coordinates is None else coordinates
        self.parameters = tuple(float(parameters[name]) for name in program.parameters)
        self.tolerance = tolerance
        self.coarsen = coarsen
        self.evaluations = 0
        self.exponentials = 0
        self.products = 0

    def with_grid(
        self,
        *,
        tolerance: float | None = None,
        coarsen: float | None = None,
        work_limit: int | None = None,
    ) -> Evaluator:
        """Return the same functional on other grids."""
        return Evaluator(
            self.program,
            dict(zip(self.program.parameters, self.parameters, strict=True)),
            tolerance=self.tolerance if tolerance is None else tolerance,
            coarsen=self.coarsen if coarsen is None else coarsen,
            work_limit=self.work_limit if work_limit is None else work_limit,
            coordinates=self.coordinates,
        )

    def nest(self, index: int, gaps: Array, *, gradient: bool = False) -> NestResult:
        """Evaluate one nest at given gaps."""
        return evaluate_nest(*self._asked(index, gaps), gradient=gradient, **self._grids)

    def is_rare(self, index: int, gaps: Array) -> bool:
        """Whether a nest, a factor of the functional, almost always holds (`numerics.nests.rare`)."""
        leaf, numbers, field, v, s = self._asked(index, gaps)
        if self.program.nests[index].degree is None or not is_rare(leaf, numbers, field, v, s):
            return False
        try:  # with as many digits as are asked for as a rule
            plan_rare(leaf, numbers, v, s, _MANY)
        except NotRareError:
            return False
        return True

    def laws(self, index: int, gaps: Array) -> tuple[Law, ...]:
        """Tilted laws of the fields of one nest at given gaps."""
        return tilted_laws(*self._asked(index, gaps), **self._grids)

    def liftings(self, index: int, gaps: Array) -> tuple[Array, Array]:
        """Increments and exponents of one nest at given gaps, innermost first."""
        *_, increments, exponents = self._asked(index, gaps)
        return np.array(increments), np.array(exponents)

    def leaf(self, index: int, gaps: Array) -> tuple[CompiledLeaf, Array, float]:
        """Leaf of one nest, its parameters at given gaps, and the field that the nest is taken at."""
        leaf, numbers, field, _, _ = self._asked(index, gaps)
        return leaf, numbers, field

    def _asked(
        self, index: int, gaps: Array
    ) -> tuple[CompiledLeaf, Array, float, tuple[float, ...], tuple[float, ...]]:
        """Leaf, its parameters, field, increments and exponents of a nest."""
        nest = self.program.nests[index]
        inputs = nest.inputs(*gaps.tolist(), *self.parameters)
        k = nest.depth
        return (
            nest.leaf,
            np.array(inputs[1 + 2 * k :], dtype=float),
            float(inputs[0]),
            tuple(map(float, inputs[1 : 1 + k])),
            tuple(map(float, inputs[1 + k : 1 + 2 * k])),
        )

    @property
    def _grids(self) -> dict[str, Any]:
        return {
            "tolerance": self.tolerance,
            "coarsen": self.coarsen,
            "work_limit": self.work_limit,
        }

    def at_gaps(self, gaps: Array, *, gradient: bool = True) -> Evaluation:
        """Evaluate at gaps (see `Coordinates`); the gradient is in the coordinates."""
        results = [self._scaled(i, gaps, gradient) for i in range(len(self.program.nests))]
        log_scale = sum(
            (nest.degree or 0) * r.log_scale
            for nest, r in zip(self.program.nests, results, strict=True)
        )
        out = self.program.combine(*gaps.tolist(), *self.parameters, *(r.value for r in results))
        n = gaps.size
        value = float(out[0])
        self.evaluations += 1
        exponentials = sum(r.exponentials for r in results)
        products = sum(r.products for r in results)
        self.exponentials += exponentials
        self.products += products
        slopes = out[1 + n :]
        error = sum(abs(d) * r.discretisation for d, r in zip(slopes, results, strict=True))
        edge = max((r.edge for r in results), default=0.0)
        total = np.empty(0)
        if gradient:
            partials = [
                np.concatenate(([r.d_field], r.d_increments, r.d_exponents, r.d_parameters))
                for r in results
            ]
            total = self._total(gaps, out, partials)
        if 0.0 < abs(log_scale) < _FOLDED:
            factor, log_scale = math.exp(log_scale), 0.0
            value, total, error = factor * value, factor * total, factor * error
        return Evaluation(value, total, float(error), edge, exponentials, products, log_scale)

    def _total(self, gaps: Array, out: Sequence[float], partials: Sequence[Array]) -> Array:
        """Gradient in the coordinates, from the algebra's outputs and the nests' partial derivatives."""
        n = gaps.size
        total = np.array(out[1 : 1 + n], dtype=float)
        for d, partial, nest in zip(out[1 + n :], partials, self.program.nests, strict=True):
            entries = np.array(nest.jacobian(*gaps.tolist(), *self.parameters), dtype=float)
            np.add.at(total, nest.columns, d * partial[nest.rows] * entries)
        return self.coordinates.pull_back(gaps, total)

    def expanded(self, coords: Array) -> Expansion | None:
        """The functional with its nests to second order about a point, which takes no grids.

        Parameters
        ----------
        coords : ndarray, shape (size,)

        Returns
        -------
        Expansion or None
            None where a nest's second derivatives are not had: its field moves, it is rare, or its last
            average is over next to nothing.

        Notes
        -----
        Differences of its gradient are the functional's Hessian there, for the price of some ten gradients.
        """
        gaps = self.coordinates.gaps(coords)
        nests = []
        for index, nest in enumerate(self.program.nests):
            leaf, numbers, field, v, s = self._asked(index, gaps)
            if 0 in nest.rows or min(v) <= 0.0 or hardly_averaged(leaf.facts(numbers)[0], v, s):
                return None
            if nest.degree is not None and is_rare(leaf, numbers, field, v, s):
                return None
            nests.append(second_order(leaf, numbers, field, v, s, **self._grids))
        self.evaluations += 1
        self.exponentials += sum(nest.exponentials for nest in nests)
        self.products += sum(nest.products for nest in nests)
        return Expansion(self, gaps, nests)

    def _inputs(self, index: int, gaps: Array) -> Array:
        """Increments, exponents and leaf parameters of a nest."""
        inputs = self.program.nests[index].inputs(*gaps.tolist(), *self.parameters)
        return np.array(inputs[1:], dtype=float)

    def _scaled(self, index: int, gaps: Array, gradient: bool) -> NestResult:
        """A nest, with a scale of its own where that is a factor of the functional."""
        if self.program.nests[index].degree is None:
            return self.nest(index, gaps, gradient=gradient)
        return evaluate_scaled(*self._asked(index, gaps), gradient=gradient, **self._grids)

    def __call__(self, coords: Array, *, gradient: bool = True) -> Evaluation:
        """Evaluate at coordinates of shape (size,)."""
        return self.at_gaps(self.coordinates.gaps(coords), gradient=gradient)


class Expansion(Evaluator):
    """A functional whose nests are known to second order about a point.

    Parameters
    ----------
    whole : Evaluator
    gaps : ndarray
        The point.
    nests : sequence of SecondOrder
        Its nests there.
    """

    def __init__(self, whole: Evaluator, gaps: Array, nests: Sequence[SecondOrder]) -> None:
        names = dict(zip(whole.program.parameters, whole.parameters, strict=True))
        super().__init__(whole.program, names, coordinates=whole.coordinates)
        self._about = [(nest, self._inputs(k, gaps)) for k, nest in enumerate(nests)]

    def at_gaps(self, gaps: Array, *, gradient: bool = True) -> Evaluation:
        """Value and gradient at gaps near the point, as those of `Evaluator`."""
        values, partials = [], []
        for index, (nest, here) in enumerate(self._about):
            move = self._inputs(index, gaps) - here
            bent = nest.hessian @ move
            values.append(nest.value + float(nest.gradient @ move) + 0.5 * float(move @ bent))
            partials.append(np.concatenate(([0.0], nest.gradient + bent)))
        out = self.program.combine(*gaps.tolist(), *self.parameters, *values)
        total = self._total(gaps, out, partials) if gradient else np.empty(0)
        return Evaluation(float(out[0]), total, 0.0, 0.0, 0, 0)


def evaluator(fe: FreeEnergy, *, tolerance: float = 1e-16, coarsen: float = 1.0) -> Evaluator:
    """Compile a free energy at the parameters of its model.

    Parameters
    ----------
    fe : theory.FreeEnergy
        With numeric model parameters.
    tolerance, coarsen : float
        See `Evaluator`.

    Returns
    -------
    Evaluator

    Raises
    ------
    ValueError
        If a model parameter is symbolic.
    """
    from theory import free_energy

    return evaluator_of(
        fe, free_energy(fe.model.generic, fe.level), tolerance=tolerance, coarsen=coarsen
    )


def evaluator_of(
    fe: FreeEnergy, generic: FreeEnergy, *, tolerance: float = 1e-16, coarsen: float = 1.0
) -> Evaluator:
    """`evaluator` for a functional whose form with symbolic parameters is known, of whatever kind."""
    values: dict[str, float] = {str(x): float(v) for x, v in fe.model.parameters.items()}
    program = compile_program(generic)
    missing = [name for name in program.parameters if name not in values]
    if missing:
        raise ValueError(
            f"{fe.model.name} needs a number for {', '.join(missing)}; pass it to the model"
        )
    return Evaluator(program, values, tolerance=tolerance, coarsen=coarsen)
