"""The limit of infinitely many liftings."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from flint import arb

from numerics.balls.functional import functional_at
from numerics.balls.numbers import float_of
from numerics.balls.plan import BallGrid
from numerics.errors import ConvergenceError, ResolutionError
from numerics.functionals.coordinates import Coordinates
from numerics.results import html_table, stated
from numerics.thresholds.functional import seeing
from numerics.thresholds.points import objective_of
from numerics.thresholds.settle import DOUBLE_DIGITS, refine
from numerics.thresholds.solution import Solution, supported_digits
from numerics.thresholds.solve import lowest_level, searched, solve_levels
from numerics.thresholds.starts import gap, logits, logits_of
from theory import Model, free_energy, model_named
from theory.parameters import shown

from .branches import TOLERANCE, Branch, branches_of, climb, functional, ladder
from .extrapolation import WINDOW, Extrapolation, extrapolate
from .pieces import LEVELS, Shape, by_split, in_pieces
from .smooth import smooth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Limit", "limit"]

# Level from which branches are followed, and consecutive levels that an extrapolation needs.
_FIRST, _NEEDED = 6, 4
# Highest level by default, and of levels on the branch s -> infinity, which are searched one by one.
_HIGHEST, _SEARCHED = 14, 8
# Levels to climb to at least and at most.
_LEAST, _MOST = 10, 50
# Digits of the values that are extrapolated, which are magnified a thousandfold.
_DIGITS = 20
# Share of an error that noise of doubles may have for a branch to be left without balls.
_SHARE = 0.01
# What doubles may be off where no ball is had, relative: some three times the most that was seen.
_DOUBLES = 1e-14

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
        The limit by accelerator, or by number of coefficients.
    exponent : float or None
        Of the level in the distance to the limit, as fitted; 4 in theory. None where nothing was fitted.
    others : tuple of (float, float)
        Limits of other branches, with their errors.
    p, q, c : tuple of float
        The profile: order parameters at the highest level; p_2.., Q_2.. (or q_2..) and s_2.. (or c_2..).
    reason : str
        Where it comes from.
    seconds : float
        Wall time; two runs that differ in it alone are equal.
    routes : dict of str to (float, float)
        What each route says, with its error: the levels, and smooth profiles where there are any.
    """

    model: Model
    value: float
    error: float
    levels: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    estimates: dict[str, float] = field(default_factory=dict, hash=False)
    exponent: float | None = None
    others: tuple[tuple[float, float], ...] = ()
    p: tuple[float, ...] = ()
    q: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    reason: str = ""
    seconds: float = field(default=0.0, compare=False)
    routes: dict[str, tuple[float, float]] = field(default_factory=dict, hash=False)

    @property
    def symbol(self) -> str:
        """Name of the value: alpha or xi."""
        return "alpha" if self.model.problem == "capacity" else "xi"

    @property
    def digits(self) -> int:
        """Significant digits that the error supports."""
        return supported_digits(self.value, self.error)

    def stated(self) -> tuple[str, str]:
        """The value, with the digits that its error leaves, and the error of that text."""
        return stated(self.value, self.error)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content."""
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
            "estimates": dict(self.estimates),
            "routes": {name: list(pair) for name, pair in self.routes.items()},
            "exponent": self.exponent,
            "others": [list(pair) for pair in self.others],
            "p": list(self.p),
            "q": list(self.q),
            "c": list(self.c),
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the limit that `to_dict` was made of.

        Raises
        ------
        ValueError
            If something is missing, or makes no model.
        """
        try:
            return cls(
                model_named(content["model"], content["parameters"]),
                content["value"],
                content["error"],
                estimates=dict(content["estimates"]),
                routes={name: tuple(pair) for name, pair in content.get("routes", {}).items()},
                exponent=content["exponent"],
                others=tuple(map(tuple, content["others"])),
                reason=content["reason"],
                levels=tuple(content["levels"]),
                values=tuple(content["values"]),
                p=tuple(content["p"]),
                q=tuple(content["q"]),
                c=tuple(content["c"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no limit: {error}") from error

    def plot(self) -> Figure:
        """Draw the profile, and by how much each level misses: `numerics.figures.profiles.profile`.

        Raises
        ------
        ValueError
            If there are no two exponents.
        """
        from numerics.figures.profiles import profile

        return profile(self)

    def _repr_html_(self) -> str:
        rows = [{"level": r, self.symbol: f"{v:.12g}", "above the limit": f"{v - self.value:.2e}"}
                for r, v in zip(self.levels, self.values, strict=True)]  # fmt: skip
        return f"<p>{html.escape(str(self))}</p>{html_table(rows)}"

    def __str__(self) -> str:
        """Return one block of text with the limit and where it comes from."""
        value, error = self.stated()
        lines = [f"{self.model}, r -> infinity: {self.symbol} = {value}, error {error}"]
        lines.append(f"  {self.reason}")
        if self.exponent is not None:
            lines.append(f"  distance falls as level^-{self.exponent:.2f} (4 in theory)")
        return "\n".join(lines)


def limit(model: Model, *, highest: int = _HIGHEST, progress: Progress | None = None) -> Limit:
    """The limit of the levels of a model as their number goes to infinity.

    Parameters
    ----------
    model : theory.Model
        With numeric parameters.
    highest : int, default 14
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
    accelerators and of their results without the top levels. From the highest level on profiles of few
    coefficients are followed to twice as many levels (`numerics.limits.smooth`), on either side of a gap by
    themselves: a second route, whose error is what fewer coefficients and fewer levels change. The smaller
    error counts where both agree, and covers both where they do not. A minute or two for the symmetric
    binary perceptron and SK, where it is of the order of 1e-7 and 1e-9; up to eight, and 1e-6 to 1e-5, with
    a gap.

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
    search = searched(model, max(_FIRST, _SEARCHED), tell)
    solutions: list[Solution] = []
    for solution in search:
        solutions.append(solution)
        if solution.level == _FIRST or solution.branch in ("merged", "satisfiable"):
            break
    last = solutions[-1]
    if last.branch == "s -> infinity":
        result = _of_searched_levels(model, [*solutions, *search])
    elif last.branch != "finite" or _all_equal(solutions):
        result = _of_equal_levels(last)
    else:
        result = _of_branches(model, last, int(highest), tell)
    return replace(result, seconds=time.perf_counter() - began)


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


def _of_searched_levels(model: Model, solutions: Sequence[Solution]) -> Limit:
    """The limit of levels on the branch s -> infinity, whose own errors count."""
    levels: list[Solution] = []
    for solution in reversed(solutions):  # the last ones in a row
        if solution.branch != "s -> infinity":
            break
        levels.insert(0, solution)
    numbers, values = [s.level for s in levels], [float(s.value) for s in levels]
    chosen = _extrapolated(model, numbers, values, max(float(s.error) for s in levels))
    return _limit(model, numbers, values, chosen)


def _of_branches(model: Model, first: Solution, highest: int, tell: Progress) -> Limit:
    """Follow all branches and take the lowest limit."""
    seen = branches_of(first)
    lowest: Branch | None = None
    for reached in climb(model, seen, highest):
        lowest = reached[0]
        seen += [b for b in reached if all(b is not other for other in seen)]
        level = lowest.levels[-1]
        tell(level, "climb", (level - _FIRST) / (highest - _FIRST))
    sign = objective_of(free_energy(model, first.level)).sign
    # branches that were lost on the way count, too, but not those that ended in another one
    ends = [b for b in seen if len(b.levels) >= _NEEDED and not b.merged]
    kind = seen if lowest is None else [b for b in seen if b.quenched == lowest.quenched]
    whole = ladder(kind, sign)
    if lowest is None or len(whole.levels) < _NEEDED:
        raise ConvergenceError(
            f"{model}: no branch could be followed over {_NEEDED} levels from level {_FIRST} on, which is "
            "what an extrapolation needs",
            {name: float(x) for name, x in first.order_parameters.items()},
            float(first.gradient_norm),
        )
    limits = {id(b): _in_doubles(model, b) for b in [*ends, whole]}
    branch = whole
    parted = gap(logits(model, lowest.start)) is not None
    if parted:  # a branch is what its outer piece allows, however smooth
        ends = [b for b in ends if all(b is not other for other in kind)]
    elif any(b is lowest for b in ends) and limits[id(lowest)].error <= limits[id(whole)].error:
        branch = lowest
    chosen = limits[id(branch)]
    changed = branch is whole or lowest.levels[0] > _FIRST
    apart = in_pieces(_shapes(model, kind, sign)) if changed else None
    inside: list[Branch] = []
    if apart is not None and apart.error < chosen.error:
        estimates = {name: sign * x for name, x in apart.estimates.items()}
        chosen = replace(apart, value=sign * apart.value, estimates=estimates)
        branch, inside = whole, kind  # the points of all branches of this kind are in it
    for other in ends:  # one that begins higher has to end lower beyond doubt
        end = limits[id(other)]
        lower = sign * (chosen.value - end.value)
        if lower > chosen.error + end.error and all(b is not other for b in inside):
            branch, chosen, inside = other, end, []
    values = branch.values
    exact = _extrapolated(model, branch.levels, values, 0.0)
    if not inside and chosen.error > (1.0 + _SHARE) * exact.error:
        values, noise = _settled(model, branch)
        chosen = _extrapolated(model, branch.levels, values, noise)
    known = inside or ([branch, lowest] if branch is whole else [branch])
    rest = [limits[id(b)] for b in ends if all(b is not other for other in known)]
    routes = {"levels": (chosen.value, chosen.error)}
    said = ""
    pieces = bool(inside) or parted
    if branch is whole or not pieces:
        try:
            if pieces:
                curves = smooth(model, *_splits(model, kind, sign))
            else:
                curves = smooth(model, lowest if branch is whole else branch)
        except ConvergenceError as reason:
            said = f"; smooth profiles say nothing: {reason}"
        else:
            routes["smooth profiles"] = (curves.value, curves.error)
            chosen, said = _of_both(chosen, curves)
    # one that may end lower is part of what is not known
    gaps = [(sign * (chosen.value - end.value), end.error) for end in rest]
    error = max([chosen.error, *(gap + min(off, gap) for gap, off in gaps if gap > 0.0)])
    result = _limit(model, branch.levels, values, replace(chosen, error=error))
    others = tuple((end.value, end.error) for end in rest)
    reason = result.reason
    if inside:
        used = [r for r in branch.levels if r > branch.levels[-1] - LEVELS]
        reason = (
            f"fitted to levels {used[0]} to {used[-1]} by the numbers of liftings on either side of the "
            "profiles' widest gap"
        )
    elif branch is whole:
        reason += ", whose lowest points change shape"
    return replace(
        result, reason=reason + said, routes=routes, others=others, **_profile(model, branch)
    )


def _of_both(levels: Extrapolation, curves: Extrapolation) -> tuple[Extrapolation, str]:
    """The limit by the levels or by smooth profiles, whose error is smaller, and what to say of it.

    Where they do not agree, the error covers both.
    """
    apart = abs(curves.value - levels.value)
    if apart > curves.error + levels.error:
        return replace(levels, error=2.0 * apart), "; smooth profiles do not agree"
    value, error = stated(curves.value, curves.error)
    said = f"; {value}, error {error}, by smooth profiles"
    if curves.error < levels.error:
        return replace(curves, exponent=levels.exponent), f"{said}, which counts"
    return levels, said


def _in_doubles(model: Model, branch: Branch) -> Extrapolation:
    """The limit of a branch's values as they are, with what grids of doubles may be off."""
    noise = TOLERANCE * max(1.0, *map(abs, branch.values)) + branch.left
    return _extrapolated(model, branch.levels, branch.values, noise)


def _shapes(model: Model, branches: Sequence[Branch], sign: float) -> list[Shape]:
    """The points of all branches, and where their overlaps lie."""
    shapes = []
    for branch in branches:
        for level, value, coords in zip(branch.levels, branch.values, branch.points, strict=True):
            fe = functional(model, level, branch.quenched)
            coordinates = Coordinates(fe.chains)
            gaps = coordinates.split(coordinates.gaps(coords))[0]
            shapes.append(Shape(level, sign * value, logits_of(gaps)))
    return shapes


def _splits(model: Model, branches: Sequence[Branch], sign: float) -> tuple[Branch, list[int]]:
    """The lowest point of every split of liftings among two pieces, and its overlaps inside of the gap."""
    table = by_split(_shapes(model, branches, sign))
    points = [x for b in branches for x in zip(b.levels, b.values, b.points, strict=True)]
    first = branches[0]
    chosen = Branch(first.start, first.quenched)
    inner: list[int] = []
    for n, m in sorted(table, key=lambda pair: (sum(pair), pair)):
        level, value, coords = points[table[n, m]]
        chosen.levels.append(level)
        chosen.values.append(value)
        chosen.points.append(coords)
        inner.append(n)
    return chosen, inner


def _settled(model: Model, branch: Branch) -> tuple[list[float], float]:
    """Values of a branch, the last ones from balls where there are any, and what they may be off."""
    values, radius = list(branch.values), 0.0
    for k in range(max(len(values) - WINDOW, 0), len(values)):
        try:
            point = _in_balls(model, branch, k)
        except ResolutionError:  # deep nests of one-sided leaves: the value in doubles stays
            radius = max(radius, _DOUBLES * max(1.0, abs(values[k])))
            continue
        values[k] = float_of(point)
        radius = max(radius, float(point.rad()) + math.ulp(values[k]))
    return values, radius + branch.left


def _in_balls(model: Model, branch: Branch, k: int) -> arb:
    """The value of a branch at the k-th of its levels.

    Raises
    ------
    ResolutionError
        If its nests are not to be had in balls, or not on the finer grids that tell their size.
    """
    fe = functional(model, branch.levels[k], branch.quenched)
    bare = functional_at(model, branch.levels[k], len(fe.q))
    coords = branch.points[k]
    sight = seeing(bare, bare.program.coordinates.gaps(coords))
    # by coordinates: gaps of doubles do not add up to their chain's length, which is not stationary
    return sight([arb(float(t)) for t in coords], BallGrid(_DIGITS)).value


def _profile(model: Model, branch: Branch) -> dict[str, tuple[float, ...]]:
    """Order parameters at the last level: sums of their gaps, from the outermost on."""
    start = branch.start
    p, q = (tuple(map(float, np.cumsum(gaps[::-1])[::-1])) for gaps in (start.p, start.q))
    return {
        "p": p[1:] if start.p.any() else (),
        "q": q[1:] if model.is_finite else q,
        "c": tuple(map(float, start.s)),
    }


def _extrapolated(
    model: Model, levels: Sequence[int], values: Sequence[float], noise: float
) -> Extrapolation:
    if len(levels) < _NEEDED:
        raise ConvergenceError(
            f"{model}: only the levels {list(levels)} were reached, too few to extrapolate", {}, 0.0
        )
    return extrapolate(levels, values, noise)


def _limit(
    model: Model, levels: Sequence[int], values: Sequence[float], chosen: Extrapolation
) -> Limit:
    used = levels[-WINDOW:]
    return Limit(
        model,
        chosen.value,
        chosen.error,
        tuple(levels),
        tuple(values),
        {name: x for name, x in chosen.estimates.items() if math.isfinite(x)},
        exponent=chosen.exponent if math.isfinite(chosen.exponent) else None,
        reason=f"extrapolated from levels {used[0]} to {used[-1]}",
    )
