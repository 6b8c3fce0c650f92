"""Thresholds: stationary points of a free energy, level by level.

Level 2 of a symmetric perceptron is a closed form. Level 3 is searched along its exponent s: for
each s on a geometric grid the two remaining order parameters are minimised, upwards from small s
and downwards from the s -> infinity functional, and every local minimum of that profile becomes a
start. Level r + 1 starts from every stationary point of level r with one lifting more, put in at every
place in turn. All starts are minimised on coarse grids; the distinct ends are refined by Newton's method
on grids that meet the error bound, and the value is then checked on grids twice as fine, at a
tighter tolerance and with wider windows.

A minimum whose outermost exponent runs away is replaced by the stationary point of the limit
functional (theory.infinite_exponent_limit); its error is the distance to the functional at the
largest exponent that was resolved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import mpmath
import numpy as np
import sympy
from numpy.typing import NDArray

from theory import FreeEnergy, Model, free_energy
from theory.asymptotics import infinite_exponent_limit

from .compile import Evaluator, compile_program, evaluator
from .grids import ResolutionError
from .solution import Branch, ConvergenceError, Solution, Statistics, supported_digits
from .stationary import StationaryPoint, log_value, minimise, refine

__all__ = ["Progress", "solve", "solve_levels"]

Array = NDArray[np.float64]
Progress = Callable[[int, str, float], None]

MAX_DIGITS = 15
# Starts are found on coarse grids, where an evaluation costs a third.
_SEARCH_TOLERANCE = 1e-10
# Twenty times what a level of a nest takes at any solution up to level 7.
_SEARCH_WORK = 4_000_000
# The functional at the largest exponent may cost this much, once: it decides the digits reported.
_LIMIT_WORK = 2_000_000_000
# Stationary points of one level that seed the next.
_SEEDS = 3
# Beyond this exponent a minimum is called run away: the functional's remaining dependence on s,
# of order 1/s, is below what the Hessian in double precision can see.
_RUNAWAY = {3: 1e10}
_RUNAWAY_HIGHER = 1e7
# The limit functional is followed from level to level where the outermost exponent exceeds this.
_LARGE_EXPONENT = 500.0


@dataclass(frozen=True)
class _Start:
    """A point to minimise from: gaps of p, gaps of Q, exponents."""

    p: Array
    q: Array
    s: Array
    split: str

    def theta(self, ev: Evaluator) -> Array:
        return ev.coordinates.theta([self.p / self.p.sum(), self.q, self.s])


def solve(
    model: Model,
    level: int,
    *,
    digits: int = 12,
    progress: Progress | None = None,
    start: Solution | None = None,
    coarsen: float = 1.0,
) -> Solution:
    """Threshold of a model at one lifting level.

    Parameters
    ----------
    model : theory.Model
        With numeric parameters, e.g. ``SBP(kappa=1)``.
    level : int
        Lifting level r >= 2.
    digits : int, default 12
        Significant decimal digits wanted, 1 to 15.
    progress : callable, optional
        Called as ``progress(level, stage, fraction)`` with a fraction that rises from 0 to 1 per
        level.
    start : Solution, optional
        A solution of the same level at nearby model parameters: continuation in kappa instead of
        the search from level 2.
    coarsen : float, default 1
        Factor on every grid spacing, for convergence studies; a result that moves under refinement
        is refused.

    Returns
    -------
    Solution
        The lowest stationary point found; `Solution.branches` lists all of them.

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges.
    ConvergenceError
        If no start ends in a stationary point with the digits asked for; carries the best point.
    ResolutionError
        If the value moves by more than the digits asked for when every grid is refined.

    Notes
    -----
    Cost: about a millisecond per value and gradient at any level up to 7, some hundreds of
    evaluations per start, and r starts at level r.

    References
    ----------
    Stojnic, arXiv:2601.10628 (the functional and its levels).
    """
    _check(model, level, digits, coarsen)
    if start is not None:
        if not isinstance(start, Solution):
            raise TypeError(f"start must be a Solution of a nearby model, got {start!r}")
        return _continued(model, level, digits, start, coarsen)
    last: Solution | None = None
    for found in solve_levels(
        model, range(2, level + 1), digits=digits, progress=progress, coarsen=coarsen
    ):
        last = found
    assert last is not None
    return last


def solve_levels(
    model: Model,
    levels: Iterable[int],
    *,
    digits: int = 12,
    progress: Progress | None = None,
    coarsen: float = 1.0,
) -> Iterator[Solution]:
    """Thresholds level by level; every level up to the highest is solved, the wanted ones are yielded.

    Parameters
    ----------
    model : theory.Model
    levels : iterable of int
        Wanted levels, each >= 2.
    digits, progress, coarsen
        As in `solve`.

    Yields
    ------
    Solution
        Lowest level first.

    Raises
    ------
    TypeError, ValueError, ConvergenceError, ResolutionError
        As in `solve`; bad input before the first level is computed.
    """
    wanted = sorted(set(levels))
    if not wanted:
        raise ValueError("no levels given; pass at least one level >= 2")
    for level in wanted:
        _check(model, level, digits, coarsen)
    return _levels(model, wanted, digits, progress, coarsen)


def _check(model: Model, level: int, digits: int, coarsen: float) -> None:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a theory.Model such as SBP(kappa=1), got {model!r}")
    for name, number in (("level", level), ("digits", digits)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"{name} must be an integer, got {number!r}")
    if not 1 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits must be between 1 and {MAX_DIGITS}, got {digits}")
    if isinstance(coarsen, bool) or not isinstance(coarsen, int | float):
        raise TypeError(f"coarsen must be a positive number, got {coarsen!r}")
    if not (math.isfinite(coarsen) and coarsen > 0):
        raise ValueError(f"coarsen must be a positive finite number, got {coarsen!r}")
    fe = free_energy(model, int(level))
    unset = fe.expr.free_symbols - set(fe.order_parameters)
    if unset:
        names = ", ".join(sorted(map(str, unset)))
        raise ValueError(f"{model.name} needs a number for {names}; pass it to the model")


def _levels(
    model: Model, wanted: list[int], digits: int, progress: Progress | None, coarsen: float
) -> Iterator[Solution]:
    tell: Progress = progress or (lambda level, stage, fraction: None)
    below: Solution | None = None
    for level in range(2, wanted[-1] + 1):
        tell(level, "derive", 0.0)
        fe = free_energy(model, level)
        if not fe.order_parameters:
            found = _closed_form(fe)
        else:
            found = _search(fe, below, digits, tell, coarsen)
        tell(level, "done", 1.0)
        below = found
        if level in wanted:
            yield found


def _closed_form(fe: FreeEnergy) -> Solution:
    began = time.perf_counter()
    value = float(fe.expr.evalf(30))
    solution = Solution(
        fe.model,
        fe.level,
        value,
        digits=MAX_DIGITS,
        error=math.ulp(value),
        branch="closed form",
        statistics=Statistics(1, 0, 0, time.perf_counter() - began),
    )
    return replace(solution, branches=(solution,))


def _continued(model: Model, level: int, digits: int, start: Solution, coarsen: float) -> Solution:
    if start.level != level or start.branch != "finite":
        raise ValueError(
            f"start must be a solution of level {level} on the branch 'finite', got level "
            f"{start.level} on '{start.branch}'; solve without start"
        )
    began = time.perf_counter()
    ev = evaluator(free_energy(model, level), coarsen=coarsen)
    theta = ev.coordinates.from_order_parameters(start.order_parameters)
    theta, _, _ = minimise(ev, theta)
    found = _certified(ev, model, level, theta, "continued in the parameters", digits)
    spent = Statistics(ev.evaluations, ev.exponentials, ev.products, time.perf_counter() - began)
    found = replace(found, statistics=spent)
    return replace(found, branches=(found,))


# --- one level -----------------------------------------------------------------------------------


def _search(
    fe: FreeEnergy, below: Solution | None, digits: int, tell: Progress, coarsen: float
) -> Solution:
    began = time.perf_counter()
    level, model = fe.level, fe.model
    ev = evaluator(fe, coarsen=coarsen)
    coarse = ev.with_grid(tolerance=_SEARCH_TOLERANCE, work_limit=_SEARCH_WORK)
    limit = _limit_point(model, level, below) if level == 3 else _next_limit(fe, below, coarsen)
    if level == 3:
        starts = _profile_starts(coarse, limit, lambda x: tell(level, "scan", 0.05 + 0.45 * x))
    else:
        seeds = [] if below is None else [b for b in below.branches if b.branch == "finite"]
        starts = [s for seed in seeds[:_SEEDS] for s in _splits(_seed(seed))]
        if limit is not None:
            starts += _starts_near_limit(coarse, limit)
    threshold = _RUNAWAY.get(level, _RUNAWAY_HIGHER)
    inside = _ordered(fe)
    ends: list[tuple[float, Array, float, str]] = []
    runaway: tuple[float, Array] | None = None
    offset, width = (0.5, 0.3) if level == 3 else (0.05, 0.75)
    for index, start in enumerate(starts):
        tell(level, f"minimise {index + 1}/{len(starts)}", offset + width * index / len(starts))
        theta, value, size = minimise(
            coarse, start.theta(coarse), domain=inside, gradient_tolerance=1e-5
        )
        if not math.isfinite(value):
            continue
        outermost = math.exp(theta[-1])
        if outermost > threshold:
            if runaway is None or value < runaway[0]:
                runaway = (value, theta)
            continue
        ends.append((value, theta, size, start.split))
    ends.sort(key=lambda end: end[0])
    distinct: list[tuple[float, Array, float, str]] = []
    for end in ends:
        if end[2] < 1e-2 and not any(_same(end[:2], other[:2]) for other in distinct):
            distinct.append(end)
    points: list[Solution] = []
    failure: Exception | None = None
    for index, (_, theta, _, split) in enumerate(distinct[: _SEEDS + 1]):
        tell(level, "refine", 0.8 + 0.2 * index / min(len(distinct), _SEEDS + 1))
        theta, _, _ = minimise(ev, theta, domain=inside, gradient_tolerance=1e-8, iterations=60)
        try:
            found = _certified(ev, model, level, theta, split, digits)
        except (ConvergenceError, ResolutionError) as error:
            failure = failure or error
            continue
        # two starts can end in one point, and a saddle between two minima is not a threshold
        if not any(_same_point(found, other) for other in points) and found.inertia == 0:
            points.append(found)
    if runaway is not None and not any(math.log(p.value) < runaway[0] - 1e-9 for p in points):
        points.append(_runaway_solution(model, ev, runaway[1], limit, digits))
    if not points:
        if failure is not None:
            raise failure
        best, size = (ends[0][1], ends[0][2]) if ends else (np.empty(0), math.nan)
        raise ConvergenceError(
            f"no stationary point found at level {level} of {model}; smallest gradient reached {size:.1e}",
            _named(ev, best) if best.size else {},
            size,
        )
    points.sort(key=lambda p: p.value)
    chosen = points[0]
    if failure is not None and isinstance(failure, ConvergenceError):
        lower = failure.best.get("value", math.inf)
        if lower < chosen.value * (1.0 - 1e-9):
            raise failure
    if limit is not None and chosen.branch == "finite":
        points.append(limit)
        points.sort(key=lambda p: p.value)
    spent = Statistics(
        ev.evaluations + coarse.evaluations,
        ev.exponentials + coarse.exponentials,
        ev.products + coarse.products,
        time.perf_counter() - began,
    )
    return replace(chosen, branches=tuple(points), statistics=spent)


def _same(a: tuple[float, Array], b: tuple[float, Array]) -> bool:
    """Whether two ends of a search, (log value, point), lie in one basin.

    Where the outermost exponent is in the thousands, it and its Q (s Q fixed) are a flat direction,
    along which a search may stop early.
    """
    steps = np.sort(np.abs(a[1] - b[1]))
    return bool(
        steps[-1] < 2e-2 or (abs(a[0] - b[0]) < 3e-5 and steps[:-2].max(initial=0.0) < 5e-2)
    )


def _same_point(a: Solution, b: Solution) -> bool:
    pairs = zip(a.order_parameters.values(), b.order_parameters.values(), strict=True)
    return all(abs(x - y) <= 1e-5 * max(abs(x), abs(y)) for x, y in pairs)


def _named(ev: Evaluator, theta: Array) -> dict[str, float]:
    named = ev.coordinates.order_parameters(ev.coordinates.gaps(theta))
    named["value"] = math.exp(log_value(ev, theta)[0])
    return named


def _certified(
    ev: Evaluator, model: Model, level: int, theta: Array, split: str, digits: int
) -> Solution:
    """Refine a point, check it on finer grids and wider windows, and report it."""
    point = refine(ev, theta)
    value = math.exp(min(point.log_value, 700.0)) if point.log_value < math.inf else math.inf
    norm = float(np.linalg.norm(point.gradient))
    relative = 10.0**-digits
    if not math.isfinite(value):
        raise ConvergenceError(
            f"level {level} of {model}: a minimum found on coarse grids is too fine to be resolved in "
            "double precision; no digits were reached",
            _named(ev, theta),
            math.nan,
        )
    if not point.decrement < relative or not norm < 1e-4:
        raise ConvergenceError(
            f"level {level} of {model} did not converge: gradient norm {norm:.1e}, estimated relative "
            f"distance {point.decrement:.1e} at value {value:.12g}",
            _named(ev, point.theta),
            norm,
        )
    at = ev(point.theta, gradient=False)
    checks = [
        ev.with_grid(coarsen=0.5 * ev.coarsen)(point.theta, gradient=False).value,
        ev.with_grid(tolerance=1e-3 * ev.tolerance)(point.theta, gradient=False).value,
    ]
    moved = max(abs(value - check) for check in checks)
    error = moved + at.error + value * (point.decrement + 2e-16)
    if supported_digits(value, error) < digits:
        cure = "a smaller coarsen" if ev.coarsen > 1.0 else "fewer digits"
        raise ResolutionError(
            f"level {level} of {model}: the value {value:.15g} moves by {moved:.1e} when every grid is "
            f"refined and its error bound is {at.error:.1e}, more than {digits} digits allow; use {cure}"
        )
    return _solution(ev, model, level, point, split, digits, error, "finite")


def _solution(
    ev: Evaluator,
    model: Model,
    level: int,
    point: StationaryPoint,
    split: str,
    digits: int,
    error: float,
    branch: Branch,
) -> Solution:
    named = ev.coordinates.order_parameters(ev.coordinates.gaps(point.theta))
    groups: dict[str, list[float]] = {"p": [], "Q": [], "s": []}
    for name, number in named.items():
        group = groups.get(name.split("_")[0])
        if group is not None:
            group.append(number)
    eigenvalues = point.eigenvalues
    return Solution(
        model,
        level,
        math.exp(point.log_value),
        tuple(groups["p"]),
        tuple(groups["Q"]),
        tuple(groups["s"]),
        named,
        float(np.linalg.norm(point.gradient)),
        int((eigenvalues < 0).sum()),
        tuple(map(float, eigenvalues)),
        digits,
        error,
        branch,
        split,
    )


# --- starts --------------------------------------------------------------------------------------


def _profile_starts(
    ev: Evaluator, limit: Solution | None, tell: Callable[[float], None]
) -> list[_Start]:
    """Local minima along s of the level-3 functional minimised over (p, Q)."""
    exponents = 2.0 ** np.arange(0.75, 10.5, 0.75)
    free = np.array([0, 1], dtype=np.intp)

    def profile_point(theta: Array) -> tuple[float, Array]:
        end, value, _ = minimise(ev, theta, free=free, gradient_tolerance=1e-4, iterations=60)
        return value, end

    upwards = _Start(np.array([0.1, 0.9]), np.array([1.0]), exponents[:1], "").theta(ev)
    profiles: list[list[tuple[float, Array]]] = [[], []]
    for i, s in enumerate(exponents):
        tell(0.5 * i / exponents.size)
        upwards[-1] = math.log(s)
        value, upwards = profile_point(upwards)
        profiles[0].append((value, upwards.copy()))
    if limit is not None:
        s = float(exponents[-1])
        for i in range(60):
            tell(0.5 + 0.5 * i / 60)
            profiles[1].append(profile_point(_at_exponent(limit, s).theta(ev)))
            falling = i == 0 or profiles[1][-1][0] < profiles[1][-2][0]
            if not falling or s > 1e13:
                break
            s *= 3.0
        # and down again, each minimum the start of the next
        downwards = profiles[1][0][1].copy()
        for i, s in enumerate(exponents[-2::-1]):
            tell(0.75 + 0.25 * i / exponents.size)
            downwards[-1] = math.log(s)
            value, downwards = profile_point(downwards)
            profiles[1].insert(0, (value, downwards.copy()))
    starts = []
    for profile, name in zip(profiles, ("from small s", "from s -> infinity"), strict=True):
        values = [value for value, _ in profile]
        for i, (value, theta) in enumerate(profile):
            lower = i == 0 or values[i - 1] >= value
            upper = i == len(profile) - 1 or values[i + 1] >= value
            if lower and upper and math.isfinite(value):
                gaps = ev.coordinates.gaps(theta)
                starts.append(_Start(gaps[:2], gaps[2:3], gaps[3:], name))
    return starts


def _seed(solution: Solution) -> _Start:
    """Gaps and exponents of a solution."""
    p = -np.diff(np.array([1.0, *solution.p, 0.0]))
    q = -np.diff(np.array([*solution.q, 0.0]))
    return _Start(p, q, np.array(solution.c), solution.split)


def _splits(seed: _Start) -> list[_Start]:
    """Starts with one lifting more: one put in below, or made of, every lifting, or added outermost.

    New exponents lie at geometric means of their neighbours, whose ratios run from 2 at kappa = 1 to
    thousands at small margins.
    """
    p, q, s = seed.p, seed.q, seed.s
    n = s.size
    below = np.concatenate(([1.0], s[:-1]))
    above = np.append(s[1:], s[-1:] ** 2 / below[-1:])
    starts = []
    for k in range(n):
        inner_q = math.sqrt((q[k - 1] if k else 1.0) * q[k])
        starts.append(
            _Start(
                np.concatenate((p[:k], [0.1 * p[k], 0.9 * p[k]], p[k + 1 :])),
                np.insert(q, k, inner_q),
                np.insert(s, k, math.sqrt(below[k] * s[k])),
                f"inside lifting {k + 2}",
            )
        )
        low = s[k] * (below[k] / s[k]) ** 0.4
        high = s[k] * (above[k] / s[k]) ** 0.4
        for share in (0.1, 0.5):
            starts.append(
                _Start(
                    np.concatenate(
                        (p[: k + 1], [share * p[k + 1], (1.0 - share) * p[k + 1]], p[k + 2 :])
                    ),
                    np.concatenate((q[:k], [(1.0 - share) * q[k], share * q[k]], q[k + 1 :])),
                    np.concatenate((s[:k], [low, high], s[k + 1 :])),
                    f"lifting {k + 2}",
                )
            )
    starts += [
        _Start(
            np.concatenate((p[:-1], [0.6 * p[-1], 0.4 * p[-1]])),
            np.append(q, 0.25 / ratio * q[-1:]),
            np.append(s, ratio * s[-1:]),
            "outermost",
        )
        for ratio in (2.5, 10.0)
        if n
    ]
    if not n:  # the limit functional of level 4, from that of level 3
        starts.append(
            _Start(
                np.concatenate(([0.1 * p[0], 0.9 * p[0]], p[1:])),
                np.array([1.0]),
                np.array([4.0]),
                "innermost",
            )
        )
    return starts


def _ordered(fe: FreeEnergy) -> Callable[[Array], bool]:
    """Whether the exponents of a point satisfy 1 < s_2 < s_3 < ..

    Only there is the functional of a symmetric perceptron bounded from below; a line search that
    leaves it can run down to any value.
    """
    first = len(fe.p) + len(fe.q)
    last = first + len(fe.c)

    def inside(theta: Array) -> bool:
        steps = np.diff(theta[first:last], prepend=0.0)
        return bool((steps > 0.0).all())

    return inside


# --- s -> infinity -------------------------------------------------------------------------------


def _limit_point(model: Model, level: int, below: Solution | None) -> Solution | None:
    """Interior minimum of the level-3 limit functional, or None where it has none below level 2."""
    limit = infinite_exponent_limit(free_energy(model, level))
    (p,) = limit.order_parameters
    u = sympy.Symbol("u", positive=True)
    expr = limit.expr.subs(p, 1 - u)
    with mpmath.workdps(40):
        evaluate = sympy.lambdify(u, expr, "mpmath")
        slope = sympy.lambdify(u, sympy.diff(expr, u), "mpmath")

        def functional(x: mpmath.mpf) -> mpmath.mpf:
            try:
                return evaluate(x)
            except ZeroDivisionError:  # the constraint holds to every digit carried
                return mpmath.inf

        grid = [mpmath.mpf(10) ** (-mpmath.mpf(k) / 8) for k in range(1, 160)]
        values = [functional(x) for x in grid]
        k = min(range(len(grid)), key=lambda i: values[i])
        if k in (0, len(grid) - 1) or (below is not None and values[k] >= below.value):
            return None
        root = mpmath.findroot(slope, (grid[k + 1], grid[k - 1]), solver="anderson", tol=1e-50)
        value = float(functional(root))
        curvature = float(root**2 * mpmath.diff(slope, root) / functional(root))
        return Solution(
            model,
            level,
            value,
            p=(float(1 - root),),
            order_parameters={"p_2": float(1 - root)},
            gradient_norm=float(abs(slope(root) * root / functional(root))),
            inertia=int(curvature < 0),
            hessian_eigenvalues=(curvature,),
            digits=MAX_DIGITS,
            error=math.ulp(value),
            branch="s -> infinity",
            split="Laplace's method in the outermost lifting",
        )


def _next_limit(fe: FreeEnergy, below: Solution | None, coarsen: float) -> Solution | None:
    """Stationary point of the limit functional, from that of the level below.

    Looked for only where the outermost exponent of the level below is already large.
    """
    seeds = [] if below is None else [b for b in below.branches if b.branch == "s -> infinity"]
    if below is None or not seeds or (below.branch == "finite" and below.c[-1] < _LARGE_EXPONENT):
        return None
    seed = seeds[0]
    p_last = seed.p[-1]
    field = seed.order_parameters.get("H", math.atanh(math.sqrt(p_last)))
    whole = _seed(seed)
    limit = infinite_exponent_limit(free_energy(fe.model.generic, fe.level))
    program = compile_program(limit)
    inside = _ordered(limit)
    values = {str(name): float(value) for name, value in fe.model.parameters.items()}
    ev = Evaluator(program, values, coarsen=coarsen)
    coarse = ev.with_grid(tolerance=_SEARCH_TOLERANCE, work_limit=_SEARCH_WORK)
    ends: list[tuple[float, Array]] = []
    for split in _splits(_Start(whole.p[:-1], whole.q, whole.s, "")):
        p = np.append(split.p, whole.p[-1])
        theta = coarse.coordinates.theta([p, split.q, split.s, np.array([field])])
        theta, value, size = minimise(coarse, theta, domain=inside, gradient_tolerance=1e-5)
        if math.isfinite(value) and size < 1e-2:
            ends.append((value, theta))
    for _, theta in sorted(ends, key=lambda end: end[0]):
        theta, _, _ = minimise(ev, theta, domain=inside, gradient_tolerance=1e-8, iterations=60)
        try:
            split = "Laplace's method in the outermost lifting"
            found = _certified(ev, fe.model, fe.level, theta, split, 1)
        except (ConvergenceError, ResolutionError):
            continue
        digits = supported_digits(found.value, found.error)
        return replace(found, branch="s -> infinity", digits=digits)
    return None


def _starts_near_limit(ev: Evaluator, limit: Solution) -> list[_Start]:
    """The limit's stationary point at the large finite exponent where the functional is lowest."""
    best: tuple[float, _Start] | None = None
    for s in 10.0 ** np.arange(1.5, 12.0, 0.25):
        start = _at_exponent(limit, s)
        value, _ = log_value(ev, start.theta(ev))
        if math.isfinite(value) and (best is None or value < best[0]):
            best = (value, start)
    return [] if best is None else [best[1]]


def _at_exponent(limit: Solution, s: float) -> _Start:
    """The limit's point at a finite outermost exponent: Q = R/s with R = H/sqrt(p).

    At level 3, where H is eliminated, H = artanh sqrt(p).
    """
    seed = _seed(limit)
    root = math.sqrt(limit.p[-1])
    field = limit.order_parameters.get("H", math.atanh(root))
    return _Start(
        seed.p, np.append(seed.q, field / root / s), np.append(seed.s, s), "from s -> infinity"
    )


def _runaway_solution(
    model: Model, ev: Evaluator, theta: Array, limit: Solution | None, digits: int
) -> Solution:
    """The limit functional's stationary point, for a minimum that ran away towards it."""
    if limit is None:
        raise ConvergenceError(
            f"a minimum of {model} ran away to an outermost exponent of {math.exp(theta[-1]):.1e}, and "
            f"the limit functional has no stationary point next to it",
            _named(ev, theta),
            float(np.linalg.norm(log_value(ev, theta)[1])),
        )
    start, distance = _nearest_to_limit(ev, limit)
    error = max(distance, limit.error)
    reached = min(digits, supported_digits(limit.value, error))
    note = (
        f"the minimum lies beyond the largest exponent resolved, s = {start:.0e}; the value is that of the "
        f"s -> infinity functional, which differs from the functional there by {distance:.1e}"
    )
    if reached < digits:
        note += f": {reached} of the {digits} digits asked for were reached"
    return replace(limit, error=error, digits=reached, note=note)


def _nearest_to_limit(ev: Evaluator, limit: Solution) -> tuple[float, float]:
    """Largest exponent at which the functional resolves at the limit's point, and its distance there."""
    patient = ev.with_grid(work_limit=_LIMIT_WORK)
    for s in 10.0 ** np.arange(17.0, 2.0, -0.5):
        value, _ = log_value(patient, _at_exponent(limit, s).theta(ev))
        if math.isfinite(value):
            return float(s), abs(math.exp(value) - limit.value)
    return math.nan, math.inf
