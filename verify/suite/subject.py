"""The theory under test, as the checks see it.

Every number that a check takes from the theory comes through one object. Solved levels are kept for
the life of the process, whoever asks, so that claims about the same model cost one solution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sympy import Expr, Lambda

    from numerics import DEQKernel, Limit, MLPKernel, Solution
    from theory import FreeEnergy, Model

    Array = NDArray[np.float64]

__all__ = ["NestValue", "Theory"]

P = ParamSpec("P")
R = TypeVar("R")

_found: dict[tuple[Model, int], Solution] = {}
_limits: dict[tuple[Model, int], Limit] = {}


class NestValue(NamedTuple):
    """A nest and its partial derivatives.

    Attributes
    ----------
    value : float
    field : float
        Derivative in the field.
    increments, exponents : tuple of float
        Derivatives in these; empty if they were not asked for.
    """

    value: float
    field: float = 0.0
    increments: tuple[float, ...] = ()
    exponents: tuple[float, ...] = ()


class Theory:
    """What widegap derives and solves.

    Subclasses in `verify.suite.wrong` differ from it on purpose.
    """

    name = "widegap"

    def of(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return a function of theory or numerics as this theory has it: itself, unless it is replaced.

        What a check of a subject takes from widegap goes through here, so that a wrong theory can stand in
        its place (`verify.suite.wrong.replaced`): ``run.theory.of(fourier_gap)(7, 4)``.
        """
        return function

    def solution(self, model: Model, level: int) -> Solution:
        """Return the physical stationary point of a model at a level.

        Parameters
        ----------
        model : theory.Model
            With numeric parameters.
        level : int

        Returns
        -------
        numerics.Solution

        Raises
        ------
        numerics.ConvergenceError, numerics.ResolutionError
            As `numerics.solve`.
        """
        from numerics import lowest_level, solve_levels

        if (model, level) not in _found:
            wanted = range(min(lowest_level(model), level), level + 1)
            for solution in solve_levels(model, wanted):
                _found.setdefault((model, solution.level), solution)
        return _found[model, level]

    def limit(self, model: Model, highest: int) -> Limit:
        """Return the limit of a model's levels, extrapolated from those up to one."""
        from numerics import limit

        if (model, highest) not in _limits:
            _limits[model, highest] = limit(model, highest=highest)
        return _limits[model, highest]

    def values(self, model: Model, levels: Sequence[int]) -> list[float]:
        """Values of several levels."""
        self.solution(model, max(levels))  # the highest first: it solves those below, too
        return [self.solution(model, level).value for level in levels]

    def small_margin_objective(self) -> tuple[Expr, Expr]:
        """Return t and M(t), of which the small-margin constant is 2 sqrt(max M)."""
        from theory.thresholds.asymptotics import small_kappa_constant

        constant = small_kappa_constant()
        return constant.t, constant.objective

    def functional(
        self, fe: FreeEnergy, point: Mapping[str, float], *, gradient: bool = False
    ) -> tuple[float, Array]:
        """Value of a free energy at a point, and its gradient in the evaluator's coordinates."""
        import numpy as np

        from numerics.functionals.doubles import evaluator

        compiled = evaluator(fe)
        place = compiled.coordinates.from_order_parameters(dict(point))
        value = compiled(place, gradient=gradient)
        return value.value, value.gradient if gradient else np.empty(0)

    def mlp(self, x: Array, **parameters: Any) -> MLPKernel:
        """Kernels of a wide perceptron, as `numerics.mlp_kernel`."""
        from numerics import mlp_kernel

        return mlp_kernel(x, **parameters)

    def deq(self, x: Array, **parameters: Any) -> DEQKernel:
        """Kernels of a wide equilibrium model, as `numerics.deq_kernel`."""
        from numerics import deq_kernel

        return deq_kernel(x, **parameters)

    def budget(self, passes: int) -> int:
        """What is spent of a budget that a claim about algorithms grants them."""
        return passes

    def row_probability(self, model: Model) -> float:
        """Probability that one configuration fulfils one row's constraint."""
        from numerics.functionals.moments import row_probability

        return row_probability(model)

    def pair_probability(self, model: Model, overlap: float) -> float:
        """Probability that two configurations of an overlap both fulfil one row's constraint."""
        from numerics.functionals.moments import pair_probability

        return pair_probability(model, overlap)

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
        """Value of a nest with a leaf of the theory.

        Parameters
        ----------
        leaf : sympy.Lambda
        field : float
        increments, exponents : sequence of float
            Innermost first.
        parameters : mapping of str to float, optional
            Values of the leaf's free symbols.
        gradient : bool, default False

        Returns
        -------
        NestValue
        """
        import numpy as np

        from numerics.functionals.doubles import compile_leaf
        from numerics.nests.doubles import evaluate_nest

        compiled = compile_leaf(leaf)
        numbers = np.array([(parameters or {})[name] for name in compiled.parameters], dtype=float)
        value = evaluate_nest(
            compiled, numbers, field, tuple(increments), tuple(exponents), gradient=gradient
        )
        if not gradient:
            return NestValue(value.value)
        return NestValue(
            value.value,
            value.d_field,
            tuple(value.d_increments.tolist()),
            tuple(value.d_exponents.tolist()),
        )
