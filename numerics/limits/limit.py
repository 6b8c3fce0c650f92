"""The limit of infinitely many liftings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numerics.errors import ConvergenceError
from numerics.thresholds.points import objective_of
from numerics.thresholds.settle import DOUBLE_DIGITS, refine
from numerics.thresholds.solution import Solution, supported_digits, written
from numerics.thresholds.solve import lowest_level, searched, solve_levels
from theory import Model, free_energy
from theory.parameters import shown

from .branches import Branch, branches_of, climb
from .extrapolation import Extrapolation, extrapolate

__all__ = ["Limit", "limit"]

# Level from which branches are followed, and consecutive levels that an extrapolation needs.
_FIRST, _NEEDED = 6, 4
# Highest level by default, and of levels on the branch s -> infinity, which are searched one by one.
_HIGHEST, _SEARCHED = 20, 8
# Levels to climb to at least and at most.
_LEAST, _MOST = 10, 50
# Relative error that the search leaves a branch's values.
_LEFT = 1e-14

Progress = Callable[[int, str, float], None]


@dataclass(frozen=True)
class Limit:
    """What the levels' values tend to.

    Attributes
    ----------
    model : theory.Model
    value : float
        alpha of a capacity, xi of a ground state.
    error : float
        What different accelerators and fewer levels make of the same values: an estimate, not a bound. 0 or
        rounding where all levels are equal.
    levels, values : tuple
        The levels of the branch that the limit is of, and its values.
    estimates : dict of str to float
        The limit by accelerator.
    exponent : float
        Of the level in the distance to the limit, as fitted; 4 in theory. nan where nothing was fitted.
    others : tuple of (float, float)
        Limits of other branches, with their errors.
    p, q, c : tuple of float
        The profile: order parameters at the highest level; p_2.., Q_2.. (or q_2..) and s_2.. (or c_2..).
    reason : str
        Where it comes from.
    seconds : float
        Wall time; two runs that differ in it alone are equal.
    """

    model: Model
    value: float
    error: float
    levels: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    estimates: dict[str, float] = field(default_factory=dict)
    exponent: float = float("nan")
    others: tuple[tuple[float, float], ...] = ()
    p: tuple[float, ...] = ()
    q: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    reason: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def symbol(self) -> str:
        """Name of the value: alpha or xi."""
        return "alpha" if self.model.problem == "capacity" else "xi"

    @property
    def digits(self) -> int:
        """Significant digits that the error supports."""
        return supported_digits(self.value, self.error)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content."""
        finite = {name: x for name, x in self.estimates.items() if np.isfinite(x)}
        return {
            "model": self.model.name,
            "parameters": {str(k): str(v) for k, v in self.model.parameters.items()},
            "level": "inf",
            "symbol": self.symbol,
            "value": self.value,
            "error": self.error,
            "digits": self.digits,
            "levels": list(self.levels),
            "values": list(self.values),
            "estimates": finite,
            "exponent": self.exponent if np.isfinite(self.exponent) else None,
            "others": [list(pair) for pair in self.others],
            "p": list(self.p),
            "q": list(self.q),
            "c": list(self.c),
            "reason": self.reason,
        }

    def __str__(self) -> str:
        """Return one block of text with the limit and where it comes from."""
        value = written(self.value, min(self.digits + 1, 15))
        lines = [f"{self.model}, r -> infinity: {self.symbol} = {value}, error {self.error:.1g}"]
        lines.append(f"  {self.reason}")
        if np.isfinite(self.exponent):
            lines.append(f"  distance falls as level^-{self.exponent:.2f} (4 in theory)")
        return "\n".join(lines)


def limit(model: Model, *, highest: int = _HIGHEST, progress: Progress | None = None) -> Limit:
    """The limit of the levels of a model as their number goes to infinity.

    Parameters
    ----------
    model : theory.Model
        With numeric parameters.
    highest : int, default 20
        Level to climb to, from 10 to 50; it ends before where a level takes more than 1e8 operations an
        evaluation.
    progress : callable, optional
        As for `numerics.solve`.

    Returns
    -------
    Limit

    Raises
    ------
    TypeError, ValueError
        For what is no model with numbers, or a level out of range.
    ConvergenceError, ResolutionError
        If a low level is not found, or too few levels are reached to extrapolate.

    Notes
    -----
    Levels up to 6 are searched, as `solve_levels` does. From there on every branch is followed by its profile
    (`numerics.limits.branches`), to the highest level, and extrapolated in powers of 1/level from the fourth
    on (`numerics.limits.extrapolation`); the lowest limit counts. Its error is the spread of three
    accelerators and of their results without the top levels. A minute or two for the symmetric binary
    perceptron and SK, where it is of the order of 1e-7 and 1e-10.

    Where level 1 is stable all levels are equal, and the limit is known as well as they are. On the branch
    s -> infinity levels are searched up to 8.

    Source: the proposal that this limit is the algorithmic threshold is that of Stojnic, arXiv:2601.10628.
    """
    began = time.perf_counter()
    if isinstance(highest, bool) or not isinstance(highest, int | np.integer):
        raise TypeError(f"highest must be an integer, got {highest!r}")
    if not _LEAST <= highest <= _MOST:
        raise ValueError(f"highest must be between {_LEAST} and {_MOST}, got {shown(int(highest))}")
    if not isinstance(model, Model):
        raise TypeError(f"model must be a theory.Model such as SBP(kappa=1), got {model!r}")
    solve_levels(model, [lowest_level(model)])  # checks its numbers and computes nothing
    tell: Progress = progress or (lambda level, stage, fraction: None)
    solutions: list[Solution] = []
    for solution in searched(model, _FIRST, tell):
        solutions.append(solution)
        if solution.branch in ("merged", "satisfiable"):
            break
    last = solutions[-1]
    if last.branch != "s -> infinity" and (last.branch != "finite" or _all_equal(solutions)):
        found = _of_equal_levels(last)
    elif last.branch == "s -> infinity":
        found = _of_searched_levels(model, tell)
    else:
        found = _of_branches(model, last, int(highest), tell)
    return replace(found, seconds=time.perf_counter() - began)


def _all_equal(solutions: Sequence[Solution]) -> bool:
    """Whether no level improves on the one below by more than rounding."""
    values = [float(s.value) for s in solutions[-3:]]
    return len(values) == 3 and float(np.ptp(values)) <= 1e-13 * abs(values[-1])


def _of_equal_levels(last: Solution) -> Limit:
    settled = refine(last, DOUBLE_DIGITS)
    reason = {
        "merged": f"all liftings merge into level 1: {last.reason}",
        "satisfiable": last.reason,
    }.get(last.branch, "all levels are equal")
    return Limit(last.model, float(settled.value), float(settled.error), reason=reason)


def _of_searched_levels(model: Model, tell: Progress) -> Limit:
    """The limit of levels on the branch s -> infinity, whose own errors count."""
    levels = [s for s in searched(model, _SEARCHED, tell) if s.branch == "s -> infinity"]
    branch = Branch(None, False, [s.level for s in levels], [float(s.value) for s in levels])  # type: ignore[arg-type]
    noise = max(float(s.error) for s in levels)
    return _limit(model, branch, _extrapolated(model, branch, noise), ())


def _of_branches(model: Model, first: Solution, highest: int, tell: Progress) -> Limit:
    """Follow all branches and take the lowest limit."""
    alive = branches_of(first)
    for reached in climb(model, alive, highest):
        alive = reached
        level = alive[0].levels[-1]
        tell(level, "climb", (level - _FIRST) / (highest - _FIRST))
    ends = [b for b in alive if len(b.levels) >= _NEEDED]
    if not ends:
        raise ConvergenceError(
            f"{model}: no branch could be followed over {_NEEDED} levels from level {_FIRST} on, which "
            "is what an extrapolation needs",
            {name: float(x) for name, x in first.order_parameters.items()},
            float(first.gradient_norm),
        )
    sign = objective_of(free_energy(model, first.level)).sign
    limits = [(b, _extrapolated(model, b, b.noise + _LEFT * abs(b.values[-1]))) for b in ends]
    branch, chosen = limits[0]
    for other, end in limits[1:]:  # one that begins higher has to end lower beyond doubt
        if sign * (chosen.value - end.value) > chosen.error + end.error:
            branch, chosen = other, end
    below = [(sign * (chosen.value - e.value), e) for _, e in limits if e is not chosen]
    # one that may end lower is part of what is not known
    errors = [gap + min(end.error, gap) for gap, end in below if gap > 0.0]
    chosen = replace(chosen, error=max([chosen.error, *errors]))
    others = tuple((end.value, end.error) for other, end in limits if other is not branch)
    return _limit(model, branch, chosen, others)


def _extrapolated(model: Model, branch: Branch, noise: float) -> Extrapolation:
    if len(branch.levels) < _NEEDED:
        raise ConvergenceError(
            f"{model}: only the levels {branch.levels} were reached, too few to extrapolate",
            {},
            0.0,
        )
    return extrapolate(branch.levels, branch.values, noise)


def _limit(
    model: Model, branch: Branch, chosen: Extrapolation, others: tuple[tuple[float, float], ...]
) -> Limit:
    levels = branch.levels
    used = levels[-7:]
    start = branch.start
    p = q = c = ()
    if start is not None:
        # overlaps from their gaps: sums from the outermost on
        p, q = (tuple(map(float, np.cumsum(gaps[::-1])[::-1])) for gaps in (start.p, start.q))
        p = p[1:] if start.p.any() else ()
        q = q[1:] if model.is_finite else q
        c = tuple(map(float, start.s))
    return Limit(
        model,
        chosen.value,
        chosen.error,
        tuple(levels),
        tuple(branch.values),
        chosen.estimates,
        chosen.exponent,
        others,
        p,
        q,
        c,
        f"extrapolated from levels {used[0]} to {used[-1]}",
    )
