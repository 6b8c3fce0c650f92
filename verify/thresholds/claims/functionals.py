"""Properties of the levels' functionals: one expression by many routes, and how levels lie in each other."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from verify.strategies import kappas, models, order_parameters
from verify.suite.properties import close, prop

if TYPE_CHECKING:
    from flint import arb

    from theory import FreeEnergy
    from verify.suite.subject import Theory

CAPACITIES = ("sbp", "abp", "ubp")


@prop(
    "functional-routes",
    "A functional has one value, whether on chained grids, by nested adaptive quadrature in many digits, "
    "by composite Gauss-Legendre rules, or in ball arithmetic, whose ball contains the others.",
    source="the generated mpmath module, numba code, balls and the independent quadrature of one expression",
    wrong=("moved",),
    examples=6,
    tags=("functional", "routes"),
    cost=1.2,
)
def routes(theory: Theory, data: st.DataObject) -> None:
    """Evaluate at a random point in four ways."""
    from flint import arb

    from numerics import cross_check
    from theory import free_energy

    model = data.draw(models(kinds=(*CAPACITIES, "hopfield", "sk")), label="model")
    level = 3 if model.name in ("sbp", "ubp") else 2
    fe = free_energy(model, level)
    point = data.draw(order_parameters(fe, gaps=(0.1, 2.0), ratios=(1.1, 3.0)), label="point")
    value, _ = theory.functional(fe, point)
    others = (cross_check(fe, point), _mpmath_value(fe, point))
    narrow, wide = _balls(fe, point, 15), _balls(fe, point, 9)
    for other in (*others, float(narrow.mid())):
        close(value, other, rel=1e-9, abs=1e-10)
    for other in (value, *others):
        assert wide.contains(arb(other)), f"{other!r} lies outside the ball {wide.str(17)}"
    assert wide.overlaps(narrow), f"{wide.str(17)} and {narrow.str(17)} have nothing in common"


def _balls(fe: FreeEnergy, point: dict[str, float], digits: int) -> arb:
    """Enclose the functional at a point of doubles, which are taken as exact."""
    from flint import arb, ctx

    from numerics.balls.functional import functional_at
    from numerics.balls.plan import BallGrid

    functional = functional_at(fe.model, fe.level, len(fe.q))
    names = [str(x) for chain in functional.program.coordinates.chains for x in chain.symbols]
    with ctx.workdps(2 * digits + 15):
        gaps = functional.gaps_at([arb(point[name]) for name in names])
        return functional.at_gaps(gaps, BallGrid(digits)).value


@lru_cache(maxsize=8)
def _module(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "<functional>", "exec"), names)
    return names


def _mpmath_value(fe: FreeEnergy, point: dict[str, float]) -> float:
    import mpmath

    from theory import free_energy

    generic = free_energy(fe.model.generic, fe.level)
    function = _module(generic.python())[fe.symbol]
    extra = sorted(generic.expr.free_symbols - set(generic.order_parameters), key=str)
    given = {str(x): mpmath.mpf(v.p) / v.q for x, v in fe.model.parameters.items()}
    with mpmath.workdps(15):
        value = function(*point.values(), *(given[str(x)] for x in extra))
    return float(value)


@prop(
    "functional-gradient",
    "The gradient of a functional is its difference quotient, and the symbolic derivative of theory.",
    source="adjoint sweep; theory's stationarity equations as Gibbs averages",
    wrong=("sharpened",),
    examples=2,
    tags=("functional", "routes"),
    cost=5,
    profile="ci",
)
def gradient(theory: Theory, data: st.DataObject) -> None:
    """Compare in the evaluator's coordinates."""
    import numpy as np

    from numerics import cross_check
    from numerics.functionals.doubles import evaluator
    from theory import free_energy

    model = data.draw(models(kappas(0.5, 2.0), kinds=CAPACITIES), label="model")
    fe = free_energy(model, 2 if model.name == "abp" else 3)
    point = data.draw(order_parameters(fe, gaps=(0.2, 2.0), ratios=(1.1, 3.0)), label="point")
    _, slope = theory.functional(fe, point, gradient=True)
    coordinates = evaluator(fe).coordinates
    place = coordinates.from_order_parameters(point)

    def at(shifted) -> dict[str, float]:
        return coordinates.order_parameters(coordinates.gaps(shifted))

    step = 1e-4
    symbolic = _symbolic_gradient(fe, point)
    for k, mine in enumerate(slope):
        unit = step * np.eye(place.size)[k]
        ends = (at(place - 2 * unit), at(place - unit), at(place + unit), at(place + 2 * unit))
        weights = [w / (12.0 * step) for w in (1.0, -8.0, 8.0, -1.0)]
        quotient = sum(w * cross_check(fe, x) for w, x in zip(weights, ends, strict=True))
        close(float(mine), quotient, rel=1e-6, abs=1e-7)
        chain = sum(
            symbolic[name] * sum(w * x[name] for w, x in zip(weights, ends, strict=True))
            for name in point
        )
        close(float(mine), chain, rel=1e-4, abs=1e-5)


def _symbolic_gradient(fe: FreeEnergy, point: dict[str, float]) -> dict[str, float]:
    """Stationarity equations of theory, their nests and Gibbs averages summed from the definitions."""
    import sympy
    from sympy import Rational, Symbol

    from numerics.functionals.crosscheck import plain_leaf
    from theory import GibbsAverage, LiftedExpectation
    from verify.thresholds.quadrature import gibbs

    values = {x: Rational(point[str(x)]) for x in fe.order_parameters}
    h = Symbol("h", real=True)

    def number(node: Any) -> float:
        nest = node.nest if isinstance(node, GibbsAverage) else node
        leaf = plain_leaf(nest.leaf(h).subs(values), h)
        v = tuple(float(x.subs(values)) for x in nest.increments)
        s = tuple(float(x.subs(values)) for x in nest.exponents)
        if not isinstance(node, GibbsAverage):
            return gibbs(leaf, 0.0, v, s).value
        observable = sympy.lambdify(h, node.observable(h).subs(values), "mpmath")
        return gibbs(
            leaf, 0.0, v, s, lambda y: _in_many_digits(observable, y), nodes=601
        ).observable

    derivatives = {}
    for symbol, expr in fe.stationarity().items():
        # averages first: their arguments contain nests of their own
        averages = {a: sympy.Float(number(a), 17) for a in expr.atoms(GibbsAverage)}
        rest = expr.xreplace(averages)
        nests = {n: sympy.Float(number(n), 17) for n in rest.atoms(LiftedExpectation)}
        derivatives[str(symbol)] = float(rest.xreplace(nests).subs(values).evalf(17))
    return derivatives


def _in_many_digits(function: Any, y: Any) -> Any:
    """Evaluate 1 - erf and the like where they are below any double; nan where even that is 0/0."""
    import mpmath
    import numpy as np

    values = np.full(y.shape, math.nan)
    with mpmath.workdps(200):
        for k, x in enumerate(y.tolist()):
            try:
                values[k] = float(function(mpmath.mpf(x)))
            except ZeroDivisionError:
                continue
    return values


@prop(
    "sbp-upper-bound",
    "Every choice of order parameters with 1 < s_2 < s_3 < .. gives at least the level's minimum, at the "
    "symmetric binary perceptron's levels 3 to 6.",
    source="the levels of arXiv:2601.10628 are minima over ordered exponents",
    wrong=("swapped",),
    examples=25,
    tags=("functional", "sbp"),
    group="sbp",
    cost=0.5,
)
def upper_bound(theory: Theory, data: st.DataObject) -> None:
    """Draw points near the minimum and far from it."""
    import numpy as np

    from numerics import ResolutionError
    from numerics.functionals.doubles import evaluator
    from theory import SBP, free_energy

    level = data.draw(st.integers(3, 6), label="level")
    fe = free_energy(SBP(1), level)
    solution = theory.solution(SBP(1), level)
    if data.draw(st.booleans(), label="far"):
        point = data.draw(order_parameters(fe), label="point")
    else:
        coordinates = evaluator(fe).coordinates
        own = {str(x): solution.order_parameters.get(str(x)) for x in fe.order_parameters}
        assert None not in own.values(), f"no solution of level {level}"
        place = coordinates.from_order_parameters({k: float(v or 0.0) for k, v in own.items()})
        size = data.draw(st.sampled_from([0.01, 0.1, 0.5]), label="distance")
        shift = data.draw(
            st.lists(st.floats(-1.0, 1.0), min_size=place.size, max_size=place.size), label="shift"
        )
        moved = place + size * np.array(shift)
        point = coordinates.order_parameters(coordinates.gaps(moved))
        exponents = [1.0, *(point[str(x)] for x in fe.c)]
        assume(exponents == sorted(exponents))
    try:
        value, _ = theory.functional(fe, point)
    except ResolutionError:
        assume(False)
        return
    assert value >= solution.value * (1.0 - 1e-12), (
        f"{value!r} lies below the minimum {solution.value!r} of level {level}"
    )


@prop(
    "level-embedding",
    "Every point of a level is a point of the next one with the same value: an exponent twice, and any "
    "order parameters between its neighbours'.",
    source="merging of equal exponents; Stojnic, arXiv:2312.00073 (nested levels)",
    wrong=("sharpened",),
    examples=10,
    tags=("functional",),
    cost=5,
    profile="ci",
)
def embedding(theory: Theory, data: st.DataObject) -> None:
    """Split a lifting of a random point of a random model in two."""
    from theory import free_energy

    model = data.draw(models(), label="model")
    least = 3 if model.name in ("sbp", "ubp") else 2
    level = data.draw(st.integers(least, 4), label="level")
    if model.name == "abp" and level == 2:
        level = 3
    low, high = free_energy(model, level), free_energy(model, level + 1)
    point = data.draw(order_parameters(low, gaps=(0.05, 2.0), ratios=(1.1, 3.0)), label="point")
    where = len(low.c) - 1
    shares = data.draw(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), label="shares")
    embedded = _embed(low, high, point, where, shares)
    below, _ = theory.functional(low, point)
    above, _ = theory.functional(high, embedded)
    close(above, below, rel=1e-9, abs=1e-9)


def _embed(
    low: FreeEnergy,
    high: FreeEnergy,
    point: dict[str, float],
    where: int,
    shares: tuple[float, float],
) -> dict[str, float]:
    """Double the exponent of index ``where``; the new pair splits the increment that it goes with."""
    exponents = [point[str(x)] for x in low.c]
    exponents.insert(where, exponents[where])
    # finite: c_k goes with q_{k-1} - q_k; hard: s_k goes with Q_k - Q_{k+1}
    at = where if low.is_finite else where + 1
    merged = dict(zip(map(str, high.c), exponents, strict=True))
    for old, new, share in ((low.p, high.p, shares[0]), (low.q, high.q, shares[1])):
        if not new:
            continue
        values = [point[str(x)] for x in old]
        upper = 1.0 if at == 0 else values[at - 1]
        lower = values[at] if at < len(values) else 0.0
        values.insert(at, lower + share * (upper - lower))
        merged |= dict(zip(map(str, new), values, strict=True))
    merged |= {str(x): point[str(x)] for x in low.fields}
    return {str(x): merged[str(x)] for x in high.order_parameters}


@prop(
    "functional-margin",
    "At fixed order parameters a wider window raises the capacity functional of the symmetric perceptron, "
    "and a larger margin lowers the asymmetric one's.",
    source="monotone leaves make monotone nests",
    wrong=("reversed",),
    examples=30,
    tags=("functional",),
    cost=0.3,
)
def margin(theory: Theory, data: st.DataObject) -> None:
    """Evaluate the same point at two margins."""
    from theory import ABP, SBP, free_energy

    kind, sign = data.draw(st.sampled_from([(SBP, 1), (ABP, -1)]), label="model")
    kappa = data.draw(kappas(0.3, 2.0), label="kappa")
    more = data.draw(st.floats(1.05, 1.5), label="factor")
    wider = kind(str(round(float(kappa) * more, 3)))
    fe = free_energy(kind(kappa), 3)
    point = data.draw(order_parameters(fe, gaps=(0.05, 2.0)), label="point")
    small, _ = theory.functional(fe, point)
    large, _ = theory.functional(free_energy(wider, 3), point)
    assume(math.isfinite(small) and small > 0.0 and large > 0.0)
    assert sign * (large - small) > 0.0, f"{large!r} after {small!r}"
