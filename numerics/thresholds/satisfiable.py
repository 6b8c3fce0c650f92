"""Ground states below capacity: nothing is violated, and the energy is 0.

Below the capacity of a level the exponents of the energy run to infinity, and xi rises to 0 there: that is
the limit whose stationary value is the capacity. No stationary point is to be found at finite
exponents, and any that turns up is not the physical one. So the capacity is found first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from numerics.errors import ResolutionError
from theory import ALPHA, Model, free_energy

from .solution import ConvergenceError, Solution

__all__ = ["Capacities"]

# Digits of a capacity that only has to be compared.
_DIGITS = 6

Levels = Callable[[Model, int, int], Iterator[Solution]]


class Capacities:
    """Capacities of a perceptron whose ground state is asked for, level by level, each found once.

    Parameters
    ----------
    model : theory.Model
        A ground state.
    levels : callable
        ``levels(model, highest, digits)`` solves the levels up to the highest, lazily.
    highest : int
    """

    def __init__(self, model: Model, levels: Levels, highest: int) -> None:
        self.model = model
        self.solved: dict[int, Solution] = {}
        self._levels: Iterator[Solution] | None = None
        if model.problem != "ground state" or model.sign != -1:
            return
        if model.constraint is None or model.alpha in (None, ALPHA):
            return
        capacity = Model(model.name, model.prior, model.constraint)
        try:
            free_energy(capacity, 2)
        except ValueError:  # no hard constraint, as in the Hopfield model
            return
        self._levels = levels(capacity, max(highest, 2), _DIGITS)

    def at(self, level: int) -> Solution | None:
        """Capacity at a level; None below level 2, for other models, and where it was not found."""
        if self._levels is None:
            return None
        try:
            while level >= 2 and level not in self.solved:
                solution = next(self._levels)
                self.solved[solution.level] = solution
        except (ConvergenceError, ResolutionError, StopIteration):
            self._levels = None
        return self.solved.get(level)

    def satisfied(self, level: int) -> Solution | None:
        """The ground state at a level, where the density lies below the level's capacity."""
        capacity = self.at(level)
        if capacity is None or not float(self.model.alpha or 0) < capacity.value:
            return None
        solution = Solution(
            self.model,
            level,
            0.0,
            branch="satisfiable",
            reason=f"alpha is below this level's capacity {capacity.value:.6g}: xi rises to 0 as the "
            "exponents run to infinity",
            note="all constraints can be fulfilled",
        )
        return replace(solution, branches=(solution,))
